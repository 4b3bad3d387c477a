//! Tiny models that were really trained. They do not lie in this repository:
//! `GROUNDTUNE_TINY_MODELS` is a folder that holds `stories260K`, `gpt-nano-sort` and
//! `gpt2-basic-463k`, each with its weights and expected numbers.
//!
//! `GROUNDTUNE_TINY_MODELS=… cargo test -p groundtune-model -- --ignored pretrained`

use std::path::PathBuf;

use model::decoder::{Decoder, Step, Wanted, Workspace};
use model::weights::Weights;
use serde::Deserialize;

use crate::decoder::{assert_near, open};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::var("GROUNDTUNE_TINY_MODELS")
        .expect("GROUNDTUNE_TINY_MODELS names the folder of the models");
    PathBuf::from(folder).join(name)
}

fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let bytes = fs_err::read(folder(name).join("golden.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Returns the logits of all `ids`.
fn logits(decoder: &Decoder, ids: &[u32]) -> Vec<f32> {
    let step = Step {
        tokens: ids,
        cache: &mut decoder.cache(ids.len()),
        adapters: &[],
        wanted: Wanted::All,
    };
    let mut workspace = Workspace::default();
    decoder
        .forward(&mut workspace, &mut [step])
        .unwrap()
        .to_vec()
}

/// Continues `prompt` to `length` tokens with the likeliest.
fn greedy(decoder: &Decoder, prompt: &[u32], length: usize) -> Vec<u32> {
    let mut ids = prompt.to_vec();
    let mut cache = decoder.cache(length);
    let mut workspace = Workspace::default();
    while ids.len() < length {
        let step = Step {
            tokens: &ids[cache.len()..],
            cache: &mut cache,
            adapters: &[],
            wanted: Wanted::Last,
        };
        let logits = decoder.forward(&mut workspace, &mut [step]).unwrap();
        ids.push(best(logits)[0]);
    }
    ids
}

/// Returns the tokens, the likeliest first.
fn best(logits: &[f32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    order
}

#[derive(Deserialize)]
struct Stories {
    cases: Vec<Story>,
    perplexity: Perplexity,
}

#[derive(Deserialize)]
struct Story {
    prompt_ids: Vec<u32>,
    all_ids: Vec<u32>,
    /// After the prompt.
    next_token_top10: Vec<(u32, f32)>,
}

#[derive(Deserialize)]
struct Perplexity {
    ids: Vec<u32>,
    mean_nll: f32,
}

#[test]
#[ignore = "needs stories260K, gpt-nano-sort and gpt2-basic-463k, in the folder that GROUNDTUNE_TINY_MODELS names"]
fn pretrained_stories_are_told_as_the_reference_tells_them() {
    let stories: Stories = golden("stories260K");
    for (file, tolerance) in [
        ("", 1e-5),
        ("stories260K-f32.gguf", 1e-5),
        ("stories260K-q8_0.gguf", 3e-2),
    ] {
        let decoder = open(&folder("stories260K").join(file));
        let vocabulary = decoder.config().vocabulary;
        for story in &stories.cases {
            let logits = logits(&decoder, &story.prompt_ids);
            let last = &logits[logits.len() - vocabulary..];
            let (tokens, expect): (Vec<u32>, Vec<f32>) =
                story.next_token_top10.iter().copied().unzip();
            let found: Vec<f32> = tokens.iter().map(|it| last[*it as usize]).collect();
            assert_near(&found, &expect, tolerance, file);
            if tolerance < 1e-4 {
                let found = greedy(&decoder, &story.prompt_ids, story.all_ids.len());
                assert_eq!(found, story.all_ids, "{file}");
            }
        }
        let Perplexity { ids, mean_nll } = &stories.perplexity;
        let logits = logits(&decoder, ids);
        let surprise: f32 = logits
            .chunks_exact(vocabulary)
            .zip(&ids[1..])
            .map(|(logits, next)| {
                let sum: f32 = logits.iter().map(|it| it.exp()).sum();
                sum.ln() - logits[*next as usize]
            })
            .sum();
        let found = surprise / (ids.len() - 1) as f32;
        assert!(
            (found - mean_nll).abs() < tolerance,
            "{file}: {found} is not {mean_nll}"
        );
    }
}

#[test]
#[ignore = "needs stories260K, gpt-nano-sort and gpt2-basic-463k, in the folder that GROUNDTUNE_TINY_MODELS names"]
fn pretrained_letters_are_sorted_as_the_reference_sorts_them() {
    let decoder = open(&folder("gpt-nano-sort"));
    let path = folder("gpt-nano-sort").join("reference_activations.safetensors");
    let reference = Weights::open_file(&path).unwrap();
    let tensor = |name: &str, width| reference.tensor(name, &[3, 11, width]).unwrap();
    let ids: Vec<u32> = reference
        .tensor("idx", &[3, 11])
        .unwrap()
        .iter()
        .map(|it| *it as u32)
        .collect();
    let (hidden, expect) = (tensor("ln_f", 48), tensor("lm_head", 3));
    for (text, ids) in ids.chunks(11).enumerate() {
        let found = logits(&decoder, ids);
        assert_near(&found, &expect[text * 33..][..33], 1e-5, "logits");
        let step = Step {
            tokens: ids,
            cache: &mut decoder.cache(11),
            adapters: &[],
            wanted: Wanted::All,
        };
        let mut workspace = Workspace::default();
        let found = decoder.hidden(&mut workspace, &mut [step]).unwrap();
        assert_near(found, &hidden[text * 528..][..528], 1e-5, "hidden states");
    }
}

#[derive(Deserialize)]
struct Basic {
    ids: Vec<u32>,
    float_top8: Vec<(u32, f32)>,
}

#[test]
#[ignore = "needs stories260K, gpt-nano-sort and gpt2-basic-463k, in the folder that GROUNDTUNE_TINY_MODELS names"]
fn pretrained_words_have_the_reference_s_logits() {
    let decoder = open(&folder("gpt2-basic-463k"));
    for case in golden::<Vec<Basic>>("gpt2-basic-463k") {
        let logits = logits(&decoder, &case.ids);
        let last = &logits[logits.len() - decoder.config().vocabulary..];
        let tokens: Vec<u32> = case.float_top8.iter().map(|(token, _)| *token).collect();
        assert_eq!(best(last)[..8], tokens);
        let found: Vec<f32> = tokens.iter().map(|it| last[*it as usize]).collect();
        let expect: Vec<f32> = case.float_top8.iter().map(|(_, logit)| *logit).collect();
        assert_near(&found, &expect, 1e-5, "gpt2-basic");
    }
}
