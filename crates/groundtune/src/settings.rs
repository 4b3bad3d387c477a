//! From what the configuration says to what the parts are given.
//!
//! The only place where both words are known: after this, nobody reads the
//! configuration of an index again.

use search::keyword::KeywordSettings;
use search::vector::{self, Method, Structure};
use search::{Fusion, IndexSettings, OpenReport, RetrievalRecipe, SearchError, Searcher};

use crate::compare::CompareRecipe;
use crate::config::{self, Config};
use crate::{Error, Project};

impl Project {
    /// Returns how the project's indexes are built.
    pub fn index_settings(&self) -> IndexSettings {
        let Config {
            keyword,
            vector,
            retrieval,
            ..
        } = &self.config;
        IndexSettings {
            keyword: KeywordSettings {
                language: keyword.language,
                k1: keyword.k1 as f32,
                b: keyword.b.get() as f32,
                ..KeywordSettings::default()
            },
            vector: vector_settings(vector),
            metric: vector.metric,
            method: method(vector.index),
            remember: retrieval.cache,
        }
    }

    /// Opens the project's store to be searched. Fails if nothing was ingested yet.
    pub(crate) fn open_searcher(&self) -> Result<(Searcher, OpenReport), Error> {
        Searcher::open(&self.store_folder(), self.index_settings()).map_err(|error| match error {
            SearchError::NoStore { .. } => Error::NothingIngested {
                root: self.root.clone(),
            },
            other => other.into(),
        })
    }

    /// Returns how the project's questions find evidence.
    pub fn retrieval_recipe(&self) -> RetrievalRecipe {
        let retrieval = &self.config.retrieval;
        RetrievalRecipe {
            top_k: retrieval.top_k,
            fusion: match retrieval.fusion {
                config::Fusion::Score { vector } => Fusion::Score {
                    vector: vector.unwrap_or_else(|| self.config.models.embedder.vector_factor()),
                },
                config::Fusion::Rrf {
                    rrf_k: k,
                    keyword,
                    vector,
                } => Fusion::ReciprocalRank { k, keyword, vector },
                config::Fusion::Weighted { similarity, rerank } => {
                    Fusion::Weighted { similarity, rerank }
                }
            },
            diversity: retrieval.mmr,
            ..RetrievalRecipe::default()
        }
    }
}

impl Project {
    /// Returns what `groundtune compare` compares, with paths that are whole.
    pub fn compare_recipe(&self) -> CompareRecipe {
        let mut recipe = self.config.compare.clone();
        recipe.paths_from(&self.root);
        recipe
    }
}

fn vector_settings(vector: &config::Vector) -> vector::Settings {
    vector::Settings {
        neighbours: vector.m,
        build_width: vector.ef_construction,
        search_width: vector.ef,
        structure: match vector.index {
            config::VectorIndex::Ivf => Structure::Ivf,
            config::VectorIndex::Pq => Structure::Pq,
            _ => Structure::Graph,
        },
        ..vector::Settings::default()
    }
}

fn method(index: config::VectorIndex) -> Option<Method> {
    match index {
        config::VectorIndex::Auto => None,
        config::VectorIndex::Exact => Some(Method::Exact),
        config::VectorIndex::Int8 => Some(Method::Scan),
        config::VectorIndex::Hnsw => Some(Method::Graph),
        config::VectorIndex::Ivf => Some(Method::Ivf),
        config::VectorIndex::Pq => Some(Method::Pq),
        config::VectorIndex::Binary => Some(Method::Binary),
    }
}

impl config::Documents {
    /// Returns whether the file at `path` (relative to the project, `/` between the
    /// parts) is wanted: it matches `include`, if that says anything, and not
    /// `exclude`.
    pub fn takes(&self, path: &str) -> bool {
        let matches = |patterns: &[config::Pattern]| patterns.iter().any(|it| it.matches(path));
        (self.include.is_empty() || matches(&self.include)) && !matches(&self.exclude)
    }
}
