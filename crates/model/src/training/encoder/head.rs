//! A head's forward, and its backward to the last hidden states.
//!
//! Letters: `B` texts, `T` tokens of all of them, `D` width, `L` outputs.

use tensor::{Activation, Buffer, Sum, normalize};

use super::build::Head;
use super::layer::Place;
use crate::training::Pass;
use crate::training::heads::{HeadLoss, Losses};
use crate::training::linear::{Backward, Machine};

/// What a head keeps and needs, cut out of one buffer in the same way each time.
struct Desk<'a> {
    /// `(B, D)`: the first tokens, or the pooled vectors; `(T, D)`: what tokens see.
    input: &'a mut [f32],
    /// `(B, D)`: before the hyperbolic tangent.
    before: &'a mut [f32],
    /// `(B, D)`: behind it.
    pooled: &'a mut [f32],
    outputs: &'a mut [f32],
    /// `(B, D)`: of `pooled`, or of the vectors.
    gradient: &'a mut [f32],
    /// `(B, D)`: of `input`.
    input_gradient: &'a mut [f32],
    scores: &'a mut [f32],
    weights: &'a mut [f32],
    losses: &'a mut [f32],
}

/// A batch at its head.
pub(super) struct Around<'a> {
    pub(super) pass: Pass,
    pub(super) lengths: &'a [usize],
    pub(super) values: &'a [f32],
    pub(super) width: usize,
    /// The share that is left out before the last linear part.
    pub(super) dropout: f32,
    /// How many layers there are.
    pub(super) layers: usize,
}

impl Around<'_> {
    fn drop(&self, machine: &Machine<'_>, place: Place, numbers: &mut [f32]) {
        if let Some(dropout) = place.dropout(self.pass, self.layers, self.dropout) {
            machine.kernels.drop_out(machine.team, dropout, numbers);
        }
    }

    /// Calls `task` with each text's rows.
    fn each_text(&self, hidden: usize, mut task: impl FnMut(usize, std::ops::Range<usize>)) {
        let mut first = 0;
        for (text, length) in self.lengths.iter().enumerate() {
            let numbers = length * self.width;
            task(text, first..first + numbers);
            first += numbers;
        }
        assert_eq!(first, hidden, "every token belongs to a text");
    }
}

impl Head {
    fn desk<'a>(&self, around: &Around<'_>, buffer: &'a mut Buffer) -> Desk<'a> {
        let texts = around.lengths.len();
        let tokens: usize = around.lengths.iter().sum();
        let rows = texts * around.width;
        let lengths = match self {
            Self::Sequence { out, .. } => {
                let outputs = texts * out.outputs;
                [rows, rows, rows, outputs, rows, rows, 0, texts, texts]
            }
            Self::Tokens(out) => {
                let outputs = tokens * out.outputs;
                let input = tokens * around.width;
                [input, 0, 0, outputs, 0, 0, 0, tokens, tokens]
            }
            Self::Span(_) => [0, 0, 0, 2 * tokens, 0, 0, 2 * tokens, 2, 2],
            Self::Vectors(_) => {
                // At most half of the texts are anchors.
                let scores = texts * texts / 4;
                [rows, 0, 0, rows, rows, 0, scores, texts, texts]
            }
        };
        let [
            input,
            before,
            pooled,
            outputs,
            gradient,
            input_gradient,
            scores,
            weights,
            losses,
        ] = buffer.carve(lengths);
        Desk {
            input,
            before,
            pooled,
            outputs,
            gradient,
            input_gradient,
            scores,
            weights,
            losses,
        }
    }

    /// Returns what the head gives for the last hidden states, `(T, D)`: `(B, L)`, `(T, L)`,
    /// or vectors, `(B, D)`.
    pub(super) fn forward<'a>(
        &self,
        machine: &mut Machine<'_>,
        around: &Around<'_>,
        hidden: &[f32],
        buffer: &'a mut Buffer,
    ) -> &'a [f32] {
        let desk = self.desk(around, buffer);
        let width = around.width;
        match self {
            Self::Sequence {
                dense,
                out,
                drop_first,
            } => {
                around.each_text(hidden.len(), |text, rows| {
                    let first = &hidden[rows][..width];
                    desk.input[text * width..][..width].copy_from_slice(first);
                });
                if *drop_first {
                    around.drop(machine, Place::Head, desk.input);
                }
                let values = around.values;
                dense.forward(machine, values, desk.input, Sum::Replace, desk.before);
                machine.kernels.activate_rows(
                    machine.team,
                    Activation::Tanh,
                    desk.before,
                    desk.pooled,
                );
                around.drop(machine, Place::Pooled, desk.pooled);
                out.forward(machine, values, desk.pooled, Sum::Replace, desk.outputs);
            }
            Self::Tokens(out) => {
                desk.input.copy_from_slice(hidden);
                around.drop(machine, Place::Head, desk.input);
                let values = around.values;
                out.forward(machine, values, desk.input, Sum::Replace, desk.outputs);
            }
            Self::Span(out) => {
                out.forward(machine, around.values, hidden, Sum::Replace, desk.outputs);
            }
            Self::Vectors(pooling) => {
                around.each_text(hidden.len(), |text, rows| {
                    let pooled = &mut desk.input[text * width..][..width];
                    machine.kernels.pool(*pooling, &hidden[rows], pooled);
                    let unit = &mut desk.outputs[text * width..][..width];
                    unit.copy_from_slice(pooled);
                    normalize(unit);
                });
            }
        }
        desk.outputs
    }

    /// Returns the loss of what the forward gave. With `backward`, the gradients of the head,
    /// and where the hidden states' go, these are computed too.
    pub(super) fn loss(
        &self,
        machine: &mut Machine<'_>,
        around: &Around<'_>,
        of: &Losses<'_>,
        hidden: &[f32],
        buffer: &mut Buffer,
        backward: Option<(&mut [f32], &mut [f32])>,
    ) -> f64 {
        let desk = self.desk(around, buffer);
        let (values, width) = (around.values, around.width);
        let loss = HeadLoss {
            outputs: &mut *desk.outputs,
            gradient: &mut *desk.gradient,
            scores: desk.scores,
            weights: desk.weights,
            losses: desk.losses,
        }
        .compute(machine, of);
        let Some((gradients, gradient)) = backward else {
            return loss;
        };
        match self {
            Self::Sequence {
                dense,
                out,
                drop_first,
            } => {
                let backward = Backward {
                    input: desk.pooled,
                    gradient: desk.outputs,
                    input_gradient: Some((Sum::Replace, desk.gradient)),
                };
                out.backward(machine, values, gradients, backward);
                around.drop(machine, Place::Pooled, desk.gradient);
                machine.kernels.activate_backward(
                    machine.team,
                    Activation::Tanh,
                    desk.before,
                    desk.gradient,
                );
                let backward = Backward {
                    input: desk.input,
                    gradient: desk.gradient,
                    input_gradient: Some((Sum::Replace, desk.input_gradient)),
                };
                dense.backward(machine, values, gradients, backward);
                if *drop_first {
                    around.drop(machine, Place::Head, desk.input_gradient);
                }
                gradient.fill(0.0);
                around.each_text(hidden.len(), |text, rows| {
                    let from = &desk.input_gradient[text * width..][..width];
                    gradient[rows][..width].copy_from_slice(from);
                });
            }
            Self::Tokens(out) => {
                let backward = Backward {
                    input: desk.input,
                    gradient: desk.outputs,
                    input_gradient: Some((Sum::Replace, &mut *gradient)),
                };
                out.backward(machine, values, gradients, backward);
                around.drop(machine, Place::Head, gradient);
            }
            Self::Span(out) => {
                let backward = Backward {
                    input: hidden,
                    gradient: desk.outputs,
                    input_gradient: Some((Sum::Replace, gradient)),
                };
                out.backward(machine, values, gradients, backward);
            }
            Self::Vectors(pooling) => {
                around.each_text(hidden.len(), |text, rows| {
                    let of_text = &mut desk.gradient[text * width..][..width];
                    let pooled = &desk.input[text * width..][..width];
                    machine.kernels.normalize_backward(pooled, of_text);
                    let to = &mut gradient[rows.clone()];
                    machine
                        .kernels
                        .pool_backward(*pooling, &hidden[rows], of_text, to);
                });
            }
        }
        loss
    }
}
