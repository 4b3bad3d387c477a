mod flags;
mod interview;
mod screen;

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use groundtune::advise::{
    Advice, Answers, Proposal, QUESTIONS, advise, get, look_at_examples, look_at_project,
    measured_step, read_answers, recipe, save_answers, set,
};
use groundtune::project::{Project, ProjectError};
use serde_json::{Map, Value, json};

use self::flags::AnswerFlags;
use crate::command_error::CommandError;
use crate::ui::{Ui, shell_word};

/// Advises: a better prompt, retrieval, fine-tuning, or both; why, and what it takes.
///
/// Asks about your project: what is lacking, how often the data changes, budget, latency and so
/// on. Every question may be left open with Enter; `?` explains it, `back` goes back, `done`
/// leaves the rest open. Answers can also come from flags, from a file, or from a pipe, one a
/// line. Inside a project what its documents say is proposed. Every rule that fires is shown with
/// its reason and source, and `docs/advise.md` says how they are weighed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Advice")]
pub(crate) struct Arguments {
    /// Reads the answers from this file, TOML or JSON, and asks nothing.
    #[arg(long = "answers", id = "answers_file", value_name = "FILE")]
    answers: Option<PathBuf>,

    /// Asks what the file of answers leaves open.
    #[arg(long, requires = "answers_file")]
    ask: bool,

    /// Asks nothing: what no flag answers is not known.
    #[arg(long, conflicts_with = "ask")]
    no_questions: bool,

    /// Writes the answers to this file, TOML or JSON, to go on from or to change.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    /// Looks at these examples as `data audit` does, and proposes their number, length and
    /// quality as answers.
    #[arg(long, value_name = "FILE")]
    data: Vec<PathBuf>,

    /// Takes the speed that this run had for the estimates, or that `train --bench --json` wrote
    /// into this file, instead of what such machines have as a rule.
    #[arg(long, value_name = "RUN|FILE")]
    measured: Option<PathBuf>,

    /// Writes a recipe for `groundtune train` that suits the answers.
    #[arg(long, value_name = "FILE")]
    write_recipe: Option<PathBuf>,

    /// Shows also what speaks for and against it, and the sources' tables of differences.
    #[arg(long)]
    all: bool,

    /// Prints one JSON object, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: AnswerFlags,
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    if let Some(path) = arguments.write_recipe.as_ref().filter(|it| it.exists()) {
        return Err(CommandError::failed(format!(
            "`{}` exists already and is left as it is",
            path.display()
        ))
        .with_hint("name another file after `--write-recipe`"));
    }
    let mut answers = match &arguments.answers {
        Some(path) => read_answers(path).map_err(CommandError::failed)?,
        None => Answers::default(),
    };
    // A flag is nearer than a file.
    for (key, text) in arguments.flags.answers() {
        set(&mut answers, key, text).map_err(CommandError::usage)?;
    }
    let measured = match &arguments.measured {
        Some(run) => Some(measured_step(run).map_err(CommandError::failed)?),
        None => None,
    };
    let proposals = proposals(arguments, project, ui)?;
    let asks = !arguments.no_questions && (arguments.answers.is_none() || arguments.ask);
    let mut taken = Vec::new();
    if asks {
        let ended = interview::interview(&mut answers, &proposals, ui)?;
        if ended == interview::Ended::Interrupted {
            return Err(interrupted(arguments, &answers, ui)?);
        }
    } else {
        for proposal in &proposals {
            if get(&answers, proposal.key).is_none() {
                proposal.take(&mut answers);
                taken.push(proposal);
            }
        }
    }
    if let Some(path) = &arguments.save {
        save_answers(path, &answers).map_err(CommandError::failed)?;
        ui.note(format_args!(
            "Saved the answers; `groundtune advise --answers {}` takes them.",
            shell_word(path)
        ));
    }
    if let Some(path) = &arguments.write_recipe {
        std::fs::write(path, recipe(&answers)).map_err(|error| {
            CommandError::failed(format!(
                "`{}` could not be written: {error}",
                path.display()
            ))
        })?;
        ui.note(format_args!("Wrote the recipe `{}`.", path.display()));
    }
    let advice = advise(&answers, measured.as_ref());
    if arguments.json {
        ui.json(&as_json(&advice, &answers, &taken))?;
        return Ok(());
    }
    for proposal in &taken {
        ui.note(format_args!(
            "Taken for `{}`: {} ({}).",
            proposal.key, proposal.answer, proposal.seen
        ));
    }
    screen::print(ui, &advice, arguments.all)?;
    Ok(())
}

/// Returns what the project and the examples say of themselves.
fn proposals(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &Ui,
) -> Result<Vec<Proposal>, CommandError> {
    let mut found = Vec::new();
    if !arguments.data.is_empty() {
        found.extend(look_at_examples(&arguments.data).map_err(CommandError::failed)?);
    }
    // A file of answers speaks for itself, wherever it is read.
    if project.is_none() && arguments.answers.is_some() && !arguments.ask {
        return Ok(found);
    }
    let project = match project {
        Some(folder) => Project::open(folder)?,
        None => match Project::find(&env::current_dir()?) {
            Ok(project) => project,
            Err(ProjectError::NotFound { .. }) => return Ok(found),
            // Advice needs no project, so a broken one is no reason to give none.
            Err(error) => {
                ui.warn(format_args!("the project here is not looked at: {error}"));
                return Ok(found);
            }
        },
    };
    match look_at_project(&project) {
        Ok(seen) => found.extend(seen),
        Err(error) => ui.warn(format_args!("the project here is not looked at: {error}")),
    }
    Ok(found)
}

/// Says what was answered and how to go on, and returns the end that Ctrl-C asked for.
fn interrupted(
    arguments: &Arguments,
    answers: &Answers,
    ui: &Ui,
) -> Result<CommandError, CommandError> {
    let flags = flags::as_flags(answers);
    // What is being typed stands on the line.
    ui.note(format_args!(""));
    if flags.is_empty() {
        ui.note(format_args!("Stopped before anything was answered."));
        return Ok(CommandError::interrupted());
    }
    ui.note(format_args!("Stopped. To go on with what was answered:"));
    match &arguments.save {
        Some(path) => {
            save_answers(path, answers).map_err(CommandError::failed)?;
            let path = shell_word(path);
            ui.note(format_args!(
                "  groundtune advise --answers {path} --ask --save {path}"
            ));
        }
        None => ui.note(format_args!("  groundtune advise {flags}")),
    }
    Ok(CommandError::interrupted())
}

fn as_json(advice: &Advice, answers: &Answers, taken: &[&Proposal]) -> Value {
    let mut object = match serde_json::to_value(advice) {
        Ok(Value::Object(object)) => object,
        other => unreachable!("advice is an object: {other:?}"),
    };
    let said = QUESTIONS.iter().map(|it| {
        let value = get(answers, it.key).map_or(Value::Null, |text| it.kind.json(&text));
        (it.key.to_owned(), value)
    });
    object.insert("answers".into(), Value::Object(said.collect::<Map<_, _>>()));
    let proposed: Vec<_> = taken
        .iter()
        .map(|it| json!({ "answer": it.key, "value": it.answer, "seen": it.seen }))
        .collect();
    object.insert("proposed".into(), proposed.into());
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    /// The words of a command line as a shell would give them; only `'` quotes.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        for (place, part) in line.split('\'').enumerate() {
            let last = |words: &mut Vec<String>, text: &str| {
                words
                    .last_mut()
                    .expect("there is a first word")
                    .push_str(text);
            };
            if place % 2 == 1 {
                last(&mut words, part);
                continue;
            }
            for (space, text) in part.split(' ').enumerate() {
                if space > 0 {
                    words.push(String::new());
                }
                last(&mut words, text);
            }
        }
        words
    }

    #[test]
    fn every_command_of_a_plan_is_one() {
        let mut seen = 0;
        for (key, text) in [
            ("need", "both"),
            ("strict_format", "yes"),
            ("task", "classify"),
        ] {
            let mut answers = Answers::default();
            set(&mut answers, key, text).unwrap();
            for stage in advise(&answers, None).plan {
                for command in stage.commands {
                    if let Err(error) = crate::Arguments::try_parse_from(words(&command)) {
                        panic!("`{command}`: {error}");
                    }
                    seen += 1;
                }
            }
        }
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn the_flags_that_go_on_give_the_same_answers() {
        let mut answers = Answers::default();
        for question in QUESTIONS {
            let text = match question.kind {
                groundtune::advise::Kind::Choice(choices) => choices[0].word,
                groundtune::advise::Kind::YesNo => "no",
                _ => "12.5",
            };
            set(&mut answers, question.key, text).unwrap();
        }
        let line = format!("groundtune advise {}", flags::as_flags(&answers));
        let parsed = crate::Arguments::try_parse_from(words(&line)).unwrap();
        let crate::Command::Advise(arguments) = parsed.command else {
            panic!("another command");
        };
        let mut again = Answers::default();
        for (key, text) in arguments.flags.answers() {
            set(&mut again, key, text).unwrap();
        }
        assert_eq!(again, answers);
    }
}
