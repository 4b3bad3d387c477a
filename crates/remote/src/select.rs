//! Which of a repository's files are fetched: those that are read here, and no other
//! form of the same weights.

use crate::{ModelName, RemoteError, files_meant, is_first_part};

/// Read if they are there, by their names at the top.
const SMALL: &[&str] = &[
    "README.md",
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "adapter_config.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "config_sentence_transformers.json",
    "generation_config.json",
    "merges.txt",
    "modules.json",
    "params.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.bpe",
    "vocab.json",
    "vocab.txt",
    "encoder.json",
];

/// Tokenizers in files of many names.
const TOKENIZER_ENDINGS: &[&str] = &[".model", ".tiktoken"];

/// Returns those of `files` (paths with `/`) that are fetched for `name`.
///
/// # Errors
/// If there are no weights that are read here, or several GGUF files and none is named.
pub(crate) fn select<'a>(name: &ModelName, files: &[&'a str]) -> Result<Vec<&'a str>, RemoteError> {
    if name.file().is_some() {
        let mut chosen = gguf(name, files)?;
        chosen.extend(files.iter().filter(|it| **it == "README.md"));
        return Ok(chosen);
    }
    let mut chosen: Vec<&str> = files.iter().copied().filter(|it| is_small(it)).collect();
    let weights = safetensors(files);
    if weights.is_empty() {
        if files.iter().any(|it| it.ends_with(".gguf")) {
            chosen.extend(gguf(name, files)?);
            return Ok(chosen);
        }
        let others: Vec<&str> = files
            .iter()
            .copied()
            .filter(|it| {
                [".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".ckpt"]
                    .iter()
                    .any(|end| it.ends_with(end))
            })
            .take(4)
            .collect();
        return Err(RemoteError::NothingToRead {
            name: name.clone(),
            found: if others.is_empty() {
                "it has none at all".into()
            } else {
                format!("it has {}", others.join(", "))
            },
        });
    }
    chosen.extend(weights);
    Ok(chosen)
}

fn is_small(path: &str) -> bool {
    match path.split_once('/') {
        None => SMALL.contains(&path) || TOKENIZER_ENDINGS.iter().any(|end| path.ends_with(end)),
        // The parts of a sentence-transformers model: `1_Pooling/config.json`.
        Some((folder, file)) => {
            let number = folder.split('_').next().unwrap_or_default();
            let is_part = folder.contains('_') && number.bytes().all(|it| it.is_ascii_digit());
            is_part && !number.is_empty() && matches!(file, "config.json" | "model.safetensors")
        }
    }
}

/// Returns the weights: one file, or the parts of one with their index, or an adapter's.
fn safetensors<'a>(files: &[&'a str]) -> Vec<&'a str> {
    let top: Vec<&str> = files
        .iter()
        .copied()
        .filter(|it| !it.contains('/') && it.ends_with(".safetensors"))
        .collect();
    let with = |wanted: fn(&str) -> bool| top.iter().copied().filter(move |it| wanted(it));
    let adapter = with(|it| it == "adapter_model.safetensors");
    let mut weights: Vec<&str> = with(|it| it == "model.safetensors").collect();
    if weights.is_empty() {
        weights = with(|it| it.starts_with("model-") && it.contains("-of-")).collect();
        if !weights.is_empty() {
            let index = files
                .iter()
                .filter(|it| **it == "model.safetensors.index.json");
            weights.extend(index);
        }
    }
    weights.extend(adapter);
    if weights.is_empty() { top } else { weights }
}

fn gguf<'a>(name: &ModelName, files: &[&'a str]) -> Result<Vec<&'a str>, RemoteError> {
    let all: Vec<&str> = files
        .iter()
        .copied()
        .filter(|it| it.ends_with(".gguf"))
        .collect();
    let meant = match name.file() {
        Some(wanted) => files_meant(wanted, files),
        None => all.clone(),
    };
    let together = meant.first().is_some_and(|it| is_first_part(it)) && {
        let stem = |it: &str| it.split("-00").next().unwrap_or_default().to_owned();
        meant.iter().all(|it| stem(it) == stem(meant[0]))
    };
    if meant.len() == 1 || together {
        return Ok(meant);
    }
    Err(RemoteError::WhichFile {
        name: name.clone().without_file(),
        found: all.iter().map(|&it| it.to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, files: &[&str], expect: &[&str]) {
        let mut chosen = select(&name.parse().unwrap(), files).unwrap();
        chosen.sort_unstable();
        assert_eq!(chosen, expect, "{name}");
    }

    #[test]
    fn one_form_of_the_weights_is_fetched() {
        check(
            "org/embedder",
            &[
                "1_Pooling/config.json",
                "README.md",
                "config.json",
                "model.safetensors",
                "modules.json",
                "onnx/model.onnx",
                "openvino/model.safetensors",
                "pytorch_model.bin",
                "tf_model.h5",
                "vocab.txt",
            ],
            &[
                "1_Pooling/config.json",
                "README.md",
                "config.json",
                "model.safetensors",
                "modules.json",
                "vocab.txt",
            ],
        );
        check(
            "org/decoder",
            &[
                "config.json",
                "consolidated.safetensors",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "model.safetensors.index.json",
                "tokenizer.model",
                "original/params.json",
            ],
            &[
                "config.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "model.safetensors.index.json",
                "tokenizer.model",
            ],
        );
        check(
            "org/adapter",
            &[
                "adapter_config.json",
                "adapter_model.safetensors",
                "optimizer.pt",
            ],
            &["adapter_config.json", "adapter_model.safetensors"],
        );
    }

    #[test]
    fn of_several_gguf_files_one_is_named() {
        let files = ["m-Q4_0.gguf", "m-Q8_0.gguf", "README.md"];
        check("org/m:q8_0", &files, &["README.md", "m-Q8_0.gguf"]);
        check("org/m:m-Q4_0.gguf", &files, &["README.md", "m-Q4_0.gguf"]);
        check("org/one", &["a.gguf"], &["a.gguf"]);
        let parts = ["x/m-00001-of-00002.gguf", "x/m-00002-of-00002.gguf"];
        check("org/parts", &parts, &parts);
        for name in ["org/m", "org/m:Q5_0"] {
            let error = select(&name.parse().unwrap(), &files).unwrap_err();
            assert!(
                error.hint().unwrap().ends_with("pull org/m:m-Q4_0.gguf`"),
                "{error}"
            );
        }
    }

    #[test]
    fn weights_that_can_run_code_are_not_fetched() {
        let error = select(
            &"org/m".parse().unwrap(),
            &["config.json", "pytorch_model.bin"],
        );
        let error = error.unwrap_err().to_string();
        assert!(error.ends_with("it has pytorch_model.bin"), "{error}");
    }
}
