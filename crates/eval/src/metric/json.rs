//! Structured answers: whether they are JSON at all, whether they say the same as the gold,
//! and how many of their fields are right.

use serde_json::Value;

use super::text::{counted, shared};

/// Returns whether the answer is JSON and nothing else.
pub(crate) fn is_valid(said: &str) -> bool {
    parse(said).is_some()
}

fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// Returns whether the answer says the same as one of `right`: fields in any order, numbers
/// by their value (`1` is `1.0`), lists in order.
pub(crate) fn is_same(said: &str, right: &[String]) -> bool {
    let Some(said) = parse(said) else {
        return false;
    };
    right
        .iter()
        .filter_map(|gold| parse(gold))
        .any(|gold| same(&said, &gold))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let in_b =
                |(key, value): (&String, &Value)| b.get(key).is_some_and(|it| same(value, it));
            a.len() == b.len() && a.iter().all(in_b)
        }
        (a, b) => a == b,
    }
}

/// Returns how many fields are right, made up, and missing. A field is a value with the names
/// above it; those of a list count in any order, an empty list or object is a field itself. An
/// answer that is no JSON has none. Of several right answers, that with the most in common.
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

fn collect(value: &Value, path: &mut String, fields: &mut Vec<String>) {
    let length = path.len();
    match value {
        Value::Object(inner) if !inner.is_empty() => {
            for (key, value) in inner {
                path.push('\u{0}');
                path.push_str(key);
                collect(value, path, fields);
                path.truncate(length);
            }
        }
        Value::Array(inner) if !inner.is_empty() => {
            path.push_str("\u{0}[]");
            for value in inner {
                collect(value, path, fields);
            }
            path.truncate(length);
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            fields.push(format!("{path}\u{0}={number}"));
        }
        leaf => fields.push(format!("{path}\u{0}={leaf}")),
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
        check("nonsense", [0.0, 0.0, 3.0]);
        check("{}", [0.0, 1.0, 3.0]);
        assert_eq!(field_statistics("{}", &[]), [0.0, 1.0, 0.0]);
    }
}
