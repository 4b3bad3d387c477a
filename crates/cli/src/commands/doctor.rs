use std::io::Write as _;
use std::path::Path;

use clap::Args;
use groundtune::inspect::{Finding, doctor};
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::ui::{Style, Ui, count, one_line};

/// Checks the store, the indexes, the files and the access rules.
///
/// Reads every page of the store. Ends with 1 if something does not work. Changes nothing.
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
    let checks = doctor(&project)?;
    let bad = checks
        .iter()
        .filter(|it| it.finding == Finding::Bad)
        .count();
    if arguments.json {
        let checks: Vec<Value> = checks
            .iter()
            .map(|check| {
                json!({
                    "name": check.name,
                    "finding": word(check.finding),
                    "detail": check.detail,
                    "hint": check.hint,
                })
            })
            .collect();
        ui.json(&json!({ "checks": checks, "bad": bad }))?;
    } else {
        for check in &checks {
            let style = match check.finding {
                Finding::Good => Style::Good,
                Finding::Warning => Style::Warning,
                Finding::Bad => Style::Error,
            };
            let finding = ui.paint(style, &format!("{:<8}", word(check.finding)));
            let name = ui.paint(Style::Strong, &format!("{:<10}", check.name));
            writeln!(ui.out(), "{finding} {name} {}", one_line(&check.detail))?;
            if let Some(hint) = &check.hint {
                let hint = ui.paint(Style::Faint, hint);
                writeln!(ui.out(), "{:20}{hint}", "")?;
            }
        }
    }
    ui.finish()?;
    if bad > 0 {
        let checks = count(bad, "check");
        return Err(CommandError::failed(format!("{checks} failed")));
    }
    Ok(())
}

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Good => "good",
        Finding::Warning => "warning",
        Finding::Bad => "bad",
    }
}
