//! A question in words: what is searched for, what only frames it, and which words
//! must follow one another.

use std::ops::Range;

use super::language::{self, Language};
use super::words::{WordKind, for_each_word};

/// A question, cut into words and stemmed for one index.
///
/// Text in double quotes (`"…"`, `“…”`, `„…“`, `«…»`) is a phrase: only chunks that
/// have its words in that order are found. A quote that is not closed is not one.
#[derive(Clone, Debug, Default)]
pub struct KeywordQuery {
    pub(super) words: Vec<QueryWord>,
    pub(super) phrases: Vec<Vec<PhraseWord>>,
    pub(super) languages: Vec<Language>,
}

#[derive(Clone, Debug)]
pub(super) struct QueryWord {
    /// The word, lower-cased.
    pub(super) text: String,
    /// Where it first stands in the question.
    pub(super) bytes: Range<usize>,
    pub(super) kind: WordKind,
    /// Its terms, one for each way in which the index's languages stem it; none if it
    /// is not searched for.
    pub(super) terms: Vec<String>,
    /// Whether its terms are only the beginnings of terms.
    pub(super) prefix: bool,
    /// Whether it is searched for, or only frames the question.
    pub(super) content: bool,
    /// How often it stands in the question.
    pub(super) count: u32,
}

#[derive(Clone, Debug)]
pub(super) struct PhraseWord {
    pub(super) terms: Vec<String>,
    pub(super) prefix: bool,
}

impl KeywordQuery {
    /// Cuts `text` for an index whose chunks are in `languages`, the most used first.
    pub(super) fn new(text: &str, languages: &[Language]) -> Self {
        let mut words: Vec<QueryWord> = Vec::new();
        for_each_word(text, &mut |word| {
            // The last character of a run is in the pair before it already.
            let prefix = match word.kind {
                WordKind::Last { alone: false } => return,
                WordKind::Last { alone: true } => true,
                _ => false,
            };
            match words.iter_mut().find(|known| known.text == word.text) {
                Some(known) => known.count += 1,
                None => words.push(QueryWord {
                    text: word.text.into(),
                    bytes: word.bytes,
                    kind: word.kind,
                    terms: Vec::new(),
                    prefix,
                    content: true,
                    count: 1,
                }),
            }
        });
        let language = spoken(&words, languages);
        let frames = |word: &QueryWord| language.is_function_word(&word.text);
        if !words.iter().all(frames) {
            for word in &mut words {
                word.content = !frames(word);
            }
        }
        for word in words.iter_mut().filter(|word| word.content) {
            word.terms = variants(&word.text, word.kind, languages);
        }
        Self {
            words,
            phrases: phrases(text, languages),
            languages: languages.to_vec(),
        }
    }

    /// Returns whether the question has no words at all.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Returns the words that are searched for, lower-cased, in their order: the
    /// content words, or all words if there are only function words.
    pub fn content_words(&self) -> impl Iterator<Item = &str> {
        let content = self.words.iter().filter(|word| word.content);
        content.map(|word| word.text.as_str())
    }
}

/// Returns the language in which the question has most function words; of equals,
/// the index's most used.
fn spoken(words: &[QueryWord], languages: &[Language]) -> Language {
    if let [only] = languages {
        return *only;
    }
    let count = |language: &Language| {
        let function = |word: &&QueryWord| language.is_function_word(&word.text);
        words.iter().filter(function).count()
    };
    let best = languages
        .iter()
        .rev()
        .max_by_key(|language| count(language));
    best.copied().unwrap_or_default()
}

fn variants(text: &str, kind: WordKind, languages: &[Language]) -> Vec<String> {
    let mut terms = Vec::with_capacity(1);
    for language in languages {
        let term = language::stem(text, kind, *language);
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms
}

/// Returns the phrases of `text`, each as its words that have a place of their own.
fn phrases(text: &str, languages: &[Language]) -> Vec<Vec<PhraseWord>> {
    let mut phrases = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['"', '“', '„', '«']) {
        let quote = rest[open..].chars().next().expect("a quote was found");
        let inside = &rest[open + quote.len_utf8()..];
        let close: &[char] = match quote {
            '“' => &['”'],
            '„' => &['“', '”'],
            '«' => &['»'],
            _ => &['"'],
        };
        let Some(end) = inside.find(close) else {
            rest = inside;
            continue;
        };
        let mut phrase = Vec::new();
        for_each_word(&inside[..end], &mut |word| {
            let prefix = match word.kind {
                WordKind::Joined | WordKind::Last { alone: false } => return,
                WordKind::Last { alone: true } => true,
                WordKind::Plain | WordKind::Pair => false,
            };
            phrase.push(PhraseWord {
                terms: variants(word.text, word.kind, languages),
                prefix,
            });
        });
        if !phrase.is_empty() {
            phrases.push(phrase);
        }
        let quote = inside[end..].chars().next().expect("a quote was found");
        rest = &inside[end + quote.len_utf8()..];
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, content: &[&str], phrases: &[&[&str]]) {
        let query = KeywordQuery::new(text, &[Language::English]);
        assert_eq!(query.content_words().collect::<Vec<_>>(), content, "{text}");
        let found = query
            .phrases
            .iter()
            .map(|phrase| phrase.iter().map(|word| word.terms[0].as_str()).collect())
            .collect::<Vec<Vec<_>>>();
        assert_eq!(found, phrases, "{text}");
    }

    #[test]
    fn function_words_only_frame_a_question() {
        check("What is the cache?", &["cache"], &[]);
        check("what is it", &["what", "is", "it"], &[]);
        check("", &[], &[]);
    }

    #[test]
    fn quotes_make_phrases() {
        check(
            "the \"build cache\" of «uv»",
            &["build", "cache", "uv"],
            &[&["build", "cach"], &["uv"]],
        );
        check("a 5\" disk", &["5", "disk"], &[]);
        check("„to be“ or", &["to", "be", "or"], &[&["to", "be"]]);
    }

    #[test]
    fn a_word_is_stemmed_in_every_language_of_the_index() {
        let query = KeywordQuery::new("Häuser", &[Language::English, Language::German]);
        assert_eq!(query.words[0].terms, ["hauser", "haus"]);
    }
}
