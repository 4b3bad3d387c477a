//! What can be wrong with a vector, a setting or a search.

use thiserror::Error;

use super::{Method, Metric};
use crate::derived::DerivedError;

/// Why a vector index could not do what was asked.
#[derive(Debug, Error)]
pub enum VectorError {
    /// A vector is of another length than the index.
    #[error("the vector has {found} numbers, but the index holds vectors of {expected}")]
    Dimensions {
        /// The index's dimensions.
        expected: usize,
        /// The vector's.
        found: usize,
    },
    /// A vector has a number that is not finite, or is too long to square.
    #[error("the vector has a number that is not finite, or its length is beyond the range of f32")]
    NotFinite,
    /// A vector of zeros has no cosine.
    #[error("a vector of zeros has no direction, and the index compares by cosine")]
    NoDirection,
    /// The metric has no approximate methods.
    #[error("the {} metric is searched by exact scan only, not by {method}", metric.name())]
    MetricNeedsExact {
        /// The index's metric.
        metric: Metric,
        /// The method asked for.
        method: Method,
    },
    /// A selection was made before the index last changed.
    #[error("the selection was made before the index changed; select again")]
    StaleSelection,
    /// A setting is out of its range.
    #[error("{setting} is {found}, but must be {expected}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The index is full.
    #[error("the index is full: it can hold {limit} vectors")]
    Full {
        /// The most it can hold.
        limit: usize,
    },
    /// The threads for building could not be started.
    #[error("the threads for building could not be started")]
    Threads {
        /// What the system says.
        #[from]
        source: rayon::ThreadPoolBuildError,
    },
    /// The index's file cannot be used; it is to be rebuilt from the store.
    #[error("the vector index's file cannot be used")]
    File {
        /// What is wrong with it.
        #[from]
        source: DerivedError,
    },
}
