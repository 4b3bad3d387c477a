//! Teaching the candidates that learn: the same examples for all of them, each with the prompt
//! that it will be asked with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use contract::{Example, Generate, Lesson, QuestionId, Tokens, render};
use eval::Gold;
use serde::{Deserialize, Serialize};

use super::evidence::{Findings, Shown};
use super::{Arm, CompareError, CompareRecipe, Task, labels, names, spans};
use crate::NOT_IN_THE_DOCUMENTS;
use crate::data::write_examples;
use crate::fit::fit;
use crate::models::Environment;
use crate::train::{Event, Start, TrainReport, prepare};

/// The usual recipe of a candidate that learns. What the comparison's `[training]` says comes
/// before it.
const USUAL: &str = include_str!("training.toml");

/// The same for an encoder.
const USUAL_OF_ENCODERS: &str = include_str!("training-encoder.toml");

/// What teaching a candidate has come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taught {
    /// The run's folder.
    pub run: PathBuf,
    /// Steps taken, and the one whose state is kept.
    pub steps: (u64, u64),
    /// The least loss on the development questions, and at which step.
    pub dev_loss: Option<f64>,
    /// The mean loss of the last steps.
    pub training_loss: f64,
    /// The curve on the development questions: step and loss.
    pub curve: Vec<(u64, f64)>,
    /// The curve on what was learnt from, thinned to a hundred means.
    #[serde(default)]
    pub training_curve: Vec<(u64, f64)>,
    /// Whether it began to learn by heart, and at which step that was seen.
    pub overfitting: Option<u64>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The most memory the program has taken by then, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Of an encoder with labelled examples beside it: the part of its probabilities that comes
    /// from the nearest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<f64>,
}

/// What a candidate is taught on.
pub(super) struct Lessons<'a> {
    pub(super) task: Task,
    pub(super) recipe: &'a CompareRecipe,
    pub(super) train: &'a [Gold],
    pub(super) dev: &'a [Gold],
    /// Where answers stand in the texts that questions come with.
    pub(super) starts: &'a BTreeMap<QuestionId, usize>,
    pub(super) findings: &'a Findings,
    pub(super) shown: &'a Shown,
    /// The base model, as recipes name one.
    pub(super) base: &'a str,
    /// The base model, where it writes: evidence is cut down to what it has room for, as it is
    /// when it is asked.
    pub(super) writer: Option<&'a dyn Generate>,
    /// The tokens that it can look back on.
    pub(super) context: Option<usize>,
}

impl Lessons<'_> {
    /// Teaches `arm` in `folder`, where what it is taught on is kept too. `tell` is told what
    /// happens; when it breaks, the run is saved and `None` is returned.
    ///
    /// # Errors
    /// If the lessons cannot be written, or training fails.
    pub(super) fn teach(
        &self,
        arm: Arm,
        seed: u64,
        folder: &Path,
        environment: &Environment,
        tell: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Option<Taught>, CompareError> {
        let unfinished = self.unfinished(folder)?;
        let start = match unfinished {
            Some(run) => Start::Resume { run },
            None => Start::New {
                recipe: self.write(arm, seed, folder)?,
                set: Vec::new(),
                runs: folder.join("runs"),
            },
        };
        let prepared = prepare(start, environment, None)?;
        let mut overfitting = None;
        let started = std::time::Instant::now();
        let mut broke = false;
        let report = prepared.run(&mut |_, event| {
            if let Event::Overfitting { step, .. } = event {
                overfitting = Some(*step);
            }
            let flow = tell(event);
            broke |= flow.is_break();
            flow
        })?;
        if broke {
            return Ok(None);
        }
        Ok(Some(taught(&report, overfitting, started.elapsed())))
    }

    /// Returns a run that was begun here and not ended.
    fn unfinished(&self, folder: &Path) -> Result<Option<PathBuf>, CompareError> {
        let runs = folder.join("runs");
        if !runs.is_dir() {
            return Ok(None);
        }
        let mut found: Vec<PathBuf> = Vec::new();
        for entry in fs_err::read_dir(&runs)? {
            let path = entry?.path();
            if ::train::Run::is_run(&path) {
                found.push(path);
            }
        }
        Ok(found.into_iter().max())
    }

    /// Writes what `arm` is taught on, and the recipe, and returns the recipe's path.
    fn write(&self, arm: Arm, seed: u64, folder: &Path) -> Result<PathBuf, CompareError> {
        fs_err::create_dir_all(folder)?;
        write_examples(&folder.join("train.jsonl"), &self.lessons(arm, self.train)?)?;
        let mut head = format!("seed = {seed}\n");
        let mut data = "[data]\ntrain = [\"train.jsonl\"]\n".to_owned();
        if self.dev.is_empty() {
            data.push_str("dev = false\n");
        } else {
            write_examples(&folder.join("dev.jsonl"), &self.lessons(arm, self.dev)?)?;
            data.push_str("dev = [\"dev.jsonl\"]\n");
        }
        let base = toml::Value::String(self.base.to_owned());
        write!(head, "[model]\nkind = \"base\"\npath = {base}\n").expect("a String takes it");
        let given: toml::Table = format!("{head}{data}").parse().expect("it is TOML");
        let (usual, objective) = match self.task {
            Task::Write => (USUAL, None),
            Task::Label => (USUAL_OF_ENCODERS, Some("classify")),
            Task::Tag => (USUAL_OF_ENCODERS, Some("tag")),
            Task::Find => (USUAL_OF_ENCODERS, Some("read")),
        };
        let mut usual: toml::Table = usual.parse().expect("the usual recipe is TOML");
        if let Some(objective) = objective {
            let kind = toml::Table::from_iter([("kind".to_owned(), objective.into())]);
            usual.insert("objective".to_owned(), kind.into());
        }
        if let (Some(context), Some(toml::Value::Table(steps))) =
            (self.context, usual.get_mut("steps"))
        {
            steps.insert("length".to_owned(), (context as i64).into());
        }
        let mut table = crate::train::over(self.recipe.training.clone(), usual);
        table.extend(given);
        self.examine_each_epoch(&mut table);
        let path = folder.join("recipe.toml");
        let text = toml::to_string(&table).expect("a table is TOML");
        fs_err::write(&path, text)?;
        Ok(path)
    }

    /// Lets a run be examined after each epoch, unless the recipe says when: the state that is
    /// kept, and the end, follow from it.
    fn examine_each_epoch(&self, table: &mut toml::Table) {
        let number = |table: &toml::Table, section: &str, key: &str| -> Option<usize> {
            let section = table.get(section)?.as_table()?;
            section.get(key)?.as_integer()?.try_into().ok()
        };
        if number(&self.recipe.training, "evaluation", "every").is_some() {
            return;
        }
        let batch = number(table, "steps", "batch").unwrap_or(4).max(1)
            * number(table, "steps", "accumulation").unwrap_or(1).max(1);
        let epoch = self.train.len().div_ceil(batch).max(1) as i64;
        let section = table
            .entry("evaluation")
            .or_insert_with(|| toml::Table::new().into());
        if let Some(section) = section.as_table_mut() {
            section.insert("every".into(), epoch.into());
        }
    }

    /// Returns the questions as `arm` is taught them.
    ///
    /// # Errors
    /// If the base model cannot tell how much it has room for.
    fn lessons(&self, arm: Arm, questions: &[Gold]) -> Result<Vec<Example>, CompareError> {
        let mut lessons = Vec::with_capacity(questions.len());
        for asked in questions {
            let lesson = match self.task {
                Task::Write => Some(self.written(arm, asked)?),
                Task::Label => labels::lesson(asked),
                Task::Tag => names::lesson(asked),
                Task::Find => spans::lesson(asked, self.starts.get(&asked.id).copied()),
            };
            lessons.extend(lesson.map(|lesson| Example {
                id: QuestionId::new(asked.id.as_str()),
                passage: None,
                document: None,
                lesson,
            }));
        }
        Ok(lessons)
    }

    /// Returns a question as `arm` will be asked it, and its answer.
    fn written(&self, arm: Arm, asked: &Gold) -> Result<Lesson, CompareError> {
        let evidence = match arm.retrieves() {
            true => self.findings.shown(&asked.id, self.shown),
            false => &[],
        };
        let template = self.recipe.template;
        let prompt = match self.writer {
            Some(writer) => {
                let most = Tokens(self.recipe.max_tokens as u64);
                let fitted = fit(writer, template, &[], &asked.question, evidence, most);
                fitted.map_err(crate::Error::from)?.prompt
            }
            None => render(template, &asked.question, evidence),
        };
        Ok(Lesson::Completion {
            system: None,
            prompt: prompt.as_str().to_owned(),
            completion: right_answer(asked),
        })
    }
}

/// Returns what is right to say to a question.
pub(super) fn right_answer(asked: &Gold) -> String {
    match asked.answers.first() {
        Some(_) if asked.all_together => asked.answers.join(", "),
        Some(answer) => answer.clone(),
        None => NOT_IN_THE_DOCUMENTS.to_owned(),
    }
}

fn taught(report: &TrainReport, overfitting: Option<u64>, elapsed: std::time::Duration) -> Taught {
    let outcome = &report.outcome;
    Taught {
        run: report.run.clone(),
        steps: (outcome.steps, outcome.best_step),
        dev_loss: outcome.examination.as_ref().map(|it| it.loss),
        training_loss: outcome.training_loss,
        curve: report
            .curve
            .examined
            .iter()
            .map(|point| (point.step, point.loss))
            .collect(),
        training_curve: thinned(&report.curve.training),
        overfitting,
        seconds: elapsed.as_secs_f64(),
        peak_memory_bytes: report.peak_memory_bytes,
        neighbours: None,
    }
}

/// How many points a curve of training keeps.
const POINTS: usize = 100;

/// Returns means of as many points each, at their last step.
fn thinned(points: &[::train::Point]) -> Vec<(u64, f64)> {
    let each = points.len().div_ceil(POINTS).max(1);
    let mean = |part: &[::train::Point]| {
        let sum: f64 = part.iter().map(|point| point.loss).sum();
        (part[part.len() - 1].step, sum / part.len() as f64)
    };
    points.chunks(each).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use contract::promise::Room;
    use contract::{Completion, Evidence, PromiseError, Prompt, Share};

    use super::*;
    use crate::compare::evidence::FoundFor;

    #[test]
    fn what_fits_the_model_is_not_too_long_to_be_learnt() {
        let folder = tempfile::tempdir().unwrap();
        let length = |context, recipe: &CompareRecipe| {
            let lessons = Lessons {
                task: Task::Write,
                recipe,
                train: &[],
                dev: &[],
                starts: &BTreeMap::new(),
                findings: &Findings::default(),
                shown: &Shown {
                    top_k: 1,
                    threshold: Share::ZERO,
                },
                base: "built-in",
                writer: None,
                context,
            };
            let path = lessons.write(Arm::Hybrid, 0, folder.path()).unwrap();
            let written: toml::Table = fs_err::read_to_string(path).unwrap().parse().unwrap();
            written["steps"]
                .get("length")
                .and_then(toml::Value::as_integer)
        };
        let usual = CompareRecipe::default();
        assert_eq!(length(Some(2048), &usual), Some(2048));
        assert_eq!(length(None, &usual), None);
        let said = CompareRecipe {
            training: "[steps]\nlength = 300".parse().unwrap(),
            ..usual
        };
        assert_eq!(length(Some(2048), &said), Some(300));
    }

    /// Looks back on so many words.
    struct Words(u64);

    impl Generate for Words {
        fn name(&self) -> &str {
            "words"
        }

        fn room(&self, prompt: &Prompt) -> Result<Option<Room>, PromiseError> {
            Ok(Some(Room {
                prompt: Tokens(prompt.as_str().split_whitespace().count() as u64),
                context: Tokens(self.0),
            }))
        }

        fn generate(
            &self,
            _: &Prompt,
            _: Tokens,
            _: &mut dyn FnMut(&str) -> ControlFlow<()>,
        ) -> Result<Completion, PromiseError> {
            unreachable!("nothing is written here")
        }
    }

    #[test]
    fn a_lesson_shows_as_much_as_its_question_will() {
        let asked = Gold {
            id: QuestionId::new("a"),
            question: "How long?".into(),
            answers: vec!["30 days".into()],
            all_together: false,
            passage: None,
            context: None,
        };
        let mut findings = Findings::default();
        findings.add(FoundFor {
            question: asked.id.clone(),
            evidence: ["word ".repeat(20), "other ".repeat(20)]
                .map(Evidence::of_text)
                .into(),
            elapsed: std::time::Duration::ZERO,
        });
        let check = |room: u64, first: usize, second: usize| {
            let lessons = Lessons {
                task: Task::Write,
                recipe: &CompareRecipe::default(),
                train: &[],
                dev: &[],
                starts: &BTreeMap::new(),
                findings: &findings,
                shown: &Shown {
                    top_k: 2,
                    threshold: Share::ZERO,
                },
                base: "built-in",
                writer: Some(&Words(room)),
                context: None,
            };
            let Ok(Lesson::Completion { prompt, .. }) = lessons.written(Arm::Hybrid, &asked) else {
                panic!("a model that writes is taught completions");
            };
            let count = |word: &str| prompt.split_whitespace().filter(|it| *it == word).count();
            assert_eq!((count("word"), count("other")), (first, second), "{room}");
        };
        check(200, 20, 20);
        check(40, 20, 0);
    }

    #[test]
    fn a_long_curve_is_thinned_to_means() {
        let point = |step: u64| ::train::Point {
            step,
            loss: step as f64,
        };
        let points: Vec<::train::Point> = (1..=250).map(point).collect();
        let found = thinned(&points);
        assert_eq!(
            (found.len(), found[0], found[83]),
            (84, (3, 2.0), (250, 250.0))
        );
        assert_eq!(thinned(&points[..2]), [(1, 1.0), (2, 2.0)]);
        assert_eq!(thinned(&[]), []);
    }
}
