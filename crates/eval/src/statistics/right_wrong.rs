//! Statistics of answers that are right or wrong.

use super::distribution::{ln_gamma, normal_quantile};
use super::interval::Interval;

/// Two candidates' answers to the same questions, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paired {
    /// Both right.
    pub both: u64,
    /// Only the first right.
    pub first: u64,
    /// Only the second right.
    pub second: u64,
    /// Neither right.
    pub neither: u64,
}

impl Paired {
    /// Counts answers, right where the value is above one half; questions that either lacks
    /// are left out.
    pub fn new(first: &[Option<f64>], second: &[Option<f64>]) -> Self {
        let mut counts = Self::default();
        for pair in first.iter().zip(second) {
            if let (Some(a), Some(b)) = pair {
                match (*a > 0.5, *b > 0.5) {
                    (true, true) => counts.both += 1,
                    (true, false) => counts.first += 1,
                    (false, true) => counts.second += 1,
                    (false, false) => counts.neither += 1,
                }
            }
        }
        counts
    }

    fn all(self) -> f64 {
        (self.both + self.first + self.second + self.neither) as f64
    }
}

/// Returns the two-sided p-value of McNemar's exact test: how often a fair coin would fall as
/// unevenly on the questions that only one of the two answers rightly. 1 where there are none.
pub fn mcnemar(counts: Paired) -> f64 {
    let all = counts.first + counts.second;
    let fewer = counts.first.min(counts.second);
    if all == 0 {
        return 1.0;
    }
    let logarithm = |k: u64| {
        let (n, k) = (all as f64, k as f64);
        ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0) - n * std::f64::consts::LN_2
    };
    let tail: f64 = (0..=fewer).map(|k| logarithm(k).exp()).sum();
    (2.0 * tail).min(1.0)
}

/// Returns Wilson's interval of a share, `right` of `all` (Wilson 1927), 0 to 1. Of none it is
/// all from 0 to 1.
pub fn wilson(right: u64, all: u64, level: f64) -> Interval {
    if all == 0 {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let z = normal_quantile(0.5 + 0.5 * level);
    let n = all as f64;
    let p = right.min(all) as f64 / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Interval {
        low: if right == 0 {
            0.0
        } else {
            (middle - half).max(0.0)
        },
        high: if right >= all {
            1.0
        } else {
            (middle + half).min(1.0)
        },
    }
}

/// Returns Newcombe's interval of the difference of two independent shares, first less second
/// (Newcombe 1998a, method 10).
pub fn newcombe(first: (u64, u64), second: (u64, u64), level: f64) -> Interval {
    let share = |(right, all): (u64, u64)| {
        if all == 0 {
            0.5
        } else {
            right as f64 / all as f64
        }
    };
    let (p, q) = (share(first), share(second));
    let (a, b) = (
        wilson(first.0, first.1, level),
        wilson(second.0, second.1, level),
    );
    Interval {
        low: p - q - ((p - a.low).powi(2) + (b.high - q).powi(2)).sqrt(),
        high: p - q + ((a.high - p).powi(2) + (q - b.low).powi(2)).sqrt(),
    }
}

/// Returns Newcombe's interval of the difference of two shares of the same questions, first
/// less second (Newcombe 1998b, method 10: score intervals, with the correlation of the
/// pairs). Of none it is all from −1 to 1.
pub fn newcombe_paired(counts: Paired, level: f64) -> Interval {
    let n = counts.all();
    if n == 0.0 {
        return Interval {
            low: -1.0,
            high: 1.0,
        };
    }
    let (both, first) = (counts.both as f64, counts.first as f64);
    let (second, neither) = (counts.second as f64, counts.neither as f64);
    let (p, q) = ((both + first) / n, (both + second) / n);
    let a = wilson(counts.both + counts.first, n as u64, level);
    let b = wilson(counts.both + counts.second, n as u64, level);
    let margins = (both + first) * (second + neither) * (both + second) * (first + neither);
    let product = both * neither - first * second;
    let correlation = if margins == 0.0 {
        0.0
    } else if product > n / 2.0 {
        (product - n / 2.0) / margins.sqrt()
    } else if product >= 0.0 {
        0.0
    } else {
        product / margins.sqrt()
    };
    let half = |x: f64, y: f64| (x * x - 2.0 * correlation * x * y + y * y).max(0.0).sqrt();
    Interval {
        low: p - q - half(p - a.low, b.high - q),
        high: p - q + half(a.high - p, q - b.low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Interval, low: f64, high: f64) {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-4;
        assert!(near(found.low, low) && near(found.high, high), "{found:?}");
    }

    // Expected values: `scipy.stats.binomtest(...).pvalue` and
    // `.proportion_ci(method="wilson")`, scipy 1.17.1.
    #[test]
    fn tests_of_shares_are_those_of_scipy() {
        let p = |first, second| {
            mcnemar(Paired {
                first,
                second,
                ..Paired::default()
            })
        };
        assert!((p(3, 11) - 0.057_373_046_875).abs() < 1e-12);
        assert!((p(40, 60) - 0.056_887_933_640_980_89).abs() < 1e-10);
        assert_eq!(p(0, 0), 1.0);
        assert_eq!(p(5, 5), 1.0);
        check(wilson(7, 20, 0.95), 0.181_191_8, 0.567_145_7);
        check(wilson(0, 20, 0.95), 0.0, 0.161_125_2);
        check(wilson(20, 20, 0.99), 0.750_894_6, 1.0);
    }

    #[test]
    fn differences_of_shares_are_those_of_newcombes_papers() {
        // Table II of 1998a, example (a): 56/70 less 48/80.
        check(newcombe((56, 70), (48, 80), 0.95), 0.0524, 0.3339);
        // Table II of 1998b, method 10: 36, 12, 2, 0 and 54, 0, 0, 0.
        let paired = |both, first, second, neither| {
            newcombe_paired(
                Paired {
                    both,
                    first,
                    second,
                    neither,
                },
                0.95,
            )
        };
        check(paired(36, 12, 2, 0), 0.0569, 0.3404);
        check(paired(54, 0, 0, 0), -0.0664, 0.0664);
    }

    #[test]
    fn nothing_asked_is_nothing_known() {
        assert_eq!(
            wilson(0, 0, 0.95),
            Interval {
                low: 0.0,
                high: 1.0
            }
        );
        assert_eq!(newcombe_paired(Paired::default(), 0.95).low, -1.0);
    }
}
