//! `eval model`: a model is asked every example of a file, and its answers are measured.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use groundtune::data::{Dataset, ReadExamples};
use groundtune::examine::{Answered, examine, keep_answers};
use groundtune::generate::GeneratorOptions;
use groundtune::judge::{CandidateAnswers, Gold, GoldSet, Metric};
use serde_json::json;

use super::answers::{as_json, measured, print_scores, say_what_is_odd};
use crate::command_error::CommandError;
use crate::commands::writing::{SamplingArguments, TextArguments, WriterArguments};
use crate::interrupt;
use crate::progress::Progress;
use crate::ui::{Ui, count, elapsed, shell_word};

#[derive(Debug, Args)]
pub(super) struct ModelArguments {
    /// The examples with their answers, in any layout that `data` reads.
    #[arg(value_name = "EXAMPLES", required = true)]
    examples: Vec<PathBuf>,

    /// Takes examples that ask the same as one question, which any of their answers answers.
    #[arg(long)]
    merge: bool,

    /// A metric [default: what suits the answers].
    #[arg(long = "metric", value_name = "METRIC")]
    metrics: Vec<Metric>,

    /// Writes `predictions.jsonl` and `gold.jsonl` into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    text: TextArguments,

    #[command(flatten)]
    sampling: SamplingArguments,

    #[command(flatten)]
    writer: WriterArguments,
}

pub(super) fn model(
    arguments: &ModelArguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let mut set = Dataset::read(&arguments.examples, &ReadExamples::default())
        .map_err(groundtune::Error::from)?;
    if let Some(first) = set.refused.first() {
        let many = count(set.refused.len(), "record");
        ui.warn(format_args!("{many} could not be read; the first: {first}"));
    }
    let questions = set.examples.iter().filter_map(Gold::of_example);
    let gold = match arguments.merge {
        true => GoldSet::merged(questions),
        false => GoldSet::new(questions),
    };
    if arguments.merge {
        set.examples.retain(|it| gold.place(&it.id).is_some());
    }
    let request = arguments.text.request(&arguments.sampling)?;
    let (writer, adapters) = arguments
        .writer
        .open(project, GeneratorOptions::default())?;
    let request = groundtune::generate::Request {
        adapters,
        ..request
    };
    interrupt::listen();
    let mut progress = Progress::start();
    let answered = examine(&writer, &set.examples, &request, &mut |begun, of| {
        progress.at(begun as u64, of as u64, "asking");
        match interrupt::asked() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    drop(progress);
    let Some(answered) = answered else {
        ui.note(format_args!("Stopped."));
        return Err(CommandError::interrupted());
    };
    let first = answered.predictions.first();
    if let Some(why) = first.and_then(|it| it.failure.as_ref())
        && answered.predictions.iter().all(|it| it.failure.is_some())
    {
        return Err(CommandError::failed(format!(
            "the model answers none of the examples; the first: {why}"
        )));
    }
    let name = arguments.writer.model();
    let candidate = CandidateAnswers {
        name: name.map_or_else(|| "model".to_owned(), ToString::to_string),
        runs: vec![answered.predictions.clone()],
        ..CandidateAnswers::default()
    };
    let (compared, candidate) = measured(&gold, candidate, &arguments.metrics)?;
    if let Some(folder) = &arguments.out {
        keep_answers(folder, &gold, &[candidate])?;
    }
    say_what_is_odd(&gold, &compared, ui);
    note(&answered, arguments, ui);
    if arguments.json {
        let mut value = as_json(&compared);
        value["writing"] = json!({
            "asked": answered.asked,
            "cut": answered.cut,
            "prompt_tokens": answered.prompt_tokens,
            "completion_tokens": answered.completion_tokens,
            "seconds": answered.elapsed.as_secs_f64(),
        });
        ui.json(&value)?;
        return Ok(());
    }
    print_scores(&compared, ui)?;
    if let Some(folder) = &arguments.out {
        writeln!(ui.out(), "answers: {}", shell_word(folder))?;
    }
    Ok(())
}

/// Says on stderr how the answers came about.
fn note(answered: &Answered, arguments: &ModelArguments, ui: &Ui) {
    if answered.cut > 0 {
        let many = count(answered.cut, "answer");
        let most = arguments.text.max_tokens();
        ui.warn(format_args!(
            "{many} did not come to an end within {most} tokens or what the model reads; `--max-tokens` allows more"
        ));
    }
    let seconds = answered.elapsed.as_secs_f64().max(1e-9);
    let speed = match answered.completion_tokens {
        0 => String::new(),
        tokens => format!(", {:.0} tokens/s written", tokens as f64 / seconds),
    };
    ui.note(format_args!(
        "{} answered in {}{speed}",
        count(answered.asked, "prompt"),
        elapsed(answered.elapsed)
    ));
}
