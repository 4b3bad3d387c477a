//! The products of attention: of a head's rows with one another, and of blocks of scores
//! with them.
//!
//! Processors that multiply vectors take numbers as they lie, but for panels of what is
//! turned. Where numbers may be rounded, those with tiles take both sides packed
//! ([`crate::matmul`]): a head's rows once, whole, so that blocks are found by their place.

#![expect(unsafe_code, reason = "blocks are multiplied through pointers")]

use crate::activation::Activation;
use crate::format::Format;
use crate::gemm::Call;
use crate::matmul::blocks::{GROUP, Loops, Pack, Part};
use crate::matmul::{Factor, Precision};
use crate::simd::Kernels;

/// How one kind of processor multiplies heads of one width.
#[derive(Clone, Copy)]
pub(super) struct Products<'a> {
    kernels: &'a Kernels,
    loops: &'static Loops,
    width: usize,
    /// From one row of a head to the next: whole panels.
    pub(super) padded: usize,
    /// Bytes of a packed number of either side, if they are packed.
    packed: Option<[usize; 2]>,
}

/// The left side of a product.
#[derive(Clone, Copy)]
pub(super) enum Left<'a> {
    /// Rows as they lie, or turned: from one row to the next, and within a row.
    Lies(&'a [f32], usize, usize),
    Packed(&'a [f32]),
}

/// The right side of a product.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    /// Panels, from one to the next, and from one depth to the next.
    Panels(&'a [f32], usize, usize),
    /// Packed panels, from one to the next.
    Packed(&'a [f32], usize),
}

/// What a product adds up, and where it goes.
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) columns: usize,
    /// Whether it is added to what is there.
    pub(super) add: bool,
    pub(super) stride: usize,
}

impl<'a> Products<'a> {
    pub(super) fn of(kernels: &'a Kernels, precision: Precision, width: usize) -> Self {
        let loops = kernels.loops(precision);
        // Three planes of so few numbers take longer to make than they save.
        let packed = (precision == Precision::Bf16 && !loops.in_place)
            .then(|| (loops.bytes)(precision, [Format::F32, Format::F32]));
        Self {
            kernels,
            loops,
            width,
            padded: width.next_multiple_of(kernels.panel_columns),
            packed,
        }
    }

    /// Numbers of 32 bits that a packed line of so much depth takes on a side.
    fn line(&self, side: usize, depth: usize) -> usize {
        self.packed.map_or(0, |bytes| {
            depth.next_multiple_of(self.loops.depth) * bytes[side] / size_of::<f32>()
        })
    }

    fn lines(&self, side: usize, count: usize) -> usize {
        let loops = self.loops;
        count.next_multiple_of([loops.rows, loops.columns][side])
    }

    /// Numbers that [`Self::turn`] sets for so many rows.
    pub(super) fn turned_size(&self, rows: usize) -> usize {
        match self.packed {
            Some(_) => self.lines(1, rows) * self.line(1, self.width),
            None => (rows.next_multiple_of(self.kernels.panel_columns) * self.width)
                .next_multiple_of(16),
        }
    }

    /// Packs `rows`, `(count, padded)`, as the columns of a right side.
    pub(super) fn turn(&self, rows: &[f32], count: usize, out: &mut [f32]) {
        if self.packed.is_some() {
            let factor = Factor::f32(&rows[..count * self.padded], count, self.padded).turned();
            self.pack(1, &factor, count, self.width, out);
        } else {
            assert!(
                rows.len() >= count * self.padded && out.len() >= self.turned_size(count),
                "the rows are there, and place for them"
            );
            // SAFETY: as was just checked; a table is only handed out where the processor
            // has what its functions need.
            unsafe {
                let (from, to) = (rows.as_ptr(), out.as_mut_ptr());
                (self.kernels.transpose)(from, self.padded, count, self.width, to);
            }
        }
    }

    /// Returns the turned rows from `row` on, a multiple of every panel.
    pub(super) fn turned<'b>(&self, turned: &'b [f32], row: usize) -> Right<'b> {
        if self.packed.is_some() {
            let line = self.line(1, self.width);
            Right::Packed(&turned[row * line..], self.loops.columns * line)
        } else {
            let wide = self.kernels.panel_columns;
            Right::Panels(&turned[row * self.width..], wide * self.width, wide)
        }
    }

    /// Numbers that [`Self::straighten`] sets for so many rows.
    pub(super) fn straight_size(&self, rows: usize) -> usize {
        self.lines(1, self.width) * self.line(1, rows)
    }

    /// Packs `rows`, `(count, padded)`, as the rows of a right side.
    pub(super) fn straighten(&self, rows: &[f32], count: usize, out: &mut [f32]) {
        if self.packed.is_some() {
            let factor = Factor::f32(&rows[..count * self.padded], count, self.padded);
            self.pack(1, &factor, self.width, count, out);
        }
    }

    /// Returns the rows from `row` on, of `count` of which `straight` was made.
    pub(super) fn straight<'b>(
        &self,
        rows: &'b [f32],
        straight: &'b [f32],
        count: usize,
        row: usize,
    ) -> Right<'b> {
        if self.packed.is_some() {
            let columns = self.loops.columns;
            Right::Packed(
                &straight[columns * self.line(1, row)..],
                columns * self.line(1, count),
            )
        } else {
            let wide = self.kernels.panel_columns;
            Right::Panels(&rows[row * self.padded..], wide, self.padded)
        }
    }

    /// Numbers that [`Self::put_left`] sets for so many rows.
    pub(super) fn left_size(&self, rows: usize) -> usize {
        self.lines(0, rows) * self.line(0, self.width)
    }

    /// Packs `rows`, `(count, padded)`, as the rows of a left side.
    pub(super) fn put_left(&self, rows: &[f32], count: usize, out: &mut [f32]) {
        if self.packed.is_some() {
            let factor = Factor::f32(&rows[..count * self.padded], count, self.padded);
            self.pack(0, &factor, count, self.width, out);
        }
    }

    /// Returns the rows from `row` on, a multiple of every tile's rows.
    pub(super) fn left<'b>(&self, rows: &'b [f32], left: &'b [f32], row: usize) -> Left<'b> {
        if self.packed.is_some() {
            Left::Packed(&left[row * self.line(0, self.width)..])
        } else {
            Left::Lies(&rows[row * self.padded..], self.padded, 1)
        }
    }

    /// Numbers that [`Self::scores`] and [`Self::turned_scores`] need for a block.
    pub(super) fn scores_size(&self, rows: usize, columns: usize) -> usize {
        let straight = self.lines(0, rows) * self.line(0, columns);
        straight.max(self.lines(0, columns) * self.line(0, rows))
    }

    /// Returns a block of scores, `(rows, columns)`, as a left side; `scores` are rows of
    /// `stride` numbers.
    pub(super) fn scores<'b>(
        &self,
        scores: &'b [f32],
        stride: usize,
        [rows, columns]: [usize; 2],
        out: &'b mut [f32],
    ) -> Left<'b> {
        if self.packed.is_some() {
            let factor = Factor::f32(&scores[..rows * stride], rows, stride);
            self.pack(0, &factor, rows, columns, out);
            Left::Packed(out)
        } else {
            Left::Lies(scores, stride, 1)
        }
    }

    /// The same turned: `(columns, rows)`.
    pub(super) fn turned_scores<'b>(
        &self,
        scores: &'b [f32],
        stride: usize,
        [rows, columns]: [usize; 2],
        out: &'b mut [f32],
    ) -> Left<'b> {
        if self.packed.is_some() {
            let factor = Factor::f32(&scores[..rows * stride], rows, stride).turned();
            self.pack(0, &factor, columns, rows, out);
            Left::Packed(out)
        } else {
            Left::Lies(scores, 1, stride)
        }
    }

    /// Packs the first `lines` of a side's lines, to the depth given.
    fn pack(&self, side: usize, factor: &Factor<'_>, lines: usize, depth: usize, out: &mut [f32]) {
        let loops = self.loops;
        let bytes = self.packed.expect("only what is packed is packed")[side];
        let line = self.line(side, depth);
        assert!(
            out.len() >= self.lines(side, lines) * line,
            "there is place for every line"
        );
        let pack = [loops.pack_left, loops.pack_right][side];
        for from in (0..lines).step_by(GROUP) {
            // SAFETY: the factor has these lines and this depth, and there is place for
            // them; a table is only handed out where the processor has what it needs.
            unsafe {
                pack(&Pack {
                    factor,
                    bytes,
                    from,
                    to: lines.min(from + GROUP),
                    depth_from: 0,
                    depth_to: depth,
                    out: out[from * line..].as_mut_ptr().cast(),
                });
            }
        }
    }

    /// Sets `out` to the product of both sides, or adds it.
    ///
    /// # Safety
    /// Both sides must be as large as the shape.
    pub(super) unsafe fn multiply(
        &self,
        left: Left<'_>,
        right: Right<'_>,
        shape: &Shape,
        out: &mut [f32],
    ) {
        let Shape {
            rows,
            depth,
            columns,
            add,
            stride,
        } = *shape;
        assert!(
            rows > 0 && columns <= stride && out.len() >= (rows - 1) * stride + columns,
            "there is place for every row"
        );
        match (left, right) {
            (Left::Lies(a, a_stride, a_step), Right::Panels(b, panel_stride, b_stride)) => {
                // SAFETY: as the caller promises.
                unsafe {
                    (self.kernels.product)(&Call {
                        rows,
                        depth,
                        columns,
                        a: a.as_ptr(),
                        a_stride,
                        a_step,
                        b: b.as_ptr(),
                        b_stride,
                        panel_stride,
                        bias: std::ptr::null(),
                        residual: if add { out.as_ptr() } else { std::ptr::null() },
                        out: out.as_mut_ptr(),
                        out_stride: stride,
                        activation: Activation::Identity,
                    });
                }
            }
            (Left::Packed(a), Right::Packed(b, panel)) => {
                let loops = self.loops;
                let bytes = self.packed.expect("both sides were packed");
                // Panels of a part follow one another without a gap.
                let each = if panel == loops.columns * self.line(1, depth) {
                    columns
                } else {
                    loops.columns
                };
                for column in (0..columns).step_by(each) {
                    // SAFETY: as the caller promises.
                    unsafe {
                        (loops.multiply)(&Part {
                            bytes,
                            rows,
                            columns: each.min(columns - column),
                            depth,
                            left: a.as_ptr().cast(),
                            left_stride: 0,
                            right: b[column / loops.columns * panel..].as_ptr().cast(),
                            bias: std::ptr::null(),
                            add,
                            out: out[column..].as_mut_ptr(),
                            out_stride: stride,
                        });
                    }
                }
            }
            _ => unreachable!("a processor packs both sides or none"),
        }
    }
}
