//! Eight numbers in plain Rust: what every processor runs, and what the others are
//! compared with.

#![expect(unsafe_code, reason = "the trait's pointers")]

use super::Lanes;
use crate::half::{bf16_to_f32, f16_to_f32};

#[derive(Clone, Copy)]
pub(super) struct Plain;

type V = [f32; 8];

#[inline(always)]
fn pairs(a: V, b: V, of: impl Fn(f32, f32) -> f32) -> V {
    std::array::from_fn(|lane| of(a[lane], b[lane]))
}

impl Lanes for Plain {
    type V = V;
    const COUNT: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> V {
        [value; 8]
    }

    #[inline(always)]
    unsafe fn load(at: *const f32) -> V {
        // SAFETY: the caller promises eight numbers.
        unsafe { at.cast::<V>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(at: *mut f32, v: V) {
        // SAFETY: the caller promises eight numbers.
        unsafe { at.cast::<V>().write_unaligned(v) }
    }

    #[inline(always)]
    unsafe fn load_f16(at: *const u8) -> V {
        // SAFETY: the caller promises eight numbers.
        let halves = unsafe { at.cast::<[u16; 8]>().read_unaligned() };
        halves.map(|bits| f16_to_f32(u16::from_le(bits)))
    }

    #[inline(always)]
    unsafe fn load_bf16(at: *const u8) -> V {
        // SAFETY: the caller promises eight numbers.
        let halves = unsafe { at.cast::<[u16; 8]>().read_unaligned() };
        halves.map(|bits| bf16_to_f32(u16::from_le(bits)))
    }

    #[inline(always)]
    unsafe fn add(a: V, b: V) -> V {
        pairs(a, b, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(a: V, b: V) -> V {
        pairs(a, b, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(a: V, b: V) -> V {
        pairs(a, b, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn div(a: V, b: V) -> V {
        pairs(a, b, |a, b| a / b)
    }

    #[inline(always)]
    unsafe fn max(a: V, b: V) -> V {
        pairs(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    unsafe fn min(a: V, b: V) -> V {
        pairs(a, b, |a, b| if a < b { a } else { b })
    }

    /// Rounds twice: a fused `mul_add` without hardware is a slow call.
    #[inline(always)]
    unsafe fn mul_add(a: V, b: V, c: V) -> V {
        std::array::from_fn(|lane| a[lane] * b[lane] + c[lane])
    }

    #[inline(always)]
    unsafe fn round(v: V) -> V {
        v.map(f32::round_ties_even)
    }

    #[inline(always)]
    unsafe fn power_of_two(v: V) -> V {
        v.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }

    #[inline(always)]
    unsafe fn where_less(a: V, b: V, yes: V, no: V) -> V {
        std::array::from_fn(|lane| {
            if a[lane] < b[lane] {
                yes[lane]
            } else {
                no[lane]
            }
        })
    }

    #[inline(always)]
    unsafe fn sum(v: V) -> f32 {
        v.iter().sum()
    }

    #[inline(always)]
    unsafe fn largest(v: V) -> f32 {
        v.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }
}
