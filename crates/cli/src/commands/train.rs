use std::env;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use groundtune::contract::Bytes;
use groundtune::models::ModelKind;
use groundtune::project::state_folder;
use groundtune::train::{
    BenchShape, Event, PreparedRun, Start, TrainReport, TrainingError, Why, prepare,
};
use serde_json::json;

use super::from_here;
use super::train_bench::{self, Again, Bench};
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::interrupt;
use crate::progress::Progress;
use crate::ui::{Style, Ui, count, elapsed, one_line, shell_word, thousands};

/// Where nobody watches, a step is shown after so long.
const RARELY: Duration = Duration::from_secs(10);

/// Rows of the curve.
const CURVE_ROWS: usize = 8;

/// Teaches a model: from nothing, on texts, on answers, or on preferences.
///
/// The recipe says which model learns what from which files, and how; `docs/train.md` has
/// its keys. What happens is kept in a run's folder, and so is the result, which
/// `groundtune generate --model RUN` uses, or `label`, `embed`, `rerank` or `ask` if that is
/// what it was taught. Ctrl-C saves the state.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The recipe, a TOML file.
    #[arg(value_name = "RECIPE", required_unless_present = "resume")]
    recipe: Option<PathBuf>,

    /// Goes on with a run that was stopped or broken off, as if it had not been.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "set"])]
    resume: Option<PathBuf>,

    /// Sets a key before the recipe's own: `--set steps.limit=100`. May be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Only says what would be done and what memory it would take.
    #[arg(long)]
    dry_run: bool,

    /// Measures a few steps with each technique, or how cost grows with the model's shape,
    /// each in a process of its own, and keeps nothing.
    #[arg(
        long,
        value_name = "WHAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "techniques",
        conflicts_with_all = ["resume", "dry_run"]
    )]
    bench: Option<Bench>,

    /// Writes the run as a program in PyTorch for machines with GPUs, and does not begin it
    /// here.
    #[arg(long, conflicts_with_all = ["resume", "dry_run", "bench"])]
    job: bool,

    /// One of these processes.
    #[arg(long, hide = true)]
    measure: bool,

    /// The shape that it measures.
    #[arg(long, hide = true, requires = "measure")]
    shape: Option<BenchShape>,

    /// Threads to compute on [default: one for each processor].
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,

    /// Prints one JSON object at the end, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let recipe = arguments.recipe.clone();
    let set = arguments.set.clone();
    let start = match (arguments.resume, arguments.recipe) {
        (Some(run), _) => Start::Resume { run },
        (None, Some(recipe)) => Start::New {
            recipe,
            set: arguments.set,
            runs: state_folder(project, &env::current_dir()?)?.join("runs"),
        },
        (None, None) => return Err(CommandError::usage("there is no recipe")),
    };
    let prepared =
        prepare(start, &environment(project), arguments.threads).map_err(CommandError::failed)?;
    if arguments.measure {
        let measured = match arguments.shape {
            Some(shape) => prepared.measure_shape(shape),
            None => prepared.measure(),
        };
        return Ok(ui.json(&measured.map_err(CommandError::failed)?)?);
    }
    introduce(ui, &prepared);
    if let (Some(bench), Some(recipe)) = (arguments.bench, recipe) {
        let again = Again {
            recipe: &recipe,
            set: &set,
            threads: arguments.threads.map(NonZeroUsize::get),
        };
        return train_bench::run(ui, bench, &prepared, &again, arguments.json);
    }
    if arguments.job {
        let folder = prepared.job().map_err(CommandError::failed)?;
        return hand_over(ui, &folder, arguments.json);
    }
    if arguments.dry_run {
        return if prepared.estimate().fits() {
            Ok(())
        } else {
            Err(CommandError::failed(prepared.too_large()))
        };
    }
    interrupt::listen();
    let mut screen = Screen::new();
    screen.knows_patience = prepared.recipe().evaluation.patience.is_some();
    let report = prepared.run(&mut |run, event| {
        screen.show(ui, run, event);
        if interrupt::asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let from = screen.from;
    drop(screen);
    let report = report.map_err(|error| failed(ui, error))?;
    conclude(ui, &report, from, arguments.json)
}

/// Says what is done with a job.
fn hand_over(ui: &mut Ui, folder: &Path, as_json: bool) -> Result<(), CommandError> {
    if as_json {
        let run = std::path::absolute(folder)?;
        return Ok(ui.json(&json!({ "run": run, "program": run.join("train.py") }))?);
    }
    let run = shell_word(from_here(folder));
    writeln!(ui.out(), "the job is in {run}")?;
    ui.hint(format_args!(
        "take the folder to the machine that has PyTorch, and there `accelerate launch \
         {name}/train.py`; what it leaves in the folder is used as any run's: `groundtune generate \
         --model {run}`",
        name = folder.file_name().unwrap_or_default().display(),
    ));
    Ok(())
}

/// Says what will be done.
fn introduce(ui: &Ui, prepared: &PreparedRun) {
    let data = prepared.data();
    for (path, layout) in &data.files {
        ui.note(format_args!(
            "data    `{}` ({layout})",
            from_here(path).display()
        ));
    }
    ui.note(format_args!(
        "        {} to learn, {} to be examined on; {} an epoch",
        count(data.examples.0, "example"),
        thousands(data.examples.1 as u64),
        count(data.tokens, "token"),
    ));
    if data.left_out_count > 0 {
        ui.warn(format_args!(
            "{} cannot be used:",
            count(data.left_out_count, "example")
        ));
        for reason in &data.left_out {
            ui.note(format_args!("  {}", one_line(reason)));
        }
    }
    let estimate = prepared.estimate();
    ui.note(format_args!(
        "model   {}; {} learnt",
        prepared.model(),
        count(estimate.parameters, "number"),
    ));
    let left = match estimate.available {
        Some(available) => format!(" of {} left", Bytes(available as u64)),
        None => String::new(),
    };
    let packed = if estimate.packed {
        "; what stays as it is is packed once"
    } else {
        ""
    };
    ui.note(format_args!(
        "memory  about {}{left}{packed}",
        Bytes(estimate.peak() as u64)
    ));
    let recipe = prepared.recipe();
    if let Some(preset) = recipe.preset {
        let values: Vec<&str> = preset
            .text()
            .lines()
            .filter(|line| !line.is_empty())
            .collect();
        ui.note(format_args!(
            "preset  {}, where the recipe says nothing else: {}",
            preset.name(),
            values.join(" ")
        ));
    }
    if recipe.steps.are_many() {
        ui.warn(format_args!(
            "{} epochs: a model learns so few examples by heart. Watch dev; \
             `evaluation.patience = 3` ends it when nothing gets better",
            recipe.steps.epochs
        ));
    }
    ui.note(format_args!(
        "steps   {}, of {} each",
        thousands(prepared.steps()),
        count(prepared.recipe().steps.examples(), "example"),
    ));
}

/// What is seen of a run while it goes on.
struct Screen {
    progress: Progress,
    shown: Instant,
    dev: Option<f64>,
    /// Steps that were done before.
    from: u64,
    /// Whether it need not be said any more how learning by heart is ended.
    knows_patience: bool,
}

impl Screen {
    fn new() -> Self {
        Self {
            progress: Progress::start(),
            shown: Instant::now(),
            dev: None,
            from: 0,
            knows_patience: false,
        }
    }

    fn show(&mut self, ui: &Ui, run: &Path, event: &Event) {
        match event {
            Event::Started { step, .. } => {
                self.from = *step;
                let from = match step {
                    0 => String::new(),
                    step => format!(", from step {} on", thousands(*step)),
                };
                ui.note(format_args!(
                    "run     {}{from}\n",
                    shell_word(from_here(run))
                ));
            }
            Event::Step { .. } => {
                let line = self.line(event);
                if self.progress.line(&line) {
                    return;
                }
                if self.shown.elapsed() >= RARELY {
                    self.shown = Instant::now();
                    ui.note(format_args!("{line}"));
                }
            }
            Event::Examined {
                step,
                loss,
                training_loss,
                metrics,
                best,
            } => {
                self.dev = Some(*loss);
                let training =
                    training_loss.map_or_else(String::new, |it| format!(" · loss {it:.3}"));
                let metrics: String = metrics
                    .iter()
                    .map(|(name, value)| format!(" · {name} {value:.3}"))
                    .collect();
                let best = if *best { " · best so far" } else { "" };
                self.note(
                    ui,
                    &format!("step {step}{training} · dev {loss:.3}{metrics}{best}"),
                );
            }
            Event::Overfitting { step, best_step } => {
                // What to do about it is said once.
                let end = match std::mem::replace(&mut self.knows_patience, true) {
                    true => "",
                    false => "; `evaluation.patience = 3` would end it",
                };
                self.note(
                    ui,
                    &format!(
                        "{} overfitting: at step {step} it learns by heart; dev was best at step {best_step}{end}",
                        ui.paint_error(Style::Warning, "warning:")
                    ),
                );
            }
            Event::Spike { step, loss, mean } => self.note(
                ui,
                &format!(
                    "{} the loss of step {step} is {loss:.3}, after {mean:.3} on average",
                    ui.paint_error(Style::Warning, "warning:")
                ),
            ),
            Event::Saved { .. } | Event::Ended { .. } => {}
        }
    }

    fn note(&self, ui: &Ui, text: &str) {
        self.progress.suspend(|| ui.note(format_args!("{text}")));
    }

    fn line(&self, event: &Event) -> String {
        let Event::Step {
            step,
            steps,
            loss,
            tokens_per_second,
            seconds_left,
            ..
        } = event
        else {
            return String::new();
        };
        let dev = self
            .dev
            .map_or_else(String::new, |dev| format!(" · dev {dev:.2}"));
        let left = seconds_left.map_or_else(String::new, |it| format!(" · {} left", left(it)));
        let speed = speed(*tokens_per_second);
        format!("step {step}/{steps} · loss {loss:.2}{dev} · {speed} tok/s{left}")
    }
}

/// Returns a rate in few letters: `950`, `41k`.
fn speed(rate: f64) -> String {
    if rate < 1e3 {
        format!("{rate:.0}")
    } else if rate < 1e4 {
        format!("{:.1}k", rate / 1e3)
    } else {
        format!("{:.0}k", rate / 1e3)
    }
}

/// Returns a time to wait in the unit that matters.
fn left(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 5400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

/// Says with which examples a run failed, and returns the failure.
fn failed(ui: &Ui, error: TrainingError) -> CommandError {
    let examples = error.examples();
    if !examples.is_empty() {
        ui.note(format_args!("the step's examples begin with:"));
        for example in examples {
            ui.note(format_args!("  {}", one_line(example)));
        }
    }
    CommandError::failed(error)
}

/// Says what came of a run that had taken `from` steps before.
fn conclude(
    ui: &mut Ui,
    report: &TrainReport,
    from: u64,
    as_json: bool,
) -> Result<(), CommandError> {
    let outcome = &report.outcome;
    for line in report.curve.text(ui.width(), CURVE_ROWS) {
        ui.note(format_args!("{line}"));
    }
    if outcome.why == Why::Stopped {
        ui.note(format_args!(
            "Stopped after step {}; its state is saved.",
            thousands(outcome.steps)
        ));
        ui.hint(format_args!(
            "go on with `groundtune train --resume {}`",
            shell_word(from_here(&report.run))
        ));
        return Err(CommandError::interrupted());
    }
    if as_json {
        let mut metrics = json!({ "training_loss": outcome.training_loss });
        if let Some(found) = &outcome.examination {
            metrics["loss"] = found.loss.into();
            for (name, value) in &found.metrics {
                metrics[name] = (*value).into();
            }
        }
        ui.json(&json!({
            "run": std::path::absolute(&report.run)?,
            "model": outcome.model.as_ref().map(std::path::absolute).transpose()?,
            "steps": outcome.steps,
            "best_step": outcome.best_step,
            "metrics": metrics,
            "peak_memory_bytes": report.peak_memory_bytes,
            "tokens_per_second": outcome.tokens_per_second,
            "elapsed_ms": outcome.elapsed.as_secs_f64() * 1e3,
        }))?;
        return Ok(());
    }
    let found = outcome.examination.as_ref();
    let dev = found.map_or_else(String::new, |it| format!(": dev {:.3}", it.loss));
    let why = match outcome.why {
        Why::NothingBetter => ", since nothing got better",
        Why::Done | Why::Stopped => "",
    };
    let memory = report
        .peak_memory_bytes
        .map_or_else(String::new, |it| format!(", at most {}", Bytes(it)));
    let steps = count(outcome.steps as usize, "step");
    let time = elapsed(outcome.elapsed);
    let (steps, how) = match (outcome.steps.saturating_sub(from), from) {
        (0, _) => (format!("{steps}, all done before"), String::new()),
        (taken, from) => (
            match from {
                0 => format!("{steps} in {time}"),
                _ => format!("{steps}, the last {} in {time}", thousands(taken)),
            },
            format!(" ({} tok/s{memory})", speed(outcome.tokens_per_second)),
        ),
    };
    writeln!(
        ui.out(),
        "{steps}, to a loss of {:.3}{why}; the state after step {} is kept{dev}{how}",
        outcome.training_loss,
        thousands(outcome.best_step),
    )?;
    let run = shell_word(from_here(&report.run));
    writeln!(ui.out(), "{}", next(report.kind, &run))?;
    Ok(())
}

/// Returns what is done next with the model of a run.
fn next(kind: ModelKind, run: &str) -> String {
    match kind {
        ModelKind::Embedder => format!("try it: groundtune embed --model {run} \"…\""),
        ModelKind::Reranker => {
            format!("try it: groundtune rerank --model {run} \"QUESTION\" \"PASSAGE\" …")
        }
        ModelKind::Reader => format!("try it: groundtune ask --model {run} \"…\""),
        ModelKind::Classifier | ModelKind::Tagger => {
            format!("try it: groundtune label --model {run} \"…\"")
        }
        ModelKind::Decoder | ModelKind::Adapter => {
            format!("try it: groundtune generate --model {run} \"…\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_are_short() {
        assert_eq!(
            [speed(950.2), speed(4123.0), speed(41_234.0)],
            ["950", "4.1k", "41k"]
        );
        assert_eq!(
            [left(42.0), left(720.0), left(9000.0)],
            ["42 s", "12 min", "2.5 h"]
        );
    }

    #[test]
    fn what_was_taught_is_tried_by_what_can_use_it() {
        for (kind, expect) in [
            (
                ModelKind::Decoder,
                "try it: groundtune generate --model R \"…\"",
            ),
            (
                ModelKind::Embedder,
                "try it: groundtune embed --model R \"…\"",
            ),
            (
                ModelKind::Reranker,
                "try it: groundtune rerank --model R \"QUESTION\" \"PASSAGE\" …",
            ),
            (ModelKind::Reader, "try it: groundtune ask --model R \"…\""),
            (
                ModelKind::Tagger,
                "try it: groundtune label --model R \"…\"",
            ),
        ] {
            assert_eq!(next(kind, "R"), expect);
        }
    }

    #[test]
    fn a_step_is_one_line() {
        let mut screen = Screen::new();
        screen.dev = Some(1.912);
        let step = Event::Step {
            step: 120,
            steps: 2000,
            loss: 1.834,
            gradient_norm: 1.0,
            learning_rate: 1e-4,
            tokens: 2048,
            tokens_per_second: 41_000.0,
            seconds_left: Some(720.0),
        };
        assert_eq!(
            screen.line(&step),
            "step 120/2000 · loss 1.83 · dev 1.91 · 41k tok/s · 12 min left"
        );
    }
}
