//! The filter: a condition on a document's metadata, decided before anything is ranked.
//!
//! ```text
//! condition  = and-part { "or" and-part }
//! and-part   = not-part { "and" not-part }
//! not-part   = "not" not-part | "(" condition ")" | comparison
//! comparison = key ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//!            | key "in" "(" value { "," value } ")"
//!            | key "contains" value
//! key        = letters, digits, "_", "-", "."; or anything in backticks
//! value      = "text" | 'text' | number | true | false | a word or date as it stands
//! ```
//!
//! A list in the metadata matches if one of its values does. A document without the
//! key matches no comparison; so `not jurisdiction = "US"` and `jurisdiction != "US"`
//! both keep it. Two numbers, or texts that both read as numbers, compare as numbers;
//! everything else as text, so that ISO dates compare as dates.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use contract::{Metadata, Value};
use thiserror::Error;

/// A condition on metadata. Two filters written differently may be equal.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Every part holds.
    All(Vec<Filter>),
    /// At least one part holds.
    Any(Vec<Filter>),
    /// The part does not hold.
    Not(Box<Filter>),
    /// The key's value compares so with the given one.
    Compare {
        /// The metadata's key.
        key: String,
        /// How it must compare.
        how: Comparison,
        /// With what.
        value: Value,
    },
}

/// How a value must compare with the given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Less.
    Less,
    /// Less or the same.
    AtMost,
    /// More.
    More,
    /// More or the same.
    AtLeast,
    /// The text holds the given one, letters of either case.
    Contains,
}

/// Why a filter is not one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// The filter is not written as filters are.
    #[error(
        "the filter `{filter}` is not understood at character {at}: expected {expected}, found {found}"
    )]
    Syntax {
        /// The whole filter.
        filter: String,
        /// Where it stops making sense, in characters from 1.
        at: usize,
        /// What could stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// No document that the reader may read has the key.
    #[error("the filter asks for `{key}`, which no document has")]
    UnknownKey {
        /// The key asked for.
        key: String,
        /// The key most like it that documents have.
        nearest: Option<String>,
    },
}

impl Filter {
    /// Reads a filter as it is written on the command line.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut parser = Parser { text, rest: text };
        let filter = parser.condition(0)?;
        match parser.peek() {
            Token::End => Ok(filter),
            found => Err(parser.expected("`and`, `or` or the end", &found)),
        }
    }

    /// Returns whether a document with `metadata` passes.
    pub fn matches(&self, metadata: &Metadata) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(metadata)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(metadata)),
            Self::Not(part) => !part.matches(metadata),
            Self::Compare { key, how, value } => metadata
                .get(key)
                .is_some_and(|found| compares(found, *how, value)),
        }
    }

    /// Returns the keys it asks for.
    pub fn keys(&self) -> BTreeSet<&str> {
        let mut keys = BTreeSet::new();
        self.collect_keys(&mut keys);
        keys
    }

    fn collect_keys<'a>(&'a self, keys: &mut BTreeSet<&'a str>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.collect_keys(keys));
            }
            Self::Not(part) => part.collect_keys(keys),
            Self::Compare { key, .. } => {
                keys.insert(key);
            }
        }
    }
}

fn compares(found: &Value, how: Comparison, wanted: &Value) -> bool {
    if let Value::List(values) = found {
        return values.iter().any(|value| compares(value, how, wanted));
    }
    if how == Comparison::Contains {
        return found
            .to_string()
            .to_lowercase()
            .contains(&wanted.to_string().to_lowercase());
    }
    let order = match (number(found), number(wanted)) {
        (Some(found), Some(wanted)) => found.partial_cmp(&wanted),
        _ => Some(found.to_string().cmp(&wanted.to_string())),
    };
    order.is_some_and(|order| match how {
        Comparison::Equal => order == Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::AtMost => order != Ordering::Greater,
        Comparison::More => order == Ordering::Greater,
        Comparison::AtLeast => order != Ordering::Less,
        Comparison::Contains => unreachable!("handled above"),
    })
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Flag(_) | Value::List(_) => None,
    }
}

/// Brackets and `not`s may be nested this deep: deep enough for a person, too
/// shallow to exhaust the stack.
const DEEPEST: usize = 64;

#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Quoted(&'a str),
    Backticked(&'a str),
    Sign(&'a str),
    Unclosed,
    End,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Sign(text) => write!(f, "`{text}`"),
            Self::Quoted(text) => write!(f, "\"{text}\""),
            Self::Backticked(text) => write!(f, "the key `{text}`"),
            Self::Unclosed => f.write_str("a quote that is not closed"),
            Self::End => f.write_str("the end"),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn condition(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut parts = vec![self.and_part(depth)?];
        while self.take_word("or") {
            parts.push(self.and_part(depth)?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Filter::Any(parts)
        })
    }

    fn and_part(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut parts = vec![self.not_part(depth)?];
        while self.take_word("and") {
            parts.push(self.not_part(depth)?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Filter::All(parts)
        })
    }

    fn not_part(&mut self, depth: usize) -> Result<Filter, FilterError> {
        if depth > DEEPEST {
            return Err(self.expected("fewer brackets inside one another", &self.peek()));
        }
        if self.take_word("not") {
            return Ok(Filter::Not(Box::new(self.not_part(depth + 1)?)));
        }
        if self.take_sign("(") {
            let inner = self.condition(depth + 1)?;
            return match self.take_sign(")") {
                true => Ok(inner),
                false => Err(self.expected("`)`", &self.peek())),
            };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        let before = self.rest;
        let key = match self.next() {
            Token::Word(key) | Token::Backticked(key) => key.to_owned(),
            found => {
                self.rest = before;
                return Err(self.expected("a key such as `date`", &found));
            }
        };
        if self.take_word("in") {
            return self.one_of(&key);
        }
        let before = self.rest;
        let how = match self.next() {
            Token::Sign("=" | "==") => Comparison::Equal,
            Token::Sign("!=") => {
                let value = self.value()?;
                let same = Filter::Compare {
                    key,
                    how: Comparison::Equal,
                    value,
                };
                return Ok(Filter::Not(Box::new(same)));
            }
            Token::Sign("<") => Comparison::Less,
            Token::Sign("<=") => Comparison::AtMost,
            Token::Sign(">") => Comparison::More,
            Token::Sign(">=") => Comparison::AtLeast,
            Token::Word(word) if word.eq_ignore_ascii_case("contains") => Comparison::Contains,
            found => {
                self.rest = before;
                return Err(self.expected(
                    "`=`, `!=`, `<`, `<=`, `>`, `>=`, `in` or `contains`",
                    &found,
                ));
            }
        };
        Ok(Filter::Compare {
            key,
            how,
            value: self.value()?,
        })
    }

    fn one_of(&mut self, key: &str) -> Result<Filter, FilterError> {
        if !self.take_sign("(") {
            return Err(self.expected("`(` and the values, with `,` between them", &self.peek()));
        }
        let mut parts = Vec::new();
        loop {
            let value = self.value()?;
            parts.push(Filter::Compare {
                key: key.into(),
                how: Comparison::Equal,
                value,
            });
            if self.take_sign(")") {
                return Ok(Filter::Any(parts));
            }
            if !self.take_sign(",") {
                return Err(self.expected("`,` or `)`", &self.peek()));
            }
        }
    }

    fn value(&mut self) -> Result<Value, FilterError> {
        let before = self.rest;
        match self.next() {
            Token::Quoted(text) => Ok(Value::Text(text.into())),
            Token::Word("true") => Ok(Value::Flag(true)),
            Token::Word("false") => Ok(Value::Flag(false)),
            Token::Word(word) => Ok(match word.parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Number(number),
                _ => Value::Text(word.into()),
            }),
            found => {
                self.rest = before;
                Err(self.expected("a value such as \"US\", 12 or 2024-01-31", &found))
            }
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word)) && {
            self.next();
            true
        }
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        self.peek() == Token::Sign(sign) && {
            self.next();
            true
        }
    }

    fn peek(&self) -> Token<'a> {
        Parser {
            text: self.text,
            rest: self.rest,
        }
        .next()
    }

    fn next(&mut self) -> Token<'a> {
        self.rest = self.rest.trim_start();
        let rest = self.rest;
        let Some(first) = rest.chars().next() else {
            return Token::End;
        };
        if let quote @ ('"' | '\'' | '`') = first {
            let Some(end) = rest[1..].find(quote) else {
                return Token::Unclosed;
            };
            self.rest = &rest[end + 2..];
            let inner = &rest[1..=end];
            return if quote == '`' {
                Token::Backticked(inner)
            } else {
                Token::Quoted(inner)
            };
        }
        let is_word =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '+' | '/');
        let end = match first {
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            '<' | '>' | '!' | '=' if rest[1..].starts_with('=') => 2,
            c => c.len_utf8(),
        };
        self.rest = &rest[end..];
        if is_word(first) {
            Token::Word(&rest[..end])
        } else {
            Token::Sign(&rest[..end])
        }
    }

    fn expected(&self, expected: &'static str, found: &Token<'_>) -> FilterError {
        let rest = self.rest.trim_start();
        FilterError::Syntax {
            filter: self.text.into(),
            at: self.text[..self.text.len() - rest.len()].chars().count() + 1,
            expected,
            found: found.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document() -> Metadata {
        Metadata::from([
            ("jurisdiction".into(), Value::Text("US".into())),
            ("date".into(), Value::Text("2024-01-15".into())),
            ("pages".into(), Value::Number(12.0)),
            ("draft".into(), Value::Flag(false)),
            (
                "tags".into(),
                Value::List(vec![Value::Text("law".into()), Value::Text("tax".into())]),
            ),
        ])
    }

    fn check(filter: &str, expect: bool) {
        let parsed = Filter::parse(filter).unwrap();
        assert_eq!(parsed.matches(&document()), expect, "{filter}: {parsed:?}");
    }

    #[test]
    fn compares_text_dates_numbers_and_lists() {
        check(r#"jurisdiction = "US" and date >= 2024-01-01"#, true);
        check("jurisdiction = US and date >= 2024-02-01", false);
        check("pages > 9", true);
        check("pages <= '11'", false);
        check("draft = false", true);
        check("tags = tax", true);
        check("tags in (music, law)", true);
        check("jurisdiction contains u", true);
        check("jurisdiction = EU or not (pages = 12 and tags = art)", true);
    }

    #[test]
    fn a_missing_key_matches_no_comparison() {
        check("owner = legal", false);
        check("owner != legal", true);
        check("not owner = legal", true);
    }

    #[test]
    fn and_binds_before_or() {
        check("pages = 1 and pages = 2 or pages = 12", true);
        check("pages = 12 or pages = 1 and pages = 2", true);
        check("(pages = 12 or pages = 1) and pages = 2", false);
    }

    #[test]
    fn says_where_it_stops_making_sense() {
        for (filter, at, expected) in [
            ("", 1, "a key such as `date`"),
            ("date >", 7, "a value such as \"US\", 12 or 2024-01-31"),
            (
                "date 2024",
                6,
                "`=`, `!=`, `<`, `<=`, `>`, `>=`, `in` or `contains`",
            ),
            ("(a = 1", 7, "`)`"),
            ("a = 1 b = 2", 7, "`and`, `or` or the end"),
            ("ä = \"open", 5, "a value such as \"US\", 12 or 2024-01-31"),
        ] {
            match Filter::parse(filter).unwrap_err() {
                FilterError::Syntax {
                    at: found,
                    expected: what,
                    ..
                } => {
                    assert_eq!((found, what), (at, expected), "{filter}");
                }
                other => panic!("{filter}: {other}"),
            }
        }
    }

    #[test]
    fn deep_nesting_is_an_error() {
        assert!(Filter::parse(&"(".repeat(100_000)).is_err());
        assert!(Filter::parse(&"not ".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z=<>!()'\"`, ä-]{0,40}|\\PC{0,40}") {
            let _ = Filter::parse(&text);
        }
    }
}
