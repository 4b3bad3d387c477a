//! Keyword search: the words of a question against the words of the chunks, by BM25.
//!
//! The index is ours because it is both smaller and faster than a library for what
//! is asked of it: questions of several words, of which any may match. It is a
//! *base*, a derived file that is used in place, and a *delta* in memory for what
//! came since; removed chunks are struck out. The scores are those of an index
//! freshly built from the chunks that live, to the last bit, whatever came before.

mod base;
mod bm25;
mod delta;
mod function_words;
mod highlight;
mod index;
mod language;
mod passage;
mod query;
mod rank;
mod relevance;
mod search;
mod settings;
#[cfg(test)]
mod tests;
mod words;

pub use bm25::{Bm25, idf};
pub use index::{IndexedText, KeywordIndex};
pub use language::{Language, LanguageChoice, term};
pub use query::KeywordQuery;
pub use search::{KeywordHit, Selection, TermScore};
pub use settings::KeywordSettings;
pub use words::{Word, WordKind, for_each_word};
