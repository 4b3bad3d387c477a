//! What each format's reader makes of a small file.

use std::io::{Cursor, Write as _};

use contract::Document;
use corpus::{ReadError, ReadOptions, Reading, Warning, read_bytes};

use crate::fixtures;

fn read(name: &str, bytes: &[u8]) -> Result<Reading, ReadError> {
    read_bytes(bytes, name, name, &ReadOptions::default())
}

fn only(name: &str, bytes: &[u8]) -> Document {
    let mut reading = read(name, bytes).unwrap();
    assert_eq!(reading.documents.len(), 1);
    reading.documents.remove(0)
}

fn headings(document: &Document) -> Vec<String> {
    let sections = document.sections.iter();
    sections.map(|section| section.headings.join("/")).collect()
}

#[test]
fn docx_keeps_headings_lists_tables_and_comments() {
    let document = only("a.docx", &fixtures::docx());
    assert_eq!(
        document.text,
        "First\n\nSome words & more\n- item\n\nSecond\n\na | b\n\nComments\n\nBob: Really?\n"
    );
    assert_eq!(headings(&document), ["First", "First/Second", "Comments"]);
    assert_eq!(document.title.as_deref(), Some("The title"));
    assert_eq!(document.metadata["author"].to_string(), "Ada");
}

#[test]
fn pptx_has_a_section_a_slide_with_its_notes() {
    let document = only("a.pptx", &fixtures::pptx());
    assert_eq!(
        document.text,
        "Hello\n\nOne\n  Two\n\nNotes: Say hi.\n\nSlide 2\n\nNo title here\n"
    );
    assert_eq!(headings(&document), ["Hello", "Slide 2"]);
}

#[test]
fn xlsx_rows_name_their_columns_and_far_cells_cost_nothing() {
    let document = only("a.xlsx", &fixtures::xlsx());
    assert_eq!(
        document.text,
        "Stock\n\nName; Count\nName: Nails; Count: 12\n7\n"
    );
    assert_eq!(headings(&document), ["Stock"]);
}

#[test]
fn xls_sectors_that_lead_back_into_themselves_are_refused() {
    let mut ole = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    let mut stream = ole.create_stream("/Workbook").unwrap();
    stream.write_all(&[0; 1 << 16]).unwrap();
    drop(stream);
    ole.flush().unwrap();
    let mut bytes = ole.into_inner().into_inner();
    // Each sector of the table of sectors names the next one of a chain; where the
    // chain goes on from sector 10 it now goes back to 9.
    let table = (0..bytes.len() - 4)
        .step_by(4)
        .find(|at| bytes[*at..].starts_with(&[11, 0, 0, 0, 12, 0, 0, 0, 13, 0, 0, 0]))
        .expect("the chain of the stream");
    bytes[table] = 9;
    let error = read("a.xls", &bytes).unwrap_err();
    assert!(matches!(error, ReadError::Damaged { .. }), "{error}");
}

#[test]
fn epub_follows_the_spine() {
    let document = only("a.epub", &fixtures::epub());
    assert_eq!(document.text, "One\n\nBegin.\n\nEnd.\n");
    assert_eq!(headings(&document), ["One", "Two"]);
    assert_eq!(document.title.as_deref(), Some("A Book"));
}

#[test]
fn msg_has_its_head_and_body() {
    let document = only("a.msg", &fixtures::msg());
    assert_eq!(
        document.text,
        "Café\n\nFrom: Ada <ada@a.example>\nDate: 2024-01-15T10:00:00Z\n\nHello Bob.\n"
    );
}

#[test]
fn pdf_lines_become_headings_and_paragraphs() {
    let file = fixtures::pdf(&[
        &[
            (20, "Guide"),
            (10, "Each pipe is con-"),
            (10, "nected twice."),
            (14, "Details"),
            (10, "More words, and they"),
        ],
        &[(10, "go on here.")],
    ]);
    let document = only("a.pdf", &file);
    assert_eq!(
        document.text,
        "Guide\n\nEach pipe is connected twice.\n\nDetails\n\nMore words, and they\ngo on here.\n"
    );
    assert_eq!(headings(&document), ["Guide", "Guide/Details"]);
    assert_eq!(document.title.as_deref(), Some("Guide"));
}

#[test]
fn pdf_without_headings_has_a_section_a_page() {
    let file = fixtures::pdf(&[&[(10, "First page.")], &[(10, "Second page.")]]);
    let document = only("a.pdf", &file);
    assert_eq!(headings(&document), ["Page 1", "Page 2"]);
}

#[test]
fn a_pdf_without_text_is_said_to_be_a_scan() {
    let reading = read("scan.pdf", &fixtures::pdf(&[&[], &[]])).unwrap();
    assert!(reading.documents.is_empty());
    assert!(matches!(
        reading.warnings[..],
        [Warning::NoTextLayer { pages: 2, .. }]
    ));
}

#[test]
fn what_is_not_its_format_is_damaged() {
    for name in [
        "a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.xls", "a.epub", "a.msg", "a.ipynb",
    ] {
        let error = read(name, b"nothing of the kind").unwrap_err();
        assert!(
            matches!(error, ReadError::Damaged { .. }),
            "{name}: {error}"
        );
        assert!(error.to_string().contains(name));
    }
}

#[test]
fn an_office_file_with_a_password_is_encrypted() {
    let error = read("a.docx", &fixtures::msg()).unwrap_err();
    assert!(matches!(error, ReadError::Encrypted { .. }));
}

#[test]
fn a_package_that_unpacks_without_end_is_too_large() {
    let document = format!("<w:document>{}</w:document>", " ".repeat(1 << 20));
    let options = ReadOptions { max_bytes: 1 << 16 };
    for (name, part) in [
        ("a.docx", "word/document.xml"),
        ("a.xlsx", "xl/workbook.xml"),
    ] {
        let file = fixtures::package(&[(part, &document)]);
        assert!(file.len() < 1 << 14);
        let error = read_bytes(&file, name, name, &options).unwrap_err();
        assert!(matches!(error, ReadError::TooLarge { .. }), "{error}");
    }
}
