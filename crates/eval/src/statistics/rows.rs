//! Statistics of questions that are added, with weights, before they become a score: a mean is
//! two sums, BLEU ten, macro F1 three for each class.
//!
//! A score of a resample is the score of sums in which each question counts as often as it was
//! drawn. So a score that is not a mean of its questions' is resampled exactly.

/// The widest table that is kept column by column; a wider one is mostly zeros.
const DENSE: usize = 32;

/// How often each question counts.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    whole: Vec<i16>,
    real: Vec<f64>,
    largest: i16,
}

impl Weights {
    /// Returns those of so many questions, none of which counts yet.
    pub(crate) fn new(questions: usize) -> Self {
        Self {
            whole: vec![0; questions],
            real: vec![0.0; questions],
            largest: 0,
        }
    }

    /// Sets all; what is above 32,767 is taken for that.
    pub(crate) fn set(&mut self, counts: impl Iterator<Item = u16>) {
        self.largest = 0;
        for ((whole, real), count) in self.whole.iter_mut().zip(&mut self.real).zip(counts) {
            *whole = i16::try_from(count).unwrap_or(i16::MAX);
            *real = f64::from(*whole);
            self.largest = self.largest.max(*whole);
        }
    }
}

/// What the questions of a test set add, a row each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows {
    width: usize,
    count: usize,
    kept: Kept,
}

#[derive(Clone, Debug, PartialEq)]
enum Kept {
    Columns(Vec<Column>),
    Sparse {
        starts: Vec<usize>,
        entries: Vec<(u32, f64)>,
    },
}

/// A column. Counts of words and letters are whole numbers, and eight of them are multiplied in
/// the time of two others.
#[derive(Clone, Debug, PartialEq)]
enum Column {
    Whole { values: Vec<i16>, largest: i16 },
    Real(Vec<f64>),
}

impl Column {
    fn new(values: Vec<f64>) -> Self {
        let most = f64::from(i16::MAX);
        if values.iter().any(|it| it.fract() != 0.0 || it.abs() > most) {
            return Self::Real(values);
        }
        let values: Vec<i16> = values.iter().map(|it| *it as i16).collect();
        let largest = values.iter().map(|it| it.abs()).max().unwrap_or(0);
        Self::Whole { values, largest }
    }

    /// Returns the sum of the column, each value as often as its weight says.
    fn weighted(&self, weights: &Weights) -> f64 {
        match self {
            Self::Whole { values, largest } => {
                let bound = i64::from(*largest) * i64::from(weights.largest) * BLOCK as i64;
                let blocks = values.chunks(BLOCK).zip(weights.whole.chunks(BLOCK));
                let total: i64 = if bound <= i64::from(i32::MAX) {
                    blocks.map(|(a, b)| i64::from(whole_dot(a, b))).sum()
                } else {
                    let product = |(a, b): (&i16, &i16)| i64::from(*a) * i64::from(*b);
                    values.iter().zip(&weights.whole).map(product).sum()
                };
                total as f64
            }
            Self::Real(values) => dot(values, &weights.real),
        }
    }
}

/// As many products of counts are added in 32 bits.
const BLOCK: usize = 2048;

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
            Kept::Columns(columns.into_iter().map(Column::new).collect())
        } else {
            let mut starts = vec![0];
            let mut entries = Vec::new();
            for row in rows {
                entries.extend_from_slice(row);
                starts.push(entries.len());
            }
            Kept::Sparse { starts, entries }
        };
        Self {
            width,
            count: rows.len(),
            kept,
        }
    }

    /// Returns how many sums there are.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Puts into `sums` the sums of all rows, each as often as its weight says.
    pub(crate) fn weighted(&self, weights: &Weights, sums: &mut [f64]) {
        match &self.kept {
            Kept::Columns(columns) => {
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = column.weighted(weights);
                }
            }
            Kept::Sparse { starts, entries } => {
                sums.fill(0.0);
                for (row, weight) in starts.windows(2).zip(&weights.real) {
                    for (column, value) in &entries[row[0]..row[1]] {
                        sums[*column as usize] += value * weight;
                    }
                }
            }
        }
    }

    /// Returns the sums of all rows.
    pub(crate) fn total(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        let mut once = Weights::new(self.count);
        once.set(std::iter::repeat_n(1, self.count));
        self.weighted(&once, &mut sums);
        sums
    }
}

/// Returns the scalar product of at most [`BLOCK`] counts, which 32 bits hold.
fn whole_dot(a: &[i16], b: &[i16]) -> i32 {
    let products = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b));
    products.sum()
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
            let mut weights = Weights::new(rows.len());
            weights.set(rows.iter().map(|_| random.below(4) as u16));
            let (mut a, mut b) = (vec![0.0; 5], vec![0.0; DENSE + 1]);
            narrow.weighted(&weights, &mut a);
            wide.weighted(&weights, &mut b);
            for column in 0..5 {
                proptest::prop_assert!((a[column] - b[column]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn counts_are_added_exactly_however_large() {
        let check = |value: f64, weight: u16, times: usize| {
            let rows = Rows::new(1, &vec![vec![(0, value)]; times]);
            let mut weights = Weights::new(times);
            weights.set(std::iter::repeat_n(weight, times));
            let mut sums = [0.0];
            rows.weighted(&weights, &mut sums);
            assert_eq!(sums[0], value * f64::from(weight) * times as f64, "{value}");
        };
        check(3.0, 2, 5000);
        check(-32767.0, 32767, 5000);
        check(32767.0, 31, 5000);
        check(40000.0, 31, 5000);
        check(0.5, 3, 5000);
    }
}
