//! Labels and tags as numbers, for models that choose one of several.

use std::collections::{BTreeSet, HashMap};

use contract::{Example, Labels, Lesson};
use thiserror::Error;

use super::DataError;

/// Why labels cannot be made into numbers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LabelError {
    /// A label that the training set does not have cannot be predicted.
    #[error("`{id}` has the label `{label}`, which no training example has")]
    Unknown {
        /// The example.
        id: String,
        /// Its label.
        label: String,
    },
    /// There is nothing to choose between.
    #[error("all examples have the same label; expected at least two")]
    OnlyOne,
}

/// Texts with the numbers of their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labelled<'a> {
    /// The texts.
    pub texts: Vec<&'a str>,
    /// The labels of each: places in the list of names. Exactly one where `several` is not
    /// so.
    pub labels: Vec<Vec<u32>>,
    /// Whether a text may have any number of labels.
    pub several: bool,
}

/// Words with the numbers of their tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tagged<'a> {
    /// The words of each example.
    pub tokens: Vec<&'a [String]>,
    /// As many tags of each: places in the list of names.
    pub tags: Vec<Vec<u32>>,
}

/// Returns the labels of a training set, in the order of the alphabet.
///
/// # Errors
/// If an example has none, or there are not at least two.
pub fn label_names(examples: &[Example]) -> Result<Vec<String>, DataError> {
    let mut names = BTreeSet::new();
    for example in examples {
        names.extend(labels_of(example)?.1.as_slice());
    }
    at_least_two(names)
}

/// Returns the tags of a training set: `O` first, then in the order of the alphabet.
///
/// # Errors
/// If an example has none, or there are not at least two.
pub fn tag_names(examples: &[Example]) -> Result<Vec<String>, DataError> {
    let mut names = BTreeSet::new();
    for example in examples {
        names.extend(tags_of(example)?.1);
    }
    let mut names = at_least_two(names)?;
    names.sort_by_key(|name| name != "O");
    Ok(names)
}

fn at_least_two(names: BTreeSet<&String>) -> Result<Vec<String>, DataError> {
    if names.len() < 2 {
        return Err(LabelError::OnlyOne.into());
    }
    Ok(names.into_iter().cloned().collect())
}

/// Returns the texts of examples, with their labels as places in `names`.
///
/// # Errors
/// If an example is not labelled, or its label is not among `names`.
pub fn labelled<'a>(examples: &'a [Example], names: &[String]) -> Result<Labelled<'a>, DataError> {
    let places = places(names);
    let mut found = Labelled::default();
    for example in examples {
        let (text, labels) = labels_of(example)?;
        found.several |= matches!(labels, Labels::Several(_));
        found
            .labels
            .push(numbers(example, labels.as_slice(), &places)?);
        found.texts.push(text);
    }
    Ok(found)
}

/// Returns the words of examples, with their tags as places in `names`.
///
/// # Errors
/// If an example is not tagged, or a tag is not among `names`.
pub fn tagged<'a>(examples: &'a [Example], names: &[String]) -> Result<Tagged<'a>, DataError> {
    let places = places(names);
    let mut found = Tagged::default();
    for example in examples {
        let (tokens, tags) = tags_of(example)?;
        found.tags.push(numbers(example, tags, &places)?);
        found.tokens.push(tokens);
    }
    Ok(found)
}

fn places(names: &[String]) -> HashMap<&str, u32> {
    names.iter().map(String::as_str).zip(0..).collect()
}

fn numbers(
    example: &Example,
    labels: &[String],
    places: &HashMap<&str, u32>,
) -> Result<Vec<u32>, DataError> {
    let number = |label: &String| {
        places
            .get(label.as_str())
            .copied()
            .ok_or_else(|| LabelError::Unknown {
                id: example.id.to_string(),
                label: label.clone(),
            })
    };
    Ok(labels.iter().map(number).collect::<Result<_, _>>()?)
}

fn labels_of(example: &Example) -> Result<(&str, &Labels), DataError> {
    match &example.lesson {
        Lesson::Labelled { text, labels } => Ok((text, labels)),
        _ => Err(other(example, "a labelled text")),
    }
}

fn tags_of(example: &Example) -> Result<(&[String], &[String]), DataError> {
    match &example.lesson {
        Lesson::Tagged { tokens, tags } => Ok((tokens, tags)),
        _ => Err(other(example, "tagged words")),
    }
}

pub(crate) fn other(example: &Example, expected: &'static str) -> DataError {
    DataError::Kind {
        id: example.id.to_string(),
        found: example.lesson.kind(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;

    use super::*;

    fn example(lesson: Lesson) -> Example {
        Example {
            id: QuestionId::new("a.jsonl:1"),
            passage: None,
            document: None,
            lesson,
        }
    }

    fn text(text: &str, label: &str) -> Example {
        example(Lesson::Labelled {
            text: text.into(),
            labels: Labels::One(label.into()),
        })
    }

    #[test]
    fn labels_are_numbered_by_the_alphabet() {
        let train = [text("x", "b"), text("y", "a"), text("z", "b")];
        let names = label_names(&train).unwrap();
        assert_eq!(names, ["a", "b"]);
        let found = labelled(&train, &names).unwrap();
        assert_eq!(found.labels, [[1], [0], [1]]);
        assert!(!found.several);
    }

    #[test]
    fn a_label_that_was_never_seen_is_named() {
        let names = ["a".to_owned(), "b".to_owned()];
        let error = labelled(&[text("x", "c")], &names).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a.jsonl:1` has the label `c`, which no training example has"
        );
        assert!(label_names(&[text("x", "c")]).is_err());
    }

    #[test]
    fn outside_is_the_first_tag() {
        let words = [example(Lesson::Tagged {
            tokens: vec!["Ada".into(), "ran".into()],
            tags: vec!["B-person".into(), "O".into()],
        })];
        let names = tag_names(&words).unwrap();
        assert_eq!(names, ["O", "B-person"]);
        assert_eq!(tagged(&words, &names).unwrap().tags, [[1, 0]]);
        assert!(tag_names(&[text("x", "a")]).is_err());
    }
}
