//! How many questions would settle it.

use super::distribution::normal_quantile;

/// How much of a difference's variance comes from the questions that were asked, and how much
/// from the training seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Variance {
    /// From the questions; halves when twice as many are asked.
    pub of_questions: f64,
    /// From the seeds; halves when twice as many are trained.
    pub of_seeds: f64,
}

/// What would settle whether a difference of interest is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settling {
    /// So many more questions of the same kind; 0 if there are enough.
    MoreQuestions(u64),
    /// No number of questions: the seeds differ too much. So many seeds in all would leave
    /// half of the variance that may be there to the questions.
    MoreSeeds(u64),
    /// Nothing is known of how answers vary: none did.
    Unknown,
}

/// Returns what would let a paired two-sided test at `alpha` see a difference of `interest` with
/// the given `power`, if it is there: the usual normal approximation,
/// n = ((z₁₋α⸝₂ + z_power) σ / δ)², where σ is that of the questions asked so far, so clusters
/// count as what they are.
///
/// # Panics
/// If `alpha` or `power` is not above 0 and below 1.
pub fn settling(
    variance: Variance,
    questions: usize,
    seeds: usize,
    interest: f64,
    alpha: f64,
    power: f64,
) -> Settling {
    let sees = normal_quantile(1.0 - 0.5 * alpha) + normal_quantile(power);
    let allowed = (interest / sees).powi(2);
    let known = variance.of_questions > 0.0 && questions > 0;
    if !known || allowed.is_nan() || allowed <= 0.0 {
        return Settling::Unknown;
    }
    if variance.of_seeds >= allowed {
        let seeds = (variance.of_seeds * seeds as f64 / (0.5 * allowed)).ceil();
        return Settling::MoreSeeds(seeds as u64);
    }
    let of_one = variance.of_questions * questions as f64;
    let needed = (of_one / (allowed - variance.of_seeds)).ceil() as u64;
    Settling::MoreQuestions(needed.saturating_sub(questions as u64))
}

/// Returns the smallest difference that a paired two-sided test at `alpha` sees with the given
/// `power`, by the same approximation. Nothing where nothing varied.
///
/// # Panics
/// If `alpha` or `power` is not above 0 and below 1.
pub fn detectable(variance: Variance, alpha: f64, power: f64) -> Option<f64> {
    let sees = normal_quantile(1.0 - 0.5 * alpha) + normal_quantile(power);
    let all = variance.of_questions + variance.of_seeds;
    (all > 0.0).then(|| sees * all.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(of_questions: f64, of_seeds: f64, interest: f64, expect: Settling) {
        let variance = Variance {
            of_questions,
            of_seeds,
        };
        let found = settling(variance, 100, 3, interest, 0.05, 0.8);
        assert_eq!(found, expect);
    }

    #[test]
    fn a_difference_half_as_large_needs_four_times_the_questions() {
        // σ = 1 a question: (1.960 + 0.842)² / 0.2² = 196.2, and / 0.1² = 784.9.
        check(0.01, 0.0, 0.2, Settling::MoreQuestions(97));
        check(0.01, 0.0, 0.1, Settling::MoreQuestions(685));
        check(0.01, 0.0, 0.9, Settling::MoreQuestions(0));
    }

    #[test]
    fn what_is_seen_is_what_would_settle_nothing_more() {
        let variance = Variance {
            of_questions: 0.01,
            of_seeds: 0.0,
        };
        let seen = detectable(variance, 0.05, 0.8).unwrap();
        assert!((seen - 0.280_158_5).abs() < 1e-6, "{seen}");
        let enough = settling(variance, 100, 1, seen * 1.001, 0.05, 0.8);
        assert_eq!(enough, Settling::MoreQuestions(0));
        assert_eq!(detectable(Variance::default(), 0.05, 0.8), None);
    }

    #[test]
    fn seeds_that_differ_too_much_need_more_seeds() {
        // 0.2² / 2.802² = 0.005096.
        check(0.01, 0.006, 0.2, Settling::MoreSeeds(8));
        check(0.0, 0.0, 0.2, Settling::Unknown);
        check(0.01, 0.0, 0.0, Settling::Unknown);
    }
}
