//! What was published, as differences of figures, written down before they were measured.

use std::collections::BTreeMap;
use std::fmt;

use eval::statistics::distribution::student_quantile;

/// A part of a published ordering.
pub(crate) struct Claim {
    pub(crate) ordering: &'static str,
    /// What it says.
    pub(crate) says: &'static str,
    /// A sum of figures, each so many times …
    terms: &'static [(f64, &'static str)],
    /// … that is above this.
    above: f64,
}

const fn claim(
    ordering: &'static str,
    says: &'static str,
    terms: &'static [(f64, &'static str)],
    above: f64,
) -> Claim {
    Claim {
        ordering,
        says,
        terms,
        above,
    }
}

/// "As good as" is: worse by less than this.
const AS_GOOD: f64 = -0.05;
/// "Much better" is: by more than this.
const MUCH: f64 = 0.3;

pub(crate) const CLAIMS: [Claim; 26] = [
    claim(
        "O1",
        "new facts: fine-tuned with retrieval is as good as retrieval",
        &[
            (1.0, "O1 fine-tuned with retrieval"),
            (-1.0, "O1 base with retrieval"),
        ],
        AS_GOOD,
    ),
    claim(
        "O1",
        "new facts: retrieval is much better than fine-tuned",
        &[(1.0, "O1 base with retrieval"), (-1.0, "O1 fine-tuned")],
        MUCH,
    ),
    claim(
        "O1",
        "new facts: fine-tuned is as good as the base",
        &[(1.0, "O1 fine-tuned"), (-1.0, "O1 base")],
        AS_GOOD,
    ),
    claim(
        "O2",
        "two wordings of a fact are recalled better than one",
        &[(1.0, "O2 two wordings"), (-1.0, "O2 one wording")],
        0.0,
    ),
    claim(
        "O2",
        "eight wordings are recalled better than two",
        &[(1.0, "O2 eight wordings"), (-1.0, "O2 two wordings")],
        0.0,
    ),
    claim(
        "O3",
        "who learnt without texts is worse with them",
        &[
            (1.0, "O3 DSF, desks alone"),
            (-1.0, "O3 DSF with retrieval, desks alone"),
        ],
        0.0,
    ),
    claim(
        "O3",
        "who learnt with texts among others is better than who learnt without and has none",
        &[(1.0, "O3 RAFT"), (-1.0, "O3 DSF")],
        0.0,
    ),
    claim(
        "O3",
        "and than who learnt without and has texts",
        &[(1.0, "O3 RAFT"), (-1.0, "O3 DSF with retrieval")],
        0.0,
    ),
    claim(
        "O4",
        "labels: fine-tuned is better than retrieval",
        &[(1.0, "O4 fine-tuned"), (-1.0, "O4 base with retrieval")],
        0.0,
    ),
    claim(
        "O4",
        "labels: retrieval is better than the base",
        &[(1.0, "O4 base with retrieval"), (-1.0, "O4 base")],
        0.0,
    ),
    claim(
        "O5",
        "LoRA of less than 1 % of the numbers (reader, 0.43 %) learns as well as all of them",
        &[(1.0, "O5 task, LoRA"), (-1.0, "O5 O8 task, all weights")],
        AS_GOOD,
    ),
    claim(
        "O5",
        "and forgets less",
        &[
            (1.0, "O5 reading, LoRA"),
            (-1.0, "O5 O8 reading, all weights"),
        ],
        0.0,
    ),
    claim(
        "O5",
        "LoRA of less than 1 % of the numbers (built-in, 0.73 %) learns as well as all of them",
        &[
            (1.0, "O5 built-in, task, LoRA"),
            (-1.0, "O5 built-in, task, all weights"),
        ],
        AS_GOOD,
    ),
    claim(
        "O5",
        "and forgets less",
        &[
            (1.0, "O5 built-in, more nats a token, all weights"),
            (-1.0, "O5 built-in, more nats a token, LoRA"),
        ],
        0.0,
    ),
    claim(
        "O6",
        "4 bits: Int4 loses more than FP4",
        &[
            (1.0, "O6 more nats a token, Int4"),
            (-1.0, "O6 more nats a token, FP4 (E2M1)"),
        ],
        0.0,
    ),
    claim(
        "O6",
        "4 bits: FP4 loses more than NF4 with double quantisation",
        &[
            (1.0, "O6 more nats a token, FP4 (E2M1)"),
            (-1.0, "O6 more nats a token, NF4 and DQ"),
        ],
        0.0,
    ),
    claim(
        "O6",
        "4 bits: double quantisation of NF4 loses less than 0.02 nats a token",
        &[
            (1.0, "O6 more nats a token, NF4"),
            (-1.0, "O6 more nats a token, NF4 and DQ"),
        ],
        -0.02,
    ),
    claim(
        "O7",
        "who learnt facts it did not know refuses less than the base",
        &[
            (1.0, "O7 refused, base"),
            (-1.0, "O7 refused, taught unknown facts"),
        ],
        0.0,
    ),
    claim(
        "O7",
        "and less than who learnt as many that it could know",
        &[
            (1.0, "O7 refused, taught to read"),
            (-1.0, "O7 refused, taught unknown facts"),
        ],
        0.0,
    ),
    claim(
        "O8",
        "who goes on with what it learnt before forgets less",
        &[
            (1.0, "O8 reading, with replay"),
            (-1.0, "O5 O8 reading, all weights"),
        ],
        0.0,
    ),
    claim(
        "O8",
        "and learns the task as well",
        &[
            (1.0, "O8 task, with replay"),
            (-1.0, "O5 O8 task, all weights"),
        ],
        AS_GOOD,
    ),
    claim(
        "O9",
        "noise among the texts costs the base more than who learnt with it",
        &[
            (1.0, "O9 base, clean"),
            (-1.0, "O9 base, noisy"),
            (-1.0, "O9 RAFT, clean"),
            (1.0, "O9 RAFT, noisy"),
        ],
        0.0,
    ),
    claim(
        "O9",
        "and who learnt with it is better where it is",
        &[(1.0, "O9 RAFT, noisy"), (-1.0, "O9 base, noisy")],
        0.0,
    ),
    claim(
        "O10",
        "retrieval reads more than twice the tokens of fine-tuned",
        &[
            (1.0, "O10 tokens read, retrieval"),
            (-2.0, "O10 tokens read, fine-tuned"),
        ],
        0.0,
    ),
    claim(
        "O10",
        "an adapter that is not merged is slower",
        &[(1.0, "O10 time of an adapter, of the base's")],
        1.0,
    ),
    claim(
        "O10",
        "a merged one takes less than 1.05 of the base's time",
        &[(-1.0, "O10 time of a merged adapter, of the base's")],
        -1.05,
    ),
];

impl Claim {
    /// Returns its sum of a seed's figures, where they are all there.
    pub(crate) fn value(&self, figures: &BTreeMap<String, f64>) -> Option<f64> {
        let of = |(times, name): &(f64, &str)| Some(times * figures.get(*name)?);
        self.terms.iter().map(of).sum()
    }

    pub(crate) fn shown(&self, mean: &Mean) -> String {
        let wanted = match self.above {
            0.0 => String::new(),
            above => format!(", is to be above {above}"),
        };
        format!("{:+.3}{wanted}", mean.mean)
    }

    pub(crate) fn found(&self, mean: &Mean) -> Found {
        if mean.mean - mean.half > self.above {
            Found::Reproduced
        } else if mean.mean + mean.half < self.above {
            Found::NotReproduced
        } else {
            Found::Unsettled
        }
    }
}

/// Whether it is so here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The interval is above what it is to be above.
    Reproduced,
    /// It is below.
    NotReproduced,
    /// It is on both sides.
    Unsettled,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reproduced => "reproduced",
            Self::NotReproduced => "**not reproduced**",
            Self::Unsettled => "**not reproduced**: not settled",
        })
    }
}

/// A mean over seeds, with the half width of its 95 % interval (Student's t).
pub(crate) struct Mean {
    pub(crate) mean: f64,
    pub(crate) half: f64,
    pub(crate) count: usize,
}

impl Mean {
    /// Returns it; of fewer than two values there is no interval.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count < 2 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|it| (it - mean).powi(2)).sum();
        let degrees = count as f64 - 1.0;
        let half = student_quantile(0.975, degrees) * (squares / degrees / count as f64).sqrt();
        Some(Self { mean, half, count })
    }
}
