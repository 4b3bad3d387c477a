//! What can go wrong while storing and finding.

use std::io;
use std::path::{Path, PathBuf};

use contract::{EmbedderId, PromiseError};
use thiserror::Error;

use crate::derived::DerivedError;
use crate::filter::FilterError;

/// Why a store could not be opened, written or searched.
#[derive(Debug, Error)]
pub enum SearchError {
    /// There is no store in the folder yet.
    #[error("there is no store in `{path}`", path = path.display())]
    NoStore {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the store could not be read or written.
    #[error("`{path}` cannot be read or written", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error("the database `{path}` failed", path = path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// Nothing was written, because there is no room; the last commit stands.
    #[error("the disk that holds `{path}` is full; the last commit stands", path = path.display())]
    DiskFull {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The system could not read or write the database; the last commit stands.
    #[error("the system could not read or write `{path}`; the last commit stands", path = path.display())]
    DatabaseIo {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// The store may not be written.
    #[error("the store `{path}` is read-only", path = path.display())]
    ReadOnly {
        /// The folder or database.
        path: PathBuf,
    },
    /// The database is not one, or its pages do not hold together.
    #[error("the database `{path}` is damaged", path = path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// Another process is writing to the store.
    #[error(
        "another process{} is writing to the store `{path}`",
        holder.map(|pid| format!(" ({pid})")).unwrap_or_default(), path = path.display()
    )]
    Locked {
        /// The store's folder.
        path: PathBuf,
        /// The process, if it left its number.
        holder: Option<u32>,
    },
    /// The store was written by a later version of this program.
    #[error(
        "the store `{path}` has layout {found}, this program knows layouts up to {known}",
        path = path.display()
    )]
    LaterLayout {
        /// The database.
        path: PathBuf,
        /// The layout found.
        found: u32,
        /// The latest layout this program reads.
        known: u32,
    },
    /// The vectors are of another model than those in the store.
    #[error("the store holds vectors of {stored}, these are of {given}")]
    OtherEmbedder {
        /// Whose vectors the store holds.
        stored: EmbedderId,
        /// Whose vectors were given.
        given: EmbedderId,
    },
    /// The filter cannot be understood or names a key that no document has.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A derived file cannot be written.
    #[error(transparent)]
    Derived(#[from] DerivedError),
    /// A model that helps with finding failed.
    #[error(transparent)]
    Promise(#[from] PromiseError),
    /// The vector index refuses what it was given.
    #[error(transparent)]
    Vector(#[from] crate::vector::VectorError),
}

impl SearchError {
    /// Sorts what SQLite says about `path` by what the user can do about it.
    pub(crate) fn database(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_path_buf();
        let code = match &source {
            rusqlite::Error::SqliteFailure(failure, _) => Some(*failure),
            _ => None,
        };
        match code.map(|failure| failure.code) {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, source },
            Some(ErrorCode::SystemIoFailure) => Self::DatabaseIo { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, source }
            }
            _ => Self::Database { path, source },
        }
    }
}
