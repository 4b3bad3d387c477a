//! SentencePiece's `.model` files: a protocol buffer of pieces, of how the vocabulary was
//! made, and of what is done to a text first
//! (<https://github.com/google/sentencepiece>, `sentencepiece_model.proto`).
//!
//! Of its kinds of model, byte-pair encoding is done by [`super::scored`] and unigram by
//! the `tokenizers` crate.

use std::path::Path;

use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::Replace;
use tokenizers::normalizers::{NormalizerWrapper, Precompiled, Sequence};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{AddedToken, NormalizedString, Normalizer as _, Tokenizer};

use crate::ModelError;

use super::pipeline::{Pipeline, byte_token, failed};
use super::scored::{Kind, Piece, Scored, Symbols};
use super::{Engine, Text, TextTokenizer, charsmap};

/// What decoding makes of the unknown piece, unless the model says otherwise.
const UNKNOWN_SURFACE: &str = " \u{2047} ";

/// What is done to a text before it is cut; pieces have spaces where the file has `▁`.
#[derive(Debug)]
pub(super) struct Spacing {
    /// A space is put before a text.
    pub(super) prefix: bool,
    /// Spaces around a text are left out, and those within put together.
    pub(super) collapse: bool,
    /// Which characters are replaced by which.
    pub(super) charsmap: Option<Box<Precompiled>>,
}

impl Spacing {
    pub(super) fn apply(&self, text: &str) -> String {
        let mut plain = text.to_owned();
        if let Some(charsmap) = &self.charsmap {
            let mut normalized = NormalizedString::from(plain.as_str());
            if charsmap.normalize(&mut normalized).is_ok() {
                plain = normalized.get().to_owned();
            }
        }
        if self.collapse {
            let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
            plain = words.join(" ");
        }
        // A text's own `▁` is no space to be left out, but becomes one.
        plain = plain.replace('▁', " ");
        if self.prefix && !plain.is_empty() {
            plain.insert(0, ' ');
        }
        plain
    }
}

/// The same for a unigram model.
#[derive(Debug)]
pub(super) struct UnigramText {
    pub(super) charsmap: Vec<u8>,
    pub(super) prefix: bool,
    pub(super) collapse: bool,
}

/// What of the file is used.
struct Model {
    pieces: Vec<(String, f32, Kind)>,
    /// 1 is unigram, 2 byte-pair encoding.
    kind: u64,
    unknown_surface: String,
    text: UnigramText,
}

/// Opens the file at `path`.
pub(super) fn open(path: &Path) -> Result<TextTokenizer, ModelError> {
    let bytes = fs_err::read(path)?;
    let wrong = |what: &str, expected: &str, found: String| ModelError::Vocabulary {
        path: path.to_path_buf(),
        what: what.into(),
        expected: expected.into(),
        found,
    };
    let model = read(&bytes).filter(|model| !model.pieces.is_empty());
    let Some(model) = model else {
        let found = format!("{} bytes that are none, or not whole", bytes.len());
        return Err(wrong("the file", "a SentencePiece model", found));
    };
    let named = |name: &str| {
        let at = model.pieces.iter().position(|(piece, ..)| piece == name);
        at.map(|id| id as u32)
    };
    let (begin, end) = (named("<s>"), named("</s>"));
    let mut tokenizer = match model.kind {
        1 => {
            let added: Vec<AddedToken> = model
                .pieces
                .iter()
                .filter(|(_, _, kind)| matches!(kind, Kind::Control | Kind::Always))
                .map(|(piece, _, kind)| {
                    AddedToken::from(piece.clone(), *kind == Kind::Control).normalized(false)
                })
                .collect();
            let unknown = |kind: &Kind| *kind == Kind::Unknown;
            let at = model.pieces.iter().position(|(_, _, kind)| unknown(kind));
            let bytes = model.pieces.iter().any(|(_, _, kind)| *kind == Kind::Byte);
            let pieces = model
                .pieces
                .into_iter()
                .map(|(piece, score, _)| (piece, f64::from(score)))
                .collect();
            let mut tokenizer = unigram(path, pieces, at, bytes, &model.text)?;
            tokenizer
                .add_tokens(added)
                .map_err(|source| failed(path, source))?;
            let pipeline = Pipeline::new(path, tokenizer)?;
            let special = pipeline.special();
            TextTokenizer::new(path, Engine::Pipeline(Box::new(pipeline)), special)
        }
        2 => {
            let spacing = Spacing {
                prefix: model.text.prefix,
                collapse: model.text.collapse,
                charsmap: precompiled(path, &model.text.charsmap)?.map(Box::new),
            };
            let surface = model.unknown_surface.as_bytes();
            let pieces = model
                .pieces
                .into_iter()
                .map(|(piece, score, kind)| {
                    let bytes = match (kind, byte_token(&piece)) {
                        (Kind::Byte, Some(byte)) => vec![byte],
                        (Kind::Unknown, _) => surface.to_vec(),
                        (Kind::Control, _) => piece.into_bytes(),
                        _ => piece.replace('▁', " ").into_bytes(),
                    };
                    Piece { bytes, score, kind }
                })
                .collect();
            let vocabulary = Scored::new(pieces, Symbols::Characters);
            TextTokenizer::of_pieces(path, vocabulary, Text::Spaced(spacing))
        }
        other => {
            let expected = "unigram (1) or byte-pair encoding (2)";
            return Err(wrong("the kind of model", expected, other.to_string()));
        }
    };
    tokenizer.begin = begin;
    tokenizer.end = end;
    tokenizer.ends.extend(end);
    Ok(tokenizer)
}

fn precompiled(path: &Path, charsmap: &[u8]) -> Result<Option<Precompiled>, ModelError> {
    if charsmap.is_empty() {
        return Ok(None);
    }
    if !charsmap::is_sound(charsmap) {
        return Err(ModelError::Vocabulary {
            path: path.to_path_buf(),
            what: "the table of characters".into(),
            expected: "one that SentencePiece made".into(),
            found: "damaged".into(),
        });
    }
    Precompiled::from(charsmap)
        .map(Some)
        .map_err(|source| failed(path, Box::new(source)))
}

/// Makes a unigram tokenizer of pieces and their log-probabilities.
pub(super) fn unigram(
    path: &Path,
    pieces: Vec<(String, f64)>,
    unknown: Option<usize>,
    bytes: bool,
    text: &UnigramText,
) -> Result<Tokenizer, ModelError> {
    let failed = |source| failed(path, source);
    let model = Unigram::from(pieces, unknown, bytes).map_err(failed)?;
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if let Some(charsmap) = precompiled(path, &text.charsmap)? {
        steps.push(charsmap.into());
    }
    if text.collapse {
        let spaces = tokenizers::normalizers::replace::ReplacePattern::Regex(" {2,}".into());
        steps.push(Replace::new(spaces, " ").map_err(failed)?.into());
        steps.push(tokenizers::normalizers::Strip::new(true, true).into());
    }
    let scheme = if text.prefix {
        PrependScheme::Always
    } else {
        PrependScheme::Never
    };
    let space = Metaspace::new('▁', scheme, true);
    let mut tokenizer = Tokenizer::new(model);
    tokenizer
        .with_normalizer((!steps.is_empty()).then(|| Sequence::new(steps)))
        .map_err(failed)?;
    tokenizer.with_pre_tokenizer(Some(space.clone()));
    tokenizer.with_decoder(Some(space));
    Ok(tokenizer)
}

/// A field of a protocol buffer.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
    Fixed64,
}

/// Takes the next field and its number off `bytes`.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = varint(bytes)?;
    let value = match tag & 7 {
        0 => Field::Number(varint(bytes)?),
        1 => {
            bytes.split_off(..8)?;
            Field::Fixed64
        }
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Field::Bytes(bytes.split_off(..length)?)
        }
        5 => Field::Fixed32(bytes.split_off(..4)?.try_into().ok()?),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Reads a `ModelProto`; `None` where it is damaged.
fn read(mut file: &[u8]) -> Option<Model> {
    let mut model = Model {
        pieces: Vec::new(),
        kind: 1,
        unknown_surface: UNKNOWN_SURFACE.into(),
        text: UnigramText {
            charsmap: Vec::new(),
            prefix: true,
            collapse: true,
        },
    };
    while !file.is_empty() {
        match field(&mut file)? {
            (1, Field::Bytes(piece)) => model.pieces.push(read_piece(piece)?),
            (2, Field::Bytes(mut trainer)) => {
                while !trainer.is_empty() {
                    match field(&mut trainer)? {
                        (3, Field::Number(kind)) => model.kind = kind,
                        (44, Field::Bytes(text)) => {
                            model.unknown_surface = std::str::from_utf8(text).ok()?.into();
                        }
                        _ => {}
                    }
                }
            }
            (3, Field::Bytes(mut normalizer)) => {
                while !normalizer.is_empty() {
                    match field(&mut normalizer)? {
                        (2, Field::Bytes(map)) => model.text.charsmap = map.to_vec(),
                        (3, Field::Number(flag)) => model.text.prefix = flag != 0,
                        (4, Field::Number(flag)) => model.text.collapse = flag != 0,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(model)
}

fn read_piece(mut bytes: &[u8]) -> Option<(String, f32, Kind)> {
    let (mut text, mut score, mut kind) = (String::new(), 0.0, Kind::Normal);
    while !bytes.is_empty() {
        match field(&mut bytes)? {
            (1, Field::Bytes(name)) => text = std::str::from_utf8(name).ok()?.into(),
            (2, Field::Fixed32(number)) => score = f32::from_le_bytes(number),
            (3, Field::Number(number)) => kind = Kind::of(i64::try_from(number).ok()?),
            _ => {}
        }
    }
    Some((text, score, kind))
}
