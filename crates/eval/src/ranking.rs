//! How good a ranking is, by the definitions of `trec_eval` (NIST, version 9), to
//! which every published figure refers.
//!
//! - A document is *relevant* if it was judged 1 or higher. One that was not judged,
//!   or judged 0 or lower, is not.
//! - Documents of equal score stand in descending order of their ids (by bytes),
//!   whatever order the run lists them in. Scores are compared in single precision:
//!   what differs by less is equal.
//! - The gain of nDCG is the judgement itself, discounted by `log2(rank + 1)`
//!   (Järvelin and Kekäläinen 2002 with the discount of Burges et al. 2005); the
//!   ideal is made of all relevant documents of the question.
//! - A question without relevant documents scores 0 and counts in the mean.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use contract::QuestionId;
use serde::{Serialize, Serializer};
use thiserror::Error;

/// What was judged: for each question, documents and how relevant they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Qrels {
    judged: BTreeMap<QuestionId, BTreeMap<String, i32>>,
}

/// What was found: for each question, documents and their scores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    found: BTreeMap<QuestionId, BTreeMap<String, f64>>,
}

/// One way to measure a ranking.
///
/// Written as `ndcg@10`, `recall@100`, `precision@5`, `mrr@10`, `map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Normalised discounted cumulative gain of the first `k`
    /// (`ndcg_cut` in `trec_eval`).
    Ndcg(NonZeroU32),
    /// Share of the relevant documents that are among the first `k` (`recall`).
    Recall(NonZeroU32),
    /// Share of the first `k` places that hold a relevant document (`P`); a place
    /// that is empty holds none.
    Precision(NonZeroU32),
    /// One over the rank of the first relevant document, or 0 if it is not among
    /// the first `k` (`recip_rank`, which has no cut).
    Mrr(NonZeroU32),
    /// Mean, over the relevant documents, of the precision at the rank of each; 0
    /// for those not found (`map`).
    Map,
}

/// A name that is no measure's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{name}` is not a measure: it must be `ndcg@K`, `recall@K`, `precision@K`, `mrr@K` with a \
     whole number K from 1, or `map`"
)]
pub struct UnknownMeasure {
    /// The name.
    pub name: String,
}

/// How good a run is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RankingReport {
    /// The means over all judged questions; one that the run lacks counts 0, so that
    /// finding nothing does not raise a mean (`trec_eval -c`).
    pub mean: BTreeMap<Measure, f64>,
    /// The means over those judged questions that the run has (`trec_eval` without
    /// `-c`, and `pytrec_eval`). 0 if there are none.
    pub mean_of_found: BTreeMap<Measure, f64>,
    /// The values of each judged question that the run has.
    pub questions: BTreeMap<QuestionId, BTreeMap<Measure, f64>>,
    /// How many questions were judged.
    pub judged: usize,
}

impl Qrels {
    /// Returns the judgements of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that `document` was judged for `question`; returns what it was judged
    /// before.
    pub fn insert(
        &mut self,
        question: QuestionId,
        document: impl Into<String>,
        relevance: i32,
    ) -> Option<i32> {
        self.judged
            .entry(question)
            .or_default()
            .insert(document.into(), relevance)
    }

    /// Returns the judged questions in order, each with its documents' relevance.
    pub fn iter(&self) -> impl Iterator<Item = (&QuestionId, &BTreeMap<String, i32>)> {
        self.judged.iter()
    }

    /// Returns how many questions were judged.
    pub fn len(&self) -> usize {
        self.judged.len()
    }

    /// Returns whether nothing was judged.
    pub fn is_empty(&self) -> bool {
        self.judged.is_empty()
    }
}

impl Run {
    /// Returns the run that found nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that `question` was asked, even if nothing is found for it.
    pub fn ask(&mut self, question: QuestionId) {
        self.found.entry(question).or_default();
    }

    /// Records that `document` was found for `question`; returns its score before.
    pub fn insert(
        &mut self,
        question: QuestionId,
        document: impl Into<String>,
        score: f64,
    ) -> Option<f64> {
        self.found
            .entry(question)
            .or_default()
            .insert(document.into(), score)
    }

    /// Drops every document that is its own question, as BEIR does: in its sets of
    /// questions that are documents themselves, such a hit shows nothing.
    pub fn drop_own_documents(&mut self) {
        for (question, documents) in &mut self.found {
            documents.remove(question.as_str());
        }
    }

    /// Returns the questions in order, each with its documents' scores.
    pub fn iter(&self) -> impl Iterator<Item = (&QuestionId, &BTreeMap<String, f64>)> {
        self.found.iter()
    }

    /// Returns what was found for `question`, the best first; of equal scores the
    /// larger id first.
    pub fn ranked(&self, question: &QuestionId) -> Vec<&str> {
        let Some(documents) = self.found.get(question) else {
            return Vec::new();
        };
        let mut ranked = documents.iter().collect::<Vec<_>>();
        ranked.sort_by(|a, b| {
            (*b.1 as f32)
                .total_cmp(&(*a.1 as f32))
                .then_with(|| b.0.cmp(a.0))
        });
        ranked
            .into_iter()
            .map(|(document, _)| document.as_str())
            .collect()
    }
}

/// Measures `run` by what was judged. Questions that were not judged are left out.
pub fn evaluate(qrels: &Qrels, run: &Run, measures: &[Measure]) -> RankingReport {
    let mut questions = BTreeMap::new();
    for (question, judged) in qrels.iter() {
        if !run.found.contains_key(question) {
            continue;
        }
        let ranking = Ranking::new(judged, &run.ranked(question));
        let values = measures
            .iter()
            .map(|measure| (*measure, ranking.measure(*measure)));
        questions.insert(question.clone(), values.collect::<BTreeMap<_, _>>());
    }
    let mean_over = |count: usize| {
        let mean = |measure: &Measure| {
            let sum = questions
                .values()
                .map(|values| values[measure])
                .sum::<f64>();
            (*measure, sum / count.max(1) as f64)
        };
        measures.iter().map(mean).collect()
    };
    RankingReport {
        mean: mean_over(qrels.len()),
        mean_of_found: mean_over(questions.len()),
        judged: qrels.len(),
        questions,
    }
}

/// One question's ranking, as gains.
struct Ranking {
    /// The relevance of what was found, in its order; 0 for what is not relevant.
    gains: Vec<u32>,
    /// The relevance of all that is relevant, the highest first.
    ideal: Vec<u32>,
}

impl Ranking {
    fn new(judged: &BTreeMap<String, i32>, ranked: &[&str]) -> Self {
        let gain = |relevance: i32| u32::try_from(relevance).unwrap_or(0);
        let mut ideal = judged
            .values()
            .map(|r| gain(*r))
            .filter(|g| *g > 0)
            .collect::<Vec<_>>();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        let of = |document: &&str| judged.get(*document).map_or(0, |r| gain(*r));
        Self {
            gains: ranked.iter().map(of).collect(),
            ideal,
        }
    }

    fn measure(&self, measure: Measure) -> f64 {
        if self.ideal.is_empty() {
            return 0.0;
        }
        let relevant = self.ideal.len() as f64;
        match measure {
            Measure::Ndcg(k) => gain_of(&self.gains, k) / gain_of(&self.ideal, k),
            Measure::Recall(k) => self.hits(k) / relevant,
            Measure::Precision(k) => self.hits(k) / f64::from(k.get()),
            Measure::Mrr(k) => {
                let first = self.gains.iter().take(places(k)).position(|gain| *gain > 0);
                first.map_or(0.0, |index| 1.0 / (index + 1) as f64)
            }
            Measure::Map => {
                let (mut hits, mut sum) = (0.0, 0.0);
                for (index, _) in self.gains.iter().enumerate().filter(|(_, gain)| **gain > 0) {
                    hits += 1.0;
                    sum += hits / (index + 1) as f64;
                }
                sum / relevant
            }
        }
    }

    fn hits(&self, k: NonZeroU32) -> f64 {
        self.gains
            .iter()
            .take(places(k))
            .filter(|gain| **gain > 0)
            .count() as f64
    }
}

fn gain_of(gains: &[u32], k: NonZeroU32) -> f64 {
    let discounted = |(index, gain): (usize, &u32)| f64::from(*gain) / ((index + 2) as f64).log2();
    gains
        .iter()
        .take(places(k))
        .enumerate()
        .map(discounted)
        .sum()
}

fn places(k: NonZeroU32) -> usize {
    k.get() as usize
}

impl Measure {
    /// Returns nDCG of the first `k`. Panics if `k` is 0, as do the three below.
    pub const fn ndcg(k: u32) -> Self {
        Self::Ndcg(cut(k))
    }

    /// Returns recall within the first `k`.
    pub const fn recall(k: u32) -> Self {
        Self::Recall(cut(k))
    }

    /// Returns precision of the first `k`.
    pub const fn precision(k: u32) -> Self {
        Self::Precision(cut(k))
    }

    /// Returns the reciprocal rank within the first `k`.
    pub const fn mrr(k: u32) -> Self {
        Self::Mrr(cut(k))
    }
}

const fn cut(k: u32) -> NonZeroU32 {
    NonZeroU32::new(k).expect("a ranking is cut after at least one place")
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ndcg(k) => write!(f, "ndcg@{k}"),
            Self::Recall(k) => write!(f, "recall@{k}"),
            Self::Precision(k) => write!(f, "precision@{k}"),
            Self::Mrr(k) => write!(f, "mrr@{k}"),
            Self::Map => f.write_str("map"),
        }
    }
}

impl FromStr for Measure {
    type Err = UnknownMeasure;

    fn from_str(name: &str) -> Result<Self, UnknownMeasure> {
        let unknown = || UnknownMeasure { name: name.into() };
        let Some((kind, k)) = name.split_once('@') else {
            return if name == "map" {
                Ok(Self::Map)
            } else {
                Err(unknown())
            };
        };
        let k = k.parse().map_err(|_| unknown())?;
        match kind {
            "ndcg" => Ok(Self::Ndcg(k)),
            "recall" => Ok(Self::Recall(k)),
            "precision" => Ok(Self::Precision(k)),
            "mrr" => Ok(Self::Mrr(k)),
            _ => Err(unknown()),
        }
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question() -> QuestionId {
        QuestionId::new("q")
    }

    fn check(judged: &[(&str, i32)], found: &[(&str, f64)], measure: Measure, expect: f64) {
        let (mut qrels, mut run) = (Qrels::new(), Run::new());
        for (document, relevance) in judged {
            qrels.insert(question(), *document, *relevance);
        }
        for (document, score) in found {
            run.insert(question(), *document, *score);
        }
        let report = evaluate(&qrels, &run, &[measure]);
        let value = report.questions[&question()][&measure];
        assert!(
            (value - expect).abs() < 1e-12,
            "{measure}: {value}, not {expect}"
        );
    }

    #[test]
    fn measures_by_hand() {
        let judged = [("a", 2), ("b", 1), ("c", 0), ("d", -1), ("e", 1)];
        let found = [("c", 9.0), ("a", 8.0), ("x", 7.0), ("b", 6.0), ("d", 5.0)];
        check(&judged, &found, Measure::mrr(10), 0.5);
        check(&judged, &found, Measure::mrr(1), 0.0);
        check(&judged, &found, Measure::precision(2), 0.5);
        check(&judged, &found, Measure::precision(10), 0.2);
        check(&judged, &found, Measure::recall(4), 2.0 / 3.0);
        check(&judged, &found, Measure::Map, (1.0 / 2.0 + 2.0 / 4.0) / 3.0);
        let ideal = 2.0 + 1.0 / 3f64.log2() + 0.5;
        check(&judged, &found, Measure::ndcg(3), 2.0 / 3f64.log2() / ideal);
    }

    #[test]
    fn of_equal_scores_the_larger_id_stands_first() {
        check(&[("a", 1)], &[("a", 1.0), ("b", 1.0)], Measure::mrr(5), 0.5);
        check(&[("b", 1)], &[("a", 1.0), ("b", 1.0)], Measure::mrr(5), 1.0);
        let close = [("a", 1.0 + 1e-9), ("b", 1.0)];
        check(&[("b", 1)], &close, Measure::mrr(5), 1.0);
    }

    #[test]
    fn a_question_that_the_run_lacks_lowers_the_mean() {
        let (mut qrels, mut run) = (Qrels::new(), Run::new());
        qrels.insert(question(), "a", 1);
        qrels.insert(QuestionId::new("lacking"), "a", 1);
        run.insert(question(), "a", 1.0);
        run.insert(QuestionId::new("not judged"), "a", 1.0);
        let report = evaluate(&qrels, &run, &[Measure::Map]);
        assert_eq!(report.mean[&Measure::Map], 0.5);
        assert_eq!(report.mean_of_found[&Measure::Map], 1.0);
        assert_eq!((report.judged, report.questions.len()), (2, 1));
    }

    #[test]
    fn nothing_relevant_scores_nothing() {
        check(&[("a", 0)], &[("a", 1.0)], Measure::Map, 0.0);
        check(&[("a", 0)], &[("a", 1.0)], Measure::ndcg(10), 0.0);
        let empty = evaluate(&Qrels::new(), &Run::new(), &[Measure::Map]);
        assert_eq!(empty.mean[&Measure::Map], 0.0);
    }

    #[test]
    fn its_own_document_shows_nothing() {
        let mut run = Run::new();
        run.insert(question(), "q", 2.0);
        run.insert(question(), "a", 1.0);
        run.drop_own_documents();
        assert_eq!(run.ranked(&question()), ["a"]);
    }

    #[test]
    fn a_measure_reads_as_it_is_written() {
        for name in ["ndcg@10", "recall@100", "precision@5", "mrr@10", "map"] {
            assert_eq!(name.parse::<Measure>().unwrap().to_string(), name);
        }
        for name in ["ndcg", "ndcg@0", "map@3", "f1@2", "mrr@-1", ""] {
            assert!(name.parse::<Measure>().is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_ideal_ranking_scores_one_and_none_scores_more(
            judged in prop::collection::btree_map("[a-h]", -1i32..4, 1..8),
            scores in prop::collection::btree_map("[a-h]", 0u8..4, 1..8),
            k in 1u32..9,
        ) {
            let (mut qrels, mut run, mut ideal) = (Qrels::new(), Run::new(), Run::new());
            for (document, relevance) in &judged {
                qrels.insert(question(), document, *relevance);
                ideal.insert(question(), document, f64::from(*relevance));
            }
            for (document, score) in &scores {
                run.insert(question(), document, f64::from(*score));
            }
            let measures = [Measure::ndcg(k), Measure::recall(k), Measure::mrr(k), Measure::Map];
            let best = evaluate(&qrels, &ideal, &measures);
            for (measure, value) in evaluate(&qrels, &run, &measures).mean {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value));
                prop_assert!(value <= best.mean[&measure] + 1e-12);
            }
            let any = judged.values().any(|relevance| *relevance > 0);
            let expect = f64::from(u8::from(any));
            prop_assert!((best.mean[&Measure::ndcg(k)] - expect).abs() < 1e-12);
        }
    }
}
