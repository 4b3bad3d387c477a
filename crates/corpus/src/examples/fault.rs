//! Why a file of examples could not be read, and why one record of it was not taken.

use contract::{Bytes, LessonKind};
use thiserror::Error;

use super::Layout;
use crate::ReadError;

/// Why a file gave no examples at all. Each says what to do.
#[derive(Debug, Error)]
pub enum ExampleError {
    /// The file could not be opened or read from the disk.
    #[error(
        "`{file}` could not be read from the disk; check that it is there and that you may read it"
    )]
    Io {
        /// The file.
        file: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The file is packed.
    #[error("`{file}` is packed; unpack it first with `{command}`")]
    Packed {
        /// The file.
        file: String,
        /// What unpacks it.
        command: &'static str,
    },
    /// The file is not what its name promises.
    #[error("`{file}` is not {expected}")]
    Damaged {
        /// The file.
        file: String,
        /// What it should be.
        expected: &'static str,
        /// What the parser found.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No layout fits the first records.
    #[error(
        "`{file}` has records with {keys}, which is no layout that is known; name the layout \
         (`format`), or say what its fields are called here (`--field`, `fields` in a recipe)"
    )]
    UnknownLayout {
        /// The file.
        file: String,
        /// The keys of its first record.
        keys: String,
    },
    /// The first records are not even JSON.
    #[error(
        "`{file}` has no JSON object among its first records; line {line} {fault}; \
         JSON lines have one object a line"
    )]
    NoObjects {
        /// The file.
        file: String,
        /// The first line that is none.
        line: u64,
        /// Why.
        fault: String,
    },
    /// A layout does not go with this kind of file.
    #[error("`{file}` cannot be read as `{layout}`, which is {expected}")]
    OtherFile {
        /// The file.
        file: String,
        /// The layout that was named.
        layout: Layout,
        /// In what kind of file it comes.
        expected: &'static str,
    },
    /// A field that is to be called something else is no field of the layout.
    #[error("`{field}` is no field of `{layout}`, which has {known}")]
    UnknownField {
        /// What was named.
        field: String,
        /// The layout.
        layout: Layout,
        /// Its fields.
        known: String,
    },
    /// The file is larger than what is read at once.
    #[error("`{file}` is larger than {limit}; write it as JSON lines, which are read one by one")]
    TooLarge {
        /// The file.
        file: String,
        /// The limit.
        limit: Bytes,
    },
    /// The file has nothing in it.
    #[error("`{file}` has no records")]
    Empty {
        /// The file.
        file: String,
    },
    /// The file is a document, and is not read.
    #[error(transparent)]
    Document(#[from] ReadError),
}

/// A record that was not taken, and why.
#[derive(Debug, Error)]
#[error("{file}:{line}: {fault}")]
pub struct Refusal {
    /// The file.
    pub file: String,
    /// Its line on which the record begins, from 1.
    pub line: u64,
    /// Why.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a record.
#[derive(Debug, Error)]
pub enum Fault {
    /// The line is not JSON.
    #[error("is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// The line is not text.
    #[error("is not UTF-8")]
    NotText,
    /// The line is longer than any record should be.
    #[error("is longer than {limit}")]
    TooLong {
        /// The most bytes of a line.
        limit: Bytes,
    },
    /// The row cannot be read.
    #[error("is no row of the table: {0}")]
    NotRow(#[source] csv::Error),
    /// The value is not an object.
    #[error("is {found}; expected an object with {expected}")]
    NotObject {
        /// What stands there.
        found: &'static str,
        /// The fields that it should have.
        expected: String,
    },
    /// A field is not there.
    #[error("has no `{field}`; expected {expected}")]
    Missing {
        /// The field.
        field: String,
        /// What the layout needs.
        expected: String,
    },
    /// A field is there, but empty.
    #[error("`{field}` is empty")]
    Blank {
        /// The field.
        field: String,
    },
    /// A field is of another type.
    #[error("`{field}` is {found}; expected {expected}")]
    Type {
        /// The field.
        field: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Words and tags are not as many.
    #[error("has {tokens} words and {tags} tags; expected one tag for each word")]
    Uneven {
        /// How many words.
        tokens: usize,
        /// How many tags.
        tags: usize,
    },
    /// A turn is of nobody who is known.
    #[error("turn {turn} is of `{found}`; expected system, user, assistant or tool")]
    Role {
        /// Which turn, from 1.
        turn: usize,
        /// Whose it is said to be.
        found: String,
    },
    /// There is nothing that the model says.
    #[error("has no turn of the assistant, so there is nothing to learn")]
    NoAnswer,
    /// The turns are in an order that nobody answers in.
    #[error(
        "ends the prompt with the assistant's turn; expected what `chosen` and `rejected` answer"
    )]
    Order,
    /// Two answers differ in more than their last turn.
    #[error("`{field}` goes on for {turns} turns after the prompt; expected one answer")]
    Turns {
        /// Which answer.
        field: &'static str,
        /// Its turns.
        turns: usize,
    },
    /// The two answers are one.
    #[error("`chosen` and `rejected` are the same, so there is nothing to prefer")]
    SameAnswers,
    /// An answer does not stand in the context.
    #[error("the answer `{answer}` does not stand in the context at {at}")]
    NotThere {
        /// The answer.
        answer: String,
        /// Where it should stand, in characters.
        at: u64,
    },
    /// It says that there is no answer, and gives one, or the other way round.
    #[error("says that it is {said}, and has {answers} answers")]
    Contradiction {
        /// What it says of itself.
        said: &'static str,
        /// How many answers it has.
        answers: usize,
    },
    /// A number is none that can be learnt.
    #[error("`{field}` is `{found}`; expected a number")]
    NotNumber {
        /// The field.
        field: String,
        /// What it is.
        found: String,
    },
    /// A lesson of this kind cannot be written in that layout.
    #[error("a {kind} cannot be written as `{layout}`: {reason}")]
    CannotWrite {
        /// The lesson's kind.
        kind: LessonKind,
        /// The layout.
        layout: Layout,
        /// Why.
        reason: &'static str,
    },
}
