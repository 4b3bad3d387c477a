//! Measuring the ways to search vectors on the user's own: which one pays depends on
//! how many there are and how they lie.

use std::path::PathBuf;

use search::SearchError;
use search::store::Snapshot;
use search::vector::VectorError;
use search::vector::bench::{self, BenchOptions};
use search::vector::npy::{self, NpyError};
use thiserror::Error as ThisError;

use crate::{Error, Project};

pub use search::vector::bench::{BenchStep, IndexFigures};

/// How many nearest vectors each query asks for; recall at ten is what is published.
const NEAREST: usize = 10;

/// Fewer vectors are searched faster than a clock can tell.
const NEEDED: usize = 100;

/// What to measure with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexBenchRequest {
    /// A matrix in NumPy's format (`f2` or `f4`, a vector a row); none means the
    /// vectors in the project's store.
    pub vectors: Option<PathBuf>,
    /// A matrix of queries; none means that some of the vectors are held out for it.
    pub queries: Option<PathBuf>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexBench {
    /// How many vectors there were, those held out as queries included.
    pub vectors: usize,
    /// How many numbers each has.
    pub dimensions: usize,
    /// Each way to search, the exact one first.
    pub figures: Vec<IndexFigures>,
}

/// Why nothing could be measured.
#[derive(Debug, ThisError)]
pub enum IndexBenchError {
    /// The project's store could not be read, or it holds too few vectors.
    #[error(transparent)]
    Library(Box<Error>),
    /// A matrix could not be read.
    #[error(transparent)]
    Matrix(#[from] NpyError),
    /// The queries are of another length than the vectors.
    #[error("the queries have {queries} numbers each, the vectors have {vectors}")]
    Lengths {
        /// Numbers in a query.
        queries: usize,
        /// Numbers in a vector.
        vectors: usize,
    },
    /// The vectors cannot be indexed by the project's metric.
    #[error(transparent)]
    Vector(#[from] VectorError),
}

impl From<Error> for IndexBenchError {
    fn from(error: Error) -> Self {
        Self::Library(Box::new(error))
    }
}

/// Measures every way to search vectors, with the numbers that the configuration of
/// `project` gives under `[vector]`; `progress` hears of each step before it is done.
pub fn bench_indexes(
    project: &Project,
    request: &IndexBenchRequest,
    progress: &mut dyn FnMut(BenchStep),
) -> Result<IndexBench, IndexBenchError> {
    let (rows, dimensions) = match &request.vectors {
        Some(path) => {
            let matrix = npy::read(path)?;
            (matrix.values, matrix.dimensions)
        }
        None => stored(project)?,
    };
    let vectors = rows.len().checked_div(dimensions).unwrap_or(0);
    if vectors < NEEDED {
        return Err(Error::TooFewVectors {
            found: vectors,
            needed: NEEDED,
        }
        .into());
    }
    let queries = match &request.queries {
        Some(path) => {
            let matrix = npy::read(path)?;
            if matrix.dimensions != dimensions {
                return Err(IndexBenchError::Lengths {
                    queries: matrix.dimensions,
                    vectors: dimensions,
                });
            }
            matrix.values
        }
        None => Vec::new(),
    };
    let settings = project.index_settings();
    let options = BenchOptions {
        metric: settings.metric,
        settings: settings.vector,
        ..BenchOptions::default()
    };
    let mut figures =
        bench::bench_indexes(&rows, dimensions, &queries, NEAREST, &options, progress)?;
    for one in &mut figures {
        one.name = name_in_configuration(&one.name).to_owned();
    }
    Ok(IndexBench {
        vectors,
        dimensions,
        figures,
    })
}

/// Returns what `index` under `[vector]` calls a method: the name a user knows.
fn name_in_configuration(method: &str) -> &str {
    match method {
        "scan" => "int8",
        "graph" => "hnsw",
        other => other,
    }
}

/// Returns the vectors in the store of `project`, one after another, and how many
/// numbers each has.
fn stored(project: &Project) -> Result<(Vec<f32>, usize), Error> {
    let snapshot = match Snapshot::open(&project.store_folder()) {
        Ok(snapshot) => snapshot,
        Err(SearchError::NoStore { .. }) => {
            return Err(Error::NothingIngested {
                root: project.root.clone(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let dimensions = snapshot
        .embedder()?
        .map_or(0, |embedder| embedder.dimensions);
    let mut numbers = Vec::new();
    snapshot.added_since(0, |_, vector| {
        numbers.extend(vector.into_iter().flatten());
        Ok(())
    })?;
    Ok((numbers, dimensions))
}
