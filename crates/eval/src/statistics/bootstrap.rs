//! Paired bootstrap: how scores and their differences would vary, had other questions of the
//! same kind been asked, and other seeds been trained.
//!
//! Questions are drawn with replacement, the same for all candidates, so that what is hard for
//! all does not count as a difference (Efron and Tibshirani 1993; Koehn 2004). Questions that
//! were made from one passage are drawn together. Where a candidate was trained with several
//! seeds, these are drawn too, and their spread is raised by √(R/(R−1)), by which drawing from
//! few is too narrow (Rao and Wu 1988).
//!
//! The interval is the percentile interval, stretched about the estimate by what a normal
//! interval of so few clusters or seeds is too narrow: by t/z with Satterthwaite's (1946) degrees
//! of freedom (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", §4).

use super::distribution::{normal_quantile, student_quantile};
use super::interval::{Interval, percentile_interval};
use super::power::Variance;
use crate::metric::Scores;
use crate::random::Random;

/// Which questions belong together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clusters<'a> {
    /// The number of each question's cluster.
    pub(crate) of: &'a [u32],
    /// How many clusters there are.
    pub(crate) count: usize,
}

impl Clusters<'_> {
    /// Puts into `weights` each question's share of its cluster's.
    pub(crate) fn spread(&self, of_cluster: &[f64], weights: &mut [f64]) {
        for (weight, cluster) in weights.iter_mut().zip(self.of) {
            *weight = of_cluster[*cluster as usize];
        }
    }
}

/// How often, and by what seed, it is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawing {
    pub(crate) times: usize,
    pub(crate) seed: u64,
}

/// One candidate's scores.
#[derive(Clone, Debug)]
struct Sample {
    /// Of each of its seeds.
    of_run: Vec<f64>,
    /// Of each resample.
    resampled: Vec<f64>,
}

/// The resamples of all candidates.
#[derive(Clone, Debug)]
pub(crate) struct Bootstrap {
    samples: Vec<Sample>,
    clusters: usize,
    /// The largest score, where there is one.
    largest: Option<f64>,
}

/// A figure with its interval, and where its variance comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) interval: Interval,
    pub(crate) variance: Variance,
}

impl Bootstrap {
    /// Draws. Each candidate has its scores of each seed by one metric, all defined, of the same
    /// questions.
    pub(crate) fn new(candidates: &[&[Scores]], clusters: Clusters<'_>, drawing: Drawing) -> Self {
        let of_run = |scores: &[Scores]| -> Vec<f64> {
            let value = |it: &Scores| it.value().expect("only defined scores are resampled");
            scores.iter().map(value).collect()
        };
        let mut samples: Vec<Sample> = candidates
            .iter()
            .map(|scores| Sample {
                of_run: of_run(scores),
                resampled: Vec::new(),
            })
            .collect();
        // Each resample has its own stream, so it does not matter who draws it.
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let share = drawing.times.div_ceil(workers).max(1);
        let estimates: Vec<&[f64]> = samples.iter().map(|it| it.of_run.as_slice()).collect();
        let estimates = &estimates;
        let parts: Vec<Vec<Vec<f64>>> = std::thread::scope(|scope| {
            let starts = (0..drawing.times).step_by(share);
            let workers: Vec<_> = starts
                .map(|start| {
                    let range = start..(start + share).min(drawing.times);
                    scope.spawn(move || draw(candidates, estimates, clusters, drawing.seed, range))
                })
                .collect();
            let done = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
            done.map(|part| part.expect("drawing does not panic"))
                .collect()
        });
        for part in parts {
            for (sample, resampled) in samples.iter_mut().zip(part) {
                sample.resampled.extend(resampled);
            }
        }
        Self {
            samples,
            clusters: clusters.count,
            largest: candidates
                .first()
                .and_then(|it| it.first()?.metric.largest()),
        }
    }

    /// Returns a candidate's score, the mean over its seeds.
    pub(crate) fn score(&self, candidate: usize, level: f64) -> Estimate {
        let sample = &self.samples[candidate];
        let seeds = vec![sample.of_run.clone()];
        self.estimate(
            mean(&sample.of_run),
            sample.resampled.clone(),
            &seeds,
            level,
        )
    }

    /// Returns how much more the first scores than the second.
    pub(crate) fn difference(&self, first: usize, second: usize, level: f64) -> Estimate {
        let (a, b) = (&self.samples[first], &self.samples[second]);
        let of_resamples = a.resampled.iter().zip(&b.resampled).map(|(a, b)| a - b);
        // As many seeds may be the same seeds, so they are paired; that is right if they are
        // not, too.
        let seeds = match a.of_run.len() == b.of_run.len() {
            true => vec![a.of_run.iter().zip(&b.of_run).map(|(a, b)| a - b).collect()],
            false => vec![a.of_run.clone(), b.of_run.clone()],
        };
        let value = mean(&a.of_run) - mean(&b.of_run);
        self.estimate(value, of_resamples.collect(), &seeds, level)
    }

    fn estimate(
        &self,
        value: f64,
        mut resampled: Vec<f64>,
        seeds: &[Vec<f64>],
        level: f64,
    ) -> Estimate {
        resampled.sort_unstable_by(f64::total_cmp);
        let n = self.clusters as f64;
        let few = if self.clusters > 1 {
            n / (n - 1.0)
        } else {
            1.0
        };
        let all = few * variance(&resampled);
        // Each seed's own part, with its degrees of freedom.
        let parts: Vec<(f64, f64)> = seeds
            .iter()
            .filter(|runs| runs.len() > 1)
            .map(|runs| {
                let runs_count = runs.len() as f64;
                let unbiased = variance(runs) * runs_count / (runs_count - 1.0);
                (unbiased / runs_count, runs_count - 1.0)
            })
            .collect();
        let of_seeds = parts.iter().map(|part| part.0).sum::<f64>().min(all);
        let of_questions = all - of_seeds;
        let mut uncertain = of_questions.powi(2) / (n - 1.0).max(1.0);
        for (part, degrees) in &parts {
            uncertain += part.powi(2) / degrees;
        }
        let stretch = if uncertain > 0.0 {
            let degrees = ((of_questions + of_seeds).powi(2) / uncertain).max(1.0);
            let p = 0.5 + 0.5 * level;
            few.sqrt() * student_quantile(p, degrees) / normal_quantile(p)
        } else {
            1.0
        };
        let point = Interval {
            low: value,
            high: value,
        };
        let plain = percentile_interval(&resampled, level).unwrap_or(point);
        if all == 0.0
            && let Some(largest) = self.largest
        {
            // No question differed from the others. How many may yet: that share p which
            // would go unseen in (1 − p)ⁿ of all samples (Clopper and Pearson 1934).
            let unseen = largest * (1.0 - (0.5 - 0.5 * level).powf(1.0 / n.max(1.0)));
            return Estimate {
                value,
                interval: Interval {
                    low: value - unseen,
                    high: value + unseen,
                },
                variance: Variance::default(),
            };
        }
        Estimate {
            value,
            interval: Interval {
                low: value - (value - plain.low) * stretch,
                high: value + (plain.high - value) * stretch,
            },
            variance: Variance {
                of_questions,
                of_seeds,
            },
        }
    }
}

/// Draws the resamples of `range`; returns each candidate's scores of them.
fn draw(
    candidates: &[&[Scores]],
    estimates: &[&[f64]],
    clusters: Clusters<'_>,
    seed: u64,
    range: std::ops::Range<usize>,
) -> Vec<Vec<f64>> {
    let mut drawn = vec![Vec::with_capacity(range.len()); candidates.len()];
    let mut of_cluster = vec![0.0; clusters.count];
    let mut weights = vec![0.0; clusters.of.len()];
    let mut sums = Vec::new();
    let mut scores = Vec::new();
    for resample in range {
        let mut random = Random::new(seed, resample as u64);
        of_cluster.fill(0.0);
        for _ in 0..clusters.count {
            of_cluster[random.below(clusters.count as u32) as usize] += 1.0;
        }
        clusters.spread(&of_cluster, &mut weights);
        for ((candidate, estimates), drawn) in candidates.iter().zip(estimates).zip(&mut drawn) {
            scores.clear();
            for (run, estimate) in candidate.iter().zip(*estimates) {
                sums.resize(run.rows.width(), 0.0);
                run.rows.weighted(&weights, &mut sums);
                // What is not defined of this resample says nothing: it is as it was.
                scores.push(run.metric.of_sums(&sums).unwrap_or(*estimate));
            }
            drawn.push(of_seeds(&scores, seed, resample as u64));
        }
    }
    drawn
}

/// Returns the mean over seeds that are drawn: the same ones for all candidates that have as
/// many.
fn of_seeds(scores: &[f64], seed: u64, resample: u64) -> f64 {
    let all = mean(scores);
    if scores.len() < 2 {
        return all;
    }
    let runs = scores.len() as f64;
    let mut random = Random::new(seed ^ 0x5EED, resample);
    let drawn = scores
        .iter()
        .map(|_| scores[random.below(scores.len() as u32) as usize]);
    let drawn = drawn.sum::<f64>() / runs;
    all + (runs / (runs - 1.0)).sqrt() * (drawn - all)
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The mean squared distance from the mean.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / values.len().max(1) as f64
}
