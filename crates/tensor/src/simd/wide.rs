//! 32 numbers of a stored row at a time, widened with AVX-512, and panels made of them.

#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

use crate::format::{Format, Q4_0, Q4K, Q6K, Q8_0, scale_and_least};

/// Returns numbers `32 tile` to `32 tile + 31` of the row at `at`.
///
/// # Safety
/// They must be there; of single numbers, the first `count`, the others being zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,f16c,fma")]
pub(in crate::simd) unsafe fn widen(
    format: Format,
    at: *const u8,
    tile: usize,
    count: usize,
) -> [__m512; 2] {
    // SAFETY: as the caller promises.
    unsafe {
        match format {
            Format::F32 => {
                let at = at.add(tile * 128).cast::<f32>();
                both!(half in [0, 1] => {
                    let mask = mask(count.saturating_sub(16 * half));
                    _mm512_maskz_loadu_ps(mask, at.wrapping_add(16 * half))
                })
            }
            Format::F16 | Format::Bf16 => {
                let at = at.add(tile * 64).cast::<i16>();
                both!(half in [0, 1] => {
                    let mask = mask(count.saturating_sub(16 * half));
                    let bits = _mm256_maskz_loadu_epi16(mask, at.wrapping_add(16 * half));
                    if format == Format::F16 {
                        _mm512_cvtph_ps(bits)
                    } else {
                        let wide = _mm512_cvtepu16_epi32(bits);
                        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
                    }
                })
            }
            Format::Q8_0 => {
                let block = at.add(tile * Q8_0::BYTES);
                let bytes = _mm256_loadu_si256(block.add(2).cast());
                scaled(bytes, half(block))
            }
            Format::Q4_0 => {
                let block = at.add(tile * Q4_0::BYTES);
                let bytes = _mm_loadu_si128(block.add(2).cast());
                let both = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
                let bytes = _mm256_and_si256(both, _mm256_set1_epi8(15));
                scaled(_mm256_sub_epi8(bytes, _mm256_set1_epi8(8)), half(block))
            }
            Format::Q4K => {
                let block = at.add(tile / 8 * Q4K::BYTES);
                let j = tile % 8;
                let (s, m) = scale_and_least(&*block.add(4).cast::<[u8; 12]>(), j);
                let bytes = _mm256_loadu_si256(block.add(16 + j / 2 * 32).cast());
                let bytes = if j.is_multiple_of(2) {
                    bytes
                } else {
                    _mm256_srli_epi16::<4>(bytes)
                };
                let bytes = _mm256_and_si256(bytes, _mm256_set1_epi8(15));
                let scale = _mm512_mul_ps(half(block), _mm512_set1_ps(f32::from(s)));
                let least = _mm512_mul_ps(half(block.add(2)), _mm512_set1_ps(f32::from(m)));
                let [first, rest] = scaled(bytes, scale);
                [_mm512_sub_ps(first, least), _mm512_sub_ps(rest, least)]
            }
            Format::Q6K => {
                let block = at.add(tile / 8 * Q6K::BYTES);
                let (which, quarter) = (tile % 8 / 4, tile % 4);
                let low = _mm256_loadu_si256(block.add(64 * which + quarter % 2 * 32).cast());
                let high = _mm256_loadu_si256(block.add(128 + 32 * which).cast());
                let low = if quarter < 2 {
                    low
                } else {
                    _mm256_srli_epi16::<4>(low)
                };
                let low = _mm256_and_si256(low, _mm256_set1_epi8(15));
                let high = _mm256_srl_epi16(high, _mm_cvtsi32_si128(2 * quarter as i32));
                let high = _mm256_and_si256(high, _mm256_set1_epi8(3));
                let bytes = _mm256_or_si256(low, _mm256_slli_epi16::<4>(high));
                let bytes = _mm256_sub_epi8(bytes, _mm256_set1_epi8(32));
                let scales = block.add(192 + 8 * which + 2 * quarter).cast::<i8>();
                let scale = half(block.add(208));
                let [first, rest] = scaled(bytes, scale);
                [
                    _mm512_mul_ps(first, _mm512_set1_ps(f32::from(*scales))),
                    _mm512_mul_ps(rest, _mm512_set1_ps(f32::from(*scales.add(1)))),
                ]
            }
        }
    }
}

#[inline(always)]
fn mask(count: usize) -> u16 {
    if count >= 16 {
        u16::MAX
    } else {
        (1 << count) - 1
    }
}

/// The binary16 number at `at`, in all places.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,f16c,fma")]
unsafe fn half(at: *const u8) -> __m512 {
    // SAFETY: the caller promises two bytes.
    unsafe { _mm512_cvtph_ps(_mm256_set1_epi16(at.cast::<i16>().read_unaligned())) }
}

/// Signed bytes times a scale.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,f16c,fma")]
fn scaled(bytes: __m256i, scale: __m512) -> [__m512; 2] {
    let first = _mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes));
    let rest = _mm512_cvtepi8_epi32(_mm256_extracti128_si256::<1>(bytes));
    [
        _mm512_mul_ps(_mm512_cvtepi32_ps(first), scale),
        _mm512_mul_ps(_mm512_cvtepi32_ps(rest), scale),
    ]
}

/// Sets the panel, `(K, 32)`, to rows `from` to `to` of a weight, `(N, K)`, and zeros.
///
/// # Safety
/// The shapes must be true.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,f16c,fma")]
pub(super) unsafe fn widen_rows(
    format: Format,
    bytes: *const u8,
    inputs: usize,
    from: usize,
    to: usize,
    panel: *mut f32,
) {
    // SAFETY: as the caller promises. The format is spelt out, so that each has a loop
    // of its own.
    unsafe {
        match format {
            Format::F32 => panel_of::<0>(bytes, inputs, from, to, panel),
            Format::F16 => panel_of::<1>(bytes, inputs, from, to, panel),
            Format::Bf16 => panel_of::<2>(bytes, inputs, from, to, panel),
            Format::Q8_0 => panel_of::<3>(bytes, inputs, from, to, panel),
            Format::Q4_0 => panel_of::<4>(bytes, inputs, from, to, panel),
            Format::Q4K => panel_of::<5>(bytes, inputs, from, to, panel),
            Format::Q6K => panel_of::<6>(bytes, inputs, from, to, panel),
        }
    }
}

/// # Safety
/// As [`widen_rows`]; the format must be number `FORMAT` of all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,f16c,fma")]
unsafe fn panel_of<const FORMAT: usize>(
    bytes: *const u8,
    inputs: usize,
    from: usize,
    to: usize,
    panel: *mut f32,
) {
    let format = const { Format::ALL[FORMAT] };
    let length = inputs / format.block_numbers() * format.block_bytes();
    // SAFETY: rows before `to` are there, and of each the numbers before `inputs`.
    unsafe {
        for first in [0, 16] {
            let here = to.saturating_sub(from + first).min(16);
            for tile in 0..inputs.div_ceil(32) {
                let count = (inputs - 32 * tile).min(32);
                let mut lines = [[_mm512_setzero_si512(); 16]; 2];
                let [lows, highs] = &mut lines;
                for (row, (low, high)) in lows.iter_mut().zip(highs).take(here).enumerate() {
                    let at = bytes.add((from + first + row) * length);
                    let numbers = widen(format, at, tile, count);
                    *low = _mm512_castps_si512(numbers[0]);
                    *high = _mm512_castps_si512(numbers[1]);
                }
                let halves = [transpose(lines[0]), transpose(lines[1])];
                for (k, line) in halves.as_flattened().iter().take(count).enumerate() {
                    let to = panel.add((32 * tile + k) * 32 + first);
                    _mm512_storeu_si512(to.cast(), *line);
                }
            }
        }
    }
}

/// Returns the transpose of 16 × 16 numbers of 32 bits.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(rows: [__m512i; 16]) -> [__m512i; 16] {
    // Squares of 4 within a quarter of each vector first, then the quarters.
    let mut fours = rows;
    for i in (0..16).step_by(4) {
        let [a, b, c, d] = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
        let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        fours[i] = _mm512_unpacklo_epi64(ab_low, cd_low);
        fours[i + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        fours[i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        fours[i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    let mut out = fours;
    for i in 0..4 {
        let [a, b, c, d] = [fours[i], fours[i + 4], fours[i + 8], fours[i + 12]];
        let ab_even = _mm512_shuffle_i32x4::<0x88>(a, b);
        let ab_odd = _mm512_shuffle_i32x4::<0xdd>(a, b);
        let cd_even = _mm512_shuffle_i32x4::<0x88>(c, d);
        let cd_odd = _mm512_shuffle_i32x4::<0xdd>(c, d);
        out[i] = _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even);
        out[8 + i] = _mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even);
        out[4 + i] = _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd);
        out[12 + i] = _mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd);
    }
    out
}
