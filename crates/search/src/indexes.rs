//! What is derived from the store: the keyword index and the vector index, brought
//! together to one commit.

use std::path::Path;

use contract::EmbedderId;

use crate::SearchError;
use crate::derived::DerivedError;
use crate::keyword::{IndexedText, KeywordIndex};
use crate::searcher::{IndexSettings, OpenReport};
use crate::store::{Sequence, Snapshot};
use crate::vector::{VectorError, VectorIndex};

const KEYWORD_FILE: &str = "keyword.derived";
const VECTOR_FILE: &str = "vectors.derived";

/// Both indexes, as of one commit.
pub(crate) struct Indexes {
    pub(crate) keyword: KeywordIndex,
    /// Only where the store holds vectors.
    pub(crate) vectors: Option<VectorIndex>,
    /// The last commit that both have seen.
    pub(crate) seen: Sequence,
}

impl Indexes {
    /// Opens the derived files in `folder`; empty indexes that have seen nothing take the
    /// place of what is missing, damaged, of other settings, or ahead of the commit
    /// `now` that `snapshot` reads.
    pub(crate) fn open(
        folder: &Path,
        snapshot: &Snapshot,
        now: Sequence,
        settings: &IndexSettings,
    ) -> Result<(Self, OpenReport), SearchError> {
        let mut report = OpenReport::default();
        let keyword_path = folder.join(KEYWORD_FILE);
        let vector_path = folder.join(VECTOR_FILE);
        let mut note = |error: &DerivedError| {
            if !matches!(error, DerivedError::Missing { .. }) {
                report.rebuilt.push(error.to_string());
            }
        };
        let keyword = KeywordIndex::open(&keyword_path, settings.keyword.clone())
            .and_then(|index| not_ahead(index.sequence(), now, &keyword_path).map(|()| index))
            .inspect_err(&mut note)
            .ok();
        let embedder = snapshot.embedder()?;
        let vectors = match &embedder {
            None => None,
            Some(embedder) => open_vectors(&vector_path, now, embedder, settings)
                .inspect_err(|error| {
                    if let VectorError::File { source } = error {
                        note(source);
                    }
                })
                .ok(),
        };
        let kept_from = snapshot.removals_kept_from()?;
        // Both files are written after the same commit. If they differ, or what was
        // removed since then is forgotten, they are of no use.
        let indexes = match (keyword, vectors, embedder) {
            (Some(keyword), None, None) if keyword.sequence() >= kept_from => Self {
                seen: keyword.sequence(),
                keyword,
                vectors: None,
            },
            (Some(keyword), Some((vectors, seen)), Some(_))
                if keyword.sequence() == seen && seen >= kept_from =>
            {
                Self {
                    keyword,
                    vectors: Some(vectors),
                    seen,
                }
            }
            _ => Self {
                keyword: KeywordIndex::new(settings.keyword.clone()),
                vectors: None,
                seen: 0,
            },
        };
        report.is_current = indexes.seen == now;
        report.behind = if indexes.seen == 0 {
            0
        } else {
            now - indexes.seen
        };
        Ok((indexes, report))
    }

    /// Takes what was removed and added up to the commit `now` that `snapshot` reads.
    pub(crate) fn catch_up(
        &mut self,
        snapshot: &Snapshot,
        now: Sequence,
        settings: &IndexSettings,
    ) -> Result<(), SearchError> {
        let Self {
            keyword,
            vectors,
            seen,
        } = self;
        match snapshot.embedder()? {
            None => *vectors = None,
            Some(EmbedderId { dimensions, .. }) => {
                if vectors
                    .as_ref()
                    .is_none_or(|it| it.dimensions() != dimensions)
                {
                    let IndexSettings { metric, vector, .. } = settings;
                    *vectors = Some(VectorIndex::new(dimensions, *metric, *vector)?);
                }
            }
        }
        for chunk in snapshot.removed_since(*seen)? {
            keyword.remove(chunk);
            if let Some(vectors) = vectors {
                vectors.remove(chunk);
            }
        }
        snapshot.added_since(*seen, |chunk, vector| {
            keyword.insert(
                chunk.id,
                &IndexedText {
                    title: chunk.title.as_deref(),
                    headings: &chunk.headings,
                    text: &chunk.text,
                    language: None,
                },
            );
            if let (Some(vectors), Some(vector)) = (vectors.as_mut(), vector) {
                vectors.insert(chunk.id, &vector)?;
            }
            Ok(())
        })?;
        *seen = now;
        Ok(())
    }

    /// Writes the derived files into `folder`.
    pub(crate) fn save(&mut self, folder: &Path) -> Result<(), SearchError> {
        self.keyword.save(&folder.join(KEYWORD_FILE), self.seen)?;
        match &mut self.vectors {
            Some(vectors) => vectors.save(&folder.join(VECTOR_FILE), self.seen)?,
            None => remove_if_there(&folder.join(VECTOR_FILE))?,
        }
        Ok(())
    }
}

fn open_vectors(
    path: &Path,
    now: Sequence,
    embedder: &EmbedderId,
    settings: &IndexSettings,
) -> Result<(VectorIndex, Sequence), VectorError> {
    let (index, seen) = VectorIndex::open(path, settings.vector)?;
    not_ahead(seen, now, path)?;
    if index.dimensions() != embedder.dimensions || index.metric() != settings.metric {
        let reason = "it holds vectors of another length, or compares them otherwise";
        return Err(DerivedError::Damaged {
            path: path.into(),
            reason,
        }
        .into());
    }
    Ok((index, seen))
}

fn not_ahead(seen: Sequence, now: Sequence, path: &Path) -> Result<(), DerivedError> {
    if seen > now {
        let reason = "it has seen commits that the store does not have";
        return Err(DerivedError::Damaged {
            path: path.into(),
            reason,
        });
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), SearchError> {
    match fs_err::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(SearchError::Io {
            path: path.into(),
            source,
        }),
        _ => Ok(()),
    }
}
