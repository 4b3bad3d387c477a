//! Cutting a document into chunks.
//!
//! Every chunker keeps three promises: both ends of a chunk lie on character
//! boundaries; chunks (without overlap) join to exactly the document's text, so
//! that white space and headings belong to some chunk; and none is white space
//! alone unless the document is. All take time linear in the text.

mod fixed;
mod piece;
mod section;
mod topic;
mod words;

use std::ops::Range;

use contract::{Chunk, Document, Embed, PromiseError, line_starts, lines_of};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How a document is cut. A *word* is a run without white space, of at most 16
/// characters; where a script writes without spaces, a character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Chunker {
    /// One chunk a section; a long one is cut between paragraphs, else between
    /// sentences, else between words; short ones under a common heading are
    /// joined. Source code is cut as [`Chunker::Code`] does.
    Section {
        /// The most words of a chunk: 220 if nothing else is said, which is what
        /// a sentence embedder with 256 to 512 tokens reads whole.
        #[serde(default = "default_max_words")]
        max_words: usize,
        /// A section of fewer words is joined to the next under the same heading:
        /// 40 if nothing else is said.
        #[serde(default = "default_min_words")]
        min_words: usize,
    },
    /// Whole sentences, as many as fit; headings are not looked at.
    Sentence {
        /// The most words of a chunk; a longer sentence is cut between words. 120
        /// if nothing else is said.
        #[serde(default = "default_sentence_words")]
        max_words: usize,
    },
    /// The same number of words each, whatever they say.
    Fixed {
        /// Words of a chunk: 200 if nothing else is said.
        #[serde(default = "default_fixed_words")]
        words: usize,
        /// Words that a chunk repeats of the one before: 40 if nothing else is said.
        #[serde(default = "default_overlap")]
        overlap: usize,
    },
    /// Cut where the subject changes: where the embeddings of the sentences
    /// before and after differ most. Needs an embedder.
    Topic {
        /// The most words of a chunk: 220 if nothing else is said.
        #[serde(default = "default_max_words")]
        max_words: usize,
        /// The fewest words of a chunk: 40 if nothing else is said.
        #[serde(default = "default_min_words")]
        min_words: usize,
        /// Sentences compared on either side of a gap: 3 if nothing else is said.
        #[serde(default = "default_window")]
        window: usize,
    },
    /// Source code: one chunk an item (function, class, …); a long one is cut at
    /// blank lines, else between lines; short neighbours are joined.
    Code {
        /// The most words of a chunk: 220 if nothing else is said.
        #[serde(default = "default_max_words")]
        max_words: usize,
        /// An item of fewer words is joined to the next: 40 if nothing else is said.
        #[serde(default = "default_min_words")]
        min_words: usize,
    },
}

fn default_max_words() -> usize {
    220
}

fn default_min_words() -> usize {
    40
}

fn default_sentence_words() -> usize {
    120
}

fn default_fixed_words() -> usize {
    200
}

fn default_overlap() -> usize {
    40
}

fn default_window() -> usize {
    3
}

impl Default for Chunker {
    fn default() -> Self {
        Self::Section {
            max_words: default_max_words(),
            min_words: default_min_words(),
        }
    }
}

/// Why a document could not be cut.
#[derive(Debug, Error)]
pub enum ChunkError {
    /// A chunker's number makes no sense.
    #[error("the chunker's `{key}` must be {expected}, found {found}")]
    Setting {
        /// The number's name.
        key: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: usize,
    },
    /// Topics are found by embeddings, and there is no embedder.
    #[error("the `topic` chunker needs an embedder; configure one, or use `method = \"section\"`")]
    NoEmbedder,
    /// The embedder failed.
    #[error("the `topic` chunker's sentences could not be embedded")]
    Embed {
        /// Why.
        #[source]
        source: PromiseError,
    },
}

/// Cuts `document` into chunks, in the order of its text. A document without
/// text has none.
///
/// Fails if the chunker's numbers make no sense, or, for [`Chunker::Topic`], if
/// there is no embedder or it fails.
pub fn chunk(
    document: &Document,
    chunker: &Chunker,
    embedder: Option<&dyn Embed>,
) -> Result<Vec<Chunk>, ChunkError> {
    chunker.check()?;
    if document.text.is_empty() {
        return Ok(Vec::new());
    }
    assert!(
        document.sections_cover_text(),
        "the sections of `{}` cover its text",
        document.id
    );
    let texture = Texture::of(document);
    let stretches = match *chunker {
        Chunker::Section {
            max_words,
            min_words,
        } => section::cut(document, texture, max_words, min_words),
        Chunker::Code {
            max_words,
            min_words,
        } => section::cut(document, Texture::Code, max_words, min_words),
        Chunker::Sentence { max_words } => {
            let pieces = piece::sentences(&document.text, texture, max_words);
            under_headings(document, piece::pack(&pieces, max_words, 0))
        }
        Chunker::Fixed { words, overlap } => {
            under_headings(document, fixed::cut(&document.text, words, overlap))
        }
        Chunker::Topic {
            max_words,
            min_words,
            window,
        } => {
            let embedder = embedder.ok_or(ChunkError::NoEmbedder)?;
            let pieces = piece::sentences(&document.text, texture, max_words);
            let sizes = topic::Sizes {
                max_words,
                min_words,
                window,
            };
            let ranges = topic::cut(&document.text, &pieces, &sizes, embedder)
                .map_err(|source| ChunkError::Embed { source })?;
            under_headings(document, ranges)
        }
    };
    let starts = line_starts(&document.text);
    Ok(stretches
        .into_iter()
        .map(|stretch| Chunk {
            lines: lines_of(&starts, &stretch.bytes),
            headings: stretch.headings,
            bytes: stretch.bytes,
        })
        .collect())
}

impl Chunker {
    fn check(&self) -> Result<(), ChunkError> {
        let within = |key, found, low: usize, high: usize| {
            if (low..=high).contains(&found) {
                return Ok(());
            }
            let expected = if high == usize::MAX {
                format!("{low} or more")
            } else {
                format!("from {low} to {high}")
            };
            Err(ChunkError::Setting {
                key,
                expected,
                found,
            })
        };
        match *self {
            Self::Section {
                max_words,
                min_words,
            }
            | Self::Code {
                max_words,
                min_words,
            } => {
                within("max_words", max_words, 1, usize::MAX)?;
                within("min_words", min_words, 0, max_words)
            }
            Self::Sentence { max_words } => within("max_words", max_words, 1, usize::MAX),
            Self::Fixed { words, overlap } => {
                within("words", words, 1, usize::MAX)?;
                within("overlap", overlap, 0, words - 1)
            }
            Self::Topic {
                max_words,
                min_words,
                window,
            } => {
                within("max_words", max_words, 1, usize::MAX)?;
                within("min_words", min_words, 0, max_words)?;
                within("window", window, 1, 64)
            }
        }
    }
}

/// What a text is made of, which says where it may be cut within a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texture {
    /// Sentences.
    Prose,
    /// Sentences, with fenced code between them.
    Fenced,
    /// A row a line.
    Rows,
    /// Source code: lines.
    Code,
}

impl Texture {
    fn of(document: &Document) -> Self {
        if crate::format::Language::of(&document.format, "").is_some() {
            return Self::Code;
        }
        match document.format.as_str() {
            "md" | "ipynb" => Self::Fenced,
            "csv" | "tsv" | "tab" | "xlsx" | "xls" | "xlsb" | "ods" | "json" | "log" | "toml"
            | "yaml" | "yml" | "ini" | "cfg" | "conf" => Self::Rows,
            "code" => Self::Code,
            _ => Self::Prose,
        }
    }
}

/// A chunk before its lines are counted.
pub(crate) struct Stretch {
    pub(crate) headings: Vec<String>,
    pub(crate) bytes: Range<usize>,
}

/// Gives each of `ranges` (by rising start) the headings that all sections it
/// touches have in common.
fn under_headings(document: &Document, ranges: Vec<Range<usize>>) -> Vec<Stretch> {
    let sections = &document.sections;
    let mut first = 0;
    ranges
        .into_iter()
        .map(|bytes| {
            while sections[first].bytes.end <= bytes.start {
                first += 1;
            }
            let mut shared = sections[first].headings.as_slice();
            for section in &sections[first + 1..] {
                if section.bytes.start >= bytes.end || shared.is_empty() {
                    break;
                }
                shared = common(shared, &section.headings);
            }
            Stretch {
                headings: shared.to_vec(),
                bytes,
            }
        })
        .collect()
}

/// Returns the headings with which both begin.
fn common<'a>(one: &'a [String], other: &[String]) -> &'a [String] {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    &one[..same]
}
