//! What can go wrong on a journey.

use std::path::PathBuf;

use contract::{DocumentId, EmbeddingError, PromiseError};
use search::derived::DerivedError;
use thiserror::Error;

use crate::generate::GenerateError;
use crate::models::{ModelKind, ModelReference, ModelUse, ResolveError};
use crate::project::ProjectError;

/// Why a journey ended early.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no project, or its configuration is not understood.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The store could not be opened, written or searched.
    #[error(transparent)]
    Search(#[from] search::SearchError),
    /// Nothing has been ingested yet.
    #[error("nothing has been ingested into `{}` yet", root.display())]
    NothingIngested {
        /// The project.
        root: PathBuf,
    },
    /// A path to ingest is not there.
    #[error(transparent)]
    Walk(#[from] corpus::WalkError),
    /// A document could not be cut into chunks.
    #[error("`{document}` could not be cut into chunks")]
    Chunk {
        /// The document.
        document: DocumentId,
        /// Why.
        #[source]
        source: corpus::ChunkError,
    },
    /// A model that is named cannot be opened.
    #[error("the model cannot be opened")]
    Model(#[from] model::ModelError),
    /// A LoRA adapter cannot be opened.
    #[error("the adapter cannot be opened")]
    Adapter {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        #[source]
        source: Box<model::ModelError>,
    },
    /// A model that is named was not found.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The cache of models or the network failed.
    #[error(transparent)]
    Remote(#[from] remote::RemoteError),
    /// A model is not in the cache.
    #[error("`{name}` is not in the cache `{}`", cache.display())]
    NotInCache {
        /// The model.
        name: remote::ModelName,
        /// The cache.
        cache: PathBuf,
    },
    /// No model is named.
    #[error("no {} is named", wanted.word())]
    NoModel {
        /// What was wanted.
        wanted: ModelUse,
    },
    /// What is to be written is there already.
    #[error("`{}` is there already and is left as it is", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A model that is to be written or compared is not one of files.
    #[error("`{model}` is no model in files")]
    NotInFiles {
        /// As it is named.
        model: Box<ModelReference>,
    },
    /// A model that was to label texts does something else.
    #[error("`{}` labels nothing: it is {}", path.display(), called(*kind))]
    LabelsNothing {
        /// Where it is.
        path: PathBuf,
        /// What it is, if that is known.
        kind: Option<ModelKind>,
    },
    /// An encoder cannot be written in another way.
    #[error("{}", match gguf {
        true => format!("`{}` is {}: of encoders, llama.cpp reads only embedders as they were taught", path.display(), called(Some(*kind))),
        false => format!("`{}` is a Hugging Face folder of an encoder already, whole: there is nothing to merge", path.display()),
    })]
    NotExported {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        kind: ModelKind,
        /// Whether as a GGUF file.
        gguf: bool,
    },
    /// A run could not be read, or its data.
    #[error(transparent)]
    Training(Box<crate::train::TrainingError>),
    /// A model on a server was to do what only one on this machine can.
    #[error("{what} cannot be given to a server")]
    ServerCannot {
        /// What it was to do.
        what: &'static str,
    },
    /// An embedder that has no product to make in 8 bits was to make it so.
    #[error("`{embedder}` cannot multiply in 8 bits: only a transformer on this machine can")]
    NotInInt8 {
        /// The embedder, as it is named.
        embedder: Box<ModelReference>,
    },
    /// A text could not be written.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A model that helps failed.
    #[error(transparent)]
    Promise(#[from] PromiseError),
    /// A vector that was given is none.
    #[error("the question's vector cannot be used")]
    Vector(#[from] EmbeddingError),
    /// The store holds vectors of a model that is not here to embed the question.
    #[error("the question has a vector, but the store holds none to compare it with")]
    NoVectors,
    /// The project keeps no router that was taught.
    #[error("there is no router: `{}` is not there", path.display())]
    NoRouter {
        /// Where it would be.
        path: PathBuf,
    },
    /// The project's router was taught with the vectors of another embedder.
    #[error(
        "the router `{}` was taught with {}",
        path.display(),
        taught.as_ref().map_or_else(|| "no embedder".to_owned(), |it| format!("the embedder `{it}`"))
    )]
    RouterEmbedder {
        /// Where it is.
        path: PathBuf,
        /// The embedder that it was taught with.
        taught: Option<String>,
    },
    /// A document asked for is not in the store, or not for this reader.
    #[error("there is no document `{document}`")]
    NoDocument {
        /// The document.
        document: DocumentId,
        /// One with nearly the same name.
        nearest: Option<String>,
    },
    /// The store's vectors are too few to say anything.
    #[error("there are {found} vectors; a comparison of indexes needs at least {needed}")]
    TooFewVectors {
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// A file of an evaluation set is not as it should be.
    #[error(transparent)]
    Trec(#[from] eval::trec::TrecError),
    /// Examples could not be read.
    #[error(transparent)]
    Data(Box<crate::data::DataError>),
    /// Answers to be judged could not be read.
    #[error(transparent)]
    Predictions(#[from] eval::PredictionsError),
    /// What is named as the judge names no model.
    #[error("the judge's name names no model")]
    JudgeName {
        /// Why.
        #[source]
        source: crate::models::ReferenceError,
    },
    /// A line of people's grades is none.
    #[error("{}:{line}: this is no grade: expected an object with `question` and `grade`, which is `correct`, `partly` or `wrong`", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Answers cannot be compared.
    #[error(transparent)]
    Compare(#[from] eval::CompareError),
    /// A file could not be read or written.
    #[error("`{}` could not be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

impl From<crate::data::DataError> for Error {
    fn from(error: crate::data::DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

impl From<crate::train::TrainingError> for Error {
    fn from(error: crate::train::TrainingError) -> Self {
        Self::Training(Box::new(error))
    }
}

impl Error {
    /// Returns the error that `document` is not there, with the nearest of the `known`.
    pub(crate) fn no_document<'a>(
        document: &DocumentId,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::NoDocument {
            document: document.clone(),
            nearest: contract::nearest(document.as_str(), known).map(str::to_owned),
        }
    }

    /// Returns what the user can do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        use search::SearchError as S;
        Some(match self {
            Self::Project(error) => return error.hint(),
            Self::Resolve(error) => return error.hint(),
            Self::Remote(error) => return error.hint(),
            Self::Training(error) => return error.hint(),
            Self::NotInCache { .. } => "`groundtune models list` shows what is there".into(),
            Self::NothingIngested { .. } | Self::Search(S::NoStore { .. }) => {
                "run `groundtune ingest` first".into()
            }
            Self::Search(S::Locked { .. }) => {
                "wait until it is done, or stop it; questions can be asked meanwhile".into()
            }
            Self::Search(S::DiskFull { .. } | S::DatabaseIo { .. }) => {
                "make room, then run the same command again: it goes on where it stopped".into()
            }
            Self::Search(S::ReadOnly { .. }) => {
                "make the folder `.groundtune` writable, or copy the project to where you may write"
                    .into()
            }
            Self::Search(S::Damaged { .. }) => {
                "move `.groundtune/store` away and run `groundtune ingest`: the documents themselves are untouched".into()
            }
            Self::Search(S::Derived(DerivedError::Io { .. })) => {
                "the documents are stored and can be asked; make room or make the folder writable, \
                 and run `groundtune ingest` again to write the index"
                    .into()
            }
            Self::Search(S::LaterLayout { .. }) => "use a newer groundtune".into(),
            Self::Search(S::OtherEmbedder { .. }) => {
                "run `groundtune ingest --rebuild` to make every vector with the same model".into()
            }
            Self::Search(S::Filter(search::FilterError::UnknownKey { nearest, .. })) => {
                match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => "`groundtune documents list` shows the keys that documents have".into(),
                }
            }
            Self::Search(S::Filter(search::FilterError::Syntax { .. })) => {
                "a filter looks like `jurisdiction = \"US\" and date >= 2024-01-01`".into()
            }
            Self::Model(error) => return model_hint(error),
            Self::Adapter { .. } => {
                "an adapter is a folder as PEFT writes it, for the very model that it is used with".into()
            }
            Self::NotExported { .. } => {
                "copy the folder: transformers and sentence-transformers read it as it is".into()
            }
            Self::LabelsNothing { kind, .. } => kind.map_or(LABELLERS, used_by).into(),
            Self::NoModel {
                wanted: ModelUse::Labeller,
            } => LABELLERS.into(),
            Self::NoModel { wanted } => format!(
                "name one with `--model`, or in `groundtune.toml`: `[models] {} = \"FOLDER\"`",
                wanted.word()
            ),
            Self::Exists { .. } => "name another place, or move it away".into(),
            Self::ServerCannot { .. } => "leave it out, or take a model on this machine".into(),
            Self::NotInInt8 { .. } => {
                "leave out `--int8` or `embedder_precision`, or name a model's folder".into()
            }
            Self::Generate(error) => return generate_hint(error),
            Self::Promise(error) => match error.source.downcast_ref::<GenerateError>() {
                Some(GenerateError::Context { .. }) => {
                    "give the model less to read: a smaller `--top-k`, or smaller chunks (`[chunk]`, then `groundtune ingest --rebuild`); or take one with a longer context".into()
                }
                Some(error) => return generate_hint(error),
                None => return None,
            },
            Self::NoRouter { .. } | Self::RouterEmbedder { .. } => {
                "teach one: `groundtune compare --candidates prompt,rag,routed`; or decide with `--route rule`".into()
            }
            Self::NoDocument { nearest, .. } => match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "`groundtune documents list` shows what there is".into(),
            },
            Self::TooFewVectors { .. } => {
                "give vectors with `--vectors FILE.npy`, or ingest documents that bring their `embedding`".into()
            }
            _ => return None,
        })
    }
}

/// How one comes to a model that labels.
const LABELLERS: &str = "a model that labels is taught by `groundtune train` with `objective.kind = \"classify\"` or `\"tag\"`, or is a BERT or RoBERTa with such a head";

/// Returns what a kind of model is called.
fn called(kind: Option<ModelKind>) -> &'static str {
    match kind {
        Some(ModelKind::Embedder) => "an embedder",
        Some(ModelKind::Reranker) => "a reranker",
        Some(ModelKind::Classifier) => "a classifier",
        Some(ModelKind::Tagger) => "a tagger",
        Some(ModelKind::Reader) => "a reader, which finds answers",
        Some(ModelKind::Decoder) => "a model that writes",
        Some(ModelKind::Adapter) => "an adapter of another model",
        None => "of no kind that is known",
    }
}

/// Returns which command uses a model of this kind.
fn used_by(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Embedder => "`groundtune embed --model` makes vectors with it",
        ModelKind::Reranker => "`groundtune rerank --model` orders passages with it",
        ModelKind::Classifier | ModelKind::Tagger => {
            "`groundtune label --model` labels texts with it"
        }
        ModelKind::Reader => "`groundtune ask --model` answers questions with it",
        ModelKind::Decoder | ModelKind::Adapter => "`groundtune generate --model` writes with it",
    }
}

/// Returns what to do about a model that cannot be opened.
fn model_hint(error: &model::ModelError) -> Option<String> {
    use model::ModelError as M;
    Some(match error {
        M::FileMissing { hint: Some(_), .. } => return None,
        M::FileMissing { .. } | M::Io(_) => {
            "what `--model` or `[models]` names is a folder with `config.json`, `tokenizer.json` and `model.safetensors`, or a `.gguf` file; `groundtune models pull` also gets what is missing of a model that was pulled before".into()
        }
        M::TensorMissing { tensor, .. } if tensor.starts_with("classifier.") || tensor.starts_with("cls.") => {
            "a reranker is a cross-encoder, which has such a layer (`cross-encoder/ms-marco-MiniLM-L-6-v2`); an embedder has none".into()
        }
        M::Setting { key: "model_type", path, .. } => {
            let described = path.parent().and_then(|it| model::describe(it).ok());
            match described.and_then(|it| it.kind) {
                Some(kind) => used_by(kind).into(),
                None => "`groundtune models show` says what kind of model it is".into(),
            }
        }
        M::CutShort { .. } => "copy the file again, or get it again with `groundtune models pull`".into(),
        _ => return None,
    })
}

/// Returns what to do about a text that could not be written.
fn generate_hint(error: &GenerateError) -> Option<String> {
    use GenerateError as G;
    Some(match error {
        G::Context { .. } => "shorten the prompt, or take a model with a longer context".into(),
        G::Empty => "give it a few words to begin with".into(),
        G::NoTemplate => {
            "`groundtune generate` goes on with a text; for a conversation take a model that was made for one (its name often ends in `instruct` or `chat`)".into()
        }
        G::Adapter { .. } => "name it with `--adapter`".into(),
        _ => return None,
    })
}
