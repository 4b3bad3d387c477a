//! What follows from an audit: a verdict for each criterion, and what to do.

use std::fmt;
use std::str::FromStr;

use contract::LessonKind;
use corpus::examples::PersonalKind;
use serde::Serialize;

use super::Audit;

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// Whether there is enough.
    Size,
    /// Whether all records could be read.
    Records,
    /// Whether some are much longer than others.
    Length,
    /// Whether the same is said more than once.
    Duplicates,
    /// Whether the same text has different labels.
    Conflicts,
    /// Whether another set asks the same.
    Leakage,
    /// Whether the examples differ.
    Diversity,
    /// Whether each hangs together.
    Coherence,
    /// Whether they are about the documents.
    Relevance,
    /// Whether they are in one language.
    Language,
    /// Whether there is personal data.
    Personal,
    /// Whether the labels are in balance.
    Labels,
}

impl Criterion {
    /// The criteria by which a set can be filtered.
    pub const FILTERED: [Self; 5] = [
        Self::Duplicates,
        Self::Conflicts,
        Self::Leakage,
        Self::Coherence,
        Self::Personal,
    ];

    /// Returns its name, as on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Records => "records",
            Self::Length => "length",
            Self::Duplicates => "duplicates",
            Self::Conflicts => "conflicts",
            Self::Leakage => "leakage",
            Self::Diversity => "diversity",
            Self::Coherence => "coherence",
            Self::Relevance => "relevance",
            Self::Language => "language",
            Self::Personal => "personal",
            Self::Labels => "labels",
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Criterion {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::FILTERED
            .into_iter()
            .find(|criterion| criterion.as_str() == name)
            .ok_or_else(|| {
                let known = Self::FILTERED.map(Self::as_str).join(", ");
                format!("nothing is left out by `{name}`; there are {known}")
            })
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to do.
    Good,
    /// Worth a look.
    Look,
    /// To be mended before training.
    Act,
}

impl Verdict {
    /// Returns the word for it, as on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Act => "act",
        }
    }
}

/// What one criterion comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was judged.
    pub criterion: Criterion,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was seen.
    pub says: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// Returns a number, with commas between thousands.
fn thousands(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Returns a number of things, and what they are.
fn count(number: impl TryInto<u64> + Copy, thing: &str) -> String {
    match thousands(number) {
        one if one == "1" => format!("1 {thing}"),
        some => format!("{some} {thing}s"),
    }
}

/// Returns what was measured, by name.
fn measured<const N: usize>(values: [(&str, Option<f64>); N]) -> String {
    let known = values
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name} {value:.2}")));
    known.collect::<Vec<_>>().join(", ")
}

/// Returns the verdict on a share that is better small.
fn by_share(part: usize, all: usize, look: f64, act: f64) -> Verdict {
    let share = part as f64 / all.max(1) as f64;
    match share {
        _ if part == 0 || share < look => Verdict::Good,
        _ if share < act => Verdict::Look,
        _ => Verdict::Act,
    }
}

pub(super) fn findings(audit: &Audit) -> Vec<Finding> {
    use Verdict::{Act, Good, Look};
    let all = audit.size.examples;
    let mut findings = Vec::new();
    let mut add = |criterion, verdict, says: String, advice: &str| {
        let advice = (verdict != Good && !advice.is_empty()).then(|| advice.to_owned());
        findings.push(Finding {
            criterion,
            verdict,
            says,
            advice,
        });
    };

    let texts_only = audit.kinds.len() == 1 && audit.kinds.contains_key("text");
    let enough = match (texts_only, all, audit.size.words) {
        (true, _, 100_000..) | (false, 500.., _) => Good,
        (true, _, 10_000..) | (false, 50.., _) => Look,
        _ => Act,
    };
    let tokens = audit
        .size
        .tokens
        .map(|it| format!(", {}", count(it, "token")));
    add(
        Criterion::Size,
        enough,
        format!(
            "{}, {}{}",
            count(all, "example"),
            count(audit.size.words, "word"),
            tokens.unwrap_or_default()
        ),
        "a small set is soon learnt by heart: add examples, watch the development loss, or \
         give the examples in the prompt instead of training",
    );

    let refused: usize = audit.files.iter().map(|file| file.refused).sum();
    let unanswered = match audit.unanswered {
        0 => String::new(),
        some => format!(
            ", {} of them without a prompt or an answer",
            thousands(some)
        ),
    };
    add(
        Criterion::Records,
        by_share(refused, all + refused, 0.0, 0.05),
        format!(
            "{} of {} refused{unanswered}",
            thousands(refused),
            thousands(all + refused)
        ),
        "mend the records that are named, or leave them out",
    );

    let lengths = &audit.lengths;
    let outliers = lengths.max > lengths.p95.saturating_mul(4).max(64);
    add(
        Criterion::Length,
        if outliers { Look } else { Good },
        match all {
            1 => format!("{} {}", thousands(lengths.max), lengths.unit),
            _ => format!(
                "half have at most {} {}, 95 % at most {}, the longest {}",
                thousands(lengths.p50),
                lengths.unit,
                thousands(lengths.p95),
                thousands(lengths.max)
            ),
        },
        "a few examples are far longer than the others: what is longer than the model reads \
         is left out of training",
    );

    let duplicates = &audit.duplicates;
    let twice = duplicates.exact + duplicates.near;
    add(
        Criterion::Duplicates,
        by_share(twice, all, 0.01, 0.1),
        format!(
            "{} exact, {} near",
            thousands(duplicates.exact),
            thousands(duplicates.near)
        ),
        "what is said twice counts twice: leave the repetitions out with `--filter`",
    );

    let decided = [LessonKind::Labelled, LessonKind::Tagged, LessonKind::Pair];
    if decided
        .iter()
        .any(|kind| audit.kinds.contains_key(kind.as_str()))
    {
        let conflicts = &audit.conflicts;
        add(
            Criterion::Conflicts,
            by_share(conflicts.examples, all, 0.0, 0.02),
            match conflicts.texts {
                0 => "no text has two labels".into(),
                texts => format!(
                    "{} with different labels, in {}",
                    count(texts, "text"),
                    count(conflicts.examples, "example")
                ),
            },
            "decide which label is right, or leave all of them out with `--filter`",
        );
    }

    if let Some(leakage) = &audit.leakage {
        let shared = leakage.exact + leakage.near;
        add(
            Criterion::Leakage,
            match (leakage.exact, leakage.near) {
                (0, 0) => Good,
                (0, _) => Look,
                _ => Act,
            },
            format!(
                "{} of {} are in the other set too: {} the same, {} nearly",
                thousands(shared),
                thousands(all),
                thousands(leakage.exact),
                thousands(leakage.near)
            ),
            "what is tested must not be learnt: leave it out with `--filter`, or split both \
             together with `groundtune data split`",
        );
    }

    let diversity = &audit.diversity;
    let narrow = diversity.distinct_2.is_some_and(|it| it < 0.25)
        || diversity.self_similarity.is_some_and(|it| it > 0.6);
    add(
        Criterion::Diversity,
        if narrow { Look } else { Good },
        measured([
            ("different words", diversity.type_token),
            ("pairs", diversity.distinct_2),
            ("triples", diversity.distinct_3),
            ("likeness of two examples", diversity.self_similarity),
        ]),
        "the examples are much alike: a model may learn their form and little else",
    );

    let coherence = &audit.coherence;
    add(
        Criterion::Coherence,
        by_share(coherence.repetitive, all, 0.005, 0.05),
        [
            match coherence.repetitive {
                0 => "no example repeats itself".to_owned(),
                1 => "1 example repeats itself".to_owned(),
                some => format!("{} examples repeat themselves", thousands(some)),
            },
            measured([("likeness of neighbouring sentences", coherence.neighbours)]),
        ]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("; "),
        "a model learns to repeat itself from them: leave them out with `--filter`",
    );

    if let Some(relevance) = &audit.relevance {
        let verdict = match relevance.about {
            0.8.. => Good,
            0.4.. => Look,
            _ => Act,
        };
        add(
            Criterion::Relevance,
            verdict,
            format!(
                "{:.0} % of {} are about what the documents are about",
                relevance.about * 100.0,
                count(relevance.examples, "example")
            ),
            "many examples are about other matters than the documents",
        );
    }

    let mut languages: Vec<(&String, usize)> = audit
        .languages
        .iter()
        .map(|(language, count)| (language, *count))
        .collect();
    languages.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    // Short examples have too few words to tell by.
    let told: usize = languages
        .iter()
        .filter(|it| *it.0 != "unknown")
        .map(|it| it.1)
        .sum();
    let most = languages
        .iter()
        .filter(|it| *it.0 != "unknown")
        .map(|it| it.1)
        .max();
    let shown = languages.iter().take(4).map(|(language, count)| {
        match *count as f64 * 100.0 / all as f64 {
            share if share < 1.0 => format!("{language} below 1 %"),
            share => format!("{language} {share:.0} %"),
        }
    });
    add(
        Criterion::Language,
        by_share(told - most.unwrap_or(0), told, 0.05, 2.0),
        shown.collect::<Vec<_>>().join(", "),
        "several languages: make sure that all of them are wanted",
    );

    let personal = &audit.personal;
    let kinds = personal.kinds.iter().map(|(kind, count)| {
        format!("{} with a {}", thousands(*count), kind.as_str())
            .replace("a e-mail", "an e-mail")
            .replace("a IP", "an IP")
    });
    let grave = personal.kinds.keys().any(|kind| {
        matches!(
            kind,
            PersonalKind::Secret
                | PersonalKind::Card
                | PersonalKind::Iban
                | PersonalKind::SocialSecurity
        )
    });
    add(
        Criterion::Personal,
        match (personal.examples, grave) {
            (0, _) => Good,
            (_, false) => Look,
            (_, true) => Act,
        },
        match personal.examples {
            0 => "none found".into(),
            _ => kinds.collect::<Vec<_>>().join(", "),
        },
        "a model can say again what it has learnt: leave such examples out with `--filter`, or \
         replace the data",
    );

    if let Some(labels) = &audit.labels {
        let verdict = match (labels.counts.len(), labels.most, labels.least) {
            (1, ..) => Act,
            (_, most, least) if least < 8 || most > 20 * least => Look,
            _ => Good,
        };
        add(
            Criterion::Labels,
            verdict,
            format!(
                "{}, from {} to {} examples each",
                count(labels.counts.len(), "label"),
                thousands(labels.least),
                thousands(labels.most)
            ),
            match labels.counts.len() {
                1 => "all examples have one label: there is nothing to tell apart",
                _ => {
                    "add examples of the rare labels, and judge by macro F1 rather than by accuracy"
                }
            },
        );
    }
    findings
}
