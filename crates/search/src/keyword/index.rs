//! The keyword index: what goes in, what comes out, and how it is kept.

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::ChunkId;

use super::base::{Base, Entry, GAP, HEADING, JOINED, TERM, Writer};
use super::delta::Delta;
use super::language::{Language, LanguageChoice};
use super::query::KeywordQuery;
use super::rank::Weights;
use super::settings::KeywordSettings;
use super::words::{Word, WordKind, for_each_word};
use crate::derived::DerivedError;

/// What is indexed of a chunk.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexedText<'a> {
    /// The title of its document.
    pub title: Option<&'a str>,
    /// The headings above it, outermost first.
    pub headings: &'a [String],
    /// Its own text.
    pub text: &'a str,
    /// The language of its document, where [`Language::detect`] told it. Without
    /// one, the chunk's own text is asked. Not looked at if the settings fix one.
    pub language: Option<Language>,
}

/// An index of chunks by their words.
#[derive(Debug)]
pub struct KeywordIndex {
    pub(super) settings: KeywordSettings,
    pub(super) base: Base,
    pub(super) delta: Delta,
    /// In how many living chunks each term is: the base's terms, then the delta's.
    pub(super) df: Vec<u32>,
    /// Which slots are of removed chunks.
    pub(super) dead: Vec<bool>,
    pub(super) live: usize,
    pub(super) live_length: u64,
    pub(super) live_in: [usize; Language::ALL.len()],
    /// Another one after every change, and in every index.
    pub(super) generation: u64,
    pub(super) weights: OnceLock<Weights>,
}

impl KeywordIndex {
    /// Returns an empty index.
    pub fn new(settings: KeywordSettings) -> Self {
        Self::over(Base::default(), settings)
    }

    /// Opens the index that was saved at `path`. Fails if there is none, if it is
    /// damaged, or if it was made with other settings: then it is built anew.
    pub fn open(path: &Path, settings: KeywordSettings) -> Result<Self, DerivedError> {
        let base = Base::open(path, settings.fingerprint(), settings.heading_weight)?;
        Ok(Self::over(base, settings))
    }

    fn over(base: Base, settings: KeywordSettings) -> Self {
        let view = base.view();
        let mut live_in = [0; Language::ALL.len()];
        for language in view.languages {
            live_in[usize::from(*language)] += 1;
        }
        Self {
            df: (0..view.terms())
                .map(|term| view.postings(term).len() as u32)
                .collect(),
            dead: vec![false; view.slots()],
            live: view.slots(),
            live_length: base.total_length(),
            live_in,
            delta: Delta::default(),
            generation: next_generation(),
            weights: OnceLock::new(),
            settings,
            base,
        }
    }

    /// Writes the index to `path` as of the store's commit `sequence`, and goes on
    /// from what was written: the delta is empty afterwards and removed chunks are
    /// gone. If it fails, the index and the file at `path` are as they were.
    pub fn save(&mut self, path: &Path, sequence: u64) -> Result<(), DerivedError> {
        self.write(path, sequence)?;
        *self = Self::open(path, self.settings.clone())?;
        Ok(())
    }

    fn write(&self, path: &Path, sequence: u64) -> Result<(), DerivedError> {
        let view = self.base.view();
        let old_text = |term: usize| match term.checked_sub(view.terms()) {
            None => view.term(term),
            Some(new) => self.delta.terms()[new].as_bytes(),
        };
        let mut kept = (0..self.df.len())
            .filter(|term| self.df[*term] > 0)
            .collect::<Vec<_>>();
        kept.sort_unstable_by(|a, b| old_text(*a).cmp(old_text(*b)));
        let mut places = vec![u32::MAX; self.df.len()];
        for (place, term) in kept.iter().enumerate() {
            places[*term] = place as u32;
        }
        let terms = kept.iter().map(|term| old_text(*term)).collect::<Vec<_>>();

        let mut slots = (0..self.dead.len())
            .filter(|slot| !self.dead[*slot])
            .collect::<Vec<_>>();
        slots.sort_unstable_by_key(|slot| self.chunk(*slot));
        let mut writer = Writer::new(slots.len());
        for slot in slots {
            let content = self.content(slot).iter();
            writer.push(Entry {
                chunk: self.chunk(slot).0,
                language: self.language(slot) as u8,
                content: &mut content.map(|word| match *word {
                    GAP => GAP,
                    word => (word & !TERM) | places[(word & TERM) as usize],
                }),
            });
        }
        let fingerprint = self.settings.fingerprint();
        writer.write(
            path,
            sequence,
            fingerprint,
            self.settings.heading_weight,
            &terms,
        )
    }

    /// Returns the store's last commit that the saved part of the index has seen;
    /// 0 if nothing was saved.
    pub fn sequence(&self) -> u64 {
        self.base.sequence()
    }

    /// Returns the settings it was made with.
    pub fn settings(&self) -> &KeywordSettings {
        &self.settings
    }

    /// Adds a chunk; in place of the one with this id, if there is one.
    pub fn insert(&mut self, chunk: ChunkId, text: &IndexedText<'_>) {
        self.remove(chunk);
        let language = match self.settings.language {
            LanguageChoice::Fixed(language) => language,
            LanguageChoice::Auto => text
                .language
                .or_else(|| Language::detect(text.text))
                .unwrap_or_default(),
        };
        let heading_weight = self.settings.heading_weight;
        let mut filling = self
            .delta
            .start(&self.base, &mut self.df, language, heading_weight);
        if heading_weight > 0 {
            let title = text.title.filter(|title| {
                let same = |heading: &String| heading.trim() == title.trim();
                !text.headings.iter().any(same)
            });
            for line in title
                .into_iter()
                .chain(text.headings.iter().map(String::as_str))
            {
                for_each_word(line, &mut |word| {
                    filling.push(&word, HEADING | mark(&word));
                });
                filling.gap();
            }
        }
        for_each_word(text.text, &mut |word| {
            filling.push(&word, mark(&word));
        });
        let length = filling.finish(chunk.0);
        self.dead.push(false);
        self.live += 1;
        self.live_length += u64::from(length);
        self.live_in[language as usize] += 1;
        self.changed();
    }

    /// Removes a chunk; returns whether it was there.
    pub fn remove(&mut self, chunk: ChunkId) -> bool {
        let Some(slot) = self.slot(chunk) else {
            return false;
        };
        self.delta.forget(chunk.0);
        let mut terms = self.content(slot).to_vec();
        terms.retain(|word| *word != GAP);
        terms.iter_mut().for_each(|word| *word &= TERM);
        terms.sort_unstable();
        terms.dedup();
        for term in terms {
            let df = &mut self.df[term as usize];
            *df = df.saturating_sub(1);
        }
        self.dead[slot] = true;
        self.live -= 1;
        self.live_length -= u64::from(self.length(slot));
        self.live_in[self.language(slot) as usize] -= 1;
        self.changed();
        true
    }

    fn changed(&mut self) {
        self.generation = next_generation();
        self.weights = OnceLock::new();
    }

    /// Returns how many chunks there are.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Returns whether there are no chunks.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Returns whether `chunk` is in the index.
    pub fn contains(&self, chunk: ChunkId) -> bool {
        self.slot(chunk).is_some()
    }

    /// Returns which share of the slots is in the delta or struck out, 0 to 1: the
    /// larger, the more a save is worth.
    pub fn delta_share(&self) -> f64 {
        let saved = self.base.view().slots();
        let removed = self.dead[..saved].iter().filter(|dead| **dead).count();
        let all = self.dead.len();
        if all == 0 {
            return 0.0;
        }
        (removed + self.delta.slots()) as f64 / all as f64
    }

    /// Returns the bytes held in memory, roughly; the saved part is mapped and not
    /// counted.
    pub fn memory(&self) -> usize {
        self.delta.memory()
            + 4 * self.df.capacity()
            + self.dead.capacity()
            + 4 * self.base.lengths().len()
            + self.weights.get().map_or(0, Weights::memory)
    }

    /// Returns the length of the saved part in bytes.
    pub fn saved_len(&self) -> usize {
        self.base.file_len()
    }

    /// Cuts a question into words for this index.
    pub fn query(&self, text: &str) -> KeywordQuery {
        KeywordQuery::new(text, &self.languages())
    }

    /// Returns the languages that chunks were read in, the most used first.
    fn languages(&self) -> Vec<Language> {
        if let LanguageChoice::Fixed(language) = self.settings.language {
            return vec![language];
        }
        let mut used = Language::ALL.to_vec();
        used.retain(|language| self.live_in[*language as usize] > 0);
        used.sort_by_key(|language| std::cmp::Reverse(self.live_in[*language as usize]));
        if used.is_empty() {
            used.push(Language::default());
        }
        used
    }

    pub(super) fn average_length(&self) -> f64 {
        (self.live_length as f64 / self.live.max(1) as f64).max(f64::MIN_POSITIVE)
    }

    /// Returns the places in `text`, any text, at which words of the query stand, in
    /// order and apart from one another.
    pub fn highlight(&self, query: &KeywordQuery, text: &str) -> Vec<Range<usize>> {
        query.highlight(text)
    }

    pub(super) fn term_text(&self, term: u32) -> String {
        let view = self.base.view();
        match (term as usize).checked_sub(view.terms()) {
            None => String::from_utf8_lossy(view.term(term as usize)).into_owned(),
            Some(new) => self.delta.terms()[new].to_string(),
        }
    }

    /// Returns the slot in which a chunk lives.
    pub(super) fn slot(&self, chunk: ChunkId) -> Option<usize> {
        let saved = self.base.view().chunks;
        if let Some(slot) = self.delta.slot(chunk.0) {
            return Some(saved.len() + slot as usize);
        }
        saved
            .binary_search(&chunk.0)
            .ok()
            .filter(|slot| !self.dead[*slot])
    }

    pub(super) fn chunk(&self, slot: usize) -> ChunkId {
        let saved = self.base.view().chunks;
        ChunkId(match slot.checked_sub(saved.len()) {
            None => saved[slot],
            Some(new) => self.delta.chunks[new],
        })
    }

    pub(super) fn content(&self, slot: usize) -> &[u32] {
        let view = self.base.view();
        match slot.checked_sub(view.slots()) {
            None => view.content(slot),
            Some(new) => self.delta.content(new),
        }
    }

    pub(super) fn length(&self, slot: usize) -> u32 {
        let saved = self.base.lengths();
        match slot.checked_sub(saved.len()) {
            None => saved[slot],
            Some(new) => self.delta.lengths[new],
        }
    }

    fn language(&self, slot: usize) -> Language {
        let saved = self.base.view().languages;
        match slot.checked_sub(saved.len()) {
            None => Language::ALL[usize::from(saved[slot])],
            Some(new) => self.delta.languages[new],
        }
    }
}

fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn mark(word: &Word<'_>) -> u32 {
    match word.kind {
        WordKind::Joined => JOINED,
        _ => 0,
    }
}
