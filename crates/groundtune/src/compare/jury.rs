//! The stage in which a language model judges the answers, where the recipe names one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use eval::judge::Judging;
use eval::{CandidateAnswers, GoldSet, Prediction};

use super::folder::Lines;
use super::{Arm, CompareError, CompareEvent, Comparison, Work};
use crate::opinion::{Judge, best_two, read_labels};

impl Comparison<'_> {
    /// Has every answer judged that was not yet. Nothing if `tell` breaks; what was judged by
    /// then is kept.
    pub(super) fn judge(
        &self,
        answers: &BTreeMap<Arm, Vec<Vec<Prediction>>>,
        tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Option<()>, CompareError> {
        let Some(recipe) = &self.recipe().judge else {
            return Ok(Some(()));
        };
        if let Some(path) = &recipe.labels {
            // Before anything is paid for.
            read_labels(path)?;
        }
        let gold = GoldSet::new(self.examination.test.iter().cloned());
        let candidates: Vec<CandidateAnswers> = answers
            .iter()
            .map(|(arm, runs)| CandidateAnswers {
                name: arm.to_string(),
                runs: runs.clone(),
                ..CandidateAnswers::default()
            })
            .collect();
        let judge = Judge::open(recipe, &self.project.root, self.environment)?;
        let (mut lines, known) = Lines::open::<Judging>(&self.folder.judge())?;
        let judged = judge.judge(
            &gold,
            &candidates,
            best_two(&gold, &candidates, self.protocol.plan.metric),
            known,
            &mut |judging| lines.add(judging),
            &mut |done, of| {
                let what = Work::Judging;
                tell(CompareEvent::Progress { what, done, of })
            },
        )?;
        Ok(judged.map(|_| ()))
    }
}
