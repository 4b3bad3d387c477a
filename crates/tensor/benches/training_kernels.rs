//! How near the loops of training come to what the processor and its memory can do.
//!
//! Those that only pass over numbers are to be read, as bytes read and written, against
//! the copy; attention against the products of the same size. Shapes are those of a
//! GPT-2 of 124 million parameters and a batch of 4 × 256 tokens; two threads.
//! `cargo bench -p groundtune-tensor --bench training_kernels`

use std::hint::black_box;
use std::num::NonZeroUsize;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tensor::training::{
    AdamW, CrossEntropy, Dropout, EightBitMoments, Heads, HeadsMut, Mask, Norm, NormBackward,
    TrainingAttention, TrainingScratch,
};
use tensor::{Activation, Buffer, Kernels, Precision, Sum, Team};

const TOKENS: usize = 1024;
const WIDTH: usize = 768;

fn filled(count: usize) -> Buffer {
    let mut buffer = Buffer::zeros(count);
    for (at, number) in buffer.as_mut_slice().iter_mut().enumerate() {
        *number = (at * 7919 % 2003) as f32 / 1001.5 - 1.0;
    }
    buffer
}

fn team() -> Team {
    Team::new(NonZeroUsize::new(2).expect("two threads")).expect("the system gives threads")
}

/// Bytes read and written; far more than any cache holds.
fn optimiser(c: &mut Criterion) {
    let mut group = c.benchmark_group("optimiser");
    group.sample_size(20);
    let (kernels, team) = (Kernels::best(), team());
    let count = 40_000_000;
    let step = AdamW {
        learning_rate: 1e-4,
        betas: (0.9, 0.999),
        epsilon: 1e-8,
        weight_decay: 0.01,
        step: 10,
    };
    let gradients = filled(count);
    let gradients = gradients.as_slice();
    let mut parameters = filled(count);
    let mut first = Buffer::zeros(count);
    group.throughput(Throughput::Bytes(8 * count as u64));
    group.bench_function("copy", |b| {
        b.iter(|| {
            const PART: usize = 1 << 16;
            team.chunks(first.as_mut_slice(), PART, &|part, to| {
                to.copy_from_slice(&gradients[part * PART..][..to.len()]);
            });
        });
    });
    group.throughput(Throughput::Bytes(4 * count as u64));
    group.bench_function("squared norm", |b| {
        b.iter(|| black_box(kernels.squared_norm(&team, black_box(gradients))));
    });
    group.throughput(Throughput::Bytes(28 * count as u64));
    let mut second = Buffer::zeros(count);
    first.as_mut_slice().fill(0.0);
    group.bench_function("AdamW", |b| {
        b.iter(|| {
            kernels.adamw(
                &team,
                &step,
                1.0,
                gradients,
                first.as_mut_slice(),
                second.as_mut_slice(),
                parameters.as_mut_slice(),
            );
        });
    });
    drop((first, second));
    group.throughput(Throughput::Bytes(16 * count as u64));
    let mut moments = EightBitMoments::zeros(parameters.capacity());
    group.bench_function("AdamW in 8 bits", |b| {
        b.iter(|| {
            kernels.adamw_in_8_bits(
                &team,
                &step,
                1.0,
                gradients,
                &mut moments,
                parameters.as_mut_slice(),
            );
        });
    });
}

/// Elements are multiplications with their addition, of what a causal mask leaves; the
/// backward has two and a half times the forward's.
fn attention(c: &mut Criterion) {
    let mut group = c.benchmark_group("attention");
    let team = team();
    let (best, dropout) = (Kernels::best(), Dropout::new(0.1, &[1]));
    for (kernels, length, dropout, precision) in Kernels::available()
        .into_iter()
        .skip(1)
        .map(|kernels| (kernels, 256, None, Precision::F32))
        .chain([
            (best, 1024, None, Precision::F32),
            (best, 64, None, Precision::F32),
            (best, 256, Some(dropout), Precision::F32),
            (best, 256, None, Precision::Bf16),
            (best, 1024, None, Precision::Bf16),
            (best, 64, None, Precision::Bf16),
        ])
    {
        let shape = TrainingAttention {
            heads: 12,
            key_heads: 12,
            head_width: 64,
            scale: 0.125,
            mask: Mask::Causal { window: None },
            dropout,
            precision,
        };
        let lengths = vec![length; TOKENS / length];
        let mut scratch = TrainingScratch::default();
        let (qkv, gradient) = (filled(3 * TOKENS * WIDTH), filled(TOKENS * WIDTH));
        let (mut statistics, mut out) = (vec![0.0; TOKENS * 12], Buffer::zeros(TOKENS * WIDTH));
        let mut gradients = Buffer::zeros(3 * TOKENS * WIDTH);
        let pairs = TOKENS * (length + 1) / 2 * WIDTH;
        let dropped = if dropout.is_some() { ", dropout" } else { "" };
        let name = format!("of {length}{dropped} {precision:?} {}", kernels.name);
        group.throughput(Throughput::Elements(2 * pairs as u64));
        group.bench_function(format!("forward {name}"), |b| {
            b.iter(|| {
                kernels.attend(
                    &team,
                    &shape,
                    &lengths,
                    Heads::Together(qkv.as_slice()),
                    &mut statistics,
                    out.as_mut_slice(),
                    &mut scratch,
                );
            });
        });
        group.throughput(Throughput::Elements(5 * pairs as u64));
        group.bench_function(format!("backward {name}"), |b| {
            b.iter(|| {
                kernels.attend_backward(
                    &team,
                    &shape,
                    &lengths,
                    Heads::Together(qkv.as_slice()),
                    &statistics,
                    out.as_slice(),
                    gradient.as_slice(),
                    HeadsMut::Together(gradients.as_mut_slice()),
                    &mut scratch,
                );
            });
        });
    }
}

/// Bytes read and written, once each.
fn loops(c: &mut Criterion) {
    let mut group = c.benchmark_group("training loop");
    let (kernels, team) = (Kernels::best(), team());
    let mut scratch = TrainingScratch::default();
    let count = TOKENS * WIDTH;
    let (from, gradient) = (filled(count), filled(count));
    let (from, gradient) = (from.as_slice(), gradient.as_slice());
    let mut to = Buffer::zeros(count);
    let to = to.as_mut_slice();
    group.throughput(Throughput::Bytes(8 * count as u64));
    group.bench_function("copy", |b| {
        b.iter(|| {
            team.chunks(to, 1 << 13, &|part, to| {
                to.copy_from_slice(&from[part << 13..][..to.len()]);
            });
        });
    });
    let (weight, bias) = (filled(WIDTH), filled(WIDTH));
    let norm = Norm::Layer {
        weight: weight.as_slice(),
        bias: bias.as_slice(),
        epsilon: 1e-5,
    };
    let mut statistics = vec![0.0; 2 * TOKENS];
    group.bench_function("layer norm", |b| {
        b.iter(|| kernels.norm_rows(&team, norm, from, &mut statistics, to));
    });
    group.throughput(Throughput::Bytes(16 * count as u64));
    let (mut of_weight, mut of_bias) = (vec![0.0; WIDTH], vec![0.0; WIDTH]);
    group.bench_function("layer norm, backward", |b| {
        b.iter(|| {
            kernels.norm_backward(
                &team,
                NormBackward {
                    norm,
                    input: from,
                    statistics: &statistics,
                    gradient,
                    sum: Sum::Add,
                    input_gradient: to,
                    weight_gradient: Some(&mut of_weight),
                    bias_gradient: Some(&mut of_bias),
                },
                &mut scratch,
            );
        });
    });
    // Where slopes are 1: gradients that dwindle to the smallest numbers would be slow.
    let mut before = filled(count);
    kernels.scale_all(&team, before.as_mut_slice(), 0.1);
    before.as_mut_slice().iter_mut().for_each(|x| *x += 12.0);
    for activation in [Activation::GeluTanh, Activation::Gelu, Activation::Silu] {
        group.throughput(Throughput::Bytes(12 * count as u64));
        group.bench_function(format!("{activation:?}, backward"), |b| {
            b.iter(|| kernels.activate_backward(&team, activation, before.as_slice(), to));
        });
    }
    group.throughput(Throughput::Bytes(8 * count as u64));
    group.bench_function("dropout", |b| {
        b.iter(|| kernels.drop_out(&team, Dropout::new(0.1, &[3]), to));
    });
    let (rows, classes) = (128, 50_257);
    let mut logits = filled(rows * classes);
    let logits = &mut logits.as_mut_slice()[..rows * classes];
    let targets: Vec<u32> = (0..rows as u32).map(|row| row * 311).collect();
    let mut losses = vec![0.0; rows];
    group.throughput(Throughput::Bytes(8 * (rows * classes) as u64));
    group.bench_function("cross-entropy", |b| {
        b.iter(|| {
            kernels.cross_entropy(
                &team,
                CrossEntropy {
                    logits,
                    targets: &targets,
                    weights: &vec![1.0; rows],
                    smoothing: 0.0,
                    losses: &mut losses,
                },
            )
        });
    });
}

criterion_group!(benches, optimiser, attention, loops);
criterion_main!(benches);
