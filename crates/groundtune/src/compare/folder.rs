//! A comparison's folder: what each stage leaves on the disk, and the next one reads.
//!
//! | file | what |
//! |---|---|
//! | `compare.toml` | what is compared, written down before anything is measured |
//! | `examination.json` | the questions, divided |
//! | `ways.jsonl` | ways to find evidence, and what each found of the development questions |
//! | `retrieval.json` | what was tried of retrieval, and chosen |
//! | `stores/` | the documents cut as was chosen, if otherwise than the project does |
//! | `evidence.jsonl` | what was found for each question |
//! | `taught/NAME.SEED/` | what a candidate was taught on, its recipe and its run |
//! | `predictions/NAME.SEED.jsonl` | every answer, with its evidence, tokens and time |
//! | `router.json` | the router of `routed` |
//! | `drills/NAME/` | the cases of a drill, and each candidate's answers to them |
//! | `drills.json` | what came of the drills |
//! | `judge.jsonl` | what a language model was asked of the answers, and replied |
//! | `report.json`, `report.md`, `report.html` | what came of it |
//!
//! A file is written beside its place and renamed, or a line at a time; so what is there is
//! whole, up to a last line that a kill has cut off, which is left out when it is read.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Arm, CompareError, DrillKind};
use crate::beside::write_beside;

/// The folder of one comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the next of the folders in `all`: `0001`, `0002`, ….
    pub(super) fn create(all: &Path) -> Result<Self, CompareError> {
        fs_err::create_dir_all(all)?;
        let last = fs_err::read_dir(all)?
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .max()
            .unwrap_or(0);
        // Whoever comes first makes it; another takes the next.
        for number in last + 1.. {
            let root = all.join(format!("{number:04}"));
            match fs_err::create_dir(&root) {
                Ok(()) => return Ok(Self { root }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("there is always a next number")
    }

    /// Opens a comparison that was begun.
    pub(super) fn open(root: &Path) -> Result<Self, CompareError> {
        let folder = Self { root: root.into() };
        if folder.plan().is_file() {
            return Ok(folder);
        }
        Err(CompareError::NoComparison {
            folder: root.into(),
        })
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Returns what it is called: the folder's name.
    pub fn name(&self) -> String {
        let name = self.root.file_name();
        name.map_or_else(String::new, |it| it.to_string_lossy().into_owned())
    }

    pub(super) fn plan(&self) -> PathBuf {
        self.root.join("compare.toml")
    }

    pub(super) fn examination(&self) -> PathBuf {
        self.root.join("examination.json")
    }

    pub(super) fn evidence(&self) -> PathBuf {
        self.root.join("evidence.jsonl")
    }

    /// Returns where is kept what each way to find has found.
    pub(super) fn ways(&self) -> PathBuf {
        self.root.join("ways.jsonl")
    }

    /// Returns where documents are that were cut otherwise.
    pub(super) fn stores(&self) -> PathBuf {
        self.root.join("stores")
    }

    pub(super) fn retrieval(&self) -> PathBuf {
        self.root.join("retrieval.json")
    }

    pub(super) fn taught(&self, arm: Arm, seed: u64) -> PathBuf {
        self.root.join("taught").join(format!("{arm}.{seed}"))
    }

    pub(super) fn predictions(&self, arm: Arm, seed: u64) -> PathBuf {
        let folder = self.root.join("predictions");
        folder.join(format!("{arm}.{seed}.jsonl"))
    }

    pub(super) fn drill(&self, kind: DrillKind) -> PathBuf {
        self.root.join("drills").join(kind.as_str())
    }

    pub(super) fn drills(&self) -> PathBuf {
        self.root.join("drills.json")
    }

    pub(super) fn router(&self) -> PathBuf {
        self.root.join("router.json")
    }

    pub(super) fn judge(&self) -> PathBuf {
        self.root.join("judge.jsonl")
    }

    /// Returns where documents are copied to be changed.
    pub(super) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// Returns where the report is, with the ending `kind`: `md`, `json` or `html`.
    pub fn report(&self, kind: &str) -> PathBuf {
        self.root.join(format!("report.{kind}"))
    }
}

/// Writes `text` at `path`, beside it first.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CompareError> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    Ok(write_beside(path, |file| file.write_all(text.as_bytes()))?)
}

/// Writes `value` as JSON at `path`.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CompareError> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::other)?;
    write(path, &text)
}

/// Reads JSON at `path`; nothing, if it is not there yet.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, CompareError> {
    let text = match fs_err::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|source| CompareError::Damaged {
            path: path.into(),
            source,
        })
}

/// Reads JSON lines; a last one that was cut off is left out.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, CompareError> {
    let mut found = Vec::new();
    if !path.is_file() {
        return Ok(found);
    }
    let mut reader = BufReader::new(fs_err::File::open(path)?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
        let value = serde_json::from_str(&line).map_err(|source| CompareError::Damaged {
            path: path.into(),
            source,
        })?;
        found.push(value);
        line.clear();
    }
    Ok(found)
}

/// A file of JSON lines that grows.
pub(crate) struct Lines {
    file: fs_err::File,
}

impl Lines {
    /// Opens the file at `path`, and returns what is in it. A last line that is not whole is
    /// taken away.
    pub(crate) fn open<T: DeserializeOwned>(path: &Path) -> Result<(Self, Vec<T>), CompareError> {
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let (mut found, mut whole) = (Vec::new(), 0);
        if path.is_file() {
            let mut reader = BufReader::new(fs_err::File::open(path)?);
            let mut line = String::new();
            while reader.read_line(&mut line)? > 0 {
                if !line.ends_with('\n') {
                    break;
                }
                let value =
                    serde_json::from_str(&line).map_err(|source| CompareError::Damaged {
                        path: path.into(),
                        source,
                    })?;
                found.push(value);
                whole += line.len() as u64;
                line.clear();
            }
        }
        let file = fs_err::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)?;
        file.file().set_len(whole)?;
        let mut lines = Self { file };
        std::io::Seek::seek(&mut lines.file, std::io::SeekFrom::End(0))?;
        Ok((lines, found))
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, value: &impl Serialize) -> Result<(), CompareError> {
        let mut line = serde_json::to_string(value).map_err(std::io::Error::other)?;
        line.push('\n');
        // In one piece, so that at most the last line is ever cut.
        self.file.write_all(line.as_bytes())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/lines.jsonl");
        let (mut lines, found) = Lines::open::<u32>(&path).unwrap();
        assert_eq!(found, Vec::<u32>::new());
        lines.add(&1).unwrap();
        lines.add(&22).unwrap();
        drop(lines);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, &text[..text.len() - 2]).unwrap();
        let (mut lines, found) = Lines::open::<u32>(&path).unwrap();
        assert_eq!(found, [1]);
        lines.add(&333).unwrap();
        drop(lines);
        let (_, found) = Lines::open::<u32>(&path).unwrap();
        assert_eq!(found, [1, 333]);
    }

    #[test]
    fn folders_are_numbered() {
        let all = tempfile::tempdir().unwrap();
        let first = Folder::create(all.path()).unwrap();
        let second = Folder::create(all.path()).unwrap();
        assert!(first.path().ends_with("0001") && second.path().ends_with("0002"));
        assert!(matches!(
            Folder::open(second.path()),
            Err(CompareError::NoComparison { .. })
        ));
    }
}
