//! The best few of many scores.

/// Keeps the `limit` best of the scored slots pushed to it.
///
/// Candidates are gathered unsorted up to twice the limit and then halved by
/// selection, so that most pushes are one comparison with the threshold, and none
/// moves a heap. Of equal scores the lower slot is better, whatever the order of pushes
/// between two halvings.
#[derive(Clone, Debug)]
pub(super) struct Top {
    limit: usize,
    threshold: f32,
    entries: Vec<(f32, u32)>,
}

impl Top {
    /// Returns an empty one that keeps `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            threshold: f32::NEG_INFINITY,
            entries: Vec::with_capacity(limit.saturating_mul(2).min(1 << 16)),
        }
    }

    /// Returns a score below which none is kept any more.
    #[inline]
    pub(super) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Offers a slot with its score.
    #[inline]
    pub(super) fn push(&mut self, score: f32, slot: u32) {
        if score > self.threshold {
            self.keep(score, slot);
        }
    }

    fn keep(&mut self, score: f32, slot: u32) {
        if self.limit == 0 {
            return;
        }
        self.entries.push((score, slot));
        if self.entries.len() >= self.limit.saturating_mul(2) {
            self.entries
                .select_nth_unstable_by(self.limit - 1, best_first);
            self.entries.truncate(self.limit);
            self.threshold = self.entries[self.limit - 1].0;
        }
    }

    /// Returns what was kept, the best first.
    pub(super) fn into_sorted(mut self) -> Vec<(f32, u32)> {
        self.entries.sort_unstable_by(best_first);
        self.entries.truncate(self.limit);
        self.entries
    }
}

/// Orders scored slots: the higher score first, of equals the lower slot.
pub(super) fn best_first(a: &(f32, u32), b: &(f32, u32)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn keeps_the_best(scores in prop::collection::vec(-20i8..20, 0..200), limit in 0usize..30) {
            let mut top = Top::new(limit);
            let mut all: Vec<(f32, u32)> = Vec::new();
            for (slot, score) in scores.iter().enumerate() {
                top.push(f32::from(*score), slot as u32);
                all.push((f32::from(*score), slot as u32));
            }
            all.sort_by(best_first);
            all.truncate(limit);
            prop_assert_eq!(top.into_sorted(), all);
        }
    }
}
