//! The table of a file's tensors.

use std::fmt;
use std::ops::Range;

use crate::ModelError;

use super::cursor::Cursor;

/// ggml has no more dimensions than this.
const MOST_DIMENSIONS: u32 = 4;

/// A tensor of a file: its name, type, shape and place.
#[derive(Clone, Debug, PartialEq)]
pub struct GgufTensor {
    /// Its name, `blk.0.attn_q.weight`.
    pub name: String,
    /// How its numbers are stored.
    pub kind: GgmlType,
    /// Rows first, as everywhere here; the file has its dimensions the other way round.
    pub shape: Vec<usize>,
    pub(super) file: usize,
    /// Where it lies in its file.
    pub(super) bytes: Range<usize>,
    /// As written: from the first tensor's place on.
    offset: u64,
}

/// A type of stored numbers, `ggml_type` in ggml.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GgmlType(u32);

/// Number, name, numbers a block, bytes a block; `ggml.c`, `type_traits`.
const TYPES: &[(u32, &str, u32, u32)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
];

#[expect(missing_docs, reason = "each is called what it is")]
impl GgmlType {
    pub const F32: Self = Self(0);
    pub const F16: Self = Self(1);
    pub const Q4_0: Self = Self(2);
    pub const Q8_0: Self = Self(8);
    pub const Q4_K: Self = Self(12);
    pub const Q6_K: Self = Self(14);
    pub const BF16: Self = Self(30);
}

impl GgmlType {
    fn row(self) -> Option<&'static (u32, &'static str, u32, u32)> {
        TYPES.iter().find(|(number, ..)| *number == self.0)
    }

    /// Returns the bytes of `shape`, whose last dimension must be of whole blocks.
    fn bytes(self, shape: &[usize]) -> Option<u64> {
        let (_, _, numbers, bytes) = *self.row()?;
        let mut total = u64::from(bytes);
        let (last, rows) = shape.split_last()?;
        let blocks = *last as u64 / u64::from(numbers);
        if !(*last as u64).is_multiple_of(u64::from(numbers)) {
            return None;
        }
        total = total.checked_mul(blocks)?;
        for size in rows {
            total = total.checked_mul(*size as u64)?;
        }
        Some(total)
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some((_, name, ..)) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

impl fmt::Debug for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads one line of the table; the tensor's place is not yet known.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<GgufTensor, ModelError> {
    let name = cursor.name("a tensor's name")?;
    let dimensions = cursor.u32()?;
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        let what = format!("the dimensions of `{name}`");
        return Err(cursor.wrong(&what, "1 to 4", &dimensions.to_string()));
    }
    let mut shape = Vec::with_capacity(dimensions as usize);
    for _ in 0..dimensions {
        let size = cursor.u64()?;
        shape.push(usize::try_from(size).unwrap_or(usize::MAX));
    }
    shape.reverse();
    let kind = GgmlType(cursor.u32()?);
    if kind.row().is_none() {
        let what = format!("the type of `{name}`");
        return Err(cursor.wrong(&what, "one that ggml has", &kind.0.to_string()));
    }
    Ok(GgufTensor {
        name,
        kind,
        shape,
        file: 0,
        bytes: 0..0,
        offset: cursor.u64()?,
    })
}

impl GgufTensor {
    /// Finds the tensor's place, now that the `start` of all is known.
    pub(super) fn settle(
        &mut self,
        cursor: &Cursor<'_>,
        start: u64,
        alignment: u64,
    ) -> Result<(), ModelError> {
        if !self.offset.is_multiple_of(alignment) {
            let what = format!("the place of `{}`", self.name);
            let expected = format!("a multiple of {alignment}");
            return Err(cursor.wrong(&what, &expected, &self.offset.to_string()));
        }
        let Some(length) = self.kind.bytes(&self.shape) else {
            let what = format!("the shape of `{}`", self.name);
            let expected = format!("rows of whole blocks of {}", self.kind);
            return Err(cursor.wrong(&what, &expected, &format!("{:?}", self.shape)));
        };
        let from = start.saturating_add(self.offset);
        let to = from.saturating_add(length);
        if to > cursor.bytes().len() as u64 {
            return Err(cursor.cut_short(to));
        }
        self.bytes = from as usize..to as usize;
        Ok(())
    }
}
