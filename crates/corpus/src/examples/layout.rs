//! How files lay out their examples: which layouts there are, what each needs, and which
//! one a record is in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::record::Names;

macro_rules! layouts {
    ($($(#[$doc:meta])* $variant:ident $name:literal [$($field:literal),*]),* $(,)?) => {
        /// How a file lays out its examples.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Layout {
            $($(#[$doc])* $variant),*
        }

        impl Layout {
            /// All layouts.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns its name, as in recipes and on the command line.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Returns the fields that it knows, by the names that `fields` gives them.
            pub fn fields(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($field),*]),* }
            }
        }
    };
}

layouts! {
    /// `{text}`: one text a record.
    Text "text" ["text"],
    /// `{prompt, completion}`, with `system` if there is one.
    Completion "completion" ["prompt", "completion", "system"],
    /// `{messages: [{role, content}]}`, as OpenAI has it; `tools` beside it.
    Messages "messages" ["messages", "tools", "system"],
    /// `{instruction, input, output}`, with `system` and `history` if they are there.
    Alpaca "alpaca" ["instruction", "input", "output", "system", "history"],
    /// `{conversations: [{from, value}]}`; `tools` and `system` beside it.
    Sharegpt "sharegpt" ["conversations", "tools", "system"],
    /// `{prompt, chosen, rejected}`, each a text or turns.
    Preference "preference" ["prompt", "chosen", "rejected", "system"],
    /// `{text, label}` or `{text, labels: […]}`.
    Labelled "labelled" ["text", "label", "labels"],
    /// `{tokens: […], tags: […]}`.
    Tagged "tagged" ["tokens", "tags"],
    /// `{data: [{paragraphs: [{context, qas}]}]}`: the file of SQuAD.
    Squad "squad" [],
    /// `{question, context, answers, is_impossible}`, one a record.
    Question "question" ["question", "context", "answers", "answer_start", "is_impossible", "passage_id"],
    /// `{table, paragraphs, questions: [{question, answer}]}`, as TAT-QA has it.
    TableQuestions "table_questions" ["table", "paragraphs", "questions"],
    /// `{question, answer}`: what an FAQ says.
    Faq "faq" ["question", "answer"],
    /// `{text1, text2, score}` or `{text1, text2, label}`.
    Pair "pair" ["text1", "text2", "score", "label"],
    /// `{query, positive, negatives}`.
    Contrast "contrast" ["query", "positive", "negatives"],
    /// `{source, summary}` or `{source, summaries: […]}`.
    Summary "summary" ["source", "summary"],
    /// `{text, intent, slots: [{slot, value, start}]}`: the answer is the JSON of both.
    Intent "intent" ["text", "intent", "slots"],
    /// `{mr, ref}`: a meaning, and a text that says it.
    Meaning "meaning" ["mr", "ref"],
    /// `{documents: [{id, content}]}`.
    KnowledgeBase "knowledge_base" [],
    /// A file of text or of any format that documents come in: each document is one text.
    Document "document" [],
    /// A file of text: what blank lines divide is one text each.
    Paragraphs "paragraphs" [],
    /// A file of text: each line that is not blank is one text.
    Lines "lines" [],
}

/// A name that is no layout's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no layout of examples{}", hint(.nearest, .known))]
pub struct UnknownLayout {
    /// What was named.
    pub found: String,
    /// What was probably meant.
    pub nearest: Option<&'static str>,
    /// The layouts there are.
    pub known: String,
}

fn hint(nearest: &Option<&str>, known: &str) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => format!("; there are {known}"),
    }
}

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let names = || Self::ALL.iter().map(|layout| layout.as_str());
        Self::ALL
            .iter()
            .find(|layout| layout.as_str() == name)
            .copied()
            .ok_or_else(|| UnknownLayout {
                found: name.to_owned(),
                nearest: contract::nearest(name, names()),
                known: names().collect::<Vec<_>>().join(", "),
            })
    }
}

impl TryFrom<String> for Layout {
    type Error = UnknownLayout;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Layout> for String {
    fn from(layout: Layout) -> Self {
        layout.as_str().to_owned()
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Layout {
    /// Returns what a record of this layout has to have, in words.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text => "`text`",
            Self::Completion => "`prompt` and `completion`",
            Self::Messages => "`messages`, a list of turns with `role` and `content`",
            Self::Alpaca => "`instruction` and `output`, and `input` if there is one",
            Self::Sharegpt => "`conversations`, a list of turns with `from` and `value`",
            Self::Preference => "`prompt`, `chosen` and `rejected`",
            Self::Labelled => "`text` and `label`, or `text` and a list of `labels`",
            Self::Tagged => "`tokens` and `tags`, two lists of one length",
            Self::Squad => "`data`, a list of articles with `paragraphs`",
            Self::Question => "`question` and `answers`, and `context` or `passage_id`",
            Self::TableQuestions => "`table`, `paragraphs` and `questions`",
            Self::Faq => "`question` and `answer`",
            Self::Pair => "`text1`, `text2`, and `score` or `label`",
            Self::Contrast => "`query` and `positive`, and `negatives` if there are any",
            Self::Summary => "`source`, and `summary` or a list of `summaries`",
            Self::Intent => "`text`, `intent`, and `slots`, a list",
            Self::Meaning => "`mr` and `ref`",
            Self::KnowledgeBase => "`documents`, a list of objects with `content`",
            Self::Document | Self::Paragraphs | Self::Lines => "text",
        }
    }

    /// Returns the layout of a record, if it is in one that is known: by which fields
    /// there are, the most telling first.
    pub(super) fn of(record: &Map<String, Json>, names: &Names) -> Option<Self> {
        let find = |field: &str| {
            names
                .of(field)
                .find_map(|name| record.get(name))
                .filter(|value| !value.is_null())
        };
        let has = |field: &str| find(field).is_some();
        let list = |field: &str| find(field).is_some_and(Json::is_array);
        let text = |field: &str| find(field).is_some_and(Json::is_string);
        let turns_have = |field: &str, key: &str| {
            find(field)
                .and_then(Json::as_array)
                .and_then(|turns| turns.first())
                .is_some_and(|turn| turn.get(key).is_some())
        };
        let found = [
            (Self::Preference, has("chosen") && has("rejected")),
            (
                Self::Sharegpt,
                turns_have("conversations", "from") || turns_have("messages", "from"),
            ),
            (
                Self::Messages,
                turns_have("messages", "role") || turns_have("conversations", "role"),
            ),
            (Self::Alpaca, text("instruction") && has("output")),
            (
                Self::Intent,
                text("text") && text("intent") && list("slots"),
            ),
            (Self::Tagged, list("tokens") && list("tags")),
            (Self::Meaning, text("mr") && text("ref")),
            (Self::TableQuestions, list("table") && list("questions")),
            (Self::Completion, text("prompt") && has("completion")),
            (Self::Summary, text("source") && has("summary")),
            (
                Self::Question,
                text("question")
                    && (has("answers")
                        || has("is_impossible")
                        || (has("context") && has("answer"))),
            ),
            (Self::Contrast, text("query") && has("positive")),
            (
                Self::Pair,
                text("text1") && text("text2") && (has("score") || has("label")),
            ),
            (Self::Faq, text("question") && has("answer")),
            (
                Self::Labelled,
                text("text") && (has("label") || has("labels")),
            ),
            (Self::Text, text("text")),
        ];
        found
            .into_iter()
            .find(|(_, fits)| *fits)
            .map(|(layout, _)| layout)
    }
}
