//! PDF: the text layer, read where its glyphs stand.
//!
//! The interpreter is `hayro`; a device that draws nothing collects the glyphs,
//! and [`pdf_layout`] makes lines, paragraphs and headings of
//! them. A stranger's PDF is a program: it runs on a thread of its own with a
//! large stack and a time limit, and a panic in it is the file's fault, not ours.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hayro_interpret::font::{Glyph as Drawn, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect, Vec2};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, interpret_page,
};
use hayro_syntax::{LoadPdfError, Pdf};

use super::STRANGERS_THREAD;
use super::pdf_layout::{self, Glyph};
use crate::read::{Draft, Drafts, Source};
use crate::{ReadError, Warning};

/// How long one file may take. Thousands of pages need seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// The stack of the thread that reads, in bytes.
const STACK: usize = 64 << 20;

/// The most glyphs that are read; a long book has two million.
const MOST_GLYPHS: usize = 20_000_000;

/// Reads a PDF. One without text is noted as a scan and gives no document.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let bytes = std::mem::take(&mut source.bytes);
    let (sender, receiver) = mpsc::channel();
    let reader = thread::Builder::new()
        .name(STRANGERS_THREAD.into())
        .stack_size(STACK)
        .spawn(move || {
            // Nobody listens any more once patience has run out.
            let _ = sender.send(collect(bytes));
        })
        .map_err(|error| ReadError::Io {
            file: source.file.to_owned(),
            source: error,
        })?;
    let collected = match receiver.recv_timeout(PATIENCE) {
        Ok(collected) => collected,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            return Err(source.damaged("PDF", "it takes more than two minutes to read"));
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let _ = reader.join();
            return Err(source.damaged("PDF", "the reader failed in the middle of it"));
        }
    };
    let collected = match collected {
        Ok(collected) => collected,
        Err(LoadPdfError::Decryption(_)) => {
            return Err(ReadError::Encrypted {
                file: source.file.to_owned(),
            });
        }
        Err(LoadPdfError::Invalid) => {
            return Err(source.damaged("PDF", "it has no readable structure"));
        }
    };
    if collected.pages.is_empty() {
        return Err(source.damaged("PDF", "it has no pages"));
    }
    if collected.cut {
        source.skip_part(
            "the rest of the text",
            "there are more than 20 million letters",
        );
    }
    let pages = collected.pages.len();
    let outline = pdf_layout::lay_out(collected.pages);
    if outline.text.trim().is_empty() {
        source.warnings.push(Warning::NoTextLayer {
            file: source.file.to_owned(),
            pages,
        });
        return Ok(Drafts::default());
    }
    let mut draft = Draft {
        title: collected.title.filter(|title| is_title(title)),
        text: outline.text,
        marks: outline.marks,
        ..Draft::default()
    };
    if draft.title.is_none() {
        let first = draft.marks.iter().find(|mark| mark.level == 1);
        draft.title = first
            .filter(|mark| !mark.title.starts_with("Page "))
            .map(|mark| mark.title.clone());
    }
    if let Some(author) = collected.author
        && !author.to_lowercase().contains("anonymous")
    {
        draft.note("author", &author);
    }
    draft.note("created", &collected.created.unwrap_or_default());
    draft
        .fields
        .metadata
        .insert("pages".into(), contract::Value::Number(pages as f64));
    Ok(draft.into())
}

/// Returns whether a title was written by a person: programs leave file names and
/// placeholders.
fn is_title(title: &str) -> bool {
    let lower = title.trim().to_lowercase();
    !lower.is_empty()
        && !["untitled", "microsoft word", "(anonymous)", "(unspecified)"]
            .iter()
            .any(|start| lower.starts_with(start))
        && ![".doc", ".docx", ".tex", ".dvi", ".indd", ".pdf"]
            .iter()
            .any(|end| lower.ends_with(end))
}

/// What is taken from a PDF.
struct Collected {
    pages: Vec<Vec<Glyph>>,
    cut: bool,
    title: Option<String>,
    author: Option<String>,
    created: Option<String>,
}

fn collect(bytes: Vec<u8>) -> Result<Collected, LoadPdfError> {
    let pdf = Pdf::new(bytes)?;
    let about = pdf.metadata();
    let mut collected = Collected {
        pages: Vec::new(),
        cut: false,
        title: about.title.as_deref().map(pdf_text),
        author: about.author.as_deref().map(pdf_text),
        created: about
            .creation_date
            .as_ref()
            .map(|date| format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)),
    };
    let cache = InterpreterCache::new();
    let mut left = MOST_GLYPHS;
    for page in pdf.pages().iter() {
        let mut context = Context::new(
            Affine::IDENTITY,
            Rect::new(0.0, 0.0, 1.0, 1.0),
            &cache,
            pdf.xref(),
            InterpreterSettings::default(),
        );
        let mut collector = Collector {
            glyphs: Vec::new(),
            left,
        };
        interpret_page(page, &mut context, &mut collector);
        left = collector.left;
        collected.cut = left == 0;
        collected.pages.push(collector.glyphs);
    }
    Ok(collected)
}

/// Reads a text string: UTF-16 or UTF-8 if it is marked so, else PDFDocEncoding,
/// which is Latin-1 for all that matters here (ISO 32000-1, §7.9.2.2).
fn pdf_text(bytes: &[u8]) -> String {
    let text = match encoding_rs::Encoding::for_bom(bytes) {
        Some((encoding, mark)) => encoding
            .decode_without_bom_handling(&bytes[mark..])
            .0
            .into_owned(),
        None => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    text.trim_matches(['\0', ' ', '\n']).to_owned()
}

/// A device that keeps the text and draws nothing.
struct Collector {
    glyphs: Vec<Glyph>,
    left: usize,
}

impl<'a> Device<'a> for Collector {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        let bold = match run.glyphs().first().map(std::ops::Deref::deref) {
            Some(Drawn::Outline(glyph)) => glyph.font_data().is_some_and(|font| {
                font.weight.is_some_and(|weight| weight >= 600)
                    || font
                        .postscript_name
                        .is_some_and(|name| name.contains("Bold"))
            }),
            _ => false,
        };
        for glyph in run.glyphs() {
            if self.left == 0 {
                return;
            }
            let Some(text) = glyph.as_unicode() else {
                continue;
            };
            let text = match text {
                BfString::Char(letter) => letter.to_string(),
                BfString::String(text) => text,
            };
            let transform = props.transform * glyph.transform();
            let origin = transform * Point::ZERO;
            let linear = |vector: Vec2| transform * vector.to_point() - origin;
            // A glyph's own space has a thousand units to the em.
            let advance = match &**glyph {
                Drawn::Outline(glyph) => glyph.advance_width(),
                Drawn::Type3(glyph) => glyph.advance_width(),
            };
            let advance = advance.map_or(500.0, f64::from);
            let along = linear(Vec2::new(1000.0, 0.0));
            let up = linear(Vec2::new(0.0, 1000.0));
            let finite = [origin.x, origin.y, along.x, along.y, up.x, up.y]
                .iter()
                .all(|number| number.is_finite() && number.abs() < 1e7);
            if !finite || along.hypot() == 0.0 {
                continue;
            }
            self.left -= 1;
            self.glyphs.push(Glyph::new(
                text,
                (origin.x, origin.y),
                (along.x, along.y),
                up.hypot(),
                advance / 1000.0,
                bold,
            ));
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
