//! One text while it is written: the tokens so far, and how the next one is chosen.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::request::{Finish, GenerateError, Written};
use crate::constraint::Follower;
use crate::sampling::{Likelihood, LogSoftmax, Sampler};
use crate::stop::StopFilter;

/// A request that is ready to be read and written.
pub(super) struct Sequence<E: Engine> {
    /// Its number in the session.
    pub(super) request: usize,
    /// The prompt's tokens, then those written.
    pub(super) tokens: Vec<u32>,
    /// How many of them the prompt has.
    pub(super) prompt: usize,
    /// How many of them the cache holds.
    pub(super) read: usize,
    /// How many of the prompt's were taken over from another sequence.
    pub(super) reused: usize,
    /// How many tokens it may have in all.
    pub(super) longest: usize,
    pub(super) adapters: E::Adapters,
    pub(super) sampler: Sampler,
    pub(super) follower: Option<Follower>,
    pub(super) stop: StopFilter,
    pub(super) stream: E::Stream,
    pub(super) text: String,
    /// How many others to tell of beside each token.
    pub(super) likeliest: Option<usize>,
    pub(super) likelihoods: Vec<Likelihood>,
    /// When it was asked for.
    pub(super) begun: Instant,
    /// How long its first token took from then on.
    pub(super) first_after: Option<Duration>,
}

/// Memory of a choice, used by all sequences in turn.
#[derive(Default)]
pub(super) struct Scratch {
    logits: Vec<f32>,
    softmax: LogSoftmax,
}

/// Takes a piece of text, which is empty where a token makes none sure or a part of a long
/// prompt was read, and says whether more is wanted.
pub(super) type Sink<'a> = dyn FnMut(usize, &str) -> ControlFlow<()> + 'a;

impl<E: Engine> Sequence<E> {
    /// Writes what a constraint begins with in any case. Returns why the text ends, if it
    /// does.
    pub(super) fn begin(
        &mut self,
        engine: &E,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Finish>, GenerateError> {
        if self.tokens.len() >= self.longest {
            return Ok(Some(Finish::Length));
        }
        self.write_forced(engine, sink)
    }

    /// Chooses the next token after `logits`, `(V)`, and writes it with what a constraint
    /// lets follow it in any case. Returns why the text ends, if it does.
    pub(super) fn choose(
        &mut self,
        engine: &E,
        logits: &[f32],
        scratch: &mut Scratch,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Finish>, GenerateError> {
        let allowed = match &mut self.follower {
            Some(follower) => Some(follower.allowed()?),
            None => None,
        };
        scratch.logits.clear();
        scratch.logits.extend_from_slice(logits);
        let allowed = allowed.as_ref().map(|allowed| allowed.words());
        let token = self
            .sampler
            .choose(&mut scratch.logits, allowed)
            .ok_or(GenerateError::NotFinite)?;
        if let Some(follower) = &mut self.follower {
            follower.take(token)?;
        }
        if engine.ends(token) {
            return Ok(Some(Finish::Stop));
        }
        if let Some(count) = self.likeliest {
            let softmax = &mut scratch.softmax;
            softmax.take(logits, count);
            self.likelihoods.push(Likelihood {
                chosen: softmax.of(token, logits),
                likeliest: softmax.likeliest().to_vec(),
            });
        }
        match self.write(engine, token, sink)? {
            None => self.write_forced(engine, sink),
            finish => Ok(finish),
        }
    }

    /// Writes tokens that must come. Where every token's likelihood is asked, the model is
    /// asked for these too, one by one.
    fn write_forced(
        &mut self,
        engine: &E,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Finish>, GenerateError> {
        let Some(follower) = &mut self.follower else {
            return Ok(None);
        };
        let forced = match self.likeliest {
            None => follower.take_forced()?,
            Some(_) => Vec::new(),
        };
        let over = follower.is_over();
        for token in forced {
            if let Some(finish) = self.write(engine, token, sink)? {
                return Ok(Some(finish));
            }
        }
        Ok(over.then_some(Finish::Stop))
    }

    /// Writes one token.
    fn write(
        &mut self,
        engine: &E,
        token: u32,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Finish>, GenerateError> {
        self.tokens.push(token);
        self.first_after.get_or_insert_with(|| self.begun.elapsed());
        self.sampler.see(&[token]);
        let piece = engine.push(&mut self.stream, token)?;
        let full = self.tokens.len() >= self.longest;
        Ok(self.give(&piece, sink).or(full.then_some(Finish::Length)))
    }

    /// Gives on what is sure not to belong to a stop string.
    fn give(&mut self, piece: &str, sink: &mut Sink<'_>) -> Option<Finish> {
        let passed = self.stop.take(piece);
        let flow = self.show(&passed.text, sink);
        match passed.stopped {
            Some(_) => Some(Finish::StopString),
            None => flow.is_break().then_some(Finish::Sink),
        }
    }

    fn show(&mut self, text: &str, sink: &mut Sink<'_>) -> ControlFlow<()> {
        self.text.push_str(text);
        sink(self.request, text)
    }

    /// Ends the text: what was held back is given on, unless a stop string or the sink
    /// ended it.
    pub(super) fn end(&mut self, engine: &E, mut finish: Finish, sink: &mut Sink<'_>) -> Written {
        if matches!(finish, Finish::Stop | Finish::Length) {
            let rest = engine.finish(&mut self.stream);
            if let Some(other) = self.give(&rest, sink) {
                finish = other;
            } else {
                let held = self.stop.finish();
                // Nothing follows, so it is too late to have enough.
                let _ = self.show(&held, sink);
            }
        }
        Written {
            text: std::mem::take(&mut self.text),
            tokens: self.tokens[self.prompt..].to_vec(),
            finish,
            prompt_tokens: self.prompt,
            completion_tokens: self.tokens.len() - self.prompt,
            reused_tokens: self.reused,
            likelihoods: std::mem::take(&mut self.likelihoods),
            first_after: self.first_after,
        }
    }
}
