//! Writing adapters as Hugging Face PEFT reads them.

use std::path::Path;

use serde_json::{Value, json};

use super::peft::{CONFIG, PREFIX, WEIGHTS};
use crate::ModelError;
use crate::safetensors;
use crate::training::{AdaLora, Lora, LoraScale, LowRankTuning};

/// What an adapter's folder says beside its numbers.
#[derive(Clone, Debug)]
pub(crate) struct AdapterToWrite<'a> {
    /// The model that it was trained on.
    pub(crate) base: &'a Path,
    pub(crate) tuning: LowRankTuning<'a>,
    /// Which ranks of each part are left, by the name of its diagonal, where some were taken
    /// away.
    pub(crate) rank_pattern: Option<Value>,
    /// The names, or ends of names, of the parts it adds to.
    pub(crate) targets: &'a [String],
    /// Names of parts that are saved whole beside it, such as a new head.
    pub(crate) saved_whole: &'a [&'a str],
    /// What PEFT calls the kind of model: `CAUSAL_LM`, `SEQ_CLS`, …
    pub(crate) task: &'a str,
    /// Whether the adapted weights lie by columns, as GPT-2's do.
    pub(crate) by_columns: bool,
}

/// A tensor of an adapter: its name, in PEFT's format without the prefix, its shape and its
/// numbers.
pub(crate) type AdapterTensor<'a> = (&'a str, &'a [usize], &'a [f32]);

/// Writes an adapter to `folder`, which is made if it is not there.
///
/// # Errors
/// If something could not be written.
pub(crate) fn write(
    folder: &Path,
    adapter: &AdapterToWrite<'_>,
    tensors: &[AdapterTensor<'_>],
) -> Result<(), ModelError> {
    fs_err::create_dir_all(folder)?;
    let config = config(adapter);
    let mut text = serde_json::to_string_pretty(&config).expect("it is plain values");
    text.push('\n');
    fs_err::write(folder.join(CONFIG), text)?;
    let names: Vec<String> = tensors
        .iter()
        .map(|(name, ..)| format!("{PREFIX}{name}"))
        .collect();
    let tensors: Vec<AdapterTensor<'_>> = names
        .iter()
        .zip(tensors)
        .map(|(name, (_, shape, numbers))| (&**name, *shape, *numbers))
        .collect();
    safetensors::write_tensors(&folder.join(WEIGHTS), &tensors)
}

/// Returns `adapter_config.json`.
fn config(adapter: &AdapterToWrite<'_>) -> Value {
    let mut config = json!({
        "task_type": adapter.task,
        "base_model_name_or_path": adapter.base.to_string_lossy(),
        "inference_mode": true,
        "target_modules": adapter.targets,
        "modules_to_save": match adapter.saved_whole {
            [] => Value::Null,
            names => json!(names),
        },
        "fan_in_fan_out": adapter.by_columns,
        "bias": "none",
        "init_lora_weights": true,
    });
    let own = match adapter.tuning {
        LowRankTuning::Lora(lora) => of_lora(lora),
        LowRankTuning::AdaLora(adalora) => of_adalora(adalora, &adapter.rank_pattern),
    };
    let (Value::Object(config), Value::Object(own)) = (&mut config, own) else {
        unreachable!("both are objects");
    };
    config.extend(own);
    Value::Object(std::mem::take(config))
}

fn of_lora(lora: &Lora) -> Value {
    json!({
        "peft_type": "LORA",
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "use_rslora": lora.scale == LoraScale::Root,
        "use_dora": lora.dora,
    })
}

fn of_adalora(adalora: &AdaLora, rank_pattern: &Option<Value>) -> Value {
    json!({
        "peft_type": "ADALORA",
        "lora_alpha": adalora.alpha,
        "lora_dropout": adalora.dropout,
        "target_r": adalora.rank,
        "init_r": adalora.first_rank,
        "tinit": adalora.begin(),
        "tfinal": adalora.end(),
        "deltaT": adalora.every,
        "beta1": adalora.beta1,
        "beta2": adalora.beta2,
        "orth_reg_weight": adalora.orthogonality,
        "total_step": adalora.steps,
        "rank_pattern": rank_pattern,
    })
}
