//! Why an answer is right or wrong: whether retrieval missed what was needed, the generator
//! erred with it before its eyes, or the label is doubtful.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metric::squad::{normalised, token_f1};
use crate::{Gold, Prediction};

/// From which share of words on, by F1, other candidates' answers say the same.
const SAME: f64 = 0.8;
/// From which value of the deciding metric on, as a share of its largest, an answer is right.
const RIGHT: f64 = 0.5;

/// Why an answer is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It is right.
    Right,
    /// It refused a question that has no answer.
    RefusedRightly,
    /// It answered a question that has no answer.
    MadeUp,
    /// It refused though the evidence has the answer, or none was looked for.
    RefusedWrongly,
    /// The evidence does not have the answer.
    RetrieverMissed,
    /// The evidence has the answer, and it says something else.
    GeneratorErred,
    /// It had no evidence and did not know.
    DidNotKnow,
    /// Most candidates say the same other thing, or the evidence says that and not the label.
    LabelDoubtful,
    /// There is no answer: the candidate failed.
    Failed,
}

impl Cause {
    /// Returns it in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::RefusedRightly => "rightly refused",
            Self::MadeUp => "made up an answer",
            Self::RefusedWrongly => "refused wrongly",
            Self::RetrieverMissed => "retriever missed",
            Self::GeneratorErred => "generator erred",
            Self::DidNotKnow => "did not know",
            Self::LabelDoubtful => "label doubtful",
            Self::Failed => "failed",
        }
    }
}

/// A candidate's answer with its value by the deciding metric, as a share of the largest.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The answer; none if there is none.
    pub answer: Option<&'a Prediction>,
    /// How good it is, 0 to 1; for metrics of which less is better, 1 less it.
    pub value: f64,
}

/// Says of each candidate's answer to one question why it is as it is.
pub fn causes(gold: &Gold, answers: &[Judged<'_>]) -> Vec<Cause> {
    let doubtful = is_doubtful(gold, answers);
    answers
        .iter()
        .map(|judged| match judged.answer {
            None => Cause::Failed,
            Some(answer) if answer.failure.is_some() => Cause::Failed,
            Some(answer) if gold.is_unanswerable() => match answer.refused {
                true => Cause::RefusedRightly,
                false if answer.said().trim().is_empty() => Cause::RefusedRightly,
                false => Cause::MadeUp,
            },
            Some(_) if judged.value >= RIGHT => Cause::Right,
            Some(_) if doubtful => Cause::LabelDoubtful,
            Some(answer) => of_wrong(gold, answer),
        })
        .collect()
}

fn of_wrong(gold: &Gold, answer: &Prediction) -> Cause {
    match (answer.evidence.is_empty(), has_answer(gold, answer)) {
        (false, false) => Cause::RetrieverMissed,
        (_, true) if answer.refused => Cause::RefusedWrongly,
        (_, true) => Cause::GeneratorErred,
        (true, false) if answer.refused => Cause::RefusedWrongly,
        (true, false) => Cause::DidNotKnow,
    }
}

/// Returns whether the evidence has one of the right answers word for word, or the text that
/// the question was made from.
fn has_answer(gold: &Gold, answer: &Prediction) -> bool {
    let source = gold.context.as_deref().map(normalised);
    let right: Vec<String> = gold.answers.iter().map(|it| normalised(it)).collect();
    answer.evidence.iter().any(|evidence| {
        let text = format!(" {} ", normalised(&evidence.text));
        let is_source = source.as_deref().is_some_and(|source| {
            !source.is_empty() && text.contains(source)
                || source.contains(text.trim()) && text.len() > 42
        });
        let has = |gold: &String| !gold.is_empty() && text.contains(&format!(" {gold} "));
        is_source || right.iter().any(has)
    })
}

/// Returns whether the label is doubtful: at least two candidates, and more than half, say the
/// same thing, which is not the label, and the evidence of one of them has it word for word.
fn is_doubtful(gold: &Gold, answers: &[Judged<'_>]) -> bool {
    if gold.is_unanswerable() {
        return false;
    }
    let said: Vec<(String, &Prediction)> = answers
        .iter()
        .filter(|it| it.value < RIGHT)
        .filter_map(|it| it.answer)
        .filter(|it| !it.refused && it.failure.is_none())
        .map(|it| (normalised(&it.said()), it))
        .filter(|(text, _)| !text.is_empty())
        .collect();
    said.iter().any(|(text, _)| {
        let same: Vec<&Prediction> = said
            .iter()
            .filter(|(other, _)| token_f1(other, std::slice::from_ref(text)) >= SAME)
            .map(|(_, answer)| *answer)
            .collect();
        // Whoever stands alone is not looked up in long texts.
        if same.len() < 2 || 2 * same.len() <= answers.len() {
            return false;
        }
        let words = format!(" {text} ");
        same.iter()
            .flat_map(|it| &it.evidence)
            .any(|evidence| format!(" {} ", normalised(&evidence.text)).contains(&words))
    })
}

/// Counts causes.
pub fn tally(causes: impl IntoIterator<Item = Cause>) -> BTreeMap<Cause, usize> {
    let mut counts = BTreeMap::new();
    for cause in causes {
        *counts.entry(cause).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;

    use super::*;
    use crate::GivenEvidence;

    fn gold(answers: &[&str]) -> Gold {
        Gold {
            id: QuestionId::new("q"),
            question: "How long?".into(),
            answers: answers.iter().map(|it| (*it).to_owned()).collect(),
            all_together: false,
            passage: None,
            context: None,
        }
    }

    fn answer(said: &str, evidence: &[&str]) -> Prediction {
        let given = evidence.iter().map(|text| GivenEvidence {
            document: "a.md".into(),
            text: (*text).into(),
            score: None,
        });
        Prediction {
            evidence: given.collect(),
            ..Prediction::new(QuestionId::new("q"), said)
        }
    }

    fn check(gold: &Gold, answer: &Prediction, value: f64, expect: Cause) {
        let judged = Judged {
            answer: Some(answer),
            value,
        };
        assert_eq!(causes(gold, &[judged]), [expect]);
    }

    #[test]
    fn a_wrong_answer_has_a_cause() {
        let gold = gold(&["30 days"]);
        let (has, lacks) = ("within the 30 days of it", "within 130 days");
        check(&gold, &answer("30 days", &[has]), 1.0, Cause::Right);
        check(
            &gold,
            &answer("60 days", &[lacks]),
            0.0,
            Cause::RetrieverMissed,
        );
        check(
            &gold,
            &answer("60 days", &[lacks, has]),
            0.0,
            Cause::GeneratorErred,
        );
        check(&gold, &answer("60 days", &[]), 0.0, Cause::DidNotKnow);
        let mut refusal = answer("", &[has]);
        refusal.refused = true;
        check(&gold, &refusal, 0.0, Cause::RefusedWrongly);
        let failed = Prediction::failed(QuestionId::new("q"), "out of memory");
        check(&gold, &failed, 0.0, Cause::Failed);
    }

    #[test]
    fn to_answer_what_has_no_answer_is_making_it_up() {
        let gold = gold(&[]);
        check(&gold, &answer("30 days", &[]), 0.0, Cause::MadeUp);
        check(&gold, &answer("", &[]), 1.0, Cause::RefusedRightly);
    }

    #[test]
    fn a_label_against_which_all_and_the_evidence_speak_is_doubtful() {
        let gold = gold(&["60 days"]);
        let answers = [
            answer("30 days", &["It is 30 days."]),
            answer("the 30 days", &[]),
            answer("60 days", &[]),
        ];
        let judged: Vec<Judged<'_>> = answers
            .iter()
            .zip([0.0, 0.0, 1.0])
            .map(|(answer, value)| Judged {
                answer: Some(answer),
                value,
            })
            .collect();
        let expect = [Cause::LabelDoubtful, Cause::LabelDoubtful, Cause::Right];
        assert_eq!(causes(&gold, &judged), expect);
    }
}
