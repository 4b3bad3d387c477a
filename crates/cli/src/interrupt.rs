//! Ctrl-C: the first asks for an orderly end, the second ends at once.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static LISTENING: OnceLock<()> = OnceLock::new();

/// Begins to listen: from now on the first Ctrl-C (or SIGTERM) only sets what
/// [`asked`] returns.
#[expect(
    clippy::exit,
    reason = "the second Ctrl-C means now; every commit is atomic, so nothing is half done"
)]
pub(crate) fn listen() {
    LISTENING.get_or_init(|| {
        let handler = || {
            if ASKED.swap(true, Ordering::SeqCst) {
                // The terminal's own prompt begins on a line of its own.
                let _ = std::io::stderr().write_all(b"\n");
                std::process::exit(130);
            }
        };
        // Without a handler Ctrl-C ends the program at once, which is as safe.
        let _ = ctrlc::set_handler(handler);
    });
}

/// Returns whether the user asked to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Returns whether the user asked to stop, and forgets it: for what goes on afterwards.
pub(crate) fn take() -> bool {
    ASKED.swap(false, Ordering::SeqCst)
}

/// Runs `wait`, in which nothing is done that could be stopped: there Ctrl-C ends the
/// program at once.
pub(crate) fn while_idle<T>(wait: impl FnOnce() -> T) -> T {
    // As if it had been asked once before.
    ASKED.store(true, Ordering::SeqCst);
    let result = wait();
    ASKED.store(false, Ordering::SeqCst);
    result
}
