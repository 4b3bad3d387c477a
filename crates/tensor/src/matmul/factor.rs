//! One side of a product: a matrix as it lies in memory, and how it is seen.

#![expect(unsafe_code, reason = "numbers are seen as bytes")]

use super::PackedFactor;
use crate::format::Format;
use crate::stored::{Layout, StoredMatrix};

/// A matrix that is multiplied, borrowed: numbers of `f32` or bfloat16, or a stored weight.
#[derive(Clone, Copy, Debug)]
pub struct Factor<'a> {
    lines: Lines<'a>,
    rows: usize,
    columns: usize,
    /// Whether its rows are not the lines but run across them.
    turned: bool,
    /// The same, packed.
    packed: Option<&'a PackedFactor>,
}

/// Numbers as they lie: lines, one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) format: Format,
    /// Numbers of a line, and its bytes.
    pub(crate) length: usize,
    pub(crate) line_bytes: usize,
}

impl<'a> Factor<'a> {
    /// Takes `numbers` as `(rows, columns)`, row by row. Panics if they are not as many.
    pub fn f32(numbers: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::of_lines(numbers, Format::F32, rows, columns)
    }

    /// Takes the bfloat16 patterns as `(rows, columns)`, row by row. Panics if they are
    /// not as many.
    pub fn bf16(patterns: &'a [u16], rows: usize, columns: usize) -> Self {
        Self::of_lines(patterns, Format::Bf16, rows, columns)
    }

    /// Takes a linear layer's weight as `(N, K)`, outputs and inputs, whatever its
    /// format and layout: what becomes of `X` is `X ·` the weight [turned](Self::turned).
    pub fn stored(weight: StoredMatrix<'a>) -> Self {
        let (rows, columns) = (weight.outputs(), weight.inputs());
        let turned = weight.layout() == Layout::Columns;
        Self {
            lines: Lines::new(
                weight.bytes(),
                weight.format(),
                if turned { rows } else { columns },
            ),
            rows,
            columns,
            turned,
            packed: None,
        }
    }

    /// Takes it as the right side that was packed before, so that it is not packed again.
    /// Panics if that was of another shape.
    #[must_use]
    pub fn with_packed(self, packed: Option<&'a PackedFactor>) -> Self {
        if let Some(packed) = packed {
            let shape = [self.rows, self.columns];
            assert_eq!(packed.shape(), shape, "what was packed is this matrix");
        }
        Self { packed, ..self }
    }

    /// Returns the transpose: the same numbers, rows for columns.
    #[must_use]
    pub fn turned(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            turned: !self.turned,
            packed: None,
            ..self
        }
    }

    /// Returns how many rows it has, as it is seen.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns how many columns it has, as it is seen.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns its numbers as they lie.
    pub(crate) fn lines(&self) -> Lines<'a> {
        self.lines
    }

    /// Returns it as it was packed before, if it was.
    pub(super) fn packed(&self) -> Option<&'a PackedFactor> {
        self.packed
    }

    /// Returns whether its rows run across the lines.
    pub(crate) fn is_turned(&self) -> bool {
        self.turned
    }

    /// Returns whether its rows lie as numbers of `f32`, aligned.
    pub(crate) fn is_whole_rows(&self) -> bool {
        !self.turned
            && self.lines.format == Format::F32
            && (self.lines.bytes.as_ptr() as usize).is_multiple_of(align_of::<f32>())
    }

    fn of_lines<T: Copy>(numbers: &'a [T], format: Format, rows: usize, columns: usize) -> Self {
        assert_eq!(
            rows.checked_mul(columns),
            Some(numbers.len()),
            "the numbers are those of the shape"
        );
        // SAFETY: `T` is `f32` or `u16`, which are bytes without padding.
        let bytes = unsafe {
            std::slice::from_raw_parts(numbers.as_ptr().cast::<u8>(), size_of_val(numbers))
        };
        Self {
            lines: Lines::new(bytes, format, columns),
            rows,
            columns,
            turned: false,
            packed: None,
        }
    }
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8], format: Format, length: usize) -> Self {
        Self {
            bytes,
            format,
            length,
            line_bytes: length / format.block_numbers() * format.block_bytes(),
        }
    }

    /// Returns where line `line` begins.
    ///
    /// # Safety
    /// There must be such a line.
    #[inline(always)]
    pub(crate) unsafe fn line(&self, line: usize) -> *const u8 {
        // SAFETY: the caller promises the line.
        unsafe { self.bytes.as_ptr().add(line * self.line_bytes) }
    }
}
