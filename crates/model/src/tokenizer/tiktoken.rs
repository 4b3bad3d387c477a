//! OpenAI's `.tiktoken` files: a line for each token, its bytes in base64 and its rank.
//!
//! The file does not say how texts are split, nor which special tokens there are; that
//! is known of the encodings by how many ranks they have
//! (<https://github.com/openai/tiktoken>, `tiktoken_ext/openai_public.py`).

use std::path::Path;

use crate::ModelError;

use super::scored::{Kind, Piece, Scored, Symbols};
use super::{Text, TextTokenizer, split};

/// An encoding: its ranks, pattern and special tokens.
struct Encoding {
    name: &'static str,
    ranks: usize,
    pattern: &'static str,
    special: &'static [(&'static str, u32)],
}

const ENCODINGS: &[Encoding] = &[
    Encoding {
        name: "r50k_base",
        ranks: 50_256,
        pattern: R50K,
        special: &[("<|endoftext|>", 50_256)],
    },
    Encoding {
        name: "p50k_base",
        ranks: 50_280,
        pattern: R50K,
        special: &[("<|endoftext|>", 50_256)],
    },
    Encoding {
        name: "cl100k_base",
        ranks: 100_256,
        pattern: split::CL100K,
        special: &[
            ("<|endoftext|>", 100_257),
            ("<|fim_prefix|>", 100_258),
            ("<|fim_middle|>", 100_259),
            ("<|fim_suffix|>", 100_260),
            ("<|endofprompt|>", 100_276),
        ],
    },
    Encoding {
        name: "o200k_base",
        ranks: 199_998,
        pattern: split::O200K,
        special: &[("<|endoftext|>", 199_999), ("<|endofprompt|>", 200_018)],
    },
];

const R50K: &str =
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s";

/// Opens the file at `path`.
pub(super) fn open(path: &Path) -> Result<TextTokenizer, ModelError> {
    let text = fs_err::read_to_string(path)?;
    let wrong = |what: &str, expected: String, found: String| ModelError::Vocabulary {
        path: path.to_path_buf(),
        what: what.into(),
        expected,
        found,
    };
    let mut ranks: Vec<(Vec<u8>, u32)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let read = line
            .split_once(' ')
            .and_then(|(bytes, rank)| Some((base64(bytes)?, rank.parse().ok()?)));
        ranks.push(read.ok_or_else(|| {
            let shown: String = line.chars().take(60).collect();
            wrong(
                "a line",
                "a token in base64 and its rank".into(),
                format!("`{shown}`"),
            )
        })?);
    }
    let Some(encoding) = ENCODINGS.iter().find(|it| it.ranks == ranks.len()) else {
        let known: Vec<String> = ENCODINGS
            .iter()
            .map(|it| format!("{} ({})", it.ranks, it.name))
            .collect();
        let found = ranks.len().to_string();
        return Err(wrong("the number of tokens", known.join(", "), found));
    };
    let special = encoding
        .special
        .iter()
        .map(|(name, id)| (name.as_bytes().to_vec(), *id));
    let largest = special
        .clone()
        .map(|(_, id)| id)
        .max()
        .expect("every encoding has one");
    let hole = Piece {
        bytes: Vec::new(),
        score: 0.0,
        kind: Kind::Normal,
    };
    let mut pieces = vec![hole; largest.max(encoding.ranks as u32) as usize + 1];
    for (bytes, rank) in ranks {
        let Some(piece) = pieces.get_mut(rank as usize) else {
            let expected = format!("less than {}", pieces.len());
            return Err(wrong("a rank", expected, rank.to_string()));
        };
        *piece = Piece {
            bytes,
            score: -(rank as f32),
            kind: Kind::Normal,
        };
    }
    for (bytes, id) in special {
        pieces[id as usize] = Piece {
            bytes,
            score: 0.0,
            kind: Kind::Control,
        };
    }
    let single = |byte: u8| pieces.iter().any(|piece| piece.bytes == [byte]);
    if let Some(byte) = (0..=255).find(|byte| !single(*byte)) {
        let expected = "a token for each byte".into();
        return Err(wrong(
            "the vocabulary",
            expected,
            format!("none for byte {byte}"),
        ));
    }
    let last_used = pieces.iter().rposition(|piece| !piece.bytes.is_empty());
    pieces.truncate(last_used.map_or(0, |last| last + 1));
    let pattern = fancy_regex::Regex::new(encoding.pattern).expect("a test compiles every pattern");
    let vocabulary = Scored::new(pieces, Symbols::Bytes);
    let mut tokenizer = TextTokenizer::of_pieces(path, vocabulary, Text::Words(Box::new(pattern)));
    tokenizer.end = tokenizer.id("<|endoftext|>");
    tokenizer.ends.extend(tokenizer.end);
    Ok(tokenizer)
}

/// Appends the tokens of `text`, each match of `pattern` by itself.
pub(super) fn encode(
    path: &Path,
    vocabulary: &Scored,
    pattern: &fancy_regex::Regex,
    text: &str,
    into: &mut Vec<u32>,
) -> Result<(), ModelError> {
    for word in pattern.find_iter(text) {
        let word = word.map_err(|source| ModelError::Tokenizer {
            path: path.to_path_buf(),
            source: Box::new(source),
        })?;
        match vocabulary.id(word.as_str().as_bytes()) {
            Some(id) => into.push(id),
            None => vocabulary.encode(word.as_str(), into),
        }
    }
    Ok(())
}

/// Decodes base64 with padding (RFC 4648, §4).
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.is_empty() || !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, expect) in [
            ("Zg==", Some(&b"f"[..])),
            ("Zm8=", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("IQ==", Some(b"!")),
            ("+/+/", Some(&[0xfb, 0xff, 0xbf])),
            ("Zg=", None),
            ("Z===", None),
            ("Zm 9", None),
            ("", None),
        ] {
            assert_eq!(base64(text).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn every_pattern_is_one() {
        for encoding in ENCODINGS {
            fancy_regex::Regex::new(encoding.pattern).expect(encoding.name);
        }
    }
}
