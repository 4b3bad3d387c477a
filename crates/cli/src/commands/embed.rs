use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use groundtune::contract::TextRole;
use groundtune::models::{self, ModelReference, Precision};
use serde::Serialize;

use super::lines::TextArguments;
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::ui::{Style, Ui, count, one_line};

/// Texts that are read before their vectors are written.
const BATCH: usize = 256;
/// Numbers of a vector that people are shown.
const SHOWN: usize = 4;

/// Turns texts into vectors, one for each line.
///
/// The texts are arguments, or the lines of `--file` or of what is piped in. Needs no
/// project; within one, its `[models] embedder` is used unless `--model` says otherwise.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    texts: TextArguments,

    /// What the texts are to each other: many models put different words before questions
    /// and passages.
    #[arg(long, value_name = "ROLE", default_value = "passage")]
    role: Role,

    /// The model: a folder, or a name as in `[models]` [default: the project's embedder,
    /// or else the one that is built in].
    #[arg(long, value_name = "MODEL")]
    model: Option<ModelReference>,

    /// Multiplies in 8 bits: faster, and a little less exact; for transformers on this
    /// machine.
    #[arg(long)]
    int8: bool,

    /// Prints one JSON object a line, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Texts to be found.
    Passage,
    /// Texts that look for others.
    Question,
}

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    embedding: &'a [f32],
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let (reference, named, base): (ModelReference, Precision, PathBuf) = match arguments.model {
        Some(reference) => (reference, Precision::default(), std::env::current_dir()?),
        None => {
            let project = super::project_or_defaults(project)?;
            let reference = match project.config.models.embedder {
                ModelReference::None => ModelReference::BuiltIn,
                named => named,
            };
            let precision = project.config.models.embedder_precision;
            (reference, precision, project.root)
        }
    };
    let precision = if arguments.int8 {
        Precision::Int8
    } else {
        named
    };
    let opened = models::open_embedder(&reference, precision, &base, &environment(project))?;
    let Some(embedder) = opened else {
        return Err(CommandError::usage("`--model none` makes no vectors"));
    };
    let role = match arguments.role {
        Role::Passage => TextRole::Passage,
        Role::Question => TextRole::Question,
    };
    let mut lines = arguments.texts.lines()?;
    let mut total = 0;
    loop {
        let texts = lines.next_batch(BATCH)?;
        if texts.is_empty() {
            break;
        }
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let embeddings = embedder
            .embed(&borrowed, role)
            .map_err(CommandError::failed)?;
        for (text, embedding) in texts.iter().zip(&embeddings) {
            let embedding = embedding.values();
            if arguments.json {
                ui.json_line(&Line { text, embedding })?;
            } else {
                print(ui, text, embedding)?;
            }
        }
        ui.finish()?;
        total += texts.len();
    }
    if !arguments.json {
        let identity = embedder.identity();
        ui.note(format_args!(
            "{} of {} numbers, made by {}; `--json` prints them whole",
            count(total, "vector"),
            identity.dimensions,
            identity.name
        ));
    }
    Ok(())
}

/// Prints the first numbers and the text: `0.0412 -0.1210 0.0032 -0.0201 …  How long may I…`.
fn print(ui: &mut Ui, text: &str, embedding: &[f32]) -> io::Result<()> {
    let numbers: Vec<String> = embedding
        .iter()
        .take(SHOWN)
        .map(|number| format!("{number:>7.4}"))
        .collect();
    let numbers = ui.paint(Style::Faint, &format!("{} …", numbers.join(" ")));
    let line = one_line(text);
    writeln!(ui.out(), "{numbers}  {line}")
}
