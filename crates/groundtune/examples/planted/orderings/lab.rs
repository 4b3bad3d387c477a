//! Where an ordering is tried with one seed: what is drawn, taught and asked there.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use contract::{Generate, Tokens};
use groundtune::models::{Environment, ModelReference, open_generator};
use groundtune::train::{Start, prepare};

use super::super::journey::{toml_string, write_lines};
use super::super::random::Random;
use super::super::reader::Lesson;
use super::super::world::{PLACES, name, says_where};

/// What is measured of a seed, by name.
pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// Examples to learn from, and questions to be asked.
pub(crate) const LEARNT: usize = 100;
pub(crate) const ASKED: usize = 60;

/// How a model is taught.
#[derive(Clone, Copy)]
pub(crate) struct Teaching {
    pub(crate) tuning: &'static str,
    pub(crate) rate: f64,
    pub(crate) epochs: usize,
}

/// LoRA of rank 16 of all linear layers.
pub(crate) const LORA: Teaching = Teaching {
    tuning: "[tuning]\nkind = \"lora\"\nrank = 16\nalpha = 32.0\n",
    rate: 5e-3,
    epochs: 12,
};
/// All weights.
pub(crate) const FULL: Teaching = Teaching {
    tuning: "[tuning]\nkind = \"full\"\n",
    rate: 2e-3,
    epochs: 12,
};

pub(crate) struct Lab {
    pub(crate) folder: PathBuf,
    pub(crate) reader: PathBuf,
    pub(crate) seed: u64,
}

impl Lab {
    /// Begins; what a run that was broken off has left is removed.
    pub(crate) fn new(folder: PathBuf, reader: &Path, seed: u64) -> Result<Self, Box<dyn Error>> {
        let reader = std::path::absolute(reader)?;
        let folder = std::path::absolute(folder)?;
        let lab = Self {
            folder,
            reader,
            seed,
        };
        lab.remove()?;
        fs_err::create_dir_all(&lab.folder)?;
        Ok(lab)
    }

    pub(crate) fn remove(&self) -> std::io::Result<()> {
        match self.folder.exists() {
            true => fs_err::remove_dir_all(&self.folder),
            false => Ok(()),
        }
    }

    /// Returns what is drawn for one purpose.
    pub(crate) fn random(&self, purpose: u64) -> Random {
        Random::new(self.seed.wrapping_mul(97).wrapping_add(purpose))
    }

    pub(crate) fn open(&self, model: &Path) -> Result<Box<dyn Generate>, Box<dyn Error>> {
        let reference = ModelReference::Named(model.to_string_lossy().into_owned());
        let opened = open_generator(&reference, &self.folder, &Environment::default())?;
        Ok(opened.ok_or("it writes")?)
    }

    pub(crate) fn base(&self) -> Result<Box<dyn Generate>, Box<dyn Error>> {
        self.open(&self.reader)
    }

    /// Teaches the reader `lessons`; returns it.
    pub(crate) fn tune(
        &self,
        what: &str,
        teaching: Teaching,
        lessons: &[Lesson],
    ) -> Result<Box<dyn Generate>, Box<dyn Error>> {
        let reader = toml_string(&self.reader).to_string();
        let run = self.taught(what, &reader, teaching, lessons)?;
        self.open(&run)
    }

    /// Teaches the model that `path` names, as a recipe has it; returns the run's folder.
    pub(crate) fn taught(
        &self,
        what: &str,
        path: &str,
        teaching: Teaching,
        lessons: &[Lesson],
    ) -> Result<PathBuf, Box<dyn Error>> {
        let folder = self.folder.join(what);
        fs_err::create_dir_all(&folder)?;
        let lines = lessons.iter().map(Lesson::line);
        write_lines(&folder.join("lessons.jsonl"), lines)?;
        let recipe = folder.join("recipe.toml");
        let Teaching {
            tuning,
            rate,
            epochs,
        } = teaching;
        let text = format!(
            "seed = {}\n[model]\nkind = \"base\"\npath = {path}\n[data]\ntrain = [\"lessons.jsonl\"]\n\
             dev = false\n{tuning}[steps]\nepochs = {epochs}\nbatch = 8\n[optimiser]\n\
             learning_rate = {rate}\n[schedule]\nkind = \"cosine\"\nwarmup = 10\n\
             [evaluation]\nspikes = \"note\"\n",
            self.seed,
        );
        fs_err::write(&recipe, text)?;
        let start = Start::New {
            recipe,
            set: Vec::new(),
            runs: folder.join("runs"),
        };
        let prepared = prepare(start, &Environment::default(), None)?;
        let report = prepared.run(&mut |_, _| ControlFlow::Continue(()))?;
        Ok(report.run)
    }
}

/// Says where other things are kept.
pub(crate) fn others(random: &mut Random, count: usize) -> Vec<String> {
    let one = |_| says_where(&name(random), random.word(&PLACES));
    (0..count).map(one).collect()
}

/// Returns the share of lessons that are answered word for word.
pub(crate) fn right(model: &dyn Generate, asked: &[Lesson]) -> Result<f64, Box<dyn Error>> {
    let mut count = 0;
    for lesson in asked {
        let mut go_on = |_: &str| ControlFlow::Continue(());
        let said = model.generate(&lesson.prompt(), Tokens(24), &mut go_on)?;
        count += usize::from(said.text.trim() == lesson.completion);
    }
    Ok(count as f64 / asked.len() as f64)
}
