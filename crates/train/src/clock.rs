//! How fast a run goes and how long it will take. Nothing of it decides a number.

use std::time::{Duration, Instant};

use crate::recipe::Recipe;

/// How many of the last steps the speed shown is of, roughly.
const MEMORY: f64 = 20.0;

/// What a run's time was spent on since it began or was resumed.
pub(crate) struct Clock {
    began: Instant,
    /// When the lap began.
    lap: Instant,
    steps: u64,
    evaluation_every: u64,
    checkpoints_every: u64,
    taken: f64,
    tokens: f64,
    learning: Duration,
    /// Seconds and tokens of a step, lately.
    recent: (f64, f64),
    examination: Duration,
    saving: Duration,
}

impl Clock {
    /// Starts, for a run of `steps` steps.
    pub(crate) fn start(recipe: &Recipe, steps: u64) -> Self {
        let now = Instant::now();
        Self {
            began: now,
            lap: now,
            steps,
            evaluation_every: recipe.evaluation.every,
            checkpoints_every: recipe.checkpoints.every,
            taken: 0.0,
            tokens: 0.0,
            learning: Duration::ZERO,
            recent: (0.0, 0.0),
            examination: Duration::ZERO,
            saving: Duration::ZERO,
        }
    }

    /// Ends a lap that was a step over `tokens` tokens.
    pub(crate) fn learnt(&mut self, tokens: usize) {
        let lap = self.end_lap();
        self.learning += lap;
        self.taken += 1.0;
        self.tokens += tokens as f64;
        let weight = 1.0 / self.taken.min(MEMORY);
        self.recent.0 += weight * (lap.as_secs_f64() - self.recent.0);
        self.recent.1 += weight * (tokens as f64 - self.recent.1);
    }

    /// Ends a lap that was an examination.
    pub(crate) fn examined(&mut self) {
        self.examination = self.end_lap();
    }

    /// Ends a lap in which the state was saved.
    pub(crate) fn saved(&mut self) {
        self.saving = self.end_lap();
    }

    fn end_lap(&mut self) -> Duration {
        let lap = self.lap.elapsed();
        self.lap += lap;
        lap
    }

    /// Returns the tokens learnt each second, lately.
    pub(crate) fn lately(&self) -> f64 {
        self.recent.1 / self.recent.0.max(1e-9)
    }

    /// Returns the tokens learnt each second since the start.
    pub(crate) fn throughout(&self) -> f64 {
        self.tokens / self.learning.as_secs_f64().max(1e-9)
    }

    /// Returns the seconds that the steps after `step` will take, with what is due among
    /// them, as far as is known what that takes; nothing before the third step, since the
    /// first are slower.
    pub(crate) fn left(&self, step: u64) -> Option<f64> {
        if self.taken < 3.0 {
            return None;
        }
        let left = self.steps.saturating_sub(step);
        let due = |every: u64| (self.steps / every).saturating_sub(step / every) as f64;
        Some(
            left as f64 * self.recent.0
                + due(self.evaluation_every) * self.examination.as_secs_f64()
                + due(self.checkpoints_every) * self.saving.as_secs_f64(),
        )
    }

    /// Returns the time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
