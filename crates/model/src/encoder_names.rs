//! What an encoder's tensors are called: one table for safetensors, one for GGUF.

use crate::weights::Weights;

/// The names of an encoder's parts; `{}` is the number of the layer. A linear part has
/// `.weight` and `.bias`; so has a norm, whose oldest files say `.gamma` and `.beta`.
#[derive(Debug)]
pub(crate) struct Names {
    /// What may stand before all names but the head's.
    pub(crate) prefixes: &'static [&'static str],
    /// `(V, D)`
    pub(crate) words: &'static str,
    /// `(positions, D)`
    pub(crate) positions: &'static str,
    /// `(segments, D)`
    pub(crate) segments: &'static str,
    pub(crate) first_norm: &'static str,
    /// Each `D → D`.
    pub(crate) query_key_value: [&'static str; 3],
    /// `D → D`
    pub(crate) attention_out: &'static str,
    pub(crate) attention_norm: &'static str,
    /// `D → F`
    pub(crate) up: &'static str,
    /// `F → D`
    pub(crate) down: &'static str,
    pub(crate) down_norm: &'static str,
    /// The two linear parts of a classifier of whole texts, `D → D` and `D → L`, where
    /// they are called the same in every family.
    pub(crate) classifier: Option<[&'static str; 2]>,
}

/// Of transformers' `BertModel` and `RobertaModel`.
pub(crate) static HUGGING_FACE: Names = Names {
    prefixes: &["", "bert.", "roberta."],
    words: "embeddings.word_embeddings.weight",
    positions: "embeddings.position_embeddings.weight",
    segments: "embeddings.token_type_embeddings.weight",
    first_norm: "embeddings.LayerNorm",
    query_key_value: [
        "encoder.layer.{}.attention.self.query",
        "encoder.layer.{}.attention.self.key",
        "encoder.layer.{}.attention.self.value",
    ],
    attention_out: "encoder.layer.{}.attention.output.dense",
    attention_norm: "encoder.layer.{}.attention.output.LayerNorm",
    up: "encoder.layer.{}.intermediate.dense",
    down: "encoder.layer.{}.output.dense",
    down_norm: "encoder.layer.{}.output.LayerNorm",
    classifier: None,
};

/// Of the architecture `bert` in llama.cpp (`gguf-py/gguf/constants.py`, `TENSOR_NAMES`).
pub(crate) static GGUF: Names = Names {
    prefixes: &[""],
    words: "token_embd.weight",
    positions: "position_embd.weight",
    segments: "token_types.weight",
    first_norm: "token_embd_norm",
    query_key_value: ["blk.{}.attn_q", "blk.{}.attn_k", "blk.{}.attn_v"],
    attention_out: "blk.{}.attn_output",
    attention_norm: "blk.{}.attn_output_norm",
    up: "blk.{}.ffn_up",
    down: "blk.{}.ffn_down",
    down_norm: "blk.{}.layer_output_norm",
    classifier: Some(["cls", "cls.output"]),
};

impl Names {
    /// Returns what stands before the names in `weights`.
    pub(crate) fn prefix(&self, weights: &Weights) -> &'static str {
        self.prefixes
            .iter()
            .copied()
            .find(|prefix| weights.contains(&format!("{prefix}{}", self.words)))
            .unwrap_or_default()
    }
}
