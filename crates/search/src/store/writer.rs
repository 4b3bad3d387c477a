//! The one writer of a store.

use std::collections::{HashMap, HashSet};
use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use contract::{Chunk, Document, DocumentId, EmbedderId, Embedding};
use fs_err as fs;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    LAYOUT, LOCK, Sequence, Source, TABLES, check_layout, database_path, embedder, json,
    numbers_to_bytes, permissions_text, sequence, set_fact,
};
use crate::SearchError;
use crate::derived;

/// So many removed chunks are remembered at most, once the derived files know of them.
const REMOVALS_KEPT: u64 = 50_000;

/// The one process that may change the store. Others get [`SearchError::Locked`]
/// until it is dropped or its process ends, however it ends.
#[derive(Debug)]
pub struct Writer {
    connection: Connection,
    path: PathBuf,
    _lock: fs::File,
}

/// A document to be stored.
#[derive(Clone, Debug)]
pub struct NewDocument {
    /// The document.
    pub document: Document,
    /// Its chunks in order; they cover its text.
    pub chunks: Vec<Chunk>,
    /// One vector a chunk, or none at all.
    pub vectors: Vec<Embedding>,
    /// A fingerprint of all that was said about it: text, metadata, permissions, cuts
    /// and embedder. A document whose fingerprint is in the store already is kept as
    /// it is, with its chunks' ids.
    pub fingerprint: [u8; 16],
}

/// One change of a commit.
#[derive(Clone, Debug)]
pub enum Change {
    /// The source now holds exactly these documents.
    Put {
        /// The file that was read.
        source: Source,
        /// What it holds now.
        documents: Vec<NewDocument>,
    },
    /// The source is gone, and its documents with it.
    RemoveSource {
        /// The source's id.
        id: String,
    },
    /// One document goes, whatever its source holds.
    RemoveDocument {
        /// The document.
        id: DocumentId,
    },
}

impl Writer {
    /// Opens the store in `folder` to change it, making it if there is none.
    pub fn open(folder: &Path) -> Result<Self, SearchError> {
        let io = |source| io_error(folder, source);
        fs::create_dir_all(folder).map_err(io)?;
        let lock = lock(folder)?;
        let path = database_path(folder);
        let database = |source| SearchError::database(&path, source);
        let connection = Connection::open(&path).map_err(database)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(database)?;
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .map_err(database)?;
        if !check_layout(&connection, &path)? {
            let made = format!("BEGIN; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;");
            connection.execute_batch(&made).map_err(database)?;
        }
        drop_derived_ahead_of(sequence(&connection).map_err(database)?, folder);
        Ok(Self {
            connection,
            path,
            _lock: lock,
        })
    }

    /// Makes `changes` in one commit and returns its sequence. When this returns, they
    /// are on the disk; when it fails, none of them is.
    ///
    /// Nothing is committed, and the sequence stays, if nothing changes.
    pub fn commit(&mut self, changes: &[Change]) -> Result<Sequence, SearchError> {
        let given = changes.iter().flat_map(|change| match change {
            Change::Put { documents, .. } => documents.as_slice(),
            _ => &[],
        });
        let given = given
            .flat_map(|document| &document.vectors)
            .map(Embedding::embedder)
            .next();
        if let (Some(given), Some(stored)) = (given, self.embedder()?)
            && *given != stored
        {
            return Err(SearchError::OtherEmbedder {
                stored,
                given: given.clone(),
            });
        }

        let path = self.path.clone();
        let database = |source| SearchError::database(&path, source);
        let transaction = self.connection.transaction().map_err(database)?;
        let next = sequence(&transaction).map_err(database)? + 1;
        if let Some(given) = given {
            set_fact(&transaction, "embedder", &json(given)).map_err(database)?;
        }
        let mut changed = false;
        for change in changes {
            changed |= apply(&transaction, change, next).map_err(database)?;
        }
        let sequence = if changed { next } else { next - 1 };
        set_fact(&transaction, "sequence", &sequence.to_string()).map_err(database)?;
        transaction.commit().map_err(database)?;
        Ok(sequence)
    }

    /// Removes every source and document, and forgets whose vectors they had, in one
    /// commit, so that all of it can be taken again with another model.
    pub fn clear(&mut self) -> Result<Sequence, SearchError> {
        let path = self.path.clone();
        let database = |source| SearchError::database(&path, source);
        let transaction = self.connection.transaction().map_err(database)?;
        let next = sequence(&transaction).map_err(database)? + 1;
        transaction
            .execute(
                "INSERT INTO removed (chunk, sequence) SELECT id, ?1 FROM chunks",
                [next],
            )
            .and_then(|_| {
                transaction.execute_batch(
                    "DELETE FROM vectors; DELETE FROM chunks; DELETE FROM documents;
                     DELETE FROM sources; DELETE FROM facts WHERE key = 'embedder';",
                )
            })
            .and_then(|()| set_fact(&transaction, "sequence", &next.to_string()))
            .map_err(database)?;
        transaction.commit().map_err(database)?;
        Ok(next)
    }

    /// Forgets which chunks were removed up to the commit `seen`, which the derived files
    /// have seen, once there are so many that remembering them costs more than it saves
    /// a reader that is further behind.
    pub fn forget_removals(&mut self, seen: Sequence) -> Result<(), SearchError> {
        let path = self.path.clone();
        let database = |source| SearchError::database(&path, source);
        let count: u64 = self
            .connection
            .query_row(
                "SELECT count(*) FROM removed WHERE sequence <= ?1",
                [seen],
                |row| row.get(0),
            )
            .map_err(database)?;
        if count < REMOVALS_KEPT {
            return Ok(());
        }
        let transaction = self.connection.transaction().map_err(database)?;
        transaction
            .execute("DELETE FROM removed WHERE sequence <= ?1", [seen])
            .and_then(|_| set_fact(&transaction, "removals_kept_from", &seen.to_string()))
            .map_err(database)?;
        transaction.commit().map_err(database)
    }

    /// Returns the model whose vectors the store holds, if it holds any.
    pub fn embedder(&self) -> Result<Option<EmbedderId>, SearchError> {
        embedder(&self.connection).map_err(|source| SearchError::database(&self.path, source))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Moves the log into the database, so that the store also opens where it may
        // not be written. Readers that are in the way only leave the log longer.
        let _ = self
            .connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

fn apply(connection: &Connection, change: &Change, next: Sequence) -> rusqlite::Result<bool> {
    match change {
        Change::Put { source, documents } => put(connection, source, documents, next),
        Change::RemoveSource { id } => {
            let documents = documents_of(connection, id)?;
            for (number, _, _) in &documents {
                remove(connection, *number, next)?;
            }
            let sources = connection
                .prepare_cached("DELETE FROM sources WHERE id = ?1")?
                .execute([id])?;
            Ok(sources > 0 || !documents.is_empty())
        }
        Change::RemoveDocument { id } => {
            let number = connection
                .prepare_cached("SELECT number FROM documents WHERE id = ?1")?
                .query_row([id.as_str()], |row| row.get::<_, i64>(0))
                .optional()?;
            if let Some(number) = number {
                remove(connection, number, next)?;
            }
            Ok(number.is_some())
        }
    }
}

fn put(
    connection: &Connection,
    source: &Source,
    documents: &[NewDocument],
    next: Sequence,
) -> rusqlite::Result<bool> {
    let mut changed = false;
    let stored = documents_of(connection, &source.id)?;
    let by_id: HashMap<&str, &[u8; 16]> = documents
        .iter()
        .map(|new| (new.document.id.as_str(), &new.fingerprint))
        .collect();
    let mut unchanged = HashSet::new();
    for (number, id, fingerprint) in &stored {
        if by_id
            .get(id.as_str())
            .is_some_and(|new| new.as_slice() == fingerprint.as_slice())
        {
            unchanged.insert(id.as_str());
        } else {
            remove(connection, *number, next)?;
            changed = true;
        }
    }
    for new in documents
        .iter()
        .filter(|new| !unchanged.contains(new.document.id.as_str()))
    {
        add(connection, &source.id, new, next)?;
        changed = true;
    }
    put_source(connection, source)?;
    Ok(changed)
}

fn put_source(connection: &Connection, source: &Source) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO sources (id, size, modified_ns, taken_ns, fingerprint, notes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            source.id,
            source.size,
            source.modified_ns,
            source.taken_ns,
            source.fingerprint,
            json(&source.notes),
        ])?;
    Ok(())
}

fn add(
    connection: &Connection,
    source: &str,
    new: &NewDocument,
    next: Sequence,
) -> rusqlite::Result<()> {
    let NewDocument {
        document,
        chunks,
        vectors,
        fingerprint,
    } = new;
    assert!(
        vectors.is_empty() || vectors.len() == chunks.len(),
        "a document has one vector a chunk or none"
    );
    let first: i64 = connection
        .prepare_cached(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'chunks'), 0) + 1",
        )?
        .query_row([], |row| row.get(0))?;
    connection
        .prepare_cached(
            "INSERT INTO documents (id, source, title, format, metadata, permissions,
                                    fingerprint, bytes, first_chunk, chunks, sequence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            document.id.as_str(),
            source,
            document.title,
            document.format,
            json(&document.metadata),
            permissions_text(&document.permissions),
            fingerprint,
            document.text.len(),
            first,
            chunks.len(),
            next,
        ])?;
    let number = connection.last_insert_rowid();
    let mut insert = connection.prepare_cached(
        "INSERT INTO chunks (document, headings, start_byte, end_byte,
                             start_line, end_line, text, sequence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut insert_vector =
        connection.prepare_cached("INSERT INTO vectors (chunk, numbers) VALUES (?1, ?2)")?;
    for (index, chunk) in chunks.iter().enumerate() {
        insert.execute(params![
            number,
            json(&chunk.headings),
            chunk.bytes.start,
            chunk.bytes.end,
            chunk.lines.start,
            chunk.lines.end,
            &document.text[chunk.bytes.clone()],
            next,
        ])?;
        let id = connection.last_insert_rowid();
        assert_eq!(
            id,
            first + index as i64,
            "a document's chunks are numbered without a gap"
        );
        if let Some(vector) = vectors.get(index) {
            insert_vector.execute(params![id, numbers_to_bytes(vector)])?;
        }
    }
    Ok(())
}

fn remove(connection: &Connection, number: i64, next: Sequence) -> rusqlite::Result<()> {
    let (first, count): (i64, i64) = connection
        .prepare_cached("SELECT first_chunk, chunks FROM documents WHERE number = ?1")?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let end = first + count;
    for statement in [
        "DELETE FROM vectors WHERE chunk >= ?1 AND chunk < ?2",
        "DELETE FROM chunks WHERE id >= ?1 AND id < ?2",
    ] {
        connection
            .prepare_cached(statement)?
            .execute([first, end])?;
    }
    let mut mark =
        connection.prepare_cached("INSERT INTO removed (chunk, sequence) VALUES (?1, ?2)")?;
    for chunk in first..end {
        mark.execute(params![chunk, next])?;
    }
    connection
        .prepare_cached("DELETE FROM documents WHERE number = ?1")?
        .execute([number])?;
    Ok(())
}

type StoredFingerprint = (i64, String, Vec<u8>);

fn documents_of(connection: &Connection, source: &str) -> rusqlite::Result<Vec<StoredFingerprint>> {
    connection
        .prepare_cached("SELECT number, id, fingerprint FROM documents WHERE source = ?1")?
        .query_map([source], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

/// Removes derived files that have seen later commits than the store has: it was put
/// back from a copy. Left there, they would pass for current once the store has made
/// as many commits again, but other ones.
fn drop_derived_ahead_of(sequence: Sequence, folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_derived = path
            .extension()
            .is_some_and(|extension| extension == "derived");
        if is_derived && derived::claimed_sequence(&path).is_some_and(|seen| seen > sequence) {
            // One that cannot be removed cannot be used either: readers compare too.
            let _ = fs::remove_file(path);
        }
    }
}

/// Takes the writer's lock, which the system gives back when the process ends.
fn lock(folder: &Path) -> Result<fs::File, SearchError> {
    let path = folder.join(LOCK);
    let io = |source| io_error(&path, source);
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io)?;
    match file.file().try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(io)?;
            file.rewind().map_err(io)?;
            write!(file, "{}", std::process::id()).map_err(io)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            Err(SearchError::Locked {
                path: folder.into(),
                holder: holder.trim().parse().ok(),
            })
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn io_error(path: &Path, source: std::io::Error) -> SearchError {
    match source.kind() {
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
            SearchError::ReadOnly { path: path.into() }
        }
        _ => SearchError::Io {
            path: path.into(),
            source,
        },
    }
}
