//! Rows of bfloat16 with AVX-512's `vdpbf16ps`, which multiplies 32 pairs and adds them by
//! twos.
//!
//! It wants inputs of bfloat16 too, which has 8 bits of 24. So each input is two of them,
//! the nearest and the nearest to what that leaves: 16 bits, an error of 2⁻¹⁷.

#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

use super::vnni;
use crate::format::Format;
use crate::stored::quantised::Blocks;
use crate::stored::vector::{Tokens, Weights, ahead};

pub(super) static BLOCKS: Blocks = Blocks {
    formats: &[
        Format::Bf16,
        Format::Q8_0,
        Format::Q4_0,
        Format::Q4K,
        Format::Q6K,
    ],
    quantise,
    add_rows,
};

/// Numbers of a vector.
const WIDE: usize = 32;
/// Rows that are multiplied together.
const ROWS: usize = 4;

/// The first 32 bfloat16 numbers, those left by them, the next 32, and so on.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn quantise(format: Format, input: *const f32, inputs: usize, to: *mut u8) {
    if format != Format::Bf16 {
        // SAFETY: as the caller promises.
        unsafe { (vnni::BLOCKS.quantise)(format, input, inputs, to) };
        return;
    }
    // SAFETY: masks keep to `inputs`, and what is written to whole vectors.
    unsafe {
        for at in (0..inputs).step_by(WIDE) {
            let numbers = both!(half in [0, 16] => {
                let left = (inputs - at).saturating_sub(half).min(16);
                let from = input.wrapping_add(at + half);
                _mm512_maskz_loadu_ps(((1u32 << left) - 1) as u16, from)
            });
            let [low, high] = numbers;
            let near = bits(_mm512_cvtne2ps_pbh(high, low));
            let left = [
                _mm512_sub_ps(low, widen(_mm512_castsi512_si256(near))),
                _mm512_sub_ps(high, widen(_mm512_extracti64x4_epi64::<1>(near))),
            ];
            let rest = bits(_mm512_cvtne2ps_pbh(left[1], left[0]));
            let to = to.add(at * 4);
            _mm512_storeu_si512(to.cast(), near);
            _mm512_storeu_si512(to.add(64).cast(), rest);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn widen(bits: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
}

fn bits(v: __m512bh) -> __m512i {
    // SAFETY: both are 64 bytes of which every pattern is valid.
    unsafe { std::mem::transmute(v) }
}

fn brain(v: __m512i) -> __m512bh {
    // SAFETY: as in `bits`.
    unsafe { std::mem::transmute(v) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn add_rows(weights: &Weights, tokens: &Tokens) {
    // SAFETY: the caller promises the shapes, this function the processor.
    unsafe {
        if weights.format != Format::Bf16 {
            (vnni::BLOCKS.add_rows)(weights, tokens);
            return;
        }
        let count = weights.to - weights.from;
        let most = count - count % ROWS;
        let length = 2 * weights.inputs;
        for first in (0..most).step_by(ROWS) {
            let at = weights.bytes.add((weights.from + first) * length);
            let sums = rows::<ROWS>(at, weights.inputs, tokens.quantised);
            let output = tokens.output.add(first);
            let sums = vnni::across(sums);
            _mm_storeu_ps(output, _mm_add_ps(_mm_loadu_ps(output), sums));
        }
        for row in most..count {
            let at = weights.bytes.add((weights.from + row) * length);
            let [sums] = rows::<1>(at, weights.inputs, tokens.quantised);
            *tokens.output.add(row) += _mm512_reduce_add_ps(sums);
        }
    }
}

/// # Safety
/// `R` rows of `inputs` numbers must be at `at`, and as many inputs at `laid_out`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn rows<const R: usize>(at: *const u8, inputs: usize, laid_out: *const u8) -> [__m512; R] {
    let whole = inputs - inputs % WIDE;
    let ahead = ahead(R, 2 * inputs);
    // SAFETY: as the caller promises; the mask keeps to the row.
    unsafe {
        let mut near = [_mm512_setzero_ps(); R];
        let mut rest = [_mm512_setzero_ps(); R];
        for k in (0..whole).step_by(WIDE) {
            let input =
                both!(at in [0, 64] => brain(_mm512_loadu_si512(laid_out.add(4 * k + at).cast())));
            for r in 0..R {
                let at = at.add(2 * (r * inputs + k));
                _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(ahead).cast());
                let weight = brain(_mm512_loadu_si512(at.cast()));
                near[r] = _mm512_dpbf16_ps(near[r], weight, input[0]);
                rest[r] = _mm512_dpbf16_ps(rest[r], weight, input[1]);
            }
        }
        if whole < inputs {
            let mask = (1 << (inputs - whole)) - 1;
            let laid_out = laid_out.add(4 * whole);
            let input = both!(at in [0, 64] => brain(_mm512_loadu_si512(laid_out.add(at).cast())));
            for r in 0..R {
                let at = at.add(2 * (r * inputs + whole)).cast();
                let weight = brain(_mm512_maskz_loadu_epi16(mask, at));
                near[r] = _mm512_dpbf16_ps(near[r], weight, input[0]);
                rest[r] = _mm512_dpbf16_ps(rest[r], weight, input[1]);
            }
        }
        for r in 0..R {
            near[r] = _mm512_add_ps(near[r], rest[r]);
        }
        near
    }
}
