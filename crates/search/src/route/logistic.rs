//! Logistic regression of few features, with an L2 penalty and weighted observations.
//!
//! What is least is that of scikit-learn's `LogisticRegression(C=…)`:
//! `½ wᵀw + C Σ sᵢ log(1 + exp(−yᵢ (wᵀxᵢ + b)))`, where the intercept `b` is not penalised;
//! found by Newton's method, so that nothing is drawn by chance.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Newton's method ends after so many steps; a dozen are enough for anything finite.
const STEPS: usize = 100;
/// It ends where no slope is steeper.
const FLAT: f64 = 1e-10;

/// Something that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Its features.
    pub features: Vec<f64>,
    /// Whether it is of the class.
    pub is: bool,
    /// How much it counts, 0 or more.
    pub weight: f64,
}

/// A logistic regression.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    /// What each feature counts.
    pub weights: Vec<f64>,
    /// What counts without any.
    pub intercept: f64,
}

/// Why nothing could be fitted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogisticError {
    /// All that counts is of one class.
    #[error("all {count} observations that count are alike; two classes are needed")]
    OneClass {
        /// How many count.
        count: usize,
    },
    /// Observations have different numbers of features, or ones that are not finite.
    #[error("observation {number} has not {expected} finite features and a weight of 0 or more")]
    Features {
        /// Which, from 0.
        number: usize,
        /// As many as the first has.
        expected: usize,
    },
}

impl Logistic {
    /// Returns how likely something with such features is of the class, 0 to 1.
    pub fn probability(&self, features: &[f64]) -> f64 {
        sigmoid(self.intercept + dot(&self.weights, features))
    }
}

/// Fits observations; `c` above 0 is the inverse of the penalty's strength.
///
/// # Errors
/// If they are all of one class, or not all have the same number of finite features.
pub fn fit(observations: &[Observation], c: f64) -> Result<Logistic, LogisticError> {
    let expected = observations.first().map_or(0, |it| it.features.len());
    for (number, it) in observations.iter().enumerate() {
        let finite = it.features.iter().all(|value| value.is_finite());
        let weighs = it.weight.is_finite() && it.weight >= 0.0;
        if it.features.len() != expected || !finite || !weighs {
            return Err(LogisticError::Features { number, expected });
        }
    }
    let counts: Vec<&Observation> = observations.iter().filter(|it| it.weight > 0.0).collect();
    let is = counts.iter().filter(|it| it.is).count();
    if is == 0 || is == counts.len() {
        return Err(LogisticError::OneClass {
            count: counts.len(),
        });
    }
    let mut at = vec![0.0; expected + 1];
    let mut loss = loss_at(&at, &counts, c);
    for _ in 0..STEPS {
        let (slope, curvature) = derivatives(&at, &counts, c);
        if slope.iter().all(|value| value.abs() < FLAT) {
            break;
        }
        let step = solve(curvature, slope);
        // The loss is convex, so some part of the step goes down, until only rounding is left.
        let mut part = 1.0;
        let better = loop {
            let there: Vec<f64> = at
                .iter()
                .zip(&step)
                .map(|(at, by)| at - part * by)
                .collect();
            let found = loss_at(&there, &counts, c);
            if found <= loss {
                break Some((there, found));
            }
            part *= 0.5;
            if part < 1e-12 {
                break None;
            }
        };
        let Some((there, found)) = better else { break };
        (at, loss) = (there, found);
    }
    let intercept = at.pop().expect("the intercept is the last");
    Ok(Logistic {
        weights: at,
        intercept,
    })
}

/// `at` has the features' weights and, last, the intercept.
fn score(at: &[f64], features: &[f64]) -> f64 {
    at[features.len()] + dot(&at[..features.len()], features)
}

fn loss_at(at: &[f64], observations: &[&Observation], c: f64) -> f64 {
    let weights = &at[..at.len() - 1];
    let errors = observations.iter().map(|it| {
        let score = score(at, &it.features);
        it.weight * softplus(if it.is { -score } else { score })
    });
    0.5 * dot(weights, weights) + c * errors.sum::<f64>()
}

fn derivatives(at: &[f64], observations: &[&Observation], c: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = at.len();
    let mut slope: Vec<f64> = at.to_vec();
    slope[n - 1] = 0.0;
    let mut curvature = vec![vec![0.0; n]; n];
    for (place, row) in curvature.iter_mut().enumerate().take(n - 1) {
        row[place] = 1.0;
    }
    for it in observations {
        let likely = sigmoid(score(at, &it.features));
        let error = c * it.weight * (likely - f64::from(u8::from(it.is)));
        let bend = c * it.weight * likely * (1.0 - likely);
        let feature = |place: usize| it.features.get(place).copied().unwrap_or(1.0);
        for (row, bends) in curvature.iter_mut().enumerate() {
            slope[row] += error * feature(row);
            for (column, cell) in bends.iter_mut().enumerate() {
                *cell += bend * feature(row) * feature(column);
            }
        }
    }
    (slope, curvature)
}

/// Solves a symmetric system by elimination with pivots; what cannot be told is 0.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|a, b| {
                matrix[*a][column]
                    .abs()
                    .total_cmp(&matrix[*b][column].abs())
            })
            .expect("there is a row left");
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let top = matrix[column].clone();
        if top[column].abs() < 1e-300 {
            continue;
        }
        for row in column + 1..n {
            let times = matrix[row][column] / top[column];
            for (cell, above) in matrix[row].iter_mut().zip(&top).skip(column) {
                *cell -= times * above;
            }
            right[row] -= times * right[column];
        }
    }
    let mut found = vec![0.0; n];
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|at| matrix[row][at] * found[at]).sum();
        let pivot = matrix[row][row];
        if pivot.abs() >= 1e-300 {
            found[row] = (right[row] - known) / pivot;
        }
    }
    found
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// `log(1 + exp(x))`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observations() -> Vec<Observation> {
        // As in `tests/data/logistic.py`.
        (0..40_i32)
            .map(|n| {
                let x = f64::from(n * 7 % 11) / 5.0 - 1.0;
                let y = f64::from(n * 3 % 13) / 6.0 - 1.0;
                Observation {
                    features: vec![x, y, f64::from(n % 2)],
                    is: 2.0 * x - y + f64::from(n % 3) - 1.0 > 0.0,
                    weight: [1.0, 0.5, 0.0, 2.0][n as usize % 4],
                }
            })
            .collect()
    }

    fn check(c: f64, weights: [f64; 3], intercept: f64) {
        let found = fit(&observations(), c).unwrap();
        for (found, expect) in found.weights.iter().zip(weights) {
            assert!((found - expect).abs() < 1e-6, "{found} {expect}");
        }
        assert!((found.intercept - intercept).abs() < 1e-6, "{found:?}");
    }

    // Expected values: scikit-learn, by `tests/data/logistic.py`.
    #[test]
    fn it_is_that_of_scikit_learn() {
        check(
            1.0,
            [2.0010012512, -1.2841775754, 0.1651115663],
            -0.1740119157,
        );
        check(
            0.1,
            [0.5581152860, -0.2936961789, 0.0778276672],
            -0.0319780533,
        );
        check(
            30.0,
            [5.1479277060, -4.0415765816, -0.3069275089],
            0.0384631729,
        );
    }

    #[test]
    fn one_class_is_said() {
        let mut all = observations();
        for it in &mut all {
            it.is = true;
        }
        assert_eq!(fit(&all, 1.0), Err(LogisticError::OneClass { count: 30 }));
        assert_eq!(fit(&[], 1.0), Err(LogisticError::OneClass { count: 0 }));
        all[3].features.pop();
        let error = fit(&all, 1.0).unwrap_err();
        assert_eq!(
            error,
            LogisticError::Features {
                number: 3,
                expected: 3
            }
        );
    }
}
