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
    /// A vocabulary is not as it must be, or does not fit its model.
    #[error("{what} in `{}` is {found}, expected {expected}", path.display())]
    Vocabulary {
        /// Its file.
        path: PathBuf,
        /// What it is about: a key, a merge.
        what: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A chat template could not be read, or not be rendered.
    #[error("the chat template of `{}` failed", path.display())]
    ChatTemplate {
        /// The file it comes from.
        path: PathBuf,
        /// What it says, and where.
        source: minijinja::Error,
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
    #[error("tensor `{tensor}` in `{}` is of type {found}, expected {expected}", path.display())]
    TensorType {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The type it has.
        found: String,
        /// Those it may have.
        expected: &'static str,
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
    /// A static embedder's file is another kind of file, or damaged.
    #[error("`{}` has {found}, expected {expected}", path.display())]
    StaticFile {
        /// The file.
        path: PathBuf,
        /// What it should have.
        expected: &'static str,
        /// What it has.
        found: String,
    },
    /// The threads to compute on could not be started.
    #[error("could not start {count} threads")]
    Threads {
        /// How many.
        count: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
    /// The threads of a decoder could not be started.
    #[error("could not start {count} threads")]
    Team {
        /// How many.
        count: usize,
        /// Why not.
        source: std::io::Error,
    },
    /// A folder holds several GGUF files, and nothing says which is meant.
    #[error("`{}` has several GGUF files; name one of them: `{}`", folder.display(), found.join("`, `"))]
    SeveralGguf {
        /// The folder.
        folder: PathBuf,
        /// Their names.
        found: Vec<String>,
    },
    /// A token is none of the model's: the tokenizer is another model's.
    #[error("token {found} is not one of the {known} of `{}`: the tokenizer is of another model", model.display())]
    UnknownToken {
        /// The model's file.
        model: PathBuf,
        /// The token.
        found: u32,
        /// How many the model knows.
        known: usize,
    },
    /// A sequence is longer than its cache, or than the model can read.
    #[error("{found} tokens are more than the {room} there is room for (`{}` reads at most {context})", model.display())]
    ContextFull {
        /// The model's file.
        model: PathBuf,
        /// Tokens of the sequence so far.
        found: usize,
        /// Tokens the cache has room for.
        room: usize,
        /// Tokens the model can read.
        context: usize,
    },
    /// A batch's lengths are not those of its tokens.
    #[error(
        "the lengths of a batch's sequences make {lengths}, expected its {tokens} tokens and no empty sequence"
    )]
    BatchLengths {
        /// Tokens of the batch.
        tokens: usize,
        /// The sum of the lengths.
        lengths: usize,
    },
    /// A batch has more tokens than memory is planned for.
    #[error("the batch has {found} tokens, but memory is planned for {room}")]
    BatchTooLarge {
        /// Its tokens.
        found: usize,
        /// The most tokens.
        room: usize,
    },
    /// A sequence is longer than the model can read.
    #[error("a sequence has {found} tokens, but `{}` reads at most {context}; cut it or leave it out", model.display())]
    SequenceTooLong {
        /// The model's file.
        model: PathBuf,
        /// Tokens of the sequence.
        found: usize,
        /// Tokens the model can read.
        context: usize,
    },
    /// None of the linear parts that were named is one of the model's.
    #[error("`{}` has no linear part called {targets}; it has {known}", model.display())]
    Targets {
        /// The model's file.
        model: PathBuf,
        /// Those that were named.
        targets: String,
        /// Those it has.
        known: String,
    },
    /// A setting of training is one that can not be.
    #[error("`{setting}` is {found}, expected {expected}")]
    TrainingSetting {
        /// Its name.
        setting: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// An adapter is more than a sum with the weights.
    #[error("`{}` has bottlenecks, which no weight can hold: there is an activation in them; use it beside its model", adapter.display())]
    NotMergeable {
        /// The adapter's folder.
        adapter: PathBuf,
    },
    /// A run is too short for ranks to be divided in.
    #[error(
        "ranks are divided after the first {first} steps and before the last {last}, and the run has {steps}"
    )]
    NoStepsForRanks {
        /// Steps before.
        first: u64,
        /// Steps after.
        last: u64,
        /// The run's.
        steps: u64,
    },
    /// A cache was made by a model of another shape.
    #[error("the cache was not made by `{}`", model.display())]
    CacheOfAnother {
        /// The model's file.
        model: PathBuf,
    },
    /// An adapter was opened for another decoder than it is used with.
    #[error("the adapter `{}` was opened for `{}`, not for `{}`", adapter.display(), base.display(), model.display())]
    AdapterOfAnother {
        /// The adapter's folder.
        adapter: PathBuf,
        /// The file of the model it was opened for.
        base: PathBuf,
        /// The file of the model it is used with.
        model: PathBuf,
    },
    /// A folder that is to be written holds something.
    #[error("`{}` is not empty; name a folder that does not exist yet", folder.display())]
    FolderNotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// A tensor in an adapter is no part of a low-rank product.
    #[error("`{}` has the tensor `{tensor}`, expected only low-rank parts of linear ones (`lora_A`, `lora_B`)", path.display())]
    AdapterTensor {
        /// The adapter's weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// An adapter changes something that the model does not have.
    #[error("the adapter `{}`, trained on `{trained_on}`, does not fit `{}`: it has {found}, and the model {expected}", adapter.display(), model.display())]
    AdapterBase {
        /// The adapter's folder.
        adapter: PathBuf,
        /// What it says it was trained on.
        trained_on: String,
        /// The model's file.
        model: PathBuf,
        /// What the adapter has.
        found: String,
        /// What the model has there.
        expected: String,
    },
    /// The model's numbers have no direction: its weights are not finite, or zero.
    #[error("the model gave no vector")]
    Vector(#[from] contract::EmbeddingError),
}
