//! The tiny encoders in GGUF files, as llama.cpp writes them: embeddings and logits.

use std::collections::BTreeMap;

use contract::{Embed as _, TextRole};
use model::decoder::GgufFormat;
use model::{
    CrossEncoder, CrossEncoderOptions, Embedder, EmbedderOptions, ModelError, ModelKind, describe,
    export_embedder,
};
use serde::Deserialize;

use crate::{expected, tiny};

/// Largest difference in any number of a vector of unit length.
const TOLERANCE: f32 = 1e-5;
/// Largest difference of a logit, relative to its size or 1.
const OF_LOGITS: f32 = 1e-4;

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    embeddings: BTreeMap<String, Vec<Vec<f32>>>,
    cross: Cross,
}

#[derive(Deserialize)]
struct Cross {
    question: String,
    passages: Vec<String>,
    logits: Vec<f32>,
}

fn wanted() -> Expected {
    expected("encoders-gguf")
}

#[test]
fn embeddings_are_those_of_transformers() {
    let expected = wanted();
    let texts: Vec<&str> = expected.texts.iter().map(String::as_str).collect();
    assert_eq!(expected.embeddings.len(), 6);
    for (name, vectors) in &expected.embeddings {
        let file = tiny("encoders-gguf").join(name);
        let embedder = Embedder::open(&file, &EmbedderOptions::default()).unwrap();
        assert!(embedder.identity().name.starts_with(&format!("{name}@")));
        assert_eq!(describe(&file).unwrap().kind, Some(ModelKind::Embedder));
        let found = embedder.embed(&texts, TextRole::Passage).unwrap();
        assert_eq!(found.len(), vectors.len());
        for ((found, expect), text) in found.iter().zip(vectors).zip(&texts) {
            for (found, expect) in found.values().iter().zip(expect) {
                assert!((found - expect).abs() <= TOLERANCE, "{name}, {text:?}");
            }
        }
    }
}

#[test]
fn logits_are_those_of_transformers() {
    let Cross {
        question,
        passages,
        logits,
    } = wanted().cross;
    let file = tiny("encoders-gguf").join("roberta-cross.gguf");
    assert_eq!(describe(&file).unwrap().kind, Some(ModelKind::Reranker));
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    let judge = CrossEncoder::open(&file, &CrossEncoderOptions::default()).unwrap();
    let found = judge.logits(&question, &passages).unwrap();
    assert_eq!(found.len(), logits.len());
    for (found, expect) in found.iter().zip(&logits) {
        let error = (found - expect).abs() / expect.abs().max(1.0);
        assert!(error <= OF_LOGITS, "{found} is not {expect}");
    }
}

#[test]
fn a_folder_with_one_file_is_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("bge-small-en-v1.5");
    fs_err::create_dir(&named).unwrap();
    let file = tiny("encoders-gguf").join("bert-F32.gguf");
    fs_err::copy(&file, named.join("model.gguf")).unwrap();
    let open = |path| Embedder::open(path, &EmbedderOptions::default()).unwrap();
    let (inside, alone) = (open(&named), open(&file));
    assert!(inside.identity().name.starts_with("bge-small-en-v1.5@"));
    assert_eq!(
        inside.embed(&["a cat"], TextRole::Passage).unwrap()[0].values(),
        alone.embed(&["a cat"], TextRole::Passage).unwrap()[0].values()
    );
    // It is called as BGE is, and so its questions begin as BGE's do.
    assert_ne!(
        inside.embed(&["a cat"], TextRole::Question).unwrap()[0].values(),
        alone.embed(&["a cat"], TextRole::Question).unwrap()[0].values()
    );
}

#[test]
fn what_a_file_is_not_is_said() {
    let embedder = |path: &std::path::Path| {
        let error = Embedder::open(path, &EmbedderOptions::default()).err();
        error.expect("it is no embedder").to_string()
    };
    let cross = tiny("encoders-gguf").join("roberta-cross.gguf");
    assert_eq!(
        embedder(&cross),
        format!(
            "`bert.pooling_type` in `{}` is 4 (a reranker's), expected 1 (mean) or 2 (first token), as embedders have",
            cross.display()
        )
    );
    let llama = tiny("decoders/gguf").join("llama.gguf");
    assert_eq!(
        embedder(&llama),
        format!(
            "`general.architecture` in `{}` is `llama`, expected `bert`, as BERT, RoBERTa and XLM-RoBERTa are called there",
            llama.display()
        )
    );
    let plain = tiny("encoders-gguf").join("bert-F32.gguf");
    let error = CrossEncoder::open(&plain, &CrossEncoderOptions::default()).err();
    assert!(matches!(
        error.expect("it has no classifier"),
        ModelError::TensorMissing { tensor, .. } if tensor == "cls.output.weight"
    ));
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let whole = fs_err::read(tiny("encoders-gguf").join("bert-Q4_0.gguf")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.gguf");
    for length in (0..whole.len()).step_by(97) {
        fs_err::write(&file, &whole[..length]).unwrap();
        let opened = Embedder::open(&file, &EmbedderOptions::default());
        assert!(opened.is_err(), "{length} bytes");
    }
}

/// The real model, for whoever has it: `MINILM_GGUF` names a file that
/// `make_gguf.py FOLDER F32 FILE` wrote.
#[test]
#[ignore = "needs all-MiniLM-L6-v2 as GGUF in F32, the file that MINILM_GGUF names"]
fn minilm_is_that_of_sentence_transformers() {
    let file = std::env::var("MINILM_GGUF").expect("MINILM_GGUF names the file");
    let embedder = Embedder::open(file.as_ref(), &EmbedderOptions::default()).unwrap();
    // As for the folder, see `embedder.rs`.
    let expect = [
        0.130_401_8,
        -0.011_870_18,
        -0.028_117_04,
        0.051_238_67,
        -0.055_974_53,
        0.030_191_55,
        0.030_161_3,
        0.024_698_38,
    ];
    let found = embedder.vectors(&["the cat sat on the mat"]).unwrap();
    for (found, expect) in found[0].iter().zip(expect) {
        assert!((found - expect).abs() <= TOLERANCE);
    }
}

#[test]
fn an_exported_embedder_makes_the_same_vectors() {
    let room = tempfile::tempdir().unwrap();
    let texts = wanted().texts;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let options = EmbedderOptions::default();
    let vectors = |path: &std::path::Path| {
        let embedder = Embedder::open(path, &options).unwrap();
        embedder.embed(&texts, TextRole::Passage).unwrap()
    };
    for (format, tolerance) in [
        (GgufFormat::F32, 1e-6),
        (GgufFormat::F16, 2e-3),
        (GgufFormat::Q8_0, 2e-3),
    ] {
        let to = room.path().join(format!("{format}.gguf"));
        export_embedder(&tiny("bert"), format, &to).unwrap();
        assert_eq!(describe(&to).unwrap().kind, Some(ModelKind::Embedder));
        for (found, expect) in vectors(&to).iter().zip(vectors(&tiny("bert"))) {
            for (found, expect) in found.values().iter().zip(expect.values()) {
                assert!(
                    (found - expect).abs() <= tolerance,
                    "{format}: {found}, {expect}"
                );
            }
        }
    }
}

#[test]
fn what_gguf_cannot_say_is_not_exported() {
    let room = tempfile::tempdir().unwrap();
    let to = room.path().join("out.gguf");
    for (name, expect) in [
        ("roberta", "`model_type`"),
        ("encoders-gguf/bert-F32.gguf", "a GGUF file already"),
        ("decoders/gpt2", "`model_type`"),
    ] {
        let error = export_embedder(&tiny(name), GgufFormat::F32, &to);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expect), "{name}: {error}");
        assert!(!to.exists(), "{name}");
    }
}
