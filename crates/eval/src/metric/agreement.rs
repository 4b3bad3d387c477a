//! Whether two judges agree more than by chance: Cohen's kappa (1960).

use std::collections::BTreeMap;

/// How far two judges agree.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Agreement {
    /// The share of what both judged alike.
    pub observed: f64,
    /// Kappa: 1 they agree, 0 as by chance, below it they disagree. Nothing where both gave
    /// all the same judgement, for then chance agrees too.
    pub kappa: Option<f64>,
    /// How many were judged by both.
    pub judged: usize,
}

/// Compares two judges' labels of the same things. Nothing of nothing.
pub fn agreement<L: Ord>(judgements: &[(L, L)]) -> Option<Agreement> {
    if judgements.is_empty() {
        return None;
    }
    let n = judgements.len() as f64;
    let mut counts: BTreeMap<&L, (f64, f64)> = BTreeMap::new();
    let mut same = 0.0;
    for (first, second) in judgements {
        counts.entry(first).or_default().0 += 1.0;
        counts.entry(second).or_default().1 += 1.0;
        same += f64::from(u8::from(first == second));
    }
    let by_chance: f64 = counts.values().map(|(a, b)| a * b / (n * n)).sum();
    let observed = same / n;
    Some(Agreement {
        observed,
        kappa: (1.0 - by_chance > 1e-12).then(|| (observed - by_chance) / (1.0 - by_chance)),
        judged: judgements.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(judgements: &[(u8, u8)], observed: f64, kappa: Option<f64>) {
        let found = agreement(judgements).unwrap();
        assert!((found.observed - observed).abs() < 1e-12, "{found:?}");
        match (found.kappa, kappa) {
            (Some(found), Some(expect)) => assert!((found - expect).abs() < 1e-12, "{found}"),
            (found, expect) => assert_eq!(found, expect),
        }
    }

    // Expected values: `sklearn.metrics.cohen_kappa_score` 1.9.1.
    #[test]
    fn agreement_is_that_beyond_chance() {
        check(
            &[(0, 0), (1, 1), (0, 1), (1, 1), (2, 0), (2, 2)],
            4.0 / 6.0,
            Some(0.5),
        );
        check(&[(0, 1), (1, 0)], 0.0, Some(-1.0));
        check(&[(1, 1), (1, 1)], 1.0, None);
        check(&[(1, 1), (1, 0)], 0.5, Some(0.0));
        assert_eq!(agreement::<u8>(&[]), None);
    }
}
