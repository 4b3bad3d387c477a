//! Texts put together into batches without padding.

use crate::tokens::Tokens;

/// A batch's texts, their tokens one after another.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// `(T)`, numbers of tokens.
    pub ids: Vec<u32>,
    /// `(T)`, the segment of each.
    pub segments: Vec<u32>,
    /// How many tokens each text has; the sum is `T`.
    pub lengths: Vec<usize>,
}

impl Batch {
    /// Puts `texts` one after another.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a Tokens>) -> Self {
        let mut batch = Self::default();
        for text in texts {
            batch.ids.extend(&text.ids);
            batch.segments.extend(&text.segments);
            batch.lengths.push(text.ids.len());
        }
        batch
    }
}

/// Tokens of a batch, unless one text alone has more. Enough that a layer's weights,
/// read once a batch, cost little beside the arithmetic; few enough that what a batch
/// keeps stays in the cache.
const MOST: usize = 512;

/// Returns which texts go together, given how many tokens each has: longest first, so
/// that the last batches to be done are short, and at most [`MOST`] tokens together,
/// or less if that leaves one of `threads` without work.
pub(crate) fn plan(lengths: &[usize], threads: usize) -> Vec<Vec<usize>> {
    let total: usize = lengths.iter().sum();
    let most = total.div_ceil(threads.max(1)).min(MOST);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|text| std::cmp::Reverse(lengths[*text]));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = usize::MAX;
    for text in order {
        if tokens.saturating_add(lengths[text]) > most {
            batches.push(Vec::new());
            tokens = 0;
        }
        tokens += lengths[text];
        batches
            .last_mut()
            .expect("the first text opens a batch")
            .push(text);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lengths: &[usize], threads: usize, expect: &[&[usize]]) {
        assert_eq!(plan(lengths, threads), expect, "{lengths:?}");
    }

    #[test]
    fn texts_are_put_together() {
        check(&[], 2, &[]);
        check(&[7], 2, &[&[0]]);
        check(&[10, 300, 200, 400], 1, &[&[3], &[1, 2, 0]]);
        check(&[600, 2], 1, &[&[0], &[1]]);
    }

    #[test]
    fn every_thread_has_work() {
        check(&[5, 5, 5, 5], 2, &[&[0, 1], &[2, 3]]);
    }
}
