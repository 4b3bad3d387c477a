//! Causal attention over a cache: every token sees itself and what came before it.
//!
//! Letters: `T` new tokens, `S` tokens in the cache with them, `H` query heads, `G` key
//! heads, `W` head width.
//!
//! Keys pass by in spans, and a softmax is kept up to date over them (Milakov and
//! Gimelshein 2018; Dao et al. 2022), so that there is never a score for more than a
//! block of tokens and a span of keys. The query heads that share a key head read it
//! together (Ainslie et al. 2023, §2.2).

#![expect(unsafe_code, reason = "threads write to their own parts of the output")]

use crate::activation::Activation;
use crate::format::Format;
use crate::gemm::Call;
use crate::simd::{Kernels, Lanes};
use crate::stored::Scratch;
use crate::stored::vector::{Half, Single, Whole};
use crate::team::{Start, Team};

/// The shape of causal attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CausalAttention {
    /// `H`, a multiple of `G`; query head `h` reads key head `h / (H / G)`.
    pub heads: usize,
    /// `G`
    pub key_heads: usize,
    /// `W`
    pub head_width: usize,
    /// What scores are multiplied by, mostly `1 / √W`. Not negative.
    pub scale: f32,
    /// How many tokens a token sees, itself among them, if not all (Beltagy et al. 2020,
    /// §3.1).
    pub window: Option<usize>,
}

/// Keys or values as a cache keeps them.
#[derive(Clone, Copy, Debug)]
pub enum Kept<'a> {
    /// As they were computed.
    Whole(&'a [f32]),
    /// In binary16, as [`Kernels::halve`] makes them.
    Half(&'a [u16]),
}

impl Kept<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Whole(numbers) => numbers.len(),
            Self::Half(numbers) => numbers.len(),
        }
    }

    /// Returns where number `at` is, and how all are stored.
    fn from(&self, at: usize) -> (*const u8, Format) {
        match self {
            Self::Whole(numbers) => (numbers[at..].as_ptr().cast(), Format::F32),
            Self::Half(numbers) => (numbers[at..].as_ptr().cast(), Format::F16),
        }
    }
}

/// One sequence: its keys and values so far, those of its new tokens among them.
#[derive(Clone, Copy, Debug)]
pub struct Cached<'a> {
    /// `(G, capacity, W)`, of which the first `before + tokens` of each head are read.
    pub keys: Kept<'a>,
    /// Like `keys`.
    pub values: Kept<'a>,
    /// Tokens that came before.
    pub before: usize,
    /// New tokens, whose queries are given.
    pub tokens: usize,
}

/// Keys that pass by together, where many tokens look at them.
const SPAN: usize = 128;
/// The same where few do. Spans are shared among threads, so their length is part of
/// the result.
const LONG_SPAN: usize = 512;
/// Rows of queries, tokens times heads, that are taken together.
const BLOCK: usize = 96;
/// From so many new tokens on, keys are turned round for a matrix product.
const MANY: usize = 8;

/// What is computed by one thread: some tokens' queries, one key head, some keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    sequence: usize,
    /// The sequence's first row among all queries.
    row: usize,
    key_head: usize,
    /// New tokens.
    first: usize,
    tokens: usize,
    /// Keys.
    from: usize,
    to: usize,
    /// Where the result goes that is not the whole, in rows of `W + 2`.
    partial: Option<usize>,
}

/// Numbers that one thread needs, in their order.
struct Plan {
    queries: usize,
    sums: usize,
    keys: usize,
    values: usize,
    scores: usize,
    states: usize,
}

impl Plan {
    fn of(kernels: &Kernels, shape: CausalAttention, rows: usize) -> Self {
        let wide = kernels.panel_columns;
        let width = shape.head_width;
        Self {
            queries: (rows * width).next_multiple_of(16),
            sums: (rows * width).next_multiple_of(16),
            keys: (SPAN.next_multiple_of(wide) * width).next_multiple_of(16),
            values: SPAN * width.next_multiple_of(wide).next_multiple_of(16),
            scores: rows * LONG_SPAN.max(SPAN.next_multiple_of(wide)),
            states: (2 * rows).next_multiple_of(16),
        }
    }

    fn size(&self) -> usize {
        self.queries + self.sums + self.keys + self.values + self.scores + self.states
    }
}

impl Kernels {
    /// Sets `out`, `(T, H · W)`, to what each of `queries`, of that shape, finds: `Σ p v`
    /// with `p` the softmax of `scale · q · k` over the keys that the token sees. The
    /// sequences' new tokens follow one another in `queries`.
    ///
    /// Panics if the shapes do not fit.
    pub fn causal_attention(
        &self,
        team: &Team,
        shape: CausalAttention,
        queries: &[f32],
        sequences: &[Cached<'_>],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let width = shape.head_width;
        let (heads, key_heads) = (shape.heads, shape.key_heads);
        assert!(
            width > 0 && key_heads > 0 && heads > 0 && heads.is_multiple_of(key_heads),
            "query heads share key heads evenly"
        );
        assert!(
            shape.scale >= 0.0,
            "a negative scale would turn the order round"
        );
        assert!(shape.window != Some(0), "a token sees itself");
        let tokens: usize = sequences.iter().map(|sequence| sequence.tokens).sum();
        assert_eq!(
            queries.len(),
            tokens * heads * width,
            "there are queries for every token"
        );
        assert_eq!(out.len(), queries.len(), "a row comes out for every query");
        for sequence in sequences {
            assert_eq!(
                sequence.keys.len(),
                sequence.values.len(),
                "there is a value for every key"
            );
            assert!(
                sequence.keys.len() / (key_heads * width) >= sequence.before + sequence.tokens
                    && sequence.keys.len().is_multiple_of(key_heads * width),
                "the cache holds what is looked at"
            );
        }
        let group = heads / key_heads;
        scratch.pieces.clear();
        let (mut row, mut partials, mut rows) = (0, 0, 0);
        for (at, sequence) in sequences.iter().enumerate() {
            let block = if sequence.tokens >= MANY {
                (BLOCK / group).max(1)
            } else {
                sequence.tokens.max(1)
            };
            rows = rows.max(group * block.min(sequence.tokens));
            for key_head in 0..key_heads {
                let mut first = 0;
                while first < sequence.tokens {
                    let count = block.min(sequence.tokens - first);
                    let start = sequence.before + first;
                    let from = shape
                        .window
                        .map_or(0, |window| (start + 1).saturating_sub(window));
                    let to = start + count;
                    let mut piece = Piece {
                        sequence: at,
                        row,
                        key_head,
                        first,
                        tokens: count,
                        from,
                        to,
                        partial: None,
                    };
                    if sequence.tokens >= MANY || to - from <= LONG_SPAN {
                        scratch.pieces.push(piece);
                    } else {
                        for from in (from..to).step_by(LONG_SPAN) {
                            piece.from = from;
                            piece.to = to.min(from + LONG_SPAN);
                            piece.partial = Some(partials);
                            partials += count * group;
                            scratch.pieces.push(piece);
                        }
                    }
                    first += count;
                }
            }
            row += sequence.tokens;
        }
        let plan = Plan::of(self, shape, rows);
        let seat_size = plan.size();
        let partial_width = width + 2;
        let [seats, partial] = scratch
            .panels
            .carve([seat_size * team.threads(), partials * partial_width]);
        let pieces = &scratch.pieces;
        let (seats, results, target) = (
            Start(seats.as_mut_ptr()),
            Start(partial.as_mut_ptr()),
            Start(out.as_mut_ptr()),
        );
        team.run(pieces.len(), &|part, seat| {
            let piece = &pieces[part];
            // SAFETY: a seat is used by one thread at a time, and pieces have rows of
            // the output, or of the partial results, of their own.
            unsafe {
                let memory =
                    std::slice::from_raw_parts_mut(seats.get().add(seat * seat_size), seat_size);
                let results = results.get();
                let task = Attend {
                    kernels: self,
                    shape,
                    plan: &plan,
                    sequence: &sequences[piece.sequence],
                    piece,
                    queries,
                };
                task.run(memory, results, target.get());
            }
        });
        // What was computed in spans is put together by one thread, in their order.
        let mut at = 0;
        while at < pieces.len() {
            let piece = &pieces[at];
            if piece.partial.is_none() {
                at += 1;
                continue;
            }
            let spans = pieces[at..]
                .iter()
                .take_while(|other| {
                    other.partial.is_some()
                        && (other.sequence, other.key_head, other.first)
                            == (piece.sequence, piece.key_head, piece.first)
                })
                .count();
            for index in 0..piece.tokens * group {
                let results = pieces[at..at + spans].iter().map(|piece| {
                    let row = piece.partial.expect("a span is partial") + index;
                    &partial[row * partial_width..][..partial_width]
                });
                let most = results
                    .clone()
                    .fold(f32::NEG_INFINITY, |most, result| most.max(result[width]));
                let (head, token) = (index / piece.tokens, index % piece.tokens);
                let start = (piece.row + piece.first + token) * heads * width
                    + (piece.key_head * group + head) * width;
                let out = &mut out[start..start + width];
                out.fill(0.0);
                let mut total = 0.0;
                for result in results {
                    let share = if result[width] == f32::NEG_INFINITY {
                        0.0
                    } else {
                        (result[width] - most).exp()
                    };
                    total += share * result[width + 1];
                    for (out, sum) in out.iter_mut().zip(result) {
                        *out += share * sum;
                    }
                }
                for out in out {
                    *out /= total;
                }
            }
            at += spans;
        }
    }
}

/// One piece with what it needs.
struct Attend<'a> {
    kernels: &'a Kernels,
    shape: CausalAttention,
    plan: &'a Plan,
    sequence: &'a Cached<'a>,
    piece: &'a Piece,
    queries: &'a [f32],
}

impl Attend<'_> {
    /// # Safety
    /// Nobody else may use the piece's rows of `out`, `(T, H · W)`, or of `results`.
    unsafe fn run(&self, memory: &mut [f32], results: *mut f32, out: *mut f32) {
        let Self {
            kernels,
            shape,
            plan,
            sequence,
            piece,
            ..
        } = self;
        let width = shape.head_width;
        let group = shape.heads / shape.key_heads;
        let rows = group * piece.tokens;
        let capacity = sequence.keys.len() / (shape.key_heads * width);
        let (queries, memory) = memory.split_at_mut(plan.queries);
        let (sums, memory) = memory.split_at_mut(plan.sums);
        let (key_panels, memory) = memory.split_at_mut(plan.keys);
        let (value_panels, memory) = memory.split_at_mut(plan.values);
        let (scores, states) = memory.split_at_mut(plan.scores);
        let (most, total) = states.split_at_mut(rows);
        most.fill(f32::NEG_INFINITY);
        total[..rows].fill(0.0);
        sums[..rows * width].fill(0.0);
        // Row `head · tokens + token`.
        for (index, row) in queries.chunks_exact_mut(width).take(rows).enumerate() {
            let (head, token) = (index / piece.tokens, index % piece.tokens);
            let start = (piece.row + piece.first + token) * shape.heads * width
                + (piece.key_head * group + head) * width;
            row.copy_from_slice(&self.queries[start..start + width]);
        }
        let many = sequence.tokens >= MANY;
        let step = if many { SPAN } else { LONG_SPAN };
        let wide = kernels.panel_columns;
        let mut from = piece.from;
        while from < piece.to {
            let count = step.min(piece.to - from);
            let start = (piece.key_head * capacity + from) * width;
            let (keys, format) = sequence.keys.from(start);
            let (values, _) = sequence.values.from(start);
            let stride = if many {
                SPAN.next_multiple_of(wide)
            } else {
                LONG_SPAN
            };
            // SAFETY: all shapes are those of the plan.
            unsafe {
                if many {
                    if format == Format::F32 {
                        let to = key_panels.as_mut_ptr();
                        (kernels.transpose)(keys.cast(), width, count, width, to);
                    } else {
                        for first in (0..count).step_by(wide) {
                            let to = key_panels.as_mut_ptr().add(first * width);
                            let last = count.min(first + wide);
                            (kernels.widen_rows)(format, keys, width, first, last, to);
                        }
                    }
                    (kernels.product)(&Call {
                        rows,
                        depth: width,
                        columns: count,
                        a: queries.as_ptr(),
                        a_stride: width,
                        a_step: 1,
                        b: key_panels.as_ptr(),
                        b_stride: wide,
                        panel_stride: wide * width,
                        bias: std::ptr::null(),
                        residual: std::ptr::null(),
                        out: scores.as_mut_ptr(),
                        out_stride: stride,
                        activation: Activation::Identity,
                    });
                } else {
                    (kernels.scores)(&Few {
                        rows,
                        count,
                        width,
                        near: queries.as_mut_ptr(),
                        cached: keys,
                        format,
                        scores: scores.as_mut_ptr(),
                        stride,
                    });
                }
            }
            for index in 0..rows {
                let position = sequence.before + piece.first + index % piece.tokens;
                let row = &mut scores[index * stride..][..count];
                let low = shape.window.map_or(0, |window| {
                    (position + 1).saturating_sub(window).saturating_sub(from)
                });
                let high = (position + 1).saturating_sub(from).min(count);
                if low >= high {
                    row.fill(0.0);
                    continue;
                }
                row[..low].fill(0.0);
                row[high..].fill(0.0);
                let before = most[index];
                // SAFETY: the pointer is good for the row.
                let (now, sum) = unsafe {
                    (kernels.powers)(row[low..].as_mut_ptr(), high - low, shape.scale, before)
                };
                most[index] = now;
                if before < now && before > f32::NEG_INFINITY {
                    let factor = (before - now).exp();
                    total[index] *= factor;
                    // SAFETY: the pointer is good for the row.
                    unsafe { (kernels.scale)(sums[index * width..].as_mut_ptr(), width, factor) };
                }
                total[index] += sum;
            }
            // SAFETY: all shapes are those of the plan; a panel is read to its full
            // width, which the values have, or their copies.
            unsafe {
                if many {
                    let (value, value_stride, panel_stride) = match format {
                        Format::F32 if width.is_multiple_of(wide) => (values.cast(), width, wide),
                        _ => {
                            for first in (0..width).step_by(wide) {
                                let to = value_panels.as_mut_ptr().add(first * count);
                                let last = width.min(first + wide);
                                (kernels.widen_columns)(
                                    format, values, count, width, first, last, to,
                                );
                            }
                            (value_panels.as_ptr(), wide, wide * count)
                        }
                    };
                    (kernels.product)(&Call {
                        rows,
                        depth: count,
                        columns: width,
                        a: scores.as_ptr(),
                        a_stride: stride,
                        a_step: 1,
                        b: value,
                        b_stride: value_stride,
                        panel_stride,
                        bias: std::ptr::null(),
                        residual: sums.as_ptr(),
                        out: sums.as_mut_ptr(),
                        out_stride: width,
                        activation: Activation::Identity,
                    });
                } else {
                    (kernels.mix)(&Few {
                        rows,
                        count,
                        width,
                        near: sums.as_mut_ptr(),
                        cached: values,
                        format,
                        scores: scores.as_mut_ptr(),
                        stride,
                    });
                }
            }
            from += count;
        }
        for (index, row) in sums.chunks_exact(width).take(rows).enumerate() {
            // SAFETY: the row is this piece's own.
            unsafe {
                if let Some(partial) = piece.partial {
                    let result = results.add((partial + index) * (width + 2));
                    std::ptr::copy_nonoverlapping(row.as_ptr(), result, width);
                    *result.add(width) = most[index];
                    *result.add(width + 1) = total[index];
                } else {
                    let (head, token) = (index / piece.tokens, index % piece.tokens);
                    let start = (piece.row + piece.first + token) * shape.heads * width
                        + (piece.key_head * group + head) * width;
                    std::ptr::copy_nonoverlapping(row.as_ptr(), out.add(start), width);
                    (kernels.scale)(out.add(start), width, 1.0 / total[index]);
                }
            }
        }
    }
}

/// Some rows and some of the cache.
pub(crate) struct Few {
    pub(crate) rows: usize,
    /// Keys or values.
    pub(crate) count: usize,
    pub(crate) width: usize,
    /// `(rows, width)`: queries, or sums.
    pub(crate) near: *mut f32,
    /// `(count, width)`: keys, or values.
    pub(crate) cached: *const u8,
    /// Of these: F32 or F16.
    pub(crate) format: Format,
    /// `(rows, count)`, with `stride` from one row to the next.
    pub(crate) scores: *mut f32,
    pub(crate) stride: usize,
}

/// Sets every score to the product of its query and its key.
///
/// # Safety
/// The shapes must be true; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn scores<L: Lanes>(few: &Few) {
    // SAFETY: as the caller promises.
    unsafe {
        match few.format {
            Format::F16 => scores_of::<L, Half>(few),
            _ => scores_of::<L, Whole>(few),
        }
    }
}

/// # Safety
/// As [`scores`].
#[inline(always)]
unsafe fn scores_of<L: Lanes, S: Single>(few: &Few) {
    let width = few.width;
    let whole = width - width % L::COUNT;
    // SAFETY: as the caller promises.
    unsafe {
        for at in 0..few.count {
            let key = few.cached.add(at * width * S::BYTES);
            for row in 0..few.rows {
                let query = few.near.add(row * width);
                let mut sum = L::splat(0.0);
                for i in (0..whole).step_by(L::COUNT) {
                    let key = S::load::<L>(key.add(i * S::BYTES));
                    sum = L::mul_add(L::load(query.add(i)), key, sum);
                }
                if whole < width {
                    let query = L::load_part(query.add(whole), width - whole, 0.0);
                    let key = S::load_part::<L>(key.add(whole * S::BYTES), width - whole);
                    sum = L::mul_add(query, key, sum);
                }
                *few.scores.add(row * few.stride + at) = L::sum(sum);
            }
        }
    }
}

/// Adds every value, times its score, to the sums.
///
/// # Safety
/// The shapes must be true; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn mix<L: Lanes>(few: &Few) {
    // SAFETY: as the caller promises.
    unsafe {
        match few.format {
            Format::F16 => mix_of::<L, Half>(few),
            _ => mix_of::<L, Whole>(few),
        }
    }
}

/// Vectors of a sum that are kept in registers while the values pass by.
const ABREAST: usize = 4;

/// # Safety
/// As [`mix`].
#[inline(always)]
unsafe fn mix_of<L: Lanes, S: Single>(few: &Few) {
    let width = few.width;
    let step = ABREAST * L::COUNT;
    let most = width - width % step;
    let whole = width - width % L::COUNT;
    // SAFETY: as the caller promises.
    unsafe {
        for row in 0..few.rows {
            let sums = few.near.add(row * width);
            let scores = few.scores.add(row * few.stride);
            for i in (0..most).step_by(step) {
                mix_some::<L, S, ABREAST>(few, scores, sums, i);
            }
            for i in (most..whole).step_by(L::COUNT) {
                mix_some::<L, S, 1>(few, scores, sums, i);
            }
            if whole < width {
                let rest = width - whole;
                let mut sum = L::load_part(sums.add(whole), rest, 0.0);
                for at in 0..few.count {
                    let value = few.cached.add((at * width + whole) * S::BYTES);
                    let share = L::splat(*scores.add(at));
                    sum = L::mul_add(share, S::load_part::<L>(value, rest), sum);
                }
                L::store_part(sums.add(whole), rest, sum);
            }
        }
    }
}

/// Adds `N` vectors of every value from number `i` on to those of the sums.
///
/// # Safety
/// As [`mix`].
#[inline(always)]
unsafe fn mix_some<L: Lanes, S: Single, const N: usize>(
    few: &Few,
    scores: *const f32,
    sums: *mut f32,
    i: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut near = [L::splat(0.0); N];
        for (n, near) in near.iter_mut().enumerate() {
            *near = L::load(sums.add(i + n * L::COUNT));
        }
        for at in 0..few.count {
            let value = few.cached.add((at * few.width + i) * S::BYTES);
            let share = L::splat(*scores.add(at));
            for (n, near) in near.iter_mut().enumerate() {
                let value = S::load::<L>(value.add(n * L::COUNT * S::BYTES));
                *near = L::mul_add(share, value, *near);
            }
        }
        for (n, near) in near.iter().enumerate() {
            L::store(sums.add(i + n * L::COUNT), *near);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;

    use super::*;
    use crate::half::{f16_to_f32, f32_to_f16};
    use crate::sample::{assert_near, numbers};

    fn plainly(shape: CausalAttention, queries: &[f32], sequences: &[Cached<'_>]) -> Vec<f64> {
        let (width, heads) = (shape.head_width, shape.heads);
        let mut out = Vec::new();
        let mut row = 0;
        for sequence in sequences {
            let capacity = sequence.keys.len() / (shape.key_heads * width);
            for token in 0..sequence.tokens {
                let position = sequence.before + token;
                let from = shape
                    .window
                    .map_or(0, |window| (position + 1).saturating_sub(window));
                for head in 0..heads {
                    let query = &queries[(row * heads + head) * width..][..width];
                    let start = head / (heads / shape.key_heads) * capacity;
                    let at = |numbers: Kept<'_>, s: usize, i: usize| match numbers {
                        Kept::Whole(numbers) => f64::from(numbers[(start + s) * width + i]),
                        Kept::Half(halves) => {
                            f64::from(f16_to_f32(halves[(start + s) * width + i]))
                        }
                    };
                    let scores: Vec<f64> = (from..=position)
                        .map(|s| {
                            let dot: f64 = (0..width)
                                .map(|i| f64::from(query[i]) * at(sequence.keys, s, i))
                                .sum();
                            (dot * f64::from(shape.scale)).exp()
                        })
                        .collect();
                    let total: f64 = scores.iter().sum();
                    for i in 0..width {
                        out.push(
                            scores
                                .iter()
                                .zip(from..)
                                .map(|(score, s)| score / total * at(sequence.values, s, i))
                                .sum(),
                        );
                    }
                }
                row += 1;
            }
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn is_its_formula(
            lengths in prop::collection::vec((prop::sample::select(vec![0usize, 1, 5, 130, 511, 1100]), 0usize..40, 0usize..9), 1..4),
            key_heads in 1usize..4,
            group in 1usize..5,
            head_width in prop::sample::select(vec![1usize, 7, 16, 40, 64]),
            window in prop::option::of(1usize..700),
            threads in 1usize..4,
            half: bool,
            seed in any::<u64>(),
        ) {
            let shape = CausalAttention {
                heads: key_heads * group,
                key_heads,
                head_width,
                scale: 1.0 / (head_width as f32).sqrt(),
                window,
            };
            let caches: Vec<(Vec<f32>, Vec<f32>)> = lengths
                .iter()
                .map(|(before, tokens, spare)| {
                    let count = key_heads * (before + tokens + spare) * head_width;
                    (
                        numbers(seed ^ 5, count).iter().map(|x| x * 2.0).collect(),
                        numbers(seed ^ 6, count),
                    )
                })
                .collect();
            let halves: Vec<[Vec<u16>; 2]> = caches
                .iter()
                .map(|(keys, values)| {
                    [keys, values].map(|numbers| numbers.iter().copied().map(f32_to_f16).collect())
                })
                .collect();
            let sequences: Vec<Cached<'_>> = lengths
                .iter()
                .zip(caches.iter().zip(&halves))
                .map(|((before, tokens, _), ((keys, values), halves))| Cached {
                    keys: if half { Kept::Half(&halves[0]) } else { Kept::Whole(keys) },
                    values: if half { Kept::Half(&halves[1]) } else { Kept::Whole(values) },
                    before: *before,
                    tokens: *tokens,
                })
                .collect();
            let tokens: usize = lengths.iter().map(|(_, tokens, _)| tokens).sum();
            let queries: Vec<f32> = numbers(seed, tokens * shape.heads * head_width)
                .iter()
                .map(|x| x * 2.0)
                .collect();
            let expect = plainly(shape, &queries, &sequences);
            let team = Team::new(NonZeroUsize::new(threads).unwrap()).unwrap();
            for version in Kernels::available() {
                let mut scratch = Scratch::default();
                let mut out = vec![f32::NAN; queries.len()];
                version.causal_attention(&team, shape, &queries, &sequences, &mut scratch, &mut out);
                assert_near(&out, &expect, 2e-5, version.name);
            }
        }
    }
}
