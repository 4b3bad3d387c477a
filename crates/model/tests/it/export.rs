//! Decoders written as GGUF, and read again: the same logits, the same tokens.
//! `check_gguf.py` holds such files against llama.cpp.

use std::path::{Path, PathBuf};

use model::decoder::{Decoder, ExportOptions, GgufFormat, Step, Wanted, Workspace, export_gguf};
use model::gguf::Gguf;
use model::tokenizer::{Special, TextTokenizer};
use serde::Deserialize;

use crate::decoder::{assert_near, open};
use crate::{expected, tiny};

const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Expected {
    ids: Vec<u32>,
    logits: Vec<f32>,
}

/// A vocabulary for models that have none.
const VOCABULARY: &str = r#"{
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ċ": 4, "Ġab": 5},
        "merges": [["a", "b"], ["Ġ", "ab"]]}
}"#;

fn folder(name: &str) -> PathBuf {
    tiny("decoders").join(name)
}

fn logits(decoder: &Decoder, ids: &[u32]) -> Vec<f32> {
    let step = Step {
        tokens: ids,
        cache: &mut decoder.cache(64),
        adapters: &[],
        wanted: Wanted::All,
    };
    let mut workspace = Workspace::default();
    let logits = decoder.forward(&mut workspace, &mut [step]).unwrap();
    logits.to_vec()
}

/// Writes the model called `name`, with adapters, in `format`, to a file in `room`.
fn export(room: &Path, name: &str, adapters: &[&str], format: GgufFormat) -> PathBuf {
    let tokenizer = room.join("tokenizer.json");
    fs_err::write(&tokenizer, VOCABULARY).unwrap();
    let own = folder(name).join("tokenizer.json").exists() || name.ends_with(".gguf");
    let options = ExportOptions {
        format,
        tokenizer: (!own).then_some(tokenizer),
        adapters: adapters.iter().map(|it| (folder(it), 1.0)).collect(),
    };
    let to = room.join(format!("{}.gguf", name.replace(['/', '.'], "-")));
    export_gguf(&folder(name), &options, &to).unwrap();
    to
}

#[test]
fn logits_are_those_of_the_model() {
    let room = tempfile::tempdir().unwrap();
    for name in ["gpt2", "llama", "llama-yarn", "mistral", "qwen3"] {
        let file = export(room.path(), name, &[], GgufFormat::F32);
        let expected: Expected = expected(&format!("decoders/{name}"));
        let found = logits(&open(&file), &expected.ids);
        assert_near(&found, &expected.logits, TOLERANCE, name);
    }
}

/// Its window is of some layers only, as no published model's is.
#[test]
fn a_window_of_some_layers_is_refused_and_without_it_is_written() {
    let room = tempfile::tempdir().unwrap();
    let from = crate::copy("decoders/qwen2");
    let tokenizer = room.path().join("tokenizer.json");
    fs_err::write(&tokenizer, VOCABULARY).unwrap();
    let options = ExportOptions {
        format: GgufFormat::F32,
        tokenizer: Some(tokenizer),
        adapters: Vec::new(),
    };
    let to = room.path().join("qwen2.gguf");
    let error = export_gguf(from.path(), &options, &to).unwrap_err();
    assert!(error.to_string().contains("sliding_window"), "{error}");
    assert!(!to.exists());
    let path = from.path().join("config.json");
    let mut config: serde_json::Value =
        serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    config["use_sliding_window"] = false.into();
    fs_err::write(&path, config.to_string()).unwrap();
    export_gguf(from.path(), &options, &to).unwrap();
    let Expected { ids, .. } = expected("decoders/qwen2");
    let expect = logits(&open(from.path()), &ids);
    assert_near(&logits(&open(&to), &ids), &expect, TOLERANCE, "qwen2");
}

#[test]
fn adapters_are_merged() {
    let room = tempfile::tempdir().unwrap();
    for (name, adapter) in [
        ("llama", "lora"),
        ("llama", "rslora"),
        ("llama", "dora"),
        ("gpt2", "lora-gpt2"),
        ("gguf/llama.gguf", "lora"),
        ("gguf/gpt2.gguf", "lora-gpt2"),
    ] {
        let file = export(room.path(), name, &[adapter], GgufFormat::F32);
        let expected: Expected = expected(&format!("decoders/{adapter}"));
        let found = logits(&open(&file), &expected.ids);
        let last = &found[found.len() - expected.logits.len()..];
        assert_near(
            last,
            &expected.logits,
            TOLERANCE,
            &format!("{adapter} in {name}"),
        );
    }
}

#[test]
fn smaller_formats_come_near() {
    let room = tempfile::tempdir().unwrap();
    let mut before = 0.0;
    for (format, kind, tolerance) in [
        (GgufFormat::F32, "F32", 1e-4),
        (GgufFormat::F16, "F16", 2e-3),
        (GgufFormat::Bf16, "BF16", 2e-2),
    ] {
        let file = export(room.path(), "llama", &[], format);
        let written = Gguf::open(&file).unwrap();
        let tensor = |name: &str| written.tensor(name).unwrap().kind.to_string();
        assert_eq!(tensor("blk.0.attn_q.weight"), kind);
        assert_eq!(tensor("token_embd.weight"), kind);
        assert_eq!(tensor("blk.0.attn_norm.weight"), "F32");
        let expected: Expected = expected("decoders/llama");
        let found = logits(&open(&file), &expected.ids);
        let most = expected
            .logits
            .iter()
            .fold(0f32, |most, x| most.max(x.abs()));
        let far = found.iter().zip(&expected.logits);
        let far = far.fold(0f32, |far, (x, y)| far.max((x - y).abs())) / most;
        assert!(far <= tolerance, "{format}: {far}");
        assert!(far >= before, "{format} is as near as one with more bits");
        before = far;
    }
}

#[test]
fn rows_that_are_no_blocks_are_halves() {
    let room = tempfile::tempdir().unwrap();
    for format in [GgufFormat::Q8_0, GgufFormat::Q4_0] {
        let file = Gguf::open(&export(room.path(), "llama", &[], format)).unwrap();
        for tensor in file.tensors() {
            let row = *tensor.shape.last().unwrap();
            let kind = tensor.kind.to_string();
            let expect = match (tensor.shape.len(), row % 32, format) {
                (1, ..) => "F32",
                (_, 0, GgufFormat::Q4_0) if tensor.name != "token_embd.weight" => "Q4_0",
                (_, 0, _) => "Q8_0",
                _ => "F16",
            };
            assert_eq!(kind, expect, "{}", tensor.name);
        }
        open(file.path());
    }
}

#[test]
fn the_vocabulary_and_the_template_go_along() {
    let room = tempfile::tempdir().unwrap();
    let file = export(room.path(), "llama", &[], GgufFormat::Q8_0);
    let (there, here) = (
        TextTokenizer::open(&file).unwrap(),
        TextTokenizer::open(&folder("llama")).unwrap(),
    );
    for text in ["", "What is it?", "  two  spaces\n", "naïve <|user|> ☃"] {
        for special in [Special::Add, Special::Read, Special::Ignore] {
            let expect = here.encode(text, special).unwrap();
            assert_eq!(there.encode(text, special).unwrap(), expect, "{text:?}");
        }
    }
    assert_eq!(there.ends(), here.ends());
    let message = [serde_json::json!({"role": "user", "content": "Hello"})];
    let turns = |it: &TextTokenizer| {
        let template = it.chat_template().unwrap();
        template.render(&message, None, true).unwrap()
    };
    assert_eq!(turns(&there), turns(&here));
}
