//! The query cache: the same question of the same reader over the same documents.
//!
//! Its key holds all that an answer depends on: the store's sequence, the recipe,
//! the filter, the reader's groups, the question and its vector. So an entry is
//! never stale, for a commit changes the sequence; and never leaks, for another
//! reader has another key.

use std::collections::HashMap;

use contract::Reader;

/// All that the result of a search depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    /// The store's last commit.
    pub sequence: u64,
    /// The recipe and the filter, written out.
    pub recipe: String,
    /// Who asks.
    pub reader: ReaderKey,
    /// What is asked.
    pub question: String,
    /// The question's vector, bit by bit.
    pub vector: Option<Vec<u32>>,
}

/// A reader's groups, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReaderKey(Vec<String>);

impl From<&Reader> for ReaderKey {
    fn from(reader: &Reader) -> Self {
        Self(reader.groups.iter().map(|group| group.0.clone()).collect())
    }
}

/// Keeps the values that were used last.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    entries: HashMap<K, (V, u64)>,
    capacity: usize,
    clock: u64,
}

impl<K: Clone + Eq + std::hash::Hash, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity,
            clock: 0,
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.clock += 1;
        let (value, used) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(value.clone())
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.capacity == 0 {
            return;
        }
        self.clock += 1;
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            // The capacity is a few hundred, so finding the oldest is cheaper than
            // keeping a list in order at every hit.
            if let Some(oldest) = self
                .entries
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| key.clone())
            {
                self.entries.remove(&oldest);
            }
        }
        self.entries.insert(key, (value, self.clock));
    }

    /// Forgets everything: after a commit no older entry can be hit again.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays() {
        let mut cache = Cache::new(2);
        cache.put("a", 1);
        cache.put("b", 2);
        assert_eq!(cache.get(&"a"), Some(1));
        cache.put("c", 3);
        assert_eq!(cache.get(&"b"), None);
        assert_eq!((cache.get(&"a"), cache.get(&"c")), (Some(1), Some(3)));
    }
}
