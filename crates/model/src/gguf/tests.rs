//! Files made here, whole and damaged.

use proptest::prelude::*;

use super::*;

/// Writes a file as llama.cpp does.
#[derive(Default)]
struct Written {
    values: Vec<u8>,
    value_count: u64,
    tensors: Vec<u8>,
    tensor_count: u64,
    numbers: Vec<u8>,
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

impl Written {
    /// Adds a value: its type's number and its bytes.
    fn value(&mut self, key: &str, kind: u32, bytes: &[u8]) -> &mut Self {
        put_text(&mut self.values, key);
        self.values.extend(kind.to_le_bytes());
        self.values.extend(bytes);
        self.value_count += 1;
        self
    }

    fn texts(&mut self, key: &str, texts: &[&str]) -> &mut Self {
        let mut bytes = 8u32.to_le_bytes().to_vec();
        bytes.extend((texts.len() as u64).to_le_bytes());
        texts.iter().for_each(|text| put_text(&mut bytes, text));
        self.value(key, 9, &bytes)
    }

    /// Adds a tensor, its dimensions as ggml has them.
    fn tensor(&mut self, name: &str, kind: u32, sizes: &[u64], numbers: &[u8]) -> &mut Self {
        put_text(&mut self.tensors, name);
        self.tensors.extend((sizes.len() as u32).to_le_bytes());
        sizes
            .iter()
            .for_each(|size| self.tensors.extend(size.to_le_bytes()));
        self.tensors.extend(kind.to_le_bytes());
        self.tensors
            .extend((self.numbers.len() as u64).to_le_bytes());
        self.numbers.extend(numbers);
        self.numbers
            .resize(self.numbers.len().next_multiple_of(32), 0);
        self.tensor_count += 1;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(self.tensor_count.to_le_bytes());
        bytes.extend(self.value_count.to_le_bytes());
        bytes.extend(&self.values);
        bytes.extend(&self.tensors);
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(&self.numbers);
        bytes
    }
}

fn small() -> Vec<u8> {
    let mut nested = 9u32.to_le_bytes().to_vec();
    nested.extend(2u64.to_le_bytes());
    for list in [[1u8, 2], [3, 4]] {
        nested.extend(0u32.to_le_bytes());
        nested.extend(2u64.to_le_bytes());
        nested.extend(list);
    }
    Written::default()
        .value("a.count", 4, &7u32.to_le_bytes())
        .value("a.below", 5, &(-7i32).to_le_bytes())
        .value("a.part", 6, &0.5f32.to_le_bytes())
        .value("a.flag", 7, &[1])
        .value("a.name", 8, b"\x04\0\0\0\0\0\0\0name")
        .value("a.nested", 9, &nested)
        .texts("a.words", &["the", "", "chat où"])
        .tensor(
            "w",
            0,
            &[2, 3],
            bytemuck::cast_slice(&[1f32, 2., 3., 4., 5., 6.]),
        )
        .tensor("q", 8, &[32], &[9; 34])
        .bytes()
}

fn open(bytes: &[u8]) -> Result<Gguf, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    fs_err::write(&path, bytes).unwrap();
    Gguf::open(&path)
}

/// Returns the words of the error, less the folder.
fn refused(bytes: &[u8]) -> String {
    let error = open(bytes).unwrap_err();
    let words = error.to_string();
    let (start, rest) = words.split_once("`/").unwrap();
    let (_, end) = rest.split_once("m.gguf").unwrap();
    format!("{start}`m.gguf{end}")
}

#[test]
fn values_are_read() {
    let gguf = open(&small()).unwrap();
    assert_eq!(gguf.integer("a.count").unwrap(), Some(7));
    assert_eq!(gguf.number("a.below").unwrap(), Some(-7.0));
    assert_eq!(gguf.number("a.part").unwrap(), Some(0.5));
    assert_eq!(gguf.flag("a.flag").unwrap(), Some(true));
    assert_eq!(gguf.text("a.name").unwrap(), Some("name"));
    let words = gguf.texts("a.words").unwrap().unwrap();
    assert_eq!(words, ["the", "", "chat où"]);
    assert_eq!(gguf.text("a.nothing").unwrap(), None);
    let Some(Value::List(lists)) = gguf.value("a.nested") else {
        panic!("it is a list");
    };
    let sums: Vec<i64> = lists
        .map(|list| match list {
            Value::List(list) => list.filter_map(|it| it.integer()).sum(),
            _ => 0,
        })
        .collect();
    assert_eq!(sums, [3, 7]);
}

#[test]
fn a_value_of_another_type_is_named() {
    let gguf = open(&small()).unwrap();
    for (error, expect) in [
        (gguf.text("a.flag").err(), "`a.flag` in `"),
        (
            gguf.integer("a.below").err(),
            "is -7, expected a whole number, not below 0",
        ),
        (
            gguf.flag("a.name").err(),
            "is \"name\", expected true or false",
        ),
        (
            gguf.numbers("a.words").err(),
            "is \"the\", expected a list of numbers",
        ),
        (
            gguf.texts("a.count").err(),
            "is 7, expected a list of texts",
        ),
    ] {
        let words = error.expect("it is of another type").to_string();
        assert!(words.contains(expect), "{words}");
    }
}

#[test]
fn tensors_lie_where_the_table_says() {
    let gguf = open(&small()).unwrap();
    let tensor = gguf.tensor("w").unwrap();
    assert_eq!(
        (&tensor.shape[..], tensor.kind),
        (&[3, 2][..], GgmlType::F32)
    );
    let numbers: Vec<f32> = gguf
        .bytes(tensor)
        .as_chunks()
        .0
        .iter()
        .map(|four| f32::from_le_bytes(*four))
        .collect();
    assert_eq!(numbers, [1., 2., 3., 4., 5., 6.]);
    let tensor = gguf.tensor("q").unwrap();
    assert_eq!(
        (&tensor.shape[..], tensor.kind),
        (&[32][..], GgmlType::Q8_0)
    );
    assert_eq!(gguf.bytes(tensor), [9; 34]);
    assert!(gguf.tensor("v").is_none());
    assert_eq!(gguf.tensors().len(), 2);
}

#[test]
fn what_does_not_fit_is_named() {
    for (bytes, expect) in [
        (
            b"GGML\0\0\0\0".to_vec(),
            "the file in `m.gguf` is GGML, expected one that begins with `GGUF`",
        ),
        (
            b"GGUF\x01\0\0\0".to_vec(),
            "the version in `m.gguf` is 1, expected 2 or 3, of little-endian numbers",
        ),
        (
            b"GGUF\0\0\0\x03".to_vec(),
            "the version in `m.gguf` is 3, of big-endian numbers, expected 2 or 3, of little-endian numbers",
        ),
        (
            Written::default().value("a", 13, &[]).bytes(),
            "the type of a value in `m.gguf` is 13, expected 0 to 12",
        ),
        (
            Written::default()
                .value("a", 7, &[1])
                .value("a", 7, &[1])
                .bytes(),
            "a key in `m.gguf` is a, expected another one",
        ),
        (
            Written::default()
                .value("general.alignment", 4, &[3, 0, 0, 0])
                .bytes(),
            "`general.alignment` in `m.gguf` is 3, expected a power of two up to 1048576",
        ),
        (
            Written::default().tensor("w", 8, &[33, 1], &[]).bytes(),
            "the shape of `w` in `m.gguf` is [1, 33], expected rows of whole blocks of Q8_0",
        ),
        (
            Written::default()
                .tensor("w", 0, &[u64::MAX, u64::MAX], &[])
                .bytes(),
            "the shape of `w` in `m.gguf` is [18446744073709551615, 18446744073709551615], expected rows of whole blocks of F32",
        ),
        (
            Written::default().tensor("w", 5, &[1], &[]).bytes(),
            "the type of `w` in `m.gguf` is 5, expected one that ggml has",
        ),
        (
            Written::default().tensor("w", 0, &[9], &[0; 32]).bytes(),
            "`m.gguf` has 96 bytes, expected 100: it is cut short or damaged",
        ),
        (
            Written::default()
                .tensor("w", 0, &[1], &[])
                .tensor("w", 0, &[1], &[0; 4])
                .bytes(),
            "a tensor in `m.gguf` is w, expected another name",
        ),
    ] {
        assert_eq!(refused(&bytes), expect);
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let whole = small();
    // The last tensor is filled up to the alignment; that may be missing.
    for length in 0..whole.len() - 30 {
        assert!(open(&whole[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn shards_are_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, number: u16, tensor: &str| {
        let bytes = Written::default()
            .value("split.count", 2, &2u16.to_le_bytes())
            .value("split.no", 2, &number.to_le_bytes())
            .tensor(tensor, 0, &[1], &[number as u8; 4])
            .bytes();
        fs_err::write(folder.path().join(name), bytes).unwrap();
    };
    put("m-00001-of-00002.gguf", 0, "a");
    let first = folder.path().join("m-00001-of-00002.gguf");
    let missing = Gguf::open(&first).unwrap_err().to_string();
    assert!(missing.contains("m-00002-of-00002.gguf"), "{missing}");
    put("m-00002-of-00002.gguf", 1, "b");
    let gguf = Gguf::open(&first).unwrap();
    assert_eq!(gguf.bytes(gguf.tensor("a").unwrap()), [0; 4]);
    assert_eq!(gguf.bytes(gguf.tensor("b").unwrap()), [1; 4]);
    let second = folder.path().join("m-00002-of-00002.gguf");
    let refused = Gguf::open(&second).unwrap_err().to_string();
    assert!(refused.contains("expected the first shard"), "{refused}");
    assert_eq!((shard(&first), shard(&second)), (Some(1), Some(2)));
    assert_eq!(shard(&folder.path().join("m-1-of-2.gguf")), None);
    let found = crate::decoder::gguf_in(folder.path()).unwrap();
    assert_eq!(found, Some(first));
}

/// Asks for everything a file has.
fn read_all(gguf: &Gguf) {
    for key in gguf.keys() {
        let _ = gguf.value(key).unwrap().to_string();
        let _ = (gguf.texts(key), gguf.numbers(key), gguf.integer(key));
    }
    for tensor in gguf.tensors() {
        let _ = gguf.bytes(tensor).len();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn flipped_bytes_never_panic(flips in prop::collection::vec((0..400usize, any::<u8>()), 1..4)) {
        let mut bytes = small();
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if let Ok(gguf) = open(&bytes) {
            read_all(&gguf);
        }
    }
}
