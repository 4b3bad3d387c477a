//! The nouns of groundtune, and what its parts promise each other.
//!
//! Every other crate knows this one and this one knows nobody: there is no I/O
//! here, no tensor and no async. A word that two parts need (a document, a
//! chunk, an embedding) has its one home in a file of that name; what one part
//! needs done by another is a promise in [`promise`].

mod answer;
mod chunk;
mod document;
mod embedding;
mod evidence;
mod example;
mod id;
mod metadata;
mod nearest;
mod permission;
pub mod promise;
mod prompt;
mod split;
mod unit;

pub use answer::{Answer, Citation};
pub use chunk::{Chunk, LineRange, line_starts, lines_of};
pub use document::{Document, Section};
pub use embedding::{EmbedderId, Embedding, EmbeddingError};
pub use evidence::Evidence;
pub use example::{
    Example, GoldAnswer, Judgement, Labels, Lesson, LessonKind, Message, PassageId, Role, ToolCall,
};
pub use id::{ChunkId, DocumentId, QuestionId, RunId};
pub use metadata::{Metadata, Value};
pub use nearest::nearest;
pub use permission::{Group, Permissions, Reader};
pub use promise::{Candidate, Completion, Embed, Generate, PromiseError, Rerank, TextRole};
pub use prompt::{Prompt, Shot, Template, render, render_after};
pub use split::{DevSet, HeldOut, Sets, Split, TestSet, TrainSet, held_out, split};
pub use unit::{Bytes, Share, Tokens};
