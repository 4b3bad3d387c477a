//! llama2.c's `tokenizer.bin`: the length of the longest piece, then for each piece its
//! score, its length and its bytes (<https://github.com/karpathy/llama2.c>, `run.c`,
//! `build_tokenizer`).

use std::path::Path;

use crate::ModelError;

use super::pipeline::byte_token;
use super::scored::{Kind, Piece, Scored, Symbols};
use super::sentencepiece::Spacing;
use super::{Adds, Text, TextTokenizer};

/// The pieces before those of bytes: unknown, begin and end.
const BEGIN: u32 = 1;
const END: u32 = 2;

/// Opens the file at `path`.
pub(super) fn open(path: &Path) -> Result<TextTokenizer, ModelError> {
    let bytes = fs_err::read(path)?;
    let pieces = read(&bytes).ok_or_else(|| ModelError::Vocabulary {
        path: path.to_path_buf(),
        what: "the file".into(),
        expected: "llama2.c's: 3 pieces at least, each a score, a length and its bytes".into(),
        found: format!("{} bytes that are none", bytes.len()),
    })?;
    let spacing = Spacing {
        prefix: true,
        collapse: false,
        charsmap: None,
    };
    let vocabulary = Scored::new(pieces, Symbols::Characters);
    let mut tokenizer = TextTokenizer::of_pieces(path, vocabulary, Text::Spaced(spacing));
    // As `run.c` does.
    tokenizer.begin = Some(BEGIN);
    tokenizer.end = Some(END);
    tokenizer.ends = vec![BEGIN, END];
    tokenizer.adds = Adds {
        begin: true,
        end: false,
    };
    Ok(tokenizer)
}

fn read(file: &[u8]) -> Option<Vec<Piece>> {
    let mut rest = file;
    let longest = i32::from_le_bytes(rest.split_off(..4)?.try_into().ok()?);
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let score = f32::from_le_bytes(rest.split_off(..4)?.try_into().ok()?);
        let length = i32::from_le_bytes(rest.split_off(..4)?.try_into().ok()?);
        if length > longest {
            return None;
        }
        let bytes = rest.split_off(..usize::try_from(length).ok()?)?;
        let name = std::str::from_utf8(bytes).unwrap_or_default();
        // The names are written for people, with newlines around them.
        let (bytes, kind) = match (pieces.len(), byte_token(name)) {
            (0, _) => (b"<unk>".to_vec(), Kind::Unknown),
            (1, _) => (b"<s>".to_vec(), Kind::Control),
            (2, _) => (b"</s>".to_vec(), Kind::Control),
            (_, Some(byte)) => (vec![byte], Kind::Byte),
            _ => (bytes.to_vec(), Kind::Normal),
        };
        pieces.push(Piece { bytes, score, kind });
    }
    (pieces.len() >= 3 && longest >= 0).then_some(pieces)
}
