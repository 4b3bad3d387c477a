//! Why something could not be had over the network.

use thiserror::Error;

/// What went wrong between here and a server, or in the cache.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// A file of the cache could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
