//! 32 bytes with ARM's NEON, in two halves.

#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::aarch64::*;

use super::Bytes;
use crate::half::f16_to_f32;

#[derive(Clone, Copy)]
pub(in crate::simd) struct NeonBytes;

// SAFETY (every block): the trait's callers promise the processor and the pointers.
impl Bytes for NeonBytes {
    type B = [uint8x16_t; 2];
    type F = [float32x4_t; 2];

    #[inline(always)]
    unsafe fn half(at: *const u8) -> f32 {
        // SAFETY: as above.
        let bits = unsafe { at.cast::<u16>().read_unaligned() };
        f16_to_f32(u16::from_le(bits))
    }

    #[inline(always)]
    unsafe fn splat(byte: u8) -> Self::B {
        // SAFETY: as above.
        unsafe { [vdupq_n_u8(byte); 2] }
    }

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self::B {
        // SAFETY: as above.
        unsafe { [vld1q_u8(at), vld1q_u8(at.add(16))] }
    }

    #[inline(always)]
    unsafe fn load_nibbles(at: *const u8) -> Self::B {
        // SAFETY: as above.
        unsafe {
            let bytes = vld1q_u8(at);
            [
                vandq_u8(bytes, vdupq_n_u8(15)),
                vshlq_u8(bytes, vdupq_n_s8(-4)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn and(a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe { [vandq_u8(a[0], b[0]), vandq_u8(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn or(a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe { [vorrq_u8(a[0], b[0]), vorrq_u8(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn sub(a: Self::B, b: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe { [vsubq_u8(a[0], b[0]), vsubq_u8(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn up<const BY: i32>(a: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe {
            let by = vdupq_n_s8(BY as i8);
            [vshlq_u8(a[0], by), vshlq_u8(a[1], by)]
        }
    }

    #[inline(always)]
    unsafe fn down<const BY: i32>(a: Self::B) -> Self::B {
        // SAFETY: as above.
        unsafe {
            let by = vdupq_n_s8(-(BY as i8));
            [vshlq_u8(a[0], by), vshlq_u8(a[1], by)]
        }
    }

    #[inline(always)]
    unsafe fn dot(weight: Self::B, x: Self::B) -> Self::F {
        // SAFETY: as above.
        unsafe {
            let of = |weight: uint8x16_t, x: uint8x16_t| {
                let (weight, x) = (vreinterpretq_s8_u8(weight), vreinterpretq_s8_u8(x));
                // Neighbouring products are added as 32 bits, for two of 128 · 127 that
                // are added as 16 bits just fit, and a third would not.
                let low = vpaddlq_s16(vmull_s8(vget_low_s8(weight), vget_low_s8(x)));
                let high = vpaddlq_s16(vmull_s8(vget_high_s8(weight), vget_high_s8(x)));
                vcvtq_f32_s32(vpaddq_s32(low, high))
            };
            [of(weight[0], x[0]), of(weight[1], x[1])]
        }
    }

    #[inline(always)]
    unsafe fn zero() -> Self::F {
        // SAFETY: as above.
        unsafe { [vdupq_n_f32(0.0); 2] }
    }

    #[inline(always)]
    unsafe fn add_scaled(to: Self::F, sums: Self::F, by: f32) -> Self::F {
        // SAFETY: as above.
        unsafe {
            [
                vfmaq_n_f32(to[0], sums[0], by),
                vfmaq_n_f32(to[1], sums[1], by),
            ]
        }
    }

    #[inline(always)]
    unsafe fn add_scaled_halves(to: Self::F, sums: Self::F, first: f32, rest: f32) -> Self::F {
        // SAFETY: as above.
        unsafe {
            [
                vfmaq_n_f32(to[0], sums[0], first),
                vfmaq_n_f32(to[1], sums[1], rest),
            ]
        }
    }

    #[inline(always)]
    unsafe fn sum(sums: Self::F) -> f32 {
        // SAFETY: as above.
        unsafe { vaddvq_f32(vaddq_f32(sums[0], sums[1])) }
    }
}
