//! The inner loops in plain Rust: what the others must equal, and what runs where
//! no other can. Every function's pointers must be good for the given count.

use std::slice::from_raw_parts;

/// Lanes summed apart, so that the compiler may use whatever vectors there are.
const LANES: usize = 8;

fn sum_of(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a_runs, b_runs) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_runs
        .remainder()
        .iter()
        .zip(b_runs.remainder())
        .map(|(a, b)| term(*a, *b))
        .sum();
    for (a, b) in a_runs.zip(b_runs) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    sums.iter().sum::<f32>() + tail
}

pub(super) unsafe fn dot(a: *const f32, b: *const f32, len: usize) -> f32 {
    // SAFETY: the caller promises `len` numbers at both.
    let (a, b) = unsafe { (from_raw_parts(a, len), from_raw_parts(b, len)) };
    sum_of(a, b, |a, b| a * b)
}

pub(super) unsafe fn squared_distance(a: *const f32, b: *const f32, len: usize) -> f32 {
    // SAFETY: the caller promises `len` numbers at both.
    let (a, b) = unsafe { (from_raw_parts(a, len), from_raw_parts(b, len)) };
    sum_of(a, b, |a, b| (a - b) * (a - b))
}

pub(super) unsafe fn manhattan(a: *const f32, b: *const f32, len: usize) -> f32 {
    // SAFETY: the caller promises `len` numbers at both.
    let (a, b) = unsafe { (from_raw_parts(a, len), from_raw_parts(b, len)) };
    sum_of(a, b, |a, b| (a - b).abs())
}

pub(super) unsafe fn dot_codes(query: *const i8, row: *const u8, len: usize) -> i32 {
    // SAFETY: the caller promises `len` bytes at both.
    let (query, row) = unsafe { (from_raw_parts(query, len), from_raw_parts(row, len)) };
    query
        .iter()
        .zip(row)
        .map(|(q, r)| i32::from(*q) * i32::from(*r))
        .sum()
}

pub(super) unsafe fn dot_codes_many(
    query: *const i8,
    rows: *const *const u8,
    count: usize,
    len: usize,
    sums: *mut i32,
) {
    for index in 0..count {
        // SAFETY: the caller promises `count` rows of `len` bytes, and as many sums.
        unsafe { *sums.add(index) = dot_codes(query, *rows.add(index), len) };
    }
}

pub(super) unsafe fn hamming(a: *const u64, b: *const u64, len: usize) -> u32 {
    // SAFETY: the caller promises `len` words at both.
    let (a, b) = unsafe { (from_raw_parts(a, len), from_raw_parts(b, len)) };
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

pub(super) unsafe fn hamming_run(
    query: *const u64,
    rows: *const u64,
    count: usize,
    len: usize,
    counts: *mut u32,
) {
    for index in 0..count {
        // SAFETY: the caller promises `count` rows of `len` words, and as many counts.
        unsafe { *counts.add(index) = hamming(query, rows.add(index * len), len) };
    }
}

pub(super) unsafe fn plane_counts_many(
    planes: *const u64,
    rows: *const *const u64,
    count: usize,
    words: usize,
    counts: *mut u32,
) {
    for index in 0..count {
        let mut total = 0;
        for plane in 0..super::PLANES {
            for word in 0..words {
                // SAFETY: the caller promises planes and rows of `words` words.
                total += unsafe {
                    (*planes.add(plane * words + word) & *(*rows.add(index)).add(word)).count_ones()
                        << plane
                };
            }
        }
        // SAFETY: the caller promises `count` counts.
        unsafe { *counts.add(index) = total };
    }
}
