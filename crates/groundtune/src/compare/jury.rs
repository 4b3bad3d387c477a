//! The stage in which a language model judges the answers, where the recipe names one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use eval::judge::Judging;
use eval::{CandidateAnswers, GoldSet, Prediction};

use super::folder::Lines;
use super::{Arm, CompareError, CompareEvent, Comparison, Work};
use crate::opinion::{Judge, read_labels};

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
            self.best_two(&gold, &candidates),
            known,
            &mut |judging| lines.add(judging),
            &mut |done, of| {
                let what = Work::Judging;
                tell(CompareEvent::Progress { what, done, of })
            },
        )?;
        Ok(judged.map(|_| ()))
    }

    /// Returns the places of the two candidates that the deciding metric puts first; of equals
    /// the earlier. If a judge's grades decide, they are not known yet, and the first two are
    /// taken.
    fn best_two(&self, gold: &GoldSet, candidates: &[CandidateAnswers]) -> Option<(usize, usize)> {
        let metric = self.protocol.plan.metric;
        let value = |candidate: &CandidateAnswers| {
            let run = candidate.runs.first()?;
            let answer = |id| run.iter().find(|it| it.question == id);
            let questions = gold.questions().iter();
            let answers: Vec<Option<&Prediction>> =
                questions.map(|it| answer(it.id.clone())).collect();
            metric.score(gold, &answers).value()
        };
        let sign = if metric.more_is_better() { 1.0 } else { -1.0 };
        let worst = f64::NEG_INFINITY;
        let mut ranked: Vec<(usize, f64)> = candidates
            .iter()
            .map(|it| value(it).map_or(worst, |value| sign * value))
            .enumerate()
            .collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        match ranked.as_slice() {
            [(one, _), (other, _), ..] => Some((*one, *other)),
            _ => None,
        }
    }
}
