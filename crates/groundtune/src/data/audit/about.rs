//! What an audit reports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use corpus::examples::PersonalKind;
use serde::Serialize;

use super::{Criterion, Finding};
use crate::data::FileSummary;

/// A whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// The files, and what each gave.
    pub files: Vec<FileSummary>,
    /// The other set's files, and what each gave.
    pub against: Vec<FileSummary>,
    /// How many examples there are of each kind.
    pub kinds: BTreeMap<&'static str, usize>,
    /// How much there is.
    pub size: Size,
    /// The first refusals of both sets, as they are shown.
    pub refused: Vec<String>,
    /// Records with an empty prompt or without an answer; they were refused.
    pub unanswered: usize,
    /// How long the examples are.
    pub lengths: Lengths,
    /// What is said more than once.
    pub duplicates: Duplicates,
    /// The same text with different labels.
    pub conflicts: Conflicts,
    /// What another set asks too, if there was one to compare with.
    pub leakage: Option<Leakage>,
    /// How much the examples differ.
    pub diversity: Diversity,
    /// How far each hangs together.
    pub coherence: Coherence,
    /// How near they are to documents, if there were any.
    pub relevance: Option<Relevance>,
    /// How many examples are in each language.
    pub languages: BTreeMap<String, usize>,
    /// What is likely personal.
    pub personal: Personal,
    /// How often each label is given, if there are any.
    pub labels: Option<LabelBalance>,
    /// What follows from it all, one for each criterion.
    pub findings: Vec<Finding>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Examples.
    pub examples: usize,
    /// Words of all examples; labels and tags are not counted.
    pub words: u64,
    /// Tokens, if a tokenizer counted them.
    pub tokens: Option<u64>,
    /// Bytes of text.
    pub bytes: u64,
}

/// How long the examples are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lengths {
    /// What is counted: `words` or `tokens`.
    pub unit: &'static str,
    /// The mean.
    pub mean: f64,
    /// Of a hundred, the fifth shortest.
    pub p5: u32,
    /// The middle.
    pub p50: u32,
    /// Of a hundred, the fifth longest.
    pub p95: u32,
    /// The longest.
    pub max: u32,
    /// How many examples are from `from` up to, but not, `to` long; each twice as wide as
    /// the one before.
    pub histogram: Vec<Bar>,
}

/// A bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// The shortest in it.
    pub from: u32,
    /// The shortest that is not in it any more.
    pub to: u32,
    /// How many there are.
    pub count: usize,
}

impl Lengths {
    /// Sorts the lengths and tells how they lie.
    pub(super) fn of(lengths: &mut [u32], tokens: bool) -> Self {
        lengths.sort_unstable();
        let at = |share: f64| {
            let place = (lengths.len().saturating_sub(1) as f64 * share).round() as usize;
            lengths.get(place).copied().unwrap_or(0)
        };
        let mut histogram: Vec<Bar> = Vec::new();
        for length in lengths.iter().copied() {
            let to = length.saturating_add(1).checked_next_power_of_two();
            let to = to.unwrap_or(u32::MAX);
            match histogram.last_mut() {
                Some(bar) if bar.to == to => bar.count += 1,
                _ => histogram.push(Bar {
                    from: to / 2,
                    to,
                    count: 1,
                }),
            }
        }
        let sum: f64 = lengths.iter().map(|length| f64::from(*length)).sum();
        Self {
            unit: if tokens { "tokens" } else { "words" },
            mean: sum / lengths.len().max(1) as f64,
            p5: at(0.05),
            p50: at(0.5),
            p95: at(0.95),
            max: at(1.0),
            histogram,
        }
    }
}

impl Audit {
    /// Returns where the first of what a criterion found stands, as far as it names places.
    pub fn places(&self, criterion: Criterion) -> Vec<&Place> {
        let repeated = &self.duplicates;
        match criterion {
            Criterion::Duplicates => repeated
                .exact_places
                .iter()
                .chain(&repeated.near_places)
                .map(|(place, _)| place)
                .collect(),
            Criterion::Conflicts => self.conflicts.places.iter().flatten().collect(),
            Criterion::Leakage => self
                .leakage
                .iter()
                .flat_map(|leakage| &leakage.places)
                .collect(),
            Criterion::Coherence => self.coherence.repetitive_places.iter().collect(),
            Criterion::Personal => self.personal.places.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// Where an example stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line of its record.
    pub line: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What is said more than once. Of those that say the same, the first is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Duplicates {
    /// Examples with the same words as an earlier one.
    pub exact: usize,
    /// Examples with nearly the same (Jaccard similarity of five-letter pieces of about
    /// 0.8 and more).
    pub near: usize,
    /// The first of the former, and what each repeats.
    pub exact_places: Vec<(Place, Place)>,
    /// The first of the latter, and what each is near.
    pub near_places: Vec<(Place, Place)>,
}

/// The same text with different labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Conflicts {
    /// Texts.
    pub texts: usize,
    /// Examples with them.
    pub examples: usize,
    /// The first of them, text by text.
    pub places: Vec<Vec<Place>>,
}

/// What another set asks too.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Leakage {
    /// Examples that ask the same.
    pub exact: usize,
    /// Examples that ask nearly the same.
    pub near: usize,
    /// The first of them.
    pub places: Vec<Place>,
}

/// How much the examples differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Diversity {
    /// The share of different words in each 1,000.
    pub type_token: Option<f64>,
    /// The share of different pairs of words in each 10,000.
    pub distinct_2: Option<f64>,
    /// The share of different triples.
    pub distinct_3: Option<f64>,
    /// The mean cosine of two examples, of a sample, by the built-in embedder.
    pub self_similarity: Option<f64>,
}

/// How far each example hangs together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coherence {
    /// The mean share of an example's words in phrases that it repeats.
    pub repetition: f64,
    /// Examples of which more than three tenths are such phrases.
    pub repetitive: usize,
    /// The first of them.
    pub repetitive_places: Vec<Place>,
    /// The mean cosine of neighbouring sentences, of a sample.
    pub neighbours: Option<f64>,
}

/// How near examples are to documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Relevance {
    /// Chunks that they were compared with.
    pub chunks: usize,
    /// Examples of the sample.
    pub examples: usize,
    /// The middle of the cosines of each to its nearest chunk.
    pub median: f64,
    /// The share of examples whose nearest chunk has a cosine of at least 0.45.
    pub about: f64,
}

/// What is likely personal. The data itself is not in the report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Personal {
    /// Examples with any of it.
    pub examples: usize,
    /// Examples with each kind.
    pub kinds: BTreeMap<PersonalKind, usize>,
    /// The first of them.
    pub places: Vec<Place>,
}

/// How often each label is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LabelBalance {
    /// The labels.
    pub counts: BTreeMap<String, usize>,
    /// The most frequent one's count.
    pub most: usize,
    /// The least frequent one's count.
    pub least: usize,
}

impl LabelBalance {
    pub(super) fn of(counts: BTreeMap<String, usize>) -> Option<Self> {
        let most = counts.values().copied().max()?;
        let least = counts.values().copied().min()?;
        Some(Self {
            counts,
            most,
            least,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_lie_in_bars_that_double() {
        let lengths = Lengths::of(&mut [7, 0, 1, 2, 3, 8, 5, 4], false);
        let bars: Vec<(u32, u32, usize)> = lengths
            .histogram
            .iter()
            .map(|bar| (bar.from, bar.to, bar.count))
            .collect();
        assert_eq!(
            bars,
            [(0, 1, 1), (1, 2, 1), (2, 4, 2), (4, 8, 3), (8, 16, 1)]
        );
        assert_eq!((lengths.p50, lengths.max, lengths.mean), (4, 8, 3.75));
    }
}
