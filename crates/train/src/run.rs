//! A run's folder: it alone says what was done, with which data, seed and version, and lets
//! the run go on.
//!
//! | in it | what it is |
//! |---|---|
//! | `recipe.toml` | The recipe with every key. |
//! | `run.json` | What the run was begun with: data, model, version. Written when it begins. |
//! | `events.jsonl` | What happened: one [`Event`] a line. |
//! | `tensorboard/` | The curves for TensorBoard. |
//! | `curve.svg` | The curves as a picture. |
//! | `run.html` | The run as a page: its stages, how far each is, and the curves. |
//! | `checkpoints/` | States to go on from, and the best one's numbers. |
//! | `model/` or `adapter/` | What was learnt, as others read it. |

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err::{File, OpenOptions};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, State};
use crate::curve::Curve;
use crate::learner::{Examination, Learner};
use crate::optimiser::Update;
use crate::page::Stages;
use crate::tensorboard::TensorBoard;
use crate::{Event, TrainError};

const RECIPE: &str = "recipe.toml";
const DESCRIPTION: &str = "run.json";
const EVENTS: &str = "events.jsonl";
const CHECKPOINTS: &str = "checkpoints";
const STEP: &str = "step-";
const BEST: &str = "best-";

/// What a run was begun with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDescription {
    /// The version of groundtune.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// The fingerprint of the examples, those to learn and those to be examined on.
    pub data: String,
    /// The files that they come from, as they were found.
    pub files: Vec<PathBuf>,
    /// Examples to learn, and to be examined on.
    pub examples: (usize, usize),
    /// The model that learns, where it was found; nothing if it is new.
    pub base: Option<PathBuf>,
    /// The base's name and fingerprint; a new model's shape.
    pub model: String,
    /// What is written at the end: `model` or `adapter`.
    pub result: RunResult,
    /// Tokens of an epoch.
    #[serde(default)]
    pub tokens: usize,
    /// Examples that could not be used.
    #[serde(default)]
    pub left_out: usize,
    /// Whether prompts with their answers were among the examples, and not texts alone.
    #[serde(default)]
    pub prompts: bool,
}

/// What a run writes at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// A whole model.
    Model,
    /// An adapter for its base.
    Adapter,
}

impl RunResult {
    /// Returns the name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Adapter => "adapter",
        }
    }
}

/// A run's folder, open to be written.
pub struct Run {
    folder: PathBuf,
    description: RunDescription,
    events: File,
    /// How long `events.jsonl` is.
    events_bytes: u64,
    board: TensorBoard,
    saved: Option<u64>,
    curve: Curve,
    stages: Stages,
    /// When the pictures were last drawn.
    drawn: Option<Instant>,
}

/// How long pictures may be behind while a run goes on.
const BEHIND: Duration = Duration::from_secs(5);

impl Run {
    /// Makes the next folder in `runs`: `0001`, `0002`, ….
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(
        runs: &Path,
        recipe: &str,
        description: RunDescription,
    ) -> Result<Self, TrainError> {
        fs_err::create_dir_all(runs)?;
        let mut number = checkpoint::list(runs, "")?
            .last()
            .map_or(1, |(last, _)| last + 1);
        let folder = loop {
            let folder = runs.join(format!("{number:04}"));
            match fs_err::create_dir(&folder) {
                Ok(()) => break folder,
                // Somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error.into()),
            }
        };
        fs_err::create_dir(folder.join(CHECKPOINTS))?;
        write_durably(&folder.join(RECIPE), recipe.as_bytes())?;
        let json = serde_json::to_vec_pretty(&description).map_err(io::Error::from)?;
        write_durably(&folder.join(DESCRIPTION), &json)?;
        checkpoint::sync_folder(&folder)?;
        checkpoint::sync_folder(runs)?;
        Self::of(folder, description)
    }

    /// Opens a run that was broken off.
    ///
    /// # Errors
    /// If `folder` is no run's, or cannot be read and written.
    pub fn open(folder: &Path) -> Result<Self, TrainError> {
        let description = Self::describe(folder)?;
        Self::of(folder.to_owned(), description)
    }

    /// Returns what the run in `folder` was begun with.
    ///
    /// # Errors
    /// If it is no run's folder.
    pub fn describe(folder: &Path) -> Result<RunDescription, TrainError> {
        let path = folder.join(DESCRIPTION);
        serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| TrainError::Damaged {
            path,
            what: format!("is not what was written: {error}"),
        })
    }

    /// Returns the recipe of the run in `folder`, as text.
    ///
    /// # Errors
    /// If it is no run's folder.
    pub fn recipe(folder: &Path) -> Result<String, TrainError> {
        Ok(fs_err::read_to_string(folder.join(RECIPE))?)
    }

    /// Returns whether `folder` is a run's.
    pub fn is_run(folder: &Path) -> bool {
        folder.join(DESCRIPTION).is_file() && folder.join(RECIPE).is_file()
    }

    fn of(folder: PathBuf, description: RunDescription) -> Result<Self, TrainError> {
        fs_err::create_dir_all(folder.join(CHECKPOINTS))?;
        let mut events = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(folder.join(EVENTS))?;
        let events_bytes = events.seek(SeekFrom::End(0))?;
        Ok(Self {
            board: TensorBoard::new(&folder.join("tensorboard")),
            folder,
            description,
            events,
            events_bytes,
            saved: None,
            curve: Curve::default(),
            stages: Stages::default(),
            drawn: None,
        })
    }

    /// Returns its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what it was begun with.
    pub fn description(&self) -> &RunDescription {
        &self.description
    }

    /// Returns the step of the last checkpoint.
    pub(crate) fn saved_step(&self) -> Option<u64> {
        self.saved
    }

    /// Puts the last checkpoint into the learner and the optimiser, and returns its state;
    /// nothing, if there is none. What was noted after it is forgotten.
    pub(crate) fn resume(
        &mut self,
        learner: &mut dyn Learner,
        update: &mut Update,
    ) -> Result<Option<State>, TrainError> {
        let last = checkpoint::list(&self.folder.join(CHECKPOINTS), STEP)?.pop();
        let state = match &last {
            Some((_, folder)) => Some(checkpoint::read(folder, &mut learner.arena(), update)?),
            None => None,
        };
        self.saved = state.as_ref().map(|it| it.step);
        let kept = state.as_ref().map_or(0, |it| it.events_bytes);
        self.events.set_len(kept)?;
        self.events.seek(SeekFrom::Start(0))?;
        let mut text = String::new();
        self.events.read_to_string(&mut text)?;
        self.curve = Curve::of_events(&text);
        self.stages = Stages::of_events(&text);
        self.events_bytes = self.events.seek(SeekFrom::Start(kept))?;
        Ok(state)
    }

    /// Keeps an event.
    pub(crate) fn note(&mut self, event: &Event) -> Result<(), TrainError> {
        let mut line = serde_json::to_string(event).map_err(io::Error::from)?;
        line.push('\n');
        self.events.write_all(line.as_bytes())?;
        self.events_bytes += line.len() as u64;
        self.board.note(event)?;
        self.curve.take(event);
        self.stages.take(event);
        let waits = !matches!(event, Event::Started { .. } | Event::Ended { .. });
        if waits && self.drawn.is_some_and(|it| it.elapsed() < BEHIND) {
            return Ok(());
        }
        self.draw()
    }

    /// Saves the state, and removes checkpoints beyond the last `keep` and best states that
    /// none of these speaks of.
    pub(crate) fn save(
        &mut self,
        learner: &mut dyn Learner,
        update: &Update,
        state: &State,
        keep: usize,
    ) -> Result<(), TrainError> {
        // The checkpoint says how long the events are: they must be there before it.
        self.events.sync_data()?;
        let mut state = state.clone();
        state.events_bytes = self.events_bytes;
        let folder = self.folder.join(CHECKPOINTS);
        let name = format!("{STEP}{}", state.step);
        checkpoint::write(&folder.join(name), &learner.arena(), update, &state)?;
        self.saved = Some(state.step);
        let mut all = checkpoint::list(&folder, STEP)?;
        for (_, old) in all.drain(..all.len().saturating_sub(keep)) {
            checkpoint::remove(&old)?;
        }
        let mut needed = Vec::new();
        for (_, kept) in &all {
            needed.extend(checkpoint::read_state(kept)?.best.map(|it| it.step));
        }
        for (step, old) in checkpoint::list(&folder, BEST)? {
            if !needed.contains(&step) {
                checkpoint::remove(&old)?;
            }
        }
        Ok(())
    }

    /// Keeps the numbers that are learnt, as those after `step`, which was the best.
    pub(crate) fn keep_best(
        &mut self,
        learner: &mut dyn Learner,
        step: u64,
    ) -> Result<(), TrainError> {
        checkpoint::write_learnt(&self.best(step), &learner.arena())
    }

    /// Puts the best numbers into the learner.
    pub(crate) fn load_best(&self, learner: &mut dyn Learner, step: u64) -> Result<(), TrainError> {
        checkpoint::read_learnt(&self.best(step), &mut learner.arena())
    }

    fn best(&self, step: u64) -> PathBuf {
        self.folder.join(CHECKPOINTS).join(format!("{BEST}{step}"))
    }

    /// Writes what was learnt as others read it, and returns where; `found` is what it was
    /// last examined to be.
    pub(crate) fn finish(
        &mut self,
        learner: &dyn Learner,
        found: Option<&Examination>,
    ) -> Result<PathBuf, TrainError> {
        let folder = self.folder.join(self.description.result.folder());
        checkpoint::beside(&folder, |part| learner.save(part, found))?;
        Ok(folder)
    }

    /// Returns the curves so far.
    pub fn curve(&self) -> &Curve {
        &self.curve
    }

    /// Draws the curves and the page, as the run is now.
    fn draw(&mut self) -> Result<(), TrainError> {
        let svg = self.curve.svg().to_string();
        fs_err::write(self.folder.join("curve.svg"), &svg)?;
        let page = self.stages.page(&self.folder, &self.description, &svg);
        let page = page.expect("a text can always be written to");
        // A browser never sees half of it.
        let part = self.folder.join("run.html.part");
        fs_err::write(&part, page)?;
        fs_err::rename(&part, self.folder.join("run.html"))?;
        self.drawn = Some(Instant::now());
        Ok(())
    }
}

/// Writes a file whose contents survive a loss of power.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}
