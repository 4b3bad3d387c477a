//! The final norm, the head and the loss, some rows at a time: the logits of a whole batch
//! are never there at once, and rows without a target cost nothing.
//!
//! Letters: `T` tokens, `R` rows of a piece, `D` width, `V` vocabulary.

use tensor::training::CrossEntropy;
use tensor::{Buffer, Sum};

use super::build::Parts;
use super::layer::{NormGradients, norm_backward, norm_of};
use super::room::Widths;
use crate::training::IGNORE;
use crate::training::linear::{Backward, Machine};

/// What the head works on.
pub(super) struct Head<'a> {
    pub(super) parts: &'a Parts,
    pub(super) widths: Widths,
    /// Of the norm.
    pub(super) epsilon: f32,
    pub(super) values: &'a [f32],
    /// `(T, D)`, what comes out of the last layer.
    pub(super) stream: &'a [f32],
    /// `(T)`
    pub(super) targets: &'a [u32],
}

impl Head<'_> {
    /// Returns the rows that have a target, from `next` on, as many as go together, and
    /// where the next ones begin.
    fn rows(&self, next: usize) -> (Vec<usize>, usize) {
        let most = self.widths.rows_of_logits(self.targets.len());
        let mut rows = Vec::with_capacity(most);
        let mut at = next;
        while at < self.targets.len() && rows.len() < most {
            if self.targets[at] != IGNORE {
                rows.push(at);
            }
            at += 1;
        }
        (rows, at)
    }

    /// Sets `x` to the rows of the stream, `y` to their norms and `logits` to what the
    /// head makes of them.
    fn logits(
        &self,
        machine: &mut Machine<'_>,
        rows: &[usize],
        [x, y, statistics, logits]: [&mut [f32]; 4],
    ) {
        let width = self.widths.stream;
        for (x, row) in x.chunks_exact_mut(width).zip(rows) {
            x.copy_from_slice(&self.stream[row * width..][..width]);
        }
        let norm = norm_of(&self.parts.final_norm, self.values, self.epsilon);
        machine
            .kernels
            .norm_rows(machine.team, norm, x, statistics, y);
        let head = &self.parts.head;
        head.forward(machine, self.values, y, Sum::Replace, logits);
    }

    /// Sets `to`, `(T)`, to the log-probability of each target, 0 where there is none.
    pub(super) fn log_probabilities(
        &self,
        machine: &mut Machine<'_>,
        temporary: &mut Buffer,
        to: &mut [f32],
    ) {
        to.fill(0.0);
        let (mut rows, mut next) = self.rows(0);
        while !rows.is_empty() {
            let [x, y, _, statistics, logits, _, found] =
                temporary.carve(self.widths.of_head(rows.len()));
            self.logits(machine, &rows, [x, y, statistics, logits]);
            let targets: Vec<u32> = rows.iter().map(|row| self.targets[*row]).collect();
            machine
                .kernels
                .log_probabilities(machine.team, logits, &targets, found);
            for (row, found) in rows.iter().zip(found) {
                to[*row] = *found;
            }
            (rows, next) = self.rows(next);
        }
    }

    /// Returns the sum of the rows' losses, each times its weight, `(T)`; sets `gradient`,
    /// `(T, D)`, to that of the stream, and adds the head's and the norm's.
    pub(super) fn backward(
        &self,
        machine: &mut Machine<'_>,
        gradients: &mut [f32],
        temporary: &mut Buffer,
        weights: &[f32],
        gradient: &mut [f32],
    ) -> f64 {
        gradient.fill(0.0);
        let width = self.widths.stream;
        let mut loss = 0.0;
        let (mut rows, mut next) = self.rows(0);
        while !rows.is_empty() {
            let [x, y, dy, statistics, logits, of_rows, losses] =
                temporary.carve(self.widths.of_head(rows.len()));
            self.logits(
                machine,
                &rows,
                [&mut *x, &mut *y, &mut *statistics, &mut *logits],
            );
            let targets: Vec<u32> = rows.iter().map(|row| self.targets[*row]).collect();
            for (to, row) in of_rows.iter_mut().zip(&rows) {
                *to = weights[*row];
            }
            let entropy = CrossEntropy {
                logits: &mut *logits,
                targets: &targets,
                weights: of_rows,
                smoothing: 0.0,
                losses,
            };
            loss += machine.kernels.cross_entropy(machine.team, entropy);
            let given = Backward {
                input: y,
                gradient: logits,
                input_gradient: Some((Sum::Replace, &mut *dy)),
            };
            let head = &self.parts.head;
            head.backward(machine, self.values, gradients, given);
            let given = NormGradients {
                input: x,
                statistics,
                gradient: dy,
                sum: Sum::Replace,
                input_gradient: &mut *y,
            };
            let norm = (&self.parts.final_norm, self.epsilon);
            norm_backward(machine, self.values, gradients, norm, given);
            for (from, row) in y.chunks_exact(width).zip(&rows) {
                gradient[row * width..][..width].copy_from_slice(from);
            }
            (rows, next) = self.rows(next);
        }
        loss
    }
}
