//! groundtune, the library: ground a language model in your documents, tune it, or
//! both, and find out which of them pays.
//!
//! Each journey has one file, which puts the parts in order and holds no algorithm of
//! its own: [`ingest()`], then [`Session::ask`]. The library never prints and
//! reads neither the environment nor a home folder; what happens on the way is told
//! as values to a closure.

pub mod advise;
pub mod ask;
mod beside;
pub mod compare;
pub mod config;
pub mod data;
pub mod demo;
pub mod distill;
mod error;
pub mod examine;
mod fit;
pub mod generate;
pub mod index_bench;
pub mod ingest;
pub mod inspect;
pub mod judge;
pub mod models;
pub mod opinion;
pub mod project;
pub mod retrieval;
pub mod route;
mod settings;
pub mod train;
pub mod vocabulary;

pub use ask::{AskReply, DocumentText, NOT_IN_THE_DOCUMENTS, Question, Session};
pub use config::{Config, ConfigError};
pub use error::Error;
pub use ingest::{IngestEvent, IngestRequest, IngestSummary, Skipped, WatchEvent, ingest, watch};
pub use inspect::{Check, Finding, Status, doctor, remove_documents, status};
pub use models::{Environment, ModelReference};
pub use project::{Project, ProjectError};

// The nouns that the journeys are asked and answer with.
pub use contract;
pub use search::{
    Explanation, Filter, FilterError, Found, GroundedSentence, SearchError, SearchReply, Timings,
};
