//! Products of 8 bits with AVX-512 VNNI and with AMX's tiles.

#![expect(unsafe_code, reason = "intrinsics")]
#![expect(
    clippy::needless_range_loop,
    reason = "through iterators the sums are kept in memory"
)]

use std::arch::x86_64::*;

use super::amx::tile;
use super::avx512::Avx512;
use crate::activation::{self, Activation};
use crate::int8::{COLUMNS, Int8Call, Int8Loops, Round, STEP};

pub(super) static VNNI: Int8Loops = Int8Loops {
    panels: true,
    moved: true,
    product: by_vectors,
};

pub(super) static AMX: Int8Loops = Int8Loops {
    panels: true,
    moved: false,
    product: by_tiles,
};

/// Rounds 16 numbers at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) unsafe fn round_rows(round: &Round) {
    // SAFETY: the caller promises the shapes; masks keep to the row, and the depth is
    // a multiple of 16.
    unsafe {
        let offset = _mm_set1_epi8(if round.moved { -128 } else { 0 });
        for row in 0..round.rows {
            let from = round.input.add(row * round.inputs);
            let to = round.to.add(row * round.depth);
            let part = |k: usize| {
                let left = round.inputs.saturating_sub(k).min(16);
                _mm512_maskz_loadu_ps(((1u32 << left) - 1) as u16, from.wrapping_add(k))
            };
            let mut most = _mm512_setzero_ps();
            for k in (0..round.inputs).step_by(16) {
                most = _mm512_max_ps(most, _mm512_abs_ps(part(k)));
            }
            let most = _mm512_reduce_max_ps(most);
            let inverse = if most == 0.0 { 0.0 } else { 127.0 / most };
            *round.scales.add(row) = most / 127.0;
            let inverse = _mm512_set1_ps(inverse);
            for k in (0..round.depth).step_by(16) {
                let whole = _mm512_cvtps_epi32(_mm512_mul_ps(part(k), inverse));
                let bytes = _mm_xor_si128(_mm512_cvtsepi32_epi8(whole), offset);
                _mm_storeu_si128(to.add(k).cast(), bytes);
            }
        }
    }
}

/// Rows of one pass of the inner loop: with 24 sums, as in `gemm.rs`.
const ROWS: usize = 12;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn by_vectors(call: &Int8Call) {
    // SAFETY: the caller promises the shapes.
    unsafe {
        for column in (0..call.columns).step_by(COLUMNS) {
            let mut row = 0;
            while call.rows - row >= ROWS {
                vectors::<ROWS>(call, row, column);
                row += ROWS;
            }
            while call.rows - row >= 4 {
                vectors::<4>(call, row, column);
                row += 4;
            }
            while row < call.rows {
                vectors::<1>(call, row, column);
                row += 1;
            }
        }
    }
}

/// Computes `R` rows of the panel that starts at `column`. The inputs are moved up by
/// 128, so the sums start from what that adds too much.
///
/// # Safety
/// As of `by_vectors`, with `R` rows there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn vectors<const R: usize>(call: &Int8Call, row: usize, column: usize) {
    // SAFETY: the caller promises the rows; a panel is `depth · COLUMNS` bytes.
    unsafe {
        let start = both!(half in [0, 16] => {
            let sums = _mm512_loadu_si512(call.sums.add(column + half).cast());
            _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32::<7>(sums))
        });
        let mut sums = [start; R];
        let input = call.input.add(row * call.depth);
        let panel = call.weights.add(column * call.depth);
        for k in (0..call.depth).step_by(4) {
            let weights =
                both!(at in [0, 64] => _mm512_loadu_si512(panel.add(k * COLUMNS + at).cast()));
            for r in 0..R {
                let four = input.add(r * call.depth + k).cast::<i32>().read_unaligned();
                let four = _mm512_set1_epi32(four);
                sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], four, weights[0]);
                sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], four, weights[1]);
            }
        }
        for r in 0..R {
            finish(call, row + r, column, sums[r]);
        }
    }
}

/// Writes the sums of a row of a panel.
///
/// # Safety
/// The row and the column must be in the output.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn finish(call: &Int8Call, row: usize, column: usize, sums: [__m512i; 2]) {
    let columns = (call.columns - column).min(COLUMNS);
    // SAFETY: scales and bias are to the panel's full width, and masks keep to the rest.
    unsafe {
        let input_scale = _mm512_set1_ps(*call.input_scales.add(row));
        let at = row * call.columns + column;
        for (half, sums) in sums.into_iter().enumerate() {
            let left = columns.saturating_sub(16 * half).min(16);
            let mask = ((1u32 << left) - 1) as u16;
            let scale = _mm512_loadu_ps(call.scales.add(column + 16 * half));
            let scale = _mm512_mul_ps(scale, input_scale);
            let bias = _mm512_loadu_ps(call.bias.add(column + 16 * half));
            let mut v = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), scale, bias);
            if !call.residual.is_null() {
                let residual = call.residual.wrapping_add(at + 16 * half);
                v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, residual));
            }
            _mm512_mask_storeu_ps(call.out.wrapping_add(at + 16 * half), mask, v);
        }
        if call.activation != Activation::Identity {
            activation::run::<Avx512>(call.activation, call.out.add(at), columns);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn by_tiles(call: &Int8Call) {
    /// The product of two tiles by two.
    #[repr(align(64))]
    struct Sums([i32; 32 * COLUMNS]);
    let mut sums = Sums([0; 32 * COLUMNS]);
    // SAFETY: the caller promises the shapes, and memory for whole tiles of rows.
    unsafe {
        tile::begin();
        for column in (0..call.columns).step_by(COLUMNS) {
            for first in (0..call.rows).step_by(32) {
                tile::multiply_bytes(
                    call.depth / STEP,
                    call.input.add(first * call.depth),
                    call.depth,
                    call.weights.add(column * call.depth),
                    sums.0.as_mut_ptr(),
                );
                for row in 0..32.min(call.rows - first) {
                    let at = sums.0.as_ptr().add(row * COLUMNS);
                    let two = both!(half in [0, 16] => _mm512_load_si512(at.add(half).cast()));
                    finish(call, first + row, column, two);
                }
            }
        }
        tile::end();
    }
}
