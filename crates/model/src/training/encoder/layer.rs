//! A layer's forward, and its backward.
//!
//! Letters: `T` tokens, `D` width, `F` inner width.
//!
//! Post-norm: `y = norm(x + attention(x))`, then `norm(y + feed-forward(y))` (Vaswani et
//! al. 2017, §3.1). Sums are kept, for a norm's backward starts from what goes into it;
//! what comes out of norms and of the activation is computed again.

use tensor::training::{
    Dropout, Heads, HeadsMut, Mask, Norm as NormRows, NormBackward, TrainingAttention,
};
use tensor::{Activation, Precision, Sum};

use super::build::{Layer, Norm, QueryKeyValue};
use super::memory::{Room, Widths};
use crate::training::linear::{Backward, Machine};
use crate::training::{DropoutShares, Pass};

/// What of a layer is the same for all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) widths: Widths,
    pub(super) activation: Activation,
    pub(super) epsilon: f32,
    pub(super) dropout: DropoutShares,
}

/// Where in a layer something is left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Embedding,
    Shares,
    Attention,
    Feed,
    Head,
    Pooled,
}

impl Place {
    /// Returns what is left out at this place of `layer` in this pass.
    pub(super) fn dropout(self, pass: Pass, layer: usize, share: f32) -> Option<Dropout> {
        match pass {
            Pass::Train { seed } if share > 0.0 => {
                Some(Dropout::new(share, &[seed, layer as u64, self as u64]))
            }
            _ => None,
        }
    }
}

impl Norm {
    /// Returns it as the kernels take it.
    pub(super) fn rows<'a>(&'a self, values: &'a [f32], epsilon: f32) -> NormRows<'a> {
        NormRows::Layer {
            weight: self.weight.numbers(values),
            bias: self.bias.numbers(values),
            epsilon,
        }
    }

    /// Sets `input_gradient` to that of `input`, and adds its own gradients.
    pub(super) fn backward(
        &self,
        machine: &mut Machine<'_>,
        values: &[f32],
        gradients: &mut [f32],
        epsilon: f32,
        [input, statistics, gradient]: [&[f32]; 3],
        input_gradient: &mut [f32],
    ) {
        let (weight_gradient, bias_gradient) = two(&self.weight, &self.bias, gradients);
        let backward = NormBackward {
            norm: self.rows(values, epsilon),
            input,
            statistics,
            gradient,
            sum: Sum::Replace,
            input_gradient,
            weight_gradient,
            bias_gradient,
        };
        machine
            .kernels
            .norm_backward(machine.team, backward, machine.training);
    }
}

/// Returns the gradients of two vectors, of which the second lies behind the first.
fn two<'a>(
    first: &crate::training::linear::Vector,
    second: &crate::training::linear::Vector,
    gradients: &'a mut [f32],
) -> (Option<&'a mut [f32]>, Option<&'a mut [f32]>) {
    use crate::training::linear::Vector::Trained;
    match (first, second) {
        (Trained(first), Trained(second)) => {
            let (before, behind) = gradients.split_at_mut(second.start);
            (
                Some(&mut before[first.clone()]),
                Some(&mut behind[..second.len()]),
            )
        }
        _ => (first.gradient(gradients), None),
    }
}

/// What a layer works with besides its room.
pub(super) struct Around<'a> {
    pub(super) shape: &'a Shape,
    pub(super) pass: Pass,
    pub(super) number: usize,
    pub(super) lengths: &'a [usize],
    pub(super) values: &'a [f32],
}

impl Around<'_> {
    fn attention(&self, precision: Precision) -> TrainingAttention {
        let Widths { stream, heads, .. } = self.shape.widths;
        let head_width = stream / heads;
        TrainingAttention {
            heads,
            key_heads: heads,
            head_width,
            scale: (head_width as f32).sqrt().recip(),
            mask: Mask::Full,
            dropout: self.left_out(Place::Shares, self.shape.dropout.attention),
            precision,
        }
    }

    fn left_out(&self, place: Place, share: f32) -> Option<Dropout> {
        place.dropout(self.pass, self.number, share)
    }

    /// Leaves out what is left out at `place` of what a part gives; the same of its
    /// gradient.
    fn drop(&self, machine: &Machine<'_>, place: Place, numbers: &mut [f32]) {
        if let Some(dropout) = self.left_out(place, self.shape.dropout.residual) {
            machine.kernels.drop_out(machine.team, dropout, numbers);
        }
    }
}

impl Layer {
    /// Takes `stream`, `(T, D)`, through the layer, and fills the room.
    pub(super) fn forward(
        &self,
        machine: &mut Machine<'_>,
        around: &Around<'_>,
        room: &mut Room<'_>,
        temporary: &mut tensor::Buffer,
        stream: &mut [f32],
    ) {
        let Around { shape, values, .. } = *around;
        let tokens = stream.len() / shape.widths.stream;
        let [y, _, active, ..] = temporary.carve(shape.widths.of_layer(tokens));
        room.x.copy_from_slice(stream);
        match &self.query_key_value {
            QueryKeyValue::Together(all) => {
                all.forward(machine, values, stream, Sum::Replace, room.query_key_value);
            }
            QueryKeyValue::Apart(parts) => {
                let outputs = room.query_key_value.chunks_exact_mut(stream.len());
                for (part, output) in parts.iter().zip(outputs) {
                    part.forward(machine, values, stream, Sum::Replace, output);
                }
            }
        }
        machine.kernels.attend(
            machine.team,
            &around.attention(machine.precision),
            around.lengths,
            self.heads(room.query_key_value),
            room.shares,
            room.attended,
            machine.training,
        );
        let out = &self.attention_out;
        out.forward(machine, values, room.attended, Sum::Replace, room.middle);
        around.drop(machine, Place::Attention, room.middle);
        machine
            .kernels
            .add_all(machine.team, stream, room.middle, 1.0);
        machine.kernels.norm_rows(
            machine.team,
            self.attention_norm.rows(values, shape.epsilon),
            room.middle,
            room.middle_statistics,
            y,
        );
        self.up.forward(machine, values, y, Sum::Replace, room.up);
        machine
            .kernels
            .activate_rows(machine.team, shape.activation, room.up, active);
        self.down
            .forward(machine, values, active, Sum::Replace, room.end);
        around.drop(machine, Place::Feed, room.end);
        machine.kernels.add_all(machine.team, y, room.end, 1.0);
        machine.kernels.norm_rows(
            machine.team,
            self.down_norm.rows(values, shape.epsilon),
            room.end,
            room.end_statistics,
            stream,
        );
    }

    /// Takes `gradient`, `(T, D)`, that of what comes out, back to what went in, if
    /// anybody below asks for it, and adds the gradients of what is trained.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is computed with, what was kept, and what is given"
    )]
    pub(super) fn backward(
        &self,
        machine: &mut Machine<'_>,
        around: &Around<'_>,
        gradients: &mut [f32],
        room: &mut Room<'_>,
        temporary: &mut tensor::Buffer,
        gradient: &mut [f32],
        below: bool,
    ) {
        let Around { shape, values, .. } = *around;
        let tokens = gradient.len() / shape.widths.stream;
        let [y, sum, active, inner, attended, query_key_value, statistics] =
            temporary.carve(shape.widths.of_layer(tokens));

        let norm = [&*room.end, &*room.end_statistics, gradient];
        self.down_norm
            .backward(machine, values, gradients, shape.epsilon, norm, sum);
        gradient.copy_from_slice(sum);
        around.drop(machine, Place::Feed, sum);
        if self.down.needs_input() {
            machine
                .kernels
                .activate_rows(machine.team, shape.activation, room.up, active);
        }
        let down = Backward {
            input: active,
            gradient: sum,
            input_gradient: Some((Sum::Replace, inner)),
        };
        self.down.backward(machine, values, gradients, down);
        machine
            .kernels
            .activate_backward(machine.team, shape.activation, room.up, inner);
        if self.up.needs_input() {
            let norm = self.attention_norm.rows(values, shape.epsilon);
            machine
                .kernels
                .norm_rows(machine.team, norm, room.middle, statistics, y);
        }
        let up = Backward {
            input: y,
            gradient: inner,
            input_gradient: Some((Sum::Add, gradient)),
        };
        self.up.backward(machine, values, gradients, up);

        let norm = [&*room.middle, &*room.middle_statistics, gradient];
        self.attention_norm
            .backward(machine, values, gradients, shape.epsilon, norm, sum);
        gradient.copy_from_slice(sum);
        around.drop(machine, Place::Attention, sum);
        let out = Backward {
            input: room.attended,
            gradient: sum,
            input_gradient: Some((Sum::Replace, attended)),
        };
        self.attention_out.backward(machine, values, gradients, out);
        let to = match &self.query_key_value {
            QueryKeyValue::Together(_) => HeadsMut::Together(&mut *query_key_value),
            QueryKeyValue::Apart(_) => {
                let (queries, rest) = query_key_value.split_at_mut(gradient.len());
                let (keys, values) = rest.split_at_mut(gradient.len());
                HeadsMut::Apart {
                    queries,
                    keys,
                    values,
                }
            }
        };
        machine.kernels.attend_backward(
            machine.team,
            &around.attention(machine.precision),
            around.lengths,
            self.heads(room.query_key_value),
            room.shares,
            room.attended,
            attended,
            to,
            machine.training,
        );
        let mut part = |linear: &crate::training::linear::Linear, of_output: &[f32]| {
            let backward = Backward {
                input: room.x,
                gradient: of_output,
                input_gradient: below.then_some((Sum::Add, &mut *gradient)),
            };
            linear.backward(machine, values, gradients, backward);
        };
        match &self.query_key_value {
            QueryKeyValue::Together(all) => part(all, query_key_value),
            QueryKeyValue::Apart(parts) => {
                let length = room.x.len();
                for (linear, of_output) in parts.iter().zip(query_key_value.chunks_exact(length)) {
                    part(linear, of_output);
                }
            }
        }
    }

    /// Returns queries, keys and values as they lie.
    fn heads<'a>(&self, numbers: &'a [f32]) -> Heads<'a> {
        match &self.query_key_value {
            QueryKeyValue::Together(_) => Heads::Together(numbers),
            QueryKeyValue::Apart(_) => {
                let (queries, rest) = numbers.split_at(numbers.len() / 3);
                let (keys, values) = rest.split_at(rest.len() / 2);
                Heads::Apart {
                    queries,
                    keys,
                    values,
                }
            }
        }
    }
}
