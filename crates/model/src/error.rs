//! Why a model could not be opened or run.

use std::error::Error;
use std::path::PathBuf;

use thiserror::Error as ThisError;

/// What is wrong with a model's folder, or with what it was given.
#[derive(Debug, ThisError)]
pub enum ModelError {
    /// A file could not be read; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A file that the model needs is not in its folder.
    #[error("`{}` has no `{file}`{}", folder.display(), hint.map(|it| format!("; {it}")).unwrap_or_default())]
    FileMissing {
        /// The model's folder.
        folder: PathBuf,
        /// The file's name.
        file: &'static str,
        /// What to do about it.
        hint: Option<&'static str>,
    },
    /// A file is not the JSON that it should be.
    #[error("`{}` is not as expected", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A setting has a value that the model cannot have, or that is not known here.
    #[error("`{key}` in `{}` is {found}, expected {expected}", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Something in a GGUF file is not as it must be.
    #[error("{what} in `{}` is {found}, expected {expected}", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What it is about: a key, a tensor.
        what: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The tokenizer could not be read or refused a text.
    #[error("the tokenizer `{}` failed", path.display())]
    Tokenizer {
        /// Its file.
        path: PathBuf,
        /// What it says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The tokenizer gives a token that the model has no vector for.
    #[error("`{}` gives token {found}, but the model knows {known}", path.display())]
    Token {
        /// The tokenizer's file.
        path: PathBuf,
        /// The token's number.
        found: u32,
        /// How many the model knows.
        known: usize,
    },
    /// A weights file ends before its contents do.
    #[error("`{}` has {found} bytes, expected {expected}: it is cut short or damaged", path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
        /// How many bytes there should be at least.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A shard's name leads out of the model's folder.
    #[error("`{}` names the file `{found}`, expected one beside it", path.display())]
    ShardName {
        /// The index.
        path: PathBuf,
        /// The name.
        found: String,
    },
    /// A tensor is not in the weights.
    #[error("`{}` has no tensor `{tensor}`", path.display())]
    TensorMissing {
        /// The weights file, index or folder.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor `{tensor}` in `{}` has shape {found:?}, expected {expected:?}", path.display())]
    TensorShape {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape that the configuration gives it.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A tensor's numbers are of a kind that is not read.
    #[error("tensor `{tensor}` in `{}` is of type {found}, expected F32, F16 or BF16", path.display())]
    TensorType {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The type it has.
        found: String,
    },
    /// A tensor's place in the file does not fit its shape.
    #[error("tensor `{tensor}` in `{}` has {found} bytes, expected {expected}", path.display())]
    TensorLength {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The bytes its shape and type take.
        expected: u64,
        /// The bytes it has.
        found: u64,
    },
    /// The threads to compute on could not be started.
    #[error("could not start {count} threads")]
    Threads {
        /// How many.
        count: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
    /// The model's numbers have no direction: its weights are not finite, or zero.
    #[error("the model gave no vector")]
    Vector(#[from] contract::EmbeddingError),
}
