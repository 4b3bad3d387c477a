//! Measures the vector index on vectors in NumPy files, one JSON line a result.
//!
//! `cargo run --release -p groundtune-search --example vector_bench -- DATA [part]…`
//!
//! `DATA` holds `minilm_50k.f16.npy` and `queries_1k.f16.npy` and, for the filters, the
//! one-byte attributes `attr_*.u8.npy`. Parts: `exact`, `scan`, `binary`, `ivf`, `pq`, `graph`,
//! `filter`; all of them if none is named. Everything runs on one thread.

#![expect(
    clippy::print_stdout,
    reason = "a program whose result is what it prints"
)]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use contract::ChunkId;
use search::ChunkSet;
use search::vector::npy::{self, Matrix};
use search::vector::{Method, Metric, SearchOptions, Selection, Settings, Structure, VectorIndex};

const K: usize = 10;

/// The exact nearest of each query.
type Truth = Vec<Vec<ChunkId>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name the folder of the vectors")?;
    let folder = Path::new(&folder);
    let parts: Vec<String> = arguments.collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|name| name == part);

    let rows = npy::read(&folder.join("minilm_50k.f16.npy"))?;
    let queries = npy::read(&folder.join("queries_1k.f16.npy"))?;
    let settings = Settings {
        threads: 1,
        ..Settings::default()
    };
    let start = Instant::now();
    let mut index = VectorIndex::new(rows.dimensions, Metric::Cosine, settings)?;
    for (chunk, row) in (0..).zip(rows.rows()) {
        index.insert(ChunkId(chunk), row)?;
    }
    println!(
        r#"{{"engine":"insert","build_s":{:.2}}}"#,
        start.elapsed().as_secs_f64()
    );
    let exact = SearchOptions {
        method: Some(Method::Exact),
        ..SearchOptions::default()
    };
    let truth = nearest(&index, &queries, &exact, None)?;
    if wanted("exact") {
        measure("exact", &index, &queries, &truth, &exact, None)?;
    }
    if wanted("scan") {
        let options = SearchOptions {
            method: Some(Method::Scan),
            ..SearchOptions::default()
        };
        measure("scan", &index, &queries, &truth, &options, None)?;
    }
    if wanted("binary") {
        for rescore in [Some(100), Some(1000), None] {
            let options = SearchOptions {
                method: Some(Method::Binary),
                rescore,
                ..SearchOptions::default()
            };
            let name = format!("binary {rescore:?}");
            measure(&name, &index, &queries, &truth, &options, None)?;
        }
    }
    for (name, structure, method, steps) in [
        ("ivf", Structure::Ivf, Method::Ivf, [8, 16, 32, 64]),
        ("pq", Structure::Pq, Method::Pq, [50, 100, 200, 400]),
    ] {
        if wanted(name) {
            let start = Instant::now();
            index.build_as(structure)?;
            println!(
                r#"{{"engine":"{name}","build_s":{:.2}}}"#,
                start.elapsed().as_secs_f64()
            );
            for step in steps {
                let options = SearchOptions {
                    method: Some(method),
                    probes: Some(step),
                    rescore: (method == Method::Pq).then_some(step),
                    ..SearchOptions::default()
                };
                let name = format!("{name} {step}");
                measure(&name, &index, &queries, &truth, &options, None)?;
            }
        }
    }
    if wanted("graph") || wanted("filter") {
        let start = Instant::now();
        index.build_as(Structure::Graph)?;
        println!(
            r#"{{"engine":"graph","build_s":{:.2},"memory_mb":{:.1}}}"#,
            start.elapsed().as_secs_f64(),
            index.memory() as f64 / 1e6
        );
    }
    if wanted("graph") {
        for ef in [16, 24, 32, 48, 64, 80, 96, 128, 192] {
            let options = SearchOptions {
                ef: Some(ef),
                method: Some(Method::Graph),
                ..SearchOptions::default()
            };
            measure("graph", &index, &queries, &truth, &options, None)?;
        }
    }
    if wanted("filter") {
        for (name, file, keep) in [
            ("50 %", "attr_uniform_0_99", 0..50u8),
            ("10 %", "attr_uniform_0_99", 0..10),
            ("1 %", "attr_uniform_0_99", 0..1),
            ("2.1 %, correlated", "attr_source_rare", 1..2),
        ] {
            let bytes = fs_err::read(folder.join(format!("{file}.u8.npy")))?;
            let attributes = &bytes[bytes.len() - rows.len()..];
            let chosen: ChunkSet = (0..)
                .zip(attributes)
                .filter(|(_, value)| keep.contains(value))
                .map(|(chunk, _)| ChunkId(chunk))
                .collect();
            let selection = index.select(&chosen);
            let truth = nearest(&index, &queries, &exact, Some(&selection))?;
            let options = SearchOptions::default();
            println!(
                r#"{{"filter":"{name}","plan":"{}"}}"#,
                index.plan(K, &options, Some(&selection))
            );
            for method in [
                None,
                Some(Method::Scan),
                Some(Method::Binary),
                Some(Method::Graph),
            ] {
                let options = SearchOptions { method, ..options };
                let name = format!(
                    "filter {name} {}",
                    method.map_or("plan".into(), |m| m.to_string())
                );
                measure(&name, &index, &queries, &truth, &options, Some(&selection))?;
            }
        }
    }
    if parts.iter().any(|name| name == "million") {
        million()?;
    }
    Ok(())
}

/// Measures a graph over a million vectors: a mixture of 10,000 normal clusters whose
/// centres lie around 100 others, so that near and far are both to be told apart.
fn million() -> Result<(), Box<dyn Error>> {
    const DIMENSIONS: usize = 384;
    const ROWS: u64 = 1_000_000;
    let mut state = 1u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut normal = move || (0..4).map(|_| random()).sum::<f32>() - 2.0;
    let mut around = |centre: &[f32], spread: f32| -> Vec<f32> {
        centre
            .iter()
            .map(|value| value + spread * normal())
            .collect()
    };
    let roots: Vec<Vec<f32>> = (0..100).map(|_| around(&[0.0; DIMENSIONS], 1.0)).collect();
    let centres: Vec<Vec<f32>> = (0..10_000).map(|i| around(&roots[i % 100], 0.8)).collect();
    let settings = Settings {
        threads: 1,
        ..Settings::default()
    };
    let mut index = VectorIndex::new(DIMENSIONS, Metric::Cosine, settings)?;
    let start = Instant::now();
    for chunk in 0..ROWS {
        let centre = &centres[(chunk * 7919 % 10_000) as usize];
        index.insert(ChunkId(chunk), &around(centre, 0.7))?;
    }
    println!(
        r#"{{"engine":"million insert","build_s":{:.1}}}"#,
        start.elapsed().as_secs_f64()
    );
    let queries = Matrix {
        dimensions: DIMENSIONS,
        values: (0..200)
            .flat_map(|i| around(&centres[i * 37 % 10_000], 0.7))
            .collect(),
    };
    let exact = SearchOptions {
        method: Some(Method::Exact),
        ..SearchOptions::default()
    };
    let truth = nearest(&index, &queries, &exact, None)?;
    for method in [Method::Scan, Method::Binary] {
        let options = SearchOptions {
            method: Some(method),
            ..SearchOptions::default()
        };
        measure(
            &format!("million {method}"),
            &index,
            &queries,
            &truth,
            &options,
            None,
        )?;
    }
    let start = Instant::now();
    index.build()?;
    println!(
        r#"{{"engine":"million graph","build_s":{:.1},"memory_mb":{:.0}}}"#,
        start.elapsed().as_secs_f64(),
        index.memory() as f64 / 1e6
    );
    for ef in [32, 64, 100, 200, 400] {
        let options = SearchOptions {
            ef: Some(ef),
            method: Some(Method::Graph),
            ..SearchOptions::default()
        };
        measure("million graph", &index, &queries, &truth, &options, None)?;
    }
    Ok(())
}

fn nearest(
    index: &VectorIndex,
    queries: &Matrix,
    options: &SearchOptions,
    selection: Option<&Selection>,
) -> Result<Truth, Box<dyn Error>> {
    let mut truth = Vec::new();
    for query in queries.rows() {
        let hits = index.search(query, K, options, selection)?;
        truth.push(hits.iter().map(|hit| hit.chunk).collect());
    }
    Ok(truth)
}

fn measure(
    engine: &str,
    index: &VectorIndex,
    queries: &Matrix,
    truth: &Truth,
    options: &SearchOptions,
    selection: Option<&Selection>,
) -> Result<(), Box<dyn Error>> {
    for query in queries.rows().take(50) {
        index.search(query, K, options, selection)?;
    }
    let (mut found, mut wanted) = (0, 0);
    let mut times_ms = Vec::new();
    for (query, expect) in queries.rows().zip(truth) {
        let start = Instant::now();
        let hits = index.search(query, K, options, selection)?;
        times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        found += hits
            .iter()
            .filter(|hit| expect.contains(&hit.chunk))
            .count();
        wanted += expect.len();
    }
    times_ms.sort_by(f64::total_cmp);
    let mean = times_ms.iter().sum::<f64>() / times_ms.len() as f64;
    let at = |share: f64| times_ms[((times_ms.len() - 1) as f64 * share) as usize];
    println!(
        r#"{{"engine":"{engine}","ef":{},"recall_at_10":{:.4},"qps":{:.0},"p50_ms":{:.3},"p95_ms":{:.3}}}"#,
        options.ef.unwrap_or(0),
        found as f64 / wanted as f64,
        1e3 / mean,
        at(0.5),
        at(0.95),
    );
    Ok(())
}
