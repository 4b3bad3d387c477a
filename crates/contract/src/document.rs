//! A document: the text of one file, or of one record in it.

use std::ops::Range;

use crate::{DocumentId, Metadata, Permissions};

/// One document as it was read, before it is cut into chunks.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Who it is; also where it is.
    pub id: DocumentId,
    /// Its title, from the front matter, the format's own field or the first heading.
    pub title: Option<String>,
    /// The short name of its format (`md`, `pdf`, `rs`).
    pub format: String,
    /// Its text, UTF-8. For formats that are text (Markdown, source code, …) it is
    /// the file as written, so that line numbers are those an editor shows; for
    /// others (PDF, DOCX, …) it is the text extracted from it.
    pub text: String,
    /// The text's sections in order: together they cover `text` from the first
    /// byte to the last, without gap and without overlap. Empty text has none.
    pub sections: Vec<Section>,
    /// What is known about it, to filter by.
    pub metadata: Metadata,
    /// Who may read it.
    pub permissions: Permissions,
    /// A vector that came with the document, if it brought one (a JSON record's
    /// `embedding`). It is for the whole text.
    pub embedding: Option<Vec<f32>>,
}

/// A stretch of a document under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The headings above it, outermost first; empty before the first heading.
    pub headings: Vec<String>,
    /// Its bytes in the document's text, the heading's own line included.
    pub bytes: Range<usize>,
}

impl Document {
    /// Returns whether the sections cover the text exactly, as promised.
    pub fn sections_cover_text(&self) -> bool {
        let mut end = 0;
        for section in &self.sections {
            if section.bytes.start != end || section.bytes.end <= end {
                return false;
            }
            end = section.bytes.end;
        }
        end == self.text.len()
    }
}
