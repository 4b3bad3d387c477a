//! The store: SQLite is the truth about documents, chunks, permissions and vectors.
//!
//! One [`Writer`] at a time changes it, a commit at a time; any number of
//! [`Snapshot`]s read it meanwhile, each seeing the last whole commit. Every commit
//! raises the store's *sequence* by one and stamps it on what it adds and removes,
//! so that whatever is derived from the store can tell how far behind it is and
//! catch up.
//!
//! A document's text is kept once, in its chunks: together they cover it. A
//! document's chunks are numbered without a gap, so that whose a chunk is can be
//! told from ranges.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};

use contract::{EmbedderId, Embedding, Permissions};
use rusqlite::{Connection, OptionalExtension as _};

pub use reader::{Snapshot, StoredChunk, StoredDocument};
pub use writer::{Change, NewDocument, Writer};

use crate::SearchError;

/// The number of a commit, from 1; 0 is the empty store.
pub type Sequence = u64;

/// The layout this program writes; raised with every change to the tables.
const LAYOUT: u32 = 1;

pub(crate) const DATABASE: &str = "groundtune.db";
const LOCK: &str = "writer.lock";

const TABLES: &str = "
CREATE TABLE facts (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- A source is a file that was read: what it held, and what became of it.
CREATE TABLE sources (
    id          TEXT PRIMARY KEY,
    size        INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    taken_ns    INTEGER NOT NULL,
    fingerprint BLOB    NOT NULL,
    notes       TEXT    NOT NULL
) WITHOUT ROWID;

CREATE TABLE documents (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    source      TEXT    NOT NULL,
    title       TEXT,
    format      TEXT    NOT NULL,
    metadata    TEXT    NOT NULL,
    permissions TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    bytes       INTEGER NOT NULL,
    first_chunk INTEGER NOT NULL,
    chunks      INTEGER NOT NULL,
    sequence    INTEGER NOT NULL
);
CREATE INDEX documents_of_source ON documents (source);
CREATE INDEX documents_by_chunk ON documents (first_chunk);
CREATE INDEX documents_by_permissions ON documents (permissions);

CREATE TABLE chunks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    document   INTEGER NOT NULL,
    headings   TEXT    NOT NULL,
    start_byte INTEGER NOT NULL,
    end_byte   INTEGER NOT NULL,
    start_line INTEGER NOT NULL,
    end_line   INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    sequence   INTEGER NOT NULL
);
CREATE INDEX chunks_by_sequence ON chunks (sequence);

CREATE TABLE vectors (
    chunk   INTEGER PRIMARY KEY,
    numbers BLOB NOT NULL
);

CREATE TABLE removed (
    chunk    INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL
);
CREATE INDEX removed_by_sequence ON removed (sequence);
";

/// A file that was read, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its id: the part before `#` of its documents' ids.
    pub id: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// When it was read, in nanoseconds since 1970.
    pub taken_ns: i64,
    /// A fingerprint of its bytes and of the recipe that cut them.
    pub fingerprint: [u8; 16],
    /// Warnings, and why it holds no document if it holds none.
    pub notes: Vec<String>,
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files read, those without a document included.
    pub sources: u64,
    /// Documents.
    pub documents: u64,
    /// Chunks.
    pub chunks: u64,
    /// Chunks that have a vector.
    pub vectors: u64,
    /// The text's length in bytes.
    pub bytes: u64,
}

/// Returns the path of the database in the store's `folder`.
pub(crate) fn database_path(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

fn fact(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM facts WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn set_fact(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO facts (key, value) VALUES (?1, ?2)")?
        .execute([key, value])?;
    Ok(())
}

fn sequence(connection: &Connection) -> rusqlite::Result<Sequence> {
    Ok(fact(connection, "sequence")?
        .and_then(|value| value.parse().ok())
        .unwrap_or(0))
}

fn removals_kept_from(connection: &Connection) -> rusqlite::Result<Sequence> {
    let kept = fact(connection, "removals_kept_from")?;
    Ok(kept.and_then(|value| value.parse().ok()).unwrap_or(0))
}

fn embedder(connection: &Connection) -> rusqlite::Result<Option<EmbedderId>> {
    Ok(fact(connection, "embedder")?.and_then(|value| serde_json::from_str(&value).ok()))
}

/// Refuses a database of a later layout; returns whether it has any layout yet.
fn check_layout(connection: &Connection, path: &Path) -> Result<bool, SearchError> {
    let found: u32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|source| SearchError::database(path, source))?;
    if found > LAYOUT {
        return Err(SearchError::LaterLayout {
            path: path.into(),
            found,
            known: LAYOUT,
        });
    }
    Ok(found != 0)
}

fn numbers_to_bytes(embedding: &Embedding) -> Vec<u8> {
    embedding
        .values()
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn numbers_from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")))
        .collect()
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("the contract's types have no map with odd keys")
}

/// Returns what stands for `permissions` in the database: equal ones have equal text.
fn permissions_text(permissions: &Permissions) -> String {
    json(permissions)
}

fn from_json<T: serde::de::DeserializeOwned>(index: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|source| {
        rusqlite::Error::FromSqlConversionFailure(
            index,
            rusqlite::types::Type::Text,
            Box::new(source),
        )
    })
}
