//! Questions about passages, with where the answer stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use model::bert::Batch;
use model::{PassageTokens, Reader, Tokens, best_answer};

use super::{Exercises, Judge, Targets, named};
use crate::TrainError;
use crate::learner::{Examination, Size};

/// Judges an answer by those that count as right: whether it is one of them, and how much of
/// one it has, 0 to 1. The empty answer is none, and right where none is.
pub type AnswerScore = fn(&str, &[String]) -> (bool, f64);

/// The name of the measure that is the best threshold.
const THRESHOLD: &str = "threshold";

/// Questions about passages. An exercise is a window of a passage behind its question; its
/// target is none, the first token, where the answer does not stand in it whole (Devlin et
/// al. 2018, §4.3).
#[derive(Clone, Debug)]
pub struct AnswerSpans {
    windows: Vec<Window>,
    questions: Vec<Examined>,
    longest_answer: usize,
    score: AnswerScore,
}

#[derive(Clone, Debug)]
struct Window {
    tokens: Tokens,
    target: [u32; 2],
    /// Of a question that is examined, its number and the window's places.
    examined: Option<(usize, Vec<Option<Range<usize>>>)>,
}

/// A question that is examined.
#[derive(Clone, Debug)]
struct Examined {
    passage: String,
    answers: Vec<String>,
}

/// A question, with the windows of its passage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The windows.
    pub windows: Vec<PassageTokens>,
    /// The bytes of the answer that is learnt, or nothing where there is none.
    pub answer: Option<Range<usize>>,
}

impl AnswerSpans {
    /// Returns none; an answer has at most `longest_answer` tokens and is judged by `score`.
    pub fn new(longest_answer: usize, score: AnswerScore) -> Self {
        Self {
            windows: Vec::new(),
            questions: Vec::new(),
            longest_answer,
            score,
        }
    }

    /// Adds a question to be learnt.
    pub fn learn(&mut self, asked: Asked) {
        self.push(asked, None);
    }

    /// Adds a question to be examined on, with the text of its passage and the answers that
    /// count as right, none where there is none.
    pub fn examine(&mut self, asked: Asked, passage: String, answers: Vec<String>) {
        self.questions.push(Examined { passage, answers });
        self.push(asked, Some(self.questions.len() - 1));
    }

    fn push(&mut self, asked: Asked, question: Option<usize>) {
        for window in asked.windows {
            let target = target(&window.places, asked.answer.as_ref());
            self.windows.push(Window {
                tokens: window.tokens,
                target,
                examined: question.map(|question| (question, window.places)),
            });
        }
    }
}

/// Returns the first and the last token of an answer; twice the first token of all, where it
/// does not stand in the window whole.
fn target(places: &[Option<Range<usize>>], answer: Option<&Range<usize>>) -> [u32; 2] {
    let tokens = || places.iter().enumerate();
    let found = answer.and_then(|answer| {
        let begins = |place: &Option<Range<usize>>| {
            let place = place.as_ref()?;
            (place.start <= answer.start).then_some(place.end > answer.start)
        };
        let ends = |place: &Option<Range<usize>>| {
            let place = place.as_ref()?;
            (place.end >= answer.end).then_some(place.start < answer.end)
        };
        // The last that begins no later, and the first that ends no earlier.
        let mut first = tokens().filter_map(|(at, place)| Some((at, begins(place)?)));
        let mut last = tokens().filter_map(|(at, place)| Some((at, ends(place)?)));
        let (first, last) = (first.next_back()?, last.next()?);
        (first.1 && last.1 && first.0 <= last.0).then_some([first.0 as u32, last.0 as u32])
    });
    found.unwrap_or([0, 0])
}

impl Exercises for AnswerSpans {
    fn len(&self) -> usize {
        self.windows.len()
    }

    fn size(&self, exercise: usize) -> Size {
        Size {
            tokens: self.windows[exercise].tokens.ids.len(),
            units: 1.0,
        }
    }

    fn batch(&self, exercises: &[usize]) -> (Batch, Targets) {
        let chosen = exercises.iter().map(|it| &self.windows[*it]);
        let targets = Targets::Spans(chosen.clone().map(|it| it.target).collect());
        (Batch::of(chosen.map(|it| &it.tokens)), targets)
    }

    fn judge(&self) -> Box<dyn Judge + '_> {
        let nothing = Found {
            score: f32::NEG_INFINITY,
            bytes: None,
            none: f32::INFINITY,
        };
        Box::new(OfSpans {
            set: self,
            found: vec![nothing; self.questions.len()],
        })
    }

    fn show(&self, exercise: usize, _: &[String]) -> String {
        match self.windows[exercise].target {
            [0, 0] => "no answer".into(),
            [first, last] => format!("answer at tokens {first} to {last}"),
        }
    }

    fn complete(&self, folder: &Path, found: Option<&Examination>) -> Result<(), TrainError> {
        if let Some(threshold) = found.and_then(|it| it.metrics.get(THRESHOLD)) {
            Reader::keep_threshold(folder, *threshold as f32)?;
        }
        Ok(())
    }
}

/// What was found in a passage.
#[derive(Clone, Debug)]
struct Found {
    score: f32,
    bytes: Option<Range<usize>>,
    /// The least score of there being no answer, of all windows.
    none: f32,
}

struct OfSpans<'a> {
    set: &'a AnswerSpans,
    found: Vec<Found>,
}

impl Judge for OfSpans<'_> {
    fn take(&mut self, exercises: &[usize], outputs: &[f32]) {
        let mut rest = outputs;
        for exercise in exercises {
            let window = &self.set.windows[*exercise];
            let (logits, after) = rest.split_at(2 * window.tokens.ids.len());
            rest = after;
            let (question, places) = window.examined.as_ref().expect("it is examined");
            let found = &mut self.found[*question];
            found.none = found.none.min(logits[0] + logits[1]);
            if let Some((score, bytes)) = best_answer(places, logits, self.set.longest_answer)
                && score > found.score
            {
                (found.score, found.bytes) = (score, Some(bytes));
            }
        }
    }

    /// What SQuAD 2.0's script says: `exact` and `f1`, where an answer is given if it scores
    /// at least as much as none; the same with the thresholds that are best for each, and
    /// the one of `best_f1`. Shares, 0 to 1.
    fn measures(self: Box<Self>) -> BTreeMap<String, f64> {
        let judged = self.found.iter().zip(&self.set.questions);
        let judged: Vec<Judged> = judged
            .map(|(found, question)| {
                let text = found.bytes.clone().map_or("", |it| &question.passage[it]);
                let (exact, f1) = (self.set.score)(text, &question.answers);
                Judged {
                    excess: f64::from(found.none) - f64::from(found.score),
                    scores: [f64::from(u8::from(exact)), f1],
                    answerable: !question.answers.is_empty(),
                    given: !text.is_empty(),
                }
            })
            .collect();
        let [exact, f1] = [0, 1].map(|score| at(&judged, score, 0.0));
        let [best_exact, best_f1] = [0, 1].map(|score| best(&judged, score));
        named([
            ("exact", exact),
            ("f1", f1),
            ("best_exact", best_exact.0),
            ("best_f1", best_f1.0),
            (THRESHOLD, best_f1.1),
        ])
    }
}

/// A question's answer as it is judged.
#[derive(Clone, Copy, Debug)]
struct Judged {
    /// By how much "no answer" scores more.
    excess: f64,
    /// Exact match, and F1, of the answer if it is given.
    scores: [f64; 2],
    answerable: bool,
    /// Whether there is an answer that could be given.
    given: bool,
}

impl Judged {
    /// Returns what it scores if it is given, and if it is not.
    fn either(&self, score: usize) -> [f64; 2] {
        let none = f64::from(u8::from(!self.answerable));
        match self.given {
            true => [self.scores[score], none],
            false => [none, none],
        }
    }
}

/// Returns the mean of a score, where answers are given whose excess is at most `threshold`.
fn at(judged: &[Judged], score: usize, threshold: f64) -> f64 {
    let each = judged.iter().map(|it| {
        let [given, not] = it.either(score);
        if it.excess <= threshold { given } else { not }
    });
    each.sum::<f64>() / judged.len().max(1) as f64
}

/// Returns the best mean of a score that a threshold gives, and the least such threshold: one
/// of the excesses, or one below all of them, with which nothing is ever answered.
fn best(judged: &[Judged], score: usize) -> (f64, f64) {
    let mut order = judged.to_vec();
    order.sort_by(|a, b| a.excess.total_cmp(&b.excess));
    let mut sum: f64 = order.iter().map(|it| it.either(score)[1]).sum();
    let below = order.first().map_or(0.0, |it| it.excess - 1.0);
    let mut best = (sum, below);
    for equals in order.chunk_by(|a, b| a.excess == b.excess) {
        for it in equals {
            let [given, not] = it.either(score);
            sum += given - not;
        }
        if sum > best.0 {
            best = (sum, equals[0].excess);
        }
    }
    (best.0 / judged.len().max(1) as f64, best.1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places() -> Vec<Option<Range<usize>>> {
        // [CLS] question [SEP] "The old|cat" [SEP]
        let passage = [0..3, 4..7, 7..10].map(Some);
        let mut places = vec![None, None, None];
        places.extend(passage);
        places.push(None);
        places
    }

    #[test]
    fn an_answer_is_the_tokens_that_hold_it() {
        for (answer, expect) in [
            (Some(4..7), [4, 4]),
            (Some(0..10), [3, 5]),
            // Parts of tokens, and the space before one.
            (Some(5..9), [4, 5]),
            (Some(8..12), [0, 0]),
            (None, [0, 0]),
        ] {
            assert_eq!(target(&places(), answer.as_ref()), expect, "{answer:?}");
        }
    }

    fn same(given: &str, right: &[String]) -> (bool, f64) {
        let is = match right {
            [] => given.is_empty(),
            right => right.iter().any(|it| it == given),
        };
        (is, f64::from(u8::from(is)))
    }

    #[test]
    fn windows_of_a_question_are_judged_together() {
        let mut set = AnswerSpans::new(30, same);
        let window = |places: Vec<Option<Range<usize>>>| PassageTokens {
            tokens: Tokens {
                ids: vec![1; places.len()],
                segments: vec![0; places.len()],
            },
            places,
        };
        let asked = Asked {
            windows: vec![window(places()), window(places())],
            answer: Some(4..7),
        };
        set.examine(asked.clone(), "The oldcat".into(), vec!["old".into()]);
        set.examine(asked, "The oldcat".into(), Vec::new());
        let logits = |none: f32, first: usize, last: usize, score: f32| {
            let mut logits = vec![0.0; 14];
            logits[0] = none;
            logits[2 * first] = score;
            logits[2 * last + 1] = score;
            logits
        };
        let mut judge = set.judge();
        // The answer is in the second window, the lesser "none" in the first.
        let outputs = [
            logits(1.0, 3, 3, 0.5),
            logits(9.0, 4, 4, 2.0),
            logits(5.0, 3, 3, 1.0),
            logits(5.0, 4, 4, 2.0),
        ];
        judge.take(&[0, 1, 2, 3], &outputs.concat());
        let found = judge.measures();
        assert_eq!((found["exact"], found["f1"]), (1.0, 1.0), "{found:?}");
        assert_eq!((found["best_f1"], found["threshold"]), (1.0, -3.0));
    }

    proptest! {
        #[test]
        fn no_threshold_is_better_than_the_best(
            judged in prop::collection::vec((-5i32..5, 0u8..=4, any::<bool>(), any::<bool>()), 1..20),
            threshold in -7i32..7,
        ) {
            let judged: Vec<Judged> = judged
                .into_iter()
                .map(|(excess, f1, answerable, given)| Judged {
                    excess: f64::from(excess),
                    scores: [f64::from(f1 / 4), f64::from(f1) / 4.0].map(|it| if answerable { it } else { 0.0 }),
                    answerable,
                    given,
                })
                .collect();
            for score in [0, 1] {
                let (most, chosen) = best(&judged, score);
                prop_assert!(at(&judged, score, threshold.into()) <= most + 1e-9);
                prop_assert!((at(&judged, score, chosen) - most).abs() < 1e-9);
            }
        }
    }
}
