//! The retrieval recipe: how questions find evidence.

use contract::Share;
use serde::{Deserialize, Serialize};

/// How many pieces of evidence are returned, and how their order is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalRecipe {
    /// How many pieces of evidence at most.
    pub top_k: usize,
    /// How many candidates each list gives before they are fused. At least twice
    /// `top_k`, so that reranking and diversity have something to choose from.
    pub candidates: usize,
    /// How the lists become one.
    pub fusion: Fusion,
    /// Diversity by maximal marginal relevance, if wanted.
    pub diversity: Option<Share>,
}

/// How the keyword list and the vector list become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fusion {
    /// By score: each list on its own scale from 0 to 1, the vector list weighing the
    /// more the further its nearest chunk stands out from the rest; a reranker, if there
    /// is one, then orders what was fused.
    Score {
        /// How much the vector list counts; 1 is usual, 0 leaves it out.
        vector: f64,
    },
    /// By reciprocal rank; a reranker, if there is one, then orders what was fused.
    ReciprocalRank {
        /// The constant that tames the first ranks.
        k: f64,
        /// The keyword list's weight.
        keyword: f64,
        /// The vector list's weight.
        vector: f64,
    },
    /// By `similarity · relevance + rerank · reranker's score`, both 0 to 1. Without a
    /// reranker this is the order of relevance.
    Weighted {
        /// The weight of the similarity.
        similarity: f64,
        /// The weight of the reranker's score.
        rerank: f64,
    },
}

impl Default for RetrievalRecipe {
    /// Five pieces of evidence, from 50 candidates a list, fused by score.
    fn default() -> Self {
        Self {
            top_k: 5,
            candidates: 50,
            fusion: Fusion::default(),
            diversity: None,
        }
    }
}

impl Default for Fusion {
    fn default() -> Self {
        Self::Score { vector: 1.0 }
    }
}

impl Fusion {
    /// Reciprocal rank with the usual numbers.
    pub const RECIPROCAL_RANK: Self = Self::ReciprocalRank {
        k: 60.0,
        keyword: 1.0,
        vector: 1.0,
    };

    /// The weighted sum with the usual weights, 0.7 and 0.3.
    pub const WEIGHTED: Self = Self::Weighted {
        similarity: 0.7,
        rerank: 0.3,
    };
}
