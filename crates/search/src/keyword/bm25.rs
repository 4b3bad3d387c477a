//! BM25, in the variant that Lucene uses and `bm25s` calls `lucene`.
//!
//! Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and
//! Beyond"; the variants are told apart in Kamphuis et al. 2020, "Which BM25 do you
//! mean?", table 1.

use serde::Serialize;

/// A BM25 score: 0 or more, without an upper end, comparable only within the hits
/// of one question. It does not add to a similarity.
///
/// ```compile_fail
/// let sum = search::keyword::Bm25(1.0) + 0.5;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Bm25(pub f32);

/// Returns the weight of a word that is in `df` of `n` chunks:
/// `ln(1 + (n − df + 0.5) / (df + 0.5))`. Never negative.
pub fn idf(df: u32, n: u32) -> f32 {
    let (df, n) = (f64::from(df.min(n)), f64::from(n));
    (1.0 + (n - df + 0.5) / (df + 0.5)).ln() as f32
}

/// Returns what a chunk's length does to its scores: `k1 · (1 − b + b · length ⁄ average)`.
pub(super) fn norm(k1: f32, b: f32, length: u32, average: f64) -> f32 {
    let (k1, b) = (f64::from(k1), f64::from(b));
    (k1 * (1.0 - b + b * f64::from(length) / average)) as f32
}

/// Returns how much of a word's weight a chunk earns that has it `tf` times:
/// `tf / (tf + norm)`, from 0 to 1.
#[inline]
pub(super) fn saturation(tf: f32, norm: f32) -> f32 {
    tf / (tf + norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_weigh_more() {
        assert!(idf(1, 100) > idf(2, 100));
        assert!(idf(100, 100) > 0.0);
        assert_eq!(idf(0, 0), 2f32.ln());
    }

    #[test]
    fn a_longer_chunk_needs_more_of_the_word() {
        let (short, long) = (norm(1.2, 0.75, 50, 100.0), norm(1.2, 0.75, 200, 100.0));
        assert!(saturation(1.0, short) > saturation(1.0, long));
        assert!(saturation(2.0, long) > saturation(1.0, long));
        assert_eq!(norm(1.2, 0.75, 100, 100.0), 1.2);
    }
}
