//! Weights in safetensors files: one, or shards with an index.
//!
//! A file is a length (8 bytes, little-endian), that many bytes of JSON which give each
//! tensor its type, shape and place, and the numbers
//! (<https://github.com/huggingface/safetensors#format>). Files are mapped into memory,
//! not read: what is never looked at is never loaded. Everything a file says about
//! itself is checked before it is believed; what does not fit is an error that names the
//! tensor, never a panic.

#![expect(unsafe_code, reason = "files are mapped into memory")]

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use serde::Deserialize;
use tensor::{bf16_to_f32, f16_to_f32};

use crate::ModelError;

/// The single file.
const FILE: &str = "model.safetensors";
/// The index of the shards.
const INDEX: &str = "model.safetensors.index.json";
/// The longest header that is read, as in the reference reader.
const LONGEST_HEADER: u64 = 100_000_000;

/// All tensors of a model, by name.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    files: Vec<Arc<Mmap>>,
    tensors: HashMap<String, Place>,
}

/// Where a tensor is.
#[derive(Debug)]
struct Place {
    file: usize,
    path: PathBuf,
    dtype: String,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

/// A tensor that is used where it lies in its file if its numbers are `f32`, or else
/// widened in memory.
#[derive(Debug)]
pub struct Table(Numbers);

#[derive(Debug)]
enum Numbers {
    Mapped(Arc<Mmap>, Range<usize>),
    Owned(Vec<f32>),
}

impl Table {
    /// Returns its numbers, row by row.
    pub fn as_slice(&self) -> &[f32] {
        match &self.0 {
            Numbers::Mapped(file, bytes) => bytemuck::cast_slice(&file[bytes.clone()]),
            Numbers::Owned(numbers) => numbers,
        }
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Header {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

impl Weights {
    /// Opens the weights in `folder`: `model.safetensors`, or the shards that
    /// `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// If there are none, or a file is cut short, damaged, or contradicts itself.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let single = folder.join(FILE);
        if single.exists() {
            let mut weights = Self::empty(single.clone());
            weights.add(&single, |_| true)?;
            return Ok(weights);
        }
        let index_path = folder.join(INDEX);
        if !index_path.exists() {
            let torch = folder.join("pytorch_model.bin").exists();
            return Err(ModelError::FileMissing {
                folder: folder.to_path_buf(),
                file: FILE,
                hint: torch
                    .then_some("`pytorch_model.bin` is not read: save the model as safetensors"),
            });
        }
        let index: Index =
            serde_json::from_slice(&fs_err::read(&index_path)?).map_err(|source| {
                ModelError::Json {
                    path: index_path.clone(),
                    source,
                }
            })?;
        let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tensor, file) in &index.weight_map {
            if Path::new(file)
                .file_name()
                .is_none_or(|name| name != &**file)
            {
                return Err(ModelError::ShardName {
                    path: index_path,
                    found: file.clone(),
                });
            }
            shards.entry(file).or_default().push(tensor);
        }
        let mut weights = Self::empty(index_path);
        for (file, tensors) in shards {
            let path = folder.join(file);
            weights.add(&path, |name| {
                index.weight_map.get(name).is_some_and(|it| it == file)
            })?;
            for tensor in tensors {
                if !weights.tensors.contains_key(tensor) {
                    return Err(ModelError::TensorMissing {
                        path,
                        tensor: tensor.into(),
                    });
                }
            }
        }
        Ok(weights)
    }

    fn empty(path: PathBuf) -> Self {
        Self {
            path,
            files: Vec::new(),
            tensors: HashMap::new(),
        }
    }

    /// Adds the tensors of the file at `path` whose names are `wanted`.
    fn add(&mut self, path: &Path, wanted: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        let file = fs_err::File::open(path)?;
        // SAFETY: the map is read only. Should another program change the file
        // meanwhile, numbers are wrong, but each is still a number.
        let map = unsafe { Mmap::map(file.file()) }?;
        let size = map.len() as u64;
        let cut_short = |expected: u64| ModelError::CutShort {
            path: path.to_path_buf(),
            expected,
            found: size,
        };
        let Some(length) = map.first_chunk::<8>() else {
            return Err(cut_short(8));
        };
        let length = u64::from_le_bytes(*length);
        let start = length.saturating_add(8);
        if start > size || length > LONGEST_HEADER {
            return Err(cut_short(start));
        }
        let start = start as usize;
        let header: HashMap<String, serde_json::Value> = serde_json::from_slice(&map[8..start])
            .map_err(|source| ModelError::Json {
                path: path.to_path_buf(),
                source,
            })?;
        for (name, value) in header {
            if name == "__metadata__" || !wanted(&name) {
                continue;
            }
            let header: Header =
                serde_json::from_value(value).map_err(|source| ModelError::Json {
                    path: path.to_path_buf(),
                    source,
                })?;
            let [from, to] = header.data_offsets;
            let end = (start as u64).saturating_add(to.max(from));
            if end > size {
                return Err(cut_short(end));
            }
            self.tensors.insert(
                name,
                Place {
                    file: self.files.len(),
                    path: path.to_path_buf(),
                    dtype: header.dtype,
                    shape: header.shape,
                    bytes: start + from as usize..start + to as usize,
                },
            );
        }
        self.files.push(Arc::new(map));
        Ok(())
    }

    /// Returns the bytes of all files, for a fingerprint.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|file| &file[..])
    }

    /// Returns whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Returns the tensor `name`, row by row, widened to `f32`.
    ///
    /// # Errors
    /// If it is missing, or not of `shape`, or its type is not F32, F16 or BF16.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let (place, width) = self.place(name, shape)?;
        let bytes = &self.files[place.file][place.bytes.clone()];
        Ok(match (width, &*place.dtype) {
            (4, _) => bytes
                .as_chunks()
                .0
                .iter()
                .map(|four| f32::from_le_bytes(*four))
                .collect(),
            (_, "F16") => bytes
                .as_chunks()
                .0
                .iter()
                .map(|two| f16_to_f32(u16::from_le_bytes(*two)))
                .collect(),
            _ => bytes
                .as_chunks()
                .0
                .iter()
                .map(|two| bf16_to_f32(u16::from_le_bytes(*two)))
                .collect(),
        })
    }

    /// Returns the tensor `name` without reading it, if its numbers can be used where
    /// they lie.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn table(&self, name: &str, shape: &[usize]) -> Result<Table, ModelError> {
        let (place, width) = self.place(name, shape)?;
        let file = &self.files[place.file];
        let aligned = bytemuck::try_cast_slice::<u8, f32>(&file[place.bytes.clone()]).is_ok();
        if width == 4 && aligned && cfg!(target_endian = "little") {
            return Ok(Table(Numbers::Mapped(file.clone(), place.bytes.clone())));
        }
        Ok(Table(Numbers::Owned(self.tensor(name, shape)?)))
    }

    /// Returns where the tensor `name` is, after all checks, and the bytes of one number.
    fn place(&self, name: &str, shape: &[usize]) -> Result<(&Place, usize), ModelError> {
        let Some(place) = self.tensors.get(name) else {
            return Err(ModelError::TensorMissing {
                path: self.path.clone(),
                tensor: name.into(),
            });
        };
        let width = match &*place.dtype {
            "F32" => 4,
            "F16" | "BF16" => 2,
            other => {
                return Err(ModelError::TensorType {
                    path: place.path.clone(),
                    tensor: name.into(),
                    found: other.into(),
                });
            }
        };
        if place.shape != shape {
            return Err(ModelError::TensorShape {
                path: place.path.clone(),
                tensor: name.into(),
                expected: shape.to_vec(),
                found: place.shape.clone(),
            });
        }
        let expected = shape
            .iter()
            .try_fold(width, |bytes: usize, size| bytes.checked_mul(*size))
            .map_or(u64::MAX, |bytes| bytes as u64);
        let found = place.bytes.len() as u64;
        if expected != found {
            return Err(ModelError::TensorLength {
                path: place.path.clone(),
                tensor: name.into(),
                expected,
                found,
            });
        }
        Ok((place, width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    /// Returns the numbers of tensor `w` of shape `(2)`, or the error's words.
    fn read(bytes: &[u8]) -> Result<Vec<f32>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join(FILE), bytes).unwrap();
        let here = format!("`{}", folder.path().display());
        Weights::open(folder.path())
            .and_then(|weights| {
                let table = weights.table("w", &[2])?.as_slice().to_vec();
                assert_eq!(table, weights.tensor("w", &[2])?);
                Ok(table)
            })
            .map_err(|error| error.to_string().replace(&here, "`."))
    }

    #[test]
    fn three_types_are_read() {
        for (dtype, data, expect) in [
            ("F32", &[0, 0, 128, 63, 0, 0, 0, 192][..], [1.0, -2.0]),
            ("F16", &[0, 60, 0, 192], [1.0, -2.0]),
            ("BF16", &[128, 63, 0, 192], [1.0, -2.0]),
        ] {
            let header = format!(
                r#"{{"__metadata__":{{"format":"pt"}},"w":{{"dtype":"{dtype}","shape":[2],"data_offsets":[0,{}]}}}}"#,
                data.len()
            );
            // With a space more, the numbers of the file are not aligned.
            for padding in ["", " ", "  ", "   "] {
                let bytes = file(&format!("{header}{padding}"), data);
                assert_eq!(read(&bytes).unwrap(), expect, "{dtype}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (header, expect) in [
            (
                r#"{"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
                "`./model.safetensors` has no tensor `w`",
            ),
            (
                r#"{"w":{"dtype":"I64","shape":[2],"data_offsets":[0,8]}}"#,
                "tensor `w` in `./model.safetensors` is of type I64, expected F32, F16 or BF16",
            ),
            (
                r#"{"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}"#,
                "tensor `w` in `./model.safetensors` has shape [2, 1], expected [2]",
            ),
            (
                r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
                "tensor `w` in `./model.safetensors` has 4 bytes, expected 8",
            ),
            (
                r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
                "tensor `w` in `./model.safetensors` has 0 bytes, expected 8",
            ),
            (
                r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}"#,
                "`./model.safetensors` has 71 bytes, expected 79: it is cut short or damaged",
            ),
            (
                r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}"#,
                "`./model.safetensors` has 89 bytes, expected 18446744073709551615: it is cut short or damaged",
            ),
            (
                r#"{"w":{"dtype":"F32"}}"#,
                "`./model.safetensors` is not as expected",
            ),
            ("[]", "`./model.safetensors` is not as expected"),
        ] {
            assert_eq!(read(&file(header, &[0; 8])).unwrap_err(), expect);
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error() {
        let header = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let whole = file(header, &[0; 8]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(read(&whole).unwrap(), [0.0, 0.0]);
        let mut long = whole.clone();
        long[7] = 255;
        assert!(read(&long).unwrap_err().contains("cut short"));
    }

    #[test]
    fn shards_are_one_model() {
        let folder = tempfile::tempdir().unwrap();
        let header = |name: &str| {
            format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#)
        };
        let put =
            |name: &str, bytes: &[u8]| fs_err::write(folder.path().join(name), bytes).unwrap();
        put("a.safetensors", &file(&header("a"), &1f32.to_le_bytes()));
        put("b.safetensors", &file(&header("b"), &2f32.to_le_bytes()));
        let index = |map: &str| put(INDEX, format!(r#"{{"weight_map":{map}}}"#).as_bytes());
        index(r#"{"a":"a.safetensors","b":"b.safetensors"}"#);
        let weights = Weights::open(folder.path()).unwrap();
        assert_eq!(weights.tensor("a", &[1]).unwrap(), [1.0]);
        assert_eq!(weights.tensor("b", &[1]).unwrap(), [2.0]);

        index(r#"{"a":"b.safetensors"}"#);
        let error = Weights::open(folder.path()).unwrap_err();
        assert!(matches!(error, ModelError::TensorMissing { tensor, .. } if tensor == "a"));
        for out in ["../a.safetensors", "/a.safetensors", "", ".."] {
            index(&format!(r#"{{"a":"{out}"}}"#));
            let error = Weights::open(folder.path()).unwrap_err();
            assert!(matches!(error, ModelError::ShardName { found, .. } if found == out));
        }
    }

    #[test]
    fn other_formats_are_pointed_out() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("pytorch_model.bin"), b"").unwrap();
        let error = Weights::open(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("save the model as safetensors"), "{error}");
    }
}
