//! AdamW whose two moments take a byte each (Dettmers et al. 2022, arXiv:2110.02861).
//!
//! Moments are cut into blocks, each scaled by its largest number, and rounded to a code
//! of 256 values that are close together near zero: *dynamic* codes, whose exponent takes
//! as many bits as it needs and leaves the others to the fraction (their §1.3 and
//! appendix B). A block's moments are widened, updated and rounded again while they are
//! near, so that no more than the codes and one scale a block is ever kept.

#![expect(unsafe_code, reason = "threads write to numbers of their own")]

use std::sync::OnceLock;

use super::Loop;
use super::adamw::{AdamW, Factors, PART};
use crate::simd::Kernels;
use crate::team::{Start, Team};

/// Numbers that share a scale.
pub(crate) const BLOCK: usize = 256;

/// Both moments of some parameters, in 8 bits each.
#[derive(Clone, Debug, PartialEq)]
pub struct EightBitMoments {
    count: usize,
    first: Moment,
    second: Moment,
}

/// One moment: a code a number, a scale a block.
#[derive(Clone, Debug, PartialEq)]
struct Moment {
    codes: Vec<u8>,
    scales: Vec<f32>,
}

/// The 256 values of a code in order, and what finds the nearest.
pub(super) struct Code {
    values: [f32; 256],
    signed: bool,
    /// The middles between values, from each to the next; the last is endless.
    middles: [f32; 256],
    /// For the upper bits of a number that is not negative, the value nearest to the
    /// smallest number that has them. There is at most one middle among those that do.
    starts: [u8; BINS],
}

/// Bits of a number's fraction that are looked up.
const FRACTION: u32 = 7;
/// The upper bits of 2⁻²⁴, which is far below the middle between zero and the least value.
const LEAST: u32 = (127 - 24) << FRACTION;
/// Up to the upper bits of 1.
const BINS: usize = (24 << FRACTION) + 1;

impl Code {
    /// The values of the reference's code (`create_dynamic_map` of bitsandbytes): in each
    /// of seven decades the middles of equal steps, twice as many as in the decade below;
    /// with a sign or without; 0 and 1.
    fn of(signed: bool) -> Self {
        const DECADES: i32 = 7;
        let mut values = vec![0.0, 1.0];
        for decade in 0..DECADES {
            let steps = 1usize << if signed { decade } else { decade + 1 };
            for j in 0..steps {
                let middle = 0.1 + 0.9 * (j as f64 + 0.5) / steps as f64;
                let value = (middle * 10f64.powi(decade + 1 - DECADES)) as f32;
                values.push(value);
                if signed {
                    values.push(-value);
                }
            }
        }
        values.sort_by(f32::total_cmp);
        let values: [f32; 256] = values.try_into().expect("a byte has 256 values");
        let middles = std::array::from_fn(|at| match values.get(at + 1) {
            Some(next) => (values[at] + next) / 2.0,
            None => f32::INFINITY,
        });
        let starts = std::array::from_fn(|bin| {
            let least = f32::from_bits((LEAST + bin as u32) << (23 - FRACTION));
            // All numbers below the first bin's are in it.
            let least = if bin == 0 { 0.0 } else { least };
            let at = middles.iter().position(|middle| least <= *middle);
            at.expect("the last middle is endless") as u8
        });
        Self {
            values,
            signed,
            middles,
            starts,
        }
    }

    pub(super) fn signed() -> &'static Self {
        static CODE: OnceLock<Code> = OnceLock::new();
        CODE.get_or_init(|| Self::of(true))
    }

    fn unsigned() -> &'static Self {
        static CODE: OnceLock<Code> = OnceLock::new();
        CODE.get_or_init(|| Self::of(false))
    }

    /// Returns what a byte stands for.
    pub(super) fn value(&self, byte: u8) -> f32 {
        self.values[usize::from(byte)]
    }

    /// Returns which value is nearest to `x`, between −1 and 1.
    #[inline(always)]
    pub(super) fn nearest(&self, x: f32) -> u8 {
        let size = x.abs();
        let bin = (size.to_bits() >> (23 - FRACTION)).saturating_sub(LEAST);
        let at = self.starts[(bin as usize).min(BINS - 1)];
        let at = at + u8::from(size > self.middles[usize::from(at)]);
        // Zero is value 127 of those with a sign, and of 1 there is no opposite.
        if self.signed && x < 0.0 {
            254 - at.min(254)
        } else {
            at
        }
    }
}

impl Moment {
    fn zeros(count: usize, code: &Code) -> Self {
        Self {
            codes: vec![code.nearest(0.0); count],
            scales: vec![0.0; count.div_ceil(BLOCK)],
        }
    }
}

impl EightBitMoments {
    /// Returns the moments of `count` parameters before the first step.
    pub fn zeros(count: usize) -> Self {
        Self {
            count,
            first: Moment::zeros(count, Code::signed()),
            second: Moment::zeros(count, Code::unsigned()),
        }
    }

    /// Returns how many parameters they are of.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether they are of none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns how many bytes they take.
    pub fn bytes(&self) -> usize {
        2 * (self.count + size_of_val(&self.first.scales[..]))
    }

    /// Appends all that [`Self::restore`] needs, [`Self::bytes`] of them.
    pub fn save(&self, to: &mut Vec<u8>) {
        for moment in [&self.first, &self.second] {
            to.extend_from_slice(&moment.codes);
            for scale in &moment.scales {
                to.extend_from_slice(&scale.to_le_bytes());
            }
        }
    }

    /// Takes what [`Self::save`] wrote of as many parameters; nothing if it is of another
    /// length or a scale is no number that a moment's can be.
    pub fn restore(count: usize, from: &[u8]) -> Option<Self> {
        let blocks = count.div_ceil(BLOCK);
        let each = count.checked_add(blocks.checked_mul(size_of::<f32>())?)?;
        if from.len() != each.checked_mul(2)? {
            return None;
        }
        let moment = |bytes: &[u8]| {
            let (codes, scales) = bytes.split_at(count);
            let scales: Vec<f32> = scales
                .chunks_exact(size_of::<f32>())
                .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("a chunk of four")))
                .collect();
            let valid = scales
                .iter()
                .all(|scale| *scale >= 0.0 && scale.is_finite());
            valid.then(|| Moment {
                codes: codes.to_vec(),
                scales,
            })
        };
        let (first, second) = from.split_at(each);
        Some(Self {
            count,
            first: moment(first)?,
            second: moment(second)?,
        })
    }

    /// Sets `first` and `second` to the moments, widened. Panics if the lengths differ.
    pub fn widen(&self, first: &mut [f32], second: &mut [f32]) {
        for (moment, code, to) in [
            (&self.first, Code::signed(), first),
            (&self.second, Code::unsigned(), second),
        ] {
            assert_eq!(to.len(), self.count, "there is place for every moment");
            for (at, (to, number)) in to.iter_mut().zip(&moment.codes).enumerate() {
                *to = code.values[*number as usize] * moment.scales[at / BLOCK];
            }
        }
    }
}

impl Kernels {
    /// Takes one step as [`Self::adamw`] does, with moments of 8 bits. Panics if the lengths
    /// differ or the step is number 0.
    pub fn adamw_in_8_bits(
        &self,
        team: &Team,
        step: &AdamW,
        gradient_scale: f32,
        gradients: &[f32],
        moments: &mut EightBitMoments,
        parameters: &mut [f32],
    ) {
        let count = parameters.len();
        assert!(
            gradients.len() == count && moments.count == count,
            "every parameter has a gradient and two moments"
        );
        let factors = step.factors(gradient_scale);
        let parameters = Start(parameters.as_mut_ptr());
        let [first, second] = [&mut moments.first, &mut moments.second].map(|moment| {
            (
                Start(moment.codes.as_mut_ptr()),
                Start(moment.scales.as_mut_ptr()),
            )
        });
        team.run(count.div_ceil(PART), &|part, _| {
            let from = part * PART;
            let here = PART.min(count - from);
            // SAFETY: each part has numbers of its own, and whole blocks of them; a table
            // is only handed out where the processor has what its functions need.
            unsafe {
                let blocks = (from / BLOCK, here.div_ceil(BLOCK));
                (self.training)(Loop::AdamWIn8Bits(Update {
                    factors,
                    gradients: &gradients[from..from + here],
                    first: Stored {
                        code: Code::signed(),
                        codes: first.0.cut(from, here),
                        scales: first.1.cut(blocks.0, blocks.1),
                    },
                    second: Stored {
                        code: Code::unsigned(),
                        codes: second.0.cut(from, here),
                        scales: second.1.cut(blocks.0, blocks.1),
                    },
                    parameters: parameters.cut(from, here),
                }));
            }
        });
    }
}

/// A part of one moment.
struct Stored<'a> {
    code: &'static Code,
    codes: &'a mut [u8],
    scales: &'a mut [f32],
}

impl Stored<'_> {
    fn range(&self, block: usize) -> std::ops::Range<usize> {
        block * BLOCK..self.codes.len().min((block + 1) * BLOCK)
    }

    #[inline(always)]
    fn widen(&self, block: usize, to: &mut [f32; BLOCK]) {
        let scale = self.scales[block];
        for (to, code) in to.iter_mut().zip(&self.codes[self.range(block)]) {
            *to = self.code.values[usize::from(*code)] * scale;
        }
    }

    #[inline(always)]
    fn narrow(&mut self, block: usize, from: &[f32; BLOCK]) {
        let codes = self.range(block);
        let most = from[..codes.len()]
            .iter()
            .fold(0f32, |most, x| most.max(x.abs()));
        self.scales[block] = most;
        let by = if most > 0.0 { 1.0 / most } else { 0.0 };
        for (code, x) in self.codes[codes].iter_mut().zip(from) {
            *code = self.code.nearest(x * by);
        }
    }
}

pub(crate) struct Update<'a> {
    factors: Factors,
    gradients: &'a [f32],
    first: Stored<'a>,
    second: Stored<'a>,
    parameters: &'a mut [f32],
}

impl Update<'_> {
    #[inline(always)]
    pub(super) fn run(mut self) {
        let blocks = self
            .gradients
            .chunks(BLOCK)
            .zip(self.parameters.chunks_mut(BLOCK))
            .enumerate();
        for (block, (gradients, parameters)) in blocks {
            let (mut m, mut v) = ([0f32; BLOCK], [0f32; BLOCK]);
            self.first.widen(block, &mut m);
            self.second.widen(block, &mut v);
            let moments = m.iter_mut().zip(&mut v);
            for ((parameter, gradient), (m, v)) in parameters.iter_mut().zip(gradients).zip(moments)
            {
                self.factors.update(*gradient, m, v, parameter);
            }
            self.first.narrow(block, &m);
            self.second.narrow(block, &v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::adamw::tests::{COUNT, SETTINGS, STEPS, gradients, made};
    use crate::training::check::{team, wide};

    /// See `make_adamw.py`.
    #[test]
    fn the_codes_are_the_references() {
        let expect = made(include_bytes!("../../tests/data/dynamic_code.f32"));
        for (code, expect) in [Code::signed(), Code::unsigned()]
            .into_iter()
            .zip(expect.chunks(256))
        {
            for (value, expect) in code.values.iter().zip(expect) {
                assert!(
                    (value - expect).abs() <= 2e-7 * expect.abs(),
                    "{value} is not {expect}"
                );
            }
        }
    }

    #[test]
    fn the_nearest_value_is_found() {
        let mut places = numbers(1, 100_000);
        places.extend(numbers(2, 100_000).iter().map(|x| x.powi(9)));
        places.extend([0.0, -0.0, 1.0, -1.0, 1e-30, -1e-8]);
        for code in [Code::signed(), Code::unsigned()] {
            places.extend(
                code.middles[..255]
                    .iter()
                    .flat_map(|middle| [middle.next_down(), *middle, middle.next_up()]),
            );
            for x in &places {
                let x = if code.signed { *x } else { x.abs() };
                let off = |value: f32| (f64::from(value) - f64::from(x)).abs();
                let found = off(code.values[usize::from(code.nearest(x))]);
                let least = code
                    .values
                    .iter()
                    .map(|value| off(*value))
                    .fold(9.0, f64::min);
                // At a middle, rounded, either side will do.
                assert!(found <= least + 5e-7 * f64::from(x.abs()), "{x}");
            }
        }
    }

    #[test]
    fn whatever_a_number_is_it_has_a_code() {
        for code in [Code::signed(), Code::unsigned()] {
            for x in [
                f32::NAN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                2.0,
                -2.0,
                f32::MAX,
            ] {
                let _some = code.nearest(x);
            }
        }
    }

    /// See `make_adamw.py`.
    #[test]
    fn ten_steps_are_the_references() {
        let expect = made(include_bytes!("../../tests/data/adamw_8_bits.f32"));
        for version in Kernels::available() {
            let mut moments = EightBitMoments::zeros(COUNT);
            let mut parameters = numbers(0, COUNT);
            for step in 1..=STEPS {
                let step = AdamW { step, ..SETTINGS };
                version.adamw_in_8_bits(
                    &team(2),
                    &step,
                    1.0,
                    &gradients(step.step),
                    &mut moments,
                    &mut parameters,
                );
            }
            assert_near(&parameters, &wide(&expect), 1e-6, version.name);
        }
    }

    #[test]
    fn moments_come_back() {
        let mut moments = EightBitMoments::zeros(COUNT);
        let mut parameters = numbers(0, COUNT);
        let step = AdamW {
            step: 1,
            ..SETTINGS
        };
        Kernels::best().adamw_in_8_bits(
            &team(1),
            &step,
            0.5,
            &gradients(1),
            &mut moments,
            &mut parameters,
        );
        let mut saved = Vec::new();
        moments.save(&mut saved);
        assert_eq!(saved.len(), moments.bytes());
        assert_eq!(EightBitMoments::restore(COUNT, &saved), Some(moments));
        assert_eq!(EightBitMoments::restore(COUNT, &saved[1..]), None);
        assert_eq!(EightBitMoments::restore(COUNT + 1, &saved), None);
        assert_eq!(EightBitMoments::restore(usize::MAX, &saved), None);
        let last = saved.len() - 4;
        saved[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(EightBitMoments::restore(COUNT, &saved), None);
    }

    /// How far 8 bits go from 32 on the way to a minimum, with noise as large as the
    /// gradient: a twentieth of what the parameters have moved.
    #[test]
    fn a_longer_run_stays_near_that_of_32_bits() {
        let (kernels, team) = (Kernels::best(), team(1));
        let mut moments = EightBitMoments::zeros(COUNT);
        let (mut first, mut second) = (vec![0.0; COUNT], vec![0.0; COUNT]);
        let (mut of_32, mut of_8) = (numbers(0, COUNT), numbers(0, COUNT));
        for step in 1..=300 {
            let step = AdamW { step, ..SETTINGS };
            // Gradients towards a target, with noise.
            let noise = numbers(step.step, COUNT);
            let of = |at: &[f32]| -> Vec<f32> {
                at.iter()
                    .zip(&noise)
                    .enumerate()
                    .map(|(i, (x, n))| x - (i % 7) as f32 + n)
                    .collect()
            };
            let gradients = of(&of_32);
            kernels.adamw(
                &team,
                &step,
                1.0,
                &gradients,
                &mut first,
                &mut second,
                &mut of_32,
            );
            let gradients = of(&of_8);
            kernels.adamw_in_8_bits(&team, &step, 1.0, &gradients, &mut moments, &mut of_8);
        }
        let start = numbers(0, COUNT);
        let distance = |a: &[f32], b: &[f32]| -> f64 {
            wide(a)
                .iter()
                .zip(wide(b))
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        let (apart, moved) = (distance(&of_8, &of_32), distance(&of_32, &start));
        assert!(apart < 0.05 * moved, "{apart} of {moved}");
    }
}
