//! Rows of a weight times vectors: the products of generation, as fast as the weights
//! can be read.

#![expect(unsafe_code, reason = "weights are read through pointers")]

use super::Layout;
use crate::format::Format;
use crate::simd::Lanes;

/// Outputs `from` to `to` of a weight.
pub(crate) struct Weights {
    pub(crate) bytes: *const u8,
    pub(crate) format: Format,
    pub(crate) layout: Layout,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// What they are multiplied with, and where it is added.
pub(crate) struct Tokens {
    /// `(K)`
    pub(crate) input: *const f32,
    /// The same as the processor's [`Blocks`](super::quantised::Blocks) lay it out, if
    /// the weight is of blocks.
    pub(crate) quantised: *const u8,
    /// The first of the `to − from` outputs.
    pub(crate) output: *mut f32,
}

/// Numbers stored one by one.
pub(crate) trait Single {
    const BYTES: usize;
    /// As many as `L` holds.
    unsafe fn load<L: Lanes>(at: *const u8) -> L::V;
    /// The first `count` of them, and zeros.
    unsafe fn load_part<L: Lanes>(at: *const u8, count: usize) -> L::V;
}

pub(crate) struct Whole;
pub(crate) struct Half;
pub(crate) struct Brain;

// SAFETY (all three): the callers promise the numbers and the processor.
impl Single for Whole {
    const BYTES: usize = 4;
    #[inline(always)]
    unsafe fn load<L: Lanes>(at: *const u8) -> L::V {
        // SAFETY: as above.
        unsafe { L::load(at.cast()) }
    }
    #[inline(always)]
    unsafe fn load_part<L: Lanes>(at: *const u8, count: usize) -> L::V {
        let mut numbers = [0f32; crate::simd::MOST_LANES];
        // SAFETY: as above.
        unsafe {
            std::ptr::copy_nonoverlapping(at, numbers.as_mut_ptr().cast(), count * 4);
            L::load(numbers.as_ptr())
        }
    }
}

impl Single for Half {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<L: Lanes>(at: *const u8) -> L::V {
        // SAFETY: as above.
        unsafe { L::load_f16(at) }
    }
    #[inline(always)]
    unsafe fn load_part<L: Lanes>(at: *const u8, count: usize) -> L::V {
        let mut numbers = [0u16; crate::simd::MOST_LANES];
        // SAFETY: as above.
        unsafe {
            std::ptr::copy_nonoverlapping(at, numbers.as_mut_ptr().cast(), count * 2);
            L::load_f16(numbers.as_ptr().cast())
        }
    }
}

impl Single for Brain {
    const BYTES: usize = 2;
    #[inline(always)]
    unsafe fn load<L: Lanes>(at: *const u8) -> L::V {
        // SAFETY: as above.
        unsafe { L::load_bf16(at) }
    }
    #[inline(always)]
    unsafe fn load_part<L: Lanes>(at: *const u8, count: usize) -> L::V {
        let mut numbers = [0u16; crate::simd::MOST_LANES];
        // SAFETY: as above.
        unsafe {
            std::ptr::copy_nonoverlapping(at, numbers.as_mut_ptr().cast(), count * 2);
            L::load_bf16(numbers.as_ptr().cast())
        }
    }
}

/// Adds the products of single numbers to what is there.
///
/// # Safety
/// The shapes must be true; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn add_rows<L: Lanes>(weights: &Weights, tokens: &Tokens) {
    // SAFETY: as the caller promises.
    unsafe {
        match (weights.layout, weights.format) {
            (Layout::Rows, Format::F16) => rows::<L, Half>(weights, tokens),
            (Layout::Rows, Format::Bf16) => rows::<L, Brain>(weights, tokens),
            (Layout::Rows, _) => rows::<L, Whole>(weights, tokens),
            (Layout::Columns, Format::F16) => columns::<L, Half>(weights, tokens),
            (Layout::Columns, Format::Bf16) => columns::<L, Brain>(weights, tokens),
            (Layout::Columns, _) => columns::<L, Whole>(weights, tokens),
        }
    }
}

/// Rows that are read side by side, each a stream of its own. What is fetched ahead is
/// as many rows further on, so that every line is asked for once, long before its turn.
const ROWS: usize = 4;
/// The least number of bytes that are fetched ahead: some hundred nanoseconds of reading.
const AHEAD: usize = 2048;

/// Returns how many bytes ahead of `rows` rows of `length` bytes to fetch: whole groups
/// of as many rows.
pub(crate) fn ahead(rows: usize, length: usize) -> usize {
    let group = (rows * length).max(1);
    group * AHEAD.div_ceil(group)
}

/// # Safety
/// As [`add_rows`].
#[inline(always)]
unsafe fn rows<L: Lanes, S: Single>(weights: &Weights, tokens: &Tokens) {
    let count = weights.to - weights.from;
    let most = count - count % ROWS;
    // SAFETY: the rows before `to` are there.
    unsafe {
        for row in (0..most).step_by(ROWS) {
            rows_abreast::<L, S, ROWS>(weights, tokens, row);
        }
        for row in most..count {
            rows_abreast::<L, S, 1>(weights, tokens, row);
        }
    }
}

/// Adds the products of `R` rows, the first of them row `from + row`. The order in which
/// a row is added up does not depend on `R`.
///
/// # Safety
/// As [`add_rows`].
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "through iterators the sums are kept in memory"
)]
unsafe fn rows_abreast<L: Lanes, S: Single, const R: usize>(
    weights: &Weights,
    tokens: &Tokens,
    row: usize,
) {
    let inputs = weights.inputs;
    let length = inputs * S::BYTES;
    let ahead = ahead(R, length);
    let whole = inputs - inputs % L::COUNT;
    let step = 2 * L::COUNT;
    let most = inputs - inputs % step;
    // SAFETY: `whole` numbers and then the rest are read of each row; what is fetched
    // ahead may lie anywhere.
    unsafe {
        let at = weights.bytes.add((weights.from + row) * length);
        let mut sums = [[L::splat(0.0); 2]; R];
        let mut k = 0;
        while k < most {
            let near = L::load(tokens.input.add(k));
            let next = L::load(tokens.input.add(k + L::COUNT));
            for r in 0..R {
                let at = at.add(r * length + k * S::BYTES);
                for line in (0..step * S::BYTES).step_by(64) {
                    L::prefetch(at.wrapping_add(ahead + line));
                }
                sums[r][0] = L::mul_add(S::load::<L>(at), near, sums[r][0]);
                let weight = S::load::<L>(at.add(L::COUNT * S::BYTES));
                sums[r][1] = L::mul_add(weight, next, sums[r][1]);
            }
            k += step;
        }
        if k < whole {
            let near = L::load(tokens.input.add(k));
            for r in 0..R {
                let weight = S::load::<L>(at.add(r * length + k * S::BYTES));
                sums[r][0] = L::mul_add(weight, near, sums[r][0]);
            }
        }
        if whole < inputs {
            let near = L::load_part(tokens.input.add(whole), inputs - whole, 0.0);
            for r in 0..R {
                let at = at.add(r * length + whole * S::BYTES);
                let weight = S::load_part::<L>(at, inputs - whole);
                sums[r][1] = L::mul_add(weight, near, sums[r][1]);
            }
        }
        for r in 0..R {
            *tokens.output.add(row + r) += L::sum(L::add(sums[r][0], sums[r][1]));
        }
    }
}

/// Rows of a weight of columns that are read side by side, each a stream of its own.
const STREAMS: usize = 8;

/// # Safety
/// As [`add_rows`].
#[inline(always)]
unsafe fn columns<L: Lanes, S: Single>(weights: &Weights, tokens: &Tokens) {
    let many = weights.inputs - weights.inputs % STREAMS;
    // SAFETY: the rows before `inputs` are there.
    unsafe {
        for k in (0..many).step_by(STREAMS) {
            some_rows::<L, S, STREAMS>(weights, tokens, k);
        }
        for k in many..weights.inputs {
            some_rows::<L, S, 1>(weights, tokens, k);
        }
    }
}

/// Adds `R` rows from `k` on, each times its input.
///
/// # Safety
/// As [`add_rows`].
#[inline(always)]
unsafe fn some_rows<L: Lanes, S: Single, const R: usize>(
    weights: &Weights,
    tokens: &Tokens,
    k: usize,
) {
    let count = weights.to - weights.from;
    let whole = count - count % L::COUNT;
    let stride = weights.outputs * S::BYTES;
    // SAFETY: `whole` numbers and then the rest are read of each row and written; what
    // is fetched ahead may lie anywhere.
    unsafe {
        let at = weights
            .bytes
            .add((k * weights.outputs + weights.from) * S::BYTES);
        let mut inputs = [L::splat(0.0); R];
        for (r, input) in inputs.iter_mut().enumerate() {
            *input = L::splat(*tokens.input.add(k + r));
        }
        for n in (0..whole).step_by(L::COUNT) {
            let out = tokens.output.add(n);
            let mut sum = L::load(out);
            for (r, input) in inputs.iter().enumerate() {
                let at = at.add(r * stride + n * S::BYTES);
                if n * S::BYTES % 64 == 0 {
                    L::prefetch(at.wrapping_add(R * stride));
                }
                sum = L::mul_add(S::load::<L>(at), *input, sum);
            }
            L::store(out, sum);
        }
        if whole < count {
            let out = tokens.output.add(whole);
            let mut sum = L::load_part(out, count - whole, 0.0);
            for (r, input) in inputs.iter().enumerate() {
                let at = at.add(r * stride + whole * S::BYTES);
                let weight = S::load_part::<L>(at, count - whole);
                sum = L::mul_add(weight, *input, sum);
            }
            L::store_part(out, count - whole, sum);
        }
    }
}
