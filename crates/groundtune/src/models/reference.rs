//! Which model is meant: as it is written in `groundtune.toml` and after `--model`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use thiserror::Error as ThisError;

/// A model that is named: in `groundtune.toml` or on the command line.
///
/// Written as text: `"none"`, `"built-in"`, a folder or a `.gguf` file, a name on the
/// hub (`org/name`, `org/name@revision`, `org/name:Q4_K_M`) or in the package index
/// (`pypi:name`). Or as a table: a model that a server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModelReference {
    /// No model.
    #[default]
    None,
    /// The one that groundtune brings along.
    BuiltIn,
    /// A folder, a file, or a name in the cache. Which of them is seen when it is looked for.
    Named(String),
    /// One that a server runs.
    Server(ModelServer),
}

impl ModelReference {
    /// Returns the same reference for a project in another folder: a path from `base` is made
    /// whole.
    ///
    /// # Errors
    /// If the current folder is not known.
    pub(crate) fn with_whole_path(&self, base: &std::path::Path) -> std::io::Result<Self> {
        Ok(match self {
            Self::Named(path) if base.join(path).exists() => {
                let whole = std::path::absolute(base.join(path))?;
                Self::Named(whole.to_string_lossy().into_owned())
            }
            other => other.clone(),
        })
    }

    /// Returns how much the vector ranking of this embedder counts in fusion by score,
    /// unless the configuration says it. A transformer's likenesses can be relied on more
    /// than those of a static table: chosen on questions about health, research and
    /// financial reports, with the figures in `docs/bench/retrieval.md`.
    pub(crate) fn vector_factor(&self) -> f64 {
        match self {
            Self::None | Self::BuiltIn => 1.0,
            Self::Named(name) if name.ends_with(".gtstatic") => 1.0,
            Self::Named(_) | Self::Server(_) => 1.5,
        }
    }
}

/// A model that a server runs, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelServer {
    /// Where the server's interface begins: `http://localhost:8000/v1`.
    pub url: String,
    /// What the server calls the model.
    pub model: String,
    /// The environment variable that holds the server's key, if it wants one.
    pub key_env: Option<String>,
    /// How long to wait for a connection. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long to wait for the next part of an answer. Default: 120 s.
    pub timeout: Duration,
    /// How often a request that failed is tried again. Default: 4.
    pub retries: u32,
    /// What an embedder wants before a question. Default: nothing.
    pub question_prefix: String,
    /// What an embedder wants before a passage. Default: nothing.
    pub passage_prefix: String,
}

/// Why a text or table names no model.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum ReferenceError {
    /// There is no text.
    #[error("the model's name is empty; `none` means no model")]
    Empty,
    /// A server's address is not one.
    #[error("`{url}` is not a server's address: expected `http://` or `https://`")]
    Address {
        /// As written.
        url: String,
    },
    /// A key stands in the address.
    #[error(
        "the address of {host} holds a user or a key; keep it out of files: put it in an environment variable and name that with `key_env`"
    )]
    KeyInAddress {
        /// The server, without what came before it.
        host: String,
    },
    /// A key stands where its variable's name should.
    #[error(
        "`key_env` is the name of an environment variable, such as `OPENAI_API_KEY`, never the key itself: what stands there is none"
    )]
    KeyNotVariable,
    /// A key stands in the configuration.
    #[error(
        "`{field}` may not stand in this file, which others read: put the key in an environment variable and name that with `key_env = \"OPENAI_API_KEY\"`"
    )]
    KeyInFile {
        /// The field.
        field: &'static str,
    },
    /// The address does not say which model.
    #[error("`{url}` does not say which model: write `{url}#MODEL`")]
    NoModel {
        /// As written.
        url: String,
    },
}

const CONNECT_TIMEOUT_S: f64 = 10.0;
const TIMEOUT_S: f64 = 120.0;
const LONGEST_TIMEOUT_S: f64 = 86_400.0;
const RETRIES: u32 = 4;
const MOST_RETRIES: u32 = 20;

impl ModelServer {
    /// Returns the model that the server at `url` calls `model`, with every default.
    ///
    /// # Errors
    /// If `url` is not `http` or `https`, or holds a user or a key.
    pub fn new(url: &str, model: &str) -> Result<Self, ReferenceError> {
        let after = ["http://", "https://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .filter(|host| !host.is_empty() && !host.starts_with('/'))
            .ok_or_else(|| ReferenceError::Address {
                url: without_user(url),
            })?;
        let authority = after.split(['/', '?', '#']).next().unwrap_or(after);
        if let Some((_, host)) = authority.rsplit_once('@') {
            return Err(ReferenceError::KeyInAddress { host: host.into() });
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            model: model.to_owned(),
            key_env: None,
            connect_timeout: Duration::from_secs_f64(CONNECT_TIMEOUT_S),
            timeout: Duration::from_secs_f64(TIMEOUT_S),
            retries: RETRIES,
            question_prefix: String::new(),
            passage_prefix: String::new(),
        })
    }
}

/// Returns `url` without whatever stands before an `@`.
fn without_user(url: &str) -> String {
    url.rsplit('@').next().unwrap_or(url).to_owned()
}

impl FromStr for ModelReference {
    type Err = ReferenceError;

    /// A server is written `URL#MODEL` here; a table can say more.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let text = text.trim();
        Ok(match text {
            "" => return Err(ReferenceError::Empty),
            "none" => Self::None,
            "built-in" => Self::BuiltIn,
            _ if text.contains("://") => {
                let (url, model) = text.split_once('#').unwrap_or((text, ""));
                let server = ModelServer::new(url, model)?;
                if model.is_empty() {
                    return Err(ReferenceError::NoModel { url: url.into() });
                }
                Self::Server(server)
            }
            _ => Self::Named(text.to_owned()),
        })
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::BuiltIn => f.write_str("built-in"),
            Self::Named(name) => f.write_str(name),
            Self::Server(server) => write!(f, "{}#{}", server.url, server.model),
        }
    }
}

/// A server's table as it is written. The fields that hold keys are known only to be
/// refused with what to do instead.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: String,
    model: String,
    key_env: Option<String>,
    connect_timeout_s: Option<f64>,
    timeout_s: Option<f64>,
    retries: Option<u32>,
    #[serde(default)]
    question_prefix: String,
    #[serde(default)]
    passage_prefix: String,
    key: Option<serde::de::IgnoredAny>,
    api_key: Option<serde::de::IgnoredAny>,
    token: Option<serde::de::IgnoredAny>,
}

impl Table {
    fn into_server<E: Error>(self) -> Result<ModelServer, E> {
        for (field, written) in [
            ("key", self.key),
            ("api_key", self.api_key),
            ("token", self.token),
        ] {
            if written.is_some() {
                return Err(E::custom(ReferenceError::KeyInFile { field }));
            }
        }
        if self.model.trim().is_empty() {
            return Err(E::custom(
                "`model` is empty: it is what the server calls it",
            ));
        }
        if let Some(name) = &self.key_env
            && !is_variable(name)
        {
            return Err(E::custom(ReferenceError::KeyNotVariable));
        }
        let seconds = |name: &str, written: Option<f64>, default: f64| {
            let value = written.unwrap_or(default);
            if value > 0.0 && value <= LONGEST_TIMEOUT_S {
                Ok(Duration::from_secs_f64(value))
            } else {
                Err(E::custom(format_args!(
                    "`{name}` = {value} is out of range: it must be more than 0 and at most {LONGEST_TIMEOUT_S} seconds"
                )))
            }
        };
        let retries = self.retries.unwrap_or(RETRIES);
        if retries > MOST_RETRIES {
            return Err(E::custom(format_args!(
                "`retries` = {retries} is out of range: it must be from 0 to {MOST_RETRIES}"
            )));
        }
        let server = ModelServer::new(&self.url, &self.model).map_err(E::custom)?;
        Ok(ModelServer {
            key_env: self.key_env,
            connect_timeout: seconds(
                "connect_timeout_s",
                self.connect_timeout_s,
                CONNECT_TIMEOUT_S,
            )?,
            timeout: seconds("timeout_s", self.timeout_s, TIMEOUT_S)?,
            retries,
            question_prefix: self.question_prefix,
            passage_prefix: self.passage_prefix,
            ..server
        })
    }
}

/// Returns whether `name` may be an environment variable's, and does not look like a
/// key: those have small letters and dashes, which names of variables do not.
fn is_variable(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

impl<'de> Deserialize<'de> for ModelReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = ModelReference;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model's name in quotes or a table with `url` and `model`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ModelReference, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelReference, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map))?
                    .into_server()
                    .map(ModelReference::Server)
            }
        }

        deserializer.deserialize_any(TextOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_a_model() {
        for (text, expect) in [
            ("none", Some(ModelReference::None)),
            ("built-in", Some(ModelReference::BuiltIn)),
            ("org/name", Some(ModelReference::Named("org/name".into()))),
            ("./m.gguf", Some(ModelReference::Named("./m.gguf".into()))),
            (" ", None),
            ("ftp://a/b#c", None),
            ("http://#c", None),
            ("http://localhost:8000/v1", None),
        ] {
            assert_eq!(text.parse().ok(), expect, "{text}");
        }
        let server: ModelReference = "http://localhost:8000/v1/#qwen3:4b".parse().unwrap();
        assert_eq!(server.to_string(), "http://localhost:8000/v1#qwen3:4b");
    }

    fn server(fields: &str) -> Result<ModelReference, String> {
        #[derive(Debug, Deserialize)]
        struct Holder {
            generator: ModelReference,
        }
        toml::from_str::<Holder>(&format!("generator = {{ {fields} }}"))
            .map(|it| it.generator)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_table_names_a_server() {
        let fields = r#"url = "https://x.test/v1", model = "m", key_env = "X_KEY", timeout_s = 2, retries = 0"#;
        let Ok(ModelReference::Server(found)) = server(fields) else {
            panic!("{:?}", server(fields));
        };
        assert_eq!(found.key_env.as_deref(), Some("X_KEY"));
        assert_eq!(found.timeout, Duration::from_secs(2));
        assert_eq!(found.connect_timeout, Duration::from_secs(10));
        assert_eq!(found.retries, 0);
        for (fields, expect) in [
            (r#"url = "https://x.test/v1""#, "missing field `model`"),
            (r#"url = "x.test", model = "m""#, "not a server's address"),
            (
                r#"url = "https://x.test", model = "m", timeout_s = 0"#,
                "out of range",
            ),
            (
                r#"url = "https://x.test", model = "m", timeout_s = nan"#,
                "out of range",
            ),
            (
                r#"url = "https://x.test", model = "m", retries = 99"#,
                "out of range",
            ),
            (
                r#"url = "https://x.test", modl = "m""#,
                "unknown field `modl`",
            ),
        ] {
            let error = server(fields).unwrap_err();
            assert!(error.contains(expect), "{fields}: {error}");
        }
    }

    #[test]
    fn a_key_in_the_file_is_refused_and_not_repeated() {
        for fields in [
            r#"url = "https://x.test/v1", model = "m", key = "sk-secret""#,
            r#"url = "https://x.test/v1", model = "m", api_key = "sk-secret""#,
            r#"url = "https://x.test/v1", model = "m", token = "sk-secret""#,
            r#"url = "https://x.test/v1", model = "m", key_env = "sk-secret""#,
            r#"url = "https://sk-secret@x.test/v1", model = "m""#,
            r#"url = "ftp://sk-secret@x.test/v1", model = "m""#,
        ] {
            let error = server(fields).unwrap_err();
            assert!(!error.contains("sk-secret"), "{error}");
            assert!(
                error.contains("key_env") || error.contains("http"),
                "{fields}: {error}"
            );
        }
    }
}
