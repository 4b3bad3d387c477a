use std::io::Write as _;
use std::path::Path;

use clap::Args;
use groundtune::ask::{AskReply, Session};
use serde_json::{Value, json};

use super::question::QuestionArguments;
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::evidence::{
    evidence_json, found_json, lines, note_nearest, note_search, place, print_found, timings_json,
};
use crate::ui::{Style, Ui, wrap};

/// Answers a question from the documents, and cites them.
///
/// The answer is sentences of the documents, each with the number of its source. If
/// no chunk reaches the threshold, the answer is `not in the documents`; that is a
/// success too, with exit code 0.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    question: QuestionArguments,

    /// Shows also every chunk that was found, and why.
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
    let mut session = Session::open(&project)?.with_models(&project, &environment())?;
    let reply = session.ask(&question)?;
    if arguments.json {
        ui.json(&reply_json(&question.text, &reply, arguments.explain))?;
        return Ok(());
    }
    print_reply(ui, &reply)?;
    if arguments.explain {
        for (number, found) in (1..).zip(&reply.search.found) {
            writeln!(ui.out())?;
            print_found(ui, number, found, true)?;
        }
    }
    ui.finish()?;
    if reply.answer.abstained {
        note_nearest(ui, reply.search.nearest.as_ref(), reply.threshold.get());
    }
    note_search(ui, &reply.search);
    Ok(())
}

/// Prints an answer and, below it, what it cites.
pub(crate) fn print_reply(ui: &mut Ui, reply: &AskReply) -> Result<(), CommandError> {
    let width = ui.width();
    for paragraph in reply.answer.text.split('\n') {
        for line in wrap(paragraph, width) {
            writeln!(ui.out(), "{line}")?;
        }
    }
    let citations = &reply.answer.citations;
    if !citations.is_empty() {
        writeln!(ui.out())?;
    }
    for citation in citations {
        let number = ui.paint(Style::Strong, &format!("[{}]", citation.number));
        let place = place(ui, &citation.evidence);
        let facts = ui.paint(
            Style::Faint,
            &format!(
                "{} · score {:.2}",
                lines(&citation.evidence),
                citation.evidence.score.get()
            ),
        );
        writeln!(ui.out(), "{number} {place}  {facts}")?;
    }
    Ok(())
}

fn reply_json(question: &str, reply: &AskReply, explain: bool) -> Value {
    let citations: Vec<Value> = reply
        .answer
        .citations
        .iter()
        .map(|it| evidence_json(Some(it.number as usize), &it.evidence))
        .collect();
    let mut timings = timings_json(&reply.search);
    timings["embed"] = json!(reply.embedding.as_secs_f64() * 1e3);
    timings["answer"] = json!(reply.answering.as_secs_f64() * 1e3);
    timings["total"] = json!(reply.answer.elapsed.as_secs_f64() * 1e3);
    let nearest = reply.search.nearest.as_ref();
    let mut value = json!({
        "question": question,
        "answer": reply.answer.text,
        "abstained": reply.answer.abstained,
        "citations": citations,
        "nearest": nearest
            .filter(|_| reply.answer.abstained)
            .map(|found| found_json(None, found, explain)),
        "threshold": reply.threshold,
        "sequence": reply.search.sequence,
        "timings_ms": timings,
    });
    if explain {
        value["found"] = (1..)
            .zip(&reply.search.found)
            .map(|(number, found)| found_json(Some(number), found, true))
            .collect();
    }
    value
}
