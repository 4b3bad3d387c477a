//! The report of a comparison: the same figures as Markdown, as JSON, and as one HTML page that
//! needs no network.
//!
//! A report is plain data ([`Report`]); what makes it knows no layout, and what writes it
//! computes nothing.

mod amount;
mod html;
mod markdown;
mod plot;
pub mod tables;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::compare::{CandidateAnswers, Compared};
use crate::flips::Flips;
use crate::shares::shares;
use crate::why::{Cause, Judged, causes, tally};
use crate::{GoldSet, Prediction};

pub use html::html;
pub use markdown::markdown;

/// All that is reported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What was compared.
    pub title: String,
    /// When, where and by which version: lines for people.
    pub made: Vec<String>,
    /// The verdict, the figures, the plan.
    #[serde(flatten)]
    pub compared: Compared,
    /// When the verdict flips, if it was asked.
    pub flips: Option<Flips>,
    /// How often each candidate's answers have which cause.
    pub causes: BTreeMap<String, BTreeMap<Cause, usize>>,
    /// Curves of learning.
    pub curves: Vec<Curve>,
    /// What was tried beside the questions: freshness, forgetting, noise, …
    pub drills: Vec<Drill>,
    /// What the reader must know before believing it: skipped steps, few questions, failures.
    pub warnings: Vec<String>,
    /// Questions with all answers, those first on which candidates differ most.
    pub questions: Vec<QuestionRow>,
    /// How many questions are not among these.
    pub questions_left_out: usize,
}

/// How something changed while a model learnt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Whose: `fine-tuned, seed 2`.
    pub name: String,
    /// What: `loss on the dev set`.
    pub what: String,
    /// Steps with values.
    pub points: Vec<(f64, f64)>,
}

/// Something that was tried with each candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drill {
    /// What: `freshness: a document changed`.
    pub name: String,
    /// What is shown of each row. One more than a row has cells if the first says what the rows
    /// are; else they are candidates.
    pub columns: Vec<String>,
    /// The rows: whose they are, and their cells.
    pub rows: Vec<(String, Vec<String>)>,
    /// What it means.
    pub says: String,
}

impl Drill {
    /// Returns what stands above its columns, the rows' own first.
    fn heads(&self) -> Vec<&str> {
        let cells = self.rows.iter().map(|(_, cells)| cells.len()).max();
        let named = cells.is_some_and(|cells| self.columns.len() > cells);
        let first = (!named).then_some("candidate");
        let columns = self.columns.iter().map(String::as_str);
        first.into_iter().chain(columns).collect()
    }
}

/// A question with all candidates' answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuestionRow {
    /// Who it is.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// What counts as right; none where to refuse is.
    pub gold: Vec<String>,
    /// Each candidate's answer of its first seed.
    pub answers: Vec<AnswerCell>,
}

/// A candidate's answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerCell {
    /// Who answers.
    pub candidate: String,
    /// What.
    pub answer: String,
    /// Whether it refused.
    pub refused: bool,
    /// Its value by the deciding metric, the mean over the seeds.
    pub value: Option<f64>,
    /// Why it is as it is.
    pub cause: Cause,
    /// What it was given: documents with what they say.
    pub evidence: Vec<(String, String)>,
}

/// How many letters of a text are shown.
const SHOWN: usize = 600;

impl Report {
    /// Puts together what was compared, with the causes and at most `most` questions.
    pub fn new(
        title: impl Into<String>,
        gold: &GoldSet,
        candidates: &[CandidateAnswers],
        compared: Compared,
        most: usize,
    ) -> Self {
        let metric = compared.plan.metric;
        let first_runs: Vec<Vec<Option<&Prediction>>> = candidates
            .iter()
            .map(|candidate| {
                let mut answers = vec![None; gold.len()];
                for answer in candidate.runs.first().into_iter().flatten() {
                    if let Some(place) = gold.place(&answer.question) {
                        answers[place] = Some(answer);
                    }
                }
                answers
            })
            .collect();
        let largest = metric.largest().unwrap_or(100.0);
        let value = |candidate: usize, question: usize| {
            compared.candidates[candidate].by_question[question]
        };
        let as_share = |value: Option<f64>| {
            let share = value.unwrap_or(0.0) / largest;
            if metric.more_is_better() {
                share
            } else {
                1.0 - share
            }
        };
        let mut all_causes = vec![Vec::new(); candidates.len()];
        let mut spread: Vec<(f64, usize)> = Vec::new();
        let of_one = |question: usize| {
            let judged: Vec<Judged<'_>> = (0..candidates.len())
                .map(|candidate| Judged {
                    answer: first_runs[candidate][question],
                    value: as_share(value(candidate, question)),
                })
                .collect();
            let values = || judged.iter().map(|it| it.value);
            let most = values().fold(f64::NEG_INFINITY, f64::max);
            let least = values().fold(f64::INFINITY, f64::min);
            (most - least, causes(&gold.questions()[question], &judged))
        };
        let parts = shares(gold.len(), |range| range.map(of_one).collect::<Vec<_>>());
        for (question, (apart, causes)) in parts.into_iter().flatten().enumerate() {
            spread.push((apart, question));
            for (all, cause) in all_causes.iter_mut().zip(causes) {
                all.push(cause);
            }
        }
        spread.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let questions: Vec<QuestionRow> = spread
            .iter()
            .take(most)
            .map(|(_, question)| {
                let right = &gold.questions()[*question];
                let cell = |candidate: usize| {
                    let answer = first_runs[candidate][*question];
                    AnswerCell {
                        candidate: candidates[candidate].name.clone(),
                        answer: answer.map_or(String::new(), said),
                        refused: answer.is_some_and(|it| it.refused),
                        value: value(candidate, *question),
                        cause: all_causes[candidate][*question],
                        evidence: answer.map_or(Vec::new(), |it| {
                            let given = it.evidence.iter();
                            given
                                .map(|it| (it.document.clone(), cut(&it.text)))
                                .collect()
                        }),
                    }
                };
                QuestionRow {
                    id: right.id.to_string(),
                    question: cut(&right.question),
                    gold: right.answers.iter().map(|it| cut(it)).collect(),
                    answers: (0..candidates.len()).map(cell).collect(),
                }
            })
            .collect();
        let names = candidates.iter().map(|it| it.name.clone());
        Self {
            title: title.into(),
            made: Vec::new(),
            flips: None,
            causes: names.zip(all_causes.into_iter().map(tally)).collect(),
            curves: Vec::new(),
            drills: Vec::new(),
            warnings: warnings(gold, &compared),
            questions_left_out: gold.len() - questions.len(),
            questions,
            compared,
        }
    }

    /// Returns the report as indented JSON, as `docs/json.md` describes it.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is only texts and finite numbers")
    }
}

fn said(answer: &Prediction) -> String {
    match &answer.failure {
        Some(why) => format!("(failed: {})", cut(why)),
        None => cut(&answer.answer),
    }
}

/// Returns what is shown of a text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Says what makes the figures doubtful.
fn warnings(gold: &GoldSet, compared: &Compared) -> Vec<String> {
    let mut found = Vec::new();
    let metric = compared.plan.metric;
    if compared.questions < 50 {
        found.push(format!(
            "{} questions are few: only large differences can be seen with them",
            compared.questions
        ));
    }
    if compared.clusters < compared.questions {
        found.push(format!(
            "the {} questions were made from {} passages; intervals count the passages",
            compared.questions, compared.clusters
        ));
    }
    if !gold.twice().is_empty() {
        found.push(format!(
            "{} questions came more than once; the first of each was asked",
            gold.twice().len()
        ));
    }
    found.extend(compared.silent.clone());
    for candidate in &compared.candidates {
        if candidate.failed > 0 {
            found.push(format!(
                "`{}` gave no answer {} times; each counts as wrong",
                candidate.name, candidate.failed
            ));
        }
        if candidate.unknown > 0 {
            found.push(format!(
                "{} answers of `{}` are to questions that were not asked, and do not count",
                candidate.unknown, candidate.name
            ));
        }
        if let Some(score) = candidate.metrics.get(metric.name())
            && score.by_seed.len() == 2
        {
            found.push(format!(
                "`{}` was trained with two seeds only, which say little of what another would make \
                 of it; its intervals are wide for that, and a third seed narrows them",
                candidate.name
            ));
        }
    }
    found
}
