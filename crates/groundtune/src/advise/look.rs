//! What a project and its examples already say: answers to be proposed, never taken silently.

use std::path::PathBuf;

use corpus::examples::ReadExamples;
use eval::advice::answers::{Answers, Pace};
use eval::advice::question;
use search::store::Snapshot;

use super::AdviseError;
use crate::Project;
use crate::data::audit::{AuditRequest, Verdict, audit};

const DAY_NS: i64 = 86_400_000_000_000;

/// An answer that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The question.
    pub key: &'static str,
    /// The answer, as it is typed.
    pub answer: String,
    /// Where it comes from.
    pub seen: String,
}

impl Proposal {
    /// Answers the question with it, where nobody has answered.
    pub fn take(&self, answers: &mut Answers) {
        if question::get(answers, self.key).is_none() {
            question::set(answers, self.key, &self.answer)
                .expect("what is proposed is an answer to its question");
        }
    }
}

/// Returns what the store of `project` says; nothing if nothing was ingested yet.
///
/// # Errors
/// If the store is damaged.
pub fn look_at_project(project: &Project) -> Result<Vec<Proposal>, AdviseError> {
    let folder = project.store_folder();
    if !folder.exists() {
        return Ok(vec![]);
    }
    let snapshot = Snapshot::open(&folder)?;
    snapshot.begin()?;
    let totals = snapshot.totals()?;
    let modified: Vec<i64> = snapshot
        .sources()?
        .iter()
        .map(|it| it.modified_ns)
        .collect();
    snapshot.end()?;
    if totals.documents == 0 {
        return Ok(vec![]);
    }
    let mut found = vec![
        Proposal {
            key: "documents",
            answer: totals.documents.to_string(),
            seen: "the project's store".into(),
        },
        Proposal {
            key: "document_bytes",
            answer: totals.bytes.to_string(),
            seen: "the project's store".into(),
        },
    ];
    if let Some((pace, days, span)) = pace(&modified) {
        found.push(Proposal {
            key: "changes",
            answer: pace.word().into(),
            seen: format!("the files' dates: changed on {days} days of {span}"),
        });
    }
    Ok(found)
}

/// Returns how often files changed, on how many days, and over how many, if their dates say:
/// copied files all have one date, which says nothing.
fn pace(modified_ns: &[i64]) -> Option<(Pace, usize, i64)> {
    let mut days: Vec<i64> = modified_ns.iter().map(|it| it.div_euclid(DAY_NS)).collect();
    days.sort_unstable();
    days.dedup();
    let span = days.last()? - days.first()?;
    if days.len() < 3 || span < 7 {
        return None;
    }
    let per_year = (days.len() - 1) as f64 / span as f64 * 365.0;
    // The nearest pace, where twice as often and half as often are as far away; that it changes
    // all the time no file's date can say.
    let distance = |pace: &Pace| (pace.per_year() / per_year).ln().abs();
    let paces = [
        Pace::Yearly,
        Pace::Quarterly,
        Pace::Monthly,
        Pace::Weekly,
        Pace::Daily,
    ];
    let nearest = paces
        .into_iter()
        .min_by(|one, other| distance(one).total_cmp(&distance(other)))?;
    Some((nearest, days.len(), span))
}

/// Returns what examples in files say, as `groundtune data audit` sees them.
///
/// # Errors
/// If they cannot be read.
pub fn look_at_examples(files: &[PathBuf]) -> Result<Vec<Proposal>, AdviseError> {
    let request = AuditRequest {
        files,
        ..AuditRequest::default()
    };
    let report = audit(&request, &ReadExamples::default(), &mut |_| {})?.audit;
    let seen = "`groundtune data audit`".to_owned();
    let bad = report
        .findings
        .iter()
        .filter(|it| it.verdict == Verdict::Act);
    let bad: Vec<String> = bad.map(|it| it.criterion.to_string()).collect();
    let examples = report.size.examples;
    let mut found = vec![
        Proposal {
            key: "examples",
            answer: examples.to_string(),
            seen: seen.clone(),
        },
        Proposal {
            key: "examples_good",
            answer: if bad.is_empty() { "yes" } else { "no" }.into(),
            seen: match bad.as_slice() {
                [] => format!("{seen}: nothing to be done about them"),
                bad => format!("{seen}: something to be done about {}", bad.join(", ")),
            },
        },
    ];
    if examples > 0 {
        // About four tokens for three words of English.
        let tokens = (report.size.words as f64 / examples as f64 * 4.0 / 3.0).ceil();
        found.push(Proposal {
            key: "tokens_per_example",
            answer: tokens.max(1.0).to_string(),
            seen: format!("{seen}: four tokens for three words"),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_tell_how_often_files_change() {
        let check = |days: &[i64], expect: Option<Pace>| {
            let dates: Vec<i64> = days.iter().map(|day| day * DAY_NS + 12).collect();
            assert_eq!(pace(&dates).map(|it| it.0), expect, "{days:?}");
        };
        // Copied today, or hardly a history.
        check(&[20_000; 30], None);
        check(&[], None);
        check(&[1, 2, 3], None);
        check(&[0, 400], None);
        check(&[0, 7, 14, 21, 28], Some(Pace::Weekly));
        check(&[0, 31, 59, 90, 120, 120], Some(Pace::Monthly));
        check(&(0..60).collect::<Vec<_>>(), Some(Pace::Daily));
        check(&[0, 90, 180, 270], Some(Pace::Quarterly));
        check(&[0, 400, 800], Some(Pace::Yearly));
        check(&[-800, 0, 800], Some(Pace::Yearly));
    }

    #[test]
    fn a_proposal_never_takes_an_answer_away() {
        let proposal = Proposal {
            key: "changes",
            answer: "weekly".into(),
            seen: "the files' dates".into(),
        };
        let mut answers = Answers::default();
        proposal.take(&mut answers);
        assert_eq!(answers.changes, Some(Pace::Weekly));
        answers.changes = Some(Pace::Never);
        proposal.take(&mut answers);
        assert_eq!(answers.changes, Some(Pace::Never));
    }
}
