//! What each technique costs and saves, and how cost grows with a model's shape: which runs
//! are measured, and one of them.
//!
//! A process measures one run, since the most memory that it has had cannot be taken back;
//! who begins these processes is the face.

use std::str::FromStr;

use ::train::{Language, Learner as _, MeasuredStep, ModelSource, Objective, Sequences, Tuning};
use model::decoder::{Architecture, DecoderConfig, Shape};
use model::training::DecoderTraining;
use serde::{Deserialize, Serialize};

use super::memory;
use super::{PreparedRun, TrainingError, learner, source};

/// Steps that are timed; one before them warms up.
const STEPS: u64 = 3;

/// A run that is measured beside others.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchRun {
    /// What is special about it.
    pub name: String,
    /// Keys that are set before the recipe's own, as TOML.
    pub set: Vec<String>,
    /// What the literature claims that it saves, if it does: of memory, and of time.
    pub claim: Option<[&'static str; 2]>,
}

/// What a run took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Tokens of a step.
    pub tokens: usize,
    /// Tokens that are computed beside, to fill up rows.
    pub padding: usize,
    /// How long the steps took, in seconds, the first one left out.
    pub step_seconds: Vec<f64>,
    /// The most memory that the process had while it learnt, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Numbers that are learnt.
    pub parameters: usize,
    /// Bytes of weights that are learnt, their gradients and what the optimiser remembers.
    pub state_bytes: usize,
    /// Bytes of numbers that do not change, where they lie.
    pub frozen_bytes: usize,
    /// Bytes that a forward keeps for its backward.
    pub activation_bytes: usize,
    /// The losses of the first and the last step.
    pub losses: [f64; 2],
}

impl Measured {
    /// Returns how long a step in the middle took, in seconds.
    pub fn median(&self) -> f64 {
        let mut seconds = self.step_seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    }

    /// Returns the tokens of a second.
    pub fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.median()
    }
}

/// Returns the keys that make a run plain, with so many examples a step.
fn plain(examples: usize) -> Vec<String> {
    vec![
        format!("steps = {{ batch = {examples}, accumulation = 1, limit = 1000 }}"),
        "technique = { precision = \"f32\", checkpointing = false, packing = true }".into(),
        "optimiser.states = \"f32\"".into(),
        "tuning = { kind = \"full\" }".into(),
    ]
}

/// Returns the keys of a tuning of this kind, with the rank and all else that a recipe's `own`
/// tuning says, if that is of the kind; LoRA and QLoRA are alike.
fn as_recipe_tunes(kind: &str, own: &Tuning) -> String {
    let mut own = toml::Table::try_from(own).expect("a recipe is TOML");
    let alike = |it: &str| if it == "qlora" { "lora" } else { it }.to_owned();
    let is_own = own["kind"]
        .as_str()
        .is_some_and(|it| alike(it) == alike(kind));
    if !is_own {
        return format!("tuning = {{ kind = \"{kind}\" }}");
    }
    own.insert("kind".into(), kind.into());
    format!("tuning = {}", toml::Value::Table(own))
}

/// The shape of a model and of a batch of random tokens, to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchShape {
    /// Layers.
    pub layers: usize,
    /// Numbers that stand for a token inside; a multiple of twice the heads.
    pub width: usize,
    /// Tokens of a sequence.
    pub length: usize,
    /// Sequences of a batch.
    pub batch: usize,
    /// Batches of a step.
    pub accumulation: usize,
}

impl FromStr for BenchShape {
    type Err = String;

    /// Reads `layers,width,length,batch,accumulation`.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<usize>> = text
            .split(',')
            .map(|it| it.parse().ok().filter(|it| (1..1 << 20).contains(it)))
            .collect();
        match numbers.as_deref() {
            Some([layers, width, length, batch, accumulation]) => Ok(Self {
                layers: *layers,
                width: *width,
                length: *length,
                batch: *batch,
                accumulation: *accumulation,
            }),
            _ => Err("expected LAYERS,WIDTH,LENGTH,BATCH,ACCUMULATION".into()),
        }
    }
}

impl std::fmt::Display for BenchShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            layers,
            width,
            length,
            batch,
            accumulation,
        } = self;
        write!(f, "{layers},{width},{length},{batch},{accumulation}")
    }
}

impl PreparedRun {
    /// Returns the runs that show what each technique does: the first is the plain one, with the
    /// examples of a step computed at once. What is claimed is what is commonly said of them.
    pub fn techniques(&self) -> Vec<BenchRun> {
        let recipe = &self.recipe;
        let examples = recipe.steps.examples();
        let parts = (2..=4).rev().find(|it| examples.is_multiple_of(*it));
        let is_encoder = self.lessons.task().is_some();
        let is_new = matches!(recipe.model, ModelSource::New(_));
        let run = |name: &str, key: &str, claim: Option<[&'static str; 2]>| BenchRun {
            name: name.into(),
            set: plain(examples)
                .into_iter()
                .chain([key.to_owned()])
                .collect(),
            claim,
        };
        let adapter = Some(["90 % or more", "3 to 5 × faster"]);
        let mut runs = vec![BenchRun {
            name: "plain".into(),
            set: plain(examples),
            claim: None,
        }];
        if let Some(parts) = parts {
            let steps = format!(
                "steps = {{ batch = {}, accumulation = {parts} }}",
                examples / parts
            );
            runs.push(run(
                &format!("accumulation of {parts}"),
                &steps,
                Some(["50 to 75 %", "2 to 4 × slower"]),
            ));
        }
        // An encoder's texts are always packed.
        if !is_encoder {
            runs.push(run("without packing", "technique.packing = false", None));
        }
        let claims = [
            (
                "bf16",
                "technique.precision = \"bf16\"",
                Some(["50 %", "1.5 to 2 × faster"]),
            ),
            (
                "checkpointing",
                "technique.checkpointing = true",
                Some(["60 to 80 %", "20 to 30 % slower"]),
            ),
            ("8-bit states", "optimiser.states = \"int8\"", None),
        ];
        runs.extend(claims.map(|(name, key, claim)| run(name, key, claim)));
        // There is nothing to adapt in a model from nothing.
        if !is_new {
            let tuning = |kind: &str| as_recipe_tunes(kind, &recipe.tuning);
            runs.push(run("LoRA", &tuning("lora"), adapter));
            if !is_encoder {
                runs.push(run("QLoRA", &tuning("qlora"), adapter));
                runs.push(run("AdaLoRA", &tuning("adalora"), None));
                runs.push(run("bottlenecks", &tuning("bottleneck"), None));
            }
        }
        runs
    }

    /// Returns the shapes that show how cost grows: each of layers, width, sequence, batch and
    /// accumulation doubled twice, from half or a quarter of the recipe's.
    ///
    /// # Errors
    /// If the model is no decoder.
    pub fn growth(&self) -> Result<Vec<(&'static str, [BenchShape; 3])>, TrainingError> {
        let config = self.decoder_shape()?;
        let length = self.recipe.steps.length.min(config.context);
        let middle = BenchShape {
            layers: config.layers.div_ceil(2),
            width: config.width / 2 / (2 * config.heads) * (2 * config.heads),
            length: (length / 2).max(2),
            batch: self.recipe.steps.batch.div_ceil(2),
            accumulation: 1,
        };
        let three = |change: &dyn Fn(&mut BenchShape, usize)| {
            [1, 2, 4].map(|times| {
                let mut shape = middle;
                change(&mut shape, times);
                shape
            })
        };
        // Half, once and twice of what is in the middle; of a width, which heads divide.
        let half = |number: usize, times: usize| (number * times / 2).max(1);
        let least = 2 * config.heads;
        Ok(vec![
            (
                "layers",
                three(&|it, times| it.layers = half(it.layers, times)),
            ),
            (
                "width",
                three(&|it, times| it.width = (half(it.width, times) / least * least).max(least)),
            ),
            (
                "sequence",
                three(&|it, times| it.length = half(it.length, times).max(2)),
            ),
            (
                "batch",
                three(&|it, times| it.batch = (it.batch * times).max(1)),
            ),
            ("accumulation", three(&|it, times| it.accumulation = times)),
        ])
    }

    /// Returns the shape of the decoder that learns.
    fn decoder_shape(&self) -> Result<Shaped, TrainingError> {
        if !matches!(self.recipe.objective, Objective::Language { .. }) {
            return Err(TrainingError::NoGrowth);
        }
        let config = self.source.decoder()?;
        Ok(Shaped {
            layers: config.layers(),
            width: config.width,
            heads: config.heads,
            context: config.context,
        })
    }

    /// Takes a few steps and says what they took.
    ///
    /// # Errors
    /// If there is not enough memory, or the model fails.
    pub fn measure(self) -> Result<Measured, TrainingError> {
        if !self.estimate.fits() {
            return Err(self.too_large());
        }
        let estimate = self.estimate;
        memory::forget_peak();
        let (team, recipe) = (self.team, self.recipe);
        let packed_by = estimate.packed.then_some(&team);
        let (source, lessons) = (self.source, self.lessons);
        let mut learner = learner(&team, packed_by, &recipe, source, lessons, self.room)?;
        let steps = ::train::measure(&team, &mut *learner, &recipe, 1 + STEPS)?;
        Ok(measured(&estimate, &steps))
    }

    /// Takes a few steps of a model of another shape, from nothing, on random tokens.
    ///
    /// # Errors
    /// If there can be no such model, there is not enough memory, or the model fails.
    pub fn measure_shape(self, shape: BenchShape) -> Result<Measured, TrainingError> {
        let now = self.source.decoder()?;
        let config = {
            let shape = Shape {
                vocabulary: now.vocabulary,
                context: shape.length,
                width: shape.width,
                layers: shape.layers,
                heads: now.heads,
                key_heads: now.key_heads,
                inner: (now.inner * shape.width / now.width).max(1),
            };
            match now.architecture {
                Architecture::Gpt2 => DecoderConfig::gpt2(shape)?,
                // The others are Llamas with little beside.
                _ => DecoderConfig::llama(shape)?,
            }
        };
        let mut recipe = self.recipe.clone();
        (recipe.steps.batch, recipe.steps.accumulation) = (shape.batch, shape.accumulation);
        let room = shape.batch * shape.length;
        let options = source::options(&recipe, room);
        let plan = DecoderTraining::plan_of(&config, &options)?;
        let estimate = memory::of_plan(&recipe, plan);
        if !estimate.fits() {
            return Err(TrainingError::DoesNotFit {
                estimate: Box::new(estimate),
            });
        }
        memory::forget_peak();
        let model = DecoderTraining::initialise(&config, recipe.seed, &options)?;
        let mut sequences = Sequences::new();
        for example in 0..recipe.steps.examples() * (STEPS as usize + 1) {
            let token = |at: usize| ((at * 7919 + example * 104_729) % config.vocabulary) as u32;
            let ids: Vec<u32> = (0..shape.length).map(token).collect();
            sequences.push(&ids, |at| at > 0);
        }
        let tokenizer = self.source.into_tokenizer();
        let none = Sequences::new();
        let mut learner = Language::new(model, tokenizer, Vec::new(), room, sequences, none)?;
        let steps = ::train::measure(&self.team, &mut learner, &recipe, 1 + STEPS)?;
        let parameters = learner.arena().values.len();
        assert_eq!(
            parameters, estimate.parameters,
            "what is planned is what is taken"
        );
        Ok(measured(&estimate, &steps))
    }
}

/// What is varied of a decoder.
struct Shaped {
    layers: usize,
    width: usize,
    heads: usize,
    context: usize,
}

fn measured(estimate: &memory::Estimate, steps: &[MeasuredStep]) -> Measured {
    let (first, last) = (&steps[0], &steps[steps.len() - 1]);
    let timed = &steps[1..];
    let mean = |of: fn(&MeasuredStep) -> usize| timed.iter().map(of).sum::<usize>() / timed.len();
    Measured {
        tokens: mean(|it| it.tokens),
        padding: mean(|it| it.padding),
        step_seconds: timed.iter().map(|it| it.elapsed.as_secs_f64()).collect(),
        peak_memory_bytes: memory::peak(),
        parameters: estimate.parameters,
        state_bytes: estimate.weights + estimate.gradients + estimate.moments,
        frozen_bytes: estimate.frozen,
        activation_bytes: estimate.activations,
        losses: [first.loss, last.loss],
    }
}

#[cfg(test)]
mod tests {
    use model::training::{Lora, Targets};

    use super::*;

    #[test]
    fn techniques_are_tuned_as_the_recipe_says() {
        let lora = Lora {
            rank: 3,
            dropout: 0.1,
            targets: Targets::Named(vec!["q_proj".into()]),
            ..Lora::default()
        };
        let check = |own: &Tuning, kind: &str, expect: &Tuning| {
            let set = as_recipe_tunes(kind, own);
            let table: toml::Table = set.parse().unwrap();
            let found: Tuning = table["tuning"].clone().try_into().unwrap();
            assert_eq!(&found, expect, "{set}");
        };
        let own = Tuning::Lora(lora.clone());
        check(&own, "lora", &own);
        check(&own, "qlora", &Tuning::QLora(lora));
        check(&own, "adalora", &Tuning::AdaLora(Default::default()));
        check(&Tuning::Full, "lora", &Tuning::Lora(Lora::default()));
    }
}
