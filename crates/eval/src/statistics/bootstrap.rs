//! Paired bootstrap: how scores and their differences would vary, had other questions of the
//! same kind been asked, and other seeds been trained.
//!
//! Questions are drawn with replacement, the same for all candidates, so that what is hard for
//! all does not count as a difference (Efron and Tibshirani 1993; Koehn 2004). Questions that
//! were made from one passage are drawn together.
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
//! The interval is the percentile interval of the questions, stretched about the estimate by t/z
//! for so few clusters (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", §4);
//! to each side, the seeds' t √(V_seeds − c V_both) with R − 1 degrees of freedom is added as
//! squares are. c is (R − 2)/(R + 1) and not 1: of few seeds V_seeds is often small by chance, and
//! taking all of V_both away would leave a three-seed interval with the truth in 91 % of the
//! worst worlds. With it 95 % have it of normal numbers at least, whatever the parts' sizes, and
//! up to 98 % where seeds do not differ at all; two seeds say so little that theirs has it more often.

use super::distribution::{normal_quantile, student_quantile};
use super::interval::{Interval, percentile_interval};
use super::power::Variance;
use super::rows::Weights;
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
        let (a, b) = (&self.samples[first], &self.samples[second]);
        // As many seeds may be the same seeds, so they are paired; that is right if they are
        // not, too.
        match a.of_run.len() == b.of_run.len() {
            true => self.estimate(&[Part::less(a, b)], level),
            false => self.estimate(&[Part::of(a, 1.0), Part::of(b, -1.0)], level),
        }
    }

    /// Returns the sum of `parts`, whose seeds have nothing to do with one another.
    fn estimate(&self, parts: &[Part], level: f64) -> Estimate {
        let value = parts.iter().map(|part| mean(&part.of_run)).sum();
        let mut resampled = vec![0.0; self.times];
        for part in parts {
            for (sum, mean) in resampled.iter_mut().zip(&part.means) {
                *sum += mean;
            }
        }
        let n = self.clusters as f64;
        let few = if self.clusters > 1 {
            n / (n - 1.0)
        } else {
            1.0
        };
        let p = 0.5 + 0.5 * level;
        let of_questions = few * variance(&resampled);
        let (mut of_seeds, mut moved) = (0.0, 0.0);
        for part in parts.iter().filter(|part| part.of_run.len() > 1) {
            let degrees = part.of_run.len() as f64 - 1.0;
            let spread = variance(&part.of_run) / degrees;
            let both = few * part.apart / degrees;
            of_seeds += (spread - both).max(0.0);
            let kept = (degrees - 1.0) / (degrees + 2.0);
            let careful = (spread - kept * both).max(0.0);
            moved += student_quantile(p, degrees).powi(2) * careful;
        }
        resampled.sort_unstable_by(f64::total_cmp);
        let stretch = few.sqrt() * student_quantile(p, (n - 1.0).max(1.0)) / normal_quantile(p);
        let point = Interval {
            low: value,
            high: value,
        };
        let plain = percentile_interval(&resampled, level).unwrap_or(point);
        if of_questions + of_seeds == 0.0
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
        // To each side as far as questions and seeds move it together.
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
