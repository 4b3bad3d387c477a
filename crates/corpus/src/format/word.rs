//! DOCX: paragraphs, headings by style, lists, tables, notes and comments
//! (ECMA-376 part 1, §17).

use std::collections::HashMap;

use crate::ReadError;
use crate::format::office;
use crate::format::package::Package;
use crate::format::xml::{self, Node, Tag};
use crate::outline::{Outline, one_line};
use crate::read::{Draft, Drafts, Source};

/// Reads a DOCX file.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let mut package = Package::open(&mut source, "DOCX")?;
    let path = office::relations(&mut package, "")?
        .into_values()
        .find(|(kind, _)| kind == "officeDocument")
        .map_or_else(|| "word/document.xml".to_owned(), |(_, path)| path);
    let Some(text) = package.text(&path)? else {
        return Err(package.damaged("it has no `word/document.xml`"));
    };
    let relations = office::relations(&mut package, &path)?;
    let related = |kind: &str| {
        let found = relations.values().find(|(found, _)| found == kind);
        found.map(|(_, path)| path.clone())
    };
    let levels = match related("styles") {
        Some(styles) => heading_levels(&mut package, &styles)?,
        None => HashMap::new(),
    };
    let mut body = Body {
        levels,
        ..Body::default()
    };
    body.run(&text).map_err(|error| package.damaged(error))?;
    for (kind, heading) in [
        ("footnotes", "Footnotes"),
        ("endnotes", "Endnotes"),
        ("comments", "Comments"),
    ] {
        let Some(path) = related(kind) else { continue };
        let Some(text) = package.text(&path)? else {
            continue;
        };
        let mut notes = Body::default();
        notes.run(&text).map_err(|error| package.damaged(error))?;
        if !notes.outline.text.trim().is_empty() {
            body.outline.heading(1, heading);
            body.outline.paragraph(&notes.outline.text);
        }
    }
    let mut draft = Draft::default();
    office::note_properties(&mut package, &mut draft)?;
    if draft.title.is_none() {
        draft.title = body.title.or_else(|| {
            let first = body.outline.marks.first();
            first.map(|mark| mark.title.clone())
        });
    }
    draft.text = body.outline.text;
    draft.marks = body.outline.marks;
    Ok(draft.into())
}

/// Returns the heading level of each style that has one, by the style's id.
fn heading_levels(package: &mut Package, path: &str) -> Result<HashMap<String, usize>, ReadError> {
    let Some(text) = package.text(path)? else {
        return Ok(HashMap::new());
    };
    let mut levels: HashMap<String, usize> = HashMap::new();
    let mut based_on: Vec<(String, String)> = Vec::new();
    let mut style = String::new();
    let walked = xml::walk(&text, |node| {
        let Node::Start(tag) = node else { return };
        match tag.name() {
            "style" => style = tag.attribute("styleId").unwrap_or_default(),
            "name" => {
                let name = tag.attribute("val").unwrap_or_default().to_lowercase();
                if let Some(level) = level_named(&name) {
                    levels.insert(style.clone(), level);
                }
            }
            "outlineLvl" => {
                if let Some(level) = tag.attribute("val").and_then(|v| v.parse::<usize>().ok())
                    && level < 9
                {
                    levels.entry(style.clone()).or_insert(level + 1);
                }
            }
            "basedOn" => {
                if let Some(base) = tag.attribute("val") {
                    based_on.push((style.clone(), base));
                }
            }
            _ => {}
        }
    });
    walked.map_err(|error| package.damaged(error))?;
    // A style without a level of its own has that of the style it is based on. A
    // few rounds follow any chain that people write.
    for _ in 0..4 {
        for (style, base) in &based_on {
            if let Some(level) = levels.get(base).copied() {
                levels.entry(style.clone()).or_insert(level);
            }
        }
    }
    Ok(levels)
}

/// Returns the level that a style of this name (in lower case) has; 0 is the
/// document's title.
fn level_named(name: &str) -> Option<usize> {
    if name == "title" {
        return Some(0);
    }
    let number = name.strip_prefix("heading")?.trim();
    number.parse().ok().filter(|level| (1..=9).contains(level))
}

/// A paragraph, while it is read.
#[derive(Default)]
struct Paragraph {
    words: String,
    level: Option<usize>,
    /// The depth of a list's item.
    item: Option<usize>,
}

/// A document's body, while it is read.
#[derive(Default)]
struct Body {
    levels: HashMap<String, usize>,
    outline: Outline,
    title: Option<String>,
    /// Paragraphs that are open: a text box stands inside another paragraph.
    open: Vec<Paragraph>,
    /// Open tables, each with the cells of its row.
    tables: Vec<Vec<String>>,
    /// Open elements whose content is left out.
    hidden: usize,
    in_text: bool,
    author: Option<String>,
}

impl Body {
    fn run(&mut self, text: &str) -> Result<(), quick_xml::Error> {
        xml::walk(text, |node| match node {
            Node::Start(tag) => self.start(&tag),
            Node::End(name) => self.end(name),
            Node::Text(words) => {
                if self.in_text && self.hidden == 0 {
                    self.push(&words);
                }
            }
        })
    }

    fn push(&mut self, words: &str) {
        if let Some(paragraph) = self.open.last_mut() {
            paragraph.words.push_str(words);
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        let value = || tag.attribute("val");
        match tag.name() {
            // A fallback repeats for old programs what stands before it.
            "Fallback" | "instrText" | "del" => self.hidden += 1,
            "p" => {
                let mut paragraph = Paragraph::default();
                if let Some(author) = self.author.take() {
                    paragraph.words = format!("{author}: ");
                }
                self.open.push(paragraph);
            }
            "t" => self.in_text = true,
            "tab" => self.push("\t"),
            "br" | "cr" => self.push("\n"),
            "noBreakHyphen" => self.push("-"),
            "tbl" => self.tables.push(Vec::new()),
            "tc" => {
                if let Some(row) = self.tables.last_mut() {
                    row.push(String::new());
                }
            }
            "pStyle" => {
                let level = value().and_then(|style| self.levels.get(&style).copied());
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.level = level.or(paragraph.level);
                }
            }
            "outlineLvl" => {
                let level = value().and_then(|level| level.parse::<usize>().ok());
                if let (Some(paragraph), Some(level)) = (self.open.last_mut(), level)
                    && level < 9
                {
                    paragraph.level = Some(level + 1);
                }
            }
            "ilvl" => {
                let depth = value().and_then(|depth| depth.parse().ok()).unwrap_or(0);
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.item = Some(depth);
                }
            }
            "comment" => {
                self.author = tag.attribute("author").filter(|author| !author.is_empty());
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "Fallback" | "instrText" | "del" => self.hidden = self.hidden.saturating_sub(1),
            "t" => self.in_text = false,
            "p" => {
                if let Some(paragraph) = self.open.pop() {
                    self.close(&paragraph);
                }
            }
            "tr" => {
                let Some(row) = self.tables.last_mut() else {
                    return;
                };
                let cells: Vec<String> = std::mem::take(row).iter().map(|c| one_line(c)).collect();
                let line = cells.join(" | ");
                if cells.iter().all(String::is_empty) {
                    return;
                }
                let inner = self.tables.len() > 1;
                match (
                    inner,
                    self.tables
                        .iter_mut()
                        .rev()
                        .nth(1)
                        .and_then(|row| row.last_mut()),
                ) {
                    (true, Some(cell)) => cell.push_str(&format!("{line} ")),
                    _ => self.outline.line(&line),
                }
            }
            "tbl" => {
                self.tables.pop();
                if self.tables.is_empty() {
                    self.outline.blank_line();
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, paragraph: &Paragraph) {
        if let Some(cell) = self.tables.last_mut().and_then(|row| row.last_mut()) {
            cell.push_str(&paragraph.words);
            cell.push(' ');
            return;
        }
        match (paragraph.level, paragraph.item) {
            (Some(0), _) => {
                self.title.get_or_insert_with(|| one_line(&paragraph.words));
                self.outline.heading(1, &paragraph.words);
            }
            (Some(level), _) => self.outline.heading(level, &paragraph.words),
            (None, Some(depth)) => {
                let words = paragraph.words.trim();
                if !words.is_empty() {
                    let indentation = "  ".repeat(depth.min(8));
                    self.outline.line(&format!("{indentation}- {words}"));
                }
            }
            (None, None) => self.outline.paragraph(&paragraph.words),
        }
    }
}
