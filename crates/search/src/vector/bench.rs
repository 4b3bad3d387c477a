//! Measuring the methods on a user's own vectors, so that a choice rests on what
//! they are and not on what others' were.

use std::time::Instant;

use contract::ChunkId;

use super::random::Random;
use super::{Method, Metric, SearchOptions, Settings, Structure, VectorError, VectorIndex};

/// How to measure.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// The metric.
    pub metric: Metric,
    /// How structures are built, and on how many threads. Searches always run on one.
    pub settings: Settings,
    /// How many rows stand in for queries where none are given; they are then
    /// not searched for. At most a tenth of the rows.
    pub held_out: usize,
    /// The ways to search; those that the metric does not allow are left out.
    pub methods: Vec<Method>,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self {
            metric: Metric::Cosine,
            settings: Settings::default(),
            held_out: 200,
            methods: Method::ALL.to_vec(),
        }
    }
}

/// What one way to search needs, and gives.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct IndexFigures {
    /// The method.
    pub name: String,
    /// Seconds to build it over all rows; for those without a structure, nothing.
    pub build_s: f64,
    /// The share of the k exact nearest that it finds. Measured with k as given,
    /// which is ten by custom.
    pub recall_at_10: f64,
    /// Queries a second, one after another on one thread.
    pub queries_per_s: f64,
    /// Milliseconds within which half of the queries were answered.
    pub p50_ms: f64,
    /// Milliseconds within which 95 of 100 were.
    pub p95_ms: f64,
    /// Bytes that a search touches at most: for exact the `f32` rows, for the others
    /// their codes and structure, and besides the `f32` rows for the few compared
    /// again.
    pub memory_bytes: usize,
}

/// What the measuring is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenchStep {
    /// Taking in the rows.
    Insert,
    /// Building what this method needs.
    Build(Method),
    /// Answering all queries by this method.
    Search(Method),
}

/// Measures ways to search `rows` (one vector after another, each of `dimensions`
/// numbers) for the `k` nearest to each of `queries`; `progress` hears of each step
/// before it is done.
///
/// Without queries a sample of the rows is held out for them. Fails if a vector
/// cannot be in an index of this metric, or if there is no row to be found or no
/// query to find it by.
pub fn bench_indexes(
    rows: &[f32],
    dimensions: usize,
    queries: &[f32],
    k: usize,
    options: &BenchOptions,
    progress: &mut dyn FnMut(BenchStep),
) -> Result<Vec<IndexFigures>, VectorError> {
    let mut index = VectorIndex::new(dimensions, options.metric, options.settings)?;
    for part in [rows, queries] {
        if part.len() % dimensions != 0 {
            return Err(VectorError::Dimensions {
                expected: dimensions,
                found: part.len() % dimensions,
            });
        }
    }
    let count = rows.len() / dimensions;
    let held: Vec<usize> = if queries.is_empty() {
        let wanted = options.held_out.min(count / 10).max(1);
        Random::new(options.settings.seed).sample(wanted, count)
    } else {
        Vec::new()
    };
    if k == 0 || count <= held.len() {
        return Err(VectorError::Setting {
            setting: "the number of vectors to measure with",
            expected: "at least 2, and k at least 1",
            found: count.to_string(),
        });
    }

    progress(BenchStep::Insert);
    let row = |at: usize| &rows[at * dimensions..(at + 1) * dimensions];
    for at in (0..count).filter(|at| held.binary_search(at).is_err()) {
        index.insert(ChunkId(at as u64), row(at))?;
    }
    let queries: Vec<&[f32]> = if held.is_empty() {
        queries.chunks_exact(dimensions).collect()
    } else {
        held.iter().map(|at| row(*at)).collect()
    };

    progress(BenchStep::Search(Method::Exact));
    let truth = run(&index, &queries, k, Method::Exact)?;
    let mut figures = Vec::new();
    for method in &options.methods {
        if *method != Method::Exact && !options.metric.is_product() {
            continue;
        }
        let structure = match method {
            Method::Exact | Method::Scan | Method::Binary => None,
            Method::Graph => Some(Structure::Graph),
            Method::Ivf => Some(Structure::Ivf),
            Method::Pq => Some(Structure::Pq),
        };
        let mut build_s = 0.0;
        if let Some(structure) = structure {
            progress(BenchStep::Build(*method));
            let start = Instant::now();
            index.build_as(structure)?;
            build_s = start.elapsed().as_secs_f64();
        }
        let answers = if *method == Method::Exact {
            truth.clone()
        } else {
            progress(BenchStep::Search(*method));
            run(&index, &queries, k, *method)?
        };
        figures.push(answers.figures(*method, build_s, index.searched_bytes(*method), &truth));
    }
    Ok(figures)
}

/// The answers to all queries, and how long each took.
#[derive(Clone, Debug)]
struct Answers {
    found: Vec<Vec<(ChunkId, f32)>>,
    times_ms: Vec<f64>,
}

fn run(
    index: &VectorIndex,
    queries: &[&[f32]],
    k: usize,
    method: Method,
) -> Result<Answers, VectorError> {
    let options = SearchOptions {
        method: Some(method),
        ..SearchOptions::default()
    };
    // The first searches touch memory for the first time and are not counted.
    for query in queries.iter().take(20) {
        index.search(query, k, &options, None)?;
    }
    let mut answers = Answers {
        found: Vec::with_capacity(queries.len()),
        times_ms: Vec::with_capacity(queries.len()),
    };
    for query in queries {
        let start = Instant::now();
        let hits = index.search(query, k, &options, None)?;
        answers.times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        let found = hits.into_iter().map(|hit| (hit.chunk, hit.value));
        answers.found.push(found.collect());
    }
    Ok(answers)
}

impl Answers {
    fn figures(
        mut self,
        method: Method,
        build_s: f64,
        memory_bytes: usize,
        truth: &Self,
    ) -> IndexFigures {
        let (mut found, mut wanted) = (0, 0usize);
        for (answer, expect) in self.found.iter().zip(&truth.found) {
            found += answer
                .iter()
                .filter(|(chunk, _)| expect.iter().any(|(other, _)| other == chunk))
                .count();
            wanted += expect.len();
        }
        self.times_ms.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| self.times_ms[((self.times_ms.len() - 1) as f64 * share) as usize];
        let total_ms: f64 = self.times_ms.iter().sum();
        IndexFigures {
            name: method.to_string(),
            build_s,
            recall_at_10: found as f64 / wanted.max(1) as f64,
            queries_per_s: 1e3 * self.times_ms.len() as f64 / total_ms.max(1e-9),
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            memory_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        let mut random = Random::new(1);
        (0..count).map(|_| random.unit() - 0.5).collect()
    }

    #[test]
    fn every_method_is_measured() {
        let mut steps = 0;
        let options = BenchOptions {
            held_out: 10,
            ..BenchOptions::default()
        };
        let rows = numbers(64 * 300);
        let figures = bench_indexes(&rows, 64, &[], 10, &options, &mut |_| steps += 1).unwrap();
        let names: Vec<&str> = figures.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["exact", "scan", "binary", "graph", "ivf", "pq"]);
        assert_eq!(figures[0].recall_at_10, 1.0);
        assert_eq!(figures[0].memory_bytes, 290 * 64 * 4);
        for one in &figures {
            assert!(one.recall_at_10 > 0.8, "{one:?}");
            assert!(one.p50_ms <= one.p95_ms);
        }
        assert_eq!(steps, 10);
    }

    #[test]
    fn other_metrics_are_measured_by_exact_scan() {
        let options = BenchOptions {
            metric: Metric::Manhattan,
            ..BenchOptions::default()
        };
        let (rows, queries) = (numbers(8 * 20), numbers(8 * 3));
        let figures = bench_indexes(&rows, 8, &queries, 5, &options, &mut |_| ()).unwrap();
        assert_eq!(figures.len(), 1);
    }

    #[test]
    fn too_few_vectors_are_an_error() {
        let options = BenchOptions::default();
        for rows in [vec![], numbers(8), numbers(9)] {
            assert!(bench_indexes(&rows, 8, &[], 10, &options, &mut |_| ()).is_err());
        }
    }
}
