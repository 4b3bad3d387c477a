//! A document's headings while it is read, and the sections they make.

use contract::Section;

/// The longest heading kept, in bytes. Headings travel with every chunk below
/// them, so that a megabyte of "heading" would be copied thousands of times.
const HEADING_BYTES: usize = 240;

/// The most sections a document has; what follows is one last section without
/// headings. A handbook has hundreds.
const MOST_SECTIONS: usize = 1 << 18;

/// A heading found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The byte at which its section begins.
    pub(crate) at: usize,
    /// Its level, 1 for the outermost; 0 ends all headings before it.
    pub(crate) level: usize,
    /// Its words.
    pub(crate) title: String,
}

/// A text with headings, while it is put together.
#[derive(Default)]
pub(crate) struct Outline {
    /// The text so far.
    pub(crate) text: String,
    /// The headings so far, by position.
    pub(crate) marks: Vec<Mark>,
}

impl Outline {
    /// Begins a section: its heading becomes a line of the text, with a blank
    /// line before and after.
    pub(crate) fn heading(&mut self, level: usize, title: &str) {
        let title = one_line(title);
        if title.is_empty() {
            return;
        }
        self.blank_line();
        self.marks.push(Mark {
            at: self.text.len(),
            level,
            title: shorten(&title),
        });
        self.text.push_str(&title);
        self.text.push_str("\n\n");
    }

    /// Adds a paragraph, with a blank line before it; blank ones are left out.
    pub(crate) fn paragraph(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.blank_line();
            self.text.push_str(text);
            self.text.push('\n');
        }
    }

    /// Adds a line below the one before; blank ones are left out.
    pub(crate) fn line(&mut self, text: &str) {
        let text = text.trim_end();
        if !text.is_empty() {
            self.end_line();
            self.text.push_str(text);
            self.text.push('\n');
        }
    }

    /// Ends the current line, if one is begun.
    pub(crate) fn end_line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Leaves a blank line, unless there is one or nothing stands before it.
    pub(crate) fn blank_line(&mut self) {
        self.end_line();
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }
}

/// Returns the sections that `marks` (by rising position) make of `text`.
///
/// A mark of a level closes those of the same and of deeper levels. Where two
/// stand at the same byte, the later is the section's and the earlier only a
/// heading above it.
pub(crate) fn sections(text: &str, marks: &[Mark]) -> Vec<Section> {
    let mut sections = Vec::with_capacity(marks.len().min(MOST_SECTIONS) + 1);
    let mut above: Vec<&Mark> = Vec::new();
    let mut start = 0;
    let mut close = |start: usize, end: usize, above: &[&Mark]| {
        if start < end {
            sections.push(Section {
                headings: above
                    .iter()
                    .filter(|mark| !mark.title.is_empty())
                    .map(|mark| shorten(&mark.title))
                    .collect(),
                bytes: start..end,
            });
        }
    };
    for mark in marks.iter().take(MOST_SECTIONS) {
        close(start, mark.at, &above);
        start = mark.at;
        while above.last().is_some_and(|last| last.level >= mark.level) {
            above.pop();
        }
        above.push(mark);
    }
    if let Some(rest) = marks.get(MOST_SECTIONS) {
        close(start, rest.at, &above);
        start = rest.at;
        above.clear();
    }
    close(start, text.len(), &above);
    sections
}

/// Returns `text` with every run of white space as one space, trimmed.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Returns `title` cut to the length that headings may have.
pub(crate) fn shorten(title: &str) -> String {
    if title.len() <= HEADING_BYTES {
        return title.to_owned();
    }
    let end = title.floor_char_boundary(HEADING_BYTES);
    format!("{}…", title[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: usize, level: usize, title: &str) -> Mark {
        Mark {
            at,
            level,
            title: title.into(),
        }
    }

    fn check(text: &str, marks: &[Mark], expect: &[(&str, &str)]) {
        let sections = sections(text, marks);
        let found: Vec<_> = sections
            .iter()
            .map(|section| {
                (
                    section.headings.join("/"),
                    text[section.bytes.clone()].to_owned(),
                )
            })
            .collect();
        let found: Vec<_> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn sections_cover_the_text() {
        check("abc", &[], &[("", "abc")]);
        check("", &[], &[]);
        check(
            "abcd",
            &[mark(1, 1, "A"), mark(2, 2, "B"), mark(3, 1, "C")],
            &[("", "a"), ("A", "b"), ("A/B", "c"), ("C", "d")],
        );
        check(
            "ab",
            &[mark(0, 1, "A"), mark(0, 2, "B"), mark(2, 1, "C")],
            &[("A/B", "ab")],
        );
    }

    #[test]
    fn a_skipped_level_is_not_invented() {
        check(
            "abc",
            &[mark(0, 3, "deep"), mark(1, 2, "up"), mark(2, 0, "")],
            &[("deep", "a"), ("up", "b"), ("", "c")],
        );
    }

    #[test]
    fn an_endless_heading_is_cut() {
        let title = "é".repeat(1000);
        let sections = sections("a", &[mark(0, 1, &title)]);
        assert!(sections[0].headings[0].len() < HEADING_BYTES + 8);
    }
}
