//! BERT-family encoders (Devlin et al. 2018, arXiv:1810.04805), after the modules
//! `BertModel` and `RobertaModel` of Hugging Face transformers.
//!
//! Letters: `T` tokens of a batch, `D` width, `F` inner width, `H` heads, `V` vocabulary.
//!
//! Post-norm: a layer is `x ← norm(x + attention(x))`, `x ← norm(x + feed-forward(x))`.
//! Both sums cost nothing of their own, for each product starts from its residual.

use std::path::Path;

use serde::Deserialize;
use tensor::{
    Activation, Buffer, Kernels, LayerNorm, Layout, PackedMatrix, Product, SelfAttention,
    attention_scratch,
};

use crate::ModelError;
pub use crate::batch::Batch;
pub use crate::config::{EncoderConfig, Family};
use crate::encoder_names::{HUGGING_FACE, Names};
use crate::folder::Folder;
use crate::weights::{Matrix, Weights};

/// An encoder, ready to run.
#[derive(Debug)]
pub struct Bert {
    kernels: &'static Kernels,
    config: EncoderConfig,
    /// `(V, D)`
    words: Matrix,
    /// `(positions, D)`
    positions: Vec<f32>,
    /// `(segments, D)`
    segments: Vec<f32>,
    first_norm: LayerNorm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    /// `D → 3 D`
    query_key_value: PackedMatrix,
    /// `D → D`
    attention_out: PackedMatrix,
    attention_norm: LayerNorm,
    /// `D → F`
    up: PackedMatrix,
    /// `F → D`
    down: PackedMatrix,
    down_norm: LayerNorm,
}

/// In what an encoder multiplies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// In 32 bits, as the reference does.
    F32,
    /// In 32 bits too; but processors that multiply tiles of bfloat16 take 16 of the 24
    /// bits of each number, faster: see [`tensor::Precision::High`]. A number of a vector
    /// differs from that of `F32` by 3e-6 at most, as far as was seen.
    #[default]
    High,
    /// Weights and what they are multiplied with in 8 bits, all else in 32: smaller and
    /// faster, and a little less exact.
    Int8,
}

impl Precision {
    /// Returns how exactly numbers are multiplied, unless in 8 bits.
    pub(crate) fn of_numbers(self) -> Option<tensor::Precision> {
        match self {
            Self::F32 => Some(tensor::Precision::F32),
            Self::High => Some(tensor::Precision::High),
            Self::Int8 => None,
        }
    }
}

/// The memory of one batch, used again for the next.
#[derive(Debug, Default)]
pub struct Workspace(Buffer);

impl Workspace {
    /// Returns how many numbers it holds; it grows only for a batch larger than all
    /// before.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

/// Tokens that pass the feed-forward part together, so that what is between its two
/// products stays in the cache.
const FEED: usize = 96;

impl Bert {
    /// Opens the encoder in `folder`.
    ///
    /// # Errors
    /// If its configuration or weights are missing, damaged or not known here.
    pub fn open(
        folder: &Path,
        kernels: &'static Kernels,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let config = EncoderConfig::read(&mut Folder::new(folder))?;
        Self::load(
            config,
            &Weights::open(folder)?,
            &HUGGING_FACE,
            kernels,
            precision,
        )
    }

    /// Packs an encoder's weights for `kernels`; those of its products at `precision`,
    /// what is looked up or normalised in any case whole.
    ///
    /// # Errors
    /// If a tensor is missing or not of the shape that `config` gives it.
    pub(crate) fn load(
        config: EncoderConfig,
        weights: &Weights,
        names: &'static Names,
        kernels: &'static Kernels,
        precision: Precision,
    ) -> Result<Self, ModelError> {
        let prefix = names.prefix(weights);
        let width = config.width;
        let layers = (0..config.layers)
            .map(|layer| {
                let parts = Parts {
                    weights,
                    kernels,
                    precision,
                    prefix,
                    layer,
                };
                Ok(Layer {
                    query_key_value: parts.linear(&names.query_key_value, width, width)?,
                    attention_out: parts.linear(&[names.attention_out], width, width)?,
                    attention_norm: parts.norm(names.attention_norm, width, config.epsilon)?,
                    up: parts.linear(&[names.up], config.inner, width)?,
                    down: parts.linear(&[names.down], width, config.inner)?,
                    down_norm: parts.norm(names.down_norm, width, config.epsilon)?,
                })
            })
            .collect::<Result<_, ModelError>>()?;
        let table = |name: &str| format!("{prefix}{name}");
        let first = Parts {
            weights,
            kernels,
            precision,
            prefix,
            layer: 0,
        };
        Ok(Self {
            kernels,
            words: weights.matrix(&table(names.words), width, config.vocabulary, Layout::Rows)?,
            positions: weights.tensor(&table(names.positions), &[config.positions, width])?,
            segments: segments(weights, &table(names.segments), &config)?,
            first_norm: first.norm(names.first_norm, width, config.epsilon)?,
            layers,
            config,
        })
    }

    /// Returns its shape.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Returns the loops it runs on.
    pub fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    /// Returns the last hidden states of `batch`, `(T, D)`. Allocates nothing, once
    /// `workspace` has seen a batch as large.
    ///
    /// Panics if the lengths do not add up to `T`, a text is longer than
    /// [`EncoderConfig::longest`], or a token or segment is not known.
    pub fn forward<'a>(&self, batch: &Batch, workspace: &'a mut Workspace) -> &'a mut [f32] {
        let width = self.config.width;
        let tokens = batch.ids.len();
        let longest = batch.lengths.iter().copied().max().unwrap_or(0);
        assert_eq!(
            batch.lengths.iter().sum::<usize>(),
            tokens,
            "every token belongs to a text"
        );
        assert!(
            longest <= self.config.longest(),
            "every token has a position"
        );
        let shape = SelfAttention {
            heads: self.config.heads,
            head_width: width / self.config.heads,
        };
        let [x, y, query_key_value, attended, inner, scratch] = workspace.0.carve([
            tokens * width,
            tokens * width,
            tokens * 3 * width,
            tokens * width,
            FEED.min(tokens) * self.config.inner,
            attention_scratch(self.kernels, shape, longest),
        ]);

        self.embed(batch, x);
        for layer in &self.layers {
            layer.query_key_value.multiply(Product {
                input: x,
                residual: None,
                activation: Activation::Identity,
                output: query_key_value,
            });
            let mut first = 0;
            for length in &batch.lengths {
                let text = first..first + length;
                self.kernels.self_attention(
                    shape,
                    &query_key_value[text.start * 3 * width..text.end * 3 * width],
                    scratch,
                    &mut attended[text.start * width..text.end * width],
                );
                first = text.end;
            }
            layer.attention_out.multiply(Product {
                input: attended,
                residual: Some(x),
                activation: Activation::Identity,
                output: y,
            });
            self.kernels.layer_norm(&layer.attention_norm, y);
            for (y, x) in y.chunks(FEED * width).zip(x.chunks_mut(FEED * width)) {
                let inner = &mut inner[..y.len() / width * self.config.inner];
                layer.up.multiply(Product {
                    input: y,
                    residual: None,
                    activation: self.config.activation,
                    output: inner,
                });
                layer.down.multiply(Product {
                    input: inner,
                    residual: Some(y),
                    activation: Activation::Identity,
                    output: x,
                });
                self.kernels.layer_norm(&layer.down_norm, x);
            }
        }
        x
    }

    /// Sets `x`, `(T, D)`, to the sum of what each token, its position and its segment
    /// stand for, normalised.
    fn embed(&self, batch: &Batch, x: &mut [f32]) {
        let width = self.config.width;
        let words = self.words.view();
        let positions = batch
            .lengths
            .iter()
            .flat_map(|length| (0..*length).map(|at| at + self.config.first_position));
        for (((row, id), segment), position) in x
            .chunks_exact_mut(width)
            .zip(&batch.ids)
            .zip(&batch.segments)
            .zip(positions)
        {
            words.row(*id as usize, row);
            let segment = &self.segments[*segment as usize * width..][..width];
            let position = &self.positions[position * width..][..width];
            for ((x, segment), position) in row.iter_mut().zip(segment).zip(position) {
                *x = *x + segment + position;
            }
        }
        self.kernels.layer_norm(&self.first_norm, x);
    }
}

/// Returns the table of segments, `(segments, D)`. In GGUF files, one of a single segment
/// may be a row alone, or not be there: then it is zeros.
fn segments(weights: &Weights, name: &str, config: &EncoderConfig) -> Result<Vec<f32>, ModelError> {
    let width = config.width;
    if config.segments == 0 {
        return Ok(vec![0.0; width]);
    }
    if config.segments == 1 && weights.shape(name) == Some(&[width]) {
        return weights.tensor(name, &[width]);
    }
    weights.tensor(name, &[config.segments, width])
}

/// Finds the tensors of one layer.
struct Parts<'a> {
    weights: &'a Weights,
    kernels: &'static Kernels,
    precision: Precision,
    prefix: &'static str,
    layer: usize,
}

impl Parts<'_> {
    fn name(&self, part: &str) -> String {
        let part = part.replace("{}", &self.layer.to_string());
        format!("{}{part}", self.prefix)
    }

    /// Returns linear parts beside one another as one product.
    fn linear(
        &self,
        parts: &[&str],
        outputs: usize,
        inputs: usize,
    ) -> Result<PackedMatrix, ModelError> {
        let (mut rows, mut bias) = (Vec::new(), Vec::new());
        for part in parts {
            let name = self.name(part);
            rows.extend(
                self.weights
                    .tensor(&format!("{name}.weight"), &[outputs, inputs])?,
            );
            bias.extend(self.weights.tensor(&format!("{name}.bias"), &[outputs])?);
        }
        let bias = Some(&bias[..]);
        Ok(match self.precision.of_numbers() {
            Some(precision) => PackedMatrix::of_rows(self.kernels, precision, &rows, inputs, bias),
            None => PackedMatrix::of_rows_in_int8(self.kernels, &rows, inputs, bias),
        })
    }

    fn norm(&self, part: &str, width: usize, epsilon: f32) -> Result<LayerNorm, ModelError> {
        let name = self.name(part);
        let (weight, bias) = if self.weights.contains(&format!("{name}.gamma")) {
            ("gamma", "beta")
        } else {
            ("weight", "bias")
        };
        Ok(LayerNorm {
            weight: self.weights.tensor(&format!("{name}.{weight}"), &[width])?,
            bias: self.weights.tensor(&format!("{name}.{bias}"), &[width])?,
            epsilon,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Expected {
        ids: Vec<u32>,
        hidden: Vec<f32>,
    }

    /// Compares with `last_hidden_state` of transformers; see `make_golden.py`.
    fn check(name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name);
        let expected: Expected =
            serde_json::from_slice(&fs_err::read(folder.join("expected.json")).unwrap()).unwrap();
        let batch = Batch {
            segments: vec![0; expected.ids.len()],
            lengths: vec![expected.ids.len()],
            ids: expected.ids,
        };
        let size = expected
            .hidden
            .iter()
            .fold(0f32, |most, x| most.max(x.abs()));
        for kernels in Kernels::available() {
            for precision in [Precision::F32, Precision::High] {
                let bert = Bert::open(&folder, kernels, precision).unwrap();
                let mut workspace = Workspace::default();
                let hidden = bert.forward(&batch, &mut workspace);
                assert_eq!(hidden.len(), expected.hidden.len());
                for (found, expect) in hidden.iter().zip(&expected.hidden) {
                    assert!(
                        (found - expect).abs() <= 1e-5 * size,
                        "{name} by {} in {precision:?}: {found} is not {expect}",
                        kernels.name
                    );
                }
            }
        }
    }

    #[test]
    fn hidden_states_are_those_of_transformers() {
        check("bert");
        check("roberta");
    }
}
