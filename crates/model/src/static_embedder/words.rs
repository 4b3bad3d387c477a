//! A text into lower-case words and punctuation, as BERT's own tokenizer cuts it.
//!
//! Devlin et al. 2018, `BasicTokenizer` of the reference code, in the form in which the
//! `tokenizers` crate has it (`BertNormalizer` with `BertPreTokenizer`). Plain letters,
//! which most texts are made of, take a road without any table.

use unicode_categories::UnicodeCategories as _;
use unicode_normalization::UnicodeNormalization as _;

/// Gives each word of `text` to `each`, in order; `word` is memory to work in.
pub(crate) fn words(text: &str, word: &mut String, mut each: impl FnMut(&str)) {
    for stretch in text.split([' ', '\n', '\t', '\r']) {
        if stretch.is_ascii() {
            plain(stretch, word, &mut each);
        } else {
            other(stretch, word, &mut each);
        }
    }
}

fn plain(stretch: &str, word: &mut String, each: &mut impl FnMut(&str)) {
    word.clear();
    for byte in stretch.bytes() {
        if byte.is_ascii_punctuation() {
            end(word, each);
            word.push(char::from(byte));
            end(word, each);
        } else if !byte.is_ascii_control() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    end(word, each);
}

fn other(stretch: &str, word: &mut String, each: &mut impl FnMut(&str)) {
    let clean = stretch
        .chars()
        .filter(|c| *c != '\u{fffd}' && !c.is_other())
        .flat_map(|c| {
            let around = is_ideograph(c).then_some(' ');
            around.into_iter().chain([c]).chain(around)
        })
        .nfd()
        .filter(|c| !c.is_mark_nonspacing())
        .flat_map(char::to_lowercase);
    word.clear();
    for c in clean {
        if c.is_whitespace() {
            end(word, each);
        } else if c.is_ascii_punctuation() || c.is_punctuation() {
            end(word, each);
            word.push(c);
            end(word, each);
        } else {
            word.push(c);
        }
    }
    end(word, each);
}

fn end(word: &mut String, each: &mut impl FnMut(&str)) {
    if !word.is_empty() {
        each(word);
        word.clear();
    }
}

/// Returns whether `c` is of the blocks whose characters are words by themselves.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let mut found = Vec::new();
        words(text, &mut String::new(), |word| found.push(word.to_owned()));
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn words_and_punctuation_stand_apart() {
        check("Don't, stop!\n", &["don", "'", "t", ",", "stop", "!"]);
        check("", &[]);
        check("a\u{7}b \u{b}c", &["ab", "c"]);
    }

    #[test]
    fn accents_are_taken_off_and_ideographs_stand_alone() {
        check("Café—ÉTÉ", &["cafe", "—", "ete"]);
        check("東京x", &["東", "京", "x"]);
        check("a\u{a0}b\u{200b}c", &["a", "bc"]);
    }
}
