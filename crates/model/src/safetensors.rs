//! Writing safetensors files: a header that names every tensor, then their numbers
//! (<https://github.com/huggingface/safetensors#format>).

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::ModelError;

/// A tensor that is going to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TensorToWrite<'a> {
    pub(crate) name: &'a str,
    /// What the file calls the type of its numbers.
    pub(crate) dtype: &'a str,
    pub(crate) shape: &'a [usize],
    /// How long its numbers are.
    pub(crate) bytes: usize,
}

/// Writes `tensors` to a new file at `path`, their numbers as `numbers` writes them, one
/// tensor after another. When it returns they are on the disk.
///
/// # Errors
/// If something could not be written.
pub(crate) fn write(
    path: &Path,
    tensors: &[TensorToWrite<'_>],
    mut numbers: impl FnMut(usize, &mut dyn Write) -> std::io::Result<()>,
) -> Result<(), ModelError> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!({"format": "pt"}));
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end += tensor.bytes;
        let about = serde_json::json!({
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": [start, end],
        });
        header.insert(tensor.name.to_owned(), about);
    }
    let mut header = serde_json::Value::Object(header).to_string();
    // Numbers begin at a multiple of 8 bytes, as other writers have it.
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut file = BufWriter::new(fs_err::File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for number in 0..tensors.len() {
        numbers(number, &mut file)?;
    }
    file.into_inner()
        .map_err(|error| ModelError::Io(error.into_error()))?
        .sync_all()?;
    Ok(())
}

/// Writes `numbers` as they are, little-endian.
///
/// # Errors
/// If they could not be written.
pub(crate) fn write_f32(numbers: &[f32], file: &mut dyn Write) -> std::io::Result<()> {
    let mut bytes = [0; 4 << 10];
    for numbers in numbers.chunks(bytes.len() / 4) {
        for (bytes, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        file.write_all(&bytes[..4 * numbers.len()])?;
    }
    Ok(())
}

/// Writes tensors, each its name, its shape and its numbers, as `f32`.
pub(crate) fn write_tensors(
    path: &Path,
    tensors: &[(&str, &[usize], &[f32])],
) -> Result<(), ModelError> {
    let written: Vec<TensorToWrite<'_>> = tensors
        .iter()
        .map(|(name, shape, numbers)| TensorToWrite {
            name,
            dtype: "F32",
            shape,
            bytes: size_of_val(*numbers),
        })
        .collect();
    write(path, &written, |tensor, file| {
        write_f32(tensors[tensor].2, file)
    })
}
