//! Blocks of a general product in bfloat16 with AVX-512's `vdpbf16ps`, for processors that
//! have it and no tiles.
//!
//! Both sides are packed as tiles: a left one has rows of 32 numbers along the depth, a
//! right one rows of 16 columns, pairs along the depth. So a pair of a left row, in all
//! places of a vector, and a row of a right tile are what the instruction takes.
//!
//! AMD's processors begin one of these in each cycle, which is twice as many products as of
//! `f32`. Intel's take longer: on Sapphire Rapids these loops reach 0.62 to 0.76 of
//! what those of `f32` do, so such processors keep to them.

#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

use super::amx;
use crate::matmul::blocks::{Loops, Part};

pub(super) static MATMUL: Loops = Loops {
    bytes: |_, _| [2, 2],
    deepest: |_| 512,
    multiply,
    ..amx::MATMUL_PACKING
};

/// Returns whether this processor is one of those that are faster so.
pub(super) fn is_fast() -> bool {
    // The maker's name, in three registers (AMD64 Architecture Programmer's Manual, vol. 3,
    // appendix E).
    let maker = __cpuid(0);
    [maker.ebx, maker.edx, maker.ecx].map(u32::to_le_bytes) == [*b"Auth", *b"enti", *b"cAMD"]
}

/// Rows that are multiplied together: with two vectors of columns 16 sums, enough that none
/// waits for the one before.
const ROWS: usize = 8;
/// Columns of a panel.
const COLUMNS: usize = 32;
/// Bytes of a tile, of a row of it, and pairs of its depth.
const TILE: usize = 1024;
const LINE: usize = 64;
const PAIRS: usize = 16;

/// # Safety
/// The part must be true, and the processor must have what is named.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn multiply(part: &Part) {
    let tiles = part.depth.div_ceil(2 * PAIRS);
    for column in (0..part.columns).step_by(COLUMNS) {
        let columns = COLUMNS.min(part.columns - column);
        // SAFETY: panels follow one another, and so do groups of 16 rows.
        unsafe {
            let right = part.right.add(column * tiles * TILE / 16);
            for row in (0..part.rows).step_by(ROWS) {
                let left = part.left.add(row / 16 * tiles * TILE + row % 16 * LINE);
                let sums = sums(tiles, left, right);
                let rows = ROWS.min(part.rows - row);
                put(part, &sums[..rows], row, column, columns);
            }
        }
    }
}

/// Returns the products of so many rows and two vectors of columns.
///
/// # Safety
/// The tiles must be there.
#[expect(
    clippy::needless_range_loop,
    reason = "through iterators the sums are kept in memory"
)]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn sums(tiles: usize, left: *const u8, right: *const u8) -> [[__m512; 2]; ROWS] {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for tile in 0..tiles {
        for pair in 0..PAIRS {
            // SAFETY: as the caller promises.
            unsafe {
                let at = right.add(tile * 2 * TILE + pair * LINE);
                let columns = both!(half in [0, TILE] => {
                    brain(_mm512_load_si512(at.add(half).cast()))
                });
                let at = left.add(tile * TILE + 4 * pair);
                for row in 0..ROWS {
                    let both = at.add(row * LINE).cast::<i32>().read();
                    let both = brain(_mm512_set1_epi32(both));
                    sums[row][0] = _mm512_dpbf16_ps(sums[row][0], both, columns[0]);
                    sums[row][1] = _mm512_dpbf16_ps(sums[row][1], both, columns[1]);
                }
            }
        }
    }
    sums
}

/// Puts sums where they belong, with the bias, or adds them.
///
/// # Safety
/// The rows and columns must be there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
unsafe fn put(part: &Part, sums: &[[__m512; 2]], row: usize, column: usize, columns: usize) {
    for half in 0..2 {
        let left = columns.saturating_sub(16 * half).min(16);
        let mask = ((1u32 << left) - 1) as u16;
        let column = column + 16 * half;
        // SAFETY: masks keep to the columns; a bias goes on to the last panel's full width.
        unsafe {
            let bias = if part.bias.is_null() {
                _mm512_setzero_ps()
            } else {
                _mm512_maskz_loadu_ps(mask, part.bias.wrapping_add(column))
            };
            for (offset, sums) in sums.iter().enumerate() {
                let out = part
                    .out
                    .wrapping_add((row + offset) * part.out_stride + column);
                let mut v = _mm512_add_ps(sums[half], bias);
                if part.add {
                    v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, out));
                }
                _mm512_mask_storeu_ps(out, mask, v);
            }
        }
    }
}

fn brain(v: __m512i) -> __m512bh {
    // SAFETY: both are 64 bytes of which every pattern is valid.
    unsafe { std::mem::transmute(v) }
}
