//! Paired bootstrap: how scores and their differences would vary, had other questions of the
//! same kind been asked, and other seeds been trained.
//!
//! Questions are drawn with replacement, the same for all candidates, so that what is hard for
//! all does not count as a difference (Efron and Tibshirani 1993; Koehn 2004). Questions that
//! were made from one passage are drawn together.
//!
//! The interval is the percentile interval of the questions, stretched about the estimate by t/z
//! for so few clusters (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", §4); to
//! each side, what training seeds add ([`super::seeds`]) is added as squares are.

use super::distribution::{normal_quantile, student_quantile};
use super::interval::{Interval, percentile_interval};
use super::power::Variance;
use super::rows::Weights;
use super::seeds::{Parts, Seeds};
use crate::metric::Scores;
use crate::random::Random;
use crate::shares::shares;

/// Which questions belong together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clusters<'a> {
    /// The number of each question's cluster.
    pub(crate) of: &'a [u32],
    /// How many clusters there are.
    pub(crate) count: usize,
}

impl Clusters<'_> {
    /// Puts into `weights` how often each question counts: as often as its cluster.
    pub(crate) fn spread(&self, of_cluster: &[u16], weights: &mut Weights) {
        weights.set(self.of.iter().map(|cluster| of_cluster[*cluster as usize]));
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
    /// Of each seed, of each resample.
    resampled: Vec<Vec<f64>>,
}

/// The resamples of all candidates.
#[derive(Clone, Debug)]
pub(crate) struct Bootstrap {
    samples: Vec<Sample>,
    times: usize,
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
                resampled: vec![Vec::with_capacity(drawing.times); scores.len()],
            })
            .collect();
        // Each resample has its own stream, so it does not matter who draws it.
        let estimates: Vec<&[f64]> = samples.iter().map(|it| it.of_run.as_slice()).collect();
        let parts = shares(drawing.times, |range| {
            draw(candidates, &estimates, clusters, drawing.seed, range)
        });
        for part in parts {
            for (sample, runs) in samples.iter_mut().zip(part) {
                for (all, resampled) in sample.resampled.iter_mut().zip(runs) {
                    all.extend(resampled);
                }
            }
        }
        Self {
            samples,
            times: drawing.times,
            clusters: clusters.count,
            largest: candidates
                .first()
                .and_then(|it| it.first()?.metric.largest()),
        }
    }

    /// Returns a candidate's score, the mean over its seeds.
    pub(crate) fn score(&self, candidate: usize, level: f64) -> Estimate {
        self.estimate(&[Part::of(&self.samples[candidate], 1.0)], level)
    }

    /// Returns how much more the first scores than the second.
    pub(crate) fn difference(&self, first: usize, second: usize, level: f64) -> Estimate {
        self.estimate(&self.less(first, second), level)
    }

    /// Returns how often the two would differ so much by the choice of questions and seeds alone,
    /// were they equally good; nothing where neither was trained with several seeds.
    pub(crate) fn p_value(&self, first: usize, second: usize) -> Option<f64> {
        let (value, _, parts) = self.parts(&self.less(first, second));
        parts.p_value(value)
    }

    fn less(&self, first: usize, second: usize) -> Vec<Part> {
        let (a, b) = (&self.samples[first], &self.samples[second]);
        // As many seeds may be the same seeds, so they are paired; that is right if they are
        // not, too.
        match a.of_run.len() == b.of_run.len() {
            true => vec![Part::less(a, b)],
            false => vec![Part::of(a, 1.0), Part::of(b, -1.0)],
        }
    }

    /// Returns the sum of `parts`, whose seeds have nothing to do with one another: its value, that
    /// of each resample, and what its variance consists of.
    fn parts(&self, parts: &[Part]) -> (f64, Vec<f64>, Parts) {
        let value = parts.iter().map(|part| mean(&part.of_run)).sum();
        let mut resampled = vec![0.0; self.times];
        for part in parts {
            for (sum, mean) in resampled.iter_mut().zip(&part.means) {
                *sum += mean;
            }
        }
        let few = self.few();
        let of = |part: &Part| {
            let degrees = part.of_run.len() as f64 - 1.0;
            Seeds {
                degrees,
                spread: variance(&part.of_run) / degrees,
                both: few * part.apart / degrees,
            }
        };
        let trained = parts.iter().filter(|part| part.of_run.len() > 1);
        let parts = Parts {
            of_questions: few * variance(&resampled),
            questions: self.clusters as f64,
            seeds: trained.map(of).collect(),
        };
        (value, resampled, parts)
    }

    /// By how much a variance of so few clusters is larger than resamples have it.
    fn few(&self) -> f64 {
        let n = self.clusters as f64;
        if self.clusters > 1 {
            n / (n - 1.0)
        } else {
            1.0
        }
    }

    /// Returns the sum of `parts` with its interval.
    fn estimate(&self, parts: &[Part], level: f64) -> Estimate {
        let (value, mut resampled, parts) = self.parts(parts);
        let n = self.clusters as f64;
        let p = 0.5 + 0.5 * level;
        let (of_questions, of_seeds) = (parts.of_questions, parts.of_seeds());
        resampled.sort_unstable_by(f64::total_cmp);
        let stretch =
            self.few().sqrt() * student_quantile(p, (n - 1.0).max(1.0)) / normal_quantile(p);
        let point = Interval {
            low: value,
            high: value,
        };
        let plain = percentile_interval(&resampled, level).unwrap_or(point);
        // A mean of equal numbers is off by its last digits.
        if let Some(largest) = self.largest
            && of_questions + of_seeds <= (1e-9 * largest).powi(2)
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
        // To each side as far as questions and seeds move it together.
        let moved = parts.far(p);
        let far = |far: f64| (far * far.abs() + moved).max(0.0).sqrt();
        Estimate {
            value,
            interval: Interval {
                low: value - far((value - plain.low) * stretch),
                high: value + far((plain.high - value) * stretch),
            },
            variance: Variance {
                of_questions,
                of_seeds,
            },
        }
    }
}

/// What is estimated, or a part of it: a value of each seed.
struct Part {
    of_run: Vec<f64>,
    /// The mean over the seeds, of each resample.
    means: Vec<f64>,
    /// The variance of a seed's distance from that mean as questions are drawn, the mean over
    /// the seeds.
    apart: f64,
}

impl Part {
    /// A candidate's scores, times `sign`.
    fn of(sample: &Sample, sign: f64) -> Self {
        let of = |values: &Vec<f64>| values.iter().map(|value| sign * value).collect();
        let resampled: Vec<Vec<f64>> = sample.resampled.iter().map(of).collect();
        Self::new(of(&sample.of_run), &resampled)
    }

    /// One candidate's scores less another's with as many seeds.
    fn less(a: &Sample, b: &Sample) -> Self {
        let less = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a - b).collect();
        let resampled: Vec<Vec<f64>> = a.resampled.iter().zip(&b.resampled).map(less).collect();
        Self::new(less((&a.of_run, &b.of_run)), &resampled)
    }

    fn new(of_run: Vec<f64>, resampled: &[Vec<f64>]) -> Self {
        let runs = of_run.len() as f64;
        let times = resampled.first().map_or(0, Vec::len);
        let mean_of = |resample: usize| resampled.iter().map(|run| run[resample]).sum::<f64>();
        let means: Vec<f64> = (0..times).map(|it| mean_of(it) / runs).collect();
        let apart = |run: &Vec<f64>| {
            let distances: Vec<f64> = run.iter().zip(&means).map(|(a, b)| a - b).collect();
            variance(&distances)
        };
        let apart = match of_run.len() > 1 {
            true => resampled.iter().map(apart).sum::<f64>() / runs,
            false => 0.0,
        };
        Self {
            of_run,
            means,
            apart,
        }
    }
}

/// Draws the resamples of `range`; returns of each candidate and each of its seeds the scores of
/// them.
fn draw(
    candidates: &[&[Scores]],
    estimates: &[&[f64]],
    clusters: Clusters<'_>,
    seed: u64,
    range: std::ops::Range<usize>,
) -> Vec<Vec<Vec<f64>>> {
    let mut drawn: Vec<Vec<Vec<f64>>> = candidates
        .iter()
        .map(|runs| vec![Vec::with_capacity(range.len()); runs.len()])
        .collect();
    let mut of_cluster = vec![0; clusters.count];
    let mut weights = Weights::new(clusters.of.len());
    let mut sums = Vec::new();
    for resample in range {
        let mut random = Random::new(seed, resample as u64);
        of_cluster.fill(0);
        for _ in 0..clusters.count {
            let drawn: &mut u16 = &mut of_cluster[random.below(clusters.count as u32) as usize];
            *drawn = drawn.saturating_add(1);
        }
        clusters.spread(&of_cluster, &mut weights);
        for ((candidate, estimates), drawn) in candidates.iter().zip(estimates).zip(&mut drawn) {
            for ((run, estimate), drawn) in candidate.iter().zip(*estimates).zip(drawn) {
                sums.resize(run.rows.width(), 0.0);
                run.rows.weighted(&weights, &mut sums);
                // What is not defined of this resample says nothing: it is as it was.
                drawn.push(run.metric.of_sums(&sums).unwrap_or(*estimate));
            }
        }
    }
    drawn
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
