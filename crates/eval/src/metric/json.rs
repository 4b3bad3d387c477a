//! Structured answers: whether they are JSON at all, whether they say the same as the gold,
//! and how many of their fields are right.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::text::{counted, shared};

/// A JSON value with all of its names, also those that come twice in one object, of which a
/// map would keep the last and hide the rest.
enum Tree {
    /// What holds nothing else: never an array or an object.
    Leaf(Value),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whole)
    }
}

struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Tree::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Object(fields))
    }
}

/// Returns whether the answer is JSON and nothing else.
pub(crate) fn is_valid(said: &str) -> bool {
    parse(said).is_some()
}

fn parse(text: &str) -> Option<Tree> {
    serde_json::from_str(text).ok()
}

/// Returns whether the answer says the same as one of `right`: fields in any order, numbers
/// by their value (`1` is `1.0`), lists in order. An object in which a name comes twice says
/// nothing sure (RFC 8259, section 4), and is the same as none.
pub(crate) fn is_same(said: &str, right: &[String]) -> bool {
    let Some(said) = parse(said) else {
        return false;
    };
    right
        .iter()
        .filter_map(|gold| parse(gold))
        .any(|gold| same(&said, &gold))
}

fn same(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        (Tree::Leaf(Value::Number(a)), Tree::Leaf(Value::Number(b))) => {
            a == b || a.as_f64() == b.as_f64()
        }
        (Tree::Leaf(a), Tree::Leaf(b)) => a == b,
        (Tree::Array(a), Tree::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Tree::Object(a), Tree::Object(b)) => {
            let in_b = |(key, value): &(String, Tree)| {
                b.iter()
                    .find(|it| it.0 == *key)
                    .is_some_and(|it| same(value, &it.1))
            };
            a.len() == b.len() && are_different(a) && are_different(b) && a.iter().all(in_b)
        }
        _ => false,
    }
}

/// Returns whether no name comes twice.
fn are_different(fields: &[(String, Tree)]) -> bool {
    let mut seen = HashSet::new();
    fields.iter().all(|(name, _)| seen.insert(name))
}

/// Returns how many fields are right, made up, and missing. A field is a value with the names
/// above it; those of a list count in any order, an empty list or object is a field itself, and
/// a name that comes twice is two. An answer that is no JSON has none. Of several right answers, that with the most in common.
pub(crate) fn field_statistics(said: &str, right: &[String]) -> [f64; 3] {
    let mine = fields_of(said);
    let many = |fields: &[(String, u32)]| f64::from(fields.iter().map(|it| it.1).sum::<u32>());
    let against = |gold: &String| {
        let gold = fields_of(gold);
        let both = f64::from(shared(&mine, &gold));
        [both, many(&mine) - both, many(&gold) - both]
    };
    let better = |a: [f64; 3], b: [f64; 3]| {
        let f1 = super::labels::f1_of;
        if f1(&b) > f1(&a) { b } else { a }
    };
    let empty = [0.0, many(&mine), 0.0];
    right.iter().map(against).reduce(better).unwrap_or(empty)
}

fn fields_of(text: &str) -> Vec<(String, u32)> {
    let mut fields = Vec::new();
    if let Some(value) = parse(text) {
        collect(&value, &mut String::new(), &mut fields);
    }
    counted(fields)
}

fn collect(value: &Tree, path: &mut String, fields: &mut Vec<String>) {
    let length = path.len();
    match value {
        Tree::Object(inner) if !inner.is_empty() => {
            for (key, value) in inner {
                path.push('\u{0}');
                path.push_str(key);
                collect(value, path, fields);
                path.truncate(length);
            }
        }
        Tree::Array(inner) if !inner.is_empty() => {
            path.push_str("\u{0}[]");
            for value in inner {
                collect(value, path, fields);
            }
            path.truncate(length);
        }
        Tree::Leaf(Value::Number(number)) => {
            let number = number.as_f64().unwrap_or_default();
            fields.push(format!("{path}\u{0}={number}"));
        }
        Tree::Leaf(leaf) => fields.push(format!("{path}\u{0}={leaf}")),
        Tree::Array(_) => fields.push(format!("{path}\u{0}=[]")),
        Tree::Object(_) => fields.push(format!("{path}\u{0}={{}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compared_by_what_it_says() {
        let right = ["{\"a\": 1, \"b\": [true, null]}".to_owned()];
        assert!(is_same("{\"b\":[true,null],\"a\":1.0}", &right));
        assert!(!is_same("{\"b\":[null,true],\"a\":1}", &right));
        assert!(!is_same("{\"a\":1}", &right));
        assert!(!is_same("Here it is: {}", &right));
        assert!(is_same("{\"a\":1.0,\"b\":[true,null]}", &right));
        assert!(!is_same("{\"a\":2,\"a\":1,\"b\":[true,null]}", &right));
        assert!(!is_same("{\"a\":1,\"a\":1}", &["{\"a\":1,\"b\":2}".into()]));
        assert!(is_same("[]", &["[]".into()]) && !is_same("[]", &["{}".into()]));
        assert!(is_valid("{\"a\":2,\"a\":1}"));
        assert!(is_valid("{}") && !is_valid("```json\n{}\n```"));
    }

    #[test]
    fn fields_are_counted_one_by_one() {
        let right = ["{\"intent\":\"play\",\"slots\":[{\"n\":1},{\"n\":2}]}".to_owned()];
        let check = |said: &str, expect: [f64; 3]| {
            assert_eq!(field_statistics(said, &right), expect, "{said}");
        };
        check(&right[0], [3.0, 0.0, 0.0]);
        check(
            "{\"intent\":\"stop\",\"slots\":[{\"n\":2}]}",
            [1.0, 1.0, 2.0],
        );
        check("{\"intent\":\"stop\",\"intent\":\"play\"}", [1.0, 1.0, 2.0]);
        check("nonsense", [0.0, 0.0, 3.0]);
        check("{}", [0.0, 1.0, 3.0]);
        assert_eq!(field_statistics("{}", &[]), [0.0, 1.0, 0.0]);
    }
}
