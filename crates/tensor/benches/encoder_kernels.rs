//! How near the encoder's loops come to what the processor can do.
//!
//! Products are to be read against the rate of the largest one here; the fused loops,
//! as bytes read and written, against the copy. Shapes are those of a six-layer encoder
//! 384 wide; one thread. `cargo bench -p groundtune-tensor`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tensor::{
    Activation, Buffer, Kernels, LayerNorm, PackedMatrix, Precision, Product, SelfAttention,
    attention_scratch,
};

const TOKENS: usize = 512;
const WIDTH: usize = 384;

fn filled(count: usize) -> Buffer {
    let mut buffer = Buffer::zeros(count);
    for (at, number) in buffer.as_mut_slice().iter_mut().enumerate() {
        *number = (at * 7919 % 2003) as f32 / 1001.5 - 1.0;
    }
    buffer
}

/// Elements are multiplications with their addition; twice as many FLOP.
fn products(c: &mut Criterion) {
    let mut group = c.benchmark_group("product");
    for (rows, depth, columns, activation) in [
        (1024, 1024, 1024, Activation::Identity),
        (TOKENS, WIDTH, 3 * WIDTH, Activation::Identity),
        (TOKENS, WIDTH, WIDTH, Activation::Identity),
        (TOKENS, WIDTH, 4 * WIDTH, Activation::Gelu),
        (TOKENS, 4 * WIDTH, WIDTH, Activation::Identity),
        (9, WIDTH, 4 * WIDTH, Activation::Gelu),
    ] {
        group.throughput(Throughput::Elements((rows * depth * columns) as u64));
        for kernels in Kernels::available() {
            let weight = filled(depth * columns);
            let packed = PackedMatrix::of_rows(
                kernels,
                Precision::F32,
                &weight.as_slice()[..depth * columns],
                depth,
                None,
            );
            let input = filled(rows * depth);
            let mut output = Buffer::zeros(rows * columns);
            let name = format!("{rows}x{depth}x{columns} {activation:?} {}", kernels.name);
            group.bench_function(name, |b| {
                b.iter(|| {
                    packed.multiply(Product {
                        input: &black_box(input.as_slice())[..rows * depth],
                        residual: None,
                        activation,
                        output: &mut output.as_mut_slice()[..rows * columns],
                    });
                });
            });
        }
    }
}

/// Elements as in `products`; to be read against its largest rate.
fn attention(c: &mut Criterion) {
    let mut group = c.benchmark_group("attention");
    let shape = SelfAttention {
        heads: 12,
        head_width: WIDTH / 12,
    };
    for tokens in [29, 186, 512] {
        group.throughput(Throughput::Elements((2 * tokens * tokens * WIDTH) as u64));
        for kernels in Kernels::available() {
            let qkv = filled(3 * tokens * WIDTH);
            let mut scratch = Buffer::zeros(attention_scratch(kernels, shape, tokens));
            let mut out = Buffer::zeros(tokens * WIDTH);
            group.bench_function(format!("{tokens} {}", kernels.name), |b| {
                b.iter(|| {
                    kernels.self_attention(
                        shape,
                        &black_box(qkv.as_slice())[..3 * tokens * WIDTH],
                        scratch.as_mut_slice(),
                        &mut out.as_mut_slice()[..tokens * WIDTH],
                    );
                });
            });
        }
    }
}

/// Bytes read and written.
fn loops(c: &mut Criterion) {
    let mut group = c.benchmark_group("loop");
    let count = TOKENS * WIDTH;
    group.throughput(Throughput::Bytes(8 * count as u64));
    let norm = LayerNorm {
        weight: vec![1.0; WIDTH],
        bias: vec![0.0; WIDTH],
        epsilon: 1e-12,
    };
    let from = filled(count);
    let mut rows = filled(count);
    group.bench_function("copy", |b| {
        b.iter(|| {
            rows.as_mut_slice()
                .copy_from_slice(black_box(from.as_slice()));
        });
    });
    for kernels in Kernels::available() {
        let name = kernels.name;
        group.bench_function(format!("layer norm {name}"), |b| {
            b.iter(|| kernels.layer_norm(&norm, black_box(rows.as_mut_slice())));
        });
        for activation in [Activation::Gelu, Activation::GeluTanh] {
            group.bench_function(format!("{activation:?} {name}"), |b| {
                b.iter(|| kernels.activate(activation, black_box(rows.as_mut_slice())));
            });
        }
        group.bench_function(format!("softmax of {WIDTH} {name}"), |b| {
            b.iter(|| {
                for row in black_box(rows.as_mut_slice()).chunks_exact_mut(WIDTH) {
                    kernels.softmax(row, 0.2);
                }
            });
        });
    }
}

criterion_group!(benches, products, attention, loops);
criterion_main!(benches);
