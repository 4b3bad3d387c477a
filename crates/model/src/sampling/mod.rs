//! From logits to the next token: the settings that everybody knows, in the order and
//! with the definitions of transformers' logits processors (`generation/logits_process.py`
//! and `_get_logits_processor` in `generation/utils.py`, version 5):
//! repetition penalty, then what a constraint allows, then temperature, top-k, top-p and
//! min-p, then one draw.
//!
//! Letters: `V` vocabulary.

mod random;
pub(crate) mod select;

pub(crate) use random::SplitMix64;
use thiserror::Error;

/// How the next token is chosen. The default is greedy: the likeliest token.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by this before drawing, 0 or more: less than 1 sharpens, more
    /// flattens. At 0 the likeliest token is taken, and of the settings below only the
    /// repetition penalty matters.
    pub temperature: f32,
    /// Only the so many likeliest tokens are drawn from.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together reach this probability are drawn from,
    /// more than 0 and at most 1 (Holtzman et al. 2020, section 3.1).
    pub top_p: Option<f32>,
    /// Only tokens at least so likely, beside the likeliest, are drawn from, 0 to 1
    /// (Nguyen et al. 2024).
    pub min_p: Option<f32>,
    /// Divides the positive logits of tokens that stand in the prompt or were written, and
    /// multiplies their negative ones, more than 0; 1 does nothing (Keskar et al. 2019,
    /// section 4.1).
    pub repetition_penalty: f32,
    /// Where the random numbers start: the same seed draws the same, on every machine.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: 1.0,
            seed: 0,
        }
    }
}

/// A setting of sampling that cannot be.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{setting} is {found}, expected {expected}")]
pub struct SamplingError {
    /// The setting's name.
    pub setting: &'static str,
    /// What it may be.
    pub expected: &'static str,
    /// What it is.
    pub found: String,
}

impl Sampling {
    /// Returns whether every setting can be.
    ///
    /// # Errors
    /// If one is out of its range, or no number.
    pub fn check(&self) -> Result<(), SamplingError> {
        let number = |setting, good: bool, found: f32, expected| {
            if good {
                return Ok(());
            }
            Err(SamplingError {
                setting,
                expected,
                found: found.to_string(),
            })
        };
        let share = |it: f32| (0.0..=1.0).contains(&it);
        number(
            "temperature",
            self.temperature >= 0.0 && self.temperature.is_finite(),
            self.temperature,
            "0 or more",
        )?;
        if let Some(top_p) = self.top_p {
            let good = share(top_p) && top_p > 0.0;
            number("top-p", good, top_p, "more than 0 and at most 1")?;
        }
        if let Some(min_p) = self.min_p {
            number("min-p", share(min_p), min_p, "from 0 to 1")?;
        }
        if self.top_k == Some(0) {
            return Err(SamplingError {
                setting: "top-k",
                expected: "1 or more",
                found: "0".into(),
            });
        }
        number(
            "repetition penalty",
            self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite(),
            self.repetition_penalty,
            "more than 0",
        )
    }
}

/// Chooses the tokens of one text, one after another.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: SplitMix64,
    /// Tokens of prompt and text, each once; only kept where they are penalised.
    seen: Vec<u32>,
    is_seen: Vec<bool>,
    /// Tokens that may still be drawn, in the order of their numbers.
    tokens: Vec<u32>,
    /// `exp(logit - largest)` of the tokens that may be drawn; for others, leftovers. `(V)`.
    weights: Vec<f32>,
    blocks: Vec<f32>,
}

impl Sampler {
    /// Starts a text in a vocabulary of so many tokens.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn new(sampling: &Sampling, vocabulary: usize) -> Result<Self, SamplingError> {
        sampling.check()?;
        let penalised = sampling.repetition_penalty != 1.0;
        Ok(Self {
            random: SplitMix64::new(sampling.seed),
            seen: Vec::new(),
            is_seen: vec![false; if penalised { vocabulary } else { 0 }],
            tokens: Vec::new(),
            weights: Vec::new(),
            blocks: Vec::new(),
            sampling: sampling.clone(),
        })
    }

    /// Takes note of tokens of the prompt, or written.
    pub fn see(&mut self, tokens: &[u32]) {
        for token in tokens {
            if let Some(is_seen) = self.is_seen.get_mut(*token as usize)
                && !std::mem::replace(is_seen, true)
            {
                self.seen.push(*token);
            }
        }
    }

    /// Chooses the next token from its `logits`, `(V)`, which are used up, among those whose
    /// bit is set in `allowed` (32 tokens a word, the lowest bit first). Returns nothing if none of them has a finite logit, or one
    /// of them is infinitely large.
    pub fn choose(&mut self, logits: &mut [f32], allowed: Option<&[u32]>) -> Option<u32> {
        let penalty = self.sampling.repetition_penalty;
        for token in &self.seen {
            if let Some(logit) = logits.get_mut(*token as usize) {
                *logit = if *logit < 0.0 {
                    *logit * penalty
                } else {
                    *logit / penalty
                };
            }
        }
        if let Some(allowed) = allowed {
            forbid(logits, allowed);
        }
        if self.sampling.temperature == 0.0 {
            let largest = select::largest(logits);
            return largest
                .is_finite()
                .then(|| logits.iter().position(|logit| *logit == largest))
                .flatten()
                .map(|token| token as u32);
        }
        self.narrow(logits)?;
        let weight = |token: &u32| f64::from(self.weights[*token as usize]);
        let sum: f64 = self.tokens.iter().map(weight).sum();
        let mut left = self.random.share() * sum;
        for token in &self.tokens {
            left -= weight(token);
            if left < 0.0 {
                return Some(*token);
            }
        }
        // What rounding left over falls to the last that can be drawn at all.
        self.tokens
            .iter()
            .rev()
            .find(|token| weight(token) > 0.0)
            .copied()
    }

    /// Leaves in `tokens` those that may be drawn, with their weights; nothing if none may.
    fn narrow(&mut self, logits: &mut [f32]) -> Option<()> {
        let Sampling {
            temperature,
            top_k,
            top_p,
            min_p,
            ..
        } = self.sampling;
        if temperature != 1.0 {
            for logit in &mut *logits {
                *logit /= temperature;
            }
        }
        let largest = select::largest(logits);
        if !largest.is_finite() {
            return None;
        }
        let (tokens, weights) = (&mut self.tokens, &mut self.weights);
        if let Some(count) = top_k.filter(|count| *count < logits.len()) {
            select::top(logits, count, &mut self.blocks, tokens);
            weigh(tokens, logits, largest, weights);
            if let Some(share) = top_p {
                let sum = tokens.iter().map(|it| f64::from(weights[*it as usize]));
                let sum = sum.sum();
                keep_share(tokens, weights, sum, share);
            }
        } else if let (Some(share), None) = (min_p, top_p) {
            // What is far below the likeliest is out whatever its weight is exactly.
            let least = largest + share.ln() - 0.01;
            tokens.clear();
            tokens.extend((0..logits.len() as u32).filter(|it| logits[*it as usize] >= least));
            weigh(tokens, logits, largest, weights);
        } else {
            let sum = select::exponentials(logits, largest, weights);
            // Tokens lighter than this have less than `1 - top_p` together, however many
            // they are: they are the ones that top-p leaves out.
            let least = top_p.map_or(0.0, |share| {
                (1.0 - f64::from(share)) * sum / logits.len() as f64
            });
            let least = ((least * (1.0 - 1e-6)) as f32).max(f32::MIN_POSITIVE);
            tokens.clear();
            tokens.extend((0..logits.len() as u32).filter(|it| weights[*it as usize] >= least));
            if let Some(share) = top_p {
                keep_share(tokens, weights, sum, share);
            }
        }
        if let Some(share) = min_p {
            // The likeliest token's weight is 1.
            tokens.retain(|token| weights[*token as usize] >= share);
        }
        Some(())
    }
}

/// Writes the weights of `tokens`.
fn weigh(tokens: &[u32], logits: &[f32], largest: f32, weights: &mut Vec<f32>) {
    weights.resize(logits.len(), 0.0);
    for token in tokens {
        weights[*token as usize] = select::exp(logits[*token as usize] - largest);
    }
}

/// Makes the logits of tokens whose bit is not set in `allowed` minus infinity.
fn forbid(logits: &mut [f32], allowed: &[u32]) {
    for (word, logits) in logits.chunks_mut(32).enumerate() {
        let bits = allowed.get(word).copied().unwrap_or(0);
        if bits == u32::MAX {
            continue;
        }
        for (bit, logit) in logits.iter_mut().enumerate() {
            if bits >> bit & 1 == 0 {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}

/// Keeps the heaviest of `tokens` that together reach `share` of `sum`: each one before
/// which less has been reached. The first always stays. They stay in the order of their
/// numbers.
fn keep_share(tokens: &mut Vec<u32>, weights: &[f32], sum: f64, share: f32) {
    if share >= 1.0 {
        return;
    }
    let enough = f64::from(share) * sum;
    let mut reached = 0.0;
    let mut kept = 0;
    // Sorted a piece at a time: mostly the first few tokens are enough.
    let mut piece = 256;
    while kept < tokens.len() && reached < enough {
        let rest = &mut tokens[kept..];
        let count = piece.min(rest.len());
        if count < rest.len() {
            rest.select_nth_unstable_by(count - 1, |a, b| select::heavier(weights, *a, *b));
        }
        rest[..count].sort_unstable_by(|a, b| select::heavier(weights, *a, *b));
        for token in &rest[..count] {
            if reached >= enough {
                break;
            }
            reached += f64::from(weights[*token as usize]);
            kept += 1;
        }
        piece *= 4;
    }
    tokens.truncate(kept.max(1));
    tokens.sort_unstable();
}

/// A token, and how likely the model holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenLikelihood {
    /// The token.
    pub token: u32,
    /// The natural logarithm of its probability: 0 at most.
    pub log_probability: f32,
}

/// What the model held likely at one place, before any setting of sampling changed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihood {
    /// The token that was chosen.
    pub chosen: TokenLikelihood,
    /// The likeliest ones, likeliest first.
    pub likeliest: Vec<TokenLikelihood>,
}

/// The logarithms of a softmax, of which only a few are asked for.
#[derive(Default)]
pub(crate) struct LogSoftmax {
    weights: Vec<f32>,
    blocks: Vec<f32>,
    found: Vec<u32>,
    likeliest: Vec<TokenLikelihood>,
    largest: f32,
    log_sum: f64,
}

impl LogSoftmax {
    /// Takes `logits`, `(V)`, and keeps the `count` likeliest tokens, of equal ones those
    /// with the lower numbers.
    pub(crate) fn take(&mut self, logits: &[f32], count: usize) {
        self.largest = select::largest(logits);
        self.log_sum = select::exponentials(logits, self.largest, &mut self.weights).ln();
        select::top(logits, count, &mut self.blocks, &mut self.found);
        let logit = |token: &u32| logits[*token as usize];
        self.found
            .sort_by(|a, b| logit(b).total_cmp(&logit(a)).then(a.cmp(b)));
        self.found.truncate(count);
        let likeliest = self.found.iter().map(|token| self.of(*token, logits));
        self.likeliest = likeliest.collect();
    }

    /// Returns how likely `token` is among the `logits` that were taken.
    pub(crate) fn of(&self, token: u32, logits: &[f32]) -> TokenLikelihood {
        let above = f64::from(logits[token as usize]) - f64::from(self.largest);
        TokenLikelihood {
            token,
            log_probability: (above - self.log_sum) as f32,
        }
    }

    /// Returns the likeliest tokens.
    pub(crate) fn likeliest(&self) -> &[TokenLikelihood] {
        &self.likeliest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        vocabulary: usize,
        seen: Vec<u32>,
        settings: Settings,
        count: usize,
        shares: Vec<(u32, f64)>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        temperature: Option<f32>,
        top_k: Option<usize>,
        top_p: Option<f32>,
        min_p: Option<f32>,
        repetition_penalty: Option<f32>,
    }

    /// As `make_sampling.py` makes them.
    fn logits(vocabulary: usize) -> Vec<f32> {
        let mut logits: Vec<f32> = (0..vocabulary as u64)
            .map(|i| ((i * 2_654_435_761 % (1 << 32)) >> 8) as f32 / 1_048_576.0 - 8.0)
            .collect();
        for i in (7..vocabulary).step_by(7) {
            logits[i] = logits[i - 1];
        }
        logits
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "settings are written where it is called"
    )]
    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(&sampling, 2000).unwrap()
    }

    #[test]
    fn the_tokens_left_and_their_probabilities_are_those_of_transformers() {
        let cases = include_str!("../../tests/data/sampling.json");
        let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
        assert_eq!(cases.len(), 18);
        for case in cases {
            let settings = &case.settings;
            let mut sampler = sampler(Sampling {
                temperature: settings.temperature.unwrap_or(1.0),
                top_k: settings.top_k,
                top_p: settings.top_p,
                min_p: settings.min_p,
                repetition_penalty: settings.repetition_penalty.unwrap_or(1.0),
                seed: 1,
            });
            sampler.see(&case.seen);
            sampler.choose(&mut logits(case.vocabulary), None).unwrap();
            assert_eq!(sampler.tokens.len(), case.count, "{settings:?}");
            let weight = |token: u32| f64::from(sampler.weights[token as usize]);
            let sum: f64 = sampler.tokens.iter().map(|token| weight(*token)).sum();
            for (token, share) in case.shares {
                assert!(sampler.tokens.contains(&token), "{token} of {settings:?}");
                let found = weight(token) / sum;
                assert!(
                    (found - share).abs() <= 1e-6 * share.max(1e-3),
                    "token {token} of {settings:?}: {found}, expected {share}"
                );
            }
        }
    }

    #[test]
    fn greedy_takes_the_first_of_the_likeliest() {
        let mut greedy = sampler(Sampling::default());
        assert_eq!(greedy.choose(&mut [1.0, 3.0, 3.0], None), Some(1));
        assert_eq!(greedy.choose(&mut [1.0, 3.0, 3.0], Some(&[0b101])), Some(2));
    }

    #[test]
    fn a_penalty_counts_without_a_temperature() {
        let mut greedy = sampler(Sampling {
            repetition_penalty: 2.0,
            ..Sampling::default()
        });
        assert_eq!(greedy.choose(&mut [1.0, 3.0], None), Some(1));
        greedy.see(&[1, 1]);
        assert_eq!(greedy.choose(&mut [2.0, 3.0], None), Some(0));
    }

    #[test]
    fn numbers_without_a_largest_choose_nothing() {
        for temperature in [0.0, 1.0] {
            let mut sampler = sampler(Sampling {
                temperature,
                ..Sampling::default()
            });
            assert_eq!(sampler.choose(&mut [f32::NAN, f32::NAN], None), None);
            assert_eq!(sampler.choose(&mut [1.0, f32::INFINITY], None), None);
            assert_eq!(sampler.choose(&mut [1.0, 2.0], Some(&[0])), None);
            assert_eq!(sampler.choose(&mut [f32::NAN, 1.0], None), Some(1));
        }
    }

    #[test]
    fn a_setting_out_of_its_range_is_named() {
        let check = |sampling: Sampling, expect: &str| {
            assert_eq!(sampling.check().unwrap_err().to_string(), expect);
        };
        let sampling = Sampling::default;
        check(
            Sampling {
                temperature: -1.0,
                ..sampling()
            },
            "temperature is -1, expected 0 or more",
        );
        check(
            Sampling {
                top_p: Some(f32::NAN),
                ..sampling()
            },
            "top-p is NaN, expected more than 0 and at most 1",
        );
        check(
            Sampling {
                top_k: Some(0),
                ..sampling()
            },
            "top-k is 0, expected 1 or more",
        );
        check(
            Sampling {
                repetition_penalty: 0.0,
                ..sampling()
            },
            "repetition penalty is 0, expected more than 0",
        );
    }

    #[test]
    fn what_is_drawn_follows_the_probabilities() {
        let mut sampler = sampler(Sampling {
            temperature: 1.0,
            seed: 7,
            ..Sampling::default()
        });
        let mut drawn = [0; 3];
        for _ in 0..30_000 {
            // One, two and five parts of eight.
            let mut logits = [0.0, 2f32.ln(), 5f32.ln()];
            drawn[sampler.choose(&mut logits, None).unwrap() as usize] += 1;
        }
        for (count, share) in drawn.iter().zip([0.125, 0.25, 0.625]) {
            assert!((f64::from(*count) / 3e4 - share).abs() < 0.01, "{drawn:?}");
        }
    }

    /// The numbers of this test were drawn once; on another machine they must be the same.
    #[test]
    fn a_seed_draws_the_same_everywhere() {
        let draw = |seed, top_k, top_p| -> Vec<u32> {
            let mut sampler = sampler(Sampling {
                temperature: 1.2,
                top_k,
                top_p,
                seed,
                ..Sampling::default()
            });
            (0..6)
                .map(|_| sampler.choose(&mut logits(2000), None).unwrap())
                .collect()
        };
        assert_eq!(draw(1, None, None), [1127, 1474, 1927, 885, 885, 1508]);
        assert_eq!(draw(2, Some(50), None), [1152, 1419, 1152, 1474, 576, 720]);
        assert_eq!(draw(3, None, Some(0.9)), [220, 1386, 1207, 144, 432, 1262]);
    }

    #[test]
    fn log_probabilities_are_those_of_a_softmax() {
        let logits = [0.0, 2f32.ln(), f32::NEG_INFINITY, 5f32.ln(), 0.0];
        let mut softmax = LogSoftmax::default();
        softmax.take(&logits, 3);
        let expect = [(3, 5.0 / 9.0), (1, 2.0 / 9.0), (0, 1.0 / 9.0)];
        assert_eq!(softmax.likeliest().len(), 3);
        for (found, (token, share)) in softmax.likeliest().iter().zip(expect) {
            assert_eq!(found.token, token);
            assert!((f64::from(found.log_probability).exp() - share).abs() < 1e-6);
        }
        assert_eq!(softmax.of(2, &logits).log_probability, f32::NEG_INFINITY);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever the settings, a token is drawn that is allowed and has a logit.
        #[test]
        fn what_is_drawn_is_allowed(
            logits in prop::collection::vec(prop_oneof![
                8 => -50f32..50.0, 1 => Just(f32::NEG_INFINITY), 1 => Just(f32::NAN),
            ], 1..300),
            allowed in prop::collection::vec(any::<u32>(), 10),
            temperature in 0f32..3.0,
            top_k in prop::option::of(1usize..400),
            top_p in prop::option::of(0.01f32..=1.0),
            min_p in prop::option::of(0f32..=1.0),
            repetition_penalty in 0.5f32..2.0,
            seed in any::<u64>(),
        ) {
            let mut sampler = sampler(Sampling {
                temperature, top_k, top_p, min_p, repetition_penalty, seed,
            });
            sampler.see(&[1, 2, 3]);
            let good: Vec<u32> = (0..logits.len() as u32)
                .filter(|token| allowed[*token as usize / 32] >> (token % 32) & 1 == 1)
                .filter(|token| logits[*token as usize].is_finite())
                .collect();
            match sampler.choose(&mut logits.clone(), Some(&allowed)) {
                Some(token) => prop_assert!(good.contains(&token)),
                None => prop_assert!(good.is_empty()),
            }
        }
    }
}
