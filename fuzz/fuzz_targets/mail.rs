//! Mail: EML and MBOX.
#![no_main]

mod shared;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    shared::read_under(&["a.eml", "a.mbox"], bytes);
});
