//! Walking the graph towards a query.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;

use super::Graph;
use crate::vector::codes::CodedQuery;
use crate::vector::rows::{Bits, Rows};
use crate::vector::simd::prefetch;

/// Marks a pool entry whose neighbours have been looked at.
const EXPANDED: u32 = 1 << 31;

/// What a walk needs besides the graph; kept between walks, for it is large.
#[derive(Debug, Default)]
pub(in crate::vector) struct Scratch {
    /// Slots that have been scored in this walk.
    visited: Vec<u64>,
    /// The best found so far, best first, [`EXPANDED`] marked in the slot.
    pool: Vec<(f32, u32)>,
    fresh: Vec<u32>,
    scores: Vec<f32>,
}

/// Scratches that wait for the next walk.
#[derive(Debug, Default)]
pub(in crate::vector) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// Runs `work` with a scratch of the pool.
    pub(in crate::vector) fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let waiting = |pool: &Mutex<Vec<Scratch>>| {
            pool.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .pop()
        };
        let mut scratch = waiting(&self.0).unwrap_or_default();
        let result = work(&mut scratch);
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(scratch);
        result
    }
}

/// A score that orders by value, for heaps.
#[derive(Clone, Copy, PartialEq)]
struct Scored(f32, u32);

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}

impl Scratch {
    /// Forgets the last walk; makes room for `slots`.
    fn clear(&mut self, slots: usize) {
        self.visited.clear();
        self.visited.resize(slots.div_ceil(64), 0);
        self.pool.clear();
    }

    /// Marks `slot`; returns whether it was not marked before.
    #[inline]
    fn visit(&mut self, slot: u32) -> bool {
        let (word, bit) = (&mut self.visited[slot as usize / 64], 1 << (slot % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Gathers the unvisited neighbours of `slot` into `fresh`, and scores them.
    #[inline]
    fn look_around(
        &mut self,
        graph: &Graph,
        rows: &Rows,
        query: &CodedQuery,
        slot: u32,
        level: u32,
    ) {
        self.fresh.clear();
        for next in graph.neighbours(slot, level) {
            if self.visit(*next) {
                self.fresh.push(*next);
            }
        }
        rows.code_scores(query, &self.fresh, &mut self.scores);
    }

    /// Puts a scored slot into the pool, which keeps `limit`; returns its place.
    #[inline]
    fn offer(&mut self, score: f32, slot: u32, limit: usize) -> Option<usize> {
        if self.pool.len() == limit {
            match self.pool.last() {
                Some(worst) if score > worst.0 => self.pool.pop(),
                _ => return None,
            };
        }
        let place = self.pool.partition_point(|(found, _)| *found >= score);
        self.pool.insert(place, (score, slot));
        Some(place)
    }
}

impl Graph {
    /// Walks greedily from the entry down to above `level`; returns where it arrives.
    fn descend(
        &self,
        rows: &Rows,
        query: &CodedQuery,
        level: u32,
        scratch: &mut Scratch,
    ) -> Option<(f32, u32)> {
        let (entry, top) = self.entry?;
        rows.code_scores(query, &[entry], &mut scratch.scores);
        let mut best = (scratch.scores[0], entry);
        for level in (level + 1..=top).rev() {
            loop {
                let neighbours = self.neighbours(best.1, level);
                rows.code_scores(query, neighbours, &mut scratch.scores);
                let before = best;
                for (score, slot) in scratch.scores.iter().zip(neighbours) {
                    if *score > best.0 {
                        best = (*score, *slot);
                    }
                }
                if best.1 == before.1 {
                    break;
                }
            }
        }
        Some(best)
    }

    /// Fills the scratch's pool with the `limit` best slots found at `level`,
    /// walking from `start`. Deleted slots are among them.
    fn walk(
        &self,
        rows: &Rows,
        query: &CodedQuery,
        start: (f32, u32),
        level: u32,
        limit: usize,
        scratch: &mut Scratch,
    ) {
        scratch.clear(self.covered());
        scratch.visit(start.1);
        scratch.pool.push(start);
        let mut next = 0;
        while next < scratch.pool.len() {
            let slot = scratch.pool[next].1;
            if slot & EXPANDED != 0 {
                next += 1;
                continue;
            }
            scratch.pool[next].1 |= EXPANDED;
            next += 1;
            // Likely the one after this: its list arrives while this one's
            // neighbours are scored.
            if level == 0
                && let Some((_, after)) = scratch.pool.get(next)
            {
                prefetch(self.lists.at(after & !EXPANDED), self.lists.stride() * 4);
            }
            scratch.look_around(self, rows, query, slot, level);
            for index in 0..scratch.fresh.len() {
                let (score, slot) = (scratch.scores[index], scratch.fresh[index]);
                if let Some(place) = scratch.offer(score, slot, limit) {
                    next = next.min(place);
                }
            }
        }
        for entry in &mut scratch.pool {
            entry.1 &= !EXPANDED;
        }
    }

    /// Returns up to `limit` of the slots nearest to `query`, best first.
    /// Deleted slots are among them.
    pub(in crate::vector) fn nearest<'a>(
        &self,
        rows: &Rows,
        query: &CodedQuery,
        limit: usize,
        scratch: &'a mut Scratch,
    ) -> &'a [(f32, u32)] {
        match self.descend(rows, query, 0, scratch) {
            Some(start) => self.walk(rows, query, start, 0, limit.max(1), scratch),
            None => scratch.pool.clear(),
        }
        &scratch.pool
    }

    /// Returns up to `limit` of the slots in `allowed` nearest to `query`, best
    /// first. Slots that are not allowed are walked through, but not counted.
    pub(in crate::vector) fn nearest_of(
        &self,
        rows: &Rows,
        query: &CodedQuery,
        limit: usize,
        allowed: &Bits,
        scratch: &mut Scratch,
    ) -> Vec<(f32, u32)> {
        let Some(start) = self.descend(rows, query, 0, scratch) else {
            return Vec::new();
        };
        scratch.clear(self.covered());
        scratch.visit(start.1);
        let mut ahead = BinaryHeap::from([Scored(start.0, start.1)]);
        let mut found = BinaryHeap::new();
        if allowed.contains(start.1) {
            found.push(Reverse(Scored(start.0, start.1)));
        }
        while let Some(Scored(score, slot)) = ahead.pop() {
            let worst = match found.peek() {
                Some(Reverse(worst)) if found.len() >= limit => worst.0,
                _ => f32::NEG_INFINITY,
            };
            if score < worst {
                break;
            }
            scratch.look_around(self, rows, query, slot, 0);
            for (score, slot) in scratch.scores.iter().zip(&scratch.fresh) {
                let worst = match found.peek() {
                    Some(Reverse(worst)) if found.len() >= limit => worst.0,
                    _ => f32::NEG_INFINITY,
                };
                if *score > worst {
                    ahead.push(Scored(*score, *slot));
                    if allowed.contains(*slot) {
                        found.push(Reverse(Scored(*score, *slot)));
                        if found.len() > limit {
                            found.pop();
                        }
                    }
                }
            }
        }
        let mut found: Vec<_> = found
            .into_iter()
            .map(|Reverse(one)| (one.0, one.1))
            .collect();
        found.sort_unstable_by(crate::vector::top::best_first);
        found
    }

    /// As [`Graph::nearest`], at `level` and from `start`; for building.
    pub(super) fn candidates(
        &self,
        rows: &Rows,
        query: &CodedQuery,
        start: (f32, u32),
        level: u32,
        limit: usize,
        scratch: &mut Scratch,
    ) -> Vec<(f32, u32)> {
        self.walk(rows, query, start, level, limit, scratch);
        scratch.pool.clone()
    }

    /// As the walk's first part; for building.
    pub(super) fn arrive(
        &self,
        rows: &Rows,
        query: &CodedQuery,
        level: u32,
        scratch: &mut Scratch,
    ) -> Option<(f32, u32)> {
        self.descend(rows, query, level, scratch)
    }
}
