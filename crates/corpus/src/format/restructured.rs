//! reStructuredText: the file as written, cut at its section titles.
//!
//! A title is a line with a line of one punctuation mark below it, and perhaps
//! above it, at least as long (Docutils specification, *Sections*). Which mark
//! is which level is the order in which the file uses them.

use crate::ReadError;
use crate::format::{markdown, plain};
use crate::outline::{Mark, one_line};
use crate::read::{Drafts, Source};

/// Reads a reStructuredText file.
pub(crate) fn read(source: Source<'_>) -> Result<Drafts, ReadError> {
    let mut draft = plain::draft(source)?;
    draft.marks = titles(&draft.text);
    draft.title = markdown::title(&draft.marks);
    Ok(draft.into())
}

fn titles(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    // The marks of each level so far, and whether a line stands above the title.
    let mut styles: Vec<(char, bool)> = Vec::new();
    // The two lines before this one, with their starts.
    let mut before: [(usize, &str); 2] = [(0, ""); 2];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = line.trim_end();
        let [(above_start, above), (title_start, title)] = before;
        if let Some(mark) = adornment(content)
            && let Some(overlined) = is_title(above, title, content)
        {
            let style = (mark, overlined);
            let level = match styles.iter().position(|known| *known == style) {
                Some(known) => known + 1,
                None => {
                    styles.push(style);
                    styles.len()
                }
            };
            marks.push(Mark {
                at: if overlined { above_start } else { title_start },
                level,
                title: words(title),
            });
            before = [(start, ""); 2];
            continue;
        }
        before = [before[1], (start, content)];
    }
    marks
}

/// Returns the punctuation mark that a line repeats.
fn adornment(line: &str) -> Option<char> {
    let mark = line.chars().next().filter(char::is_ascii_punctuation)?;
    (line.len() >= 2 && line.chars().all(|letter| letter == mark)).then_some(mark)
}

/// Returns whether `title` between `above` and `below` is a title, and if so
/// whether it has a line above it.
fn is_title(above: &str, title: &str, below: &str) -> Option<bool> {
    if title.trim().is_empty() || adornment(title).is_some() {
        return None;
    }
    let wide_enough = below.chars().count() >= title.trim().chars().count().min(4);
    if above == below && wide_enough {
        return Some(true);
    }
    let flush = !title.starts_with([' ', '\t']);
    (above.trim().is_empty() && flush && below.chars().count() + 2 >= title.chars().count())
        .then_some(false)
}

/// Returns a title without the marks for code and roles (`` :ref:`x` ``).
fn words(title: &str) -> String {
    let mut words = String::new();
    for (number, part) in title.split('`').enumerate() {
        let role = (number % 2 == 0)
            .then(|| part.rfind(" :").map_or(0, |at| at + 1))
            .filter(|at| {
                part[*at..].starts_with(':') && part[*at..].len() > 2 && part.ends_with(':')
            });
        words.push_str(match role {
            Some(at) => &part[..at],
            None => part,
        });
    }
    one_line(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(usize, usize, &str)]) {
        let found = titles(text);
        let found: Vec<_> = found
            .iter()
            .map(|mark| (mark.at, mark.level, mark.title.as_str()))
            .collect();
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn levels_follow_the_order_of_their_marks() {
        check(
            "=====\nGuide\n=====\n\nOne\n---\n\ntext\n\nTwo\n---\n\nDeep\n~~~~\n",
            &[
                (0, 1, "Guide"),
                (19, 2, "One"),
                (34, 2, "Two"),
                (43, 3, "Deep"),
            ],
        );
    }

    #[test]
    fn tables_and_transitions_are_no_titles() {
        for text in [
            "text\n\n-----\n\ntext\n",
            "=== ===\na   b\n=== ===\n",
            "::\n\n  code\n  ----\n",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn titles_are_plain_words() {
        check(
            "The ``x`` and :class:`Y`\n========================\n",
            &[(0, 1, "The x and Y")],
        );
    }
}
