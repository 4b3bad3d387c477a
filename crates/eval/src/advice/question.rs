//! The questions, in the order in which they are asked: six that come before any retraining,
//! then what the decision matrix and the lists ask beyond them, then what estimates need.
//!
//! This catalogue is the one home of a question: its key in a file, its flag, its prompt, its
//! explanation, and how what people write is read.

use serde::Serialize;
use thiserror::Error;

use super::answers::{Answers, BaseModel, Choice, Domain, Need, Pace, RunsOn, Task, Trial};

/// What kind of answer a question has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of some words.
    Choice(&'static [Choice]),
    /// Yes or no.
    YesNo,
    /// How many: `5000`, `5,000`, `5_000`, `5K`, `124M`, `7B`.
    Count,
    /// Money: `5000`, `$5,000`, `10K`.
    Usd,
    /// Milliseconds: `80`, `80 ms`, `1.5 s`.
    Milliseconds,
    /// A stretch of time: `14`, `2 weeks`, `36 hours`; without a unit, days.
    Days,
    /// A size: `24 GB`, `512 MiB`; without a unit, bytes.
    Bytes,
}

impl Kind {
    /// Returns what is expected, in words.
    pub fn expects(self) -> String {
        match self {
            Self::Choice(choices) => {
                let words: Vec<_> = choices.iter().map(|it| format!("`{}`", it.word)).collect();
                format!("one of {}", words.join(", "))
            }
            Self::YesNo => "`yes` or `no`".into(),
            Self::Count => "a count such as `300`, `5K` or `7B`".into(),
            Self::Usd => "an amount in US dollars such as `5000` or `$10K`".into(),
            Self::Milliseconds => "a time such as `80 ms` or `1.5 s`".into(),
            Self::Days => "a time such as `2 weeks`, `3 months` or `36 hours`".into(),
            Self::Bytes => "a size such as `24 GB`".into(),
        }
    }
}

impl Kind {
    /// Returns an answer as a value of its own kind: a text, yes or no, or a number.
    pub fn json(self, answer: &str) -> serde_json::Value {
        match self {
            Self::Choice(_) => answer.into(),
            Self::YesNo => (answer == "yes").into(),
            _ => match answer.parse::<f64>() {
                // A whole number is written without a point.
                Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                    (number as i64).into()
                }
                Ok(number) => number.into(),
                Err(_) => serde_json::Value::Null,
            },
        }
    }
}

/// Which part of the conversation a question belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The six questions before retraining.
    Six,
    /// What else weighs.
    More,
    /// What only the estimates need.
    Estimate,
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Its key in a file, and with `-` for `_` its flag.
    pub key: &'static str,
    /// Which part it belongs to.
    pub part: Part,
    /// The question.
    pub asks: &'static str,
    /// Why it is asked and how to answer it.
    pub explains: &'static str,
    /// What kind of answer it has.
    pub kind: Kind,
}

/// All questions, in order.
pub const QUESTIONS: &[Question] = &[
    Question {
        key: "need",
        part: Part::Six,
        asks: "Is the problem about knowledge or about behaviour?",
        explains: "Retrieval brings knowledge: facts that stand in your documents. Training \
                   changes behaviour: how the model thinks, writes and formats. This is the \
                   answer that weighs most.",
        kind: Kind::Choice(Need::CHOICES),
    },
    Question {
        key: "changes",
        part: Part::Six,
        asks: "How often does the data change?",
        explains: "A trained model knows what was true when it was trained. Once a year or less \
                   counts as stable, once a month or more as frequent.",
        kind: Kind::Choice(Pace::CHOICES),
    },
    Question {
        key: "strict_format",
        part: Part::Six,
        asks: "Must every answer have one strict format?",
        explains: "Structured output: JSON with given fields, a form, a fixed set of labels. \
                   Training makes it consistent; `groundtune generate` can also hold a model to a \
                   JSON schema without training.",
        kind: Kind::YesNo,
    },
    Question {
        key: "budget_usd",
        part: Part::Six,
        asks: "What may it cost, in US dollars?",
        explains: "For everything up to the first version. From $10,000 the decision matrix \
                   speaks for training, below for retrieval; the estimate says what it really \
                   takes.",
        kind: Kind::Usd,
    },
    Question {
        key: "latency_ms",
        part: Part::Six,
        asks: "How long may an answer take at most?",
        explains: "Below 100 ms the decision matrix speaks for training, which needs no step of \
                   retrieval; from 100 ms to a second retrieval is acceptable.",
        kind: Kind::Milliseconds,
    },
    Question {
        key: "prompt",
        part: Part::Six,
        asks: "Can prompt engineering solve it first?",
        explains: "Nothing is cheaper than a better prompt with a few examples in it. If that is \
                   good enough on questions that you kept for measuring, nothing else is needed.",
        kind: Kind::Choice(Trial::CHOICES),
    },
    Question {
        key: "rag",
        part: Part::More,
        asks: "Has retrieval been tried?",
        explains: "If prompting and retrieval solve the problem, avoid retraining. `enough` and \
                   `not-enough` mean: measured, with retrieval tuned.",
        kind: Kind::Choice(Trial::CHOICES),
    },
    Question {
        key: "updates",
        part: Part::More,
        asks: "How often must the answers catch up with changes?",
        explains: "Data may change daily while answers that are a quarter old are acceptable. \
                   Every time a trained model catches up it is trained anew.",
        kind: Kind::Choice(Pace::CHOICES),
    },
    Question {
        key: "domain",
        part: Part::More,
        asks: "Does it take deep knowledge of one field?",
        explains: "Deep domain knowledge speaks for training, broad general knowledge for \
                   retrieval.",
        kind: Kind::Choice(Domain::CHOICES),
    },
    Question {
        key: "examples",
        part: Part::More,
        asks: "How many examples with the right answer are there?",
        explains: "Inputs with the output that is wanted: labelled texts, questions with answers, \
                   prompts with completions. Fine-tuning takes thousands; below a hundred it \
                   learns them by heart. `groundtune data audit FILE` counts them.",
        kind: Kind::Count,
    },
    Question {
        key: "examples_good",
        part: Part::More,
        asks: "Are they well labelled and clean?",
        explains: "Examples that contradict each other, repeat or leak teach the wrong thing. \
                   `groundtune data audit FILE` says.",
        kind: Kind::YesNo,
    },
    Question {
        key: "documents",
        part: Part::More,
        asks: "How many documents hold the knowledge?",
        explains: "More than 10,000 are too vast to be learnt by heart. `groundtune status` counts \
                   those of a project.",
        kind: Kind::Count,
    },
    Question {
        key: "document_bytes",
        part: Part::More,
        asks: "How much text is that?",
        explains: "The text alone, without pictures: for the estimate of the index.",
        kind: Kind::Bytes,
    },
    Question {
        key: "task",
        part: Part::More,
        asks: "What does it mostly do?",
        explains: "Open questions over facts suit retrieval; fixed, structured tasks and free \
                   writing suit training.",
        kind: Kind::Choice(Task::CHOICES),
    },
    Question {
        key: "tone",
        part: Part::More,
        asks: "Must it write in a tone of its own: a brand's voice, a house style?",
        explains: "Tone is behaviour: it is learnt from examples.",
        kind: Kind::YesNo,
    },
    Question {
        key: "grounding",
        part: Part::More,
        asks: "Must every answer be traceable to a source?",
        explains: "Retrieval can cite; a trained model cannot say where it knows something from.",
        kind: Kind::YesNo,
    },
    Question {
        key: "rare_facts",
        part: Part::More,
        asks: "Are rarely used facts asked for: single records, old cases, part numbers?",
        explains: "What a model reads rarely it hardly learns; an index finds it as easily as \
                   anything else.",
        kind: Kind::YesNo,
    },
    Question {
        key: "base_model",
        part: Part::More,
        asks: "How well does the model do the task as it is?",
        explains: "If it already performs well, it needs facts at most. If it fails to reason in \
                   the field, or stumbles over slang, retrieval does not help.",
        kind: Kind::Choice(BaseModel::CHOICES),
    },
    Question {
        key: "runs_on",
        part: Part::More,
        asks: "Where does it run?",
        explains: "A trained model needs nothing beside it. groundtune's index lies in files on \
                   the same machine, so retrieval works offline too, where there is a disk.",
        kind: Kind::Choice(RunsOn::CHOICES),
    },
    Question {
        key: "held_out",
        part: Part::More,
        asks: "How many questions with answers are kept for measuring?",
        explains: "Questions that no candidate has seen. Without them nobody can say which is \
                   better.",
        kind: Kind::Count,
    },
    Question {
        key: "timeline_days",
        part: Part::Estimate,
        asks: "How long until it has to stand?",
        explains: "If training takes longer than that, it is said, with what would make it fit.",
        kind: Kind::Days,
    },
    Question {
        key: "parameters",
        part: Part::Estimate,
        asks: "How large is the model that would be trained?",
        explains: "Its numbers: `124M` for GPT-2, `7B` for a usual open model. Time, memory and \
                   money grow with it.",
        kind: Kind::Count,
    },
    Question {
        key: "tokens_per_example",
        part: Part::Estimate,
        asks: "How many tokens has an example?",
        explains: "About four for three words; `groundtune data audit FILE` says.",
        kind: Kind::Count,
    },
    Question {
        key: "gpus",
        part: Part::Estimate,
        asks: "How many graphics processors are there to train on?",
        explains: "0 stands for the processor of this machine alone.",
        kind: Kind::Count,
    },
    Question {
        key: "memory_bytes",
        part: Part::Estimate,
        asks: "How much memory has one of them (or the machine, if there is none)?",
        explains: "What must fit: weights, gradients, the optimiser's states, activations.",
        kind: Kind::Bytes,
    },
    Question {
        key: "hour_usd",
        part: Part::Estimate,
        asks: "What does an hour of one of them (or of the machine) cost, in US dollars?",
        explains: "0 if it is yours and the electricity does not count. The sources' own tables \
                   come to $1.40 to $3 for a graphics processor.",
        kind: Kind::Usd,
    },
];

/// Why an answer was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnswerError {
    /// There is no such question.
    #[error("there is no question `{key}`{}", .nearest.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// One with nearly the same name.
        nearest: Option<&'static str>,
    },
    /// The answer is none to this question.
    #[error("`{key}` cannot be `{found}`: expected {expected}{}", .nearest.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default())]
    NotUnderstood {
        /// The question's key.
        key: &'static str,
        /// What was answered.
        found: String,
        /// What may be answered.
        expected: String,
        /// A word that is nearly the same.
        nearest: Option<&'static str>,
    },
}

/// Returns the question with this key; `-` and `_` are the same in it.
pub fn question(key: &str) -> Result<&'static Question, AnswerError> {
    let plain = key.trim().replace('-', "_");
    QUESTIONS
        .iter()
        .find(|it| it.key == plain)
        .ok_or_else(|| AnswerError::UnknownKey {
            key: key.into(),
            nearest: contract::nearest(&plain, QUESTIONS.iter().map(|it| it.key)),
        })
}

/// Returns whether `text` says that the answer is not known.
pub fn is_unknown(text: &str) -> bool {
    matches!(
        plain(text).as_str(),
        "" | "unknown" | "don't-know" | "dont-know" | "not-known" | "-"
    )
}

/// Answers the question `key` with what somebody wrote; with "unknown", takes the answer back.
pub fn set(answers: &mut Answers, key: &str, text: &str) -> Result<(), AnswerError> {
    let question = question(key)?;
    let a = answers;
    let known = !is_unknown(text);
    macro_rules! choice {
        ($field:ident, $type:ty) => {
            a.$field = known
                .then(|| choice(question, <$type>::ALL, text))
                .transpose()?
        };
    }
    macro_rules! number {
        ($field:ident) => {
            a.$field = known.then(|| number(question, text)).transpose()?
        };
    }
    macro_rules! yes_no {
        ($field:ident) => {
            a.$field = known.then(|| yes_no(question, text)).transpose()?
        };
    }
    match question.key {
        "need" => choice!(need, Need),
        "changes" => choice!(changes, Pace),
        "strict_format" => yes_no!(strict_format),
        "budget_usd" => number!(budget_usd),
        "latency_ms" => number!(latency_ms),
        "prompt" => choice!(prompt, Trial),
        "rag" => choice!(rag, Trial),
        "updates" => choice!(updates, Pace),
        "domain" => choice!(domain, Domain),
        "examples" => number!(examples),
        "examples_good" => yes_no!(examples_good),
        "documents" => number!(documents),
        "document_bytes" => number!(document_bytes),
        "task" => choice!(task, Task),
        "tone" => yes_no!(tone),
        "grounding" => yes_no!(grounding),
        "rare_facts" => yes_no!(rare_facts),
        "base_model" => choice!(base_model, BaseModel),
        "runs_on" => choice!(runs_on, RunsOn),
        "held_out" => number!(held_out),
        "timeline_days" => number!(timeline_days),
        "parameters" => number!(parameters),
        "tokens_per_example" => number!(tokens_per_example),
        "gpus" => number!(gpus),
        "memory_bytes" => number!(memory_bytes),
        "hour_usd" => number!(hour_usd),
        key => unreachable!("`{key}` stands in the catalogue and has no field"),
    }
    Ok(())
}

/// Returns the answer to the question `key` as [`set`] reads it; nothing if it is not known.
///
/// Panics if there is no such question.
pub fn get(answers: &Answers, key: &str) -> Option<String> {
    let a = answers;
    let number = |it: Option<f64>| it.map(|it| it.to_string());
    let yes_no = |it: Option<bool>| it.map(|it| if it { "yes" } else { "no" }.to_owned());
    let word = |it: Option<&'static str>| it.map(str::to_owned);
    match key {
        "need" => word(a.need.map(Need::word)),
        "changes" => word(a.changes.map(Pace::word)),
        "strict_format" => yes_no(a.strict_format),
        "budget_usd" => number(a.budget_usd),
        "latency_ms" => number(a.latency_ms),
        "prompt" => word(a.prompt.map(Trial::word)),
        "rag" => word(a.rag.map(Trial::word)),
        "updates" => word(a.updates.map(Pace::word)),
        "domain" => word(a.domain.map(Domain::word)),
        "examples" => number(a.examples),
        "examples_good" => yes_no(a.examples_good),
        "documents" => number(a.documents),
        "document_bytes" => number(a.document_bytes),
        "task" => word(a.task.map(Task::word)),
        "tone" => yes_no(a.tone),
        "grounding" => yes_no(a.grounding),
        "rare_facts" => yes_no(a.rare_facts),
        "base_model" => word(a.base_model.map(BaseModel::word)),
        "runs_on" => word(a.runs_on.map(RunsOn::word)),
        "held_out" => number(a.held_out),
        "timeline_days" => number(a.timeline_days),
        "parameters" => number(a.parameters),
        "tokens_per_example" => number(a.tokens_per_example),
        "gpus" => number(a.gpus),
        "memory_bytes" => number(a.memory_bytes),
        "hour_usd" => number(a.hour_usd),
        key => panic!("there is no question `{key}`"),
    }
}

/// Returns `text` in small letters, with `-` for blanks and `_`.
fn plain(text: &str) -> String {
    text.trim()
        .to_lowercase()
        .replace([' ', '_'], "-")
        .replace('’', "'")
}

fn not_understood(question: &Question, text: &str) -> AnswerError {
    let words = match question.kind {
        Kind::Choice(choices) => choices.iter().map(|it| it.word).collect(),
        _ => vec![],
    };
    AnswerError::NotUnderstood {
        key: question.key,
        found: text.trim().chars().take(60).collect(),
        expected: question.kind.expects(),
        nearest: contract::nearest(&plain(text), words),
    }
}

/// Reads a word, its beginning if no other begins so, or its number, from 1.
fn choice<T: Copy>(question: &Question, all: &[T], text: &str) -> Result<T, AnswerError> {
    let Kind::Choice(choices) = question.kind else {
        unreachable!("`{}` is a question with choices", question.key)
    };
    let text_plain = match plain(text).as_str() {
        "behavior" => "behaviour".to_owned(),
        "real-time" | "realtime" | "hourly" => "live".to_owned(),
        other => other.to_owned(),
    };
    let place = choices
        .iter()
        .position(|it| it.word == text_plain)
        .or_else(|| {
            let mut begun = choices
                .iter()
                .enumerate()
                .filter(|(_, it)| it.word.starts_with(&text_plain));
            match (begun.next(), begun.next()) {
                (Some((place, _)), None) => Some(place),
                _ => None,
            }
        })
        .or_else(|| {
            let number: usize = text_plain.parse().ok()?;
            (1..=choices.len()).contains(&number).then(|| number - 1)
        });
    place
        .map(|place| all[place])
        .ok_or_else(|| not_understood(question, text))
}

fn yes_no(question: &Question, text: &str) -> Result<bool, AnswerError> {
    match plain(text).as_str() {
        "yes" | "y" | "true" => Ok(true),
        "no" | "n" | "false" => Ok(false),
        _ => Err(not_understood(question, text)),
    }
}

/// Reads a number with its unit. Never negative, always finite.
fn number(question: &Question, text: &str) -> Result<f64, AnswerError> {
    let wrong = || not_understood(question, text);
    let trimmed = text.trim().trim_start_matches('$').trim();
    let unit_at = trimmed
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '_' | 'e' | 'E')))
        .unwrap_or(trimmed.len());
    let (digits, rest) = trimmed.split_at(unit_at);
    // `2_weeks`: the line belongs to the unit.
    let digits: String = digits.chars().filter(|c| !matches!(c, ',' | '_')).collect();
    let value: f64 = digits.parse().map_err(|_| wrong())?;
    let unit = plain(rest).trim_matches('-').to_owned();
    let factor = match (question.kind, unit.as_str()) {
        (Kind::Count | Kind::Usd, "") => 1.0,
        (Kind::Usd, "usd" | "dollar" | "dollars" | "us-dollars") => 1.0,
        (Kind::Count | Kind::Usd, "k" | "k+") => 1e3,
        (Kind::Count | Kind::Usd, "m" | "m+" | "million") => 1e6,
        (Kind::Count | Kind::Usd, "b" | "b+" | "billion") => 1e9,
        (Kind::Count, "t" | "t+" | "trillion") => 1e12,
        (Kind::Milliseconds, "" | "ms" | "millisecond" | "milliseconds") => 1.0,
        (Kind::Milliseconds, "s" | "second" | "seconds") => 1e3,
        (Kind::Milliseconds, "min" | "minute" | "minutes") => 6e4,
        (Kind::Days, "h" | "hour" | "hours") => 1.0 / 24.0,
        (Kind::Days, "" | "d" | "day" | "days") => 1.0,
        (Kind::Days, "w" | "week" | "weeks") => 7.0,
        (Kind::Days, "month" | "months") => 30.0,
        (Kind::Days, "year" | "years") => 365.0,
        (Kind::Bytes, "" | "b" | "byte" | "bytes") => 1.0,
        (Kind::Bytes, "kb" | "k") => 1e3,
        (Kind::Bytes, "mb" | "m") => 1e6,
        (Kind::Bytes, "gb" | "g") => 1e9,
        (Kind::Bytes, "tb" | "t") => 1e12,
        (Kind::Bytes, "kib") => 1024.0,
        (Kind::Bytes, "mib") => 1_048_576.0,
        (Kind::Bytes, "gib") => 1_073_741_824.0,
        (Kind::Bytes, "tib") => 1_099_511_627_776.0,
        _ => return Err(wrong()),
    };
    let value = value * factor;
    // No project has more of anything; it also keeps every product below finite.
    if !(0.0..=1e18).contains(&value) {
        return Err(wrong());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_people_write_them() {
        let check = |key: &str, text: &str, expect: Option<&str>| {
            let mut answers = Answers::default();
            set(&mut answers, key, text).unwrap_or_else(|error| panic!("{error}"));
            let key = super::question(key).unwrap().key;
            assert_eq!(get(&answers, key).as_deref(), expect, "{key} = {text}");
        };
        check("need", "Knowledge", Some("knowledge"));
        check("need", "behavior", Some("behaviour"));
        check("need", "2", Some("behaviour"));
        check("need", "don't know", None);
        check("changes", "real-time", Some("live"));
        check("changes", "w", Some("weekly"));
        check("prompt", "not tried", Some("not-tried"));
        check("prompt", "NOT_ENOUGH", Some("not-enough"));
        check("strict-format", "y", Some("yes"));
        check("tone", "false", Some("no"));
        check("budget_usd", "$10K", Some("10000"));
        check("budget_usd", "10K+", Some("10000"));
        check("budget_usd", "5,000", Some("5000"));
        check("latency_ms", "0.5 s", Some("500"));
        check("latency_ms", "99", Some("99"));
        check("examples", "5_000_000", Some("5000000"));
        check("parameters", "117M", Some("117000000"));
        check("parameters", "1.5b", Some("1500000000"));
        check("timeline_days", "2_weeks", Some("14"));
        check("timeline_days", "36 hours", Some("1.5"));
        check("memory_bytes", "24 GB", Some("24000000000"));
        check("memory_bytes", "1 GiB", Some("1073741824"));
    }

    #[test]
    fn what_is_no_answer_says_what_is_one() {
        let check = |key: &str, text: &str, expect: &str| {
            let error = set(&mut Answers::default(), key, text).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check(
            "ned",
            "knowledge",
            "there is no question `ned`; did you mean `need`?",
        );
        check(
            "need",
            "knowlege",
            "`need` cannot be `knowlege`: expected one of `knowledge`, `behaviour`, `both`; did \
             you mean `knowledge`?",
        );
        check(
            "prompt",
            "not",
            "`prompt` cannot be `not`: expected one of `not-tried`, `not-enough`, `enough`",
        );
        check(
            "tone",
            "perhaps",
            "`tone` cannot be `perhaps`: expected `yes` or `no`",
        );
        for text in [
            "much", "-5", "5 stones", "1e400", "NaN", "inf", "5..2", "1e30",
        ] {
            check(
                "budget_usd",
                text,
                &format!(
                    "`budget_usd` cannot be `{text}`: expected an amount in US dollars such as \
                     `5000` or `$10K`"
                ),
            );
        }
    }

    #[test]
    fn every_question_has_a_field_and_every_choice_can_be_said() {
        for question in QUESTIONS {
            let texts: Vec<&str> = match question.kind {
                Kind::Choice(choices) => choices.iter().map(|it| it.word).collect(),
                Kind::YesNo => vec!["yes", "no"],
                _ => vec!["7"],
            };
            for text in texts {
                let mut answers = Answers::default();
                set(&mut answers, question.key, text).unwrap();
                assert_eq!(get(&answers, question.key).as_deref(), Some(text));
                set(&mut answers, question.key, "unknown").unwrap();
                assert_eq!(answers, Answers::default());
            }
        }
        let six = QUESTIONS.iter().filter(|it| it.part == Part::Six);
        assert_eq!(six.count(), 6);
    }
}
