//! What is compared, and how: the `[compare]` section of `groundtune.toml`, or a file of its own.

use std::path::{Path, PathBuf};

use contract::{Share, Template};
use eval::{Metric, Situation, Weights};
use serde::{Deserialize, Serialize};

use super::{CompareError, DrillTerms, GivenAway, Tries, TuningTerms};
use crate::ConfigError;
use crate::opinion::JudgeRecipe;

/// The most questions of a drill, for a first look.
const QUICK_DRILL: usize = 12;

/// What is compared, and how. Every key but the examples has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompareRecipe {
    /// Files of questions with their answers, relative to the recipe.
    pub examples: Vec<PathBuf>,
    /// Files of questions with their answers that all are examined on, relative to the recipe.
    /// Default: none, a part of the examples.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examination: Vec<PathBuf>,
    /// The candidates. Default: all but `routed`.
    pub candidates: Vec<Arm>,
    /// Decides the split, the order of examples and what is resampled. Default: 0.
    pub seed: u64,
    /// How often each candidate that learns is taught, each time with another seed.
    /// Default: 3.
    pub seeds: usize,
    /// The part of the examples that settings are chosen on. Default: 0.2.
    pub dev: Share,
    /// The part of the examples that the candidates are examined on. Default: 0.4.
    pub test: Share,
    /// The most questions of the examination; the rest is left aside. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub questions: Option<usize>,
    /// Answered examples before a few-shot question. Default: 4.
    pub shots: usize,
    /// The most tokens of an answer. Default: 64.
    pub max_tokens: usize,
    /// How question and evidence are put to the model. Default: `spaced`.
    pub template: Template,
    /// What decides, and from which difference on.
    pub verdict: VerdictTerms,
    /// What counts beside quality, and how much, for when the verdict would flip.
    pub weights: Weights,
    /// How the winner will be used.
    pub situation: Situation,
    /// What the machine costs.
    pub prices: Prices,
    /// What becomes of passages in which a question stands with its answer beside it. Default:
    /// `leave-out`.
    pub given_away: GivenAway,
    /// How retrieval is tuned.
    pub retrieval: TuningTerms,
    /// What is tried beside the examination.
    pub drills: DrillTerms,
    /// The language model that judges the answers too, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeRecipe>,
    /// Keys of the training recipe of the candidates that learn, over the usual ones
    /// (`docs/train.md`): `tuning.rank = 16`, `steps.epochs = 5`.
    pub training: toml::Table,
}

/// What decides, written down before anything is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictTerms {
    /// The metric that decides. Default: what suits the answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// The smallest difference of it that would be acted on. Default: 0.03.
    pub smallest_difference: f64,
    /// How often a difference may be claimed where there is none. Default: 0.05.
    pub alpha: f64,
}

/// What the machine costs, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// An hour of it. Default: 0.10, two cores rented.
    pub machine_hour_usd: f64,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            machine_hour_usd: 0.10,
        }
    }
}

/// One way to adapt a model: a candidate of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The base model with the question alone.
    Prompt,
    /// The base model with a few answered examples before the question.
    FewShot,
    /// The base model with the evidence that is found for the question.
    Rag,
    /// The base model taught on the examples, with the question alone.
    FineTuned,
    /// The base model taught on the examples with what is found for each, and asked so.
    Hybrid,
    /// The base model with or without evidence, as a router says for each question.
    Routed,
}

impl Arm {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Prompt,
        Self::FewShot,
        Self::Rag,
        Self::FineTuned,
        Self::Hybrid,
        Self::Routed,
    ];

    /// Those that are compared unless others are named.
    pub const USUAL: [Self; 5] = [
        Self::Prompt,
        Self::FewShot,
        Self::Rag,
        Self::FineTuned,
        Self::Hybrid,
    ];

    /// Returns its name, as in files and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::FewShot => "few-shot",
            Self::Rag => "rag",
            Self::FineTuned => "fine-tuned",
            Self::Hybrid => "hybrid",
            Self::Routed => "routed",
        }
    }

    /// Returns whether its weights are taught.
    pub fn learns(self) -> bool {
        matches!(self, Self::FineTuned | Self::Hybrid)
    }

    /// Returns whether it is given evidence, be it for some questions.
    pub fn retrieves(self) -> bool {
        matches!(self, Self::Rag | Self::Hybrid | Self::Routed)
    }
}

impl std::fmt::Display for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Default for CompareRecipe {
    fn default() -> Self {
        Self {
            examples: Vec::new(),
            examination: Vec::new(),
            candidates: Arm::USUAL.to_vec(),
            seed: 0,
            seeds: 3,
            dev: Share::clamped(0.2),
            test: Share::clamped(0.4),
            questions: None,
            shots: 4,
            max_tokens: 64,
            template: Template::Spaced,
            verdict: VerdictTerms::default(),
            weights: Weights::default(),
            situation: Situation::default(),
            prices: Prices::default(),
            given_away: GivenAway::default(),
            retrieval: TuningTerms::default(),
            drills: DrillTerms::default(),
            judge: None,
            training: toml::Table::new(),
        }
    }
}

impl Default for VerdictTerms {
    fn default() -> Self {
        Self {
            metric: None,
            smallest_difference: 0.03,
            alpha: 0.05,
        }
    }
}

impl CompareRecipe {
    /// Reads the recipe at `path`; its paths are made whole.
    ///
    /// # Errors
    /// If the file cannot be read, or says something that is not understood.
    pub fn read(path: &Path) -> Result<Self, CompareError> {
        let text = fs_err::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut recipe: Self =
            toml::from_str(&text).map_err(|error| ConfigError::from_toml(path, &text, &error))?;
        let base = path.parent().unwrap_or(Path::new(""));
        recipe.paths_from(base);
        Ok(recipe)
    }

    /// Makes paths whole that are relative to `base`.
    pub(crate) fn paths_from(&mut self, base: &Path) {
        let drills = &mut self.drills;
        let files = self.examples.iter_mut().chain(&mut self.examination);
        let labels = self.judge.iter_mut().filter_map(|it| it.labels.as_mut());
        let files = files.chain(&mut drills.texts).chain(&mut drills.tasks);
        for path in files.chain(labels) {
            *path = base.join(&*path);
        }
    }

    /// Takes less of everything, for a first look: one seed for each candidate that learns,
    /// at most 100 questions, 12 for each drill, and few ways to find evidence.
    pub fn quick(mut self) -> Self {
        self.seeds = 1;
        self.questions = Some(self.questions.unwrap_or(100).min(100));
        self.drills.questions = self.drills.questions.min(QUICK_DRILL);
        if self.retrieval.tries == Tries::All {
            self.retrieval.tries = Tries::Few;
        }
        self
    }

    /// Takes all of everything that the recipe has less of: three seeds at least for each candidate that
    /// learns, every question, every drill, and every way to find evidence.
    pub fn full(mut self) -> Self {
        let usual = Self::default();
        self.seeds = self.seeds.max(usual.seeds);
        self.questions = None;
        self.drills.run = usual.drills.run;
        self.drills.questions = self.drills.questions.max(usual.drills.questions);
        self.retrieval.tries = Tries::All;
        self
    }

    /// Sees to it that the numbers make sense.
    ///
    /// # Errors
    /// If one does not.
    pub fn check(&self) -> Result<(), CompareError> {
        let wrong = |key: &'static str, found: String, expected: &'static str| {
            Err(CompareError::Key {
                key,
                found,
                expected,
            })
        };
        if self.candidates.is_empty() {
            return wrong("candidates", "none".into(), "at least one");
        }
        if !(1..=100).contains(&self.seeds) {
            return wrong("seeds", self.seeds.to_string(), "1 to 100");
        }
        if self.dev.get() + self.test.get() > 1.0 || self.test == Share::ZERO {
            return wrong(
                "test",
                format!("dev = {}, test = {}", self.dev, self.test),
                "shares that leave something, together at most 1, with test above 0",
            );
        }
        if self.max_tokens == 0 {
            return wrong("max_tokens", "0".into(), "at least 1");
        }
        if let Some(judge) = &self.judge {
            if judge.model.is_empty() {
                return wrong(
                    "judge.model",
                    "missing".into(),
                    "a model's name, such as `URL#MODEL`",
                );
            }
            if judge.attempts == 0 {
                return wrong("judge.attempts", "0".into(), "at least 1");
            }
        }
        let terms = &self.verdict;
        let by_judge = [Metric::JudgeGrade, Metric::JudgeGrounded].map(Some);
        if by_judge.contains(&terms.metric) && self.judge.is_none() {
            return wrong(
                "verdict.metric",
                "a judge's".into(),
                "another metric, or a judge: `[compare.judge] model = \"URL#MODEL\"`",
            );
        }
        if !(0.0..1.0).contains(&terms.smallest_difference) {
            return wrong(
                "verdict.smallest_difference",
                terms.smallest_difference.to_string(),
                "0 or more, below 1",
            );
        }
        if !(terms.alpha > 0.0 && terms.alpha < 0.5) {
            return wrong(
                "verdict.alpha",
                terms.alpha.to_string(),
                "above 0, below 0.5",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_comparison_takes_back_what_a_quick_one_leaves_out() {
        let usual = CompareRecipe::default();
        assert_eq!(usual.clone().quick().full(), usual);
        let more = CompareRecipe { seeds: 5, ..usual };
        assert_eq!(more.clone().full(), more);
    }
}
