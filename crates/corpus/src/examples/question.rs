//! Questions about passages: SQuAD's file and its flat form, abstracts, tables.

use contract::{Example, GoldAnswer, Lesson, PassageId, QuestionId};
use serde_json::Value as Json;

use super::record::{Record, kind, plain, texts_of};
use super::{Fault, Passages};

/// Reads `{question, answers, …}`.
///
/// `answers` is a list of texts, SQuAD's list of `{text, answer_start}`, or the object of
/// two lists of the `datasets` library; without it, `answer` is the only one. Where an
/// answer is said to stand at a character of the context, it has to.
pub(super) fn question(record: &Record<'_>, passages: &Passages) -> Result<Lesson, Fault> {
    let question = record.text("question")?;
    let context = match record.find("context") {
        Some((name, value)) => Some(texts_of(name, value)?.join("\n")),
        None => record
            .find("passage_id")
            .and_then(|(_, id)| passages.get(id.as_str()?))
            .map(str::to_owned),
    };
    let context = context.filter(|context| !context.trim().is_empty());
    let starts = record.find("answer_start").map(|(_, starts)| starts);
    let (name, answers) = match record.find("answers") {
        Some(found) => found,
        None => match record.find("answer") {
            Some(found) => found,
            None if said_impossible(record) == Some(true) => ("answers", &Json::Null),
            None => record.need("answers")?,
        },
    };
    let answers = gold(name, answers, starts, context.as_deref())?;
    if let Some(impossible) = said_impossible(record)
        && impossible != answers.is_empty()
    {
        return Err(Fault::Contradiction {
            said: if impossible {
                "unanswerable"
            } else {
                "answerable"
            },
            answers: answers.len(),
        });
    }
    Ok(Lesson::Question {
        question,
        context,
        answers,
    })
}

/// Returns what a record says of itself.
fn said_impossible(record: &Record<'_>) -> Option<bool> {
    let says = |field: &str| record.find(field).and_then(|(_, value)| value.as_bool());
    says("is_impossible").or_else(|| says("answerable").map(|answerable| !answerable))
}

/// Returns the answers, each once, in order.
fn gold(
    name: &str,
    answers: &Json,
    starts: Option<&Json>,
    context: Option<&str>,
) -> Result<Vec<GoldAnswer>, Fault> {
    let mut found: Vec<(String, Option<u64>)> = Vec::new();
    match answers {
        Json::Null => {}
        Json::Object(lists) => {
            let texts = lists.get("text").map(|texts| texts_of(name, texts));
            let starts = numbers(lists.get("answer_start"));
            for (place, text) in texts
                .transpose()?
                .unwrap_or_default()
                .into_iter()
                .enumerate()
            {
                found.push((text, starts.get(place).copied()));
            }
        }
        Json::Array(list) if list.iter().any(Json::is_object) => {
            for answer in list {
                let Some(text) = answer.get("text") else {
                    return Err(Fault::Type {
                        field: name.to_owned(),
                        expected: "a list of answers with `text`",
                        found: kind(answer),
                    });
                };
                let start = answer.get("answer_start").and_then(Json::as_u64);
                found.push((plain(name, text)?, start));
            }
        }
        texts => {
            let texts = texts_of(name, texts)?;
            let starts = numbers(starts);
            // Where there is a place for each answer, they belong together; some files
            // keep the places of answers that they name only once.
            let paired = starts.len() == texts.len();
            for (place, text) in texts.into_iter().enumerate() {
                found.push((text, starts.get(place).copied().filter(|_| paired)));
            }
        }
    }
    let mut gold: Vec<GoldAnswer> = Vec::new();
    for (text, start) in found {
        if text.trim().is_empty() || gold.iter().any(|known| known.text == text) {
            continue;
        }
        let start = match (context, start) {
            (Some(context), Some(at)) => Some(stands(context, &text, at)?),
            (Some(context), None) => context.find(&text),
            (None, _) => None,
        };
        gold.push(GoldAnswer { text, start });
    }
    Ok(gold)
}

fn numbers(list: Option<&Json>) -> Vec<u64> {
    let list = list.and_then(Json::as_array);
    list.map(|list| list.iter().filter_map(Json::as_u64).collect())
        .unwrap_or_default()
}

/// Returns the byte of the character `at` of the context, where `answer` has to stand.
fn stands(context: &str, answer: &str, at: u64) -> Result<usize, Fault> {
    let byte = usize::try_from(at)
        .ok()
        .and_then(|at| context.char_indices().nth(at))
        .map(|(byte, _)| byte)
        .filter(|byte| context[*byte..].starts_with(answer));
    byte.ok_or_else(|| Fault::NotThere {
        answer: answer.to_owned(),
        at,
    })
}

/// Reads one article of SQuAD's file; `line` is where it begins.
pub(super) fn article(file: &str, line: u64, article: &Json) -> Vec<Result<Example, Fault>> {
    let title = article.get("title").and_then(Json::as_str).unwrap_or(file);
    let Some(paragraphs) = article.get("paragraphs").and_then(Json::as_array) else {
        return vec![Err(missing("paragraphs"))];
    };
    let mut examples = Vec::new();
    for (number, paragraph) in paragraphs.iter().enumerate() {
        let context = paragraph.get("context").and_then(Json::as_str);
        let questions = paragraph.get("qas").and_then(Json::as_array);
        let (Some(context), Some(questions)) = (context, questions) else {
            examples.push(Err(missing("context` and `qas")));
            continue;
        };
        for (place, asked) in questions.iter().enumerate() {
            examples.push(of_paragraph(context, asked).map(|lesson| Example {
                id: asked.get("id").and_then(Json::as_str).map_or_else(
                    || QuestionId::new(format!("{file}:{line}#{number}.{place}")),
                    QuestionId::new,
                ),
                passage: Some(PassageId(format!("{title}#{number}"))),
                document: None,
                lesson,
            }));
        }
    }
    examples
}

fn of_paragraph(context: &str, asked: &Json) -> Result<Lesson, Fault> {
    let question = asked.get("question").ok_or_else(|| missing("question"))?;
    let answers = asked.get("answers").unwrap_or(&Json::Null);
    let answers = gold("answers", answers, None, Some(context))?;
    let impossible = asked.get("is_impossible").and_then(Json::as_bool);
    if let Some(impossible) = impossible
        && impossible != answers.is_empty()
    {
        return Err(Fault::Contradiction {
            said: if impossible {
                "unanswerable"
            } else {
                "answerable"
            },
            answers: answers.len(),
        });
    }
    Ok(Lesson::Question {
        question: super::record::filled("question", plain("question", question)?)?,
        context: Some(context.to_owned()),
        answers,
    })
}

fn missing(field: &str) -> Fault {
    Fault::Missing {
        field: field.to_owned(),
        expected: super::Layout::Squad.expected().to_owned(),
    }
}

/// A question's own id, if it has one, and the question.
type Asked = (Option<String>, Lesson);

/// Reads a page with a table, its paragraphs and what is asked about both (TAT-QA): the
/// context is the table's rows, then the paragraphs. An answer of several spans is one
/// text, the spans divided by commas; a number has its scale after it.
pub(super) fn table(record: &Record<'_>) -> Result<Vec<Result<Asked, Fault>>, Fault> {
    let (name, rows) = record.need("table")?;
    let Json::Array(rows) = rows else {
        return Err(wrong(name, "a list of rows", rows));
    };
    let mut context = String::new();
    for row in rows {
        context.push_str(&texts_of(name, row)?.join(" | "));
        context.push('\n');
    }
    if let Some((name, paragraphs)) = record.find("paragraphs") {
        for paragraph in texts_of(name, paragraphs)? {
            context.push('\n');
            context.push_str(&paragraph);
            context.push('\n');
        }
    }
    let (name, questions) = record.need("questions")?;
    let Json::Array(questions) = questions else {
        return Err(wrong(name, "a list of questions", questions));
    };
    Ok(questions
        .iter()
        .map(|asked| {
            let id = ["uid", "id"]
                .iter()
                .find_map(|key| asked.get(*key)?.as_str());
            Ok((id.map(str::to_owned), of_table(&context, asked)?))
        })
        .collect())
}

fn of_table(context: &str, asked: &Json) -> Result<Lesson, Fault> {
    let field = |key: &str| asked.get(key).filter(|value| !value.is_null());
    let need = |key: &str| {
        field(key).ok_or_else(|| Fault::Missing {
            field: key.to_owned(),
            expected: "`question` and `answer`".to_owned(),
        })
    };
    let answers = texts_of("answer", need("answer")?)?;
    let scale = field("scale").and_then(Json::as_str).unwrap_or("");
    let text = match (answers.as_slice(), scale) {
        ([one], "percent") if !one.contains('%') => format!("{one} %"),
        ([one], "" | "percent") => one.clone(),
        ([one], scale) if !one.to_lowercase().contains(scale) => format!("{one} {scale}"),
        (spans, _) => spans.join(", "),
    };
    let start = context.find(&text);
    Ok(Lesson::Question {
        question: super::record::filled("question", plain("question", need("question")?)?)?,
        context: Some(context.to_owned()),
        answers: vec![GoldAnswer {
            text: super::record::filled("answer", text)?,
            start,
        }],
    })
}

fn wrong(field: &str, expected: &'static str, found: &Json) -> Fault {
    Fault::Type {
        field: field.to_owned(),
        expected,
        found: kind(found),
    }
}
