//! GPT-2 (Radford et al. 2019), after `GPT2LMHeadModel` of Hugging Face transformers.
//!
//! Learned positions, layer norms before each part, one product for queries, keys and
//! values, GELU. Its linear parts lie transposed in safetensors (`Conv1D`), and as
//! everybody else's in GGUF.

use serde::Deserialize;
use tensor::{Activation, Layout};

use super::config::{
    Architecture, AttentionConfig, Biases, Checks, DecoderConfig, Feed, Positions,
};
use super::names::Names;
use crate::ModelError;
use crate::gguf::Gguf;

/// What the tensors are called in safetensors.
pub(super) const HUGGING_FACE: Names = Names {
    prefixes: &["transformer.", ""],
    layout: Layout::Columns,
    embedding: "wte",
    positions: Some("wpe"),
    final_norm: "ln_f",
    head: "lm_head",
    attention_norm: "h.{}.ln_1",
    query_key_value: &["h.{}.attn.c_attn"],
    head_norms: None,
    attention_out: "h.{}.attn.c_proj",
    feed_norm: "h.{}.ln_2",
    gate: None,
    up: "h.{}.mlp.c_fc",
    down: "h.{}.mlp.c_proj",
};

/// What they are called in GGUF.
pub(super) const GGUF: Names = Names {
    prefixes: &[""],
    layout: Layout::Rows,
    embedding: "token_embd",
    positions: Some("position_embd"),
    final_norm: "output_norm",
    head: "output",
    attention_norm: "blk.{}.attn_norm",
    query_key_value: &["blk.{}.attn_qkv"],
    head_norms: None,
    attention_out: "blk.{}.attn_output",
    feed_norm: "blk.{}.ffn_norm",
    gate: None,
    up: "blk.{}.ffn_up",
    down: "blk.{}.ffn_down",
};

/// `config.json`, as far as it is used here.
#[derive(Deserialize)]
pub(super) struct Written {
    vocab_size: usize,
    n_positions: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_inner: Option<usize>,
    activation_function: Option<String>,
    layer_norm_epsilon: Option<f32>,
    scale_attn_weights: Option<bool>,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default)]
    add_cross_attention: bool,
    tie_word_embeddings: Option<bool>,
}

impl Written {
    /// Returns the shape that `config.json` describes.
    pub(super) fn config(self, checks: &Checks<'_>) -> Result<DecoderConfig, ModelError> {
        let activation = match self.activation_function.as_deref().unwrap_or("gelu_new") {
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluTanh,
            "gelu" => Activation::Gelu,
            "relu" => Activation::Relu,
            other => {
                let known = "`gelu`, `gelu_new`, `gelu_pytorch_tanh`, `gelu_fast` or `relu`";
                return Err(checks.wrong("activation_function", known, &other));
            }
        };
        if self.add_cross_attention {
            return Err(checks.wrong("add_cross_attention", "`false`", &true));
        }
        checks.layers("n_layer", self.n_layer)?;
        checks.sizes([
            ("vocab_size", self.vocab_size),
            ("n_positions", self.n_positions),
            ("n_embd", self.n_embd),
            ("n_head", self.n_head),
            ("n_inner", self.n_inner.unwrap_or(1)),
        ])?;
        let head_width = checks.share("n_embd", self.n_embd, self.n_head, "heads")?;
        let scale = match self.scale_attn_weights {
            Some(false) => 1.0,
            _ => (head_width as f32).sqrt().recip(),
        };
        Ok(DecoderConfig {
            path: checks.path.to_path_buf(),
            architecture: Architecture::Gpt2,
            vocabulary: self.vocab_size,
            context: self.n_positions,
            width: self.n_embd,
            heads: self.n_head,
            key_heads: self.n_head,
            head_width,
            inner: self.n_inner.unwrap_or(4 * self.n_embd),
            epsilon: self.layer_norm_epsilon.unwrap_or(1e-5),
            positions: Positions::Learned,
            feed: Feed::Plain(activation),
            attention: (0..self.n_layer)
                .map(|layer| AttentionConfig {
                    scale: if self.scale_attn_by_inverse_layer_idx {
                        scale / (layer + 1) as f32
                    } else {
                        scale
                    },
                    window: None,
                })
                .collect(),
            biases: BIASES,
            head_norms: false,
            tied: self.tie_word_embeddings.unwrap_or(true),
        })
    }
}

const BIASES: Biases = Biases {
    query_key_value: true,
    attention_out: true,
    feed: true,
};

/// Returns the shape that a GGUF file's metadata describe.
pub(super) fn of_gguf(gguf: &Gguf) -> Result<DecoderConfig, ModelError> {
    let checks = Checks { path: gguf.path() };
    let needed = |key: &str| super::names::needed(gguf, "gpt2", key);
    let (width, heads) = (needed("embedding_length")?, needed("attention.head_count")?);
    let (context, inner) = (needed("context_length")?, needed("feed_forward_length")?);
    let layers = needed("block_count")?;
    checks.layers("gpt2.block_count", layers)?;
    checks.sizes([
        ("gpt2.embedding_length", width),
        ("gpt2.attention.head_count", heads),
        ("gpt2.context_length", context),
        ("gpt2.feed_forward_length", inner),
    ])?;
    let head_width = checks.share("gpt2.embedding_length", width, heads, "heads")?;
    Ok(DecoderConfig {
        path: gguf.path().to_path_buf(),
        architecture: Architecture::Gpt2,
        vocabulary: super::names::vocabulary(gguf, &GGUF)?,
        context,
        width,
        heads,
        key_heads: heads,
        head_width,
        inner,
        epsilon: gguf
            .number("gpt2.attention.layer_norm_epsilon")?
            .unwrap_or(1e-5) as f32,
        positions: Positions::Learned,
        feed: Feed::Plain(Activation::GeluTanh),
        attention: vec![
            AttentionConfig {
                scale: (head_width as f32).sqrt().recip(),
                window: None,
            };
            layers
        ],
        biases: BIASES,
        head_norms: false,
        tied: gguf.tensor("output.weight").is_none(),
    })
}
