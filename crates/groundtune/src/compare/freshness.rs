//! The freshness drill: what becomes of the answers when the documents change, disappear and
//! come back.
//!
//! In a copy of the documents that the questions are about, answers are replaced by others of
//! the same form; the copy is ingested as any project is, and every candidate is asked again. A
//! candidate that is not given documents goes on as it was taught. Then the documents are taken
//! away, and come back.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use contract::{Evidence, Generate, Reader};
use eval::Gold;
use eval::metric::squad::normalised;
use serde::{Deserialize, Serialize};

use super::answer::Contestant;
use super::base::Answers as _;
use super::evidence::{Findings, FoundFor, Shown, find};
use super::{Arm, CompareError, CompareRecipe};
use crate::ingest::{IngestRequest, ingest};
use crate::models::Environment;
use crate::{Config, Project, Session};

/// The most facts that are changed.
const FACTS: usize = 12;
/// The most documents that the drill's store has.
const DOCUMENTS: usize = 100;

/// What a candidate did when the documents changed, as shares of the facts that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Freshness {
    /// How many facts changed.
    pub facts: usize,
    /// Before the change: answered what the documents then said.
    pub before: f64,
    /// After the change: what they say now.
    pub changed_right: f64,
    /// After the change: what they said before.
    pub changed_stale: f64,
    /// After the documents are gone: still what they said.
    pub removed_stale: f64,
    /// After they came back: what they say.
    pub added_right: f64,
    /// From a changed file to the first answer from it, in seconds; nothing for a candidate
    /// that has to be taught first.
    pub update_seconds: Option<f64>,
}

/// A fact that changes.
struct Fact<'a> {
    asked: &'a Gold,
    document: String,
    before: String,
    after: String,
}

/// What the drill needs of a comparison.
pub(super) struct Drill<'a> {
    pub(super) project: &'a Project,
    pub(super) environment: &'a Environment,
    pub(super) recipe: &'a CompareRecipe,
    pub(super) test: &'a [Gold],
    pub(super) findings: &'a Findings,
    pub(super) shown: &'a Shown,
    /// Where the copy is made; it is removed afterwards.
    pub(super) scratch: PathBuf,
}

impl Drill<'_> {
    /// Asks every candidate. Returns nothing where no answer stands word for word in a
    /// document, so that nothing could be changed.
    ///
    /// # Errors
    /// If the copy cannot be made, ingested or searched.
    pub(super) fn run(
        &self,
        contestants: &[(Arm, &dyn Generate)],
        shots: &[Gold],
        tell: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Option<BTreeMap<Arm, Freshness>>, CompareError> {
        let session = Session::open(self.project)?;
        let (facts, texts) = self.facts(&session)?;
        drop(session);
        if facts.is_empty() {
            return Ok(None);
        }
        let _emptied = Emptied(&self.scratch);
        let copy = self.copy(&texts)?;
        let mut found = BTreeMap::new();
        let rounds = 4 * contestants.len() * facts.len();
        let mut done = 0;
        let mut ask = |copy: &Project,
                       found: &mut BTreeMap<Arm, Freshness>,
                       note: &dyn Fn(&mut Freshness, &Fact<'_>, &str)|
         -> Result<bool, CompareError> {
            let mut session = Session::open(copy)?.with_models(copy, self.environment)?;
            for fact in &facts {
                let evidence = find(&mut session, fact.asked)?;
                for (arm, generator) in contestants {
                    let answer = self.answer(*arm, *generator, shots, fact.asked, &evidence);
                    note(found.entry(*arm).or_default(), fact, &answer);
                    done += 1;
                    if tell(done, rounds).is_break() {
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        };
        let part = 1.0 / facts.len() as f64;

        self.ingest(&copy)?;
        let before = |it: &mut Freshness, fact: &Fact<'_>, answer: &str| {
            it.facts = facts.len();
            it.before += part * says(answer, &fact.before);
        };
        if !ask(&copy, &mut found, &before)? {
            return Ok(None);
        }

        let started = Instant::now();
        for (document, text) in &texts {
            let changed = facts
                .iter()
                .filter(|fact| fact.document == *document)
                .fold(text.clone(), |text, fact| {
                    replaced(&text, &fact.before, &fact.after)
                });
            if changed != *text {
                fs_err::write(file_of(&copy.root, document), changed)?;
            }
        }
        self.ingest(&copy)?;
        let changed: std::collections::BTreeSet<&str> =
            facts.iter().map(|fact| fact.document.as_str()).collect();
        let update = started.elapsed().as_secs_f64() / changed.len() as f64;
        let after = |it: &mut Freshness, fact: &Fact<'_>, answer: &str| {
            it.changed_right += part * says(answer, &fact.after);
            it.changed_stale += part * says(answer, &fact.before);
        };
        if !ask(&copy, &mut found, &after)? {
            return Ok(None);
        }

        let mut kept = Vec::new();
        for document in &changed {
            let path = file_of(&copy.root, document);
            kept.push((path.clone(), fs_err::read(&path)?));
            fs_err::remove_file(&path)?;
        }
        self.ingest(&copy)?;
        let removed = |it: &mut Freshness, fact: &Fact<'_>, answer: &str| {
            let stale = says(answer, &fact.before).max(says(answer, &fact.after));
            it.removed_stale += part * stale;
        };
        if !ask(&copy, &mut found, &removed)? {
            return Ok(None);
        }

        for (path, text) in kept {
            fs_err::write(path, text)?;
        }
        self.ingest(&copy)?;
        let added = |it: &mut Freshness, fact: &Fact<'_>, answer: &str| {
            it.added_right += part * says(answer, &fact.after);
        };
        if !ask(&copy, &mut found, &added)? {
            return Ok(None);
        }
        for (arm, freshness) in &mut found {
            freshness.update_seconds = arm.retrieves().then_some(update);
        }
        Ok(Some(found))
    }

    fn answer(
        &self,
        arm: Arm,
        generator: &dyn Generate,
        shots: &[Gold],
        asked: &Gold,
        evidence: &FoundFor,
    ) -> String {
        let contestant = Contestant {
            arm,
            generator,
            recipe: self.recipe,
            shots: if arm == Arm::FewShot { shots } else { &[] },
        };
        let shown: &[Evidence] = match arm.retrieves() {
            true => evidence.shown(self.shown),
            false => &[],
        };
        contestant.answer(asked, shown, 0.0).said()
    }

    /// Chooses the facts that change, and returns them with the texts of the documents that the
    /// questions are about.
    fn facts(
        &self,
        session: &Session,
    ) -> Result<(Vec<Fact<'_>>, BTreeMap<String, String>), CompareError> {
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        let mut facts: Vec<Fact<'_>> = Vec::new();
        let others: Vec<&str> = self
            .test
            .iter()
            .filter_map(|asked| asked.answers.first().map(String::as_str))
            .collect();
        for (place, asked) in self.test.iter().enumerate() {
            let evidence = self.findings.shown(&asked.id, self.shown);
            for passage in evidence {
                let id = passage.document.to_string();
                if texts.len() < DOCUMENTS && !texts.contains_key(&id) {
                    let whole = session.document(&passage.document, &Reader::default())?;
                    texts.insert(id, whole.text);
                }
            }
            let Some(before) = asked.answers.first().filter(|_| facts.len() < FACTS) else {
                continue;
            };
            let stands = evidence
                .iter()
                .find(|passage| passage.text.contains(before.as_str()));
            let Some(passage) = stands else { continue };
            let id = passage.document.to_string();
            let is_alone = facts
                .iter()
                .all(|fact| fact.document != id || !overlap(&fact.before, before));
            if let (true, Some(text), Some(after)) =
                (is_alone, texts.get(&id), another(before, &others, place))
                && !text.contains(&after)
            {
                facts.push(Fact {
                    asked,
                    document: id,
                    before: before.clone(),
                    after,
                });
            }
        }
        Ok((facts, texts))
    }

    /// Makes a project of the documents' texts.
    fn copy(&self, texts: &BTreeMap<String, String>) -> Result<Project, CompareError> {
        if self.scratch.exists() {
            fs_err::remove_dir_all(&self.scratch)?;
        }
        for (document, text) in texts {
            let path = file_of(&self.scratch, document);
            fs_err::create_dir_all(path.parent().expect("it is in the folder"))?;
            fs_err::write(path, text)?;
        }
        let mut config: Config = self.project.config.clone();
        config.documents = crate::config::Documents {
            paths: vec![".".into()],
            ..crate::config::Documents::default()
        };
        config.access = Vec::new();
        Ok(Project {
            root: self.scratch.clone(),
            config,
        })
    }

    fn ingest(&self, copy: &Project) -> Result<(), CompareError> {
        let embedder = copy.open_embedder(self.environment)?;
        let request = IngestRequest::default();
        ingest(copy, &request, embedder.as_deref(), &mut |_| {
            ControlFlow::Continue(())
        })?;
        Ok(())
    }
}

/// Returns the file of a document in the copy: its name, without what no file may be called,
/// as Markdown, which is what a document's text is nearest to.
fn file_of(root: &Path, document: &str) -> PathBuf {
    let name: String = document
        .chars()
        .map(|letter| match letter {
            letter if letter.is_alphanumeric() || "-_.".contains(letter) => letter,
            _ => '_',
        })
        .collect();
    root.join("documents").join(format!("{name}.md"))
}

/// Returns an answer of the same form that says something else: other digits, or the answer to
/// another question with as many words.
fn another(answer: &str, others: &[&str], place: usize) -> Option<String> {
    if answer.chars().any(|letter| letter.is_ascii_digit()) {
        let mut first = true;
        let turned = answer
            .chars()
            .map(|letter| match letter.to_digit(10) {
                None => letter,
                Some(digit) => {
                    // The first digit is never made a nought.
                    let other = if first {
                        digit % 9 + 1
                    } else {
                        (digit + 3) % 10
                    };
                    first = false;
                    char::from_digit(other, 10).expect("it is a digit")
                }
            })
            .collect();
        return Some(turned);
    }
    let words = answer.split_whitespace().count();
    let behind = others.iter().skip(place + 1);
    let found = behind.chain(others.iter().take(place)).find(|other| {
        other.split_whitespace().count() == words
            && !overlap(other, answer)
            && !other.chars().any(|letter| letter.is_ascii_digit())
    });
    found.map(|other| (*other).to_owned())
}

/// Replaces `before` where it stands as words of its own.
fn replaced(text: &str, before: &str, after: &str) -> String {
    let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let (mut rest, mut out) = (text, String::with_capacity(text.len()));
    while let Some(at) = rest.find(before) {
        let end = at + before.len();
        let inside = is_word(rest[..at].chars().next_back()) || is_word(rest[end..].chars().next());
        out.push_str(&rest[..at]);
        out.push_str(if inside { before } else { after });
        rest = &rest[end..];
    }
    out + rest
}

/// Returns 1 if `answer` says `fact`, word for word, else 0.
fn says(answer: &str, fact: &str) -> f64 {
    let answer = format!(" {} ", normalised(answer));
    let fact = normalised(fact);
    f64::from(u8::from(
        !fact.is_empty() && answer.contains(&format!(" {fact} ")),
    ))
}

fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    one.contains(&other) || other.contains(&one)
}

/// Empties a folder when it is no longer needed, whatever happened.
struct Emptied<'a>(&'a Path);

impl Drop for Emptied<'_> {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_answer_has_the_same_form() {
        let others = ["Ines Wren", "Burlington", "never", "Canada Post"];
        assert_eq!(another("$18.50", &others, 0).unwrap(), "$21.83");
        assert_eq!(another("90 days", &others, 0).unwrap(), "13 days");
        assert_eq!(another("Utrecht", &others, 0).unwrap(), "Burlington");
        assert_eq!(another("Canada Post", &others, 3).unwrap(), "Ines Wren");
        assert_eq!(another("one two three", &others, 0), None);
    }

    #[test]
    fn only_whole_words_are_replaced() {
        assert_eq!(
            replaced("30 days, 130 days and 30 days.", "30 days", "41 days"),
            "41 days, 130 days and 41 days."
        );
    }

    #[test]
    fn an_answer_says_a_fact_word_for_word() {
        assert_eq!(says("Within the 30 days.", "30 days"), 1.0);
        assert_eq!(says("130 days", "30 days"), 0.0);
        assert_eq!(says("", "the"), 0.0);
    }
}
