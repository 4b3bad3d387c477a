//! The scale of the threshold: how well a chunk bears on a question, 0 to 1.
//!
//! BM25 scores have no upper end and mean something else in every collection;
//! cosines of one model do not compare with another's. A threshold needs one scale
//! that means the same everywhere, so it has its own: the chance that neither the
//! words nor the vectors speak for the chunk, taken from 1.

use contract::Share;

/// Returns `1 − (1 − words) · (1 − similarity)`: how well a chunk bears on a question.
///
/// `words` is how well the chunk bears on the question by its words
/// ([`KeywordIndex::relevance`](crate::keyword::KeywordIndex::relevance)); `similarity` is the vectors' similarity from 0 to 1,
/// where there are vectors. Either alone can lift a chunk over the threshold; together
/// they lift it further. With a reranker's score `r`, the result is
/// `0.7 · that + 0.3 · r`.
pub fn relevance(words: Share, similarity: Option<Share>, rerank: Option<Share>) -> Share {
    let similarity = similarity.unwrap_or(Share::ZERO);
    let found = 1.0 - (1.0 - words.get()) * (1.0 - similarity.get());
    Share::clamped(match rerank {
        Some(rerank) => 0.7 * found + 0.3 * rerank.get(),
        None => found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_vectors_lift_one_another() {
        let share = Share::clamped;
        assert_eq!(relevance(share(0.6), None, None), share(0.6));
        assert_eq!(relevance(share(0.5), Some(share(0.5)), None), share(0.75));
        assert_eq!(relevance(share(1.0), None, Some(share(0.0))), share(0.7));
    }
}
