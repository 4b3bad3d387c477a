//! Int8 codes: a quarter of the bytes of `f32`, and so four times as many vectors
//! for each second of memory traffic, which is what limits a search.
//!
//! A vector's code is its numbers divided by its own scale (its largest magnitude
//! over 127) and rounded. Rows are stored with an offset of 128 as `u8` (see
//! [`super::simd`]), each padded to a multiple of 64 bytes; the padding meets zeros
//! in the query. Beside the code stands `(scale, bias)`, with which one formula
//! scores a row for every product metric:
//!
//! `score = query scale · row scale · Σ codes + bias`
//!
//! The bias is 0 for cosine (rows of unit length) and dot product, and −|r|²/2 for
//! Euclidean distance, for |q − r|² = |q|² − 2 (q·r − |r|²/2). A larger score is nearer.

use super::Metric;
use super::simd::Kernels;

/// Bytes to which code rows are padded.
pub(super) const CODE_ALIGN: usize = 64;

/// Returns the length in bytes of one row's code.
pub(super) fn code_stride(dimensions: usize) -> usize {
    dimensions.next_multiple_of(CODE_ALIGN)
}

/// Returns the scale of `values`, and gives each number's code to `put`.
pub(super) fn quantise(values: &[f32], mut put: impl FnMut(usize, i8)) -> f32 {
    let largest = values
        .iter()
        .fold(0.0f32, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        for index in 0..values.len() {
            put(index, 0);
        }
        return 0.0;
    }
    // Adding 1.5 · 2²³ leaves no bits behind the point: this rounds as the processor
    // does, ties to even, without a call for each number.
    const ROUND: f32 = 12_582_912.0;
    let factor = 127.0 / largest;
    for (index, value) in values.iter().enumerate() {
        // A cast of a float saturates, so even a factor that overflowed gives a code.
        put(index, (value * factor + ROUND - ROUND) as i8);
    }
    largest / 127.0
}

/// Returns the bias of a row under `metric`.
pub(super) fn bias(metric: Metric, row: &[f32], kernels: &Kernels) -> f32 {
    match metric {
        Metric::Euclidean => -0.5 * kernels.dot(row, row),
        _ => 0.0,
    }
}

/// A query, quantised once for all the rows it is compared with.
#[derive(Clone, Debug, Default)]
pub(super) struct CodedQuery {
    /// The codes, padded with zeros to the rows' stride.
    pub(super) codes: Vec<i8>,
    /// What to multiply a row's scale with.
    pub(super) scale: f32,
    /// 128 Σ codes: what the rows' offset adds to every product.
    pub(super) correction: i32,
}

impl CodedQuery {
    /// Codes `query`, reusing the room this one has.
    pub(super) fn set(&mut self, query: &[f32], stride: usize) {
        self.codes.clear();
        self.codes.resize(stride, 0);
        let codes = &mut self.codes;
        self.scale = quantise(query, |index, code| codes[index] = code);
        self.correct();
    }

    /// Takes a stored row as the query: its code without the offset.
    pub(super) fn set_row(&mut self, row: &[u8], scale: f32) {
        self.codes.clear();
        self.codes
            .extend(row.iter().map(|code| (code ^ 0x80) as i8));
        self.scale = scale;
        self.correct();
    }

    fn correct(&mut self) {
        self.correction = 128 * self.codes.iter().map(|code| i32::from(*code)).sum::<i32>();
    }

    /// Returns the score of a row from its product, scale and bias.
    #[inline]
    pub(super) fn score(&self, product: i32, scale_bias: [f32; 2]) -> f32 {
        self.scale * scale_bias[0] * (product - self.correction) as f32 + scale_bias[1]
    }
}
