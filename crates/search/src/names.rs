//! The names in a sentence, told by their capital letters: what a model that makes something
//! up gets wrong most, and what no other words can stand for.

use std::collections::HashSet;

use crate::keyword::Language;

/// A sentence of more words than this that are all capitals is a headline.
const LONGEST_NAME: usize = 4;

/// Returns whether capital letters tell names in the language of `text`. In German they
/// tell every noun.
pub(crate) fn are_told(text: &str) -> bool {
    Language::detect(text) != Some(Language::German)
}

/// Returns the words of `text` as names are compared: in lower case, without what makes
/// them plural or possessive.
pub(crate) fn words(text: &str) -> HashSet<String> {
    split(text).map(|(word, _)| plain(word)).collect()
}

/// Returns the names in `sentence`: its words with a capital letter, but the first, which
/// has one in any case. Of a headline there are none.
pub(crate) fn names(sentence: &str) -> HashSet<String> {
    let is_name = |word: &str| {
        word.chars().next().is_some_and(char::is_uppercase) && word.chars().nth(1).is_some()
    };
    let inside = || split(sentence).filter(|(_, begins)| !begins);
    let (all, capital) = inside().fold((0, 0), |(all, capital), (word, _)| {
        (all + 1, capital + usize::from(is_name(word)))
    });
    if all > LONGEST_NAME && all == capital {
        return HashSet::new();
    }
    inside()
        .filter(|(word, _)| is_name(word))
        .map(|(word, _)| plain(word))
        // `I'm`, without what follows the apostrophe.
        .filter(|name| name.chars().nth(1).is_some())
        .collect()
}

/// Gives each word of letters, and whether a sentence, a quotation or a bracket begins
/// with it.
fn split(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '\'' || c == '’';
    let mut begins = true;
    text.split_inclusive(move |c| !is_part(c))
        .filter_map(move |piece| {
            let word = piece.trim_end_matches(|c| !is_part(c));
            let word = word.trim_matches(['\'', '’']);
            let found = (!word.is_empty()).then_some((word, begins));
            let last = piece.chars().next_back().filter(|c| !is_part(*c));
            if found.is_some() {
                begins = false;
            }
            begins |= last.is_some_and(|c| ".!?:;\"“„«([\n".contains(c));
            found
        })
}

fn plain(word: &str) -> String {
    let word = word.split(['\'', '’']).next().unwrap_or(word);
    let lower = word.to_lowercase();
    match lower.strip_suffix('s') {
        Some(stem) if stem.len() > 2 => stem.to_owned(),
        _ => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sentence: &str, expect: &[&str]) {
        let mut found: Vec<String> = names(sentence).into_iter().collect();
        found.sort();
        assert_eq!(found, expect, "{sentence}");
    }

    #[test]
    fn a_name_has_a_capital_inside_a_sentence() {
        check("The Normans came from Denmark.", &["denmark", "norman"]);
        check("Denmark's king", &[]);
        check("it is Denmark’s, and I'm sure I was", &["denmark"]);
        check(
            "Sold in St. Gallen: Ask Wrenfield-West",
            &["st", "west", "wrenfield"],
        );
        check("(See the \"Return\" page.) Anything else", &[]);
        check("Returns In The United States Of America", &[]);
        check("", &[]);
    }

    #[test]
    fn names_are_compared_without_what_grammar_adds() {
        let words = words("the NORMANS’ dukes; St. Gallen");
        for name in ["norman", "duke", "st", "gallen"] {
            assert!(words.contains(name), "{name}: {words:?}");
        }
    }

    #[test]
    fn german_nouns_are_no_names() {
        assert!(!are_told(
            "Die Ware kann innerhalb von dreißig Tagen nach der Lieferung zurückgegeben werden."
        ));
        assert!(are_told("The goods may be returned within thirty days."));
    }
}
