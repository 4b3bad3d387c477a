//! Worlds of real text: questions that a sentence's own form gives, and gaps to be filled.

use crate::random::Random;
use crate::typed::typed_questions;
use crate::world::{Ask, Passage, World};

/// Paragraphs of real texts, each with its sentences.
pub(crate) struct Library {
    paragraphs: Vec<Vec<String>>,
}

/// The fewest and the most words of a sentence that is asked about.
const WORDS: (usize, usize) = (5, 34);
/// The most words of a paragraph.
const LONGEST: usize = 110;

impl Library {
    /// Takes the paragraphs of `texts`.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut paragraphs = Vec::new();
        for text in texts {
            let mut held: Vec<String> = Vec::new();
            let mut words = 0;
            for block in text.replace("\r\n", "\n").split("\n\n") {
                let block = block.split_whitespace().collect::<Vec<_>>().join(" ");
                for one in sentences(&block) {
                    let count = one.split(' ').count();
                    // A sum's working, as some texts have it, is no sentence.
                    if count > 60
                        || one.contains("<<")
                        || one.chars().filter(|it| it.is_alphabetic()).count() * 2 < one.len()
                    {
                        continue;
                    }
                    if words + count > LONGEST {
                        keep(&mut paragraphs, std::mem::take(&mut held));
                        words = 0;
                    }
                    words += count;
                    held.push(one);
                }
            }
            keep(&mut paragraphs, held);
        }
        Self { paragraphs }
    }

    pub(crate) fn len(&self) -> usize {
        self.paragraphs.len()
    }

    /// Returns a sentence or two that have nothing to do with anything.
    pub(crate) fn aside(&self, random: &mut Random) -> String {
        let paragraph = random.pick(&self.paragraphs);
        let at = random.below(paragraph.len());
        paragraph[at..(at + random.from(1, 2)).min(paragraph.len())].join(" ")
    }

    /// Makes a world of one to three paragraphs.
    pub(crate) fn world(&self, random: &mut Random, short: bool) -> World {
        let mut world = World::default();
        let count = if short { 1 } else { random.from(1, 3) };
        for _ in 0..count {
            let whole = random.pick(&self.paragraphs);
            let most = if short { 2 } else { 6 };
            let start = random.below(whole.len());
            let part = &whole[start..(start + random.from(1, most)).min(whole.len())];
            let passage = world.passages.len();
            world.passages.push(Passage {
                title: String::new(),
                text: part.join(" "),
            });
            for one in part {
                for (question, answer) in questions(random, one) {
                    world.asks.push(Ask {
                        question,
                        answer,
                        passage,
                    });
                }
            }
        }
        let told: String = world
            .passages
            .iter()
            .map(|it| it.text.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        // An answer has to stand there once: else another place may be meant.
        world
            .asks
            .retain(|it| it.answer.len() < 120 && told.contains(&it.answer));
        let other = random.pick(&self.paragraphs);
        let one = random.pick(other);
        if !told.contains(one.as_str()) {
            let asked = questions(random, one).into_iter();
            world.missing.extend(
                asked
                    .filter(|(_, answer)| !told.contains(answer))
                    .map(|(question, _)| question),
            );
        }
        world
    }
}

fn keep(paragraphs: &mut Vec<Vec<String>>, held: Vec<String>) {
    if held.len() > 1 {
        paragraphs.push(held);
    }
}

fn sentences(block: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut start = 0;
    let bytes = block.as_bytes();
    for (at, _) in block.match_indices(['.', '?', '!']) {
        let next = bytes.get(at + 1).copied();
        let begins = bytes.get(at + 2).is_some_and(|it| it.is_ascii_uppercase());
        if next.is_none() || next == Some(b' ') && begins && at - start > 12 {
            all.push(block[start..=at].trim().to_owned());
            start = at + 1;
        }
    }
    all.retain(|it| {
        let words = it.split(' ').count();
        words >= WORDS.0 && it.len() < 400
    });
    all
}

/// Verbs between a subject and what is said of it.
const BE: &[&str] = &["is", "are", "was", "were"];
const MODAL: &[&str] = &["can", "may", "will", "should", "must", "could", "might"];
const DOES: &[(&str, &str)] = &[
    ("causes", "cause"),
    ("affects", "affect"),
    ("includes", "include"),
    ("contains", "contain"),
    ("requires", "require"),
    ("uses", "use"),
    ("helps", "help"),
    ("provides", "provide"),
    ("makes", "make"),
    ("gives", "give"),
    ("allows", "allow"),
    ("means", "mean"),
    ("needs", "need"),
    ("has", "have"),
    ("shows", "show"),
    ("produces", "produce"),
    ("supports", "support"),
    ("returns", "return"),
    ("takes", "take"),
    ("depends on", "depend on"),
    ("wants", "want"),
    ("buys", "buy"),
    ("sells", "sell"),
    ("earns", "earn"),
    ("eats", "eat"),
    ("lives in", "live in"),
    ("works at", "work at"),
    ("reads", "read"),
    ("writes", "write"),
    ("holds", "hold"),
];
/// Words with which a subject that stands for itself does not begin.
const VAGUE: &[&str] = &[
    "It", "This", "That", "These", "Those", "There", "They", "He", "She", "We", "You", "I", "If",
    "When", "While", "However", "Although", "In", "For", "As", "Because", "After", "Before",
    "What", "How", "Why", "Who", "Where", "Which", "To", "By", "With", "On", "At", "And", "But",
    "Or", "So", "Then", "Here", "Thus", "Let", "Not", "Also", "Its", "His", "Her", "Their", "Our",
    "My", "Your",
];

/// Returns questions about a sentence, with answers that stand in it.
fn questions(random: &mut Random, sentence: &str) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    let body = sentence.trim_end_matches(['.', '!', '?']);
    let words: Vec<&str> = body.split(' ').collect();
    if words.len() < WORDS.0 || words.len() > WORDS.1 {
        return asked;
    }
    if random.chance(0.35) {
        gap(random, &words, &mut asked);
    }
    if sentence.ends_with('?') {
        return asked;
    }
    asked.extend(typed_questions(random, &words));
    if !VAGUE.contains(&words[0].trim_end_matches(','))
        && words[0].starts_with(|it: char| it.is_alphabetic())
    {
        form(random, &words, &mut asked);
    }
    asked
}

/// Until where words belong together: at most `most` of them, up to a sign.
fn stretch(words: &[&str], most: usize) -> String {
    let mut taken = Vec::new();
    for word in words.iter().take(most) {
        let bare = word.trim_end_matches([',', ';', ':', ')']);
        taken.push(bare);
        if bare.len() < word.len() {
            break;
        }
    }
    taken.join(" ")
}

/// A gap to be filled, or what goes before and after some words.
fn gap(random: &mut Random, words: &[&str], asked: &mut Vec<(String, String)>) {
    let length = random.from(1, 3);
    let at = random.from(1, words.len() - length);
    let hidden = &words[at..at + length];
    if hidden
        .iter()
        .any(|it| it.contains([',', '"', '(', ')', ';']))
        || hidden.iter().all(|it| it.len() < 3)
    {
        return;
    }
    let answer = hidden.join(" ");
    let before = words[at.saturating_sub(random.from(2, 6))..at].join(" ");
    let after = words[at + length..(at + length + random.from(0, 5)).min(words.len())].join(" ");
    let question = match random.below(6) {
        0 => format!("Complete: {before} ___ {after}"),
        1 => format!("Which words are missing in \"{before} ... {after}\"?"),
        2 => format!("{before} what {after}?"),
        3 => format!("What comes after \"{before}\"?"),
        4 => format!("Fill in the gap: {before} ____ {after}"),
        _ => format!("How does it go on: \"{before}\"?"),
    };
    asked.push((question.trim().to_owned(), answer));
}

/// Questions for the subject and for what is said of it.
fn form(random: &mut Random, words: &[&str], asked: &mut Vec<(String, String)>) {
    let Some((at, verb)) = words
        .iter()
        .enumerate()
        .skip(1)
        .take(7)
        .find_map(|(at, word)| {
            let known = BE.contains(word)
                || MODAL.contains(word)
                || DOES.iter().any(|(does, _)| does == word);
            known.then_some((at, *word))
        })
    else {
        return;
    };
    let subject = words[..at].join(" ");
    let rest = &words[at + 1..];
    if rest.is_empty() || subject.contains([',', '(', '"', ':']) {
        return;
    }
    let named = crate::words::FIRST_NAMES.contains(&words[0]);
    let who = if named { "Who" } else { "What" };
    let common = [
        "The", "A", "An", "Some", "Most", "Many", "All", "People", "Each", "Every", "Both", "One",
    ];
    let inside = if common.contains(&words[0]) {
        let mut letters = subject.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_lowercase().chain(letters).collect()
        })
    } else {
        subject.clone()
    };
    let said = stretch(rest, 12);
    if random.chance(0.5) {
        asked.push((format!("{who} {verb} {}?", stretch(rest, 9)), subject));
        return;
    }
    if BE.contains(&verb) {
        let ends = rest[0].trim_end_matches([',', ';']).ends_with("ed");
        let by_place = rest
            .iter()
            .position(|it| ["in", "at", "on"].contains(it))
            .filter(|at| (1..6).contains(at));
        match by_place {
            Some(place) if ends && place + 1 < rest.len() => {
                let then = stretch(&rest[place + 1..], 3);
                let word = if then.starts_with(|it: char| it.is_ascii_digit()) {
                    "When"
                } else {
                    "Where"
                };
                asked.push((
                    format!("{word} {verb} {inside} {}?", rest[..place].join(" ")),
                    then,
                ));
            }
            _ => asked.push((format!("What {verb} {inside}?"), said)),
        }
    } else if MODAL.contains(&verb) && rest.len() > 1 {
        let object = stretch(&rest[1..], 10);
        asked.push((format!("What {verb} {inside} {}?", rest[0]), object));
    } else if let Some((_, base)) = DOES.iter().find(|(does, _)| *does == verb) {
        asked.push((format!("What does {inside} {base}?"), said));
    }
}
