//! Products of many tokens with Intel's AMX: tiles of 16 rows, of which one instruction
//! multiplies two, sixteen times as fast as vectors do.
//!
//! Tiles hold bfloat16, which has eight bits of a number. So a number is split into
//! planes, each the nearest bfloat16 to what the planes before it leave: three hold all
//! of an `f32`. Products of planes are added up in `f32`; those below the precision
//! aimed at are left out (Henry et al. 2019, *Leveraging the bfloat16 Artificial
//! Intelligence Datatype For Higher-Precision Computations*):
//!
//! | weight | input × weight, planes | products | error beside `f32`'s own |
//! |---|---|---|---|
//! | F32 | 3 × 3 | 6 | none seen |
//! | F32, [high](Precision::High) | 2 × 2 | 3 | 3 · 2⁻¹⁶ |
//! | F16 | 2 × 2 | 3 | 2⁻¹⁶ |
//! | BF16 | 2 × 1 | 2 | 2⁻¹⁷ |
//! | quantised | 1 × 1 | 1 | 2⁻⁸, less than an input in 8 bits has |
//!
//! Rust has no stable intrinsics for tiles; the loops over them are [assembly](tile).

#![expect(unsafe_code, reason = "intrinsics")]

mod blocks;
mod pack;
mod packed;
pub(super) mod tile;

use std::arch::x86_64::*;
use std::sync::OnceLock;

use super::avx512::Avx512;
use crate::activation::{self, Activation};
use crate::format::Format;
use crate::matmul::Precision;
use crate::stored::StoredMatrix;
use crate::stored::tiles::{Part, Tiles};

pub(super) use blocks::{MATMUL, PACKING as MATMUL_PACKING};
pub(super) use packed::planes as packed_planes;

pub(super) static TILES: Tiles = Tiles {
    rows: ROWS,
    columns: COLUMNS,
    planes,
    input_bytes,
    panel_bytes,
    pack_input: pack::input,
    part,
};

/// Tokens, and outputs, of one pass of the inner loop: two tiles of 16.
const ROWS: usize = 32;
const COLUMNS: usize = 32;
/// Inputs in a tile.
const DEPTH: usize = 32;
/// Bytes of a tile.
const TILE: usize = 1024;

/// Planes of the input and the weight that a format takes.
fn planes(format: Format, precision: Precision) -> [usize; 2] {
    match (format, precision) {
        (_, Precision::Bf16) => [1, 1],
        (Format::F32, Precision::F32) => [3, 3],
        (Format::F32 | Format::F16, _) => [2, 2],
        (Format::Bf16, _) => [2, 1],
        (Format::Q8_0 | Format::Q4_0 | Format::Q4K | Format::Q6K, _) => [1, 1],
    }
}

/// Returns the tiles of the depth that are taken together, so that their planes stay in
/// the second-level cache, and how often.
fn steps(inputs: usize, planes: usize) -> (usize, usize) {
    let tiles = inputs.div_ceil(DEPTH);
    let most = if planes == 3 { 16 } else { 24 };
    let steps = tiles.div_ceil(most);
    (tiles.div_ceil(steps), steps)
}

fn input_bytes(planes: usize, tokens: usize, inputs: usize) -> usize {
    tokens.div_ceil(ROWS) * 2 * inputs.div_ceil(DEPTH) * planes * TILE
}

fn panel_bytes(planes: usize, inputs: usize, outputs: usize) -> usize {
    let tiles = steps(inputs, planes).0;
    // And a place for one product of tiles.
    outputs.div_ceil(COLUMNS) * 2 * tiles * planes * TILE + ROWS * COLUMNS * 4
}

/// # Safety
/// The shapes must be true, and the processor must have been asked by [`available`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn part(part: &Part<'_>) {
    let weight: &StoredMatrix<'_> = part.weight;
    let (inputs, outputs) = (weight.inputs(), weight.outputs());
    let (input_planes, [_, weight_planes]) = (part.input_planes, part.planes);
    let multiply = tile::multiply(part.planes);
    let all_tiles = inputs.div_ceil(DEPTH);
    let (step, steps) = steps(inputs, weight_planes);
    let panels = (part.to - part.from).div_ceil(COLUMNS);
    // SAFETY: the caller promises the shapes; `panel_bytes` counts what is written.
    unsafe {
        let sums = part.memory.cast::<f32>();
        let panel_start = part.memory.add(ROWS * COLUMNS * 4);
        tile::begin();
        for number in 0..steps {
            let first = number * step;
            let tiles = step.min(all_tiles.saturating_sub(first));
            if tiles == 0 {
                break;
            }
            let panel_size = 2 * tiles * weight_planes * TILE;
            for panel in 0..panels {
                let from = part.from + panel * COLUMNS;
                pack::weight(
                    (weight, weight_planes),
                    from,
                    part.to.min(from + COLUMNS),
                    first,
                    tiles,
                    panel_start.add(panel * panel_size),
                );
            }
            let last = first + tiles == all_tiles;
            for row in (0..part.tokens).step_by(ROWS) {
                let input = part
                    .input
                    .add((row / 16 * all_tiles + first) * input_planes * TILE);
                for panel in 0..panels {
                    let from = part.from + panel * COLUMNS;
                    let rows = ROWS.min(part.tokens - row);
                    let columns = COLUMNS.min(part.to - from);
                    let bias = match part.bias {
                        Some(bias) if first == 0 => Some(bias.as_ptr().add(from)),
                        _ => None,
                    };
                    let out = part.output.add(row * outputs + from);
                    multiply(
                        tiles,
                        input,
                        input_planes * TILE,
                        all_tiles * input_planes * TILE,
                        panel_start.add(panel * panel_size),
                        &tile::Sums::alone(sums),
                    );
                    finish(&Finish {
                        sums,
                        rows,
                        columns,
                        bias,
                        add: (part.add || first > 0).then_some(out.cast_const()),
                        activation: if last {
                            part.activation
                        } else {
                            Activation::Identity
                        },
                        out,
                        stride: outputs,
                    });
                }
            }
        }
        tile::end();
    }
}

/// What becomes of one product of tiles.
struct Finish {
    /// `(ROWS, COLUMNS)`
    sums: *const f32,
    rows: usize,
    columns: usize,
    bias: Option<*const f32>,
    /// What is added, if anything; it lies like `out`, which it may be.
    add: Option<*const f32>,
    activation: Activation,
    out: *mut f32,
    stride: usize,
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn finish(finish: &Finish) {
    // SAFETY: the caller promises `rows` rows of `columns` outputs; masks keep to them.
    unsafe {
        for half in 0..2 {
            let left = finish.columns.saturating_sub(16 * half).min(16);
            let mask = ((1u32 << left) - 1) as u16;
            let bias = match finish.bias {
                Some(bias) => _mm512_maskz_loadu_ps(mask, bias.wrapping_add(16 * half)),
                None => _mm512_setzero_ps(),
            };
            for row in 0..finish.rows {
                let at = row * finish.stride + 16 * half;
                let mut v = _mm512_loadu_ps(finish.sums.add(row * COLUMNS + 16 * half));
                v = _mm512_add_ps(v, bias);
                if let Some(add) = finish.add {
                    v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, add.wrapping_add(at)));
                }
                _mm512_mask_storeu_ps(finish.out.wrapping_add(at), mask, v);
            }
        }
        if finish.activation != Activation::Identity {
            for row in 0..finish.rows {
                let out = finish.out.add(row * finish.stride);
                activation::run::<Avx512>(finish.activation, out, finish.columns);
            }
        }
    }
}

/// Returns whether the processor has tiles and the system lets this program use them.
pub(super) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| in_processor() && permitted())
}

/// Intel SDM, vol. 2A, CPUID: leaf 7 says AMX-BF16 in bit 22 of EDX, AMX-TILE in bit 24
/// and AMX-INT8 in bit 25; XCR0 has the tiles' state in bits 17 and 18.
fn in_processor() -> bool {
    // SAFETY: every processor with AVX-512 has CPUID's leaf 7, and, the system having
    // switched that on, XGETBV.
    #[target_feature(enable = "xsave")]
    unsafe fn state() -> u64 {
        // SAFETY: as above.
        unsafe { _xgetbv(0) }
    }
    let leaf = __cpuid_count(7, 0);
    // SAFETY: as above.
    let state = unsafe { state() };
    leaf.edx >> 22 & 1 == 1 && leaf.edx >> 24 & 3 == 3 && state >> 17 & 3 == 3
}

/// Asks Linux for the tiles' state (`Documentation/arch/x86/xstate.rst`), which it gives
/// to those who ask, for the whole process.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let answer: i64;
    // SAFETY: the call changes nothing but this process's permission.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
