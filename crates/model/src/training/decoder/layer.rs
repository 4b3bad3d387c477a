//! A layer's forward, and its backward.
//!
//! Letters: `T` tokens, `D` width, `H` heads, `W` a head's width, `F` inner width.
//!
//! `x ← x + attention(norm(x))`, `x ← x + feed-forward(norm(x))`. What comes out of norms
//! and activations is computed again in the backward; what goes into them is kept. The
//! gradient of the residual stream lies in one place, to which each part adds its own.

use tensor::training::{
    Angles, Dropout, Heads, HeadsMut, Mask, NormBackward, TrainingAttention, Turn,
};
use tensor::{Activation, Buffer, Precision, Sum};

use super::bottleneck::{BottleneckPart, Bottlenecks};
use super::build::{FeedForward, Layer, Norm, QueryKeyValue};
use super::room::{Room, Widths};
use crate::decoder::{DecoderConfig, Positions};
use crate::training::DropoutShares;
use crate::training::linear::{Backward, Linear, Machine, Vector};

/// What a pass knows of the model and the batch.
pub(super) struct Pass<'a> {
    /// The layer's number.
    pub(super) layer: usize,
    /// The numbers that are trained.
    pub(super) values: &'a [f32],
    /// Whether anything below the layer is trained.
    pub(super) below: bool,
    pub(super) config: &'a DecoderConfig,
    pub(super) widths: Widths,
    pub(super) lengths: &'a [usize],
    /// `(T, W / 2)` each.
    pub(super) angles: [&'a [f32]; 2],
    /// What is left out, and by which seed; nothing if it is not training.
    pub(super) dropout: Option<(u64, DropoutShares)>,
}

/// What is left out where.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Embedding,
    Attention,
    AttentionOut,
    Feed,
}

impl Pass<'_> {
    /// Returns what is left out in `place` of the layer.
    pub(super) fn left_out(&self, place: Place) -> Option<Dropout> {
        let (seed, shares) = self.dropout?;
        let share = match place {
            Place::Embedding => shares.embedding,
            Place::Attention => shares.attention,
            Place::AttentionOut | Place::Feed => shares.residual,
        };
        // Apart from those of adapters, which have two numbers.
        (share > 0.0).then(|| Dropout::new(share, &[seed, self.layer as u64, place as u64]))
    }

    /// Returns the gradient of what a part gave, from that of the stream to which it was
    /// added: before a bottleneck `behind` it, of what is kept, and before some was left out.
    /// It is `gradient` itself, or what becomes of it in `spare`.
    fn before<'g>(
        &self,
        machine: &mut Machine<'_>,
        gradients: &mut [f32],
        place: Place,
        behind: Option<(&BottleneckPart, &[f32])>,
        gradient: &'g [f32],
        spare: &'g mut [f32],
    ) -> &'g [f32] {
        let left_out = self.left_out(place);
        if left_out.is_none() && behind.is_none() {
            return gradient;
        }
        spare.copy_from_slice(gradient);
        if let Some((behind, kept)) = behind {
            behind.backward(machine, self.values, gradients, kept, spare);
        }
        if let Some(left_out) = left_out {
            machine.kernels.drop_out(machine.team, left_out, spare);
        }
        spare
    }

    fn attention(&self, precision: Precision) -> TrainingAttention {
        let config = self.config;
        TrainingAttention {
            heads: config.heads,
            key_heads: config.key_heads,
            head_width: config.head_width,
            scale: config.attention[self.layer].scale,
            mask: Mask::Causal {
                window: config.attention[self.layer].window,
            },
            dropout: self.left_out(Place::Attention),
            precision,
        }
    }

    fn rotary(&self) -> Option<tensor::Rotary> {
        match &self.config.positions {
            Positions::Learned => None,
            Positions::Rotary(rotary) => Some(tensor::Rotary {
                pairs: rotary.pairs,
                head_width: self.config.head_width,
                half: rotary.frequencies.len(),
            }),
        }
    }

    /// Turns queries or keys by the angles of their places, or back.
    fn turn(&self, machine: &mut Machine<'_>, turn: Turn, rows: &mut [f32]) {
        let Some(rotary) = self.rotary() else {
            return;
        };
        let [cosines, sines] = self.angles;
        let tokens = cosines.len() / rotary.half;
        let heads = 0..rows.len() / tokens / rotary.head_width;
        let angles = Angles {
            cos: cosines,
            sin: sines,
        };
        machine.kernels.rotate_rows(
            machine.team,
            rotary,
            turn,
            angles,
            rows,
            heads,
            machine.training,
        );
    }
}

/// A norm as the kernels take it.
pub(super) fn norm_of<'a>(
    norm: &'a Norm,
    values: &'a [f32],
    epsilon: f32,
) -> tensor::training::Norm<'a> {
    let weight = norm.weight.numbers(values);
    match &norm.bias {
        Some(bias) => tensor::training::Norm::Layer {
            weight,
            bias: bias.numbers(values),
            epsilon,
        },
        None => tensor::training::Norm::RootMeanSquare { weight, epsilon },
    }
}

/// What a norm's backward is given.
pub(super) struct NormGradients<'a> {
    /// `(T, D)`, what went in.
    pub(super) input: &'a [f32],
    /// Of its forward.
    pub(super) statistics: &'a [f32],
    /// `(T, D)`, of what came out.
    pub(super) gradient: &'a [f32],
    /// What becomes of what `input_gradient` holds.
    pub(super) sum: Sum,
    /// `(T, D)`
    pub(super) input_gradient: &'a mut [f32],
}

/// Adds the gradients of a norm, and gives its input's.
pub(super) fn norm_backward(
    machine: &mut Machine<'_>,
    values: &[f32],
    gradients: &mut [f32],
    (norm, epsilon): (&Norm, f32),
    NormGradients {
        input,
        statistics,
        gradient,
        sum,
        input_gradient,
    }: NormGradients<'_>,
) {
    let of = |vector: &Vector| match vector {
        Vector::Trained(range) => range.clone(),
        Vector::Frozen(_) => 0..0,
    };
    let (weight, bias) = (of(&norm.weight), norm.bias.as_ref().map_or(0..0, of));
    // A norm's bias lies behind its weight.
    let (before, after) = gradients.split_at_mut(weight.end.max(bias.start));
    let bias_from = weight.end.max(bias.start);
    let backward = NormBackward {
        norm: norm_of(norm, values, epsilon),
        input,
        statistics,
        gradient,
        sum,
        input_gradient,
        weight_gradient: (!weight.is_empty()).then(|| &mut before[weight]),
        bias_gradient: (!bias.is_empty())
            .then(|| &mut after[bias.start - bias_from..bias.end - bias_from]),
    };
    machine
        .kernels
        .norm_backward(machine.team, backward, machine.training);
}

impl Layer {
    /// Takes `stream`, `(T, D)`, through the layer, and leaves in `room` what the backward
    /// needs.
    pub(super) fn forward(
        &self,
        pass: &Pass<'_>,
        machine: &mut Machine<'_>,
        room: &mut Room<'_>,
        stream: &mut [f32],
        temporary: &mut Buffer,
    ) {
        room.x.copy_from_slice(stream);
        self.attend(pass, machine, room, stream, temporary);
        room.middle.copy_from_slice(stream);

        let tokens = stream.len() / pass.widths.stream;
        let [y, _, inner, .., statistics] = temporary.carve(pass.widths.of_feed(tokens));
        let norm = norm_of(&self.feed_norm, pass.values, pass.config.epsilon);
        machine
            .kernels
            .norm_rows(machine.team, norm, stream, statistics, y);
        let down = match &self.feed {
            FeedForward::Plain {
                up,
                activation,
                down,
            } => {
                up.forward(machine, pass.values, y, Sum::Replace, room.up);
                machine
                    .kernels
                    .activate_rows(machine.team, *activation, room.up, inner);
                down
            }
            FeedForward::Gated { gate, up, down } => {
                gate.forward(machine, pass.values, y, Sum::Replace, room.gate);
                up.forward(machine, pass.values, y, Sum::Replace, room.up);
                machine.kernels.gate_rows(
                    machine.team,
                    Activation::Silu,
                    room.gate,
                    room.up,
                    inner,
                );
                down
            }
        };
        let part = Part {
            linear: down,
            left_out: pass.left_out(Place::Feed),
            behind: self.bottlenecks.of_feed(),
        };
        part.add(machine, pass.values, inner, stream, y, room.behind_feed);
        if let Bottlenecks::BehindLayer(part) = &self.bottlenecks {
            room.behind_feed.copy_from_slice(stream);
            part.forward(machine, pass.values, room.behind_feed, stream);
        }
    }

    /// `x ← x + attention(norm(x))`.
    fn attend(
        &self,
        pass: &Pass<'_>,
        machine: &mut Machine<'_>,
        room: &mut Room<'_>,
        stream: &mut [f32],
        temporary: &mut Buffer,
    ) {
        let tokens = stream.len() / pass.widths.stream;
        let [y, _, _, _, _, _, normed_queries, normed_keys, statistics] =
            temporary.carve(pass.widths.of_attention(tokens));
        let norm = norm_of(&self.attention_norm, pass.values, pass.config.epsilon);
        let of_rows = tokens * tensor::training::NORM_STATISTICS;
        let of_norm = &mut statistics[..of_rows];
        machine
            .kernels
            .norm_rows(machine.team, norm, stream, of_norm, y);
        match &self.query_key_value {
            QueryKeyValue::Together(all) => {
                all.forward(machine, pass.values, y, Sum::Replace, room.queries);
            }
            QueryKeyValue::Apart([q, k, v]) => {
                q.forward(machine, pass.values, y, Sum::Replace, room.queries);
                k.forward(machine, pass.values, y, Sum::Replace, room.keys);
                v.forward(machine, pass.values, y, Sum::Replace, room.values);
            }
        }
        self.turn_heads(
            pass,
            machine,
            room,
            [normed_queries, normed_keys],
            statistics,
        );
        let heads = match (&self.head_norms, &self.query_key_value) {
            (_, QueryKeyValue::Together(_)) => Heads::Together(room.queries),
            (None, _) => apart(room.queries, room.keys, room.values),
            (Some(_), _) => apart(normed_queries, normed_keys, room.values),
        };
        machine.kernels.attend(
            machine.team,
            &pass.attention(machine.precision),
            pass.lengths,
            heads,
            room.statistics,
            room.attended,
            machine.training,
        );
        let part = Part {
            linear: &self.attention_out,
            left_out: pass.left_out(Place::AttentionOut),
            behind: self.bottlenecks.of_attention(),
        };
        let kept = &mut *room.behind_attention;
        part.add(machine, pass.values, room.attended, stream, y, kept);
    }
}

impl Layer {
    /// Normalises the heads of queries and keys as the model has it, and turns them: in
    /// the room, or from it to `normed`.
    fn turn_heads(
        &self,
        pass: &Pass<'_>,
        machine: &mut Machine<'_>,
        room: &mut Room<'_>,
        normed: [&mut [f32]; 2],
        statistics: &mut [f32],
    ) {
        let Some(norms) = &self.head_norms else {
            if !pass.widths.together {
                pass.turn(machine, Turn::On, room.queries);
                pass.turn(machine, Turn::On, room.keys);
            }
            return;
        };
        let raw = [&*room.queries, &*room.keys];
        for ((norm, raw), normed) in norms.iter().zip(raw).zip(normed) {
            let weight = norm.numbers(pass.values);
            let rows = raw.len() / pass.config.head_width;
            machine.kernels.norm_rows(
                machine.team,
                tensor::training::Norm::RootMeanSquare {
                    weight,
                    epsilon: pass.config.epsilon,
                },
                raw,
                &mut statistics[..rows * tensor::training::NORM_STATISTICS],
                normed,
            );
            pass.turn(machine, Turn::On, normed);
        }
    }

    /// Takes `gradient`, `(T, D)`, of what comes out of the layer, to that of what goes
    /// in, and adds the gradients of what is trained. If nothing `below` is trained, it
    /// goes only as far down as something of the layer is.
    pub(super) fn backward(
        &self,
        pass: &Pass<'_>,
        machine: &mut Machine<'_>,
        gradients: &mut [f32],
        room: &mut Room<'_>,
        gradient: &mut [f32],
        temporary: &mut Buffer,
    ) {
        let tokens = gradient.len() / pass.widths.stream;
        let further = pass.below || self.trains_attention();
        let [y, dy, inner, inner_gradient, gate_gradient, statistics] =
            temporary.carve(pass.widths.of_feed(tokens));
        if let Bottlenecks::BehindLayer(part) = &self.bottlenecks {
            part.backward(machine, pass.values, gradients, room.behind_feed, gradient);
        }
        let behind = self.bottlenecks.of_feed();
        let behind = behind.map(|part| (part, &*room.behind_feed));
        let of_part = pass.before(machine, gradients, Place::Feed, behind, gradient, dy);
        let epsilon = pass.config.epsilon;
        let norm = norm_of(&self.feed_norm, pass.values, epsilon);
        let (kernels, team) = (machine.kernels, machine.team);
        match &self.feed {
            FeedForward::Plain {
                up,
                activation,
                down,
            } => {
                if down.needs_input() {
                    kernels.activate_rows(team, *activation, room.up, inner);
                }
                let deeper = further || up.trains();
                let given = Backward {
                    input: inner,
                    gradient: of_part,
                    input_gradient: deeper.then_some((Sum::Replace, &mut *inner_gradient)),
                };
                down.backward(machine, pass.values, gradients, given);
                if !deeper {
                    return;
                }
                kernels.activate_backward(team, *activation, room.up, inner_gradient);
                kernels.norm_rows(team, norm, room.middle, statistics, y);
                let given = Backward {
                    input: y,
                    gradient: inner_gradient,
                    input_gradient: further.then_some((Sum::Replace, &mut *dy)),
                };
                up.backward(machine, pass.values, gradients, given);
            }
            FeedForward::Gated { gate, up, down } => {
                if down.needs_input() {
                    kernels.gate_rows(team, Activation::Silu, room.gate, room.up, inner);
                }
                let deeper = further || up.trains() || gate.trains();
                let given = Backward {
                    input: inner,
                    gradient: of_part,
                    input_gradient: deeper.then_some((Sum::Replace, &mut *inner_gradient)),
                };
                down.backward(machine, pass.values, gradients, given);
                if !deeper {
                    return;
                }
                let up_gradient = inner;
                kernels.gate_backward(
                    team,
                    Activation::Silu,
                    room.gate,
                    room.up,
                    inner_gradient,
                    gate_gradient,
                    up_gradient,
                );
                kernels.norm_rows(team, norm, room.middle, statistics, y);
                let parts = [
                    (up, &*up_gradient, Sum::Replace),
                    (gate, &*gate_gradient, Sum::Add),
                ];
                for (linear, gradient, sum) in parts {
                    let given = Backward {
                        input: y,
                        gradient,
                        input_gradient: further.then_some((sum, &mut *dy)),
                    };
                    linear.backward(machine, pass.values, gradients, given);
                }
            }
        }
        if !further {
            return;
        }
        let given = NormGradients {
            input: room.middle,
            statistics,
            gradient: dy,
            sum: Sum::Add,
            input_gradient: gradient,
        };
        norm_backward(
            machine,
            pass.values,
            gradients,
            (&self.feed_norm, epsilon),
            given,
        );
        self.attend_backward(pass, machine, gradients, room, gradient, temporary);
    }

    /// The backward of `x ← x + attention(norm(x))`.
    fn attend_backward(
        &self,
        pass: &Pass<'_>,
        machine: &mut Machine<'_>,
        gradients: &mut [f32],
        room: &mut Room<'_>,
        gradient: &mut [f32],
        temporary: &mut Buffer,
    ) {
        let tokens = gradient.len() / pass.widths.stream;
        let [
            y,
            dy,
            attended,
            queries,
            keys,
            of_values,
            normed_queries,
            normed_keys,
            statistics,
        ] = temporary.carve(pass.widths.of_attention(tokens));
        let (kernels, team) = (machine.kernels, machine.team);
        let behind = self.bottlenecks.of_attention();
        let behind = behind.map(|part| (part, &*room.behind_attention));
        let place = Place::AttentionOut;
        let of_part = pass.before(machine, gradients, place, behind, gradient, dy);
        let deeper = pass.below || self.trains_query_key_value();
        let given = Backward {
            input: room.attended,
            gradient: of_part,
            input_gradient: deeper.then_some((Sum::Replace, &mut *attended)),
        };
        self.attention_out
            .backward(machine, pass.values, gradients, given);
        if !deeper {
            return;
        }
        if self.head_norms.is_some() {
            let normed = [&mut *normed_queries, &mut *normed_keys];
            self.turn_heads(pass, machine, room, normed, statistics);
        }
        let heads = match (&self.head_norms, &self.query_key_value) {
            (_, QueryKeyValue::Together(_)) => Heads::Together(room.queries),
            (None, _) => apart(room.queries, room.keys, room.values),
            (Some(_), _) => apart(normed_queries, normed_keys, room.values),
        };
        let of_heads = match pass.widths.together {
            true => HeadsMut::Together(queries),
            false => HeadsMut::Apart {
                queries,
                keys,
                values: of_values,
            },
        };
        kernels.attend_backward(
            team,
            &pass.attention(machine.precision),
            pass.lengths,
            heads,
            room.statistics,
            room.attended,
            attended,
            of_heads,
            machine.training,
        );
        let (mut of_queries, mut of_keys) = (queries, keys);
        if !pass.widths.together {
            pass.turn(machine, Turn::Back, of_queries);
            pass.turn(machine, Turn::Back, of_keys);
        }
        if let Some(norms) = &self.head_norms {
            let raw = [&*room.queries, &*room.keys];
            let given = [&*of_queries, &*of_keys];
            let to = [&mut *normed_queries, &mut *normed_keys];
            for (((norm, raw), given), to) in norms.iter().zip(raw).zip(given).zip(to) {
                let norm = HeadNorm {
                    weight: norm,
                    epsilon: pass.config.epsilon,
                };
                norm.backward(
                    machine,
                    pass.values,
                    gradients,
                    (raw, given, to),
                    statistics,
                );
            }
            (of_queries, of_keys) = (normed_queries, normed_keys);
        }

        let norm = norm_of(&self.attention_norm, pass.values, pass.config.epsilon);
        let statistics = &mut statistics[..tokens * tensor::training::NORM_STATISTICS];
        kernels.norm_rows(team, norm, room.x, statistics, y);
        let mut part = |linear: &Linear, gradient: &[f32], sum| {
            let given = Backward {
                input: y,
                gradient,
                input_gradient: pass.below.then_some((sum, &mut *dy)),
            };
            linear.backward(machine, pass.values, gradients, given);
        };
        match &self.query_key_value {
            QueryKeyValue::Together(all) => part(all, of_queries, Sum::Replace),
            QueryKeyValue::Apart([q, k, v]) => {
                part(q, of_queries, Sum::Replace);
                part(k, of_keys, Sum::Add);
                part(v, of_values, Sum::Add);
            }
        }
        if pass.below {
            let given = NormGradients {
                input: room.x,
                statistics,
                gradient: dy,
                sum: Sum::Add,
                input_gradient: gradient,
            };
            let norm = (&self.attention_norm, pass.config.epsilon);
            norm_backward(machine, pass.values, gradients, norm, given);
        }
    }
}

/// The norm of one head's queries, or of its keys.
struct HeadNorm<'a> {
    weight: &'a Vector,
    epsilon: f32,
}

impl HeadNorm<'_> {
    /// Adds the weight's gradient and sets that of what went in; all are rows of heads.
    /// The statistics are computed again.
    fn backward(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        gradients: &mut [f32],
        (input, gradient, input_gradient): (&[f32], &[f32], &mut [f32]),
        statistics: &mut [f32],
    ) {
        let weight = self.weight.numbers(values);
        let norm = tensor::training::Norm::RootMeanSquare {
            weight,
            epsilon: self.epsilon,
        };
        let rows = input.len() / weight.len();
        let statistics = &mut statistics[..rows * tensor::training::NORM_STATISTICS];
        // The output is not needed again, and is overwritten by the gradient.
        machine
            .kernels
            .norm_rows(machine.team, norm, input, statistics, input_gradient);
        let backward = NormBackward {
            norm,
            input,
            statistics,
            gradient,
            sum: Sum::Replace,
            input_gradient,
            weight_gradient: self.weight.gradient(gradients),
            bias_gradient: None,
        };
        machine
            .kernels
            .norm_backward(machine.team, backward, machine.training);
    }
}

/// Returns what attention is computed of.
fn apart<'a>(queries: &'a [f32], keys: &'a [f32], values: &'a [f32]) -> Heads<'a> {
    Heads::Apart {
        queries,
        keys,
        values,
    }
}

/// The last of a part, whose result is added to the stream.
struct Part<'a> {
    linear: &'a Linear,
    left_out: Option<Dropout>,
    behind: Option<&'a BottleneckPart>,
}

impl Part<'_> {
    /// Adds to `stream`, `(T, D)`, what it makes of `input`, less what is left out of it, and
    /// what the bottleneck behind it makes of that, which is kept; there is `spare` room for as
    /// much.
    fn add(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        input: &[f32],
        stream: &mut [f32],
        spare: &mut [f32],
        kept: &mut [f32],
    ) {
        if self.left_out.is_none() && self.behind.is_none() {
            return self
                .linear
                .forward(machine, values, input, Sum::Add, stream);
        }
        self.linear
            .forward(machine, values, input, Sum::Replace, spare);
        if let Some(left_out) = self.left_out {
            machine.kernels.drop_out(machine.team, left_out, spare);
        }
        machine.kernels.add_all(machine.team, spare, stream, 1.0);
        if let Some(behind) = self.behind {
            kept.copy_from_slice(spare);
            behind.forward(machine, values, kept, stream);
        }
    }
}
