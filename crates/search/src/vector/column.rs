//! Rows of numbers: the first of them in a mapped file, the others in memory.
//!
//! An index opened from its file uses the file's pages where they are; what is
//! added or changed afterwards goes into memory behind them. Row `i` is found with
//! one comparison. Memory is asked for in huge pages where the system has them:
//! a walk through a graph touches rows all over, and with 4 KiB pages most of its
//! steps would also miss in the TLB.

#![expect(
    unsafe_code,
    reason = "sections of a mapped file are read in place as numbers"
)]

use std::marker::PhantomData;
use std::slice;
use std::sync::Arc;

use memmap2::MmapMut;

use crate::derived::{Derived, DerivedError};

/// Numbers whose every bit pattern is one, without padding.
///
/// # Safety
/// The type must be valid for any bytes, and have no padding.
pub(super) unsafe trait Plain: Copy + Default {}
// SAFETY: integers and floats are valid for any bytes.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}

/// Rows of `stride` numbers each, from row 0 on.
#[derive(Debug)]
pub(super) struct Column<T> {
    stride: usize,
    /// Kept so that the pages that `file_start` leads to stay mapped.
    _file: Option<Arc<Derived>>,
    file_start: *const T,
    file_rows: usize,
    /// Kept as what `memory_start` leads to.
    _memory: Option<MmapMut>,
    memory_start: *mut T,
    memory_rows: usize,
    memory_capacity: usize,
    marker: PhantomData<T>,
}

// SAFETY: the pointers lead into `_file` and `_memory`, which the column owns or
// shares read-only; writing needs `&mut self`.
unsafe impl<T: Send> Send for Column<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Column<T> {}

impl<T: Plain> Column<T> {
    /// Returns no rows of `stride` numbers.
    pub(super) fn new(stride: usize) -> Self {
        Self {
            stride,
            _file: None,
            file_start: std::ptr::dangling(),
            file_rows: 0,
            _memory: None,
            memory_start: std::ptr::dangling_mut(),
            memory_rows: 0,
            memory_capacity: 0,
            marker: PhantomData,
        }
    }

    /// Returns the `rows` rows that are section `section` of `file`, in place.
    /// Fails if the section is of another size.
    pub(super) fn open(
        file: &Arc<Derived>,
        section: usize,
        stride: usize,
        rows: usize,
    ) -> Result<Self, DerivedError> {
        let bytes = file.section(section)?;
        let size = rows
            .checked_mul(stride)
            .and_then(|numbers| numbers.checked_mul(size_of::<T>()));
        if size != Some(bytes.len()) {
            return Err(file.damaged("a section is not of the size its rows need"));
        }
        let start = bytes.as_ptr();
        assert!(
            start.cast::<T>().is_aligned(),
            "sections are aligned to 64 bytes"
        );
        Ok(Self {
            _file: Some(Arc::clone(file)),
            file_start: start.cast(),
            file_rows: rows,
            ..Self::new(stride)
        })
    }

    /// Returns how many rows there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.file_rows + self.memory_rows
    }

    /// Returns how many rows lie in the file, and so cannot be written.
    pub(super) fn file_rows(&self) -> usize {
        self.file_rows
    }

    /// Returns how many numbers a row has.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Returns how many bytes of memory it takes besides the file.
    pub(super) fn memory(&self) -> usize {
        self.memory_capacity * self.stride * size_of::<T>()
    }

    /// Returns the address of row `row`. Panics if there is no such row.
    #[inline]
    pub(super) fn at(&self, row: u32) -> *const T {
        let row = row as usize;
        assert!(row < self.len(), "the row is in the column");
        if row < self.file_rows {
            self.file_start.wrapping_add(row * self.stride)
        } else {
            self.memory_start
                .wrapping_add((row - self.file_rows) * self.stride)
        }
    }

    /// Returns row `row`. Panics if there is no such row.
    #[inline]
    pub(super) fn row(&self, row: u32) -> &[T] {
        // SAFETY: `at` has checked the row; each has `stride` numbers, all written.
        unsafe { slice::from_raw_parts(self.at(row), self.stride) }
    }

    /// Returns the `count` rows from `first` on as one run, if they lie in one piece.
    /// Panics if there are no such rows.
    #[inline]
    pub(super) fn run(&self, first: u32, count: usize) -> Option<&[T]> {
        let end = first as usize + count;
        assert!(end <= self.len(), "the rows are in the column");
        let whole = end <= self.file_rows || first as usize >= self.file_rows;
        // SAFETY: the rows are there, and `whole` says that they follow one another.
        (whole && count > 0)
            .then(|| unsafe { slice::from_raw_parts(self.at(first), count * self.stride) })
    }

    /// Returns the rows as two runs: those in the file, and those in memory.
    pub(super) fn runs(&self) -> [&[T]; 2] {
        // SAFETY: both runs are that long, and all written.
        unsafe {
            [
                slice::from_raw_parts(self.file_start, self.file_rows * self.stride),
                slice::from_raw_parts(self.memory_start, self.memory_rows * self.stride),
            ]
        }
    }

    /// Returns row `row` to write to. Panics if it lies in the file.
    pub(super) fn row_mut(&mut self, row: u32) -> &mut [T] {
        let row = row as usize;
        assert!(
            (self.file_rows..self.len()).contains(&row),
            "only rows in memory are written"
        );
        // SAFETY: the row is in memory, and `&mut self` is the only way to it.
        unsafe {
            slice::from_raw_parts_mut(
                self.memory_start.add((row - self.file_rows) * self.stride),
                self.stride,
            )
        }
    }

    /// Adds a row of `stride` numbers, the missing ones zero.
    /// Panics if `values` has more.
    pub(super) fn push(&mut self, values: &[T]) {
        assert!(values.len() <= self.stride, "the row fits its place");
        if self.memory_rows == self.memory_capacity {
            self.reserve(1);
        }
        self.memory_rows += 1;
        let row = self.row_mut(self.len() as u32 - 1);
        row[..values.len()].copy_from_slice(values);
        row[values.len()..].fill(T::default());
    }

    /// Makes room for `more` further rows; at least doubles.
    pub(super) fn reserve(&mut self, more: usize) {
        let needed = self.memory_rows + more;
        if needed <= self.memory_capacity {
            return;
        }
        let capacity = needed.max(self.memory_capacity * 2).max(16);
        let row_bytes = (self.stride * size_of::<T>()).max(1);
        let mut memory = anonymous(capacity * row_bytes);
        let used = self.memory_rows * self.stride;
        // SAFETY: both places are good for `used` numbers and do not overlap; a
        // mapping starts at a page, so it is aligned for any number.
        unsafe {
            std::ptr::copy_nonoverlapping(self.memory_start, memory.as_mut_ptr().cast(), used);
        }
        self.memory_start = memory.as_mut_ptr().cast();
        self._memory = Some(memory);
        self.memory_capacity = capacity;
    }

    /// Returns the rows in `order` as a column in memory.
    pub(super) fn gathered(&self, order: &[u32]) -> Self {
        let mut column = Self::new(self.stride);
        column.reserve(order.len());
        for row in order {
            column.push(self.row(*row));
        }
        column
    }
}

/// Returns zeroed memory, in huge pages if it is large and the system has them.
/// Aborts, as every allocation does, when there is none.
fn anonymous(bytes: usize) -> MmapMut {
    let memory = MmapMut::map_anon(bytes.max(1)).unwrap_or_else(|_| {
        std::alloc::handle_alloc_error(
            std::alloc::Layout::from_size_align(bytes.max(1), 64)
                .expect("a size that was asked for"),
        )
    });
    #[cfg(target_os = "linux")]
    if bytes >= 4 << 20 {
        // Only a wish: without huge pages it works as well, but slower.
        let _ = memory.advise(memmap2::Advice::HugePage);
    }
    memory
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derived::{self, Kind};

    const KIND: Kind = Kind { id: 9, version: 1 };

    #[test]
    fn rows_behind_a_file_are_as_rows_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("column");
        let bytes: Vec<u8> = (0u32..6).flat_map(u32::to_le_bytes).collect();
        derived::write(&path, KIND, 0, &[&bytes]).unwrap();
        let file = Arc::new(Derived::open(&path, KIND).unwrap());

        let mut column = Column::<u32>::open(&file, 0, 2, 3).unwrap();
        for value in 6..500 {
            column.push(&[value]);
        }
        assert_eq!(column.row(2), [4, 5]);
        assert_eq!(column.row(3), [6, 0]);
        assert_eq!(column.row(496), [499, 0]);
        column.row_mut(3)[1] = 7;
        let gathered = column.gathered(&[3, 0]);
        assert_eq!(gathered.runs(), [&[][..], &[6, 7, 0, 1]]);
        assert!(Column::<u32>::open(&file, 0, 2, 4).is_err());
        assert!(Column::<u32>::open(&file, 0, usize::MAX, 3).is_err());
    }
}
