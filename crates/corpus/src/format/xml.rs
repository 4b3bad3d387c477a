//! Walking over XML without building a tree: neither depth nor size of a
//! stranger's file becomes depth of our stack.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::outline::one_line;

/// What stands in an XML text.
pub(crate) enum Node<'a> {
    /// An element begins; one that is empty ends right after.
    Start(Tag<'a>),
    /// An element of this local name ends.
    End(&'a str),
    /// Text between tags, entities resolved.
    Text(Cow<'a, str>),
}

/// The start of an element.
pub(crate) struct Tag<'a>(BytesStart<'a>);

impl Tag<'_> {
    /// Returns its name without the prefix.
    pub(crate) fn name(&self) -> &str {
        local(self.0.name().0)
    }

    /// Returns an attribute by its name without the prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.0
            .attributes()
            .with_checks(false)
            .flatten()
            .find(|attribute| local(attribute.key.0) == name)
            .map(
                |attribute| match quick_xml::escape::unescape(&attribute.value) {
                    Ok(value) => value.into_owned(),
                    Err(_) => attribute.value.into_owned(),
                },
            )
    }
}

impl Tag<'_> {
    /// Returns all attributes of a local name, whatever their prefix.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0
            .attributes()
            .with_checks(false)
            .flatten()
            .filter(|attribute| local(attribute.key.0) == name)
            .map(|attribute| attribute.value.into_owned())
            .collect()
    }

    /// Returns its attributes as `name: value; …`, those of namespaces left out.
    pub(crate) fn values(&self) -> String {
        let mut values = String::new();
        for attribute in self.0.attributes().with_checks(false).flatten() {
            let key = attribute.key.0;
            if key.starts_with("xmlns") || key.starts_with("xsi:") || attribute.value.is_empty() {
                continue;
            }
            if !values.is_empty() {
                values.push_str("; ");
            }
            let value = match quick_xml::escape::unescape(&attribute.value) {
                Ok(value) => one_line(&value),
                Err(_) => one_line(&attribute.value),
            };
            values.push_str(&format!("{}: {value}", local(key)));
        }
        values
    }
}

/// Returns a name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Calls `each` with every node of `text` in order. An unknown entity stays as it
/// is written. Fails where the text is not XML.
pub(crate) fn walk(text: &str, mut each: impl FnMut(Node<'_>)) -> Result<(), quick_xml::Error> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    loop {
        match reader.read_event()? {
            Event::Start(tag) => each(Node::Start(Tag(tag))),
            Event::Empty(tag) => {
                let name = local(tag.name().0).to_owned();
                each(Node::Start(Tag(tag)));
                each(Node::End(&name));
            }
            Event::End(tag) => each(Node::End(local(tag.name().0))),
            Event::Text(words) => each(Node::Text(words.into_inner())),
            Event::CData(words) => each(Node::Text(words.into_inner())),
            Event::GeneralRef(reference) => {
                let written = format!("&{};", &*reference);
                let words = quick_xml::escape::unescape(&written)
                    .map(Cow::into_owned)
                    .unwrap_or(written.clone());
                each(Node::Text(Cow::Owned(words)));
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_come_in_order() {
        let mut seen = String::new();
        let text =
            "<?xml version='1.0'?><a:b k='1&amp;2'>x &lt; y&#33;<c/><![CDATA[<z>]]>&odd;</a:b>";
        walk(text, |node| match node {
            Node::Start(tag) => {
                seen.push_str(&format!("+{}{:?}", tag.name(), tag.attribute("k")));
            }
            Node::End(name) => seen.push_str(&format!("-{name}")),
            Node::Text(words) => seen.push_str(&format!("'{words}'")),
        })
        .unwrap();
        assert_eq!(seen, "+bSome(\"1&2\")'x ''<'' y''!'+cNone-c'<z>''&odd;'-b");
    }
}
