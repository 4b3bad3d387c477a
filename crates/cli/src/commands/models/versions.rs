//! Versions of tuned models: listed, tagged, compared, taken back.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use groundtune::contract::Bytes;
use groundtune::models::{
    Beside, ComparedExamples, ComparedModel, Comparison, Environment, How, ModelReference, Tagged,
    TunedModel, TunedModels, VersionName, Which,
};
use serde_json::{Value, json};

use super::super::from_here;
use crate::command_error::CommandError;
use crate::ui::{Style, Ui, columns, count, one_line, shell_word, thousands};

/// Returns where the tuned models are.
fn tuned(environment: &Environment) -> Result<&TunedModels, CommandError> {
    environment.tuned.as_ref().ok_or_else(|| {
        CommandError::failed(
            "the project's configuration is not understood; `groundtune doctor` says why",
        )
    })
}

/// Points a tag to a run or to another version.
pub(super) fn tag(
    environment: &Environment,
    run: &ModelReference,
    name: &str,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let tuned = tuned(environment)?;
    let here = std::env::current_dir()?;
    let Some(folder) = environment.run_of(run, &here)? else {
        let folder = here.join(run.to_string());
        let error = groundtune::models::VersionError::NoRun { folder };
        return Err(failed(error));
    };
    let (model, tag) = match name.split_once('@') {
        Some((model, tag)) => (model, Some(tag)),
        None => (name, None),
    };
    let tagged = tuned.tag(&folder, model, tag).map_err(failed)?;
    said(&tagged, as_json, ui, "was")
}

/// Takes a tag back to where it was before.
pub(super) fn roll_back(
    environment: &Environment,
    name: &VersionName,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let tuned = tuned(environment)?;
    let Which::Tag(tag) = &name.which else {
        return Err(CommandError::usage(format!(
            "`{name}` is a version's number: a tag is taken back, as `{}@prod`",
            name.model
        )));
    };
    let tagged = tuned.roll_back(&name.model, tag).map_err(failed)?;
    said(&tagged, as_json, ui, "is back on")
}

fn failed(error: groundtune::models::VersionError) -> CommandError {
    CommandError::from(groundtune::Error::from(
        groundtune::models::ResolveError::from(error),
    ))
}

/// Says where a tag stands now.
fn said(tagged: &Tagged, as_json: bool, ui: &mut Ui, how: &str) -> Result<(), CommandError> {
    let named = tagged.name.as_ref().map(ToString::to_string);
    if as_json {
        ui.json(&json!({
            "name": named,
            "model": tagged.model,
            "version": tagged.version,
            "run": tagged.run.to_string_lossy(),
            "before": tagged.before,
        }))?;
        return Ok(());
    }
    let run = shell_word(from_here(&tagged.run));
    let version = tagged.version;
    let model = &tagged.model;
    match (named, tagged.before) {
        (None, _) => writeln!(ui.out(), "{model} version {version}: {run}")?,
        (Some(name), None) => writeln!(ui.out(), "{name} is version {version}: {run}")?,
        (Some(name), Some(before)) if before == version => {
            writeln!(ui.out(), "{name} is version {version} already: {run}")?;
        }
        (Some(name), Some(before)) if how == "was" => {
            writeln!(
                ui.out(),
                "{name} is version {version}: {run}; it was version {before}"
            )?;
        }
        (Some(name), Some(before)) => {
            writeln!(
                ui.out(),
                "{name} is back on version {version}: {run}; it was version {before}"
            )?;
        }
    }
    Ok(())
}

/// Returns the tuned models with their names; all, or the one that is named.
pub(super) fn all(
    environment: &Environment,
    named: Option<&str>,
) -> Result<Vec<(String, TunedModel)>, CommandError> {
    let Some(tuned) = &environment.tuned else {
        return Ok(Vec::new());
    };
    let names = match named {
        Some(name) => vec![name.to_owned()],
        None => tuned.names().map_err(failed)?,
    };
    names
        .into_iter()
        .map(|name| {
            let model = tuned.model(&name).map_err(failed)?;
            Ok((name, model))
        })
        .collect()
}

/// Shows the tuned models, each in a line.
pub(super) fn print_all(ui: &mut Ui, models: &[(String, TunedModel)]) -> Result<(), CommandError> {
    let widest = models.iter().map(|(name, _)| columns(name)).max();
    let widest = widest.unwrap_or(0).min(48);
    for (name, model) in models {
        let pad = " ".repeat(widest.saturating_sub(columns(name)));
        let tags = model.tags().into_iter();
        let tags: Vec<String> = tags.map(|(tag, on)| format!("{tag} → {on}")).collect();
        let name = ui.paint(Style::Strong, name);
        let versions = count(model.versions.len(), "version");
        writeln!(
            ui.out(),
            "{name}{pad}  {versions:<11}  {}",
            tags.join(" · ")
        )?;
    }
    Ok(())
}

/// Shows the versions of one tuned model, the latest first, and how its tags moved.
pub(super) fn print_one(
    environment: &Environment,
    ui: &mut Ui,
    model: &TunedModel,
) -> Result<(), CommandError> {
    let tuned = tuned(environment)?;
    let tags = model.tags();
    for (number, version) in (1u32..)
        .zip(&model.versions)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let run = tuned.run(model, number).unwrap_or_default();
        let on: Vec<&str> = tags
            .iter()
            .filter(|(_, on)| *on == number)
            .map(|(tag, _)| *tag)
            .collect();
        let gone = if run.is_dir() { "" } else { "  (gone)" };
        let shown = shell_word(from_here(&run));
        let at = ui.paint(Style::Faint, &version.added);
        let tags = ui.paint(Style::Strong, &on.join(", "));
        writeln!(ui.out(), "{number:>3}  {at}  {shown}{gone}  {tags}")?;
    }
    if !model.history.is_empty() {
        writeln!(ui.out())?;
    }
    for moved in model.history.iter().rev() {
        let at = ui.paint(Style::Faint, &moved.at);
        let how = match moved.how {
            How::Tag => "→",
            How::Rollback => "back to",
        };
        writeln!(ui.out(), "{at}  {} {how} {}", moved.tag, moved.version)?;
    }
    Ok(())
}

pub(super) fn model_json(
    environment: &Environment,
    name: &str,
    model: &TunedModel,
) -> Result<Value, CommandError> {
    let tuned = tuned(environment)?;
    let tags = model.tags();
    let versions: Vec<Value> = (1..)
        .zip(&model.versions)
        .map(|(number, version)| {
            let on = tags.iter().filter(|(_, on)| *on == number);
            let run = tuned.run(model, number).unwrap_or_default();
            json!({
                "version": number,
                "run": run.to_string_lossy(),
                "here": run.is_dir(),
                "added": version.added,
                "tags": on.map(|(tag, _)| tag).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(json!({"name": name, "versions": versions, "history": model.history}))
}

/// Puts two models side by side.
pub(super) fn compare(
    environment: &Environment,
    names: [&ModelReference; 2],
    examples: &[PathBuf],
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let here = std::env::current_dir()?;
    let found = environment.compare(names, examples, &here)?;
    if as_json {
        ui.json(&comparison_json(&found))?;
        return Ok(());
    }
    let wide = found.sides.iter().map(|it| columns(&it.name)).max();
    let wide = wide.unwrap_or(0).clamp(24, 48);
    let mut row = |name: &str, values: [String; 2], always: bool| -> std::io::Result<()> {
        let [first, mut second] = values.map(|it| one_line(&it));
        if first.is_empty() && second.is_empty() {
            return Ok(());
        }
        if first == second && !always {
            second = "the same".into();
        }
        let pad = " ".repeat(wide.saturating_sub(columns(&first)));
        let padded = format!("{name:<17}");
        let name = ui.paint(Style::Strong, &padded);
        writeln!(ui.out(), "{name}  {first}{pad}  {second}")
    };
    let each =
        |show: &dyn Fn(&ComparedModel) -> String| [show(&found.sides[0]), show(&found.sides[1])];
    row("", each(&|it| it.name.clone()), true)?;
    for (name, show) in ROWS {
        row(name, each(&show), false)?;
    }
    let mut metrics: Vec<&String> = Vec::new();
    for run in found.sides.iter().filter_map(|it| it.run.as_ref()) {
        metrics.extend(run.metrics.keys());
    }
    metrics.sort_unstable();
    metrics.dedup();
    for metric in metrics {
        let value = |side: &ComparedModel| {
            let value = side.run.as_ref().and_then(|it| it.metrics.get(metric));
            value.map_or_else(String::new, |it| format!("{it:.4}"))
        };
        row(metric, each(&value), true)?;
    }
    if let Some(examples) = &found.examples {
        let files = count(examples.count, "example");
        row("on", [files.clone(), files], false)?;
        let side = |show: &dyn Fn(usize) -> String| [show(0), show(1)];
        let of = |at: usize| &examples.sides[at];
        let units = side(&|at| match of(at).beside {
            Beside::Text { .. } => count(of(at).units, "token"),
            Beside::Labels { .. } => count(of(at).units, "text"),
        });
        row("  of", units, true)?;
        row("  loss", side(&|at| format!("{:.4}", of(at).loss)), true)?;
        for (name, show) in BESIDE {
            row(name, side(&|at| show(of(at).beside)), true)?;
        }
    }
    if let Some(recipe) = &found.recipe {
        let title = ui.paint(Style::Strong, "recipe");
        writeln!(ui.out(), "\n{title}")?;
        for difference in recipe {
            let value = |at: usize| match &difference.values[at] {
                Some(value) => one_line(&value.to_string()),
                None => "–".into(),
            };
            writeln!(
                ui.out(),
                "  {}: {} → {}",
                difference.key,
                value(0),
                value(1)
            )?;
        }
        if recipe.is_empty() {
            writeln!(ui.out(), "  the same")?;
        }
    }
    if let Some(examples) = &found.examples {
        writeln!(ui.out(), "\n{}", verdict(&found, examples))?;
        ui.finish()?;
        if let Some(first) = examples.left_out.first() {
            let left = count(examples.left_out.len(), "example");
            ui.warn(format_args!(
                "{left} left out; the first: {}",
                one_line(first)
            ));
        }
    }
    Ok(())
}

/// What is shown of a model: a name, and how.
type Row = (&'static str, fn(&ComparedModel) -> String);

const ROWS: &[Row] = &[
    ("model", |it| {
        from_here(&it.tuned.model).display().to_string()
    }),
    ("run", |it| {
        of_run(it, |run| from_here(&run.folder).display().to_string())
    }),
    ("base", |it| of_run(it, |run| run.description.model.clone())),
    ("size", |it| it.size.to_string()),
    ("data", |it| of_run(it, |run| run.description.data.clone())),
    ("examples", |it| {
        of_run(it, |run| thousands(run.description.examples.0 as u64))
    }),
    ("learnt", |it| {
        of_run(it, |run| {
            run.parameters
                .map_or_else(String::new, |it| format!("{} numbers", thousands(it)))
        })
    }),
    ("seed", |it| {
        of_run(it, |run| run.description.seed.to_string())
    }),
    ("made by", |it| {
        of_run(it, |run| format!("groundtune {}", run.description.version))
    }),
    ("steps", |it| {
        of_run(it, |run| {
            format!(
                "{} (best {})",
                thousands(run.steps),
                thousands(run.best_step)
            )
        })
    }),
];

/// What is shown of a model beside its loss: a name, and how.
type BesideRow = (&'static str, fn(Beside) -> String);

const BESIDE: &[BesideRow] = &[
    ("  perplexity", |it| match it {
        Beside::Text { perplexity, .. } => format!("{perplexity:.3}"),
        Beside::Labels { .. } => String::new(),
    }),
    ("  bits a byte", |it| match it {
        Beside::Text { bits_per_byte, .. } => format!("{bits_per_byte:.4}"),
        Beside::Labels { .. } => String::new(),
    }),
    ("  accuracy", |it| match it {
        Beside::Text { .. } => String::new(),
        Beside::Labels { accuracy } => format!("{accuracy:.4}"),
    }),
];

fn of_run(
    side: &ComparedModel,
    show: impl Fn(&groundtune::models::ComparedRun) -> String,
) -> String {
    side.run.as_ref().map_or_else(String::new, show)
}

/// Says which model finds the examples likelier.
fn verdict(found: &Comparison, examples: &ComparedExamples) -> String {
    let [first, second] = [&found.sides[0].name, &found.sides[1].name];
    let Some(difference) = examples.difference else {
        return match examples.count {
            0 | 1 => "too few examples to say which finds them likelier".into(),
            _ => "other vocabularies: bits a byte can be compared, the losses of tokens not".into(),
        };
    };
    let (better, other, by, low, high) = if difference.mean < 0.0 {
        (
            second,
            first,
            -difference.mean,
            -difference.high,
            -difference.low,
        )
    } else {
        (
            first,
            second,
            difference.mean,
            difference.low,
            difference.high,
        )
    };
    let interval = format!(
        "95 % interval {low:.4} to {high:.4}, {} examples, paired",
        examples.count
    );
    if low > 0.0 {
        format!("{better} finds them likelier: {by:.4} less loss than {other} ({interval})")
    } else {
        format!("neither clearly finds them likelier: {better} has {by:.4} less loss ({interval})")
    }
}

fn comparison_json(found: &Comparison) -> Value {
    let sides: Vec<Value> = found
        .sides
        .iter()
        .map(|it| {
            json!({
                "name": it.name,
                "model": it.tuned.model.to_string_lossy(),
                "adapter": it.tuned.adapter.as_ref().map(|it| it.to_string_lossy()),
                "bytes": it.size,
                "run": it.run.as_ref().map(|run| json!({
                    "folder": run.folder.to_string_lossy(),
                    "base": run.description.model,
                    "data": run.description.data,
                    "examples": run.description.examples.0,
                    "seed": run.description.seed,
                    "groundtune": run.description.version,
                    "parameters": run.parameters,
                    "steps": run.steps,
                    "best_step": run.best_step,
                    "metrics": run.metrics,
                })),
            })
        })
        .collect();
    let recipe = found.recipe.as_ref().map(|recipe| {
        let each = recipe.iter();
        each.map(|it| json!({"key": it.key, "values": it.values}))
            .collect::<Vec<_>>()
    });
    let examples = found.examples.as_ref().map(|it| {
        let sides = it.sides.iter().map(|it| {
            let (perplexity, bits, accuracy) = match it.beside {
                Beside::Text {
                    perplexity,
                    bits_per_byte,
                } => (Some(perplexity), Some(bits_per_byte), None),
                Beside::Labels { accuracy } => (None, None, Some(accuracy)),
            };
            json!({
                "units": it.units,
                "loss": it.loss,
                "perplexity": perplexity,
                "bits_per_byte": bits,
                "accuracy": accuracy,
            })
        });
        json!({
            "count": it.count,
            "left_out": it.left_out,
            "sides": sides.collect::<Vec<_>>(),
            "difference": it.difference.map(|it| json!({"mean": it.mean, "low": it.low, "high": it.high})),
        })
    });
    json!({"sides": sides, "recipe": recipe, "examples": examples})
}

/// Says what a model was written to.
pub(super) fn print_exported(
    ui: &mut Ui,
    path: &Path,
    size: Bytes,
    adapters: usize,
) -> Result<(), CommandError> {
    let merged = match adapters {
        0 => String::new(),
        some => format!(", {} merged", count(some, "adapter")),
    };
    writeln!(ui.out(), "{}: {size}{merged}", shell_word(from_here(path)))?;
    Ok(())
}
