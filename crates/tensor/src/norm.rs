//! Layer normalisation, with and without the mean.

#![expect(unsafe_code, reason = "loops over `Lanes`")]

use crate::simd::{Kernels, Lanes};

/// Layer normalisation (Ba et al. 2016): every row less its mean, over the root of its
/// variance plus `epsilon`, times `weight`, plus `bias`.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// `(D)`
    pub weight: Vec<f32>,
    /// `(D)`
    pub bias: Vec<f32>,
    /// Keeps the root away from zero.
    pub epsilon: f32,
}

/// Root mean square normalisation (Zhang and Sennrich 2019): every row over the root of
/// its mean square plus `epsilon`, times `weight`.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// `(D)`
    pub weight: Vec<f32>,
    /// Keeps the root away from zero.
    pub epsilon: f32,
}

impl Kernels {
    /// Sets each row of `to`, `(T, D)`, to that of `from`, normalised. Panics if the
    /// shapes do not fit.
    pub fn rms_norm(&self, norm: &RmsNorm, from: &[f32], to: &mut [f32]) {
        assert_eq!(from.len(), to.len(), "a row comes out for every row");
        let width = norm.weight.len();
        whole_rows(to, width);
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
            // SAFETY: all three are `width` numbers; a table is only handed out
            // where the processor has what its functions need.
            unsafe {
                (self.rms_norm)(
                    from.as_ptr(),
                    to.as_mut_ptr(),
                    width,
                    norm.weight.as_ptr(),
                    norm.epsilon,
                );
            }
        }
    }

    /// Normalises each row of `rows`, `(T, D)`, in place; rows may be heads. Panics if
    /// `rows` is not whole rows.
    pub fn rms_norm_in_place(&self, norm: &RmsNorm, rows: &mut [f32]) {
        let width = norm.weight.len();
        whole_rows(rows, width);
        for row in rows.chunks_exact_mut(width) {
            // SAFETY: as above; a row may be read from where it is written.
            unsafe {
                (self.rms_norm)(
                    row.as_ptr(),
                    row.as_mut_ptr(),
                    width,
                    norm.weight.as_ptr(),
                    norm.epsilon,
                );
            }
        }
    }

    /// Normalises each row of `rows`, `(T, D)`, in place.
    ///
    /// The residual before it costs no pass of its own: a [`Product`](crate::Product)
    /// starts from it. Panics if `rows` is not whole rows.
    pub fn layer_norm(&self, norm: &LayerNorm, rows: &mut [f32]) {
        let width = norm.weight.len();
        assert_eq!(norm.bias.len(), width, "weight and bias are of one width");
        whole_rows(rows, width);
        for row in rows.chunks_exact_mut(width) {
            // SAFETY: as above.
            unsafe {
                (self.layer_norm)(
                    row.as_mut_ptr(),
                    width,
                    norm.weight.as_ptr(),
                    norm.bias.as_ptr(),
                    norm.epsilon,
                );
            }
        }
    }
}

/// # Safety
/// The three pointers must be good for `width` numbers; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(
    row: *mut f32,
    width: usize,
    weight: *const f32,
    bias: *const f32,
    epsilon: f32,
) {
    let whole = width - width % L::COUNT;
    let rest = width - whole;
    // SAFETY: `whole` and then `rest` numbers are read and written.
    unsafe {
        let mut sum = L::splat(0.0);
        for at in (0..whole).step_by(L::COUNT) {
            sum = L::add(sum, L::load(row.add(at)));
        }
        if rest > 0 {
            sum = L::add(sum, L::load_part(row.add(whole), rest, 0.0));
        }
        let mean = L::sum(sum) / width as f32;

        // A second pass, since the mean of squares less the squared mean cancels.
        let means = L::splat(mean);
        let mut squares = L::splat(0.0);
        for at in (0..whole).step_by(L::COUNT) {
            let off = L::sub(L::load(row.add(at)), means);
            squares = L::mul_add(off, off, squares);
        }
        if rest > 0 {
            let off = L::sub(L::load_part(row.add(whole), rest, mean), means);
            squares = L::mul_add(off, off, squares);
        }
        let scale = L::splat(1.0 / (L::sum(squares) / width as f32 + epsilon).sqrt());

        for at in (0..whole).step_by(L::COUNT) {
            let off = L::mul(L::sub(L::load(row.add(at)), means), scale);
            let v = L::mul_add(off, L::load(weight.add(at)), L::load(bias.add(at)));
            L::store(row.add(at), v);
        }
        if rest > 0 {
            let off = L::sub(L::load_part(row.add(whole), rest, 0.0), means);
            let weight = L::load_part(weight.add(whole), rest, 0.0);
            let bias = L::load_part(bias.add(whole), rest, 0.0);
            L::store_part(
                row.add(whole),
                rest,
                L::mul_add(L::mul(off, scale), weight, bias),
            );
        }
    }
}

fn whole_rows(rows: &[f32], width: usize) {
    assert!(
        width > 0 && rows.len().is_multiple_of(width),
        "the rows are whole"
    );
}

/// `from` and `to` may be the same.
///
/// # Safety
/// The three pointers must be good for `width` numbers; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn root_mean_square<L: Lanes>(
    from: *const f32,
    to: *mut f32,
    width: usize,
    weight: *const f32,
    epsilon: f32,
) {
    let whole = width - width % L::COUNT;
    let rest = width - whole;
    // SAFETY: `whole` and then `rest` numbers are read and written.
    unsafe {
        let mut squares = L::splat(0.0);
        for at in (0..whole).step_by(L::COUNT) {
            let v = L::load(from.add(at));
            squares = L::mul_add(v, v, squares);
        }
        if rest > 0 {
            let v = L::load_part(from.add(whole), rest, 0.0);
            squares = L::mul_add(v, v, squares);
        }
        let scale = L::splat(1.0 / (L::sum(squares) / width as f32 + epsilon).sqrt());
        for at in (0..whole).step_by(L::COUNT) {
            let v = L::mul(L::load(from.add(at)), scale);
            L::store(to.add(at), L::mul(v, L::load(weight.add(at))));
        }
        if rest > 0 {
            let v = L::mul(L::load_part(from.add(whole), rest, 0.0), scale);
            let weight = L::load_part(weight.add(whole), rest, 0.0);
            L::store_part(to.add(whole), rest, L::mul(v, weight));
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
        fn is_its_formula(width in 1usize..150, count in 0usize..4, seed in any::<u64>(), shift in -50f32..50.0) {
            let norm = LayerNorm {
                weight: numbers(seed ^ 1, width),
                bias: numbers(seed ^ 2, width),
                epsilon: 1e-5,
            };
            let mut rows = numbers(seed, width * count);
            rows.iter_mut().for_each(|number| *number += shift);
            let mut expect = Vec::new();
            for row in rows.chunks(width) {
                let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
                let mean = row.iter().sum::<f64>() / width as f64;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
                for (at, x) in row.iter().enumerate() {
                    let unit = (x - mean) / (variance + f64::from(norm.epsilon)).sqrt();
                    expect.push(unit * f64::from(norm.weight[at]) + f64::from(norm.bias[at]));
                }
            }
            // The mean's rounding, over the smallest spread there can be.
            let tolerance = 1e-5 * (1.0 + f64::from(shift.abs())) * if width < 8 { 50.0 } else { 1.0 };
            for version in Kernels::available() {
                let mut found = rows.clone();
                version.layer_norm(&norm, &mut found);
                assert_near(&found, &expect, tolerance, version.name);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn without_the_mean_too(width in 1usize..150, count in 0usize..4, seed in any::<u64>()) {
            let norm = RmsNorm { weight: numbers(seed ^ 1, width), epsilon: 1e-5 };
            let rows = numbers(seed, width * count);
            let mut expect = Vec::new();
            for row in rows.chunks(width) {
                let square = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / width as f64;
                for (x, weight) in row.iter().zip(&norm.weight) {
                    expect.push(f64::from(*x) / (square + f64::from(norm.epsilon)).sqrt() * f64::from(*weight));
                }
            }
            for version in Kernels::available() {
                let mut found = vec![f32::NAN; rows.len()];
                version.rms_norm(&norm, &rows, &mut found);
                assert_near(&found, &expect, 1e-5, version.name);
                let mut found = rows.clone();
                version.rms_norm_in_place(&norm, &mut found);
                assert_near(&found, &expect, 1e-5, version.name);
            }
        }
    }

    #[test]
    fn a_flat_row_becomes_the_bias() {
        let norm = LayerNorm {
            weight: vec![2.0; 5],
            bias: vec![0.5; 5],
            epsilon: 1e-12,
        };
        for version in Kernels::available() {
            let mut row = [3.0; 5];
            version.layer_norm(&norm, &mut row);
            assert_eq!(row, [0.5; 5], "{}", version.name);
        }
    }
}
