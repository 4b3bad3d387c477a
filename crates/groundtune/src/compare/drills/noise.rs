//! Noisy and conflicting retrieval: what becomes of an answer when passages about something else
//! stand among those that hold it, and when a passage contradicts them.
//!
//! Real retrieval brings both. Passages about something else are those that were found for other
//! questions; the contradicting one is the passage that holds the answer with another answer of
//! the same form in its place. It stands first in every other case and last in the rest, so that
//! a candidate which believes what it reads first, or last, is not taken for one that knows.

use serde::{Deserialize, Serialize};

use super::facts::{another, replaced, says_any};
use super::{Answered, Asks, Case, DrillKind, Ground, share};
use crate::compare::evidence::holds;
use crate::compare::{Arm, CompareError};

/// The fewest passages about something else that are added; else as many as are there.
const FEWEST: usize = 3;

/// What a candidate did when what it was given was disturbed: shares of the questions.
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
    /// Passages about something else are added.
    Noisy,
    /// A passage is added that says this instead.
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
    const FOR_ALL: bool = false;
    const OF_LABELS: bool = false;
    const NO_CASES: &'static str = "no answer stands in what is found";

    fn cases(&self, ground: &Ground<'_>) -> Result<Vec<Case<Disturbance>>, CompareError> {
        let test = &ground.examination.test;
        let held = test
            .iter()
            .filter(|asked| holds(ground.evidence(asked), &asked.answers));
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
                let is_new = |it: &contract::Evidence| it.text != passage.text;
                if distractors.len() < wanted
                    && !holds(std::slice::from_ref(passage), &asked.answers)
                    && found.iter().chain(&distractors).all(is_new)
                {
                    distractors.push(passage.clone());
                }
            }
            if !distractors.is_empty() {
                let after = distractors.split_off(distractors.len() / 2);
                let evidence = distractors.into_iter().chain(found.iter().cloned());
                let evidence = evidence.chain(after).collect();
                cases.push(Case::new(asked, "noisy", evidence, Disturbance::Noisy));
            }
            let answer = &asked.answers[0];
            let stands = found.iter().find(|it| it.text.contains(answer.as_str()));
            if let (Some(passage), Some(instead)) = (stands, another(answer, &others, place)) {
                let mut opposed = passage.clone();
                opposed.text = replaced(&passage.text, answer, &instead);
                if opposed.text == passage.text || found.iter().any(|it| it.text.contains(&instead))
                {
                    continue;
                }
                let mut evidence = found.to_vec();
                let at = if place % 2 == 0 { 0 } else { evidence.len() };
                evidence.insert(at, opposed);
                let conflicting = Disturbance::Conflicting { instead };
                cases.push(Case::new(asked, "conflicting", evidence, conflicting));
            }
        }
        Ok(cases)
    }

    fn figures(&self, _: &Ground<'_>, _: Arm, answered: &[Answered<'_, Disturbance>]) -> Noise {
        let (mut noisy, mut opposed) = (Vec::new(), Vec::new());
        for it in answered {
            match &it.case.condition {
                Disturbance::Noisy => noisy.push(it),
                Disturbance::Conflicting { instead } => opposed.push((it, instead)),
            }
        }
        let right = |it: &Answered<'_, _>| says_any(&it.answer.said(), &it.case.asked.answers);
        let before = |it: &Answered<'_, _>| {
            it.before
                .is_some_and(|before| says_any(&before.said(), &it.case.asked.answers))
        };
        Noise {
            questions: noisy.len(),
            plain_right: share(&noisy, |it| before(it)),
            noisy_right: share(&noisy, |it| right(it)),
            conflicts: opposed.len(),
            unopposed_right: share(&opposed, |(it, _)| before(it)),
            opposed_right: share(&opposed, |(it, _)| right(it)),
            opposed_misled: share(&opposed, |(it, instead)| {
                says_any(&it.answer.said(), std::slice::from_ref(instead))
            }),
            opposed_refused: share(&opposed, |(it, _)| it.answer.refused),
        }
    }
}
