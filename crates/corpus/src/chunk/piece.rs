//! Pieces that are not cut any more, and packing them into chunks.

use std::ops::Range;

use super::Texture;
use super::words::{self, Words};

/// A stretch of text that stays whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) words: usize,
}

/// Divides `text[range]` into pieces of at most `max_words` words: its paragraphs;
/// the sentences or lines of those that are longer; the words of those still
/// longer. None is white space alone unless the range is.
pub(crate) fn paragraphs(
    text: &str,
    range: Range<usize>,
    texture: Texture,
    max_words: usize,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let part = &text[range.clone()];
    let prose = matches!(texture, Texture::Prose | Texture::Fenced);
    let mut start = range.start;
    let mut last_begin = start;
    for end in words::paragraph_ends(part, texture == Texture::Fenced) {
        let end = range.start + end;
        let paragraph = &text[start..end];
        let words = words::count(paragraph);
        if prose && end < range.end && announces(&text[last_begin..end]) {
            last_begin = end;
            continue;
        }
        last_begin = end;
        if words <= max_words {
            pieces.push(Piece { start, end, words });
        } else {
            let structured = matches!(texture, Texture::Rows | Texture::Code)
                || paragraph.trim_start().starts_with(['|', '`', '~']);
            let ends = if structured {
                words::line_ends(paragraph)
            } else {
                words::sentence_ends(paragraph)
            };
            push_pieces(text, start, &ends, max_words, &mut pieces);
        }
        start = end;
    }
    pieces
}

/// Returns whether a paragraph only announces the next, with which it should stay:
/// a single short line that is no sentence (a heading, "For example:").
fn announces(paragraph: &str) -> bool {
    let line = paragraph.trim();
    line.len() < 120 && !line.contains('\n') && !line.ends_with(['.', '!', '?', '。', '|'])
}

/// Divides the whole of `text` into its sentences, or its lines where it has no
/// sentences; those longer than `max_words` words into words.
pub(crate) fn sentences(text: &str, texture: Texture, max_words: usize) -> Vec<Piece> {
    let ends = match texture {
        Texture::Rows | Texture::Code => words::line_ends(text),
        Texture::Prose | Texture::Fenced => words::sentence_ends(text),
    };
    let mut pieces = Vec::with_capacity(ends.len());
    push_pieces(text, 0, &ends, max_words, &mut pieces);
    pieces
}

/// Adds the pieces that end at `ends`, counted from byte `from`.
fn push_pieces(text: &str, from: usize, ends: &[usize], max_words: usize, pieces: &mut Vec<Piece>) {
    let mut start = from;
    for end in ends {
        let end = from + end;
        let words = words::count(&text[start..end]);
        if words <= max_words {
            pieces.push(Piece { start, end, words });
        } else {
            push_words(text, start..end, max_words, pieces);
        }
        start = end;
    }
}

/// Adds pieces of `max_words` words each; white space stays with the word before.
fn push_words(text: &str, range: Range<usize>, max_words: usize, pieces: &mut Vec<Piece>) {
    let mut start = range.start;
    let mut words = 0;
    for word in Words::of(&text[range.clone()]) {
        if words == max_words {
            let end = range.start + word.start;
            pieces.push(Piece { start, end, words });
            start = end;
            words = 0;
        }
        words += 1;
    }
    pieces.push(Piece {
        start,
        end: range.end,
        words,
    });
}

/// Packs `pieces`, which follow one another without gap, into ranges of at most
/// `max_words` words, about evenly. A last range of fewer than `min_words` is
/// evened out with the one before it. Pieces of white space go with a neighbour.
pub(crate) fn pack(pieces: &[Piece], max_words: usize, min_words: usize) -> Vec<Range<usize>> {
    let total: usize = pieces.iter().map(|piece| piece.words).sum();
    let parts = total.div_ceil(max_words).max(1);
    let target = total.div_ceil(parts);
    // Where each range's pieces begin.
    let mut firsts = vec![0];
    let mut words = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let full = words + piece.words > max_words || words >= target;
        if full && words > 0 && piece.words > 0 {
            firsts.push(number);
            words = 0;
        }
        words += piece.words;
    }
    if words < min_words && firsts.len() > 1 {
        even_out(pieces, &mut firsts, max_words);
    }
    let ends = firsts.iter().skip(1).copied().chain([pieces.len()]);
    firsts
        .iter()
        .zip(ends)
        .filter(|(first, end)| **first < *end)
        .map(|(first, end)| pieces[*first].start..pieces[end - 1].end)
        .collect()
}

/// Moves the start of the last range so that it and the one before it are as
/// alike as whole pieces allow.
fn even_out(pieces: &[Piece], firsts: &mut [usize], max_words: usize) {
    let [.., before, last] = firsts else {
        return;
    };
    let both = &pieces[*before..];
    let total: usize = both.iter().map(|piece| piece.words).sum();
    let mut left = 0;
    let mut best = (usize::MAX, *last);
    for (number, piece) in both.iter().enumerate() {
        let right = total - left;
        let allowed = left > 0 && piece.words > 0 && left <= max_words && right <= max_words;
        if allowed && left.abs_diff(right) < best.0 {
            best = (left.abs_diff(right), *before + number);
        }
        left += piece.words;
    }
    *last = best.1;
}
