//! An encoder that learns which one label a text has.

use std::path::Path;

use model::Tokens;
use model::bert::Batch;
use model::training::{EncoderTraining, HeadTargets};
use tensor::Team;

use crate::TrainError;
use crate::learner::{Arena, Examination, Learner, Size, batches};

/// Texts with the number of the label of each.
#[derive(Clone, Debug, Default)]
pub struct LabelledTexts {
    texts: Vec<Tokens>,
    labels: Vec<u32>,
}

impl LabelledTexts {
    /// Returns none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text, and its label's place among their names.
    pub fn push(&mut self, text: Tokens, label: u32) {
        self.texts.push(text);
        self.labels.push(label);
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns how many tokens each has.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        self.texts.iter().map(|text| text.ids.len())
    }

    /// Cuts them, in their order, into ranges of at most `room` tokens together.
    fn batches(&self, room: usize) -> Vec<std::ops::Range<usize>> {
        batches(self.lengths(), room)
    }
}

/// An encoder with the texts that it learns to classify and those that it is examined on.
#[derive(Debug)]
pub struct Classification {
    model: EncoderTraining,
    /// The most tokens of a batch.
    room: usize,
    training: LabelledTexts,
    dev: LabelledTexts,
}

impl Classification {
    /// Takes an encoder whose task is to choose one label, and whose memory is planned for
    /// `room` tokens at a time.
    ///
    /// # Errors
    /// If there is nothing to learn.
    pub fn new(
        model: EncoderTraining,
        room: usize,
        training: LabelledTexts,
        dev: LabelledTexts,
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

impl Learner for Classification {
    fn examples(&self) -> usize {
        self.training.len()
    }

    fn size(&self, example: usize) -> Size {
        Size {
            tokens: self.training.texts[example].ids.len(),
            units: 1,
        }
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
        let set = &self.training;
        let batch = Batch::of(examples.iter().map(|it| &set.texts[*it]));
        let labels: Vec<u32> = examples.iter().map(|it| set.labels[*it]).collect();
        let targets = HeadTargets::Classes(&labels);
        let (model, weight) = (&mut self.model, weight as f32);
        Ok(model.step(team, &batch, targets, weight, draw)?)
    }

    fn examine(&mut self, team: &Team) -> Result<Option<Examination>, TrainError> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let outputs = self.model.task().labels().len();
        let (mut loss, mut given) = (0.0, Vec::with_capacity(self.dev.len()));
        for texts in self.dev.batches(self.room) {
            let batch = Batch::of(&self.dev.texts[texts.clone()]);
            let logits = self.model.predict(team, &batch)?;
            for (row, label) in logits
                .chunks_exact(outputs)
                .zip(&self.dev.labels[texts.clone()])
            {
                loss += cross_entropy(row, *label as usize);
                given.push(likeliest(row));
            }
        }
        let judged = judge(&self.dev.labels, &given, outputs);
        Ok(Some(Examination {
            loss: loss / self.dev.len() as f64,
            metrics: [
                ("accuracy".to_owned(), judged.accuracy),
                ("macro_f1".to_owned(), judged.macro_f1),
            ]
            .into(),
        }))
    }

    fn show(&self, example: usize) -> String {
        let number = self.training.labels[example] as usize;
        let label = &self.model.task().labels()[number];
        let tokens = self.training.texts[example].ids.len();
        format!("example {example}: {tokens} tokens, label `{label}`")
    }

    fn save(&self, folder: &Path) -> Result<(), TrainError> {
        Ok(self.model.save(folder)?)
    }
}

/// −ln of the share that softmax gives to `label`.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let above = |logit: f32| f64::from(logit) - f64::from(most);
    let sum: f64 = logits.iter().map(|it| above(*it).exp()).sum();
    sum.ln() - above(logits[label])
}

/// Returns the place of the greatest; of several, the first.
fn likeliest(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).rev();
    let best = best.max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    best.expect("there is a label") as u32
}

/// How good labels are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Judged {
    /// The share that is right.
    accuracy: f64,
    /// The mean of the labels' F1, each label counting the same, over those that are
    /// expected or given somewhere: scikit-learn's `f1_score(average="macro")`.
    macro_f1: f64,
}

fn judge(expected: &[u32], given: &[u32], labels: usize) -> Judged {
    let mut right = vec![0usize; labels];
    // How often a label is expected, and how often given, together.
    let mut named = vec![0usize; labels];
    for (expected, given) in expected.iter().zip(given) {
        named[*expected as usize] += 1;
        named[*given as usize] += 1;
        right[*expected as usize] += usize::from(expected == given);
    }
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let seen: Vec<f64> = right
        .iter()
        .zip(&named)
        .filter(|(_, named)| **named > 0)
        .map(|(right, named)| share(2 * right, *named))
        .collect();
    Judged {
        accuracy: share(right.iter().sum(), expected.len()),
        macro_f1: seen.iter().sum::<f64>() / seen.len().max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lengths: &[usize]) -> LabelledTexts {
        let mut texts = LabelledTexts::new();
        for length in lengths {
            let ids = vec![1; *length];
            let segments = vec![0; *length];
            texts.push(Tokens { ids, segments }, 0);
        }
        texts
    }

    #[test]
    fn a_batch_has_no_more_tokens_than_there_is_room_for() {
        assert_eq!(texts(&[3, 4, 2, 5]).batches(7), [0..2, 2..4]);
        assert_eq!(texts(&[7, 1]).batches(7), [0..1, 1..2]);
        assert!(texts(&[]).batches(7).is_empty());
    }

    #[test]
    fn labels_are_judged_as_scikit_learn_does() {
        // sklearn.metrics.f1_score([0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 0, 4], average="macro")
        let judged = judge(&[0, 0, 1, 1, 2, 2], &[0, 1, 1, 1, 0, 4], 6);
        assert_eq!(judged.accuracy, 0.5);
        assert!((judged.macro_f1 - 0.325).abs() < 1e-12, "{judged:?}");
    }

    #[test]
    fn the_loss_is_that_of_the_label() {
        // −ln(e² / (e² + e¹ + e⁰))
        assert!((cross_entropy(&[2.0, 1.0, 0.0], 0) - 0.407_605_964_444_380_3).abs() < 1e-12);
        assert_eq!(likeliest(&[1.0, 3.0, 3.0]), 1);
    }
}
