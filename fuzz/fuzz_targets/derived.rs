//! Any bytes as a derived file of the search: refused, or its sections lie within.
#![no_main]

use search::derived::{Kind, verify};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let kind = Kind { id: 1, version: 1 };
    if let Ok((_, sections)) = verify(bytes, kind) {
        for section in sections {
            assert!(section.start <= section.end && section.end <= bytes.len());
        }
    }
});
