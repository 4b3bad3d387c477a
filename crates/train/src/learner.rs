//! What the loop knows of a model that learns: its numbers, and how a batch is learnt.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use model::training::{Parameters, RankBudget};
use tensor::Team;

use crate::TrainError;

/// All that a learner changes, as three views of the same layout.
pub struct Arena<'a> {
    /// The numbers that are learnt, one tensor behind the other.
    pub values: &'a mut [f32],
    /// Their gradients.
    pub gradients: &'a mut [f32],
    /// Where the tensors are, without a gap from 0 on, and whether weight decay is for them.
    pub tensors: Vec<(Range<usize>, bool)>,
}

impl<'a> Arena<'a> {
    /// Returns the arena of a model's parameters.
    pub fn of(parameters: &'a mut Parameters) -> Self {
        let tensors = parameters.table().iter();
        let tensors = tensors.map(|it| (it.range.clone(), it.decays)).collect();
        let (values, gradients) = parameters.update();
        Self {
            values,
            gradients,
            tensors,
        }
    }
}

/// Cuts examples of these lengths, in their order, into ranges of at most `room` tokens
/// and `most` examples together; one that is longer is alone.
pub(crate) fn batches(
    lengths: impl Iterator<Item = usize>,
    room: usize,
    most: usize,
) -> Vec<Range<usize>> {
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut tokens = usize::MAX;
    for (example, length) in lengths.enumerate() {
        let full = batches.last().is_some_and(|batch| batch.len() >= most);
        if full || tokens.saturating_add(length) > room {
            batches.push(example..example);
            tokens = 0;
        }
        tokens += length;
        batches.last_mut().expect("there is one").end = example + 1;
    }
    batches
}

/// How large an example is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    /// The tokens that are read.
    pub tokens: usize,
    /// What the loss is a mean over: tokens that are predicted, each by what it counts; texts,
    /// pairs. Above 0.
    pub units: f64,
}

/// What an examination on data that is not learnt has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examination {
    /// The mean loss.
    pub loss: f64,
    /// Other measures, by their names.
    pub metrics: BTreeMap<String, f64>,
}

/// A model with the examples that it learns and those that it is examined on.
pub trait Learner {
    /// Returns how many examples there are to learn.
    fn examples(&self) -> usize;

    /// Returns the size of one of them.
    fn size(&self, example: usize) -> Size;

    /// Returns how many tokens are computed with these examples that are none of theirs: what
    /// rows are filled up with.
    fn padding(&self, examples: &[usize]) -> usize {
        let _ = examples;
        0
    }

    /// Returns what is learnt.
    fn arena(&mut self) -> Arena<'_>;

    /// Returns how ranks are divided, if they are.
    fn rank_budget(&self) -> Option<RankBudget> {
        None
    }

    /// Adds the gradient of `weight` times the loss summed over all units of `examples`, and
    /// returns that. `draw` decides what chance decides: it differs from batch to batch.
    ///
    /// # Errors
    /// If the model fails.
    fn learn(
        &mut self,
        team: &Team,
        examples: &[usize],
        weight: f64,
        draw: u64,
    ) -> Result<f64, TrainError>;

    /// Examines the model; nothing, if there is nothing to examine it on.
    ///
    /// # Errors
    /// If the model fails.
    fn examine(&mut self, team: &Team) -> Result<Option<Examination>, TrainError>;

    /// Returns the beginning of an example, for people.
    fn show(&self, example: usize) -> String;

    /// Writes the model as others read it; `found` is what it was last examined to be.
    ///
    /// # Errors
    /// If it cannot be written.
    fn save(&self, folder: &Path, found: Option<&Examination>) -> Result<(), TrainError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_no_more_than_there_is_room_for() {
        let cut = |lengths: &[usize], room, most| batches(lengths.iter().copied(), room, most);
        assert_eq!(cut(&[3, 4, 2, 5], 7, 9), [0..2, 2..4]);
        assert_eq!(cut(&[7, 1], 7, 9), [0..1, 1..2]);
        assert_eq!(cut(&[1, 1, 1, 1, 1], 7, 2), [0..2, 2..4, 4..5]);
        assert_eq!(cut(&[9, 9], 7, 9), [0..1, 1..2]);
        assert!(cut(&[], 7, 9).is_empty());
    }
}
