//! Cutting where the subject changes.
//!
//! TextTiling (Hearst 1997, "TextTiling: Segmenting Text into Multi-paragraph
//! Subtopic Passages", §4) with sentence embeddings in place of word counts: at
//! each gap the mean embeddings of the sentences before and after are compared,
//! and a chunk ends where the similarity dips deeply.

use std::ops::Range;

use contract::{Embed, PromiseError, TextRole};

use super::piece::Piece;

/// Sentences embedded at a time.
const BATCH: usize = 64;

/// How long chunks are, and how far is looked.
pub(crate) struct Sizes {
    pub(crate) max_words: usize,
    pub(crate) min_words: usize,
    /// Sentences compared on either side of a gap.
    pub(crate) window: usize,
}

/// Cuts `text` between its sentences (`pieces`) into ranges of one topic each.
pub(crate) fn cut(
    text: &str,
    pieces: &[Piece],
    sizes: &Sizes,
    embedder: &dyn Embed,
) -> Result<Vec<Range<usize>>, PromiseError> {
    let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(pieces.len());
    for batch in pieces.chunks(BATCH) {
        let texts: Vec<&str> = batch
            .iter()
            .map(|piece| text[piece.start..piece.end].trim())
            .collect();
        let embeddings = embedder.embed(&texts, TextRole::Passage)?;
        assert_eq!(
            embeddings.len(),
            texts.len(),
            "an embedder gives one embedding a text"
        );
        vectors.extend(
            embeddings
                .iter()
                .map(|embedding| embedding.values().to_vec()),
        );
    }
    let depths = depths(&similarities(&vectors, sizes.window));
    Ok(divide(pieces, &depths, sizes))
}

/// Returns the cosine between the means of the `window` vectors on either side of
/// each gap; `result[i]` is the gap before vector `i + 1`.
fn similarities(vectors: &[Vec<f32>], window: usize) -> Vec<f64> {
    let mean = |range: Range<usize>| {
        let mut sum = vec![0.0f64; vectors[0].len()];
        for vector in &vectors[range] {
            for (total, value) in sum.iter_mut().zip(vector) {
                *total += f64::from(*value);
            }
        }
        sum
    };
    (1..vectors.len())
        .map(|gap| {
            let left = mean(gap.saturating_sub(window)..gap);
            let right = mean(gap..(gap + window).min(vectors.len()));
            let dot: f64 = left.iter().zip(&right).map(|(a, b)| a * b).sum();
            let length = |vector: &[f64]| vector.iter().map(|a| a * a).sum::<f64>().sqrt();
            let both = length(&left) * length(&right);
            if both > 0.0 { dot / both } else { 0.0 }
        })
        .collect()
}

/// Returns how deep each gap's dip is: the fall from the peak on its left plus the
/// fall from the peak on its right (Hearst 1997, §4.2).
fn depths(similarities: &[f64]) -> Vec<f64> {
    // Walking uphill from each gap is walking downhill towards it, so one pass
    // each way finds all peaks.
    let climb = |values: &mut dyn Iterator<Item = f64>| {
        let mut peaks = Vec::new();
        let (mut peak, mut before) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for value in values {
            if value >= before {
                peak = value;
            }
            peaks.push(peak);
            before = value;
        }
        peaks
    };
    let left = climb(&mut similarities.iter().copied());
    let mut right = climb(&mut similarities.iter().rev().copied());
    right.reverse();
    similarities
        .iter()
        .zip(left.iter().zip(&right))
        .map(|(value, (left, right))| (left - value) + (right - value))
        .collect()
}

/// Ends a chunk at every deep gap (deeper than the mean less half a standard
/// deviation, Hearst 1997, §4.3) at which both it and the rest are long enough,
/// and at the deepest gap available where it would become too long.
fn divide(pieces: &[Piece], depths: &[f64], sizes: &Sizes) -> Vec<Range<usize>> {
    let dips: Vec<f64> = depths
        .iter()
        .copied()
        .filter(|depth| *depth > 0.0)
        .collect();
    let count = dips.len().max(1) as f64;
    let mean = dips.iter().sum::<f64>() / count;
    let variance = dips.iter().map(|dip| (dip - mean).powi(2)).sum::<f64>() / count;
    let deep = (mean - variance.sqrt() / 2.0).max(f64::MIN_POSITIVE);

    let mut rest: usize = pieces.iter().map(|piece| piece.words).sum();
    let mut ranges = Vec::new();
    let mut first = 0;
    while first < pieces.len() {
        // The gaps that end a chunk of an allowed length, and the best of them.
        let mut words = 0;
        let mut end = pieces.len();
        let mut fallback: Option<usize> = None;
        for (number, piece) in pieces.iter().enumerate().skip(first) {
            if number > first && words > 0 && piece.words > 0 {
                let depth = depths[number - 1];
                if words + piece.words > sizes.max_words {
                    end = fallback.unwrap_or(number);
                    break;
                }
                if words >= sizes.min_words && rest - words >= sizes.min_words {
                    let is_dip =
                        depth >= deep && depths.get(number).is_none_or(|next| *next <= depth);
                    if is_dip {
                        end = number;
                        break;
                    }
                    if fallback.is_none_or(|best| depths[best - 1] <= depth) {
                        fallback = Some(number);
                    }
                }
            }
            words += piece.words;
        }
        rest -= pieces[first..end]
            .iter()
            .map(|piece| piece.words)
            .sum::<usize>();
        ranges.push(pieces[first].start..pieces[end - 1].end);
        first = end;
    }
    ranges
}
