//! What crosses the network: models from a hub or a package index into the cache, and
//! models that a server runs.
//!
//! Nothing here reads the environment or prints: where the cache is, how the network is
//! reached and which keys there are is said by the caller. Everything is synchronous.

mod address;
mod cache;
mod chat;
mod download;
mod embeddings;
mod error;
mod events;
mod gguf_file;
mod http;
mod hub;
mod index;
mod name;
mod pull;
mod rerank;
mod retry;
mod secret;
mod select;
mod server;
mod wheel;

pub use cache::{Cache, Snapshot};
pub use chat::{Chat, ChatReply, ChatSettings};
pub use download::{PullEvent, PullSink};
pub use embeddings::{Prefixes, RemoteEmbedder};
pub use error::RemoteError;
pub use gguf_file::{files_meant, is_first_part};
pub use http::{Network, NetworkOptions};
pub use hub::{HUGGING_FACE, Hub};
pub use index::{PYPI, PackageIndex};
pub use name::{ModelName, ModelNameError, Source};
pub use pull::Sources;
pub use rerank::RemoteReranker;
pub use retry::Retry;
pub use secret::Secret;
pub use server::ServerOptions;
