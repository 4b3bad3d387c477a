//! `groundtune` on the command line: arguments, screen, progress, exit codes.
//!
//! The only crate that prints, asks or reads the environment. Each command is one
//! file under `commands`, and its doc comment there is its help text; what a
//! command does is the library's.

mod command_error;
mod commands;
mod environment;
mod evidence;
mod interrupt;
mod progress;
mod snippet;
mod table;
mod ui;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, Parser};
use groundtune::ingest::STRANGERS_THREAD;

use crate::commands::Command;
use crate::ui::Ui;

/// Answers from your documents, and teaches models on your examples, offline.
#[derive(Debug, Parser)]
#[command(
    name = "groundtune",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Try `groundtune demo` first: it needs no documents of your own and no network."
)]
struct Arguments {
    /// The project's folder [default: the nearest one upwards with a `groundtune.toml`].
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    project: Option<PathBuf>,

    /// When to use color.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    color: ColorChoice,

    /// Says more: where the time went, and every warning.
    #[arg(short, long, global = true, help_heading = "Everywhere")]
    verbose: bool,

    #[command(subcommand)]
    command: Command,
}

/// Says nothing of a panic in the reader of a stranger's file: the run goes on, and the
/// file is named with what is wrong with it. Any other panic is a fault of ours, and said.
fn be_silent_about_strangers() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(STRANGERS_THREAD) {
            usual(panic);
        }
    }));
}

fn main() -> ExitCode {
    be_silent_about_strangers();
    let mut command = Arguments::command();
    if !ui::color_wanted(ColorChoice::Auto) {
        command = command.color(ColorChoice::Never);
    }
    let parsed = command
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version arrive here too, with code 0. A reader that went
            // away before the end of the help is no error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut ui = Ui::new(arguments.color, arguments.verbose);
    let result = commands::run(arguments.command, arguments.project.as_deref(), &mut ui)
        .and_then(|()| Ok(ui.finish()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(&ui),
    }
}
