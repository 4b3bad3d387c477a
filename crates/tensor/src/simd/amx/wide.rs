//! 32 numbers of a stored row at a time, widened with AVX-512.

#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

use crate::format::{Format, Q4_0, Q4K, Q6K, Q8_0, scale_and_least};

/// Returns numbers `32 tile` to `32 tile + 31` of the row at `at`.
///
/// # Safety
/// They must be there; of single numbers, the first `count`, the others being zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
pub(super) unsafe fn widen(
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn half(at: *const u8) -> __m512 {
    // SAFETY: the caller promises two bytes.
    unsafe { _mm512_cvtph_ps(_mm256_set1_epi16(at.cast::<i16>().read_unaligned())) }
}

/// Signed bytes times a scale.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
fn scaled(bytes: __m256i, scale: __m512) -> [__m512; 2] {
    let first = _mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes));
    let rest = _mm512_cvtepi8_epi32(_mm256_extracti128_si256::<1>(bytes));
    [
        _mm512_mul_ps(_mm512_cvtepi32_ps(first), scale),
        _mm512_mul_ps(_mm512_cvtepi32_ps(rest), scale),
    ]
}
