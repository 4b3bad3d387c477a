//! The examination: examples become questions with their right answers, divided once into
//! what may be learnt, what settings are chosen on, and what nobody sees before the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use contract::{Example, Lesson, PassageId, QuestionId, Share, Split, held_out};
use eval::Gold;
use serde::{Deserialize, Serialize};

use super::names::is_tagged;
use super::spans::is_span;
use super::{CompareError, CompareRecipe, Leak, leaks};
use crate::data::Dataset;

/// What kind of answers are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// One of a few labels.
    Label,
    /// A tag for each word: what it is part of.
    Tags,
    /// A JSON value.
    Json,
    /// Some words: a name, a number, a clause.
    Short,
    /// Sentences.
    Long,
}

/// The questions, divided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// What candidates may learn from.
    pub train: Vec<Gold>,
    /// What settings are chosen on.
    pub dev: Vec<Gold>,
    /// What they are examined on.
    pub test: Vec<Gold>,
    /// Where the first right answer stands in the text that its question comes with: its byte,
    /// where the examples say it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub starts: BTreeMap<QuestionId, usize>,
    /// The documents that development questions are about, where the examples name them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: BTreeMap<QuestionId, String>,
    /// What is to be known about the examples before the result is believed.
    pub notes: Vec<ExaminationNote>,
    /// Tells the examples from others.
    pub fingerprint: u64,
}

/// Something about the examples that limits what can be learnt from the comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum ExaminationNote {
    /// So few questions that only large differences can be seen.
    FewQuestions {
        /// How many.
        count: usize,
    },
    /// Too few examples to teach anything from.
    FewLessons {
        /// How many.
        count: usize,
    },
    /// The same question twice.
    Repeated {
        /// How many questions repeat another.
        count: usize,
    },
    /// The same question with different answers.
    Contradicting {
        /// How many questions have more than one answer.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// Questions that are examined and ask nearly the same as another.
    Alike {
        /// How many questions.
        count: usize,
        /// How many they are, if each is counted once.
        different: usize,
    },
    /// Examples that are no question with an answer.
    LeftOut {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// Examples that ask what is examined, so that nobody may learn from them.
    Leaked {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// Files among the documents that hold the examples themselves. They are searched by nobody.
    AmongDocuments {
        /// The files.
        files: Vec<String>,
    },
    /// Documents in which questions stand with their answers.
    GivenAway(Leak),
    /// Records of the files that could not be read.
    Refused {
        /// How many.
        count: usize,
        /// What is wrong with the first.
        first: String,
    },
}

impl std::fmt::Display for ExaminationNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FewQuestions { count } if *count < FEWEST_QUESTIONS => write!(
                f,
                "{} can hardly show a difference, however large: even all right against all wrong may be chance; ask {FEW_QUESTIONS} to know a share to ten points",
                counted(*count, "question")
            ),
            Self::FewQuestions { count } => write!(
                f,
                "{count} questions show only large differences: a share of them is known to about {:.0} points to each side, of {FEW_QUESTIONS} to ten",
                98.0 / (*count as f64).sqrt()
            ),
            Self::FewLessons { count: 0 } => f.write_str("there is nothing to learn from"),
            Self::FewLessons { count } => write!(
                f,
                "{} to learn from: that teaches a format at best; hundreds teach a behaviour",
                counted(*count, "example")
            ),
            Self::Repeated { count } => {
                write!(f, "{count} of the examples repeat another and are left out")
            }
            Self::Contradicting { count, first } => write!(
                f,
                "{count} questions have more than one right answer, each in an example of its own: giving one is wrong where another is asked for; the first: {first}"
            ),
            Self::Alike { count, different } => write!(
                f,
                "{count} of the questions examined are nearly the same as others; intervals count them as {different}"
            ),
            Self::LeftOut { count, first } => write!(
                f,
                "{count} of the examples are no questions with answers and are left out; the first: {first}"
            ),
            Self::Leaked { count, first } => write!(
                f,
                "{count} of the examples ask, word for word or nearly, what is examined, and are not learnt from; the first: {first}"
            ),
            Self::AmongDocuments { files } => write!(
                f,
                "{} among the documents holds the examples themselves, and is searched by nobody: take it out of `[documents] paths`, or name it as `[compare] examples`, and ingest again",
                leaks::some(files)
            ),
            Self::GivenAway(leak) => leak.fmt(f),
            Self::Refused { count, first } => {
                write!(f, "{count} records could not be read; the first: {first}")
            }
        }
    }
}

/// Returns `1 question`, `2 questions`.
fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}

/// Fewer questions than this show only large differences: with 100 of them, the 95 % interval
/// of a share near a half is ten points to each side.
const FEW_QUESTIONS: usize = 100;
/// With fewer than this, five candidates of which one is right on all and the others on none are not
/// told apart: of nine, such an outcome has a chance of 2⁻⁸, and ten pairs are compared.
const FEWEST_QUESTIONS: usize = 9;
/// Fewer examples than this teach a format at best.
const FEW_LESSONS: usize = 50;
/// Answers with more words than this on average are sentences.
const SHORT_ANSWER: f64 = 8.0;
/// More different answers than this are no labels.
const MOST_LABELS: usize = 200;

impl Examination {
    /// Reads the recipe's files and divides what is in them.
    ///
    /// # Errors
    /// If a file cannot be read, or too few questions are left to examine anybody.
    pub fn read(recipe: &CompareRecipe) -> Result<Self, CompareError> {
        if recipe.examples.is_empty() {
            return Err(CompareError::NoExamples);
        }
        let mut notes = Vec::new();
        let (mut set, mut fingerprint) = taken(&recipe.examples, &mut notes)?;
        let all = set.examples.len();
        let sets = if recipe.examination.is_empty() {
            set.split(&Split {
                seed: recipe.seed,
                dev: recipe.dev,
                test: recipe.test,
            })
        } else {
            let (held, of_held) = taken(&recipe.examination, &mut notes)?;
            fingerprint = fingerprint.rotate_left(1) ^ of_held;
            set.examples = without_leaks(set.examples, &held.examples, &mut notes);
            let own = set.split(&Split {
                seed: recipe.seed,
                dev: recipe.dev,
                test: Share::ZERO,
            });
            let (train, dev) = (own.train.examples(), own.dev.examples());
            held_out(train.to_vec(), dev.to_vec(), held.examples).sets
        };
        let mut test: Vec<Gold> = sets.test.examples().iter().filter_map(asked).collect();
        if let Some(most) = recipe.questions {
            test.truncate(most);
        }
        let train: Vec<Gold> = sets.train.examples().iter().filter_map(asked).collect();
        let dev: Vec<Gold> = sets.dev.examples().iter().filter_map(asked).collect();
        count_alike_once(sets.test.examples(), &mut test, &mut notes);
        if test.is_empty() {
            return Err(CompareError::NoQuestions { examples: all });
        }
        if test.len() < FEW_QUESTIONS {
            notes.push(ExaminationNote::FewQuestions { count: test.len() });
        }
        if train.len() < FEW_LESSONS {
            notes.push(ExaminationNote::FewLessons { count: train.len() });
        }
        let about = |it: &Example| Some((it.id.clone(), it.document.clone()?));
        let documents = sets.dev.examples().iter().filter_map(about).collect();
        let learnt = sets.train.examples().iter().chain(sets.dev.examples());
        Ok(Self {
            train,
            dev,
            test,
            starts: learnt.filter_map(start).collect(),
            documents,
            notes,
            fingerprint,
        })
    }

    /// Returns whether questions come with a text in which their answers stand, but for a few.
    pub(super) fn has_spans(&self) -> bool {
        let all = || [&self.train, &self.dev, &self.test].into_iter().flatten();
        let answerable = all().any(|asked| !asked.answers.is_empty());
        let spans = all().filter(|asked| is_span(asked)).count();
        answerable && spans * 10 >= all().count() * 9
    }

    /// Returns what kind of answers are right, as all examples together show.
    pub fn kind(&self) -> AnswerKind {
        let answers: Vec<&str> = [&self.train, &self.dev, &self.test]
            .into_iter()
            .flatten()
            .filter_map(|asked| asked.answers.first().map(String::as_str))
            .collect();
        if answers.is_empty() {
            return AnswerKind::Short;
        }
        let is_json = |answer: &&str| {
            answer.starts_with(['{', '['])
                && serde_json::from_str::<serde_json::Value>(answer).is_ok()
        };
        if answers.iter().all(is_json) {
            return AnswerKind::Json;
        }
        let all = [&self.train, &self.dev, &self.test].into_iter().flatten();
        // A blank within a word takes the tags of a few out of step.
        if all.filter(|asked| is_tagged(asked)).count() * 10 >= answers.len() * 9 {
            return AnswerKind::Tags;
        }
        let different: BTreeSet<&str> = answers.iter().copied().collect();
        // Labels come again and again; other answers hardly ever.
        if different.len() <= MOST_LABELS && different.len() * 4 <= answers.len() {
            return AnswerKind::Label;
        }
        let words: usize = answers
            .iter()
            .map(|answer| answer.split_whitespace().count())
            .sum();
        if words as f64 / answers.len() as f64 > SHORT_ANSWER {
            AnswerKind::Long
        } else {
            AnswerKind::Short
        }
    }
}

/// Returns where the first right answer to an example stands in its context, if it says so.
fn start(example: &Example) -> Option<(QuestionId, usize)> {
    match &example.lesson {
        Lesson::Question { answers, .. } => Some((example.id.clone(), answers.first()?.start?)),
        _ => None,
    }
}

/// Reads files and takes of them what can be asked, each once. Returns that, and what tells the
/// files from others.
fn taken(
    paths: &[PathBuf],
    notes: &mut Vec<ExaminationNote>,
) -> Result<(Dataset, u64), CompareError> {
    let mut set = Dataset::read(paths, &Default::default())?;
    let fingerprint = set.fingerprint();
    if let Some(first) = set.refused.first() {
        notes.push(ExaminationNote::Refused {
            count: set.refused.len(),
            first: first.to_string(),
        });
    }
    let (examples, left_out): (Vec<Example>, Vec<Example>) = std::mem::take(&mut set.examples)
        .into_iter()
        .partition(|example| asked(example).is_some());
    if let Some(first) = left_out.first() {
        notes.push(ExaminationNote::LeftOut {
            count: left_out.len(),
            first: format!("{} is a {}", first.id, first.lesson.kind()),
        });
    }
    let mut seen = BTreeSet::new();
    let all = examples.len();
    set.examples = examples
        .into_iter()
        .filter(|it| seen.insert((it.lesson.input(), it.lesson.target())))
        .collect();
    if set.examples.len() < all {
        notes.push(ExaminationNote::Repeated {
            count: all - set.examples.len(),
        });
    }
    let mut answers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for example in &set.examples {
        // Asked of another passage it may be another question.
        let of_context =
            matches!(&example.lesson, Lesson::Question { context, .. } if context.is_some());
        if !of_context {
            let asked = answers.entry(example.lesson.input()).or_default();
            asked.insert(example.lesson.target());
        }
    }
    let mut contradicting = answers.iter().filter(|(_, said)| said.len() > 1);
    if let Some((first, _)) = contradicting.next() {
        notes.push(ExaminationNote::Contradicting {
            count: 1 + contradicting.count(),
            first: first.clone(),
        });
    }
    Ok((set, fingerprint))
}

/// Lets questions that ask nearly the same count as questions of one passage, which are drawn
/// together: else a question that is there ten times would make ten times as sure.
fn count_alike_once(examples: &[Example], test: &mut [Gold], notes: &mut Vec<ExaminationNote>) {
    let alike = corpus::examples::alike(examples);
    let group: BTreeMap<&str, u32> = examples
        .iter()
        .map(|example| example.id.as_str())
        .zip(alike)
        .collect();
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (place, asked) in test.iter().enumerate() {
        if let (Some(group), None) = (group.get(asked.id.as_str()), &asked.passage) {
            members.entry(*group).or_default().push(place);
        }
    }
    members.retain(|_, members| members.len() > 1);
    for members in members.values() {
        let first = PassageId(format!("as {}", test[members[0]].id));
        for place in members {
            test[*place].passage = Some(first.clone());
        }
    }
    if !members.is_empty() {
        let count: usize = members.values().map(Vec::len).sum();
        notes.push(ExaminationNote::Alike {
            count,
            different: members.len(),
        });
    }
}

/// Returns the examples that do not ask, word for word or nearly, what is examined.
fn without_leaks(
    examples: Vec<Example>,
    examined: &[Example],
    notes: &mut Vec<ExaminationNote>,
) -> Vec<Example> {
    let together: Vec<Example> = examined.iter().chain(&examples).cloned().collect();
    let alike = corpus::examples::alike(&together);
    let held: BTreeSet<u32> = alike[..examined.len()].iter().copied().collect();
    let (leaks, own): (Vec<_>, Vec<_>) = examples
        .into_iter()
        .zip(&alike[examined.len()..])
        .partition(|(_, group)| held.contains(group));
    if let Some((first, _)) = leaks.first() {
        notes.push(ExaminationNote::Leaked {
            count: leaks.len(),
            first: first.id.to_string(),
        });
    }
    own.into_iter().map(|(example, _)| example).collect()
}

/// Returns an example as a question that all candidates can be asked, if it is one.
fn asked(example: &Example) -> Option<Gold> {
    match example.lesson {
        Lesson::Question { .. }
        | Lesson::Completion { .. }
        | Lesson::Labelled { .. }
        | Lesson::Tagged { .. }
        | Lesson::Conversation { .. } => Gold::of_example(example),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[String], recipe: CompareRecipe) -> Result<Examination, CompareError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("questions.jsonl");
        fs_err::write(&path, lines.join("\n")).unwrap();
        Examination::read(&CompareRecipe {
            examples: vec![path],
            ..recipe
        })
    }

    fn lines(count: usize, answer: impl Fn(usize) -> String) -> Vec<String> {
        (0..count)
            .map(|n| {
                // Questions that say nearly the same would stay on one side.
                let word = |by: usize| ["ka", "mo", "ri", "tu", "se", "lo", "va"][n / by % 7];
                let asked = format!(
                    "{}{} {}{}{}?",
                    word(1),
                    word(7),
                    word(49),
                    word(3),
                    word(11)
                );
                serde_json::json!({ "question": asked, "answer": answer(n) }).to_string()
            })
            .collect()
    }

    #[test]
    fn nobody_is_examined_on_what_can_be_learnt() {
        let found = of(&lines(200, |n| n.to_string()), CompareRecipe::default()).unwrap();
        let ids = |set: &[Gold]| -> BTreeSet<String> {
            set.iter().map(|asked| asked.id.to_string()).collect()
        };
        assert!(ids(&found.train).is_disjoint(&ids(&found.test)));
        assert!(ids(&found.dev).is_disjoint(&ids(&found.test)));
        assert_eq!(found.train.len() + found.dev.len() + found.test.len(), 200);
    }

    #[test]
    fn a_file_of_its_own_is_examined_and_never_learnt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("examination.jsonl");
        let examined = &lines(40, |n| n.to_string())[30..];
        fs_err::write(&path, examined.join("\n")).unwrap();
        let recipe = CompareRecipe {
            examination: vec![path],
            ..CompareRecipe::default()
        };
        // The examples have two of its questions, one with another answer.
        let learnt = lines(32, |n| if n == 31 { "other" } else { "one" }.into());
        let found = of(&learnt, recipe).unwrap();
        assert_eq!(found.test.len(), 10);
        assert_eq!(found.train.len() + found.dev.len(), 30);
        let leaked = found
            .notes
            .iter()
            .any(|note| matches!(note, ExaminationNote::Leaked { count: 2, .. }));
        assert!(leaked, "{:?}", found.notes);
    }

    #[test]
    fn few_and_repeated_questions_are_said() {
        let mut twice = lines(10, |n| n.to_string());
        twice.push(twice[3].clone());
        let found = of(&twice, CompareRecipe::default()).unwrap();
        assert!(
            found
                .notes
                .contains(&ExaminationNote::Repeated { count: 1 })
        );
        assert!(
            found
                .notes
                .iter()
                .any(|note| matches!(note, ExaminationNote::FewQuestions { .. }))
        );
        assert!(matches!(
            of(&[], CompareRecipe::default()),
            Err(CompareError::Data(_))
        ));
    }

    #[test]
    fn contradictions_are_said_and_what_is_alike_counts_once() {
        let mut asked = lines(60, |n| n.to_string());
        asked.push(asked[7].replace("\"7\"", "\"another\""));
        // Each question five times, in other words for the eye alone.
        for mark in ["!", "??", " ?", "..."] {
            let again: Vec<String> = asked[..60].iter().map(|it| it.replace('?', mark)).collect();
            asked.extend(again);
        }
        let found = of(&asked, CompareRecipe::default()).unwrap();
        let says = |is: &dyn Fn(&ExaminationNote) -> bool| found.notes.iter().any(is);
        assert!(says(&|note| matches!(
            note,
            ExaminationNote::Contradicting { count: 1, .. }
        )));
        assert!(
            says(&|note| matches!(note, ExaminationNote::Alike { .. })),
            "{:?}",
            found.notes
        );
        let gold = eval::GoldSet::new(found.test.iter().cloned());
        assert!(
            gold.cluster_count() * 5 <= gold.len() + 5,
            "{}",
            gold.cluster_count()
        );
    }

    #[test]
    fn the_answers_tell_their_kind() {
        let check = |answer: fn(usize) -> String, expect: AnswerKind| {
            let found = of(&lines(40, answer), CompareRecipe::default()).unwrap();
            assert_eq!(found.kind(), expect);
        };
        check(|n| ["yes", "no"][n % 2].into(), AnswerKind::Label);
        check(|n| format!("{{\"n\":{n}}}"), AnswerKind::Json);
        check(|n| ["O B-x", "O O"][n % 2].into(), AnswerKind::Tags);
        check(|n| ["O", "B-x I-x O"][n % 2].into(), AnswerKind::Label);
        check(|n| format!("case {n}"), AnswerKind::Short);
        check(
            |n| format!("It is number {n}, as the registry of all the cases says."),
            AnswerKind::Long,
        );
    }
}
