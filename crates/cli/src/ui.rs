//! The screen: the only place that prints.
//!
//! Data goes to stdout, all else to stderr. Color only where a terminal shows it,
//! and everything can be understood without. What documents say is shown without
//! its control characters: a document cannot drive the terminal.

#![expect(
    clippy::print_stderr,
    reason = "notes and errors go to stderr, from here alone"
)]

use std::borrow::Cow;
use std::env;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::path::Path;

use clap::ColorChoice;
use serde::Serialize;
use unicode_width::UnicodeWidthChar as _;

/// Lines of text are no wider than this, however wide the screen is: longer ones
/// are hard to read.
const WIDEST: usize = 100;

/// Stdout and stderr, and what they can show.
pub(crate) struct Ui {
    stdout: BufWriter<Stdout>,
    color_out: bool,
    color_err: bool,
    width: usize,
    verbose: bool,
}

/// What a piece of text is, to be set off from the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// A name or number to be found at once.
    Strong,
    /// What may be overlooked.
    Faint,
    /// A document.
    Place,
    /// A word that was asked for.
    Match,
    /// Done, or in order.
    Good,
    /// The word `error:`.
    Error,
    /// The word `warning:`.
    Warning,
    /// The word `hint:`.
    Hint,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Place => "36",
            Self::Match => "1;33",
            Self::Good => "32",
            Self::Error => "1;31",
            Self::Warning => "1;33",
            Self::Hint => "1;36",
        }
    }
}

impl Ui {
    /// Returns the screen this process has.
    pub(crate) fn new(color: ColorChoice, verbose: bool) -> Self {
        let color_where = |is_terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && color_wanted(color),
        };
        Self {
            stdout: BufWriter::new(io::stdout()),
            color_out: color_where(io::stdout().is_terminal()),
            color_err: color_where(io::stderr().is_terminal()),
            width: terminal_size::terminal_size()
                .map_or(80, |(width, _)| usize::from(width.0))
                .clamp(40, WIDEST),
            verbose,
        }
    }

    /// Returns stdout, for data. It is buffered: what must be seen at once is
    /// followed by [`Ui::finish`].
    pub(crate) fn out(&mut self) -> &mut impl Write {
        &mut self.stdout
    }

    /// Writes `value` as one line of JSON and hands it over at once.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.stdout, value)?;
        self.stdout.write_all(b"\n")?;
        self.stdout.flush()
    }

    /// Writes `value` as indented JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.stdout, value)?;
        self.stdout.write_all(b"\n")
    }

    /// Hands over what is still buffered.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }

    /// Prints the beginning of a line that the user goes on with, to stderr.
    pub(crate) fn prompt(&self, text: &str) -> io::Result<()> {
        let mut stderr = io::stderr().lock();
        stderr.write_all(text.as_bytes())?;
        stderr.flush()
    }

    /// Prints a line to stderr.
    pub(crate) fn note(&self, text: fmt::Arguments<'_>) {
        eprintln!("{text}");
    }

    /// Prints a question to stderr, and leaves the cursor behind it.
    pub(crate) fn ask(&self, text: fmt::Arguments<'_>) -> io::Result<()> {
        eprint!("{text}");
        io::stderr().flush()
    }

    /// Prints a warning to stderr.
    pub(crate) fn warn(&self, text: fmt::Arguments<'_>) {
        self.note(format_args!(
            "{} {text}",
            self.paint_error(Style::Warning, "warning:")
        ));
    }

    /// Prints a hint to stderr, after a blank line.
    pub(crate) fn hint(&self, text: fmt::Arguments<'_>) {
        self.note(format_args!(
            "\n{} {text}",
            self.paint_error(Style::Hint, "hint:")
        ));
    }

    /// Returns whether the user asked for more words.
    pub(crate) fn verbose(&self) -> bool {
        self.verbose
    }

    /// Returns the columns a line may take.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Returns `text` as stdout shows it.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.color_out, style, text)
    }

    /// Returns `text` as stderr shows it.
    pub(crate) fn paint_error(&self, style: Style, text: &str) -> String {
        paint(self.color_err, style, text)
    }
}

fn paint(color: bool, style: Style, text: &str) -> String {
    if color && !text.is_empty() {
        format!("\x1b[{}m{text}\x1b[0m", style.code())
    } else {
        text.to_owned()
    }
}

/// Returns whether color may be used where `choice` leaves it to us: not under
/// `NO_COLOR` (no-color.org) and not on a terminal that calls itself dumb.
pub(crate) fn color_wanted(choice: ColorChoice) -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            !set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// Returns `text` without control characters, tabs and newlines included: a blank
/// stands for each run of them.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    line
}

/// Returns `text` without control characters, but for its newlines and tabs.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .collect()
}

/// Breaks `text` into lines of at most `width` columns, between words, without control
/// characters. A longer word has a line of its own. A blank text is one empty line.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in one_line(text).split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if columns(line) + 1 + columns(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Returns `path` as it can be pasted into a shell.
pub(crate) fn shell_word(path: &Path) -> String {
    quote(&path.to_string_lossy()).into_owned()
}

/// Returns `text` as one word of a shell's command line.
pub(crate) fn quote(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,~".contains(c);
    if cfg!(windows) {
        return if text.is_empty() || text.contains(' ') {
            Cow::Owned(format!("\"{text}\""))
        } else {
            Cow::Borrowed(text)
        };
    }
    if !text.is_empty() && text.chars().all(plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

/// Returns how many columns `text` takes.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Returns `count` and the word, in the plural unless it is one: `3 documents`.
pub(crate) fn count(count: usize, singular: &str) -> String {
    let digits = thousands(count as u64);
    match singular.strip_suffix('y') {
        _ if count == 1 => format!("1 {singular}"),
        Some(stem) => format!("{digits} {stem}ies"),
        None => format!("{digits} {singular}s"),
    }
}

/// Returns a number with a comma between the thousands: `12,345`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a duration in the unit people would use: `0.4 ms`, `12 ms`, `1.3 s`, `2 min 5 s`.
pub(crate) fn elapsed(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.01 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {} s", seconds as u64 / 60, seconds as u64 % 60)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_and_times_are_written_for_people() {
        assert_eq!(count(1, "document"), "1 document");
        assert_eq!(count(12_345, "entry"), "12,345 entries");
        assert_eq!(elapsed(Duration::from_micros(420)), "0.4 ms");
        assert_eq!(elapsed(Duration::from_millis(1290)), "1.3 s");
        assert_eq!(elapsed(Duration::from_secs(125)), "2 min 5 s");
    }

    #[test]
    fn a_document_cannot_drive_the_terminal() {
        assert_eq!(one_line("a\x1b[31m red\r\n\tb\u{9b}x"), "a [31m red b x");
        assert_eq!(printable("a\x1b[31m red\r\n\tb"), "a[31m red\n\tb");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("überlanges Wort", 4), ["überlanges", "Wort"]);
        assert_eq!(wrap("", 7), [""]);
    }

    #[cfg(unix)]
    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(quote("handbook/a.md"), "handbook/a.md");
        assert_eq!(quote("my notes"), "'my notes'");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
