//! Advice: prompt, retrieval, fine-tuning or both, before anything is built.
//!
//! The rules are judging and lie in `eval`. Here is what they need from outside: answers from a
//! file, what a project and its examples already say, a step that was measured on this machine;
//! and what comes of them: the commands that build each stage, and a recipe to train from.

mod file;
mod look;
mod measured;
mod steps;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::data::DataError;

pub use eval::advice::answers::{Answers, Choice};
pub use eval::advice::criteria::Favours;
pub use eval::advice::estimate::{MeasuredStep, TrainingEstimate};
pub use eval::advice::plan::{GuardState, Role};
pub use eval::advice::published::Span;
pub use eval::advice::question::{
    AnswerError, Kind, Part, QUESTIONS, Question, get, is_unknown, question, set,
};
pub use eval::advice::scale::{Effect, Scale};
pub use eval::advice::strategy::{Limit, LimitVerdict, Method, Remedy};
pub use eval::advice::{Advice, Recommendation};
pub use file::{read_answers, save_answers, written};
pub use look::{Proposal, look_at_examples, look_at_project};
pub use measured::measured_step;
pub use steps::recipe;

/// Why advice could not be given.
#[derive(Debug, Error)]
pub enum AdviseError {
    /// A file could not be read or written.
    #[error("`{}` could not be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file of answers is no TOML.
    #[error("`{}` is not TOML", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A file of answers is no JSON object.
    #[error("`{}` is not a JSON object", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        #[source]
        source: serde_json::Error,
    },
    /// An answer in a file is a list or a table.
    #[error("`{}`: `{key}` must be a text, a number, or true or false", path.display())]
    NoAnswer {
        /// The file.
        path: PathBuf,
        /// The question's key.
        key: String,
    },
    /// An answer in a file is none to its question.
    #[error("`{}` is not understood", path.display())]
    Answer {
        /// The file.
        path: PathBuf,
        /// Which, and what is expected.
        #[source]
        source: AnswerError,
    },
    /// A file that would be written holds something else.
    #[error("`{}` exists and holds no answers; it is left as it is", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// What was named as measured says nothing of speed.
    #[error("`{}` says nothing of a training's speed: {lacks}", path.display())]
    NotMeasured {
        /// The run's folder, or the file.
        path: PathBuf,
        /// What it lacks.
        lacks: &'static str,
    },
    /// Examples could not be looked at.
    #[error("the examples could not be looked at")]
    Data(#[from] DataError),
    /// The project's store could not be looked at.
    #[error("the project could not be looked at")]
    Store(#[from] search::SearchError),
}

impl AdviseError {
    /// Returns what to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Answer { .. } | Self::NoAnswer { .. } => {
                "`groundtune advise --save FILE` writes a file with every question in it".into()
            }
            Self::NotMeasured { .. } => {
                "name a run's folder with a step done, such as `.groundtune/runs/0001`".into()
            }
            Self::NotOurs { .. } => "name another file after `--save`".into(),
            _ => return None,
        })
    }
}

/// Returns the advice for a project, with the commands that build each stage. With a measured
/// step the estimates are of that machine.
pub fn advise(answers: &Answers, measured: Option<&MeasuredStep>) -> Advice {
    let mut advice = eval::advice::advise(answers, measured);
    for stage in &mut advice.plan {
        stage.commands = steps::commands(stage.stage, answers);
    }
    advice
}

/// Returns `source` as an error that names `path`.
fn io(path: &Path) -> impl FnOnce(std::io::Error) -> AdviseError + '_ {
    |source| AdviseError::Io {
        path: path.into(),
        source,
    }
}
