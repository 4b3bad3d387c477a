//! Watches a run: sudden rises of the loss, and learning by heart.

use serde::{Deserialize, Serialize};

/// Steps before a rise can be told from chance.
const LEAST_STEPS: u64 = 20;

/// How many of the last steps count, roughly.
const MEMORY: f64 = 50.0;

/// How many standard deviations above the mean a rise is sudden. Losses of small batches are
/// not normally distributed, so it is far out.
const DEVIATIONS: f64 = 8.0;

/// A rise by less than this share of the mean is none, however still the loss lay before.
const LEAST_RISE: f64 = 0.5;

/// The running mean and variance of a run's losses (exponentially weighted, West 1979).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Level {
    #[serde(with = "crate::checkpoint::bits")]
    mean: f64,
    #[serde(with = "crate::checkpoint::bits")]
    variance: f64,
    steps: u64,
}

impl Level {
    /// Takes a step's loss. Returns the mean before it if it rose suddenly; it is then left
    /// out of the mean.
    pub(crate) fn take(&mut self, loss: f64) -> Option<f64> {
        let above = loss - self.mean;
        let sudden = self.steps >= LEAST_STEPS
            && above > DEVIATIONS * self.variance.sqrt()
            && above > LEAST_RISE * self.mean.abs();
        if sudden {
            return Some(self.mean);
        }
        self.steps += 1;
        let weight = 1.0 / (self.steps as f64).min(MEMORY);
        self.variance = (1.0 - weight) * (self.variance + weight * above * above);
        self.mean += weight * above;
        None
    }
}

impl Level {
    /// Returns the mean.
    pub(crate) fn mean(&self) -> f64 {
        self.mean
    }
}

/// Examinations in a row that must have brought a higher loss than the best, with a gap that
/// grew each time, before it is called overfitting.
const WORSE: u32 = 2;

/// Compares what is learnt with what is examined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gap {
    #[serde(with = "crate::checkpoint::bits")]
    last: f64,
    grown: u32,
}

impl Gap {
    /// Takes the mean training loss since the last examination, and what the examination
    /// found; `best` is the lowest loss of those before. Returns whether this is where
    /// learning by heart has begun: once, until it ends.
    pub(crate) fn take(&mut self, training: f64, examined: f64, best: Option<f64>) -> bool {
        let gap = examined - training;
        let worse = best.is_some_and(|best| examined > best) && gap > self.last;
        self.last = gap;
        self.grown = if worse { self.grown + 1 } else { 0 };
        self.grown == WORSE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses around `level`, as small batches give them.
    fn noisy(steps: u64, level: impl Fn(f64) -> f64) -> impl Iterator<Item = f64> {
        (0..steps).map(move |step| {
            let noise = (crate::order::mix(step) >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
            level(step as f64) + noise
        })
    }

    #[test]
    fn a_falling_or_slowly_rising_loss_is_no_spike() {
        for level in [
            |step: f64| 2.0 + 3.0 * (-step / 30.0).exp(),
            |step: f64| 2.0 + step * 0.01,
        ] {
            let mut watch = Level::default();
            assert!(noisy(2000, level).all(|loss| watch.take(loss).is_none()));
        }
    }

    #[test]
    fn a_sudden_rise_is_one() {
        let mut watch = Level::default();
        assert!(noisy(200, |_| 2.0).all(|loss| watch.take(loss).is_none()));
        let mean = watch.take(7.0).expect("it rose");
        assert!((mean - 2.0).abs() < 0.2, "{mean}");
        assert!(watch.take(2.1).is_none());
    }

    #[test]
    fn a_growing_gap_is_told_once() {
        let mut gap = Gap::default();
        let examinations = [
            (2.0, 2.1, None),
            (1.8, 2.0, Some(2.1)),
            (1.5, 2.05, Some(2.0)),
            (1.2, 2.15, Some(2.0)),
            (1.0, 2.3, Some(2.0)),
        ];
        let told: Vec<bool> = examinations
            .iter()
            .map(|(training, examined, best)| gap.take(*training, *examined, *best))
            .collect();
        assert_eq!(told, [false, false, false, true, false]);
    }

    #[test]
    fn a_loss_that_still_falls_is_not_overfitting() {
        let mut gap = Gap::default();
        for step in 1..20 {
            let training = 2.0 / f64::from(step);
            let examined = 2.0 - 0.01 * f64::from(step);
            assert!(!gap.take(training, examined, Some(examined + 0.01)));
        }
    }
}
