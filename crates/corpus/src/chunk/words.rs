//! Counting words, and finding where a text may be cut.

use std::ops::Range;

use crate::format::Fence;

/// A run of letters counts as one word for every so many characters begun: links,
/// identifiers and data are long for a model even without a space.
const LONG_WORD: usize = 16;

/// Walks over the words of a text.
///
/// A word is a run without white space, of at most 16 characters; a character of a
/// script that writes without spaces (Chinese, Japanese) is a word of its own.
pub(crate) struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let bytes = self.text.as_bytes();
        let mut at = self.at;
        while at < bytes.len() {
            if bytes[at] < 0x80 {
                if !is_space(bytes[at]) {
                    break;
                }
                at += 1;
            } else {
                let letter = letter_at(self.text, at);
                if !letter.is_whitespace() {
                    break;
                }
                at += letter.len_utf8();
            }
        }
        let start = at;
        let mut letters = 0;
        while at < bytes.len() && letters < LONG_WORD {
            if bytes[at] < 0x80 {
                if is_space(bytes[at]) {
                    break;
                }
                at += 1;
            } else {
                let letter = letter_at(self.text, at);
                if letter.is_whitespace() || (stands_alone(letter) && letters > 0) {
                    break;
                }
                at += letter.len_utf8();
                if stands_alone(letter) {
                    break;
                }
            }
            letters += 1;
        }
        self.at = at;
        (start < at).then_some(start..at)
    }
}

/// Returns how many words `text` has.
pub(crate) fn count(text: &str) -> usize {
    Words::of(text).count()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn letter_at(text: &str, at: usize) -> char {
    text[at..].chars().next().expect("`at` is before the end")
}

/// Returns whether a character is a word of its own: Chinese and Japanese signs.
fn stands_alone(letter: char) -> bool {
    matches!(letter as u32, 0x2E80..=0x9FFF | 0xF900..=0xFAFF | 0xFF66..=0xFF9F | 0x20000..=0x3FFFF)
}

/// Returns the ends of the paragraphs of `text`; the last is the text's own. A
/// paragraph ends with the blank lines after it, and the first begins with those
/// before it. With `fences`, a fenced code block is part of one paragraph.
pub(crate) fn paragraph_ends(text: &str, fences: bool) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    let mut written = false;
    let mut blank = false;
    let mut fence: Option<Fence> = None;
    for line in text.split_inclusive('\n') {
        let body = line.trim();
        if let Some(open) = &fence {
            if open.closed_by(0, body) {
                fence = None;
            }
        } else if body.is_empty() {
            blank = true;
        } else {
            if blank && written {
                ends.push(at);
            }
            blank = false;
            written = true;
            if fences {
                fence = Fence::opened_by(body);
            }
        }
        at += line.len();
    }
    ends.push(text.len());
    ends
}

/// Returns the ends of the lines of `text`; blank lines belong to the line before
/// them, or to the first.
pub(crate) fn line_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    let mut written = false;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            if written {
                ends.push(at);
            }
            written = true;
        }
        at += line.len();
    }
    ends.push(text.len());
    ends
}

/// Returns the ends of the sentences of `text`, the white space after each
/// included; the last is the text's own. A blank line, and a line break before an
/// item of a list, a heading or a row of a table, end a sentence too.
pub(crate) fn sentence_ends(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut ends = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let (stop, next) = match byte {
            b'.' | b'!' | b'?' => (Stop::Latin, at + 1),
            b'\n' => (Stop::Line, at + 1),
            0..0x80 => {
                at += 1;
                continue;
            }
            _ => {
                let letter = letter_at(text, at);
                let next = at + letter.len_utf8();
                match letter {
                    '。' | '！' | '？' | '｡' => (Stop::Wide, next),
                    '…' => (Stop::Latin, next),
                    _ => {
                        at = next;
                        continue;
                    }
                }
            }
        };
        let closed = match stop {
            Stop::Line => at,
            _ => next + closers(&text[next..]),
        };
        let after = closed + space(&text[closed..]);
        let gap = &text[closed..after];
        let ends_here = match stop {
            Stop::Wide => true,
            Stop::Latin => {
                !gap.is_empty()
                    && (gap.matches('\n').count() > 1
                        || begins_block(&text[after..])
                        || !(text[after..].starts_with(char::is_lowercase)
                            || byte == b'.' && is_abbreviation(&text[start..at])))
            }
            Stop::Line => gap.matches('\n').count() > 1 || begins_block(&text[after..]),
        };
        if ends_here && after < bytes.len() && !text[start..closed].trim().is_empty() {
            ends.push(after);
            start = after;
        }
        at = after.max(next);
    }
    ends.push(text.len());
    ends
}

enum Stop {
    Latin,
    Wide,
    Line,
}

/// Returns the bytes of the quotation marks and brackets that `text` begins with.
fn closers(text: &str) -> usize {
    let rest = text.trim_start_matches([
        '.', '!', '?', '"', '\'', ')', ']', '”', '’', '»', '」', '』', '）', '*', '_',
    ]);
    text.len() - rest.len()
}

fn space(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// Returns whether a line begins an item of a list, a heading, a quotation or a
/// row of a table.
fn begins_block(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    ["- ", "* ", "+ ", "# ", "## ", "### ", "|", "> ", "• "]
        .iter()
        .any(|mark| line.starts_with(mark))
        || ((1..=3).contains(&digits)
            && [". ", ") "]
                .iter()
                .any(|mark| line[digits..].starts_with(mark)))
}

/// Returns whether the dot after `sentence` only shortens a word: an initial, a
/// list number, or one of the usual abbreviations.
fn is_abbreviation(sentence: &str) -> bool {
    const USUAL: [&str; 28] = [
        "e.g", "i.e", "etc", "mr", "mrs", "ms", "dr", "prof", "st", "vs", "fig", "figs", "eq",
        "sec", "vol", "pp", "al", "approx", "cf", "inc", "ltd", "jr", "sr", "u.s", "z.b", "bzw",
        "ca", "op",
    ];
    let tail = &sentence[sentence.ceil_char_boundary(sentence.len().saturating_sub(24))..];
    let word = tail
        .rsplit(|letter: char| letter.is_whitespace() || matches!(letter, '(' | '[' | '"'))
        .next()
        .unwrap_or("");
    let mut letters = word.chars();
    let initial = letters.next().is_some_and(char::is_uppercase) && letters.next().is_none();
    let list_number = !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_digit())
        && sentence.trim() == word;
    initial || list_number || USUAL.iter().any(|usual| word.eq_ignore_ascii_case(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces<'a>(text: &'a str, ends: &[usize]) -> Vec<&'a str> {
        let mut start = 0;
        ends.iter()
            .map(|end| {
                let piece = &text[start..*end];
                start = *end;
                piece
            })
            .collect()
    }

    #[test]
    fn words_are_counted_in_every_script() {
        for (text, expect) in [
            ("", 0),
            (" \n\u{3000}", 0),
            ("one two\nthree", 3),
            ("naïve café", 2),
            ("你好世界", 4),
            ("日本語 text", 4),
            ("abc你", 2),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 3),
        ] {
            assert_eq!(count(text), expect, "{text}");
        }
    }

    #[test]
    fn paragraphs_keep_the_blank_lines_after_them() {
        let text = "\n\none\ntwo\n\n\nthree\n";
        assert_eq!(
            pieces(text, &paragraph_ends(text, false)),
            ["\n\none\ntwo\n\n\n", "three\n"]
        );
        let text = "a\n```\nb\n\nc\n```\n\nd";
        assert_eq!(
            pieces(text, &paragraph_ends(text, true)),
            ["a\n```\nb\n\nc\n```\n\n", "d"]
        );
    }

    fn check(text: &str, expect: &[&str]) {
        assert_eq!(pieces(text, &sentence_ends(text)), expect);
    }

    #[test]
    fn sentences_end_where_a_reader_would_end_them() {
        check("One. Two! Three?", &["One. ", "Two! ", "Three?"]);
        check(
            "He said \"no.\" Then left.",
            &["He said \"no.\" ", "Then left."],
        );
        check(
            "See e.g. Section 3. Next.",
            &["See e.g. Section 3. ", "Next."],
        );
        check("J. Smith wrote it.", &["J. Smith wrote it."]);
        check("Version 1.2.3 is out. ok", &["Version 1.2.3 is out. ok"]);
        check("你好。世界！", &["你好。", "世界！"]);
        check("Title\n\nText here", &["Title\n\n", "Text here"]);
        check("List:\n- one\n- two", &["List:\n", "- one\n", "- two"]);
        check("1. First step. 2 more", &["1. First step. ", "2 more"]);
        check("", &[""]);
    }
}
