//! Products of which one side is a few numbers thin, as those of a low-rank adapter.
//!
//! To pack the other side, which is large, would cost more than to multiply it. So it is
//! read as it lies, once, by vectors.

#![expect(
    unsafe_code,
    reason = "threads write to their own columns of an output"
)]

use super::blocks::{self, Pack};
use super::{Factor, Matmul};
use crate::activation::Activation;
use crate::gemm::Call;
use crate::simd::Kernels;
use crate::stored::{Scratch, Sum};
use crate::team::{Start, Team};

/// Rows, columns or depth of what is thin.
const THIN: usize = 16;
/// Rows of the right matrix that are read together, and columns of it in a part.
const DEPTH: usize = 32;
const PART: usize = 128;

/// Computes the product if one side is thin and the other lies as it is read; else
/// returns it.
pub(super) fn multiply<'a>(
    kernels: &Kernels,
    team: &Team,
    matmul: Matmul<'a>,
    scratch: &mut Scratch,
) -> Option<Matmul<'a>> {
    let (rows, depth, columns) = (
        matmul.left.rows(),
        matmul.left.columns(),
        matmul.right.columns(),
    );
    let in_rows = matmul.left.is_whole_rows();
    if in_rows && columns <= kernels.narrow.columns {
        blocks::multiply(kernels.narrow, team, matmul, scratch);
    } else if in_rows && depth <= THIN {
        blocks::multiply(kernels.panels, team, matmul, scratch);
    } else if rows <= THIN && matmul.right.is_whole_rows() {
        few_rows(
            kernels,
            team,
            &matmul.left,
            &matmul.right,
            scratch,
            &mut |product| {
                let rows = matmul.out.chunks_exact_mut(columns);
                for (out, product) in rows.zip(product.chunks_exact(columns)) {
                    put(
                        out,
                        product.iter(),
                        matmul.sum,
                        matmul.bias.unwrap_or_default(),
                    );
                }
            },
        );
    } else if columns <= THIN && matmul.left.turned().is_whole_rows() {
        // The transpose of the product of the transposes.
        let (left, right) = (matmul.right.turned(), matmul.left.turned());
        few_rows(kernels, team, &left, &right, scratch, &mut |product| {
            for (row, out) in matmul.out.chunks_exact_mut(columns).enumerate() {
                let product = product[row..].iter().step_by(rows);
                put(out, product, matmul.sum, matmul.bias.unwrap_or_default());
            }
        });
    } else {
        return Some(matmul);
    }
    None
}

fn put<'a>(out: &mut [f32], product: impl Iterator<Item = &'a f32>, sum: Sum, bias: &[f32]) {
    let bias = bias.iter().copied().chain(std::iter::repeat(0.0));
    for ((out, product), bias) in out.iter_mut().zip(product).zip(bias) {
        let before = if sum == Sum::Add { *out } else { 0.0 };
        *out = before + (product + bias);
    }
}

/// Calls `then` with the product of a left matrix of few rows and a right one of whole
/// rows.
fn few_rows(
    kernels: &Kernels,
    team: &Team,
    left: &Factor<'_>,
    right: &Factor<'_>,
    scratch: &mut Scratch,
    then: &mut dyn FnMut(&[f32]),
) {
    let (rows, depth, columns) = (left.rows(), left.columns(), right.columns());
    let wide = kernels.panel_columns;
    let whole = columns - columns % wide;
    let [packed, rest, out] = scratch
        .panels
        .carve([rows * depth, wide * depth, rows * columns]);
    // SAFETY: there is place for the rows.
    unsafe {
        (kernels.panels.pack_left)(&Pack {
            factor: left,
            bytes: size_of::<f32>(),
            from: 0,
            to: rows,
            depth_from: 0,
            depth_to: depth,
            out: packed.as_mut_ptr().cast(),
        });
        if whole < columns {
            // A panel is read to its full width.
            (kernels.panels.pack_right)(&Pack {
                factor: right,
                bytes: size_of::<f32>(),
                from: whole,
                to: columns,
                depth_from: 0,
                depth_to: depth,
                out: rest.as_mut_ptr().cast(),
            });
        }
    }
    let numbers = right.lines().bytes.as_ptr().cast::<f32>();
    let numbers = Start(numbers.cast_mut());
    let (packed, rest, to) = (&*packed, &*rest, Start(out.as_mut_ptr()));
    team.run(columns.div_ceil(PART), &|part, _| {
        let from = part * PART;
        let until = columns.min(from + PART);
        for first in (0..depth).step_by(DEPTH) {
            let call = |column: usize, end: usize, panel: *const f32, stride: usize| {
                // SAFETY: the columns are the part's own.
                let out = unsafe { to.get().add(column) };
                let call = Call {
                    rows,
                    depth: DEPTH.min(depth - first),
                    columns: end - column,
                    a: packed[first..].as_ptr(),
                    a_stride: depth,
                    a_step: 1,
                    b: panel,
                    b_stride: stride,
                    panel_stride: wide,
                    bias: std::ptr::null(),
                    residual: if first > 0 { out } else { std::ptr::null_mut() },
                    out,
                    out_stride: columns,
                    activation: Activation::Identity,
                };
                // SAFETY: rows before the depth and columns before `end` are there, and
                // panels are whole.
                unsafe { (kernels.product)(&call) }
            };
            let middle = until.min(whole);
            if from < middle {
                // SAFETY: the row is there.
                let panel = unsafe { numbers.get().add(first * columns + from) };
                call(from, middle, panel, columns);
            }
            if until > whole {
                let panel = rest[first * wide..].as_ptr();
                call(from.max(whole), until, panel, wide);
            }
        }
    });
    then(out);
}
