//! GGUF files, as llama.cpp writes them: metadata and tensors in one file, or in shards
//! called `name-00001-of-00003.gguf`.
//!
//! A file is a header, metadata (a key, a type and a value each), a table of tensors
//! and, from the next multiple of the alignment on, their numbers
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>; versions 2 and 3). It is
//! mapped into memory, not read: opening a file looks at its metadata and table once,
//! copies keys and names, and leaves vocabularies and weights where they lie. Every
//! length is held against the file before anything is made of it, so that a damaged file
//! is an error that says what and where, never a panic or a great allocation.

#![expect(unsafe_code, reason = "files are mapped into memory")]

mod cursor;
mod table;
mod value;
mod write;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use crate::ModelError;
use cursor::Cursor;
use value::Place;

pub use table::{GgmlType, GgufTensor};
pub use value::{Array, Value, ValueType};
pub use write::Metadata;
pub(crate) use write::{TensorToWrite, write};

const MAGIC: [u8; 4] = *b"GGUF";
/// Where tensors begin, unless `general.alignment` says otherwise.
const ALIGNMENT: u64 = 32;

/// An open GGUF file, all its shards together.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    files: Vec<Arc<Mmap>>,
    /// The metadata of the first file.
    values: HashMap<String, Place>,
    tensors: Vec<GgufTensor>,
    names: HashMap<String, usize>,
}

impl Gguf {
    /// Opens the file at `path`, and if it is the first of several shards, all of them.
    ///
    /// # Errors
    /// If a file is missing, not GGUF, of another version, cut short, or contradicts
    /// itself.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let mut gguf = Self {
            path: path.to_path_buf(),
            files: Vec::new(),
            values: HashMap::new(),
            tensors: Vec::new(),
            names: HashMap::new(),
        };
        gguf.values = gguf.add(path)?;
        let count = gguf.integer("split.count")?.unwrap_or(1);
        if count > 1 {
            let number = gguf.integer("split.no")?.unwrap_or(0);
            for shard in shards(path, number, count)? {
                gguf.add(&shard)?;
            }
        }
        Ok(gguf)
    }

    /// Adds the tensors of the file at `path`, and returns its metadata.
    fn add(&mut self, path: &Path) -> Result<HashMap<String, Place>, ModelError> {
        let file = fs_err::File::open(path)?;
        // SAFETY: the map is read only. Should another program change the file
        // meanwhile, numbers are wrong, but each is still a number; texts are checked
        // each time they are read.
        let map = unsafe { Mmap::map(file.file()) }?;
        let mut cursor = Cursor::new(path, &map);
        let (values, tensors) = read(&mut cursor)?;
        let file = self.files.len();
        for mut tensor in tensors {
            tensor.file = file;
            match self.names.entry(tensor.name.clone()) {
                Entry::Occupied(_) => {
                    return Err(cursor.wrong("a tensor", "another name", &tensor.name));
                }
                Entry::Vacant(free) => free.insert(self.tensors.len()),
            };
            self.tensors.push(tensor);
        }
        self.files.push(Arc::new(map));
        Ok(values)
    }

    /// Returns the file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns all tensors, in the order of the file.
    pub fn tensors(&self) -> &[GgufTensor] {
        &self.tensors
    }

    /// Returns the tensor of this name, if there is one.
    pub fn tensor(&self, name: &str) -> Option<&GgufTensor> {
        self.names.get(name).map(|index| &self.tensors[*index])
    }

    /// Returns a tensor's numbers as they lie in the file: whole blocks of its type.
    pub fn bytes(&self, tensor: &GgufTensor) -> &[u8] {
        &self.files[tensor.file][tensor.bytes.clone()]
    }

    /// Returns the file a tensor lies in, to be kept, and its place there.
    pub fn place(&self, tensor: &GgufTensor) -> (Arc<Mmap>, Range<usize>) {
        (self.files[tensor.file].clone(), tensor.bytes.clone())
    }

    /// Returns the bytes of all files, for a fingerprint.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.files.iter().map(|file| &file[..])
    }

    /// Returns the keys of the metadata, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Returns the value of `key`, if the file has it.
    pub fn value(&self, key: &str) -> Option<Value<'_>> {
        let place = self.values.get(key)?;
        Some(place.value(&self.files[0]))
    }

    /// Returns the type and the value of `key` as the file has them.
    fn value_bytes(&self, key: &str) -> Option<&[u8]> {
        let place = self.values.get(key)?;
        Some(place.bytes(&self.path, &self.files[0]))
    }

    /// Returns the text of `key`, if the file has it.
    ///
    /// # Errors
    /// If it is not a text, or not UTF-8.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        self.value(key)
            .map(|value| {
                let Value::Text(bytes) = value else {
                    return Err(self.wrong(key, "a text", &value));
                };
                std::str::from_utf8(bytes).map_err(|_| self.wrong(key, "UTF-8", &value))
            })
            .transpose()
    }

    /// Returns the whole number of `key`, not below 0, if the file has it.
    ///
    /// # Errors
    /// If it is something else.
    pub fn integer(&self, key: &str) -> Result<Option<u64>, ModelError> {
        self.value(key)
            .map(|value| {
                value
                    .integer()
                    .and_then(|number| u64::try_from(number).ok())
                    .ok_or_else(|| self.wrong(key, "a whole number, not below 0", &value))
            })
            .transpose()
    }

    /// Returns the number of `key`, if the file has it; whole numbers count.
    ///
    /// # Errors
    /// If it is not a number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        self.value(key)
            .map(|value| {
                value
                    .number()
                    .ok_or_else(|| self.wrong(key, "a number", &value))
            })
            .transpose()
    }

    /// Returns the yes or no of `key`, if the file has it.
    ///
    /// # Errors
    /// If it is something else.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        self.value(key)
            .map(|value| match value {
                Value::Flag(flag) => Ok(flag),
                _ => Err(self.wrong(key, "true or false", &value)),
            })
            .transpose()
    }

    /// Returns the texts of the list `key`, if the file has it.
    ///
    /// # Errors
    /// If it is not a list of texts, or one is not UTF-8.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, ModelError> {
        self.list(key, "a list of texts", |value| match value {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        })
    }

    /// Returns the whole numbers of the list `key`, if the file has it.
    ///
    /// # Errors
    /// If it is not a list of whole numbers.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, ModelError> {
        self.list(key, "a list of whole numbers", |value| value.integer())
    }

    /// Returns the numbers of the list `key`, if the file has it.
    ///
    /// # Errors
    /// If it is not a list of numbers.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, ModelError> {
        self.list(key, "a list of numbers", |value| value.number())
    }

    fn list<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(Value<'a>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, ModelError> {
        self.value(key)
            .map(|value| {
                let Value::List(array) = value else {
                    return Err(self.wrong(key, expected, &value));
                };
                array
                    .map(|element| read(element).ok_or_else(|| self.wrong(key, expected, &element)))
                    .collect()
            })
            .transpose()
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value<'_>) -> ModelError {
        ModelError::Gguf {
            path: self.path.clone(),
            what: format!("`{key}`"),
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}

/// Reads everything of a file but its numbers.
fn read(cursor: &mut Cursor<'_>) -> Result<(HashMap<String, Place>, Vec<GgufTensor>), ModelError> {
    let magic: [u8; 4] = cursor.array()?;
    if magic != MAGIC {
        let found = String::from_utf8_lossy(&magic).escape_debug().to_string();
        return Err(cursor.wrong("the file", "one that begins with `GGUF`", &found));
    }
    let version = cursor.u32()?;
    if !(2..=3).contains(&version) {
        let found = match version.swap_bytes() {
            2 | 3 => format!("{}, of big-endian numbers", version.swap_bytes()),
            _ => version.to_string(),
        };
        return Err(cursor.wrong("the version", "2 or 3, of little-endian numbers", &found));
    }
    let tensor_count = cursor.u64()?;
    let value_count = cursor.u64()?;

    let mut values = HashMap::new();
    for _ in 0..value_count {
        let key = cursor.name("a key")?;
        let place = Place::read(cursor)?;
        if values.insert(key.clone(), place).is_some() {
            return Err(cursor.wrong("a key", "another one", &key));
        }
    }
    let alignment = match values
        .get("general.alignment")
        .map(|it| it.value(cursor.bytes()))
    {
        None => ALIGNMENT,
        Some(Value::Integer(number, _))
            if u64::try_from(number).is_ok_and(|it| it.is_power_of_two() && it <= 1 << 20) =>
        {
            number as u64
        }
        Some(other) => {
            let expected = "a power of two up to 1048576";
            return Err(cursor.wrong("`general.alignment`", expected, &other.to_string()));
        }
    };
    let mut tensors = Vec::new();
    for _ in 0..tensor_count {
        tensors.push(table::read(cursor)?);
    }
    let start = (cursor.position() as u64).next_multiple_of(alignment);
    for tensor in &mut tensors {
        tensor.settle(cursor, start, alignment)?;
    }
    Ok((values, tensors))
}

/// Returns which shard of how many a file is by its name, `NAME-00001-of-00003.gguf`, from 1;
/// nothing, if it is whole.
pub(crate) fn shard(path: &Path) -> Option<u64> {
    let name = path.file_stem()?.to_str()?;
    let (rest, count) = name.rsplit_once("-of-")?;
    let (_, number) = rest.rsplit_once('-')?;
    let is_number = |it: &str| it.len() == 5 && it.bytes().all(|it| it.is_ascii_digit());
    (is_number(number) && is_number(count)).then(|| number.parse().ok())?
}

/// Returns the paths of the shards after the first.
fn shards(path: &Path, number: u64, count: u64) -> Result<Vec<PathBuf>, ModelError> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let wrong = |expected: String| ModelError::Gguf {
        path: path.to_path_buf(),
        what: "the name of a shard".into(),
        expected,
        found: name.clone(),
    };
    let end = |number: u64| format!("-{number:05}-of-{count:05}.gguf");
    if count > 99_999 || number != 0 {
        return Err(wrong(format!(
            "the first shard, one ending in `{}`",
            end(1)
        )));
    }
    let stem = name
        .strip_suffix(&end(1))
        .ok_or_else(|| wrong(format!("one ending in `{}`", end(1))))?;
    Ok((2..=count)
        .map(|number| path.with_file_name(format!("{stem}{}", end(number))))
        .collect())
}

#[cfg(test)]
mod tests;
