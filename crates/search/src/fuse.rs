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
    fn the_weighted_sum_is_the_formula() {
        let first = weighted_sum(&[(0.9, 0.7), (0.1, 0.3)]);
        let second = weighted_sum(&[(0.8, 0.7), (0.9, 0.3)]);
        assert!(second > first);
        assert!((second - (0.7 * 0.8 + 0.3 * 0.9)).abs() < 1e-12);
    }
}
