//! What of a model is trained.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tensor::Activation;

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
    /// Low-rank parts whose ranks are divided by what they are worth (Zhang et al. 2023,
    /// arXiv:2303.10512).
    #[serde(rename = "adalora")]
    AdaLora(AdaLora),
    /// Small parts of two layers behind the model's own, which stay as they are (Houlsby et al.
    /// 2019, arXiv:1902.00751).
    Bottleneck(Bottleneck),
}

impl Tuning {
    /// Refuses what can not be.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Full => Ok(()),
            Self::Lora(lora) | Self::QLora(lora) => {
                check_low_rank(lora.rank, lora.alpha, lora.dropout)
            }
            Self::AdaLora(adalora) => adalora.check(),
            Self::Bottleneck(it) if it.reduction == 0 => {
                Err(wrong("reduction", "a whole number from 1 on", &0))
            }
            Self::Bottleneck(_) => Ok(()),
        }
    }

    /// Returns how low-rank parts are made, if they are.
    pub(crate) fn low_rank(&self) -> Option<LowRankTuning<'_>> {
        match self {
            Self::Full | Self::Bottleneck(_) => None,
            Self::Lora(lora) | Self::QLora(lora) => Some(LowRankTuning::Lora(lora)),
            Self::AdaLora(adalora) => Some(LowRankTuning::AdaLora(adalora)),
        }
    }

    /// Returns what the numbers of what comes beside the model are drawn by.
    pub(crate) fn seed(&self) -> Option<u64> {
        match self {
            Self::Full => None,
            Self::Lora(lora) | Self::QLora(lora) => Some(lora.seed),
            Self::AdaLora(adalora) => Some(adalora.seed),
            Self::Bottleneck(it) => Some(it.seed),
        }
    }

    /// Tells it of the run that it is for: `seed` draws what has no seed of its own, and
    /// there are `steps`.
    pub fn is_for(&mut self, seed: u64, steps: u64) {
        let own = match self {
            Self::Full => return,
            Self::Lora(lora) | Self::QLora(lora) => &mut lora.seed,
            Self::Bottleneck(it) => &mut it.seed,
            Self::AdaLora(adalora) => {
                adalora.steps = steps;
                &mut adalora.seed
            }
        };
        if *own == 0 {
            *own = seed;
        }
    }
}

/// How low-rank parts are made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LowRankTuning<'a> {
    Lora(&'a Lora),
    AdaLora(&'a AdaLora),
}

impl<'a> LowRankTuning<'a> {
    /// Returns which linear parts they are beside.
    pub(crate) fn targets(self) -> &'a Targets {
        match self {
            Self::Lora(lora) => &lora.targets,
            Self::AdaLora(adalora) => &adalora.targets,
        }
    }
}

/// Refuses what no low-rank part can be.
fn check_low_rank(rank: usize, alpha: f32, dropout: f32) -> Result<(), ModelError> {
    if !(1..=1 << 16).contains(&rank) {
        return Err(wrong("rank", "a number from 1 to 65536", &rank));
    }
    if !alpha.is_finite() {
        return Err(wrong("alpha", "a number", &alpha));
    }
    check_share("dropout", dropout)
}

/// Returns the error that a setting can not be what it is.
fn wrong(
    setting: &'static str,
    expected: &'static str,
    found: &dyn std::fmt::Display,
) -> ModelError {
    ModelError::TrainingSetting {
        setting,
        expected,
        found: found.to_string(),
    }
}

/// Refuses what is no share of what is left out.
pub(crate) fn check_share(setting: &'static str, share: f32) -> Result<(), ModelError> {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(wrong(setting, "a share from 0 to less than 1", &share))
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

/// Low-rank parts that begin alike and lose what is worth least: to a linear part `W x`
/// comes `s B Λ A x`, with `A` `(r, K)`, `Λ` a diagonal of `r` and `B` `(N, r)`; a rank is
/// taken away by setting its place in `Λ` to 0 (Zhang et al. 2023, arXiv:2303.10512). The
/// defaults are those of PEFT, but for what says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaLora {
    /// The ranks that are left at the end, in the mean over all parts; at least 1.
    pub rank: usize,
    /// `r`, the rank of every part at the beginning.
    pub first_rank: usize,
    /// The scale `s` is this over the first rank. Default: 24, the scale of [`Lora`]'s.
    pub alpha: f32,
    /// The share of `x` that the low-rank part does not see in a step of training, 0 to
    /// less than 1.
    pub dropout: f32,
    /// Which linear parts.
    pub targets: Targets,
    /// Steps before the first rank is taken away. Default: a tenth of the run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_steps: Option<u64>,
    /// Steps after the last one is, at least 1. Default: three tenths of the run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_steps: Option<u64>,
    /// In between, ranks are divided anew every so many steps. Default: 10.
    pub every: u64,
    /// How long a number's sensitivity is remembered.
    pub beta1: f32,
    /// How long is, how much that varies.
    pub beta2: f32,
    /// What it counts, in the loss, that `A` and `B` are not orthogonal.
    pub orthogonality: f32,
    /// What `A` and `B` are drawn by; `Λ` begins as zeros.
    pub seed: u64,
    /// The steps of the run.
    #[serde(skip)]
    pub steps: u64,
}

impl Default for AdaLora {
    fn default() -> Self {
        Self {
            rank: 8,
            first_rank: 12,
            alpha: 24.0,
            dropout: 0.0,
            targets: Targets::AllLinear,
            first_steps: None,
            last_steps: None,
            every: 10,
            beta1: 0.85,
            beta2: 0.85,
            orthogonality: 0.5,
            seed: 0,
            steps: 0,
        }
    }
}

impl AdaLora {
    /// Returns `s`, as PEFT has it.
    pub(crate) fn factor(&self) -> f32 {
        self.alpha / (self.first_rank as f32 + 1e-5)
    }

    /// Returns the steps before the first rank is taken away.
    pub fn begin(&self) -> u64 {
        self.first_steps.unwrap_or(self.steps / 10)
    }

    /// Returns the steps after the last rank is taken away.
    pub fn end(&self) -> u64 {
        self.last_steps.unwrap_or((self.steps * 3 / 10).max(1))
    }

    fn check(&self) -> Result<(), ModelError> {
        check_low_rank(self.first_rank, self.alpha, self.dropout)?;
        if !(1..=self.first_rank).contains(&self.rank) {
            let expected = "a number from 1 to `first_rank`";
            return Err(wrong("rank", expected, &self.rank));
        }
        for (setting, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(beta > 0.0 && beta < 1.0) {
                return Err(wrong(setting, "a number between 0 and 1", &beta));
            }
        }
        if !(0.0..=f32::MAX).contains(&self.orthogonality) {
            let expected = "a number from 0 on";
            return Err(wrong("orthogonality", expected, &self.orthogonality));
        }
        if self.every == 0 {
            return Err(wrong("every", "a whole number from 1 on", &self.every));
        }
        if self.end() == 0 {
            return Err(wrong("last_steps", "a whole number from 1 on", &0));
        }
        if self.begin().saturating_add(self.end()) >= self.steps {
            return Err(ModelError::NoStepsForRanks {
                first: self.begin(),
                last: self.end(),
                steps: self.steps,
            });
        }
        Ok(())
    }
}

/// Small parts behind the model's own: `U f(D x + d) + u` is added, where `D` makes `x` narrow
/// and `U` makes it wide again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bottleneck {
    /// Where they are.
    pub style: BottleneckStyle,
    /// How many times narrower it is inside than the model, at least 1. Default: 16.
    pub reduction: usize,
    /// `f`. Default: as in the style's paper, `relu` or `swish`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<BottleneckActivation>,
    /// What `D` is drawn by; `U` and both biases begin as zeros.
    pub seed: u64,
}

impl Default for Bottleneck {
    fn default() -> Self {
        Self {
            style: BottleneckStyle::default(),
            reduction: 16,
            activation: None,
            seed: 0,
        }
    }
}

impl Bottleneck {
    /// Returns how wide it is inside, in a model of `width`.
    pub(crate) fn width(&self, width: usize) -> usize {
        (width / self.reduction).max(1)
    }

    /// Returns `f`.
    pub(crate) fn activation(&self) -> BottleneckActivation {
        self.activation.unwrap_or(match self.style {
            BottleneckStyle::Pfeiffer => BottleneckActivation::Relu,
            BottleneckStyle::Houlsby => BottleneckActivation::Swish,
        })
    }
}

/// Where bottlenecks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BottleneckStyle {
    /// Behind each layer, of all that comes out of it (Pfeiffer et al. 2021,
    /// arXiv:2005.00247): AdapterHub's `seq_bn`.
    #[default]
    Pfeiffer,
    /// Behind attention and behind the feed-forward part, each of what the part gives (Houlsby
    /// et al. 2019): AdapterHub's `double_seq_bn`.
    Houlsby,
}

/// What stands between a bottleneck's products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BottleneckActivation {
    /// The positive part.
    Relu,
    /// `x σ(x)`.
    #[serde(alias = "silu")]
    Swish,
    /// `x Φ(x)`.
    Gelu,
    /// The hyperbolic tangent.
    Tanh,
}

impl BottleneckActivation {
    pub(crate) fn kernel(self) -> Activation {
        match self {
            Self::Relu => Activation::Relu,
            Self::Swish => Activation::Silu,
            Self::Gelu => Activation::Gelu,
            Self::Tanh => Activation::Tanh,
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
