//! Any bytes as a matrix of NumPy: refused, or whole rows of finite length.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(matrix) = search::vector::npy::parse(bytes) {
        assert_eq!(matrix.values.len(), matrix.len() * matrix.dimensions);
    }
});
