//! Training sequences: tokens, and which of them are predicted.

use model::training::IGNORE;

/// Sequences of tokens with the token that each position is to predict, one behind the other.
/// There is no padding: a sequence takes the room of its tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    ids: Vec<u32>,
    /// The next token, or [`IGNORE`] where it is not learnt.
    targets: Vec<u32>,
    /// Where each sequence ends.
    ends: Vec<usize>,
}

/// One of [`Sequences`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence<'a> {
    /// What is read.
    pub ids: &'a [u32],
    /// What each position is to predict, or `IGNORE`; as many.
    pub targets: &'a [u32],
}

impl Sequences {
    /// Returns none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the sequence `ids`; `trained` says which of them are learnt, each from those
    /// before it. The first never is: nothing is before it.
    pub fn push(&mut self, ids: &[u32], trained: impl Fn(usize) -> bool) {
        self.ids.extend_from_slice(ids);
        self.targets
            .extend((1..=ids.len()).map(|next| match ids.get(next) {
                Some(id) if trained(next) => *id,
                _ => IGNORE,
            }));
        self.ends.push(self.ids.len());
    }

    /// Adds a long text, cut into pieces of at most `length` tokens; a piece's last token
    /// predicts the first of the next, so that every token but the text's first is learnt once.
    ///
    /// # Panics
    /// If `length` is 0.
    pub fn push_text(&mut self, ids: &[u32], length: usize) {
        assert!(length > 0, "a piece has a token");
        // The last token has nothing to predict.
        let read = ids.len().saturating_sub(1);
        for start in (0..read).step_by(length) {
            let end = (start + length).min(read);
            self.ids.extend_from_slice(&ids[start..end]);
            self.targets.extend_from_slice(&ids[start + 1..=end]);
            self.ends.push(self.ids.len());
        }
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns all tokens that are read.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Returns the length of the longest.
    pub fn longest(&self) -> usize {
        (0..self.len())
            .map(|it| self.get(it).ids.len())
            .max()
            .unwrap_or(0)
    }

    /// Returns sequence `index`.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, index: usize) -> Sequence<'_> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range = start..self.ends[index];
        Sequence {
            ids: &self.ids[range.clone()],
            targets: &self.targets[range],
        }
    }

    /// Splits off those whose number `wanted` accepts.
    pub fn partition(&self, wanted: impl Fn(usize) -> bool) -> (Self, Self) {
        let (mut yes, mut no) = (Self::new(), Self::new());
        for index in 0..self.len() {
            let Sequence { ids, targets } = self.get(index);
            let side = if wanted(index) { &mut yes } else { &mut no };
            side.ids.extend_from_slice(ids);
            side.targets.extend_from_slice(targets);
            side.ends.push(side.ids.len());
        }
        (yes, no)
    }
}

impl Sequence<'_> {
    /// Returns how many tokens are learnt.
    pub fn learnt(&self) -> usize {
        self.targets.iter().filter(|it| **it != IGNORE).count()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_is_trained_is_predicted() {
        let mut sequences = Sequences::new();
        sequences.push(&[5, 6, 7, 8], |at| at >= 2);
        let sequence = sequences.get(0);
        assert_eq!(sequence.targets, [IGNORE, 7, 8, IGNORE]);
        assert_eq!(sequence.learnt(), 2);
    }

    #[test]
    fn the_first_token_is_never_learnt() {
        let mut sequences = Sequences::new();
        sequences.push(&[5], |_| true);
        assert_eq!(sequences.get(0).learnt(), 0);
    }

    proptest! {
        #[test]
        fn a_text_is_learnt_whole_and_once(ids in prop::collection::vec(0u32..9, 0..60), length in 1usize..20) {
            let mut sequences = Sequences::new();
            sequences.push_text(&ids, length);
            let learnt: Vec<u32> = (0..sequences.len())
                .flat_map(|it| sequences.get(it).targets.to_vec())
                .collect();
            prop_assert_eq!(&learnt[..], ids.get(1..).unwrap_or(&[]));
            prop_assert!(sequences.longest() <= length);
        }
    }
}
