//! The inner loops of vector search, in several versions of which one is chosen
//! when the program starts.
//!
//! One portable binary carries them all: AVX-512 (with VNNI), AVX2 with FMA, NEON
//! and plain Rust. [`Kernels::best`] asks the processor once and returns a table
//! of function pointers. Every version computes what the plain one computes:
//! exactly for integers, and within rounding for `f32`, whose sums are taken in
//! another order.
//!
//! Int8 products are taken between a signed query and *offset* rows (code + 128,
//! as `u8`), for that is the form of the VNNI instruction. Since
//! `Σ q·(r + 128) = Σ q·r + 128 Σ q`, the correction depends on the query alone.

#![expect(
    unsafe_code,
    reason = "kernels are chosen at run time and called through pointers"
)]

#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

type PairF32 = unsafe fn(*const f32, *const f32, usize) -> f32;
type PairI8 = unsafe fn(*const i8, *const u8, usize) -> i32;
type ManyI8 = unsafe fn(*const i8, *const *const u8, usize, usize, *mut i32);
type PairBits = unsafe fn(*const u64, *const u64, usize) -> u32;
type RunBits = unsafe fn(*const u64, *const u64, usize, usize, *mut u32);
type ManyBits = unsafe fn(*const u64, *const *const u64, usize, usize, *mut u32);

/// A set of inner loops for one kind of processor.
#[derive(Debug)]
pub struct Kernels {
    /// What the processor must have, in words.
    pub name: &'static str,
    dot: PairF32,
    squared_distance: PairF32,
    manhattan: PairF32,
    dot_codes: PairI8,
    dot_codes_many: ManyI8,
    hamming: PairBits,
    hamming_run: RunBits,
    plane_counts_many: ManyBits,
}

static PLAIN: Kernels = Kernels {
    name: "plain",
    dot: plain::dot,
    squared_distance: plain::squared_distance,
    manhattan: plain::manhattan,
    dot_codes: plain::dot_codes,
    dot_codes_many: plain::dot_codes_many,
    hamming: plain::hamming,
    hamming_run: plain::hamming_run,
    plane_counts_many: plain::plane_counts_many,
};

#[cfg(target_arch = "x86_64")]
static AVX2: Kernels = Kernels {
    name: "AVX2",
    dot: x86::avx2::dot,
    squared_distance: x86::avx2::squared_distance,
    manhattan: x86::avx2::manhattan,
    dot_codes: x86::avx2::dot_codes,
    dot_codes_many: x86::avx2::dot_codes_many,
    hamming: x86::avx2::hamming,
    hamming_run: x86::avx2::hamming_run,
    plane_counts_many: x86::avx2::plane_counts_many,
};

#[cfg(target_arch = "x86_64")]
static AVX512: Kernels = Kernels {
    name: "AVX-512 VNNI",
    dot: x86::avx512::dot,
    squared_distance: x86::avx512::squared_distance,
    manhattan: x86::avx512::manhattan,
    dot_codes: x86::avx512::dot_codes,
    dot_codes_many: x86::avx512::dot_codes_many,
    hamming: x86::avx512::hamming,
    hamming_run: x86::avx512::hamming_run,
    plane_counts_many: x86::avx512::plane_counts_many,
};

#[cfg(target_arch = "aarch64")]
static NEON: Kernels = Kernels {
    name: "NEON",
    dot: neon::dot,
    squared_distance: neon::squared_distance,
    manhattan: neon::manhattan,
    dot_codes: neon::dot_codes,
    dot_codes_many: neon::dot_codes_many,
    hamming: neon::hamming,
    hamming_run: neon::hamming_run,
    plane_counts_many: neon::plane_counts_many,
};

impl Kernels {
    /// Returns the fastest version that this processor can run.
    pub fn best() -> &'static Self {
        static BEST: OnceLock<&'static Kernels> = OnceLock::new();
        BEST.get_or_init(|| {
            Self::available()
                .pop()
                .expect("the plain version always runs")
        })
    }

    /// Returns every version that this processor can run, the slowest first.
    pub fn available() -> Vec<&'static Self> {
        #[cfg_attr(
            not(any(target_arch = "x86_64", target_arch = "aarch64")),
            expect(unused_mut, reason = "other processors have only the plain version")
        )]
        let mut versions = vec![&PLAIN];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("popcnt")
            {
                versions.push(&AVX2);
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
                && is_x86_feature_detected!("avx512vpopcntdq")
            {
                versions.push(&AVX512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            versions.push(&NEON);
        }
        versions
    }

    /// Returns `Σ aᵢ bᵢ`. Panics if the lengths differ.
    #[inline]
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "vectors of one index are of one length");
        // SAFETY: both pointers are good for `a.len()` numbers, and a table is
        // only handed out where the processor has what its functions need.
        unsafe { (self.dot)(a.as_ptr(), b.as_ptr(), a.len()) }
    }

    /// Returns `Σ (aᵢ − bᵢ)²`. Panics if the lengths differ.
    #[inline]
    pub fn squared_distance(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "vectors of one index are of one length");
        // SAFETY: as in `dot`.
        unsafe { (self.squared_distance)(a.as_ptr(), b.as_ptr(), a.len()) }
    }

    /// Returns `Σ |aᵢ − bᵢ|`. Panics if the lengths differ.
    #[inline]
    pub fn manhattan(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "vectors of one index are of one length");
        // SAFETY: as in `dot`.
        unsafe { (self.manhattan)(a.as_ptr(), b.as_ptr(), a.len()) }
    }

    /// Returns `Σ qᵢ rᵢ` of a signed query and an offset row, without correction.
    /// Panics if the lengths differ or exceed 2¹⁵, beyond which the sum might not
    /// fit 32 bits.
    #[inline]
    pub fn dot_codes(&self, query: &[i8], row: &[u8]) -> i32 {
        assert_eq!(
            query.len(),
            row.len(),
            "codes of one index are of one length"
        );
        assert!(query.len() <= 1 << 15, "the sum must fit 32 bits");
        // SAFETY: as in `dot`.
        unsafe { (self.dot_codes)(query.as_ptr(), row.as_ptr(), query.len()) }
    }

    /// Sets `sums[i]` to the product (see [`Kernels::dot_codes`]) of `query` and
    /// the row at `rows[i]`. Panics if `sums` is shorter than `rows`.
    ///
    /// # Safety
    /// Every pointer in `rows` must be good for `query.len()` bytes, and
    /// `query.len()` must be at most 2¹⁵.
    #[inline]
    pub unsafe fn dot_codes_many(&self, query: &[i8], rows: &[*const u8], sums: &mut [i32]) {
        assert!(sums.len() >= rows.len(), "there is a place for every sum");
        debug_assert!(query.len() <= 1 << 15);
        // SAFETY: the caller promises the rows; the rest as in `dot`.
        unsafe {
            (self.dot_codes_many)(
                query.as_ptr(),
                rows.as_ptr(),
                rows.len(),
                query.len(),
                sums.as_mut_ptr(),
            );
        }
    }

    /// Sets `counts[i]` to `Σⱼ 2ʲ popcount(planeⱼ & rowᵢ)` for the rows at `rows` and
    /// the [`PLANES`] planes, each as long as a row, that lie one after another in
    /// `planes`. Panics if `counts` is shorter than `rows`, or `planes` is not as
    /// many times some length.
    ///
    /// # Safety
    /// Every pointer in `rows` must be good for `planes.len() / PLANES` words.
    #[inline]
    pub unsafe fn plane_counts_many(
        &self,
        planes: &[u64],
        rows: &[*const u64],
        counts: &mut [u32],
    ) {
        assert!(
            counts.len() >= rows.len(),
            "there is a place for every count"
        );
        assert_eq!(planes.len() % PLANES, 0, "the planes are of one length");
        // SAFETY: the caller promises the rows; the rest as in `dot`.
        unsafe {
            (self.plane_counts_many)(
                planes.as_ptr(),
                rows.as_ptr(),
                rows.len(),
                planes.len() / PLANES,
                counts.as_mut_ptr(),
            );
        }
    }

    /// Returns in how many bits `a` and `b` differ. Panics if the lengths differ.
    #[inline]
    pub fn hamming(&self, a: &[u64], b: &[u64]) -> u32 {
        assert_eq!(a.len(), b.len(), "signs of one index are of one length");
        // SAFETY: as in `dot`.
        unsafe { (self.hamming)(a.as_ptr(), b.as_ptr(), a.len()) }
    }

    /// Sets `counts[i]` to the number of bits in which `query` differs from the
    /// `i`-th of the rows lying one after another in `rows`.
    /// Panics if `rows` is not `counts.len()` rows.
    #[inline]
    pub fn hamming_run(&self, query: &[u64], rows: &[u64], counts: &mut [u32]) {
        assert_eq!(
            rows.len(),
            counts.len() * query.len(),
            "there is a count for every row"
        );
        // SAFETY: the rows are `counts.len()` times the query's length, as asserted.
        unsafe {
            (self.hamming_run)(
                query.as_ptr(),
                rows.as_ptr(),
                counts.len(),
                query.len(),
                counts.as_mut_ptr(),
            );
        }
    }
}

/// How many planes a query has for [`Kernels::plane_counts_many`].
pub const PLANES: usize = 4;

/// Asks the processor to bring the cache lines of `bytes` bytes at `at` near.
#[inline(always)]
pub(super) fn prefetch<T>(at: *const T, bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in 0..bytes.div_ceil(64) {
            // SAFETY: a prefetch reads nothing and faults at no address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast::<i8>().wrapping_add(line * 64)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that depend on `seed`, between −1 and 1.
    fn numbers(seed: u64, len: usize) -> Vec<f32> {
        let mut random = crate::vector::random::Random::new(seed);
        (0..len).map(|_| random.unit() * 2.0 - 1.0).collect()
    }

    fn check(version: &Kernels, a: &[f32], b: &[f32]) {
        let near = |found: f32, expect: f32, size: f32| {
            assert!(
                (found - expect).abs() <= 1e-5 * size.max(1.0),
                "{}: {found} is not {expect} at length {}",
                version.name,
                a.len()
            );
        };
        let size = a.len() as f32;
        near(version.dot(a, b), PLAIN.dot(a, b), size);
        near(
            version.squared_distance(a, b),
            PLAIN.squared_distance(a, b),
            size,
        );
        near(version.manhattan(a, b), PLAIN.manhattan(a, b), size);
    }

    #[test]
    fn every_version_equals_the_plain_one_at_every_length() {
        let (a, b) = (numbers(1, 1101), numbers(2, 1101));
        let codes: Vec<i8> = a.iter().map(|value| (value * 127.0) as i8).collect();
        let bytes: Vec<u8> = b
            .iter()
            .map(|value| (value * 127.0 + 128.0) as u8)
            .collect();
        let words: Vec<u64> = (0..1101u64)
            .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .collect();
        for version in Kernels::available() {
            for len in 0..=1100 {
                // Offset by one number, so that no load is aligned.
                check(version, &a[..len], &b[1..=len]);
                assert_eq!(
                    version.dot_codes(&codes[..len], &bytes[1..=len]),
                    PLAIN.dot_codes(&codes[..len], &bytes[1..=len]),
                );
                assert_eq!(
                    version.hamming(&words[..len], &words[1..=len]),
                    PLAIN.hamming(&words[..len], &words[1..=len]),
                );
            }
        }
    }

    #[test]
    fn extreme_codes_do_not_saturate() {
        for version in Kernels::available() {
            for len in [1, 31, 64, 200, 1 << 15] {
                for (q, r) in [(-127i8, 255u8), (127, 255), (-128, 255), (127, 0)] {
                    let sum = i32::from(q) * i32::from(r) * len as i32;
                    assert_eq!(version.dot_codes(&vec![q; len], &vec![r; len]), sum);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn many_rows_are_as_one_by_one(
            query in prop::collection::vec(any::<i8>(), 0..300),
            count in 0usize..40,
            seed in any::<u64>(),
        ) {
            let mut random = crate::vector::random::Random::new(seed);
            let rows: Vec<Vec<u8>> = (0..count)
                .map(|_| query.iter().map(|_| random.next() as u8).collect())
                .collect();
            let pointers: Vec<*const u8> = rows.iter().map(|row| row.as_ptr()).collect();
            for version in Kernels::available() {
                let mut sums = vec![0; count];
                // SAFETY: every row is as long as the query.
                unsafe { version.dot_codes_many(&query, &pointers, &mut sums) };
                for (row, sum) in rows.iter().zip(&sums) {
                    prop_assert_eq!(*sum, PLAIN.dot_codes(&query, row));
                }
            }
        }

        #[test]
        fn planes_are_counted_alike(words in 1usize..80, count in 0usize..30, seed in any::<u64>()) {
            let mut random = crate::vector::random::Random::new(seed);
            let all_ones = seed % 5 == 0;
            let mut word = || if all_ones { u64::MAX } else { random.next() };
            let planes: Vec<u64> = (0..PLANES * words).map(|_| word()).collect();
            let rows: Vec<u64> = (0..words * count).map(|_| word()).collect();
            let pointers: Vec<*const u64> = rows.chunks(words).map(|row| row.as_ptr()).collect();
            for version in Kernels::available() {
                let mut counts = vec![0; count];
                // SAFETY: every row is as long as a plane.
                unsafe { version.plane_counts_many(&planes, &pointers, &mut counts) };
                for (row, found) in rows.chunks(words).zip(&counts) {
                    let expect: u32 = planes
                        .chunks(words)
                        .zip(0..)
                        .map(|(plane, shift)| {
                            let both = plane.iter().zip(row).map(|(a, b)| (a & b).count_ones());
                            both.sum::<u32>() << shift
                        })
                        .sum();
                    prop_assert_eq!(*found, expect);
                }
            }
        }

        #[test]
        fn a_run_of_signs_is_as_one_by_one(words in 1usize..12, count in 0usize..40, seed in any::<u64>()) {
            let mut random = crate::vector::random::Random::new(seed);
            let query: Vec<u64> = (0..words).map(|_| random.next()).collect();
            let rows: Vec<u64> = (0..words * count).map(|_| random.next()).collect();
            for version in Kernels::available() {
                let mut counts = vec![0; count];
                version.hamming_run(&query, &rows, &mut counts);
                for (row, found) in rows.chunks(words).zip(&counts) {
                    prop_assert_eq!(*found, PLAIN.hamming(&query, row));
                }
            }
        }
    }
}
