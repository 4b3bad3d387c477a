//! Three scales on which the rules lay their weights.
//!
//! One scale from "retrieve" to "train" would hide that the two do different things. So it is
//! asked first whether facts are wanted at all, then where they should live, and, beside it,
//! whether the model itself must change:
//!
//! | facts wanted | they live in | model must change | recommended |
//! |---|---|---|---|
//! | no | | no | prompt |
//! | yes | documents | no | RAG |
//! | no | | yes | fine-tune |
//! | yes | weights | either | fine-tune |
//! | yes | documents | yes | hybrid |
//!
//! Weights are 1 (slightly), 2 (clearly) and 3 (strongly), with 4 where a source leaves no
//! choice. A rule's weight depends on its own answers alone and never falls as its answer gets
//! more pressing, so the whole is monotonic: data that changes more often never moves the
//! result away from retrieval, a tighter budget never adds training.

use serde::Serialize;

/// What is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Whether facts are wanted that the model lacks.
    Knowledge,
    /// Where those facts should live: in documents, or in the model's weights.
    Place,
    /// Whether the model itself must change.
    Behaviour,
}

impl Scale {
    /// All of them, in the order in which they are read.
    pub const ALL: [Self; 3] = [Self::Knowledge, Self::Place, Self::Behaviour];
}

/// What a rule speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Facts are wanted.
    Knowledge,
    /// No facts are wanted.
    NoKnowledge,
    /// Facts belong in documents, found for each question.
    Retrieval,
    /// Facts belong in the model's weights.
    Memorising,
    /// The model must change.
    Training,
    /// Prompting is enough.
    Prompting,
    /// Retrieval is not possible, whatever the weights say.
    RulesOutRetrieval,
    /// Nothing else is needed, whatever the weights say.
    Settled,
}

impl Effect {
    /// Returns the scale it is laid on, and whether on the side that makes it rise; nothing for
    /// what is not weighed.
    pub fn side(self) -> Option<(Scale, bool)> {
        match self {
            Self::Knowledge => Some((Scale::Knowledge, true)),
            Self::NoKnowledge => Some((Scale::Knowledge, false)),
            Self::Retrieval => Some((Scale::Place, true)),
            Self::Memorising => Some((Scale::Place, false)),
            Self::Training => Some((Scale::Behaviour, true)),
            Self::Prompting => Some((Scale::Behaviour, false)),
            Self::RulesOutRetrieval | Self::Settled => None,
        }
    }

    /// Returns it in a few words.
    pub fn says(self) -> &'static str {
        match self {
            Self::Knowledge => "facts are wanted",
            Self::NoKnowledge => "no facts are wanted",
            Self::Retrieval => "for retrieval",
            Self::Memorising => "for training facts in",
            Self::Training => "for training",
            Self::Prompting => "for prompting alone",
            Self::RulesOutRetrieval => "rules retrieval out",
            Self::Settled => "settles it",
        }
    }
}

/// What lies on one scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pans {
    /// The weight for: facts, retrieval, or training.
    pub r#for: u32,
    /// The weight against.
    pub against: u32,
}

impl Pans {
    /// Returns how far it tips: above 0 if more speaks for it.
    pub fn tips(self) -> i64 {
        i64::from(self.r#for) - i64::from(self.against)
    }

    /// Returns whether the sides contradict each other and neither is clearly heavier.
    pub fn is_close(self) -> bool {
        self.r#for > 0 && self.against > 0 && self.tips().abs() <= 1
    }
}
