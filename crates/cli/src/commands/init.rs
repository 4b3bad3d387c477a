use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use groundtune::project::Project;

use crate::command_error::CommandError;
use crate::ui::{Ui, shell_word};

/// Makes a project: writes a `groundtune.toml` that names every setting.
///
/// The folder of your documents is a good place. Nothing that exists is changed:
/// where there is a `groundtune.toml` already, this fails and leaves it as it is.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder, made if need be [default: this one].
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let folder = arguments
        .folder
        .as_deref()
        .or(project)
        .unwrap_or(Path::new("."));
    let project = Project::init(folder)?;
    let here = folder == Path::new(".");
    let out = ui.out();
    writeln!(out, "Made `{}`.", project.config_path().display())?;
    writeln!(out, "\nNext, put documents beside it, then:")?;
    if !here {
        writeln!(out, "  cd {}", shell_word(folder))?;
    }
    writeln!(out, "  groundtune ingest")?;
    writeln!(out, "  groundtune ask \"your question\"")?;
    Ok(())
}
