//! JSON: knowledge bases, lists of records, and anything else as `path: value`.
//!
//! A record's text is in `text`, `content`, `body` or `contents`, or it is a
//! `question` with its `answer`; `title`, `id` (or `_id`), `embedding` and the
//! object `metadata` are what they say, and all other fields are metadata.

use serde_json::{Map, Value as Json};

use crate::encoding::decode;
use crate::fields::Fields;
use crate::read::{Draft, Drafts, Source, TrainingParameters};
use crate::{ReadError, outline};

const TEXT_KEYS: [&str; 4] = ["text", "content", "body", "contents"];

/// Reads a JSON file: a knowledge base (`{"documents": […]}`), a list of
/// records, one record, or any other value.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let decoded = decode(std::mem::take(&mut source.bytes), source.file)?;
    let value: Json =
        serde_json::from_str(&decoded.text).map_err(|error| source.damaged("JSON", error))?;
    let mut drafts = Drafts::default();
    match value {
        Json::Object(mut object) if is_record_list(object.get("documents")) => {
            // What the file says of itself holds for every record that does not say
            // otherwise, above all who may read.
            if let Some(parameters) = object.remove("training_parameters") {
                drafts.training_parameters = parameters_of(parameters, &mut source);
            }
            if let Some(Json::Array(records)) = object.remove("documents") {
                drafts.documents = read_records(records, &mut source);
            }
            let mut shared = Fields::default();
            shared
                .take(object)
                .map_err(|bad| bad.into_error(source.file))?;
            for draft in &mut drafts.documents {
                draft.fields.add(&shared);
            }
        }
        Json::Array(records) if is_record_array(&records) => {
            drafts.documents = read_records(records, &mut source);
        }
        Json::Object(object) if is_record(&object) => {
            let mut draft = record(object).map_err(|reason| reason.into_error(source.file))?;
            draft.record = None;
            drafts.documents.push(draft);
        }
        other => {
            let mut text = String::with_capacity(decoded.text.len());
            flatten(&other, &mut String::new(), &mut text);
            if text.len() as u64 > source.most_text() {
                return Err(source.too_large());
            }
            let mut draft = Draft {
                text,
                ..Draft::default()
            };
            if let Json::Object(object) = other {
                for (key, value) in object {
                    if crate::fields::names_readers(&key) {
                        draft
                            .fields
                            .take_one(key, value)
                            .map_err(|bad| bad.into_error(source.file))?;
                    }
                }
            }
            drafts.documents.push(draft);
        }
    }
    note_encoding(&mut drafts.documents, decoded.encoding);
    Ok(drafts)
}

/// Reads a file with one JSON value a line; each becomes a document. A line that
/// is not JSON is left out with a warning; if none is, the file is damaged.
pub(crate) fn read_lines(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let decoded = decode(std::mem::take(&mut source.bytes), source.file)?;
    let mut drafts = Drafts::default();
    let mut first_error = None;
    let mut number = 0;
    for (line, content) in decoded.text.lines().enumerate() {
        if content.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(content) {
            Ok(value) => {
                if let Some(mut draft) = read_record(value, number, &mut source) {
                    draft
                        .fields
                        .metadata
                        .insert("line".into(), contract::Value::Number((line + 1) as f64));
                    drafts.documents.push(draft);
                }
            }
            Err(error) => {
                source.skip_record(format!("on line {}", line + 1), format!("{error}"));
                first_error.get_or_insert(error);
            }
        }
        number += 1;
    }
    if let Some(error) = first_error.filter(|_| drafts.documents.is_empty()) {
        return Err(source.damaged("JSON lines", error));
    }
    note_encoding(&mut drafts.documents, decoded.encoding);
    Ok(drafts)
}

fn note_encoding(documents: &mut [Draft], encoding: Option<&str>) {
    if let Some(encoding) = encoding {
        for document in documents {
            document.note("encoding", encoding);
        }
    }
}

fn is_record_list(value: Option<&Json>) -> bool {
    matches!(value, Some(Json::Array(records)) if records.iter().all(Json::is_object))
}

fn is_record_array(records: &[Json]) -> bool {
    !records.is_empty()
        && records
            .iter()
            .all(|record| record.as_object().is_some_and(is_record))
}

fn is_record(object: &Map<String, Json>) -> bool {
    let text = |key: &str| object.get(key).is_some_and(Json::is_string);
    TEXT_KEYS.iter().any(|key| text(key)) || (text("question") && text("answer"))
}

fn parameters_of(value: Json, source: &mut Source<'_>) -> Option<TrainingParameters> {
    match serde_json::from_value(value) {
        Ok(parameters) => Some(parameters),
        Err(error) => {
            source.skip_part("`training_parameters`", error.to_string());
            None
        }
    }
}

fn read_records(records: Vec<Json>, source: &mut Source<'_>) -> Vec<Draft> {
    records
        .into_iter()
        .enumerate()
        .filter_map(|(number, value)| read_record(value, number, source))
        .collect()
}

/// Reads the record at `number`; notes why if it must be left out.
fn read_record(value: Json, number: usize, source: &mut Source<'_>) -> Option<Draft> {
    let by_number = format!("doc_{number}");
    match value {
        Json::Object(object) => match record(object) {
            Ok(mut draft) => {
                draft.record.get_or_insert(by_number);
                Some(draft)
            }
            Err(reason) => {
                source.skip_record(
                    reason.record.clone().unwrap_or(by_number),
                    reason.to_string(),
                );
                None
            }
        },
        other => {
            let mut text = String::new();
            flatten(&other, &mut String::new(), &mut text);
            Some(Draft {
                record: Some(by_number),
                text,
                ..Draft::default()
            })
        }
    }
}

/// Why a record cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("`{key}` {expected}, found {found}")]
struct BadRecord {
    record: Option<String>,
    key: String,
    expected: &'static str,
    found: String,
}

impl BadRecord {
    fn into_error(self, file: &str) -> ReadError {
        ReadError::Permissions {
            file: file.to_owned(),
            key: self.key,
            found: self.found,
        }
    }
}

fn record(mut object: Map<String, Json>) -> Result<Draft, BadRecord> {
    let mut draft = Draft::default();
    for key in ["_id", "id"] {
        let found = match object.get(key) {
            Some(Json::String(id)) if !id.trim().is_empty() => id.trim().to_owned(),
            Some(Json::Number(id)) => id.to_string(),
            _ => continue,
        };
        object.remove(key);
        draft.record.get_or_insert(found);
    }
    if let Some(Json::String(title)) = object.get("title") {
        draft.title = Some(title.clone());
        object.remove("title");
    }
    if let Some(numbers) = object.get("embedding").and_then(vector) {
        draft.embedding = Some(numbers);
        object.remove("embedding");
    }
    let bad = |bad: crate::fields::BadPermission, record: &Option<String>| BadRecord {
        record: record.clone(),
        key: bad.key,
        expected: "must name a group or a list of groups",
        found: bad.found,
    };
    let mut fields = Fields::default();
    if let Some(Json::Object(_)) = object.get("metadata")
        && let Some(Json::Object(metadata)) = object.remove("metadata")
    {
        fields
            .take(metadata)
            .map_err(|found| bad(found, &draft.record))?;
    }
    let text_key = TEXT_KEYS
        .iter()
        .find(|key| object.get(**key).is_some_and(Json::is_string));
    if let Some(Json::String(text)) = text_key.and_then(|key| object.remove(*key)) {
        draft.text = text;
    } else if let (Some(Json::String(question)), Some(Json::String(answer))) =
        (object.get("question"), object.get("answer"))
    {
        draft.text = format!("{}\n\n{}\n", question.trim(), answer.trim());
        draft
            .title
            .get_or_insert_with(|| outline::one_line(question));
        object.remove("question");
        object.remove("answer");
    } else {
        // No field is its text, so all of them are.
        for (key, value) in &object {
            if !crate::fields::names_readers(key) {
                flatten(value, &mut key.clone(), &mut draft.text);
            }
        }
    }
    fields
        .take(object)
        .map_err(|found| bad(found, &draft.record))?;
    draft.fields = fields;
    Ok(draft)
}

/// Returns a list of finite numbers; nothing if it is something else.
fn vector(value: &Json) -> Option<Vec<f32>> {
    let numbers = value.as_array()?;
    if numbers.is_empty() {
        return None;
    }
    numbers
        .iter()
        .map(|number| number.as_f64().map(|number| number as f32))
        .map(|number| number.filter(|number| number.is_finite()))
        .collect()
}

/// The most that a value is flattened to; a long key over many small values would
/// otherwise be written without end.
const LONGEST_FLAT: usize = 1 << 30;

/// Writes a value as lines `path: value`, `path` growing by `.key` and `[n]`.
fn flatten(value: &Json, path: &mut String, text: &mut String) {
    let before = path.len();
    if text.len() > LONGEST_FLAT {
        return;
    }
    match value {
        Json::Null => {}
        Json::Object(object) => {
            for (key, value) in object {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                flatten(value, path, text);
                path.truncate(before);
            }
        }
        Json::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                path.push_str(&format!("[{number}]"));
                flatten(value, path, text);
                path.truncate(before);
            }
        }
        leaf => {
            if !path.is_empty() {
                text.push_str(&outline::shorten(path));
                text.push_str(": ");
            }
            match leaf {
                Json::String(words) => text.push_str(words.trim_end()),
                other => text.push_str(&other.to_string()),
            }
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReadOptions, Reading, Warning, read_bytes};
    use contract::{Permissions, Reader, Value};

    fn read(name: &str, text: &str) -> Result<Reading, ReadError> {
        read_bytes(text.as_bytes(), name, name, &ReadOptions::default())
    }

    #[test]
    fn a_knowledge_base_is_its_documents() {
        let text = r#"{"documents": [
            {"id": "doc_001", "content": "Data is protected.",
             "metadata": {"domain": "legal", "jurisdiction": "EU", "date": "2024-01-15"}},
            {"content": "For the board.", "metadata": {"groups": ["board"]}}
        ], "training_parameters": {"learning_rate": 0.0001, "batch_size": 32, "epochs": 100, "optimizer": "AdamW"}}"#;
        let reading = read("kb.json", text).unwrap();
        let ids: Vec<_> = reading.documents.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["kb.json#doc_001", "kb.json#doc_1"]);
        let first = &reading.documents[0];
        assert_eq!(first.text, "Data is protected.");
        assert_eq!(first.metadata["jurisdiction"], Value::Text("EU".into()));
        assert!(first.permissions.allow(&Reader::default()));
        assert!(!reading.documents[1].permissions.allow(&Reader::default()));
        assert!(
            reading.documents[1]
                .permissions
                .allow(&Reader::of(["board"]))
        );
        let parameters = reading.training_parameters.unwrap();
        assert_eq!(parameters.learning_rate, Some(0.0001));
        assert_eq!(parameters.batch_size, Some(32));
        assert_eq!(parameters.optimizer.as_deref(), Some("AdamW"));
        assert!(matches!(
            reading.warnings[..],
            [Warning::ManyEpochs { epochs: 100, .. }]
        ));
    }

    #[test]
    fn a_record_whose_readers_are_unclear_is_left_out() {
        let reading = read(
            "kb.json",
            r#"{"documents": [{"id": "a", "content": "x", "groups": 7}, {"id": "b", "content": "y"}]}"#,
        )
        .unwrap();
        assert_eq!(reading.documents.len(), 1);
        assert!(
            matches!(&reading.warnings[..], [Warning::RecordSkipped { record, .. }] if record == "a")
        );
        assert!(matches!(
            read("one.json", r#"{"content": "x", "groups": 7}"#),
            Err(ReadError::Permissions { .. })
        ));
    }

    #[test]
    fn what_a_file_says_of_itself_holds_for_its_records() {
        let text = r#"{"groups": ["hr"], "year": 2024, "documents": [
            {"content": "a"}, {"content": "b", "groups": ["board"], "year": 2023}]}"#;
        let reading = read("kb.json", text).unwrap();
        let [one, two] = &reading.documents[..] else {
            panic!("two documents");
        };
        assert!(!one.permissions.allow(&Reader::default()));
        assert!(one.permissions.allow(&Reader::of(["hr"])));
        assert!(!two.permissions.allow(&Reader::of(["hr"])));
        assert_eq!(one.metadata["year"], Value::Number(2024.0));
        assert_eq!(two.metadata["year"], Value::Number(2023.0));
        for text in [
            r#"{"groups": 7, "documents": [{"content": "a"}]}"#,
            r#"{"groups": 7, "settings": 1}"#,
        ] {
            assert!(matches!(
                read("a.json", text),
                Err(ReadError::Permissions { .. })
            ));
        }
    }

    #[test]
    fn lines_are_documents() {
        let reading = read(
            "faq.jsonl",
            "{\"_id\": \"7\", \"title\": \"T\", \"text\": \"One.\", \"year\": 2024}\n\nnot json\n{\"question\": \"Why?\", \"answer\": \"So.\", \"embedding\": [0.5, 1]}\n",
        )
        .unwrap();
        let [one, two] = &reading.documents[..] else {
            panic!("two documents");
        };
        assert_eq!(one.id.as_str(), "faq.jsonl#7");
        assert_eq!(one.title.as_deref(), Some("T"));
        assert_eq!(one.metadata["year"], Value::Number(2024.0));
        assert_eq!(two.id.as_str(), "faq.jsonl#doc_2");
        assert_eq!(two.text, "Why?\n\nSo.\n");
        assert_eq!(two.embedding, Some(vec![0.5, 1.0]));
        assert_eq!(two.metadata["line"], Value::Number(4.0));
        assert!(matches!(
            reading.warnings[..],
            [Warning::RecordSkipped { .. }]
        ));
    }

    #[test]
    fn a_repeated_id_loses_nothing() {
        let reading = read(
            "a.jsonl",
            "{\"id\": 1, \"text\": \"a\"}\n{\"id\": 1, \"text\": \"b\"}\n{\"id\": \"1-2\", \"text\": \"c\"}\n",
        )
        .unwrap();
        let ids: Vec<_> = reading.documents.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["a.jsonl#1", "a.jsonl#1-2", "a.jsonl#1-2-2"]);
        assert_eq!(reading.warnings.len(), 2);
    }

    #[test]
    fn other_json_is_flattened() {
        let reading = read(
            "a.json",
            r#"{"a": {"b": [1, "two"]}, "c": null, "d": true}"#,
        )
        .unwrap();
        assert_eq!(
            reading.documents[0].text,
            "a.b[0]: 1\na.b[1]: two\nd: true\n"
        );
        assert_eq!(reading.documents[0].permissions, Permissions::Everyone);
    }

    #[test]
    fn damaged_json_is_an_error() {
        for (name, text) in [("a.json", "{\"a\": "), ("a.jsonl", "no\nno\n")] {
            assert!(matches!(read(name, text), Err(ReadError::Damaged { .. })));
        }
    }
}
