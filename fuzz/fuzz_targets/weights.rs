//! Any bytes as a safetensors file: refused, or its tensors can be read.
#![no_main]

#[path = "shared/scratch.rs"]
mod scratch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = scratch::file("model.safetensors", bytes);
    let folder = path.parent().expect("it lies in a folder");
    if let Ok(weights) = model::weights::Weights::open(folder) {
        for shape in [&[][..], &[0], &[1], &[2, 3]] {
            let _ = weights.tensor("w", shape);
            let _ = weights.table("w", shape);
        }
    }
});
