//! Exact match, F1 and contained answers, as the official evaluation of `SQuAD` 2.0
//! (`evaluate-v2.0.py`, Rajpurkar et al. 2018) and ALCE (`eval.py`, Gao et al. 2023) compute
//! them: of short answers to questions.
//!
//! Both compare texts without case, ASCII punctuation, English articles and white space.
//! Of several right answers the best counts. To a question without answer the right answer
//! is nothing at all.

use std::borrow::Cow;

use super::text::{counted, f1, shared, words};

/// Returns `text` as answers are compared: lower case, without ASCII punctuation, without
/// `a`, `an` and `the`, one blank between words. In this order.
pub fn normalised(text: &str) -> String {
    let lower: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    let without = without_articles(&lower);
    let mut out = String::with_capacity(without.len());
    for word in words(&without) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Puts a blank for each `a`, `an` and `the` that stands between what is no letter.
fn without_articles(text: &str) -> Cow<'_, str> {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_letter) {
        let end = rest[start..]
            .find(|c| !is_letter(c))
            .map_or(rest.len(), |length| start + length);
        out.push_str(&rest[..start]);
        match &rest[start..end] {
            "a" | "an" | "the" => out.push(' '),
            word => out.push_str(word),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns the answers that count as right, as they are compared; the empty one alone
/// where there is none.
pub(crate) fn right_answers(answers: &[String]) -> Vec<String> {
    let mut right: Vec<String> = answers
        .iter()
        .map(|answer| normalised(answer))
        .filter(|answer| !answer.is_empty())
        .collect();
    if right.is_empty() {
        right.push(String::new());
    }
    right
}

/// Returns whether `answer` is one of `right`, as they are compared.
pub fn exact_match(answer: &str, right: &[String]) -> bool {
    let answer = normalised(answer);
    right_answers(right).contains(&answer)
}

/// Returns the largest share of words, by F1, that `answer` has in common with one of
/// `right`, 0 to 1. If either has no word, it is 1 where neither has, else 0.
pub fn token_f1(answer: &str, right: &[String]) -> f64 {
    let answer = normalised(answer);
    let mine = bag(&answer);
    right_answers(right)
        .iter()
        .map(|gold| bag_f1(&mine, &bag(gold)))
        .fold(0.0, f64::max)
}

type Bag<'a> = Vec<(&'a str, u32)>;

fn bag(normalised: &str) -> Bag<'_> {
    counted(words(normalised).collect())
}

fn bag_f1(mine: &Bag<'_>, gold: &Bag<'_>) -> f64 {
    let size = |bag: &Bag<'_>| f64::from(bag.iter().map(|(_, count)| count).sum::<u32>());
    if mine.is_empty() || gold.is_empty() {
        return f64::from(u8::from(mine.is_empty() && gold.is_empty()));
    }
    let common = f64::from(shared(mine, gold));
    f1(common / size(mine), common / size(gold))
}

/// Returns which share of `right` the answer contains, 0 to 1 (`compute_str_em` of ALCE,
/// where each of `right` stands for one short answer). Of none, nothing is contained: 0.
///
/// As in the reference a short answer that is only punctuation and articles is contained
/// in every text.
pub fn contained(answer: &str, right: &[String]) -> f64 {
    if right.is_empty() {
        return 0.0;
    }
    let answer = normalised(answer);
    let hits = right
        .iter()
        .filter(|gold| answer.contains(&normalised(gold)))
        .count();
    hits as f64 / right.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(normalised(text), expect, "{text:?}");
    }

    #[test]
    fn texts_are_compared_without_case_punctuation_and_articles() {
        check("The  \"Quick\", brown\tFox!", "quick brown fox");
        check("an a the", "");
        check("theatre a-b", "theatre ab");
        check("the\u{2014}end", "\u{2014}end");
        check("_a_ a_ a", "");
    }

    #[test]
    fn nothing_is_the_right_answer_where_there_is_none() {
        assert!(exact_match("", &[]));
        assert!(exact_match("the", &["...".into()]));
        assert!(!exact_match("30 days", &[]));
        assert_eq!(token_f1("", &[]), 1.0);
        assert_eq!(token_f1("x", &[]), 0.0);
        assert_eq!(contained("x", &[]), 0.0);
    }

    #[test]
    fn the_best_of_several_right_answers_counts() {
        let right = ["thirty days".to_owned(), "30 days".to_owned()];
        assert!(exact_match("The 30 days.", &right));
        assert_eq!(token_f1("within 30 days", &right), 0.8);
        assert_eq!(contained("It is within 30 days.", &right), 0.5);
    }

    #[test]
    fn a_word_counts_as_often_as_both_have_it() {
        assert_eq!(token_f1("x x y", &["x y y".into()]), 2.0 / 3.0);
    }
}
