//! A right side that is packed once, whole: weights that stay the same from product to
//! product need not be packed anew for each.

#![expect(unsafe_code, reason = "threads write to their own parts of a buffer")]

use super::Factor;
use super::Precision;
use super::blocks::{GROUP, Loops, Pack, depth_step};
use crate::buffer::Buffer;
use crate::format::Format;
use crate::simd::Kernels;
use crate::team::{Start, Team};

/// A right side `(K, N)` as a processor multiplies it, for left sides of `f32`.
///
/// It takes as many bytes as its planes: 6 a number for [`Precision::F32`] where tiles of
/// bfloat16 are multiplied, else 4. Products with it are, to the bit, those without.
#[derive(Debug)]
pub struct PackedFactor {
    numbers: Buffer,
    loops: &'static Loops,
    layout: Layout,
}

/// How it lies: the depth's steps one behind the other, each with all panels of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    rows: usize,
    columns: usize,
    /// Bytes of a number of either side.
    bytes: [usize; 2],
}

impl Layout {
    fn of(loops: &Loops, right: &Factor<'_>, precision: Precision) -> Self {
        Self {
            rows: right.rows(),
            columns: right.columns(),
            bytes: (loops.bytes)(precision, [Format::F32, right.lines().format]),
        }
    }

    fn padded_columns(&self, loops: &Loops) -> usize {
        self.columns.next_multiple_of(loops.columns)
    }

    /// Returns its bytes.
    fn length(&self, loops: &Loops) -> usize {
        let depth = self.rows.next_multiple_of(loops.depth);
        self.padded_columns(loops) * depth * self.bytes[1]
    }
}

impl PackedFactor {
    /// Returns the bytes it takes.
    pub fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<f32>()
    }

    /// Returns its rows and columns.
    pub(super) fn shape(&self) -> [usize; 2] {
        [self.layout.rows, self.layout.columns]
    }

    /// Returns where the panels of the depth's step from `depth_from` begin, if these loops
    /// with numbers of so many bytes read it.
    pub(super) fn step_at(
        &self,
        loops: &Loops,
        bytes: [usize; 2],
        depth_from: usize,
    ) -> Option<*const u8> {
        if !std::ptr::eq(self.loops, loops) || bytes != self.layout.bytes {
            return None;
        }
        let at = self.layout.padded_columns(loops) * depth_from * bytes[1];
        let all = self.numbers.as_slice();
        assert!(at <= size_of_val(all), "the step is one of the depth's");
        // SAFETY: it is within the buffer.
        Some(unsafe { all.as_ptr().cast::<u8>().add(at) })
    }
}

impl Kernels {
    /// Returns how many bytes `right` takes once it is [packed](Self::pack).
    pub fn packed_bytes(&self, right: &Factor<'_>, precision: Precision) -> usize {
        let loops = self.loops(precision);
        Layout::of(loops, right, precision).length(loops)
    }

    /// Packs `right` for products of this precision, shared by the team.
    pub fn pack(&self, team: &Team, right: Factor<'_>, precision: Precision) -> PackedFactor {
        let loops = self.loops(precision);
        let layout = Layout::of(loops, &right, precision);
        let Layout {
            rows: depth,
            columns,
            bytes,
        } = layout;
        let mut numbers = Buffer::zeros(layout.length(loops).div_ceil(size_of::<f32>()));
        if depth > 0 && columns > 0 {
            let step = depth_step(loops, bytes, depth);
            let padded = layout.padded_columns(loops);
            let start = Start(numbers.as_mut_slice().as_mut_ptr().cast::<u8>());
            let groups = columns.div_ceil(GROUP);
            team.run(depth.div_ceil(step) * groups, &|part, _| {
                let (depth_from, from) = (part / groups * step, part % groups * GROUP);
                let depth_to = depth.min(depth_from + step);
                let line = (depth_to - depth_from).next_multiple_of(loops.depth) * bytes[1];
                let at = padded * depth_from * bytes[1] + from * line;
                // SAFETY: the columns and the depth are there, and every group of a step has
                // its own place, since steps, groups and panels fill the buffer without a gap.
                unsafe {
                    (loops.pack_right)(&Pack {
                        factor: &right,
                        bytes: bytes[1],
                        from,
                        to: columns.min(from + GROUP),
                        depth_from,
                        depth_to,
                        out: start.get().add(at),
                    });
                }
            });
        }
        PackedFactor {
            numbers,
            loops,
            layout,
        }
    }
}
