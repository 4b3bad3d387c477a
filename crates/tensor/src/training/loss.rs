//! The loss of a chunk of rows of logits, turned into its gradient where they lie.
//!
//! Logits of a whole batch are the largest matrix of all, and nobody wants them but the
//! loss. So whoever computes them does so for some rows at a time, in the same memory.

#![expect(
    unsafe_code,
    reason = "loops over `Lanes`; threads write to rows of their own"
)]

use super::{Loop, TrainingScratch, load, store};
use crate::simd::{Kernels, Lanes};
use crate::team::{Start, Team};

/// The target of a row that has none.
pub const IGNORE: u32 = u32::MAX;

/// What is to be learnt of some rows of logits.
#[derive(Debug)]
pub struct CrossEntropy<'a> {
    /// `(R, V)`; becomes the gradient.
    pub logits: &'a mut [f32],
    /// `(R)`, each below `V` or [`IGNORE`].
    pub targets: &'a [u32],
    /// `(R)`: what each row's loss is multiplied by.
    pub weights: &'a [f32],
    /// How much of the target is spread over all classes (Szegedy et al. 2016, §7), from
    /// 0 to 1.
    pub smoothing: f32,
    /// `(R)`: each row's loss before it is weighed, 0 where the target is ignored.
    pub losses: &'a mut [f32],
}

impl Kernels {
    /// Sets `losses` to `−Σ q ln softmax(x)` of each row, with `q` all on the target but
    /// for `smoothing`, and the logits to the gradient of their weighted sum,
    /// `weight · (softmax(x) − q)`. Returns that sum, added up in `f64` in order.
    ///
    /// Panics if the shapes do not fit or a target is no class.
    pub fn cross_entropy(&self, team: &Team, loss: CrossEntropy<'_>) -> f64 {
        let CrossEntropy {
            logits,
            targets,
            weights,
            smoothing,
            losses,
        } = loss;
        let rows = targets.len();
        assert!(
            weights.len() == rows && losses.len() == rows,
            "every row has a target, a weight and a loss"
        );
        assert!((0.0..=1.0).contains(&smoothing), "smoothing is a share");
        let Some(width) = logits.len().checked_div(rows) else {
            assert!(logits.is_empty(), "every row has a target");
            return 0.0;
        };
        check_targets(logits.len(), width, targets);
        let losses_at = Start(losses.as_mut_ptr());
        team.chunks(logits, width, &|row, logits| {
            // SAFETY: every row has a loss of its own.
            let loss = unsafe { &mut losses_at.cut(row, 1)[0] };
            let (target, weight) = (targets[row], weights[row]);
            if target == IGNORE {
                *loss = 0.0;
                logits.fill(0.0);
                return;
            }
            let target = target as usize;
            let wanted = f64::from(logits[target]);
            let mut mean = 0.0;
            if smoothing > 0.0 {
                mean = logits.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
            }
            // SAFETY: the pointer is good for the row; a table is only handed out where
            // the processor has what its functions need.
            let (most, sum) =
                unsafe { (self.powers)(logits.as_mut_ptr(), width, 1.0, f32::NEG_INFINITY) };
            let whole = f64::from(most) + f64::from(sum).ln();
            let spread = f64::from(smoothing);
            *loss = ((1.0 - spread) * (whole - wanted) + spread * (whole - mean)) as f32;
            let scale = weight / sum;
            if smoothing > 0.0 {
                let less = -weight * smoothing / width as f32;
                // SAFETY: as above.
                unsafe {
                    (self.training)(Loop::Smoothed(Smoothed {
                        logits,
                        scale,
                        less,
                    }));
                };
            } else {
                // SAFETY: as above.
                unsafe { (self.scale)(logits.as_mut_ptr(), width, scale) };
            }
            logits[target] -= weight * (1.0 - smoothing);
        });
        losses
            .iter()
            .zip(weights)
            .map(|(loss, weight)| f64::from(*loss) * f64::from(*weight))
            .sum()
    }

    /// Sets each of `out`, `(R)`, to `ln softmax(x)` of its row's target, 0 where that is
    /// ignored. `logits`, `(R, V)`, are used up. Panics if the shapes do not fit or a
    /// target is no class.
    pub fn log_probabilities(
        &self,
        team: &Team,
        logits: &mut [f32],
        targets: &[u32],
        out: &mut [f32],
    ) {
        assert_eq!(
            targets.len(),
            out.len(),
            "a number comes out for every target"
        );
        let Some(width) = logits.len().checked_div(targets.len()) else {
            assert!(logits.is_empty(), "every row has a target");
            return;
        };
        check_targets(logits.len(), width, targets);
        let out = Start(out.as_mut_ptr());
        team.chunks(logits, width, &|row, logits| {
            // SAFETY: every row has a number of its own.
            let out = unsafe { &mut out.cut(row, 1)[0] };
            if targets[row] == IGNORE {
                *out = 0.0;
                return;
            }
            let wanted = f64::from(logits[targets[row] as usize]);
            // SAFETY: as in `cross_entropy`.
            let (most, sum) =
                unsafe { (self.powers)(logits.as_mut_ptr(), width, 1.0, f32::NEG_INFINITY) };
            *out = (wanted - f64::from(most) - f64::from(sum).ln()) as f32;
        });
    }

    /// The loss of in-batch negatives (van den Oord et al. 2018; Henderson et al. 2017,
    /// §4): each row of `scores`, `(R, C)`, is a question against `C ≥ R` candidates of
    /// which candidate `r` is its own. As [`Self::cross_entropy`] with those targets and one
    /// weight for all.
    pub fn in_batch_negatives(
        &self,
        team: &Team,
        scores: &mut [f32],
        rows: usize,
        weight: f32,
        scratch: &mut TrainingScratch,
    ) -> f64 {
        assert!(
            scores.len() >= rows * rows && rows > 0,
            "every question has a candidate of its own"
        );
        let targets: Vec<u32> = (0..rows as u32).collect();
        let [weights, losses] = scratch.numbers.carve([rows, rows]);
        weights.fill(weight);
        self.cross_entropy(
            team,
            CrossEntropy {
                logits: scores,
                targets: &targets,
                weights,
                smoothing: 0.0,
                losses,
            },
        )
    }
}

fn check_targets(count: usize, width: usize, targets: &[u32]) {
    assert_eq!(count, width * targets.len(), "the rows are whole");
    assert!(
        targets
            .iter()
            .all(|target| *target == IGNORE || (*target as usize) < width),
        "every target is a class"
    );
}

pub(crate) struct Smoothed<'a> {
    logits: &'a mut [f32],
    scale: f32,
    less: f32,
}

impl Smoothed<'_> {
    /// # Safety
    /// As all of [`Lanes`].
    #[inline(always)]
    pub(super) unsafe fn run<L: Lanes>(self) {
        let (at, count) = (self.logits.as_mut_ptr(), self.logits.len());
        // SAFETY: the row is `count` numbers.
        unsafe {
            let (scale, less) = (L::splat(self.scale), L::splat(self.less));
            for done in (0..count).step_by(L::COUNT) {
                let left = count - done;
                let v = L::mul_add(load::<L>(at.add(done), left), scale, less);
                store::<L>(at.add(done), left, v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sample::{assert_near, numbers};
    use crate::training::check::{slope, team, wide};

    /// The unweighted loss of each row, in `f64`.
    fn plainly(logits: &[f64], width: usize, targets: &[u32], smoothing: f64) -> Vec<f64> {
        logits
            .chunks(width)
            .zip(targets)
            .map(|(row, target)| {
                if *target == IGNORE {
                    return 0.0;
                }
                let whole = row.iter().map(|x| x.exp()).sum::<f64>().ln();
                let spread = row.iter().map(|x| whole - x).sum::<f64>() / width as f64;
                (1.0 - smoothing) * (whole - row[*target as usize]) + smoothing * spread
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn loss_and_gradient_are_their_formulas(
            width in 1usize..70,
            targets in prop::collection::vec(prop::option::weighted(0.8, 0u32..1000), 0..8),
            smoothing in prop::sample::select(vec![0f32, 0.1, 1.0]),
            threads in 1usize..4,
            seed in any::<u64>(),
        ) {
            let targets: Vec<u32> = targets
                .iter()
                .map(|target| target.map_or(IGNORE, |target| target % width as u32))
                .collect();
            let logits: Vec<f32> = numbers(seed, targets.len() * width).iter().map(|x| 4.0 * x).collect();
            let weights = numbers(seed ^ 1, targets.len());
            let weighted = |logits: &[f64]| -> f64 {
                plainly(logits, width, &targets, f64::from(smoothing))
                    .iter()
                    .zip(&weights)
                    .map(|(loss, weight)| loss * f64::from(*weight))
                    .sum()
            };
            let expect = plainly(&wide(&logits), width, &targets, f64::from(smoothing));
            let gradient = slope(&wide(&logits), weighted);
            let team = team(threads);
            for version in Kernels::available() {
                let mut found = logits.clone();
                let mut losses = vec![f32::NAN; targets.len()];
                let sum = version.cross_entropy(&team, CrossEntropy {
                    logits: &mut found,
                    targets: &targets,
                    weights: &weights,
                    smoothing,
                    losses: &mut losses,
                });
                assert_near(&losses, &expect, 1e-5, version.name);
                assert_near(&found, &gradient, 2e-6, version.name);
                prop_assert!((sum - weighted(&wide(&logits))).abs() < 1e-5);
                let mut used = logits.clone();
                let mut out = vec![f32::NAN; targets.len()];
                version.log_probabilities(&team, &mut used, &targets, &mut out);
                let expect: Vec<f64> =
                    plainly(&wide(&logits), width, &targets, 0.0).iter().map(|loss| -loss).collect();
                assert_near(&out, &expect, 1e-5, version.name);
            }
        }
    }

    #[test]
    fn a_wide_row_is_as_exact() {
        let width = 50_257;
        let logits: Vec<f32> = numbers(1, width).iter().map(|x| 8.0 * x).collect();
        let expect = plainly(&wide(&logits), width, &[7], 0.0);
        for version in Kernels::available() {
            let mut out = [0.0];
            version.log_probabilities(&team(1), &mut logits.clone(), &[7], &mut out);
            // Of 50,257 powers, added by few lanes.
            assert_near(&out, &[-expect[0]], 2e-5, version.name);
        }
    }

    #[test]
    fn other_questions_candidates_are_the_negatives() {
        let (rows, candidates) = (3, 5);
        let scores = numbers(9, rows * candidates);
        let loss = |scores: &[f64]| -> f64 {
            plainly(scores, candidates, &[0, 1, 2], 0.0)
                .iter()
                .sum::<f64>()
                / 3.0
        };
        let expect = slope(&wide(&scores), loss);
        let mut found = scores.clone();
        let sum = Kernels::best().in_batch_negatives(
            &team(2),
            &mut found,
            rows,
            1.0 / 3.0,
            &mut TrainingScratch::default(),
        );
        assert_near(&found, &expect, 1e-6, "gradient");
        assert!((sum - loss(&wide(&scores))).abs() < 1e-6);
    }
}
