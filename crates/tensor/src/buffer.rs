//! Memory that is planned once and used again.

#![expect(unsafe_code, reason = "lines of 16 numbers are seen as numbers")]

use crate::pages;

/// One cache line, the unit in which a [`Buffer`] is allocated.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

const LINE: usize = 16;

/// Numbers that start at a cache line, so that no load of a whole vector crosses one.
///
/// A first touch of fresh memory costs more than the arithmetic done on it. So
/// whoever computes in a loop keeps a buffer, asks [`Buffer::carve`] for the pieces
/// of each step, and pays only when a step needs more than any before.
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffer")
            .field("numbers", &(self.lines.len() * LINE))
            .finish()
    }
}

impl Buffer {
    /// Returns a buffer of at least `count` zeros.
    pub fn zeros(count: usize) -> Self {
        let count = count.div_ceil(LINE);
        let mut lines: Vec<Line> = Vec::with_capacity(count);
        // SAFETY: the memory is the vector's.
        unsafe { pages::ask_for_large(lines.as_mut_ptr().cast(), count * size_of::<Line>()) };
        lines.resize(count, Line([0.0; LINE]));
        Self { lines }
    }

    /// Returns pieces of the given lengths, each from a cache line on. They hold
    /// whatever was there before. Allocates only if the buffer is too short.
    pub fn carve<const PIECES: usize>(&mut self, lengths: [usize; PIECES]) -> [&mut [f32]; PIECES] {
        let needed: usize = lengths.iter().map(|length| length.div_ceil(LINE)).sum();
        if needed > self.lines.len() {
            // Not `resize`, which would copy what nobody will read.
            self.lines = Vec::new();
            *self = Self::zeros(needed * LINE);
        }
        let mut rest = self.as_mut_slice();
        lengths.map(|length| {
            let (piece, after) =
                std::mem::take(&mut rest).split_at_mut(length.div_ceil(LINE) * LINE);
            rest = after;
            &mut piece[..length]
        })
    }

    /// Returns how many numbers fit without another allocation.
    pub fn capacity(&self) -> usize {
        self.lines.len() * LINE
    }

    /// Returns all its numbers.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: a `Line` is exactly `LINE` numbers without padding, initialised.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.capacity()) }
    }

    /// Returns all its numbers.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        let count = self.capacity();
        // SAFETY: as in `as_slice`; the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_apart_and_aligned() {
        let mut buffer = Buffer::default();
        let [a, b, c] = buffer.carve([1, 17, 0]);
        a.fill(1.0);
        b.fill(2.0);
        assert_eq!((a, b.len(), c.len()), (&mut [1.0][..], 17, 0));
        let starts = buffer
            .carve([5, 5])
            .map(|piece| piece.as_ptr() as usize % 64);
        assert_eq!(starts, [0, 0]);
    }

    #[test]
    fn a_smaller_step_uses_the_same_memory() {
        let mut buffer = Buffer::default();
        let first = buffer.carve([100, 100])[0].as_ptr();
        assert_eq!(buffer.carve([64, 30])[0].as_ptr(), first);
        assert_eq!(buffer.capacity(), 224);
    }
}
