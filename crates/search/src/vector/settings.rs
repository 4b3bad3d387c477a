//! What can be set: how structures are built, and how a search is done.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::VectorError;

/// How structures are built. Two indexes of the same rows and settings are equal,
/// whatever the number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// Neighbours of a slot in the graph (M): as many at its upper levels, twice as
    /// many at the lowest. From 2 to 256.
    pub neighbours: usize,
    /// Candidates that a slot chooses its neighbours from (`ef_construction`).
    pub build_width: usize,
    /// Candidates that a search in the graph keeps (`ef`), unless it says otherwise.
    pub search_width: usize,
    /// Where every random choice starts.
    pub seed: u64,
    /// Threads that build; 0 for one on each core.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            neighbours: 16,
            build_width: 128,
            search_width: 100,
            seed: 0,
            threads: 0,
        }
    }
}

impl Settings {
    /// Checks that every setting is in its range.
    pub fn check(&self) -> Result<(), VectorError> {
        let range = |setting, expected, found: usize, good: bool| {
            if good {
                Ok(())
            } else {
                Err(VectorError::Setting {
                    setting,
                    expected,
                    found: found.to_string(),
                })
            }
        };
        range(
            "neighbours",
            "from 2 to 256",
            self.neighbours,
            (2..=256).contains(&self.neighbours),
        )?;
        range(
            "build_width",
            "from 1 to 65536",
            self.build_width,
            (1..=1 << 16).contains(&self.build_width),
        )?;
        range(
            "search_width",
            "from 1 to 65536",
            self.search_width,
            (1..=1 << 16).contains(&self.search_width),
        )?;
        range(
            "threads",
            "at most 1024",
            self.threads,
            self.threads <= 1024,
        )
    }
}

/// A way to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Compare the query with every vector, in `f32`.
    Exact,
    /// Compare the query with every vector's int8 code, and the best again in `f32`.
    Scan,
    /// Walk the graph by int8 codes, and compare the best again in `f32`.
    Graph,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Scan => "scan",
            Self::Graph => "graph",
        })
    }
}

/// How one search is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchOptions {
    /// Candidates that a search in the graph keeps; the index's setting if none.
    pub ef: Option<usize>,
    /// The method; the plan's if none.
    pub method: Option<Method>,
    /// At most how many candidates are compared again in `f32`; at least k are.
    /// Four times k, and at least 32, if none.
    pub rescore: Option<usize>,
}
