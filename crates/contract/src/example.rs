//! An example: one thing that a model is to learn, or to be asked.
//!
//! What files call a dataset's rows (alpaca, ShareGPT, SQuAD, …) become one [`Lesson`]
//! each, whatever the file's layout; what knows a lesson knows no layout.

use serde::{Deserialize, Serialize};

use crate::QuestionId;

/// One example, with what keeps it apart from others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Who it is: the record's own id, or its file and line (`train.jsonl:12`).
    pub id: QuestionId,
    /// The passage, page or record that it was made from. Examples of one passage never
    /// stand on two sides of a split.
    pub passage: Option<PassageId>,
    /// The document that it is about: a file's path, or what else it is called. Other examples may
    /// be about the same, and stand on another side of a split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// What there is to learn.
    pub lesson: Lesson,
}

/// What examples were made from: a passage of a text, a page, a meaning that several
/// texts were written for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PassageId(pub String);

/// What an example teaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Lesson {
    /// A text to go on with: every token of it is learnt.
    Text {
        /// The text.
        text: String,
    },
    /// What follows a prompt; only that is learnt.
    Completion {
        /// What the model is told before the prompt.
        system: Option<String>,
        /// What it is asked.
        prompt: String,
        /// What it is to say.
        completion: String,
    },
    /// A conversation; the [`Message`]s that are `trained` are learnt.
    Conversation {
        /// The turns, in order. The first may be the system's.
        messages: Vec<Message>,
        /// What the model may call: a JSON list, as the chat template takes it.
        tools: Option<String>,
    },
    /// Of two answers, the one that is liked better.
    Preference {
        /// The turns before the answer, the last of them not the assistant's.
        prompt: Vec<Message>,
        /// The better answer.
        chosen: String,
        /// The other.
        rejected: String,
    },
    /// A text and what it is about.
    Labelled {
        /// The text.
        text: String,
        /// Its labels.
        labels: Labels,
    },
    /// Words, each with its tag (`B-person`, `I-person`, `O`).
    Tagged {
        /// The words; never empty.
        tokens: Vec<String>,
        /// As many tags.
        tags: Vec<String>,
    },
    /// A question about a passage.
    Question {
        /// The question.
        question: String,
        /// The text that it is asked of, if the file has it.
        context: Option<String>,
        /// What counts as right, the best first. None: the context does not say.
        answers: Vec<GoldAnswer>,
    },
    /// Two texts, and how they go together.
    Pair {
        /// The first text; of a search, the question.
        first: String,
        /// The second; of a search, the passage.
        second: String,
        /// How they go together.
        judgement: Judgement,
    },
    /// A question and the passages that are to be near it, and far from it.
    Contrast {
        /// The question.
        query: String,
        /// A passage that belongs to it.
        positive: String,
        /// Passages that do not, though they look like it; often none.
        negatives: Vec<String>,
    },
}

/// A turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Whose turn it is.
    pub role: Role,
    /// What is said; empty where the assistant only calls tools.
    pub content: String,
    /// What the assistant calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// Whether the model learns to say it. Only an assistant's turn is ever learnt.
    pub trained: bool,
}

impl Message {
    /// Returns a turn without calls; an assistant's is learnt.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            calls: Vec::new(),
            trained: role == Role::Assistant,
        }
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Who says how the model is to be.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
    /// What a tool answers.
    Tool,
}

impl Role {
    /// Returns its name as chat templates have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// A tool that the assistant calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// What it is given: a JSON object.
    pub arguments: String,
}

/// The labels of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// Exactly one of several that exclude each other.
    One(String),
    /// Any number, none too.
    Several(Vec<String>),
}

impl Labels {
    /// Returns the labels in order.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(label) => std::slice::from_ref(label),
            Self::Several(labels) => labels,
        }
    }
}

/// An answer that counts as right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldAnswer {
    /// Its text.
    pub text: String,
    /// The byte of the context at which exactly this text stands, if it stands there.
    pub start: Option<usize>,
}

/// How two texts go together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// By a number; finite, its range is the file's.
    Score(f32),
    /// By a name (`entailment`).
    Label(String),
}

/// A lesson's kind, to count and to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LessonKind {
    /// [`Lesson::Text`].
    Text,
    /// [`Lesson::Completion`].
    Completion,
    /// [`Lesson::Conversation`].
    Conversation,
    /// [`Lesson::Preference`].
    Preference,
    /// [`Lesson::Labelled`].
    Labelled,
    /// [`Lesson::Tagged`].
    Tagged,
    /// [`Lesson::Question`].
    Question,
    /// [`Lesson::Pair`].
    Pair,
    /// [`Lesson::Contrast`].
    Contrast,
}

impl LessonKind {
    /// Returns its name, as in files and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Completion => "completion",
            Self::Conversation => "conversation",
            Self::Preference => "preference",
            Self::Labelled => "labelled",
            Self::Tagged => "tagged",
            Self::Question => "question",
            Self::Pair => "pair",
            Self::Contrast => "contrast",
        }
    }
}

impl std::fmt::Display for LessonKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Lesson {
    /// Returns its kind.
    pub fn kind(&self) -> LessonKind {
        match self {
            Self::Text { .. } => LessonKind::Text,
            Self::Completion { .. } => LessonKind::Completion,
            Self::Conversation { .. } => LessonKind::Conversation,
            Self::Preference { .. } => LessonKind::Preference,
            Self::Labelled { .. } => LessonKind::Labelled,
            Self::Tagged { .. } => LessonKind::Tagged,
            Self::Question { .. } => LessonKind::Question,
            Self::Pair { .. } => LessonKind::Pair,
            Self::Contrast { .. } => LessonKind::Contrast,
        }
    }

    /// Returns what the model is given: all that comes before what it is to learn or to
    /// find. Two examples with the same input ask the same. A text is its own input; of
    /// a question, the context is no part.
    pub fn input(&self) -> String {
        match self {
            Self::Text { text } | Self::Labelled { text, .. } => text.clone(),
            Self::Completion { system, prompt, .. } => match system {
                Some(system) => format!("{system}\n{prompt}"),
                None => prompt.clone(),
            },
            Self::Conversation { messages, .. } => {
                let answer = messages.iter().rposition(|message| message.trained);
                joined(&messages[..answer.unwrap_or(messages.len())])
            }
            Self::Preference { prompt, .. } => joined(prompt),
            Self::Tagged { tokens, .. } => tokens.join(" "),
            Self::Question { question, .. } => question.clone(),
            Self::Pair { first, second, .. } => format!("{first}\n{second}"),
            Self::Contrast { query, .. } => query.clone(),
        }
    }

    /// Returns what the model is to say or to find, as text: the completion, the last
    /// answer of a conversation, the labels. A text teaches itself and has none.
    pub fn target(&self) -> String {
        match self {
            Self::Text { .. } => String::new(),
            Self::Completion { completion, .. } => completion.clone(),
            Self::Conversation { messages, .. } => messages
                .iter()
                .rfind(|message| message.trained)
                .map(said)
                .unwrap_or_default(),
            Self::Preference { chosen, .. } => chosen.clone(),
            Self::Labelled { labels, .. } => labels.as_slice().join(", "),
            Self::Tagged { tags, .. } => tags.join(" "),
            Self::Question { answers, .. } => answers
                .first()
                .map(|answer| answer.text.clone())
                .unwrap_or_default(),
            Self::Pair { judgement, .. } => match judgement {
                Judgement::Score(score) => score.to_string(),
                Judgement::Label(label) => label.clone(),
            },
            Self::Contrast { positive, .. } => positive.clone(),
        }
    }

    /// Returns the name by which examples are kept in proportion when they are split: the
    /// only label, or else the first; of a question, whether there is an answer.
    pub fn stratum(&self) -> &str {
        match self {
            Self::Labelled { labels, .. } => labels.as_slice().first().map_or("", |label| label),
            Self::Pair {
                judgement: Judgement::Label(label),
                ..
            } => label,
            Self::Question { answers, .. } if answers.is_empty() => "unanswerable",
            _ => "",
        }
    }
}

fn joined(messages: &[Message]) -> String {
    messages.iter().map(said).collect::<Vec<_>>().join("\n")
}

/// Returns what a turn says, its calls too.
fn said(message: &Message) -> String {
    let calls = message
        .calls
        .iter()
        .map(|call| format!("{}({})", call.name, call.arguments));
    std::iter::once(message.content.clone())
        .filter(|content| !content.is_empty())
        .chain(calls)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_its_last_answer_and_what_came_before() {
        let lesson = Lesson::Conversation {
            messages: vec![
                Message::new(Role::System, "Be brief."),
                Message::new(Role::User, "One?"),
                Message::new(Role::Assistant, "1"),
                Message::new(Role::User, "Two?"),
                Message {
                    calls: vec![ToolCall {
                        name: "count".into(),
                        arguments: "{\"to\":2}".into(),
                    }],
                    ..Message::new(Role::Assistant, "")
                },
            ],
            tools: None,
        };
        assert_eq!(lesson.input(), "Be brief.\nOne?\n1\nTwo?");
        assert_eq!(lesson.target(), "count({\"to\":2})");
    }

    #[test]
    fn only_what_an_assistant_says_is_learnt() {
        for role in [Role::System, Role::User, Role::Tool] {
            assert!(!Message::new(role, "x").trained);
        }
        assert!(Message::new(Role::Assistant, "x").trained);
    }
}
