//! How a product is cut into blocks, and the blocks into parts for a team.
//!
//! After Goto and van de Geijn (2008, *Anatomy of High-Performance Matrix
//! Multiplication*): a block of the right matrix and one of the left are packed by all
//! threads together; then each thread multiplies pieces of both, of which the left one
//! stays in the second-level cache while the right one's panels pass by.

#![expect(unsafe_code, reason = "threads write to their own parts of an output")]

use super::{Factor, Matmul, Precision};
use crate::format::Format;
use crate::stored::{Scratch, Sum};
use crate::team::{Start, Team};

/// How one kind of processor packs and multiplies blocks.
///
/// Rows of the left block follow one another in groups of `rows`, columns of the right
/// one in panels of `columns`, both filled up with zeros, and so is the depth to a whole
/// number of `depth`.
#[derive(Debug)]
pub(crate) struct Loops {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    /// Returns the bytes of a packed number of either side, which lie in these formats.
    pub(crate) bytes: fn(Precision, [Format; 2]) -> [usize; 2],
    /// Returns the most depth that is packed at a time, where numbers take so many bytes.
    pub(crate) deepest: fn([usize; 2]) -> usize,
    /// Whether a left matrix of `f32` in rows is multiplied as it lies.
    pub(crate) in_place: bool,
    /// Packs rows of the left matrix: whole groups of [`GROUP`], or up to its end.
    pub(crate) pack_left: unsafe fn(&Pack<'_>),
    /// Packs columns of the right matrix, in the same manner.
    pub(crate) pack_right: unsafe fn(&Pack<'_>),
    pub(crate) multiply: unsafe fn(&Part),
}

/// Rows or columns that are packed together: a multiple of every group and panel.
pub(crate) const GROUP: usize = 128;

/// What is to be packed: some rows of a left matrix or columns of a right one, and some
/// of the depth.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "some of it is for tiles alone")
)]
pub(crate) struct Pack<'a> {
    pub(crate) factor: &'a Factor<'a>,
    /// Bytes of a packed number.
    pub(crate) bytes: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) depth_from: usize,
    pub(crate) depth_to: usize,
    /// Where the first of them goes.
    pub(crate) out: *mut u8,
}

/// One thread's share of a product of blocks.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "some of it is for tiles alone")
)]
pub(crate) struct Part {
    /// Bytes of a packed number of either side.
    pub(crate) bytes: [usize; 2],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) depth: usize,
    /// The first row, packed, or as it lies.
    pub(crate) left: *const u8,
    /// Numbers from one row to the next, where rows lie as they were.
    pub(crate) left_stride: usize,
    /// The first panel.
    pub(crate) right: *const u8,
    /// To the last panel's full width; or null.
    pub(crate) bias: *const f32,
    /// Whether the product is added to what `out` holds.
    pub(crate) add: bool,
    pub(crate) out: *mut f32,
    pub(crate) out_stride: usize,
}

/// Bytes of a packed block: together they leave room in the third-level cache.
const BLOCK: usize = 4 << 20;
/// The most bytes of a left side that is packed once for all blocks of the right one.
const LEFT: usize = 8 << 20;
/// Bytes of the left piece that stays near one processor.
const NEAR: usize = 640 << 10;
/// The most columns of a part.
const PART_COLUMNS: usize = 1024;

/// Sets `out` to what it is before the first product is added: the bias, or nothing.
pub(super) fn start(matmul: Matmul<'_>) {
    let Matmul {
        right,
        bias,
        sum,
        out,
        ..
    } = matmul;
    for row in out.chunks_exact_mut(right.columns()) {
        if sum == Sum::Replace {
            row.fill(0.0);
        }
        for (number, bias) in row.iter_mut().zip(bias.unwrap_or_default()) {
            *number += bias;
        }
    }
}

/// Computes a product whose shapes were checked and none of which is 0.
pub(super) fn multiply(loops: &Loops, team: &Team, matmul: Matmul<'_>, scratch: &mut Scratch) {
    let Matmul {
        left,
        right,
        bias,
        sum,
        precision,
        out,
    } = matmul;
    let (rows, depth, columns) = (left.rows(), left.columns(), right.columns());
    let bytes = (loops.bytes)(precision, [left.lines().format, right.lines().format]);
    let in_place = loops.in_place && left.is_whole_rows();

    let step = depth_step(loops, bytes, depth);
    let lines = bytes.map(|bytes| step.min(depth).next_multiple_of(loops.depth) * bytes);
    let block_rows = if in_place {
        rows
    } else {
        even(rows, BLOCK / lines[0], GROUP)
    };
    let block_columns = even(columns, BLOCK / lines[1], GROUP);
    let padded_rows = rows.next_multiple_of(loops.rows);
    let whole_left = padded_rows * depth.next_multiple_of(loops.depth) * bytes[0];
    let keeps_left = !in_place && block_columns < columns && whole_left <= LEFT;
    let before = right
        .packed()
        .filter(|it| it.step_at(loops, bytes, 0).is_some());

    let padded_columns = columns.next_multiple_of(loops.columns);
    let [packed_left, packed_right, padded_bias] = scratch.panels.carve([
        if in_place {
            0
        } else if keeps_left {
            whole_left / 4
        } else {
            block_rows.min(rows).next_multiple_of(loops.rows) * lines[0] / 4
        },
        if before.is_some() {
            0
        } else {
            block_columns.min(columns).next_multiple_of(loops.columns) * lines[1] / 4
        },
        if bias.is_some() { padded_columns } else { 0 },
    ]);
    if let Some(bias) = bias {
        padded_bias[..columns].copy_from_slice(bias);
        padded_bias[columns..].fill(0.0);
    }
    let has_bias = bias.is_some();
    let bias = Start(padded_bias.as_mut_ptr());
    let packed_left = Start(packed_left.as_mut_ptr().cast::<u8>());
    let packed_right = Start(packed_right.as_mut_ptr().cast::<u8>());
    let output = Start(out.as_mut_ptr());

    for first_column in (0..columns).step_by(block_columns) {
        let columns_here = block_columns.min(columns - first_column);
        for depth_from in (0..depth).step_by(step) {
            let depth_to = depth.min(depth_from + step);
            let packed_depth = (depth_to - depth_from).next_multiple_of(loops.depth);
            let lines = bytes.map(|bytes| packed_depth * bytes);
            let panels = match before.and_then(|it| it.step_at(loops, bytes, depth_from)) {
                // SAFETY: all columns of the step were packed, whole panels before this one.
                Some(step) => Start(unsafe { step.add(first_column * lines[1]) }.cast_mut()),
                None => Start(packed_right.get()),
            };
            for first_row in (0..rows).step_by(block_rows) {
                let rows_here = block_rows.min(rows - first_row);
                let right_groups = if first_row == 0 && before.is_none() {
                    columns_here.div_ceil(GROUP)
                } else {
                    0
                };
                let left_groups = if in_place || keeps_left && first_column > 0 {
                    0
                } else {
                    rows_here.div_ceil(GROUP)
                };
                let first_left = if keeps_left {
                    padded_rows * depth_from * bytes[0] + first_row * lines[0]
                } else {
                    0
                };
                team.run(right_groups + left_groups, &|part, _| {
                    let is_right = part < right_groups;
                    let group = part - if is_right { 0 } else { right_groups };
                    let (factor, pack, first, count, to) = if is_right {
                        let to = packed_right.get();
                        (&right, loops.pack_right, first_column, columns_here, to)
                    } else {
                        // SAFETY: steps and rows fill what is kept without a gap.
                        let to = unsafe { packed_left.get().add(first_left) };
                        (&left, loops.pack_left, first_row, rows_here, to)
                    };
                    let side = usize::from(is_right);
                    let from = first + group * GROUP;
                    // SAFETY: the rows and columns are there, and every group has its
                    // own place, since groups and panels fill it without a gap.
                    unsafe {
                        pack(&Pack {
                            factor,
                            bytes: bytes[side],
                            from,
                            to: (from + GROUP).min(first + count),
                            depth_from,
                            depth_to,
                            out: to.add(group * GROUP * lines[side]),
                        });
                    }
                });

                let part_rows = even(rows_here, NEAR / lines[0], loops.rows);
                let part_columns = even(
                    columns_here,
                    PART_COLUMNS.min(columns_here.div_ceil(2 * team.threads())),
                    loops.columns,
                );
                let across = columns_here.div_ceil(part_columns);
                let parts = rows_here.div_ceil(part_rows) * across;
                team.run(parts, &|part, _| {
                    let row = part / across * part_rows;
                    let column = part % across * part_columns;
                    let (left, left_stride) = if in_place {
                        let lines = left.lines();
                        let at = (row * lines.length + depth_from) * size_of::<f32>();
                        (lines.bytes[at..].as_ptr(), lines.length)
                    } else {
                        // SAFETY: the row was packed.
                        let at = unsafe { packed_left.get().add(first_left + row * lines[0]) };
                        (at.cast_const(), packed_depth)
                    };
                    // SAFETY: the column was packed, its bias is there, and no other
                    // part has these rows and columns of the output.
                    unsafe {
                        let column_of_all = first_column + column;
                        let at = (first_row + row) * columns + column_of_all;
                        (loops.multiply)(&Part {
                            bytes,
                            rows: part_rows.min(rows_here - row),
                            columns: part_columns.min(columns_here - column),
                            depth: depth_to - depth_from,
                            left,
                            left_stride,
                            right: panels.get().add(column * lines[1]),
                            bias: if has_bias && depth_from == 0 {
                                bias.get().add(column_of_all)
                            } else {
                                std::ptr::null()
                            },
                            add: sum == Sum::Add || depth_from > 0,
                            out: output.get().add(at),
                            out_stride: columns,
                        });
                    }
                });
            }
        }
    }
}

/// The depth's steps begin at multiples of this, where blocks of numbers do.
const STEP: usize = 256;

/// Returns how much depth is packed at a time: as many steps as the deepest allow, and those
/// even.
pub(super) fn depth_step(loops: &Loops, bytes: [usize; 2], depth: usize) -> usize {
    let steps = depth.div_ceil((loops.deepest)(bytes));
    depth.div_ceil(steps).next_multiple_of(STEP)
}

/// Returns how many of `count` are taken at a time, a multiple of `group`: about as many
/// each time, and at most `most`, or one group if that is less.
fn even(count: usize, most: usize, group: usize) -> usize {
    let most = (most / group).max(1) * group;
    count
        .div_ceil(count.div_ceil(most).max(1))
        .next_multiple_of(group)
}
