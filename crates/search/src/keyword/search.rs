//! Asking the index: hits, phrases, and why a chunk scored as it did.

use contract::ChunkId;
use serde::Serialize;

use super::KeywordIndex;
use super::base::{self, GAP, JOINED, Postings, TERM, View};
use super::bm25::{Bm25, idf};
use super::query::{KeywordQuery, QueryWord};
use super::rank::{Asked, Weights};
use crate::ChunkSet;

/// A chunk that was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KeywordHit {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its score for the question.
    pub score: Bm25,
}

/// What one word of a question adds to a chunk's score, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TermScore {
    /// The word as asked, lower-cased.
    pub word: String,
    /// The term it was found under in this chunk, or the first it would be.
    pub term: String,
    /// In how many chunks the word is.
    pub df: u32,
    /// The word's weight, times how often it was asked.
    pub idf: f32,
    /// How often the chunk has it; heading words count as the settings say.
    pub tf: u32,
    /// The chunk's length in words.
    pub length: u32,
    /// The average length of all chunks in words.
    pub average_length: f64,
    /// What it adds: `idf · tf ⁄ (tf + k1 · (1 − b + b · length ⁄ average_length))`.
    pub score: Bm25,
}

/// The chunks a search is limited to, prepared for one index.
#[derive(Clone, Debug)]
pub struct Selection {
    chunks: ChunkSet,
    slots: Vec<bool>,
    generation: u64,
}

impl KeywordIndex {
    /// Prepares `chunks` as a limit for searches of this index. It may be used again
    /// and again; after a change of the index it is only slower.
    pub fn select(&self, chunks: &ChunkSet) -> Selection {
        Selection {
            slots: self.selected(chunks),
            chunks: chunks.clone(),
            generation: self.generation,
        }
    }

    fn selected(&self, chunks: &ChunkSet) -> Vec<bool> {
        (0..self.dead.len())
            .map(|slot| chunks.contains(self.chunk(slot)))
            .collect()
    }

    /// Returns the `k` chunks that score highest for `query`, the best first; of
    /// equal scores the smaller chunk first. With `within`, only chunks of it are
    /// found; the scores are the same, for they are always taken over all chunks.
    pub fn search(
        &self,
        query: &KeywordQuery,
        k: usize,
        within: Option<&Selection>,
    ) -> Vec<KeywordHit> {
        if k == 0 || self.live == 0 {
            return Vec::new();
        }
        let stale = within
            .filter(|selection| selection.generation != self.generation)
            .map(|selection| self.selected(&selection.chunks));
        let allowed = stale
            .as_deref()
            .or(within.map(|selection| selection.slots.as_slice()));
        let with_phrases = self.with_phrases(query, allowed);
        let allowed = with_phrases.as_deref().or(allowed);

        let asked = self.asked(query);
        let found = self
            .weights()
            .best(&asked, k, allowed, |slot| self.chunk(slot).0);
        let hit = |(chunk, score)| KeywordHit {
            chunk: ChunkId(chunk),
            score: Bm25(score),
        };
        found.into_iter().map(hit).collect()
    }

    /// Returns the postings of the terms that are searched for.
    fn asked(&self, query: &KeywordQuery) -> Vec<Asked<'_>> {
        let view = self.base.view();
        let mut asked = Vec::with_capacity(query.words.len());
        for word in query.words.iter().filter(|word| word.content) {
            let terms = self.terms(&word.terms, word.prefix);
            let idf = self.weight(&terms, word.count);
            asked.extend(terms.into_iter().map(|term| Asked {
                idf,
                saved: self.saved_postings(view, term),
                new: self.delta.postings(term),
            }));
        }
        asked
    }

    fn saved_postings<'a>(&self, view: View<'a>, term: u32) -> Postings<'a> {
        if (term as usize) < view.terms() {
            view.postings(term as usize)
        } else {
            Postings::default()
        }
    }

    fn weights(&self) -> &Weights {
        self.weights.get_or_init(|| {
            let length = |slot: usize| (!self.dead[slot]).then(|| self.length(slot));
            let lengths = (0..self.dead.len()).map(length);
            let (k1, b) = (self.settings.k1, self.settings.b);
            Weights::new(lengths, self.average_length(), k1, b)
        })
    }

    /// Returns the numbers of those of `texts` that are terms of the index, or the
    /// terms that begin with them.
    fn terms(&self, texts: &[String], prefix: bool) -> Vec<u32> {
        let view = self.base.view();
        let mut terms = Vec::new();
        for text in texts {
            if prefix {
                let begins = |term: &usize| view.term(*term).starts_with(text.as_bytes());
                let saved = self.base.first_term_from(text.as_bytes())..view.terms();
                terms.extend(saved.take_while(begins).map(|term| term as u32));
                let new = self.delta.terms().iter().enumerate();
                terms.extend(
                    new.filter(|(_, term)| term.starts_with(text.as_str()))
                        .map(|(index, _)| (view.terms() + index) as u32),
                );
            } else {
                let saved = self.base.find_term(text.as_bytes());
                terms.extend(saved.or_else(|| self.delta.find_term(text)));
            }
        }
        terms
    }

    /// Returns in how many chunks a word is that goes under these terms. Terms of
    /// different languages hardly ever stand in one chunk, so they are added up.
    fn df(&self, terms: &[u32]) -> u32 {
        let sum = terms
            .iter()
            .map(|term| u64::from(self.df[*term as usize]))
            .sum::<u64>();
        sum.min(self.live as u64) as u32
    }

    fn weight(&self, terms: &[u32], count: u32) -> f32 {
        idf(self.df(terms), self.live as u32) * count as f32
    }

    /// Returns the weight of one word of a question in this index.
    pub(super) fn word_weight(&self, word: &QueryWord) -> f32 {
        self.weight(&self.terms(&word.terms, word.prefix), 1)
    }

    /// Returns the slots of `allowed` that have all phrases of the query, or nothing
    /// if it has no phrases.
    fn with_phrases(&self, query: &KeywordQuery, allowed: Option<&[bool]>) -> Option<Vec<bool>> {
        if query.phrases.is_empty() {
            return None;
        }
        let mut slots = allowed.map_or_else(|| vec![true; self.dead.len()], <[bool]>::to_vec);
        for phrase in &query.phrases {
            let words = phrase
                .iter()
                .map(|word| self.terms(&word.terms, word.prefix))
                .collect::<Vec<_>>();
            let rarest = words.iter().min_by_key(|terms| self.df(terms));
            let mut having = vec![false; slots.len()];
            for term in rarest.into_iter().flatten() {
                for slot in self.slots_with(*term) {
                    let slot = slot as usize;
                    if slots[slot] && !self.dead[slot] && !having[slot] {
                        having[slot] = has_phrase(self.content(slot), &words);
                    }
                }
            }
            slots = having;
        }
        Some(slots)
    }

    fn slots_with(&self, term: u32) -> impl Iterator<Item = u32> {
        let postings = self.saved_postings(self.base.view(), term);
        let new = self.delta.postings(term).iter().map(|(slot, _)| *slot);
        postings.slots().chain(new)
    }

    /// Returns what each word of the query that is searched for adds to the score
    /// of `chunk`; nothing if the chunk is not in the index.
    pub fn explain(&self, query: &KeywordQuery, chunk: ChunkId) -> Vec<TermScore> {
        let Some(slot) = self.slot(chunk) else {
            return Vec::new();
        };
        let words = query.words.iter().filter(|word| word.content);
        words.map(|word| self.explain_word(word, slot)).collect()
    }

    fn explain_word(&self, word: &QueryWord, slot: usize) -> TermScore {
        let weights = self.weights();
        let terms = self.terms(&word.terms, word.prefix);
        let idf = self.weight(&terms, word.count);
        let (mut found, mut all, mut score) = (None, 0, 0.0);
        for term in &terms {
            let tf = self.count(*term, slot);
            if tf > 0 {
                found.get_or_insert(*term);
            }
            all += tf;
            score += idf * weights.earned(slot, tf);
        }
        TermScore {
            word: word.text.clone(),
            term: found.map_or_else(|| word.terms[0].clone(), |term| self.term_text(term)),
            df: self.df(&terms),
            idf,
            tf: all,
            length: self.length(slot),
            average_length: self.average_length(),
            score: Bm25(score),
        }
    }

    /// Returns the weight of a word of a question, and how often a slot has it.
    pub(super) fn word_count(&self, word: &QueryWord, slot: usize) -> (f32, u32) {
        let terms = self.terms(&word.terms, word.prefix);
        let tf = terms.iter().map(|term| self.count(*term, slot)).sum();
        (self.weight(&terms, 1), tf)
    }

    /// Returns how often a slot has a term; heading words count as the settings say.
    fn count(&self, term: u32, slot: usize) -> u32 {
        let heading = self.settings.heading_weight;
        let content = self.content(slot).iter();
        let found = content.filter(|word| **word != GAP && **word & TERM == term);
        found.map(|word| base::weight(*word, heading)).sum()
    }
}

/// Returns whether `content` has the words of a phrase, each under one of its
/// terms, one after another.
fn has_phrase(content: &[u32], words: &[Vec<u32>]) -> bool {
    let placed = |word: &&u32| **word == GAP || **word & JOINED == 0;
    let mut rest = content.iter().filter(placed);
    loop {
        let matches = |word: &u32, terms: &Vec<u32>| *word != GAP && terms.contains(&(word & TERM));
        let mut here = rest.clone();
        if words
            .iter()
            .all(|terms| here.next().is_some_and(|word| matches(word, terms)))
        {
            return true;
        }
        if rest.next().is_none() {
            return false;
        }
    }
}
