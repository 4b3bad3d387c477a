//! Files in; examples to learn from out.
//!
//! A file's layout (alpaca, ShareGPT, SQuAD, …) is told from its first records, or named,
//! and each record becomes one [`contract::Example`] or several. A record that is not as
//! its layout says is refused with its file and line, what was found and what was
//! expected; none is dropped in silence.

mod alike;
mod fault;
mod file;
mod layout;
mod lesson;
mod measure;
mod personal;
mod question;
mod record;
mod turns;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use contract::Example;

pub use alike::{Alike, alike};
pub use fault::{ExampleError, Fault, Refusal};
pub use file::{Examples, Located};
pub use layout::{Layout, UnknownLayout};
pub use measure::{Richness, repetition, words};
pub use personal::{PersonalKind, personal};
pub use write::{written, written_as};

/// How a file of examples is read.
#[derive(Clone, Debug)]
pub struct ReadExamples {
    /// Its layout; `None` if that is to be told from its records.
    pub layout: Option<Layout>,
    /// What the layout's fields are called in the file, where that is not their own name:
    /// `prompt` → `question_text`.
    pub fields: BTreeMap<String, String>,
    /// What the file is called in ids and refusals; `None` for its own name.
    pub name: Option<String>,
    /// Texts of passages that questions name without having them.
    pub passages: Passages,
    /// The most bytes of a file that has to be read whole. JSON lines may be of any size.
    /// 2 GiB if nothing else is said.
    pub max_bytes: u64,
}

impl Default for ReadExamples {
    fn default() -> Self {
        Self {
            layout: None,
            fields: BTreeMap::new(),
            name: None,
            passages: Passages::default(),
            max_bytes: 2 << 30,
        }
    }
}

/// Texts of passages by their ids; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Passages(Arc<HashMap<String, String>>);

impl Passages {
    /// Reads passages from JSON lines `{_id, text}` (`id` does as well).
    ///
    /// # Errors
    /// If the file cannot be read. What is refused of it is returned beside.
    pub fn open(path: &Path) -> Result<(Self, Vec<Refusal>), ExampleError> {
        let options = ReadExamples {
            layout: Some(Layout::Text),
            ..ReadExamples::default()
        };
        let read = read_examples(path, &options)?;
        let texts = read.examples.into_iter().map(|example| {
            let text = example.lesson.input();
            (example.id.as_str().to_owned(), text)
        });
        Ok((Self(Arc::new(texts.collect())), read.refused))
    }

    /// Returns the text of a passage.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }
}

/// What a file of examples holds.
#[derive(Debug)]
pub struct ExampleFile {
    /// How the file lays them out.
    pub layout: Layout,
    /// The examples, in the order of the file.
    pub examples: Vec<Example>,
    /// The line of each example's record.
    pub lines: Vec<u64>,
    /// The records that were not taken.
    pub refused: Vec<Refusal>,
}

/// Reads a whole file of examples.
///
/// # Errors
/// If it cannot be read, or its layout cannot be told.
pub fn read_examples(path: &Path, options: &ReadExamples) -> Result<ExampleFile, ExampleError> {
    let records = Examples::open(path, options)?;
    let mut file = ExampleFile {
        layout: records.layout(),
        examples: Vec::new(),
        lines: Vec::new(),
        refused: Vec::new(),
    };
    for record in records {
        match record {
            Ok(Located { line, example }) => {
                file.examples.push(example);
                file.lines.push(line);
            }
            Err(refusal) => file.refused.push(refusal),
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
