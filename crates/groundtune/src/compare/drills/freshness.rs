//! The freshness drill: what becomes of the answers when the documents change, disappear and
//! come back.
//!
//! In a copy of the documents that the questions are about, answers are replaced by others of
//! the same form; the copy is ingested as any project is, and every candidate is asked again. A
//! candidate that is not given documents goes on as it was taught. Then the documents are taken
//! away, and come back: what comes back is new to the store, as any added document is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use contract::{QuestionId, Reader};
use eval::{Gold, Prediction};
use serde::{Deserialize, Serialize};

use super::facts::{another, overlap, replaced, says_any};
use super::{DrillKind, Ground, Tell, Tried};
use crate::compare::base::Tuned;
use crate::compare::encoder::Examples;
use crate::compare::evidence::Documents;
use crate::compare::folder::{self, Lines};
use crate::compare::{Arm, CompareError, Task};
use crate::ingest::{IngestRequest, ingest};
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
    /// To take in one changed file, in seconds; nothing for a candidate that has to be taught
    /// first.
    pub update_seconds: Option<f64>,
    /// To take in one added file, in seconds; nothing, as above.
    pub added_seconds: Option<f64>,
    /// From the change of all files to its first answer that says what they say now, in
    /// seconds; nothing, if none did.
    pub until_right_seconds: Option<f64>,
}

/// How the documents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Before,
    Changed,
    Removed,
    Added,
}

impl Round {
    const ALL: [Self; 4] = [Self::Before, Self::Changed, Self::Removed, Self::Added];

    fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Added => "added",
        }
    }

    /// Returns the round before this one.
    fn last(self) -> Option<Self> {
        match self {
            Self::Before => None,
            Self::Changed => Some(Self::Before),
            Self::Removed => Some(Self::Changed),
            Self::Added => Some(Self::Removed),
        }
    }
}

/// A fact that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fact {
    asked: Gold,
    document: String,
    before: String,
    after: String,
}

/// What changes, and in which documents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Change {
    facts: Vec<Fact>,
    texts: BTreeMap<String, String>,
}

impl Change {
    /// Returns the documents that change.
    fn documents(&self) -> BTreeSet<&str> {
        let facts = self.facts.iter();
        facts.map(|fact| fact.document.as_str()).collect()
    }

    /// Returns the documents' texts in a round.
    fn texts_in(&self, round: Round) -> BTreeMap<&str, String> {
        let changed = self.documents();
        let texts = self.texts.iter();
        texts
            .filter(|(document, _)| round != Round::Removed || !changed.contains(document.as_str()))
            .map(|(document, text)| {
                let facts = self.facts.iter().filter(|it| it.document == *document);
                let text = match round {
                    Round::Before => text.clone(),
                    _ => facts.fold(text.clone(), |text, fact| {
                        replaced(&text, &fact.before, &fact.after)
                    }),
                };
                (document.as_str(), text)
            })
            .collect()
    }
}

/// Runs the drill, from where it was broken off.
///
/// # Errors
/// If the copy cannot be made, ingested or searched.
pub(super) fn run(
    ground: &Ground<'_>,
    tell: Tell<'_>,
) -> Result<Option<Tried<Freshness>>, CompareError> {
    if !ground.retrieves() {
        return Ok(Some(Tried::not("no candidate is given evidence")));
    }
    if let Some(examples) = ground.base.examples() {
        return of_labels(ground, examples, tell);
    }
    let path = ground.folder.drill(DrillKind::Freshness).join("facts.json");
    let change = match folder::read_json(&path)? {
        Some(change) => change,
        None => {
            let change = choose(ground)?;
            folder::write_json(&path, &change)?;
            change
        }
    };
    if change.facts.is_empty() {
        let why = "no answer stands word for word in what is found";
        return Ok(Some(Tried::not(why)));
    }
    let scratch = ground.folder.scratch();
    if scratch.exists() {
        fs_err::remove_dir_all(&scratch)?;
    }
    let _emptied = Emptied(&scratch);
    let mut drill = Drill {
        ground,
        copy: copy_of(ground.project, &scratch)?,
        change,
        at: None,
        answers: BTreeMap::new(),
        seconds: BTreeMap::new(),
    };
    for round in Round::ALL {
        if drill.ask(round, tell)?.is_break() {
            return Ok(None);
        }
    }
    let arms = ground.contestants.iter().map(|it| it.arm);
    let found = arms.map(|arm| (arm, drill.figures(arm)));
    Ok(Some(Tried::found(found.collect())))
}

/// The drill where labels are answers: they change in the examples, and not in documents.
fn of_labels(
    ground: &Ground<'_>,
    examples: &dyn Examples,
    tell: Tell<'_>,
) -> Result<Option<Tried<Freshness>>, CompareError> {
    let contestants: Vec<_> = ground
        .contestants
        .iter()
        .map(|it| match ground.tuned.get(&it.arm) {
            Some(Tuned::Encoder(taught)) => (it.arm, Some(&**taught)),
            _ => (it.arm, None),
        })
        .collect();
    let mut broke = false;
    let test = &ground.examination.test;
    let found = examples.pass_round(&contestants, test, ground.shown, &mut |done, of| {
        let flow = tell(DrillKind::Freshness, done, of);
        broke |= flow.is_break();
        flow
    })?;
    Ok(match found {
        _ if broke => None,
        Some(found) => Some(Tried::found(found)),
        None if ground.base.task() == Task::Tag => Some(Tried::not(
            "a tag stands in each example by itself, and changes in no other",
        )),
        None => Some(Tried::not(
            "there are not two labels that could change at once in all examples",
        )),
    })
}

/// The drill under way.
struct Drill<'a> {
    ground: &'a Ground<'a>,
    copy: Project,
    change: Change,
    /// The round that the copy's store is in.
    at: Option<Round>,
    answers: BTreeMap<(Arm, &'static str), BTreeMap<QuestionId, Prediction>>,
    /// How long the store took to follow, by round.
    seconds: BTreeMap<&'static str, f64>,
}

impl<'a> Drill<'a> {
    /// Asks every candidate in a round what it was not asked yet.
    fn ask(&mut self, round: Round, tell: Tell<'_>) -> Result<ControlFlow<()>, CompareError> {
        let folder = self.ground.folder.drill(DrillKind::Freshness);
        let facts = self.change.facts.clone();
        let contestants = &self.ground.contestants;
        let taken = folder.join(format!("{}.json", round.as_str()));
        if let Some(seconds) = folder::read_json(&taken)? {
            self.seconds.insert(round.as_str(), seconds);
        }
        let mut documents = None;
        for (number, contestant) in contestants.iter().enumerate() {
            let path = folder.join(format!("{}.{}.jsonl", round.as_str(), contestant.arm));
            let (mut lines, known) = Lines::open::<Prediction>(&path)?;
            let known = known.into_iter().filter(|it| it.failure.is_none());
            let mut known: BTreeMap<QuestionId, Prediction> =
                known.map(|it| (it.question.clone(), it)).collect();
            let examined = self.ground.answers_of(contestant.arm);
            for (done, fact) in facts.iter().enumerate() {
                let id = &fact.asked.id;
                if known.contains_key(id) {
                    continue;
                }
                let answer = match examined.get(id) {
                    // Nobody tells it what the documents say.
                    Some(answer) if !contestant.arm.retrieves() => (*answer).clone(),
                    _ if !contestant.arm.retrieves() => {
                        contestant.answers.answer(&fact.asked, &[], 0.0)
                    }
                    _ => {
                        let documents = match &mut documents {
                            Some(documents) => documents,
                            None => documents.insert(self.follow(round, &taken)?),
                        };
                        let found = documents.find(&fact.asked)?;
                        let shown = found.shown(self.ground.shown);
                        contestant
                            .answers
                            .answer(&fact.asked, shown, found.elapsed.as_secs_f64())
                    }
                };
                lines.add(&answer)?;
                known.insert(id.clone(), answer);
                let round = Round::ALL.iter().position(|it| *it == round).unwrap_or(0);
                let before = round * contestants.len() * facts.len() + number * facts.len();
                let of = Round::ALL.len() * contestants.len() * facts.len();
                if tell(DrillKind::Freshness, before + done + 1, of).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            self.answers.insert((contestant.arm, round.as_str()), known);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Lets the copy's store follow the documents into a round, and opens it. How long that
    /// took is kept in `taken`.
    fn follow(&mut self, round: Round, taken: &Path) -> Result<Documents<'a>, CompareError> {
        if self.at != Some(round) {
            if let (true, Some(last)) = (self.at.is_none(), round.last()) {
                self.put(last)?;
            }
            let seconds = self.put(round)?;
            folder::write_json(taken, &seconds)?;
            self.seconds.insert(round.as_str(), seconds);
        }
        let ground = self.ground;
        Ok(Documents::open(
            &self.copy,
            ground.environment,
            ground.leaks,
        )?)
    }

    /// Changes the copy's files, lets its store follow, and returns how long that took.
    fn put(&mut self, round: Round) -> Result<f64, CompareError> {
        let texts = self.change.texts_in(round);
        let started = Instant::now();
        for document in self.change.texts.keys() {
            let path = file_of(&self.copy.root, document);
            match texts.get(document.as_str()) {
                None if path.is_file() => fs_err::remove_file(&path)?,
                None => {}
                Some(text) => {
                    let is_so = path.is_file() && fs_err::read_to_string(&path)? == *text;
                    if !is_so {
                        fs_err::create_dir_all(path.parent().expect("it is in the folder"))?;
                        fs_err::write(&path, text)?;
                    }
                }
            }
        }
        let embedder = self.copy.open_embedder(self.ground.environment)?;
        ingest(
            &self.copy,
            &IngestRequest::default(),
            embedder.as_deref(),
            &mut |_| ControlFlow::Continue(()),
        )?;
        self.at = Some(round);
        Ok(started.elapsed().as_secs_f64())
    }

    fn figures(&self, arm: Arm) -> Freshness {
        let facts = &self.change.facts;
        let answer = |round: Round, fact: &Fact| {
            let answers = self.answers.get(&(arm, round.as_str()))?;
            answers.get(&fact.asked.id)
        };
        let says = |round: Round, fact: &Fact, what: &[&String]| {
            let what: Vec<String> = what.iter().map(|it| (*it).clone()).collect();
            answer(round, fact).is_some_and(|it| says_any(&it.said(), &what))
        };
        let share = |is: &dyn Fn(&Fact) -> bool| super::share(facts, |fact| is(fact));
        let changed = self.change.documents().len().max(1) as f64;
        let of_one = |round: Round| {
            let seconds = self.seconds.get(round.as_str())?;
            arm.retrieves().then_some(seconds / changed)
        };
        Freshness {
            facts: facts.len(),
            before: share(&|it| says(Round::Before, it, &[&it.before])),
            changed_right: share(&|it| says(Round::Changed, it, &[&it.after])),
            changed_stale: share(&|it| says(Round::Changed, it, &[&it.before])),
            removed_stale: share(&|it| says(Round::Removed, it, &[&it.before, &it.after])),
            added_right: share(&|it| says(Round::Added, it, &[&it.after])),
            update_seconds: of_one(Round::Changed),
            added_seconds: of_one(Round::Added),
            until_right_seconds: self.until_right(arm, &says, &answer),
        }
    }

    /// Returns how long after the change a candidate first said what the documents say now.
    fn until_right<'s>(
        &'s self,
        arm: Arm,
        says: &dyn Fn(Round, &Fact, &[&String]) -> bool,
        answer: &dyn Fn(Round, &Fact) -> Option<&'s Prediction>,
    ) -> Option<f64> {
        let mut seconds = match arm.retrieves() {
            true => *self.seconds.get(Round::Changed.as_str())?,
            false => 0.0,
        };
        for fact in &self.change.facts {
            seconds += answer(Round::Changed, fact)?.seconds.unwrap_or(0.0);
            if says(Round::Changed, fact, &[&fact.after]) {
                return Some(seconds);
            }
        }
        None
    }
}

/// Chooses the facts that change, with the texts of the documents that the questions are about.
fn choose(ground: &Ground<'_>) -> Result<Change, CompareError> {
    let session = Session::open(ground.project)?;
    let test = &ground.examination.test;
    let Change {
        mut facts,
        mut texts,
    } = Change::default();
    let others: Vec<&str> = test
        .iter()
        .filter_map(|asked| asked.answers.first().map(String::as_str))
        .collect();
    let most = FACTS.min(ground.recipe.drills.questions);
    for (place, asked) in test.iter().enumerate() {
        let evidence = ground.evidence(asked);
        for passage in evidence {
            let id = passage.document.to_string();
            if texts.len() < DOCUMENTS && !texts.contains_key(&id) {
                let whole = session.document(&passage.document, &Reader::default())?;
                texts.insert(id, whole.text);
            }
        }
        let Some(before) = asked.answers.first().filter(|_| facts.len() < most) else {
            continue;
        };
        let stands = evidence
            .iter()
            .find(|passage| passage.text.contains(before.as_str()));
        let Some(passage) = stands else { continue };
        let id = passage.document.to_string();
        let is_alone = facts
            .iter()
            .all(|fact: &Fact| fact.document != id || !overlap(&fact.before, before));
        if let (true, Some(text), Some(after)) =
            (is_alone, texts.get(&id), another(before, &others, place))
            && !text.contains(&after)
        {
            facts.push(Fact {
                asked: asked.clone(),
                document: id,
                before: before.clone(),
                after,
            });
        }
    }
    Ok(Change { facts, texts })
}

/// Returns a project like `project` with the documents that will be put into `root`.
fn copy_of(project: &Project, root: &Path) -> std::io::Result<Project> {
    let mut config: Config = project.config.clone();
    for model in [&mut config.models.embedder, &mut config.models.reranker] {
        *model = model.with_whole_path(&project.root)?;
    }
    config.documents = crate::config::Documents {
        paths: vec![".".into()],
        ..crate::config::Documents::default()
    };
    config.access = Vec::new();
    Ok(Project::with(root.to_owned(), config))
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
    fn only_what_changes_is_otherwise() {
        let asked = Gold {
            id: QuestionId::new("q"),
            question: "How long?".into(),
            answers: vec!["30 days".into()],
            all_together: false,
            passage: None,
            context: None,
        };
        let change = Change {
            facts: vec![Fact {
                asked,
                document: "a".into(),
                before: "30 days".into(),
                after: "41 days".into(),
            }],
            texts: [("a", "Within 30 days."), ("b", "After 30 days.")]
                .map(|(document, text)| (document.to_owned(), text.to_owned()))
                .into(),
        };
        let check = |round: Round, expect: &[(&str, &str)]| {
            let found = change.texts_in(round);
            let found: Vec<(&str, &str)> = found.iter().map(|(id, text)| (*id, &**text)).collect();
            assert_eq!(found, expect, "{round:?}");
        };
        check(
            Round::Before,
            &[("a", "Within 30 days."), ("b", "After 30 days.")],
        );
        check(
            Round::Changed,
            &[("a", "Within 41 days."), ("b", "After 30 days.")],
        );
        check(Round::Removed, &[("b", "After 30 days.")]);
        check(
            Round::Added,
            &[("a", "Within 41 days."), ("b", "After 30 days.")],
        );
    }
}
