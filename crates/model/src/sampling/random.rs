//! Random numbers that are the same on every machine.

/// SplitMix64: Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators"
/// (OOPSLA 2014), figure 14, with Stafford's thirteenth mixing function, as in
/// `java.util.SplittableRandom` and Vigna's `splitmix64.c`.
///
/// Its n-th number is a function of the seed and n alone, so that nothing depends on
/// who drew before, on threads, or on what else is generated beside.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 to 1, without 1: the next one's upper 53 bits.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (-53f64).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `splitmix64.c` with the seed 1234567.
    #[test]
    fn numbers_are_those_of_the_reference() {
        let mut random = SplitMix64::new(1_234_567);
        for expect in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            assert_eq!(random.next(), expect);
        }
    }

    #[test]
    fn shares_lie_below_one() {
        let mut random = SplitMix64::new(0);
        let shares: Vec<f64> = (0..10_000).map(|_| random.share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
