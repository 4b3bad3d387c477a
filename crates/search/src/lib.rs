//! Finding evidence: stored chunks, a keyword index, a vector index, their fusion,
//! and why a chunk was found.

mod chunk_set;
pub mod derived;
pub mod keyword;
pub mod vector;

pub use chunk_set::ChunkSet;
