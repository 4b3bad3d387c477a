//! What can be set: how structures are built, and how a search is done.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::VectorError;

/// What is built over the vectors, to search faster than by looking at each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structure {
    /// A graph of near neighbours: the fastest at high recall.
    #[default]
    Graph,
    /// An inverted file: quick to build, and larger changes cost it little.
    Ivf,
    /// Product quantisation: the fewest bytes to look at for each vector.
    Pq,
}

/// How structures are built. Two indexes of the same rows and settings are equal,
/// whatever the number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// What [`build`](super::VectorIndex::build) builds.
    pub structure: Structure,
    /// Neighbours of a slot in the graph (M): as many at its upper levels, twice as
    /// many at the lowest. From 2 to 256.
    pub neighbours: usize,
    /// Candidates that a slot chooses its neighbours from (`ef_construction`).
    pub build_width: usize,
    /// Candidates that a search in the graph keeps (`ef`), unless it says otherwise.
    pub search_width: usize,
    /// Groups of the inverted file; 0 for the square root of the number of vectors.
    pub lists: usize,
    /// Groups that a search in the inverted file looks at, unless it says
    /// otherwise; 0 for an eighth of them, and at least 8.
    pub probes: usize,
    /// Where every random choice starts.
    pub seed: u64,
    /// Threads that build; 0 for one on each core.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            structure: Structure::Graph,
            neighbours: 16,
            build_width: 128,
            search_width: 100,
            lists: 0,
            probes: 0,
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
            "lists",
            "at most 1048576",
            self.lists,
            self.lists <= 1 << 20,
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
    /// Estimate from every vector's sketch of one bit a number, compare those that
    /// might be among the best by their int8 codes, and the best of these in `f32`.
    /// A scan by codes where there are no sketches: below 64 dimensions.
    Binary,
    /// Walk the graph by int8 codes, and compare the best again in `f32`.
    Graph,
    /// Look at the nearest groups of the inverted file by int8 codes, and at the
    /// best again in `f32`.
    Ivf,
    /// Look at every vector's product-quantised code, and at the best again in `f32`.
    Pq,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 6] = [
        Self::Exact,
        Self::Scan,
        Self::Binary,
        Self::Graph,
        Self::Ivf,
        Self::Pq,
    ];
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Scan => "scan",
            Self::Binary => "binary",
            Self::Graph => "graph",
            Self::Ivf => "ivf",
            Self::Pq => "pq",
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
    /// Groups that a search in the inverted file looks at; the index's setting if none.
    pub probes: Option<usize>,
    /// At most how many candidates are compared again; at least k are. If none, four
    /// times k and at least 32, and for product quantisation, whose estimates
    /// are coarse, 40 times k and at least 400.
    pub rescore: Option<usize>,
}
