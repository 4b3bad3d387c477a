//! Whether two judges agree more than by chance: Cohen's kappa (1960), and its form that counts
//! how far apart they are (1968).

use serde::Serialize;

/// How far two judges agree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The share of what both judged alike.
    pub observed: f64,
    /// Kappa: 1 they agree, 0 as by chance, below it they disagree.
    pub kappa: f64,
    /// The same, where a step between two classes counts a quarter of two steps.
    pub quadratic_kappa: f64,
    /// How many were judged by both.
    pub judged: usize,
    /// Why both are 0 by definition, where they are: chance would agree as often.
    pub undefined: Option<&'static str>,
}

const ONE_CLASS: &str = "both gave everything the same grade, and chance would agree as often: \
    grade some of another kind too";

/// Compares two judges' labels of the same things; `classes` are all labels there are, in their
/// order. Nothing of nothing.
///
/// # Panics
/// If a label is none of the classes.
pub fn agreement<L: PartialEq>(judgements: &[(L, L)], classes: &[L]) -> Option<Agreement> {
    if judgements.is_empty() {
        return None;
    }
    let place = |label: &L| {
        let found = classes.iter().position(|class| class == label);
        found.expect("a label is one of the classes")
    };
    let n = judgements.len() as f64;
    let mut firsts = vec![0.0; classes.len()];
    let mut seconds = vec![0.0; classes.len()];
    let (mut same, mut apart) = (0.0, 0.0);
    for (first, second) in judgements {
        let (first, second) = (place(first), place(second));
        firsts[first] += 1.0;
        seconds[second] += 1.0;
        same += f64::from(u8::from(first == second));
        apart += squared(first, second);
    }
    let (mut same_by_chance, mut apart_by_chance) = (0.0, 0.0);
    for (first, of_first) in firsts.iter().enumerate() {
        for (second, of_second) in seconds.iter().enumerate() {
            let expected = of_first * of_second / n;
            same_by_chance += f64::from(u8::from(first == second)) * expected;
            apart_by_chance += squared(first, second) * expected;
        }
    }
    // Whole numbers: exactly so where both gave one class only.
    let is_defined = n - same_by_chance > 1e-9;
    Some(Agreement {
        observed: same / n,
        kappa: match is_defined {
            true => 1.0 - (n - same) / (n - same_by_chance),
            false => 0.0,
        },
        quadratic_kappa: match is_defined {
            true => 1.0 - apart / apart_by_chance,
            false => 0.0,
        },
        judged: judgements.len(),
        undefined: (!is_defined).then_some(ONE_CLASS),
    })
}

fn squared(one: usize, other: usize) -> f64 {
    (one.abs_diff(other) as f64).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(judgements: &[(u8, u8)], observed: f64, kappa: f64, quadratic: f64) {
        let found = agreement(judgements, &[0, 1, 2]).unwrap();
        for (found, expect) in [
            (found.observed, observed),
            (found.kappa, kappa),
            (found.quadratic_kappa, quadratic),
        ] {
            assert!((found - expect).abs() < 1e-9, "{found} {expect}");
        }
        assert_eq!(found.undefined, None);
    }

    // Expected values: `cohen_kappa_score` of scikit-learn 1.9.1, by `tests/data/kappa.py`.
    #[test]
    fn agreement_is_that_beyond_chance() {
        check(
            &[(0, 0), (1, 1), (0, 1), (1, 1), (2, 0), (2, 2)],
            0.666666666667,
            0.500000000000,
            0.285714285714,
        );
        check(
            &[(0, 1), (1, 0)],
            0.000000000000,
            -1.000000000000,
            -1.000000000000,
        );
        check(
            &[(1, 1), (1, 0)],
            0.500000000000,
            0.000000000000,
            0.000000000000,
        );
        check(
            &[(0, 2), (2, 2), (2, 2), (1, 2)],
            0.500000000000,
            0.000000000000,
            0.000000000000,
        );
        check(
            &[
                (2, 2),
                (1, 1),
                (2, 2),
                (1, 1),
                (2, 2),
                (2, 2),
                (2, 2),
                (2, 2),
                (0, 0),
                (1, 0),
                (0, 0),
                (2, 2),
                (0, 0),
                (0, 0),
                (0, 0),
                (1, 1),
                (1, 1),
                (0, 0),
                (1, 1),
                (2, 2),
                (0, 0),
                (2, 2),
                (0, 0),
            ],
            0.956521739130,
            0.933526011561,
            0.971428571429,
        );
    }

    #[test]
    fn where_chance_agrees_too_it_is_said() {
        for class in [0, 2] {
            let found = agreement(&[(class, class); 4], &[0, 1, 2]).unwrap();
            assert_eq!(
                (found.observed, found.kappa, found.quadratic_kappa),
                (1.0, 0.0, 0.0)
            );
            assert!(found.undefined.unwrap().contains("same grade"));
        }
        assert_eq!(agreement::<u8>(&[], &[0]), None);
    }
}
