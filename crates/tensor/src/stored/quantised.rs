//! Inputs laid out for a format of weights, mostly in 8 bits for quantised ones.
//!
//! Every 32 inputs get a scale of their own, as in Q8_0, so that a block of weights and
//! the inputs it meets are whole numbers, multiplied and added up exactly; only the sums
//! of blocks are `f32`. This is what llama.cpp does, here with the scale in `f32`.

#![expect(
    unsafe_code,
    reason = "loops compiled per processor are called through pointers"
)]

use super::vector::{Tokens, Weights};
use crate::format::{Format, Q4_0, Q4K, Q6K, Q8_0, scale_and_least};
use crate::simd::Bytes;

/// The inputs of one block.
pub(crate) const BLOCK: usize = 32;

/// The formats of blocks.
pub(crate) const OF_BLOCKS: &[Format] = &[Format::Q8_0, Format::Q4_0, Format::Q4K, Format::Q6K];

/// How quantised inputs are laid out and multiplied by one kind of processor.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// The formats whose rows are multiplied this way.
    pub(crate) formats: &'static [Format],
    /// Quantises an input, `(K)`, for weights of a format into
    /// [`quantised_bytes`] bytes that start at a cache line.
    pub(crate) quantise: unsafe fn(Format, *const f32, usize, *mut u8),
    /// Adds the products of such an input to the outputs.
    pub(crate) add_rows: unsafe fn(&Weights, &Tokens),
}

/// Returns how many bytes a quantised input takes, whole cache lines, in the layout that
/// takes most.
pub(crate) fn quantised_bytes(inputs: usize) -> usize {
    // At most two numbers of 16 bits each, or one of 8 bits and a scale and an offset of
    // 4 bytes for every four.
    4 * inputs.next_multiple_of(128)
}

/// Returns the scale of 32 inputs and its inverse.
#[inline(always)]
pub(crate) fn scale(input: &[f32; BLOCK]) -> (f32, f32) {
    let mut most = [0f32; 8];
    for eight in input.as_chunks::<8>().0 {
        for (most, x) in most.iter_mut().zip(eight) {
            *most = most.max(x.abs());
        }
    }
    let most = most.iter().copied().fold(0.0, f32::max);
    let inverse = if most == 0.0 { 0.0 } else { 127.0 / most };
    (most / 127.0, inverse)
}

/// The plain layout: bytes, then the scale of each block, then scale times the sum.
///
/// # Safety
/// `input` must be good for `inputs`, whole blocks, and `to` for
/// [`quantised_bytes`].
#[inline(always)]
pub(crate) unsafe fn quantise(input: *const f32, inputs: usize, to: *mut u8) {
    let blocks = inputs / BLOCK;
    // SAFETY: the three parts lie within the bytes promised, the floats aligned since
    // `inputs` is a multiple of 32.
    let (input, bytes, scales, sums) = unsafe {
        (
            std::slice::from_raw_parts(input.cast::<[f32; BLOCK]>(), blocks),
            std::slice::from_raw_parts_mut(to.cast::<[i8; BLOCK]>(), blocks),
            std::slice::from_raw_parts_mut(to.add(inputs).cast::<f32>(), blocks),
            std::slice::from_raw_parts_mut(to.add(inputs).cast::<f32>().add(blocks), blocks),
        )
    };
    for (((input, bytes), scale_at), sum_at) in input.iter().zip(bytes).zip(scales).zip(sums) {
        let (scale, inverse) = scale(input);
        let mut sum = 0;
        for (byte, x) in bytes.iter_mut().zip(input) {
            let q = (x * inverse).round_ties_even() as i32;
            *byte = q as i8;
            sum += q;
        }
        *scale_at = scale;
        *sum_at = scale * sum as f32;
    }
}

/// Adds the products of rows with an input in the plain layout.
///
/// # Safety
/// The shapes must be true; else as all of [`Bytes`].
#[inline(always)]
pub(crate) unsafe fn add_rows<B: Bytes>(weights: &Weights, tokens: &Tokens) {
    // SAFETY: as the caller promises.
    unsafe {
        match weights.format {
            Format::Q8_0 => rows::<B, Q8_0>(weights, tokens),
            Format::Q4_0 => rows::<B, Q4_0>(weights, tokens),
            Format::Q4K => rows::<B, Q4K>(weights, tokens),
            _ => rows::<B, Q6K>(weights, tokens),
        }
    }
}

/// A block that is multiplied with `SCALES` blocks of inputs. A trait, because closures
/// would be compiled without the processor's features.
trait Block {
    const SIZE: usize;
    const SCALES: usize;
    /// Adds the product to the sums.
    unsafe fn add<B: Bytes>(block: *const u8, inputs: Inputs, sums: B::F) -> B::F;
}

/// Inputs from some block on, in the plain layout.
#[derive(Clone, Copy)]
struct Inputs {
    bytes: *const u8,
    scales: *const f32,
    sums: *const f32,
}

/// # Safety
/// As [`add_rows`].
#[inline(always)]
unsafe fn rows<B: Bytes, K: Block>(weights: &Weights, tokens: &Tokens) {
    let blocks = weights.inputs / (K::SCALES * BLOCK);
    // SAFETY: as the caller promises.
    unsafe {
        let scales = tokens.quantised.add(weights.inputs).cast::<f32>();
        let start = Inputs {
            bytes: tokens.quantised,
            scales,
            sums: scales.add(weights.inputs / BLOCK),
        };
        for row in weights.from..weights.to {
            let at = weights.bytes.add(row * blocks * K::SIZE);
            let mut sums = B::zero();
            for block in 0..blocks {
                let inputs = Inputs {
                    bytes: start.bytes.add(block * K::SCALES * BLOCK),
                    scales: start.scales.add(block * K::SCALES),
                    sums: start.sums.add(block * K::SCALES),
                };
                sums = K::add::<B>(at.add(block * K::SIZE), inputs, sums);
            }
            *tokens.output.add(row - weights.from) += B::sum(sums);
        }
    }
}

impl Block for Q8_0 {
    const SIZE: usize = Self::BYTES;
    const SCALES: usize = 1;

    #[inline(always)]
    unsafe fn add<B: Bytes>(block: *const u8, inputs: Inputs, sums: B::F) -> B::F {
        // SAFETY: the caller promises the block and its inputs.
        unsafe {
            let dot = B::dot(B::load(block.add(2)), B::load(inputs.bytes));
            B::add_scaled(sums, dot, B::half(block) * *inputs.scales)
        }
    }
}

impl Block for Q4_0 {
    const SIZE: usize = Self::BYTES;
    const SCALES: usize = 1;

    #[inline(always)]
    unsafe fn add<B: Bytes>(block: *const u8, inputs: Inputs, sums: B::F) -> B::F {
        // SAFETY: the caller promises the block and its inputs.
        unsafe {
            let weight = B::sub(B::load_nibbles(block.add(2)), B::splat(8));
            let dot = B::dot(weight, B::load(inputs.bytes));
            B::add_scaled(sums, dot, B::half(block) * *inputs.scales)
        }
    }
}

impl Block for Q4K {
    const SIZE: usize = Self::BYTES;
    const SCALES: usize = 8;

    #[inline(always)]
    unsafe fn add<B: Bytes>(block: *const u8, inputs: Inputs, sums: B::F) -> B::F {
        let mut sums = sums;
        // SAFETY: the caller promises the block and its inputs.
        unsafe {
            let (scale, least) = (B::half(block), B::half(block.add(2)));
            let pairs = &*block.add(4).cast::<[u8; 12]>();
            let mut below = 0.0;
            for j in 0..8 {
                let (s, m) = scale_and_least(pairs, j);
                let bytes = B::load(block.add(16 + j / 2 * 32));
                let bytes = if j % 2 == 0 {
                    bytes
                } else {
                    B::down::<4>(bytes)
                };
                let weight = B::and(bytes, B::splat(15));
                let dot = B::dot(weight, B::load(inputs.bytes.add(j * BLOCK)));
                sums = B::add_scaled(sums, dot, scale * f32::from(s) * *inputs.scales.add(j));
                below += f32::from(m) * *inputs.sums.add(j);
            }
            // Each of the eight sums is 4 here.
            let ones = B::dot(B::splat(1), B::splat(1));
            B::add_scaled(sums, ones, -least * below / 32.0)
        }
    }
}

impl Block for Q6K {
    const SIZE: usize = Self::BYTES;
    const SCALES: usize = 8;

    #[inline(always)]
    unsafe fn add<B: Bytes>(block: *const u8, inputs: Inputs, sums: B::F) -> B::F {
        let mut sums = sums;
        // SAFETY: the caller promises the block and its inputs.
        unsafe {
            let scale = B::half(block.add(208));
            let (low, high) = (B::splat(15), B::splat(48));
            for half in 0..2 {
                let first = B::load(block.add(64 * half));
                let second = B::load(block.add(64 * half + 32));
                let bits = B::load(block.add(128 + 32 * half));
                let quarters = [
                    B::or(B::and(first, low), B::and(B::up::<4>(bits), high)),
                    B::or(B::and(second, low), B::and(B::up::<2>(bits), high)),
                    B::or(B::and(B::down::<4>(first), low), B::and(bits, high)),
                    B::or(
                        B::and(B::down::<4>(second), low),
                        B::and(B::down::<2>(bits), high),
                    ),
                ];
                for (quarter, weight) in quarters.into_iter().enumerate() {
                    let j = 4 * half + quarter;
                    let weight = B::sub(weight, B::splat(32));
                    let dot = B::dot(weight, B::load(inputs.bytes.add(j * BLOCK)));
                    let by = scale * *inputs.scales.add(j);
                    let first = by * f32::from(*block.add(192 + 2 * j) as i8);
                    let rest = by * f32::from(*block.add(193 + 2 * j) as i8);
                    sums = B::add_scaled_halves(sums, dot, first, rest);
                }
            }
        }
        sums
    }
}
