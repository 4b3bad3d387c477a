//! The delta of a keyword index: the chunks inserted since its base was written,
//! in memory, under the same terms and after the base's slots.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

use super::base::{self, Base};
use super::language::{self, Language};
use super::words::Word;

/// A map by words or numbers; XXH3 is several times faster on them than SipHash.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;

#[derive(Debug, Default)]
pub(super) struct Delta {
    /// The chunk of each slot.
    pub(super) chunks: Vec<u64>,
    /// The language each slot was read in.
    pub(super) languages: Vec<Language>,
    /// The length of each slot in words.
    pub(super) lengths: Vec<u32>,
    content_ends: Vec<usize>,
    contents: Vec<u32>,
    slots: Map<u64, u32>,
    terms: Vec<Box<str>>,
    by_text: Map<Box<str>, u32>,
    postings: Vec<Vec<(u32, u32)>>,
    by_term: Map<u32, u32>,
    surfaces: [Map<Box<str>, u32>; Language::ALL.len()],
    /// The term of each of `postings`.
    held: Vec<u32>,
}

impl Delta {
    /// Returns how many slots there are, removed ones too.
    pub(super) fn slots(&self) -> usize {
        self.chunks.len()
    }

    /// Returns the terms that the base does not have, in the order of their numbers.
    pub(super) fn terms(&self) -> &[Box<str>] {
        &self.terms
    }

    /// Returns the number of a term that the base does not have.
    pub(super) fn find_term(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    /// Returns the slot, within the delta, in which `chunk` lives.
    pub(super) fn slot(&self, chunk: u64) -> Option<u32> {
        self.slots.get(&chunk).copied()
    }

    /// Forgets where `chunk` lives; its slot stays.
    pub(super) fn forget(&mut self, chunk: u64) {
        self.slots.remove(&chunk);
    }

    /// Returns the contents of a slot within the delta.
    pub(super) fn content(&self, slot: usize) -> &[u32] {
        let start = slot
            .checked_sub(1)
            .map_or(0, |before| self.content_ends[before]);
        &self.contents[start..self.content_ends[slot]]
    }

    /// Returns the slots, counted from the base's first, that have `term`, and how often.
    pub(super) fn postings(&self, term: u32) -> &[(u32, u32)] {
        self.by_term
            .get(&term)
            .map_or(&[], |index| self.postings[*index as usize].as_slice())
    }

    /// Starts the next chunk.
    pub(super) fn start<'a>(
        &'a mut self,
        base: &'a Base,
        df: &'a mut Vec<u32>,
        language: Language,
        heading: u32,
    ) -> Filling<'a> {
        let slot = (base.view().slots() + self.slots()) as u32;
        Filling {
            delta: self,
            base,
            df,
            language,
            heading,
            slot,
        }
    }

    /// Returns the bytes held in memory, roughly.
    pub(super) fn memory(&self) -> usize {
        let entry = |text: &str| text.len() + 32;
        let surfaces = self.surfaces.iter().flat_map(|map| map.keys());
        self.contents.capacity() * 4
            + self.chunks.capacity() * 25
            + self.slots.capacity() * 17
            + self
                .postings
                .iter()
                .map(|list| list.capacity() * 8 + 24 + 16)
                .sum::<usize>()
            + surfaces.map(|text| entry(text)).sum::<usize>()
            + self.terms.iter().map(|text| 2 * entry(text)).sum::<usize>()
    }
}

/// A chunk that is being added to the delta.
pub(super) struct Filling<'a> {
    delta: &'a mut Delta,
    base: &'a Base,
    df: &'a mut Vec<u32>,
    language: Language,
    heading: u32,
    slot: u32,
}

impl Filling<'_> {
    /// Adds a word; `marks` are those of the contents. Returns false if there are
    /// as many terms as there may be and this would be one more.
    pub(super) fn push(&mut self, word: &Word<'_>, marks: u32) -> bool {
        let surfaces = &self.delta.surfaces[self.language as usize];
        let held = match surfaces.get(word.text) {
            Some(held) => *held,
            None => {
                let Some(held) = self.hold(word) else {
                    return false;
                };
                self.delta.surfaces[self.language as usize].insert(word.text.into(), held);
                held
            }
        };
        let term = self.delta.held[held as usize];
        let weight = base::weight(marks, self.heading);
        let list = &mut self.delta.postings[held as usize];
        match list.last_mut() {
            Some((slot, count)) if *slot == self.slot => *count = count.saturating_add(weight),
            _ => {
                list.push((self.slot, weight));
                self.df[term as usize] += 1;
            }
        }
        self.delta.contents.push(term | marks);
        true
    }

    /// Marks that what follows is not one phrase with what came before.
    pub(super) fn gap(&mut self) {
        self.delta.contents.push(base::GAP);
    }

    /// Ends the chunk; returns its length in words.
    pub(super) fn finish(self, chunk: u64) -> u32 {
        let delta = self.delta;
        let slot = delta.chunks.len();
        delta.chunks.push(chunk);
        delta.languages.push(self.language);
        delta.content_ends.push(delta.contents.len());
        delta.slots.insert(chunk, slot as u32);
        let length = base::length(delta.content(slot), self.heading);
        delta.lengths.push(length);
        length
    }

    /// Returns the place of a word's postings, which are made if they do not exist.
    fn hold(&mut self, word: &Word<'_>) -> Option<u32> {
        let text = language::term(word, self.language);
        let delta = &mut *self.delta;
        let known = self.base.find_term(text.as_bytes());
        let term = match known.or_else(|| delta.find_term(&text)) {
            Some(term) => term,
            None => {
                let term = self.base.view().terms() + delta.terms.len();
                if term >= base::MOST_TERMS {
                    return None;
                }
                self.df.push(0);
                delta.terms.push(text.as_str().into());
                delta.by_text.insert(text.into(), term as u32);
                term as u32
            }
        };
        let fresh = delta.postings.len() as u32;
        let held = *delta.by_term.entry(term).or_insert(fresh);
        if held == fresh {
            delta.postings.push(Vec::new());
            delta.held.push(term);
        }
        Some(held)
    }
}

#[derive(Default)]
pub(super) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }

    // The byte by which `str` ends its hash: with one key a map it tells nothing.
    fn write_u8(&mut self, _: u8) {}

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 ^= number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
