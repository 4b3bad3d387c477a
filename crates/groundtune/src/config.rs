//! `groundtune.toml`: what a project reads, cuts, indexes and answers with.
//!
//! Every key has a default and a key nobody knows is an error: a misspelt
//! `threshold` that is silently ignored would change every answer. The text that
//! `groundtune init` writes ([`TEMPLATE`]) names each key with its default, and a
//! test holds the two together.

mod byte_size;
mod error;
mod fusion;
mod pattern;

use std::path::Path;
use std::str::FromStr;

use contract::{Bytes, Group, Permissions, Share};
use corpus::Chunker;
use search::keyword::LanguageChoice;
use serde::{Deserialize, Deserializer};

use crate::compare::CompareRecipe;
use crate::models::{ModelReference, Precision};
use crate::route::Routing;

pub use error::ConfigError;
pub use fusion::Fusion;
pub use pattern::Pattern;
pub use search::Unsupported;
pub use search::vector::Metric;

/// The name of a project's configuration file.
pub const FILE_NAME: &str = "groundtune.toml";

/// The commented configuration that a new project starts with. It parses to
/// [`Config::default`].
pub const TEMPLATE: &str = include_str!("config/template.toml");

/// A project's configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which files are documents.
    pub documents: Documents,
    /// Who may read which of them. See [`Config::permissions`].
    pub access: Vec<Access>,
    /// How documents are cut into the chunks that are found and cited.
    pub chunk: Chunker,
    /// How words are matched.
    pub keyword: Keyword,
    /// How vectors are compared and indexed.
    pub vector: Vector,
    /// How much evidence is found, and how good it must be.
    pub retrieval: Retrieval,
    /// The models that help.
    pub models: Models,
    /// How question and evidence are put to a model.
    pub prompt: Prompt,
    /// How a model's answer is written and checked.
    pub answer: Answer,
    /// Which questions are answered from the documents, and which by the model alone.
    pub route: Route,
    /// What `groundtune compare` compares, and how.
    pub compare: CompareRecipe,
}

/// Which files are documents.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Documents {
    /// The files and folders to read, relative to the project. Default: the
    /// project itself.
    pub paths: Vec<String>,
    /// If not empty, only files that match one of these. Default: empty, every
    /// file of a known format.
    pub include: Vec<Pattern>,
    /// Files and folders that are not read, whatever `include` says. Default: none.
    pub exclude: Vec<Pattern>,
    /// Larger files are passed over with a warning. Default: 256 MiB.
    #[serde(deserialize_with = "byte_size::deserialize")]
    pub max_file_size: Bytes,
}

/// One rule of who may read what.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The files it is about.
    pub path: Pattern,
    /// The groups that may read them. An empty list: nobody.
    pub groups: Vec<Group>,
}

/// How words are matched: BM25's two constants and the language of the stems.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keyword {
    /// How soon a repeated word stops counting; 0 or more. Default: 1.5.
    #[serde(deserialize_with = "not_negative")]
    pub k1: f64,
    /// How much a long chunk is marked down for its length. Default: 0.75.
    pub b: Share,
    /// Whose endings are taken off words. Default: each document in its own.
    pub language: LanguageChoice,
}

/// How vectors are compared and indexed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vector {
    /// What makes two vectors near. Default: cosine. Others than cosine, dot and
    /// Euclidean are looked up by comparing every vector.
    pub metric: Metric,
    /// How near ones are looked up. Default: auto.
    pub index: VectorIndex,
    /// Links of each node of the HNSW graph; from 2 to 256. Default: 16.
    #[serde(deserialize_with = "within::<2, 256, _>")]
    pub m: usize,
    /// Candidates kept while the graph is built; from 1 to 65,536. Default: 128.
    #[serde(deserialize_with = "within::<1, 65_536, _>")]
    pub ef_construction: usize,
    /// Candidates kept while the graph is searched; from 1 to 65,536. Default: 100.
    #[serde(deserialize_with = "within::<1, 65_536, _>")]
    pub ef: usize,
}

/// How near vectors are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorIndex {
    /// Exact while the store is small, HNSW once it is large.
    #[default]
    Auto,
    /// Every vector is compared: slowest, and never wrong.
    Exact,
    /// Every vector is compared as 8-bit codes, the best again as written.
    Int8,
    /// A graph is walked.
    Hnsw,
    /// Only the nearest clusters are compared.
    Ivf,
    /// Product-quantised codes are compared: smallest, least exact.
    Pq,
    /// One bit a dimension, the best compared again as written.
    Binary,
}

/// How much evidence is found, and how good it must be.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retrieval {
    /// The most chunks that answer a question; from 1 to 10,000. Default: 5.
    #[serde(deserialize_with = "within::<1, 10_000, _>")]
    pub top_k: usize,
    /// Evidence that scores less is not evidence. Default: 0.7.
    pub threshold: Share,
    /// How the keyword and the vector ranking become one. Default: by score.
    pub fusion: Fusion,
    /// If set, how much a chunk's own score counts against its likeness to those
    /// already chosen (maximal marginal relevance; 1 is the score alone).
    /// Default: off.
    #[serde(deserialize_with = "off_or_share")]
    pub mmr: Option<Share>,
    /// Whether a question asked again is answered from memory, as long as no
    /// document changed. Default: yes.
    pub cache: bool,
}

/// The models that help. Without any, evidence is found by its words and an answer is
/// made of its sentences.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// The model that makes vectors of chunks and questions. Default: the built-in one.
    pub embedder: ModelReference,
    /// In what it multiplies, if it is a transformer on this machine. Default: `high`.
    pub embedder_precision: Precision,
    /// The cross-encoder that judges what was found. Default: none.
    pub reranker: ModelReference,
    /// The model that writes the answer. Default: none.
    pub generator: ModelReference,
}

/// How question and evidence are put to a model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prompt {
    /// The wording. Default: `cited`.
    pub template: contract::Template,
}

/// How a model's answer is written and checked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// The most tokens an answer has; from 1 to 1,000,000. Default: 512.
    #[serde(deserialize_with = "within::<1, 1_000_000, _>")]
    pub max_tokens: usize,
    /// What becomes of a sentence that the evidence does not say. Default: marked.
    pub unsupported: Unsupported,
}

/// Which questions are answered from the documents, and which by the model alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// How it is decided. Default: all are answered from the documents.
    pub by: Routing,
    /// How a question is put to a model that answers alone. Default: `creative`.
    pub template: contract::Template,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            by: Routing::default(),
            template: contract::Template::Creative,
        }
    }
}

impl Default for Prompt {
    fn default() -> Self {
        Self {
            template: contract::Template::Cited,
        }
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            max_tokens: 512,
            unsupported: Unsupported::default(),
        }
    }
}

impl Default for Models {
    fn default() -> Self {
        Self {
            embedder: ModelReference::BuiltIn,
            embedder_precision: Precision::default(),
            reranker: ModelReference::None,
            generator: ModelReference::None,
        }
    }
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            paths: vec![".".into()],
            include: Vec::new(),
            exclude: Vec::new(),
            max_file_size: Bytes(256 << 20),
        }
    }
}

impl Default for Keyword {
    fn default() -> Self {
        Self {
            k1: 1.5,
            b: Share::clamped(0.75),
            language: LanguageChoice::Auto,
        }
    }
}

impl Default for Vector {
    fn default() -> Self {
        Self {
            metric: Metric::default(),
            index: VectorIndex::default(),
            m: 16,
            ef_construction: 128,
            ef: 100,
        }
    }
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            top_k: 5,
            threshold: Share::clamped(0.7),
            fusion: Fusion::default(),
            mmr: None,
            cache: true,
        }
    }
}

impl Config {
    /// Reads the configuration at `path`.
    ///
    /// Fails if the file cannot be read, is not TOML, or says something that is
    /// not understood; the error names the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs_err::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Parses `text`; errors name it as `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::from_toml(path, text, &error))
    }

    /// Returns who may read the file at `path` (relative to the project, `/`
    /// between the parts) as far as the rules under `[[access]]` say.
    ///
    /// Where several rules match, only groups named by all of them may read: a
    /// rule can take readers away and never adds any, so no rule opens by accident
    /// what another one closed, in whatever order they stand. Rules that share no
    /// group leave nobody. Where none matches, everyone may.
    pub fn permissions(&self, path: &str) -> Permissions {
        self.access
            .iter()
            .filter(|rule| rule.path.matches(path))
            .fold(Permissions::Everyone, |so_far, rule| {
                narrow(
                    so_far,
                    Permissions::Groups(rule.groups.iter().cloned().collect()),
                )
            })
    }
}

impl FromStr for Config {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text, Path::new(FILE_NAME))
    }
}

/// Returns permissions that allow nobody whom `first` or `second` does not allow.
///
/// Where both name groups, those named by both remain. (A reader in one group of
/// each could be allowed too; sets of groups cannot say so, and the narrower
/// answer is the safe one.)
pub fn narrow(first: Permissions, second: Permissions) -> Permissions {
    match (first, second) {
        (Permissions::Everyone, other) | (other, Permissions::Everyone) => other,
        (Permissions::Groups(first), Permissions::Groups(second)) => {
            Permissions::Groups(first.intersection(&second).cloned().collect())
        }
    }
}

/// A whole number from `LEAST` to `MOST`.
fn within<'de, const LEAST: usize, const MOST: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<usize, D::Error> {
    let value = usize::deserialize(deserializer)?;
    if (LEAST..=MOST).contains(&value) {
        Ok(value)
    } else {
        Err(serde::de::Error::custom(format_args!(
            "{value} is out of range: it must be from {LEAST} to {MOST}"
        )))
    }
}

fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(serde::de::Error::custom(format_args!(
            "{value} is out of range: it must be 0 or more"
        )))
    }
}

/// `false`, or a number from 0 to 1.
fn off_or_share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Share>, D::Error> {
    struct Visitor;

    impl serde::de::Visitor<'_> for Visitor {
        type Value = Option<Share>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("`false` or a number from 0 to 1")
        }

        fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<Self::Value, E> {
            if on {
                Err(E::invalid_value(serde::de::Unexpected::Bool(on), &self))
            } else {
                Ok(None)
            }
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
            self.visit_f64(value as f64)
        }

        fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
            Share::new(value)
                .map(Some)
                .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(value), &self))
        }
    }

    deserializer.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_the_defaults() {
        assert_eq!(TEMPLATE.parse::<Config>().unwrap(), Config::default());
    }

    #[test]
    fn the_template_with_every_example_uncommented_still_parses() {
        let examples: String = TEMPLATE
            .lines()
            .map(|line| line.strip_prefix("#| ").unwrap_or(line).to_owned() + "\n")
            .collect();
        let config: Config = examples.parse().unwrap();
        assert_eq!(config.access.len(), 1);
    }

    fn check(text: &str, expect: &str) {
        let error = text.parse::<Config>().unwrap_err();
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_the_nearest_known_one() {
        check(
            "[retrieval]\ntop_k = 3\ntreshold = 0.5\n",
            "`groundtune.toml`, line 3: unknown key `treshold` in `[retrieval]`",
        );
        let error = "[retrieval]\ntreshold = 0.5\n"
            .parse::<Config>()
            .unwrap_err();
        assert_eq!(
            error.hint().as_deref(),
            Some(
                "did you mean `threshold`? Known here: `top_k`, `threshold`, `fusion`, `mmr`, `cache`"
            )
        );
        check(
            "[retreival]\n",
            "`groundtune.toml`, line 1: unknown key `retreival`",
        );
        check(
            "[retrieval]\nfusion = { method = \"rrf\", rrfk = 3 }\n",
            "`groundtune.toml`, line 2: unknown key `rrfk` in `fusion`",
        );
    }

    #[test]
    fn the_chunkers_keys_are_known_by_its_method() {
        let config: Config = "[chunk]\nmethod = \"fixed\"\nwords = 50\n".parse().unwrap();
        assert_eq!(
            config.chunk,
            Chunker::Fixed {
                words: 50,
                overlap: 40
            }
        );
        check(
            "[chunk]\nmethod = \"fixed\"\nword = 50\n",
            "`groundtune.toml`, line 3: unknown key `word` in `[chunk]`",
        );
        check(
            "[chunk]\nmethod = \"sections\"\n",
            "`groundtune.toml`, line 2: `method` cannot be `sections`",
        );
        check(
            "[chunk]\nmax_words = 50\n",
            "`groundtune.toml`, line 1: `method` is missing in `[chunk]`",
        );
    }

    #[test]
    fn an_unknown_choice_names_the_choices() {
        let error = "[vector]\nindex = \"hsnw\"\n"
            .parse::<Config>()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`groundtune.toml`, line 2: `index` cannot be `hsnw`"
        );
        assert!(
            error
                .hint()
                .unwrap()
                .starts_with("did you mean `hnsw`? Known here: `auto`")
        );
    }

    #[test]
    fn a_wrong_type_names_what_was_expected() {
        check(
            "[retrieval]\ntop_k = \"five\"\n",
            "`groundtune.toml`, line 2: `top_k` must be a whole number, found the text \"five\"",
        );
        check(
            "[retrieval]\ntop_k = -1\n",
            "`groundtune.toml`, line 2: `top_k` must be a whole number, 0 or more, found the number -1",
        );
        check(
            "[retrieval]\ncache = 1\n",
            "`groundtune.toml`, line 2: `cache` must be `true` or `false`, found the number 1",
        );
        check(
            "[documents]\npaths = \"docs\"\n",
            "`groundtune.toml`, line 2: `paths` must be a list, found the text \"docs\"",
        );
        check(
            "[retrieval]\nmmr = true\n",
            "`groundtune.toml`, line 2: `mmr` must be `false` or a number from 0 to 1, found `true`",
        );
    }

    #[test]
    fn a_number_out_of_range_says_the_range() {
        check(
            "[retrieval]\ntop_k = 0\n",
            "`groundtune.toml`, line 2: `top_k`: 0 is out of range: it must be from 1 to 10000",
        );
        check(
            "[retrieval]\nthreshold = 7.0\n",
            "`groundtune.toml`, line 2: `threshold`: 7 is not a share: it must be from 0 to 1",
        );
        check(
            "[keyword]\nk1 = -0.5\n",
            "`groundtune.toml`, line 2: `k1`: -0.5 is out of range: it must be 0 or more",
        );
    }

    #[test]
    fn what_is_missing_or_not_toml_is_named() {
        check(
            "[[access]]\npath = \"hr/**\"\n",
            "`groundtune.toml`, line 1: `groups` is missing in `[[access]]`",
        );
        let error = "[retrieval\n".parse::<Config>().unwrap_err();
        assert!(
            error.to_string().starts_with("`groundtune.toml`, line 1: "),
            "{error}"
        );
    }

    #[test]
    fn both_ways_to_write_fusion_and_mmr_work() {
        let config: Config = "[retrieval]\nfusion = \"weighted\"\nmmr = 0.5\n"
            .parse()
            .unwrap();
        assert_eq!(config.retrieval.fusion, Fusion::weighted());
        assert_eq!(config.retrieval.mmr, Share::new(0.5));
        let config: Config = "[retrieval]\nfusion = { method = \"rrf\", vector = 2 }\n"
            .parse()
            .unwrap();
        assert_eq!(
            config.retrieval.fusion,
            Fusion::Rrf {
                rrf_k: 60.0,
                keyword: 1.0,
                vector: 2.0
            }
        );
    }

    #[test]
    fn exclude_wins_over_include() {
        let config: Config = "[documents]\ninclude = [\"**/*.md\"]\nexclude = [\"drafts\"]\n"
            .parse()
            .unwrap();
        for (path, expect) in [
            ("a.md", true),
            ("docs/a.md", true),
            ("docs/a.txt", false),
            ("drafts/a.md", false),
        ] {
            assert_eq!(config.documents.takes(path), expect, "{path}");
        }
        assert!(Config::default().documents.takes("anything"));
    }

    fn access(rules: &[(&str, &[&str])], path: &str) -> Permissions {
        let config = Config {
            access: rules
                .iter()
                .map(|(path, groups)| Access {
                    path: Pattern::try_from((*path).to_owned()).unwrap(),
                    groups: groups.iter().map(|group| Group((*group).into())).collect(),
                })
                .collect(),
            ..Config::default()
        };
        config.permissions(path)
    }

    fn groups(names: &[&str]) -> Permissions {
        Permissions::Groups(names.iter().map(|name| Group((*name).into())).collect())
    }

    #[test]
    fn rules_only_ever_take_readers_away() {
        let rules: &[(&str, &[&str])] = &[
            ("hr/**", &["hr", "board"]),
            ("hr/pay/**", &["board", "finance"]),
            ("board", &["board"]),
        ];
        assert_eq!(access(rules, "faq.md"), Permissions::Everyone);
        assert_eq!(access(rules, "hr/leave.md"), groups(&["board", "hr"]));
        assert_eq!(access(rules, "hr/pay/2026.csv"), groups(&["board"]));
        assert_eq!(access(rules, "board/minutes/may.md"), groups(&["board"]));
        assert_eq!(
            access(&[("**", &["a"]), ("x.md", &["b"])], "x.md"),
            groups(&[])
        );
    }
}
