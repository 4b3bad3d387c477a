//! 32 bytes with AVX2.

#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

use super::Bytes;

#[derive(Clone, Copy)]
pub(in crate::simd) struct Avx2Bytes;

// SAFETY (every block): the trait's callers promise the processor and the pointers.
impl Bytes for Avx2Bytes {
    type B = __m256i;
    type F = __m256;

    #[inline(always)]
    unsafe fn half(at: *const u8) -> f32 {
        // SAFETY: as above.
        unsafe {
            let bits = i32::from(at.cast::<u16>().read_unaligned());
            _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)))
        }
    }

    #[inline(always)]
    unsafe fn splat(byte: u8) -> Self::B {
        // SAFETY: as above.
        unsafe { _mm256_set1_epi8(byte as i8) }
    }

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self::B {
        // SAFETY: as above.
        unsafe { _mm256_loadu_si256(at.cast()) }
    }

    #[inline(always)]
    unsafe fn load_nibbles(at: *const u8) -> Self::B {
        // SAFETY: as above.
        unsafe {
            let bytes = _mm_loadu_si128(at.cast());
            let both = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
            _mm256_and_si256(both, _mm256_set1_epi8(15))
        }
    }

    #[inline(always)]
    unsafe fn and(a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe { _mm256_and_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn or(a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe { _mm256_sub_epi8(a, b) }
    }

    #[inline(always)]
    unsafe fn up<const BY: i32>(a: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe { _mm256_slli_epi16::<BY>(a) }
    }

    #[inline(always)]
    unsafe fn down<const BY: i32>(a: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe { _mm256_srli_epi16::<BY>(a) }
    }

    /// The sign goes from the weight to `x`, for one side must have none. 128 · 127 · 2
    /// still fits 16 bits.
    #[inline(always)]
    unsafe fn dot(weight: Self::B, x: Self::B) -> Self::F {
        // SAFETY: as above.
        unsafe {
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weight), _mm256_sign_epi8(x, weight));
            _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn zero() -> Self::F {
        // SAFETY: as above.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn add_scaled(to: Self::F, sums: Self::F, by: f32) -> Self::F {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_ps(sums, _mm256_set1_ps(by), to) }
    }

    #[inline(always)]
    unsafe fn add_scaled_halves(to: Self::F, sums: Self::F, first: f32, rest: f32) -> Self::F {
        // SAFETY: as above.
        unsafe {
            let by = _mm256_set_m128(_mm_set1_ps(rest), _mm_set1_ps(first));
            _mm256_fmadd_ps(sums, by, to)
        }
    }

    #[inline(always)]
    unsafe fn sum(sums: Self::F) -> f32 {
        // SAFETY: as above.
        unsafe {
            let half = _mm_add_ps(
                _mm256_castps256_ps128(sums),
                _mm256_extractf128_ps::<1>(sums),
            );
            let two = _mm_add_ps(half, _mm_movehl_ps(half, half));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}
