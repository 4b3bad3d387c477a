//! How a command fails: what is said, what to do about it, and the exit code.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; also an answer of `not in the documents`, and a reader of our output that went away |
//! | 1 | it could not be done: a missing project, an unreadable file, a damaged store |
//! | 2 | the command line was not understood |
//! | 3 | `eval diff`: it was done, and the answers got worse |

use std::error::Error;
use std::io;
use std::process::ExitCode;

use groundtune::advise::AdviseError;
use groundtune::compare::CompareError;
use groundtune::config::ConfigError;
use groundtune::demo::DemoError;
use groundtune::index_bench::IndexBenchError;
use groundtune::models::RemoteError;
use groundtune::project::ProjectError;
use groundtune::train::TrainingError;
use groundtune::{FilterError, SearchError};

use crate::ui::{Style, Ui, printable};

/// A command's failure.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: Kind,
    hint: Option<String>,
}

#[derive(Debug)]
enum Kind {
    /// It could not be done.
    Failed(Box<dyn Error>),
    /// The command line asks for what makes no sense.
    Usage(Box<dyn Error>),
    /// Whoever read our output stopped reading: the normal end of `… | head`.
    BrokenPipe,
    /// Stopped by the user; what is saved has been said.
    Interrupted,
    /// What was measured got worse; what is known has been said.
    Worse,
}

impl CommandError {
    /// Returns the failure that `error` is, with no code of its own: 1.
    pub(crate) fn failed(error: impl Into<Box<dyn Error>>) -> Self {
        let error = error.into();
        Self {
            hint: hint_of(error.as_ref()),
            kind: Kind::Failed(error),
        }
    }

    /// Returns the failure to understand the command line: 2.
    pub(crate) fn usage(error: impl Into<Box<dyn Error>>) -> Self {
        let error = error.into();
        Self {
            hint: hint_of(error.as_ref()),
            kind: Kind::Usage(error),
        }
    }

    /// Says `hint` instead of what is known about the error.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the end that Ctrl-C asked for.
    pub(crate) fn interrupted() -> Self {
        Self {
            kind: Kind::Interrupted,
            hint: None,
        }
    }

    /// Returns the end that says that what was measured got worse: 3.
    pub(crate) fn worse() -> Self {
        Self {
            kind: Kind::Worse,
            hint: None,
        }
    }

    /// Prints it, with its causes and the hint, and returns the exit code.
    pub(crate) fn report(&self, ui: &Ui) -> ExitCode {
        let (error, code) = match &self.kind {
            Kind::BrokenPipe => return ExitCode::SUCCESS,
            // What a shell reports for a program that Ctrl-C ended.
            Kind::Interrupted => return ExitCode::from(130),
            Kind::Worse => return ExitCode::from(3),
            Kind::Failed(error) => (error, 1),
            Kind::Usage(error) => (error, 2),
        };
        ui.note(format_args!(
            "{} {}",
            ui.paint_error(Style::Error, "error:"),
            printable(&error.to_string())
        ));
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors repeat their source's words in their own.
            if !said.ends_with(&text) {
                let indented = printable(&text).replace('\n', "\n  ");
                ui.note(format_args!("  {indented}"));
            }
            said = text;
            cause = error.source();
        }
        if let Some(hint) = &self.hint {
            ui.note(format_args!(
                "\n{} {}",
                ui.paint_error(Style::Hint, "hint:"),
                printable(hint)
            ));
        }
        ExitCode::from(code)
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self {
                kind: Kind::BrokenPipe,
                hint: None,
            }
        } else {
            Self::failed(error)
        }
    }
}

impl From<groundtune::Error> for CommandError {
    fn from(error: groundtune::Error) -> Self {
        Self::failed(error)
    }
}

impl From<ProjectError> for CommandError {
    fn from(error: ProjectError) -> Self {
        Self::failed(error)
    }
}

impl From<DemoError> for CommandError {
    fn from(error: DemoError) -> Self {
        Self::failed(error)
    }
}

impl From<serde_json::Error> for CommandError {
    fn from(error: serde_json::Error) -> Self {
        // Writing JSON fails only where writing does.
        Self::from(io::Error::from(error))
    }
}

/// Returns what to do about the first of `error` and its causes that is known.
fn hint_of(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(hint) = hint_of_one(error) {
            return Some(hint);
        }
        next = error.source();
    }
    None
}

fn hint_of_one(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<groundtune::Error>() {
        return error.hint();
    }
    if let Some(IndexBenchError::Library(error)) = error.downcast_ref::<IndexBenchError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<FilterError>() {
        // The library knows the words for it.
        return groundtune::Error::from(SearchError::from(error.clone())).hint();
    }
    if let Some(error) = error.downcast_ref::<RemoteError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<TrainingError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<AdviseError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<CompareError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        return error.hint();
    }
    if let Some(error) = error.downcast_ref::<ProjectError>() {
        return error.hint();
    }
    if let Some(DemoError::Changed { .. }) = error.downcast_ref::<DemoError>() {
        return Some("name another folder: `groundtune demo DIR`".into());
    }
    None
}
