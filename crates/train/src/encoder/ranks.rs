//! Questions with a passage that belongs to each and others that do not.

use std::collections::BTreeMap;

use model::Tokens;
use model::bert::Batch;

use super::{Exercises, Judge, Targets, named};
use crate::learner::Size;

/// Questions, each read together with its passage and with others, which are to score less
/// than that.
#[derive(Clone, Debug, Default)]
pub struct RankedPassages {
    /// The passage that belongs to the question is the first.
    groups: Vec<Vec<Tokens>>,
}

impl RankedPassages {
    /// Returns none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a question with its passage, and with each of the others.
    ///
    /// # Panics
    /// If there is no other: then nothing could be learnt.
    pub fn push(&mut self, passage: Tokens, others: impl IntoIterator<Item = Tokens>) {
        let group: Vec<Tokens> = std::iter::once(passage).chain(others).collect();
        assert!(group.len() > 1, "there is a passage to be told from");
        self.groups.push(group);
    }
}

impl Exercises for RankedPassages {
    fn len(&self) -> usize {
        self.groups.len()
    }

    fn size(&self, exercise: usize) -> Size {
        let texts = self.groups[exercise].iter();
        Size {
            tokens: texts.map(|text| text.ids.len()).sum(),
            units: 1.0,
        }
    }

    fn batch(&self, exercises: &[usize]) -> (Batch, Targets) {
        let chosen = exercises.iter().map(|it| &self.groups[*it]);
        let targets = Targets::Groups(chosen.clone().map(Vec::len).collect());
        (Batch::of(chosen.flatten()), targets)
    }

    fn judge(&self) -> Box<dyn Judge + '_> {
        Box::new(OfRanks {
            set: self,
            places: Vec::new(),
        })
    }

    fn show(&self, exercise: usize, _: &[String]) -> String {
        format!("a passage and {} others", self.groups[exercise].len() - 1)
    }
}

struct OfRanks<'a> {
    set: &'a RankedPassages,
    /// The place of each question's passage among its group, from 1.
    places: Vec<usize>,
}

impl Judge for OfRanks<'_> {
    fn take(&mut self, exercises: &[usize], outputs: &[f32]) {
        let mut rest = outputs;
        for exercise in exercises {
            let (scores, after) = rest.split_at(self.set.groups[*exercise].len());
            rest = after;
            // Equals stand before it: to score all alike is no merit.
            let before = scores[1..].iter().filter(|score| **score >= scores[0]);
            self.places.push(1 + before.count());
        }
    }

    /// The share of questions whose passage is the first, and the mean reciprocal rank.
    fn measures(self: Box<Self>) -> BTreeMap<String, f64> {
        ranking(&self.places)
    }
}

/// Returns measures of the places of what was looked for, from 1.
fn ranking(places: &[usize]) -> BTreeMap<String, f64> {
    let mean = |each: &dyn Fn(usize) -> f64| {
        let sum: f64 = places.iter().map(|place| each(*place)).sum();
        sum / places.len().max(1) as f64
    };
    named([
        ("accuracy", mean(&|place| f64::from(u8::from(place == 1)))),
        ("mrr", mean(&|place| 1.0 / place as f64)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_has_to_score_more_than_the_others() {
        let text = Tokens {
            ids: vec![1],
            segments: vec![0],
        };
        let mut set = RankedPassages::new();
        for others in [1, 2, 1] {
            set.push(text.clone(), vec![text.clone(); others]);
        }
        let mut judge = set.judge();
        judge.take(&[0, 1], &[2.0, 1.0, 0.0, 5.0, 6.0]);
        judge.take(&[2], &[1.0, 1.0]);
        let found = judge.measures();
        let third = 1.0 / 3.0;
        assert!((found["accuracy"] - third).abs() < 1e-12, "{found:?}");
        let mrr = (1.0 + third + 0.5) / 3.0;
        assert!((found["mrr"] - mrr).abs() < 1e-12, "{found:?}");
    }
}
