//! A model, with what was trained beside it, given to others: as one Hugging Face folder or
//! one GGUF file.

use std::path::{Path, PathBuf};

use contract::Bytes;
use model::ModelKind as K;
use model::decoder::{ExportOptions, GgufFormat, export_gguf};

use super::{Environment, ModelReference};
use crate::Error;
use crate::inspect::size_of;

/// How a model is to be given to others.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportRequest {
    /// The model: whole, a run, or a version of a tuned one.
    pub model: ModelReference,
    /// Further adapters that are merged into it, each with its weight.
    pub adapters: Vec<(PathBuf, f32)>,
    /// Its vocabulary, if that is not beside its weights.
    pub tokenizer: Option<PathBuf>,
    /// As what.
    pub form: ExportForm,
    /// Where to: a folder that is not there yet or empty, or a file.
    pub to: PathBuf,
}

/// As what a model is given to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// A Hugging Face folder; numbers as they are.
    Folder,
    /// A GGUF file, its numbers in this format.
    Gguf(GgufFormat),
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Where.
    pub path: PathBuf,
    /// What it takes.
    pub size: Bytes,
    /// The model that it was made of.
    pub model: PathBuf,
    /// The adapters that were merged into it.
    pub adapters: Vec<PathBuf>,
}

impl Environment {
    /// Writes a model as others read it, its adapters merged into its weights. Paths are
    /// relative to `base`.
    ///
    /// # Errors
    /// If it is not here, of a kind that cannot be written, or the place is taken.
    pub fn export(&self, request: &ExportRequest, base: &Path) -> Result<Exported, Error> {
        let tuned = self.in_files(&request.model, base)?;
        let model = tuned.model;
        let own = tuned.adapter.map(|folder| (folder, 1.0));
        let adapters: Vec<(PathBuf, f32)> = own
            .into_iter()
            .chain(request.adapters.iter().cloned())
            .collect();
        let kind = model::describe(&model)?.kind;
        let is_gguf = request.form != ExportForm::Folder;
        let is_embedder = kind == Some(K::Embedder) && adapters.is_empty();
        let is_refused = match kind {
            Some(K::Reranker | K::Classifier | K::Tagger | K::Reader) => true,
            _ => is_embedder && !is_gguf,
        };
        if let (true, Some(kind)) = (is_refused, kind) {
            return Err(Error::NotExported {
                path: model,
                kind,
                gguf: is_gguf,
            });
        }
        match request.form {
            ExportForm::Gguf(format) if is_embedder => {
                make_folder_of(&request.to)?;
                model::export_embedder(&model, format, &request.to)?;
            }
            ExportForm::Folder => {
                let adapters: Vec<(&Path, f32)> = adapters
                    .iter()
                    .map(|(folder, weight)| (folder.as_path(), *weight))
                    .collect();
                model::lora::merge(&model, &adapters, &request.to)?;
            }
            ExportForm::Gguf(format) => {
                let options = ExportOptions {
                    format,
                    tokenizer: request.tokenizer.clone().or(tuned.tokenizer),
                    adapters: adapters.clone(),
                };
                make_folder_of(&request.to)?;
                export_gguf(&model, &options, &request.to)?;
            }
        }
        Ok(Exported {
            size: Bytes(size_of(&request.to)?),
            path: request.to.clone(),
            model,
            adapters: adapters.into_iter().map(|(folder, _)| folder).collect(),
        })
    }
}

/// Makes the folder that `file` is to lie in.
fn make_folder_of(file: &Path) -> Result<(), Error> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    fs_err::create_dir_all(folder).map_err(|source| Error::Io {
        path: folder.into(),
        source,
    })
}
