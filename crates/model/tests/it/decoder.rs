//! Logits and hidden states of the tiny decoders against transformers, by whichever
//! way their tokens are read.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use model::decoder::{Cache, Decoder, DecoderOptions, Precision, Step, Wanted, Workspace};
use serde::Deserialize;

use crate::{copy, expected, tiny};

/// Largest difference, relative to the largest number.
const TOLERANCE: f32 = 1e-4;
/// The same where activations are rounded to 8 bits before each product.
const ROUNDED: f32 = 3e-2;

/// All tiny decoders in Hugging Face folders.
const FOLDERS: [&str; 6] = ["llama", "llama-yarn", "gpt2", "mistral", "qwen2", "qwen3"];

#[derive(Deserialize)]
struct Expected {
    ids: Vec<u32>,
    logits: Vec<f32>,
    #[serde(default)]
    first: Vec<f32>,
    #[serde(default)]
    last: Vec<f32>,
}

pub(crate) fn open(path: &Path) -> Decoder {
    open_in(path, DecoderOptions::default().precision)
}

fn open_in(path: &Path, precision: Precision) -> Decoder {
    let options = DecoderOptions {
        threads: NonZeroUsize::new(2),
        precision,
    };
    Decoder::open(path, &options).unwrap()
}

fn folder(name: &str) -> PathBuf {
    tiny("decoders").join(name)
}

fn numbers(name: &str) -> Expected {
    expected(&format!("decoders/{name}"))
}

pub(crate) fn assert_near(found: &[f32], expect: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expect.len(), "{what}");
    let size = expect.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (at, (found, expect)) in found.iter().zip(expect).enumerate() {
        let error = (found - expect).abs() / size;
        assert!(error <= tolerance, "{what}, {at}: {found} is not {expect}");
    }
}

/// Returns the logits of all `ids`, read `step` tokens at a time.
fn logits(decoder: &Decoder, ids: &[u32], step: usize) -> Vec<f32> {
    let mut cache = decoder.cache(usize::MAX);
    let mut workspace = Workspace::default();
    let mut logits = Vec::new();
    for tokens in ids.chunks(step) {
        logits.extend(read(
            decoder,
            &mut workspace,
            tokens,
            &mut cache,
            Wanted::All,
        ));
    }
    logits
}

fn read<'w>(
    decoder: &Decoder,
    workspace: &'w mut Workspace,
    tokens: &[u32],
    cache: &mut Cache,
    wanted: Wanted,
) -> &'w [f32] {
    let step = Step {
        tokens,
        cache,
        adapters: &[],
        wanted,
    };
    decoder.forward(workspace, &mut [step]).unwrap()
}

#[test]
fn logits_are_those_of_transformers() {
    for name in FOLDERS {
        let expected = numbers(name);
        let decoder = open(&folder(name));
        for step in [expected.ids.len(), 9, 1] {
            let found = logits(&decoder, &expected.ids, step);
            assert_near(
                &found,
                &expected.logits,
                TOLERANCE,
                &format!("{name}, {step} at a time"),
            );
        }
    }
}

#[test]
fn hidden_states_are_those_of_transformers() {
    for name in FOLDERS {
        let expected = numbers(name);
        // A decoder of one layer gives the hidden states after the first.
        let copied = copy(&format!("decoders/{name}"));
        let config = copied.path().join("config.json");
        let mut text = fs_err::read_to_string(&config).unwrap();
        for key in ["n_layer", "num_hidden_layers"] {
            text = text.replace(&format!("\"{key}\": 2"), &format!("\"{key}\": 1"));
        }
        fs_err::write(config, text).unwrap();
        for (path, expect) in [
            (folder(name), &expected.last),
            (copied.path().to_path_buf(), &expected.first),
        ] {
            let decoder = open(&path);
            let mut cache = decoder.cache(64);
            let mut workspace = Workspace::default();
            let step = Step {
                tokens: &expected.ids,
                cache: &mut cache,
                adapters: &[],
                wanted: Wanted::All,
            };
            let found = decoder.hidden(&mut workspace, &mut [step]).unwrap();
            assert_near(found, expect, TOLERANCE, name);
        }
    }
}

#[test]
fn a_gguf_file_is_the_same_model() {
    for name in ["llama", "gpt2", "qwen3"] {
        let expected = numbers(name);
        let decoder = open(&folder("gguf").join(format!("{name}.gguf")));
        let found = logits(&decoder, &expected.ids, 20);
        assert_near(&found, &expected.logits, TOLERANCE, name);
    }
}

#[test]
fn every_stored_format_is_read() {
    let expected = numbers("mixed");
    // A folder with nothing but a GGUF file.
    let copied = copy("decoders/mixed");
    let decoder = open(copied.path());
    for step in [expected.ids.len(), 1] {
        let found = logits(&decoder, &expected.ids, step);
        assert_near(&found, &expected.logits, ROUNDED, "mixed");
    }
}

#[test]
fn a_batch_is_its_sequences_one_by_one() {
    // Few tokens are read in all bits, many as the options say.
    let precisions = [(Precision::F32, 1e-5), (Precision::High, 5e-5)];
    for (name, (precision, tolerance)) in FOLDERS
        .iter()
        .flat_map(|name| precisions.map(|precision| (*name, precision)))
    {
        let decoder = open_in(&folder(name), precision);
        let ids = numbers(name).ids;
        let texts = [&ids[..7], &ids[3..20], &[], &ids[5..6], &ids[2..13]];
        let mut workspace = Workspace::default();
        let mut alone = Vec::new();
        let mut caches: Vec<Cache> = texts.iter().map(|_| decoder.cache(40)).collect();
        for (text, cache) in texts.iter().zip(&mut caches) {
            let logits = read(&decoder, &mut workspace, text, cache, Wanted::Last);
            alone.extend_from_slice(logits);
        }
        let mut next = Vec::new();
        for cache in &mut caches {
            next.extend_from_slice(read(
                &decoder,
                &mut workspace,
                &ids[..1],
                cache,
                Wanted::Last,
            ));
        }

        let mut caches: Vec<Cache> = texts.iter().map(|_| decoder.cache(40)).collect();
        for (texts, expect) in [(texts, &alone), ([&ids[..1]; 5], &next)] {
            let mut steps: Vec<Step<'_>> = texts
                .iter()
                .zip(&mut caches)
                .map(|(tokens, cache)| Step {
                    tokens,
                    cache,
                    adapters: &[],
                    wanted: Wanted::Last,
                })
                .collect();
            let together = decoder.forward(&mut workspace, &mut steps).unwrap();
            assert_near(together, expect, tolerance, name);
        }
    }
}

#[test]
fn a_long_text_is_read_in_blocks() {
    // More tokens than a block has, of sequences that end within one.
    let decoder = open(&folder("llama"));
    let ids = numbers("llama").ids;
    let text: Vec<u32> = ids.iter().cycle().take(60).copied().collect();
    let mut workspace = Workspace::default();
    let alone = logits(&decoder, &text, 60);
    let mut caches: Vec<Cache> = (0..9).map(|_| decoder.cache(60)).collect();
    let mut steps: Vec<Step<'_>> = caches
        .iter_mut()
        .map(|cache| Step {
            tokens: &text,
            cache,
            adapters: &[],
            wanted: Wanted::All,
        })
        .collect();
    let together = decoder.forward(&mut workspace, &mut steps).unwrap();
    for one in together.chunks(alone.len()) {
        assert_near(one, &alone, 1e-5, "a sequence of many");
    }
}

#[test]
fn a_prefix_is_read_once() {
    for name in FOLDERS {
        let decoder = open(&folder(name));
        let ids = numbers(name).ids;
        let mut workspace = Workspace::default();
        let mut first = decoder.cache(30);
        let expect = read(&decoder, &mut workspace, &ids, &mut first, Wanted::Last).to_vec();
        let mut second = decoder.cache(50);
        second.copy_prefix(&first, 11);
        read(
            &decoder,
            &mut workspace,
            &[1, 2, 3],
            &mut second,
            Wanted::None,
        );
        second.truncate(11);
        let found = read(
            &decoder,
            &mut workspace,
            &ids[11..],
            &mut second,
            Wanted::Last,
        );
        assert_near(found, &expect, 1e-5, name);
        assert_eq!((first.len(), second.len()), (ids.len(), ids.len()));
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let (llama, gpt2) = (open(&folder("llama")), open(&folder("gpt2")));
    let mut workspace = Workspace::default();
    let mut refused = |tokens: &[u32], cache: &mut Cache| {
        let step = Step {
            tokens,
            cache,
            adapters: &[],
            wanted: Wanted::Last,
        };
        let error = gpt2.forward(&mut workspace, &mut [step]).unwrap_err();
        error
            .to_string()
            .replace(&folder("gpt2").display().to_string(), ".")
    };
    let mut cache = gpt2.cache(usize::MAX);
    assert_eq!(
        refused(&[3, 61], &mut cache),
        "token 61 is not one of the 61 of `./config.json`: the tokenizer is of another model"
    );
    assert_eq!(
        refused(&[1; 49], &mut cache),
        "49 tokens are more than the 48 there is room for (`./config.json` reads at most 48)"
    );
    assert!(cache.is_empty());
    assert_eq!(
        refused(&[1], &mut llama.cache(4)),
        "the cache was not made by `./config.json`"
    );
}
