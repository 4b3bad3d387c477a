//! 32 bytes in plain Rust.

#![expect(unsafe_code, reason = "the trait's pointers")]

use super::Bytes;
use crate::half::f16_to_f32;

#[derive(Clone, Copy)]
pub(in crate::simd) struct PlainBytes;

type B = [u8; 32];
type F = [f32; 8];

impl Bytes for PlainBytes {
    type B = B;
    type F = F;

    #[inline(always)]
    unsafe fn half(at: *const u8) -> f32 {
        // SAFETY: the caller promises two bytes.
        let bits = unsafe { at.cast::<u16>().read_unaligned() };
        f16_to_f32(u16::from_le(bits))
    }

    #[inline(always)]
    unsafe fn splat(byte: u8) -> B {
        [byte; 32]
    }

    #[inline(always)]
    unsafe fn load(at: *const u8) -> B {
        // SAFETY: the caller promises 32 bytes.
        unsafe { at.cast::<B>().read() }
    }

    #[inline(always)]
    unsafe fn load_nibbles(at: *const u8) -> B {
        // SAFETY: the caller promises 16 bytes.
        let bytes = unsafe { at.cast::<[u8; 16]>().read() };
        std::array::from_fn(|i| {
            if i < 16 {
                bytes[i] & 15
            } else {
                bytes[i - 16] >> 4
            }
        })
    }

    #[inline(always)]
    unsafe fn and(a: B, b: B) -> B {
        std::array::from_fn(|i| a[i] & b[i])
    }

    #[inline(always)]
    unsafe fn or(a: B, b: B) -> B {
        std::array::from_fn(|i| a[i] | b[i])
    }

    #[inline(always)]
    unsafe fn sub(a: B, b: B) -> B {
        std::array::from_fn(|i| a[i].wrapping_sub(b[i]))
    }

    #[inline(always)]
    unsafe fn up<const BY: i32>(a: B) -> B {
        a.map(|byte| byte << BY)
    }

    #[inline(always)]
    unsafe fn down<const BY: i32>(a: B) -> B {
        a.map(|byte| byte >> BY)
    }

    #[inline(always)]
    unsafe fn dot(weight: B, x: B) -> F {
        std::array::from_fn(|sum| {
            let four = 4 * sum..4 * sum + 4;
            let sum: i32 = weight[four.clone()]
                .iter()
                .zip(&x[four])
                .map(|(weight, x)| i32::from(*weight as i8) * i32::from(*x as i8))
                .sum();
            sum as f32
        })
    }

    #[inline(always)]
    unsafe fn zero() -> F {
        [0.0; 8]
    }

    #[inline(always)]
    unsafe fn add_scaled(to: F, sums: F, by: f32) -> F {
        std::array::from_fn(|i| sums[i] * by + to[i])
    }

    #[inline(always)]
    unsafe fn add_scaled_halves(to: F, sums: F, first: f32, rest: f32) -> F {
        std::array::from_fn(|i| sums[i] * if i < 4 { first } else { rest } + to[i])
    }

    #[inline(always)]
    unsafe fn sum(sums: F) -> f32 {
        sums.iter().sum()
    }
}
