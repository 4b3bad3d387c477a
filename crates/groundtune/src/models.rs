//! The models that the configuration or a command names: which is meant
//! ([`ModelReference`]), where it is ([`Environment::resolve`]), and opened to help.

mod catalogue;
mod compare;
mod environment;
mod export;
mod reference;
mod resolve;
mod versions;

use std::path::Path;

use contract::{Embed, Generate, Rerank};
use model::generator::{Generator, GeneratorOptions};
use model::{
    CrossEncoder, CrossEncoderOptions, Embedder, EmbedderOptions, HeadOptions, LongText, Reader,
    ReaderOptions, StaticEmbedder,
};
use remote::{Chat, Prefixes, RemoteEmbedder, RemoteReranker};

use crate::train::Tuned;
use crate::{Error, Project};

pub use catalogue::ModelListing;
pub use compare::{
    Beside, ComparedExamples, ComparedModel, ComparedRun, Comparison, ExampleLoss,
    PairedDifference, RecipeDifference,
};
pub(crate) use compare::{LONGEST, of_texts, paired, run_at};
pub use environment::Environment;
pub use export::{ExportForm, ExportRequest, Exported};
pub use model::decoder::GgufFormat;
pub use model::{
    Classifier, Entity, ModelDescription, ModelKind, Precision, TokenClassifier, tagged_spans,
};
pub use reference::{ModelReference, ModelServer, ReferenceError};
pub use remote::{
    Cache, HUGGING_FACE, Hub, ModelName, ModelNameError, NetworkOptions, PYPI, PackageIndex,
    PullEvent, RemoteError, Secret, Snapshot, Sources,
};
pub use resolve::{ModelPlace, ResolveError};
pub use versions::{
    How, TagMove, Tagged, TunedModel, TunedModels, Version, VersionError, VersionName, Which,
};

/// What a model is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelUse {
    /// To make vectors.
    Embedder,
    /// To judge what was found.
    Reranker,
    /// To write.
    Generator,
    /// To label texts or their words.
    Labeller,
}

impl ModelUse {
    /// Returns its word: the key of `[models]` that names such a model, if it is named there.
    pub fn word(self) -> &'static str {
        match self {
            Self::Embedder => "embedder",
            Self::Reranker => "reranker",
            Self::Generator => "generator",
            Self::Labeller => "classifier or tagger",
        }
    }
}

/// Opens the model that makes vectors which `reference` names, if it names one. Paths
/// are relative to `base`.
///
/// # Errors
/// If it is not there, damaged, or of a kind that is not known, or is to multiply in 8
/// bits and is not a transformer on this machine.
pub fn open_embedder(
    reference: &ModelReference,
    precision: Precision,
    base: &Path,
    environment: &Environment,
) -> Result<Option<Box<dyn Embed>>, Error> {
    let place = environment.resolve(reference, ModelUse::Embedder, base)?;
    let transformer = match &place {
        ModelPlace::Nowhere => true,
        ModelPlace::Local(path) => !is_static_table(path),
        ModelPlace::Tuned(_) => true,
        ModelPlace::BuiltIn | ModelPlace::Server(_) => false,
    };
    if precision == Precision::Int8 && !transformer {
        return Err(Error::NotInInt8 {
            embedder: Box::new(reference.clone()),
        });
    }
    Ok(match place {
        ModelPlace::Nowhere => None,
        ModelPlace::BuiltIn => Some(Box::new(StaticEmbedder::built_in())),
        ModelPlace::Local(path) if is_static_table(&path) => {
            Some(Box::new(StaticEmbedder::open(&path)?))
        }
        ModelPlace::Local(path) | ModelPlace::Tuned(Tuned { model: path, .. }) => {
            // No part of a document is to be out of reach.
            let options = EmbedderOptions {
                long: LongText::Windows,
                precision,
                ..EmbedderOptions::default()
            };
            let embedder = Embedder::open(&path, &options)?;
            Some(Box::new(embedder))
        }
        ModelPlace::Server(server) => {
            let options = environment.server_options(&server)?;
            let prefixes = Prefixes {
                question: server.question_prefix,
                passage: server.passage_prefix,
            };
            Some(Box::new(RemoteEmbedder::open(options, prefixes)?))
        }
    })
}

/// Returns whether `path` is a table of `groundtune distill`: one file, as a transformer
/// is only as `.gguf`.
pub(crate) fn is_static_table(path: &Path) -> bool {
    let is_gguf = |name: &std::ffi::OsStr| name.eq_ignore_ascii_case("gguf");
    path.is_file() && !path.extension().is_some_and(is_gguf)
}

/// Opens the cross-encoder that `reference` names, if it names one. Paths are relative to
/// `base`.
///
/// # Errors
/// If it is not there, damaged, or of a kind that is not known.
pub fn open_reranker(
    reference: &ModelReference,
    base: &Path,
    environment: &Environment,
) -> Result<Option<Box<dyn Rerank>>, Error> {
    Ok(
        match environment.resolve(reference, ModelUse::Reranker, base)? {
            ModelPlace::Nowhere | ModelPlace::BuiltIn => None,
            ModelPlace::Local(path) | ModelPlace::Tuned(Tuned { model: path, .. }) => {
                let reranker = CrossEncoder::open(&path, &CrossEncoderOptions::default())?;
                Some(Box::new(reranker))
            }
            ModelPlace::Server(server) => {
                let options = environment.server_options(&server)?;
                Some(Box::new(RemoteReranker::new(options)?))
            }
        },
    )
}

/// Opens the model that writes which `reference` names, if it names one. Paths are
/// relative to `base`.
///
/// # Errors
/// If it is not there, damaged, or of a kind that is not known.
pub fn open_generator(
    reference: &ModelReference,
    base: &Path,
    environment: &Environment,
) -> Result<Option<Box<dyn Generate>>, Error> {
    Ok(
        match environment.resolve(reference, ModelUse::Generator, base)? {
            ModelPlace::Nowhere => None,
            ModelPlace::BuiltIn => {
                let options = GeneratorOptions::default();
                Some(Box::new(Generator::built_in(&options)?))
            }
            ModelPlace::Local(path) => {
                let options = GeneratorOptions::default();
                Some(Box::new(Generator::open(&path, &options)?))
            }
            ModelPlace::Tuned(tuned) => {
                let options = tuned.options(&GeneratorOptions::default());
                Some(Box::new(Generator::open(&tuned.model, &options)?))
            }
            ModelPlace::Server(server) => {
                let options = environment.server_options(&server)?;
                Some(Box::new(Chat::new(options)?))
            }
        },
    )
}

/// A model that answers from evidence.
pub enum Answerer {
    /// It writes the answer.
    Writes(Box<dyn Generate>),
    /// It finds the answer in the evidence, word for word.
    Finds(Box<Reader>),
}

/// Opens the model that answers which `reference` names, if it names one: one that writes,
/// or an encoder that was taught to find answers. A run's folder is the model that it made.
/// Paths are relative to `base`.
///
/// # Errors
/// If it is not there, damaged, or of a kind that is not known.
pub fn open_answerer(
    reference: &ModelReference,
    base: &Path,
    environment: &Environment,
) -> Result<Option<Answerer>, Error> {
    if let ModelPlace::Local(path) = environment.resolve(reference, ModelUse::Generator, base)?
        && model::describe(&path)?.kind == Some(ModelKind::Reader)
    {
        let reader = Reader::open(&path, &ReaderOptions::default())?;
        return Ok(Some(Answerer::Finds(Box::new(reader))));
    }
    Ok(open_generator(reference, base, environment)?.map(Answerer::Writes))
}

/// A model that labels.
pub enum Labeller {
    /// It says which labels a text has.
    Texts(Box<Classifier>),
    /// It says which tag each word has.
    Words(Box<TokenClassifier>),
}

/// Opens the model that labels which `reference` names. Paths are relative to `base`.
///
/// # Errors
/// If none is named, or it is not there, damaged, or of a kind that does not label.
pub fn open_labeller(
    reference: &ModelReference,
    base: &Path,
    environment: &Environment,
) -> Result<Labeller, Error> {
    let wanted = ModelUse::Labeller;
    let path = match environment.resolve(reference, wanted, base)? {
        ModelPlace::Local(path) | ModelPlace::Tuned(Tuned { model: path, .. }) => path,
        ModelPlace::Nowhere => return Err(Error::NoModel { wanted }),
        ModelPlace::BuiltIn | ModelPlace::Server(_) => {
            return Err(Error::NotInFiles {
                model: Box::new(reference.clone()),
            });
        }
    };
    let options = HeadOptions::default();
    match model::describe(&path)?.kind {
        Some(ModelKind::Classifier) => {
            let classifier = Classifier::open(&path, &options)?;
            Ok(Labeller::Texts(Box::new(classifier)))
        }
        Some(ModelKind::Tagger) => {
            let tagger = TokenClassifier::open(&path, &options)?;
            Ok(Labeller::Words(Box::new(tagger)))
        }
        kind => Err(Error::LabelsNothing { path, kind }),
    }
}

impl Project {
    /// Opens the model that makes vectors, if the configuration names one.
    ///
    /// # Errors
    /// As [`open_embedder`].
    pub fn open_embedder(
        &self,
        environment: &Environment,
    ) -> Result<Option<Box<dyn Embed>>, Error> {
        let models = &self.config.models;
        open_embedder(
            &models.embedder,
            models.embedder_precision,
            &self.root,
            &self.surroundings(environment),
        )
    }

    /// Opens the cross-encoder that judges what was found, if the configuration names one.
    ///
    /// # Errors
    /// As [`open_reranker`].
    pub fn open_reranker(
        &self,
        environment: &Environment,
    ) -> Result<Option<Box<dyn Rerank>>, Error> {
        let environment = self.surroundings(environment);
        open_reranker(&self.config.models.reranker, &self.root, &environment)
    }

    /// Opens the model that answers, if the configuration names one.
    ///
    /// # Errors
    /// As [`open_answerer`].
    pub fn open_answerer(&self, environment: &Environment) -> Result<Option<Answerer>, Error> {
        let environment = self.surroundings(environment);
        open_answerer(&self.config.models.generator, &self.root, &environment)
    }

    /// Returns the environment with this project's tuned models, unless it has others.
    pub(crate) fn surroundings(&self, environment: &Environment) -> Environment {
        match environment.tuned {
            Some(_) => environment.clone(),
            None => environment
                .clone()
                .with_tuned(TunedModels::of_project(self)),
        }
    }
}
