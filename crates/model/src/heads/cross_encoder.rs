//! An encoder that reads a question and a passage together and says how well the one
//! answers the other.

use std::num::NonZeroUsize;
use std::path::Path;

use super::Opened;
use super::sequence::SequenceHead;
use crate::ModelError;
use crate::runner::Runner;
use crate::tokens::EncoderTokenizer;
use contract::{PromiseError, Rerank, Share};

/// How a cross-encoder is opened. What is not said is as the folder says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrossEncoderOptions {
    /// Threads of its own; without, the caller's pool.
    pub threads: Option<NonZeroUsize>,
    /// Tokens of question and passage together that are read, special ones included.
    pub longest: Option<usize>,
}

/// A cross-encoder from a Hugging Face folder or a GGUF file: a sequence classifier of one label, as
/// sentence-transformers' `CrossEncoder` takes them.
///
/// A pair longer than the model reads is cut at the end of its longer text.
pub struct CrossEncoder {
    name: String,
    runner: Runner,
    tokenizer: EncoderTokenizer,
    head: SequenceHead,
}

impl CrossEncoder {
    /// Opens the model at `path`: a Hugging Face folder, or a GGUF file with a classifier.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known; a
    /// classifier with several labels is met by its tensor's shape.
    pub fn open(path: &Path, options: &CrossEncoderOptions) -> Result<Self, ModelError> {
        let opened = Opened::open(path, options.longest)?;
        Ok(Self {
            head: SequenceHead::load(&opened, 1)?,
            name: opened.name.clone(),
            runner: Runner::new(opened.bert, options.threads)?,
            tokenizer: opened.tokenizer,
        })
    }

    /// Returns the logit of each of `passages` with `question`: the larger, the better,
    /// without bounds.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn logits(&self, question: &str, passages: &[&str]) -> Result<Vec<f32>, ModelError> {
        self.runner.run(
            passages.len(),
            |passage| {
                self.tokenizer
                    .pair(question.trim(), passages[passage].trim())
            },
            |hidden| self.head.logits(hidden)[0],
        )
    }
}

impl Rerank for CrossEncoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn rerank(&self, question: &str, passages: &[&str]) -> Result<Vec<Share>, PromiseError> {
        let logits = self
            .logits(question, passages)
            .map_err(|error| PromiseError {
                who: self.name.clone(),
                source: Box::new(error),
            })?;
        Ok(logits
            .into_iter()
            .map(|logit| Share::clamped(1.0 / (1.0 + (-f64::from(logit)).exp())))
            .collect())
    }
}
