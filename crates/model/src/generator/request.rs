//! What is asked of a generator, what it answers, and why it may not.

use std::time::Duration;

use thiserror::Error;

use crate::sampling::{Likelihood, Sampling, SamplingError};
use crate::{Constraint, ConstraintError, ModelError};

/// One text to write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// What it follows.
    pub input: Input,
    /// The most tokens to write; without, as many as the model's context has room for.
    pub max_tokens: Option<usize>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Texts at which writing ends; they are not part of what is written.
    pub stop: Vec<String>,
    /// What the text must be.
    pub constraint: Option<Constraint>,
    /// Whether to tell how likely each token was, and of how many others.
    pub likeliest: Option<usize>,
    /// Names of the generator's adapters, with the weight of each; they add up.
    pub adapters: Vec<(String, f32)>,
}

/// What a text follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A text that the model goes on with. Names of special tokens in it are text.
    Text(String),
    /// A text in which names of special tokens become them: for whoever writes a model's
    /// marks by hand.
    Raw(String),
    /// A conversation, put into the words of the model's own chat template. Names of
    /// special tokens in what somebody says are text.
    Messages(Vec<Message>),
    /// Tokens, as they are.
    Tokens(Vec<u32>),
}

impl Default for Input {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who says it, as the template calls them: `system`, `user`, `assistant`.
    pub role: String,
    /// What they say.
    pub content: String,
}

impl Message {
    /// Returns what the model is told to be.
    pub fn system(content: impl Into<String>) -> Self {
        Self::of("system", content)
    }

    /// Returns what the user says.
    pub fn user(content: impl Into<String>) -> Self {
        Self::of("user", content)
    }

    /// Returns what the model said.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::of("assistant", content)
    }

    fn of(role: &str, content: impl Into<String>) -> Self {
        Self {
            role: role.to_owned(),
            content: content.into(),
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The text, without the stop string.
    pub text: String,
    /// Its tokens, those of the stop string included, without the one that ends a text.
    pub tokens: Vec<u32>,
    /// Why it ends.
    pub finish: Finish,
    /// How many tokens the prompt has; 0 if a server wrote the text and does not tell.
    pub prompt_tokens: usize,
    /// How many tokens were written: as many as `tokens` has, which a server does not give
    /// away. It may tell their count, though; 0 if it does not.
    pub completion_tokens: usize,
    /// How many of these the model had read before and did not read again.
    pub reused_tokens: usize,
    /// How likely each token was, if that was asked.
    pub likelihoods: Vec<Likelihood>,
    /// How long it took from the request to the first token, if there is one and its time
    /// is known.
    pub first_after: Option<Duration>,
}

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or nothing may follow what the constraint asked for.
    Stop,
    /// It has as many tokens as were asked for, or the context is full.
    Length,
    /// It came to a stop string.
    StopString,
    /// Whoever read it had enough.
    Sink,
}

impl Finish {
    /// Returns its name: `stop`, `length`, `stop_string` or `sink`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::StopString => "stop_string",
            Self::Sink => "sink",
        }
    }
}

/// Why a request could not be answered.
#[derive(Debug, Error)]
pub enum GenerateError {
    /// The prompt leaves no room to write in.
    #[error(
        "the prompt has {prompt} tokens, but the model reads at most {context}, with what it writes"
    )]
    Context {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens that the model can look back on.
        context: usize,
    },
    /// There is nothing to go on from.
    #[error("the prompt is empty, and the model has no token that begins a text")]
    Empty,
    /// A token of the prompt is not in the vocabulary.
    #[error("token {found} of the prompt is none of the model's {vocabulary}")]
    Token {
        /// The token.
        found: u32,
        /// How many the model knows.
        vocabulary: usize,
    },
    /// A conversation is asked of a model that was not made for one.
    #[error("the model has no chat template: it goes on with texts, but knows no conversation")]
    NoTemplate,
    /// An adapter is not the generator's.
    #[error("there is no adapter `{found}`; there {}", known_names(known))]
    Adapter {
        /// Its name.
        found: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A setting of sampling is out of its range.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// The constraint cannot be followed.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
    /// No token has a probability.
    #[error(
        "the model's numbers for the next token are not finite: its weights are damaged, or an adapter is too strong"
    )]
    NotFinite,
    /// The model failed.
    #[error(transparent)]
    Model(Box<ModelError>),
}

impl From<ModelError> for GenerateError {
    fn from(error: ModelError) -> Self {
        // Boxed: it is several times as large as all the others.
        Self::Model(Box::new(error))
    }
}

fn known_names(known: &[String]) -> String {
    match known {
        [] => "is none".into(),
        [one] => format!("is `{one}`"),
        many => format!("are `{}`", many.join("`, `")),
    }
}
