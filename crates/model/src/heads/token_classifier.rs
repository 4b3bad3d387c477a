//! An encoder that says of each word what it is part of: names, places, products.

use std::ops::Range;
use std::path::Path;

use tensor::{Activation, Kernels, PackedMatrix};

use super::{HeadOptions, Labels, Opened, applied, largest, tagged_spans};
use crate::ModelError;
use crate::runner::Runner;
use crate::tokens::{EncoderTokenizer, WordTokens};

/// The linear part, `D → L`.
pub(crate) const TAGS: &str = "classifier";

/// A tagger of words from a Hugging Face folder: a `BertForTokenClassification`, or what
/// does the same in its family.
///
/// A word's tag is that of its first token. A text longer than the model reads is read
/// in windows that overlap by an eighth.
pub struct TokenClassifier {
    name: String,
    runner: Runner,
    tokenizer: EncoderTokenizer,
    head: PackedMatrix,
    labels: Labels,
}

/// Something that a text names.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// What it is.
    pub label: String,
    /// Its bytes in the text.
    pub bytes: Range<usize>,
    /// How likely its words' tags are, on average, 0 to 1.
    pub probability: f32,
}

impl TokenClassifier {
    /// Opens the model in `folder`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known, or the
    /// head does not fit the labels that `config.json` names.
    pub fn open(folder: &Path, options: &HeadOptions) -> Result<Self, ModelError> {
        let opened = Opened::open(folder, options.longest)?;
        Ok(Self {
            head: opened.linear(TAGS, opened.labels.names.len())?,
            name: opened.name.clone(),
            labels: opened.labels.clone(),
            runner: Runner::new(opened.bert, options.threads)?,
            tokenizer: opened.tokenizer,
        })
    }

    /// Returns the model's name with the fingerprint of its files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what its tags are called, in the order of its outputs.
    pub fn labels(&self) -> &[String] {
        &self.labels.names
    }

    /// Returns the number of the tag of every word of every text; of a word that the
    /// tokenizer drops, that of `O`, or 0.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn tags(&self, texts: &[&[&str]]) -> Result<Vec<Vec<usize>>, ModelError> {
        let windows = texts
            .iter()
            .map(|words| self.tokenizer.words(words))
            .collect::<Result<Vec<_>, ModelError>>()?;
        let counts: Vec<usize> = texts.iter().map(|words| words.len()).collect();
        let tags = self.read(&windows, &counts, tag)?;
        let none = (self.outside(), 1.0);
        let tag = |word: Option<(usize, f32)>| word.unwrap_or(none).0;
        Ok(tags
            .into_iter()
            .map(|words| words.into_iter().map(tag).collect())
            .collect())
    }

    /// Returns for every word of every text how likely each tag is, 0 to 1; of a word that
    /// the tokenizer drops, `O` is certain, or the first.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn probabilities(&self, texts: &[&[&str]]) -> Result<Vec<Vec<Vec<f32>>>, ModelError> {
        let windows = texts
            .iter()
            .map(|words| self.tokenizer.words(words))
            .collect::<Result<Vec<_>, ModelError>>()?;
        let counts: Vec<usize> = texts.iter().map(|words| words.len()).collect();
        let likely = |row: &mut [f32]| {
            Kernels::best().softmax(row, 1.0);
            row.to_vec()
        };
        let rows = self.read(&windows, &counts, likely)?;
        let mut none = vec![0.0; self.labels.names.len()];
        none[self.outside()] = 1.0;
        let whole = |row: Option<Vec<f32>>| row.unwrap_or_else(|| none.clone());
        Ok(rows
            .into_iter()
            .map(|words| words.into_iter().map(whole).collect())
            .collect())
    }

    /// Returns what each text names, in the order it stands there.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn entities(&self, texts: &[&str]) -> Result<Vec<Vec<Entity>>, ModelError> {
        let (mut windows, mut places) = (Vec::new(), Vec::new());
        for text in texts {
            let words = self.tokenizer.text_words(text)?;
            windows.push(words.windows);
            places.push(words.places);
        }
        let counts: Vec<usize> = places.iter().map(Vec::len).collect();
        let tags = self.read(&windows, &counts, tag)?;
        let none = (self.outside(), 1.0);
        let mut all = Vec::with_capacity(texts.len());
        for (words, places) in tags.into_iter().zip(places) {
            let words: Vec<(usize, f32)> = words.into_iter().map(|it| it.unwrap_or(none)).collect();
            let found = tagged_spans(words.iter().map(|(tag, _)| &*self.labels.names[*tag]))
                .into_iter()
                .map(|span| {
                    let sum: f32 = words[span.words.clone()].iter().map(|it| it.1).sum();
                    Entity {
                        label: span.label.to_owned(),
                        bytes: places[span.words.start].start..places[span.words.end - 1].end,
                        probability: sum / span.words.len() as f32,
                    }
                });
            all.push(found.collect());
        }
        Ok(all)
    }

    /// Returns where `O` is among the tags; 0, if there is none.
    fn outside(&self) -> usize {
        let outside = self.labels.names.iter().position(|it| it == "O");
        outside.unwrap_or(0)
    }

    /// Returns what `read` makes of each word's logits, given the windows of each text and how
    /// many words it has; nothing of a word that the tokenizer drops.
    fn read<R: Clone + Send>(
        &self,
        windows: &[Vec<WordTokens>],
        counts: &[usize],
        read: impl Fn(&mut [f32]) -> R + Send + Sync,
    ) -> Result<Vec<Vec<Option<R>>>, ModelError> {
        let labels = self.labels.names.len();
        let found = self.runner.run_windows(
            windows.len(),
            |text| Ok(windows[text].iter().map(|it| it.tokens.clone()).collect()),
            |hidden| {
                let mut logits = applied(&self.head, Activation::Identity, hidden);
                let rows = logits.chunks_exact_mut(labels);
                rows.map(&read).collect::<Vec<R>>()
            },
        )?;
        let texts = windows.iter().zip(found).zip(counts);
        Ok(texts
            .map(|((windows, found), count)| of_words(windows, found, *count))
            .collect())
    }
}

/// Returns a word's tag, and how likely it is.
fn tag(row: &mut [f32]) -> (usize, f32) {
    let tag = largest(row);
    Kernels::best().softmax(row, 1.0);
    (tag, row[tag])
}

/// Returns of what was found for each token of a text's windows that of each word's first, in
/// the first window that has it; nothing of a word without tokens.
pub(super) fn of_words<R: Clone>(
    windows: &[WordTokens],
    found: Vec<Vec<R>>,
    count: usize,
) -> Vec<Option<R>> {
    let mut words = vec![None; count];
    for (window, found) in windows.iter().zip(found) {
        for (word, found) in window.words.iter().zip(found) {
            if let Some(word) = word {
                words[*word].get_or_insert(found);
            }
        }
    }
    words
}
