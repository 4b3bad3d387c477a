//! Training: a model's forward with memory, and its backward.
//!
//! No tape: each layer says what it keeps and how its gradients follow, and everything is
//! planned once, from the largest batch, before the first step. The numbers that are
//! trained lie in one arena ([`Parameters`]); frozen ones stay where they lie in their
//! file. A batch is sequences one behind the other, without padding, and attention never
//! crosses from one into the next.
//!
//! Gradients are added: a batch in two parts is two calls. Nothing here depends on which
//! thread does what, so the same step always gives the same numbers.

mod decoder;
mod encoder;
mod heads;
mod linear;
mod lookup;
mod low_rank;
mod parameters;
mod rank_budget;
mod start;
mod tuning;

pub use decoder::DecoderTraining;
pub use encoder::EncoderTraining;
pub use heads::{HeadTargets, Task};
pub use parameters::{Parameter, Parameters};
pub use rank_budget::RankBudget;
pub use tensor::Precision;
pub use tensor::training::{IGNORE, NF4};
pub(crate) use tuning::LowRankTuning;
pub use tuning::{
    AdaLora, Bottleneck, BottleneckActivation, BottleneckStyle, Lora, LoraScale, Targets, Tuning,
};

pub(crate) use parameters::ParameterTable;

use crate::ModelError;

/// How a model is trained, whatever of it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingOptions {
    /// The most tokens of one batch: all memory is planned for so many.
    pub tokens: usize,
    /// The kind of products, and of what is kept for the backward.
    pub precision: Precision,
    /// What is kept for the backward.
    pub checkpointing: Checkpointing,
    /// What is left out at random while training.
    pub dropout: DropoutShares,
}

impl TrainingOptions {
    /// Refuses what can not be.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        if !(1..=1 << 24).contains(&self.tokens) {
            return Err(ModelError::TrainingSetting {
                setting: "tokens",
                expected: "a number from 1 to 16777216",
                found: self.tokens.to_string(),
            });
        }
        tuning::check_share("embedding", self.dropout.embedding)?;
        tuning::check_share("residual", self.dropout.residual)?;
        tuning::check_share("attention", self.dropout.attention)
    }
}

/// What is kept of a forward for its backward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checkpointing {
    /// All that is dear to compute again.
    #[default]
    None,
    /// What goes into each layer; the rest is computed again (Chen et al. 2016,
    /// arXiv:1604.06174).
    EachLayer,
}

/// The shares of numbers that are left out at random while training, each 0 to less than
/// 1 (Srivastava et al. 2014).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DropoutShares {
    /// Of what goes into the first layer.
    pub embedding: f32,
    /// Of what each part of a layer adds.
    pub residual: f32,
    /// Of the attention that a token pays to another.
    pub attention: f32,
}

/// Sequences one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Sequences<'a> {
    /// `(T)`
    pub ids: &'a [u32],
    /// How many tokens each sequence has, none of them 0; the sum is `T`.
    pub lengths: &'a [usize],
}

/// What a forward is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// A backward follows. What is left out at random follows from `seed`, which is
    /// therefore another for every batch of a run.
    Train {
        /// Of this batch alone.
        seed: u64,
    },
    /// Nothing is left out, and no backward follows.
    Evaluate,
    /// The same without what an adapter adds: the model that training began with.
    WithoutAdapter,
}

/// Bytes of memory that training takes, but for the optimiser's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Numbers that are trained.
    pub weights: usize,
    /// Their gradients.
    pub gradients: usize,
    /// Numbers that are not trained, where they lie, or packed.
    pub frozen: usize,
    /// What packing those would take beside, which is not in the sum.
    pub packed: usize,
    /// What a forward keeps for its backward.
    pub activations: usize,
    /// What is used within one layer, for the head and within one product.
    pub scratch: usize,
}

impl MemoryPlan {
    /// Returns the sum.
    pub fn total(&self) -> usize {
        self.weights + self.gradients + self.frozen + self.activations + self.scratch
    }
}
