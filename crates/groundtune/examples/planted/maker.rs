//! Makes the reader: `groundtune train` on lessons that are drawn from a seed.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

use groundtune::models::Environment;
use groundtune::train::{Event, Start, prepare};

use super::journey::write_lines;
use super::keep::keep;
use super::random::Random;
use super::reader::{any, reading};

/// How many lessons the reader learns from, and how it learns.
const LESSONS: usize = 160_000;
const RECIPE: &str = include_str!("reader.toml");

/// Makes the reader in `folder/reader`.
pub(crate) fn make(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs_err::create_dir_all(folder)?;
    let mut random = Random::new(1);
    let lessons = (0..LESSONS).map(|_| any(&mut random).line());
    write_lines(&folder.join("lessons.jsonl"), lessons)?;
    let dev = (0..200).map(|_| reading(&mut random).line());
    write_lines(&folder.join("dev.jsonl"), dev)?;
    let recipe = folder.join("reader.toml");
    fs_err::write(&recipe, RECIPE)?;
    let start = Start::New {
        recipe,
        set: Vec::new(),
        runs: folder.join("runs"),
    };
    let report = prepare(start, &Environment::default(), None)?.run(&mut |_, event| {
        if let Event::Examined { step, loss, .. } = event {
            println!("step {step}: loss {loss:.3}");
        }
        ControlFlow::Continue(())
    })?;
    keep(&report.run.join("model"), &folder.join("reader"))
}
