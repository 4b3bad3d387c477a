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
        }
        for layout in [tensor::Layout::Rows, tensor::Layout::Columns] {
            if let Ok(matrix) = weights.matrix("w", 2, 3, layout) {
                assert_eq!(matrix.numbers().len(), 6);
            }
        }
    }
});
