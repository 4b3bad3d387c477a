//! How long answers took.

use serde::{Deserialize, Serialize};

use crate::statistics::quantile;

/// Seconds from question to answer. Percentiles lie on straight lines between neighbours
/// (`numpy.percentile`'s default).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// On the mean.
    pub mean_seconds: f64,
    /// Half take less.
    pub p50_seconds: f64,
    /// 95 of 100 take less.
    pub p95_seconds: f64,
    /// 99 of 100 take less.
    pub p99_seconds: f64,
}

impl Latency {
    /// Summarises times. Nothing of none; what is no time is left out.
    pub fn new(seconds: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = seconds
            .iter()
            .copied()
            .filter(|it| it.is_finite() && *it >= 0.0)
            .collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Self {
            p50_seconds: quantile(&sorted, 0.5)?,
            p95_seconds: quantile(&sorted, 0.95)?,
            p99_seconds: quantile(&sorted, 0.99)?,
            mean_seconds: sorted.iter().sum::<f64>() / sorted.len() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_neighbours() {
        let seconds: Vec<f64> = (1..=101).rev().map(f64::from).collect();
        let found = Latency::new(&seconds).unwrap();
        assert_eq!(
            (
                found.mean_seconds,
                found.p50_seconds,
                found.p95_seconds,
                found.p99_seconds
            ),
            (51.0, 51.0, 96.0, 100.0)
        );
        assert_eq!(Latency::new(&[f64::NAN]), None);
    }
}
