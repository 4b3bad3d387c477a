//! A decoder that learns to prefer one answer to another.
//!
//! Both objectives need only how likely each answer is, and give each of its tokens a weight:
//! the loss's derivative with respect to that token's log-probability. DPO compares with what
//! the model found before it learnt; that is computed once, before the first step.

use std::path::{Path, PathBuf};

use model::tokenizer::TextTokenizer;
use model::training::{DecoderTraining, Pass, RankBudget};
use tensor::Team;

use crate::TrainError;
use crate::language::{Decoder, Likelihood, Rows};
use crate::learner::{Arena, Examination, Learner, Size};
use crate::sequences::Sequences;

/// Pairs of answers to the same prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// The better answers.
    pub chosen: Sequences,
    /// The worse ones, in the same order.
    pub rejected: Sequences,
}

/// How a preference becomes a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Preference {
    /// −ln σ(β ((ln π(c) − ln ρ(c)) − (ln π(r) − ln ρ(r)))), with ρ the model before
    /// (Rafailov et al. 2023, arXiv:2305.18290, equation 7).
    Dpo {
        /// β.
        beta: f64,
    },
    /// −l(c) − β ln σ(o(c) − o(r)), with l the mean log-probability of a token and o = l −
    /// ln(1 − eˡ) (Hong, Lee and Thorne 2024, arXiv:2403.07691, equations 6 and 7).
    Orpo {
        /// λ in the paper.
        beta: f64,
    },
}

/// A decoder with the pairs that it learns and those that it is examined on.
pub struct Preferences {
    decoder: Decoder,
    preference: Preference,
    training: Set,
    dev: Set,
}

/// Pairs, with what the model found before it learnt.
struct Set {
    pairs: Pairs,
    /// Of the chosen and the rejected answer of each pair; none are needed for ORPO.
    before: Vec<[f64; 2]>,
}

impl Set {
    fn both(&self, pair: usize) -> [(&Sequences, usize); 2] {
        [(&self.pairs.chosen, pair), (&self.pairs.rejected, pair)]
    }
}

/// What a pair's likelihoods come to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Judged {
    loss: f64,
    /// By how much the chosen answer is ahead.
    margin: f64,
    /// What each token of the chosen and of the rejected answer counts.
    weights: [f64; 2],
}

impl Preference {
    /// Judges the likelihoods of a chosen and a rejected answer; `before` are those of the
    /// model that has not learnt.
    fn judge(self, [chosen, rejected]: [Likelihood; 2], before: [f64; 2]) -> Judged {
        match self {
            Self::Dpo { beta } => {
                let margin = beta * ((chosen.sum - before[0]) - (rejected.sum - before[1]));
                let pull = beta * logistic(-margin);
                Judged {
                    loss: softplus(-margin),
                    margin,
                    weights: [pull, -pull],
                }
            }
            Self::Orpo { beta } => {
                let mean = |it: Likelihood| it.sum / it.tokens.max(1) as f64;
                // A probability of 1 has no odds: just below it, as f32 would have it.
                let (c, r) = (mean(chosen).min(-1e-7), mean(rejected).min(-1e-7));
                let odds = |l: f64| l - (-l.exp()).ln_1p();
                let margin = odds(c) - odds(r);
                let pull = beta * logistic(-margin);
                let each = |it: Likelihood| 1.0 / it.tokens.max(1) as f64;
                Judged {
                    loss: -c + beta * softplus(-margin),
                    margin,
                    weights: [
                        (1.0 + pull / -c.exp_m1()) * each(chosen),
                        -pull / -r.exp_m1() * each(rejected),
                    ],
                }
            }
        }
    }
}

/// 1 / (1 + e⁻ˣ)
fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(1 + eˣ)
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl Preferences {
    /// Takes a decoder that has learnt nothing yet and whose memory is planned for `room`
    /// tokens at a time; `companions` lie beside its weights when it is saved.
    ///
    /// # Errors
    /// If there is nothing to learn, or the model fails.
    ///
    /// # Panics
    /// If there are not as many chosen as rejected answers.
    #[expect(
        clippy::too_many_arguments,
        reason = "a model, its data, and how they meet"
    )]
    pub fn new(
        team: &Team,
        model: DecoderTraining,
        tokenizer: TextTokenizer,
        companions: Vec<PathBuf>,
        room: usize,
        preference: Preference,
        training: Pairs,
        dev: Pairs,
    ) -> Result<Self, TrainError> {
        for pairs in [&training, &dev] {
            assert_eq!(
                pairs.chosen.len(),
                pairs.rejected.len(),
                "every pair has both answers"
            );
        }
        if training.chosen.is_empty() {
            return Err(TrainError::NoExamples { left_out: 0 });
        }
        let mut decoder = Decoder::new(model, tokenizer, companions, room);
        let mut set = |pairs: Pairs| -> Result<Set, TrainError> {
            let mut set = Set {
                before: vec![[0.0; 2]; pairs.chosen.len()],
                pairs,
            };
            if matches!(preference, Preference::Dpo { .. }) {
                set.before = likelihoods(team, &mut decoder, &set)?
                    .into_iter()
                    .map(|both| both.map(|it| it.sum))
                    .collect();
            }
            Ok(set)
        };
        let (training, dev) = (set(training)?, set(dev)?);
        Ok(Self {
            decoder,
            preference,
            training,
            dev,
        })
    }

    /// Makes each answer of a batch a row, filled up to the longest, instead of packing them.
    pub fn without_packing(mut self) -> Self {
        self.decoder.rows = Rows::Filled;
        self
    }
}

/// Returns how likely both answers of each pair are.
fn likelihoods(
    team: &Team,
    decoder: &mut Decoder,
    set: &Set,
) -> Result<Vec<[Likelihood; 2]>, TrainError> {
    let sides = [&set.pairs.chosen, &set.pairs.rejected].map(|answers| {
        let mut found = Vec::with_capacity(answers.len());
        for batch in decoder.batches((0..answers.len()).map(|it| (answers, it))) {
            decoder.take(batch.into_iter());
            found.extend(decoder.likelihoods(team, Pass::Evaluate)?);
        }
        Ok::<_, TrainError>(found)
    });
    let [chosen, rejected] = sides;
    Ok(chosen?
        .into_iter()
        .zip(rejected?)
        .map(|(c, r)| [c, r])
        .collect())
}

impl Learner for Preferences {
    fn examples(&self) -> usize {
        self.training.before.len()
    }

    fn size(&self, example: usize) -> Size {
        let tokens = self.training.both(example);
        Size {
            tokens: tokens
                .iter()
                .map(|(set, pair)| set.get(*pair).ids.len())
                .sum(),
            units: 1.0,
        }
    }

    fn padding(&self, examples: &[usize]) -> usize {
        let both = examples.iter().flat_map(|pair| self.training.both(*pair));
        self.decoder.padding(both)
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
        let both = examples.iter().flat_map(|pair| self.training.both(*pair));
        self.decoder.take(both);
        self.decoder.fill_up();
        let found = self.decoder.likelihoods(team, Pass::Train { seed: draw })?;
        self.decoder.weights.clear();
        let mut loss = 0.0;
        for ((pair, both), lengths) in examples
            .iter()
            .zip(found.chunks_exact(2))
            .zip(self.decoder.lengths.chunks_exact(2))
        {
            let before = self.training.before[*pair];
            let judged = self.preference.judge([both[0], both[1]], before);
            loss += weight * judged.loss;
            for (length, of_token) in lengths.iter().zip(judged.weights) {
                let end = self.decoder.weights.len() + length;
                self.decoder.weights.resize(end, (weight * of_token) as f32);
            }
        }
        self.decoder.backward(team)?;
        Ok(loss)
    }

    fn examine(&mut self, team: &Team) -> Result<Option<Examination>, TrainError> {
        let pairs = self.dev.before.len();
        if pairs == 0 {
            return Ok(None);
        }
        let found = likelihoods(team, &mut self.decoder, &self.dev)?;
        let (mut loss, mut margin, mut right) = (0.0, 0.0, 0.0);
        for (both, before) in found.into_iter().zip(&self.dev.before) {
            let judged = self.preference.judge(both, *before);
            loss += judged.loss;
            margin += judged.margin;
            right += f64::from(u8::from(judged.margin > 0.0));
        }
        let mean = |sum: f64| sum / pairs as f64;
        let metrics = [("accuracy", mean(right)), ("margin", mean(margin))];
        Ok(Some(Examination {
            loss: mean(loss),
            metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        }))
    }

    fn show(&self, example: usize) -> String {
        self.decoder
            .show(self.training.pairs.chosen.get(example).ids)
    }

    fn save(&self, folder: &Path, _: Option<&Examination>) -> Result<(), TrainError> {
        self.decoder.save(folder)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// A pair as `tests/data/preference.py` judges it with PyTorch.
    #[derive(Deserialize)]
    struct Expected {
        kind: String,
        beta: f64,
        chosen: (f64, usize),
        rejected: (f64, usize),
        before: [f64; 2],
        loss: f64,
        weights: [f64; 2],
    }

    #[test]
    fn losses_and_their_derivatives_are_pytorchs() {
        let text = include_str!("../tests/data/preference.json");
        let cases: Vec<Expected> = serde_json::from_str(text).unwrap();
        assert!(cases.len() >= 20);
        for case in cases {
            let preference = match case.kind.as_str() {
                "dpo" => Preference::Dpo { beta: case.beta },
                _ => Preference::Orpo { beta: case.beta },
            };
            let likelihood = |(sum, tokens)| Likelihood { sum, tokens };
            let both = [likelihood(case.chosen), likelihood(case.rejected)];
            let found = preference.judge(both, case.before);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
            assert!(close(found.loss, case.loss), "{} {}", found.loss, case.loss);
            for (found, expect) in found.weights.into_iter().zip(case.weights) {
                assert!(close(found, expect), "{found} {expect}");
            }
        }
    }

    proptest! {
        #[test]
        fn certainty_gives_no_nonsense(chosen in -1e4f64..=0.0, rejected in -1e4f64..=0.0, tokens in 0usize..9) {
            let of = |sum| Likelihood { sum, tokens };
            for preference in [Preference::Dpo { beta: 0.1 }, Preference::Orpo { beta: 0.1 }] {
                let judged = preference.judge([of(chosen), of(rejected)], [0.0; 2]);
                prop_assert!(judged.loss.is_finite() && judged.weights.iter().all(|it| it.is_finite()));
            }
        }
    }
}
