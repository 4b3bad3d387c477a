//! What one instruction does to several numbers, for each kind of processor, and
//! the table of loops compiled from it.
//!
//! `Lanes` is the vocabulary: load, multiply and add, compare. The loops
//! (`gemm.rs`, `norm.rs`, …) are written once in that vocabulary; this file compiles
//! them for AVX-512, AVX2 with FMA, NEON and plain Rust, and [`Kernels::best`] asks
//! the processor once which it can run. All versions do the same arithmetic and
//! differ only in the order of sums; tiles add up parts of numbers, as exactly.

#![expect(
    unsafe_code,
    reason = "loops are compiled per processor and called through pointers"
)]

/// Makes an array of an expression in two values of a name. A macro, because a closure
/// given to `map` need not be inlined, and then passes vectors through memory.
#[cfg(target_arch = "x86_64")]
macro_rules! both {
    ($name:ident in [$first:expr, $second:expr] => $of:expr) => {
        [
            {
                let $name = $first;
                $of
            },
            {
                let $name = $second;
                $of
            },
        ]
    };
}

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod brain;
#[cfg(target_arch = "x86_64")]
mod brain_blocks;
mod bytes;
mod exp;
#[cfg(target_arch = "x86_64")]
mod int8;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
#[cfg(target_arch = "x86_64")]
mod vnni;
#[cfg(target_arch = "x86_64")]
mod wide;

use std::sync::OnceLock;

pub(crate) use bytes::Bytes;
pub(crate) use exp::exp;

use crate::format::Format;
use crate::half::{self, f32_to_f16};
use crate::int8::{Int8Call, Int8Loops, Round, product as int8_product, round_rows as round};
use crate::matmul::{Precision, blocks, column_sums, panels};
use crate::stored::{panel, quantised, tiles, vector};
use crate::{activation, causal, gemm, norm, pool, rotary, softmax, training};

/// The most numbers that one `Lanes::V` holds.
pub(crate) const MOST_LANES: usize = 16;

/// What one kind of processor does to several `f32` at once.
///
/// # Safety
/// Every function may be called only where the processor has what the type's name
/// says, and pointers must be good for the numbers that are read or written. The
/// functions are inlined into one that is compiled for that processor.
pub(crate) trait Lanes: Copy {
    /// Several numbers.
    type V: Copy;
    /// How many.
    const COUNT: usize;

    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(at: *const f32) -> Self::V;
    unsafe fn store(at: *mut f32, v: Self::V);
    /// Binary16 numbers, widened.
    unsafe fn load_f16(at: *const u8) -> Self::V;
    /// Bfloat16 numbers, widened.
    unsafe fn load_bf16(at: *const u8) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The nearest whole numbers.
    unsafe fn round(v: Self::V) -> Self::V;
    /// `2ᵛ` of whole numbers between −126 and 127.
    unsafe fn power_of_two(v: Self::V) -> Self::V;
    /// `yes` where `a < b`, else `no`.
    unsafe fn where_less(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The sum of all.
    unsafe fn sum(v: Self::V) -> f32;
    /// The largest of all.
    unsafe fn largest(v: Self::V) -> f32;

    /// Has the line at `at`, which may be anywhere, brought near; or does nothing.
    #[inline(always)]
    unsafe fn prefetch(_at: *const u8) {}

    /// The first `count < COUNT` numbers, and `fill` for the others.
    #[inline(always)]
    unsafe fn load_part(at: *const f32, count: usize, fill: f32) -> Self::V {
        let mut numbers = [fill; MOST_LANES];
        // SAFETY: the caller promises `count` numbers, which is less than `COUNT`.
        unsafe {
            std::ptr::copy_nonoverlapping(at, numbers.as_mut_ptr(), count);
            Self::load(numbers.as_ptr())
        }
    }

    /// Stores the nearest binary16 numbers, of which these are none beyond.
    #[inline(always)]
    unsafe fn store_f16(at: *mut u16, v: Self::V) {
        let mut numbers = [0.0; MOST_LANES];
        // SAFETY: the caller promises `COUNT` places.
        unsafe {
            Self::store(numbers.as_mut_ptr(), v);
            for (lane, number) in numbers[..Self::COUNT].iter().enumerate() {
                *at.add(lane) = f32_to_f16(*number);
            }
        }
    }

    /// Stores the first `count < COUNT` numbers.
    #[inline(always)]
    unsafe fn store_part(at: *mut f32, count: usize, v: Self::V) {
        let mut numbers = [0.0; MOST_LANES];
        // SAFETY: as in `load_part`.
        unsafe {
            Self::store(numbers.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(numbers.as_ptr(), at, count);
        }
    }
}

/// The loops of this crate, compiled for one kind of processor.
///
/// They are reached through the methods that each room adds: [`Self::layer_norm`],
/// [`Self::self_attention`], and so on.
#[derive(Debug)]
pub struct Kernels {
    /// What the processor must have, in words.
    pub name: &'static str,
    /// How many columns one tile has, and so one panel of a packed matrix.
    pub(crate) panel_columns: usize,
    pub(crate) product: unsafe fn(&gemm::Call),
    pub(crate) transpose: unsafe fn(*const f32, usize, usize, usize, *mut f32),
    pub(crate) layer_norm: unsafe fn(*mut f32, usize, *const f32, *const f32, f32),
    pub(crate) softmax: unsafe fn(*mut f32, usize, f32),
    pub(crate) activate: unsafe fn(activation::Activation, *mut f32, usize),
    pub(crate) add_scaled: unsafe fn(*mut f32, *const f32, usize, f32),
    pub(crate) raise_to: unsafe fn(*mut f32, *const f32, usize),
    pub(crate) rms_norm: unsafe fn(*const f32, *mut f32, usize, *const f32, f32),
    pub(crate) gate: unsafe fn(activation::Activation, *mut f32, *const f32, usize),
    pub(crate) rotate: unsafe fn(rotary::Pairs, *mut f32, *const f32, *const f32, usize),
    pub(crate) scale: unsafe fn(*mut f32, usize, f32),
    pub(crate) powers: unsafe fn(*mut f32, usize, f32, f32) -> (f32, f32),
    pub(crate) scores: unsafe fn(&causal::Few),
    pub(crate) mix: unsafe fn(&causal::Few),
    pub(crate) halve: unsafe fn(*const f32, *mut u16, usize),
    pub(crate) training: unsafe fn(training::Loop<'_>),
    pub(crate) int8: &'static Int8Loops,
    pub(crate) round_rows: unsafe fn(&Round),
    pub(crate) blocks: &'static quantised::Blocks,
    pub(crate) add_rows: unsafe fn(&vector::Weights, &vector::Tokens),
    /// For many tokens, if the processor has tiles.
    pub(crate) tiles: Option<&'static tiles::Tiles>,
    /// For packed weights, if the processor has tiles.
    pub(crate) planes: Option<fn(Precision) -> &'static gemm::Planes>,
    pub(crate) widen_rows: unsafe fn(Format, *const u8, usize, usize, usize, *mut f32),
    pub(crate) widen_columns: unsafe fn(Format, *const u8, usize, usize, usize, usize, *mut f32),
    pub(crate) matmul: &'static blocks::Loops,
    /// Where numbers may be rounded to bfloat16.
    pub(crate) rounded: &'static blocks::Loops,
    /// Products of vectors, for those too thin for tiles: in panels of several vectors,
    /// and of one.
    pub(crate) panels: &'static blocks::Loops,
    pub(crate) narrow: &'static blocks::Loops,
    pub(crate) column_sums: unsafe fn(*const f32, usize, usize, usize, *mut f32),
}

macro_rules! compiled {
    ($table:ident, $name:literal, $lanes:ty, $bytes:ty, rows $rows:literal, vectors $vectors:literal
     $(, feature $feature:literal)?) => {
        const $table: Kernels = {
            type L = $lanes;
            type B = $bytes;
            const COLUMNS: usize = $vectors * <L as Lanes>::COUNT;

            $(#[target_feature(enable = $feature)])?
            unsafe fn product(call: &gemm::Call) {
                // SAFETY: the caller promises the call, this function the processor.
                unsafe { gemm::run::<L, $rows, $vectors>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn transpose(
                from: *const f32, stride: usize, rows: usize, columns: usize, to: *mut f32,
            ) {
                // SAFETY: as in `product`.
                unsafe { gemm::transpose::<COLUMNS>(from, stride, rows, columns, to) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn layer_norm(
                row: *mut f32, width: usize, weight: *const f32, bias: *const f32, epsilon: f32,
            ) {
                // SAFETY: as in `product`.
                unsafe { norm::run::<L>(row, width, weight, bias, epsilon) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn softmax(row: *mut f32, width: usize, scale: f32) {
                // SAFETY: as in `product`.
                unsafe { softmax::run::<L>(row, width, scale) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn activate(activation: activation::Activation, at: *mut f32, count: usize) {
                // SAFETY: as in `product`.
                unsafe { activation::run::<L>(activation, at, count) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn add_scaled(sum: *mut f32, row: *const f32, width: usize, scale: f32) {
                // SAFETY: as in `product`.
                unsafe { pool::add_scaled::<L>(sum, row, width, scale) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn raise_to(most: *mut f32, row: *const f32, width: usize) {
                // SAFETY: as in `product`.
                unsafe { pool::raise_to::<L>(most, row, width) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn rms_norm(
                from: *const f32, to: *mut f32, width: usize, weight: *const f32, epsilon: f32,
            ) {
                // SAFETY: as in `product`.
                unsafe { norm::root_mean_square::<L>(from, to, width, weight, epsilon) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn gate(
                activation: activation::Activation, gate: *mut f32, up: *const f32, count: usize,
            ) {
                // SAFETY: as in `product`.
                unsafe { activation::gate::<L>(activation, gate, up, count) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn rotate(
                pairs: rotary::Pairs, head: *mut f32, cos: *const f32, sin: *const f32, half: usize,
            ) {
                // SAFETY: as in `product`.
                unsafe { rotary::run::<L>(pairs, head, cos, sin, half) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn scale(row: *mut f32, width: usize, by: f32) {
                // SAFETY: as in `product`.
                unsafe { softmax::scale::<L>(row, width, by) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn powers(row: *mut f32, width: usize, scale: f32, before: f32) -> (f32, f32) {
                // SAFETY: as in `product`.
                unsafe { softmax::powers::<L>(row, width, scale, before) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn scores(few: &causal::Few) {
                // SAFETY: as in `product`.
                unsafe { causal::scores::<L>(few) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn mix(few: &causal::Few) {
                // SAFETY: as in `product`.
                unsafe { causal::mix::<L>(few) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn halve(from: *const f32, to: *mut u16, count: usize) {
                // SAFETY: as in `product`.
                unsafe { half::halve::<L>(from, to, count) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn train(work: training::Loop<'_>) {
                // SAFETY: as in `product`.
                unsafe { training::run::<L>(work) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn add_rows(weights: &vector::Weights, tokens: &vector::Tokens) {
                // SAFETY: as in `product`.
                unsafe { vector::add_rows::<L>(weights, tokens) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn widen_rows(
                format: Format, bytes: *const u8, inputs: usize, from: usize, to: usize,
                panel: *mut f32,
            ) {
                // SAFETY: as in `product`.
                unsafe {
                    panel::widen_rows::<L, COLUMNS>(format, bytes, inputs, from, to, panel);
                }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn widen_columns(
                format: Format, bytes: *const u8, inputs: usize, outputs: usize, from: usize,
                to: usize, panel: *mut f32,
            ) {
                // SAFETY: as in `product`.
                unsafe {
                    panel::widen_columns::<L, COLUMNS>(
                        format, bytes, inputs, outputs, from, to, panel,
                    );
                }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn round_rows(rows: &Round) {
                // SAFETY: as in `product`.
                unsafe { round::<L>(rows) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn int8(call: &Int8Call) {
                // SAFETY: as in `product`.
                unsafe { int8_product::<L, B>(call) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn quantise(_format: Format, input: *const f32, inputs: usize, to: *mut u8) {
                // SAFETY: as in `product`.
                unsafe { quantised::quantise(input, inputs, to) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn add_block_rows(weights: &vector::Weights, tokens: &vector::Tokens) {
                // SAFETY: as in `product`.
                unsafe { quantised::add_rows::<B>(weights, tokens) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn pack_left(pack: &blocks::Pack<'_>) {
                // SAFETY: as in `product`.
                unsafe { panels::pack_left::<L>(pack) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn pack_right(pack: &blocks::Pack<'_>) {
                // SAFETY: as in `product`.
                unsafe { panels::pack_right::<L, COLUMNS>(pack) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn pack_narrow(pack: &blocks::Pack<'_>) {
                // SAFETY: as in `product`.
                unsafe { panels::pack_right::<L, { <L as Lanes>::COUNT }>(pack) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn multiply_narrow(part: &blocks::Part) {
                // SAFETY: as in `product`.
                unsafe { panels::multiply::<L, $rows, 1>(part) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn multiply(part: &blocks::Part) {
                // SAFETY: as in `product`.
                unsafe { panels::multiply::<L, $rows, $vectors>(part) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn column_sums(
                from: *const f32, stride: usize, rows: usize, count: usize, sums: *mut f32,
            ) {
                // SAFETY: as in `product`.
                unsafe { column_sums::run::<L>(from, stride, rows, count, sums) }
            }

            const PANELS: blocks::Loops = blocks::Loops {
                rows: 1,
                columns: COLUMNS,
                depth: 1,
                bytes: |_, _| [size_of::<f32>(); 2],
                deepest: |_| panels::DEEPEST,
                in_place: true,
                pack_left,
                pack_right,
                multiply,
            };
            const NARROW: blocks::Loops = blocks::Loops {
                columns: L::COUNT,
                pack_right: pack_narrow,
                multiply: multiply_narrow,
                ..PANELS
            };

            Kernels {
                name: $name,
                panel_columns: COLUMNS,
                product,
                transpose,
                layer_norm,
                softmax,
                activate,
                add_scaled,
                raise_to,
                rms_norm,
                gate,
                rotate,
                scale,
                powers,
                scores,
                mix,
                halve,
                training: train,
                int8: &Int8Loops { panels: false, moved: false, product: int8 },
                round_rows,
                blocks: &quantised::Blocks { formats: quantised::OF_BLOCKS, quantise, add_rows: add_block_rows },
                add_rows,
                tiles: None,
                planes: None,
                widen_rows,
                widen_columns,
                matmul: &PANELS,
                rounded: &PANELS,
                panels: &PANELS,
                narrow: &NARROW,
                column_sums,
            }
        };
    };
}

compiled!(PLAIN, "plain", plain::Plain, bytes::PlainBytes, rows 4, vectors 1);
#[cfg(target_arch = "x86_64")]
compiled!(AVX2, "AVX2", avx2::Avx2, bytes::Avx2Bytes, rows 6, vectors 2, feature "avx2,fma,f16c");
// 12 × 32 numbers of a tile fill 24 of the 32 registers.
#[cfg(target_arch = "x86_64")]
compiled!(
    AVX512, "AVX-512", avx512::Avx512, bytes::Avx2Bytes, rows 12, vectors 2, feature "avx512f"
);
#[cfg(target_arch = "x86_64")]
const VNNI: Kernels = Kernels {
    name: "AVX-512 VNNI",
    blocks: &vnni::BLOCKS,
    int8: &int8::VNNI,
    round_rows: int8::round_rows,
    widen_rows: wide::widen_rows,
    ..AVX512
};
#[cfg(target_arch = "x86_64")]
const BF16: Kernels = Kernels {
    name: "AVX-512 BF16",
    blocks: &brain::BLOCKS,
    ..VNNI
};
/// Where `vdpbf16ps` multiplies more in a second than `f32` is.
#[cfg(target_arch = "x86_64")]
const FAST_BF16: Kernels = Kernels {
    name: "AVX-512 BF16, fast",
    rounded: &brain_blocks::MATMUL,
    ..BF16
};
#[cfg(target_arch = "x86_64")]
const AMX: Kernels = Kernels {
    name: "AMX",
    tiles: Some(&amx::TILES),
    planes: Some(amx::packed_planes),
    matmul: &amx::MATMUL,
    rounded: &amx::MATMUL,
    int8: &int8::AMX,
    ..BF16
};
#[cfg(target_arch = "aarch64")]
compiled!(NEON, "NEON", neon::Neon, bytes::NeonBytes, rows 6, vectors 4, feature "neon");

impl Kernels {
    /// Returns the loops over blocks for products of a precision.
    pub(crate) fn loops(&self, precision: Precision) -> &'static blocks::Loops {
        match precision {
            Precision::F32 | Precision::High => self.matmul,
            Precision::Bf16 => self.rounded,
        }
    }

    /// Returns the fastest version that this processor can run.
    pub fn best() -> &'static Self {
        static BEST: OnceLock<&'static Kernels> = OnceLock::new();
        BEST.get_or_init(|| {
            Self::available()
                .pop()
                .expect("the plain version always runs")
        })
    }

    /// Returns every version that this processor can run, the slowest first.
    pub fn available() -> Vec<&'static Self> {
        #[cfg_attr(
            not(any(target_arch = "x86_64", target_arch = "aarch64")),
            expect(unused_mut, reason = "other processors have only the plain version")
        )]
        let mut versions = vec![&PLAIN];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                versions.push(&AVX2);
            }
            if is_x86_feature_detected!("avx512f") {
                versions.push(&AVX512);
            }
            if is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vnni")
                && is_x86_feature_detected!("gfni")
            {
                versions.push(&VNNI);
                if is_x86_feature_detected!("avx512bf16") {
                    // What is not faster is tested all the same.
                    let fast = brain_blocks::is_fast();
                    if !fast || cfg!(test) {
                        versions.push(&BF16);
                    }
                    if fast || cfg!(test) {
                        versions.push(&FAST_BF16);
                    }
                    if amx::available() {
                        versions.push(&AMX);
                    }
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            versions.push(&NEON);
        }
        versions
    }
}
