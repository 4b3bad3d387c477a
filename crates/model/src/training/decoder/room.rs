//! The memory of a decoder's training, planned once for the largest batch.
//!
//! Letters: `T` tokens, `D` width, `H` heads, `W` a head's width, `F` inner width.
//!
//! Every layer writes what its backward needs into a room. Where all of it is kept each
//! layer has its own; in bfloat16, and where only what goes into layers is kept, they
//! share one, and what is kept is copied out of it and back.

use tensor::{Buffer, Kernels, Precision, Team};

use super::build::{Layer, Parts};
use crate::decoder::{DecoderConfig, Feed, Positions};
use crate::training::linear::{KERNELS, Linear, Tools};
use crate::training::{BottleneckStyle, Checkpointing, TrainingOptions, Tuning};

/// Logits that are computed together, in bytes at most: twice as many where the head is
/// trained, whose gradient is read and written once for each piece.
const LOGITS: usize = 51 << 20;
/// Rows of logits that are worth a product of their own.
const FEWEST_ROWS: usize = 16;

/// What one layer keeps for its backward; each by rows of tokens.
pub(super) struct Room<'a> {
    /// `(T, D)`: what goes into the layer.
    pub(super) x: &'a mut [f32],
    /// `(T, H W)` turned, or queries, keys and values together; before their norms if
    /// heads have them.
    pub(super) queries: &'a mut [f32],
    /// `(T, heads of keys · W)`, unless together.
    pub(super) keys: &'a mut [f32],
    /// As keys.
    pub(super) values: &'a mut [f32],
    /// `(T, H W)`
    pub(super) attended: &'a mut [f32],
    /// `(T, D)`: what goes into the feed-forward part.
    pub(super) middle: &'a mut [f32],
    /// `(T, F)`, before the activation, or what is gated.
    pub(super) up: &'a mut [f32],
    /// `(T, F)`, if there is a gate.
    pub(super) gate: &'a mut [f32],
    /// `(T, D)`: what goes into the bottleneck behind attention, if there is one.
    pub(super) behind_attention: &'a mut [f32],
    /// `(T, D)`: what goes into that behind the feed-forward part or the layer.
    pub(super) behind_feed: &'a mut [f32],
    /// `(T, H)`, of attention's rows.
    pub(super) statistics: &'a mut [f32],
}

/// How wide everything is, in numbers a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    pub(super) stream: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    pub(super) together: bool,
    pub(super) inner: usize,
    pub(super) gated: bool,
    pub(super) heads: usize,
    pub(super) head_norms: bool,
    pub(super) angles: usize,
    pub(super) vocabulary: usize,
    pub(super) trained_head: bool,
    /// Bottlenecks behind attention, and behind the rest.
    pub(super) bottlenecks: [bool; 2],
}

impl Widths {
    pub(super) fn of(config: &DecoderConfig, together: bool, tuning: &Tuning) -> Self {
        Self {
            stream: config.width,
            queries: config.query_width(),
            keys: config.key_width(),
            together,
            inner: config.inner,
            gated: config.feed == Feed::Gated,
            heads: config.heads,
            head_norms: config.head_norms,
            angles: match &config.positions {
                Positions::Rotary(rotary) => rotary.frequencies.len(),
                Positions::Learned => 0,
            },
            vocabulary: config.vocabulary,
            trained_head: *tuning == Tuning::Full,
            bottlenecks: match tuning {
                Tuning::Bottleneck(it) => [it.style == BottleneckStyle::Houlsby, true],
                _ => [false; 2],
            },
        }
    }

    /// Returns the widths of a [`Room`]'s parts.
    fn room(&self) -> [usize; 11] {
        let (first, second) = match self.together {
            true => (self.queries + 2 * self.keys, 0),
            false => (self.queries, self.keys),
        };
        let gate = if self.gated { self.inner } else { 0 };
        let [behind_attention, behind_feed] =
            self.bottlenecks.map(|it| if it { self.stream } else { 0 });
        [
            self.stream,
            first,
            second,
            second,
            self.queries,
            self.stream,
            self.inner,
            gate,
            behind_attention,
            behind_feed,
            self.heads,
        ]
    }

    /// Returns how many numbers of a room may be kept in bfloat16, a token: all but
    /// attention's statistics, which come last.
    fn narrow(&self) -> usize {
        self.room()[..10].iter().sum()
    }

    /// Returns how many numbers a room takes.
    fn numbers(&self, tokens: usize) -> usize {
        tokens * self.room().iter().sum::<usize>()
    }

    /// Returns what the feed-forward part needs in between: the norm's output and its
    /// gradient, `(T, D)`, the activation and its gradient and the gate's, `(T, F)`, and
    /// statistics of norms.
    pub(super) fn of_feed(&self, tokens: usize) -> [usize; 6] {
        let gate = if self.gated { self.inner } else { 0 };
        [
            self.stream,
            self.stream,
            self.inner,
            self.inner,
            gate,
            tensor::training::NORM_STATISTICS,
        ]
        .map(|width| width * tokens)
    }

    /// Returns what attention needs in between: the norm's output and its gradient, `(T,
    /// D)`, the gradient of what is attended to and those of queries, keys and values,
    /// queries and keys after their norms, and statistics of norms.
    pub(super) fn of_attention(&self, tokens: usize) -> [usize; 9] {
        let [_, queries, keys, values, ..] = self.room();
        let (normed_queries, normed_keys) = match self.head_norms {
            true => (self.queries, self.keys),
            false => (0, 0),
        };
        [
            self.stream,
            self.stream,
            self.queries,
            queries,
            keys,
            values,
            normed_queries,
            normed_keys,
            self.heads * tensor::training::NORM_STATISTICS,
        ]
        .map(|width| width * tokens)
    }

    /// Returns how many rows of logits are computed together.
    pub(super) fn rows_of_logits(&self, tokens: usize) -> usize {
        let bytes = match self.trained_head {
            true => 2 * LOGITS,
            false => LOGITS,
        };
        let rows = (bytes / size_of::<f32>() / self.vocabulary).max(FEWEST_ROWS);
        (rows - rows % FEWEST_ROWS).min(tokens.max(1))
    }

    /// Returns what the head needs in between, for so many rows: what goes into the final
    /// norm, what comes out and its gradient, `(R, D)`, its statistics, the logits, `(R,
    /// V)`, weights and losses.
    pub(super) fn of_head(&self, rows: usize) -> [usize; 7] {
        [
            self.stream,
            self.stream,
            self.stream,
            tensor::training::NORM_STATISTICS,
            self.vocabulary,
            1,
            1,
        ]
        .map(|width| width * rows)
    }
}

impl<'a> Room<'a> {
    /// Cuts `numbers` into the room of `tokens`.
    pub(super) fn of(widths: &Widths, tokens: usize, numbers: &'a mut [f32]) -> Self {
        let mut rest = numbers;
        let [
            x,
            queries,
            keys,
            values,
            attended,
            middle,
            up,
            gate,
            behind_attention,
            behind_feed,
            statistics,
        ] = widths.room().map(|width| {
            let (piece, after) = std::mem::take(&mut rest).split_at_mut(width * tokens);
            rest = after;
            piece
        });
        Self {
            x,
            queries,
            keys,
            values,
            attended,
            middle,
            up,
            gate,
            behind_attention,
            behind_feed,
            statistics,
        }
    }
}

/// How layers keep what their backward needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    /// Each in its own room.
    Whole,
    /// Copied, in bfloat16.
    Narrow,
    /// Only what goes into them.
    Inputs,
}

/// All memory but that of the numbers that are trained.
#[derive(Debug)]
pub(super) struct Memory {
    widths: Widths,
    keeping: Keeping,
    /// The most tokens of a batch.
    tokens: usize,
    /// The lowest layer that has a backward.
    lowest: usize,
    rooms: Buffer,
    narrow: Vec<u16>,
    statistics: Vec<f32>,
    pub(super) working: Working,
}

/// What is used within one pass.
#[derive(Debug, Default)]
pub(super) struct Working {
    /// `(T, D)`: what goes from layer to layer.
    pub(super) stream: Vec<f32>,
    /// `(T, D)`: its gradient.
    pub(super) gradient: Vec<f32>,
    /// `(T, W / 2)` each, if positions are rotations.
    pub(super) cosines: Vec<f32>,
    pub(super) sines: Vec<f32>,
    pub(super) temporary: Buffer,
    pub(super) tools: Tools,
}

/// How much of each kind is needed, in bytes and numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    keeping: Keeping,
    tokens: usize,
    lowest: usize,
    rooms: usize,
    narrow: usize,
    statistics: usize,
    stream: usize,
    angles: usize,
    temporary: usize,
    low: usize,
    widened: usize,
}

impl Sizes {
    pub(super) fn of(
        widths: &Widths,
        parts: &Parts,
        lowest: usize,
        widened: usize,
        options: &TrainingOptions,
    ) -> Self {
        let tokens = options.tokens;
        let layers = parts.layers.len() - lowest.min(parts.layers.len());
        let keeping = match (options.checkpointing, options.precision) {
            (Checkpointing::EachLayer, _) => Keeping::Inputs,
            (Checkpointing::None, Precision::Bf16) => Keeping::Narrow,
            (Checkpointing::None, Precision::F32 | Precision::High) => Keeping::Whole,
        };
        let rooms = match keeping {
            Keeping::Whole => layers.max(1) * widths.numbers(tokens),
            Keeping::Narrow => widths.numbers(tokens),
            Keeping::Inputs => widths.numbers(tokens) + layers * tokens * widths.stream,
        };
        let (narrow, statistics) = match keeping {
            Keeping::Narrow => (
                layers * tokens * widths.narrow(),
                layers * tokens * widths.heads,
            ),
            _ => (0, 0),
        };
        let aligned =
            |lengths: &[usize]| -> usize { lengths.iter().map(|it| it.next_multiple_of(16)).sum() };
        let head = widths.of_head(widths.rows_of_logits(tokens));
        let temporary = aligned(&widths.of_feed(tokens))
            .max(aligned(&widths.of_attention(tokens)))
            .max(aligned(&head));
        let of_layer = |layer: &Layer| layer.linears().into_iter().map(low(tokens)).max();
        let low = parts
            .layers
            .iter()
            .filter_map(of_layer)
            .chain(parts.layers.iter().flat_map(|layer| {
                let rooms = layer.bottlenecks.all().map(|it| it.room(tokens));
                rooms.map(|it| it.iter().map(|it| it.next_multiple_of(16)).sum())
            }))
            .chain([low(widths.rows_of_logits(tokens))(&parts.head)])
            .max()
            .unwrap_or(0);
        Self {
            keeping,
            tokens,
            lowest,
            rooms,
            narrow,
            statistics,
            stream: tokens * widths.stream,
            angles: tokens * widths.angles,
            temporary,
            low,
            widened,
        }
    }

    /// Returns the bytes that layers keep.
    pub(super) fn activations(&self) -> usize {
        4 * (self.rooms + self.statistics) + 2 * self.narrow
    }

    /// Returns the bytes that are used within a pass.
    pub(super) fn scratch(&self) -> usize {
        4 * (2 * self.stream + 2 * self.angles + self.temporary + self.low + self.widened) + KERNELS
    }
}

/// Returns how many numbers the adapter of a part needs for so many tokens.
fn low(tokens: usize) -> impl Fn(&Linear) -> usize {
    move |linear| {
        linear.adapter.as_ref().map_or(0, |adapter| {
            let lengths = adapter.room(tokens, linear.inputs, linear.outputs);
            lengths.iter().map(|it| it.next_multiple_of(16)).sum()
        })
    }
}

impl Memory {
    /// Takes all memory.
    pub(super) fn new(widths: Widths, sizes: &Sizes) -> Self {
        Self {
            widths,
            keeping: sizes.keeping,
            tokens: sizes.tokens,
            lowest: sizes.lowest,
            rooms: Buffer::zeros(sizes.rooms),
            narrow: vec![0; sizes.narrow],
            statistics: vec![0.0; sizes.statistics],
            working: Working {
                stream: vec![0.0; sizes.stream],
                gradient: vec![0.0; sizes.stream],
                cosines: vec![0.0; sizes.angles],
                sines: vec![0.0; sizes.angles],
                temporary: Buffer::zeros(sizes.temporary),
                tools: Tools::new(sizes.low, sizes.widened),
            },
        }
    }

    pub(super) fn widths(&self) -> Widths {
        self.widths
    }

    /// Returns the room of `layer`, and what is used beside it.
    pub(super) fn room(&mut self, layer: usize, tokens: usize) -> (Room<'_>, &mut Working) {
        let length = self.widths.numbers(self.tokens);
        let start = match self.keeping {
            Keeping::Whole => layer.saturating_sub(self.lowest) * length,
            Keeping::Narrow | Keeping::Inputs => 0,
        };
        let numbers = &mut self.rooms.as_mut_slice()[start..][..self.widths.numbers(tokens)];
        (Room::of(&self.widths, tokens, numbers), &mut self.working)
    }

    /// Keeps what the backward of `layer` needs, once its forward is done.
    pub(super) fn keep(&mut self, kernels: &Kernels, team: &Team, layer: usize, tokens: usize) {
        let Some(layer) = layer.checked_sub(self.lowest) else {
            return;
        };
        let (narrow, heads) = (self.widths.narrow(), self.widths.heads);
        let rooms = self.rooms.as_mut_slice();
        match self.keeping {
            Keeping::Whole => {}
            Keeping::Narrow => {
                let (numbers, rest) = rooms.split_at(tokens * narrow);
                let to = &mut self.narrow[layer * self.tokens * narrow..][..numbers.len()];
                kernels.narrow_bf16(team, numbers, to);
                let to = &mut self.statistics[layer * self.tokens * heads..][..tokens * heads];
                to.copy_from_slice(&rest[..tokens * heads]);
            }
            Keeping::Inputs => {
                let width = self.widths.stream;
                let (room, inputs) = rooms.split_at_mut(self.widths.numbers(self.tokens));
                let to = &mut inputs[layer * self.tokens * width..][..tokens * width];
                to.copy_from_slice(&room[..tokens * width]);
            }
        }
    }

    /// Brings back into the room of `layer` what was kept. Returns whether that is all; if
    /// not, it is what goes in, also in the stream, and the forward is to be done again.
    pub(super) fn recall(
        &mut self,
        kernels: &Kernels,
        team: &Team,
        layer: usize,
        tokens: usize,
    ) -> bool {
        let layer = layer - self.lowest;
        let (narrow, heads) = (self.widths.narrow(), self.widths.heads);
        let rooms = self.rooms.as_mut_slice();
        match self.keeping {
            Keeping::Whole => true,
            Keeping::Narrow => {
                let (numbers, rest) = rooms.split_at_mut(tokens * narrow);
                let from = &self.narrow[layer * self.tokens * narrow..][..numbers.len()];
                kernels.widen_bf16(team, from, numbers);
                let from = &self.statistics[layer * self.tokens * heads..][..tokens * heads];
                rest[..tokens * heads].copy_from_slice(from);
                true
            }
            Keeping::Inputs => {
                let width = self.widths.stream;
                let inputs = &rooms[self.widths.numbers(self.tokens)..];
                let from = &inputs[layer * self.tokens * width..][..tokens * width];
                self.working.stream[..tokens * width].copy_from_slice(from);
                false
            }
        }
    }
}
