//! How near vector search is to what the machine can do.
//!
//! `cargo bench -p groundtune-search --bench vector`. The limit of a scan is the speed at
//! which one core reads memory: compare the scans' bytes per second with those of `sum of
//! bytes`, which does nothing but read. A walk through the graph is limited by the delay of
//! memory, not by its speed.

use std::hint::black_box;

use contract::ChunkId;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use search::ChunkSet;
use search::vector::simd::Kernels;
use search::vector::{Method, Metric, SearchOptions, Settings, VectorIndex};

const DIMENSIONS: usize = 384;
const ROWS: usize = 50_000;

/// Numbers from −1 to 1, the same on every run.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

fn kernels(c: &mut Criterion) {
    let (a, b) = (numbers(DIMENSIONS), numbers(2 * DIMENSIONS));
    let b = &b[DIMENSIONS..];
    let codes: Vec<i8> = a.iter().map(|value| (value * 127.0) as i8).collect();
    let bytes: Vec<u8> = b
        .iter()
        .map(|value| (value * 127.0 + 128.0) as u8)
        .collect();
    let words: Vec<u64> = (1..=DIMENSIONS as u64 / 64)
        .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .collect();
    let mut group = c.benchmark_group("kernels, 384 dimensions");
    for version in Kernels::available() {
        group.bench_function(BenchmarkId::new("dot f32", version.name), |bench| {
            bench.iter(|| version.dot(black_box(&a), black_box(b)));
        });
        group.bench_function(
            BenchmarkId::new("squared distance f32", version.name),
            |bench| {
                bench.iter(|| version.squared_distance(black_box(&a), black_box(b)));
            },
        );
        group.bench_function(BenchmarkId::new("manhattan f32", version.name), |bench| {
            bench.iter(|| version.manhattan(black_box(&a), black_box(b)));
        });
        group.bench_function(BenchmarkId::new("dot int8", version.name), |bench| {
            bench.iter(|| version.dot_codes(black_box(&codes), black_box(&bytes)));
        });
        group.bench_function(BenchmarkId::new("hamming", version.name), |bench| {
            bench.iter(|| version.hamming(black_box(&words), black_box(&words)));
        });
    }
    group.finish();
}

/// A mixture of clusters: vectors without any structure have no near neighbours to find.
fn clustered() -> (VectorIndex, Vec<f32>) {
    let centres = numbers(500 * DIMENSIONS);
    let noise = numbers((ROWS + 1) * DIMENSIONS);
    let vector = |at: usize| -> Vec<f32> {
        let centre = &centres[at % 500 * DIMENSIONS..][..DIMENSIONS];
        let noise = &noise[at * DIMENSIONS..][..DIMENSIONS];
        centre.iter().zip(noise).map(|(a, b)| a + 0.8 * b).collect()
    };
    let mut index = VectorIndex::new(DIMENSIONS, Metric::Cosine, Settings::default())
        .expect("the settings are good");
    for at in 0..ROWS {
        index
            .insert(ChunkId(at as u64), &vector(at))
            .expect("the vector is good");
    }
    index.build().expect("threads can be started");
    (index, vector(ROWS))
}

fn searches(c: &mut Criterion) {
    let (index, query) = clustered();
    let mut group = c.benchmark_group("50,000 vectors of 384");
    let memory = vec![1u64; ROWS * DIMENSIONS / 8];
    group.throughput(Throughput::Bytes((ROWS * DIMENSIONS) as u64));
    group.bench_function("sum of bytes", |bench| {
        bench.iter(|| black_box(&memory).iter().fold(0u64, |sum, word| sum ^ word));
    });
    for (method, row_bytes) in [
        (Method::Exact, DIMENSIONS * 4),
        (Method::Scan, DIMENSIONS + 8),
        (Method::Binary, DIMENSIONS / 8 + 16),
    ] {
        let options = SearchOptions {
            method: Some(method),
            ..SearchOptions::default()
        };
        group.throughput(Throughput::Bytes((ROWS * row_bytes) as u64));
        group.bench_function(method.to_string(), |bench| {
            bench.iter(|| index.search(black_box(&query), 10, &options, None));
        });
    }
    group.throughput(Throughput::Elements(1));
    let options = SearchOptions::default();
    for ef in [32, 100] {
        let options = SearchOptions {
            ef: Some(ef),
            method: Some(Method::Graph),
            ..options
        };
        group.bench_function(BenchmarkId::new("graph", ef), |bench| {
            bench.iter(|| index.search(black_box(&query), 10, &options, None));
        });
    }
    for every in [2, 10, 100] {
        let chosen: ChunkSet = (0..ROWS as u64).step_by(every).map(ChunkId).collect();
        let selection = index.select(&chosen);
        group.bench_function(BenchmarkId::new("filtered to one in", every), |bench| {
            bench.iter(|| index.search(black_box(&query), 10, &options, Some(&selection)));
        });
    }
    group.finish();
}

criterion_group! {
    name = vector;
    config = Criterion::default().sample_size(20);
    targets = kernels, searches
}
criterion_main!(vector);
