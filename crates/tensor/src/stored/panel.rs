//! Columns of a right-hand matrix, widened from a stored weight: what the products of
//! many tokens read.

#![expect(unsafe_code, reason = "weights are read through pointers")]

use super::vector::{Brain, Half, Single, Whole};
use crate::format::{Format, Q4_0, Q4K, Q6K, Q8_0};
use crate::simd::Lanes;

/// The most columns that a panel has.
pub(crate) const WIDEST: usize = 32;

/// Sets the panel, `(K, WIDE)`, to rows `from` to `to` of a weight, `(N, K)`, and zeros.
///
/// # Safety
/// The shapes must be true; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn widen_rows<L: Lanes, const WIDE: usize>(
    format: Format,
    bytes: *const u8,
    inputs: usize,
    from: usize,
    to: usize,
    panel: *mut f32,
) {
    // SAFETY: as the caller promises.
    unsafe {
        match format {
            Format::F32 => singles::<L, Whole, WIDE>(bytes, inputs, from, to, panel),
            Format::F16 => singles::<L, Half, WIDE>(bytes, inputs, from, to, panel),
            Format::Bf16 => singles::<L, Brain, WIDE>(bytes, inputs, from, to, panel),
            Format::Q8_0 => blocks::<34, 32, WIDE>(bytes, inputs, from, to, panel, Q8_0::widen),
            Format::Q4_0 => blocks::<18, 32, WIDE>(bytes, inputs, from, to, panel, Q4_0::widen),
            Format::Q4K => blocks::<144, 256, WIDE>(bytes, inputs, from, to, panel, Q4K::widen),
            Format::Q6K => blocks::<210, 256, WIDE>(bytes, inputs, from, to, panel, Q6K::widen),
        }
    }
}

/// # Safety
/// As [`widen_rows`].
#[inline(always)]
unsafe fn singles<L: Lanes, S: Single, const WIDE: usize>(
    bytes: *const u8,
    inputs: usize,
    from: usize,
    to: usize,
    panel: *mut f32,
) {
    let mut numbers = [0.0; crate::simd::MOST_LANES];
    // SAFETY: the rows have `inputs` numbers, the panel as many rows.
    unsafe {
        for (j, row) in (from..to).enumerate() {
            let at = bytes.add(row * inputs * S::BYTES);
            for k in (0..inputs).step_by(L::COUNT) {
                let here = L::COUNT.min(inputs - k);
                let at = at.add(k * S::BYTES);
                let v = if here == L::COUNT {
                    S::load::<L>(at)
                } else {
                    S::load_part::<L>(at, here)
                };
                L::store(numbers.as_mut_ptr(), v);
                for (offset, number) in numbers[..here].iter().enumerate() {
                    *panel.add((k + offset) * WIDE + j) = *number;
                }
            }
        }
        fill::<WIDE>(to - from, inputs, panel);
    }
}

/// # Safety
/// As [`widen_rows`].
#[inline(always)]
unsafe fn blocks<const BYTES: usize, const NUMBERS: usize, const WIDE: usize>(
    bytes: *const u8,
    inputs: usize,
    from: usize,
    to: usize,
    panel: *mut f32,
    widen: impl Fn(&[u8; BYTES], &mut [f32; NUMBERS]),
) {
    let mut numbers = [0.0; NUMBERS];
    let blocks = inputs / NUMBERS;
    // SAFETY: the rows have `blocks` blocks, the panel `inputs` rows.
    unsafe {
        for (j, row) in (from..to).enumerate() {
            for block in 0..blocks {
                widen(
                    &*bytes.add((row * blocks + block) * BYTES).cast(),
                    &mut numbers,
                );
                for (offset, number) in numbers.iter().enumerate() {
                    *panel.add((block * NUMBERS + offset) * WIDE + j) = *number;
                }
            }
        }
        fill::<WIDE>(to - from, inputs, panel);
    }
}

/// Sets the columns from `first` on to zeros.
///
/// # Safety
/// The panel must have `inputs` rows.
#[inline(always)]
unsafe fn fill<const WIDE: usize>(first: usize, inputs: usize, panel: *mut f32) {
    for k in 0..inputs {
        for j in first..WIDE {
            // SAFETY: as the caller promises.
            unsafe { *panel.add(k * WIDE + j) = 0.0 };
        }
    }
}

/// Sets the panel, `(K, WIDE)`, to columns `from` to `to` of a weight, `(K, N)`, and
/// zeros.
///
/// # Safety
/// As [`widen_rows`]; the format must be one of single numbers.
#[inline(always)]
pub(crate) unsafe fn widen_columns<L: Lanes, const WIDE: usize>(
    format: Format,
    bytes: *const u8,
    inputs: usize,
    outputs: usize,
    from: usize,
    to: usize,
    panel: *mut f32,
) {
    // SAFETY: as the caller promises.
    unsafe {
        match format {
            Format::F16 => columns::<L, Half, WIDE>(bytes, inputs, outputs, from, to, panel),
            Format::Bf16 => columns::<L, Brain, WIDE>(bytes, inputs, outputs, from, to, panel),
            _ => columns::<L, Whole, WIDE>(bytes, inputs, outputs, from, to, panel),
        }
    }
}

/// # Safety
/// As [`widen_columns`].
#[inline(always)]
unsafe fn columns<L: Lanes, S: Single, const WIDE: usize>(
    bytes: *const u8,
    inputs: usize,
    outputs: usize,
    from: usize,
    to: usize,
    panel: *mut f32,
) {
    let count = to - from;
    // SAFETY: columns before `to` are in each row, and the panel has `inputs` rows.
    unsafe {
        for k in 0..inputs {
            let at = bytes.add((k * outputs + from) * S::BYTES);
            for n in (0..WIDE).step_by(L::COUNT) {
                let here = count.saturating_sub(n).min(L::COUNT);
                let at = at.wrapping_add(n * S::BYTES);
                let v = if here == L::COUNT {
                    S::load::<L>(at)
                } else {
                    S::load_part::<L>(at, here)
                };
                L::store(panel.add(k * WIDE + n), v);
            }
        }
    }
}
