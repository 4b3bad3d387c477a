//! Forgetting: what tuning cost of what the model could before. General text and general tasks,
//! which have nothing to do with the examples, before and after.
//!
//! Of text it is the bits that a model needs for a byte, which compares models of any
//! vocabulary. A task is a beginning with several endings; the model is right if the right one
//! is likeliest to it, per byte, as lm-evaluation-harness measures `acc_norm`. Both come with the
//! program, unless the recipe names the team's own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::{Example, Lesson, QuestionId};
use eval::statistics::{Interval, Paired, mcnemar, newcombe_paired};
use model::generator::{Generator, GeneratorOptions};
use model::tokenizer::Special;
use model::training::IGNORE;
use serde::{Deserialize, Serialize};

use super::{DrillKind, Ground, Tell, Tried};
use crate::compare::{Arm, CompareError, Task, folder};
use crate::generate::Writer;
use crate::models::{LONGEST, ModelReference, of_texts, paired};

const TEXTS: &str = include_str!("general/texts.txt");
const TASKS: &str = include_str!("general/tasks.jsonl");
/// The most bytes of a piece of text: longer ones are cut, so that pairs are many.
const PIECE: usize = 2_000;
/// At which level intervals are.
const LEVEL: f64 = 0.95;

/// What a model makes of general text and tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct General {
    /// The bits that it needs for a byte of the text.
    pub bits_per_byte: f64,
    /// `e` to the mean loss of a token.
    pub perplexity: f64,
    /// The share of the tasks that are right.
    pub tasks_right: f64,
}

/// What there is, and what the base model makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Pieces of text.
    pub texts: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Tasks.
    pub tasks: usize,
    /// How many would be right by chance, as a share.
    pub chance: f64,
    /// What the base model makes of them.
    pub before: General,
}

/// What tuning made a candidate forget, the first of its seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forgot {
    /// What it makes of them, by seed.
    pub after: Vec<General>,
    /// How many more bits a byte takes than before; the interval is paired by pieces of text.
    pub more_bits: f64,
    /// Where that lies.
    pub more_bits_interval: Option<Interval>,
    /// The share of the tasks that it lost; less than nothing, if it gained.
    pub lost: f64,
    /// Where that lies.
    pub lost_interval: Option<Interval>,
    /// How likely it is to lose or gain so many tasks by chance.
    pub p_value: f64,
}

/// A text with its possible endings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    text: String,
    endings: Vec<String>,
    right: usize,
}

/// All that models are given.
struct Material {
    texts: Vec<Example>,
    tasks: Vec<Choice>,
}

/// What a model makes of each piece and task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct OfModel {
    /// Of each piece: bits, bytes, and tokens.
    texts: Vec<(f64, usize, usize)>,
    /// Of each task: whether the right ending is likeliest.
    tasks: Vec<bool>,
}

/// What was measured of the base model and each candidate, and what is told of it.
type Drilled = (Option<Forgetting>, Tried<Forgot>);

/// Runs the drill, from where it was broken off.
///
/// # Errors
/// If the material cannot be read, or a model fails.
pub(super) fn run(ground: &Ground<'_>, tell: Tell<'_>) -> Result<Option<Drilled>, CompareError> {
    if ground.taught.is_empty() {
        return Ok(Some((None, Tried::not("nothing was taught"))));
    }
    if ground.base.task() != Task::Write {
        let why = "an encoder does not say how likely a text is";
        return Ok(Some((None, Tried::not(why))));
    }
    let material = Material::read(ground)?;
    let models = ground.taught.iter().flat_map(|(arm, runs)| {
        let named = |run: &crate::compare::Taught| {
            ModelReference::Named(run.run.to_string_lossy().into_owned())
        };
        let runs = runs.iter().enumerate();
        runs.map(move |(seed, run)| (Some((*arm, seed)), named(run)))
    });
    let base = std::iter::once((None, ground.reference.clone()));
    let models: Vec<(Option<(Arm, usize)>, ModelReference)> = base.chain(models).collect();
    let (mut before, mut after) = (OfModel::default(), BTreeMap::<Arm, Vec<OfModel>>::new());
    let of = models.len();
    for (done, (whose, reference)) in models.into_iter().enumerate() {
        let name = match whose {
            None => "base.json".to_owned(),
            Some((arm, seed)) => format!("{arm}.{seed}.json"),
        };
        let path = ground.folder.drill(DrillKind::Forgetting).join(name);
        let found: OfModel = match folder::read_json(&path)? {
            Some(found) => found,
            None => {
                let options = GeneratorOptions::default();
                let root = &ground.project.root;
                let writer = Writer::open(&reference, root, ground.environment, &options)?;
                let Writer::Here { generator, .. } = writer else {
                    let why = "a model on a server does not say how likely a text is";
                    return Ok(Some((None, Tried::not(why))));
                };
                let found = material.given_to(&generator)?;
                folder::write_json(&path, &found)?;
                found
            }
        };
        match whose {
            None => before = found,
            Some((arm, _)) => after.entry(arm).or_default().push(found),
        }
        if tell(DrillKind::Forgetting, done + 1, of).is_break() {
            return Ok(None);
        }
    }
    let general = Forgetting {
        texts: material.texts.len(),
        bytes: before.texts.iter().map(|(_, bytes, _)| bytes).sum(),
        tasks: material.tasks.len(),
        chance: material.chance(),
        before: before.general(),
    };
    let forgot = after
        .into_iter()
        .map(|(arm, runs)| (arm, forgot(&before, &runs)));
    Ok(Some((Some(general), Tried::found(forgot.collect()))))
}

fn forgot(before: &OfModel, runs: &[OfModel]) -> Forgot {
    let first = &runs[0];
    let bits: Vec<(f64, usize)> = before
        .texts
        .iter()
        .zip(&first.texts)
        .map(|((before, bytes, _), (after, _, _))| (after - before, *bytes))
        .collect();
    let right = |of: &OfModel| -> Vec<Option<f64>> {
        let each = of.tasks.iter();
        each.map(|right| Some(f64::from(u8::from(*right))))
            .collect()
    };
    let counts = Paired::new(&right(before), &right(first));
    let (was, is) = (before.general(), first.general());
    Forgot {
        after: runs.iter().map(OfModel::general).collect(),
        more_bits: is.bits_per_byte - was.bits_per_byte,
        more_bits_interval: paired(&bits).map(|it| Interval {
            low: it.low,
            high: it.high,
        }),
        lost: was.tasks_right - is.tasks_right,
        lost_interval: (!before.tasks.is_empty()).then(|| newcombe_paired(counts, LEVEL)),
        p_value: mcnemar(counts),
    }
}

impl OfModel {
    fn general(&self) -> General {
        let (mut bits, mut bytes, mut tokens) = (0.0, 0, 0);
        for (of_text, length, count) in &self.texts {
            bits += of_text;
            bytes += length;
            tokens += count;
        }
        General {
            bits_per_byte: bits / bytes.max(1) as f64,
            perplexity: (bits * std::f64::consts::LN_2 / tokens.max(1) as f64).exp(),
            tasks_right: super::share(&self.tasks, |right| **right),
        }
    }
}

impl Material {
    fn read(ground: &Ground<'_>) -> Result<Self, CompareError> {
        let terms = &ground.recipe.drills;
        let texts = match terms.texts.is_empty() {
            true => pieces(TEXTS),
            false => {
                let mut all = Vec::new();
                for path in &terms.texts {
                    all.extend(pieces(&fs_err::read_to_string(path)?));
                }
                all
            }
        };
        let tasks = match terms.tasks.is_empty() {
            true => tasks(TASKS, &PathBuf::from("general/tasks.jsonl"))?,
            false => {
                let mut all = Vec::new();
                for path in &terms.tasks {
                    all.extend(tasks(&fs_err::read_to_string(path)?, path)?);
                }
                all
            }
        };
        Ok(Self {
            texts: (1..)
                .zip(texts)
                .map(|(number, text)| Example {
                    id: QuestionId::new(format!("general {number}")),
                    passage: None,
                    document: None,
                    lesson: Lesson::Text { text },
                })
                .collect(),
            tasks,
        })
    }

    fn chance(&self) -> f64 {
        let each = self.tasks.iter().map(|it| 1.0 / it.endings.len() as f64);
        each.sum::<f64>() / self.tasks.len().max(1) as f64
    }

    fn given_to(&self, generator: &Generator) -> Result<OfModel, CompareError> {
        let texts = of_texts(generator, &self.texts)?.of_each.into_iter();
        let texts = texts.flatten().map(|it| {
            let bits = it.loss / std::f64::consts::LN_2;
            (bits, it.bytes, it.units)
        });
        let mut found = OfModel {
            texts: texts.collect(),
            tasks: Vec::new(),
        };
        for task in &self.tasks {
            let mut likely = Vec::with_capacity(task.endings.len());
            for ending in &task.endings {
                let loss = of_ending(generator, &task.text, ending)?;
                likely.push(-loss / ending.len().max(1) as f64);
            }
            let best = (0..likely.len()).max_by(|a, b| likely[*a].total_cmp(&likely[*b]));
            found.tasks.push(best == Some(task.right));
        }
        Ok(found)
    }
}

/// Returns the negative log-probability of `ending` behind `text`, in nats: of the tokens of
/// both together that are not those of `text` alone.
fn of_ending(generator: &Generator, text: &str, ending: &str) -> Result<f64, CompareError> {
    let tokens = |text: &str| {
        let ids = generator.tokenizer().encode(text, Special::Surround);
        ids.map_err(crate::Error::from)
    };
    let before = tokens(text)?;
    let mut ids = tokens(&format!("{text}{ending}"))?;
    ids.truncate(generator.decoder().config().context.min(LONGEST));
    let same = before.iter().zip(&ids).take_while(|(a, b)| a == b).count();
    // Something has to stand before what is to be said.
    let from = same.max(1);
    let targets: Vec<u32> = (0..ids.len())
        .map(|at| match ids.get(at + 1) {
            Some(next) if at + 1 >= from => *next,
            _ => IGNORE,
        })
        .collect();
    let loss = generator.loss(&ids, &targets).map_err(crate::Error::from)?;
    Ok(loss.sum)
}

/// Cuts a text into its pieces, between empty lines, each of at most [`PIECE`] bytes.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for part in text.split("\n\n") {
        let mut rest = part.trim();
        while !rest.is_empty() {
            let mut end = rest.len().min(PIECE);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            pieces.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
        }
    }
    pieces
}

fn tasks(text: &str, path: &std::path::Path) -> Result<Vec<Choice>, CompareError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut tasks = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let wrong = |what: String| CompareError::Task {
            path: path.to_owned(),
            number,
            what,
        };
        let task: Choice = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        if task.right >= task.endings.len() {
            let endings = task.endings.len();
            let right = task.right;
            return Err(wrong(format!(
                "`right` is {right}; expected the number of one of {endings} endings, from 0"
            )));
        }
        tasks.push(task);
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_program_is_whole() {
        assert_eq!(pieces(TEXTS).len(), 20);
        let tasks = tasks(TASKS, &PathBuf::new()).unwrap();
        assert_eq!(tasks.len(), 60);
        // No place among the endings is right more often than another.
        let mut places = [0; 4];
        tasks.iter().for_each(|task| places[task.right] += 1);
        assert_eq!(places, [15; 4]);
    }

    #[test]
    fn a_task_without_its_ending_is_said() {
        let check = |line: &str, expect: &str| {
            let error = tasks(line, &PathBuf::from("own.jsonl"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(
            r#"{"text": "a", "endings": ["b"], "right": 1}"#,
            "`right` is 1",
        );
        check(r#"{"text": "a", "ending": ["b"]}"#, "unknown field");
    }

    #[test]
    fn forgetting_is_paired() {
        let of = |bits: &[f64], tasks: &[bool]| OfModel {
            texts: bits.iter().map(|bits| (*bits, 10, 5)).collect(),
            tasks: tasks.to_vec(),
        };
        let before = of(&[10.0, 30.0], &[true, true, false, true]);
        let after = of(&[20.0, 40.0], &[true, false, false, false]);
        let found = forgot(&before, &[after]);
        assert!((found.more_bits - 1.0).abs() < 1e-12);
        let interval = found.more_bits_interval.unwrap();
        assert!((interval.low - 1.0).abs() < 1e-12 && (interval.high - 1.0).abs() < 1e-12);
        assert!((found.lost - 0.5).abs() < 1e-12);
        assert!((found.p_value - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_likelier_ending_is_chosen_by_the_model() {
        let generator = Generator::built_in(&GeneratorOptions::default()).unwrap();
        let text = "One, two, three,";
        // The likelihood of an ending is that of the whole less that of the text.
        let both = of_ending(&generator, text, " four, five").unwrap();
        let first = of_ending(&generator, text, " four,").unwrap();
        let second = of_ending(&generator, "One, two, three, four,", " five").unwrap();
        assert!(
            (both - first - second).abs() < 1e-3,
            "{both} {first} {second}"
        );
    }
}
