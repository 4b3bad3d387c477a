//! What a reader may read and a filter leaves: the only chunks that are searched.

use std::collections::BTreeSet;
use std::sync::Arc;

use contract::{ChunkId, Permissions, Reader, nearest};

use crate::cache::{Cache, ReaderKey};
use crate::filter::{Filter, FilterError};
use crate::keyword::{self, KeywordIndex};
use crate::store::Snapshot;
use crate::vector::{self, VectorIndex};
use crate::{ChunkSet, SearchError};

/// The chunks that may be searched, in the form each index wants them.
#[derive(Clone, Debug)]
pub(crate) enum Allowed {
    /// Every chunk: nothing is restricted and nothing filtered.
    Everything,
    /// Only these.
    Only {
        chunks: ChunkSet,
        keyword: keyword::Selection,
        vector: Option<vector::Selection>,
    },
}

impl Allowed {
    pub(crate) fn keyword(&self) -> Option<&keyword::Selection> {
        match self {
            Self::Everything => None,
            Self::Only { keyword, .. } => Some(keyword),
        }
    }

    pub(crate) fn vector(&self) -> Option<&vector::Selection> {
        match self {
            Self::Everything => None,
            Self::Only { vector, .. } => vector.as_ref(),
        }
    }

    /// Returns how many chunks are left, or nothing if all are.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Everything => None,
            Self::Only { chunks, .. } => Some(chunks.len()),
        }
    }

    /// Returns whether `chunk` may be searched.
    pub(crate) fn contains(&self, chunk: ChunkId) -> bool {
        match self {
            Self::Everything => true,
            Self::Only { chunks, .. } => chunks.contains(chunk),
        }
    }
}

/// The allowed sets of one commit, by reader and filter.
#[derive(Debug)]
pub(crate) struct AllowedSets {
    sets: Cache<(ReaderKey, Option<String>), Arc<Allowed>>,
}

impl AllowedSets {
    pub(crate) fn new() -> Self {
        Self {
            sets: Cache::new(64),
        }
    }

    /// Forgets them: the store has changed.
    pub(crate) fn clear(&mut self) {
        self.sets.clear();
    }

    /// Returns what `reader` may read and `filter` leaves, in the commit that
    /// `snapshot` reads and both indexes have caught up with.
    ///
    /// Fails if the filter asks for a key that no document the reader may read has.
    pub(crate) fn of(
        &mut self,
        reader: &Reader,
        filter: Option<&Filter>,
        snapshot: &Snapshot,
        keyword: &KeywordIndex,
        vectors: Option<&VectorIndex>,
    ) -> Result<Arc<Allowed>, SearchError> {
        let key = (
            ReaderKey::from(reader),
            filter.map(|filter| format!("{filter:?}")),
        );
        if let Some(allowed) = self.sets.get(&key) {
            return Ok(allowed);
        }
        let permissions = snapshot.permissions()?;
        let readable: Vec<Permissions> = permissions
            .iter()
            .filter(|permissions| permissions.allow(reader))
            .cloned()
            .collect();
        let chunks = match filter {
            None if readable.len() == permissions.len() => None,
            None => Some(readable_chunks(snapshot, &readable)?),
            Some(filter) => Some(filtered_chunks(snapshot, &readable, filter)?),
        };
        let allowed = Arc::new(match chunks {
            None => Allowed::Everything,
            Some(chunks) => Allowed::Only {
                keyword: keyword.select(&chunks),
                vector: vectors.map(|vectors| vectors.select(&chunks)),
                chunks,
            },
        });
        self.sets.put(key, Arc::clone(&allowed));
        Ok(allowed)
    }
}

fn readable_chunks(snapshot: &Snapshot, readable: &[Permissions]) -> Result<ChunkSet, SearchError> {
    let mut chunks = ChunkSet::new();
    snapshot.chunks_under(readable, |range| {
        for id in range {
            chunks.insert(ChunkId(id));
        }
    })?;
    Ok(chunks)
}

fn filtered_chunks(
    snapshot: &Snapshot,
    readable: &[Permissions],
    filter: &Filter,
) -> Result<ChunkSet, SearchError> {
    let mut chunks = ChunkSet::new();
    let mut missing: BTreeSet<&str> = filter.keys();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut documents = 0_usize;
    snapshot.metadata_under(readable, |metadata, range| {
        documents += 1;
        if !missing.is_empty() {
            missing.retain(|key| !metadata.contains_key(*key));
            for key in metadata.keys() {
                if !known.contains(key) {
                    known.insert(key.clone());
                }
            }
        }
        if filter.matches(metadata) {
            for id in range {
                chunks.insert(ChunkId(id));
            }
        }
    })?;
    match missing.first() {
        // An empty store has no keys at all; that is not the filter's fault.
        Some(key) if documents > 0 => Err(FilterError::UnknownKey {
            key: (*key).into(),
            nearest: nearest(key, known.iter().map(String::as_str)).map(str::to_owned),
        }
        .into()),
        _ => Ok(chunks),
    }
}
