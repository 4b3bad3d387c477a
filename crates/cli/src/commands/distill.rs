use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use groundtune::contract::Bytes;
use groundtune::distill::{
    DistillError, DistillEvent, DistillOptions, DistillReport, DistillRequest, distill,
};
use serde_json::json;

use crate::command_error::CommandError;
use crate::interrupt;
use crate::progress::Progress;
use crate::ui::{Ui, count, elapsed};

/// Makes a small, fast embedder that agrees with a large one.
///
/// The teacher embeds the texts, and a table of token vectors is fitted so that the mean
/// over a text's tokens comes nearest to what the teacher made of it. `embedder` in
/// `groundtune.toml` may then name the file. The same teacher and texts give the same file,
/// to the byte, on the same kind of processor, however many of it there are. Ctrl-C is safe:
/// run again, it goes on.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The teacher: a folder with `config.json`, `tokenizer.json` and the weights.
    #[arg(long, value_name = "FOLDER")]
    teacher: PathBuf,
    /// The texts: `.jsonl` with a `text` in each line, or files with a text a line.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    texts: Vec<PathBuf>,
    /// The file to write, usually `NAME.gtstatic`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How many numbers a vector has.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    dimensions: u16,
    /// What it is called [default: the file's name].
    #[arg(long)]
    name: Option<String>,
    /// How much a token's vector is held to what the teacher makes of it alone.
    #[arg(long, value_name = "SHARE", default_value_t = DistillOptions::default().strength, hide = true)]
    strength: f32,
    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments, ui: &mut Ui) -> Result<(), CommandError> {
    let request = DistillRequest {
        teacher: arguments.teacher,
        texts: arguments.texts,
        out: arguments.out,
        name: arguments.name,
        options: DistillOptions {
            dimensions: arguments.dimensions.into(),
            strength: arguments.strength,
            ..DistillOptions::default()
        },
    };
    interrupt::listen();
    let mut progress = Progress::start();
    let result = distill(&request, &mut |event| {
        let (done, all, what) = match event {
            DistillEvent::Taught { done, all } => (done, all, "asking the teacher"),
            DistillEvent::Fitted { done, all } => (done, all, "fitting"),
        };
        progress.at(done as u64, all as u64, what);
        if interrupt::asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    drop(progress);
    let report = match result {
        Err(error @ DistillError::Stopped { .. }) => {
            ui.note(format_args!("{error}; run it again for the rest."));
            return Err(CommandError::interrupted());
        }
        other => other.map_err(CommandError::failed)?,
    };
    if arguments.json {
        ui.json(&json!({
            "file": request.out,
            "texts": report.texts,
            "tokens": report.pieces,
            "tokens_unseen": report.unseen,
            "dimensions": report.dimensions,
            "bytes": report.bytes,
            "agreement": report.agreement,
            "teacher_kept": report.kept,
            "elapsed_ms": report.elapsed.as_secs_f64() * 1e3,
        }))?;
        return Ok(());
    }
    print(ui, &request, &report)
}

fn print(
    ui: &mut Ui,
    request: &DistillRequest,
    report: &DistillReport,
) -> Result<(), CommandError> {
    writeln!(
        ui.out(),
        "`{}`: {} vectors of {} numbers, {} ({})",
        request.out.display(),
        report.pieces,
        report.dimensions,
        Bytes(report.bytes),
        elapsed(report.elapsed),
    )?;
    let agreement = match report.agreement {
        Some(agreement) => {
            format!("; on texts kept from it, it agrees {agreement:.3} with the teacher")
        }
        None => String::new(),
    };
    writeln!(
        ui.out(),
        "made from {}{agreement}",
        count(report.texts, "text")
    )?;
    Ok(())
}
