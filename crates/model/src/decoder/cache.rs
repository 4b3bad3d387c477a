//! What a decoder keeps of the tokens it has read: their keys and values.
//!
//! In binary16, where the weights are of blocks: half the memory, and half as much to read
//! for every token. Beside weights of single numbers it would be the larger error: tiny
//! models in F16 then miss their reference's logits by 1e-3 instead of 1e-4.

use tensor::{Format, Kept, Kernels};

/// The keys and values of one sequence, all layers.
///
/// The system gives memory that nobody has touched for nothing, so a cache takes as
/// much as the tokens it holds, however many it has room for.
#[derive(Debug)]
pub struct Cache {
    /// `(layers, 2, heads of keys, capacity, W)`: keys, then values.
    numbers: Numbers,
    shape: CacheShape,
    capacity: usize,
    len: usize,
}

#[derive(Debug)]
enum Numbers {
    Whole(Vec<f32>),
    Half(Vec<u16>),
}

/// How a cache keeps its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// As they are computed.
    Whole,
    /// In binary16, which has 11 bits of a number: bfloat16 has 8.
    Half,
}

impl Keeping {
    /// Returns what suits weights of `format`, so that theirs stays the larger error.
    pub(super) fn beside(format: Format) -> Self {
        match format {
            Format::F32 | Format::F16 | Format::Bf16 => Self::Whole,
            Format::Q8_0 | Format::Q4_0 | Format::Q4K | Format::Q6K => Self::Half,
        }
    }
}

/// Of which model a cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CacheShape {
    pub(super) layers: usize,
    pub(super) key_heads: usize,
    pub(super) head_width: usize,
    pub(super) keeping: Keeping,
}

impl Cache {
    pub(super) fn new(shape: CacheShape, capacity: usize) -> Self {
        let of_layer = 2 * shape.key_heads * capacity * shape.head_width;
        Self {
            // Zeros come untouched from the system.
            numbers: match shape.keeping {
                Keeping::Whole => Numbers::Whole(vec![0.0; shape.layers * of_layer]),
                Keeping::Half => Numbers::Half(vec![0; shape.layers * of_layer]),
            },
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
        let (to, from) = (self.capacity * width, other.capacity * width);
        match (&mut self.numbers, &other.numbers) {
            _ if len == 0 => {}
            (Numbers::Whole(numbers), Numbers::Whole(others)) => {
                copy_heads(numbers.chunks_mut(to), others.chunks(from), len * width);
            }
            (Numbers::Half(numbers), Numbers::Half(others)) => {
                copy_heads(numbers.chunks_mut(to), others.chunks(from), len * width);
            }
            _ => unreachable!("caches of one shape keep numbers alike"),
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
    pub(super) fn layer(&self, layer: usize) -> [Kept<'_>; 2] {
        let half = self.shape.key_heads * self.capacity * self.shape.head_width;
        [2 * layer, 2 * layer + 1].map(|part| match &self.numbers {
            Numbers::Whole(numbers) => Kept::Whole(&numbers[part * half..][..half]),
            Numbers::Half(numbers) => Kept::Half(&numbers[part * half..][..half]),
        })
    }

    /// Writes the keys or values (`part` 0 or 1) of tokens from `position` on. `rows`
    /// are `(T, stride)`, of which the heads' numbers come first.
    pub(super) fn put(
        &mut self,
        kernels: &Kernels,
        [layer, part]: [usize; 2],
        position: usize,
        rows: &[f32],
        stride: usize,
    ) {
        let (capacity, width) = (self.capacity, self.shape.head_width);
        let half = self.shape.key_heads * capacity * width;
        let from = (2 * layer + part) * half;
        for head in 0..self.shape.key_heads {
            let first = from + (head * capacity + position) * width;
            for (token, row) in rows.chunks(stride).enumerate() {
                let place = first + token * width..first + (token + 1) * width;
                let row = &row[head * width..][..width];
                match &mut self.numbers {
                    Numbers::Whole(numbers) => numbers[place].copy_from_slice(row),
                    Numbers::Half(numbers) => kernels.halve(row, &mut numbers[place]),
                }
            }
        }
    }
}

/// Copies the first `count` numbers of each head.
fn copy_heads<'a, T: Copy + 'a>(
    to: impl Iterator<Item = &'a mut [T]>,
    from: impl Iterator<Item = &'a [T]>,
    count: usize,
) {
    for (to, from) in to.zip(from) {
        to[..count].copy_from_slice(&from[..count]);
    }
}

#[cfg(test)]
mod tests {
    use tensor::f16_to_f32;

    use super::*;

    const KEEPINGS: [Keeping; 2] = [Keeping::Whole, Keeping::Half];

    /// Returns `(tokens, key_heads · W)` numbers that tell where they belong.
    fn rows(tokens: usize, from: usize) -> Vec<f32> {
        (0..tokens * 6).map(|at| (from * 6 + at) as f32).collect()
    }

    fn filled(keeping: Keeping, capacity: usize, tokens: usize) -> Cache {
        let shape = CacheShape {
            layers: 2,
            key_heads: 2,
            head_width: 3,
            keeping,
        };
        let mut cache = Cache::new(shape, capacity);
        for layer in 0..2 {
            for part in 0..2 {
                let rows = rows(tokens, 100 * (2 * layer + part));
                cache.put(Kernels::best(), [layer, part], 0, &rows, 6);
            }
        }
        cache.grow(tokens);
        cache
    }

    /// All of these numbers are whole and small, so that binary16 holds them.
    fn whole(kept: Kept<'_>) -> Vec<f32> {
        match kept {
            Kept::Whole(numbers) => numbers.to_vec(),
            Kept::Half(halves) => halves.iter().map(|bits| f16_to_f32(*bits)).collect(),
        }
    }

    #[test]
    fn heads_lie_apart() {
        for keeping in KEEPINGS {
            let mut cache = filled(keeping, 4, 2);
            cache.put(Kernels::best(), [1, 0], 2, &rows(1, 7), 6);
            cache.grow(1);
            let keys = whole(cache.layer(1)[0]);
            let second = &keys[4 * 3..];
            assert_eq!(second[..3], [1203.0, 1204.0, 1205.0]);
            assert_eq!(second[6..9], [45.0, 46.0, 47.0]);
            assert_eq!((cache.len(), cache.room()), (3, 1));
        }
    }

    #[test]
    fn a_prefix_is_the_same_in_another_cache() {
        for keeping in KEEPINGS {
            let from = filled(keeping, 5, 4);
            let mut to = filled(keeping, 3, 1);
            to.copy_prefix(&from, 3);
            assert_eq!(to.len(), 3);
            for layer in 0..2 {
                for (to, from) in to.layer(layer).into_iter().zip(from.layer(layer)) {
                    let (to, from) = (whole(to), whole(from));
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
}
