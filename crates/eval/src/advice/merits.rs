//! What speaks for and against each way, and what each trades away.

use serde::Serialize;

use super::Recommendation;

/// Something that speaks for or against a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Merit {
    /// What it is.
    pub says: &'static str,
    /// The list it comes from.
    pub source: &'static str,
}

macro_rules! merits {
    ($($says:literal, $source:literal;)*) => {
        &[$(Merit { says: $says, source: $source }),*]
    };
}

const PROMPT_PROS: &[Merit] = merits! {
    "Nothing is trained, nothing is kept up: it can be changed in a minute.", "the six questions";
    "It keeps what the model can: no overfitting, no forgetting.", "the six questions";
};
const PROMPT_CONS: &[Merit] = merits! {
    "The model knows only what it was trained on, and what fits into the prompt.", "memory constraints";
    "Format and tone are asked for, not learnt, so they hold less reliably.", "performance consistency";
};
const RAG_PROS: &[Merit] = merits! {
    "Access to fresh and precise knowledge when it is asked.", "retrieval: pros";
    "Knowledge is updated by updating documents, without training: cheap, and at once.", "retrieval: advantages";
    "More accurate where information is heavy, domain-specific or changes quickly.", "retrieval: pros";
    "Fewer made-up answers where it is grounded properly, and answers that cite.", "retrieval: advantages";
    "The base model stays as it is: no overfitting, no catastrophic forgetting.", "retrieval: strengths";
    "Easier to build and to maintain than full fine-tuning; deployed sooner.", "retrieval: strengths";
    "It scales with vast amounts of data, and a smaller model can suffice.", "retrieval: strengths";
};
const RAG_CONS: &[Merit] = merits! {
    "Answers take longer: retrieval, and a longer prompt to read.", "retrieval: cons";
    "Where retrieval misses the right passage, the answer suffers.", "retrieval: disadvantages";
    "What was badly extracted from its file cannot be found.", "retrieval: cons";
    "A system of retrieval has to be run beside the model.", "retrieval: disadvantages";
};
const TRAINING_PROS: &[Merit] = merits! {
    "Very accurate in its task or domain, given good data.", "fine-tuning: advantages";
    "Control over style, format and behaviour; consistent.", "fine-tuning: advantages";
    "Fast answers: no retrieval, a short prompt.", "training: pros";
    "Nothing outside the model is needed when it answers.", "training: pros";
    "Better for purely creative or linguistic work.", "training: pros";
    "It learns the field's terms and ways to reason.", "retraining: strengths";
};
const TRAINING_CONS: &[Merit] = merits! {
    "Time, hardware and much labelled data, again for new data.", "fine-tuning: disadvantages";
    "Static knowledge goes out of date.", "training: cons";
    "It makes things up where its data is outdated or thin.", "training: cons";
    "It may forget what it could before (catastrophic forgetting).", "fine-tuning: disadvantages";
    "It may learn a small set of examples by heart (overfitting).", "training challenges";
    "Versions of the model have to be managed.", "scalability";
};

/// Returns what speaks for a way, and what against it.
pub fn merits(way: Recommendation) -> (Vec<Merit>, Vec<Merit>) {
    match way {
        Recommendation::Prompt => (PROMPT_PROS.to_vec(), PROMPT_CONS.to_vec()),
        Recommendation::Rag => (RAG_PROS.to_vec(), RAG_CONS.to_vec()),
        Recommendation::FineTune => (TRAINING_PROS.to_vec(), TRAINING_CONS.to_vec()),
        Recommendation::Hybrid => {
            let pros = merits! {
                "Knowledge stays fresh in documents while tone and form are learnt.", "hybrid: the best of both";
                "The model learns to use what is retrieved, not only to receive it.", "hybrid: reason about it well";
            };
            let cons = merits! {
                "It costs what both cost, and both have to be kept up.", "hybrid: cost control";
                "A model tuned without retrieved text before it can do worse with it: tune it on such prompts.", "hybrid: test it";
            };
            (
                [pros, RAG_PROS, &TRAINING_PROS[..2]].concat(),
                [cons, &RAG_CONS[..2], &TRAINING_CONS[..5]].concat(),
            )
        }
    }
}

/// Something that every way trades against the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TradeOff {
    /// What: knowledge freshness, behavioural consistency, scalability, cost control.
    pub about: &'static str,
    /// How the way stands there.
    pub says: &'static str,
}

/// Returns how a way stands in the four things that a layered system balances.
pub fn trade_offs(way: Recommendation) -> [TradeOff; 4] {
    let [freshness, consistency, scalability, cost] = match way {
        Recommendation::Prompt => [
            "what the model knew when it was made",
            "as the prompt asks, from answer to answer a little different",
            "nothing to scale but the model itself",
            "a longer prompt with each question, nothing before",
        ],
        Recommendation::Rag => [
            "as fresh as the documents",
            "as good as what is retrieved",
            "grows with the index, not with the model",
            "little before, some tokens more with each question, next to nothing for an update",
        ],
        Recommendation::FineTune => [
            "as of the last training",
            "learnt, so the most even",
            "behaviour scales; each version is a model to be kept",
            "much before and for each update, the least with each question",
        ],
        Recommendation::Hybrid => [
            "as fresh as the documents; the manner as of the last training",
            "manner learnt, facts as good as what is retrieved",
            "knowledge grows with the index, behaviour with the model",
            "both before; updates of facts cost next to nothing",
        ],
    };
    [
        TradeOff {
            about: "knowledge freshness",
            says: freshness,
        },
        TradeOff {
            about: "behavioural consistency",
            says: consistency,
        },
        TradeOff {
            about: "scalability",
            says: scalability,
        },
        TradeOff {
            about: "cost control",
            says: cost,
        },
    ]
}
