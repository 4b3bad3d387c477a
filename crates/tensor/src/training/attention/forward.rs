//! Attention that keeps the log-sum-exp of each row of scores.

#![expect(unsafe_code, reason = "threads write to heads of their own")]

use super::{Heads, QUERIES, SPAN, Strip, TrainingAttention, set_starts};
use crate::activation::Activation;
use crate::gemm::Call;
use crate::simd::Kernels;
use crate::team::{Start, Team};
use crate::training::TrainingScratch;

/// Numbers that one thread needs, in their order.
struct Plan {
    /// From one row of queries or values to the next.
    padded: usize,
    queries: usize,
    sums: usize,
    keys: usize,
    values: usize,
    scores: usize,
    multipliers: usize,
}

impl Plan {
    fn of(kernels: &Kernels, shape: &TrainingAttention, longest: usize) -> Self {
        let wide = kernels.panel_columns;
        let padded = shape.head_width.next_multiple_of(wide);
        Self {
            padded,
            queries: (QUERIES * shape.head_width).next_multiple_of(16),
            sums: (QUERIES * shape.head_width).next_multiple_of(16),
            keys: (longest.next_multiple_of(wide) * shape.head_width).next_multiple_of(16),
            values: (longest * padded).next_multiple_of(16),
            scores: QUERIES * SPAN,
            multipliers: SPAN,
        }
    }

    fn size(&self) -> usize {
        self.queries + self.sums + self.keys + self.values + self.scores + self.multipliers
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
        let plan = Plan::of(self, shape, longest);
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
            shape,
            plan,
            strips: [query_rows, key_rows, value_rows],
            first,
            tokens,
            head,
        } = *self;
        let (width, padded, wide) = (shape.head_width, plan.padded, kernels.panel_columns);
        let (queries, memory) = memory.split_at_mut(plan.queries);
        let (sums, memory) = memory.split_at_mut(plan.sums);
        let (keys, memory) = memory.split_at_mut(plan.keys);
        let (values, memory) = memory.split_at_mut(plan.values);
        let (scores, multipliers) = memory.split_at_mut(plan.scores);
        let from = head / (shape.heads / shape.key_heads) * width;
        if tokens == 0 {
            return;
        }
        let key = key_rows.row(first, from, width).as_ptr();
        // SAFETY: the head's keys are `tokens` rows of `width` numbers, and there is place
        // for every panel.
        unsafe {
            (kernels.transpose)(key, key_rows.stride, tokens, width, keys.as_mut_ptr());
        }
        value_rows.copy(first, from, width, padded, &mut values[..tokens * padded]);
        for block in (0..tokens).step_by(QUERIES) {
            let rows = QUERIES.min(tokens - block);
            query_rows.copy(
                first + block,
                head * width,
                width,
                width,
                &mut queries[..rows * width],
            );
            let (mut most, mut total) = ([f32::NEG_INFINITY; QUERIES], [0f32; QUERIES]);
            let low = shape.seen(block, tokens).start / wide * wide;
            let high = shape.seen(block + rows - 1, tokens).end;
            for span in (low..high).step_by(SPAN) {
                let count = SPAN.min(high - span);
                // SAFETY: the shapes are those of the plan; panels start at multiples of
                // `wide`.
                unsafe {
                    (kernels.product)(&Call {
                        rows,
                        depth: width,
                        columns: count,
                        a: queries.as_ptr(),
                        a_stride: width,
                        a_step: 1,
                        b: keys[span * width..].as_ptr(),
                        b_stride: wide,
                        panel_stride: wide * width,
                        bias: std::ptr::null(),
                        residual: std::ptr::null(),
                        out: scores.as_mut_ptr(),
                        out_stride: SPAN,
                        activation: Activation::Identity,
                    });
                }
                for index in 0..rows {
                    let row = &mut scores[index * SPAN..][..count];
                    let seen = shape.seen(block + index, tokens);
                    let from = seen.start.saturating_sub(span).min(count);
                    let to = seen.end.saturating_sub(span).min(count);
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
                        let sums = &mut sums[index * width..][..width];
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
                // SAFETY: the shapes are those of the plan; the sums of an earlier span
                // are added to.
                unsafe {
                    (kernels.product)(&Call {
                        rows,
                        depth: count,
                        columns: width,
                        a: scores.as_ptr(),
                        a_stride: SPAN,
                        a_step: 1,
                        b: values[span * padded..].as_ptr(),
                        b_stride: padded,
                        panel_stride: wide,
                        bias: std::ptr::null(),
                        residual: if span == low {
                            std::ptr::null()
                        } else {
                            sums.as_ptr()
                        },
                        out: sums.as_mut_ptr(),
                        out_stride: width,
                        activation: Activation::Identity,
                    });
                }
            }
            for (index, sums) in sums.chunks_exact(width).take(rows).enumerate() {
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
