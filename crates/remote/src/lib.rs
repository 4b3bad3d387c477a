//! What crosses the network: models from a hub or a package index into the cache, and
//! models that a server runs.
//!
//! Nothing here reads the environment or prints: where the cache is, how the network is
//! reached and which keys there are is said by the caller. Everything is synchronous.

mod cache;
mod error;
mod gguf_file;
mod name;
mod secret;

pub use cache::{Cache, Snapshot};
pub use error::RemoteError;
pub use gguf_file::{files_meant, is_first_part};
pub use name::{ModelName, ModelNameError, Source};
pub use secret::Secret;
