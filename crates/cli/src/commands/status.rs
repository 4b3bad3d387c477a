use std::io::{self, Write as _};
use std::path::Path;

use clap::Args;
use groundtune::inspect::{Status, status};
use serde_json::json;

use crate::command_error::CommandError;
use crate::ui::{Style, Ui, columns, count, one_line};

/// Without `-v`, no more files without a document than this are named.
const FILES_SHOWN: usize = 10;

/// Says what the project holds, and which files gave no document.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let project = super::open_project(project)?;
    let status = status(&project)?;
    if arguments.json {
        let without: Vec<_> = status
            .without_document
            .iter()
            .map(|(path, reason)| json!({ "path": path, "reason": reason }))
            .collect();
        ui.json(&json!({
            "project": project.root.to_string_lossy(),
            "documents": status.totals.documents,
            "restricted": status.restricted,
            "chunks": status.totals.chunks,
            "vectors": status.totals.vectors,
            "embedder": status.embedder.as_ref().map(ToString::to_string),
            "text_bytes": status.totals.bytes,
            "disk_bytes": status.disk,
            "memory_bytes": status.memory,
            "sequence": status.sequence,
            "commits_behind": status.indexes.behind,
            "without_document": without,
        }))?;
        return Ok(());
    }
    print(ui, &project.root, &status)?;
    Ok(())
}

fn print(ui: &mut Ui, root: &Path, status: &Status) -> io::Result<()> {
    let totals = status.totals;
    let number = |number: u64| crate::ui::thousands(number);
    let restricted = match status.restricted {
        0 => "everyone may read each of them".to_owned(),
        some => format!("{some} of them not for everyone"),
    };
    let mut rows = vec![
        ("project", root.display().to_string(), String::new()),
        ("documents", number(totals.documents), restricted),
        ("chunks", number(totals.chunks), String::new()),
    ];
    if let Some(embedder) = &status.embedder {
        rows.push(("vectors", number(totals.vectors), embedder.to_string()));
    }
    rows.extend([
        (
            "text",
            groundtune::contract::Bytes(totals.bytes).to_string(),
            String::new(),
        ),
        ("on disk", status.disk.to_string(), String::new()),
        (
            "in memory",
            status.memory.to_string(),
            "while answering".into(),
        ),
        ("last commit", number(status.sequence), String::new()),
    ]);
    for (name, value, note) in rows {
        let note = if note.is_empty() {
            note
        } else {
            format!("  {}", ui.paint(Style::Faint, &note))
        };
        let pad = " ".repeat(13 - columns(name));
        let name = ui.paint(Style::Strong, name);
        writeln!(ui.out(), "{name}{pad}{value}{note}")?;
    }
    let without = &status.without_document;
    if without.is_empty() {
        return Ok(());
    }
    writeln!(
        ui.out(),
        "\n{} without a document:",
        count(without.len(), "file")
    )?;
    let shown = if ui.verbose() {
        without.len()
    } else {
        FILES_SHOWN
    };
    for (path, reason) in without.iter().take(shown) {
        let path = one_line(path);
        let reason = one_line(reason);
        if reason.contains(&format!("`{path}")) {
            writeln!(ui.out(), "  {reason}")?;
        } else {
            writeln!(ui.out(), "  `{path}`: {reason}")?;
        }
    }
    if without.len() > shown {
        writeln!(
            ui.out(),
            "  … and {} more; `-v` shows them",
            without.len() - shown
        )?;
    }
    Ok(())
}
