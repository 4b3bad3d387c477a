//! Evaluating any candidate: what it found, what it answered, and whether a
//! difference is one.
//!
//! This crate judges and cannot see how a candidate works: it knows results and
//! judgements only.

pub mod advice;
pub mod compare;
pub mod flips;
pub mod gold;
pub mod judge;
pub mod metric;
pub mod prediction;
mod predictions;
mod random;
pub mod ranking;
pub mod report;
mod shares;
pub mod statistics;
pub mod trec;
pub mod verdict;
pub mod why;

pub use compare::{CandidateAnswers, CompareError, Compared, Cost, Plan, compare};
pub use flips::{Flips, Situation, Weights, flips};
pub use gold::{Gold, GoldSet};
pub use metric::{Metric, Scores, UnknownMetric};
pub use prediction::{GivenEvidence, Likelihood, Prediction};
pub use predictions::{PredictionsError, read_predictions, write_predictions};
pub use ranking::{Measure, Qrels, RankingReport, Run, evaluate};
pub use report::Report;
pub use verdict::{Outcome, Verdict};
pub use why::{Cause, Judged, causes};
