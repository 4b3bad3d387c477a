//! Growth: the same questions, found among more and more documents. What holds the answers is
//! always there; what is added makes it harder to find, and slower.
//!
//! Where labelled examples are looked for, it is they that become more and more: what is added
//! may lie nearer, and say something else.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Instant;

use eval::Gold;
use eval::metric::Latency;
use serde::{Deserialize, Serialize};

use super::{DrillKind, Ground, Tell, share};
use crate::compare::encoder::Examples;
use crate::compare::evidence::{Documents, Findings, Shown, holds};
use crate::compare::neighbours::even;
use crate::compare::way::{files, sources};
use crate::compare::{CompareError, folder};
use crate::ingest::{IngestRequest, ingest};
use crate::models::ModelReference;

/// The parts of the files, or of the labelled examples, that are searched.
const PARTS: [f64; 3] = [0.25, 0.5, 1.0];
/// Fewer files, or examples, than this tell nothing.
const FEWEST: usize = 8;

/// What was found among more and more documents, or labelled examples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Questions whose answer stands in what is found among all; of labelled examples, questions
    /// that have an answer.
    pub questions: usize,
    /// For each number of documents or examples, the fewest first.
    pub sizes: Vec<Size>,
}

/// What was found among so many documents, or examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// What is searched.
    #[serde(flatten)]
    pub searched: Searched,
    /// To take them all in, in seconds.
    pub ingest_seconds: f64,
    /// The share of the questions whose answer is shown.
    pub found: f64,
    /// The median time of finding, in seconds.
    pub find_seconds: f64,
}

/// What is searched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Searched {
    /// Documents.
    Documents {
        /// Their files.
        files: usize,
        /// Their chunks.
        chunks: u64,
    },
    /// Labelled examples.
    Examples {
        /// How many.
        examples: usize,
        /// The share of the questions that the vote of the nearest answers rightly.
        voted_right: f64,
    },
}

impl Growth {
    /// Returns by how much more answers are shown among all than among the fewest:
    /// less than nothing, where growth hides them.
    pub fn change(&self) -> Option<f64> {
        let (first, last) = (self.sizes.first()?, self.sizes.last()?);
        Some(last.found - first.found)
    }
}

/// Runs the drill, from where it was broken off; or says why not.
///
/// # Errors
/// If documents cannot be ingested or searched.
pub(super) fn run(
    ground: &Ground<'_>,
    tell: Tell<'_>,
) -> Result<Option<Result<Growth, String>>, CompareError> {
    let not = |why: &str| Ok(Some(Err(why.to_owned())));
    if !ground.retrieves() {
        return not("no candidate is given evidence");
    }
    if let Some(examples) = ground.base.examples() {
        return of_examples(ground, examples, tell);
    }
    if let ModelReference::Server(_) = ground.project.config.models.embedder {
        return not("all documents would be sent to the embedder's server again");
    }
    let test = ground.examination.test.iter();
    let held = test.filter(|asked| holds(ground.evidence(asked), &asked.answers));
    let asked = ground.some(held.collect());
    if asked.is_empty() {
        return not("no answer stands in what is found");
    }
    let mut all = sources(ground.project)?;
    let most = ground.recipe.retrieval.documents_mib << 20;
    let needed: BTreeSet<String> = asked
        .iter()
        .flat_map(|asked| {
            let evidence = ground.evidence(asked).iter();
            let held = evidence.filter(|it| holds(std::slice::from_ref(*it), &asked.answers));
            held.map(|it| {
                let id = it.document.as_str();
                id.split('#').next().unwrap_or(id).to_owned()
            })
        })
        .collect();
    // What is needed comes first; of the rest as much as there is room for.
    all.sort_by_key(|it| !needed.contains(&it.id));
    let mut bytes = 0;
    all.retain(|it| {
        bytes += it.size;
        bytes <= most || needed.contains(&it.id)
    });
    let paths = files(ground.project, &all);
    if paths.len() < FEWEST {
        return not(&format!("there are only {} files", paths.len()));
    }
    let of = |part: f64| ((paths.len() as f64 * part).ceil() as usize).max(needed.len());
    let grown = sizes(
        ground,
        tell,
        |part| of(part).to_string(),
        |part| at(ground, &asked, paths[..of(part).min(paths.len())].to_vec()),
    )?;
    Ok(grown.map(|mut sizes| {
        sizes.dedup_by_key(|it| it.searched);
        Ok(Growth {
            questions: asked.len(),
            sizes,
        })
    }))
}

/// Measures each of [`PARTS`], or reads what was measured before: `name` is what a part's file is
/// called. Nothing, if `tell` breaks it off.
fn sizes(
    ground: &Ground<'_>,
    tell: Tell<'_>,
    name: impl Fn(f64) -> String,
    measure: impl Fn(f64) -> Result<Size, CompareError>,
) -> Result<Option<Vec<Size>>, CompareError> {
    let folder = ground.folder.drill(DrillKind::Growth);
    let mut sizes = Vec::with_capacity(PARTS.len());
    for (done, part) in PARTS.into_iter().enumerate() {
        let path = folder.join(format!("{}.json", name(part)));
        let size = match folder::read_json(&path)? {
            Some(size) => size,
            None => {
                let size = measure(part)?;
                folder::write_json(&path, &size)?;
                size
            }
        };
        sizes.push(size);
        if tell(DrillKind::Growth, done + 1, PARTS.len()).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(sizes))
}

/// Finds the nearest among more and more of the labelled examples.
fn of_examples(
    ground: &Ground<'_>,
    examples: &dyn Examples,
    tell: Tell<'_>,
) -> Result<Option<Result<Growth, String>>, CompareError> {
    if examples.neighbours().count() < FEWEST {
        let why = format!(
            "there are only {} labelled examples",
            examples.neighbours().count()
        );
        return Ok(Some(Err(why)));
    }
    let answered = ground.examination.test.iter();
    let asked = ground.some(answered.filter(|it| !it.is_unanswerable()).collect());
    let asked: Vec<Gold> = asked.into_iter().cloned().collect();
    let grown = sizes(
        ground,
        tell,
        |part| part.to_string(),
        |part| among(examples, part, &asked, ground.shown),
    )?;
    let questions = asked.len();
    Ok(grown.map(|sizes| Ok(Growth { questions, sizes })))
}

/// Finds the nearest among a part of the examples: of each stretch of them the same part. A
/// smaller part lies in each larger one.
fn among(
    examples: &dyn Examples,
    part: f64,
    asked: &[Gold],
    shown: &Shown,
) -> Result<Size, CompareError> {
    let started = Instant::now();
    let some = examples.only(&|number| even(number) < part)?;
    let ingest_seconds = started.elapsed().as_secs_f64();
    let (mut findings, mut seconds) = (Findings::default(), Vec::new());
    for asked in asked {
        let found = some.neighbours().find(asked)?;
        seconds.push(found.elapsed.as_secs_f64());
        findings.add(found);
    }
    let trial = some.trial(&findings, asked, *shown)?;
    Ok(Size {
        searched: Searched::Examples {
            examples: some.neighbours().count(),
            voted_right: trial.right,
        },
        ingest_seconds,
        found: trial.recall.unwrap_or(0.0),
        find_seconds: Latency::new(&seconds).map_or(0.0, |it| it.p50_seconds),
    })
}

/// Finds the answers among some files.
fn at(
    ground: &Ground<'_>,
    asked: &[&Gold],
    paths: Vec<std::path::PathBuf>,
) -> Result<Size, CompareError> {
    let scratch = ground.folder.scratch();
    if scratch.exists() {
        fs_err::remove_dir_all(&scratch)?;
    }
    let project = ground.project.clone().with_state(scratch.clone());
    let files = paths.len();
    let request = IngestRequest {
        paths,
        rebuild: false,
    };
    let started = Instant::now();
    let embedder = project.open_embedder(ground.environment)?;
    let summary = ingest(&project, &request, embedder.as_deref(), &mut |_| {
        ControlFlow::Continue(())
    })?;
    let ingest_seconds = started.elapsed().as_secs_f64();
    let mut documents = Documents::open(&project, ground.environment, ground.leaks)?;
    let (mut shown, mut seconds) = (Vec::new(), Vec::new());
    for asked in asked {
        let found = documents.find(asked)?;
        shown.push(holds(found.shown(ground.shown), &asked.answers));
        seconds.push(found.elapsed.as_secs_f64());
    }
    drop(documents);
    fs_err::remove_dir_all(&scratch)?;
    Ok(Size {
        searched: Searched::Documents {
            files,
            chunks: summary.total_chunks,
        },
        ingest_seconds,
        found: share(shown, |it| *it),
        find_seconds: Latency::new(&seconds).map_or(0.0, |it| it.p50_seconds),
    })
}
