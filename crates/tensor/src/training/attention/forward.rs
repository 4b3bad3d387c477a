//! Attention that keeps the log-sum-exp of each row of scores.

#![expect(unsafe_code, reason = "threads write to heads of their own")]

use super::product::{Products, Shape};
use super::{Heads, KEYS, QUERIES, SPAN, Strip, TrainingAttention, set_starts};
use crate::simd::Kernels;
use crate::team::{Start, Team};
use crate::training::TrainingScratch;

/// Numbers that one thread needs, in their order.
struct Plan {
    rows: usize,
    queries: usize,
    sums: usize,
    keys: usize,
    values: usize,
    scores: usize,
    shares: usize,
    multipliers: usize,
}

impl Plan {
    fn of(products: &Products<'_>, longest: usize) -> Self {
        let block = QUERIES.min(longest).next_multiple_of(16);
        let span = SPAN.min(longest.next_multiple_of(KEYS));
        Self {
            rows: (longest.max(block) * products.padded).next_multiple_of(16),
            queries: products.left_size(block),
            sums: block * products.padded,
            keys: products.turned_size(longest),
            values: products.straight_size(longest),
            scores: block * span,
            shares: products.scores_size(block, span),
            multipliers: span,
        }
    }

    fn size(&self) -> usize {
        2 * self.rows
            + self.queries
            + self.sums
            + self.keys
            + self.values
            + self.scores
            + self.shares
            + self.multipliers
    }
}

impl Kernels {
    /// Sets `out`, `(T, H · W)`, to what each query finds, `Σ p v` with `p` the softmax of
    /// `scale · q · k` over the keys of its sequence that it sees, and `statistics`,
    /// `(T, H)`, to the logarithm of each softmax's divisor `Σ e^(scale · q · k)`, which
    /// [`Self::attend_backward`] needs. `lengths` are those of the sequences, one behind the
    /// other.
    ///
    /// Panics if the shapes do not fit.
    #[expect(
        clippy::too_many_arguments,
        reason = "what goes in, and what comes out"
    )]
    pub fn attend(
        &self,
        team: &Team,
        shape: &TrainingAttention,
        lengths: &[usize],
        heads: Heads<'_>,
        statistics: &mut [f32],
        out: &mut [f32],
        scratch: &mut TrainingScratch,
    ) {
        shape.check();
        let tokens = set_starts(lengths, &mut scratch.starts);
        let strips = shape.strips(heads, tokens);
        assert_eq!(
            statistics.len(),
            tokens * shape.heads,
            "there is place for every row's statistic"
        );
        assert_eq!(
            out.len(),
            tokens * shape.heads * shape.head_width,
            "a row comes out for every query"
        );
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let products = Products::of(self, shape.precision, shape.head_width);
        let plan = Plan::of(&products, longest);
        let size = plan.size();
        let [memory] = scratch.numbers.carve([size * team.threads()]);
        let (memory, statistics, out) = (
            Start(memory.as_mut_ptr()),
            Start(statistics.as_mut_ptr()),
            Start(out.as_mut_ptr()),
        );
        let starts = &scratch.starts;
        team.run(lengths.len() * shape.heads, &|part, seat| {
            let (sequence, head) = (part / shape.heads, part % shape.heads);
            let attend = Attend {
                kernels: self,
                products,
                shape,
                plan: &plan,
                strips,
                first: starts[sequence],
                tokens: lengths[sequence],
                head,
            };
            // SAFETY: a seat is used by one thread at a time, and each part has a head of
            // a sequence of its own.
            unsafe {
                attend.run(memory.cut(seat * size, size), statistics.get(), out.get());
            }
        });
    }
}

/// One head of one sequence.
struct Attend<'a> {
    kernels: &'a Kernels,
    products: Products<'a>,
    shape: &'a TrainingAttention,
    plan: &'a Plan,
    strips: [Strip<'a>; 3],
    /// The sequence's first token.
    first: usize,
    tokens: usize,
    head: usize,
}

impl Attend<'_> {
    /// # Safety
    /// Nobody else may use this head's numbers of the sequence's rows in `statistics` and
    /// `out`.
    unsafe fn run(&self, memory: &mut [f32], statistics: *mut f32, out: *mut f32) {
        let Self {
            kernels,
            products,
            shape,
            plan,
            strips: [query_rows, key_rows, value_rows],
            first,
            tokens,
            head,
        } = *self;
        if tokens == 0 {
            return;
        }
        let (width, padded) = (shape.head_width, products.padded);
        let (rows, memory) = memory.split_at_mut(plan.rows);
        let (values, memory) = memory.split_at_mut(plan.rows);
        let (left, memory) = memory.split_at_mut(plan.queries);
        let (sums, memory) = memory.split_at_mut(plan.sums);
        let (turned_keys, memory) = memory.split_at_mut(plan.keys);
        let (straight_values, memory) = memory.split_at_mut(plan.values);
        let (scores, memory) = memory.split_at_mut(plan.scores);
        let (shares, multipliers) = memory.split_at_mut(plan.shares);
        let span_stride = plan.multipliers;
        let from = head / (shape.heads / shape.key_heads) * width;
        key_rows.copy(first, from, width, padded, &mut rows[..tokens * padded]);
        products.turn(rows, tokens, turned_keys);
        value_rows.copy(first, from, width, padded, &mut values[..tokens * padded]);
        products.straighten(values, tokens, straight_values);
        for block in (0..tokens).step_by(QUERIES) {
            let count = QUERIES.min(tokens - block);
            let queries = &mut rows[..count * padded];
            query_rows.copy(first + block, head * width, width, padded, queries);
            products.put_left(queries, count, left);
            let (mut most, mut total) = ([f32::NEG_INFINITY; QUERIES], [0f32; QUERIES]);
            // Panels and tiles begin at multiples of a block of keys.
            let low = shape.seen(block, tokens).start / KEYS * KEYS;
            let high = shape.seen(block + count - 1, tokens).end;
            for span in (low..high).step_by(span_stride) {
                let here = span_stride.min(high - span);
                // SAFETY: there are so many queries and keys.
                unsafe {
                    products.multiply(
                        products.left(queries, left, 0),
                        products.turned(turned_keys, span),
                        &Shape {
                            rows: count,
                            depth: width,
                            columns: here,
                            add: false,
                            stride: span_stride,
                        },
                        scores,
                    );
                }
                for index in 0..count {
                    let row = &mut scores[index * span_stride..][..here];
                    let seen = shape.seen(block + index, tokens);
                    let from = seen.start.saturating_sub(span).min(here);
                    let to = seen.end.saturating_sub(span).min(here);
                    if from >= to {
                        row.fill(0.0);
                        continue;
                    }
                    row[..from].fill(0.0);
                    row[to..].fill(0.0);
                    let row = &mut row[from..to];
                    let before = most[index];
                    // SAFETY: the pointers are good for the rows.
                    let (now, sum) = unsafe {
                        (kernels.powers)(row.as_mut_ptr(), row.len(), shape.scale, before)
                    };
                    most[index] = now;
                    if before < now && before > f32::NEG_INFINITY {
                        let factor = (before - now).exp();
                        total[index] *= factor;
                        let sums = &mut sums[index * padded..][..width];
                        // SAFETY: as above.
                        unsafe { (kernels.scale)(sums.as_mut_ptr(), width, factor) };
                    }
                    total[index] += sum;
                    if let Some(dropout) = shape.dropout {
                        let place = dropout.of_row((first + block + index) * shape.heads + head);
                        let multipliers = &mut multipliers[..row.len()];
                        kernels.multipliers(place, span + from, multipliers);
                        for (share, multiplier) in row.iter_mut().zip(multipliers) {
                            *share *= *multiplier;
                        }
                    }
                }
                // SAFETY: there are so many values; the sums of an earlier span are added
                // to.
                unsafe {
                    products.multiply(
                        products.scores(scores, span_stride, [count, here], shares),
                        products.straight(values, straight_values, tokens, span),
                        &Shape {
                            rows: count,
                            depth: here,
                            columns: width,
                            add: span > low,
                            stride: padded,
                        },
                        sums,
                    );
                }
            }
            for (index, sums) in sums.chunks_exact(padded).take(count).enumerate() {
                let place = (first + block + index) * shape.heads + head;
                // SAFETY: the row and the head are this part's own.
                unsafe {
                    *statistics.add(place) = most[index] + total[index].ln();
                    let out = std::slice::from_raw_parts_mut(out.add(place * width), width);
                    let share = 1.0 / total[index];
                    for (out, sum) in out.iter_mut().zip(sums) {
                        *out = sum * share;
                    }
                }
            }
        }
    }
}
