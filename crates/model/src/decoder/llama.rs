//! The Llama family, after `LlamaForCausalLM` and its descendants in Hugging Face
//! transformers: RMS norms before each part, rotated queries and keys, grouped heads,
//! a gated feed-forward part.
//!
//! Mistral adds a sliding window, Qwen2 biases of queries, keys and values, Qwen3 norms
//! of queries and keys. GGUF files of the architecture `llama` keep the rows of queries
//! and keys in another order, so that the pairs that are rotated lie side by side.

use serde::Deserialize;
use tensor::{Layout, Pairs};

use super::config::{
    Architecture, AttentionConfig, Biases, Checks, DecoderConfig, Feed, Positions,
};
use super::names::{self, Names};
use super::rope::{Rotary, Scaling};
use crate::ModelError;
use crate::gguf::Gguf;

/// What the tensors are called in safetensors.
pub(super) const HUGGING_FACE: Names = Names {
    prefixes: &["model.", ""],
    layout: Layout::Rows,
    embedding: "embed_tokens",
    positions: None,
    final_norm: "norm",
    head: "lm_head",
    attention_norm: "layers.{}.input_layernorm",
    query_key_value: &[
        "layers.{}.self_attn.q_proj",
        "layers.{}.self_attn.k_proj",
        "layers.{}.self_attn.v_proj",
    ],
    head_norms: Some(["layers.{}.self_attn.q_norm", "layers.{}.self_attn.k_norm"]),
    attention_out: "layers.{}.self_attn.o_proj",
    feed_norm: "layers.{}.post_attention_layernorm",
    gate: Some("layers.{}.mlp.gate_proj"),
    up: "layers.{}.mlp.up_proj",
    down: "layers.{}.mlp.down_proj",
};

/// What they are called in GGUF.
pub(super) const GGUF: Names = Names {
    prefixes: &[""],
    layout: Layout::Rows,
    embedding: "token_embd",
    positions: None,
    final_norm: "output_norm",
    head: "output",
    attention_norm: "blk.{}.attn_norm",
    query_key_value: &["blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"],
    head_norms: Some(["blk.{}.attn_q_norm", "blk.{}.attn_k_norm"]),
    attention_out: "blk.{}.attn_output",
    feed_norm: "blk.{}.ffn_norm",
    gate: Some("blk.{}.ffn_gate"),
    up: "blk.{}.ffn_up",
    down: "blk.{}.ffn_down",
};

/// What GGUF files of the architecture `llama` divide frequencies by, if they have it.
pub(super) const FREQUENCY_FACTORS: &str = "rope_freqs.weight";

/// `config.json`, as far as it is used here.
#[derive(Deserialize)]
pub(super) struct Written {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<String>,
    max_position_embeddings: usize,
    rms_norm_eps: Option<f32>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    rope_theta: Option<f32>,
    rope_scaling: Option<Scaling>,
    rope_parameters: Option<Scaling>,
    partial_rotary_factor: Option<f32>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
}

impl Written {
    /// Returns the shape that `config.json` describes.
    pub(super) fn config(
        mut self,
        architecture: Architecture,
        checks: &Checks<'_>,
    ) -> Result<DecoderConfig, ModelError> {
        match self.hidden_act.as_deref().unwrap_or("silu") {
            "silu" | "swish" => {}
            other => return Err(checks.wrong("hidden_act", "`silu`", &other)),
        }
        let heads = self.num_attention_heads;
        let key_heads = self.num_key_value_heads.unwrap_or(heads);
        checks.layers("num_hidden_layers", self.num_hidden_layers)?;
        checks.sizes([
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_attention_heads", heads),
            ("num_key_value_heads", key_heads),
            ("max_position_embeddings", self.max_position_embeddings),
            ("head_dim", self.head_dim.unwrap_or(1)),
        ])?;
        checks.share("num_attention_heads", heads, key_heads, "heads of keys")?;
        let head_width = match (self.head_dim, architecture) {
            (Some(width), _) => width,
            // What transformers takes if it is not written.
            (None, Architecture::Qwen3) => 128,
            (None, _) => checks.share("hidden_size", self.hidden_size, heads, "heads")?,
        };
        let mut scaling = self
            .rope_scaling
            .take()
            .or(self.rope_parameters.take())
            .unwrap_or_default();
        scaling.partial_rotary_factor =
            scaling.partial_rotary_factor.or(self.partial_rotary_factor);
        let theta = scaling.rope_theta.or(self.rope_theta).unwrap_or(10_000.0);
        let (frequencies, factor) =
            scaling.frequencies(checks, theta, head_width, self.max_position_embeddings)?;
        let scale = (head_width as f32).sqrt().recip();
        let attention = (0..self.num_hidden_layers)
            .map(|layer| {
                Ok(AttentionConfig {
                    scale,
                    window: self.window(architecture, layer, checks)?,
                })
            })
            .collect::<Result<_, ModelError>>()?;
        let bias = self.attention_bias.unwrap_or(false);
        Ok(DecoderConfig {
            path: checks.path.to_path_buf(),
            architecture,
            vocabulary: self.vocab_size,
            context: self.max_position_embeddings,
            width: self.hidden_size,
            heads,
            key_heads,
            head_width,
            inner: self.intermediate_size,
            epsilon: self.rms_norm_eps.unwrap_or(1e-6),
            positions: Positions::Rotary(Rotary {
                pairs: Pairs::Halves,
                frequencies,
                factor,
            }),
            feed: Feed::Gated,
            attention,
            biases: match architecture {
                Architecture::Mistral => Biases::default(),
                Architecture::Qwen2 => Biases {
                    query_key_value: true,
                    ..Biases::default()
                },
                _ => Biases {
                    query_key_value: bias,
                    attention_out: bias,
                    feed: self.mlp_bias.unwrap_or(false),
                },
            },
            head_norms: architecture == Architecture::Qwen3,
            tied: self.tie_word_embeddings.unwrap_or(false),
        })
    }

    /// Returns how many tokens a token sees in `layer`.
    fn window(
        &self,
        architecture: Architecture,
        layer: usize,
        checks: &Checks<'_>,
    ) -> Result<Option<usize>, ModelError> {
        let slides = match architecture {
            Architecture::Mistral => true,
            Architecture::Qwen2 | Architecture::Qwen3 => {
                match self.layer_types.as_ref().map(|kinds| kinds.get(layer)) {
                    None => layer >= self.max_window_layers.unwrap_or(28),
                    Some(Some(kind)) if kind == "sliding_attention" => true,
                    Some(Some(kind)) if kind == "full_attention" => false,
                    Some(other) => {
                        let found = other.map_or("missing for a layer", |kind| kind);
                        let known = "`full_attention` or `sliding_attention`";
                        return Err(checks.wrong("layer_types", known, &found));
                    }
                }
            }
            _ => false,
        };
        let used = match architecture {
            Architecture::Mistral => true,
            _ => self.use_sliding_window.unwrap_or(false),
        };
        match self.sliding_window.filter(|_| slides && used) {
            Some(0) => Err(checks.wrong("sliding_window", "a number above 0", &0)),
            window => Ok(window),
        }
    }
}

/// Returns the shape that a GGUF file's metadata describe.
pub(super) fn of_gguf(gguf: &Gguf, written: &str) -> Result<DecoderConfig, ModelError> {
    let checks = Checks { path: gguf.path() };
    let key = |key: &str| format!("{written}.{key}");
    let needed = |key: &str| names::needed(gguf, written, key);
    let architecture = match written {
        "qwen2" => Architecture::Qwen2,
        "qwen3" => Architecture::Qwen3,
        _ => Architecture::Llama,
    };
    let (width, heads) = (needed("embedding_length")?, needed("attention.head_count")?);
    let key_heads = names::size(gguf, &key("attention.head_count_kv"))?.unwrap_or(heads);
    let (context, inner) = (needed("context_length")?, needed("feed_forward_length")?);
    let layers = needed("block_count")?;
    checks.layers("block_count", layers)?;
    checks.sizes([
        ("embedding_length", width),
        ("feed_forward_length", inner),
        ("attention.head_count", heads),
        ("attention.head_count_kv", key_heads),
        ("context_length", context),
    ])?;
    checks.share("attention.head_count", heads, key_heads, "heads of keys")?;
    let head_width = match names::size(gguf, &key("attention.key_length"))? {
        Some(width) => width,
        None => checks.share("embedding_length", width, heads, "heads")?,
    };
    checks.sizes([("attention.key_length", head_width)])?;
    for (name, expected) in [
        ("attention.value_length", head_width),
        ("rope.dimension_count", head_width),
    ] {
        if let Some(found) = names::size(gguf, &key(name))?
            && found != expected
        {
            return Err(ModelError::Gguf {
                path: gguf.path().to_path_buf(),
                what: key(name),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }
    if names::size(gguf, &key("expert_count"))?.unwrap_or(0) > 0 {
        return Err(ModelError::Gguf {
            path: gguf.path().to_path_buf(),
            what: key("expert_count"),
            expected: "a model without experts".into(),
            found: "a mixture of them".into(),
        });
    }
    let number =
        |name: &str| Ok::<_, ModelError>(gguf.number(&key(name))?.map(|number| number as f32));
    // The oldest files know only linear scaling, under a name of its own.
    let linear = number("rope.scale_linear")?;
    let or = if linear.is_some() { "linear" } else { "none" };
    let kind = gguf.text(&key("rope.scaling.type"))?.unwrap_or(or);
    let mut scaling = Scaling::of(kind);
    scaling.factor = number("rope.scaling.factor")?.or(linear);
    scaling.original_max_position_embeddings =
        names::size(gguf, &key("rope.scaling.original_context_length"))?;
    let theta = number("rope.freq_base")?.unwrap_or(10_000.0);
    let (mut frequencies, mut factor) = scaling.frequencies(&checks, theta, head_width, context)?;
    // llama.cpp takes this as a factor on what YaRN gives.
    factor *= number("rope.scaling.attn_factor")?.unwrap_or(1.0);
    if let Some(tensor) = gguf.tensor(FREQUENCY_FACTORS) {
        let divisors: Vec<f32> = gguf
            .bytes(tensor)
            .as_chunks()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four))
            .collect();
        if divisors.len() != frequencies.len() {
            return Err(ModelError::TensorShape {
                path: gguf.path().to_path_buf(),
                tensor: FREQUENCY_FACTORS.into(),
                expected: vec![frequencies.len()],
                found: tensor.shape.clone(),
            });
        }
        for (frequency, divisor) in frequencies.iter_mut().zip(divisors) {
            *frequency /= divisor;
        }
    }
    let has = |part: &str| {
        let name = format!("{}.bias", names::in_layer(part, 0));
        gguf.tensor(&name).is_some()
    };
    Ok(DecoderConfig {
        path: gguf.path().to_path_buf(),
        architecture,
        vocabulary: names::vocabulary(gguf, &GGUF)?,
        context,
        width,
        heads,
        key_heads,
        head_width,
        inner,
        epsilon: number("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-5),
        positions: Positions::Rotary(Rotary {
            pairs: if architecture == Architecture::Llama {
                Pairs::Neighbours
            } else {
                Pairs::Halves
            },
            frequencies,
            factor,
        }),
        feed: Feed::Gated,
        attention: vec![
            AttentionConfig {
                scale: (head_width as f32).sqrt().recip(),
                window: names::size(gguf, &key("attention.sliding_window"))?
                    .filter(|window| *window > 0),
            };
            layers
        ],
        biases: Biases {
            query_key_value: has(GGUF.query_key_value[0]),
            attention_out: has(GGUF.attention_out),
            feed: has(GGUF.up),
        },
        head_norms: architecture == Architecture::Qwen3,
        tied: gguf.tensor("output.weight").is_none(),
    })
}
