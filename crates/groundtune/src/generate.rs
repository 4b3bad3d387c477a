//! Writing: a model, here or on a server, goes on with a text or answers in a conversation.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ::train::Run;
use model::generator::Generator;
use remote::{Chat, ChatReply, ChatSettings};

use crate::Error;
use crate::data::prompt_line;
use crate::models::{Environment, ModelPlace, ModelReference, ModelUse, run_at};
use crate::train::TrainingError;

pub use model::generator::{
    Finish, GenerateError, GeneratorOptions, Input, Message, Request, Written,
};
pub use model::{
    Constraint, ConstraintError, Likelihood, ModelError, Sampling, SamplingError, TokenLikelihood,
};

/// A model that writes.
pub enum Writer {
    /// On this machine.
    Here {
        /// The model.
        generator: Box<Generator>,
        /// Whether it or an adapter was taught to answer prompts, as its run says: a text is then given to
        /// it as it was taught prompts, each on a line of its own unless it ends in a space
        /// or a colon.
        prompts: bool,
    },
    /// On a server.
    There(Chat),
}

impl Writer {
    /// Opens the model that `reference` names. Paths are relative to `base`.
    ///
    /// # Errors
    /// If none is named, or it is not there, damaged, or of a kind that is not known.
    pub fn open(
        reference: &ModelReference,
        base: &Path,
        environment: &Environment,
        options: &GeneratorOptions,
    ) -> Result<Self, Error> {
        let generator = match environment.resolve(reference, ModelUse::Generator, base)? {
            ModelPlace::BuiltIn => Generator::built_in(options)?,
            ModelPlace::Nowhere => {
                return Err(Error::NoModel {
                    wanted: ModelUse::Generator,
                });
            }
            ModelPlace::Local(path) => Generator::open(&path, options)?,
            ModelPlace::Tuned(tuned) => Generator::open(&tuned.model, &tuned.options(options))?,
            ModelPlace::Server(server) => {
                return Ok(Self::There(Chat::new(
                    environment.server_options(&server)?,
                )?));
            }
        };
        Ok(Self::Here {
            generator: Box::new(generator),
            prompts: was_taught_prompts(environment.run_of(reference, base)?)?,
        })
    }

    /// Opens a LoRA adapter for it, which requests call `name`. If the run that made it taught
    /// answers to prompts, every text is given as such a prompt.
    ///
    /// # Errors
    /// If it is damaged, or was trained on another base model, or the model is on a server.
    pub fn add_adapter(&mut self, name: &str, folder: &Path) -> Result<(), Error> {
        match self {
            Self::Here { generator, prompts } => {
                generator
                    .add_adapter(name, folder)
                    .map_err(|source| Error::Adapter {
                        folder: folder.into(),
                        source: Box::new(source),
                    })?;
                *prompts |= was_taught_prompts(run_at(folder))?;
                Ok(())
            }
            Self::There(_) => Err(server_cannot("an adapter")),
        }
    }

    /// Returns whether it can hold a conversation.
    pub fn converses(&self) -> bool {
        match self {
            Self::Here { generator, .. } => generator.tokenizer().chat_template().is_some(),
            Self::There(_) => true,
        }
    }

    /// Writes a text for each of `requests`, as [`Generator::run`] does; a server is asked
    /// for one after another.
    ///
    /// # Errors
    /// If the model fails.
    pub fn write(
        &self,
        requests: &[Request],
        sink: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Result<Vec<Result<Written, Error>>, Error> {
        Ok(match self {
            Self::Here { generator, prompts } => {
                let told: Vec<Request>;
                let requests = match prompts {
                    true => {
                        told = requests.iter().map(as_prompt).collect();
                        &told
                    }
                    false => requests,
                };
                let written = generator.run(requests, sink)?;
                written
                    .into_iter()
                    .map(|it| it.map_err(Error::from))
                    .collect()
            }
            Self::There(chat) => (0..)
                .zip(requests)
                .map(|(number, request)| ask(chat, request, &mut |text| sink(number, text)))
                .collect(),
        })
    }
}

/// Returns whether what a run made was taught to answer prompts.
fn was_taught_prompts(run: Option<PathBuf>) -> Result<bool, TrainingError> {
    Ok(match run {
        Some(run) => Run::describe(&run)?.prompts,
        None => false,
    })
}

/// Returns a request whose text is a prompt, as one is learnt.
fn as_prompt(request: &Request) -> Request {
    let mut request = request.clone();
    if let Input::Text(text) = &mut request.input {
        *text = prompt_line(text).into_owned();
    }
    request
}

fn server_cannot(what: &'static str) -> Error {
    Error::ServerCannot { what }
}

/// Asks a server for one text.
fn ask(
    chat: &Chat,
    request: &Request,
    sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> Result<Written, Error> {
    let settings = settings(request)?;
    let messages: Vec<(&str, &str)> = match &request.input {
        Input::Messages(messages) => messages
            .iter()
            .map(|it| (it.role.as_str(), it.content.as_str()))
            .collect(),
        Input::Text(text) | Input::Raw(text) => vec![("user", text)],
        Input::Tokens(_) => return Err(server_cannot("a prompt of tokens")),
    };
    let (mut enough, begun, mut first_after) = (false, Instant::now(), None);
    let reply = chat.chat(&messages, &settings, &mut |text| {
        first_after.get_or_insert_with(|| begun.elapsed());
        let flow = sink(text);
        enough = flow.is_break();
        flow
    })?;
    Ok(Written {
        first_after,
        ..written(reply, enough)
    })
}

/// Returns what a server is told. What it cannot be told is an error: left out in silence,
/// the text would be another than was asked for.
fn settings(request: &Request) -> Result<ChatSettings, Error> {
    let sampling = &request.sampling;
    sampling.check().map_err(GenerateError::from)?;
    let cannot = [
        ("a top-k", sampling.top_k.is_some()),
        ("a min-p", sampling.min_p.is_some()),
        ("a repetition penalty", sampling.repetition_penalty != 1.0),
        (
            "a regular expression",
            matches!(request.constraint, Some(Constraint::Regex(_))),
        ),
        ("log-probabilities", request.likeliest.is_some()),
        ("an adapter", !request.adapters.is_empty()),
    ];
    if let Some((what, _)) = cannot.into_iter().find(|(_, wanted)| *wanted) {
        return Err(server_cannot(what));
    }
    Ok(ChatSettings {
        max_tokens: request.max_tokens.map(|count| count as u64),
        temperature: Some(f64::from(sampling.temperature)),
        top_p: sampling.top_p.map(f64::from),
        seed: Some(sampling.seed),
        stop: request.stop.clone(),
        json_schema: match &request.constraint {
            Some(Constraint::JsonSchema(schema)) => Some(schema.clone()),
            _ => None,
        },
    })
}

/// Returns a server's reply in our words. Its tokens are not known, at best their count.
fn written(reply: ChatReply, enough: bool) -> Written {
    Written {
        finish: match reply.finish.as_deref() {
            _ if enough => Finish::Sink,
            Some("length") => Finish::Length,
            _ => Finish::Stop,
        },
        text: reply.text,
        tokens: Vec::new(),
        prompt_tokens: reply.prompt_tokens.unwrap_or(0) as usize,
        completion_tokens: reply.completion_tokens.unwrap_or(0) as usize,
        reused_tokens: 0,
        likelihoods: Vec::new(),
        first_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_not_asked_for_less_than_was_wanted() {
        let check = |request: Request, expect: &str| {
            let error = settings(&request).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(
            Request {
                constraint: Some(Constraint::Regex("a".into())),
                ..Request::default()
            },
            "a regular expression",
        );
        check(
            Request {
                sampling: Sampling {
                    top_k: Some(3),
                    ..Sampling::default()
                },
                ..Request::default()
            },
            "a top-k",
        );
        check(
            Request {
                adapters: vec![("a".into(), 1.0)],
                ..Request::default()
            },
            "an adapter",
        );
    }

    #[test]
    fn a_server_is_told_the_rest() {
        let request = Request {
            max_tokens: Some(7),
            stop: vec!["x".into()],
            sampling: Sampling {
                temperature: 0.5,
                seed: 3,
                ..Sampling::default()
            },
            ..Request::default()
        };
        let told = settings(&request).unwrap();
        assert_eq!(told.max_tokens, Some(7));
        assert_eq!(told.temperature, Some(0.5));
        assert_eq!((told.seed, told.stop), (Some(3), vec!["x".to_owned()]));
    }

    #[test]
    fn a_reply_ends_for_a_reason() {
        let finish = |word: Option<&str>, enough| {
            let reply = ChatReply {
                finish: word.map(str::to_owned),
                ..ChatReply::default()
            };
            written(reply, enough).finish
        };
        assert_eq!(finish(Some("length"), false), Finish::Length);
        assert_eq!(finish(Some("stop"), false), Finish::Stop);
        assert_eq!(finish(None, true), Finish::Sink);
    }
}
