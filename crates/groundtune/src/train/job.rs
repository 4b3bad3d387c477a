//! A run as a job for other machines: the folder that it would have, with all that a program in
//! PyTorch needs to take its steps there.
//!
//! | in it, beside what every run has | what it is |
//! |---|---|
//! | `train.py` | The program: Accelerate's loop, so one GPU or many, weights whole or shared out. |
//! | `job.json` | The recipe with every key, the steps, and what comes of it. |
//! | `train.jsonl`, `dev.jsonl` | The examples as tokens, each with what it is to predict (−100: nothing). |
//! | `start/` | The model as it begins. |
//!
//! Examples, order, rates and losses are this program's own, so both come to the same numbers but
//! for rounding (and for chance, where dropout or a new adapter has a part in it).

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use ::train::{ModelSource, Objective, Recipe, Run, RunResult, Sequences, Tuning};
use fs_err::File;
use model::training::IGNORE;
use serde::Serialize;

use super::lessons::Content;
use super::{PreparedRun, Start, TrainingError, learner};

const PROGRAM: &str = include_str!("job/train.py");

/// What the program is told beside the examples.
#[derive(Serialize)]
struct Job<'a> {
    recipe: &'a Recipe,
    steps: u64,
    /// The name of the base, as an adapter is to have it.
    base: Option<&'a Path>,
    result: RunResult,
}

/// An example, as the program reads it.
#[derive(Serialize)]
struct Row<'a> {
    ids: &'a [u32],
    targets: Vec<i64>,
}

/// What PyTorch takes for nothing to predict.
const NOTHING: i64 = -100;

impl PreparedRun {
    /// Makes the run's folder with a program that takes its steps on other machines, and returns
    /// it. Nothing is learnt here; the folder is a run's, which `Start::Resume` would begin.
    ///
    /// # Errors
    /// If there is no such program for the recipe, the run was begun already, or the folder
    /// cannot be written.
    pub fn job(self) -> Result<PathBuf, TrainingError> {
        let no = |what: &str| Err(TrainingError::NoJob { what: what.into() });
        let Start::New { runs, .. } = &self.start else {
            return no("a run that was begun");
        };
        if !matches!(self.recipe.objective, Objective::Language { .. }) {
            let what = format!("`objective.kind = \"{}\"`", self.recipe.objective.name());
            return no(&what);
        }
        match self.recipe.tuning {
            Tuning::Full | Tuning::Lora(_) | Tuning::QLora(_) => {}
            Tuning::AdaLora(_) => return no("`tuning.kind = \"adalora\"`"),
            Tuning::Bottleneck(_) => return no("`tuning.kind = \"bottleneck\"`"),
        }
        if let Some(file) = self.source.folder().filter(|it| !it.is_dir()) {
            return Err(TrainingError::NoJobOfGguf { file: file.into() });
        }
        let run = Run::create(runs, &self.recipe_text()?, self.describe())?;
        let (folder, result) = (run.folder().to_owned(), run.description().result);
        match self.fill(&folder, result) {
            Ok(()) => Ok(folder),
            Err(error) => {
                // Half a job is none.
                fs_err::remove_dir_all(&folder)?;
                Err(error)
            }
        }
    }

    fn fill(mut self, folder: &Path, result: RunResult) -> Result<(), TrainingError> {
        self.source.keep(folder)?;
        let job = Job {
            recipe: &self.recipe,
            steps: self.steps(),
            base: self.source.folder(),
            result,
        };
        let json = serde_json::to_vec_pretty(&job).map_err(std::io::Error::from)?;
        fs_err::write(folder.join("job.json"), json)?;
        if let Content::Sequences { training, dev } = &self.lessons.content {
            write_rows(&folder.join("train.jsonl"), training)?;
            write_rows(&folder.join("dev.jsonl"), dev)?;
        }
        fs_err::write(folder.join("train.py"), PROGRAM)?;
        self.begin(&folder.join("start"))
    }

    /// Writes the model as it begins.
    fn begin(self, start: &Path) -> Result<(), TrainingError> {
        if let (ModelSource::Base { tokenizer, .. }, Some(base)) =
            (&self.recipe.model, self.source.folder())
        {
            fs_err::create_dir(start)?;
            for entry in fs_err::read_dir(base)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    continue;
                }
                fs_err::copy(entry.path(), start.join(entry.file_name()))?;
            }
            if let Some(file) = tokenizer.as_ref().filter(|it| it.is_file()) {
                fs_err::copy(file, start.join(file.file_name().unwrap_or_default()))?;
            }
            return Ok(());
        }
        if !self.estimate.fits() {
            return Err(self.too_large());
        }
        let learner = learner(
            &self.team,
            None,
            &self.recipe,
            self.source,
            self.lessons,
            self.room,
        )?;
        Ok(learner.save(start, None)?)
    }
}

fn write_rows(path: &Path, sequences: &Sequences) -> Result<(), TrainingError> {
    let mut file = BufWriter::new(File::create(path)?);
    for index in 0..sequences.len() {
        let sequence = sequences.get(index);
        let targets = sequence.targets.iter().map(|target| match *target {
            IGNORE => NOTHING,
            id => i64::from(id),
        });
        let row = Row {
            ids: sequence.ids,
            targets: targets.collect(),
        };
        serde_json::to_writer(&mut file, &row).map_err(std::io::Error::from)?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}
