//! The inner loops for x86-64. Every function's pointers must be good for the
//! given count, and the processor must have the features it names.

/// AVX2 with FMA: processors since about 2013.
pub(super) mod avx2 {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn total(sum: __m256) -> f32 {
        let half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn total_i32(sum: __m256i) -> i32 {
        let half = _mm_add_epi32(
            _mm256_castsi256_si128(sum),
            _mm256_extracti128_si256::<1>(sum),
        );
        let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b01_00_11_10>(half));
        _mm_cvtsi128_si32(_mm_add_epi32(
            quarter,
            _mm_shuffle_epi32::<0b10_11_00_01>(quarter),
        ))
    }

    macro_rules! pair_sum {
        ($name:ident, $step:expr, $one:expr) => {
            #[target_feature(enable = "avx2,fma")]
            pub(in super::super) unsafe fn $name(a: *const f32, b: *const f32, len: usize) -> f32 {
                let mut sums = [_mm256_setzero_ps(); 4];
                let mut at = 0;
                while at + 32 <= len {
                    for (lane, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: `at + 32 <= len` numbers are there.
                        let (a, b) = unsafe {
                            (
                                _mm256_loadu_ps(a.add(at + 8 * lane)),
                                _mm256_loadu_ps(b.add(at + 8 * lane)),
                            )
                        };
                        *sum = $step(*sum, a, b);
                    }
                    at += 32;
                }
                while at + 8 <= len {
                    // SAFETY: `at + 8 <= len` numbers are there.
                    let (a, b) =
                        unsafe { (_mm256_loadu_ps(a.add(at)), _mm256_loadu_ps(b.add(at))) };
                    sums[0] = $step(sums[0], a, b);
                    at += 8;
                }
                let mut sum = total(_mm256_add_ps(
                    _mm256_add_ps(sums[0], sums[1]),
                    _mm256_add_ps(sums[2], sums[3]),
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

    pair_sum!(
        dot,
        |sum, a, b| _mm256_fmadd_ps(a, b, sum),
        |a: f32, b: f32| a * b
    );
    pair_sum!(
        squared_distance,
        |sum, a, b| {
            let gap = _mm256_sub_ps(a, b);
            _mm256_fmadd_ps(gap, gap, sum)
        },
        |a: f32, b: f32| (a - b) * (a - b)
    );
    pair_sum!(
        manhattan,
        |sum, a, b| _mm256_add_ps(
            sum,
            _mm256_andnot_ps(_mm256_set1_ps(-0.0), _mm256_sub_ps(a, b))
        ),
        |a: f32, b: f32| (a - b).abs()
    );

    /// Products of bytes in pairs as 16 bits would saturate (255 · 127 · 2), so
    /// both are widened first.
    #[target_feature(enable = "avx2")]
    pub(in super::super) unsafe fn dot_codes(query: *const i8, row: *const u8, len: usize) -> i32 {
        let mut sums = [_mm256_setzero_si256(); 2];
        let mut at = 0;
        while at + 32 <= len {
            for (lane, sum) in sums.iter_mut().enumerate() {
                // SAFETY: `at + 32 <= len` bytes are there.
                let (q, r) = unsafe {
                    (
                        _mm256_cvtepi8_epi16(_mm_loadu_si128(query.add(at + 16 * lane).cast())),
                        _mm256_cvtepu8_epi16(_mm_loadu_si128(row.add(at + 16 * lane).cast())),
                    )
                };
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(q, r));
            }
            at += 32;
        }
        let mut sum = total_i32(_mm256_add_epi32(sums[0], sums[1]));
        while at < len {
            // SAFETY: `at < len`.
            sum += unsafe { i32::from(*query.add(at)) * i32::from(*row.add(at)) };
            at += 1;
        }
        sum
    }

    #[target_feature(enable = "avx2")]
    pub(in super::super) unsafe fn dot_codes_many(
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

    #[target_feature(enable = "avx2,popcnt")]
    pub(in super::super) unsafe fn hamming(a: *const u64, b: *const u64, len: usize) -> u32 {
        let mut sums = [0u32; 4];
        let mut at = 0;
        while at + 4 <= len {
            for (lane, sum) in sums.iter_mut().enumerate() {
                // SAFETY: `at + 4 <= len` words are there.
                *sum += unsafe { (*a.add(at + lane) ^ *b.add(at + lane)).count_ones() };
            }
            at += 4;
        }
        while at < len {
            // SAFETY: `at < len`.
            sums[0] += unsafe { (*a.add(at) ^ *b.add(at)).count_ones() };
            at += 1;
        }
        sums.iter().sum()
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(in super::super) unsafe fn hamming_run(
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

    #[target_feature(enable = "avx2,popcnt")]
    pub(in super::super) unsafe fn plane_counts_many(
        planes: *const u64,
        rows: *const *const u64,
        count: usize,
        words: usize,
        counts: *mut u32,
    ) {
        for index in 0..count {
            let mut total = 0;
            for plane in 0..super::super::PLANES {
                for word in 0..words {
                    // SAFETY: the caller promises planes and rows of `words` words.
                    total += unsafe {
                        (*planes.add(plane * words + word) & *(*rows.add(index)).add(word))
                            .count_ones()
                            << plane
                    };
                }
            }
            // SAFETY: the caller promises `count` counts.
            unsafe { *counts.add(index) = total };
        }
    }
}

/// AVX-512 with VNNI and VPOPCNTDQ: Intel since Ice Lake, AMD since Zen 4.
pub(super) mod avx512 {
    use std::arch::x86_64::*;

    macro_rules! pair_sum {
        ($name:ident, $step:expr) => {
            #[target_feature(enable = "avx512f")]
            pub(in super::super) unsafe fn $name(a: *const f32, b: *const f32, len: usize) -> f32 {
                let mut sums = [_mm512_setzero_ps(); 4];
                let mut at = 0;
                while at + 64 <= len {
                    for (lane, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: `at + 64 <= len` numbers are there.
                        let (a, b) = unsafe {
                            (
                                _mm512_loadu_ps(a.add(at + 16 * lane)),
                                _mm512_loadu_ps(b.add(at + 16 * lane)),
                            )
                        };
                        *sum = $step(*sum, a, b);
                    }
                    at += 64;
                }
                while at < len {
                    let mask = low_bits(len - at) as __mmask16;
                    // SAFETY: only the numbers under the mask are read.
                    let (a, b) = unsafe {
                        (
                            _mm512_maskz_loadu_ps(mask, a.add(at)),
                            _mm512_maskz_loadu_ps(mask, b.add(at)),
                        )
                    };
                    sums[0] = $step(sums[0], a, b);
                    at += 16;
                }
                _mm512_reduce_add_ps(_mm512_add_ps(
                    _mm512_add_ps(sums[0], sums[1]),
                    _mm512_add_ps(sums[2], sums[3]),
                ))
            }
        };
    }

    /// Returns a mask of the lowest `count` bits, all of them from 64 on.
    #[inline(always)]
    fn low_bits(count: usize) -> u64 {
        if count >= 64 {
            u64::MAX
        } else {
            (1 << count) - 1
        }
    }

    pair_sum!(dot, |sum, a, b| _mm512_fmadd_ps(a, b, sum));
    pair_sum!(squared_distance, |sum, a, b| {
        let gap = _mm512_sub_ps(a, b);
        _mm512_fmadd_ps(gap, gap, sum)
    });
    pair_sum!(manhattan, |sum, a, b| _mm512_add_ps(
        sum,
        _mm512_abs_ps(_mm512_sub_ps(a, b))
    ));

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(in super::super) unsafe fn dot_codes(query: *const i8, row: *const u8, len: usize) -> i32 {
        let mut sum = _mm512_setzero_si512();
        let mut at = 0;
        while at < len {
            let mask = low_bits(len - at);
            // SAFETY: only the bytes under the mask are read.
            let (q, r) = unsafe {
                (
                    _mm512_maskz_loadu_epi8(mask, query.add(at)),
                    _mm512_maskz_loadu_epi8(mask, row.add(at).cast()),
                )
            };
            sum = _mm512_dpbusd_epi32(sum, r, q);
            at += 64;
        }
        _mm512_reduce_add_epi32(sum)
    }

    /// Adds the lanes of four sums: lane `i` of the result is the total of `sums[i]`.
    #[inline]
    #[target_feature(enable = "avx512f,avx2")]
    fn totals(sums: [__m512i; 4]) -> __m128i {
        let half = |sum: __m512i| {
            _mm256_add_epi32(
                _mm512_castsi512_si256(sum),
                _mm512_extracti64x4_epi64::<1>(sum),
            )
        };
        let pairs = _mm256_hadd_epi32(
            _mm256_hadd_epi32(half(sums[0]), half(sums[1])),
            _mm256_hadd_epi32(half(sums[2]), half(sums[3])),
        );
        _mm_add_epi32(
            _mm256_castsi256_si128(pairs),
            _mm256_extracti128_si256::<1>(pairs),
        )
    }

    /// Four rows at a time: their loads wait for memory together, and their lanes
    /// are added up together.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
    pub(in super::super) unsafe fn dot_codes_many(
        query: *const i8,
        rows: *const *const u8,
        count: usize,
        len: usize,
        sums: *mut i32,
    ) {
        let mut index = 0;
        while index + 4 <= count {
            // SAFETY: the caller promises `count` rows.
            let row: [*const u8; 4] = unsafe { rows.add(index).cast::<[*const u8; 4]>().read() };
            let mut lanes = [_mm512_setzero_si512(); 4];
            let mut at = 0;
            while at + 64 <= len {
                // SAFETY: `at + 64 <= len` bytes are in the query and in every row.
                unsafe {
                    let q = _mm512_loadu_epi8(query.add(at));
                    for (lane, row) in lanes.iter_mut().zip(row) {
                        *lane =
                            _mm512_dpbusd_epi32(*lane, _mm512_loadu_epi8(row.add(at).cast()), q);
                    }
                }
                at += 64;
            }
            if at < len {
                let mask = low_bits(len - at);
                // SAFETY: only the bytes under the mask are read.
                unsafe {
                    let q = _mm512_maskz_loadu_epi8(mask, query.add(at));
                    for (lane, row) in lanes.iter_mut().zip(row) {
                        let r = _mm512_maskz_loadu_epi8(mask, row.add(at).cast());
                        *lane = _mm512_dpbusd_epi32(*lane, r, q);
                    }
                }
            }
            // SAFETY: the caller promises `count` sums.
            unsafe { _mm_storeu_si128(sums.add(index).cast(), totals(lanes)) };
            index += 4;
        }
        while index < count {
            // SAFETY: the caller promises `count` rows of `len` bytes, and as many sums.
            unsafe { *sums.add(index) = dot_codes(query, *rows.add(index), len) };
            index += 1;
        }
    }

    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    pub(in super::super) unsafe fn hamming(a: *const u64, b: *const u64, len: usize) -> u32 {
        let mut sum = _mm512_setzero_si512();
        let mut at = 0;
        while at < len {
            let mask = low_bits(len - at) as __mmask8;
            // SAFETY: only the words under the mask are read.
            let (a, b) = unsafe {
                (
                    _mm512_maskz_loadu_epi64(mask, a.add(at).cast()),
                    _mm512_maskz_loadu_epi64(mask, b.add(at).cast()),
                )
            };
            sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(a, b)));
            at += 8;
        }
        _mm512_reduce_add_epi64(sum) as u32
    }

    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    pub(in super::super) unsafe fn hamming_run(
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

    /// Rows of up to 8 words are one load each, and four of them share the final
    /// sum: their counts, each below 2¹⁶, lie beside each other in 64 bits.
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    pub(in super::super) unsafe fn plane_counts_many(
        planes: *const u64,
        rows: *const *const u64,
        count: usize,
        words: usize,
        counts: *mut u32,
    ) {
        let mut index = 0;
        if words <= 8 {
            let mask = low_bits(words) as __mmask8;
            // SAFETY: only the words under the mask are read, `words` of each plane.
            let plane: [__m512i; 4] = std::array::from_fn(|plane| unsafe {
                _mm512_maskz_loadu_epi64(mask, planes.add(plane * words).cast())
            });
            let row_counts = |row: *const u64| {
                // SAFETY: only the words under the mask are read.
                let row = unsafe { _mm512_maskz_loadu_epi64(mask, row.cast()) };
                let ones = |plane| _mm512_popcnt_epi64(_mm512_and_si512(plane, row));
                let low = _mm512_add_epi64(ones(plane[0]), _mm512_slli_epi64::<1>(ones(plane[1])));
                let high = _mm512_add_epi64(ones(plane[2]), _mm512_slli_epi64::<1>(ones(plane[3])));
                _mm512_add_epi64(low, _mm512_slli_epi64::<2>(high))
            };
            while index + 4 <= count {
                // SAFETY: the caller promises `count` rows.
                let row: [*const u64; 4] =
                    unsafe { rows.add(index).cast::<[*const u64; 4]>().read() };
                let low = _mm512_or_si512(
                    row_counts(row[0]),
                    _mm512_slli_epi64::<16>(row_counts(row[1])),
                );
                let high = _mm512_or_si512(
                    row_counts(row[2]),
                    _mm512_slli_epi64::<16>(row_counts(row[3])),
                );
                let four = _mm512_or_si512(low, _mm512_slli_epi64::<32>(high));
                let sums = _mm512_reduce_add_epi64(four) as u64;
                for place in 0..4 {
                    // SAFETY: the caller promises `count` counts.
                    unsafe { *counts.add(index + place) = (sums >> (16 * place)) as u32 & 0xffff };
                }
                index += 4;
            }
        }
        while index < count {
            let mut sum = _mm512_setzero_si512();
            let mut at = 0;
            while at < words {
                let mask = low_bits(words - at) as __mmask8;
                // SAFETY: only the words under the mask are read.
                let row =
                    unsafe { _mm512_maskz_loadu_epi64(mask, (*rows.add(index)).add(at).cast()) };
                for plane in 0..super::super::PLANES {
                    // SAFETY: only the words under the mask are read.
                    let plane_bits = unsafe {
                        _mm512_maskz_loadu_epi64(mask, planes.add(plane * words + at).cast())
                    };
                    let ones = _mm512_popcnt_epi64(_mm512_and_si512(plane_bits, row));
                    sum = _mm512_add_epi64(
                        sum,
                        _mm512_sll_epi64(ones, _mm_cvtsi32_si128(plane as i32)),
                    );
                }
                at += 8;
            }
            // SAFETY: the caller promises `count` counts.
            unsafe { *counts.add(index) = _mm512_reduce_add_epi64(sum) as u32 };
            index += 1;
        }
    }
}
