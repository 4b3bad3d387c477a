//! A router that was taught: on questions that were answered both from evidence and by the
//! model alone, and of which both answers were judged.

use serde::{Deserialize, Serialize};

use super::logistic::{Logistic, LogisticError, Observation, fit};
use super::{Form, Route};

/// What the router looks at.
const FEATURES: [&str; 8] = [
    "best score",
    "gap to the second",
    "mean of the first five",
    "asks for a fact",
    "wants something made",
    "question mark",
    "words",
    "more like those that evidence helped",
];
/// The inverse of the penalty's strength. Development sets are small.
const C: f64 = 1.0;
/// In how many parts the lessons are divided to see how good a router is on those that it was
/// not taught on.
const FOLDS: usize = 10;

/// A question as the router sees it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What is asked.
    pub question: &'a str,
    /// The scores of what is found for it, 0 to 1, the best first.
    pub scores: &'a [f64],
    /// Its vector, where there is an embedder.
    pub vector: Option<&'a [f32]>,
}

/// A question of which both answers were judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What is asked.
    pub question: String,
    /// The scores of what is found for it, 0 to 1, the best first.
    pub scores: Vec<f64>,
    /// Its vector, where there is an embedder.
    pub vector: Option<Vec<f32>>,
    /// How much better the answer from evidence is; below 0, the model's alone is better.
    pub gain: f64,
}

/// Decides where the answer to a question comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Router {
    /// Who made the vectors that it was taught with, if any.
    pub embedder: Option<String>,
    /// What teaching came to.
    pub taught: Taught,
    /// Decides; nothing where the same is better for all.
    decides: Option<Decides>,
    /// Where everything goes if nothing decides.
    always: Route,
}

/// What a router was taught on, and how good it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taught {
    /// On how many questions.
    pub questions: usize,
    /// Of them, those that are answered better from evidence …
    pub retrieval_better: usize,
    /// … and those that the model answers better alone. The rest does not tell.
    pub alone_better: usize,
    /// The share of those that tell which are sent the better way, each by a router that was
    /// not taught on it. Nothing where no router decides.
    pub held_out: Option<f64>,
    /// What each feature counts, in standard deviations; above 0, it speaks for evidence.
    pub weights: Vec<(String, f64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Decides {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    regression: Logistic,
    /// The sums of the vectors of those that evidence helped, and of the others.
    helped: Vec<f64>,
    others: Vec<f64>,
}

impl Router {
    /// Teaches a router. A question counts by how much one answer is better than the other.
    pub fn teach(lessons: &[Judged], embedder: Option<String>) -> Self {
        let tells: Vec<&Judged> = lessons.iter().filter(|it| it.gain != 0.0).collect();
        let retrieval_better = tells.iter().filter(|it| it.gain > 0.0).count();
        let alone_better = tells.len() - retrieval_better;
        let decides = Decides::teach(&tells).ok();
        let held_out = decides.as_ref().map(|_| held_out(&tells));
        let weights = decides.iter().flat_map(|it| {
            let names = FEATURES.iter().map(|name| (*name).to_owned());
            names.zip(it.regression.weights.iter().copied())
        });
        Self {
            embedder,
            taught: Taught {
                questions: lessons.len(),
                retrieval_better,
                alone_better,
                held_out,
                weights: weights.collect(),
            },
            // Where nothing tells, evidence can at least be checked.
            always: match alone_better > retrieval_better {
                true => Route::Alone,
                false => Route::Retrieval,
            },
            decides,
        }
    }

    /// Returns how likely the answer from evidence is the better one, 0 to 1.
    pub fn probability(&self, asked: &Asked<'_>) -> f64 {
        match &self.decides {
            Some(decides) => decides.probability(asked),
            None => f64::from(u8::from(self.always == Route::Retrieval)),
        }
    }

    /// Decides.
    pub fn route(&self, asked: &Asked<'_>) -> Route {
        match self.probability(asked) >= 0.5 {
            true => Route::Retrieval,
            false => Route::Alone,
        }
    }
}

impl Decides {
    /// # Errors
    /// If the same is better for all.
    fn teach(lessons: &[&Judged]) -> Result<Self, LogisticError> {
        let longest = lessons.iter().filter_map(|it| it.vector.as_ref());
        let length = longest.map(Vec::len).max().unwrap_or(0);
        let (mut helped, mut others) = (vec![0.0; length], vec![0.0; length]);
        for lesson in lessons {
            let sums = if lesson.gain > 0.0 {
                &mut helped
            } else {
                &mut others
            };
            add(sums, lesson.vector.as_deref(), 1.0);
        }
        // A question's own vector is not among those that it is held against.
        let all: Vec<Vec<f64>> = lessons
            .iter()
            .map(|lesson| {
                let (mut helped, mut others) = (helped.clone(), others.clone());
                let sums = if lesson.gain > 0.0 {
                    &mut helped
                } else {
                    &mut others
                };
                add(sums, lesson.vector.as_deref(), -1.0);
                features(&asked(lesson), &helped, &others)
            })
            .collect();
        let n = all.len().max(1) as f64;
        let mean: Vec<f64> = (0..FEATURES.len())
            .map(|at| all.iter().map(|row| row[at]).sum::<f64>() / n)
            .collect();
        let deviation: Vec<f64> = (0..FEATURES.len())
            .map(|at| {
                let squares = all.iter().map(|row| (row[at] - mean[at]).powi(2));
                let deviation = (squares.sum::<f64>() / n).sqrt();
                // What is the same for all tells nothing.
                if deviation > 1e-9 {
                    deviation
                } else {
                    f64::INFINITY
                }
            })
            .collect();
        // On the mean a question counts once, whatever the metric's unit.
        let gains: f64 = lessons.iter().map(|it| it.gain.abs()).sum();
        let observations: Vec<Observation> = lessons
            .iter()
            .zip(&all)
            .map(|(lesson, row)| Observation {
                features: standard(row, &mean, &deviation),
                is: lesson.gain > 0.0,
                weight: lesson.gain.abs() * n / gains,
            })
            .collect();
        let regression = fit(&observations, C)?;
        // JSON knows no infinity.
        let deviation = deviation
            .into_iter()
            .map(|it| if it.is_finite() { it } else { 0.0 })
            .collect();
        Ok(Self {
            mean,
            deviation,
            regression,
            helped,
            others,
        })
    }

    fn probability(&self, asked: &Asked<'_>) -> f64 {
        let row = features(asked, &self.helped, &self.others);
        let row = standard(&row, &self.mean, &self.deviation);
        self.regression.probability(&row)
    }
}

/// Returns the share of lessons that are sent the better way by routers that were taught on
/// the others; where the others are all alike, by what is better for them.
fn held_out(lessons: &[&Judged]) -> f64 {
    let mut right = 0;
    for fold in 0..FOLDS {
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        for (place, lesson) in lessons.iter().enumerate() {
            match place % FOLDS == fold {
                true => mine.push(*lesson),
                false => others.push((*lesson).clone()),
            }
        }
        if mine.is_empty() {
            continue;
        }
        let refs: Vec<&Judged> = others.iter().collect();
        let decides = Decides::teach(&refs).ok();
        let usually = refs.iter().filter(|it| it.gain > 0.0).count() * 2 >= refs.len();
        for lesson in mine {
            let retrieval = match &decides {
                Some(decides) => decides.probability(&asked(lesson)) >= 0.5,
                None => usually,
            };
            right += usize::from(retrieval == (lesson.gain > 0.0));
        }
    }
    right as f64 / lessons.len().max(1) as f64
}

fn asked(lesson: &Judged) -> Asked<'_> {
    Asked {
        question: &lesson.question,
        scores: &lesson.scores,
        vector: lesson.vector.as_deref(),
    }
}

fn standard(row: &[f64], mean: &[f64], deviation: &[f64]) -> Vec<f64> {
    row.iter()
        .zip(mean)
        .zip(deviation)
        .map(|((value, mean), deviation)| match *deviation > 0.0 {
            true => (value - mean) / deviation,
            false => 0.0,
        })
        .collect()
}

fn add(sums: &mut [f64], vector: Option<&[f32]>, times: f64) {
    for (sum, value) in sums.iter_mut().zip(vector.unwrap_or_default()) {
        *sum += times * f64::from(*value);
    }
}

/// Returns what the router looks at, in the order of [`FEATURES`].
fn features(asked: &Asked<'_>, helped: &[f64], others: &[f64]) -> Vec<f64> {
    let score = |at: usize| asked.scores.get(at).copied().unwrap_or(0.0);
    let first: f64 = asked.scores.iter().take(5).sum();
    let form = Form::of(asked.question);
    let flag = |is: bool| f64::from(u8::from(is));
    let words = asked.question.split_whitespace().count();
    let likeness = |sums: &[f64]| -> f64 {
        let length = sums.iter().map(|it| it * it).sum::<f64>().sqrt();
        let vector = asked.vector.unwrap_or_default();
        let product: f64 = sums
            .iter()
            .zip(vector)
            .map(|(a, b)| a * f64::from(*b))
            .sum();
        if length > 1e-12 {
            product / length
        } else {
            0.0
        }
    };
    vec![
        score(0),
        score(0) - score(1),
        first / 5.0,
        flag(form == Form::Fact),
        flag(form == Form::Creation),
        flag(asked.question.trim_end().ends_with('?')),
        (1.0 + words as f64).ln(),
        likeness(helped) - likeness(others),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(question: &str, best: f64, vector: [f32; 2], gain: f64) -> Judged {
        Judged {
            question: question.into(),
            scores: vec![best, 0.3],
            vector: Some(vector.to_vec()),
            gain,
        }
    }

    /// Questions whose best passage is good are answered better from it.
    fn lessons() -> Vec<Judged> {
        (0..40)
            .map(|n| {
                let good = n % 3 != 0;
                let best = if good { 0.8 } else { 0.5 } + 0.01 * f64::from(n % 7);
                let vector = if good { [1.0, 0.0] } else { [0.0, 1.0] };
                let gain = if good { 0.6 } else { -0.4 };
                judged("Tell me of it", best, vector, gain)
            })
            .collect()
    }

    #[test]
    fn what_helped_is_learnt() {
        let router = Router::teach(&lessons(), Some("e".into()));
        let route = |scores: &[f64], vector: &[f32]| {
            router.route(&Asked {
                question: "Tell me of it",
                scores,
                vector: Some(vector),
            })
        };
        assert_eq!(route(&[0.85, 0.3], &[1.0, 0.0]), Route::Retrieval);
        assert_eq!(route(&[0.5, 0.3], &[0.0, 1.0]), Route::Alone);
        assert_eq!(router.taught.held_out, Some(1.0));
        assert_eq!(
            (router.taught.retrieval_better, router.taught.alone_better),
            (26, 14)
        );
        // Kept and read again, it decides the same.
        let text = serde_json::to_string(&router).unwrap();
        let kept: Router = serde_json::from_str(&text).unwrap();
        for lesson in lessons() {
            let (mine, kept) = (
                router.probability(&asked(&lesson)),
                kept.probability(&asked(&lesson)),
            );
            assert_eq!(mine.to_bits(), kept.to_bits(), "{mine} {kept}");
        }
    }

    #[test]
    fn where_one_is_always_better_nothing_decides() {
        let check = |gain: f64, expect: Route| {
            let mut lessons = lessons();
            for lesson in &mut lessons {
                lesson.gain = gain;
            }
            let router = Router::teach(&lessons, None);
            let asked = asked(&lessons[0]);
            assert_eq!(
                (router.route(&asked), router.taught.held_out),
                (expect, None)
            );
        };
        check(0.2, Route::Retrieval);
        check(-0.2, Route::Alone);
        check(0.0, Route::Retrieval);
    }

    #[test]
    fn chance_is_not_held_for_a_rule() {
        // Which is better does not follow from anything seen.
        let lessons: Vec<Judged> = (0..60_u32)
            .map(|n| {
                let noise = f64::from(n.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
                let gain = if n.wrapping_mul(40_503) & 64 == 0 {
                    1.0
                } else {
                    -1.0
                };
                judged("Tell me of it", noise, [noise as f32, 0.5], gain)
            })
            .collect();
        let held_out = Router::teach(&lessons, None).taught.held_out.unwrap();
        assert!((0.25..0.75).contains(&held_out), "{held_out}");
    }
}
