//! Drills: what is tried with every candidate beside the examination. What becomes of it when
//! documents change, when what is found is noisy or contradicts itself, when the answer is not
//! there; what tuning made it forget; whether its form holds; what it takes to run.
//!
//! Most drills ask questions ([`Asks`]): each of their cases is a question of the examination
//! in other words or with other evidence. Cases and answers are kept as the examination's are,
//! so that a drill that was broken off goes on.

mod facts;
mod forgetting;
mod format;
mod freshness;
mod growth;
mod noise;
mod refusal;
pub(super) mod rows;
mod service;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use contract::{Evidence, QuestionId};
use eval::{Gold, Prediction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::base::{Answers, Base, Finder, Task, Tuned};
use super::evidence::{Findings, Shown};
use super::folder::{self, Folder, Lines};
use super::leaks::Leaks;
use super::{AnswerKind, Arm, CompareError, CompareRecipe, Examination, Taught};
use crate::Project;
use crate::models::{Environment, ModelReference};

pub use forgetting::{Forgetting, Forgot, General, OfTexts, TextsLost};
pub use format::Formatted;
pub use freshness::Freshness;
pub use growth::{Growth, Searched, Size};
pub use noise::Noise;
pub use refusal::Refusal;
pub use rows::{Held, Row};
pub use service::Service;

/// One thing that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillKind {
    /// Documents change, disappear and come back.
    Freshness,
    /// General text and tasks, before and after tuning.
    Forgetting,
    /// What is about something else, and what says something else, among what is found.
    Noise,
    /// The documents that hold the answer are left out.
    Refusal,
    /// The same question in other words.
    Format,
    /// Each candidate alone: memory, parts, and without a network.
    Service,
    /// The same questions among more and more documents, or labelled examples.
    Growth,
}

impl DrillKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Freshness,
        Self::Forgetting,
        Self::Noise,
        Self::Refusal,
        Self::Format,
        Self::Service,
        Self::Growth,
    ];

    /// Returns its name, as in files and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Freshness => "freshness",
            Self::Forgetting => "forgetting",
            Self::Noise => "noise",
            Self::Refusal => "refusal",
            Self::Format => "format",
            Self::Service => "service",
            Self::Growth => "growth",
        }
    }

    /// Returns what is tried, in a few words.
    pub fn says(self) -> &'static str {
        match self {
            Self::Freshness => "the documents change",
            Self::Forgetting => "general text and tasks",
            Self::Noise => "what is found is disturbed",
            Self::Refusal => "the answers are left out",
            Self::Format => "the same in other words",
            Self::Service => "each candidate alone",
            Self::Growth => "more and more is searched",
        }
    }
}

impl std::fmt::Display for DrillKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which drills are run, and on how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrillTerms {
    /// Which. Default: all.
    pub run: Vec<DrillKind>,
    /// The most questions that a drill makes its cases of. Default: 40.
    pub questions: usize,
    /// Files of general text, an empty line between its pieces, for what tuning makes a model
    /// forget. Default: a text that comes with the program.
    pub texts: Vec<PathBuf>,
    /// Files of general tasks: JSON lines of a text, its possible endings, and the number of
    /// the right one, from 0. Default: tasks that come with the program.
    pub tasks: Vec<PathBuf>,
}

impl Default for DrillTerms {
    fn default() -> Self {
        Self {
            run: DrillKind::ALL.to_vec(),
            questions: 40,
            texts: Vec::new(),
            tasks: Vec::new(),
        }
    }
}

/// What a drill found of each candidate, or why it was not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried<F> {
    /// What it found, by candidate.
    pub candidates: BTreeMap<Arm, F>,
    /// Why nothing was found, if so.
    pub not_measured: Option<String>,
}

impl<F> Default for Tried<F> {
    fn default() -> Self {
        Self::not("it was left out")
    }
}

impl<F> Tried<F> {
    fn not(why: &str) -> Self {
        Self {
            candidates: BTreeMap::new(),
            not_measured: Some(why.to_owned()),
        }
    }

    /// Returns what it found of one candidate, for what is the same of all.
    fn any(&self) -> F
    where
        F: Clone + Default,
    {
        self.candidates.values().next().cloned().unwrap_or_default()
    }

    fn found(candidates: BTreeMap<Arm, F>) -> Self {
        Self {
            candidates,
            not_measured: None,
        }
    }
}

/// What came of all drills.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drills {
    /// When documents change.
    pub freshness: Tried<Freshness>,
    /// What tuning made it forget.
    pub forgetting: Tried<Forgot>,
    /// What the base model makes of the same general text and tasks.
    pub general: Option<Forgetting>,
    /// When what is found is noisy, or contradicts itself.
    pub noise: Tried<Noise>,
    /// When the answer is not there.
    pub refusal: Tried<Refusal>,
    /// When the same is asked in other words.
    pub format: Tried<Formatted>,
    /// What it takes to run each.
    pub service: Tried<Service>,
    /// What is found among more and more documents, or labelled examples.
    pub growth: Option<Growth>,
    /// Why that was not tried, if so.
    pub growth_not_measured: Option<String>,
}

impl Drills {
    /// Returns them as tables of the report.
    pub(super) fn tables(
        &self,
        task: Task,
        taught: &BTreeMap<Arm, Vec<Taught>>,
        metric: eval::Metric,
    ) -> Vec<eval::report::Drill> {
        tables::tables(self, task, taught, metric)
    }
}

/// What drills need of a comparison.
pub(super) struct Ground<'a> {
    pub(super) project: &'a Project,
    pub(super) environment: &'a Environment,
    pub(super) recipe: &'a CompareRecipe,
    /// What all candidates begin with.
    pub(super) base: &'a Base,
    /// The same, as it is named.
    pub(super) reference: &'a ModelReference,
    pub(super) metric: eval::Metric,
    pub(super) examination: &'a Examination,
    pub(super) findings: &'a Findings,
    pub(super) shown: &'a Shown,
    /// What is not found, since it gives answers away.
    pub(super) leaks: &'a Leaks,
    /// Each candidate, that of the first seed where it learns.
    pub(super) contestants: Vec<Asked<'a>>,
    /// Answered examples that stand before a few-shot question.
    pub(super) shots: &'a [Gold],
    /// What those that learn have become, of the first seed.
    pub(super) tuned: &'a BTreeMap<Arm, Tuned>,
    /// Their answers in the examination, by seed.
    pub(super) answers: &'a BTreeMap<Arm, Vec<Vec<Prediction>>>,
    pub(super) taught: &'a BTreeMap<Arm, Vec<Taught>>,
    pub(super) folder: &'a Folder,
}

/// A candidate, ready to be asked.
pub(super) struct Asked<'a> {
    pub(super) arm: Arm,
    pub(super) answers: Box<dyn Answers + 'a>,
}

/// Is told what is tried, how many of its answers are there, and of how many; may break.
pub(super) type Tell<'a> = &'a mut dyn FnMut(DrillKind, usize, usize) -> ControlFlow<()>;

impl Ground<'_> {
    /// Runs every drill that is wanted and not done. Nothing, if `tell` breaks.
    ///
    /// # Errors
    /// If the documents or the models cannot be read, or a file not be written.
    pub(super) fn run(&self, tell: Tell<'_>) -> Result<Option<Drills>, CompareError> {
        let mut drills = Drills::default();
        for kind in &self.recipe.drills.run {
            macro_rules! keep {
                ($place:ident, $found:expr) => {
                    match $found? {
                        Some(found) => drills.$place = found,
                        None => return Ok(None),
                    }
                };
            }
            match kind {
                DrillKind::Freshness => keep!(freshness, freshness::run(self, tell)),
                DrillKind::Noise => keep!(noise, self.ask(&noise::Disturbed, tell)),
                DrillKind::Refusal => keep!(refusal, self.ask(&refusal::LeftOut, tell)),
                DrillKind::Format if self.examination.kind() == AnswerKind::Tags => {
                    drills.format = Tried::not("a tag stands for each word of the text as it is");
                }
                DrillKind::Format => keep!(format, self.ask(&format::Reworded, tell)),
                DrillKind::Service => keep!(service, service::run(self, tell)),
                DrillKind::Growth => match growth::run(self, tell)? {
                    Some(Ok(growth)) => drills.growth = Some(growth),
                    Some(Err(why)) => drills.growth_not_measured = Some(why),
                    None => return Ok(None),
                },
                DrillKind::Forgetting => match forgetting::run(self, tell)? {
                    Some((general, found)) => {
                        drills.general = general;
                        drills.forgetting = found;
                    }
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(drills))
    }

    /// Returns the first seed's answers of a candidate, by question.
    fn answers_of(&self, arm: Arm) -> BTreeMap<&QuestionId, &Prediction> {
        let first = self.answers.get(&arm).and_then(|runs| runs.first());
        let answers = first.into_iter().flatten();
        answers.map(|it| (&it.question, it)).collect()
    }

    /// Returns the evidence that is shown for a question.
    fn evidence(&self, asked: &Gold) -> &[Evidence] {
        self.findings.shown(&asked.id, self.shown)
    }

    /// Returns whether any candidate is given evidence.
    fn retrieves(&self) -> bool {
        self.contestants.iter().any(|it| it.arm.retrieves())
    }

    /// Returns what finds evidence.
    fn finder(&self) -> Result<Finder<'_>, CompareError> {
        Ok(self
            .base
            .finder(self.project, self.environment, self.leaks)?)
    }

    /// Returns the questions that a drill makes its cases of: those of `these`, up to the
    /// number that the recipe allows, taken evenly.
    fn some<'g>(&self, these: Vec<&'g Gold>) -> Vec<&'g Gold> {
        let most = self.recipe.drills.questions;
        let all = these.len();
        if all <= most {
            return these;
        }
        (0..most).map(|at| these[at * all / most]).collect()
    }

    /// Puts a drill's cases to every candidate that was not asked them yet.
    fn ask<D: Asks>(
        &self,
        drill: &D,
        tell: Tell<'_>,
    ) -> Result<Option<Tried<D::Figures>>, CompareError> {
        if let (Some(why), Some(_)) = (D::NOT_OF_EXAMPLES, self.base.examples()) {
            return Ok(Some(Tried::not(why)));
        }
        if D::OF_EVIDENCE && !self.retrieves() {
            return Ok(Some(Tried::not("no candidate is given evidence")));
        }
        let path = self.folder.drill(D::KIND).join("cases.json");
        let cases: Vec<Case<D::Condition>> = match folder::read_json(&path)? {
            Some(cases) => cases,
            None => {
                let cases = drill.cases(self)?;
                folder::write_json(&path, &cases)?;
                cases
            }
        };
        if cases.is_empty() {
            return Ok(Some(Tried::not(D::NO_CASES)));
        }
        let asked = &self.contestants;
        let of = cases.len() * asked.len();
        let mut candidates = BTreeMap::new();
        for (number, contestant) in asked.iter().enumerate() {
            let before = self.answers_of(contestant.arm);
            let path = self.folder.drill(D::KIND);
            let path = path.join(format!("{}.jsonl", contestant.arm));
            let (mut lines, known) = Lines::open::<Prediction>(&path)?;
            let mut known: BTreeMap<QuestionId, Prediction> = known
                .into_iter()
                .filter(|it| it.failure.is_none())
                .map(|it| (it.question.clone(), it))
                .collect();
            for (done, case) in cases.iter().enumerate() {
                if known.contains_key(&case.asked.id) {
                    continue;
                }
                let answer = match before.get(&case.of) {
                    // Nothing of what it is given is otherwise.
                    Some(answer) if !contestant.arm.retrieves() && !case.reworded => Prediction {
                        question: case.asked.id.clone(),
                        ..(*answer).clone()
                    },
                    _ => {
                        let evidence = match contestant.arm.retrieves() {
                            true => &case.evidence[..],
                            false => &[],
                        };
                        contestant.answers.answer(&case.asked, evidence, 0.0)
                    }
                };
                lines.add(&answer)?;
                known.insert(case.asked.id.clone(), answer);
                if tell(D::KIND, number * cases.len() + done + 1, of).is_break() {
                    return Ok(None);
                }
            }
            let answered: Vec<Answered<'_, D::Condition>> = cases
                .iter()
                .filter_map(|case| {
                    Some(Answered {
                        case,
                        answer: known.get(&case.asked.id)?,
                        before: before.get(&case.of).copied(),
                    })
                })
                .collect();
            candidates.insert(
                contestant.arm,
                drill.figures(self, contestant.arm, &answered),
            );
        }
        Ok(Some(Tried::found(candidates)))
    }
}

/// A drill that asks questions.
trait Asks {
    /// What is otherwise in a case.
    type Condition: Serialize + DeserializeOwned;
    /// What a candidate's answers come to.
    type Figures;
    /// Which it is.
    const KIND: DrillKind;
    /// Whether it is about evidence, so that some candidate has to be given it.
    const OF_EVIDENCE: bool;
    /// Why it is not run where what is found are labelled examples, if so.
    const NOT_OF_EXAMPLES: Option<&'static str>;
    /// Why there may be no case.
    const NO_CASES: &'static str;

    /// Makes the cases.
    fn cases(&self, ground: &Ground<'_>) -> Result<Vec<Case<Self::Condition>>, CompareError>;

    /// Says what a candidate's answers come to.
    fn figures(
        &self,
        ground: &Ground<'_>,
        arm: Arm,
        answered: &[Answered<'_, Self::Condition>],
    ) -> Self::Figures;
}

/// A question of the examination, asked otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Case<C> {
    /// What is asked; its id is the case's own.
    asked: Gold,
    /// The examination's question.
    of: QuestionId,
    /// Whether its words are others than the examination's.
    reworded: bool,
    /// What a candidate that is given evidence is given.
    evidence: Vec<Evidence>,
    /// What is otherwise.
    condition: C,
}

impl<C> Case<C> {
    fn new(asked: &Gold, name: &str, evidence: Vec<Evidence>, condition: C) -> Self {
        let id = QuestionId::new(format!("{} · {name}", asked.id));
        Self {
            of: asked.id.clone(),
            reworded: false,
            asked: Gold {
                id,
                ..asked.clone()
            },
            evidence,
            condition,
        }
    }
}

/// A case with a candidate's answer to it.
struct Answered<'a, C> {
    case: &'a Case<C>,
    answer: &'a Prediction,
    /// Its answer to the examination's question.
    before: Option<&'a Prediction>,
}

/// Returns which part of `all` is as `is` says; 0 of none.
fn share<T>(all: impl IntoIterator<Item = T>, is: impl Fn(&T) -> bool) -> f64 {
    let (mut part, mut count) = (0usize, 0usize);
    for it in all {
        part += usize::from(is(&it));
        count += 1;
    }
    part as f64 / count.max(1) as f64
}
