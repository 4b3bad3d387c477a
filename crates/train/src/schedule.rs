//! How the learning rate changes over a run.

use serde::{Deserialize, Serialize};

/// The shape of the learning rate after its warm-up. The factor of step t (from 0) of N
/// multiplies the recipe's rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The rate stays.
    Constant {
        /// Steps over which it rises from 0.
        #[serde(default)]
        warmup: u64,
    },
    /// It falls in a straight line to 0 (transformers' `linear`).
    Linear {
        /// Steps over which it rises from 0.
        #[serde(default)]
        warmup: u64,
    },
    /// It falls along half a cosine wave (Loshchilov and Hutter 2017, equation 5).
    Cosine {
        /// Steps over which it rises from 0.
        #[serde(default)]
        warmup: u64,
        /// The share of the rate at which it ends. Default: 0.
        #[serde(default)]
        floor: f64,
    },
    /// It stays, and falls in a straight line over the last steps: warm-up, stable, decay
    /// (Hu et al. 2024, MiniCPM, §4).
    Wsd {
        /// Steps over which it rises from 0.
        #[serde(default)]
        warmup: u64,
        /// The share of all steps over which it falls. Default: 0.2.
        #[serde(default = "fifth")]
        decay: f64,
        /// The share of the rate at which it ends. Default: 0.
        #[serde(default)]
        floor: f64,
    },
}

fn fifth() -> f64 {
    0.2
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Linear { warmup: 0 }
    }
}

impl Schedule {
    /// Returns what the recipe's rate is multiplied with in step `step` (from 0) of `steps`,
    /// as transformers' `optimization.py` has it: during the warm-up step / warmup, so that the
    /// very first step learns nothing.
    pub fn factor(self, step: u64, steps: u64) -> f64 {
        let warmup = self.warmup();
        if step < warmup {
            return step as f64 / warmup as f64;
        }
        let rest = steps.saturating_sub(warmup).max(1) as f64;
        let done = ((step - warmup) as f64 / rest).min(1.0);
        match self {
            Self::Constant { .. } => 1.0,
            Self::Linear { .. } => 1.0 - done,
            Self::Cosine { floor, .. } => {
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
            Self::Wsd { decay, floor, .. } => {
                let falling = (decay * steps as f64).max(1.0);
                let left = steps.saturating_sub(step) as f64;
                floor + (1.0 - floor) * (left / falling).min(1.0)
            }
        }
    }

    fn warmup(self) -> u64 {
        match self {
            Self::Constant { warmup }
            | Self::Linear { warmup }
            | Self::Cosine { warmup, .. }
            | Self::Wsd { warmup, .. } => warmup,
        }
    }

    /// Returns what is wrong with the schedule, if anything is.
    pub(crate) fn fault(self) -> Option<(&'static str, f64, &'static str)> {
        let share = |key, value: f64| {
            (!(0.0..=1.0).contains(&value)).then_some((key, value, "a share from 0 to 1"))
        };
        match self {
            Self::Constant { .. } | Self::Linear { .. } => None,
            Self::Cosine { floor, .. } => share("schedule.floor", floor),
            Self::Wsd { decay, floor, .. } => {
                share("schedule.decay", decay).or(share("schedule.floor", floor))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: Schedule, steps: u64, expect: &[f64]) {
        for (step, expect) in (0..).zip(expect) {
            let found = schedule.factor(step, steps);
            assert!(
                (found - expect).abs() < 1e-12,
                "{schedule:?}, step {step}: {found}"
            );
        }
    }

    #[test]
    fn the_shapes_are_those_of_their_formulas() {
        check(
            Schedule::Constant { warmup: 4 },
            9,
            &[0.0, 0.25, 0.5, 0.75, 1.0, 1.0],
        );
        check(
            Schedule::Linear { warmup: 0 },
            4,
            &[1.0, 0.75, 0.5, 0.25, 0.0],
        );
        let half = std::f64::consts::FRAC_1_SQRT_2 / 2.0;
        let cosine = Schedule::Cosine {
            warmup: 1,
            floor: 0.0,
        };
        check(cosine, 5, &[0.0, 1.0, 0.5 + half, 0.5, 0.5 - half, 0.0]);
        let wsd = Schedule::Wsd {
            warmup: 1,
            decay: 0.5,
            floor: 0.2,
        };
        check(wsd, 8, &[0.0, 1.0, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2]);
    }

    #[test]
    fn a_warm_up_longer_than_the_run_only_rises() {
        check(Schedule::Linear { warmup: 10 }, 3, &[0.0, 0.1, 0.2]);
    }
}
