//! Comparisons that are kept: which there are, and one read again from what its stages left,
//! without the models that answered, the documents, or the examples' files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eval::Prediction;
use eval::judge::{Asked, Judging};

use super::folder::{Folder, read_json, read_lines};
use super::routing::last_answers;
use super::{Arm, CompareError, Examination, Judgement, Protocol, Taught};
use crate::Project;

/// A comparison in the project's folder.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptComparison {
    /// Where it is.
    pub folder: Folder,
    /// What is compared.
    pub protocol: Protocol,
    /// What it came to, in a sentence; nothing as long as it is not finished.
    pub statement: Option<String>,
    /// How many questions are asked, where that was written down.
    pub questions: Option<usize>,
}

/// Returns the project's comparisons in the order in which they were begun. A folder in which
/// none was begun is passed over.
///
/// # Errors
/// If a file cannot be read, or is not as it was written.
pub fn comparisons(project: &Project) -> Result<Vec<KeptComparison>, CompareError> {
    let all = project.state_folder().join("comparisons");
    let mut folders: Vec<PathBuf> = match fs_err::read_dir(&all) {
        Ok(entries) => entries.filter_map(Result::ok).map(|it| it.path()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    folders.sort();
    let mut found = Vec::new();
    for folder in folders {
        let Ok(folder) = Folder::open(&folder) else {
            continue;
        };
        let report: Option<serde_json::Value> = read_json(&folder.report("json"))?;
        let said = |key: &str| report.as_ref()?.pointer(key).cloned();
        let asked = said("/questions").and_then(|it| it.as_u64());
        found.push(KeptComparison {
            protocol: Protocol::read(&folder)?,
            statement: said("/verdict/statement").and_then(|it| Some(it.as_str()?.to_owned())),
            questions: asked.and_then(|it| usize::try_from(it).ok()),
            folder,
        });
    }
    Ok(found)
}

/// Returns the folder of the comparison that `named` is: a path, or a number of the project's;
/// the last one, if nothing is named.
///
/// # Errors
/// If there is none.
pub fn comparison(project: &Project, named: Option<&str>) -> Result<Folder, CompareError> {
    let all = project.state_folder().join("comparisons");
    let Some(named) = named else {
        let last = comparisons(project)?.pop();
        return last
            .map(|it| it.folder)
            .ok_or(CompareError::NoComparison { folder: all });
    };
    let numbered = named.parse::<u32>().ok();
    let numbered = numbered.map(|number| all.join(format!("{number:04}")));
    match numbered.filter(|it| it.is_dir()) {
        Some(folder) => Folder::open(&folder),
        None => Folder::open(Path::new(named)),
    }
}

impl Judgement {
    /// Judges a finished comparison again, from what is kept of it.
    ///
    /// # Errors
    /// If it is not finished, or a file of it is damaged.
    pub fn of_kept(folder: &Folder) -> Result<Self, CompareError> {
        let unfinished = |what: String| CompareError::Unfinished {
            folder: folder.path().to_owned(),
            what,
        };
        let protocol = Protocol::read(folder)?;
        let examination = match read_json::<Examination>(&folder.examination())? {
            Some(examination) => examination,
            None => Examination::read(&protocol.recipe)?,
        };
        if format!("{:016x}", examination.fingerprint) != protocol.examples {
            return Err(CompareError::Changed { what: "examples" });
        }
        let retrieval = read_json(&folder.retrieval())?
            .ok_or_else(|| unfinished("retrieval is not tuned yet".into()))?;
        let mut answers: BTreeMap<Arm, Vec<Vec<Prediction>>> = BTreeMap::new();
        let mut taught: BTreeMap<Arm, Vec<Taught>> = BTreeMap::new();
        for (arm, seed) in protocol.contestants() {
            if arm.learns() {
                let run = read_json(&folder.taught(arm, seed).join("taught.json"))?
                    .ok_or_else(|| unfinished(format!("`{arm}` is not taught yet")))?;
                taught.entry(arm).or_default().push(run);
            }
            let found: Vec<Prediction> = read_lines(&folder.predictions(arm, seed))?;
            let last = last_answers(found);
            let (done, of) = (last.len(), examination.test.len());
            if done < of {
                return Err(unfinished(format!(
                    "`{arm}` has answered {done} of {of} questions"
                )));
            }
            answers.entry(arm).or_default().push(last);
        }
        if protocol.recipe.judge.is_some() {
            let judged: Vec<Judging> = read_lines(&folder.judge())?;
            let done = judged.iter().filter(|it| it.asked == Asked::Grade).count();
            let answered = answers.values().flatten().flatten();
            let of = answered.filter(|it| it.failure.is_none()).count();
            if done < of {
                return Err(unfinished(format!(
                    "the judge has graded {done} of {of} answers"
                )));
            }
        }
        let drills = read_json(&folder.drills())?
            .ok_or_else(|| unfinished("not all drills are done yet".into()))?;
        Self::of(
            folder,
            &protocol,
            &examination,
            retrieval,
            taught,
            drills,
            &answers,
        )
    }
}
