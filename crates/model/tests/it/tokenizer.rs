//! Vocabularies of every format against the programs they come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::tokenizer::{Special, TextTokenizer};
use serde::Deserialize;

fn folder() -> PathBuf {
    PathBuf::from(std::env::var("TOKENIZERS").expect("TOKENIZERS names the folder"))
}

#[derive(Deserialize)]
struct Reference {
    texts: Vec<String>,
    expected: BTreeMap<String, Rows>,
}

#[derive(Deserialize)]
struct Rows {
    ids: Vec<Vec<u32>>,
    texts: Vec<String>,
}

/// Checks that one token after another gives the text of all of them.
fn check_stream(tokenizer: &TextTokenizer, ids: &[u32]) {
    let whole = tokenizer.decode(ids).unwrap();
    let mut stream = tokenizer.stream();
    let mut text = String::new();
    for id in ids {
        text.push_str(&stream.push(*id).unwrap());
        assert!(whole.starts_with(&text));
    }
    text.push_str(&stream.finish());
    assert_eq!(text, whole);
}

#[test]
#[ignore = "needs the vocabularies that TOKENIZERS names, and TOKENS, what make_tokens.py made of them"]
fn tokens_are_those_of_the_formats_own_programs() {
    let path = std::env::var("TOKENS").expect("TOKENS names the file");
    let reference: Reference = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (name, rows) in &reference.expected {
        let tokenizer = TextTokenizer::open(&folder().join(name)).unwrap();
        for ((text, ids), back) in reference.texts.iter().zip(&rows.ids).zip(&rows.texts) {
            let special = match name.starts_with("hf_json") {
                true => Special::Read,
                false => Special::Ignore,
            };
            let found = tokenizer.encode(text, special).unwrap();
            if found != *ids {
                wrong.push(format!(
                    "{name}: {text:?}\n  found    {found:?}\n  expected {ids:?}"
                ));
                continue;
            }
            let found = tokenizer.decode(ids).unwrap();
            // The crate leaves special tokens out, its Python twin was not told to.
            if found != *back && !back.contains("<|") {
                wrong.push(format!(
                    "{name}: {ids:?}\n  found    {found:?}\n  expected {back:?}"
                ));
                continue;
            }
            check_stream(&tokenizer, ids);
        }
    }
    assert!(
        wrong.is_empty(),
        "{}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

#[test]
#[ignore = "needs the vocabularies that TOKENIZERS names"]
fn tokens_are_those_of_llama_cpp() {
    let mut wrong = Vec::new();
    for name in [
        "bert-bge",
        "deepseek-coder",
        "falcon",
        "gpt-2",
        "llama-spm",
        "phi-3",
        "starcoder",
    ] {
        let path = folder().join(format!("gguf_vocab/ggml-vocab-{name}.gguf"));
        let beside = |ending: &str| {
            let path = format!("{}.{ending}", path.display());
            fs_err::read_to_string(path).unwrap()
        };
        let texts = beside("inp");
        let texts: Vec<&str> = texts.split("\n__ggml_vocab_test__\n").collect();
        let expected = beside("out");
        let expected: Vec<Vec<u32>> = expected
            .lines()
            .map(|line| {
                line.split_whitespace()
                    .map(|id| id.parse().unwrap())
                    .collect()
            })
            .collect();
        assert!(
            texts.len() == expected.len() || texts.len() == expected.len() + 1,
            "{name}"
        );
        let tokenizer = TextTokenizer::open(&path).unwrap();
        for (text, ids) in texts.iter().zip(&expected) {
            let found = tokenizer.encode(text, Special::Ignore).unwrap();
            if found != *ids {
                wrong.push(format!(
                    "{name}: {text:?}\n  found    {found:?}\n  expected {ids:?}"
                ));
                continue;
            }
            check_stream(&tokenizer, ids);
        }
    }
    assert!(
        wrong.is_empty(),
        "{}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

/// One vocabulary in two files gives the same tokens.
fn check_same(one: &Path, other: &Path, special: Special) {
    let path = std::env::var("TOKENS").expect("TOKENS names the file");
    let reference: Reference = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let one = TextTokenizer::open(one).unwrap();
    let other = TextTokenizer::open(other).unwrap();
    for text in &reference.texts {
        assert_eq!(
            one.encode(text, special).unwrap(),
            other.encode(text, special).unwrap(),
            "{text:?}"
        );
    }
}

#[test]
#[ignore = "needs the vocabularies that TOKENIZERS names, and TOKENS, what make_tokens.py made of them"]
fn a_vocabulary_is_the_same_in_every_format() {
    let at = |name: &str| folder().join(name);
    check_same(
        &at("sentencepiece/llama2_tokenizer.bin"),
        &at("gguf_vocab/ggml-vocab-llama-spm.gguf"),
        Special::Ignore,
    );
    check_same(
        &at("gpt2_tiktoken/r50k_base.tiktoken"),
        &at("gguf_vocab/ggml-vocab-gpt-2.gguf"),
        Special::Ignore,
    );
}
