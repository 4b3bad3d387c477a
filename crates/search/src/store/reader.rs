//! Reading a store: one snapshot is one whole commit, whatever is written meanwhile.

use std::ops::Range;
use std::path::{Path, PathBuf};

use contract::{ChunkId, DocumentId, EmbedderId, LineRange, Metadata, Permissions};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};

use super::{
    Sequence, Source, Totals, check_layout, database_path, embedder, from_json, numbers_from_bytes,
    permissions_text, removals_kept_from, sequence,
};
use crate::SearchError;

/// A connection that reads. Everything asked between [`Snapshot::begin`] and
/// [`Snapshot::end`] is of one commit.
#[derive(Debug)]
pub struct Snapshot {
    connection: Connection,
    path: PathBuf,
}

/// A chunk as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChunk {
    /// Its id.
    pub id: ChunkId,
    /// Its document.
    pub document: DocumentId,
    /// Its document's title.
    pub title: Option<String>,
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// Its bytes in the document's text.
    pub bytes: Range<usize>,
    /// Its lines in the document's text.
    pub lines: LineRange,
    /// Its text.
    pub text: String,
}

/// A document as it is stored, without its text.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// Its id.
    pub id: DocumentId,
    /// The source that holds it.
    pub source: String,
    /// Its title.
    pub title: Option<String>,
    /// The short name of its format.
    pub format: String,
    /// Its metadata.
    pub metadata: Metadata,
    /// Who may read it.
    pub permissions: Permissions,
    /// Its text's length in bytes.
    pub bytes: u64,
    /// How many chunks it has.
    pub chunks: u64,
    /// The commit that stored it.
    pub sequence: Sequence,
}

/// More statements than there are in this file, so that none is prepared twice.
const STATEMENTS: usize = 64;

const CHUNK_COLUMNS: &str = "c.id, d.id, d.title, c.headings, c.start_byte, c.end_byte,
     c.start_line, c.end_line, c.text";
const DOCUMENT_COLUMNS: &str =
    "id, source, title, format, metadata, permissions, bytes, chunks, sequence";

impl Snapshot {
    /// Opens the store in `folder` for reading. Fails if there is none.
    ///
    /// A store in a folder that may not be written opens too, as long as its last
    /// writer ended in order.
    pub fn open(folder: &Path) -> Result<Self, SearchError> {
        let path = database_path(folder);
        if !path.exists() {
            return Err(SearchError::NoStore {
                path: folder.into(),
            });
        }
        let connection = connect(&path).map_err(|source| SearchError::database(&path, source))?;
        if !check_layout(&connection, &path)? {
            // Its first writer was stopped before it could make the tables.
            return Err(SearchError::NoStore {
                path: folder.into(),
            });
        }
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { connection, path })
    }

    /// Starts to read one commit: the last one that is whole now. Returns its sequence.
    pub fn begin(&self) -> Result<Sequence, SearchError> {
        if self.connection.is_autocommit() {
            self.run(|connection| connection.execute_batch("BEGIN"))?;
        }
        self.run(sequence)
    }

    /// Ends reading that commit.
    pub fn end(&self) -> Result<(), SearchError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.run(|connection| connection.execute_batch("COMMIT"))
    }

    /// Returns the model whose vectors the store holds, if it holds any.
    pub fn embedder(&self) -> Result<Option<EmbedderId>, SearchError> {
        self.run(embedder)
    }

    /// Returns how much the store holds.
    pub fn totals(&self) -> Result<Totals, SearchError> {
        self.run(|connection| {
            connection.query_row(
                "SELECT (SELECT count(*) FROM sources), (SELECT count(*) FROM documents),
                        (SELECT count(*) FROM chunks), (SELECT count(*) FROM vectors),
                        (SELECT coalesce(sum(bytes), 0) FROM documents)",
                [],
                |row| {
                    Ok(Totals {
                        sources: row.get(0)?,
                        documents: row.get(1)?,
                        chunks: row.get(2)?,
                        vectors: row.get(3)?,
                        bytes: row.get(4)?,
                    })
                },
            )
        })
    }

    /// Returns every source in the order of their ids.
    pub fn sources(&self) -> Result<Vec<Source>, SearchError> {
        self.run(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, size, modified_ns, taken_ns, fingerprint, notes
                     FROM sources ORDER BY id",
                )?
                .query_map([], |row| {
                    Ok(Source {
                        id: row.get(0)?,
                        size: row.get(1)?,
                        modified_ns: row.get(2)?,
                        taken_ns: row.get(3)?,
                        fingerprint: row.get(4)?,
                        notes: from_json(5, row.get_ref(5)?.as_str()?)?,
                    })
                })?
                .collect()
        })
    }

    /// Returns every document in the order of their ids.
    pub fn documents(&self) -> Result<Vec<StoredDocument>, SearchError> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {DOCUMENT_COLUMNS} FROM documents ORDER BY id"
                ))?
                .query_map([], document)?
                .collect()
        })
    }

    /// Returns the document `id`, if it is stored.
    pub fn document(&self, id: &DocumentId) -> Result<Option<StoredDocument>, SearchError> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {DOCUMENT_COLUMNS} FROM documents WHERE id = ?1"
                ))?
                .query_row([id.as_str()], document)
                .optional()
        })
    }

    /// Returns the documents of the source `id`, each with its fingerprint.
    pub fn fingerprints_of(&self, id: &str) -> Result<Vec<(DocumentId, [u8; 16])>, SearchError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT id, fingerprint FROM documents WHERE source = ?1")?
                .query_map([id], |row| {
                    Ok((DocumentId::new(row.get::<_, String>(0)?), row.get(1)?))
                })?
                .collect()
        })
    }

    /// Returns the chunks of the document `id` in order; none if it is not stored.
    pub fn chunks_of(&self, id: &DocumentId) -> Result<Vec<StoredChunk>, SearchError> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {CHUNK_COLUMNS} FROM documents d
                     JOIN chunks c ON c.id >= d.first_chunk AND c.id < d.first_chunk + d.chunks
                     WHERE d.id = ?1 ORDER BY c.id"
                ))?
                .query_map([id.as_str()], chunk)?
                .collect()
        })
    }

    /// Returns the text of the document `id`, put together from its chunks, which may
    /// overlap; nothing if it is not stored.
    pub fn text_of(&self, id: &DocumentId) -> Result<Option<String>, SearchError> {
        if self.document(id)?.is_none() {
            return Ok(None);
        }
        let mut text = String::new();
        for chunk in self.chunks_of(id)? {
            let known = text.len().saturating_sub(chunk.bytes.start);
            text.push_str(chunk.text.get(known..).unwrap_or_default());
        }
        Ok(Some(text))
    }

    /// Returns the chunk `id`, if it is stored.
    pub fn chunk(&self, id: ChunkId) -> Result<Option<StoredChunk>, SearchError> {
        self.run(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {CHUNK_COLUMNS} FROM chunks c JOIN documents d ON d.number = c.document
                     WHERE c.id = ?1"
                ))?
                .query_row([id.0], chunk)
                .optional()
        })
    }

    /// Calls `each` with every chunk added after the commit `seen`, in the order of
    /// their ids, with its vector if it has one.
    pub fn added_since(
        &self,
        seen: Sequence,
        mut each: impl FnMut(StoredChunk, Option<Vec<f32>>) -> Result<(), SearchError>,
    ) -> Result<(), SearchError> {
        let wrap = |source| SearchError::database(&self.path, source);
        // From the beginning, the index by sequence only makes the walk jump about.
        let condition = if seen == 0 {
            "+c.sequence > ?1"
        } else {
            "c.sequence > ?1"
        };
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT {CHUNK_COLUMNS}, v.numbers FROM chunks c
                 JOIN documents d ON d.number = c.document
                 LEFT JOIN vectors v ON v.chunk = c.id
                 WHERE {condition} ORDER BY c.id"
            ))
            .map_err(wrap)?;
        let mut rows = statement.query([seen]).map_err(wrap)?;
        while let Some(row) = rows.next().map_err(wrap)? {
            let vector: Option<Vec<u8>> = row.get(9).map_err(wrap)?;
            each(
                chunk(row).map_err(wrap)?,
                vector.map(|bytes| numbers_from_bytes(&bytes)),
            )?;
        }
        Ok(())
    }

    /// Returns the chunks removed after the commit `seen`.
    pub fn removed_since(&self, seen: Sequence) -> Result<Vec<ChunkId>, SearchError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT chunk FROM removed WHERE sequence > ?1 ORDER BY chunk")?
                .query_map([seen], |row| Ok(ChunkId(row.get(0)?)))?
                .collect()
        })
    }

    /// Returns the commit from which on removals are still known: whoever has seen an
    /// earlier one cannot catch up.
    pub fn removals_kept_from(&self) -> Result<Sequence, SearchError> {
        self.run(removals_kept_from)
    }

    /// Returns the different permissions that documents carry.
    pub fn permissions(&self) -> Result<Vec<Permissions>, SearchError> {
        self.run(|connection| {
            connection
                .prepare_cached("SELECT DISTINCT permissions FROM documents")?
                .query_map([], |row| from_json(0, row.get_ref(0)?.as_str()?))?
                .collect()
        })
    }

    /// Calls `each` with the metadata of every document that carries one of
    /// `permissions`, and the ids of its chunks, in the order of the documents' numbers.
    pub fn metadata_under(
        &self,
        permissions: &[Permissions],
        mut each: impl FnMut(&Metadata, Range<u64>),
    ) -> Result<(), SearchError> {
        for wanted in permissions {
            self.run(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT metadata, first_chunk, chunks FROM documents
                     WHERE permissions = ?1 ORDER BY number",
                )?;
                let mut rows = statement.query([permissions_text(wanted)])?;
                while let Some(row) = rows.next()? {
                    let metadata: Metadata = from_json(0, row.get_ref(0)?.as_str()?)?;
                    let (first, count): (u64, u64) = (row.get(1)?, row.get(2)?);
                    each(&metadata, first..first + count);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Calls `each` with the ids of the chunks of every document that carries one of
    /// `permissions`.
    pub fn chunks_under(
        &self,
        permissions: &[Permissions],
        mut each: impl FnMut(Range<u64>),
    ) -> Result<(), SearchError> {
        for wanted in permissions {
            self.run(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT first_chunk, chunks FROM documents WHERE permissions = ?1",
                )?;
                let mut rows = statement.query([permissions_text(wanted)])?;
                while let Some(row) = rows.next()? {
                    let (first, count): (u64, u64) = (row.get(0)?, row.get(1)?);
                    each(first..first + count);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Looks for damage: asks SQLite to check its pages, and checks that every chunk
    /// and vector belongs to a document and every document has its chunks. Returns
    /// what is wrong, one sentence each; nothing if all is well. Reads everything.
    pub fn check(&self) -> Result<Vec<String>, SearchError> {
        let mut wrong: Vec<String> = self.run(|connection| {
            connection
                .prepare("PRAGMA integrity_check(20)")?
                .query_map([], |row| row.get::<_, String>(0))?
                .filter(|line| !matches!(line, Ok(line) if line == "ok"))
                .collect()
        })?;
        for (query, sentence) in [
            (
                "SELECT count(*) FROM documents d WHERE d.chunks !=
                 (SELECT count(*) FROM chunks c WHERE c.document = d.number
                  AND c.id >= d.first_chunk AND c.id < d.first_chunk + d.chunks)",
                "documents do not have all of their chunks",
            ),
            (
                "SELECT count(*) FROM chunks c WHERE NOT EXISTS
                 (SELECT 1 FROM documents d WHERE d.number = c.document)",
                "chunks belong to no document",
            ),
            (
                "SELECT count(*) FROM vectors v WHERE NOT EXISTS
                 (SELECT 1 FROM chunks c WHERE c.id = v.chunk)",
                "vectors belong to no chunk",
            ),
            (
                "SELECT count(*) FROM removed r JOIN chunks c ON c.id = r.chunk",
                "removed chunks are still there",
            ),
        ] {
            let count: u64 =
                self.run(|connection| connection.query_row(query, [], |row| row.get(0)))?;
            if count > 0 {
                wrong.push(format!("{count} {sentence}"));
            }
        }
        Ok(wrong)
    }

    fn run<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SearchError> {
        read(&self.connection).map_err(|source| SearchError::database(&self.path, source))
    }
}

/// Opens the database for reading; where even its shared memory may not be written,
/// as a file that nobody changes.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let first = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    first.busy_timeout(std::time::Duration::from_secs(10))?;
    match first.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    }) {
        Ok(_) => Ok(first),
        Err(error) => {
            let log = path.with_extension("db-wal");
            if log.metadata().is_ok_and(|log| log.len() > 0) {
                return Err(error);
            }
            let mut uri = String::from("file:");
            for byte in path.as_os_str().as_encoded_bytes() {
                match byte {
                    b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
                    byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
                    byte => uri.push_str(&format!("%{byte:02X}")),
                }
            }
            uri.push_str("?immutable=1");
            let second =
                Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            second.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(second)
        }
    }
}

fn chunk(row: &Row<'_>) -> rusqlite::Result<StoredChunk> {
    Ok(StoredChunk {
        id: ChunkId(row.get(0)?),
        document: DocumentId::new(row.get::<_, String>(1)?),
        title: row.get(2)?,
        headings: from_json(3, row.get_ref(3)?.as_str()?)?,
        bytes: row.get(4)?..row.get(5)?,
        lines: LineRange {
            start: row.get(6)?,
            end: row.get(7)?,
        },
        text: row.get(8)?,
    })
}

fn document(row: &Row<'_>) -> rusqlite::Result<StoredDocument> {
    Ok(StoredDocument {
        id: DocumentId::new(row.get::<_, String>(0)?),
        source: row.get(1)?,
        title: row.get(2)?,
        format: row.get(3)?,
        metadata: from_json(4, row.get_ref(4)?.as_str()?)?,
        permissions: from_json(5, row.get_ref(5)?.as_str()?)?,
        bytes: row.get(6)?,
        chunks: row.get(7)?,
        sequence: row.get(8)?,
    })
}
