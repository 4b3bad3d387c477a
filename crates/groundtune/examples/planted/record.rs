//! What came of each world, a line each; what is there is not done again.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::journey::compared;
use super::world::{Kind, Size, World};

/// What came of a world: a line of `worlds.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Of which kind it is.
    pub(crate) kind: String,
    pub(crate) seed: u64,
    /// Who must win.
    pub(crate) planted: Option<String>,
    /// Who won, by the verdict.
    pub(crate) winner: Option<String>,
    pub(crate) statement: String,
    /// What each candidate scored.
    pub(crate) scores: BTreeMap<String, f64>,
    /// How many differences of two candidates were claimed, of how many.
    pub(crate) claimed: (usize, usize),
    pub(crate) seconds: f64,
}

/// What all is kept in, beside the worlds' own folders.
pub(crate) fn records(folder: &Path) -> PathBuf {
    folder.join("worlds.jsonl")
}

/// Returns what was found so far. A last line that a kill has cut off is none.
pub(crate) fn recorded(folder: &Path) -> Result<Vec<Record>, Box<dyn Error>> {
    let path = records(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs_err::read_to_string(path)?;
    let whole = text.lines().filter_map(|it| serde_json::from_str(it).ok());
    Ok(whole.collect())
}

/// Makes the world of `seed` and compares in it, unless that was done.
pub(crate) fn run(
    folder: &Path,
    reader: &Path,
    kind: Kind,
    seed: u64,
) -> Result<(), Box<dyn Error>> {
    let is_it = |it: &Record| it.kind == kind.name() && it.seed == seed;
    if recorded(folder)?.iter().any(is_it) {
        return Ok(());
    }
    let began = Instant::now();
    let world = World::new(kind, seed, Size::default());
    let root = folder.join(format!("{}-{seed:03}", kind.name()));
    let judgement = compared(&world, &root, reader, seed)?;
    let compared = &judgement.report.compared;
    let metric = compared.plan.metric.name();
    let is_claimed = |it: &&eval::compare::Difference| {
        it.interval.low > 0.0 && it.p_corrected < compared.plan.alpha
    };
    let record = Record {
        kind: kind.name().into(),
        seed,
        planted: kind.winner().map(str::to_owned),
        winner: compared.verdict.winner.clone(),
        statement: compared.verdict.statement.clone(),
        scores: compared
            .candidates
            .iter()
            .map(|it| (it.name.clone(), it.metrics[metric].value))
            .collect(),
        claimed: (
            compared.differences.iter().filter(is_claimed).count(),
            compared.differences.len(),
        ),
        seconds: began.elapsed().as_secs_f64(),
    };
    let line = serde_json::to_string(&record)? + "\n";
    let mut file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(records(folder))?;
    file.write_all(line.as_bytes())?;
    println!("{} {seed}: {}", record.kind, record.statement);
    // The world can be made again; its line is what is kept.
    fs_err::remove_dir_all(root)?;
    Ok(())
}
