//! An encoder that makes vectors of texts.

use std::num::NonZeroUsize;
use std::path::Path;

use contract::{Embed, EmbedderId, Embedding, PromiseError, TextRole};
use tensor::{Pooling, normalize};

use crate::ModelError;
use crate::bert::Precision;
use crate::encoder_files::EncoderFiles;
use crate::runner::Runner;
use crate::sentence::Sentence;
use crate::tokens::{EncoderTokenizer, Tokens};

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
    /// Tokens of a text that are read at once, special ones included.
    pub longest: Option<usize>,
    /// What is done with a text that is longer.
    pub long: LongText,
    /// In what the model multiplies.
    pub precision: Precision,
    /// How tokens become a text's vector, whatever the folder says: an encoder that was taught
    /// something else says no more how it was pooled ([`Embedder::pooling`]).
    pub pooling: Option<Pooling>,
}

/// What is done with a text that is longer than the model reads at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongText {
    /// It is cut at its end, as sentence-transformers does: its vectors are the same.
    #[default]
    Cut,
    /// It is read in windows that overlap by an eighth, and its vector is the mean of
    /// theirs, weighted by their tokens: no part of it is left out.
    Windows,
}

/// An embedder from a Hugging Face folder or a GGUF file.
///
/// Follows what sentence-transformers makes of the same folder: pooling, length and
/// prefixes; where the folder names no prefixes, those that E5, BGE and mxbai were
/// trained with. A GGUF file says how to pool, and is called by its own name. What is done with a long text is for [`EmbedderOptions::long`] to say.
pub struct Embedder {
    identity: EmbedderId,
    runner: Runner,
    tokenizer: EncoderTokenizer,
    sentence: Sentence,
    long: LongText,
}

impl Embedder {
    /// Opens the model at `path`: a Hugging Face folder, or a GGUF file.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known.
    pub fn open(path: &Path, options: &EmbedderOptions) -> Result<Self, ModelError> {
        let mut files = EncoderFiles::open(path)?;
        let mut sentence = files.sentence()?;
        if let Some(prefix) = &options.question_prefix {
            sentence.question_prefix.clone_from(prefix);
        }
        if let Some(prefix) = &options.passage_prefix {
            sentence.passage_prefix.clone_from(prefix);
        }
        let as_named = sentence.pooling;
        sentence.pooling = options.pooling.unwrap_or(as_named);
        let longest = match options.longest {
            Some(longest) => longest,
            None => sentence
                .longest
                .unwrap_or(usize::MAX)
                .min(files.config.longest()),
        };
        let bert = files.bert(options.precision)?;
        let tokenizer = files.tokenizer(longest)?;
        let (mut folder, _) = files.into_fingerprint();
        folder.add(sentence.question_prefix.as_bytes());
        folder.add(sentence.passage_prefix.as_bytes());
        folder.add(&longest.to_le_bytes());
        if options.long == LongText::Windows {
            folder.add(b"windows");
        }
        if options.precision == Precision::Int8 {
            folder.add(b"int8");
        }
        if sentence.pooling != as_named {
            folder.add(format!("{:?}", sentence.pooling).as_bytes());
        }
        Ok(Self {
            identity: EmbedderId {
                name: folder.identity(),
                dimensions: bert.config().width,
            },
            runner: Runner::new(bert, options.threads)?,
            tokenizer,
            sentence,
            long: options.long,
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
        let width = bert.config().width;
        let windows = self.runner.run_windows(
            texts.len(),
            |text| {
                let text = format!("{prefix}{}", texts[text]);
                let text = text.trim();
                if self.sentence.lower_case {
                    self.cut(&text.to_lowercase())
                } else {
                    self.cut(text)
                }
            },
            |hidden| {
                let mut vector = vec![0.0; width];
                bert.kernels()
                    .pool(self.sentence.pooling, hidden, &mut vector);
                (hidden.len() / width, vector)
            },
        )?;
        Ok(windows.into_iter().map(mean).collect())
    }

    fn cut(&self, text: &str) -> Result<Vec<Tokens>, ModelError> {
        match self.long {
            LongText::Cut => self.tokenizer.text(text).map(|tokens| vec![tokens]),
            LongText::Windows => self.tokenizer.windows(text),
        }
    }
}

/// Returns the mean of a text's windows, weighted by their tokens, of unit length.
fn mean(mut windows: Vec<(usize, Vec<f32>)>) -> Vec<f32> {
    let (tokens, mut vector) = windows.swap_remove(0);
    if !windows.is_empty() {
        vector
            .iter_mut()
            .for_each(|number| *number *= tokens as f32);
    }
    for (tokens, window) in windows {
        for (sum, number) in vector.iter_mut().zip(window) {
            *sum += tokens as f32 * number;
        }
    }
    normalize(&mut vector);
    vector
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
