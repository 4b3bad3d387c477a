//! Long rows of numbers: sums of squares, scaling, adding, and bfloat16.

#![expect(unsafe_code, reason = "loops compiled for each processor")]

use super::Loop;
use crate::half::{bf16_to_f32, f32_to_bf16};
use crate::simd::Kernels;
use crate::team::{Start, Team};

/// Numbers that are a thread's part.
const PART: usize = 1 << 14;
/// The most parts of a sum of squares.
const SUMS: usize = 256;

impl Kernels {
    /// Returns the sum of all squares, added up in `f64`, in an order that depends on the
    /// count alone: the square of a gradient's norm.
    pub fn squared_norm(&self, team: &Team, numbers: &[f32]) -> f64 {
        let each = numbers.len().div_ceil(SUMS).next_multiple_of(PART);
        let mut sums = [0.0; SUMS];
        let parts = numbers.len().div_ceil(each.max(1));
        team.chunks(&mut sums[..parts], 1, &|part, sum| {
            let numbers = &numbers[part * each..numbers.len().min((part + 1) * each)];
            // SAFETY: a table is only handed out where the processor has what its
            // functions need.
            unsafe {
                (self.training)(Loop::SquaredNorm(SquaredNorm {
                    numbers,
                    sum: &mut sum[0],
                }));
            }
        });
        sums[..parts].iter().sum()
    }

    /// Multiplies every one of `numbers` by `by`.
    pub fn scale_all(&self, team: &Team, numbers: &mut [f32], by: f32) {
        team.chunks(numbers, PART, &|_, numbers| {
            // SAFETY: the pointer is good for the chunk; else as above.
            unsafe { (self.scale)(numbers.as_mut_ptr(), numbers.len(), by) };
        });
    }

    /// Adds `by` times each of `from` to that of `to`. Panics if the lengths differ.
    pub fn add_all(&self, team: &Team, from: &[f32], to: &mut [f32], by: f32) {
        assert_eq!(from.len(), to.len(), "every number has one to be added to");
        team.chunks(to, PART, &|part, to| {
            let from = &from[part * PART..][..to.len()];
            // SAFETY: both are as long as the chunk; else as above.
            unsafe { (self.add_scaled)(to.as_mut_ptr(), from.as_ptr(), to.len(), by) };
        });
    }

    /// Adds the product of each number of `a` with that of `b` to that of `to`. Panics if
    /// the lengths differ.
    pub fn add_products(&self, team: &Team, a: &[f32], b: &[f32], to: &mut [f32]) {
        assert!(
            a.len() == to.len() && b.len() == to.len(),
            "every number has one to be added to"
        );
        team.chunks(to, PART, &|part, to| {
            let range = part * PART..part * PART + to.len();
            // SAFETY: as above.
            unsafe {
                (self.training)(Loop::AddProducts(AddProducts {
                    a: &a[range.clone()],
                    b: &b[range],
                    to,
                }));
            }
        });
    }

    /// Sets `to` to the bfloat16 numbers `from`. Panics if the lengths differ.
    pub fn widen_bf16(&self, team: &Team, from: &[u16], to: &mut [f32]) {
        assert_eq!(from.len(), to.len(), "a number comes out for every number");
        team.chunks(to, PART, &|part, to| {
            let from = &from[part * PART..][..to.len()];
            // SAFETY: as above.
            unsafe { (self.training)(Loop::Widen(Widen { from, to })) };
        });
    }

    /// Sets `to` to the bfloat16 numbers nearest to `from`, ties to even. Panics if the
    /// lengths differ.
    pub fn narrow_bf16(&self, team: &Team, from: &[f32], to: &mut [u16]) {
        assert_eq!(from.len(), to.len(), "a number comes out for every number");
        let count = to.len();
        let to = Start(to.as_mut_ptr());
        team.run(count.div_ceil(PART), &|part, _| {
            let first = part * PART;
            let here = PART.min(count - first);
            // SAFETY: each part has numbers of its own; else as above.
            unsafe {
                (self.training)(Loop::Narrow(Narrow {
                    from: &from[first..first + here],
                    to: to.cut(first, here),
                }));
            }
        });
    }
}

pub(crate) struct SquaredNorm<'a> {
    numbers: &'a [f32],
    sum: &'a mut f64,
}

impl SquaredNorm<'_> {
    #[inline(always)]
    pub(super) fn run(self) {
        const LANES: usize = 32;
        let mut sums = [0f64; LANES];
        let mut chunks = self.numbers.chunks_exact(LANES);
        for chunk in &mut chunks {
            for lane in 0..LANES {
                let x = f64::from(chunk[lane]);
                sums[lane] += x * x;
            }
        }
        let rest: f64 = chunks
            .remainder()
            .iter()
            .map(|x| f64::from(*x).powi(2))
            .sum();
        *self.sum = sums.iter().sum::<f64>() + rest;
    }
}

pub(crate) struct AddProducts<'a> {
    a: &'a [f32],
    b: &'a [f32],
    to: &'a mut [f32],
}

impl AddProducts<'_> {
    #[inline(always)]
    pub(super) fn run(self) {
        for ((to, a), b) in self.to.iter_mut().zip(self.a).zip(self.b) {
            *to += a * b;
        }
    }
}

pub(crate) struct Widen<'a> {
    from: &'a [u16],
    to: &'a mut [f32],
}

impl Widen<'_> {
    #[inline(always)]
    pub(super) fn run(self) {
        for (to, from) in self.to.iter_mut().zip(self.from) {
            *to = bf16_to_f32(*from);
        }
    }
}

pub(crate) struct Narrow<'a> {
    from: &'a [f32],
    to: &'a mut [u16],
}

impl Narrow<'_> {
    #[inline(always)]
    pub(super) fn run(self) {
        for (to, from) in self.to.iter_mut().zip(self.from) {
            *to = f32_to_bf16(*from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::check::{team, wide};

    #[test]
    fn squares_are_added_exactly_and_by_any_team_the_same() {
        for count in [0, 1, 31, 32, PART + 1, 3 * PART + 77, 300 * PART + 5] {
            let numbers = numbers(count as u64, count);
            let expect: f64 = wide(&numbers).iter().map(|x| x * x).sum();
            for version in Kernels::available() {
                let found = version.squared_norm(&team(1), &numbers);
                assert!(
                    (found - expect).abs() <= 1e-11 * expect.max(1.0),
                    "{count}: {found} is not {expect}"
                );
                assert_eq!(
                    found.to_bits(),
                    version.squared_norm(&team(3), &numbers).to_bits()
                );
            }
        }
    }

    #[test]
    fn each_is_its_formula() {
        let count = PART + 33;
        let (a, b, to) = (numbers(1, count), numbers(2, count), numbers(3, count));
        let team = team(2);
        let expect = |of: &dyn Fn(f64, f64, f64) -> f64| -> Vec<f64> {
            (0..count)
                .map(|i| of(f64::from(a[i]), f64::from(b[i]), f64::from(to[i])))
                .collect()
        };
        for version in Kernels::available() {
            let mut found = to.clone();
            version.add_all(&team, &a, &mut found, 0.5);
            assert_near(
                &found,
                &expect(&|a, _, to| to + 0.5 * a),
                1e-6,
                version.name,
            );
            let mut found = to.clone();
            version.add_products(&team, &a, &b, &mut found);
            assert_near(&found, &expect(&|a, b, to| to + a * b), 1e-6, version.name);
            let mut found = to.clone();
            version.scale_all(&team, &mut found, -3.0);
            assert_near(&found, &expect(&|_, _, to| -3.0 * to), 1e-6, version.name);
        }
    }

    #[test]
    fn bfloats_are_those_of_one_number() {
        let count = PART + 33;
        let mut from = numbers(1, count);
        from[..4].copy_from_slice(&[f32::NAN, f32::INFINITY, -0.0, 1e-40]);
        let team = team(2);
        for version in Kernels::available() {
            let mut narrow = vec![7; count];
            version.narrow_bf16(&team, &from, &mut narrow);
            let expect: Vec<u16> = from.iter().map(|x| f32_to_bf16(*x)).collect();
            assert_eq!(narrow, expect, "{}", version.name);
            let mut back = vec![0.0; count];
            version.widen_bf16(&team, &narrow, &mut back);
            let same = back
                .iter()
                .zip(&narrow)
                .all(|(x, bits)| x.to_bits() == u32::from(*bits) << 16);
            assert!(same, "{}", version.name);
        }
    }
}
