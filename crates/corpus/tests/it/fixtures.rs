//! Small files of every format, made here.

use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Packs `files` (name, content) into a zip.
pub(crate) fn package(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const CORE: (&str, &str) = (
    "docProps/core.xml",
    "<cp:coreProperties xmlns:cp='c' xmlns:dc='d'><dc:title>The title</dc:title><dc:creator>Ada</dc:creator></cp:coreProperties>",
);

pub(crate) fn docx() -> Vec<u8> {
    package(&[
        CORE,
        (
            "word/_rels/document.xml.rels",
            "<Relationships><Relationship Id='r1' Type='http://x/styles' Target='styles.xml'/><Relationship Id='r2' Type='http://x/comments' Target='comments.xml'/></Relationships>",
        ),
        (
            "word/styles.xml",
            "<w:styles><w:style w:styleId='H1'><w:name w:val='heading 1'/></w:style><w:style w:styleId='Mine'><w:name w:val='Mine'/><w:basedOn w:val='H2'/></w:style><w:style w:styleId='H2'><w:name w:val='heading 2'/></w:style></w:styles>",
        ),
        (
            "word/comments.xml",
            "<w:comments><w:comment w:author='Bob'><w:p><w:r><w:t>Really?</w:t></w:r></w:p></w:comment></w:comments>",
        ),
        (
            "word/document.xml",
            "<w:document><w:body>\
             <w:p><w:pPr><w:pStyle w:val='H1'/></w:pPr><w:r><w:t>First</w:t></w:r></w:p>\
             <w:p><w:r><w:t xml:space='preserve'>Some </w:t></w:r><w:del><w:r><w:t>old</w:t></w:r></w:del><w:r><w:t>words &amp; more</w:t></w:r></w:p>\
             <w:p><w:pPr><w:numPr><w:ilvl w:val='0'/></w:numPr></w:pPr><w:r><w:t>item</w:t></w:r></w:p>\
             <w:p><w:pPr><w:pStyle w:val='Mine'/></w:pPr><w:r><w:t>Second</w:t></w:r></w:p>\
             <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>\
             </w:body></w:document>",
        ),
    ])
}

pub(crate) fn pptx() -> Vec<u8> {
    package(&[
        (
            "ppt/presentation.xml",
            "<p:presentation><p:sldIdLst><p:sldId id='256' r:id='r2'/><p:sldId id='257' r:id='r1'/></p:sldIdLst></p:presentation>",
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            "<Relationships><Relationship Id='r1' Type='x/slide' Target='slides/slide1.xml'/><Relationship Id='r2' Type='x/slide' Target='slides/slide2.xml'/></Relationships>",
        ),
        (
            "ppt/slides/slide1.xml",
            "<p:sld><p:sp><a:p><a:r><a:t>No title here</a:t></a:r></a:p></p:sp></p:sld>",
        ),
        (
            "ppt/slides/slide2.xml",
            "<p:sld><p:sp><p:ph type='title'/><a:p><a:r><a:t>Hello</a:t></a:r></a:p></p:sp><p:sp><a:p><a:r><a:t>One</a:t></a:r></a:p><a:p><a:pPr lvl='1'/><a:r><a:t>Two</a:t></a:r></a:p></p:sp></p:sld>",
        ),
        (
            "ppt/slides/_rels/slide2.xml.rels",
            "<Relationships><Relationship Id='r1' Type='x/notesSlide' Target='../notesSlides/n.xml'/></Relationships>",
        ),
        (
            "ppt/notesSlides/n.xml",
            "<p:notes><p:sp><p:ph type='body'/><a:p><a:r><a:t>Say hi.</a:t></a:r></a:p></p:sp></p:notes>",
        ),
    ])
}

pub(crate) fn xlsx() -> Vec<u8> {
    package(&[
        CORE,
        (
            "[Content_Types].xml",
            "<Types><Override PartName='/xl/workbook.xml' ContentType='application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml'/></Types>",
        ),
        (
            "_rels/.rels",
            "<Relationships><Relationship Id='r1' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument' Target='xl/workbook.xml'/></Relationships>",
        ),
        (
            "xl/workbook.xml",
            "<workbook xmlns:r='r'><sheets><sheet name='Stock' sheetId='1' r:id='r1'/></sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships><Relationship Id='r1' Type='http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet' Target='worksheets/sheet1.xml'/></Relationships>",
        ),
        (
            "xl/worksheets/sheet1.xml",
            "<worksheet><sheetData>\
             <row r='1'><c r='A1' t='inlineStr'><is><t>Name</t></is></c><c r='B1' t='inlineStr'><is><t>Count</t></is></c></row>\
             <row r='2'><c r='A2' t='inlineStr'><is><t>Nails</t></is></c><c r='B2'><v>12</v></c></row>\
             <row r='1048576'><c r='XFD1048576'><v>7</v></c></row>\
             </sheetData></worksheet>",
        ),
    ])
}

pub(crate) fn epub() -> Vec<u8> {
    package(&[
        ("mimetype", "application/epub+zip"),
        (
            "META-INF/container.xml",
            "<container><rootfiles><rootfile full-path='OEBPS/content.opf'/></rootfiles></container>",
        ),
        (
            "OEBPS/content.opf",
            "<package xmlns:dc='d'><metadata><dc:title>A Book</dc:title><dc:creator>Ada</dc:creator></metadata><manifest><item id='b' href='two.xhtml'/><item id='a' href='one%20a.xhtml'/></manifest><spine><itemref idref='a'/><itemref idref='b'/></spine></package>",
        ),
        (
            "OEBPS/two.xhtml",
            "<html><head><title>Two</title></head><body><p>End.</p></body></html>",
        ),
        (
            "OEBPS/one a.xhtml",
            "<html><body><h1>One</h1><p>Begin.</p></body></html>",
        ),
    ])
}

/// Makes a PDF whose pages show `pages`: lines of (size, text), down the page.
pub(crate) fn pdf(pages: &[&[(u32, &str)]]) -> Vec<u8> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        String::new(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut kids = String::new();
    for page in pages {
        let mut content = String::from("BT ");
        let mut y = 760;
        for (size, text) in *page {
            content.push_str(&format!("/F1 {size} Tf 1 0 0 1 72 {y} Tm ({text}) Tj "));
            y -= size + size / 4;
        }
        content.push_str("ET");
        let number = objects.len() + 1;
        kids.push_str(&format!("{number} 0 R "));
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>",
            number + 1
        ));
        objects.push(format!(
            "<< /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        ));
    }
    objects[1] = format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len());
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", number + 1).bytes());
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        file.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    file.extend(
        format!(
            "trailer << /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n",
            objects.len() + 1
        )
        .bytes(),
    );
    file
}

pub(crate) fn msg() -> Vec<u8> {
    let mut ole = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    let mut write = |path: &str, bytes: &[u8]| {
        ole.create_stream(path).unwrap().write_all(bytes).unwrap();
    };
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let mut properties = vec![0; 32];
    properties.extend(0x0E06_0040u32.to_le_bytes());
    properties.extend([0; 4]);
    // 2024-01-15T10:00:00Z in tenths of microseconds since 1601.
    properties.extend(((1_705_312_800u64 + 11_644_473_600) * 10_000_000).to_le_bytes());
    write("/__properties_version1.0", &properties);
    write("/__substg1.0_0037001F", &wide("Café"));
    write("/__substg1.0_0C1A001F", &wide("Ada"));
    write("/__substg1.0_5D01001F", &wide("ada@a.example"));
    write("/__substg1.0_10130102", b"<p>Hello <b>Bob</b>.</p>");
    ole.flush().unwrap();
    ole.into_inner().into_inner()
}

/// One small file of each format that is not plain text, by name.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a.docx", docx()),
        ("a.pptx", pptx()),
        ("a.xlsx", xlsx()),
        ("a.epub", epub()),
        ("a.msg", msg()),
        ("a.pdf", pdf(&[&[(20, "Title"), (10, "Some words.")]])),
        ("a.html", b"<main><h1>A</h1><p>b<table><tr><th>c<td>d</table><ul><li>e</main>".to_vec()),
        ("a.xml", b"<rss><channel><item><title>a</title><description>&lt;p&gt;b</description></item></channel></rss>".to_vec()),
        ("a.eml", b"Subject: a\r\nFrom: b@c\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>d\r\n--x--\r\n".to_vec()),
        ("a.ipynb", br#"{"cells":[{"cell_type":"code","source":["a"],"outputs":[{"output_type":"stream","text":"b"}]}]}"#.to_vec()),
        ("a.md", b"---\ngroups: [a]\n---\n# b\n\n```\nc\n```\nd\n---\n".to_vec()),
        ("a.rst", b"A\n=\n\n=====\n B\n=====\n\n:c:`d`\n".to_vec()),
        ("a.csv", b"a;b\n\"1\n2\";3\n".to_vec()),
        ("a.json", br#"{"documents":[{"id":"a","content":"b","metadata":{"groups":["c"]}}],"training_parameters":{"epochs":100}}"#.to_vec()),
        ("a.jsonl", b"{\"text\":\"a\",\"embedding\":[1,2]}\n{\"question\":\"b\",\"answer\":\"c\"}\n".to_vec()),
        ("a.py", b"# a\n@b\ndef c():\n    pass\n\nclass D:\n    def e(self): pass\nf = 1\n".to_vec()),
    ]
}
