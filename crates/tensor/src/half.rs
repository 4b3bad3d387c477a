//! Numbers of 16 bits, widened and narrowed.

#![expect(unsafe_code, reason = "several numbers are narrowed at once")]

use crate::simd::{Kernels, Lanes};

/// The largest number of binary16.
const LARGEST_HALF: f32 = 65_504.0;

impl Kernels {
    /// Sets `to` to what comes nearest to `from` in binary16, ties to even; what is larger
    /// than all of these becomes the largest. Panics if the lengths differ.
    pub fn halve(&self, from: &[f32], to: &mut [u16]) {
        assert_eq!(from.len(), to.len(), "there is a place for every number");
        // SAFETY: both are as long as is said, and the table is the processor's own.
        unsafe { (self.halve)(from.as_ptr(), to.as_mut_ptr(), from.len()) };
    }
}

/// # Safety
/// Both must be good for `count` numbers; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn halve<L: Lanes>(from: *const f32, to: *mut u16, count: usize) {
    let whole = count - count % L::COUNT;
    // SAFETY: as the caller promises.
    unsafe {
        let (least, most) = (L::splat(-LARGEST_HALF), L::splat(LARGEST_HALF));
        for at in (0..whole).step_by(L::COUNT) {
            let v = L::max(least, L::min(most, L::load(from.add(at))));
            L::store_f16(to.add(at), v);
        }
        for at in whole..count {
            let number = (*from.add(at)).clamp(-LARGEST_HALF, LARGEST_HALF);
            *to.add(at) = f32_to_f16(number);
        }
    }
}

/// Returns the number whose bfloat16 pattern is `bits`; exact.
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Returns the number whose IEEE 754 binary16 pattern is `bits`; exact.
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let (exponent, fraction) = (u32::from(bits >> 10) & 31, u32::from(bits) & 0x3ff);
    match exponent {
        // Zero and subnormals are whole multiples of 2⁻²⁴.
        0 => f32::from_bits(sign | (fraction as f32 * (-24f32).exp2()).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// Returns the bfloat16 pattern nearest to `number`, ties to even; a NaN stays one.
pub fn f32_to_bf16(number: f32) -> u16 {
    let bits = number.to_bits();
    if number.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// Returns the binary16 pattern nearest to `number`, ties to even; a NaN stays one, and
/// from 65,520 on it is infinity.
pub fn f32_to_f16(number: f32) -> u16 {
    let bits = number.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let size = bits & 0x7fff_ffff;
    if size > 0x7f80_0000 {
        // The upper bits of what the NaN carries, and never none of them.
        return sign | 0x7e00 | (size >> 13 & 0x3ff) as u16;
    }
    if size >= 0x4780_0000 {
        return sign | 0x7c00;
    }
    if size < 0x3880_0000 {
        // A whole multiple of 2⁻²⁴: adding ½ leaves it, rounded, in the lowest bits.
        let shifted = f32::from_bits(size) + 0.5;
        return sign | (shifted.to_bits() - 0.5f32.to_bits()) as u16;
    }
    let rounded = size + 0xfff + (size >> 13 & 1);
    sign | ((rounded - (112 << 23)) >> 13) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_what_the_standard_says() {
        for bits in 0..=u16::MAX {
            let found = f16_to_f32(bits);
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
            let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
            if exponent == 31 {
                assert_eq!(found.is_nan(), fraction != 0.0);
                assert_eq!(found.is_infinite(), fraction == 0.0);
            } else {
                let size = match exponent {
                    0 => fraction / 1024.0 * 2f64.powi(-14),
                    _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
                };
                assert_eq!(f64::from(found), sign * size, "{bits:#06x}");
            }
            assert_eq!(found.is_sign_negative(), bits >> 15 == 1);
        }
    }

    #[test]
    fn many_are_halved_as_one_is() {
        let numbers: Vec<f32> = (0..2000)
            .map(|at| (at as f32 - 1000.0) * 1.37e-2f32.powi(at % 7 - 3))
            .chain([0.0, -0.0, 1e-30, 65_519.0, -65_504.0])
            .collect();
        let expect: Vec<u16> = numbers
            .iter()
            .map(|number| f32_to_f16(number.clamp(-65_504.0, 65_504.0)))
            .collect();
        for version in Kernels::available() {
            let mut found = vec![0; numbers.len()];
            version.halve(&numbers, &mut found);
            assert_eq!(found, expect, "{}", version.name);
        }
    }

    #[test]
    fn a_bfloat_is_the_upper_half() {
        for (bits, expect) in [(0x3f80, 1.0), (0xc000, -2.0), (0x3eab, 0.333_984_38)] {
            assert_eq!(bf16_to_f32(bits), expect);
        }
    }

    #[test]
    fn what_was_widened_comes_back() {
        for bits in 0..=u16::MAX {
            let (half, brain) = (f16_to_f32(bits), bf16_to_f32(bits));
            if half.is_nan() {
                assert!(f16_to_f32(f32_to_f16(half)).is_nan());
            } else {
                assert_eq!(f32_to_f16(half), bits);
            }
            if brain.is_nan() {
                assert!(bf16_to_f32(f32_to_bf16(brain)).is_nan());
            } else {
                assert_eq!(f32_to_bf16(brain), bits);
            }
        }
    }

    /// Between two neighbours the nearer is taken, in the middle the even one.
    #[test]
    fn the_nearest_is_taken() {
        for below in (0..0x7bff).chain(0x8000..0xfbff) {
            let (low, high) = (f16_to_f32(below), f16_to_f32(below + 1));
            let middle = (low + high) / 2.0;
            assert_eq!(f32_to_f16(middle), below + (below & 1));
            assert_eq!(f32_to_f16(f32::from_bits(middle.to_bits() - 1)), below);
            assert_eq!(f32_to_f16(f32::from_bits(middle.to_bits() + 1)), below + 1);
        }
        assert_eq!(f32_to_f16(65_519.99), 0x7bff);
        assert_eq!(f32_to_f16(65_520.0), 0x7c00);
        assert_eq!(f32_to_f16(f32::MAX), 0x7c00);
        for below in (0..0x7f7f).chain(0x8000..0xff7f) {
            let middle = f32::from_bits(u32::from(below) << 16 | 0x8000);
            assert_eq!(f32_to_bf16(middle), below + (below & 1));
            assert_eq!(f32_to_bf16(f32::from_bits(middle.to_bits() - 1)), below);
            assert_eq!(f32_to_bf16(f32::from_bits(middle.to_bits() + 1)), below + 1);
        }
    }
}
