//! What a decoder keeps of the tokens it has read: their keys and values.

/// The keys and values of one sequence, all layers.
///
/// The system gives memory that nobody has touched for nothing, so a cache takes as
/// much as the tokens it holds, however many it has room for.
#[derive(Debug)]
pub struct Cache {
    /// `(layers, 2, heads of keys, capacity, W)`: keys, then values.
    numbers: Vec<f32>,
    shape: CacheShape,
    capacity: usize,
    len: usize,
}

/// Of which model a cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CacheShape {
    pub(super) layers: usize,
    pub(super) key_heads: usize,
    pub(super) head_width: usize,
}

impl Cache {
    pub(super) fn new(shape: CacheShape, capacity: usize) -> Self {
        let of_layer = 2 * shape.key_heads * capacity * shape.head_width;
        Self {
            // Zeros come untouched from the system.
            numbers: vec![0.0; shape.layers * of_layer],
            shape,
            capacity,
            len: 0,
        }
    }

    /// Returns how many tokens it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many tokens it has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets all but the first `len` tokens; no more are held afterwards than before.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Takes over the first `len` tokens of `other`, instead of its own. Panics if
    /// `other` holds fewer, this has no room for them, or they are of different models.
    pub fn copy_prefix(&mut self, other: &Self, len: usize) {
        assert_eq!(self.shape, other.shape, "both caches are of one model");
        assert!(
            len <= other.len && len <= self.capacity,
            "the tokens are there, and there is room for them"
        );
        let width = self.shape.head_width;
        if len > 0 {
            let heads = self
                .numbers
                .chunks_exact_mut(self.capacity * width)
                .zip(other.numbers.chunks_exact(other.capacity * width));
            for (to, from) in heads {
                to[..len * width].copy_from_slice(&from[..len * width]);
            }
        }
        self.len = len;
    }

    /// Returns how many tokens there is room for yet.
    pub(super) fn room(&self) -> usize {
        self.capacity - self.len
    }

    pub(super) fn shape(&self) -> CacheShape {
        self.shape
    }

    /// Counts `tokens` more, whose keys and values were written.
    pub(super) fn grow(&mut self, tokens: usize) {
        assert!(tokens <= self.room(), "there is room for the tokens");
        self.len += tokens;
    }

    /// Returns keys and values of `layer`, each `(heads of keys, capacity, W)`.
    pub(super) fn layer(&self, layer: usize) -> [&[f32]; 2] {
        let half = self.shape.key_heads * self.capacity * self.shape.head_width;
        let both = &self.numbers[2 * layer * half..][..2 * half];
        let (keys, values) = both.split_at(half);
        [keys, values]
    }

    /// Writes the keys or values (`part` 0 or 1) of tokens from `position` on. `rows`
    /// are `(T, stride)`, of which the heads' numbers come first.
    pub(super) fn put(
        &mut self,
        layer: usize,
        part: usize,
        position: usize,
        rows: &[f32],
        stride: usize,
    ) {
        let (capacity, width) = (self.capacity, self.shape.head_width);
        let half = self.shape.key_heads * capacity * width;
        let all = &mut self.numbers[(2 * layer + part) * half..][..half];
        for (head, places) in all.chunks_exact_mut(capacity * width).enumerate() {
            let places = places[position * width..].chunks_exact_mut(width);
            for (place, row) in places.zip(rows.chunks(stride)) {
                place.copy_from_slice(&row[head * width..][..width]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: CacheShape = CacheShape {
        layers: 2,
        key_heads: 2,
        head_width: 3,
    };

    /// Returns `(tokens, key_heads · W)` numbers that tell where they belong.
    fn rows(tokens: usize, from: usize) -> Vec<f32> {
        (0..tokens * 6).map(|at| (from * 6 + at) as f32).collect()
    }

    fn filled(capacity: usize, tokens: usize) -> Cache {
        let mut cache = Cache::new(SHAPE, capacity);
        for layer in 0..2 {
            for part in 0..2 {
                let rows = rows(tokens, 100 * (2 * layer + part));
                cache.put(layer, part, 0, &rows, 6);
            }
        }
        cache.grow(tokens);
        cache
    }

    #[test]
    fn heads_lie_apart() {
        let mut cache = filled(4, 2);
        cache.put(1, 0, 2, &rows(1, 7), 6);
        cache.grow(1);
        let [keys, _] = cache.layer(1);
        let second = &keys[4 * 3..];
        assert_eq!(second[..3], [1203.0, 1204.0, 1205.0]);
        assert_eq!(second[6..9], [45.0, 46.0, 47.0]);
        assert_eq!((cache.len(), cache.room()), (3, 1));
    }

    #[test]
    fn a_prefix_is_the_same_in_another_cache() {
        let from = filled(5, 4);
        let mut to = filled(3, 1);
        to.copy_prefix(&from, 3);
        assert_eq!(to.len(), 3);
        for layer in 0..2 {
            for (to, from) in to.layer(layer).iter().zip(from.layer(layer)) {
                for head in 0..2 {
                    assert_eq!(to[head * 9..][..9], from[head * 15..][..9]);
                }
            }
        }
        to.truncate(1);
        to.truncate(2);
        assert_eq!(to.len(), 1);
    }
}
