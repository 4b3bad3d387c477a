//! The road of tokens through a decoder.
//!
//! Letters: `T` tokens of a block, `D` width, `H` heads, `W` a head's width, `F` inner
//! width, `V` vocabulary.
//!
//! All sequences of a call go together, their tokens one after another, in blocks of
//! so many tokens that the weights, read once a block, cost little beside the
//! arithmetic, and so few that memory stays small however long a text is. A layer is
//! `x ← x + attention(norm(x))`, `x ← x + feed-forward(norm(x))`; both sums cost
//! nothing of their own, for the products are added to `x` where it lies.

use tensor::{Activation, Buffer, Cached, CausalAttention, Scratch, StoredProduct, Sum};

use super::config::{Feed, Positions};
use super::layer::{FeedForward, Linear, Norm, QueryKeyValue};
use super::{Decoder, Step, Wanted};
use crate::ModelError;
use crate::lora::{Given, Machine, Module};

/// Tokens that go through the layers together.
const BLOCK: usize = 256;
/// Sequences whose attention is one call.
const SEQUENCES: usize = 16;

/// The memory of one call, used again for the next; it grows only for a larger batch
/// than all before.
#[derive(Debug, Default)]
pub struct Workspace {
    numbers: Buffer,
    scratch: Scratch,
    spans: Vec<Span>,
}

impl Workspace {
    /// Returns how many numbers it holds.
    pub fn capacity(&self) -> usize {
        self.numbers.capacity()
    }
}

/// Tokens of one sequence in a block.
#[derive(Clone, Copy, Debug)]
struct Span {
    step: usize,
    /// The first of the step's tokens.
    from: usize,
    tokens: usize,
    /// Its row in the block.
    row: usize,
    /// Its place in the sequence.
    position: usize,
}

/// What is between a block's layers and within one; each by rows of tokens.
struct Block<'a> {
    /// `(T, D)`: what goes from layer to layer.
    x: &'a mut [f32],
    /// `(T, D)`: the same, normalised.
    y: &'a mut [f32],
    /// `(T, H W)`, or queries, keys and values together.
    queries: &'a mut [f32],
    /// `(T, heads of keys · W)`
    keys: &'a mut [f32],
    /// As keys.
    values: &'a mut [f32],
    /// `(T, H W)`
    attended: &'a mut [f32],
    /// `(T, F)`, if there is a gate.
    gate: &'a mut [f32],
    /// `(T, F)`
    up: &'a mut [f32],
    /// `(T, W / 2)`, if positions are rotations.
    cosines: &'a mut [f32],
    sines: &'a mut [f32],
    /// `(T, rank)` of the adapter with the most.
    low: &'a mut [f32],
}

impl Decoder {
    /// Reads the steps' tokens and returns the logits that are wanted, rows of `V` in
    /// the order of the steps. Allocates nothing, once `workspace` has seen a batch as
    /// large.
    ///
    /// # Errors
    /// If a token is not in the vocabulary, a cache has no room for the tokens, or an
    /// adapter or a cache is of another model. Nothing is read then.
    pub fn forward<'w>(
        &self,
        workspace: &'w mut Workspace,
        steps: &mut [Step<'_>],
    ) -> Result<&'w [f32], ModelError> {
        self.read(workspace, steps, true)
    }

    /// As [`Decoder::forward`], but returns the last hidden states, rows of `D`: what
    /// the head makes logits of.
    ///
    /// # Errors
    /// As [`Decoder::forward`].
    pub fn hidden<'w>(
        &self,
        workspace: &'w mut Workspace,
        steps: &mut [Step<'_>],
    ) -> Result<&'w [f32], ModelError> {
        self.read(workspace, steps, false)
    }

    fn read<'w>(
        &self,
        workspace: &'w mut Workspace,
        steps: &mut [Step<'_>],
        with_head: bool,
    ) -> Result<&'w [f32], ModelError> {
        for step in &*steps {
            self.check(step)?;
        }
        let config = &self.config;
        let total: usize = steps.iter().map(|step| step.tokens.len()).sum();
        let wanted: usize = steps.iter().map(Step::rows).sum();
        let most = total.min(BLOCK);
        let rank = steps
            .iter()
            .flat_map(|step| step.adapters)
            .map(|(adapter, _)| adapter.rank())
            .max()
            .unwrap_or(0);
        let (query_width, key_width) = (config.query_width(), config.key_width());
        let together = self.names.query_key_value.len() == 1;
        let gated = config.feed == Feed::Gated;
        let angles = match &config.positions {
            Positions::Rotary(rotary) => rotary.frequencies.len(),
            Positions::Learned => 0,
        };
        let Workspace {
            numbers,
            scratch,
            spans,
        } = workspace;
        let [
            x,
            y,
            queries,
            keys,
            values,
            attended,
            gate,
            up,
            cosines,
            sines,
            low,
            kept,
            logits,
        ] = numbers.carve([
            most * config.width,
            most * config.width,
            most * (query_width + if together { 2 * key_width } else { 0 }),
            if together { 0 } else { most * key_width },
            if together { 0 } else { most * key_width },
            most * query_width,
            if gated { most * config.inner } else { 0 },
            most * config.inner,
            most * angles,
            most * angles,
            (most * rank).max(wanted * rank),
            wanted * config.width,
            if with_head {
                wanted * config.vocabulary
            } else {
                0
            },
        ]);

        let (mut done, mut rows) = (0, 0);
        let mut next = (0, 0);
        while done < total {
            let tokens = plan(spans, steps, &mut next);
            let mut block = Block {
                x: &mut x[..tokens * config.width],
                y: &mut y[..tokens * config.width],
                queries: &mut queries[..],
                keys: &mut keys[..],
                values: &mut values[..],
                attended: &mut attended[..tokens * query_width],
                gate: &mut gate[..],
                up: &mut up[..tokens * config.inner],
                cosines: &mut cosines[..tokens * angles],
                sines: &mut sines[..tokens * angles],
                low: &mut *low,
            };
            self.embed(&mut block, steps, spans);
            for layer in 0..self.layers.len() {
                self.attend(layer, tokens, &mut block, steps, spans, scratch);
                self.feed(layer, tokens, &mut block, steps, spans, scratch);
            }
            for span in &*spans {
                let step = &mut steps[span.step];
                step.cache.grow(span.tokens);
                let skipped = match step.wanted {
                    Wanted::None => span.tokens,
                    Wanted::Last if span.from + span.tokens < step.tokens.len() => span.tokens,
                    Wanted::Last => span.tokens - 1,
                    Wanted::All => 0,
                };
                let last = span.row + span.tokens;
                let from = &block.x[(span.row + skipped) * config.width..last * config.width];
                kept[rows * config.width..][..from.len()].copy_from_slice(from);
                rows += span.tokens - skipped;
            }
            done += tokens;
        }
        assert_eq!(rows, wanted, "every wanted row was kept");
        self.normalize_in_place(&self.final_norm, kept);
        if !with_head {
            return Ok(kept);
        }
        let (weight, bias) = match &self.head {
            Some(head) => (head.weight.view(), head.bias.as_deref()),
            None => (self.embedding.view(), None),
        };
        self.kernels.multiply(
            &self.team,
            kept,
            &mut [StoredProduct {
                weight,
                bias,
                sum: Sum::Replace,
                activation: Activation::Identity,
                output: logits,
            }],
            scratch,
        );
        let mut row = 0;
        for step in &*steps {
            let rows = row..row + step.rows();
            row = rows.end;
            for (adapter, weight) in step.adapters {
                if let Some(part) = adapter.head() {
                    let input = &kept[rows.start * config.width..rows.end * config.width];
                    let output =
                        &mut logits[rows.start * config.vocabulary..rows.end * config.vocabulary];
                    let mut machine = self.machine(low, scratch);
                    let given = Given::InOutput { bias };
                    part.add(&mut machine, *weight, given, input, output);
                }
            }
        }
        Ok(logits)
    }

    /// Refuses a step that can not be read.
    fn check(&self, step: &Step<'_>) -> Result<(), ModelError> {
        let model = || self.config.path.clone();
        if step.cache.shape() != self.cache_shape() {
            return Err(ModelError::CacheOfAnother { model: model() });
        }
        if step.tokens.len() > step.cache.room() {
            return Err(ModelError::ContextFull {
                model: model(),
                found: step.cache.len() + step.tokens.len(),
                room: step.cache.capacity(),
                context: self.config.context,
            });
        }
        let known = self.config.vocabulary;
        if let Some(token) = step.tokens.iter().find(|token| **token as usize >= known) {
            return Err(ModelError::UnknownToken {
                model: model(),
                found: *token,
                known,
            });
        }
        for (adapter, _) in step.adapters {
            if adapter.decoder() != self.number {
                return Err(ModelError::AdapterOfAnother {
                    adapter: adapter.path().to_path_buf(),
                    base: adapter.base().to_path_buf(),
                    model: model(),
                });
            }
        }
        Ok(())
    }

    /// Sets `x` to what each token, and perhaps its position, stands for, and prepares
    /// the angles of rotations.
    fn embed(&self, block: &mut Block<'_>, steps: &[Step<'_>], spans: &[Span]) {
        let width = self.config.width;
        let embedding = self.embedding.view();
        for span in spans {
            let tokens = &steps[span.step].tokens[span.from..span.from + span.tokens];
            let rows = block.x[span.row * width..].chunks_exact_mut(width);
            for (token, row) in tokens.iter().zip(rows) {
                embedding.row(*token as usize, row);
            }
            if let Positions::Rotary(rotary) = &self.config.positions {
                let pairs = rotary.frequencies.len();
                let rows = span.row * pairs..(span.row + span.tokens) * pairs;
                rotary.angles(
                    span.position,
                    &mut block.cosines[rows.clone()],
                    &mut block.sines[rows],
                );
            }
            if let Some(positions) = &self.positions {
                let positions = positions.view();
                for token in 0..span.tokens {
                    let place = &mut block.y[..width];
                    positions.row(span.position + token, place);
                    let row = &mut block.x[(span.row + token) * width..][..width];
                    for (x, place) in row.iter_mut().zip(place) {
                        *x += *place;
                    }
                }
            }
        }
    }

    /// `x ← x + attention(norm(x))`.
    fn attend(
        &self,
        number: usize,
        tokens: usize,
        block: &mut Block<'_>,
        steps: &mut [Step<'_>],
        spans: &[Span],
        scratch: &mut Scratch,
    ) {
        let layer = &self.layers[number];
        self.normalize(&layer.attention_norm, block.x, block.y);
        match &layer.query_key_value {
            QueryKeyValue::Together(linear) => {
                self.together(number, linear, tokens, block, steps, spans, scratch);
            }
            QueryKeyValue::Apart(linear) => {
                self.apart(number, linear, tokens, block, steps, spans, scratch);
            }
        }
        self.look(number, block, steps, spans, scratch);
        let out = &layer.attention_out;
        let products = &mut [out.product(Sum::Add, block.x)];
        self.multiply(block.attended, products, scratch);
        let part = Adapted {
            layer: number,
            module: Module::AttentionOut,
            linear: out,
            steps,
            spans,
        };
        let rows = Rows {
            input: block.attended,
            output: block.x,
            spare: Some(block.y),
        };
        self.adapt(&part, rows, block.low, scratch);
    }

    /// Queries, keys and values of one product: keys and values go to the caches.
    fn together(
        &self,
        number: usize,
        linear: &Linear,
        tokens: usize,
        block: &mut Block<'_>,
        steps: &mut [Step<'_>],
        spans: &[Span],
        scratch: &mut Scratch,
    ) {
        let width = self.config.query_width();
        let stride = linear.weight.outputs();
        let value = stride - self.config.key_width();
        let all = &mut block.queries[..tokens * stride];
        self.multiply(block.y, &mut [linear.product(Sum::Replace, all)], scratch);
        let part = Adapted {
            layer: number,
            module: Module::QueryKeyValue,
            linear,
            steps,
            spans,
        };
        let rows = Rows {
            input: block.y,
            output: all,
            spare: None,
        };
        self.adapt(&part, rows, block.low, scratch);
        for span in spans {
            let rows = &all[span.row * stride..(span.row + span.tokens) * stride];
            let cache = &mut *steps[span.step].cache;
            cache.put(number, 0, span.position, &rows[width..], stride);
            cache.put(number, 1, span.position, &rows[value..], stride);
        }
        // The queries move together.
        for row in 1..tokens {
            all.copy_within(row * stride..row * stride + width, row * width);
        }
    }

    /// Queries, keys and values of a product each; they are normalised and rotated as the
    /// model has it, and keys and values go to the caches.
    fn apart(
        &self,
        number: usize,
        [q, k, v]: &[Linear; 3],
        tokens: usize,
        block: &mut Block<'_>,
        steps: &mut [Step<'_>],
        spans: &[Span],
        scratch: &mut Scratch,
    ) {
        let config = &self.config;
        let key_width = config.key_width();
        let queries = &mut block.queries[..tokens * config.query_width()];
        let keys = &mut block.keys[..tokens * key_width];
        let values = &mut block.values[..tokens * key_width];
        let products = &mut [
            q.product(Sum::Replace, queries),
            k.product(Sum::Replace, keys),
            v.product(Sum::Replace, values),
        ];
        self.multiply(block.y, products, scratch);
        for (module, linear, output) in [
            (Module::Query, q, &mut *queries),
            (Module::Key, k, &mut *keys),
            (Module::Value, v, &mut *values),
        ] {
            let part = Adapted {
                layer: number,
                module,
                linear,
                steps,
                spans,
            };
            let rows = Rows {
                input: block.y,
                output,
                spare: None,
            };
            self.adapt(&part, rows, block.low, scratch);
        }
        if let Some([of_queries, of_keys]) = &self.layers[number].head_norms {
            self.kernels.rms_norm_in_place(of_queries, queries);
            self.kernels.rms_norm_in_place(of_keys, keys);
        }
        if let Positions::Rotary(rotary) = &config.positions {
            let turn = tensor::Rotary {
                pairs: rotary.pairs,
                head_width: config.head_width,
                half: rotary.frequencies.len(),
            };
            for rows in [queries, &mut *keys] {
                self.kernels.rotate(turn, rows, block.cosines, block.sines);
            }
        }
        for span in spans {
            let rows = span.row * key_width..(span.row + span.tokens) * key_width;
            let cache = &mut *steps[span.step].cache;
            cache.put(number, 0, span.position, &keys[rows.clone()], key_width);
            cache.put(number, 1, span.position, &values[rows], key_width);
        }
    }

    /// `x ← x + feed-forward(norm(x))`.
    fn feed(
        &self,
        number: usize,
        tokens: usize,
        block: &mut Block<'_>,
        steps: &[Step<'_>],
        spans: &[Span],
        scratch: &mut Scratch,
    ) {
        let layer = &self.layers[number];
        let adapt = |module, linear, rows: Rows<'_>, low: &mut [f32], scratch: &mut Scratch| {
            let part = Adapted {
                layer: number,
                module,
                linear,
                steps,
                spans,
            };
            self.adapt(&part, rows, low, scratch);
        };
        self.normalize(&layer.feed_norm, block.x, block.y);
        match &layer.feed {
            FeedForward::Gated { gate, up, down } => {
                let gated = &mut block.gate[..tokens * self.config.inner];
                let products = &mut [
                    gate.product(Sum::Replace, gated),
                    up.product(Sum::Replace, block.up),
                ];
                self.multiply(block.y, products, scratch);
                let rows = Rows {
                    input: block.y,
                    output: gated,
                    spare: None,
                };
                adapt(Module::Gate, gate, rows, block.low, scratch);
                let rows = Rows {
                    input: block.y,
                    output: block.up,
                    spare: None,
                };
                adapt(Module::Up, up, rows, block.low, scratch);
                self.kernels.gate(Activation::Silu, gated, block.up);
                let products = &mut [down.product(Sum::Add, block.x)];
                self.multiply(gated, products, scratch);
                let rows = Rows {
                    input: gated,
                    output: block.x,
                    spare: Some(block.y),
                };
                adapt(Module::Down, down, rows, block.low, scratch);
            }
            FeedForward::Plain {
                up,
                activation,
                down,
            } => {
                let adapted = steps.iter().any(|step| !step.adapters.is_empty());
                let mut product = up.product(Sum::Replace, block.up);
                if !adapted {
                    product.activation = *activation;
                }
                self.multiply(block.y, &mut [product], scratch);
                if adapted {
                    let rows = Rows {
                        input: block.y,
                        output: block.up,
                        spare: None,
                    };
                    adapt(Module::Up, up, rows, block.low, scratch);
                    self.kernels.activate(*activation, block.up);
                }
                let products = &mut [down.product(Sum::Add, block.x)];
                self.multiply(block.up, products, scratch);
                let rows = Rows {
                    input: block.up,
                    output: block.x,
                    spare: Some(block.y),
                };
                adapt(Module::Down, down, rows, block.low, scratch);
            }
        }
    }

    /// Sets `attended` to what each token finds in its sequence.
    fn look(
        &self,
        layer: usize,
        block: &mut Block<'_>,
        steps: &[Step<'_>],
        spans: &[Span],
        scratch: &mut Scratch,
    ) {
        let config = &self.config;
        let width = config.query_width();
        let shape = CausalAttention {
            heads: config.heads,
            key_heads: config.key_heads,
            head_width: config.head_width,
            scale: config.attention[layer].scale,
            window: config.attention[layer].window,
        };
        for spans in spans.chunks(SEQUENCES) {
            let mut sequences = [Cached {
                keys: &[],
                values: &[],
                before: 0,
                tokens: 0,
            }; SEQUENCES];
            for (sequence, span) in sequences.iter_mut().zip(spans) {
                let [keys, values] = steps[span.step].cache.layer(layer);
                *sequence = Cached {
                    keys,
                    values,
                    before: span.position,
                    tokens: span.tokens,
                };
            }
            let (first, last) = (spans[0], spans[spans.len() - 1]);
            let rows = first.row * width..(last.row + last.tokens) * width;
            self.kernels.causal_attention(
                &self.team,
                shape,
                &block.queries[rows.clone()],
                &sequences[..spans.len()],
                scratch,
                &mut block.attended[rows],
            );
        }
    }

    /// Adds to a linear part's output what the steps' adapters add to it.
    fn adapt(
        &self,
        part: &Adapted<'_, '_>,
        mut rows: Rows<'_>,
        low: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let weight = part.linear.weight.view();
        let (inputs, outputs) = (weight.inputs(), weight.outputs());
        for span in part.spans {
            let last = span.row + span.tokens;
            for (adapter, strength) in part.steps[span.step].adapters {
                let Some(low_rank) = adapter.part(part.layer, part.module) else {
                    continue;
                };
                let input = &rows.input[span.row * inputs..last * inputs];
                let output = &mut rows.output[span.row * outputs..last * outputs];
                let given = match &mut rows.spare {
                    None => Given::InOutput {
                        bias: part.linear.bias.as_deref(),
                    },
                    Some(_) if !low_rank.scales() => Given::Apart(&[]),
                    Some(spare) => {
                        let product = &mut spare[..output.len()];
                        let alone = StoredProduct {
                            weight,
                            bias: None,
                            sum: Sum::Replace,
                            activation: Activation::Identity,
                            output: product,
                        };
                        self.multiply(input, &mut [alone], scratch);
                        Given::Apart(&spare[..output.len()])
                    }
                };
                let mut machine = self.machine(low, scratch);
                low_rank.add(&mut machine, *strength, given, input, output);
            }
        }
    }

    fn machine<'a>(&'a self, low: &'a mut [f32], scratch: &'a mut Scratch) -> Machine<'a> {
        Machine {
            kernels: self.kernels,
            team: &self.team,
            scratch,
            low,
        }
    }

    fn multiply(&self, input: &[f32], products: &mut [StoredProduct<'_>], scratch: &mut Scratch) {
        self.kernels.multiply(&self.team, input, products, scratch);
    }

    /// Sets `to` to the rows of `from`, normalised.
    fn normalize(&self, norm: &Norm, from: &[f32], to: &mut [f32]) {
        match norm {
            Norm::Layer(norm) => {
                to.copy_from_slice(from);
                self.kernels.layer_norm(norm, to);
            }
            Norm::Rms(norm) => self.kernels.rms_norm(norm, from, to),
        }
    }

    fn normalize_in_place(&self, norm: &Norm, rows: &mut [f32]) {
        match norm {
            Norm::Layer(norm) => self.kernels.layer_norm(norm, rows),
            Norm::Rms(norm) => self.kernels.rms_norm_in_place(norm, rows),
        }
    }
}

/// A linear part that adapters add to.
struct Adapted<'a, 's> {
    layer: usize,
    module: Module,
    linear: &'a Linear,
    steps: &'a [Step<'s>],
    spans: &'a [Span],
}

/// What went into it and what came out, by tokens of the block.
struct Rows<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
    /// Room for the output, if what is there is a sum with the residual.
    spare: Option<&'a mut [f32]>,
}

impl Linear {
    fn product<'a>(&'a self, sum: Sum, output: &'a mut [f32]) -> StoredProduct<'a> {
        StoredProduct {
            weight: self.weight.view(),
            bias: self.bias.as_deref(),
            sum,
            activation: Activation::Identity,
            output,
        }
    }
}

impl Step<'_> {
    /// Returns how many tokens' results are wanted.
    fn rows(&self) -> usize {
        match self.wanted {
            Wanted::None => 0,
            Wanted::Last => self.tokens.len().min(1),
            Wanted::All => self.tokens.len(),
        }
    }
}

/// Sets `spans` to the next block: tokens from `next` (a step and one of its tokens) on.
/// Returns how many they are.
fn plan(spans: &mut Vec<Span>, steps: &[Step<'_>], next: &mut (usize, usize)) -> usize {
    spans.clear();
    let mut row = 0;
    while let Some(step) = steps.get(next.0) {
        let left = step.tokens.len() - next.1;
        let tokens = left.min(BLOCK - row);
        if tokens > 0 {
            spans.push(Span {
                step: next.0,
                from: next.1,
                tokens,
                row,
                // Earlier blocks are already in the cache.
                position: step.cache.len(),
            });
        }
        row += tokens;
        next.1 += tokens;
        if tokens < left {
            break;
        }
        *next = (next.0 + 1, 0);
    }
    row
}
