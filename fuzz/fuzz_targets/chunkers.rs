//! Every chunker over any text with any settings: chunks join to the text.
#![no_main]

mod shared;

use arbitrary::Arbitrary;
use contract::{Document, DocumentId, Metadata, Permissions, Section};
use corpus::Chunker;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    text: &'a str,
    cuts: Vec<u16>,
    format: u8,
    max_words: u8,
    min_words: u8,
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let text = input.text.to_owned();
    let mut ends: Vec<usize> = input
        .cuts
        .iter()
        .map(|cut| text.floor_char_boundary(usize::from(*cut)))
        .filter(|end| *end > 0)
        .chain((!text.is_empty()).then_some(text.len()))
        .collect();
    ends.sort_unstable();
    ends.dedup();
    let mut start = 0;
    let sections = ends
        .into_iter()
        .enumerate()
        .map(|(number, end)| {
            let bytes = start..end;
            start = end;
            Section {
                headings: vec![format!("{}", number % 3)],
                bytes,
            }
        })
        .collect();
    let formats = ["md", "txt", "csv", "rs", "pdf"];
    let document = Document {
        id: DocumentId::new("a"),
        title: None,
        format: formats[usize::from(input.format) % formats.len()].to_owned(),
        text,
        sections,
        metadata: Metadata::new(),
        permissions: Permissions::Everyone,
        embedding: None,
    };
    let (max_words, min_words) = (usize::from(input.max_words), usize::from(input.min_words));
    for chunker in [
        Chunker::Section {
            max_words,
            min_words,
        },
        Chunker::Code {
            max_words,
            min_words,
        },
        Chunker::Sentence { max_words },
        Chunker::Fixed {
            words: max_words,
            overlap: 0,
        },
    ] {
        shared::join_again(&document, &chunker);
    }
});
