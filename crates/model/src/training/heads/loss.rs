//! From a head's outputs and their targets to the loss and the outputs' gradient.

use tensor::training::CrossEntropy;
use tensor::{Factor, Kernels, Sum, Team};

use super::HeadTargets;
use crate::training::linear::Machine;

/// What a loss is computed of.
pub(crate) struct Losses<'a> {
    /// How many tokens each text has.
    pub(crate) lengths: &'a [usize],
    pub(crate) targets: HeadTargets<'a>,
    /// Of each thing that is learnt.
    pub(crate) weight: f32,
    /// What cosines are multiplied by.
    pub(crate) scale: f32,
}

/// Where a loss is computed.
pub(crate) struct HeadLoss<'a> {
    /// What the head gave, row by row; becomes its gradient. Of vectors, `(B, D)` of unit
    /// length, it stays, and the gradient goes to `gradient`.
    pub(crate) outputs: &'a mut [f32],
    pub(crate) gradient: &'a mut [f32],
    /// Scores of spans or of vectors.
    pub(crate) scores: &'a mut [f32],
    /// `(rows)` each.
    pub(crate) weights: &'a mut [f32],
    pub(crate) losses: &'a mut [f32],
}

/// So far below any cosine, however it is scaled, that a softmax gives it nothing.
const OUT: f32 = -1e9;

impl HeadLoss<'_> {
    /// Returns the weighted sum of the losses. Panics if the targets are not those of the
    /// batch.
    pub(crate) fn compute(self, machine: &mut Machine<'_>, of: &Losses<'_>) -> f64 {
        let (kernels, team) = (machine.kernels, machine.team);
        let texts = of.lengths.len();
        self.weights.fill(of.weight);
        match of.targets {
            HeadTargets::Classes(targets) | HeadTargets::Tags(targets) => {
                let rows = targets.len();
                kernels.cross_entropy(
                    team,
                    CrossEntropy {
                        logits: self.outputs,
                        targets,
                        weights: &self.weights[..rows],
                        smoothing: 0.0,
                        losses: &mut self.losses[..rows],
                    },
                )
            }
            HeadTargets::Labels(targets) | HeadTargets::Scores(targets) => {
                assert_eq!(
                    self.outputs.len(),
                    targets.len(),
                    "every output has a target"
                );
                binary(self.outputs, targets, of.weight)
            }
            HeadTargets::Spans(targets) => {
                assert_eq!(texts, targets.len(), "every text has a target");
                self.spans(kernels, team, of, targets)
            }
            HeadTargets::Groups(groups) => {
                assert_eq!(
                    self.outputs.len(),
                    groups.iter().sum::<usize>(),
                    "every text is in a group"
                );
                let mut rest = self.outputs;
                let mut sum = 0.0;
                for group in groups {
                    let (logits, after) = rest.split_at_mut(*group);
                    rest = after;
                    sum += kernels.cross_entropy(
                        team,
                        CrossEntropy {
                            logits,
                            targets: &[0],
                            weights: &[of.weight],
                            smoothing: 0.0,
                            losses: &mut self.losses[..1],
                        },
                    );
                }
                sum
            }
            HeadTargets::Anchors { count, candidates } => {
                self.vectors(machine, of, texts, count, candidates)
            }
        }
    }

    /// `outputs` is `(T, 2)`: each column is a distribution over a text's tokens.
    fn spans(self, kernels: &Kernels, team: &Team, of: &Losses<'_>, targets: &[[u32; 2]]) -> f64 {
        let mut rest = self.outputs;
        let mut sum = 0.0;
        for (length, target) in of.lengths.iter().zip(targets) {
            let (outputs, after) = rest.split_at_mut(2 * length);
            rest = after;
            let scores = &mut self.scores[..2 * length];
            for (token, pair) in outputs.chunks_exact(2).enumerate() {
                (scores[token], scores[length + token]) = (pair[0], pair[1]);
            }
            sum += kernels.cross_entropy(
                team,
                CrossEntropy {
                    logits: scores,
                    targets: target,
                    weights: &[of.weight / 2.0; 2],
                    smoothing: 0.0,
                    losses: &mut self.losses[..2],
                },
            );
            for (token, pair) in outputs.chunks_exact_mut(2).enumerate() {
                (pair[0], pair[1]) = (scores[token], scores[length + token]);
            }
        }
        sum
    }

    /// `outputs` is `(B, D)`: anchors and candidates, of unit length.
    fn vectors(
        self,
        machine: &mut Machine<'_>,
        of: &Losses<'_>,
        texts: usize,
        anchors: usize,
        same: &[u32],
    ) -> f64 {
        assert!(
            anchors > 0 && 2 * anchors <= texts,
            "every anchor has a text that belongs to it"
        );
        let candidates = texts - anchors;
        assert_eq!(same.len(), candidates, "every candidate has a number");
        let width = self.outputs.len() / texts;
        let (first, second) = self.outputs.split_at(anchors * width);
        let scores = &mut self.scores[..anchors * candidates];
        let first = Factor::f32(first, anchors, width);
        let second = Factor::f32(second, candidates, width);
        machine.product(first, second.turned(), None, Sum::Replace, scores);
        scores.iter_mut().for_each(|score| *score *= of.scale);
        for (anchor, row) in scores.chunks_exact_mut(candidates).enumerate() {
            for (candidate, score) in row.iter_mut().enumerate() {
                if candidate != anchor && same[candidate] == same[anchor] {
                    *score = OUT;
                }
            }
        }
        let sum = machine.kernels.in_batch_negatives(
            machine.team,
            scores,
            anchors,
            of.weight,
            machine.training,
        );
        scores.iter_mut().for_each(|score| *score *= of.scale);
        let scores = Factor::f32(scores, anchors, candidates);
        let (to_first, to_second) = self.gradient.split_at_mut(anchors * width);
        machine.product(scores, second, None, Sum::Replace, to_first);
        machine.product(scores.turned(), first, None, Sum::Replace, to_second);
        sum
    }
}

/// Binary cross-entropy of logits (`BCEWithLogitsLoss`): `max(x, 0) − x t + ln(1 + e^−|x|)`
/// with the gradient `σ(x) − t`. Those whose target is not a number are not learnt.
fn binary(logits: &mut [f32], targets: &[f32], weight: f32) -> f64 {
    let mut sum = 0.0;
    for (logit, target) in logits.iter_mut().zip(targets) {
        let (x, t) = (f64::from(*logit), f64::from(*target));
        if t.is_nan() {
            *logit = 0.0;
            continue;
        }
        sum += x.max(0.0) - x * t + (-x.abs()).exp().ln_1p();
        *logit = ((1.0 / (1.0 + (-x).exp()) - t) * f64::from(weight)) as f32;
    }
    sum * f64::from(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_losses_do_not_overflow() {
        let mut logits = [200.0, -200.0, 0.0, 1.0];
        let sum = binary(&mut logits, &[0.0, 0.0, 1.0, f32::NAN], 0.5);
        assert!(
            (sum - 0.5 * (200.0 + std::f64::consts::LN_2)).abs() < 1e-9,
            "{sum}"
        );
        assert_eq!(logits, [0.5, 0.0, -0.25, 0.0]);
    }
}
