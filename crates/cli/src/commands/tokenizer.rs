use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use groundtune::ModelReference;
use groundtune::vocabulary::{self, Recipe, SpecialTokens, Tokenizer};
use serde_json::json;

use super::data::Reading;
use super::lines::TextArguments;
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::ui::{Style, Ui, count, one_line, shell_word, thousands};

/// Texts that are read before their tokens are written.
const BATCH: usize = 256;

/// Learns a vocabulary from texts, shows one, or cuts texts with it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Learns a vocabulary: byte-level BPE, as GPT-2 has it.
    ///
    /// Any text can be written in it, as all bytes are tokens. The folder is read by
    /// transformers, and by a recipe that names it with `tokenizer = { kind = "path" }`.
    Train {
        /// Files of text, or of examples in any layout that `data` reads.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// The folder that it is written to.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// How many tokens, the 256 bytes and special ones included.
        #[arg(long, value_name = "COUNT", default_value_t = 8192)]
        size: usize,
        /// A further token that is no text: `--special '<|tool|>'`. May be given several
        /// times.
        #[arg(long, value_name = "NAME")]
        special: Vec<String>,
        /// Adds the tokens of a conversation, and a chat template that uses them.
        #[arg(long)]
        chat: bool,
        /// How often a pair has to be seen to become a token.
        #[arg(long, value_name = "COUNT", default_value_t = 2)]
        least: u64,
        #[command(flatten)]
        reading: Reading,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Says what a vocabulary is: its size, its special tokens, its chat template.
    Show {
        /// A model, its folder, or a vocabulary's file.
        #[arg(value_name = "MODEL")]
        model: ModelReference,
        /// Prints one JSON object, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
    /// Shows the tokens of texts, one text for each line.
    Encode {
        /// A model, its folder, or a vocabulary's file.
        #[arg(long, value_name = "MODEL")]
        model: ModelReference,
        #[command(flatten)]
        texts: TextArguments,
        /// Adds the tokens that the model wants around a text, and takes names of special
        /// tokens in it for them.
        #[arg(long)]
        special: bool,
        /// Prints one JSON object a line, as `docs/json.md` describes it.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let open = |model: &ModelReference| -> Result<Tokenizer, CommandError> {
        let here = std::env::current_dir()?;
        Ok(vocabulary::open(model, &here, &environment(project))?)
    };
    match arguments.what {
        What::Train {
            files,
            out,
            size,
            special,
            chat,
            least,
            reading,
            json,
        } => {
            let recipe = Recipe {
                size,
                least,
                conversations: chat,
                special,
            };
            train(&files, &reading, &recipe, &out, json, ui)
        }
        What::Show { model, json } => show(&model, &open(&model)?, json, ui),
        What::Encode {
            model,
            texts,
            special,
            json,
        } => encode(&open(&model)?, texts, special, json, ui),
    }
}

fn train(
    files: &[PathBuf],
    reading: &Reading,
    recipe: &Recipe,
    out: &Path,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let learnt = vocabulary::learn(files, &reading.options(), recipe, out)?;
    if as_json {
        ui.json(&json!({
            "folder": learnt.folder.to_string_lossy(),
            "files": learnt.files,
            "text_bytes": learnt.text,
            "tokens": learnt.tokens,
            "bytes_per_token": learnt.bytes_per_token,
        }))?;
        return Ok(());
    }
    for file in &learnt.files {
        ui.note(format_args!("`{}` ({})", file.path.display(), file.layout));
        if file.refused > 0 {
            ui.warn(format_args!("{} refused", count(file.refused, "record")));
        }
    }
    writeln!(
        ui.out(),
        "{} learnt from {} of text, in {}; a token is {:.2} bytes of it",
        count(learnt.tokens, "token"),
        learnt.text,
        shell_word(&learnt.folder),
        learnt.bytes_per_token,
    )?;
    if learnt.tokens < recipe.size {
        ui.note(format_args!(
            "The texts have no more pairs that come {} times: of {} tokens that were wanted there are {}.",
            recipe.least,
            thousands(recipe.size as u64),
            thousands(learnt.tokens as u64),
        ));
    }
    Ok(())
}

fn show(
    model: &ModelReference,
    tokenizer: &Tokenizer,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let mut special: Vec<(&str, u32)> = tokenizer.special().collect();
    special.sort_unstable_by_key(|(_, id)| *id);
    let template = tokenizer.chat_template().is_some();
    if as_json {
        let special: Vec<_> = special
            .iter()
            .map(|(name, id)| json!({"name": name, "id": id}))
            .collect();
        ui.json(&json!({
            "name": model.to_string(),
            "path": tokenizer.path().to_string_lossy(),
            "tokens": tokenizer.vocabulary(),
            "begin": tokenizer.begin(),
            "end": tokenizer.end(),
            "ends": tokenizer.ends(),
            "special": special,
            "chat_template": template,
        }))?;
        return Ok(());
    }
    let named = |id: Option<u32>| match id {
        None => "none".to_owned(),
        Some(id) => {
            let name = special.iter().find(|(_, other)| *other == id);
            name.map_or_else(
                || id.to_string(),
                |(name, _)| format!("{id} {}", one_line(name)),
            )
        }
    };
    let all: Vec<String> = special
        .iter()
        .map(|(name, id)| format!("{id} {}", one_line(name)))
        .collect();
    for (name, value) in [
        ("vocabulary", model.to_string()),
        ("tokens", thousands(tokenizer.vocabulary() as u64)),
        ("begin", named(tokenizer.begin())),
        ("end", named(tokenizer.end())),
        ("special", all.join(", ")),
        ("chat template", if template { "yes" } else { "no" }.into()),
        ("where", tokenizer.path().display().to_string()),
    ] {
        let padded = format!("{name:<15}");
        let name = ui.paint(Style::Strong, &padded);
        writeln!(ui.out(), "{name}{value}")?;
    }
    Ok(())
}

fn encode(
    tokenizer: &Tokenizer,
    texts: TextArguments,
    special: bool,
    as_json: bool,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let mode = if special {
        SpecialTokens::Add
    } else {
        SpecialTokens::Ignore
    };
    let mut lines = texts.lines()?;
    loop {
        let texts = lines.next_batch(BATCH)?;
        if texts.is_empty() {
            return Ok(());
        }
        for text in &texts {
            let ids = tokenizer
                .encode(text, mode)
                .map_err(groundtune::Error::from)?;
            // Half a character is shown as such.
            let pieces: Vec<String> = ids
                .iter()
                .map(|id| match tokenizer.bytes(*id) {
                    Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                    None => String::new(),
                })
                .collect();
            if as_json {
                ui.json_line(&json!({"text": text, "ids": ids, "pieces": pieces}))?;
                continue;
            }
            let shown: Vec<String> = ids
                .iter()
                .zip(&pieces)
                .map(|(id, piece)| format!("{id}:{}", one_line(piece).replace(' ', "·")))
                .collect();
            let total = ui.paint(Style::Faint, &count(ids.len(), "token"));
            writeln!(ui.out(), "{}  {total}", shown.join(" "))?;
        }
        ui.finish()?;
    }
}
