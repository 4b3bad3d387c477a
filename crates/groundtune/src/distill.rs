//! From a transformer to a static table: texts → the teacher's vectors → rows → a file.
//!
//! What the teacher says is kept beside the file as it comes (`OUT.teacher`), so that a
//! journey that was stopped goes on where it was, and another table of the same texts
//! costs seconds.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contract::Embed as _;
pub use model::distill::DistillOptions;
use model::distill::{Lesson, alone, distill as fit, vocabulary};
use model::{Embedder, EmbedderOptions};
use thiserror::Error as ThisError;
use xxhash_rust::xxh3::Xxh3;

use crate::beside::write_beside;

const MAGIC: &[u8; 8] = b"gtteach1";
const HEADER: u64 = 24;
/// Texts that the teacher is given at a time: what a stop loses at most.
const BATCH: usize = 512;

/// What to distil.
#[derive(Clone, Debug, PartialEq)]
pub struct DistillRequest {
    /// The teacher: a folder as on the Hugging Face hub.
    pub teacher: PathBuf,
    /// Where the texts are: `.jsonl` with a `text` in each line, or plain files with a
    /// text a line.
    pub texts: Vec<PathBuf>,
    /// The file to write.
    pub out: PathBuf,
    /// What the table is called; without, as the file without its ending.
    pub name: Option<String>,
    /// How it is made.
    pub options: DistillOptions,
}

/// What happens on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistillEvent {
    /// The teacher has embedded so many of so many pieces and texts.
    Taught {
        /// So many.
        done: usize,
        /// Of so many.
        all: usize,
    },
    /// So many of so many steps of the fit are done.
    Fitted {
        /// So many.
        done: usize,
        /// Of so many.
        all: usize,
    },
}

/// What was made.
#[derive(Clone, Debug, PartialEq)]
pub struct DistillReport {
    /// Texts that it was made from.
    pub texts: usize,
    /// Pieces in the table.
    pub pieces: usize,
    /// Pieces that no text had.
    pub unseen: usize,
    /// Numbers a vector.
    pub dimensions: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// The mean cosine between its vectors and the teacher's, on texts kept from the fit.
    pub agreement: Option<f64>,
    /// The share of the teacher's vectors that the kept directions hold.
    pub kept: f64,
    /// From start to end.
    pub elapsed: Duration,
}

/// Why nothing was distilled.
#[derive(Debug, ThisError)]
pub enum DistillError {
    /// The teacher cannot be opened, or its vocabulary cannot be used.
    #[error("the teacher cannot be used")]
    Model(#[from] model::ModelError),
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A line of a `.jsonl` file is not an object with a `text`.
    #[error("line {line} of `{}` has no `text`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The files hold no text.
    #[error("the files hold no text")]
    NoTexts,
    /// It was stopped; what the teacher said so far is kept.
    #[error("stopped; what the teacher said so far is kept in `{}`", kept.display())]
    Stopped {
        /// Where.
        kept: PathBuf,
    },
}

/// Distils a table. `events` hears what is done, and stops it when it breaks.
///
/// # Errors
/// If a file cannot be read or written, or the teacher is none that can be distilled.
pub fn distill(
    request: &DistillRequest,
    events: &mut dyn FnMut(DistillEvent) -> ControlFlow<()>,
) -> Result<DistillReport, DistillError> {
    let started = Instant::now();
    let texts = read_texts(&request.texts)?;
    if texts.is_empty() {
        return Err(DistillError::NoTexts);
    }
    let vocabulary = vocabulary(&request.teacher)?;
    let teacher = Embedder::open(&request.teacher, &EmbedderOptions::default())?;
    let width = teacher.identity().dimensions;
    let spoken: Vec<&str> = vocabulary
        .iter()
        .map(|piece| alone(piece))
        .chain(texts.iter().map(String::as_str))
        .collect();
    let kept = teacher_beside(&request.out);
    let vectors = taught(&teacher, &spoken, &kept, events)?;
    let (alone, vectors) = vectors.split_at(vocabulary.len() * width);
    let stem = || {
        let stem = request.out.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let name = request.name.clone().unwrap_or_else(stem);
    let lesson = Lesson {
        name: &name,
        vocabulary: &vocabulary,
        alone,
        texts: &texts,
        vectors,
        width,
    };
    let distilled = fit(&lesson, &request.options, &mut |done, all| {
        events(DistillEvent::Fitted { done, all })
    })?;
    let Some(distilled) = distilled else {
        return Err(DistillError::Stopped { kept });
    };
    write_beside(&request.out, |file| file.write_all(&distilled.file))?;
    Ok(DistillReport {
        texts: texts.len(),
        pieces: distilled.pieces,
        unseen: distilled.unseen,
        dimensions: request.options.dimensions.min(width),
        bytes: distilled.file.len() as u64,
        agreement: distilled.agreement,
        kept: distilled.kept,
        elapsed: started.elapsed(),
    })
}

/// Returns where what the teacher said is kept.
fn teacher_beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".teacher");
    name.into()
}

fn read_texts(paths: &[PathBuf]) -> Result<Vec<String>, DistillError> {
    let mut texts = Vec::new();
    for path in paths {
        let is_json = path.extension().is_some_and(|ending| ending == "jsonl");
        for (index, line) in fs_err::read_to_string(path)?.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            texts.push(if is_json {
                serde_json::from_str::<serde_json::Value>(line)
                    .ok()
                    .and_then(|value| Some(value.get("text")?.as_str()?.to_owned()))
                    .ok_or_else(|| DistillError::Line {
                        path: path.clone(),
                        line: index + 1,
                    })?
            } else {
                line.to_owned()
            });
        }
    }
    Ok(texts)
}

/// Returns the teacher's vectors of `spoken`, those that `kept` has from there and the
/// rest added to it.
fn taught(
    teacher: &Embedder,
    spoken: &[&str],
    kept: &Path,
    events: &mut dyn FnMut(DistillEvent) -> ControlFlow<()>,
) -> Result<Vec<f32>, DistillError> {
    let width = teacher.identity().dimensions;
    let mut hash = Xxh3::new();
    hash.update(teacher.identity().name.as_bytes());
    for text in spoken {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    let header = [
        &MAGIC[..],
        &hash.digest().to_le_bytes(),
        &(width as u64).to_le_bytes(),
    ]
    .concat();
    let row = 4 * width as u64;
    let mut file = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(kept)?
        .into_file();
    let mut done = rows_kept(&mut file, &header, row)?.min(spoken.len() as u64);
    // What a stop left half is written again.
    file.set_len(HEADER + done * row)?;
    if done == 0 {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header)?;
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(HEADER))?;
    file.read_to_end(&mut bytes)?;
    let mut vectors: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]]))
        .collect();
    for batch in spoken[done as usize..].chunks(BATCH) {
        let (so_far, all) = (done as usize, spoken.len());
        let event = DistillEvent::Taught { done: so_far, all };
        if events(event).is_break() {
            return Err(DistillError::Stopped {
                kept: kept.to_owned(),
            });
        }
        let rows = teacher.vectors(batch)?.concat();
        let bytes: Vec<u8> = rows.iter().flat_map(|x| x.to_le_bytes()).collect();
        file.write_all(&bytes)?;
        vectors.extend(rows);
        done += batch.len() as u64;
    }
    Ok(vectors)
}

/// Returns how many whole rows `file` has, 0 if it is of another teacher or other texts.
fn rows_kept(file: &mut File, header: &[u8], row: u64) -> Result<u64, DistillError> {
    let length = file.metadata()?.len();
    if length < HEADER {
        return Ok(0);
    }
    let mut found = [0; HEADER as usize];
    file.read_exact(&mut found)?;
    Ok(if found == header {
        (length - HEADER) / row
    } else {
        0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(folder: &Path) -> DistillRequest {
        let texts = folder.join("texts.jsonl");
        let lines: String = (0..120)
            .map(|i| format!("{{\"text\": \"the cat {i} sat on the mat {}\"}}\n", i % 7))
            .collect();
        fs_err::write(&texts, lines).unwrap();
        DistillRequest {
            teacher: Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/bert"),
            texts: vec![texts],
            out: folder.join("tiny.gtstatic"),
            name: None,
            options: DistillOptions {
                dimensions: 8,
                ..DistillOptions::default()
            },
        }
    }

    #[test]
    fn a_stopped_journey_goes_on_and_ends_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let request = request(folder.path());
        let report = distill(&request, &mut |_| ControlFlow::Continue(())).unwrap();
        let whole = fs_err::read(&request.out).unwrap();
        assert_eq!(report.bytes, whole.len() as u64);
        assert!(report.agreement.unwrap() > 0.9, "{report:?}");

        // Half of what the teacher said, and half a row.
        let kept = teacher_beside(&request.out);
        let file = fs_err::OpenOptions::new().write(true).open(&kept).unwrap();
        file.file().set_len(HEADER + 4 * 32 * 9 + 5).unwrap();
        let stopped = distill(&request, &mut |_| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(DistillError::Stopped { .. })));
        distill(&request, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(fs_err::read(&request.out).unwrap(), whole);
    }

    #[test]
    fn any_number_of_threads_makes_the_same_bytes() {
        let made = |threads| {
            let folder = tempfile::tempdir().unwrap();
            let request = request(folder.path());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let work = || distill(&request, &mut |_| ControlFlow::Continue(()));
            pool.unwrap().install(work).unwrap();
            fs_err::read(&request.out).unwrap()
        };
        let by_one = made(1);
        for threads in [2, 3, 5] {
            assert!(made(threads) == by_one, "{threads} threads");
        }
    }

    #[test]
    fn a_line_without_text_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut request = request(folder.path());
        request.texts = vec![folder.path().join("bad.jsonl")];
        fs_err::write(&request.texts[0], "{\"text\": \"a\"}\n\n{\"body\": 1}\n").unwrap();
        let error = distill(&request, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(
            matches!(error, DistillError::Line { line: 3, .. }),
            "{error}"
        );
    }
}
