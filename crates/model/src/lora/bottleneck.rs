//! Bottleneck adapters (Houlsby et al. 2019, arXiv:1902.00751; Pfeiffer et al. 2021,
//! arXiv:2005.00247) as AdapterHub's library `adapters` writes them: `adapter_config.json` and
//! `adapter.safetensors`. PEFT has none.
//!
//! Letters: `T` tokens, `D` width, `w` the bottleneck's width.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tensor::{Activation, Format, Layout, Precision, StoredMatrix, StoredProduct, Sum};

use super::peft::CONFIG;
use super::{AdapterTensor, Machine};
use crate::ModelError;
use crate::safetensors;
use crate::training::{Bottleneck as Tuning, BottleneckActivation, BottleneckStyle};
use crate::weights::Weights;

const WEIGHTS: &str = "adapter.safetensors";
/// What the adapter is called among others of one model.
const NAME: &str = "groundtune";
/// Where a layer has adapters: behind attention, and at its end.
pub(crate) const ATTENTION: &str = "attention_adapters";
pub(crate) const OUTPUT: &str = "output_adapters";
/// An adapter's parts.
pub(crate) const DOWN: &str = "adapter_down.0";
pub(crate) const UP: &str = "adapter_up";

/// Returns the name of a part of the adapter at `place` in the layer called `layer`.
pub(crate) fn name(layer: &str, place: &str, part: &str) -> String {
    named(layer, place, NAME, part)
}

fn named(layer: &str, place: &str, adapter: &str, part: &str) -> String {
    format!("{layer}.{place}.adapters.{adapter}.{part}")
}

/// One bottleneck, ready to be used.
#[derive(Debug)]
pub(crate) struct Bottleneck {
    width: usize,
    inner: usize,
    activation: Activation,
    /// `(w, D)` and `(w)`
    down: Vec<f32>,
    down_bias: Vec<f32>,
    /// `(D, w)` and `(D)`
    up: Vec<f32>,
    up_bias: Vec<f32>,
}

/// The bottlenecks of a layer.
#[derive(Debug, Default)]
pub(crate) struct LayerBottlenecks {
    /// Behind attention, of what it gives.
    pub(crate) attention: Option<Bottleneck>,
    /// Behind the feed-forward part, of what it gives.
    pub(crate) feed: Option<Bottleneck>,
    /// Behind the layer, of all that comes out of it.
    pub(crate) layer: Option<Bottleneck>,
}

impl LayerBottlenecks {
    /// Returns them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Bottleneck> {
        [&self.attention, &self.feed, &self.layer]
            .into_iter()
            .flatten()
    }
}

impl Bottleneck {
    /// Returns its own width.
    pub(crate) fn inner(&self) -> usize {
        self.inner
    }

    /// Adds `weight` times what it makes of `input` to `output`, both `(T, D)`; the machine has
    /// room for `(T, w)`.
    pub(crate) fn add(
        &self,
        machine: &mut Machine<'_>,
        weight: f32,
        input: &[f32],
        output: &mut [f32],
    ) {
        let tokens = input.len() / self.width;
        let low = &mut machine.low[..tokens * self.inner];
        let (kernels, team) = (machine.kernels, machine.team);
        let matrix = |numbers, inputs, outputs| {
            let bytes = bytemuck::cast_slice(numbers);
            StoredMatrix::new(Format::F32, Layout::Rows, inputs, outputs, bytes)
        };
        let down = StoredProduct {
            weight: matrix(&self.down, self.width, self.inner),
            bias: Some(&self.down_bias),
            sum: Sum::Replace,
            activation: self.activation,
            precision: Precision::F32,
            output: low,
        };
        kernels.multiply(team, input, &mut [down], machine.scratch);
        low.iter_mut().for_each(|x| *x *= weight);
        let up = StoredProduct {
            weight: matrix(&self.up, self.inner, self.width),
            bias: None,
            sum: Sum::Add,
            activation: Activation::Identity,
            precision: Precision::F32,
            output: &mut *output,
        };
        kernels.multiply(team, low, &mut [up], machine.scratch);
        for row in output.chunks_exact_mut(self.width) {
            for (x, bias) in row.iter_mut().zip(&self.up_bias) {
                *x += weight * bias;
            }
        }
    }
}

/// `adapter_config.json`, as far as it is used here.
#[derive(Deserialize)]
struct Written {
    config: Config,
    name: String,
    model_name: Option<String>,
}

#[derive(Deserialize)]
struct Config {
    mh_adapter: bool,
    output_adapter: bool,
    non_linearity: BottleneckActivation,
    #[serde(default)]
    original_ln_before: bool,
    // Anything but these is something that is not done here.
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

/// A setting, and how it says that something is not done.
type Setting = (&'static str, fn() -> Value);

/// What `adapters` can do beside.
const OTHERS: [Setting; 11] = [
    ("original_ln_after", || json!(true)),
    ("residual_before_ln", || json!(true)),
    ("adapter_residual_before_ln", || json!(false)),
    ("ln_before", || json!(false)),
    ("ln_after", || json!(false)),
    ("is_parallel", || json!(false)),
    ("use_gating", || json!(false)),
    ("phm_layer", || json!(false)),
    ("scaling", || json!(1.0)),
    ("inv_adapter", || Value::Null),
    ("leave_out", || json!([])),
];

/// An adapter of bottlenecks, read.
pub(super) struct Read {
    pub(super) trained_on: String,
    pub(super) layers: Vec<LayerBottlenecks>,
}

/// Reads the bottlenecks in `folder` for layers called `names` of a model of `width`; nothing,
/// if it holds another kind of adapter.
pub(super) fn read(
    folder: &Path,
    names: &[String],
    width: usize,
) -> Result<Option<Read>, ModelError> {
    let path = folder.join(CONFIG);
    if !folder.join(WEIGHTS).exists() || !path.exists() {
        return Ok(None);
    }
    let json = |source| ModelError::Json {
        path: path.clone(),
        source,
    };
    let value: Value = serde_json::from_slice(&fs_err::read(&path)?).map_err(json)?;
    if value.get("peft_type").is_some() {
        return Ok(None);
    }
    let written: Written = serde_json::from_value(value).map_err(json)?;
    let config = &written.config;
    for (key, expected) in OTHERS {
        let found = config.others.get(key).cloned().unwrap_or_else(expected);
        if found != expected() {
            return Err(ModelError::Setting {
                path,
                key,
                expected: format!("`{}`", expected()),
                found: format!("`{found}`"),
            });
        }
    }
    if config.original_ln_before && config.mh_adapter || !config.output_adapter {
        return Err(ModelError::Setting {
            path,
            key: "mh_adapter",
            expected: "bottlenecks as `seq_bn` or `double_seq_bn` has them".into(),
            found: "others".into(),
        });
    }
    let weights = Weights::open_file(&folder.join(WEIGHTS))?;
    let part = |layer: &str, place: &str| -> Result<Bottleneck, ModelError> {
        let name =
            |part: &str, end: &str| format!("{}.{end}", named(layer, place, &written.name, part));
        let down = name(DOWN, "weight");
        let inner = weights
            .shapes()
            .find(|(found, _)| *found == down)
            .and_then(|(_, shape)| shape.first().copied())
            .unwrap_or(1)
            .max(1);
        Ok(Bottleneck {
            width,
            inner,
            activation: config.non_linearity.kernel(),
            down: weights.tensor(&down, &[inner, width])?,
            down_bias: weights.tensor(&name(DOWN, "bias"), &[inner])?,
            up: weights.tensor(&name(UP, "weight"), &[width, inner])?,
            up_bias: weights.tensor(&name(UP, "bias"), &[width])?,
        })
    };
    let layers = names.iter().map(|layer| {
        let last = part(layer, OUTPUT)?;
        let mut found = LayerBottlenecks::default();
        match config.original_ln_before {
            true => found.layer = Some(last),
            false => found.feed = Some(last),
        }
        if config.mh_adapter {
            found.attention = Some(part(layer, ATTENTION)?);
        }
        Ok(found)
    });
    let layers = layers.collect::<Result<_, ModelError>>()?;
    let unnamed = || "a model it does not name".into();
    Ok(Some(Read {
        trained_on: written.model_name.unwrap_or_else(unnamed),
        layers,
    }))
}

/// Writes bottlenecks to `folder`, which is made if it is not there: `tensors` under their own
/// names, for the model `base` of `width` and a Hugging Face `model_type`.
///
/// # Errors
/// If something could not be written.
pub(crate) fn write(
    folder: &Path,
    tuning: &Tuning,
    (base, model_type, width): (&Path, &str, usize),
    tensors: &[AdapterTensor<'_>],
) -> Result<(), ModelError> {
    fs_err::create_dir_all(folder)?;
    let houlsby = tuning.style == BottleneckStyle::Houlsby;
    let mut own = json!({
        "architecture": null,
        "mh_adapter": houlsby,
        "output_adapter": true,
        "original_ln_before": !houlsby,
        "non_linearity": tuning.activation(),
        "reduction_factor": width as f64 / tuning.width(width) as f64,
        "init_weights": "mam_adapter",
        "dropout": 0.0,
    });
    for (key, value) in OTHERS {
        own[key] = value();
    }
    let class = match model_type {
        "gpt2" => "GPT2LMHeadModel",
        "mistral" => "MistralForCausalLM",
        _ => "LlamaForCausalLM",
    };
    let config = json!({
        "config": own,
        "hidden_size": width,
        "model_class": class,
        "model_name": base.to_string_lossy(),
        "model_type": model_type,
        "name": NAME,
        "version": "adapters.1.0.0",
    });
    let mut text = serde_json::to_string_pretty(&config).expect("it is plain values");
    text.push('\n');
    fs_err::write(folder.join(CONFIG), text)?;
    safetensors::write_tensors(&folder.join(WEIGHTS), tensors)
}
