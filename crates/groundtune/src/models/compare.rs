//! Two versions of a model side by side: what was done, with which data, what came of it,
//! and how likely each finds the same examples.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::train::{Run, RunDescription, RunResult};
use contract::{Bytes, Example};
use model::generator::{Generator, GeneratorOptions};
use model::training::IGNORE;
use model::{Classifier, HeadOptions, ModelKind};
use toml::{Table, Value};

use super::{Environment, ModelReference, VersionName};
use crate::Error;
use crate::data::{DataError, Dataset, ReadExamples, SequenceOptions, labelled, sequences};
use crate::inspect::size_of;
use crate::train::{TrainingError, Tuned};

/// A two-sided interval of 95 %: so many standard errors of a mean (normal distribution).
const WIDTH: f64 = 1.959_964;

/// Texts that a classifier judges at a time.
const TEXTS: usize = 64;

/// The most tokens of a text that are read at once.
pub(crate) const LONGEST: usize = 1024;

/// Two models side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Both.
    pub sides: [ComparedModel; 2],
    /// The keys of the recipes that differ, in their order; nothing, if one is no run.
    pub recipe: Option<Vec<RecipeDifference>>,
    /// How likely they find the same examples.
    pub examples: Option<ComparedExamples>,
}

/// One of two models.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedModel {
    /// As it was named.
    pub name: String,
    /// Where it is.
    pub tuned: Tuned,
    /// What a run wrote at its end, or the whole model, on the disk.
    pub size: Bytes,
    /// The run that it comes from.
    pub run: Option<ComparedRun>,
}

/// The run that a model comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedRun {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was begun with.
    pub description: RunDescription,
    /// Numbers that were learnt.
    pub parameters: Option<u64>,
    /// The last step.
    pub steps: u64,
    /// The step whose state was kept.
    pub best_step: u64,
    /// What was found of the kept state on examples that are not learnt.
    pub metrics: BTreeMap<String, f64>,
}

/// A key of a recipe that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct RecipeDifference {
    /// The key: `optimiser.learning_rate`.
    pub key: String,
    /// Its value in each, where it has one.
    pub values: [Option<Value>; 2],
}

/// How likely two models find the same examples.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedExamples {
    /// The examples that both were given.
    pub count: usize,
    /// Examples that one of them cannot be given, the first with its reason.
    pub left_out: Vec<String>,
    /// What each comes to.
    pub sides: [ExampleLoss; 2],
    /// The second's loss of a unit less the first's, with its interval of 95 %: paired by
    /// example. Nothing, if their vocabularies differ or there is one example only.
    pub difference: Option<PairedDifference>,
}

/// How likely a model finds examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExampleLoss {
    /// The tokens that a decoder was to say, or the texts that a classifier was to judge.
    pub units: usize,
    /// The mean negative log-probability (natural) of one of these.
    pub loss: f64,
    /// What there is to say beside it.
    pub beside: Beside,
}

/// What is said of a model beside its loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Beside {
    /// Of a decoder.
    Text {
        /// `e` to the loss.
        perplexity: f64,
        /// The negative log-probability (in bits) of a byte of text: comparable where
        /// vocabularies differ.
        bits_per_byte: f64,
    },
    /// Of a classifier.
    Labels {
        /// The share of the texts that have the very labels that it gives them.
        accuracy: f64,
    },
}

/// A difference with its interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// The second less the first.
    pub mean: f64,
    /// From here.
    pub low: f64,
    /// To here.
    pub high: f64,
}

impl Environment {
    /// Puts the two models side by side that are named; paths are relative to `base`. With
    /// `examples`, both are given these.
    ///
    /// # Errors
    /// If one is not here or not of files, a run cannot be read, or an example neither.
    pub fn compare(
        &self,
        names: [&ModelReference; 2],
        examples: &[PathBuf],
        base: &Path,
    ) -> Result<Comparison, Error> {
        let [first, second] = names;
        let sides = [self.compared(first, base)?, self.compared(second, base)?];
        let recipe = match &sides {
            [
                ComparedModel {
                    run: Some(first), ..
                },
                ComparedModel {
                    run: Some(second), ..
                },
            ] => Some(recipe_differences([&first.folder, &second.folder])?),
            _ => None,
        };
        let examples = match examples {
            [] => None,
            files => Some(compare_examples(&sides, files)?),
        };
        Ok(Comparison {
            sides,
            recipe,
            examples,
        })
    }

    fn compared(&self, name: &ModelReference, base: &Path) -> Result<ComparedModel, Error> {
        let tuned = self.in_files(name, base)?;
        let run = match self.run_of(name, base)? {
            Some(folder) => Some(compared_run(folder)?),
            None => None,
        };
        Ok(ComparedModel {
            name: name.to_string(),
            size: Bytes(size_of(tuned.adapter.as_ref().unwrap_or(&tuned.model))?),
            tuned,
            run,
        })
    }

    /// Returns the folder of the run that is named: by its path, by that of what it made, or
    /// as a version.
    ///
    /// # Errors
    /// If it is named as a version that is not there.
    pub fn run_of(&self, name: &ModelReference, base: &Path) -> Result<Option<PathBuf>, Error> {
        let ModelReference::Named(text) = name else {
            return Ok(None);
        };
        let path = base.join(text);
        if path.exists() {
            return Ok(run_at(&path));
        }
        match (text.parse::<VersionName>(), &self.tuned) {
            (Ok(name), Some(tuned)) => {
                let found = tuned.find(&name);
                Ok(Some(found.map_err(super::ResolveError::from)?.0))
            }
            _ => Ok(None),
        }
    }
}

/// Returns the folder of the run that `path` is, or that made it.
pub(crate) fn run_at(path: &Path) -> Option<PathBuf> {
    let is_result = [RunResult::Model, RunResult::Adapter]
        .iter()
        .any(|result| path.ends_with(result.folder()));
    let made = if is_result { path.parent() } else { None };
    [Some(path), made]
        .into_iter()
        .flatten()
        .find(|folder| Run::is_run(folder))
        .map(Path::to_path_buf)
}

fn compared_run(folder: PathBuf) -> Result<ComparedRun, Error> {
    let description = Run::describe(&folder).map_err(TrainingError::from)?;
    let path = folder.join("events.jsonl");
    let events = match fs_err::read_to_string(&path) {
        Ok(events) => events,
        Err(source) => return Err(Error::Io { path, source }),
    };
    let mut run = ComparedRun {
        folder,
        description,
        parameters: None,
        steps: 0,
        best_step: 0,
        metrics: BTreeMap::new(),
    };
    let mut has_best = false;
    for line in events.lines() {
        // The last line of a run that was broken off may be half one.
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        let step = event["step"].as_u64().unwrap_or(0);
        match event["event"].as_str() {
            Some("started") => run.parameters = event["parameters"].as_u64().or(run.parameters),
            Some("step") => run.steps = step,
            Some("examined") if event["best"] == true => {
                has_best = true;
                run.best_step = step;
                run.metrics.clear();
                let loss = event["loss"].as_f64().map(|it| ("loss".to_owned(), it));
                let others = event["metrics"].as_object().into_iter().flatten();
                let others = others.filter_map(|(name, it)| Some((name.clone(), it.as_f64()?)));
                run.metrics.extend(loss.into_iter().chain(others));
            }
            _ => {}
        }
    }
    if !has_best {
        run.best_step = run.steps;
    }
    Ok(run)
}

/// Returns the keys in which the recipes of two runs differ.
fn recipe_differences(runs: [&Path; 2]) -> Result<Vec<RecipeDifference>, Error> {
    let mut flat = Vec::new();
    for run in runs {
        let text = Run::recipe(run).map_err(TrainingError::from)?;
        let table: Table = toml::from_str(&text).map_err(|error| {
            let path = run.join("recipe.toml");
            TrainingError::from(crate::ConfigError::from_toml(&path, &text, &error))
        })?;
        let mut keys = BTreeMap::new();
        flatten(&Value::Table(table), "", &mut keys);
        flat.push(keys);
    }
    let [first, second] = [&flat[0], &flat[1]];
    let mut names: Vec<&String> = first.keys().chain(second.keys()).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names
        .into_iter()
        .filter(|key| first.get(*key) != second.get(*key))
        .map(|key| RecipeDifference {
            key: key.clone(),
            values: [first.get(key).cloned(), second.get(key).cloned()],
        })
        .collect())
}

fn flatten(value: &Value, name: &str, keys: &mut BTreeMap<String, Value>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let name = match name {
                    "" => key.clone(),
                    name => format!("{name}.{key}"),
                };
                flatten(value, &name, keys);
            }
        }
        value => {
            keys.insert(name.to_owned(), value.clone());
        }
    }
}

/// What a model makes of one example.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OfExample {
    /// The negative log-probability of what was to be said, in nats.
    pub(crate) loss: f64,
    /// Its tokens, or the text that was to be judged.
    pub(crate) units: usize,
    /// Bytes of text that were to be said.
    pub(crate) bytes: usize,
    /// Whether a classifier gives the very labels.
    right: bool,
}

/// What a model makes of each example, where it can be given that, and why others cannot.
#[derive(Default)]
pub(crate) struct Judged {
    /// What it makes of each.
    pub(crate) of_each: Vec<Option<OfExample>>,
    left_out: Vec<String>,
}

/// Returns how likely a decoder finds what is to be said.
fn of_decoder(side: &ComparedModel, set: &Dataset) -> Result<Judged, Error> {
    let options = side.tuned.options(&GeneratorOptions::default());
    let generator = Generator::open(&side.tuned.model, &options)?;
    of_texts(&generator, &set.examples)
}

/// Returns how likely `generator` finds what is to be said in each of `examples`.
pub(crate) fn of_texts(generator: &Generator, examples: &[Example]) -> Result<Judged, Error> {
    let length = generator.decoder().config().context.min(LONGEST);
    let tokenizer = generator.tokenizer();
    let made = sequences(examples, tokenizer, &SequenceOptions::new(length));
    let made = made.map_err(TrainingError::Data)?;
    let each = made.left_out.iter();
    let mut of_each: Vec<Option<OfExample>> = vec![None; examples.len()];
    for (at, from) in made.from.iter().enumerate() {
        let sequence = made.sequences.get(at);
        let sum = of_each[*from as usize].get_or_insert_default();
        let loss = generator.loss(sequence.ids, sequence.targets)?;
        sum.loss += loss.sum;
        sum.units += loss.tokens;
        let said = sequence.targets.iter();
        let said = said.filter(|it| **it != IGNORE && !tokenizer.is_special(**it));
        let bytes = said.map(|it| tokenizer.bytes(*it).map_or(0, |bytes| bytes.len()));
        sum.bytes += bytes.sum::<usize>();
    }
    Ok(Judged {
        of_each,
        left_out: each.map(|it| format!("`{}`: {}", it.id, it.why)).collect(),
    })
}

/// Returns how likely a classifier finds the labels.
fn of_classifier(side: &ComparedModel, set: &Dataset) -> Result<Judged, Error> {
    let classifier = Classifier::open(&side.tuned.model, &HeadOptions::default())?;
    let mut judged = Judged::default();
    for examples in set.examples.chunks(TEXTS) {
        let mut texts = Vec::new();
        let mut wanted = Vec::new();
        for example in examples {
            let found = labelled(std::slice::from_ref(example), classifier.labels());
            let found = match found {
                Err(DataError::Labels(why)) => {
                    judged.left_out.push(why.to_string());
                    None
                }
                found => Some(found.map_err(TrainingError::Data)?),
            };
            if let Some(found) = &found {
                texts.push(found.texts[0]);
            }
            wanted.push(found.map(|found| found.labels[0].clone()));
        }
        let mut probabilities = classifier.probabilities(&texts)?.into_iter();
        for wanted in wanted {
            let of_one = wanted.map(|wanted| {
                let row = probabilities.next().expect("one for each text");
                judge_labels(&row, &wanted, classifier.several())
            });
            judged.of_each.push(of_one);
        }
    }
    Ok(judged)
}

/// Judges the probabilities of all labels of a text by those that it has.
fn judge_labels(probabilities: &[f32], wanted: &[u32], several: bool) -> OfExample {
    let has = |label: usize| wanted.contains(&(label as u32));
    let log = |probability: f32| f64::from(probability).max(f64::MIN_POSITIVE).ln();
    let each = || probabilities.iter().copied().enumerate();
    let (loss, right) = if several {
        let loss = each().map(|(label, it)| log(if has(label) { it } else { 1.0 - it }));
        let right = each().all(|(label, it)| (it >= 0.5) == has(label));
        (-loss.sum::<f64>(), right)
    } else {
        let best = each().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let loss = each()
            .filter(|(label, _)| has(*label))
            .map(|(_, it)| log(it));
        (
            -loss.sum::<f64>(),
            best.is_some_and(|(label, _)| has(label)),
        )
    };
    OfExample {
        loss,
        units: 1,
        bytes: 0,
        right,
    }
}

fn compare_examples(
    sides: &[ComparedModel; 2],
    files: &[PathBuf],
) -> Result<ComparedExamples, Error> {
    let set = Dataset::read(files, &ReadExamples::default()).map_err(TrainingError::Data)?;
    let mut found = Vec::new();
    let mut left_out: Vec<String> = set.refused.iter().map(ToString::to_string).collect();
    let mut kinds = Vec::new();
    for side in sides {
        let kind = model::describe(&side.tuned.model)?.kind;
        let classifies = kind == Some(ModelKind::Classifier);
        let judged = match classifies {
            true => of_classifier(side, &set)?,
            false => of_decoder(side, &set)?,
        };
        let reasons = judged.left_out.into_iter();
        left_out.extend(reasons.map(|why| format!("{why} ({})", side.name)));
        found.push(judged.of_each);
        kinds.push(classifies);
    }
    let pairs: Vec<[OfExample; 2]> = found[0]
        .iter()
        .zip(&found[1])
        .filter_map(|(first, second)| Some([(*first)?, (*second)?]))
        .collect();
    let side = |at: usize| {
        let (mut sum, mut units, mut bytes, mut right) = (0.0, 0, 0, 0);
        for pair in &pairs {
            sum += pair[at].loss;
            units += pair[at].units;
            bytes += pair[at].bytes;
            right += usize::from(pair[at].right);
        }
        let loss = sum / units.max(1) as f64;
        ExampleLoss {
            units,
            loss,
            beside: match kinds[at] {
                true => Beside::Labels {
                    accuracy: right as f64 / units.max(1) as f64,
                },
                false => Beside::Text {
                    perplexity: loss.exp(),
                    bits_per_byte: sum / std::f64::consts::LN_2 / bytes.max(1) as f64,
                },
            },
        }
    };
    let alike = |[first, second]: &[OfExample; 2]| first.units == second.units;
    let same = kinds[0] == kinds[1] && pairs.iter().all(alike);
    let differences: Vec<(f64, usize)> = pairs
        .iter()
        .map(|[first, second]| (second.loss - first.loss, first.units))
        .collect();
    Ok(ComparedExamples {
        count: pairs.len(),
        left_out,
        sides: [side(0), side(1)],
        difference: if same { paired(&differences) } else { None },
    })
}

/// Returns the mean difference of a unit, and its interval: the ratio of two sums over
/// examples (Cochran 1977, *Sampling Techniques*, §2.11).
pub(crate) fn paired(differences: &[(f64, usize)]) -> Option<PairedDifference> {
    let units: usize = differences.iter().map(|(_, units)| units).sum();
    let count = differences.len() as f64;
    if differences.len() < 2 || units == 0 {
        return None;
    }
    let mean = differences.iter().map(|(sum, _)| sum).sum::<f64>() / units as f64;
    let squares: f64 = differences
        .iter()
        .map(|(sum, units)| (sum - mean * *units as f64).powi(2))
        .sum();
    let error = (squares * count / (count - 1.0)).sqrt() / units as f64;
    Some(PairedDifference {
        mean,
        low: mean - WIDTH * error,
        high: mean + WIDTH * error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_the_interval_of_a_mean() {
        // Of units alike it is the usual one: mean 2, deviation 1, of 4.
        let alike = paired(&[(1.0, 1), (1.0, 1), (3.0, 1), (3.0, 1)]).unwrap();
        let error = (4.0_f64 / 3.0).sqrt() / 2.0;
        assert_eq!(alike.mean, 2.0);
        assert!(
            (alike.high - 2.0 - WIDTH * error).abs() < 1e-12,
            "{alike:?}"
        );
        assert!((alike.low - 2.0 + WIDTH * error).abs() < 1e-12, "{alike:?}");
        let same = paired(&[(0.5, 1), (1.0, 2)]).unwrap();
        assert_eq!((same.low, same.high), (0.5, 0.5));
        assert_eq!(paired(&[(1.0, 3)]), None);
    }

    #[test]
    fn labels_are_judged_by_their_probabilities() {
        let one = judge_labels(&[0.25, 0.75], &[0], false);
        assert!((one.loss - 4f64.ln()).abs() < 1e-6 && !one.right, "{one:?}");
        assert!(judge_labels(&[0.25, 0.75], &[1], false).right);
        let several = judge_labels(&[0.5, 0.75, 0.25], &[0, 1], true);
        let expect = -(0.5_f64.ln() + 2.0 * 0.75_f64.ln());
        assert!(
            (several.loss - expect).abs() < 1e-6 && several.right,
            "{several:?}"
        );
    }

    #[test]
    fn recipes_differ_by_key() {
        let guard = tempfile::tempdir().unwrap();
        let run = |name: &str, text: &str| {
            let folder = guard.path().join(name);
            fs_err::create_dir(&folder).unwrap();
            fs_err::write(folder.join("recipe.toml"), text).unwrap();
            folder
        };
        let first = run("a", "seed = 1\n[steps]\nbatch = 2\nlength = 8\n");
        let second = run("b", "seed = 1\n[steps]\nbatch = 4\nlength = 8\nlimit = 9\n");
        let found = recipe_differences([&first, &second]).unwrap();
        let keys: Vec<&str> = found.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys, ["steps.batch", "steps.limit"]);
        assert_eq!(found[1].values, [None, Some(Value::Integer(9))]);
    }
}
