//! Which files there are.
//!
//! The rules are those of `ripgrep`, which people know: hidden files are left
//! out, and so is what a `.gitignore` or `.ignore` file inside the folder names
//! (`node_modules`, `target`). A folder that is named as a root is always read,
//! even if a file above it ignores it. The walk follows links, and a link that
//! leads back into itself is reported instead of followed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ignore::WalkBuilder;
use thiserror::Error;

/// How folders are walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkOptions {
    /// The folder that relative paths start from; for files outside it they start
    /// from their root's own name. The current folder if nothing else is said.
    pub base: PathBuf,
    /// Whether what `.gitignore` and `.ignore` files name is left out. True if
    /// nothing else is said.
    pub obey_ignore_files: bool,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self {
            base: PathBuf::new(),
            obey_ignore_files: true,
        }
    }
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walk {
    /// The files, by relative path.
    pub files: Vec<Found>,
    /// What could not be looked into.
    pub skipped: Vec<Skipped>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its path relative to the base, for [`document_id`](crate::document_id).
    pub relative: PathBuf,
    /// How many bytes it has.
    pub size: u64,
    /// When it was last written, if the system knows.
    pub modified: Option<SystemTime>,
}

/// A folder or file that could not be looked into.
#[derive(Debug)]
pub struct Skipped {
    /// Which, if the system names it.
    pub path: Option<PathBuf>,
    /// Why.
    pub reason: SkipReason,
}

/// Why a folder or file could not be looked into.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SkipReason {
    /// It is a link that leads back to where it is.
    #[error("it is a link back to `{}`, in which it lies; not followed", above.display())]
    Loop {
        /// The folder it leads to.
        above: PathBuf,
    },
    /// It is a link, and nothing is at its other end.
    #[error("it is a link to nothing")]
    DeadLink,
    /// The system does not let us.
    #[error("it may not be read by who runs this")]
    Denied,
    /// The system cannot look into it.
    #[error("it cannot be looked into: {what}")]
    Unreadable {
        /// What the system says.
        what: ErrorKind,
    },
}

/// Why a walk could not begin.
#[derive(Debug, Error)]
pub enum WalkError {
    /// A root is not there.
    #[error("there is no file or folder `{}`; correct the path, or make it", root.display())]
    NoRoot {
        /// The root.
        root: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}

/// Lists the files below `roots` (a root may be a file), each once, sorted by
/// relative path. Hidden ones (`.groundtune` among them) are left out.
///
/// Fails if a root is not there; anything else that cannot be read is in
/// [`Walk::skipped`].
pub fn walk(roots: &[PathBuf], options: &WalkOptions) -> Result<Walk, WalkError> {
    let mut walk = Walk::default();
    for root in roots {
        let start = options.base.join(root);
        fs_err::metadata(&start).map_err(|source| WalkError::NoRoot {
            root: root.clone(),
            source,
        })?;
        let entries = WalkBuilder::new(&start)
            .follow_links(true)
            .hidden(true)
            .parents(false)
            .require_git(false)
            .git_global(false)
            .git_exclude(false)
            .git_ignore(options.obey_ignore_files)
            .ignore(options.obey_ignore_files)
            .build();
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(reason) => {
                    walk.skipped.push(skipped(&reason));
                    continue;
                }
            };
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            match entry.metadata() {
                Ok(about) => walk.files.push(Found {
                    relative: relative(entry.path(), &start, &options.base),
                    size: about.len(),
                    modified: about.modified().ok(),
                    path: entry.into_path(),
                }),
                Err(reason) => walk.skipped.push(skipped(&reason)),
            }
        }
    }
    walk.files.sort_by(|a, b| a.relative.cmp(&b.relative));
    walk.files.dedup_by(|a, b| a.relative == b.relative);
    walk.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk)
}

/// Returns `path` as seen from `base`; for one outside it, as seen from the folder
/// that holds its root.
fn relative(path: &Path, root: &Path, base: &Path) -> PathBuf {
    let plain = |path: &Path| path.components().collect::<PathBuf>();
    let path = plain(path);
    if !base.as_os_str().is_empty()
        && let Ok(inside) = path.strip_prefix(plain(base))
    {
        return inside.to_owned();
    }
    if path.is_relative() && !path.starts_with("..") {
        return path;
    }
    let root = plain(root);
    match root
        .parent()
        .and_then(|above| path.strip_prefix(above).ok())
    {
        Some(below) => below.to_owned(),
        None => path,
    }
}

fn skipped(error: &ignore::Error) -> Skipped {
    fn path_of(error: &ignore::Error) -> Option<PathBuf> {
        match error {
            ignore::Error::WithPath { path, .. } => Some(path.clone()),
            ignore::Error::Loop { child, .. } => Some(child.clone()),
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
                path_of(err)
            }
            _ => None,
        }
    }
    fn ancestor_of(error: &ignore::Error) -> Option<PathBuf> {
        match error {
            ignore::Error::Loop { ancestor, .. } => Some(ancestor.clone()),
            ignore::Error::WithPath { err, .. }
            | ignore::Error::WithDepth { err, .. }
            | ignore::Error::WithLineNumber { err, .. } => ancestor_of(err),
            _ => None,
        }
    }
    let path = path_of(error);
    let is_link = path.as_deref().is_some_and(Path::is_symlink);
    let reason = match (
        ancestor_of(error),
        error.io_error().map(std::io::Error::kind),
    ) {
        (Some(above), _) => SkipReason::Loop {
            above: above.components().collect(),
        },
        (_, Some(ErrorKind::NotFound)) if is_link => SkipReason::DeadLink,
        (_, Some(ErrorKind::PermissionDenied)) => SkipReason::Denied,
        (_, what) => SkipReason::Unreadable {
            what: what.unwrap_or(ErrorKind::Other),
        },
    };
    Skipped { path, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn names(walk: &Walk) -> Vec<String> {
        walk.files
            .iter()
            .map(|found| crate::document_id(&found.relative))
            .collect()
    }

    fn options(folder: &tempfile::TempDir) -> WalkOptions {
        WalkOptions {
            base: folder.path().to_owned(),
            ..WalkOptions::default()
        }
    }

    #[test]
    fn files_come_sorted_and_once() {
        let folder = folder(&[
            ("docs/b.md", "b"),
            ("docs/a.md", "a"),
            ("docs/sub/c.md", "c"),
        ]);
        let roots = ["docs", "docs/sub", "./docs/a.md"].map(PathBuf::from);
        let walk = walk(&roots, &options(&folder)).unwrap();
        assert_eq!(names(&walk), ["docs/a.md", "docs/b.md", "docs/sub/c.md"]);
        assert_eq!(walk.files[0].size, 1);
        assert!(walk.files[0].modified.is_some());
    }

    #[test]
    fn hidden_and_ignored_files_are_left_out() {
        let folder = folder(&[
            ("docs/.groundtune/store.md", "x"),
            ("docs/.hidden.md", "x"),
            ("docs/.gitignore", "build\n"),
            ("docs/build/out.md", "x"),
            ("docs/a.md", "a"),
            (".gitignore", "docs\n"),
        ]);
        let roots = [PathBuf::from("docs")];
        let mut options = options(&folder);
        assert_eq!(names(&walk(&roots, &options).unwrap()), ["docs/a.md"]);
        options.obey_ignore_files = false;
        let all = walk(&roots, &options).unwrap();
        assert_eq!(names(&all), ["docs/a.md", "docs/build/out.md"]);
    }

    #[test]
    fn a_root_outside_the_base_keeps_its_own_name() {
        let outside = folder(&[("handbook/a.md", "a")]);
        let inside = folder(&[]);
        let walk = walk(&[outside.path().join("handbook")], &options(&inside)).unwrap();
        assert_eq!(names(&walk), ["handbook/a.md"]);
    }

    #[test]
    fn a_missing_root_is_named() {
        let folder = folder(&[]);
        let error = walk(&[PathBuf::from("nowhere")], &options(&folder)).unwrap_err();
        assert!(error.to_string().contains("`nowhere`"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_back_is_reported_and_others_are_followed() {
        let folder = folder(&[("docs/a.md", "a"), ("other/b.md", "b")]);
        let docs = folder.path().join("docs");
        std::os::unix::fs::symlink(&docs, docs.join("again")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("other"), docs.join("linked")).unwrap();
        std::os::unix::fs::symlink("nowhere", docs.join("broken.md")).unwrap();
        let walk = walk(&[PathBuf::from("docs")], &options(&folder)).unwrap();
        assert_eq!(names(&walk), ["docs/a.md", "docs/linked/b.md"]);
        let skipped: Vec<_> = walk
            .skipped
            .iter()
            .map(|skipped| skipped.path.as_deref().and_then(Path::file_name).unwrap())
            .collect();
        assert_eq!(skipped, ["again", "broken.md"]);
        let reasons: Vec<&SkipReason> = walk.skipped.iter().map(|it| &it.reason).collect();
        let above = docs.clone();
        assert_eq!(
            reasons,
            [&SkipReason::Loop { above }, &SkipReason::DeadLink]
        );
    }
}
