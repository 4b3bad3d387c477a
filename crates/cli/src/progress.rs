//! Progress: one line on stderr, only where somebody watches, and only when there
//! is something to wait for.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done sooner is not worth a flicker.
const QUIET: Duration = Duration::from_millis(250);

/// How often the line is drawn, times a second.
const HERTZ: u8 = 30;

/// A line that says how far something has come. Gone when it is dropped.
pub(crate) struct Progress {
    started: Instant,
    watched: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins. Nothing is drawn in the first quarter of a second, nor ever if
    /// stderr is not a terminal.
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            watched: io::stderr().is_terminal(),
            bar: None,
        }
    }

    /// Says that `done` of `total` is done, and what is done now. A total of 0 is
    /// one that is not yet known.
    pub(crate) fn at(&mut self, done: u64, total: u64, what: &str) {
        if !self.watched || self.started.elapsed() < QUIET {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar =
                ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(HERTZ));
            bar.set_style(
                ProgressStyle::with_template("{bar:24} {human_pos}/{human_len} · {wide_msg}")
                    .expect("the template is well formed")
                    .progress_chars("━━─"),
            );
            bar
        });
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(crate::ui::one_line(what));
    }

    /// Says that `done` of `total` bytes are done; `what` says it in words.
    pub(crate) fn at_bytes(&mut self, done: u64, total: u64, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_style(
                ProgressStyle::with_template("{bar:24} {wide_msg} · {bytes_per_sec} · {eta} left")
                    .expect("the template is well formed")
                    .progress_chars("━━─"),
            );
        }
        self.at(done, total, what);
    }

    /// Shows `text` alone in the line. Returns whether somebody watches.
    pub(crate) fn line(&mut self, text: &str) -> bool {
        if let Some(bar) = &self.bar {
            bar.set_message(crate::ui::one_line(text));
        } else if self.watched && self.started.elapsed() >= QUIET {
            let target = ProgressDrawTarget::stderr_with_hz(HERTZ);
            let bar = ProgressBar::with_draw_target(None, target).with_style(
                ProgressStyle::with_template("{wide_msg}").expect("the template is well formed"),
            );
            bar.set_message(crate::ui::one_line(text));
            self.bar = Some(bar);
        }
        self.watched
    }

    /// Clears the line while `print` prints.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
