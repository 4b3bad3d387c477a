//! Texts with one label each.

use std::collections::BTreeMap;

use model::Tokens;
use model::bert::Batch;

use super::{Exercises, Judge, Targets, likeliest, named, share};
use crate::learner::Size;

/// Texts, each with the number of its label.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    /// How many labels there are.
    count: usize,
    texts: Vec<(Tokens, u32)>,
}

impl Classes {
    /// Returns none, to be labelled with one of `count` labels.
    pub fn new(count: usize) -> Self {
        Self {
            count,
            texts: Vec::new(),
        }
    }

    /// Adds a text, and its label's place among the labels.
    ///
    /// # Panics
    /// If that is none of them.
    pub fn push(&mut self, text: Tokens, label: u32) {
        assert!((label as usize) < self.count, "a text's label is known");
        self.texts.push((text, label));
    }
}

impl Exercises for Classes {
    fn len(&self) -> usize {
        self.texts.len()
    }

    fn size(&self, exercise: usize) -> Size {
        Size {
            tokens: self.texts[exercise].0.ids.len(),
            units: 1.0,
        }
    }

    fn batch(&self, exercises: &[usize]) -> (Batch, Targets) {
        let chosen = exercises.iter().map(|it| &self.texts[*it]);
        let labels = chosen.clone().map(|(_, label)| *label);
        let targets = Targets::Classes(labels.collect());
        (Batch::of(chosen.map(|(text, _)| text)), targets)
    }

    fn judge(&self) -> Box<dyn Judge + '_> {
        Box::new(OfClasses {
            set: self,
            right: vec![0; self.count],
            named: vec![0; self.count],
            texts: 0,
        })
    }

    fn show(&self, exercise: usize, names: &[String]) -> String {
        format!("label `{}`", names[self.texts[exercise].1 as usize])
    }
}

struct OfClasses<'a> {
    set: &'a Classes,
    /// How often each label is given where it is expected.
    right: Vec<usize>,
    /// How often a label is expected, and how often given, together.
    named: Vec<usize>,
    texts: usize,
}

impl OfClasses<'_> {
    fn give(&mut self, expected: u32, given: u32) {
        self.named[expected as usize] += 1;
        self.named[given as usize] += 1;
        self.right[expected as usize] += usize::from(expected == given);
        self.texts += 1;
    }
}

impl Judge for OfClasses<'_> {
    fn take(&mut self, exercises: &[usize], outputs: &[f32]) {
        for (row, exercise) in outputs.chunks_exact(self.set.count).zip(exercises) {
            self.give(self.set.texts[*exercise].1, likeliest(row));
        }
    }

    /// The share that is right, and the mean of the labels' F1, each label counting the
    /// same, over those that are expected or given somewhere: scikit-learn's
    /// `f1_score(average="macro")`.
    fn measures(self: Box<Self>) -> BTreeMap<String, f64> {
        named([
            ("accuracy", share(self.right.iter().sum(), self.texts)),
            ("macro_f1", macro_f1(&self.right, &self.named)),
        ])
    }
}

/// Returns the mean of the labels' F1 over those that are expected or given somewhere, each
/// counting the same. `right` is how often a label is given where it is expected, `named`
/// how often it is expected and how often given, together.
pub(super) fn macro_f1(right: &[usize], named: &[usize]) -> f64 {
    let seen = right.iter().zip(named).filter(|(_, named)| **named > 0);
    let (sum, count) = seen.fold((0.0, 0), |(sum, count), (right, named)| {
        (sum + share(2 * right, *named), count + 1)
    });
    sum / f64::from(count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_judged_as_scikit_learn_does() {
        // sklearn.metrics.f1_score([0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 0, 4], average="macro")
        let set = Classes::new(6);
        let mut judge = OfClasses {
            set: &set,
            right: vec![0; 6],
            named: vec![0; 6],
            texts: 0,
        };
        for (expected, given) in [(0, 0), (0, 1), (1, 1), (1, 1), (2, 0), (2, 4)] {
            judge.give(expected, given);
        }
        let found = Box::new(judge).measures();
        assert_eq!(found["accuracy"], 0.5);
        assert!((found["macro_f1"] - 0.325).abs() < 1e-12, "{found:?}");
    }
}
