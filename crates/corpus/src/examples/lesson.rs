//! From a record to its lessons, for each layout.

use contract::{Example, Judgement, Labels, Lesson, PassageId, QuestionId};
use serde_json::{Map, Value as Json};

use super::record::{Record, filled, kind, plain, texts_of};
use super::{Fault, Layout, Passages, question, turns};

/// Where a record stands.
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: u64,
}

/// Returns the examples of one record: mostly one, but several where it holds several
/// questions, summaries or positives.
pub(super) fn examples(
    record: &Record<'_>,
    place: &Place<'_>,
    passages: &Passages,
) -> Vec<Result<Example, Fault>> {
    let own = ["id", "_id", "idx"]
        .iter()
        .find_map(|key| match record.map.get(*key)? {
            Json::String(id) if !id.is_empty() => Some(id.clone()),
            Json::Number(id) => Some(id.to_string()),
            _ => None,
        });
    let id = own.unwrap_or_else(|| format!("{}:{}", place.file, place.line));
    let passage = record
        .find("passage")
        .and_then(|(name, value)| plain(name, value).ok())
        .filter(|passage| !passage.trim().is_empty());
    // Elsewhere it is a text that something is learnt of.
    let names_document = !matches!(record.layout, Layout::Pair | Layout::Summary);
    let document = record
        .find("document")
        .filter(|_| names_document)
        .and_then(|(_, value)| Some(value.as_str()?.trim().to_owned()))
        .filter(|document| !document.is_empty());
    let several = |lessons: Vec<Lesson>, passage: Option<String>| -> Vec<Result<Example, Fault>> {
        let many = lessons.len() > 1;
        let numbered = (1..).zip(lessons).map(|(number, lesson)| {
            Ok(Example {
                id: QuestionId::new(if many {
                    format!("{id}#{number}")
                } else {
                    id.clone()
                }),
                passage: passage.clone().map(PassageId),
                document: document.clone(),
                lesson,
            })
        });
        numbered.collect()
    };
    // Several lessons of one record are made from it, whatever else it says.
    let of_record = || Some(passage.clone().unwrap_or_else(|| id.clone()));
    let lessons = match record.layout {
        Layout::TableQuestions => {
            return match question::table(record) {
                Err(fault) => vec![Err(fault)],
                Ok(found) => (1..)
                    .zip(found)
                    .map(|(number, lesson)| {
                        lesson.map(|(own, lesson)| Example {
                            id: QuestionId::new(own.unwrap_or_else(|| format!("{id}#{number}"))),
                            passage: of_record().map(PassageId),
                            document: document.clone(),
                            lesson,
                        })
                    })
                    .collect(),
            };
        }
        Layout::Summary => summaries(record).map(|lessons| several(lessons, of_record())),
        Layout::Contrast => contrasts(record).map(|lessons| several(lessons, passage)),
        // What a meaning can be said as stays together.
        Layout::Meaning => one(record, passages).map(|lesson| {
            let passage = passage.unwrap_or_else(|| lesson.input());
            several(vec![lesson], Some(passage))
        }),
        _ => one(record, passages).map(|lesson| several(vec![lesson], passage)),
    };
    lessons.unwrap_or_else(|fault| vec![Err(fault)])
}

fn one(record: &Record<'_>, passages: &Passages) -> Result<Lesson, Fault> {
    Ok(match record.layout {
        Layout::Completion => Lesson::Completion {
            system: record.text_if_any("system")?,
            prompt: record.text("prompt")?,
            completion: record.text("completion")?,
        },
        Layout::Faq => Lesson::Completion {
            system: None,
            prompt: record.text("question")?,
            completion: record.text("answer")?,
        },
        Layout::Meaning => Lesson::Completion {
            system: None,
            prompt: record.text("mr")?,
            completion: record.text("ref")?,
        },
        Layout::Messages | Layout::Sharegpt => {
            turns::conversation(record, turns::field(record.layout))?
        }
        Layout::Alpaca => turns::alpaca(record)?,
        Layout::Preference => turns::preference(record)?,
        Layout::Labelled => labelled(record)?,
        Layout::Tagged => tagged(record)?,
        Layout::Question => question::question(record, passages)?,
        Layout::Pair => pair(record)?,
        Layout::Intent => intent(record)?,
        Layout::Text
        | Layout::Summary
        | Layout::Contrast
        | Layout::Squad
        | Layout::TableQuestions
        | Layout::KnowledgeBase
        | Layout::Document
        | Layout::Paragraphs
        | Layout::Lines => Lesson::Text {
            text: record.text("text")?,
        },
    })
}

fn labelled(record: &Record<'_>) -> Result<Lesson, Fault> {
    let text = record.text("text")?;
    let labels = match record.find("labels").or_else(|| record.find("label")) {
        Some((name, list @ Json::Array(_))) => Labels::Several(texts_of(name, list)?),
        _ => Labels::One(record.text("label")?),
    };
    Ok(Lesson::Labelled { text, labels })
}

fn tagged(record: &Record<'_>) -> Result<Lesson, Fault> {
    let (tokens, tags) = (record.texts("tokens")?, record.texts("tags")?);
    if tokens.is_empty() {
        return Err(Fault::Blank {
            field: "tokens".into(),
        });
    }
    if tokens.len() != tags.len() {
        return Err(Fault::Uneven {
            tokens: tokens.len(),
            tags: tags.len(),
        });
    }
    Ok(Lesson::Tagged { tokens, tags })
}

fn pair(record: &Record<'_>) -> Result<Lesson, Fault> {
    let judgement = match record.find("score") {
        Some((name, value)) => Judgement::Score(number(name, value)?),
        None => Judgement::Label(record.text("label")?),
    };
    Ok(Lesson::Pair {
        first: record.text("text1")?,
        second: record.text("text2")?,
        judgement,
    })
}

fn number(name: &str, value: &Json) -> Result<f32, Fault> {
    let text = plain(name, value)?;
    text.trim()
        .parse()
        .ok()
        .filter(|number: &f32| number.is_finite())
        .ok_or_else(|| Fault::NotNumber {
            field: name.to_owned(),
            found: text,
        })
}

fn contrasts(record: &Record<'_>) -> Result<Vec<Lesson>, Fault> {
    let query = record.text("query")?;
    let negatives = match record.find("negatives") {
        Some((name, list)) => texts_of(name, list)?,
        None => Vec::new(),
    };
    let lessons = record.texts("positive")?.into_iter().map(|positive| {
        Ok(Lesson::Contrast {
            query: query.clone(),
            positive: filled("positive", positive)?,
            negatives: negatives.clone(),
        })
    });
    some("positive", lessons.collect::<Result<_, Fault>>()?)
}

fn summaries(record: &Record<'_>) -> Result<Vec<Lesson>, Fault> {
    let prompt = record.text("source")?;
    let lessons = record.texts("summary")?.into_iter().map(|completion| {
        Ok(Lesson::Completion {
            system: None,
            prompt: prompt.clone(),
            completion: filled("summary", completion)?,
        })
    });
    some("summary", lessons.collect::<Result<_, Fault>>()?)
}

fn some(field: &str, lessons: Vec<Lesson>) -> Result<Vec<Lesson>, Fault> {
    if lessons.is_empty() {
        return Err(Fault::Blank {
            field: field.to_owned(),
        });
    }
    Ok(lessons)
}

/// Reads an intent with its slots; the answer is `{"intent": …, "slots": {…}}`, where a
/// slot that is there several times has a list.
fn intent(record: &Record<'_>) -> Result<Lesson, Fault> {
    let text = record.text("text")?;
    let intent = record.text("intent")?;
    let (name, list) = record.need("slots")?;
    let wrong = |found: &Json| Fault::Type {
        field: name.to_owned(),
        expected: "a list of `{slot, value, start}`",
        found: kind(found),
    };
    let Json::Array(list) = list else {
        return Err(wrong(list));
    };
    let mut slots: Map<String, Json> = Map::new();
    for slot in list {
        let (Some(name), Some(value)) = (
            slot.get("slot").and_then(Json::as_str),
            slot.get("value").and_then(Json::as_str),
        ) else {
            return Err(wrong(slot));
        };
        if let Some(at) = slot.get("start").and_then(Json::as_u64) {
            let stands = usize::try_from(at)
                .ok()
                .and_then(|at| text.char_indices().nth(at))
                .is_some_and(|(byte, _)| text[byte..].starts_with(value));
            if !stands {
                return Err(Fault::NotThere {
                    answer: value.to_owned(),
                    at,
                });
            }
        }
        let value = Json::String(value.to_owned());
        match slots.get_mut(name) {
            None => drop(slots.insert(name.to_owned(), value)),
            Some(Json::Array(values)) => values.push(value),
            Some(first) => *first = Json::Array(vec![first.take(), value]),
        }
    }
    let mut answer = Map::new();
    answer.insert("intent".into(), Json::String(intent));
    answer.insert("slots".into(), Json::Object(slots));
    Ok(Lesson::Completion {
        system: None,
        prompt: text,
        completion: Json::Object(answer).to_string(),
    })
}
