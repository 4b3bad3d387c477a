//! Records: CSV, TSV, JSON, JSON lines, notebooks.
#![no_main]

mod shared;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    shared::read_under(&["a.csv", "a.tsv", "a.json", "a.jsonl", "a.ipynb"], bytes);
});
