//! The scale of the threshold: how well a chunk bears on a question, 0 to 1.
//!
//! BM25 scores have no upper end and mean something else in every collection; cosines of
//! one model do not compare with another's, and even to a question about something else
//! some chunk is the nearest. A threshold needs one scale that means the same everywhere,
//! so it has its own: the chance that neither the words nor the vectors speak for the
//! chunk, taken from 1.

use contract::Share;

/// How like the question's vector a chunk's is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// The cosine, from 0.
    pub similarity: Share,
    /// By how many standard deviations that is above the chunks at large; nothing where
    /// it is not known.
    pub standing: Option<f64>,
}

/// A likeness speaks for a chunk half as loud as it can at this standing …
const STANDING: f64 = 3.5;
const STANDING_SLOPE: f64 = 0.5;
/// … and at this similarity.
const SIMILARITY: f64 = 0.45;
const SIMILARITY_SLOPE: f64 = 0.04;
/// What it says is never certain.
const MOST: f64 = 0.95;

impl Likeness {
    /// Returns how much it speaks for the chunk, 0 to 1: it must both be alike and stand
    /// out from the rest, each by a logistic function of its own.
    ///
    /// The one alone does not tell: in a manual every chunk is a little like every
    /// question about its subject, and among chunks that are nothing like a question one
    /// stands out too. The numbers were chosen on a program's manual, where 40 of 41
    /// questions are answered and 7 of 8 that it does not answer are declined, as by
    /// words alone, and on passages of Wikipedia and abstracts, of which more are
    /// answered; `docs/bench` has the figures.
    pub fn evidence(&self) -> Share {
        let gate =
            |value: f64, half: f64, slope: f64| 1.0 / (1.0 + (-(value - half) / slope).exp());
        let stands_out = self
            .standing
            .map_or(1.0, |standing| gate(standing, STANDING, STANDING_SLOPE));
        let alike = gate(self.similarity.get(), SIMILARITY, SIMILARITY_SLOPE);
        Share::clamped(MOST * stands_out * alike)
    }
}

/// Returns `1 − (1 − words) · (1 − likeness)`: how well a chunk bears on a question.
///
/// `words` is how well the chunk bears on the question by its words
/// ([`KeywordIndex::relevance`](crate::keyword::KeywordIndex::relevance)); `likeness` is
/// [what the vectors say](Likeness::evidence), where there are vectors. Either alone can
/// lift a chunk over the threshold; together they lift it further. With a reranker's
/// score `r`, the result is `0.7 · that + 0.3 · r`.
pub fn relevance(words: Share, likeness: Option<Likeness>, rerank: Option<Share>) -> Share {
    let likeness = likeness.map_or(0.0, |likeness| likeness.evidence().get());
    let found = 1.0 - (1.0 - words.get()) * (1.0 - likeness);
    Share::clamped(match rerank {
        Some(rerank) => 0.7 * found + 0.3 * rerank.get(),
        None => found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(similarity: f64, standing: f64) -> Likeness {
        Likeness {
            similarity: Share::clamped(similarity),
            standing: Some(standing),
        }
    }

    #[test]
    fn words_and_vectors_lift_one_another() {
        let share = Share::clamped;
        assert_eq!(relevance(share(0.6), None, None), share(0.6));
        let both = relevance(share(0.5), Some(likeness(0.45, 3.5)), None).get();
        assert!((both - (1.0 - 0.5 * (1.0 - 0.95 / 4.0))).abs() < 1e-12);
        assert_eq!(relevance(share(1.0), None, Some(share(0.0))), share(0.7));
    }

    #[test]
    fn a_likeness_must_be_alike_and_stand_out() {
        let speaks = |similarity, standing| likeness(similarity, standing).evidence().get();
        assert!(speaks(0.7, 6.0) > 0.9);
        assert!(speaks(0.7, 1.0) < 0.01);
        assert!(speaks(0.2, 6.0) < 0.01);
    }
}
