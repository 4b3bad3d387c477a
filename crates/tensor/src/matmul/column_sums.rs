//! Sums of a matrix's columns: the gradient of a bias.

#![expect(unsafe_code, reason = "threads write to their own columns")]

use crate::simd::{Kernels, Lanes};
use crate::stored::Sum;
use crate::team::{Start, Team};

/// Columns that one thread adds up together.
const PART: usize = 128;

impl Kernels {
    /// Sets `sums`, `(N)`, to the sums of the columns of `numbers`, `(M, N)`, or adds
    /// them: with `numbers` the gradient of a linear layer's output, the bias's.
    ///
    /// Each is added up from the first row to the last. Panics if the shapes do not fit.
    pub fn column_sums(&self, team: &Team, numbers: &[f32], sum: Sum, sums: &mut [f32]) {
        let columns = sums.len();
        if columns == 0 {
            assert!(numbers.is_empty(), "numbers have a column");
            return;
        }
        assert!(numbers.len().is_multiple_of(columns), "the rows are whole");
        let rows = numbers.len() / columns;
        let start = Start(sums.as_mut_ptr());
        team.run(columns.div_ceil(PART), &|part, _| {
            let from = part * PART;
            let count = PART.min(columns - from);
            // SAFETY: the columns are the part's own, and every row has them.
            unsafe {
                let sums = start.get().add(from);
                if sum == Sum::Replace {
                    std::slice::from_raw_parts_mut(sums, count).fill(0.0);
                }
                (self.column_sums)(
                    numbers.as_ptr().wrapping_add(from),
                    columns,
                    rows,
                    count,
                    sums,
                );
            }
        });
    }
}

/// Adds `rows` rows of `count` numbers, `stride` apart, to `sums`.
///
/// # Safety
/// The pointers must be good for that; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes>(
    from: *const f32,
    stride: usize,
    rows: usize,
    count: usize,
    sums: *mut f32,
) {
    // Vectors that are added up beside one another.
    const ABREAST: usize = 4;
    let mut at = 0;
    // SAFETY: as the caller promises; what is beyond `count` is not touched.
    unsafe {
        while at + ABREAST * L::COUNT <= count {
            let mut totals = [L::splat(0.0); ABREAST];
            for (vector, total) in totals.iter_mut().enumerate() {
                *total = L::load(sums.add(at + vector * L::COUNT));
            }
            for row in 0..rows {
                let from = from.add(row * stride + at);
                for (vector, total) in totals.iter_mut().enumerate() {
                    *total = L::add(*total, L::load(from.add(vector * L::COUNT)));
                }
            }
            for (vector, total) in totals.iter().enumerate() {
                L::store(sums.add(at + vector * L::COUNT), *total);
            }
            at += ABREAST * L::COUNT;
        }
        while at < count {
            let here = L::COUNT.min(count - at);
            if here == L::COUNT {
                let mut total = L::load(sums.add(at));
                for row in 0..rows {
                    total = L::add(total, L::load(from.add(row * stride + at)));
                }
                L::store(sums.add(at), total);
            } else {
                let mut total = L::load_part(sums.add(at), here, 0.0);
                for row in 0..rows {
                    total = L::add(total, L::load_part(from.add(row * stride + at), here, 0.0));
                }
                L::store_part(sums.add(at), here, total);
            }
            at += here;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn is_the_sum_of_the_rows(
            rows in 0usize..30,
            columns in prop::sample::select(vec![1usize, 7, 16, 64, 65, 300, 777]),
            add: bool,
            seed in any::<u64>(),
        ) {
            let team = Team::new(NonZeroUsize::new(2).unwrap()).unwrap();
            let (given, before) = (numbers(seed, rows * columns), numbers(seed ^ 1, columns));
            let mut expect: Vec<f64> = before
                .iter()
                .map(|x| if add { f64::from(*x) } else { 0.0 })
                .collect();
            for row in given.chunks(columns) {
                for (sum, x) in expect.iter_mut().zip(row) {
                    *sum += f64::from(*x);
                }
            }
            for version in Kernels::available() {
                let mut sums = before.clone();
                let sum = if add { Sum::Add } else { Sum::Replace };
                version.column_sums(&team, &given, sum, &mut sums);
                assert_near(&sums, &expect, 1e-5, version.name);
            }
        }
    }
}
