//! Any bytes as a decoder's GGUF file or `config.json`: refused, or it reads tokens.
#![no_main]

#[path = "shared/scratch.rs"]
mod scratch;

use std::num::NonZeroUsize;
use std::path::Path;

use model::decoder::{Decoder, DecoderOptions, Step, Wanted, Workspace};

const WEIGHTS: &[u8] =
    include_bytes!("../../crates/model/tests/data/decoders/llama/model.safetensors");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read(&scratch::file("m.gguf", bytes));
    let config = scratch::file("config.json", bytes);
    scratch::file("model.safetensors", WEIGHTS);
    read(config.parent().expect("it lies in a folder"));
});

fn read(path: &Path) {
    let options = DecoderOptions {
        threads: Some(NonZeroUsize::MIN),
    };
    let Ok(decoder) = Decoder::open(path, &options) else {
        return;
    };
    let mut cache = decoder.cache(4);
    for tokens in [&[0, 1][..], &[u32::MAX], &[0, 0, 0]] {
        let step = Step {
            tokens,
            cache: &mut cache,
            adapters: &[],
            wanted: Wanted::All,
        };
        let _ = decoder.forward(&mut Workspace::default(), &mut [step]);
    }
}
