//! How alike two vectors are, in seven ways.

use serde::{Deserialize, Serialize};

/// A way to compare two vectors. Its *value* is what the field calls it: a
/// similarity (larger is more alike) or a distance (smaller is more alike).
/// [`Metric::closeness`] orients all of them alike, so that ranking need not ask.
///
/// Cosine, dot product and Euclidean distance work with every method of search;
/// the others only by exact scan, for the codes and graphs stand for products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Cosine of the angle, `Σ aᵢbᵢ / (|a| |b|)`: a similarity in [−1, 1]. Only the
    /// direction counts, so a text and its shorter version stay alike.
    #[default]
    Cosine,
    /// Dot product, `Σ aᵢbᵢ`: a similarity in (−∞, ∞). Longer vectors are nearer.
    Dot,
    /// Euclidean distance, `√Σ (aᵢ − bᵢ)²`, in [0, ∞).
    Euclidean,
    /// Manhattan distance, `Σ |aᵢ − bᵢ|`, in [0, ∞).
    Manhattan,
    /// Minkowski distance of order p ≥ 1, `(Σ |aᵢ − bᵢ|ᵖ)^(1/p)`, in [0, ∞).
    /// Order 1 is Manhattan, order 2 Euclidean.
    Minkowski(f32),
    /// Hamming distance of binary vectors: at how many places exactly one of the
    /// two is greater than zero. From 0 to the number of dimensions. Vectors of
    /// 0 and 1 count as they are, and others by their signs.
    Hamming,
    /// Jaccard similarity of sparse vectors, `Σ min(aᵢ, bᵢ) / Σ max(aᵢ, bᵢ)` in
    /// [0, 1], numbers below zero counting as zero (the weighted form, also named
    /// after Ruzicka). For vectors of 0 and 1 it is the size of the intersection
    /// over that of the union. Two empty vectors are alike: 1.
    Jaccard,
}

impl Metric {
    /// Returns the value of the metric for `a` and `b`, summed in `f64`.
    ///
    /// The cosine with a vector of zeros, which has no direction, is 0.
    /// Panics if the lengths differ.
    pub fn value(self, a: &[f32], b: &[f32]) -> f64 {
        assert_eq!(a.len(), b.len(), "vectors of one index are of one length");
        let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let dot = || pairs().map(|(a, b)| a * b).sum::<f64>();
        match self {
            Self::Cosine => {
                let (a_square, b_square) = pairs().fold((0.0, 0.0), |(a_sum, b_sum), (a, b)| {
                    (a_sum + a * a, b_sum + b * b)
                });
                if a_square == 0.0 || b_square == 0.0 {
                    return 0.0;
                }
                // One root of the product, not a product of roots: so that a vector
                // and its half are at exactly 1.
                (dot() / (a_square * b_square).sqrt()).clamp(-1.0, 1.0)
            }
            Self::Dot => dot(),
            Self::Euclidean => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
            Self::Manhattan => pairs().map(|(a, b)| (a - b).abs()).sum(),
            Self::Minkowski(order) => {
                let order = f64::from(order);
                // Scaled by the largest gap, so that no power overflows.
                let largest = pairs().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                if largest == 0.0 {
                    return 0.0;
                }
                let sum: f64 = pairs()
                    .map(|(a, b)| ((a - b).abs() / largest).powf(order))
                    .sum();
                largest * sum.powf(1.0 / order)
            }
            Self::Hamming => pairs().filter(|(a, b)| (*a > 0.0) != (*b > 0.0)).count() as f64,
            Self::Jaccard => {
                let (shared, all) = pairs().fold((0.0, 0.0), |(shared, all), (a, b)| {
                    let (a, b) = (a.max(0.0), b.max(0.0));
                    (shared + a.min(b), all + a.max(b))
                });
                if all == 0.0 { 1.0 } else { shared / all }
            }
        }
    }

    /// Returns whether a larger value means more alike.
    pub fn is_similarity(self) -> bool {
        matches!(self, Self::Cosine | Self::Dot | Self::Jaccard)
    }

    /// Returns `value` turned so that larger is always nearer: itself for a
    /// similarity, its negative for a distance.
    pub fn closeness(self, value: f32) -> f32 {
        if self.is_similarity() { value } else { -value }
    }

    /// Returns whether codes and graphs can stand for it, so that approximate
    /// methods work; otherwise only the exact scan does.
    pub fn is_product(self) -> bool {
        matches!(self, Self::Cosine | Self::Dot | Self::Euclidean)
    }

    /// Returns its name as the field writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::Dot => "dot",
            Self::Euclidean => "euclidean",
            Self::Manhattan => "manhattan",
            Self::Minkowski(_) => "minkowski",
            Self::Hamming => "hamming",
            Self::Jaccard => "jaccard",
        }
    }

    /// Returns the metric as two numbers for a file: its kind and its parameter.
    pub(super) fn to_code(self) -> (u32, f32) {
        match self {
            Self::Cosine => (0, 0.0),
            Self::Dot => (1, 0.0),
            Self::Euclidean => (2, 0.0),
            Self::Manhattan => (3, 0.0),
            Self::Minkowski(order) => (4, order),
            Self::Hamming => (5, 0.0),
            Self::Jaccard => (6, 0.0),
        }
    }

    /// Returns the metric that [`Metric::to_code`] wrote, if there is such a one.
    pub(super) fn from_code(kind: u32, parameter: f32) -> Option<Self> {
        Some(match kind {
            0 => Self::Cosine,
            1 => Self::Dot,
            2 => Self::Euclidean,
            3 => Self::Manhattan,
            4 if parameter >= 1.0 && parameter.is_finite() => Self::Minkowski(parameter),
            5 => Self::Hamming,
            6 => Self::Jaccard,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: [f32; 5] = [0.2, 0.8, 0.1, 0.9, 0.3];
    const FIRST: [f32; 5] = [0.1, 0.9, 0.2, 0.8, 0.4];
    const SECOND: [f32; 5] = [0.8, 0.1, 0.9, 0.2, 0.7];
    const THIRD: [f32; 5] = [0.3, 0.7, 0.1, 0.8, 0.2];

    fn check(metric: Metric, a: &[f32], b: &[f32], expect: f64) {
        let found = metric.value(a, b);
        assert!(
            (found - expect).abs() < 1e-6,
            "{metric:?}: {found} is not {expect}"
        );
    }

    #[test]
    fn values_are_those_worked_out_by_hand() {
        check(Metric::Cosine, &QUERY, &FIRST, 0.984844);
        check(Metric::Cosine, &QUERY, &SECOND, 0.404769);
        check(Metric::Cosine, &QUERY, &THIRD, 0.992244);
        check(Metric::Euclidean, &QUERY, &FIRST, 0.223607);
        check(Metric::Euclidean, &QUERY, &SECOND, 1.462874);
        check(Metric::Euclidean, &QUERY, &THIRD, 0.2);
        check(Metric::Dot, &QUERY, &FIRST, 1.60);
        check(Metric::Dot, &QUERY, &SECOND, 0.72);
        check(Metric::Dot, &QUERY, &THIRD, 1.41);
        check(Metric::Manhattan, &QUERY, &FIRST, 0.5);
        check(Metric::Minkowski(1.0), &QUERY, &FIRST, 0.5);
        check(Metric::Minkowski(2.0), &QUERY, &SECOND, 1.462874);
        check(
            Metric::Minkowski(3.0),
            &[0.0, 0.0],
            &[3.0, 4.0],
            91f64.cbrt(),
        );
        check(
            Metric::Hamming,
            &[1.0, 0.0, 1.0, -1.0],
            &[1.0, 1.0, 0.0, 0.0],
            2.0,
        );
        check(
            Metric::Jaccard,
            &[1.0, 0.0, 1.0, 1.0],
            &[1.0, 1.0, 0.0, 1.0],
            0.5,
        );
        check(Metric::Jaccard, &[2.0, 0.0], &[1.0, 1.0], 1.0 / 3.0);
        check(Metric::Jaccard, &[0.0, -1.0], &[0.0, 0.0], 1.0);
    }

    #[test]
    fn metrics_do_not_rank_alike() {
        let ranked = |metric: Metric| {
            let mut documents = [(1, FIRST), (2, SECOND), (3, THIRD)];
            documents.sort_by(|a, b| {
                let closeness = |d: &[f32]| metric.closeness(metric.value(&QUERY, d) as f32);
                closeness(&b.1).total_cmp(&closeness(&a.1))
            });
            documents.map(|(number, _)| number)
        };
        assert_eq!(ranked(Metric::Cosine), [3, 1, 2]);
        assert_eq!(ranked(Metric::Euclidean), [3, 1, 2]);
        assert_eq!(ranked(Metric::Dot), [1, 3, 2]);
    }

    #[test]
    fn a_vector_and_its_half_are_alike_in_direction_only() {
        let whole = [0.8, 0.2, 0.6, 0.4, 0.9];
        let half = whole.map(|value| value / 2.0);
        assert_eq!(Metric::Cosine.value(&whole, &half), 1.0);
        check(Metric::Euclidean, &whole, &half, 0.708872);
        let length = Metric::Euclidean.value(&whole, &[0.0; 5]);
        check(Metric::Euclidean, &whole, &half, length / 2.0);
    }

    #[test]
    fn codes_name_each_metric() {
        for metric in [
            Metric::Cosine,
            Metric::Dot,
            Metric::Euclidean,
            Metric::Manhattan,
            Metric::Minkowski(2.5),
            Metric::Hamming,
            Metric::Jaccard,
        ] {
            let (kind, parameter) = metric.to_code();
            assert_eq!(Metric::from_code(kind, parameter), Some(metric));
        }
        assert_eq!(Metric::from_code(4, f32::NAN), None);
        assert_eq!(Metric::from_code(7, 0.0), None);
    }
}
