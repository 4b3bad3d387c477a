//! Rows of a weight times vectors: the products of generation, as fast as the weights
//! can be read.

#![expect(unsafe_code, reason = "weights are read through pointers")]

use super::Layout;
use crate::format::{Format, Q4_0, Q4K, Q6K, Q8_0};
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

/// Adds the outputs' products to what is there.
///
/// # Safety
/// The shapes must be true; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn add_rows<L: Lanes>(weights: &Weights, tokens: &Tokens) {
    // SAFETY: as the caller promises.
    unsafe {
        match (weights.layout, weights.format) {
            (Layout::Rows, Format::F32) => rows::<L, Whole>(weights, tokens),
            (Layout::Rows, Format::F16) => rows::<L, Half>(weights, tokens),
            (Layout::Rows, Format::Bf16) => rows::<L, Brain>(weights, tokens),
            (Layout::Columns, Format::F32) => columns::<L, Whole>(weights, tokens),
            (Layout::Columns, Format::F16) => columns::<L, Half>(weights, tokens),
            (Layout::Columns, Format::Bf16) => columns::<L, Brain>(weights, tokens),
            (_, Format::Q8_0) => blocks::<L, 34, 32>(weights, tokens, Q8_0::widen),
            (_, Format::Q4_0) => blocks::<L, 18, 32>(weights, tokens, Q4_0::widen),
            (_, Format::Q4K) => blocks::<L, 144, 256>(weights, tokens, Q4K::widen),
            (_, Format::Q6K) => blocks::<L, 210, 256>(weights, tokens, Q6K::widen),
        }
    }
}

/// # Safety
/// As [`add_rows`].
#[inline(always)]
unsafe fn rows<L: Lanes, S: Single>(weights: &Weights, tokens: &Tokens) {
    let inputs = weights.inputs;
    let whole = inputs - inputs % L::COUNT;
    // SAFETY: `whole` numbers and then the rest are read of each row.
    unsafe {
        for row in weights.from..weights.to {
            let at = weights.bytes.add(row * inputs * S::BYTES);
            let mut sum = L::splat(0.0);
            for k in (0..whole).step_by(L::COUNT) {
                let weight = S::load::<L>(at.add(k * S::BYTES));
                sum = L::mul_add(weight, L::load(tokens.input.add(k)), sum);
            }
            if whole < inputs {
                let weight = S::load_part::<L>(at.add(whole * S::BYTES), inputs - whole);
                let input = L::load_part(tokens.input.add(whole), inputs - whole, 0.0);
                sum = L::mul_add(weight, input, sum);
            }
            *tokens.output.add(row - weights.from) += L::sum(sum);
        }
    }
}

/// # Safety
/// As [`add_rows`].
#[inline(always)]
unsafe fn columns<L: Lanes, S: Single>(weights: &Weights, tokens: &Tokens) {
    let count = weights.to - weights.from;
    let whole = count - count % L::COUNT;
    // SAFETY: `whole` numbers and then the rest are read of each row and written.
    unsafe {
        for k in 0..weights.inputs {
            let at = weights
                .bytes
                .add((k * weights.outputs + weights.from) * S::BYTES);
            let input = L::splat(*tokens.input.add(k));
            for n in (0..whole).step_by(L::COUNT) {
                let out = tokens.output.add(n);
                let sum = L::mul_add(S::load::<L>(at.add(n * S::BYTES)), input, L::load(out));
                L::store(out, sum);
            }
            if whole < count {
                let out = tokens.output.add(whole);
                let weight = S::load_part::<L>(at.add(whole * S::BYTES), count - whole);
                let sum = L::mul_add(weight, input, L::load_part(out, count - whole, 0.0));
                L::store_part(out, count - whole, sum);
            }
        }
    }
}

/// # Safety
/// As [`add_rows`].
#[inline(always)]
unsafe fn blocks<L: Lanes, const BYTES: usize, const NUMBERS: usize>(
    weights: &Weights,
    tokens: &Tokens,
    widen: impl Fn(&[u8; BYTES], &mut [f32; NUMBERS]),
) {
    let blocks = weights.inputs / NUMBERS;
    let mut numbers = [0.0; NUMBERS];
    // SAFETY: every row is `blocks` blocks.
    unsafe {
        for row in weights.from..weights.to {
            let at = weights.bytes.add(row * blocks * BYTES);
            let mut sum = L::splat(0.0);
            for block in 0..blocks {
                widen(&*at.add(block * BYTES).cast(), &mut numbers);
                let input = tokens.input.add(block * NUMBERS);
                for k in (0..NUMBERS).step_by(L::COUNT) {
                    let weight = L::load(numbers.as_ptr().add(k));
                    sum = L::mul_add(weight, L::load(input.add(k)), sum);
                }
            }
            *tokens.output.add(row - weights.from) += L::sum(sum);
        }
    }
}
