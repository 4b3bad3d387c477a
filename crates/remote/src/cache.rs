//! The models that were downloaded, laid out as Hugging Face lays them out, so that
//! Python finds what groundtune pulled and groundtune what Python did.
//!
//! `models--org--name/` holds `blobs/` (files by their checksum), `refs/` (which commit
//! a branch is at) and `snapshots/COMMIT/` (links from the files' names to the blobs).
//! Described in huggingface_hub's "Understand caching".

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::{ModelName, RemoteError};

/// The revision that is meant if none is named.
pub(crate) const MAIN: &str = "main";

/// A folder of downloaded models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// One model of the cache in one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The model; its revision is the branch, tag or version that leads here, if one
    /// other than `main` does.
    pub name: ModelName,
    /// The commit, or what stands for it: it names the contents.
    pub commit: String,
    /// The folder with its files.
    pub folder: PathBuf,
}

impl Cache {
    /// Returns the cache in `folder`, which need not be there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Returns its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder of a model.
    pub(crate) fn model_folder(&self, name: &ModelName) -> PathBuf {
        self.folder.join(name.cache_folder())
    }

    /// Returns the snapshot that `name` means: that of the revision it names, or of
    /// `main`. Without a revision, the only snapshot there is will do too.
    pub fn find(&self, name: &ModelName) -> Result<Option<Snapshot>, RemoteError> {
        let model = self.model_folder(name);
        let snapshots = model.join("snapshots");
        let revision = name.revision().unwrap_or(MAIN);
        let found = |commit: String| Snapshot {
            name: name.clone(),
            folder: snapshots.join(&commit),
            commit,
        };
        let reference = match fs_err::read_to_string(model.join("refs").join(revision)) {
            Ok(commit) => Some(commit.trim().to_owned()),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(error.into()),
        };
        for commit in reference.iter().map(String::as_str).chain([revision]) {
            // What a file says may not lead out of the cache.
            if is_name(commit) && snapshots.join(commit).is_dir() {
                return Ok(Some(found(commit.to_owned())));
            }
        }
        if name.revision().is_none()
            && let [only] = &folders(&snapshots)?[..]
        {
            return Ok(Some(found(only.clone())));
        }
        Ok(None)
    }

    /// Returns every snapshot of every model, by name.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, RemoteError> {
        let mut all = Vec::new();
        for folder in folders(&self.folder)? {
            let Some(name) = ModelName::of_cache_folder(&folder) else {
                continue;
            };
            let model = self.folder.join(&folder);
            let references = references(&model.join("refs"))?;
            for commit in folders(&model.join("snapshots"))? {
                let revision = references
                    .iter()
                    .filter(|(_, at)| *at == commit)
                    .map(|(revision, _)| revision)
                    .min_by_key(|revision| (*revision != MAIN, revision.len()));
                all.push(Snapshot {
                    // `main` is what a bare name means.
                    name: name.clone().at(revision.filter(|it| *it != MAIN).cloned()),
                    folder: model.join("snapshots").join(&commit),
                    commit,
                });
            }
        }
        all.sort_by(|a, b| (&a.name, &a.commit).cmp(&(&b.name, &b.commit)));
        Ok(all)
    }
}

impl Cache {
    /// Takes a snapshot out of the cache: its folder, the references to it, and the
    /// blobs that no other snapshot of the model uses. Returns how many bytes that frees.
    ///
    /// # Errors
    /// If something cannot be removed; what is left is still whole or not found.
    pub fn remove(&self, snapshot: &Snapshot) -> Result<u64, RemoteError> {
        let model = self.model_folder(&snapshot.name);
        let snapshots = model.join("snapshots");
        let before = bytes_in(&model)?;
        // References first: what is half removed is not found.
        for (revision, commit) in references(&model.join("refs"))? {
            if commit == snapshot.commit {
                fs_err::remove_file(model.join("refs").join(revision))?;
            }
        }
        fs_err::remove_dir_all(&snapshot.folder)?;
        let others = folders(&snapshots)?;
        if others.is_empty() {
            fs_err::remove_dir_all(&model)?;
            return Ok(before);
        }
        let mut used = BTreeSet::new();
        for other in others {
            walk(&snapshots.join(other), "", &mut |_, path| {
                // A link whose blob is gone uses none.
                used.extend(fs_err::canonicalize(path).ok());
                Ok(())
            })?;
        }
        walk(&model.join("blobs"), "", &mut |_, path| {
            if !used.contains(&fs_err::canonicalize(path)?) {
                fs_err::remove_file(path)?;
            }
            Ok(())
        })?;
        Ok(before.saturating_sub(bytes_in(&model)?))
    }
}

/// Returns how many bytes the files below `folder` have, links not counted.
fn bytes_in(folder: &Path) -> Result<u64, RemoteError> {
    let mut bytes = 0;
    walk(folder, "", &mut |_, path| {
        bytes += fs_err::symlink_metadata(path)?.len();
        Ok(())
    })?;
    Ok(bytes)
}

impl Snapshot {
    /// Returns its files, as paths below its folder with `/` between the parts, and
    /// each one's size in bytes. A link whose blob is gone is left out.
    pub fn files(&self) -> Result<Vec<(String, u64)>, RemoteError> {
        let mut files = Vec::new();
        walk(&self.folder, "", &mut |path, full| {
            // Follows the link to the blob.
            if let Ok(about) = fs_err::metadata(full) {
                files.push((path.to_owned(), about.len()));
            }
            Ok(())
        })?;
        files.sort();
        Ok(files)
    }
}

/// Returns the branches, tags and versions under `folder`, each with its commit.
pub(crate) fn references(folder: &Path) -> Result<Vec<(String, String)>, RemoteError> {
    let mut references = Vec::new();
    walk(folder, "", &mut |revision, path| {
        let commit = fs_err::read_to_string(path)?;
        references.push((revision.to_owned(), commit.trim().to_owned()));
        Ok(())
    })?;
    Ok(references)
}

/// Calls `each` with every file below `folder` that is not a folder: its path there and
/// its whole path. Links are not followed. A folder that is not there has no files.
pub(crate) fn walk(
    folder: &Path,
    above: &str,
    each: &mut dyn FnMut(&str, &Path) -> Result<(), RemoteError>,
) -> Result<(), RemoteError> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{above}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), each)?;
        } else {
            each(&path, &entry.path())?;
        }
    }
    Ok(())
}

/// Returns the names of the folders in `folder`, sorted; none if it is not there.
fn folders(folder: &Path) -> Result<Vec<String>, RemoteError> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Returns whether `text` is the name of one file or folder and nothing else.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text != "."
        && text != ".."
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache with the snapshots (`folder/snapshots/commit`) and references
    /// (`folder/refs/branch` with its commit) that are named.
    fn cache(snapshots: &[&str], references: &[(&str, &str)]) -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        for path in snapshots {
            let path = folder.path().join(path);
            fs_err::create_dir_all(&path).unwrap();
            fs_err::write(path.join("config.json"), "{}").unwrap();
        }
        for (path, commit) in references {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, commit).unwrap();
        }
        let cache = Cache::new(folder.path());
        (folder, cache)
    }

    fn commit(cache: &Cache, name: &str) -> Option<String> {
        let found = cache.find(&name.parse().unwrap()).unwrap();
        found.map(|it| it.commit)
    }

    #[test]
    fn a_name_means_main_and_a_revision_itself() {
        let (_guard, cache) = cache(
            &[
                "models--org--two/snapshots/aaa",
                "models--org--two/snapshots/bbb",
                "models--org--one/snapshots/ccc",
            ],
            &[
                ("models--org--two/refs/main", "aaa"),
                ("models--org--two/refs/refs/pr/1", "bbb\n"),
                ("models--org--two/refs/gone", "ddd"),
            ],
        );
        for (name, expect) in [
            ("org/two", Some("aaa")),
            ("org/two@refs/pr/1", Some("bbb")),
            ("org/two@bbb", Some("bbb")),
            ("org/two@gone", None),
            ("org/one", Some("ccc")),
            ("org/one@main", None),
            ("org/none", None),
        ] {
            assert_eq!(commit(&cache, name).as_deref(), expect, "{name}");
        }
        let all = cache.snapshots().unwrap();
        let names: Vec<String> = all.iter().map(|it| it.name.to_string()).collect();
        assert_eq!(names, ["org/one", "org/two", "org/two@refs/pr/1"]);
        assert_eq!(all[0].files().unwrap(), [("config.json".to_owned(), 2)]);
    }

    #[test]
    fn a_reference_does_not_lead_out_of_the_cache() {
        let (_guard, cache) = cache(
            &["models--org--a/snapshots/aaa", "elsewhere"],
            &[("models--org--a/refs/main", "../../elsewhere")],
        );
        assert_eq!(commit(&cache, "org/a@main"), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_others_use_stays() {
        let (_guard, cache) = cache(
            &[
                "models--org--a/snapshots/aaa",
                "models--org--a/snapshots/bbb",
            ],
            &[
                ("models--org--a/refs/main", "aaa"),
                ("models--org--a/refs/old", "bbb"),
            ],
        );
        let model = cache.folder().join("models--org--a");
        fs_err::create_dir(model.join("blobs")).unwrap();
        for (blob, users) in [("shared", &["aaa", "bbb"][..]), ("own", &["aaa"])] {
            fs_err::write(model.join("blobs").join(blob), "12345").unwrap();
            for user in users {
                let link = model.join("snapshots").join(user).join(blob);
                fs_err::os::unix::fs::symlink(format!("../../blobs/{blob}"), link).unwrap();
            }
        }
        let find = |name: &str| cache.find(&name.parse().unwrap()).unwrap();
        cache.remove(&find("org/a").unwrap()).unwrap();
        assert_eq!(find("org/a@main"), None);
        let left = find("org/a@old").unwrap();
        let files: Vec<String> = left.files().unwrap().into_iter().map(|it| it.0).collect();
        assert_eq!(files, ["config.json", "shared"]);
        assert!(!model.join("blobs/own").exists() && model.join("blobs/shared").exists());
        cache.remove(&left).unwrap();
        assert!(!model.exists());
    }

    #[test]
    fn a_cache_that_is_not_there_is_empty() {
        let cache = Cache::new("/none/at/all");
        assert_eq!(cache.snapshots().unwrap(), []);
        assert_eq!(commit(&cache, "org/name"), None);
    }
}
