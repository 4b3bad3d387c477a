//! Noisy and conflicting retrieval: what becomes of an answer when passages about something else
//! stand among those that hold it, and when a passage contradicts them.
//!
//! Real retrieval brings both. Passages about something else are those that were found for other
//! questions; the contradicting one is the passage that holds the answer with another answer of
//! the same form in its place. It stands first in every other case and last in the rest, so that
//! a candidate which believes what it reads first, or last, is not taken for one that knows.
//!
//! Where what is found are labelled examples, those about something else have none of the right
//! labels, and lie as near as they lie; the contradicting one is a copy of the nearest that has a
//! right label, with another. Who is not given evidence is not disturbed, and that is shown.

use contract::Evidence;
use eval::{Gold, Prediction};
use serde::{Deserialize, Serialize};

use super::facts::{another, replaced, says_any};
use super::{Answered, Asks, Case, DrillKind, Ground, share};
use crate::compare::evidence::holds;
use crate::compare::{Arm, CompareError};

/// The fewest passages about something else that are added; else as many as are there.
const FEWEST: usize = 3;

/// What a candidate did when what it was given was disturbed: shares of the questions. Of one
/// that is not given evidence it is as undisturbed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Questions whose answer stands in what is found.
    pub questions: usize,
    /// Undisturbed: said the answer.
    pub plain_right: f64,
    /// Among passages about something else: said it.
    pub noisy_right: f64,
    /// Questions for which a passage that says otherwise could be made.
    pub conflicts: usize,
    /// Of these, undisturbed: said the answer.
    pub unopposed_right: f64,
    /// Contradicted: said it.
    pub opposed_right: f64,
    /// Contradicted: said the other.
    pub opposed_misled: f64,
    /// Contradicted: refused.
    pub opposed_refused: f64,
}

/// What is otherwise about what is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Disturbance {
    /// What is about something else is added.
    Noisy,
    /// What says this instead is added.
    Conflicting {
        /// What it says.
        instead: String,
    },
}

/// Disturbs what is found.
pub(super) struct Disturbed;

impl Asks for Disturbed {
    type Condition = Disturbance;
    type Figures = Noise;
    const KIND: DrillKind = DrillKind::Noise;
    const OF_EVIDENCE: bool = true;
    const NOT_OF_EXAMPLES: Option<&'static str> = None;
    const NO_CASES: &'static str = "no answer stands in what is found";

    fn cases(&self, ground: &Ground<'_>) -> Result<Vec<Case<Disturbance>>, CompareError> {
        let test = &ground.examination.test;
        let examples = ground.base.examples();
        let tells = |found: &Evidence, asked: &Gold| match examples {
            Some(examples) => examples.tells(found, asked),
            None => holds(std::slice::from_ref(found), &asked.answers),
        };
        let held = test
            .iter()
            .filter(|asked| ground.evidence(asked).iter().any(|it| tells(it, asked)));
        let chosen = ground.some(held.collect());
        let others: Vec<&str> = test
            .iter()
            .filter_map(|asked| asked.answers.first().map(String::as_str))
            .collect();
        let mut cases = Vec::new();
        for (place, asked) in chosen.into_iter().enumerate() {
            let found = ground.evidence(asked);
            let wanted = found.len().max(FEWEST);
            let mut distractors = Vec::new();
            let behind = test.iter().cycle().skip(place + 1).take(test.len());
            for passage in behind.flat_map(|other| ground.evidence(other)) {
                let is_new = |it: &Evidence| it.text != passage.text;
                if distractors.len() < wanted
                    && !tells(passage, asked)
                    && found.iter().chain(&distractors).all(is_new)
                {
                    distractors.push(passage.clone());
                }
            }
            if let Some(examples) = examples {
                distractors = examples.neighbours().likened(asked, distractors)?;
            }
            if !distractors.is_empty() {
                let after = distractors.split_off(distractors.len() / 2);
                let evidence = distractors.into_iter().chain(found.iter().cloned());
                let evidence = evidence.chain(after).collect();
                cases.push(Case::new(asked, "noisy", evidence, Disturbance::Noisy));
            }
            let contradiction = match examples {
                Some(examples) => {
                    let nearest = found.iter().find(|it| tells(it, asked));
                    nearest.and_then(|it| examples.contradiction(it, asked, place))
                }
                None => contradiction(found, &asked.answers[0], &others, place),
            };
            if let Some((opposed, instead)) = contradiction {
                let mut evidence = found.to_vec();
                let at = if place % 2 == 0 { 0 } else { evidence.len() };
                evidence.insert(at, opposed);
                let conflicting = Disturbance::Conflicting { instead };
                cases.push(Case::new(asked, "conflicting", evidence, conflicting));
            }
        }
        Ok(cases)
    }

    fn figures(
        &self,
        ground: &Ground<'_>,
        _: Arm,
        answered: &[Answered<'_, Disturbance>],
    ) -> Noise {
        let examples = ground.base.examples();
        let is_right = |answer: &Prediction, asked: &Gold| match examples {
            Some(examples) => examples.is_right(&answer.said(), asked),
            None => says_any(&answer.said(), &asked.answers),
        };
        let (mut noisy, mut opposed) = (Vec::new(), Vec::new());
        for it in answered {
            match &it.case.condition {
                Disturbance::Noisy => noisy.push(it),
                Disturbance::Conflicting { instead } => opposed.push((it, instead)),
            }
        }
        let right = |it: &Answered<'_, _>| is_right(it.answer, &it.case.asked);
        let before = |it: &Answered<'_, _>| {
            it.before
                .is_some_and(|before| is_right(before, &it.case.asked))
        };
        Noise {
            questions: noisy.len(),
            plain_right: share(&noisy, |it| before(it)),
            noisy_right: share(&noisy, |it| right(it)),
            conflicts: opposed.len(),
            unopposed_right: share(&opposed, |(it, _)| before(it)),
            opposed_right: share(&opposed, |(it, _)| right(it)),
            opposed_misled: share(&opposed, |(it, instead)| match examples {
                Some(examples) => examples.follows(&it.answer.said(), instead),
                None => says_any(&it.answer.said(), std::slice::from_ref(instead)),
            }),
            opposed_refused: share(&opposed, |(it, _)| it.answer.refused),
        }
    }
}

/// Returns the first passage in which the answer stands with another in its place, and that.
fn contradiction(
    found: &[Evidence],
    answer: &str,
    others: &[&str],
    place: usize,
) -> Option<(Evidence, String)> {
    let passage = found.iter().find(|it| it.text.contains(answer))?;
    let instead = another(answer, others, place)?;
    let mut opposed = passage.clone();
    opposed.text = replaced(&passage.text, answer, &instead);
    let says_both = found.iter().any(|it| it.text.contains(&instead));
    (opposed.text != passage.text && !says_both).then_some((opposed, instead))
}
