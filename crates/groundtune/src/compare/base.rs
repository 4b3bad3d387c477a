//! What all candidates begin with, and what it becomes when it is taught.

use std::path::{Path, PathBuf};

use contract::{Evidence, Generate, Template, render};
use eval::{Gold, Prediction};
use model::ModelKind;
use serde::{Deserialize, Serialize};

use super::answer::Contestant;
use super::encoder::{Encoder, Examples, TaughtEncoder};
use super::evidence::{Documents, FoundFor};
use super::labels::Labels;
use super::leaks::Leaks;
use super::names::Names;
use super::served::Served;
use super::spans::Spans;
use super::{AnswerKind, Arm, CompareError, CompareRecipe, Examination, Taught};
use crate::models::{
    Environment, ModelPlace, ModelReference, ModelUse, is_static_table, open_embedder,
    open_generator,
};
use crate::{Error, Project};

/// How questions are answered: it follows from the model, and from what is right to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A model writes the answer. What is found for a question are passages of the documents.
    #[default]
    Write,
    /// An encoder says which label a text has. What is found for it are the nearest labelled
    /// examples.
    Label,
    /// An encoder says which words of a text are names, and of what. What is found for it are
    /// the nearest labelled examples.
    Tag,
    /// An encoder finds the answer in a text, word for word. What is found for a question are
    /// passages of the documents.
    Find,
}

impl Task {
    /// Returns what one thing is called that is found for a question.
    pub fn found(self) -> &'static str {
        match self {
            Self::Write | Self::Find => "passage",
            Self::Label | Self::Tag => "neighbour",
        }
    }

    /// Returns whether what is found stands in the documents, and not among the examples.
    pub fn is_of_documents(self) -> bool {
        matches!(self, Self::Write | Self::Find)
    }
}

/// Answers the questions of an examination, one after another.
pub(super) trait Answers {
    /// Answers `asked` from `evidence`, which took `finding` seconds to find. What fails has its
    /// error among the predictions: the others are asked on.
    fn answer(&self, asked: &Gold, evidence: &[Evidence], finding: f64) -> Prediction;
}

/// What all candidates begin with.
pub(super) enum Base {
    /// A model that writes.
    Writer(Served),
    /// An encoder, with the examples that its candidates look at.
    Encoder(Box<dyn Encoder>),
}

/// Finds what is shown with a question.
pub(super) enum Finder<'a> {
    /// Passages of the documents.
    Documents(Box<Documents<'a>>),
    /// Labelled examples.
    Examples(&'a dyn Examples),
}

impl Finder<'_> {
    /// Finds it.
    ///
    /// # Errors
    /// If the documents cannot be searched, or the encoder cannot read the question.
    pub(super) fn find(&mut self, asked: &Gold) -> Result<FoundFor, Error> {
        match self {
            Self::Documents(documents) => documents.find(asked),
            Self::Examples(examples) => examples.neighbours().find(asked),
        }
    }
}

/// What a candidate has become by being taught.
pub(super) enum Tuned {
    /// A model that writes.
    Writer(Box<dyn Generate>),
    /// An encoder with a head.
    Encoder(Box<TaughtEncoder>),
}

impl Base {
    /// Opens the model that `reference` names, for what the examination asks.
    ///
    /// # Errors
    /// If it is not there or cannot be opened, or cannot answer so.
    pub(super) fn open(
        reference: &ModelReference,
        examination: &Examination,
        recipe: &CompareRecipe,
        project: &Project,
        environment: &Environment,
    ) -> Result<Self, CompareError> {
        let root = &project.root;
        let place = environment.resolve(reference, ModelUse::Generator, root)?;
        let folder = match &place {
            ModelPlace::Local(path) if is_encoder(path)? => path,
            _ => {
                let generator = open_generator(reference, root, environment)?;
                let generator = generator.ok_or(CompareError::NoBase)?;
                return Ok(Self::Writer(Served::new(generator)));
            }
        };
        let kind = examination.kind();
        let spans = examination.has_spans();
        if !spans && !matches!(kind, AnswerKind::Label | AnswerKind::Tags) {
            return Err(CompareError::NotForEncoders {
                model: reference.to_string(),
            });
        }
        let precision = project.config.models.embedder_precision;
        let embedder = open_embedder(reference, precision, root, environment)?;
        let embedder = embedder.ok_or(CompareError::NoBase)?.into();
        let (train, dev) = (&examination.train, &examination.dev);
        let shots = recipe.shots;
        Ok(Self::Encoder(match kind {
            AnswerKind::Tags => Box::new(Names::new(embedder, folder, train, dev, shots)?),
            AnswerKind::Label => Box::new(Labels::new(embedder, folder, train, shots)?),
            _ => Box::new(Spans::new(embedder, folder)?),
        }))
    }

    /// Opens what a candidate has become by being taught.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(super) fn tuned(
        &self,
        taught: &Taught,
        root: &Path,
        environment: &Environment,
    ) -> Result<Tuned, CompareError> {
        let run = ModelReference::Named(taught.run.to_string_lossy().into_owned());
        match self {
            Self::Writer(_) => {
                let generator = open_generator(&run, root, environment)?;
                Ok(Tuned::Writer(generator.ok_or(CompareError::NoBase)?))
            }
            Self::Encoder(encoder) => {
                let model = folder_of(&run, root, environment)?;
                let part = taught.neighbours.unwrap_or(0.0);
                let opened = TaughtEncoder::open(encoder.task(), &model, part)?;
                Ok(Tuned::Encoder(Box::new(opened)))
            }
        }
    }

    /// Returns `arm` with what it became by being taught, ready to be asked.
    pub(super) fn contestant<'c>(
        &'c self,
        arm: Arm,
        tuned: Option<&'c Tuned>,
        recipe: &'c CompareRecipe,
        shots: &'c [Gold],
    ) -> Box<dyn Answers + 'c> {
        match (self, tuned) {
            (Self::Encoder(encoder), Some(Tuned::Encoder(taught))) => {
                encoder.contestant(arm, Some(taught))
            }
            (Self::Encoder(encoder), _) => encoder.contestant(arm, None),
            (Self::Writer(served), tuned) => Box::new(Contestant {
                arm,
                generator: match tuned {
                    Some(Tuned::Writer(generator)) => &**generator,
                    Some(Tuned::Encoder(_)) | None => served,
                },
                recipe,
                shots,
            }),
        }
    }

    /// Returns what finds evidence: in the documents of `searched` but what `leaks` names, or
    /// among the examples.
    ///
    /// # Errors
    /// If the documents cannot be opened.
    pub(super) fn finder<'f>(
        &'f self,
        searched: &Project,
        environment: &Environment,
        leaks: &'f Leaks,
    ) -> Result<Finder<'f>, Error> {
        Ok(match self.examples() {
            Some(examples) => Finder::Examples(examples),
            None => {
                let documents = Documents::open(searched, environment, leaks)?;
                Finder::Documents(Box::new(documents))
            }
        })
    }

    /// Returns the labelled examples of which the nearest are found for a question. Nothing,
    /// where what is found are passages of the documents.
    pub(super) fn examples(&self) -> Option<&dyn Examples> {
        match self {
            Self::Writer(_) => None,
            Self::Encoder(encoder) => encoder.examples(),
        }
    }

    /// Returns why a model on a server does not answer any more, if so.
    pub(super) fn gone(&self) -> Option<String> {
        match self {
            Self::Writer(served) => served.gone(),
            Self::Encoder(_) => None,
        }
    }

    /// Returns the model, where it writes.
    pub(super) fn writer(&self) -> Option<&dyn Generate> {
        match self {
            Self::Writer(served) => Some(served),
            Self::Encoder(_) => None,
        }
    }

    /// Returns the tokens that a model that writes can look back on, if that is known.
    pub(super) fn context(&self) -> Result<Option<usize>, Error> {
        let Some(generator) = self.writer() else {
            return Ok(None);
        };
        let room = generator.room(&render(Template::default(), "", &[]))?;
        Ok(room.and_then(|it| usize::try_from(it.context.0).ok()))
    }

    pub(super) fn task(&self) -> Task {
        match self {
            Self::Writer(_) => Task::Write,
            Self::Encoder(encoder) => encoder.task(),
        }
    }
}

/// Returns where an encoder lies.
///
/// # Errors
/// If it is not there.
pub(super) fn folder_of(
    reference: &ModelReference,
    root: &Path,
    environment: &Environment,
) -> Result<PathBuf, CompareError> {
    match environment.resolve(reference, ModelUse::Generator, root)? {
        ModelPlace::Local(model) => Ok(model),
        _ => Err(CompareError::NoBase),
    }
}

/// Returns whether a model in files makes vectors, or is one that was made of such a model.
fn is_encoder(path: &Path) -> Result<bool, Error> {
    if is_static_table(path) {
        return Ok(true);
    }
    Ok(match model::describe(path)?.kind {
        Some(ModelKind::Decoder | ModelKind::Adapter) | None => false,
        Some(
            ModelKind::Embedder
            | ModelKind::Reranker
            | ModelKind::Classifier
            | ModelKind::Tagger
            | ModelKind::Reader,
        ) => true,
    })
}
