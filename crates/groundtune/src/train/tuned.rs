//! What a run has brought, as a model that can be used.

use std::path::{Path, PathBuf};

use ::train::{ModelSource, Recipe, Run, RunResult};
use model::generator::GeneratorOptions;

use super::TrainingError;

/// A run's result: a model, or an adapter for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuned {
    /// The model's folder or GGUF file: what was learnt, or its base.
    pub model: PathBuf,
    /// The adapter's folder.
    pub adapter: Option<PathBuf>,
    /// The model's vocabulary, where it is not beside its weights.
    pub tokenizer: Option<PathBuf>,
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
        // What was learnt can be used even if another version wrote the recipe.
        let recipe: Option<Recipe> = toml::from_str(&Run::recipe(run)?).ok();
        let tokenizer = match recipe.map(|recipe| recipe.model) {
            Some(ModelSource::Base { tokenizer, .. }) => tokenizer,
            Some(ModelSource::New(_)) | None => None,
        };
        let (model, adapter) = match (description.result, description.base) {
            (RunResult::Adapter, Some(base)) => (base, Some(result)),
            _ => (result, None),
        };
        Ok(Self {
            model,
            adapter,
            tokenizer,
        })
    }

    /// Returns `options` with which its model is opened as a generator: with its adapter, and
    /// its vocabulary unless they name another.
    pub fn options(&self, options: &GeneratorOptions) -> GeneratorOptions {
        let mut options = options.clone();
        if let Some(adapter) = &self.adapter {
            options = options.with_adapter(adapter);
        }
        options.tokenizer = options.tokenizer.or_else(|| self.tokenizer.clone());
        options
    }
}
