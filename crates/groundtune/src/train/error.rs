//! Why a run could not be prepared or ended early.

use std::io;
use std::path::PathBuf;

use ::train::TrainError;
use thiserror::Error;

use super::memory::Estimate;
use crate::ConfigError;
use crate::models::ResolveError;

/// What went wrong before or in a run.
#[derive(Debug, Error)]
pub enum TrainingError {
    /// There is no such recipe.
    #[error("the recipe cannot be read")]
    NoRecipe {
        /// What stopped it; names the path.
        source: io::Error,
    },
    /// The recipe was not understood.
    #[error(transparent)]
    Recipe(#[from] ConfigError),
    /// A key that was set is none, or not TOML.
    #[error("`{set}` sets nothing: {source}")]
    Set {
        /// As written.
        set: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// The model is not there.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// What the recipe names is no model that learns here.
    #[error(
        "`{found}` cannot learn here: expected a folder with `config.json` and safetensors, or a GGUF file"
    )]
    NotTrainable {
        /// What it names.
        found: String,
    },
    /// What the recipe names is an adapter, which is no whole model.
    #[error("`{}` is an adapter, and training goes on from a whole model", adapter.display())]
    OnlyAdapter {
        /// The adapter's folder.
        adapter: PathBuf,
    },
    /// The objective is for an encoder that is there.
    #[error(
        "`objective.kind = \"{objective}\"` teaches an encoder that is there, and the recipe has `model.kind = \"new\"`"
    )]
    NoEncoder {
        /// The objective.
        objective: &'static str,
    },
    /// An encoder's vocabulary is in its folder.
    #[error(
        "`model.tokenizer` has no effect with `objective.kind = \"{objective}\"`: an encoder's vocabulary is in its folder"
    )]
    VocabularyElsewhere {
        /// The objective.
        objective: &'static str,
    },
    /// A pair's judgement is no score.
    #[error(
        "`{id}` is judged `{found}`; expected a score from 0 to 1, or a label: `0`, `no`, `false`, `1`, `yes` or `true`"
    )]
    NoScore {
        /// The example.
        id: String,
        /// Its judgement.
        found: String,
    },
    /// The model or its vocabulary cannot be opened.
    #[error("the model cannot be opened")]
    Model(#[from] model::ModelError),
    /// The data cannot be read, or nothing of it can be learnt.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// The format that the recipe names is not known.
    #[error(transparent)]
    Layout(#[from] corpus::examples::UnknownLayout),
    /// The documents that evidence comes from cannot be searched.
    #[error("the documents of `data.evidence` cannot be searched")]
    Evidence {
        /// Why not.
        source: Box<crate::Error>,
    },
    /// There is nothing to ask with evidence.
    #[error(
        "`data.evidence` has no effect: it is for questions with their passages, and `objective.kind = \"language\"`"
    )]
    NoQuestions,
    /// What is no decoder does not grow.
    #[error("how cost grows is measured of decoders, with `objective.kind = \"language\"`")]
    NoGrowth,
    /// There is no program for other machines that does this.
    #[error(
        "there is no job of {what}: jobs are of `objective.kind = \"language\"` with `tuning.kind = \"full\"`, `\"lora\"` or `\"qlora\"`"
    )]
    NoJob {
        /// What it was to be of.
        what: String,
    },
    /// PyTorch reads no such file.
    #[error("a job begins with a folder of safetensors, and `{}` is a GGUF file", file.display())]
    NoJobOfGguf {
        /// The model.
        file: PathBuf,
    },
    /// There is no such template for questions and their evidence.
    #[error(
        "`data.evidence.template` is `{found}`, expected `cited`, `spaced`, `compact` or `grounded`"
    )]
    UnknownTemplate {
        /// As written.
        found: String,
    },
    /// Examples are longer than the model reads.
    #[error("`steps.length` is {found}, but the model reads at most {context} tokens")]
    TooLong {
        /// As the recipe has it.
        found: usize,
        /// What the model reads.
        context: usize,
    },
    /// There is not enough memory.
    #[error("{estimate}")]
    DoesNotFit {
        /// What it would take, and what would help.
        estimate: Box<Estimate>,
    },
    /// A folder is no run's.
    #[error("`{}` is no run: it has no `run.json` and `recipe.toml`", folder.display())]
    NoRun {
        /// The folder.
        folder: PathBuf,
    },
    /// What a run began with has changed.
    #[error("the {what} of `{}` has changed since it began: it was {before} and is {now}", run.display())]
    Changed {
        /// The run.
        run: PathBuf,
        /// The data or the model.
        what: &'static str,
        /// Its fingerprint then.
        before: String,
        /// Its fingerprint now.
        now: String,
    },
    /// A run has brought nothing to use yet.
    #[error("the run `{}` is not done: it has neither a model nor an adapter yet", run.display())]
    NotDone {
        /// The run.
        run: PathBuf,
    },
    /// The loop failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The threads could not be started.
    #[error("could not start {count} threads")]
    Threads {
        /// How many.
        count: usize,
        /// Why not.
        source: io::Error,
    },
    /// A file could not be read or written; the message names it.
    #[error("a file of the run could not be read or written")]
    Io(#[from] io::Error),
}

impl TrainingError {
    /// Returns the beginnings of the examples with which learning failed.
    pub fn examples(&self) -> &[String] {
        match self {
            Self::Train(
                TrainError::NotANumber { examples, .. } | TrainError::Spike { examples, .. },
            ) => examples,
            _ => &[],
        }
    }

    /// Returns what the user can do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoRecipe { .. } => {
                "a recipe is a TOML file; `docs/train.md` has its keys, `docs/recipes/` some that run"
                    .into()
            }
            Self::Recipe(error) => return error.hint(),
            Self::Resolve(error) => return error.hint(),
            Self::Evidence { source } => return source.hint(),
            Self::Train(error) => return error.hint(),
            Self::DoesNotFit { estimate } => return estimate.hint(),
            Self::Model(model::ModelError::FileMissing {
                file: "tokenizer.json",
                ..
            }) => {
                "name the model's vocabulary with `tokenizer = \"PATH\"` beside `path` in `[model]`"
                    .into()
            }
            Self::NoEncoder { .. } => {
                "name one in `[model]`: `kind = \"base\"` and `path`, the folder of a BERT or a RoBERTa"
                    .into()
            }
            Self::OnlyAdapter { .. } => {
                "make it and its base one model: `groundtune models export RUN --to FOLDER`".into()
            }
            Self::NoJob { .. } => "learn it here, without `--job`".into(),
            Self::NoJobOfGguf { file } => format!(
                "write it as one: `groundtune models export {} --to FOLDER`",
                file.display()
            ),
            Self::TooLong { context, .. } => {
                format!("set `length = {context}` in `[steps]`, or less")
            }
            Self::Set { .. } => "write it as in a recipe: `--set steps.limit=100`".into(),
            Self::Changed { .. } => {
                "put back what it began with, or begin a new run with the recipe".into()
            }
            Self::NoRun { .. } => "runs are in `.groundtune/runs`".into(),
            Self::NotDone { run } => {
                format!("go on with `groundtune train --resume {}`", run.display())
            }
            _ => return None,
        })
    }
}
