use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use groundtune::contract::Share;
use groundtune::models::{self, ModelReference};
use serde_json::json;

use super::lines::TextArguments;
use crate::command_error::CommandError;
use crate::environment::environment;
use crate::ui::{Style, Ui, one_line};

/// Orders passages by how well they answer a question, best first.
///
/// The passages are arguments, or the lines of `--file` or of what is piped in. A score is
/// from 0 to 1: the model's logit through the logistic function. Needs no project; within
/// one, its `[models] reranker` is used unless `--model` says otherwise.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The question.
    #[arg(value_name = "QUESTION")]
    question: String,

    #[command(flatten)]
    passages: TextArguments,

    /// Prints only the best.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,

    /// The model: a folder, or a name as in `[models]` [default: the project's reranker].
    #[arg(long, value_name = "MODEL")]
    model: Option<ModelReference>,

    /// Prints one JSON object a line, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    if arguments.question.trim().is_empty() {
        return Err(CommandError::usage("the question is empty"));
    }
    let (reference, base): (ModelReference, PathBuf) = match arguments.model {
        Some(reference) => (reference, std::env::current_dir()?),
        None => {
            let project = super::project_or_defaults(project)?;
            (project.config.models.reranker, project.root)
        }
    };
    let Some(reranker) = models::open_reranker(&reference, &base, &environment(project))? else {
        return Err(CommandError::usage(
            "no reranker is named: give one with `--model`, or as `reranker` in `[models]`",
        ));
    };
    let passages = arguments.passages.lines()?.all()?;
    let borrowed: Vec<&str> = passages.iter().map(String::as_str).collect();
    let scores = reranker
        .rerank(&arguments.question, &borrowed)
        .map_err(CommandError::failed)?;
    let mut order: Vec<(usize, Share)> = scores.into_iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| b.get().total_cmp(&a.get()));
    order.truncate(arguments.top.map_or(usize::MAX, |top| top as usize));
    for (index, score) in order {
        if arguments.json {
            ui.json_line(&json!({ "index": index, "score": score }))?;
        } else {
            let score = ui.paint(Style::Strong, &format!("{:.4}", score.get()));
            let line = one_line(&passages[index]);
            writeln!(ui.out(), "{score}  {line}")?;
        }
    }
    Ok(())
}
