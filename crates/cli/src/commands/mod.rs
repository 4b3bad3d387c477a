//! The commands, one file each.

mod advise;
mod ask;
mod chat;
mod compare;
mod data;
mod demo;
mod distill;
mod doctor;
mod documents;
mod embed;
mod eval;
mod generate;
mod index;
mod ingest;
mod init;
mod label;
mod lines;
mod models;
mod question;
mod report;
mod rerank;
mod search;
mod status;
mod tokenizer;
mod train;
mod train_bench;
mod writing;

use std::env;
use std::path::Path;

use clap::Subcommand;
use groundtune::Config;
use groundtune::project::{Project, ProjectError};

use crate::command_error::CommandError;
use crate::ui::Ui;

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Arguments),
    Advise(Box<advise::Arguments>),
    Init(init::Arguments),
    Ingest(ingest::Arguments),
    Ask(ask::Arguments),
    Search(search::Arguments),
    Status(status::Arguments),
    Documents(documents::Arguments),
    Embed(embed::Arguments),
    Rerank(rerank::Arguments),
    Label(label::Arguments),
    Doctor(doctor::Arguments),
    Eval(eval::Arguments),
    Index(index::Arguments),
    Models(models::Arguments),
    Generate(generate::Arguments),
    Chat(chat::Arguments),
    Compare(compare::Arguments),
    Report(report::Arguments),
    Data(data::Arguments),
    Train(train::Arguments),
    Tokenizer(tokenizer::Arguments),
    Distill(distill::Arguments),
}

/// Does it.
pub(crate) fn run(
    command: Command,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments, ui),
        Command::Advise(arguments) => advise::run(&arguments, project, ui),
        Command::Init(arguments) => init::run(&arguments, project, ui),
        Command::Ingest(arguments) => ingest::run(&arguments, project, ui),
        Command::Ask(arguments) => ask::run(&arguments, project, ui),
        Command::Search(arguments) => search::run(&arguments, project, ui),
        Command::Status(arguments) => status::run(&arguments, project, ui),
        Command::Documents(arguments) => documents::run(arguments, project, ui),
        Command::Embed(arguments) => embed::run(arguments, project, ui),
        Command::Rerank(arguments) => rerank::run(arguments, project, ui),
        Command::Label(arguments) => label::run(arguments, project, ui),
        Command::Doctor(arguments) => doctor::run(&arguments, project, ui),
        Command::Eval(arguments) => eval::run(arguments, project, ui),
        Command::Tokenizer(arguments) => tokenizer::run(arguments, project, ui),
        Command::Distill(arguments) => distill::run(arguments, ui),
        Command::Train(arguments) => train::run(arguments, project, ui),
        Command::Index(arguments) => index::run(arguments, project, ui),
        Command::Models(arguments) => models::run(arguments, project, ui),
        Command::Generate(arguments) => generate::run(&arguments, project, ui),
        Command::Chat(arguments) => chat::run(&arguments, project, ui),
        Command::Data(arguments) => data::run(&arguments, project, ui),
        Command::Compare(arguments) => compare::run(arguments, project, ui),
        Command::Report(arguments) => report::run(&arguments, project, ui),
    }
}

/// Opens the project the user means: the one named, or the nearest upwards.
fn open_project(named: Option<&Path>) -> Result<Project, CommandError> {
    Ok(match named {
        Some(folder) => Project::open(folder)?,
        None => Project::find(&env::current_dir()?)?,
    })
}

/// Opens the project the user means, or, where there is none, one with every setting
/// at its default: some things can be measured without a project.
fn project_or_defaults(named: Option<&Path>) -> Result<Project, CommandError> {
    if let Some(folder) = named {
        return Ok(Project::open(folder)?);
    }
    let here = env::current_dir()?;
    match Project::find(&here) {
        Err(ProjectError::NotFound { .. }) => Ok(Project::with(here, Config::default())),
        found => Ok(found?),
    }
}

/// Returns a path as it is from the current folder, where it lies below.
fn from_here(path: &Path) -> &Path {
    let here = env::current_dir().and_then(|it| it.canonicalize());
    let shorter = here.ok().and_then(|here| path.strip_prefix(here).ok());
    shorter
        .filter(|it| !it.as_os_str().is_empty())
        .unwrap_or(path)
}
