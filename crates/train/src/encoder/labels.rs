//! Texts with any number of labels each.

use std::collections::BTreeMap;

use model::Tokens;
use model::bert::Batch;

use super::classes::macro_f1;
use super::{Exercises, Judge, Targets, named, share};
use crate::learner::Size;

/// Texts, each with the numbers of its labels.
#[derive(Clone, Debug, Default)]
pub struct LabelSets {
    /// How many labels there are.
    count: usize,
    texts: Vec<(Tokens, Vec<u32>)>,
}

impl LabelSets {
    /// Returns none, to be labelled with any of `count` labels.
    pub fn new(count: usize) -> Self {
        Self {
            count,
            texts: Vec::new(),
        }
    }

    /// Adds a text, and its labels' places among the labels.
    ///
    /// # Panics
    /// If one is none of them.
    pub fn push(&mut self, text: Tokens, labels: Vec<u32>) {
        let known = labels.iter().all(|label| (*label as usize) < self.count);
        assert!(known, "a text's labels are known");
        self.texts.push((text, labels));
    }
}

impl Exercises for LabelSets {
    fn len(&self) -> usize {
        self.texts.len()
    }

    fn size(&self, exercise: usize) -> Size {
        Size {
            tokens: self.texts[exercise].0.ids.len(),
            units: self.count as f64,
        }
    }

    fn batch(&self, exercises: &[usize]) -> (Batch, Targets) {
        let chosen = exercises.iter().map(|it| &self.texts[*it]);
        let mut targets = vec![0.0; exercises.len() * self.count];
        for ((_, labels), row) in chosen.clone().zip(targets.chunks_exact_mut(self.count)) {
            for label in labels {
                row[*label as usize] = 1.0;
            }
        }
        let batch = Batch::of(chosen.map(|(text, _)| text));
        (batch, Targets::Labels(targets))
    }

    fn judge(&self) -> Box<dyn Judge + '_> {
        Box::new(OfLabels {
            set: self,
            right: vec![0; self.count],
            named: vec![0; self.count],
            equal: 0,
            texts: 0,
        })
    }

    fn show(&self, exercise: usize, names: &[String]) -> String {
        let labels = self.texts[exercise].1.iter();
        let labels: Vec<&str> = labels.map(|it| &*names[*it as usize]).collect();
        format!("labels `{}`", labels.join("`, `"))
    }
}

struct OfLabels<'a> {
    set: &'a LabelSets,
    /// How often each label is given where it is expected.
    right: Vec<usize>,
    /// How often a label is expected, and how often given, together.
    named: Vec<usize>,
    /// Texts with the very labels that are expected.
    equal: usize,
    texts: usize,
}

impl OfLabels<'_> {
    fn give(&mut self, expected: &[u32], given: &[bool]) {
        let mut equal = true;
        for (label, given) in given.iter().enumerate() {
            let expected = expected.contains(&(label as u32));
            self.named[label] += usize::from(expected) + usize::from(*given);
            self.right[label] += usize::from(expected && *given);
            equal &= expected == *given;
        }
        self.equal += usize::from(equal);
        self.texts += 1;
    }
}

impl Judge for OfLabels<'_> {
    fn take(&mut self, exercises: &[usize], outputs: &[f32]) {
        for (row, exercise) in outputs.chunks_exact(self.set.count).zip(exercises) {
            // As likely as not is a logit of 0.
            let given: Vec<bool> = row.iter().map(|logit| *logit >= 0.0).collect();
            self.give(&self.set.texts[*exercise].1, &given);
        }
    }

    /// scikit-learn's `f1_score(average="micro")` and `"macro"` (over the labels that are
    /// expected or given somewhere), and `accuracy_score`: the share of texts with the very
    /// labels that are expected.
    fn measures(self: Box<Self>) -> BTreeMap<String, f64> {
        let (right, all) = (self.right.iter().sum::<usize>(), self.named.iter().sum());
        named([
            ("accuracy", share(self.equal, self.texts)),
            ("macro_f1", macro_f1(&self.right, &self.named)),
            ("micro_f1", share(2 * right, all)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_labels_are_judged_as_scikit_learn_does() {
        // y = [[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]], z = [[1, 0, 0], [0, 1, 1],
        // [0, 0, 0], [1, 1, 0]]: f1_score(y, z, average="micro") 0.8, "macro" 0.6666…,
        // accuracy_score(y, z) 0.5
        let set = LabelSets::new(3);
        let mut judge = OfLabels {
            set: &set,
            right: vec![0; 3],
            named: vec![0; 3],
            equal: 0,
            texts: 0,
        };
        for (expected, given) in [
            (&[0, 2][..], [true, false, false]),
            (&[1], [false, true, true]),
            (&[], [false, false, false]),
            (&[0, 1], [true, true, false]),
        ] {
            judge.give(expected, &given);
        }
        let found = Box::new(judge).measures();
        assert_eq!((found["accuracy"], found["micro_f1"]), (0.5, 0.8));
        assert!((found["macro_f1"] - 2.0 / 3.0).abs() < 1e-12, "{found:?}");
    }
}
