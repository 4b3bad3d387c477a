//! Any bytes as a vocabulary; the first says of which kind. What is not refused encodes
//! and decodes.
#![no_main]

#[path = "shared/scratch.rs"]
mod scratch;

use model::tokenizer::{Special, TextTokenizer};

const NAMES: [&str; 5] = [
    "tokenizer.json",
    "tokenizer.model",
    "r50k_base.tiktoken",
    "tokenizer.bin",
    "vocab.bpe",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let name = NAMES[usize::from(*kind) % NAMES.len()];
    let Ok(tokenizer) = TextTokenizer::open(&scratch::file(name, bytes)) else {
        return;
    };
    for special in [Special::Add, Special::Read, Special::Ignore] {
        if let Ok(ids) = tokenizer.encode("The  cat's 12 é 🚀\n</s>", special) {
            let whole = tokenizer.decode(&ids).unwrap_or_default();
            let mut stream = tokenizer.stream();
            let said: String = ids.iter().flat_map(|id| stream.push(*id)).collect();
            assert!(whole.starts_with(&said), "{whole:?} {said:?}");
        }
    }
});
