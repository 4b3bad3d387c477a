//! XML: the entries of a feed (RSS, RDF, Atom) as documents, anything else as
//! lines `element: text`.

use contract::Value;

use crate::encoding::decode_markup;
use crate::format::html;
use crate::format::xml::{self, Node};
use crate::outline::{Outline, one_line, shorten};
use crate::read::{Draft, Drafts, Source};
use crate::{ReadError, Warning};

/// Reads an XML file.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let decoded = decode_markup(std::mem::take(&mut source.bytes), source.file)?;
    let mut drafts = if is_feed(&decoded.text) {
        entries(&decoded.text)
    } else {
        lines(&decoded.text).map(Drafts::from)
    }
    .map_err(|error| source.damaged("XML", error))?;
    if let Some(encoding) = decoded.encoding {
        for document in &mut drafts.documents {
            document.note("encoding", encoding);
        }
    }
    if drafts.documents.is_empty() {
        source.warnings.push(Warning::PartSkipped {
            file: source.file.to_owned(),
            part: "the feed".into(),
            reason: "it has no entries".into(),
        });
    }
    Ok(drafts)
}

/// Returns whether the first element is a feed's.
fn is_feed(text: &str) -> bool {
    let start = &text[..text.floor_char_boundary(4096)];
    ["<rss", "<feed", "<rdf:RDF"].iter().any(|tag| {
        start
            .find(tag)
            .is_some_and(|at| !start[at + tag.len()..].starts_with(char::is_alphanumeric))
    })
}

/// One entry, while it is read.
#[derive(Default)]
struct Entry {
    title: String,
    summary: String,
    content: String,
    link: String,
    date: String,
    author: String,
    categories: Vec<String>,
}

fn entries(text: &str) -> Result<Drafts, quick_xml::Error> {
    let mut drafts = Drafts::default();
    let mut entry: Option<Entry> = None;
    // The entry's field that is open, how many elements are open in it, its text.
    let mut field: Option<(String, usize, String)> = None;
    xml::walk(text, |node| match node {
        Node::Start(tag) => {
            let name = tag.name().to_owned();
            match (&mut entry, &mut field) {
                (_, Some((_, depth, words))) => {
                    *depth += 1;
                    words.push(' ');
                }
                (Some(entry), None) => {
                    if name == "link" && entry.link.is_empty() {
                        entry.link = tag.attribute("href").unwrap_or_default();
                    }
                    if name == "category" {
                        entry.categories.extend(tag.attribute("term"));
                    }
                    field = Some((name, 0, String::new()));
                }
                (None, None) if name == "item" || name == "entry" => {
                    entry = Some(Entry::default());
                }
                _ => {}
            }
        }
        Node::Text(words) => {
            if let Some((_, _, text)) = &mut field {
                text.push_str(&words);
            }
        }
        Node::End(name) => match &mut field {
            Some((_, depth, _)) if *depth > 0 => *depth -= 1,
            Some(_) => {
                if let (Some(entry), Some((name, _, words))) = (&mut entry, field.take()) {
                    entry.set(&name, words);
                }
            }
            None if name == "item" || name == "entry" => {
                if let Some(entry) = entry.take() {
                    let number = drafts.documents.len();
                    drafts.documents.push(entry.draft(number));
                }
            }
            None => {}
        },
    })?;
    Ok(drafts)
}

impl Entry {
    fn set(&mut self, name: &str, words: String) {
        let place = match name {
            "title" => &mut self.title,
            "description" | "summary" | "subtitle" => &mut self.summary,
            "encoded" | "content" => &mut self.content,
            "link" => &mut self.link,
            "pubDate" | "published" | "updated" | "date" => &mut self.date,
            "author" | "creator" => &mut self.author,
            "category" => {
                let words = one_line(&words);
                if !words.is_empty() {
                    self.categories.push(words);
                }
                return;
            }
            _ => return,
        };
        if place.trim().is_empty() {
            *place = words;
        }
    }

    fn draft(self, number: usize) -> Draft {
        let title = html::words(&self.title);
        let mut outline = Outline::default();
        outline.heading(1, &title);
        let body = if self.content.trim().is_empty() {
            &self.summary
        } else {
            &self.content
        };
        html::push_fragment(body, &mut outline, 1);
        let mut draft = Draft {
            record: Some(format!("doc_{number}")),
            title: Some(title),
            text: outline.text,
            marks: outline.marks,
            ..Draft::default()
        };
        draft.note("link", &self.link);
        draft.note("date", &self.date);
        draft.note("author", &one_line(&self.author));
        if !self.categories.is_empty() {
            draft.fields.metadata.insert(
                "category".into(),
                Value::List(self.categories.into_iter().map(Value::Text).collect()),
            );
        }
        draft
    }
}

/// Returns any XML as lines: an element's text after its name, its attributes as
/// `attribute: value`.
fn lines(text: &str) -> Result<Draft, quick_xml::Error> {
    let mut written = String::with_capacity(text.len() / 2);
    let mut open: Vec<String> = Vec::new();
    let mut words = String::new();
    fn flush(written: &mut String, name: Option<&String>, words: &mut String) {
        let line = one_line(words);
        words.clear();
        if line.is_empty() {
            return;
        }
        if let Some(name) = name {
            written.push_str(name);
            written.push_str(": ");
        }
        written.push_str(&line);
        written.push('\n');
    }
    xml::walk(text, |node| match node {
        Node::Start(tag) => {
            flush(&mut written, open.last(), &mut words);
            let name = shorten(tag.name());
            let values = tag.values();
            if !values.is_empty() {
                written.push_str(&format!("{name}: {values}\n"));
            }
            open.push(name);
        }
        Node::Text(text) => words.push_str(&text),
        Node::End(_) => {
            flush(&mut written, open.last(), &mut words);
            open.pop();
        }
    })?;
    flush(&mut written, open.last(), &mut words);
    Ok(Draft {
        text: written,
        ..Draft::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::{ReadOptions, Reading, read_bytes};

    fn read(text: &str) -> Reading {
        read_bytes(text.as_bytes(), "a.xml", "a.xml", &ReadOptions::default()).unwrap()
    }

    #[test]
    fn entries_of_feeds_are_documents() {
        let rss = read(
            "<?xml version='1.0'?><rss><channel><title>Blog</title><item><title>One &amp; only</title>\
             <link>https://a.example/1</link><category>x</category>\
             <description>&lt;p&gt;Hello &lt;b&gt;you&lt;/b&gt;.&lt;/p&gt;</description></item></channel></rss>",
        );
        let document = &rss.documents[0];
        assert_eq!(document.id.as_str(), "a.xml#doc_0");
        assert_eq!(document.title.as_deref(), Some("One & only"));
        assert_eq!(document.text, "One & only\n\nHello you.\n");
        assert_eq!(document.metadata["link"].to_string(), "https://a.example/1");
        let atom = read(
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>T</title><link href='l'/>\
             <content type='xhtml'><div><p>Body</p></div></content></entry></feed>",
        );
        assert_eq!(atom.documents[0].text, "T\n\nBody\n");
    }

    #[test]
    fn other_xml_is_lines() {
        let reading = read("<a><b k='v'>one <i>two</i> three</b><c/></a>");
        assert_eq!(
            reading.documents[0].text,
            "b: k: v\nb: one\ni: two\nb: three\n"
        );
    }
}
