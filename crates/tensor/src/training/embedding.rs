//! Rows of a table, fetched by number, and their gradients added up.

#![expect(unsafe_code, reason = "threads write to columns of their own")]

use crate::simd::Kernels;
use crate::stored::Sum;
use crate::team::{Start, Team};

/// Tokens that are a thread's part when rows are fetched.
const ROWS: usize = 64;
/// Columns that are a thread's part when rows are added up, so that each number is added
/// to by one thread, in the tokens' order.
const COLUMNS: usize = 64;

impl Kernels {
    /// Sets each row of `to`, `(T, D)`, to the row of `table`, `(V, D)`, that `ids`, `(T)`,
    /// names, or adds it. Panics if the shapes do not fit or there is no such row.
    pub fn gather_rows(&self, team: &Team, table: &[f32], ids: &[u32], sum: Sum, to: &mut [f32]) {
        let Some(width) = to.len().checked_div(ids.len()) else {
            assert!(to.is_empty(), "a row comes out for every token");
            return;
        };
        assert_eq!(
            to.len(),
            ids.len() * width,
            "a row comes out for every token"
        );
        team.chunks(to, (ROWS * width).max(1), &|part, to| {
            let ids = &ids[part * ROWS..];
            for (to, id) in to.chunks_exact_mut(width).zip(ids) {
                let row = &table[*id as usize * width..][..width];
                match sum {
                    Sum::Replace => to.copy_from_slice(row),
                    Sum::Add => {
                        // SAFETY: both are `width` numbers; a table is only handed out
                        // where the processor has what its functions need.
                        unsafe { (self.add_scaled)(to.as_mut_ptr(), row.as_ptr(), width, 1.0) };
                    }
                }
            }
        });
    }

    /// Adds each row of `gradient`, `(T, D)`, to the row of `table_gradient`, `(V, D)`, that
    /// `ids`, `(T)`, names. Panics if the shapes do not fit or there is no such row.
    pub fn scatter_rows(
        &self,
        team: &Team,
        ids: &[u32],
        gradient: &[f32],
        table_gradient: &mut [f32],
    ) {
        let Some(width) = gradient.len().checked_div(ids.len()) else {
            assert!(gradient.is_empty(), "there is a row for every token");
            return;
        };
        assert_eq!(
            gradient.len(),
            ids.len() * width,
            "there is a row for every token"
        );
        let table = table_gradient.len();
        assert!(
            ids.iter().all(|id| (*id as usize + 1) * width <= table),
            "every row is in the table"
        );
        let target = Start(table_gradient.as_mut_ptr());
        team.run(width.div_ceil(COLUMNS), &|part, _| {
            let first = part * COLUMNS;
            let here = COLUMNS.min(width - first);
            for (row, id) in gradient.chunks_exact(width).zip(ids) {
                // SAFETY: each part has columns of its own, the row is in the table, and
                // both are `here` numbers.
                unsafe {
                    let to = target.get().add(*id as usize * width + first);
                    (self.add_scaled)(to, row[first..].as_ptr(), here, 1.0);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::check::{team, wide};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn rows_are_fetched_and_added_up(
            width in 1usize..150,
            rows in 1usize..20,
            ids in prop::collection::vec(0u32..1000, 0..150),
            threads in 1usize..4,
            seed in any::<u64>(),
        ) {
            let ids: Vec<u32> = ids.iter().map(|id| id % rows as u32).collect();
            let (table, gradient) = (numbers(seed, rows * width), numbers(seed ^ 1, ids.len() * width));
            let before = numbers(seed ^ 2, rows * width);
            let mut expect = wide(&before);
            let mut fetched = Vec::new();
            for (token, id) in ids.iter().enumerate() {
                for i in 0..width {
                    expect[*id as usize * width + i] += f64::from(gradient[token * width + i]);
                    fetched.push(f64::from(table[*id as usize * width + i]));
                }
            }
            let doubled: Vec<f64> = fetched.iter().map(|x| 2.0 * x).collect();
            let team = team(threads);
            for version in Kernels::available() {
                let mut to = vec![f32::NAN; ids.len() * width];
                version.gather_rows(&team, &table, &ids, Sum::Replace, &mut to);
                assert_near(&to, &fetched, 0.0, version.name);
                version.gather_rows(&team, &table, &ids, Sum::Add, &mut to);
                assert_near(&to, &doubled, 0.0, version.name);
                let mut found = before.clone();
                version.scatter_rows(&team, &ids, &gradient, &mut found);
                assert_near(&found, &expect, 1e-4, version.name);
            }
        }
    }
}
