use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use groundtune::generate::{
    GeneratorOptions, Input, Likelihood, Message, Request, TokenLikelihood, Written,
};
use serde_json::{Value, json};

use super::writing::{
    SamplingArguments, TextArguments, WriterArguments, completion_tokens, note_written, read_stdin,
    read_text,
};
use crate::command_error::CommandError;
use crate::interrupt;
use crate::ui::{Ui, printable};

/// Writes a text with a language model.
///
/// The prompt is the arguments, a file, or what stdin says. A model that was made for
/// conversations is given it as what the user says; another goes on with it, as with
/// `--raw` every model does. A run that was taught answers is given a prompt as it was
/// taught them: on a line of its own, unless it ends in a space or a colon. The text appears
/// as it is written; Ctrl-C ends it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What the text follows. Several words need no quotes.
    #[arg(value_name = "PROMPT", conflicts_with = "file")]
    words: Vec<String>,

    /// Reads the prompt from this file. Given several times, several texts are written.
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,

    /// Takes each line of the file or of stdin as a prompt of its own.
    #[arg(long, conflicts_with = "words")]
    lines: bool,

    /// Goes on with the prompt as it is, without the model's chat template. Names of
    /// special tokens in it become them, as nowhere else.
    #[arg(long)]
    raw: bool,

    /// Tells a model that was made for conversations what to be.
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,

    /// Prints one JSON object a text, as `docs/json.md` describes it.
    #[arg(long)]
    json: bool,

    /// Tells with `--json` how likely each token was, and of so many of the likeliest; 0
    /// tells of the token alone.
    #[arg(long, value_name = "COUNT", requires = "json")]
    logprobs: Option<usize>,

    #[command(flatten)]
    text: TextArguments,

    #[command(flatten)]
    sampling: SamplingArguments,

    #[command(flatten)]
    writer: WriterArguments,
}

pub(crate) fn run(
    arguments: &Arguments,
    project: Option<&Path>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let request = Request {
        likeliest: arguments.logprobs,
        ..arguments.text.request(&arguments.sampling)?
    };
    let prompts = arguments.prompts()?;
    let (writer, adapters) = arguments
        .writer
        .open(project, GeneratorOptions::default())?;
    let converses = writer.converses() && !arguments.raw;
    if arguments.system.is_some() && !converses {
        return Err(CommandError::failed(
            "`--system` needs a model with a chat template, and this one has none",
        ));
    }
    let requests: Vec<Request> = prompts
        .into_iter()
        .map(|prompt| Request {
            input: arguments.input(prompt, converses),
            adapters: adapters.clone(),
            ..request.clone()
        })
        .collect();
    interrupt::listen();
    // Several texts come all at once, so they are shown when they are whole.
    let streams = requests.len() == 1 && !arguments.json;
    let (mut failure, mut shown_to_end) = (None, true);
    let started = Instant::now();
    let results = writer.write(&requests, &mut |_, piece| {
        if streams && !piece.is_empty() {
            shown_to_end = piece.ends_with('\n');
            let shown = ui.out().write_all(printable(piece).as_bytes());
            if let Err(error) = shown.and_then(|()| ui.finish()) {
                failure = Some(error);
                return ControlFlow::Break(());
            }
        }
        if interrupt::asked() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let mut failed = None;
    for (index, result) in results.into_iter().enumerate() {
        match result {
            Ok(written) => {
                if arguments.json {
                    ui.json_line(&written_json(index, &written, arguments.logprobs.is_some()))?;
                } else {
                    show(ui, &written, streams, index)?;
                    let most = arguments.text.max_tokens();
                    note_written(ui, &written, most, started.elapsed());
                }
            }
            // The others are still shown.
            Err(error) if arguments.json => {
                ui.json_line(&json!({"index": index, "error": causes(&error)}))?;
                failed = Some(error);
            }
            Err(error) => {
                if !shown_to_end {
                    writeln!(ui.out())?;
                    ui.finish()?;
                }
                failed = Some(error);
            }
        }
    }
    if interrupt::asked() {
        ui.note(format_args!("Stopped."));
        return Err(CommandError::interrupted());
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Shows a text that was not shown as it was written, and the end of its last line.
fn show(ui: &mut Ui, written: &Written, was_shown: bool, index: usize) -> io::Result<()> {
    if !was_shown {
        if index > 0 {
            writeln!(ui.out())?;
        }
        let text = printable(&written.text);
        ui.out().write_all(text.as_bytes())?;
    }
    if !written.text.ends_with('\n') {
        writeln!(ui.out())?;
    }
    ui.finish()
}

impl Arguments {
    /// Returns the prompts: one at least.
    fn prompts(&self) -> Result<Vec<String>, CommandError> {
        if !self.words.is_empty() {
            return Ok(vec![self.words.join(" ")]);
        }
        let texts = if self.file.is_empty() {
            vec![read_stdin()?]
        } else {
            self.file
                .iter()
                .map(|path| read_text(path))
                .collect::<Result<_, _>>()?
        };
        if !self.lines {
            // The end of the last line is the editor's, not the prompt's.
            let whole = |text: String| text.strip_suffix('\n').unwrap_or(&text).to_owned();
            return Ok(texts.into_iter().map(whole).collect());
        }
        let lines = texts.iter().flat_map(|text| text.lines());
        let lines: Vec<String> = lines
            .filter(|line| !line.trim().is_empty())
            .map(str::to_owned)
            .collect();
        if lines.is_empty() {
            return Err(CommandError::failed("there is no line with a prompt"));
        }
        Ok(lines)
    }

    fn input(&self, prompt: String, converses: bool) -> Input {
        if self.raw {
            return Input::Raw(prompt);
        }
        if !converses {
            return Input::Text(prompt);
        }
        let system = self.system.iter().map(Message::system);
        Input::Messages(system.chain([Message::user(prompt)]).collect())
    }
}

fn written_json(index: usize, written: &Written, likelihoods: bool) -> Value {
    let mut value = json!({
        "index": index,
        "text": written.text,
        "tokens": written.tokens,
        "finish": written.finish.name(),
        "prompt_tokens": (written.prompt_tokens > 0).then_some(written.prompt_tokens),
        "completion_tokens": completion_tokens(written),
    });
    if likelihoods {
        let one = |it: &TokenLikelihood| json!({"token": it.token, "logprob": it.log_probability});
        let each = |it: &Likelihood| {
            let mut value = one(&it.chosen);
            value["top"] = it.likeliest.iter().map(one).collect();
            value
        };
        value["logprobs"] = written.likelihoods.iter().map(each).collect();
    }
    value
}

/// Returns an error in one line, with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
