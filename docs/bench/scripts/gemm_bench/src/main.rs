//! The crate `gemm` beside groundtune's products, by two threads, in turn: GFLOP/s, the
//! best of the rounds, for each kind of processor that this one can be and each precision.
//!
//! `cargo run --release [-- ROUNDS]`. The numbers multiplied are random: of zeros, or of
//! few different numbers, processors multiply more in a second.

use std::num::NonZeroUsize;
use std::time::Instant;

use tensor::{Factor, Kernels, Matmul, Precision, Scratch, Sum, Team};

const SHAPES: [[usize; 3]; 7] = [
    [1024, 1024, 1024],
    [512, 384, 1536],
    [512, 1536, 384],
    [512, 576, 1536],
    [1024, 768, 2304],
    [1024, 768, 3072],
    [256, 768, 50_257],
];

fn random(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .map_or(5, |it| it.parse().expect("rounds"));
    let team = Team::new(NonZeroUsize::new(2).expect("two")).expect("threads");
    let mut scratch = Scratch::default();
    for [rows, depth, columns] in SHAPES {
        let (left, right) = (random(rows * depth), random(columns * depth));
        let mut out = vec![0.0f32; rows * columns];
        let mut ways = vec![("gemm".to_owned(), None)];
        for kernels in Kernels::available() {
            for precision in [Precision::F32, Precision::High, Precision::Bf16] {
                let same = match kernels.name {
                    "AMX" => false,
                    "AVX-512 BF16, fast" => precision != Precision::Bf16,
                    "AVX-512" => precision != Precision::F32,
                    _ => true,
                };
                if !same {
                    let name = format!("{} {precision:?}", kernels.name);
                    ways.push((name, Some((kernels, precision))));
                }
            }
        }
        let mut best = vec![f64::MAX; ways.len()];
        for _ in 0..rounds {
            for ((_, way), best) in ways.iter().zip(&mut best) {
                let start = Instant::now();
                match way {
                    // SAFETY: the shapes are those of the slices.
                    None => unsafe {
                        gemm::gemm(
                            rows,
                            columns,
                            depth,
                            out.as_mut_ptr(),
                            1,
                            columns as isize,
                            false,
                            left.as_ptr(),
                            1,
                            depth as isize,
                            right.as_ptr(),
                            depth as isize,
                            1,
                            0.0,
                            1.0,
                            false,
                            false,
                            false,
                            gemm::Parallelism::Rayon(2),
                        );
                    },
                    Some((kernels, precision)) => {
                        let matmul = Matmul {
                            left: Factor::f32(&left, rows, depth),
                            right: Factor::f32(&right, columns, depth).turned(),
                            bias: None,
                            sum: Sum::Replace,
                            precision: *precision,
                            out: &mut out,
                        };
                        kernels.matmul(&team, matmul, &mut scratch);
                    }
                }
                *best = best.min(start.elapsed().as_secs_f64());
            }
        }
        print!("{rows} x {depth} x {columns}");
        for ((name, _), best) in ways.iter().zip(&best) {
            let rate = 2.0 * (rows * depth * columns) as f64 / best / 1e9;
            print!(" · {name} {rate:.0}");
        }
        println!();
    }
}
