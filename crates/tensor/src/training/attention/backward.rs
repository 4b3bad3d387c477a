//! Attention's backward, from the queries, the output and each row's log-sum-exp.

#![expect(unsafe_code, reason = "threads write to heads of their own")]

use super::product::{Products, Shape};
use super::{Heads, HeadsMut, KEYS, QUERIES, Strip, TrainingAttention, set_starts};
use crate::simd::{Kernels, Lanes, exp};
use crate::team::{Start, Team};
use crate::training::{Loop, TrainingScratch, load, store};

/// Numbers that one thread needs, in their order.
struct Plan {
    /// All of a head's queries, upstream gradients, keys, and the three gradients.
    rows: usize,
    /// All of a head's rows, as the columns of a right side.
    turned: usize,
    /// As the rows of a right side.
    straight: usize,
    /// As the rows of a left side.
    left: usize,
    /// A block of scores, or of their gradients.
    scores: usize,
    /// The same as a left side.
    shares: usize,
    /// Of each row, `Σ dy · y`.
    alongs: usize,
    multipliers: usize,
}

impl Plan {
    fn of(products: &Products<'_>, longest: usize) -> Self {
        Self {
            rows: (longest * products.padded).next_multiple_of(16),
            turned: products.turned_size(longest),
            straight: products.straight_size(longest),
            left: products.left_size(longest),
            scores: QUERIES * KEYS,
            shares: products.scores_size(QUERIES, KEYS),
            alongs: longest.next_multiple_of(16),
            multipliers: KEYS,
        }
    }

    fn size(&self) -> usize {
        6 * self.rows
            + 2 * self.turned
            + 3 * self.straight
            + 2 * self.left
            + 2 * self.scores
            + self.shares
            + self.alongs
            + self.multipliers
    }
}

/// A head's rows: as they lie, and packed as either side.
struct Packed<'a> {
    rows: &'a mut [f32],
    straight: &'a mut [f32],
    left: &'a mut [f32],
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
        let products = Products::of(self, shape.precision, shape.head_width);
        let plan = Plan::of(&products, longest);
        let size = plan.size();
        let [memory] = scratch.numbers.carve([size * team.threads()]);
        let memory = Start(memory.as_mut_ptr());
        let starts = &scratch.starts;
        team.run(lengths.len() * shape.key_heads, &|part, seat| {
            let (sequence, key_head) = (part / shape.key_heads, part % shape.key_heads);
            let back = Back {
                kernels: self,
                products,
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
    products: Products<'a>,
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
            products,
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
        let (width, padded) = (shape.head_width, products.padded);
        let count = tokens * padded;
        let mut rest = memory;
        let mut take = |length: usize| {
            let (piece, after) = std::mem::take(&mut rest).split_at_mut(length);
            rest = after;
            piece
        };
        let [queries, upstream] = [(); 2].map(|()| Packed {
            rows: take(plan.rows),
            straight: take(plan.straight),
            left: take(plan.left),
        });
        let (keys, straight_keys) = (take(plan.rows), take(plan.straight));
        let [of_queries, of_keys, of_values] = [(); 3].map(|()| take(plan.rows));
        let [turned_keys, turned_values] = [(); 2].map(|()| take(plan.turned));
        let [scores, of_scores] = [(); 2].map(|()| take(plan.scores));
        let (shares, alongs) = (take(plan.shares), take(plan.alongs));
        let multipliers = take(plan.multipliers);

        let from = key_head * width;
        // Values are needed turned alone, and their place is then the keys'.
        value_rows.copy(first, from, width, padded, &mut keys[..count]);
        products.turn(keys, tokens, turned_values);
        key_rows.copy(first, from, width, padded, &mut keys[..count]);
        products.turn(keys, tokens, turned_keys);
        products.straighten(keys, tokens, straight_keys);
        of_keys[..count].fill(0.0);
        of_values[..count].fill(0.0);
        let group = shape.heads / shape.key_heads;
        for head in key_head * group..(key_head + 1) * group {
            query_rows.copy(
                first,
                head * width,
                width,
                padded,
                &mut queries.rows[..count],
            );
            products.straighten(queries.rows, tokens, queries.straight);
            products.put_left(queries.rows, tokens, queries.left);
            let to = &mut upstream.rows[..count];
            self.gradient.copy(first, head * width, width, padded, to);
            products.straighten(upstream.rows, tokens, upstream.straight);
            products.put_left(upstream.rows, tokens, upstream.left);
            of_queries[..count].fill(0.0);
            for (token, along) in alongs[..tokens].iter_mut().enumerate() {
                let out = self.out.row(first + token, head * width, width);
                let gradient = &upstream.rows[token * padded..];
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
                    let size = [rows, block.keys_here];
                    let across = Shape {
                        rows,
                        depth: width,
                        columns: block.keys_here,
                        add: false,
                        stride: KEYS,
                    };
                    // SAFETY: there are so many queries and keys.
                    unsafe {
                        let left = products.left(queries.rows, queries.left, query);
                        let right = products.turned(turned_keys, key);
                        products.multiply(left, right, &across, scores);
                        let left = products.left(upstream.rows, upstream.left, query);
                        let right = products.turned(turned_values, key);
                        products.multiply(left, right, &across, of_scores);
                    }
                    block.shares(query..query + rows, scores, of_scores, alongs, multipliers);
                    let along = |rows: usize, depth: usize| Shape {
                        rows,
                        depth,
                        columns: width,
                        add: true,
                        stride: padded,
                    };
                    // SAFETY: as above.
                    unsafe {
                        let left = products.turned_scores(scores, KEYS, size, shares);
                        let right =
                            products.straight(upstream.rows, upstream.straight, tokens, query);
                        let to = &mut of_values[key * padded..];
                        products.multiply(left, right, &along(size[1], size[0]), to);
                        let left = products.turned_scores(of_scores, KEYS, size, shares);
                        let right =
                            products.straight(queries.rows, queries.straight, tokens, query);
                        let to = &mut of_keys[key * padded..];
                        products.multiply(left, right, &along(size[1], size[0]), to);
                        let left = products.scores(of_scores, KEYS, size, shares);
                        let right = products.straight(keys, straight_keys, tokens, key);
                        let to = &mut of_queries[query * padded..];
                        products.multiply(left, right, &along(size[0], size[1]), to);
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
            .chunks_exact(self.products.padded)
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
    /// Turns `scores`, `q · k`, into the shares with which values are mixed, after dropout,
    /// and `of_scores`, `dy · v`, into the gradient of `q · k`; both `(queries, KEYS)`.
    fn shares(
        &self,
        queries: std::ops::Range<usize>,
        scores: &mut [f32],
        of_scores: &mut [f32],
        alongs: &[f32],
        multipliers: &mut [f32],
    ) {
        let Back { kernels, shape, .. } = self.back;
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
    use crate::matmul::Precision;
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
                precision: Precision::F32,
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
                precision: Precision::F32,
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

    /// Rounded to 8 bits of fraction, sums over a head's width and over keys stay near
    /// those of whole numbers.
    #[test]
    fn rounded_numbers_give_nearly_the_same() {
        for mask in [Mask::Full, Mask::Causal { window: Some(150) }] {
            let mut shape = TrainingAttention {
                heads: 2,
                key_heads: 1,
                head_width: 40,
                scale: 0.16,
                mask,
                dropout: Some(Dropout::new(0.1, &[4])),
                precision: Precision::F32,
            };
            let lengths = [1, 97, 0, 640];
            let tokens: usize = lengths.iter().sum();
            let [of_queries, of_keys] = shape.widths();
            let qkv = numbers(1, tokens * (of_queries + 2 * of_keys));
            let upstream = numbers(2, tokens * of_queries);
            for version in Kernels::available() {
                shape.precision = Precision::F32;
                let expect = run(version, &shape, &lengths, &qkv, &upstream, 2);
                shape.precision = Precision::Bf16;
                let found = run(version, &shape, &lengths, &qkv, &upstream, 3);
                for (found, expect) in [
                    (&found.0, &expect.0),
                    (&found.1, &expect.1),
                    (&found.2, &expect.2),
                ] {
                    let off: f64 = wide(found)
                        .iter()
                        .zip(expect)
                        .map(|(a, b)| (a - f64::from(*b)).powi(2))
                        .sum();
                    let size: f64 = wide(expect).iter().map(|x| x * x).sum();
                    let apart = (off / size).sqrt();
                    assert!(apart < 4e-3, "{apart} apart, {mask:?} by {}", version.name);
                }
            }
        }
    }
}
