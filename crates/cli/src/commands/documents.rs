use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use clap::{Args, Subcommand};
use groundtune::ask::Session;
use groundtune::contract::{Bytes, DocumentId, Permissions, Reader};
use groundtune::inspect::remove_documents;
use serde_json::{Value, json};

use super::question::ReaderArguments;
use crate::command_error::CommandError;
use crate::ui::{Style, Ui, columns, count, one_line, printable};

/// Lists the documents, shows one, or takes some out of the store.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists the documents with their title, size and metadata.
    List {
        #[command(flatten)]
        who: ReaderArguments,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Shows a document: its text as it is searched, and what is known about it.
    Show {
        /// Its id, as `documents list` gives it.
        #[arg(value_name = "DOCUMENT")]
        id: String,
        /// Asks as somebody in this group. May be given several times.
        #[arg(long = "as", value_name = "GROUP", value_delimiter = ',')]
        groups: Vec<String>,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Takes documents out of the store at once; their files are not touched.
    ///
    /// They come back when their file changes, or with `ingest --rebuild`. To keep
    /// them out, name them under `exclude` in `groundtune.toml`.
    Rm {
        /// Their ids, as `documents list` gives them.
        #[arg(value_name = "DOCUMENT", required = true)]
        ids: Vec<String>,
    },
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    match arguments.what {
        What::List { who, json } => list(&who, json, project, ui),
        What::Show { id, groups, json } => show(&id, &groups, json, project, ui),
        What::Rm { ids } => remove(&ids, project, ui),
    }
}

fn list(
    who: &ReaderArguments,
    as_json: bool,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let filter = who.filter()?;
    let session = Session::open(&super::open_project(project)?)?;
    let documents = session.documents(&who.reader(), filter.as_ref())?;
    if as_json {
        let documents: Vec<Value> = documents
            .iter()
            .map(|it| {
                json!({
                    "document": it.id,
                    "title": it.title,
                    "format": it.format,
                    "metadata": it.metadata,
                    "groups": groups_of(&it.permissions),
                    "bytes": it.bytes,
                    "chunks": it.chunks,
                    "sequence": it.sequence,
                })
            })
            .collect();
        ui.json(&json!({ "documents": documents }))?;
        return Ok(());
    }
    let ids: Vec<String> = documents
        .iter()
        .map(|it| one_line(it.id.as_str()))
        .collect();
    let widest = ids.iter().map(|id| columns(id)).max().unwrap_or(0).min(48);
    for (id, document) in ids.iter().zip(&documents) {
        let pad = " ".repeat(widest.saturating_sub(columns(id)));
        let size = Bytes(document.bytes).to_string();
        let title = one_line(document.title.as_deref().unwrap_or_default());
        let closed = match groups_of(&document.permissions) {
            Some(groups) => format!(
                "  {}",
                ui.paint(Style::Faint, &format!("({})", one_line(&groups.join(", "))))
            ),
            None => String::new(),
        };
        let id = ui.paint(Style::Place, id);
        writeln!(
            ui.out(),
            "{}",
            format!("{id}{pad}  {size:>8}  {title}{closed}").trim_end()
        )?;
    }
    ui.finish()?;
    let keys: BTreeSet<&str> = documents
        .iter()
        .flat_map(|it| it.metadata.keys().map(String::as_str))
        .collect();
    let keys: Vec<String> = keys.into_iter().map(one_line).collect();
    ui.note(format_args!(
        "{}; filter by {}",
        count(documents.len(), "document"),
        keys.join(", ")
    ));
    Ok(())
}

fn groups_of(permissions: &Permissions) -> Option<Vec<String>> {
    match permissions {
        Permissions::Everyone => None,
        Permissions::Groups(groups) => Some(groups.iter().map(ToString::to_string).collect()),
    }
}

fn show(
    id: &str,
    groups: &[String],
    as_json: bool,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let session = Session::open(&super::open_project(project)?)?;
    let reader = Reader::of(groups);
    let found = session.document(&DocumentId::new(id), &reader)?;
    let about = &found.about;
    if as_json {
        ui.json(&json!({
            "document": about.id,
            "title": about.title,
            "format": about.format,
            "metadata": about.metadata,
            "groups": groups_of(&about.permissions),
            "bytes": about.bytes,
            "chunks": about.chunks,
            "sequence": about.sequence,
            "text": found.text,
        }))?;
        return Ok(());
    }
    for (key, value) in &about.metadata {
        let key = ui.paint(Style::Faint, &format!("{}:", one_line(key)));
        ui.note(format_args!("{key} {}", one_line(&value.to_string())));
    }
    let out = ui.out();
    // The text is the data here: as it is, but for what would drive the terminal.
    for line in found.text.lines() {
        writeln!(out, "{}", printable(line))?;
    }
    Ok(())
}

fn remove(ids: &[String], project: Option<&Path>, ui: &mut Ui) -> Result<(), CommandError> {
    let project = super::open_project(project)?;
    let ids: Vec<DocumentId> = ids.iter().map(DocumentId::new).collect();
    let sequence = remove_documents(&project, &ids)?;
    writeln!(
        ui.out(),
        "Took out {} in commit {sequence}; the files are as they were.",
        count(ids.len(), "document")
    )?;
    Ok(())
}
