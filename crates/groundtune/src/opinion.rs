//! The journey of having a language model judge answers: what each was asked and replied is
//! kept, so that a judging that was broken off goes on.
//!
//! The model is one on a server, or one here. It is asked for one thing at a time at
//! temperature 0, and again where its reply cannot be read; what stays unreadable is counted
//! and has no grade.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use contract::QuestionId;
use eval::judge::{
    Asked, Grade, Grounded, HumanLabel, Instruction, grading, pairing, read_opinion,
    read_preference,
};
use eval::report::Drill;
use eval::{CandidateAnswers, Gold, GoldSet, Metric, Prediction};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::compare::{CompareError, Lines};
use crate::generate::{Constraint, GeneratorOptions, Input, Message, Request, Sampling, Writer};
use crate::models::{Environment, ModelReference};

pub use eval::judge::{JudgeTally, Judging, tally};

/// How a language model judges: `[compare.judge]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JudgeRecipe {
    /// The model: `URL#MODEL` of any server with OpenAI's interface, or one that is here.
    pub model: String,
    /// The environment variable that holds the server's key, if it wants one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// Whether the two best candidates are also compared answer by answer, in both orders.
    /// Default: yes.
    pub pairs: bool,
    /// How many answers are graded a second time, to see whether the judge agrees with itself.
    /// Default: 20.
    pub again: usize,
    /// A file of people's grades, to see whether the judge agrees with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// The most tokens of a reply. Default: 300.
    pub max_tokens: usize,
    /// How often the same is asked until it can be read; from 1. Default: 3.
    pub attempts: u32,
    /// What a million tokens that it reads cost, in US dollars. Default: 0.
    pub million_read_usd: f64,
    /// What a million tokens that it writes cost, in US dollars. Default: 0.
    pub million_written_usd: f64,
}

impl Default for JudgeRecipe {
    fn default() -> Self {
        Self {
            model: String::new(),
            key_env: None,
            pairs: true,
            again: 20,
            labels: None,
            max_tokens: 300,
            attempts: 3,
            million_read_usd: 0.0,
            million_written_usd: 0.0,
        }
    }
}

/// A file of what a judge was asked and replied, which grows.
pub struct Replies(Lines);

impl Replies {
    /// Opens the file at `path`, and returns what is in it.
    ///
    /// # Errors
    /// If it cannot be read or written, or is damaged.
    pub fn open(path: &Path) -> Result<(Self, Vec<Judging>), CompareError> {
        let (lines, known) = Lines::open(path)?;
        Ok((Self(lines), known))
    }

    /// Adds a reply.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, judging: &Judging) -> Result<(), CompareError> {
        self.0.add(judging)
    }
}

/// A language model that can be asked for its opinion.
pub struct Judge {
    writer: Writer,
    recipe: JudgeRecipe,
}

/// What is to be asked.
struct Task<'a> {
    candidate: &'a str,
    seed: usize,
    gold: &'a Gold,
    asked: Asked,
    answer: &'a Prediction,
    /// The answer that is shown second, of a pair.
    second: Option<&'a Prediction>,
}

impl Judge {
    /// Opens the model that the recipe names. Paths are relative to `base`.
    ///
    /// # Errors
    /// If it is not there, or its key is not.
    pub fn open(
        recipe: &JudgeRecipe,
        base: &Path,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let mut reference: ModelReference = recipe
            .model
            .parse()
            .map_err(|source| Error::JudgeName { source })?;
        if let ModelReference::Server(server) = &mut reference {
            server.key_env = recipe.key_env.clone().or(server.key_env.take());
        }
        let options = GeneratorOptions::default();
        Ok(Self {
            writer: Writer::open(&reference, base, environment, &options)?,
            recipe: recipe.clone(),
        })
    }

    /// Has every answer graded, some of them twice, and if `pair` names two candidates by
    /// their places, their answers compared in both orders. What `known` has is not asked
    /// again. `keep` is given each reply as it comes, `tell` how many are done; when it breaks,
    /// nothing is returned.
    ///
    /// # Errors
    /// If the judge fails or cannot be reached, or `keep` fails. What was kept by then is good.
    pub fn judge<E: From<Error>>(
        &self,
        gold: &GoldSet,
        candidates: &[CandidateAnswers],
        pair: Option<(usize, usize)>,
        known: Vec<Judging>,
        keep: &mut dyn FnMut(&Judging) -> Result<(), E>,
        tell: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Option<Vec<Judging>>, E> {
        let tasks = self.tasks(gold, candidates, pair);
        let done: BTreeSet<_> = known.iter().map(key).collect();
        let mut found = Vec::new();
        for (place, task) in tasks.iter().enumerate() {
            let key = (task.candidate, task.seed, &task.gold.id, &task.asked);
            if done.contains(&key) {
                continue;
            }
            let judging = self.ask(task).map_err(E::from)?;
            keep(&judging)?;
            found.push(judging);
            if tell(place + 1, tasks.len()).is_break() {
                return Ok(None);
            }
        }
        let mut all = known;
        all.extend(found);
        Ok(Some(all))
    }

    fn tasks<'a>(
        &self,
        gold: &'a GoldSet,
        candidates: &'a [CandidateAnswers],
        pair: Option<(usize, usize)>,
    ) -> Vec<Task<'a>> {
        let answered = move |run: &'a [Prediction]| {
            run.iter().filter_map(move |answer| {
                let place = gold.place(&answer.question)?;
                let answer = Some(answer).filter(|it| it.failure.is_none())?;
                Some((&gold.questions()[place], answer))
            })
        };
        let mut answers = Vec::new();
        for candidate in candidates {
            for (seed, run) in candidate.runs.iter().enumerate() {
                for (asked, answer) in answered(run) {
                    answers.push((candidate.name.as_str(), seed, asked, answer));
                }
            }
        }
        let all: Vec<(&'a str, usize, &'a Gold, &'a Prediction)> = answers;
        let grade = |number: usize, twice: bool| {
            let (candidate, seed, gold, answer) = all[number];
            Task {
                candidate,
                seed,
                gold,
                asked: if twice { Asked::Again } else { Asked::Grade },
                answer,
                second: None,
            }
        };
        let mut tasks: Vec<Task<'a>> = (0..all.len()).map(|number| grade(number, false)).collect();
        // From all over, not only of the first candidate.
        let again = self.recipe.again.min(all.len());
        tasks.extend((0..again).map(|number| grade(number * all.len() / again, true)));
        let Some((one, other)) = pair.filter(|_| self.recipe.pairs) else {
            return tasks;
        };
        let (one, other) = (&candidates[one], &candidates[other]);
        let theirs = other.runs.first().into_iter().flat_map(|run| answered(run));
        let theirs: HashMap<&QuestionId, &Prediction> =
            theirs.map(|(gold, answer)| (&gold.id, answer)).collect();
        for (gold, mine) in one.runs.first().into_iter().flat_map(|run| answered(run)) {
            let Some(theirs) = theirs.get(&gold.id).copied() else {
                continue;
            };
            for (first, second, answer, shown_second) in
                [(one, other, mine, theirs), (other, one, theirs, mine)]
            {
                tasks.push(Task {
                    candidate: &first.name,
                    seed: 0,
                    gold,
                    asked: Asked::Pair {
                        other: second.name.clone(),
                    },
                    answer,
                    second: Some(shown_second),
                });
            }
        }
        tasks
    }

    fn ask(&self, task: &Task<'_>) -> Result<Judging, Error> {
        let begun = Instant::now();
        let mut judging = Judging {
            candidate: task.candidate.to_owned(),
            seed: task.seed,
            question: task.gold.id.clone(),
            asked: task.asked.clone(),
            opinion: None,
            preference: None,
            reply: String::new(),
            attempts: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
            seconds: 0.0,
        };
        let (gold, answer) = (task.gold, task.answer);
        let twice = task.asked == Asked::Again;
        let instruction = match task.second {
            Some(second) => pairing(gold, answer, second),
            None => grading(gold, answer, twice),
        };
        let with_evidence = !answer.evidence.is_empty();
        while judging.is_unreadable() && judging.attempts < self.recipe.attempts.max(1) {
            let seed = u64::from(twice) + u64::from(judging.attempts) * 2;
            let written = self.write(&instruction, seed)?;
            judging.attempts += 1;
            judging.prompt_tokens += written.prompt_tokens as u64;
            judging.completion_tokens += written.completion_tokens as u64;
            match &task.asked {
                Asked::Grade | Asked::Again => {
                    judging.opinion = read_opinion(&written.text, with_evidence);
                }
                Asked::Pair { .. } => judging.preference = read_preference(&written.text),
            }
            judging.reply = written.text;
        }
        judging.seconds = begun.elapsed().as_secs_f64();
        Ok(judging)
    }

    fn write(
        &self,
        instruction: &Instruction,
        seed: u64,
    ) -> Result<crate::generate::Written, Error> {
        let message = |role: &str, content: &str| Message {
            role: role.into(),
            content: content.into(),
        };
        let input = match self.writer.converses() {
            true => Input::Messages(vec![
                message("system", instruction.system),
                message("user", &instruction.user),
            ]),
            false => Input::Text(format!(
                "{}\n\n{}\n\n",
                instruction.system, instruction.user
            )),
        };
        let request = Request {
            input,
            max_tokens: Some(self.recipe.max_tokens),
            sampling: Sampling {
                seed,
                ..Sampling::default()
            },
            // Many servers know no schema, and then answer nothing at all.
            constraint: match self.writer {
                Writer::Here { .. } => Some(Constraint::JsonSchema(instruction.schema.clone())),
                Writer::There(_) => None,
            },
            ..Request::default()
        };
        let mut written = self
            .writer
            .write(&[request], &mut |_, _| ControlFlow::Continue(()))?;
        written.pop().expect("one request has one reply")
    }
}

/// Tells what was asked from all else that was asked.
fn key(it: &Judging) -> (&str, usize, &QuestionId, &Asked) {
    (&it.candidate, it.seed, &it.question, &it.asked)
}

/// Returns the places of the two candidates that `metric` puts first by their first run; of
/// equals the earlier. Where it cannot tell, as of a judge's grades that are not given yet, the
/// first two.
pub fn best_two(
    gold: &GoldSet,
    candidates: &[CandidateAnswers],
    metric: Metric,
) -> Option<(usize, usize)> {
    let value = |candidate: &CandidateAnswers| {
        let mut answers: Vec<Option<&Prediction>> = vec![None; gold.len()];
        for answer in candidate.runs.first()? {
            if let Some(place) = gold.place(&answer.question) {
                answers[place] = Some(answer);
            }
        }
        metric.score(gold, &answers).value()
    };
    let sign = if metric.more_is_better() { 1.0 } else { -1.0 };
    let mut ranked: Vec<(usize, f64)> = candidates
        .iter()
        .map(|it| value(it).map_or(f64::NEG_INFINITY, |value| sign * value))
        .enumerate()
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    match ranked.as_slice() {
        [(one, _), (other, _), ..] => Some((*one, *other)),
        _ => None,
    }
}

/// Writes the judge's opinions beside the answers that they are of.
pub fn attach(candidates: &mut [CandidateAnswers], judgings: &[Judging]) {
    let graded: BTreeMap<_, _> = judgings
        .iter()
        .filter(|it| it.asked == Asked::Grade)
        .map(|it| ((it.candidate.as_str(), it.seed, &it.question), it.opinion))
        .collect();
    for CandidateAnswers { name, runs, .. } in candidates {
        for (seed, run) in runs.iter_mut().enumerate() {
            for answer in run {
                if let Some(opinion) = graded.get(&(name.as_str(), seed, &answer.question)) {
                    answer.opinion = *opinion;
                }
            }
        }
    }
}

/// Reads people's grades: JSON objects, one a line, with `question`, `grade` (`correct`,
/// `partly`, `wrong`) and, where there are several, `candidate` and `seed`.
///
/// # Errors
/// If the file cannot be read, or a line is no grade; the line is named.
pub fn read_labels(path: &Path) -> Result<Vec<HumanLabel>, Error> {
    let text = fs_err::read_to_string(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(line, text)| {
            serde_json::from_str(text).map_err(|source| Error::Label {
                path: path.to_owned(),
                line,
                source,
            })
        })
        .collect()
}

/// Returns what the judge's replies cost, in US dollars.
pub fn cost_usd(recipe: &JudgeRecipe, tally: &JudgeTally) -> f64 {
    let millions = |tokens: u64| tokens as f64 / 1e6;
    millions(tally.prompt_tokens) * recipe.million_read_usd
        + millions(tally.completion_tokens) * recipe.million_written_usd
}

/// Returns how far the judge can be believed, a sentence each.
pub fn remarks(tally: &JudgeTally) -> Vec<String> {
    let mut said = Vec::new();
    match &tally.agreement {
        None => said.push(
            "people's grades were not given, so nobody knows whether it judges as they would"
                .into(),
        ),
        Some(it) => {
            let why = it
                .undefined
                .map_or_else(String::new, |why| format!(" ({why})"));
            said.push(format!(
                "it agrees with people on {:.0} % of {} answers: kappa {:.2}, with quadratic weights {:.2}{why}",
                100.0 * it.observed, it.judged, it.kappa, it.quadratic_kappa
            ));
        }
    }
    if tally.not_judged > 0 {
        said.push(format!(
            "answers that people graded and it did not, or not readably: {}",
            tally.not_judged
        ));
    }
    let (twice, alike) = tally.again;
    if twice > 0 {
        said.push(format!(
            "shown the same in another order, it gives the same grade to {alike} of {twice} answers"
        ));
    }
    for pair in &tally.pairs {
        let it = pair.swapped;
        said.push(format!(
            "of two answers, `{}`'s is better {} times and `{}`'s {} times, neither {} times; when they \
             change places it keeps its mind {} times, prefers the first {} times and the second {} \
             times{}",
            pair.one, pair.one_better, pair.other, pair.other_better, pair.ties, it.same, it.first,
            it.second,
            match pair.unreadable {
                0 => String::new(),
                some => format!("; {some} pairs could not be read"),
            }
        ));
    }
    if tally.unreadable_replies > 0 {
        said.push(format!(
            "{} of its {} replies could not be read",
            tally.unreadable_replies, tally.calls
        ));
    }
    said
}

/// Returns a table of what the judge said.
pub fn drill(recipe: &JudgeRecipe, tally: &JudgeTally) -> Drill {
    let columns = [
        "correct",
        "partly",
        "wrong",
        "no readable grade",
        "grounded",
        "partly",
        "not",
    ];
    let rows = tally.candidates.iter().map(|(name, graded)| {
        let grade = |it: Grade| graded.grades.get(&it).copied().unwrap_or(0).to_string();
        let rests = |it: Grounded| graded.grounded.get(&it).copied().unwrap_or(0).to_string();
        let cells = vec![
            grade(Grade::Correct),
            grade(Grade::Partly),
            grade(Grade::Wrong),
            graded.unreadable.to_string(),
            rests(Grounded::Yes),
            rests(Grounded::Partly),
            rests(Grounded::No),
        ];
        (name.clone(), cells)
    });
    Drill {
        name: "What a language model says of the answers".into(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        says: format!(
            "`{}` was asked {} times, at {} tokens read, {} written, {:.0} s and ${:.4}. It decides \
             nothing unless the plan names it: {}.",
            recipe.model,
            tally.calls,
            tally.prompt_tokens,
            tally.completion_tokens,
            tally.seconds,
            cost_usd(recipe, tally),
            remarks(tally).join("; "),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_or_their_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        fs_err::write(&path, "{\"question\":\"a\",\"label\":\"partly\"}\n\n").unwrap();
        let found = read_labels(&path).unwrap();
        assert_eq!(
            (found[0].grade, found[0].candidate.as_deref()),
            (Grade::Partly, None)
        );
        fs_err::write(&path, "{\"question\":\"a\",\"grade\":\"good\"}\n").unwrap();
        assert!(
            read_labels(&path)
                .unwrap_err()
                .to_string()
                .contains("labels.jsonl:1:")
        );
    }
}
