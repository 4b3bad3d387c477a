//! Forgetting: what tuning cost of what the model could before. General text and general tasks,
//! which have nothing to do with the examples, before and after.
//!
//! Of a model that writes it is what it makes of a text ([`written`]); of an encoder, what lies
//! near a text ([`read`]). Texts and tasks come with the program, unless the recipe names the
//! team's own.

mod material;
mod read;
mod written;

use std::collections::BTreeMap;

use eval::statistics::{Interval, Paired, mcnemar, newcombe_paired};
use serde::{Deserialize, Serialize};

use super::{DrillKind, Ground, Tell, Tried};
use crate::compare::{Arm, CompareError, Task, folder};
use crate::models::{ModelReference, paired};

use material::Material;
use read::Encoders;

/// At which level intervals are.
const LEVEL: f64 = 0.95;

/// What a model makes of general text and tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct General {
    /// What it makes of the texts.
    #[serde(flatten)]
    pub texts: OfTexts,
    /// The share of the tasks that are right.
    pub tasks_right: f64,
}

/// What a model makes of general text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OfTexts {
    /// A model that writes.
    Written {
        /// The bits that it needs for a byte of the text.
        bits_per_byte: f64,
        /// `e` to the mean loss of a token.
        perplexity: f64,
    },
    /// An encoder.
    Read {
        /// The mean of one over the place at which the other half of a half of a text lies, of
        /// all other halves, the nearest first.
        halves_found: f64,
    },
}

/// What there is, and what the base model makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Pieces of text.
    pub texts: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Tasks.
    pub tasks: usize,
    /// How many would be right by chance, as a share.
    pub chance: f64,
    /// What `halves_found` would be by chance; nothing of a model that writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halves_by_chance: Option<f64>,
    /// What the base model makes of them.
    pub before: General,
}

/// What tuning made a candidate forget, the first of its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forgot {
    /// What it makes of them, by seed.
    pub after: Vec<General>,
    /// What it lost of the texts.
    #[serde(flatten)]
    pub texts: TextsLost,
    /// The share of the tasks that it lost; less than nothing, if it gained.
    pub lost: f64,
    /// Where that lies.
    pub lost_interval: Option<Interval>,
    /// How likely it is to lose or gain so many tasks by chance.
    pub p_value: f64,
}

/// What tuning cost of general text; the interval is paired by pieces of text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TextsLost {
    /// A model that writes.
    Written {
        /// How many more bits a byte takes than before.
        more_bits: f64,
        /// Where that lies.
        more_bits_interval: Option<Interval>,
    },
    /// An encoder.
    Read {
        /// How much less of [`OfTexts::Read`]'s `halves_found` there is than before.
        halves_lost: f64,
        /// Where that lies.
        halves_lost_interval: Option<Interval>,
    },
}

impl TextsLost {
    /// Returns how much was lost, and where that lies.
    pub fn amount(&self) -> (f64, Option<Interval>) {
        match *self {
            Self::Written {
                more_bits,
                more_bits_interval,
            } => (more_bits, more_bits_interval),
            Self::Read {
                halves_lost,
                halves_lost_interval,
            } => (halves_lost, halves_lost_interval),
        }
    }
}

/// What a model makes of each piece and task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OfModel {
    texts: EachText,
    /// Of each task: whether the right ending is chosen.
    tasks: Vec<bool>,
}

/// What a model makes of each piece.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum EachText {
    /// Bits, bytes, and tokens.
    Written(Vec<(f64, usize, usize)>),
    /// The mean of one over the places at which its halves find one another.
    Read(Vec<f64>),
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
    let material = Material::read(&ground.recipe.drills)?;
    let runs = ground.taught.iter().flat_map(|(arm, runs)| {
        let runs = runs.iter().enumerate();
        runs.map(move |(seed, run)| (*arm, seed, &run.run))
    });
    let runs: Vec<_> = runs.collect();
    let of = runs.len() + 1;
    // What two candidates share was taught once, and is asked once.
    let mut known = BTreeMap::new();
    let mut encoders = None;
    let mut asked = |reference: &ModelReference, name: String| {
        let path = ground.folder.drill(DrillKind::Forgetting).join(name);
        if let Some(found) = folder::read_json(&path)? {
            return Ok(Some(found));
        }
        let found = match ground.base.task() {
            Task::Write => match written::given_to(ground, reference, &material)? {
                Some(found) => found,
                None => return Ok(None),
            },
            Task::Label | Task::Tag | Task::Find => {
                let encoders = match &encoders {
                    Some(encoders) => encoders,
                    None => encoders.insert(Encoders::of(ground)?),
                };
                encoders.given_to(ground, reference, &material)?
            }
        };
        folder::write_json(&path, &found)?;
        Ok::<Option<OfModel>, CompareError>(Some(found))
    };
    let on_server = || {
        let why = "a model on a server does not say how likely a text is";
        Ok(Some((None, Tried::not(why))))
    };
    let Some(before) = asked(ground.reference, "base.json".into())? else {
        return on_server();
    };
    if tell(DrillKind::Forgetting, 1, of).is_break() {
        return Ok(None);
    }
    let mut after = BTreeMap::<Arm, Vec<OfModel>>::new();
    for (done, (arm, seed, run)) in runs.into_iter().enumerate() {
        let found = match known.get(run) {
            Some(found) => OfModel::clone(found),
            None => {
                let reference = ModelReference::Named(run.to_string_lossy().into_owned());
                match asked(&reference, format!("{arm}.{seed}.json"))? {
                    Some(found) => found,
                    None => return on_server(),
                }
            }
        };
        known.insert(run, found.clone());
        after.entry(arm).or_default().push(found);
        if tell(DrillKind::Forgetting, done + 2, of).is_break() {
            return Ok(None);
        }
    }
    let (bytes, halves_by_chance) = match &before.texts {
        EachText::Written(texts) => (texts.iter().map(|(_, bytes, _)| bytes).sum(), None),
        EachText::Read(texts) => {
            let bytes = material.texts.iter().map(String::len).sum();
            (bytes, Some(read::by_chance(texts.len())))
        }
    };
    let general = Forgetting {
        texts: material.texts.len(),
        bytes,
        tasks: material.tasks.len(),
        chance: material.chance(),
        halves_by_chance,
        before: before.general(),
    };
    let forgot = after
        .into_iter()
        .map(|(arm, runs)| (arm, forgot(&before, &runs)));
    Ok(Some((Some(general), Tried::found(forgot.collect()))))
}

fn forgot(before: &OfModel, runs: &[OfModel]) -> Forgot {
    let first = &runs[0];
    let right = |of: &OfModel| -> Vec<Option<f64>> {
        let each = of.tasks.iter();
        each.map(|right| Some(f64::from(u8::from(*right))))
            .collect()
    };
    let counts = Paired::new(&right(before), &right(first));
    Forgot {
        after: runs.iter().map(OfModel::general).collect(),
        texts: before.texts.lost(&first.texts),
        lost: before.general().tasks_right - first.general().tasks_right,
        lost_interval: (!before.tasks.is_empty()).then(|| newcombe_paired(counts, LEVEL)),
        p_value: mcnemar(counts),
    }
}

impl OfModel {
    fn general(&self) -> General {
        General {
            texts: self.texts.together(),
            tasks_right: super::share(&self.tasks, |right| **right),
        }
    }
}

impl EachText {
    fn together(&self) -> OfTexts {
        match self {
            Self::Written(texts) => {
                let (mut bits, mut bytes, mut tokens) = (0.0, 0, 0);
                for (of_text, length, count) in texts {
                    bits += of_text;
                    bytes += length;
                    tokens += count;
                }
                OfTexts::Written {
                    bits_per_byte: bits / bytes.max(1) as f64,
                    perplexity: (bits * std::f64::consts::LN_2 / tokens.max(1) as f64).exp(),
                }
            }
            Self::Read(texts) => OfTexts::Read {
                halves_found: texts.iter().sum::<f64>() / texts.len().max(1) as f64,
            },
        }
    }

    /// Returns what is lost of these in what became of them.
    fn lost(&self, after: &Self) -> TextsLost {
        let interval = |differences: &[(f64, usize)]| {
            paired(differences).map(|it| Interval {
                low: it.low,
                high: it.high,
            })
        };
        match (self, after) {
            (Self::Written(before), Self::Written(after)) => {
                let each = before.iter().zip(after);
                let more: Vec<(f64, usize)> = each
                    .map(|((before, bytes, _), (after, _, _))| (after - before, *bytes))
                    .collect();
                let (bits, bytes) = more
                    .iter()
                    .fold((0.0, 0), |(bits, bytes), it| (bits + it.0, bytes + it.1));
                TextsLost::Written {
                    more_bits: bits / bytes.max(1) as f64,
                    more_bits_interval: interval(&more),
                }
            }
            (Self::Read(before), Self::Read(after)) => {
                let each = before.iter().zip(after);
                let less: Vec<(f64, usize)> =
                    each.map(|(before, after)| (before - after, 1)).collect();
                TextsLost::Read {
                    halves_lost: less.iter().map(|it| it.0).sum::<f64>() / less.len().max(1) as f64,
                    halves_lost_interval: interval(&less),
                }
            }
            _ => unreachable!("a model is taught to do what it did"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: EachText, tasks: &[bool]) -> OfModel {
        OfModel {
            texts,
            tasks: tasks.to_vec(),
        }
    }

    #[test]
    fn forgetting_is_paired() {
        let bits = |bits: &[f64]| EachText::Written(bits.iter().map(|it| (*it, 10, 5)).collect());
        let before = of(bits(&[10.0, 30.0]), &[true, true, false, true]);
        let after = of(bits(&[20.0, 40.0]), &[true, false, false, false]);
        let found = forgot(&before, &[after]);
        let (more, interval) = found.texts.amount();
        let interval = interval.unwrap();
        assert!((more - 1.0).abs() < 1e-12);
        assert!((interval.low - 1.0).abs() < 1e-12 && (interval.high - 1.0).abs() < 1e-12);
        assert!((found.lost - 0.5).abs() < 1e-12);
        assert!((found.p_value - 0.5).abs() < 1e-12);
    }

    #[test]
    fn an_encoder_forgets_which_halves_belong_together() {
        let before = of(EachText::Read(vec![1.0, 0.5, 1.0]), &[]);
        let after = of(EachText::Read(vec![0.5, 0.0, 0.5]), &[]);
        let found = forgot(&before, &[after]);
        let (lost, interval) = found.texts.amount();
        let interval = interval.unwrap();
        assert_eq!((lost, interval.low, interval.high), (0.5, 0.5, 0.5));
        assert_eq!(found.lost_interval, None);
    }

    #[test]
    fn what_was_kept_is_read_again() {
        let check = |kept: &str, expect: OfTexts| {
            let found: General = serde_json::from_str(kept).unwrap();
            assert_eq!(found.texts, expect);
            let again = serde_json::to_string(&found).unwrap();
            assert_eq!(serde_json::from_str::<General>(&again).unwrap(), found);
        };
        let written = OfTexts::Written {
            bits_per_byte: 1.5,
            perplexity: 9.0,
        };
        let kept = r#"{"bits_per_byte": 1.5, "perplexity": 9.0, "tasks_right": 0.5}"#;
        check(kept, written);
        let read = OfTexts::Read { halves_found: 0.75 };
        check(r#"{"halves_found": 0.75, "tasks_right": 0.5}"#, read);
    }
}
