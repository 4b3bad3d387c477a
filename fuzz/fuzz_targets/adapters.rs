//! Any bytes as an adapter's configuration or weights: refused, or it can be used.
#![no_main]

#[path = "shared/scratch.rs"]
mod scratch;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::LazyLock;

use model::decoder::{Decoder, DecoderOptions, Step, Wanted, Workspace};
use model::lora::Adapter;

const CONFIG: &[u8] =
    include_bytes!("../../crates/model/tests/data/decoders/dora/adapter_config.json");
const WEIGHTS: &[u8] =
    include_bytes!("../../crates/model/tests/data/decoders/dora/adapter_model.safetensors");

static BASE: LazyLock<Decoder> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/model/tests/data/decoders/llama");
    let options = DecoderOptions {
        threads: Some(NonZeroUsize::MIN),
    };
    Decoder::open(&folder, &options).expect("the tiny model can be read")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for (config, weights) in [(bytes, WEIGHTS), (CONFIG, bytes)] {
        let path = scratch::file("adapter_config.json", config);
        scratch::file("adapter_model.safetensors", weights);
        let folder = path.parent().expect("it lies in a folder");
        let Ok(adapter) = Adapter::open(folder, &BASE) else {
            continue;
        };
        let step = Step {
            tokens: &[0, 1, 2],
            cache: &mut BASE.cache(4),
            adapters: &[(&adapter, 0.5)],
            wanted: Wanted::All,
        };
        let mut workspace = Workspace::default();
        BASE.forward(&mut workspace, &mut [step])
            .expect("an adapter that was opened can be used");
    }
});
