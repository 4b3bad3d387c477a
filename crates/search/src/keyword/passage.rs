//! Which of a question's words stand in a text that is not a chunk: a sentence, a
//! heading.

use std::collections::HashSet;

use super::query::KeywordQuery;
use super::words::for_each_word;
use super::{KeywordIndex, WordKind, language};

impl KeywordIndex {
    /// Returns the weight (`idf`) of each content word of the question, in their
    /// order; joined words are left out, for their parts stand beside them.
    pub fn word_weights(&self, query: &KeywordQuery) -> Vec<f32> {
        self.counted(query).map(|(_, weight)| weight).collect()
    }

    /// Returns for each word of [`KeywordIndex::word_weights`] whether `text` has it.
    pub fn words_in(&self, query: &KeywordQuery, text: &str) -> Vec<bool> {
        let terms = self.terms_of(query, text);
        self.counted(query)
            .map(|(word, _)| {
                word.terms.iter().any(|term| {
                    terms.contains(term)
                        || word.prefix && terms.iter().any(|found| found.starts_with(term.as_str()))
                })
            })
            .collect()
    }

    /// Returns the terms of `text`, stemmed in the languages of the question.
    pub fn terms_of(&self, query: &KeywordQuery, text: &str) -> HashSet<String> {
        let mut terms = HashSet::new();
        for_each_word(text, &mut |word| {
            for language in &query.languages {
                terms.insert(language::term(&word, *language));
            }
        });
        terms
    }

    fn counted<'q>(
        &'q self,
        query: &'q KeywordQuery,
    ) -> impl Iterator<Item = (&'q super::query::QueryWord, f32)> {
        let counted =
            |word: &&super::query::QueryWord| word.content && word.kind != WordKind::Joined;
        query
            .words
            .iter()
            .filter(counted)
            .map(|word| (word, self.word_weight(word)))
    }
}
