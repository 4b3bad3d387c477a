//! The fields that a Markdown file says about itself before its text: YAML
//! between `---` lines, or TOML between `+++` lines.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value as Json};

/// The most front matter that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// The deepest nesting that is read.
const DEEPEST: usize = 32;

/// Front matter, as it was found.
#[derive(Debug, PartialEq)]
pub(crate) struct FrontMatter {
    /// Its fields.
    pub(crate) fields: Map<String, Json>,
    /// The byte after its closing line.
    pub(crate) end: usize,
}

/// Why front matter cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrontMatterError {
    #[error("the front matter is not YAML")]
    Yaml(#[from] saphyr_parser::ScanError),
    #[error("the front matter is not TOML")]
    Toml(#[from] toml::de::Error),
    #[error("the front matter {0}")]
    Shape(&'static str),
}

/// Reads the front matter of `text`; nothing if it has none. A text that begins
/// with a rule (`---`) and does not close it, or whose first block is not a list
/// of fields, has none either.
pub(crate) fn read(text: &str) -> Result<Option<FrontMatter>, FrontMatterError> {
    let Some((mark, body, end)) = block(text) else {
        return Ok(None);
    };
    if body.len() > LONGEST {
        // A text with two rules far apart, unless its first line is a field: then
        // it might say who may read the rest.
        let first = body.lines().next().unwrap_or("");
        return match first.split_once([':', '=']) {
            Some((key, _)) if !key.trim().contains(' ') => {
                Err(FrontMatterError::Shape("is longer than 64 KiB"))
            }
            _ => Ok(None),
        };
    }
    if mark == "+++" {
        let table: toml::Table = toml::from_str(body)?;
        let fields = table
            .into_iter()
            .map(|(key, value)| (key, from_toml(value)))
            .collect();
        return Ok(Some(FrontMatter { fields, end }));
    }
    let first = body
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    match first {
        // A paragraph between two rules is text.
        Some(line) if !line.contains(':') => return Ok(None),
        None => return Ok(None),
        _ => {}
    }
    match yaml(body)? {
        Json::Object(fields) => Ok(Some(FrontMatter { fields, end })),
        _ => Ok(None),
    }
}

/// Returns the opening mark, the text between the marks and the byte after them.
fn block(text: &str) -> Option<(&str, &str, usize)> {
    let mut at = 0;
    let mut mark = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        match mark {
            None if content == "---" || content == "+++" => mark = Some((content, line.len())),
            None => return None,
            Some((open, start)) if content == open || (open == "---" && content == "...") => {
                return Some((open, &text[start..at], at + line.len()));
            }
            Some(_) => {}
        }
        at += line.len();
    }
    None
}

fn from_toml(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        toml::Value::Boolean(flag) => Json::Bool(flag),
        toml::Value::Datetime(time) => Json::String(time.to_string()),
        toml::Value::Array(values) => values.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => Json::Object(
            table
                .into_iter()
                .map(|(key, value)| (key, from_toml(value)))
                .collect(),
        ),
    }
}

/// Reads one YAML document. Aliases are refused: they let a small text stand for
/// an endless one, and front matter has no need of them.
fn yaml(text: &str) -> Result<Json, FrontMatterError> {
    enum Open {
        List(Vec<Json>),
        Fields(Map<String, Json>, Option<String>),
    }
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event?;
        let mut value = match event {
            Event::Scalar(words, style, _, _) => scalar(&words, style),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEEPEST => {
                return Err(FrontMatterError::Shape("is nested too deeply"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Fields(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(values)) => Json::Array(values),
                Some(Open::Fields(fields, _)) => Json::Object(fields),
                None => return Err(FrontMatterError::Shape("is not balanced")),
            },
            Event::Alias(_) => return Err(FrontMatterError::Shape("has an alias (`*name`)")),
            _ => continue,
        };
        match open.last_mut() {
            None => return Ok(value),
            Some(Open::List(values)) => values.push(value),
            Some(Open::Fields(fields, key)) => match key.take() {
                Some(key) => {
                    fields.insert(key, value);
                }
                None => {
                    *key = Some(match value.take() {
                        Json::String(key) => key,
                        other => other.to_string(),
                    });
                }
            },
        }
    }
    Ok(Json::Null)
}

/// Reads a YAML scalar after the core schema (YAML 1.2.2, §10.3.2); dates stay text.
fn scalar(words: &str, style: ScalarStyle) -> Json {
    if style != ScalarStyle::Plain {
        return Json::String(words.to_owned());
    }
    match words {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return Json::Bool(true),
        "false" | "False" | "FALSE" => return Json::Bool(false),
        _ => {}
    }
    let begins_like_a_number = words.starts_with(|letter: char| letter.is_ascii_digit())
        || words.starts_with(['-', '+', '.']);
    if begins_like_a_number {
        if let Ok(number) = words.parse::<i64>() {
            return number.into();
        }
        if let Some(number) = words.parse::<f64>().ok().and_then(Number::from_f64) {
            return Json::Number(number);
        }
    }
    Json::String(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expect: &Json, rest: &str) {
        let found = read(text).unwrap().unwrap();
        assert_eq!(Json::Object(found.fields), *expect);
        assert_eq!(&text[found.end..], rest);
    }

    #[test]
    fn yaml_and_toml_are_read() {
        check(
            "---\ntitle: A\ndate: 2024-01-15\ngroups: [hr, board]\nn: 3\nok: true\nby:\n  name: \"7\"\n---\n# A\n",
            &json!({"title": "A", "date": "2024-01-15", "groups": ["hr", "board"], "n": 3, "ok": true, "by": {"name": "7"}}),
            "# A\n",
        );
        check(
            "+++\r\ntitle = \"A\"\r\ndate = 2024-01-15\r\n+++\r\ntext",
            &json!({"title": "A", "date": "2024-01-15"}),
            "text",
        );
    }

    #[test]
    fn text_between_rules_is_text() {
        for text in [
            "# A\n",
            "---\nno end: here\n",
            "---\njust a paragraph\n---\n",
            "---\n---\n",
        ] {
            assert_eq!(read(text).unwrap(), None);
        }
    }

    #[test]
    fn damaged_front_matter_is_an_error() {
        for text in [
            "---\na: [1\n---\n",
            "+++\na = \n+++\n",
            "---\na: &x 1\nb: *x\n---\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
