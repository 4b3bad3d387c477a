//! Has a model answer questions, and counts what is right: exact match and F1 as SQuAD has
//! them (Rajpurkar et al. 2018, the official script's normalisation), and what is refused.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use contract::{Evidence, Template, render};
use groundtune::generate::{GeneratorOptions, Input, Message, Request, Writer};
use groundtune::models::{Environment, ModelReference};
use serde_json::Value as Json;

use crate::lessons::REFUSAL;

/// The most tokens of an answer.
const ANSWER: usize = 48;
/// Questions that are asked together.
const TOGETHER: usize = 64;

#[derive(Default)]
struct Count {
    questions: usize,
    exact: usize,
    f1: f64,
    /// Questions without an answer, refusals, and refusals that were right.
    unanswerable: usize,
    refused: usize,
    rightly: usize,
    /// Of those with an answer.
    answerable_exact: usize,
    answerable_f1: f64,
}

struct Question {
    kind: String,
    prompt: String,
    answers: Vec<String>,
}

pub(crate) fn judge(model: &Path, files: &[&str]) -> Result<(), Box<dyn Error>> {
    let options = GeneratorOptions {
        kept: 0,
        ..GeneratorOptions::default()
    };
    let reference: ModelReference = model.to_string_lossy().parse()?;
    let writer = Writer::open(&reference, Path::new(""), &Environment::default(), &options)?;
    let shown = std::env::var("SHOW")
        .ok()
        .and_then(|it| it.parse().ok())
        .unwrap_or(0usize);
    for file in files {
        let mut counts: BTreeMap<String, Count> = BTreeMap::new();
        let questions = read(Path::new(file))?;
        let (begun, mut tokens, mut failed) = (Instant::now(), 0, 0);
        for together in questions.chunks(TOGETHER) {
            let requests: Vec<Request> = together
                .iter()
                .map(|it| Request {
                    input: if writer.converses() {
                        Input::Messages(vec![Message::user(it.prompt.clone())])
                    } else {
                        Input::Text(it.prompt.clone())
                    },
                    max_tokens: Some(ANSWER),
                    ..Request::default()
                })
                .collect();
            let written =
                writer.write(&requests, &mut |_, _| std::ops::ControlFlow::Continue(()))?;
            for (question, written) in together.iter().zip(written) {
                let said = match written {
                    Ok(written) => {
                        tokens += written.completion_tokens;
                        written.text
                    }
                    Err(_) => {
                        failed += 1;
                        String::new()
                    }
                };
                for name in [question.kind.as_str(), "all"] {
                    counts
                        .entry(name.to_owned())
                        .or_default()
                        .take(&question.answers, &said);
                }
                if counts["all"].questions <= shown {
                    println!(
                        "---\n{}\n>>> {said}\n=== {:?}",
                        question.prompt, question.answers
                    );
                }
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{file}: {} questions, {failed} too long, {tokens} tokens written in {seconds:.1} s",
            questions.len()
        );
        for (name, count) in &counts {
            println!("  {name:14} {count}");
        }
    }
    Ok(())
}

impl Count {
    fn take(&mut self, answers: &[String], said: &str) {
        let said = normalised(said);
        let gold: Vec<Vec<String>> = answers.iter().map(|it| normalised(it)).collect();
        let refusal = normalised(REFUSAL);
        let refused = said == refusal;
        let unanswerable = gold.iter().all(|it| *it == refusal);
        let exact = gold.contains(&said);
        let f1 = gold.iter().map(|it| f1(it, &said)).fold(0.0, f64::max);
        self.questions += 1;
        self.exact += usize::from(exact);
        self.f1 += if unanswerable {
            f64::from(u8::from(exact))
        } else {
            f1
        };
        self.unanswerable += usize::from(unanswerable);
        self.refused += usize::from(refused);
        self.rightly += usize::from(refused && unanswerable);
        if !unanswerable {
            self.answerable_exact += usize::from(exact);
            self.answerable_f1 += f1;
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = |part: f64, whole: usize| 100.0 * part / whole.max(1) as f64;
        let answerable = self.questions - self.unanswerable;
        write!(
            f,
            "{:5} questions  EM {:5.1}  F1 {:5.1}  | answerable {:4}: EM {:5.1} F1 {:5.1} | refusals: precision {:5.1} recall {:5.1} of {}",
            self.questions,
            share(self.exact as f64, self.questions),
            share(self.f1, self.questions),
            answerable,
            share(self.answerable_exact as f64, answerable),
            share(self.answerable_f1, answerable),
            share(self.rightly as f64, self.refused),
            share(self.rightly as f64, self.unanswerable),
            self.unanswerable,
        )
    }
}

/// Returns the words of an answer, in small letters, without signs, articles and citations.
fn normalised(text: &str) -> Vec<String> {
    let text = text
        .rsplit_once(" [")
        .filter(|(_, end)| end.ends_with(']'))
        .map_or(text, |(text, _)| text);
    let bare: String = text
        .to_lowercase()
        .chars()
        .filter(|it| !it.is_ascii_punctuation())
        .collect();
    let words = bare
        .split_whitespace()
        .filter(|it| !["a", "an", "the"].contains(it));
    words.map(str::to_owned).collect()
}

fn f1(gold: &[String], said: &[String]) -> f64 {
    let mut left = gold.to_vec();
    let mut common = 0.0;
    for word in said {
        if let Some(at) = left.iter().position(|it| it == word) {
            left.swap_remove(at);
            common += 1.0;
        }
    }
    if common == 0.0 {
        return f64::from(u8::from(gold.is_empty() && said.is_empty()));
    }
    let (precision, recall) = (common / said.len() as f64, common / gold.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

fn read(path: &Path) -> Result<Vec<Question>, Box<dyn Error>> {
    let mut questions = Vec::new();
    for line in fs_err::read_to_string(path)?.lines() {
        let record: Json = serde_json::from_str(line)?;
        let text = |key: &str| record[key].as_str().map(str::to_owned);
        let answers = record["answers"].as_array().cloned().unwrap_or_default();
        let mut answers: Vec<String> = answers
            .iter()
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect();
        if answers.is_empty() {
            answers.push(REFUSAL.to_owned());
        }
        let prompt = match text("prompt") {
            Some(prompt) => prompt,
            None => {
                let question = text("question").ok_or("a record has `prompt` or `question`")?;
                let context = text("context").unwrap_or_default();
                let found = Evidence::of_text(context);
                let found: &[Evidence] = if found.text.is_empty() { &[] } else { &[found] };
                render(Template::Spaced, &question, found)
                    .as_str()
                    .to_owned()
            }
        };
        questions.push(Question {
            kind: text("kind").unwrap_or_else(|| "questions".into()),
            prompt,
            answers,
        });
    }
    Ok(questions)
}
