//! Chunks joined are the document.

use contract::{
    Document, Embed, EmbedderId, Embedding, PromiseError, TextRole, line_starts, lines_of,
};
use corpus::{Chunker, ReadOptions, chunk, read_bytes};
use proptest::prelude::*;

/// Embeds a text by its first letters.
struct Letters(EmbedderId);

impl Letters {
    fn new() -> Self {
        Self(EmbedderId {
            name: "letters".into(),
            dimensions: 4,
        })
    }
}

impl Embed for Letters {
    fn identity(&self) -> &EmbedderId {
        &self.0
    }

    fn embed(&self, texts: &[&str], _: TextRole) -> Result<Vec<Embedding>, PromiseError> {
        texts
            .iter()
            .map(|text| {
                let mut values = vec![0.1; 4];
                for byte in text.bytes().take(8) {
                    values[byte as usize % 4] += 1.0;
                }
                Embedding::new(self.0.clone(), values).map_err(|source| PromiseError {
                    who: "letters".into(),
                    source: source.into(),
                })
            })
            .collect()
    }
}

fn chunkers() -> Vec<(Chunker, usize)> {
    vec![
        (Chunker::default(), 220),
        (
            Chunker::Section {
                max_words: 5,
                min_words: 3,
            },
            5,
        ),
        (Chunker::Sentence { max_words: 6 }, 6),
        (
            Chunker::Fixed {
                words: 4,
                overlap: 0,
            },
            4,
        ),
        (
            Chunker::Code {
                max_words: 7,
                min_words: 2,
            },
            7,
        ),
        (
            Chunker::Topic {
                max_words: 9,
                min_words: 3,
                window: 2,
            },
            9,
        ),
    ]
}

/// Holds all promises against one document.
pub(crate) fn keeps_its_promises(document: &Document) {
    let starts = line_starts(&document.text);
    for (chunker, _) in chunkers() {
        let chunks = chunk(document, &chunker, Some(&Letters::new())).unwrap();
        let mut joined = String::new();
        for chunk in &chunks {
            let text = &document.text[chunk.bytes.clone()];
            assert_eq!(chunk.lines, lines_of(&starts, &chunk.bytes));
            assert!(
                !text.trim().is_empty() || document.text.trim().is_empty(),
                "{chunker:?} made a chunk of white space of {:?}",
                document.text
            );
            joined.push_str(text);
        }
        assert_eq!(joined, document.text, "{chunker:?}");
    }
    let overlapping = Chunker::Fixed {
        words: 5,
        overlap: 3,
    };
    let mut end = 0;
    for chunk in chunk(document, &overlapping, None).unwrap() {
        assert!(chunk.bytes.start <= end && chunk.bytes.end > end);
        end = chunk.bytes.end;
    }
    assert_eq!(end, document.text.len());
}

fn read(name: &str, text: &str) -> Vec<Document> {
    read_bytes(text.as_bytes(), name, name, &ReadOptions::default())
        .map(|reading| reading.documents)
        .unwrap_or_default()
}

const NAMES: [&str; 12] = [
    "a.md", "a.txt", "a.rs", "a.py", "a.csv", "a.json", "a.jsonl", "a.rst", "a.html", "a.ts",
    "a.c", "a.xml",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn joined_chunks_are_the_text(
        parts in prop::collection::vec(
            prop_oneof![
                Just("# "), Just("## "), Just("\n"), Just("\n\n"), Just(" "), Just("\r\n"),
                Just("```\n"), Just("---\n"), Just("===\n"), Just(". "), Just("word "), Just("é"),
                Just("你好。"), Just("fn f() {"), Just("}"), Just("def f():"), Just("    "),
                Just("class A"), Just("\""), Just(","), Just("{\"text\": \"a b\"}\n"), Just("| a |"),
                Just("<h1>"), Just("</h1>"), Just("<p>"), Just("\u{3000}"), Just("Sentence one! "),
                Just("averyveryverylongwordwithoutanyspaces"), Just("- item\n"), Just("// note\n"),
            ],
            0..60,
        ),
        name in prop::sample::select(&NAMES[..]),
    ) {
        for document in read(name, &parts.concat()) {
            keeps_its_promises(&document);
        }
    }

    #[test]
    fn no_text_breaks_the_readers(text in "\\PC{0,200}", name in prop::sample::select(&NAMES[..])) {
        for document in read(name, &text) {
            keeps_its_promises(&document);
        }
    }
}

/// Returns each chunk's headings and words.
fn cut(name: &str, text: &str, chunker: &Chunker) -> Vec<(String, String)> {
    let documents = read(name, text);
    let [document] = &documents[..] else {
        panic!("one document");
    };
    chunk(document, chunker, None)
        .unwrap()
        .into_iter()
        .map(|chunk| {
            let text = document.text[chunk.bytes].split_whitespace();
            (chunk.headings.join("/"), text.collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn check(name: &str, text: &str, chunker: &Chunker, expect: &[(&str, &str)]) {
    let found = cut(name, text, chunker);
    let found: Vec<_> = found
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(found, expect);
}

fn section(max_words: usize, min_words: usize) -> Chunker {
    Chunker::Section {
        max_words,
        min_words,
    }
}

#[test]
fn headings_travel_with_their_chunks() {
    check(
        "a.md",
        "# Guide\n\n## Install\n\nRun the installer now please.\n\n## Use\n\nType the command and wait.\n",
        &section(9, 9),
        &[
            (
                "Guide/Install",
                "# Guide ## Install Run the installer now please.",
            ),
            ("Guide/Use", "## Use Type the command and wait."),
        ],
    );
}

#[test]
fn short_siblings_are_joined_under_their_common_heading() {
    check(
        "a.md",
        "# FAQ\n\n## One\n\nYes.\n\n## Two\n\nNo.\n\n## Three\n\nA longer answer that stands well alone here.\n",
        &section(16, 6),
        &[
            ("FAQ", "# FAQ ## One Yes. ## Two No."),
            (
                "FAQ/Three",
                "## Three A longer answer that stands well alone here.",
            ),
        ],
    );
}

#[test]
fn a_bare_heading_goes_with_the_long_section_it_announces() {
    check(
        "a.md",
        "# A\n\n## B\n\nOne two three. Four five six. Seven eight nine.\n",
        &section(9, 9),
        &[
            ("A/B", "# A ## B One two three."),
            ("A/B", "Four five six. Seven eight nine."),
        ],
    );
}

#[test]
fn a_long_section_is_cut_between_paragraphs_then_sentences() {
    check(
        "a.md",
        "# A\n\nOne two three.\n\nFour five six.\n\nSeven eight nine. Ten eleven twelve. Thirteen.\n",
        &section(8, 0),
        &[
            ("A", "# A One two three. Four five six."),
            ("A", "Seven eight nine. Ten eleven twelve. Thirteen."),
        ],
    );
}

#[test]
fn code_is_cut_at_its_items() {
    check(
        "a.rs",
        "use a::b;\n\nfn one() {\n    two(); three(); four(); five();\n}\n\nfn six() {\n    seven(); eight(); nine(); ten();\n}\n",
        &section(12, 3),
        &[
            (
                "fn one()",
                "use a::b; fn one() { two(); three(); four(); five(); }",
            ),
            ("fn six()", "fn six() { seven(); eight(); nine(); ten(); }"),
        ],
    );
}

#[test]
fn a_topic_ends_where_the_embeddings_turn() {
    let text = "Cats purr at night. ".repeat(6) + &"Stars shine far off. ".repeat(7);
    let documents = read("a.txt", &text);
    let topic = Chunker::Topic {
        max_words: 60,
        min_words: 8,
        window: 2,
    };
    let chunks = chunk(&documents[0], &topic, Some(&Letters::new())).unwrap();
    let starts: Vec<_> = chunks
        .iter()
        .map(|chunk| text[chunk.bytes.clone()].split(' ').next().unwrap())
        .collect();
    assert_eq!(starts, ["Cats", "Stars"]);
}

#[test]
fn topics_need_an_embedder_and_settings_must_make_sense() {
    let documents = read("a.md", "text");
    let topic: Chunker = serde_json::from_str(r#"{"method": "topic"}"#).unwrap();
    let error = chunk(&documents[0], &topic, None).unwrap_err();
    assert!(matches!(error, corpus::ChunkError::NoEmbedder));
    for settings in [
        r#"{"method": "fixed", "words": 5, "overlap": 5}"#,
        r#"{"method": "section", "max_words": 0}"#,
        r#"{"method": "section", "max_words": 10, "min_words": 11}"#,
    ] {
        let chunker: Chunker = serde_json::from_str(settings).unwrap();
        let error = chunk(&documents[0], &chunker, None).unwrap_err();
        assert!(matches!(error, corpus::ChunkError::Setting { .. }));
    }
    assert!(serde_json::from_str::<Chunker>(r#"{"method": "section", "size": 3}"#).is_err());
    let section: Chunker = serde_json::from_str(r#"{"method": "section"}"#).unwrap();
    assert_eq!(section, Chunker::default());
}
