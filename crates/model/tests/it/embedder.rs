//! Embeddings of the tiny BERT and RoBERTa.

use std::num::NonZeroUsize;

use contract::{Embed as _, TextRole};
use model::{Embedder, EmbedderOptions, LongText, Precision};
use serde::Deserialize;
use tensor::Pooling;

use crate::{copy, expected, tiny};

/// Largest difference in any number of a vector of unit length.
const TOLERANCE: f32 = 1e-5;
/// Least cosine, in 8 bits, to the vector in 32.
const IN_INT8: f32 = 0.9999;

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    embeddings: Vec<Vec<f32>>,
    questions: Vec<Vec<f32>>,
}

fn open(name: &str) -> Embedder {
    Embedder::open(&tiny(name), &EmbedderOptions::default()).unwrap()
}

fn check(name: &str) {
    let expected: Expected = expected(name);
    let texts: Vec<&str> = expected.texts.iter().map(String::as_str).collect();
    let embedder = open(name);
    for (role, expect) in [
        (TextRole::Passage, &expected.embeddings),
        (TextRole::Question, &expected.questions),
    ] {
        let found = embedder.embed(&texts, role).unwrap();
        assert_eq!(found.len(), expect.len());
        for ((found, expect), text) in found.iter().zip(expect).zip(&texts) {
            for (found, expect) in found.values().iter().zip(expect) {
                assert!((found - expect).abs() <= TOLERANCE, "{name}, {text:?}");
            }
        }
    }
}

#[test]
fn embeddings_are_those_of_sentence_transformers() {
    check("bert");
    check("roberta");
}

#[test]
fn in_int8_embeddings_are_nearly_those_of_sentence_transformers() {
    for name in ["bert", "roberta"] {
        let expected: Expected = expected(name);
        let texts: Vec<&str> = expected.texts.iter().map(String::as_str).collect();
        let options = EmbedderOptions {
            precision: Precision::Int8,
            ..Default::default()
        };
        let embedder = Embedder::open(&tiny(name), &options).unwrap();
        let found = embedder.embed(&texts, TextRole::Passage).unwrap();
        let mut exact = true;
        for ((found, expect), text) in found.iter().zip(&expected.embeddings).zip(&texts) {
            let pairs = || found.values().iter().zip(expect);
            let cosine: f32 = pairs().map(|(a, b)| a * b).sum();
            assert!(cosine >= IN_INT8, "{name}, {text:?}: {cosine}");
            exact &= pairs().all(|(a, b)| (a - b).abs() <= TOLERANCE);
        }
        assert!(!exact, "{name} multiplies in 32 bits");
    }
}

#[test]
fn a_question_has_its_prefix() {
    let expected: Expected = expected("bert");
    assert_ne!(expected.embeddings, expected.questions);
}

#[test]
fn a_batch_is_its_texts_one_by_one() {
    let sentence = "the cat sat on the mat where did the dog sit ? ";
    let texts: Vec<String> = (0..90)
        .map(|length| sentence.chars().cycle().take(length * 7 % 101).collect())
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let alone: Vec<Vec<f32>> = {
        let embedder = open("bert");
        texts
            .iter()
            .map(|text| embedder.vectors(&[text]).unwrap().remove(0))
            .collect()
    };
    for threads in [1, 2, 5] {
        let options = EmbedderOptions {
            threads: NonZeroUsize::new(threads),
            ..Default::default()
        };
        let together = Embedder::open(&tiny("bert"), &options)
            .unwrap()
            .vectors(&texts)
            .unwrap();
        assert_eq!(together, alone, "{threads} threads");
    }
    assert_eq!(open("bert").vectors(&[]).unwrap(), Vec::<Vec<f32>>::new());
}

#[test]
fn the_identity_is_that_of_what_changes_the_vector() {
    let identity = |options: EmbedderOptions| {
        let embedder = Embedder::open(&tiny("bert"), &options).unwrap();
        embedder.identity().clone()
    };
    let plain = identity(EmbedderOptions::default());
    assert!(plain.name.starts_with("bert@"), "{plain}");
    assert_eq!(plain.dimensions, 24);
    let threads = EmbedderOptions {
        threads: NonZeroUsize::new(2),
        ..Default::default()
    };
    assert_eq!(identity(threads), plain);
    let prefix = EmbedderOptions {
        passage_prefix: Some("passage: ".into()),
        ..Default::default()
    };
    assert_ne!(identity(prefix), plain);
    let shorter = EmbedderOptions {
        longest: Some(9),
        ..Default::default()
    };
    assert_ne!(identity(shorter), plain);
    let int8 = EmbedderOptions {
        precision: Precision::Int8,
        ..Default::default()
    };
    assert_ne!(identity(int8), plain);
    let pooled = |pooling| EmbedderOptions {
        pooling: Some(pooling),
        ..Default::default()
    };
    assert_eq!(identity(pooled(Pooling::Mean)), plain);
    assert_ne!(identity(pooled(Pooling::First)), plain);

    let other = copy("bert");
    let weights = other.path().join("model.safetensors");
    let mut bytes = fs_err::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs_err::write(&weights, bytes).unwrap();
    let other = Embedder::open(other.path(), &EmbedderOptions::default()).unwrap();
    assert_ne!(
        other.identity().name.split('@').next_back(),
        plain.name.split('@').next_back()
    );
}

#[test]
fn pooling_is_as_said_whatever_the_folder_says() {
    let options = EmbedderOptions {
        pooling: Some(Pooling::First),
        ..Default::default()
    };
    let embedder = Embedder::open(&tiny("bert"), &options).unwrap();
    assert_eq!(embedder.pooling(), Pooling::First);
    let text = ["the cat sat on the mat"];
    let (found, plain) = (embedder.vectors(&text), open("bert").vectors(&text));
    assert_ne!(found.unwrap(), plain.unwrap());
}

#[test]
fn a_long_text_is_the_mean_of_its_windows() {
    let windows = |longest| {
        let options = EmbedderOptions {
            long: LongText::Windows,
            longest: Some(longest),
            ..Default::default()
        };
        Embedder::open(&tiny("bert"), &options).unwrap()
    };
    let (short, cut) = (windows(6), open("bert"));
    // Four words and two marks fit; no word is in two windows, for an eighth of four is none.
    let text = "the cat sat on the mat where did";
    let halves = ["the cat sat on", "the mat where did"];
    let found = short.vectors(&[text, halves[0]]).unwrap();
    let parts = cut.vectors(&halves).unwrap();
    assert_eq!(found[1], parts[0]);
    // The halves are of equal length, but their vectors are not before they are normalised.
    let side = |part: &[f32]| -> f32 { found[0].iter().zip(part).map(|(a, b)| a * b).sum() };
    let between: f32 = parts[0].iter().zip(&parts[1]).map(|(a, b)| a * b).sum();
    assert!(side(&parts[0]) > between && side(&parts[1]) > between);
    // What comes after the model's length counts.
    let other = short
        .vectors(&["the cat sat on the mat where six"])
        .unwrap();
    assert_ne!(found[0], other[0]);
    // A text that fits has the same vector either way.
    let long = windows(24).vectors(&[text]).unwrap();
    assert_eq!(long, cut.vectors(&[text]).unwrap());
    assert_ne!(windows(24).identity(), cut.identity());
}

/// The real model, for whoever has it: `MINILM` is the folder of all-MiniLM-L6-v2.
#[test]
#[ignore = "needs the 90 MB of all-MiniLM-L6-v2, in the folder that MINILM names"]
fn minilm_is_that_of_sentence_transformers() {
    let folder = std::env::var("MINILM").expect("MINILM names the folder");
    let embedder = Embedder::open(folder.as_ref(), &EmbedderOptions::default()).unwrap();
    // SentenceTransformer(folder).encode("the cat sat on the mat")[:8], version 6.2.0.
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
