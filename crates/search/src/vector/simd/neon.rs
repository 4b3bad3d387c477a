//! The inner loops for ARM's NEON. Written to the same tests as the others, which
//! run them wherever the tests run on such a processor. Every function's pointers
//! must be good for the given count.

use std::arch::aarch64::*;

macro_rules! pair_sum {
    ($name:ident, $step:expr, $one:expr) => {
        #[target_feature(enable = "neon")]
        pub(super) unsafe fn $name(a: *const f32, b: *const f32, len: usize) -> f32 {
            let mut sums = [vdupq_n_f32(0.0); 4];
            let mut at = 0;
            while at + 16 <= len {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: `at + 16 <= len` numbers are there.
                    let (a, b) = unsafe {
                        (
                            vld1q_f32(a.add(at + 4 * lane)),
                            vld1q_f32(b.add(at + 4 * lane)),
                        )
                    };
                    *sum = $step(*sum, a, b);
                }
                at += 16;
            }
            let mut sum = vaddvq_f32(vaddq_f32(
                vaddq_f32(sums[0], sums[1]),
                vaddq_f32(sums[2], sums[3]),
            ));
            while at < len {
                // SAFETY: `at < len`.
                sum += unsafe { $one(*a.add(at), *b.add(at)) };
                at += 1;
            }
            sum
        }
    };
}

pair_sum!(dot, |sum, a, b| vfmaq_f32(sum, a, b), |a: f32, b: f32| a
    * b);
pair_sum!(
    squared_distance,
    |sum, a, b| {
        let gap = vsubq_f32(a, b);
        vfmaq_f32(sum, gap, gap)
    },
    |a: f32, b: f32| (a - b) * (a - b)
);
pair_sum!(
    manhattan,
    |sum, a, b| vaddq_f32(sum, vabdq_f32(a, b)),
    |a: f32, b: f32| (a - b).abs()
);

/// The row's offset is taken off by flipping its top bit, so that both are signed;
/// `128 Σ q` is added again at the end.
#[target_feature(enable = "neon")]
pub(super) unsafe fn dot_codes(query: *const i8, row: *const u8, len: usize) -> i32 {
    let (mut sum, mut offsets) = (vdupq_n_s32(0), vdupq_n_s32(0));
    let mut at = 0;
    while at + 16 <= len {
        // SAFETY: `at + 16 <= len` bytes are there.
        let (q, r) = unsafe { (vld1q_s8(query.add(at)), vld1q_u8(row.add(at))) };
        let r = vreinterpretq_s8_u8(veorq_u8(r, vdupq_n_u8(0x80)));
        sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(q), vget_low_s8(r)));
        sum = vpadalq_s16(sum, vmull_high_s8(q, r));
        offsets = vpadalq_s16(offsets, vpaddlq_s8(q));
        at += 16;
    }
    let mut sum = vaddvq_s32(sum) + 128 * vaddvq_s32(offsets);
    while at < len {
        // SAFETY: `at < len`.
        sum += unsafe { i32::from(*query.add(at)) * i32::from(*row.add(at)) };
        at += 1;
    }
    sum
}

#[target_feature(enable = "neon")]
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

#[target_feature(enable = "neon")]
pub(super) unsafe fn hamming(a: *const u64, b: *const u64, len: usize) -> u32 {
    let mut sum = vdupq_n_u64(0);
    let mut at = 0;
    while at + 2 <= len {
        // SAFETY: `at + 2 <= len` words are there.
        let (a, b) = unsafe { (vld1q_u64(a.add(at)), vld1q_u64(b.add(at))) };
        let ones = vcntq_u8(vreinterpretq_u8_u64(veorq_u64(a, b)));
        sum = vpadalq_u32(sum, vpaddlq_u16(vpaddlq_u8(ones)));
        at += 2;
    }
    let mut sum = vaddvq_u64(sum) as u32;
    if at < len {
        // SAFETY: `at < len`.
        sum += unsafe { (*a.add(at) ^ *b.add(at)).count_ones() };
    }
    sum
}

#[target_feature(enable = "neon")]
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

#[target_feature(enable = "neon")]
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
            let mut sum = vdupq_n_u64(0);
            let mut at = 0;
            while at + 2 <= words {
                // SAFETY: the caller promises planes and rows of `words` words.
                let (a, b) = unsafe {
                    (
                        vld1q_u64(planes.add(plane * words + at)),
                        vld1q_u64((*rows.add(index)).add(at)),
                    )
                };
                let ones = vcntq_u8(vreinterpretq_u8_u64(vandq_u64(a, b)));
                sum = vpadalq_u32(sum, vpaddlq_u16(vpaddlq_u8(ones)));
                at += 2;
            }
            total += (vaddvq_u64(sum) as u32) << plane;
            if at < words {
                // SAFETY: `at < words`.
                total += unsafe {
                    (*planes.add(plane * words + at) & *(*rows.add(index)).add(at)).count_ones()
                        << plane
                };
            }
        }
        // SAFETY: the caller promises `count` counts.
        unsafe { *counts.add(index) = total };
    }
}
