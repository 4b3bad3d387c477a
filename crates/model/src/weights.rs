//! Weights in safetensors files (one, or shards with an index) and in GGUF.
//!
//! A safetensors file is a length (8 bytes, little-endian), that many bytes of JSON
//! which give each tensor its type, shape and place, and the numbers
//! (<https://github.com/huggingface/safetensors#format>). Files are mapped into memory,
//! not read: what is never looked at is never loaded, and matrices are used where they
//! lie. Everything a file says about itself is checked before it is believed; what does
//! not fit is an error that names the tensor, never a panic.

#![expect(unsafe_code, reason = "files are mapped into memory")]

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};
use serde::Deserialize;
use tensor::{Format, Layout, StoredMatrix};

use crate::ModelError;
use crate::gguf::{GgmlType, Gguf};

/// The single file.
pub(crate) const FILE: &str = "model.safetensors";
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
    /// How its numbers are stored, or what the file calls it if that is not read here.
    format: Result<Format, String>,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

/// A tensor as its file has it.
pub(crate) struct Raw<'a> {
    /// What the file calls the type of its numbers.
    pub(crate) dtype: &'a str,
    pub(crate) shape: &'a [usize],
    pub(crate) bytes: &'a [u8],
}

/// A tensor that is used where it lies in its file.
#[derive(Clone, Debug)]
pub struct Matrix {
    file: Arc<Mmap>,
    bytes: Range<usize>,
    format: Format,
    inputs: usize,
    outputs: usize,
    layout: Layout,
}

impl Matrix {
    /// Returns it as the kernels take it.
    pub fn view(&self) -> StoredMatrix<'_> {
        let bytes = &self.file[self.bytes.clone()];
        StoredMatrix::new(self.format, self.layout, self.inputs, self.outputs, bytes)
    }

    /// Returns its numbers, `(N, K)`, widened.
    pub fn numbers(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.inputs * self.outputs];
        let bytes = &self.file[self.bytes.clone()];
        match self.layout {
            Layout::Rows => self.format.widen(bytes, &mut numbers),
            Layout::Columns => {
                let mut columns = numbers.clone();
                self.format.widen(bytes, &mut columns);
                for (input, column) in columns.chunks_exact(self.outputs).enumerate() {
                    for (output, number) in column.iter().enumerate() {
                        numbers[output * self.inputs + input] = *number;
                    }
                }
            }
        }
        numbers
    }

    /// Returns `K`, the width of what goes in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns `N`, the width of what comes out.
    pub fn outputs(&self) -> usize {
        self.outputs
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
            return Self::open_file(&single);
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

    /// Opens one safetensors file.
    ///
    /// # Errors
    /// As [`Weights::open`].
    pub fn open_file(path: &Path) -> Result<Self, ModelError> {
        let mut weights = Self::empty(path.to_path_buf());
        weights.add(path, |_| true)?;
        Ok(weights)
    }

    /// Takes the bytes of a safetensors file; `path` is what errors name.
    ///
    /// # Errors
    /// As [`Weights::open`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, ModelError> {
        let mut map = MmapMut::map_anon(bytes.len().max(1))?;
        map[..bytes.len()].copy_from_slice(bytes);
        let mut weights = Self::empty(path.to_path_buf());
        weights.take(map.make_read_only()?, path, |_| true)?;
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
        self.take(map, path, wanted)
    }

    /// Adds the tensors of `map`, which is the file at `path`.
    fn take(
        &mut self,
        map: Mmap,
        path: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), ModelError> {
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
        // Where the last tensor ends, whichever is looked at first.
        let mut furthest = size;
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
            furthest = furthest.max(end);
            if end > size {
                continue;
            }
            self.tensors.insert(
                name,
                Place {
                    file: self.files.len(),
                    path: path.to_path_buf(),
                    format: match &*header.dtype {
                        "F32" => Ok(Format::F32),
                        "F16" => Ok(Format::F16),
                        "BF16" => Ok(Format::Bf16),
                        _ => Err(header.dtype),
                    },
                    shape: header.shape,
                    bytes: start + from as usize..start + to as usize,
                },
            );
        }
        if furthest > size {
            return Err(cut_short(furthest));
        }
        self.files.push(Arc::new(map));
        Ok(())
    }

    /// Takes over the tensors of a GGUF file.
    pub fn of_gguf(gguf: &Gguf) -> Self {
        let mut weights = Self::empty(gguf.path().to_path_buf());
        for tensor in gguf.tensors() {
            let (file, bytes) = gguf.place(tensor);
            let known = weights.files.iter().position(|it| Arc::ptr_eq(it, &file));
            let number = known.unwrap_or_else(|| {
                weights.files.push(file);
                weights.files.len() - 1
            });
            let place = Place {
                file: number,
                path: gguf.path().to_path_buf(),
                format: match tensor.kind {
                    GgmlType::F32 => Ok(Format::F32),
                    GgmlType::F16 => Ok(Format::F16),
                    GgmlType::BF16 => Ok(Format::Bf16),
                    GgmlType::Q8_0 => Ok(Format::Q8_0),
                    GgmlType::Q4_0 => Ok(Format::Q4_0),
                    GgmlType::Q4_K => Ok(Format::Q4K),
                    GgmlType::Q6_K => Ok(Format::Q6K),
                    other => Err(other.to_string()),
                },
                shape: tensor.shape.clone(),
                bytes,
            };
            weights.tensors.insert(tensor.name.clone(), place);
        }
        weights
    }

    /// Returns the file that was opened, or the index of the shards.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bytes of all files, for a fingerprint.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|file| &file[..])
    }

    /// Returns whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Returns the shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| &*place.shape)
    }

    /// Returns the names and shapes of all tensors, in no order.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors
            .iter()
            .map(|(name, place)| (&**name, &*place.shape))
    }

    /// Returns the tensor `name` as its file has it. Panics if there is none.
    pub(crate) fn raw(&self, name: &str) -> Raw<'_> {
        let place = &self.tensors[name];
        Raw {
            dtype: match &place.format {
                Ok(format) => format.name(),
                Err(other) => other,
            },
            shape: &place.shape,
            bytes: &self.files[place.file][place.bytes.clone()],
        }
    }

    /// Returns the tensor `name`, row by row, widened to `f32`.
    ///
    /// # Errors
    /// If it is missing, or not of `shape`, or its numbers are of a kind that is not
    /// read.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let (place, format) = self.place(name, shape)?;
        let mut numbers = vec![0.0; shape.iter().product()];
        format.widen(&self.files[place.file][place.bytes.clone()], &mut numbers);
        Ok(numbers)
    }

    /// Sets `numbers` to the tensor `name`, row by row, widened to `f32`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub(crate) fn read(
        &self,
        name: &str,
        shape: &[usize],
        numbers: &mut [f32],
    ) -> Result<(), ModelError> {
        let (place, format) = self.place(name, shape)?;
        format.widen(&self.files[place.file][place.bytes.clone()], numbers);
        Ok(())
    }

    /// Returns the tensor `name` without reading it, as the matrix of a linear part of
    /// `inputs` and `outputs`.
    ///
    /// # Errors
    /// As [`Weights::tensor`]; or if it lies by columns in blocks.
    pub fn matrix(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
        layout: Layout,
    ) -> Result<Matrix, ModelError> {
        let shape = match layout {
            Layout::Rows => [outputs, inputs],
            Layout::Columns => [inputs, outputs],
        };
        let (place, format) = self.place(name, &shape)?;
        if layout == Layout::Columns && format.block_numbers() > 1 {
            return Err(ModelError::TensorType {
                path: place.path.clone(),
                tensor: name.into(),
                found: format.to_string(),
                expected: "F32, F16 or BF16",
            });
        }
        Ok(Matrix {
            file: self.files[place.file].clone(),
            bytes: place.bytes.clone(),
            format,
            inputs,
            outputs,
            layout,
        })
    }

    /// Returns where the tensor `name` is, after all checks, and how it is stored.
    fn place(&self, name: &str, shape: &[usize]) -> Result<(&Place, Format), ModelError> {
        let Some(place) = self.tensors.get(name) else {
            return Err(ModelError::TensorMissing {
                path: self.path.clone(),
                tensor: name.into(),
            });
        };
        let format = match &place.format {
            Ok(format) => *format,
            Err(found) => {
                return Err(ModelError::TensorType {
                    path: place.path.clone(),
                    tensor: name.into(),
                    found: found.clone(),
                    expected: "F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K",
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
        let rows_are_whole = shape
            .last()
            .is_none_or(|row| row.is_multiple_of(format.block_numbers()));
        let expected = shape
            .iter()
            .try_fold(1, |numbers: usize, size| numbers.checked_mul(*size))
            .filter(|_| rows_are_whole)
            .and_then(|numbers| format.bytes(numbers))
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
        Ok((place, format))
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
            .and_then(|weights| weights.tensor("w", &[2]))
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
                "tensor `w` in `./model.safetensors` is of type I64, expected F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K",
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
    fn a_file_that_is_cut_says_how_long_it_was() {
        let tensor = |at: usize| {
            let (name, from, to) = (b'a' + at as u8, 4 * at, 4 * at + 4);
            let name = char::from(name);
            format!(r#""{name}":{{"dtype":"F32","shape":[1],"data_offsets":[{from},{to}]}}"#)
        };
        let header = format!("{{{}}}", (0..9).map(tensor).collect::<Vec<_>>().join(","));
        let whole = file(&header, &[0; 36]);
        for left in [1, 9, 17, 35] {
            let cut = &whole[..whole.len() - 36 + left];
            let expect = format!("has {} bytes, expected {}", cut.len(), whole.len());
            assert!(read(cut).unwrap_err().contains(&expect));
        }
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
