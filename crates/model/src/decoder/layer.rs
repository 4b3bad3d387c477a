//! A decoder's layers, as they are found in the weights: matrices where they lie, norms
//! and biases in memory.

use tensor::{Activation, LayerNorm, Layout, RmsNorm};

use super::config::{DecoderConfig, Feed};
use super::names::{Names, in_layer};
use crate::ModelError;
use crate::weights::{Matrix, Weights};

/// `x · Wᵀ + bias`.
#[derive(Debug)]
pub(super) struct Linear {
    pub(super) weight: Matrix,
    /// `(N)`
    pub(super) bias: Option<Vec<f32>>,
}

/// The norm before a part.
#[derive(Debug)]
pub(super) enum Norm {
    Layer(LayerNorm),
    Rms(RmsNorm),
}

/// Queries, keys and values.
#[derive(Debug)]
pub(super) enum QueryKeyValue {
    /// `D → 3 D`
    Together(Linear),
    /// `D → H W`, `D → keys' W` twice.
    Apart([Linear; 3]),
}

/// The feed-forward part.
#[derive(Debug)]
pub(super) enum FeedForward {
    Plain {
        up: Linear,
        activation: Activation,
        down: Linear,
    },
    Gated {
        gate: Linear,
        up: Linear,
        down: Linear,
    },
}

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) attention_norm: Norm,
    pub(super) query_key_value: QueryKeyValue,
    /// Of one head's queries, and of its keys.
    pub(super) head_norms: Option<[RmsNorm; 2]>,
    /// `H W → D`
    pub(super) attention_out: Linear,
    pub(super) feed_norm: Norm,
    pub(super) feed: FeedForward,
}

impl Layer {
    /// Returns the weight that keys come of.
    pub(super) fn keys(&self) -> &Matrix {
        match &self.query_key_value {
            QueryKeyValue::Together(all) => &all.weight,
            QueryKeyValue::Apart([_, keys, _]) => &keys.weight,
        }
    }

    /// Returns the weights of all linear parts.
    pub(super) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let attention: Vec<&Linear> = match &self.query_key_value {
            QueryKeyValue::Together(all) => vec![all],
            QueryKeyValue::Apart(parts) => parts.iter().collect(),
        };
        let feed = match &self.feed {
            FeedForward::Plain { up, down, .. } => vec![up, down],
            FeedForward::Gated { gate, up, down } => vec![gate, up, down],
        };
        let parts = attention.into_iter().chain([&self.attention_out]);
        parts.chain(feed).map(|linear| &linear.weight)
    }
}

/// Finds a decoder's parts in its weights.
pub(super) struct Parts<'a> {
    pub(super) weights: &'a Weights,
    pub(super) names: &'static Names,
    /// What stands before all names but the head's.
    pub(super) prefix: &'static str,
    pub(super) config: &'a DecoderConfig,
}

impl<'a> Parts<'a> {
    pub(super) fn new(
        weights: &'a Weights,
        names: &'static Names,
        config: &'a DecoderConfig,
    ) -> Self {
        let prefix = names
            .prefixes
            .iter()
            .find(|prefix| weights.contains(&format!("{prefix}{}.weight", names.embedding)))
            .unwrap_or(&names.prefixes[0]);
        Self {
            weights,
            names,
            prefix,
            config,
        }
    }

    /// Returns the embedding table, `(V, D)`.
    pub(super) fn embedding(&self) -> Result<Matrix, ModelError> {
        let name = format!("{}{}.weight", self.prefix, self.names.embedding);
        let (width, tokens) = (self.config.width, self.config.vocabulary);
        self.weights.matrix(&name, width, tokens, Layout::Rows)
    }

    /// Returns the table of positions, `(positions, D)`, if there is one.
    pub(super) fn positions(&self) -> Result<Option<Matrix>, ModelError> {
        let (width, context) = (self.config.width, self.config.context);
        self.names
            .positions
            .map(|name| {
                let name = format!("{}{name}.weight", self.prefix);
                self.weights.matrix(&name, width, context, Layout::Rows)
            })
            .transpose()
    }

    pub(super) fn final_norm(&self) -> Result<Norm, ModelError> {
        self.norm(self.names.final_norm, 0)
    }

    /// Returns what gives the logits, unless that is the embedding table.
    pub(super) fn head(&self) -> Result<Option<Linear>, ModelError> {
        if self.config.tied {
            return Ok(None);
        }
        let (width, tokens) = (self.config.width, self.config.vocabulary);
        let name = format!("{}.weight", self.names.head);
        let bias = format!("{}.bias", self.names.head);
        Ok(Some(Linear {
            weight: self.weights.matrix(&name, width, tokens, Layout::Rows)?,
            bias: self
                .weights
                .contains(&bias)
                .then(|| self.weights.tensor(&bias, &[tokens]))
                .transpose()?,
        }))
    }

    pub(super) fn layer(&self, layer: usize) -> Result<Layer, ModelError> {
        let (config, names) = (self.config, self.names);
        let (width, inner) = (config.width, config.inner);
        let (queries, keys) = (config.query_width(), config.key_width());
        let biases = config.biases;
        let linear =
            |part: &str, inputs, outputs, bias| self.linear(part, layer, [inputs, outputs], bias);
        let query_key_value = match names.query_key_value {
            [q, k, v] => QueryKeyValue::Apart([
                linear(q, width, queries, biases.query_key_value)?,
                linear(k, width, keys, biases.query_key_value)?,
                linear(v, width, keys, biases.query_key_value)?,
            ]),
            together => {
                let outputs = queries + 2 * keys;
                let part = together[0];
                QueryKeyValue::Together(linear(part, width, outputs, biases.query_key_value)?)
            }
        };
        let head_norms = match names.head_norms.filter(|_| config.head_norms) {
            Some([of_queries, of_keys]) => Some([
                self.rms_norm(of_queries, layer, config.head_width)?,
                self.rms_norm(of_keys, layer, config.head_width)?,
            ]),
            None => None,
        };
        let up = linear(names.up, width, inner, biases.feed)?;
        let down = linear(names.down, inner, width, biases.feed)?;
        let feed = match (config.feed, names.gate) {
            (Feed::Plain(activation), _) => FeedForward::Plain {
                up,
                activation,
                down,
            },
            (Feed::Gated, gate) => FeedForward::Gated {
                gate: linear(
                    gate.expect("a gated part has a gate's name"),
                    width,
                    inner,
                    biases.feed,
                )?,
                up,
                down,
            },
        };
        Ok(Layer {
            attention_norm: self.norm(names.attention_norm, layer)?,
            query_key_value,
            head_norms,
            attention_out: linear(names.attention_out, queries, width, biases.attention_out)?,
            feed_norm: self.norm(names.feed_norm, layer)?,
            feed,
        })
    }

    fn name(&self, part: &str, layer: usize) -> String {
        format!("{}{}", self.prefix, in_layer(part, layer))
    }

    fn linear(
        &self,
        part: &str,
        layer: usize,
        [inputs, outputs]: [usize; 2],
        bias: bool,
    ) -> Result<Linear, ModelError> {
        let name = self.name(part, layer);
        let layout = self.names.layout;
        Ok(Linear {
            weight: self
                .weights
                .matrix(&format!("{name}.weight"), inputs, outputs, layout)?,
            bias: bias
                .then(|| self.weights.tensor(&format!("{name}.bias"), &[outputs]))
                .transpose()?,
        })
    }

    fn norm(&self, part: &str, layer: usize) -> Result<Norm, ModelError> {
        let width = self.config.width;
        if self.config.feed == Feed::Gated {
            return Ok(Norm::Rms(self.rms_norm(part, layer, width)?));
        }
        let name = self.name(part, layer);
        Ok(Norm::Layer(LayerNorm {
            weight: self.weights.tensor(&format!("{name}.weight"), &[width])?,
            bias: self.weights.tensor(&format!("{name}.bias"), &[width])?,
            epsilon: self.config.epsilon,
        }))
    }

    fn rms_norm(&self, part: &str, layer: usize, width: usize) -> Result<RmsNorm, ModelError> {
        let name = format!("{}.weight", self.name(part, layer));
        Ok(RmsNorm {
            weight: self.weights.tensor(&name, &[width])?,
            epsilon: self.config.epsilon,
        })
    }
}
