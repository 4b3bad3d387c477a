//! Texts written by a decoder: several together, each read only as far as it is new.
//!
//! A [`Request`] says what a text follows, how its tokens are chosen, where it ends and
//! what it must be. `session` puts those that are written at a time into one forward
//! pass after another; `sequence` is one of them; `prefixes` keeps what was read for
//! requests that begin alike; `conversation` puts what was said into the model's words. What is written does not depend on the company.

mod conversation;
mod engine;
mod loaded;
mod loss;
mod prefixes;
mod request;
mod sequence;
mod session;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use contract::promise::{Completion, Room};
use contract::{Generate, PromiseError, Prompt, Tokens};

use crate::constraint::{Constraint, ConstraintError, Follower, Grammars};
use crate::decoder::{Cache, Decoder, DecoderOptions, Workspace};
use crate::lora::Adapter;
use crate::sampling::{Sampler, Sampling};
use crate::stop::StopFilter;
use crate::tokenizer::{Special, TextTokenizer};
use crate::{ModelError, built_in};

use loaded::{Applied, Loaded};
use prefixes::Prefixes;
use sequence::Sequence;
use session::Session;

pub use loss::SequenceLoss;
pub use request::{Finish, GenerateError, Input, Message, Request, Written};

/// How a generator is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratorOptions {
    /// Threads to compute on; without, one for each processor.
    pub threads: Option<NonZeroUsize>,
    /// Where its vocabulary is, if not beside its weights.
    pub tokenizer: Option<PathBuf>,
    /// How many texts are written at a time.
    pub places: usize,
    /// How many finished texts' keys and values are kept for requests that begin alike.
    pub kept: usize,
    /// How tokens are chosen where only a prompt is given ([`Generate`]).
    pub sampling: Sampling,
    /// Texts at which writing ends there.
    pub stop: Vec<String>,
    /// Folders of LoRA adapters that are applied to every text, each with its weight: 1 is
    /// as it was trained. Requests may name more.
    pub adapters: Vec<(PathBuf, f32)>,
}

impl Default for GeneratorOptions {
    fn default() -> Self {
        Self {
            threads: None,
            tokenizer: None,
            places: 8,
            kept: 1,
            sampling: Sampling::default(),
            stop: Vec::new(),
            adapters: Vec::new(),
        }
    }
}

impl GeneratorOptions {
    /// Returns them with the LoRA adapter in `folder`, as it was trained.
    pub fn with_adapter(mut self, folder: &Path) -> Self {
        self.adapters.push((folder.to_path_buf(), 1.0));
        self
    }
}

/// A decoder with its tokenizer, ready to write.
///
/// One call writes at a time; others wait for it. So whoever has several requests gives
/// them to one call.
pub struct Generator {
    name: String,
    decoder: Decoder,
    tokenizer: Arc<TextTokenizer>,
    adapters: Vec<(String, Adapter)>,
    options: GeneratorOptions,
    memory: Mutex<Memory>,
}

/// What calls leave behind for the next.
struct Memory {
    workspace: Workspace,
    prefixes: Prefixes<Cache, Applied>,
    grammars: Option<Grammars>,
}

impl Generator {
    /// Opens the model at `path`: a Hugging Face folder or a GGUF file.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of a kind that is not known, or the vocabulary is
    /// larger than the model's.
    pub fn open(path: &Path, options: &GeneratorOptions) -> Result<Self, ModelError> {
        let decoder = Decoder::open(
            path,
            &DecoderOptions {
                threads: options.threads,
                ..DecoderOptions::default()
            },
        )?;
        let tokenizer = match &options.tokenizer {
            Some(tokenizer) => TextTokenizer::open(tokenizer)?,
            None => TextTokenizer::open_beside(path)?,
        };
        tokenizer.fits(decoder.config().vocabulary)?;
        let name = path.file_stem().unwrap_or(path.as_os_str());
        let adapters = options
            .adapters
            .iter()
            .map(|(folder, _)| {
                let name = folder.to_string_lossy().into_owned();
                Ok((name, Adapter::open(folder, &decoder)?))
            })
            .collect::<Result<_, ModelError>>()?;
        let name = name.to_string_lossy().into_owned();
        Ok(Self {
            adapters,
            ..Self::of(name, decoder, tokenizer, options)
        })
    }

    /// Opens the model that is built into the program: small, and trained to answer from a
    /// text that it is given (`docs/base-model/model-card.md`).
    ///
    /// # Errors
    /// If its threads cannot be started.
    pub fn built_in(options: &GeneratorOptions) -> Result<Self, ModelError> {
        let decoder = Decoder::built_in(&DecoderOptions {
            threads: options.threads,
            ..DecoderOptions::default()
        })?;
        let name = built_in::NAME.to_owned();
        Ok(Self::of(name, decoder, TextTokenizer::built_in(), options))
    }

    fn of(
        name: String,
        decoder: Decoder,
        tokenizer: TextTokenizer,
        options: &GeneratorOptions,
    ) -> Self {
        Self {
            name,
            decoder,
            tokenizer: Arc::new(tokenizer),
            adapters: Vec::new(),
            memory: Mutex::new(Memory {
                workspace: Workspace::default(),
                prefixes: Prefixes::new(options.kept),
                grammars: None,
            }),
            options: options.clone(),
        }
    }

    /// Opens the LoRA adapter in `folder`, which requests call `name` from now on; one that
    /// had the name before is dropped.
    ///
    /// # Errors
    /// If it is damaged, or was trained on another base model.
    pub fn add_adapter(&mut self, name: &str, folder: &Path) -> Result<(), ModelError> {
        let adapter = Adapter::open(folder, &self.decoder)?;
        let known = self.adapters.iter_mut().find(|(known, _)| known == name);
        match known {
            Some((_, known)) => *known = adapter,
            None => self.adapters.push((name.to_owned(), adapter)),
        }
        // What was read with the old one.
        let memory = self.memory.get_mut();
        memory.unwrap_or_else(PoisonError::into_inner).prefixes = Prefixes::new(self.options.kept);
        Ok(())
    }

    /// Returns its decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Returns its tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// Writes a text for each of `requests`, several at a time. With each token, the text
    /// that is sure by then is given to `sink`, with the number of its request; it may be
    /// empty. A sink that breaks ends that text.
    ///
    /// A request that cannot be answered has its error among the results; the others are
    /// answered.
    ///
    /// # Errors
    /// If the model fails.
    pub fn run(
        &self,
        requests: &[Request],
        sink: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Result<Vec<Result<Written, GenerateError>>, GenerateError> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let Memory {
            workspace,
            prefixes,
            grammars,
        } = &mut *memory;
        let mut results: Vec<_> = requests.iter().map(|_| None).collect();
        let mut loaded = Loaded {
            decoder: &self.decoder,
            tokenizer: &self.tokenizer,
            adapters: &self.adapters,
            workspace,
        };
        let mut session = Session::new(&mut loaded, prefixes, self.options.places);
        for (number, request) in requests.iter().enumerate() {
            match self.prepare(number, request, grammars) {
                Ok(sequence) => session.add(sequence),
                Err(error) => results[number] = Some(Err(error)),
            }
        }
        while !session.is_over() {
            for (number, result) in session.step(sink)? {
                results[number] = Some(result);
            }
        }
        let written = |it: Option<_>| it.expect("every request has ended");
        Ok(results.into_iter().map(written).collect())
    }

    /// Writes one text.
    ///
    /// # Errors
    /// If the request cannot be answered, or the model fails.
    pub fn write(
        &self,
        request: &Request,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Written, GenerateError> {
        let results = self.run(std::slice::from_ref(request), &mut |_, text| sink(text))?;
        results.into_iter().next().expect("one for each request")
    }

    /// Makes a request ready to be read.
    fn prepare<'g>(
        &'g self,
        number: usize,
        request: &Request,
        grammars: &mut Option<Grammars>,
    ) -> Result<Sequence<Loaded<'g>>, GenerateError> {
        let tokens = self.tokens(&request.input)?;
        let config = self.decoder.config();
        if tokens.len() >= config.context {
            return Err(GenerateError::Context {
                prompt: tokens.len(),
                context: config.context,
            });
        }
        if let Some(found) = tokens.iter().find(|it| **it as usize >= config.vocabulary) {
            return Err(GenerateError::Token {
                found: *found,
                vocabulary: config.vocabulary,
            });
        }
        let mut sampler = Sampler::new(&request.sampling, config.vocabulary)?;
        sampler.see(&tokens);
        let most = request.max_tokens.unwrap_or(usize::MAX);
        let is_answer = matches!(request.input, Input::Messages(_));
        let follows = tokens
            .iter()
            .any(|token| !self.tokenizer.is_special(*token));
        Ok(Sequence {
            request: number,
            prompt: tokens.len(),
            read: 0,
            reused: 0,
            longest: tokens.len().saturating_add(most).min(config.context),
            adapters: self.applied(&request.adapters)?,
            sampler,
            follower: match &request.constraint {
                Some(constraint) => Some(self.follow(constraint, grammars)?),
                None => None,
            },
            stop: StopFilter::new(&request.stop),
            stream: if follows && !is_answer {
                self.tokenizer.continuation()
            } else {
                self.tokenizer.stream()
            },
            text: String::new(),
            likeliest: request.likeliest,
            likelihoods: Vec::new(),
            begun: Instant::now(),
            first_after: None,
            tokens,
        })
    }

    /// Returns the tokens of a prompt: one at least.
    fn tokens(&self, input: &Input) -> Result<Vec<u32>, GenerateError> {
        let mut tokens = match input {
            Input::Tokens(tokens) => tokens.clone(),
            Input::Text(text) => self.tokenizer.encode(text, Special::Surround)?,
            Input::Raw(text) => self.tokenizer.encode(text, Special::Add)?,
            Input::Messages(messages) => conversation::tokens(&self.tokenizer, messages)?,
        };
        if tokens.is_empty() {
            tokens.push(self.tokenizer.begin().ok_or(GenerateError::Empty)?);
        }
        Ok(tokens)
    }

    /// Returns a prompt as this model takes it.
    fn input(&self, prompt: &Prompt) -> Input {
        let text = prompt.as_str().to_owned();
        match self.tokenizer.chat_template() {
            Some(_) => Input::Messages(vec![Message::user(text)]),
            None => Input::Text(text),
        }
    }

    fn broken(&self, source: GenerateError) -> PromiseError {
        PromiseError {
            who: self.name.clone(),
            source: Box::new(source),
        }
    }

    fn applied(&self, wanted: &[(String, f32)]) -> Result<Applied, GenerateError> {
        let at = |(name, weight): &(String, f32)| {
            let at = self.adapters.iter().position(|(known, _)| known == name);
            at.map(|at| (at, *weight))
                .ok_or_else(|| GenerateError::Adapter {
                    found: name.clone(),
                    known: self.adapters.iter().map(|(name, _)| name.clone()).collect(),
                })
        };
        // Those of the options were opened first, in their order.
        let always = self.options.adapters.iter().map(|(_, weight)| *weight);
        let always = always.enumerate().map(Ok);
        always.chain(wanted.iter().map(at)).collect()
    }

    fn follow(
        &self,
        constraint: &Constraint,
        grammars: &mut Option<Grammars>,
    ) -> Result<Follower, ConstraintError> {
        let grammars = match grammars {
            Some(grammars) => grammars,
            None => grammars.insert(self.grammars()?),
        };
        grammars.follow(constraint)
    }

    /// Makes what constraints need of the vocabulary.
    fn grammars(&self) -> Result<Grammars, ConstraintError> {
        let word = |token: u32| {
            let bytes = (!self.tokenizer.is_special(token)).then(|| self.tokenizer.bytes(token));
            bytes.flatten().map(|bytes| bytes.into_owned())
        };
        let words = (0..self.decoder.config().vocabulary as u32).map(word);
        let tokenizer = Arc::clone(&self.tokenizer);
        // A text that cannot be cut has no tokens, and is then cut by the vocabulary alone.
        let encode = move |text: &str| tokenizer.encode(text, Special::Ignore).unwrap_or_default();
        Grammars::new(words.collect(), self.tokenizer.ends(), Box::new(encode))
    }
}

impl Generate for Generator {
    fn name(&self) -> &str {
        &self.name
    }

    fn room(&self, prompt: &Prompt) -> Result<Option<Room>, PromiseError> {
        let tokens = self
            .tokens(&self.input(prompt))
            .map_err(|source| self.broken(source))?;
        Ok(Some(Room {
            prompt: Tokens(tokens.len() as u64),
            context: Tokens(self.decoder.config().context as u64),
        }))
    }

    /// A model with a chat template is given the prompt as what the user says; another goes
    /// on with it, until it begins a question of its own.
    fn generate(
        &self,
        prompt: &Prompt,
        max_tokens: Tokens,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, PromiseError> {
        let input = self.input(prompt);
        let mut stop = self.options.stop.clone();
        if matches!(input, Input::Text(_)) {
            stop.extend(prompt.next_part().iter().map(|it| (*it).to_owned()));
        }
        let request = Request {
            input,
            max_tokens: Some(usize::try_from(max_tokens.0).unwrap_or(usize::MAX)),
            sampling: self.options.sampling.clone(),
            stop,
            ..Request::default()
        };
        let written = self
            .write(&request, sink)
            .map_err(|source| self.broken(source))?;
        Ok(Completion {
            text: written.text,
            prompt_tokens: Tokens(written.prompt_tokens as u64),
            completion_tokens: Tokens(written.completion_tokens as u64),
        })
    }
}
