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
        let tags = self.read(&windows, &counts)?;
        Ok(tags
            .into_iter()
            .map(|words| words.into_iter().map(|(tag, _)| tag).collect())
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
        let tags = self.read(&windows, &counts)?;
        let entities = |(words, places): (Vec<(usize, f32)>, Vec<Range<usize>>)| {
            tagged_spans(words.iter().map(|(tag, _)| &*self.labels.names[*tag]))
                .into_iter()
                .map(|span| {
                    let sum: f32 = words[span.words.clone()].iter().map(|it| it.1).sum();
                    Entity {
                        label: span.label.to_owned(),
                        bytes: places[span.words.start].start..places[span.words.end - 1].end,
                        probability: sum / span.words.len() as f32,
                    }
                })
                .collect()
        };
        Ok(tags.into_iter().zip(places).map(entities).collect())
    }

    /// Returns each word's tag and how likely it is, given the windows of each text and
    /// how many words it has.
    fn read(
        &self,
        windows: &[Vec<WordTokens>],
        counts: &[usize],
    ) -> Result<Vec<Vec<(usize, f32)>>, ModelError> {
        let labels = self.labels.names.len();
        let outside = self.labels.names.iter().position(|it| it == "O");
        let found = self.runner.run_windows(
            windows.len(),
            |text| Ok(windows[text].iter().map(|it| it.tokens.clone()).collect()),
            |hidden| {
                let mut logits = applied(&self.head, Activation::Identity, hidden);
                let read = |row: &mut [f32]| {
                    let tag = largest(row);
                    Kernels::best().softmax(row, 1.0);
                    (tag, row[tag])
                };
                logits
                    .chunks_exact_mut(labels)
                    .map(read)
                    .collect::<Vec<_>>()
            },
        )?;
        let text = |((windows, found), count): ((&Vec<WordTokens>, Vec<Vec<_>>), &usize)| {
            let mut tags = vec![None; *count];
            for (window, found) in windows.iter().zip(found) {
                for (word, tag) in window.words.iter().zip(found) {
                    if let Some(word) = word {
                        tags[*word].get_or_insert(tag);
                    }
                }
            }
            tags.into_iter()
                .map(|tag| tag.unwrap_or((outside.unwrap_or(0), 1.0)))
                .collect()
        };
        Ok(windows.iter().zip(found).zip(counts).map(text).collect())
    }
}
