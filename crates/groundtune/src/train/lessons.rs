//! From the recipe's files to what the model learns and what it is examined on.

use std::path::PathBuf;

use ::train::{Dev, EvidenceRecipe, Objective, Pairs, Recipe, Sequences};
use contract::{Example, Lesson, Share, Split, held_out};
use model::training::Task;
use xxhash_rust::xxh3::Xxh3;

use super::evidence::Pool;
use super::exercises::{EncoderLessons, exercises};
use super::source::Source;
use super::{DataSummary, TrainingError};
use crate::data::{Dataset, PreparedPairs, ReadExamples, SequenceOptions, preferences, sequences};

/// With fewer texts than these, a share for examination is cut from the end of each: whole
/// texts would be too coarse.
const FEW_TEXTS: usize = 20;

/// Examples that are named because they cannot be used.
const NAMED: usize = 5;

/// The examples of the recipe's files.
#[derive(Debug)]
pub(super) struct Files {
    training: Dataset,
    /// Those of files of their own for examination.
    dev: Option<Dataset>,
}

/// What the model learns and is examined on, as its tokens.
#[derive(Debug)]
pub(super) struct Lessons {
    pub(super) content: Content,
    pub(super) summary: DataSummary,
    pub(super) fingerprint: String,
    /// Whether there are prompts with answers among them, and not texts alone.
    pub(super) prompts: bool,
}

/// Tokens by the kind of objective.
#[derive(Debug)]
pub(super) enum Content {
    Sequences { training: Sequences, dev: Sequences },
    Pairs { training: Pairs, dev: Pairs },
    Exercises(EncoderLessons),
}

/// Reads the recipe's files.
pub(super) fn read(recipe: &Recipe) -> Result<Files, TrainingError> {
    let layout = recipe.data.format.as_deref().map(str::parse).transpose()?;
    let options = ReadExamples {
        layout,
        ..ReadExamples::default()
    };
    let training = Dataset::read(&recipe.data.train, &options)?;
    let dev = match &recipe.data.dev {
        Dev::Files(paths) => Some(Dataset::read(paths, &options)?),
        Dev::Share(_) | Dev::Whether(_) => None,
    };
    Ok(Files { training, dev })
}

impl Files {
    /// Returns whether there are conversations among them.
    pub(super) fn converse(&self) -> bool {
        let mut all = self.training.examples.iter();
        all.any(|it| matches!(it.lesson, Lesson::Conversation { .. }))
    }

    /// Returns all texts that are learnt from, for a vocabulary.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> + Send {
        self.training
            .examples
            .iter()
            .flat_map(|it| [it.lesson.input(), it.lesson.target()])
    }

    /// Makes them into tokens.
    pub(super) fn lessons(
        self,
        recipe: &Recipe,
        source: &Source,
    ) -> Result<Lessons, TrainingError> {
        let context = source.context()?;
        if recipe.steps.length > context {
            return Err(TrainingError::TooLong {
                found: recipe.steps.length,
                context,
            });
        }
        let options = SequenceOptions::new(recipe.steps.length);
        let mut fingerprint = self.training.fingerprint();
        if let Some(dev) = &self.dev {
            fingerprint ^= dev.fingerprint().rotate_left(1);
        }
        let refused = self.training.refused.iter().map(ToString::to_string);
        let mut left_out: Vec<String> = refused.collect();
        let files = self
            .training
            .files
            .iter()
            .chain(self.dev.iter().flat_map(|it| &it.files));
        let files: Vec<(PathBuf, &'static str)> = files
            .map(|file| (file.path.clone(), file.layout.as_str()))
            .collect();
        let examples = &self.training.examples;
        let is_text = |it: &Example| matches!(it.lesson, Lesson::Text { .. });
        let prompts = !examples.iter().all(is_text);
        let few = examples.len() < FEW_TEXTS && !prompts;
        let share = match recipe.data.dev {
            Dev::Share(share) => share,
            Dev::Whether(true) => 0.05,
            Dev::Whether(false) | Dev::Files(_) => 0.0,
        };

        let sets = match self.dev {
            Some(dev) => held_out(self.training.examples, dev.examples, Vec::new()).sets,
            None => self.training.split(&Split {
                seed: recipe.seed,
                dev: Share::clamped(if few { 0.0 } else { share }),
                test: Share::clamped(0.0),
            }),
        };
        let (training, dev) = (sets.train.examples(), sets.dev.examples());
        let asked = match &recipe.data.evidence {
            None => None,
            Some(evidence) => Some(with_evidence(evidence, recipe, [training, dev])?),
        };
        let (training, dev) = match &asked {
            None => (training, dev),
            Some(asked) => {
                left_out.extend(asked.left_out.iter().cloned());
                fingerprint ^= asked.fingerprint;
                (&*asked.training, &*asked.dev)
            }
        };
        let (content, tokens, longest, examples) = match recipe.objective {
            Objective::Language { .. } => {
                let mut made = |examples: &[Example]| -> Result<_, TrainingError> {
                    if examples.is_empty() {
                        return Ok((Sequences::new(), Vec::new()));
                    }
                    let made = sequences(examples, source.tokenizer(), &options)?;
                    left_out.extend(
                        made.left_out
                            .iter()
                            .map(|it| format!("{}: {}", it.id, it.why)),
                    );
                    Ok((made.sequences, made.from))
                };
                let (mut training, from) = made(training)?;
                let (mut dev, _) = made(dev)?;
                if few && share > 0.0 {
                    (dev, training) = training.partition(|at| is_tail(&from, at, share));
                }
                let sizes = (training.tokens(), training.longest().max(dev.longest()));
                let counts = (training.len(), dev.len());
                (
                    Content::Sequences { training, dev },
                    sizes.0,
                    sizes.1,
                    counts,
                )
            }
            objective @ (Objective::Classify {}
            | Objective::Tag {}
            | Objective::Read { .. }
            | Objective::Rerank {}
            | Objective::Embed { .. }) => {
                let tokenizer = source.encoder_tokenizer(recipe.steps.length)?;
                let lessons = exercises(objective, tokenizer, training, dev, &mut left_out)?;
                let (learnt, examined) = lessons.sizes();
                let tokens = learnt.iter().sum();
                let longest = learnt.iter().chain(&examined).max().copied().unwrap_or(0);
                let counts = (learnt.len(), examined.len());
                (Content::Exercises(lessons), tokens, longest, counts)
            }
            Objective::Dpo { .. } | Objective::Orpo { .. } => {
                let mut made = |examples: &[Example]| -> Result<Pairs, TrainingError> {
                    if examples.is_empty() {
                        return Ok(Pairs::default());
                    }
                    let made: PreparedPairs = preferences(examples, source.tokenizer(), &options)?;
                    left_out.extend(
                        made.left_out
                            .iter()
                            .map(|it| format!("{}: {}", it.id, it.why)),
                    );
                    Ok(Pairs {
                        chosen: made.chosen,
                        rejected: made.rejected,
                    })
                };
                let (training, dev) = (made(training)?, made(dev)?);
                let sides = [&training.chosen, &training.rejected];
                let tokens = sides.iter().map(|it| it.tokens()).sum();
                let sides = [
                    &training.chosen,
                    &training.rejected,
                    &dev.chosen,
                    &dev.rejected,
                ];
                let longest = sides.iter().map(|it| it.longest()).max().unwrap_or(0);
                let counts = (training.chosen.len(), dev.chosen.len());
                (Content::Pairs { training, dev }, tokens, longest, counts)
            }
        };
        let left_out_count = left_out.len();
        left_out.truncate(NAMED);
        Ok(Lessons {
            content,
            prompts,
            summary: DataSummary {
                files,
                examples,
                tokens,
                longest,
                left_out,
                left_out_count,
            },
            fingerprint: format!("{fingerprint:016x}"),
        })
    }
}

/// Examples whose questions are asked with evidence.
struct Asked {
    training: Vec<Example>,
    dev: Vec<Example>,
    left_out: Vec<String>,
    /// Of the texts: documents that change are other data.
    fingerprint: u64,
}

/// Asks questions with evidence. What is examined is asked also with the passages that are
/// learnt from, and not the other way round.
fn with_evidence(
    evidence: &EvidenceRecipe,
    recipe: &Recipe,
    [training, dev]: [&[Example]; 2],
) -> Result<Asked, TrainingError> {
    let is_question = |it: &Example| matches!(it.lesson, Lesson::Question { .. });
    if !matches!(recipe.objective, Objective::Language { .. }) || !training.iter().any(is_question)
    {
        return Err(TrainingError::NoQuestions);
    }
    let mut hash = Xxh3::new();
    let mut left_out = Vec::new();
    let mut ask = |examples: &[Example], others: &[Example]| -> Result<_, TrainingError> {
        let passages = examples.iter().chain(others);
        let mut pool = Pool::open(evidence, recipe.seed, passages)?;
        let mut asked = Vec::with_capacity(examples.len());
        for example in examples {
            match pool.ask(example.clone())? {
                Ok(example) => {
                    hash.update(example.lesson.input().as_bytes());
                    asked.push(example);
                }
                Err(why) => left_out.push(why),
            }
        }
        Ok(asked)
    };
    let (training, dev) = (ask(training, &[])?, ask(dev, training)?);
    Ok(Asked {
        training,
        dev,
        left_out,
        fingerprint: hash.digest(),
    })
}

/// Returns whether sequence `at` is in the last `share` of the sequences of its text.
fn is_tail(from: &[u32], at: usize, share: f64) -> bool {
    let first = from.partition_point(|it| *it < from[at]);
    let end = from.partition_point(|it| *it <= from[at]);
    let count = end - first;
    // A text of one piece is learnt; of several at least one is examined.
    let tail = ((count as f64 * share).ceil() as usize).min(count - 1);
    at >= end - tail
}

impl Lessons {
    /// Returns what an encoder learns; for a decoder, nothing.
    pub(super) fn task(&self) -> Option<Task> {
        match &self.content {
            Content::Exercises(lessons) => Some(lessons.task.clone()),
            Content::Sequences { .. } | Content::Pairs { .. } => None,
        }
    }

    /// Returns the most tokens that a batch of `recipe` can have.
    pub(super) fn room(&self, recipe: &Recipe) -> usize {
        let mut lengths: Vec<usize> = match &self.content {
            Content::Sequences { training, .. } => (0..training.len())
                .map(|it| training.get(it).ids.len())
                .collect(),
            Content::Pairs { training, .. } => (0..training.chosen.len())
                .map(|it| training.chosen.get(it).ids.len() + training.rejected.get(it).ids.len())
                .collect(),
            Content::Exercises(lessons) => lessons.sizes().0,
        };
        if !recipe.technique.packing {
            // A row is as long as the longest of its batch, and a pair is two.
            let longest = match &self.content {
                Content::Pairs { training, .. } => {
                    2 * training.chosen.longest().max(training.rejected.longest())
                }
                _ => lengths.iter().copied().max().unwrap_or(0),
            };
            lengths.fill(longest);
        }
        largest_batch(&mut lengths, recipe.steps.batch)
            .max(self.summary.longest)
            .max(1)
    }
}

/// Returns the most tokens that `batch` examples in a row can have, of epochs one behind the
/// other: where a batch begins in one and ends in the next, the longest may be in it twice.
fn largest_batch(lengths: &mut [usize], batch: usize) -> usize {
    let (count, batch) = (lengths.len().max(1), batch.max(1));
    let often = match (batch.is_multiple_of(count), count.is_multiple_of(batch)) {
        (true, _) => batch / count,
        (_, true) => 1,
        (false, false) => batch / count + 2,
    };
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let each = lengths.iter().flat_map(|it| std::iter::repeat_n(it, often));
    each.take(batch).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_batch_is_larger_than_was_planned(
            lengths in proptest::collection::vec(1_usize..50, 1..12),
            batch in 1_usize..20,
            seed in 0_u64..50,
        ) {
            let planned = largest_batch(&mut lengths.clone(), batch);
            // Five epochs, each in an order of its own.
            let epochs = (0..5_usize).flat_map(|epoch| {
                let mut order: Vec<usize> = (0..lengths.len()).collect();
                let mixed = |it: &usize| {
                    (seed ^ (epoch * 977 + it) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
                };
                order.sort_by_key(mixed);
                order
            });
            let all: Vec<usize> = epochs.map(|it| lengths[it]).collect();
            for found in all.chunks(batch) {
                proptest::prop_assert!(found.iter().sum::<usize>() <= planned);
            }
        }
    }

    #[test]
    fn the_end_of_each_text_is_examined() {
        let from = [0, 0, 0, 0, 1, 2, 2];
        let tail: Vec<bool> = (0..from.len()).map(|at| is_tail(&from, at, 0.1)).collect();
        assert_eq!(tail, [false, false, false, true, false, false, true]);
    }
}
