//! What `generate` and `chat` take from the command line: which model writes, how its
//! tokens are chosen, and where a text ends.

use std::env;
use std::io::{IsTerminal as _, Read as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use groundtune::ModelReference;
use groundtune::generate::{
    Constraint, Finish, GeneratorOptions, Request, Sampling, Writer, Written,
};
use groundtune::project::{Project, ProjectError};

use crate::command_error::CommandError;
use crate::environment::environment;
use crate::ui::{Ui, count, elapsed};

/// A file of prompts or of a schema that is longer is no prompt.
const LONGEST_FILE: u64 = 64 << 20;

/// Which model writes, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct WriterArguments {
    /// The model: a folder, a `.gguf` file, a run's folder, a version such as
    /// `support@prod`, a name that was pulled, or `URL#MODEL` of a server [default: the
    /// project's `generator`].
    #[arg(long, value_name = "MODEL")]
    model: Option<ModelReference>,

    /// The folder of a LoRA adapter, with its weight after a colon if it is not 1. May be
    /// given several times; they add up.
    #[arg(long, value_name = "DIR[:WEIGHT]")]
    adapter: Vec<String>,

    /// The model's vocabulary, if it is not beside its weights.
    #[arg(long, value_name = "PATH")]
    tokenizer: Option<PathBuf>,

    /// Threads to compute on [default: one for each processor].
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,
}

/// How tokens are chosen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing tokens")]
pub(crate) struct SamplingArguments {
    /// 0 always takes the likeliest token; more draws, the higher the freer.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "NUMBER",
        default_value = "0"
    )]
    temperature: f32,

    /// Draws from the so many likeliest tokens.
    #[arg(long, value_name = "COUNT")]
    top_k: Option<usize>,

    /// Draws from the likeliest tokens that together have this probability.
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
    top_p: Option<f32>,

    /// Draws from tokens at least so likely, beside the likeliest.
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
    min_p: Option<f32>,

    /// Makes tokens less likely that were there before: 1 does nothing, 1.2 much.
    #[arg(
        long,
        allow_negative_numbers = true,
        value_name = "NUMBER",
        default_value = "1"
    )]
    repetition_penalty: f32,

    /// Draws the same again with the same number.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    seed: u64,
}

/// Where a text ends, and what it must be.
#[derive(Debug, Args)]
#[command(next_help_heading = "Text")]
pub(crate) struct TextArguments {
    /// The most tokens to write.
    #[arg(long, value_name = "COUNT", default_value = "512")]
    max_tokens: usize,

    /// Ends the text before these words. May be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,

    /// Writes JSON that this schema holds valid.
    #[arg(long, value_name = "FILE", conflicts_with = "regex")]
    json_schema: Option<PathBuf>,

    /// Writes a text that this regular expression matches as a whole.
    #[arg(long, value_name = "PATTERN")]
    regex: Option<String>,
}

impl WriterArguments {
    /// Returns the model's name as it was given, if it was.
    pub(crate) fn model(&self) -> Option<&ModelReference> {
        self.model.as_ref()
    }

    /// Opens the model that is meant, with its adapters, and returns it with their names.
    pub(crate) fn open(
        &self,
        project: Option<&Path>,
        options: GeneratorOptions,
    ) -> Result<(Writer, Vec<(String, f32)>), CommandError> {
        let options = GeneratorOptions {
            threads: self.threads,
            tokenizer: self.tokenizer.clone(),
            ..options
        };
        let here = env::current_dir()?;
        let environment = environment(project);
        let mut writer = match &self.model {
            Some(model) => Writer::open(model, &here, &environment, &options),
            None => {
                let (model, base) = match project_here(project, &here)? {
                    Some(project) => (project.config.models.generator, project.root),
                    None => (ModelReference::None, here),
                };
                Writer::open(&model, &base, &environment, &options)
            }
        }
        .map_err(|error| self.not_opened(error))?;
        let mut adapters = Vec::new();
        for written in &self.adapter {
            let (folder, weight) = adapter(written)?;
            writer.add_adapter(folder, Path::new(folder))?;
            adapters.push((folder.to_owned(), weight));
        }
        Ok((writer, adapters))
    }

    /// Returns the failure to open a model, with what these arguments can do about it.
    fn not_opened(&self, error: groundtune::Error) -> CommandError {
        use groundtune::generate::ModelError as M;
        let vocabulary = matches!(
            &error,
            groundtune::Error::Model(M::FileMissing {
                file: "tokenizer.json",
                ..
            })
        ) || matches!(
            &error,
            groundtune::Error::Model(M::Gguf { what, .. } | M::Vocabulary { what, .. })
                if what.contains("tokenizer.ggml")
        );
        let error = CommandError::from(error);
        if vocabulary && self.tokenizer.is_none() {
            return error.with_hint("name the model's vocabulary with `--tokenizer PATH`");
        }
        error
    }
}

/// Returns the project that is meant, if there is one.
fn project_here(named: Option<&Path>, here: &Path) -> Result<Option<Project>, CommandError> {
    if let Some(folder) = named {
        return Ok(Some(Project::open(folder)?));
    }
    match Project::find(here) {
        Ok(project) => Ok(Some(project)),
        Err(ProjectError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the folder and the weight of `DIR[:WEIGHT]`.
fn adapter(written: &str) -> Result<(&str, f32), CommandError> {
    let Some((folder, weight)) = written.rsplit_once(':') else {
        return Ok((written, 1.0));
    };
    match weight.parse::<f32>() {
        Ok(weight) if weight.is_finite() => Ok((folder, weight)),
        // A path with a colon of its own.
        _ if Path::new(written).exists() => Ok((written, 1.0)),
        _ => Err(CommandError::usage(format!(
            "`{weight}` is not an adapter's weight: expected a number, in `{written}`"
        ))),
    }
}

impl SamplingArguments {
    /// Returns how tokens are chosen. Fails if a number is out of its range.
    fn sampling(&self) -> Result<Sampling, CommandError> {
        let sampling = Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            seed: self.seed,
        };
        sampling.check().map_err(CommandError::usage)?;
        Ok(sampling)
    }
}

impl TextArguments {
    /// Returns a request without a prompt: how long its text may be, how its tokens are
    /// chosen, and what it must be.
    pub(crate) fn request(&self, sampling: &SamplingArguments) -> Result<Request, CommandError> {
        Ok(Request {
            max_tokens: Some(self.max_tokens),
            sampling: sampling.sampling()?,
            stop: self.stop.clone(),
            constraint: self.constraint()?,
            ..Request::default()
        })
    }

    /// Returns the most tokens to write.
    pub(crate) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Returns what the text must be, if it must be something.
    fn constraint(&self) -> Result<Option<Constraint>, CommandError> {
        if let Some(pattern) = &self.regex {
            return Ok(Some(Constraint::Regex(pattern.clone())));
        }
        let Some(path) = &self.json_schema else {
            return Ok(None);
        };
        let text = read_text(path)?;
        let schema = serde_json::from_str(&text).map_err(|error| {
            CommandError::failed(format!("`{}` is not JSON: {error}", path.display()))
        })?;
        Ok(Some(Constraint::JsonSchema(schema)))
    }
}

/// Reads a file of text.
pub(crate) fn read_text(path: &Path) -> Result<String, CommandError> {
    let file = std::fs::File::open(path).map_err(|error| {
        CommandError::failed(format!("`{}` cannot be read: {error}", path.display()))
    })?;
    text_of(file, &format!("`{}`", path.display()))
}

/// Reads all of stdin: what is piped in.
pub(crate) fn read_stdin() -> Result<String, CommandError> {
    let nothing = "there is no prompt: give it as an argument, with `--file`, or pipe it in";
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(CommandError::usage(nothing));
    }
    let text = text_of(stdin.lock(), "stdin")?;
    if text.is_empty() {
        return Err(CommandError::usage(nothing));
    }
    Ok(text)
}

fn text_of(from: impl std::io::Read, name: &str) -> Result<String, CommandError> {
    let mut bytes = Vec::new();
    from.take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CommandError::failed(format!("{name} cannot be read: {error}")))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(CommandError::failed(format!(
            "{name} is longer than 64 MiB: that is no prompt"
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CommandError::failed(format!("{name} is not text: byte {at} is not UTF-8"))
    })
}

/// Returns how many tokens were written; nothing if a server wrote them and does not tell.
pub(crate) fn completion_tokens(written: &Written) -> Option<usize> {
    let told = written.completion_tokens > 0 || written.text.is_empty();
    told.then_some(written.completion_tokens)
}

/// Says how a text came about, in `all`: on stderr, if more words were asked for. At most
/// `most` tokens were wanted of it.
pub(crate) fn note_written(ui: &Ui, written: &Written, most: usize, all: Duration) {
    let wrote = completion_tokens(written);
    if written.finish == Finish::Length {
        let cut = wrote.map_or_else(String::new, |it| format!(" after {}", count(it, "token")));
        match wrote {
            Some(tokens) if tokens < most => ui.note(format_args!(
                "The text was cut{cut}: the model reads no more at once, with the prompt."
            )),
            _ => ui.note(format_args!(
                "The text was cut{cut}; `--max-tokens` allows more."
            )),
        }
    }
    if !ui.verbose() {
        return;
    }
    let reused = match written.reused_tokens {
        0 => String::new(),
        some => format!(" ({some} of them known)"),
    };
    let speed = written.first_after.map_or_else(String::new, |first| {
        let rest = (all - first.min(all)).as_secs_f64();
        let speed = match wrote {
            Some(tokens @ 2..) => {
                let rate = (tokens - 1) as f64 / rest.max(1e-9);
                format!(", then {rate:.0} tokens/s")
            }
            _ => String::new(),
        };
        format!(", the first after {}{speed}", elapsed(first))
    });
    let read = match written.prompt_tokens {
        // A server that does not tell.
        0 => String::new(),
        some => format!("{} read{reused}, ", count(some, "token")),
    };
    let wrote = wrote.map_or_else(|| "the text".to_owned(), |it| count(it, "token"));
    ui.note(format_args!(
        "{read}{wrote} written in {}{speed}; ended by `{}`",
        elapsed(all),
        written.finish.name(),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_may_have_a_weight() {
        assert_eq!(adapter("runs/a").unwrap(), ("runs/a", 1.0));
        assert_eq!(adapter("runs/a:0.5").unwrap(), ("runs/a", 0.5));
        assert!(adapter("runs/a:much").is_err());
        assert!(adapter("runs/a:inf").is_err());
    }

    #[test]
    fn what_is_not_text_is_named_with_its_place() {
        let mut error = Vec::new();
        let failed = text_of(&b"ab\xffc"[..], "stdin").unwrap_err();
        use std::io::Write as _;
        write!(error, "{failed:?}").unwrap();
        assert!(String::from_utf8(error).unwrap().contains("byte 2"));
    }
}
