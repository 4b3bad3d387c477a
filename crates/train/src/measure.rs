//! What a few steps take: the loop without its run, to be timed.

use std::time::{Duration, Instant};

use tensor::Team;

use crate::TrainError;
use crate::learner::Learner;
use crate::optimiser::{self, Update};
use crate::order::{Order, mix};
use crate::recipe::Recipe;
use crate::train::gradient;

/// One step, as it was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredStep {
    /// Tokens that were read in it.
    pub tokens: usize,
    /// Tokens that were computed beside, to fill up rows.
    pub padding: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Its loss.
    pub loss: f64,
}

/// Takes `steps` steps of `recipe` and tells of each; nothing is examined, saved or written.
///
/// # Errors
/// If there is nothing to learn, or the model fails.
pub fn measure(
    team: &Team,
    learner: &mut dyn Learner,
    recipe: &Recipe,
    steps: u64,
) -> Result<Vec<MeasuredStep>, TrainError> {
    recipe.check()?;
    if learner.examples() == 0 {
        return Err(TrainError::NoExamples { left_out: 0 });
    }
    let mut order = Order::new(recipe.seed, learner.examples());
    let budget = learner.rank_budget();
    let mut update = Update::new(&recipe.optimiser, &learner.arena(), budget);
    let mut measured = Vec::new();
    for step in 0..steps {
        let begun = Instant::now();
        let taken = order.step(step, recipe.steps.examples());
        let chance = |part| mix(step << 32 | part);
        let batches = taken.chunks(recipe.steps.batch);
        let padding = batches.map(|batch| learner.padding(batch)).sum();
        let (tokens, loss) = gradient(team, learner, &taken, recipe.steps.batch, chance)?;
        update.regularise(&mut learner.arena());
        let length = optimiser::length(team, learner.arena().gradients);
        let rate = recipe.optimiser.learning_rate;
        update.apply(team, &mut learner.arena(), rate, length);
        measured.push(MeasuredStep {
            tokens,
            padding,
            elapsed: begun.elapsed(),
            loss,
        });
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::line::{Line, recipe};

    #[test]
    fn steps_are_those_of_a_run() {
        let team = Team::new(NonZeroUsize::MIN).unwrap();
        let mut line = Line::new(40);
        let recipe = recipe("[steps]\nbatch = 3\naccumulation = 2\n");
        let measured = measure(&team, &mut line, &recipe, 200).unwrap();
        assert_eq!(measured.len(), 200);
        assert!(measured[199].loss < 0.01 * measured[0].loss);
        assert!((line.values[0] - 2.0).abs() < 0.1, "{:?}", line.values);
    }
}
