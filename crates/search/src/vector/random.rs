//! A small random source whose numbers depend on its seed alone, on every machine.

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
/// generators"): enough for graph levels, samples and starting centres.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Returns the source that starts at `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 random bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a number from 0 up to, not including, 1.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Returns a whole number below `bound`, which must not be 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Returns `count` different numbers below `bound`, ascending; all if there are fewer.
    pub(super) fn sample(&mut self, count: usize, bound: usize) -> Vec<usize> {
        // Knuth's selection sampling (TAOCP vol. 2, 3.4.2, algorithm S).
        let mut chosen = Vec::with_capacity(count.min(bound));
        for at in 0..bound {
            let wanted = count - chosen.len();
            if wanted == 0 {
                break;
            }
            if self.below(bound - at) < wanted {
                chosen.push(at);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_different_numbers() {
        for (count, bound) in [(0, 5), (3, 5), (5, 5), (9, 5), (1, 0)] {
            let sample = Random::new(7).sample(count, bound);
            assert_eq!(sample.len(), count.min(bound));
            assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(sample.iter().all(|at| *at < bound));
        }
    }
}
