//! Threads that share one piece of work after another.
//!
//! A decoder asks for some two hundred pieces of work a token, each of them done in
//! tens of microseconds, so what counts is how soon the others begin. They wait for the
//! next piece with their eyes open for a moment and sleep only after that. Nobody
//! waits for one who has not begun: the caller does all that is left itself, and a
//! thread that comes late finds the door closed. So a piece of work never takes longer
//! than on the caller's thread alone, however busy the machine.
//!
//! Which thread does a part is left open, so parts must not depend on it; then
//! neither does the result.

#![expect(
    unsafe_code,
    reason = "work is lent to threads that outlive it, and slices are cut among them"
)]

use std::any::Any;
use std::cell::UnsafeCell;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long a thread watches for the next piece of work before it sleeps.
const WATCH: Duration = Duration::from_micros(50);
/// Looks between two readings of the clock.
const LOOKS: u32 = 64;

/// Threads that wait to share work with the one that calls.
///
/// One call has the whole team; a second one meanwhile, from another thread or from
/// within a part, is done by its own thread alone.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    /// Held by the call that has the team.
    turn: Mutex<()>,
    threads: Vec<JoinHandle<()>>,
    wake: Vec<Thread>,
}

#[derive(Debug)]
struct Shared {
    /// `number of the work << 32 | OPEN | threads at work`, or `CLOSED` for ever.
    door: AtomicU64,
    work: UnsafeCell<Work>,
    /// For each thread the parts that are its own, taken from the front by whoever.
    ranges: Vec<Range>,
    asleep: Vec<AtomicBool>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The parts of one thread, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Range {
    next: AtomicUsize,
    end: AtomicUsize,
}

/// What is being done: a function of the part and the seat of the thread that does it.
type Task<'a> = dyn Fn(usize, usize) + Sync + 'a;

#[derive(Debug)]
struct Work(Option<*const Task<'static>>);

// SAFETY: `work` is written only by the caller while the door is closed and nobody is
// inside, and read only by threads that came in through the open door.
unsafe impl Sync for Shared {}
// SAFETY: as above; the task itself is `Sync`.
unsafe impl Send for Shared {}

const OPEN: u64 = 1 << 31;
const INSIDE: u64 = OPEN - 1;
const NUMBER: u32 = 32;
const CLOSED: u64 = u64::MAX;

impl Team {
    /// Starts a team of `threads`, the caller's among them: as many as that less one
    /// are started.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn new(threads: NonZeroUsize) -> std::io::Result<Self> {
        let seats = threads.get();
        let shared = Arc::new(Shared {
            door: AtomicU64::new(0),
            work: UnsafeCell::new(Work(None)),
            ranges: (0..seats).map(|_| Range::default()).collect(),
            asleep: (0..seats).map(|_| AtomicBool::new(false)).collect(),
            panic: Mutex::new(None),
        });
        let mut team = Self {
            shared: shared.clone(),
            turn: Mutex::new(()),
            threads: Vec::new(),
            wake: Vec::new(),
        };
        for seat in 1..seats {
            let shared = shared.clone();
            // On failure the drop of `team` sends those home that were started.
            let thread = std::thread::Builder::new()
                .name(format!("tensor {seat}"))
                .spawn(move || shared.serve(seat))?;
            team.wake.push(thread.thread().clone());
            team.threads.push(thread);
        }
        Ok(team)
    }

    /// Starts a team with a thread for each processor that this program may use.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn of_all_processors() -> std::io::Result<Self> {
        Self::new(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// Returns how many threads share the work, the caller's among them.
    pub fn threads(&self) -> usize {
        self.shared.ranges.len()
    }

    /// Calls `task(part, seat)` once for every part below `parts`, and returns when all
    /// are done. `seat`, below [`Team::threads`], is held by one thread at a time; what
    /// is kept by seat is therefore used by one at a time.
    ///
    /// Neighbouring parts are mostly done by one thread, one after another. Panics if
    /// one of the calls does.
    pub fn run(&self, parts: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        let seats = self.threads();
        let turn = match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(std::sync::TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        };
        let Some(_turn) = turn.filter(|_| parts > 1 && seats > 1) else {
            for part in 0..parts {
                task(part, 0);
            }
            return;
        };
        let shared = &*self.shared;
        for (seat, range) in shared.ranges.iter().enumerate() {
            range.next.store(parts * seat / seats, Ordering::Relaxed);
            range
                .end
                .store(parts * (seat + 1) / seats, Ordering::Relaxed);
        }
        // SAFETY: only the lifetime changes. The reference is used by threads inside
        // the door, and this function does not return before it is closed and all of
        // them have left.
        let task: *const Task<'static> =
            unsafe { std::mem::transmute::<*const Task<'_>, *const Task<'static>>(task) };
        // SAFETY: the door is closed and nobody inside, and `turn` keeps others out.
        unsafe { (*shared.work.get()).0 = Some(task) };
        let number = (shared.door.load(Ordering::Relaxed) >> NUMBER) + 1;
        shared
            .door
            .store(((number & 0x7fff_ffff) << NUMBER) | OPEN, Ordering::Release);
        // Whoever falls asleep looks at the door once more after saying so; with both
        // fences one of the two sees the other.
        fence(Ordering::SeqCst);
        for (asleep, thread) in shared.asleep[1..].iter().zip(&self.wake) {
            if asleep.load(Ordering::Relaxed) {
                thread.unpark();
            }
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| shared.take_parts(0)));
        shared.door.fetch_and(!OPEN, Ordering::AcqRel);
        let mut looks = 0u32;
        while shared.door.load(Ordering::Acquire) & INSIDE != 0 {
            looks += 1;
            if looks.is_multiple_of(LOOKS * 16) {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
        let panic = shared
            .panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(panic) = outcome.err().or(panic) {
            resume_unwind(panic);
        }
    }

    /// Cuts `numbers` into chunks of `length`, the last of which may be shorter, and
    /// calls `task(chunk's number, chunk)` for each. Panics if `length` is 0, or one of
    /// the calls does.
    pub fn chunks<T: Send>(
        &self,
        numbers: &mut [T],
        length: usize,
        task: &(dyn Fn(usize, &mut [T]) + Sync),
    ) {
        assert!(length > 0, "a chunk has a length");
        let count = numbers.len();
        let start = Start(numbers.as_mut_ptr());
        self.run(count.div_ceil(length), &|part, _| {
            let from = part * length;
            // SAFETY: chunks of different parts do not overlap, and every part is done
            // once, while `numbers` is borrowed.
            let chunk = unsafe {
                std::slice::from_raw_parts_mut(start.get().add(from), length.min(count - from))
            };
            task(part, chunk);
        });
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.door.store(CLOSED, Ordering::Release);
        fence(Ordering::SeqCst);
        for thread in &self.wake {
            thread.unpark();
        }
        for thread in self.threads.drain(..) {
            // A thread hands its panics over to the caller and does not end by one.
            let _ended = thread.join();
        }
    }
}

/// The first of many numbers, seen by all threads, each of which keeps to its own.
pub(crate) struct Start<T>(pub(crate) *mut T);

impl<T> Start<T> {
    /// A method, so that closures take hold of the whole and not of the pointer in it.
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }

    /// Returns `count` numbers from number `from` on.
    ///
    /// # Safety
    /// They must be there, and nobody else may use them for as long.
    #[expect(
        clippy::mut_from_ref,
        reason = "the caller promises that nobody else does"
    )]
    pub(crate) unsafe fn cut(&self, from: usize, count: usize) -> &mut [T] {
        // SAFETY: as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(from), count) }
    }
}

// SAFETY: whoever makes one promises that no two threads use the same numbers.
unsafe impl<T: Send> Send for Start<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Start<T> {}

impl Shared {
    /// What a thread does all its life.
    fn serve(&self, seat: usize) {
        let mut done = 0;
        loop {
            let Some(number) = self.enter(seat, done) else {
                return;
            };
            done = number;
            let outcome = catch_unwind(AssertUnwindSafe(|| self.take_parts(seat)));
            if let Err(panic) = outcome {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            }
            self.door.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for work with another number than `done` and goes in through the open
    /// door. Returns the work's number, or nothing when the team is dissolved.
    fn enter(&self, seat: usize, done: u64) -> Option<u64> {
        let mut since = None;
        let mut looks = 0u32;
        loop {
            let door = self.door.load(Ordering::Acquire);
            if door == CLOSED {
                return None;
            }
            if door & OPEN != 0 && door >> NUMBER != done {
                let inside = self.door.compare_exchange_weak(
                    door,
                    door + 1,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                if inside.is_ok() {
                    return Some(door >> NUMBER);
                }
                continue;
            }
            std::hint::spin_loop();
            looks += 1;
            if !looks.is_multiple_of(LOOKS) {
                continue;
            }
            let start = *since.get_or_insert_with(Instant::now);
            if start.elapsed() < WATCH {
                continue;
            }
            self.asleep[seat].store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let door = self.door.load(Ordering::Relaxed);
            if door != CLOSED && (door & OPEN == 0 || door >> NUMBER == done) {
                std::thread::park();
            }
            self.asleep[seat].store(false, Ordering::Relaxed);
            since = None;
        }
    }

    /// Does parts until there are none left: its own, then those of the others.
    fn take_parts(&self, seat: usize) {
        // SAFETY: the calling thread is inside the door, or made the work itself.
        let task = unsafe { (*self.work.get()).0.expect("an open door means work") };
        // SAFETY: as above; the task lives until everybody has left.
        let task = unsafe { &*task };
        let seats = self.ranges.len();
        for offset in 0..seats {
            let range = &self.ranges[(seat + offset) % seats];
            let end = range.end.load(Ordering::Relaxed);
            loop {
                if range.next.load(Ordering::Relaxed) >= end {
                    break;
                }
                let part = range.next.fetch_add(1, Ordering::Relaxed);
                if part >= end {
                    break;
                }
                task(part, seat);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(threads: usize) -> Team {
        Team::new(NonZeroUsize::new(threads).unwrap()).unwrap()
    }

    #[test]
    fn every_part_is_done_once() {
        for threads in [1, 2, 3, 8] {
            let team = team(threads);
            for round in 0..300 {
                let parts = round * 7 % 41;
                let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                team.run(parts, &|part, seat| {
                    assert!(seat < threads);
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(
                    counts.iter().all(|it| it.load(Ordering::Relaxed) == 1),
                    "{parts} parts by {threads}"
                );
            }
        }
    }

    #[test]
    fn a_sleeping_team_wakes() {
        let team = team(3);
        for _ in 0..20 {
            std::thread::sleep(Duration::from_micros(300));
            let sum = AtomicUsize::new(0);
            team.run(100, &|part, _| {
                sum.fetch_add(part, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 4950);
        }
    }

    #[test]
    fn work_within_work_and_beside_it_is_done() {
        let team = team(2);
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        team.run(4, &|_, _| {
                            team.run(3, &|part, _| {
                                sum.fetch_add(part, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 50 * 4 * 3);
    }

    #[test]
    fn a_panic_comes_home_and_the_team_goes_on() {
        let team = team(2);
        for round in 0..20 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                team.run(8, &|part, _| assert_ne!(part, round % 8, "this one"));
            }));
            assert!(caught.is_err());
            let count = AtomicUsize::new(0);
            team.run(8, &|_, _| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(count.into_inner(), 8);
        }
    }

    #[test]
    fn chunks_are_the_whole() {
        let team = team(2);
        let mut numbers = vec![0; 103];
        team.chunks(&mut numbers, 10, &|chunk, numbers| {
            for (at, number) in numbers.iter_mut().enumerate() {
                *number = chunk * 10 + at;
            }
        });
        assert!(numbers.iter().copied().eq(0..103));
    }
}
