//! Folders that are damaged, or of another kind: always an error, with its reason.

use contract::{Embed as _, TextRole};
use model::decoder::{Decoder, DecoderOptions, Step, Wanted, Workspace};
use model::{CrossEncoder, CrossEncoderOptions, Embedder, EmbedderOptions};

use crate::{copy, tiny};

/// Opens a copy of a tiny model in which `file`'s text `from` is replaced by `to`, and
/// returns the error's words, with its sources, less the folder.
fn refused(name: &str, file: &str, from: &str, to: &str) -> String {
    let folder = copy(name);
    let path = folder.path().join(file);
    let text = fs_err::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs_err::write(&path, text.replace(from, to)).unwrap();
    words(folder.path())
}

fn words(folder: &std::path::Path) -> String {
    let error = Embedder::open(folder, &EmbedderOptions::default())
        .err()
        .expect("it is refused");
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words.replace(&folder.display().to_string(), ".")
}

#[test]
fn another_shape_names_the_tensor() {
    let found = refused(
        "bert",
        "config.json",
        "\"vocab_size\": 37",
        "\"vocab_size\": 38",
    );
    assert_eq!(
        found,
        "tensor `embeddings.word_embeddings.weight` in `./model.safetensors` has shape \
         [37, 24], expected [38, 24]"
    );
    let found = refused(
        "bert",
        "config.json",
        "\"num_hidden_layers\": 2",
        "\"num_hidden_layers\": 3",
    );
    assert_eq!(
        found,
        "`./model.safetensors` has no tensor `encoder.layer.2.attention.self.query.weight`"
    );
}

#[test]
fn a_missing_file_is_named() {
    for (file, expect) in [
        ("config.json", "`.` has no `config.json`"),
        ("model.safetensors", "`.` has no `model.safetensors`"),
        (
            "tokenizer.json",
            "`.` has no `tokenizer.json`; save its tokenizer as a fast one, with \
             transformers' `AutoTokenizer`",
        ),
        (
            "1_Pooling/config.json",
            "`./1_Pooling` has no `config.json`",
        ),
    ] {
        let folder = copy("bert");
        fs_err::remove_file(folder.path().join(file)).unwrap();
        assert_eq!(words(folder.path()), expect);
    }
}

#[test]
fn a_tokenizer_of_another_model_is_met_when_it_speaks() {
    let folder = copy("bert");
    let path = folder.path().join("tokenizer.json");
    let text = fs_err::read_to_string(&path).unwrap();
    assert!(text.contains("\"cat\": 6"), "{text}");
    fs_err::write(&path, text.replace("\"cat\": 6", "\"cat\": 37")).unwrap();
    let embedder = Embedder::open(folder.path(), &EmbedderOptions::default()).unwrap();
    let error = embedder.vectors(&["the cat"]).unwrap_err().to_string();
    assert!(
        error.ends_with("gives token 37, but the model knows 37"),
        "{error}"
    );
}

#[test]
fn a_length_without_room_is_refused() {
    for longest in [0, 2, 33] {
        let options = EmbedderOptions {
            longest: Some(longest),
            ..Default::default()
        };
        let error = Embedder::open(&tiny("bert"), &options).err().unwrap();
        let words = error.to_string();
        assert!(words.contains("expected a number from 4 to 32"), "{words}");
    }
}

#[test]
fn weights_cut_short_anywhere_are_an_error() {
    let whole = fs_err::read(tiny("bert").join("model.safetensors")).unwrap();
    let folder = copy("bert");
    for length in (0..whole.len()).step_by(997) {
        fs_err::write(folder.path().join("model.safetensors"), &whole[..length]).unwrap();
        assert!(words(folder.path()).contains("cut short"), "{length} bytes");
    }
}

#[test]
fn an_embedder_is_not_a_cross_encoder() {
    let error = CrossEncoder::open(&tiny("bert"), &CrossEncoderOptions::default())
        .err()
        .expect("it has no classifier");
    assert!(
        error
            .to_string()
            .ends_with("has no tensor `classifier.weight`"),
        "{error}"
    );
}

#[test]
fn a_flipped_byte_never_panics() {
    let folder = copy("roberta");
    for (file, length) in [("model.safetensors", 4_000), ("config.json", 600)] {
        let path = folder.path().join(file);
        let whole = fs_err::read(&path).unwrap();
        for round in 0..400usize {
            let mut bytes = whole.clone();
            bytes[round * 7919 % length] = b"0123456789-e\"{}[],:\0\xff"[round % 21];
            fs_err::write(&path, bytes).unwrap();
            if let Ok(embedder) = Embedder::open(folder.path(), &EmbedderOptions::default()) {
                // Of numbers that are not finite there may be no vector; that is said.
                let _ = embedder.embed(&["the cat sat"], TextRole::Question);
            }
        }
        fs_err::write(&path, whole).unwrap();
    }
}

/// Returns why there is no decoder at `path`, less the folder.
fn no_decoder(path: &std::path::Path) -> String {
    let error = Decoder::open(path, &DecoderOptions::default()).expect_err("it is refused");
    let folder = if path.is_dir() {
        path
    } else {
        path.parent().expect("a file has a folder")
    };
    error
        .to_string()
        .replace(&folder.display().to_string(), ".")
}

#[test]
fn a_decoder_that_is_not_known_is_named() {
    for (name, from, to, expect) in [
        (
            "llama",
            "\"model_type\": \"llama\"",
            "\"model_type\": \"mamba\"",
            "`model_type` in `./config.json` is `mamba`, expected `gpt2`, `llama`, `mistral`, \
             `qwen2` or `qwen3`",
        ),
        (
            "llama",
            "\"hidden_act\": \"silu\"",
            "\"hidden_act\": \"gelu\"",
            "`hidden_act` in `./config.json` is `gelu`, expected `silu`",
        ),
        (
            "llama",
            "\"num_key_value_heads\": 2",
            "\"num_key_value_heads\": 3",
            "`num_attention_heads` in `./config.json` is `4`, expected a multiple of 3 heads of keys",
        ),
        (
            "llama",
            "\"rope_type\": \"llama3\"",
            "\"rope_type\": \"longrope\"",
            "`rope_type` in `./config.json` is `longrope`, expected `default`, `linear`, \
             `dynamic`, `llama3` or `yarn`",
        ),
        (
            "llama",
            "\"model_type\"",
            "\"quantization_config\": {\"quant_method\": \"gptq\"}, \"model_type\"",
            "`quantization_config` in `./config.json` is `gptq`, expected weights as they were \
             trained, or a GGUF file",
        ),
        (
            "llama",
            "\"vocab_size\": 286",
            "\"vocab_size\": 300",
            "tensor `model.embed_tokens.weight` in `./model.safetensors` has shape [286, 24], \
             expected [300, 24]",
        ),
        (
            "gpt2",
            "\"n_layer\": 2",
            "\"n_layer\": 3",
            "`./model.safetensors` has no tensor `transformer.h.2.attn.c_attn.weight`",
        ),
        (
            "gpt2",
            "\"n_head\": 3",
            "\"n_head\": 5",
            "`n_embd` in `./config.json` is `24`, expected a multiple of 5 heads",
        ),
    ] {
        let folder = copy(&format!("decoders/{name}"));
        let path = folder.path().join("config.json");
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(text.contains(from), "no {from}");
        fs_err::write(&path, text.replace(from, to)).unwrap();
        assert_eq!(no_decoder(folder.path()), expect);
    }
}

#[test]
fn a_decoder_without_its_files_says_which() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(no_decoder(folder.path()), "`.` has no `config.json`");
    let words = no_decoder(&folder.path().join("none.gguf"));
    assert!(words.contains("./none.gguf"), "{words}");
    for name in ["a.gguf", "b.gguf"] {
        fs_err::write(folder.path().join(name), b"GGUF").unwrap();
    }
    assert_eq!(
        no_decoder(folder.path()),
        "`.` has several GGUF files; name one of them: `a.gguf`, `b.gguf`"
    );
    let bert = copy("bert");
    assert!(no_decoder(bert.path()).contains("is `bert`, expected `gpt2`"));
}

#[test]
fn a_flipped_byte_in_a_decoder_never_panics() {
    for (name, file, length) in [
        ("llama", "config.json", 830),
        ("llama", "model.safetensors", 3_000),
        ("mixed", "model.gguf", 2_500),
    ] {
        let folder = copy(&format!("decoders/{name}"));
        let path = folder.path().join(file);
        let whole = fs_err::read(&path).unwrap();
        let options = DecoderOptions {
            threads: std::num::NonZeroUsize::new(1),
            ..DecoderOptions::default()
        };
        for round in 0..500usize {
            let mut bytes = whole.clone();
            bytes[round * 7919 % length] = b"0123456789-e\"{}[],:\0\xff"[round % 21];
            fs_err::write(&path, bytes).unwrap();
            let Ok(decoder) = Decoder::open(folder.path(), &options) else {
                continue;
            };
            let step = Step {
                tokens: &[1, 2, 3],
                cache: &mut decoder.cache(8),
                adapters: &[],
                wanted: Wanted::Last,
            };
            let _ = decoder.forward(&mut Workspace::default(), &mut [step]);
        }
    }
}

#[test]
fn a_gguf_cut_short_anywhere_is_an_error() {
    let folder = copy("decoders/mixed");
    let path = folder.path().join("model.gguf");
    let whole = fs_err::read(&path).unwrap();
    for length in (0..whole.len()).step_by(1_997) {
        fs_err::write(&path, &whole[..length]).unwrap();
        let words = no_decoder(&path);
        assert!(words.contains("cut short"), "{length} bytes: {words}");
    }
}
