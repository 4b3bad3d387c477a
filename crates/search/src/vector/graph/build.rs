//! Building the graph, in batches.
//!
//! A batch of slots looks for its neighbours in the graph as it stands, each slot
//! on its own; then all links are made at once. So the work is spread over threads
//! without a lock, the result does not depend on their number (Dhulipala, Blelloch
//! and others 2023, "ParlayANN"), and a list that many new slots want to enter is
//! pruned once for all of them. Slots come in random order, so that few of a slot's
//! true neighbours are in its own batch.

use std::cell::RefCell;

use rayon::prelude::*;

use super::{Graph, MOST_LEVELS, NONE, Scratch};
use crate::vector::codes::CodedQuery;
use crate::vector::random::Random;
use crate::vector::rows::Rows;
use crate::vector::top::best_first;

/// The largest batch, as a share of the graph that it is linked to: one in this many.
const BATCH_SHARE: usize = 32;

/// The largest batch.
const BATCH_MOST: usize = 4096;

/// What a slot found: for each level from 0 its links, best first.
type Links = Vec<Vec<(f32, u32)>>;

/// A link asked for in the other direction: level, list's slot, score, new slot.
type Wish = (u32, u32, f32, u32);

thread_local! {
    static SCRATCH: RefCell<(Scratch, CodedQuery, Selector)> = RefCell::default();
}

impl Graph {
    /// Adds every slot of `rows` that the graph does not cover yet. Deleted ones
    /// are covered but not linked.
    ///
    /// `width` is how many candidates each looks at (`ef_construction`). Uses the
    /// rayon pool it is called in.
    pub(in crate::vector) fn extend(&mut self, rows: &Rows, width: usize, seed: u64) {
        let first = self.covered();
        let end = rows.slot_count();
        self.thaw();
        let mut order = Vec::new();
        self.lists.reserve(end.saturating_sub(first));
        self.towers.reserve(end.saturating_sub(first));
        for slot in first..end {
            let level = self.level_of(rows, slot as u32, seed);
            let live = rows.live.contains(slot as u32);
            let at = self.upper.len() as u32;
            let level = if live { level } else { 0 };
            self.towers.push(&[at, level]);
            for _ in 0..level {
                self.upper.push(&[]);
                let last = self.upper.len() as u32 - 1;
                self.upper.row_mut(last).fill(NONE);
            }
            self.lists.push(&[]);
            self.lists.row_mut(slot as u32).fill(NONE);
            if live {
                order.push(slot as u32);
            }
        }
        shuffle(&mut order, seed);

        let mut linked = self.links_count(first);
        let mut waiting = order.as_slice();
        while let Some(slot) = waiting.first() {
            let Some((_, top)) = self.entry else {
                self.entry = Some((*slot, self.towers.row(*slot)[1]));
                waiting = &waiting[1..];
                linked += 1;
                continue;
            };
            let most = (linked / BATCH_SHARE)
                .clamp(1, BATCH_MOST)
                .min(waiting.len());
            // A slot above all others becomes the entry, and must be the only one
            // of its batch to do so.
            let height = |slot: u32| self.towers.row(slot)[1];
            let size = waiting[..most]
                .iter()
                .position(|slot| height(*slot) > top)
                .map_or(most, |at| at.max(1));
            let (batch, rest) = waiting.split_at(size);
            self.link(rows, batch, width);
            let height = self.towers.row(batch[0])[1];
            if height > top {
                self.entry = Some((batch[0], height));
            }
            linked += size;
            waiting = rest;
        }
    }

    /// Brings the columns into memory, where they can be written.
    fn thaw(&mut self) {
        if self.lists.file_rows() == 0 {
            return;
        }
        let all = |count: usize| (0..count as u32).collect::<Vec<_>>();
        self.lists = self.lists.gathered(&all(self.lists.len()));
        self.towers = self.towers.gathered(&all(self.towers.len()));
        self.upper = self.upper.gathered(&all(self.upper.len()));
    }

    fn links_count(&self, first: usize) -> usize {
        if self.entry.is_some() {
            first.max(1)
        } else {
            0
        }
    }

    /// Returns the level of `slot`: geometrically distributed, from the seed and
    /// the chunk alone (Malkov and Yashunin 2018, §4.1).
    fn level_of(&self, rows: &Rows, slot: u32, seed: u64) -> u32 {
        let mut random = Random::new(seed ^ rows.chunk(slot).0.rotate_left(17));
        let scale = 1.0 / (self.degree.max(2) as f32).ln();
        let level = -(1.0 - random.unit()).ln() * scale;
        (level as u32).min(MOST_LEVELS - 1)
    }

    /// Links `batch` to the graph.
    fn link(&mut self, rows: &Rows, batch: &[u32], width: usize) {
        let graph = &*self;
        let found: Vec<Links> = if batch.len() < 4 {
            batch
                .iter()
                .map(|slot| graph.find(rows, *slot, width))
                .collect()
        } else {
            batch
                .par_iter()
                .with_min_len(4)
                .map(|slot| graph.find(rows, *slot, width))
                .collect()
        };

        let mut wishes: Vec<Wish> = Vec::new();
        for (slot, links) in batch.iter().zip(&found) {
            let own_bias = rows.scale_bias(*slot)[1];
            for (level, links) in links.iter().enumerate() {
                self.write(*slot, level as u32, links.iter().map(|link| link.1));
                wishes.extend(links.iter().map(|(score, target)| {
                    let back = score - rows.scale_bias(*target)[1] + own_bias;
                    (level as u32, *target, back, *slot)
                }));
            }
        }
        wishes.sort_unstable_by(|a, b| {
            (a.0, a.1)
                .cmp(&(b.0, b.1))
                .then(best_first(&(a.2, a.3), &(b.2, b.3)))
        });
        let groups: Vec<&[Wish]> = wishes.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
        let graph = &*self;
        let lists: Vec<Vec<u32>> = groups
            .par_iter()
            .with_min_len(16)
            .map(|group| graph.grant(rows, group))
            .collect();
        for (group, list) in groups.iter().zip(&lists) {
            let (level, target, ..) = group[0];
            self.write(target, level, list.iter().copied());
        }
    }

    /// Finds the links of a new slot at each of its levels.
    fn find(&self, rows: &Rows, slot: u32, width: usize) -> Links {
        let height = self.towers.row(slot)[1];
        let mut links = vec![Vec::new(); height as usize + 1];
        SCRATCH.with_borrow_mut(|(scratch, query, selector)| {
            query.set_row(rows.codes.row(slot), rows.scale_bias(slot)[0]);
            let Some((_, top)) = self.entry else {
                return;
            };
            let Some(mut start) = self.arrive(rows, query, height.min(top), scratch) else {
                return;
            };
            for level in (0..=height.min(top)).rev() {
                let candidates = self.candidates(rows, query, start, level, width, scratch);
                start = candidates[0];
                let room = self.degree;
                links[level as usize] = selector.select(rows, slot, candidates, room);
            }
        });
        links
    }

    /// Returns the list of a slot after those who wish so have entered it, pruned
    /// if they are too many.
    fn grant(&self, rows: &Rows, group: &[Wish]) -> Vec<u32> {
        let (level, target, ..) = group[0];
        let present = self.neighbours(target, level);
        let room = if level == 0 {
            2 * self.degree
        } else {
            self.degree
        };
        if present.len() + group.len() <= room {
            return present
                .iter()
                .copied()
                .chain(group.iter().map(|wish| wish.3))
                .collect();
        }
        SCRATCH.with_borrow_mut(|(_, query, selector)| {
            query.set_row(rows.codes.row(target), rows.scale_bias(target)[0]);
            let mut scores = Vec::new();
            rows.code_scores(query, present, &mut scores);
            let mut candidates: Vec<(f32, u32)> = scores
                .into_iter()
                .zip(present.iter().copied())
                .chain(group.iter().map(|wish| (wish.2, wish.3)))
                .collect();
            candidates.sort_unstable_by(best_first);
            selector
                .select(rows, target, candidates, room)
                .into_iter()
                .map(|link| link.1)
                .collect()
        })
    }

    fn write(&mut self, slot: u32, level: u32, links: impl Iterator<Item = u32>) {
        let list = if level == 0 {
            self.lists.row_mut(slot)
        } else {
            let at = self.towers.row(slot)[0] + level - 1;
            self.upper.row_mut(at)
        };
        let mut places = list.iter_mut();
        for (place, link) in places.by_ref().zip(links) {
            *place = link;
        }
        places.for_each(|place| *place = NONE);
    }
}

/// Chooses which candidates become links.
#[derive(Debug, Default)]
struct Selector {
    query: CodedQuery,
    slots: Vec<u32>,
    scores: Vec<f32>,
}

impl Selector {
    /// Chooses at most `room` of `candidates` (best first) as links of `slot`: the
    /// nearest first, and then only those nearer to `slot` than to any link already
    /// chosen, for the others can be reached through it (Malkov and Yashunin 2018,
    /// algorithm 4).
    fn select(
        &mut self,
        rows: &Rows,
        slot: u32,
        mut candidates: Vec<(f32, u32)>,
        room: usize,
    ) -> Vec<(f32, u32)> {
        let own_bias = rows.scale_bias(slot)[1];
        let mut chosen = Vec::with_capacity(room);
        while let Some((score, link)) = candidates.first().copied() {
            chosen.push((score, link));
            if chosen.len() == room {
                break;
            }
            candidates.remove(0);
            let [scale, bias] = rows.scale_bias(link);
            self.query.set_row(rows.codes.row(link), scale);
            self.slots.clear();
            self.slots
                .extend(candidates.iter().map(|candidate| candidate.1));
            rows.code_scores(&self.query, &self.slots, &mut self.scores);
            // Both sides as seen from the candidate, its own bias taken off both.
            let mut scores = self.scores.iter();
            candidates.retain(|candidate| {
                let to_link = scores.next().expect("there is a score for each") + bias;
                to_link <= candidate.0 + own_bias
            });
        }
        chosen
    }
}

/// Puts `slots` into an order that depends on `seed` alone (Fisher and Yates).
fn shuffle(slots: &mut [u32], seed: u64) {
    let mut random = Random::new(seed);
    for last in (1..slots.len()).rev() {
        slots.swap(last, random.below(last + 1));
    }
}
