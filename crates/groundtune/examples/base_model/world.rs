//! A small world: passages that say things, questions that they answer, and near questions
//! that they do not.

use crate::random::Random;
use crate::typed::reworded;

/// What a passage answers.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) question: String,
    pub(crate) answer: String,
    /// The passage that answers it.
    pub(crate) passage: usize,
}

/// A stretch of text with what stands above it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passage {
    pub(crate) title: String,
    pub(crate) text: String,
}

/// Passages with questions about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) passages: Vec<Passage>,
    pub(crate) asks: Vec<Ask>,
    /// Questions that look like theirs and that no passage answers.
    pub(crate) missing: Vec<String>,
}

/// Which phrasings are used: one in six of each list is kept from training, to see what
/// becomes of wordings that were never learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phrasing {
    Learnt,
    Unseen,
}

impl Phrasing {
    /// Returns one of `all`; a list of fewer than six is used in either case.
    pub(crate) fn pick(self, random: &mut Random, all: &[&'static str]) -> &'static str {
        loop {
            let at = random.below(all.len());
            let held_back = at % 6 == 5;
            if all.len() < 6 || held_back == (self == Self::Unseen) {
                return all[at];
            }
        }
    }
}

/// Puts values into the places of a sentence: `{e}`, `{v}`, …; `{a}` is the article of the
/// word after it.
pub(crate) fn fill(form: &str, places: &[(char, &str)]) -> String {
    let mut text = String::with_capacity(form.len() + 32);
    let mut rest = form;
    let mut articles = Vec::new();
    while let Some(at) = rest.find('{') {
        text += &rest[..at];
        let name = rest[at + 1..].chars().next().unwrap_or(' ');
        if name == 'a' {
            articles.push(text.len());
        } else {
            let found = places.iter().find(|(place, _)| *place == name);
            text += found.map_or("", |(_, value)| value);
        }
        rest = &rest[at + 3..];
    }
    text += rest;
    for at in articles.into_iter().rev() {
        let vowel = text[at..]
            .trim_start()
            .starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
        text.insert_str(at, if vowel { "an" } else { "a" });
    }
    text.replace("the the ", "the ").replace("a the ", "the ")
}

/// Returns a sentence with a capital at its beginning.
pub(crate) fn sentence(text: &str) -> String {
    crate::names::capital(text)
}

/// Returns a question as people type it: mostly with a capital and its mark.
pub(crate) fn typed(random: &mut Random, question: &str) -> String {
    let question = &if random.chance(0.3) {
        reworded(random, question)
    } else {
        question.to_owned()
    };
    match random.below(12) {
        0 => question.trim_end_matches(['?', '.']).to_owned(),
        1 => question
            .to_lowercase()
            .trim_end_matches(['?', '.'])
            .to_owned(),
        2 => question.to_owned(),
        _ => sentence(question),
    }
}

/// Joins sentences to paragraphs.
pub(crate) fn paragraph(random: &mut Random, sentences: &[String]) -> String {
    let mut text = String::new();
    for (number, one) in sentences.iter().enumerate() {
        if number > 0 {
            text.push_str(if random.chance(0.08) { "\n" } else { " " });
        }
        text += one;
    }
    text
}
