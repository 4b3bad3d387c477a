//! Format consistency: the same question in several forms of words, and whether the answer still
//! has the form that answers have, and says the same.
//!
//! The form is read from the right answers of all examples: JSON with their fields, one of their
//! labels, as many words as they have. A candidate that is given evidence has it looked for again
//! with the new words.

use std::collections::BTreeSet;

use eval::metric::squad::normalised;
use eval::{Gold, GoldSet, Prediction};
use serde::{Deserialize, Serialize};

use super::{Answered, Asks, Case, DrillKind, Ground, share};
use crate::compare::{AnswerKind, Arm, CompareError, Examination};

/// What a candidate's answers were like when the same was asked in other words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Formatted {
    /// Questions that were asked in all forms.
    pub questions: usize,
    /// What form is wanted, in words.
    pub wanted: String,
    /// The share of all answers that have it; refusals are none.
    pub in_form: f64,
    /// The share of the answers to the questions as they are.
    pub in_form_as_asked: f64,
    /// The share of the questions with the same answer to every form of words.
    pub same: f64,
    /// The deciding metric for the questions as they are, and for each other form.
    pub scores: Vec<f64>,
}

impl Formatted {
    /// Returns how far the best form of words is above the worst, by the deciding metric.
    pub fn spread(&self) -> f64 {
        let most = self
            .scores
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let least = self.scores.iter().copied().fold(f64::INFINITY, f64::min);
        (most - least).max(0.0)
    }
}

/// Other words for the same question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wording {
    /// Small letters, and no mark at the end.
    Careless,
    /// Between two polite sentences.
    Polite,
    /// With a wish behind it.
    Pressing,
}

impl Wording {
    const ALL: [Self; 3] = [Self::Careless, Self::Polite, Self::Pressing];

    fn as_str(self) -> &'static str {
        match self {
            Self::Careless => "careless",
            Self::Polite => "polite",
            Self::Pressing => "pressing",
        }
    }

    fn of(self, question: &str) -> String {
        match self {
            Self::Careless => {
                let small = question.to_lowercase();
                small.trim_end_matches(['?', '.', '!', ' ']).to_owned()
            }
            Self::Polite => format!("Hello, I would like to know this. {question} Thank you."),
            Self::Pressing => format!("{question} Please answer this as soon as you can."),
        }
    }
}

/// The form that answers have.
#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// JSON with all of these fields, and none but those.
    Json {
        always: BTreeSet<String>,
        ever: BTreeSet<String>,
    },
    /// One of these.
    Label(BTreeSet<String>),
    /// So many words, on one line or on several.
    Words {
        least: usize,
        most: usize,
        one_line: bool,
    },
}

impl Form {
    fn of(examination: &Examination) -> Self {
        let sets = [&examination.train, &examination.dev, &examination.test];
        let all = || sets.into_iter().flatten();
        let answers = || all().flat_map(|asked| &asked.answers);
        match examination.kind() {
            AnswerKind::Json => {
                let each: Vec<BTreeSet<String>> = answers().filter_map(|it| fields(it)).collect();
                Self::Json {
                    always: each
                        .iter()
                        .cloned()
                        .reduce(|all, one| all.intersection(&one).cloned().collect())
                        .unwrap_or_default(),
                    ever: each.into_iter().flatten().collect(),
                }
            }
            AnswerKind::Label => Self::Label(answers().map(|it| normalised(it)).collect()),
            AnswerKind::Tags | AnswerKind::Short | AnswerKind::Long => {
                let words = || answers().map(|it| it.split_whitespace().count());
                Self::Words {
                    least: words().min().unwrap_or(0),
                    most: words().max().unwrap_or(0),
                    one_line: answers().all(|it| !it.trim().contains('\n')),
                }
            }
        }
    }

    fn has(&self, answer: &str) -> bool {
        match self {
            Self::Json { always, ever } => {
                fields(answer).is_some_and(|it| it.is_superset(always) && it.is_subset(ever))
            }
            Self::Label(labels) => labels.contains(&normalised(answer)),
            Self::Words {
                least,
                most,
                one_line,
            } => {
                let words = answer.split_whitespace().count();
                (*least..=*most).contains(&words) && !(*one_line && answer.trim().contains('\n'))
            }
        }
    }

    fn says(&self) -> String {
        match self {
            Self::Json { always, .. } if always.is_empty() => "JSON".into(),
            Self::Json { always, .. } => {
                let names: Vec<String> = always.iter().map(|it| format!("`{it}`")).collect();
                format!("JSON with {}", names.join(", "))
            }
            Self::Label(labels) => format!("one of {} labels", labels.len()),
            Self::Words { least, most, .. } if least == most => format!("{most} words"),
            Self::Words { least, most, .. } => format!("{least} to {most} words"),
        }
    }
}

/// Returns the names of a JSON object's fields; of other JSON, none; of what is no JSON, nothing.
fn fields(text: &str) -> Option<BTreeSet<String>> {
    match serde_json::from_str(text.trim()).ok()? {
        serde_json::Value::Object(fields) => {
            Some(fields.into_iter().map(|(name, _)| name).collect())
        }
        _ => Some(BTreeSet::new()),
    }
}

/// Asks in other words.
pub(super) struct Reworded;

impl Asks for Reworded {
    type Condition = Wording;
    type Figures = Formatted;
    const KIND: DrillKind = DrillKind::Format;
    const OF_EVIDENCE: bool = false;
    const NOT_OF_EXAMPLES: Option<&'static str> = None;
    const NO_CASES: &'static str = "no question has an answer";

    fn cases(&self, ground: &Ground<'_>) -> Result<Vec<Case<Wording>>, CompareError> {
        let test = ground.examination.test.iter();
        let answerable = test.filter(|asked| !asked.is_unanswerable());
        let mut finder = match ground.retrieves() {
            true => Some(ground.finder()?),
            false => None,
        };
        let mut cases = Vec::new();
        for asked in ground.some(answerable.collect()) {
            for wording in Wording::ALL {
                let mut case = Case::new(asked, wording.as_str(), Vec::new(), wording);
                case.reworded = true;
                case.asked.question = wording.of(&asked.question);
                if let Some(finder) = &mut finder {
                    case.evidence = finder.find(&case.asked)?.shown(ground.shown).to_vec();
                }
                cases.push(case);
            }
        }
        Ok(cases)
    }

    fn figures(
        &self,
        ground: &Ground<'_>,
        _: Arm,
        answered: &[Answered<'_, Wording>],
    ) -> Formatted {
        let form = Form::of(ground.examination);
        let has = |answer: &Prediction| !answer.refused && form.has(&answer.said());
        let mut as_asked: Vec<(&Gold, &Prediction)> = Vec::new();
        for it in answered {
            let before = it.before.filter(|_| it.case.condition == Wording::ALL[0]);
            as_asked.extend(before.map(|before| (&it.case.asked, before)));
        }
        let reworded = || answered.iter().map(|it| it.answer);
        let all = || as_asked.iter().map(|(_, before)| *before).chain(reworded());
        let says = |answer: &Prediction| (answer.refused, normalised(&answer.said()));
        let same = |(asked, before): &(&Gold, &Prediction)| {
            let mine = answered.iter().filter(|it| {
                it.case.of == before.question && it.case.asked.answers == asked.answers
            });
            mine.map(|it| says(it.answer)).all(|it| it == says(before))
        };
        let mut scores = Vec::new();
        scores.extend(score(ground, as_asked.iter().copied()));
        for wording in Wording::ALL {
            let mine = answered.iter().filter(|it| it.case.condition == wording);
            scores.extend(score(ground, mine.map(|it| (&it.case.asked, it.answer))));
        }
        Formatted {
            questions: as_asked.len(),
            wanted: form.says(),
            in_form: share(all(), |it| has(it)),
            in_form_as_asked: share(&as_asked, |(_, before)| has(before)),
            same: share(&as_asked, |it| same(it)),
            scores,
        }
    }
}

/// Returns the deciding metric of some answers.
fn score<'a>(
    ground: &Ground<'_>,
    answers: impl Iterator<Item = (&'a Gold, &'a Prediction)> + Clone,
) -> Option<f64> {
    let gold = GoldSet::new(answers.clone().map(|(asked, _)| asked.clone()));
    let answers: Vec<Option<&Prediction>> = answers.map(|(_, answer)| Some(answer)).collect();
    ground.metric.score(&gold, &answers).value()
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;

    use super::*;

    fn form(answers: &[&str]) -> Form {
        let asked = |(number, answer): (usize, &&str)| Gold {
            id: QuestionId::new(number.to_string()),
            question: number.to_string(),
            answers: vec![(*answer).to_owned()],
            all_together: false,
            passage: None,
            context: None,
        };
        Form::of(&Examination {
            test: answers.iter().enumerate().map(asked).collect(),
            ..Examination::default()
        })
    }

    #[test]
    fn the_form_is_that_of_the_right_answers() {
        let check = |answers: &[&str], answer: &str, expect: bool| {
            assert_eq!(form(answers).has(answer), expect, "{answer}");
        };
        let json = ["{\"a\": 1, \"b\": 2}", "{\"a\": 3}"];
        check(&json, "{\"a\": 7}", true);
        check(&json, "{\"b\": 7}", false);
        check(&json, "{\"a\": 7, \"c\": 0}", false);
        check(&json, "a is 7", false);
        let labels = ["yes", "no", "yes", "no", "yes", "no", "yes", "no"];
        check(&labels, "Yes.", true);
        check(&labels, "yes, it is", false);
        let words = ["in May", "never", "at the north gate"];
        check(&words, "on a Monday", true);
        check(&words, "on a Monday in the north", false);
        check(&words, "May\nJune", false);
    }

    #[test]
    fn other_words_ask_the_same() {
        assert_eq!(Wording::Careless.of("Is It Free?"), "is it free");
        for wording in [Wording::Polite, Wording::Pressing] {
            assert!(wording.of("Is it free?").contains("Is it free?"));
        }
    }
}
