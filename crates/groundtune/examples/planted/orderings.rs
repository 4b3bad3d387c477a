//! Published orderings in the small: what papers found of large models, tried with the reader
//! in worlds of its own (`docs/bench/orderings.md`). Each part is tried with several seeds, and each
//! seed's figures are a line of `FOLDER/orderings.jsonl`; what stands there is not done again.

mod adapters;
mod bits;
mod claims;
mod forgetting;
mod lab;
mod paraphrases;
mod reading;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use claims::{CLAIMS, Claim, Mean};
use lab::{Figures, Lab};

/// A part: its name, and what tries it.
type Part = (&'static str, fn(&Lab) -> Result<Figures, Box<dyn Error>>);

const PARTS: [Part; 10] = [
    ("facts", reading::facts),
    ("paraphrases", paraphrases::paraphrases),
    ("distractors", reading::distractors),
    ("labels", reading::labels),
    ("ranks", forgetting::ranks_and_replay),
    ("ranks-built-in", forgetting::ranks_built_in),
    ("unknown", forgetting::unknown_facts),
    ("noise", reading::noise),
    ("bits", bits::bits),
    ("adapters", adapters::adapters),
];

/// What a part came to with a seed: a line of `orderings.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    part: String,
    seed: u64,
    figures: BTreeMap<String, f64>,
    seconds: f64,
}

fn file(folder: &Path) -> PathBuf {
    folder.join("orderings.jsonl")
}

fn recorded(folder: &Path) -> Result<Vec<Record>, Box<dyn Error>> {
    if !file(folder).exists() {
        return Ok(Vec::new());
    }
    let text = fs_err::read_to_string(file(folder))?;
    // A last line that a kill has cut off is none.
    let whole = text.lines().filter_map(|it| serde_json::from_str(it).ok());
    Ok(whole.collect())
}

/// Tries the parts that `only` names, or all, with the seeds from `first` to `last`.
pub(crate) fn run(
    folder: &Path,
    reader: &Path,
    (first, last): (u64, u64),
    only: &[&str],
) -> Result<(), Box<dyn Error>> {
    for (part, try_it) in PARTS {
        let is_meant = only.is_empty() || only.contains(&part);
        for seed in (first..=last).filter(|_| is_meant) {
            let is_it = |it: &Record| it.part == part && it.seed == seed;
            if recorded(folder)?.iter().any(is_it) {
                continue;
            }
            let began = Instant::now();
            let lab = Lab::new(folder.join(format!("{part}-{seed:03}")), reader, seed)?;
            let figures = try_it(&lab)?;
            lab.remove()?;
            let figures = figures.into_iter().map(|(name, it)| (name.to_owned(), it));
            let record = Record {
                part: part.into(),
                seed,
                figures: figures.collect(),
                seconds: began.elapsed().as_secs_f64(),
            };
            let line = serde_json::to_string(&record)? + "\n";
            let mut all = fs_err::OpenOptions::new()
                .create(true)
                .append(true)
                .open(file(folder))?;
            all.write_all(line.as_bytes())?;
            println!("{part} {seed}: {:.1} s", record.seconds);
        }
    }
    Ok(())
}

/// Returns what was found: each ordering with its claims, and the figures.
pub(crate) fn summary(folder: &Path) -> Result<String, Box<dyn Error>> {
    let records = recorded(folder)?;
    let mut text = String::from(
        "| | published | here, the mean of the seeds' differences | 95 % interval | seeds | |\n\
         |---|---|---|---|---|---|\n",
    );
    for claim in &CLAIMS {
        let figures = records.iter().map(|it| &it.figures);
        let values: Vec<f64> = figures.filter_map(|it| claim.value(it)).collect();
        if let Some(mean) = Mean::of(&values) {
            let Claim { ordering, says, .. } = claim;
            let found = claim.found(&mean);
            writeln!(
                text,
                "| {ordering} | {says} | {} | {:.3} to {:.3} | {} | {found} |",
                claim.shown(&mean),
                mean.mean - mean.half,
                mean.mean + mean.half,
                mean.count
            )?;
        }
    }
    text += "\n| figure | mean of the seeds | 95 % interval | seeds |\n|---|---|---|---|\n";
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, value) in records.iter().flat_map(|it| &it.figures) {
        figures.entry(name).or_default().push(*value);
    }
    for (name, values) in figures {
        if let Some(Mean { mean, half, count }) = Mean::of(&values) {
            writeln!(text, "| {name} | {mean:.3} | ±{half:.3} | {count} |")?;
        }
    }
    Ok(text)
}
