//! What `search` and `ask` take from the command line.

use clap::Args;
use groundtune::Filter;
use groundtune::ask::Question;
use groundtune::contract::{Reader, Share};

use crate::command_error::CommandError;

/// A question, who asks it, and how good the evidence must be.
#[derive(Debug, Args)]
pub(crate) struct QuestionArguments {
    /// The question. Several words need no quotes.
    #[arg(value_name = "QUESTION", required = true)]
    words: Vec<String>,

    /// The most chunks to find [default: the project's `top_k`, 5].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    top_k: Option<u32>,

    /// Leaves out what scores less, from 0 to 1 [default: the project's `threshold`
    /// for `ask`, none for `search`].
    #[arg(long, value_name = "SHARE", value_parser = share)]
    threshold: Option<Share>,

    #[command(flatten)]
    who: ReaderArguments,
}

/// Whose documents, and which.
#[derive(Debug, Args)]
pub(crate) struct ReaderArguments {
    /// Only documents with such metadata: `jurisdiction = "US" and date >= 2026-01-01`.
    /// Given several times, all must hold.
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,

    /// Asks as somebody in this group. May be given several times. Without it, only
    /// what everyone may read is found.
    #[arg(long = "as", value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
}

fn share(text: &str) -> Result<Share, String> {
    text.parse()
        .ok()
        .and_then(Share::new)
        .ok_or_else(|| "it must be a number from 0 to 1".into())
}

impl QuestionArguments {
    /// Returns what is asked. Fails if the question is blank or a filter is not one.
    pub(crate) fn question(&self) -> Result<Question, CommandError> {
        let text = self.words.join(" ");
        if text.trim().is_empty() {
            return Err(CommandError::usage("the question is empty"));
        }
        Ok(Question {
            text,
            reader: self.who.reader(),
            filter: self.who.filter()?,
            top_k: self.top_k.map(|count| count as usize),
            threshold: self.threshold,
            ..Question::default()
        })
    }
}

impl ReaderArguments {
    /// Returns who asks.
    pub(crate) fn reader(&self) -> Reader {
        Reader::of(&self.groups)
    }

    /// Returns the one filter that all the given ones make.
    pub(crate) fn filter(&self) -> Result<Option<Filter>, CommandError> {
        let mut parts = self
            .filter
            .iter()
            .map(|text| Filter::parse(text))
            .collect::<Result<Vec<_>, _>>()
            .map_err(CommandError::usage)?;
        Ok(match parts.len() {
            0 | 1 => parts.pop(),
            _ => Some(Filter::All(parts)),
        })
    }
}
