//! Versions of tuned models: runs that are known by a name, and tags that point to them.
//!
//! Each model is one small file, `.groundtune/models/NAME.json`: its versions in the order
//! in which they came, and every move of a tag, so that a rollback knows what was before.
//! The file is written beside and renamed: a kill leaves the old or the new one.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fs_err::File;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Project;

/// The longest name of a model or a tag.
const LONGEST: usize = 64;

/// The file that whoever writes holds.
const LOCK: &str = ".lock";

/// A version as it is named: `support@prod` by a tag, `support@3` by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionName {
    /// The model.
    pub model: String,
    /// Which of its versions.
    pub which: Which,
}

/// Which version of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that a tag points to.
    Tag(String),
    /// The one of this number, from 1.
    Number(u32),
}

/// Why there is no such version, or it cannot be kept.
#[derive(Debug, Error)]
pub enum VersionError {
    /// A text names no version.
    #[error("`{found}` names no version of a model: expected {expected}")]
    Name {
        /// The text.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// No model is called so.
    #[error("there is no tuned model `{model}`{}", among(known))]
    NoModel {
        /// The name.
        model: String,
        /// The tuned models that are there.
        known: Vec<String>,
    },
    /// The model has no such tag or number.
    #[error("`{model}` has no version `{which}`{}", among(known))]
    NoVersion {
        /// The model.
        model: String,
        /// The tag or number.
        which: String,
        /// The tags and numbers that it has.
        known: Vec<String>,
    },
    /// A version's run is not there any more.
    #[error("version {number} of `{model}` is the run `{}`, which is gone", run.display())]
    Gone {
        /// The model.
        model: String,
        /// The version's number.
        number: u32,
        /// Where the run was.
        run: PathBuf,
    },
    /// A tag was never on another version.
    #[error("`{name}` was never on another version")]
    NothingBefore {
        /// The tag, with its model.
        name: String,
    },
    /// What is to be a version is no run.
    #[error("`{}` is no run: a version is a run's folder", folder.display())]
    NoRun {
        /// The folder.
        folder: PathBuf,
    },
    /// A file of versions is not what was written.
    #[error("`{}` is not what was written", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file could not be read or written; the message names it.
    #[error("the versions of tuned models could not be read or written")]
    Io(#[from] io::Error),
}

fn among(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!("; there are {}", known.join(", ")),
    }
}

impl VersionError {
    /// Returns what the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoModel { .. } | Self::NoVersion { .. } | Self::Name { .. } => {
                "`groundtune models list` shows what there is; `groundtune models tag RUN NAME@TAG` names a run".into()
            }
            Self::Gone { model, .. } => {
                format!("put the run back, or point the tag to another: `groundtune models list {model}` shows which")
            }
            Self::NoRun { .. } => "runs are in `.groundtune/runs`".into(),
            Self::NothingBefore { .. } => {
                "`groundtune models tag` points it to any version".into()
            }
            Self::Damaged { .. } => {
                "put back a copy of it, or remove it and tag the runs again: the runs are untouched".into()
            }
            Self::Io(_) => return None,
        })
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.model, self.which)
    }
}

impl FromStr for VersionName {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = |expected| VersionError::Name {
            found: text.into(),
            expected,
        };
        let shape = "`NAME@TAG` or `NAME@NUMBER`, of letters, digits, `-`, `_` and `.`";
        let (model, which) = text.split_once('@').ok_or_else(|| wrong(shape))?;
        if !is_word(model) || !is_word(which) {
            return Err(wrong(shape));
        }
        let which = if which.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = which.parse().ok().filter(|number| *number > 0);
            Which::Number(number.ok_or_else(|| wrong("a number from 1 on after `@`"))?)
        } else {
            Which::Tag(which.into())
        };
        Ok(Self {
            model: model.into(),
            which,
        })
    }
}

/// Returns whether `text` may be a model's name or a tag. It is part of a file's name.
fn is_word(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// A model that was tuned again and again, with its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunedModel {
    /// In the order in which they came; the first is number 1.
    pub versions: Vec<Version>,
    /// Every move of a tag, the oldest first.
    pub history: Vec<TagMove>,
}

/// A version of a tuned model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The run's folder: from the state folder if it lies in there.
    pub run: PathBuf,
    /// When it became a version: `2026-01-31T12:00:00Z`.
    pub added: String,
}

/// A tag was pointed to a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagMove {
    /// The tag.
    pub tag: String,
    /// The version's number.
    pub version: u32,
    /// Why.
    pub how: How,
    /// When: `2026-01-31T12:00:00Z`.
    pub at: String,
}

/// Why a tag was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was pointed there.
    Tag,
    /// It was taken back to where it was before.
    Rollback,
}

impl TunedModel {
    /// Returns the numbers of the versions that `tag` stood on, each the one that a rollback
    /// from the next goes back to; the last is the one it stands on.
    fn stack(&self, tag: &str) -> Vec<u32> {
        let mut stack = Vec::new();
        for moved in self.history.iter().filter(|it| it.tag == tag) {
            match moved.how {
                How::Tag => stack.push(moved.version),
                How::Rollback => {
                    stack.pop();
                }
            }
        }
        stack
    }

    /// Returns the tags, by name, each with the number of its version.
    pub fn tags(&self) -> Vec<(&str, u32)> {
        let mut names: Vec<&str> = self.history.iter().map(|it| it.tag.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let on = |tag| Some((tag, *self.stack(tag).last()?));
        names.into_iter().filter_map(on).collect()
    }

    /// Returns the number of the version that is meant, if there is one.
    pub fn number(&self, which: &Which) -> Option<u32> {
        match which {
            Which::Tag(tag) => self.stack(tag).last().copied(),
            Which::Number(number) => (1..=self.versions.len() as u32)
                .contains(number)
                .then_some(*number),
        }
    }
}

/// What a tag was moved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The tag, with its model; nothing if only a version was added.
    pub name: Option<VersionName>,
    /// The model.
    pub model: String,
    /// The number of the version that is meant now.
    pub version: u32,
    /// Its run's folder.
    pub run: PathBuf,
    /// The version that the tag stood on before.
    pub before: Option<u32>,
}

/// The tuned models of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunedModels {
    /// The state folder.
    state: PathBuf,
}

impl TunedModels {
    /// Returns those of the state folder `.groundtune`, which need not be there.
    pub fn new(state: &Path) -> Self {
        Self {
            state: state.to_owned(),
        }
    }

    /// Returns those of `project`.
    pub fn of_project(project: &Project) -> Self {
        Self::new(&project.state_folder())
    }

    fn folder(&self) -> PathBuf {
        self.state.join("models")
    }

    fn path(&self, model: &str) -> PathBuf {
        self.folder().join(format!("{model}.json"))
    }

    /// Returns the names of all, sorted.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, VersionError> {
        let entries = match fs_err::read_dir(self.folder()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let name = name.to_str().and_then(|it| it.strip_suffix(".json"));
            names.extend(name.filter(|it| is_word(it)).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Returns the model that is called `model`.
    ///
    /// # Errors
    /// If there is none, or its file cannot be read.
    pub fn model(&self, model: &str) -> Result<TunedModel, VersionError> {
        match self.read(model)? {
            Some(found) => Ok(found),
            None => Err(VersionError::NoModel {
                model: model.into(),
                known: self.names()?,
            }),
        }
    }

    fn read(&self, model: &str) -> Result<Option<TunedModel>, VersionError> {
        let path = self.path(model);
        let bytes = match fs_err::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let found: TunedModel = serde_json::from_slice(&bytes)
            .map_err(|source| VersionError::Damaged { path, source })?;
        Ok(Some(found))
    }

    /// Returns the folder of a version's run, and the version's number.
    ///
    /// # Errors
    /// If there is no such model or version, or its run is gone.
    pub fn find(&self, name: &VersionName) -> Result<(PathBuf, u32), VersionError> {
        let model = self.model(&name.model)?;
        let number = model
            .number(&name.which)
            .ok_or_else(|| no_version(name, &model))?;
        let run = self
            .run(&model, number)
            .ok_or_else(|| no_version(name, &model))?;
        if !run.is_dir() {
            return Err(VersionError::Gone {
                model: name.model.clone(),
                number,
                run,
            });
        }
        Ok((run, number))
    }

    /// Returns the folder of a version's run, whether or not it is there.
    pub fn run(&self, model: &TunedModel, number: u32) -> Option<PathBuf> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        Some(self.state.join(&model.versions.get(at)?.run))
    }

    /// Makes the run in `run` a version of `model`, unless it is one, and points `tag` to it.
    ///
    /// # Errors
    /// If it is no run's folder, a name is none, or the file cannot be written.
    pub fn tag(&self, run: &Path, model: &str, tag: Option<&str>) -> Result<Tagged, VersionError> {
        let name = match tag {
            Some(tag) => Some(format!("{model}@{tag}").parse::<VersionName>()?),
            None => None,
        };
        let is_number = name
            .as_ref()
            .is_some_and(|name| matches!(name.which, Which::Number(_)));
        if is_number || !is_word(model) {
            return Err(VersionError::Name {
                found: tag.map_or_else(|| model.to_owned(), |tag| format!("{model}@{tag}")),
                expected: "a model and a tag, which is no number: `NAME@TAG`",
            });
        }
        if !::train::Run::is_run(run) {
            return Err(VersionError::NoRun { folder: run.into() });
        }
        fs_err::create_dir_all(self.folder())?;
        let _lock = self.lock()?;
        let state = fs_err::canonicalize(&self.state)?;
        let run = fs_err::canonicalize(run)?;
        let kept = run.strip_prefix(&state).unwrap_or(&run).to_owned();
        let mut known = self.read(model)?.unwrap_or_default();
        let at = match known.versions.iter().position(|it| it.run == kept) {
            Some(at) => at,
            None => {
                known.versions.push(Version {
                    run: kept,
                    added: now(),
                });
                known.versions.len() - 1
            }
        };
        let version = at as u32 + 1;
        let before = tag.and_then(|tag| known.number(&Which::Tag(tag.into())));
        if let Some(tag) = tag.filter(|_| before != Some(version)) {
            known.history.push(TagMove {
                tag: tag.into(),
                version,
                how: How::Tag,
                at: now(),
            });
        }
        self.write(model, &known)?;
        Ok(Tagged {
            name,
            model: model.into(),
            version,
            run,
            before,
        })
    }

    /// Points a tag back to the version that it stood on before.
    ///
    /// # Errors
    /// If it never stood on another, or the file cannot be written.
    pub fn roll_back(&self, model: &str, tag: &str) -> Result<Tagged, VersionError> {
        let name: VersionName = format!("{model}@{tag}").parse()?;
        // Before the lock, which would make the folder.
        self.model(model)?;
        let _lock = self.lock()?;
        let mut known = self.model(model)?;
        let (version, before) = match known.stack(tag)[..] {
            [] => return Err(no_version(&name, &known)),
            [_] => {
                return Err(VersionError::NothingBefore {
                    name: name.to_string(),
                });
            }
            [.., version, before] => (version, before),
        };
        let run = self
            .run(&known, version)
            .ok_or_else(|| no_version(&name, &known))?;
        known.history.push(TagMove {
            tag: tag.into(),
            version,
            how: How::Rollback,
            at: now(),
        });
        self.write(model, &known)?;
        Ok(Tagged {
            name: Some(name),
            model: model.into(),
            version,
            run,
            before: Some(before),
        })
    }

    /// Waits until nobody else writes; the lock is gone when the file is closed.
    fn lock(&self) -> Result<File, VersionError> {
        let file = File::create(self.folder().join(LOCK))?;
        file.file().lock()?;
        Ok(file)
    }

    fn write(&self, model: &str, known: &TunedModel) -> Result<(), VersionError> {
        let path = self.path(model);
        let part = self.folder().join(format!(".{model}.json.part"));
        let mut text = serde_json::to_string_pretty(known).map_err(io::Error::from)?;
        text.push('\n');
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs_err::rename(&part, &path)?;
        // Elsewhere a folder cannot be opened, and its names need no care.
        if cfg!(unix) {
            File::open(self.folder())?.sync_all()?;
        }
        Ok(())
    }
}

fn no_version(name: &VersionName, model: &TunedModel) -> VersionError {
    let tags = model.tags().into_iter().map(|(tag, _)| tag.to_owned());
    let numbers = match model.versions.len() {
        0 => None,
        1 => Some("1".to_owned()),
        count => Some(format!("1 to {count}")),
    };
    VersionError::NoVersion {
        model: name.model.clone(),
        which: name.which.to_string(),
        known: tags.chain(numbers).collect(),
    }
}

/// Returns the time in UTC: `2026-01-31T12:00:00Z`.
fn now() -> String {
    let now = SystemTime::now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |it: Duration| it.as_secs())
        % 86_400;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let day = corpus::day(now);
    format!("{day}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Room {
        _guard: tempfile::TempDir,
        state: PathBuf,
    }

    impl Room {
        fn new() -> Self {
            let guard = tempfile::tempdir().unwrap();
            let state = guard.path().join("project/.groundtune");
            for run in ["0001", "0002", "0003"] {
                let run = state.join("runs").join(run);
                fs_err::create_dir_all(&run).unwrap();
                fs_err::write(run.join("run.json"), "{}").unwrap();
                fs_err::write(run.join("recipe.toml"), "").unwrap();
            }
            Self {
                _guard: guard,
                state,
            }
        }

        fn models(&self) -> TunedModels {
            TunedModels::new(&self.state)
        }

        fn run(&self, number: u32) -> PathBuf {
            self.state.join(format!("runs/{number:04}"))
        }

        fn tag(&self, number: u32, name: &str) -> Result<Tagged, VersionError> {
            let (model, tag) = match name.split_once('@') {
                Some((model, tag)) => (model, Some(tag)),
                None => (name, None),
            };
            self.models().tag(&self.run(number), model, tag)
        }

        fn version(&self, name: &str) -> Result<u32, VersionError> {
            Ok(self.models().find(&name.parse()?)?.1)
        }
    }

    #[test]
    fn a_tag_moves_and_comes_back() {
        let room = Room::new();
        assert_eq!(room.models().names().unwrap(), Vec::<String>::new());
        assert_eq!(room.tag(1, "support@prod").unwrap().before, None);
        assert_eq!(room.tag(2, "support").unwrap().version, 2);
        assert_eq!(room.version("support@prod").unwrap(), 1);
        assert_eq!(room.tag(2, "support@prod").unwrap().before, Some(1));
        assert_eq!(room.tag(2, "support@prod").unwrap().before, Some(2));
        room.tag(3, "support@prod").unwrap();
        assert_eq!(room.version("support@prod").unwrap(), 3);
        for expect in [2, 1] {
            let back = room.models().roll_back("support", "prod").unwrap();
            assert_eq!((back.version, back.before), (expect, Some(expect + 1)));
            assert_eq!(room.version("support@prod").unwrap(), expect);
        }
        let error = room.models().roll_back("support", "prod").unwrap_err();
        assert!(
            matches!(error, VersionError::NothingBefore { .. }),
            "{error}"
        );
        assert_eq!(room.version("support@3").unwrap(), 3);
        let history = room.models().model("support").unwrap().history;
        assert_eq!(history.len(), 5, "every move is kept: {history:?}");
    }

    #[test]
    fn a_project_may_be_moved() {
        let room = Room::new();
        room.tag(2, "support@prod").unwrap();
        let moved = room.state.parent().unwrap().with_file_name("elsewhere");
        fs_err::rename(room.state.parent().unwrap(), &moved).unwrap();
        let models = TunedModels::new(&moved.join(".groundtune"));
        let (run, _) = models.find(&"support@prod".parse().unwrap()).unwrap();
        assert_eq!(run, moved.join(".groundtune/runs/0002"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let room = Room::new();
        room.tag(1, "support@prod").unwrap();
        room.tag(2, "support@test").unwrap();
        let check = |name: &str, expect: &str| {
            let error = room.version(name).unwrap_err().to_string();
            assert!(error.contains(expect), "{name}: {error}");
        };
        check("suport@prod", "no tuned model `suport`; there are support");
        check(
            "support@next",
            "no version `next`; there are prod, test, 1 to 2",
        );
        check("support@7", "no version `7`");
        check("support@0", "a number from 1");
        check("support", "NAME@TAG");
        check("../x@prod", "NAME@TAG");
        let error = room.tag(1, "support@2").unwrap_err().to_string();
        assert!(error.contains("no number"), "{error}");
        let error = room.models().tag(&room.state, "support", None).unwrap_err();
        assert!(error.to_string().contains("is no run"), "{error}");
        fs_err::remove_dir_all(room.run(1)).unwrap();
        check("support@prod", "is gone");
    }

    #[test]
    fn a_damaged_file_is_named_and_a_part_of_one_does_not_count() {
        let room = Room::new();
        room.tag(1, "support@prod").unwrap();
        let folder = room.state.join("models");
        fs_err::write(folder.join(".support.json.part"), "{").unwrap();
        assert_eq!(room.version("support@prod").unwrap(), 1);
        assert_eq!(room.models().names().unwrap(), ["support"]);
        fs_err::write(folder.join("support.json"), "{").unwrap();
        let error = room.version("support@prod").unwrap_err();
        assert!(matches!(error, VersionError::Damaged { .. }), "{error}");
    }

    #[test]
    fn two_at_once_lose_nothing() {
        let room = Room::new();
        std::thread::scope(|scope| {
            for number in 1..=3 {
                let room = &room;
                scope.spawn(move || room.tag(number, &format!("support@t{number}")).unwrap());
            }
        });
        let model = room.models().model("support").unwrap();
        assert_eq!((model.versions.len(), model.tags().len()), (3, 3));
    }
}
