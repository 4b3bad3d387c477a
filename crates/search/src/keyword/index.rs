//! The keyword index as others see it.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use contract::ChunkId;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::base::{self, Base, Entry, GAP, HEADING, JOINED, Postings, TERM, Writer};
use super::bm25::{Bm25, idf};
use super::delta::Delta;
use super::language::{self, Language, LanguageChoice};
use super::query::{KeywordQuery, PhraseWord, QueryWord};
use super::rank::{Best, Weights};
use super::words::{Word, WordKind, for_each_word};
use crate::ChunkSet;
use crate::derived::DerivedError;

/// How texts are indexed and scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeywordSettings {
    /// The language the texts are stemmed in.
    pub language: LanguageChoice,
    /// How slowly further occurrences of a word stop counting; 0 or more.
    pub k1: f32,
    /// How much long chunks are held back, 0 to 1.
    pub b: f32,
    /// How many times a word of the title or of a heading counts; 0 leaves them out.
    pub heading_weight: u32,
}

impl Default for KeywordSettings {
    fn default() -> Self {
        Self {
            language: LanguageChoice::Auto,
            k1: 1.2,
            b: 0.75,
            heading_weight: 1,
        }
    }
}

impl KeywordSettings {
    /// Returns what of the settings is baked into a base. `k1` and `b` are not:
    /// they may change from one question to the next.
    fn fingerprint(&self) -> u64 {
        let language = match self.language {
            LanguageChoice::Auto => u32::MAX,
            LanguageChoice::Fixed(language) => language as u32,
        };
        let mut bytes = language.to_le_bytes().to_vec();
        bytes.extend(self.heading_weight.to_le_bytes());
        xxh3_64(&bytes)
    }
}

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

/// An index of chunks by their words.
#[derive(Debug)]
pub struct KeywordIndex {
    settings: KeywordSettings,
    base: Base,
    delta: Delta,
    /// In how many living chunks each term is: the base's terms, then the delta's.
    df: Vec<u32>,
    /// Which slots are of removed chunks.
    dead: Vec<bool>,
    live: usize,
    live_length: u64,
    live_in: [usize; Language::ALL.len()],
    /// Another one after every change, and in every index.
    generation: u64,
    weights: OnceLock<Weights>,
    boards: Mutex<Vec<Vec<f32>>>,
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
            boards: Mutex::new(Vec::new()),
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
        let view = self.base.view();
        let mut filling = self
            .delta
            .start(view, &mut self.df, language, heading_weight);
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
        let allowed = match self.with_phrases(query, allowed) {
            Some(both) => Some(both),
            None => allowed.map(<[bool]>::to_vec),
        };
        let found = self.scored(query, k, allowed.as_deref());
        found
            .into_iter()
            .map(|(chunk, score)| KeywordHit {
                chunk,
                score: Bm25(score),
            })
            .collect()
    }

    fn scored(
        &self,
        query: &KeywordQuery,
        k: usize,
        allowed: Option<&[bool]>,
    ) -> Vec<(ChunkId, f32)> {
        let weights = self.weights();
        let view = self.base.view();
        let mut scores = self.board(weights.slots());
        for word in query.words.iter().filter(|word| word.content) {
            let terms = self.terms(&word.terms, word.prefix);
            let idf = self.weight(&terms, word.count);
            for term in terms {
                if (term as usize) < view.terms() {
                    weights.add(&view.postings(term as usize), idf, &mut scores);
                }
                weights.add_pairs(self.delta.postings(term), idf, &mut scores);
            }
        }
        let mut best = Best::new(k);
        for (block, some) in scores.chunks(16).enumerate() {
            let threshold = best.threshold();
            if some.iter().all(|score| *score < threshold) {
                continue;
            }
            for (index, score) in some.iter().enumerate() {
                let slot = 16 * block + index;
                if *score >= threshold && allowed.is_none_or(|allowed| allowed[slot]) {
                    best.offer(*score, self.chunk(slot).0);
                }
            }
        }
        self.give_back(scores);
        let sorted = best.into_sorted().into_iter();
        sorted
            .map(|kept| (ChunkId(kept.chunk), kept.score))
            .collect()
    }

    /// Returns an empty board of scores.
    fn board(&self, slots: usize) -> Vec<f32> {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        let mut board = boards.pop().unwrap_or_default();
        drop(boards);
        board.resize(slots, 0.0);
        board
    }

    fn give_back(&self, mut board: Vec<f32>) {
        board.fill(0.0);
        self.boards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(board);
    }

    fn weights(&self) -> &Weights {
        self.weights.get_or_init(|| {
            let lengths =
                (0..self.dead.len()).map(|slot| (!self.dead[slot]).then(|| self.length(slot)));
            Weights::new(
                lengths,
                self.average_length(),
                self.settings.k1,
                self.settings.b,
            )
        })
    }

    fn average_length(&self) -> f64 {
        (self.live_length as f64 / self.live.max(1) as f64).max(f64::MIN_POSITIVE)
    }

    /// Returns the numbers of those of `texts` that are terms of the index, or the
    /// terms that begin with them.
    fn terms(&self, texts: &[String], prefix: bool) -> Vec<u32> {
        let view = self.base.view();
        let mut terms = Vec::new();
        for text in texts {
            if prefix {
                let first = view.first_term_from(text.as_bytes());
                let begins = |term: &usize| view.term(*term).starts_with(text.as_bytes());
                terms.extend(
                    (first..view.terms())
                        .take_while(begins)
                        .map(|term| term as u32),
                );
                let new = self.delta.terms().iter().enumerate();
                terms.extend(
                    new.filter(|(_, term)| term.starts_with(text.as_str()))
                        .map(|(index, _)| (view.terms() + index) as u32),
                );
            } else {
                let term = view.find_term(text.as_bytes());
                terms.extend(term.or_else(|| self.delta.find_term(text)));
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
                .map(|PhraseWord { terms, prefix }| self.terms(terms, *prefix))
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
        let view = self.base.view();
        let postings = if (term as usize) < view.terms() {
            view.postings(term as usize)
        } else {
            Postings::default()
        };
        let saved = postings.slots().collect::<Vec<_>>();
        saved
            .into_iter()
            .chain(self.delta.postings(term).iter().map(|(slot, _)| *slot))
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
        let heading = self.settings.heading_weight;
        let (mut found, mut all, mut score) = (None, 0, 0.0);
        for term in &terms {
            let content = self.content(slot).iter();
            let tf = content
                .filter(|word| **word != GAP && **word & TERM == *term)
                .map(|word| base::weight(*word, heading))
                .sum::<u32>();
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

    /// Returns in which of `words` terms the chunk's contents have at least one, and
    /// their weights; both in the order of the words.
    pub(super) fn found_words<'q>(
        &self,
        words: impl Iterator<Item = &'q QueryWord>,
        chunk: ChunkId,
    ) -> Option<Vec<(&'q QueryWord, bool, f32)>> {
        let slot = self.slot(chunk)?;
        let present = self
            .content(slot)
            .iter()
            .filter(|word| **word != GAP)
            .map(|word| word & TERM)
            .collect::<HashSet<_>>();
        let of = |word: &'q QueryWord| {
            let terms = self.terms(&word.terms, word.prefix);
            let found = terms.iter().any(|term| present.contains(term));
            (word, found, self.weight(&terms, 1))
        };
        Some(words.map(of).collect())
    }

    /// Returns the places in `text`, any text, at which words of the query stand, in
    /// order and apart from one another.
    pub fn highlight(&self, query: &KeywordQuery, text: &str) -> Vec<Range<usize>> {
        query.highlight(text)
    }

    fn term_text(&self, term: u32) -> String {
        let view = self.base.view();
        match (term as usize).checked_sub(view.terms()) {
            None => String::from_utf8_lossy(view.term(term as usize)).into_owned(),
            Some(new) => self.delta.terms()[new].to_string(),
        }
    }

    /// Returns the slot in which a chunk lives.
    fn slot(&self, chunk: ChunkId) -> Option<usize> {
        let saved = self.base.view().chunks;
        if let Some(slot) = self.delta.slot(chunk.0) {
            return Some(saved.len() + slot as usize);
        }
        saved
            .binary_search(&chunk.0)
            .ok()
            .filter(|slot| !self.dead[*slot])
    }

    fn chunk(&self, slot: usize) -> ChunkId {
        let saved = self.base.view().chunks;
        ChunkId(match slot.checked_sub(saved.len()) {
            None => saved[slot],
            Some(new) => self.delta.chunks[new],
        })
    }

    fn content(&self, slot: usize) -> &[u32] {
        let view = self.base.view();
        match slot.checked_sub(view.slots()) {
            None => view.content(slot),
            Some(new) => self.delta.content(new),
        }
    }

    fn length(&self, slot: usize) -> u32 {
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

/// Returns whether `content` has the words of a phrase, each under one of its
/// terms, one after another.
fn has_phrase(content: &[u32], words: &[Vec<u32>]) -> bool {
    let placed = || {
        content
            .iter()
            .filter(|word| **word == GAP || **word & JOINED == 0)
    };
    let mut rest = placed();
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

impl KeywordQuery {
    /// Returns the places in `text`, any text, at which content words or phrases'
    /// words of the question stand, in order and apart from one another.
    pub fn highlight(&self, text: &str) -> Vec<Range<usize>> {
        let content = self.words.iter().filter(|word| word.content);
        let searched = content.map(|word| (&word.terms, word.prefix));
        let quoted = self
            .phrases
            .iter()
            .flatten()
            .map(|word| (&word.terms, word.prefix));
        let (mut whole, mut beginnings) = (HashSet::new(), Vec::new());
        for (terms, prefix) in searched.chain(quoted) {
            if prefix {
                beginnings.extend(terms.iter().map(String::as_str));
            } else {
                whole.extend(terms.iter().map(String::as_str));
            }
        }
        let mut places: Vec<Range<usize>> = Vec::new();
        for_each_word(text, &mut |word| {
            let hit = self.languages.iter().any(|language| {
                let term = language::term(&word, *language);
                whole.contains(term.as_str())
                    || beginnings
                        .iter()
                        .any(|beginning| term.starts_with(beginning))
            });
            if !hit {
                return;
            }
            let mut place = word.bytes;
            while let Some(last) = places.last()
                && place.start < last.end
            {
                place = place.start.min(last.start)..place.end.max(last.end);
                places.pop();
            }
            places.push(place);
        });
        places
    }
}
