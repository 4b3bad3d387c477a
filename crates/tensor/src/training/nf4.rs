//! Frozen weights in 4 bits (QLoRA: Dettmers et al. 2023, arXiv:2305.14314, §3).
//!
//! Weights are cut into blocks, each scaled by its largest number, and rounded to sixteen
//! values that a normal distribution fills evenly (*NormalFloat*). The scales themselves
//! are stored in a byte each, less their mean (*double quantisation*): 4.13 bits a number
//! in all.

use super::eight_bit::Code;
use crate::simd::Kernels;
use crate::team::Team;

/// Numbers that share a scale.
const BLOCK: usize = 64;
/// Scales that share one of their own.
const GROUP: usize = 256;
/// Blocks that are a thread's part.
const PART: usize = 256;

/// NormalFloat's sixteen values: quantiles of the normal distribution, scaled to ±1, with a zero
/// (appendix E).
pub const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// A weight in 4 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Nf4Matrix {
    inputs: usize,
    outputs: usize,
    /// Two a byte, the first in the upper half.
    codes: Vec<u8>,
    /// One a block.
    scales: Vec<u8>,
    /// One for [`GROUP`] blocks.
    groups: Vec<f32>,
    /// The mean of the blocks' scales.
    mean: f32,
}

impl Nf4Matrix {
    /// Rounds `rows`, `(N, K)`. Panics if they are not whole rows of `inputs` numbers.
    ///
    /// What is not finite becomes 0.
    pub fn of_rows(rows: &[f32], inputs: usize) -> Self {
        assert!(
            inputs > 0 && rows.len().is_multiple_of(inputs),
            "the rows are whole"
        );
        let finite = |x: f32| if x.is_finite() { x } else { 0.0 };
        let largest: Vec<f32> = rows
            .chunks(BLOCK)
            .map(|block| {
                block
                    .iter()
                    .fold(0f32, |most, x| most.max(finite(*x).abs()))
            })
            .collect();
        let sum: f64 = largest.iter().map(|x| f64::from(*x)).sum();
        let mean = (sum / largest.len().max(1) as f64) as f32;
        let code = Code::signed();
        let mut groups = Vec::with_capacity(largest.len().div_ceil(GROUP));
        let mut scales = Vec::with_capacity(largest.len());
        for group in largest.chunks(GROUP) {
            let most = group
                .iter()
                .fold(0f32, |most, x| most.max((x - mean).abs()));
            groups.push(most);
            let over = if most > 0.0 { most.recip() } else { 0.0 };
            scales.extend(group.iter().map(|x| code.nearest((x - mean) * over)));
        }
        let mut codes = vec![0; rows.len().div_ceil(2)];
        for ((block, codes), most) in rows
            .chunks(BLOCK)
            .zip(codes.chunks_mut(BLOCK / 2))
            .zip(&largest)
        {
            let over = if *most > 0.0 { most.recip() } else { 0.0 };
            for (pair, code) in block.chunks(2).zip(codes) {
                let upper = nearest(finite(pair[0]) * over);
                let lower = pair.get(1).map_or(7, |x| nearest(finite(*x) * over));
                *code = upper << 4 | lower;
            }
        }
        Self {
            inputs,
            outputs: rows.len() / inputs,
            codes,
            scales,
            groups,
            mean,
        }
    }

    /// Returns `K`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns `N`.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Returns its numbers, `(N, K)`.
    pub fn numbers(&self) -> Vec<f32> {
        let mut rows = vec![0.0; self.inputs * self.outputs];
        for (block, numbers) in rows.chunks_mut(BLOCK).enumerate() {
            self.widen(block, numbers);
        }
        rows
    }

    /// Sets `numbers` to those of one block.
    fn widen(&self, block: usize, numbers: &mut [f32]) {
        let scale = Code::signed().value(self.scales[block]) * self.groups[block / GROUP];
        let values = NF4.map(|value| value * (scale + self.mean));
        let codes = &self.codes[block * BLOCK / 2..];
        for (pair, code) in numbers.chunks_mut(2).zip(codes) {
            pair[0] = values[usize::from(code >> 4)];
            if let Some(second) = pair.get_mut(1) {
                *second = values[usize::from(code & 15)];
            }
        }
    }

    /// Returns how many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.codes.len() + self.scales.len() + size_of::<f32>() * self.groups.len()
    }

    /// Returns how many bytes a matrix of so many numbers holds.
    pub fn bytes_of(numbers: usize) -> usize {
        let scales = numbers.div_ceil(BLOCK);
        numbers.div_ceil(2) + scales + size_of::<f32>() * scales.div_ceil(GROUP)
    }
}

impl Kernels {
    /// Sets `rows`, `(N, K)`, to the numbers of `matrix`, shared by the team. Panics if
    /// they are not as many.
    pub fn widen_nf4(&self, team: &Team, matrix: &Nf4Matrix, rows: &mut [f32]) {
        let count = matrix.inputs * matrix.outputs;
        assert_eq!(rows.len(), count, "a number comes out for every code");
        // Whole blocks, but for the last part's last.
        team.chunks(rows, PART * BLOCK, &|part, rows| {
            for (block, numbers) in rows.chunks_mut(BLOCK).enumerate() {
                matrix.widen(part * PART + block, numbers);
            }
        });
    }
}

/// Returns the number of the value nearest to `x`.
fn nearest(x: f32) -> u8 {
    let above = NF4.partition_point(|value| *value < x);
    match above {
        0 => 0,
        16 => 15,
        above if x - NF4[above - 1] < NF4[above] - x => above as u8 - 1,
        above => above as u8,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;

    use super::*;
    use crate::sample::numbers;

    fn round_trip(rows: &[f32], inputs: usize) -> (Nf4Matrix, Vec<f32>) {
        let team = Team::new(NonZeroUsize::new(2).unwrap()).unwrap();
        let matrix = Nf4Matrix::of_rows(rows, inputs);
        let mut found = vec![0.0; rows.len()];
        Kernels::best().widen_nf4(&team, &matrix, &mut found);
        (matrix, found)
    }

    /// The values as appendix E has them: of the quantiles of the normal distribution
    /// between half a step from the ends, eight below zero and nine from it on, scaled.
    #[test]
    fn the_values_are_quantiles_of_the_normal_distribution() {
        // The quantile is found by halving; Φ by its continued fraction and series.
        let below = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= x * x / f64::from(2 * n + 1);
                sum += term;
            }
            0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
        };
        let quantile = |share: f64| {
            let (mut low, mut high) = (-4.0, 4.0);
            for _ in 0..80 {
                let middle = (low + high) / 2.0;
                if below(middle) < share {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            low
        };
        let offset = 0.967_708_3;
        let step = |at: usize, steps: usize| offset + (0.5 - offset) * at as f64 / steps as f64;
        let mut expect: Vec<f64> = (0..8).map(|at| quantile(step(at, 8))).collect();
        expect.extend((0..7).map(|at| -quantile(step(at, 7))));
        expect.push(0.0);
        let most = quantile(offset);
        let mut expect: Vec<f64> = expect.iter().map(|x| x / most).collect();
        expect.sort_by(f64::total_cmp);
        for (found, expect) in NF4.iter().zip(expect) {
            assert!(
                (f64::from(*found) - expect).abs() < 1e-6,
                "{found} is not {expect}"
            );
        }
    }

    #[test]
    fn blocks_of_one_size_come_back_whole() {
        // All sixteen values in each block; the scales are alike, so nothing is rounded.
        let rows: Vec<f32> = (0..64 * 9).map(|at| 0.25 * NF4[at * 7 % 16]).collect();
        let (matrix, found) = round_trip(&rows, 96);
        for (found, expect) in found.iter().zip(&rows) {
            assert!((found - expect).abs() < 1e-7, "{found} is not {expect}");
        }
        assert_eq!(matrix.bytes(), Nf4Matrix::bytes_of(rows.len()));
        assert_eq!((matrix.inputs(), matrix.outputs()), (96, 6));
    }

    #[test]
    fn what_is_no_number_is_zero() {
        let (_, found) = round_trip(&[f32::NAN, 1.0, f32::INFINITY, -1.0], 2);
        assert_eq!(found, [0.0, 1.0, 0.0, -1.0]);
        assert_eq!(round_trip(&[0.0; 70], 70).1, [0.0; 70]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// No number moves by more than half the widest gap between values, and what
        /// rounding its block's scale adds.
        #[test]
        fn numbers_stay_near(
            inputs in 1usize..150,
            outputs in 1usize..20,
            size in -10f32..10.0,
            seed in any::<u64>(),
        ) {
            let size = size.exp2();
            let rows: Vec<f32> = numbers(seed, inputs * outputs).iter().map(|x| x * size).collect();
            let (_, found) = round_trip(&rows, inputs);
            let most = rows.iter().fold(0f32, |most, x| most.max(x.abs()));
            for (block, found) in rows.chunks(BLOCK).zip(found.chunks(BLOCK)) {
                let scale = block.iter().fold(0f32, |most, x| most.max(x.abs()));
                for (x, found) in block.iter().zip(found) {
                    let room = 0.152 * scale + 0.04 * most;
                    prop_assert!((x - found).abs() <= room, "{found} is not {x}");
                }
            }
        }
    }
}
