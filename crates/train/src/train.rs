//! The loop: from a recipe, a model and its examples to a model that has learnt them.
//!
//! Each step: its examples by [`Order`], their gradient in one or more batches, its length cut
//! to the recipe's, AdamW, and what is due: an examination, a checkpoint. What decides a
//! number is in `State`, which a checkpoint holds; what only people see is in `Clock`.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tensor::Team;

use crate::checkpoint::State;
use crate::clock::Clock;
use crate::learner::{Examination, Learner};
use crate::optimiser::Update;
use crate::order::{Order, mix};
use crate::recipe::{Recipe, Spikes};
use crate::run::Run;
use crate::{TrainError, optimiser};

/// What happens in a run, as it is told and as `events.jsonl` keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins, or goes on.
    Started {
        /// The steps that are done already.
        step: u64,
        /// How many there will be at most.
        steps: u64,
        /// Examples to learn.
        examples: usize,
        /// Numbers that are learnt.
        parameters: usize,
    },
    /// A step is done.
    Step {
        /// Which, from 1.
        step: u64,
        /// How many there will be at most.
        steps: u64,
        /// The mean loss of its units.
        loss: f64,
        /// The gradient's length before it was cut.
        gradient_norm: f64,
        /// The learning rate.
        learning_rate: f64,
        /// Tokens that were read in it.
        tokens: usize,
        /// Tokens read each second, lately.
        tokens_per_second: f64,
        /// How long the rest will take, if that can be told, in seconds.
        seconds_left: Option<f64>,
    },
    /// The model was examined.
    Examined {
        /// After which step.
        step: u64,
        /// The mean loss on data that is not learnt.
        loss: f64,
        /// The mean loss of the steps since the last examination; `null` before the first step.
        training_loss: Option<f64>,
        /// Other measures.
        metrics: std::collections::BTreeMap<String, f64>,
        /// Whether it is the best so far.
        best: bool,
    },
    /// The loss rose suddenly, and the run goes on.
    Spike {
        /// In which step.
        step: u64,
        /// The step's loss.
        loss: f64,
        /// The mean before.
        mean: f64,
    },
    /// It learns by heart: what is learnt gets better and what is examined gets worse.
    Overfitting {
        /// After which step it was seen.
        step: u64,
        /// The step that was best.
        best_step: u64,
    },
    /// The state was saved.
    Saved {
        /// After which step.
        step: u64,
    },
    /// The run has ended.
    Ended {
        /// After which step.
        step: u64,
        /// Why.
        why: Why,
    },
}

/// Why a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// All steps are done.
    Done,
    /// Examinations brought nothing better for as long as the recipe waits.
    NothingBetter,
    /// It was asked to stop; it can be resumed.
    Stopped,
}

/// What a run has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub why: Why,
    /// Steps that were taken, over all its parts.
    pub steps: u64,
    /// The step whose state is the result.
    pub best_step: u64,
    /// What the last examination of that state found, if there was one.
    pub examination: Option<Examination>,
    /// The mean loss of the last steps.
    pub training_loss: f64,
    /// Tokens read each second while learning, without examinations and saving.
    pub tokens_per_second: f64,
    /// How long this part of the run took.
    pub elapsed: Duration,
    /// Where the model is; nothing while the run can be resumed.
    pub model: Option<PathBuf>,
}

/// Learns: takes the steps of `recipe` that `run` has not done yet. `tell` is told what
/// happens; when it breaks, the state is saved and the run ends, to be resumed.
///
/// # Errors
/// If there is nothing to learn, the model fails, its numbers are none any more, or the run
/// cannot be written. The last checkpoint is then still there.
pub fn train(
    team: &Team,
    learner: &mut dyn Learner,
    recipe: &Recipe,
    run: &mut Run,
    tell: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<Outcome, TrainError> {
    recipe.check()?;
    if learner.examples() == 0 {
        return Err(TrainError::NoExamples { left_out: 0 });
    }
    let steps = recipe.steps.count(learner.examples());
    let mut order = Order::new(recipe.seed, learner.examples());
    let budget = learner.rank_budget();
    let mut update = Update::new(&recipe.optimiser, &learner.arena(), budget);
    let resumed = run.resume(learner, &mut update)?;
    let is_new = resumed.is_none();
    let mut state = resumed.unwrap_or_default();
    let mut clock = Clock::start(recipe, steps);
    let asked = Cell::new(false);
    let mut say = |run: &mut Run, event: Event| -> Result<(), TrainError> {
        run.note(&event)?;
        if tell(&event).is_break() {
            asked.set(true);
        }
        Ok(())
    };

    let (examples, parameters) = (learner.examples(), learner.arena().values.len());
    say(
        run,
        Event::Started {
            step: state.step,
            steps,
            examples,
            parameters,
        },
    )?;
    if is_new {
        examine(team, learner, &mut state, run, &mut say)?;
        clock.examined();
    }
    let mut saved = run.saved_step();

    while state.step < steps && !state.is_enough(recipe) && !asked.get() {
        let taken = order.step(state.step, recipe.steps.examples());
        let chance = |part| draw(recipe.seed, state.step, part);
        let (tokens, loss) = gradient(team, learner, &taken, recipe.steps.batch, chance)?;
        update.regularise(&mut learner.arena());
        let length = optimiser::length(team, learner.arena().gradients);
        for (what, found) in [("loss", loss), ("gradient's length", length)] {
            if !found.is_finite() {
                let examples = shown(learner, &taken);
                let step = state.step + 1;
                return Err(TrainError::NotANumber {
                    step,
                    what,
                    found,
                    examples,
                    saved,
                });
            }
        }
        if let Some(mean) = state.level.take(loss) {
            let step = state.step + 1;
            if recipe.evaluation.spikes == Spikes::Stop {
                let examples = shown(learner, &taken);
                return Err(TrainError::Spike {
                    step,
                    loss,
                    mean,
                    examples,
                    saved,
                });
            }
            say(run, Event::Spike { step, loss, mean })?;
        }
        let rate = recipe.optimiser.learning_rate * recipe.schedule.factor(state.step, steps);
        update.apply(team, &mut learner.arena(), rate, length);
        state.took(loss);
        clock.learnt(tokens);

        let step = state.step;
        say(
            run,
            Event::Step {
                step,
                steps,
                loss,
                gradient_norm: length,
                learning_rate: rate,
                tokens,
                tokens_per_second: clock.lately(),
                seconds_left: clock.left(step),
            },
        )?;
        let last = step == steps;
        if last || step.is_multiple_of(recipe.evaluation.every) {
            examine(team, learner, &mut state, run, &mut say)?;
            clock.examined();
        }
        if !last && step.is_multiple_of(recipe.checkpoints.every) {
            run.save(learner, &update, &state, recipe.checkpoints.keep)?;
            saved = Some(step);
            say(run, Event::Saved { step })?;
            clock.saved();
        }
    }

    let done = state.step >= steps;
    let why = match (done, state.is_enough(recipe)) {
        (true, _) => Why::Done,
        (false, true) => Why::NothingBetter,
        (false, false) => Why::Stopped,
    };
    if saved != Some(state.step) {
        run.save(learner, &update, &state, recipe.checkpoints.keep)?;
        say(run, Event::Saved { step: state.step })?;
    }
    let best = state.best.clone().filter(|_| recipe.evaluation.keep_best);
    let kept = best.as_ref().or(state.last.as_ref());
    let found = kept.map(|it| it.examination());
    let model = match why {
        Why::Stopped => None,
        Why::Done | Why::NothingBetter => {
            if let Some(best) = &best {
                run.load_best(learner, best.step)?;
            }
            Some(run.finish(learner, found.as_ref())?)
        }
    };
    say(
        run,
        Event::Ended {
            step: state.step,
            why,
        },
    )?;
    Ok(Outcome {
        why,
        steps: state.step,
        best_step: best.as_ref().map_or(state.step, |it| it.step),
        examination: found,
        training_loss: state.level.mean(),
        tokens_per_second: clock.throughout(),
        elapsed: clock.elapsed(),
        model,
    })
}

/// Leaves the gradient of `examples` in the arena, `batch` of them at a time; `chance` returns
/// what decides what chance decides in each part. Returns the tokens that were read and the
/// mean loss of a unit.
pub(crate) fn gradient(
    team: &Team,
    learner: &mut dyn Learner,
    examples: &[usize],
    batch: usize,
    chance: impl Fn(u64) -> u64,
) -> Result<(usize, f64), TrainError> {
    let sizes = examples.iter().map(|example| learner.size(*example));
    let (tokens, units) = sizes.fold((0, 0.0), |(tokens, units), size| {
        (tokens + size.tokens, units + size.units)
    });
    let weight = 1.0 / if units > 0.0 { units } else { 1.0 };
    learner.arena().gradients.fill(0.0);
    let mut loss = 0.0;
    for (part, batch) in (0..).zip(examples.chunks(batch)) {
        loss += learner.learn(team, batch, weight, chance(part))?;
    }
    Ok((tokens, loss))
}

/// Examines the model, and keeps its state if none was better.
fn examine(
    team: &Team,
    learner: &mut dyn Learner,
    state: &mut State,
    run: &mut Run,
    say: &mut dyn FnMut(&mut Run, Event) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let Some(found) = learner.examine(team)? else {
        return Ok(());
    };
    let step = state.step;
    let training_loss = state.training_loss();
    let before = state.best.as_ref().map(|best| (best.step, best.loss));
    // The model as it came is shown, and is no result of learning.
    let is_best = step > 0 && state.examined(&found);
    if is_best {
        run.keep_best(learner, step)?;
    }
    say(
        run,
        Event::Examined {
            step,
            loss: found.loss,
            training_loss,
            metrics: found.metrics,
            best: is_best,
        },
    )?;
    let best_loss = before.map(|(_, loss)| loss);
    let begins = training_loss.is_some_and(|it| state.gap.take(it, found.loss, best_loss));
    if let (true, Some((best_step, _))) = (begins, before) {
        say(run, Event::Overfitting { step, best_step })?;
    }
    Ok(())
}

/// Returns what decides what chance decides in batch `part` of step `step`.
fn draw(seed: u64, step: u64, part: u64) -> u64 {
    mix(mix(mix(seed).wrapping_add(step)).wrapping_add(part))
}

/// Examples that an error shows.
const SHOWN: usize = 4;

fn shown(learner: &dyn Learner, examples: &[usize]) -> Vec<String> {
    let shown = examples.iter().take(SHOWN);
    shown.map(|example| learner.show(*example)).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::line::{Line, recipe};
    use crate::{RunDescription, RunResult};

    fn team() -> Team {
        Team::new(NonZeroUsize::MIN).unwrap()
    }

    fn create(runs: &Path) -> Run {
        let description = RunDescription {
            version: "0".into(),
            seed: 0,
            data: "line".into(),
            files: Vec::new(),
            examples: (0, 0),
            base: None,
            model: "line".into(),
            result: RunResult::Model,
            tokens: 0,
            left_out: 0,
            prompts: false,
        };
        Run::create(runs, "", description).unwrap()
    }

    fn go_on(_: &Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Runs without a break, and returns the events without times and the result's numbers.
    fn unbroken(recipe: &Recipe) -> (Vec<String>, Vec<f32>) {
        let room = tempfile::tempdir().unwrap();
        let mut run = create(room.path());
        let mut line = Line::new(40);
        train(&team(), &mut line, recipe, &mut run, &mut go_on).unwrap();
        (events(run.folder()), line.values.to_vec())
    }

    /// The lines of `events.jsonl` but for what depends on the time or on breaks.
    fn events(folder: &Path) -> Vec<String> {
        let text = fs_err::read_to_string(folder.join("events.jsonl")).unwrap();
        let mut events = Vec::new();
        for line in text.lines() {
            let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
            let fields = event.as_object_mut().unwrap();
            fields.remove("tokens_per_second");
            fields.remove("seconds_left");
            if ["started", "saved", "ended"].contains(&fields["event"].as_str().unwrap()) {
                continue;
            }
            events.push(event.to_string());
        }
        events
    }

    #[test]
    fn it_learns() {
        let room = tempfile::tempdir().unwrap();
        let mut run = create(room.path());
        let mut line = Line::new(40);
        let recipe = recipe("[steps]\nlimit = 300\n");
        let outcome = train(&team(), &mut line, &recipe, &mut run, &mut go_on).unwrap();
        assert_eq!((outcome.why, outcome.steps), (Why::Done, 300));
        assert!((line.values[0] - 2.0).abs() < 0.05, "{:?}", line.values);
        assert!((line.values[1] + 1.0).abs() < 0.05, "{:?}", line.values);
        let model = outcome.model.unwrap();
        assert!(model.join("line.txt").is_file() && model.ends_with("model"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        #[test]
        fn a_broken_run_goes_on_as_if_it_had_not_been(breaks in prop::collection::vec(1usize..60, 1..5)) {
            let recipe = recipe("[steps]\nlimit = 60\nbatch = 3\naccumulation = 2\n[evaluation]\nevery = 7\n[checkpoints]\nevery = 5\n");
            let (expect_events, expect_values) = unbroken(&recipe);
            let room = tempfile::tempdir().unwrap();
            let mut folder = create(room.path()).folder().to_owned();
            let mut breaks = breaks.into_iter();
            let line = loop {
                let mut left = breaks.next().unwrap_or(usize::MAX);
                let mut line = Line::new(40);
                let mut run = Run::open(&folder).unwrap();
                let outcome = train(&team(), &mut line, &recipe, &mut run, &mut |_| {
                    left = left.saturating_sub(1);
                    if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                folder = run.folder().to_owned();
                if outcome.unwrap().why != Why::Stopped {
                    break line;
                }
            };
            prop_assert_eq!(events(&folder), expect_events);
            prop_assert_eq!(line.values.map(f32::to_bits).to_vec(), expect_values.iter().map(|it| it.to_bits()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn accumulation_is_a_larger_batch() {
        let values = |steps: &str| unbroken(&recipe(&format!("[steps]\nlimit = 20\n{steps}"))).1;
        let (whole, parts) = (
            values("batch = 8\n"),
            values("batch = 2\naccumulation = 4\n"),
        );
        for (whole, part) in whole.iter().zip(&parts) {
            assert!((whole - part).abs() < 1e-5, "{whole} {part}");
        }
    }

    #[test]
    fn it_ends_when_nothing_gets_better_and_keeps_the_best() {
        let room = tempfile::tempdir().unwrap();
        let mut run = create(room.path());
        let mut line = Line::new(40);
        line.worse_after = Some(20);
        let recipe = recipe("[steps]\nlimit = 500\n[evaluation]\nevery = 10\npatience = 2\n");
        let mut overfitting = None;
        let outcome = train(&team(), &mut line, &recipe, &mut run, &mut |event| {
            if let Event::Overfitting { best_step, .. } = event {
                overfitting = Some(*best_step);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(outcome.why, Why::NothingBetter);
        assert_eq!((outcome.steps, outcome.best_step), (40, 20));
        assert_eq!(overfitting, Some(20));
    }

    #[test]
    fn numbers_that_are_none_end_it_before_they_do_harm() {
        let room = tempfile::tempdir().unwrap();
        let mut run = create(room.path());
        let mut line = Line::new(40);
        line.spoilt = Some((5, f32::NAN));
        let recipe = recipe("[steps]\nlimit = 100\n[checkpoints]\nevery = 2\n");
        let error = train(&team(), &mut line, &recipe, &mut run, &mut go_on).unwrap_err();
        let TrainError::NotANumber {
            step,
            saved,
            examples,
            ..
        } = &error
        else {
            panic!("{error}");
        };
        assert!(line.values.iter().all(|it| it.is_finite()));
        assert_eq!(*saved, Some((step - 1) / 2 * 2).filter(|it| *it > 0));
        assert!(
            examples.iter().any(|it| it.contains("example 5")),
            "{examples:?}"
        );
        assert!(error.hint().unwrap().contains("learning_rate"));
    }

    #[test]
    fn a_spike_ends_it_unless_it_is_only_to_be_noted() {
        for (more, ends) in [("", true), ("spikes = \"note\"\n", false)] {
            let room = tempfile::tempdir().unwrap();
            let mut run = create(room.path());
            let mut line = Line::new(400);
            line.spoilt = Some((5, 1e4));
            let recipe = recipe(&format!("[steps]\nlimit = 100\n[evaluation]\n{more}"));
            let mut noted = false;
            let outcome = train(&team(), &mut line, &recipe, &mut run, &mut |event| {
                noted |= matches!(event, Event::Spike { .. });
                ControlFlow::Continue(())
            });
            assert_eq!(matches!(outcome, Err(TrainError::Spike { .. })), ends);
            assert_eq!(noted, !ends);
        }
    }

    #[test]
    fn only_so_many_checkpoints_are_kept() {
        let room = tempfile::tempdir().unwrap();
        let mut run = create(room.path());
        let recipe = recipe(
            "[steps]\nlimit = 50\n[evaluation]\nevery = 3\n[checkpoints]\nevery = 4\nkeep = 2\n",
        );
        train(&team(), &mut Line::new(40), &recipe, &mut run, &mut go_on).unwrap();
        let names: Vec<_> = fs_err::read_dir(run.folder().join("checkpoints"))
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        let of = |prefix: &str| names.iter().filter(|it| it.starts_with(prefix)).count();
        assert_eq!(of("step-"), 2, "{names:?}");
        assert!((1..=2).contains(&of("best-")), "{names:?}");
        assert_eq!(of("."), 0, "{names:?}");
    }
}
