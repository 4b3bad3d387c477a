//! An answer, and the evidence it cites.

use std::time::Duration;

use crate::{Evidence, Tokens};

/// What a candidate answers to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer's text; numbers in brackets (`[1]`) cite `citations`.
    pub text: String,
    /// Whether it declines to answer because the evidence does not bear on the question.
    pub abstained: bool,
    /// The evidence it rests on, in the order of its numbers; empty if it abstained.
    pub citations: Vec<Citation>,
    /// Tokens read, where a model was asked.
    pub prompt_tokens: Option<Tokens>,
    /// Tokens written, where a model was asked.
    pub completion_tokens: Option<Tokens>,
    /// From question to answer.
    pub elapsed: Duration,
}

/// A numbered reference from an answer to its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// The number in the answer's text, from 1.
    pub number: u32,
    /// What is cited.
    pub evidence: Evidence,
}
