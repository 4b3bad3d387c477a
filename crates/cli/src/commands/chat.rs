use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use groundtune::generate::{Finish, GeneratorOptions, Input, Message, Request, Writer};

use super::writing::{SamplingArguments, TextArguments, WriterArguments, note_written};
use crate::command_error::CommandError;
use crate::interrupt;
use crate::ui::{Style, Ui, printable};

/// A longer line is not typed by anybody.
const LONGEST_LINE: usize = 1 << 20;

/// Talks with a language model, turn by turn.
///
/// Each line is a turn; the model sees the whole conversation. `/reset` begins anew,
/// `/system TEXT` says what the model is to be, `/quit` or Ctrl-D ends. Ctrl-C ends the
/// reply that is being written. From a pipe every line is a turn too, and only the replies
/// are printed.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Tells the model what to be.
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,

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
    let request = arguments.text.request(&arguments.sampling)?;
    let (writer, adapters) = arguments.writer.open(
        project,
        GeneratorOptions {
            places: 1,
            kept: 1,
            ..GeneratorOptions::default()
        },
    )?;
    if !writer.converses() {
        return Err(
            groundtune::Error::from(groundtune::generate::GenerateError::NoTemplate).into(),
        );
    }
    let typed = io::stdin().is_terminal();
    if typed {
        ui.note(format_args!(
            "{}",
            ui.paint_error(
                Style::Faint,
                "`/reset` begins anew, `/system TEXT` says what the model is to be, `/quit` ends."
            )
        ));
    }
    interrupt::listen();
    Chat {
        writer,
        request: Request {
            adapters,
            ..request
        },
        most: arguments.text.max_tokens(),
        system: arguments.system.clone(),
        turns: Vec::new(),
        typed,
    }
    .run(ui)
}

/// A conversation.
struct Chat {
    writer: Writer,
    /// What every turn asks for.
    request: Request,
    /// The most tokens of a reply.
    most: usize,
    system: Option<String>,
    turns: Vec<Message>,
    /// Whether somebody sits at the keyboard.
    typed: bool,
}

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Say(&'a str),
    Reset,
    System(&'a str),
    Quit,
    Unknown(&'a str),
    Nothing,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Self {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "" => Self::Nothing,
            "/reset" => Self::Reset,
            "/system" => Self::System(rest.trim()),
            "/quit" | "/exit" => Self::Quit,
            _ if word.starts_with('/') && !word[1..].contains('/') => Self::Unknown(word),
            _ => Self::Say(line),
        }
    }
}

impl Chat {
    fn run(mut self, ui: &mut Ui) -> Result<(), CommandError> {
        while let Some(line) = self.line(ui)? {
            match Line::read(&line) {
                Line::Nothing => {}
                Line::Quit => return Ok(()),
                Line::Reset => {
                    self.turns.clear();
                    ui.note(format_args!("The conversation begins anew."));
                }
                Line::System(text) => {
                    self.system = (!text.is_empty()).then(|| text.to_owned());
                    self.turns.clear();
                    ui.note(format_args!(
                        "The conversation begins anew, {}.",
                        match &self.system {
                            Some(_) => "with what the model is to be",
                            None => "without saying what the model is to be",
                        }
                    ));
                }
                Line::Unknown(word) => ui.warn(format_args!(
                    "there is no `{}`; there are `/reset`, `/system TEXT` and `/quit`",
                    printable(word)
                )),
                Line::Say(text) => self.say(text, ui)?,
            }
        }
        Ok(())
    }

    /// Returns the next line; nothing at the end.
    fn line(&self, ui: &Ui) -> Result<Option<String>, CommandError> {
        if self.typed {
            // To stderr, as all that is not the model's.
            ui.prompt(&ui.paint_error(Style::Strong, "> "))?;
        }
        let mut line = Vec::new();
        // While nothing is written, Ctrl-C ends the program.
        let read = interrupt::while_idle(|| {
            let stdin = io::stdin().lock();
            io::Read::take(stdin, LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line)
        })?;
        if read == 0 {
            if self.typed {
                // What comes next begins on a line of its own.
                ui.note(format_args!(""));
            }
            return Ok(None);
        }
        if read > LONGEST_LINE {
            return Err(CommandError::failed("the line is longer than 1 MiB"));
        }
        let text = String::from_utf8(line);
        Ok(Some(text.map_err(|_| {
            CommandError::failed("the line is not text: it is not UTF-8")
        })?))
    }

    /// Says `text` to the model and shows what it answers.
    fn say(&mut self, text: &str, ui: &mut Ui) -> Result<(), CommandError> {
        let system = self.system.iter().map(Message::system);
        let messages = system
            .chain(self.turns.iter().cloned())
            .chain([Message::user(text)])
            .collect();
        let request = Request {
            input: Input::Messages(messages),
            ..self.request.clone()
        };
        let started = Instant::now();
        let (mut failure, mut shown_to_end) = (None, true);
        let mut results = self.writer.write(&[request], &mut |_, piece| {
            if !piece.is_empty() {
                shown_to_end = piece.ends_with('\n');
                let shown = ui.out().write_all(printable(piece).as_bytes());
                if let Err(error) = shown.and_then(|()| ui.finish()) {
                    failure = Some(error);
                    return ControlFlow::Break(());
                }
            }
            if interrupt::take() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        let result = results.remove(0);
        if !shown_to_end {
            writeln!(ui.out())?;
            ui.finish()?;
        }
        let written = match result {
            Ok(written) => written,
            // Too long a conversation is no reason to end it.
            Err(error) if self.typed => {
                ui.warn(format_args!("{error}"));
                ui.hint(format_args!("`/reset` begins anew"));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if written.text.is_empty() {
            writeln!(ui.out())?;
            ui.finish()?;
        }
        if written.finish == Finish::Sink {
            ui.note(format_args!("Stopped."));
        }
        note_written(ui, &written, self.most, started.elapsed());
        if written.finish == Finish::Sink && written.text.is_empty() {
            // Stopped before the first word: as if it had not been said.
            return Ok(());
        }
        self.turns.push(Message::user(text));
        self.turns.push(Message::assistant(written.text));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_or_a_command() {
        let check = |line, expect| assert_eq!(Line::read(line), expect, "{line}");
        check("  hello there \n", Line::Say("hello there"));
        check("\n", Line::Nothing);
        check("/reset\n", Line::Reset);
        check("/system  be brief\n", Line::System("be brief"));
        check("/system\n", Line::System(""));
        check("/quit", Line::Quit);
        check("/rest", Line::Unknown("/rest"));
        check("/etc/passwd is a file", Line::Say("/etc/passwd is a file"));
    }
}
