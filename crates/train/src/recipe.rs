//! What is to be learnt, from what, and how: a recipe, as `groundtune train` reads it.
//!
//! Each choice is a sum type whose `kind` decides which keys may stand beside it, so that no
//! key is ever silently without effect. Every key but the model and the data has a default;
//! a preset is a set of other defaults.

use std::path::PathBuf;

use model::training::{AdaLora, Bottleneck, Lora, Tuning};
use serde::{Deserialize, Deserializer, Serialize};

use crate::TrainError;
use crate::schedule::Schedule;

/// A whole recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Which defaults hold. See [`Preset`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Decides the order of examples, what dropout leaves out, first weights and the split.
    /// Default: 0.
    #[serde(default)]
    pub seed: u64,
    /// The model that learns.
    pub model: ModelSource,
    /// What it learns from.
    pub data: Data,
    /// What it is to do well. Default: to go on with text.
    #[serde(default)]
    pub objective: Objective,
    /// Which of its numbers change. Default: all.
    #[serde(default, deserialize_with = "tuning")]
    pub tuning: Tuning,
    /// How much is learnt, in which portions.
    #[serde(default)]
    pub steps: Steps,
    /// How a gradient becomes a change.
    #[serde(default)]
    pub optimiser: Optimiser,
    /// How the learning rate changes over the run. Default: linear, without a warm-up.
    #[serde(default)]
    pub schedule: Schedule,
    /// What saves memory or time, or keeps it from learning by heart.
    #[serde(default)]
    pub technique: Technique,
    /// When it is examined, and what follows from it.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// When it is saved.
    #[serde(default)]
    pub checkpoints: Checkpoints,
}

/// A named set of defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Three epochs in batches of four, 500 steps of warm-up, weight decay 0.01, examined and
    /// saved every 1,000 steps; the best is kept.
    Classic,
    /// Five epochs in batches of two at 5e-5, 100 steps of warm-up.
    Creative,
    /// Three epochs in batches of four, saved every 500 steps, the last two kept.
    Compact,
    /// A hundred epochs in batches of 32 at 1e-4: for a few facts to be known by heart.
    KnowledgeBase,
    /// LoRA of rank 8 on all linear layers at 2e-4, cosine.
    Adapter,
    /// From nothing: a model of 512 × 8 heads × 6 layers, cosine at 6e-4.
    Pretrain,
}

impl Preset {
    /// Returns its name, as a recipe has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Creative => "creative",
            Self::Compact => "compact",
            Self::KnowledgeBase => "knowledge-base",
            Self::Adapter => "adapter",
            Self::Pretrain => "pretrain",
        }
    }

    /// Returns the recipe's keys that it sets, as TOML. A recipe's own keys come before them.
    pub fn text(self) -> &'static str {
        match self {
            Self::Classic => include_str!("presets/classic.toml"),
            Self::Creative => include_str!("presets/creative.toml"),
            Self::Compact => include_str!("presets/compact.toml"),
            Self::KnowledgeBase => include_str!("presets/knowledge-base.toml"),
            Self::Adapter => include_str!("presets/adapter.toml"),
            Self::Pretrain => include_str!("presets/pretrain.toml"),
        }
    }
}

/// The model that learns: one that is there, or a new one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelSource {
    /// One that knows something already.
    Base {
        /// Its folder, or its name in the cache.
        path: String,
        /// Its vocabulary, if that is not in its folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tokenizer: Option<PathBuf>,
    },
    /// One that knows nothing yet: it is pretrained.
    New(NewModel),
}

/// The shape of a new model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewModel {
    /// Its family. Default: `llama`.
    #[serde(default)]
    pub architecture: Architecture,
    /// Its layers. Default: 6.
    #[serde(default = "six")]
    pub layers: usize,
    /// Numbers that stand for a token inside. Default: 512.
    #[serde(default = "five_hundred_and_twelve")]
    pub width: usize,
    /// Heads of attention. Default: 8.
    #[serde(default = "eight")]
    pub heads: usize,
    /// Heads of keys and values, which heads of attention share. Default: as many. Llama only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_value_heads: Option<usize>,
    /// Numbers between a feed layer's two products. Default: four times the width for GPT-2,
    /// eight thirds of it, rounded up to 32, for Llama.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<usize>,
    /// The most tokens that it reads. Default: 512.
    #[serde(default = "five_hundred_and_twelve")]
    pub context: usize,
    /// Where its vocabulary comes from. Default: trained from the text.
    #[serde(default)]
    pub tokenizer: TokenizerSource,
}

/// The families that a new model may be of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// GPT-2: layer norms, learned positions.
    Gpt2,
    /// Llama: RMS norms, rotary positions, a gated feed.
    #[default]
    Llama,
}

/// Where a new model's vocabulary comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenizerSource {
    /// Pieces of bytes, trained from the training text.
    Trained {
        /// How many. Default: 8,192.
        #[serde(default = "eight_thousand")]
        vocabulary: usize,
    },
    /// One that is there.
    Path {
        /// Its folder or file.
        path: PathBuf,
    },
}

impl Default for TokenizerSource {
    fn default() -> Self {
        Self::Trained {
            vocabulary: eight_thousand(),
        }
    }
}

/// What a model learns from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The files, relative to the recipe.
    pub train: Vec<PathBuf>,
    /// What it is examined on while it learns. Default: a twentieth of the training examples.
    #[serde(default)]
    pub dev: Dev,
    /// The format of the files. Default: told from their contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// How questions are asked with evidence beside their own passage. Default: with that
    /// alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceRecipe>,
}

/// How questions are asked with evidence beside their own passage (RAFT: Zhang et al. 2024,
/// arXiv:2403.10131).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceRecipe {
    /// The share of questions whose own passage is among the evidence. Default: 0.8.
    pub gold: f64,
    /// How many other texts are. Default: 3.
    pub distractors: usize,
    /// What the others are learnt to answer. Default: that it is not in the documents.
    pub without: Without,
    /// How question and evidence become a prompt, as a project's `prompt.template`.
    /// Default: `cited`, and then the answer cites its passage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The project whose documents are searched for other texts, relative to the recipe.
    /// Default: none; the passages of other questions are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<PathBuf>,
}

impl Default for EvidenceRecipe {
    fn default() -> Self {
        Self {
            gold: 0.8,
            distractors: 3,
            without: Without::Abstain,
            template: None,
            project: None,
        }
    }
}

/// What is learnt where a question's passage is not among the evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Without {
    /// To say that it is not in the documents.
    #[default]
    Abstain,
    /// To know the answer, as in the paper.
    Answer,
}

/// What a model is examined on while it learns: `0.05`, `["dev.txt"]` or `false`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a share such as 0.05, a list of files, or `false`"
)]
pub enum Dev {
    /// A share of the training examples, which are then not learnt; from 0 to 0.9.
    Share(f64),
    /// Files of their own, relative to the recipe.
    Files(Vec<PathBuf>),
    /// `false`: nothing. Neither early stopping nor the best state can be had. `true` is the
    /// default share.
    Whether(bool),
}

impl Default for Dev {
    fn default() -> Self {
        Self::Share(0.05)
    }
}

/// What a model is to do well.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Objective {
    /// To go on with text, and to answer: texts are learnt whole, of prompts, questions and
    /// conversations the answers.
    Language {
        /// What a token that is not an answer's counts beside one that is, from 0 to 1.
        /// Default: 0, answers alone are learnt.
        #[serde(default)]
        prompt_weight: f64,
    },
    /// To tell which label a text has, or where the data gives lists of labels, which of
    /// them: an encoder with a head.
    Classify {},
    /// To tell of each word what it is part of: an encoder with a head.
    Tag {},
    /// To find the answer to a question in a passage, or that it is not there: an encoder
    /// with a head (Devlin et al. 2018, §4.3).
    Read {
        /// Tokens of a long passage that two of its windows have in common. Default: 128.
        #[serde(default = "one_hundred_and_twenty_eight")]
        overlap: usize,
        /// The most tokens of an answer. Default: 30.
        #[serde(default = "thirty")]
        longest_answer: usize,
    },
    /// To tell how well a passage answers a question that it is read with: an encoder with
    /// a head, a cross-encoder.
    Rerank {},
    /// To give texts that belong together vectors near one another: an encoder.
    Embed {
        /// What cosines are divided by. Default: 0.05.
        #[serde(default = "twentieth")]
        temperature: f64,
        /// How many passages that do not belong to a question are taken with it, where the
        /// data has them. Default: 1.
        #[serde(default = "one")]
        negatives: usize,
    },
    /// To prefer one answer to another (Rafailov et al. 2023).
    Dpo {
        /// How strongly it is held to what it was before. Default: 0.1.
        #[serde(default = "tenth")]
        beta: f64,
    },
    /// To prefer and to answer at once, without a reference (Hong, Lee and Thorne 2024).
    Orpo {
        /// How much the preference counts against the answer. Default: 0.1.
        #[serde(default = "tenth")]
        beta: f64,
    },
}

impl Default for Objective {
    fn default() -> Self {
        Self::Language { prompt_weight: 0.0 }
    }
}

/// Reads a [`Tuning`]; a key beside `kind = "full"` is an error, where the derived reading
/// would pass over it.
fn tuning<'de, D: Deserializer<'de>>(from: D) -> Result<Tuning, D::Error> {
    #[derive(Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    enum Written {
        Full {},
        Lora(Lora),
        Qlora(Lora),
        Adalora(AdaLora),
        Bottleneck(Bottleneck),
    }
    Ok(match Written::deserialize(from)? {
        Written::Full {} => Tuning::Full,
        Written::Lora(lora) => Tuning::Lora(lora),
        Written::Qlora(lora) => Tuning::QLora(lora),
        Written::Adalora(adalora) => Tuning::AdaLora(adalora),
        Written::Bottleneck(bottleneck) => Tuning::Bottleneck(bottleneck),
    })
}

/// How much is learnt, in which portions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Steps {
    /// How often all examples are learnt. Default: 3.
    pub epochs: f64,
    /// If set, how many steps are taken, whatever `epochs` says. Default: not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Examples that are computed at a time. Default: 4.
    pub batch: usize,
    /// Batches whose gradients are added up before a step. Default: 1.
    pub accumulation: usize,
    /// The most tokens of an example. Default: 512.
    pub length: usize,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            epochs: 3.0,
            limit: None,
            batch: 4,
            accumulation: 1,
            length: 512,
        }
    }
}

/// Epochs from which a model learns by heart, if there are not very many examples.
const MANY_EPOCHS: f64 = 20.0;

impl Steps {
    /// Returns whether examples are learnt so often that the model will know them by heart.
    pub fn are_many(&self) -> bool {
        self.limit.is_none() && self.epochs >= MANY_EPOCHS
    }

    /// Returns the examples of one step.
    pub fn examples(&self) -> usize {
        self.batch * self.accumulation
    }

    /// Returns how many steps a run over `examples` examples takes: one at least.
    pub fn count(&self, examples: usize) -> u64 {
        self.limit.unwrap_or_else(|| {
            let all = self.epochs * examples as f64 / self.examples() as f64;
            (all.ceil() as u64).max(1)
        })
    }
}

/// How a gradient becomes a change: AdamW (Loshchilov and Hutter 2019).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Optimiser {
    /// The learning rate at its highest. Default: 5e-5.
    pub learning_rate: f64,
    /// How much of a weight is forgotten in each step, times the rate. Norms and biases are
    /// not. Default: 0.
    pub weight_decay: f64,
    /// How long the mean gradient is remembered. Default: 0.9.
    pub beta1: f64,
    /// How long the mean square is remembered. Default: 0.999.
    pub beta2: f64,
    /// Keeps a division from being by nothing. Default: 1e-8.
    pub epsilon: f64,
    /// The longest gradient; longer ones are cut to it. 0 cuts none. Default: 1.
    pub clip: f64,
    /// In what the two means are held. Default: `f32`.
    pub states: States,
}

/// In what an optimiser's means are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum States {
    /// 8 bytes a weight.
    #[default]
    F32,
    /// About 2 bytes a weight, in blocks (Dettmers et al. 2021).
    Int8,
}

impl Default for Optimiser {
    fn default() -> Self {
        Self {
            learning_rate: 5e-5,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            clip: 1.0,
            states: States::F32,
        }
    }
}

/// What saves memory or time, or keeps a model from learning by heart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Technique {
    /// In what products are made. Default: `f32`.
    pub precision: Precision,
    /// Whether a layer's inside is computed again instead of kept. Default: no.
    pub checkpointing: bool,
    /// The share of numbers that a step leaves out. Default: 0.
    pub dropout: f32,
    /// Whether a batch's examples lie one behind the other, each taking the room of its tokens.
    /// Otherwise each is a row, filled up to the longest: as much is learnt, and more computed.
    /// Default: yes.
    pub packing: bool,
}

impl Default for Technique {
    fn default() -> Self {
        Self {
            precision: Precision::F32,
            checkpointing: false,
            dropout: 0.0,
            packing: true,
        }
    }
}

/// In what products are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 of 24 bits of each number, by processors that multiply tiles of bfloat16, in half
    /// the time; all is kept and added up in f32. Others compute as for `f32`.
    High,
    /// 16 bits with f32's range; weights stay in f32.
    Bf16,
}

/// When a model is examined, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluation {
    /// Every so many steps, and at the end. Default: 100.
    pub every: u64,
    /// If set, the run ends when so many examinations in a row brought nothing better.
    /// Default: not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// Whether the best state is what remains, instead of the last. Default: yes.
    pub keep_best: bool,
    /// What a sudden rise of the loss leads to. Default: it ends the run.
    pub spikes: Spikes,
}

/// What a sudden rise of the loss leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spikes {
    /// The run ends, with the batch and what to try.
    #[default]
    Stop,
    /// It is noted, and the run goes on.
    Note,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            every: 100,
            patience: None,
            keep_best: true,
            spikes: Spikes::Stop,
        }
    }
}

/// When a run is saved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoints {
    /// Every so many steps. Default: 500.
    pub every: u64,
    /// How many are kept, beside the best; at least 1. Default: 2.
    pub keep: usize,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self {
            every: 500,
            keep: 2,
        }
    }
}

fn six() -> usize {
    6
}

fn eight() -> usize {
    8
}

fn five_hundred_and_twelve() -> usize {
    512
}

fn eight_thousand() -> usize {
    8192
}

fn tenth() -> f64 {
    0.1
}

fn twentieth() -> f64 {
    0.05
}

fn one() -> usize {
    1
}

fn thirty() -> usize {
    30
}

fn one_hundred_and_twenty_eight() -> usize {
    128
}

impl Objective {
    /// Returns its name, as a recipe has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Language { .. } => "language",
            Self::Classify {} => "classify",
            Self::Tag {} => "tag",
            Self::Read { .. } => "read",
            Self::Rerank {} => "rerank",
            Self::Embed { .. } => "embed",
            Self::Dpo { .. } => "dpo",
            Self::Orpo { .. } => "orpo",
        }
    }

    /// Returns whether it is for an encoder, which is then saved whole.
    pub fn is_for_encoders(&self) -> bool {
        match self {
            Self::Language { .. } | Self::Dpo { .. } | Self::Orpo { .. } => false,
            Self::Classify {}
            | Self::Tag {}
            | Self::Read { .. }
            | Self::Rerank {}
            | Self::Embed { .. } => true,
        }
    }
}

impl Recipe {
    /// Looks for values that are of the right type and out of their range.
    ///
    /// # Errors
    /// At the first of them, with its key and what it may be.
    pub fn check(&self) -> Result<(), TrainError> {
        if !self.technique.packing && self.objective.is_for_encoders() {
            return Err(TrainError::AlwaysPacked {
                objective: self.objective.name(),
            });
        }
        let positive = |key, value: f64| {
            (!(value.is_finite() && value > 0.0)).then_some((key, value, "a number above 0"))
        };
        let at_least_one =
            |key, value: u64| (value == 0).then_some((key, 0.0, "a whole number from 1 on"));
        let not_negative = |key, value: f64| {
            (!(value.is_finite() && value >= 0.0)).then_some((key, value, "a number from 0 on"))
        };
        let below_one = |key, value: f64| {
            (!(0.0..1.0).contains(&value)).then_some((key, value, "a number from 0 to below 1"))
        };
        let fault = positive("steps.epochs", self.steps.epochs)
            .or(self
                .steps
                .limit
                .and_then(|it| at_least_one("steps.limit", it)))
            .or(at_least_one("steps.batch", self.steps.batch as u64))
            .or(at_least_one(
                "steps.accumulation",
                self.steps.accumulation as u64,
            ))
            .or((self.steps.length < 2).then_some((
                "steps.length",
                self.steps.length as f64,
                "a whole number from 2 on",
            )))
            .or(not_negative(
                "optimiser.learning_rate",
                self.optimiser.learning_rate,
            ))
            .or(not_negative(
                "optimiser.weight_decay",
                self.optimiser.weight_decay,
            ))
            .or(below_one("optimiser.beta1", self.optimiser.beta1))
            .or(below_one("optimiser.beta2", self.optimiser.beta2))
            .or(positive("optimiser.epsilon", self.optimiser.epsilon))
            .or(not_negative("optimiser.clip", self.optimiser.clip))
            .or(below_one(
                "technique.dropout",
                self.technique.dropout.into(),
            ))
            .or(at_least_one("evaluation.every", self.evaluation.every))
            .or(at_least_one("checkpoints.every", self.checkpoints.every))
            .or(at_least_one(
                "checkpoints.keep",
                self.checkpoints.keep as u64,
            ))
            .or(self.schedule.fault())
            .or(match &self.data.dev {
                Dev::Share(share) if !(0.0..=0.9).contains(share) => {
                    Some(("data.dev", *share, "a share from 0 to 0.9"))
                }
                _ => None,
            })
            .or(self.data.evidence.as_ref().and_then(|evidence| {
                (!(0.0..=1.0).contains(&evidence.gold)).then_some((
                    "data.evidence.gold",
                    evidence.gold,
                    "a share from 0 to 1",
                ))
            }))
            .or(match self.objective {
                Objective::Dpo { beta } | Objective::Orpo { beta } => {
                    positive("objective.beta", beta)
                }
                Objective::Read { longest_answer, .. } => {
                    at_least_one("objective.longest_answer", longest_answer as u64)
                }
                Objective::Embed { temperature, .. } => {
                    positive("objective.temperature", temperature)
                }
                Objective::Language { prompt_weight } => (!(0.0..=1.0).contains(&prompt_weight))
                    .then_some((
                        "objective.prompt_weight",
                        prompt_weight,
                        "a share from 0 to 1",
                    )),
                Objective::Classify {} | Objective::Tag {} | Objective::Rerank {} => None,
            })
            .or(match &self.tuning {
                Tuning::Full => None,
                Tuning::Lora(lora) | Tuning::QLora(lora) => {
                    at_least_one("tuning.rank", lora.rank as u64)
                        .or(positive("tuning.alpha", lora.alpha.into()))
                        .or(below_one("tuning.dropout", lora.dropout.into()))
                }
                Tuning::Bottleneck(it) => at_least_one("tuning.reduction", it.reduction as u64),
                Tuning::AdaLora(adalora) => at_least_one("tuning.rank", adalora.rank as u64)
                    .or((adalora.first_rank < adalora.rank).then_some((
                        "tuning.first_rank",
                        adalora.first_rank as f64,
                        "a whole number from `tuning.rank` on",
                    )))
                    .or(positive("tuning.alpha", adalora.alpha.into()))
                    .or(below_one("tuning.dropout", adalora.dropout.into()))
                    .or(at_least_one("tuning.every", adalora.every))
                    .or(not_negative(
                        "tuning.orthogonality",
                        adalora.orthogonality.into(),
                    )),
            });
        match fault {
            None => Ok(()),
            Some((key, found, expected)) => Err(TrainError::OutOfRange {
                key,
                found,
                expected,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[model]\nkind = \"base\"\npath = \"m\"\n[data]\ntrain = [\"a.txt\"]\n";

    fn recipe(more: &str) -> Result<Recipe, String> {
        toml::from_str(&format!("{LEAST}{more}")).map_err(|it| it.message().to_owned())
    }

    #[test]
    fn a_recipe_needs_only_a_model_and_data() {
        let recipe = recipe("").unwrap();
        assert_eq!(recipe.tuning, Tuning::Full);
        assert_eq!(recipe.steps.count(10), 8, "3 epochs of 10 in batches of 4");
        recipe.check().unwrap();
    }

    #[test]
    fn a_key_of_another_kind_is_an_error() {
        let error = recipe("[tuning]\nkind = \"full\"\nrank = 3\n").unwrap_err();
        assert!(error.contains("rank"), "{error}");
        let error = recipe("[tuning]\nkind = \"lora\"\nrnk = 3\n").unwrap_err();
        assert!(error.contains("`rnk`, expected one of `rank`"), "{error}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for more in [
            "",
            "[tuning]\nkind = \"qlora\"\nrank = 4\n[schedule]\nkind = \"wsd\"\n",
            "[tuning]\nkind = \"adalora\"\nrank = 4\nlast_steps = 7\n",
            "[tuning]\nkind = \"bottleneck\"\nstyle = \"houlsby\"\nreduction = 4\n",
            "[objective]\nkind = \"dpo\"\n[evaluation]\npatience = 3\n[steps]\nlimit = 7\n",
        ] {
            let recipe = recipe(more).unwrap();
            let text = toml::to_string(&recipe).unwrap();
            assert_eq!(toml::from_str::<Recipe>(&text).unwrap(), recipe, "{text}");
        }
    }

    #[test]
    fn an_encoders_texts_are_always_packed() {
        let error = |kind: &str| {
            let more = format!("[technique]\npacking = false\n[objective]\nkind = \"{kind}\"\n");
            recipe(&more)
                .unwrap()
                .check()
                .err()
                .map(|it| it.to_string())
        };
        assert_eq!(error("dpo"), None);
        let found = error("classify").unwrap();
        assert!(found.contains("`objective.kind = \"classify\"`"), "{found}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (more, expect) in [
            ("[steps]\nbatch = 0\n", "steps.batch"),
            ("[steps]\nlength = 1\n", "steps.length"),
            (
                "[optimiser]\nlearning_rate = nan\n",
                "optimiser.learning_rate",
            ),
            ("[optimiser]\nbeta2 = 1.0\n", "optimiser.beta2"),
            (
                "[schedule]\nkind = \"cosine\"\nfloor = 2.0\n",
                "schedule.floor",
            ),
            ("[tuning]\nkind = \"lora\"\nrank = 0\n", "tuning.rank"),
            (
                "[objective]\nkind = \"orpo\"\nbeta = 0.0\n",
                "objective.beta",
            ),
        ] {
            let error = recipe(more).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
