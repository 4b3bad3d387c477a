//! Text as written: Markdown with front matter, reStructuredText, source code.
#![no_main]

mod shared;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    shared::read_under(
        &["a.md", "a.rst", "a.rs", "a.py", "a.ts", "a.c", "a.txt"],
        bytes,
    );
});
