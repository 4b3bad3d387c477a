//! EPUB: the chapters in reading order (EPUB 3.3, §5 and §4.2.6.3).

use std::collections::HashMap;

use crate::ReadError;
use crate::format::html;
use crate::format::package::{Package, resolve};
use crate::format::xml::{self, Node};
use crate::outline::Outline;
use crate::read::{Draft, Drafts, Source};

/// Reads an EPUB file.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let mut package = Package::open(&mut source, "EPUB")?;
    let container = package.text("META-INF/container.xml")?.unwrap_or_default();
    let mut root = None;
    xml::walk(&container, |node| {
        if let Node::Start(tag) = node
            && tag.name() == "rootfile"
            && root.is_none()
        {
            root = tag.attribute("full-path");
        }
    })
    .map_err(|error| package.damaged(error))?;
    let Some(root) = root else {
        return Err(package.damaged("its `META-INF/container.xml` names no content"));
    };
    let Some(text) = package.text(&root)? else {
        return Err(package.damaged("the content that its container names is not there"));
    };
    let mut draft = Draft::default();
    let mut items: HashMap<String, String> = HashMap::new();
    let mut spine: Vec<String> = Vec::new();
    let mut words = String::new();
    xml::walk(&text, |node| match node {
        Node::Start(tag) => {
            words.clear();
            match tag.name() {
                "item" => {
                    if let (Some(id), Some(path)) = (tag.attribute("id"), tag.attribute("href")) {
                        items.insert(id, resolve(&root, &without_escapes(&path)));
                    }
                }
                "itemref" => spine.extend(tag.attribute("idref")),
                _ => {}
            }
        }
        Node::Text(text) => words.push_str(&text),
        Node::End(name) => match name {
            "title" if draft.title.is_none() => draft.title = Some(words.trim().to_owned()),
            "creator" => draft.note("author", &words),
            "date" => draft.note("date", &words),
            "language" => draft.note("language", &words),
            "publisher" => draft.note("publisher", &words),
            _ => {}
        },
    })
    .map_err(|error| package.damaged(error))?;

    let locked = locked_files(&mut package)?;
    let mut outline = Outline::default();
    for path in spine.iter().filter_map(|id| items.get(id)) {
        if locked.contains(path) {
            return Err(ReadError::Encrypted {
                file: source.file.to_owned(),
            });
        }
        let Some(chapter) = package.text(path)? else {
            source.skip_part(format!("the chapter `{path}`"), "it is not in the file");
            continue;
        };
        outline.blank_line();
        let marks = outline.marks.len();
        let at = outline.text.len();
        let title = html::push_fragment(&chapter, &mut outline, 0);
        // A chapter without headings has its page's title as its heading.
        if outline.marks.len() == marks && outline.text.len() > at {
            outline.marks.push(crate::outline::Mark {
                at,
                level: 1,
                title: title.unwrap_or_default(),
            });
        }
    }
    draft.text = outline.text;
    draft.marks = outline.marks;
    Ok(draft.into())
}

/// Returns the files that are encrypted (fonts often are, chapters by a seller).
fn locked_files(package: &mut Package) -> Result<Vec<String>, ReadError> {
    let Some(text) = package.text("META-INF/encryption.xml")? else {
        return Ok(Vec::new());
    };
    let mut locked = Vec::new();
    xml::walk(&text, |node| {
        if let Node::Start(tag) = node
            && tag.name() == "CipherReference"
        {
            locked.extend(tag.attribute("URI").map(|path| without_escapes(&path)));
        }
    })
    .map_err(|error| package.damaged(error))?;
    Ok(locked)
}

/// Returns a path with its `%20` as characters, and without a `#fragment`.
fn without_escapes(path: &str) -> String {
    let path = path.split('#').next().unwrap_or("");
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
