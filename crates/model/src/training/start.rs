//! How the arena begins: read from a file, or drawn.

use crate::ModelError;
use crate::sampling::SplitMix64;
use crate::weights::Weights;

/// How a tensor of the arena begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Start {
    /// As in the file, under this name.
    Stored(String),
    /// Drawn from a normal distribution of this deviation.
    Normal(f32),
    /// Drawn evenly from minus this to this.
    Even(f32),
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// These numbers.
    Numbers(Vec<f32>),
}

impl Start {
    /// Sets `numbers`, a tensor of `shape`, to what it begins with. What is drawn follows
    /// from `seed` and the tensor's `place` in the arena alone.
    pub(super) fn fill(
        &self,
        numbers: &mut [f32],
        shape: &[usize],
        weights: Option<&Weights>,
        [seed, place]: [u64; 2],
    ) -> Result<(), ModelError> {
        let stream = SplitMix64::new(seed).next() ^ place;
        let mut random = SplitMix64::new(SplitMix64::new(stream).next());
        match self {
            Self::Stored(name) => weights
                .expect("what is stored is in a file")
                .read(name, shape, numbers)?,
            Self::Normal(deviation) => {
                for pair in numbers.chunks_mut(2) {
                    let (x, y) = normal(&mut random);
                    pair[0] = x * deviation;
                    if let Some(second) = pair.get_mut(1) {
                        *second = y * deviation;
                    }
                }
            }
            Self::Even(most) => numbers
                .iter_mut()
                .for_each(|it| *it = (2.0 * random.share() - 1.0) as f32 * most),
            Self::Zeros => numbers.fill(0.0),
            Self::Ones => numbers.fill(1.0),
            Self::Numbers(given) => numbers.copy_from_slice(given),
        }
        Ok(())
    }
}

/// Returns two numbers of the normal distribution (Box and Muller 1958).
fn normal(random: &mut SplitMix64) -> (f32, f32) {
    let length = (-2.0 * (1.0 - random.share()).ln()).sqrt() as f32;
    let angle = (random.share() * std::f64::consts::TAU) as f32;
    (length * angle.cos(), length * angle.sin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::ParameterTable;

    #[test]
    fn what_is_drawn_is_as_it_should_be() {
        let mut table = ParameterTable::default();
        table.add("other", &[3], true, Start::Ones);
        let normal = table.add("normal", &[20_001], true, Start::Normal(0.02));
        let even = table.add("even", &[20_000], true, Start::Even(0.5));
        let parameters = table.allocate(None, 7).unwrap();
        let moments = |range: std::ops::Range<usize>| {
            let numbers = &parameters.values()[range];
            let count = numbers.len() as f32;
            let mean = numbers.iter().sum::<f32>() / count;
            let square = numbers.iter().map(|x| x * x).sum::<f32>() / count;
            let most = numbers.iter().fold(0f32, |most, x| most.max(x.abs()));
            (mean, square.sqrt(), most)
        };
        let (mean, deviation, most) = moments(normal);
        assert!(
            mean.abs() < 6e-4 && (deviation - 0.02).abs() < 4e-4,
            "{mean} {deviation}"
        );
        assert!(most > 0.06 && most < 0.12, "{most}");
        let (mean, deviation, most) = moments(even);
        assert!(
            mean.abs() < 0.01 && (deviation - 0.288_7).abs() < 4e-3,
            "{mean} {deviation}"
        );
        assert!(most <= 0.5 && most > 0.499, "{most}");
    }
}
