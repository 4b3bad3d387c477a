//! Makes what the built-in base model learns, and judges what it has learnt.
//!
//! ```text
//! cargo run --release -p groundtune --example base_model -- make FOLDER SEED DRILL SHORT LONG TEXT…
//! cargo run --release -p groundtune --example base_model -- judge MODEL FILE…
//! cargo run --release -p groundtune --example base_model -- keep MODEL FOLDER
//! ```
//!
//! `make` writes conversations about made-up worlds and real texts into `FOLDER`: `drill.jsonl`,
//! `short.jsonl` and `long.jsonl` to learn from, `dev.jsonl`, and `seen.jsonl` and `unseen.jsonl` to be
//! judged on: names that were never learnt, in wordings that were and in others. `judge` has a
//! model answer such questions, or those of a file with `question`, `context` and `answers`. `keep`
//! writes a model's weights in bfloat16 and its vocabulary into `FOLDER`.
#![expect(clippy::print_stdout, reason = "an example says what it found")]

mod deeds;
mod facts;
mod judge;
mod keep;
mod lessons;
mod names;
mod policies;
mod random;
mod real;
mod rules;
mod tasks;
mod topics;
mod typed;
mod words;
mod world;

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use lessons::{Size, conversation};
use random::Random;
use real::Library;
use world::Phrasing;

/// Questions that are judged, of each kind of wording.
const JUDGED: usize = 1000;
/// Conversations that a run is examined on while it learns.
const DEV: usize = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", folder, seed, drill, short, long, ref texts @ ..] => make(
            Path::new(folder),
            seed.parse()?,
            [drill.parse()?, short.parse()?, long.parse()?],
            texts,
        ),
        ["judge", model, ref files @ ..] => judge::judge(Path::new(model), files),
        ["keep", model, folder] => keep::keep(Path::new(model), Path::new(folder)),
        _ => Err("expected `make FOLDER SEED DRILL SHORT LONG TEXT…`, `judge MODEL FILE…` or `keep MODEL FOLDER`".into()),
    }
}

fn make(
    folder: &Path,
    seed: u64,
    [drill, short, long]: [usize; 3],
    texts: &[&str],
) -> Result<(), Box<dyn Error>> {
    fs_err::create_dir_all(folder)?;
    let mut read = Vec::new();
    for path in texts {
        read.extend(texts_of(Path::new(path))?);
    }
    let library = Library::new(read.iter().map(String::as_str));
    println!("{} paragraphs of real text", library.len());
    for (number, (name, size, count)) in (0..).zip([
        ("drill.jsonl", Size::Drill, drill),
        ("short.jsonl", Size::Short, short),
        ("long.jsonl", Size::Long, long),
        ("dev.jsonl", Size::Long, DEV),
    ]) {
        let mut random = Random::new(seed.wrapping_mul(1000).wrapping_add(number));
        let mut file = std::io::BufWriter::new(fs_err::File::create(folder.join(name))?);
        for _ in 0..count {
            let made = conversation(&mut random, Phrasing::Learnt, size, false, &library);
            writeln!(file, "{}", made.json())?;
        }
        file.flush()?;
    }
    for (number, (name, phrasing)) in (7..).zip([
        ("seen.jsonl", Phrasing::Learnt),
        ("unseen.jsonl", Phrasing::Unseen),
    ]) {
        let mut random = Random::new(seed.wrapping_mul(1000).wrapping_add(number));
        let mut file = std::io::BufWriter::new(fs_err::File::create(folder.join(name))?);
        for _ in 0..JUDGED {
            let made = conversation(&mut random, phrasing, Size::Long, true, &library);
            let (prompt, answer) = &made.turns[0];
            writeln!(
                file,
                "{}",
                json!({ "kind": made.kind.name(), "prompt": prompt, "answers": [answer] })
            )?;
        }
        file.flush()?;
    }
    Ok(())
}

/// Returns the texts of a file, or of each file in a folder: of JSON lines, every long string.
fn texts_of(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut texts = Vec::new();
    if path.is_dir() {
        let mut inside: Vec<PathBuf> = Vec::new();
        for entry in fs_err::read_dir(path)? {
            inside.push(entry?.path());
        }
        inside.sort();
        for path in inside {
            texts.extend(texts_of(&path)?);
        }
    } else if path.extension().is_some_and(|it| it == "jsonl") {
        for line in fs_err::read_to_string(path)?.lines() {
            if let Json::Object(fields) = serde_json::from_str(line)? {
                let strings = fields.values().filter_map(Json::as_str);
                texts.extend(strings.filter(|it| it.len() > 80).map(str::to_owned));
            }
        }
    } else if path
        .extension()
        .is_some_and(|it| ["md", "rst", "txt"].iter().any(|wanted| it == *wanted))
    {
        texts.push(fs_err::read_to_string(path)?);
    }
    Ok(texts)
}
