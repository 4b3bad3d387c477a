//! Packed weights of `f32`, multiplied as one to three planes of bfloat16.
//!
//! The weight is split once, when it is packed; each block of rows is split when it is
//! multiplied, and stays in the second-level cache while the panels pass by.

#![expect(unsafe_code, reason = "tiles are computed through pointers")]

use super::tile::Sums;
use super::{COLUMNS, DEPTH, Finish, ROWS, TILE, finish, pack, tile};
use crate::gemm::{Call, Planes};
use crate::matmul::Precision;
use crate::stored::StoredMatrix;

/// Returns how weights are packed and multiplied for a precision.
pub(in crate::simd) fn planes(precision: Precision) -> &'static Planes {
    match precision {
        Precision::F32 => &const { of::<3>() },
        Precision::High => &const { of::<2>() },
        Precision::Bf16 => &const { of::<1>() },
    }
}

const fn of<const PLANES: usize>() -> Planes {
    Planes {
        columns: COLUMNS,
        panel: |inputs| inputs.div_ceil(DEPTH) * 2 * PLANES * TILE / 4,
        pack: pack_weight::<PLANES>,
        memory: |rows, inputs| {
            let rows = block::<PLANES>(inputs).min(rows).next_multiple_of(ROWS);
            SUMS / 4 + rows / 16 * inputs.div_ceil(DEPTH) * PLANES * TILE / 4
        },
        product: product::<PLANES>,
    }
}

/// Bytes of one product of tiles.
const SUMS: usize = ROWS * COLUMNS * 4;
/// Bytes of a block of rows.
const NEAR: usize = 640 << 10;

/// Returns the rows that are split together.
fn block<const PLANES: usize>(inputs: usize) -> usize {
    (NEAR / (inputs.div_ceil(DEPTH) * 2 * PLANES * TILE)).max(1) * ROWS
}

/// # Safety
/// `to` must be good for all panels, and the processor must have tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn pack_weight<const PLANES: usize>(weight: &StoredMatrix<'_>, to: *mut u8) {
    let tiles = weight.inputs().div_ceil(DEPTH);
    for (panel, from) in (0..weight.outputs()).step_by(COLUMNS).enumerate() {
        let end = weight.outputs().min(from + COLUMNS);
        // SAFETY: as the caller promises.
        unsafe {
            let to = to.add(panel * tiles * 2 * PLANES * TILE);
            pack::weight((weight, PLANES), from, end, 0, tiles, to);
        }
    }
}

/// # Safety
/// The shapes must be true, `memory` as large as [`planes`] says, and the processor must
/// have tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn product<const PLANES: usize>(call: &Call, memory: *mut u8) {
    let tiles = call.depth.div_ceil(DEPTH);
    let step = PLANES * TILE;
    let block = block::<PLANES>(call.depth);
    // SAFETY: the caller promises rows, columns and memory; what is computed beyond them
    // stays in `sums`.
    unsafe {
        let sums = memory.cast::<f32>();
        let packed = memory.add(SUMS);
        let input = std::slice::from_raw_parts(call.a, call.rows * call.depth);
        for first in (0..call.rows).step_by(block) {
            let rows = block.min(call.rows - first);
            let input = &input[first * call.depth..][..rows * call.depth];
            for row in (0..rows).step_by(16) {
                pack::input(PLANES, input, call.depth, row, packed);
            }
            let rest = rows % ROWS;
            if rest == 0 || rows > ROWS {
                tile::begin();
            }
            for column in (0..call.columns).step_by(COLUMNS) {
                let panel = call.b.add(column / COLUMNS * call.panel_stride).cast();
                for row in (0..rows).step_by(ROWS) {
                    let here = ROWS.min(rows - row);
                    if here < ROWS {
                        tile::begin_rows(here);
                    }
                    let packed = packed.add(row / 16 * tiles * step);
                    let multiply = if here > 16 {
                        tile::multiply([PLANES; 2])
                    } else {
                        tile::multiply_16(PLANES)
                    };
                    multiply(tiles, packed, step, tiles * step, panel, &Sums::alone(sums));
                    let at = (first + row) * call.out_stride + column;
                    finish(&Finish {
                        sums,
                        rows: here,
                        columns: COLUMNS.min(call.columns - column),
                        bias: (!call.bias.is_null()).then(|| call.bias.add(column)),
                        add: (!call.residual.is_null()).then(|| call.residual.add(at)),
                        activation: call.activation,
                        out: call.out.add(at),
                        stride: call.out_stride,
                    });
                }
                if rest > 0 && rows > ROWS {
                    tile::begin();
                }
            }
            tile::end();
        }
    }
}
