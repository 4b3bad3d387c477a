//! What a team says about its project: every answer may be missing, for "we do not know" is a
//! legitimate one.
//!
//! Each choice has one word, the same in a file, in a flag and at the prompt.

use serde::Serialize;

/// One of the words that answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub means: &'static str,
}

macro_rules! choice {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $word:literal, $means:literal;)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = $means] $variant),+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Their words, in the same order.
            pub const CHOICES: &'static [Choice] =
                &[$(Choice { word: $word, means: $means }),+];

            /// Returns its word.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}

choice! {
    /// What the model lacks.
    Need {
        Knowledge = "knowledge", "It lacks facts: what stands in your documents.";
        Behaviour = "behaviour", "It knows enough, but must act differently: tone, format, task.";
        Both = "both", "It lacks facts, and must act differently too.";
    }
}

choice! {
    /// How often something happens. In order, the rarest first.
    Pace {
        Never = "never", "Once written, it stays.";
        Yearly = "yearly", "About once a year.";
        Quarterly = "quarterly", "A few times a year.";
        Monthly = "monthly", "About once a month.";
        Weekly = "weekly", "About once a week.";
        Daily = "daily", "Every day.";
        Live = "live", "All the time: prices, stocks, news, records.";
    }
}

impl Pace {
    /// Returns how often that is in a year; all the time is taken for once an hour.
    pub fn per_year(self) -> f64 {
        match self {
            Self::Never => 0.0,
            Self::Yearly => 1.0,
            Self::Quarterly => 4.0,
            Self::Monthly => 12.0,
            Self::Weekly => 52.0,
            Self::Daily => 365.0,
            Self::Live => 8760.0,
        }
    }

    /// Returns whether the sources would say "stable, rarely changes". They give no number;
    /// once a year or less is ours.
    pub fn is_stable(self) -> bool {
        self <= Self::Yearly
    }

    /// Returns whether the sources would say "changes frequently". They give no number; once a
    /// month or more is ours.
    pub fn is_frequent(self) -> bool {
        self >= Self::Monthly
    }
}

choice! {
    /// What the model mostly does.
    Task {
        Questions = "questions", "Answers questions.";
        Search = "search", "Finds documents, or passages in them.";
        Summarise = "summarise", "Makes long texts short.";
        Classify = "classify", "Says which label a text has: topic, sentiment, moderation.";
        Extract = "extract", "Marks names, amounts or clauses in a text.";
        Infer = "infer", "Says whether one text follows from another.";
        Converse = "converse", "Holds a conversation.";
        Write = "write", "Writes freely: stories, scripts, advertising.";
        Draft = "draft", "Writes documents of a set kind: contracts, reports.";
        Code = "code", "Writes programs, or queries.";
    }
}

impl Task {
    /// Returns whether it is a fixed, structured task, whose answers come from a closed form.
    pub fn is_fixed(self) -> bool {
        matches!(
            self,
            Self::Classify | Self::Extract | Self::Infer | Self::Code
        )
    }
}

choice! {
    /// How far the knowledge reaches that is asked for.
    Domain {
        Broad = "broad", "General knowledge is enough.";
        Deep = "deep", "Deep knowledge of one field, with its terms and its ways to reason.";
    }
}

choice! {
    /// How well the model does the task as it is.
    BaseModel {
        Good = "good", "It already performs well.";
        LacksLanguage = "lacks-language", "It stumbles over vocabulary, slang or style.";
        LacksReasoning = "lacks-reasoning", "It fails to reason in this field.";
    }
}

choice! {
    /// What came of trying something cheaper.
    Trial {
        NotTried = "not-tried", "Nobody has tried it yet.";
        NotEnough = "not-enough", "It was tried, and measured, and is not good enough.";
        Enough = "enough", "It was tried, and measured, and is good enough.";
    }
}

choice! {
    /// Where it runs.
    RunsOn {
        Connected = "connected", "On a machine with a network.";
        Offline = "offline", "Without a network, on a machine with a disk.";
        Embedded = "embedded", "In a device that has no room for an index of documents.";
    }
}

/// What a team says about its project. Nothing: it does not know.
///
/// Set by [`super::question::set`], which reads what people write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// What the model lacks.
    pub need: Option<Need>,
    /// How often the facts change.
    pub changes: Option<Pace>,
    /// Whether answers must have one strict format.
    pub strict_format: Option<bool>,
    /// What may be spent, in US dollars.
    pub budget_usd: Option<f64>,
    /// The most that an answer may take, in milliseconds.
    pub latency_ms: Option<f64>,
    /// What came of prompting alone.
    pub prompt: Option<Trial>,
    /// What came of retrieval.
    pub rag: Option<Trial>,
    /// How often answers must catch up with changes.
    pub updates: Option<Pace>,
    /// How far the knowledge reaches.
    pub domain: Option<Domain>,
    /// Examples to learn from.
    pub examples: Option<f64>,
    /// Whether they are well labelled and clean.
    pub examples_good: Option<bool>,
    /// Documents to retrieve from.
    pub documents: Option<f64>,
    /// Their text, in bytes.
    pub document_bytes: Option<f64>,
    /// What the model mostly does.
    pub task: Option<Task>,
    /// Whether it must have a tone of its own.
    pub tone: Option<bool>,
    /// Whether an answer must be traceable to a source.
    pub grounding: Option<bool>,
    /// Whether rarely used facts are asked for.
    pub rare_facts: Option<bool>,
    /// How well the model does the task as it is.
    pub base_model: Option<BaseModel>,
    /// Where it runs.
    pub runs_on: Option<RunsOn>,
    /// Questions kept for measuring, with their answers.
    pub held_out: Option<f64>,
    /// When it has to stand, in days.
    pub timeline_days: Option<f64>,
    /// Numbers in the model that would be trained.
    pub parameters: Option<f64>,
    /// Tokens of an example, in the mean.
    pub tokens_per_example: Option<f64>,
    /// Graphics processors to train on; 0: this machine's processor alone.
    pub gpus: Option<f64>,
    /// Memory of one of them, or of the machine if there is none, in bytes.
    pub memory_bytes: Option<f64>,
    /// What an hour of one of them, or of the machine, costs, in US dollars.
    pub hour_usd: Option<f64>,
}
