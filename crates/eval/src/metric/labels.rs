//! Labels: accuracy, and F1 over classes as scikit-learn defines them (`accuracy_score`,
//! `f1_score` with `zero_division=0` and `labels` those of the gold).
//!
//! Labels are compared as they are written, white space at their ends aside. The classes are
//! those that the gold has: what a candidate makes up is wrong, and no class of its own, so
//! that all candidates are averaged over the same classes.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{f1, share};
use crate::Gold;

/// How F1 over classes is made one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Average {
    /// The mean of the classes' F1, each counting the same.
    Macro,
    /// F1 of all classes' hits and misses together.
    Micro,
    /// The mean of the classes' F1, each counting by how often the gold has it.
    Weighted,
}

/// The classes of a gold set, with their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes(BTreeMap<String, u32>);

impl Classes {
    pub(crate) fn new(gold: &[Gold]) -> Self {
        let names: BTreeSet<&str> = gold.iter().flat_map(right_labels).collect();
        Self(names.into_iter().map(str::to_owned).zip(0..).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns for each class that is hit or missed the statistics' columns: three for each
    /// class, of hits, false alarms and misses.
    pub(crate) fn statistics(&self, said: &str, gold: &Gold) -> Vec<(u32, f64)> {
        let right: BTreeSet<&str> = right_labels(gold).collect();
        let mine = said_labels(said, gold);
        let mut found = Vec::new();
        for label in &right {
            let column = if mine.contains(label) { 0 } else { 2 };
            found.push((3 * self.0[*label] + column, 1.0));
        }
        for label in mine.difference(&right) {
            if let Some(class) = self.0.get(*label) {
                found.push((3 * class + 1, 1.0));
            }
        }
        found
    }
}

fn right_labels(gold: &Gold) -> impl Iterator<Item = &str> {
    let most = if gold.all_together { usize::MAX } else { 1 };
    gold.answers.iter().take(most).map(|label| label.trim())
}

fn said_labels<'a>(said: &'a str, gold: &Gold) -> BTreeSet<&'a str> {
    if gold.all_together {
        let labels = said.split([',', '\n']).map(str::trim);
        labels.filter(|label| !label.is_empty()).collect()
    } else {
        BTreeSet::from([said.trim()])
    }
}

/// Returns whether exactly the right label, or set of labels, was said. Of alternatives any
/// is right.
pub(crate) fn is_right(said: &str, gold: &Gold) -> bool {
    if gold.all_together {
        said_labels(said, gold) == right_labels(gold).collect()
    } else if gold.answers.is_empty() {
        said.trim().is_empty()
    } else {
        gold.answers.iter().any(|label| label.trim() == said.trim())
    }
}

/// Returns F1 of hits, false alarms and misses of each class, 0 to 1; nothing if there is no
/// class.
pub(crate) fn class_f1(sums: &[f64], average: Average) -> Option<f64> {
    let (mut total, mut weights) = (0.0, 0.0);
    let mut all = [0.0; 3];
    for class in sums.chunks_exact(3) {
        let support = class[0] + class[2];
        for (all, count) in all.iter_mut().zip(class) {
            *all += count;
        }
        let weight = match average {
            Average::Weighted => support,
            _ => f64::from(u8::from(support > 0.0)),
        };
        total += weight * f1_of(class);
        weights += weight;
    }
    match average {
        Average::Micro => (all[0] + all[2] > 0.0).then(|| f1_of(&all)),
        _ => (weights > 0.0).then(|| total / weights),
    }
}

/// Returns F1 of hits, false alarms and misses, 0 where there is no hit.
pub(crate) fn f1_of(counts: &[f64]) -> f64 {
    let (hits, alarms, misses) = (counts[0], counts[1], counts[2]);
    f1(share(hits, hits + alarms), share(hits, hits + misses))
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;

    use super::*;

    fn gold(answers: &[&str], all_together: bool) -> Gold {
        Gold {
            id: QuestionId::new("a"),
            question: String::new(),
            answers: answers.iter().map(|it| (*it).to_owned()).collect(),
            all_together,
            passage: None,
            context: None,
        }
    }

    #[test]
    fn several_labels_are_right_together() {
        let both = gold(&["a", "b"], true);
        assert!(is_right("b, a", &both));
        assert!(!is_right("a", &both));
        assert!(is_right("", &gold(&[], true)));
        let classes = Classes::new(std::slice::from_ref(&both));
        assert_eq!(classes.statistics("a, c", &both), [(0, 1.0), (5, 1.0)]);
    }

    #[test]
    fn what_is_made_up_is_no_class() {
        let set = [gold(&["a"], false), gold(&["b"], false)];
        let classes = Classes::new(&set);
        let mut sums = vec![0.0; 3 * classes.len()];
        for (said, gold) in ["a", "no such label"].iter().zip(&set) {
            for (column, value) in classes.statistics(said, gold) {
                sums[column as usize] += value;
            }
        }
        assert_eq!(class_f1(&sums, Average::Macro), Some(0.5));
        assert_eq!(class_f1(&sums, Average::Micro), Some(2.0 / 3.0));
        assert_eq!(class_f1(&[], Average::Macro), None);
    }
}
