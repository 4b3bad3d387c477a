//! Four numbers with ARM's NEON. Written to the same tests as the others, which
//! run it wherever the tests run on such a processor.

#![expect(unsafe_code, reason = "intrinsics")]

use super::Lanes;
use std::arch::aarch64::*;

#[derive(Clone, Copy)]
pub(super) struct Neon;

// SAFETY (every block): the trait's callers promise the processor and the pointers.
impl Lanes for Neon {
    type V = float32x4_t;
    const COUNT: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        // SAFETY: as above.
        unsafe { vdupq_n_f32(value) }
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self::V {
        // SAFETY: as above.
        unsafe { vld1q_f32(at) }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, v: Self::V) {
        // SAFETY: as above.
        unsafe { vst1q_f32(at, v) }
    }

    #[inline(always)]
    unsafe fn load_f16(at: *const u8) -> Self::V {
        // By integers, since numbers of 16 bits are not in stable Rust: exponent and
        // fraction are moved to their places, and 2¹¹² makes up for the exponents'
        // different zero, subnormals included.
        // SAFETY: as above.
        unsafe {
            let bits = vmovl_u16(vreinterpret_u16_u8(vld1_u8(at)));
            let size = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7fff)));
            let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
            let scaled = vmulq_f32(
                vreinterpretq_f32_u32(size),
                vdupq_n_f32(f32::from_bits((127 + 112) << 23)),
            );
            // Infinity and NaN have the largest exponent in both.
            let endless = vcgeq_u32(size, vdupq_n_u32(0x7c00 << 13));
            let filled = vorrq_u32(
                vreinterpretq_u32_f32(scaled),
                vandq_u32(endless, vdupq_n_u32(0x7f80_0000)),
            );
            vreinterpretq_f32_u32(vorrq_u32(filled, sign))
        }
    }

    #[inline(always)]
    unsafe fn load_bf16(at: *const u8) -> Self::V {
        // SAFETY: as above.
        unsafe {
            let wide = vmovl_u16(vreinterpret_u16_u8(vld1_u8(at)));
            vreinterpretq_f32_u32(vshlq_n_u32::<16>(wide))
        }
    }

    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vdivq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vminq_f32(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    unsafe fn round(v: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vrndnq_f32(v) }
    }

    #[inline(always)]
    unsafe fn power_of_two(v: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe {
            let exponent = vaddq_s32(vcvtnq_s32_f32(v), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
        }
    }

    #[inline(always)]
    unsafe fn where_less(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        // SAFETY: as above.
        unsafe { vbslq_f32(vcltq_f32(a, b), yes, no) }
    }

    #[inline(always)]
    unsafe fn sum(v: Self::V) -> f32 {
        // SAFETY: as above.
        unsafe { vaddvq_f32(v) }
    }

    #[inline(always)]
    unsafe fn largest(v: Self::V) -> f32 {
        // SAFETY: as above.
        unsafe { vmaxvq_f32(v) }
    }
}
