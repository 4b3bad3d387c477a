//! How long does it take to choose a token, beside the forward pass before it?
//!
//! Made-up logits for 50,000 tokens, shaped as a model's: most lie in a broad hill, a
//! few above it. A pass of a model of this vocabulary takes 10 ms and more.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use model::{Sampler, Sampling};

const VOCABULARY: usize = 50_000;

/// Logits of the same shape each time: the sum of four even numbers of SplitMix64 (Steele
/// et al. 2014) is nearly normal.
fn logits() -> Vec<f32> {
    let mut state = 0u64;
    let mut number = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..VOCABULARY)
        .map(|token| {
            let hill = (0..4).map(|_| number()).sum::<f32>() * 6.0 - 16.0;
            if token % 2500 == 7 { hill + 10.0 } else { hill }
        })
        .collect()
}

fn sampling(criterion: &mut Criterion) {
    let logits = logits();
    let mut group = criterion.benchmark_group("choose one of 50,000 tokens");
    let drawn = Sampling {
        temperature: 0.8,
        ..Sampling::default()
    };
    let settings = [
        ("greedy", Sampling::default()),
        ("temperature", drawn.clone()),
        (
            "top-k 50",
            Sampling {
                top_k: Some(50),
                ..drawn.clone()
            },
        ),
        (
            "top-p 0.95",
            Sampling {
                top_p: Some(0.95),
                ..drawn.clone()
            },
        ),
        (
            "min-p 0.05",
            Sampling {
                min_p: Some(0.05),
                ..drawn.clone()
            },
        ),
        (
            "all of them, and a penalty",
            Sampling {
                top_k: Some(50),
                top_p: Some(0.95),
                min_p: Some(0.05),
                repetition_penalty: 1.1,
                ..drawn
            },
        ),
    ];
    for (name, settings) in settings {
        let mut sampler = Sampler::new(&settings, VOCABULARY).expect("settings in range");
        sampler.see(&(0..500).map(|token| token * 3).collect::<Vec<u32>>());
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || logits.clone(),
                |logits| black_box(sampler.choose(logits, None)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, sampling);
criterion_main!(benches);
