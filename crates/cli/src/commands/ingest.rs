use std::collections::HashSet;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use groundtune::ingest::{IngestEvent, IngestRequest, IngestSummary, WatchEvent, ingest, watch};
use serde_json::json;

use crate::command_error::CommandError;
use crate::environment::environment;
use crate::interrupt;
use crate::progress::Progress;
use crate::ui::{Style, Ui, count, elapsed, one_line};

/// Without `-v`, no more warnings than this are shown.
const WARNINGS_SHOWN: usize = 10;

/// Reads the documents: takes what is new or changed, forgets what is gone.
///
/// Run again, it reads only what changed. Ctrl-C is safe at any time: what was
/// committed stays, and the next run goes on from there.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files and folders to read [default: the `paths` of `groundtune.toml`].
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Goes on watching, and takes every change as it happens, until Ctrl-C.
    #[arg(long)]
    watch: bool,

    /// Forgets everything first and reads it all again.
    #[arg(long)]
    rebuild: bool,

    /// Prints one JSON object a line: every commit once it is durable, then a summary.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let project = super::open_project(project)?;
    let request = IngestRequest {
        // The library takes paths from the project's folder, people from their own.
        paths: arguments
            .paths
            .iter()
            .map(std::path::absolute)
            .collect::<io::Result<_>>()?,
        rebuild: arguments.rebuild,
    };
    let embedder = project.open_embedder(&environment(Some(&project.root)))?;
    interrupt::listen();
    let mut screen = Screen::new(ui, arguments.json);
    if arguments.watch {
        let result = watch(
            &project,
            &request,
            embedder.as_deref(),
            &mut |event| match event {
                WatchEvent::Ingest(event) => screen.event(&event),
                WatchEvent::Done(summary) => screen.round(summary),
                WatchEvent::Waiting => go_on_unless(interrupt::asked() || screen.failed()),
            },
        );
        let interrupted = screen.finish()?;
        result.map_err(CommandError::failed)?;
        return if interrupted {
            Err(CommandError::interrupted())
        } else {
            Ok(())
        };
    }
    let result = ingest(&project, &request, embedder.as_deref(), &mut |event| {
        screen.event(&event)
    });
    match result {
        Ok(summary) => {
            // A failed write has its own error, which `finish` returns.
            let _ = screen.summary(&summary);
            let interrupted = screen.finish()?;
            if interrupted {
                return Err(CommandError::interrupted());
            }
            Ok(())
        }
        Err(error) => {
            screen.finish()?;
            Err(CommandError::failed(error))
        }
    }
}

fn go_on_unless(stop: bool) -> ControlFlow<()> {
    if stop {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// What an ingest shows, as it goes.
struct Screen<'a> {
    ui: &'a mut Ui,
    json: bool,
    progress: Progress,
    files: usize,
    warnings: usize,
    rounds: usize,
    /// What was said about files that gave no document.
    skipped: HashSet<String>,
    interrupted: bool,
    /// The first write that failed; nothing is written after it.
    failure: Option<io::Error>,
}

impl<'a> Screen<'a> {
    fn new(ui: &'a mut Ui, json: bool) -> Self {
        Self {
            ui,
            json,
            progress: Progress::start(),
            files: 0,
            warnings: 0,
            rounds: 0,
            skipped: HashSet::new(),
            interrupted: false,
            failure: None,
        }
    }

    fn failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Shows what happened; breaks if the user wants to stop or nobody reads on.
    fn event(&mut self, event: &IngestEvent<'_>) -> ControlFlow<()> {
        match event {
            IngestEvent::Planned { files, .. } => {
                self.files = *files;
                self.warnings = 0;
                self.progress.at(0, *files as u64, "reading");
            }
            IngestEvent::Read { files, bytes } => {
                self.progress
                    .at(*files as u64, self.files as u64, &bytes.to_string());
            }
            IngestEvent::Committed {
                sequence,
                documents,
                removed,
            } => {
                // A file that was read again and says the same changes nothing.
                let says_something = !documents.is_empty() || !removed.is_empty();
                if self.json && says_something {
                    self.line(&json!({
                        "event": "committed",
                        "sequence": sequence,
                        "documents": documents,
                        "removed": removed,
                    }));
                }
            }
            IngestEvent::Skipped(skipped) => {
                let known = format!("{}\n{}", skipped.path, skipped.reason);
                if !self.skipped.insert(known) {
                    // Said in an earlier round of watching.
                } else if self.json {
                    self.line(&json!({
                        "event": "skipped",
                        "path": skipped.path,
                        "reason": skipped.reason,
                    }));
                } else if skipped.reason.contains(&format!("`{}", skipped.path)) {
                    self.warn(&skipped.reason);
                } else {
                    self.warn(&format!("`{}`: {}", skipped.path, skipped.reason));
                }
            }
            IngestEvent::Warned(text) => {
                if self.json {
                    self.line(&json!({ "event": "warning", "message": text }));
                } else {
                    self.warn(text);
                }
            }
            IngestEvent::Indexing => {
                let files = self.files as u64;
                self.progress.at(files, files, "indexing");
            }
        }
        go_on_unless(interrupt::asked() || self.failed())
    }

    fn warn(&mut self, text: &str) {
        self.warnings += 1;
        if self.ui.verbose() || self.warnings <= WARNINGS_SHOWN {
            let ui = &*self.ui;
            self.progress
                .suspend(|| ui.warn(format_args!("{}", one_line(text))));
        }
    }

    /// Shows the end of a round of watching.
    fn round(&mut self, summary: &IngestSummary) -> ControlFlow<()> {
        self.rounds += 1;
        let quiet = summary.documents == 0 && summary.removed == 0;
        if self.rounds == 1 || !quiet || summary.interrupted {
            let _ = self.summary(summary);
        }
        if self.rounds == 1 && !self.json && !summary.interrupted {
            self.ui
                .note(format_args!("Watching for changes; Ctrl-C stops."));
        }
        self.progress = Progress::start();
        go_on_unless(interrupt::asked() || self.failed())
    }

    fn summary(&mut self, summary: &IngestSummary) -> ControlFlow<()> {
        self.interrupted = summary.interrupted && interrupt::asked();
        if self.json {
            self.line(&json!({
                "event": "summary",
                "sequence": summary.sequence,
                "files": summary.files,
                "unchanged": summary.unchanged,
                "gone": summary.gone,
                "skipped": summary.skipped.len(),
                "warnings": summary.warnings.len(),
                "documents": summary.documents,
                "removed": summary.removed,
                "chunks": summary.chunks,
                "bytes": summary.bytes,
                "total_documents": summary.total_documents,
                "total_chunks": summary.total_chunks,
                "interrupted": summary.interrupted,
                "elapsed_ms": summary.elapsed.as_secs_f64() * 1e3,
            }));
            return go_on_unless(self.failed());
        }
        if self.warnings > WARNINGS_SHOWN && !self.ui.verbose() {
            let more = count(self.warnings - WARNINGS_SHOWN, "more warning");
            self.ui.note(format_args!("… and {more}; `-v` shows them"));
        }
        // Without the line of progress between them.
        self.progress = Progress::start();
        let result = print_summary(self.ui, summary);
        self.keep(result);
        go_on_unless(self.failed())
    }

    fn line(&mut self, value: &serde_json::Value) {
        if !self.failed() {
            let result = self.ui.json_line(value);
            self.keep(result);
        }
    }

    fn keep(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error);
        }
    }

    /// Returns whether the user stopped it, or the first write that failed.
    fn finish(&mut self) -> io::Result<bool> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(self.interrupted),
        }
    }
}

/// Prints what an ingest did.
pub(crate) fn print_summary(ui: &mut Ui, summary: &IngestSummary) -> io::Result<()> {
    let total = format!(
        "{} in {}",
        count(summary.total_chunks as usize, "chunk"),
        count(summary.total_documents as usize, "document"),
    );
    let time = ui.paint(Style::Faint, &format!("({})", elapsed(summary.elapsed)));
    let taken = count(summary.documents, "document");
    let removed = count(summary.removed, "document");
    if summary.interrupted {
        ui.note(format_args!(
            "Stopped. Saved so far: {taken} taken, {removed} removed; run it again for the rest."
        ));
    } else if summary.files + summary.unchanged == 0 && summary.total_documents == 0 {
        ui.note(format_args!("There are no documents to read."));
        ui.hint(format_args!(
            "put files beside `groundtune.toml`, or name their folder in its `paths`; \
             hidden files and what `.gitignore` names are left out"
        ));
    } else {
        let done = match (summary.documents, summary.removed) {
            (0, 0) => "Nothing changed".to_owned(),
            (_, 0) => format!("Took {taken}"),
            (0, _) => format!("Removed {removed}"),
            _ => format!("Took {taken}, removed {}", summary.removed),
        };
        writeln!(ui.out(), "{done}: {total} {time}")?;
    }
    if !summary.skipped.is_empty() {
        let files = count(summary.skipped.len(), "file");
        ui.note(format_args!("{files} gave no document; see above."));
    }
    ui.finish()
}
