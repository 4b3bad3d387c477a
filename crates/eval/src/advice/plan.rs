//! The way there, stage by stage: prompt first, then retrieval, then training, then both, each
//! with the test that decides whether to go on; and the five common mistakes as guards.

use serde::Serialize;

use super::answers::{Answers, Trial};
use super::rules::MANY_EXAMPLES;
use super::{Decision, Recommendation};

/// A stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// What is built.
    pub stage: Recommendation,
    /// Why it stands in the plan.
    pub role: Role,
    /// What it is for here.
    pub purpose: String,
    /// The test that decides whether to go on to the next.
    pub go_on_if: String,
    /// What to type; filled in by who knows the commands.
    pub commands: Vec<String>,
}

/// Why a stage stands in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It was tried already; its figures are the baseline.
    Done,
    /// It is cheaper and comes before what is recommended, as the baseline.
    Baseline,
    /// It is what is recommended.
    Goal,
    /// It is to be tried only if the stages before it are not enough.
    OnlyIf,
}

/// Returns the stages, in the order in which they are built.
pub fn plan(answers: &Answers, decision: Decision) -> Vec<Stage> {
    use Recommendation::{FineTune, Hybrid, Prompt, Rag};
    let goal = decision.recommendation;
    let measured = match answers.held_out {
        Some(count) if count > 0.0 => format!("the {count} held-out questions"),
        _ => "at least 100 held-out questions (collect them first)".into(),
    };
    let tried = |trial: Option<Trial>| matches!(trial, Some(Trial::NotEnough | Trial::Enough));
    let stage = |stage: Recommendation, role, purpose: &str, go_on_if: String| Stage {
        stage,
        role,
        purpose: purpose.into(),
        go_on_if,
        commands: vec![],
    };
    let role = |way: Recommendation, trial: Option<Trial>, before: bool| {
        if way == goal {
            Role::Goal
        } else if tried(trial) {
            Role::Done
        } else if before {
            Role::Baseline
        } else {
            Role::OnlyIf
        }
    };
    let mut stages = vec![stage(
        Prompt,
        role(Prompt, answers.prompt, true),
        "The model as it is, with instructions and a few examples in the prompt.",
        format!("its answers to {measured} are not good enough"),
    )];
    // Retrieval is the baseline of every training, and of no use where no facts are wanted.
    let before = decision.training || decision.retrieval;
    stages.push(stage(
        Rag,
        role(Rag, answers.rag, before),
        match (decision.facts_wanted, goal) {
            (_, Rag | Hybrid) => "Facts from your documents, found for each question and cited.",
            (true, _) => "The baseline that a trained model has to beat, with retrieval tuned.",
            (false, FineTune) => {
                "The baseline that a trained model has to beat: the nearest examples in the prompt."
            }
            (false, _) => "Facts from documents, if it turns out that some are missing.",
        },
        format!(
            "retrieval is tuned (the right passage is among those found) and the answers to \
             {measured} still lack tone, format or reasoning"
        ),
    ));
    stages.push(stage(
        FineTune,
        role(FineTune, None, goal == Hybrid),
        match goal {
            Hybrid => {
                "Manner, format and reasoning from examples, with retrieved text in each prompt."
            }
            FineTune if decision.facts_in_weights => {
                "Knowledge that is stable, and the task, learnt from examples."
            }
            FineTune => "Manner, format and reasoning, learnt from examples.",
            Prompt | Rag => "Only what the cheaper stages do not give: tone, format, reasoning.",
        },
        format!(
            "it beats the stages before it on {measured} by more than chance, and what it gains \
             or loses with retrieved text is not known yet"
        ),
    ));
    stages.push(stage(
        Hybrid,
        role(Hybrid, None, goal == FineTune && decision.facts_wanted),
        match goal {
            Hybrid => "The tuned model with your documents before it.",
            _ => "The tuned model with documents before it: tested, not assumed.",
        },
        format!("nothing comes after it: take whichever stage wins on {measured}"),
    ));
    stages
}

/// One of the five common mistakes, and whether it is guarded against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guard {
    /// The mistake.
    pub mistake: &'static str,
    /// How it stands.
    pub state: GuardState,
    /// What is seen, and what to do.
    pub says: String,
}

/// How a guard stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardState {
    /// It has been seen to.
    Met,
    /// It is still to be done.
    Open,
    /// The mistake cannot be made in this plan.
    NotNeeded,
}

/// Returns the five guards of a plan.
pub fn guards(answers: &Answers, decision: Decision) -> [Guard; 5] {
    use GuardState::{Met, NotNeeded, Open};
    let guard = |mistake, state, says: &str| Guard {
        mistake,
        state,
        says: says.into(),
    };
    let measured = matches!(answers.rag, Some(Trial::NotEnough | Trial::Enough));
    [
        match (decision.training, measured) {
            (false, _) => guard(
                "fine-tuning before validating with retrieval",
                NotNeeded,
                "nothing is trained",
            ),
            (true, true) => guard(
                "fine-tuning before validating with retrieval",
                Met,
                "retrieval was measured",
            ),
            (true, false) => guard(
                "fine-tuning before validating with retrieval",
                Open,
                "measure retrieval first, and keep its figures as the baseline",
            ),
        },
        match (decision.retrieval || decision.training, measured) {
            (false, _) => guard(
                "retrieval without optimising its quality",
                NotNeeded,
                "nothing is retrieved",
            ),
            (true, true) => guard(
                "retrieval without optimising its quality",
                Met,
                "retrieval was measured; measure it again after every change of chunks or models",
            ),
            (true, false) => guard(
                "retrieval without optimising its quality",
                Open,
                "measure whether the right passage is found before judging answers",
            ),
        },
        match answers.held_out {
            Some(count) if count >= 100.0 => Guard {
                mistake: "ignoring evaluation metrics",
                state: Met,
                says: format!("{count} questions are kept for measuring"),
            },
            Some(count) if count > 0.0 => Guard {
                mistake: "ignoring evaluation metrics",
                state: Open,
                says: format!(
                    "{count} questions show only large differences: with so few, the share of \
                     right answers is uncertain by {:.0} points either way; keep at least 100",
                    100.0 * 0.98 / count.sqrt()
                ),
            },
            _ => guard(
                "ignoring evaluation metrics",
                Open,
                "keep at least 100 questions with answers that no candidate sees",
            ),
        },
        if decision.training && decision.facts_wanted {
            guard(
                "not testing hybrid models",
                Open,
                "test the tuned model with and without retrieved text",
            )
        } else {
            guard(
                "not testing hybrid models",
                NotNeeded,
                "there is nothing to combine until both are built",
            )
        },
        match (decision.training, answers.examples) {
            (false, _) => guard(
                "overfitting small datasets",
                NotNeeded,
                "nothing is trained",
            ),
            (true, Some(examples)) if examples >= MANY_EXAMPLES => guard(
                "overfitting small datasets",
                Met,
                "there are 1,000 examples or more; keep `evaluation.patience` set all the same",
            ),
            (true, _) => guard(
                "overfitting small datasets",
                Open,
                "with fewer than 1,000 examples set `evaluation.patience`, and watch the distance \
                 between the training loss and the loss on held-out examples",
            ),
        },
    ]
}
