//! Metadata and permissions from a record's fields, whoever wrote them.

use std::collections::BTreeSet;

use contract::{Group, Metadata, Permissions, Value};
use serde_json::{Map, Value as Json};

use crate::ReadError;

/// The keys that say who may read a document.
const PERMISSION_KEYS: [&str; 3] = ["groups", "permissions", "access"];

/// The deepest nesting that metadata is taken from.
const DEEPEST: usize = 8;

/// A permission field that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadPermission {
    /// The key.
    pub(crate) key: String,
    /// What stands there.
    pub(crate) found: String,
}

impl BadPermission {
    /// Returns the error that refuses the whole file.
    pub(crate) fn into_error(self, file: &str) -> ReadError {
        ReadError::Permissions {
            file: file.to_owned(),
            key: self.key,
            found: self.found,
        }
    }
}

/// What a record says about itself besides its text.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fields {
    /// What can be filtered by.
    pub(crate) metadata: Metadata,
    /// Who may read it, if it says so.
    pub(crate) permissions: Option<Permissions>,
}

impl Fields {
    /// Takes every field of `object`: permission keys as permissions, all else as
    /// metadata. Objects within become keys with a dot (`author.name`); nulls are
    /// left out.
    pub(crate) fn take(&mut self, object: Map<String, Json>) -> Result<(), BadPermission> {
        for (key, value) in object {
            self.take_one(key, value)?;
        }
        Ok(())
    }

    /// Takes one field.
    pub(crate) fn take_one(&mut self, key: String, value: Json) -> Result<(), BadPermission> {
        if !names_readers(&key) {
            self.put(key, value, 0);
            return Ok(());
        }
        let permissions = permissions(&key, &value)?;
        match &self.permissions {
            Some(earlier) if *earlier != permissions => Err(BadPermission {
                key,
                found: "another value than an earlier key that also names the readers".into(),
            }),
            _ => {
                self.permissions = Some(permissions);
                Ok(())
            }
        }
    }

    /// Takes over what `other` says and this does not.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.permissions.is_none() {
            self.permissions.clone_from(&other.permissions);
        }
        for (key, value) in &other.metadata {
            if !self.metadata.contains_key(key) {
                self.metadata.insert(key.clone(), value.clone());
            }
        }
    }

    fn put(&mut self, key: String, value: Json, depth: usize) {
        match value {
            Json::Object(object) if depth < DEEPEST => {
                for (inner, value) in object {
                    self.put(format!("{key}.{inner}"), value, depth + 1);
                }
            }
            other => {
                if let Some(value) = metadata_value(other) {
                    self.metadata.insert(key, value);
                }
            }
        }
    }
}

/// Returns whether a field of this name says who may read.
pub(crate) fn names_readers(key: &str) -> bool {
    PERMISSION_KEYS
        .iter()
        .any(|name| key.trim().eq_ignore_ascii_case(name))
}

/// Returns a JSON value as metadata; nothing for null. What has no form of its
/// own (an object in a list) is written as JSON text.
pub(crate) fn metadata_value(value: Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => Value::Flag(flag),
        Json::Number(number) => match number.as_f64() {
            Some(number) => Value::Number(number),
            None => Value::Text(number.to_string()),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(values) => Value::List(
            values
                .into_iter()
                .filter_map(|value| match value {
                    Json::Array(_) | Json::Object(_) => Some(Value::Text(value.to_string())),
                    other => metadata_value(other),
                })
                .collect(),
        ),
        Json::Object(_) => Value::Text(value.to_string()),
    })
}

/// Reads who may read: a group, groups with commas between, a list of groups, or
/// `everyone` (also `public`). An empty list is nobody.
fn permissions(key: &str, value: &Json) -> Result<Permissions, BadPermission> {
    let bad = |found: &str| BadPermission {
        key: key.to_owned(),
        found: found.to_owned(),
    };
    let mut groups = BTreeSet::new();
    match value {
        Json::String(text) => {
            if matches!(text.trim(), "everyone" | "public") {
                return Ok(Permissions::Everyone);
            }
            for name in text.split(',') {
                if name.trim().is_empty() {
                    return Err(bad("an empty name"));
                }
                groups.insert(Group(name.trim().to_owned()));
            }
        }
        Json::Array(values) => {
            for value in values {
                match value {
                    Json::String(name) if !name.trim().is_empty() => {
                        groups.insert(Group(name.trim().to_owned()));
                    }
                    Json::String(_) => return Err(bad("an empty name in the list")),
                    _ => return Err(bad("a list with something that is not a name")),
                }
            }
        }
        Json::Null => return Err(bad("nothing")),
        Json::Bool(_) => return Err(bad("true or false")),
        Json::Number(_) => return Err(bad("a number")),
        Json::Object(_) => return Err(bad("an object")),
    }
    Ok(Permissions::Groups(groups))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn take(value: Json) -> Result<Fields, BadPermission> {
        let Json::Object(object) = value else {
            unreachable!("tests pass objects")
        };
        let mut fields = Fields::default();
        fields.take(object).map(|()| fields)
    }

    fn groups(names: &[&str]) -> Option<Permissions> {
        Some(Permissions::Groups(
            names.iter().map(|name| Group((*name).into())).collect(),
        ))
    }

    #[test]
    fn metadata_keeps_its_types() {
        let fields = take(json!({
            "domain": "legal", "year": 2024, "draft": false, "none": null,
            "tags": ["a", "b"], "author": {"name": "Ada"},
        }))
        .unwrap();
        assert_eq!(fields.metadata["domain"], Value::Text("legal".into()));
        assert_eq!(fields.metadata["year"], Value::Number(2024.0));
        assert_eq!(fields.metadata["draft"], Value::Flag(false));
        assert_eq!(fields.metadata["author.name"], Value::Text("Ada".into()));
        assert_eq!(fields.metadata["tags"].to_string(), "a, b");
        assert!(!fields.metadata.contains_key("none"));
        assert_eq!(fields.permissions, None);
    }

    #[test]
    fn readers_are_named_as_text_or_as_a_list() {
        for (value, expect) in [
            (json!({"groups": "hr"}), groups(&["hr"])),
            (json!({"Access": "hr, board"}), groups(&["hr", "board"])),
            (json!({"permissions": ["hr"]}), groups(&["hr"])),
            (json!({"groups": []}), groups(&[])),
            (json!({"access": "everyone"}), Some(Permissions::Everyone)),
        ] {
            assert_eq!(take(value).unwrap().permissions, expect);
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused_rather_than_public() {
        for value in [
            json!({"groups": null}),
            json!({"groups": 7}),
            json!({"groups": true}),
            json!({"groups": {"read": "hr"}}),
            json!({"groups": ["hr", 7]}),
            json!({"groups": ""}),
            json!({"groups": "hr", "access": "board"}),
        ] {
            assert!(take(value).is_err());
        }
    }
}
