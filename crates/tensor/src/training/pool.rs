//! Backwards of pooling and of bringing a vector to unit length.

use crate::pool::Pooling;
use crate::simd::Kernels;

impl Kernels {
    /// Sets `tokens_gradient`, `(T, D)`, to the gradient of what was pooled, given `text_gradient`,
    /// `(D)`, that of the pooled. `tokens` is what was pooled; of equal largest numbers,
    /// the first has the gradient. Panics if there is no row, or the rows are not whole.
    pub fn pool_backward(
        &self,
        pooling: Pooling,
        tokens: &[f32],
        text_gradient: &[f32],
        tokens_gradient: &mut [f32],
    ) {
        let width = text_gradient.len();
        assert!(
            width > 0 && !tokens.is_empty() && tokens.len().is_multiple_of(width),
            "there is a token, and the rows are whole"
        );
        assert_eq!(
            tokens.len(),
            tokens_gradient.len(),
            "every number has its gradient"
        );
        let count = (tokens.len() / width) as f32;
        match pooling {
            Pooling::First => {
                tokens_gradient.fill(0.0);
                tokens_gradient[..width].copy_from_slice(text_gradient);
            }
            Pooling::Mean | Pooling::MeanRoot => {
                let share = match pooling {
                    Pooling::Mean => 1.0 / count,
                    _ => 1.0 / count.sqrt(),
                };
                for row in tokens_gradient.chunks_exact_mut(width) {
                    for (to, gradient) in row.iter_mut().zip(text_gradient) {
                        *to = share * gradient;
                    }
                }
            }
            Pooling::Max => {
                tokens_gradient.fill(0.0);
                for (column, gradient) in text_gradient.iter().enumerate() {
                    let mut most = column;
                    for at in (column..tokens.len()).step_by(width) {
                        if tokens[at] > tokens[most] {
                            most = at;
                        }
                    }
                    tokens_gradient[most] = *gradient;
                }
            }
        }
    }

    /// Turns `gradient`, that of `x / |x|`, into that of `x`: `(g − u (u · g)) / |x|` with
    /// `u` the unit vector. Where `x` has no direction there is no gradient: zeros, as
    /// [`normalize`](crate::normalize) leaves such a vector alone. Panics if the lengths differ.
    pub fn normalize_backward(&self, vector: &[f32], gradient: &mut [f32]) {
        assert_eq!(
            vector.len(),
            gradient.len(),
            "every number has its gradient"
        );
        let pairs = || {
            vector
                .iter()
                .zip(&*gradient)
                .map(|(x, g)| (f64::from(*x), f64::from(*g)))
        };
        let length = pairs().map(|(x, _)| x * x).sum::<f64>().sqrt();
        if !(length > 0.0 && length.is_finite()) {
            gradient.fill(0.0);
            return;
        }
        let along = pairs().map(|(x, g)| x * g).sum::<f64>() / (length * length);
        for (gradient, x) in gradient.iter_mut().zip(vector) {
            *gradient = ((f64::from(*gradient) - f64::from(*x) * along) / length) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::check::{slope, wide};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn each_gradient_is_the_slope(width in 1usize..20, count in 1usize..9, seed in any::<u64>()) {
            let (tokens, upstream) = (numbers(seed, width * count), numbers(seed ^ 1, width));
            // Where two are almost the largest, a step of the slope takes one past the other.
            prop_assume!((0..width).all(|column| {
                let mut place: Vec<f32> = tokens.iter().skip(column).step_by(width).copied().collect();
                place.sort_by(|a, b| b.total_cmp(a));
                place.len() < 2 || place[0] - place[1] > 1e-3
            }));
            for pooling in [Pooling::First, Pooling::Mean, Pooling::MeanRoot, Pooling::Max] {
                let loss = |tokens: &[f64]| -> f64 {
                    (0..width)
                        .map(|column| {
                            let mut place = tokens.iter().skip(column).step_by(width).copied();
                            f64::from(upstream[column]) * match pooling {
                                Pooling::First => place.next().unwrap(),
                                Pooling::Mean => place.sum::<f64>() / count as f64,
                                Pooling::MeanRoot => place.sum::<f64>() / (count as f64).sqrt(),
                                Pooling::Max => place.fold(f64::NEG_INFINITY, f64::max),
                            }
                        })
                        .sum()
                };
                let expect = slope(&wide(&tokens), loss);
                let mut found = vec![f32::NAN; tokens.len()];
                Kernels::best().pool_backward(pooling, &tokens, &upstream, &mut found);
                assert_near(&found, &expect, 1e-6, &format!("{pooling:?}"));
            }
        }

        #[test]
        fn unit_length_goes_back(width in 1usize..40, seed in any::<u64>()) {
            let (vector, upstream) = (numbers(seed, width), numbers(seed ^ 1, width));
            let length: f64 = wide(&vector).iter().map(|x| x * x).sum::<f64>().sqrt();
            prop_assume!(length > 0.1);
            let expect = slope(&wide(&vector), |vector| {
                let length: f64 = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
                vector.iter().zip(&upstream).map(|(x, g)| x / length * f64::from(*g)).sum()
            });
            let mut found = upstream.clone();
            Kernels::best().normalize_backward(&vector, &mut found);
            assert_near(&found, &expect, 2e-5, "gradient");
        }
    }

    #[test]
    fn no_direction_no_gradient() {
        let mut gradient = [1.0, 2.0];
        Kernels::best().normalize_backward(&[0.0, 0.0], &mut gradient);
        assert_eq!(gradient, [0.0, 0.0]);
    }
}
