//! What a model on the disk is, from its configuration and the heads of its files:
//! nothing of the weights themselves is read, so any kind of model can be described,
//! also one that cannot be opened here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::ModelError;
use crate::decoder::gguf_in;
use crate::gguf::Gguf;

/// The longest header of a safetensors file that is read, as in the reference reader.
const LONGEST_HEADER: u64 = 100_000_000;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// Makes vectors of texts.
    Embedder,
    /// Judges a question and a passage together.
    Reranker,
    /// Says which labels a text has.
    Classifier,
    /// Says which tag each word has.
    Tagger,
    /// Finds the answer to a question in a passage.
    Reader,
    /// Writes.
    Decoder,
    /// Changes another model.
    Adapter,
}

/// What is known about a model. What its files do not say is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelDescription {
    /// What it is for.
    pub kind: Option<ModelKind>,
    /// Its architecture: `bert`, `llama`.
    pub architecture: Option<String>,
    /// How many numbers it has.
    pub parameters: Option<u64>,
    /// How many tokens it knows.
    pub vocabulary: Option<u64>,
    /// How many tokens it reads at once.
    pub context: Option<u64>,
    /// How most of its numbers are stored: `F32`, `BF16`, `Q4_K`.
    pub format: Option<String>,
    /// Its licence, as its card names it.
    pub licence: Option<String>,
    /// Whether it says how a conversation is put to it.
    pub chat_template: bool,
    /// The model that it changes, where it is an adapter.
    pub base: Option<String>,
}

/// Returns what the model in the folder or `.gguf` file `path` is.
///
/// # Errors
/// If a file is there but cannot be read, or is damaged.
pub fn describe(path: &Path) -> Result<ModelDescription, ModelError> {
    if path.is_file() {
        return of_gguf(path);
    }
    let mut description = of_folder(path)?;
    if description.architecture.is_none()
        && description.kind.is_none()
        && let Some(file) = gguf_in(path)?
    {
        let licence = description.licence.take();
        description = of_gguf(&file)?;
        description.licence = description.licence.or(licence);
    }
    Ok(description)
}

fn of_folder(folder: &Path) -> Result<ModelDescription, ModelError> {
    let mut description = ModelDescription {
        licence: licence(folder)?,
        ..ModelDescription::default()
    };
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let tokenizer = json(&folder.join("tokenizer_config.json"))?;
    description.chat_template = tokenizer.is_some_and(|it| it.get("chat_template").is_some())
        || folder.join("chat_template.jinja").exists();
    weights(folder, &mut description)?;
    if let Some(adapter) = json(&folder.join("adapter_config.json"))? {
        description.kind = Some(ModelKind::Adapter);
        match text(&adapter, "peft_type") {
            Some(kind) => {
                description.architecture = Some(kind.to_lowercase());
                description.base = text(&adapter, "base_model_name_or_path");
            }
            // As AdapterHub writes them.
            None => {
                let is_bottleneck = adapter.pointer("/config/non_linearity").is_some();
                description.architecture = is_bottleneck.then(|| "bottleneck".to_owned());
                description.base = text(&adapter, "model_name");
            }
        }
        return Ok(description);
    }
    let Some(config) = json(&folder.join("config.json"))? else {
        return Ok(description);
    };
    description.architecture = text(&config, "model_type");
    let number = |keys: &[&str]| keys.iter().find_map(|key| config.get(*key)?.as_u64());
    description.vocabulary = number(&["vocab_size"]);
    description.context = number(&["max_position_embeddings", "n_positions", "n_ctx"]);
    let families = ["roberta", "xlm-roberta", "camembert"];
    if text(&config, "model_type").is_some_and(|it| families.contains(&&*it)) {
        // Its positions begin after the padding token's number.
        let before = number(&["pad_token_id"]).unwrap_or(1) + 1;
        description.context = description.context.map(|it| it.saturating_sub(before));
    }
    let class = config
        .pointer("/architectures/0")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let problem = text(&config, "problem_type").unwrap_or_default();
    let has_modules = folder.join("modules.json").exists();
    description.kind = match description.architecture.as_deref() {
        // As transformers counts labels: two, where nothing is said.
        _ if class.ends_with("ForSequenceClassification") => {
            let named = config.get("id2label").and_then(Value::as_object);
            match named.map(|it| it.len() as u64).or(number(&["num_labels"])) {
                // One label that a text has or has not is a class too.
                Some(1) if !problem.ends_with("_label_classification") => Some(ModelKind::Reranker),
                _ => Some(ModelKind::Classifier),
            }
        }
        _ if class.ends_with("ForTokenClassification") => Some(ModelKind::Tagger),
        _ if class.ends_with("ForQuestionAnswering") => Some(ModelKind::Reader),
        _ if has_modules => Some(ModelKind::Embedder),
        _ if class.ends_with("ForCausalLM") || class.ends_with("LMHeadModel") => {
            Some(ModelKind::Decoder)
        }
        Some("bert" | "roberta" | "xlm-roberta" | "camembert") => Some(ModelKind::Embedder),
        _ => None,
    };
    Ok(description)
}

/// Counts the numbers of the safetensors files in `folder`.
fn weights(folder: &Path, description: &mut ModelDescription) -> Result<(), ModelError> {
    let (mut parameters, mut formats) = (0_u64, BTreeMap::<String, u64>::new());
    for file in files(folder)? {
        if !file.ends_with(".safetensors") {
            continue;
        }
        for (shape, format) in header(&folder.join(&file))? {
            let count = shape
                .iter()
                .fold(1_u64, |all, one| all.saturating_mul(*one));
            parameters = parameters.saturating_add(count);
            let of_format = formats.entry(format).or_default();
            *of_format = of_format.saturating_add(count);
        }
    }
    if !formats.is_empty() {
        description.parameters = Some(parameters);
        description.format = most(formats);
    }
    Ok(())
}

fn most(formats: BTreeMap<String, u64>) -> Option<String> {
    let most = formats.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(format, _)| format)
}

/// Returns the shape and type of each tensor of a safetensors file.
fn header(path: &Path) -> Result<Vec<(Vec<u64>, String)>, ModelError> {
    let mut file = fs_err::File::open(path)?;
    let found = file.metadata()?.len();
    let cut_short = |expected| ModelError::CutShort {
        path: path.to_path_buf(),
        expected,
        found,
    };
    let mut length = [0; 8];
    if found < 8 {
        return Err(cut_short(8));
    }
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER || length > found - 8 {
        return Err(cut_short(length.saturating_add(8)));
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text)?;
    let header: BTreeMap<String, Value> =
        serde_json::from_slice(&text).map_err(|source| ModelError::Json {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(header
        .into_iter()
        .filter(|(name, _)| name != "__metadata__")
        .filter_map(|(_, tensor)| {
            let shape = tensor.get("shape")?.as_array()?;
            let shape = shape.iter().map(Value::as_u64).collect::<Option<_>>()?;
            Some((shape, tensor.get("dtype")?.as_str()?.to_owned()))
        })
        .collect())
}

fn of_gguf(path: &Path) -> Result<ModelDescription, ModelError> {
    let file = Gguf::open(path)?;
    let architecture = file.text("general.architecture")?.map(str::to_owned);
    let (mut parameters, mut formats) = (0_u64, BTreeMap::<String, u64>::new());
    for tensor in file.tensors() {
        let count = tensor
            .shape
            .iter()
            .fold(1_u64, |all, one| all.saturating_mul(*one as u64));
        parameters = parameters.saturating_add(count);
        let of_format = formats.entry(tensor.kind.to_string()).or_default();
        *of_format = of_format.saturating_add(count);
    }
    let of = |key: &str| -> Result<Option<u64>, ModelError> {
        match &architecture {
            Some(architecture) => file.integer(&format!("{architecture}.{key}")),
            None => Ok(None),
        }
    };
    let vocabulary = match of("vocab_size")? {
        Some(count) => Some(count),
        None => file
            .tensor("token_embd.weight")
            .and_then(|it| it.shape.first())
            .map(|it| *it as u64),
    };
    let kind = match architecture.as_deref() {
        None => None,
        _ if file.text("adapter.type")?.is_some() => Some(ModelKind::Adapter),
        Some(name) if name.contains("bert") => match of("pooling_type")? {
            // `LLAMA_POOLING_TYPE_RANK`
            Some(4) => Some(ModelKind::Reranker),
            _ => Some(ModelKind::Embedder),
        },
        Some(_) => Some(ModelKind::Decoder),
    };
    Ok(ModelDescription {
        kind,
        parameters: Some(parameters),
        vocabulary,
        context: of("context_length")?,
        format: most(formats),
        licence: file.text("general.license")?.map(str::to_owned),
        chat_template: file.text("tokenizer.chat_template")?.is_some(),
        base: None,
        architecture,
    })
}

/// Returns the licence in the front matter of the model's card.
fn licence(folder: &Path) -> Result<Option<String>, ModelError> {
    let Some(card) = read(&folder.join("README.md"))? else {
        return Ok(None);
    };
    let card = String::from_utf8_lossy(&card);
    let mut lines = card.lines();
    if lines.next().map(str::trim) != Some("---") {
        return Ok(None);
    }
    Ok(lines
        .take_while(|line| line.trim() != "---")
        .find_map(|line| line.strip_prefix("license:"))
        .map(|it| it.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|it| !it.is_empty()))
}

fn json(path: &Path) -> Result<Option<Value>, ModelError> {
    let Some(bytes) = read(path)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| ModelError::Json {
            path: path.to_path_buf(),
            source,
        })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ModelError> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the names of the files in `folder`, sorted.
fn files(folder: &Path) -> Result<BTreeSet<String>, ModelError> {
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(folder)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.insert(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name)
    }

    #[test]
    fn folders_say_what_they_are() {
        for (name, kind, architecture, format) in [
            ("bert", ModelKind::Embedder, "bert", "F32"),
            ("bert-cross", ModelKind::Reranker, "bert", "BF16"),
            ("roberta", ModelKind::Embedder, "roberta", "F32"),
            ("roberta-cross", ModelKind::Reranker, "roberta", "F16"),
        ] {
            let found = describe(&data(name)).unwrap();
            assert_eq!(found.kind, Some(kind), "{name}");
            assert_eq!(found.architecture.as_deref(), Some(architecture));
            assert_eq!(found.format.as_deref(), Some(format), "{name}");
            assert!(found.parameters.unwrap() > 1000 && found.context.unwrap() > 10);
        }
        // As many positions less those up to the padding token's.
        let config: Value =
            serde_json::from_slice(&fs_err::read(data("roberta").join("config.json")).unwrap())
                .unwrap();
        let positions = config["max_position_embeddings"].as_u64().unwrap();
        let padding = config["pad_token_id"].as_u64().unwrap();
        let context = describe(&data("roberta")).unwrap().context;
        assert_eq!(context, Some(positions - padding - 1));
    }

    #[test]
    fn one_label_is_a_score_unless_a_text_has_it_or_not() {
        let folder = tempfile::tempdir().unwrap();
        for (problem, expect) in [
            ("", ModelKind::Reranker),
            ("regression", ModelKind::Reranker),
            ("multi_label_classification", ModelKind::Classifier),
        ] {
            let config = serde_json::json!({
                "model_type": "bert",
                "architectures": ["BertForSequenceClassification"],
                "id2label": {"0": "spam"},
                "problem_type": problem,
            });
            fs_err::write(folder.path().join("config.json"), config.to_string()).unwrap();
            assert_eq!(
                describe(folder.path()).unwrap().kind,
                Some(expect),
                "{problem}"
            );
        }
    }

    #[test]
    fn of_several_gguf_files_one_is_to_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let from = data("encoders-gguf").join("bert-Q8_0.gguf");
        let copy = |name: &str| fs_err::copy(&from, folder.path().join(name)).unwrap();
        copy("m-Q8_0.gguf");
        let found = describe(folder.path()).unwrap();
        assert_eq!(found.kind, Some(ModelKind::Embedder));
        copy("m-F16.gguf");
        assert!(matches!(
            describe(folder.path()),
            Err(ModelError::SeveralGguf { found, .. }) if found == ["m-F16.gguf", "m-Q8_0.gguf"]
        ));
    }

    #[test]
    fn cards_and_adapters_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, bytes: &[u8]| fs_err::write(folder.path().join(name), bytes).unwrap();
        write(
            "README.md",
            b"---\ntags:\n- x\nlicense: apache-2.0\n---\n# license: no\n",
        );
        write("chat_template.jinja", b"{{ messages }}");
        write(
            "adapter_config.json",
            br#"{"peft_type":"LORA","base_model_name_or_path":"org/base"}"#,
        );
        let header = br#"{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}"#;
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header);
        write("adapter_model.safetensors", &file);
        let expect = ModelDescription {
            kind: Some(ModelKind::Adapter),
            architecture: Some("lora".into()),
            parameters: Some(6),
            format: Some("BF16".into()),
            licence: Some("apache-2.0".into()),
            chat_template: true,
            base: Some("org/base".into()),
            ..ModelDescription::default()
        };
        assert_eq!(describe(folder.path()).unwrap(), expect);
        write("adapter_model.safetensors", &file[..20]);
        assert!(matches!(
            describe(folder.path()),
            Err(ModelError::CutShort { .. })
        ));
        write("adapter_model.safetensors", &[0xff; 9]);
        assert!(matches!(
            describe(folder.path()),
            Err(ModelError::CutShort { .. })
        ));
    }
}
