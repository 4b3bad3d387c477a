//! Pairs of texts with how well they go together.

use std::collections::BTreeMap;

use model::Tokens;
use model::bert::Batch;

use super::{Exercises, Judge, Targets, named, share};
use crate::learner::Size;

/// Pairs of texts that are read together, each with its score, 0 to 1.
#[derive(Clone, Debug, Default)]
pub struct ScoredPairs {
    pairs: Vec<(Tokens, f32)>,
}

impl ScoredPairs {
    /// Returns none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair and its score.
    ///
    /// # Panics
    /// If that is not from 0 to 1.
    pub fn push(&mut self, pair: Tokens, score: f32) {
        assert!((0.0..=1.0).contains(&score), "a score is from 0 to 1");
        self.pairs.push((pair, score));
    }
}

impl Exercises for ScoredPairs {
    fn len(&self) -> usize {
        self.pairs.len()
    }

    fn size(&self, exercise: usize) -> Size {
        Size {
            tokens: self.pairs[exercise].0.ids.len(),
            units: 1.0,
        }
    }

    fn batch(&self, exercises: &[usize]) -> (Batch, Targets) {
        let chosen = exercises.iter().map(|it| &self.pairs[*it]);
        let scores = chosen.clone().map(|(_, score)| *score);
        let targets = Targets::Scores(scores.collect());
        (Batch::of(chosen.map(|(pair, _)| pair)), targets)
    }

    fn judge(&self) -> Box<dyn Judge + '_> {
        Box::new(OfPairs {
            set: self,
            scores: Vec::new(),
        })
    }

    fn show(&self, exercise: usize, _: &[String]) -> String {
        format!("score {}", self.pairs[exercise].1)
    }
}

struct OfPairs<'a> {
    set: &'a ScoredPairs,
    /// The score that each pair is to have, and what it was given, a logit.
    scores: Vec<(f32, f32)>,
}

impl Judge for OfPairs<'_> {
    fn take(&mut self, exercises: &[usize], outputs: &[f32]) {
        let expected = exercises.iter().map(|it| self.set.pairs[*it].1);
        self.scores.extend(expected.zip(outputs.iter().copied()));
    }

    /// Of scores that are all 0 or 1, the share that is on the right side of a half, and
    /// scikit-learn's `average_precision_score`; of others, Spearman's rank correlation.
    fn measures(self: Box<Self>) -> BTreeMap<String, f64> {
        if self.scores.iter().any(|(it, _)| *it != 0.0 && *it != 1.0) {
            return named([("spearman", spearman(&self.scores))]);
        }
        let right = |(expected, given): &&(f32, f32)| (*expected == 1.0) == (*given >= 0.0);
        let right = self.scores.iter().filter(right).count();
        named([
            ("accuracy", share(right, self.scores.len())),
            ("average_precision", average_precision(&self.scores)),
        ])
    }
}

/// Returns the mean of the precision over the recall: each step in the list, best first,
/// counts by what it adds to the recall; equal scores are one step. Where nothing is right,
/// 0.
fn average_precision(scores: &[(f32, f32)]) -> f64 {
    let mut scores = scores.to_vec();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all = scores.iter().filter(|(expected, _)| *expected == 1.0);
    let all = all.count();
    let (mut right, mut taken, mut sum) = (0, 0, 0.0);
    for step in scores.chunk_by(|a, b| a.1 == b.1) {
        let more = step.iter().filter(|(expected, _)| *expected == 1.0).count();
        (right, taken) = (right + more, taken + step.len());
        sum += share(more, all) * share(right, taken);
    }
    sum
}

/// Returns the correlation of two rankings (Spearman 1904): Pearson's of their ranks, equals
/// sharing the mean of theirs. Where one side is all equal there is none: 0.
fn spearman(scores: &[(f32, f32)]) -> f64 {
    let first = ranks(&scores.iter().map(|it| it.0).collect::<Vec<_>>());
    let second = ranks(&scores.iter().map(|it| it.1).collect::<Vec<_>>());
    let mean = (scores.len() as f64 - 1.0) / 2.0;
    let both = first.iter().zip(&second);
    let together: f64 = both.map(|(a, b)| (a - mean) * (b - mean)).sum();
    let alone = |ranks: &[f64]| ranks.iter().map(|it| (it - mean).powi(2)).sum::<f64>();
    let size = (alone(&first) * alone(&second)).sqrt();
    if size > 0.0 { together / size } else { 0.0 }
}

/// Returns the rank of each number, from 0.
fn ranks(numbers: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut first = 0;
    for equals in order.chunk_by(|a, b| numbers[*a] == numbers[*b]) {
        let rank = first as f64 + (equals.len() as f64 - 1.0) / 2.0;
        for at in equals {
            ranks[*at] = rank;
        }
        first += equals.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_scores_are_judged_as_scikit_learn_does() {
        // average_precision_score([0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.4, 0.4])
        let scores = [
            (0.0, 0.1),
            (0.0, 0.4),
            (1.0, 0.35),
            (1.0, 0.8),
            (0.0, 0.4),
            (1.0, 0.4),
        ];
        let found = average_precision(&scores);
        assert!((found - 0.7).abs() < 1e-12, "{found}");
    }

    #[test]
    fn others_are_judged_as_scipy_does() {
        // scipy.stats.spearmanr([1, 2, 2, 4, 5], [5, 6, 7, 8, 7]).statistic
        let scores = [(1.0, 5.0), (2.0, 6.0), (2.0, 7.0), (4.0, 8.0), (5.0, 7.0)];
        assert!((spearman(&scores) - 0.763_157_894_736_842).abs() < 1e-12);
        assert_eq!(spearman(&[(1.0, 2.0), (2.0, 2.0)]), 0.0);
    }
}
