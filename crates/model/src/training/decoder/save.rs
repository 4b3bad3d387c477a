//! A trained decoder on the disk: weights as transformers reads them, adapters as PEFT
//! does.

use std::path::Path;

use tensor::Layout;

use super::DecoderTraining;
use crate::ModelError;
use crate::lora::{self, AdapterTensor, AdapterToWrite};
use crate::safetensors::{self, TensorToWrite};
use crate::training::{Lora, Parameter, Targets, Tuning};
use crate::weights::FILE;

const CONFIG: &str = "config.json";

impl DecoderTraining {
    /// Writes what was trained to `folder`, which is made if it is not there. A whole model
    /// becomes a Hugging Face folder, with what else was in the one it was opened in, its
    /// numbers as `f32`; an adapter a folder as PEFT reads it. On return all is on the
    /// disk.
    ///
    /// # Errors
    /// If something could not be read or written.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        fs_err::create_dir_all(folder)?;
        match &self.tuning {
            Tuning::Full => self.save_whole(folder),
            Tuning::Lora(lora) | Tuning::QLora(lora) => self.save_adapter(folder, lora),
        }
    }

    fn save_whole(&self, folder: &Path) -> Result<(), ModelError> {
        let mut config = self.config.hugging_face();
        if let Some(from) = &self.folder {
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

    fn save_adapter(&self, folder: &Path, lora: &Lora) -> Result<(), ModelError> {
        let targets = match &lora.targets {
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
        let adapter = AdapterToWrite {
            base: self.folder.as_deref().unwrap_or(&self.config.path),
            lora,
            targets: &targets,
            saved_whole: &[],
            task: "CAUSAL_LM",
            by_columns: self.names.layout == Layout::Columns,
        };
        let tensors: Vec<AdapterTensor<'_>> = self
            .parameters
            .table()
            .iter()
            .map(|it| (&*it.name, &*it.shape, self.numbers(it)))
            .collect();
        lora::write(folder, &adapter, &tensors)
    }

    fn numbers(&self, parameter: &Parameter) -> &[f32] {
        &self.parameters.values()[parameter.range.clone()]
    }
}
