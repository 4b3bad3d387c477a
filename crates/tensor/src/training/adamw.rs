//! AdamW (Loshchilov and Hutter 2019), exactly as `torch.optim.AdamW` has it.

#![expect(unsafe_code, reason = "threads write to numbers of their own")]

use super::Loop;
use crate::simd::Kernels;
use crate::team::{Start, Team};

/// One step of AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// How far a step goes.
    pub learning_rate: f64,
    /// What is kept of the first and of the second moment at each step.
    pub betas: (f64, f64),
    /// Keeps the divisor away from zero; added to the root.
    pub epsilon: f64,
    /// What each parameter loses at a step, times the learning rate (decoupled).
    pub weight_decay: f64,
    /// The number of this step; the first is 1.
    pub step: u64,
}

/// Numbers that are a thread's part: a multiple of the blocks of 8-bit moments.
pub(super) const PART: usize = 1 << 14;

impl AdamW {
    /// The factors of a step, computed in `f64` as Python does.
    pub(super) fn factors(&self, gradient_scale: f32) -> Factors {
        assert!(self.step > 0, "the first step is number 1");
        let power = self.step.min(i32::MAX as u64) as i32;
        let (first, second) = self.betas;
        let corrections = (1.0 - first.powi(power), 1.0 - second.powi(power));
        Factors {
            gradient_scale,
            keep: (1.0 - self.learning_rate * self.weight_decay) as f32,
            first: (1.0 - first) as f32,
            second: (second as f32, (1.0 - second) as f32),
            root: corrections.1.sqrt() as f32,
            epsilon: self.epsilon as f32,
            step: (self.learning_rate / corrections.0) as f32,
        }
    }
}

/// What a parameter's update is made of.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    pub(super) gradient_scale: f32,
    keep: f32,
    first: f32,
    second: (f32, f32),
    root: f32,
    epsilon: f32,
    step: f32,
}

impl Factors {
    /// Updates one parameter and its moments. No fused additions, so that every
    /// processor computes the same numbers.
    #[inline(always)]
    pub(super) fn update(
        &self,
        gradient: f32,
        first: &mut f32,
        second: &mut f32,
        parameter: &mut f32,
    ) {
        let gradient = gradient * self.gradient_scale;
        *first += (gradient - *first) * self.first;
        *second = *second * self.second.0 + gradient * gradient * self.second.1;
        let divisor = second.sqrt() / self.root + self.epsilon;
        *parameter = *parameter * self.keep - self.step * (*first / divisor);
    }
}

impl Kernels {
    /// Takes one step: with `g` the gradient times `gradient_scale`,
    /// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²` and
    /// `θ ← θ (1 − ηλ) − η m̂ / (√v̂ + ε)`, where the hats divide by `1 − βᵗ`. All slices are
    /// of one length; the moments start from zeros. Panics if the lengths differ or the
    /// step is number 0.
    #[expect(clippy::too_many_arguments, reason = "four slices of one length")]
    pub fn adamw(
        &self,
        team: &Team,
        step: &AdamW,
        gradient_scale: f32,
        gradients: &[f32],
        first: &mut [f32],
        second: &mut [f32],
        parameters: &mut [f32],
    ) {
        let count = parameters.len();
        assert!(
            [gradients.len(), first.len(), second.len()] == [count; 3],
            "every parameter has a gradient and two moments"
        );
        let factors = step.factors(gradient_scale);
        let (first, second, parameters) = (
            Start(first.as_mut_ptr()),
            Start(second.as_mut_ptr()),
            Start(parameters.as_mut_ptr()),
        );
        team.run(count.div_ceil(PART), &|part, _| {
            let from = part * PART;
            let here = PART.min(count - from);
            // SAFETY: each part has numbers of its own; a table is only handed out where
            // the processor has what its functions need.
            unsafe {
                (self.training)(Loop::AdamW(Update {
                    factors,
                    gradients: &gradients[from..from + here],
                    first: first.cut(from, here),
                    second: second.cut(from, here),
                    parameters: parameters.cut(from, here),
                }));
            }
        });
    }
}

pub(crate) struct Update<'a> {
    factors: Factors,
    gradients: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    parameters: &'a mut [f32],
}

impl Update<'_> {
    #[inline(always)]
    pub(super) fn run(self) {
        let count = self.parameters.len();
        let (gradients, first, second) = (
            &self.gradients[..count],
            &mut self.first[..count],
            &mut self.second[..count],
        );
        for at in 0..count {
            self.factors.update(
                gradients[at],
                &mut first[at],
                &mut second[at],
                &mut self.parameters[at],
            );
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::check::{team, wide};

    // As in `make_adamw.py`.
    pub(crate) const COUNT: usize = 520;
    pub(crate) const STEPS: u64 = 10;
    pub(crate) const SETTINGS: AdamW = AdamW {
        learning_rate: 1e-2,
        betas: (0.9, 0.99),
        epsilon: 1e-8,
        weight_decay: 0.1,
        step: 0,
    };

    pub(crate) fn gradients(step: u64) -> Vec<f32> {
        let size = |at: usize| [1.0, 1e-3, 30.0][at / 256];
        numbers(step, COUNT)
            .iter()
            .enumerate()
            .map(|(at, x)| x * size(at))
            .collect()
    }

    pub(crate) fn made(bytes: &[u8]) -> Vec<f32> {
        bytes
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect()
    }

    fn run(kernels: &Kernels, threads: usize, gradient_scale: f32) -> Vec<f32> {
        let (mut first, mut second) = (vec![0.0; COUNT], vec![0.0; COUNT]);
        let mut parameters = numbers(0, COUNT);
        for step in 1..=STEPS {
            let step = AdamW { step, ..SETTINGS };
            let gradients: Vec<f32> = gradients(step.step)
                .iter()
                .map(|x| x / gradient_scale)
                .collect();
            kernels.adamw(
                &team(threads),
                &step,
                gradient_scale,
                &gradients,
                &mut first,
                &mut second,
                &mut parameters,
            );
        }
        parameters
    }

    /// See `make_adamw.py`.
    #[test]
    fn ten_steps_are_the_references() {
        let expect = made(include_bytes!("../../tests/data/adamw.f32"));
        for version in Kernels::available() {
            assert_near(&run(version, 2, 1.0), &wide(&expect), 1e-6, version.name);
        }
    }

    #[test]
    fn every_processor_and_team_take_the_same_step() {
        let expect = run(Kernels::available()[0], 1, 1.0);
        for version in Kernels::available() {
            assert_eq!(run(version, 3, 1.0), expect, "{}", version.name);
        }
    }

    #[test]
    fn the_gradient_is_scaled_first() {
        assert_eq!(run(Kernels::best(), 1, 0.25), run(Kernels::best(), 1, 1.0));
    }
}
