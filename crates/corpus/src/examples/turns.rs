//! Conversations: turns as OpenAI and as ShareGPT write them, alpaca's history, and
//! answers that are preferred to others.

use contract::{Lesson, Message, Role, ToolCall};
use serde_json::Value as Json;

use super::record::{Record, kind, plain};
use super::{Fault, Layout};

/// Reads `messages` or `conversations`.
pub(super) fn conversation(record: &Record<'_>, field: &str) -> Result<Lesson, Fault> {
    let (name, value) = record.need(field)?;
    let mut messages = turns(name, value)?;
    add_system(record, &mut messages)?;
    if !messages.iter().any(|message| message.trained) {
        return Err(Fault::NoAnswer);
    }
    Ok(Lesson::Conversation {
        messages,
        tools: tools(record)?,
    })
}

/// Reads `{instruction, input, output}`; a `history` makes a conversation of it.
pub(super) fn alpaca(record: &Record<'_>) -> Result<Lesson, Fault> {
    let mut prompt = record.text("instruction")?;
    if let Some(input) = record.text_if_any("input")? {
        prompt.push_str("\n\n");
        prompt.push_str(&input);
    }
    let completion = record.text("output")?;
    let system = record.text_if_any("system")?;
    let history = match record.find("history") {
        Some((_, Json::Array(turns))) => turns.as_slice(),
        Some((name, other)) => return Err(wrong(name, "a list of pairs", other)),
        None => &[],
    };
    if history.is_empty() {
        return Ok(Lesson::Completion {
            system,
            prompt,
            completion,
        });
    }
    let mut messages: Vec<Message> = system
        .map(|system| Message::new(Role::System, system))
        .into_iter()
        .collect();
    for pair in history {
        let Some([asked, said]) = pair.as_array().map(Vec::as_slice) else {
            return Err(wrong("history", "a list of pairs", pair));
        };
        messages.push(Message::new(Role::User, plain("history", asked)?));
        messages.push(Message::new(Role::Assistant, plain("history", said)?));
    }
    messages.push(Message::new(Role::User, prompt));
    messages.push(Message::new(Role::Assistant, completion));
    Ok(Lesson::Conversation {
        messages,
        tools: None,
    })
}

/// Reads two answers to one prompt. Either the prompt is there (a text or turns, as
/// `prompt`, `messages`, `conversations`, `instruction` or `question`), or both answers
/// are whole conversations that begin with it.
pub(super) fn preference(record: &Record<'_>) -> Result<Lesson, Fault> {
    let (chosen_name, chosen) = record.need("chosen")?;
    let (rejected_name, rejected) = record.need("rejected")?;
    let mut prompt = match [
        "prompt",
        "messages",
        "conversations",
        "instruction",
        "question",
    ]
    .into_iter()
    .find_map(|field| record.find(field))
    {
        Some((name, turns_of @ Json::Array(_))) => turns(name, turns_of)?,
        Some((name, text)) => {
            let mut text = super::record::filled(name, plain(name, text)?)?;
            if let Some(input) = record.text_if_any("input")? {
                text.push_str("\n\n");
                text.push_str(&input);
            }
            vec![Message::new(Role::User, text)]
        }
        None => Vec::new(),
    };
    let mut chosen = answer(chosen_name, chosen)?;
    let mut rejected = answer(rejected_name, rejected)?;
    if prompt.is_empty() {
        let shared = chosen
            .iter()
            .zip(&rejected)
            .take_while(|(a, b)| a == b)
            .count()
            .min(chosen.len().saturating_sub(1))
            .min(rejected.len().saturating_sub(1));
        prompt = chosen.drain(..shared).collect();
        rejected.drain(..shared);
    } else {
        for answer in [&mut chosen, &mut rejected] {
            if answer.len() > prompt.len() && answer.starts_with(&prompt) {
                answer.drain(..prompt.len());
            }
        }
    }
    add_system(record, &mut prompt)?;
    if prompt.is_empty() {
        record.need("prompt")?;
    }
    if prompt
        .last()
        .is_some_and(|last| last.role == Role::Assistant)
    {
        return Err(Fault::Order);
    }
    let one = |field, mut turns: Vec<Message>| match (turns.pop(), turns.is_empty()) {
        (Some(turn), true) => super::record::filled(field, turn.content),
        (_, _) => Err(Fault::Turns {
            field,
            turns: turns.len() + 1,
        }),
    };
    let (chosen, rejected) = (one("chosen", chosen)?, one("rejected", rejected)?);
    if chosen == rejected {
        return Err(Fault::SameAnswers);
    }
    // The prompt's own answers were given long ago: nothing of them is learnt.
    for message in &mut prompt {
        message.trained = false;
    }
    Ok(Lesson::Preference {
        prompt,
        chosen,
        rejected,
    })
}

/// Returns an answer as turns: a text, one turn, or several.
fn answer(name: &str, value: &Json) -> Result<Vec<Message>, Fault> {
    match value {
        Json::Array(_) => turns(name, value),
        Json::Object(_) => Ok(vec![turn(name, 0, value)?]),
        text => Ok(vec![Message::new(Role::Assistant, plain(name, text)?)]),
    }
}

fn add_system(record: &Record<'_>, messages: &mut Vec<Message>) -> Result<(), Fault> {
    if messages
        .first()
        .is_some_and(|first| first.role == Role::System)
    {
        return Ok(());
    }
    if let Some(system) = record.text_if_any("system")? {
        messages.insert(0, Message::new(Role::System, system));
    }
    Ok(())
}

/// Returns the tools, as the JSON text of a list.
fn tools(record: &Record<'_>) -> Result<Option<String>, Fault> {
    let Some((name, value)) = record.find("tools") else {
        return Ok(None);
    };
    let list = match value {
        // Some files write the list as a text.
        Json::String(text) if text.trim().is_empty() => return Ok(None),
        Json::String(text) => serde_json::from_str(text).map_err(|_| Fault::Type {
            field: name.to_owned(),
            expected: "a list of tools, or its JSON",
            found: "another text",
        })?,
        other => other.clone(),
    };
    match &list {
        Json::Array(tools) if tools.is_empty() => Ok(None),
        Json::Array(_) => Ok(Some(list.to_string())),
        other => Err(wrong(name, "a list of tools, or its JSON", other)),
    }
}

fn turns(name: &str, value: &Json) -> Result<Vec<Message>, Fault> {
    let Json::Array(list) = value else {
        return Err(wrong(name, "a list of turns", value));
    };
    list.iter()
        .enumerate()
        .map(|(number, value)| turn(name, number, value))
        .collect()
}

/// Reads one turn: `role` or `from`, `content` or `value`, `tool_calls`; `train`,
/// `trained` or `weight` say whether an assistant's turn is learnt.
fn turn(name: &str, number: usize, value: &Json) -> Result<Message, Fault> {
    let Json::Object(turn) = value else {
        return Err(wrong(name, "a list of turns", value));
    };
    let said_by = ["role", "from"].iter().find_map(|key| turn.get(*key));
    let said_by = said_by.and_then(Json::as_str).unwrap_or("nobody");
    let calls_only = said_by == "function_call";
    let role = match said_by {
        "system" | "developer" => Role::System,
        "user" | "human" => Role::User,
        "assistant" | "gpt" | "model" | "bot" | "chatgpt" | "function_call" => Role::Assistant,
        "tool" | "function" | "observation" | "function_response" => Role::Tool,
        other => {
            return Err(Fault::Role {
                turn: number + 1,
                found: other.to_owned(),
            });
        }
    };
    let place = |key: &str| format!("{name}[{number}].{key}");
    let (key, content) = ["content", "value"]
        .into_iter()
        .find_map(|key| turn.get(key).map(|value| (key, value)))
        .unwrap_or(("content", &Json::Null));
    let mut content = content_of(&place(key), content)?;
    let mut calls = Vec::new();
    if calls_only {
        let call = serde_json::from_str(&content).map_err(|_| Fault::Type {
            field: place(key),
            expected: "the JSON of a call, `{\"name\": …, \"arguments\": …}`",
            found: "another text",
        })?;
        calls = calls_of(&place(key), call)?;
        content.clear();
    }
    match turn.get("tool_calls") {
        None | Some(Json::Null) => {}
        Some(list) => calls.extend(calls_of(&place("tool_calls"), list.clone())?),
    }
    if calls.is_empty() {
        content = super::record::filled(&place(key), content)?;
    }
    let trained = match ["train", "trained", "weight"]
        .iter()
        .find_map(|key| turn.get(*key))
    {
        Some(Json::Bool(trained)) => *trained,
        Some(Json::Number(weight)) => weight.as_f64() != Some(0.0),
        _ => true,
    };
    Ok(Message {
        calls,
        trained: trained && role == Role::Assistant,
        ..Message::new(role, content)
    })
}

/// Returns a turn's text; a list of parts is joined if all of them are text.
fn content_of(place: &str, content: &Json) -> Result<String, Fault> {
    let parts = match content {
        Json::Null => return Ok(String::new()),
        Json::Array(parts) => parts,
        other => return plain(place, other),
    };
    let text = |part: &Json| {
        part.get("text")
            .and_then(Json::as_str)
            .map(str::to_owned)
            .ok_or(Fault::Type {
                field: place.to_owned(),
                expected: "text, or parts of text",
                found: "a part of another kind",
            })
    };
    parts.iter().map(text).collect()
}

fn calls_of(place: &str, value: Json) -> Result<Vec<ToolCall>, Fault> {
    let list = match value {
        Json::Array(list) => list,
        one => vec![one],
    };
    list.into_iter()
        .map(|call| {
            // OpenAI puts name and arguments into `function`.
            let function = call.get("function").unwrap_or(&call);
            let Some(name) = function.get("name").and_then(Json::as_str) else {
                return Err(wrong(place, "a call with `name` and `arguments`", &call));
            };
            let arguments = match function.get("arguments") {
                None | Some(Json::Null) => "{}".to_owned(),
                Some(Json::String(json)) => json.clone(),
                Some(object) => object.to_string(),
            };
            Ok(ToolCall {
                name: name.to_owned(),
                arguments,
            })
        })
        .collect()
}

fn wrong(field: &str, expected: &'static str, found: &Json) -> Fault {
    Fault::Type {
        field: field.to_owned(),
        expected,
        found: kind(found),
    }
}

/// Returns the fields of a conversation, as [`Layout::Messages`] and
/// [`Layout::Sharegpt`] call them.
pub(super) fn field(layout: Layout) -> &'static str {
    match layout {
        Layout::Sharegpt => "conversations",
        _ => "messages",
    }
}
