//! Chat templates against transformers.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use model::{ChatRequest, ChatTemplate};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Reference {
    names: HashMap<String, String>,
    now: u64,
    conversations: BTreeMap<String, Conversation>,
    expected: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<Value>,
    tools: Option<Vec<Value>>,
    add_generation_prompt: bool,
    #[serde(flatten)]
    variables: Map<String, Value>,
}

/// Renders the templates in `folder` and returns how many texts are right, and what is
/// wrong of the others. Where transformers renders nothing, so may we, or not.
fn compare(folder: &Path, reference: &Path) -> (usize, Vec<String>) {
    let reference: Reference = serde_json::from_slice(&fs_err::read(reference).unwrap()).unwrap();
    let (mut right, mut wrong) = (0, Vec::new());
    for (file, texts) in &reference.expected {
        let source = fs_err::read_to_string(folder.join(file)).unwrap();
        let template = match ChatTemplate::new(Path::new(file), &source, reference.names.clone()) {
            Ok(template) => template,
            Err(error) => {
                wrong.push(format!("{file}: {}", words(&error)));
                continue;
            }
        };
        for (name, conversation) in &reference.conversations {
            let Some(expected) = &texts[name] else {
                continue;
            };
            let rendered = template.render_request(&ChatRequest {
                messages: &conversation.messages,
                tools: conversation.tools.as_deref(),
                add_generation_prompt: conversation.add_generation_prompt,
                variables: conversation.variables.clone(),
                now: UNIX_EPOCH + Duration::from_secs(reference.now),
            });
            match rendered {
                Ok(text) if text == *expected => right += 1,
                Ok(text) => wrong.push(difference(file, name, &text, expected)),
                Err(error) => wrong.push(format!("{file}, {name}: {}", words(&error))),
            }
        }
    }
    (right, wrong)
}

fn words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", words(source)),
        None => error.to_string(),
    }
}

fn difference(file: &str, name: &str, found: &str, expected: &str) -> String {
    let same = found
        .char_indices()
        .zip(expected.chars())
        .find(|((_, a), b)| a != b)
        .map_or(found.len().min(expected.len()), |((at, _), _)| at);
    let part = |text: &str| text[same..].chars().take(60).collect::<String>();
    let before: String = found[..same]
        .chars()
        .rev()
        .take(30)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    format!(
        "{file}, {name}: after {before:?}\n  found    {:?}\n  expected {:?}",
        part(found),
        part(expected)
    )
}

#[test]
#[ignore = "needs the templates that CHAT_TEMPLATES names, and CHATS, what make_chat.py made of them"]
fn conversations_are_those_of_transformers() {
    let named = |name: &str| PathBuf::from(std::env::var(name).expect(name));
    let (right, wrong) = compare(&named("CHAT_TEMPLATES"), &named("CHATS"));
    assert!(wrong.is_empty(), "{right} are right\n{}", wrong.join("\n"));
}

#[test]
fn templates_of_our_own_are_rendered_as_by_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chat");
    let (right, wrong) = compare(&folder, &folder.join("expected.json"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(right > 30, "{right}");
}
