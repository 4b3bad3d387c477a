//! Vector search: the rows nearest to a query, by the index's metric.
//!
//! [`VectorIndex`] is the one door. Behind it a vector lives in a slot (`rows`),
//! as `f32` and as int8 code (`codes`); the exact scan reads the former, every
//! other method finds candidates by codes and rescores them with the former. A
//! structure (the `graph`, for one) covers the slots there were when it was built;
//! younger ones are scanned beside it, so that every change is effective at once.
//! `plan` chooses the method from what a filter leaves.

pub mod bench;
mod codes;
mod column;
mod error;
mod file;
mod graph;
mod index;
mod ivf;
mod metric;
pub mod npy;
mod plan;
mod pq;
mod random;
mod rows;
mod scan;
mod settings;
pub mod simd;
mod sketch;
mod top;

pub use error::VectorError;
pub use index::{Background, Selection, VectorHit, VectorIndex};
pub use metric::Metric;
pub use plan::{Plan, Reason};
pub use rows::MOST_DIMENSIONS;
pub use settings::{Method, SearchOptions, Settings, Structure};
