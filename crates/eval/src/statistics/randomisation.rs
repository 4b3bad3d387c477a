//! Paired approximate randomisation (Noreen 1989): were it a matter of chance which of two
//! candidates gave which answer, how often would they differ as much as they do?
//!
//! The answers to a question are exchanged or not, by a coin; those to questions of one passage
//! together. As in sacreBLEU p is (c + 1)/(n + 1); but c counts exchanges that differ *at least*
//! as much, as the test is defined, where sacreBLEU counts those that differ more. So equal
//! answers have p = 1 and not 1/(n + 1).

use super::bootstrap::{Clusters, Drawing};
use super::rows::Weights;
use crate::metric::{Metric, Scores};
use crate::random::Random;
use crate::shares::shares;

/// Returns the two-sided p-value of the difference between each two candidates that `pairs`
/// names. A candidate's seeds count with the mean of their sums.
pub(crate) fn p_values(
    candidates: &[&[Scores]],
    pairs: &[(usize, usize)],
    clusters: Clusters<'_>,
    drawing: Drawing,
) -> Vec<f64> {
    let sides: Vec<Side> = candidates.iter().map(|scores| Side::new(scores)).collect();
    let tests: Vec<Test<'_>> = pairs
        .iter()
        .map(|(first, second)| Test::new(&sides[*first], &sides[*second]))
        .collect();
    let counts = shares(drawing.times, |range| {
        exchange(&sides, pairs, &tests, clusters, drawing.seed, range)
    });
    (0..tests.len())
        .map(|test| {
            let as_much: u64 = counts.iter().map(|part| part[test]).sum();
            (as_much + 1) as f64 / (drawing.times + 1) as f64
        })
        .collect()
}

/// A candidate, as sums.
struct Side<'a> {
    metric: Metric,
    runs: &'a [Scores],
    all: Vec<f64>,
}

impl<'a> Side<'a> {
    fn new(runs: &'a [Scores]) -> Self {
        let mut side = Self {
            metric: runs[0].metric,
            runs,
            all: vec![0.0; runs[0].rows.width()],
        };
        for run in runs {
            add(&mut side.all, &run.rows.total(), runs.len());
        }
        side
    }

    /// Puts into `sums` those of the questions whose coin says so, the mean over the seeds.
    fn exchanged(&self, coins: &Weights, of_run: &mut Vec<f64>, sums: &mut Vec<f64>) {
        sums.clear();
        sums.resize(self.all.len(), 0.0);
        of_run.resize(self.all.len(), 0.0);
        for run in self.runs {
            run.rows.weighted(coins, of_run);
            add(sums, of_run, self.runs.len());
        }
    }
}

/// Adds the part of a mean over so many.
fn add(sums: &mut [f64], part: &[f64], of: usize) {
    for (sum, part) in sums.iter_mut().zip(part) {
        *sum += part / of as f64;
    }
}

/// Two candidates.
struct Test<'a> {
    first: &'a Side<'a>,
    second: &'a Side<'a>,
    observed: f64,
}

impl<'a> Test<'a> {
    fn new(first: &'a Side<'a>, second: &'a Side<'a>) -> Self {
        let mut test = Self {
            first,
            second,
            observed: 0.0,
        };
        let nothing = vec![0.0; first.all.len()];
        test.observed = test.difference(&nothing, &nothing, &mut Vec::new());
        test
    }

    /// Returns the difference after the answers whose sums are `first` and `second` changed
    /// sides.
    fn difference(&self, first: &[f64], second: &[f64], sums: &mut Vec<f64>) -> f64 {
        let mut score = |side: &Side<'_>, sign: f64| -> Option<f64> {
            sums.clear();
            let moved = first.iter().zip(second).map(|(a, b)| sign * (b - a));
            sums.extend(side.all.iter().zip(moved).map(|(all, moved)| all + moved));
            side.metric.of_sums(sums)
        };
        match (score(self.first, 1.0), score(self.second, -1.0)) {
            (Some(first), Some(second)) => (first - second).abs(),
            _ => 0.0,
        }
    }
}

fn exchange(
    sides: &[Side<'_>],
    pairs: &[(usize, usize)],
    tests: &[Test<'_>],
    clusters: Clusters<'_>,
    seed: u64,
    range: std::ops::Range<usize>,
) -> Vec<u64> {
    let mut counts = vec![0; tests.len()];
    let mut coins = vec![0; clusters.count];
    let mut weights = Weights::new(clusters.of.len());
    let mut moved = vec![Vec::new(); sides.len()];
    let (mut of_run, mut sums) = (Vec::new(), Vec::new());
    for trial in range {
        let mut random = Random::new(seed ^ 0xC01, trial as u64);
        for coins in coins.chunks_mut(64) {
            let mut bits = random.next();
            for coin in coins {
                *coin = (bits & 1) as u16;
                bits >>= 1;
            }
        }
        clusters.spread(&coins, &mut weights);
        for (place, side) in sides.iter().enumerate() {
            let is_tested = |pair: &(usize, usize)| pair.0 == place || pair.1 == place;
            if pairs.iter().any(is_tested) {
                side.exchanged(&weights, &mut of_run, &mut moved[place]);
            }
        }
        for ((test, pair), count) in tests.iter().zip(pairs).zip(&mut counts) {
            let difference = test.difference(&moved[pair.0], &moved[pair.1], &mut sums);
            // Sums of the same numbers in another order differ in their last digits.
            let margin = 1e-10 * test.observed.max(1e-300);
            *count += u64::from(difference >= test.observed - margin);
        }
    }
    counts
}
