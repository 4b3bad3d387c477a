//! What is found for each question, once for all candidates; and how much of it is shown.
//!
//! How many passages are shown and how good they must be is chosen on the development
//! questions, before anybody is examined: retrieval that nobody tuned is not what tuning a
//! model should be compared with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use contract::{Evidence, QuestionId, Share};
use eval::ranking::{Measure, Qrels, Run, evaluate};
use eval::{GivenEvidence, Gold};
use search::store::Snapshot;
use serde::{Deserialize, Serialize};

use super::leaks::{Leaks, file_of};
use crate::models::Environment;
use crate::{Error, Project, Question, Session};

/// How deep is looked for evidence; what is shown is the beginning of it.
const DEPTH: usize = 10;
/// How deep is looked at most where passages give answers away and are passed over.
const DEEPEST: usize = 1000;
/// How many passages may be shown.
pub(super) const TOP_K: [usize; 5] = [1, 2, 3, 5, 8];
/// How good they may have to be.
const THRESHOLDS: [f64; 8] = [0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// What was found for a question, the best first, whatever its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FoundFor {
    /// The question.
    pub(super) question: QuestionId,
    /// The passages.
    pub(super) evidence: Vec<Evidence>,
    /// How long finding them took.
    pub(super) elapsed: Duration,
}

impl FoundFor {
    /// Returns what `shown` shows of it.
    pub(super) fn shown(&self, shown: &Shown) -> &[Evidence] {
        let good = self
            .evidence
            .iter()
            .take(shown.top_k)
            .take_while(|it| it.score >= shown.threshold)
            .count();
        &self.evidence[..good]
    }
}

/// How much of what is found is shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The most passages.
    pub top_k: usize,
    /// The least score of a passage.
    pub threshold: Share,
}

/// A setting that was tried, and what it found of the development questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The setting.
    pub shown: Shown,
    /// The share of the answerable questions whose answer stands in what is shown.
    pub recall: Option<f64>,
    /// The share of the unanswerable questions for which nothing is shown.
    pub silence: Option<f64>,
    /// The share of all questions for which one of the two is so: what is chosen by.
    pub right: f64,
    /// The mean over the answerable questions of one over the place of the first passage in
    /// which the answer stands, of all that was found (0 where it stands in none).
    #[serde(default)]
    pub rank: Option<f64>,
    /// Where the examples name the documents that answer them: nDCG@10 of the documents found,
    /// over the questions that name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ndcg: Option<f64>,
    /// The share of these questions for which a document that they name is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<f64>,
}

impl Trial {
    /// Returns a setting of which nothing is known yet.
    pub(super) fn untried(shown: Shown) -> Self {
        Self {
            shown,
            recall: None,
            silence: None,
            right: 0.0,
            rank: None,
            ndcg: None,
            named: None,
        }
    }

    /// Returns what is chosen by: the share of the questions that are served; where the examples
    /// name their documents, the mean of that and of nDCG. An answer of a word stands in many
    /// passages by chance, a document that was named does not.
    pub(super) fn merit(&self) -> f64 {
        match self.ndcg {
            Some(ndcg) => (self.right + ndcg) / 2.0,
            None => self.right,
        }
    }
}

/// All that was found, by question.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Findings {
    found: HashMap<QuestionId, FoundFor>,
}

impl Findings {
    /// Returns what was found, of what `shown` shows; nothing, where nobody looked.
    pub(super) fn shown(&self, question: &QuestionId, shown: &Shown) -> &[Evidence] {
        self.found
            .get(question)
            .map_or(&[][..], |found| found.shown(shown))
    }

    /// Returns how long it took to find.
    pub(super) fn elapsed(&self, question: &QuestionId) -> Duration {
        self.found
            .get(question)
            .map_or(Duration::ZERO, |found| found.elapsed)
    }

    pub(super) fn add(&mut self, found: FoundFor) {
        self.found.insert(found.question.clone(), found);
    }

    pub(super) fn knows(&self, question: &QuestionId) -> bool {
        self.found.contains_key(question)
    }
}

/// Documents, opened to be searched. What gives answers away is not found in them.
pub(super) struct Documents<'a> {
    session: Session,
    leaks: &'a Leaks,
}

impl<'a> Documents<'a> {
    /// Opens the documents of `project`, with the models that help to find.
    ///
    /// # Errors
    /// If nothing is ingested, or a model is not there.
    pub(super) fn open(
        project: &Project,
        environment: &Environment,
        leaks: &'a Leaks,
    ) -> Result<Self, Error> {
        let session = Session::open(project)?.with_models(project, environment)?;
        Ok(Self { session, leaks })
    }

    /// Finds evidence for a question.
    ///
    /// # Errors
    /// If the documents cannot be searched.
    pub(super) fn find(&mut self, asked: &Gold) -> Result<FoundFor, Error> {
        self.find_deep(asked, DEPTH)
    }

    /// Finds so many passages for a question, if there are so many.
    ///
    /// # Errors
    /// If the documents cannot be searched.
    pub(super) fn find_deep(&mut self, asked: &Gold, wanted: usize) -> Result<FoundFor, Error> {
        let started = Instant::now();
        let mut elapsed = None;
        let mut depth = wanted;
        loop {
            let reply = self.session.search(&Question {
                text: asked.question.clone(),
                top_k: Some(depth),
                ..Question::default()
            })?;
            // Documents without leaks would have been searched once.
            let elapsed = *elapsed.get_or_insert_with(|| started.elapsed());
            let all = reply.found.iter().map(|it| &it.evidence);
            let honest = all.filter(|it| !self.leaks.holds(it));
            let evidence: Vec<Evidence> = honest.take(wanted).cloned().collect();
            if evidence.len() == wanted || reply.found.len() < depth || depth >= DEEPEST {
                return Ok(FoundFor {
                    question: asked.id.clone(),
                    evidence,
                    elapsed,
                });
            }
            depth = (depth * 4).min(DEEPEST);
        }
    }
}

/// Returns what a candidate was given, as it is kept beside its answer; `text` says what it
/// read of each piece.
pub(super) fn given(
    evidence: &[Evidence],
    text: impl Fn(&Evidence) -> String,
) -> Vec<GivenEvidence> {
    let given = |found: &Evidence| GivenEvidence {
        document: found.document.to_string(),
        text: text(found),
        score: Some(found.score.get()),
    };
    evidence.iter().map(given).collect()
}

/// Tries each way of showing what was found on the development questions; for each number of
/// passages, the threshold with which most questions are served. The best first; of equals,
/// the one that shows less.
pub(super) fn trials(findings: &Findings, dev: &[Gold]) -> Vec<Trial> {
    best_trials(&TOP_K, &THRESHOLDS, |shown| trial(findings, dev, shown))
}

/// Returns of each number of pieces the trial with the threshold that serves most questions.
/// The best first; of equals, the one that shows less.
pub(super) fn best_trials(
    top_k: &[usize],
    thresholds: &[f64],
    trial: impl Fn(Shown) -> Trial,
) -> Vec<Trial> {
    let mut best: Vec<Trial> = top_k
        .iter()
        .map(|&top_k| {
            thresholds
                .iter()
                .map(|&threshold| {
                    let threshold = Share::clamped(threshold);
                    trial(Shown { top_k, threshold })
                })
                .reduce(|best, other| {
                    // Of equals the lower threshold: what it lets through may still help.
                    if other.right > best.right {
                        other
                    } else {
                        best
                    }
                })
                .expect("there are thresholds")
        })
        .collect();
    best.sort_by(|a, b| b.right.total_cmp(&a.right));
    best
}

fn trial(findings: &Findings, dev: &[Gold], shown: Shown) -> Trial {
    let (mut found, mut answerable, mut silent) = (0usize, 0usize, 0usize);
    let mut ranks = 0.0;
    for asked in dev {
        let evidence = findings.shown(&asked.id, &shown);
        if asked.answers.is_empty() {
            silent += usize::from(evidence.is_empty());
        } else {
            answerable += 1;
            found += usize::from(holds(evidence, &asked.answers));
            let all = findings
                .found
                .get(&asked.id)
                .map_or(&[][..], |it| &it.evidence);
            let first = all
                .iter()
                .position(|it| holds(std::slice::from_ref(it), &asked.answers));
            ranks += first.map_or(0.0, |place| 1.0 / (place + 1) as f64);
        }
    }
    let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
    Trial {
        recall: share(found, answerable),
        silence: share(silent, dev.len() - answerable),
        right: share(found + silent, dev.len()).unwrap_or(0.0),
        rank: (answerable > 0).then(|| ranks / answerable as f64),
        ..Trial::untried(shown)
    }
}

/// The documents that answer questions, where the examples name them.
pub(super) struct Named {
    documents: Qrels,
}

impl Named {
    /// Looks for the documents that `asked` are about among those of `project`, as `documents` name
    /// them, or else the passages that they were made from: a name is a file's path, the end of it,
    /// or its name with or without what its kind adds. Nothing, if none is there.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(super) fn of(
        project: &Project,
        asked: &[Gold],
        documents: &BTreeMap<QuestionId, String>,
    ) -> Result<Option<Self>, Error> {
        let answered = asked.iter().filter(|it| !it.is_unanswerable());
        let name = |it: &'_ Gold| {
            let passage = || it.passage.as_ref().map(|it| it.0.clone());
            documents.get(&it.id).cloned().or_else(passage)
        };
        let naming: Vec<(&Gold, String)> =
            answered.filter_map(|it| Some((it, name(it)?))).collect();
        if naming.is_empty() {
            return Ok(None);
        }
        let mut files: HashMap<String, BTreeSet<String>> = HashMap::new();
        for source in Snapshot::open(&project.store_folder())?.sources()? {
            for name in names_of(&source.id) {
                files.entry(name).or_default().insert(source.id.clone());
            }
        }
        let mut documents = Qrels::new();
        for (asked, name) in naming {
            for file in files.get(&name).into_iter().flatten() {
                documents.insert(asked.id.clone(), file.clone(), 1);
            }
        }
        Ok((!documents.is_empty()).then_some(Self { documents }))
    }

    /// Says in `trials` how the documents lie in what was found.
    pub(super) fn mark(&self, findings: &Findings, trials: &mut [Trial]) {
        let mut run = Run::new();
        for (question, _) in self.documents.iter() {
            run.ask(question.clone());
            let found = findings.found.get(question);
            for (place, it) in (0i32..).zip(found.iter().flat_map(|it| &it.evidence)) {
                // A document stands where its first passage does.
                let file = file_of(&it.document);
                run.insert(question.clone(), file, f64::from(-place));
            }
        }
        let ndcg = Measure::ndcg(DEPTH as u32);
        let report = evaluate(&self.documents, &run, &[ndcg]);
        for trial in trials {
            let shows = |question: &QuestionId, named: &BTreeMap<String, i32>| {
                let mut shown = findings.shown(question, &trial.shown).iter();
                shown.any(|it| named.contains_key(file_of(&it.document)))
            };
            let all = self.documents.iter();
            let shown = all
                .filter(|(question, named)| shows(question, named))
                .count();
            trial.ndcg = report.mean.get(&ndcg).copied();
            trial.named = Some(shown as f64 / self.documents.len() as f64);
        }
    }
}

/// Returns the names by which examples may name a file: `a/b/c.md`, `b/c.md`, `c.md`, `c`.
fn names_of(file: &str) -> Vec<String> {
    let mut names = vec![file.to_owned()];
    let parts = file.match_indices('/');
    names.extend(parts.map(|(at, _)| file[at + 1..].to_owned()));
    let stems = names.clone().into_iter();
    names.extend(stems.filter_map(|name| Some(name.rsplit_once('.')?.0.to_owned())));
    names
}

/// Returns for how many of the answerable questions an answer stands in what `shown` shows, and
/// how many there are.
pub(super) fn answers_shown(findings: &Findings, asked: &[Gold], shown: &Shown) -> (u64, u64) {
    let answerable = || asked.iter().filter(|it| !it.answers.is_empty());
    let there = |it: &&Gold| holds(findings.shown(&it.id, shown), &it.answers);
    (
        answerable().filter(there).count() as u64,
        answerable().count() as u64,
    )
}

/// Returns whether one of `answers` stands in the evidence: word for word, whatever its case
/// and what stands between the words; or, of an answer of several words, nine in ten of them
/// in one passage.
pub(super) fn holds(evidence: &[Evidence], answers: &[String]) -> bool {
    evidence.iter().any(|passage| {
        let passage = words(&passage.text);
        answers.iter().any(|answer| {
            let answer = words(answer);
            if answer.is_empty() {
                return false;
            }
            let whole = passage
                .windows(answer.len())
                .any(|window| window == answer.as_slice());
            let there = answer.iter().filter(|word| passage.contains(word)).count();
            whole || answer.len() > 2 && there * 10 >= answer.len() * 9
        })
    })
}

pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(text: &str, score: f64) -> Evidence {
        Evidence {
            score: Share::clamped(score),
            ..Evidence::of_text(text)
        }
    }

    fn asked(id: &str, answers: &[&str]) -> Gold {
        Gold {
            id: QuestionId::new(id),
            question: id.into(),
            answers: answers.iter().map(|it| (*it).into()).collect(),
            all_together: false,
            passage: None,
            context: None,
        }
    }

    #[test]
    fn an_answer_stands_in_a_passage() {
        let check = |text: &str, answer: &str, expect: bool| {
            assert_eq!(
                holds(&[passage(text, 1.0)], &[answer.into()]),
                expect,
                "{answer}"
            );
        };
        check("Returns within 30 days, please.", "30 Days", true);
        check("Returns within 130 days, please.", "30 days", false);
        check("It is free over $50 in the US.", "Free: over 50", true);
        check("Nothing.", "", false);
    }

    #[test]
    fn documents_that_examples_name_are_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let docs = folder.path().join("docs");
        fs_err::create_dir(&docs).unwrap();
        for name in ["red.md", "blue.md"] {
            fs_err::write(docs.join(name), format!("About {name}.")).unwrap();
        }
        let mut config = crate::Config::default();
        config.models.embedder = crate::ModelReference::None;
        let project = Project::with(folder.path().to_owned(), config);
        let told = &mut |_: crate::IngestEvent<'_>| std::ops::ControlFlow::Continue(());
        crate::ingest(&project, &crate::IngestRequest::default(), None, told).unwrap();
        let naming = |id: &str, named: &str| Gold {
            passage: Some(contract::PassageId(named.into())),
            ..asked(id, &["x"])
        };
        let dev = [
            naming("a", "red"),
            naming("b", "docs/blue.md"),
            naming("c", "green.md"),
            asked("d", &["x"]),
            asked("e", &["x"]),
        ];
        let documents = BTreeMap::from([(QuestionId::new("e"), "blue".to_owned())]);
        let of = |file: &str| Evidence {
            document: contract::DocumentId::new(format!("docs/{file}")),
            ..passage("text", 1.0)
        };
        let mut findings = Findings::default();
        for (id, evidence) in [
            ("a", vec![of("blue.md"), of("blue.md"), of("red.md")]),
            ("b", vec![of("blue.md")]),
            ("e", vec![of("blue.md")]),
        ] {
            findings.add(FoundFor {
                question: QuestionId::new(id),
                evidence,
                elapsed: Duration::ZERO,
            });
        }
        let named = Named::of(&project, &dev, &documents).unwrap().unwrap();
        let mut trials = [trial(
            &findings,
            &dev,
            Shown {
                top_k: 1,
                threshold: Share::ZERO,
            },
        )];
        named.mark(&findings, &mut trials);
        // The second document of two, and twice the first.
        let second = 1.0 / 3f64.log2();
        let ndcg = trials[0].ndcg.unwrap();
        assert!((ndcg - (second + 2.0) / 3.0).abs() < 1e-12, "{ndcg}");
        assert_eq!(trials[0].named, Some(2.0 / 3.0));
        assert_eq!(trials[0].merit(), ndcg / 2.0);
        assert!(
            Named::of(&project, &dev[2..4], &documents)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn the_threshold_that_serves_most_is_chosen() {
        let mut findings = Findings::default();
        for (id, evidence) in [
            ("a", vec![passage("no", 0.9), passage("it is red", 0.8)]),
            ("b", vec![passage("it is blue", 0.85)]),
            ("none", vec![passage("about red and blue", 0.55)]),
        ] {
            findings.add(FoundFor {
                question: QuestionId::new(id),
                evidence,
                elapsed: Duration::ZERO,
            });
        }
        let dev = [
            asked("a", &["red"]),
            asked("b", &["blue"]),
            asked("none", &[]),
        ];
        let trials = trials(&findings, &dev);
        assert_eq!(trials[0].shown.top_k, 2);
        assert_eq!(trials[0].shown.threshold.get(), 0.6);
        assert_eq!(trials[0].right, 1.0);
        assert_eq!(
            (trials[0].recall, trials[0].silence),
            (Some(1.0), Some(1.0))
        );
    }
}
