//! Training a decoder: forward with memory, the fused head and loss, backward.
//!
//! Letters: `T` tokens, `D` width, `V` vocabulary.
//!
//! One description ([`DecoderConfig`]) covers GPT-2 and the Llama family. The parts are
//! found and planned first (`build.rs`, `room.rs`), so what training will take is known
//! before any of it is; a layer's forward and backward are in `layer.rs`, the head's in
//! `head.rs`.

mod bottleneck;
mod build;
mod head;
mod layer;
mod room;
mod save;

use std::path::{Path, PathBuf};

use tensor::training::Dropout;
use tensor::{Kernels, Sum, Team};

use self::build::{Builder, FrozenAs, Parts};
use self::layer::Place;
use self::room::{Memory, Sizes, Widths};
use super::linear::Adapters;
use super::lookup::Table;
use super::{MemoryPlan, Parameters, Pass, RankBudget, Sequences, TrainingOptions, Tuning};
use crate::ModelError;
use crate::decoder::{self, DecoderConfig, Names, Positions};
use crate::weights::Weights;

/// A decoder that is trained.
///
/// [`forward`](Self::forward), then [`backward`](Self::backward), which adds to the
/// gradients; whoever owns the optimiser then changes
/// [`parameters_mut`](Self::parameters_mut) and clears the gradients.
#[derive(Debug)]
pub struct DecoderTraining {
    config: DecoderConfig,
    /// What its tensors are called by transformers, whatever its file calls them.
    names: &'static Names,
    /// The folder or the GGUF file that it was opened from; nothing if it began from scratch.
    opened: Option<PathBuf>,
    kernels: &'static Kernels,
    tuning: Tuning,
    options: TrainingOptions,
    parts: Parts,
    parameters: Parameters,
    adapted: Vec<String>,
    plan: MemoryPlan,
    /// The lowest layer of which anything is trained.
    lowest: usize,
    memory: Memory,
    /// The batch that went forward last.
    batch: Batch,
}

/// The batch that went forward last.
#[derive(Debug, Default)]
struct Batch {
    ids: Vec<u32>,
    lengths: Vec<usize>,
    /// What it was for, until its memory is used up.
    pass: Option<Pass>,
}

/// What is known before any memory is taken.
struct Blueprint {
    parts: Parts,
    table: super::ParameterTable,
    adapted: Vec<String>,
    widths: Widths,
    sizes: Sizes,
    lowest: usize,
    plan: MemoryPlan,
}

impl Blueprint {
    fn new(
        config: &DecoderConfig,
        names: &'static Names,
        weights: Option<&Weights>,
        tuning: &Tuning,
        options: &TrainingOptions,
        frozen_as: FrozenAs<'_>,
    ) -> Result<Self, ModelError> {
        options.check()?;
        tuning.check()?;
        let mut builder = Builder::new(config, names, weights, tuning, frozen_as);
        let parts = builder.parts()?;
        if let Some(low_rank) = tuning.low_rank()
            && builder.adapted.is_empty()
        {
            let names = Parts::names(decoder::names_of(config.architecture));
            let targets = low_rank.targets();
            return Err(targets.none_fits(config.path.clone(), &names));
        }
        let Builder {
            table,
            adapted,
            frozen,
            ..
        } = builder;
        let lowest = match tuning {
            Tuning::Full => 0,
            _ => parts
                .layers
                .iter()
                .position(build::Layer::trains)
                .unwrap_or(parts.layers.len()),
        };
        let (stored, widened) = parts.frozen(frozen_as);
        let together = names.query_key_value.len() == 1;
        let widths = Widths::of(config, together, tuning);
        let sizes = Sizes::of(&widths, &parts, lowest, widened, options);
        let trained = table.count() * size_of::<f32>();
        let packed = match frozen_as {
            FrozenAs::Stored | FrozenAs::Packed(..) => parts.packed(options.precision),
            FrozenAs::Nf4 | FrozenAs::PlannedNf4 => 0,
        };
        let (more, packed) = match frozen_as {
            FrozenAs::Packed(..) => (packed, 0),
            _ => (0, packed),
        };
        let plan = MemoryPlan {
            weights: trained,
            gradients: trained,
            frozen: frozen * size_of::<f32>() + stored + more,
            packed,
            activations: sizes.activations(),
            scratch: sizes.scratch(),
        };
        Ok(Self {
            parts,
            table,
            adapted,
            widths,
            sizes,
            lowest,
            plan,
        })
    }
}

impl DecoderTraining {
    /// Opens the decoder at `path`, a Hugging Face folder or a GGUF file, to train what
    /// `tuning` says. Weights that are not trained stay as they lie in their file.
    ///
    /// # Errors
    /// If its files are missing, damaged or not known here, or `tuning` names no linear
    /// part of it.
    pub fn open(
        path: &Path,
        tuning: &Tuning,
        options: &TrainingOptions,
    ) -> Result<Self, ModelError> {
        Self::open_as(path, tuning, options, FrozenAs::Stored)
    }

    /// Opens it as [`open`](Self::open) does, with the weights that are not trained packed once
    /// for all products: faster, to the same bits, and takes what
    /// [`packed`](MemoryPlan::packed) says beside. With [`Tuning::QLora`], which is to take
    /// little, nothing is packed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_packed(
        path: &Path,
        tuning: &Tuning,
        options: &TrainingOptions,
        team: &Team,
    ) -> Result<Self, ModelError> {
        let frozen_as = match tuning {
            // Nothing of it stays as it is.
            Tuning::Full => FrozenAs::Stored,
            _ => FrozenAs::Packed(team, options.precision),
        };
        Self::open_as(path, tuning, options, frozen_as)
    }

    fn open_as(
        path: &Path,
        tuning: &Tuning,
        options: &TrainingOptions,
        frozen_as: FrozenAs<'_>,
    ) -> Result<Self, ModelError> {
        let (config, names, weights) = decoder::files(path)?;
        let frozen_as = match tuning {
            Tuning::QLora(_) => FrozenAs::Nf4,
            _ => frozen_as,
        };
        let weights = Some(&weights);
        let blueprint = Blueprint::new(&config, names, weights, tuning, options, frozen_as)?;
        let mut training = Self::of(config, blueprint, weights, tuning, options, 0)?;
        training.opened = Some(decoder::gguf_at(path)?.unwrap_or_else(|| path.to_path_buf()));
        Ok(training)
    }

    /// Makes a decoder of this shape from scratch, its numbers drawn by `seed` as GPT-2's
    /// were: deviation 0.02, and less for what is added to the residual stream.
    ///
    /// # Errors
    /// If the shape is one that no decoder has.
    pub fn initialise(
        config: &DecoderConfig,
        seed: u64,
        options: &TrainingOptions,
    ) -> Result<Self, ModelError> {
        let (names, tuning) = (decoder::names_of(config.architecture), Tuning::Full);
        let blueprint = Blueprint::new(config, names, None, &tuning, options, FrozenAs::Stored)?;
        Self::of(config.clone(), blueprint, None, &tuning, options, seed)
    }

    /// Returns what [`DecoderTraining::open`] would take, from the configuration and the
    /// weights' headers alone.
    ///
    /// # Errors
    /// As [`DecoderTraining::open`].
    pub fn plan(
        path: &Path,
        tuning: &Tuning,
        options: &TrainingOptions,
    ) -> Result<MemoryPlan, ModelError> {
        let (config, names, weights) = decoder::files(path)?;
        let frozen_as = match tuning {
            Tuning::QLora(_) => FrozenAs::PlannedNf4,
            _ => FrozenAs::Stored,
        };
        let weights = Some(&weights);
        Ok(Blueprint::new(&config, names, weights, tuning, options, frozen_as)?.plan)
    }

    /// Returns what [`DecoderTraining::initialise`] would take.
    ///
    /// # Errors
    /// As there.
    pub fn plan_of(
        config: &DecoderConfig,
        options: &TrainingOptions,
    ) -> Result<MemoryPlan, ModelError> {
        let names = decoder::names_of(config.architecture);
        let frozen_as = FrozenAs::Stored;
        Ok(Blueprint::new(config, names, None, &Tuning::Full, options, frozen_as)?.plan)
    }

    /// Takes the memory that is planned.
    fn of(
        config: DecoderConfig,
        blueprint: Blueprint,
        weights: Option<&Weights>,
        tuning: &Tuning,
        options: &TrainingOptions,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let seed = tuning.seed().unwrap_or(seed);
        let parameters = blueprint.table.allocate(weights, seed)?;
        Ok(Self {
            names: decoder::names_of(config.architecture),
            config,
            opened: None,
            kernels: Kernels::best(),
            tuning: tuning.clone(),
            options: *options,
            memory: Memory::new(blueprint.widths, &blueprint.sizes),
            parts: blueprint.parts,
            parameters,
            adapted: blueprint.adapted,
            plan: blueprint.plan,
            lowest: blueprint.lowest,
            batch: Batch::default(),
        })
    }

    /// Returns its shape.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Returns the numbers that are trained. They are all that a checkpoint needs.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns the numbers that are trained, to be changed.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// Returns how ranks are divided, if they are; whoever owns the optimiser calls it.
    pub fn rank_budget(&self) -> Option<RankBudget> {
        match &self.tuning {
            Tuning::AdaLora(adalora) => Some(RankBudget::new(adalora, self.parameters.table())),
            _ => None,
        }
    }

    /// Returns what memory it takes.
    pub fn memory(&self) -> MemoryPlan {
        self.plan
    }

    /// Takes a batch through all layers.
    ///
    /// # Errors
    /// If it has more tokens than memory is planned for, a sequence is longer than the
    /// model reads or the lengths do not add up, or a token is unknown. Nothing is changed
    /// then.
    pub fn forward(
        &mut self,
        team: &Team,
        batch: Sequences<'_>,
        pass: Pass,
    ) -> Result<(), ModelError> {
        self.check(batch)?;
        self.batch.ids.clear();
        self.batch.ids.extend_from_slice(batch.ids);
        self.batch.lengths.clear();
        self.batch.lengths.extend_from_slice(batch.lengths);
        self.batch.pass = Some(pass);
        self.embed(team);
        let tokens = batch.ids.len();
        for layer in 0..self.parts.layers.len() {
            self.forward_of(team, layer);
            if matches!(pass, Pass::Train { .. }) {
                self.memory.keep(self.kernels, team, layer, tokens);
            }
        }
        Ok(())
    }

    /// Refuses a batch that can not be read.
    fn check(&self, batch: Sequences<'_>) -> Result<(), ModelError> {
        let model = || self.config.path.clone();
        let tokens = batch.ids.len();
        let sum = batch
            .lengths
            .iter()
            .try_fold(0usize, |sum, length| sum.checked_add(*length));
        if tokens == 0 || sum != Some(tokens) || batch.lengths.contains(&0) {
            return Err(ModelError::BatchLengths {
                tokens,
                lengths: sum.unwrap_or(usize::MAX),
            });
        }
        if tokens > self.options.tokens {
            return Err(ModelError::BatchTooLarge {
                found: tokens,
                room: self.options.tokens,
            });
        }
        if let Some(found) = batch.lengths.iter().find(|it| **it > self.config.context) {
            return Err(ModelError::SequenceTooLong {
                model: model(),
                found: *found,
                context: self.config.context,
            });
        }
        let known = self.config.vocabulary;
        match batch.ids.iter().find(|token| **token as usize >= known) {
            Some(token) => Err(ModelError::UnknownToken {
                model: model(),
                found: *token,
                known,
            }),
            None => Ok(()),
        }
    }

    /// Returns what is left out, and by which seed.
    fn dropout(&self) -> Option<(u64, super::DropoutShares)> {
        match self.batch.pass {
            Some(Pass::Train { seed }) => Some((seed, self.options.dropout)),
            _ => None,
        }
    }

    fn adapters(&self) -> Adapters {
        self.batch.pass.map_or(Adapters::On, Adapters::of)
    }

    /// Returns what is left out of what goes into the first layer.
    fn left_out_of_embedding(&self) -> Option<Dropout> {
        let (seed, shares) = self.dropout()?;
        let place = [seed, u64::MAX, Place::Embedding as u64];
        (shares.embedding > 0.0).then(|| Dropout::new(shares.embedding, &place))
    }

    /// Sets the stream to what each token and its place stand for, and computes the angles
    /// of rotations.
    fn embed(&mut self, team: &Team) {
        let left_out = self.left_out_of_embedding();
        let (width, ids) = (self.config.width, &self.batch.ids);
        let working = &mut self.memory.working;
        let stream = &mut working.stream[..ids.len() * width];
        let values = self.parameters.values();
        self.parts
            .embedding
            .gather(self.kernels, team, values, ids, Sum::Replace, stream);
        if let Some(table) = &self.parts.positions {
            let places = places(&self.batch.lengths);
            table.gather(self.kernels, team, values, &places, Sum::Add, stream);
        }
        if let Some(left_out) = left_out {
            self.kernels.drop_out(team, left_out, stream);
        }
        if let Positions::Rotary(rotary) = &self.config.positions {
            let mut start = 0;
            for length in &self.batch.lengths {
                let rows = start..start + length * rotary.frequencies.len();
                start = rows.end;
                let cosines = &mut working.cosines[rows.clone()];
                rotary.angles(0, cosines, &mut working.sines[rows]);
            }
        }
    }

    /// Takes the stream through `layer`.
    fn forward_of(&mut self, team: &Team, layer: usize) {
        let (dropout, adapters) = (self.dropout(), self.adapters());
        let tokens = self.batch.ids.len();
        let widths = self.memory.widths();
        let (mut room, working) = self.memory.room(layer, tokens);
        let pass = layer::Pass {
            layer,
            config: &self.config,
            values: self.parameters.values(),
            below: false,
            widths,
            lengths: &self.batch.lengths,
            angles: [&working.cosines, &working.sines].map(|it| &it[..tokens * widths.angles]),
            dropout,
        };
        let mut machine =
            working
                .tools
                .machine(self.kernels, team, self.options.precision, adapters);
        self.parts.layers[layer].forward(
            &pass,
            &mut machine,
            &mut room,
            &mut working.stream[..tokens * widths.stream],
            &mut working.temporary,
        );
    }

    /// Returns the log-probability of each token's target, given the tokens up to it; 0
    /// where the target is [`IGNORE`](super::IGNORE). `targets` is `(T)` of the batch that
    /// went forward last: the next token's number, or another.
    ///
    /// # Errors
    /// If there is not a target for every token, or one is no token of the model.
    ///
    /// # Panics
    /// If nothing went forward since the last backward.
    pub fn log_probabilities(
        &mut self,
        team: &Team,
        targets: &[u32],
    ) -> Result<Vec<f32>, ModelError> {
        self.check_targets(targets)?;
        let adapters = self.adapters();
        let widths = self.memory.widths();
        let working = &mut self.memory.working;
        let head = head::Head {
            parts: &self.parts,
            widths,
            epsilon: self.config.epsilon,
            values: self.parameters.values(),
            stream: &working.stream[..targets.len() * widths.stream],
            targets,
        };
        let mut machine =
            working
                .tools
                .machine(self.kernels, team, self.options.precision, adapters);
        let mut found = vec![0.0; targets.len()];
        head.log_probabilities(&mut machine, &mut working.temporary, &mut found);
        Ok(found)
    }

    /// Adds the gradients of `Σ wₜ · −log p(targetₜ)` over the batch that went forward last,
    /// and returns that sum. `targets` and `weights` are `(T)`; a target of
    /// [`IGNORE`](super::IGNORE) counts nothing. A mean over tokens has weights of one
    /// over their number; weights may be negative.
    ///
    /// # Errors
    /// If there is not a target for every token, or one is no token of the model.
    ///
    /// # Panics
    /// If what went forward last was not [`Pass::Train`], or went backward already; or if
    /// there is not a weight for every target.
    pub fn backward(
        &mut self,
        team: &Team,
        targets: &[u32],
        weights: &[f32],
    ) -> Result<f64, ModelError> {
        assert_eq!(targets.len(), weights.len(), "every target has a weight");
        self.check_targets(targets)?;
        let dropout = self.dropout();
        assert!(
            dropout.is_some(),
            "a backward follows a forward of training"
        );
        let adapters = self.adapters();
        let tokens = targets.len();
        let widths = self.memory.widths();
        let numbers = tokens * widths.stream;
        let (values, gradients) = self.parameters.split();
        let working = &mut self.memory.working;
        let head = head::Head {
            parts: &self.parts,
            widths,
            epsilon: self.config.epsilon,
            values,
            stream: &working.stream[..numbers],
            targets,
        };
        let mut machine =
            working
                .tools
                .machine(self.kernels, team, self.options.precision, adapters);
        let loss = head.backward(
            &mut machine,
            gradients,
            &mut working.temporary,
            weights,
            &mut working.gradient[..numbers],
        );
        let embedding_is_trained = matches!(self.parts.embedding, Table::Trained(_));
        for layer in (self.lowest..self.parts.layers.len()).rev() {
            if !self.memory.recall(self.kernels, team, layer, tokens) {
                self.forward_of(team, layer);
            }
            let (values, gradients) = self.parameters.split();
            let (mut room, working) = self.memory.room(layer, tokens);
            let pass = layer::Pass {
                layer,
                config: &self.config,
                values,
                below: layer > self.lowest || embedding_is_trained,
                widths,
                lengths: &self.batch.lengths,
                angles: [&working.cosines, &working.sines].map(|it| &it[..tokens * widths.angles]),
                dropout,
            };
            let mut machine =
                working
                    .tools
                    .machine(self.kernels, team, self.options.precision, adapters);
            self.parts.layers[layer].backward(
                &pass,
                &mut machine,
                gradients,
                &mut room,
                &mut working.gradient[..numbers],
                &mut working.temporary,
            );
        }
        if embedding_is_trained {
            self.embed_backward(team);
        }
        self.batch.pass = None;
        Ok(loss)
    }

    /// Adds the gradients of the tables that are looked up in.
    fn embed_backward(&mut self, team: &Team) {
        let left_out = self.left_out_of_embedding();
        let numbers = self.batch.ids.len() * self.config.width;
        let gradient = &mut self.memory.working.gradient[..numbers];
        if let Some(left_out) = left_out {
            self.kernels.drop_out(team, left_out, gradient);
        }
        let gradients = self.parameters.gradients_mut();
        let ids = &self.batch.ids;
        self.parts
            .embedding
            .scatter(self.kernels, team, gradients, ids, gradient);
        if let Some(table) = &self.parts.positions {
            let places = places(&self.batch.lengths);
            table.scatter(self.kernels, team, gradients, &places, gradient);
        }
    }

    /// Refuses targets that are not those of the batch.
    fn check_targets(&self, targets: &[u32]) -> Result<(), ModelError> {
        assert!(
            self.batch.pass.is_some(),
            "a batch went forward, and its memory is not used up"
        );
        if targets.len() != self.batch.ids.len() {
            return Err(ModelError::BatchLengths {
                tokens: self.batch.ids.len(),
                lengths: targets.len(),
            });
        }
        let known = self.config.vocabulary;
        let wrong = |target: &&u32| **target != super::IGNORE && **target as usize >= known;
        match targets.iter().find(wrong) {
            Some(target) => Err(ModelError::UnknownToken {
                model: self.config.path.clone(),
                found: *target,
                known,
            }),
            None => Ok(()),
        }
    }
}

/// Returns the place of each token in its sequence.
fn places(lengths: &[usize]) -> Vec<u32> {
    lengths
        .iter()
        .flat_map(|length| 0..*length as u32)
        .collect()
}
