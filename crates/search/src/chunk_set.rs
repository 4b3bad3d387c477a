//! A set of chunks, as bits: what a filter and the permissions leave.

use contract::ChunkId;

/// A set of chunks. One bit for each id up to the largest, for ids are handed out
/// in order and stay dense: a million chunks take 125 kB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkSet {
    words: Vec<u64>,
    len: usize,
}

impl ChunkSet {
    /// Returns the empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `chunk`; returns whether it was not there before.
    pub fn insert(&mut self, chunk: ChunkId) -> bool {
        let (word, bit) = place(chunk);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let added = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += usize::from(added);
        added
    }

    /// Takes `chunk` out; returns whether it was there.
    pub fn remove(&mut self, chunk: ChunkId) -> bool {
        let (word, bit) = place(chunk);
        let Some(word) = self.words.get_mut(word) else {
            return false;
        };
        let removed = *word & bit != 0;
        *word &= !bit;
        self.len -= usize::from(removed);
        removed
    }

    /// Returns whether `chunk` is in the set.
    pub fn contains(&self, chunk: ChunkId) -> bool {
        let (word, bit) = place(chunk);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Returns how many chunks are in the set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether no chunk is in the set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the chunks in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = ChunkId> + '_ {
        self.words.iter().enumerate().flat_map(|(word, bits)| {
            let mut bits = *bits;
            std::iter::from_fn(move || {
                (bits != 0).then(|| {
                    let bit = bits.trailing_zeros();
                    bits &= bits - 1;
                    ChunkId(word as u64 * 64 + u64::from(bit))
                })
            })
        })
    }
}

impl FromIterator<ChunkId> for ChunkSet {
    fn from_iter<I: IntoIterator<Item = ChunkId>>(chunks: I) -> Self {
        let mut set = Self::new();
        for chunk in chunks {
            set.insert(chunk);
        }
        set
    }
}

fn place(chunk: ChunkId) -> (usize, u64) {
    ((chunk.0 / 64) as usize, 1 << (chunk.0 % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_set(steps in prop::collection::vec((0u64..300, any::<bool>()), 0..200)) {
            let (mut fast, mut plain) = (ChunkSet::new(), BTreeSet::new());
            for (id, insert) in steps {
                let chunk = ChunkId(id);
                if insert {
                    prop_assert_eq!(fast.insert(chunk), plain.insert(chunk));
                } else {
                    prop_assert_eq!(fast.remove(chunk), plain.remove(&chunk));
                }
                prop_assert_eq!(fast.contains(chunk), plain.contains(&chunk));
            }
            prop_assert_eq!(fast.len(), plain.len());
            prop_assert!(fast.iter().eq(plain.iter().copied()));
        }
    }
}
