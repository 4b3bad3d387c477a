//! Layer normalisation with what its backward needs, and the backward.

#![expect(
    unsafe_code,
    reason = "loops over `Lanes`; threads write to rows of their own"
)]

use super::{Loop, TrainingScratch, load, store};
use crate::simd::{Kernels, Lanes};
use crate::stored::Sum;
use crate::team::{Start, Team};

/// A normalisation of rows `D` wide, its parameters borrowed from where they are
/// trained.
#[derive(Clone, Copy, Debug)]
pub enum Norm<'a> {
    /// Less the mean, over the root of the variance plus `epsilon`, times `weight`, plus
    /// `bias` (Ba et al. 2016).
    Layer {
        /// `(D)`
        weight: &'a [f32],
        /// `(D)`
        bias: &'a [f32],
        /// Keeps the root away from zero.
        epsilon: f32,
    },
    /// Over the root of the mean square plus `epsilon`, times `weight` (Zhang and
    /// Sennrich 2019).
    RootMeanSquare {
        /// `(D)`
        weight: &'a [f32],
        /// Keeps the root away from zero.
        epsilon: f32,
    },
}

/// Numbers that are kept of each row: what is taken off it, and what it is multiplied by.
pub const NORM_STATISTICS: usize = 2;

/// The fewest rows that are a thread's part.
const ROWS: usize = 16;
/// The most parts, each of which adds up gradients of its own.
const PARTS: usize = 32;

impl<'a> Norm<'a> {
    fn weight(&self) -> &'a [f32] {
        match self {
            Norm::Layer { weight, .. } | Norm::RootMeanSquare { weight, .. } => weight,
        }
    }

    fn check(&self) {
        assert!(!self.weight().is_empty(), "a row has numbers");
        if let Norm::Layer { weight, bias, .. } = self {
            assert_eq!(weight.len(), bias.len(), "weight and bias are of one width");
        }
    }
}

/// What goes back through a normalisation.
#[derive(Debug)]
pub struct NormBackward<'a> {
    /// The normalisation.
    pub norm: Norm<'a>,
    /// What went in, `(T, D)`.
    pub input: &'a [f32],
    /// What [`Kernels::norm_rows`] kept, `(T, 2)`.
    pub statistics: &'a [f32],
    /// The gradient of what came out, `(T, D)`.
    pub gradient: &'a [f32],
    /// Whether `input_gradient` is replaced or added to, as where a residual passes by.
    pub sum: Sum,
    /// `(T, D)`
    pub input_gradient: &'a mut [f32],
    /// `(D)`, added to; or nothing if the weight is not trained.
    pub weight_gradient: Option<&'a mut [f32]>,
    /// `(D)`, added to; or nothing if there is no bias or it is not trained.
    pub bias_gradient: Option<&'a mut [f32]>,
}

fn rows_of_part(rows: usize) -> usize {
    rows.div_ceil(PARTS).max(ROWS)
}

impl Kernels {
    /// Sets each row of `to`, `(T, D)`, to that of `from`, normalised, and `statistics`,
    /// `(T, 2)`, to its mean (0 without one) and to the reciprocal of the root. The same
    /// call computes the output again. Panics if the shapes do not fit.
    pub fn norm_rows(
        &self,
        team: &Team,
        norm: Norm<'_>,
        from: &[f32],
        statistics: &mut [f32],
        to: &mut [f32],
    ) {
        norm.check();
        let width = norm.weight().len();
        let rows = from.len() / width;
        assert_eq!(from.len(), rows * width, "the rows are whole");
        assert_eq!(to.len(), from.len(), "a row comes out for every row");
        assert_eq!(
            statistics.len(),
            rows * NORM_STATISTICS,
            "there is place for every row's statistics"
        );
        let each = rows_of_part(rows);
        let (statistics, to) = (Start(statistics.as_mut_ptr()), Start(to.as_mut_ptr()));
        team.run(rows.div_ceil(each), &|part, _| {
            let first = part * each;
            let here = each.min(rows - first);
            // SAFETY: each part has rows of its own; a table is only handed out where
            // the processor has what its functions need.
            unsafe {
                (self.training)(Loop::Norm(Forward {
                    norm,
                    from: &from[first * width..][..here * width],
                    statistics: statistics.cut(first * NORM_STATISTICS, here * NORM_STATISTICS),
                    to: to.cut(first * width, here * width),
                }));
            }
        });
    }

    /// Takes a gradient back through a normalisation. With `x̂` the row normalised and
    /// `g` its gradient times the weight, the input's is `(g − mean(g) − x̂ mean(g x̂)) / σ`
    /// (without `mean(g)` where no mean was taken off), the weight's `Σ dy x̂`, the bias's
    /// `Σ dy`. Panics if the shapes do not fit.
    pub fn norm_backward(
        &self,
        team: &Team,
        backward: NormBackward<'_>,
        scratch: &mut TrainingScratch,
    ) {
        let NormBackward {
            norm,
            input,
            statistics,
            gradient,
            sum,
            input_gradient,
            weight_gradient,
            bias_gradient,
        } = backward;
        norm.check();
        let width = norm.weight().len();
        let rows = input.len() / width;
        assert_eq!(input.len(), rows * width, "the rows are whole");
        assert_eq!(gradient.len(), input.len(), "every number has its gradient");
        assert_eq!(
            input_gradient.len(),
            input.len(),
            "there is place for every gradient"
        );
        assert_eq!(
            statistics.len(),
            rows * NORM_STATISTICS,
            "every row has its statistics"
        );
        let each = rows_of_part(rows);
        let parts = rows.div_ceil(each);
        let [partial] = scratch.numbers.carve([parts * 2 * width]);
        let (to, sums) = (
            Start(input_gradient.as_mut_ptr()),
            Start(partial.as_mut_ptr()),
        );
        team.run(parts, &|part, _| {
            let first = part * each;
            let here = each.min(rows - first);
            let range = first * width..(first + here) * width;
            // SAFETY: each part has rows and sums of its own.
            unsafe {
                let sums = sums.cut(part * 2 * width, 2 * width);
                sums.fill(0.0);
                let (weight_sums, bias_sums) = sums.split_at_mut(width);
                (self.training)(Loop::NormBack(Back {
                    norm,
                    input: &input[range.clone()],
                    statistics: &statistics[first * NORM_STATISTICS..],
                    gradient: &gradient[range],
                    sum,
                    to: to.cut(first * width, here * width),
                    weight_sums,
                    bias_sums,
                }));
            }
        });
        for (gradients, half) in [(weight_gradient, 0), (bias_gradient, width)] {
            let Some(gradients) = gradients else { continue };
            assert_eq!(
                gradients.len(),
                width,
                "a gradient is as wide as its weight"
            );
            for sums in partial.chunks_exact(2 * width) {
                for (gradient, sum) in gradients.iter_mut().zip(&sums[half..half + width]) {
                    *gradient += sum;
                }
            }
        }
    }
}

pub(crate) struct Forward<'a> {
    norm: Norm<'a>,
    from: &'a [f32],
    statistics: &'a mut [f32],
    to: &'a mut [f32],
}

impl Forward<'_> {
    /// # Safety
    /// As all of [`Lanes`].
    #[inline(always)]
    pub(super) unsafe fn run<L: Lanes>(self) {
        let width = self.norm.weight().len();
        let rows = self
            .from
            .chunks_exact(width)
            .zip(self.to.chunks_exact_mut(width))
            .zip(self.statistics.chunks_exact_mut(NORM_STATISTICS));
        for ((from, to), kept) in rows {
            let (from, to) = (from.as_ptr(), to.as_mut_ptr());
            // SAFETY: all rows are `width` numbers.
            unsafe {
                let (mean, epsilon) = match self.norm {
                    Norm::Layer { epsilon, .. } => {
                        let mut sum = L::splat(0.0);
                        for at in (0..width).step_by(L::COUNT) {
                            sum = L::add(sum, load::<L>(from.add(at), width - at));
                        }
                        (L::sum(sum) / width as f32, epsilon)
                    }
                    Norm::RootMeanSquare { epsilon, .. } => (0.0, epsilon),
                };
                // A second pass, since the mean of squares less the squared mean cancels.
                let means = L::splat(mean);
                let mut squares = L::splat(0.0);
                let whole = width - width % L::COUNT;
                for at in (0..whole).step_by(L::COUNT) {
                    let off = L::sub(L::load(from.add(at)), means);
                    squares = L::mul_add(off, off, squares);
                }
                if whole < width {
                    let off = L::sub(L::load_part(from.add(whole), width - whole, mean), means);
                    squares = L::mul_add(off, off, squares);
                }
                let scale = 1.0 / (L::sum(squares) / width as f32 + epsilon).sqrt();
                kept[0] = mean;
                kept[1] = scale;
                let scale = L::splat(scale);
                match self.norm {
                    Norm::Layer { weight, bias, .. } => {
                        for at in (0..width).step_by(L::COUNT) {
                            let left = width - at;
                            let off = L::sub(load::<L>(from.add(at), left), means);
                            let weight = load::<L>(weight.as_ptr().add(at), left);
                            let bias = load::<L>(bias.as_ptr().add(at), left);
                            let v = L::mul_add(L::mul(off, scale), weight, bias);
                            store::<L>(to.add(at), left, v);
                        }
                    }
                    Norm::RootMeanSquare { weight, .. } => {
                        for at in (0..width).step_by(L::COUNT) {
                            let left = width - at;
                            let v = L::mul(load::<L>(from.add(at), left), scale);
                            let weight = load::<L>(weight.as_ptr().add(at), left);
                            store::<L>(to.add(at), left, L::mul(v, weight));
                        }
                    }
                }
            }
        }
    }
}

pub(crate) struct Back<'a> {
    norm: Norm<'a>,
    input: &'a [f32],
    statistics: &'a [f32],
    gradient: &'a [f32],
    sum: Sum,
    to: &'a mut [f32],
    weight_sums: &'a mut [f32],
    bias_sums: &'a mut [f32],
}

impl Back<'_> {
    /// # Safety
    /// As all of [`Lanes`].
    #[inline(always)]
    pub(super) unsafe fn run<L: Lanes>(self) {
        let weight = self.norm.weight();
        let width = weight.len();
        let weight = weight.as_ptr();
        let (weight_sums, bias_sums) = (self.weight_sums.as_mut_ptr(), self.bias_sums.as_mut_ptr());
        let centred = matches!(self.norm, Norm::Layer { .. });
        let rows = self
            .input
            .chunks_exact(width)
            .zip(self.gradient.chunks_exact(width))
            .zip(self.to.chunks_exact_mut(width))
            .zip(self.statistics.chunks_exact(NORM_STATISTICS));
        for (((input, gradient), to), kept) in rows {
            let (input, gradient, to) = (input.as_ptr(), gradient.as_ptr(), to.as_mut_ptr());
            // SAFETY: all rows and sums are `width` numbers. What fills up the last
            // vector is zero in the gradient, and so in every sum.
            unsafe {
                let (mean, scale) = (L::splat(kept[0]), L::splat(kept[1]));
                let (mut sum, mut with_input) = (L::splat(0.0), L::splat(0.0));
                for at in (0..width).step_by(L::COUNT) {
                    let left = width - at;
                    let unit = L::mul(L::sub(load::<L>(input.add(at), left), mean), scale);
                    let dy = load::<L>(gradient.add(at), left);
                    let so_far = load::<L>(weight_sums.add(at), left);
                    store::<L>(weight_sums.add(at), left, L::mul_add(dy, unit, so_far));
                    let so_far = load::<L>(bias_sums.add(at), left);
                    store::<L>(bias_sums.add(at), left, L::add(dy, so_far));
                    let g = L::mul(dy, load::<L>(weight.add(at), left));
                    sum = L::add(sum, g);
                    with_input = L::mul_add(g, unit, with_input);
                }
                let share = 1.0 / width as f32;
                let sum = L::splat(if centred { L::sum(sum) * share } else { 0.0 });
                let with_input = L::splat(L::sum(with_input) * share);
                for at in (0..width).step_by(L::COUNT) {
                    let left = width - at;
                    let unit = L::mul(L::sub(load::<L>(input.add(at), left), mean), scale);
                    let dy = load::<L>(gradient.add(at), left);
                    let g = L::mul(dy, load::<L>(weight.add(at), left));
                    let off = L::sub(L::sub(g, sum), L::mul(unit, with_input));
                    let v = match self.sum {
                        Sum::Replace => L::mul(off, scale),
                        Sum::Add => L::mul_add(off, scale, load::<L>(to.add(at), left)),
                    };
                    store::<L>(to.add(at), left, v);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::check::{slope, team, wide};

    /// The rows normalised, in `f64`.
    fn plainly(centred: bool, rows: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let width = weight.len();
        let mut out = Vec::new();
        for row in rows.chunks(width) {
            let mean = if centred {
                row.iter().sum::<f64>() / width as f64
            } else {
                0.0
            };
            let square = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            for (at, x) in row.iter().enumerate() {
                out.push((x - mean) / (square + 1e-3).sqrt() * weight[at] + bias[at]);
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_gradient_is_the_slope(
            width in 2usize..40,
            rows in 1usize..40,
            centred: bool,
            add: bool,
            threads in 1usize..4,
            seed in any::<u64>(),
        ) {
            let (input, weight) = (numbers(seed, rows * width), numbers(seed ^ 1, width));
            let bias = if centred { numbers(seed ^ 2, width) } else { vec![0.0; width] };
            let upstream = numbers(seed ^ 3, rows * width);
            let before = numbers(seed ^ 4, rows * width);
            let loss = |input: &[f64], weight: &[f64], bias: &[f64]| -> f64 {
                plainly(centred, input, weight, bias)
                    .iter()
                    .zip(&upstream)
                    .map(|(y, g)| y * f64::from(*g))
                    .sum()
            };
            let (wide_input, wide_weight, wide_bias) = (wide(&input), wide(&weight), wide(&bias));
            let mut of_input = slope(&wide_input, |input| loss(input, &wide_weight, &wide_bias));
            let of_weight = slope(&wide_weight, |weight| loss(&wide_input, weight, &wide_bias));
            let of_bias = slope(&wide_bias, |bias| loss(&wide_input, &wide_weight, bias));
            if add {
                of_input.iter_mut().zip(&before).for_each(|(a, b)| *a += f64::from(*b));
            }
            let expect = plainly(centred, &wide_input, &wide_weight, &wide_bias);
            let team = team(threads);
            for version in Kernels::available() {
                let norm = if centred {
                    Norm::Layer { weight: &weight, bias: &bias, epsilon: 1e-3 }
                } else {
                    Norm::RootMeanSquare { weight: &weight, epsilon: 1e-3 }
                };
                let mut statistics = vec![f32::NAN; 2 * rows];
                let mut out = vec![f32::NAN; rows * width];
                version.norm_rows(&team, norm, &input, &mut statistics, &mut out);
                assert_near(&out, &expect, 2e-5, version.name);
                let mut input_gradient = before.clone();
                let (mut weight_gradient, mut bias_gradient) = (vec![0.5; width], vec![0.25; width]);
                version.norm_backward(
                    &team,
                    NormBackward {
                        norm,
                        input: &input,
                        statistics: &statistics,
                        gradient: &upstream,
                        sum: if add { Sum::Add } else { Sum::Replace },
                        input_gradient: &mut input_gradient,
                        weight_gradient: Some(&mut weight_gradient),
                        bias_gradient: centred.then_some(&mut bias_gradient[..]),
                    },
                    &mut TrainingScratch::default(),
                );
                assert_near(&input_gradient, &of_input, 3e-4, version.name);
                let added: Vec<f64> = of_weight.iter().map(|x| x + 0.5).collect();
                assert_near(&weight_gradient, &added, 1e-4, version.name);
                if centred {
                    let added: Vec<f64> = of_bias.iter().map(|x| x + 0.25).collect();
                    assert_near(&bias_gradient, &added, 1e-4, version.name);
                }
            }
        }
    }

    #[test]
    fn how_many_threads_changes_nothing() {
        let (width, rows) = (33, 700);
        let (input, gradient) = (numbers(1, rows * width), numbers(2, rows * width));
        let weight = numbers(3, width);
        let run = |threads: usize| {
            let norm = Norm::RootMeanSquare {
                weight: &weight,
                epsilon: 1e-5,
            };
            let (mut statistics, mut out) = (vec![0.0; 2 * rows], vec![0.0; rows * width]);
            let (team, kernels) = (team(threads), Kernels::best());
            kernels.norm_rows(&team, norm, &input, &mut statistics, &mut out);
            let (mut to, mut of_weight) = (vec![0.0; rows * width], vec![0.0; width]);
            kernels.norm_backward(
                &team,
                NormBackward {
                    norm,
                    input: &input,
                    statistics: &statistics,
                    gradient: &gradient,
                    sum: Sum::Replace,
                    input_gradient: &mut to,
                    weight_gradient: Some(&mut of_weight),
                    bias_gradient: None,
                },
                &mut TrainingScratch::default(),
            );
            (to, of_weight)
        };
        assert_eq!(run(1), run(3));
    }
}
