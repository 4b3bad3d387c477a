//! Values as Python has them: printed, as JSON, and their methods.

use std::fmt::Write as _;

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Error, ErrorKind, Output, State};

/// Prints a value as Python's `str` does.
pub(super) fn format(
    out: &mut Output<'_>,
    _: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    Ok(out.write_str(&text(value))?)
}

/// The filter `string`.
pub(super) fn string(value: &Value) -> String {
    text(value)
}

/// The test `sequence`: what has a length and is indexed, in Python.
pub(super) fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::String | ValueKind::Map | ValueKind::Undefined
    )
}

/// The test `iterable`.
pub(super) fn is_iterable(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq
            | ValueKind::String
            | ValueKind::Map
            | ValueKind::Iterable
            | ValueKind::Undefined
    )
}

/// Python's methods of texts, lists and dictionaries.
pub(super) fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, arguments)
}

/// Python's `str`.
fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_undefined() => String::new(),
        None => {
            let mut text = String::new();
            write_repr(&mut text, value);
            text
        }
    }
}

/// Python's `repr`.
fn write_repr(out: &mut String, value: &Value) {
    match value.kind() {
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => quote(out, value.as_str().unwrap_or_default()),
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter().into_iter().flatten().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(out, &key);
                out.push_str(": ");
                write_repr(out, &value.get_item(&key).unwrap_or_default());
            }
            out.push('}');
        }
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (index, item) in value.try_iter().into_iter().flatten().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(out, &item);
            }
            out.push(']');
        }
        _ => {
            let _ = write!(out, "{value}");
        }
    }
}

/// Writes a text between quotes: single ones, unless it has such and no double ones.
fn quote(out: &mut String, text: &str) {
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(mark);
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            letter if letter == mark => {
                out.push('\\');
                out.push(letter);
            }
            letter if (letter as u32) < 0x20 || letter as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", letter as u32);
            }
            letter => out.push(letter),
        }
    }
    out.push(mark);
}

/// Writes a number as Python does: `1.0`, `1e+16`.
fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    let Ok(number) = f64::try_from(value.clone()) else {
        return value.to_string();
    };
    let magnitude = number.abs();
    if number.is_finite() && magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{number:e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if power.starts_with('-') { '-' } else { '+' };
        return format!("{digits}e{sign}{:0>2}", power.trim_start_matches('-'));
    }
    format!("{number:?}")
}

/// How JSON is laid out, as the arguments of Python's `json.dumps`.
struct Layout {
    indent: Option<String>,
    items: String,
    pairs: String,
    ascii: bool,
    sorted: bool,
}

/// The filter `tojson`, as transformers has it: `json.dumps` without escapes for HTML.
#[expect(
    clippy::needless_pass_by_value,
    reason = "filters take their arguments so"
)]
pub(super) fn to_json(value: &Value, arguments: Kwargs) -> Result<String, Error> {
    let indent = match arguments.get::<Option<Value>>("indent")? {
        None => None,
        Some(value) if value.is_none() || value.is_undefined() => None,
        Some(value) => Some(match value.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(value.as_usize().unwrap_or(0).min(64)),
        }),
    };
    let separators = arguments
        .get::<Option<Vec<String>>>("separators")?
        .filter(|list| list.len() == 2);
    let (items, pairs) = match separators {
        Some(list) => (list[0].clone(), list[1].clone()),
        None if indent.is_some() => (",".into(), ": ".into()),
        None => (", ".into(), ": ".into()),
    };
    let layout = Layout {
        indent,
        items,
        pairs,
        ascii: arguments
            .get::<Option<bool>>("ensure_ascii")?
            .unwrap_or(false),
        sorted: arguments.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    arguments.assert_all_used()?;
    let mut out = String::new();
    write_json(&mut out, value, &layout, 0)?;
    Ok(out)
}

/// Adds texts as Python does where some are marked as `safe`: a sum with one of them is
/// safe, and the other is escaped (markupsafe, `Markup.__add__`).
pub(super) fn sum_of_safe(terms: Rest<Value>) -> Result<Value, Error> {
    let mut terms = terms.0.into_iter();
    let mut sum = terms.next().unwrap_or_default();
    for term in terms {
        let (Some(left), Some(right)) = (sum.as_str(), term.as_str()) else {
            let message = format!("a {} cannot be added to a {}", term.kind(), sum.kind());
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        };
        sum = match (sum.is_safe(), term.is_safe()) {
            (false, false) => Value::from(format!("{left}{right}")),
            (true, true) => Value::from_safe_string(format!("{left}{right}")),
            (true, false) => Value::from_safe_string(format!("{left}{}", escaped(right))),
            (false, true) => Value::from_safe_string(format!("{}{right}", escaped(left))),
        };
    }
    Ok(sum)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            letter => out.push(letter),
        }
    }
    out
}

fn write_json(out: &mut String, value: &Value, layout: &Layout, depth: usize) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => quote_json(out, value.as_str().unwrap_or_default(), layout.ascii),
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if layout.sorted {
                keys.sort();
            }
            let is_empty = keys.is_empty();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                separate(out, layout, depth + 1, index);
                match key.kind() {
                    ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::None => {
                        let name = match key.kind() {
                            ValueKind::String => text(&key),
                            ValueKind::Number => number(&key),
                            ValueKind::None => "null".into(),
                            _ => key.is_true().to_string(),
                        };
                        quote_json(out, &name, layout.ascii);
                    }
                    kind => return Err(not_json(kind)),
                }
                out.push_str(&layout.pairs);
                write_json(out, &value.get_item(&key)?, layout, depth + 1)?;
            }
            close(out, layout, depth, is_empty, '}');
        }
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            let mut is_empty = true;
            for (index, item) in value.try_iter()?.enumerate() {
                is_empty = false;
                separate(out, layout, depth + 1, index);
                write_json(out, &item, layout, depth + 1)?;
            }
            close(out, layout, depth, is_empty, ']');
        }
        kind => return Err(not_json(kind)),
    }
    Ok(())
}

fn not_json(kind: ValueKind) -> Error {
    let message = format!("a value of type {kind} cannot be written as JSON");
    Error::new(ErrorKind::InvalidOperation, message)
}

fn separate(out: &mut String, layout: &Layout, depth: usize, index: usize) {
    if index > 0 {
        out.push_str(&layout.items);
    }
    new_line(out, layout, depth);
}

fn close(out: &mut String, layout: &Layout, depth: usize, is_empty: bool, mark: char) {
    if !is_empty {
        new_line(out, layout, depth);
    }
    out.push(mark);
}

fn new_line(out: &mut String, layout: &Layout, depth: usize) {
    if let Some(indent) = &layout.indent {
        out.push('\n');
        for _ in 0..depth {
            out.push_str(indent);
        }
    }
}

fn quote_json(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            letter if (letter as u32) < 0x20 || ascii && !letter.is_ascii() => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}
