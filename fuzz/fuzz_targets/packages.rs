//! Zip and OLE packages: DOCX, PPTX, XLSX, XLS, EPUB, MSG.
#![no_main]

mod shared;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    shared::read_under(
        &["a.docx", "a.pptx", "a.xlsx", "a.xls", "a.epub", "a.msg"],
        bytes,
    );
});
