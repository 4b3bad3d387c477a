use std::io::{self, Write as _};
use std::path::Path;

use clap::{Args, ValueEnum};
use groundtune::compare::{
    Judgement, KeptComparison, QuestionRow, Table, comparison, comparisons, tables,
};
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::table;
use crate::ui::{Style, Ui, count, one_line, shell_word, wrap};

/// Shows again what a comparison came to, or writes its report again.
///
/// It is judged anew from the answers that are kept; no model is asked, and neither documents
/// nor examples are read.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The comparison: its number, or its folder [default: the last].
    #[arg(value_name = "COMPARISON")]
    comparison: Option<String>,

    /// Lists the project's comparisons.
    #[arg(long, conflicts_with_all = ["comparison", "format", "write", "questions"])]
    list: bool,

    /// Prints the report as a document instead.
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<Format>,

    /// Writes `report.md`, `report.json` and `report.html` again, into the comparison's folder.
    #[arg(long, conflicts_with_all = ["format", "json", "questions"])]
    write: bool,

    /// Shows also so many questions with everybody's answers, those first on which they differ
    /// most.
    #[arg(long, value_name = "COUNT", default_value_t = 0, conflicts_with_all = ["format", "json"])]
    questions: usize,

    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Markdown.
    Md,
    /// A page that needs no network.
    Html,
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let project = super::project_or_defaults(project)?;
    if arguments.list {
        let found = comparisons(&project).map_err(CommandError::failed)?;
        return list(&found, arguments.json, ui);
    }
    let named = arguments.comparison.as_deref();
    let folder = comparison(&project, named).map_err(CommandError::failed)?;
    let judgement = Judgement::of_kept(&folder).map_err(CommandError::failed)?;
    if arguments.json {
        ui.json(&judgement.whole_json())?;
        return Ok(());
    }
    if arguments.write {
        judgement.write().map_err(CommandError::failed)?;
        for kind in ["md", "json", "html"] {
            let path = folder.report(kind);
            writeln!(ui.out(), "{}", shell_word(super::from_here(&path)))?;
        }
        return Ok(());
    }
    match arguments.format {
        Some(Format::Md) => write!(ui.out(), "{}", judgement.markdown())?,
        Some(Format::Html) => write!(ui.out(), "{}", judgement.html())?,
        None => show(&judgement, arguments.questions, ui)?,
    }
    Ok(())
}

fn list(found: &[KeptComparison], as_json: bool, ui: &mut Ui) -> Result<(), CommandError> {
    if as_json {
        let all: Vec<Value> = found
            .iter()
            .map(|it| {
                json!({
                    "name": it.folder.name(),
                    "folder": it.folder.path(),
                    "base": it.protocol.base,
                    "metric": it.protocol.plan.metric,
                    "questions": it.questions,
                    "finished": it.statement.is_some(),
                    "statement": it.statement,
                })
            })
            .collect();
        ui.json(&all)?;
        return Ok(());
    }
    if found.is_empty() {
        ui.note(format_args!("No comparison was begun here yet."));
        ui.hint(format_args!(
            "begin one with `groundtune compare questions.jsonl`"
        ));
    }
    for it in found {
        let name = ui.paint(Style::Strong, &it.folder.name());
        let asked = it
            .questions
            .map_or_else(String::new, |many| format!(", {}", count(many, "question")));
        let base = one_line(&it.protocol.base);
        writeln!(
            ui.out(),
            "{name}  {base}, by {}{asked}",
            it.protocol.plan.metric
        )?;
        let said = it.statement.as_deref().unwrap_or("not finished");
        for line in wrap(said, ui.width() - 6) {
            writeln!(ui.out(), "      {line}")?;
        }
    }
    Ok(())
}

/// Shows the whole report on the screen.
fn show(judgement: &Judgement, questions: usize, ui: &mut Ui) -> io::Result<()> {
    let report = &judgement.report;
    paragraph(ui, Some(Style::Strong), judgement.statement())?;
    writeln!(ui.out())?;
    for line in &report.made {
        paragraph(ui, Some(Style::Faint), line)?;
    }
    if !report.warnings.is_empty() {
        head(ui, "Before believing it")?;
        for warning in &report.warnings {
            item(ui, warning)?;
        }
    }
    head(ui, "Scores")?;
    print(ui, &tables::scores(report))?;
    let differences = tables::differences(report);
    if !differences.rows.is_empty() {
        head(ui, "Differences, paired")?;
        print(ui, &differences)?;
    }
    head(ui, "What it takes")?;
    print(ui, &tables::effort(report))?;
    if let Some(flips) = &report.flips {
        head(ui, "When it flips")?;
        print(ui, &tables::ranking(flips))?;
        writeln!(ui.out())?;
        for remark in tables::remarks(flips) {
            item(ui, &remark)?;
        }
    }
    head(ui, "Why")?;
    for (name, causes) in &report.causes {
        let parts = causes
            .iter()
            .map(|(cause, many)| format!("{many} {}", cause.as_str()));
        let parts: Vec<String> = parts.collect();
        item(ui, &format!("`{name}`: {}", parts.join(", ")))?;
    }
    for drill in &report.drills {
        head(ui, &drill.name)?;
        paragraph(ui, Some(Style::Faint), &drill.says)?;
        print(ui, &tables::drill(drill))?;
    }
    if questions > 0 {
        head(ui, "Questions on which they differ most")?;
        for question in report.questions.iter().take(questions) {
            one_question(ui, question)?;
        }
    }
    writeln!(
        ui.out(),
        "\npage: {}",
        shell_word(super::from_here(&judgement.page()))
    )
}

fn head(ui: &mut Ui, text: &str) -> io::Result<()> {
    let text = ui.paint(Style::Strong, &one_line(text));
    writeln!(ui.out(), "\n{text}")
}

fn paragraph(ui: &mut Ui, style: Option<Style>, text: &str) -> io::Result<()> {
    for line in wrap(text, ui.width()) {
        let line = match style {
            Some(style) => ui.paint(style, &line),
            None => line,
        };
        writeln!(ui.out(), "{line}")?;
    }
    Ok(())
}

fn item(ui: &mut Ui, text: &str) -> io::Result<()> {
    for (number, line) in wrap(text, ui.width() - 2).iter().enumerate() {
        let mark = if number == 0 { "- " } else { "  " };
        writeln!(ui.out(), "{mark}{line}")?;
    }
    Ok(())
}

fn print(ui: &mut Ui, shown: &Table) -> io::Result<()> {
    for line in table::lines(shown, ui.width()) {
        writeln!(ui.out(), "{line}")?;
    }
    Ok(())
}

fn one_question(ui: &mut Ui, question: &QuestionRow) -> io::Result<()> {
    let asked = format!("{}  {}", question.id, question.question);
    paragraph(ui, Some(Style::Strong), &asked)?;
    let right = match question.gold.is_empty() {
        true => "(no answer: to refuse is right)".to_owned(),
        false => question.gold.join(" / "),
    };
    paragraph(ui, None, &format!("right: {right}"))?;
    for answer in &question.answers {
        let said = match answer.refused {
            true => "(refused)",
            false => &answer.answer,
        };
        let value = answer
            .value
            .map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
        let cause = answer.cause.as_str();
        let given = match answer.evidence.len() {
            0 => String::new(),
            many => format!(", {} of evidence", count(many, "piece")),
        };
        item(
            ui,
            &format!("`{}` {value} ({cause}{given}): {said}", answer.candidate),
        )?;
    }
    writeln!(ui.out())
}
