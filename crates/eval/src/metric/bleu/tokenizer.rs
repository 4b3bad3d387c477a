//! How sacreBLEU cuts texts into words before BLEU counts them.

use unicode_categories::UnicodeCategories as _;

use super::super::text::is_blank;

/// A way to cut texts into words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tokenizer {
    /// Of `mteval-v13a`, the one that published figures use: for languages that write blanks.
    #[default]
    V13a,
    /// Of `mteval-v14` with Unicode's punctuation and symbols.
    International,
    /// Every letter is a word: for languages that write no blanks.
    Char,
    /// The text is cut already; words stand between blanks.
    None,
}

impl Tokenizer {
    /// Returns its name in signatures.
    pub fn name(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::International => "intl",
            Self::Char => "char",
            Self::None => "none",
        }
    }

    /// Returns `text` with a blank between its words (and perhaps more than one).
    pub(crate) fn cut(self, text: &str) -> String {
        let text = text.trim_end_matches(is_blank);
        match self {
            Self::None => text.to_owned(),
            Self::Char => text.chars().flat_map(|c| [c, ' ']).collect(),
            Self::V13a => v13a(text),
            Self::International => international(text),
        }
    }
}

fn v13a(text: &str) -> String {
    let mut text = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    if text.contains('&') {
        text = text
            .replace("&quot;", "\"")
            .replace("&amp;", "&")
            .replace("&lt;", "<")
            .replace("&gt;", ">");
    }
    let mut letters = vec![' '];
    for c in text.chars() {
        match c {
            '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/' => {
                letters.extend([' ', c, ' ']);
            }
            c => letters.push(c),
        }
    }
    letters.push(' ');
    let is_digit = |c: char| c.is_ascii_digit();
    let is_point = |c: char| c == '.' || c == ',';
    let letters = pairs(
        &letters,
        |c| !is_digit(c),
        is_point,
        |a, b| [a, ' ', b, ' '],
    );
    let letters = pairs(
        &letters,
        is_point,
        |c| !is_digit(c),
        |a, b| [' ', a, ' ', b],
    );
    let letters = pairs(&letters, is_digit, |c| c == '-', |a, b| [a, ' ', b, ' ']);
    letters.into_iter().collect()
}

fn international(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_number = |c: char| c.is_number();
    let is_point = |c: char| c.is_punctuation();
    let letters = pairs(
        &letters,
        |c| !is_number(c),
        is_point,
        |a, b| [a, ' ', b, ' '],
    );
    let letters = pairs(
        &letters,
        is_point,
        |c| !is_number(c),
        |a, b| [' ', a, ' ', b],
    );
    let mut out = String::with_capacity(letters.len());
    for c in letters {
        if c.is_symbol() {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out
}

/// Puts `write` for each two neighbours of which the first and the second are so. Pairs do not
/// overlap: the one that begins first counts.
fn pairs(
    letters: &[char],
    first: impl Fn(char) -> bool,
    second: impl Fn(char) -> bool,
    write: impl Fn(char, char) -> [char; 4],
) -> Vec<char> {
    let mut out = Vec::with_capacity(letters.len() + letters.len() / 4);
    let mut rest = letters;
    while let [a, tail @ ..] = rest {
        match tail {
            [b, after @ ..] if first(*a) && second(*b) => {
                out.extend(write(*a, *b));
                rest = after;
            }
            _ => {
                out.push(*a);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::text::words;

    fn check(tokenizer: Tokenizer, text: &str, expect: &str) {
        let cut = tokenizer.cut(text);
        let found: Vec<&str> = words(&cut).collect();
        assert_eq!(found.join(" "), expect, "{tokenizer:?} {text:?}");
    }

    #[test]
    fn texts_are_cut_as_sacrebleu_cuts_them() {
        check(
            Tokenizer::V13a,
            "It's $1,250.50, i.e. 7-9.",
            "It's $ 1,250.50 , i . e . 7 - 9 .",
        );
        check(
            Tokenizer::V13a,
            "a &lt;b&gt; &amp;quot; x-\ny...",
            "a < b > & quot ; xy . . .",
        );
        check(
            Tokenizer::International,
            "«3,5 €» – oui…",
            "«3,5 € » – oui …",
        );
        check(Tokenizer::Char, "ab c", "a b c");
        check(Tokenizer::None, "It's, so.", "It's, so.");
    }
}
