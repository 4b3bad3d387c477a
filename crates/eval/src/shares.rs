//! Work that processors share: each takes a stretch of it, and what they make comes back in
//! order, so that nothing depends on who was faster.

use std::ops::Range;

/// Less than this is done by one.
const SHARED: usize = 500;

/// Has `make` called with stretches that cover `0..count` without a gap, and returns what it makes
/// in their order. How many they are depends on the machine; what is made of them must not.
pub(crate) fn shares<T: Send>(count: usize, make: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
    if count < SHARED {
        return vec![make(0..count)];
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = count.div_ceil(workers);
    let make = &make;
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..count)
            .step_by(share)
            .map(|start| scope.spawn(move || make(start..(start + share).min(count))))
            .collect();
        let done = working.into_iter().map(std::thread::ScopedJoinHandle::join);
        done.map(|part| part.expect("shared work does not panic"))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_out_or_done_twice() {
        for count in [0, 1, SHARED - 1, SHARED, SHARED + 1, 10_007] {
            let all: Vec<usize> = shares(count, Iterator::collect::<Vec<_>>).concat();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
