//! How fast the products of training are, beside one another and the processor's limit.
//!
//! A linear layer's output (`Y`), and the gradients of its input (`dX`) and of its weight
//! (`dW`), of a GPT-2 with 124 million parameters and 1,024 tokens; the head in a chunk
//! of 256; a low-rank adapter's; by all processors. Elements are multiplications with
//! their addition; twice as many FLOP.
//! `cargo bench -p groundtune-tensor --bench training_products`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tensor::{Factor, Kernels, Matmul, Precision, Scratch, Sum, Team};

fn filled(count: usize) -> Vec<f32> {
    (0..count)
        .map(|at| (at * 7919 % 2003) as f32 / 1001.5 - 1.0)
        .collect()
}

fn products(c: &mut Criterion) {
    let team = Team::of_all_processors().expect("the system gives threads");
    let mut group = c.benchmark_group("matmul");
    group.sample_size(10);
    for (tokens, inputs, outputs) in [
        (1024, 768, 2304),
        (1024, 768, 768),
        (1024, 768, 3072),
        (1024, 3072, 768),
        (256, 768, 50_257),
        (1024, 768, 8),
        (1024, 8, 768),
    ] {
        group.throughput(Throughput::Elements((tokens * inputs * outputs) as u64));
        let (x, w, dy) = (
            filled(tokens * inputs),
            filled(outputs * inputs),
            filled(tokens * outputs),
        );
        let x = Factor::f32(&x, tokens, inputs);
        let w = Factor::f32(&w, outputs, inputs);
        let dy = Factor::f32(&dy, tokens, outputs);
        let mut scratch = Scratch::default();
        for (name, left, right, sum) in [
            ("Y", x, w.turned(), Sum::Replace),
            ("dX", dy, w, Sum::Replace),
            ("dW", dy.turned(), x, Sum::Add),
        ] {
            let mut out = vec![0.0; left.rows() * right.columns()];
            for kernels in Kernels::available() {
                for precision in [Precision::F32, Precision::High, Precision::Bf16] {
                    if precision != Precision::F32 && kernels.name != Kernels::best().name {
                        continue;
                    }
                    let name = format!(
                        "{name} {tokens}x{inputs}x{outputs} {precision:?} {}",
                        kernels.name
                    );
                    group.bench_function(name, |b| {
                        b.iter(|| {
                            let matmul = Matmul {
                                left: black_box(left),
                                right: black_box(right),
                                bias: None,
                                sum,
                                precision,
                                out: &mut out,
                            };
                            kernels.matmul(&team, matmul, &mut scratch);
                        });
                    });
                }
            }
        }
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
