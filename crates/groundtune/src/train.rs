//! Training: a recipe, its model and its data become a run, and the run a model.
//!
//! [`prepare`] reads everything and says what it will take; [`PreparedRun::run`] learns. A run
//! that was broken off goes on with [`Start::Resume`].

mod bench;
mod error;
mod evidence;
mod exercises;
mod job;
mod lessons;
mod memory;
mod recipe;
mod source;
mod tuned;

use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ::train::{
    Encoder, Language, Learner, ModelSource, Outcome, Preference, Preferences, Room,
    RunDescription, RunResult, Team,
};
use model::ModelKind;
use model::training::DecoderTraining;

use crate::models::Environment;

use lessons::Lessons;
use recipe::ReadRecipe;
use source::Source;

pub use ::train::{Curve, Event, Objective, Point, Preset, Recipe, Run, TrainError, Why};
pub use bench::{BenchRun, BenchShape, Measured};
pub(crate) use memory::{forget_peak, peak, resident};
pub(crate) use recipe::over;

pub use error::TrainingError;
pub use memory::{Estimate, Remedy};
pub use tuned::Tuned;

/// The folder beside the runs in which the built-in model lies when it is trained.
const MODELS: &str = "models";

/// With what a run begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// With a recipe.
    New {
        /// Its file. Paths in it are relative to its folder.
        recipe: PathBuf,
        /// Keys that are set before the recipe's own, as TOML: `steps.limit = 10`.
        set: Vec<String>,
        /// The folder in which runs are made.
        runs: PathBuf,
    },
    /// With the last checkpoint of a run.
    Resume {
        /// Its folder.
        run: PathBuf,
    },
}

/// A run that could begin: its data is read and its model known.
#[derive(Debug)]
pub struct PreparedRun {
    recipe: Recipe,
    start: Start,
    source: Source,
    lessons: Lessons,
    estimate: Estimate,
    team: Team,
    /// The most tokens of a batch.
    room: usize,
}

/// What was read of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSummary {
    /// The files, with the layout of each.
    pub files: Vec<(PathBuf, &'static str)>,
    /// Examples to learn, and to be examined on.
    pub examples: (usize, usize),
    /// Tokens of an epoch.
    pub tokens: usize,
    /// Tokens of the longest example.
    pub longest: usize,
    /// Examples that cannot be used, with why not; the first of them.
    pub left_out: Vec<String>,
    /// How many these are.
    pub left_out_count: usize,
}

/// What a run has come to.
#[derive(Clone, Debug)]
pub struct TrainReport {
    /// The run's folder.
    pub run: PathBuf,
    /// What the loop says.
    pub outcome: Outcome,
    /// The curves.
    pub curve: Curve,
    /// The most memory that the program has taken, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// What the model is for that was taught.
    pub kind: ModelKind,
}

/// Reads the recipe, finds its model, reads its data, and estimates what learning it takes.
///
/// # Errors
/// If any of them is not there, damaged, or not as it should be.
pub fn prepare(
    start: Start,
    environment: &Environment,
    threads: Option<NonZeroUsize>,
) -> Result<PreparedRun, TrainingError> {
    let read = match &start {
        Start::New { recipe, set, .. } => recipe::read(recipe, set)?,
        Start::Resume { run } => {
            if !Run::is_run(run) {
                return Err(TrainingError::NoRun {
                    folder: run.clone(),
                });
            }
            ReadRecipe {
                recipe: recipe::parse(&Run::recipe(run)?, &run.join("recipe.toml"))?,
                says_length: true,
            }
        }
    };
    let mut recipe = read.recipe;
    if let (false, ModelSource::New(shape)) = (read.says_length, &recipe.model) {
        recipe.steps.length = recipe.steps.length.min(shape.context);
    }
    recipe.check()?;
    let run = match &start {
        Start::New { .. } => None,
        Start::Resume { run } => Some(run.as_path()),
    };
    let files = lessons::read(&recipe)?;
    let runs = match &start {
        Start::New { runs, .. } => Some(runs.as_path()),
        Start::Resume { run } => run.parent(),
    };
    let beside = runs.and_then(Path::parent).unwrap_or(Path::new(""));
    let models = beside.join(MODELS);
    let mut source = Source::open(&recipe, environment, &files, run, &models)?;
    if !read.says_length {
        recipe.steps.length = recipe.steps.length.min(source.context()?);
    }
    let lessons = files.lessons(&recipe, &source)?;
    source.is_for(recipe.steps.count(lessons.summary.examples.0));
    let room = lessons.room(&recipe);
    let estimate = memory::estimate(&recipe, &source, &lessons)?;
    let threads = match threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let team = Team::new(threads).map_err(|source| TrainingError::Threads {
        count: threads.get(),
        source,
    })?;
    Ok(PreparedRun {
        recipe,
        start,
        source,
        lessons,
        estimate,
        team,
        room,
    })
}

impl PreparedRun {
    /// Returns the recipe with every key.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Returns the model, in few words.
    pub fn model(&self) -> String {
        self.source.identity()
    }

    /// Returns the error that there is not enough memory.
    pub fn too_large(self) -> TrainingError {
        TrainingError::DoesNotFit {
            estimate: Box::new(self.estimate),
        }
    }

    /// Returns what was read of the data.
    pub fn data(&self) -> &DataSummary {
        &self.lessons.summary
    }

    /// Returns what memory it will take.
    pub fn estimate(&self) -> &Estimate {
        &self.estimate
    }

    /// Returns how many steps the whole run takes.
    pub fn steps(&self) -> u64 {
        self.recipe.steps.count(self.lessons.summary.examples.0)
    }

    /// Learns. `tell` is told what happens, with the run's folder; when it breaks, the state is
    /// saved and the run ends, to be resumed.
    ///
    /// # Errors
    /// If there is not enough memory, the data is another than when the run began, the loop
    /// fails, or the run cannot be written.
    pub fn run(
        mut self,
        tell: &mut dyn FnMut(&std::path::Path, &Event) -> ControlFlow<()>,
    ) -> Result<TrainReport, TrainingError> {
        if !self.estimate.fits() {
            return Err(self.too_large());
        }
        let description = self.describe();
        let mut run = match &self.start {
            Start::New { runs, .. } => {
                let run = Run::create(runs, &self.recipe_text()?, description)?;
                self.source.keep(run.folder())?;
                run
            }
            Start::Resume { run: folder } => {
                let run = Run::open(folder)?;
                let began = run.description();
                for (what, before, now) in [
                    ("data", &began.data, &description.data),
                    ("model", &began.model, &description.model),
                ] {
                    if before != now {
                        return Err(TrainingError::Changed {
                            run: folder.clone(),
                            what,
                            before: before.clone(),
                            now: now.clone(),
                        });
                    }
                }
                run
            }
        };
        let folder = run.folder().to_owned();
        let team = self.team;
        let recipe = self.recipe;
        let packed_by = self.estimate.packed.then_some(&team);
        let (source, lessons) = (self.source, self.lessons);
        let mut learner = learner(&team, packed_by, &recipe, source, lessons, self.room)?;
        let outcome = ::train::train(&team, &mut *learner, &recipe, &mut run, &mut |event| {
            tell(&folder, event)
        })?;
        Ok(TrainReport {
            curve: run.curve().clone(),
            run: folder,
            outcome,
            peak_memory_bytes: memory::peak(),
            kind: taught(&recipe.objective),
        })
    }

    /// Returns the recipe with every key, as a run keeps it.
    fn recipe_text(&self) -> Result<String, TrainingError> {
        toml::to_string(&self.recipe).map_err(|error| TrainingError::Io(io::Error::other(error)))
    }

    fn describe(&self) -> RunDescription {
        RunDescription {
            version: env!("CARGO_PKG_VERSION").into(),
            seed: self.recipe.seed,
            data: self.lessons.fingerprint.clone(),
            files: self
                .lessons
                .summary
                .files
                .iter()
                .map(|(path, _)| path.clone())
                .collect(),
            examples: self.lessons.summary.examples,
            tokens: self.lessons.summary.tokens,
            left_out: self.lessons.summary.left_out_count,
            base: self.source.folder().map(Into::into),
            prompts: self.lessons.prompts && !self.recipe.objective.is_for_encoders(),
            model: self.source.identity(),
            result: match &self.recipe.tuning {
                // An encoder is saved with what was adapted merged into it.
                _ if self.recipe.objective.is_for_encoders() => RunResult::Model,
                ::train::Tuning::Full => RunResult::Model,
                _ => RunResult::Adapter,
            },
        }
    }
}

/// Returns what a model is for that was taught this.
fn taught(objective: &Objective) -> ModelKind {
    match objective {
        Objective::Language { .. } | Objective::Dpo { .. } | Objective::Orpo { .. } => {
            ModelKind::Decoder
        }
        Objective::Classify {} => ModelKind::Classifier,
        Objective::Tag {} => ModelKind::Tagger,
        Objective::Read { .. } => ModelKind::Reader,
        Objective::Rerank {} => ModelKind::Reranker,
        Objective::Embed { .. } => ModelKind::Embedder,
    }
}

/// Returns the model with its examples, ready to learn.
fn learner(
    team: &Team,
    packed_by: Option<&Team>,
    recipe: &Recipe,
    source: Source,
    lessons: Lessons,
    room: usize,
) -> Result<Box<dyn Learner>, TrainingError> {
    let options = source::options(recipe, room);
    let lessons = match lessons.content {
        lessons::Content::Exercises(lessons) => {
            let model = source.encoder(recipe, &lessons.task, &options)?;
            let room = Room {
                tokens: room,
                exercises: recipe.steps.batch,
            };
            let encoder = Encoder::new(model, room, lessons.training, lessons.dev)?;
            return Ok(Box::new(encoder));
        }
        content => content,
    };
    let model: DecoderTraining = source.training(recipe, &options, packed_by)?;
    let companions = source.companions();
    let tokenizer = source.into_tokenizer();
    let preference = match recipe.objective {
        Objective::Dpo { beta } => Some(Preference::Dpo { beta }),
        Objective::Orpo { beta } => Some(Preference::Orpo { beta }),
        _ => None,
    };
    Ok(match (preference, lessons) {
        (None, lessons::Content::Sequences { training, dev }) => {
            let language = Language::new(model, tokenizer, companions, room, training, dev)?;
            let language = match recipe.objective {
                Objective::Language { prompt_weight } => language.with_prompt_weight(prompt_weight),
                _ => language,
            };
            Box::new(match recipe.technique.packing {
                true => language,
                false => language.without_packing(),
            })
        }
        (Some(preference), lessons::Content::Pairs { training, dev }) => {
            let preferences = Preferences::new(
                team, model, tokenizer, companions, room, preference, training, dev,
            )?;
            Box::new(match recipe.technique.packing {
                true => preferences,
                false => preferences.without_packing(),
            })
        }
        _ => unreachable!("lessons are made for the objective"),
    })
}
