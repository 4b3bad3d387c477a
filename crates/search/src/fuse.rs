//! Fusion: several ranked lists become one.

use std::collections::HashMap;

use contract::ChunkId;

/// A place in a ranked list, from 1. Ranks of two lists may be mixed; their scores may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub u32);

/// A ranked list to be fused, best first, and how much it counts.
#[derive(Clone, Copy, Debug)]
pub struct RankedList<'a> {
    /// The chunks, best first, each once.
    pub chunks: &'a [ChunkId],
    /// Its weight; 1 is usual, 0 leaves it out.
    pub weight: f64,
}

/// Fuses ranked lists by reciprocal rank: a chunk's score is the sum of
/// `weight / (k + rank)` over the lists it is in (Cormack, Clarke and Büttcher 2009,
/// *Reciprocal Rank Fusion outperforms Condorcet*, where `k` = 60).
///
/// Returns chunks with their scores, best first; equal scores by ascending chunk.
pub fn reciprocal_rank(lists: &[RankedList<'_>], k: f64) -> Vec<(ChunkId, f64)> {
    let mut scores: HashMap<ChunkId, f64> = HashMap::new();
    for list in lists.iter().filter(|list| list.weight > 0.0) {
        for (index, chunk) in list.chunks.iter().enumerate() {
            *scores.entry(*chunk).or_default() += list.weight / (k + index as f64 + 1.0);
        }
    }
    let mut fused: Vec<_> = scores.into_iter().collect();
    fused.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    fused
}

/// At this place a list's scores count for nothing: what comes after only tells who is
/// further behind.
const FLOOR: usize = 50;

/// A list whose scores are to be fused, best first, and how much it counts.
#[derive(Clone, Copy, Debug)]
pub struct ScoredList<'a> {
    /// The chunks with their scores, best first, each once. More is better.
    pub scores: &'a [(ChunkId, f64)],
    /// The score of a chunk that has nothing to do with the question; used where the
    /// list is shorter than `FLOOR` places.
    pub nothing: f64,
    /// Its weight; 0 leaves it out.
    pub weight: f64,
}

impl ScoredList<'_> {
    /// Returns what becomes of a score: 1 for the best, 0 for that at place 50.
    fn scale(&self) -> impl Fn(f64) -> f64 {
        let best = self.scores.first().map_or(0.0, |(_, score)| *score);
        let floor = match self.scores.get(FLOOR - 1) {
            Some((_, score)) => *score,
            None => self.nothing.min(best),
        };
        move |score| {
            if best > floor {
                (score - floor) / (best - floor)
            } else {
                1.0
            }
        }
    }
}

/// Fuses lists by their scores: each list's are brought to one scale, 1 for its best and
/// 0 for its 50th, and a chunk's is the weighted sum (Bruch, Gai and Ingber 2023, *An
/// Analysis of Fusion Functions for Hybrid Retrieval*, §3, with that floor in place of
/// the least). Where ranks forget by how much the first stands out, this keeps it. A
/// chunk that a list lacks counts there as its last, or as 0.
///
/// Returns chunks with their scores, best first; equal scores by ascending chunk.
pub fn by_score(lists: &[ScoredList<'_>]) -> Vec<(ChunkId, f64)> {
    let mut scores: HashMap<ChunkId, f64> = HashMap::new();
    let mut absent_everywhere = 0.0;
    for list in lists.iter().filter(|list| list.weight > 0.0) {
        let scale = list.scale();
        let last = list.scores.last().map_or(0.0, |(_, score)| scale(*score));
        let absent = list.weight * last.min(0.0);
        absent_everywhere += absent;
        for (chunk, score) in list.scores {
            *scores.entry(*chunk).or_default() += list.weight * scale(*score) - absent;
        }
    }
    let mut fused: Vec<_> = scores
        .into_iter()
        .map(|(chunk, score)| (chunk, score + absent_everywhere))
        .collect();
    fused.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    fused
}

/// Fuses scores of one chunk that are already on one scale, 0 to 1: the sum of
/// `weight · score` over the parts, each a score and its weight.
pub fn weighted_sum(parts: &[(f64, f64)]) -> f64 {
    parts.iter().map(|(score, weight)| weight * score).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(ids: &[u64]) -> Vec<ChunkId> {
        ids.iter().copied().map(ChunkId).collect()
    }

    #[test]
    fn a_chunk_in_both_lists_comes_first() {
        let (words, vectors) = (chunks(&[1, 2, 3]), chunks(&[4, 2, 5]));
        let lists = [
            RankedList {
                chunks: &words,
                weight: 1.0,
            },
            RankedList {
                chunks: &vectors,
                weight: 1.0,
            },
        ];
        let fused = reciprocal_rank(&lists, 60.0);
        assert_eq!(fused[0], (ChunkId(2), 2.0 / 62.0));
        assert_eq!(
            fused.iter().map(|(chunk, _)| chunk.0).collect::<Vec<_>>(),
            [2, 1, 4, 3, 5]
        );
    }

    #[test]
    fn a_list_of_no_weight_adds_nothing() {
        let (words, vectors) = (chunks(&[1]), chunks(&[2]));
        let lists = [
            RankedList {
                chunks: &words,
                weight: 0.0,
            },
            RankedList {
                chunks: &vectors,
                weight: 1.0,
            },
        ];
        assert_eq!(reciprocal_rank(&lists, 60.0), [(ChunkId(2), 1.0 / 61.0)]);
    }

    #[test]
    fn by_score_a_first_that_stands_out_stays_first() {
        let scored = |list: &[(u64, f64)]| -> Vec<(ChunkId, f64)> {
            list.iter()
                .map(|(id, score)| (ChunkId(*id), *score))
                .collect()
        };
        let words = scored(&[(1, 10.0), (2, 2.0), (3, 1.5)]);
        let vectors = scored(&[(2, 0.5), (3, 0.48), (1, 0.45)]);
        let list = |scores, weight| ScoredList {
            scores,
            nothing: 0.0,
            weight,
        };
        let fused = by_score(&[list(&words, 0.6), list(&vectors, 0.4)]);
        assert_eq!(fused[0].0, ChunkId(1));
        assert!((fused[0].1 - (0.6 + 0.4 * 0.9)).abs() < 1e-12, "{fused:?}");
        assert_eq!(
            by_score(&[list(&words, 0.0), list(&vectors, 1.0)])[0].0,
            ChunkId(2)
        );
    }

    #[test]
    fn by_score_a_chunk_that_a_list_lacks_is_behind_its_last() {
        let words: Vec<_> = (0..60u64).map(|i| (ChunkId(i), 60.0 - i as f64)).collect();
        let vectors = [(ChunkId(99), 1.0)];
        let fused = by_score(&[
            ScoredList {
                scores: &words,
                nothing: 0.0,
                weight: 0.9,
            },
            ScoredList {
                scores: &vectors,
                nothing: 0.0,
                weight: 0.1,
            },
        ]);
        let place = |id| {
            fused
                .iter()
                .position(|(chunk, _)| *chunk == ChunkId(id))
                .unwrap()
        };
        assert_eq!(place(0), 0);
        assert!(place(58) < place(59), "the order beyond place 50 stays");
    }

    #[test]
    fn the_weighted_sum_is_the_formula() {
        let first = weighted_sum(&[(0.9, 0.7), (0.1, 0.3)]);
        let second = weighted_sum(&[(0.8, 0.7), (0.9, 0.3)]);
        assert!(second > first);
        assert!((second - (0.7 * 0.8 + 0.3 * 0.9)).abs() < 1e-12);
    }
}
