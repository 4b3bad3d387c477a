//! Holds what a model writes against its evidence, sentence by sentence, while it is
//! written: a number that cites nothing is left out, a sentence without a number is
//! given that of the evidence that says it, and one that no evidence says is marked or
//! dropped.
//!
//! Whether evidence says a sentence is measured by its words: by the share of the
//! sentence's content words that the evidence has, each counting by how rare it is, the
//! question's own left out; and every number and every name in the sentence must be in the
//! evidence or in the question. That finds what is made up, which has words, names and
//! numbers of its own. It does not find a sentence that turns the evidence's words into
//! their opposite. `docs/bench/grounding.md` has the figures.

use std::collections::{BTreeSet, HashSet};

use contract::{Evidence, Share};
use serde::{Deserialize, Serialize};

use crate::extract::is_abbreviation;
use crate::keyword::{KeywordIndex, KeywordQuery};
use crate::names;

/// The least share of a sentence's words that evidence must have to be said to say it. So
/// chosen that a sentence of another passage about the same subject is taken for said twice
/// in a hundred times.
const LEAST_SUPPORT: f64 = 0.4;
/// What stands behind a sentence that the evidence does not say.
const MARK: &str = " [?]";
/// A longer bracket is no citation.
const LONGEST_CITATION: usize = 40;

/// What becomes of a sentence that the evidence does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    /// It stays, with `[?]` behind it.
    #[default]
    Mark,
    /// It is left out.
    Drop,
}

/// One sentence of a model's answer, as it was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct GroundedSentence {
    /// The sentence, without numbers of citations.
    pub text: String,
    /// The numbers of the evidence that it cites, or was given; from 1.
    pub citations: Vec<u32>,
    /// How much of what it says this evidence says, by words, 0 to 1.
    pub support: Share,
    /// Whether that is enough, and every number and name of it is there too.
    pub supported: bool,
}

/// A model's answer, held against its evidence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grounded {
    /// The answer as it is shown.
    pub text: String,
    /// Its sentences, also those that were dropped.
    pub sentences: Vec<GroundedSentence>,
    /// Numbers that the model cited and that are no evidence's.
    pub unknown: Vec<u32>,
}

/// A model's answer while it is written.
pub struct Grounding<'a> {
    keyword: &'a KeywordIndex,
    question: &'a str,
    /// What each piece of evidence says, with what it stands under.
    evidence: Vec<String>,
    numbers: Vec<BTreeSet<String>>,
    asked: BTreeSet<String>,
    /// The words of each piece of evidence, and of the question, that names may be; none
    /// where capital letters tell no names.
    words: Option<(Vec<HashSet<String>>, HashSet<String>)>,
    refusal: &'a str,
    unsupported: Unsupported,
    grounded: Grounded,
    /// The sentence that is being written: for judging, and as it is shown.
    sentence: String,
    display: String,
    cited: Vec<u32>,
    /// An opened bracket that may become a citation.
    bracket: String,
    /// Blanks whose sentence is not known yet.
    gap: String,
    /// Whether a citation of nothing was left out of the gap.
    left_out: bool,
    end: End,
    /// What of this piece is to be shown.
    shown: String,
}

/// Whether the sentence may be over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    No,
    /// If a blank follows.
    AtBlank,
    /// Whatever follows.
    Yes,
}

impl<'a> Grounding<'a> {
    /// Begins with nothing written. `refusal` is the sentence with which a model says
    /// that the evidence does not say; it needs no support.
    pub fn new(
        keyword: &'a KeywordIndex,
        question: &'a str,
        evidence: &[Evidence],
        refusal: &'a str,
        unsupported: Unsupported,
    ) -> Self {
        let evidence: Vec<String> = evidence
            .iter()
            .map(|it| {
                let title = it.title.as_deref().unwrap_or_default();
                format!("{title}\n{}\n{}", it.headings.join("\n"), it.text)
            })
            .collect();
        Self {
            keyword,
            question,
            numbers: evidence.iter().map(|it| numbers(it)).collect(),
            asked: numbers(question),
            words: names::are_told(&evidence.join("\n")).then(|| {
                let of_evidence = evidence.iter().map(|it| names::words(it)).collect();
                (of_evidence, names::words(question))
            }),
            evidence,
            refusal,
            unsupported,
            grounded: Grounded::default(),
            sentence: String::new(),
            display: String::new(),
            cited: Vec::new(),
            bracket: String::new(),
            gap: String::new(),
            left_out: false,
            end: End::No,
            shown: String::new(),
        }
    }

    /// Takes the next piece of the model's text and returns what of it is to be shown
    /// now; the rest is held until it is known what becomes of it.
    pub fn take(&mut self, piece: &str) -> String {
        piece.chars().for_each(|c| self.letter(c));
        std::mem::take(&mut self.shown)
    }

    /// Ends the answer; returns what is still to be shown, and the whole.
    pub fn finish(mut self) -> (String, Grounded) {
        self.close_bracket();
        self.end_sentence();
        let shown = std::mem::take(&mut self.shown);
        self.grounded.text = self.grounded.text.trim().to_owned();
        (shown, self.grounded)
    }

    fn letter(&mut self, c: char) {
        if !self.bracket.is_empty() {
            self.bracket.push(c);
            if c == ']' || c == '\n' || self.bracket.len() > LONGEST_CITATION {
                self.close_bracket();
            }
        } else if c == '[' {
            self.bracket.push(c);
        } else if c.is_whitespace() {
            if c == '\n' {
                self.end = End::Yes;
            }
            if self.gap.is_empty() || c == '\n' {
                self.gap.push(c);
            }
        } else {
            self.visible(c);
        }
    }

    fn visible(&mut self, c: char) {
        let is_over = match self.end {
            End::No => false,
            End::AtBlank => !self.gap.is_empty() && !c.is_lowercase(),
            End::Yes => true,
        };
        if is_over {
            self.end_sentence();
        }
        let mut gap = std::mem::take(&mut self.gap);
        if std::mem::take(&mut self.left_out) && ".,;:!?)".contains(c) {
            gap.clear();
        }
        self.put(&gap);
        self.put(c.encode_utf8(&mut [0; 4]));
        if !gap.is_empty() {
            self.sentence.push(' ');
        }
        self.end = match c {
            '。' | '！' | '？' => End::Yes,
            '!' | '?' => End::AtBlank,
            '.' if !is_abbreviation(&self.sentence) => End::AtBlank,
            '"' | '\'' | ')' | '”' | '’' | '»' => self.end,
            _ => End::No,
        };
        self.sentence.push(c);
    }

    /// Shows `text`: at once, or with its sentence where that may yet be dropped.
    fn put(&mut self, text: &str) {
        self.display.push_str(text);
        if self.unsupported == Unsupported::Mark {
            self.shown.push_str(text);
        }
    }

    /// Makes citations of a bracket, or letters if it holds something else.
    fn close_bracket(&mut self) {
        let bracket = std::mem::take(&mut self.bracket);
        let Some(cited) = citations(&bracket) else {
            let mut letters = bracket.chars();
            if let Some(first) = letters.next() {
                self.visible(first);
            }
            letters.for_each(|c| self.letter(c));
            return;
        };
        for number in cited {
            let is_known = (1..=self.evidence.len()).contains(&(number as usize));
            if !is_known {
                self.grounded.unknown.push(number);
                self.left_out = true;
            } else if !self.cited.contains(&number) {
                self.cited.push(number);
                let gap = std::mem::take(&mut self.gap);
                self.put(&gap);
                self.put(&format!("[{number}]"));
            }
        }
    }

    fn end_sentence(&mut self) {
        self.end = End::No;
        let text = std::mem::take(&mut self.sentence).trim().to_owned();
        let mut cited = std::mem::take(&mut self.cited);
        let is_refusal = same_words(&text, self.refusal);
        let judged = self.judge(&text).filter(|_| !is_refusal);
        let mut keep = true;
        if let Some(judged) = judged {
            let (of_cited, mut says) = self.support(&text, &judged, &cited);
            let mut support = of_cited;
            if !says {
                // Cited wrongly or not at all: perhaps other evidence says it.
                let others = (1..).take(self.evidence.len());
                let best = others
                    .map(|number| (number, self.support(&text, &judged, &[number])))
                    .filter(|(_, (_, says))| *says)
                    .max_by(|a, b| a.1.0.total_cmp(&b.1.0).then(b.0.cmp(&a.0)));
                if let Some((number, (of_other, _))) = best {
                    (support, says) = (of_other, true);
                    cited.push(number);
                    self.put(&format!(" [{number}]"));
                }
            }
            keep = says || self.unsupported == Unsupported::Mark;
            if !says {
                self.put(MARK);
            }
            self.grounded.sentences.push(GroundedSentence {
                text,
                citations: cited,
                support: Share::clamped(support),
                supported: says,
            });
        }
        let display = std::mem::take(&mut self.display);
        if keep {
            if self.unsupported == Unsupported::Drop {
                self.shown.push_str(&display);
            }
            self.grounded.text.push_str(&display);
        }
    }

    /// Returns the sentence's words and what each counts, or nothing if there is nothing
    /// in it to judge. The question's words count only where there are no others.
    fn judge(&self, text: &str) -> Option<(KeywordQuery, Vec<f64>)> {
        let query = self.keyword.query(text);
        let weights = self.keyword.word_weights(&query);
        if weights.is_empty() && numbers(text).is_empty() {
            return None;
        }
        let asked = self.keyword.words_in(&query, self.question);
        let weigh = |(weight, asked): (&f32, &bool)| if *asked { 0.0 } else { f64::from(*weight) };
        let own: Vec<f64> = weights.iter().zip(&asked).map(weigh).collect();
        let weights = if own.iter().sum::<f64>() > 0.0 {
            own
        } else {
            weights.into_iter().map(f64::from).collect()
        };
        Some((query, weights))
    }

    /// Returns which share of the sentence the evidence of these numbers says together,
    /// and whether that is enough.
    fn support(
        &self,
        text: &str,
        (query, weights): &(KeywordQuery, Vec<f64>),
        cited: &[u32],
    ) -> (f64, bool) {
        let cited = || cited.iter().map(|number| *number as usize - 1);
        let evidence: Vec<&str> = cited().map(|it| self.evidence[it].as_str()).collect();
        let has = self.keyword.words_in(query, &evidence.join("\n"));
        let covered: f64 = weights
            .iter()
            .zip(&has)
            .filter(|it| *it.1)
            .map(|it| it.0)
            .sum();
        let all: f64 = weights.iter().sum();
        let support = if all > 0.0 { covered / all } else { 1.0 };
        let knows = |number: &String| {
            self.asked.contains(number) || cited().any(|it| self.numbers[it].contains(number))
        };
        let names_known = self.words.as_ref().is_none_or(|(words, asked)| {
            let knows =
                |name: &String| asked.contains(name) || cited().any(|it| words[it].contains(name));
            names::names(text).iter().all(knows)
        });
        let enough = support >= LEAST_SUPPORT && numbers(text).iter().all(knows) && names_known;
        (support, enough && !evidence.is_empty())
    }
}

/// Returns the numbers of a bracket that cites: `[1]`, `[1, 2]`, `[Source 1]`.
fn citations(bracket: &str) -> Option<Vec<u32>> {
    let inside = bracket
        .strip_prefix('[')?
        .strip_suffix(']')?
        .trim_start_matches('^');
    let numbers: Vec<u32> = inside
        .split([',', ';', ' ', '&'])
        .filter(|word| !word.is_empty())
        .filter(|word| !["source", "sources", "and"].contains(&word.to_lowercase().as_str()))
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    (!numbers.is_empty()).then_some(numbers)
}

/// Returns the numbers in `text` as they are compared: digits with their fraction,
/// without what groups thousands (`1,250.50` is `1250.50`).
fn numbers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut letters = text.chars().peekable();
    let mut number = String::new();
    while let Some(c) = letters.next() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let goes_on = letters.peek().is_some_and(char::is_ascii_digit);
        match c {
            ',' | '\'' if !number.is_empty() && goes_on => {}
            '.' if !number.is_empty() && goes_on => number.push(c),
            _ if !number.is_empty() => {
                found.insert(std::mem::take(&mut number));
            }
            _ => {}
        }
    }
    if !number.is_empty() {
        found.insert(number);
    }
    found
}

/// Returns whether two sentences have the same words.
fn same_words(a: &str, b: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|it| !it.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    words(a) == words(b)
}

#[cfg(test)]
mod tests {
    use contract::{ChunkId, DocumentId, LineRange};

    use super::*;
    use crate::keyword::KeywordSettings;

    const TEXTS: [&str; 2] = [
        "Anything may be returned within 30 days of delivery.",
        "Return postage is free from every state but Alaska, where it costs $8.95.",
    ];

    fn evidence() -> Vec<Evidence> {
        TEXTS
            .iter()
            .enumerate()
            .map(|(index, text)| Evidence {
                chunk: ChunkId(index as u64 + 1),
                document: DocumentId::new("returns.md"),
                title: Some("Returns".into()),
                headings: Vec::new(),
                bytes: 0..text.len(),
                lines: LineRange { start: 1, end: 1 },
                text: (*text).into(),
                score: Share::ONE,
            })
            .collect()
    }

    /// Grounds `answer`, given in pieces of `length` letters; returns what was shown.
    fn grounded(answer: &str, length: usize, unsupported: Unsupported) -> (String, Grounded) {
        let keyword = KeywordIndex::new(KeywordSettings::default());
        let evidence = evidence();
        let question = "How long may I return a kettle?";
        let refusal = "not in the documents";
        let mut grounding = Grounding::new(&keyword, question, &evidence, refusal, unsupported);
        let letters: Vec<char> = answer.chars().collect();
        let mut shown = String::new();
        for piece in letters.chunks(length) {
            shown.push_str(&grounding.take(&piece.iter().collect::<String>()));
        }
        let (rest, grounded) = grounding.finish();
        shown.push_str(&rest);
        (shown, grounded)
    }

    fn check(answer: &str, marked: &str, dropped: &str) {
        for length in [1, 3, 1000] {
            for (unsupported, expect) in [(Unsupported::Mark, marked), (Unsupported::Drop, dropped)]
            {
                let (shown, grounded) = grounded(answer, length, unsupported);
                assert_eq!(grounded.text, expect, "{answer:?} by {length}");
                assert_eq!(shown.trim(), expect, "{answer:?} by {length}");
            }
        }
    }

    fn check_same(answer: &str, expect: &str) {
        check(answer, expect, expect);
    }

    #[test]
    fn what_is_said_and_cited_stays() {
        check_same(
            "It may be returned within 30 days of delivery [1]. Postage is free, but from Alaska it costs $8.95. [2]",
            "It may be returned within 30 days of delivery [1]. Postage is free, but from Alaska it costs $8.95. [2]",
        );
        check_same(
            "Within 30 days of delivery [1][2].\n\nFree [2]!",
            "Within 30 days of delivery [1][2].\n\nFree [2]!",
        );
    }

    #[test]
    fn numbers_that_cite_nothing_are_left_out() {
        check_same(
            "Within 30 days of delivery [7].",
            "Within 30 days of delivery. [1]",
        );
        check_same(
            "Within 30 days [Source 1, 9] of delivery.",
            "Within 30 days [1] of delivery.",
        );
        let (_, grounded) = grounded("Within 30 days [7, 0].", 4, Unsupported::Mark);
        assert_eq!(grounded.unknown, [7, 0]);
    }

    #[test]
    fn what_is_not_cited_is_given_its_number() {
        check_same(
            "Within 30 days of delivery. Alaska costs $8.95.",
            "Within 30 days of delivery. [1] Alaska costs $8.95. [2]",
        );
        check_same("Alaska costs $8.95 [1].", "Alaska costs $8.95 [1]. [2]");
    }

    #[test]
    fn what_no_evidence_says_is_marked_or_dropped() {
        check(
            "Within 30 days of delivery [1]. A kettle must be unopened in its original carton [1]. Alaska costs $8.95 [2].",
            "Within 30 days of delivery [1]. A kettle must be unopened in its original carton [1]. [?] Alaska costs $8.95 [2].",
            "Within 30 days of delivery [1]. Alaska costs $8.95 [2].",
        );
        // The words are there, the name is another.
        check(
            "Return postage is free from every state but Hawaii, where it costs $8.95 [2].",
            "Return postage is free from every state but Hawaii, where it costs $8.95 [2]. [?]",
            "",
        );
        // The words are there, the number is another.
        check(
            "Returned within 60 days of delivery [1].",
            "Returned within 60 days of delivery [1]. [?]",
            "",
        );
    }

    #[test]
    fn the_questions_own_words_and_the_refusal_need_no_support() {
        check_same("Not in the documents.", "Not in the documents.");
        check_same(
            "A kettle: 30 days of delivery [1].",
            "A kettle: 30 days of delivery [1].",
        );
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        let (_, grounded) = grounded(
            "E.g. within 30.5 days [see below] of \"delivery.\" Dr. Alaska says so! - 日本語。はい。",
            2,
            Unsupported::Mark,
        );
        let texts: Vec<&str> = grounded
            .sentences
            .iter()
            .map(|it| it.text.as_str())
            .collect();
        assert_eq!(
            texts,
            [
                "E.g. within 30.5 days [see below] of \"delivery.\"",
                "Dr. Alaska says so!",
                "- 日本語。",
                "はい。"
            ]
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]

        #[test]
        fn what_is_shown_is_the_answer_however_it_arrives(
            answer in "([a-z]{1,9}|30|[.!?] |\\[[0-9, ]{0,4}\\]?|[ \n\\[\\]éß。]|Alaska){0,30}",
            length in 1_usize..9,
        ) {
            for unsupported in [Unsupported::Mark, Unsupported::Drop] {
                let (shown, whole) = grounded(&answer, 1000, unsupported);
                proptest::prop_assert_eq!(shown.trim(), &whole.text);
                let (pieces, by_pieces) = grounded(&answer, length, unsupported);
                proptest::prop_assert_eq!(shown, pieces);
                proptest::prop_assert_eq!(whole, by_pieces);
            }
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let found: Vec<String> = numbers("1,250.50 dollars on 2026-01-31, or 7.")
            .into_iter()
            .collect();
        assert_eq!(found, ["01", "1250.50", "2026", "31", "7"]);
    }
}
