//! Product quantisation (Jégou, Douze and Schmid 2011, "Product Quantization for
//! Nearest Neighbor Search"): a vector is cut into pieces of a few numbers, and
//! each piece is replaced by the nearest of 256, one byte each.
//!
//! A search computes the query's products with all 256 of every piece once; a row's
//! score is then a sum of looked-up numbers.

use rayon::prelude::*;

use super::column::Column;
use super::random::Random;
use super::rows::{Query, Rows};

/// Codewords of a piece.
const WORDS: usize = 256;

/// Numbers in a piece: 384 dimensions take 48 bytes, an eighth of their int8 codes.
const PIECE: usize = 8;

/// Rounds of k-means.
const ROUNDS: usize = 8;

/// Sampled vectors: 32 for each codeword.
const SAMPLE: usize = 32 * WORDS;

/// Codebooks, and the codes of the slots `0..codes.len()`.
#[derive(Debug)]
pub(super) struct Pq {
    dimensions: usize,
    /// For each piece and each of its numbers, that number of all codewords.
    books: Vec<f32>,
    codes: Column<u8>,
}

impl Pq {
    /// Learns codebooks from the live slots of `rows`, and codes all slots. Uses the
    /// rayon pool it is called in; the result does not depend on its threads.
    pub(super) fn build(rows: &Rows, seed: u64) -> Self {
        let mut live = Vec::with_capacity(rows.len());
        rows.live
            .for_each(rows.slot_count(), |slot| live.push(slot));
        let mut random = Random::new(seed);
        let sample: Vec<u32> = random
            .sample(SAMPLE, live.len())
            .into_iter()
            .map(|at| live[at])
            .collect();
        let starting = random.sample(WORDS, sample.len());
        let books = (0..Self::pieces(rows.dimensions))
            .into_par_iter()
            .flat_map_iter(|piece| learn(rows, piece, &sample, &starting))
            .collect();
        let mut pq = Self {
            dimensions: rows.dimensions,
            books,
            codes: Column::new(Self::pieces(rows.dimensions)),
        };
        pq.extend(rows);
        pq
    }

    /// Returns how many pieces a vector is cut into.
    pub(super) fn pieces(dimensions: usize) -> usize {
        dimensions.div_ceil(PIECE)
    }

    /// Codes the slots that are not covered yet.
    pub(super) fn extend(&mut self, rows: &Rows) {
        let fresh: Vec<Vec<u8>> = (self.covered() as u32..rows.slot_count() as u32)
            .into_par_iter()
            .with_min_len(64)
            .map(|slot| {
                let pieces = 0..Self::pieces(rows.dimensions);
                pieces
                    .map(|piece| nearest(self.book(piece), &piece_of(rows, slot, piece)))
                    .collect()
            })
            .collect();
        self.codes.reserve(fresh.len());
        for codes in fresh {
            self.codes.push(&codes);
        }
    }

    /// Returns how many slots it covers: those below this number.
    pub(super) fn covered(&self) -> usize {
        self.codes.len()
    }

    fn book(&self, piece: usize) -> &[f32] {
        &self.books[piece * PIECE * WORDS..(piece + 1) * PIECE * WORDS]
    }

    /// Returns the query's products with every codeword, 256 for each piece.
    pub(super) fn products(&self, query: &Query) -> Vec<f32> {
        let mut products = vec![0.0; Self::pieces(self.dimensions) * WORDS];
        for (piece, products) in products.chunks_exact_mut(WORDS).enumerate() {
            for (number, words) in self.book(piece).chunks_exact(WORDS).enumerate() {
                let value = query.values.get(piece * PIECE + number);
                let value = value.copied().unwrap_or(0.0);
                for (product, word) in products.iter_mut().zip(words) {
                    *product += value * word;
                }
            }
        }
        products
    }

    /// Returns the estimated product of the query of `products` with `slot`.
    #[inline]
    pub(super) fn product(&self, products: &[f32], slot: u32) -> f32 {
        let mut sums = [0.0f32; 4];
        let codes = self.codes.row(slot);
        for (codes, products) in codes.chunks(4).zip(products.chunks(4 * WORDS)) {
            for ((sum, code), products) in sums.iter_mut().zip(codes).zip(products.chunks(WORDS)) {
                *sum += products[usize::from(*code)];
            }
        }
        sums.iter().sum()
    }

    /// Returns how many bytes of memory it takes besides a file.
    pub(super) fn memory(&self) -> usize {
        self.codes.memory() + 4 * self.books.len()
    }

    /// Returns what [`Pq::of_parts`] needs.
    pub(super) fn parts(&self) -> (&[f32], &Column<u8>) {
        (&self.books, &self.codes)
    }

    /// Returns the quantiser of these parts; nothing if they do not fit together.
    pub(super) fn of_parts(dimensions: usize, books: &[f32], codes: Column<u8>) -> Option<Self> {
        let pieces = Self::pieces(dimensions);
        let whole = books.len() == pieces * PIECE * WORDS
            && codes.stride() == pieces
            && books.iter().all(|value| value.is_finite());
        whole.then(|| Self {
            dimensions,
            books: books.to_vec(),
            codes,
        })
    }
}

fn piece_of(rows: &Rows, slot: u32, piece: usize) -> [f32; PIECE] {
    // Rows are padded with zeros to a multiple of 16, so that every piece is whole.
    let values = &rows.values.row(slot)[piece * PIECE..][..PIECE];
    values.try_into().expect("a piece is cut to its length")
}

/// Returns the codeword nearest to `piece`.
fn nearest(book: &[f32], piece: &[f32; PIECE]) -> u8 {
    let mut distances = [0.0f32; WORDS];
    for (value, words) in piece.iter().zip(book.chunks_exact(WORDS)) {
        for (distance, word) in distances.iter_mut().zip(words) {
            *distance += (value - word) * (value - word);
        }
    }
    let mut best = 0;
    for (word, distance) in distances.iter().enumerate() {
        if *distance < distances[best] {
            best = word;
        }
    }
    best as u8
}

/// Returns the codebook of one piece, by k-means over the sample from the sampled
/// vectors at `starting`.
fn learn(rows: &Rows, piece: usize, sample: &[u32], starting: &[usize]) -> Vec<f32> {
    let mut book = vec![0.0; PIECE * WORDS];
    let pieces: Vec<[f32; PIECE]> = sample
        .iter()
        .map(|slot| piece_of(rows, *slot, piece))
        .collect();
    for (word, at) in starting.iter().enumerate() {
        for (number, value) in pieces[*at].iter().enumerate() {
            book[number * WORDS + word] = *value;
        }
    }
    for _ in 0..ROUNDS {
        let mut sums = vec![[0.0f64; PIECE]; WORDS];
        let mut counts = [0u32; WORDS];
        for piece in &pieces {
            let word = usize::from(nearest(&book, piece));
            counts[word] += 1;
            for (sum, value) in sums[word].iter_mut().zip(piece) {
                *sum += f64::from(*value);
            }
        }
        // A codeword that nothing is near stays where it was.
        for word in (0..WORDS).filter(|word| counts[*word] > 0) {
            for number in 0..PIECE {
                book[number * WORDS + word] = (sums[word][number] / f64::from(counts[word])) as f32;
            }
        }
    }
    book
}
