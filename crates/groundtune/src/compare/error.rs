//! Why a comparison could not begin or go on.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::models::ResolveError;
use crate::train::TrainingError;
use crate::{ConfigError, data};

/// What went wrong before or in a comparison.
#[derive(Debug, Error)]
pub enum CompareError {
    /// The recipe was not understood.
    #[error(transparent)]
    Recipe(#[from] ConfigError),
    /// A key of the recipe is out of its range.
    #[error("`{key}` is {found}; expected {expected}")]
    Key {
        /// The key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        expected: &'static str,
    },
    /// No file of examples is named.
    #[error("there are no questions to compare on")]
    NoExamples,
    /// Nothing of the examples can be asked.
    #[error(
        "nothing is left to examine the candidates on, of {examples} {}",
        if *examples == 1 { "example" } else { "examples" }
    )]
    NoQuestions {
        /// How many there are.
        examples: usize,
    },
    /// The examples could not be read.
    #[error(transparent)]
    Data(#[from] data::DataError),
    /// There is no model to compare with and without retrieval.
    #[error("no model is named that could write the answers")]
    NoBase,
    /// The model is an encoder, and the answers are nothing that encoders say.
    #[error(
        "`{model}` is an encoder, which writes nothing, and the answers are neither labels that come again and again, nor a tag for each word, nor words of a text that comes with the question"
    )]
    NotForEncoders {
        /// The model.
        model: String,
    },
    /// A candidate needs evidence, and nothing is ingested.
    #[error(transparent)]
    Ask(Box<crate::Error>),
    /// The base model is not there.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A candidate could not be taught.
    #[error("the candidate could not be taught")]
    Training(#[source] Box<TrainingError>),
    /// The folder holds no comparison.
    #[error("`{}` is no comparison: it has no `compare.toml`", folder.display())]
    NoComparison {
        /// The folder.
        folder: PathBuf,
    },
    /// A comparison was stopped or broken off, and has come to nothing yet.
    #[error("the comparison `{}` is not finished: {what}", folder.display())]
    Unfinished {
        /// The folder.
        folder: PathBuf,
        /// What is missing first.
        what: String,
    },
    /// A file of the comparison is not as it was written.
    #[error("`{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A general task is not one.
    #[error("`{}`, line {number}: {what}", path.display())]
    Task {
        /// The file.
        path: PathBuf,
        /// The line.
        number: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The examples, the documents or the model are others than when the comparison began.
    #[error("the {what} changed since this comparison began")]
    Changed {
        /// What changed.
        what: &'static str,
    },
    /// The model is on a server, and nobody answers there any more.
    #[error("`{model}` does not answer any more: {failure}")]
    Gone {
        /// The model.
        model: String,
        /// How the last request ended.
        failure: String,
        /// Where the comparison is kept.
        folder: PathBuf,
    },
    /// What was answered cannot be judged.
    #[error(transparent)]
    Judge(#[from] eval::CompareError),
    /// A file could not be read or written.
    #[error("a file of the comparison could not be read or written")]
    Io(#[from] io::Error),
}

impl From<crate::Error> for CompareError {
    fn from(error: crate::Error) -> Self {
        Self::Ask(Box::new(error))
    }
}

impl From<TrainingError> for CompareError {
    fn from(error: TrainingError) -> Self {
        Self::Training(Box::new(error))
    }
}

impl CompareError {
    /// Returns what to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoExamples => "name files of questions with their answers: `groundtune compare questions.jsonl`, or `[compare] examples = […]` in `groundtune.toml`".into(),
            Self::NoQuestions { .. } => {
                "each needs a question and an answer, such as {\"question\": …, \"answer\": …}; what says nearly the same stays together, so of one there is nothing to hold out: ten show that it runs, a hundred show something. `groundtune data audit` shows what was read".into()
            }
            Self::NotForEncoders { .. } => "name a model that writes, with `--model`; or give examples with labels, such as {\"text\": …, \"label\": …}, with tags, or with a context".into(),
            Self::NoBase => "name one as `[models] generator` in `groundtune.toml`, or with `--model`".into(),
            Self::Task { .. } => "expected one such as {\"text\": \"The opposite of hot is\", \"endings\": [\" cold\", \" table\"], \"right\": 0}".into(),
            Self::NoComparison { .. } => "begin one with `groundtune compare`".into(),
            Self::Unfinished { folder, .. } => {
                format!("go on with `groundtune compare --resume {}`", folder.display())
            }
            Self::Gone { folder, .. } => format!(
                "what was answered is kept; when it runs again, go on with `groundtune compare --resume {}`",
                folder.display()
            ),
            Self::Damaged { path, .. } => {
                format!("take `{}` away; that stage is then done again", path.display())
            }
            Self::Changed { .. } => "begin another comparison: leave `--resume` out".into(),
            Self::Recipe(error) => return error.hint(),
            Self::Ask(error) => return error.hint(),
            Self::Resolve(error) => return error.hint(),
            Self::Training(error) => return error.hint(),
            Self::Data(_) => "fields that are called otherwise, or another layout, are named to `groundtune data convert FILE --to completion --field prompt=… --field completion=… --out FILE.jsonl`; compare what it writes".into(),
            Self::Key { .. } | Self::Judge(_) | Self::Io(_) => return None,
        })
    }
}
