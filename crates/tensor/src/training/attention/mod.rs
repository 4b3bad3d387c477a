//! Attention within each of several sequences, and its backward.
//!
//! Nothing of the size `(T, T)` is kept or ever there: scores are computed for a block of
//! queries and a span of keys at a time, and computed again in the backward from the
//! log-sum-exp of each row (Dao et al. 2022, algorithms 1 and 4). Sequences follow one
//! another without padding, so what does not belong together is never multiplied.

mod backward;
mod forward;
mod product;

pub(crate) use backward::Probabilities;

use super::Dropout;
use crate::matmul::Precision;

/// Which keys of its sequence a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All.
    Full,
    /// Its own and those before it.
    Causal {
        /// How many, its own among them, if not all (Beltagy et al. 2020, §3.1).
        window: Option<usize>,
    },
}

/// The shape of attention in training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingAttention {
    /// `H`, a multiple of `G`; query head `h` reads key head `h / (H / G)`.
    pub heads: usize,
    /// `G`
    pub key_heads: usize,
    /// `W`
    pub head_width: usize,
    /// What scores are multiplied by, mostly `1 / √W`. Not negative.
    pub scale: f32,
    /// Which keys a query sees.
    pub mask: Mask,
    /// What is dropped of the shares with which values are mixed.
    pub dropout: Option<Dropout>,
    /// How exactly rows and shares are multiplied.
    pub precision: Precision,
}

/// Queries, keys and values of all tokens.
#[derive(Clone, Copy, Debug)]
pub enum Heads<'a> {
    /// Each a matrix.
    Apart {
        /// `(T, H · W)`
        queries: &'a [f32],
        /// `(T, G · W)`
        keys: &'a [f32],
        /// `(T, G · W)`
        values: &'a [f32],
    },
    /// `(T, (H + 2 G) · W)`: beside one another, as one product makes them.
    Together(&'a [f32]),
}

/// Where the gradients of queries, keys and values go; shaped like [`Heads`].
#[derive(Debug)]
pub enum HeadsMut<'a> {
    /// Each a matrix.
    Apart {
        /// `(T, H · W)`
        queries: &'a mut [f32],
        /// `(T, G · W)`
        keys: &'a mut [f32],
        /// `(T, G · W)`
        values: &'a mut [f32],
    },
    /// `(T, (H + 2 G) · W)`: beside one another.
    Together(&'a mut [f32]),
}

/// Queries that are taken together: a multiple of every tile's rows.
const QUERIES: usize = 96;
/// Keys that pass by together in the forward: a multiple of every panel's columns.
const SPAN: usize = 512;
/// Keys that are taken together in the backward: a multiple of both.
const KEYS: usize = 96;

/// Rows of one head in a wider matrix.
#[derive(Clone, Copy)]
struct Strip<'a> {
    numbers: &'a [f32],
    stride: usize,
}

impl<'a> Strip<'a> {
    fn row(&self, row: usize, from: usize, width: usize) -> &'a [f32] {
        &self.numbers[row * self.stride + from..][..width]
    }

    /// Copies rows into `to`, `(rows, padded)`, filling up with zeros.
    fn copy(&self, first: usize, from: usize, width: usize, padded: usize, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(padded).enumerate() {
            to[..width].copy_from_slice(self.row(first + row, from, width));
            to[width..].fill(0.0);
        }
    }
}

impl TrainingAttention {
    /// Panics if the shape is none.
    fn check(&self) {
        assert!(
            self.head_width > 0
                && self.key_heads > 0
                && self.heads > 0
                && self.heads.is_multiple_of(self.key_heads),
            "query heads share key heads evenly"
        );
        assert!(
            self.scale >= 0.0,
            "a negative scale would turn the order round"
        );
        assert!(
            self.mask != Mask::Causal { window: Some(0) },
            "a token sees itself"
        );
    }

    /// Which keys of `tokens` query `query` sees.
    fn seen(&self, query: usize, tokens: usize) -> std::ops::Range<usize> {
        match self.mask {
            Mask::Full => 0..tokens,
            Mask::Causal { window } => {
                let from = window.map_or(0, |window| (query + 1).saturating_sub(window));
                from..query + 1
            }
        }
    }

    /// Which queries of `tokens` see any of the keys from `first` to before `end`.
    fn seen_by(&self, first: usize, end: usize, tokens: usize) -> std::ops::Range<usize> {
        match self.mask {
            Mask::Full => 0..tokens,
            Mask::Causal { window } => {
                let to = window.map_or(tokens, |window| (end - 1 + window).min(tokens));
                first..to
            }
        }
    }

    /// The three matrices, each with its stride; panics if they are not those of `tokens`.
    fn strips<'a>(&self, heads: Heads<'a>, tokens: usize) -> [Strip<'a>; 3] {
        let widths = self.widths();
        match heads {
            Heads::Apart {
                queries,
                keys,
                values,
            } => [(queries, widths[0]), (keys, widths[1]), (values, widths[1])].map(
                |(numbers, stride)| {
                    assert_eq!(
                        numbers.len(),
                        tokens * stride,
                        "there is a row for every token"
                    );
                    Strip { numbers, stride }
                },
            ),
            Heads::Together(numbers) => {
                let stride = widths[0] + 2 * widths[1];
                assert_eq!(
                    numbers.len(),
                    tokens * stride,
                    "there is a row for every token"
                );
                [0, widths[0], widths[0] + widths[1]].map(|from| Strip {
                    numbers: numbers.get(from..).unwrap_or_default(),
                    stride,
                })
            }
        }
    }

    /// Numbers of a row of queries, and of keys.
    fn widths(&self) -> [usize; 2] {
        [
            self.heads * self.head_width,
            self.key_heads * self.head_width,
        ]
    }
}

/// Sets `starts` to where each sequence starts and the last ends, which is returned.
fn set_starts(lengths: &[usize], starts: &mut Vec<usize>) -> usize {
    starts.clear();
    starts.push(0);
    let mut end = 0;
    for length in lengths {
        end += length;
        starts.push(end);
    }
    end
}
