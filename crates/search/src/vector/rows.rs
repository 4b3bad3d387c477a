//! The vectors themselves: values, codes and chunk of every slot.
//!
//! A vector lives in a *slot*, a number that structures (graph, lists) refer to.
//! Deleting marks the slot dead; its row stays, for a graph may still lead through
//! it, until the index is built anew and slots are numbered afresh.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use contract::ChunkId;

use super::codes::{CodedQuery, bias, code_stride, quantise};
use super::column::Column;
use super::simd::PLANES;
use super::simd::{Kernels, prefetch};
use super::sketch::{FACTOR_WORDS, SketchQuery, Sketcher, has_sketches};
use super::{Metric, VectorError};

/// The most dimensions a vector may have: more, and sums of codes overflow.
pub const MOST_DIMENSIONS: usize = 1 << 15;

/// The most slots an index may have; the numbers above are kept as marks.
pub(super) const MOST_SLOTS: usize = (1 << 31) - 2;

/// The most rows whose sketches are scored at once.
pub(super) const SKETCH_BLOCK: usize = 64;

/// Rows by slot, and slots by chunk.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) dimensions: usize,
    pub(super) metric: Metric,
    pub(super) kernels: &'static Kernels,
    /// Values, padded with zeros to a multiple of 16; of unit length for cosine.
    pub(super) values: Column<f32>,
    /// Offset codes; rows of no bytes where the metric is not a product.
    pub(super) codes: Column<u8>,
    /// Scale and bias of each code.
    pub(super) scales: Column<f32>,
    /// Sketches with their factors; rows of nothing where there are none.
    pub(super) sketches: Column<u64>,
    /// What makes the sketches, where there are any.
    pub(super) sketcher: Option<Sketcher>,
    /// The chunk of each slot.
    pub(super) chunks: Column<u64>,
    /// One bit for each slot that is not deleted.
    pub(super) live: Bits,
    pub(super) slots: HashMap<u64, u32, BuildHasherDefault<ChunkHasher>>,
}

/// One bit for each slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    pub(super) words: Vec<u64>,
}

impl Bits {
    /// Returns `len` bits, none set.
    pub(super) fn new(len: usize) -> Self {
        Self {
            words: vec![0; len.div_ceil(64)],
        }
    }

    /// Returns whether the bit of `slot` is set.
    #[inline]
    pub(super) fn contains(&self, slot: u32) -> bool {
        self.words
            .get(slot as usize / 64)
            .is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    /// Sets the bit of `slot`, growing to it.
    #[inline]
    pub(super) fn insert(&mut self, slot: u32) {
        let word = slot as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (slot % 64);
    }

    /// Clears the bit of `slot`.
    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(word) = self.words.get_mut(slot as usize / 64) {
            *word &= !(1 << (slot % 64));
        }
    }

    /// Gives every set slot below `end` to `each`, ascending.
    pub(super) fn for_each(&self, end: usize, mut each: impl FnMut(u32)) {
        for (index, word) in self.words.iter().enumerate() {
            let mut bits = *word;
            while bits != 0 {
                let slot = index * 64 + bits.trailing_zeros() as usize;
                if slot >= end {
                    return;
                }
                each(slot as u32);
                bits &= bits - 1;
            }
        }
    }
}

/// Spreads chunk numbers over a table. They are handed out by the store, not by
/// strangers, so no defence against chosen keys is needed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChunkHasher(u64);

impl Hasher for ChunkHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte) ^ self.0);
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number ^ 0x9e37_79b9_7f4a_7c15) * 0xd134_2543_de82_ef95;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

/// A query as the methods need it: prepared once.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// The values, padded like the rows; of unit length for cosine.
    pub(super) values: Vec<f32>,
    /// The codes, where the metric is a product.
    pub(super) coded: CodedQuery,
}

impl Rows {
    /// Returns no rows.
    pub(super) fn new(dimensions: usize, metric: Metric) -> Self {
        let strides = Strides::of(dimensions, metric);
        Self {
            dimensions,
            metric,
            kernels: Kernels::best(),
            values: Column::new(strides.values),
            codes: Column::new(strides.codes),
            scales: Column::new(2),
            sketches: Column::new(strides.sketches),
            sketcher: (strides.sketches > 0).then(|| Sketcher::new(dimensions)),
            chunks: Column::new(1),
            live: Bits::default(),
            slots: HashMap::default(),
        }
    }

    /// Returns no rows, to which no sketches will be made.
    pub(super) fn unsketched(dimensions: usize, metric: Metric) -> Self {
        Self {
            sketches: Column::new(0),
            sketcher: None,
            ..Self::new(dimensions, metric)
        }
    }

    /// Returns how many slots there are, dead ones included.
    #[inline]
    pub(super) fn slot_count(&self) -> usize {
        self.chunks.len()
    }

    /// Returns how many vectors there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns the chunk of `slot`.
    #[inline]
    pub(super) fn chunk(&self, slot: u32) -> ChunkId {
        ChunkId(self.chunks.row(slot)[0])
    }

    /// Checks a vector, pads it and, for cosine, makes it of unit length.
    pub(super) fn prepare(&self, vector: &[f32]) -> Result<Vec<f32>, VectorError> {
        if vector.len() != self.dimensions {
            return Err(VectorError::Dimensions {
                expected: self.dimensions,
                found: vector.len(),
            });
        }
        let square: f64 = vector.iter().map(|value| f64::from(*value).powi(2)).sum();
        // One NaN or infinity makes the sum one. The limit keeps products and
        // distances of two vectors finite.
        let in_range = square < f64::from(f32::MAX) / 8.0;
        if !in_range {
            return Err(VectorError::NotFinite);
        }
        let mut values = vec![0.0; self.values.stride()];
        if self.metric == Metric::Cosine {
            if square == 0.0 {
                return Err(VectorError::NoDirection);
            }
            let length = square.sqrt();
            for (to, from) in values.iter_mut().zip(vector) {
                *to = (f64::from(*from) / length) as f32;
            }
        } else {
            values[..vector.len()].copy_from_slice(vector);
        }
        Ok(values)
    }

    /// Prepares a query.
    pub(super) fn query(&self, vector: &[f32]) -> Result<Query, VectorError> {
        let values = self.prepare(vector)?;
        let mut coded = CodedQuery::default();
        if self.metric.is_product() {
            coded.set(&values[..self.dimensions], self.codes.stride());
        }
        Ok(Query { values, coded })
    }

    /// Appends a prepared vector in a new slot; returns the slot.
    pub(super) fn push(&mut self, chunk: ChunkId, values: &[f32]) -> u32 {
        let slot = self.slot_count() as u32;
        self.values.push(values);
        self.codes.push(&[]);
        self.scales.push(&[]);
        self.sketches.push(&[]);
        self.chunks.push(&[chunk.0]);
        self.encode(slot, values);
        self.adopt(chunk, slot);
        slot
    }

    /// Puts a prepared vector into a slot in memory that nothing refers to.
    pub(super) fn replace(&mut self, slot: u32, chunk: ChunkId, values: &[f32]) {
        self.values.row_mut(slot).copy_from_slice(values);
        self.chunks.row_mut(slot)[0] = chunk.0;
        self.encode(slot, values);
        self.adopt(chunk, slot);
    }

    fn adopt(&mut self, chunk: ChunkId, slot: u32) {
        self.live.insert(slot);
        self.slots.insert(chunk.0, slot);
    }

    fn encode(&mut self, slot: u32, values: &[f32]) {
        if !self.metric.is_product() {
            return;
        }
        let codes = self.codes.row_mut(slot);
        codes.fill(0x80);
        let scale = quantise(&values[..self.dimensions], |index, code| {
            codes[index] = code as u8 ^ 0x80;
        });
        let bias = bias(self.metric, values, self.kernels);
        self.scales.row_mut(slot).copy_from_slice(&[scale, bias]);
        if let Some(sketcher) = &self.sketcher {
            sketcher.sketch(values, self.sketches.row_mut(slot));
        }
    }

    /// Deletes `chunk`'s vector; returns its slot if there was one.
    pub(super) fn remove(&mut self, chunk: ChunkId) -> Option<u32> {
        let slot = self.slots.remove(&chunk.0)?;
        self.live.remove(slot);
        Some(slot)
    }

    /// Returns scale and bias of `slot`.
    #[inline]
    pub(super) fn scale_bias(&self, slot: u32) -> [f32; 2] {
        let row = self.scales.row(slot);
        [row[0], row[1]]
    }

    /// Sets `scores` to the scores of `slots` by their codes.
    #[expect(unsafe_code, reason = "rows are given to the kernel by address")]
    pub(super) fn code_scores(&self, query: &CodedQuery, slots: &[u32], scores: &mut Vec<f32>) {
        const BLOCK: usize = 32;
        assert_eq!(
            query.codes.len(),
            self.codes.stride(),
            "the query is coded for these rows"
        );
        scores.clear();
        let mut addresses = [std::ptr::null(); BLOCK];
        let mut products = [0; BLOCK];
        for block in slots.chunks(BLOCK) {
            for (address, slot) in addresses.iter_mut().zip(block) {
                *address = self.codes.at(*slot);
                prefetch(*address, self.codes.stride());
            }
            // SAFETY: `at` has checked every slot, a row is as long as the query's
            // codes, and an index has at most 2¹⁵ dimensions.
            unsafe {
                self.kernels.dot_codes_many(
                    &query.codes,
                    &addresses[..block.len()],
                    &mut products[..block.len()],
                );
            }
            scores.extend(
                block
                    .iter()
                    .zip(products)
                    .map(|(slot, product)| query.score(product, self.scale_bias(*slot))),
            );
        }
    }

    /// Sets the first of `scores` to the scores of `slots` (ascending, at most
    /// [`SKETCH_BLOCK`]) as their sketches estimate them, and the first of `deviations`
    /// to those of the estimates' errors. Panics if there are no sketches.
    #[expect(unsafe_code, reason = "rows are given to the kernel by address")]
    pub(super) fn sketch_scores(
        &self,
        query: &SketchQuery,
        slots: &[u32],
        scores: &mut [f32; SKETCH_BLOCK],
        deviations: &mut [f32; SKETCH_BLOCK],
    ) {
        assert_eq!(
            query.planes.len(),
            PLANES * (self.sketches.stride() - FACTOR_WORDS),
            "the query is prepared for these sketches"
        );
        let [Some(first), Some(last)] = [slots.first(), slots.last()] else {
            return;
        };
        let mut addresses = [std::ptr::null(); SKETCH_BLOCK];
        let addresses = &mut addresses[..slots.len()];
        let mut counts = [0; SKETCH_BLOCK];
        let consecutive = (last - first) as usize + 1 == slots.len();
        let run = consecutive
            .then(|| self.sketches.run(*first, slots.len()))
            .flatten();
        if let Some(run) = run {
            let rows = run.chunks_exact(self.sketches.stride());
            for (address, row) in addresses.iter_mut().zip(rows) {
                *address = row.as_ptr();
            }
        } else {
            for (address, slot) in addresses.iter_mut().zip(slots) {
                *address = self.sketches.at(*slot);
            }
        }
        // SAFETY: every address is that of a row, which is longer than a plane.
        unsafe {
            self.kernels
                .plane_counts_many(&query.planes, addresses, &mut counts);
        }
        let found = scores.iter_mut().zip(deviations).zip(counts);
        if let Some(run) = run {
            let rows = run.chunks_exact(self.sketches.stride());
            for (((score, deviation), count), row) in found.zip(rows) {
                (*score, *deviation) = query.estimate(count, row);
            }
        } else {
            for (((score, deviation), count), slot) in found.zip(slots) {
                (*score, *deviation) = query.estimate(count, self.sketches.row(*slot));
            }
        }
        if self.metric == Metric::Euclidean {
            for (score, slot) in scores.iter_mut().zip(slots) {
                *score += self.scale_bias(*slot)[1];
            }
        }
    }

    /// Returns the value of the metric for `query` and `slot`, from the `f32` rows.
    pub(super) fn value(&self, query: &Query, slot: u32) -> f32 {
        let row = self.values.row(slot);
        let cut = self.dimensions;
        match self.metric {
            Metric::Cosine => self.kernels.dot(&query.values, row).clamp(-1.0, 1.0),
            Metric::Dot => self.kernels.dot(&query.values, row),
            Metric::Euclidean => self.kernels.squared_distance(&query.values, row).sqrt(),
            Metric::Manhattan => self.kernels.manhattan(&query.values, row),
            other => other.value(&query.values[..cut], &row[..cut]) as f32,
        }
    }

    /// Returns the rows of `order` alone, numbered from 0 in that order.
    pub(super) fn gathered(&self, order: &[u32]) -> Self {
        let mut rows = Self {
            values: self.values.gathered(order),
            codes: self.codes.gathered(order),
            scales: self.scales.gathered(order),
            sketches: self.sketches.gathered(order),
            chunks: self.chunks.gathered(order),
            ..Self::new(self.dimensions, self.metric)
        };
        for slot in 0..order.len() as u32 {
            let chunk = rows.chunk(slot);
            rows.adopt(chunk, slot);
        }
        rows
    }
}

/// How many numbers a row has in each column that depends on dimensions and metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strides {
    pub(super) values: usize,
    pub(super) codes: usize,
    pub(super) sketches: usize,
}

impl Strides {
    /// Returns those of vectors of `dimensions` numbers under `metric`.
    pub(super) fn of(dimensions: usize, metric: Metric) -> Self {
        let sketched = has_sketches(dimensions, metric);
        let only = |condition, stride| if condition { stride } else { 0 };
        Self {
            values: dimensions.next_multiple_of(16),
            codes: only(metric.is_product(), code_stride(dimensions)),
            sketches: only(sketched, Sketcher::words(dimensions) + FACTOR_WORDS),
        }
    }
}
