//! Sketches: one bit for each dimension, from which a product is estimated with a
//! known error. They need no training, so every change is effective at once.
//!
//! After Gao and Long 2024, "RaBitQ: Quantizing High-Dimensional Vectors with a
//! Theoretical Error Bound for Approximate Nearest Neighbor Search". A row r of D
//! numbers is turned by a fixed random rotation; its sketch is the signs s of the
//! result r'. With the length n of r and c = Σ|r'ᵢ| / (n √D), the cosine between r' and s,
//!
//! `q·r ≈ n / (c √D) · Σ q'ᵢ sᵢ`
//!
//! is without bias, and its error has the standard deviation
//! `|q| n √(1 − c²) / (c √(D − 1))`: what is lost is the part of r' beside s, which
//! the rotation makes random. The rotated query is rounded to 4 bits a number, so that the
//! sum is counting bits: `Σ uᵢ bᵢ = Σⱼ 2ʲ popcount(planeⱼ & bits)`.
//!
//! A scan over sketches reads a 24th of what one over `f32` does. It keeps every row
//! that might, by that error, be among the best; so how many are looked at again
//! depends on the vectors, and what is found hardly does.

use super::Metric;
use super::random::Random;
use super::simd::PLANES;

/// The rotation's seed. It is part of the file's layout: another one is another version.
const SEED: u64 = 0x67_7475_6e65;

/// Words behind a sketch's bits, for its factors: see [`Sketcher::sketch`]. With 384
/// dimensions a sketch is a cache line.
pub(super) const FACTOR_WORDS: usize = 2;

/// Makes sketches of rows, and prepares queries for them.
#[derive(Clone, Debug)]
pub(super) struct Sketcher {
    dimensions: usize,
    /// Dimensions padded to a multiple of 64.
    padded: usize,
    /// For each round of the rotation which numbers change their sign.
    signs: Vec<f32>,
}

/// A query as sketches are compared with it.
#[derive(Clone, Debug, Default)]
pub(super) struct SketchQuery {
    /// Plane after plane, each as many words as a sketch.
    pub(super) planes: Vec<u64>,
    low: f32,
    step: f32,
    /// Σ u.
    sum: i32,
    /// The query's length.
    length: f32,
    /// The deviation of the rounded query's error, where a row's f is 1: each of the
    /// numbers errs by step / √12.
    rounding: f32,
}

const ROUNDS: usize = 2;

impl Sketcher {
    /// Returns the sketcher of vectors of `dimensions` numbers.
    pub(super) fn new(dimensions: usize) -> Self {
        let padded = dimensions.next_multiple_of(64);
        let mut random = Random::new(SEED);
        let signs = (0..ROUNDS * padded)
            .map(|_| if random.next() >> 63 == 0 { 1.0 } else { -1.0 })
            .collect();
        Self {
            dimensions,
            padded,
            signs,
        }
    }

    /// Returns how many words a sketch has.
    pub(super) fn words(dimensions: usize) -> usize {
        dimensions.div_ceil(64)
    }

    /// Rotates `values`: random signs and Hadamard transforms, over the first and
    /// over the last power of two of the numbers, which overlap.
    fn rotate(&self, values: &[f32]) -> Vec<f32> {
        let mut rotated = vec![0.0; self.padded];
        rotated[..self.dimensions].copy_from_slice(&values[..self.dimensions]);
        let power = 1 << self.padded.ilog2();
        for signs in self.signs.chunks_exact(self.padded) {
            for (value, sign) in rotated.iter_mut().zip(signs) {
                *value *= sign;
            }
            hadamard(&mut rotated[..power]);
            if power < self.padded {
                hadamard(&mut rotated[self.padded - power..]);
            }
        }
        rotated
    }

    /// Writes the sketch of a row: its bits and, in the last [`FACTOR_WORDS`] words,
    /// the factors f = n / (c √D), g = f Σ sᵢ, and e, the error's deviation for |q| = 1.
    pub(super) fn sketch(&self, row: &[f32], sketch: &mut [u64]) {
        let (bits, factors) = sketch.split_at_mut(self.padded / 64);
        let rotated = self.rotate(row);
        let (mut square, mut magnitude, mut positive) = (0.0f32, 0.0f32, 0u32);
        for (word, values) in bits.iter_mut().zip(rotated.chunks_exact(64)) {
            *word = 0;
            for (bit, value) in values.iter().enumerate() {
                *word |= u64::from(*value > 0.0) << bit;
                square += value * value;
                magnitude += value.abs();
            }
            positive += word.count_ones();
        }
        let count = self.padded as f32;
        // A row of zeros is estimated as 0, which is right.
        let (f, e) = if magnitude > 0.0 {
            let length = square.sqrt();
            let cosine = (magnitude / (length * count.sqrt())).min(1.0);
            (
                length / (cosine * count.sqrt()),
                length * (1.0 - cosine * cosine).sqrt() / (cosine * (count - 1.0).sqrt()),
            )
        } else {
            (0.0, 0.0)
        };
        let sum = 2 * positive as i32 - self.padded as i32;
        let g = f * sum as f32;
        factors.copy_from_slice(&[
            u64::from(f.to_bits()) | u64::from(g.to_bits()) << 32,
            u64::from(e.to_bits()),
        ]);
    }

    /// Prepares a query.
    pub(super) fn query(&self, values: &[f32]) -> SketchQuery {
        let rotated = self.rotate(values);
        let (low, high) = rotated
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
                (low.min(*value), high.max(*value))
            });
        let most = ((1 << PLANES) - 1) as f32;
        let step = ((high - low) / most).max(f32::MIN_POSITIVE);
        let words = self.padded / 64;
        let levels = 1.0 / step;
        let mut planes = vec![0; PLANES * words];
        let (mut sum, mut square) = (0, 0.0);
        for (index, value) in rotated.iter().enumerate() {
            let level = (((value - low) * levels + 0.5) as u64).min(most as u64);
            for plane in 0..PLANES {
                planes[plane * words + index / 64] |= (level >> plane & 1) << (index % 64);
            }
            sum += level as i32;
            square += value * value;
        }
        SketchQuery {
            planes,
            low,
            step,
            sum,
            length: square.sqrt(),
            rounding: step * (self.padded as f32 / 12.0).sqrt(),
        }
    }
}

impl SketchQuery {
    /// Returns the estimated product with a row and the deviation of its error, from
    /// the row's weighted count of bits and its sketch.
    #[inline(always)]
    pub(super) fn estimate(&self, count: u32, sketch: &[u64]) -> (f32, f32) {
        let [.., first, second] = sketch else {
            return (0.0, 0.0);
        };
        let [f, g, e] = [*first, *first >> 32, *second].map(|word| f32::from_bits(word as u32));
        let product = self.low * g + self.step * f * (2 * count as i32 - self.sum) as f32;
        // The two errors are independent, and that of rounding is the smaller, b < a:
        // then √(a² + b²) < a + b/2.
        (product, self.length * e + 0.5 * self.rounding * f)
    }
}

/// Returns whether vectors of this metric and length have sketches: below 64
/// dimensions a sketch saves little and errs much.
pub(super) fn has_sketches(dimensions: usize, metric: Metric) -> bool {
    metric.is_product() && dimensions >= 64
}

/// The orthonormal Walsh–Hadamard transform, in place; the length is a power of two.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f32).sqrt();
    for value in values {
        *value *= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(random: &mut Random, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| random.unit() - 0.4).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn a_rotation_keeps_lengths_and_angles() {
        for dimensions in [1, 64, 100, 384, 1000] {
            let mut random = Random::new(3);
            let (a, b) = (
                vector(&mut random, dimensions),
                vector(&mut random, dimensions),
            );
            let sketcher = Sketcher::new(dimensions);
            let (before, after) = (dot(&a, &b), dot(&sketcher.rotate(&a), &sketcher.rotate(&b)));
            assert!(
                (before - after).abs() < 1e-3 * dimensions as f32,
                "{before} {after}"
            );
        }
    }

    #[test]
    fn estimates_err_as_they_say() {
        let (dimensions, rows) = (384, 500);
        let mut random = Random::new(5);
        let sketcher = Sketcher::new(dimensions);
        let query = vector(&mut random, dimensions);
        let prepared = sketcher.query(&query);
        let words = Sketcher::words(dimensions);
        let (mut within_one, mut sum) = (0, 0.0);
        for _ in 0..rows {
            let row = vector(&mut random, dimensions);
            let mut sketch = vec![0; words + FACTOR_WORDS];
            sketcher.sketch(&row, &mut sketch);
            let count = (0..PLANES)
                .map(|plane| {
                    let plane_bits = &prepared.planes[plane * words..][..words];
                    let ones: u32 = sketch
                        .iter()
                        .zip(plane_bits)
                        .map(|(a, b)| (a & b).count_ones())
                        .sum();
                    ones << plane
                })
                .sum();
            let (product, deviation) = prepared.estimate(count, &sketch);
            let error = (product - dot(&query, &row)) / deviation;
            assert!(error.abs() < 5.0, "an error of {error} deviations");
            within_one += usize::from(error.abs() < 1.0);
            sum += error;
        }
        // Two thirds of normal errors are within one deviation; the mean is near 0.
        assert!(
            (rows / 2..=rows * 9 / 10).contains(&within_one),
            "{within_one}"
        );
        assert!((sum / rows as f32).abs() < 0.25, "{sum}");
    }
}
