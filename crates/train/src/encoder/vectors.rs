//! Texts whose vectors are to be near one another.

use std::collections::{BTreeMap, HashMap};

use model::Tokens;
use model::bert::Batch;

use super::{Exercises, Judge, Targets, named};
use crate::learner::Size;

/// Questions, each with a passage that belongs to it and any that do not.
///
/// Each question is told from all passages of its batch but its own; the same passage
/// beside two questions is told from neither.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    examples: Vec<Numbered>,
    texts: Vec<Tokens>,
    numbers: HashMap<Vec<u32>, u32>,
}

/// A question with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The question.
    pub question: Tokens,
    /// A passage that belongs to it.
    pub passage: Tokens,
    /// Passages that do not.
    pub others: Vec<Tokens>,
}

/// The same by the numbers of texts.
#[derive(Clone, Debug)]
struct Numbered {
    question: Tokens,
    passage: u32,
    others: Vec<u32>,
}

impl Neighbours {
    /// Returns none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a question with what belongs to it.
    pub fn push(&mut self, related: Related) {
        let passage = self.number(related.passage);
        let others = related.others.into_iter();
        let others = others.map(|text| self.number(text)).collect();
        self.examples.push(Numbered {
            question: related.question,
            passage,
            others,
        });
    }

    /// Returns the number of a text: each is kept once.
    fn number(&mut self, text: Tokens) -> u32 {
        if let Some(known) = self.numbers.get(&text.ids) {
            return *known;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.ids.clone(), number);
        self.texts.push(text);
        number
    }

    fn text(&self, number: u32) -> &Tokens {
        &self.texts[number as usize]
    }
}

impl Exercises for Neighbours {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn size(&self, exercise: usize) -> Size {
        let it = &self.examples[exercise];
        let passages = std::iter::once(&it.passage).chain(&it.others);
        let passages = passages.map(|number| self.text(*number).ids.len());
        Size {
            tokens: it.question.ids.len() + passages.sum::<usize>(),
            units: 1.0,
        }
    }

    fn batch(&self, exercises: &[usize]) -> (Batch, Targets) {
        let chosen = exercises.iter().map(|it| &self.examples[*it]);
        let passages = chosen.clone().map(|it| it.passage);
        let others = chosen.clone().flat_map(|it| it.others.iter().copied());
        let candidates: Vec<u32> = passages.chain(others).collect();
        let passages = candidates.iter().map(|number| self.text(*number));
        let batch = Batch::of(chosen.map(|it| &it.question).chain(passages));
        let count = exercises.len();
        (batch, Targets::Anchors { count, candidates })
    }

    fn judge(&self) -> Box<dyn Judge + '_> {
        Box::new(OfVectors {
            set: self,
            questions: Vec::new(),
            passages: BTreeMap::new(),
        })
    }

    fn show(&self, exercise: usize, _: &[String]) -> String {
        let others = self.examples[exercise].others.len();
        format!("a question, its passage and {others} others")
    }
}

struct OfVectors<'a> {
    set: &'a Neighbours,
    /// Each question's vector, with the number of its passage.
    questions: Vec<(u32, Vec<f32>)>,
    /// The vectors of all passages that belong to a question or do not.
    passages: BTreeMap<u32, Vec<f32>>,
}

impl Judge for OfVectors<'_> {
    fn take(&mut self, exercises: &[usize], outputs: &[f32]) {
        let (batch, targets) = self.set.batch(exercises);
        let Targets::Anchors { candidates, .. } = targets else {
            unreachable!("vectors have anchors");
        };
        let width = outputs.len() / batch.lengths.len();
        let mut vectors = outputs.chunks_exact(width).map(<[f32]>::to_vec);
        for exercise in exercises {
            let vector = vectors.next().expect("each question has a vector");
            self.questions
                .push((self.set.examples[*exercise].passage, vector));
        }
        self.passages.extend(candidates.into_iter().zip(vectors));
    }

    /// Each question looks for its own passage among all that were seen: the share that
    /// finds it first, and the mean nDCG of the first ten.
    fn measures(self: Box<Self>) -> BTreeMap<String, f64> {
        let (mut first, mut gain) = (0.0, 0.0);
        for (own, question) in &self.questions {
            let score = dot(question, &self.passages[own]);
            let before = self
                .passages
                .iter()
                .filter(|(number, passage)| *number != own && dot(question, passage) >= score);
            let before = before.count();
            first += f64::from(u8::from(before == 0));
            if before < 10 {
                gain += 1.0 / (before as f64 + 2.0).log2();
            }
        }
        let mean = |sum: f64| sum / self.questions.len().max(1) as f64;
        named([("accuracy", mean(first)), ("ndcg_at_10", mean(gain))])
    }
}

/// Returns the product of two vectors, in parts that processors add up at once.
fn dot(first: &[f32], second: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (first, rest) = first.as_chunks::<LANES>();
    let (second, other) = second.as_chunks::<LANES>();
    for (a, b) in first.iter().zip(second) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = rest.iter().zip(other).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ids: &[u32]) -> Tokens {
        Tokens {
            ids: ids.to_vec(),
            segments: vec![0; ids.len()],
        }
    }

    fn set() -> Neighbours {
        let mut set = Neighbours::new();
        for (question, passage, others) in [(1, 7, vec![8]), (2, 7, vec![]), (3, 9, vec![7])] {
            set.push(Related {
                question: text(&[question]),
                passage: text(&[passage, passage]),
                others: others.into_iter().map(|it| text(&[it, it])).collect(),
            });
        }
        set
    }

    #[test]
    fn questions_come_first_then_their_passages_then_the_others() {
        let (batch, targets) = set().batch(&[0, 1, 2]);
        assert_eq!(batch.ids, [1, 2, 3, 7, 7, 7, 7, 9, 9, 8, 8, 7, 7]);
        let candidates = vec![0, 0, 2, 1, 0];
        let count = 3;
        assert_eq!(targets, Targets::Anchors { count, candidates });
        assert_eq!(set().size(0).tokens, 5);
    }

    #[test]
    fn each_question_looks_for_its_passage_among_all() {
        let set = set();
        let mut judge = set.judge();
        let vectors = |angles: &[f32]| -> Vec<f32> {
            angles.iter().flat_map(|it| [it.cos(), it.sin()]).collect()
        };
        // Passage 7 at 0, 9 at 1, 8 at 0.5 radians.
        judge.take(&[0, 1], &vectors(&[0.1, 0.4, 0.0, 0.0, 0.5]));
        judge.take(&[2], &vectors(&[0.6, 1.0, 0.0]));
        let found = judge.measures();
        let third = 1.0 / 3.0;
        assert!((found["accuracy"] - third).abs() < 1e-12, "{found:?}");
        // The second finds its own behind 8, the third behind 8.
        let gain = (1.0 + 2.0 / 3f64.log2()) / 3.0;
        assert!((found["ndcg_at_10"] - gain).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn products_are_whole() {
        let numbers: Vec<f32> = (0..19).map(|it| it as f32).collect();
        assert_eq!(dot(&numbers, &numbers), 2109.0);
    }
}
