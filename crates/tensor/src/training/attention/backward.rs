//! Attention's backward, from the queries, the output and each row's log-sum-exp.

#![expect(unsafe_code, reason = "threads write to heads of their own")]

use super::{Heads, HeadsMut, KEYS, QUERIES, Strip, TrainingAttention, set_starts};
use crate::activation::Activation;
use crate::gemm::Call;
use crate::simd::{Kernels, Lanes, exp};
use crate::team::{Start, Team};
use crate::training::{Loop, TrainingScratch, load, store};

/// Numbers that one thread needs, in their order.
struct Plan {
    /// From one row of a head to the next.
    padded: usize,
    /// All of a head's queries, upstream gradients, keys, and the three gradients.
    rows: usize,
    /// All of a head's keys or values, turned.
    panels: usize,
    /// A block of scores, or of their gradients.
    scores: usize,
    /// Of each row, `Σ dy · y`.
    alongs: usize,
    multipliers: usize,
}

impl Plan {
    fn of(kernels: &Kernels, shape: &TrainingAttention, longest: usize) -> Self {
        let wide = kernels.panel_columns;
        let padded = shape.head_width.next_multiple_of(wide);
        let panels = longest.next_multiple_of(KEYS).next_multiple_of(wide) * shape.head_width;
        Self {
            padded,
            rows: (longest * padded).next_multiple_of(16),
            panels: panels.next_multiple_of(16),
            scores: QUERIES * KEYS,
            alongs: longest.next_multiple_of(16),
            multipliers: KEYS,
        }
    }

    fn size(&self) -> usize {
        6 * self.rows + 2 * self.panels + 2 * self.scores + self.alongs + self.multipliers
    }
}

/// Where gradients go: the start of each matrix and its stride.
#[derive(Clone, Copy)]
struct Targets([(*mut f32, usize); 3]);

// SAFETY: every part writes to heads of its own.
unsafe impl Sync for Targets {}

impl Kernels {
    /// Sets the gradients of queries, keys and values, given what [`Self::attend`] was
    /// called with and has set, and `gradient`, `(T, H · W)`, that of its output: with
    /// `P` the shares, `dV = Pᵀ dO`, `dS = P ∘ (dO Vᵀ − rowsum(dO ∘ O))`,
    /// `dQ = scale dS K` and `dK = scale dSᵀ Q` (Dao et al. 2022, appendix B.4). Of heads
    /// that share a key head, the gradients are added in order.
    ///
    /// Panics if the shapes do not fit.
    #[expect(
        clippy::too_many_arguments,
        reason = "what goes in, and what comes out"
    )]
    pub fn attend_backward(
        &self,
        team: &Team,
        shape: &TrainingAttention,
        lengths: &[usize],
        heads: Heads<'_>,
        statistics: &[f32],
        out: &[f32],
        gradient: &[f32],
        gradients: HeadsMut<'_>,
        scratch: &mut TrainingScratch,
    ) {
        shape.check();
        let tokens = set_starts(lengths, &mut scratch.starts);
        let strips = shape.strips(heads, tokens);
        let width = shape.heads * shape.head_width;
        assert_eq!(
            statistics.len(),
            tokens * shape.heads,
            "every row has its statistic"
        );
        assert!(
            out.len() == tokens * width && gradient.len() == out.len(),
            "every number that came out has its gradient"
        );
        let targets = targets(shape, gradients, tokens);
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let plan = Plan::of(self, shape, longest);
        let size = plan.size();
        let [memory] = scratch.numbers.carve([size * team.threads()]);
        let memory = Start(memory.as_mut_ptr());
        let starts = &scratch.starts;
        team.run(lengths.len() * shape.key_heads, &|part, seat| {
            let (sequence, key_head) = (part / shape.key_heads, part % shape.key_heads);
            let back = Back {
                kernels: self,
                shape,
                plan: &plan,
                strips,
                statistics,
                out: Strip {
                    numbers: out,
                    stride: width,
                },
                gradient: Strip {
                    numbers: gradient,
                    stride: width,
                },
                first: starts[sequence],
                tokens: lengths[sequence],
                key_head,
            };
            // SAFETY: a seat is used by one thread at a time, and each part has a key head
            // of a sequence of its own, and the query heads that share it.
            unsafe { back.run(memory.cut(seat * size, size), targets) };
        });
    }
}

/// Panics if the shapes do not fit.
fn targets(shape: &TrainingAttention, gradients: HeadsMut<'_>, tokens: usize) -> Targets {
    let [of_queries, of_keys] = shape.widths();
    match gradients {
        HeadsMut::Apart {
            queries,
            keys,
            values,
        } => Targets(
            [(queries, of_queries), (keys, of_keys), (values, of_keys)].map(|(numbers, stride)| {
                assert_eq!(
                    numbers.len(),
                    tokens * stride,
                    "there is a row for every token"
                );
                (numbers.as_mut_ptr(), stride)
            }),
        ),
        HeadsMut::Together(numbers) => {
            let stride = of_queries + 2 * of_keys;
            assert_eq!(
                numbers.len(),
                tokens * stride,
                "there is a row for every token"
            );
            let start = numbers.as_mut_ptr();
            Targets(
                [0, of_queries, of_queries + of_keys]
                    .map(|from| (start.wrapping_add(from), stride)),
            )
        }
    }
}

/// One key head of one sequence, with the query heads that share it.
struct Back<'a> {
    kernels: &'a Kernels,
    shape: &'a TrainingAttention,
    plan: &'a Plan,
    strips: [Strip<'a>; 3],
    statistics: &'a [f32],
    out: Strip<'a>,
    gradient: Strip<'a>,
    /// The sequence's first token.
    first: usize,
    tokens: usize,
    key_head: usize,
}

impl Back<'_> {
    /// # Safety
    /// Nobody else may use these heads' numbers of the sequence's rows in the targets.
    unsafe fn run(&self, memory: &mut [f32], targets: Targets) {
        let Self {
            kernels,
            shape,
            plan,
            strips: [query_rows, key_rows, value_rows],
            first,
            tokens,
            key_head,
            ..
        } = *self;
        if tokens == 0 {
            return;
        }
        let (width, padded) = (shape.head_width, plan.padded);
        let count = tokens * padded;
        let (queries, memory) = memory.split_at_mut(plan.rows);
        let (upstream, memory) = memory.split_at_mut(plan.rows);
        let (keys, memory) = memory.split_at_mut(plan.rows);
        let (of_queries, memory) = memory.split_at_mut(plan.rows);
        let (of_keys, memory) = memory.split_at_mut(plan.rows);
        let (of_values, memory) = memory.split_at_mut(plan.rows);
        let (key_panels, memory) = memory.split_at_mut(plan.panels);
        let (value_panels, memory) = memory.split_at_mut(plan.panels);
        let (scores, memory) = memory.split_at_mut(plan.scores);
        let (of_scores, memory) = memory.split_at_mut(plan.scores);
        let (alongs, multipliers) = memory.split_at_mut(plan.alongs);
        let from = key_head * width;
        for (rows, panels) in [(key_rows, &mut *key_panels), (value_rows, value_panels)] {
            let at = rows.row(first, from, width).as_ptr();
            // SAFETY: the head is `tokens` rows of `width` numbers, and there is place for
            // every panel.
            unsafe {
                (kernels.transpose)(at, rows.stride, tokens, width, panels.as_mut_ptr());
            }
        }
        key_rows.copy(first, from, width, padded, &mut keys[..count]);
        of_keys[..count].fill(0.0);
        of_values[..count].fill(0.0);
        let group = shape.heads / shape.key_heads;
        for head in key_head * group..(key_head + 1) * group {
            query_rows.copy(first, head * width, width, padded, &mut queries[..count]);
            self.gradient
                .copy(first, head * width, width, padded, &mut upstream[..count]);
            of_queries[..count].fill(0.0);
            for (token, along) in alongs[..tokens].iter_mut().enumerate() {
                let out = self.out.row(first + token, head * width, width);
                let gradient = &upstream[token * padded..];
                *along = out.iter().zip(gradient).map(|(o, g)| o * g).sum();
            }
            for key in (0..tokens).step_by(KEYS) {
                let block = Block {
                    back: self,
                    head,
                    key,
                    keys_here: KEYS.min(tokens - key),
                };
                let seen_by = shape.seen_by(key, key + block.keys_here, tokens);
                let start = seen_by.start / QUERIES * QUERIES;
                for query in (start..seen_by.end).step_by(QUERIES) {
                    let rows = QUERIES.min(tokens - query);
                    // SAFETY: all shapes are those of the plan.
                    unsafe {
                        block.shares(
                            query..query + rows,
                            (queries, upstream),
                            (key_panels, value_panels),
                            (scores, of_scores),
                            alongs,
                            multipliers,
                        );
                        block.add(
                            true,
                            rows,
                            scores,
                            &upstream[query * padded..],
                            &mut of_values[key * padded..],
                        );
                        block.add(
                            true,
                            rows,
                            of_scores,
                            &queries[query * padded..],
                            &mut of_keys[key * padded..],
                        );
                        block.add(
                            false,
                            rows,
                            of_scores,
                            &keys[key * padded..],
                            &mut of_queries[query * padded..],
                        );
                    }
                }
            }
            // SAFETY: the head is this part's own.
            unsafe { self.put(of_queries, targets.0[0], head) };
        }
        // SAFETY: the key head is this part's own.
        unsafe {
            self.put(of_keys, targets.0[1], key_head);
            self.put(of_values, targets.0[2], key_head);
        }
    }

    /// Copies a head's gradients to where they belong.
    ///
    /// # Safety
    /// As [`Self::run`].
    unsafe fn put(&self, from: &[f32], (to, stride): (*mut f32, usize), head: usize) {
        let width = self.shape.head_width;
        for (token, row) in from
            .chunks_exact(self.plan.padded)
            .take(self.tokens)
            .enumerate()
        {
            let at = (self.first + token) * stride + head * width;
            // SAFETY: the row has this head.
            let to = unsafe { std::slice::from_raw_parts_mut(to.add(at), width) };
            to.copy_from_slice(&row[..width]);
        }
    }
}

/// One head's queries against a block of keys.
struct Block<'a> {
    back: &'a Back<'a>,
    head: usize,
    key: usize,
    keys_here: usize,
}

impl Block<'_> {
    /// Sets `scores` to the shares with which values are mixed, after dropout, and
    /// `of_scores` to the gradient of `q · k`; both `(queries, KEYS)`.
    ///
    /// # Safety
    /// The shapes must be those of the plan.
    unsafe fn shares(
        &self,
        queries: std::ops::Range<usize>,
        (query_rows, upstream): (&[f32], &[f32]),
        (key_panels, value_panels): (&[f32], &[f32]),
        (scores, of_scores): (&mut [f32], &mut [f32]),
        alongs: &[f32],
        multipliers: &mut [f32],
    ) {
        let Back {
            kernels,
            shape,
            plan,
            ..
        } = self.back;
        let (width, padded, wide) = (shape.head_width, plan.padded, kernels.panel_columns);
        for (rows, panels, out) in [
            (query_rows, key_panels, &mut *scores),
            (upstream, value_panels, &mut *of_scores),
        ] {
            // SAFETY: as the caller promises; a block of keys starts at a panel.
            unsafe {
                (kernels.product)(&Call {
                    rows: queries.len(),
                    depth: width,
                    columns: self.keys_here,
                    a: rows[queries.start * padded..].as_ptr(),
                    a_stride: padded,
                    a_step: 1,
                    b: panels[self.key * width..].as_ptr(),
                    b_stride: wide,
                    panel_stride: wide * width,
                    bias: std::ptr::null(),
                    residual: std::ptr::null(),
                    out: out.as_mut_ptr(),
                    out_stride: KEYS,
                    activation: Activation::Identity,
                });
            }
        }
        for (index, query) in queries.enumerate() {
            let row = index * KEYS..index * KEYS + self.keys_here;
            let seen = shape.seen(query, self.back.tokens);
            let from = seen.start.saturating_sub(self.key).min(self.keys_here);
            let to = seen
                .end
                .saturating_sub(self.key)
                .min(self.keys_here)
                .max(from);
            let (shares, gradients) = (&mut scores[row.clone()], &mut of_scores[row]);
            for numbers in [&mut *shares, &mut *gradients] {
                numbers[..from].fill(0.0);
                numbers[to..].fill(0.0);
            }
            if from == to {
                continue;
            }
            let place = (self.back.first + query) * shape.heads + self.head;
            let multipliers = shape.dropout.map(|dropout| {
                let multipliers = &mut multipliers[..to - from];
                kernels.multipliers(dropout.of_row(place), self.key + from, multipliers);
                &*multipliers
            });
            // SAFETY: a table is only handed out where the processor has what its
            // functions need.
            unsafe {
                (kernels.training)(Loop::Probabilities(Probabilities {
                    shares: &mut shares[from..to],
                    gradients: &mut gradients[from..to],
                    multipliers,
                    scale: shape.scale,
                    whole: self.back.statistics[place],
                    along: alongs[query],
                }));
            }
        }
    }

    /// Adds a product with a block of scores, `(rows, KEYS)`, or with that turned, to
    /// `to`, whose rows are `padded` numbers as those of `right` are.
    ///
    /// # Safety
    /// The shapes must be those of the plan.
    unsafe fn add(&self, turned: bool, rows: usize, scores: &[f32], right: &[f32], to: &mut [f32]) {
        let Back {
            kernels,
            shape,
            plan,
            ..
        } = self.back;
        let (rows, depth, a_stride, a_step) = if turned {
            (self.keys_here, rows, 1, KEYS)
        } else {
            (rows, self.keys_here, KEYS, 1)
        };
        // SAFETY: as the caller promises.
        unsafe {
            (kernels.product)(&Call {
                rows,
                depth,
                columns: shape.head_width,
                a: scores.as_ptr(),
                a_stride,
                a_step,
                b: right.as_ptr(),
                b_stride: plan.padded,
                panel_stride: kernels.panel_columns,
                bias: std::ptr::null(),
                residual: to.as_ptr(),
                out: to.as_mut_ptr(),
                out_stride: plan.padded,
                activation: Activation::Identity,
            });
        }
    }
}

/// One row's shares and their gradients, from scores.
pub(crate) struct Probabilities<'a> {
    /// `q · k`; becomes the shares, after dropout.
    shares: &'a mut [f32],
    /// `dy · v`; becomes the gradient of `q · k`.
    gradients: &'a mut [f32],
    /// What dropout has multiplied the shares by.
    multipliers: Option<&'a [f32]>,
    scale: f32,
    /// The log-sum-exp.
    whole: f32,
    along: f32,
}

impl Probabilities<'_> {
    /// # Safety
    /// As all of [`Lanes`].
    #[inline(always)]
    pub(in crate::training) unsafe fn run<L: Lanes>(self) {
        let count = self.shares.len();
        let (shares, gradients) = (self.shares.as_mut_ptr(), self.gradients.as_mut_ptr());
        // SAFETY: all rows are `count` numbers.
        unsafe {
            let (scale, shift) = (L::splat(self.scale), L::splat(-self.whole));
            let along = L::splat(self.along);
            for at in (0..count).step_by(L::COUNT) {
                let left = count - at;
                let score = load::<L>(shares.add(at), left);
                let share = exp::<L>(L::mul_add(score, scale, shift));
                let mut gradient = load::<L>(gradients.add(at), left);
                let mut kept = share;
                if let Some(multipliers) = self.multipliers {
                    let by = load::<L>(multipliers.as_ptr().add(at), left);
                    gradient = L::mul(gradient, by);
                    kept = L::mul(share, by);
                }
                let of_score = L::mul(L::mul(share, L::sub(gradient, along)), scale);
                store::<L>(shares.add(at), left, kept);
                store::<L>(gradients.add(at), left, of_score);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::attention::Mask;
    use crate::training::check::{slope, team, wide};
    use crate::training::dropout::Dropout;

    /// The output and each row's log-sum-exp, in `f64`, from queries, keys and values one
    /// behind the other.
    fn plainly(shape: &TrainingAttention, lengths: &[usize], qkv: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let tokens: usize = lengths.iter().sum();
        let (width, [of_queries, of_keys]) = (shape.head_width, shape.widths());
        let (queries, rest) = qkv.split_at(tokens * of_queries);
        let (keys, values) = rest.split_at(tokens * of_keys);
        let mut out = vec![0.0; tokens * of_queries];
        let mut wholes = Vec::new();
        let mut first = 0;
        for length in lengths {
            for query in 0..*length {
                for head in 0..shape.heads {
                    let key_head = head / (shape.heads / shape.key_heads);
                    let row = (first + query) * of_queries + head * width;
                    let seen: Vec<usize> = (0..*length)
                        .filter(|key| match shape.mask {
                            Mask::Full => true,
                            Mask::Causal { window } => {
                                *key <= query && window.is_none_or(|window| query - key < window)
                            }
                        })
                        .collect();
                    let at = |key: usize| (first + key) * of_keys + key_head * width;
                    let powers: Vec<f64> = seen
                        .iter()
                        .map(|key| {
                            let dot: f64 = (0..width)
                                .map(|i| queries[row + i] * keys[at(*key) + i])
                                .sum();
                            (dot * f64::from(shape.scale)).exp()
                        })
                        .collect();
                    let total: f64 = powers.iter().sum();
                    wholes.push(total.ln());
                    let mut multipliers = vec![1.0; *length];
                    if let Some(dropout) = shape.dropout {
                        let place = dropout.of_row((first + query) * shape.heads + head);
                        Kernels::available()[0].multipliers(place, 0, &mut multipliers);
                    }
                    for (key, power) in seen.iter().zip(&powers) {
                        let share = power / total * f64::from(multipliers[*key]);
                        for i in 0..width {
                            out[row + i] += share * values[at(*key) + i];
                        }
                    }
                }
            }
            first += length;
        }
        (out, wholes)
    }

    fn together(shape: &TrainingAttention, tokens: usize, apart: &[f32]) -> Vec<f32> {
        let [of_queries, of_keys] = shape.widths();
        let (queries, rest) = apart.split_at(tokens * of_queries);
        let (keys, values) = rest.split_at(tokens * of_keys);
        (0..tokens)
            .flat_map(|token| {
                [(queries, of_queries), (keys, of_keys), (values, of_keys)]
                    .into_iter()
                    .flat_map(move |(rows, width)| {
                        rows[token * width..(token + 1) * width].to_vec()
                    })
            })
            .collect()
    }

    /// Output, statistics and the gradients one behind the other, by both layouts, which
    /// must agree to the last bit.
    fn run(
        kernels: &Kernels,
        shape: &TrainingAttention,
        lengths: &[usize],
        qkv: &[f32],
        upstream: &[f32],
        threads: usize,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let tokens: usize = lengths.iter().sum();
        let [of_queries, of_keys] = shape.widths();
        let team = team(threads);
        let mut scratch = TrainingScratch::default();
        let (queries, rest) = qkv.split_at(tokens * of_queries);
        let (keys, values) = rest.split_at(tokens * of_keys);
        let apart = Heads::Apart {
            queries,
            keys,
            values,
        };
        let (mut statistics, mut out) = (
            vec![f32::NAN; tokens * shape.heads],
            vec![f32::NAN; upstream.len()],
        );
        kernels.attend(
            &team,
            shape,
            lengths,
            apart,
            &mut statistics,
            &mut out,
            &mut scratch,
        );
        let mut found = vec![f32::NAN; qkv.len()];
        let (of_q, rest) = found.split_at_mut(tokens * of_queries);
        let (of_k, of_v) = rest.split_at_mut(tokens * of_keys);
        kernels.attend_backward(
            &team,
            shape,
            lengths,
            apart,
            &statistics,
            &out,
            upstream,
            HeadsMut::Apart {
                queries: of_q,
                keys: of_k,
                values: of_v,
            },
            &mut scratch,
        );
        let beside = together(shape, tokens, qkv);
        let mut again = (vec![f32::NAN; statistics.len()], vec![f32::NAN; out.len()]);
        kernels.attend(
            &team,
            shape,
            lengths,
            Heads::Together(&beside),
            &mut again.0,
            &mut again.1,
            &mut scratch,
        );
        assert_eq!((&statistics, &out), (&again.0, &again.1));
        let mut of_beside = vec![f32::NAN; qkv.len()];
        kernels.attend_backward(
            &team,
            shape,
            lengths,
            Heads::Together(&beside),
            &statistics,
            &out,
            upstream,
            HeadsMut::Together(&mut of_beside),
            &mut scratch,
        );
        assert_eq!(together(shape, tokens, &found), of_beside);
        (out, statistics, found)
    }

    fn dot(a: &[f64], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_gradient_is_the_slope(
            lengths in prop::collection::vec(0usize..9, 1..4),
            key_heads in 1usize..3,
            group in 1usize..4,
            head_width in prop::sample::select(vec![1usize, 3, 8]),
            window in prop::option::of(1usize..6),
            causal: bool,
            dropout: bool,
            threads in 1usize..4,
            seed in any::<u64>(),
        ) {
            let shape = TrainingAttention {
                heads: key_heads * group,
                key_heads,
                head_width,
                scale: 1.0 / (head_width as f32).sqrt(),
                mask: if causal { Mask::Causal { window } } else { Mask::Full },
                dropout: dropout.then(|| Dropout::new(0.3, &[seed])),
            };
            let tokens: usize = lengths.iter().sum();
            let [of_queries, of_keys] = shape.widths();
            let qkv: Vec<f32> = numbers(seed, tokens * (of_queries + 2 * of_keys)).iter().map(|x| 1.5 * x).collect();
            let upstream = numbers(seed ^ 1, tokens * of_queries);
            let (expect, wholes) = plainly(&shape, &lengths, &wide(&qkv));
            let gradient = slope(&wide(&qkv), |qkv| dot(&plainly(&shape, &lengths, qkv).0, &upstream));
            for version in Kernels::available() {
                let (out, statistics, found) = run(version, &shape, &lengths, &qkv, &upstream, threads);
                assert_near(&out, &expect, 1e-5, version.name);
                assert_near(&statistics, &wholes, 1e-5, version.name);
                assert_near(&found, &gradient, 2e-5, version.name);
            }
        }
    }

    /// Sequences of several blocks and spans: what the loss changes by along a direction is
    /// the gradient's part in it.
    #[test]
    fn long_sequences_pass_in_blocks() {
        for (mask, dropout) in [
            (Mask::Full, None),
            (Mask::Causal { window: None }, Some(Dropout::new(0.1, &[4]))),
            (Mask::Causal { window: Some(130) }, None),
            (Mask::Causal { window: Some(5) }, None),
        ] {
            let shape = TrainingAttention {
                heads: 2,
                key_heads: 1,
                head_width: 40,
                scale: 0.16,
                mask,
                dropout,
            };
            let lengths = [1, 97, 0, 640];
            let tokens: usize = lengths.iter().sum();
            let [of_queries, of_keys] = shape.widths();
            let qkv = numbers(1, tokens * (of_queries + 2 * of_keys));
            let upstream = numbers(2, tokens * of_queries);
            let (expect, wholes) = plainly(&shape, &lengths, &wide(&qkv));
            let direction = wide(&numbers(3, qkv.len()));
            let moved = |by: f64| -> Vec<f64> {
                qkv.iter()
                    .zip(&direction)
                    .map(|(x, d)| f64::from(*x) + by * d)
                    .collect()
            };
            let change = (dot(&plainly(&shape, &lengths, &moved(1e-5)).0, &upstream)
                - dot(&plainly(&shape, &lengths, &moved(-1e-5)).0, &upstream))
                / 2e-5;
            for version in Kernels::available() {
                let (out, statistics, found) = run(version, &shape, &lengths, &qkv, &upstream, 2);
                assert_near(&out, &expect, 1e-5, version.name);
                assert_near(&statistics, &wholes, 1e-5, version.name);
                let along = dot(&direction, &found);
                assert!(
                    (along - change).abs() < 1e-3 * change.abs().max(1.0),
                    "{along} is not {change}, {mask:?} by {}",
                    version.name
                );
            }
        }
    }
}
