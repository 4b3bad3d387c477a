use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::Path;

use clap::{Args, ValueEnum};
use groundtune::ask::{AskReply, Session, Written};
use groundtune::models::{ModelReference, open_answerer};
use groundtune::route::{Route, Routing};
use serde_json::{Value, json};

use super::question::QuestionArguments;
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::evidence::{
    INDENT, evidence_json, found_json, lines, note_nearest, note_search, place, print_found,
    timings_json,
};
use crate::ui::{Style, Ui, count, printable, wrap};

/// Answers a question from the documents, and cites them.
///
/// The answer is sentences of the documents, each with the number of its source; or,
/// where the project names a `generator`, what that writes, every sentence held against
/// its source: `[?]` stands behind one whose words, names or numbers are not there. An
/// encoder that `groundtune train` taught to read gives the very words that answer. If no
/// chunk reaches the threshold, the answer is `not in the documents`; that is a success
/// too, with exit code 0.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    question: QuestionArguments,

    /// The model that writes the answer, or finds it: a name, a folder, a run, a `.gguf`
    /// file, or `URL#MODEL` for one on a server; `none` for sentences of the documents [default: the project's
    /// `generator`].
    #[arg(long, value_name = "MODEL")]
    model: Option<ModelReference>,

    /// Which questions are answered from the documents, and which by the model alone: all,
    /// none, by a rule, or by the router that `compare` taught [default: the project's].
    #[arg(long, value_enum, value_name = "HOW")]
    route: Option<RouteBy>,

    /// Shows also every chunk that was found, and why; and the way that the question took.
    #[arg(long)]
    explain: bool,

    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

/// How it is decided where an answer comes from.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RouteBy {
    /// All are answered from the documents.
    Always,
    /// The model answers alone.
    Never,
    /// By what the question looks like, then by how well the documents bear on it.
    Rule,
    /// By the router that `groundtune compare` taught.
    Trained,
}

impl From<RouteBy> for Routing {
    fn from(by: RouteBy) -> Self {
        match by {
            RouteBy::Always => Self::Always,
            RouteBy::Never => Self::Never,
            RouteBy::Rule => Self::Rule,
            RouteBy::Trained => Self::Trained,
        }
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let question = arguments.question.question()?;
    let project = super::open_project(project)?;
    let environment = environment(Some(&project.root));
    let mut session = Session::open(&project)?.with_models(&project, &environment)?;
    let answerer = match &arguments.model {
        Some(model) => open_answerer(model, &std::env::current_dir()?, &environment)?,
        None => project.open_answerer(&environment)?,
    };
    if let Some(answerer) = answerer {
        session = session.with_answerer(answerer);
    }
    let by = arguments
        .route
        .map_or(project.config.route.by, Routing::from);
    session = session.with_routing(&project, by)?;
    let mut aloud = Aloud::new(ui, !arguments.json);
    let reply = session.ask_aloud(&question, &mut |piece| aloud.piece(piece));
    let said = aloud.finish()?;
    let reply = reply?;
    if arguments.json {
        ui.json(&reply_json(&question.text, &reply, arguments.explain))?;
        return Ok(());
    }
    if said {
        print_citations(ui, &reply)?;
    } else {
        print_reply(ui, &reply)?;
    }
    if arguments.explain {
        let way = ui.paint(Style::Faint, &format!("route: {}", reply.route));
        writeln!(ui.out(), "\n{way}")?;
        let cut = reply.written.as_ref().and_then(|it| it.cut);
        for (number, found) in (1..).zip(&reply.search.found) {
            writeln!(ui.out())?;
            print_found(ui, number, found, true)?;
            let given = match cut {
                Some(cut) if number > cut.given => "not given to the model: it has no room",
                Some(cut) if cut.shortened => "the model was given its beginning",
                _ => continue,
            };
            let given = ui.paint(Style::Faint, given);
            writeln!(ui.out(), "{:INDENT$}{given}", "")?;
        }
    }
    ui.finish()?;
    if reply.answer.abstained {
        note_nearest(ui, reply.search.nearest.as_ref(), reply.threshold.get());
    }
    if let Some(written) = &reply.written {
        note_written(ui, written, reply.search.found.len());
    }
    note_search(ui, &reply.search);
    Ok(())
}

/// An answer on the screen while it is written.
struct Aloud<'a> {
    ui: &'a mut Ui,
    wanted: bool,
    said: bool,
    failure: Option<io::Error>,
}

impl<'a> Aloud<'a> {
    fn new(ui: &'a mut Ui, wanted: bool) -> Self {
        Self {
            ui,
            wanted,
            said: false,
            failure: None,
        }
    }

    /// Shows a piece at once; breaks if nobody reads on.
    fn piece(&mut self, piece: &str) -> ControlFlow<()> {
        if !self.wanted {
            return ControlFlow::Continue(());
        }
        let piece = if self.said { piece } else { piece.trim_start() };
        self.said |= !piece.is_empty();
        let written = write!(self.ui.out(), "{}", printable(piece)).and_then(|()| self.ui.finish());
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Ends the line; returns whether anything was shown.
    fn finish(self) -> io::Result<bool> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        if self.said {
            writeln!(self.ui.out())?;
            // Before an error that may follow.
            self.ui.finish()?;
        }
        Ok(self.said)
    }
}

/// Says what about a model's answer is to be doubted.
fn note_written(ui: &Ui, written: &Written, found: usize) {
    if let Some(cut) = &written.cut {
        let given = match (cut.given, cut.shortened) {
            (_, true) => "the beginning of the first".to_owned(),
            (1, _) => "the first".to_owned(),
            (given, _) => format!("the first {given}"),
        };
        ui.warn(format_args!(
            "{} looks back on {} only: of {} it was given {given}",
            written.generator,
            count(cut.context.0 as usize, "token"),
            count(found, "passage"),
        ));
    }
    let doubtful = written.sentences.iter().filter(|it| !it.supported).count();
    if doubtful > 0 {
        ui.warn(format_args!(
            "the evidence does not say {doubtful} of the {} that {} wrote",
            count(written.sentences.len(), "sentence"),
            written.generator
        ));
    }
    if !written.unknown_citations.is_empty() {
        let numbers: Vec<String> = written
            .unknown_citations
            .iter()
            .map(|it| format!("[{it}]"))
            .collect();
        ui.warn(format_args!(
            "{} cited {}, which is no evidence; left out",
            written.generator,
            numbers.join(", ")
        ));
    }
}

/// Prints an answer and, below it, what it cites.
pub(crate) fn print_reply(ui: &mut Ui, reply: &AskReply) -> Result<(), CommandError> {
    let width = ui.width();
    for paragraph in reply.answer.text.split('\n') {
        for line in wrap(paragraph, width) {
            writeln!(ui.out(), "{line}")?;
        }
    }
    print_citations(ui, reply)
}

fn print_citations(ui: &mut Ui, reply: &AskReply) -> Result<(), CommandError> {
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
        "route": reply.route,
        "sequence": reply.search.sequence,
        "timings_ms": timings,
    });
    if let Some(written) = &reply.written {
        let sentences: Vec<Value> = written
            .sentences
            .iter()
            .map(|it| {
                json!({
                    "text": it.text,
                    "citations": it.citations,
                    "support": it.support,
                    "supported": it.supported,
                })
            })
            .collect();
        value["generator"] = json!(written.generator);
        value["sentences"] = json!(sentences);
        value["unknown_citations"] = json!(written.unknown_citations);
        let alone = reply.route.route == Route::Alone;
        let found = if alone { 0 } else { reply.search.found.len() };
        let given = written.cut.map_or(found, |it| it.given);
        value["evidence_given"] = json!(given);
        value["evidence_shortened"] = json!(written.cut.is_some_and(|it| it.shortened));
        value["prompt_tokens"] = json!(reply.answer.prompt_tokens);
        value["completion_tokens"] = json!(reply.answer.completion_tokens);
    }
    if explain {
        value["found"] = (1..)
            .zip(&reply.search.found)
            .map(|(number, found)| found_json(Some(number), found, true))
            .collect();
    }
    value
}
