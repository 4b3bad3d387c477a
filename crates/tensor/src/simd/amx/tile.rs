//! The loops over tiles, in assembly: two tiles of tokens times two of outputs, added up
//! in four tiles over the depth.
//!
//! Of every 32 inputs, each plane of the input is one tile for each 16 tokens, and each
//! plane of the weight two tiles, one for each 16 outputs. Planes lie one after another,
//! the most significant first.

#![expect(unsafe_code, reason = "assembly")]

use std::arch::asm;

/// The state that `ldtilecfg` loads: palette 1, and eight tiles of 16 rows of 64 bytes
/// (Intel SDM, vol. 1, 18.3).
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Configuration {
    /// Eight whole tiles.
    const WHOLE: Self = Self {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
    };
}

/// Sets this thread's tiles up.
///
/// # Safety
/// The processor must have tiles, and the system must have permitted them.
pub(in crate::simd) unsafe fn begin() {
    // SAFETY: as the caller promises.
    unsafe { configure(&const { Configuration::WHOLE }) }
}

/// Sets this thread's tiles up for the first 1 to 32 rows of an input, which takes less
/// time than 32 do.
///
/// # Safety
/// As [`begin`].
pub(super) unsafe fn begin_rows(rows: usize) {
    let mut configuration = Configuration::WHOLE;
    // Of at most 16 rows, tiles 2, 3 and 5 are not the input's.
    let (tiles, rows) = match rows {
        1..=16 => ([0, 1, 4], rows),
        _ => ([2, 3, 5], rows - 16),
    };
    for tile in tiles {
        configuration.rows[tile] = rows as u8;
    }
    // SAFETY: as the caller promises.
    unsafe { configure(&configuration) }
}

/// # Safety
/// As [`begin`].
unsafe fn configure(configuration: &Configuration) {
    // SAFETY: the configurations above are valid.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &raw const *configuration, options(nostack, readonly));
    }
}

/// Gives this thread's tiles back, so that the system need not keep them.
///
/// # Safety
/// As [`begin`].
pub(in crate::simd) unsafe fn end() {
    // SAFETY: the caller promises tiles.
    unsafe { asm!("tilerelease", options(nostack, nomem)) }
}

/// What 32 × 32 sums start from, and where they go: both row by row, so many bytes apart.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Sums {
    pub(super) start: *const f32,
    /// 0 if every row starts from the same.
    pub(super) start_stride: usize,
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
    /// Where the next sums go, brought near meanwhile; any address.
    pub(super) next: *const f32,
    /// What is to be brought nearer of the weight, a share of it for each tile of the
    /// depth; any address.
    pub(super) ahead: *const u8,
}

/// What sums that start from nothing start from.
pub(super) static NOTHING: [f32; 32] = [0.0; 32];

impl Sums {
    /// From nothing to `out`, `(32, 32)`.
    pub(super) fn alone(out: *mut f32) -> Self {
        Self {
            start: NOTHING.as_ptr(),
            start_stride: 0,
            out,
            out_stride: 128,
            next: out,
            ahead: NOTHING.as_ptr().cast(),
        }
    }
}

/// Makes a loop over the depth of which `$step` is one turn. In it, tiles 0 to 3 are the
/// sums, `{a}` and `{c}` the input's planes of the first and the second 16 tokens, `{b}`
/// the weight's, and `{line}` is 64, a tile's row. So many lines are fetched ahead in
/// each turn.
macro_rules! depth_loop {
    ($name:ident, $weight_bytes:literal, $ahead:expr, $($step:expr),+ $(,)?) => {
        /// # Safety
        /// As [`Multiply`].
        unsafe fn $name(
            count: usize,
            input: *const u8,
            input_step: usize,
            second: usize,
            weight: *const u8,
            sums: &Sums,
        ) {
            // SAFETY: the caller promises the tiles and the sums; what is fetched ahead may
            // lie anywhere.
            unsafe {
                asm!(
                    "mov {x}, [{sums}]",
                    "mov {y}, [{sums} + 8]",
                    "tileloadd tmm0, [{x} + {y}]",
                    "tileloadd tmm1, [{x} + {y} + 64]",
                    "mov {z}, {y}",
                    "shl {z}, 4",
                    "add {x}, {z}",
                    "tileloadd tmm2, [{x} + {y}]",
                    "tileloadd tmm3, [{x} + {y} + 64]",
                    "mov {x}, [{sums} + 32]",
                    "mov {y}, [{sums} + 24]",
                    "mov {z}, [{sums} + 40]",
                    "2:",
                    $($step,)+
                    "prefetchw [{x}]",
                    "prefetchw [{x} + 64]",
                    "add {x}, {y}",
                    $ahead,
                    "add {a}, {step}",
                    "add {c}, {step}",
                    concat!("add {b}, ", $weight_bytes),
                    "dec {count}",
                    "jnz 2b",
                    "mov {x}, [{sums} + 16]",
                    "tilestored [{x} + {y}], tmm0",
                    "tilestored [{x} + {y} + 64], tmm1",
                    "mov {z}, {y}",
                    "shl {z}, 4",
                    "add {x}, {z}",
                    "tilestored [{x} + {y}], tmm2",
                    "tilestored [{x} + {y} + 64], tmm3",
                    a = inout(reg) input => _,
                    c = inout(reg) input.wrapping_add(second) => _,
                    b = inout(reg) weight => _,
                    step = in(reg) input_step,
                    count = inout(reg) count => _,
                    line = in(reg) 64usize,
                    sums = in(reg) &raw const *sums,
                    x = out(reg) _,
                    y = out(reg) _,
                    z = out(reg) _,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

/// Fetches four lines of what is to be brought nearer.
macro_rules! four_ahead {
    () => {
        "prefetcht1 [{z}]\n\
         prefetcht1 [{z} + 64]\n\
         prefetcht1 [{z} + 128]\n\
         prefetcht1 [{z} + 192]\n\
         add {z}, 256"
    };
}

/// Loads a plane of the input, whose tiles are at the given offset, into tiles 4 and 5.
macro_rules! input {
    ($offset:literal) => {
        concat!(
            "tileloadd tmm4, [{a} + {line} + ",
            $offset,
            "]\n",
            "tileloadd tmm5, [{c} + {line} + ",
            $offset,
            "]"
        )
    };
}

/// Loads a plane of the weight into tiles 6 and 7.
macro_rules! weight {
    ($offset:literal, $second:literal) => {
        concat!(
            "tileloadd tmm6, [{b} + {line} + ",
            $offset,
            "]\n",
            "tileloadd tmm7, [{b} + {line} + ",
            $second,
            "]"
        )
    };
}

/// Adds the products of the loaded planes.
macro_rules! add {
    () => {
        "tdpbf16ps tmm0, tmm4, tmm6\n\
         tdpbf16ps tmm1, tmm4, tmm7\n\
         tdpbf16ps tmm2, tmm5, tmm6\n\
         tdpbf16ps tmm3, tmm5, tmm7"
    };
}

depth_loop!(
    one_by_one,
    2048,
    four_ahead!(),
    input!(0),
    weight!(0, 1024),
    add!()
);
// Each plane of an `f32` with a weight that is bfloat16: exact.
depth_loop!(
    three_by_one,
    2048,
    four_ahead!(),
    weight!(0, 1024),
    input!(2048),
    add!(),
    input!(1024),
    add!(),
    input!(0),
    add!(),
);
depth_loop!(
    two_by_one,
    2048,
    four_ahead!(),
    weight!(0, 1024),
    input!(1024),
    add!(),
    input!(0),
    add!(),
);
// In an order in which each step loads one plane only, between products, so that they
// need not wait for it.
depth_loop!(
    two_by_two,
    4096,
    concat!(four_ahead!(), "\n", four_ahead!()),
    "tileloadd tmm4, [{a} + {line} + 1024]",
    "tileloadd tmm6, [{b} + {line}]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tileloadd tmm7, [{b} + {line} + 1024]",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tileloadd tmm5, [{c} + {line} + 1024]",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tileloadd tmm4, [{a} + {line}]",
    "tdpbf16ps tmm3, tmm5, tmm7",
    "tileloadd tmm5, [{c} + {line}]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tileloadd tmm6, [{b} + {line} + 2048]",
    "tdpbf16ps tmm3, tmm5, tmm7",
    "tileloadd tmm7, [{b} + {line} + 3072]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tdpbf16ps tmm3, tmm5, tmm7",
);
depth_loop!(
    three_by_three,
    6144,
    concat!(four_ahead!(), "\n", four_ahead!(), "\n", four_ahead!()),
    "tileloadd tmm4, [{a} + {line} + 2048]",
    "tileloadd tmm6, [{b} + {line}]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tileloadd tmm7, [{b} + {line} + 1024]",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tileloadd tmm5, [{c} + {line} + 2048]",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tileloadd tmm4, [{a} + {line} + 1024]",
    "tdpbf16ps tmm3, tmm5, tmm7",
    "tileloadd tmm5, [{c} + {line} + 1024]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tileloadd tmm6, [{b} + {line} + 2048]",
    "tdpbf16ps tmm3, tmm5, tmm7",
    "tileloadd tmm7, [{b} + {line} + 3072]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tileloadd tmm4, [{a} + {line}]",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tdpbf16ps tmm3, tmm5, tmm7",
    "tileloadd tmm5, [{c} + {line}]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tileloadd tmm6, [{b} + {line} + 4096]",
    "tdpbf16ps tmm3, tmm5, tmm7",
    "tileloadd tmm7, [{b} + {line} + 5120]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tileloadd tmm6, [{b} + {line}]",
    "tdpbf16ps tmm3, tmm5, tmm7",
    "tileloadd tmm7, [{b} + {line} + 1024]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tdpbf16ps tmm2, tmm5, tmm6",
    "tdpbf16ps tmm3, tmm5, tmm7",
);

/// Makes a loop that computes the first 16 rows of what the one of 32 does, to the bit.
/// In it, tiles 0 and 1 are the sums.
macro_rules! depth_loop_of_16 {
    ($name:ident, $weight_bytes:literal, $($step:expr),+ $(,)?) => {
        /// # Safety
        /// As [`Multiply`].
        unsafe fn $name(
            count: usize,
            input: *const u8,
            input_step: usize,
            _second: usize,
            weight: *const u8,
            sums: &Sums,
        ) {
            // SAFETY: the caller promises the tiles and the sums.
            unsafe {
                asm!(
                    "tileloadd tmm0, [{start} + {start_stride}]",
                    "tileloadd tmm1, [{start} + {start_stride} + 64]",
                    "2:",
                    $($step,)+
                    "add {a}, {step}",
                    concat!("add {b}, ", $weight_bytes),
                    "dec {count}",
                    "jnz 2b",
                    "tilestored [{out} + {out_stride}], tmm0",
                    "tilestored [{out} + {out_stride} + 64], tmm1",
                    a = inout(reg) input => _,
                    b = inout(reg) weight => _,
                    step = in(reg) input_step,
                    count = inout(reg) count => _,
                    line = in(reg) 64usize,
                    start = in(reg) sums.start,
                    start_stride = in(reg) sums.start_stride,
                    out = in(reg) sums.out,
                    out_stride = in(reg) sums.out_stride,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

depth_loop_of_16!(
    one_by_one_of_16,
    2048,
    weight!(0, 1024),
    "tileloadd tmm4, [{a} + {line}]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
);
depth_loop_of_16!(
    two_by_two_of_16,
    4096,
    "tileloadd tmm4, [{a} + {line} + 1024]",
    weight!(0, 1024),
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tileloadd tmm4, [{a} + {line}]",
    "tileloadd tmm2, [{b} + {line} + 2048]",
    "tileloadd tmm3, [{b} + {line} + 3072]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tdpbf16ps tmm0, tmm4, tmm2",
    "tdpbf16ps tmm1, tmm4, tmm3",
);
depth_loop_of_16!(
    three_by_three_of_16,
    6144,
    "tileloadd tmm4, [{a} + {line} + 2048]",
    weight!(0, 1024),
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tileloadd tmm4, [{a} + {line} + 1024]",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
    "tileloadd tmm2, [{b} + {line} + 2048]",
    "tileloadd tmm3, [{b} + {line} + 3072]",
    "tdpbf16ps tmm0, tmm4, tmm2",
    "tdpbf16ps tmm1, tmm4, tmm3",
    "tileloadd tmm4, [{a} + {line}]",
    "tdpbf16ps tmm0, tmm4, tmm2",
    "tdpbf16ps tmm1, tmm4, tmm3",
    "tileloadd tmm2, [{b} + {line} + 4096]",
    "tileloadd tmm3, [{b} + {line} + 5120]",
    "tdpbf16ps tmm0, tmm4, tmm2",
    "tdpbf16ps tmm1, tmm4, tmm3",
    "tdpbf16ps tmm0, tmm4, tmm6",
    "tdpbf16ps tmm1, tmm4, tmm7",
);

/// Adds the product of 32 rows and 32 columns over so many tiles of the depth to what the
/// sums start from: takes the tiles, the input, its bytes from one tile to the next and
/// from the first 16 rows to the second, the weight and the sums.
///
/// # Safety
/// The tiles must be [set up](begin), both sides as many planes as the loop is of, the
/// sums `(32, 32)`, and the tiles of the depth not 0.
pub(super) type Multiply = unsafe fn(usize, *const u8, usize, usize, *const u8, &Sums);

/// Returns the loop over so many planes of the input and the weight.
pub(super) fn multiply(planes: [usize; 2]) -> Multiply {
    match planes {
        [1, 1] => one_by_one,
        [2, 1] => two_by_one,
        [3, 1] => three_by_one,
        [2, 2] => two_by_two,
        [3, 3] => three_by_three,
        _ => unreachable!("there is a loop for what weights are split into"),
    }
}

/// Returns the same for at most 16 rows, both sides of so many planes.
pub(super) fn multiply_16(planes: usize) -> Multiply {
    match planes {
        1 => one_by_one_of_16,
        2 => two_by_two_of_16,
        _ => three_by_three_of_16,
    }
}

/// Sets `sums`, `(32, 32)`, to the product of 32 rows of signed bytes, `stride` bytes
/// each, and 32 outputs, whose weights are `(depth / 4, 32, 4)`, over `tiles` times 64
/// bytes of the depth.
///
/// # Safety
/// The tiles must be [set up](begin), the shapes true, and `tiles` not 0.
pub(in crate::simd) unsafe fn multiply_bytes(
    tiles: usize,
    input: *const u8,
    stride: usize,
    weight: *const i8,
    sums: *mut i32,
) {
    // SAFETY: as the caller promises.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm7, [{b} + {line} + 64]",
            "tileloadd tmm4, [{a} + {stride}]",
            "tileloadd tmm5, [{c} + {stride}]",
            "tdpbssd tmm0, tmm4, tmm6",
            "tdpbssd tmm1, tmm4, tmm7",
            "tdpbssd tmm2, tmm5, tmm6",
            "tdpbssd tmm3, tmm5, tmm7",
            "add {a}, 64",
            "add {c}, 64",
            "add {b}, 2048",
            "dec {count}",
            "jnz 2b",
            "tilestored [{sums} + {line}], tmm0",
            "tilestored [{sums} + {line} + 64], tmm1",
            "tilestored [{sums} + {line} + 2048], tmm2",
            "tilestored [{sums} + {line} + 2112], tmm3",
            a = inout(reg) input => _,
            c = inout(reg) input.wrapping_add(16 * stride) => _,
            b = inout(reg) weight => _,
            stride = in(reg) stride,
            count = inout(reg) tiles => _,
            line = in(reg) 128usize,
            sums = in(reg) sums,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
