//! The searcher: one question in, evidence out, with why each piece was found.
//!
//! The road is: catch up with the store → who may read what, and the filter → keyword
//! list and vector list over what is left → fuse → rerank → diversify → threshold → k.
//! Permissions and filter come *before* ranking: a chunk outside them is never
//! scored, so it can neither be shown nor push another one out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{EmbedderId, Embedding, Evidence, Reader, Rerank, Share};

use crate::SearchError;
use crate::allowed::{Allowed, AllowedSets};
use crate::cache::{Cache, CacheKey, ReaderKey};
use crate::explain::Explanation;
use crate::filter::Filter;
use crate::indexes::Indexes;
use crate::keyword::{KeywordIndex, KeywordSettings};
use crate::rank::{Lists, Ranking, Scored};
use crate::recipe::RetrievalRecipe;
use crate::store::{Sequence, Snapshot, Writer};
use crate::vector::{self, Method, Metric, Plan, SearchOptions, VectorIndex};

/// Up to this many vectors are scanned: that takes a millisecond or two, needs no
/// building, and is exact for all that can be seen.
const SCANNED: usize = 100_000;
/// Answers remembered for questions asked again.
const REMEMBERED: usize = 256;

/// How the indexes are built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexSettings {
    /// The keyword index.
    pub keyword: KeywordSettings,
    /// The vector index.
    pub vector: vector::Settings,
    /// What makes two vectors near.
    pub metric: Metric,
    /// How near vectors are looked up; planned for each question if nothing is said.
    pub method: Option<Method>,
    /// Whether questions asked again are answered from memory.
    pub remember: bool,
}

/// A question to find evidence for.
#[derive(Clone, Copy)]
pub struct SearchRequest<'a> {
    /// The question's text.
    pub question: &'a str,
    /// The question's vector, where an embedder made one.
    pub vector: Option<&'a Embedding>,
    /// Who asks.
    pub reader: &'a Reader,
    /// What its documents must be.
    pub filter: Option<&'a Filter>,
    /// The least score evidence must have to count; without it, all of it counts.
    pub threshold: Option<Share>,
    /// How evidence is found.
    pub recipe: &'a RetrievalRecipe,
    /// Who judges it.
    pub reranker: Option<&'a dyn Rerank>,
}

/// A piece of evidence, and why it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The evidence.
    pub evidence: Evidence,
    /// Why it was found.
    pub explanation: Explanation,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchReply {
    /// The evidence, best first; at most the recipe's `top_k`.
    pub found: Vec<Found>,
    /// The best of what fell below the threshold, to say how near it was.
    pub nearest: Option<Found>,
    /// How many chunks the filter and the permissions left to search.
    pub searched: usize,
    /// How the vector list was made, if it was.
    pub plan: Option<Plan>,
    /// The commit that was searched.
    pub sequence: Sequence,
    /// Where the time went.
    pub timings: Timings,
    /// Whether it was remembered from an earlier question.
    pub remembered: bool,
}

/// Where a search's time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Catching up with the store.
    pub catch_up: Duration,
    /// Deciding what the reader may read and the filter leaves.
    pub filter: Duration,
    /// The keyword list.
    pub keyword: Duration,
    /// The vector list.
    pub vector: Duration,
    /// Fusing, reranking, diversifying, and fetching texts.
    pub rank: Duration,
    /// All of it.
    pub total: Duration,
}

/// What opening found out about the derived files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Files that could not be used, and why; what they held was built again in memory.
    pub rebuilt: Vec<String>,
    /// How many commits the usable ones were behind the store.
    pub behind: u64,
    /// Whether the files could be used, and had seen the last commit.
    pub is_current: bool,
}

/// Searches one store. Not shared between threads: each opens its own.
pub struct Searcher {
    folder: PathBuf,
    snapshot: Snapshot,
    settings: IndexSettings,
    indexes: Indexes,
    allowed: AllowedSets,
    remembered: Cache<CacheKey, Arc<SearchReply>>,
}

impl Searcher {
    /// Opens the store in `folder`, and what is derived from it: as it is if it is up
    /// to date, caught up if it is behind, built anew if it is missing or damaged.
    pub fn open(folder: &Path, settings: IndexSettings) -> Result<(Self, OpenReport), SearchError> {
        let snapshot = Snapshot::open(folder)?;
        let now = snapshot.begin()?;
        let (indexes, report) = Indexes::open(folder, &snapshot, now, &settings)?;
        let mut searcher = Self {
            folder: folder.into(),
            indexes,
            allowed: AllowedSets::new(),
            remembered: Cache::new(if settings.remember { REMEMBERED } else { 0 }),
            snapshot,
            settings,
        };
        searcher.catch_up()?;
        searcher.snapshot.end()?;
        Ok((searcher, report))
    }

    /// Finds evidence for a question, in the last commit of the store.
    pub fn search(&mut self, request: &SearchRequest<'_>) -> Result<Arc<SearchReply>, SearchError> {
        let result = self.search_snapshot(request);
        let ended = self.snapshot.end();
        let reply = result?;
        ended?;
        Ok(reply)
    }

    fn search_snapshot(
        &mut self,
        request: &SearchRequest<'_>,
    ) -> Result<Arc<SearchReply>, SearchError> {
        let started = Instant::now();
        self.catch_up()?;
        let catch_up = started.elapsed();

        let key = self.cache_key(request);
        if let Some(reply) = self.remembered.get(&key) {
            let timings = Timings {
                catch_up,
                total: started.elapsed(),
                ..Timings::default()
            };
            return Ok(Arc::new(SearchReply {
                remembered: true,
                timings,
                ..(*reply).clone()
            }));
        }

        let allowed = self.allowed.of(
            request.reader,
            request.filter,
            &self.snapshot,
            &self.indexes.keyword,
            self.indexes.vectors.as_ref(),
        )?;
        let filtered = started.elapsed();

        let query = self.indexes.keyword.query(request.question);
        let wanted = request.recipe.candidates.max(2 * request.recipe.top_k);
        let by_keyword = self
            .indexes
            .keyword
            .search(&query, wanted, allowed.keyword());
        let keyworded = started.elapsed();

        let (by_vector, plan) = self.vector_list(request, wanted, &allowed)?;
        let vectored = started.elapsed();

        let lists = Lists {
            keyword: by_keyword
                .iter()
                .map(|hit| (hit.chunk, hit.score.0))
                .collect(),
            vector: by_vector,
            background: self.indexes.vectors.as_ref().zip(request.vector).and_then(
                |(vectors, question)| vectors.background(question.values(), allowed.vector()),
            ),
        };
        let ranking = Ranking {
            request,
            query: &query,
            lists: &lists,
            keyword: &self.indexes.keyword,
            vectors: self.indexes.vectors.as_ref(),
            snapshot: &self.snapshot,
        };
        let (found, nearest) = ranking.evidence()?;
        assert!(
            found
                .iter()
                .chain(&nearest)
                .all(|it| allowed.contains(it.evidence.chunk)),
            "what the filter or the permissions leave out was searched"
        );
        let total = started.elapsed();
        let reply = Arc::new(SearchReply {
            found,
            nearest,
            searched: allowed.len().unwrap_or(self.indexes.keyword.len()),
            plan,
            sequence: self.indexes.seen,
            timings: Timings {
                catch_up,
                filter: filtered - catch_up,
                keyword: keyworded - filtered,
                vector: vectored - keyworded,
                rank: total - vectored,
                total,
            },
            remembered: false,
        });
        self.remembered.put(key, Arc::clone(&reply));
        Ok(reply)
    }

    /// Writes the derived files as of the last commit seen. Only the store's writer
    /// may, for two at once would overwrite one another.
    pub fn save(&mut self, writer: &mut Writer) -> Result<(), SearchError> {
        self.indexes.save(&self.folder)?;
        writer.forget_removals(self.indexes.seen)
    }

    /// Builds what makes searching many vectors fast, if there are so many that it pays
    /// or the settings ask for it. Without it every search still finds the same.
    pub fn build(&mut self) -> Result<(), SearchError> {
        let asked = matches!(
            self.settings.method,
            Some(Method::Graph | Method::Ivf | Method::Pq)
        );
        if let Some(vectors) = &mut self.indexes.vectors
            && (asked || self.settings.method.is_none() && vectors.len() > SCANNED)
        {
            vectors.extend()?;
        }
        Ok(())
    }

    /// Returns the memory that the indexes take, in bytes.
    pub fn memory(&self) -> usize {
        self.indexes.keyword.memory() + self.indexes.vectors.as_ref().map_or(0, VectorIndex::memory)
    }

    /// Returns the store that is searched, as it is at the last commit.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns the keyword index.
    pub fn keyword(&self) -> &KeywordIndex {
        &self.indexes.keyword
    }

    /// Returns the vector index, if the store holds vectors.
    pub fn vectors(&self) -> Option<&VectorIndex> {
        self.indexes.vectors.as_ref()
    }

    /// Begins to read the store's last commit and brings both indexes to it.
    fn catch_up(&mut self) -> Result<(), SearchError> {
        let now = self.snapshot.begin()?;
        if now == self.indexes.seen {
            return Ok(());
        }
        self.allowed.clear();
        self.remembered.clear();
        // The store was put back from a copy, or has forgotten what was removed since we
        // last looked: the derived files are nearer to it than we are.
        let seen = self.indexes.seen;
        if now < seen || (seen > 0 && seen < self.snapshot.removals_kept_from()?) {
            let opened = Indexes::open(&self.folder, &self.snapshot, now, &self.settings)?;
            self.indexes = opened.0;
        }
        self.indexes.catch_up(&self.snapshot, now, &self.settings)
    }

    fn vector_list(
        &self,
        request: &SearchRequest<'_>,
        wanted: usize,
        allowed: &Allowed,
    ) -> Result<(Scored, Option<Plan>), SearchError> {
        let (Some(vectors), Some(question)) = (&self.indexes.vectors, request.vector) else {
            return Ok((Vec::new(), None));
        };
        self.check_embedder(question.embedder())?;
        let options = SearchOptions {
            method: self.settings.method,
            ..SearchOptions::default()
        };
        let plan = vectors.plan(wanted, &options, allowed.vector());
        let hits = vectors.search(question.values(), wanted, &options, allowed.vector())?;
        Ok((
            hits.iter().map(|hit| (hit.chunk, hit.value)).collect(),
            Some(plan),
        ))
    }

    fn check_embedder(&self, given: &EmbedderId) -> Result<(), SearchError> {
        match self.snapshot.embedder()? {
            Some(stored) if stored != *given => Err(SearchError::OtherEmbedder {
                stored,
                given: given.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn cache_key(&self, request: &SearchRequest<'_>) -> CacheKey {
        CacheKey {
            sequence: self.indexes.seen,
            recipe: format!(
                "{:?} {:?} {:?} {:?}",
                request.recipe,
                request.filter,
                request.threshold,
                request.reranker.map(Rerank::name)
            ),
            reader: ReaderKey::from(request.reader),
            question: request.question.into(),
            vector: request.vector.map(|vector| {
                vector
                    .values()
                    .iter()
                    .map(|value| value.to_bits())
                    .collect()
            }),
        }
    }
}
