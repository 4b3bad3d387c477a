//! The same number of words each.

use std::collections::VecDeque;
use std::ops::Range;

use super::words::Words;

/// Cuts `text` into ranges of `words` words, each repeating the last `overlap`
/// words of the one before (`overlap` < `words`). The last may be shorter.
pub(crate) fn cut(text: &str, words: usize, overlap: usize) -> Vec<Range<usize>> {
    let step = words - overlap;
    let mut ranges = Vec::new();
    // The starts of ranges that are not full yet, the oldest first.
    let mut open = VecDeque::from([0]);
    let mut full_at = words;
    for (number, word) in Words::of(text).enumerate() {
        if number == full_at {
            let start = open.pop_front().expect("a range is always open");
            ranges.push(start..word.start);
            full_at += step;
        }
        if number > 0 && number % step == 0 {
            open.push_back(word.start);
        }
    }
    // Those begun after the oldest are parts of it.
    if let Some(start) = open.pop_front() {
        ranges.push(start..text.len());
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: usize, overlap: usize, expect: &[&str]) {
        let text = " a b c d e\n";
        let found: Vec<_> = cut(text, words, overlap)
            .into_iter()
            .map(|range| &text[range])
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn ranges_have_their_words_and_their_overlap() {
        check(2, 0, &[" a b ", "c d ", "e\n"]);
        check(3, 1, &[" a b c ", "c d e\n"]);
        check(3, 2, &[" a b c ", "b c d ", "c d e\n"]);
        check(5, 4, &[" a b c d e\n"]);
        check(9, 0, &[" a b c d e\n"]);
    }
}
