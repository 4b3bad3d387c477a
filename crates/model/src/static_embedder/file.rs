//! The file of a static embedder: a vocabulary and a row of 8-bit numbers for each piece.
//!
//! Everything is used where it lies, so the same bytes serve from a file and from the
//! binary they are built into. Little-endian throughout:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `gtstatic` |
//! | 4 | version, 1 |
//! | 4 | pieces `V`, at most 65,534 |
//! | 4 | numbers a vector `D`, 1 to 4,096 |
//! | 4 | bytes of the pieces' texts |
//! | 4 | bytes of the name |
//! | 4 | nothing |
//! | 8 | XXH3 of all that follows |
//! | … | the name; `V` × (length, continues); the texts; the hash table; `V` scales as `f32`; `V` × `D` numbers as `i8` |

use std::borrow::Cow;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::pieces::{self, Pieces};
use crate::ModelError;

const MAGIC: &[u8; 8] = b"gtstatic";
const VERSION: u32 = 1;
const HEADER: usize = 40;
const WIDEST: usize = 4096;

/// The parts of a file, where they lie.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) pieces: Pieces,
    pub(super) dimensions: usize,
    /// `V` numbers of four bytes.
    pub(super) scales: Cow<'static, [u8]>,
    /// `(V, D)` of one byte, with a sign.
    pub(super) rows: Cow<'static, [u8]>,
    pub(super) checksum: u64,
}

/// What a file is made of.
pub(crate) struct Contents<'a> {
    pub(crate) name: &'a str,
    pub(crate) vocabulary: &'a [&'a str],
    pub(crate) dimensions: usize,
    /// `(V, D)`: each row is rounded to 8 bits with a scale of its own.
    pub(crate) rows: &'a [f32],
}

/// Returns the bytes of the file, or the piece that cannot be written.
pub(crate) fn write(contents: &Contents<'_>) -> Result<Vec<u8>, String> {
    let written = pieces::write(contents.vocabulary)?;
    let mut scales = Vec::new();
    let mut rows = Vec::with_capacity(contents.rows.len());
    for row in contents.rows.chunks_exact(contents.dimensions) {
        let most = row.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let scale = most / 127.0;
        scales.extend(scale.to_le_bytes());
        rows.extend(row.iter().map(|x| {
            let whole = if scale > 0.0 {
                (x / scale).round()
            } else {
                0.0
            };
            (whole as i8).to_le_bytes()[0]
        }));
    }
    let body = [
        contents.name.as_bytes(),
        &written.lengths,
        &written.texts,
        &written.table,
        &scales,
        &rows,
    ]
    .concat();
    let numbers = [
        VERSION,
        contents.vocabulary.len() as u32,
        contents.dimensions as u32,
        written.texts.len() as u32,
        contents.name.len() as u32,
        0,
    ];
    let mut file = MAGIC.to_vec();
    file.extend(numbers.into_iter().flat_map(u32::to_le_bytes));
    file.extend(xxh3_64(&body).to_le_bytes());
    file.extend(body);
    Ok(file)
}

impl Parts {
    /// Finds the parts of `bytes`; `path` is what errors name.
    #[expect(
        clippy::ptr_arg,
        reason = "parts of what is built in are borrowed from it, not copied"
    )]
    pub(super) fn read(bytes: &Cow<'static, [u8]>, path: &Path) -> Result<Self, ModelError> {
        let wrong = |found: String, expected: &'static str| ModelError::StaticFile {
            path: path.to_owned(),
            expected,
            found,
        };
        if bytes.len() < HEADER || &bytes[..8] != MAGIC {
            return Err(wrong("another".into(), "a file of `groundtune distill`"));
        }
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let [version, vocabulary, dimensions, texts, name] = [8, 12, 16, 20, 24].map(number);
        if version != VERSION {
            return Err(wrong(format!("version {version}"), "version 1"));
        }
        let [vocabulary, dimensions, texts, name] =
            [vocabulary, dimensions, texts, name].map(|it| it as usize);
        if dimensions == 0 || dimensions > WIDEST {
            return Err(wrong(format!("{dimensions} dimensions"), "1 to 4096"));
        }
        if vocabulary >= usize::from(u16::MAX) {
            return Err(wrong(format!("{vocabulary} pieces"), "at most 65534"));
        }
        let lengths = [
            name,
            2 * vocabulary,
            texts,
            2 * pieces::slots(vocabulary),
            4 * vocabulary,
            vocabulary * dimensions,
        ];
        let expected = HEADER as u64 + lengths.iter().map(|it| *it as u64).sum::<u64>();
        if bytes.len() as u64 != expected {
            return Err(ModelError::CutShort {
                path: path.to_owned(),
                expected,
                found: bytes.len() as u64,
            });
        }
        let mut at = HEADER;
        let [name, lengths, texts, table, scales, rows] = lengths.map(|length| {
            let place = at..at + length;
            at = place.end;
            match bytes {
                Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[place]),
                Cow::Owned(bytes) => Cow::Owned(bytes[place].to_vec()),
            }
        });
        let checksum = u64::from_le_bytes(bytes[32..40].try_into().expect("8 bytes"));
        Ok(Self {
            name: String::from_utf8(name.into_owned())
                .map_err(|_| wrong("a name that is not UTF-8".into(), "a name"))?,
            pieces: Pieces::read(&lengths, texts, table)
                .ok_or_else(|| wrong("a damaged one".into(), "a whole vocabulary"))?,
            dimensions,
            scales,
            rows,
            checksum,
        })
    }

    /// Returns whether `bytes`, from which the parts were read, are as they were written.
    pub(super) fn is_whole(bytes: &[u8], checksum: u64) -> bool {
        xxh3_64(&bytes[HEADER..]) == checksum
    }

    /// Returns the row of piece `number`.
    #[inline]
    pub(super) fn row(&self, number: usize) -> &[i8] {
        let start = number * self.dimensions;
        bytemuck::cast_slice(&self.rows[start..start + self.dimensions])
    }

    /// Returns the scale of the row of piece `number`.
    #[inline]
    pub(super) fn scale(&self, number: usize) -> f32 {
        let bytes = &self.scales[4 * number..4 * number + 4];
        f32::from_le_bytes(bytes.try_into().expect("4 bytes"))
    }
}
