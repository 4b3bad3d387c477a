//! Words with a tag each.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use model::bert::Batch;
use model::training::IGNORE;
use model::{Tokens, WordTokens, tagged_spans};

use super::{Exercises, Judge, Targets, likeliest, named, share};
use crate::learner::Size;

/// Texts, cut into words, each with the number of its tag. An exercise is a window of a
/// text; a word that stands in two is learnt in the first.
#[derive(Clone, Debug, Default)]
pub struct TagSequences {
    /// What the tags are called.
    names: Vec<String>,
    windows: Vec<Window>,
    /// The tags of each text's words.
    texts: Vec<Vec<u32>>,
}

#[derive(Clone, Debug)]
struct Window {
    tokens: Tokens,
    /// For each token the tag of the word that it begins, or [`IGNORE`].
    targets: Vec<u32>,
    text: usize,
    /// The words that are learnt here, in their order.
    words: Vec<usize>,
}

impl TagSequences {
    /// Returns none, to be tagged with `names`.
    pub fn new(names: Vec<String>) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

    /// Adds a text: its windows, and its words' tags, each its place among the names.
    ///
    /// # Panics
    /// If a window has a word more than there are tags, or a tag is none of them.
    pub fn push(&mut self, windows: Vec<WordTokens>, tags: Vec<u32>) {
        let known = tags.iter().all(|tag| (*tag as usize) < self.names.len());
        assert!(known, "a word's tag is known");
        let text = self.texts.len();
        let mut learnt = HashSet::new();
        for window in windows {
            let mut words = Vec::new();
            let target = |word: &Option<usize>| match word {
                Some(word) if learnt.insert(*word) => {
                    words.push(*word);
                    tags[*word]
                }
                _ => IGNORE,
            };
            let targets = window.words.iter().map(target).collect();
            if !words.is_empty() {
                self.windows.push(Window {
                    tokens: window.tokens,
                    targets,
                    text,
                    words,
                });
            }
        }
        self.texts.push(tags);
    }
}

impl Exercises for TagSequences {
    fn len(&self) -> usize {
        self.windows.len()
    }

    fn size(&self, exercise: usize) -> Size {
        let window = &self.windows[exercise];
        Size {
            tokens: window.tokens.ids.len(),
            units: window.words.len() as f64,
        }
    }

    fn batch(&self, exercises: &[usize]) -> (Batch, Targets) {
        let chosen = exercises.iter().map(|it| &self.windows[*it]);
        let targets = chosen.clone().flat_map(|it| &it.targets).copied();
        let targets = Targets::Tags(targets.collect());
        (Batch::of(chosen.map(|it| &it.tokens)), targets)
    }

    fn judge(&self) -> Box<dyn Judge + '_> {
        let outside = self.names.iter().position(|name| name == "O").unwrap_or(0);
        let outside = |tags: &Vec<u32>| vec![outside as u32; tags.len()];
        Box::new(OfTags {
            set: self,
            given: self.texts.iter().map(outside).collect(),
        })
    }

    fn show(&self, exercise: usize, names: &[String]) -> String {
        let window = &self.windows[exercise];
        let tags = window.targets.iter().filter(|tag| **tag != IGNORE);
        let tags: Vec<&str> = tags.map(|tag| &*names[*tag as usize]).collect();
        format!("tags {}", tags.join(" "))
    }
}

struct OfTags<'a> {
    set: &'a TagSequences,
    /// The tags that were given to each text's words; `O` to one that no token begins.
    given: Vec<Vec<u32>>,
}

impl Judge for OfTags<'_> {
    fn take(&mut self, exercises: &[usize], outputs: &[f32]) {
        let mut rows = outputs.chunks_exact(self.set.names.len());
        for exercise in exercises {
            let window = &self.set.windows[*exercise];
            let rows = rows.by_ref().take(window.targets.len());
            let begins = rows
                .zip(&window.targets)
                .filter(|(_, target)| **target != IGNORE);
            for ((row, _), word) in begins.zip(&window.words) {
                self.given[window.text][*word] = likeliest(row);
            }
        }
    }

    /// seqeval's `precision_score`, `recall_score` and `f1_score`: what is named counts only
    /// whole and with its kind; and its `accuracy_score`, of words.
    fn measures(self: Box<Self>) -> BTreeMap<String, f64> {
        let (mut right, mut given, mut expected) = (0, 0, 0);
        let (mut equal, mut words) = (0, 0);
        for (tags, found) in self.set.texts.iter().zip(&self.given) {
            let there: HashSet<_> = self.set.named(tags).into_iter().collect();
            let found_there = self.set.named(found);
            right += found_there.iter().filter(|it| there.contains(it)).count();
            (given, expected) = (given + found_there.len(), expected + there.len());
            equal += tags.iter().zip(found).filter(|(a, b)| a == b).count();
            words += tags.len();
        }
        named([
            ("accuracy", share(equal, words)),
            ("f1", share(2 * right, given + expected)),
            ("precision", share(right, given)),
            ("recall", share(right, expected)),
        ])
    }
}

impl TagSequences {
    /// Returns what tags name: its kind and its words.
    fn named(&self, tags: &[u32]) -> Vec<(&str, Range<usize>)> {
        let tags = tags.iter().map(|tag| &*self.names[*tag as usize]);
        let spans = tagged_spans(tags).into_iter();
        spans.map(|span| (span.label, span.words)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(words: &[Option<usize>]) -> WordTokens {
        WordTokens {
            tokens: Tokens {
                ids: vec![1; words.len()],
                segments: vec![0; words.len()],
            },
            words: words.to_vec(),
        }
    }

    #[test]
    fn a_word_is_learnt_once_at_its_first_token() {
        let names = ["O", "B-a"].map(str::to_owned).to_vec();
        let mut set = TagSequences::new(names);
        let (zero, one, two) = (Some(0), Some(1), Some(2));
        let windows = [
            window(&[None, zero, zero, one, None]),
            window(&[None, one, two, two, None]),
        ];
        set.push(windows.to_vec(), vec![1, 0, 1]);
        let (batch, targets) = set.batch(&[0, 1]);
        assert_eq!(batch.lengths, [5, 5]);
        let i = IGNORE;
        assert_eq!(targets, Targets::Tags(vec![i, 1, i, 0, i, i, i, 1, i, i]));
        assert_eq!((set.size(0).units, set.size(1).units), (2.0, 1.0));
    }

    #[test]
    fn entities_are_judged_as_seqeval_does() {
        // seqeval.metrics of [["B-a", "I-a", "O", "B-b"], ["O", "B-a", "I-a"]] and
        // [["B-a", "I-a", "O", "O"], ["O", "B-a", "B-a"]]:
        // precision 1/3, recall 1/3, F1 1/3, accuracy 5/7.
        let names = ["O", "B-a", "I-a", "B-b"].map(str::to_owned).to_vec();
        let mut set = TagSequences::new(names);
        for tags in [vec![1, 2, 0, 3], vec![0, 1, 2]] {
            let words: Vec<Option<usize>> = (0..tags.len()).map(Some).collect();
            set.push(vec![window(&words)], tags);
        }
        let mut judge = set.judge();
        let outputs = [1, 2, 0, 0, 0, 1, 1].map(|tag| {
            let mut row = [0.0; 4];
            row[tag] = 1.0;
            row
        });
        judge.take(&[0, 1], outputs.as_flattened());
        let found = judge.measures();
        let third = 1.0 / 3.0;
        for (name, expect) in [
            ("precision", third),
            ("recall", third),
            ("f1", third),
            ("accuracy", 5.0 / 7.0),
        ] {
            assert!((found[name] - expect).abs() < 1e-12, "{found:?}");
        }
    }
}
