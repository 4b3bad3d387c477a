//! Paired approximate randomisation (Noreen 1989): were it a matter of chance which of two
//! candidates gave which answer, how often would they differ as much as they do?
//!
//! The answers to a question are exchanged or not, by a coin; those to questions of one passage
//! together. As in sacreBLEU p is (c + 1)/(n + 1); but c counts exchanges that differ *at least*
//! as much, as the test is defined, where sacreBLEU counts those that differ more. So equal
//! answers have p = 1 and not 1/(n + 1).

use super::bootstrap::{Clusters, Drawing};
use super::rows::Rows;
use crate::metric::{Metric, Scores};
use crate::random::Random;

/// Returns the two-sided p-value of the difference between each two candidates that `pairs`
/// names. A candidate's seeds count with the mean of their sums.
pub(crate) fn p_values(
    candidates: &[&[Scores]],
    pairs: &[(usize, usize)],
    clusters: Clusters<'_>,
    drawing: Drawing,
) -> Vec<f64> {
    let tests: Vec<Test> = pairs
        .iter()
        .map(|(first, second)| Test::new(candidates[*first], candidates[*second]))
        .collect();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = drawing.times.div_ceil(workers).max(1);
    let tests = &tests;
    let counts: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let starts = (0..drawing.times).step_by(share);
        let workers: Vec<_> = starts
            .map(|start| {
                let range = start..(start + share).min(drawing.times);
                scope.spawn(move || exchange(tests, clusters, drawing.seed, range))
            })
            .collect();
        let done = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        done.map(|part| part.expect("exchanging does not panic"))
            .collect()
    });
    (0..tests.len())
        .map(|test| {
            let as_much: u64 = counts.iter().map(|part| part[test]).sum();
            (as_much + 1) as f64 / (drawing.times + 1) as f64
        })
        .collect()
}

/// Two candidates, as sums.
struct Test {
    metric: Metric,
    first: Vec<f64>,
    second: Vec<f64>,
    /// The second's less the first's, question by question.
    less: Rows,
    observed: f64,
}

impl Test {
    fn new(first: &[Scores], second: &[Scores]) -> Self {
        let metric = first[0].metric;
        let rows =
            |scores: &[Scores]| Rows::mean(&scores.iter().map(|it| &it.rows).collect::<Vec<_>>());
        let (first, second) = (rows(first), rows(second));
        let less = Rows::less(&second, &first);
        let (first, second) = (first.total(), second.total());
        let mut test = Self {
            metric,
            first,
            second,
            less,
            observed: 0.0,
        };
        test.observed = test.difference(&vec![0.0; test.first.len()]);
        test
    }

    /// Returns the difference after sums went from the first to the second.
    fn difference(&self, exchanged: &[f64]) -> f64 {
        let plus = |sums: &[f64], sign: f64| -> Option<f64> {
            let sums: Vec<f64> = sums
                .iter()
                .zip(exchanged)
                .map(|(a, b)| a + sign * b)
                .collect();
            self.metric.of_sums(&sums)
        };
        match (plus(&self.first, 1.0), plus(&self.second, -1.0)) {
            (Some(first), Some(second)) => (first - second).abs(),
            _ => 0.0,
        }
    }
}

fn exchange(
    tests: &[Test],
    clusters: Clusters<'_>,
    seed: u64,
    range: std::ops::Range<usize>,
) -> Vec<u64> {
    let mut counts = vec![0; tests.len()];
    let mut coins = vec![0.0; clusters.count];
    let mut weights = vec![0.0; clusters.of.len()];
    let mut sums = Vec::new();
    for trial in range {
        let mut random = Random::new(seed ^ 0xC01, trial as u64);
        for coins in coins.chunks_mut(64) {
            let mut bits = random.next();
            for coin in coins {
                *coin = (bits & 1) as f64;
                bits >>= 1;
            }
        }
        clusters.spread(&coins, &mut weights);
        for (test, count) in tests.iter().zip(&mut counts) {
            sums.resize(test.less.width(), 0.0);
            test.less.weighted(&weights, &mut sums);
            // Sums of the same numbers in another order differ in their last digits.
            let margin = 1e-10 * test.observed.max(1e-300);
            *count += u64::from(test.difference(&sums) >= test.observed - margin);
        }
    }
    counts
}
