//! Random numbers that are the same on every machine and in every version: `SplitMix64`
//! (Steele, Lea and Flood 2014), whose stream is its seed and a count.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Begins the stream `stream` of `seed`. Each resample has a stream of its own, so
    /// that it does not matter which thread draws it.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed);
        let mixed = mixed.next() ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self(Self(mixed).next())
    }

    /// Returns 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a whole number below `bound`, which is above 0. Of `bound` below 2^32, no
    /// number is likelier than another by more than 2^-32 (Lemire 2019, without the
    /// rejection).
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }

    /// Returns a number from 0 up to, but not, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Returns a number from the standard normal distribution (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Returns a number from the gamma distribution of this shape, which is above 0, and scale 1
    /// (Marsaglia and Tsang 2000).
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * (1.0 - self.unit()).powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_algorithm() {
        // The first numbers of SplitMix64 from state 1234567, as Vigna's `splitmix64.c`
        // gives them.
        let mut random = Random(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn gamma_numbers_have_their_mean_and_variance() {
        for shape in [0.3, 1.0, 6.5] {
            let mut random = Random::new(3, 0);
            let drawn: Vec<f64> = (0..40_000).map(|_| random.gamma(shape)).collect();
            let mean = drawn.iter().sum::<f64>() / 40_000.0;
            let squares: f64 = drawn.iter().map(|it| (it - mean).powi(2)).sum();
            assert!((mean / shape - 1.0).abs() < 0.05, "{shape} {mean}");
            assert!(
                (squares / 40_000.0 / shape - 1.0).abs() < 0.1,
                "{shape} {squares}"
            );
        }
    }

    #[test]
    fn numbers_below_a_bound_are_spread_evenly() {
        let mut counts = [0_u32; 7];
        let mut random = Random::new(1, 0);
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        // Five standard deviations of a binomial with p = 1/7.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 463),
            "{counts:?}"
        );
    }
}
