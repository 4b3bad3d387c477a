//! Blocks of a general product, packed as tiles and multiplied.
//!
//! A left tile has rows of 32 numbers along the depth; a right one has rows of 16 columns,
//! pairs along the depth. As pairs of numbers, one is the transpose of the other. So
//! whether a side's lines run along the depth or across it, its numbers are split into
//! planes as they are read, and either stored or transposed.

#![expect(unsafe_code, reason = "tiles are computed through pointers")]

use std::arch::x86_64::*;

use super::pack::split;
use super::tile::{self, Sums};
use super::{COLUMNS, DEPTH, Finish, ROWS, TILE, finish};
use crate::activation::Activation;
use crate::format::Format;
use crate::matmul::Precision;
use crate::matmul::blocks::{Loops, Pack, Part};
use crate::simd::wide::{transpose, widen};

pub(in crate::simd) static MATMUL: Loops = PACKING;

/// The same; its packing needs no tiles.
pub(in crate::simd) const PACKING: Loops = Loops {
    rows: ROWS,
    columns: COLUMNS,
    depth: DEPTH,
    bytes,
    // One plane of the left piece and the panel fit the first-level cache.
    deepest: |[left, _]| if left == 2 { 512 } else { 768 },
    in_place: false,
    pack_left,
    pack_right,
    multiply,
};

/// Two for each plane.
fn bytes(precision: Precision, formats: [Format; 2]) -> [usize; 2] {
    match (precision, formats) {
        (Precision::Bf16, _) | (_, [Format::Bf16, Format::Bf16]) => [2, 2],
        (Precision::F32, [_, Format::Bf16]) => [6, 2],
        (Precision::High, [_, Format::Bf16]) => [4, 2],
        (Precision::High, _) => [4, 4],
        (Precision::F32, _) => [6, 6],
    }
}

/// Calls `$of` with the number of the format and the planes spelt out, so that each has a
/// loop of its own.
macro_rules! spelt_out {
    ($of:ident($pack:expr)) => {
        match ($pack.factor.lines().format, $pack.bytes / 2) {
            (Format::F32, 1) => $of::<0, 1>($pack),
            (Format::F16, 1) => $of::<1, 1>($pack),
            (Format::Bf16, 1) => $of::<2, 1>($pack),
            (Format::Q8_0, 1) => $of::<3, 1>($pack),
            (Format::Q4_0, 1) => $of::<4, 1>($pack),
            (Format::Q4K, 1) => $of::<5, 1>($pack),
            (Format::Q6K, 1) => $of::<6, 1>($pack),
            (Format::F32, 2) => $of::<0, 2>($pack),
            (Format::F16, 2) => $of::<1, 2>($pack),
            (Format::Bf16, 2) => $of::<2, 2>($pack),
            (Format::Q8_0, 2) => $of::<3, 2>($pack),
            (Format::Q4_0, 2) => $of::<4, 2>($pack),
            (Format::Q4K, 2) => $of::<5, 2>($pack),
            (Format::Q6K, 2) => $of::<6, 2>($pack),
            (Format::F32, _) => $of::<0, 3>($pack),
            (Format::F16, _) => $of::<1, 3>($pack),
            (Format::Bf16, _) => $of::<2, 3>($pack),
            (Format::Q8_0, _) => $of::<3, 3>($pack),
            (Format::Q4_0, _) => $of::<4, 3>($pack),
            (Format::Q4K, _) => $of::<5, 3>($pack),
            (Format::Q6K, _) => $of::<6, 3>($pack),
        }
    };
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn pack_left(pack: &Pack<'_>) {
    // SAFETY: as the caller promises.
    unsafe { spelt_out!(left_of(pack)) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn pack_right(pack: &Pack<'_>) {
    // SAFETY: as the caller promises.
    unsafe { spelt_out!(right_of(pack)) }
}

/// # Safety
/// As all packing.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn left_of<const FORMAT: usize, const PLANES: usize>(pack: &Pack<'_>) {
    let tiles = (pack.depth_to - pack.depth_from).div_ceil(DEPTH);
    let sixteen = tiles * PLANES * TILE;
    let rows = (pack.to - pack.from).next_multiple_of(ROWS);
    // SAFETY: groups of 16 rows follow one another, up to a whole number of 32.
    unsafe {
        if pack.factor.is_turned() {
            for tile in 0..tiles {
                for row in (0..rows).step_by(ROWS) {
                    let out = pack.out.add(row / 16 * sixteen + tile * PLANES * TILE);
                    let halves = [out, out.add(sixteen)];
                    pairs::<FORMAT, PLANES>(pack, tile, pack.from + row, halves, TILE);
                    for plane in 0..PLANES {
                        turn(halves[0].add(plane * TILE));
                        turn(halves[1].add(plane * TILE));
                    }
                }
            }
        } else {
            for row in (0..rows).step_by(16) {
                for tile in 0..tiles {
                    let out = pack.out.add(row / 16 * sixteen + tile * PLANES * TILE);
                    along::<FORMAT, PLANES>(pack, tile, pack.from + row, out, TILE);
                }
            }
        }
    }
}

/// # Safety
/// As all packing.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn right_of<const FORMAT: usize, const PLANES: usize>(pack: &Pack<'_>) {
    let tiles = (pack.depth_to - pack.depth_from).div_ceil(DEPTH);
    let panel = tiles * PLANES * 2 * TILE;
    let columns = (pack.to - pack.from).next_multiple_of(COLUMNS);
    // SAFETY: panels of 32 columns follow one another; each plane is a tile for the first
    // 16, and one for the others.
    unsafe {
        if pack.factor.is_turned() {
            for column in (0..columns).step_by(16) {
                let out = pack
                    .out
                    .add(column / COLUMNS * panel + column % COLUMNS / 16 * TILE);
                for tile in 0..tiles {
                    let out = out.add(tile * PLANES * 2 * TILE);
                    along::<FORMAT, PLANES>(pack, tile, pack.from + column, out, 2 * TILE);
                    for plane in 0..PLANES {
                        turn(out.add(plane * 2 * TILE));
                    }
                }
            }
        } else {
            for tile in 0..tiles {
                for column in (0..columns).step_by(COLUMNS) {
                    let out = pack
                        .out
                        .add(column / COLUMNS * panel + tile * PLANES * 2 * TILE);
                    let halves = [out, out.add(TILE)];
                    pairs::<FORMAT, PLANES>(pack, tile, pack.from + column, halves, 2 * TILE);
                }
            }
        }
    }
}

/// Turns a tile of pairs.
///
/// # Safety
/// A tile must be at `at`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn turn(at: *mut u8) {
    // SAFETY: as the caller promises.
    unsafe {
        let at = at.cast::<[__m512i; 16]>();
        at.write(transpose(at.read()));
    }
}

/// How far ahead lines that run along the depth are fetched, in bytes.
const AHEAD: usize = 512;

/// Has what a tile's row of numbers takes brought near: two lines, of `f32`.
#[inline(always)]
fn fetch(at: *const u8) {
    // SAFETY: what is fetched may lie anywhere.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(64).cast());
    }
}

/// Puts the planes of tile `tile` of the depth of the sixteen lines from `first` on, which
/// run along it, or zeros where there is none, to `out`, a row for each line, and each
/// plane `step` bytes after the one before.
///
/// # Safety
/// As all packing.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn along<const FORMAT: usize, const PLANES: usize>(
    pack: &Pack<'_>,
    tile: usize,
    first: usize,
    out: *mut u8,
    step: usize,
) {
    let format = const { Format::ALL[FORMAT] };
    let lines = pack.factor.lines();
    let at = pack.depth_from / DEPTH + tile;
    let count = (pack.depth_to - at * DEPTH).min(DEPTH);
    let number = DEPTH * format.block_bytes() / format.block_numbers();
    let here = pack.to.saturating_sub(first).min(16);
    // SAFETY: the lines before `to` are there, and of each the numbers before the depth.
    unsafe {
        for row in 0..16 {
            let mut planes = [_mm512_setzero_si512(); 3];
            if row < here {
                fetch(lines.line(first + row).wrapping_add(at * number + AHEAD));
                planes = split(widen(format, lines.line(first + row), at, count), PLANES);
            }
            for (plane, line) in planes.iter().take(PLANES).enumerate() {
                let to = out.add(plane * step + 64 * row);
                _mm512_store_si512(to.cast(), *line);
            }
        }
    }
}

/// Puts the planes of 32 numbers from `first` on of each line of tile `tile` of the depth,
/// which lines run across, or zeros where there is none, to `halves`: of two neighbouring
/// lines the pairs of their numbers in one row, and each plane `step` bytes after the one
/// before.
///
/// # Safety
/// As all packing.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn pairs<const FORMAT: usize, const PLANES: usize>(
    pack: &Pack<'_>,
    tile: usize,
    first: usize,
    halves: [*mut u8; 2],
    step: usize,
) {
    let format = const { Format::ALL[FORMAT] };
    let lines = pack.factor.lines();
    let from = pack.depth_from + tile * DEPTH;
    let number = 32 * format.block_bytes() / format.block_numbers();
    let count = pack.to.saturating_sub(first).min(32);
    // Places that neighbouring numbers of two lines come from.
    let places: [i16; 32] = const {
        let mut places = [0; 32];
        let mut i = 0;
        while i < 32 {
            places[i] = (i / 2 + i % 2 * 32) as i16;
            i += 1;
        }
        places
    };
    // SAFETY: the lines before the depth's end are there, and of each the numbers before
    // `to`.
    unsafe {
        let low = _mm512_loadu_si512(places.as_ptr().cast());
        let high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
        for pair in 0..16 {
            let [even, odd] = both!(line in [from + 2 * pair, from + 2 * pair + 1] => {
                if line < pack.depth_to && count > 0 {
                    // Lines are far apart, which nothing but this foresees.
                    let next = lines.bytes.as_ptr().wrapping_add((line + DEPTH) * lines.line_bytes);
                    fetch(next.wrapping_add(first / 32 * number));
                    split(widen(format, lines.line(line), first / 32, count), PLANES)
                } else {
                    [_mm512_setzero_si512(); 3]
                }
            });
            for plane in 0..PLANES {
                let at = plane * step + 64 * pair;
                let (even, odd) = (even[plane], odd[plane]);
                let pairs = _mm512_permutex2var_epi16(even, low, odd);
                _mm512_store_si512(halves[0].add(at).cast(), pairs);
                let pairs = _mm512_permutex2var_epi16(even, high, odd);
                _mm512_store_si512(halves[1].add(at).cast(), pairs);
            }
        }
    }
}

/// # Safety
/// The part must be true, and the processor must have tiles.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512bf16,f16c,fma")]
unsafe fn multiply(part: &Part) {
    #[repr(align(64))]
    struct Square([f32; ROWS * COLUMNS]);
    let mut square = Square([0.0; ROWS * COLUMNS]);
    let tiles = part.depth.div_ceil(DEPTH);
    let [left_step, right_step] = part.bytes.map(|bytes| bytes / 2 * TILE);
    let product = tile::multiply(part.bytes.map(|bytes| bytes / 2));
    // SAFETY: rows and columns that are there are written where they belong, and what is
    // computed beyond them stays in `square`.
    unsafe {
        tile::begin();
        for column in (0..part.columns).step_by(COLUMNS) {
            let columns = COLUMNS.min(part.columns - column);
            let right = part.right.add(column * tiles * right_step / 16);
            // The next panel, of which each product of tiles fetches an eighth.
            let ahead = right.wrapping_add(2 * tiles * right_step);
            let bias = (!part.bias.is_null()).then(|| part.bias.add(column));
            for row in (0..part.rows).step_by(ROWS) {
                let rows = ROWS.min(part.rows - row);
                let left = part.left.add(row * tiles * left_step / 16);
                let out = part.out.add(row * part.out_stride + column);
                let next_out = if row + ROWS < part.rows {
                    out.wrapping_add(ROWS * part.out_stride)
                } else {
                    part.out.wrapping_add(column + columns)
                };
                let whole = rows == ROWS && columns == COLUMNS;
                let sums = if whole && !(part.add && bias.is_some()) {
                    let stride = part.out_stride * size_of::<f32>();
                    let (start, start_stride) = match bias {
                        Some(bias) => (bias, 0),
                        None if part.add => (out.cast_const(), stride),
                        None => (tile::NOTHING.as_ptr(), 0),
                    };
                    Sums {
                        start,
                        start_stride,
                        out,
                        out_stride: stride,
                        next: next_out,
                        ahead: ahead.wrapping_add(row / ROWS * tiles * right_step / 4),
                    }
                } else {
                    Sums::alone(square.0.as_mut_ptr())
                };
                // The loop fetches a row for each tile of the depth; here are the others.
                for row in tiles..ROWS.min(part.rows) {
                    let next = next_out.wrapping_add(row * part.out_stride).cast();
                    _mm_prefetch::<_MM_HINT_ET0>(next);
                    _mm_prefetch::<_MM_HINT_ET0>(next.wrapping_add(64));
                }
                product(tiles, left, left_step, tiles * left_step, right, &sums);
                if !std::ptr::eq(sums.out, out) {
                    finish(&Finish {
                        sums: square.0.as_ptr(),
                        rows,
                        columns,
                        bias,
                        add: part.add.then_some(out.cast_const()),
                        activation: Activation::Identity,
                        out,
                        stride: part.out_stride,
                    });
                }
            }
        }
        tile::end();
    }
}
