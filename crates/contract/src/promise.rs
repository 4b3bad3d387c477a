//! What the parts promise each other: four traits, and the one error they fail with.

use std::error::Error;
use std::ops::ControlFlow;

use thiserror::Error as ThisError;

use crate::{Answer, EmbedderId, Embedding, Prompt, Reader, Share, Tokens};

/// Turns texts into vectors.
pub trait Embed: Send + Sync {
    /// Returns who makes the vectors. It does not change while the embedder lives.
    fn identity(&self) -> &EmbedderId;

    /// Returns one embedding for each of `texts`, in their order.
    ///
    /// `role` tells models that embed a question otherwise than a passage.
    /// No texts give no embeddings. A text longer than the model reads is not an
    /// error: the model decides how it is shortened.
    fn embed(&self, texts: &[&str], role: TextRole) -> Result<Vec<Embedding>, PromiseError>;
}

/// What a text is to the embedder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRole {
    /// A question that looks for passages.
    Question,
    /// A passage to be found.
    Passage,
}

/// Judges how well passages answer a question, reading both together.
pub trait Rerank: Send + Sync {
    /// Returns the name of the model that judges.
    fn name(&self) -> &str;

    /// Returns one score for each of `passages`, in their order. Scores are already
    /// normalised to 0–1 (a cross-encoder's logit through the logistic function), so
    /// that they can be mixed with similarities.
    fn rerank(&self, question: &str, passages: &[&str]) -> Result<Vec<Share>, PromiseError>;
}

/// Continues a prompt.
pub trait Generate: Send + Sync {
    /// Returns the name of the model that writes.
    fn name(&self) -> &str;

    /// Returns what `prompt` takes of the tokens that the model can look back on, if that
    /// is known: a model on a server does not tell.
    fn room(&self, prompt: &Prompt) -> Result<Option<Room>, PromiseError> {
        let _ = prompt;
        Ok(None)
    }

    /// Writes at most `max_tokens` after `prompt`, giving each piece of text to
    /// `sink` as it is written. Stops early, without error, when the sink breaks.
    fn generate(
        &self,
        prompt: &Prompt,
        max_tokens: Tokens,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, PromiseError>;
}

/// What a prompt takes of the tokens that a model can look back on. What it writes has
/// to fit there too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The prompt's tokens, with those that the model puts around it.
    pub prompt: Tokens,
    /// All that the model can look back on.
    pub context: Tokens,
}

/// What a generator wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The whole text.
    pub text: String,
    /// Tokens read.
    pub prompt_tokens: Tokens,
    /// Tokens written.
    pub completion_tokens: Tokens,
}

/// Answers questions; how, nobody asks.
pub trait Candidate: Send + Sync {
    /// Returns the name under which it is compared.
    fn name(&self) -> &str;

    /// Answers `question` as `reader` may have it answered.
    fn answer(&self, question: &str, reader: &Reader) -> Result<Answer, PromiseError>;
}

/// A promise that could not be kept: who could not, and why.
#[derive(Debug, ThisError)]
#[error("{who} failed")]
pub struct PromiseError {
    /// The model or candidate that failed.
    pub who: String,
    /// What stopped it.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}
