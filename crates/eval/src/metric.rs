//! Metrics: how good answers are, each equal to the reference that published figures use.
//!
//! A metric makes a few numbers of each question; their sums over the test set make the score
//! ([`Metric`]). What is no sum (latency, agreement of judges, risk against coverage) stands
//! in its own file.

mod agreement;
mod bleu;
mod calibration;
mod chrf;
mod entities;
mod grounding;
mod json;
mod labels;
mod latency;
mod porter;
mod rouge;
pub mod squad;
mod ter;
pub(crate) mod text;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::shares::shares;
use crate::statistics::rows::Rows;
use crate::{Gold, GoldSet, Prediction};
use labels::Classes;

pub use agreement::{Agreement, agreement};
pub use bleu::{BleuRecipe, BleuStatistics, Tokenizer};
pub use calibration::{Bin, area_under_risk, reliability, risk_coverage};
pub use chrf::ChrfRecipe;
pub use entities::{TagScheme, entities};
pub use grounding::{CitedSentence, Grounding, cited_sentences, ground};
pub use labels::Average;
pub use latency::Latency;
pub use rouge::{Rouge, RougeKind, RougeRecipe, rouge};

/// One way to measure answers. Written as [`Metric::name`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Share of answers that are right word for word, as `SQuAD` compares them.
    ExactMatch,
    /// Mean F1 of words, as `SQuAD` computes it.
    TokenF1,
    /// Share of the right short answers that the answer contains (ALCE's `str_em`).
    Contained,
    /// Share of labels that are right.
    Accuracy,
    /// F1 over classes.
    ClassF1(Average),
    /// BLEU, 0 to 100.
    Bleu(BleuRecipe),
    /// chrF or chrF++, 0 to 100.
    Chrf(ChrfRecipe),
    /// Translation edit rate in percent; lower is better.
    Ter,
    /// Mean F1 of ROUGE.
    Rouge(RougeRecipe),
    /// F1 of names that are found whole.
    EntityF1(TagScheme),
    /// Share of answers that are JSON.
    JsonValid,
    /// Share of answers that say the same as the gold's JSON.
    JsonMatch,
    /// F1 of JSON fields, all answers' together.
    FieldF1,
    /// Perplexity of the right answers, per token; lower is better.
    Perplexity,
    /// Bits that the model needs for a byte of the right answers; lower is better.
    BitsPerByte,
    /// Share of the refusals that were right.
    RefusalPrecision,
    /// Share of the questions without answer that were refused.
    RefusalRecall,
    /// Their harmonic mean.
    RefusalF1,
    /// Mean squared distance between confidence and being right (Brier 1950); lower is better.
    Brier,
    /// Expected calibration error over ten equal bins (Naeini et al. 2015); lower is better.
    CalibrationError,
    /// Mean share of an answer's sentences that what they cite says (ALCE).
    CitationRecall,
    /// Mean share of an answer's citations that are needed (ALCE).
    CitationPrecision,
    /// Mean share of an answer's sentences that its evidence says, cited or not.
    Supported,
    /// Mean grade that a language model gives: 1 for a correct answer, ½ for one that is partly
    /// so. Of those whose grade could be read; a candidate that failed is wrong.
    JudgeGrade,
    /// Mean of how far answers rest on their evidence, as a language model says.
    JudgeGrounded,
}

/// A name that is no metric's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}` is not a metric: it must be one of {}", metric_names().join(", "))]
pub struct UnknownMetric {
    /// The name.
    pub name: String,
}

const fn stemmed(kind: RougeKind, stem: bool) -> Metric {
    Metric::Rouge(RougeRecipe { kind, stem })
}

const fn bleu(tokenizer: Tokenizer) -> Metric {
    Metric::Bleu(BleuRecipe {
        tokenizer,
        lowercase: false,
        effective_order: false,
    })
}

/// All metrics with their names.
const NAMES: [(&str, Metric); 38] = [
    ("exact_match", Metric::ExactMatch),
    ("f1", Metric::TokenF1),
    ("contained", Metric::Contained),
    ("accuracy", Metric::Accuracy),
    ("macro_f1", Metric::ClassF1(Average::Macro)),
    ("micro_f1", Metric::ClassF1(Average::Micro)),
    ("weighted_f1", Metric::ClassF1(Average::Weighted)),
    ("bleu", bleu(Tokenizer::V13a)),
    ("bleu_intl", bleu(Tokenizer::International)),
    ("bleu_char", bleu(Tokenizer::Char)),
    ("bleu_none", bleu(Tokenizer::None)),
    ("chrf", Metric::Chrf(ChrfRecipe { words: false })),
    ("chrf++", Metric::Chrf(ChrfRecipe { words: true })),
    ("ter", Metric::Ter),
    ("rouge1", stemmed(RougeKind::One, false)),
    ("rouge2", stemmed(RougeKind::Two, false)),
    ("rougeL", stemmed(RougeKind::Lcs, false)),
    ("rougeLsum", stemmed(RougeKind::LcsOfLines, false)),
    ("rouge1_stem", stemmed(RougeKind::One, true)),
    ("rouge2_stem", stemmed(RougeKind::Two, true)),
    ("rougeL_stem", stemmed(RougeKind::Lcs, true)),
    ("rougeLsum_stem", stemmed(RougeKind::LcsOfLines, true)),
    ("entity_f1", Metric::EntityF1(TagScheme::Lenient)),
    ("entity_f1_iob2", Metric::EntityF1(TagScheme::Iob2)),
    ("json_valid", Metric::JsonValid),
    ("json_match", Metric::JsonMatch),
    ("field_f1", Metric::FieldF1),
    ("perplexity", Metric::Perplexity),
    ("bits_per_byte", Metric::BitsPerByte),
    ("refusal_precision", Metric::RefusalPrecision),
    ("refusal_recall", Metric::RefusalRecall),
    ("refusal_f1", Metric::RefusalF1),
    ("brier", Metric::Brier),
    ("calibration_error", Metric::CalibrationError),
    ("citation_recall", Metric::CitationRecall),
    ("citation_precision", Metric::CitationPrecision),
    ("judge_grade", Metric::JudgeGrade),
    ("judge_grounded", Metric::JudgeGrounded),
];

/// How many bins the calibration error has.
const BINS: usize = 10;

/// What a candidate's answers are worth by one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The metric.
    pub metric: Metric,
    /// Each question's own value, in the order of the gold set: the metric of that question
    /// alone, BLEU with effective order; of labels whether it is right. Nothing where it says
    /// nothing of one question.
    pub by_question: Vec<Option<f64>>,
    pub(crate) rows: Rows,
}

impl Scores {
    /// Returns the score of the whole test set. Nothing where it is not defined: without
    /// questions, or where no answer has what is measured (a likelihood, a confidence).
    pub fn value(&self) -> Option<f64> {
        self.metric.of_sums(&self.rows.total())
    }
}

/// Returns the names of all metrics.
pub fn metric_names() -> Vec<&'static str> {
    let names = NAMES.iter().map(|(name, _)| *name);
    names.chain(["supported"]).collect()
}

impl Metric {
    /// Returns its name: `exact_match`, `f1`, `rougeL`, …
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, metric)| *metric == self)
            .map_or("supported", |(name, _)| name)
    }

    /// Returns whether more of it is better.
    pub fn more_is_better(self) -> bool {
        !matches!(
            self,
            Self::Ter | Self::Perplexity | Self::BitsPerByte | Self::Brier | Self::CalibrationError
        )
    }

    /// Returns whether each answer is right or wrong, and nothing between.
    pub fn is_right_or_wrong(self) -> bool {
        matches!(
            self,
            Self::ExactMatch | Self::Accuracy | Self::JsonValid | Self::JsonMatch
        )
    }

    /// Returns the largest value, where there is one: 1, or 100 for BLEU and chrF.
    pub fn largest(self) -> Option<f64> {
        match self {
            Self::Bleu(_) | Self::Chrf(_) => Some(100.0),
            Self::Ter | Self::Perplexity | Self::BitsPerByte => None,
            _ => Some(1.0),
        }
    }

    /// Returns what is to be said with a figure so that others can compare it: sacreBLEU's
    /// signature, or the reference's name.
    pub fn signature(self, gold: &GoldSet) -> String {
        let mut counts = gold.questions().iter().map(|it| it.answers.len().max(1));
        let first = counts.next();
        let references = first.filter(|first| counts.all(|count| count == *first));
        match self {
            Self::Bleu(recipe) => recipe.signature(references),
            Self::Chrf(recipe) => recipe.signature(references),
            Self::Ter => ter::signature(references),
            Self::ExactMatch | Self::TokenF1 => "SQuAD evaluate-v2.0".into(),
            Self::Contained => "ALCE str_em".into(),
            Self::CitationRecall | Self::CitationPrecision => {
                "ALCE compute_autoais, support by words".into()
            }
            Self::JudgeGrade | Self::JudgeGrounded => "a language model's grades".into(),
            Self::Rouge(recipe) => format!(
                "rouge-score 0.1.2, {}",
                if recipe.stem {
                    "stemmed"
                } else {
                    "not stemmed"
                }
            ),
            Self::Accuracy | Self::ClassF1(_) => "scikit-learn, classes of the gold".into(),
            Self::EntityF1(TagScheme::Lenient) => "seqeval 1.2.2".into(),
            Self::EntityF1(TagScheme::Iob2) => "seqeval 1.2.2, mode=strict, scheme=IOB2".into(),
            _ => self.name().into(),
        }
    }

    /// Scores answers, one for each question in the order of the gold set; a missing one
    /// counts as an empty answer.
    ///
    /// # Panics
    /// If there are not as many answers as questions.
    pub fn score(self, gold: &GoldSet, answers: &[Option<&Prediction>]) -> Scores {
        assert_eq!(
            gold.len(),
            answers.len(),
            "an answer, or none, for each question"
        );
        let classes = match self {
            Self::ClassF1(_) => Classes::new(gold.questions()),
            _ => Classes::default(),
        };
        let of_one = |question: usize| {
            let (gold, answer) = (&gold.questions()[question], answers[question]);
            let said = answer.map(Prediction::said).unwrap_or_default();
            let row = match self {
                Self::ClassF1(_) => classes.statistics(&said, gold),
                _ => self.row(&said, answer, gold),
            };
            (self.of_question(&row, &said, gold), row)
        };
        let parts = shares(gold.len(), |range| range.map(of_one).collect::<Vec<_>>());
        let (by_question, rows): (Vec<_>, Vec<_>) = parts.into_iter().flatten().unzip();
        Scores {
            metric: self,
            by_question,
            rows: Rows::new(self.width(&classes), &rows),
        }
    }

    fn width(self, classes: &Classes) -> usize {
        match self {
            Self::ClassF1(_) => 3 * classes.len(),
            Self::Bleu(_) => bleu::BLEU_STATISTICS,
            Self::Chrf(recipe) => recipe.statistics(),
            Self::CalibrationError => 3 * BINS,
            Self::EntityF1(_)
            | Self::FieldF1
            | Self::RefusalPrecision
            | Self::RefusalRecall
            | Self::RefusalF1 => 3,
            _ => 2,
        }
    }

    /// Returns what a question adds.
    fn row(self, said: &str, answer: Option<&Prediction>, gold: &Gold) -> Vec<(u32, f64)> {
        let right = gold.answers.as_slice();
        let mean = |value: f64| vec![(0, value), (1, 1.0)];
        let truth = |is: bool| mean(f64::from(u8::from(is)));
        let dense = |values: &[f64]| (0..).zip(values.iter().copied()).collect();
        match self {
            // The references leave it open; `SQuAD` does not: to say nothing is right.
            Self::Contained | Self::Rouge(_) | Self::JsonMatch if gold.is_unanswerable() => {
                truth(said.trim().is_empty())
            }
            Self::ExactMatch => truth(squad::exact_match(said, right)),
            Self::TokenF1 => mean(squad::token_f1(said, right)),
            Self::Contained => mean(squad::contained(said, right)),
            Self::Accuracy => truth(labels::is_right(said, gold)),
            Self::ClassF1(_) => Vec::new(),
            Self::Bleu(recipe) => dense(BleuStatistics::new(said, right, recipe).as_slice()),
            Self::Chrf(recipe) => dense(&chrf::chrf_statistics(said, right, recipe)),
            Self::Ter => dense(&ter::ter_statistics(said, right)),
            Self::Rouge(recipe) => mean(rouge(said, right, recipe).f1),
            Self::EntityF1(scheme) => {
                let tags = right.first().map_or("", String::as_str);
                dense(&entities::entity_statistics(said, tags, scheme))
            }
            Self::JsonValid => truth(json::is_valid(said)),
            Self::JsonMatch => truth(json::is_same(said, right)),
            Self::FieldF1 => dense(&json::field_statistics(said, right)),
            Self::Perplexity | Self::BitsPerByte => {
                let Some(likelihood) = answer.and_then(|it| it.likelihood) else {
                    return Vec::new();
                };
                let per = match self {
                    Self::Perplexity => likelihood.tokens,
                    _ => likelihood.bytes,
                };
                dense(&[-likelihood.log_probability, per as f64])
            }
            Self::RefusalPrecision | Self::RefusalRecall | Self::RefusalF1 => {
                let refused = answer.is_some_and(|it| it.refused);
                match (refused, gold.is_unanswerable()) {
                    (true, true) => vec![(0, 1.0)],
                    (true, false) => vec![(1, 1.0)],
                    (false, true) => vec![(2, 1.0)],
                    (false, false) => Vec::new(),
                }
            }
            Self::Brier | Self::CalibrationError => {
                let Some(confidence) = answer.and_then(|it| it.confidence) else {
                    return Vec::new();
                };
                let confidence = confidence.clamp(0.0, 1.0);
                let right = f64::from(u8::from(squad::exact_match(said, right)));
                if self == Self::Brier {
                    return mean((confidence - right).powi(2));
                }
                let bin = 3 * calibration::bin_of(confidence, BINS) as u32;
                vec![(bin, 1.0), (bin + 1, confidence), (bin + 2, right)]
            }
            Self::JudgeGrade => match answer {
                None => mean(0.0),
                Some(answer) if answer.failure.is_some() => mean(0.0),
                Some(answer) => answer
                    .opinion
                    .map_or_else(Vec::new, |it| mean(it.grade.value())),
            },
            Self::JudgeGrounded => answer
                .and_then(|it| it.opinion?.grounded)
                .map_or_else(Vec::new, |it| mean(it.value())),
            Self::CitationRecall | Self::CitationPrecision | Self::Supported => {
                let Some(grounding) = answer.and_then(|it| it.grounding) else {
                    return Vec::new();
                };
                if grounding.sentences == 0 {
                    return Vec::new();
                }
                let (part, whole) = match self {
                    Self::CitationRecall => (grounding.cited_rightly, grounding.sentences),
                    Self::CitationPrecision => (grounding.citations_needed, grounding.citations),
                    _ => (grounding.supported, grounding.sentences),
                };
                mean(text::share(f64::from(part), f64::from(whole)))
            }
        }
    }

    /// Returns the score of sums.
    pub(crate) fn of_sums(self, sums: &[f64]) -> Option<f64> {
        let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        match self {
            Self::ClassF1(average) => labels::class_f1(sums, average),
            Self::Bleu(recipe) => {
                Some(BleuStatistics::from_sums(sums).score(recipe.effective_order))
            }
            Self::Chrf(_) => Some(chrf::chrf(sums)),
            Self::Ter => Some(ter::ter(sums)),
            Self::EntityF1(_) | Self::FieldF1 | Self::RefusalF1 => Some(labels::f1_of(sums)),
            Self::RefusalPrecision => Some(text::share(sums[0], sums[0] + sums[1])),
            Self::RefusalRecall => Some(text::share(sums[0], sums[0] + sums[2])),
            Self::Perplexity => ratio(sums[0], sums[1])
                .map(f64::exp)
                .filter(|it| it.is_finite()),
            Self::BitsPerByte => ratio(sums[0], sums[1]).map(|it| it / std::f64::consts::LN_2),
            Self::CalibrationError => {
                let all: f64 = sums.chunks_exact(3).map(|bin| bin[0]).sum();
                let off: f64 = sums
                    .chunks_exact(3)
                    .map(|bin| (bin[1] - bin[2]).abs())
                    .sum();
                ratio(off, all)
            }
            _ => ratio(sums[0], sums[1]),
        }
    }

    /// Returns the value of one question.
    fn of_question(self, row: &[(u32, f64)], said: &str, gold: &Gold) -> Option<f64> {
        let mut sums = [0.0; 3 * BINS];
        if !matches!(self, Self::ClassF1(_)) {
            for (column, value) in row {
                sums[*column as usize] += value;
            }
        }
        match self {
            Self::ClassF1(_) => Some(f64::from(u8::from(labels::is_right(said, gold)))),
            Self::Bleu(_) => Some(BleuStatistics::from_sums(&sums).score(true)),
            Self::Chrf(recipe) => Some(chrf::chrf(&sums[..recipe.statistics()])),
            // Nothing to find, and nothing found.
            Self::EntityF1(_) | Self::FieldF1 if sums == [0.0; 3 * BINS] => Some(1.0),
            Self::RefusalPrecision | Self::RefusalRecall | Self::RefusalF1 => {
                Some(1.0 - sums[1] - sums[2])
            }
            Self::CalibrationError => None,
            _ => self.of_sums(&sums),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Self, UnknownMetric> {
        if name == "supported" {
            return Ok(Self::Supported);
        }
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, metric)| *metric)
            .ok_or_else(|| UnknownMetric { name: name.into() })
    }
}

impl Serialize for Metric {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        for name in metric_names() {
            let metric: Metric = name.parse().unwrap();
            assert_eq!(metric.name(), name);
        }
        let error = "blue".parse::<Metric>().unwrap_err().to_string();
        assert!(error.starts_with("`blue` is not a metric: it must be one of exact_match, f1"));
    }

    #[test]
    fn to_refuse_what_has_no_answer_is_right_by_every_mean() {
        let set = GoldSet::new([Gold {
            id: contract::QuestionId::new("q"),
            question: String::new(),
            answers: Vec::new(),
            all_together: false,
            passage: None,
            context: None,
        }]);
        let mut answer = Prediction::new(contract::QuestionId::new("q"), "not in the documents");
        for refused in [true, false] {
            answer.refused = refused;
            for name in [
                "exact_match",
                "f1",
                "contained",
                "rougeL",
                "accuracy",
                "json_match",
            ] {
                let metric: Metric = name.parse().unwrap();
                let found = metric.score(&set, &[Some(&answer)]).value();
                assert_eq!(found, Some(f64::from(u8::from(refused))), "{name}");
            }
        }
    }

    #[test]
    fn no_metric_is_a_number_that_is_none() {
        let gold = |answers: &[&str]| Gold {
            id: contract::QuestionId::new(answers.concat()),
            question: String::new(),
            answers: answers.iter().map(|it| (*it).to_owned()).collect(),
            all_together: false,
            passage: None,
            context: None,
        };
        let sets = [
            vec![],
            vec![gold(&[])],
            vec![gold(&[]), gold(&[""]), gold(&["a"])],
        ];
        for set in sets {
            let set = GoldSet::new(set);
            let empty = Prediction::new(contract::QuestionId::new("x"), "");
            for answer in [None, Some(&empty)] {
                let answers = vec![answer; set.len()];
                for name in metric_names() {
                    let metric: Metric = name.parse().unwrap();
                    let scores = metric.score(&set, &answers);
                    let all = scores.by_question.iter().copied().chain([scores.value()]);
                    for value in all.flatten() {
                        assert!(value.is_finite(), "{name} {value}");
                    }
                }
            }
        }
    }
}
