//! The sources' five tables of differences, row by row: what each says of training and of
//! retrieval, which answers bear on it, and what a comparison on one's own data measures for it.

use std::cmp::Ordering;

use serde::Serialize;

use super::rules::{RULES, Reason};
use super::scale::Effect;

/// A row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Criterion {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub aspect: &'static str,
    /// What it says of training.
    pub training: &'static str,
    /// What it says of retrieval.
    pub retrieval: &'static str,
    /// The answers that bear on it.
    #[serde(skip)]
    pub answers: &'static [&'static str],
    /// What measures it.
    pub measured_by: &'static str,
}

/// A row as the answers bear on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The row.
    #[serde(flatten)]
    pub criterion: Criterion,
    /// What speaks louder of the answers that bear on it.
    pub favours: Favours,
}

/// What a criterion speaks for in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Favours {
    /// Training.
    Training,
    /// Retrieval, or leaving the model as it is.
    Retrieval,
    /// Both alike.
    Even,
    /// No answer bears on it.
    Unknown,
}

const CORE: &str = "core differences";
const COMPARISON: &str = "comparison of features";
const STUDY: &str = "comparative study";
const KEY: &str = "key differences";
const VERSUS: &str = "retrieval against fine-tuning";

macro_rules! rows {
    ($($table:ident: $aspect:literal, $training:literal, $retrieval:literal, [$($answer:literal),*], $measured:literal;)+) => {
        &[$(Criterion {
            table: $table,
            aspect: $aspect,
            training: $training,
            retrieval: $retrieval,
            answers: &[$($answer),*],
            measured_by: $measured,
        }),+]
    };
}

/// All rows of the five tables.
pub const CRITERIA: &[Criterion] = rows! {
    CORE: "data reliance", "knowledge lies in the weights", "data is fetched when asked", ["need", "documents"], "answers that are right with and without evidence";
    CORE: "model update procedure", "training again", "the knowledge base is updated", ["updates"], "time and cost of one update";
    CORE: "adaptability to new data", "limited until trained again", "at once", ["changes"], "freshness: time until an added document is answered from";
    CORE: "inference speed", "usually faster: no step of retrieval", "slower by that step", ["latency_ms"], "latency, median and 95th percentile";
    CORE: "handling changing information", "struggles without training again", "excels", ["changes"], "freshness: stale answers after a change";
    CORE: "cost of updates", "high", "low", ["updates", "budget_usd"], "cost of one update";
    CORE: "offline capability", "fully offline", "needs a network, or an index on the machine", ["runs_on"], "the same questions without a network";
    CORE: "accuracy on recent information", "may be outdated or made up", "more accurate", ["changes", "grounding"], "answers that are right about documents added after training";
    COMPARISON: "purpose", "specialises the model to a task or domain", "adds external knowledge to answers", ["need", "domain"], "answers that are right";
    COMPARISON: "training required", "task-specific training", "none", ["examples"], "time, memory and money until the first answer";
    COMPARISON: "knowledge update frequency", "frozen after training", "when the question is asked", ["changes", "updates"], "freshness";
    COMPARISON: "use cases", "specialised tasks: classification, summaries", "large, changing knowledge; real-time information", ["task", "documents"], "answers that are right, by kind of question";
    COMPARISON: "infrastructure complexity", "simple when answering, but needs what training needs", "more complex: a system of retrieval", ["runs_on", "gpus"], "parts that run, and memory while answering";
    COMPARISON: "cost", "higher: training", "lower for updates", ["budget_usd"], "cost of a thousand questions, and of one update";
    COMPARISON: "data dependency", "heavily on labelled data", "less on what the model knows", ["examples", "examples_good"], "learning curve: quality against examples";
    STUDY: "data requirement", "labelled examples", "documents", ["examples", "documents"], "learning curve: quality against examples";
    STUDY: "model training", "required", "not required", ["examples", "prompt"], "time until the first answer";
    STUDY: "up-to-date knowledge", "no: static after training", "yes: retrieved as it is now", ["changes"], "freshness: stale answers after a change";
    STUDY: "domain adaptation", "very good", "good", ["domain", "base_model"], "answers that are right, against general ability lost";
    STUDY: "cost and complexity", "higher", "lower", ["budget_usd"], "money and parts";
    STUDY: "latency", "lower", "higher: retrieval", ["latency_ms"], "latency, median and 95th percentile";
    STUDY: "maintenance", "harder: train again when knowledge changes", "easier: update the knowledge base", ["updates"], "cost of one update";
    KEY: "data source", "what the model has internalised", "its knowledge together with what is retrieved", ["need", "grounding"], "groundedness of answers";
    KEY: "training effort", "expensive", "none: the knowledge base is updated", ["budget_usd", "updates"], "time and cost of one update";
    KEY: "adaptability", "static or slowly changing information", "rapidly evolving, real-time information", ["changes"], "freshness";
    KEY: "task type", "fixed and structured: classification, entities", "open-ended: questions, search, facts", ["task"], "answers that are right, by kind of question";
    KEY: "performance", "highly specialised, within its domain", "flexible over broad and changing tasks", ["domain", "task"], "general ability before and after training";
    KEY: "model size", "may have to be larger to keep more knowledge", "a smaller one suffices where retrieval holds the knowledge", ["documents", "budget_usd"], "quality against memory";
    VERSUS: "knowledge updates", "a cycle of training", "documents, at once", ["changes", "updates"], "time until a change is answered from";
    VERSUS: "cost", "expensive training and validation before the first answer", "little before, then infrastructure", ["budget_usd"], "cost before, and of a thousand questions";
    VERSUS: "performance consistency", "more predictable", "as good as what is retrieved", ["strict_format", "tone"], "format consistency, and the spread over seeds";
    VERSUS: "scalability", "scales behaviour; versions must be managed", "scales knowledge with its index", ["documents"], "quality and latency as documents grow";
    VERSUS: "latency", "faster", "slightly slower: retrieval", ["latency_ms"], "latency, median and 95th percentile";
};

/// Returns each row with what the answers speak for.
pub fn judge(reasons: &[Reason]) -> Vec<Judged> {
    let favours = |criterion: &Criterion| {
        let bears = |reason: &&Reason| {
            let rule = RULES.iter().find(|it| it.name == reason.rule);
            rule.is_some_and(|it| it.asks.iter().any(|key| criterion.answers.contains(key)))
        };
        let mut weights = (0, 0);
        for reason in reasons.iter().filter(bears) {
            match reason.effect {
                Effect::Training | Effect::Memorising | Effect::NoKnowledge => {
                    weights.0 += reason.weight;
                }
                Effect::Retrieval | Effect::Prompting | Effect::Knowledge => {
                    weights.1 += reason.weight;
                }
                // What leaves no choice outweighs the rest.
                Effect::RulesOutRetrieval => weights.0 += 100,
                Effect::Settled => weights.1 += 100,
            }
        }
        match weights {
            (0, 0) => Favours::Unknown,
            (training, retrieval) => match training.cmp(&retrieval) {
                Ordering::Greater => Favours::Training,
                Ordering::Less => Favours::Retrieval,
                Ordering::Equal => Favours::Even,
            },
        }
    };
    let judged = CRITERIA.iter().map(|criterion| Judged {
        criterion: *criterion,
        favours: favours(criterion),
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::super::question::question;
    use super::*;

    #[test]
    fn every_row_of_the_five_tables_is_there() {
        let rows = |table| CRITERIA.iter().filter(|it| it.table == table).count();
        let counts = [CORE, COMPARISON, STUDY, KEY, VERSUS].map(rows);
        assert_eq!(counts, [8, 7, 7, 6, 5]);
    }

    #[test]
    fn every_row_is_borne_on_by_answers_that_are_asked() {
        for criterion in CRITERIA {
            assert!(!criterion.answers.is_empty(), "{}", criterion.aspect);
            for key in criterion.answers {
                question(key).unwrap();
            }
            // At least one rule looks at one of them.
            let looked_at = RULES.iter().flat_map(|rule| rule.asks);
            let mut both = looked_at.filter(|key| criterion.answers.contains(key));
            assert!(both.next().is_some(), "{}", criterion.aspect);
        }
    }
}
