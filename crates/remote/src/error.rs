//! Why something could not be had over the network.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use contract::Bytes;
use thiserror::Error as ThisError;

use crate::ModelName;

/// What went wrong between here and a server, or in the cache.
#[derive(Debug, ThisError)]
pub enum RemoteError {
    /// A file of the cache could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no room for what is downloaded.
    #[error("there is no room for `{}`, which is {size} in all", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// How large it will be.
        size: Bytes,
        /// What the system says.
        source: io::Error,
    },
    /// The network is switched off.
    #[error("the network is switched off, and `{wanted}` is not here")]
    Offline {
        /// What would have been asked for.
        wanted: String,
    },
    /// A setting of the network is not as it should be.
    #[error("{what} cannot be used")]
    Setting {
        /// Which, without what is secret in it.
        what: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No connection came about.
    #[error("no connection to `{host}`")]
    Connection {
        /// The server.
        host: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nobody knows the server's name.
    #[error("no server called `{host}` is known")]
    NoHost {
        /// The server.
        host: String,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server was silent for too long.
    #[error("`{host}` said nothing for {} s", waited.as_secs_f64())]
    TimedOut {
        /// The server.
        host: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The server broke off, or did not speak HTTP.
    #[error("`{host}` broke off")]
    Broken {
        /// The server.
        host: String,
        /// How.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server refused.
    #[error("`{host}` answered {status}{}", colon(message))]
    Status {
        /// The server.
        host: String,
        /// The status of HTTP.
        status: u16,
        /// What the server said, shortened; perhaps nothing.
        message: String,
    },
    /// The server wants to be left in peace for a while.
    #[error("`{host}` refuses further requests for now{}", wait.map(|it| format!(": it asks for {} s of patience", it.as_secs())).unwrap_or_default())]
    TooMany {
        /// The server.
        host: String,
        /// How long, if it says.
        wait: Option<Duration>,
    },
    /// The server's key is missing, wrong or not good enough.
    #[error("`{host}` does not accept {}", if *had_key { "the key" } else { "a request without a key" })]
    Key {
        /// The server.
        host: String,
        /// Whether one was sent.
        had_key: bool,
        /// Which environment variable holds it, if that is known.
        variable: Option<String>,
    },
    /// The answer is not what such a server answers.
    #[error("`{host}` did not answer with {expected}, but with: {found}")]
    Unexpected {
        /// The server.
        host: String,
        /// What was expected.
        expected: &'static str,
        /// How its answer begins.
        found: String,
    },
    /// A hub knows no such model, or does not tell.
    #[error("`{host}` has no model `{name}`, or shows it to others only")]
    NoSuchModel {
        /// The hub.
        host: String,
        /// The model.
        name: ModelName,
    },
    /// A model whose terms must be accepted first.
    #[error("`{name}` is given only to those who accepted its terms")]
    Gated {
        /// The model.
        name: ModelName,
        /// Where they can be accepted.
        page: String,
    },
    /// The model has no such revision or version.
    #[error("`{}` has no revision `{}`", name.name(), name.revision().unwrap_or("main"))]
    NoSuchRevision {
        /// The model.
        name: ModelName,
        /// Those it has, if that is known.
        known: Vec<String>,
    },
    /// The model has no files that are read here.
    #[error("`{name}` has no weights that are read here: {found}")]
    NothingToRead {
        /// The model.
        name: ModelName,
        /// What it has instead.
        found: String,
    },
    /// The model has several files of which one must be chosen.
    #[error("`{name}` has several files, of which one must be named: {}", found.join(", "))]
    WhichFile {
        /// The model.
        name: ModelName,
        /// The files.
        found: Vec<String>,
    },
    /// What was downloaded is not what was announced.
    #[error("`{file}` arrived damaged: its checksum is {found}, expected {expected}")]
    Checksum {
        /// The file.
        file: String,
        /// What was announced.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A package is not built as it should be.
    #[error("the package `{package}` cannot be used: {reason}")]
    Package {
        /// Its file.
        package: String,
        /// What is wrong.
        reason: String,
    },
    /// A server that writes died in the middle of its answer.
    #[error("`{host}` died in the middle of its answer, after {written} characters")]
    DiedInAnswer {
        /// The server.
        host: String,
        /// How many characters had arrived.
        written: usize,
        /// How it died.
        source: Box<RemoteError>,
    },
    /// The user stopped it.
    #[error("stopped")]
    Stopped,
}

fn colon(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

impl RemoteError {
    /// Returns what to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::DiskFull { .. } => {
                "make room, or name another place for the cache with `HF_HOME`; then run it again: it goes on where it stopped".into()
            }
            Self::Offline { .. } => {
                "run it without `--offline` and `HF_HUB_OFFLINE`, or copy the model's folder here and name that".into()
            }
            Self::NoHost { .. } | Self::Connection { .. } | Self::Broken { .. } | Self::TimedOut { .. } => {
                "is the server there, and the address right? Behind a proxy set `HTTPS_PROXY`; a mirror of the hub is named with `HF_ENDPOINT`, a package index with `PIP_INDEX_URL`".into()
            }
            Self::TooMany { .. } => "wait a while and run it again; a token (`HF_TOKEN`) may do more".into(),
            Self::Key { had_key: false, variable: None, .. } => {
                "name the environment variable that holds the key: `key_env = \"OPENAI_API_KEY\"`".into()
            }
            Self::Key { variable: Some(name), .. } => format!("look at what `{name}` holds"),
            Self::NoSuchModel { .. } => {
                "look at the name; a model that is not public needs a token: set `HF_TOKEN`".into()
            }
            Self::Gated { page, .. } => {
                format!("accept the terms on {page}, then set `HF_TOKEN` to a token of that account")
            }
            Self::NoSuchRevision { known, .. } if !known.is_empty() => {
                format!("it has: {}", known.join(", "))
            }
            Self::NothingToRead { .. } => {
                "read are safetensors and GGUF; look for a repository that has them".into()
            }
            Self::WhichFile { name, found } => match found.first() {
                Some(file) => format!("for instance `groundtune models pull {name}:{file}`"),
                None => return None,
            },
            Self::Checksum { .. } => "run it again; if it happens again, the server is at fault".into(),
            Self::DiedInAnswer { .. } => "what was shown up to there is all that arrived; ask again".into(),
            _ => return None,
        })
    }
}
