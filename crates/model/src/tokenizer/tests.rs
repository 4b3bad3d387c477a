//! Small vocabularies (`tests/data/make_tiny_tokens.py`) against the programs that their
//! formats come from, and what happens to damaged ones.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tokenizers")
        .join(name)
}

fn open(name: &str) -> TextTokenizer {
    TextTokenizer::open(&data(name)).unwrap()
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

fn reference() -> Reference {
    serde_json::from_slice(&fs_err::read(data("expected.json")).unwrap()).unwrap()
}

/// Checks the tokens of `file`, and their texts, against those of `expected`.
fn check(file: &str, expected: &str, special: Special) {
    let tokenizer = open(file);
    let reference = reference();
    let rows = &reference.expected[expected];
    for ((text, ids), back) in reference.texts.iter().zip(&rows.ids).zip(&rows.texts) {
        let found = tokenizer.encode(text, special).unwrap();
        assert_eq!(found, *ids, "{file}: {text:?}");
        // What the unknown piece is in text is known only to SentencePiece.
        if !(back.contains('\u{2047}') && file != expected) {
            assert_eq!(tokenizer.decode(ids).unwrap(), *back, "{file}: {text:?}");
        }
    }
}

#[test]
fn sentencepiece_is_as_sentencepiece() {
    check("bpe.model", "bpe.model", Special::Ignore);
    check("bpe-rules.model", "bpe-rules.model", Special::Ignore);
}

#[test]
fn unigram_is_as_sentencepiece() {
    let tokenizer = open("unigram.model");
    let reference = reference();
    let rows = &reference.expected["unigram.model"];
    for (text, ids) in reference.texts.iter().zip(&rows.ids) {
        // The crate puts no space before a `▁` of the text's own.
        if text.starts_with('▁') {
            continue;
        }
        let found = tokenizer.encode(text, Special::Ignore).unwrap();
        if text.contains("</s>") {
            // Its name is parted, and with it a run of unknown characters.
            assert!(!found.contains(&tokenizer.id("</s>").unwrap()));
            continue;
        }
        assert_eq!(found, *ids, "{text:?}");
    }
}

#[test]
fn gguf_is_as_the_vocabulary_it_was_made_of() {
    check("gpt2.gguf", "tokenizer.json", Special::Read);
    let (gguf, model) = (open("llama.gguf"), open("bpe.model"));
    // A user-defined piece parts a text in SentencePiece, and for llama.cpp begins one.
    for text in reference()
        .texts
        .iter()
        .filter(|text| !text.contains("[CITE]"))
    {
        assert_eq!(
            gguf.encode(text, Special::Ignore).unwrap(),
            model.encode(text, Special::Ignore).unwrap(),
            "{text:?}"
        );
    }
}

#[test]
fn a_tokenizer_json_is_as_the_crate_reads_it() {
    check("tokenizer.json", "tokenizer.json", Special::Read);
}

#[test]
fn gpt2_files_are_as_the_json_of_the_same() {
    let (files, json) = (open("gpt2/vocab.bpe"), open("tokenizer.json"));
    for text in reference()
        .texts
        .iter()
        .filter(|text| !text.contains("[CITE]"))
    {
        assert_eq!(
            files.encode(text, Special::Ignore).unwrap(),
            json.encode(text, Special::Ignore).unwrap(),
            "{text:?}"
        );
    }
    assert_eq!(files.end(), files.id("<|endoftext|>"));
}

#[test]
fn llama2c_is_as_the_gguf_of_the_same() {
    let (bin, gguf) = (open("llama2c.bin"), open("llama.gguf"));
    for text in reference()
        .texts
        .iter()
        .filter(|text| !text.contains("[CITE]"))
    {
        assert_eq!(
            bin.encode(text, Special::Add).unwrap(),
            gguf.encode(text, Special::Add).unwrap(),
            "{text:?}"
        );
    }
    assert_eq!((bin.begin(), bin.end()), (Some(1), Some(2)));
}

#[test]
fn special_tokens_are_added_read_or_ignored() {
    for (file, begin, end) in [
        ("tokenizer.json", "<s>", "</s>"),
        ("llama.gguf", "<s>", "</s>"),
    ] {
        let tokenizer = open(file);
        let (begin, end) = (tokenizer.id(begin).unwrap(), tokenizer.id(end).unwrap());
        let ids = |special| tokenizer.encode("the</s>", special).unwrap();
        let (add, read, ignore) = (ids(Special::Add), ids(Special::Read), ids(Special::Ignore));
        assert_eq!((add[0], *add.last().unwrap()), (begin, end), "{file}");
        assert_eq!(read, add[1..], "{file}");
        assert!(!ignore.contains(&end), "{file}");
        assert_eq!(tokenizer.decode(&add).unwrap(), "the", "{file}");
        assert_eq!(tokenizer.decode(&ignore).unwrap(), "the</s>", "{file}");
        assert!(tokenizer.is_special(end) && !tokenizer.is_special(ignore[0]));
        let surround = ids(Special::Surround);
        assert_eq!(surround[0], begin, "{file}");
        assert!(surround[1..].starts_with(&ignore), "{file}");
    }
}

#[test]
fn what_is_quoted_is_no_special_token() {
    for file in ["tokenizer.json", "llama.gguf", "unigram.model", "bpe.model"] {
        let tokenizer = open(file);
        let end = tokenizer.id("</s>").unwrap();
        let text = "the</s> cat</s>the</s>";
        let ids = tokenizer.encode_quoted(text, &[4]).unwrap();
        let ends = ids.iter().filter(|id| **id == end).count();
        assert_eq!(ends, 2, "{file}");
        // The other vocabularies have no pieces for its signs.
        if ["tokenizer.json", "llama.gguf"].contains(&file) {
            let text = tokenizer.decode(&ids).unwrap();
            assert!(text.starts_with("the</s> cat"), "{file}: {text}");
        }
    }
}

#[test]
fn a_place_that_quotes_nothing_changes_nothing() {
    let texts = ["the cat", "the</s> cat</s><s> é\n", "</s>", " a  b ", ""];
    for file in [
        "tokenizer.json",
        "llama.gguf",
        "gpt2.gguf",
        "unigram.model",
        "bpe.model",
        "bpe-rules.model",
    ] {
        let tokenizer = open(file);
        for text in texts {
            assert_eq!(
                tokenizer.encode_quoted(text, &[0]).unwrap(),
                tokenizer.encode(text, Special::Read).unwrap(),
                "{file}: {text:?}"
            );
        }
    }
}

#[test]
fn a_continuation_keeps_its_space() {
    let tokenizer = open("bpe.model");
    let ids = tokenizer.encode("the cat", Special::Ignore).unwrap();
    let said = |mut stream: TokenStream<'_>| {
        let mut text = String::new();
        for id in &ids {
            text.push_str(&stream.push(*id).unwrap());
        }
        text + &stream.finish()
    };
    assert_eq!(said(tokenizer.stream()), "the cat");
    assert_eq!(said(tokenizer.continuation()), " the cat");
}

#[test]
fn a_vocabulary_must_fit_its_model() {
    let tokenizer = open("tokenizer.json");
    let tokens = tokenizer.vocabulary();
    assert_eq!(tokens, tokenizer.id("[CITE]").unwrap() as usize + 1);
    tokenizer.fits(tokens).unwrap();
    let error = tokenizer.fits(tokens - 1).unwrap_err().to_string();
    let expect = format!(
        "is {tokens} tokens, expected at most the {} that the model knows",
        tokens - 1
    );
    assert!(error.ends_with(&expect), "{error}");
}

#[test]
fn the_bytes_of_tokens_are_those_of_their_text() {
    for file in ["tokenizer.json", "bpe.model", "gpt2.gguf", "llama.gguf"] {
        let tokenizer = open(file);
        for text in reference().texts {
            let ids = tokenizer.encode(&text, Special::Ignore).unwrap();
            let bytes: Vec<u8> = ids
                .iter()
                .flat_map(|id| tokenizer.bytes(*id).unwrap().into_owned())
                .collect();
            let text = text.replace('▁', if tokenizer.strips() { " " } else { "▁" });
            let bytes = bytes
                .strip_prefix(b" ")
                .filter(|_| tokenizer.strips())
                .unwrap_or(&bytes);
            assert_eq!(String::from_utf8_lossy(bytes), text, "{file}");
        }
    }
}

#[test]
fn a_template_comes_with_its_vocabulary() {
    let tokenizer = open("llama.gguf");
    let messages = [serde_json::json!({"role": "user", "content": "Hi"})];
    let template = tokenizer.chat_template().expect("the file has one");
    assert_eq!(
        template.render(&messages, None, true).unwrap(),
        "<s>[user] Hi"
    );
}

#[test]
fn a_folder_says_what_its_files_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs_err::write(folder.path().join(name), text).unwrap();
    fs_err::copy(data("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    put(
        "tokenizer_config.json",
        r#"{"bos_token":{"content":"<s>"},"eos_token":"</s>","pad_token":null,
            "chat_template":[{"name":"tool_use","template":"no"},{"name":"default","template":"{{ eos_token }}{{ pad_token }}!"}]}"#,
    );
    put("generation_config.json", r#"{"eos_token_id":[0,2]}"#);
    let tokenizer = TextTokenizer::open(folder.path()).unwrap();
    assert_eq!(
        (tokenizer.begin(), tokenizer.end()),
        (tokenizer.id("<s>"), tokenizer.id("</s>"))
    );
    assert_eq!(tokenizer.ends(), [0, 2]);
    let text = tokenizer
        .chat_template()
        .unwrap()
        .render(&[], None, false)
        .unwrap();
    assert_eq!(text, "</s>!");
    put("chat_template.jinja", "from a file");
    let tokenizer = TextTokenizer::open(folder.path()).unwrap();
    let text = tokenizer
        .chat_template()
        .unwrap()
        .render(&[], None, false)
        .unwrap();
    assert_eq!(text, "from a file");

    fs_err::remove_file(folder.path().join("tokenizer.json")).unwrap();
    let error = TextTokenizer::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("has no `tokenizer.json`; nor another vocabulary"),
        "{error}"
    );
}

/// Opens `bytes` under the name `name`, and if they are a vocabulary, uses it.
fn try_open(name: &str, bytes: &[u8]) -> Result<(), ModelError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, bytes).unwrap();
    let tokenizer = TextTokenizer::open(&path)?;
    for special in [Special::Add, Special::Read, Special::Ignore] {
        let ids = tokenizer.encode("The cat [CITE] é 🚀 </s>\n", special)?;
        tokenizer.decode(&ids)?;
    }
    tokenizer.decode(&[0, 7, u32::MAX])?;
    Ok(())
}

#[test]
fn a_vocabulary_cut_short_is_an_error() {
    for name in [
        "bpe.model",
        "unigram.model",
        "llama.gguf",
        "gpt2.gguf",
        "tokenizer.json",
    ] {
        let whole = fs_err::read(data(name)).unwrap();
        try_open(name, &whole).unwrap();
        for length in (0..whole.len() - 64).step_by(whole.len() / 60) {
            // A protocol buffer cut between two fields is still one.
            let result = try_open(name, &whole[..length]);
            assert!(
                result.is_err() || name.ends_with(".model"),
                "{name}: {length} bytes"
            );
        }
    }
}

#[test]
fn a_merge_that_cannot_be_is_an_error() {
    let whole = fs_err::read_to_string(data("tokenizer.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let long = "x".repeat(40);
    json["model"]["vocab"][&long] = 399.into();
    json["model"]["merges"] = serde_json::json!([[long, long]]);
    let error = try_open("tokenizer.json", json.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("a merge in"), "{error}");
}

#[test]
fn a_broken_decoder_is_an_error() {
    let whole = fs_err::read_to_string(data("tokenizer.json")).unwrap();
    let at = whole.find("\"decoder\":").unwrap() + 12;
    let (before, after) = whole.split_at(whole[at..].find('"').unwrap() + at + 1);
    let broken = format!("{before}\u{1}{after}");
    assert!(try_open("tokenizer.json", broken.as_bytes()).is_err());
}

#[test]
fn what_is_no_vocabulary_is_an_error() {
    for (name, bytes, expect) in [
        ("x.tiktoken", &b"IQ== 0\n"[..], "the number of tokens in"),
        ("x.tiktoken", b"IQ==\n", "a line in"),
        ("x.model", b"\x0a", "the file in"),
        ("x.bin", b"\x01\0\0\0", "the file in"),
        ("x.txt", b"", "the kind of vocabulary in"),
    ] {
        let error = try_open(name, bytes).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn flipped_bytes_never_panic(
        name in prop::sample::select(vec!["bpe.model", "unigram.model", "llama.gguf", "gpt2.gguf", "tokenizer.json", "llama2c.bin"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = fs_err::read(data(name)).unwrap();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = try_open(name, &bytes);
    }

    #[test]
    fn text_comes_back(text in "\\PC{0,40}") {
        for name in ["bpe.model", "tokenizer.json"] {
            let tokenizer = open(name);
            let ids = tokenizer.encode(&text, Special::Ignore).unwrap();
            let expect = match name {
                "bpe.model" => text.replace('▁', " "),
                _ => text.clone(),
            };
            prop_assert_eq!(tokenizer.decode(&ids).unwrap(), expect, "{}", name);
        }
    }

    #[test]
    fn a_stream_is_a_start_of_the_whole(ids in prop::collection::vec(0..420u32, 0..40)) {
        for name in ["bpe.model", "tokenizer.json", "gpt2.gguf"] {
            let tokenizer = open(name);
            let whole = tokenizer.decode(&ids).unwrap();
            let mut stream = tokenizer.stream();
            let mut said = String::new();
            for id in &ids {
                said.push_str(&stream.push(*id).unwrap());
                prop_assert!(whole.starts_with(&said));
            }
            said.push_str(&stream.finish());
            prop_assert_eq!(&said, &whole);
        }
    }
}
