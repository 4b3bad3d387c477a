//! Index files with right checksums and wrong numbers: refused, or harmless to search.
//!
//! A checksum keeps damage out, so bytes at random would never reach the readers
//! behind it. The input edits the sections of whole files instead, four bytes an edit
//! (section, offset, value), which are then written with the checksums they need.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use contract::ChunkId;
use search::derived::{self, Derived, Kind};
use search::keyword::{IndexedText, KeywordIndex, KeywordSettings};
use search::vector::{Method, Metric, SearchOptions, Settings, VectorIndex};

const KEYWORD: Kind = Kind { id: 1, version: 1 };
const VECTOR: Kind = Kind {
    id: u32::from_le_bytes(*b"vect"),
    version: 1,
};

/// The sections of a whole keyword index and a whole vector index.
static WHOLE: LazyLock<[Vec<Vec<u8>>; 2]> = LazyLock::new(|| {
    let mut keyword = KeywordIndex::new(KeywordSettings::default());
    let mut vectors = VectorIndex::new(8, Metric::Cosine, Settings::default()).expect("it fits");
    for number in 0..40_u64 {
        let text = format!("chunk {number} says word{} and word{}", number % 7, number % 5);
        let text = IndexedText {
            text: &text,
            ..IndexedText::default()
        };
        keyword.insert(ChunkId(number + 1), &text);
        let vector = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, number as f32];
        vectors.insert(ChunkId(number + 1), &vector).expect("it fits");
    }
    vectors.build().expect("a small graph can be built");
    let path = path();
    keyword.save(&path, 1).expect("it can be written");
    let keyword = sections(&path, KEYWORD);
    vectors.save(&path, 1).expect("it can be written");
    [keyword, sections(&path, VECTOR)]
});

fn path() -> PathBuf {
    std::env::temp_dir().join(format!("fuzz-indexes-{}", std::process::id()))
}

fn sections(path: &std::path::Path, kind: Kind) -> Vec<Vec<u8>> {
    let file = Derived::open(path, kind).expect("it was just written");
    (0..).map_while(|index| file.section(index).ok().map(<[u8]>::to_vec)).collect()
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((which, edits)) = bytes.split_first() else {
        return;
    };
    let which = usize::from(which % 2);
    let mut sections = WHOLE[which].clone();
    for edit in edits.chunks_exact(4) {
        let section = usize::from(edit[0]) % sections.len();
        let section = &mut sections[section];
        let offset = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        match edit[0] {
            // Now and then a section is cut short instead.
            200.. => section.truncate(offset),
            _ if section.is_empty() => {}
            _ => {
                let offset = offset % section.len();
                section[offset] = edit[3];
            }
        }
    }
    let sections: Vec<&[u8]> = sections.iter().map(Vec::as_slice).collect();
    let path = path();
    let kind = [KEYWORD, VECTOR][which];
    derived::write(&path, kind, 1, &sections).expect("it can be written");
    if which == 0 {
        if let Ok(index) = KeywordIndex::open(&path, KeywordSettings::default()) {
            let query = index.query("chunk word3 \"says word2\"");
            for hit in index.search(&query, 5, None) {
                let _ = index.explain(&query, hit.chunk);
                let _ = index.relevance(&query, hit.chunk);
            }
        }
    } else if let Ok((index, _)) = VectorIndex::open(&path, Settings::default()) {
        let query = vec![1.0; index.dimensions()];
        for method in [None, Some(Method::Graph), Some(Method::Scan), Some(Method::Exact)] {
            let options = SearchOptions {
                method,
                ..SearchOptions::default()
            };
            let _ = index.search(&query, 5, &options, None);
        }
    }
});
