//! What training needs beside matrix products: backwards of norms, activations, rotary
//! positions and attention, the fused cross-entropy, dropout, and the optimiser.
//!
//! Letters: `T` tokens of all sequences, which lie one behind the other without padding;
//! `D` model width, `H` heads, `G` key heads, `W` head width, `V` vocabulary.
//!
//! Every call is shared by a [`Team`](crate::Team), and no result depends on how: parts
//! are cut by shapes alone, and what several parts add up is added in their order. What
//! is cheap to compute again is not asked for: an activation's backward takes what went
//! into it, attention's the log-sum-exp of each row of scores and never the scores.
//! Memory is the caller's; what a call needs beside it comes from [`TrainingScratch`].

mod activation;
mod adamw;
mod attention;
mod dropout;
mod eight_bit;
mod embedding;
mod flat;
mod loss;
mod nf4;
mod norm;
mod pool;
mod rotary;

pub use adamw::AdamW;
pub use attention::{Heads, HeadsMut, Mask, TrainingAttention};
pub use dropout::Dropout;
pub use eight_bit::EightBitMoments;
pub use loss::{CrossEntropy, IGNORE};
pub use nf4::{NF4, Nf4Matrix};
pub use norm::{NORM_STATISTICS, Norm, NormBackward};
pub use rotary::{Angles, Turn};

use crate::buffer::Buffer;
use crate::simd::Lanes;

/// What the kernels of training need beside their inputs and outputs. It grows to what
/// the largest call needs and is used again.
#[derive(Debug, Default)]
pub struct TrainingScratch {
    numbers: Buffer,
    /// Where each sequence starts, and the end of the last.
    starts: Vec<usize>,
}

impl TrainingScratch {
    /// Returns how many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<f32>() + self.starts.capacity() * size_of::<usize>()
    }
}

/// A loop, with what it works on. One entry of the table compiled for each processor
/// runs all of them: a call has thousands of numbers, so what it costs to find its loop
/// does not count.
pub(crate) enum Loop<'a> {
    Norm(norm::Forward<'a>),
    NormBack(norm::Back<'a>),
    Activate(activation::Forward<'a>),
    ActivateBack(activation::Back<'a>),
    GateBack(activation::GateBack<'a>),
    Probabilities(attention::Probabilities<'a>),
    Smoothed(loss::Smoothed<'a>),
    Drop(dropout::Drop<'a>),
    Multipliers(dropout::Multipliers<'a>),
    AddProducts(flat::AddProducts<'a>),
    SquaredNorm(flat::SquaredNorm<'a>),
    Widen(flat::Widen<'a>),
    Narrow(flat::Narrow<'a>),
    AdamW(adamw::Update<'a>),
    AdamWIn8Bits(eight_bit::Update<'a>),
}

/// # Safety
/// As all of [`Lanes`]. Whatever makes a loop has checked that its slices fit.
#[inline(always)]
#[expect(unsafe_code, reason = "loops over `Lanes`")]
pub(crate) unsafe fn run<L: Lanes>(work: Loop<'_>) {
    // SAFETY: the caller promises the processor; the slices are those of the loop.
    unsafe {
        match work {
            Loop::Norm(work) => work.run::<L>(),
            Loop::NormBack(work) => work.run::<L>(),
            Loop::Activate(work) => work.run::<L>(),
            Loop::ActivateBack(work) => work.run::<L>(),
            Loop::GateBack(work) => work.run::<L>(),
            Loop::Probabilities(work) => work.run::<L>(),
            Loop::Smoothed(work) => work.run::<L>(),
            Loop::Drop(work) => work.run(),
            Loop::Multipliers(work) => work.run(),
            Loop::AddProducts(work) => work.run(),
            Loop::SquaredNorm(work) => work.run(),
            Loop::Widen(work) => work.run(),
            Loop::Narrow(work) => work.run(),
            Loop::AdamW(work) => work.run(),
            Loop::AdamWIn8Bits(work) => work.run(),
        }
    }
}

/// Loads the first `left` numbers at `at`, at most a whole vector, and zeros for others.
///
/// # Safety
/// There must be that many; else as all of [`Lanes`].
#[expect(unsafe_code, reason = "the trait's pointers")]
#[inline(always)]
unsafe fn load<L: Lanes>(at: *const f32, left: usize) -> L::V {
    // SAFETY: as the caller promises.
    unsafe {
        if left >= L::COUNT {
            L::load(at)
        } else {
            L::load_part(at, left, 0.0)
        }
    }
}

/// Stores the first `left` numbers of `v`, at most all.
///
/// # Safety
/// As [`load`].
#[expect(unsafe_code, reason = "the trait's pointers")]
#[inline(always)]
unsafe fn store<L: Lanes>(at: *mut f32, left: usize, v: L::V) {
    // SAFETY: as the caller promises.
    unsafe {
        if left >= L::COUNT {
            L::store(at, v);
        } else {
            L::store_part(at, left, v);
        }
    }
}

#[cfg(test)]
mod check {
    //! What the tests of this room share.

    use std::num::NonZeroUsize;

    use crate::team::Team;

    pub(super) fn team(threads: usize) -> Team {
        Team::new(NonZeroUsize::new(threads).expect("a team has a thread"))
            .expect("the system gives threads")
    }

    pub(super) fn wide(numbers: &[f32]) -> Vec<f64> {
        numbers.iter().copied().map(f64::from).collect()
    }

    /// The gradient of `of` at `place` by central differences in `f64`.
    pub(super) fn slope(place: &[f64], of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        const STEP: f64 = 1e-5;
        let mut near = place.to_vec();
        (0..place.len())
            .map(|at| {
                near[at] = place[at] + STEP;
                let above = of(&near);
                near[at] = place[at] - STEP;
                let below = of(&near);
                near[at] = place[at];
                (above - below) / (2.0 * STEP)
            })
            .collect()
    }
}
