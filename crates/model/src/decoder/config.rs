//! What a decoder is made of, whichever file says so.
//!
//! The architectures (`gpt2.rs`, `llama.rs`) read their own `config.json` or GGUF
//! metadata into this one description; everything after them knows only it.

use std::path::{Path, PathBuf};

use tensor::Activation;

use super::rope::Rotary;
use crate::ModelError;

/// The architectures that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// GPT-2 (Radford et al. 2019).
    Gpt2,
    /// Llama 1 to 3 (Touvron et al. 2023), and what only has other weights: SmolLM2,
    /// TinyLlama, Vicuna, DeepSeek-LLM, Yi.
    Llama,
    /// Mistral 7B (Jiang et al. 2023): Llama with a sliding window.
    Mistral,
    /// Qwen2 and 2.5 (Yang et al. 2024): Llama with biases of queries, keys and values.
    Qwen2,
    /// Qwen3 (Yang et al. 2025): Llama with norms of queries and keys.
    Qwen3,
}

/// The shape of a decoder.
#[derive(Clone, Debug)]
pub struct DecoderConfig {
    /// Where it is written.
    pub path: PathBuf,
    /// Which tensors it has.
    pub architecture: Architecture,
    /// `V`, tokens known.
    pub vocabulary: usize,
    /// The most tokens of one sequence.
    pub context: usize,
    /// `D`
    pub width: usize,
    /// `H`, heads of queries.
    pub heads: usize,
    /// Heads of keys and values, each shared by `heads / key_heads` heads of queries
    /// (Ainslie et al. 2023, arXiv:2305.13245).
    pub key_heads: usize,
    /// `W`, width of one head.
    pub head_width: usize,
    /// `F`, width between the products of the feed-forward part.
    pub inner: usize,
    /// Of all norms.
    pub epsilon: f32,
    /// How a token knows where it is.
    pub positions: Positions,
    /// The feed-forward part.
    pub feed: Feed,
    /// What is particular to each layer's attention; as many as there are layers.
    pub attention: Vec<AttentionConfig>,
    /// Which linear parts of a layer have a bias.
    pub biases: Biases,
    /// Whether each head of queries and keys is normalised.
    pub head_norms: bool,
    /// Whether the head is the embedding table.
    pub tied: bool,
}

/// How a token knows where it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Positions {
    /// A learned vector for each place, added to the token's.
    Learned,
    /// Queries and keys are rotated.
    Rotary(Rotary),
}

/// The two kinds of feed-forward part, which come each with their norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// `down(activation(up(x)))`, between layer norms.
    Plain(Activation),
    /// `down(silu(gate(x)) · up(x))` (Shazeer 2020, arXiv:2002.05202), between RMS norms.
    Gated,
}

/// One layer's attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionConfig {
    /// Times query · key, before the softmax.
    pub scale: f32,
    /// How many tokens a token sees, itself included; nothing means all before it.
    pub window: Option<usize>,
}

/// Which linear parts of a layer have a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases {
    /// Queries, keys and values.
    pub query_key_value: bool,
    /// What comes out of attention.
    pub attention_out: bool,
    /// The feed-forward part.
    pub feed: bool,
}

impl DecoderConfig {
    /// Returns the shape of the decoder at `path`: a Hugging Face folder or a GGUF file.
    ///
    /// # Errors
    /// If its files are missing, damaged or not known here.
    pub fn at(path: &Path) -> Result<Self, ModelError> {
        Ok(super::files(path)?.0)
    }

    /// Returns how many layers it has.
    pub fn layers(&self) -> usize {
        self.attention.len()
    }

    /// Returns the width of all queries together.
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head_width
    }

    /// Returns the width of all keys together.
    pub(crate) fn key_width(&self) -> usize {
        self.key_heads * self.head_width
    }
}

/// What a file may say of itself: refuses what no model has before anything is made of
/// it, and keeps the products of sizes within range.
pub(super) struct Checks<'a> {
    pub(super) path: &'a Path,
}

impl Checks<'_> {
    pub(super) fn wrong(
        &self,
        key: &'static str,
        expected: &str,
        found: &dyn std::fmt::Display,
    ) -> ModelError {
        ModelError::Setting {
            path: self.path.to_path_buf(),
            key,
            expected: expected.into(),
            found: format!("`{found}`"),
        }
    }

    /// Refuses 0 and what is far beyond any model.
    pub(super) fn sizes<const N: usize>(
        &self,
        sizes: [(&'static str, usize); N],
    ) -> Result<(), ModelError> {
        for (key, number) in sizes {
            if !(1..=1 << 24).contains(&number) {
                return Err(self.wrong(key, "a number from 1 to 16777216", &number));
            }
        }
        Ok(())
    }

    /// Refuses more layers than any model has.
    pub(super) fn layers(&self, key: &'static str, layers: usize) -> Result<(), ModelError> {
        if !(1..=4096).contains(&layers) {
            return Err(self.wrong(key, "a number from 1 to 4096", &layers));
        }
        Ok(())
    }

    /// Returns `whole / parts`, which must come out even.
    pub(super) fn share(
        &self,
        key: &'static str,
        whole: usize,
        parts: usize,
        what: &str,
    ) -> Result<usize, ModelError> {
        if !whole.is_multiple_of(parts) {
            return Err(self.wrong(key, &format!("a multiple of {parts} {what}"), &whole));
        }
        Ok(whole / parts)
    }
}
