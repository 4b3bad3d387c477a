//! How many tokens a second a decoder is trained at, as one line of JSON.
//!
//! `cargo run --release -p groundtune-model --example train_speed -- make FOLDER` writes a
//! model of GPT-2's shape (124 M) with random numbers; `… -- MODE FOLDER [BATCH] [LENGTH]
//! [STEPS] [THREADS]` trains it: forward, backward and AdamW. `MODE` is words joined by
//! `+`: `full`, `lora` (rank 8 beside queries, keys and values) or `qlora`; `bf16` or
//! `high`; `checkpointing`; `packed`. `GROUNDTUNE_TRAIN_PARTS=1` says where the time goes. The peer is
//! PyTorch's step with the same shape and modes.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its result")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use model::decoder::{DecoderConfig, Shape};
use model::training::{
    Checkpointing, DecoderTraining, DropoutShares, Lora, Pass, Precision, Sequences, Targets,
    TrainingOptions, Tuning,
};
use tensor::training::AdamW;
use tensor::{Kernels, Team};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, folder, rest @ ..] = &arguments[..] else {
        return Err(
            "usage: train_speed make|MODE FOLDER [BATCH] [LENGTH] [STEPS] [THREADS]".into(),
        );
    };
    let number = |at: usize, or: usize| rest.get(at).map_or(Ok(or), |it| it.parse());
    let (batch, length, steps) = (number(0, 4)?, number(1, 256)?, number(2, 5)?);
    let team = Team::new(NonZeroUsize::new(number(3, 2)?).ok_or("some threads")?)?;
    let words: Vec<&str> = mode.split('+').collect();
    let options = TrainingOptions {
        tokens: batch * length,
        precision: match &words {
            words if words.contains(&"bf16") => Precision::Bf16,
            words if words.contains(&"high") => Precision::High,
            _ => Precision::F32,
        },
        checkpointing: match words.contains(&"checkpointing") {
            true => Checkpointing::EachLayer,
            false => Checkpointing::None,
        },
        dropout: DropoutShares::default(),
    };
    let folder = Path::new(folder);
    if words == ["make"] {
        let config = DecoderConfig::gpt2(Shape {
            vocabulary: 50_257,
            context: 1024,
            width: 768,
            layers: 12,
            heads: 12,
            key_heads: 12,
            inner: 3072,
        })?;
        let tokens = 1;
        let made = DecoderTraining::initialise(&config, 0, &TrainingOptions { tokens, ..options })?;
        return Ok(made.save(folder)?);
    }
    let lora = Lora {
        targets: Targets::Named(vec!["c_attn".into()]),
        ..Lora::default()
    };
    let tuning = match words[0] {
        "full" => Tuning::Full,
        "lora" => Tuning::Lora(lora),
        "qlora" => Tuning::QLora(lora),
        other => return Err(format!("unknown mode {other}").into()),
    };
    let mut training = match words.contains(&"packed") {
        true => DecoderTraining::open_packed(folder, &tuning, &options, &team)?,
        false => DecoderTraining::open(folder, &tuning, &options)?,
    };
    let opened = peak();
    let plan = training.memory();
    let count = training.parameters().count();
    let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
    let known = training.config().vocabulary as u64;
    let tokens = batch * length;
    let ids: Vec<u32> = (0..tokens as u64)
        .map(|at| (at * 7919 % known) as u32)
        .collect();
    let lengths = vec![length; batch];
    let targets: Vec<u32> = ids.iter().cycle().skip(1).take(tokens).copied().collect();
    let weights = vec![1.0 / tokens as f32; tokens];
    let kernels = Kernels::best();
    let (mut times, mut losses) = (Vec::new(), Vec::new());
    for step in 0..=steps {
        let start = Instant::now();
        let sequences = Sequences {
            ids: &ids,
            lengths: &lengths,
        };
        training.forward(&team, sequences, Pass::Train { seed: step as u64 })?;
        let forward = start.elapsed();
        losses.push(training.backward(&team, &targets, &weights)?);
        let backward = start.elapsed();
        let adamw = AdamW {
            learning_rate: 1e-4,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: 0.01,
            step: step as u64 + 1,
        };
        let (values, gradients) = training.parameters_mut().update();
        kernels.adamw(
            &team,
            &adamw,
            1.0,
            gradients,
            &mut first,
            &mut second,
            values,
        );
        gradients.fill(0.0);
        if std::env::var_os("GROUNDTUNE_TRAIN_PARTS").is_some() {
            let (all, back) = (start.elapsed(), backward - forward);
            eprintln!(
                "forward {forward:?}, backward {back:?}, update {:?}",
                all - backward
            );
        }
        // The first is a warm-up.
        if step > 0 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!(
        "{}",
        serde_json::json!({
            "mode": mode,
            "batch": batch,
            "length": length,
            "step_s": median,
            "tokens_per_s": tokens as f64 / median,
            "best": tokens as f64 / times[0],
            "peak_rss_gb": peak() / 1e9,
            "opened_rss_gb": opened / 1e9,
            "activations_gb": plan.activations as f64 / 1e9,
            "planned_gb": (plan.total() + 8 * count) as f64 / 1e9,
            "trainable": count,
            "losses": [losses[0], losses[losses.len() - 1]],
        })
    );
    Ok(())
}

/// Returns the most memory this program has had, in bytes; 0 where that is not known.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    1024.0 * kilobytes.unwrap_or(0.0)
}
