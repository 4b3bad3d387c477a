//! Decoders that are made from scratch: their description from a few sizes, and the
//! `config.json` that says the same to Hugging Face transformers.

use std::path::PathBuf;

use serde_json::{Value, json};
use tensor::{Activation, Pairs};

use super::config::{
    Architecture, AttentionConfig, Biases, Checks, DecoderConfig, Feed, Positions,
};
use super::rope::Rotary;
use crate::ModelError;

/// What rotations are computed from unless a file says otherwise (Su et al. 2021, §3.2.2).
const THETA: f64 = 10_000.0;

/// The sizes of a decoder that is made from scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `V`, tokens known.
    pub vocabulary: usize,
    /// The most tokens of one sequence.
    pub context: usize,
    /// `D`, a multiple of the heads.
    pub width: usize,
    /// How many layers.
    pub layers: usize,
    /// `H`, heads of queries.
    pub heads: usize,
    /// Heads of keys and values, which divide those of queries; GPT-2 has as many.
    pub key_heads: usize,
    /// `F`, width between the products of the feed-forward part.
    pub inner: usize,
}

impl DecoderConfig {
    /// Returns the description of a decoder of this shape with GPT-2's parts.
    ///
    /// # Errors
    /// If a size is 0 or far beyond any model, or heads do not divide what they share.
    pub fn gpt2(shape: Shape) -> Result<Self, ModelError> {
        let path = PathBuf::from("a model from scratch");
        let checks = Checks { path: &path };
        if shape.key_heads != shape.heads {
            let expected = "as many as heads of queries";
            return Err(checks.wrong("key_heads", expected, &shape.key_heads));
        }
        let head_width = shape.check(&checks)?;
        Ok(Self {
            architecture: Architecture::Gpt2,
            epsilon: 1e-5,
            positions: Positions::Learned,
            feed: Feed::Plain(Activation::GeluTanh),
            biases: Biases {
                query_key_value: true,
                attention_out: true,
                feed: true,
            },
            ..shape.config(path, head_width)
        })
    }

    /// Returns the description of a decoder of this shape with Llama's parts, its head the
    /// embedding table.
    ///
    /// # Errors
    /// As [`DecoderConfig::gpt2`]; also if a head's width is odd.
    pub fn llama(shape: Shape) -> Result<Self, ModelError> {
        let path = PathBuf::from("a model from scratch");
        let checks = Checks { path: &path };
        let head_width = shape.check(&checks)?;
        if !head_width.is_multiple_of(2) {
            return Err(checks.wrong("width", "an even number for each head", &shape.width));
        }
        Ok(shape.config(path, head_width))
    }

    /// Returns the `config.json` that describes it to transformers.
    pub(crate) fn hugging_face(&self) -> Value {
        if self.architecture == Architecture::Gpt2 {
            return json!({
                "architectures": ["GPT2LMHeadModel"],
                "model_type": "gpt2",
                "activation_function": "gelu_new",
                "dtype": "float32",
                "layer_norm_epsilon": self.epsilon,
                "n_embd": self.width,
                "n_head": self.heads,
                "n_inner": self.inner,
                "n_layer": self.layers(),
                "n_positions": self.context,
                "tie_word_embeddings": self.tied,
                "vocab_size": self.vocabulary,
                "bos_token_id": null,
                "eos_token_id": null,
            });
        }
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "attention_bias": false,
            "dtype": "float32",
            "head_dim": self.head_width,
            "hidden_act": "silu",
            "hidden_size": self.width,
            "intermediate_size": self.inner,
            "max_position_embeddings": self.context,
            "mlp_bias": false,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers(),
            "num_key_value_heads": self.key_heads,
            "rms_norm_eps": self.epsilon,
            "rope_parameters": {"rope_theta": THETA, "rope_type": "default"},
            "tie_word_embeddings": self.tied,
            "vocab_size": self.vocabulary,
            "bos_token_id": null,
            "eos_token_id": null,
        })
    }
}

impl Shape {
    /// Returns the width of a head.
    fn check(&self, checks: &Checks<'_>) -> Result<usize, ModelError> {
        checks.layers("layers", self.layers)?;
        checks.sizes([
            ("vocabulary", self.vocabulary),
            ("context", self.context),
            ("width", self.width),
            ("heads", self.heads),
            ("key_heads", self.key_heads),
            ("inner", self.inner),
        ])?;
        checks.share("heads", self.heads, self.key_heads, "heads of keys")?;
        checks.share("width", self.width, self.heads, "heads")
    }

    /// Returns what is the same of all, with Llama's parts.
    fn config(&self, path: PathBuf, head_width: usize) -> DecoderConfig {
        let width = head_width as f64;
        let frequencies = (0..head_width / 2)
            .map(|pair| THETA.powf(-2.0 * pair as f64 / width) as f32)
            .collect();
        DecoderConfig {
            path,
            architecture: Architecture::Llama,
            vocabulary: self.vocabulary,
            context: self.context,
            width: self.width,
            heads: self.heads,
            key_heads: self.key_heads,
            head_width,
            inner: self.inner,
            epsilon: 1e-5,
            positions: Positions::Rotary(Rotary {
                pairs: Pairs::Halves,
                frequencies,
                factor: 1.0,
            }),
            feed: Feed::Gated,
            attention: vec![
                AttentionConfig {
                    scale: (head_width as f32).sqrt().recip(),
                    window: None,
                };
                self.layers
            ],
            biases: Biases::default(),
            head_norms: false,
            tied: true,
        }
    }
}
