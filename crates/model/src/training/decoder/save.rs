//! A trained decoder on the disk: weights as transformers reads them, adapters as PEFT
//! does.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::json;
use tensor::{Format, Layout, Pairs};

use super::DecoderTraining;
use crate::ModelError;
use crate::decoder::{self, Positions, halves, side_by_side};
use crate::gguf::{self, Gguf, Metadata};
use crate::lora::{self, AdapterTensor, AdapterToWrite, Module, bottleneck};
use crate::safetensors::{self, TensorToWrite};
use crate::training::{LowRankTuning, Parameter, Targets, Tuning};
use crate::weights::{FILE, Weights};

const CONFIG: &str = "config.json";
/// The end of the name of AdaLoRA's diagonals.
const DIAGONAL: &str = "lora_E";

impl DecoderTraining {
    /// Writes what was trained to `folder`, which is made if it is not there. A whole model
    /// becomes a Hugging Face folder, with what else was in the one it was opened in, its
    /// numbers as `f32`, or, opened from a GGUF file, the folder of one; an adapter a folder as
    /// PEFT reads it. On return all is on the disk.
    ///
    /// # Errors
    /// If something could not be read or written.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        fs_err::create_dir_all(folder)?;
        match (&self.tuning, self.tuning.low_rank()) {
            (_, Some(tuning)) => self.save_adapter(folder, tuning),
            (Tuning::Bottleneck(tuning), _) => {
                let base = self.opened.as_deref().unwrap_or(&self.config.path);
                let config = self.config.hugging_face();
                let kind = config["model_type"].as_str().unwrap_or("llama");
                let table = self.parameters.table().iter();
                let tensors: Vec<AdapterTensor<'_>> = table
                    .map(|it| (&*it.name, &*it.shape, self.numbers(it)))
                    .collect();
                bottleneck::write(folder, tuning, (base, kind, self.config.width), &tensors)
            }
            (_, None) => self.save_whole(folder),
        }
    }

    fn save_whole(&self, folder: &Path) -> Result<(), ModelError> {
        let mut config = self.config.hugging_face();
        if let Some(file) = self.opened.as_ref().filter(|it| it.is_file()) {
            return self.save_gguf(file, folder);
        }
        if let Some(from) = &self.opened {
            lora::copy_others(from, folder)?;
            let path = from.join(CONFIG);
            config = serde_json::from_slice(&fs_err::read(&path)?)
                .map_err(|source| ModelError::Json { path, source })?;
            if let Some(config) = config.as_object_mut() {
                config.remove("torch_dtype");
                config.insert("dtype".into(), "float32".into());
            }
        }
        let mut text = serde_json::to_string_pretty(&config).expect("it is plain values");
        text.push('\n');
        fs_err::write(folder.join(CONFIG), text)?;
        let table = self.parameters.table();
        let tensors: Vec<TensorToWrite<'_>> = table
            .iter()
            .map(|parameter| TensorToWrite {
                name: &parameter.name,
                dtype: "F32",
                shape: &parameter.shape,
                bytes: parameter.range.len() * size_of::<f32>(),
            })
            .collect();
        safetensors::write(&folder.join(FILE), &tensors, |tensor, file| {
            safetensors::write_f32(self.numbers(&table[tensor]), file)
        })
    }

    /// Writes the model with what else is in the GGUF file that it was opened from.
    fn save_gguf(&self, file: &Path, folder: &Path) -> Result<(), ModelError> {
        let from = Gguf::open(file)?;
        let mut metadata = Metadata::default();
        metadata.copy(&from, |key| !key.starts_with("split."));
        // `LLAMA_FTYPE_ALL_F32`
        metadata.size("general.file_type", 0);
        let names = decoder::gguf_names_of(self.config.architecture);
        let parts = side_by_side(self.names, names, self.config.layers());
        let learnt: HashMap<String, &Parameter> = self
            .parameters
            .table()
            .iter()
            .filter_map(|parameter| {
                let (part, end) = parameter.name.rsplit_once('.')?;
                let part = part.strip_prefix(self.names.prefixes[0]).unwrap_or(part);
                let part = parts.iter().find(|it| it.from == part)?;
                Some((format!("{}.{end}", part.to), parameter))
            })
            .collect();
        let weights = Weights::of_gguf(&from);
        let mut tensors = Vec::new();
        for tensor in from.tensors() {
            let raw = weights.raw(&tensor.name);
            let format = match learnt.contains_key(&tensor.name) {
                true => Some(Format::F32),
                false => Format::ALL.into_iter().find(|it| it.name() == raw.dtype),
            };
            // What no part of the model reads, in a type that is not known, is left out.
            if let Some(format) = format {
                tensors.push(gguf::TensorToWrite {
                    name: tensor.name.clone(),
                    format,
                    shape: tensor.shape.clone(),
                });
            }
        }
        let name = file.file_name().unwrap_or_default();
        gguf::write(&folder.join(name), &metadata, &tensors, |number, to| {
            let name = &tensors[number].name;
            match learnt.get(name) {
                Some(parameter) => safetensors::write_f32(self.numbers(parameter), to),
                None => to.write_all(weights.raw(name).bytes),
            }
        })
    }

    fn save_adapter(&self, folder: &Path, tuning: LowRankTuning<'_>) -> Result<(), ModelError> {
        let targets = match tuning.targets() {
            Targets::Named(names) => names.clone(),
            Targets::AllLinear => {
                let ends = self.adapted.iter().map(|name| {
                    let end = name.rsplit('.').next();
                    end.expect("a name has an end").to_owned()
                });
                let mut ends: Vec<String> = ends.collect();
                ends.sort_unstable();
                ends.dedup();
                ends
            }
        };
        let remaining = self.remaining();
        let adapter = AdapterToWrite {
            base: self.opened.as_deref().unwrap_or(&self.config.path),
            tuning,
            rank_pattern: (!remaining.is_empty()).then(|| json!(remaining)),
            targets: &targets,
            saved_whole: &[],
            task: "CAUSAL_LM",
            by_columns: self.names.layout == Layout::Columns,
        };
        let kept: Vec<(Vec<usize>, Vec<f32>)> = self
            .parameters
            .table()
            .iter()
            .map(|it| {
                let part = it.name.rsplit_once('.').map_or("", |(part, _)| part);
                let (shape, numbers) = match remaining.get(&format!("{part}.{DIAGONAL}")) {
                    Some(remaining) => kept(it, self.numbers(it), remaining),
                    None => (it.shape.clone(), self.numbers(it).to_vec()),
                };
                let numbers = self.in_usual_order(&it.name, &shape, numbers);
                (shape, numbers)
            })
            .collect();
        let names = self.parameters.table().iter().map(|it| &*it.name);
        let tensors: Vec<AdapterTensor<'_>> = names
            .zip(&kept)
            .map(|(name, (shape, numbers))| (name, &**shape, &**numbers))
            .collect();
        lora::write(folder, &adapter, &tensors)
    }

    /// Returns which ranks AdaLoRA has left, by the names of the diagonals they are in.
    fn remaining(&self) -> BTreeMap<String, Vec<bool>> {
        let all = self.parameters.table().iter();
        all.filter(|it| it.name.ends_with(DIAGONAL))
            .map(|it| {
                let remaining = self.numbers(it).iter().map(|x| *x != 0.0);
                (it.name.clone(), remaining.collect())
            })
            .collect()
    }

    /// Returns the numbers of an adapter's tensor, its rows as transformers has them: a GGUF
    /// file of a Llama has those of queries and keys in another order.
    fn in_usual_order(&self, name: &str, shape: &[usize], numbers: Vec<f32>) -> Vec<f32> {
        let neighbours = matches!(
            &self.config.positions,
            Positions::Rotary(it) if it.pairs == Pairs::Neighbours
        );
        // What comes out of a part are the rows of `B`, and the magnitudes.
        let ends = [".lora_B.weight", ".lora_B", ".lora_magnitude_vector"];
        let part = ends.iter().find_map(|end| name.strip_suffix(end));
        let part = part.map(|part| part.strip_prefix(self.names.prefixes[0]).unwrap_or(part));
        let heads = match part.and_then(|part| self.names.module(part)) {
            Some((_, Module::Query)) if neighbours => self.config.heads,
            Some((_, Module::Key)) if neighbours => self.config.key_heads,
            _ => return numbers,
        };
        halves(&numbers, heads, shape.get(1).copied().unwrap_or(1))
    }

    fn numbers(&self, parameter: &Parameter) -> &[f32] {
        &self.parameters.values()[parameter.range.clone()]
    }
}

/// Returns the shape and the numbers of a tensor of a low-rank part without the ranks that do
/// not remain: rows, or columns of `lora_B`.
fn kept(parameter: &Parameter, numbers: &[f32], remaining: &[bool]) -> (Vec<usize>, Vec<f32>) {
    let rank = remaining.iter().filter(|it| **it).count();
    let [rows, columns] = parameter.shape[..] else {
        unreachable!("low-rank parts are matrices");
    };
    let by_columns = parameter.name.ends_with("lora_B");
    let remains = |at: usize| {
        remaining[if by_columns {
            at % columns
        } else {
            at / columns
        }]
    };
    let numbers = numbers.iter().enumerate().filter(|(at, _)| remains(*at));
    let shape = match by_columns {
        true => vec![rows, rank],
        false => vec![rank, columns],
    };
    (shape, numbers.map(|(_, x)| *x).collect())
}
