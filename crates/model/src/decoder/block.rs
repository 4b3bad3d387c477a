//! A block of tokens on its way through a decoder's layers.
//!
//! Letters: `T` tokens of the block, `D` width, `H` heads, `W` a head's width, `F` inner
//! width.
//!
//! A layer is `x ← x + attention(norm(x))`, `x ← x + feed-forward(norm(x))`; both sums
//! cost nothing of their own, for the products are added to `x` where it lies.

use tensor::{Activation, Cached, CausalAttention, Kept, Scratch};

use super::config::{DecoderConfig, Feed, Positions};
use super::layer::{FeedForward, Linear, QueryKeyValue};
use super::project::Projection;
use super::{Decoder, Step};
use crate::lora::{Machine, Module};

/// Sequences whose attention is one call.
const SEQUENCES: usize = 16;
/// Numbers of a loop without products that a thread takes together; fewer are not worth
/// sharing.
const SHARE: usize = 1 << 14;

/// Tokens of one sequence in a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) step: usize,
    /// The first of the step's tokens.
    pub(super) from: usize,
    pub(super) tokens: usize,
    /// Its row in the block.
    pub(super) row: usize,
    /// Its place in the sequence.
    pub(super) position: usize,
}

/// What is between a block's layers and within one; each by rows of tokens.
pub(super) struct Room<'a> {
    /// `(T, D)`: what goes from layer to layer.
    pub(super) x: &'a mut [f32],
    /// `(T, D)`: the same, normalised.
    pub(super) y: &'a mut [f32],
    /// What a layer's attention needs, and after it what its feed-forward part does.
    pub(super) within: &'a mut [f32],
    /// `(T, W / 2)`, if positions are rotations.
    pub(super) cosines: &'a mut [f32],
    /// As cosines.
    pub(super) sines: &'a mut [f32],
}

/// The room of a layer's attention.
struct Attending<'a> {
    x: &'a mut [f32],
    y: &'a mut [f32],
    cosines: &'a mut [f32],
    sines: &'a mut [f32],
    /// `(T, H W)`, or queries, keys and values together.
    queries: &'a mut [f32],
    /// `(T, heads of keys · W)`, unless together.
    keys: &'a mut [f32],
    /// As keys.
    values: &'a mut [f32],
    /// `(T, H W)`
    attended: &'a mut [f32],
}

/// The room of a layer's feed-forward part.
struct Feeding<'a> {
    x: &'a mut [f32],
    y: &'a mut [f32],
    /// `(T, F)`, if there is a gate.
    gate: &'a mut [f32],
    /// `(T, F)`
    up: &'a mut [f32],
}

impl Room<'_> {
    /// Returns how many numbers of each kind `tokens` take.
    pub(super) fn lengths(decoder: &Decoder, tokens: usize) -> [usize; 5] {
        let width = decoder.config.width * tokens;
        let angles = match &decoder.config.positions {
            Positions::Rotary(rotary) => rotary.frequencies.len() * tokens,
            Positions::Learned => 0,
        };
        let attending = whole(Attending::lengths(decoder, tokens));
        let feeding = whole(Feeding::lengths(decoder, tokens));
        [width, width, attending.max(feeding), angles, angles]
    }

    /// Returns the room of the first `tokens`.
    pub(super) fn first(&mut self, decoder: &Decoder, tokens: usize) -> Room<'_> {
        let [x, y, within, cosines, sines] = Self::lengths(decoder, tokens);
        Room {
            x: &mut self.x[..x],
            y: &mut self.y[..y],
            within: &mut self.within[..within],
            cosines: &mut self.cosines[..cosines],
            sines: &mut self.sines[..sines],
        }
    }

    fn attending(&mut self, decoder: &Decoder) -> Attending<'_> {
        let tokens = self.x.len() / decoder.config.width;
        let lengths = Attending::lengths(decoder, tokens);
        let [queries, keys, values, attended] = cut(self.within, lengths);
        Attending {
            x: self.x,
            y: self.y,
            cosines: self.cosines,
            sines: self.sines,
            queries,
            keys,
            values,
            attended,
        }
    }

    fn feeding(&mut self, decoder: &Decoder) -> Feeding<'_> {
        let tokens = self.x.len() / decoder.config.width;
        let [gate, up] = cut(self.within, Feeding::lengths(decoder, tokens));
        Feeding {
            x: self.x,
            y: self.y,
            gate,
            up,
        }
    }
}

impl Attending<'_> {
    fn lengths(decoder: &Decoder, tokens: usize) -> [usize; 4] {
        let config = &decoder.config;
        let (queries, keys) = (config.query_width(), config.key_width());
        let (first, second) = match decoder.names.query_key_value.len() == 1 {
            true => (queries + 2 * keys, 0),
            false => (queries, keys),
        };
        [first, second, second, queries].map(|width| width * tokens)
    }
}

impl Feeding<'_> {
    fn lengths(decoder: &Decoder, tokens: usize) -> [usize; 2] {
        let inner = decoder.config.inner * tokens;
        match decoder.config.feed {
            Feed::Gated => [inner, inner],
            Feed::Plain(_) => [0, inner],
        }
    }
}

/// Numbers of a cache line.
const LINE: usize = 16;

/// Returns how many numbers [`cut`] takes.
fn whole<const PIECES: usize>(lengths: [usize; PIECES]) -> usize {
    let lines = lengths.map(|length| length.next_multiple_of(LINE));
    lines.into_iter().sum()
}

/// Cuts pieces of the given lengths, each from a cache line on.
fn cut<const PIECES: usize>(numbers: &mut [f32], lengths: [usize; PIECES]) -> [&mut [f32]; PIECES] {
    let mut rest = numbers;
    lengths.map(|length| {
        let lines = length.next_multiple_of(LINE);
        let (piece, after) = std::mem::take(&mut rest).split_at_mut(lines);
        rest = after;
        &mut piece[..length]
    })
}

/// A block and the sequences it is of.
pub(super) struct Block<'a, 's> {
    pub(super) decoder: &'a Decoder,
    pub(super) steps: &'a mut [Step<'s>],
    pub(super) spans: &'a [Span],
    pub(super) room: Room<'a>,
    pub(super) scratch: &'a mut Scratch,
    /// `(T, rank)` of the adapter with the most.
    pub(super) low: &'a mut [f32],
}

/// What a bottleneck stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Attention,
    Feed,
    Layer,
}

/// Begins the products of a layer: they need everything of a block but its numbers.
macro_rules! projection {
    ($block:ident, $layer:expr) => {
        Projection {
            decoder: $block.decoder,
            steps: &*$block.steps,
            spans: $block.spans,
            layer: $layer,
            scratch: &mut *$block.scratch,
            low: &mut *$block.low,
        }
    };
}

impl Block<'_, '_> {
    /// Takes the tokens through all layers: what comes out is in `x`, keys and values are
    /// in the caches.
    pub(super) fn read(&mut self) {
        self.embed();
        for layer in 0..self.decoder.layers.len() {
            self.attend(layer);
            self.feed(layer);
        }
    }

    /// Sets `x` to what each token, and perhaps its position, stands for, and prepares
    /// the angles of rotations.
    fn embed(&mut self) {
        let width = self.decoder.config.width;
        let embedding = self.decoder.embedding.view();
        let room = &mut self.room;
        for span in self.spans {
            let tokens = &self.steps[span.step].tokens[span.from..span.from + span.tokens];
            let rows = room.x[span.row * width..].chunks_exact_mut(width);
            for (token, row) in tokens.iter().zip(rows) {
                embedding.row(*token as usize, row);
            }
            if let Positions::Rotary(rotary) = &self.decoder.config.positions {
                let pairs = rotary.frequencies.len();
                let rows = span.row * pairs..(span.row + span.tokens) * pairs;
                let cosines = &mut room.cosines[rows.clone()];
                rotary.angles(span.position, cosines, &mut room.sines[rows]);
            }
            if let Some(positions) = &self.decoder.positions {
                let positions = positions.view();
                for token in 0..span.tokens {
                    let place = &mut room.y[..width];
                    positions.row(span.position + token, place);
                    let row = &mut room.x[(span.row + token) * width..][..width];
                    for (x, place) in row.iter_mut().zip(place) {
                        *x += *place;
                    }
                }
            }
        }
    }

    /// `x ← x + attention(norm(x))`.
    fn attend(&mut self, number: usize) {
        let layer = &self.decoder.layers[number];
        self.decoder
            .normalize(&layer.attention_norm, self.room.x, self.room.y);
        match &layer.query_key_value {
            QueryKeyValue::Together(linear) => self.together(number, linear),
            QueryKeyValue::Apart(linear) => self.apart(number, linear),
        }
        self.look(number);
        let part = (Module::AttentionOut, &layer.attention_out);
        self.add_part(number, part, Behind::Attention);
    }

    /// Adds to `x` what the steps' bottlenecks make of what they stand behind: what a part gave
    /// is in `y`.
    fn bottlenecks(&mut self, layer: usize, place: Behind) {
        let width = self.decoder.config.width;
        for span in self.spans {
            let rows = span.row * width..(span.row + span.tokens) * width;
            for (adapter, strength) in self.steps[span.step].adapters {
                let Some(all) = adapter.bottlenecks(layer) else {
                    continue;
                };
                let found = match place {
                    Behind::Attention => &all.attention,
                    Behind::Feed => &all.feed,
                    Behind::Layer => &all.layer,
                };
                let Some(bottleneck) = found else {
                    continue;
                };
                let mut machine = Machine {
                    kernels: self.decoder.kernels,
                    team: &self.decoder.team,
                    scratch: &mut *self.scratch,
                    low: &mut *self.low,
                };
                let (x, y) = (
                    &mut self.room.x[rows.clone()],
                    &mut self.room.y[rows.clone()],
                );
                if place == Behind::Layer {
                    y.copy_from_slice(x);
                }
                bottleneck.add(&mut machine, *strength, y, x);
            }
        }
    }

    /// Returns whether a step's adapter has a bottleneck in `place` of `layer`.
    fn has_bottleneck(&self, layer: usize, place: Behind) -> bool {
        let adapters = self.steps.iter().flat_map(|step| step.adapters);
        let mut all = adapters.filter_map(|(adapter, _)| adapter.bottlenecks(layer));
        all.any(|it| match place {
            Behind::Attention => it.attention.is_some(),
            Behind::Feed => it.feed.is_some(),
            Behind::Layer => it.layer.is_some(),
        })
    }

    /// `x ← x +` what a part makes of `input`, and what bottlenecks make of that.
    fn add_part(&mut self, layer: usize, part: (Module, &Linear), place: Behind) {
        let has_bottleneck = self.has_bottleneck(layer, place);
        let mut project = projection!(self, layer);
        // What else there is has done its work.
        let (input, x, y, free): (&[f32], _, _, _) = match place {
            Behind::Attention => {
                let room = self.room.attending(self.decoder);
                (room.attended, room.x, room.y, room.queries)
            }
            Behind::Feed | Behind::Layer => {
                let room = self.room.feeding(self.decoder);
                match room.gate.is_empty() {
                    false => (room.gate, room.x, room.y, room.up),
                    true => (room.up, room.x, room.y, room.gate),
                }
            }
        };
        if !has_bottleneck {
            return project.add(input, part, x, y, free);
        }
        project.set(input, [part], [&mut *y], Activation::Identity);
        for (x, y) in x.iter_mut().zip(&*y) {
            *x += y;
        }
        self.bottlenecks(layer, place);
    }

    /// Queries, keys and values of one product: keys and values go to the caches.
    fn together(&mut self, number: usize, linear: &Linear) {
        let config = &self.decoder.config;
        let width = config.query_width();
        let stride = width + 2 * config.key_width();
        let value = stride - config.key_width();
        let room = self.room.attending(self.decoder);
        let all = room.queries;
        projection!(self, number).set(
            room.y,
            [(Module::QueryKeyValue, linear)],
            [all],
            Activation::Identity,
        );
        let kernels = self.decoder.kernels;
        for span in self.spans {
            let rows = &all[span.row * stride..(span.row + span.tokens) * stride];
            let cache = &mut *self.steps[span.step].cache;
            cache.put(kernels, [number, 0], span.position, &rows[width..], stride);
            cache.put(kernels, [number, 1], span.position, &rows[value..], stride);
        }
        // The queries move together.
        for row in 1..all.len() / stride {
            all.copy_within(row * stride..row * stride + width, row * width);
        }
    }

    /// Queries, keys and values of a product each; they are normalised and rotated as the
    /// model has it, and keys and values go to the caches.
    fn apart(&mut self, number: usize, [q, k, v]: &[Linear; 3]) {
        let decoder = self.decoder;
        let room = self.room.attending(decoder);
        projection!(self, number).set(
            room.y,
            [(Module::Query, q), (Module::Key, k), (Module::Value, v)],
            [&mut *room.queries, &mut *room.keys, &mut *room.values],
            Activation::Identity,
        );
        if let Some([of_queries, of_keys]) = &decoder.layers[number].head_norms {
            decoder.kernels.rms_norm_in_place(of_queries, room.queries);
            decoder.kernels.rms_norm_in_place(of_keys, room.keys);
        }
        if let Positions::Rotary(rotary) = &decoder.config.positions {
            let turn = tensor::Rotary {
                pairs: rotary.pairs,
                head_width: decoder.config.head_width,
                half: rotary.frequencies.len(),
            };
            for rows in [room.queries, &mut *room.keys] {
                decoder.kernels.rotate(turn, rows, room.cosines, room.sines);
            }
        }
        let width = decoder.config.key_width();
        let kernels = decoder.kernels;
        for span in self.spans {
            let rows = span.row * width..(span.row + span.tokens) * width;
            let cache = &mut *self.steps[span.step].cache;
            cache.put(
                kernels,
                [number, 0],
                span.position,
                &room.keys[rows.clone()],
                width,
            );
            cache.put(
                kernels,
                [number, 1],
                span.position,
                &room.values[rows],
                width,
            );
        }
    }

    /// Sets `attended` to what each token finds in its sequence.
    fn look(&mut self, layer: usize) {
        let config = &self.decoder.config;
        let width = config.query_width();
        let shape = attention(config, layer);
        for spans in self.spans.chunks(SEQUENCES) {
            let mut sequences = [Cached {
                keys: Kept::Whole(&[]),
                values: Kept::Whole(&[]),
                before: 0,
                tokens: 0,
            }; SEQUENCES];
            for (sequence, span) in sequences.iter_mut().zip(spans) {
                let [keys, values] = self.steps[span.step].cache.layer(layer);
                *sequence = Cached {
                    keys,
                    values,
                    before: span.position,
                    tokens: span.tokens,
                };
            }
            let (first, last) = (spans[0], spans[spans.len() - 1]);
            let rows = first.row * width..(last.row + last.tokens) * width;
            let room = self.room.attending(self.decoder);
            self.decoder.kernels.causal_attention(
                &self.decoder.team,
                shape,
                &room.queries[rows.clone()],
                &sequences[..spans.len()],
                self.scratch,
                &mut room.attended[rows],
            );
        }
    }

    /// `x ← x + feed-forward(norm(x))`.
    fn feed(&mut self, number: usize) {
        let decoder = self.decoder;
        let layer = &decoder.layers[number];
        let room = self.room.feeding(decoder);
        decoder.normalize(&layer.feed_norm, room.x, room.y);
        let mut project = projection!(self, number);
        match &layer.feed {
            FeedForward::Gated { gate, up, down } => {
                project.set(
                    room.y,
                    [(Module::Gate, gate), (Module::Up, up)],
                    [&mut *room.gate, &mut *room.up],
                    Activation::Identity,
                );
                let up = &*room.up;
                let run = |at: usize, gate: &mut [f32]| {
                    let up = &up[at * SHARE..][..gate.len()];
                    decoder.kernels.gate(Activation::Silu, gate, up);
                };
                if room.gate.len() <= SHARE {
                    run(0, room.gate);
                } else {
                    decoder.team.chunks(room.gate, SHARE, &run);
                }
                self.add_part(number, (Module::Down, down), Behind::Feed);
            }
            FeedForward::Plain {
                up,
                activation,
                down,
            } => {
                project.set(room.y, [(Module::Up, up)], [room.up], *activation);
                self.add_part(number, (Module::Down, down), Behind::Feed);
            }
        }
        if self.has_bottleneck(number, Behind::Layer) {
            self.bottlenecks(number, Behind::Layer);
        }
    }
}

/// Returns the shape of a layer's attention.
fn attention(config: &DecoderConfig, layer: usize) -> CausalAttention {
    CausalAttention {
        heads: config.heads,
        key_heads: config.key_heads,
        head_width: config.head_width,
        scale: config.attention[layer].scale,
        window: config.attention[layer].window,
    }
}
