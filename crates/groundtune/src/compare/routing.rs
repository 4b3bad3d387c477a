//! The candidate `routed`: each question goes through retrieval or to the model alone, as a
//! router says that was taught on the development questions.
//!
//! A routed answer is the very one that `rag` or `prompt` gives, so none is written twice; what
//! is added is the time to look for evidence, which the router needs to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use contract::{Embed, Evidence, QuestionId, TextRole};
use eval::{Gold, GoldSet, Prediction};
use search::route::{Asked, Judged, Route, Router};
use serde::{Deserialize, Serialize};

use super::base::Answers;
use super::evidence::{Findings, Shown};
use super::{Arm, CompareError, CompareEvent, Comparison, Work, folder};
use crate::Error;
use crate::ingest::sentence;
use crate::route::router_file;

/// The router of a comparison, and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterKept {
    /// The router.
    pub router: Router,
    /// How long both answered the development questions, in seconds.
    pub seconds: f64,
    /// How many questions of the examination it sends through retrieval …
    pub retrieval: usize,
    /// … and how many to the model alone.
    pub alone: usize,
}

/// A router that can be asked.
pub(super) struct Guide {
    router: Router,
    embedder: Option<Box<dyn Embed>>,
}

impl Guide {
    /// Decides for a question by what is shown of what is found for it.
    fn route(&self, question: &str, shown: &[Evidence]) -> Result<Route, Error> {
        let vector = vector(self.embedder.as_deref(), question)?;
        Ok(self.router.route(&Asked {
            question,
            scores: &scores(shown),
            vector: vector.as_deref(),
        }))
    }
}

/// The candidate `routed`, ready to be asked.
pub(super) struct Routed<'a> {
    pub(super) guide: &'a Guide,
    pub(super) retrieval: Box<dyn Answers + 'a>,
    pub(super) alone: Box<dyn Answers + 'a>,
}

impl Answers for Routed<'_> {
    fn answer(&self, asked: &Gold, evidence: &[Evidence], finding: f64) -> Prediction {
        match self.guide.route(&asked.question, evidence) {
            Ok(Route::Retrieval) => self.retrieval.answer(asked, evidence, finding),
            // Without what is found it could not be decided.
            Ok(Route::Alone) => self.alone.answer(asked, &[], finding),
            Err(error) => Prediction::failed(asked.id.clone(), sentence(&error)),
        }
    }
}

fn scores(shown: &[Evidence]) -> Vec<f64> {
    shown.iter().map(|it| it.score.get()).collect()
}

fn vector(embedder: Option<&dyn Embed>, question: &str) -> Result<Option<Vec<f32>>, Error> {
    let Some(embedder) = embedder else {
        return Ok(None);
    };
    let mut vectors = embedder.embed(&[question], TextRole::Question)?;
    Ok(vectors.pop().map(|it| it.values().to_vec()))
}

impl Comparison<'_> {
    /// Teaches the router on the development questions, unless that was done, and has every
    /// question of the examination answered the way that it says.
    pub(super) fn route(
        &self,
        findings: &Findings,
        shown: &Shown,
        tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Option<(Guide, Vec<Prediction>)>, CompareError> {
        let path = self.folder.router();
        let embedder = self.project.open_embedder(self.environment)?;
        let seed = self.recipe().seed;
        let mut kept: RouterKept = match folder::read_json(&path)? {
            Some(kept) => kept,
            None => match self.teach_router(embedder.as_deref(), findings, shown, tell)? {
                Some(kept) => kept,
                None => return Ok(None),
            },
        };
        // Both answered already, if they are among the candidates.
        let mut both: BTreeMap<(Arm, QuestionId), Prediction> = BTreeMap::new();
        for arm in [Arm::Prompt, Arm::Rag] {
            let Some(found) = self.examine(arm, seed, None, findings, shown, tell)? else {
                return Ok(None);
            };
            both.extend(found.into_iter().map(|it| ((arm, it.question.clone()), it)));
        }
        let guide = Guide {
            router: kept.router.clone(),
            embedder,
        };
        let mut routed = Vec::new();
        (kept.retrieval, kept.alone) = (0, 0);
        for asked in &self.examination.test {
            let route = guide.route(&asked.question, findings.shown(&asked.id, shown))?;
            let (arm, looked) = match route {
                Route::Retrieval => (Arm::Rag, 0.0),
                // Without what is found it could not be decided.
                Route::Alone => (Arm::Prompt, findings.elapsed(&asked.id).as_secs_f64()),
            };
            match route {
                Route::Retrieval => kept.retrieval += 1,
                Route::Alone => kept.alone += 1,
            }
            let answer = both.remove(&(arm, asked.id.clone()));
            let mut answer = answer.expect("everybody is asked everything, once");
            answer.seconds = answer.seconds.map(|seconds| seconds + looked);
            routed.push(answer);
        }
        let lines: Vec<String> = routed
            .iter()
            .map(|it| serde_json::to_string(it).map_err(std::io::Error::other))
            .collect::<Result<_, _>>()?;
        let text = lines.join("\n") + "\n";
        folder::write(&self.folder.predictions(Arm::Routed, seed), &text)?;
        folder::write_json(&path, &kept)?;
        self.keep_router(&kept.router)?;
        Ok(Some((guide, routed)))
    }

    /// Has both answer the development questions, and teaches a router by which was better.
    fn teach_router(
        &self,
        embedder: Option<&dyn Embed>,
        findings: &Findings,
        shown: &Shown,
        tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Option<RouterKept>, CompareError> {
        let dev = &self.examination.dev;
        let metric = self.protocol.plan.metric;
        let gold = GoldSet::new(dev.iter().cloned());
        let mut values: BTreeMap<Arm, Vec<Option<f64>>> = BTreeMap::new();
        let mut seconds = 0.0;
        for (turn, arm) in [Arm::Prompt, Arm::Rag].into_iter().enumerate() {
            let contestant = self.contestant(arm, None, &[]);
            let mut answers: Vec<Prediction> = Vec::new();
            for (place, asked) in gold.questions().iter().enumerate() {
                let evidence = match arm.retrieves() {
                    true => findings.shown(&asked.id, shown),
                    false => &[],
                };
                let answer = contestant.answer(asked, evidence, 0.0);
                seconds += answer.seconds.unwrap_or(0.0);
                answers.push(answer);
                let progress = CompareEvent::Progress {
                    what: Work::Routing,
                    done: turn * gold.len() + place + 1,
                    of: 2 * gold.len(),
                };
                if tell(progress).is_break() {
                    return Ok(None);
                }
            }
            let answers: Vec<Option<&Prediction>> = answers.iter().map(Some).collect();
            values.insert(arm, metric.score(&gold, &answers).by_question);
        }
        let sign = if metric.more_is_better() { 1.0 } else { -1.0 };
        let mut lessons = Vec::new();
        for (place, asked) in gold.questions().iter().enumerate() {
            let value = |arm: Arm| values[&arm][place];
            // Where one of them cannot be measured alone, nothing is learnt.
            let gain = match (value(Arm::Rag), value(Arm::Prompt)) {
                (Some(rag), Some(prompt)) => sign * (rag - prompt),
                _ => 0.0,
            };
            lessons.push(Judged {
                question: asked.question.clone(),
                scores: scores(findings.shown(&asked.id, shown)),
                vector: vector(embedder, &asked.question)?,
                gain,
            });
        }
        let embedder = embedder.map(|it| it.identity().to_string());
        Ok(Some(RouterKept {
            router: Router::teach(&lessons, embedder),
            seconds,
            retrieval: 0,
            alone: 0,
        }))
    }

    /// Keeps the router in the project, for `ask`.
    fn keep_router(&self, router: &Router) -> Result<(), CompareError> {
        let path: PathBuf = router_file(self.project);
        folder::write_json(&path, router)
    }
}

/// Returns the last answer to each question, in their order: what failed was asked again.
pub(super) fn last_answers(found: Vec<Prediction>) -> Vec<Prediction> {
    let mut seen: BTreeSet<QuestionId> = BTreeSet::new();
    let mut last: Vec<Prediction> = found
        .into_iter()
        .rev()
        .filter(|it| seen.insert(it.question.clone()))
        .collect();
    last.reverse();
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_counts() {
        let answer = |id: &str, said: &str| Prediction::new(QuestionId::new(id), said);
        let failed = Prediction::failed(QuestionId::new("b"), "out of memory");
        let all = vec![failed, answer("c", "1"), answer("a", "2"), answer("b", "3")];
        let expect = [answer("c", "1"), answer("a", "2"), answer("b", "3")];
        assert_eq!(last_answers(all), expect);
    }
}
