//! Products with weights that are used where they lie, in their file's own format.
//!
//! Letters: `T` tokens, `K` inputs and `N` outputs of a linear layer.
//!
//! Nothing is copied or prepared when a model is opened. A few tokens at a time, as in
//! generation, are [products of rows with vectors](vector), which run as fast as the
//! weights can be read. Many tokens, as in reading a prompt, are a matrix product whose
//! [panels](panel) are widened on the way, each once for all tokens.
//!
//! Which thread computes a number, and with how many others, does not change it: every
//! output is added up by one thread, in an order that depends on the shapes alone.

mod multiply;
pub(crate) mod panel;
pub(crate) mod quantised;
pub(crate) mod tiles;
pub(crate) mod vector;

pub use multiply::{Scratch, StoredProduct, Sum};

use crate::format::Format;

/// How the numbers of a [`StoredMatrix`] follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `(N, K)`: all inputs of an output, as in PyTorch's `Linear.weight` and in GGUF.
    Rows,
    /// `(K, N)`: all outputs of an input, as in GPT-2's `Conv1D.weight`.
    Columns,
}

/// A linear layer's weight, borrowed from its file.
#[derive(Clone, Copy, Debug)]
pub struct StoredMatrix<'a> {
    bytes: &'a [u8],
    format: Format,
    layout: Layout,
    inputs: usize,
    outputs: usize,
}

impl<'a> StoredMatrix<'a> {
    /// Takes `bytes` as a matrix; they need not be aligned.
    ///
    /// Panics if they are not as many as the shape takes, the rows are not whole
    /// blocks, or quantised numbers are to be columns.
    pub fn new(
        format: Format,
        layout: Layout,
        inputs: usize,
        outputs: usize,
        bytes: &'a [u8],
    ) -> Self {
        assert!(
            layout == Layout::Rows || format.block_numbers() == 1,
            "blocks lie along rows"
        );
        assert!(inputs > 0, "a product has inputs");
        assert!(
            inputs.is_multiple_of(format.block_numbers()),
            "a row is whole blocks"
        );
        let size = inputs
            .checked_mul(outputs)
            .and_then(|numbers| format.bytes(numbers));
        assert_eq!(size, Some(bytes.len()), "the bytes are those of the shape");
        Self {
            bytes,
            format,
            layout,
            inputs,
            outputs,
        }
    }

    /// Returns `K`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns `N`.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Returns how its numbers are stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns how its numbers follow one another.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns its bytes, as they were given.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Sets `numbers`, `(K)`, to row `row`, as an embedding table is read. Panics if
    /// there is no such row or the matrix is of columns.
    pub fn row(&self, row: usize, numbers: &mut [f32]) {
        assert_eq!(self.layout, Layout::Rows, "the matrix has rows");
        assert_eq!(numbers.len(), self.inputs, "there is place for the row");
        assert!(row < self.outputs, "the row is in the matrix");
        let length = self.bytes.len() / self.outputs;
        self.format
            .widen(&self.bytes[row * length..][..length], numbers);
    }
}
