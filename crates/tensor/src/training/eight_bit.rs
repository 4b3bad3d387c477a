//! AdamW whose two moments take a byte each (Dettmers et al. 2022, arXiv:2110.02861).
//!
//! Moments are cut into blocks, each scaled by its largest number, and rounded to a code
//! of 256 values that are close together near zero: *dynamic* codes, whose exponent takes
//! as many bits as it needs and leaves the others to the fraction (their §1.3 and
//! appendix B). A block's moments are widened, updated and rounded again while they are
//! near, so that no more than the codes and one scale a block is ever kept.

#![expect(unsafe_code, reason = "threads write to numbers of their own")]

use std::sync::OnceLock;

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

/// The 256 values of a code in order, and the middles between them.
struct Code {
    values: [f32; 256],
    middles: [f32; 255],
}

impl Code {
    /// The values of `create_dynamic_map`, the reference's code (bitsandbytes,
    /// `functional.py`): for each of seven exponents a decade smaller than the next, the
    /// middles of as many equal steps from 0.1 to 1 as there are bits left for the
    /// fraction; with a sign or without; 0 and 1.
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
        let middles = std::array::from_fn(|at| (values[at] + values[at + 1]) / 2.0);
        Self { values, middles }
    }

    fn signed() -> &'static Self {
        static CODE: OnceLock<Code> = OnceLock::new();
        CODE.get_or_init(|| Self::of(true))
    }

    fn unsigned() -> &'static Self {
        static CODE: OnceLock<Code> = OnceLock::new();
        CODE.get_or_init(|| Self::of(false))
    }

    /// Returns which value is nearest to `x`.
    fn nearest(&self, x: f32) -> u8 {
        let mut at = 0;
        // Eight halvings, without a branch.
        for step in [128, 64, 32, 16, 8, 4, 2, 1] {
            if x > self.middles[at + step - 1] {
                at += step;
            }
        }
        at as u8
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
        let codes = (Code::signed(), Code::unsigned());
        team.run(count.div_ceil(PART), &|part, _| {
            let from = part * PART;
            let here = PART.min(count - from);
            for block in (from..from + here).step_by(BLOCK) {
                let length = BLOCK.min(from + here - block);
                // SAFETY: each part has numbers of its own, and whole blocks of them.
                unsafe {
                    update_block(
                        &factors,
                        &gradients[block..block + length],
                        (
                            codes.0,
                            first.0.cut(block, length),
                            &mut first.1.cut(block / BLOCK, 1)[0],
                        ),
                        (
                            codes.1,
                            second.0.cut(block, length),
                            &mut second.1.cut(block / BLOCK, 1)[0],
                        ),
                        parameters.cut(block, length),
                    );
                }
            }
        });
    }
}

type Stored<'a> = (&'a Code, &'a mut [u8], &'a mut f32);

fn update_block(
    factors: &Factors,
    gradients: &[f32],
    first: Stored<'_>,
    second: Stored<'_>,
    parameters: &mut [f32],
) {
    let count = parameters.len();
    let (mut m, mut v) = ([0f32; BLOCK], [0f32; BLOCK]);
    for (to, (code, numbers, scale)) in [(&mut m, &first), (&mut v, &second)] {
        for (to, number) in to.iter_mut().zip(&**numbers) {
            *to = code.values[*number as usize] * **scale;
        }
    }
    for at in 0..count {
        factors.update(gradients[at], &mut m[at], &mut v[at], &mut parameters[at]);
    }
    for (from, (code, numbers, scale)) in [(&m, first), (&v, second)] {
        let most = from[..count].iter().fold(0f32, |most, x| most.max(x.abs()));
        *scale = most;
        let by = if most > 0.0 { 1.0 / most } else { 0.0 };
        for (number, x) in numbers.iter_mut().zip(from) {
            *number = code.nearest(x * by);
        }
    }
}
