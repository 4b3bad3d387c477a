//! Advice before anything is measured: prompt, retrieval, fine-tuning, or both.
//!
//! Pure rules over what a team says about its project. Every rule that fires is a [`Reason`]
//! with its source; contradicting ones are weighed on three scales ([`scale`]), which are part
//! of the result. What budget, time, memory and data do not allow is said with what would make
//! it feasible ([`strategy`]). Advice is where one begins; a comparison on one's own data is
//! what decides.

pub mod answers;
pub mod criteria;
pub mod estimate;
pub mod merits;
pub mod plan;
pub mod published;
pub mod question;
pub mod rules;
pub mod scale;
pub mod strategy;

use serde::Serialize;

use answers::{Answers, RunsOn, Trial};
use criteria::Judged;
use estimate::{Estimates, MeasuredStep};
use merits::{Merit, TradeOff};
use plan::{Guard, Stage};
use published::Span;
use question::{Kind, Part, QUESTIONS, Question};
use rules::{RULES, Reason};
use scale::{Effect, Pans, Scale};
use strategy::{Limit, LimitVerdict, Remedy, Strategy};

/// What is recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recommendation {
    /// The model as it is, with a better prompt.
    Prompt,
    /// The model as it is, with retrieved documents.
    Rag,
    /// A trained model.
    FineTune,
    /// A trained model, with retrieved documents.
    Hybrid,
}

impl Recommendation {
    /// All of them, the cheapest first.
    pub const ALL: [Self; 4] = [Self::Prompt, Self::Rag, Self::FineTune, Self::Hybrid];

    /// Returns its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Rag => "rag",
            Self::FineTune => "fine-tune",
            Self::Hybrid => "hybrid",
        }
    }

    /// Returns the recommendation to retrieve, to train, both or neither.
    fn of(retrieval: bool, training: bool) -> Self {
        match (retrieval, training) {
            (false, false) => Self::Prompt,
            (true, false) => Self::Rag,
            (false, true) => Self::FineTune,
            (true, true) => Self::Hybrid,
        }
    }

    /// Returns whether documents are retrieved.
    pub fn retrieves(self) -> bool {
        matches!(self, Self::Rag | Self::Hybrid)
    }

    /// Returns whether something is trained.
    pub fn trains(self) -> bool {
        matches!(self, Self::FineTune | Self::Hybrid)
    }
}

/// What the scales say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is recommended.
    pub recommendation: Recommendation,
    /// Whether facts are wanted that the model lacks.
    pub facts_wanted: bool,
    /// Whether they are to be learnt.
    pub facts_in_weights: bool,
    /// Whether documents are retrieved.
    pub retrieval: bool,
    /// Whether something is trained.
    pub training: bool,
}

/// One scale with what lies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Weighed {
    /// The scale.
    pub scale: Scale,
    /// Its pans.
    #[serde(flatten)]
    pub pans: Pans,
    /// How it is read.
    pub reads: &'static str,
}

/// An answer that would change the recommendation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// The question.
    pub answer: &'static str,
    /// The answer that would change it.
    pub value: String,
    /// What would then be recommended.
    pub recommendation: Recommendation,
    /// Whether nobody knows the answer yet.
    pub unknown: bool,
}

/// The advice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// What is recommended.
    pub recommendation: Recommendation,
    /// Whether what is known of budget, time, memory and data allows it.
    pub feasible: bool,
    /// The recommendation in a sentence.
    pub statement: String,
    /// What can be done as things stand; the recommendation itself if it is feasible.
    pub within_reach: Recommendation,
    /// Every rule that fired.
    pub reasons: Vec<Reason>,
    /// The scales.
    pub scales: Vec<Weighed>,
    /// The limits that were named, and whether they hold.
    pub limits: Vec<Limit>,
    /// The kind of training, if something is trained.
    pub strategy: Option<Strategy>,
    /// Time, memory and money.
    pub estimates: Estimates,
    /// The way there.
    pub plan: Vec<Stage>,
    /// The five common mistakes.
    pub guards: Vec<Guard>,
    /// What speaks for what is recommended.
    pub pros: Vec<Merit>,
    /// What speaks against it.
    pub cons: Vec<Merit>,
    /// What it trades away.
    pub trade_offs: Vec<TradeOff>,
    /// The sources' tables of differences, row by row.
    pub criteria: Vec<Judged>,
    /// Single answers that would change the recommendation.
    pub flips: Vec<Flip>,
    /// Questions that weigh and were not answered.
    pub unanswered: Vec<&'static str>,
}

/// Returns the advice for a project; with a measured step its estimates are of that machine.
pub fn advise(answers: &Answers, measured: Option<&MeasuredStep>) -> Advice {
    let (decision, reasons, scales) = decide(answers);
    let goal = decision.recommendation;
    let trained = (decision.training).then(|| strategy::strategy(answers, measured));
    let (strategy, training) = trained.unzip();
    let mut limits = strategy.as_ref().map_or(vec![], |it| it.limits.clone());
    let trainable = strategy.as_ref().is_none_or(Strategy::is_feasible);
    limits.extend(beyond_training(answers, decision));
    let feasible = limits.iter().all(|it| it.verdict != LimitVerdict::Exceeded);
    let (pros, cons) = merits::merits(goal);
    Advice {
        recommendation: goal,
        feasible,
        statement: statement(decision, feasible),
        within_reach: within_reach(answers, decision, trainable),
        estimates: Estimates {
            // Retrieval is the baseline even where it is not the goal.
            retrieval: estimate::retrieval(answers),
            training,
        },
        plan: plan::plan(answers, decision),
        guards: plan::guards(answers, decision).into(),
        pros,
        cons,
        trade_offs: merits::trade_offs(goal).into(),
        criteria: criteria::judge(&reasons),
        flips: flips(answers, goal),
        unanswered: unanswered(answers),
        reasons,
        scales,
        limits,
        strategy,
    }
}

/// Returns what the rules and scales say, before limits are looked at.
pub fn decide(answers: &Answers) -> (Decision, Vec<Reason>, Vec<Weighed>) {
    let reasons: Vec<Reason> = RULES.iter().filter_map(|it| it.reason(answers)).collect();
    let pans = |scale: Scale| {
        let mut pans = Pans::default();
        for reason in &reasons {
            match reason.effect.side() {
                Some((on, true)) if on == scale => pans.r#for += reason.weight,
                Some((on, false)) if on == scale => pans.against += reason.weight,
                _ => {}
            }
        }
        pans
    };
    let [knowledge, place, behaviour] = Scale::ALL.map(pans);
    let possible = !reasons
        .iter()
        .any(|it| it.effect == Effect::RulesOutRetrieval);
    // Where nothing tips the scale, documents that are there are there to be used.
    let facts_wanted =
        knowledge.tips() > 0 || knowledge.tips() == 0 && answers.documents > Some(0.0);
    // A tie is retrieval's: start with it as a base.
    let in_documents = possible && place.tips() >= 0;
    let model_must_change = behaviour.tips() > 0;
    let facts_in_weights = facts_wanted && !in_documents;
    let mut recommendation = Recommendation::of(
        facts_wanted && in_documents,
        model_must_change || facts_in_weights,
    );
    if answers.prompt == Some(Trial::Enough) {
        recommendation = Recommendation::Prompt;
    } else if answers.rag == Some(Trial::Enough) && possible {
        recommendation = Recommendation::Rag;
    }
    let weighed = |scale, pans, reads| Weighed { scale, pans, reads };
    let scales = vec![
        weighed(
            Scale::Knowledge,
            knowledge,
            if facts_wanted {
                "facts are wanted"
            } else {
                "no facts are wanted"
            },
        ),
        weighed(
            Scale::Place,
            place,
            match (possible, in_documents) {
                _ if !facts_wanted => "no facts are wanted, so this does not count",
                (true, true) => "facts belong in documents",
                (true, false) => "facts belong in the model",
                (false, _) => "facts have to be in the model",
            },
        ),
        weighed(
            Scale::Behaviour,
            behaviour,
            if model_must_change {
                "the model must change"
            } else {
                "a prompt is enough"
            },
        ),
    ];
    let decision = Decision {
        recommendation,
        facts_wanted,
        facts_in_weights,
        retrieval: recommendation.retrieves(),
        training: recommendation.trains(),
    };
    (decision, reasons, scales)
}

fn statement(decision: Decision, feasible: bool) -> String {
    let says = match decision.recommendation {
        Recommendation::Prompt if decision.facts_wanted => {
            "Prompting alone is good enough: keep the model as it is."
        }
        Recommendation::Prompt => {
            "Keep the model as it is and write a better prompt, with a few examples in it; nothing \
             that is known speaks for more."
        }
        Recommendation::Rag => {
            "Leave the model as it is and give it your documents: what is missing are facts."
        }
        Recommendation::FineTune if decision.facts_in_weights => {
            "Fine-tune: what is to be known is stable enough, or wanted fast or far enough from \
             any index, to be learnt."
        }
        Recommendation::FineTune => {
            "Fine-tune: what is missing is behaviour, and that is learnt from examples."
        }
        Recommendation::Hybrid => {
            "Do both, retrieval first: facts from your documents, behaviour from training."
        }
    };
    if feasible {
        says.into()
    } else {
        format!("{says} As things stand that is not feasible.")
    }
}

/// Returns the limits of what is not training.
fn beyond_training(answers: &Answers, decision: Decision) -> Vec<Limit> {
    let exceeded = |limit, given, needed, remedy| Limit {
        limit,
        given,
        needed: Span::exactly(needed),
        verdict: LimitVerdict::Exceeded,
        remedies: vec![remedy],
    };
    let mut limits = Vec::new();
    if decision.retrieval && answers.documents == Some(0.0) {
        limits.push(exceeded("documents", 0.0, 1.0, Remedy::Documents));
    }
    if answers.runs_on == Some(RunsOn::Embedded) && answers.grounding == Some(true) {
        limits.push(exceeded("device", 0.0, 1.0, Remedy::RoomForAnIndex));
    }
    limits
}

/// Returns what can be done as things stand.
fn within_reach(answers: &Answers, decision: Decision, trainable: bool) -> Recommendation {
    let retrievable = answers.runs_on != Some(RunsOn::Embedded) && answers.documents != Some(0.0);
    let retrieval = (decision.retrieval || decision.facts_wanted && !trainable) && retrievable;
    Recommendation::of(
        retrieval && decision.recommendation != Recommendation::Prompt,
        decision.training && trainable,
    )
}

/// The answers that a question is tried with.
fn tried(question: &Question) -> Vec<String> {
    let texts: &[&str] = match (question.key, question.kind) {
        (_, Kind::Choice(choices)) => return choices.iter().map(|it| it.word.into()).collect(),
        (_, Kind::YesNo) => &["yes", "no"],
        ("budget_usd", _) => &["50", "500", "5000", "10000"],
        ("latency_ms", _) => &["50", "500"],
        ("examples", _) => &["0", "50", "500", "5000"],
        ("documents", _) => &["0", "1000", "100000"],
        ("gpus", _) => &["0", "1"],
        _ => &[],
    };
    texts.iter().map(|it| (*it).to_owned()).collect()
}

fn flips(answers: &Answers, now: Recommendation) -> Vec<Flip> {
    let mut flips = Vec::new();
    for question in QUESTIONS.iter().filter(|it| it.part < Part::Estimate) {
        let known = question::get(answers, question.key);
        for value in tried(question) {
            if known.as_deref() == Some(&value) {
                continue;
            }
            let mut other = answers.clone();
            question::set(&mut other, question.key, &value)
                .expect("an answer that a question is tried with is one");
            let recommendation = decide(&other).0.recommendation;
            if recommendation != now {
                flips.push(Flip {
                    answer: question.key,
                    value,
                    recommendation,
                    unknown: known.is_none(),
                });
            }
        }
    }
    flips
}

fn unanswered(answers: &Answers) -> Vec<&'static str> {
    let weigh = |key: &&str| RULES.iter().any(|rule| rule.asks.contains(key));
    let keys = QUESTIONS.iter().map(|it| it.key);
    keys.filter(weigh)
        .filter(|key| question::get(answers, key).is_none())
        .collect()
}

#[cfg(test)]
mod tests;
