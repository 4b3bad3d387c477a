//! Finding evidence: stored chunks, a keyword index, a vector index, their fusion,
//! and why a chunk was found.
//!
//! Vectors are plain vectors here: they come from outside, through the `Embed`
//! promise or with the documents, and nothing in this crate computes one.

mod allowed;
mod cache;
mod chunk_set;
pub mod derived;
mod diversify;
mod error;
mod explain;
mod extract;
mod filter;
mod fuse;
mod grounding;
mod indexes;
pub mod keyword;
mod names;
mod rank;
mod recipe;
mod relevance;
pub mod route;
mod searcher;
pub mod store;
pub mod vector;

pub use chunk_set::ChunkSet;
pub use diversify::maximal_marginal_relevance;
pub use error::SearchError;
pub use explain::Explanation;
pub use extract::{Extract, extract};
pub use filter::{Comparison, Filter, FilterError};
pub use fuse::{Rank, RankedList, ScoredList, by_score, reciprocal_rank, weighted_sum};
pub use grounding::{Grounded, GroundedSentence, Grounding, Unsupported};
pub use recipe::{Fusion, RetrievalRecipe};
pub use relevance::{Likeness, relevance};
pub use searcher::{
    Found, IndexSettings, OpenReport, SearchReply, SearchRequest, Searcher, Timings,
};
