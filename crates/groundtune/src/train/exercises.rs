//! Examples as what an encoder learns: its tokens, and what is to come of them.

use ::train::{
    AnswerSpans, Asked, Classes, Exercises, LabelSets, Neighbours, Objective, RankedPassages,
    Related, ScoredPairs, TagSequences,
};
use contract::{Example, Judgement, Labels, Lesson};
use eval::metric::squad;
use model::EncoderTokenizer;
use model::training::Task;

use super::TrainingError;
use crate::data::{DataError, LabelError, label_names, labelled, other, tag_names, tagged};

/// What an encoder is taught, and with what.
#[derive(Debug)]
pub(super) struct EncoderLessons {
    pub(super) task: Task,
    pub(super) training: Box<dyn Exercises>,
    pub(super) dev: Box<dyn Exercises>,
}

impl EncoderLessons {
    /// Returns the tokens of each exercise to learn from, and of each to be examined on.
    pub(super) fn sizes(&self) -> (Vec<usize>, Vec<usize>) {
        let sizes = |set: &dyn Exercises| {
            let all = (0..set.len()).map(|it| set.size(it).tokens);
            all.collect()
        };
        (sizes(&*self.training), sizes(&*self.dev))
    }
}

/// What makes exercises of examples.
struct Maker<'a> {
    tokenizer: EncoderTokenizer,
    training: &'a [Example],
    dev: &'a [Example],
    /// The examples that cannot be used, with why not.
    left_out: &'a mut Vec<String>,
}

/// Makes exercises of examples; of those that cannot be used, `left_out` gets the reasons.
pub(super) fn exercises(
    objective: Objective,
    tokenizer: EncoderTokenizer,
    training: &[Example],
    dev: &[Example],
    left_out: &mut Vec<String>,
) -> Result<EncoderLessons, TrainingError> {
    let mut maker = Maker {
        tokenizer,
        training,
        dev,
        left_out,
    };
    match objective {
        Objective::Classify {} => maker.classify(),
        Objective::Tag {} => maker.tag(),
        Objective::Read {
            overlap,
            longest_answer,
        } => maker.read(overlap, longest_answer),
        Objective::Rerank {} => maker.rerank(),
        Objective::Embed {
            temperature,
            negatives,
        } => maker.embed(1.0 / temperature, negatives),
        Objective::Language { .. } | Objective::Dpo { .. } | Objective::Orpo { .. } => {
            unreachable!("`{}` is no objective for encoders", objective.name())
        }
    }
}

/// Returns lessons of one kind.
fn lessons<T: Exercises + 'static>(task: Task, training: T, dev: T) -> EncoderLessons {
    EncoderLessons {
        task,
        training: Box::new(training),
        dev: Box::new(dev),
    }
}

impl Maker<'_> {
    /// Returns what was found of an example; nothing, if it has a label that is not known,
    /// which only an example for examination can have.
    fn known<T>(&mut self, found: Result<T, DataError>) -> Result<Option<T>, TrainingError> {
        match found {
            Err(DataError::Labels(why @ LabelError::Unknown { .. })) => {
                self.left_out.push(why.to_string());
                Ok(None)
            }
            found => Ok(Some(found?)),
        }
    }

    /// Leaves out an example.
    fn leave(&mut self, example: &Example, why: &str) {
        self.left_out.push(format!("{}: {why}", example.id));
    }

    fn classify(&mut self) -> Result<EncoderLessons, TrainingError> {
        let names = label_names(self.training)?;
        let both = [self.training, self.dev];
        let lists = |example: &Example| match &example.lesson {
            Lesson::Labelled { labels, .. } => matches!(labels, Labels::Several(_)),
            _ => false,
        };
        let several = both.into_iter().flatten().any(lists);
        if several {
            let mut made = both.map(|_| LabelSets::new(names.len()));
            for (set, examples) in made.iter_mut().zip(both) {
                for example in examples {
                    let found = labelled(std::slice::from_ref(example), &names);
                    if let Some(mut found) = self.known(found)? {
                        let text = self.tokenizer.text(found.texts[0])?;
                        set.push(text, found.labels.swap_remove(0));
                    }
                }
            }
            let [training, dev] = made;
            return Ok(lessons(Task::Labels { labels: names }, training, dev));
        }
        let mut made = both.map(|_| Classes::new(names.len()));
        for (set, examples) in made.iter_mut().zip(both) {
            for example in examples {
                let found = labelled(std::slice::from_ref(example), &names);
                if let Some(found) = self.known(found)? {
                    let text = self.tokenizer.text(found.texts[0])?;
                    set.push(text, found.labels[0][0]);
                }
            }
        }
        let [training, dev] = made;
        Ok(lessons(Task::Classes { labels: names }, training, dev))
    }

    fn tag(&mut self) -> Result<EncoderLessons, TrainingError> {
        let names = tag_names(self.training)?;
        let both = [self.training, self.dev];
        let mut made = both.map(|_| TagSequences::new(names.clone()));
        for (set, examples) in made.iter_mut().zip(both) {
            for example in examples {
                let found = tagged(std::slice::from_ref(example), &names);
                if let Some(mut found) = self.known(found)? {
                    let words: Vec<&str> = found.tokens[0].iter().map(String::as_str).collect();
                    let windows = self.tokenizer.words(&words)?;
                    set.push(windows, found.tags.swap_remove(0));
                }
            }
        }
        let [training, dev] = made;
        Ok(lessons(Task::Tags { labels: names }, training, dev))
    }

    fn read(
        &mut self,
        overlap: usize,
        longest_answer: usize,
    ) -> Result<EncoderLessons, TrainingError> {
        let score = |answer: &str, right: &[String]| {
            let (exact, f1) = (
                squad::exact_match(answer, right),
                squad::token_f1(answer, right),
            );
            (exact, f1)
        };
        let mut training = AnswerSpans::new(longest_answer, score);
        let mut dev = AnswerSpans::new(longest_answer, score);
        for (examples, examined) in [(self.training, false), (self.dev, true)] {
            for example in examples {
                let Lesson::Question {
                    question,
                    context,
                    answers,
                } = &example.lesson
                else {
                    return Err(other(example, "a question about a passage").into());
                };
                let Some(passage) = context else {
                    self.leave(example, "it has no passage");
                    continue;
                };
                let first = answers.iter().find_map(|answer| {
                    let start = answer.start?;
                    Some(start..start + answer.text.len())
                });
                if first.is_none() && !answers.is_empty() && !examined {
                    self.leave(example, "its answer does not stand in its passage");
                    continue;
                }
                let asked = Asked {
                    windows: self.tokenizer.passage(question.trim(), passage, overlap)?,
                    answer: first,
                };
                if examined {
                    let answers = answers.iter().map(|answer| answer.text.clone());
                    dev.examine(asked, passage.clone(), answers.collect());
                } else {
                    training.learn(asked);
                }
            }
        }
        Ok(lessons(Task::Spans, training, dev))
    }

    fn rerank(&mut self) -> Result<EncoderLessons, TrainingError> {
        let contrasts = |example: &Example| matches!(example.lesson, Lesson::Contrast { .. });
        let both = [self.training, self.dev];
        if self.training.iter().any(contrasts) {
            let mut made = both.map(|_| RankedPassages::new());
            for (set, examples) in made.iter_mut().zip(both) {
                for example in examples {
                    let Lesson::Contrast {
                        query,
                        positive,
                        negatives,
                    } = &example.lesson
                    else {
                        return Err(other(example, "a question with passages").into());
                    };
                    if negatives.is_empty() {
                        self.leave(example, "it has no passage that does not belong to it");
                        continue;
                    }
                    let pair = |text: &String| self.tokenizer.pair(query.trim(), text.trim());
                    let others = negatives.iter().map(pair);
                    set.push(pair(positive)?, others.collect::<Result<Vec<_>, _>>()?);
                }
            }
            let [training, dev] = made;
            return Ok(lessons(Task::Scores, training, dev));
        }
        let mut made = both.map(|_| ScoredPairs::new());
        for (set, examples) in made.iter_mut().zip(both) {
            for example in examples {
                let Lesson::Pair {
                    first,
                    second,
                    judgement,
                } = &example.lesson
                else {
                    return Err(other(example, "a pair, or a question with passages").into());
                };
                let score = score(judgement).ok_or_else(|| TrainingError::NoScore {
                    id: example.id.to_string(),
                    found: match judgement {
                        Judgement::Score(score) => score.to_string(),
                        Judgement::Label(label) => label.clone(),
                    },
                })?;
                let pair = self.tokenizer.pair(first.trim(), second.trim())?;
                set.push(pair, score);
            }
        }
        let [training, dev] = made;
        Ok(lessons(Task::Scores, training, dev))
    }

    fn embed(&mut self, scale: f64, negatives: usize) -> Result<EncoderLessons, TrainingError> {
        let both = [self.training, self.dev];
        let mut made = both.map(|_| Neighbours::new());
        for (set, examples) in made.iter_mut().zip(both) {
            for example in examples {
                let (question, passage, others) = match &example.lesson {
                    Lesson::Contrast {
                        query,
                        positive,
                        negatives,
                    } => (query, positive, &**negatives),
                    Lesson::Completion {
                        system: None,
                        prompt,
                        completion,
                    } => (prompt, completion, &[][..]),
                    Lesson::Question {
                        question,
                        context: Some(context),
                        answers,
                    } => {
                        if answers.is_empty() {
                            self.leave(example, "its passage does not answer it");
                            continue;
                        }
                        (question, context, &[][..])
                    }
                    _ => {
                        let expected = "a question with a passage, or with its answer";
                        return Err(other(example, expected).into());
                    }
                };
                let text = |text: &String| self.tokenizer.text(text.trim());
                set.push(Related {
                    question: text(question)?,
                    passage: text(passage)?,
                    others: others
                        .iter()
                        .take(negatives)
                        .map(text)
                        .collect::<Result<_, _>>()?,
                });
            }
        }
        let [training, dev] = made;
        let scale = scale as f32;
        Ok(lessons(Task::Vectors { scale }, training, dev))
    }
}

/// Returns how well a pair goes together, 0 to 1, if its judgement says so.
fn score(judgement: &Judgement) -> Option<f32> {
    match judgement {
        Judgement::Score(score) => Some(*score).filter(|it| (0.0..=1.0).contains(it)),
        Judgement::Label(label) => match &*label.trim().to_lowercase() {
            "1" | "true" | "yes" => Some(1.0),
            "0" | "false" | "no" => Some(0.0),
            _ => None,
        },
    }
}
