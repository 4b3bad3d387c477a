//! Refusal: the documents that hold an answer are left out of what is found, and to say that it is
//! not in the documents becomes right.
//!
//! A candidate that is given evidence is given the best of the rest. One that is not is asked
//! nothing else than before: what it says then it says from memory, whatever the documents hold.

use std::collections::BTreeSet;

use contract::Evidence;
use serde::{Deserialize, Serialize};

use super::facts::says_any;
use super::{Answered, Asks, Case, DrillKind, Ground, share};
use crate::compare::evidence::{Documents, FoundFor, holds};
use crate::compare::{Arm, CompareError};

/// How deep is looked for what is left.
const DEPTH: usize = 50;

/// What a candidate did when the answer was not there, and when it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Questions whose documents were left out.
    pub left_out: usize,
    /// The share of them that it refused.
    pub refused: f64,
    /// The share to which it said something else than the answer.
    pub made_up: f64,
    /// The share to which it said the answer all the same.
    pub known: f64,
    /// The share of the same questions to which it said the answer when the documents were
    /// there.
    pub right_before: f64,
    /// The share of the same questions that it refused when the documents were there.
    pub refused_wrongly: f64,
    /// Questions of the examination that have no answer.
    pub unanswerable: usize,
    /// The share of these that it refused.
    pub refused_unanswerable: f64,
    /// The share of its refusals that were right; of no refusal, nothing.
    pub precision: Option<f64>,
    /// The share of what was to be refused that it refused.
    pub recall: f64,
}

/// What was left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Without {
    documents: BTreeSet<String>,
}

/// Leaves out the documents that hold the answer.
pub(super) struct LeftOut;

impl Asks for LeftOut {
    type Condition = Without;
    type Figures = Refusal;
    const KIND: DrillKind = DrillKind::Refusal;
    const OF_EVIDENCE: bool = true;
    const NOT_OF_EXAMPLES: Option<&'static str> = Some(
        "a text has its label, or its tags, whatever examples are there: none is to be refused",
    );
    const NO_CASES: &'static str = "no answer stands in what is found";

    fn cases(&self, ground: &Ground<'_>) -> Result<Vec<Case<Without>>, CompareError> {
        let held: Vec<_> = ground
            .examination
            .test
            .iter()
            .filter(|asked| holds(ground.evidence(asked), &asked.answers))
            .collect();
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = Documents::open(ground.project, ground.environment, ground.leaks)?;
        let mut cases = Vec::new();
        for asked in ground.some(held) {
            let found = all.find_deep(asked, DEPTH)?;
            let holding = |it: &&Evidence| holds(std::slice::from_ref(*it), &asked.answers);
            let documents: BTreeSet<String> = found
                .evidence
                .iter()
                .filter(holding)
                .map(|it| it.document.to_string())
                .collect();
            let rest = FoundFor {
                evidence: found
                    .evidence
                    .into_iter()
                    .filter(|it| !documents.contains(it.document.as_str()))
                    .collect(),
                ..found
            };
            let evidence = rest.shown(ground.shown).to_vec();
            cases.push(Case::new(
                asked,
                "left out",
                evidence,
                Without { documents },
            ));
        }
        Ok(cases)
    }

    fn figures(
        &self,
        ground: &Ground<'_>,
        arm: Arm,
        answered: &[Answered<'_, Without>],
    ) -> Refusal {
        let knows = |it: &Answered<'_, _>| says_any(&it.answer.said(), &it.case.asked.answers);
        let wrongly = |it: &&Answered<'_, _>| it.before.is_some_and(|before| before.refused);
        // Questions of the examination that have no answer are to be refused as they are.
        let answers = ground.answers_of(arm);
        let test = ground.examination.test.iter();
        let own: Vec<bool> = test
            .filter(|asked| asked.is_unanswerable())
            .filter_map(|asked| Some(answers.get(&asked.id)?.refused))
            .collect();
        let rightly = answered.iter().filter(|it| it.answer.refused).count()
            + own.iter().filter(|refused| **refused).count();
        let wrong = answered.iter().filter(wrongly).count();
        let to_refuse = answered.len() + own.len();
        Refusal {
            left_out: answered.len(),
            refused: share(answered, |it| it.answer.refused),
            made_up: share(answered, |it| !it.answer.refused && !knows(it)),
            known: share(answered, |it| !it.answer.refused && knows(it)),
            right_before: share(answered, |it| {
                let says = |said: &str| says_any(said, &it.case.asked.answers);
                it.before.is_some_and(|before| says(&before.said()))
            }),
            refused_wrongly: share(answered, wrongly),
            unanswerable: own.len(),
            refused_unanswerable: share(own, |refused| *refused),
            precision: (rightly + wrong > 0).then(|| rightly as f64 / (rightly + wrong) as f64),
            recall: rightly as f64 / to_refuse.max(1) as f64,
        }
    }
}
