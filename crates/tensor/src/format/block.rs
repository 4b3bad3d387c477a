//! One block of each quantised format: how its numbers are read and, of the two
//! simple ones, written.

use crate::half::{f16_to_f32, f32_to_f16};

/// A scale and 32 numbers of 8 bits: `xᵢ = d qᵢ`.
pub(crate) struct Q8_0;
/// A scale and 32 numbers of 4 bits, `xᵢ = d (qᵢ − 8)`; byte `i` has `qᵢ` below and
/// `qᵢ₊₁₆` above.
pub(crate) struct Q4_0;
/// A scale `d` and a scale of least numbers `l`, eight pairs of 6 bits `(sⱼ, mⱼ)` in 12
/// bytes, and 256 numbers of 4 bits: `xᵢ = d sⱼ qᵢ − l mⱼ` with `j = i / 32`.
pub(crate) struct Q4K;
/// 128 bytes of lower and 64 bytes of upper parts of 256 numbers of 6 bits, sixteen
/// scales of 8 bits, and a scale of those: `xᵢ = d sⱼ (qᵢ − 32)` with `j = i / 16`.
pub(crate) struct Q6K;

fn half(bytes: &[u8]) -> f32 {
    f16_to_f32(u16::from_le_bytes([bytes[0], bytes[1]]))
}

impl Q8_0 {
    pub(crate) const BYTES: usize = 34;

    #[inline(always)]
    pub(crate) fn widen(block: &[u8; Self::BYTES], numbers: &mut [f32; 32]) {
        let scale = half(block);
        for (number, q) in numbers.iter_mut().zip(&block[2..]) {
            *number = scale * f32::from(*q as i8);
        }
    }

    /// After `quantize_row_q8_0_ref`.
    pub(crate) fn narrow(numbers: &[f32; 32], block: &mut [u8; Self::BYTES]) {
        let most = numbers.iter().fold(0f32, |most, x| most.max(x.abs()));
        let scale = most / 127.0;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        block[..2].copy_from_slice(&f32_to_f16(scale).to_le_bytes());
        for (q, number) in block[2..].iter_mut().zip(numbers) {
            *q = (number * inverse).round() as i8 as u8;
        }
    }
}

impl Q4_0 {
    pub(crate) const BYTES: usize = 18;

    #[inline(always)]
    pub(crate) fn widen(block: &[u8; Self::BYTES], numbers: &mut [f32; 32]) {
        let scale = half(block);
        let (below, above) = numbers.split_at_mut(16);
        for ((q, below), above) in block[2..].iter().zip(below).zip(above) {
            *below = scale * f32::from((q & 15) as i8 - 8);
            *above = scale * f32::from((q >> 4) as i8 - 8);
        }
    }

    /// After `quantize_row_q4_0_ref`: the number of the largest size becomes −8.
    pub(crate) fn narrow(numbers: &[f32; 32], block: &mut [u8; Self::BYTES]) {
        let most = numbers
            .iter()
            .fold(0f32, |most, x| if x.abs() > most.abs() { *x } else { most });
        let scale = most / -8.0;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        block[..2].copy_from_slice(&f32_to_f16(scale).to_le_bytes());
        let four_bits = |x: f32| ((x * inverse + 8.5) as i8).min(15) as u8;
        for (q, (below, above)) in block[2..]
            .iter_mut()
            .zip(numbers[..16].iter().zip(&numbers[16..]))
        {
            *q = four_bits(*below) | four_bits(*above) << 4;
        }
    }
}

/// Returns pair `j` below 8 of the 12 bytes of scales and least numbers of a Q4_K block
/// (`get_scale_min_k4`).
#[inline(always)]
pub(crate) fn scale_and_least(pairs: &[u8; 12], j: usize) -> (u8, u8) {
    if j < 4 {
        (pairs[j] & 63, pairs[j + 4] & 63)
    } else {
        (
            pairs[j + 4] & 15 | pairs[j - 4] >> 6 << 4,
            pairs[j + 4] >> 4 | pairs[j] >> 6 << 4,
        )
    }
}

impl Q4K {
    pub(crate) const BYTES: usize = 144;

    #[inline(always)]
    pub(crate) fn widen(block: &[u8; Self::BYTES], numbers: &mut [f32; 256]) {
        let (scale, least) = (half(block), half(&block[2..]));
        let pairs = block[4..].first_chunk::<12>().expect("12 bytes of pairs");
        for (pair, (numbers, bytes)) in numbers
            .chunks_exact_mut(64)
            .zip(block[16..].chunks_exact(32))
            .enumerate()
        {
            let (below, above) = numbers.split_at_mut(32);
            let (s, m) = scale_and_least(pairs, 2 * pair);
            let (d, l) = (scale * f32::from(s), least * f32::from(m));
            for (number, q) in below.iter_mut().zip(bytes) {
                *number = d * f32::from(q & 15) - l;
            }
            let (s, m) = scale_and_least(pairs, 2 * pair + 1);
            let (d, l) = (scale * f32::from(s), least * f32::from(m));
            for (number, q) in above.iter_mut().zip(bytes) {
                *number = d * f32::from(q >> 4) - l;
            }
        }
    }
}

impl Q6K {
    pub(crate) const BYTES: usize = 210;

    #[inline(always)]
    pub(crate) fn widen(block: &[u8; Self::BYTES], numbers: &mut [f32; 256]) {
        let scale = half(&block[208..]);
        for (which, numbers) in numbers.chunks_exact_mut(128).enumerate() {
            let low = &block[64 * which..][..64];
            let high = &block[128 + 32 * which..][..32];
            let scales = &block[192 + 8 * which..][..8];
            for (quarter, numbers) in numbers.chunks_exact_mut(32).enumerate() {
                let low = &low[quarter % 2 * 32..][..32];
                let (low_shift, high_shift) = (quarter / 2 * 4, quarter * 2);
                for (at, number) in numbers.iter_mut().enumerate() {
                    let q = low[at] >> low_shift & 15 | (high[at] >> high_shift & 3) << 4;
                    let s = scales[2 * quarter + at / 16] as i8;
                    *number = scale * f32::from(s) * f32::from(q as i8 - 32);
                }
            }
        }
    }
}
