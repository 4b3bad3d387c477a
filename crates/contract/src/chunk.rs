//! A chunk: the stretch of a document that is found and cited.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A stretch of a document's text. Its own text is `document.text[bytes]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The headings above it, outermost first. They travel with the chunk: they
    /// are searched and shown beside its text, but are not part of it.
    pub headings: Vec<String>,
    /// Its bytes in the document's text; both ends lie on character boundaries.
    pub bytes: Range<usize>,
    /// Its lines in the document's text.
    pub lines: LineRange,
}

/// Lines from `start` to `end`, both counted from 1 and both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineRange {
    /// The first line.
    pub start: u32,
    /// The last line.
    pub end: u32,
}

/// Returns the byte at which each line of `text` starts; the first is always 0.
/// Only `\n` ends a line.
pub fn line_starts(text: &str) -> Vec<usize> {
    let mut starts = vec![0];
    starts.extend(
        text.bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1),
    );
    starts
}

/// Returns the lines on which `bytes` lie, given a text's [`line_starts`].
///
/// A newline belongs to the line it ends, so `0..text.len()` of a one-line text
/// with its newline is line 1 to 1. An empty range is the line it stands on.
pub fn lines_of(starts: &[usize], bytes: &Range<usize>) -> LineRange {
    let line = |at: usize| starts.partition_point(|start| *start <= at).max(1) as u32;
    let start = line(bytes.start);
    let end = if bytes.end > bytes.start {
        line(bytes.end - 1)
    } else {
        start
    };
    LineRange { start, end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newline_belongs_to_the_line_it_ends() {
        let starts = line_starts("one\ntwo\n\nfour");
        assert_eq!(starts, [0, 4, 8, 9]);
        assert_eq!(lines_of(&starts, &(0..4)), LineRange { start: 1, end: 1 });
        assert_eq!(lines_of(&starts, &(0..5)), LineRange { start: 1, end: 2 });
        assert_eq!(lines_of(&starts, &(8..13)), LineRange { start: 3, end: 4 });
        assert_eq!(lines_of(&starts, &(9..9)), LineRange { start: 4, end: 4 });
    }
}
