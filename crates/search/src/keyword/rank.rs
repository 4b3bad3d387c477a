//! Ranking: scores added up term by term, and the best of them found.
//!
//! The slots are gone through in windows. A window's scores lie on a small board
//! that stays in the nearest cache, as do the weights of its slots; each term goes
//! on from where it stood when the window before ended. So a question costs about
//! what its postings cost, however many chunks there are.

#![expect(
    unsafe_code,
    reason = "one loop is written for wider registers and chosen at run time"
)]

use std::cmp::Ordering;

use super::base::Postings;
use super::bm25;

/// How many slots are in a window, a power of two.
const WINDOW: usize = 4096;
/// How many scores are looked at together.
const BLOCK: usize = 64;

type Board = [f32; WINDOW];

/// What one occurrence, two, or any number of them earn in each slot, for the
/// present average length. Slots of removed chunks earn nothing.
#[derive(Debug)]
pub(super) struct Weights {
    once: Vec<f32>,
    twice: Vec<f32>,
    norms: Vec<f32>,
}

/// The postings of one term of a question, in the base and in the delta.
pub(super) struct Asked<'a> {
    /// The weight of its word.
    pub(super) idf: f32,
    /// What the base has of it.
    pub(super) saved: Postings<'a>,
    /// What the delta has of it, as slot and count.
    pub(super) new: &'a [(u32, u32)],
}

impl Weights {
    /// Makes the weights from each slot's length, or nothing for a removed one.
    pub(super) fn new(
        lengths: impl Iterator<Item = Option<u32>>,
        average: f64,
        k1: f32,
        b: f32,
    ) -> Self {
        let mut norms = lengths
            .map(|length| length.map_or(f32::INFINITY, |l| bm25::norm(k1, b, l, average)))
            .collect::<Vec<_>>();
        norms.resize(norms.len().next_multiple_of(WINDOW), f32::INFINITY);
        let of = |tf: f32| {
            let earned = norms.iter().map(|norm| bm25::saturation(tf, *norm));
            earned.collect()
        };
        Self {
            once: of(1.0),
            twice: of(2.0),
            norms,
        }
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

    /// Returns the chunks and scores of the `k` best slots that have any of the
    /// terms and are `allowed`, the best first; of equal scores the smaller chunk
    /// first.
    pub(super) fn best(
        &self,
        asked: &[Asked<'_>],
        k: usize,
        allowed: Option<&[bool]>,
        chunk: impl Fn(usize) -> u64,
    ) -> Vec<(u64, f32)> {
        let mut terms = asked.iter().map(Standing::new).collect::<Vec<_>>();
        let mut board = [0.0; WINDOW];
        let mut best = Best {
            k,
            bound: f32::MIN_POSITIVE,
            found: Vec::new(),
        };
        let windows = self.once.as_chunks::<WINDOW>().0;
        for (window, once) in windows.iter().enumerate() {
            let start = window * WINDOW;
            let mut any = false;
            for term in &mut terms {
                any |= term.add(self, once, window, &mut board);
            }
            if !any {
                continue;
            }
            if let Some(allowed) = allowed {
                for (score, allowed) in board.iter_mut().zip(&allowed[start..]) {
                    *score = if *allowed { *score } else { 0.0 };
                }
            }
            best.take(&board, |place| chunk(start + place));
            board.fill(0.0);
        }
        best.finish()
    }
}

/// How far a term's postings have been added up.
struct Standing<'a> {
    idf: f32,
    once: &'a [u32],
    twice: &'a [u32],
    more: &'a [[u32; 2]],
    new: &'a [(u32, u32)],
}

impl<'a> Standing<'a> {
    fn new(asked: &Asked<'a>) -> Self {
        Self {
            idf: asked.idf,
            once: asked.saved.once,
            twice: asked.saved.twice,
            more: asked.saved.more.as_chunks().0,
            new: asked.new,
        }
    }

    /// Adds what the slots of a window earn to its board; returns whether there
    /// were any.
    #[inline]
    fn add(&mut self, weights: &Weights, once: &Board, window: usize, board: &mut Board) -> bool {
        let idf = self.idf;
        let end = ((window + 1) * WINDOW) as u32;
        let twice = &weights.twice.as_chunks::<WINDOW>().0[window];
        let norms = &weights.norms.as_chunks::<WINDOW>().0[window];
        let place = |slot: u32| slot as usize % WINDOW;
        let mut any = pass(
            &mut self.once,
            |slot| *slot < end,
            |slot| {
                board[place(*slot)] += idf * once[place(*slot)];
            },
        );
        any |= pass(
            &mut self.twice,
            |slot| *slot < end,
            |slot| {
                board[place(*slot)] += idf * twice[place(*slot)];
            },
        );
        any |= pass(
            &mut self.more,
            |[slot, _]| *slot < end,
            |[slot, tf]| {
                board[place(*slot)] += idf * bm25::saturation(*tf as f32, norms[place(*slot)]);
            },
        );
        any |= pass(
            &mut self.new,
            |(slot, _)| *slot < end,
            |(slot, tf)| {
                board[place(*slot)] += idf * weights.earned(*slot as usize, *tf);
            },
        );
        any
    }
}

/// Takes the first of `list` for which `within` holds, calls `each` with them, and
/// returns whether there were any.
#[inline(always)]
fn pass<T>(list: &mut &[T], within: impl Fn(&T) -> bool, mut each: impl FnMut(&T)) -> bool {
    let mut count = 0;
    for one in *list {
        if !within(one) {
            break;
        }
        each(one);
        count += 1;
    }
    *list = &list[count..];
    count > 0
}

/// The best seen so far.
struct Best {
    k: usize,
    /// The score that a slot must reach to be among them.
    bound: f32,
    found: Vec<(u64, f32)>,
}

impl Best {
    /// Takes the best of a window.
    fn take(&mut self, board: &Board, chunk: impl Fn(usize) -> u64) {
        if self.found.len() < self.k {
            // Slots of this window alone reach the k-th best of its parts' highest
            // scores, for they are scores of different slots.
            let bound = kth(&highest(board), self.k);
            self.bound = self.bound.max(bound);
        }
        reaching(board, self.bound, &mut |place, score| {
            self.found.push((chunk(place), score));
        });
        if self.found.len() >= self.k.saturating_mul(2) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.found.len() >= self.k {
            let (_, (_, kth), _) = self.found.select_nth_unstable_by(self.k - 1, order);
            self.bound = self.bound.max(*kth);
            self.found.truncate(self.k);
        }
    }

    fn finish(mut self) -> Vec<(u64, f32)> {
        self.cut();
        self.found.sort_unstable_by(order);
        self.found
    }
}

fn order(a: &(u64, f32), b: &(u64, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Returns the `k`-th highest of `scores`, or 0 if there are fewer.
fn kth(scores: &[f32; 256], k: usize) -> f32 {
    if k > scores.len() {
        return 0.0;
    }
    let mut sorted = *scores;
    *sorted
        .select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a))
        .1
}

/// Returns the highest score of each of 256 parts of a board; a part is every 256th.
fn highest(board: &Board) -> [f32; 256] {
    let mut highest = [0.0; 256];
    for row in board.as_chunks::<256>().0 {
        for (highest, score) in highest.iter_mut().zip(row) {
            *highest = if *score > *highest { *score } else { *highest };
        }
    }
    highest
}

/// Calls `each` with the places on the board that reach `bound`, and their scores.
fn reaching(board: &Board, bound: f32, each: &mut dyn FnMut(usize, f32)) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { reaching_avx512(board, bound, each) };
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        return unsafe { reaching_avx2(board, bound, each) };
    }
    reaching_plain(board, bound, each);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn reaching_avx512(board: &Board, bound: f32, each: &mut dyn FnMut(usize, f32)) {
    use std::arch::x86_64::{_CMP_GE_OQ, _mm512_cmp_ps_mask, _mm512_loadu_ps, _mm512_set1_ps};
    let bounds = _mm512_set1_ps(bound);
    for (index, block) in board.as_chunks::<BLOCK>().0.iter().enumerate() {
        let mut reach = 0u64;
        for (part, scores) in block.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: a part is 16 numbers, which need no alignment.
            let scores = unsafe { _mm512_loadu_ps(scores.as_ptr()) };
            let mask = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(scores, bounds);
            reach |= u64::from(mask) << (16 * part);
        }
        while reach != 0 {
            let place = reach.trailing_zeros() as usize;
            reach &= reach - 1;
            each(index * BLOCK + place, block[place]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn reaching_avx2(board: &Board, bound: f32, each: &mut dyn FnMut(usize, f32)) {
    reaching_plain(board, bound, each);
}

#[inline(always)]
fn reaching_plain(board: &Board, bound: f32, each: &mut dyn FnMut(usize, f32)) {
    for (index, part) in board.as_chunks::<16>().0.iter().enumerate() {
        let mut any = false;
        for score in part {
            any |= *score >= bound;
        }
        if any {
            for (place, score) in part.iter().enumerate() {
                if *score >= bound {
                    each(index * 16 + place, *score);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wide_and_plain_loops_find_the_same(
            scores in prop::collection::vec(0u8..50, WINDOW),
            bound in 1u8..60,
        ) {
            let board = std::array::from_fn(|place| f32::from(scores[place]));
            let bound = f32::from(bound);
            let (mut wide, mut plain) = (Vec::new(), Vec::new());
            reaching(&board, bound, &mut |place, score| wide.push((place, score)));
            reaching_plain(&board, bound, &mut |place, score| plain.push((place, score)));
            prop_assert_eq!(wide, plain);
        }

        #[test]
        fn the_best_are_the_first_of_all_sorted(
            slots in 1usize..9000,
            step in 1usize..40,
            tfs in prop::collection::vec(1u32..5, 1..60),
            allowed in prop::option::of(1usize..7),
            k in prop_oneof![1usize..30, 200usize..600],
        ) {
            let weights = Weights::new((0..slots).map(|s| Some(s as u32 % 9)), 4.0, 1.5, 0.75);
            let mut lists = [Vec::new(), Vec::new(), Vec::new()];
            let mut all = Vec::new();
            let allow = allowed.map(|n| (0..slots).map(|s| s % n == 0).collect::<Vec<_>>());
            for (index, slot) in (0..slots).step_by(step).enumerate() {
                let tf = tfs[index % tfs.len()];
                let list = &mut lists[tf.min(3) as usize - 1];
                list.push(slot as u32);
                if tf > 2 {
                    list.push(tf);
                }
                if allow.as_ref().is_none_or(|allow| allow[slot]) {
                    all.push((20_000 - slot as u64, 2.0 * weights.earned(slot, tf)));
                }
            }
            all.sort_by(order);
            all.truncate(k);
            let asked = Asked {
                idf: 2.0,
                saved: Postings { once: &lists[0], twice: &lists[1], more: &lists[2] },
                new: &[],
            };
            let found = weights.best(&[asked], k, allow.as_deref(), |s| 20_000 - s as u64);
            prop_assert_eq!(found, all);
        }
    }
}
