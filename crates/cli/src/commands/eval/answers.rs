//! `eval answers` and `eval diff`: answers in files are measured, and two are compared.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use groundtune::judge::{
    CandidateAnswers, Compared, GoldSet, Metric, Plan, compare, gold_beside, ground_answers,
    name_of, read_answers, read_gold, usual_metrics,
};
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::ui::{Style, Ui, count};

#[derive(Debug, Args)]
pub(super) struct AnswersArguments {
    /// Predictions, one JSON object a line, of any number of candidates.
    #[arg(value_name = "PREDICTIONS", required = true)]
    predictions: Vec<PathBuf>,
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
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    alpha: f64,
    /// The seed from which resamples are drawn.
    #[arg(long, value_name = "NUMBER", default_value_t = 12345)]
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
        mut candidates: Vec<CandidateAnswers>,
    ) -> Result<Compared, CommandError> {
        let plan = self.plan(gold);
        let of_citations = ["citation_recall", "citation_precision", "supported"];
        let asked = |it: &Metric| of_citations.contains(&it.name());
        if [plan.metric].iter().chain(&plan.also).any(asked) {
            ground_answers(gold, &mut candidates);
        }
        let compared = compare(gold, &candidates, &plan).map_err(groundtune::Error::from)?;
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

pub(super) fn answers(arguments: &AnswersArguments, ui: &mut Ui) -> Result<(), CommandError> {
    let how = &arguments.how;
    let gold = how.gold(&arguments.predictions[0])?;
    let mut candidates: Vec<CandidateAnswers> = Vec::new();
    for path in &arguments.predictions {
        candidates.extend(read_answers(path, &name_of(path))?);
    }
    let compared = how.compared(&gold, candidates)?;
    say_what_is_odd(&gold, &compared, ui);
    if how.json {
        ui.json(&as_json(&compared))?;
        return Ok(());
    }
    print_scores(&compared, ui)?;
    if compared.candidates.len() > 1 {
        writeln!(ui.out(), "\n{}", compared.verdict.statement)?;
    }
    Ok(())
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
    let compared = how.compared(&gold, vec![before, after])?;
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
fn say_what_is_odd(gold: &GoldSet, compared: &Compared, ui: &Ui) {
    if !gold.twice().is_empty() {
        let many = count(gold.twice().len(), "question");
        ui.warn(format_args!(
            "{many} came more than once; the first of each counts"
        ));
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

fn print_scores(compared: &Compared, ui: &mut Ui) -> io::Result<()> {
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

fn as_json(compared: &Compared) -> Value {
    json!({
        "verdict": compared.verdict,
        "candidates": compared.candidates,
        "differences": compared.differences,
        "plan": compared.plan,
        "questions": compared.questions,
        "clusters": compared.clusters,
    })
}
