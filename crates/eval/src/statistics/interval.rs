//! Intervals: where the truth lies, so often as the level says.

use serde::{Deserialize, Serialize};

use super::distribution::{normal_cdf, normal_quantile};

/// Where a figure lies, at some level. In JSON `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl From<[f64; 2]> for Interval {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

impl Interval {
    /// Returns whether `value` is within it, its ends included.
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Returns how wide it is to either side, on the mean.
    pub fn half_width(self) -> f64 {
        0.5 * (self.high - self.low)
    }
}

/// Returns the value below which a share `p` of `sorted` lies, straight lines between
/// neighbours: `numpy.percentile`'s default, type 7 of Hyndman and Fan 1996. Nothing of
/// nothing.
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = p.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    let part = place - below as f64;
    Some(sorted[below] + part * (sorted[above] - sorted[below]))
}

/// Returns the percentile interval of a bootstrap distribution (Efron and Tibshirani 1993,
/// §13.3). Nothing of nothing.
pub fn percentile_interval(sorted: &[f64], level: f64) -> Option<Interval> {
    let tail = 0.5 * (1.0 - level);
    Some(Interval {
        low: quantile(sorted, tail)?,
        high: quantile(sorted, 1.0 - tail)?,
    })
}

/// Returns the bias-corrected and accelerated interval (Efron 1987; as
/// `scipy.stats.bootstrap(method="BCa")`) of a sorted bootstrap distribution, from the estimate
/// and the estimates with each observation left out. Where it is not defined (no spread, or
/// the estimate outside of all resamples) it is the percentile interval.
pub fn bca_interval(
    sorted: &[f64],
    estimate: f64,
    left_out: &[f64],
    level: f64,
) -> Option<Interval> {
    let all = sorted.len() as f64;
    let below = sorted.partition_point(|value| *value < estimate) as f64;
    let equal = sorted.partition_point(|value| *value <= estimate) as f64 - below;
    let share = (below + 0.5 * equal) / all;
    let plain = percentile_interval(sorted, level)?;
    if !(share > 0.0 && share < 1.0) || left_out.is_empty() {
        return Some(plain);
    }
    let bias = normal_quantile(share);
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in left_out {
        let off = mean - value;
        squares += off * off;
        cubes += off * off * off;
    }
    let acceleration = match squares > 0.0 {
        true => cubes / (6.0 * squares.powf(1.5)),
        false => return Some(plain),
    };
    let tail = normal_quantile(0.5 * (1.0 - level));
    let end = |z: f64| {
        let moved = bias + z;
        quantile(
            sorted,
            normal_cdf(bias + moved / (1.0 - acceleration * moved)),
        )
    };
    Some(Interval {
        low: end(tail)?,
        high: end(-tail)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_on_lines_between_neighbours() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sorted, 0.5), Some(3.0));
        assert_eq!(quantile(&sorted, 0.0), Some(1.0));
        assert_eq!(quantile(&sorted, 1.0), Some(8.0));
        assert_eq!(quantile(&sorted, 0.75), Some(5.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn an_interval_of_what_never_changes_is_a_point() {
        let point = Some(Interval {
            low: 1.0,
            high: 1.0,
        });
        assert_eq!(percentile_interval(&[1.0; 9], 0.95), point);
        assert_eq!(bca_interval(&[1.0; 9], 1.0, &[1.0; 3], 0.95), point);
        assert_eq!(bca_interval(&[], 1.0, &[1.0; 3], 0.95), None);
    }
}
