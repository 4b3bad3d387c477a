//! What an encoder is taught: its task, the targets of a batch, and their losses.
//!
//! Letters: `B` texts, `T` tokens of all of them, `L` labels, `D` width.

mod loss;

pub(crate) use loss::{HeadLoss, Losses};

/// What an encoder is taught, and so which head stands on it.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Which one of these labels a text has: cross-entropy.
    Classes {
        /// What the labels are called.
        labels: Vec<String>,
    },
    /// Which of these labels a text has, any number of them: binary cross-entropy, the
    /// mean over labels.
    Labels {
        /// What the labels are called.
        labels: Vec<String>,
    },
    /// Which tag each word has: cross-entropy at its first token.
    Tags {
        /// What the tags are called.
        labels: Vec<String>,
    },
    /// Where in a passage the answer to a question starts and ends, the first token
    /// standing for none: the mean of both cross-entropies (Devlin et al. 2018, §4.2).
    Spans,
    /// How well two texts that are read together go with one another.
    Scores,
    /// That texts that belong together have vectors near one another: in-batch negatives
    /// (Henderson et al. 2017, §4), as sentence-transformers'
    /// `MultipleNegativesRankingLoss`.
    Vectors {
        /// What cosines are multiplied by: 20, in most cases.
        scale: f32,
    },
}

impl Task {
    /// Returns what its outputs are called, where they have names.
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Classes { labels } | Self::Labels { labels } | Self::Tags { labels } => labels,
            Self::Spans | Self::Scores | Self::Vectors { .. } => &[],
        }
    }

    /// Returns how many numbers its head gives for each text or token; for vectors, none.
    pub(crate) fn outputs(&self) -> usize {
        match self {
            Self::Classes { labels } | Self::Labels { labels } | Self::Tags { labels } => {
                labels.len()
            }
            Self::Spans => 2,
            Self::Scores => 1,
            Self::Vectors { .. } => 0,
        }
    }
}

/// What a head should have given for a batch. A number that is
/// [`IGNORE`](super::IGNORE) is not learnt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeadTargets<'a> {
    /// `(B)`: the label of each text, for [`Task::Classes`].
    Classes(&'a [u32]),
    /// `(B, L)`: how far each label holds, 0 to 1, or not a number where that is not
    /// learnt, for [`Task::Labels`].
    Labels(&'a [f32]),
    /// `(T)`: the tag of each word at its first token, for [`Task::Tags`].
    Tags(&'a [u32]),
    /// `(B)`: the first and the last token of each answer, counted from the text's first,
    /// for [`Task::Spans`].
    Spans(&'a [[u32; 2]]),
    /// `(B)`: how well each pair goes together, 0 to 1, for [`Task::Scores`]: binary
    /// cross-entropy.
    Scores(&'a [f32]),
    /// How many texts each group has, for [`Task::Scores`]: the first of each is to score
    /// more than the others, by cross-entropy (Gao et al. 2021, arXiv:2101.08751).
    Groups(&'a [usize]),
    /// For [`Task::Vectors`]: texts that are learnt, anchors, with what belongs to them.
    Anchors {
        /// The first so many texts are anchors; as many candidates follow that belong to
        /// them, in the same order, and behind these any that belong to none.
        count: usize,
        /// For each candidate a number, the same where it is the same text: that is then
        /// none that its anchor is told from.
        candidates: &'a [u32],
    },
}

impl HeadTargets<'_> {
    /// Returns how many things are learnt: texts (or each of their labels), words,
    /// answers, pairs, groups, anchors.
    /// The mean of their losses is their sum with the weight `1 / units`.
    pub fn units(&self) -> usize {
        let learnt = |targets: &[u32]| targets.iter().filter(|it| **it != super::IGNORE).count();
        match self {
            Self::Classes(targets) | Self::Tags(targets) => learnt(targets),
            Self::Labels(targets) => targets.iter().filter(|it| !it.is_nan()).count(),
            Self::Spans(targets) => targets.len(),
            Self::Scores(targets) => targets.len(),
            Self::Groups(groups) => groups.len(),
            Self::Anchors { count, .. } => *count,
        }
    }
}
