//! What every target of a file format does: read the bytes under each name, and
//! hold each document and its chunks to their promises.

use contract::{Document, line_starts, lines_of};
use corpus::{Chunker, ReadOptions, chunk, read_bytes};

/// Reads `bytes` under each of `names`; a refusal is a fine answer, a panic is not.
pub fn read_under(names: &[&str], bytes: &[u8]) {
    let options = ReadOptions { max_bytes: 4 << 20 };
    for name in names {
        if let Ok(reading) = read_bytes(bytes, name, name, &options) {
            for document in &reading.documents {
                assert!(document.sections_cover_text());
                join_again(document, &Chunker::default());
            }
        }
    }
}

/// Asserts that the chunks of `document` join to its text.
pub fn join_again(document: &Document, chunker: &Chunker) {
    let Ok(chunks) = chunk(document, chunker, None) else {
        return;
    };
    let starts = line_starts(&document.text);
    let mut end = 0;
    for chunk in &chunks {
        assert_eq!(chunk.bytes.start, end, "chunks follow one another");
        let text = &document.text[chunk.bytes.clone()];
        assert!(!text.trim().is_empty() || document.text.trim().is_empty());
        assert_eq!(chunk.lines, lines_of(&starts, &chunk.bytes));
        end = chunk.bytes.end;
    }
    assert_eq!(end, document.text.len(), "chunks cover the text");
}
