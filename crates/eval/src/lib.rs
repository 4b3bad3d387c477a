//! Evaluating any candidate: what it found, what it answered, and whether a
//! difference is one.
//!
//! This crate judges and cannot see how a candidate works: it knows results and
//! judgements only.

mod prediction;
pub mod ranking;
pub mod trec;

pub use prediction::{Gold, Prediction};
pub use ranking::{Measure, Qrels, RankingReport, Run, evaluate};
