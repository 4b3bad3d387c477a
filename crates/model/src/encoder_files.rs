//! What an encoder is made of, wherever it lies: a Hugging Face folder, or a GGUF file
//! (Hugging Face's `bert` family, as llama.cpp writes it).

use std::path::Path;

use tensor::{Kernels, Pooling};

use crate::ModelError;
use crate::bert::{Bert, Precision};
use crate::config::EncoderConfig;
use crate::decoder::gguf_at;
use crate::encoder_names::{GGUF, HUGGING_FACE, Names};
use crate::folder::Folder;
use crate::gguf::Gguf;
use crate::heads::Labels;
use crate::sentence::{Sentence, longest_of_tokenizer};
use crate::tokenizer::TextTokenizer;
use crate::tokens::{self, EncoderTokenizer};
use crate::weights::Weights;

const POOLING: &str = "bert.pooling_type";

/// An encoder's files, looked into but not yet made into anything.
pub(crate) struct EncoderFiles {
    /// Takes what was read into the model's fingerprint.
    pub(crate) folder: Folder,
    pub(crate) config: EncoderConfig,
    pub(crate) weights: Weights,
    pub(crate) names: &'static Names,
    gguf: Option<Gguf>,
}

impl EncoderFiles {
    /// Looks at the encoder at `path`: a Hugging Face folder, a GGUF file, or a folder with
    /// one GGUF file.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        match gguf_at(path)? {
            Some(file) => Self::of_gguf(path, &file),
            None => Self::of_folder(path),
        }
    }

    fn of_folder(path: &Path) -> Result<Self, ModelError> {
        let mut folder = Folder::new(path);
        let config = EncoderConfig::read(&mut folder)?;
        Ok(Self {
            config,
            weights: Weights::open(path)?,
            names: &HUGGING_FACE,
            gguf: None,
            folder,
        })
    }

    /// Opens `file`, which lies at or in `path`: what the model is called after.
    fn of_gguf(path: &Path, file: &Path) -> Result<Self, ModelError> {
        let gguf = Gguf::open(file)?;
        Ok(Self {
            folder: Folder::new(path),
            config: EncoderConfig::of_gguf(&gguf)?,
            weights: Weights::of_gguf(&gguf),
            names: &GGUF,
            gguf: Some(gguf),
        })
    }

    /// Returns how texts are pooled and what stands before them.
    ///
    /// # Errors
    /// If the files ask for what is not known here.
    pub(crate) fn sentence(&mut self) -> Result<Sentence, ModelError> {
        let Some(gguf) = &self.gguf else {
            return Sentence::read(&mut self.folder);
        };
        // `llama_pooling_type`.
        let pooling = match gguf.integer(POOLING)? {
            None | Some(0 | 1) => Pooling::Mean,
            Some(2) => Pooling::First,
            Some(other) => {
                return Err(ModelError::Gguf {
                    path: gguf.path().to_path_buf(),
                    what: format!("`{POOLING}`"),
                    expected: "1 (mean) or 2 (first token), as embedders have".into(),
                    found: match other {
                        4 => "4 (a reranker's)".into(),
                        _ => other.to_string(),
                    },
                });
            }
        };
        let name = self.folder.name();
        Ok(Sentence::of_name(pooling, &name))
    }

    /// Returns how many tokens of a text are read where the files say it, special ones
    /// included: for a cross-encoder.
    ///
    /// # Errors
    /// If a file is not as expected.
    pub(crate) fn longest(&mut self) -> Result<Option<usize>, ModelError> {
        match &self.gguf {
            Some(_) => Ok(None),
            None => longest_of_tokenizer(&mut self.folder),
        }
    }

    /// Returns what a head's outputs are called.
    ///
    /// # Errors
    /// If the files contradict themselves.
    pub(crate) fn labels(&mut self) -> Result<Labels, ModelError> {
        match &self.gguf {
            Some(gguf) => Labels::of_gguf(gguf),
            None => Labels::read(&mut self.folder),
        }
    }

    /// Returns the tokenizer, which cuts texts to `longest` tokens.
    ///
    /// # Errors
    /// If it is missing or damaged, or as [`EncoderTokenizer::new`].
    pub(crate) fn tokenizer(&mut self, longest: usize) -> Result<EncoderTokenizer, ModelError> {
        let (path, tokenizer) = match &self.gguf {
            Some(gguf) => (gguf.path().to_path_buf(), TextTokenizer::of_encoder(gguf)?),
            None => tokens::read(&mut self.folder)?,
        };
        EncoderTokenizer::new(path, tokenizer, &self.config, longest)
    }

    /// Packs the weights.
    ///
    /// # Errors
    /// As [`Bert::load`].
    pub(crate) fn bert(&self, precision: Precision) -> Result<Bert, ModelError> {
        let kernels = Kernels::best();
        Bert::load(
            self.config.clone(),
            &self.weights,
            self.names,
            kernels,
            precision,
        )
    }

    /// Returns the fingerprint of what was read and of the weights, and these.
    pub(crate) fn into_fingerprint(mut self) -> (Folder, Weights) {
        self.weights.files().for_each(|file| self.folder.add(file));
        (self.folder, self.weights)
    }
}
