//! Dropout whose mask is never kept: it is computed again from where it belongs.

#![expect(unsafe_code, reason = "loops compiled for each processor")]

use super::Loop;
use crate::simd::Kernels;
use crate::team::Team;

/// Which numbers are dropped (Srivastava et al. 2014), those that stay being scaled up so
/// that the expectation is the same.
///
/// Whether number `i` is dropped is a hash of `i` and of what names the place: seed,
/// step, layer. So the backward, a layer that is computed again, a resumed run and any
/// number of threads see the same mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    share: f32,
    stream: u64,
}

/// Numbers that are a thread's part.
const PART: usize = 1 << 13;

impl Dropout {
    /// Drops `share` of the numbers, by chance that depends on all of `place`.
    ///
    /// Panics unless `0 ≤ share < 1`.
    pub fn new(share: f32, place: &[u64]) -> Self {
        assert!(
            (0.0..1.0).contains(&share),
            "a share is at least 0, and something stays"
        );
        let stream = place.iter().fold(0x243f_6a88_85a3_08d3, |stream, word| {
            mix64(stream ^ mix64(*word))
        });
        Self { share, stream }
    }

    /// Returns the share of numbers that are dropped.
    pub fn share(&self) -> f32 {
        self.share
    }

    /// The same of a row within the place.
    pub(crate) fn of_row(&self, row: usize) -> Self {
        Self {
            share: self.share,
            stream: mix64(self.stream ^ mix64(row as u64)),
        }
    }

    fn chance(&self) -> Chance {
        Chance {
            keys: [self.stream as u32, (self.stream >> 32) as u32],
            // Of 2³² hashes, those below are dropped.
            threshold: (f64::from(self.share) * 4_294_967_296.0) as u32,
            scale: 1.0 / (1.0 - self.share),
        }
    }
}

impl Kernels {
    /// Sets the dropped of `numbers` to zero and scales the others by `1 / (1 − share)`.
    /// The same call takes the gradient back.
    pub fn drop_out(&self, team: &Team, dropout: Dropout, numbers: &mut [f32]) {
        if dropout.share == 0.0 {
            return;
        }
        team.chunks(numbers, PART, &|part, numbers| {
            // A part is a row, so that an index never outgrows its 32 bits.
            let chance = dropout.of_row(part).chance();
            // SAFETY: a table is only handed out where the processor has what its
            // functions need.
            unsafe { (self.training)(Loop::Drop(Drop { chance, numbers })) };
        });
    }

    /// Sets `multipliers` to what a row's numbers from number `first` on are multiplied
    /// by.
    pub(super) fn multipliers(&self, row: Dropout, first: usize, multipliers: &mut [f32]) {
        // SAFETY: as above.
        unsafe {
            (self.training)(Loop::Multipliers(Multipliers {
                chance: row.chance(),
                first: first as u32,
                multipliers,
            }));
        }
    }
}

/// The finaliser of SplitMix64 (Steele et al. 2014), after its step.
fn mix64(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[derive(Clone, Copy)]
pub(crate) struct Chance {
    keys: [u32; 2],
    threshold: u32,
    scale: f32,
}

impl Chance {
    /// Two rounds of a 32-bit mixer, each after one half of the stream: that of
    /// Wellons' "hash prospector" (2018), `lowbias32`. Only additions, multiplications
    /// and shifts, of which compilers make vectors.
    #[inline(always)]
    fn multiplier(&self, index: u32) -> f32 {
        let mut x = index.wrapping_mul(0x9e37_79b1) ^ self.keys[0];
        x = mix32(x).wrapping_add(self.keys[1]);
        x = mix32(x);
        if x < self.threshold { 0.0 } else { self.scale }
    }
}

#[inline(always)]
fn mix32(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

pub(crate) struct Drop<'a> {
    chance: Chance,
    numbers: &'a mut [f32],
}

impl Drop<'_> {
    #[inline(always)]
    pub(super) fn run(self) {
        for (index, number) in self.numbers.iter_mut().enumerate() {
            // A product would keep what is not finite.
            let multiplier = self.chance.multiplier(index as u32);
            let scaled = *number * multiplier;
            *number = if multiplier == 0.0 { 0.0 } else { scaled };
        }
    }
}

pub(crate) struct Multipliers<'a> {
    chance: Chance,
    first: u32,
    multipliers: &'a mut [f32],
}

impl Multipliers<'_> {
    #[inline(always)]
    pub(super) fn run(self) {
        for (index, multiplier) in self.multipliers.iter_mut().enumerate() {
            *multiplier = self
                .chance
                .multiplier(self.first.wrapping_add(index as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::check::team;

    fn mask(dropout: Dropout, count: usize) -> Vec<bool> {
        let mut numbers = vec![1.0; count];
        Kernels::best().drop_out(&team(2), dropout, &mut numbers);
        numbers.iter().map(|number| *number == 0.0).collect()
    }

    #[test]
    fn the_share_is_dropped_and_the_rest_made_up_for() {
        for share in [0.0, 0.01, 0.1, 0.5, 0.9] {
            let count = 1 << 20;
            for version in Kernels::available() {
                let mut numbers = vec![1.0; count];
                version.drop_out(&team(3), Dropout::new(share, &[7, 1]), &mut numbers);
                let kept = 1.0 / (1.0 - share);
                assert!(numbers.iter().all(|x| *x == 0.0 || *x == kept), "{share}");
                let dropped = numbers.iter().filter(|x| **x == 0.0).count() as f64;
                let (expect, count) = (f64::from(share) * count as f64, count as f64);
                // Five standard deviations of a binomial.
                let allowed = 5.0 * (count * f64::from(share * (1.0 - share))).sqrt();
                assert!((dropped - expect).abs() <= allowed, "{dropped} of {share}");
            }
        }
    }

    #[test]
    fn all_processors_drop_the_same() {
        let expect = mask(Dropout::new(0.3, &[1, 2, 3]), 3 * PART + 5);
        for version in Kernels::available() {
            let mut numbers = vec![f32::NAN; expect.len()];
            version.drop_out(&team(1), Dropout::new(0.3, &[1, 2, 3]), &mut numbers);
            let found: Vec<bool> = numbers.iter().map(|number| *number == 0.0).collect();
            assert_eq!(found, expect, "{}", version.name);
        }
    }

    /// Neighbouring seeds, steps and layers, and lags within a mask, share no more than
    /// chance would have it: a χ² of one degree of freedom below 30 each.
    #[test]
    fn masks_of_different_places_have_nothing_in_common() {
        let count = 1 << 17;
        let places: Vec<Vec<u64>> = (0..4)
            .flat_map(|seed| {
                (0..3).flat_map(move |step| (0..3).map(move |layer| vec![seed, step, layer]))
            })
            .chain([vec![0], vec![0, 0]])
            .collect();
        let masks: Vec<Vec<bool>> = places
            .iter()
            .map(|place| mask(Dropout::new(0.5, place), count))
            .collect();
        let check = |pairs: &mut dyn Iterator<Item = (bool, bool)>, what: &str| {
            let (mut same, mut all) = (0.0, 0.0);
            for (a, b) in pairs {
                same += f64::from(u8::from(a == b));
                all += 1.0;
            }
            let chi = (same - all / 2.0).powi(2) / (all / 4.0);
            assert!(chi < 30.0, "{what}: {chi}");
        };
        for (i, a) in masks.iter().enumerate() {
            for (j, b) in masks.iter().enumerate().skip(i + 1) {
                check(
                    &mut a.iter().copied().zip(b.iter().copied()),
                    &format!("{:?} {:?}", places[i], places[j]),
                );
            }
            for lag in (0..17).map(|power| 1 << power).chain([3, 768, PART]) {
                let later = a.iter().copied().skip(lag);
                check(
                    &mut a.iter().copied().zip(later),
                    &format!("{:?} lag {lag}", places[i]),
                );
            }
        }
    }

    #[test]
    fn a_dropped_number_is_zero_whatever_it_was() {
        let mut numbers = vec![f32::INFINITY; 64];
        Kernels::best().drop_out(&team(1), Dropout::new(0.5, &[3]), &mut numbers);
        assert!(numbers.iter().all(|x| !x.is_nan()));
    }
}
