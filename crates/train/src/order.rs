//! In which order examples are learnt: shuffled anew each epoch, from a seed alone.
//!
//! Nothing is carried from step to step, so a run that is resumed at step n asks for
//! step n's examples and gets those that the unbroken run had.

/// The order of a training set's examples, epoch after epoch.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    seed: u64,
    examples: usize,
    /// The epoch whose order is held, and that order.
    held: Option<(u64, Vec<u32>)>,
}

impl Order {
    /// Returns the order of `examples` examples that `seed` gives.
    ///
    /// # Panics
    /// If there are none, or more than 2³² − 1.
    pub(crate) fn new(seed: u64, examples: usize) -> Self {
        assert!(examples > 0, "there is an example to learn");
        assert!(
            u32::try_from(examples).is_ok(),
            "examples are numbered with 32 bits"
        );
        Self {
            seed,
            examples,
            held: None,
        }
    }

    /// Returns the `count` examples of step `step` (from 0), if each step before took as
    /// many. An epoch's last step is filled up from the next epoch.
    pub(crate) fn step(&mut self, step: u64, count: usize) -> Vec<usize> {
        let first = step * count as u64;
        (first..first + count as u64)
            .map(|position| self.at(position))
            .collect()
    }

    /// Returns the example at `position`, counted over all epochs.
    fn at(&mut self, position: u64) -> usize {
        let examples = self.examples as u64;
        let epoch = position / examples;
        if self.held.as_ref().is_none_or(|(held, _)| *held != epoch) {
            self.held = Some((epoch, shuffled(self.seed, epoch, self.examples)));
        }
        let (_, order) = self.held.as_ref().expect("it was just made");
        order[(position % examples) as usize] as usize
    }
}

/// Returns the numbers below `count`, shuffled (Durstenfeld 1964) by `seed` and `epoch`.
fn shuffled(seed: u64, epoch: u64, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    let stream = mix(seed ^ mix(epoch.wrapping_add(1)));
    for last in (1..count).rev() {
        let drawn = below(
            mix(stream.wrapping_add((last as u64).wrapping_mul(GOLDEN))),
            last as u64 + 1,
        );
        order.swap(last, drawn as usize);
    }
    order
}

/// 2⁶⁴ divided by the golden ratio: the step of splitmix64's counter.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Returns the number that splitmix64 (Steele, Lea and Flood 2014) makes of a counter.
pub(crate) fn mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Returns a number below `bound`: the upper half of the product (Lemire 2019). Its bias
/// is below `bound` / 2⁶⁴.
fn below(random: u64, bound: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_epoch_has_each_example_once(seed: u64, examples in 1usize..200, epoch in 0u64..5) {
            let mut order = Order::new(seed, examples);
            let mut seen: Vec<usize> = (0..examples as u64)
                .map(|at| order.at(epoch * examples as u64 + at))
                .collect();
            seen.sort_unstable();
            prop_assert!(seen.iter().copied().eq(0..examples));
        }

        #[test]
        fn a_step_does_not_depend_on_those_before(
            seed: u64, examples in 1usize..100, count in 1usize..30, step in 0u64..50,
        ) {
            let mut unbroken = Order::new(seed, examples);
            let all: Vec<_> = (0..=step).map(|step| unbroken.step(step, count)).collect();
            let resumed = Order::new(seed, examples).step(step, count);
            prop_assert_eq!(all.last(), Some(&resumed));
        }
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let epoch = |seed, epoch| shuffled(seed, epoch, 1000);
        assert_ne!(epoch(1, 0), epoch(1, 1));
        assert_ne!(epoch(1, 0), epoch(2, 0));
    }

    #[test]
    fn the_order_is_that_of_jobs_on_other_machines() {
        // As `Order` of `groundtune/src/train/job/train.py` gives it.
        let mut order = Order::new(3, 10);
        let found: Vec<usize> = (0..20).map(|at| order.at(at)).collect();
        let expect = [3, 1, 4, 5, 6, 0, 7, 9, 8, 2, 7, 6, 9, 1, 5, 3, 4, 8, 2, 0];
        assert_eq!(found, expect);
    }

    #[test]
    fn every_place_is_as_likely() {
        // χ² of where example 0 lands, over 6,000 seeds in 6 places: 5 degrees of freedom,
        // 25.7 has a probability of 1e-4; the seeds are fixed.
        let mut counts = [0f64; 6];
        for seed in 0..6000 {
            let place = shuffled(seed, 0, 6).iter().position(|it| *it == 0);
            counts[place.expect("it is somewhere")] += 1.0;
        }
        let chi: f64 = counts.iter().map(|it| (it - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 25.7, "{counts:?}");
    }
}
