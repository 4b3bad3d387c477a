//! How a conversation becomes the text that a model was trained on: a Jinja template.
//!
//! Rendered as transformers does (`chat_template_utils.py`, `_compile_jinja_template`):
//! blocks trimmed, `raise_exception`, `strftime_now`, `tojson` as Python's `json.dumps`,
//! `generation` blocks, `break` and `continue`, Python's methods of texts, lists and
//! dictionaries, and values printed as Python prints them.

mod clock;
mod python;
mod source;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, Value};
use serde_json::{Map, Value as Json};

use crate::ModelError;

const NAME: &str = "chat";
/// Instructions that a template may take: a second or so, and hundreds of times what a
/// long conversation takes.
const FUEL: u64 = 20_000_000;

/// A model's chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    path: PathBuf,
    /// As it was written.
    source: String,
    environment: Environment<'static>,
    /// `bos_token` and the like.
    names: HashMap<String, String>,
}

/// A conversation that is to become a text.
#[derive(Clone, Debug)]
pub struct ChatRequest<'a> {
    /// What was said, each an object with `role` and `content`, as OpenAI has them.
    pub messages: &'a [Json],
    /// What the model may call, each `{"type": "function", "function": {…}}`; none is
    /// not the same as an empty list to every template.
    pub tools: Option<&'a [Json]>,
    /// Whether the text ends where the model is to answer.
    pub add_generation_prompt: bool,
    /// Further variables that the template knows, such as `enable_thinking`.
    pub variables: Map<String, Json>,
    /// What `strftime_now` says, in universal time.
    pub now: SystemTime,
}

impl<'a> ChatRequest<'a> {
    /// Returns a request for the model's answer to `messages`, without tools, now.
    pub fn new(messages: &'a [Json]) -> Self {
        Self {
            messages,
            tools: None,
            add_generation_prompt: true,
            variables: Map::new(),
            now: SystemTime::now(),
        }
    }
}

impl ChatTemplate {
    /// Reads a template; `path` names it in errors, `names` are its variables besides
    /// the conversation: `bos_token` and the like.
    ///
    /// # Errors
    /// If it is no template.
    pub fn new(
        path: &Path,
        source: &str,
        names: HashMap<String, String>,
    ) -> Result<Self, ModelError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .expect("the usual marks are told apart");
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(python::method);
        environment.set_formatter(python::format);
        // A template is a stranger's program: it ends after so many steps at the latest.
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(200);
        environment.add_filter("tojson", python::to_json);
        environment.add_filter("string", python::string);
        environment.add_test("sequence", python::is_sequence);
        environment.add_test("iterable", python::is_iterable);
        environment.add_function(source::SUM, python::sum_of_safe);
        environment.add_function("raise_exception", |message: String| {
            Err::<String, _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, source::understood(source))
            .map_err(|source| ModelError::ChatTemplate {
                path: path.to_path_buf(),
                source,
            })?;
        Ok(Self {
            path: path.to_path_buf(),
            source: source.to_owned(),
            environment,
            names,
        })
    }

    /// Returns the template as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the text of a conversation: `messages` and `tools` as in [`ChatRequest`].
    ///
    /// # Errors
    /// As [`ChatTemplate::render_request`].
    pub fn render(
        &self,
        messages: &[Json],
        tools: Option<&[Json]>,
        add_generation_prompt: bool,
    ) -> Result<String, ModelError> {
        self.render_request(&ChatRequest {
            tools,
            add_generation_prompt,
            ..ChatRequest::new(messages)
        })
    }

    /// Returns the text of a conversation.
    ///
    /// # Errors
    /// If the template raises an exception, as some do of an order of roles that they
    /// do not know, or fails.
    pub fn render_request(&self, request: &ChatRequest<'_>) -> Result<String, ModelError> {
        let messages: Vec<Json> = request.messages.iter().map(with_reasoning).collect();
        let now = request.now;
        let clock = Value::from_function(move |format: String| clock::strftime(now, &format));
        let names = self
            .names
            .iter()
            .map(|(key, name)| (key.clone(), Value::from(&**name)));
        let further = request
            .variables
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(Serde(value))));
        let variables = Value::from_pairs(
            [
                ("strftime_now".to_owned(), clock),
                ("messages".into(), Value::from(Serde(messages))),
                ("tools".into(), Value::from(Serde(request.tools))),
                ("documents".into(), Value::from(())),
                (
                    "add_generation_prompt".into(),
                    Value::from(request.add_generation_prompt),
                ),
            ]
            .into_iter()
            .chain(names)
            .chain(further),
        );
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(variables))
            .map_err(|source| ModelError::ChatTemplate {
                path: self.path.clone(),
                source,
            })
    }
}

/// Returns a message whose reasoning is under every name that templates ask for
/// (`_alias_reasoning_fields`).
fn with_reasoning(message: &Json) -> Json {
    let Some(fields) = message.as_object() else {
        return message.clone();
    };
    let reasoning = ["reasoning_content", "thinking", "reasoning"]
        .into_iter()
        .find_map(|key| fields.get(key).filter(|value| !value.is_null()));
    let Some(reasoning) = reasoning else {
        return message.clone();
    };
    let mut renamed = Map::new();
    renamed.insert("thinking".into(), reasoning.clone());
    for (key, value) in fields {
        renamed.insert(key.clone(), value.clone());
    }
    renamed.insert("reasoning_content".into(), reasoning.clone());
    Json::Object(renamed)
}

#[cfg(test)]
mod tests;
