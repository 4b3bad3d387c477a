//! Candidates that find the answer to a question in a text, word for word, all made of one
//! encoder.
//!
//! | candidate | where it looks, and how |
//! |---|---|
//! | `prompt` | in the text that comes with the question: the sentence that lies nearest to it |
//! | `rag` | the same in the passages that are found in the documents |
//! | `fine-tuned` | in the text that comes with the question, taught with a head (Devlin et al. 2018, §4.2) |
//! | `hybrid` | the same taught encoder, in the passages that are found |
//!
//! Which sentence is nearest, examples do not change: there is no few-shot. What is found are
//! passages, as for a model that writes, and so is the freshness drill.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use contract::{Embed, Evidence, GoldAnswer, Lesson};
use eval::{Gold, Prediction};
use model::{Reader, Reading};

use super::base::Answers;
use super::encoder::{Encoder, Head, TaughtEncoder};
use super::evidence::{self, Findings, Trial};
use super::neighbours::{Neighbours, cosine};
use super::{Arm, CompareError, Task};
use crate::ingest::sentence;
use crate::{Error, NOT_IN_THE_DOCUMENTS};

/// The most sentences of a text that are looked at.
const SENTENCES: usize = 200;

/// An encoder, with which answers are looked for.
pub(super) struct Spans {
    /// Makes the vectors; there are no examples to look at.
    vectors: Neighbours,
}

impl Spans {
    /// Takes an encoder; `model` is where it lies.
    ///
    /// # Errors
    /// If its tokenizer cannot be opened.
    pub(super) fn new(embedder: Arc<dyn Embed>, model: &Path) -> Result<Self, CompareError> {
        let vectors = Neighbours::new(embedder, model, &[])?;
        Ok(Self { vectors })
    }

    /// Returns the sentence that lies nearest to the question, and the number of its text.
    fn nearest<'t>(
        &self,
        question: &str,
        texts: &[&'t str],
    ) -> Result<Option<(usize, &'t str)>, Error> {
        let all = (0..).zip(texts);
        let sentences: Vec<(usize, &'t str)> = all
            .flat_map(|(number, text)| sentences(text).map(move |it| (number, it)))
            .take(SENTENCES)
            .collect();
        let asked = self.vectors.one(question)?;
        let vectors = self
            .vectors
            .embed(&sentences.iter().map(|it| it.1).collect::<Vec<_>>())?;
        let nearest = sentences
            .into_iter()
            .zip(vectors.iter().map(|it| cosine(&asked, it)))
            .reduce(|best, other| if other.1 > best.1 { other } else { best });
        Ok(nearest.map(|(found, _)| found))
    }
}

impl Encoder for Spans {
    fn task(&self) -> Task {
        Task::Find
    }

    fn unteachable(&self) -> Option<&'static str> {
        self.vectors.unteachable()
    }

    fn trials(&self, findings: &Findings, dev: &[Gold]) -> Result<Vec<Trial>, CompareError> {
        Ok(evidence::trials(findings, dev))
    }

    fn contestant<'a>(
        &'a self,
        arm: Arm,
        taught: Option<&'a TaughtEncoder>,
    ) -> Box<dyn Answers + 'a> {
        Box::new(Contestant {
            arm,
            spans: self,
            taught,
        })
    }
}

/// A candidate, ready to be asked.
struct Contestant<'a> {
    arm: Arm,
    spans: &'a Spans,
    taught: Option<&'a TaughtEncoder>,
}

impl Contestant<'_> {
    /// Returns the answer as it stands in one of `texts`, if it is in one.
    fn find<'t>(&self, question: &str, texts: &[&'t str]) -> Result<Option<&'t str>, Error> {
        let Some(taught) = self.taught else {
            return Ok(self.spans.nearest(question, texts)?.map(|(_, found)| found));
        };
        let Head::Spans(reader) = &taught.head else {
            unreachable!("what finds answers is taught with spans");
        };
        Ok(read(reader, question, texts)?)
    }
}

impl Answers for Contestant<'_> {
    fn answer(&self, asked: &Gold, evidence: &[Evidence], finding: f64) -> Prediction {
        let started = Instant::now();
        let id = asked.id.clone();
        let texts: Vec<&str> = match self.arm.retrieves() {
            true => evidence.iter().map(|it| &*it.text).collect(),
            false => asked.context.as_deref().into_iter().collect(),
        };
        let prediction = match self.find(&asked.question, &texts) {
            Ok(Some(found)) => Prediction::new(id, found.trim()),
            Ok(None) => Prediction {
                refused: true,
                ..Prediction::new(id, NOT_IN_THE_DOCUMENTS)
            },
            Err(error) => Prediction::failed(id, sentence(&error)),
        };
        let read = texts.iter().copied().chain([&*asked.question]);
        let tokens = read.map(|text| Some(self.spans.vectors.tokens(text)?.0));
        let tokens: Option<u64> = tokens.sum();
        Prediction {
            evidence: evidence::given(evidence, |found| found.text.clone()),
            prompt_tokens: tokens.map(contract::Tokens),
            completion_tokens: Some(contract::Tokens(0)),
            seconds: Some(finding + started.elapsed().as_secs_f64()),
            ..prediction
        }
    }
}

/// Has `reader` look into each of `texts`: where it is surest that there is an answer, if it is
/// sure enough.
fn read<'t>(
    reader: &Reader,
    question: &str,
    texts: &[&'t str],
) -> Result<Option<&'t str>, model::ModelError> {
    let asked: Vec<(&str, &str)> = texts.iter().map(|text| (question, *text)).collect();
    let readings = reader.read(&asked)?;
    let excess = |it: &Reading| it.none - it.score;
    let surest = readings
        .iter()
        .zip(texts)
        .min_by(|(a, _), (b, _)| excess(a).total_cmp(&excess(b)));
    Ok(surest.and_then(|(reading, text)| Some(&text[reading.answer(reader.threshold())?])))
}

/// Returns whether the question comes with a text in which its answer stands, if it has one.
pub(super) fn is_span(asked: &Gold) -> bool {
    let stands = |context: &String| {
        let mut answers = asked.answers.iter();
        asked.answers.is_empty() || answers.any(|it| !it.is_empty() && context.contains(it))
    };
    asked.context.as_ref().is_some_and(stands)
}

/// Returns a question as what an encoder is taught; `start` is the byte of its text at which
/// its answer stands, if that is known, else it is where it stands first.
pub(super) fn lesson(asked: &Gold, start: Option<usize>) -> Option<Lesson> {
    let context = asked.context.clone()?;
    let answers = asked.answers.iter().map(|text| GoldAnswer {
        text: text.clone(),
        start: start
            .filter(|start| {
                context
                    .get(*start..)
                    .is_some_and(|it| it.starts_with(&**text))
            })
            .or_else(|| context.find(&**text)),
    });
    let answers = answers.collect();
    is_span(asked).then_some(Lesson::Question {
        question: asked.question.clone(),
        answers,
        context: Some(context),
    })
}

/// Returns the sentences of a text: stretches up to a stop before white space, or a line's end.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut before = ' ';
    let ends = move |letter: char| {
        let end = letter == '\n' || letter.is_whitespace() && ".!?".contains(before);
        before = letter;
        end
    };
    text.split(ends).map(str::trim).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;
    use model::StaticEmbedder;

    use super::*;

    const TEXT: &str = "The kettle holds 2.5 litres. Returns are free for 30 days!\nIt is blue";

    fn asked(question: &str, answers: &[&str]) -> Gold {
        Gold {
            id: QuestionId::new(question),
            question: question.into(),
            answers: answers.iter().map(|it| (*it).to_owned()).collect(),
            all_together: false,
            passage: None,
            context: Some(TEXT.into()),
        }
    }

    #[test]
    fn a_text_has_its_sentences() {
        let found: Vec<&str> = sentences(TEXT).collect();
        let expect = [
            "The kettle holds 2.5 litres.",
            "Returns are free for 30 days!",
            "It is blue",
        ];
        assert_eq!(found, expect);
        assert_eq!(sentences(" \n ").count(), 0);
    }

    #[test]
    fn the_nearest_sentence_is_looked_for_where_the_candidate_may_look() {
        let embedder = Arc::new(StaticEmbedder::built_in());
        let spans = Spans::new(embedder, Path::new("built-in")).unwrap();
        let question = asked("How long can I return it for free?", &["30 days"]);
        let prompt = spans.contestant(Arm::Prompt, None);
        let found = prompt.answer(&question, &[], 0.0);
        assert_eq!(found.answer, "Returns are free for 30 days!");
        let rag = spans.contestant(Arm::Rag, None);
        assert!(rag.answer(&question, &[], 0.0).refused);
        let passage = Evidence::of_text("Free returns within 41 days.");
        let found = rag.answer(&question, &[passage], 0.0);
        assert_eq!(found.answer, "Free returns within 41 days.");
        assert_eq!(found.evidence.len(), 1);
    }

    #[test]
    fn a_lesson_says_where_its_answer_stands() {
        let start = |answers: &[&str], start: Option<usize>| match lesson(
            &asked("How long?", answers),
            start,
        ) {
            Some(Lesson::Question { answers, .. }) => answers.first().and_then(|it| it.start),
            other => panic!("{other:?}"),
        };
        let at = TEXT.find("30 days");
        assert_eq!(start(&["30 days"], at), at);
        assert_eq!(start(&["30 days"], Some(3)), at);
        assert_eq!(start(&["30 days"], None), at);
        assert_eq!(start(&[], None), None);
        assert!(lesson(&asked("How long?", &["a year"]), None).is_none());
    }
}
