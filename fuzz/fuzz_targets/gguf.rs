//! Any bytes as a GGUF file: refused, or all of it can be read, its vocabulary too.
#![no_main]

#[path = "shared/scratch.rs"]
mod scratch;

use model::gguf::Gguf;
use model::tokenizer::{Special, TextTokenizer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = Gguf::open(&scratch::file("m.gguf", bytes)) else {
        return;
    };
    for key in file.keys() {
        let _ = file.value(key).map(|value| value.to_string());
        let _ = (file.texts(key), file.numbers(key), file.integers(key));
    }
    for tensor in file.tensors() {
        let _ = file.bytes(tensor);
    }
    if let Ok(tokenizer) = TextTokenizer::of_gguf(&file) {
        let _ = tokenizer.encode("The cat's 12 é 🚀", Special::Add);
        let _ = tokenizer.decode(&[0, 1, 2]);
    }
});
