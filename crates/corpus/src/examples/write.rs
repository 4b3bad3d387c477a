//! From examples back to records.

use contract::{Example, Judgement, Labels, Lesson, Message, Role};
use serde_json::{Map, Value as Json, json};

use super::{Fault, Layout};

/// Returns the record of an example, in the layout of its kind. Read again, it is the
/// same example; what else the record it came from held is not kept.
pub fn written(example: &Example) -> Json {
    written_as(example, layout_of(&example.lesson)).expect("every lesson has a layout of its own")
}

fn layout_of(lesson: &Lesson) -> Layout {
    match lesson {
        Lesson::Text { .. } => Layout::Text,
        Lesson::Completion { .. } => Layout::Completion,
        Lesson::Conversation { .. } => Layout::Messages,
        Lesson::Preference { .. } => Layout::Preference,
        Lesson::Labelled { .. } => Layout::Labelled,
        Lesson::Tagged { .. } => Layout::Tagged,
        Lesson::Question { .. } => Layout::Question,
        Lesson::Pair { .. } => Layout::Pair,
        Lesson::Contrast { .. } => Layout::Contrast,
    }
}

/// Returns the record of an example in `layout`.
///
/// A completion and a conversation become one another where that loses nothing; a text
/// with one label becomes a completion, and all become texts that a model goes on with.
///
/// # Errors
/// If the layout has no place for what the example teaches.
pub fn written_as(example: &Example, layout: Layout) -> Result<Json, Fault> {
    let lesson = &example.lesson;
    let cannot = |reason| Fault::CannotWrite {
        kind: lesson.kind(),
        layout,
        reason,
    };
    let mut record = Map::new();
    record.insert("id".into(), example.id.as_str().into());
    if let Some(passage) = &example.passage {
        record.insert("passage_id".into(), passage.0.as_str().into());
    }
    if let Some(document) = &example.document {
        record.insert("document".into(), document.as_str().into());
    }
    let fields = match layout {
        Layout::Text => match lesson {
            Lesson::Text { text } => json!({ "text": text }),
            other => json!({ "text": format!("{}\n{}", other.input(), other.target()) }),
        },
        Layout::Completion => {
            let (system, prompt, completion) = exchange(lesson).map_err(cannot)?;
            with_system(
                system,
                json!({ "prompt": prompt, "completion": completion }),
            )
        }
        Layout::Alpaca => {
            let (system, prompt, completion) = exchange(lesson).map_err(cannot)?;
            let fields = json!({ "instruction": prompt, "input": "", "output": completion });
            with_system(system, fields)
        }
        Layout::Messages => {
            let (turns, tools) = turns(lesson).map_err(cannot)?;
            with_tools(tools, json!({ "messages": messages(&turns) }))
        }
        Layout::Sharegpt => {
            let (turns, tools) = turns(lesson).map_err(cannot)?;
            let turns = sharegpt(&turns).ok_or_else(|| {
                cannot("a turn that speaks and calls, or calls several tools, has no place there")
            })?;
            with_tools(tools, json!({ "conversations": turns }))
        }
        Layout::Preference => match lesson {
            Lesson::Preference {
                prompt,
                chosen,
                rejected,
            } => json!({
                "prompt": messages(prompt), "chosen": chosen, "rejected": rejected,
            }),
            _ => return Err(cannot("there is one answer, and not two")),
        },
        Layout::Labelled => match lesson {
            Lesson::Labelled { text, labels } => match labels {
                Labels::One(label) => json!({ "text": text, "label": label }),
                Labels::Several(labels) => json!({ "text": text, "labels": labels }),
            },
            _ => return Err(cannot("it has no labels")),
        },
        Layout::Tagged => match lesson {
            Lesson::Tagged { tokens, tags } => json!({ "tokens": tokens, "tags": tags }),
            _ => return Err(cannot("its words have no tags")),
        },
        Layout::Question => match lesson {
            Lesson::Question {
                question,
                context,
                answers,
            } => {
                let starts = answers.iter().map(|answer| {
                    let context = context.as_deref()?;
                    Some(context[..answer.start?].chars().count())
                });
                let answers: Vec<Json> = answers
                    .iter()
                    .zip(starts)
                    .map(|(answer, start)| match start {
                        Some(start) => json!({ "text": answer.text, "answer_start": start }),
                        None => json!({ "text": answer.text }),
                    })
                    .collect();
                let mut fields = json!({ "question": question, "answers": answers });
                if let Some(context) = context {
                    fields["context"] = context.as_str().into();
                }
                fields["is_impossible"] = answers.is_empty().into();
                fields
            }
            _ => return Err(cannot("it is no question about a passage")),
        },
        Layout::Pair => match lesson {
            Lesson::Pair {
                first,
                second,
                judgement,
            } => match judgement {
                Judgement::Score(score) => {
                    json!({ "text1": first, "text2": second, "score": score })
                }
                Judgement::Label(label) => {
                    json!({ "text1": first, "text2": second, "label": label })
                }
            },
            _ => return Err(cannot("it is no pair of texts")),
        },
        Layout::Contrast => match lesson {
            Lesson::Contrast {
                query,
                positive,
                negatives,
            } => json!({ "query": query, "positive": positive, "negatives": negatives }),
            _ => return Err(cannot("it is no question with its passage")),
        },
        Layout::Squad
        | Layout::TableQuestions
        | Layout::Faq
        | Layout::Summary
        | Layout::Intent
        | Layout::Meaning
        | Layout::KnowledgeBase
        | Layout::Document
        | Layout::Paragraphs
        | Layout::Lines => return Err(cannot("this layout is read, and not written")),
    };
    if let Json::Object(fields) = fields {
        record.extend(fields);
    }
    Ok(Json::Object(record))
}

fn with_system(system: Option<&str>, mut fields: Json) -> Json {
    if let Some(system) = system {
        fields["system"] = system.into();
    }
    fields
}

fn with_tools(tools: Option<&str>, mut fields: Json) -> Json {
    if let Some(tools) = tools {
        fields["tools"] = serde_json::from_str(tools).unwrap_or_else(|_| tools.into());
    }
    fields
}

/// Returns an exchange of one prompt and one answer.
fn exchange(lesson: &Lesson) -> Result<(Option<&str>, &str, &str), &'static str> {
    match lesson {
        Lesson::Completion {
            system,
            prompt,
            completion,
        } => Ok((system.as_deref(), prompt, completion)),
        Lesson::Labelled {
            text,
            labels: Labels::One(label),
        } => Ok((None, text, label)),
        Lesson::Conversation { messages, tools } => {
            let (system, rest) = match messages.as_slice() {
                [system, rest @ ..] if system.role == Role::System => {
                    (Some(system.content.as_str()), rest)
                }
                rest => (None, rest),
            };
            match rest {
                [user, answer]
                    if user.role == Role::User
                        && answer.trained
                        && answer.calls.is_empty()
                        && tools.is_none() =>
                {
                    Ok((system, &user.content, &answer.content))
                }
                _ => Err("it is more than one question and its answer"),
            }
        }
        _ => Err("it is no prompt with an answer in words"),
    }
}

/// Returns the turns and tools of a conversation, or of what becomes one.
fn turns(lesson: &Lesson) -> Result<(Vec<Message>, Option<&str>), &'static str> {
    if let Lesson::Conversation { messages, tools } = lesson {
        return Ok((messages.clone(), tools.as_deref()));
    }
    let (system, prompt, completion) = exchange(lesson)?;
    let system = system.map(|system| Message::new(Role::System, system));
    let both = [
        Message::new(Role::User, prompt),
        Message::new(Role::Assistant, completion),
    ];
    Ok((system.into_iter().chain(both).collect(), None))
}

fn messages(turns: &[Message]) -> Vec<Json> {
    let message = |turn: &Message| {
        let mut message = json!({ "role": turn.role.as_str(), "content": turn.content });
        if !turn.calls.is_empty() {
            let calls = turn.calls.iter().map(|call| {
                json!({
                    "type": "function",
                    "function": { "name": call.name, "arguments": call.arguments },
                })
            });
            message["tool_calls"] = calls.collect();
        }
        if turn.role == Role::Assistant && !turn.trained {
            message["train"] = false.into();
        }
        message
    };
    turns.iter().map(message).collect()
}

/// Returns the turns as ShareGPT has them, if it has a place for each.
fn sharegpt(turns: &[Message]) -> Option<Vec<Json>> {
    turns
        .iter()
        .map(|turn| match (turn.role, turn.calls.as_slice()) {
            (Role::Assistant, [call]) if turn.content.is_empty() => {
                let arguments: Json = serde_json::from_str(&call.arguments).unwrap_or(Json::Null);
                let value = json!({ "name": call.name, "arguments": arguments }).to_string();
                Some(json!({ "from": "function_call", "value": value }))
            }
            (role, []) => {
                let from = match role {
                    Role::System => "system",
                    Role::User => "human",
                    Role::Assistant => "gpt",
                    Role::Tool => "observation",
                };
                let mut turn_json = json!({ "from": from, "value": turn.content });
                if role == Role::Assistant && !turn.trained {
                    turn_json["train"] = false.into();
                }
                Some(turn_json)
            }
            _ => None,
        })
        .collect()
}
