//! What is right: the questions of a test set with their answers.

use std::collections::{BTreeMap, HashMap};

use contract::{Example, Labels, Lesson, PassageId, QuestionId, TestSet};
use serde::{Deserialize, Serialize};

/// A question with what counts as right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gold {
    /// Who it is.
    pub id: QuestionId,
    /// What is asked, as text.
    pub question: String,
    /// What counts as right, the best first: sentences, a label, JSON, or tags with blanks
    /// between them. None: to refuse is right.
    pub answers: Vec<String>,
    /// Whether all answers together are right, not any of them: several labels of one text.
    #[serde(default)]
    pub all_together: bool,
    /// The passage that the question was made from; questions of one passage are not
    /// independent of one another.
    pub passage: Option<PassageId>,
    /// The text that holds the answer, if it is known.
    pub context: Option<String>,
}

impl Gold {
    /// Returns what an example asks, with its answer. Nothing where there is nothing to
    /// answer: of a text, or a contrast.
    pub fn of_example(example: &Example) -> Option<Self> {
        let mut gold = Self {
            id: example.id.clone(),
            question: example.lesson.input(),
            answers: Vec::new(),
            all_together: false,
            passage: example.passage.clone(),
            context: None,
        };
        match &example.lesson {
            Lesson::Text { .. } | Lesson::Contrast { .. } => return None,
            Lesson::Question {
                answers, context, ..
            } => {
                gold.answers = answers.iter().map(|answer| answer.text.clone()).collect();
                gold.context = context.clone();
            }
            Lesson::Labelled { labels, .. } => {
                gold.answers = labels.as_slice().to_vec();
                gold.all_together = matches!(labels, Labels::Several(_));
            }
            Lesson::Completion { .. }
            | Lesson::Conversation { .. }
            | Lesson::Preference { .. }
            | Lesson::Tagged { .. }
            | Lesson::Pair { .. } => gold.answers = vec![example.lesson.target()],
        }
        Some(gold)
    }

    /// Returns whether to refuse is right.
    pub fn is_unanswerable(&self) -> bool {
        self.answers.is_empty() && !self.all_together
    }
}

/// The questions of a test set, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoldSet {
    questions: Vec<Gold>,
    places: HashMap<QuestionId, usize>,
    /// For each question, the number of its cluster.
    clusters: Vec<u32>,
    cluster_count: usize,
    /// Questions that were left out, because their id was there before.
    twice: Vec<QuestionId>,
}

impl GoldSet {
    /// Takes questions in their order. Of those with the same id the first stays; the others
    /// are named by [`GoldSet::twice`].
    pub fn new(questions: impl IntoIterator<Item = Gold>) -> Self {
        let mut set = Self::default();
        let mut clusters: BTreeMap<PassageId, u32> = BTreeMap::new();
        for gold in questions {
            if set.places.contains_key(&gold.id) {
                set.twice.push(gold.id);
                continue;
            }
            let next = set.cluster_count as u32;
            let cluster = match &gold.passage {
                Some(passage) => *clusters.entry(passage.clone()).or_insert(next),
                None => next,
            };
            if cluster == next {
                set.cluster_count += 1;
            }
            set.places.insert(gold.id.clone(), set.questions.len());
            set.clusters.push(cluster);
            set.questions.push(gold);
        }
        set
    }

    /// Takes questions that ask the same as one: the first, with the right answers of all of
    /// them, each once. A meaning that several texts were written for is then asked once, and each
    /// of the texts is right. What is asked of another context, and labels that are right
    /// together, stay apart.
    pub fn merged(questions: impl IntoIterator<Item = Gold>) -> Self {
        let mut merged: Vec<Gold> = Vec::new();
        let mut places: HashMap<(String, Option<String>), usize> = HashMap::new();
        for gold in questions {
            let asks = (gold.question.clone(), gold.context.clone());
            let joins = !gold.all_together && !gold.is_unanswerable();
            match places.get(&asks).filter(|_| joins) {
                Some(place) => {
                    let answers = &mut merged[*place].answers;
                    for answer in gold.answers {
                        if !answers.contains(&answer) {
                            answers.push(answer);
                        }
                    }
                }
                None => {
                    if joins {
                        places.insert(asks, merged.len());
                    }
                    merged.push(gold);
                }
            }
        }
        Self::new(merged)
    }

    /// Returns the questions of a test set that have something to answer.
    pub fn of_test_set(set: &TestSet) -> Self {
        Self::new(set.examples().iter().filter_map(Gold::of_example))
    }

    /// Returns the questions in their order.
    pub fn questions(&self) -> &[Gold] {
        &self.questions
    }

    /// Returns the question's place in the order.
    pub fn place(&self, id: &QuestionId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// Returns how many questions there are.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// Returns the ids that came more than once; only the first of each is asked.
    pub fn twice(&self) -> &[QuestionId] {
        &self.twice
    }

    /// Returns for each question the number of its cluster: questions that were made from
    /// one passage. A question without passage is a cluster of its own.
    pub fn clusters(&self) -> &[u32] {
        &self.clusters
    }

    /// Returns how many clusters there are.
    pub fn cluster_count(&self) -> usize {
        self.cluster_count
    }
}

#[cfg(test)]
mod tests {
    use contract::GoldAnswer;

    use super::*;

    fn example(id: &str, passage: Option<&str>, lesson: Lesson) -> Example {
        Example {
            id: QuestionId::new(id),
            passage: passage.map(|it| PassageId(it.into())),
            document: None,
            lesson,
        }
    }

    fn question(id: &str, passage: Option<&str>, answers: &[&str]) -> Example {
        let answers = answers.iter().map(|text| GoldAnswer {
            text: (*text).into(),
            start: None,
        });
        let lesson = Lesson::Question {
            question: format!("{id}?"),
            context: None,
            answers: answers.collect(),
        };
        example(id, passage, lesson)
    }

    #[test]
    fn questions_of_one_passage_are_a_cluster() {
        let examples = [
            question("a", Some("p"), &["1"]),
            question("b", None, &[]),
            question("c", Some("p"), &["3"]),
            question("a", Some("x"), &["again"]),
        ];
        let set = GoldSet::new(examples.iter().filter_map(Gold::of_example));
        assert_eq!(set.clusters(), [0, 1, 0]);
        assert_eq!(set.cluster_count(), 2);
        assert_eq!(set.twice(), [QuestionId::new("a")]);
        assert!(set.questions()[1].is_unanswerable());
        assert!(!set.questions()[0].is_unanswerable());
    }

    #[test]
    fn what_asks_the_same_may_have_the_answers_of_all() {
        let asks = |id: &str, question: &str, context: Option<&str>, answers: &[&str]| Gold {
            id: QuestionId::new(id),
            question: question.into(),
            answers: answers.iter().map(|it| (*it).into()).collect(),
            all_together: false,
            passage: None,
            context: context.map(str::to_owned),
        };
        let set = GoldSet::merged([
            asks("a", "name[X]", None, &["X is there."]),
            asks("b", "name[Y]", None, &["Y."]),
            asks("c", "name[X]", None, &["Go to X.", "X is there."]),
            asks("d", "name[X]", Some("of another text"), &["Z"]),
            asks("e", "name[X]", None, &[]),
            Gold {
                all_together: true,
                ..asks("f", "name[X]", None, &["label"])
            },
        ]);
        let ids: Vec<&str> = set.questions().iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "d", "e", "f"]);
        assert_eq!(set.questions()[0].answers, ["X is there.", "Go to X."]);
    }

    #[test]
    fn a_text_without_labels_is_still_answerable() {
        let labels = Labels::Several(Vec::new());
        let lesson = Lesson::Labelled {
            text: "x".into(),
            labels,
        };
        let gold = Gold::of_example(&example("a", None, lesson)).unwrap();
        assert!(gold.all_together && !gold.is_unanswerable());
        let text = Lesson::Text { text: "x".into() };
        assert_eq!(Gold::of_example(&example("b", None, text)), None);
    }
}
