//! What a judge's replies come to, and how far they can be believed.

use std::collections::BTreeMap;

use contract::QuestionId;
use serde::{Deserialize, Serialize};

use super::{Asked, Grade, Grounded, Judging, Opinion, Preference};
use crate::metric::{Agreement, agreement};

/// A person's grade of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HumanLabel {
    /// The question.
    #[serde(alias = "id")]
    pub question: QuestionId,
    /// Whose answer; nothing, where there is only one candidate.
    #[serde(default)]
    pub candidate: Option<String>,
    /// Of which seed, as a run's number; the first, unless said.
    #[serde(default)]
    pub seed: usize,
    /// The grade.
    #[serde(alias = "label", alias = "verdict")]
    pub grade: Grade,
}

/// What a judge said of a candidate's answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Graded {
    /// How many answers have which grade.
    pub grades: BTreeMap<Grade, usize>,
    /// How many of those with evidence rest on it how far.
    pub grounded: BTreeMap<Grounded, usize>,
    /// Answers of which the reply could not be read: they have no grade.
    pub unreadable: usize,
}

/// What a judge said of two candidates' answers, each pair shown in both orders.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PairTally {
    /// The one candidate.
    pub one: String,
    /// The other.
    pub other: String,
    /// Questions of which the one's answer is better, in both orders.
    pub one_better: usize,
    /// Questions of which the other's answer is better, in both orders.
    pub other_better: usize,
    /// Questions of which neither is, or the one in one order and the other in the other.
    pub ties: usize,
    /// Questions of which a reply could not be read.
    pub unreadable: usize,
    /// What became of the preference when the two changed places.
    pub swapped: Swapped,
}

/// What became of preferences when two answers changed places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swapped {
    /// The same answer was preferred, or neither, in both orders.
    pub same: usize,
    /// The one that stood first was preferred in both orders.
    pub first: usize,
    /// The one that stood second was preferred in both orders.
    pub second: usize,
    /// One order gave a tie, the other not.
    pub half: usize,
}

/// All that a judge's replies come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JudgeTally {
    /// Of each candidate.
    pub candidates: BTreeMap<String, Graded>,
    /// Answers that were graded twice, with another seed, and how many of them alike.
    pub again: (usize, usize),
    /// Of each two candidates.
    pub pairs: Vec<PairTally>,
    /// How the judge agrees with people, where they graded some of the answers.
    pub agreement: Option<Agreement>,
    /// How many answers people graded that the judge did not, or not readably.
    pub not_judged: usize,
    /// How often the judge was asked, counting each attempt.
    pub calls: u64,
    /// Replies that had to be asked for again or given up, for they could not be read.
    pub unreadable_replies: u64,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Counts what a judge said, and holds it against `people`.
pub fn tally(judgings: &[Judging], people: &[HumanLabel]) -> JudgeTally {
    let mut found = JudgeTally::default();
    let mut first: BTreeMap<(&str, usize, &QuestionId), Option<Opinion>> = BTreeMap::new();
    for it in judgings {
        found.calls += u64::from(it.attempts);
        let readable = u64::from(!it.is_unreadable());
        found.unreadable_replies += u64::from(it.attempts) - readable;
        found.prompt_tokens += it.prompt_tokens;
        found.completion_tokens += it.completion_tokens;
        found.seconds += it.seconds;
        if it.asked != Asked::Grade {
            continue;
        }
        first.insert((&it.candidate, it.seed, &it.question), it.opinion);
        let graded = found.candidates.entry(it.candidate.clone()).or_default();
        match it.opinion {
            Some(opinion) => {
                *graded.grades.entry(opinion.grade).or_default() += 1;
                if let Some(grounded) = opinion.grounded {
                    *graded.grounded.entry(grounded).or_default() += 1;
                }
            }
            None => graded.unreadable += 1,
        }
    }
    for it in judgings.iter().filter(|it| it.asked == Asked::Again) {
        let before = first.get(&(it.candidate.as_str(), it.seed, &it.question));
        if let (Some(now), Some(Some(before))) = (it.opinion, before) {
            found.again.0 += 1;
            found.again.1 += usize::from(now.grade == before.grade);
        }
    }
    found.pairs = pairs(judgings);
    let mut both = Vec::new();
    for label in people {
        let mine = first.iter().filter(|((candidate, seed, question), _)| {
            label.candidate.as_deref().is_none_or(|it| it == *candidate)
                && *seed == label.seed
                && **question == label.question
        });
        let mut opinions = mine.filter_map(|(_, opinion)| *opinion);
        match opinions.next() {
            Some(opinion) => both.push((label.grade, opinion.grade)),
            None => found.not_judged += 1,
        }
    }
    found.agreement = agreement(&both, &Grade::ALL);
    found
}

fn pairs(judgings: &[Judging]) -> Vec<PairTally> {
    type Names = (String, String);
    type InBothOrders = [Option<Option<Preference>>; 2];
    // For each two candidates and question: the reply when the first by name stood first, and
    // when it stood second.
    let mut both: BTreeMap<Names, BTreeMap<(usize, QuestionId), InBothOrders>> = BTreeMap::new();
    for it in judgings {
        let Asked::Pair { other } = &it.asked else {
            continue;
        };
        let turned = it.candidate > *other;
        let names = match turned {
            false => (it.candidate.clone(), other.clone()),
            true => (other.clone(), it.candidate.clone()),
        };
        let replies = both.entry(names).or_default();
        let replies = replies.entry((it.seed, it.question.clone())).or_default();
        replies[usize::from(turned)] = Some(it.preference);
    }
    let counted = both.into_iter().map(|((one, other), questions)| {
        let mut found = PairTally {
            one,
            other,
            ..PairTally::default()
        };
        for replies in questions.into_values() {
            let [Some(straight), Some(turned)] = replies else {
                // The other order was not asked yet.
                continue;
            };
            count_pair(&mut found, straight, turned);
        }
        found
    });
    counted.collect()
}

fn count_pair(found: &mut PairTally, straight: Option<Preference>, turned: Option<Preference>) {
    use Preference::{First, Second, Tie};
    let (Some(straight), Some(turned)) = (straight, turned) else {
        found.unreadable += 1;
        return;
    };
    match (straight, turned) {
        (First, Second) => {
            found.one_better += 1;
            found.swapped.same += 1;
        }
        (Second, First) => {
            found.other_better += 1;
            found.swapped.same += 1;
        }
        (Tie, Tie) => {
            found.ties += 1;
            found.swapped.same += 1;
        }
        (First, First) => {
            found.ties += 1;
            found.swapped.first += 1;
        }
        (Second, Second) => {
            found.ties += 1;
            found.swapped.second += 1;
        }
        (Tie, _) | (_, Tie) => {
            found.ties += 1;
            found.swapped.half += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judging(candidate: &str, question: &str, asked: Asked) -> Judging {
        Judging {
            candidate: candidate.into(),
            seed: 0,
            question: QuestionId::new(question),
            asked,
            opinion: None,
            preference: None,
            reply: String::new(),
            attempts: 1,
            prompt_tokens: 10,
            completion_tokens: 2,
            seconds: 0.5,
        }
    }

    fn graded(candidate: &str, question: &str, asked: Asked, grade: Option<Grade>) -> Judging {
        Judging {
            opinion: grade.map(|grade| Opinion {
                grade,
                grounded: None,
            }),
            ..judging(candidate, question, asked)
        }
    }

    fn pair(one: &str, other: &str, question: &str, preference: Option<Preference>) -> Judging {
        let other = other.to_owned();
        Judging {
            preference,
            ..judging(one, question, Asked::Pair { other })
        }
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_no_grade() {
        let judgings = [
            graded("rag", "a", Asked::Grade, Some(Grade::Correct)),
            graded("rag", "b", Asked::Grade, None),
            graded("rag", "a", Asked::Again, Some(Grade::Wrong)),
            graded("rag", "b", Asked::Again, Some(Grade::Wrong)),
        ];
        let found = tally(&judgings, &[]);
        let rag = &found.candidates["rag"];
        assert_eq!(rag.grades, BTreeMap::from([(Grade::Correct, 1)]));
        assert_eq!((rag.unreadable, found.unreadable_replies), (1, 1));
        assert_eq!(found.again, (1, 0));
        assert_eq!(
            (found.calls, found.prompt_tokens, found.seconds),
            (4, 40, 2.0)
        );
        assert_eq!(found.agreement, None);
    }

    #[test]
    fn a_preference_counts_where_it_survives_the_change_of_places() {
        use Preference::{First, Second, Tie};
        let check =
            |straight: Option<Preference>, turned: Option<Preference>, expect: [usize; 8]| {
                let judgings = [pair("a", "b", "q", straight), pair("b", "a", "q", turned)];
                let found = &tally(&judgings, &[]).pairs[0];
                let it = found.swapped;
                let counts = [
                    found.one_better,
                    found.other_better,
                    found.ties,
                    found.unreadable,
                    it.same,
                    it.first,
                    it.second,
                    it.half,
                ];
                assert_eq!(counts, expect, "{straight:?} {turned:?}");
            };
        check(Some(First), Some(Second), [1, 0, 0, 0, 1, 0, 0, 0]);
        check(Some(Second), Some(First), [0, 1, 0, 0, 1, 0, 0, 0]);
        check(Some(First), Some(First), [0, 0, 1, 0, 0, 1, 0, 0]);
        check(Some(Second), Some(Second), [0, 0, 1, 0, 0, 0, 1, 0]);
        check(Some(Tie), Some(First), [0, 0, 1, 0, 0, 0, 0, 1]);
        check(Some(First), None, [0, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn people_are_held_against_the_judge() {
        let judgings = [
            graded("rag", "a", Asked::Grade, Some(Grade::Correct)),
            graded("rag", "b", Asked::Grade, Some(Grade::Wrong)),
            graded("prompt", "a", Asked::Grade, Some(Grade::Wrong)),
            graded("prompt", "b", Asked::Grade, None),
        ];
        let label = |candidate: &str, question: &str, grade: Grade| HumanLabel {
            question: QuestionId::new(question),
            candidate: Some(candidate.into()),
            seed: 0,
            grade,
        };
        let people = [
            label("rag", "a", Grade::Correct),
            label("rag", "b", Grade::Partly),
            label("prompt", "a", Grade::Wrong),
            label("prompt", "b", Grade::Wrong),
        ];
        let found = tally(&judgings, &people);
        let agreement = found.agreement.unwrap();
        assert_eq!((agreement.judged, found.not_judged), (3, 1));
        assert!((agreement.observed - 2.0 / 3.0).abs() < 1e-12);
    }
}
