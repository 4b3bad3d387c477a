//! Quantised rows with AVX-512's whole numbers: VNNI, which multiplies 64 bytes and adds
//! them by fours in one instruction, and VBMI, which collects the scales of several
//! blocks in one, and GFNI, which takes bytes apart.
//!
//! That instruction wants one side without sign. So weights are moved up by an offset
//! until they have none, and the sums start from what this adds too much, `−offset Σ x`
//! over the four inputs of each, which the input's layout brings along.

#![expect(unsafe_code, reason = "intrinsics")]
#![expect(
    clippy::needless_range_loop,
    reason = "through iterators the sums are kept in memory"
)]

use std::arch::x86_64::*;

use crate::format::{Format, Q4_0, Q4K, Q6K, Q8_0};
use crate::stored::quantised::{BLOCK, Blocks, OF_BLOCKS, scale};
use crate::stored::vector::{Tokens, Weights, ahead};

pub(super) static BLOCKS: Blocks = Blocks {
    formats: OF_BLOCKS,
    quantise,
    add_rows,
};

/// The parts of a quantised input of `inputs` numbers, counted up to whole groups of
/// `PAD`.
struct Layout {
    /// The numbers.
    bytes: *mut u8,
    /// What the sums of each 4 inputs start from.
    starts: *mut i32,
    /// The scale of each 4 inputs; for Q4_0, of each 8.
    scales: *mut f32,
    /// The scale of each 32 inputs, for Q4_0 and Q4_K.
    block_scales: *mut f32,
    /// Each of these times the sum of its inputs, for Q4_K.
    block_sums: *mut f32,
}

/// Inputs in a group: with this, every layout is whole vectors.
const PAD: usize = 4 * BLOCK;

impl Layout {
    /// # Safety
    /// `at` must be good for `quantised_bytes(inputs)` bytes.
    unsafe fn new(at: *mut u8, inputs: usize) -> Self {
        let padded = inputs.next_multiple_of(PAD);
        // SAFETY: the first three parts take `padded` bytes each, at most, and where
        // there are the last two, half of that; these take an eighth each.
        unsafe {
            let scales = at.add(2 * padded);
            Self {
                bytes: at,
                starts: at.add(padded).cast(),
                scales: scales.cast(),
                block_scales: scales.add(padded / 2).cast(),
                block_sums: scales.add(padded / 2 + padded / 8).cast(),
            }
        }
    }
}

/// Q8_0 and Q6_K see the inputs in their order, 16 sums to a vector. Q4_0 sees four
/// blocks at a time, the first halves of all and then the second ones, so that a block
/// has only four sums. Q4_K has no offset but its least numbers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn quantise(format: Format, input: *const f32, inputs: usize, to: *mut u8) {
    let offset = match format {
        Format::Q8_0 => 128,
        Format::Q6K => 32,
        _ => 8,
    };
    let padded = inputs.next_multiple_of(PAD) / BLOCK;
    // SAFETY: the caller promises `inputs` numbers, whole blocks, and the bytes of the
    // layout; every index below is within its part.
    unsafe {
        let to = Layout::new(to, inputs);
        for block in 0..padded {
            let mut bytes = [0i8; BLOCK];
            let mut size = 0.0;
            if block < inputs / BLOCK {
                let numbers = &*input.add(block * BLOCK).cast::<[f32; BLOCK]>();
                let inverse;
                (size, inverse) = scale(numbers);
                let inverse = _mm512_set1_ps(inverse);
                for half in 0..2 {
                    let v = _mm512_loadu_ps(numbers.as_ptr().add(16 * half));
                    let whole = _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse));
                    let eight = _mm512_cvtsepi32_epi8(whole);
                    _mm_storeu_si128(bytes.as_mut_ptr().add(16 * half).cast(), eight);
                }
            }
            let v = _mm256_loadu_si256(bytes.as_ptr().cast());
            let fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), v);
            let starts = _mm256_mullo_epi32(fours, _mm256_set1_epi32(-offset));
            match format {
                Format::Q4_0 => {
                    let (group, lane) = (block / 4, block % 4);
                    let bytes = to.bytes.add(group * PAD + lane * 16);
                    _mm_storeu_si128(bytes.cast(), _mm256_castsi256_si128(v));
                    _mm_storeu_si128(bytes.add(64).cast(), _mm256_extracti128_si256::<1>(v));
                    let starts = _mm_add_epi32(
                        _mm256_castsi256_si128(starts),
                        _mm256_extracti128_si256::<1>(starts),
                    );
                    _mm_storeu_si128(to.starts.add(block * 4).cast(), starts);
                    _mm_storeu_ps(to.scales.add(block * 4), _mm_set1_ps(size));
                    *to.block_scales.add(block) = size;
                }
                Format::Q4K => {
                    _mm256_storeu_si256(to.bytes.add(block * BLOCK).cast(), v);
                    *to.block_scales.add(block) = size;
                    let sum = _mm256_castsi256_si128(fours);
                    let sum = _mm_add_epi32(sum, _mm256_extracti128_si256::<1>(fours));
                    let sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
                    let sum = _mm_cvtsi128_si32(sum) + _mm_extract_epi32::<1>(sum);
                    *to.block_sums.add(block) = size * sum as f32;
                }
                _ => {
                    _mm256_storeu_si256(to.bytes.add(block * BLOCK).cast(), v);
                    _mm256_storeu_si256(to.starts.add(block * 8).cast(), starts);
                    _mm256_storeu_ps(to.scales.add(block * 8), _mm256_set1_ps(size));
                }
            }
        }
    }
}

/// Rows that are multiplied together: the inputs are loaded once for all of them, and
/// their sums are added up across in common.
const ROWS: usize = 4;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn add_rows(weights: &Weights, tokens: &Tokens) {
    // SAFETY: the caller promises the shapes, this function the processor.
    unsafe {
        let inputs = Layout::new(tokens.quantised.cast_mut(), weights.inputs);
        let count = weights.to - weights.from;
        let most = count - count % ROWS;
        for first in (0..most).step_by(ROWS) {
            let sums = some_rows::<ROWS>(weights, weights.from + first, &inputs);
            let output = tokens.output.add(first);
            _mm_storeu_ps(output, _mm_add_ps(_mm_loadu_ps(output), across(sums)));
        }
        for row in most..count {
            let [sums] = some_rows::<1>(weights, weights.from + row, &inputs);
            *tokens.output.add(row) += _mm512_reduce_add_ps(sums);
        }
    }
}

/// # Safety
/// As `add_rows`, of rows `first` to `first + R − 1`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn some_rows<const R: usize>(
    weights: &Weights,
    first: usize,
    inputs: &Layout,
) -> [__m512; R] {
    let blocks = weights.inputs / weights.format.block_numbers();
    let length = blocks * weights.format.block_bytes();
    // SAFETY: as the caller promises.
    unsafe {
        let at = weights.bytes.add(first * length);
        match weights.format {
            Format::Q8_0 => q8_0(at, length, blocks, inputs),
            Format::Q4_0 => q4_0(at, length, blocks, inputs),
            Format::Q4K => q4_k(at, length, blocks, inputs),
            _ => q6_k(at, length, blocks, inputs),
        }
    }
}

/// Returns the sum of each vector.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
pub(super) fn across(sums: [__m512; ROWS]) -> __m128 {
    let [a, b, c, d] = sums;
    let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    let low = _mm512_shuffle_ps::<0x44>(ab, cd);
    let four = _mm512_add_ps(low, _mm512_shuffle_ps::<0xee>(ab, cd));
    let two = _mm256_add_ps(
        _mm512_castps512_ps256(four),
        _mm512_extractf32x8_ps::<1>(four),
    );
    _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps::<1>(two))
}

/// Returns an index that spreads the binary16 numbers at bytes `step · i` over `each`
/// places of 16.
const fn spread(step: usize, each: usize) -> [u8; 64] {
    let mut index = [0; 64];
    let mut place = 0;
    while place < 16 {
        index[2 * place] = (step * (place / each)) as u8;
        index[2 * place + 1] = (step * (place / each)) as u8 + 1;
        place += 1;
    }
    index
}

static TWO_SCALES: [u8; 64] = spread(Q8_0::BYTES, 8);
static FOUR_SCALES: [u8; 64] = spread(Q4_0::BYTES, 4);

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn load(at: *const u8) -> __m512i {
    // SAFETY: the caller promises 64 bytes.
    unsafe { _mm512_loadu_si512(at.cast()) }
}

/// # Safety
/// `R` rows of `blocks` blocks must be at `at`, `length` bytes each, and as many inputs in
/// the layout.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn q8_0<const R: usize>(
    at: *const u8,
    length: usize,
    blocks: usize,
    inputs: &Layout,
) -> [__m512; R] {
    let ahead = ahead(R, length);
    // SAFETY: two blocks are 68 bytes, of which at most 64 are read at once.
    unsafe {
        let signs = _mm512_set1_epi8(-128);
        let index = load(TWO_SCALES.as_ptr());
        let mut sums = [_mm512_setzero_ps(); R];
        for pair in 0..blocks / 2 {
            for r in 0..R {
                let block = at.add(r * length + pair * 2 * Q8_0::BYTES);
                _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(ahead).cast());
                let first = _mm256_loadu_si256(block.add(2).cast());
                let rest = _mm256_loadu_si256(block.add(2 + Q8_0::BYTES).cast());
                let weight = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), rest);
                let halves = _mm512_permutexvar_epi8(index, load(block));
                let scales = _mm512_cvtph_ps(_mm512_castsi512_si256(halves));
                let weight = _mm512_xor_si512(weight, signs);
                sums[r] = add(pair, weight, scales, inputs, sums[r]);
            }
        }
        if blocks % 2 == 1 {
            for r in 0..R {
                let block = at.add(r * length + (blocks - 1) * Q8_0::BYTES);
                let weight = _mm512_zextsi256_si512(_mm256_loadu_si256(block.add(2).cast()));
                let half = block.cast::<i16>().read_unaligned();
                let scales = _mm512_cvtph_ps(_mm256_set1_epi16(half));
                let weight = _mm512_xor_si512(weight, signs);
                sums[r] = add(blocks / 2, weight, scales, inputs, sums[r]);
            }
        }
        sums
    }
}

/// Adds the product of 64 weights without sign and the vector of inputs `at`.
///
/// # Safety
/// The inputs must be there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn add(at: usize, weight: __m512i, scales: __m512, inputs: &Layout, sums: __m512) -> __m512 {
    // SAFETY: as the caller promises.
    unsafe {
        let start = load(inputs.starts.add(16 * at).cast());
        let dot = _mm512_dpbusd_epi32(start, weight, load(inputs.bytes.add(64 * at)));
        let scales = _mm512_mul_ps(scales, _mm512_loadu_ps(inputs.scales.add(16 * at)));
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scales, sums)
    }
}

/// Returns the index that spreads number `4 i + j` of a vector over its `j`th quarter.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters(i: usize) -> __m512i {
    let lanes = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    _mm512_add_epi32(lanes, _mm512_set1_epi32(4 * i as i32))
}

/// # Safety
/// As [`q8_0`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn q4_0<const R: usize>(
    at: *const u8,
    length: usize,
    blocks: usize,
    inputs: &Layout,
) -> [__m512; R] {
    let ahead = ahead(R, length);
    /// Brings the scales of four blocks to the `i`th four places of 16.
    static SCALES: [[u8; 64]; 4] = {
        let mut all = [[0; 64]; 4];
        let mut place = 0;
        while place < 16 {
            let from = place % 4 * Q4_0::BYTES;
            all[place / 4][2 * place] = from as u8;
            all[place / 4][2 * place + 1] = from as u8 + 1;
            place += 1;
        }
        all
    };
    /// Brings the 16 bytes of each of three blocks to places of their own.
    static THREE_BLOCKS: [u8; 64] = {
        let mut index = [0; 64];
        let mut place = 0;
        while place < 48 {
            index[place] = (place / 16 * Q4_0::BYTES + 2 + place % 16) as u8;
            place += 1;
        }
        index
    };
    const GROUP: usize = 4 * Q4_0::BYTES;
    // SAFETY: four blocks are 72 bytes, of which at most 64 are read at once; of fewer,
    // only those that are there.
    unsafe {
        let mut sums = [_mm512_setzero_ps(); R];
        let groups = blocks / 4;
        let most = groups - groups % 4;
        // The scales of 16 blocks are widened together.
        for first in (0..most).step_by(4) {
            let mut scales = [_mm512_setzero_ps(); R];
            let input_scales = _mm512_loadu_ps(inputs.block_scales.add(4 * first));
            for r in 0..R {
                let block = at.add(r * length + first * GROUP);
                let mut halves = _mm512_permutexvar_epi8(load(SCALES[0].as_ptr()), load(block));
                for i in 1..4 {
                    let block = block.add(i * GROUP);
                    halves = _mm512_mask_permutexvar_epi8(
                        halves,
                        0xff << (8 * i),
                        load(SCALES[i].as_ptr()),
                        load(block),
                    );
                }
                let wide = _mm512_cvtph_ps(_mm512_castsi512_si256(halves));
                scales[r] = _mm512_mul_ps(wide, input_scales);
            }
            for i in 0..4 {
                let index = quarters(i);
                for r in 0..R {
                    let block = at.add(r * length + (first + i) * GROUP);
                    _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(ahead).cast());
                    let dot = _mm512_cvtepi32_ps(nibbles(first + i, four_blocks(block), inputs));
                    let scales = _mm512_permutexvar_ps(index, scales[r]);
                    sums[r] = _mm512_fmadd_ps(dot, scales, sums[r]);
                }
            }
        }
        let index = load(FOUR_SCALES.as_ptr());
        for group in most..groups {
            for r in 0..R {
                let block = at.add(r * length + group * GROUP);
                let scales = _mm512_permutexvar_epi8(index, load(block));
                sums[r] = add_nibbles(group, four_blocks(block), scales, inputs, sums[r]);
            }
        }
        let left = blocks % 4;
        if left > 0 {
            for r in 0..R {
                let block = at.add(r * length + groups * GROUP);
                let mask = (1 << (left * Q4_0::BYTES)) - 1;
                let bytes = _mm512_maskz_loadu_epi8(mask, block.cast());
                let weight = _mm512_permutexvar_epi8(load(THREE_BLOCKS.as_ptr()), bytes);
                let scales = _mm512_permutexvar_epi8(index, bytes);
                sums[r] = add_nibbles(groups, weight, scales, inputs, sums[r]);
            }
        }
        sums
    }
}

/// Returns the numbers of the four blocks of Q4_0 at `block`.
///
/// # Safety
/// They must be there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn four_blocks(block: *const u8) -> __m512i {
    // SAFETY: as the caller promises.
    unsafe {
        let weight = _mm512_castsi128_si512(_mm_loadu_si128(block.add(2).cast()));
        let weight =
            _mm512_inserti32x4::<1>(weight, _mm_loadu_si128(block.add(2 + Q4_0::BYTES).cast()));
        let weight = _mm512_inserti32x4::<2>(
            weight,
            _mm_loadu_si128(block.add(2 + 2 * Q4_0::BYTES).cast()),
        );
        _mm512_inserti32x4::<3>(
            weight,
            _mm_loadu_si128(block.add(2 + 3 * Q4_0::BYTES).cast()),
        )
    }
}

/// Returns the product of four blocks of Q4_0 and the group of inputs `at`, in four sums
/// each.
///
/// # Safety
/// The inputs must be there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn nibbles(at: usize, weight: __m512i, inputs: &Layout) -> __m512i {
    // SAFETY: as the caller promises.
    unsafe {
        let below = _mm512_and_si512(weight, _mm512_set1_epi8(15));
        let above = _mm512_gf2p8affine_epi64_epi8::<0>(weight, _mm512_set1_epi64(UPPER_HALF));
        let bytes = inputs.bytes.add(PAD * at);
        let dot = load(inputs.starts.add(16 * at).cast());
        let dot = _mm512_dpbusd_epi32(dot, below, load(bytes));
        _mm512_dpbusd_epi32(dot, above, load(bytes.add(64)))
    }
}

/// Adds [`nibbles`] times the scales, each four times in the lower half of `scales`.
///
/// # Safety
/// As [`nibbles`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn add_nibbles(
    at: usize,
    weight: __m512i,
    scales: __m512i,
    inputs: &Layout,
    sums: __m512,
) -> __m512 {
    // SAFETY: as the caller promises.
    unsafe {
        let scales = _mm512_mul_ps(
            _mm512_cvtph_ps(_mm512_castsi512_si256(scales)),
            _mm512_loadu_ps(inputs.scales.add(16 * at)),
        );
        _mm512_fmadd_ps(
            _mm512_cvtepi32_ps(nibbles(at, weight, inputs)),
            scales,
            sums,
        )
    }
}

/// Matrices of `vgf2p8affineqb`, the highest bit's row in the lowest byte: the lower half
/// of a byte, and the upper half, moved down.
const LOWER_HALF: i64 = 0x0102_0408 << 32;
const UPPER_HALF: i64 = 0x1020_4080 << 32;

/// The scales and the least numbers of a Q4_K block, 6 bits each, as bytes: of the first
/// four the lower six bits; of the others four bits, the upper two being the upper two
/// of the first four.
///
/// # Safety
/// The block must be there.
#[inline]
unsafe fn pairs(block: *const u8) -> (i64, i64) {
    // SAFETY: the 12 bytes lie within the block.
    let [a, b, c] = unsafe { block.add(4).cast::<[u32; 3]>().read_unaligned() };
    let scales =
        u64::from(a & 0x3f3f_3f3f) | u64::from(c & 0x0f0f_0f0f | (a >> 6 & 0x0303_0303) << 4) << 32;
    let least = u64::from(b & 0x3f3f_3f3f)
        | u64::from(c >> 4 & 0x0f0f_0f0f | (b >> 6 & 0x0303_0303) << 4) << 32;
    (scales as i64, least as i64)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn halves(first: __m256i, rest: __m256i) -> __m512i {
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), rest)
}

/// Returns the index that spreads two numbers of a vector over its halves.
#[inline]
#[target_feature(enable = "avx512f")]
fn two_lanes(first: i32, rest: i32) -> __m512i {
    halves(_mm256_set1_epi32(first), _mm256_set1_epi32(rest))
}

/// Takes rows by twos, whose scales share a vector.
///
/// # Safety
/// As [`q8_0`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn q4_k<const R: usize>(
    at: *const u8,
    length: usize,
    blocks: usize,
    inputs: &Layout,
) -> [__m512; R] {
    let ahead = ahead(R, length);
    // SAFETY: a block is 144 bytes, and all that is read lies within it.
    unsafe {
        // The second half of a vector has the upper halves of the bytes.
        let unpack = halves(
            _mm256_set1_epi64x(LOWER_HALF),
            _mm256_set1_epi64x(UPPER_HALF),
        );
        let mut sums = [_mm512_setzero_ps(); R];
        let mut leasts = [_mm512_setzero_ps(); R];
        for number in 0..blocks {
            let scales_at = inputs.block_scales.add(8 * number);
            let sums_at = inputs.block_sums.add(8 * number);
            for r in (0..R).step_by(2) {
                let first = at.add(r * length + number * Q4K::BYTES);
                // With one row, it is its own neighbour, whose sums are dropped.
                let second = if R == 1 { first } else { first.add(length) };
                for line in [0, 64, 128] {
                    _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(ahead + line).cast());
                    _mm_prefetch::<_MM_HINT_T0>(second.wrapping_add(ahead + line).cast());
                }
                let (first_scales, first_least) = pairs(first);
                let (second_scales, second_least) = pairs(second);
                let scales = _mm512_cvtepu8_epi32(_mm_set_epi64x(second_scales, first_scales));
                let least = _mm512_cvtepu8_epi32(_mm_set_epi64x(second_least, first_least));
                let of_blocks = _mm_cvtph_ps(_mm_unpacklo_epi32(
                    _mm_cvtsi32_si128(first.cast::<i32>().read_unaligned()),
                    _mm_cvtsi32_si128(second.cast::<i32>().read_unaligned()),
                ));
                let of_blocks = _mm512_castps128_ps512(of_blocks);
                let scale = _mm512_permutexvar_ps(two_lanes(0, 2), of_blocks);
                let least_scale = _mm512_permutexvar_ps(two_lanes(1, 3), of_blocks);
                let input = _mm512_broadcast_f32x8(_mm256_loadu_ps(scales_at));
                let scales = _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(scales), input), scale);
                let least = _mm512_mul_ps(_mm512_cvtepi32_ps(least), least_scale);
                let input = _mm512_broadcast_f32x8(_mm256_loadu_ps(sums_at));
                leasts[r] = _mm512_fmadd_ps(least, input, leasts[r]);
                for i in 0..4 {
                    let input = load(inputs.bytes.add(256 * number + 64 * i));
                    for which in 0..R.min(2) {
                        let block = if which == 0 { first } else { second };
                        let bytes = _mm256_loadu_si256(block.add(16 + 32 * i).cast());
                        let both = _mm512_broadcast_i64x4(bytes);
                        let weight = _mm512_gf2p8affine_epi64_epi8::<0>(both, unpack);
                        let dot = _mm512_dpbusd_epi32(_mm512_setzero_si512(), weight, input);
                        let lane = (8 * which + 2 * i) as i32;
                        let scales = _mm512_permutexvar_ps(two_lanes(lane, lane + 1), scales);
                        let dot = _mm512_cvtepi32_ps(dot);
                        sums[r + which] = _mm512_fmadd_ps(dot, scales, sums[r + which]);
                    }
                }
            }
        }
        for r in 0..R {
            let both = leasts[r - r % 2];
            let least = if r % 2 == 0 {
                _mm512_castps512_ps256(both)
            } else {
                _mm512_extractf32x8_ps::<1>(both)
            };
            sums[r] = _mm512_sub_ps(sums[r], _mm512_zextps256_ps512(least));
        }
        sums
    }
}

/// # Safety
/// As [`q8_0`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,gfni,f16c,fma")]
unsafe fn q6_k<const R: usize>(
    at: *const u8,
    length: usize,
    blocks: usize,
    inputs: &Layout,
) -> [__m512; R] {
    let ahead = ahead(R, length);
    // SAFETY: a block is 210 bytes, and all that is read lies within it.
    unsafe {
        let low = _mm512_set1_epi8(15);
        let high = _mm512_set1_epi8(48);
        let two = _mm256_set1_epi16(2);
        let up = halves(_mm256_set1_epi16(4), two);
        let down = halves(_mm256_setzero_si256(), two);
        let mut sums = [_mm512_setzero_ps(); R];
        for number in 0..blocks {
            for r in 0..R {
                let block = at.add(r * length + number * Q6K::BYTES);
                for line in [0, 64, 128, 192] {
                    _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(ahead + line).cast());
                }
                let scale = _mm256_set1_epi16(block.add(208).cast::<i16>().read_unaligned());
                let scales = _mm512_cvtepi8_epi32(_mm_loadu_si128(block.add(192).cast()));
                let scales = _mm512_mul_ps(_mm512_cvtepi32_ps(scales), _mm512_cvtph_ps(scale));
                for half in 0..2 {
                    let bytes = load(block.add(64 * half));
                    let bits = _mm256_loadu_si256(block.add(128 + 32 * half).cast());
                    let bits = _mm512_broadcast_i64x4(bits);
                    let below = _mm512_or_si512(
                        _mm512_and_si512(bytes, low),
                        _mm512_and_si512(_mm512_sllv_epi16(bits, up), high),
                    );
                    let upper =
                        _mm512_gf2p8affine_epi64_epi8::<0>(bytes, _mm512_set1_epi64(UPPER_HALF));
                    let above = _mm512_or_si512(
                        upper,
                        _mm512_and_si512(_mm512_srlv_epi16(bits, down), high),
                    );
                    for (part, weight) in [below, above].into_iter().enumerate() {
                        let vector = 2 * half + part;
                        let scales = _mm512_permutexvar_ps(quarters(vector), scales);
                        let at = 4 * number + vector;
                        sums[r] = add(at, weight, scales, inputs, sums[r]);
                    }
                }
            }
        }
        sums
    }
}
