//! Matrix products with what stands around them: bias, residual and activation.
//!
//! The right-hand matrix, a layer's weight, is packed once into panels of as many
//! columns as a tile has, so that the inner loop reads it from end to end. A tile
//! starts from the bias (and the residual), adds up the whole depth in registers, and
//! is written once; its activation is applied while it is still near. That is what
//! a general product cannot do, and why this one is our own. A processor with tiles
//! takes planes of the weight instead.
//!
//! One call runs on one thread.

#![expect(unsafe_code, reason = "tiles are computed through pointers")]

use std::cell::RefCell;

use crate::activation::{self, Activation};
use crate::buffer::Buffer;
use crate::format::Format;
use crate::int8::{self, Int8};
use crate::matmul::Precision;
use crate::simd::{Kernels, Lanes};
use crate::stored::{Layout, StoredMatrix};

/// A weight, packed for one kind of processor.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    kernels: &'static Kernels,
    numbers: Numbers,
    /// To the last panel's full width.
    bias: Buffer,
    inputs: usize,
    outputs: usize,
}

#[derive(Clone, Debug)]
enum Numbers {
    /// `(panels, K, columns of a panel)`; the last panel is filled up with zeros.
    Whole(Buffer),
    /// Split as the processor's [`Planes`] want them.
    Planes(Buffer, &'static Planes),
    Int8(Int8),
}

/// How a processor with tiles multiplies packed weights at one precision: split into
/// planes of narrower numbers, each half as large as the weight, whose products are added
/// up.
/// A row's outputs do not depend on how many rows there are.
#[derive(Debug)]
pub(crate) struct Planes {
    /// Columns of a panel.
    pub(crate) columns: usize,
    /// Numbers of 32 bits that a panel of so many inputs takes.
    pub(crate) panel: fn(usize) -> usize,
    /// Packs a weight of `f32` in rows, as panels.
    pub(crate) pack: unsafe fn(&StoredMatrix<'_>, *mut u8),
    /// Numbers of 32 bits that a product of so many rows and inputs needs beside it.
    pub(crate) memory: fn(usize, usize) -> usize,
    pub(crate) product: unsafe fn(&Call, *mut u8),
}

thread_local! {
    /// What the product that this thread computes by planes needs.
    static MEMORY: RefCell<Buffer> = RefCell::default();
}

/// What a product adds up, and where it goes.
#[derive(Debug)]
pub struct Product<'a> {
    /// `(T, K)`
    pub input: &'a [f32],
    /// `(T, N)`, added before the activation.
    pub residual: Option<&'a [f32]>,
    /// Applied to the sum.
    pub activation: Activation,
    /// `(T, N)`
    pub output: &'a mut [f32],
}

impl PackedMatrix {
    /// Packs a linear layer of `rows`, `(N, K)` row by row, where `x` becomes
    /// `x · rowsᵀ + bias`; without a bias, nothing is added. This is the layout of
    /// PyTorch's `Linear.weight`. Panics if the shapes do not fit.
    pub fn of_rows(
        kernels: &'static Kernels,
        precision: Precision,
        rows: &[f32],
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> Self {
        let outputs = outputs_of(rows, inputs);
        if let Some(planes) = kernels.planes.map(|planes| planes(precision)) {
            let panels = outputs.div_ceil(planes.columns);
            let mut packed = Buffer::zeros(panels * (planes.panel)(inputs));
            // SAFETY: numbers are bytes, and there is place for every panel.
            unsafe {
                let bytes = std::slice::from_raw_parts(rows.as_ptr().cast(), size_of_val(rows));
                let rows = StoredMatrix::new(Format::F32, Layout::Rows, inputs, outputs, bytes);
                (planes.pack)(&rows, packed.as_mut_slice().as_mut_ptr().cast());
            }
            return Self {
                kernels,
                numbers: Numbers::Planes(packed, planes),
                bias: padded_bias(bias, outputs, panels * planes.columns),
                inputs,
                outputs,
            };
        }
        let padded = outputs.next_multiple_of(kernels.panel_columns);
        let mut panels = Buffer::zeros(padded * inputs);
        // SAFETY: `rows` is `(outputs, inputs)`, and there is place for every panel.
        unsafe {
            (kernels.transpose)(
                rows.as_ptr(),
                inputs,
                outputs,
                inputs,
                panels.as_mut_slice().as_mut_ptr(),
            );
        }
        Self {
            kernels,
            numbers: Numbers::Whole(panels),
            bias: padded_bias(bias, outputs, padded),
            inputs,
            outputs,
        }
    }

    /// Packs the same layer in 8 bits: each output's weights are rounded to 127 steps
    /// up and down, and so is each row of an input when it is multiplied. Smaller and,
    /// with VNNI or AMX, faster; how much worse depends on the model. Panics if the
    /// shapes do not fit.
    pub fn of_rows_in_int8(
        kernels: &'static Kernels,
        rows: &[f32],
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> Self {
        let outputs = outputs_of(rows, inputs);
        Self {
            kernels,
            numbers: Numbers::Int8(Int8::of_rows(kernels, rows, inputs)),
            bias: padded_bias(bias, outputs, outputs.next_multiple_of(int8::COLUMNS)),
            inputs,
            outputs,
        }
    }

    /// Returns `K`, the width of what goes in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns `N`, the width of what comes out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Sets the output to `activation(input · W + bias + residual)`. Panics if the
    /// shapes do not fit.
    pub fn multiply(&self, product: Product<'_>) {
        let Product {
            input,
            residual,
            activation,
            output,
        } = product;
        assert!(
            input.len().is_multiple_of(self.inputs),
            "the input's rows are whole"
        );
        let rows = input.len() / self.inputs;
        assert_eq!(
            output.len(),
            rows * self.outputs,
            "a row comes out for every row that goes in"
        );
        if let Some(residual) = residual {
            assert_eq!(residual.len(), output.len(), "the residual fits the output");
        }
        let mut call = |b: &Buffer, columns: usize, panel_stride: usize| Call {
            rows,
            depth: self.inputs,
            columns: self.outputs,
            a: input.as_ptr(),
            a_stride: self.inputs,
            a_step: 1,
            b: b.as_slice().as_ptr(),
            b_stride: columns,
            panel_stride,
            bias: self.bias.as_slice().as_ptr(),
            residual: residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
            out: output.as_mut_ptr(),
            out_stride: self.outputs,
            activation,
        };
        match &self.numbers {
            Numbers::Whole(panels) => {
                let columns = self.kernels.panel_columns;
                let call = call(panels, columns, columns * self.inputs);
                // SAFETY: the shapes were checked, and the table is the processor's own.
                unsafe { (self.kernels.product)(&call) };
            }
            Numbers::Planes(panels, planes) => {
                let call = call(panels, planes.columns, (planes.panel)(self.inputs));
                MEMORY.with_borrow_mut(|memory| {
                    let [memory] = memory.carve([(planes.memory)(rows, self.inputs)]);
                    // SAFETY: as above, and the memory is as large as asked for.
                    unsafe { (planes.product)(&call, memory.as_mut_ptr().cast()) };
                });
            }
            Numbers::Int8(int8) => int8.multiply(
                self.kernels,
                self.inputs,
                self.bias.as_slice(),
                &mut Product {
                    input,
                    residual,
                    activation,
                    output,
                },
            ),
        }
    }
}

/// Returns how many rows of `inputs` numbers a weight has. Panics if they are not whole.
fn outputs_of(rows: &[f32], inputs: usize) -> usize {
    assert!(
        inputs > 0 && rows.len().is_multiple_of(inputs),
        "the weight's rows are whole"
    );
    rows.len() / inputs
}

fn padded_bias(bias: Option<&[f32]>, outputs: usize, padded: usize) -> Buffer {
    let mut starts = Buffer::zeros(padded);
    if let Some(bias) = bias {
        assert_eq!(bias.len(), outputs, "there is a bias for every output");
        starts.as_mut_slice()[..outputs].copy_from_slice(bias);
    }
    starts
}

/// One product as the loops see it. The residual, if any, lies like the output.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    pub(crate) a: *const f32,
    /// From one row of the left matrix to the next.
    pub(crate) a_stride: usize,
    /// From one number of such a row to the next: 1, unless the matrix is turned.
    pub(crate) a_step: usize,
    /// Panel `p`'s row `k` starts at `p · panel_stride + k · b_stride`, and is always
    /// read to the panel's full width.
    pub(crate) b: *const f32,
    pub(crate) b_stride: usize,
    pub(crate) panel_stride: usize,
    /// What every row starts from, to the last panel's full width; or null.
    pub(crate) bias: *const f32,
    /// What is added; or null.
    pub(crate) residual: *const f32,
    pub(crate) out: *mut f32,
    pub(crate) out_stride: usize,
    pub(crate) activation: Activation,
}

/// Rows of the left matrix whose numbers stay in the second-level cache while the
/// panels pass by: 256 KiB.
const NEAR: usize = 1 << 16;

/// Computes `call` in tiles of at most `R` × `W` vectors.
///
/// # Safety
/// The pointers must be good for the shapes; else as all of [`Lanes`].
#[inline(always)]
pub(crate) unsafe fn run<L: Lanes, const R: usize, const W: usize>(call: &Call) {
    let wide = W * L::COUNT;
    let block = (NEAR / call.depth.max(1) / R).max(1) * R;
    let mut first = 0;
    while first < call.rows {
        let end = (first + block).min(call.rows);
        let mut column = 0;
        while column < call.columns {
            let mut row = first;
            // SAFETY: rows before `end` and columns before `columns` are in range.
            unsafe {
                while end - row >= R {
                    tile::<L, R, W>(call, row, column);
                    row += R;
                }
                while end - row >= 4 {
                    tile::<L, 4, W>(call, row, column);
                    row += 4;
                }
                while row < end {
                    tile::<L, 1, W>(call, row, column);
                    row += 1;
                }
            }
            column += wide;
        }
        first = end;
    }
}

/// Computes `R` rows of the panel that starts at `column`.
///
/// # Safety
/// As [`run`], with `R` rows there.
#[expect(
    clippy::needless_range_loop,
    reason = "through iterators the sums are kept in memory, at half the speed"
)]
#[inline(always)]
unsafe fn tile<L: Lanes, const R: usize, const W: usize>(call: &Call, row: usize, column: usize) {
    let wide = W * L::COUNT;
    let columns = (call.columns - column).min(wide);
    // SAFETY: the caller's promise; partial vectors keep to `columns`.
    unsafe {
        let mut sums = [[L::splat(0.0); W]; R];
        if !call.bias.is_null() {
            for w in 0..W {
                let bias = L::load(call.bias.add(column + w * L::COUNT));
                for row_sums in &mut sums {
                    row_sums[w] = bias;
                }
            }
        }
        let mut a = call.a.add(row * call.a_stride);
        let mut b = call.b.add(column / wide * call.panel_stride);
        for _ in 0..call.depth {
            let mut panel = [L::splat(0.0); W];
            for (w, v) in panel.iter_mut().enumerate() {
                *v = L::load(b.add(w * L::COUNT));
            }
            for r in 0..R {
                let left = L::splat(*a.add(r * call.a_stride));
                for w in 0..W {
                    sums[r][w] = L::mul_add(left, panel[w], sums[r][w]);
                }
            }
            a = a.wrapping_add(call.a_step);
            b = b.wrapping_add(call.b_stride);
        }
        let corner = row * call.out_stride + column;
        for (r, row_sums) in sums.iter().enumerate() {
            let start = corner + r * call.out_stride;
            for (w, sum) in row_sums.iter().enumerate() {
                let left = columns.saturating_sub(w * L::COUNT);
                let at = start + w * L::COUNT;
                if left >= L::COUNT {
                    let mut v = *sum;
                    if !call.residual.is_null() {
                        v = L::add(v, L::load(call.residual.add(at)));
                    }
                    L::store(call.out.add(at), v);
                } else if left > 0 {
                    let mut v = *sum;
                    if !call.residual.is_null() {
                        v = L::add(v, L::load_part(call.residual.add(at), left, 0.0));
                    }
                    L::store_part(call.out.add(at), left, v);
                }
            }
            if call.activation != Activation::Identity {
                activation::run::<L>(call.activation, call.out.add(start), columns);
            }
        }
    }
}

/// Packs the rows at `from`, `(rows, columns)` with `stride` from one to the next, as
/// panels of `WIDE` of them: number `k` of row `p · WIDE + j` goes to
/// `(p · columns + k) · WIDE + j`. The last panel is filled up with zeros.
///
/// # Safety
/// `from` must be good for the rows, `to` for all panels.
#[inline(always)]
pub(crate) unsafe fn transpose<const WIDE: usize>(
    from: *const f32,
    stride: usize,
    rows: usize,
    columns: usize,
    to: *mut f32,
) {
    let mut to = to;
    let mut first = 0;
    while first < rows {
        let here = (rows - first).min(WIDE);
        // SAFETY: `here` rows are read, and one panel is written.
        unsafe {
            let from = from.add(first * stride);
            for j in 0..here {
                for k in 0..columns {
                    *to.add(k * WIDE + j) = *from.add(j * stride + k);
                }
            }
            for j in here..WIDE {
                for k in 0..columns {
                    *to.add(k * WIDE + j) = 0.0;
                }
            }
            to = to.add(columns * WIDE);
        }
        first += WIDE;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn is_the_sum_of_products(
            rows in 0usize..40,
            depth in 1usize..70,
            columns in 1usize..100,
            with_bias: bool,
            with_residual: bool,
            seed in any::<u64>(),
        ) {
            let (input, weight) = (numbers(seed, rows * depth), numbers(seed ^ 1, columns * depth));
            let (bias, residual) = (numbers(seed ^ 2, columns), numbers(seed ^ 3, rows * columns));
            let mut expect = Vec::new();
            for row in 0..rows {
                for column in 0..columns {
                    let mut sum: f64 = (0..depth)
                        .map(|k| f64::from(input[row * depth + k]) * f64::from(weight[column * depth + k]))
                        .sum();
                    if with_bias {
                        sum += f64::from(bias[column]);
                    }
                    if with_residual {
                        sum += f64::from(residual[row * columns + column]);
                    }
                    expect.push(sum.max(0.0));
                }
            }
            for version in Kernels::available() {
                // Of sums of at most 70 products, each at most 1.
                for (precision, most) in
                    [(Precision::F32, 2e-5), (Precision::High, 7e-4), (Precision::Bf16, 0.3)]
                {
                    let bias = with_bias.then_some(&bias[..]);
                    let packed = PackedMatrix::of_rows(version, precision, &weight, depth, bias);
                    let mut output = vec![f32::NAN; rows * columns];
                    packed.multiply(Product {
                        input: &input,
                        residual: with_residual.then_some(&residual[..]),
                        activation: Activation::Relu,
                        output: &mut output,
                    });
                    assert_near(&output, &expect, most, version.name);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against the same sum of rounded numbers, which is exact.
        #[test]
        fn in_8_bits_is_the_sum_of_rounded_products(
            rows in 0usize..70,
            depth in 1usize..200,
            columns in 1usize..100,
            with_residual: bool,
            seed in any::<u64>(),
        ) {
            let (input, weight) = (numbers(seed, rows * depth), numbers(seed ^ 1, columns * depth));
            let (bias, residual) = (numbers(seed ^ 2, columns), numbers(seed ^ 3, rows * columns));
            let rounded = |numbers: &[f32]| {
                let most = numbers.iter().fold(0f32, |most, x| most.max(x.abs()));
                let steps: Vec<f64> = numbers
                    .iter()
                    .map(|x| f64::from((x * (127.0 / most)).round_ties_even()))
                    .collect();
                (steps, f64::from(most / 127.0))
            };
            let weights: Vec<_> = weight.chunks(depth).map(rounded).collect();
            let mut expect = Vec::new();
            for (row, input) in input.chunks(depth).map(rounded).enumerate() {
                for (column, weight) in weights.iter().enumerate() {
                    let sum: f64 = input.0.iter().zip(&weight.0).map(|(a, b)| a * b).sum();
                    let mut sum = sum * input.1 * weight.1 + f64::from(bias[column]);
                    if with_residual {
                        sum += f64::from(residual[row * columns + column]);
                    }
                    expect.push(sum.max(0.0));
                }
            }
            for version in Kernels::available() {
                let packed = PackedMatrix::of_rows_in_int8(version, &weight, depth, Some(&bias));
                let mut output = vec![f32::NAN; rows * columns];
                packed.multiply(Product {
                    input: &input,
                    residual: with_residual.then_some(&residual[..]),
                    activation: Activation::Relu,
                    output: &mut output,
                });
                assert_near(&output, &expect, 2e-5, version.name);
            }
        }
    }

    #[test]
    fn many_rows_pass_in_blocks() {
        let (depth, columns) = (1024, 3);
        let rows = 3 * NEAR / depth + 5;
        let weight = numbers(1, columns * depth);
        let input = numbers(2, rows * depth);
        for version in Kernels::available() {
            let packed = PackedMatrix::of_rows(version, Precision::default(), &weight, depth, None);
            let mut output = vec![0.0; rows * columns];
            packed.multiply(Product {
                input: &input,
                residual: None,
                activation: Activation::Identity,
                output: &mut output,
            });
            for (row, found) in output.chunks(columns).enumerate() {
                let mut alone = [0.0; 3];
                packed.multiply(Product {
                    input: &input[row * depth..(row + 1) * depth],
                    residual: None,
                    activation: Activation::Identity,
                    output: &mut alone,
                });
                assert_eq!(found, alone, "row {row} by {}", version.name);
            }
        }
    }
}
