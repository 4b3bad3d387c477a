//! What a run has brought, as a model that can be used.

use std::path::{Path, PathBuf};

use ::train::{Run, RunResult};

use super::TrainingError;

/// A run's result: a model, or an adapter for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuned {
    /// The model's folder: what was learnt, or its base.
    pub model: PathBuf,
    /// The adapter's folder.
    pub adapter: Option<PathBuf>,
}

impl Tuned {
    /// Returns what the run in `folder` has brought; nothing, if it is no run's folder.
    pub fn at(folder: &Path) -> Option<Result<Self, TrainingError>> {
        Run::is_run(folder).then(|| Self::of(folder))
    }

    fn of(run: &Path) -> Result<Self, TrainingError> {
        let description = Run::describe(run)?;
        let result = run.join(description.result.folder());
        if !result.is_dir() {
            return Err(TrainingError::NotDone { run: run.into() });
        }
        Ok(match (description.result, description.base) {
            (RunResult::Adapter, Some(base)) => Self {
                model: base,
                adapter: Some(result),
            },
            _ => Self {
                model: result,
                adapter: None,
            },
        })
    }
}
