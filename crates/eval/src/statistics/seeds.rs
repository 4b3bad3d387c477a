//! What training seeds add to how far a figure may be off.
//!
//! Where a candidate was trained with R seeds, the variance of its mean has three parts: of the
//! questions σq²/n, of the seeds σs²/R, and of what a seed's answer to a question varies by beside
//! both, σe²/(nR). Drawing questions gives σq²/n + σe²/(nR), the seeds' spread σs²/R + σe²/(nR):
//! the last part is in both, and drawing both, one inside the other, counts it three times (Owen
//! 2007, "The pigeonhole bootstrap"). So the parts are put together as those of two ways of
//! clustering are, V = V_questions + V_seeds − V_both (Cameron, Gelbach and Miller 2011),
//! where V_both is what each seed's distance from the mean of all varies by as questions are
//! drawn.
//!
//! V_questions and V_both are known well, from many questions. V_seeds is known from R − 1
//! degrees of freedom, and all that is sure is that it is not below V_both. No interval is right
//! for every size of the parts: one that is never too narrow is too wide where seeds do not differ.
//! So there are two. [`Parts::far`] is for the interval, which is to have the truth in 95 of 100
//! worlds, neither fewer nor many more; [`Parts::p_value`] is for claims, which may be false in 5 of
//! 100 worlds *at most*, and gives the seeds their due wherever the truth lies. How often both
//! hold is reckoned for all sizes of the parts at the foot of this file.

use super::distribution::{normal_quantile, student_quantile};

/// What the variance of a figure consists of. Where nothing was trained more than once there are
/// no seeds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parts {
    /// V_questions: as questions are drawn.
    pub(crate) of_questions: f64,
    /// Of how many questions, or clusters of them.
    pub(crate) questions: f64,
    /// Of those whose seeds have nothing to do with one another.
    pub(crate) seeds: Vec<Seeds>,
}

/// What some seeds add.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seeds {
    /// R − 1.
    pub(crate) degrees: f64,
    /// V_seeds: by how much they differ from one another.
    pub(crate) spread: f64,
    /// V_both: by how much they would, did their training not differ.
    pub(crate) both: f64,
}

impl Parts {
    /// Returns the variance that training adds, as far as it can be told.
    pub(crate) fn of_seeds(&self) -> f64 {
        let of = |it: &Seeds| (it.spread - it.both).max(0.0);
        self.seeds.iter().map(of).sum()
    }

    /// Returns the square of how much farther than questions alone the seeds move an interval's
    /// end, of which a share `p` is to lie below: t²V_seeds, less what the questions' part has of
    /// it already, z²V_both, and less what is mostly chance when so few seeds differ.
    ///
    /// That last part is chosen by reckoning, that intervals of 95 % be neither too narrow nor too
    /// wide by more than 2 %: with three seeds they have the truth in 93.1 to 97.6 %, with five in
    /// 94.1 to 97.3 %, whatever the parts' sizes; with two in 92.8 to 98.3 %, for of two there is no
    /// telling. Without it three would have it in up to 98.7 %.
    pub(crate) fn far(&self, p: f64) -> f64 {
        let z_squared = normal_quantile(p).powi(2);
        self.moved(z_squared, |degrees| student_quantile(p, degrees).powi(2))
    }

    fn moved(&self, z_squared: f64, t_squared: impl Fn(f64) -> f64) -> f64 {
        let of = |it: &Seeds| {
            let few = it.degrees.powi(-2);
            let alone = (self.of_questions - it.both).max(0.0);
            let chance = (1.0 + 7.5 * few) * it.both + few * alone;
            (t_squared(it.degrees) * it.spread - z_squared * chance).max(0.0)
        };
        self.seeds.iter().map(of).sum()
    }

    /// Returns how often so large a difference, or a larger one, would come about were there none;
    /// rather too often. Nothing where there are no seeds.
    ///
    /// It is the least p of which the difference's square is above t²V_alone + the larger of t²V_both
    /// and t²V_seeds, each t with its own degrees of freedom: so seeds that agree by chance are
    /// taken to differ no less than the questions make them.
    pub(crate) fn p_value(&self, difference: f64) -> Option<f64> {
        if self.seeds.is_empty() {
            return None;
        }
        let is_far = |p: f64| {
            let t_squared = |degrees: f64| student_quantile(1.0 - 0.5 * p, degrees).powi(2);
            difference * difference > self.limit(t_squared)
        };
        // Below a millionth there is nothing to be told apart.
        let (mut low, mut high) = (1e-6_f64.ln(), 0.0);
        if is_far(low.exp()) {
            return Some(low.exp());
        }
        for _ in 0..30 {
            let middle = 0.5 * (low + high);
            if is_far(f64::exp(middle)) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high.exp())
    }

    /// Returns the square of what a difference is to be above.
    fn limit(&self, t_squared: impl Fn(f64) -> f64) -> f64 {
        let both: f64 = self.seeds.iter().map(|it| it.both).sum();
        let alone = (self.of_questions - both).max(0.0);
        let of_questions = t_squared((self.questions - 1.0).max(1.0));
        let of = |it: &Seeds| (t_squared(it.degrees) * it.spread).max(of_questions * it.both);
        of_questions * alone + self.seeds.iter().map(of).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::distribution::normal_cdf;

    /// Of questions there are as many as one likes.
    const MANY: f64 = 1e9;

    /// Returns in what share of worlds a figure is off by less than the root of `reach`, which is
    /// told the seeds' spread: the least and the greatest share, whatever the seeds' variance is.
    /// V_questions is 1, of which `both`.
    fn shares(degrees: f64, both: f64, reach: impl Fn(&Parts) -> f64) -> (f64, f64) {
        let (mut least, mut greatest) = (1.0_f64, 0.0_f64);
        for trained in [0.0, 0.03, 0.1, 0.3, 0.6, 1.0, 2.0, 4.0, 8.0, 20.0, 100.0] {
            // The spread is what R − 1 degrees of freedom make of it: its root is distributed as chi.
            let (mut share, mut weights) = (0.0, 0.0);
            for step in 0..2000 {
                let root = (f64::from(step) + 0.5) * 0.005;
                let weight = root.powf(degrees - 1.0) * (-0.5 * root * root).exp();
                let parts = Parts {
                    of_questions: 1.0,
                    questions: MANY,
                    seeds: vec![Seeds {
                        degrees,
                        spread: (both + trained) * root * root / degrees,
                        both,
                    }],
                };
                let within = 2.0 * normal_cdf((reach(&parts) / (1.0 + trained)).sqrt()) - 1.0;
                share += weight * within;
                weights += weight;
            }
            least = least.min(share / weights);
            greatest = greatest.max(share / weights);
        }
        (least, greatest)
    }

    /// Of each number of seeds and of each part of V_both.
    fn check(seeds: f64, expect: impl Fn(f64, f64), reach: impl Fn(&Parts, f64, f64) -> f64) {
        let degrees = seeds - 1.0;
        let z_squared = normal_quantile(0.975).powi(2);
        let t_squared = student_quantile(0.975, degrees).powi(2);
        for both in [0.0, 0.3, 0.7, 1.0] {
            let (least, greatest) = shares(degrees, both, |it| reach(it, z_squared, t_squared));
            expect(least, greatest);
        }
    }

    #[test]
    fn an_interval_has_the_truth_in_nearly_95_of_100_worlds_wherever_the_variance_is() {
        for (seeds, low, high) in [
            (2.0, 0.928, 0.983),
            (3.0, 0.931, 0.976),
            (4.0, 0.937, 0.974),
            (5.0, 0.940, 0.973),
            (10.0, 0.946, 0.969),
        ] {
            let within = |least: f64, greatest: f64| {
                let is = format!("{seeds} seeds: {least} to {greatest}");
                assert!(least > low && greatest < high, "{is}");
            };
            check(seeds, within, |it, z, t| {
                z * it.of_questions + it.moved(z, |_| t)
            });
        }
    }

    #[test]
    fn a_claim_is_false_in_5_of_100_worlds_at_most_wherever_the_variance_is() {
        for seeds in [2.0, 3.0, 4.0, 5.0, 10.0] {
            let at_most = |least: f64, _| assert!(least > 0.9499, "{seeds} seeds: {least}");
            let reach = |it: &Parts, z, t| it.limit(|degrees| if degrees < 100.0 { t } else { z });
            check(seeds, at_most, reach);
        }
    }

    #[test]
    fn p_is_that_of_the_normal_distribution_or_of_student_where_that_is_all() {
        let p = |both, spread, of_questions| {
            let seeds = vec![Seeds {
                degrees: 2.0,
                spread,
                both,
            }];
            let parts = Parts {
                of_questions,
                questions: MANY,
                seeds,
            };
            parts.p_value(0.3).unwrap()
        };
        // `2 * scipy.stats.norm.sf(3)` and `2 * scipy.stats.t.sf(3, 2)` 1.17.1.
        assert!((p(0.0, 0.0, 0.01) - 0.002_699_796_063_260_19).abs() < 1e-7);
        assert!((p(0.0, 0.01, 0.0) - 0.095_465_966_266_710_3).abs() < 1e-6);
        // Seeds that agree by chance are not believed.
        assert!((p(0.01, 0.0, 0.01) - 0.002_699_796_063_260_19).abs() < 1e-7);
    }
}
