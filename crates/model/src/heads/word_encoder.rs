//! An encoder that makes a vector of each word: of what it means where it stands.

use std::path::Path;

use tensor::normalize;

use super::token_classifier::of_words;
use super::{HeadOptions, Opened};
use crate::ModelError;
use crate::runner::Runner;
use crate::tokens::{EncoderTokenizer, WordTokens};

/// An encoder from a Hugging Face folder, without a head: a word's vector is the last hidden
/// state of its first token, of unit length, as kNN-NER compares words (Wang et al. 2022, §3.2).
///
/// A text longer than the model reads is read in windows that overlap by an eighth.
pub struct WordEncoder {
    name: String,
    runner: Runner,
    tokenizer: EncoderTokenizer,
}

impl WordEncoder {
    /// Opens the model in `folder`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known.
    pub fn open(folder: &Path, options: &HeadOptions) -> Result<Self, ModelError> {
        let opened = Opened::open(folder, options.longest)?;
        Ok(Self {
            name: opened.name.clone(),
            runner: Runner::new(opened.bert, options.threads)?,
            tokenizer: opened.tokenizer,
        })
    }

    /// Returns the model's name with the fingerprint of its files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns for each text a vector of every word, of unit length; zeros for a word that the
    /// tokenizer drops.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn vectors(&self, texts: &[&[&str]]) -> Result<Vec<Vec<Vec<f32>>>, ModelError> {
        let windows = texts
            .iter()
            .map(|words| self.tokenizer.words(words))
            .collect::<Result<Vec<Vec<WordTokens>>, ModelError>>()?;
        let width = self.runner.bert().config().width;
        let found = self.runner.run_windows(
            windows.len(),
            |text| Ok(windows[text].iter().map(|it| it.tokens.clone()).collect()),
            |hidden| {
                let vector = |row: &[f32]| {
                    let mut vector = row.to_vec();
                    normalize(&mut vector);
                    vector
                };
                hidden.chunks_exact(width).map(vector).collect::<Vec<_>>()
            },
        )?;
        let vectors = windows.iter().zip(found).zip(texts);
        Ok(vectors
            .map(|((windows, found), words)| {
                of_words(windows, found, words.len())
                    .into_iter()
                    .map(|vector| vector.unwrap_or_else(|| vec![0.0; width]))
                    .collect()
            })
            .collect())
    }
}
