//! Whether confidence says how likely an answer is right: reliability by bins, and the risk of
//! answering only what one is sure of.
//!
//! Brier's score and the calibration error are metrics of their own
//! ([`super::Metric::Brier`], [`super::Metric::CalibrationError`]).

use serde::{Deserialize, Serialize};

/// Answers whose confidence lies between two edges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// The lower edge; not in the bin but for the first.
    pub low: f64,
    /// The upper edge, which is in the bin.
    pub high: f64,
    /// How many answers.
    pub answers: usize,
    /// Their mean confidence; 0 of none.
    pub confidence: f64,
    /// Which share of them is right; 0 of none.
    pub right: f64,
}

/// Returns `count` bins of equal width over confidences from 0 to 1, with what they hold.
/// Confidences outside are taken for the nearest end, and one that is no number is left out.
pub fn reliability(answers: &[(f64, bool)], count: usize) -> Vec<Bin> {
    let count = count.max(1);
    let mut sums = vec![(0_usize, 0.0, 0.0); count];
    for (confidence, right) in answers.iter().filter(|it| !it.0.is_nan()) {
        let bin = &mut sums[bin_of(*confidence, count)];
        bin.0 += 1;
        bin.1 += confidence.clamp(0.0, 1.0);
        bin.2 += f64::from(u8::from(*right));
    }
    let width = 1.0 / count as f64;
    let bin = |(place, (answers, confidence, right)): (usize, &(usize, f64, f64))| {
        let mean = |sum: f64| {
            if *answers > 0 {
                sum / *answers as f64
            } else {
                0.0
            }
        };
        Bin {
            low: width * place as f64,
            high: width * (place + 1) as f64,
            answers: *answers,
            confidence: mean(*confidence),
            right: mean(*right),
        }
    };
    sums.iter().enumerate().map(bin).collect()
}

/// Returns the number of a confidence's bin. A bin has its upper edge, not its lower one.
pub(crate) fn bin_of(confidence: f64, count: usize) -> usize {
    let place = (confidence.clamp(0.0, 1.0) * count as f64).ceil() as usize;
    place.clamp(1, count) - 1
}

/// Returns the share of answers that is given and the share of these that is wrong, if only the
/// surest are given: first the surest alone, in the end all (El-Yaniv and Wiener 2010). Answers
/// of equal confidence come together.
pub fn risk_coverage(answers: &[(f64, bool)]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<(f64, bool)> = answers
        .iter()
        .copied()
        .filter(|it| !it.0.is_nan())
        .collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut given, mut wrong) = (0.0, 0.0);
    let mut curve = Vec::new();
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        given += group.len() as f64;
        wrong += group.iter().filter(|it| !it.1).count() as f64;
        curve.push((given / sorted.len() as f64, wrong / given));
    }
    curve
}

/// Returns the area under the risk–coverage curve (AURC, Geifman and El-Yaniv 2017): the mean
/// risk over all numbers of given answers, 0 to 1, less is better. Among answers of equal
/// confidence the mean over their orders counts. Nothing of nothing.
pub fn area_under_risk(answers: &[(f64, bool)]) -> Option<f64> {
    let mut sorted: Vec<(f64, bool)> = answers
        .iter()
        .copied()
        .filter(|it| !it.0.is_nan())
        .collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut given, mut wrong, mut area) = (0.0, 0.0, 0.0);
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let share = group.iter().filter(|it| !it.1).count() as f64 / group.len() as f64;
        for _ in group {
            given += 1.0;
            wrong += share;
            area += wrong / given;
        }
    }
    (given > 0.0).then(|| area / given)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: [(f64, bool); 5] = [
        (0.95, true),
        (0.9, true),
        (0.6, false),
        (0.55, true),
        (0.1, false),
    ];

    #[test]
    fn confidence_is_held_against_what_is_right() {
        let bins = reliability(&ANSWERS, 2);
        assert_eq!((bins[0].answers, bins[1].answers), (1, 4));
        assert!((bins[1].confidence - 0.75).abs() < 1e-12 && bins[1].right == 0.75);
        assert_eq!(reliability(&[], 3)[1].right, 0.0);
        // 0.5 is in the lower bin, 0 in the first, and what is too large in the last.
        let edges = reliability(
            &[(0.5, true), (0.0, true), (7.0, true), (f64::NAN, true)],
            2,
        );
        assert_eq!((edges[0].answers, edges[1].answers), (2, 1));
    }

    #[test]
    fn sure_answers_risk_less() {
        let curve = risk_coverage(&ANSWERS);
        assert_eq!(curve.first(), Some(&(0.2, 0.0)));
        assert_eq!(curve.last(), Some(&(1.0, 0.4)));
        // (0 + 0 + 1/3 + 1/4 + 2/5) / 5
        assert!((area_under_risk(&ANSWERS).unwrap() - 0.196_666_666_666_666_67).abs() < 1e-12);
        assert_eq!(area_under_risk(&[]), None);
        // Equal confidences say nothing: the mean risk.
        assert_eq!(area_under_risk(&[(0.5, true), (0.5, false)]), Some(0.5));
    }
}
