//! Vocabularies that the `tokenizers` crate reads or that are made into its parts.

use std::path::Path;

use serde_json::Value;
use tokenizers::normalizer::Range;
use tokenizers::utils::SysRegex;
use tokenizers::{
    AddedVocabulary, Model as _, ModelWrapper, Normalizer as _, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer as _, SplitDelimiterBehavior, Token, Tokenizer,
};

use crate::ModelError;

use super::quoted::{self, Name};
use super::{Special, json};

/// A tokenizer of the `tokenizers` crate, and what it takes to decode one token alone.
#[derive(Debug)]
pub(super) struct Pipeline {
    tokenizer: Tokenizer,
    /// The added tokens again, those that are special being text.
    plain: AddedVocabulary,
    /// Where to part a text so that no special token's name is whole. A unigram model
    /// would take it for one, as it takes all its pieces.
    parting: Option<SysRegex>,
    spelling: Spelling,
}

/// How a token's name stands for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// Each character is a byte (GPT-2).
    ByteLevel,
    /// `▁` is a space, and, where there are such tokens, `<0x0A>` a byte.
    Spaced { bytes: bool, strips: bool },
    /// Only the decoder knows.
    Words,
}

impl Pipeline {
    /// Reads a `tokenizer.json`.
    pub(super) fn of_json(path: &Path, json: &[u8]) -> Result<Self, ModelError> {
        Self::new(path, json::read(path, json)?)
    }

    pub(super) fn new(path: &Path, mut tokenizer: Tokenizer) -> Result<Self, ModelError> {
        // What is long is cut by those who know how long it may be.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|source| failed(path, source))?;
        let mut plain = tokenizer.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);
        let decoder = serde_json::to_value(tokenizer.get_decoder()).unwrap_or_default();
        let parting = match tokenizer.get_model() {
            ModelWrapper::Unigram(_) => parting(&plain).map_err(|source| failed(path, source))?,
            _ => None,
        };
        Ok(Self {
            tokenizer,
            plain,
            parting,
            spelling: spelling(&decoder),
        })
    }

    pub(super) fn encode(
        &self,
        path: &Path,
        text: &str,
        special: Special,
    ) -> Result<Vec<u32>, ModelError> {
        let ids = match special {
            Special::Add | Special::Read => self
                .tokenizer
                .encode_fast(text, special == Special::Add)
                .map(|encoding| encoding.get_ids().to_vec()),
            Special::Ignore => self.plain_words(text).map(|words| ids_of(&words)),
            Special::Surround => self.plain_words(text).and_then(|words| {
                let text = words.into_encoding(None, 0, OffsetType::None)?;
                let around = self.tokenizer.post_process(text, None, true)?;
                Ok(around.get_ids().to_vec())
            }),
        };
        ids.map_err(|source| failed(path, source))
    }

    /// See [`super::TextTokenizer::encode_quoted`].
    pub(super) fn encode_quoted(
        &self,
        path: &Path,
        text: &str,
        quotes: &[usize],
    ) -> Result<Vec<u32>, ModelError> {
        let added = self.plain.get_added_tokens_decoder();
        let names: Vec<Name<'_>> = added
            .iter()
            .map(|(id, token)| Name {
                name: &token.content,
                id: *id,
                takes_before: token.lstrip,
                takes_behind: token.rstrip,
            })
            .collect();
        let cut = || {
            let mut words = PreTokenizedString::from(text);
            words.split(|_, whole| {
                let stretches = quoted::stretches(text, &names, quotes);
                Ok(stretches
                    .into_iter()
                    .filter_map(|it| {
                        let length = it.bytes.len();
                        let part = whole.slice(Range::Original(it.bytes))?;
                        let name = part.get_original().to_owned();
                        let token = it.id.map(|id| vec![Token::new(id, name, (0, length))]);
                        Some((part, token))
                    })
                    .collect::<Vec<_>>())
            })?;
            if let Some(normalizer) = self.tokenizer.get_normalizer() {
                words.normalize(|part| normalizer.normalize(part))?;
            }
            self.cut(words).map(|words| ids_of(&words))
        };
        cut().map_err(|source| failed(path, source))
    }

    /// Returns the words of `text`, with their tokens: no special ones.
    fn plain_words(&self, text: &str) -> tokenizers::Result<PreTokenizedString> {
        let normalizer = self.tokenizer.get_normalizer();
        self.cut(self.plain.extract_and_normalize(normalizer, text))
    }

    /// Cuts what is text into words, and these into tokens.
    fn cut(&self, mut words: PreTokenizedString) -> tokenizers::Result<PreTokenizedString> {
        if let Some(splitter) = self.tokenizer.get_pre_tokenizer() {
            splitter.pre_tokenize(&mut words)?;
        }
        if let Some(parting) = &self.parting {
            words
                .split(|_, word| word.split(parting, SplitDelimiterBehavior::MergedWithPrevious))?;
        }
        words.tokenize(|word| self.tokenizer.get_model().tokenize(word.get()))?;
        Ok(words)
    }

    pub(super) fn decode(&self, path: &Path, ids: &[u32]) -> Result<String, ModelError> {
        self.tokenizer
            .decode(ids, true)
            .map_err(|source| failed(path, source))
    }

    /// Whether a token alone has bytes.
    pub(super) fn spells(&self) -> bool {
        self.spelling != Spelling::Words
    }

    /// Whether the space at the start of a text is left out.
    pub(super) fn strips(&self) -> bool {
        matches!(self.spelling, Spelling::Spaced { strips: true, .. })
    }

    pub(super) fn bytes(&self, id: u32) -> Option<Vec<u8>> {
        let name = self.name(id)?;
        let added = self.plain.get_added_tokens_decoder().contains_key(&id);
        match self.spelling {
            _ if added => Some(name.into_bytes()),
            Spelling::ByteLevel => {
                let bytes: Option<Vec<u8>> = name.chars().map(byte_of).collect();
                Some(bytes.unwrap_or_else(|| name.into_bytes()))
            }
            Spelling::Spaced { bytes, .. } => match byte_token(&name) {
                Some(byte) if bytes => Some(vec![byte]),
                _ => Some(name.replace('▁', " ").into_bytes()),
            },
            Spelling::Words => None,
        }
    }

    pub(super) fn is_special(&self, id: u32) -> bool {
        self.plain
            .get_added_tokens_decoder()
            .get(&id)
            .is_some_and(|token| token.special)
    }

    /// Returns the special tokens' names and numbers.
    pub(super) fn special(&self) -> Vec<(String, u32)> {
        self.plain
            .get_added_tokens_decoder()
            .iter()
            .filter(|(_, token)| token.special)
            .map(|(id, token)| (token.content.clone(), *id))
            .collect()
    }

    pub(super) fn id(&self, name: &str) -> Option<u32> {
        self.tokenizer.token_to_id(name)
    }

    pub(super) fn name(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    /// Returns what `tokenizer.json` says of it.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(&self.tokenizer).unwrap_or_default()
    }

    /// Returns one more than the largest number of a token.
    pub(super) fn vocabulary(&self) -> usize {
        let ids = self.tokenizer.get_vocab(true);
        ids.into_values().max().map_or(0, |id| id as usize + 1)
    }
}

fn ids_of(words: &PreTokenizedString) -> Vec<u32> {
    words
        .get_splits(OffsetReferential::Original, OffsetType::Byte)
        .into_iter()
        .filter_map(|(.., tokens)| tokens.as_ref())
        .flatten()
        .map(|token| token.id)
        .collect()
}

pub(super) fn failed(path: &Path, source: tokenizers::Error) -> ModelError {
    ModelError::Tokenizer {
        path: path.to_path_buf(),
        source,
    }
}

/// Returns what the first letter of a special token's name is found by.
fn parting(added: &AddedVocabulary) -> tokenizers::Result<Option<SysRegex>> {
    let mut names: Vec<&str> = added
        .get_added_tokens_decoder()
        .values()
        .filter(|token| token.special)
        .map(|token| token.content.as_str())
        .collect();
    names.sort_unstable();
    let patterns: Vec<String> = names
        .into_iter()
        .filter_map(|name| {
            let first = name.chars().next()?;
            let (first, rest) = name.split_at(first.len_utf8());
            let escape = fancy_regex::escape;
            (!rest.is_empty()).then(|| format!("{}(?={})", escape(first), escape(rest)))
        })
        .collect();
    if patterns.is_empty() {
        return Ok(None);
    }
    SysRegex::new(&patterns.join("|")).map(Some)
}

/// Tells from a decoder's parts how a token is spelled.
fn spelling(decoder: &Value) -> Spelling {
    let single = [decoder.clone()];
    let parts: &[Value] = match decoder.get("decoders").and_then(Value::as_array) {
        Some(parts) => parts,
        None => &single,
    };
    let mut spelling = Spelling::Words;
    for part in parts {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        let (bytes, strips) = match spelling {
            Spelling::Spaced { bytes, strips } => (bytes, strips),
            _ => (false, false),
        };
        spelling = match kind {
            "ByteLevel" => return Spelling::ByteLevel,
            "Replace" if part.pointer("/pattern/String") == Some(&Value::from("▁")) => {
                Spelling::Spaced { bytes, strips }
            }
            "ByteFallback" => Spelling::Spaced {
                bytes: true,
                strips,
            },
            "Metaspace" => Spelling::Spaced {
                bytes,
                strips: part.get("prepend_scheme").and_then(Value::as_str) != Some("never"),
            },
            "Strip" if spelling != Spelling::Words => Spelling::Spaced {
                bytes,
                strips: part.get("start").and_then(Value::as_u64) > Some(0),
            },
            "Fuse" => spelling,
            _ => return Spelling::Words,
        };
    }
    spelling
}

/// Returns the byte that a character of GPT-2's byte-level vocabularies is: printable
/// ones are themselves, the others follow from U+0100 on
/// (<https://github.com/openai/gpt-2/blob/master/src/encoder.py>, `bytes_to_unicode`).
fn byte_of(character: char) -> Option<u8> {
    match character {
        '!'..='~' | '¡'..='¬' | '®'..='ÿ' => u8::try_from(u32::from(character)).ok(),
        'Ā'..='Ġ' => u8::try_from(u32::from(character) - 0x100).ok(),
        'ġ'..='ł' => u8::try_from(u32::from(character) - 0x121 + 0x7f).ok(),
        'Ń' => Some(0xad),
        _ => None,
    }
}

/// Returns the byte of a token called `<0x0A>`.
pub(super) fn byte_token(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2 && !digits.starts_with('+'))
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character() {
        let mut seen = [false; 256];
        for character in '\0'..='\u{200}' {
            if let Some(byte) = byte_of(character) {
                assert!(!seen[usize::from(byte)], "{character}");
                seen[usize::from(byte)] = true;
            }
        }
        assert!(seen.iter().all(|it| *it));
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
    }

    #[test]
    fn byte_tokens_are_told() {
        assert_eq!(byte_token("<0x0A>"), Some(10));
        assert_eq!(byte_token("<0x0>"), None);
        assert_eq!(byte_token("<0x+A>"), None);
        assert_eq!(byte_token("x"), None);
    }
}
