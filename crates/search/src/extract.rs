//! The extractive answer: the sentences of the evidence that say it.
//!
//! It invents nothing, so it needs no model and can always be cited; it can also
//! only repeat what a document says in one place. A sentence is chosen for the
//! question's words that it has itself, and to a lesser part for those of what it
//! stands under: its headings, the question it answers, the sentence before.

use std::ops::Range;

use contract::Evidence;

use crate::keyword::{KeywordIndex, KeywordQuery};

/// How much a word counts that is not in the sentence but in what it stands under.
const UNDER_HEADING: f32 = 0.6;
const UNDER_QUESTION: f32 = 0.9;
const AFTER_SENTENCE: f32 = 0.3;
/// A further sentence must add this share of the question's words to be worth reading …
const WORTH_ADDING: f32 = 0.15;
/// … and have this share itself: one word of many may stand anywhere.
const LEAST_SHARE: f32 = 0.4;
/// How much less a line of code says than a sentence with the same words.
const CODE: f32 = 0.7;
/// An answer has at most this many sentences.
const MOST_SENTENCES: usize = 3;

/// An answer put together from sentences of the evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extract {
    /// The sentences with the numbers of their evidence: `… [1] … [2]`.
    pub text: String,
    /// The evidence it uses, in the order of its numbers: indices of what was given.
    pub used: Vec<usize>,
}

/// Puts an answer to `query` together from `evidence`, best evidence first.
///
/// Empty if the evidence has no sentence with a word of the question.
pub fn extract(keyword: &KeywordIndex, query: &KeywordQuery, evidence: &[Evidence]) -> Extract {
    let weights = keyword.word_weights(query);
    let all: f32 = weights.iter().sum();
    if all <= 0.0 {
        return Extract::default();
    }
    let mut sentences = Vec::new();
    for (index, found) in evidence.iter().enumerate() {
        judge(keyword, query, &weights, index, found, &mut sentences);
    }

    let mut chosen: Vec<Judged<'_>> = Vec::new();
    let mut covered = vec![0.0_f32; weights.len()];
    while chosen.len() < MOST_SENTENCES {
        let gain = |sentence: &Judged<'_>| -> f32 {
            let added = sentence
                .words
                .iter()
                .zip(&covered)
                .map(|(word, so_far)| (word - so_far).max(0.0));
            added.sum::<f32>() / all * sentence.quality
        };
        let bears = |at: &usize| {
            chosen.is_empty() || sentences[*at].words.iter().sum::<f32>() >= LEAST_SHARE * all
        };
        let best = (0..sentences.len())
            .filter(bears)
            .map(|at| (at, gain(&sentences[at])))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        let Some((at, gained)) = best else { break };
        if gained <= if chosen.is_empty() { 0.0 } else { WORTH_ADDING } {
            break;
        }
        let sentence = sentences.remove(at);
        for (so_far, word) in covered.iter_mut().zip(&sentence.words) {
            *so_far = so_far.max(*word);
        }
        chosen.push(sentence);
    }
    write_out(chosen)
}

/// A sentence, or a line of code.
struct Piece {
    bytes: Range<usize>,
    is_code: bool,
}

/// A sentence, and how much of each of the question's words it has (its weight, or a
/// part of it).
struct Judged<'a> {
    evidence: usize,
    at: usize,
    text: &'a str,
    words: Vec<f32>,
    quality: f32,
}

fn judge<'a>(
    keyword: &KeywordIndex,
    query: &KeywordQuery,
    weights: &[f32],
    index: usize,
    found: &'a Evidence,
    sentences: &mut Vec<Judged<'a>>,
) {
    let above = format!(
        "{} {}",
        found.title.as_deref().unwrap_or_default(),
        found.headings.join(" ")
    );
    let above = keyword.words_in(query, &above);
    let mut asked = vec![false; weights.len()];
    let mut before = vec![false; weights.len()];
    for Piece { bytes, is_code } in split(&found.text) {
        let text = found.text[bytes.clone()].trim();
        let own = keyword.words_in(query, text);
        if text.ends_with('?') {
            asked = own;
            continue;
        }
        if is_heading(text) {
            continue;
        }
        let words: Vec<f32> = (0..weights.len())
            .map(|word| {
                let share = [
                    (own[word], 1.0),
                    (asked[word], UNDER_QUESTION),
                    (above[word], UNDER_HEADING),
                    (before[word], AFTER_SENTENCE),
                ];
                let share = share
                    .iter()
                    .filter(|(has, _)| *has)
                    .map(|(_, share)| *share);
                weights[word] * share.fold(0.0, f32::max)
            })
            .collect();
        let length = text.split_whitespace().count();
        // A fragment says little, a very long sentence says it among other things.
        let readable = match length {
            _ if is_code => CODE,
            0..=2 => 0.5,
            3..=4 => 0.85,
            5..=50 => 1.0,
            _ => 0.8,
        };
        let quality =
            readable * (0.7 + 0.3 * found.score.get() as f32) / (1.0 + 0.08 * index as f32);
        before = own;
        sentences.push(Judged {
            evidence: index,
            at: bytes.start,
            text,
            words,
            quality,
        });
    }
}

fn write_out(mut chosen: Vec<Judged<'_>>) -> Extract {
    // Numbers in the order of quality, sentences of one evidence in its own order.
    let mut used: Vec<usize> = Vec::new();
    for sentence in &chosen {
        if !used.contains(&sentence.evidence) {
            used.push(sentence.evidence);
        }
    }
    let number = |evidence: usize| {
        used.iter()
            .position(|it| *it == evidence)
            .map_or(0, |at| at + 1)
    };
    chosen.sort_by_key(|sentence| (number(sentence.evidence), sentence.at));
    let mut text = String::new();
    for (index, sentence) in chosen.iter().enumerate() {
        if !text.is_empty() {
            text.push(' ');
        }
        let mut words = sentence.text.split_whitespace();
        // List and quotation marks belong to the page, not to the sentence.
        let first = words
            .next()
            .filter(|word| !matches!(*word, "-" | "*" | "+" | ">" | "•"));
        for (place, word) in first.into_iter().chain(words).enumerate() {
            if place > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
        if chosen
            .get(index + 1)
            .is_none_or(|next| next.evidence != sentence.evidence)
        {
            text.push_str(&format!(" [{}]", number(sentence.evidence)));
        }
    }
    Extract { text, used }
}

/// Returns the sentences of `text`: lines that follow one another are one paragraph,
/// which ends at an empty line, a list item, a heading or a table row; in it, a
/// sentence ends at `.`, `!`, `?` or their full-width forms before a space and no small
/// letter.
fn split(text: &str) -> Vec<Piece> {
    let mut sentences = Vec::new();
    let mut in_code = false;
    let mut paragraph: Option<Range<usize>> = None;
    let mut at = front_matter(text);
    for line in text[at..].split_inclusive('\n') {
        let bytes = at..at + line.len();
        at = bytes.end;
        let trimmed = line.trim();
        let is_fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        if in_code && !is_fence {
            sentences.push(Piece {
                bytes,
                is_code: true,
            });
            continue;
        }
        in_code ^= is_fence;
        if trimmed.is_empty() || stands_alone(trimmed) {
            paragraph
                .take()
                .into_iter()
                .for_each(|it| sentences_of(text, it, &mut sentences));
            if !trimmed.is_empty() {
                paragraph = Some(bytes);
                if is_heading(trimmed) {
                    paragraph.take().into_iter().for_each(|bytes| {
                        sentences.push(Piece {
                            bytes,
                            is_code: false,
                        });
                    });
                }
            }
            continue;
        }
        match &mut paragraph {
            Some(so_far) => so_far.end = bytes.end,
            None => paragraph = Some(bytes),
        }
    }
    paragraph
        .into_iter()
        .for_each(|it| sentences_of(text, it, &mut sentences));
    sentences
}

/// Returns the length of the front matter that `text` begins with: what stands between
/// two lines of `---` is about the document, and says nothing in it.
fn front_matter(text: &str) -> usize {
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        at += line.len();
        match line.trim_end() {
            "---" if number > 0 => return at,
            "---" => {}
            _ if number == 0 => return 0,
            _ => {}
        }
    }
    0
}

fn sentences_of(text: &str, paragraph: Range<usize>, sentences: &mut Vec<Piece>) {
    let mut push = |bytes| {
        sentences.push(Piece {
            bytes,
            is_code: false,
        });
    };
    let part = &text[paragraph.clone()];
    let mut start = 0;
    let mut letters = part.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let ends = match letter {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' => {
                let mut rest = part[at + 1..].chars();
                let gap = rest.next();
                let after = rest.find(|c| !c.is_whitespace());
                gap.is_none_or(char::is_whitespace)
                    && after.is_none_or(|c| !c.is_lowercase())
                    && !is_abbreviation(&part[start..at])
            }
            _ => false,
        };
        if ends {
            let end = letters.peek().map_or(part.len(), |(next, _)| *next);
            push(paragraph.start + start..paragraph.start + end);
            start = end;
        }
    }
    if !part[start..].trim().is_empty() {
        push(paragraph.start + start..paragraph.end);
    }
}

/// Returns whether the last word before a full stop is one that is written with one.
pub(crate) fn is_abbreviation(before: &str) -> bool {
    let word = before
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or_default();
    let single = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    single
        || matches!(
            word.to_lowercase().as_str(),
            "e.g"
                | "i.e"
                | "dr"
                | "mr"
                | "mrs"
                | "ms"
                | "prof"
                | "st"
                | "no"
                | "vs"
                | "fig"
                | "eq"
                | "cf"
                | "al"
        )
}

fn stands_alone(line: &str) -> bool {
    let numbered = line.split_once(['.', ')']).is_some_and(|(number, rest)| {
        !number.is_empty()
            && number.len() <= 3
            && number.bytes().all(|b| b.is_ascii_digit())
            && rest.starts_with(' ')
    });
    let listed = ["- ", "* ", "+ ", "• "]
        .iter()
        .any(|mark| line.starts_with(mark));
    // A table's row, as it is written out: `column: value; column: value`.
    let row = line.split("; ").filter(|cell| cell.contains(": ")).count() > 1;
    listed || numbered || row || line.starts_with('|') || is_heading(line)
}

/// Returns whether a line is a heading's text, its rule, or a fence: nothing to answer with.
fn is_heading(line: &str) -> bool {
    let rule = line.len() >= 3
        && line
            .chars()
            .all(|c| matches!(c, '=' | '-' | '~' | '*' | '_' | '|' | ':' | ' ' | '^'));
    line.starts_with('#')
        || rule
        || line.starts_with("```")
        || line.starts_with("~~~")
        || line.starts_with(":::")
}

#[cfg(test)]
mod tests {
    use contract::{ChunkId, DocumentId, LineRange, Share};

    use super::*;
    use crate::keyword::{IndexedText, KeywordSettings};

    fn check_split(text: &str, expect: &[&str]) {
        let found: Vec<&str> = split(text)
            .into_iter()
            .map(|piece| text[piece.bytes].trim())
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        check_split(
            "One is here. Two is\nthere! See e.g. Smith. Version 1.2 is out.",
            &[
                "One is here.",
                "Two is\nthere!",
                "See e.g. Smith.",
                "Version 1.2 is out.",
            ],
        );
        check_split(
            "# Head\nText one.\n- item a\n- item b\n\nLast",
            &["# Head", "Text one.", "- item a", "- item b", "Last"],
        );
        check_split("これは一。これは二。", &["これは一。", "これは二。"]);
        check_split("---\ntitle: Not said. Here.\n---\nSaid.", &["Said."]);
        check_split("---\nnot closed", &["---", "not closed"]);
        check_split(
            "size: 1; price: 2\nsize: 3; price: 4\n",
            &["size: 1; price: 2", "size: 3; price: 4"],
        );
        check_split(
            "Do:\n```\na. B\nc\n```\nDone.",
            &["Do:", "```", "a. B", "c", "```", "Done."],
        );
        check_split("", &[]);
    }

    fn answer(question: &str, texts: &[(&str, &str)]) -> Extract {
        let mut keyword = KeywordIndex::new(KeywordSettings::default());
        let mut evidence = Vec::new();
        for (index, (heading, text)) in texts.iter().enumerate() {
            let headings = vec![(*heading).to_owned()];
            let chunk = ChunkId(index as u64 + 1);
            keyword.insert(
                chunk,
                &IndexedText {
                    headings: &headings,
                    text,
                    ..IndexedText::default()
                },
            );
            evidence.push(Evidence {
                chunk,
                document: DocumentId::new("a.md"),
                title: None,
                headings,
                bytes: 0..text.len(),
                lines: LineRange { start: 1, end: 1 },
                text: (*text).into(),
                score: Share::ONE,
            });
        }
        let query = keyword.query(question);
        extract(&keyword, &query, &evidence)
    }

    const RETURNS: (&str, &str) = (
        "Returns",
        "We like our goods. You may send anything back within 30 days. Write to us first.",
    );
    const SHIPPING: (&str, &str) = (
        "Shipping",
        "Shipping is free for orders over $50. Parcels leave daily.",
    );

    #[test]
    fn the_sentence_with_the_words_is_the_answer() {
        let found = answer(
            "Is shipping free for orders over $50?",
            &[RETURNS, SHIPPING],
        );
        assert_eq!(found.text, "Shipping is free for orders over $50. [1]");
        assert_eq!(found.used, [1]);
    }

    #[test]
    fn a_question_in_the_text_speaks_for_what_follows_it() {
        let faq = (
            "",
            "Do you sell gift cards? Yes, from $10. Do you ship to Norway? Not yet.",
        );
        assert_eq!(answer("do you ship to norway", &[faq]).text, "Not yet. [1]");
    }

    #[test]
    fn without_a_word_of_the_question_there_is_no_answer() {
        assert_eq!(answer("unicorns", &[RETURNS, SHIPPING]), Extract::default());
        assert_eq!(answer("", &[RETURNS]), Extract::default());
    }
}
