//! Identities that cannot be mistaken for one another.
//!
//! ```compile_fail
//! use contract::{DocumentId, QuestionId};
//! let document = DocumentId::new("handbook.md");
//! let question: QuestionId = document; // a document is not a question
//! ```
//!
//! ```compile_fail
//! use contract::{ChunkId, RunId};
//! let chunk = ChunkId(7);
//! let run: RunId = chunk; // a chunk is not a run
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes `id` as it is written.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// Returns the id as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A document: its path relative to the project, `/` between the parts, and
    /// `#` with the record's own id where one file holds many documents
    /// (`faq.json#doc_0`). Bytes that are not UTF-8 are written `%XX`.
    DocumentId
}

text_id! {
    /// A question of an evaluation set, or an example to learn from.
    QuestionId
}

/// A chunk in one store. Never used again after its chunk is deleted, so a
/// larger number is always a later chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChunkId(pub u64);

/// A run in a project's `.groundtune/runs` folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u32);

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}
