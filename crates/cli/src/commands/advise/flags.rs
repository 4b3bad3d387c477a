//! A flag for each question, made from the catalogue: a question has one home.

use std::fmt::Write as _;
use std::sync::LazyLock;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use groundtune::advise::{AnswerError, Answers, Kind, Part, QUESTIONS, Question, get, set};

use crate::ui::quote;

/// The flags' names; a question's key has `_` where its flag has `-`.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    QUESTIONS
        .iter()
        .map(|it| it.key.replace('_', "-"))
        .collect()
});

/// Answers from the command line.
#[derive(Clone, Debug, Default)]
pub(super) struct AnswerFlags(Vec<(&'static str, String)>);

impl AnswerFlags {
    /// Returns each question that a flag answers, and the answer as it was written.
    pub(super) fn answers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, text)| (*key, text.as_str()))
    }
}

impl Args for AnswerFlags {
    fn augment_args(mut command: Command) -> Command {
        for (question, name) in QUESTIONS.iter().zip(NAMES.iter()) {
            let heading = match question.part {
                Part::Six => "Answers to the six questions",
                Part::More => "Answers to what else weighs",
                Part::Estimate => "Answers for the estimates",
            };
            let mut more = format!("{} {}", question.asks, question.explains);
            if let Kind::Choice(choices) = question.kind {
                for choice in choices {
                    let _ = write!(more, "\n- {}: {}", choice.word, choice.means);
                }
            }
            command = command.arg(
                Arg::new(question.key)
                    .long(name.as_str())
                    .value_name(value_name(question.kind))
                    .help(question.asks)
                    .long_help(more)
                    .help_heading(heading)
                    .value_parser(move |text: &str| understood(question, text)),
            );
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AnswerFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = QUESTIONS.iter().filter_map(|it| {
            let text = matches.get_one::<String>(it.key)?;
            Some((it.key, text.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn value_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Choice(_) => "WORD",
        Kind::YesNo => "YES|NO",
        Kind::Count => "COUNT",
        Kind::Usd => "USD",
        Kind::Milliseconds => "TIME",
        Kind::Days => "TIME",
        Kind::Bytes => "SIZE",
    }
}

/// Returns the answer as it was written, if it is one.
fn understood(question: &Question, text: &str) -> Result<String, String> {
    match set(&mut Answers::default(), question.key, text) {
        Ok(()) => Ok(text.to_owned()),
        Err(AnswerError::NotUnderstood {
            expected, nearest, ..
        }) => Err(match nearest {
            Some(nearest) => format!("expected {expected}; did you mean `{nearest}`?"),
            None => format!("expected {expected}"),
        }),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns the flags that give these answers.
pub(super) fn as_flags(answers: &Answers) -> String {
    let given = QUESTIONS
        .iter()
        .zip(NAMES.iter())
        .filter_map(|(question, name)| {
            let text = get(answers, question.key)?;
            Some(format!("--{name} {}", quote(&text)))
        });
    given.collect::<Vec<_>>().join(" ")
}
