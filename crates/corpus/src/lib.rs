//! Files in; documents and chunks out.
//!
//! The road is [`walk`] → [`read_file`] → [`chunk()`]. Parsers of odd formats live
//! here and nowhere else, behind one door: a file's bytes go in, and
//! [`contract::Document`]s with headings, metadata and permissions come out, or
//! the reason why not. Nothing is dropped in silence: a file is read, refused
//! with a [`ReadError`], or named in a [`Warning`].
//!
//! Whatever the format, a document's sections cover its text from the first
//! byte to the last, and its chunks (without overlap) join to exactly that text.

pub mod chunk;
mod encoding;
mod error;
mod fields;
mod format;
mod identity;
mod outline;
mod read;
mod walk;

pub use chunk::{ChunkError, Chunker, chunk};
pub use error::{ReadError, Warning};
pub use identity::document_id;
pub use read::{ReadOptions, Reading, TrainingParameters, read_bytes, read_file};
pub use walk::{Found, Skipped, Walk, WalkError, WalkOptions, walk};
