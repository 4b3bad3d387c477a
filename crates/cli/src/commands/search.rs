use std::io::Write as _;
use std::path::Path;

use clap::Args;
use groundtune::ask::Session;
use serde_json::{Value, json};

use super::question::QuestionArguments;
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::evidence::{found_json, note_nearest, note_search, print_found, timings_json};
use crate::ui::Ui;

/// Finds the chunks that bear on a question, best first.
///
/// Shows what `ask` would rest its answer on, and with `--explain` why it was found.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    question: QuestionArguments,

    /// Says why each chunk was found: the words, the ranks, the scores.
    #[arg(long)]
    explain: bool,

    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let question = arguments.question.question()?;
    let project = super::open_project(project)?;
    let mut session =
        Session::open(&project)?.with_models(&project, &environment(Some(&project.root)))?;
    let reply = session.search(&question)?;
    if arguments.json {
        let results: Vec<Value> = (1..)
            .zip(&reply.found)
            .map(|(number, found)| found_json(Some(number), found, arguments.explain))
            .collect();
        let nearest = reply.nearest.as_ref();
        ui.json(&json!({
            "question": question.text,
            "results": results,
            "nearest": nearest.map(|found| found_json(None, found, arguments.explain)),
            "searched": reply.searched,
            "sequence": reply.sequence,
            "timings_ms": timings_json(&reply),
        }))?;
        return Ok(());
    }
    for (number, found) in (1..).zip(&reply.found) {
        if number > 1 {
            writeln!(ui.out())?;
        }
        print_found(ui, number, found, arguments.explain)?;
    }
    ui.finish()?;
    if reply.found.is_empty() {
        ui.note(format_args!("Nothing was found."));
        if let Some(threshold) = question.threshold {
            note_nearest(ui, reply.nearest.as_ref(), threshold.get());
        }
    }
    note_search(ui, &reply);
    Ok(())
}
