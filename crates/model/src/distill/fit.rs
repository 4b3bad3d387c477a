//! The rows whose means come nearest to given vectors.
//!
//! With `X` the share of each piece in each text, `Y` the teacher's vectors and `W₀`
//! what is believed of a piece before any text is seen, the rows are
//! `argmin ‖S(XW − Y)‖² + λ‖W − W₀‖²`: ridge regression towards `W₀`, solved by
//! conjugate gradients (Hestenes and Stiefel 1952), all columns at once. What counts of
//! a text's vector is its direction, so after a round each text is weighed by
//! `S = 1 ∕ ‖row of XW‖`, as if its mean had been of unit length already.

use std::ops::ControlFlow;

use rayon::prelude::*;

/// Texts shorter than this in their mean are not weighed up any further.
const SHORTEST: f32 = 0.2;

/// The shares of pieces in texts, by text and by piece.
pub(super) struct Shares {
    by_text: Sparse,
    by_piece: Sparse,
}

/// Lists of (place, share), one after another.
struct Sparse {
    starts: Vec<usize>,
    places: Vec<u32>,
    shares: Vec<f32>,
}

impl Sparse {
    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let range = self.starts[row]..self.starts[row + 1];
        let places = self.places[range.clone()].iter().map(|it| *it as usize);
        places.zip(self.shares[range].iter().copied())
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns the transpose, of `columns` rows.
    fn transposed(&self, columns: usize) -> Self {
        let mut starts = vec![0; columns + 1];
        for place in &self.places {
            starts[*place as usize + 1] += 1;
        }
        for column in 0..columns {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let mut places = vec![0; self.places.len()];
        let mut shares = vec![0.0; self.places.len()];
        for row in 0..self.len() {
            for (place, share) in self.row(row) {
                let at = next[place];
                next[place] += 1;
                places[at] = row as u32;
                shares[at] = share;
            }
        }
        Self {
            starts,
            places,
            shares,
        }
    }

    /// Writes `self · from` to `to`, `(rows, D)`, each row times its `scales`.
    fn times(&self, from: &[f32], scales: Option<&[f32]>, to: &mut [f32], width: usize) {
        to.par_chunks_exact_mut(width)
            .with_min_len(64)
            .enumerate()
            .for_each(|(row, to)| {
                to.fill(0.0);
                for (place, share) in self.row(row) {
                    let share = share * scales.map_or(1.0, |scales| scales[place]);
                    let from = &from[place * width..(place + 1) * width];
                    for (to, from) in to.iter_mut().zip(from) {
                        *to += share * from;
                    }
                }
            });
    }
}

impl Shares {
    /// Counts the pieces of each text; a text without one is a row of nothing.
    pub(super) fn of(texts: &[Vec<u16>], vocabulary: usize) -> Self {
        let mut by_text = Sparse {
            starts: vec![0],
            places: Vec::new(),
            shares: Vec::new(),
        };
        for text in texts {
            let mut pieces = text.clone();
            pieces.sort_unstable();
            for equal in pieces.chunk_by(|a, b| a == b) {
                by_text.places.push(u32::from(equal[0]));
                by_text.shares.push(equal.len() as f32 / text.len() as f32);
            }
            by_text.starts.push(by_text.places.len());
        }
        let by_piece = by_text.transposed(vocabulary);
        Self { by_text, by_piece }
    }

    /// Returns in how many texts each piece is.
    pub(super) fn texts_of_piece(&self) -> Vec<usize> {
        let starts = &self.by_piece.starts;
        starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Returns the means of `rows`, `(V, D)`, by text, `(N, D)`.
    pub(super) fn means(&self, rows: &[f32], width: usize) -> Vec<f32> {
        let mut means = vec![0.0; self.by_text.len() * width];
        self.by_text.times(rows, None, &mut means, width);
        means
    }
}

/// What is to be fitted, and how.
pub(super) struct Problem<'a> {
    pub(super) shares: &'a Shares,
    /// `Y`, `(N, D)`.
    pub(super) wanted: &'a [f32],
    /// `W₀`, `(V, D)`.
    pub(super) prior: &'a [f32],
    /// `λ`.
    pub(super) strength: f32,
    /// `D`.
    pub(super) width: usize,
    pub(super) rounds: usize,
    pub(super) steps: usize,
}

impl Problem<'_> {
    /// Returns the rows, `(V, D)`, or nothing if `step` breaks.
    pub(super) fn solve(&self, step: &mut dyn FnMut() -> ControlFlow<()>) -> Option<Vec<f32>> {
        let mut rows = self.prior.to_vec();
        let mut weights = vec![1.0; self.shares.by_text.len()];
        for round in 0..self.rounds {
            if round > 0 {
                let means = self.shares.means(&rows, self.width);
                weights = means
                    .par_chunks_exact(self.width)
                    .map(|mean| length(mean).max(SHORTEST).powi(-2))
                    .collect();
            }
            self.descend(&mut rows, &weights, step)?;
        }
        Some(rows)
    }

    /// Conjugate gradients from `rows` on; `weights` are the squares of `S`.
    fn descend(
        &self,
        rows: &mut [f32],
        weights: &[f32],
        step: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Option<()> {
        let (shares, width) = (self.shares, self.width);
        let mut of_texts = shares.means(rows, width);
        // In each round a text's wanted vector is as long as its mean was: the
        // direction is fitted, the length is free.
        of_texts
            .par_chunks_exact_mut(width)
            .zip(self.wanted.par_chunks_exact(width))
            .zip(weights)
            .for_each(|((mean, wanted), weight)| {
                let long = weight.sqrt().recip();
                for (mean, wanted) in mean.iter_mut().zip(wanted) {
                    *mean = long * wanted - *mean;
                }
            });
        let mut rest = vec![0.0; rows.len()];
        shares
            .by_piece
            .times(&of_texts, Some(weights), &mut rest, width);
        for ((rest, row), prior) in rest.iter_mut().zip(&*rows).zip(self.prior) {
            *rest += self.strength * (prior - row);
        }
        let mut direction = rest.clone();
        let mut image = vec![0.0; rows.len()];
        let mut left = dots(&rest, &rest, width);
        for _ in 0..self.steps {
            if step().is_break() {
                return None;
            }
            shares.by_text.times(&direction, None, &mut of_texts, width);
            shares
                .by_piece
                .times(&of_texts, Some(weights), &mut image, width);
            for (image, direction) in image.iter_mut().zip(&direction) {
                *image += self.strength * direction;
            }
            let curve = dots(&direction, &image, width);
            let far: Vec<f32> = ratio(&left, &curve);
            add(rows, &direction, &far, 1.0);
            add(&mut rest, &image, &far, -1.0);
            let now = dots(&rest, &rest, width);
            let turn = ratio(&now, &left);
            direction
                .par_chunks_exact_mut(width)
                .zip(rest.par_chunks_exact(width))
                .for_each(|(direction, rest)| {
                    for ((direction, rest), turn) in direction.iter_mut().zip(rest).zip(&turn) {
                        *direction = rest + turn * *direction;
                    }
                });
            left = now;
        }
        Some(())
    }
}

/// Returns the length of `vector`.
pub(super) fn length(vector: &[f32]) -> f32 {
    vector.iter().map(|x| x * x).sum::<f32>().sqrt()
}

/// Returns the products of the columns of `a` and `b`, added in the order of the rows,
/// so that the sum is the same on any number of threads.
fn dots(a: &[f32], b: &[f32], width: usize) -> Vec<f64> {
    const ROWS: usize = 1024;
    let parts: Vec<Vec<f64>> = a
        .par_chunks(ROWS * width)
        .zip(b.par_chunks(ROWS * width))
        .map(|(a, b)| {
            let mut sums = vec![0.0; width];
            for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
                for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                    *sum += f64::from(*a) * f64::from(*b);
                }
            }
            sums
        })
        .collect();
    let mut all = vec![0.0; width];
    for part in parts {
        all.iter_mut()
            .zip(part)
            .for_each(|(all, part)| *all += part);
    }
    all
}

fn ratio(a: &[f64], b: &[f64]) -> Vec<f32> {
    a.iter()
        .zip(b)
        .map(|(a, b)| if *b > 0.0 { (a / b) as f32 } else { 0.0 })
        .collect()
}

/// Adds `sign · scale · from` to `to`, a scale a column.
fn add(to: &mut [f32], from: &[f32], scales: &[f32], sign: f32) {
    let width = scales.len();
    to.par_chunks_exact_mut(width)
        .zip(from.par_chunks_exact(width))
        .for_each(|(to, from)| {
            for ((to, from), scale) in to.iter_mut().zip(from).zip(scales) {
                *to += sign * scale * from;
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pieces, three texts; the normal equations solved by hand for one round:
    /// `(XᵀX + λ) W = XᵀY + λW₀` with `X = [[1,0],[0,1],[½,½]]`, `λ = ½`.
    #[test]
    fn one_round_is_ridge_regression() {
        let shares = Shares::of(&[vec![0, 0], vec![1], vec![0, 1]], 2);
        let problem = Problem {
            shares: &shares,
            wanted: &[1.0, 0.0, 0.0, 1.0, 0.6, 0.8],
            prior: &[1.0, 1.0, 0.0, 0.0],
            strength: 0.5,
            width: 2,
            rounds: 1,
            steps: 10,
        };
        let rows = problem.solve(&mut || ControlFlow::Continue(())).unwrap();
        // XᵀX + λ = [[1.75, 0.25], [0.25, 1.75]], det 3.
        let right = [[1.0 + 0.3 + 0.5, 0.4 + 0.5], [0.3, 1.0 + 0.4]];
        let expect = |row: usize, column: usize| {
            (1.75 * right[row][column] - 0.25 * right[1 - row][column]) / 3.0
        };
        for (index, found) in rows.iter().enumerate() {
            let expect = expect(index / 2, index % 2);
            assert!((f64::from(*found) - expect).abs() < 1e-5, "{rows:?}");
        }
        assert_eq!(shares.texts_of_piece(), [2, 2]);
    }

    #[test]
    fn more_rounds_turn_the_means_nearer() {
        let texts: Vec<Vec<u16>> = (0..40).map(|i| vec![i % 5, i % 7, i % 3]).collect();
        let wanted: Vec<f32> = (0..40u32)
            .flat_map(|i| {
                let angle = (i * i % 11) as f32;
                [angle.cos(), angle.sin()]
            })
            .collect();
        let shares = Shares::of(&texts, 7);
        let near = |rounds| {
            let problem = Problem {
                shares: &shares,
                wanted: &wanted,
                prior: &[0.1; 14],
                strength: 1e-3,
                width: 2,
                rounds,
                steps: 20,
            };
            let rows = problem.solve(&mut || ControlFlow::Continue(())).unwrap();
            let means = shares.means(&rows, 2);
            let cosine = |(mean, wanted): (&[f32], &[f32])| {
                (mean[0] * wanted[0] + mean[1] * wanted[1]) / length(mean).max(1e-9)
            };
            means
                .chunks(2)
                .zip(wanted.chunks(2))
                .map(cosine)
                .sum::<f32>()
        };
        assert!(near(4) > near(1));
    }
}
