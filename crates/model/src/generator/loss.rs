//! How likely a model finds a text that is there: its loss, without training.

use std::sync::PoisonError;

use super::{GenerateError, Generator};
use crate::decoder::{Step, Wanted};
use crate::lora::Adapter;
use crate::training::IGNORE;

/// Tokens that are read at a time: their logits are held together.
const PIECE: usize = 128;

/// How likely a sequence's learnt tokens are to a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SequenceLoss {
    /// The sum of their negative log-probabilities (natural).
    pub sum: f64,
    /// How many they are.
    pub tokens: usize,
}

impl Generator {
    /// Reads the sequence `ids` with the adapters of the options and returns how likely its
    /// `targets` are: for each position the token that follows, or
    /// [`IGNORE`] where that does not count.
    ///
    /// # Errors
    /// If the sequence is longer than the model reads, or has a token that it does not know.
    ///
    /// # Panics
    /// If there are not as many targets as tokens.
    pub fn loss(&self, ids: &[u32], targets: &[u32]) -> Result<SequenceLoss, GenerateError> {
        assert_eq!(ids.len(), targets.len(), "each token has a target");
        let config = self.decoder.config();
        if ids.len() > config.context {
            return Err(GenerateError::Context {
                prompt: ids.len(),
                context: config.context,
            });
        }
        let all = ids.iter().chain(targets.iter().filter(|it| **it != IGNORE));
        if let Some(found) = all.copied().find(|it| *it as usize >= config.vocabulary) {
            return Err(GenerateError::Token {
                found,
                vocabulary: config.vocabulary,
            });
        }
        let adapters: Vec<(&Adapter, f32)> = self
            .options
            .adapters
            .iter()
            .zip(&self.adapters)
            .map(|((_, weight), (_, adapter))| (adapter, *weight))
            .collect();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cache = self.decoder.cache(ids.len());
        let mut loss = SequenceLoss::default();
        for (ids, targets) in ids.chunks(PIECE).zip(targets.chunks(PIECE)) {
            let step = Step {
                tokens: ids,
                cache: &mut cache,
                adapters: &adapters,
                wanted: Wanted::All,
            };
            let logits = self.decoder.forward(&mut memory.workspace, &mut [step])?;
            for (target, row) in targets.iter().zip(logits.chunks_exact(config.vocabulary)) {
                if *target == IGNORE {
                    continue;
                }
                loss.sum += log_sum_exp(row) - f64::from(row[*target as usize]);
                loss.tokens += 1;
            }
        }
        Ok(loss)
    }
}

/// Returns the logarithm of the sum of what `e` to the numbers of `row` is.
fn log_sum_exp(row: &[f32]) -> f64 {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|it| f64::from(it - most).exp()).sum();
    f64::from(most) + sum.ln()
}
