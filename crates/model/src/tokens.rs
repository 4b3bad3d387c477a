//! Texts into tokens, with the model's own tokenizer.

use std::path::PathBuf;

use tokenizers::{
    Model as _, OffsetType, PostProcessor as _, PreTokenizer as _, Tokenizer as Tokenize,
    TruncationDirection, TruncationParams, TruncationStrategy,
};

use crate::ModelError;
use crate::bert::Bert;
use crate::folder::Folder;
use crate::tokenizer::json;

const FILE: &str = "tokenizer.json";

/// One part in so many of a window's tokens is also in the one before.
const OVERLAP: usize = 8;

/// One text, or a pair of them, as the encoder reads it.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Numbers of tokens, special ones included.
    pub(crate) ids: Vec<u32>,
    /// The segment of each.
    pub(crate) segments: Vec<u32>,
}

/// A tokenizer that never gives what its model cannot read.
pub(crate) struct Tokenizer {
    path: PathBuf,
    tokenizer: Tokenize,
    vocabulary: usize,
    segments: usize,
}

impl Tokenizer {
    /// Reads `tokenizer.json`. Texts are cut to `longest` tokens, and a pair's longer
    /// text first, as sentence-transformers does; nothing is filled up, for batches
    /// here have no padding.
    ///
    /// # Errors
    /// If the file is missing or damaged, or `longest` leaves no room for a word
    /// between the special tokens, or is more than `bert` has positions for.
    pub(crate) fn open(
        folder: &mut Folder,
        bert: &Bert,
        longest: usize,
    ) -> Result<Self, ModelError> {
        let bytes = folder.bytes(FILE)?.ok_or_else(|| ModelError::FileMissing {
            folder: folder.path().to_path_buf(),
            file: FILE,
            hint: Some("save its tokenizer as a fast one, with transformers' `AutoTokenizer`"),
        })?;
        let path = folder.path().join(FILE);
        let failed = |source| ModelError::Tokenizer {
            path: path.clone(),
            source,
        };
        let mut tokenizer: Tokenize = json::read(&path, &bytes)?;
        let special = tokenizer
            .get_post_processor()
            .map_or(0, |it| it.added_tokens(false).max(it.added_tokens(true)));
        let config = bert.config();
        if longest <= special || longest > config.longest() {
            return Err(ModelError::Setting {
                path: config.path.clone(),
                key: "max_seq_length",
                expected: format!("a number from {} to {}", special + 1, config.longest()),
                found: longest.to_string(),
            });
        }
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams {
                direction: TruncationDirection::Right,
                max_length: longest,
                strategy: TruncationStrategy::LongestFirst,
                stride: (longest - special) / OVERLAP,
            }))
            .map_err(failed)?;
        Ok(Self {
            path,
            tokenizer,
            vocabulary: config.vocabulary,
            segments: config.segments,
        })
    }

    /// Cuts one text into tokens.
    pub(crate) fn text(&self, text: &str) -> Result<Tokens, ModelError> {
        self.tokens(self.tokenizer.encode_fast(text, true))
    }

    /// Cuts one text into the tokens of windows, each as long as the model reads, which
    /// overlap by an eighth: all of a text that is longer.
    pub(crate) fn windows(&self, text: &str) -> Result<Vec<Tokens>, ModelError> {
        // `encode` stops to cut where the first window ends.
        let whole = || {
            let added = self.tokenizer.get_added_vocabulary();
            let mut words = added.extract_and_normalize(self.tokenizer.get_normalizer(), text);
            if let Some(splitter) = self.tokenizer.get_pre_tokenizer() {
                splitter.pre_tokenize(&mut words)?;
            }
            words.tokenize(|word| self.tokenizer.get_model().tokenize(word.get()))?;
            let whole = words.into_encoding(None, 0, OffsetType::None)?;
            self.tokenizer.post_process(whole, None, true)
        };
        let mut first = whole().map_err(|source| self.failed(source))?;
        let further = first.take_overflowing();
        std::iter::once(first)
            .chain(further)
            .map(|window| self.tokens(Ok(window)))
            .collect()
    }

    /// Cuts a pair of texts into the tokens of one.
    pub(crate) fn pair(&self, first: &str, second: &str) -> Result<Tokens, ModelError> {
        self.tokens(self.tokenizer.encode_fast((first, second), true))
    }

    fn failed(&self, source: tokenizers::Error) -> ModelError {
        ModelError::Tokenizer {
            path: self.path.clone(),
            source,
        }
    }

    fn tokens(
        &self,
        encoding: tokenizers::Result<tokenizers::Encoding>,
    ) -> Result<Tokens, ModelError> {
        let encoding = encoding.map_err(|source| self.failed(source))?;
        let ids = encoding.get_ids().to_vec();
        if let Some(found) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            return Err(ModelError::Token {
                path: self.path.clone(),
                found: *found,
                known: self.vocabulary,
            });
        }
        // Models with one segment are not told of the tokenizer's.
        let segments = encoding
            .get_type_ids()
            .iter()
            .map(|segment| {
                if (*segment as usize) < self.segments {
                    *segment
                } else {
                    0
                }
            })
            .collect();
        Ok(Tokens { ids, segments })
    }
}
