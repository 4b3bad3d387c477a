//! A record's fields, by the names that the layouts give them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Fault, Layout};

/// What fields are called in a file, where that is not their own name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Ours, and the file's.
    given: BTreeMap<String, String>,
}

/// Other names under which fields are often found.
const ALIASES: &[(&str, &[&str])] = &[
    ("answer", &["response", "reply", "long_answer"]),
    ("answer_start", &["answer_starts"]),
    ("chosen", &["preferred"]),
    ("completion", &["response", "output", "answer"]),
    ("context", &["contexts", "passage_text", "evidence"]),
    ("conversations", &["conversation", "dialog", "dialogue"]),
    ("instruction", &["instructions"]),
    ("is_impossible", &["unanswerable"]),
    ("label", &["intent", "category", "class", "sentiment"]),
    ("messages", &["conversation", "dialog", "dialogue"]),
    ("negatives", &["negative", "neg", "hard_negatives"]),
    ("output", &["response"]),
    (
        "passage",
        &["passage_id", "doc_id", "document_id", "doc", "url"],
    ),
    ("positive", &["positives", "pos"]),
    ("query", &["anchor", "question"]),
    ("rejected", &["dispreferred"]),
    ("source", &["document", "article"]),
    ("summary", &["summaries", "highlights"]),
    ("system", &["system_prompt"]),
    ("tags", &["ner_tags", "labels"]),
    ("text", &["sentence", "content", "body", "utterance"]),
    (
        "text1",
        &["sentence1", "premise", "query", "question", "anchor"],
    ),
    (
        "text2",
        &["sentence2", "hypothesis", "passage", "document", "answer"],
    ),
    ("score", &["similarity", "similarity_score"]),
    ("tokens", &["words"]),
];

impl Names {
    pub(super) fn new(given: BTreeMap<String, String>) -> Self {
        Self { given }
    }

    /// Returns the names under which a file may have `field`: the one that was given, or
    /// else its own and those often found.
    pub(super) fn of<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        let given = self.given.get(field).map(String::as_str);
        let own = given.is_none().then_some(field);
        let aliases = ALIASES
            .iter()
            .filter(move |(of, _)| given.is_none() && *of == field)
            .flat_map(|(_, names)| names.iter().copied());
        given.into_iter().chain(own).chain(aliases)
    }

    /// Returns the fields that were given another name.
    pub(super) fn given(&self) -> impl Iterator<Item = &str> {
        self.given.keys().map(String::as_str)
    }
}

/// A record that is being read.
pub(super) struct Record<'a> {
    pub(super) map: Map<String, Json>,
    pub(super) names: &'a Names,
    pub(super) layout: Layout,
}

impl Record<'_> {
    /// Returns the field and what it is called here, unless it is missing or null.
    pub(super) fn find<'r>(&'r self, field: &'r str) -> Option<(&'r str, &'r Json)> {
        self.names
            .of(field)
            .find_map(|name| self.map.get(name).map(|value| (name, value)))
            .filter(|(_, value)| !value.is_null())
    }

    /// Returns the field and what it is called here.
    pub(super) fn need<'r>(&'r self, field: &'r str) -> Result<(&'r str, &'r Json), Fault> {
        self.find(field).ok_or_else(|| Fault::Missing {
            field: self.names.of(field).next().unwrap_or(field).to_owned(),
            expected: self.layout.expected().to_owned(),
        })
    }

    /// Returns a text that must be there and have something in it.
    pub(super) fn text(&self, field: &str) -> Result<String, Fault> {
        let (name, value) = self.need(field)?;
        filled(name, plain(name, value)?)
    }

    /// Returns a text, if it is there and not blank.
    pub(super) fn text_if_any(&self, field: &str) -> Result<Option<String>, Fault> {
        Ok(match self.find(field) {
            None => None,
            Some((name, value)) => Some(plain(name, value)?).filter(|text| !text.trim().is_empty()),
        })
    }

    /// Returns a list of texts; one text is a list of one.
    pub(super) fn texts(&self, field: &str) -> Result<Vec<String>, Fault> {
        let (name, value) = self.need(field)?;
        texts_of(name, value)
    }
}

/// Returns the texts of a list; one text is a list of one.
pub(super) fn texts_of(name: &str, value: &Json) -> Result<Vec<String>, Fault> {
    match value {
        Json::Array(list) => list.iter().map(|value| plain(name, value)).collect(),
        one => Ok(vec![plain(name, one)?]),
    }
}

/// Returns a text, a number or a truth value as text.
pub(super) fn plain(name: &str, value: &Json) -> Result<String, Fault> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(truth) => Ok(truth.to_string()),
        other => Err(Fault::Type {
            field: name.to_owned(),
            expected: "text",
            found: kind(other),
        }),
    }
}

/// Returns the text, unless it is blank.
pub(super) fn filled(name: &str, text: String) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::Blank {
            field: name.to_owned(),
        });
    }
    Ok(text)
}

/// Returns what a value is, in words.
pub(super) fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
