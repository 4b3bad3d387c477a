//! Changing a model's weights: a [`Recipe`] says what is to be learnt, a [`Learner`] knows how
//! one batch is learnt, and [`train`](train()) goes through the steps: order, gradient, clipping,
//! AdamW, examination, checkpoint. Read that file first.
//!
//! A step's numbers depend on nothing but the recipe, the data and the step: not on time, not
//! on the number of threads, not on whether the run was broken off and resumed.

mod checkpoint;
mod clock;
mod curve;
mod encoder;
mod error;
mod language;
mod learner;
mod measure;
mod optimiser;
mod order;
mod page;
mod preference;
mod recipe;
mod run;
mod schedule;
mod sequences;
mod tensorboard;
mod train;
mod watch;

#[cfg(test)]
mod line;

pub use curve::{Curve, Point};
pub use encoder::{
    AnswerScore, AnswerSpans, Asked, Classes, Encoder, Exercises, Judge, LabelSets, Neighbours,
    RankedPassages, Related, Room, ScoredPairs, TagSequences, Targets,
};
pub use error::TrainError;
pub use language::Language;
pub use learner::{Arena, Examination, Learner, Size};
pub use measure::{MeasuredStep, measure};
pub use model::training::{Lora, Tuning};
pub use preference::{Pairs, Preference, Preferences};
pub use recipe::{
    Architecture, Checkpoints, Data, Dev, Evaluation, EvidenceRecipe, ModelSource, NewModel,
    Objective, Optimiser, Precision, Preset, Recipe, Spikes, States, Steps, Technique,
    TokenizerSource, Without,
};
pub use run::{Run, RunDescription, RunResult};
pub use schedule::Schedule;
pub use sequences::{Sequence, Sequences};
pub use tensor::Team;
pub use train::{Event, Outcome, Why, train};
