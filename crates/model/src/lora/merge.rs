//! A model and adapters written as one model.

use std::num::NonZeroUsize;
use std::path::Path;

use tensor::Layout;

use super::{Adapter, LowRank, Place};
use crate::ModelError;
use crate::decoder::{Decoder, DecoderOptions};
use crate::safetensors::{self, TensorToWrite};
use crate::weights::{FILE, Weights};

const CONFIG: &str = "config.json";

/// Writes the model in the Hugging Face folder `base`, with `adapters` merged into it
/// (each with its weight: 1 is as it was trained), to the folder `to`, as transformers
/// reads it. Numbers stay of the type they are of in `base`; everything in `base` that
/// is not weights is copied.
///
/// # Errors
/// If `base` is no such folder, an adapter does not fit it, `to` is not empty, or
/// something could not be read or written.
pub fn merge(base: &Path, adapters: &[(&Path, f32)], to: &Path) -> Result<(), ModelError> {
    if !base.join(CONFIG).exists() {
        return Err(ModelError::FileMissing {
            folder: base.to_path_buf(),
            file: CONFIG,
            hint: Some("adapters are merged only into Hugging Face folders"),
        });
    }
    let options = DecoderOptions {
        threads: Some(NonZeroUsize::MIN),
        ..DecoderOptions::default()
    };
    let decoder = Decoder::open(base, &options)?;
    let weights = Weights::open(base)?;
    let adapters = to_merge(&decoder, adapters)?;
    fs_err::create_dir_all(to)?;
    if fs_err::read_dir(to)?.next().is_some() {
        return Err(ModelError::FolderNotEmpty {
            folder: to.to_path_buf(),
        });
    }
    copy_others(base, to)?;
    write(&decoder, &weights, &adapters, &to.join(FILE))
}

/// Copies the files in a model's folder that are not weights.
pub(crate) fn copy_others(from: &Path, to: &Path) -> Result<(), ModelError> {
    for entry in fs_err::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else {
            continue;
        };
        let text = name.to_string_lossy();
        let is_weights = [".safetensors", ".index.json", ".bin", ".pt", ".gguf", ".h5"]
            .iter()
            .any(|end| text.ends_with(end));
        if !is_weights {
            fs_err::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Writes one safetensors file: all of `weights`, with what `adapters` add.
fn write(
    decoder: &Decoder,
    weights: &Weights,
    adapters: &[(Adapter, f32)],
    path: &Path,
) -> Result<(), ModelError> {
    let mut names: Vec<&str> = weights.shapes().map(|(name, _)| name).collect();
    names.sort_unstable();
    let raw: Vec<_> = names.iter().map(|name| weights.raw(name)).collect();
    let tensors: Vec<_> = names
        .iter()
        .zip(&raw)
        .map(|(name, raw)| TensorToWrite {
            name,
            dtype: raw.dtype,
            shape: raw.shape,
            bytes: raw.bytes.len(),
        })
        .collect();
    safetensors::write(path, &tensors, |number, file| {
        let place = names[number]
            .strip_suffix(".weight")
            .and_then(|name| decoder.place(name));
        let sum = place.and_then(|place| Some((place, adapted(decoder, place, adapters)?)));
        match sum {
            Some((place, sum)) => file.write_all(&merged(decoder, place, sum)),
            None => file.write_all(raw[number].bytes),
        }
    })
}

/// Returns the numbers of a weight, `(N, K)`, with `parts` added.
fn summed(decoder: &Decoder, place: Place, parts: &[(&LowRank, f32)]) -> Vec<f32> {
    let base = decoder.weight(place).numbers();
    let mut numbers = base.clone();
    for (part, weight) in parts {
        for (number, delta) in numbers.iter_mut().zip(part.delta(&base, *weight)) {
            *number += delta;
        }
    }
    numbers
}

/// Returns what `adapters` make of the weight of a linear part, `(N, K)`; nothing, if they
/// leave it as it is.
pub(crate) fn adapted(
    decoder: &Decoder,
    place: Place,
    adapters: &[(Adapter, f32)],
) -> Option<Vec<f32>> {
    let parts: Vec<(&LowRank, f32)> = adapters
        .iter()
        .filter_map(|(adapter, weight)| Some((adapter.at(place)?, *weight)))
        .collect();
    (!parts.is_empty()).then(|| summed(decoder, place, &parts))
}

/// Opens `adapters` to be merged into the weights of `decoder`.
///
/// # Errors
/// If one does not fit, has bottlenecks, or has a part for a head that is the embedding table.
pub(crate) fn to_merge(
    decoder: &Decoder,
    adapters: &[(&Path, f32)],
) -> Result<Vec<(Adapter, f32)>, ModelError> {
    let adapters = adapters
        .iter()
        .map(|(folder, weight)| Ok((Adapter::open(folder, decoder)?, *weight)))
        .collect::<Result<Vec<_>, ModelError>>()?;
    if let Some((adapter, _)) = adapters.iter().find(|(it, _)| !it.bottlenecks.is_empty()) {
        return Err(ModelError::NotMergeable {
            adapter: adapter.path.clone(),
        });
    }
    if decoder.config().tied
        && let Some((adapter, _)) = adapters.iter().find(|(it, _)| it.head.is_some())
    {
        return Err(ModelError::AdapterBase {
            adapter: adapter.path.clone(),
            trained_on: adapter.trained_on.clone(),
            model: decoder.config().path.clone(),
            found: "a part for the head".into(),
            expected: "has none of its own to merge it into".into(),
        });
    }
    Ok(adapters)
}

/// Returns the bytes of a weight whose numbers are `numbers`, `(N, K)`, as it lies in its
/// file.
fn merged(decoder: &Decoder, place: Place, numbers: Vec<f32>) -> Vec<u8> {
    let matrix = decoder.weight(place);
    let (inputs, outputs) = (matrix.inputs(), matrix.outputs());
    let mut numbers = numbers;
    if matrix.view().layout() == Layout::Columns {
        let mut columns = Vec::with_capacity(numbers.len());
        for input in 0..inputs {
            columns.extend((0..outputs).map(|output| numbers[output * inputs + input]));
        }
        numbers = columns;
    }
    let format = matrix.view().format();
    let mut bytes = vec![
        0;
        format
            .bytes(numbers.len())
            .expect("it was read as that many")
    ];
    let written = format.narrow(&numbers, &mut bytes);
    assert!(written, "safetensors hold formats that can be written");
    bytes
}
