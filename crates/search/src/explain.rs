//! Why a chunk was found: every number that put it where it is.

use contract::Share;

use crate::fuse::Rank;
use crate::keyword::TermScore;

/// Why a chunk was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The question's words in the chunk, and what each adds to its keyword score.
    pub terms: Vec<TermScore>,
    /// Its keyword score (BM25) and its place in the keyword list, if it is in it.
    pub keyword: Option<(f32, Rank)>,
    /// How like the question's vector its own is, on the metric's scale, and its
    /// place in the vector list, if it is in it.
    pub vector: Option<(f32, Rank)>,
    /// How like the question's vector its own is, 0 to 1, whether or not it is in the
    /// vector list.
    pub similarity: Option<Share>,
    /// By how many standard deviations that stands out from the chunks at large.
    pub standing: Option<f64>,
    /// Its fused score: what the order before reranking rests on.
    pub fused: f64,
    /// The reranker's score, if one judged it.
    pub rerank: Option<Share>,
    /// The share of the question's content words, weighted by how rare they are, that
    /// the chunk contains.
    pub coverage: Share,
    /// How well it bears on the question by its words, 0 to 1
    /// ([`KeywordIndex::relevance`](crate::keyword::KeywordIndex::relevance)).
    pub words: Share,
    /// Its place in the evidence, if diversity moved it there from another.
    pub moved_from: Option<Rank>,
}
