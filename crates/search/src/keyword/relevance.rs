//! How much of a question a chunk covers and how well it bears on it: the ground on
//! which "nothing was found" is said.

use contract::{ChunkId, Share};

use super::query::KeywordQuery;
use super::{KeywordIndex, WordKind, bm25};

// The scale must mean the same whatever the ranking is tuned to, so it has constants
// of its own, the defaults of the ranking.
const K1: f32 = 1.5;
const B: f32 = 0.75;
/// The strength at which the relevance is 1 − 1/e.
const SCALE: f32 = 0.2;

impl KeywordIndex {
    /// Returns which share of the question's content words `chunk` has, each word
    /// counting by its weight (`idf`), from 0 to 1. Function words do not count; a
    /// word that no chunk has counts the most. 0 if the chunk is not in the index or
    /// the question has no words.
    ///
    /// A joined word counts by its parts: they are all there if the joined word is.
    pub fn coverage(&self, query: &KeywordQuery, chunk: ChunkId) -> f32 {
        let Some(slot) = self.slot(chunk) else {
            return 0.0;
        };
        let (mut covered, mut all) = (0.0, 0.0);
        for (idf, tf) in self.counts(query, slot) {
            covered += if tf > 0 { idf } else { 0.0 };
            all += idf;
        }
        if all > 0.0 { covered / all } else { 0.0 }
    }

    /// Returns how well `chunk` bears on the question by its words, from 0 to 1:
    /// a scale on which 0.7 is a sensible least value for an answer.
    ///
    /// Where [`KeywordIndex::coverage`] asks whether the words are there, this asks
    /// how much they are: `s`, the chunk's BM25 score as a share of the most that
    /// any chunk could score for the question (every word without end), lessened by
    /// `1 − e⁻ⁿ` if only `n` of its words were found, for a single word may be there
    /// by chance. The relevance is `1 − e^(−s ⁄ 0.2)`: 0.70 at `s` = 0.24, 0.5 at
    /// 0.14, 0.9 at 0.46.
    ///
    /// On passages of Wikipedia and on a program's manual this tells questions that
    /// are answered from questions about something else better than coverage does,
    /// and at 0.7 keeps nine of ten while one of twenty strays in; the figures are
    /// kept in `docs/bench`. Questions about the same subject that are not answered
    /// it cannot tell: their words are there.
    pub fn relevance(&self, query: &KeywordQuery, chunk: ChunkId) -> Share {
        let Some(slot) = self.slot(chunk) else {
            return Share::ZERO;
        };
        let norm = bm25::norm(K1, B, self.length(slot), self.average_length());
        let (mut score, mut most, mut words, mut found) = (0.0, 0.0, 0, 0);
        for (idf, tf) in self.counts(query, slot) {
            score += idf * bm25::saturation(tf as f32, norm);
            most += idf;
            words += 1;
            found += i32::from(tf > 0);
        }
        if found == 0 {
            return Share::ZERO;
        }
        let certain = if found == words {
            1.0
        } else {
            1.0 - (-found as f32).exp()
        };
        let strength = certain * score / most;
        Share::clamped(f64::from(1.0 - (-strength / SCALE).exp()))
    }

    /// Returns the weight of each content word of the question, joined words left
    /// out, and how often the chunk has it; as often as the joined word it is part
    /// of, if it has only that.
    fn counts(&self, query: &KeywordQuery, slot: usize) -> Vec<(f32, u32)> {
        let content = query.words.iter().filter(|word| word.content);
        let words = content
            .map(|word| (word, self.word_count(word, slot)))
            .collect::<Vec<_>>();
        let joined = words
            .iter()
            .filter(|(word, _)| word.kind == WordKind::Joined);
        let plain = words
            .iter()
            .filter(|(word, _)| word.kind != WordKind::Joined);
        let count = |(word, (idf, tf)): &(&super::query::QueryWord, (f32, u32))| {
            let within = |(whole, _): &&(&super::query::QueryWord, (f32, u32))| {
                whole.bytes.start <= word.bytes.start && word.bytes.end <= whole.bytes.end
            };
            let whole = joined.clone().filter(within).map(|(_, (_, tf))| *tf).max();
            (*idf, if *tf > 0 { *tf } else { whole.unwrap_or(0) })
        };
        plain.map(count).collect()
    }
}
