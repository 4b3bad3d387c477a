//! Which kind of training suits so many examples, and whether budget, time and memory allow it.
//!
//! The sources choose by the number of examples and take budget and timeline without looking at
//! them. Here the number chooses too, and what does not fit is stepped down to the next cheaper
//! kind that does; if none does, it is said what would make it fit.

use serde::{Deserialize, Serialize};

use super::answers::Answers;
use super::estimate::{MeasuredStep, TrainingEstimate, training};
use super::published::Span;
use super::rules::FEW_EXAMPLES;

/// Fewer examples than this: adapters (strategy by data size).
pub const ADAPTER_BELOW: f64 = 1_000_000.0;
/// Fewer examples than this: full fine-tuning; as many or more: pretraining.
pub const FULL_BELOW: f64 = 10_000_000.0;

/// A kind of training, the dearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Full pretraining with distributed training.
    Pretraining,
    /// Full fine-tuning with optimisation techniques.
    Full,
    /// Fine-tuning an existing model through an adapter: LoRA, QLoRA.
    Adapter,
}

impl Method {
    /// Returns the kind that suits so many examples (strategy by data size).
    pub fn by_size(examples: f64) -> Self {
        if examples < ADAPTER_BELOW {
            Self::Adapter
        } else if examples < FULL_BELOW {
            Self::Full
        } else {
            Self::Pretraining
        }
    }

    /// Returns what it is called.
    pub fn says(self) -> &'static str {
        match self {
            Self::Pretraining => "full pretraining with distributed training",
            Self::Full => "full fine-tuning with optimisation techniques",
            Self::Adapter => "fine-tuning an existing model (LoRA/QLoRA)",
        }
    }

    /// Returns the floating-point operations that learning one token takes.
    pub(super) fn operations_per_token(self, parameters: f64) -> f64 {
        match self {
            Self::Pretraining | Self::Full => 6.0 * parameters,
            Self::Adapter => 4.0 * parameters,
        }
    }

    /// Returns the memory of one of the model's numbers, in bytes: of a full training the number,
    /// its gradient and two moments (with moments in 8 bits at least), of an adapter the frozen
    /// number in 4 to 32 bits; and what a pass keeps.
    pub(super) fn bytes_per_parameter(self) -> Span {
        match self {
            Self::Pretraining | Self::Full => Span::new(10.0, 20.0),
            Self::Adapter => Span::new(0.7, 5.0),
        }
    }

    fn cheaper(self) -> Option<Self> {
        match self {
            Self::Pretraining => Some(Self::Full),
            Self::Full => Some(Self::Adapter),
            Self::Adapter => None,
        }
    }
}

/// Something that is limited, and what it takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limit {
    /// What is limited: `budget`, `timeline`, `memory`, `examples`, `documents` or `device`.
    pub limit: &'static str,
    /// What there is.
    pub given: f64,
    /// What it takes, from low to high.
    pub needed: Span,
    /// Whether it is enough.
    pub verdict: LimitVerdict,
    /// What would make it enough, one alone; empty if it is.
    pub remedies: Vec<Remedy>,
}

/// Whether a limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitVerdict {
    /// Even the high estimate fits.
    Fits,
    /// The low estimate fits and the high one does not.
    Perhaps,
    /// Not even the low estimate fits.
    Exceeded,
}

/// A change that makes something feasible.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Remedy {
    /// Spend more.
    Budget {
        /// At least so much, in US dollars.
        usd: f64,
    },
    /// Wait longer.
    Timeline {
        /// At least so long.
        days: f64,
    },
    /// A smaller model.
    Parameters {
        /// At most so many numbers.
        parameters: f64,
    },
    /// Learn only some of the examples.
    FewerExamples {
        /// At most so many.
        examples: f64,
    },
    /// More processors at the same price each.
    MoreProcessors {
        /// How many times as many.
        times: f64,
    },
    /// More memory.
    Memory {
        /// At least so much, over all processors.
        bytes: f64,
    },
    /// Collect examples.
    MoreExamples {
        /// At least so many.
        examples: f64,
    },
    /// Collect documents.
    Documents,
    /// Run it where an index has room.
    RoomForAnIndex,
}

/// The training that is advised, and whether it is feasible.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Strategy {
    /// The kind that the number of examples alone suggests.
    pub by_data_size: Method,
    /// The kind that is advised within the limits.
    pub method: Method,
    /// The limits, those that were named.
    pub limits: Vec<Limit>,
}

impl Strategy {
    /// Returns whether no limit is exceeded.
    pub fn is_feasible(&self) -> bool {
        self.limits
            .iter()
            .all(|it| it.verdict != LimitVerdict::Exceeded)
    }
}

/// Returns the training that suits the project, with what it takes.
pub fn strategy(
    answers: &Answers,
    measured: Option<&MeasuredStep>,
) -> (Strategy, TrainingEstimate) {
    let by_data_size = Method::by_size(answers.examples.unwrap_or(0.0));
    let mut method = by_data_size;
    loop {
        let estimate = training(answers, method, measured);
        let strategy = Strategy {
            by_data_size,
            method,
            limits: limits(answers, &estimate),
        };
        match method.cheaper() {
            Some(cheaper) if !strategy.is_feasible() => method = cheaper,
            _ => return (strategy, estimate),
        }
    }
}

fn limits(answers: &Answers, estimate: &TrainingEstimate) -> Vec<Limit> {
    let mut limits = Vec::new();
    if let Some(usd) = answers.budget_usd {
        let needed = estimate.total_usd;
        limits.push(limit("budget", usd, needed, |share| {
            smaller(estimate, share, Remedy::Budget { usd: needed.low })
        }));
    }
    if let Some(days) = answers.timeline_days {
        let needed = estimate.days;
        limits.push(limit("timeline", days, needed, |share| {
            let mut remedies = smaller(estimate, share, Remedy::Timeline { days: needed.low });
            remedies.push(Remedy::MoreProcessors { times: 1.0 / share });
            remedies
        }));
    }
    if let Some(each) = answers.memory_bytes {
        let needed = estimate.memory_bytes;
        let given = each * answers.gpus.unwrap_or(1.0).max(1.0);
        limits.push(limit("memory", given, needed, |share| {
            let parameters = estimate.parameters.low * share;
            let remedies = [
                Remedy::Memory { bytes: needed.low },
                Remedy::Parameters { parameters },
            ];
            remedies.into()
        }));
    }
    if let Some(examples) = answers.examples {
        // One can always collect fewer than the source's thousands and measure; below a hundred
        // nothing is learnt but the examples.
        let needed = Span::new(FEW_EXAMPLES, super::rules::MANY_EXAMPLES);
        limits.push(limit("examples", examples, needed, |_| {
            vec![Remedy::MoreExamples {
                examples: FEW_EXAMPLES,
            }]
        }));
    }
    limits
}

/// Returns a limit; `remedies` is given the share that may be taken of what it takes.
fn limit(
    name: &'static str,
    given: f64,
    needed: Span,
    remedies: impl FnOnce(f64) -> Vec<Remedy>,
) -> Limit {
    let verdict = if needed.high <= given {
        LimitVerdict::Fits
    } else if needed.low <= given {
        LimitVerdict::Perhaps
    } else {
        LimitVerdict::Exceeded
    };
    // With nothing to give there is no share of it that helps.
    let share = (given / needed.low).max(f64::MIN_POSITIVE);
    Limit {
        limit: name,
        given,
        needed,
        verdict,
        remedies: if verdict == LimitVerdict::Exceeded {
            remedies(share)
        } else {
            vec![]
        },
    }
}

/// Returns what makes training cheaper in proportion, after what is needed as it is.
fn smaller(estimate: &TrainingEstimate, share: f64, as_it_is: Remedy) -> Vec<Remedy> {
    let mut remedies = vec![as_it_is];
    // A model of fewer than a million numbers does not write.
    let parameters = estimate.parameters.low * share;
    if parameters >= 1e6 {
        remedies.push(Remedy::Parameters { parameters });
    }
    let examples = (estimate.examples.low * share).floor();
    if examples >= FEW_EXAMPLES {
        remedies.push(Remedy::FewerExamples { examples });
    }
    remedies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_examples_chooses() {
        let check = |examples: f64, expect: Method| {
            assert_eq!(Method::by_size(examples), expect, "{examples}");
        };
        check(0.0, Method::Adapter);
        check(999_999.0, Method::Adapter);
        check(1_000_000.0, Method::Full);
        check(9_999_999.0, Method::Full);
        check(10_000_000.0, Method::Pretraining);
    }

    /// The sources' own example: five million examples, $5,000, two weeks. They train GPT-2 on
    /// texts of at most 512 tokens.
    fn worked_example() -> Answers {
        Answers {
            examples: Some(5_000_000.0),
            budget_usd: Some(5000.0),
            timeline_days: Some(14.0),
            parameters: Some(117e6),
            tokens_per_example: Some(512.0),
            ..Answers::default()
        }
    }

    #[test]
    fn the_worked_example_is_full_fine_tuning_and_fits() {
        let (strategy, estimate) = strategy(&worked_example(), None);
        assert_eq!(strategy.method, Method::Full);
        assert_eq!(
            strategy.method.says(),
            "full fine-tuning with optimisation techniques"
        );
        assert!(strategy.is_feasible());
        for limit in &strategy.limits {
            assert_eq!(limit.verdict, LimitVerdict::Fits, "{limit:?}");
        }
        assert!(estimate.total_usd.high < 5000.0);
    }

    #[test]
    fn a_budget_that_is_too_small_steps_down_and_then_is_infeasible() {
        let with = |usd: f64| {
            let answers = Answers {
                budget_usd: Some(usd),
                ..worked_example()
            };
            strategy(&answers, None).0
        };
        let full = training(&worked_example(), Method::Full, None)
            .total_usd
            .low;
        let adapter = training(&worked_example(), Method::Adapter, None)
            .total_usd
            .low;
        assert_eq!(with(full).method, Method::Full);
        let less = with(full - 1.0);
        assert_eq!(
            (less.by_data_size, less.method),
            (Method::Full, Method::Adapter)
        );
        assert!(less.is_feasible());
        let least = with(adapter - 1.0);
        assert_eq!(least.method, Method::Adapter);
        assert!(!least.is_feasible());
        let budget = least.limits.iter().find(|it| it.limit == "budget").unwrap();
        assert!(budget.remedies.contains(&Remedy::Budget { usd: adapter }));
    }

    #[test]
    fn each_remedy_alone_makes_it_feasible() {
        let tight = Answers {
            budget_usd: Some(30.0),
            timeline_days: Some(2.0),
            ..worked_example()
        };
        let (strategy_, _) = strategy(&tight, None);
        assert!(!strategy_.is_feasible());
        for limit in &strategy_.limits {
            for remedy in &limit.remedies {
                // A hair more, for the last bit of a division.
                let answers = match remedy {
                    Remedy::Budget { usd } => Answers {
                        budget_usd: Some(usd * 1.001),
                        ..tight.clone()
                    },
                    Remedy::Timeline { days } => Answers {
                        timeline_days: Some(days * 1.001),
                        ..tight.clone()
                    },
                    Remedy::Parameters { parameters } => Answers {
                        parameters: Some(parameters * 0.999),
                        ..tight.clone()
                    },
                    Remedy::FewerExamples { examples } => Answers {
                        examples: Some(*examples),
                        ..tight.clone()
                    },
                    // Time is shared out among processors, whatever their kind.
                    Remedy::MoreProcessors { times } => {
                        assert!(limit.needed.low / times <= limit.given * 1.001);
                        continue;
                    }
                    other => panic!("{other:?} does not follow from time or money"),
                };
                let (again, _) = strategy(&answers, None);
                let now = again
                    .limits
                    .iter()
                    .find(|it| it.limit == limit.limit)
                    .unwrap();
                assert_ne!(now.verdict, LimitVerdict::Exceeded, "{remedy:?}");
            }
        }
    }

    #[test]
    fn memory_and_examples_are_limits_too() {
        let answers = Answers {
            examples: Some(99.0),
            parameters: Some(7e9),
            memory_bytes: Some(4e9),
            ..Answers::default()
        };
        let verdicts = |answers: &Answers| -> Vec<_> {
            let (strategy, _) = strategy(answers, None);
            strategy
                .limits
                .iter()
                .map(|it| (it.limit, it.verdict))
                .collect()
        };
        use LimitVerdict::{Exceeded, Perhaps};
        assert_eq!(
            verdicts(&answers),
            [("memory", Exceeded), ("examples", Exceeded)]
        );
        let more = Answers {
            examples: Some(100.0),
            memory_bytes: Some(24e9),
            ..answers
        };
        assert_eq!(
            verdicts(&more),
            [("memory", Perhaps), ("examples", Perhaps)]
        );
    }
}
