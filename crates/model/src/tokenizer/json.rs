//! `tokenizer.json`, the format of the `tokenizers` crate.
//!
//! Vocabularies with merges are read here instead of there: in a third of the time, for
//! the crate goes through a general value first, and with the checks that it leaves
//! out (it takes the length of a merge on trust). Everything else is the crate's.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    Tokenizer,
};

use crate::ModelError;

use super::pipeline::failed;
use super::{charsmap, tiktoken};

#[derive(Deserialize)]
struct File<'a> {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    decoder: Option<Value>,
    #[serde(borrow)]
    model: &'a RawValue,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<std::borrow::Cow<'a, str>>,
    merges: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct WrittenBpe {
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    vocab: Vocab,
    merges: Vec<Merge>,
}

/// Two tokens that become one: `["a", "b"]`, or in older files `"a b"`.
struct Merge(String, String);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Merge;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a merge: two tokens in a list, or with a space between them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Merge, E> {
                match text.split_once(' ') {
                    Some((left, right)) if !right.contains(' ') => {
                        Ok(Merge(left.into(), right.into()))
                    }
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Merge, A::Error> {
                let short = || A::Error::custom("a merge has two tokens");
                let left = list.next_element()?.ok_or_else(short)?;
                let right = list.next_element()?.ok_or_else(short)?;
                match list.next_element::<IgnoredAny>()? {
                    None => Ok(Merge(left, right)),
                    Some(_) => Err(short()),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads a `tokenizer.json`; `path` names it in errors.
pub(crate) fn read(path: &Path, json: &[u8]) -> Result<Tokenizer, ModelError> {
    let wrong = |source| ModelError::Json {
        path: path.to_path_buf(),
        source,
    };
    let file: File<'_> = serde_json::from_slice(json).map_err(wrong)?;
    let kind: Kind<'_> = serde_json::from_str(file.model.get()).map_err(wrong)?;
    if !is_sound(file.normalizer.as_ref()) {
        return Err(ModelError::Vocabulary {
            path: path.to_path_buf(),
            what: "the table of characters".into(),
            expected: "one that SentencePiece made".into(),
            found: "damaged".into(),
        });
    }
    let has_merges = match &kind.kind {
        Some(kind) => kind == "BPE",
        None => kind.merges.is_some(),
    };
    if !has_merges {
        return Tokenizer::from_bytes(json).map_err(|source| failed(path, source));
    }
    let written: WrittenBpe = serde_json::from_str(file.model.get()).map_err(wrong)?;
    let mut builder = BPE::builder();
    if let Some(dropout) = written.dropout {
        builder = builder.dropout(dropout);
    }
    if let Some(token) = written.unk_token {
        builder = builder.unk_token(token);
    }
    let prefix = written.continuing_subword_prefix;
    if let Some(prefix) = &prefix {
        builder = builder.continuing_subword_prefix(prefix.clone());
    }
    if let Some(suffix) = written.end_of_word_suffix {
        builder = builder.end_of_word_suffix(suffix);
    }
    let merges = written
        .merges
        .into_iter()
        .map(|Merge(a, b)| (a, b))
        .collect();
    let prefix = prefix.unwrap_or_default();
    let merges = checked(path, &written.vocab, merges, &prefix)?;
    let model = builder
        .fuse_unk(written.fuse_unk.unwrap_or(false))
        .byte_fallback(written.byte_fallback.unwrap_or(false))
        .ignore_merges(written.ignore_merges.unwrap_or(false))
        .vocab_and_merges(written.vocab, merges)
        .build()
        .map_err(|source| failed(path, source))?;
    let normalizer: Option<NormalizerWrapper> = part(file.normalizer).map_err(wrong)?;
    let pre_tokenizer: Option<PreTokenizerWrapper> = part(file.pre_tokenizer).map_err(wrong)?;
    let post_processor: Option<PostProcessorWrapper> = part(file.post_processor).map_err(wrong)?;
    let decoder: Option<DecoderWrapper> = part(file.decoder).map_err(wrong)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer
        .with_normalizer(normalizer)
        .map_err(|source| failed(path, source))?;
    tokenizer.with_pre_tokenizer(pre_tokenizer);
    tokenizer.with_post_processor(post_processor);
    tokenizer.with_decoder(decoder);
    tokenizer
        .add_tokens(file.added_tokens)
        .map_err(|source| failed(path, source))?;
    Ok(tokenizer)
}

/// Returns a part of the pipeline. It is read from a value, not from the file, for the
/// crate panics where a decoder's JSON is broken.
fn part<T: DeserializeOwned>(value: Option<Value>) -> serde_json::Result<Option<T>> {
    value.map(serde_json::from_value).transpose()
}

/// Returns whether all tables of characters in a normalizer are sound.
fn is_sound(normalizer: Option<&Value>) -> bool {
    match normalizer {
        Some(Value::Object(fields)) => fields.iter().all(|(key, value)| {
            if key == "precompiled_charsmap" {
                let table = value.as_str().and_then(tiktoken::base64);
                return table.is_some_and(|table| charsmap::is_sound(&table));
            }
            is_sound(Some(value))
        }),
        Some(Value::Array(list)) => list.iter().all(|value| is_sound(Some(value))),
        _ => true,
    }
}

/// Returns `merges` if each makes a token that can be: the crate copies what a merge
/// makes into a buffer of the longest token's length, and panics where it is longer.
pub(super) fn checked(
    path: &Path,
    vocabulary: &Vocab,
    merges: Vec<(String, String)>,
    prefix: &str,
) -> Result<Vec<(String, String)>, ModelError> {
    let longest = vocabulary.keys().map(String::len).max().unwrap_or(0);
    for (left, right) in &merges {
        let end = right.strip_prefix(prefix);
        if end.is_none_or(|end| left.len() + end.len() > longest) {
            return Err(ModelError::Vocabulary {
                path: path.to_path_buf(),
                what: "a merge".into(),
                expected: "two tokens that make one of the vocabulary".into(),
                found: format!("`{left} {right}`"),
            });
        }
    }
    Ok(merges)
}
