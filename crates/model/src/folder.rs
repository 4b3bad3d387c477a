//! A model's folder: its files, and the fingerprint of those that were read.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

use crate::ModelError;

/// A model's folder, and a running hash of what was read from it.
pub(crate) struct Folder {
    path: PathBuf,
    hash: Xxh3,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            hash: Xxh3::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the bytes of `file`, or nothing if there is no such file.
    pub(crate) fn bytes(&mut self, file: &str) -> Result<Option<Vec<u8>>, ModelError> {
        match fs_err::read(self.path.join(file)) {
            Ok(bytes) => {
                self.add(&bytes);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns what `file` says, or nothing if there is no such file.
    pub(crate) fn json<T: DeserializeOwned>(
        &mut self,
        file: &str,
    ) -> Result<Option<T>, ModelError> {
        let Some(bytes) = self.bytes(file)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| ModelError::Json {
                path: self.path.join(file),
                source,
            })
    }

    /// Takes `bytes` into the fingerprint, with their length, so that what is at the
    /// end of one piece is never taken for the start of the next.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.hash.update(&(bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    /// Returns the model's name and the fingerprint of all that was read:
    /// `all-MiniLM-L6-v2@0f6b1c…`.
    pub(crate) fn identity(&self) -> String {
        format!("{}@{:016x}", self.name(), self.hash.digest())
    }

    /// Returns the folder's name; in a Hugging Face cache, where a folder is called by
    /// its revision (`models--org--name/snapshots/0a1b…`), the model's.
    pub(crate) fn name(&self) -> String {
        let full = fs_err::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let named = |path: &Path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        };
        let cached = full
            .parent()
            .filter(|parent| parent.file_name().is_some_and(|it| it == "snapshots"))
            .and_then(Path::parent)
            .and_then(named)
            .and_then(|name| Some(name.strip_prefix("models--")?.replace("--", "/")));
        cached
            .or_else(|| named(&full))
            .unwrap_or_else(|| "model".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cached_model_is_called_by_its_name() {
        for (path, expect) in [
            ("/none/bge-small", "bge-small"),
            (
                "/none/models--org--bge-small/snapshots/0a1b",
                "org/bge-small",
            ),
            ("/none/mine/snapshots/0a1b", "0a1b"),
        ] {
            assert_eq!(Folder::new(Path::new(path)).name(), expect);
        }
    }

    #[test]
    fn the_fingerprint_tells_contents_apart() {
        let identity = |pieces: &[&[u8]]| {
            let mut folder = Folder::new(Path::new("/none/m"));
            pieces.iter().for_each(|piece| folder.add(piece));
            folder.identity()
        };
        assert_eq!(identity(&[b"ab", b"c"]), identity(&[b"ab", b"c"]));
        assert_ne!(identity(&[b"ab", b"c"]), identity(&[b"a", b"bc"]));
    }
}
