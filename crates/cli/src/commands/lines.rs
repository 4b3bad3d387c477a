//! Texts from the command line, from a file, or piped in.

use std::io::{self, BufRead, BufReader, IsTerminal as _};
use std::path::PathBuf;
use std::vec;

use clap::Args;

use crate::command_error::CommandError;

/// Texts, and where they come from.
#[derive(Debug, Args)]
pub(crate) struct TextArguments {
    /// The texts [default: the lines that are piped in].
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,

    /// Reads the texts from this file, one a line; `-` is what is piped in.
    #[arg(long, value_name = "FILE", conflicts_with = "texts")]
    file: Option<PathBuf>,
}

/// Texts that are read as they are asked for. Lines without text are left out.
pub(crate) enum Lines {
    /// Those that stand on the command line.
    Given(vec::IntoIter<String>),
    /// The lines of a file.
    Read {
        /// What it is called in errors.
        name: String,
        /// The file.
        from: Box<dyn BufRead>,
        /// Lines read so far.
        number: usize,
    },
}

impl TextArguments {
    /// Returns whether the file's name says that its lines are JSON.
    pub(crate) fn is_jsonl(&self) -> bool {
        let ending = self.file.as_ref().and_then(|it| it.extension());
        ending.is_some_and(|it| it.eq_ignore_ascii_case("jsonl"))
    }

    /// Opens the texts. Fails if there are none to come, or the file is not there.
    pub(crate) fn lines(self) -> Result<Lines, CommandError> {
        if !self.texts.is_empty() {
            return Ok(Lines::Given(self.texts.into_iter()));
        }
        let (name, from): (String, Box<dyn BufRead>) = match self.file {
            Some(path) if path.as_os_str() != "-" => {
                let file = std::fs::File::open(&path).map_err(|source| {
                    CommandError::failed(io::Error::new(
                        source.kind(),
                        format!("`{}` could not be read: {source}", path.display()),
                    ))
                })?;
                (
                    format!("`{}`", path.display()),
                    Box::new(BufReader::new(file)),
                )
            }
            None if io::stdin().is_terminal() => {
                return Err(CommandError::usage(
                    "there is no text: give it as an argument, with `--file`, or pipe it in",
                ));
            }
            _ => (
                "what is piped in".into(),
                Box::new(BufReader::new(io::stdin())),
            ),
        };
        Ok(Lines::Read {
            name,
            from,
            number: 0,
        })
    }
}

impl Lines {
    /// Returns up to `most` further texts; none at the end. Texts of the command line are
    /// all that were given, blank ones too, so that results can be told apart by place.
    pub(crate) fn next_batch(&mut self, most: usize) -> Result<Vec<String>, CommandError> {
        let mut batch = Vec::new();
        match self {
            Self::Given(texts) => batch.extend(texts.by_ref().take(most)),
            Self::Read { name, from, number } => {
                let mut bytes = Vec::new();
                while batch.len() < most {
                    bytes.clear();
                    if from.read_until(b'\n', &mut bytes)? == 0 {
                        break;
                    }
                    *number += 1;
                    let text = std::str::from_utf8(&bytes).map_err(|_| {
                        CommandError::failed(format!("line {number} of {name} is not UTF-8"))
                    })?;
                    let text = text.trim_end_matches(['\n', '\r']);
                    if !text.trim().is_empty() {
                        batch.push(text.to_owned());
                    }
                }
            }
        }
        Ok(batch)
    }

    /// Returns where the last text stands, for errors.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Given(_) => "a text of the command line".into(),
            Self::Read { name, number, .. } => format!("line {number} of {name}"),
        }
    }

    /// Returns all texts.
    pub(crate) fn all(mut self) -> Result<Vec<String>, CommandError> {
        self.next_batch(usize::MAX)
    }
}
