//! Looking at every eligible row.

use super::rows::{Bits, Query, Rows, SKETCH_BLOCK};
use super::simd::prefetch;
use super::top::Top;

/// The slots a search may return.
#[derive(Clone, Copy, Debug)]
pub(super) enum Eligible<'a> {
    /// Every live slot.
    Live,
    /// These slots, ascending, all of them live: a selection that a removal has made
    /// wrong is refused before.
    Slots(&'a [u32]),
}

impl Eligible<'_> {
    /// Gives every eligible slot in `from..end` to `each`, ascending.
    pub(super) fn for_each(&self, live: &Bits, from: usize, end: usize, mut each: impl FnMut(u32)) {
        match self {
            Self::Live => {
                let mut slots = from;
                while slots < end {
                    let word = live.words.get(slots / 64).copied().unwrap_or(0) >> (slots % 64);
                    let next = (slots / 64 + 1) * 64;
                    let mut bits = word;
                    while bits != 0 {
                        let slot = slots + bits.trailing_zeros() as usize;
                        if slot >= end {
                            return;
                        }
                        each(slot as u32);
                        bits &= bits - 1;
                    }
                    slots = next;
                }
            }
            Self::Slots(slots) => {
                let first = slots.partition_point(|slot| (*slot as usize) < from);
                let last = slots.partition_point(|slot| (*slot as usize) < end);
                slots[first.min(last)..last].iter().copied().for_each(each);
            }
        }
    }
}

impl Eligible<'_> {
    /// As [`Eligible::for_each`], in blocks of at most [`SKETCH_BLOCK`] slots; with each
    /// block goes the next where it lies apart, so that its rows can be asked for ahead.
    fn for_each_block(
        &self,
        live: &Bits,
        from: usize,
        end: usize,
        mut each: impl FnMut(&[u32], &[u32]),
    ) {
        match self {
            Self::Live => {
                let mut block = Vec::with_capacity(64);
                // Whole words of live slots are blocks as they are.
                for word in from / 64..end.div_ceil(64) {
                    let (first, last) = (word * 64, word * 64 + 64);
                    block.clear();
                    let whole = live.words.get(word) == Some(&u64::MAX);
                    if whole && first >= from && last <= end {
                        block.extend(first as u32..last as u32);
                    } else {
                        self.for_each(live, from.max(first), end.min(last), |slot| {
                            block.push(slot);
                        });
                    }
                    each(&block, &[]);
                }
            }
            Self::Slots(slots) => {
                let first = slots.partition_point(|slot| (*slot as usize) < from);
                let last = slots.partition_point(|slot| (*slot as usize) < end);
                let mut blocks = slots[first.min(last)..last].chunks(SKETCH_BLOCK).peekable();
                while let Some(block) = blocks.next() {
                    each(block, blocks.peek().copied().unwrap_or_default());
                }
            }
        }
    }
}

/// Returns the `limit` nearest eligible slots by their `f32` values, best first:
/// closeness and slot.
pub(super) fn exact(
    rows: &Rows,
    query: &Query,
    eligible: Eligible<'_>,
    limit: usize,
) -> Vec<(f32, u32)> {
    let mut top = Top::new(limit);
    eligible.for_each(&rows.live, 0, rows.slot_count(), |slot| {
        top.push(rows.metric.closeness(rows.value(query, slot)), slot);
    });
    top.into_sorted()
}

/// Returns the `limit` best eligible slots from `from` on by their codes, best
/// first: score and slot.
pub(super) fn coded(
    rows: &Rows,
    query: &Query,
    eligible: Eligible<'_>,
    from: usize,
    limit: usize,
) -> Vec<(f32, u32)> {
    let mut top = Top::new(limit);
    let mut scores = Vec::new();
    eligible.for_each_block(&rows.live, from, rows.slot_count(), |slots, _| {
        rows.code_scores(&query.coded, slots, &mut scores);
        for (score, slot) in scores.iter().zip(slots) {
            top.push(*score, *slot);
        }
    });
    top.into_sorted()
}

/// How many deviations of its error an estimate is given the benefit of.
///
/// On 50,000 sentence embeddings 2.5 found all of the ten nearest of 1,000 queries.
const DEVIATIONS: f32 = 2.5;

/// Returns the `limit` nearest eligible slots, found by their sketches: closeness
/// and slot, best first. At most `most` of them are looked at again.
pub(super) fn sketched(
    rows: &Rows,
    query: &Query,
    eligible: Eligible<'_>,
    limit: usize,
    most: usize,
) -> Vec<(f32, u32)> {
    let first = (4 * limit).max(32);
    let Some(sketcher) = &rows.sketcher else {
        let candidates = coded(rows, query, eligible, 0, first.min(most));
        return rescored(rows, query, &candidates, limit);
    };
    let sketch_query = sketcher.query(&query.values);
    // The best by what they are at least at; and all that might be better than these.
    let mut top = Top::new(limit);
    let mut hopes: Vec<(f32, u32)> = Vec::new();
    let (mut scores, mut deviations) = ([0.0; SKETCH_BLOCK], [0.0; SKETCH_BLOCK]);
    eligible.for_each_block(&rows.live, 0, rows.slot_count(), |slots, next| {
        for slot in next {
            prefetch(rows.sketches.at(*slot), rows.sketches.stride() * 8);
        }
        rows.sketch_scores(&sketch_query, slots, &mut scores, &mut deviations);
        for ((score, deviation), slot) in scores.iter().zip(&deviations).zip(slots) {
            let hope = score + DEVIATIONS * deviation;
            if hope >= top.threshold() {
                hopes.push((hope, *slot));
                top.push(score - DEVIATIONS * deviation, *slot);
            }
        }
    });

    // The best by estimate give a floor that the k-th best is at least at; whoever
    // cannot reach it by its estimate and error is out.
    let mut slots: Vec<u32> = top.into_sorted().iter().map(|found| found.1).collect();
    let mut scores = Vec::new();
    rows.code_scores(&query.coded, &slots, &mut scores);
    let floor = if scores.len() == limit {
        scores.iter().copied().fold(f32::INFINITY, f32::min)
    } else {
        f32::NEG_INFINITY
    };
    hopes.retain(|hope| hope.0 >= floor);
    if hopes.len() > most {
        hopes.select_nth_unstable_by(most - 1, super::top::best_first);
        hopes.truncate(most);
    }
    slots.clear();
    slots.extend(hopes.iter().map(|hope| hope.1));
    rows.code_scores(&query.coded, &slots, &mut scores);
    let mut best = Top::new(first);
    for (score, slot) in scores.iter().zip(&slots) {
        best.push(*score, *slot);
    }
    rescored(rows, query, &best.into_sorted(), limit)
}

/// Returns the `limit` best of `candidates` (best first, by score) by their `f32`
/// values: closeness and slot, best first.
///
/// For cosine it stops where no further candidate can be among the best: the error of
/// a product of codes is a sum of many small independent ones of standard deviation
/// `scale / √12` each, so that one of five deviations does not happen.
pub(super) fn rescored(
    rows: &Rows,
    query: &Query,
    candidates: &[(f32, u32)],
    limit: usize,
) -> Vec<(f32, u32)> {
    let ahead = |index: usize| {
        if let Some((_, slot)) = candidates.get(index) {
            prefetch(rows.values.at(*slot), rows.values.stride() * 4);
        }
    };
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(limit + 1);
    for index in 0..3 {
        ahead(index);
    }
    for (index, (score, slot)) in candidates.iter().enumerate() {
        if rows.metric == super::Metric::Cosine && best.len() == limit {
            let row_scale = rows.scale_bias(*slot)[0];
            let deviation = ((row_scale.powi(2) + query.coded.scale.powi(2)) / 12.0).sqrt();
            if score + 5.0 * deviation < best[limit - 1].0 {
                break;
            }
        }
        ahead(index + 3);
        let closeness = rows.metric.closeness(rows.value(query, *slot));
        let found = (closeness, *slot);
        if best.len() < limit || super::top::best_first(&found, &best[limit - 1]).is_lt() {
            let place = best.partition_point(|other| super::top::best_first(other, &found).is_le());
            best.insert(place, found);
            best.truncate(limit);
        }
    }
    best
}
