//! Rotary positions (Su et al. 2021, arXiv:2104.09864) and the ways in which models were
//! stretched to longer texts, after `modeling_rope_utils.py` of Hugging Face
//! transformers.
//!
//! All of them come down to a frequency for each pair of numbers of a head, and one
//! factor on cosine and sine. As there, they are computed in `f32`.

use std::f32::consts::TAU;

use serde::Deserialize;
use tensor::Pairs;

use super::config::Checks;
use crate::ModelError;

/// How queries and keys are rotated.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// Which numbers of a head make a pair.
    pub pairs: Pairs,
    /// `(W / 2)`, radians a token.
    pub frequencies: Vec<f32>,
    /// Times cosine and sine.
    pub factor: f32,
}

/// `rope_scaling`, or `rope_parameters` as newer files call it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Scaling {
    rope_type: Option<String>,
    /// What the oldest files call it.
    r#type: Option<String>,
    pub(super) rope_theta: Option<f32>,
    pub(super) partial_rotary_factor: Option<f32>,
    pub(super) factor: Option<f32>,
    pub(super) original_max_position_embeddings: Option<usize>,
    low_freq_factor: Option<f32>,
    high_freq_factor: Option<f32>,
    pub(super) attention_factor: Option<f32>,
    beta_fast: Option<f32>,
    beta_slow: Option<f32>,
    mscale: Option<f32>,
    mscale_all_dim: Option<f32>,
    truncate: Option<bool>,
}

impl Scaling {
    /// Returns one of this kind, its numbers still to be filled in.
    pub(super) fn of(kind: &str) -> Self {
        Self {
            rope_type: Some(kind.into()),
            ..Self::default()
        }
    }

    /// Returns the frequencies of heads of `width` numbers, and the factor on cosine and
    /// sine, for a model of `context` tokens.
    ///
    /// # Errors
    /// If the kind is not known here, or a number that it needs is missing or can not be.
    pub(super) fn frequencies(
        &self,
        checks: &Checks<'_>,
        theta: f32,
        width: usize,
        context: usize,
    ) -> Result<(Vec<f32>, f32), ModelError> {
        let positive = |key, found: Option<f32>| match found {
            Some(number) if number > 0.0 && number.is_finite() => Ok(number),
            Some(number) => Err(checks.wrong(key, "a number above 0", &number)),
            None => Err(checks.wrong(key, "a number above 0", &"missing")),
        };
        let theta = positive("rope_theta", Some(theta))?;
        if !width.is_multiple_of(2) {
            return Err(checks.wrong("head_dim", "an even number", &width));
        }
        if let Some(part) = self.partial_rotary_factor
            && part != 1.0
        {
            return Err(checks.wrong("partial_rotary_factor", "`1`", &part));
        }
        let plain: Vec<f32> = (0..width / 2)
            .map(|pair| 1.0 / theta.powf(2.0 * pair as f32 / width as f32))
            .collect();
        let kind = self.rope_type.as_deref().or(self.r#type.as_deref());
        let original = self.original_max_position_embeddings.unwrap_or(context);
        Ok(match kind.unwrap_or("default") {
            // With `dynamic`, frequencies change only beyond `max_position_embeddings`
            // tokens, which is where the context ends here.
            "default" | "none" | "dynamic" => (plain, 1.0),
            "linear" => {
                let factor = positive("factor", self.factor)?;
                (plain.iter().map(|it| it / factor).collect(), 1.0)
            }
            "llama3" => {
                let factor = positive("factor", self.factor)?;
                let low = positive("low_freq_factor", self.low_freq_factor)?;
                let high = positive("high_freq_factor", self.high_freq_factor)?;
                let stretch = |frequency: &f32| {
                    let wavelength = TAU / frequency;
                    if wavelength > original as f32 / low {
                        frequency / factor
                    } else if wavelength < original as f32 / high {
                        *frequency
                    } else {
                        let smooth = (original as f32 / wavelength - low) / (high - low);
                        (1.0 - smooth) * frequency / factor + smooth * frequency
                    }
                };
                (plain.iter().map(stretch).collect(), 1.0)
            }
            "yarn" => {
                let factor = match self.factor {
                    Some(factor) => positive("factor", Some(factor))?,
                    None => context as f32 / original.max(1) as f32,
                };
                (
                    self.yarn(&plain, theta, factor, original),
                    self.yarn_factor(factor),
                )
            }
            other => {
                let known = "`default`, `linear`, `dynamic`, `llama3` or `yarn`";
                return Err(checks.wrong("rope_type", known, &other));
            }
        })
    }

    /// YaRN (Peng et al. 2023, arXiv:2309.00071, §3.2): fast pairs stay, slow ones are
    /// interpolated, those between are mixed.
    fn yarn(&self, plain: &[f32], theta: f32, factor: f32, original: usize) -> Vec<f32> {
        let width = plain.len() * 2;
        // In `f64`, as Python computes it.
        let pair_of = |rotations: f32| {
            let turns = original as f64 / (f64::from(rotations) * std::f64::consts::TAU);
            width as f64 * turns.ln() / (2.0 * f64::from(theta).ln())
        };
        let given = |number: Option<f32>, or: f32| number.filter(|it| *it != 0.0).unwrap_or(or);
        let mut low = pair_of(given(self.beta_fast, 32.0));
        let mut high = pair_of(given(self.beta_slow, 1.0));
        if self.truncate.unwrap_or(true) {
            (low, high) = (low.floor(), high.ceil());
        }
        let low = low.max(0.0);
        let mut high = high.min(width as f64 - 1.0);
        if low == high {
            high += 0.001;
        }
        let (low, high) = (low as f32, (high - low) as f32);
        plain
            .iter()
            .enumerate()
            .map(|(pair, frequency)| {
                let slow = ((pair as f32 - low) / high).clamp(0.0, 1.0);
                frequency / factor * slow + frequency * (1.0 - slow)
            })
            .collect()
    }

    /// YaRN's factor on cosine and sine (§3.4).
    fn yarn_factor(&self, factor: f32) -> f32 {
        let size = |scale: f32| {
            if factor <= 1.0 {
                1.0
            } else {
                0.1 * scale * factor.ln() + 1.0
            }
        };
        let given = |number: Option<f32>| number.filter(|it| *it != 0.0);
        self.attention_factor.unwrap_or_else(|| {
            match (given(self.mscale), given(self.mscale_all_dim)) {
                (Some(above), Some(below)) => size(above) / size(below),
                _ => size(1.0),
            }
        })
    }
}

impl Rotary {
    /// Sets `cosines` and `sines`, `(T, W / 2)`, for tokens that follow one another from
    /// `position` on.
    pub(crate) fn angles(&self, position: usize, cosines: &mut [f32], sines: &mut [f32]) {
        let pairs = self.frequencies.len();
        let rows = cosines
            .chunks_exact_mut(pairs)
            .zip(sines.chunks_exact_mut(pairs));
        for (token, (cosines, sines)) in rows.enumerate() {
            let position = (position + token) as f32;
            for ((frequency, cosine), sine) in self.frequencies.iter().zip(cosines).zip(sines) {
                let (s, c) = (position * frequency).sin_cos();
                (*cosine, *sine) = (c * self.factor, s * self.factor);
            }
        }
    }
}

/// Brings rows of queries or keys from the order of a Llama's GGUF file back into that of
/// Hugging Face's files: what undoes [`neighbours`].
pub(crate) fn halves(rows: &[f32], heads: usize, width: usize) -> Vec<f32> {
    let half = rows.len() / width / heads / 2;
    let mut turned = Vec::with_capacity(rows.len());
    for head in 0..heads {
        for side in 0..2 {
            for pair in 0..half {
                let row = (head * half + pair) * 2 + side;
                turned.extend(&rows[row * width..][..width]);
            }
        }
    }
    turned
}

/// Brings rows of queries or keys, `(N, width)` of so many heads, from the order of Hugging
/// Face's files into that of a Llama's GGUF file, where the numbers that are rotated
/// together are neighbours: the halves of each head turn about.
pub(crate) fn neighbours(rows: &[f32], heads: usize, width: usize) -> Vec<f32> {
    let half = rows.len() / width / heads / 2;
    let mut turned = Vec::with_capacity(rows.len());
    for head in 0..heads {
        for pair in 0..half {
            for side in 0..2 {
                let row = (head * 2 + side) * half + pair;
                turned.extend(&rows[row * width..][..width]);
            }
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        config: Config,
        head_width: usize,
        frequencies: Vec<f32>,
        factor: f32,
    }

    #[derive(Deserialize)]
    struct Config {
        rope_theta: f32,
        max_position_embeddings: usize,
        rope_scaling: Option<Scaling>,
    }

    /// Compares with transformers; see `make_decoders.py`.
    #[test]
    fn frequencies_are_those_of_transformers() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/data/decoders/rope.json")).unwrap();
        assert_eq!(cases.len(), 8);
        let checks = Checks {
            path: Path::new("config.json"),
        };
        for case in cases {
            let scaling = case.config.rope_scaling.unwrap_or_default();
            let (frequencies, factor) = scaling
                .frequencies(
                    &checks,
                    case.config.rope_theta,
                    case.head_width,
                    case.config.max_position_embeddings,
                )
                .unwrap();
            assert!((factor - case.factor).abs() < 1e-6, "{scaling:?}: {factor}");
            assert_eq!(frequencies.len(), case.frequencies.len());
            for (found, expect) in frequencies.iter().zip(&case.frequencies) {
                let error = (found - expect).abs() / expect;
                assert!(error < 1e-5, "{scaling:?}: {found} is not {expect}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let refused = |text: &str| {
            let scaling: Scaling = serde_json::from_str(text).unwrap();
            let checks = Checks {
                path: Path::new("config.json"),
            };
            scaling
                .frequencies(&checks, 1e4, 8, 64)
                .unwrap_err()
                .to_string()
        };
        for (text, expect) in [
            (
                r#"{"rope_type":"longrope"}"#,
                "`rope_type` in `config.json` is `longrope`, expected `default`, `linear`, `dynamic`, `llama3` or `yarn`",
            ),
            (
                r#"{"type":"linear"}"#,
                "`factor` in `config.json` is `missing`, expected a number above 0",
            ),
            (
                r#"{"rope_type":"linear","factor":0}"#,
                "`factor` in `config.json` is `0`, expected a number above 0",
            ),
            (
                r#"{"partial_rotary_factor":0.5}"#,
                "`partial_rotary_factor` in `config.json` is `0.5`, expected `1`",
            ),
        ] {
            assert_eq!(refused(text), expect);
        }
    }
}
