//! PPTX: a section a slide, with its notes (ECMA-376 part 1, §19).

use crate::ReadError;
use crate::format::office;
use crate::format::package::Package;
use crate::format::xml::{self, Node};
use crate::outline::{Outline, one_line};
use crate::read::{Draft, Drafts, Source};

/// Reads a PPTX file.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let mut package = Package::open(&mut source, "PPTX")?;
    let path = "ppt/presentation.xml";
    let Some(presentation) = package.text(path)? else {
        return Err(package.damaged("it has no `ppt/presentation.xml`"));
    };
    let relations = office::relations(&mut package, path)?;
    let mut order = Vec::new();
    xml::walk(&presentation, |node| {
        if let Node::Start(tag) = node
            && tag.name() == "sldId"
        {
            // The slide's own number is `id`, the relation `r:id`; the relation's
            // is the one that the package knows.
            order.extend(
                tag.all("id")
                    .into_iter()
                    .find(|id| relations.contains_key(id)),
            );
        }
    })
    .map_err(|error| package.damaged(error))?;

    let mut outline = Outline::default();
    for (number, id) in order.iter().enumerate() {
        let (_, path) = &relations[id];
        let Some(text) = package.text(path)? else {
            source.skip_part(format!("slide {}", number + 1), "it is not in the file");
            continue;
        };
        let slide = shapes(&text).map_err(|error| package.damaged(error))?;
        let title = match &slide.title {
            Some(title) => title.clone(),
            None => format!("Slide {}", number + 1),
        };
        outline.heading(1, &title);
        for paragraph in &slide.paragraphs {
            outline.line(paragraph);
        }
        let notes = office::relations(&mut package, path)?
            .into_values()
            .find(|(kind, _)| kind == "notesSlide");
        if let Some((_, path)) = notes
            && let Some(text) = package.text(&path)?
        {
            let notes = shapes(&text).map_err(|error| package.damaged(error))?;
            if !notes.paragraphs.is_empty() {
                outline.paragraph(&format!("Notes: {}", notes.paragraphs.join("\n")));
            }
        }
    }
    let mut draft = Draft::default();
    office::note_properties(&mut package, &mut draft)?;
    if draft.title.is_none() || draft.title.as_deref() == Some("PowerPoint Presentation") {
        draft.title = outline.marks.first().map(|mark| mark.title.clone());
    }
    draft.text = outline.text;
    draft.marks = outline.marks;
    Ok(draft.into())
}

/// What stands on a slide.
#[derive(Default)]
struct Slide {
    title: Option<String>,
    paragraphs: Vec<String>,
}

/// Reads the shapes of a slide or of its notes.
fn shapes(text: &str) -> Result<Slide, quick_xml::Error> {
    let mut slide = Slide::default();
    // What kind of placeholder the shape is.
    let mut kind = String::new();
    let mut shape: Vec<String> = Vec::new();
    let mut words = String::new();
    let mut level = 0;
    let mut in_text = false;
    let mut row: Option<Vec<String>> = None;
    let mut hidden = 0usize;
    xml::walk(text, |node| match node {
        Node::Start(tag) => match tag.name() {
            "Fallback" => hidden += 1,
            "sp" | "graphicFrame" => {
                kind.clear();
                shape.clear();
            }
            "ph" => kind = tag.attribute("type").unwrap_or_else(|| "body".into()),
            "pPr" => {
                level = tag
                    .attribute("lvl")
                    .and_then(|l| l.parse().ok())
                    .unwrap_or(0);
            }
            "t" => in_text = hidden == 0,
            "br" => words.push('\n'),
            "tr" => row = Some(Vec::new()),
            _ => {}
        },
        Node::Text(text) => {
            if in_text {
                words.push_str(&text);
            }
        }
        Node::End(name) => match name {
            "Fallback" => hidden = hidden.saturating_sub(1),
            "t" => in_text = false,
            "p" => {
                let line = words.trim();
                if !line.is_empty() {
                    shape.push(format!("{}{line}", "  ".repeat(usize::min(level, 8))));
                }
                words.clear();
                level = 0;
            }
            "tc" => {
                if let Some(row) = &mut row {
                    row.push(one_line(&shape.join(" ")));
                    shape.clear();
                }
            }
            "tr" => {
                if let Some(row) = row.take() {
                    slide.paragraphs.push(row.join(" | "));
                }
            }
            "sp" => match kind.as_str() {
                "title" | "ctrTitle" => {
                    let title = one_line(&shape.join(" "));
                    shape.clear();
                    if slide.title.is_none() && !title.is_empty() {
                        slide.title = Some(title);
                    }
                }
                // The same on every slide.
                "sldNum" | "dt" | "ftr" | "hdr" | "sldImg" => shape.clear(),
                _ => slide.paragraphs.append(&mut shape),
            },
            _ => {}
        },
    })?;
    Ok(slide)
}
