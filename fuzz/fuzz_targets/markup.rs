//! Markup: HTML, feeds and other XML.
#![no_main]

mod shared;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    shared::read_under(&["a.html", "a.xml"], bytes);
});
