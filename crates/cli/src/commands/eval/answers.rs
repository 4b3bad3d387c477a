//! `eval answers` and `eval diff`: answers in files are measured, and two are compared.

use std::env;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use groundtune::judge::{
    CandidateAnswers, Compared, GoldSet, Metric, Plan, Report, compare, gold_beside,
    ground_answers, html, markdown, name_of, read_answers, read_gold, usual_metrics,
};
use groundtune::opinion::{
    self, Judge, JudgeRecipe, JudgeTally, Replies, attach, best_two, read_labels, tally,
};
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::environment::environment;
use crate::interrupt;
use crate::progress::Progress;
use crate::ui::{Style, Ui, count, shell_word, wrap};

/// How often a difference may be claimed where there is none, if nothing else is said.
const ALPHA: f64 = 0.05;

/// The seed from which resamples are drawn, if nothing else is said.
const SEED: u64 = 12345;

#[derive(Debug, Args)]
pub(super) struct AnswersArguments {
    /// Predictions, one JSON object a line, of any number of candidates.
    #[arg(value_name = "PREDICTIONS", required = true)]
    predictions: Vec<PathBuf>,
    /// A language model that grades the answers too, at best on a server: `URL#MODEL`. It
    /// decides nothing unless `--metric judge_grade` comes first.
    #[arg(long, value_name = "MODEL")]
    judge: Option<String>,
    /// The environment variable that holds the key of the judge's server.
    #[arg(long, value_name = "VARIABLE", requires = "judge")]
    judge_key_env: Option<String>,
    /// People's grades of some answers, to see whether the judge agrees with them: JSON objects
    /// with `question`, `candidate` and `grade` (`correct`, `partly`, `wrong`), one a line.
    #[arg(long, value_name = "FILE", requires = "judge")]
    labels: Option<PathBuf>,
    /// Writes `report.md`, `report.html` and `report.json` into this folder, and what the judge
    /// was asked and replied.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// What was: a file of predictions, or a run's folder.
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// What is.
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    /// The candidate, where a file has several.
    #[arg(long, value_name = "NAME")]
    candidate: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// The questions with their answers, in any layout that `data` reads [default: the
    /// `gold.jsonl` beside the predictions].
    #[arg(long, value_name = "FILE")]
    gold: Option<PathBuf>,
    /// A metric; the first decides [default: what suits the answers].
    #[arg(long = "metric", value_name = "METRIC")]
    metrics: Vec<Metric>,
    /// The smallest difference that matters, in the metric's own unit.
    #[arg(long, value_name = "NUMBER")]
    smallest: Option<f64>,
    /// How often a difference may be claimed where there is none.
    #[arg(long, value_name = "SHARE", default_value_t = ALPHA)]
    alpha: f64,
    /// The seed from which resamples are drawn.
    #[arg(long, value_name = "NUMBER", default_value_t = SEED)]
    seed: u64,
    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

impl How {
    fn gold(&self, predictions: &Path) -> Result<GoldSet, CommandError> {
        let path = match &self.gold {
            Some(path) => path.clone(),
            None => gold_beside(predictions).ok_or_else(|| {
                CommandError::usage("the right answers are missing")
                    .with_hint("name them: `--gold FILE`")
            })?,
        };
        Ok(read_gold(&path)?)
    }

    fn plan(&self, gold: &GoldSet) -> Plan {
        let mut metrics = self.metrics.clone();
        if metrics.is_empty() {
            metrics = usual_metrics(gold);
        }
        let usual = Plan::default();
        let metric = metrics[0];
        Plan {
            metric,
            smallest_difference: self
                .smallest
                .unwrap_or_else(|| metric.largest().unwrap_or(100.0) * usual.smallest_difference),
            alpha: self.alpha,
            also: metrics.split_off(1),
            seed: self.seed,
            ..usual
        }
    }

    fn compared(
        &self,
        gold: &GoldSet,
        candidates: &mut [CandidateAnswers],
    ) -> Result<Compared, CommandError> {
        let mut plan = self.plan(gold);
        let mut answers = candidates.iter().flat_map(|it| &it.runs).flatten();
        if answers.any(|it| it.opinion.is_some()) {
            plan.also
                .extend([Metric::JudgeGrade, Metric::JudgeGrounded]);
            plan.also.retain(|it| *it != plan.metric);
        }
        let of_citations = ["citation_recall", "citation_precision", "supported"];
        let asked = |it: &Metric| of_citations.contains(&it.name());
        if [plan.metric].iter().chain(&plan.also).any(asked) {
            ground_answers(gold, candidates);
        }
        let compared = compare(gold, candidates, &plan).map_err(groundtune::Error::from)?;
        for candidate in &compared.candidates {
            let all = compared.questions * candidate.seeds;
            if candidate.failed == all {
                let hint = "a prediction's `question` must be the id of a question in the gold: \
                            its `id`, or its file and line";
                let says = format!("`{}` answers none of the questions", candidate.name);
                return Err(CommandError::failed(says).with_hint(hint));
            }
        }
        Ok(compared)
    }
}

/// Measures what a model said, by `metrics` or by what suits the answers.
pub(super) fn measured(
    gold: &GoldSet,
    candidate: CandidateAnswers,
    metrics: &[Metric],
) -> Result<(Compared, CandidateAnswers), CommandError> {
    let how = How {
        gold: None,
        metrics: metrics.to_vec(),
        smallest: None,
        alpha: ALPHA,
        seed: SEED,
        json: false,
    };
    let mut candidates = [candidate];
    let compared = how.compared(gold, &mut candidates)?;
    let [candidate] = candidates;
    Ok((compared, candidate))
}

pub(super) fn answers(arguments: &AnswersArguments, ui: &mut Ui) -> Result<(), CommandError> {
    let how = &arguments.how;
    let gold = how.gold(&arguments.predictions[0])?;
    let mut candidates: Vec<CandidateAnswers> = Vec::new();
    for path in &arguments.predictions {
        candidates.extend(read_answers(path, &name_of(path))?);
    }
    let opinions = match &arguments.judge {
        Some(model) => Some(judged(arguments, model, &gold, &mut candidates, ui)?),
        None => None,
    };
    let compared = how.compared(&gold, &mut candidates)?;
    say_what_is_odd(&gold, &compared, ui);
    let mut value = as_json(&compared);
    if let Some((_, found)) = &opinions {
        value["judge"] = json!(found);
    }
    if let Some(folder) = &arguments.report {
        let title = "What the answers are worth";
        let mut report = Report::new(title, &gold, &candidates, compared.clone(), QUESTIONS);
        if let Some((recipe, found)) = &opinions {
            report.drills.push(opinion::drill(recipe, found));
        }
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("report.md"), markdown(&report))?;
        std::fs::write(folder.join("report.html"), html(&report))?;
        std::fs::write(folder.join("report.json"), report.json())?;
    }
    if how.json {
        ui.json(&value)?;
        return Ok(());
    }
    print_scores(&compared, ui)?;
    if compared.candidates.len() > 1 {
        writeln!(ui.out(), "\n{}", compared.verdict.statement)?;
    }
    for remark in opinions
        .iter()
        .flat_map(|(_, found)| opinion::remarks(found))
    {
        let said = wrap(&format!("the judge: {remark}"), ui.width());
        writeln!(ui.out(), "{}", said.join("\n"))?;
    }
    if let Some(folder) = &arguments.report {
        let page = folder.join("report.html");
        writeln!(ui.out(), "report: {}", shell_word(&page))?;
    }
    Ok(())
}

/// The most questions whose answers a report shows side by side.
const QUESTIONS: usize = 500;

/// Has a language model grade the answers, and writes its grades beside them.
fn judged(
    arguments: &AnswersArguments,
    model: &str,
    gold: &GoldSet,
    candidates: &mut [CandidateAnswers],
    ui: &Ui,
) -> Result<(JudgeRecipe, JudgeTally), CommandError> {
    let recipe = JudgeRecipe {
        model: model.to_owned(),
        key_env: arguments.judge_key_env.clone(),
        labels: arguments.labels.clone(),
        ..JudgeRecipe::default()
    };
    let labels = match &recipe.labels {
        Some(path) => read_labels(path)?,
        None => Vec::new(),
    };
    let judge = Judge::open(&recipe, &env::current_dir()?, &environment(None))?;
    let metric = arguments.how.plan(gold).metric;
    let pair = best_two(gold, candidates, metric);
    // What was paid for is kept, and not asked again.
    let kept = arguments.report.as_ref().map(|it| it.join("judge.jsonl"));
    let (mut lines, known) = match &kept {
        Some(path) => {
            let (lines, known) = Replies::open(path).map_err(CommandError::failed)?;
            (Some(lines), known)
        }
        None => (None, Vec::new()),
    };
    interrupt::listen();
    let mut progress = Progress::start();
    let found = judge.judge(
        gold,
        candidates,
        pair,
        known,
        &mut |judging| -> Result<(), CommandError> {
            if let Some(lines) = &mut lines {
                lines.add(judging).map_err(CommandError::failed)?;
            }
            Ok(())
        },
        &mut |done, of| {
            progress.at(done as u64, of as u64, "a language model judges");
            if interrupt::asked() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    )?;
    drop(progress);
    let Some(judgings) = found else {
        if let Some(path) = &kept {
            ui.note(format_args!(
                "Stopped; what was judged is kept in {}.",
                shell_word(path)
            ));
        }
        return Err(CommandError::interrupted());
    };
    attach(candidates, &judgings);
    let found = tally(&judgings, &labels);
    Ok((recipe, found))
}

pub(super) fn diff(arguments: &DiffArguments, ui: &mut Ui) -> Result<(), CommandError> {
    let how = &arguments.how;
    let gold = how.gold(&arguments.after)?;
    let read = |path: &Path, name: &str| -> Result<CandidateAnswers, CommandError> {
        let mut found = read_answers(path, name)?;
        if let Some(wanted) = &arguments.candidate {
            found.retain(|it| it.name == *wanted);
        }
        let [one] = <[CandidateAnswers; 1]>::try_from(found).map_err(|found| {
            let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
            match (&arguments.candidate, names.as_slice()) {
                (Some(wanted), []) => CommandError::failed(format!(
                    "`{}` has no candidate `{wanted}`",
                    path.display()
                )),
                _ => CommandError::usage(format!(
                    "`{}` has several candidates: {}",
                    path.display(),
                    names.join(", ")
                ))
                .with_hint("name one: `--candidate NAME`"),
            }
        })?;
        Ok(CandidateAnswers {
            name: name.to_owned(),
            ..one
        })
    };
    let before = read(&arguments.before, "before")?;
    let after = read(&arguments.after, "after")?;
    let compared = how.compared(&gold, &mut [before, after])?;
    say_what_is_odd(&gold, &compared, ui);
    let difference = &compared.differences[0];
    let is_sure = difference.interval.low > 0.0 && difference.p_corrected < compared.plan.alpha;
    let is_worse = is_sure && difference.better == "before";
    if how.json {
        let mut value = as_json(&compared);
        value["worse"] = json!(is_worse);
        ui.json(&value)?;
    } else {
        print_scores(&compared, ui)?;
        writeln!(ui.out(), "\n{}", compared.verdict.statement)?;
    }
    if is_worse {
        ui.finish()?;
        return Err(CommandError::worse());
    }
    Ok(())
}

/// Says on stderr what makes the figures doubtful.
pub(super) fn say_what_is_odd(gold: &GoldSet, compared: &Compared, ui: &Ui) {
    if !gold.twice().is_empty() {
        let many = count(gold.twice().len(), "question");
        ui.warn(format_args!(
            "{many} came more than once; the first of each counts"
        ));
    }
    if let Some(silent) = &compared.silent {
        ui.warn(format_args!("{silent}"));
    }
    for candidate in &compared.candidates {
        if candidate.failed > 0 {
            let many = count(candidate.failed, "question");
            ui.warn(format_args!(
                "`{}` does not answer {many}; each counts as wrong",
                candidate.name
            ));
        }
        if candidate.unknown > 0 {
            let many = count(candidate.unknown, "answer");
            ui.warn(format_args!(
                "{many} of `{}` are to no question of the gold and do not count",
                candidate.name
            ));
        }
    }
}

pub(super) fn print_scores(compared: &Compared, ui: &mut Ui) -> io::Result<()> {
    let plan = &compared.plan;
    let shown: Vec<Metric> = [plan.metric]
        .into_iter()
        .chain(plan.also.iter().copied())
        .filter(|metric| {
            let has =
                |it: &groundtune::judge::CandidateScores| it.metrics.contains_key(metric.name());
            compared.candidates.iter().any(has)
        })
        .collect();
    for candidate in &compared.candidates {
        let name = ui.paint(Style::Strong, &candidate.name);
        let seeds = match candidate.seeds {
            1 => String::new(),
            many => format!(", {many} seeds"),
        };
        writeln!(
            ui.out(),
            "{name} ({}{seeds})",
            count(compared.questions, "question")
        )?;
        for metric in &shown {
            if let Some(score) = candidate.metrics.get(metric.name()) {
                let digits = if metric.largest() == Some(1.0) { 4 } else { 2 };
                writeln!(
                    ui.out(),
                    "  {:<18} {:>8.digits$}  ({:.0} % interval {:.digits$} to {:.digits$})",
                    metric.name(),
                    score.value,
                    100.0 * (1.0 - plan.alpha),
                    score.interval.low,
                    score.interval.high,
                )?;
                if matches!(metric.name(), "bleu" | "chrf" | "chrf++" | "ter") {
                    let signature = ui.paint(Style::Faint, &score.signature);
                    writeln!(ui.out(), "  {:<18} {signature}", "")?;
                }
            }
        }
        if let Some(latency) = candidate.effort.latency {
            writeln!(
                ui.out(),
                "  {:<18} {:>8.3}  (95 of 100 below {:.3}, 99 of 100 below {:.3})",
                "median seconds",
                latency.p50_seconds,
                latency.p95_seconds,
                latency.p99_seconds,
            )?;
        }
    }
    Ok(())
}

pub(super) fn as_json(compared: &Compared) -> Value {
    json!({
        "verdict": compared.verdict,
        "candidates": compared.candidates,
        "differences": compared.differences,
        "plan": compared.plan,
        "questions": compared.questions,
        "clusters": compared.clusters,
    })
}
