//! Statistics of questions that are added, with weights, before they become a score: a mean is
//! two sums, BLEU ten, macro F1 three for each class.
//!
//! A score of a resample is the score of sums in which each question counts as often as it was
//! drawn. So a score that is not a mean of its questions' is resampled exactly.

/// The widest table that is kept column by column; a wider one is mostly zeros.
const DENSE: usize = 32;

/// What the questions of a test set add, a row each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows {
    width: usize,
    kept: Kept,
}

#[derive(Clone, Debug, PartialEq)]
enum Kept {
    Columns(Vec<Vec<f64>>),
    Sparse {
        starts: Vec<usize>,
        entries: Vec<(u32, f64)>,
    },
}

impl Rows {
    /// Takes the rows of all questions, each as columns with their values. Columns are below
    /// `width`.
    pub(crate) fn new(width: usize, rows: &[Vec<(u32, f64)>]) -> Self {
        let kept = if width <= DENSE {
            let mut columns = vec![vec![0.0; rows.len()]; width];
            for (index, row) in rows.iter().enumerate() {
                for (column, value) in row {
                    columns[*column as usize][index] += value;
                }
            }
            Kept::Columns(columns)
        } else {
            let mut starts = vec![0];
            let mut entries = Vec::new();
            for row in rows {
                entries.extend_from_slice(row);
                starts.push(entries.len());
            }
            Kept::Sparse { starts, entries }
        };
        Self { width, kept }
    }

    /// Returns how many sums there are.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Returns how many questions there are, where a row has a sum at all.
    pub(crate) fn len(&self) -> usize {
        match &self.kept {
            Kept::Columns(columns) => columns.first().map_or(0, Vec::len),
            Kept::Sparse { starts, .. } => starts.len() - 1,
        }
    }

    /// Puts into `sums` the sums of all rows, each as often as its weight says.
    pub(crate) fn weighted(&self, weights: &[f64], sums: &mut [f64]) {
        match &self.kept {
            Kept::Columns(columns) => {
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = dot(column, weights);
                }
            }
            Kept::Sparse { starts, entries } => {
                sums.fill(0.0);
                for (row, weight) in starts.windows(2).zip(weights) {
                    for (column, value) in &entries[row[0]..row[1]] {
                        sums[*column as usize] += value * weight;
                    }
                }
            }
        }
    }

    /// Returns the mean of tables of the same shape.
    pub(crate) fn mean(tables: &[&Self]) -> Self {
        let weight = 1.0 / tables.len().max(1) as f64;
        let weighted: Vec<(&Self, f64)> = tables.iter().map(|table| (*table, weight)).collect();
        Self::combined(&weighted)
    }

    /// Returns one table less another of the same shape.
    pub(crate) fn less(a: &Self, b: &Self) -> Self {
        Self::combined(&[(a, 1.0), (b, -1.0)])
    }

    fn combined(tables: &[(&Self, f64)]) -> Self {
        let (first, _) = tables[0];
        let row = |index: usize| {
            let entries = tables.iter().flat_map(|(table, weight)| {
                let scaled = move |(column, value)| (column, value * weight);
                table.row(index).into_iter().map(scaled)
            });
            entries.collect::<Vec<_>>()
        };
        let rows: Vec<_> = (0..first.len()).map(row).collect();
        Self::new(first.width, &rows)
    }

    fn row(&self, index: usize) -> Vec<(u32, f64)> {
        match &self.kept {
            Kept::Columns(columns) => {
                let values = columns.iter().map(|column| column[index]);
                (0..)
                    .zip(values)
                    .filter(|(_, value)| *value != 0.0)
                    .collect()
            }
            Kept::Sparse { starts, entries } => entries[starts[index]..starts[index + 1]].to_vec(),
        }
    }

    /// Returns the sums of all rows.
    pub(crate) fn total(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        self.weighted(&vec![1.0; self.len()], &mut sums);
        sums
    }
}

/// Returns the scalar product. Eight sums side by side, so that it does not wait for each.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_blocks
        .remainder()
        .iter()
        .zip(b_blocks.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn wide_and_narrow_tables_add_the_same(
            rows in proptest::collection::vec(
                proptest::collection::vec((0_u32..5, -3.0_f64..3.0), 0..4), 1..40),
            seed in 0_u64..100,
        ) {
            let narrow = Rows::new(5, &rows);
            let wide = Rows::new(DENSE + 1, &rows);
            let mut random = crate::random::Random::new(seed, 0);
            let weights: Vec<f64> = rows.iter().map(|_| f64::from(random.below(4))).collect();
            let (mut a, mut b) = (vec![0.0; 5], vec![0.0; DENSE + 1]);
            narrow.weighted(&weights, &mut a);
            wide.weighted(&weights, &mut b);
            for column in 0..5 {
                proptest::prop_assert!((a[column] - b[column]).abs() < 1e-9);
            }
        }
    }
}
