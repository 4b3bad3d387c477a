//! What can be wrong with a configuration, said in the user's words.
//!
//! The parser's own messages speak of Rust types ("expected usize"); here they
//! become the key, the line and what may stand there. The known keys come from
//! the parser's message, so they are never listed twice.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a configuration was not understood.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("the configuration could not be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What stopped it; names the path.
        source: io::Error,
    },
    /// A key that is not known.
    #[error("`{}`, line {line}: unknown key `{key}`{}", path.display(), place(table))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key as written.
        key: String,
        /// The table it stands in, as written; empty at the top.
        table: String,
        /// The keys that may stand there.
        known: Vec<String>,
    },
    /// A key's value is none of the words that may stand there.
    #[error("`{}`, line {line}: `{key}` cannot be `{found}`", path.display())]
    UnknownChoice {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The value as written.
        found: String,
        /// The values that may stand there.
        known: Vec<String>,
    },
    /// Anything else that is wrong with one line.
    #[error("`{}`, line {line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong: which key, what was expected, what was found.
        message: String,
    },
}

fn place(table: &str) -> String {
    if table.is_empty() {
        String::new()
    } else {
        format!(" in `{table}`")
    }
}

impl ConfigError {
    /// Returns what to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        let (found, known) = match self {
            Self::UnknownKey { key, known, .. } => (key, known),
            Self::UnknownChoice { found, known, .. } => (found, known),
            Self::Read { .. } | Self::Invalid { .. } => return None,
        };
        let list = format!("Known here: `{}`", known.join("`, `"));
        Some(
            match contract::nearest(found, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`? {list}"),
                None => list,
            },
        )
    }

    /// Says in which line of `text` the parser's `error` arose, and in plain words.
    pub(crate) fn from_toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().lines().next().unwrap_or_default();
        let span = error.span().unwrap_or(0..0);
        let path = path.to_owned();
        let names = backticked(message);
        if message.starts_with("unknown field") && !names.is_empty() {
            let at = find_key(text, &span, &names[0]).unwrap_or(span.start);
            return Self::UnknownKey {
                path,
                line: line_of(text, at),
                table: table_at(text, at, &names[0]),
                key: names[0].clone(),
                known: names[1..].to_vec(),
            };
        }
        let line = line_of(text, span.start);
        let key = key_at(text, span.start);
        if message.starts_with("unknown variant") && !names.is_empty() {
            return Self::UnknownChoice {
                path,
                line,
                key,
                found: names[0].clone(),
                known: names[1..].to_vec(),
            };
        }
        let message = if message.starts_with("missing field") && !names.is_empty() {
            let table = table_at(text, span.end.saturating_sub(1).max(span.start), "");
            format!("`{}` is missing{}", names[0], place(&table))
        } else if let Some((found, expected)) = mismatch(message) {
            format!("`{key}` must be {expected}, found {found}")
        } else if key.is_empty() {
            message.to_owned()
        } else {
            format!("`{key}`: {message}")
        };
        Self::Invalid {
            path,
            line,
            message,
        }
    }
}

fn backticked(message: &str) -> Vec<String> {
    message
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Splits "invalid type: string "five", expected usize" into what was found and
/// what was expected, in plain words.
fn mismatch(message: &str) -> Option<(String, String)> {
    let (kind, rest) = message.split_once(": ")?;
    if kind != "invalid type" && kind != "invalid value" {
        return None;
    }
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let found = match found.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer" | "float" | "floating", number)) => {
            let number = number.trim_start_matches("point ").trim_matches('`');
            format!("the number {number}")
        }
        Some(("boolean", value)) => value.to_owned(),
        _ => match found {
            "map" => "a table".to_owned(),
            "sequence" => "a list".to_owned(),
            other => other.to_owned(),
        },
    };
    let expected = match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" if kind == "invalid value" => {
            "a whole number, 0 or more"
        }
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" => "text in quotes",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    Some((found, expected.to_owned()))
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1
}

/// Returns where `key` is written as a key within `span`, or on the line on which
/// the span begins.
fn find_key(text: &str, span: &Range<usize>, key: &str) -> Option<usize> {
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    text.get(start..)?
        .match_indices(key)
        .map(|(at, _)| start + at)
        .find(|at| {
            let before = text[..*at].chars().next_back();
            let after = text[at + key.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
            before.is_none_or(|c| " \t\n{,.[\"'".contains(c))
                && (after.starts_with(['=', ']', '.']))
        })
}

/// Returns the key whose value stands at `at`; empty if there is none.
fn key_at(text: &str, at: usize) -> String {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[start..at];
    let before = before.rfind('=').map_or("", |at| &before[..at]);
    let start = before.rfind(['{', ',']).map_or(0, |at| at + 1);
    before[start..].trim().trim_matches(['"', '\'']).to_owned()
}

/// Returns the table that the key at `at` stands in: the inline table's own key,
/// or the header above; empty at the top, and for a header that is itself `key`.
fn table_at(text: &str, at: usize, key: &str) -> String {
    let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    if let Some(brace) = text[line_start..at].rfind('{') {
        return key_at(text, line_start + brace);
    }
    let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let header = text[..line_end]
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| line.starts_with('['))
        .map(|line| line.split('#').next().unwrap_or(line).trim())
        .unwrap_or_default();
    if !key.is_empty() && header.trim_matches(['[', ']', ' ']) == key {
        String::new()
    } else {
        header.to_owned()
    }
}
