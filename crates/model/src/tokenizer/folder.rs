//! A Hugging Face folder: its vocabulary, in whichever file it is, and what the folder
//! says of special tokens and conversations.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{ModelError, built_in};

use super::{Adds, Engine, TextTokenizer, gpt2, sentencepiece, tiktoken};

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    bos_token: Option<Name>,
    eos_token: Option<Name>,
    unk_token: Option<Name>,
    pad_token: Option<Name>,
    add_bos_token: Option<bool>,
    add_eos_token: Option<bool>,
    chat_template: Option<Templates>,
}

/// A token's name, or an object with it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Plain(String),
    Token { content: String },
}

impl Name {
    fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Token { content: text } => text,
        }
    }
}

/// One template, or several with their names.
#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Several(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

/// `config.json` and `generation_config.json`.
#[derive(Default, Deserialize)]
struct Ends {
    bos_token_id: Option<Ids>,
    eos_token_id: Option<Ids>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Several(Vec<u32>),
    /// As some write "none".
    Other(serde::de::IgnoredAny),
}

impl Ids {
    fn list(&self) -> &[u32] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Several(ids) => ids,
            Self::Other(_) => &[],
        }
    }
}

fn json<T: DeserializeOwned + Default>(folder: &Path, file: &str) -> Result<T, ModelError> {
    let path = folder.join(file);
    match fs_err::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|source| ModelError::Json { path, source })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error.into()),
    }
}

/// Opens the tokenizer in `folder`.
pub(super) fn open(folder: &Path) -> Result<TextTokenizer, ModelError> {
    let single = folder.join("chat_template.jinja");
    Said {
        config: json(folder, "tokenizer_config.json")?,
        written: [
            json(folder, "generation_config.json")?,
            json(folder, "config.json")?,
        ],
        template: match single.exists() {
            true => Some(fs_err::read_to_string(&single)?),
            false => None,
        },
        pipeline: folder.join("tokenizer.json").exists(),
    }
    .of(vocabulary(folder)?)
}

/// Opens the tokenizer that is built into the program.
pub(super) fn built_in() -> Result<TextTokenizer, ModelError> {
    let path = Path::new(built_in::NAME);
    let read = |source| ModelError::Json {
        path: path.to_path_buf(),
        source,
    };
    Said {
        config: serde_json::from_slice(built_in::TOKENIZER_CONFIG).map_err(read)?,
        written: [
            Ends::default(),
            serde_json::from_slice(built_in::CONFIG).map_err(read)?,
        ],
        template: None,
        pipeline: true,
    }
    .of(TextTokenizer::of_pipeline(path, built_in::TOKENIZER)?)
}

/// What a folder says of its vocabulary beside the vocabulary itself.
struct Said {
    config: TokenizerConfig,
    written: [Ends; 2],
    /// The conversation's template, if it has a file of its own.
    template: Option<String>,
    /// Whether the vocabulary is a `tokenizer.json`.
    pipeline: bool,
}

impl Said {
    /// Returns `tokenizer` with what is said of it.
    fn of(self, mut tokenizer: TextTokenizer) -> Result<TextTokenizer, ModelError> {
        let Self {
            config,
            written,
            template,
            pipeline,
        } = self;
        let named = |name: &Option<Name>| name.as_ref().and_then(|name| tokenizer.id(name.text()));
        let (begin, end) = (named(&config.bos_token), named(&config.eos_token));
        let from_model = |ids: fn(&Ends) -> &Option<Ids>| {
            written
                .iter()
                .find_map(|it| ids(it).as_ref()?.list().first().copied())
        };
        tokenizer.begin = begin
            .or(tokenizer.begin)
            .or_else(|| from_model(|it| &it.bos_token_id));
        tokenizer.end = end
            .or(tokenizer.end)
            .or_else(|| from_model(|it| &it.eos_token_id));
        // What a `tokenizer.json` adds is in its post-processor.
        if !pipeline {
            let scored = matches!(tokenizer.engine, Engine::Scored { .. });
            tokenizer.adds = Adds {
                begin: config
                    .add_bos_token
                    .unwrap_or(scored && config.bos_token.is_some()),
                end: config.add_eos_token.unwrap_or(false),
            };
        }
        tokenizer.ends.clear();
        let ends = written
            .iter()
            .filter_map(|it| it.eos_token_id.as_ref())
            .flat_map(|ids| ids.list().to_vec())
            .chain(tokenizer.end);
        for id in ends.collect::<Vec<u32>>() {
            tokenizer.add_end(id);
        }

        let template = match (template, config.chat_template) {
            (Some(text), _) | (None, Some(Templates::One(text))) => Some(text),
            (None, Some(Templates::Several(list))) => list
                .into_iter()
                .find(|it| it.name == "default")
                .map(|it| it.template),
            (None, None) => None,
        };
        if let Some(template) = template {
            let names: HashMap<String, String> = [
                ("bos_token", &config.bos_token),
                ("eos_token", &config.eos_token),
                ("unk_token", &config.unk_token),
                ("pad_token", &config.pad_token),
            ]
            .into_iter()
            .filter_map(|(key, name)| Some((key.to_owned(), name.as_ref()?.text().to_owned())))
            .collect();
            tokenizer.set_template(&template, names)?;
        }
        Ok(tokenizer)
    }
}

/// Opens the best of the vocabularies that are there.
fn vocabulary(folder: &Path) -> Result<TextTokenizer, ModelError> {
    let json = folder.join("tokenizer.json");
    if json.exists() {
        return TextTokenizer::of_pipeline(&json, &fs_err::read(&json)?);
    }
    for name in ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"] {
        let path = folder.join(name);
        if path.exists() {
            return sentencepiece::open(&path);
        }
    }
    for (first, second) in gpt2::FILES {
        if folder.join(first).exists() && folder.join(second).exists() {
            return gpt2::open(folder);
        }
    }
    let mut files = fs_err::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    files.sort();
    let ending = |ending: &str| {
        files
            .iter()
            .find(|path| path.extension().is_some_and(|it| it == ending))
    };
    if let Some(path) = ending("tiktoken") {
        return tiktoken::open(path);
    }
    Err(ModelError::FileMissing {
        folder: folder.to_path_buf(),
        file: "tokenizer.json",
        hint: Some(
            "nor another vocabulary: `tokenizer.model`, `vocab.json` and `merges.txt`, `*.tiktoken`",
        ),
    })
}
