//! Texts into tokens as an encoder reads them, with the model's own tokenizer: whole
//! texts, pairs, words that keep their tokens, and passages in windows behind a question.

use std::ops::Range;
use std::path::{Path, PathBuf};

use tokenizers::{
    Encoding, Model as _, OffsetType, PostProcessor as _, PreTokenizer as _, Tokenizer as Tokenize,
    TruncationDirection, TruncationParams, TruncationStrategy,
};

use crate::ModelError;
use crate::config::EncoderConfig;
use crate::folder::Folder;
use crate::sentence::longest_of_tokenizer;
use crate::tokenizer::json;

const FILE: &str = "tokenizer.json";

/// One part in so many of a window's tokens is also in the one before.
const OVERLAP: usize = 8;

/// One text, or a pair of them, as an encoder reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Numbers of tokens, special ones included.
    pub ids: Vec<u32>,
    /// The segment of each.
    pub segments: Vec<u32>,
}

/// A window of words, as an encoder reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordTokens {
    /// What is read.
    pub tokens: Tokens,
    /// For each token the number of its word, or nothing for a special token.
    pub words: Vec<Option<usize>>,
}

/// A text's words with where they stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextWords {
    /// The text's windows; their words are numbered through.
    pub windows: Vec<WordTokens>,
    /// The bytes of each word.
    pub places: Vec<Range<usize>>,
}

/// A question and a stretch of a passage, as an encoder reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassageTokens {
    /// What is read.
    pub tokens: Tokens,
    /// For each token its bytes in the passage, or nothing where it is none of it.
    pub places: Vec<Option<Range<usize>>>,
}

/// An encoder's tokenizer, which never gives what its model cannot read.
pub struct EncoderTokenizer {
    path: PathBuf,
    tokenizer: Tokenize,
    vocabulary: usize,
    segments: usize,
    longest: usize,
}

impl std::fmt::Debug for EncoderTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncoderTokenizer")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Reads `tokenizer.json` in `folder`, and returns it with its path.
pub(crate) fn read(folder: &mut Folder) -> Result<(PathBuf, Tokenize), ModelError> {
    let bytes = folder.bytes(FILE)?.ok_or_else(|| ModelError::FileMissing {
        folder: folder.path().to_path_buf(),
        file: FILE,
        hint: Some("save its tokenizer as a fast one, with transformers' `AutoTokenizer`"),
    })?;
    let path = folder.path().join(FILE);
    let tokenizer = json::read(&path, &bytes)?;
    Ok((path, tokenizer))
}

impl EncoderTokenizer {
    /// Opens the tokenizer of the encoder in `folder`. Texts are cut to `longest`
    /// tokens; without, to as many as its folder says or the model has positions for.
    ///
    /// # Errors
    /// If `config.json` or `tokenizer.json` is missing or damaged, or `longest` does not
    /// fit them.
    pub fn of_folder(folder: &Path, longest: Option<usize>) -> Result<Self, ModelError> {
        let mut folder = Folder::new(folder);
        let config = EncoderConfig::read(&mut folder)?;
        let longest = match longest {
            Some(longest) => longest,
            None => longest_of_tokenizer(&mut folder)?
                .unwrap_or(usize::MAX)
                .min(config.longest()),
        };
        let (path, tokenizer) = read(&mut folder)?;
        Self::new(path, tokenizer, &config, longest)
    }

    /// Takes the tokenizer of the file `path`. Texts are cut to `longest` tokens, and a
    /// pair's longer text first, as sentence-transformers does; nothing is filled up, for
    /// batches here have no padding.
    ///
    /// # Errors
    /// If `longest` leaves no room for a word between the special tokens, or is more than
    /// an encoder of `config` has positions for.
    pub(crate) fn new(
        path: PathBuf,
        mut tokenizer: Tokenize,
        config: &EncoderConfig,
        longest: usize,
    ) -> Result<Self, ModelError> {
        let failed = |source| ModelError::Tokenizer {
            path: path.clone(),
            source,
        };
        let special = tokenizer
            .get_post_processor()
            .map_or(0, |it| it.added_tokens(false).max(it.added_tokens(true)));
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
            longest,
        })
    }

    /// Returns the most tokens that it gives at once, special ones included.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Cuts one text into tokens; what is too long is left out at its end.
    ///
    /// # Errors
    /// If the tokenizer fails, or gives a token that the model does not know.
    pub fn text(&self, text: &str) -> Result<Tokens, ModelError> {
        self.tokens(self.tokenizer.encode_fast(text, true))
    }

    /// Cuts one text into the tokens of windows, each as long as the model reads, which
    /// overlap by an eighth: all of a text that is longer.
    pub(crate) fn windows(&self, text: &str) -> Result<Vec<Tokens>, ModelError> {
        let mut first = self
            .whole(text, None, OffsetType::None)
            .and_then(|whole| self.tokenizer.post_process(whole, None, true))
            .map_err(|source| self.failed(source))?;
        let further = first.take_overflowing();
        std::iter::once(first)
            .chain(further)
            .map(|window| self.tokens(Ok(window)))
            .collect()
    }

    /// Cuts `words`, each by itself, into the tokens of windows, which overlap by an
    /// eighth. A word that the tokenizer drops has no token.
    ///
    /// # Errors
    /// As [`EncoderTokenizer::text`].
    pub fn words(&self, words: &[&str]) -> Result<Vec<WordTokens>, ModelError> {
        let cut = || {
            let words = words
                .iter()
                .zip(0u32..)
                .map(|(word, number)| self.whole(word, Some(number), OffsetType::Byte))
                .collect::<tokenizers::Result<Vec<_>>>()?;
            self.cut(None, Encoding::merge(words, false), self.longest / OVERLAP)
        };
        let windows = cut().map_err(|source| self.failed(source))?;
        windows.into_iter().map(|it| self.word_tokens(it)).collect()
    }

    /// Cuts a text into words as its tokenizer does, and these into tokens of windows.
    ///
    /// # Errors
    /// As [`EncoderTokenizer::text`].
    pub fn text_words(&self, text: &str) -> Result<TextWords, ModelError> {
        let whole = self
            .whole(text, None, OffsetType::Byte)
            .map_err(|source| self.failed(source))?;
        let mut places: Vec<Range<usize>> = Vec::new();
        for (word, offsets) in whole.get_word_ids().iter().zip(whole.get_offsets()) {
            let Some(word) = word.map(|word| word as usize) else {
                continue;
            };
            if word >= places.len() {
                // A word without tokens is nowhere.
                places.resize(word, offsets.0..offsets.0);
                places.push(offsets.0..offsets.1);
            }
            places[word].end = places[word].end.max(offsets.1);
        }
        let windows = self
            .cut(None, whole, self.longest / OVERLAP)
            .map_err(|source| self.failed(source))?
            .into_iter()
            .map(|window| self.word_tokens(window))
            .collect::<Result<_, ModelError>>()?;
        Ok(TextWords { windows, places })
    }

    /// Cuts `passage` into windows behind `question`, each as long as the model reads,
    /// which overlap by `overlap` tokens or a third of one, whichever is less (the
    /// `doc_stride` of SQuAD's scripts). A question longer than half of that is cut.
    ///
    /// # Errors
    /// As [`EncoderTokenizer::text`].
    pub fn passage(
        &self,
        question: &str,
        passage: &str,
        overlap: usize,
    ) -> Result<Vec<PassageTokens>, ModelError> {
        let cut = || {
            let mut question = self.whole(question, None, OffsetType::Byte)?;
            question.truncate(self.longest / 2, 0, TruncationDirection::Right);
            question.take_overflowing();
            let passage = self.whole(passage, None, OffsetType::Byte)?;
            self.cut(Some(&question), passage, overlap)
        };
        cut()
            .map_err(|source| self.failed(source))?
            .into_iter()
            .map(|window| {
                let places = window
                    .get_sequence_ids()
                    .into_iter()
                    .zip(window.get_offsets())
                    .map(|(text, (from, to))| (text == Some(1)).then_some(*from..*to))
                    .collect();
                let tokens = self.tokens(Ok(window))?;
                Ok(PassageTokens { tokens, places })
            })
            .collect()
    }

    /// Returns all tokens of `text`, however long, without special ones: `encode` stops
    /// to cut where the first window ends. All are of the word `word`, or else each of
    /// the tokenizer's.
    fn whole(
        &self,
        text: &str,
        word: Option<u32>,
        offsets: OffsetType,
    ) -> tokenizers::Result<Encoding> {
        let added = self.tokenizer.get_added_vocabulary();
        let mut words = added.extract_and_normalize(self.tokenizer.get_normalizer(), text);
        if let Some(splitter) = self.tokenizer.get_pre_tokenizer() {
            splitter.pre_tokenize(&mut words)?;
        }
        words.tokenize(|word| self.tokenizer.get_model().tokenize(word.get()))?;
        words.into_encoding(word, 0, offsets)
    }

    /// Cuts `text` into windows of which each fits behind `first` and between the
    /// special tokens, with those around it.
    fn cut(
        &self,
        first: Option<&Encoding>,
        mut text: Encoding,
        overlap: usize,
    ) -> tokenizers::Result<Vec<Encoding>> {
        let special = self
            .tokenizer
            .get_post_processor()
            .map_or(0, |it| it.added_tokens(first.is_some()));
        let taken = special + first.map_or(0, Encoding::len);
        let room = self.longest.saturating_sub(taken).max(1);
        text.truncate(room, overlap.min(room / 3), TruncationDirection::Right);
        let further = text.take_overflowing();
        std::iter::once(text)
            .chain(further)
            .map(|window| match first {
                None => self.tokenizer.post_process(window, None, true),
                Some(first) => self
                    .tokenizer
                    .post_process(first.clone(), Some(window), true),
            })
            .collect()
    }

    fn word_tokens(&self, window: Encoding) -> Result<WordTokens, ModelError> {
        let words = window
            .get_word_ids()
            .iter()
            .map(|word| word.map(|word| word as usize))
            .collect();
        let tokens = self.tokens(Ok(window))?;
        Ok(WordTokens { tokens, words })
    }

    /// Cuts a pair of texts into the tokens of one; the longer is cut first.
    ///
    /// # Errors
    /// As [`EncoderTokenizer::text`].
    pub fn pair(&self, first: &str, second: &str) -> Result<Tokens, ModelError> {
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
