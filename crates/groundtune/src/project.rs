//! A project: the folder that holds `groundtune.toml`, and what lies in it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::{self, Config, ConfigError};

/// The folder, in a project, that groundtune writes to.
const STATE_FOLDER: &str = ".groundtune";

/// A project that was found or made, with its configuration read.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// The folder that holds `groundtune.toml`.
    pub root: PathBuf,
    /// What it says.
    pub config: Config,
    /// The folder that groundtune writes to.
    state: PathBuf,
}

/// Why there is no project.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// Neither the folder nor one above it has a `groundtune.toml`.
    #[error("there is no `groundtune.toml` in `{}` or in a folder above it", start.display())]
    NotFound {
        /// Where the search began.
        start: PathBuf,
    },
    /// The named folder has no `groundtune.toml`.
    #[error("`{}` is not a project: it has no `groundtune.toml`", root.display())]
    NotAProject {
        /// The folder.
        root: PathBuf,
    },
    /// A project is there already.
    #[error("`{}` exists already and is left as it is", path.display())]
    Exists {
        /// Its `groundtune.toml`.
        path: PathBuf,
    },
    /// The project's files could not be read or written.
    #[error("the project in `{}` could not be opened", root.display())]
    Io {
        /// The folder.
        root: PathBuf,
        /// What stopped it; names the path.
        source: io::Error,
    },
    /// Its configuration was not understood.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ProjectError {
    /// Returns what to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some(
                "make a project here with `groundtune init`, or name one with `--project DIR`"
                    .into(),
            ),
            Self::NotAProject { root } => Some(format!(
                "make it one with `groundtune init \"{}\"`",
                root.display()
            )),
            Self::Exists { .. } => {
                Some("it is a project already: `groundtune ingest` reads its documents".into())
            }
            Self::Config(error) => error.hint(),
            Self::Io { .. } => None,
        }
    }
}

/// Returns the state folder of the project that is meant, the one `named` or the nearest
/// from `here` upwards; where there is no project, the one that would be `here`.
///
/// # Errors
/// If `named` is no project, or its configuration is not understood.
pub fn state_folder(named: Option<&Path>, here: &Path) -> Result<PathBuf, ProjectError> {
    let found = match named {
        Some(folder) => Project::open(folder),
        None => Project::find(here),
    };
    match found {
        Ok(project) => Ok(project.state_folder()),
        Err(ProjectError::NotFound { .. }) => Ok(here.join(STATE_FOLDER)),
        Err(error) => Err(error),
    }
}

impl Project {
    /// Returns a project in `root`, whatever is written there.
    pub fn with(root: PathBuf, config: Config) -> Self {
        Self {
            state: root.join(STATE_FOLDER),
            root,
            config,
        }
    }

    /// Returns it with another folder that groundtune writes to: its documents are then taken
    /// in there, beside what the project has.
    pub(crate) fn with_state(self, state: PathBuf) -> Self {
        Self { state, ..self }
    }

    /// Returns the same project with paths that do not depend on the current folder.
    pub(crate) fn absolute(&self) -> io::Result<Self> {
        Ok(Self {
            root: std::path::absolute(&self.root)?,
            state: std::path::absolute(&self.state)?,
            config: self.config.clone(),
        })
    }

    /// Makes a project in `root`, and the folder itself if need be: writes a
    /// `groundtune.toml` with every key at its default.
    ///
    /// Fails with [`ProjectError::Exists`], changing nothing, if there is one.
    pub fn init(root: &Path) -> Result<Self, ProjectError> {
        let io = |source| ProjectError::Io {
            root: root.to_owned(),
            source,
        };
        fs_err::create_dir_all(root).map_err(io)?;
        let path = config_path(root);
        // `create_new` and not a look beforehand: two at once cannot both win.
        match fs_err::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(config::TEMPLATE.as_bytes()).map_err(io)?;
                file.sync_all().map_err(io)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ProjectError::Exists { path });
            }
            Err(error) => return Err(io(error)),
        }
        Self::open(root)
    }

    /// Opens the project in `root` itself.
    pub fn open(root: &Path) -> Result<Self, ProjectError> {
        let path = config_path(root);
        if !path.is_file() {
            return Err(ProjectError::NotAProject {
                root: root.to_owned(),
            });
        }
        Ok(Self::with(root.to_owned(), Config::read(&path)?))
    }

    /// Opens the project that `start` lies in: the nearest folder, from `start`
    /// upwards, that holds a `groundtune.toml`.
    pub fn find(start: &Path) -> Result<Self, ProjectError> {
        let absolute = std::path::absolute(start).map_err(|source| ProjectError::Io {
            root: start.to_owned(),
            source,
        })?;
        absolute
            .ancestors()
            .find(|folder| folder.join(config::FILE_NAME).is_file())
            .map_or_else(
                || {
                    Err(ProjectError::NotFound {
                        start: absolute.clone(),
                    })
                },
                Self::open,
            )
    }

    /// Returns its `groundtune.toml`.
    pub fn config_path(&self) -> PathBuf {
        config_path(&self.root)
    }

    /// Returns the folder that groundtune writes to, `.groundtune`.
    pub fn state_folder(&self) -> PathBuf {
        self.state.clone()
    }

    /// Returns the folder of the store and its indexes, `.groundtune/store`.
    pub fn store_folder(&self) -> PathBuf {
        self.state_folder().join("store")
    }

    /// Returns the folder of models, `.groundtune/models`.
    pub fn models_folder(&self) -> PathBuf {
        self.state_folder().join("models")
    }

    /// Returns the folder of runs, `.groundtune/runs`.
    pub fn runs_folder(&self) -> PathBuf {
        self.state_folder().join("runs")
    }
}

/// Returns the `groundtune.toml` of `root`; without the dot, where it is `.`.
fn config_path(root: &Path) -> PathBuf {
    if root == Path::new(".") {
        PathBuf::from(config::FILE_NAME)
    } else {
        root.join(config::FILE_NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_project_is_found_from_beneath() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("handbook");
        let made = Project::init(&root).unwrap();
        assert_eq!(made.config, Config::default());
        let deep = root.join("a/b");
        fs_err::create_dir_all(&deep).unwrap();
        assert_eq!(Project::find(&deep).unwrap().root, root);
    }

    #[test]
    fn an_existing_project_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(config::FILE_NAME);
        fs_err::write(&path, "[retrieval]\ntop_k = 2\n").unwrap();
        assert!(matches!(
            Project::init(folder.path()),
            Err(ProjectError::Exists { .. })
        ));
        assert_eq!(
            Project::open(folder.path()).unwrap().config.retrieval.top_k,
            2
        );
    }

    #[test]
    fn a_folder_without_the_file_is_no_project() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            Project::open(folder.path()),
            Err(ProjectError::NotAProject { .. })
        ));
    }
}
