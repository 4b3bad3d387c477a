//! Training an encoder with a head: forward with memory, loss, backward.
//!
//! Letters: `B` texts, `T` tokens of all of them, `D` width, `L` outputs of the head.
//!
//! The parts are found and planned first (`build.rs`, `memory.rs`); a layer's forward and
//! backward are in `layer.rs`, the head's in `head.rs`. A batch is texts one behind the
//! other without padding, so a step costs what its tokens cost. Gradients are those of
//! transformers' heads and of sentence-transformers' losses for the same batch.

mod build;
mod head;
mod layer;
mod memory;
mod model;
mod save;

use std::path::{Path, PathBuf};

use tensor::{Kernels, Pooling, Team};

use self::build::{Builder, Parts};
use self::memory::{Memory, Sizes, Widths};
use self::model::Model;
use super::heads::{HeadTargets, Task};
use super::linear::Linear;
use super::{MemoryPlan, Parameters, Pass, TrainingOptions, Tuning};
use crate::ModelError;
use crate::bert::Batch;
use crate::config::EncoderConfig;
use crate::encoder_names::HUGGING_FACE;
use crate::folder::Folder;
use crate::heads::{Labels, SPAN, SequenceNames, TAGS};
use crate::sentence::Sentence;
use crate::weights::Weights;

/// An encoder that is trained, with its head.
///
/// [`step`](Self::step) adds to the gradients; whoever owns the optimiser then changes
/// [`parameters_mut`](Self::parameters_mut) and clears the gradients.
#[derive(Debug)]
pub struct EncoderTraining {
    /// Where it was opened.
    folder: PathBuf,
    weights: Weights,
    task: Task,
    tuning: Tuning,
    /// What stands before the names of the encoder's own parts where it is saved.
    prefix: &'static str,
    /// The names of the linear parts that are adapted.
    adapted: Vec<String>,
    model: Model,
    parameters: Parameters,
    memory: Memory,
    plan: MemoryPlan,
}

impl EncoderTraining {
    /// Opens the encoder in the Hugging Face folder `folder`, to train it, or what `tuning`
    /// says of it, for `task`.
    ///
    /// If the folder has a head for this task with the same labels, training goes on with
    /// that; else a head is drawn, as `seed` says.
    ///
    /// # Errors
    /// If files are missing, damaged or not known here.
    pub fn open(
        folder: &Path,
        task: &Task,
        tuning: &Tuning,
        options: &TrainingOptions,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let Opened {
            config,
            weights,
            head_is_stored,
            pooling,
        } = Opened::open(folder, task, tuning, options)?;
        let mut builder = Builder::new(&config, &weights, task, head_is_stored, tuning);
        let parts = builder.parts(task, pooling)?;
        if let Some(low_rank) = tuning.low_rank()
            && builder.adapted.is_empty()
        {
            return Err(low_rank.targets().none_fits(config.path, &Parts::NAMES));
        }
        let Builder {
            table,
            prefix,
            adapted,
            frozen,
            ..
        } = builder;
        let widths = Widths::of(&config);
        let sizes = Sizes::of(&widths, &parts, options);
        let parameters = table.allocate(Some(&weights), seed)?;
        Ok(Self {
            plan: planned(parameters.count(), frozen, &parts, &sizes),
            memory: Memory::new(widths, &sizes, options),
            folder: folder.to_path_buf(),
            weights,
            task: task.clone(),
            tuning: tuning.clone(),
            prefix,
            adapted,
            parameters,
            model: Model {
                kernels: Kernels::best(),
                lowest: match tuning {
                    Tuning::Full => 0,
                    _ => parts
                        .layers
                        .iter()
                        .position(|layer| layer.linears().any(Linear::trains))
                        .unwrap_or(parts.layers.len()),
                },
                parts,
                config,
                options: *options,
                scale: match task {
                    Task::Vectors { scale } => *scale,
                    _ => 1.0,
                },
            },
        })
    }

    /// Returns the memory that [`EncoderTraining::open`] would take, without taking that of
    /// what is trained.
    ///
    /// # Errors
    /// As there.
    pub fn plan(
        folder: &Path,
        task: &Task,
        tuning: &Tuning,
        options: &TrainingOptions,
    ) -> Result<MemoryPlan, ModelError> {
        let opened = Opened::open(folder, task, tuning, options)?;
        let (config, weights) = (&opened.config, &opened.weights);
        let mut builder = Builder::new(config, weights, task, opened.head_is_stored, tuning);
        let parts = builder.parts(task, opened.pooling)?;
        let sizes = Sizes::of(&Widths::of(config), &parts, options);
        let trained = builder.table.count();
        Ok(planned(trained, builder.frozen, &parts, &sizes))
    }

    /// Returns what is trained.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns what is trained, to be changed.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// Returns what it is taught.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Returns the memory that was planned; the head's, which depends on how many texts a
    /// batch has, is little beside it.
    pub fn memory(&self) -> MemoryPlan {
        self.plan
    }

    /// Returns how many tokens a text may have.
    pub fn longest(&self) -> usize {
        self.model.config.longest()
    }

    /// Returns the sum of the losses of what `targets` says is learnt in `batch`, each times
    /// `weight`, and adds its gradient to the gradients. What is left out at random follows
    /// from `seed`, which is another for every batch.
    ///
    /// With the weight `1 / units` of all batches of an update, these are the mean and its
    /// gradient, however the update is cut into batches; but anchors are only told from
    /// the other texts of their own batch.
    ///
    /// Panics if the targets are not those of the task and of the batch.
    ///
    /// # Errors
    /// If the batch has more tokens than were planned for, a text is longer than the model
    /// can read, or a token or segment is none of the model's.
    pub fn step(
        &mut self,
        team: &Team,
        batch: &Batch,
        targets: HeadTargets<'_>,
        weight: f32,
        seed: u64,
    ) -> Result<f64, ModelError> {
        let pass = Pass::Train { seed };
        let memory = &mut self.memory;
        let (values, gradients) = self.parameters.split();
        self.model.run(memory, team, values, batch, pass)?;
        let backward = Some(gradients);
        let model = &self.model;
        Ok(model.loss(memory, team, values, batch, pass, targets, weight, backward))
    }

    /// Returns the same sum with nothing left out, and leaves the gradients alone. `see` is
    /// shown what the head gives, as [`EncoderTraining::predict`] returns it.
    ///
    /// # Errors
    /// As [`EncoderTraining::step`].
    pub fn evaluate(
        &mut self,
        team: &Team,
        batch: &Batch,
        targets: HeadTargets<'_>,
        weight: f32,
        see: &mut dyn FnMut(&[f32]),
    ) -> Result<f64, ModelError> {
        let pass = Pass::Evaluate;
        let memory = &mut self.memory;
        let values = self.parameters.values();
        see(self.model.run(memory, team, values, batch, pass)?);
        let model = &self.model;
        Ok(model.loss(memory, team, values, batch, pass, targets, weight, None))
    }

    /// Returns what the head gives for `batch`: logits, `(B, L)` of texts or `(T, L)` of
    /// tokens, or vectors of unit length, `(B, D)`.
    ///
    /// # Errors
    /// As [`EncoderTraining::step`].
    pub fn predict<'a>(
        &'a mut self,
        team: &'a Team,
        batch: &Batch,
    ) -> Result<&'a [f32], ModelError> {
        let values = self.parameters.values();
        self.model
            .run(&mut self.memory, team, values, batch, Pass::Evaluate)
    }
}

/// What is read of a folder before its parts are found.
struct Opened {
    config: EncoderConfig,
    weights: Weights,
    head_is_stored: bool,
    pooling: Pooling,
}

impl Opened {
    fn open(
        folder: &Path,
        task: &Task,
        tuning: &Tuning,
        options: &TrainingOptions,
    ) -> Result<Self, ModelError> {
        options.check()?;
        tuning.check()?;
        let found = match tuning {
            Tuning::Full | Tuning::Lora(_) => None,
            Tuning::QLora(_) => Some("`qlora`"),
            Tuning::AdaLora(_) => Some("`adalora`"),
            Tuning::Bottleneck(_) => Some("`bottleneck`"),
        };
        if let Some(found) = found {
            return Err(ModelError::TrainingSetting {
                setting: "tuning",
                expected: "`full` or `lora`: the others are for decoders",
                found: found.into(),
            });
        }
        let mut files = Folder::new(folder);
        let config = EncoderConfig::read(&mut files)?;
        let weights = Weights::open(folder)?;
        Ok(Self {
            head_is_stored: head_is_stored(&mut files, &config, &weights, task)?,
            pooling: match task {
                Task::Vectors { .. } => Sentence::read(&mut files)?.pooling,
                _ => Pooling::First,
            },
            config,
            weights,
        })
    }
}

/// Returns the memory of an encoder with `trained` numbers that are trained, and `frozen`
/// that are neither trained nor mapped.
fn planned(trained: usize, frozen: usize, parts: &Parts, sizes: &Sizes) -> MemoryPlan {
    MemoryPlan {
        packed: 0,
        weights: trained * size_of::<f32>(),
        gradients: trained * size_of::<f32>(),
        frozen: frozen * size_of::<f32>() + parts.frozen_bytes(),
        activations: sizes.activations(),
        scratch: sizes.scratch(),
    }
}

/// Returns whether the folder has a head for this task, with the same labels.
fn head_is_stored(
    files: &mut Folder,
    config: &EncoderConfig,
    weights: &Weights,
    task: &Task,
) -> Result<bool, ModelError> {
    let sequence = SequenceNames::of(config.family, HUGGING_FACE.prefix(weights)).out;
    let name = match task {
        Task::Vectors { .. } => return Ok(false),
        Task::Tags { .. } => TAGS,
        Task::Spans => SPAN,
        Task::Classes { .. } | Task::Labels { .. } | Task::Scores => sequence,
    };
    let name = format!("{name}.weight");
    let shape = [task.outputs(), config.width];
    let fits = weights
        .shapes()
        .any(|(found, its)| found == name && its == shape);
    let same = task.labels().is_empty() || Labels::read(files)?.names == task.labels();
    Ok(fits && same)
}
