//! Examples as the tokens that a decoder reads, and which of them it learns.
//!
//! A model with a chat template is taught in it, another by plain text; either way what is
//! before the answer is the very text that the model is given when it is asked
//! ([`contract::render`], the tokenizer's template), and only the answer is learnt, with
//! the token that ends it. What is longer than the model reads is left out and named, or
//! its prompt is shortened where that was wished; an answer is never cut.

use std::borrow::Cow;

use contract::{Evidence, Example, Lesson, Message, QuestionId, Role, Template, render};
use model::tokenizer::{Special, TextTokenizer};
use rayon::prelude::*;
use serde_json::{Value as Json, json};
use thiserror::Error;
use train::Sequences;

use super::DataError;
use super::labels::other;
use crate::NOT_IN_THE_DOCUMENTS;

/// How examples become tokens.
#[derive(Clone, Copy, Debug)]
pub struct SequenceOptions {
    /// The most tokens of a sequence.
    pub length: usize,
    /// What is done about an example that is longer.
    pub overlong: Overlong,
    /// How a question and its context become a prompt.
    pub template: Template,
}

impl SequenceOptions {
    /// Returns the usual way, for sequences of up to `length` tokens.
    pub fn new(length: usize) -> Self {
        Self {
            length,
            overlong: Overlong::LeaveOut,
            template: Template::default(),
        }
    }
}

/// What is done about an example that is longer than a sequence may be. A text without a
/// prompt is always cut into pieces that are learnt one and all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlong {
    /// It is left out, and named.
    #[default]
    LeaveOut,
    /// The end of its prompt is cut off, and it is named; where the answer alone is too
    /// long, or the prompt is a conversation or a question with its context, it is left
    /// out.
    CutPrompt,
}

/// What came of examples.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// The sequences.
    pub sequences: Sequences,
    /// The example that each sequence is from, by its place.
    pub from: Vec<u32>,
    /// The examples that were left out.
    pub left_out: Vec<LeftOut>,
    /// The examples whose prompts were cut.
    pub cut: Vec<QuestionId>,
}

/// What came of preferences: the pair `n` is the sequence `n` of each side.
#[derive(Clone, Debug, Default)]
pub struct PreparedPairs {
    /// Each prompt with the better answer.
    pub chosen: Sequences,
    /// The same prompts with the other.
    pub rejected: Sequences,
    /// The example that each pair is from, by its place.
    pub from: Vec<u32>,
    /// The examples that were left out.
    pub left_out: Vec<LeftOut>,
}

/// An example that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The example.
    pub id: QuestionId,
    /// Why.
    pub why: Why,
}

/// Why an example was left out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Why {
    /// It is longer than a sequence may be.
    #[error("it has {tokens} tokens, more than the {length} of a sequence")]
    TooLong {
        /// Its tokens.
        tokens: usize,
        /// The most tokens of a sequence.
        length: usize,
    },
    /// It is a conversation, and the model has no chat template.
    #[error("it is a conversation, and the model has no chat template")]
    NoTemplate,
    /// The model's chat template refuses it.
    #[error("the chat template refuses it: {reason}")]
    Refused {
        /// What the template says.
        reason: String,
    },
    /// Nothing of it would be learnt.
    #[error("nothing of it would be learnt")]
    NothingLearnt,
}

/// Makes examples into sequences: texts, prompts with completions, conversations,
/// questions about passages, and texts with labels (the label is the answer).
///
/// # Errors
/// If an example is of another kind, the tokenizer fails, or nothing is left.
pub fn sequences(
    examples: &[Example],
    tokenizer: &TextTokenizer,
    options: &SequenceOptions,
) -> Result<Prepared, DataError> {
    let mut made = Prepared::default();
    let teller = Teller { tokenizer, options };
    let mut place = 0;
    for together in examples.chunks(TOGETHER) {
        let told = together.par_iter().map(|it| teller.told(it));
        let told: Vec<_> = told.collect::<Result<_, _>>()?;
        for (example, told) in together.iter().zip(told) {
            let before = made.sequences.len();
            match told {
                Err(why) => made.left_out.push(LeftOut {
                    id: example.id.clone(),
                    why,
                }),
                Ok(Tokens::Text(ids)) => made.sequences.push_text(&ids, options.length),
                Ok(Tokens::Taught(taught)) => {
                    if taught.iter().any(|it| it.cut) {
                        made.cut.push(example.id.clone());
                    }
                    for it in &taught {
                        made.sequences.push(&it.ids, |at| it.learns(at));
                    }
                }
            }
            made.from
                .extend(std::iter::repeat_n(place, made.sequences.len() - before));
            place += 1;
        }
    }
    something(made.sequences.is_empty(), examples, &made.left_out)?;
    Ok(made)
}

/// The examples that are made into tokens at the same time, on all processors, before they
/// are kept in their order.
const TOGETHER: usize = 4096;

/// The tokens of an example.
enum Tokens {
    /// Of a text, which may be cut into several sequences.
    Text(Vec<u32>),
    /// Of what is said and answered.
    Taught(Vec<Taught>),
}

/// Makes preferences into pairs of sequences.
///
/// # Errors
/// If an example is of another kind, the tokenizer fails, or nothing is left.
pub fn preferences(
    examples: &[Example],
    tokenizer: &TextTokenizer,
    options: &SequenceOptions,
) -> Result<PreparedPairs, DataError> {
    let mut made = PreparedPairs::default();
    let teller = Teller { tokenizer, options };
    for (place, example) in (0..).zip(examples) {
        let Lesson::Preference {
            prompt,
            chosen,
            rejected,
        } = &example.lesson
        else {
            return Err(other(example, "a preference"));
        };
        let both = match teller.answered(prompt, chosen)? {
            Err(why) => Err(why),
            Ok(chosen) => teller
                .answered(prompt, rejected)?
                .map(|rejected| (chosen, rejected)),
        };
        match both {
            Err(why) => made.left_out.push(LeftOut {
                id: example.id.clone(),
                why,
            }),
            Ok((chosen, rejected)) => {
                made.chosen.push(&chosen.ids, |at| chosen.learns(at));
                made.rejected.push(&rejected.ids, |at| rejected.learns(at));
                made.from.push(place);
            }
        }
    }
    something(made.from.is_empty(), examples, &made.left_out)?;
    Ok(made)
}

fn something(nothing: bool, examples: &[Example], left_out: &[LeftOut]) -> Result<(), DataError> {
    match left_out.first() {
        Some(first) if nothing => Err(DataError::NothingLeft {
            count: examples.len(),
            first: first.why.clone(),
        }),
        _ => Ok(()),
    }
}

/// Tokens, and the ranges of them that are learnt.
#[derive(Clone, Debug)]
struct Taught {
    ids: Vec<u32>,
    learnt: Vec<std::ops::Range<usize>>,
    cut: bool,
}

impl Taught {
    fn learns(&self, at: usize) -> bool {
        self.learnt.iter().any(|range| range.contains(&at))
    }
}

/// Returns a prompt as a model without a chat template is taught to answer it, and is asked
/// it: on a line of its own, unless it ends in a space or in a colon.
pub(crate) fn prompt_line(prompt: &str) -> Cow<'_, str> {
    match prompt.ends_with(char::is_whitespace) || prompt.ends_with(':') {
        true => Cow::Borrowed(prompt),
        false => Cow::Owned(format!("{prompt}\n")),
    }
}

/// Returns the turns that a model is given before it answers an example, as it is taught to
/// answer it; nothing of a lesson that is not answered in words, or that calls tools. A conversation
/// is asked for its last answer.
pub(crate) fn asked(lesson: &Lesson, template: Template) -> Option<Vec<Message>> {
    let after = |system: Option<&str>, prompt: &str| {
        let system = system.map(|system| Message::new(Role::System, system));
        let prompt = Message::new(Role::User, prompt);
        system.into_iter().chain([prompt]).collect()
    };
    match lesson {
        Lesson::Completion { system, prompt, .. } => Some(after(system.as_deref(), prompt)),
        Lesson::Labelled { text, .. } => Some(after(None, text)),
        Lesson::Question {
            question, context, ..
        } => {
            let evidence: Vec<Evidence> = context.iter().map(Evidence::of_text).collect();
            Some(after(None, render(template, question, &evidence).as_str()))
        }
        Lesson::Conversation {
            messages,
            tools: None,
        } => {
            let answer = messages.iter().rposition(|message| message.trained)?;
            let said = |message: &Message| message.calls.is_empty() && message.role != Role::Tool;
            messages[..=answer]
                .iter()
                .all(said)
                .then(|| messages[..answer].to_vec())
        }
        Lesson::Conversation { .. }
        | Lesson::Text { .. }
        | Lesson::Preference { .. }
        | Lesson::Tagged { .. }
        | Lesson::Pair { .. }
        | Lesson::Contrast { .. } => None,
    }
}

/// Returns turns as one text, for a model without a chat template; nothing of turns that such a
/// model is not taught.
pub(crate) fn plain_prompt(turns: &[Message]) -> Option<String> {
    match turns {
        [one] if one.role == Role::User => Some(one.content.clone()),
        [system, one] if system.role == Role::System && one.role == Role::User => {
            Some(format!("{}\n\n{}", system.content, one.content))
        }
        _ => None,
    }
}

/// What can be done about an example, or why nothing can.
type Told<T> = Result<Result<T, Why>, DataError>;

struct Teller<'a> {
    tokenizer: &'a TextTokenizer,
    options: &'a SequenceOptions,
}

impl Teller<'_> {
    fn told(&self, example: &Example) -> Told<Tokens> {
        if let Lesson::Text { text } = &example.lesson {
            return Ok(Ok(Tokens::Text(self.text(text)?)));
        }
        Ok(self.taught(example)?.map(Tokens::Taught))
    }

    /// Returns the tokens of a text, between the tokens that begin and end one.
    fn text(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let mut ids = self.plain(text)?;
        ids.extend(self.tokenizer.end());
        Ok(ids)
    }

    /// Returns the tokens of a text as the model is given it: after the token that begins
    /// one, if it wants that.
    fn plain(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let mut ids = self.tokenizer.encode(text, Special::Add)?;
        // The end is ours to add.
        if self.tokenizer.encode("", Special::Add)?.len() > 1 {
            ids.pop();
        }
        Ok(ids)
    }

    /// Returns what is taught by an example: one sequence, or several of a conversation.
    fn taught(&self, example: &Example) -> Told<Vec<Taught>> {
        let one = |told: Result<Taught, Why>| told.map(|taught| vec![taught]);
        Ok(match &example.lesson {
            Lesson::Completion {
                system,
                prompt,
                completion,
            } => one(self.completion(system.as_deref(), prompt, completion)?),
            Lesson::Labelled { text, labels } => {
                one(self.completion(None, text, &labels.as_slice().join(", "))?)
            }
            lesson @ Lesson::Question { answers, .. } => {
                let turns = asked(lesson, self.options.template).expect("a question is answered");
                let answer = answers
                    .first()
                    .map_or(NOT_IN_THE_DOCUMENTS, |answer| &answer.text);
                one(self.answered(&turns, answer)?)
            }
            Lesson::Conversation { messages, tools } => {
                self.conversation(messages, tools.as_deref())?
            }
            Lesson::Text { .. }
            | Lesson::Preference { .. }
            | Lesson::Tagged { .. }
            | Lesson::Pair { .. }
            | Lesson::Contrast { .. } => {
                return Err(other(
                    example,
                    "a completion, a conversation, a question or a labelled text",
                ));
            }
        })
    }

    /// As [`Self::exchange`], with the prompt shortened if that is wished and needed.
    fn completion(&self, system: Option<&str>, prompt: &str, completion: &str) -> Told<Taught> {
        let whole = self.exchange(system, prompt, completion)?;
        let (Err(Why::TooLong { .. }), Overlong::CutPrompt) = (&whole, self.options.overlong)
        else {
            return Ok(whole);
        };
        // The longest beginning of the prompt that leaves room for the answer.
        let ends: Vec<usize> = prompt.char_indices().map(|(at, _)| at).skip(1).collect();
        let (mut fits, mut over) = (0, ends.len());
        let mut best = None;
        while fits < over {
            let middle = fits.midpoint(over);
            match self.exchange(system, &prompt[..ends[middle]], completion)? {
                Ok(taught) => {
                    best = Some(taught);
                    fits = middle + 1;
                }
                Err(_) => over = middle,
            }
        }
        Ok(match best {
            Some(taught) => Ok(Taught {
                cut: true,
                ..taught
            }),
            None => whole,
        })
    }

    /// Returns a prompt with its answer.
    fn exchange(&self, system: Option<&str>, prompt: &str, completion: &str) -> Told<Taught> {
        let system = system.map(|system| Message::new(Role::System, system));
        let asked = [Message::new(Role::User, prompt)];
        let prompt: Vec<Message> = system.into_iter().chain(asked).collect();
        self.answered(&prompt, completion)
    }

    /// Returns a plain text's prompt with its answer, a space between them where the prompt
    /// ends in a colon.
    fn plain_exchange(&self, prompt: &str, completion: &str) -> Told<Taught> {
        let (given, between) = match completion.starts_with(char::is_whitespace) {
            true => (Cow::Borrowed(prompt), ""),
            // What the model is given ends before a space: most vocabularies have it at the
            // start of the next word.
            false => match prompt_line(prompt) {
                given if given.ends_with(':') => (given, " "),
                given => (given, ""),
            },
        };
        let mut ids = self.plain(&format!("{given}{between}{completion}"))?;
        let start = common(&ids, &self.plain(&given)?);
        ids.extend(self.tokenizer.end());
        Ok(self.checked(ids, vec![start]))
    }

    /// Returns a conversation that a given answer ends.
    fn answered(&self, prompt: &[Message], answer: &str) -> Told<Taught> {
        if self.tokenizer.chat_template().is_none() {
            return match plain_prompt(prompt) {
                Some(prompt) => self.plain_exchange(&prompt, answer),
                None => Ok(Err(Why::NoTemplate)),
            };
        }
        let mut messages: Vec<Message> = prompt
            .iter()
            .map(|message| Message {
                trained: false,
                ..message.clone()
            })
            .collect();
        messages.push(Message::new(Role::Assistant, answer));
        Ok(self
            .conversation(&messages, None)?
            .map(|mut taught| taught.swap_remove(0)))
    }

    /// Returns a conversation: one sequence, if the template writes each turn the same
    /// whatever follows it; or else one for each turn that is learnt, with all before it.
    fn conversation(&self, messages: &[Message], tools: Option<&str>) -> Told<Vec<Taught>> {
        let Some(template) = self.tokenizer.chat_template() else {
            return match messages {
                [asked @ .., answer] if answer.trained && answer.calls.is_empty() => {
                    let one = self.answered(asked, &answer.content)?;
                    Ok(one.map(|taught| vec![taught]))
                }
                _ => Ok(Err(Why::NoTemplate)),
            };
        };
        let tools = tools.map(tools_of);
        let turns: Vec<Json> = messages.iter().map(turn).collect();
        let write = |count: usize, asked: bool| {
            template
                .render(&turns[..count], tools.as_deref(), asked)
                .map_err(|error| Why::Refused {
                    reason: reason(&error),
                })
        };
        let whole = match write(turns.len(), false) {
            Ok(whole) => whole,
            Err(why) => return Ok(Err(why)),
        };
        // The text before each turn that is learnt, and with it.
        let mut texts: Vec<(String, String)> = Vec::new();
        for (place, _) in messages.iter().enumerate().filter(|(_, it)| it.trained) {
            match (write(place, true), write(place + 1, false)) {
                (Ok(before), Ok(with)) => texts.push((before, with)),
                (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
            }
        }
        if texts.is_empty() {
            return Ok(Err(Why::NothingLearnt));
        }
        let steady = texts
            .iter()
            .all(|(before, with)| with.starts_with(before) && whole.starts_with(with));
        if steady {
            let ids = self.tokenizer.encode(&whole, Special::Read)?;
            let mut learnt = Vec::new();
            for (before, with) in &texts {
                learnt.push(self.turn_range(&ids, before, with)?);
            }
            return Ok(self.checked_ranges(ids, learnt).map(|taught| vec![taught]));
        }
        let mut several = Vec::new();
        for (before, with) in &texts {
            let ids = self.tokenizer.encode(with, Special::Read)?;
            let range = self.turn_range(&ids, before, with)?;
            match self.checked_ranges(ids, vec![range]) {
                Ok(taught) => several.push(taught),
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(several))
    }

    /// Returns which of `ids` are the turn that `with` has after `before`, without the
    /// space that a template puts after its end.
    fn turn_range(
        &self,
        ids: &[u32],
        before: &str,
        with: &str,
    ) -> Result<std::ops::Range<usize>, DataError> {
        let encode = |text: &str| self.tokenizer.encode(text, Special::Read);
        let start = common(ids, &encode(before)?);
        let said = with.trim_end();
        let said = if said.len() > before.len() {
            said
        } else {
            with
        };
        let end = common(ids, &encode(said)?);
        Ok(start..end.max(start))
    }

    fn checked(&self, ids: Vec<u32>, starts: Vec<usize>) -> Result<Taught, Why> {
        let end = ids.len();
        let learnt = starts.into_iter().map(|start| start..end).collect();
        self.checked_ranges(ids, learnt)
    }

    fn checked_ranges(
        &self,
        ids: Vec<u32>,
        learnt: Vec<std::ops::Range<usize>>,
    ) -> Result<Taught, Why> {
        if ids.len() > self.options.length {
            return Err(Why::TooLong {
                tokens: ids.len(),
                length: self.options.length,
            });
        }
        // The first token follows nothing, so it cannot be learnt.
        if !learnt.iter().any(|range| range.end > range.start.max(1)) {
            return Err(Why::NothingLearnt);
        }
        Ok(Taught {
            ids,
            learnt,
            cut: false,
        })
    }
}

/// Returns how many first tokens two texts share.
fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Returns a turn as templates take it.
fn turn(message: &Message) -> Json {
    let mut turn = json!({ "role": message.role.as_str(), "content": message.content });
    if !message.calls.is_empty() {
        let calls = message.calls.iter().map(|call| {
            let arguments: Json = serde_json::from_str(&call.arguments)
                .unwrap_or_else(|_| call.arguments.as_str().into());
            json!({ "type": "function", "function": { "name": call.name, "arguments": arguments } })
        });
        turn["tool_calls"] = calls.collect();
    }
    turn
}

/// Returns tools as templates take them: those that are only described become functions.
fn tools_of(tools: &str) -> Vec<Json> {
    let tools: Vec<Json> = serde_json::from_str(tools).unwrap_or_default();
    tools
        .into_iter()
        .map(|tool| match tool.get("type").and_then(Json::as_str) {
            Some("function") => tool,
            _ => json!({ "type": "function", "function": tool }),
        })
        .collect()
}

/// Returns the innermost reason of an error.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use contract::ToolCall;
    use model::tokenizer::{Vocabulary, VocabularyRecipe};

    use super::*;

    fn tokenizer(conversations: bool) -> TextTokenizer {
        let recipe = VocabularyRecipe {
            size: 300,
            conversations,
            ..VocabularyRecipe::default()
        };
        let text = "the cats sat on the mats and the dogs ran to the cats. ".repeat(20);
        let vocabulary = Vocabulary::learn(std::iter::once(text), &recipe).unwrap();
        vocabulary.tokenizer().unwrap()
    }

    fn example(lesson: Lesson) -> Example {
        Example {
            id: QuestionId::new("a.jsonl:1"),
            passage: None,
            document: None,
            lesson,
        }
    }

    fn completion(prompt: &str, completion: &str) -> Example {
        example(Lesson::Completion {
            system: None,
            prompt: prompt.into(),
            completion: completion.into(),
        })
    }

    /// The text of a sequence with what is learnt of it in brackets, special tokens by name.
    fn shown(tokenizer: &TextTokenizer, sequences: &Sequences) -> Vec<String> {
        let one = |index: usize| {
            let sequence = sequences.get(index);
            let mut shown = String::new();
            let mut inside = false;
            for (at, id) in sequence.ids.iter().enumerate() {
                let learnt = at > 0 && sequence.targets[at - 1] == *id;
                if learnt != inside {
                    shown.push(if learnt { '[' } else { ']' });
                    inside = learnt;
                }
                shown += &String::from_utf8_lossy(&tokenizer.bytes(*id).unwrap());
            }
            shown.push_str(if inside { "]" } else { "" });
            shown
        };
        (0..sequences.len()).map(one).collect()
    }

    fn check(conversations: bool, lesson: Lesson, expect: &[&str]) {
        let tokenizer = tokenizer(conversations);
        let made = sequences(&[example(lesson)], &tokenizer, &SequenceOptions::new(400)).unwrap();
        assert_eq!(shown(&tokenizer, &made.sequences), expect);
        assert_eq!(made.from.len(), expect.len());
    }

    #[test]
    fn only_the_completion_is_learnt() {
        let lesson = |prompt: &str, said: &str| completion(prompt, said).lesson;
        check(
            false,
            lesson("the cats", "ran"),
            &["the cats\n[ran<|endoftext|>]"],
        );
        check(
            false,
            lesson("the cats", " ran"),
            &["the cats[ ran<|endoftext|>]"],
        );
        check(
            true,
            lesson("the cats", "ran"),
            &["<|im_start|>user\nthe cats<|im_end|>\n<|im_start|>assistant\n[ran<|im_end|>]\n"],
        );
    }

    #[test]
    fn a_text_is_learnt_whole() {
        let text = Lesson::Text {
            text: "the cats".into(),
        };
        check(false, text, &["t[he cats]"]);
    }

    #[test]
    fn a_question_is_asked_as_when_answering() {
        let question = |answers: &[&str]| Lesson::Question {
            question: "who ran?".into(),
            context: Some("the dogs ran".into()),
            answers: answers
                .iter()
                .map(|text| contract::GoldAnswer {
                    text: (*text).into(),
                    start: None,
                })
                .collect(),
        };
        let asked = "Context: the dogs ran\n\nQuestion: who ran?\n\nAnswer:";
        check(
            false,
            question(&["dogs"]),
            &[&format!("{asked}[ dogs<|endoftext|>]")],
        );
        check(
            false,
            question(&[]),
            &[&format!("{asked}[ not in the documents<|endoftext|>]")],
        );
        check(
            true,
            question(&["dogs"]),
            &[&format!(
                "<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n[dogs<|im_end|>]\n"
            )],
        );
    }

    fn talk() -> Vec<Message> {
        vec![
            Message::new(Role::System, "sat"),
            Message::new(Role::User, "a"),
            Message::new(Role::Assistant, "b"),
            Message::new(Role::User, "c"),
            Message {
                trained: false,
                ..Message::new(Role::Assistant, "d")
            },
            Message::new(Role::User, "e"),
            Message::new(Role::Assistant, "f"),
        ]
    }

    #[test]
    fn the_turns_of_the_assistant_are_learnt() {
        check(
            true,
            Lesson::Conversation {
                messages: talk(),
                tools: None,
            },
            &[
                "<|im_start|>system\nsat<|im_end|>\n<|im_start|>user\na<|im_end|>\n\
               <|im_start|>assistant\n[b<|im_end|>]\n<|im_start|>user\nc<|im_end|>\n\
               <|im_start|>assistant\nd<|im_end|>\n<|im_start|>user\ne<|im_end|>\n\
               <|im_start|>assistant\n[f<|im_end|>]\n",
            ],
        );
    }

    fn with_template(template: &str) -> TextTokenizer {
        let folder = tempfile::tempdir().unwrap();
        let recipe = VocabularyRecipe {
            size: 300,
            conversations: true,
            ..VocabularyRecipe::default()
        };
        let vocabulary = Vocabulary::learn(std::iter::empty(), &recipe).unwrap();
        vocabulary.save(folder.path()).unwrap();
        let path = folder.path().join("tokenizer_config.json");
        let mut config: Json = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
        config["chat_template"] = template.into();
        fs_err::write(&path, config.to_string()).unwrap();
        TextTokenizer::open(folder.path()).unwrap()
    }

    #[test]
    fn a_template_that_looks_ahead_gives_a_sequence_for_each_answer() {
        // Of the assistant's turns, only the last is written in full.
        let tokenizer = with_template(
            "{% for m in messages %}{{ m.role[0] }}{% if loop.last or m.role == 'user' %}\
             {{ ':' + m.content }}{% endif %}|{% endfor %}{% if add_generation_prompt %}a:{% endif %}",
        );
        let lesson = Lesson::Conversation {
            messages: talk()[1..].to_vec(),
            tools: None,
        };
        let made = sequences(&[example(lesson)], &tokenizer, &SequenceOptions::new(99)).unwrap();
        assert_eq!(
            shown(&tokenizer, &made.sequences),
            ["u:a|a:[b|]", "u:a|a|u:c|a|u:e|a:[f|]"]
        );
        assert_eq!(made.from, [0, 0]);
    }

    #[test]
    fn tools_and_calls_reach_the_template() {
        let tokenizer = with_template(
            "{% for tool in tools or [] %}{{ tool.function.name }};{% endfor %}\
             {% for m in messages %}{{ m.role[0] }}:{{ m.content }}\
             {% for call in m.tool_calls or [] %}{{ call.function.arguments.x }}{% endfor %}|{% endfor %}\
             {% if add_generation_prompt %}a:{% endif %}",
        );
        let call = ToolCall {
            name: "f".into(),
            arguments: "{\"x\":7}".into(),
        };
        let lesson = Lesson::Conversation {
            messages: vec![
                Message::new(Role::User, "q"),
                Message {
                    calls: vec![call],
                    ..Message::new(Role::Assistant, "")
                },
            ],
            tools: Some("[{\"name\":\"f\"}]".into()),
        };
        let made = sequences(&[example(lesson)], &tokenizer, &SequenceOptions::new(99)).unwrap();
        assert_eq!(shown(&tokenizer, &made.sequences), ["f;u:q|a:[7|]"]);
    }

    #[test]
    fn what_is_too_long_is_named_and_an_answer_is_never_cut() {
        let tokenizer = tokenizer(true);
        let examples = [
            completion(&"zebra ".repeat(40), "the cats"),
            completion("a", "b"),
            completion("a", &"zebra ".repeat(40)),
        ];
        let mut options = SequenceOptions::new(60);
        let made = sequences(&examples, &tokenizer, &options).unwrap();
        assert_eq!((made.sequences.len(), made.left_out.len()), (1, 2));
        options.overlong = Overlong::CutPrompt;
        let made = sequences(&examples, &tokenizer, &options).unwrap();
        assert_eq!(
            (made.from, made.left_out.len(), made.cut.len()),
            (vec![0, 1], 1, 1)
        );
        let text = &shown(&tokenizer, &made.sequences)[0];
        assert!(text.starts_with("<|im_start|>user\nzebra zebra"), "{text}");
        assert!(
            text.ends_with("<|im_start|>assistant\n[the cats<|im_end|>]\n"),
            "{text}"
        );
        assert!((57..=60).contains(&made.sequences.get(0).ids.len()));
        let error = sequences(&examples[2..], &tokenizer, &options).unwrap_err();
        assert!(error.to_string().contains("more than the 60"), "{error}");
    }

    #[test]
    fn without_a_template_a_longer_conversation_is_left_out() {
        let tokenizer = tokenizer(false);
        let short = Lesson::Conversation {
            messages: talk()[1..3].to_vec(),
            tools: None,
        };
        let long = Lesson::Conversation {
            messages: talk(),
            tools: None,
        };
        let made = sequences(
            &[example(short), example(long)],
            &tokenizer,
            &SequenceOptions::new(99),
        )
        .unwrap();
        assert_eq!(shown(&tokenizer, &made.sequences), ["a\n[b<|endoftext|>]"]);
        assert_eq!(made.left_out[0].why, Why::NoTemplate);
    }

    #[test]
    fn a_preference_is_two_answers_to_one_prompt() {
        let lesson = Lesson::Preference {
            prompt: vec![Message::new(Role::User, "a")],
            chosen: "b".into(),
            rejected: "cats".into(),
        };
        for (conversations, before, after) in [
            (false, "a\n[", "<|endoftext|>]"),
            (
                true,
                "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[",
                "<|im_end|>]\n",
            ),
        ] {
            let tokenizer = tokenizer(conversations);
            let made = preferences(
                &[example(lesson.clone())],
                &tokenizer,
                &SequenceOptions::new(99),
            )
            .unwrap();
            assert_eq!(
                shown(&tokenizer, &made.chosen),
                [format!("{before}b{after}")]
            );
            assert_eq!(
                shown(&tokenizer, &made.rejected),
                [format!("{before}cats{after}")]
            );
        }
        assert!(
            preferences(
                &[completion("a", "b")],
                &tokenizer(true),
                &SequenceOptions::new(99)
            )
            .is_err()
        );
    }
}
