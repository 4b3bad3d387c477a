//! Each candidate alone, as it would be run: what it is made of, how long it takes to be ready,
//! what memory and disk it takes, and whether it answers without a network.
//!
//! The candidate is opened afresh, with an environment that reaches no network, and asked a few
//! questions of the examination. Where that fails, it needs the network, and is opened with it.

use std::collections::BTreeMap;
use std::time::Instant;

use contract::Bytes;
use serde::{Deserialize, Serialize};

use super::{DrillKind, Ground, Tell, Tried};
use crate::compare::base::Base;
use crate::compare::{Arm, CompareError, Taught, folder};
use crate::ingest::sentence;
use crate::inspect::size_of;
use crate::models::{Environment, ModelReference};
use crate::train::{Tuned, forget_peak, peak, resident};

/// The most questions that each is asked.
const QUESTIONS: usize = 5;

/// What it takes to run a candidate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// What it is made of.
    pub parts: Vec<String>,
    /// From nothing to the first answer, in seconds.
    pub ready_seconds: f64,
    /// By how much the program's memory grew until it had answered, where the system tells: its
    /// weights, as far as they were read, indexes, and room to compute in.
    pub memory: Option<Bytes>,
    /// What it takes on the disk beside the base model: what was learnt, documents and indexes.
    pub disk: Bytes,
    /// How many questions it was asked without a network.
    pub asked: usize,
    /// How many of them it answered as in the examination.
    pub offline_same: usize,
    /// Why it did not answer without a network, if so.
    pub offline_failure: Option<String>,
}

/// Runs the drill, from where it was broken off.
///
/// # Errors
/// If a file cannot be written.
pub(super) fn run(
    ground: &Ground<'_>,
    tell: Tell<'_>,
) -> Result<Option<Tried<Service>>, CompareError> {
    // The routed one is two others, with a router before them.
    let arms: Vec<Arm> = ground
        .contestants
        .iter()
        .map(|it| it.arm)
        .filter(|arm| *arm != Arm::Routed)
        .collect();
    let mut found = BTreeMap::new();
    for (done, &arm) in arms.iter().enumerate() {
        let folder = ground.folder.drill(DrillKind::Service);
        let path = folder.join(format!("{arm}.json"));
        let service = match folder::read_json(&path)? {
            Some(service) => service,
            None => {
                let service = alone(ground, arm)?;
                folder::write_json(&path, &service)?;
                service
            }
        };
        found.insert(arm, service);
        if tell(DrillKind::Service, done + 1, arms.len()).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(Tried::found(found)))
}

/// What a candidate did when it was opened and asked.
struct Opened {
    same: usize,
    ready_seconds: f64,
    memory: Option<Bytes>,
    failure: Option<String>,
}

fn alone(ground: &Ground<'_>, arm: Arm) -> Result<Service, CompareError> {
    let mut offline = ground.environment.clone();
    offline.network.offline = true;
    let asked = QUESTIONS.min(ground.examination.test.len());
    let without = open(ground, arm, &offline);
    let failure = match &without {
        Ok(opened) => opened.failure.clone(),
        Err(error) => Some(sentence(error)),
    };
    let opened = match (without, &failure) {
        (Ok(opened), None) => opened,
        _ => Opened {
            same: 0,
            ..open(ground, arm, ground.environment)?
        },
    };
    let mut disk = 0;
    if let Some(taught) = taught(ground, arm) {
        let tuned = Tuned::at(&taught.run).transpose()?;
        let learnt = tuned.map(|it| it.adapter.unwrap_or(it.model));
        disk += learnt.map_or(Ok(0), |learnt| size_of(&learnt))?;
    }
    if arm.retrieves() && ground.base.task().is_of_documents() {
        disk += size_of(&ground.project.store_folder())?;
    }
    Ok(Service {
        parts: parts(ground, arm),
        ready_seconds: opened.ready_seconds,
        memory: opened.memory,
        disk: Bytes(disk),
        asked,
        offline_same: opened.same,
        offline_failure: failure,
    })
}

/// Returns the first seed of a candidate that learns.
fn taught<'a>(ground: &Ground<'a>, arm: Arm) -> Option<&'a Taught> {
    ground.taught.get(&arm)?.first()
}

/// Says what a candidate is made of.
fn parts(ground: &Ground<'_>, arm: Arm) -> Vec<String> {
    let mut parts = vec![format!("model `{}`", ground.reference)];
    if arm.learns() {
        parts.push("what was learnt".into());
    }
    if arm.retrieves() && !ground.base.task().is_of_documents() {
        parts.push("labelled examples with their vectors".into());
    } else if arm.retrieves() {
        parts.push("documents with their index".into());
        let models = &ground.project.config.models;
        for (what, reference) in [
            ("embedder", &models.embedder),
            ("reranker", &models.reranker),
        ] {
            if *reference != ModelReference::None {
                parts.push(format!("{what} `{reference}`"));
            }
        }
    }
    parts
}

/// Opens a candidate and asks it.
fn open(ground: &Ground<'_>, arm: Arm, environment: &Environment) -> Result<Opened, CompareError> {
    let before = resident();
    forget_peak();
    let started = Instant::now();
    let (examination, recipe) = (ground.examination, ground.recipe);
    let project = ground.project;
    let base = Base::open(ground.reference, examination, recipe, project, environment)?;
    let tuned = match taught(ground, arm) {
        Some(taught) => Some(base.tuned(taught, &project.root, environment)?),
        None => None,
    };
    let mut finder = match arm.retrieves() {
        true => Some(base.finder(project, environment, ground.leaks)?),
        false => None,
    };
    let shots = if arm == Arm::FewShot {
        ground.shots
    } else {
        &[]
    };
    let contestant = base.contestant(arm, tuned.as_ref(), recipe, shots);
    let examined = ground.answers_of(arm);
    let mut opened = Opened {
        same: 0,
        ready_seconds: 0.0,
        memory: None,
        failure: None,
    };
    for (number, asked) in ground.examination.test.iter().take(QUESTIONS).enumerate() {
        let found = match &mut finder {
            Some(finder) => finder.find(asked)?.shown(ground.shown).to_vec(),
            None => Vec::new(),
        };
        let answer = contestant.answer(asked, &found, 0.0);
        if number == 0 {
            opened.ready_seconds = started.elapsed().as_secs_f64();
        }
        let before = examined.get(&asked.id);
        opened.same += usize::from(before.is_some_and(|it| it.said() == answer.said()));
        opened.failure = opened.failure.or(answer.failure);
        if let Some(failure) = base.gone() {
            return Err(CompareError::Gone {
                model: ground.reference.to_string(),
                failure,
                folder: ground.folder.path().to_owned(),
            });
        }
    }
    opened.memory = peak()
        .zip(before)
        .map(|(peak, before)| Bytes(peak.saturating_sub(before)));
    Ok(opened)
}
