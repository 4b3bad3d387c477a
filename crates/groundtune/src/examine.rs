//! The journey of examining a model on examples: each is asked as it is taught, and what
//! the model says is a prediction that is judged as any other.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use contract::{Example, QuestionId, Template, Tokens};
use eval::{CandidateAnswers, Gold, GoldSet, Prediction};
use fs_err as fs;
use serde_json::{Value as Json, json};

use crate::Error;
use crate::ask::is_refusal;
use crate::data::{asked, other, plain_prompt};
use crate::generate::{Finish, Input, Message, Request, Writer};
use crate::ingest::sentence;

/// What a model says to examples.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// A prediction for each example, in their order.
    pub predictions: Vec<Prediction>,
    /// How many different prompts it was given; of examples that ask the same, each has its
    /// answer.
    pub asked: usize,
    /// How many of these answers were cut: they reached the most tokens that were allowed, or
    /// that the model reads.
    pub cut: usize,
    /// How many tokens it read; of a server that does not say, 0.
    pub prompt_tokens: u64,
    /// How many tokens it wrote.
    pub completion_tokens: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Asks a model each of `examples`, in the words in which training teaches them, and returns what it
/// says; nothing if `watch` broke it off. `request` says how answers are written; its
/// input is not looked at. `watch` is told how many of how many prompts were begun.
///
/// # Errors
/// If an example is not answered in words, as tags or preferences are not, or is a
/// conversation and the model has no chat template; or if the model fails.
pub fn examine(
    writer: &Writer,
    examples: &[Example],
    request: &Request,
    watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Answered>, Error> {
    let started = Instant::now();
    let mut requests: Vec<Request> = Vec::new();
    let mut places: HashMap<Vec<(&str, String)>, usize> = HashMap::new();
    // Which prompt each example is.
    let mut prompts: Vec<usize> = Vec::new();
    for example in examples {
        let expected = "a completion, a question, a labelled text or a conversation without tools";
        let turns = asked(&example.lesson, Template::default())
            .ok_or_else(|| Error::from(other(example, expected)))?;
        let key = turns
            .iter()
            .map(|it| (it.role.as_str(), it.content.clone()));
        let next = requests.len();
        let place = *places.entry(key.collect()).or_insert(next);
        if place == next {
            let input = if writer.converses() {
                let turn = |it: &contract::Message| Message {
                    role: it.role.as_str().to_owned(),
                    content: it.content.clone(),
                };
                Input::Messages(turns.iter().map(turn).collect())
            } else {
                let expected = "something that a model without a chat template can be asked";
                let prompt = plain_prompt(&turns);
                Input::Text(prompt.ok_or_else(|| Error::from(other(example, expected)))?)
            };
            requests.push(Request {
                input,
                ..request.clone()
            });
        }
        prompts.push(place);
    }
    let (total, mut begun, mut broken) = (requests.len(), 0, false);
    let results = writer.write(&requests, &mut |number, _| {
        begun = begun.max(number + 1);
        let flow = watch(begun, total);
        broken |= flow.is_break();
        flow
    })?;
    if broken {
        return Ok(None);
    }
    let mut made = Answered {
        asked: total,
        ..Answered::default()
    };
    for written in results.iter().flatten() {
        made.cut += usize::from(written.finish == Finish::Length);
        made.prompt_tokens += written.prompt_tokens as u64;
        made.completion_tokens += written.completion_tokens as u64;
    }
    let prediction = |id: &QuestionId, place: usize| match &results[place] {
        Ok(written) => Prediction {
            refused: is_refusal(&written.text),
            prompt_tokens: Some(Tokens(written.prompt_tokens as u64)),
            completion_tokens: Some(Tokens(written.completion_tokens as u64)),
            ..Prediction::new(id.clone(), written.text.trim())
        },
        Err(error) => Prediction::failed(id.clone(), sentence(error)),
    };
    made.predictions = examples
        .iter()
        .zip(prompts)
        .map(|(example, place)| prediction(&example.id, place))
        .collect();
    made.elapsed = started.elapsed();
    Ok(Some(made))
}

/// Writes `predictions.jsonl` and `gold.jsonl` into `folder`, which is made where it is not
/// there: what [`crate::judge::read_answers`] and [`crate::judge::read_gold`] read again.
///
/// # Errors
/// If one cannot be written.
pub fn keep_answers(
    folder: &Path,
    gold: &GoldSet,
    candidates: &[CandidateAnswers],
) -> Result<(), Error> {
    let failed = |source| Error::Io {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    write_gold(&folder.join("gold.jsonl"), gold).map_err(failed)?;
    Ok(eval::write_predictions(
        &folder.join("predictions.jsonl"),
        candidates,
    )?)
}

fn write_gold(path: &Path, gold: &GoldSet) -> io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    for question in gold.questions() {
        serde_json::to_writer(&mut file, &gold_record(question))?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// Returns a question as a record that is read as the same question.
fn gold_record(gold: &Gold) -> Json {
    let mut record = match gold.all_together {
        true => json!({"id": gold.id, "text": gold.question, "labels": gold.answers}),
        false => json!({
            "id": gold.id,
            "question": gold.question,
            "answers": gold.answers,
        }),
    };
    if let Some(context) = gold.context.as_ref().filter(|_| !gold.all_together) {
        record["context"] = json!(context);
    }
    if let Some(passage) = &gold.passage {
        record["passage"] = json!(passage);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::read_gold;

    #[test]
    fn what_is_kept_is_read_again() {
        let of = |id: &str, answers: &[&str]| Gold {
            id: QuestionId::new(id),
            question: format!("what is {id}?"),
            answers: answers.iter().map(|it| (*it).into()).collect(),
            all_together: false,
            passage: None,
            context: None,
        };
        let questions = [
            Gold {
                passage: Some(contract::PassageId("p".into())),
                context: Some("a is one".into()),
                ..of("a", &["one", "1"])
            },
            of("b", &[]),
            of("c", &["{\"intent\":\"play\"}"]),
        ];
        let labels = [Gold {
            all_together: true,
            ..of("d", &["red", "blue"])
        }];
        for questions in [&questions[..], &labels] {
            let gold = GoldSet::new(questions.to_vec());
            let folder = tempfile::tempdir().unwrap();
            let candidate = CandidateAnswers {
                name: "run".into(),
                runs: vec![vec![Prediction::new(questions[0].id.clone(), "one")]],
                ..CandidateAnswers::default()
            };
            keep_answers(folder.path(), &gold, &[candidate]).unwrap();
            assert_eq!(read_gold(&folder.path().join("gold.jsonl")).unwrap(), gold);
            let read = crate::judge::read_answers(folder.path(), "other").unwrap();
            assert_eq!(read[0].name, "run");
            assert_eq!(read[0].runs[0][0].answer, "one");
        }
    }
}
