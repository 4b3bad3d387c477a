//! An encoder that learns what its head is for.
//!
//! What the kinds of exercise have in common is here: [`Encoder`] is the learner of all of
//! them. What a kind's batch is, and how what the encoder gives for it is judged, is in the
//! kind's own file.

mod classes;
mod labels;
mod pairs;
mod ranks;
mod spans;
mod tags;
mod vectors;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use model::bert::Batch;
use model::training::{EncoderTraining, HeadTargets};
use tensor::Team;

pub use classes::Classes;
pub use labels::LabelSets;
pub use pairs::ScoredPairs;
pub use ranks::RankedPassages;
pub use spans::{AnswerScore, AnswerSpans, Asked};
pub use tags::TagSequences;
pub use vectors::{Neighbours, Related};

use crate::TrainError;
use crate::learner::{Arena, Examination, Learner, Size, batches};

/// Examples of one kind, as an encoder's tokens with their targets.
pub trait Exercises: fmt::Debug {
    /// Returns how many there are.
    fn len(&self) -> usize;

    /// Returns whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the size of one of them.
    fn size(&self, exercise: usize) -> Size;

    /// Returns what is computed of some of them together, and what is to come of it.
    fn batch(&self, exercises: &[usize]) -> (Batch, Targets);

    /// Returns what judges what an encoder gives.
    fn judge(&self) -> Box<dyn Judge + '_>;

    /// Returns what is to come of one of them, for people; `names` are those of the
    /// encoder's outputs.
    fn show(&self, exercise: usize, names: &[String]) -> String;

    /// Adds to the model in `folder` what else its users need to know, given what its last
    /// examination found.
    ///
    /// # Errors
    /// If it cannot be written.
    fn complete(&self, folder: &Path, found: Option<&Examination>) -> Result<(), TrainError> {
        let _ = (folder, found);
        Ok(())
    }
}

/// Judges what an encoder gives for exercises.
pub trait Judge {
    /// Takes what the head gave for the batch of `exercises`.
    fn take(&mut self, exercises: &[usize], outputs: &[f32]);

    /// Returns measures of all that was taken, by their names.
    fn measures(self: Box<Self>) -> BTreeMap<String, f64>;
}

/// The targets of a batch; each as the [`HeadTargets`] of its name.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "they are said there")]
pub enum Targets {
    Classes(Vec<u32>),
    Labels(Vec<f32>),
    Tags(Vec<u32>),
    Spans(Vec<[u32; 2]>),
    Scores(Vec<f32>),
    Groups(Vec<usize>),
    Anchors { count: usize, candidates: Vec<u32> },
}

impl Targets {
    fn get(&self) -> HeadTargets<'_> {
        match self {
            Self::Classes(it) => HeadTargets::Classes(it),
            Self::Labels(it) => HeadTargets::Labels(it),
            Self::Tags(it) => HeadTargets::Tags(it),
            Self::Spans(it) => HeadTargets::Spans(it),
            Self::Scores(it) => HeadTargets::Scores(it),
            Self::Groups(it) => HeadTargets::Groups(it),
            Self::Anchors { count, candidates } => HeadTargets::Anchors {
                count: *count,
                candidates,
            },
        }
    }
}

/// The most tokens and the most exercises that are computed at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Tokens.
    pub tokens: usize,
    /// Exercises.
    pub exercises: usize,
}

/// An encoder with the exercises that it learns from and those that it is examined on.
#[derive(Debug)]
pub struct Encoder {
    model: EncoderTraining,
    room: Room,
    training: Box<dyn Exercises>,
    dev: Box<dyn Exercises>,
}

impl Encoder {
    /// Takes an encoder whose task is that of the exercises, and whose memory is planned for
    /// the tokens of `room`.
    ///
    /// # Errors
    /// If there is nothing to learn.
    pub fn new(
        model: EncoderTraining,
        room: Room,
        training: Box<dyn Exercises>,
        dev: Box<dyn Exercises>,
    ) -> Result<Self, TrainError> {
        if training.is_empty() {
            return Err(TrainError::NoExamples { left_out: 0 });
        }
        Ok(Self {
            model,
            room,
            training,
            dev,
        })
    }
}

impl Learner for Encoder {
    fn examples(&self) -> usize {
        self.training.len()
    }

    fn size(&self, example: usize) -> Size {
        self.training.size(example)
    }

    fn arena(&mut self) -> Arena<'_> {
        Arena::of(self.model.parameters_mut())
    }

    fn learn(
        &mut self,
        team: &Team,
        examples: &[usize],
        weight: f64,
        draw: u64,
    ) -> Result<f64, TrainError> {
        let (batch, targets) = self.training.batch(examples);
        let (model, weight) = (&mut self.model, weight as f32);
        Ok(model.step(team, &batch, targets.get(), weight, draw)?)
    }

    fn examine(&mut self, team: &Team) -> Result<Option<Examination>, TrainError> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let mut judge = self.dev.judge();
        let (mut loss, mut units) = (0.0, 0);
        let sizes = (0..self.dev.len()).map(|it| self.dev.size(it).tokens);
        for exercises in batches(sizes, self.room.tokens, self.room.exercises) {
            let exercises: Vec<usize> = exercises.collect();
            let (batch, targets) = self.dev.batch(&exercises);
            let mut see = |outputs: &[f32]| judge.take(&exercises, outputs);
            let model = &mut self.model;
            loss += model.evaluate(team, &batch, targets.get(), 1.0, &mut see)?;
            units += targets.get().units();
        }
        Ok(Some(Examination {
            loss: loss / units.max(1) as f64,
            metrics: judge.measures(),
        }))
    }

    fn show(&self, example: usize) -> String {
        let tokens = self.training.size(example).tokens;
        let shown = self.training.show(example, self.model.task().labels());
        format!("example {example}: {tokens} tokens, {shown}")
    }

    fn save(&self, folder: &Path, found: Option<&Examination>) -> Result<(), TrainError> {
        self.model.save(folder)?;
        self.training.complete(folder, found)
    }
}

/// Returns `part` of `whole`; of nothing, 0.
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Returns measures by their names.
fn named<const N: usize>(measures: [(&str, f64); N]) -> BTreeMap<String, f64> {
    measures
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// Returns the place of the greatest; of several, the first.
fn likeliest(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).rev();
    let best = best.max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    best.expect("there is an output") as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equals_the_first_is_likeliest() {
        assert_eq!(likeliest(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(likeliest(&[0.0]), 0);
    }
}
