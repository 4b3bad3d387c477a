//! Numbers of 16 bits, widened.

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
    fn a_bfloat_is_the_upper_half() {
        for (bits, expect) in [(0x3f80, 1.0), (0xc000, -2.0), (0x3eab, 0.333_984_38)] {
            assert_eq!(bf16_to_f32(bits), expect);
        }
    }
}
