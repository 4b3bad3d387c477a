//! Scores into shares that add up to one.

#![expect(unsafe_code, reason = "loops over `Lanes`")]

use crate::simd::{Kernels, Lanes, exp};

impl Kernels {
    /// Turns `row` into `e^(scale · xᵢ) / Σ e^(scale · xⱼ)`, in place; the largest is
    /// taken off first, so that nothing overflows. `scale` must not be negative. An
    /// empty row stays empty.
    pub fn softmax(&self, row: &mut [f32], scale: f32) {
        assert!(scale >= 0.0, "a negative scale would turn the order round");
        // SAFETY: the pointer is good for the row, and a table is only handed out
        // where the processor has what its functions need.
        unsafe { (self.softmax)(row.as_mut_ptr(), row.len(), scale) }
    }
}

/// # Safety
/// `row` must be good for `width` numbers; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(row: *mut f32, width: usize, scale: f32) {
    let whole = width - width % L::COUNT;
    let rest = width - whole;
    // SAFETY: `whole` and then `rest` numbers are read and written.
    unsafe {
        let mut most = L::splat(f32::NEG_INFINITY);
        for at in (0..whole).step_by(L::COUNT) {
            most = L::max(most, L::load(row.add(at)));
        }
        if rest > 0 {
            most = L::max(most, L::load_part(row.add(whole), rest, f32::NEG_INFINITY));
        }
        let most = L::splat(L::largest(most));
        let scale = L::splat(scale);

        let mut sum = L::splat(0.0);
        for at in (0..whole).step_by(L::COUNT) {
            let power = exp::<L>(L::mul(L::sub(L::load(row.add(at)), most), scale));
            L::store(row.add(at), power);
            sum = L::add(sum, power);
        }
        let mut total = L::sum(sum);
        if rest > 0 {
            let v = L::sub(L::load_part(row.add(whole), rest, 0.0), most);
            L::store_part(row.add(whole), rest, exp::<L>(L::mul(v, scale)));
            // Read back without the lanes that were filled up.
            total += L::sum(L::load_part(row.add(whole), rest, 0.0));
        }

        let share = L::splat(1.0 / total);
        for at in (0..whole).step_by(L::COUNT) {
            L::store(row.add(at), L::mul(L::load(row.add(at)), share));
        }
        if rest > 0 {
            let v = L::load_part(row.add(whole), rest, 0.0);
            L::store_part(row.add(whole), rest, L::mul(v, share));
        }
    }
}

/// Turns `row` into `e^(scale · xᵢ − m)` with `m` the largest of `before` and all
/// `scale · xᵢ`; returns `m` and the sum of the row. One step of a softmax over more than
/// one row (Milakov and Gimelshein 2018).
///
/// # Safety
/// `row` must be good for `width` numbers; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn powers<L: Lanes>(
    row: *mut f32,
    width: usize,
    scale: f32,
    before: f32,
) -> (f32, f32) {
    let whole = width - width % L::COUNT;
    let rest = width - whole;
    // SAFETY: `whole` and then `rest` numbers are read and written.
    unsafe {
        let mut most = L::splat(f32::NEG_INFINITY);
        for at in (0..whole).step_by(L::COUNT) {
            most = L::max(most, L::load(row.add(at)));
        }
        if rest > 0 {
            most = L::max(most, L::load_part(row.add(whole), rest, f32::NEG_INFINITY));
        }
        let most = (L::largest(most) * scale).max(before);
        let shift = L::splat(-most);
        let scale = L::splat(scale);
        let mut sum = L::splat(0.0);
        for at in (0..whole).step_by(L::COUNT) {
            let power = exp::<L>(L::mul_add(L::load(row.add(at)), scale, shift));
            L::store(row.add(at), power);
            sum = L::add(sum, power);
        }
        let mut total = L::sum(sum);
        if rest > 0 {
            let v = L::load_part(row.add(whole), rest, 0.0);
            L::store_part(row.add(whole), rest, exp::<L>(L::mul_add(v, scale, shift)));
            total += L::sum(L::load_part(row.add(whole), rest, 0.0));
        }
        (most, total)
    }
}

/// Multiplies `row` by `by`.
///
/// # Safety
/// As [`powers`].
#[inline(always)]
pub(crate) unsafe fn scale<L: Lanes>(row: *mut f32, width: usize, by: f32) {
    let whole = width - width % L::COUNT;
    let rest = width - whole;
    // SAFETY: `whole` and then `rest` numbers are read and written.
    unsafe {
        let by = L::splat(by);
        for at in (0..whole).step_by(L::COUNT) {
            L::store(row.add(at), L::mul(L::load(row.add(at)), by));
        }
        if rest > 0 {
            let v = L::load_part(row.add(whole), rest, 0.0);
            L::store_part(row.add(whole), rest, L::mul(v, by));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn is_its_formula(width in 1usize..120, seed in any::<u64>(), spread in 0f32..60.0, scale in 0f32..3.0) {
            let row: Vec<f32> = numbers(seed, width).iter().map(|x| x * spread).collect();
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f64> = row
                .iter()
                .map(|x| (f64::from(x - most) * f64::from(scale)).exp())
                .collect();
            let sum: f64 = powers.iter().sum();
            let expect: Vec<f64> = powers.iter().map(|power| power / sum).collect();
            for version in Kernels::available() {
                let mut found = row.clone();
                version.softmax(&mut found, scale);
                assert_near(&found, &expect, 2e-6, version.name);
            }
        }
    }

    #[test]
    fn large_scores_do_not_overflow() {
        for version in Kernels::available() {
            let mut row = [1e30, 1e30, -1e30];
            version.softmax(&mut row, 1.0);
            assert_near(&row, &[0.5, 0.5, 0.0], 1e-7, version.name);
        }
    }
}
