//! An encoder that makes vectors of texts.

use std::num::NonZeroUsize;
use std::path::Path;

use contract::{Embed, EmbedderId, Embedding, PromiseError, TextRole};
use tensor::{Kernels, Pooling, normalize};

use crate::ModelError;
use crate::bert::Bert;
use crate::config::EncoderConfig;
use crate::folder::Folder;
use crate::runner::Runner;
use crate::sentence::Sentence;
use crate::tokens::Tokenizer;
use crate::weights::Weights;

/// How an embedder is opened. What is not said is as the folder says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedderOptions {
    /// Threads of its own; without, the caller's pool.
    pub threads: Option<NonZeroUsize>,
    /// What stands before a question, where the folder does not say what its model was
    /// trained with: `query: ` for E5.
    pub question_prefix: Option<String>,
    /// What stands before a passage.
    pub passage_prefix: Option<String>,
    /// Tokens of a text that are read, special ones included.
    pub longest: Option<usize>,
}

/// An embedder from a Hugging Face folder.
///
/// Follows what sentence-transformers makes of the same folder: pooling, length and
/// prefixes. A text longer than the model reads is cut at its end.
pub struct Embedder {
    identity: EmbedderId,
    runner: Runner,
    tokenizer: Tokenizer,
    sentence: Sentence,
}

impl Embedder {
    /// Opens the model in `folder`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known.
    pub fn open(folder: &Path, options: &EmbedderOptions) -> Result<Self, ModelError> {
        let mut folder = Folder::new(folder);
        let config = EncoderConfig::read(&mut folder)?;
        let mut sentence = Sentence::read(&mut folder)?;
        if let Some(prefix) = &options.question_prefix {
            sentence.question_prefix.clone_from(prefix);
        }
        if let Some(prefix) = &options.passage_prefix {
            sentence.passage_prefix.clone_from(prefix);
        }
        let longest = match options.longest {
            Some(longest) => longest,
            None => sentence.longest.unwrap_or(usize::MAX).min(config.longest()),
        };
        let weights = Weights::open(folder.path())?;
        let bert = Bert::load(config, &weights, Kernels::best())?;
        let tokenizer = Tokenizer::open(&mut folder, &bert, longest)?;
        weights.files().for_each(|file| folder.add(file));
        folder.add(sentence.question_prefix.as_bytes());
        folder.add(sentence.passage_prefix.as_bytes());
        folder.add(&longest.to_le_bytes());
        Ok(Self {
            identity: EmbedderId {
                name: folder.identity(),
                dimensions: bert.config().width,
            },
            runner: Runner::new(bert, options.threads)?,
            tokenizer,
            sentence,
        })
    }

    /// Returns the pooled vectors of `texts`, of unit length, with nothing put before
    /// them.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn vectors(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.prefixed("", texts)
    }

    /// Returns how texts are pooled.
    pub fn pooling(&self) -> Pooling {
        self.sentence.pooling
    }

    fn prefixed(&self, prefix: &str, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let bert = self.runner.bert();
        self.runner.run(
            texts.len(),
            |text| {
                let text = format!("{prefix}{}", texts[text]);
                let text = text.trim();
                if self.sentence.lower_case {
                    self.tokenizer.text(&text.to_lowercase())
                } else {
                    self.tokenizer.text(text)
                }
            },
            |hidden| {
                let mut vector = vec![0.0; bert.config().width];
                bert.kernels()
                    .pool(self.sentence.pooling, hidden, &mut vector);
                normalize(&mut vector);
                vector
            },
        )
    }
}

impl Embed for Embedder {
    fn identity(&self) -> &EmbedderId {
        &self.identity
    }

    fn embed(&self, texts: &[&str], role: TextRole) -> Result<Vec<Embedding>, PromiseError> {
        let prefix = match role {
            TextRole::Question => &self.sentence.question_prefix,
            TextRole::Passage => &self.sentence.passage_prefix,
        };
        let embeddings = |vectors: Vec<Vec<f32>>| {
            vectors
                .into_iter()
                .map(|vector| Ok(Embedding::new(self.identity.clone(), vector)?))
                .collect::<Result<_, ModelError>>()
        };
        self.prefixed(prefix, texts)
            .and_then(embeddings)
            .map_err(|error| PromiseError {
                who: self.identity.name.clone(),
                source: Box::new(error),
            })
    }
}
