//! Documents that give the answers away: files of examples among them, and passages in which a
//! question stands with its answer beside it.
//!
//! Retrieval that finds the examination with its solutions measures nothing: people will ask
//! otherwise. Such passages are looked for before anything is measured, said, and not shown to
//! anybody, unless the recipe keeps them (a page of questions that people do ask in its words).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufReader, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use contract::{DocumentId, Evidence};
use eval::Gold;
use search::store::{Snapshot, Source};
use serde::{Deserialize, Serialize};

use super::evidence::words;
use super::{CompareRecipe, Examination, ExaminationNote};
use crate::{Error, Project};

/// So many words in a row of a question are looked for.
const ROW: usize = 3;
/// Questions of fewer words are said by chance.
const FEWEST_WORDS: usize = 5;
/// A row of words that stands in more questions than this tells none of them.
const MOST_QUESTIONS: usize = 64;
/// A question stands where this share of its words stands in order, and none is missing but words
/// of few letters, which tell no two questions apart: “can” for “may” …
const SAME: f64 = 0.9;
const FEW_LETTERS: usize = 3;
/// … among its number of words and so many more.
const BETWEEN: usize = 4;
/// So many words before a question, and after it, its answer stands beside it: the names of fields,
/// numbers and marks lie between.
const BEFORE: usize = 12;
const AFTER: usize = 40;
/// An answer of more words stands where four in five of them do.
const SHORT_ANSWER: usize = 12;

/// What becomes of documents that give the answers away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GivenAway {
    /// What gives an answer away is not shown to any candidate.
    #[default]
    LeaveOut,
    /// It is, and the report says so: people ask in these words.
    Keep,
}

/// What was found that gives answers away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// Questions whose answers stand beside them in a document.
    pub questions: usize,
    /// Of these, those that are examined.
    pub examined: usize,
    /// Passages, as the project cuts them.
    pub passages: usize,
    /// The files that hold them, those with most passages first.
    pub files: Vec<String>,
    /// What becomes of them.
    pub terms: GivenAway,
}

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (questions, examined, passages) = (self.questions, self.examined, self.passages);
        write!(
            f,
            "the documents give answers away: {questions} questions, {examined} of them examined, \
             stand with their answers in {passages} passages of {}; ",
            some(&self.files),
        )?;
        f.write_str(match self.terms {
            GivenAway::LeaveOut => {
                "nobody is shown these. If people ask in these very words, say \
                 `given_away = \"keep\"` in `[compare]`; if it is a copy of the examples, take it \
                 out of `[documents] paths`"
            }
            GivenAway::Keep => {
                "they are kept, as `given_away` says: where people ask in other words, retrieval \
                 is worse than measured"
            }
        })
    }
}

/// Returns the first of `files`, and how many more there are.
pub(super) fn some(files: &[String]) -> String {
    let names: Vec<String> = files.iter().take(3).map(|it| format!("`{it}`")).collect();
    match files.len() - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Tells what gives an answer away.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaks {
    questions: Vec<Known>,
    /// In which questions a row of words stands.
    rows: HashMap<[u32; ROW], Vec<u32>>,
    vocabulary: HashMap<String, u32>,
    /// Files that hold the examples themselves.
    own: BTreeSet<String>,
    /// Files in which a question stands with its answer.
    files: BTreeSet<String>,
    keeps: bool,
}

/// A question that documents may give away.
#[derive(Clone, Debug)]
struct Known {
    words: Vec<u32>,
    /// Which of its words may be others.
    small: Vec<bool>,
    answers: Vec<Vec<u32>>,
    examined: bool,
}

impl Known {
    /// Returns whether words of it that stand in a text say the question: places in it, in order,
    /// each with the one in the text.
    fn is_said_by(&self, same: &[(usize, usize)]) -> bool {
        let mut there = same.iter().map(|it| it.0).peekable();
        let mut places = 0..self.words.len();
        same.len() as f64 >= SAME * self.words.len() as f64
            && places.all(|place| there.next_if_eq(&place).is_some() || self.small[place])
    }
}

impl Leaks {
    /// Looks for documents of `project` that give the answers of `examination` away. Returns what
    /// tells them, and what is to be known of them.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(super) fn look(
        project: &Project,
        recipe: &CompareRecipe,
        examination: &Examination,
    ) -> Result<(Self, Vec<ExaminationNote>), Error> {
        let mut leaks = Self::of(examination);
        let snapshot = Snapshot::open(&project.store_folder())?;
        leaks.own = own(project, recipe, &snapshot.sources()?);
        let mut per_file: BTreeMap<String, usize> = BTreeMap::new();
        let mut found: BTreeSet<u32> = BTreeSet::new();
        for document in snapshot.documents()? {
            let file = file_of(&document.id);
            if leaks.own.contains(file) {
                continue;
            }
            for chunk in snapshot.chunks_of(&document.id)? {
                let given = leaks.given_away(&chunk.text);
                if !given.is_empty() {
                    *per_file.entry(file.to_owned()).or_default() += 1;
                    found.extend(given);
                }
            }
        }
        let mut notes = Vec::new();
        if !leaks.own.is_empty() {
            let files = leaks.own.iter().cloned().collect();
            notes.push(ExaminationNote::AmongDocuments { files });
        }
        if !per_file.is_empty() {
            leaks.files = per_file.keys().cloned().collect();
            leaks.keeps = recipe.given_away == GivenAway::Keep;
            let passages = per_file.values().sum();
            let mut files: Vec<(String, usize)> = per_file.into_iter().collect();
            files.sort_by_key(|(_, passages)| std::cmp::Reverse(*passages));
            let examined = |it: &&u32| leaks.questions[**it as usize].examined;
            notes.push(ExaminationNote::GivenAway(Leak {
                questions: found.len(),
                examined: found.iter().filter(examined).count(),
                passages,
                files: files.into_iter().map(|(file, _)| file).collect(),
                terms: recipe.given_away,
            }));
        }
        Ok((leaks, notes))
    }

    fn of(examination: &Examination) -> Self {
        let mut leaks = Self::default();
        let sets = [(&examination.train, false), (&examination.dev, false)];
        for (set, examined) in sets.into_iter().chain([(&examination.test, true)]) {
            for asked in set {
                leaks.add(asked, examined);
            }
        }
        leaks.rows.retain(|_, of| of.len() <= MOST_QUESTIONS);
        leaks
    }

    fn add(&mut self, asked: &Gold, examined: bool) {
        let known = Known {
            words: self.learn(&asked.question),
            small: words(&asked.question)
                .iter()
                .map(|it| is_small(it))
                .collect(),
            answers: asked.answers.iter().map(|it| self.learn(it)).collect(),
            examined,
        };
        if known.words.len() < FEWEST_WORDS {
            return;
        }
        let number = self.questions.len() as u32;
        for row in known.words.windows(ROW) {
            let row = row.try_into().expect("a window is as long as it is");
            let of = self.rows.entry(row).or_default();
            if of.last() != Some(&number) {
                of.push(number);
            }
        }
        self.questions.push(known);
    }

    /// Returns the words of a text as numbers; those that are new have numbers of their own.
    fn learn(&mut self, text: &str) -> Vec<u32> {
        let words = words(text).into_iter();
        words
            .map(|word| {
                let next = self.vocabulary.len() as u32;
                *self.vocabulary.entry(word).or_insert(next)
            })
            .collect()
    }

    /// Returns the words of a text as numbers; those that stand in no example have one together.
    fn read(&self, text: &str) -> Vec<u32> {
        let number = |word: String| self.vocabulary.get(&word).copied().unwrap_or(u32::MAX);
        words(text).into_iter().map(number).collect()
    }

    /// Returns where questions stand in a text, nearly word for word: their numbers, each with the
    /// words from its first to its last.
    fn standing(&self, text: &[u32]) -> Vec<(u32, Range<usize>)> {
        let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (place, row) in text.windows(ROW).enumerate() {
            let row: &[u32; ROW] = row.try_into().expect("a window is as long as it is");
            for number in self.rows.get(row).into_iter().flatten() {
                places.entry(*number).or_default().push(place);
            }
        }
        let mut found = Vec::new();
        for (number, places) in places {
            let known = &self.questions[number as usize];
            let asked = &known.words;
            let room = asked.len() + BETWEEN;
            let mut behind = 0;
            for &place in &places {
                let near = places
                    .iter()
                    .filter(|it| (place..place + room).contains(it));
                // Two words that are otherwise leave a third of the rows of most questions.
                if place < behind || near.count() * 3 < asked.len() + 1 - ROW {
                    continue;
                }
                // The row may be any of the question.
                let from = place.saturating_sub(asked.len()).max(behind);
                let window = &text[from..(place + room).min(text.len())];
                let same = in_order(asked, window);
                if known.is_said_by(&same) {
                    let (first, last) = (same[0].1, same[same.len() - 1].1);
                    found.push((number, from + first..from + last + 1));
                    behind = from + last + 1;
                }
            }
        }
        found
    }

    /// Returns the questions that stand in a text with one of their answers beside them.
    fn given_away(&self, text: &str) -> Vec<u32> {
        let text = self.read(text);
        let mut given = Vec::new();
        for (number, at) in self.standing(&text) {
            let beside = |answer: &Vec<u32>| {
                let from = at.start.saturating_sub(BEFORE + answer.len());
                let to = (at.end + AFTER + answer.len()).min(text.len());
                stands(answer, &text[from..at.start]) || stands(answer, &text[at.end..to])
            };
            if self.questions[number as usize].answers.iter().any(beside) {
                given.push(number);
            }
        }
        given.dedup();
        given
    }

    /// Returns whether a passage gives an answer away, and is to be shown to nobody.
    pub(super) fn holds(&self, passage: &Evidence) -> bool {
        let file = file_of(&passage.document);
        if self.own.contains(file) {
            return true;
        }
        if self.keeps {
            return false;
        }
        // In a file that gives answers away, questions that have none are copies too, and those
        // whose answers a drill has changed.
        match self.files.contains(file) {
            true => !self.standing(&self.read(&passage.text)).is_empty(),
            false => !self.given_away(&passage.text).is_empty(),
        }
    }
}

/// Returns the file that a document is from.
pub(super) fn file_of(document: &DocumentId) -> &str {
    let id = document.as_str();
    id.split('#').next().unwrap_or(id)
}

/// Returns which files of the store hold the examples: they are the same, or say the same byte for
/// byte.
fn own(project: &Project, recipe: &CompareRecipe, sources: &[Source]) -> BTreeSet<String> {
    let examples = recipe.examples.iter().chain(&recipe.examination);
    let examples: Vec<(&PathBuf, u64)> = examples
        .filter_map(|path| Some((path, path.metadata().ok()?.len())))
        .collect();
    let is_own = |source: &&Source| {
        let lies = project.root.join(&source.id);
        let size = lies.metadata().map_or(source.size, |it| it.len());
        let mut alike = examples.iter().filter(|(_, length)| *length == size);
        alike.any(|(path, _)| says_the_same(path, &lies))
    };
    let own = sources.iter().filter(is_own);
    own.map(|source| source.id.clone()).collect()
}

fn says_the_same(one: &Path, other: &Path) -> bool {
    let mut readers = [one, other].map(|path| fs_err::File::open(path).map(BufReader::new));
    let [Ok(one), Ok(other)] = &mut readers else {
        return false;
    };
    let other = other.bytes().map_while(Result::ok);
    one.bytes().map_while(Result::ok).eq(other)
}

/// Returns whether a word tells no two questions apart. A number does.
fn is_small(word: &str) -> bool {
    word.chars().count() <= FEW_LETTERS && !word.contains(|it: char| it.is_numeric())
}

/// Returns the longest row of words that `asked` and `text` have in common in the same order, with
/// others between them or not: the places in `asked`, each with the one in `text`.
fn in_order(asked: &[u32], text: &[u32]) -> Vec<(usize, usize)> {
    let wide = text.len() + 1;
    let mut longest = vec![0u32; (asked.len() + 1) * wide];
    for (i, word) in asked.iter().enumerate().rev() {
        for (j, other) in text.iter().enumerate().rev() {
            longest[i * wide + j] = match word == other {
                true => longest[(i + 1) * wide + j + 1] + 1,
                false => longest[(i + 1) * wide + j].max(longest[i * wide + j + 1]),
            };
        }
    }
    let (mut i, mut j, mut places) = (0, 0, Vec::new());
    while i < asked.len() && j < text.len() {
        if asked[i] == text[j] {
            places.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * wide + j] >= longest[i * wide + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    places
}

/// Returns whether an answer stands in a text: word for word, or, of a long one, most of its words.
fn stands(answer: &[u32], text: &[u32]) -> bool {
    if answer.is_empty() {
        return false;
    }
    if answer.len() <= SHORT_ANSWER {
        return text.windows(answer.len()).any(|window| window == answer);
    }
    let there = answer.iter().filter(|word| text.contains(word)).count();
    there * 5 >= answer.len() * 4
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;

    use super::*;
    use crate::compare::evidence::Documents;

    fn asked(question: &str, answer: &str) -> Gold {
        Gold {
            id: QuestionId::new(question),
            question: question.into(),
            answers: vec![answer.into()],
            all_together: false,
            passage: None,
            context: None,
        }
    }

    const ASKED: &str = "How many days after delivery may I return a kettle?";

    fn check(text: &str, expect: bool) {
        let examination = Examination {
            test: vec![asked(ASKED, "30 days"), asked("Is it blue?", "yes")],
            ..Examination::default()
        };
        let leaks = Leaks::of(&examination);
        assert_eq!(!leaks.given_away(text).is_empty(), expect, "{text}");
    }

    #[test]
    fn a_question_with_its_answer_beside_it_is_seen_in_any_form() {
        check(
            "How many days after delivery may I return a kettle? 30 days.",
            true,
        );
        check(
            r#"{"question": "How many days after delivery may I return a kettle?", "id": 7, "answers": ["30 days"]}"#,
            true,
        );
        check(
            "30 days,how many days after delivery may i return a kettle",
            true,
        );
        // A word is otherwise.
        check(
            "How many days after the delivery may I return a kettle?\n30 DAYS",
            true,
        );
        check(
            "How many days after delivery can I return a kettle? 30 days",
            true,
        );
    }

    #[test]
    fn what_says_the_fact_otherwise_is_no_leak() {
        check("You may return a kettle for 30 days after delivery.", false);
        check(
            "How many days after delivery may I return a kettle? See the terms.",
            false,
        );
        check(
            "How many days after delivery may I return a lamp? 30 days",
            false,
        );
        // Too short to be told from what is said by chance.
        check("Is it blue? Yes.", false);
        check("", false);
    }

    #[test]
    fn an_answer_far_from_its_question_is_not_beside_it() {
        let far = "word ".repeat(AFTER + 2);
        check(&format!("{ASKED} {far} 30 days"), false);
        check(
            &format!("{ASKED} {} 30 days", "word ".repeat(AFTER - 2)),
            true,
        );
    }

    /// Takes in a page, a copy of the examples as they are, and one as a table.
    fn project(root: &Path, given_away: GivenAway) -> (Project, CompareRecipe, Examination) {
        let line = serde_json::json!({ "question": ASKED, "answer": "30 days" }).to_string();
        fs_err::create_dir(root.join("docs")).unwrap();
        for (name, text) in [
            ("questions.jsonl", line.as_str()),
            ("docs/copy.jsonl", line.as_str()),
            (
                "docs/copy.csv",
                &format!("question,answer\n{ASKED},30 days\n"),
            ),
            (
                "docs/terms.md",
                "# Terms\n\nYou may return a kettle for 30 days after delivery.\n",
            ),
        ] {
            fs_err::write(root.join(name), text).unwrap();
        }
        let mut config = crate::Config::default();
        config.models.embedder = crate::ModelReference::None;
        config.documents.paths = vec!["docs".into()];
        let project = Project::with(root.to_owned(), config);
        let request = crate::IngestRequest::default();
        let told = &mut |_: crate::IngestEvent<'_>| std::ops::ControlFlow::Continue(());
        crate::ingest(&project, &request, None, told).unwrap();
        let recipe = CompareRecipe {
            examples: vec![root.join("questions.jsonl")],
            given_away,
            ..CompareRecipe::default()
        };
        let examination = Examination {
            test: vec![asked(ASKED, "30 days")],
            ..Examination::default()
        };
        (project, recipe, examination)
    }

    #[test]
    fn copies_of_the_examples_are_said_and_not_found() {
        let check = |given_away: GivenAway, expect: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let (project, recipe, examination) = project(folder.path(), given_away);
            let (leaks, notes) = Leaks::look(&project, &recipe, &examination).unwrap();
            let leak = Leak {
                questions: 1,
                examined: 1,
                passages: 1,
                files: vec!["docs/copy.csv".into()],
                terms: given_away,
            };
            let own = ExaminationNote::AmongDocuments {
                files: vec!["docs/copy.jsonl".into()],
            };
            assert_eq!(notes, [own, ExaminationNote::GivenAway(leak)]);
            let environment = crate::Environment::default();
            let mut documents = Documents::open(&project, &environment, &leaks).unwrap();
            let found = documents.find(&examination.test[0]).unwrap().evidence;
            let mut found: Vec<&str> = found.iter().map(|it| file_of(&it.document)).collect();
            found.sort_unstable();
            assert_eq!(found, expect);
        };
        check(GivenAway::LeaveOut, &["docs/terms.md"]);
        check(GivenAway::Keep, &["docs/copy.csv", "docs/terms.md"]);
    }

    #[test]
    fn behind_many_copies_what_is_left_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (project, recipe, examination) = project(folder.path(), GivenAway::LeaveOut);
        for number in 0..100 {
            let path = folder.path().join(format!("docs/page-{number}.txt"));
            fs_err::write(path, format!("{ASKED} 30 days, says page {number}.")).unwrap();
        }
        let told = &mut |_: crate::IngestEvent<'_>| std::ops::ControlFlow::Continue(());
        crate::ingest(&project, &crate::IngestRequest::default(), None, told).unwrap();
        let (leaks, _) = Leaks::look(&project, &recipe, &examination).unwrap();
        let environment = crate::Environment::default();
        let mut documents = Documents::open(&project, &environment, &leaks).unwrap();
        let found = documents.find(&examination.test[0]).unwrap().evidence;
        let found: Vec<&str> = found.iter().map(|it| file_of(&it.document)).collect();
        assert_eq!(found, ["docs/terms.md"]);
    }

    #[test]
    fn the_longest_row_in_order_is_found() {
        let check = |asked: &[u32], text: &[u32], expect: &[usize]| {
            let found: Vec<usize> = in_order(asked, text).iter().map(|it| it.1).collect();
            assert_eq!(found, expect);
        };
        check(&[1, 2, 3], &[1, 2, 3], &[0, 1, 2]);
        check(&[1, 2, 3], &[9, 1, 9, 3], &[1, 3]);
        check(&[1, 2, 3], &[3, 2, 1], &[0]);
        check(&[], &[1], &[]);
    }
}
