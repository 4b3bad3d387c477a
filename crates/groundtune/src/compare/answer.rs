//! How a candidate answers a question: with the examples and the evidence that it is given,
//! by the same prompt that `ask` uses.

use std::ops::ControlFlow;
use std::time::Instant;

use contract::{Evidence, Generate, PromiseError, Shot, Tokens};
use eval::{Gold, Prediction};

use super::base::Answers;
use super::evidence::given;
use super::teach::right_answer;
use super::{Arm, CompareRecipe};
use crate::NOT_IN_THE_DOCUMENTS;
use crate::ask::is_refusal;
use crate::fit::fit;
use crate::ingest::sentence;

/// A candidate, ready to be asked.
pub(super) struct Contestant<'a> {
    pub(super) arm: Arm,
    pub(super) generator: &'a dyn Generate,
    pub(super) recipe: &'a CompareRecipe,
    /// Answered examples that stand before each question.
    pub(super) shots: &'a [Gold],
}

impl Answers for Contestant<'_> {
    fn answer(&self, asked: &Gold, evidence: &[Evidence], finding: f64) -> Prediction {
        let started = Instant::now();
        let id = asked.id.clone();
        if self.arm.retrieves() && evidence.is_empty() {
            // As `ask` does: where nothing is found, nobody is asked.
            return Prediction {
                refused: true,
                seconds: Some(finding),
                prompt_tokens: Some(Tokens(0)),
                completion_tokens: Some(Tokens(0)),
                ..Prediction::new(id, NOT_IN_THE_DOCUMENTS)
            };
        }
        let mut evidence = evidence.to_vec();
        let prediction = match self.write(asked, &mut evidence) {
            Ok(completion) => Prediction {
                refused: is_refusal(&completion.text),
                prompt_tokens: Some(completion.prompt_tokens),
                completion_tokens: Some(completion.completion_tokens),
                ..Prediction::new(id, completion.text.trim())
            },
            Err(error) => Prediction::failed(id, sentence(&error)),
        };
        Prediction {
            evidence: given(&evidence, |found| found.text.clone()),
            seconds: Some(finding + started.elapsed().as_secs_f64()),
            ..prediction
        }
    }
}

impl Contestant<'_> {
    /// Has the answer written, from as much of the examples and of the evidence as the model has
    /// room for; `evidence` is then what it was given.
    fn write(
        &self,
        asked: &Gold,
        evidence: &mut Vec<Evidence>,
    ) -> Result<contract::Completion, PromiseError> {
        let answers: Vec<String> = self.shots.iter().map(right_answer).collect();
        let shots = self.shots.iter().zip(&answers);
        let shots: Vec<Shot<'_>> = shots
            .map(|(shot, answer)| Shot {
                question: &shot.question,
                evidence: &[],
                answer,
            })
            .collect();
        let most = Tokens(self.recipe.max_tokens as u64);
        let fitted = fit(
            self.generator,
            self.recipe.template,
            &shots,
            &asked.question,
            evidence,
            most,
        )?;
        *evidence = fitted.evidence;
        self.generator
            .generate(&fitted.prompt, most, &mut |_| ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use contract::promise::Room;
    use contract::{Completion, Prompt, QuestionId};

    use super::*;
    use crate::generate::GenerateError;

    /// Looks back on so many letters, which it takes for tokens, and says what it was asked.
    struct Small {
        most: usize,
        asked: Mutex<Vec<String>>,
    }

    impl Generate for Small {
        fn name(&self) -> &str {
            "small"
        }

        fn room(&self, prompt: &Prompt) -> Result<Option<Room>, PromiseError> {
            Ok(Some(Room {
                prompt: Tokens(prompt.as_str().len() as u64),
                context: Tokens(self.most as u64),
            }))
        }

        fn generate(
            &self,
            prompt: &Prompt,
            _: Tokens,
            _: &mut dyn FnMut(&str) -> ControlFlow<()>,
        ) -> Result<Completion, PromiseError> {
            let text = prompt.as_str();
            if text.len() > self.most {
                return Err(PromiseError {
                    who: "small".into(),
                    source: Box::new(GenerateError::Context {
                        prompt: text.len(),
                        context: self.most,
                    }),
                });
            }
            self.asked.lock().unwrap().push(text.to_owned());
            Ok(Completion {
                text: " 30 days [1]. ".into(),
                prompt_tokens: Tokens(7),
                completion_tokens: Tokens(3),
            })
        }
    }

    fn asked(question: &str) -> Gold {
        Gold {
            id: QuestionId::new(question),
            question: question.into(),
            answers: vec!["yes".into()],
            all_together: false,
            passage: None,
            context: None,
        }
    }

    #[test]
    fn what_does_not_fit_is_taken_away() {
        let recipe = CompareRecipe::default();
        let shots = [asked("One?"), asked("Two?")];
        let check = |most: usize, expect: &str| {
            let generator = Small {
                most,
                asked: Mutex::default(),
            };
            let contestant = Contestant {
                arm: Arm::FewShot,
                generator: &generator,
                recipe: &recipe,
                shots: &shots,
            };
            let prediction = contestant.answer(&asked("Three?"), &[], 0.0);
            let heard = generator.asked.lock().unwrap();
            assert_eq!(heard.last().map_or("", |it| it), expect);
            prediction
        };
        let whole = check(
            200,
            "Question: One?\n\nAnswer: yes\n\nQuestion: Two?\n\nAnswer: yes\n\n\
             Question: Three?\n\nAnswer:",
        );
        assert_eq!(
            (whole.answer.as_str(), whole.refused),
            ("30 days [1].", false)
        );
        check(
            72,
            "Question: Two?\n\nAnswer: yes\n\nQuestion: Three?\n\nAnswer:",
        );
        let failed = check(5, "");
        assert!(failed.failure.is_some() && !failed.refused);
    }
}
