//! What DOCX, PPTX and XLSX share: properties and relations (ECMA-376 part 2).

use std::collections::HashMap;

use crate::ReadError;
use crate::format::package::{Package, resolve};
use crate::format::xml::{self, Node};
use crate::read::Draft;

/// Takes title, author and dates from the package's core properties.
pub(crate) fn note_properties(package: &mut Package, draft: &mut Draft) -> Result<(), ReadError> {
    let Some(text) = package.text("docProps/core.xml")? else {
        return Ok(());
    };
    let mut words = String::new();
    let walked = xml::walk(&text, |node| match node {
        Node::Start(_) => words.clear(),
        Node::Text(text) => words.push_str(&text),
        Node::End(name) => {
            let value = words.trim();
            match name {
                "title" if !value.is_empty() => draft.title = Some(value.to_owned()),
                "creator" => draft.note("author", value),
                "created" => draft.note("created", value),
                "subject" => draft.note("subject", value),
                "keywords" => draft.note("keywords", value),
                _ => {}
            }
            words.clear();
        }
    });
    walked.map_err(|error| package.damaged(error))
}

/// Returns the relations of the file `path`: id to (type, path of the target).
/// Targets outside the package are left out.
pub(crate) fn relations(
    package: &mut Package,
    path: &str,
) -> Result<HashMap<String, (String, String)>, ReadError> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let separator = if folder.is_empty() { "" } else { "/" };
    let mut relations = HashMap::new();
    let Some(text) = package.text(&format!("{folder}{separator}_rels/{name}.rels"))? else {
        return Ok(relations);
    };
    let walked = xml::walk(&text, |node| {
        if let Node::Start(tag) = node
            && tag.name() == "Relationship"
            && tag.attribute("TargetMode").as_deref() != Some("External")
            && let (Some(id), Some(target)) = (tag.attribute("Id"), tag.attribute("Target"))
        {
            let kind = tag.attribute("Type").unwrap_or_default();
            let kind = kind.rsplit('/').next().unwrap_or("").to_owned();
            relations.insert(id, (kind, resolve(path, &target)));
        }
    });
    walked.map_err(|error| package.damaged(error))?;
    Ok(relations)
}
