//! What a head's outputs are called, and how tags of words name stretches of them.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use crate::ModelError;
use crate::config;
use crate::folder::Folder;
use crate::gguf::Gguf;

/// `config.json`, as far as it is about a head.
#[derive(Default, Deserialize)]
struct Written {
    id2label: Option<BTreeMap<String, String>>,
    num_labels: Option<usize>,
    problem_type: Option<String>,
}

/// The most labels that a head may have.
const MOST: usize = 1 << 20;

/// A head's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) names: Vec<String>,
    /// Whether several may hold for one text.
    pub(crate) several: bool,
}

impl Labels {
    /// Reads `config.json`. What it does not name is called as transformers calls it.
    pub(crate) fn read(folder: &mut Folder) -> Result<Self, ModelError> {
        let written: Written = folder.json(config::FILE)?.unwrap_or_default();
        let wrong = |key, expected: &str, found: String| ModelError::Setting {
            path: folder.path().join(config::FILE),
            key,
            expected: expected.into(),
            found,
        };
        let names = match written.id2label {
            Some(map) => {
                let count = map.len();
                (0..count)
                    .map(|number| map.get(&number.to_string()).cloned())
                    .collect::<Option<Vec<_>>>()
                    .filter(|names| !names.is_empty())
                    .ok_or_else(|| {
                        let found = format!("{count} others");
                        wrong("id2label", "the numbers from 0 on, each with a name", found)
                    })?
            }
            None => {
                let count = written.num_labels.unwrap_or(2);
                if !(1..=MOST).contains(&count) {
                    let found = format!("`{count}`");
                    return Err(wrong("num_labels", "a number from 1 to 1048576", found));
                }
                (0..count).map(|number| format!("LABEL_{number}")).collect()
            }
        };
        Ok(Self {
            names,
            several: written.problem_type.as_deref() == Some("multi_label_classification"),
        })
    }

    /// Reads the metadata of a GGUF file; where that names none, there is one.
    pub(crate) fn of_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        let names = gguf.texts("bert.classifier.output_labels")?;
        let names = names.unwrap_or_else(|| vec!["LABEL_0"]);
        Ok(Self {
            names: names.into_iter().map(str::to_owned).collect(),
            several: false,
        })
    }
}

/// A stretch of words that tags name together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedSpan<'a> {
    /// What it is: a tag without its `B-` or `I-`.
    pub label: &'a str,
    /// Its words.
    pub words: Range<usize>,
}

/// Returns the stretches that BIO tags name (Ramshaw and Marcus 1995): `B-x` begins one,
/// `I-x` goes on with it, and begins one if there is none of that kind to go on with, as
/// in the evaluation of CoNLL; a tag without either stands for a word by itself, and `O`
/// for nothing.
pub fn tagged_spans<'a>(tags: impl IntoIterator<Item = &'a str>) -> Vec<TaggedSpan<'a>> {
    let mut spans: Vec<TaggedSpan<'a>> = Vec::new();
    for (word, tag) in tags.into_iter().enumerate() {
        if tag == "O" {
            continue;
        }
        if let Some(label) = tag.strip_prefix("I-")
            && let Some(last) = spans.last_mut()
            && last.label == label
            && last.words.end == word
        {
            last.words.end += 1;
            continue;
        }
        let label = tag
            .strip_prefix("B-")
            .or_else(|| tag.strip_prefix("I-"))
            .unwrap_or(tag);
        spans.push(TaggedSpan {
            label,
            words: word..word + 1,
        });
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_stretches() {
        for (tags, expect) in [
            ("O O", vec![]),
            ("B-a I-a O", vec![("a", 0..2)]),
            ("B-a B-a", vec![("a", 0..1), ("a", 1..2)]),
            ("I-a I-b I-b", vec![("a", 0..1), ("b", 1..3)]),
            ("B-a O I-a", vec![("a", 0..1), ("a", 2..3)]),
            ("a a", vec![("a", 0..1), ("a", 1..2)]),
        ] {
            let found: Vec<_> = tagged_spans(tags.split(' '))
                .into_iter()
                .map(|it| (it.label, it.words))
                .collect();
            assert_eq!(found, expect, "{tags}");
        }
    }

    fn read(text: &str) -> Result<Labels, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join(config::FILE), text).unwrap();
        Labels::read(&mut Folder::new(folder.path()))
    }

    #[test]
    fn labels_are_named_in_the_order_of_their_numbers() {
        for (text, names, several) in [
            (r#"{"id2label":{"1":"b","0":"a"}}"#, "a b", false),
            ("{}", "LABEL_0 LABEL_1", false),
            (
                r#"{"num_labels":1,"problem_type":"multi_label_classification"}"#,
                "LABEL_0",
                true,
            ),
        ] {
            let labels = read(text).unwrap();
            assert_eq!(
                (labels.names.join(" "), labels.several),
                (names.into(), several)
            );
        }
        for text in [
            r#"{"id2label":{}}"#,
            r#"{"id2label":{"1":"b","2":"a"}}"#,
            r#"{"num_labels":0}"#,
            r#"{"num_labels":1e15}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
