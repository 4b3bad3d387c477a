//! Trains an encoder with a head on a file of examples, with a plain loop: AdamW, linear
//! schedule without warm-up, gradients clipped to length 1, and what transformers'
//! `Trainer` does by default else. Prints what it reached on other examples, and how long
//! it took. `docs/bench/scripts/train_encoder.py` does the same with `Trainer`.
//!
//! `train_encoder classes|tags MODEL TRAIN.jsonl TEST.jsonl EPOCHS RATE SEED [STEPS] [SAVE]`
//!
//! With `STEPS` it stops after so many and prints only the time of those after the first
//! five.

#![expect(clippy::print_stdout, reason = "an example's result is what it prints")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use model::bert::Batch;
use model::training::{
    Checkpointing, DropoutShares, EncoderTraining, HeadTargets, IGNORE, Precision, Task,
    TrainingOptions, Tuning,
};
use model::{EncoderTokenizer, Tokens, tagged_spans};
use serde::Deserialize;
use tensor::training::AdamW;
use tensor::{Kernels, Team};

const BATCH: usize = 32;
const LONGEST: usize = 128;
const DECAY: f64 = 0.01;
const DROPOUT: f32 = 0.1;

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Labelled {
        text: String,
        label: String,
    },
    Tagged {
        tokens: Vec<String>,
        tags: Vec<String>,
    },
}

/// A text and its targets: one label, or a tag or [`IGNORE`] for each token.
struct Example {
    tokens: Tokens,
    targets: Vec<u32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, folder, train, test, epochs, rate, seed, rest @ ..] = &arguments[..] else {
        return Err(
            "train_encoder classes|tags MODEL TRAIN TEST EPOCHS RATE SEED [STEPS] [SAVE]".into(),
        );
    };
    let (folder, epochs) = (Path::new(folder), epochs.parse::<usize>()?);
    let (rate, seed) = (rate.parse::<f64>()?, seed.parse::<u64>()?);
    let limit: Option<usize> = rest.first().map(|it| it.parse()).transpose()?;
    let (train, test) = (read(train)?, read(test)?);
    let labels = labels(&train);
    let task = match &**kind {
        "classes" => Task::Classes {
            labels: labels.clone(),
        },
        "tags" => Task::Tags {
            labels: labels.clone(),
        },
        other => return Err(format!("`{other}` is neither `classes` nor `tags`").into()),
    };
    let tokenizer = EncoderTokenizer::of_folder(folder, Some(LONGEST))?;
    let train = examples(&tokenizer, &labels, train)?;
    let test = examples(&tokenizer, &labels, test)?;

    let options = TrainingOptions {
        tokens: BATCH * LONGEST,
        precision: match std::env::var_os("BF16") {
            Some(_) => Precision::Bf16,
            None => Precision::F32,
        },
        checkpointing: Checkpointing::None,
        dropout: DropoutShares {
            embedding: DROPOUT,
            residual: DROPOUT,
            attention: DROPOUT,
        },
    };
    let mut training = EncoderTraining::open(folder, &task, &Tuning::Full, &options, seed)?;
    let team = Team::of_all_processors()?;
    let kernels = Kernels::best();
    let count = training.parameters().count();
    let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
    let table = training.parameters().table().to_vec();

    let per_epoch = train.len().div_ceil(BATCH);
    let steps = epochs * per_epoch;
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut random = seed;
    let (mut start, mut tokens, mut losses) = (Instant::now(), 0, 0.0);
    for step in 0..limit.unwrap_or(steps).min(steps) {
        if step.is_multiple_of(per_epoch) {
            shuffle(&mut order, &mut random);
        }
        if limit.is_some() && step == 5 {
            (start, tokens) = (Instant::now(), 0);
        }
        let from = step % per_epoch * BATCH;
        let chosen = &order[from..(from + BATCH).min(train.len())];
        let batch = Batch::of(chosen.iter().map(|it| &train[*it].tokens));
        tokens += batch.ids.len();
        let targets: Vec<u32> = chosen
            .iter()
            .flat_map(|it| train[*it].targets.iter().copied())
            .collect();
        let targets = wanted(&task, &targets);
        let weight = 1.0 / targets.units().max(1) as f32;
        let place = seed << 32 | step as u64;
        losses += training.step(&team, &batch, targets, weight, place)?;

        let (values, gradients) = training.parameters_mut().update();
        let length = kernels.squared_norm(&team, gradients).sqrt();
        for parameter in &table {
            let range = parameter.range.clone();
            let adamw = AdamW {
                learning_rate: rate * (1.0 - step as f64 / steps as f64),
                betas: (0.9, 0.999),
                epsilon: 1e-8,
                weight_decay: if parameter.decays { DECAY } else { 0.0 },
                step: step as u64 + 1,
            };
            let scale = (1.0 / (length + 1e-6)).min(1.0) as f32;
            let (first, second) = (&mut first[range.clone()], &mut second[range.clone()]);
            let (values, gradients) = (&mut values[range.clone()], &gradients[range]);
            kernels.adamw(&team, &adamw, scale, gradients, first, second, values);
        }
        team.chunks(gradients, 1 << 16, &|_, part| part.fill(0.0));
        if (step + 1).is_multiple_of(100) {
            println!("step {}/{steps} loss {:.4}", step + 1, losses / 100.0);
            losses = 0.0;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    if let Some(limit) = limit {
        let each = seconds / (limit.min(steps) - 5) as f64;
        println!(
            "{:.1} ms a step, {:.0} tokens/s",
            each * 1e3,
            tokens as f64 / seconds
        );
    } else {
        println!(
            "trained in {seconds:.1} s, {:.0} tokens/s",
            tokens as f64 / seconds
        );
        println!("{}", judged(&mut training, &team, &labels, &test)?);
    }
    if let Some(to) = rest.get(1) {
        training.save(Path::new(to))?;
    }
    Ok(())
}

fn wanted<'a>(task: &Task, targets: &'a [u32]) -> HeadTargets<'a> {
    match task {
        Task::Tags { .. } => HeadTargets::Tags(targets),
        _ => HeadTargets::Classes(targets),
    }
}

fn read(path: &str) -> Result<Vec<Line>, Box<dyn Error>> {
    let text = fs_err::read_to_string(path)?;
    Ok(text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

/// Returns all labels, sorted.
fn labels(lines: &[Line]) -> Vec<String> {
    let mut labels: Vec<String> = lines
        .iter()
        .flat_map(|line| match line {
            Line::Labelled { label, .. } => vec![label.clone()],
            Line::Tagged { tags, .. } => tags.clone(),
        })
        .collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}

fn examples(
    tokenizer: &EncoderTokenizer,
    labels: &[String],
    lines: Vec<Line>,
) -> Result<Vec<Example>, Box<dyn Error>> {
    let number = |label: &String| labels.binary_search(label).map_or(IGNORE, |it| it as u32);
    lines
        .into_iter()
        .map(|line| match line {
            Line::Labelled { text, label } => Ok(Example {
                tokens: tokenizer.text(&text)?,
                targets: vec![number(&label)],
            }),
            Line::Tagged { tokens, tags } => {
                let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
                let first = tokenizer.words(&words)?.swap_remove(0);
                let mut before = None;
                let mut target = |word: &Option<usize>| {
                    let fresh = *word != before;
                    before = *word;
                    word.filter(|_| fresh)
                        .map_or(IGNORE, |word| number(&tags[word]))
                };
                Ok(Example {
                    targets: first.words.iter().map(&mut target).collect(),
                    tokens: first.tokens,
                })
            }
        })
        .collect()
}

/// Mixes `order` (Fisher and Yates), by SplitMix64.
fn shuffle(order: &mut [usize], random: &mut u64) {
    for last in (1..order.len()).rev() {
        *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = *random;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        order.swap(last, (x % (last as u64 + 1)) as usize);
    }
}

/// Returns the share of texts with the right label, or precision, recall and F1 of the
/// stretches that tags name (each right only as a whole and with its kind).
fn judged(
    training: &mut EncoderTraining,
    team: &Team,
    labels: &[String],
    test: &[Example],
) -> Result<String, Box<dyn Error>> {
    let (mut right, mut found, mut there) = (0, 0, 0);
    for chunk in test.chunks(BATCH) {
        let batch = Batch::of(chunk.iter().map(|it| &it.tokens));
        let logits = training.predict(team, &batch)?;
        let mut tags = logits.chunks_exact(labels.len()).map(|row| {
            let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
            best.expect("there is a label") as u32
        });
        for example in chunk {
            if example.targets.len() == 1 && example.tokens.ids.len() > 1 {
                right += usize::from(tags.next() == Some(example.targets[0]));
                continue;
            }
            let (given, expected): (Vec<u32>, Vec<u32>) = tags
                .by_ref()
                .zip(example.targets.iter().copied())
                .take(example.targets.len())
                .filter(|(_, target)| *target != IGNORE)
                .unzip();
            let spans = |tags: &[u32]| {
                let names: Vec<&str> = tags.iter().map(|tag| &*labels[*tag as usize]).collect();
                let spans = tagged_spans(names.iter().copied());
                spans
                    .into_iter()
                    .map(|it| (it.label.to_owned(), it.words))
                    .collect::<Vec<_>>()
            };
            let (given, expected) = (spans(&given), spans(&expected));
            right += given.iter().filter(|it| expected.contains(it)).count();
            found += given.len();
            there += expected.len();
        }
    }
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    Ok(if there == 0 {
        format!("accuracy {:.4}", share(right, test.len()))
    } else {
        let (precision, recall) = (share(right, found), share(right, there));
        let f1 = share(2 * right, found + there);
        format!("precision {precision:.4} recall {recall:.4} F1 {f1:.4}")
    })
}
