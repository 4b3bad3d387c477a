//! Adapters against PEFT: alone, stacked, chosen per sequence, merged.

use std::path::PathBuf;

use model::ModelError;
use model::decoder::{Cache, Decoder, Step, Wanted, Workspace};
use model::lora::{Adapter, merge};
use serde::Deserialize;

use crate::decoder::{assert_near, open};
use crate::{copy, expected, tiny};

const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Expected {
    ids: Vec<u32>,
    /// Of the last tokens.
    logits: Vec<f32>,
}

#[derive(Deserialize)]
struct Stacked {
    ids: Vec<u32>,
    weights: [f32; 2],
    logits: Vec<f32>,
}

fn folder(name: &str) -> PathBuf {
    tiny("decoders").join(name)
}

/// Returns the last logits of `ids`, as many as `count` numbers.
fn logits(decoder: &Decoder, ids: &[u32], adapters: &[(&Adapter, f32)], count: usize) -> Vec<f32> {
    let step = Step {
        tokens: ids,
        cache: &mut decoder.cache(64),
        adapters,
        wanted: Wanted::All,
    };
    let mut workspace = Workspace::default();
    let logits = decoder.forward(&mut workspace, &mut [step]).unwrap();
    logits[logits.len() - count..].to_vec()
}

#[test]
fn logits_are_those_of_peft() {
    for (name, base) in [
        ("lora", "llama"),
        ("rslora", "llama"),
        ("dora", "llama"),
        ("lora-gpt2", "gpt2"),
        // The rows of queries and keys are in another order in this file.
        ("lora", "gguf/llama.gguf"),
        ("dora", "gguf/llama.gguf"),
        ("lora-gpt2", "gguf/gpt2.gguf"),
    ] {
        let decoder = open(&folder(base));
        let adapter = Adapter::open(&folder(name), &decoder).unwrap();
        let expected: Expected = expected(&format!("decoders/{name}"));
        let count = expected.logits.len();
        let found = logits(&decoder, &expected.ids, &[(&adapter, 1.0)], count);
        assert_near(
            &found,
            &expected.logits,
            TOLERANCE,
            &format!("{name} on {base}"),
        );

        let without = logits(&decoder, &expected.ids, &[], count);
        assert!(without != found, "{name} changes nothing");
        let with_none = logits(&decoder, &expected.ids, &[(&adapter, 0.0)], count);
        assert_near(&with_none, &without, 1e-5, name);
    }
}

#[test]
fn stacked_logits_are_those_of_peft() {
    let text = fs_err::read_to_string(folder("stacked.json")).unwrap();
    let stacked: Stacked = serde_json::from_str(&text).unwrap();
    let decoder = open(&folder("llama"));
    let [a, b] = ["lora", "rslora"].map(|name| Adapter::open(&folder(name), &decoder).unwrap());
    let adapters = [(&a, stacked.weights[0]), (&b, stacked.weights[1])];
    let found = logits(&decoder, &stacked.ids, &adapters, stacked.logits.len());
    assert_near(&found, &stacked.logits, TOLERANCE, "stacked");
}

#[test]
fn each_sequence_of_a_batch_has_its_own() {
    let decoder = open(&folder("llama"));
    let [a, b] = ["lora", "dora"].map(|name| Adapter::open(&folder(name), &decoder).unwrap());
    let ids = expected::<Expected>("decoders/lora").ids;
    let choices: [&[(&Adapter, f32)]; 4] =
        [&[(&a, 1.0)], &[], &[(&b, 0.5), (&a, 2.0)], &[(&b, 1.0)]];
    let vocabulary = decoder.config().vocabulary;
    let alone: Vec<f32> = choices
        .iter()
        .flat_map(|adapters| logits(&decoder, &ids, adapters, vocabulary))
        .collect();
    let mut caches: Vec<Cache> = choices.iter().map(|_| decoder.cache(64)).collect();
    let mut steps: Vec<Step<'_>> = choices
        .iter()
        .zip(&mut caches)
        .map(|(adapters, cache)| Step {
            tokens: &ids,
            cache,
            adapters,
            wanted: Wanted::Last,
        })
        .collect();
    let mut workspace = Workspace::default();
    let together = decoder.forward(&mut workspace, &mut steps).unwrap();
    assert_near(together, &alone, 1e-5, "a batch");
}

#[test]
fn merged_is_the_same_as_beside() {
    for (base, adapters) in [
        ("llama", &[("lora", 1.0), ("rslora", -0.5)][..]),
        ("llama", &[("dora", 1.0)]),
        ("gpt2", &[("lora-gpt2", 1.0)]),
    ] {
        let decoder = open(&folder(base));
        let opened: Vec<(Adapter, f32)> = adapters
            .iter()
            .map(|(name, weight)| (Adapter::open(&folder(name), &decoder).unwrap(), *weight))
            .collect();
        let beside: Vec<(&Adapter, f32)> =
            opened.iter().map(|(it, weight)| (it, *weight)).collect();
        let ids: Vec<u32> = (0..20).collect();
        let count = decoder.config().vocabulary * 4;
        let expect = logits(&decoder, &ids, &beside, count);

        let to = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = adapters.iter().map(|(name, _)| folder(name)).collect();
        let named: Vec<_> = folders
            .iter()
            .zip(adapters)
            .map(|(it, (_, weight))| (&**it, *weight))
            .collect();
        merge(&folder(base), &named, to.path()).unwrap();
        let found = logits(&open(to.path()), &ids, &[], count);
        assert_near(&found, &expect, TOLERANCE, base);

        let error = merge(&folder(base), &named, to.path()).unwrap_err();
        assert!(
            matches!(error, ModelError::FolderNotEmpty { .. }),
            "{error}"
        );
    }
}

/// Returns the error's words, without the folders.
fn refused(adapter: &std::path::Path, decoder: &Decoder) -> String {
    let error = Adapter::open(adapter, decoder).unwrap_err();
    error
        .to_string()
        .replace(&adapter.display().to_string(), "A")
        .replace(&tiny("decoders").display().to_string(), ".")
}

#[test]
fn an_adapter_of_another_base_names_both() {
    let qwen3 = open(&folder("qwen3"));
    assert_eq!(
        refused(&folder("lora"), &qwen3),
        "the adapter `A`, trained on `llama`, does not fit `./qwen3/config.json`: it has \
         `base_model.model.lm_head.lora_B.weight` of shape [286, 4], and the model has 24 \
         inputs and 59 outputs there"
    );
    let gpt2 = open(&folder("gpt2"));
    assert_eq!(
        refused(&folder("rslora"), &gpt2),
        "the adapter `A`, trained on `llama`, does not fit `./gpt2/config.json`: it has a \
         part `model.layers.1.mlp.down_proj`, and the model has none of that name"
    );
    let llama = open(&folder("llama"));
    let adapter = Adapter::open(&folder("lora"), &llama).unwrap();
    let other = open(&folder("llama"));
    let step = Step {
        tokens: &[1],
        cache: &mut other.cache(4),
        adapters: &[(&adapter, 1.0)],
        wanted: Wanted::Last,
    };
    let error = other
        .forward(&mut Workspace::default(), &mut [step])
        .unwrap_err();
    assert!(
        matches!(error, ModelError::AdapterOfAnother { .. }),
        "{error}"
    );
}

#[test]
fn a_damaged_adapter_is_an_error() {
    let llama = open(&folder("llama"));
    let copied = copy("decoders/lora");
    let weights = copied.path().join("adapter_model.safetensors");
    let whole = fs_err::read(&weights).unwrap();
    for length in (0..whole.len()).step_by(997) {
        fs_err::write(&weights, &whole[..length]).unwrap();
        let words = refused(copied.path(), &llama);
        assert!(words.contains("cut short"), "{length}: {words}");
    }
    fs_err::remove_file(&weights).unwrap();
    assert_eq!(
        refused(copied.path(), &llama),
        "`A` has no `adapter_model.safetensors`"
    );
}
