//! Numbers into planes of bfloat16, in the order in which tiles are loaded.

#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

use super::{DEPTH, TILE};
use crate::format::Format;
use crate::simd::wide::{transpose, widen};
use crate::stored::{Layout, StoredMatrix};

/// Splits numbers into `count` planes: each the nearest bfloat16 to what is left.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
pub(super) fn split(numbers: [__m512; 2], count: usize) -> [__m512i; 3] {
    let [mut low, mut high] = numbers;
    let mut planes = [_mm512_setzero_si512(); 3];
    for (at, plane) in planes.iter_mut().take(count).enumerate() {
        let both = _mm512_cvtne2ps_pbh(high, low);
        // SAFETY: both types are 64 bytes of which every pattern is valid.
        let both: __m512i = unsafe { std::mem::transmute(both) };
        *plane = both;
        if at + 1 < count {
            low = _mm512_sub_ps(low, whole(_mm512_castsi512_si256(both)));
            high = _mm512_sub_ps(high, whole(_mm512_extracti64x4_epi64::<1>(both)));
        }
    }
    planes
}

/// Widens 16 bfloat16 numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn whole(bits: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
}

/// Packs tokens `first` to `first + 15`, or as many as there are and zeros, of `input`,
/// `(T, K)`: of every 32 inputs so many planes of a tile, whose rows are tokens.
///
/// # Safety
/// `to`, the whole packed input, must be good for `input_bytes`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
pub(super) unsafe fn input(planes: usize, input: &[f32], inputs: usize, first: usize, to: *mut u8) {
    let tiles = inputs.div_ceil(DEPTH);
    // SAFETY: the tiles of each 16 tokens follow one another.
    unsafe {
        let to = to.add(first / 16 * tiles * planes * TILE);
        for row in 0..16 {
            let from = input.get((first + row) * inputs..).unwrap_or_default();
            let from = &from[..inputs.min(from.len())];
            for tile in 0..tiles {
                let left = from.len().saturating_sub(tile * DEPTH);
                let at = from.as_ptr().wrapping_add(tile * DEPTH);
                let numbers = both!(half in [0, 1] => {
                    let left = left.saturating_sub(16 * half).min(16);
                    let mask = ((1u32 << left) - 1) as u16;
                    _mm512_maskz_loadu_ps(mask, at.wrapping_add(16 * half))
                });
                let split = split(numbers, planes);
                for (plane, bits) in split.into_iter().take(planes).enumerate() {
                    let at = to.add((tile * planes + plane) * TILE + 64 * row);
                    _mm512_storeu_si512(at.cast(), bits);
                }
            }
        }
    }
}

/// Packs outputs `from` to `to`, at most 32, and zeros, for `tiles` tiles of the depth
/// from `first` on: of every 32 inputs the planes, each two tiles of 16 outputs, whose
/// rows are pairs of inputs.
///
/// # Safety
/// `out` must be good for two tiles for each plane of each tile of the depth.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
pub(super) unsafe fn weight(
    (weight, planes): (&StoredMatrix<'_>, usize),
    from: usize,
    to: usize,
    first: usize,
    tiles: usize,
    out: *mut u8,
) {
    // SAFETY: as the caller promises. The format is spelt out, so that each has a loop
    // of its own.
    unsafe {
        if weight.layout() == Layout::Columns {
            return columns((weight, planes), from, to, first, tiles, out);
        }
        match (weight.format(), planes) {
            (Format::F32, 1) => rows::<0, 1>(weight, from, to, first, tiles, out),
            (Format::F32, 2) => rows::<0, 2>(weight, from, to, first, tiles, out),
            (Format::F32, _) => rows::<0, 3>(weight, from, to, first, tiles, out),
            (Format::F16, 1) => rows::<1, 1>(weight, from, to, first, tiles, out),
            (Format::F16, _) => rows::<1, 2>(weight, from, to, first, tiles, out),
            (Format::Bf16, _) => rows::<2, 1>(weight, from, to, first, tiles, out),
            (Format::Q8_0, _) => rows::<3, 1>(weight, from, to, first, tiles, out),
            (Format::Q4_0, _) => rows::<4, 1>(weight, from, to, first, tiles, out),
            (Format::Q4K, _) => rows::<5, 1>(weight, from, to, first, tiles, out),
            (Format::Q6K, _) => rows::<6, 1>(weight, from, to, first, tiles, out),
        }
    }
}

/// # Safety
/// As [`weight`]; the weight's format must be number `FORMAT` of all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn rows<const FORMAT: usize, const PLANES: usize>(
    weight: &StoredMatrix<'_>,
    from: usize,
    to: usize,
    first: usize,
    tiles: usize,
    out: *mut u8,
) {
    let format = const { Format::ALL[FORMAT] };
    let inputs = weight.inputs();
    let row_bytes = weight.bytes().len() / weight.outputs();
    // SAFETY: rows before `to` are there, and of each the numbers before `inputs`.
    unsafe {
        for half in 0..2 {
            for tile in 0..tiles {
                let count = DEPTH.min(inputs - (first + tile) * DEPTH);
                let mut lines = [[_mm512_setzero_si512(); 16]; PLANES];
                let here = to.saturating_sub(from + 16 * half).min(16);
                for row in 0..here {
                    let at = weight
                        .bytes()
                        .as_ptr()
                        .add((from + 16 * half + row) * row_bytes);
                    let numbers = widen(format, at, first + tile, count);
                    for (lines, plane) in lines.iter_mut().zip(split(numbers, PLANES)) {
                        lines[row] = plane;
                    }
                }
                for (plane, lines) in lines.into_iter().enumerate() {
                    let out = out.add(((tile * PLANES + plane) * 2 + half) * TILE);
                    for (row, line) in transpose(lines).into_iter().enumerate() {
                        _mm512_storeu_si512(out.add(64 * row).cast(), line);
                    }
                }
            }
        }
    }
}

/// # Safety
/// As [`weight`]; the weight must be of columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn columns(
    (weight, planes): (&StoredMatrix<'_>, usize),
    from: usize,
    to: usize,
    first: usize,
    tiles: usize,
    out: *mut u8,
) {
    let format = weight.format();
    let (inputs, outputs) = (weight.inputs(), weight.outputs());
    let size = format.block_bytes();
    // Places that neighbouring numbers of two inputs come from.
    let pairs: [i16; 32] = std::array::from_fn(|i| (i / 2 + i % 2 * 32) as i16);
    // SAFETY: inputs before `inputs` are there, and of each the outputs before `to`.
    unsafe {
        let pairs = _mm512_loadu_si512(pairs.as_ptr().cast());
        for tile in 0..tiles {
            for row in 0..16 {
                let at = (first + tile) * DEPTH + 2 * row;
                let [even, odd] = both!(k in [at, at + 1] => {
                    let count = if k < inputs { to - from } else { 0 };
                    let at = weight.bytes().as_ptr();
                    let at = at.wrapping_add((k * outputs + from) * size);
                    split(widen(format, at, 0, count), planes)
                });
                for plane in 0..planes {
                    let out = out.add((tile * planes + plane) * 2 * TILE + 64 * row);
                    // The first 16 outputs of both inputs, then the others.
                    let low = _mm512_permutex2var_epi16(even[plane], pairs, odd[plane]);
                    let others = _mm512_add_epi16(pairs, _mm512_set1_epi16(16));
                    let high = _mm512_permutex2var_epi16(even[plane], others, odd[plane]);
                    _mm512_storeu_si512(out.cast(), low);
                    _mm512_storeu_si512(out.add(TILE).cast(), high);
                }
            }
        }
    }
}
