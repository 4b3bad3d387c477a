use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use groundtune::compare::{
    Arm, CompareError, CompareEvent, CompareRecipe, CompareStart, DrillKind, Judgement, Table,
    Task, Work, compare,
};
use groundtune::project::Project;
use groundtune::{Environment, ModelReference};

use crate::command_error::CommandError;
use crate::environment::environment;
use crate::interrupt;
use crate::progress::Progress;
use crate::table;
use crate::ui::{Style, Ui, count, elapsed, one_line, shell_word, wrap};

/// Finds out which wins on your questions: prompting, retrieval, fine-tuning, or both.
///
/// The examples are questions with their right answers. Some are learnt from, some choose
/// settings, and on the rest every candidate is examined; nobody learns from what it is
/// examined on. What is done is kept: after Ctrl-C, `--resume` goes on.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files of questions with their answers [default: `[compare] examples`].
    #[arg(value_name = "EXAMPLES")]
    examples: Vec<PathBuf>,

    /// A file of questions that all are examined on, in place of a part of the examples.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    examination: Vec<PathBuf>,

    /// What is compared, and how: a TOML file instead of the project's `[compare]`.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    recipe: Option<PathBuf>,

    /// The candidates, between commas: prompt, few-shot, rag, fine-tuned, hybrid, routed.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = arm)]
    candidates: Vec<Arm>,

    /// The model that all candidates begin with: one that writes, or for labels an encoder
    /// [default: `[models] generator`; for labels also `embedder`; else the one that is built in].
    #[arg(long, value_name = "MODEL", conflicts_with = "resume")]
    model: Option<ModelReference>,

    /// How often each candidate that learns is taught.
    #[arg(long, value_name = "COUNT")]
    seeds: Option<usize>,

    /// A first look: each candidate is taught once, and asked at most 100 questions.
    #[arg(long, conflicts_with = "resume")]
    quick: bool,

    /// Leaves nothing out, whatever `[compare]` says: three seeds at least, all questions, all
    /// drills, every way to find evidence. Where `[compare]` says nothing, this is what is done.
    #[arg(long, conflicts_with_all = ["resume", "quick"])]
    full: bool,

    /// A language model that judges the answers too, at best on a server: `URL#MODEL`. It
    /// decides nothing unless `[compare.verdict] metric` names its grades.
    #[arg(long, value_name = "MODEL", conflicts_with = "resume")]
    judge: Option<String>,

    /// Goes on with a comparison that was stopped or broken off.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["examples", "candidates", "seeds"])]
    resume: Option<PathBuf>,

    /// Prints one JSON object at the end, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

fn arm(text: &str) -> Result<Arm, String> {
    Arm::ALL
        .into_iter()
        .find(|arm| arm.as_str() == text)
        .ok_or_else(|| {
            let names: Vec<&str> = Arm::ALL.iter().map(|arm| arm.as_str()).collect();
            format!("expected one of {}", names.join(", "))
        })
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let environment = environment(project);
    let project = super::project_or_defaults(project)?;
    let base = arguments.model.clone();
    let start = match arguments.resume {
        Some(folder) => CompareStart::Resume(folder),
        None => {
            let mut recipe = match &arguments.recipe {
                Some(path) => CompareRecipe::read(path).map_err(failed)?,
                None => project.compare_recipe(),
            };
            if arguments.full {
                recipe = recipe.full();
            }
            if !arguments.examples.is_empty() {
                recipe.examples = arguments.examples;
            }
            if !arguments.examination.is_empty() {
                recipe.examination = arguments.examination;
            }
            if !arguments.candidates.is_empty() {
                recipe.candidates = arguments.candidates;
            }
            if let Some(seeds) = arguments.seeds {
                recipe.seeds = seeds;
            }
            if let Some(model) = arguments.judge {
                recipe.judge.get_or_insert_default().model = model;
            }
            if arguments.quick {
                recipe = recipe.quick();
            }
            CompareStart::New(Box::new(recipe))
        }
    };
    examine(
        ui,
        &project,
        start,
        base.as_ref(),
        &environment,
        arguments.json,
    )
}

/// Compares, and shows what it comes to.
pub(crate) fn examine(
    ui: &mut Ui,
    project: &Project,
    start: CompareStart,
    base: Option<&ModelReference>,
    environment: &Environment,
    as_json: bool,
) -> Result<(), CommandError> {
    interrupt::listen();
    let mut screen = Screen {
        progress: Progress::start(),
        folder: None,
        task: Task::Write,
    };
    let found = compare(project, start, base, environment, &mut |event| {
        screen.show(ui, &event);
        if interrupt::asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let folder = screen.folder.clone();
    drop(screen);
    match found.map_err(failed)? {
        Some(judgement) => conclude(ui, &judgement, as_json),
        None => {
            ui.note(format_args!("Stopped; what is done is kept."));
            if let Some(folder) = folder {
                ui.hint(format_args!(
                    "go on with `groundtune compare --resume {}`",
                    shell_word(super::from_here(&folder))
                ));
            }
            Err(CommandError::interrupted())
        }
    }
}

fn failed(error: CompareError) -> CommandError {
    CommandError::failed(error)
}

/// What is seen of a comparison while it goes on.
struct Screen {
    progress: Progress,
    folder: Option<PathBuf>,
    task: Task,
}

impl Screen {
    fn show(&mut self, ui: &Ui, event: &CompareEvent<'_>) {
        match event {
            CompareEvent::Examined {
                folder,
                examination,
                protocol,
            } => {
                self.folder = Some(folder.path().to_owned());
                self.task = protocol.task;
                ui.note(format_args!(
                    "questions  {} to learn from, {} to choose settings on, {} to be examined on",
                    examination.train.len(),
                    examination.dev.len(),
                    examination.test.len(),
                ));
                for note in &examination.notes {
                    ui.warn(format_args!("{}", one_line(&note.to_string())));
                }
                ui.note(format_args!("model      {}", protocol.base));
                let plan = &protocol.plan;
                ui.note(format_args!(
                    "decides    {}, a difference of {} or more, {} false alarms in 100",
                    plan.metric,
                    plan.smallest_difference,
                    100.0 * plan.alpha,
                ));
                for (arm, why) in &protocol.left_out {
                    ui.warn(format_args!("`{arm}` is not compared: {why}"));
                }
                ui.note(format_args!(
                    "kept in    {}\n",
                    shell_word(super::from_here(folder.path()))
                ));
            }
            CompareEvent::Progress { what, done, of } => {
                let what = match what {
                    Work::Trying => "trying ways to find".to_owned(),
                    Work::Finding => "looking for evidence".to_owned(),
                    Work::Tuning => "tuning retrieval".to_owned(),
                    Work::Routing => "both answer, to teach the router".to_owned(),
                    Work::Judging => "a language model judges".to_owned(),
                    Work::Drill(DrillKind::Freshness) if !self.task.is_of_documents() => {
                        "the labels change".to_owned()
                    }
                    Work::Drill(kind) => kind.says().to_owned(),
                    Work::Answering(arm, seed) if arm.learns() => {
                        format!("{arm} answers (seed {seed})")
                    }
                    Work::Answering(arm, _) => format!("{arm} answers"),
                };
                self.progress.at(*done as u64, *of as u64, &what);
            }
            CompareEvent::Tuned(retrieval) => {
                if !retrieval.is_chosen() {
                    // Nobody looks for anything, or there was nothing to choose by.
                    return;
                }
                self.note(
                    ui,
                    &format!(
                        "retrieval  {}{} of score {} or more, chosen on the development questions",
                        match self.task {
                            Task::Write | Task::Find => format!("{}, ", retrieval.way),
                            Task::Label | Task::Tag => String::new(),
                        },
                        count(retrieval.chosen.top_k, self.task.found()),
                        retrieval.chosen.threshold,
                    ),
                );
                if let (Task::Write, Some(doubt)) = (self.task, retrieval.doubt()) {
                    self.progress.suspend(|| ui.warn(format_args!("{doubt}")));
                }
            }
            CompareEvent::Teaching { arm, seed, event } => {
                if let groundtune::train::Event::Step {
                    step, steps, loss, ..
                } = event
                {
                    let what = format!("{arm} learns (seed {seed}) · loss {loss:.2}");
                    self.progress.at(*step, *steps, &what);
                }
            }
            CompareEvent::Taught { arm, seed, taught } => {
                let dev = taught
                    .dev_loss
                    .map_or_else(String::new, |loss| format!(", dev loss {loss:.3}"));
                let early = taught.overfitting.map_or_else(String::new, |step| {
                    format!(
                        "; it began to learn by heart at step {step}, and an earlier state is kept"
                    )
                });
                self.note(
                    ui,
                    &format!(
                        "taught     {arm} (seed {seed}): {} in {}{dev}{early}",
                        count(taught.steps.0 as usize, "step"),
                        elapsed(Duration::from_secs_f64(taught.seconds)),
                    ),
                );
            }
        }
    }

    fn note(&self, ui: &Ui, text: &str) {
        self.progress.suspend(|| ui.note(format_args!("{text}")));
    }
}

fn conclude(ui: &mut Ui, judgement: &Judgement, as_json: bool) -> Result<(), CommandError> {
    use std::io::Write as _;
    if as_json {
        ui.json(&judgement.json())?;
        return Ok(());
    }
    let compared = &judgement.report.compared;
    let metric = compared.plan.metric;
    let heads = [
        "candidate",
        metric.name(),
        "refused",
        "median",
        "tokens read",
        "written",
    ];
    let mut rows = Vec::new();
    for candidate in &compared.candidates {
        let score = &candidate.metrics[metric.name()];
        let asked = compared.questions * candidate.seeds;
        let effort = &candidate.effort;
        let count = |it: Option<f64>| it.map_or_else(|| "–".into(), |it| format!("{it:.0}"));
        rows.push(vec![
            candidate.name.clone(),
            format!("{:.3} ±{:.3}", score.value, score.interval.half_width()),
            format!(
                "{:.0} %",
                100.0 * candidate.refused as f64 / asked.max(1) as f64
            ),
            effort.latency.as_ref().map_or_else(
                || "–".into(),
                |it| elapsed(Duration::from_secs_f64(it.p50_seconds)),
            ),
            count(effort.prompt_tokens),
            count(effort.completion_tokens),
        ]);
    }
    let heads = heads.map(str::to_owned).to_vec();
    for line in table::lines(&Table { heads, rows }, ui.width()) {
        writeln!(ui.out(), "{line}")?;
    }
    for it in judgement.guards.iter().filter(|it| !it.guarded) {
        ui.warn(format_args!(
            "not guarded against: {} ({})",
            it.mistake, it.how
        ));
    }
    let odd = [
        judgement.retrieval.staleness(),
        judgement.report.compared.silent.clone(),
    ];
    for odd in odd.into_iter().flatten() {
        ui.warn(format_args!("{odd}"));
    }
    let statement = wrap(judgement.statement(), ui.width()).join("\n");
    let statement = ui.paint(Style::Strong, &statement);
    writeln!(ui.out(), "\n{statement}")?;
    for flip in judgement.report.flips.iter().flat_map(|it| &it.flips) {
        let said = wrap(&flip.statement, ui.width()).join("\n");
        writeln!(ui.out(), "{said}")?;
    }
    writeln!(
        ui.out(),
        "report: {}",
        shell_word(super::from_here(&judgement.page()))
    )?;
    Ok(())
}
