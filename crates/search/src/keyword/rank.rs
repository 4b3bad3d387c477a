//! Ranking: scores added up term by term on a board of all slots, and the best of
//! them found.

#![expect(
    unsafe_code,
    reason = "one loop is compiled for wider registers and chosen at run time"
)]

use std::cmp::Ordering;

use super::base::Postings;
use super::bm25;

/// How many slots are looked at together.
const BLOCK: usize = 64;

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

    /// Adds `idf` times what the slots of `postings` earn to `board`.
    pub(super) fn add(&self, postings: &Postings<'_>, idf: f32, board: &mut [f32]) {
        for slot in postings.once {
            board[*slot as usize] += idf * self.once[*slot as usize];
        }
        for slot in postings.twice {
            board[*slot as usize] += idf * self.twice[*slot as usize];
        }
        for pair in postings.more.chunks_exact(2) {
            let slot = pair[0] as usize;
            board[slot] += idf * bm25::saturation(pair[1] as f32, self.norms[slot]);
        }
    }

    /// Does as [`Weights::add`] for postings of slot and count.
    pub(super) fn add_pairs(&self, postings: &[(u32, u32)], idf: f32, board: &mut [f32]) {
        for (slot, tf) in postings {
            board[*slot as usize] += idf * self.earned(*slot as usize, *tf);
        }
    }
}

/// Returns the chunks and scores of the `k` best slots on the board that score more
/// than 0 and are `allowed`, the best first; of equal scores the smaller chunk first.
/// The scores of others may be gone afterwards.
///
/// The k-th best of the blocks' highest scores is a bound that the k-th best slot
/// reaches, for they are scores of different slots; so only the few blocks that
/// reach it are looked into.
pub(super) fn best(
    board: &mut [f32],
    k: usize,
    allowed: Option<&[bool]>,
    chunk: impl Fn(usize) -> u64,
) -> Vec<(u64, f32)> {
    if let Some(allowed) = allowed {
        for (score, allowed) in board.iter_mut().zip(allowed) {
            *score = if *allowed { *score } else { 0.0 };
        }
    }
    let mut highest = vec![0.0; board.len().div_ceil(BLOCK)];
    find_highest(board, &mut highest);
    let bound = kth(&highest, k).max(f32::MIN_POSITIVE);
    let mut found = Vec::new();
    for (block, _) in highest.iter().enumerate().filter(|(_, top)| **top >= bound) {
        let start = block * BLOCK;
        let end = board.len().min(start + BLOCK);
        for (slot, score) in (start..end).zip(&board[start..end]) {
            if *score >= bound {
                found.push((chunk(slot), *score));
            }
        }
    }
    if k < found.len() {
        found.select_nth_unstable_by(k - 1, order);
        found.truncate(k);
    }
    found.sort_unstable_by(order);
    found
}

fn order(a: &(u64, f32), b: &(u64, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Returns the `k`-th highest of `scores`, or 0 if there are fewer.
fn kth(scores: &[f32], k: usize) -> f32 {
    if k > scores.len() {
        return 0.0;
    }
    if k > 32 {
        let mut sorted = scores.to_vec();
        return *sorted
            .select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a))
            .1;
    }
    // A few are kept in order: almost every score is below all of them.
    let mut kept = [0.0; 32];
    let kept = &mut kept[..k];
    for score in scores {
        if *score > kept[k - 1] {
            let at = kept.partition_point(|other| other >= score);
            kept.copy_within(at..k - 1, at + 1);
            kept[at] = *score;
        }
    }
    kept[k - 1]
}

/// Finds the highest score of each block; `highest` is as long as there are blocks.
fn find_highest(board: &[f32], highest: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { find_highest_avx512(board, highest) };
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: as above.
        return unsafe { find_highest_avx2(board, highest) };
    }
    find_highest_plain(board, highest);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn find_highest_avx512(board: &[f32], highest: &mut [f32]) {
    find_highest_plain(board, highest);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn find_highest_avx2(board: &[f32], highest: &mut [f32]) {
    find_highest_plain(board, highest);
}

#[inline(always)]
fn find_highest_plain(board: &[f32], highest: &mut [f32]) {
    let max = |a: f32, b: f32| if b > a { b } else { a };
    let (whole, rest) = board.as_chunks::<BLOCK>();
    for (block, highest) in whole.iter().zip(highest.iter_mut()) {
        let mut lanes = [0f32; 16];
        for scores in block.as_chunks::<16>().0 {
            for lane in 0..16 {
                lanes[lane] = max(lanes[lane], scores[lane]);
            }
        }
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] = max(lanes[lane], lanes[lane + half]);
            }
        }
        *highest = lanes[0];
    }
    if !rest.is_empty() {
        highest[whole.len()] = rest.iter().fold(0.0, |a, b| max(a, *b));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_best_are_the_first_of_all_sorted(
            scores in prop::collection::vec(0u8..6, 0..400),
            allowed in prop::collection::vec(any::<bool>(), 400),
            limited in any::<bool>(),
            k in 1usize..30,
        ) {
            let mut board = scores.iter().map(|score| f32::from(*score)).collect::<Vec<_>>();
            let allowed = limited.then(|| &allowed[..board.len()]);
            let mut all = board
                .iter()
                .enumerate()
                .filter(|(slot, score)| **score > 0.0 && allowed.is_none_or(|a| a[*slot]))
                .map(|(slot, score)| (1000 - slot as u64, *score))
                .collect::<Vec<_>>();
            all.sort_by(order);
            all.truncate(k);
            let found = best(&mut board, k, allowed, |slot| 1000 - slot as u64);
            prop_assert_eq!(found, all);
        }
    }
}
