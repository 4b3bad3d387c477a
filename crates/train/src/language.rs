//! A decoder that learns to go on with text: all of it, or only answers, or answers above all.

use std::path::{Path, PathBuf};

use model::tokenizer::TextTokenizer;
use model::training::{DecoderTraining, IGNORE, Pass, RankBudget, Sequences as Batch};
use tensor::Team;

use crate::TrainError;
use crate::learner::{Arena, Examination, Learner, Size, batches};
use crate::sequences::Sequences;

/// A decoder with the sequences that it learns and those that it is examined on.
pub struct Language {
    decoder: Decoder,
    training: Sequences,
    dev: Sequences,
    /// What a token counts that is not to be learnt by its sequence.
    prompt_weight: f64,
}

impl Language {
    /// Takes a decoder whose memory is planned for `room` tokens at a time. `companions` are
    /// files that lie beside the weights when it is saved: its vocabulary.
    ///
    /// # Errors
    /// If there is nothing to learn.
    pub fn new(
        model: DecoderTraining,
        tokenizer: TextTokenizer,
        companions: Vec<PathBuf>,
        room: usize,
        training: Sequences,
        dev: Sequences,
    ) -> Result<Self, TrainError> {
        if training.is_empty() {
            return Err(TrainError::NoExamples { left_out: 0 });
        }
        Ok(Self {
            decoder: Decoder::new(model, tokenizer, companions, room),
            training,
            dev,
            prompt_weight: 0.0,
        })
    }

    /// Makes each example of a batch a row, filled up to the longest, instead of packing them.
    pub fn without_packing(mut self) -> Self {
        self.decoder.rows = Rows::Filled;
        self
    }

    /// Lets it learn prompts as well: each of their tokens counts `weight` of an answer's. It
    /// is examined on answers alone.
    pub fn with_prompt_weight(self, weight: f64) -> Self {
        Self {
            prompt_weight: weight,
            ..self
        }
    }
}

impl Learner for Language {
    fn examples(&self) -> usize {
        self.training.len()
    }

    fn size(&self, example: usize) -> Size {
        let sequence = self.training.get(example);
        let (tokens, learnt) = (sequence.ids.len(), sequence.learnt());
        // The last token has nothing to predict, unless its text goes on.
        let others = (tokens - 1).saturating_sub(learnt);
        Size {
            tokens,
            units: learnt as f64 + self.prompt_weight * others as f64,
        }
    }

    fn padding(&self, examples: &[usize]) -> usize {
        let examples = examples.iter().map(|example| (&self.training, *example));
        self.decoder.padding(examples)
    }

    fn arena(&mut self) -> Arena<'_> {
        self.decoder.arena()
    }

    fn rank_budget(&self) -> Option<RankBudget> {
        self.decoder.rank_budget()
    }

    fn learn(
        &mut self,
        team: &Team,
        examples: &[usize],
        weight: f64,
        draw: u64,
    ) -> Result<f64, TrainError> {
        self.decoder
            .take(examples.iter().map(|example| (&self.training, *example)));
        self.decoder.fill_up();
        self.decoder.forward(team, Pass::Train { seed: draw })?;
        self.decoder.weigh(weight, self.prompt_weight);
        self.decoder.backward(team)
    }

    fn examine(&mut self, team: &Team) -> Result<Option<Examination>, TrainError> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let (mut sum, mut units) = (0.0, 0);
        for batch in self
            .decoder
            .batches((0..self.dev.len()).map(|it| (&self.dev, it)))
        {
            self.decoder.take(batch.iter().copied());
            for found in self.decoder.likelihoods(team, Pass::Evaluate)? {
                sum += found.sum;
                units += found.tokens;
            }
        }
        let loss = -sum / units.max(1) as f64;
        let metrics = [("perplexity".to_owned(), loss.exp())];
        Ok(Some(Examination {
            loss,
            metrics: metrics.into(),
        }))
    }

    fn show(&self, example: usize) -> String {
        self.decoder.show(self.training.get(example).ids)
    }

    fn save(&self, folder: &Path, _: Option<&Examination>) -> Result<(), TrainError> {
        self.decoder.save(folder)
    }
}

/// How the sequences lie that are learnt together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// One behind the other.
    Packed,
    /// Each filled up to the longest.
    Filled,
}

/// The token that rows are filled up with: any, since nothing before it sees it and nothing is
/// learnt of it.
const FILLING: u32 = 0;

/// A decoder with its vocabulary and the batch that is computed.
pub(crate) struct Decoder {
    model: DecoderTraining,
    tokenizer: TextTokenizer,
    /// Files that lie beside the weights when it is saved.
    companions: Vec<PathBuf>,
    /// The most tokens of a batch.
    room: usize,
    pub(crate) rows: Rows,
    pub(crate) ids: Vec<u32>,
    pub(crate) targets: Vec<u32>,
    /// Of each row.
    pub(crate) lengths: Vec<usize>,
    /// Of each row, how many tokens are its sequence's.
    own: Vec<usize>,
    /// What each token's loss counts.
    pub(crate) weights: Vec<f32>,
}

/// How likely a sequence's learnt tokens are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Likelihood {
    /// The sum of their log-probabilities.
    pub(crate) sum: f64,
    /// How many they are.
    pub(crate) tokens: usize,
}

/// Characters of an example that are shown.
const SHOWN: usize = 120;

impl Decoder {
    pub(crate) fn new(
        model: DecoderTraining,
        tokenizer: TextTokenizer,
        companions: Vec<PathBuf>,
        room: usize,
    ) -> Self {
        Self {
            model,
            tokenizer,
            companions,
            room,
            rows: Rows::Packed,
            ids: Vec::new(),
            targets: Vec::new(),
            lengths: Vec::new(),
            own: Vec::new(),
            weights: Vec::new(),
        }
    }

    pub(crate) fn arena(&mut self) -> Arena<'_> {
        Arena::of(self.model.parameters_mut())
    }

    pub(crate) fn rank_budget(&self) -> Option<RankBudget> {
        self.model.rank_budget()
    }

    /// Makes the batch of these sequences.
    pub(crate) fn take<'a>(&mut self, sequences: impl Iterator<Item = (&'a Sequences, usize)>) {
        self.ids.clear();
        self.targets.clear();
        self.lengths.clear();
        for (set, index) in sequences {
            let sequence = set.get(index);
            self.ids.extend_from_slice(sequence.ids);
            self.targets.extend_from_slice(sequence.targets);
            self.lengths.push(sequence.ids.len());
        }
        self.own.clone_from(&self.lengths);
    }

    /// Fills the batch's rows up to the longest, unless they are packed.
    pub(crate) fn fill_up(&mut self) {
        let longest = self.own.iter().copied().max().unwrap_or(0);
        if self.rows == Rows::Packed {
            return;
        }
        self.lengths.fill(longest);
        for (row, filling) in [(&mut self.ids, FILLING), (&mut self.targets, IGNORE)] {
            let mut end = row.len();
            row.resize(self.own.len() * longest, filling);
            // From the last on, so that none is written over that has not moved yet.
            for (at, own) in self.own.iter().enumerate().rev() {
                let to = at * longest;
                row.copy_within(end - own..end, to);
                row[to + own..to + longest].fill(filling);
                end -= own;
            }
        }
    }

    /// Returns how many tokens [`Decoder::fill_up`] adds to these sequences.
    pub(crate) fn padding<'a>(
        &self,
        sequences: impl Iterator<Item = (&'a Sequences, usize)>,
    ) -> usize {
        let lengths: Vec<usize> = sequences.map(|(set, it)| set.get(it).ids.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        match self.rows {
            Rows::Packed => 0,
            Rows::Filled => lengths.iter().map(|it| longest - it).sum(),
        }
    }

    /// Weighs the batch's tokens: `weight` for those that are learnt, and a share of it for
    /// the others, which are learnt too if it is above 0.
    pub(crate) fn weigh(&mut self, weight: f64, others: f64) {
        self.weights.clear();
        self.weights.resize(self.ids.len(), weight as f32);
        if others == 0.0 {
            return;
        }
        let mut start = 0;
        for (length, own) in self.lengths.iter().zip(&self.own) {
            for at in start..start + own - 1 {
                if self.targets[at] == IGNORE {
                    self.targets[at] = self.ids[at + 1];
                    self.weights[at] = (weight * others) as f32;
                }
            }
            start += length;
        }
    }

    /// Cuts sequences, in their order, into batches that there is room for.
    pub(crate) fn batches<'a>(
        &self,
        sequences: impl Iterator<Item = (&'a Sequences, usize)>,
    ) -> Vec<Vec<(&'a Sequences, usize)>> {
        let all: Vec<_> = sequences.collect();
        let lengths = all.iter().map(|(set, index)| set.get(*index).ids.len());
        let ranges = batches(lengths, self.room, usize::MAX).into_iter();
        ranges.map(|range| all[range].to_vec()).collect()
    }

    pub(crate) fn forward(&mut self, team: &Team, pass: Pass) -> Result<(), TrainError> {
        let batch = Batch {
            ids: &self.ids,
            lengths: &self.lengths,
        };
        Ok(self.model.forward(team, batch, pass)?)
    }

    /// Adds the gradients of the batch that went forward, and returns its weighted loss.
    pub(crate) fn backward(&mut self, team: &Team) -> Result<f64, TrainError> {
        Ok(self.model.backward(team, &self.targets, &self.weights)?)
    }

    /// Takes the batch forward and returns how likely each sequence's learnt tokens are.
    pub(crate) fn likelihoods(
        &mut self,
        team: &Team,
        pass: Pass,
    ) -> Result<Vec<Likelihood>, TrainError> {
        self.forward(team, pass)?;
        let all = self.model.log_probabilities(team, &self.targets)?;
        let mut start = 0;
        let each = self.lengths.iter().map(|length| {
            let rows = start..start + length;
            start = rows.end;
            let mut found = Likelihood::default();
            for (target, likelihood) in self.targets[rows.clone()].iter().zip(&all[rows]) {
                if *target != IGNORE {
                    found.sum += f64::from(*likelihood);
                    found.tokens += 1;
                }
            }
            found
        });
        Ok(each.collect())
    }

    /// Returns the beginning of a text, in one line.
    pub(crate) fn show(&self, ids: &[u32]) -> String {
        let text = self.tokenizer.decode(ids).unwrap_or_default();
        let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = words.char_indices().nth(SHOWN) {
            words.truncate(end);
            words.push('…');
        }
        words
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<(), TrainError> {
        self.model.save(folder)?;
        for file in &self.companions {
            let name = file.file_name().unwrap_or_default();
            fs_err::copy(file, folder.join(name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use model::decoder::{DecoderConfig, Shape};
    use model::training::{Checkpointing, Precision, TrainingOptions};

    use super::*;

    /// Four sequences of 9, 3, 6 and 4 tokens; of each, what stands before token 2 is a prompt.
    fn sequences() -> Sequences {
        let mut sequences = Sequences::new();
        for (number, length) in [9, 3, 6, 4].into_iter().enumerate() {
            let ids: Vec<u32> = (0..length)
                .map(|at| (7 * at + 11 * number as u32) % 90)
                .collect();
            sequences.push(&ids, |at| at >= 2);
        }
        sequences
    }

    fn language() -> Language {
        let shape = Shape {
            vocabulary: 90,
            context: 16,
            width: 16,
            layers: 2,
            heads: 2,
            key_heads: 1,
            inner: 24,
        };
        let room = 4 * 9;
        let options = TrainingOptions {
            tokens: room,
            precision: Precision::F32,
            checkpointing: Checkpointing::None,
            dropout: Default::default(),
        };
        let config = DecoderConfig::llama(shape).unwrap();
        let model = DecoderTraining::initialise(&config, 3, &options).unwrap();
        let tokenizer = TextTokenizer::built_in();
        let dev = Sequences::new();
        Language::new(model, tokenizer, Vec::new(), room, sequences(), dev).unwrap()
    }

    /// Returns the loss and the gradient of these examples together.
    fn learnt(language: &mut Language, examples: &[usize]) -> (f64, Vec<f32>) {
        let team = Team::new(NonZeroUsize::MIN).unwrap();
        language.arena().gradients.fill(0.0);
        let loss = language.learn(&team, examples, 0.1, 1).unwrap();
        (loss, language.arena().gradients.to_vec())
    }

    fn check_close(found: &(f64, Vec<f32>), expect: &(f64, Vec<f32>)) {
        assert!(
            (found.0 - expect.0).abs() < 1e-5,
            "{} {}",
            found.0,
            expect.0
        );
        let length = |it: &[f32]| it.iter().map(|it| it * it).sum::<f32>().sqrt();
        let apart: Vec<f32> = found.1.iter().zip(&expect.1).map(|(a, b)| a - b).collect();
        assert!(
            length(&apart) < 1e-5 * length(&expect.1),
            "{}",
            length(&apart)
        );
    }

    #[test]
    fn packed_sequences_are_learnt_as_each_by_itself() {
        for prompt_weight in [0.0, 0.5] {
            let packed = || language().with_prompt_weight(prompt_weight);
            let mut alone = packed();
            let mut sum = (0.0, vec![0.0; alone.arena().gradients.len()]);
            for example in 0..4 {
                let (loss, gradient) = learnt(&mut alone, &[example]);
                sum.0 += loss;
                sum.1
                    .iter_mut()
                    .zip(gradient)
                    .for_each(|(sum, it)| *sum += it);
            }
            let all = [0, 1, 2, 3];
            check_close(&learnt(&mut packed(), &all), &sum);
            check_close(&learnt(&mut packed().without_packing(), &all), &sum);
        }
    }

    #[test]
    fn rows_are_filled_up_to_the_longest() {
        let mut language = language().without_packing();
        assert_eq!(language.padding(&[1, 0, 3]), 6 + 5);
        assert_eq!(language.padding(&[2]), 0);
        let set = sequences();
        let taken = [1, 0, 3].map(|it| (&set, it));
        language.decoder.take(taken.into_iter());
        language.decoder.fill_up();
        assert_eq!(language.decoder.lengths, [9; 3]);
        for (row, (set, it)) in taken.into_iter().enumerate() {
            let (expect, row) = (set.get(it), 9 * row..9 * row + 9);
            let own = expect.ids.len();
            let (ids, targets) = (
                &language.decoder.ids[row.clone()],
                &language.decoder.targets[row],
            );
            assert_eq!((&ids[..own], &targets[..own]), (expect.ids, expect.targets));
            assert!(targets[own..].iter().all(|it| *it == IGNORE));
        }
    }
}
