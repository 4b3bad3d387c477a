//! Quantised rows with AVX-512's whole numbers: VNNI, which multiplies 64 bytes and adds
//! them by fours in one instruction, and VBMI, which collects the scales of several
//! blocks in one.
//!
//! That instruction wants one side without sign. So weights are moved up by an offset
//! until they have none, and the sums start from what this adds too much, `−offset Σ x`
//! over the four inputs of each, which the input's layout brings along.

#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

use crate::format::{Format, Q4_0, Q4K, Q6K, Q8_0};
use crate::stored::quantised::{BLOCK, Blocks, scale};
use crate::stored::vector::{Tokens, Weights};

pub(super) static BLOCKS: Blocks = Blocks { quantise, add_rows };

/// Bytes that are fetched ahead.
const AHEAD: usize = 2048;

/// The parts of a quantised input of `inputs` numbers, counted up to whole groups of
/// `PAD`.
struct Layout {
    /// The numbers.
    bytes: *mut u8,
    /// What the sums of each 4 inputs start from.
    starts: *mut i32,
    /// The scale of each 4 inputs; for Q4_K, that of each 32, and then each of these
    /// times the sum of its inputs.
    scales: *mut f32,
}

/// Inputs in a group: with this, every layout is whole vectors.
const PAD: usize = 4 * BLOCK;

impl Layout {
    /// # Safety
    /// `at` must be good for `quantised_bytes(inputs)` bytes.
    unsafe fn new(at: *mut u8, inputs: usize) -> Self {
        let padded = inputs.next_multiple_of(PAD);
        // SAFETY: the three parts take `padded` bytes each, at most.
        unsafe {
            Self {
                bytes: at,
                starts: at.add(padded).cast(),
                scales: at.add(2 * padded).cast(),
            }
        }
    }
}

/// Q8_0 and Q6_K see the inputs in their order, 16 sums to a vector. Q4_0 sees four
/// blocks at a time, the first halves of all and then the second ones, so that a block
/// has only four sums. Q4_K has no offset but its least numbers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
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
                }
                Format::Q4K => {
                    _mm256_storeu_si256(to.bytes.add(block * BLOCK).cast(), v);
                    *to.scales.add(block) = size;
                    let sum = _mm256_castsi256_si128(fours);
                    let sum = _mm_add_epi32(sum, _mm256_extracti128_si256::<1>(fours));
                    let sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
                    let sum = _mm_cvtsi128_si32(sum) + _mm_extract_epi32::<1>(sum);
                    *to.scales.add(padded + block) = size * sum as f32;
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

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
unsafe fn add_rows(weights: &Weights, tokens: &Tokens) {
    // SAFETY: the caller promises the shapes, this function the processor.
    unsafe {
        let inputs = Layout::new(tokens.quantised.cast_mut(), weights.inputs);
        let bytes = match weights.format {
            Format::Q8_0 => weights.inputs / BLOCK * Q8_0::BYTES,
            Format::Q4_0 => weights.inputs / BLOCK * Q4_0::BYTES,
            Format::Q4K => weights.inputs / 256 * Q4K::BYTES,
            _ => weights.inputs / 256 * Q6K::BYTES,
        };
        for row in weights.from..weights.to {
            let at = weights.bytes.add(row * bytes);
            let sums = match weights.format {
                Format::Q8_0 => q8_0(at, weights.inputs / BLOCK, &inputs),
                Format::Q4_0 => q4_0(at, weights.inputs / BLOCK, &inputs),
                Format::Q4K => q4_k(at, weights.inputs / 256, &inputs),
                _ => q6_k(at, weights.inputs / 256, &inputs),
            };
            *tokens.output.add(row - weights.from) += _mm512_reduce_add_ps(sums);
        }
    }
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
unsafe fn load(at: *const u8) -> __m512i {
    // SAFETY: the caller promises 64 bytes.
    unsafe { _mm512_loadu_si512(at.cast()) }
}

/// # Safety
/// A row of `blocks` blocks must be at `at`, and as many inputs in the layout.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
unsafe fn q8_0(at: *const u8, blocks: usize, inputs: &Layout) -> __m512 {
    // SAFETY: two blocks are 68 bytes, of which at most 64 are read at once.
    unsafe {
        let signs = _mm512_set1_epi8(-128);
        let index = load(TWO_SCALES.as_ptr());
        let mut sums = _mm512_setzero_ps();
        for pair in 0..blocks / 2 {
            let block = at.add(pair * 2 * Q8_0::BYTES);
            _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(AHEAD).cast());
            let halves = [2, 2 + Q8_0::BYTES].map(|at| block.add(at));
            let first = _mm256_loadu_si256(halves[0].cast());
            let rest = _mm256_loadu_si256(halves[1].cast());
            let weight = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), rest);
            let halves = _mm512_permutexvar_epi8(index, load(block));
            let scales = _mm512_cvtph_ps(_mm512_castsi512_si256(halves));
            sums = add(pair, _mm512_xor_si512(weight, signs), scales, inputs, sums);
        }
        if blocks % 2 == 1 {
            let block = at.add((blocks - 1) * Q8_0::BYTES);
            let weight = _mm512_zextsi256_si512(_mm256_loadu_si256(block.add(2).cast()));
            let scales = _mm512_cvtph_ps(_mm256_set1_epi16(block.cast::<i16>().read_unaligned()));
            let weight = _mm512_xor_si512(weight, signs);
            sums = add(blocks / 2, weight, scales, inputs, sums);
        }
        sums
    }
}

/// Adds the product of 64 weights without sign and the vector of inputs `at`.
///
/// # Safety
/// The inputs must be there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
unsafe fn add(at: usize, weight: __m512i, scales: __m512, inputs: &Layout, sums: __m512) -> __m512 {
    // SAFETY: as the caller promises.
    unsafe {
        let start = load(inputs.starts.add(16 * at).cast());
        let dot = _mm512_dpbusd_epi32(start, weight, load(inputs.bytes.add(64 * at)));
        let scales = _mm512_mul_ps(scales, _mm512_loadu_ps(inputs.scales.add(16 * at)));
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scales, sums)
    }
}

/// # Safety
/// As [`q8_0`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
unsafe fn q4_0(at: *const u8, blocks: usize, inputs: &Layout) -> __m512 {
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
    // SAFETY: four blocks are 72 bytes, of which at most 64 are read at once; of fewer,
    // only those that are there.
    unsafe {
        let index = load(FOUR_SCALES.as_ptr());
        let mut sums = _mm512_setzero_ps();
        for group in 0..blocks / 4 {
            let block = at.add(group * 4 * Q4_0::BYTES);
            _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(AHEAD).cast());
            let first = _mm_loadu_si128(block.add(2).cast());
            let second = _mm_loadu_si128(block.add(2 + Q4_0::BYTES).cast());
            let third = _mm_loadu_si128(block.add(2 + 2 * Q4_0::BYTES).cast());
            let fourth = _mm_loadu_si128(block.add(2 + 3 * Q4_0::BYTES).cast());
            let weight = _mm512_castsi128_si512(first);
            let weight = _mm512_inserti32x4::<1>(weight, second);
            let weight = _mm512_inserti32x4::<2>(weight, third);
            let weight = _mm512_inserti32x4::<3>(weight, fourth);
            let scales = _mm512_permutexvar_epi8(index, load(block));
            sums = nibbles(group, weight, scales, inputs, sums);
        }
        let left = blocks % 4;
        if left > 0 {
            let block = at.add((blocks - left) * Q4_0::BYTES);
            let bytes = _mm512_maskz_loadu_epi8((1 << (left * Q4_0::BYTES)) - 1, block.cast());
            let weight = _mm512_permutexvar_epi8(load(THREE_BLOCKS.as_ptr()), bytes);
            let scales = _mm512_permutexvar_epi8(index, bytes);
            sums = nibbles(blocks / 4, weight, scales, inputs, sums);
        }
        sums
    }
}

/// Adds the product of four blocks of Q4_0, their scales in the lower half of `scales`,
/// and the group of inputs `at`.
///
/// # Safety
/// The inputs must be there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
unsafe fn nibbles(
    at: usize,
    weight: __m512i,
    scales: __m512i,
    inputs: &Layout,
    sums: __m512,
) -> __m512 {
    // SAFETY: as the caller promises.
    unsafe {
        let low = _mm512_set1_epi8(15);
        let below = _mm512_and_si512(weight, low);
        let above = _mm512_and_si512(_mm512_srli_epi16::<4>(weight), low);
        let bytes = inputs.bytes.add(PAD * at);
        let dot = load(inputs.starts.add(16 * at).cast());
        let dot = _mm512_dpbusd_epi32(dot, below, load(bytes));
        let dot = _mm512_dpbusd_epi32(dot, above, load(bytes.add(64)));
        let scales = _mm512_mul_ps(
            _mm512_cvtph_ps(_mm512_castsi512_si256(scales)),
            _mm512_loadu_ps(inputs.scales.add(16 * at)),
        );
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scales, sums)
    }
}

/// Returns the index that spreads numbers `2 i` and `2 i + 1` over a vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn pair(i: i32) -> __m512i {
    let rest = _mm512_set1_epi32(2 * i + 1);
    _mm512_mask_set1_epi32(rest, 0xff, 2 * i)
}

/// # Safety
/// As [`q8_0`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
unsafe fn q4_k(at: *const u8, blocks: usize, inputs: &Layout) -> __m512 {
    // SAFETY: a block is 144 bytes, and all that is read lies within it.
    unsafe {
        let low = _mm512_set1_epi8(15);
        // The second half of a vector has the upper halves of the bytes.
        let shift = _mm512_inserti64x4::<1>(_mm512_setzero_si512(), _mm256_set1_epi16(4));
        let padded = (blocks * 256).next_multiple_of(PAD) / BLOCK;
        let mut sums = _mm512_setzero_ps();
        let mut leasts = _mm256_setzero_ps();
        for number in 0..blocks {
            let block = at.add(number * Q4K::BYTES);
            for line in [0, 64, 128] {
                _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(AHEAD + line).cast());
            }
            // The eight scales and the eight least numbers of 6 bits, as bytes: of the
            // first four the lower six bits; of the others four bits, the upper two
            // being the upper two of the first four.
            let words = block.add(4).cast::<u32>();
            let [a, b, c] = [0, 1, 2].map(|i| words.add(i).read_unaligned());
            let scales = u64::from(a & 0x3f3f_3f3f)
                | u64::from(c & 0x0f0f_0f0f | (a >> 6 & 0x0303_0303) << 4) << 32;
            let least = u64::from(b & 0x3f3f_3f3f)
                | u64::from(c >> 4 & 0x0f0f_0f0f | (b >> 6 & 0x0303_0303) << 4) << 32;
            let both = _mm_cvtph_ps(_mm_cvtsi32_si128(block.cast::<i32>().read_unaligned()));
            let scale = _mm256_broadcastss_ps(both);
            let least_scale = _mm256_broadcastss_ps(_mm_movehdup_ps(both));
            let wide = |bytes: u64| {
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes as i64)))
            };
            let block_inputs = inputs.scales.add(8 * number);
            let scales = _mm256_mul_ps(wide(scales), _mm256_loadu_ps(block_inputs));
            let scales = _mm512_castps256_ps512(_mm256_mul_ps(scales, scale));
            let least = _mm256_mul_ps(wide(least), least_scale);
            leasts = _mm256_fmadd_ps(least, _mm256_loadu_ps(block_inputs.add(padded)), leasts);
            for i in 0..4 {
                let bytes = _mm256_loadu_si256(block.add(16 + 32 * i).cast());
                let both = _mm512_broadcast_i64x4(bytes);
                let weight = _mm512_and_si512(_mm512_srlv_epi16(both, shift), low);
                let input = load(inputs.bytes.add(256 * number + 64 * i));
                let dot = _mm512_dpbusd_epi32(_mm512_setzero_si512(), weight, input);
                let scales = _mm512_permutexvar_ps(pair(i as i32), scales);
                sums = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scales, sums);
            }
        }
        _mm512_sub_ps(sums, _mm512_zextps256_ps512(leasts))
    }
}

/// # Safety
/// As [`q8_0`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni,f16c,fma")]
unsafe fn q6_k(at: *const u8, blocks: usize, inputs: &Layout) -> __m512 {
    // SAFETY: a block is 210 bytes, and all that is read lies within it.
    unsafe {
        let low = _mm512_set1_epi8(15);
        let high = _mm512_set1_epi8(48);
        let halves = |first: i16, rest: i16| {
            let first = _mm512_castsi256_si512(_mm256_set1_epi16(first));
            _mm512_inserti64x4::<1>(first, _mm256_set1_epi16(rest))
        };
        let (up, down) = (halves(4, 2), halves(0, 2));
        let quarter = _mm512_srli_epi32::<2>(_mm512_set_epi32(
            15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
        ));
        let mut sums = _mm512_setzero_ps();
        for number in 0..blocks {
            let block = at.add(number * Q6K::BYTES);
            for line in [0, 64, 128, 192] {
                _mm_prefetch::<_MM_HINT_T0>(block.wrapping_add(AHEAD + line).cast());
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
                let above = _mm512_or_si512(
                    _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), low),
                    _mm512_and_si512(_mm512_srlv_epi16(bits, down), high),
                );
                for (part, weight) in [below, above].into_iter().enumerate() {
                    let vector = 2 * half + part;
                    let index = _mm512_add_epi32(quarter, _mm512_set1_epi32(4 * vector as i32));
                    let scales = _mm512_permutexvar_ps(index, scales);
                    sums = add(4 * number + vector, weight, scales, inputs, sums);
                }
            }
        }
        sums
    }
}
