//! The comparison of candidates: their answers become scores, paired differences with
//! intervals, and a verdict.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use contract::QuestionId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::metric::{Metric, Scores};
use crate::statistics::bootstrap::{Bootstrap, Clusters, Drawing};
use crate::statistics::{
    Interval, Paired, Settling, detectable, holm, mcnemar, randomisation, settling,
};
use crate::verdict::{Verdict, names, percent, verdict};
use crate::{GoldSet, Prediction};

/// What is to be decided and how, written down before anything is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// The metric that decides.
    pub metric: Metric,
    /// The smallest difference that would matter, in the metric's own unit (0.03 of F1, 2 of
    /// BLEU).
    pub smallest_difference: f64,
    /// How often a difference may be claimed where there is none.
    pub alpha: f64,
    /// How often a difference that matters is to be seen if it is there.
    pub power: f64,
    /// Metrics that are shown and do not decide.
    pub also: Vec<Metric>,
    /// From which all is drawn.
    pub seed: u64,
    /// How many resamples and exchanges are drawn of the metric that decides.
    pub resamples: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            metric: Metric::TokenF1,
            smallest_difference: 0.03,
            alpha: 0.05,
            power: 0.8,
            also: Vec::new(),
            seed: 12345,
            resamples: 10_000,
        }
    }
}

impl fmt::Display for Plan {
    /// Writes it in one line: `f1; differences of 0.03 or more matter; 5 % false claims`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; differences of {} or more matter; {} % false claims",
            self.metric,
            self.smallest_difference,
            percent(self.alpha)
        )
    }
}

/// A candidate's answers, and what it costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CandidateAnswers {
    /// Its name: `prompt`, `rag`, `fine-tuned`, `hybrid`, …
    pub name: String,
    /// Its answers to all questions, for each seed that it was trained with; one list where
    /// nothing was trained.
    pub runs: Vec<Vec<Prediction>>,
    /// What it costs.
    #[serde(default)]
    pub cost: Cost,
}

/// What a candidate costs, as far as it is known. Money is in US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Before the first question: indexing, training.
    pub upfront_usd: Option<f64>,
    /// A thousand questions.
    pub thousand_questions_usd: Option<f64>,
    /// One update of what it knows.
    pub update_usd: Option<f64>,
    /// How long before the first question.
    pub upfront_seconds: Option<f64>,
    /// From a change of the documents to the right answer.
    pub update_seconds: Option<f64>,
    /// What it takes on the disk.
    pub disk_bytes: Option<u64>,
}

/// Why candidates cannot be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// There is nothing to ask.
    #[error("there is no question to compare by: expected at least one example with an answer")]
    NoQuestions,
    /// There is nobody to compare.
    #[error("there is no candidate with answers: expected at least one")]
    NoCandidates,
    /// Two candidates cannot be told apart.
    #[error("two candidates are named `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// A candidate answers a question twice.
    #[error("`{candidate}` answers `{question}` twice in one run")]
    Twice {
        /// The candidate.
        candidate: String,
        /// The question.
        question: QuestionId,
    },
    /// No answer of a candidate has what the deciding metric measures.
    #[error("`{metric}` is not defined for `{candidate}`: no answer has what it measures")]
    NotMeasured {
        /// The metric.
        metric: Metric,
        /// The candidate.
        candidate: String,
    },
    /// The plan cannot be followed.
    #[error("`{key}` is {value} in the plan; expected {expected}")]
    Plan {
        /// The key.
        key: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// What was to be decided.
    pub plan: Plan,
    /// How many questions were asked.
    pub questions: usize,
    /// How many clusters they form.
    pub clusters: usize,
    /// The candidates, in the order in which they were given.
    pub candidates: Vec<CandidateScores>,
    /// Each two candidates by the deciding metric, the better first; the largest difference
    /// first.
    pub differences: Vec<Difference>,
    /// Who wins.
    pub verdict: Verdict,
    /// Which candidates refuse nearly everything, where some questions have an answer: such a
    /// candidate can come first by the questions that have none, and is of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<String>,
}

/// A candidate's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CandidateScores {
    /// Its name.
    pub name: String,
    /// How many seeds it was trained with.
    pub seeds: usize,
    /// Its score by each metric that is defined, with its interval.
    pub metrics: BTreeMap<String, Score>,
    /// What it costs.
    pub cost: Cost,
    /// What its answers took.
    pub effort: Effort,
    /// Questions of all runs that it did not answer, for it failed.
    pub failed: usize,
    /// Questions of all runs that it refused.
    pub refused: usize,
    /// Answers to what was not asked; they do not count.
    pub unknown: usize,
    /// The deciding metric's value of each question, the mean over the seeds, in the order of
    /// the questions.
    #[serde(skip)]
    pub by_question: Vec<Option<f64>>,
}

/// A score with its interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The score, the mean over the seeds.
    pub value: f64,
    /// Where it lies, at the plan's level.
    pub interval: Interval,
    /// That of each seed.
    pub by_seed: Vec<f64>,
    /// How it was computed, so that others can compare it.
    pub signature: String,
}

/// What answers took. Of nothing measured there is nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Effort {
    /// From question to answer.
    pub latency: Option<crate::metric::Latency>,
    /// Tokens read, on the mean.
    pub prompt_tokens: Option<f64>,
    /// Tokens written, on the mean.
    pub completion_tokens: Option<f64>,
    /// The most memory.
    pub peak_memory_bytes: Option<u64>,
}

/// How two candidates differ by the deciding metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The better one.
    pub better: String,
    /// The other.
    pub worse: String,
    /// How much better: above 0, whichever way the metric counts.
    pub difference: f64,
    /// Where it lies, at the plan's level.
    pub interval: Interval,
    /// Of paired approximate randomisation, or McNemar's exact test where answers are right or
    /// wrong and independent; two-sided. With several seeds, what chance makes of the seeds counts
    /// too: the larger of the two.
    pub p_value: f64,
    /// The same, corrected for the number of comparisons (Holm).
    pub p_corrected: f64,
    /// Which test it is.
    pub test: &'static str,
    /// The smallest difference that so many questions would mostly show, as often as the plan's
    /// power says; nothing where it is not known how answers vary.
    pub detectable: Option<f64>,
    /// What would settle whether a difference that matters is there.
    pub settling: Settling,
}

/// Compares candidates by a plan.
pub fn compare(
    gold: &GoldSet,
    candidates: &[CandidateAnswers],
    plan: &Plan,
) -> Result<Compared, CompareError> {
    check(gold, candidates, plan)?;
    let answers: Vec<Vec<Vec<Option<&Prediction>>>> = candidates
        .iter()
        .map(|candidate| {
            candidate
                .runs
                .iter()
                .map(|run| in_order(gold, run))
                .collect()
        })
        .collect();
    let score = |metric: Metric| -> Vec<Vec<Scores>> {
        let of = |runs: &Vec<Vec<Option<&Prediction>>>| {
            runs.iter().map(|run| metric.score(gold, run)).collect()
        };
        answers.iter().map(of).collect()
    };
    let level = 1.0 - plan.alpha;
    let clusters = Clusters {
        of: gold.clusters(),
        count: gold.cluster_count(),
    };
    let mut scored: Vec<CandidateScores> = candidates
        .iter()
        .zip(&answers)
        .map(|(candidate, answers)| described(gold, candidate, answers))
        .collect();
    let mut metrics = vec![plan.metric];
    for metric in &plan.also {
        if !metrics.contains(metric) {
            metrics.push(*metric);
        }
    }
    let mut differences = Vec::new();
    for metric in metrics {
        let decides = metric == plan.metric;
        let drawing = Drawing {
            times: if decides {
                plan.resamples
            } else {
                plan.resamples.min(1000)
            },
            seed: plan.seed,
        };
        let all = score(metric);
        let is_defined = |scores: &Vec<Scores>| scores.iter().all(|it| it.value().is_some());
        if let Some(missing) = all
            .iter()
            .position(|it| !is_defined(it))
            .filter(|_| decides)
        {
            return Err(CompareError::NotMeasured {
                metric,
                candidate: candidates[missing].name.clone(),
            });
        }
        let defined: Vec<usize> = (0..all.len()).filter(|it| is_defined(&all[*it])).collect();
        let scores: Vec<&[Scores]> = defined.iter().map(|it| all[*it].as_slice()).collect();
        let bootstrap = Bootstrap::new(&scores, clusters, drawing);
        for (place, index) in defined.iter().enumerate() {
            let estimate = bootstrap.score(place, level);
            let by_seed = all[*index].iter().filter_map(Scores::value).collect();
            let score = Score {
                value: estimate.value,
                interval: within(estimate.interval, metric),
                by_seed,
                signature: metric.signature(gold),
            };
            scored[*index]
                .metrics
                .insert(metric.name().to_owned(), score);
            if decides {
                scored[*index].by_question = by_question(&all[*index]);
            }
        }
        if decides {
            differences = pairwise(gold, &scored, &scores, &bootstrap, plan, drawing);
        }
    }
    let verdict = verdict(plan, gold.len(), &scored, &differences);
    Ok(Compared {
        plan: plan.clone(),
        questions: gold.len(),
        clusters: gold.cluster_count(),
        silent: silent(gold, &scored),
        candidates: scored,
        differences,
        verdict,
    })
}

/// Whoever refuses this share of the questions answers none to speak of.
const SILENT: f64 = 0.95;

fn silent(gold: &GoldSet, candidates: &[CandidateScores]) -> Option<String> {
    let without = gold.questions().iter().filter(|it| it.is_unanswerable());
    let without = without.count() as f64 / gold.len().max(1) as f64;
    let silent = candidates.iter().filter(|it| {
        let asked = gold.len() * it.seeds;
        asked > 0 && it.refused as f64 >= SILENT * asked as f64
    });
    let silent: Vec<&str> = silent.map(|it| it.name.as_str()).collect();
    let (refuse, score) = match silent.as_slice() {
        [] => return None,
        [_] => ("refuses", "its score is"),
        _ => ("refuse", "their scores are"),
    };
    (without < SILENT).then(|| {
        format!(
            "{} {refuse} at least {} in 100 questions: {score} from the {:.0} in 100 that have no \
             answer, and nobody is told anything",
            names(&silent),
            percent(SILENT),
            100.0 * without
        )
    })
}

/// Cuts an interval to where the metric can be.
fn within(interval: Interval, metric: Metric) -> Interval {
    Interval {
        low: interval.low.max(0.0),
        high: metric
            .largest()
            .map_or(interval.high, |most| interval.high.min(most)),
    }
}

fn check(gold: &GoldSet, candidates: &[CandidateAnswers], plan: &Plan) -> Result<(), CompareError> {
    if gold.is_empty() {
        return Err(CompareError::NoQuestions);
    }
    if candidates.is_empty() || candidates.iter().any(|it| it.runs.is_empty()) {
        return Err(CompareError::NoCandidates);
    }
    let shares = [("alpha", plan.alpha), ("power", plan.power)];
    for (key, value) in shares {
        if !(value > 0.0 && value < 1.0) {
            let expected = "a share above 0 and below 1";
            return Err(CompareError::Plan {
                key,
                value,
                expected,
            });
        }
    }
    if !(plan.smallest_difference >= 0.0 && plan.smallest_difference.is_finite()) {
        return Err(CompareError::Plan {
            key: "smallest_difference",
            value: plan.smallest_difference,
            expected: "a number from 0, in the unit of the metric",
        });
    }
    if !(100..=1_000_000).contains(&plan.resamples) {
        return Err(CompareError::Plan {
            key: "resamples",
            value: plan.resamples as f64,
            expected: "a whole number from 100 to 1000000",
        });
    }
    for (place, candidate) in candidates.iter().enumerate() {
        if candidates[..place]
            .iter()
            .any(|it| it.name == candidate.name)
        {
            return Err(CompareError::SameName {
                name: candidate.name.clone(),
            });
        }
        for run in &candidate.runs {
            let mut seen = HashSet::new();
            if let Some(twice) = run.iter().find(|it| !seen.insert(&it.question)) {
                return Err(CompareError::Twice {
                    candidate: candidate.name.clone(),
                    question: twice.question.clone(),
                });
            }
        }
    }
    Ok(())
}

fn in_order<'a>(gold: &GoldSet, run: &'a [Prediction]) -> Vec<Option<&'a Prediction>> {
    let mut answers = vec![None; gold.len()];
    for prediction in run {
        if let Some(place) = gold.place(&prediction.question) {
            answers[place] = Some(prediction);
        }
    }
    answers
}

/// Returns a candidate without its scores.
fn described(
    gold: &GoldSet,
    candidate: &CandidateAnswers,
    answers: &[Vec<Option<&Prediction>>],
) -> CandidateScores {
    let given = || answers.iter().flatten().filter_map(|answer| *answer);
    let answered: Vec<&Prediction> = given().filter(|it| it.failure.is_none()).collect();
    let asked = gold.len() * answers.len();
    let mean = |of: fn(&Prediction) -> Option<contract::Tokens>| {
        let counts: Vec<f64> = answered
            .iter()
            .filter_map(|it| of(it))
            .map(|it| it.0 as f64)
            .collect();
        (!counts.is_empty()).then(|| counts.iter().sum::<f64>() / counts.len() as f64)
    };
    let seconds: Vec<f64> = answered.iter().filter_map(|it| it.seconds).collect();
    CandidateScores {
        name: candidate.name.clone(),
        seeds: candidate.runs.len(),
        metrics: BTreeMap::new(),
        cost: candidate.cost,
        effort: Effort {
            latency: crate::metric::Latency::new(&seconds),
            prompt_tokens: mean(|it| it.prompt_tokens),
            completion_tokens: mean(|it| it.completion_tokens),
            peak_memory_bytes: answered
                .iter()
                .filter_map(|it| it.peak_memory)
                .max()
                .map(|it| it.0),
        },
        failed: asked - answered.len(),
        refused: given().filter(|it| it.refused).count(),
        unknown: candidate.runs.iter().map(Vec::len).sum::<usize>() - given().count(),
        by_question: Vec::new(),
    }
}

fn by_question(runs: &[Scores]) -> Vec<Option<f64>> {
    let questions = runs.first().map_or(0, |run| run.by_question.len());
    (0..questions)
        .map(|question| {
            let values: Option<Vec<f64>> =
                runs.iter().map(|run| run.by_question[question]).collect();
            values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
        })
        .collect()
}

fn pairwise(
    gold: &GoldSet,
    scored: &[CandidateScores],
    scores: &[&[Scores]],
    bootstrap: &Bootstrap,
    plan: &Plan,
    drawing: Drawing,
) -> Vec<Difference> {
    let mut pairs = Vec::new();
    let sign = if plan.metric.more_is_better() {
        1.0
    } else {
        -1.0
    };
    for first in 0..scored.len() {
        for second in first + 1..scored.len() {
            let better = sign * bootstrap.difference(first, second, 0.5).value >= 0.0;
            pairs.push(if better {
                (first, second)
            } else {
                (second, first)
            });
        }
    }
    let clusters = Clusters {
        of: gold.clusters(),
        count: gold.cluster_count(),
    };
    let independent = gold.cluster_count() == gold.len();
    let exact = |(a, b): &(usize, usize)| {
        let single = scores[*a].len() == 1 && scores[*b].len() == 1;
        plan.metric.is_right_or_wrong() && single && independent
    };
    let is_exact: Vec<bool> = pairs.iter().map(exact).collect();
    let drawn: Vec<(usize, usize)> = pairs
        .iter()
        .zip(&is_exact)
        .filter(|(_, exact)| !**exact)
        .map(|(pair, _)| *pair)
        .collect();
    let mut randomised = randomisation::p_values(scores, &drawn, clusters, drawing).into_iter();
    let p_values: Vec<f64> = pairs
        .iter()
        .zip(&is_exact)
        .map(|((a, b), exact)| match exact {
            true => mcnemar(Paired::new(
                &scores[*a][0].by_question,
                &scores[*b][0].by_question,
            )),
            // Exchanged answers say what other questions might have made of it, and nothing of
            // other seeds.
            false => {
                let exchanged = randomised.next().expect("a p-value for each pair");
                exchanged.max(bootstrap.p_value(*a, *b).unwrap_or(0.0))
            }
        })
        .collect();
    let corrected = holm(&p_values);
    let mut found: Vec<Difference> = Vec::new();
    for (place, (better, worse)) in pairs.iter().enumerate() {
        let estimate = bootstrap.difference(*better, *worse, 1.0 - plan.alpha);
        let interval = match sign > 0.0 {
            true => estimate.interval,
            false => Interval {
                low: -estimate.interval.high,
                high: -estimate.interval.low,
            },
        };
        // Nothing differs by more than the metric is long.
        let most = plan.metric.largest().unwrap_or(f64::INFINITY);
        let interval = Interval {
            low: interval.low.max(-most),
            high: interval.high.min(most),
        };
        let seeds = scored[*better].seeds.max(scored[*worse].seeds);
        found.push(Difference {
            better: scored[*better].name.clone(),
            worse: scored[*worse].name.clone(),
            difference: sign * estimate.value,
            interval,
            p_value: p_values[place],
            p_corrected: corrected[place],
            test: match is_exact[place] {
                true => "McNemar, exact",
                false if seeds > 1 => "paired approximate randomisation, and t of the seeds",
                false => "paired approximate randomisation",
            },
            detectable: detectable(estimate.variance, plan.alpha, plan.power),
            settling: settling(
                estimate.variance,
                gold.len(),
                seeds,
                plan.smallest_difference,
                plan.alpha,
                plan.power,
            ),
        });
    }
    found.sort_by(|a, b| b.difference.total_cmp(&a.difference));
    found
}
