//! The rules: each says when it fires, what it then weighs and on which side, why, and which
//! table or list it comes from.
//!
//! A weight may grow with how pressing the answer is and never depends on another question, but
//! where a list itself joins two ("large *and* frequently updated").

use serde::Serialize;

use super::answers::{Answers, BaseModel, Domain, Need, Pace, RunsOn, Task, Trial};
use super::scale::Effect;

/// A latency below this asks for training; in milliseconds (decision matrix).
pub const LATENCY_MS: f64 = 100.0;
/// The longest latency that the decision matrix calls moderate; in milliseconds.
pub const MODERATE_LATENCY_MS: f64 = 1000.0;
/// From this budget on the decision matrix speaks for training; in US dollars.
pub const HIGH_BUDGET_USD: f64 = 10_000.0;
/// Fine-tuning costs at least this much (training phases); in US dollars.
pub const LEAST_FINE_TUNING_USD: f64 = 100.0;
/// Fine-tuning takes thousands to millions of examples (training phases).
pub const MANY_EXAMPLES: f64 = 1000.0;
/// Fewer examples are learnt by heart. Ours: the sources only warn of small data sets.
pub const FEW_EXAMPLES: f64 = 100.0;
/// More documents are too vast to be learnt by heart: where the comparison of search methods
/// ends calling a set small.
pub const MANY_DOCUMENTS: f64 = 10_000.0;

/// A rule that fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The rule.
    pub rule: &'static str,
    /// The table or list it comes from.
    pub source: &'static str,
    /// What it speaks for.
    pub effect: Effect,
    /// How much; 0 for what is not weighed.
    pub weight: u32,
    /// Why.
    pub explanation: &'static str,
}

/// A rule.
pub struct Rule {
    /// Its name, kept for scripts.
    pub name: &'static str,
    /// The table or list it comes from.
    pub source: &'static str,
    /// The answers it looks at.
    pub asks: &'static [&'static str],
    /// Says what it weighs, on which side, if it fires.
    pub fires: fn(&Answers) -> Option<(Effect, u32)>,
    /// Why.
    pub explanation: &'static str,
}

impl Rule {
    /// Returns what it says about a project; nothing if it does not fire.
    pub fn reason(&self, answers: &Answers) -> Option<Reason> {
        let (effect, weight) = (self.fires)(answers)?;
        debug_assert_eq!(effect.side().is_some(), weight > 0, "`{}`", self.name);
        Some(Reason {
            rule: self.name,
            source: self.source,
            effect,
            weight,
            explanation: self.explanation,
        })
    }
}

use Effect::{
    Knowledge, Memorising, NoKnowledge, Prompting, Retrieval, RulesOutRetrieval, Settled, Training,
};

const QUESTIONS: &str = "the six questions";
const CHOOSE_RAG: &str = "choose retrieval when";

/// Returns the weight of a pace that is frequent: the faster the heavier.
fn frequent(pace: Option<Pace>) -> Option<u32> {
    match pace? {
        Pace::Monthly => Some(2),
        Pace::Weekly => Some(3),
        Pace::Daily | Pace::Live => Some(4),
        Pace::Never | Pace::Yearly | Pace::Quarterly => None,
    }
}

fn stable(pace: Option<Pace>) -> bool {
    pace.is_some_and(Pace::is_stable)
}

fn many(count: Option<f64>, limit: f64) -> bool {
    count.is_some_and(|count| count >= limit)
}

fn yes(answer: Option<bool>) -> bool {
    answer == Some(true)
}

fn when(fires: bool, effect: Effect, weight: u32) -> Option<(Effect, u32)> {
    fires.then_some((effect, weight))
}

fn is_task(answers: &Answers, tasks: &[Task]) -> bool {
    answers.task.is_some_and(|task| tasks.contains(&task))
}

fn vast(a: &Answers) -> bool {
    a.documents.is_some_and(|it| it > MANY_DOCUMENTS)
}

/// All rules, by scale.
pub const RULES: &[Rule] = &[
    // What settles it.
    Rule {
        name: "prompt-is-enough",
        source: "the six questions: can prompt engineering solve it first?",
        asks: &["prompt"],
        fires: |a| when(a.prompt == Some(Trial::Enough), Settled, 0),
        explanation: "Prompting alone was measured and is good enough: anything more costs money, \
                      time and upkeep for nothing.",
    },
    Rule {
        name: "retrieval-is-enough",
        source: "key decision framework: if prompting and RAG solve it, avoid retraining",
        asks: &["rag"],
        fires: |a| when(a.rag == Some(Trial::Enough), Settled, 0),
        explanation: "Retrieval was measured and is good enough: avoid retraining.",
    },
    Rule {
        name: "no-room-for-an-index",
        source: "core differences: offline capability",
        asks: &["runs_on"],
        fires: |a| when(a.runs_on == Some(RunsOn::Embedded), RulesOutRetrieval, 0),
        explanation: "In a device without room for an index nothing can be retrieved: what it is \
                      to know must be in the model.",
    },
    // Are facts wanted?
    Rule {
        name: "knowledge-is-missing",
        source: QUESTIONS,
        asks: &["need"],
        fires: |a| {
            when(
                matches!(a.need, Some(Need::Knowledge | Need::Both)),
                Knowledge,
                3,
            )
        },
        explanation: "The problem is about knowledge: the model lacks facts.",
    },
    Rule {
        name: "knowledge-is-not-missing",
        source: QUESTIONS,
        asks: &["need"],
        fires: |a| when(a.need == Some(Need::Behaviour), NoKnowledge, 3),
        explanation: "The problem is about behaviour: the model knows enough.",
    },
    Rule {
        name: "facts-must-be-grounded",
        source: CHOOSE_RAG,
        asks: &["grounding"],
        fires: |a| when(yes(a.grounding), Knowledge, 2),
        explanation: "You need factual grounding: every answer must be traceable to a source.",
    },
    Rule {
        name: "rare-facts-are-wanted",
        source: CHOOSE_RAG,
        asks: &["rare_facts"],
        fires: |a| when(yes(a.rare_facts), Knowledge, 1),
        explanation: "Rarely used information is asked for, which no model knows by itself.",
    },
    Rule {
        name: "task-asks-for-facts",
        source: "key differences: task type",
        asks: &["task"],
        fires: |a| match a.task? {
            Task::Search => Some((Knowledge, 2)),
            Task::Questions => Some((Knowledge, 1)),
            _ => None,
        },
        explanation: "Questions, search and fact-based writing are open-ended tasks over facts.",
    },
    Rule {
        name: "task-asks-for-no-facts",
        source: "practical scenarios: creative content; key differences: task type",
        asks: &["task"],
        fires: |a| match a.task? {
            Task::Write => Some((NoKnowledge, 2)),
            task if task.is_fixed() => Some((NoKnowledge, 1)),
            _ => None,
        },
        explanation: "Inventive writing and fixed, structured tasks live on skill, not on \
                      up-to-date facts.",
    },
    Rule {
        name: "information-is-current",
        source: CHOOSE_RAG,
        asks: &["changes"],
        fires: |a| match a.changes? {
            Pace::Daily | Pace::Live => Some((Knowledge, 2)),
            Pace::Weekly | Pace::Monthly => Some((Knowledge, 1)),
            _ => None,
        },
        explanation: "What changes so often was not there when the model was trained.",
    },
    Rule {
        name: "knowledge-base-is-vast",
        source: CHOOSE_RAG,
        asks: &["documents"],
        fires: |a| when(vast(a), Knowledge, 1),
        explanation: "A knowledge base of more than 10,000 documents is there to be asked.",
    },
    // Where should they live? First the six factors of the decision matrix.
    Rule {
        name: "data-changes",
        source: "decision matrix: data freshness",
        asks: &["changes"],
        fires: |a| frequent(a.changes).map(|weight| (Retrieval, weight)),
        explanation: "The data changes frequently: documents are updated in an instant, weights \
                      only by training again.",
    },
    Rule {
        name: "data-is-stable",
        source: "decision matrix: data freshness",
        asks: &["changes"],
        fires: |a| when(stable(a.changes), Memorising, 2),
        explanation: "The data is stable and rarely changes: what is learnt stays true.",
    },
    Rule {
        name: "latency-is-ultra-low",
        source: "decision matrix: latency",
        asks: &["latency_ms"],
        fires: |a| {
            when(
                a.latency_ms.is_some_and(|it| it < LATENCY_MS),
                Memorising,
                2,
            )
        },
        explanation: "Answers are wanted in less than 100 ms: there is little time for a step of \
                      retrieval and for reading what it found.",
    },
    Rule {
        name: "latency-is-moderate",
        source: "decision matrix: latency",
        asks: &["latency_ms"],
        fires: |a| when(many(a.latency_ms, LATENCY_MS), Retrieval, 1),
        explanation: "A latency of 100 ms and more leaves time for retrieval.",
    },
    Rule {
        name: "budget-is-high",
        source: "decision matrix: budget",
        asks: &["budget_usd"],
        fires: |a| when(many(a.budget_usd, HIGH_BUDGET_USD), Memorising, 1),
        explanation: "From $10,000 on the budget carries training.",
    },
    Rule {
        name: "budget-is-limited",
        source: "decision matrix: budget",
        asks: &["budget_usd"],
        fires: |a| {
            when(
                a.budget_usd.is_some_and(|it| it < HIGH_BUDGET_USD),
                Retrieval,
                1,
            )
        },
        explanation: "Below $10,000 the cheaper way is wanted: no training, a smaller model that \
                      looks things up, and updates that cost next to nothing.",
    },
    Rule {
        name: "data-is-large-and-good",
        source: "decision matrix: data size",
        asks: &["examples", "examples_good"],
        fires: |a| {
            when(
                many(a.examples, MANY_EXAMPLES) && yes(a.examples_good),
                Memorising,
                1,
            )
        },
        explanation: "A large, high-quality set of examples is available to learn the facts from.",
    },
    Rule {
        name: "data-is-small",
        source: "decision matrix: data size",
        asks: &["examples"],
        fires: |a| {
            when(
                a.examples.is_some_and(|it| it < MANY_EXAMPLES),
                Retrieval,
                1,
            )
        },
        explanation: "With fewer than 1,000 examples the facts have to come from outside.",
    },
    Rule {
        name: "domain-is-deep",
        source: "decision matrix: domain expertise",
        asks: &["domain"],
        fires: |a| when(a.domain == Some(Domain::Deep), Memorising, 1),
        explanation: "Deep domain knowledge is needed: terms and ways to reason that are learnt.",
    },
    Rule {
        name: "domain-is-broad",
        source: "decision matrix: domain expertise",
        asks: &["domain"],
        fires: |a| when(a.domain == Some(Domain::Broad), Retrieval, 1),
        explanation: "Broad, general knowledge is sufficient beside what the documents say.",
    },
    Rule {
        name: "updates-are-frequent",
        source: "decision matrix: update frequency",
        asks: &["updates"],
        fires: |a| frequent(a.updates).map(|weight| (Retrieval, weight)),
        explanation: "Answers must catch up often: each time would be a training.",
    },
    Rule {
        name: "updates-are-infrequent",
        source: "decision matrix: update frequency",
        asks: &["updates"],
        fires: |a| when(stable(a.updates), Memorising, 1),
        explanation: "Infrequent updates are acceptable: training once a year keeps up.",
    },
    // Then the lists.
    Rule {
        name: "no-network",
        source: "core differences: offline capability",
        asks: &["runs_on"],
        fires: |a| when(a.runs_on == Some(RunsOn::Offline), Memorising, 1),
        explanation: "Without a network a model that knows by itself is simplest; groundtune's \
                      index lies in local files, so retrieval is not ruled out.",
    },
    Rule {
        name: "too-vast-to-memorise",
        source: "when to use RAG: memory constraints",
        asks: &["documents"],
        fires: |a| when(vast(a), Retrieval, 2),
        explanation: "More than 10,000 documents are too vast for the model's memory: an index \
                      holds them for it.",
    },
    Rule {
        name: "large-and-changing",
        source: "choose retrieval when: large knowledge bases that are frequently updated",
        asks: &["documents", "changes"],
        fires: |a| when(vast(a) && frequent(a.changes).is_some(), Retrieval, 1),
        explanation: "The knowledge base is both large and continuously changing.",
    },
    Rule {
        name: "avoid-retraining-for-each-update",
        source: "choose retrieval when; core differences: cost of updates",
        asks: &["updates"],
        fires: |a| when(a.updates >= Some(Pace::Weekly), Retrieval, 1),
        explanation: "Fine-tuning again for every minor update costs 52 trainings a year and more.",
    },
    Rule {
        name: "no-labelled-data",
        source: "choose retrieval when: low-resource scenarios",
        asks: &["examples"],
        fires: |a| when(a.examples == Some(0.0), Retrieval, 2),
        explanation: "There is no labelled data of this domain to fine-tune on.",
    },
    Rule {
        name: "grounding",
        source: "choose retrieval when: factual grounding; core differences: accuracy on recent info",
        asks: &["grounding"],
        fires: |a| when(yes(a.grounding), Retrieval, 2),
        explanation: "An answer from documents can cite them; one from weights cannot, and makes \
                      things up where its knowledge is outdated.",
    },
    Rule {
        name: "rarely-used-information",
        source: "choose retrieval when: up-to-date or rarely used information",
        asks: &["rare_facts"],
        fires: |a| when(yes(a.rare_facts), Retrieval, 2),
        explanation: "What is rarely read is hardly learnt; an index finds it as easily as the \
                      rest.",
    },
    Rule {
        name: "find-documents",
        source: "choose retrieval when: enterprise search tools",
        asks: &["task"],
        fires: |a| when(a.task == Some(Task::Search), Retrieval, 3),
        explanation: "To find a document is retrieval itself.",
    },
    Rule {
        name: "cost-effective-deployment",
        source: "choose retrieval when: cost-effective deployment",
        asks: &["budget_usd"],
        fires: |a| when(a.budget_usd.is_some_and(|it| it < 1000.0), Retrieval, 1),
        explanation: "With less than $1,000 retrieval is the practical way to a first version.",
    },
    Rule {
        name: "base-model-performs-well",
        source: "choose retrieval when: the base model already performs well",
        asks: &["base_model"],
        fires: |a| when(a.base_model == Some(BaseModel::Good), Retrieval, 1),
        explanation: "The model already does the task well; it only needs the facts in front of \
                      it, and stays as it is.",
    },
    Rule {
        name: "specialised-and-static",
        source: "choose training when: a specialised task with static data",
        asks: &["task", "changes"],
        fires: |a| {
            when(
                a.task.is_some_and(Task::is_fixed) && stable(a.changes),
                Memorising,
                1,
            )
        },
        explanation: "The task is well defined and its data static: the model can make both its \
                      own.",
    },
    // Must the model change?
    Rule {
        name: "not-the-default",
        source: "key decision framework: a strategic decision, not the default",
        asks: &[],
        fires: |_| Some((Prompting, 1)),
        explanation: "Fine-tuning has to earn its place: it is never the default.",
    },
    Rule {
        name: "behaviour-must-change",
        source: QUESTIONS,
        asks: &["need"],
        fires: |a| {
            when(
                matches!(a.need, Some(Need::Behaviour | Need::Both)),
                Training,
                3,
            )
        },
        explanation: "The problem is about behaviour: training changes how the model thinks, not \
                      just what it knows.",
    },
    Rule {
        name: "behaviour-is-right",
        source: QUESTIONS,
        asks: &["need"],
        fires: |a| when(a.need == Some(Need::Knowledge), Prompting, 3),
        explanation: "The challenge is access to information, and for that nothing in the model \
                      has to change.",
    },
    Rule {
        name: "strict-format",
        source: "choose training when: consistent structured outputs",
        asks: &["strict_format"],
        fires: |a| when(yes(a.strict_format), Training, 2),
        explanation: "For strict formats and rule-based outputs fine-tuning is the more \
                      consistent.",
    },
    Rule {
        name: "tone",
        source: "choose training when: tone customisation",
        asks: &["tone"],
        fires: |a| when(yes(a.tone), Training, 2),
        explanation: "A tone, a brand's voice, a style are learnt from examples.",
    },
    Rule {
        name: "specialised-task",
        source: "choose training when: task-specific requirements, custom tasks",
        asks: &["task"],
        fires: |a| when(a.task.is_some_and(Task::is_fixed), Training, 2),
        explanation: "Classification, extraction, inference and code are structured, repeatable \
                      tasks in which a specialised model is more accurate.",
    },
    Rule {
        name: "writing-task",
        source: "choose training when: behavioural and stylistic preferences",
        asks: &["task"],
        fires: |a| {
            when(
                is_task(a, &[Task::Write, Task::Draft, Task::Summarise]),
                Training,
                1,
            )
        },
        explanation: "Stories, contracts and summaries have a form that is learnt.",
    },
    Rule {
        name: "deep-domain",
        source: "choose training when: domain-specific knowledge",
        asks: &["domain"],
        fires: |a| when(a.domain == Some(Domain::Deep), Training, 1),
        explanation: "A specialised domain has terms and patterns that a trained model masters.",
    },
    Rule {
        name: "complex-domain",
        source: "hybrid approaches: complex domains",
        asks: &["need", "domain"],
        fires: |a| {
            when(
                a.need == Some(Need::Both) && a.domain == Some(Domain::Deep),
                Training,
                1,
            )
        },
        explanation: "In complex domains such as healthcare, biomedical research or finance a \
                      model that reasons and writes well and facts that are looked up complement \
                      each other.",
    },
    Rule {
        name: "base-fails-in-reasoning",
        source: "choose training when: the base model fails in domain reasoning",
        asks: &["base_model"],
        fires: |a| when(a.base_model == Some(BaseModel::LacksReasoning), Training, 3),
        explanation: "The model fails to reason in this field, and more text before it does not \
                      teach it to.",
    },
    Rule {
        name: "base-stumbles-over-language",
        source: "choose training when: improving baseline performance",
        asks: &["base_model"],
        fires: |a| when(a.base_model == Some(BaseModel::LacksLanguage), Training, 2),
        explanation: "Vocabulary, slang or style differ from what the model was trained on.",
    },
    Rule {
        name: "base-is-good",
        source: "choose retrieval when: the base model already performs well",
        asks: &["base_model"],
        fires: |a| when(a.base_model == Some(BaseModel::Good), Prompting, 2),
        explanation: "The model already performs well: training it risks what it can.",
    },
    Rule {
        name: "well-labelled-data",
        source: "choose training when: a well-labelled dataset",
        asks: &["examples", "examples_good"],
        fires: |a| {
            when(
                many(a.examples, MANY_EXAMPLES) && yes(a.examples_good),
                Training,
                1,
            )
        },
        explanation: "There are 1,000 well-labelled examples or more.",
    },
    Rule {
        name: "compute-is-there",
        source: "choose training when: a well-labelled dataset and sufficient computational resources",
        asks: &["examples", "examples_good", "gpus"],
        fires: |a| {
            let data = many(a.examples, MANY_EXAMPLES) && yes(a.examples_good);
            when(data && many(a.gpus, 1.0), Training, 1)
        },
        explanation: "There is hardware to train on, and data that is worth it.",
    },
    Rule {
        name: "small-data-overfits",
        source: "common mistakes: overfitting small datasets",
        asks: &["examples"],
        fires: |a| {
            let examples = a.examples?;
            when(
                examples < FEW_EXAMPLES,
                Prompting,
                if examples == 0.0 { 3 } else { 2 },
            )
        },
        explanation: "Fewer than 100 examples are learnt by heart; shown in the prompt they are \
                      worth more.",
    },
    Rule {
        name: "budget-carries-training",
        source: "decision matrix: budget",
        asks: &["budget_usd"],
        fires: |a| when(many(a.budget_usd, HIGH_BUDGET_USD), Training, 1),
        explanation: "From $10,000 on the budget carries training.",
    },
    Rule {
        name: "budget-below-fine-tuning",
        source: "training phases: fine-tuning costs $100 to $10,000",
        asks: &["budget_usd"],
        fires: |a| {
            when(
                a.budget_usd.is_some_and(|it| it < LEAST_FINE_TUNING_USD),
                Prompting,
                2,
            )
        },
        explanation: "Below $100 there is less than fine-tuning usually costs.",
    },
    Rule {
        name: "strict-latency",
        source: "core differences: latency",
        asks: &["latency_ms"],
        fires: |a| when(a.latency_ms.is_some_and(|it| it < LATENCY_MS), Training, 1),
        explanation: "A tuned model needs no long prompt, so it answers sooner.",
    },
    Rule {
        name: "prompt-not-tried",
        source: "the six questions: can prompt engineering solve it first?",
        asks: &["prompt"],
        fires: |a| when(a.prompt == Some(Trial::NotTried), Prompting, 1),
        explanation: "Nobody has tried yet whether a better prompt solves it.",
    },
    Rule {
        name: "prompt-not-enough",
        source: "the six questions: can prompt engineering solve it first?",
        asks: &["prompt"],
        fires: |a| when(a.prompt == Some(Trial::NotEnough), Training, 1),
        explanation: "Prompting was measured and is not good enough.",
    },
    Rule {
        name: "retrieval-is-not-enough",
        source: "choose training when: retrieval alone cannot improve reasoning",
        asks: &["rag"],
        fires: |a| when(a.rag == Some(Trial::NotEnough), Training, 1),
        explanation: "Retrieval was measured and tuned, and what is missing is not in the \
                      documents.",
    },
];
