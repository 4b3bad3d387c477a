//! A model that writes, behind the interface for chats that OpenAI has and nearly every
//! server repeats: `POST /chat/completions`, answered as a stream of events or at once.

use std::ops::ControlFlow;

use contract::{Completion, Generate, PromiseError, Prompt, Tokens};
use serde_json::{Value, json};

use crate::events::Events;
use crate::http::{Reply, reading_failed, unexpected};
use crate::server::Server;
use crate::{RemoteError, ServerOptions};

const PATH: &str = "chat/completions";
/// Servers differ in what they know; this many times a request is put otherwise.
const MOST_CHANGES: usize = 3;

/// A model on a server that writes.
pub struct Chat {
    server: Server,
    name: String,
}

/// How a model is to write. What is not said is as the server has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatSettings {
    /// At most so many tokens.
    pub max_tokens: Option<u64>,
    /// 0 takes the likeliest token; more is more varied.
    pub temperature: Option<f64>,
    /// Only the likeliest tokens that together have this share.
    pub top_p: Option<f64>,
    /// The same seed, the same text; as far as the server can.
    pub seed: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// The JSON schema that the answer must follow.
    pub json_schema: Option<Value>,
}

/// What a model wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatReply {
    /// The whole text.
    pub text: String,
    /// Why it ended, in the server's word: `stop`, `length`; nothing where it was stopped
    /// from here.
    pub finish: Option<String>,
    /// Tokens read, if the server says.
    pub prompt_tokens: Option<u64>,
    /// Tokens written, if the server says.
    pub completion_tokens: Option<u64>,
}

impl Chat {
    /// Prepares to ask; nothing is sent yet.
    ///
    /// # Errors
    /// If a proxy or a certificate cannot be used.
    pub fn new(options: ServerOptions) -> Result<Self, RemoteError> {
        let server = Server::new(options)?;
        let name = server.name();
        Ok(Self { server, name })
    }

    /// Lets the model go on after `messages` (each a role, `system`, `user` or
    /// `assistant`, and a text), giving each piece to `sink` as it arrives. When the sink
    /// breaks, the connection is closed and what was written is returned.
    ///
    /// A request that fails before the first piece is tried again, later ones never: what
    /// was shown cannot be taken back.
    ///
    /// # Errors
    /// If the server cannot be reached, refuses, answers what is no answer, or dies in
    /// the middle of it ([`RemoteError::DiedInAnswer`] says how much had arrived).
    pub fn chat(
        &self,
        messages: &[(&str, &str)],
        settings: &ChatSettings,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<ChatReply, RemoteError> {
        let mut body = request(self.server.model(), messages, settings);
        let mut changes = 0;
        loop {
            let asked = self.server.ask(
                PATH,
                &body,
                "text/event-stream, application/json",
                &mut |reply| self.take(reply, sink),
            );
            match asked {
                Err(RemoteError::Status {
                    status: 400 | 422,
                    ref message,
                    ..
                }) if changes < MOST_CHANGES && put_otherwise(&mut body, message) => changes += 1,
                asked => return asked,
            }
        }
    }

    fn take(
        &self,
        reply: Reply,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<ChatReply, RemoteError> {
        let kind = reply.header("content-type").unwrap_or_default();
        if kind.contains("text/event-stream") {
            return take_stream(reply, sink);
        }
        // Some servers do not stream, whatever they are asked.
        let url = reply.url.clone();
        let value: Value = reply.json("a chat's answer")?;
        if let Some(error) = error_in(&url, &value) {
            return Err(error);
        }
        let choice = value.pointer("/choices/0");
        let text = choice.and_then(|it| text_of(it, "message"));
        let Some(text) = text else {
            return Err(unexpected(&url, "a chat's answer", &value.to_string()));
        };
        let mut written = ChatReply {
            text: text.to_owned(),
            finish: choice.and_then(finish_of),
            ..ChatReply::default()
        };
        written.count(&value);
        if !text.is_empty() {
            // It is whole; there is nothing left to stop.
            let _ = sink(text);
        }
        Ok(written)
    }
}

fn take_stream(
    reply: Reply,
    sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> Result<ChatReply, RemoteError> {
    let (url, patience) = (reply.url.clone(), reply.patience());
    let mut events = Events::new(reply.into_body());
    let mut written = ChatReply::default();
    loop {
        let event = match events.next() {
            Ok(Some(event)) => Ok(event),
            // Servers are known to leave out the last event.
            Ok(None) if written.finish.is_some() => return Ok(written),
            Ok(None) => Err(RemoteError::Broken {
                host: crate::address::host(&url).into(),
                source: "the answer has no end".into(),
            }),
            Err(_) if written.finish.is_some() => return Ok(written),
            Err(error) => Err(reading_failed(&url, patience, error)),
        };
        let event = event.map_err(|error| died(&url, &written, error))?;
        if event.trim() == "[DONE]" {
            return Ok(written);
        }
        let value: Value = serde_json::from_str(&event).map_err(|_| {
            let error = unexpected(&url, "a part of a chat's answer", &event);
            died(&url, &written, error)
        })?;
        if let Some(error) = error_in(&url, &value) {
            return Err(died(&url, &written, error));
        }
        written.count(&value);
        let Some(choice) = value.pointer("/choices/0") else {
            continue;
        };
        if let Some(finish) = finish_of(choice) {
            written.finish = Some(finish);
        }
        if let Some(piece) = text_of(choice, "delta").filter(|it| !it.is_empty()) {
            written.text.push_str(piece);
            if sink(piece).is_break() {
                // The reader is dropped, and with it the connection.
                written.finish = None;
                return Ok(written);
            }
        }
    }
}

impl ChatReply {
    /// Takes the counts of tokens that `value` tells.
    fn count(&mut self, value: &Value) {
        let of = |key: &str| value.pointer("/usage")?.get(key)?.as_u64();
        self.prompt_tokens = of("prompt_tokens").or(self.prompt_tokens);
        self.completion_tokens = of("completion_tokens").or(self.completion_tokens);
    }
}

fn request(model: &str, messages: &[(&str, &str)], settings: &ChatSettings) -> Value {
    let messages: Vec<Value> = messages
        .iter()
        .map(|(role, content)| json!({ "role": role, "content": content }))
        .collect();
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    for (key, value) in [
        ("max_tokens", settings.max_tokens.map(Value::from)),
        ("temperature", settings.temperature.map(Value::from)),
        ("top_p", settings.top_p.map(Value::from)),
        ("seed", settings.seed.map(Value::from)),
    ] {
        if let Some(value) = value {
            body[key] = value;
        }
    }
    if !settings.stop.is_empty() {
        body["stop"] = json!(settings.stop);
    }
    if let Some(schema) = &settings.json_schema {
        body["response_format"] = json!({
            "type": "json_schema",
            "json_schema": { "name": "answer", "strict": true, "schema": schema },
        });
    }
    body
}

/// Puts a request so that a server takes it which refused it with `message`; returns
/// whether there is another way.
fn put_otherwise(body: &mut Value, message: &str) -> bool {
    let fields = body.as_object_mut().expect("a request is an object");
    // OpenAI's newer models know the limit by this name only.
    if message.contains("max_completion_tokens")
        && let Some(limit) = fields.remove("max_tokens")
    {
        fields.insert("max_completion_tokens".into(), limit);
        return true;
    }
    if message.contains("stream_options") {
        return fields.remove("stream_options").is_some();
    }
    if message.contains("stream") && fields.get("stream") == Some(&Value::Bool(true)) {
        fields.insert("stream".into(), Value::Bool(false));
        fields.remove("stream_options");
        return true;
    }
    false
}

/// Returns the text of a choice: of a chat (`message`, in a stream `delta`), or of the
/// older interface (`text`).
fn text_of<'a>(choice: &'a Value, part: &str) -> Option<&'a str> {
    choice
        .get(part)
        .and_then(|it| it.get("content"))
        .or_else(|| choice.get("text"))?
        .as_str()
}

fn finish_of(choice: &Value) -> Option<String> {
    Some(choice.get("finish_reason")?.as_str()?.to_owned())
}

/// Returns the error that an answer of status 200 tells of.
fn error_in(url: &str, value: &Value) -> Option<RemoteError> {
    let error = value.get("error").filter(|it| !it.is_null())?;
    let message = error
        .get("message")
        .and_then(Value::as_str)
        .or(error.as_str());
    let status = error.get("code").and_then(Value::as_u64);
    Some(RemoteError::Status {
        host: crate::address::host(url).into(),
        status: status.and_then(|it| u16::try_from(it).ok()).unwrap_or(200),
        message: message.map_or_else(|| error.to_string(), str::to_owned),
    })
}

/// Returns `error`, told as the death that it is once something was written.
fn died(url: &str, written: &ChatReply, error: RemoteError) -> RemoteError {
    if written.text.is_empty() {
        return error;
    }
    RemoteError::DiedInAnswer {
        host: crate::address::host(url).into(),
        written: written.text.chars().count(),
        source: Box::new(error),
    }
}

impl Generate for Chat {
    fn name(&self) -> &str {
        &self.name
    }

    /// The counts of tokens are 0 where the server does not tell them.
    fn generate(
        &self,
        prompt: &Prompt,
        max_tokens: Tokens,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, PromiseError> {
        let settings = ChatSettings {
            max_tokens: Some(max_tokens.0),
            temperature: Some(0.0),
            ..ChatSettings::default()
        };
        let reply = self
            .chat(&[("user", prompt.as_str())], &settings, sink)
            .map_err(|error| PromiseError {
                who: self.name.clone(),
                source: Box::new(error),
            })?;
        Ok(Completion {
            text: reply.text,
            prompt_tokens: Tokens(reply.prompt_tokens.unwrap_or(0)),
            completion_tokens: Tokens(reply.completion_tokens.unwrap_or(0)),
        })
    }
}
