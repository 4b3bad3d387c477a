//! Files in; documents, chunks, and examples to learn from out.
//!
//! The road is [`walk()`] → [`read_file`] → [`chunk()`]. Parsers of odd formats live
//! here and nowhere else, behind one door: a file's bytes go in, and
//! [`contract::Document`]s with headings, metadata and permissions come out, or
//! the reason why not. Nothing is dropped in silence: a file is read, refused
//! with a [`ReadError`], or named in a [`Warning`].
//!
//! What a model is to learn comes by a road of its own, [`examples`].
//!
//! Whatever the format, a document's sections cover its text from the first
//! byte to the last, and its chunks (without overlap) join to exactly that text.

pub mod chunk;
mod encoding;
mod error;
pub mod examples;
mod fields;
mod format;
mod identity;
mod outline;
mod read;
mod walk;

pub use chunk::{ChunkError, Chunker, chunk};
pub use error::{ReadError, Warning};
pub use format::STRANGERS_THREAD;
pub use identity::document_id;
pub use read::{ReadOptions, Reading, TrainingParameters, day, read_bytes, read_file};
pub use walk::{Found, SkipReason, Skipped, Walk, WalkError, WalkOptions, walk};
