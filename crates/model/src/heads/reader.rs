//! An encoder that finds the answer to a question in a passage, or that it is not there.
//!
//! After Devlin et al. 2018, §4.2 and 4.3: each token has a logit for an answer to start
//! there and one to end there; the first token's two stand for no answer.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use tensor::{Activation, PackedMatrix};

use super::{Opened, applied};
use crate::ModelError;
use crate::config;
use crate::folder::Folder;
use crate::runner::Runner;
use crate::tokens::{EncoderTokenizer, PassageTokens};

/// The linear part, `D → 2`.
pub(crate) const SPAN: &str = "qa_outputs";

/// Tokens of a passage that two of its windows have in common, as in SQuAD's scripts.
pub(crate) const OVERLAP: usize = 128;

/// The key of `config.json` for when to answer.
pub(crate) const THRESHOLD: &str = "no_answer_threshold";

/// How a reader is opened. What is not said is as the folder says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Threads of its own; without, the caller's pool.
    pub threads: Option<NonZeroUsize>,
    /// Tokens of question and passage that are read at once, special ones included.
    pub longest: Option<usize>,
    /// Tokens of a long passage that two of its windows have in common.
    pub overlap: usize,
    /// The most tokens of an answer.
    pub longest_answer: usize,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self {
            threads: None,
            longest: None,
            overlap: OVERLAP,
            longest_answer: 30,
        }
    }
}

/// What a reader found in a passage.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The bytes of the likeliest answer; nothing in a passage without a word.
    pub bytes: Option<Range<usize>>,
    /// Its score: the logits of its first and last token. Scores of passages read with
    /// the same question can be compared.
    pub score: f32,
    /// The score of there being no answer: the least of the passage's windows.
    pub none: f32,
}

impl Reading {
    /// Returns the bytes of the answer, unless "no answer" scores more than `threshold`
    /// above it.
    pub fn answer(&self, threshold: f32) -> Option<Range<usize>> {
        self.bytes
            .clone()
            .filter(|_| self.none - self.score <= threshold)
    }
}

/// A reader from a Hugging Face folder: a `BertForQuestionAnswering`, or what does the
/// same in its family.
pub struct Reader {
    name: String,
    runner: Runner,
    tokenizer: EncoderTokenizer,
    head: PackedMatrix,
    overlap: usize,
    longest_answer: usize,
    threshold: f32,
}

/// `config.json`, as far as it is about when to answer.
#[derive(Default, Deserialize)]
struct Written {
    no_answer_threshold: Option<f32>,
}

impl Reader {
    /// Opens the model in `folder`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind of model that is not known.
    pub fn open(folder: &Path, options: &ReaderOptions) -> Result<Self, ModelError> {
        let opened = Opened::open(folder, options.longest)?;
        let head = opened.linear(SPAN, 2)?;
        let written: Written = Folder::new(folder).json(config::FILE)?.unwrap_or_default();
        Ok(Self {
            head,
            threshold: written.no_answer_threshold.unwrap_or(0.0),
            name: opened.name.clone(),
            runner: Runner::new(opened.bert, options.threads)?,
            tokenizer: opened.tokenizer,
            overlap: options.overlap,
            longest_answer: options.longest_answer,
        })
    }

    /// Returns the model's name with the fingerprint of its files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the threshold of [`Reading::answer`] that was found best when it was trained;
    /// 0, if its folder does not say.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Keeps a threshold in the model's folder: `no_answer_threshold` in `config.json`, which
    /// transformers passes over.
    ///
    /// # Errors
    /// If there is no `config.json` that can be read and written.
    pub fn keep_threshold(folder: &Path, threshold: f32) -> Result<(), ModelError> {
        let path = folder.join(config::FILE);
        let json = |source| ModelError::Json {
            path: path.clone(),
            source,
        };
        let mut value: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&fs_err::read(&path)?).map_err(json)?;
        value.insert(THRESHOLD.into(), threshold.into());
        let bytes = serde_json::to_vec_pretty(&value).expect("a value can be written");
        Ok(fs_err::write(path, bytes)?)
    }

    /// Returns what it finds in each passage for the question beside it.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn read(&self, questions: &[(&str, &str)]) -> Result<Vec<Reading>, ModelError> {
        let windows = questions
            .iter()
            .map(|(question, passage)| self.tokenizer.passage(question, passage, self.overlap))
            .collect::<Result<Vec<_>, ModelError>>()?;
        let logits = self.runner.run_windows(
            windows.len(),
            |text| Ok(windows[text].iter().map(|it| it.tokens.clone()).collect()),
            |hidden| applied(&self.head, Activation::Identity, hidden),
        )?;
        let read = |(windows, logits): (Vec<PassageTokens>, Vec<Vec<f32>>)| {
            let mut reading = Reading {
                bytes: None,
                score: f32::NEG_INFINITY,
                none: f32::INFINITY,
            };
            for (window, logits) in windows.iter().zip(logits) {
                reading.none = reading.none.min(logits[0] + logits[1]);
                if let Some((score, bytes)) =
                    best_answer(&window.places, &logits, self.longest_answer)
                    && score > reading.score
                {
                    (reading.score, reading.bytes) = (score, Some(bytes));
                }
            }
            reading
        };
        Ok(windows.into_iter().zip(logits).map(read).collect())
    }
}

/// Returns the best answer of at most `longest` tokens in a window, with its score: the sum
/// of its first token's first and its last token's second of the `(T, 2)` logits, the
/// earliest of equals. `places` are the bytes of each token in the passage, or nothing where
/// it is none of it ([`PassageTokens::places`]).
pub fn best_answer(
    places: &[Option<Range<usize>>],
    logits: &[f32],
    longest: usize,
) -> Option<(f32, Range<usize>)> {
    let mut best: Option<(f32, Range<usize>)> = None;
    for (start, from) in places.iter().enumerate() {
        let Some(from) = from else { continue };
        for (end, to) in places.iter().enumerate().skip(start).take(longest) {
            let Some(to) = to else { break };
            let score = logits[2 * start] + logits[2 * end + 1];
            if best.as_ref().is_none_or(|(most, _)| score > *most) && from.start < to.end {
                best = Some((score, from.start..to.end));
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question of one token and a passage of four between special tokens; logits of
    /// start and end in tenths.
    fn check(logits: &[(i32, i32); 8], longest: usize, expect: Option<(i32, [usize; 2])>) {
        let place = |at: usize| (3..7).contains(&at).then(|| 10 * at..10 * at + 5);
        let places: Vec<_> = (0..8).map(place).collect();
        let logits: Vec<f32> = logits
            .iter()
            .flat_map(|(start, end)| [*start as f32 / 10.0, *end as f32 / 10.0])
            .collect();
        let found = best_answer(&places, &logits, longest);
        assert_eq!(
            found.map(|(score, bytes)| ((score * 10.0).round() as i32, [bytes.start, bytes.end])),
            expect
        );
    }

    #[test]
    fn the_best_answer_lies_in_the_passage_and_is_not_too_long() {
        let mut logits = [(0, 0); 8];
        (logits[0], logits[1], logits[7]) = ((90, 90), (90, 90), (90, 90));
        check(&logits, 30, Some((0, [30, 35])));
        (logits[3].0, logits[6].1) = (20, 30);
        check(&logits, 30, Some((50, [30, 65])));
        check(&logits, 3, Some((30, [40, 65])));
        // An end before its start is none.
        (logits[6].0, logits[3].1) = (70, 70);
        check(&logits, 30, Some((100, [60, 65])));
        check(&logits, 0, None);
    }

    #[test]
    fn no_answer_has_to_be_better_by_the_threshold() {
        let reading = Reading {
            bytes: Some(1..2),
            score: 3.0,
            none: 4.0,
        };
        assert_eq!(reading.answer(0.0), None);
        assert_eq!(reading.answer(1.0), Some(1..2));
    }
}
