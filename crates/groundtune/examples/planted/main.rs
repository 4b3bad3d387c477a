//! Planted truth: runs `compare` in worlds of which it is known who must win, and counts how often
//! the verdict says so.
//!
//! ```text
//! cargo run --release -p groundtune --example planted -- reader FOLDER
//! cargo run --release -p groundtune --example planted -- run FOLDER READER FIRST LAST [KIND…]
//! cargo run --release -p groundtune --example planted -- show FOLDER [PAGE]
//! cargo run --release -p groundtune --example planted -- orderings FOLDER READER FIRST LAST [PART…]
//! cargo run --release -p groundtune --example planted -- orderings FOLDER [PAGE]
//! ```
//!
//! `reader` makes the small model that all worlds begin with, in a few minutes. `run` makes the
//! worlds with the seeds from `FIRST` to `LAST` of each kind, one project each, and has them
//! compared; each verdict is a line of `FOLDER/worlds.jsonl`. What stands there is not done again, so
//! a run that was broken off goes on, and several may run side by side. `show` prints the
//! table of what was found, or puts it into the page that keeps it. `orderings` tries what papers found of large models,
//! as resumably, and prints or puts its tables.
#![expect(clippy::print_stdout, reason = "an example says what it found")]

mod journey;
#[path = "../base_model/keep.rs"]
mod keep;
mod maker;
mod orderings;
mod page;
#[path = "../base_model/random.rs"]
mod random;
mod reader;
mod record;
mod summary;
mod world;

use std::error::Error;
use std::path::Path;

use world::Kind;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["reader", folder] => maker::make(Path::new(folder)),
        ["run", folder, reader, first, last, ref kinds @ ..] => {
            let kinds: Vec<Kind> = Kind::ALL
                .into_iter()
                .filter(|kind| kinds.is_empty() || kinds.contains(&kind.name()))
                .collect();
            let (first, last): (u64, u64) = (first.parse()?, last.parse()?);
            for seed in first..=last {
                for kind in &kinds {
                    record::run(Path::new(folder), Path::new(reader), *kind, seed)?;
                }
            }
            print!("{}", summary::summary(Path::new(folder))?);
            Ok(())
        }
        ["show", folder] => {
            print!("{}", summary::summary(Path::new(folder))?);
            Ok(())
        }
        ["show", folder, page] => {
            let found = summary::summary(Path::new(folder))?;
            page::put(Path::new(page), "planted show", &found)
        }
        ["orderings", folder] => {
            print!("{}", orderings::summary(Path::new(folder))?);
            Ok(())
        }
        ["orderings", folder, page] => {
            let found = orderings::summary(Path::new(folder))?;
            page::put(Path::new(page), "planted orderings", &found)
        }
        ["orderings", folder, reader, first, last, ref parts @ ..] => {
            let seeds = (first.parse()?, last.parse()?);
            orderings::run(Path::new(folder), Path::new(reader), seeds, parts)
        }
        _ => Err(
            "expected `reader FOLDER`, `run FOLDER READER FIRST LAST [KIND…]`, `show FOLDER [PAGE]` `orderings FOLDER READER FIRST LAST [PART…]` or `orderings FOLDER [PAGE]`"
                .into(),
        ),
    }
}
