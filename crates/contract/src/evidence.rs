//! Evidence: a chunk that was found for a question, and where it stands.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{ChunkId, DocumentId, LineRange, Share};

/// A chunk found for a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The chunk.
    pub chunk: ChunkId,
    /// The document it is from.
    pub document: DocumentId,
    /// The document's title, if it has one.
    pub title: Option<String>,
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// Its bytes in the document's text.
    pub bytes: Range<usize>,
    /// Its lines in the document's text.
    pub lines: LineRange,
    /// Its text, as it stands in the document.
    pub text: String,
    /// How well it bears on the question, 0 to 1: the scale of `threshold`.
    pub score: Share,
}

impl Evidence {
    /// Returns a text as evidence that no store holds: of no document, and wholly relevant.
    pub fn of_text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            chunk: ChunkId(0),
            document: DocumentId::new(""),
            title: None,
            headings: Vec::new(),
            bytes: 0..text.len(),
            lines: LineRange { start: 1, end: 1 },
            text,
            score: Share::ONE,
        }
    }

    /// Returns the headings in one line, ` › ` between them; empty if there are none.
    pub fn section(&self) -> String {
        self.headings.join(" › ")
    }
}
