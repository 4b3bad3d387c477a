//! The journey of training data: files → examples → the three sets → token sequences.
//!
//! What a file's records mean is `corpus`'s to know, what a model reads is its tokenizer's;
//! here the two are put together. [`audit`] looks at the examples before anything is
//! learnt from them.

pub mod audit;
mod labels;
mod sequences;

use std::path::{Path, PathBuf};

use contract::{Example, LessonKind, Sets, Split};
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use crate::beside::write_beside;

pub use corpus::examples::{
    ExampleError, Examples, Fault, Layout, Located, Passages, ReadExamples, Refusal, UnknownLayout,
    read_examples, written, written_as,
};
pub(crate) use labels::other;
pub use labels::{LabelError, Labelled, Tagged, label_names, labelled, tag_names, tagged};
pub use sequences::{
    LeftOut, Overlong, Prepared, PreparedPairs, SequenceOptions, Why, preferences, sequences,
};
pub(crate) use sequences::{asked, plain_prompt, prompt_line};

/// Why a data set could not be used.
#[derive(Debug, Error)]
pub enum DataError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] ExampleError),
    /// No record of the files was taken.
    #[error("no record of `{file}` was taken; the first was refused: {first}")]
    NothingTaken {
        /// The first file.
        file: String,
        /// Its first refusal.
        first: Box<Refusal>,
    },
    /// Lessons of one kind were wanted, and another came.
    #[error("`{id}` is a {found}; expected {expected}")]
    Kind {
        /// The example.
        id: String,
        /// What it is.
        found: LessonKind,
        /// What was wanted.
        expected: &'static str,
    },
    /// The tokenizer failed.
    #[error("a text could not be made into tokens")]
    Tokenizer(#[from] model::ModelError),
    /// What is left out leaves nothing.
    #[error(
        "nothing is left to learn from: of {count} examples, the first was left out because {first}"
    )]
    NothingLeft {
        /// How many there were.
        count: usize,
        /// Why the first was left out.
        first: Why,
    },
    /// Labels do not go together.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// Documents to compare with have no text.
    #[error("`{}` has no documents with text to compare with", path.display())]
    NoDocuments {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// Documents to compare with could not be read.
    #[error("no documents could be read in `{}`", path.display())]
    Documents {
        /// Where they were looked for.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is to be written would take the place of what is read.
    #[error("`{}` is read here and would be overwritten; write somewhere else", path.display())]
    Overwrites {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("`{}` could not be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}

/// What files of examples hold together.
#[derive(Debug, Default)]
pub struct Dataset {
    /// The examples, file after file.
    pub examples: Vec<Example>,
    /// What each file gave.
    pub files: Vec<FileSummary>,
    /// The records that were not taken.
    pub refused: Vec<Refusal>,
}

/// What one file gave.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FileSummary {
    /// The file.
    pub path: PathBuf,
    /// How it lays out its examples.
    pub layout: Layout,
    /// How many examples it has.
    pub examples: usize,
    /// How many of its records were not taken.
    pub refused: usize,
}

impl Dataset {
    /// Reads files of examples.
    ///
    /// # Errors
    /// If one cannot be read, or none has a record that can be taken.
    pub fn read(paths: &[PathBuf], options: &ReadExamples) -> Result<Self, DataError> {
        let mut set = Self::default();
        for path in paths {
            let file = read_examples(path, options)?;
            set.files.push(FileSummary {
                path: path.clone(),
                layout: file.layout,
                examples: file.examples.len(),
                refused: file.refused.len(),
            });
            set.examples.extend(file.examples);
            set.refused.extend(file.refused);
        }
        match (set.examples.is_empty(), set.refused.is_empty()) {
            (true, false) => Err(DataError::NothingTaken {
                file: name(paths.first()),
                first: Box::new(set.refused.swap_remove(0)),
            }),
            (true, true) => Err(ExampleError::Empty {
                file: name(paths.first()),
            }
            .into()),
            (false, _) => Ok(set),
        }
    }

    /// Returns a number that two data sets share if they teach the same in the same order:
    /// what a run folder keeps of its data.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        for example in &self.examples {
            hash.update(written(example).to_string().as_bytes());
            hash.update(b"\n");
        }
        hash.digest()
    }

    /// Divides the examples into the three sets; near-duplicates stand on one side.
    pub fn split(self, recipe: &Split) -> Sets {
        let alike = corpus::examples::alike(&self.examples);
        contract::split(self.examples, &alike, recipe)
    }
}

fn name(path: Option<&PathBuf>) -> String {
    path.map(|path| path.display().to_string())
        .unwrap_or_default()
}

/// Writes examples as JSON lines, in the layout of their kind; beside and renamed, so that
/// there is never half a file.
///
/// # Errors
/// If the file cannot be written.
pub fn write_examples(path: &Path, examples: &[Example]) -> Result<(), DataError> {
    write_lines(
        path,
        examples.iter().map(|example| written(example).to_string()),
    )
}

/// Sees to it that nothing that is to be written takes the place of a file that is read.
///
/// # Errors
/// If something would.
pub fn keep_inputs<'a>(
    written: impl IntoIterator<Item = &'a Path>,
    read: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<(), DataError> {
    // What is not there yet cannot be overwritten.
    let whole = |path: &Path| fs_err::canonicalize(path).ok();
    let read: Vec<PathBuf> = read.into_iter().filter_map(|path| whole(path)).collect();
    for path in written {
        if whole(path).is_some_and(|path| read.contains(&path)) {
            return Err(DataError::Overwrites {
                path: path.to_path_buf(),
            });
        }
    }
    Ok(())
}

/// Writes lines to `path`, beside it first.
///
/// # Errors
/// If the file cannot be written.
pub fn write_lines(path: &Path, lines: impl Iterator<Item = String>) -> Result<(), DataError> {
    use std::io::Write as _;
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            fs_err::create_dir_all(folder)?;
        }
        write_beside(path, |file| {
            for line in lines {
                file.write_all(line.as_bytes())?;
                file.write_all(b"\n")?;
            }
            Ok(())
        })
    };
    write().map_err(|source| DataError::Write {
        path: path.to_path_buf(),
        source,
    })
}
