//! Whether what an answer says stands in its evidence, and whether it cites the right piece:
//! by the arithmetic of ALCE (`compute_autoais` in `eval.py`, Gao et al. 2023, §3).
//!
//! Whether evidence says a sentence is asked of the caller, who knows words and languages, or
//! a model. This room counts.

use serde::{Deserialize, Serialize};

/// The most numbers of one sentence that are looked at (`--at_most_citations` of ALCE).
const MOST_CITATIONS: usize = 3;

/// How far an answer's evidence says what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grounding {
    /// Sentences.
    pub sentences: u32,
    /// Sentences that some of the evidence says, cited or not.
    pub supported: u32,
    /// Sentences that what they cite says, taken together.
    pub cited_rightly: u32,
    /// Numbers that cite.
    pub citations: u32,
    /// Of these, those that are needed: that say the sentence alone, or without which the
    /// others do not.
    pub citations_needed: u32,
}

/// Judges an answer by the evidence that it was given, in the order of its numbers. `says` is
/// asked whether pieces of evidence, taken together, say a sentence.
pub fn ground(
    answer: &str,
    evidence: &[&str],
    says: &mut dyn FnMut(&str, &[&str]) -> bool,
) -> Grounding {
    let mut found = Grounding::default();
    for sentence in cited_sentences(answer) {
        found.sentences += 1;
        found.supported += u32::from(says(&sentence.text, evidence));
        let cited: Vec<&str> = sentence
            .citations
            .iter()
            .take(MOST_CITATIONS)
            .filter_map(|number| evidence.get(number.checked_sub(1)?).copied())
            .collect();
        // A number of no evidence spoils the sentence, as in the reference.
        let known = cited.len() == sentence.citations.len().min(MOST_CITATIONS);
        found.citations += sentence.citations.len().min(MOST_CITATIONS) as u32;
        if cited.is_empty() || !known || !says(&sentence.text, &cited) {
            continue;
        }
        found.cited_rightly += 1;
        if cited.len() == 1 {
            found.citations_needed += 1;
            continue;
        }
        for skipped in 0..cited.len() {
            let alone = says(&sentence.text, &cited[skipped..=skipped]);
            let others: Vec<&str> = cited
                .iter()
                .enumerate()
                .filter(|(place, _)| *place != skipped)
                .map(|(_, text)| *text)
                .collect();
            if alone || !says(&sentence.text, &others) {
                found.citations_needed += 1;
            }
        }
    }
    found
}

/// A sentence of an answer, and the numbers behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CitedSentence {
    /// The sentence without numbers.
    pub text: String,
    /// What it cites, in order, each once; from 1.
    pub citations: Vec<usize>,
}

/// Parts an answer into sentences. A sentence ends at `.`, `!` or `?` before a blank and what
/// is no small letter, at their East Asian forms, and at a line's end; numbers in brackets
/// behind it are its own.
pub fn cited_sentences(answer: &str) -> Vec<CitedSentence> {
    let mut found = Vec::new();
    let mut open = CitedSentence::default();
    let mut letters = answer.char_indices().peekable();
    // Whether the sentence is over, unless brackets follow.
    let mut over = false;
    while let Some((at, c)) = letters.next() {
        if c == '['
            && let Some((numbers, length)) = citation(&answer[at..])
        {
            for number in numbers {
                if !open.citations.contains(&number) {
                    open.citations.push(number);
                }
            }
            while letters.peek().is_some_and(|(next, _)| *next < at + length) {
                letters.next();
            }
            continue;
        }
        if c == '\n' || (over && !c.is_whitespace()) {
            finish(&mut open, &mut found);
            over = false;
        }
        open.text.push(c);
        over = match c {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' => {
                // Up to a blank, past numbers; a small letter behind it goes on.
                let rest = &answer[at + c.len_utf8()..];
                let rest = past_citations(rest);
                let goes_on = rest.trim_start().starts_with(char::is_lowercase);
                (rest.is_empty() || rest.starts_with(char::is_whitespace)) && !goes_on
            }
            c if c.is_whitespace() => over,
            _ => false,
        };
    }
    finish(&mut open, &mut found);
    found
}

fn finish(open: &mut CitedSentence, found: &mut Vec<CitedSentence>) {
    let sentence = std::mem::take(open);
    let text = sentence.text.trim();
    if text.chars().any(char::is_alphanumeric) {
        found.push(CitedSentence {
            text: text.to_owned(),
            citations: sentence.citations,
        });
    } else if let Some(last) = found.last_mut() {
        // Numbers alone belong to the sentence before.
        for number in sentence.citations {
            if !last.citations.contains(&number) {
                last.citations.push(number);
            }
        }
    }
}

fn past_citations(mut text: &str) -> &str {
    while let Some((_, length)) = citation(text.trim_start_matches(' ')) {
        text = &text.trim_start_matches(' ')[length..];
    }
    text
}

/// Returns the numbers of `[1]` or `[1, 2]` at the beginning of `text`, and its length.
fn citation(text: &str) -> Option<(Vec<usize>, usize)> {
    let (inside, _) = text.strip_prefix('[')?.split_once(']')?;
    if inside.len() > 40 {
        return None;
    }
    let numbers = inside
        .split([',', ';', ' '])
        .filter(|number| !number.is_empty());
    let numbers: Vec<usize> = numbers.map(|it| it.parse().ok()).collect::<Option<_>>()?;
    (!numbers.is_empty()).then_some((numbers, inside.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, expect: &[(&str, &[usize])]) {
        let found = cited_sentences(answer);
        let found: Vec<(&str, &[usize])> = found
            .iter()
            .map(|it| (it.text.as_str(), it.citations.as_slice()))
            .collect();
        assert_eq!(found, expect, "{answer:?}");
    }

    #[test]
    fn an_answer_is_parted_into_sentences_with_their_numbers() {
        check(
            "Within 30.5 days [1]. Postage is free [2][1, 3]! And?",
            &[
                ("Within 30.5 days .", &[1]),
                ("Postage is free !", &[2, 1, 3]),
                ("And?", &[]),
            ],
        );
        check(
            "One. [1] Two [x] i.e. more. [2]\n- three",
            &[
                ("One.", &[1]),
                ("Two [x] i.e. more.", &[2]),
                ("- three", &[]),
            ],
        );
        check("日本語。はい。[1]", &[("日本語。", &[]), ("はい。", &[1])]);
        check("[1] \n", &[]);
    }

    /// Evidence says a sentence if together it has all its letters.
    fn letters(sentence: &str, evidence: &[&str]) -> bool {
        let all = evidence.concat();
        sentence
            .chars()
            .filter(|c| c.is_alphabetic())
            .all(|c| all.contains(c))
    }

    fn check_ground(answer: &str, expect: [u32; 5]) {
        let found = ground(answer, &["ab", "bc", "xyz"], &mut letters);
        let found = [
            found.sentences,
            found.supported,
            found.cited_rightly,
            found.citations,
            found.citations_needed,
        ];
        assert_eq!(found, expect, "{answer:?}");
    }

    #[test]
    fn a_citation_counts_if_it_is_needed() {
        check_ground("ab [1].", [1, 1, 1, 1, 1]);
        check_ground("abc [1][2].", [1, 1, 1, 2, 2]);
        check_ground("b [1][3].", [1, 1, 1, 2, 1]);
        check_ground("b [1][2].", [1, 1, 1, 2, 2]);
        check_ground("abc [1].", [1, 1, 0, 1, 0]);
        check_ground("ab [1][9].", [1, 1, 0, 2, 0]);
        check_ground("ab. Q.", [2, 1, 0, 0, 0]);
        check_ground("", [0, 0, 0, 0, 0]);
    }
}
