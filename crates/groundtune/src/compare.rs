//! Journey 3: which way of adapting the model wins on the team's own questions.
//!
//! Questions with their answers are divided once; retrieval is tuned, and models are taught, on
//! what nobody is examined on; then every candidate answers the same held-out questions, and
//! the paired differences decide. Each stage leaves what it found in the comparison's folder
//! ([`Folder`]) and is not done again: a comparison that was broken off goes on.

mod answer;
mod base;
mod drills;
mod encoder;
mod error;
mod evidence;
mod examination;
mod folder;
mod judge;
mod jury;
mod kept;
mod labels;
mod leaks;
mod names;
mod neighbours;
mod recipe;
mod routing;
mod served;
mod spans;
mod teach;
mod tune;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use contract::{Bytes, QuestionId};
use eval::{Gold, Prediction};
use search::store::Snapshot;
use serde::{Deserialize, Serialize};

use crate::Project;
use crate::models::{Environment, ModelReference};
use crate::train::{forget_peak, peak};

use base::{Answers, Base, Finder, Tuned};
use drills::{Asked, Ground};
use evidence::Findings;
pub(crate) use folder::Lines;
use leaks::Leaks;
use routing::{Guide, Routed};
use teach::Lessons;

pub use base::Task;
pub use drills::{
    DrillKind, DrillTerms, Drills, Forgetting, Forgot, Formatted, Freshness, General, Growth, Held,
    Noise, OfTexts, Refusal, Row, Searched, Service, Size, TextsLost, Tried,
};
pub use error::CompareError;
pub use eval::report::QuestionRow;
pub use eval::report::tables::{self, Table};
pub use evidence::{Shown, Trial};
pub use examination::{AnswerKind, Examination, ExaminationNote};
pub use folder::Folder;
pub use judge::{Guard, Judgement};
pub use kept::{KeptComparison, comparison, comparisons};
pub use leaks::{GivenAway, Leak};
pub use recipe::{Arm, CompareRecipe, Prices, VerdictTerms};
pub use routing::RouterKept;
pub use teach::Taught;
pub use tune::{Retrieval, Shows, Tries, Try, TuningTerms};
pub use way::{Lists, Way};

/// With what a comparison begins.
#[derive(Clone, Debug, PartialEq)]
pub enum CompareStart {
    /// With a recipe.
    New(Box<CompareRecipe>),
    /// With what another left behind when it was broken off.
    Resume(PathBuf),
}

/// What happens in a comparison.
#[derive(Debug)]
pub enum CompareEvent<'a> {
    /// The questions are divided.
    Examined {
        /// Where everything is kept.
        folder: &'a Folder,
        /// The questions.
        examination: &'a Examination,
        /// What is compared.
        protocol: &'a Protocol,
    },
    /// Questions are looked up, or answered, of how many.
    Progress {
        /// What is done.
        what: Work,
        /// How many are done.
        done: usize,
        /// How many there are.
        of: usize,
    },
    /// How much of what is found will be shown.
    Tuned(&'a Retrieval),
    /// A candidate is being taught.
    Teaching {
        /// The candidate.
        arm: Arm,
        /// Its seed.
        seed: u64,
        /// What happens.
        event: &'a crate::train::Event,
    },
    /// A candidate is taught.
    Taught {
        /// The candidate.
        arm: Arm,
        /// Its seed.
        seed: u64,
        /// What it has come to.
        taught: &'a Taught,
    },
}

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Ways to find evidence are tried on the development questions.
    Trying,
    /// Evidence is looked for.
    Finding,
    /// The base model tries what was found of the development questions.
    Tuning,
    /// Development questions are answered with and without evidence, to teach the router.
    Routing,
    /// A candidate answers the examination.
    Answering(Arm, u64),
    /// Something else is tried with all candidates.
    Drill(DrillKind),
    /// A language model judges the answers.
    Judging,
}

/// What is compared: written down before anything is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// The version of the program.
    pub version: String,
    /// The model that all candidates begin with.
    pub base: String,
    /// How questions are answered.
    #[serde(default)]
    pub task: Task,
    /// The candidates that were asked for and cannot be had, with why not.
    pub left_out: BTreeMap<Arm, String>,
    /// What the candidates are measured by, and what decides.
    pub plan: eval::Plan,
    /// Tells the examples from others.
    pub examples: String,
    /// What was asked for.
    pub recipe: CompareRecipe,
}

impl Protocol {
    fn read(folder: &Folder) -> Result<Self, CompareError> {
        let text = fs_err::read_to_string(folder.plan())?;
        let wrong = |error| crate::ConfigError::from_toml(&folder.plan(), &text, &error);
        Ok(toml::from_str(&text).map_err(wrong)?)
    }

    /// Returns who is examined, each that learns once a seed.
    pub fn contestants(&self) -> Vec<(Arm, u64)> {
        let recipe = &self.recipe;
        let mut arms = recipe.candidates.clone();
        arms.sort_unstable();
        arms.dedup();
        arms.retain(|arm| !self.left_out.contains_key(arm));
        arms.into_iter()
            .flat_map(|arm| {
                let seeds = if arm.learns() { recipe.seeds as u64 } else { 1 };
                (0..seeds).map(move |number| (arm, recipe.seed + number))
            })
            .collect()
    }
}

/// Compares. `tell` is told what happens; when it breaks, everything that is done is kept, and
/// nothing is returned.
///
/// # Errors
/// If there is nothing to compare on or with, or a stage fails. What is done by then is kept.
pub fn compare(
    project: &Project,
    start: CompareStart,
    base: Option<&ModelReference>,
    environment: &Environment,
    tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
) -> Result<Option<Judgement>, CompareError> {
    // Copies of the project lie in other folders, and models are found from there too.
    let project = &project.absolute()?;
    let environment = &project.surroundings(environment);
    let comparison = Comparison::begin(project, start, base, environment)?;
    let found = comparison.run(&mut |event| match comparison.base.gone() {
        Some(_) => ControlFlow::Break(()),
        None => tell(event),
    });
    match comparison.base.gone() {
        Some(failure) => Err(CompareError::Gone {
            model: comparison.protocol.base.clone(),
            failure,
            folder: comparison.folder.path().to_owned(),
        }),
        None => found,
    }
}

/// What the stages before the drills left.
struct Stages<'a> {
    searched: &'a Project,
    findings: &'a Findings,
    shown: &'a Shown,
    taught: &'a BTreeMap<Arm, Vec<Taught>>,
    answers: &'a BTreeMap<Arm, Vec<Vec<Prediction>>>,
}

/// A comparison under way.
struct Comparison<'a> {
    folder: Folder,
    protocol: Protocol,
    examination: Examination,
    /// Which model the candidates begin with.
    reference: ModelReference,
    /// What is not found, since it gives answers away.
    leaks: Leaks,
    base: Base,
    project: &'a Project,
    environment: &'a Environment,
}

impl<'a> Comparison<'a> {
    /// Reads the examples and writes down what is compared; or reads it, and sees to it that
    /// nothing changed.
    fn begin(
        project: &'a Project,
        start: CompareStart,
        base: Option<&ModelReference>,
        environment: &'a Environment,
    ) -> Result<Self, CompareError> {
        let (folder, recipe, before) = match start {
            CompareStart::New(recipe) => (None, *recipe, None),
            CompareStart::Resume(root) => {
                let folder = Folder::open(&std::path::absolute(root)?)?;
                let protocol = Protocol::read(&folder)?;
                (Some(folder), protocol.recipe.clone(), Some(protocol))
            }
        };
        recipe.check()?;
        let mut examination = Examination::read(&recipe)?;
        let reference = match (&before, base) {
            (Some(before), _) => before.base.parse().map_err(|_| CompareError::NoBase)?,
            (None, Some(base)) => base.clone(),
            (None, None) => usual_base(project, &examination),
        };
        let base = Base::open(&reference, &examination, &recipe, project, environment)?;
        let mut leaks = Leaks::default();
        if base.task().is_of_documents() && project.store_folder().is_dir() {
            let (found, notes) = Leaks::look(project, &recipe, &examination)?;
            leaks = found;
            examination.notes.extend(notes);
        }
        let protocol = Protocol {
            version: env!("CARGO_PKG_VERSION").into(),
            base: reference.to_string(),
            task: base.task(),
            left_out: left_out(&recipe, &reference, &base, &examination, project),
            plan: judge::plan(&recipe, &examination),
            examples: format!("{:016x}", examination.fingerprint),
            recipe,
        };
        let folder = match (folder, before) {
            (Some(folder), Some(before)) if before == protocol => folder,
            (Some(_), Some(before)) => {
                return Err(CompareError::Changed {
                    what: if before.examples != protocol.examples {
                        "examples"
                    } else {
                        "protocol"
                    },
                });
            }
            _ => {
                let folder = Folder::create(&project.state_folder().join("comparisons"))?;
                let text = toml::to_string(&protocol).map_err(std::io::Error::other)?;
                folder::write_json(&folder.examination(), &examination)?;
                folder::write(&folder.plan(), &text)?;
                folder
            }
        };
        Ok(Self {
            folder,
            protocol,
            examination,
            reference,
            leaks,
            base,
            project,
            environment,
        })
    }

    /// Goes through all stages, each from where it was broken off. Nothing, if `tell` breaks.
    ///
    /// # Errors
    /// If a stage fails. What is done by then is kept.
    fn run(
        &self,
        tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Judgement>, CompareError> {
        let told = tell(CompareEvent::Examined {
            folder: &self.folder,
            examination: &self.examination,
            protocol: &self.protocol,
        });
        if told.is_break() {
            return Ok(None);
        }
        let Some(retrieval) = self.tune(tell)? else {
            return Ok(None);
        };
        let searched = self.searched(&retrieval.way)?;
        let Some(findings) = self.find(&searched, tell)? else {
            return Ok(None);
        };
        let retrieval = self.look_at(retrieval, &findings)?;
        let mut answers: BTreeMap<Arm, Vec<Vec<Prediction>>> = BTreeMap::new();
        let mut tuned: BTreeMap<Arm, Tuned> = BTreeMap::new();
        let mut taught: BTreeMap<Arm, Vec<Taught>> = BTreeMap::new();
        let mut guide = None;
        for (arm, seed) in self.contestants() {
            if arm == Arm::Routed {
                match self.route(&findings, &retrieval.chosen, tell)? {
                    Some((router, found)) => {
                        guide = Some(router);
                        answers.insert(arm, vec![found]);
                    }
                    None => return Ok(None),
                }
                continue;
            }
            let mut model = None;
            if arm.learns() {
                let shown = &retrieval.chosen;
                let Some(run) = self.teach(arm, seed, &findings, shown, tell)? else {
                    return Ok(None);
                };
                model = Some(self.open(&run)?);
                taught.entry(arm).or_default().push(run);
            }
            let asked = model.as_ref();
            match self.examine(arm, seed, asked, &findings, &retrieval.chosen, tell)? {
                Some(found) => answers.entry(arm).or_default().push(found),
                None => return Ok(None),
            }
            if let Some(model) = model {
                // The first of a candidate's seeds speaks for it where one is enough.
                tuned.entry(arm).or_insert(model);
            }
        }
        let stages = Stages {
            searched: &searched,
            findings: &findings,
            shown: &retrieval.chosen,
            taught: &taught,
            answers: &answers,
        };
        let Some(drills) = self.drill(&stages, &tuned, guide.as_ref(), tell)? else {
            return Ok(None);
        };
        if self.judge(&answers, tell)?.is_none() {
            return Ok(None);
        }
        let judgement = Judgement::of(
            &self.folder,
            &self.protocol,
            &self.examination,
            retrieval,
            taught,
            drills,
            &answers,
        )?;
        judgement.write()?;
        Ok(Some(judgement))
    }

    fn recipe(&self) -> &CompareRecipe {
        &self.protocol.recipe
    }

    /// Opens what a candidate has become by being taught.
    fn open(&self, taught: &Taught) -> Result<Tuned, CompareError> {
        let root = &self.project.root;
        self.base.tuned(taught, root, self.environment)
    }

    /// Returns who is examined, each that learns once a seed.
    fn contestants(&self) -> Vec<(Arm, u64)> {
        self.protocol.contestants()
    }

    /// Returns the project whose documents are searched: as the way that was chosen finds.
    fn searched(&self, way: &Way) -> Result<Project, CompareError> {
        let retrieves = self.contestants().iter().any(|(arm, _)| arm.retrieves());
        if retrieves && self.base.task().is_of_documents() {
            let extent = way::Extent::All;
            Ok(way.made(self.project, &self.folder, &extent, self.environment)?)
        } else {
            Ok(self.project.clone())
        }
    }

    /// Finds evidence for every question that needs it.
    fn find(
        &self,
        searched: &Project,
        tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Findings>, CompareError> {
        let mut findings = Findings::default();
        let arms = self.contestants();
        if !arms.iter().any(|(arm, _)| arm.retrieves()) {
            return Ok(Some(findings));
        }
        let (mut lines, found) = Lines::open(&self.folder.evidence())?;
        found.into_iter().for_each(|it| findings.add(it));
        let set = &self.examination;
        let mut asked: Vec<&Gold> = set.dev.iter().chain(&set.test).collect();
        let hybrid = arms.iter().any(|(arm, _)| *arm == Arm::Hybrid);
        if hybrid && matches!(self.base, Base::Writer(_)) {
            asked.extend(&set.train);
        }
        let mut finder = None;
        for (done, question) in asked.iter().enumerate() {
            if findings.knows(&question.id) {
                continue;
            }
            let finder = match &mut finder {
                Some(finder) => finder,
                None => finder.insert(self.finder(searched)?),
            };
            let found = finder.find(question)?;
            lines.add(&found)?;
            findings.add(found);
            let progress = CompareEvent::Progress {
                what: Work::Finding,
                done: done + 1,
                of: asked.len(),
            };
            if tell(progress).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(findings))
    }

    /// Teaches a candidate, unless it is taught already.
    fn teach(
        &self,
        arm: Arm,
        seed: u64,
        findings: &Findings,
        shown: &Shown,
        tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Taught>, CompareError> {
        let folder = self.folder.taught(arm, seed);
        let path = folder.join("taught.json");
        if let Some(taught) = folder::read_json(&path)? {
            return Ok(Some(taught));
        }
        if let (Base::Encoder(encoder), Arm::Hybrid) = (&self.base, arm) {
            // It is learnt the same, whether neighbours vote beside them or not.
            let Some(mut taught) = self.teach(Arm::FineTuned, seed, findings, shown, tell)? else {
                return Ok(None);
            };
            if let Tuned::Encoder(opened) = self.open(&taught)? {
                let dev = &self.examination.dev;
                taught.neighbours = encoder.part(&opened, findings, shown, dev)?;
            }
            folder::write_json(&path, &taught)?;
            return Ok(Some(taught));
        }
        let base = self.reference.with_whole_path(&self.project.root)?;
        let lessons = Lessons {
            task: self.base.task(),
            recipe: self.recipe(),
            train: &self.examination.train,
            dev: &self.examination.dev,
            starts: &self.examination.starts,
            findings,
            shown,
            base: &base.to_string(),
            writer: self.base.writer(),
            context: self.base.context()?,
        };
        let taught = lessons.teach(arm, seed, &folder, self.environment, &mut |event| {
            tell(CompareEvent::Teaching { arm, seed, event })
        })?;
        let Some(taught) = taught else {
            return Ok(None);
        };
        folder::write_json(&path, &taught)?;
        let told = tell(CompareEvent::Taught {
            arm,
            seed,
            taught: &taught,
        });
        Ok(told.is_continue().then_some(taught))
    }

    /// Asks a candidate every question of the examination that it has not answered yet.
    fn examine(
        &self,
        arm: Arm,
        seed: u64,
        tuned: Option<&Tuned>,
        findings: &Findings,
        shown: &Shown,
        tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Vec<Prediction>>, CompareError> {
        let (mut lines, mut found) =
            Lines::open::<Prediction>(&self.folder.predictions(arm, seed))?;
        // What failed is asked again.
        found.retain(|it| it.failure.is_none());
        let shots = match arm {
            Arm::FewShot => self.shots(),
            _ => Vec::new(),
        };
        let contestant = self.contestant(arm, tuned, &shots);
        let test = &self.examination.test;
        let answered: BTreeSet<QuestionId> = found.iter().map(|it| it.question.clone()).collect();
        for (done, asked) in test.iter().enumerate() {
            if answered.contains(&asked.id) {
                continue;
            }
            let (evidence, finding) = match arm.retrieves() {
                true => (
                    findings.shown(&asked.id, shown),
                    findings.elapsed(&asked.id).as_secs_f64(),
                ),
                false => (&[][..], 0.0),
            };
            forget_peak();
            let mut prediction = contestant.answer(asked, evidence, finding);
            // What a server takes is not seen from here.
            if !matches!(self.reference, ModelReference::Server(_)) {
                prediction.peak_memory = peak().map(Bytes);
            }
            lines.add(&prediction)?;
            found.push(prediction);
            let progress = CompareEvent::Progress {
                what: Work::Answering(arm, seed),
                done: done + 1,
                of: test.len(),
            };
            if tell(progress).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// Tries with every candidate what is tried beside the examination, unless that was done.
    fn drill(
        &self,
        stages: &Stages<'_>,
        tuned: &BTreeMap<Arm, Tuned>,
        guide: Option<&Guide>,
        tell: &mut dyn FnMut(CompareEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Drills>, CompareError> {
        let path = self.folder.drills();
        if let Some(found) = folder::read_json(&path)? {
            return Ok(Some(found));
        }
        let shots = self.shots();
        let mut contestants: Vec<Asked<'_>> = Vec::new();
        for (arm, _) in self.contestants() {
            if contestants.iter().all(|known| known.arm != arm) {
                let shots = if arm == Arm::FewShot { &shots[..] } else { &[] };
                let answers: Box<dyn Answers + '_> = match guide {
                    Some(guide) if arm == Arm::Routed => Box::new(Routed {
                        guide,
                        retrieval: self.contestant(Arm::Rag, None, &[]),
                        alone: self.contestant(Arm::Prompt, None, &[]),
                    }),
                    _ => self.contestant(arm, tuned.get(&arm), shots),
                };
                contestants.push(Asked { arm, answers });
            }
        }
        let ground = Ground {
            project: stages.searched,
            environment: self.environment,
            recipe: self.recipe(),
            base: &self.base,
            reference: &self.reference,
            metric: self.protocol.plan.metric,
            examination: &self.examination,
            findings: stages.findings,
            shown: stages.shown,
            leaks: &self.leaks,
            contestants,
            shots: &shots,
            tuned,
            answers: stages.answers,
            taught: stages.taught,
            folder: &self.folder,
        };
        let found = ground.run(&mut |kind, done, of| {
            let what = Work::Drill(kind);
            tell(CompareEvent::Progress { what, done, of })
        })?;
        if let Some(found) = &found {
            folder::write_json(&path, found)?;
        }
        Ok(found)
    }

    /// Returns `arm` with what it became by being taught, ready to be asked.
    fn contestant<'c>(
        &'c self,
        arm: Arm,
        tuned: Option<&'c Tuned>,
        shots: &'c [Gold],
    ) -> Box<dyn Answers + 'c> {
        self.base.contestant(arm, tuned, self.recipe(), shots)
    }

    /// Returns what finds evidence in the documents of `searched`, or among the examples.
    fn finder(&self, searched: &Project) -> Result<Finder<'_>, CompareError> {
        Ok(self.base.finder(searched, self.environment, &self.leaks)?)
    }

    /// Returns the answered examples that a few-shot question follows: the first of the
    /// training questions, one of each answer before there is a second.
    fn shots(&self) -> Vec<Gold> {
        let train = &self.examination.train;
        let mut chosen: Vec<&Gold> = Vec::new();
        for fresh in [true, false] {
            for asked in train {
                let known = chosen.iter().any(|it| it.answers == asked.answers);
                let again = chosen.iter().any(|it| it.id == asked.id);
                if chosen.len() < self.recipe().shots && !again && (!fresh || !known) {
                    chosen.push(asked);
                }
            }
        }
        chosen.into_iter().cloned().collect()
    }
}

/// Returns the model that candidates begin with where none is named for it: the one that
/// writes; of labels and names, where none writes, the encoder that is named; else what is built in.
fn usual_base(project: &Project, examination: &Examination) -> ModelReference {
    let models = &project.config.models;
    match (&models.generator, &models.embedder) {
        (ModelReference::None, embedder @ ModelReference::Named(_))
            if matches!(examination.kind(), AnswerKind::Label | AnswerKind::Tags) =>
        {
            embedder.clone()
        }
        (ModelReference::None, _) => ModelReference::BuiltIn,
        (named, _) => named.clone(),
    }
}

/// Returns whether a project has documents that were taken in. A store that cannot be read is said
/// when it is searched.
fn holds_documents(project: &Project) -> bool {
    let folder = project.store_folder();
    let totals = || Snapshot::open(&folder)?.totals();
    folder.is_dir() && totals().is_ok_and(|it| it.documents > 0)
}

/// Returns the candidates that cannot be had, with why not.
fn left_out(
    recipe: &CompareRecipe,
    reference: &ModelReference,
    base: &Base,
    examination: &Examination,
    project: &Project,
) -> BTreeMap<Arm, String> {
    let mut out = BTreeMap::new();
    let of_documents = base.task().is_of_documents();
    let found = match of_documents {
        true => holds_documents(project),
        false => !examination.train.is_empty(),
    };
    let unteachable = match base {
        Base::Writer(_) if matches!(reference, ModelReference::Server(_)) => {
            Some("the base model is on a server and cannot be taught here")
        }
        Base::Writer(_) => None,
        Base::Encoder(encoder) => encoder.unteachable(),
    };
    for &arm in &recipe.candidates {
        let why = if let (true, Some(why)) = (arm.learns(), unteachable) {
            why
        } else if arm.learns() && examination.train.is_empty() {
            "there are no examples to teach it from"
        } else if arm.retrieves() && !found {
            match of_documents {
                true => "there are no documents; `groundtune ingest` takes them in",
                false => "there are no labelled examples to look for",
            }
        } else if arm == Arm::FewShot && examination.train.is_empty() {
            "there are no examples to show"
        } else if arm == Arm::Routed && matches!(base, Base::Encoder(_)) {
            "a router decides for models that write"
        } else if arm == Arm::Routed && examination.dev.is_empty() {
            "there are no development questions to teach the router on"
        } else if arm == Arm::FewShot && base.task() == Task::Find {
            "which sentence lies nearest to a question, examples do not change"
        } else {
            continue;
        };
        out.insert(arm, why.to_owned());
    }
    out
}
