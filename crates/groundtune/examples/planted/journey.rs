//! A world as a project, and the very journey that a user takes: ingest, compare.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use groundtune::compare::{CompareStart, Judgement, compare};
use groundtune::models::Environment;
use groundtune::train::{Start, prepare};
use groundtune::{IngestRequest, Project, ingest};
use serde_json::json;

use super::random::Random;
use super::reader::{Lesson, knowing, reading};
use super::world::{Asked, World};

/// Makes a project of `world` in `root`, where there is none yet, and compares.
pub(crate) fn compared(
    world: &World,
    root: &Path,
    reader: &Path,
    seed: u64,
) -> Result<Judgement, Box<dyn Error>> {
    let environment = Environment::default();
    fs_err::create_dir_all(root)?;
    let root = std::path::absolute(root)?;
    let reader = std::path::absolute(reader)?;
    let base = match world.known.is_empty() {
        true => reader,
        false => taught(world, &root, &reader, seed, &environment)?,
    };
    let config = root.join("groundtune.toml");
    if !config.exists() {
        for (name, text) in &world.documents {
            let path = root.join("documents").join(name);
            fs_err::create_dir_all(path.parent().unwrap_or(&root))?;
            fs_err::write(path, text)?;
        }
        write_lines(
            &root.join("examples.jsonl"),
            world.examples.iter().map(line),
        )?;
        let examination = world.examination.iter().map(line);
        write_lines(&root.join("examination.jsonl"), examination)?;
        // Last, so that a project that is there is whole.
        fs_err::write(config, project(&base, seed))?;
    }
    let project = Project::open(&root)?;
    let mut go_on = |_: groundtune::IngestEvent<'_>| ControlFlow::Continue(());
    ingest(&project, &IngestRequest::default(), None, &mut go_on)?;
    let begun = root.join(".groundtune/comparisons/0001");
    let start = match begun.join("compare.toml").exists() {
        true => CompareStart::Resume(begun),
        false => CompareStart::New(Box::new(project.compare_recipe())),
    };
    let mut go_on = |_: groundtune::compare::CompareEvent<'_>| ControlFlow::Continue(());
    let judgement = compare(&project, start, None, &environment, &mut go_on)?;
    Ok(judgement.expect("nobody breaks it off"))
}

/// What is compared, written down before anything is run: one training seed, for the worlds
/// are what is repeated. Drills decide nothing and are left out.
fn project(base: &Path, seed: u64) -> String {
    let base = toml_string(base);
    format!(
        "[documents]\npaths = [\"documents\"]\n\
         [models]\nembedder = \"none\"\ngenerator = {base}\n\
         [compare]\nexamples = [\"examples.jsonl\"]\nexamination = [\"examination.jsonl\"]\n\
         candidates = [\"prompt\", \"rag\", \"fine-tuned\", \"hybrid\"]\n\
         seed = {seed}\nseeds = 1\nmax_tokens = 24\n\
         [compare.retrieval]\ntries = \"shown\"\n[compare.drills]\nrun = []\n\
         [compare.verdict]\nmetric = \"exact_match\"\nsmallest_difference = 0.1\n\
         [compare.training]\n{TUNING}"
    )
}

/// How candidates learn: a small model learns fast.
const TUNING: &str = "tuning = { kind = \"lora\", rank = 16, alpha = 32.0 }\n\
    steps = { epochs = 12, batch = 8 }\noptimiser = { learning_rate = 5e-3 }\n";

/// Teaches a copy of the reader what a world's model knows; it goes on reading beside it, so that it
/// does not forget how.
fn taught(
    world: &World,
    root: &Path,
    reader: &Path,
    seed: u64,
    environment: &Environment,
) -> Result<PathBuf, Box<dyn Error>> {
    let model = root.join("knowing/0001/model");
    if model.join("config.json").exists() {
        return Ok(model);
    }
    let runs = root.join("knowing");
    if runs.exists() {
        fs_err::remove_dir_all(&runs)?;
    }
    let mut random = Random::new(seed ^ 0xF00D);
    let read = world.known.iter().map(|_| reading(&mut random));
    let lessons: Vec<Lesson> = world.known.iter().map(knowing).chain(read).collect();
    let lines = lessons.iter().map(Lesson::line);
    write_lines(&root.join("knowing.jsonl"), lines)?;
    let recipe = root.join("knowing.toml");
    fs_err::write(
        &recipe,
        format!(
            "seed = {seed}\n[model]\nkind = \"base\"\npath = {}\n\
             [data]\ntrain = [\"knowing.jsonl\"]\ndev = false\n\
             [steps]\nepochs = 20\nbatch = 16\n[optimiser]\nlearning_rate = 3e-3\n\
             [schedule]\nkind = \"cosine\"\nwarmup = 10\n[evaluation]\nspikes = \"note\"\n",
            toml_string(reader)
        ),
    )?;
    let start = Start::New {
        recipe,
        set: Vec::new(),
        runs,
    };
    prepare(start, environment, None)?.run(&mut |_, _| ControlFlow::Continue(()))?;
    Ok(model)
}

fn line(asked: &Asked) -> String {
    json!({ "question": asked.question, "answer": asked.answer }).to_string()
}

pub(crate) fn toml_string(path: &Path) -> toml::Value {
    toml::Value::String(path.to_string_lossy().into_owned())
}

pub(crate) fn write_lines(path: &Path, lines: impl Iterator<Item = String>) -> std::io::Result<()> {
    let text: String = lines.map(|line| line + "\n").collect();
    fs_err::write(path, text)
}
