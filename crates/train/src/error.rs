//! Why a run could not be begun, or ended early.

use std::path::PathBuf;

use thiserror::Error;

/// What went wrong in a run.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A value in the recipe is none that it may have.
    #[error("`{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// The key, with its table.
        key: &'static str,
        /// As written.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// An encoder's texts are not filled up.
    #[error(
        "`technique.packing = false` is for decoders: with `objective.kind = \"{objective}\"` texts are always packed"
    )]
    AlwaysPacked {
        /// The objective.
        objective: &'static str,
    },
    /// A file of the run could not be read or written; the message names it.
    #[error("the run could not be kept on the disk")]
    Io(#[from] std::io::Error),
    /// A file of the run is not what was written.
    #[error("`{}` {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A checkpoint is of another model or recipe.
    #[error("the checkpoint `{}` has {found} {what}, expected {expected}", path.display())]
    OfAnother {
        /// The checkpoint.
        path: PathBuf,
        /// What is counted.
        what: &'static str,
        /// How many the model has.
        expected: usize,
        /// How many the checkpoint has.
        found: usize,
    },
    /// There is nothing to learn.
    #[error("there is no example to learn from{}", if *left_out > 0 { format!(": all {left_out} were left out") } else { String::new() })]
    NoExamples {
        /// How many there were that could not be used.
        left_out: usize,
    },
    /// A loss or a gradient is no number any more.
    #[error("the {what} of step {step} is {found}")]
    NotANumber {
        /// The step, from 1.
        step: u64,
        /// The loss, or the gradient's length.
        what: &'static str,
        /// What it is.
        found: f64,
        /// The examples of the step, as far as they can be shown.
        examples: Vec<String>,
        /// The last step that was saved.
        saved: Option<u64>,
    },
    /// The loss rose as it does not by chance.
    #[error("the loss of step {step} is {loss:.3}, after {mean:.3} on average before")]
    Spike {
        /// The step, from 1.
        step: u64,
        /// Its loss.
        loss: f64,
        /// The mean of those before.
        mean: f64,
        /// The examples of the step, as far as they can be shown.
        examples: Vec<String>,
        /// The last step that was saved.
        saved: Option<u64>,
    },
    /// The model failed.
    #[error("the model could not learn a batch")]
    Model(#[from] model::ModelError),
}

impl TrainError {
    /// Returns what the user can do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        let again = |saved: &Option<u64>| match saved {
            Some(step) => format!("the state after step {step} is kept"),
            None => "nothing was saved yet".into(),
        };
        Some(match self {
            Self::NotANumber { saved, .. } => format!(
                "try a lower `optimiser.learning_rate`, a longer `schedule.warmup`, or a smaller `optimiser.clip`; {}",
                again(saved)
            ),
            Self::Spike { saved, .. } => format!(
                "look at the step's examples; try a lower `optimiser.learning_rate` or a smaller `optimiser.clip`, or go on all the same with `evaluation.spikes = \"note\"`; {}",
                again(saved)
            ),
            Self::Damaged { .. } | Self::OfAnother { .. } => {
                "take an older checkpoint by moving this one away, or train again".into()
            }
            _ => return None,
        })
    }
}
