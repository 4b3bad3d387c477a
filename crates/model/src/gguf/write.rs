//! Writing GGUF files (version 3): metadata, a table of tensors, then their numbers.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tensor::Format;

use crate::ModelError;

use super::{ALIGNMENT, Gguf, MAGIC};

/// The version that is written.
const VERSION: u32 = 3;

/// What a file says beside its tensors: each key with its type and value as the file has
/// them, in the order of the alphabet.
#[derive(Clone, Debug, Default)]
pub struct Metadata(BTreeMap<String, Vec<u8>>);

/// A tensor that is going to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TensorToWrite {
    pub(crate) name: String,
    pub(crate) format: Format,
    /// Rows first; the file has them the other way round.
    pub(crate) shape: Vec<usize>,
}

/// Number of a type of values, `gguf_type` in ggml.
#[derive(Clone, Copy)]
enum Type {
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Flag = 7,
    Text = 8,
    List = 9,
}

impl Metadata {
    fn put(&mut self, key: &str, kind: Type, value: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = (kind as u32).to_le_bytes().to_vec();
        value(&mut bytes);
        self.0.insert(key.to_owned(), bytes);
    }

    /// Sets `key` to a text.
    pub fn text(&mut self, key: &str, text: &str) {
        self.put(key, Type::Text, |bytes| put_text(bytes, text));
    }

    /// Sets `key` to a size or a number of a token.
    ///
    /// # Panics
    /// If it has more than 32 bits.
    pub fn size(&mut self, key: &str, size: usize) {
        let size = u32::try_from(size).expect("no size of a model has more than 32 bits");
        self.put(key, Type::U32, |bytes| bytes.extend(size.to_le_bytes()));
    }

    /// Sets `key` to a fraction.
    pub fn number(&mut self, key: &str, number: f32) {
        self.put(key, Type::F32, |bytes| bytes.extend(number.to_le_bytes()));
    }

    /// Sets `key` to yes or no.
    pub fn flag(&mut self, key: &str, flag: bool) {
        self.put(key, Type::Flag, |bytes| bytes.push(flag.into()));
    }

    /// Sets `key` to a list of texts.
    pub fn texts<'a>(&mut self, key: &str, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.list(key, Type::Text, texts, put_text);
    }

    /// Sets `key` to a list of whole numbers.
    pub fn integers(&mut self, key: &str, integers: &[i32]) {
        self.list(key, Type::I32, integers.iter(), |bytes, it| {
            bytes.extend(it.to_le_bytes());
        });
    }

    /// Sets `key` to a list of fractions.
    pub fn numbers(&mut self, key: &str, numbers: &[f32]) {
        self.list(key, Type::F32, numbers.iter(), |bytes, it| {
            bytes.extend(it.to_le_bytes());
        });
    }

    fn list<T>(
        &mut self,
        key: &str,
        kind: Type,
        values: impl ExactSizeIterator<Item = T>,
        put: impl Fn(&mut Vec<u8>, T),
    ) {
        self.put(key, Type::List, |bytes| {
            bytes.extend((kind as u32).to_le_bytes());
            bytes.extend((values.len() as u64).to_le_bytes());
            values.for_each(|value| put(bytes, value));
        });
    }

    /// Takes over the keys of `from` that are `wanted`, as they are.
    pub fn copy(&mut self, from: &Gguf, wanted: impl Fn(&str) -> bool) {
        for key in from.keys().filter(|key| wanted(key)) {
            let bytes = from.value_bytes(key).expect("it is one of the file's keys");
            self.0.insert(key.to_owned(), bytes.to_vec());
        }
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Writes a GGUF file at `path`: beside it first, so that it is there whole or not at all.
/// `numbers` writes those of each tensor, in order.
///
/// # Errors
/// If something could not be written.
///
/// # Panics
/// If a tensor's rows are no whole blocks of its format, or `numbers` writes another length.
pub(crate) fn write(
    path: &Path,
    metadata: &Metadata,
    tensors: &[TensorToWrite],
    mut numbers: impl FnMut(usize, &mut dyn Write) -> io::Result<()>,
) -> Result<(), ModelError> {
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.0.len() as u64).to_le_bytes());
    for (key, value) in &metadata.0 {
        put_text(&mut head, key);
        head.extend(value);
    }
    let mut offset = 0u64;
    for tensor in tensors {
        put_text(&mut head, &tensor.name);
        head.extend((tensor.shape.len() as u32).to_le_bytes());
        for size in tensor.shape.iter().rev() {
            head.extend((*size as u64).to_le_bytes());
        }
        head.extend(number_of(tensor.format).to_le_bytes());
        head.extend(offset.to_le_bytes());
        offset = (offset + tensor.length()).next_multiple_of(ALIGNMENT);
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut file = Counted {
        file: BufWriter::new(fs_err::File::create(&part)?),
        written: 0,
    };
    file.write_all(&head)?;
    for (number, tensor) in tensors.iter().enumerate() {
        file.fill()?;
        let from = file.written;
        numbers(number, &mut file)?;
        let name = &tensor.name;
        assert_eq!(file.written - from, tensor.length(), "all of {name}");
    }
    file.fill()?;
    let file = file.file.into_inner();
    file.map_err(|error| ModelError::Io(error.into_error()))?
        .sync_all()?;
    Ok(fs_err::rename(&part, path)?)
}

impl TensorToWrite {
    fn length(&self) -> u64 {
        let numbers = self.shape.iter().product();
        let row = *self.shape.last().expect("a tensor has a dimension");
        assert!(
            row.is_multiple_of(self.format.block_numbers()),
            "rows are whole blocks"
        );
        let bytes = self.format.bytes(numbers);
        bytes.expect("its rows are whole blocks") as u64
    }
}

/// A file, and how much was written.
struct Counted {
    file: BufWriter<fs_err::File>,
    written: u64,
}

impl Counted {
    /// Goes on to the next place where numbers may begin.
    fn fill(&mut self) -> io::Result<()> {
        let missing = self.written.next_multiple_of(ALIGNMENT) - self.written;
        self.write_all(&[0; ALIGNMENT as usize][..missing as usize])
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Returns what ggml calls a format, `ggml_type`.
fn number_of(format: Format) -> u32 {
    match format {
        Format::F32 => 0,
        Format::F16 => 1,
        Format::Q4_0 => 2,
        Format::Q8_0 => 8,
        Format::Q4K => 12,
        Format::Q6K => 14,
        Format::Bf16 => 30,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a file of three tensors, and what it says with it.
    fn written(path: &Path) {
        let mut metadata = Metadata::default();
        metadata.text("general.architecture", "llama");
        metadata.size("a.size", 7);
        metadata.number("a.number", 0.5);
        metadata.flag("a.flag", true);
        metadata.texts("a.texts", ["x", "", "ÿ z"].into_iter());
        metadata.integers("a.integers", &[1, -2]);
        metadata.numbers("a.numbers", &[-1.5]);
        let tensor = |name: &str, format, shape: &[usize]| TensorToWrite {
            name: name.into(),
            format,
            shape: shape.to_vec(),
        };
        let tensors = [
            tensor("odd", Format::F16, &[3]),
            tensor("blocks", Format::Q8_0, &[2, 32]),
            tensor("last", Format::F32, &[1, 2]),
        ];
        write(path, &metadata, &tensors, |number, file| {
            let bytes = [6, 68, 8][number];
            file.write_all(&vec![number as u8 + 1; bytes])
        })
        .unwrap();
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        written(&path);
        let file = Gguf::open(&path).unwrap();
        assert_eq!(file.text("general.architecture").unwrap(), Some("llama"));
        assert_eq!(file.integer("a.size").unwrap(), Some(7));
        assert_eq!(file.number("a.number").unwrap(), Some(0.5));
        assert_eq!(file.flag("a.flag").unwrap(), Some(true));
        assert_eq!(file.texts("a.texts").unwrap().unwrap(), ["x", "", "ÿ z"]);
        assert_eq!(file.integers("a.integers").unwrap().unwrap(), [1, -2]);
        assert_eq!(file.numbers("a.numbers").unwrap().unwrap(), [-1.5]);
        for (number, (name, shape)) in [("odd", &[3][..]), ("blocks", &[2, 32]), ("last", &[1, 2])]
            .into_iter()
            .enumerate()
        {
            let tensor = file.tensor(name).unwrap();
            assert_eq!(tensor.shape, shape);
            let all = file.bytes(tensor).iter();
            assert!(all.into_iter().all(|it| *it == number as u8 + 1), "{name}");
        }
        let left: Vec<_> = fs_err::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left beside it");
    }

    #[test]
    fn keys_are_taken_over_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("m.gguf"), folder.path().join("c.gguf"));
        written(&path);
        let from = Gguf::open(&path).unwrap();
        let mut metadata = Metadata::default();
        metadata.copy(&from, |key| key != "a.size");
        write(&copy, &metadata, &[], |_, _| Ok(())).unwrap();
        let found = Gguf::open(&copy).unwrap();
        assert_eq!(found.integer("a.size").unwrap(), None);
        for key in from.keys().filter(|key| *key != "a.size") {
            assert_eq!(found.value_bytes(key), from.value_bytes(key), "{key}");
        }
    }
}
