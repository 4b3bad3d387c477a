//! Markdown: the file as written, cut at its headings.
//!
//! Only headings and fences are looked for, line by line, after CommonMark 0.31
//! §4.2, §4.3 and §4.5; a whole parser would tell no more about sections.

use serde_json::Value as Json;

use crate::ReadError;
use crate::format::{front_matter, plain};
use crate::outline::Mark;
use crate::read::{Drafts, Source};

/// Reads a Markdown file. Its front matter becomes metadata, title and
/// permissions; front matter that cannot be read is an error, because it may say
/// who may read the rest.
pub(crate) fn read(source: Source<'_>) -> Result<Drafts, ReadError> {
    let file = source.file.to_owned();
    let mut draft = plain::draft(source)?;
    let front = front_matter::read(&draft.text).map_err(|source| ReadError::Damaged {
        file: file.clone(),
        format: "Markdown",
        source: source.into(),
    })?;
    let mut begin = 0;
    if let Some(mut front) = front {
        begin = front.end;
        if let Some(Json::String(title)) = front.fields.get("title") {
            draft.title = Some(title.clone());
            front.fields.remove("title");
        }
        draft
            .fields
            .take(front.fields)
            .map_err(|bad| bad.into_error(&file))?;
    }
    draft.marks = headings(&draft.text, begin);
    if draft.title.is_none() {
        draft.title = title(&draft.marks);
    }
    Ok(draft.into())
}

/// Returns the first heading of the first level, else the first heading of all.
pub(crate) fn title(marks: &[Mark]) -> Option<String> {
    marks
        .iter()
        .find(|mark| mark.level == 1)
        .or(marks.first())
        .map(|mark| mark.title.clone())
}

/// The most bytes of a paragraph that an underline makes a heading.
const LONGEST_TITLE: usize = 240;

/// Returns the headings of the Markdown in `text` from byte `from` on.
pub(crate) fn headings(text: &str, from: usize) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut fence: Option<Fence> = None;
    // Where the paragraph begins that the line before belongs to: it becomes a
    // heading if a line of `=` or `-` follows.
    let mut paragraph: Option<usize> = None;
    let mut at = from;
    for line in text[from..].split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = line.trim_end();
        let indentation = content.len() - content.trim_start_matches(' ').len();
        let body = &content[indentation..];
        if let Some(open) = &fence {
            if open.closed_by(indentation, body) {
                fence = None;
            }
            continue;
        }
        if indentation > 3 {
            continue;
        }
        if let Some(open) = Fence::opened_by(body) {
            fence = Some(open);
            paragraph = None;
        } else if let Some((level, heading)) = hash_heading(body) {
            let title = plain_words(heading);
            if !title.is_empty() {
                marks.push(Mark {
                    at: start,
                    level,
                    title,
                });
            }
            paragraph = None;
        } else if let Some(level) = underline(body).filter(|_| paragraph.is_some()) {
            let begin = paragraph.take().unwrap_or(start);
            let paragraph = &text[begin..start];
            let title = plain_words(paragraph);
            // Below a long paragraph the line is meant as a rule.
            if !title.is_empty() && paragraph.len() <= LONGEST_TITLE {
                marks.push(Mark {
                    at: begin,
                    level,
                    title,
                });
            }
        } else if body.is_empty() || starts_block(body) {
            paragraph = None;
        } else if paragraph.is_none() {
            paragraph = Some(start);
        }
    }
    marks
}

/// An open code fence.
pub(crate) struct Fence {
    letter: u8,
    length: usize,
}

impl Fence {
    /// Returns the fence that a line (without its indentation) opens.
    pub(crate) fn opened_by(body: &str) -> Option<Self> {
        let letter = *body.as_bytes().first()?;
        if letter != b'`' && letter != b'~' {
            return None;
        }
        let length = body.bytes().take_while(|byte| *byte == letter).count();
        let info = &body[length..];
        (length >= 3 && (letter == b'~' || !info.contains('`'))).then_some(Self { letter, length })
    }

    /// Returns whether a line closes this fence.
    pub(crate) fn closed_by(&self, indentation: usize, body: &str) -> bool {
        indentation <= 3
            && body.len() >= self.length
            && body.bytes().all(|byte| byte == self.letter)
    }
}

/// Returns the level and the words of `## words ##`.
fn hash_heading(body: &str) -> Option<(usize, &str)> {
    let level = body.bytes().take_while(|byte| *byte == b'#').count();
    let rest = &body[level..];
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let rest = rest.trim();
    let without = rest.trim_end_matches('#');
    let closed = without.is_empty() || without.ends_with([' ', '\t']);
    Some((level, if closed { without.trim_end() } else { rest }))
}

/// Returns the level that a line of `=` or of `-` gives to the paragraph above it.
fn underline(body: &str) -> Option<usize> {
    let letter = *body.as_bytes().first()?;
    let level = match letter {
        b'=' => 1,
        b'-' => 2,
        _ => return None,
    };
    body.bytes().all(|byte| byte == letter).then_some(level)
}

/// Returns whether a line begins a list, a quotation, a table or HTML, which no
/// underline turns into a heading.
fn starts_block(body: &str) -> bool {
    let numbered = body
        .trim_start_matches(|letter: char| letter.is_ascii_digit())
        .starts_with([')', '.'])
        && body.starts_with(|letter: char| letter.is_ascii_digit());
    numbered
        || body.starts_with(['>', '|', '<', '#'])
        || ["- ", "* ", "+ "].iter().any(|mark| body.starts_with(mark))
        || matches!(body, "-" | "*" | "+")
}

/// Returns a heading as words: links as their text, without marks for code,
/// strong words, pictures and anchors.
pub(crate) fn plain_words(heading: &str) -> String {
    let mut words = String::with_capacity(heading.len());
    let mut rest = heading;
    if let Some(anchor) = rest.trim_end().strip_suffix('}')
        && let Some(begin) = anchor.rfind("{#")
    {
        rest = &rest[..begin];
    }
    while let Some(open) = rest.find('[') {
        let (before, bracket) = rest.split_at(open);
        let link = bracket
            .find("](")
            .and_then(|close| Some((close, close + bracket[close..].find(')')?)));
        let Some((close, end)) = link else {
            break;
        };
        words.push_str(before.strip_suffix('!').unwrap_or(before));
        words.push_str(&bracket[1..close]);
        rest = &bracket[end + 1..];
    }
    words.push_str(rest);
    crate::outline::one_line(&words.replace("**", "").replace('`', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_metadata_title_and_permissions() {
        let read = |text: &str| {
            crate::read_bytes(
                text.as_bytes(),
                "a.md",
                "a.md",
                &crate::ReadOptions::default(),
            )
        };
        let reading = read("---\ntitle: Pay\nyear: 2024\ngroups: hr\n---\n# Salaries\n").unwrap();
        let document = &reading.documents[0];
        assert_eq!(document.title.as_deref(), Some("Pay"));
        assert_eq!(document.metadata["year"], contract::Value::Number(2024.0));
        assert!(!document.permissions.allow(&contract::Reader::default()));
        assert!(document.permissions.allow(&contract::Reader::of(["hr"])));
        assert_eq!(document.sections[1].headings, ["Salaries"]);
        assert!(matches!(
            read("---\ngroups: 7\n---\ntext\n"),
            Err(ReadError::Permissions { .. })
        ));
        assert!(matches!(
            read("---\ngroups: [hr\n---\ntext\n"),
            Err(ReadError::Damaged { .. })
        ));
    }

    fn check(text: &str, expect: &[(usize, usize, &str)]) {
        let found = headings(text, 0);
        let found: Vec<_> = found
            .iter()
            .map(|mark| (mark.at, mark.level, mark.title.as_str()))
            .collect();
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn hashes_make_headings() {
        check("# One\ntext\n## Two ##\n", &[(0, 1, "One"), (11, 2, "Two")]);
        check(
            "   ### `code` and **strong**\r\n",
            &[(0, 3, "code and strong")],
        );
        check("# C#\n", &[(0, 1, "C#")]);
        check("# [Link](to) here {#anchor}\n", &[(0, 1, "Link here")]);
    }

    #[test]
    fn what_only_looks_like_a_heading_is_none() {
        for text in [
            "#hashtag\n",
            "    # code\n",
            "####### seven\n",
            "#\n",
            "- item\n---\n",
            "\n---\n",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn underlines_make_headings() {
        check(
            "One\n===\n\nTwo\nlines\n---\n",
            &[(0, 1, "One"), (9, 2, "Two lines")],
        );
        check("text\n\n---\n", &[]);
    }

    #[test]
    fn code_has_no_headings() {
        check("```sh\n# comment\n```\n# Real\n", &[(20, 1, "Real")]);
        check("~~~~\n# a\n~~~\n# b\n~~~~\n# c\n", &[(22, 1, "c")]);
        check("```\n# never closed\n", &[]);
        check("```inline``` text\n# Real\n", &[(18, 1, "Real")]);
    }
}
