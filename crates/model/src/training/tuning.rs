//! What of a model is trained.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// What of a model is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Tuning {
    /// Every number.
    #[default]
    Full,
    /// Low-rank parts beside the weights, which stay as they are and where they lie (Hu et
    /// al. 2021, arXiv:2106.09685).
    Lora(Lora),
    /// The same beside weights in 4 bits (Dettmers et al. 2023, arXiv:2305.14314).
    #[serde(rename = "qlora")]
    QLora(Lora),
}

impl Tuning {
    /// Refuses what can not be.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let (Self::Lora(lora) | Self::QLora(lora)) = self else {
            return Ok(());
        };
        let wrong = |setting, expected, found: String| ModelError::TrainingSetting {
            setting,
            expected,
            found,
        };
        if !(1..=1 << 16).contains(&lora.rank) {
            let expected = "a number from 1 to 65536";
            return Err(wrong("rank", expected, lora.rank.to_string()));
        }
        if !lora.alpha.is_finite() {
            return Err(wrong("alpha", "a number", lora.alpha.to_string()));
        }
        check_share("dropout", lora.dropout)
    }
}

/// Refuses what is no share of what is left out.
pub(crate) fn check_share(setting: &'static str, share: f32) -> Result<(), ModelError> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(ModelError::TrainingSetting {
        setting,
        expected: "a share from 0 to less than 1",
        found: share.to_string(),
    })
}

/// Low-rank parts: to a linear part `W x` comes `s B A x`, with `A` `(r, K)` and `B`
/// `(N, r)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lora {
    /// `r`, at least 1.
    pub rank: usize,
    /// The scale `s` is this over the rank, or over its root.
    pub alpha: f32,
    /// The root, by which the size of what is learnt does not fall with the rank
    /// (Kalajdzievski 2023, arXiv:2312.03732).
    pub scale: LoraScale,
    /// The share of `x` that the low-rank part does not see in a step of training, 0 to
    /// less than 1.
    pub dropout: f32,
    /// Which linear parts.
    pub targets: Targets,
    /// Whether each output's size is learnt apart from its direction (DoRA: Liu et al.
    /// 2024, arXiv:2402.09353).
    pub dora: bool,
    /// What `A` is drawn by; `B` begins as zeros.
    pub seed: u64,
}

impl Default for Lora {
    /// Rank 8, alpha 16, no dropout, all linear parts.
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            scale: LoraScale::Rank,
            dropout: 0.0,
            targets: Targets::AllLinear,
            dora: false,
            seed: 0,
        }
    }
}

impl Lora {
    /// Returns `s`.
    pub(crate) fn factor(&self) -> f32 {
        match self.scale {
            LoraScale::Rank => self.alpha / self.rank as f32,
            LoraScale::Root => self.alpha / (self.rank as f32).sqrt(),
        }
    }
}

/// What a low-rank part's alpha is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoraScale {
    /// The rank.
    #[default]
    Rank,
    /// The rank's root.
    Root,
}

/// Which linear parts of a model are adapted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// All but the head that gives the logits.
    #[default]
    AllLinear,
    /// Those whose name is one of these or ends by one after a dot: `q_proj`,
    /// `layers.0.mlp.up_proj`.
    Named(Vec<String>),
}

impl Targets {
    /// Returns whether the part called `name` is adapted.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::AllLinear => true,
            Self::Named(ends) => ends.iter().any(|end| fits(name, end)),
        }
    }

    /// Returns the error that none of a model's linear parts, `known`, is named.
    pub(crate) fn none_fits(&self, model: PathBuf, known: &[&str]) -> ModelError {
        let list = |names: &mut dyn Iterator<Item = &str>| {
            let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            quoted.join(", ")
        };
        ModelError::Targets {
            model,
            targets: match self {
                Self::AllLinear => "anything".into(),
                Self::Named(names) if names.is_empty() => "nothing".into(),
                Self::Named(names) => list(&mut names.iter().map(|name| &**name)),
            },
            known: list(&mut known.iter().copied()),
        }
    }
}

/// Returns whether `name` is `end`, or ends by it after a dot.
pub(crate) fn fits(name: &str, end: &str) -> bool {
    name.strip_suffix(end)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ends_of_names() {
        let targets = Targets::Named(vec!["q_proj".into(), "1.mlp.up".into()]);
        for (name, expect) in [
            ("model.layers.0.q_proj", true),
            ("q_proj", true),
            ("model.layers.1.mlp.up", true),
            ("model.layers.11.mlp.up", false),
            ("freq_proj", false),
        ] {
            assert_eq!(targets.has(name), expect, "{name}");
        }
        assert!(Targets::AllLinear.has("anything"));
    }

    #[test]
    fn the_scale_is_that_of_the_kind() {
        let lora = Lora {
            rank: 16,
            alpha: 8.0,
            ..Lora::default()
        };
        assert_eq!(lora.factor(), 0.5);
        let root = Lora {
            scale: LoraScale::Root,
            ..lora
        };
        assert_eq!(root.factor(), 2.0);
    }
}
