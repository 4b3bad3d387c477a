//! How near the decoder's products and attention come to what the machine can do.
//!
//! One token at a time, a product reads its weight once, so its bytes a second are to be
//! read against `read` of as many bytes by as many threads. Many tokens at a time, it
//! multiplies: elements are multiplications with their addition, to be read against the
//! largest rate of the same kernels in `prefill`, and of `product` in `encoder_kernels`.
//! Shapes are those of a Llama of 135 million parameters.
//! `cargo bench -p groundtune-tensor --bench decoder_kernels`

use std::hint::black_box;
use std::num::NonZeroUsize;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use tensor::{
    Activation, Cached, CausalAttention, Format, Kept, Kernels, Layout, Precision, Scratch,
    StoredMatrix, StoredProduct, Sum, Team,
};

const WIDTH: usize = 576;
const INNER: usize = 1536;
const VOCABULARY: usize = 49_152;
/// So many numbers do not fit the caches near a core in any format.
const ROWS: usize = 2 * VOCABULARY;

fn filled(count: usize) -> Vec<f32> {
    (0..count)
        .map(|at| (at * 7919 % 2003) as f32 / 1001.5 - 1.0)
        .collect()
}

/// Returns `numbers` in `format`, or, where that is only read, some bytes of it that
/// stand for small numbers.
fn stored(format: Format, numbers: &[f32]) -> Vec<u8> {
    let mut bytes = vec![1; format.bytes(numbers.len()).expect("whole blocks")];
    format.narrow(numbers, &mut bytes);
    bytes
}

fn teams() -> Vec<Team> {
    let most = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut counts = vec![1, most];
    counts.dedup();
    counts
        .into_iter()
        .map(|threads| {
            let threads = NonZeroUsize::new(threads).expect("at least one");
            Team::new(threads).expect("the system gives threads")
        })
        .collect()
}

/// Bytes read.
fn read(c: &mut Criterion) {
    const PART: usize = 1 << 15;
    let mut group = c.benchmark_group("read");
    let bytes = vec![1u64; ROWS * WIDTH / 2];
    for format in Format::ALL {
        // As many as the weight of `decode` has.
        let size = format.bytes(ROWS * 512).expect("whole blocks") * WIDTH / 512;
        let numbers = &bytes[..size / 8];
        group.throughput(Throughput::Bytes(size as u64));
        for team in teams() {
            group.bench_function(format!("{format} {} threads", team.threads()), |b| {
                b.iter(|| {
                    team.run(numbers.len().div_ceil(PART / 8), &|part, _| {
                        let from = part * (PART / 8);
                        let to = numbers.len().min(from + PART / 8);
                        let mut sums = [0u64; 64];
                        for line in numbers[from..to].as_chunks::<64>().0 {
                            for (sum, number) in sums.iter_mut().zip(line) {
                                *sum ^= number;
                            }
                        }
                        black_box(sums);
                    });
                });
            });
        }
    }
}

fn product(
    group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    (tokens, weight): (usize, StoredMatrix<'_>),
    versions: &[&'static Kernels],
) {
    let input = filled(tokens * weight.inputs());
    let mut output = vec![0.0; tokens * weight.outputs()];
    for team in teams() {
        for kernels in versions {
            let mut scratch = Scratch::default();
            let name = format!("{name} {} threads, {}", team.threads(), kernels.name);
            group.bench_function(name, |b| {
                b.iter(|| {
                    kernels.multiply(
                        &team,
                        black_box(&input),
                        &mut [StoredProduct {
                            weight,
                            bias: None,
                            sum: Sum::Replace,
                            activation: Activation::Identity,
                            precision: Precision::F32,
                            output: &mut output,
                        }],
                        &mut scratch,
                    );
                });
            });
        }
    }
}

/// Bytes of the weight.
fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let numbers = filled(ROWS * WIDTH);
    for format in Format::ALL {
        // Blocks of 256 need another width.
        let inputs = if format.block_numbers() == 256 {
            512
        } else {
            WIDTH
        };
        let outputs = ROWS * WIDTH / inputs;
        let bytes = stored(format, &numbers);
        let weight = StoredMatrix::new(format, Layout::Rows, inputs, outputs, &bytes);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        product(&mut group, format.name(), (1, weight), &[Kernels::best()]);
    }
    // GPT-2's layout, many matrices of its size one after another.
    let (inputs, outputs) = (3072, 768);
    let bytes = stored(Format::F32, &numbers[..inputs * outputs]);
    let weight = StoredMatrix::new(Format::F32, Layout::Columns, inputs, outputs, &bytes);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    product(&mut group, "F32 columns", (1, weight), &[Kernels::best()]);
}

/// Multiplications with their addition.
fn prefill(c: &mut Criterion) {
    let mut group = c.benchmark_group("prefill");
    let versions = Kernels::available();
    for (tokens, inputs, outputs) in [(512, WIDTH, INNER), (512, INNER, WIDTH), (16, WIDTH, INNER)]
    {
        let numbers = filled(inputs * outputs);
        group.throughput(Throughput::Elements((tokens * inputs * outputs) as u64));
        for format in Format::ALL {
            if !inputs.is_multiple_of(format.block_numbers()) {
                continue;
            }
            let bytes = stored(format, &numbers);
            let weight = StoredMatrix::new(format, Layout::Rows, inputs, outputs, &bytes);
            let name = format!("{tokens}x{inputs}x{outputs} {format}");
            product(&mut group, &name, (tokens, weight), &versions[1..]);
        }
    }
}

/// Bytes of keys and values, of a token after many; multiplications with their addition,
/// of many tokens.
fn attention(c: &mut Criterion) {
    let mut group = c.benchmark_group("causal attention");
    let shape = CausalAttention {
        heads: 9,
        key_heads: 3,
        head_width: 64,
        scale: 0.125,
        window: None,
    };
    for (before, tokens) in [(127, 1), (1023, 1), (8191, 1), (0, 512), (1536, 512)] {
        let (width, heads) = (shape.head_width, shape.heads);
        let cache = filled(shape.key_heads * (before + tokens) * width);
        let queries = filled(tokens * heads * width);
        let mut out = vec![0.0; queries.len()];
        group.throughput(if tokens == 1 {
            Throughput::Bytes(8 * cache.len() as u64)
        } else {
            let seen = tokens * before + tokens * (tokens + 1) / 2;
            Throughput::Elements((2 * seen * heads * width) as u64)
        });
        for team in teams() {
            let kernels = Kernels::best();
            let mut scratch = Scratch::default();
            let name = format!("{tokens} after {before}, {} threads", team.threads());
            group.bench_function(name, |b| {
                b.iter(|| {
                    let sequence = Cached {
                        keys: Kept::Whole(black_box(&cache)),
                        values: Kept::Whole(&cache),
                        before,
                        tokens,
                    };
                    let queries = black_box(&queries);
                    kernels.causal_attention(
                        &team,
                        shape,
                        queries,
                        &[sequence],
                        &mut scratch,
                        &mut out,
                    );
                });
            });
        }
    }
}

/// What it costs to share nothing.
fn dispatch(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch");
    for team in teams() {
        group.bench_function(format!("{} threads", team.threads()), |b| {
            b.iter(|| {
                team.run(2 * team.threads(), &|part, _| {
                    black_box(part);
                });
            });
        });
    }
}

criterion_group!(benches, read, decode, prefill, attention, dispatch);
criterion_main!(benches);
