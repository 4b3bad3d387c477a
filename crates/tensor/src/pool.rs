//! Many token vectors into one text vector.

#![expect(unsafe_code, reason = "loops over `Lanes`")]

use crate::simd::{Kernels, Lanes};

/// How the vectors of a text's tokens become the vector of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The first token's vector.
    First,
    /// The mean of all.
    Mean,
    /// The sum of all over the root of their count.
    MeanRoot,
    /// The largest number in each place.
    Max,
}

impl Kernels {
    /// Pools the rows of `tokens`, `(T, D)`, into `text`, `(D)`. Panics if there is
    /// no row, or the rows are not whole.
    pub fn pool(&self, pooling: Pooling, tokens: &[f32], text: &mut [f32]) {
        let width = text.len();
        assert!(
            width > 0 && !tokens.is_empty() && tokens.len().is_multiple_of(width),
            "there is a token, and the rows are whole"
        );
        let mut rows = tokens.chunks_exact(width);
        let count = rows.len() as f32;
        let scale = match pooling {
            Pooling::First | Pooling::Max => {
                text.copy_from_slice(rows.next().expect("there is a token"));
                if pooling == Pooling::Max {
                    for row in rows {
                        // SAFETY: both are `width` numbers; a table is only handed out
                        // where the processor has what its functions need.
                        unsafe { (self.raise_to)(text.as_mut_ptr(), row.as_ptr(), width) };
                    }
                }
                return;
            }
            Pooling::Mean => 1.0 / count,
            Pooling::MeanRoot => 1.0 / count.sqrt(),
        };
        text.fill(0.0);
        for row in rows {
            // SAFETY: as above.
            unsafe { (self.add_scaled)(text.as_mut_ptr(), row.as_ptr(), width, scale) };
        }
    }
}

/// Scales `vector` to unit length (its squares are added in `f64`). One that has no
/// direction, being all zeros or not finite, is left as it is.
pub fn normalize(vector: &mut [f32]) {
    let length = vector
        .iter()
        .map(|x| f64::from(*x).powi(2))
        .sum::<f64>()
        .sqrt();
    if length > 0.0 && length.is_finite() {
        for x in vector {
            *x = (f64::from(*x) / length) as f32;
        }
    }
}

/// Adds `scale · row` to `sum`.
///
/// # Safety
/// Both must be good for `width` numbers; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn add_scaled<L: Lanes>(
    sum: *mut f32,
    row: *const f32,
    width: usize,
    scale: f32,
) {
    let whole = width - width % L::COUNT;
    let rest = width - whole;
    // SAFETY: `whole` and then `rest` numbers are read and written.
    unsafe {
        let scale = L::splat(scale);
        for at in (0..whole).step_by(L::COUNT) {
            let v = L::mul_add(L::load(row.add(at)), scale, L::load(sum.add(at)));
            L::store(sum.add(at), v);
        }
        if rest > 0 {
            let v = L::load_part(row.add(whole), rest, 0.0);
            let v = L::mul_add(v, scale, L::load_part(sum.add(whole), rest, 0.0));
            L::store_part(sum.add(whole), rest, v);
        }
    }
}

/// Raises each of `most` to that of `row`, where that is larger.
///
/// # Safety
/// As [`add_scaled`].
#[inline(always)]
pub(crate) unsafe fn raise_to<L: Lanes>(most: *mut f32, row: *const f32, width: usize) {
    let whole = width - width % L::COUNT;
    let rest = width - whole;
    // SAFETY: `whole` and then `rest` numbers are read and written.
    unsafe {
        for at in (0..whole).step_by(L::COUNT) {
            L::store(
                most.add(at),
                L::max(L::load(row.add(at)), L::load(most.add(at))),
            );
        }
        if rest > 0 {
            let row = L::load_part(row.add(whole), rest, 0.0);
            let most_v = L::load_part(most.add(whole), rest, 0.0);
            L::store_part(most.add(whole), rest, L::max(row, most_v));
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
        fn each_is_its_formula(width in 1usize..70, count in 1usize..40, seed in any::<u64>()) {
            let tokens = numbers(seed, width * count);
            let place = |at: usize| tokens.iter().skip(at).step_by(width).map(|x| f64::from(*x));
            for (pooling, expect) in [
                (Pooling::First, (0..width).map(|at| place(at).next().unwrap()).collect::<Vec<f64>>()),
                (Pooling::Mean, (0..width).map(|at| place(at).sum::<f64>() / count as f64).collect()),
                (Pooling::MeanRoot, (0..width).map(|at| place(at).sum::<f64>() / (count as f64).sqrt()).collect()),
                (Pooling::Max, (0..width).map(|at| place(at).fold(f64::NEG_INFINITY, f64::max)).collect()),
            ] {
                for version in Kernels::available() {
                    let mut text = vec![7.0; width];
                    version.pool(pooling, &tokens, &mut text);
                    assert_near(&text, &expect, 1e-5, version.name);
                }
            }
        }
    }

    #[test]
    fn a_vector_is_brought_to_unit_length() {
        let mut vector = [3.0, 4.0];
        normalize(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        for without in [[0.0, 0.0], [f32::INFINITY, 1.0]] {
            let mut vector = without;
            normalize(&mut vector);
            assert_eq!(vector, without);
        }
    }
}
