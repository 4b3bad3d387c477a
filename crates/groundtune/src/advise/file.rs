//! Answers in a file: TOML, or JSON where its name ends so. One key a question; a key that is
//! missing, `null` or `"unknown"` is a question that nobody can answer.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use eval::advice::answers::Answers;
use eval::advice::question::{Kind, Part, QUESTIONS, get, set};

use super::{AdviseError, io};
use crate::beside::write_beside;

/// The longest file of answers that is read: nobody writes more, and it may be anything.
const LONGEST: u64 = 1 << 20;

/// Reads the answers in the file at `path`.
///
/// # Errors
/// If it cannot be read, is longer than 1 MiB, or says what is no answer; the key is named.
pub fn read_answers(path: &Path) -> Result<Answers, AdviseError> {
    let file = fs_err::File::open(path).map_err(io(path))?;
    let mut text = String::new();
    file.take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(io(path))?;
    if text.len() as u64 > LONGEST {
        let source = std::io::Error::new(ErrorKind::FileTooLarge, "it is longer than 1 MiB");
        return Err(io(path)(source));
    }
    let pairs = if path
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("json"))
    {
        json_pairs(path, &text)?
    } else {
        toml_pairs(path, &text)?
    };
    let mut answers = Answers::default();
    for (key, text) in pairs {
        set(&mut answers, &key, &text).map_err(|source| AdviseError::Answer {
            path: path.into(),
            source,
        })?;
    }
    Ok(answers)
}

fn toml_pairs(path: &Path, text: &str) -> Result<Vec<(String, String)>, AdviseError> {
    let table: toml::Table = text.parse().map_err(|source| AdviseError::Toml {
        path: path.into(),
        source: Box::new(source),
    })?;
    let pairs = table.into_iter().map(|(key, value)| {
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(yes) => yes.to_string(),
            _ => {
                return Err(AdviseError::NoAnswer {
                    path: path.into(),
                    key,
                });
            }
        };
        Ok((key, text))
    });
    pairs.collect()
}

fn json_pairs(path: &Path, text: &str) -> Result<Vec<(String, String)>, AdviseError> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|source| AdviseError::Json {
            path: path.into(),
            source,
        })?;
    let pairs = object.into_iter().map(|(key, value)| {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(yes) => yes.to_string(),
            serde_json::Value::Null => String::new(),
            _ => {
                return Err(AdviseError::NoAnswer {
                    path: path.into(),
                    key,
                });
            }
        };
        Ok((key, text))
    });
    pairs.collect()
}

/// Returns the answers as a TOML file with every question, those not answered as comments.
pub fn written(answers: &Answers) -> String {
    let mut text = String::from(
        "# Answers for `groundtune advise --answers`. A line that begins with `#` is a question\n\
         # that nobody has answered: remove the `#` and write the answer.\n",
    );
    let mut part = None;
    for question in QUESTIONS {
        if part != Some(question.part) {
            let heading = match question.part {
                Part::Six => "Before choosing retraining, ask",
                Part::More => "What else weighs",
                Part::Estimate => "For the estimates",
            };
            let _ = write!(text, "\n# --- {heading} ---\n");
            part = Some(question.part);
        }
        let _ = write!(text, "\n# {}\n", question.asks);
        if let Kind::Choice(choices) = question.kind {
            for choice in choices {
                let _ = writeln!(text, "#   {:<16} {}", choice.word, choice.means);
            }
        }
        let key = question.key;
        match get(answers, key) {
            None => {
                let _ = writeln!(text, "# {key} = {}", example(question.kind));
            }
            Some(value) => {
                let value = match question.kind {
                    Kind::Choice(_) => format!("\"{value}\""),
                    Kind::YesNo => (value == "yes").to_string(),
                    _ => value,
                };
                let _ = writeln!(text, "{key} = {value}");
            }
        }
    }
    text
}

/// Returns an answer as it may be written, for a question that has none.
fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Choice(_) => "\"unknown\"",
        Kind::YesNo => "true",
        Kind::Count => "\"5K\"",
        Kind::Usd => "\"$5,000\"",
        Kind::Milliseconds => "\"500 ms\"",
        Kind::Days => "\"2 weeks\"",
        Kind::Bytes => "\"24 GB\"",
    }
}

/// Writes the answers to `path` as TOML, in place of answers that are there.
///
/// # Errors
/// If it cannot be written, is to be a JSON file, or holds something else than answers.
pub fn save_answers(path: &Path, answers: &Answers) -> Result<(), AdviseError> {
    if path.exists() && read_answers(path).is_err() {
        return Err(AdviseError::NotOurs { path: path.into() });
    }
    let json = path
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("json"));
    let text = if json {
        written_as_json(answers)
    } else {
        written(answers)
    };
    write_beside(path, |file| file.write_all(text.as_bytes())).map_err(io(path))
}

fn written_as_json(answers: &Answers) -> String {
    let object: serde_json::Map<String, serde_json::Value> = QUESTIONS
        .iter()
        .map(|question| {
            let value = get(answers, question.key)
                .map_or(serde_json::Value::Null, |text| question.kind.json(&text));
            (question.key.to_owned(), value)
        })
        .collect();
    let text = serde_json::to_string_pretty(&object).expect("a map of texts and numbers is JSON");
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Answers {
        let mut answers = Answers::default();
        for (key, text) in [
            ("need", "both"),
            ("strict_format", "yes"),
            ("tone", "no"),
            ("budget_usd", "$5,000"),
            ("hour_usd", "0.35"),
            ("timeline_days", "36 hours"),
            ("parameters", "1.7T"),
        ] {
            set(&mut answers, key, text).unwrap();
        }
        answers
    }

    #[test]
    fn what_is_saved_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["answers.toml", "answers.json"] {
            let path = folder.path().join(name);
            for answers in [some(), Answers::default()] {
                save_answers(&path, &answers).unwrap();
                assert_eq!(read_answers(&path).unwrap(), answers, "{name}");
            }
        }
    }

    #[test]
    fn a_comment_is_an_answer_once_its_sign_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.toml");
        let keys = QUESTIONS.iter().map(|it| format!("# {} = ", it.key));
        let mut text = written(&Answers::default());
        for key in keys {
            assert!(text.contains(&key), "{key}");
            text = text.replace(&key, key.trim_start_matches("# "));
        }
        std::fs::write(&path, text).unwrap();
        let answers = read_answers(&path).unwrap();
        assert_eq!(answers.budget_usd, Some(5000.0));
        assert_eq!(answers.need, None);
    }

    #[test]
    fn a_file_that_is_not_understood_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, text: &str, expect: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let error = read_answers(&path).unwrap_err();
            let said = crate::ingest::sentence(&error);
            assert!(said.contains(expect), "{said}");
            // And it is not written over.
            let error = save_answers(&path, &Answers::default()).unwrap_err();
            assert!(matches!(error, AdviseError::NotOurs { .. }), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        };
        check("a.toml", "need = ", "is not TOML");
        check("b.toml", "ned = \"both\"", "did you mean `need`?");
        check(
            "c.toml",
            "need = [\"both\"]",
            "`need` must be a text, a number",
        );
        check("d.toml", "budget_usd = -3", "`budget_usd` cannot be `-3`");
        check("e.json", "[1]", "is not a JSON object");
        check(
            "f.json",
            "{\"tone\": {}}",
            "`tone` must be a text, a number",
        );
        check("g.toml", "budget_usd = nan", "`budget_usd` cannot be `NaN`");
    }
}
