//! Adapters as Hugging Face PEFT writes them: `adapter_config.json` and
//! `adapter_model.safetensors`.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use tensor::Pairs;

use super::bottleneck::{self, Bottleneck, LayerBottlenecks};
use super::{Adapter, LowRank, Module, add_rows};
use crate::ModelError;
use crate::decoder::{Decoder, DecoderConfig, Positions, neighbours};
use crate::folder::Folder;
use crate::weights::Weights;

pub(super) const CONFIG: &str = "adapter_config.json";
pub(super) const WEIGHTS: &str = "adapter_model.safetensors";
/// What stands before the names of the model's own parts.
pub(super) const PREFIX: &str = "base_model.model.";

/// `adapter_config.json`, as far as it is used here.
#[derive(Deserialize)]
pub(super) struct Written {
    peft_type: String,
    base_model_name_or_path: Option<String>,
    /// Without effect where there are other ranks.
    r: Option<usize>,
    /// The rank that AdaLoRA begins with.
    init_r: Option<usize>,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    alpha_pattern: Patterns,
    bias: Option<String>,
    // Anything but these is something that is not done here.
    modules_to_save: Option<serde_json::Value>,
    lora_bias: Option<serde_json::Value>,
    use_qalora: Option<serde_json::Value>,
    target_parameters: Option<serde_json::Value>,
    trainable_token_indices: Option<serde_json::Value>,
    layer_replication: Option<serde_json::Value>,
    alora_invocation_tokens: Option<serde_json::Value>,
}

/// Names' ends and what is particular to them; the first that fits counts.
#[derive(Default)]
struct Patterns(Vec<(String, f64)>);

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Patterns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with a number each")
            }

            fn visit_unit<E>(self) -> Result<Patterns, E> {
                Ok(Patterns::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Patterns, A::Error> {
                let mut patterns = Vec::new();
                while let Some(pattern) = map.next_entry()? {
                    patterns.push(pattern);
                }
                Ok(Patterns(patterns))
            }
        }
        deserializer.deserialize_any(InOrder)
    }
}

impl Patterns {
    /// Returns what is said of the part called `name`, if anything.
    fn of(&self, name: &str) -> Option<f64> {
        self.0
            .iter()
            .find(|(pattern, _)| {
                name.strip_suffix(&**pattern)
                    .is_some_and(|before| before.is_empty() || before.ends_with('.'))
            })
            .map(|(_, number)| *number)
    }
}

/// An adapter's files, before they are held against a model.
pub(super) struct Files {
    pub(super) written: Written,
    pub(super) weights: Weights,
}

impl Files {
    /// Reads both files in `folder`.
    pub(super) fn open(folder: &Path) -> Result<Self, ModelError> {
        let missing = |file, hint| ModelError::FileMissing {
            folder: folder.to_path_buf(),
            file,
            hint,
        };
        let written: Written = Folder::new(folder)
            .json(CONFIG)?
            .ok_or_else(|| missing(CONFIG, Some("it is no adapter in PEFT's format")))?;
        written.check(&folder.join(CONFIG))?;
        let path = folder.join(WEIGHTS);
        if !path.exists() {
            let torch = folder.join("adapter_model.bin").exists();
            let hint = torch.then_some("`adapter_model.bin` is not read: save it as safetensors");
            return Err(missing(WEIGHTS, hint));
        }
        let weights = Weights::open_file(&path)?;
        Ok(Self { written, weights })
    }

    /// Returns the names of the parts it adds to, without PEFT's prefix, in order.
    ///
    /// # Errors
    /// If there is a tensor that belongs to no such part.
    pub(super) fn parts(&self) -> Result<Vec<String>, ModelError> {
        let mut parts = Vec::new();
        for (name, shape) in self.weights.shapes() {
            let part = name.strip_prefix(PREFIX).unwrap_or(name);
            if let Some(part) = part.strip_suffix(self.written.ends()[0]) {
                // Of some parts AdaLoRA leaves nothing.
                if shape.first() != Some(&0) {
                    parts.push(part.to_owned());
                }
            } else if !self.written.ends().iter().any(|end| part.ends_with(end))
                && !part.ends_with(".lora_magnitude_vector")
                // A copy of the base's own, which PEFT adds where the head is adapted.
                && !part.ends_with(".base_layer.weight")
            {
                return Err(ModelError::AdapterTensor {
                    path: self.weights.path().to_path_buf(),
                    tensor: name.to_owned(),
                });
            }
        }
        parts.sort_unstable();
        Ok(parts)
    }

    /// Returns what it adds to the part called `name`, of `inputs` and `outputs`. `base`
    /// gives that part's weight, `(N, K)`, and `order` brings rows into the model's order.
    pub(super) fn low_rank(
        &self,
        name: &str,
        [inputs, outputs]: [usize; 2],
        base: impl FnOnce() -> Vec<f32>,
        order: impl Fn(Vec<f32>, usize) -> Vec<f32>,
    ) -> Result<LowRank, ModelError> {
        let tensor = |end: &str| format!("{PREFIX}{name}{end}");
        let [a_end, b_end, diagonal] = self.written.ends();
        let a_name = tensor(a_end);
        let rank = self
            .weights
            .shapes()
            .find(|(found, _)| *found == a_name)
            .and_then(|(_, shape)| shape.first().copied())
            .unwrap_or(1);
        // A part of no rank adds nothing, and is passed over.
        let rank = rank.max(1);
        let a = self.weights.tensor(&a_name, &[rank, inputs])?;
        let b = self.weights.tensor(&tensor(b_end), &[outputs, rank])?;
        let mut b = order(b, rank);
        let alpha = self
            .written
            .alpha_pattern
            .of(name)
            .unwrap_or(self.written.lora_alpha);
        let divisor = match (self.written.is_adalora(), self.written.use_rslora) {
            // Of the first rank, whatever is left of it.
            (true, _) => self.written.init_r.or(self.written.r).unwrap_or(rank) as f64 + 1e-5,
            (false, true) => (rank as f64).sqrt(),
            (false, false) => rank as f64,
        };
        let scale = (alpha / divisor) as f32;
        b.iter_mut().for_each(|x| *x *= scale);
        if self.written.is_adalora() {
            let diagonal = self.weights.tensor(&tensor(diagonal), &[rank, 1])?;
            for row in b.chunks_exact_mut(rank) {
                row.iter_mut().zip(&diagonal).for_each(|(x, it)| *x *= it);
            }
        }
        let stretch = if self.written.use_dora {
            let magnitude = self
                .weights
                .tensor(&tensor(".lora_magnitude_vector"), &[outputs])?;
            let base = base();
            let mut stretch = order(magnitude, 1);
            let mut row = vec![0.0; inputs];
            for (output, stretch) in stretch.iter_mut().enumerate() {
                row.copy_from_slice(&base[output * inputs..][..inputs]);
                let b = &mut b[output * rank..][..rank];
                add_rows(&mut row, b, &a);
                let square: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
                let factor = (f64::from(*stretch) / square.sqrt()) as f32;
                b.iter_mut().for_each(|x| *x *= factor);
                *stretch = factor - 1.0;
            }
            Some(stretch)
        } else {
            None
        };
        Ok(LowRank {
            inputs,
            outputs,
            rank,
            a,
            b,
            stretch,
        })
    }
}

impl Written {
    /// Returns what it says it was trained on.
    pub(super) fn base(&self) -> String {
        self.base_model_name_or_path
            .clone()
            .unwrap_or_else(|| "a model it does not name".into())
    }

    fn is_adalora(&self) -> bool {
        self.peft_type == "ADALORA"
    }

    /// Returns how the names of `A`, `B` and, if there is one, the diagonal between them end.
    fn ends(&self) -> [&'static str; 3] {
        match self.is_adalora() {
            true => [".lora_A", ".lora_B", ".lora_E"],
            false => [".lora_A.weight", ".lora_B.weight", ".lora_A.weight"],
        }
    }

    /// Refuses what is not done here.
    fn check(&self, path: &Path) -> Result<(), ModelError> {
        let wrong = |key, expected: &str, found: String| ModelError::Setting {
            path: path.to_path_buf(),
            key,
            expected: expected.into(),
            found,
        };
        if self.peft_type != "LORA" && !self.is_adalora() {
            return Err(wrong(
                "peft_type",
                "`LORA` or `ADALORA`",
                format!("`{}`", self.peft_type),
            ));
        }
        if let Some(bias) = self.bias.as_deref().filter(|it| *it != "none") {
            return Err(wrong("bias", "`none`", format!("`{bias}`")));
        }
        for (key, value) in [
            ("modules_to_save", &self.modules_to_save),
            ("lora_bias", &self.lora_bias),
            ("use_qalora", &self.use_qalora),
            ("target_parameters", &self.target_parameters),
            ("trainable_token_indices", &self.trainable_token_indices),
            ("layer_replication", &self.layer_replication),
            ("alora_invocation_tokens", &self.alora_invocation_tokens),
        ] {
            let nothing = match value {
                None | Some(serde_json::Value::Null | serde_json::Value::Bool(false)) => true,
                Some(serde_json::Value::Array(list)) => list.is_empty(),
                Some(serde_json::Value::Object(map)) => map.is_empty(),
                Some(_) => false,
            };
            if !nothing {
                let found = value.as_ref().map(ToString::to_string).unwrap_or_default();
                return Err(wrong(key, "nothing: only low-rank parts are read", found));
            }
        }
        if let Some((pattern, _)) = self
            .alpha_pattern
            .0
            .iter()
            .find(|(pattern, _)| pattern.contains(|letter| "*+?[](){}|^$\\".contains(letter)))
        {
            let expected = "names of parts, or ends of them";
            return Err(wrong("alpha_pattern", expected, format!("`{pattern}`")));
        }
        Ok(())
    }
}

impl Adapter {
    /// Opens the adapter in `folder` for `decoder`.
    ///
    /// # Errors
    /// If its files are missing or damaged, it does more than add low-rank parts, or it was
    /// trained on a model of another shape.
    pub fn open(folder: &Path, decoder: &Decoder) -> Result<Self, ModelError> {
        let config = decoder.config();
        let names = decoder.layer_names();
        if let Some(read) = bottleneck::read(folder, &names, config.width)? {
            let all = read.layers.iter().flat_map(LayerBottlenecks::all);
            return Ok(Self {
                path: folder.to_path_buf(),
                base: config.path.clone(),
                decoder: decoder.number(),
                trained_on: read.trained_on,
                rank: all.map(Bottleneck::inner).max().unwrap_or(0),
                layers: no_parts(config),
                head: None,
                bottlenecks: read.layers,
            });
        }
        let files = Files::open(folder)?;
        let unfit = |found: String, expected: String| ModelError::AdapterBase {
            adapter: folder.to_path_buf(),
            trained_on: files.written.base(),
            model: config.path.clone(),
            found,
            expected,
        };
        let mut adapter = Self {
            path: folder.to_path_buf(),
            base: config.path.clone(),
            decoder: decoder.number(),
            trained_on: files.written.base(),
            rank: 0,
            layers: no_parts(config),
            head: None,
            bottlenecks: Vec::new(),
        };
        for name in files.parts()? {
            let place = decoder
                .place(&name)
                .ok_or_else(|| unfit(format!("a part `{name}`"), "has none of that name".into()))?;
            let matrix = decoder.weight(place);
            let (inputs, outputs) = (matrix.inputs(), matrix.outputs());
            let part = files
                .low_rank(
                    &name,
                    [inputs, outputs],
                    || matrix.numbers(),
                    |rows, width| in_order(config, place, rows, width),
                )
                .map_err(|error| match error {
                    ModelError::TensorShape { tensor, found, .. } => unfit(
                        format!("`{tensor}` of shape {found:?}"),
                        format!("has {inputs} inputs and {outputs} outputs there"),
                    ),
                    other => other,
                })?;
            adapter.rank = adapter.rank.max(part.rank);
            match place {
                Place::Layer(layer, module) => adapter.layers[layer][module as usize] = Some(part),
                Place::Head => adapter.head = Some(part),
            }
        }
        Ok(adapter)
    }
}

/// Returns the linear parts of all layers, to none of which anything is added.
fn no_parts(config: &DecoderConfig) -> Vec<[Option<LowRank>; Module::COUNT]> {
    (0..config.layers())
        .map(|_| std::array::from_fn(|_| None))
        .collect()
}

/// A linear part of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Layer(usize, Module),
    Head,
}

/// Brings rows of queries and keys, `(N, width)`, into the order of the decoder's: a GGUF
/// file of a Llama has the halves of each head turn about.
fn in_order(config: &DecoderConfig, place: Place, rows: Vec<f32>, width: usize) -> Vec<f32> {
    let heads = match place {
        Place::Layer(_, Module::Query) => config.heads,
        Place::Layer(_, Module::Key) => config.key_heads,
        _ => return rows,
    };
    let turned =
        matches!(&config.positions, Positions::Rotary(it) if it.pairs == Pairs::Neighbours);
    if !turned {
        return rows;
    }
    neighbours(&rows, heads, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pattern_that_fits_counts() {
        let patterns: Patterns =
            serde_json::from_str(r#"{"q_proj":2,"layers.1.mlp.up":3,"proj":4,"up":5}"#).unwrap();
        for (name, expect) in [
            ("model.layers.0.q_proj", Some(2.0)),
            ("model.layers.1.mlp.up", Some(3.0)),
            ("model.layers.11.mlp.up", Some(5.0)),
            ("model.layers.0.k_proj", None),
            ("proj", Some(4.0)),
        ] {
            assert_eq!(patterns.of(name), expect, "{name}");
        }
    }

    #[test]
    fn what_is_more_than_low_rank_is_refused() {
        for (key, value, expect) in [
            (
                "peft_type",
                "\"IA3\"",
                "`peft_type` in `c` is `IA3`, expected `LORA` or `ADALORA`",
            ),
            ("bias", "\"all\"", "`bias` in `c` is `all`, expected `none`"),
            (
                "modules_to_save",
                "[\"lm_head\"]",
                "`modules_to_save` in `c` is [\"lm_head\"], expected nothing: only low-rank parts are read",
            ),
            (
                "alpha_pattern",
                "{\"layers.[01].q\":2}",
                "`alpha_pattern` in `c` is `layers.[01].q`, expected names of parts, or ends of them",
            ),
        ] {
            let mut config: serde_json::Value =
                serde_json::from_str(r#"{"peft_type":"LORA","r":2,"lora_alpha":4}"#).unwrap();
            config[key] = serde_json::from_str(value).unwrap();
            let written: Written = serde_json::from_value(config).unwrap();
            let error = written.check(Path::new("c")).unwrap_err();
            assert_eq!(error.to_string(), expect);
        }
    }
}
