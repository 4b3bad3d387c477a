//! Logits of the tiny cross-encoders: BERT in BF16 shards, RoBERTa in F16.

use contract::Rerank as _;
use model::{CrossEncoder, CrossEncoderOptions};
use serde::Deserialize;

use crate::{expected, tiny};

/// Largest difference of a logit, relative to its size or 1.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Expected {
    question: String,
    passages: Vec<String>,
    logits: Vec<f32>,
}

fn check(name: &str) {
    let expected: Expected = expected(name);
    let passages: Vec<&str> = expected.passages.iter().map(String::as_str).collect();
    let judge = CrossEncoder::open(&tiny(name), &CrossEncoderOptions::default()).unwrap();
    let logits = judge.logits(&expected.question, &passages).unwrap();
    assert_eq!(logits.len(), expected.logits.len());
    for (found, expect) in logits.iter().zip(&expected.logits) {
        let error = (found - expect).abs() / expect.abs().max(1.0);
        assert!(error <= TOLERANCE, "{name}: {found} is not {expect}");
    }
    let shares = judge.rerank(&expected.question, &passages).unwrap();
    for (share, logit) in shares.iter().zip(&logits) {
        let back = (share.get() / (1.0 - share.get())).ln();
        assert!((back - f64::from(*logit)).abs() < 1e-9, "{name}");
    }
    assert!(judge.rerank("", &[]).unwrap().is_empty());
}

#[test]
fn logits_are_those_of_transformers() {
    check("bert-cross");
    check("roberta-cross");
}
