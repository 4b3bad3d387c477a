//! Packing for processors that multiply vectors: numbers are widened to `f32`, rows of the
//! left matrix lie one behind another, and columns of the right one in panels, each read
//! from end to end by [tiles of registers](crate::gemm).

#![expect(unsafe_code, reason = "numbers are moved through pointers")]

use super::Lines;
use super::blocks::{GROUP, Pack, Part};
use crate::activation::Activation;
use crate::format::{Format, Q4_0, Q4K, Q6K, Q8_0};
use crate::gemm::{self, Call};
use crate::simd::Lanes;
use crate::stored::vector::{Brain, Half, Single, Whole};

/// The most depth that is packed at a time: a panel of 32 columns then takes 64 KiB.
pub(crate) const DEEPEST: usize = 512;

/// Lines that are turned together, and numbers of each.
const LINES: usize = 16;
const NUMBERS: usize = GROUP;

/// Packs rows of a left matrix: row by row, as many numbers as the depth.
///
/// # Safety
/// The rows, the depth and the place for them must be there; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn pack_left<L: Lanes>(pack: &Pack<'_>) {
    let lines = pack.factor.lines();
    let depth = pack.depth_to - pack.depth_from;
    let out = pack.out.cast::<f32>();
    // SAFETY: as the caller promises.
    unsafe {
        if pack.factor.is_turned() {
            // The depth runs across the lines: what stands in a line goes down a column.
            turn::<L, LINES>(
                &lines,
                [pack.depth_from, pack.depth_to],
                [pack.from, pack.to],
                &|number, line| out.add(number * depth + line),
            );
        } else {
            for row in pack.from..pack.to {
                let to = out.add((row - pack.from) * depth);
                fetch::<L>(&lines, row, pack.depth_from, pack.depth_to, to);
            }
        }
    }
}

/// Packs columns of a right matrix as panels of `WIDE`.
///
/// # Safety
/// As [`pack_left`].
#[inline(always)]
pub(crate) unsafe fn pack_right<L: Lanes, const WIDE: usize>(pack: &Pack<'_>) {
    let lines = pack.factor.lines();
    let depth = pack.depth_to - pack.depth_from;
    let count = pack.to - pack.from;
    let out = pack.out.cast::<f32>();
    let place = |column: usize, k: usize| column / WIDE * WIDE * depth + k * WIDE + column % WIDE;
    // SAFETY: as the caller promises; panels are filled up to their full width.
    unsafe {
        if pack.factor.is_turned() {
            turn::<L, WIDE>(
                &lines,
                [pack.from, pack.to],
                [pack.depth_from, pack.depth_to],
                &|k, column| out.add(place(column, k)),
            );
        } else {
            let mut numbers = [0.0; GROUP];
            for k in 0..depth {
                fetch::<L>(
                    &lines,
                    pack.depth_from + k,
                    pack.from,
                    pack.to,
                    numbers.as_mut_ptr(),
                );
                for (panel, numbers) in numbers[..count].chunks(WIDE).enumerate() {
                    let to = out.add(place(panel * WIDE, k));
                    std::ptr::copy_nonoverlapping(numbers.as_ptr(), to, numbers.len());
                }
            }
        }
        for column in count..count.next_multiple_of(WIDE) {
            for k in 0..depth {
                *out.add(place(column, k)) = 0.0;
            }
        }
    }
}

/// Puts number `n` of line `l` of the given ranges to `place(n, l)`, both counted from
/// the ranges' beginnings. Of `WIDE` neighbouring lines, if the first is a multiple of
/// that, the places must be neighbours.
///
/// # Safety
/// As [`pack_left`].
#[inline(always)]
unsafe fn turn<L: Lanes, const WIDE: usize>(
    lines: &Lines<'_>,
    [first_line, last_line]: [usize; 2],
    [first, last]: [usize; 2],
    place: &impl Fn(usize, usize) -> *mut f32,
) {
    let wide = const { if WIDE < LINES { WIDE } else { LINES } };
    let mut numbers = [[0.0; NUMBERS]; LINES];
    // SAFETY: as the caller promises.
    unsafe {
        for line in (first_line..last_line).step_by(wide) {
            let here = wide.min(last_line - line);
            for from in (first..last).step_by(NUMBERS) {
                let to = last.min(from + NUMBERS);
                for (offset, numbers) in numbers.iter_mut().take(here).enumerate() {
                    fetch::<L>(lines, line + offset, from, to, numbers.as_mut_ptr());
                }
                for number in 0..to - from {
                    let place = place(from - first + number, line - first_line);
                    for (offset, numbers) in numbers.iter().take(here).enumerate() {
                        *place.add(offset) = numbers[number];
                    }
                }
            }
        }
    }
}

/// Sets `to` to numbers `from` to `until` of a line.
///
/// # Safety
/// As [`pack_left`].
#[inline(always)]
unsafe fn fetch<L: Lanes>(lines: &Lines<'_>, line: usize, from: usize, until: usize, to: *mut f32) {
    // SAFETY: as the caller promises.
    unsafe {
        let at = lines.line(line);
        match lines.format {
            Format::F32 => singles::<L, Whole>(at, from, until, to),
            Format::F16 => singles::<L, Half>(at, from, until, to),
            Format::Bf16 => singles::<L, Brain>(at, from, until, to),
            Format::Q8_0 => blocks::<34, 32>(at, from, until, to, Q8_0::widen),
            Format::Q4_0 => blocks::<18, 32>(at, from, until, to, Q4_0::widen),
            Format::Q4K => blocks::<144, 256>(at, from, until, to, Q4K::widen),
            Format::Q6K => blocks::<210, 256>(at, from, until, to, Q6K::widen),
        }
    }
}

/// # Safety
/// As [`fetch`].
#[inline(always)]
unsafe fn singles<L: Lanes, S: Single>(at: *const u8, from: usize, until: usize, to: *mut f32) {
    let count = until - from;
    // SAFETY: as the caller promises.
    unsafe {
        let at = at.add(from * S::BYTES);
        for k in (0..count).step_by(L::COUNT) {
            let here = L::COUNT.min(count - k);
            if here == L::COUNT {
                L::store(to.add(k), S::load::<L>(at.add(k * S::BYTES)));
            } else {
                L::store_part(
                    to.add(k),
                    here,
                    S::load_part::<L>(at.add(k * S::BYTES), here),
                );
            }
        }
    }
}

/// # Safety
/// As [`fetch`].
#[inline(always)]
unsafe fn blocks<const BYTES: usize, const COUNT: usize>(
    at: *const u8,
    from: usize,
    until: usize,
    to: *mut f32,
    widen: impl Fn(&[u8; BYTES], &mut [f32; COUNT]),
) {
    let mut numbers = [0.0; COUNT];
    let mut next = from;
    while next < until {
        let (block, skip) = (next / COUNT, next % COUNT);
        let here = (COUNT - skip).min(until - next);
        // SAFETY: as the caller promises.
        unsafe {
            widen(&*at.add(block * BYTES).cast(), &mut numbers);
            std::ptr::copy_nonoverlapping(numbers.as_ptr().add(skip), to.add(next - from), here);
        }
        next += here;
    }
}

/// Multiplies blocks in tiles of at most `R` × `W` vectors.
///
/// # Safety
/// The part must be true, and the right block packed in panels of `W` vectors; else as
/// all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn multiply<L: Lanes, const R: usize, const W: usize>(part: &Part) {
    let wide = W * L::COUNT;
    let call = Call {
        rows: part.rows,
        depth: part.depth,
        columns: part.columns,
        a: part.left.cast(),
        a_stride: part.left_stride,
        a_step: 1,
        b: part.right.cast(),
        b_stride: wide,
        panel_stride: wide * part.depth,
        bias: part.bias,
        residual: if part.add {
            part.out.cast_const()
        } else {
            std::ptr::null()
        },
        out: part.out,
        out_stride: part.out_stride,
        activation: Activation::Identity,
    };
    // SAFETY: as the caller promises.
    unsafe { gemm::run::<L, R, W>(&call) }
}
