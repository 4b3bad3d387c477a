//! Products with weights and inputs of 8 bits.
//!
//! Each output's weights have one scale, and so has each row of the input, found as it
//! comes (Dettmers et al. 2022, §2.1, vector-wise quantisation). What is between are
//! whole numbers, multiplied and added up exactly.

#![expect(
    unsafe_code,
    reason = "loops compiled per processor are called through pointers"
)]

use std::cell::RefCell;

use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::simd::{Bytes, Kernels, Lanes};

/// A weight of 8 bits.
#[derive(Clone, Debug)]
pub(crate) struct Int8 {
    /// As the processor's [`Int8Loops`] want them.
    weights: Buffer,
    /// `(panels · COLUMNS)`: what one step of an output's weights is.
    scales: Buffer,
    /// `(panels · COLUMNS)`: the sum of an output's weights.
    sums: Vec<i32>,
}

/// How one kind of processor multiplies 8 bits.
#[derive(Debug)]
pub(crate) struct Int8Loops {
    /// Whether weights lie in panels: `(panels, K/4, COLUMNS, 4)`; or else `(N, K)`. `K`
    /// is counted up to a multiple of `STEP`.
    pub(crate) panels: bool,
    /// Whether inputs are moved up by 128, to be without sign.
    pub(crate) moved: bool,
    pub(crate) product: unsafe fn(&Int8Call),
}

/// Outputs of a panel.
pub(crate) const COLUMNS: usize = 32;
/// What rows are padded to.
pub(crate) const STEP: usize = 64;
/// What the count of rows is padded to.
const ROWS: usize = 32;

/// One product as the loops see it. The residual, if any, lies like the output.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "some of it is for tiles alone")
)]
pub(crate) struct Int8Call {
    pub(crate) rows: usize,
    /// A multiple of [`STEP`].
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    /// `(rows, depth)`, and memory for more rows up to a multiple of 32.
    pub(crate) input: *const u8,
    /// `(rows)`
    pub(crate) input_scales: *const f32,
    pub(crate) weights: *const i8,
    pub(crate) scales: *const f32,
    pub(crate) sums: *const i32,
    /// To the last panel's full width.
    pub(crate) bias: *const f32,
    /// Or null.
    pub(crate) residual: *const f32,
    pub(crate) out: *mut f32,
    pub(crate) activation: Activation,
}

thread_local! {
    /// The input of the product that this thread computes.
    static INPUT: RefCell<Buffer> = RefCell::default();
}

impl Int8 {
    /// Rounds `rows`, `(N, K)`.
    pub(crate) fn of_rows(kernels: &Kernels, rows: &[f32], inputs: usize) -> Self {
        let depth = inputs.next_multiple_of(STEP);
        let outputs = rows.len() / inputs;
        let padded = outputs.next_multiple_of(COLUMNS);
        let mut weights = Buffer::zeros(depth * padded / 4);
        let mut scales = Buffer::zeros(padded);
        let mut sums = vec![0; padded];
        let to = weights.as_mut_slice().as_mut_ptr().cast::<i8>();
        for (n, row) in rows.chunks_exact(inputs).enumerate() {
            let most = row.iter().fold(0f32, |most, x| most.max(x.abs()));
            let inverse = if most == 0.0 { 0.0 } else { 127.0 / most };
            scales.as_mut_slice()[n] = most / 127.0;
            for (k, x) in row.iter().enumerate() {
                let q = (x * inverse).round_ties_even() as i8;
                sums[n] += i32::from(q);
                let at = if kernels.int8.panels {
                    ((n / COLUMNS * depth / 4 + k / 4) * COLUMNS + n % COLUMNS) * 4 + k % 4
                } else {
                    n * depth + k
                };
                // SAFETY: both layouts are `padded · depth` bytes.
                unsafe { *to.add(at) = q };
            }
        }
        Self {
            weights,
            scales,
            sums,
        }
    }

    /// Sets `output` to `activation(input · W + bias + residual)`. The shapes were
    /// checked; `bias` is to the last panel's full width.
    pub(crate) fn multiply(
        &self,
        kernels: &Kernels,
        inputs: usize,
        bias: &[f32],
        product: &mut crate::Product<'_>,
    ) {
        let depth = inputs.next_multiple_of(STEP);
        let rows = product.input.len() / inputs;
        if rows == 0 {
            return;
        }
        assert!(bias.len() >= self.sums.len(), "the bias has its padding");
        INPUT.with_borrow_mut(|memory| {
            let [bytes, scales] = memory.carve([rows.next_multiple_of(ROWS) * depth / 4, rows]);
            let bytes = bytes.as_mut_ptr().cast::<u8>();
            // SAFETY: there is place for all rows, and the shapes were checked.
            unsafe {
                (kernels.round_rows)(&Round {
                    rows,
                    inputs,
                    depth,
                    moved: kernels.int8.moved,
                    input: product.input.as_ptr(),
                    to: bytes,
                    scales: scales.as_mut_ptr(),
                });
                (kernels.int8.product)(&Int8Call {
                    rows,
                    depth,
                    columns: product.output.len() / rows,
                    input: bytes,
                    input_scales: scales.as_ptr(),
                    weights: self.weights.as_slice().as_ptr().cast(),
                    scales: self.scales.as_slice().as_ptr(),
                    sums: self.sums.as_ptr(),
                    bias: bias.as_ptr(),
                    residual: product.residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
                    out: product.output.as_mut_ptr(),
                    activation: product.activation,
                });
            }
        });
    }
}

/// Rows that are rounded to 8 bits.
pub(crate) struct Round {
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) depth: usize,
    pub(crate) moved: bool,
    /// `(rows, inputs)`
    pub(crate) input: *const f32,
    /// `(rows, depth)`
    pub(crate) to: *mut u8,
    /// `(rows)`
    pub(crate) scales: *mut f32,
}

/// # Safety
/// The shapes must be true; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn round_rows<L: Lanes>(round: &Round) {
    let offset = if round.moved { 128 } else { 0 };
    for row in 0..round.rows {
        // SAFETY: as the caller promises.
        let (from, to) = unsafe {
            (
                std::slice::from_raw_parts(round.input.add(row * round.inputs), round.inputs),
                std::slice::from_raw_parts_mut(round.to.add(row * round.depth), round.depth),
            )
        };
        let whole = round.inputs - round.inputs % L::COUNT;
        // SAFETY: `whole` numbers and then the rest are read.
        let most = unsafe {
            let mut most = L::splat(0.0);
            for k in (0..whole).step_by(L::COUNT) {
                let v = L::load(from.as_ptr().add(k));
                most = L::max(most, L::max(v, L::sub(L::splat(0.0), v)));
            }
            from[whole..]
                .iter()
                .fold(L::largest(most), |most, x| most.max(x.abs()))
        };
        let inverse = if most == 0.0 { 0.0 } else { 127.0 / most };
        // SAFETY: there is a scale for each row.
        unsafe { *round.scales.add(row) = most / 127.0 };
        let (bytes, rest) = to.split_at_mut(round.inputs);
        for (byte, x) in bytes.iter_mut().zip(from) {
            *byte = ((x * inverse).round_ties_even() as i32 + offset) as u8;
        }
        rest.fill(offset as u8);
    }
}

/// The product by [`Bytes`], row by row.
///
/// # Safety
/// The shapes must be true; else as all of [`Bytes`].
#[inline(always)]
pub(crate) unsafe fn product<L: Lanes, B: Bytes>(call: &Int8Call) {
    // SAFETY: as the caller promises.
    unsafe {
        for n in 0..call.columns {
            let weight = call.weights.add(n * call.depth).cast::<u8>();
            for row in 0..call.rows {
                let input = call.input.add(row * call.depth);
                let mut sums = B::zero();
                for k in (0..call.depth).step_by(32) {
                    let dot = B::dot(B::load(weight.add(k)), B::load(input.add(k)));
                    sums = B::add_scaled(sums, dot, 1.0);
                }
                let at = row * call.columns + n;
                let scale = *call.scales.add(n) * *call.input_scales.add(row);
                let mut sum = B::sum(sums) * scale + *call.bias.add(n);
                if !call.residual.is_null() {
                    sum += *call.residual.add(at);
                }
                *call.out.add(at) = sum;
            }
        }
        crate::activation::run::<L>(call.activation, call.out, call.rows * call.columns);
    }
}
