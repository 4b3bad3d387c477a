//! The memory of an encoder's training, planned once for the largest batch.
//!
//! Letters: `T` tokens, `D` width, `H` heads, `F` inner width.

use tensor::training::NORM_STATISTICS;
use tensor::{Buffer, Kernels, Team};

use super::build::Parts;
use crate::config::EncoderConfig;
use crate::training::linear::{Adapters, KERNELS, Linear, Machine, Tools};
use crate::training::{Checkpointing, Pass, TrainingOptions};

/// What one layer keeps for its backward; each by rows of tokens.
pub(super) struct Room<'a> {
    /// `(T, D)`: what goes in.
    pub(super) x: &'a mut [f32],
    /// `(T, 3 D)`: queries, keys and values, beside one another or one behind the other.
    pub(super) query_key_value: &'a mut [f32],
    /// `(T, H)`, of attention's rows.
    pub(super) shares: &'a mut [f32],
    /// `(T, D)`: what attention gives.
    pub(super) attended: &'a mut [f32],
    /// `(T, D)`: what goes into the first norm, and what it takes off.
    pub(super) middle: &'a mut [f32],
    pub(super) middle_statistics: &'a mut [f32],
    /// `(T, F)`, before the activation.
    pub(super) up: &'a mut [f32],
    /// `(T, D)`: what goes into the second norm, and what it takes off.
    pub(super) end: &'a mut [f32],
    pub(super) end_statistics: &'a mut [f32],
}

/// How wide everything is, in numbers a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    pub(super) stream: usize,
    pub(super) inner: usize,
    pub(super) heads: usize,
}

impl Widths {
    pub(super) fn of(config: &EncoderConfig) -> Self {
        Self {
            stream: config.width,
            inner: config.inner,
            heads: config.heads,
        }
    }

    /// Returns the widths of a [`Room`]'s parts.
    fn room(&self) -> [usize; 9] {
        [
            self.stream,
            3 * self.stream,
            self.heads,
            self.stream,
            self.stream,
            NORM_STATISTICS,
            self.inner,
            self.stream,
            NORM_STATISTICS,
        ]
    }

    /// Returns how many numbers a room takes.
    fn numbers(&self, tokens: usize) -> usize {
        tokens * self.room().iter().sum::<usize>()
    }

    /// Returns what a layer needs in between: a norm's output and the gradient of a sum,
    /// `(T, D)`, the activation and its gradient, `(T, F)`, the gradients of what is
    /// attended to, `(T, D)`, and of queries, keys and values, `(T, 3 D)`, and statistics.
    pub(super) fn of_layer(&self, tokens: usize) -> [usize; 7] {
        [
            self.stream,
            self.stream,
            self.inner,
            self.inner,
            self.stream,
            3 * self.stream,
            NORM_STATISTICS,
        ]
        .map(|width| width * tokens)
    }
}

/// All memory but that of the numbers that are trained.
#[derive(Debug)]
pub(super) struct Memory {
    widths: Widths,
    checkpointing: Checkpointing,
    /// The most tokens of a batch.
    tokens: usize,
    /// One for each layer; or one, and behind it what goes into each.
    rooms: Buffer,
    pub(super) working: Working,
}

/// What is used within one pass.
#[derive(Debug, Default)]
pub(super) struct Working {
    /// `(T, D)`: the sum of what tokens, positions and segments stand for.
    pub(super) embedded: Vec<f32>,
    /// `(T, 2)`: what the norm after it takes off.
    pub(super) embedded_statistics: Vec<f32>,
    /// `(T, D)`: what goes from layer to layer, at last the hidden states.
    pub(super) stream: Vec<f32>,
    /// `(T, D)`: its gradient.
    pub(super) gradient: Vec<f32>,
    /// `(T)`: rows of the table of positions.
    pub(super) positions: Vec<u32>,
    pub(super) temporary: Buffer,
    /// What the head keeps and needs, by texts.
    pub(super) head: Buffer,
    pub(super) tools: Tools,
}

/// What of it is used while a machine works.
pub(super) struct Desk<'a> {
    pub(super) embedded: &'a mut [f32],
    pub(super) embedded_statistics: &'a mut [f32],
    pub(super) stream: &'a mut [f32],
    pub(super) gradient: &'a mut [f32],
    pub(super) positions: &'a Vec<u32>,
    pub(super) temporary: &'a mut Buffer,
    pub(super) head: &'a mut Buffer,
}

impl Working {
    /// Returns what a pass is computed on, and what is beside it.
    pub(super) fn machine<'a>(
        &'a mut self,
        kernels: &'static Kernels,
        team: &'a Team,
        options: &TrainingOptions,
        pass: Pass,
    ) -> (Machine<'a>, Desk<'a>) {
        let adapters = Adapters::of(pass);
        let machine = self
            .tools
            .machine(kernels, team, options.precision, adapters);
        let desk = Desk {
            embedded: &mut self.embedded,
            embedded_statistics: &mut self.embedded_statistics,
            stream: &mut self.stream,
            gradient: &mut self.gradient,
            positions: &self.positions,
            temporary: &mut self.temporary,
            head: &mut self.head,
        };
        (machine, desk)
    }
}

/// How much of each kind is needed, in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    rooms: usize,
    stream: usize,
    temporary: usize,
    low: usize,
}

impl Sizes {
    pub(super) fn of(widths: &Widths, parts: &Parts, options: &TrainingOptions) -> Self {
        let tokens = options.tokens;
        let layers = parts.layers.len();
        let rooms = match options.checkpointing {
            Checkpointing::None => layers * widths.numbers(tokens),
            Checkpointing::EachLayer => widths.numbers(tokens) + layers * tokens * widths.stream,
        };
        let aligned =
            |lengths: &[usize]| -> usize { lengths.iter().map(|it| it.next_multiple_of(16)).sum() };
        let low = |linear: &Linear| {
            linear.adapter.as_ref().map_or(0, |adapter| {
                aligned(&adapter.room(tokens, linear.inputs, linear.outputs))
            })
        };
        let of_layers = parts.layers.iter().flat_map(|layer| layer.linears());
        Self {
            rooms,
            stream: tokens * widths.stream,
            temporary: aligned(&widths.of_layer(tokens)),
            low: of_layers
                .chain(parts.head.linears())
                .map(low)
                .max()
                .unwrap_or(0),
        }
    }

    /// Returns the bytes that layers keep.
    pub(super) fn activations(&self) -> usize {
        4 * (self.rooms + self.stream)
    }

    /// Returns the bytes that are used within a pass, the head's apart.
    pub(super) fn scratch(&self) -> usize {
        4 * (2 * self.stream + self.temporary + self.low) + KERNELS
    }
}

impl Memory {
    /// Takes all memory.
    pub(super) fn new(widths: Widths, sizes: &Sizes, options: &TrainingOptions) -> Self {
        let tokens = options.tokens;
        Self {
            widths,
            checkpointing: options.checkpointing,
            tokens,
            rooms: Buffer::zeros(sizes.rooms),
            working: Working {
                embedded: vec![0.0; sizes.stream],
                embedded_statistics: vec![0.0; tokens * NORM_STATISTICS],
                stream: vec![0.0; sizes.stream],
                gradient: vec![0.0; sizes.stream],
                positions: Vec::with_capacity(tokens),
                temporary: Buffer::zeros(sizes.temporary),
                tools: Tools::new(sizes.low, 0),
                ..Working::default()
            },
        }
    }

    /// Returns the room of `layer`, and what is used beside it.
    pub(super) fn room(&mut self, layer: usize, tokens: usize) -> (Room<'_>, &mut Working) {
        let start = match self.checkpointing {
            Checkpointing::None => layer * self.widths.numbers(self.tokens),
            Checkpointing::EachLayer => 0,
        };
        let mut rest = &mut self.rooms.as_mut_slice()[start..][..self.widths.numbers(tokens)];
        let [
            x,
            query_key_value,
            shares,
            attended,
            middle,
            middle_statistics,
            up,
            end,
            end_statistics,
        ] = self.widths.room().map(|width| {
            let (piece, after) = std::mem::take(&mut rest).split_at_mut(width * tokens);
            rest = after;
            piece
        });
        let room = Room {
            x,
            query_key_value,
            shares,
            attended,
            middle,
            middle_statistics,
            up,
            end,
            end_statistics,
        };
        (room, &mut self.working)
    }

    /// Keeps what goes into `layer`, the stream, if that is all that is kept.
    pub(super) fn keep(&mut self, layer: usize, tokens: usize) {
        if self.checkpointing == Checkpointing::EachLayer {
            let (from, to) = self.input(layer, tokens);
            to.copy_from_slice(from);
        }
    }

    /// Returns whether the room of `layer` holds what its backward needs; if not, what goes
    /// into it is in the stream again, and its forward is to be done once more.
    pub(super) fn recall(&mut self, layer: usize, tokens: usize) -> bool {
        if self.checkpointing == Checkpointing::EachLayer {
            let (to, from) = self.input(layer, tokens);
            to.copy_from_slice(from);
        }
        self.checkpointing == Checkpointing::None
    }

    /// Returns the stream, and where what goes into `layer` is kept apart.
    fn input(&mut self, layer: usize, tokens: usize) -> (&mut [f32], &mut [f32]) {
        let width = self.widths.stream;
        let inputs = &mut self.rooms.as_mut_slice()[self.widths.numbers(self.tokens)..];
        (
            &mut self.working.stream[..tokens * width],
            &mut inputs[layer * self.tokens * width..][..tokens * width],
        )
    }
}
