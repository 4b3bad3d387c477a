//! Ranking: scores added up term by term, and the best of them kept.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::base::Postings;
use super::bm25;

/// What one occurrence, two, or any number of them earn in each slot, for the
/// present average length. Slots of removed chunks earn nothing.
#[derive(Debug)]
pub(super) struct Weights {
    once: Vec<f32>,
    twice: Vec<f32>,
    norms: Vec<f32>,
}

impl Weights {
    /// Makes the weights from each slot's length, or nothing for a removed one.
    pub(super) fn new(
        lengths: impl Iterator<Item = Option<u32>>,
        average: f64,
        k1: f32,
        b: f32,
    ) -> Self {
        let norms = lengths
            .map(|length| length.map_or(f32::INFINITY, |l| bm25::norm(k1, b, l, average)))
            .collect::<Vec<_>>();
        let of = |tf: f32| {
            norms
                .iter()
                .map(|norm| bm25::saturation(tf, *norm))
                .collect()
        };
        Self {
            once: of(1.0),
            twice: of(2.0),
            norms,
        }
    }

    /// Returns how many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.norms.len()
    }

    /// Returns what `tf` occurrences earn in a slot, 0 to 1.
    pub(super) fn earned(&self, slot: usize, tf: u32) -> f32 {
        match tf {
            0 => 0.0,
            1 => self.once[slot],
            2 => self.twice[slot],
            _ => bm25::saturation(tf as f32, self.norms[slot]),
        }
    }

    /// Returns the bytes held in memory.
    pub(super) fn memory(&self) -> usize {
        12 * self.norms.len()
    }

    /// Adds `idf` times what the slots of `postings` earn to `scores`.
    pub(super) fn add(&self, postings: &Postings<'_>, idf: f32, scores: &mut [f32]) {
        for slot in postings.once {
            scores[*slot as usize] += idf * self.once[*slot as usize];
        }
        for slot in postings.twice {
            scores[*slot as usize] += idf * self.twice[*slot as usize];
        }
        for pair in postings.more.chunks_exact(2) {
            let slot = pair[0] as usize;
            scores[slot] += idf * bm25::saturation(pair[1] as f32, self.norms[slot]);
        }
    }

    /// Does as [`Weights::add`] for postings of slot and count.
    pub(super) fn add_pairs(&self, postings: &[(u32, u32)], idf: f32, scores: &mut [f32]) {
        for (slot, tf) in postings {
            scores[*slot as usize] += idf * self.earned(*slot as usize, *tf);
        }
    }
}

/// The `k` best, kept while all are seen: higher scores first, and of equal scores
/// the smaller chunk.
pub(super) struct Best {
    k: usize,
    heap: BinaryHeap<Kept>,
}

/// A slot's score; the worst is the greatest, so that it is on top of the heap.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Kept {
    pub(super) score: f32,
    pub(super) chunk: u64,
}

impl Best {
    pub(super) fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::with_capacity(k.min(1 << 16) + 1),
        }
    }

    /// Returns the score below which nothing is kept any more.
    #[inline]
    pub(super) fn threshold(&self) -> f32 {
        if self.heap.len() < self.k {
            f32::MIN_POSITIVE
        } else {
            self.heap.peek().map_or(f32::INFINITY, |worst| worst.score)
        }
    }

    pub(super) fn offer(&mut self, score: f32, chunk: u64) {
        let one = Kept { score, chunk };
        if self.heap.len() < self.k {
            self.heap.push(one);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && one < *worst
        {
            *worst = one;
        }
    }

    /// Returns what was kept, the best first.
    pub(super) fn into_sorted(self) -> Vec<Kept> {
        self.heap.into_sorted_vec()
    }
}

impl Eq for Kept {}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = other.score.total_cmp(&self.score);
        by_score.then(self.chunk.cmp(&other.chunk))
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
