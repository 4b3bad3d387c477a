//! A trained encoder as Hugging Face folder, or what was trained of it as PEFT's.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::EncoderTraining;
use super::build::{Parts, QueryKeyValue};
use crate::ModelError;
use crate::config;
use crate::encoder_names::HUGGING_FACE;
use crate::heads;
use crate::lora::{self, AdapterTensor, AdapterToWrite};
use crate::safetensors::{self, TensorToWrite};
use crate::training::heads::Task;
use crate::training::linear::Linear;
use crate::training::{LowRankTuning, Targets, Tuning};
use crate::weights;

/// What belongs to a tokenizer.
const TOKENIZER: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "sentence_bert_config.json",
];

/// What belongs to an embedder beside it.
const MODULES: &str = "modules.json";
const PROMPTS: &str = "config_sentence_transformers.json";
const POOLING: &str = "1_Pooling";

/// What PEFT may save whole.
const HEADS: [&str; 3] = ["pooler", "classifier", "qa_outputs"];

/// Tensors by name, with their shapes.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

impl EncoderTraining {
    /// Writes the model as it is now, adapters merged into it, to the folder `to`, as
    /// transformers reads it (an embedder as sentence-transformers does), in f32, with the
    /// tokenizer it was opened with.
    ///
    /// # Errors
    /// If something could not be read or written.
    pub fn save(&self, to: &Path) -> Result<(), ModelError> {
        fs_err::create_dir_all(to)?;
        let bytes = serde_json::to_vec_pretty(&self.config()?).expect("a value can be written");
        fs_err::write(to.join(config::FILE), bytes)?;
        for file in TOKENIZER {
            copy(&self.folder.join(file), &to.join(file))?;
        }
        if let Task::Vectors { .. } = self.task {
            self.save_modules(to)?;
        }
        write(&to.join(weights::FILE), &self.tensors()?)
    }

    /// Writes what was trained, the adapters and the head, to the folder `to`, as PEFT
    /// reads it.
    ///
    /// # Errors
    /// If the whole model is trained, or something could not be written.
    pub fn save_adapter(&self, to: &Path) -> Result<(), ModelError> {
        let (Tuning::Lora(lora) | Tuning::QLora(lora)) = &self.tuning else {
            return Err(ModelError::TrainingSetting {
                setting: "tuning",
                expected: "low-rank parts, which can be saved by themselves",
                found: "the whole model".into(),
            });
        };
        // PEFT keeps whole modules: of RoBERTa's head the one that holds both parts.
        let mut whole: Vec<&str> = Vec::new();
        for parameter in self.parameters.table() {
            let part = parameter.name.split('.').find(|part| HEADS.contains(part));
            if let Some(part) = part.filter(|part| !whole.contains(part))
                && !parameter.name.contains(".lora_")
            {
                whole.push(part);
            }
        }
        let adapter = AdapterToWrite {
            base: &self.folder,
            tuning: LowRankTuning::Lora(lora),
            rank_pattern: None,
            targets: match &lora.targets {
                Targets::AllLinear => &self.adapted,
                Targets::Named(names) => names,
            },
            saved_whole: &whole,
            task: match self.task {
                Task::Classes { .. } | Task::Labels { .. } | Task::Scores => "SEQ_CLS",
                Task::Tags { .. } => "TOKEN_CLS",
                Task::Spans => "QUESTION_ANS",
                Task::Vectors { .. } => "FEATURE_EXTRACTION",
            },
            by_columns: false,
        };
        let numbers = self.parameters.values();
        let tensors: Vec<AdapterTensor<'_>> = self
            .parameters
            .table()
            .iter()
            .map(|it| (&*it.name, &*it.shape, &numbers[it.range.clone()]))
            .collect();
        lora::write(to, &adapter, &tensors)
    }

    /// Returns `config.json`, with the head.
    fn config(&self) -> Result<Value, ModelError> {
        let path = &self.model.config.path;
        let mut value: serde_json::Map<String, Value> =
            serde_json::from_slice(&fs_err::read(path)?).map_err(|source| ModelError::Json {
                path: path.clone(),
                source,
            })?;
        let family = match value.get("model_type").and_then(Value::as_str) {
            Some("roberta") => "Roberta",
            Some("xlm-roberta") => "XLMRoberta",
            Some("camembert") => "Camembert",
            _ => "Bert",
        };
        let class = match self.task {
            Task::Classes { .. } | Task::Labels { .. } | Task::Scores => {
                "ForSequenceClassification"
            }
            Task::Tags { .. } => "ForTokenClassification",
            Task::Spans => "ForQuestionAnswering",
            Task::Vectors { .. } => "Model",
        };
        for key in [
            "id2label",
            "label2id",
            "problem_type",
            "num_labels",
            "torch_dtype",
            heads::THRESHOLD,
        ] {
            value.remove(key);
        }
        value.insert("architectures".into(), json!([format!("{family}{class}")]));
        value.insert("dtype".into(), "float32".into());
        let labels = match self.task {
            Task::Scores => &["LABEL_0".to_owned()],
            _ => self.task.labels(),
        };
        if !labels.is_empty() {
            let names = labels.iter().enumerate();
            let ids: serde_json::Map<String, Value> = names
                .clone()
                .map(|(id, name)| (id.to_string(), name.as_str().into()))
                .collect();
            let numbers: serde_json::Map<String, Value> =
                names.map(|(id, name)| (name.clone(), id.into())).collect();
            value.insert("id2label".into(), ids.into());
            value.insert("label2id".into(), numbers.into());
        }
        let problem = match self.task {
            Task::Classes { .. } => Some("single_label_classification"),
            Task::Labels { .. } => Some("multi_label_classification"),
            _ => None,
        };
        if let Some(problem) = problem {
            value.insert("problem_type".into(), problem.into());
        }
        Ok(value.into())
    }

    /// Writes what makes a sentence-transformers folder of an encoder's: as it was, or, if
    /// it was none, mean pooling.
    fn save_modules(&self, to: &Path) -> Result<(), ModelError> {
        copy(&self.folder.join(PROMPTS), &to.join(PROMPTS))?;
        let pooling = to.join(POOLING);
        if copy(&self.folder.join(MODULES), &to.join(MODULES))? {
            for entry in fs_err::read_dir(&self.folder)? {
                let entry = entry?;
                let file = "config.json";
                let from = entry.path().join(file);
                if entry.path().is_dir() && from.exists() {
                    let folder = to.join(entry.file_name());
                    fs_err::create_dir_all(&folder)?;
                    fs_err::copy(from, folder.join(file))?;
                }
            }
            return Ok(());
        }
        let module = |number: usize, path: &str, kind: &str| {
            json!({
                "idx": number,
                "name": number.to_string(),
                "path": path,
                "type": format!("sentence_transformers.models.{kind}"),
            })
        };
        let modules = json!([
            module(0, "", "Transformer"),
            module(1, POOLING, "Pooling"),
            module(2, "2_Normalize", "Normalize"),
        ]);
        fs_err::write(to.join(MODULES), modules.to_string())?;
        fs_err::create_dir_all(&pooling)?;
        let mean = json!({
            "word_embedding_dimension": self.model.config.width,
            "pooling_mode_cls_token": false,
            "pooling_mode_mean_tokens": true,
            "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
        });
        fs_err::write(pooling.join("config.json"), mean.to_string())?;
        Ok(())
    }

    /// Returns all tensors of the model.
    fn tensors(&self) -> Result<Tensors, ModelError> {
        let mut tensors = Tensors::new();
        let values = self.parameters.values();
        for parameter in self.parameters.table() {
            if !parameter.name.contains(".lora_") {
                let numbers = values[parameter.range.clone()].to_vec();
                tensors.insert(parameter.name.clone(), (parameter.shape.clone(), numbers));
            }
        }
        // What was not trained is as it was, and what an embedder has beside it too.
        let stored_prefix = HUGGING_FACE.prefix(&self.weights);
        let embedder = matches!(self.task, Task::Vectors { .. });
        for (stored, shape) in self.weights.shapes() {
            let Some(name) = stored.strip_prefix(stored_prefix) else {
                continue;
            };
            let own = ["embeddings.", "encoder.", "pooler."]
                .iter()
                .any(|start| name.starts_with(start));
            let head = name.starts_with("pooler.")
                && !embedder
                && !matches!(self.model.parts.head, super::build::Head::Sequence { .. });
            let name = name.replace(".gamma", ".weight").replace(".beta", ".bias");
            let name = format!("{}{name}", self.prefix);
            if !own || head || name.ends_with("position_ids") || tensors.contains_key(&name) {
                continue;
            }
            let numbers = self.weights.tensor(stored, shape)?;
            tensors.insert(name, (shape.to_vec(), numbers));
        }
        for (name, linear) in self.model.parts.adapted(&self.adapted) {
            let (_, numbers) = tensors
                .get_mut(&format!("{name}.weight"))
                .expect("what is adapted is a weight of the model");
            merge(linear, values, numbers);
        }
        Ok(tensors)
    }
}

impl Parts {
    /// Returns the linear parts that are adapted, with their names, which are in their
    /// order.
    fn adapted<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = (&'a str, &'a Linear)> {
        let of_layers = self.layers.iter().flat_map(|layer| {
            debug_assert!(
                matches!(layer.query_key_value, QueryKeyValue::Apart(_)) || names.is_empty()
            );
            layer.linears()
        });
        let adapted = of_layers
            .chain(self.head.linears())
            .filter(|linear| linear.adapter.is_some());
        names.iter().map(String::as_str).zip(adapted)
    }
}

/// Adds to `weight`, `(N, K)`, what the adapter adds: `s B A`; with DoRA each row is then
/// brought to the length that was learnt (Liu et al. 2024, eq. 5).
fn merge(linear: &Linear, values: &[f32], weight: &mut [f32]) {
    let Some(adapter) = &linear.adapter else {
        return;
    };
    let a = &values[adapter.a.clone()];
    let b = &values[adapter.b.clone()];
    for (output, row) in weight.chunks_exact_mut(linear.inputs).enumerate() {
        let b = &b[output * adapter.rank..][..adapter.rank];
        for (factor, a) in b.iter().zip(a.chunks_exact(linear.inputs)) {
            for (x, a) in row.iter_mut().zip(a) {
                *x += adapter.scale * factor * a;
            }
        }
        if let Some(magnitude) = &adapter.magnitude {
            let square: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
            let size = f64::from(values[magnitude.range.start + output]);
            let stretch = (size / square.max(f64::MIN_POSITIVE).sqrt()) as f32;
            row.iter_mut().for_each(|x| *x *= stretch);
        }
    }
}

/// Copies a file if it is there, and returns whether it is.
fn copy(from: &Path, to: &Path) -> Result<bool, ModelError> {
    let there = from.is_file();
    if there {
        fs_err::copy(from, to)?;
    }
    Ok(there)
}

fn write(path: &Path, tensors: &Tensors) -> Result<(), ModelError> {
    let about: Vec<TensorToWrite<'_>> = tensors
        .iter()
        .map(|(name, (shape, numbers))| TensorToWrite {
            name,
            dtype: "F32",
            shape,
            bytes: size_of_val(&**numbers),
        })
        .collect();
    let numbers: Vec<&Vec<f32>> = tensors.values().map(|(_, numbers)| numbers).collect();
    safetensors::write(path, &about, |number, file| {
        safetensors::write_f32(numbers[number], file)
    })
}
