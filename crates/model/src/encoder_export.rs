//! An embedder as one GGUF file, for llama.cpp and all that is built on it.
//!
//! Names and metadata are those that llama.cpp reads (`convert_hf_to_gguf.py`,
//! `llama-model.cpp`: the architecture `bert`). Linear parts and the table of words are
//! written in the format that is wanted; norms, biases, positions and segments always as
//! F32. A part whose rows are no whole blocks is written as F16.
//!
//! What a folder says of prefixes has no place in the file. Rerankers are not written:
//! llama.cpp takes every token for one of the first text, where BERT was taught which are
//! of the second. Of other heads it knows nothing.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use tensor::{Activation, Format, Pooling};

use crate::ModelError;
use crate::config::{self, Family};
use crate::decoder::GgufFormat;
use crate::encoder_files::EncoderFiles;
use crate::encoder_names::GGUF;
use crate::gguf::{Metadata, TensorToWrite, write};

/// `llama_pooling_type`.
const MEAN: usize = 1;
const FIRST: usize = 2;

/// `llama_token_type`.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;

/// Writes the embedder in the Hugging Face folder `model`, a BERT with a vocabulary of word
/// pieces, to the GGUF file `to`. It is there whole or not at all.
///
/// Texts are as long as the folder says, at most: later positions are not written.
///
/// # Errors
/// If it is another kind of model, has something that these files cannot say, or the file
/// cannot be written.
pub fn export_embedder(model: &Path, format: GgufFormat, to: &Path) -> Result<(), ModelError> {
    let mut files = EncoderFiles::open(model)?;
    let sentence = files.sentence()?;
    let longest = sentence.longest.unwrap_or(usize::MAX);
    let export = Export {
        positions: longest.min(files.config.longest()),
        pooling: sentence.pooling,
        format,
        files,
    };
    export.check()?;
    let metadata = export.metadata()?;
    let tensors = export.tensors();
    let plan: Vec<TensorToWrite> = tensors.iter().map(|it| it.to_write.clone()).collect();
    let weights = &export.files.weights;
    for tensor in &tensors {
        if weights.shape(&tensor.stored) != Some(&tensor.shape) {
            weights.tensor(&tensor.stored, &tensor.shape)?;
        }
    }
    write(to, &metadata, &plan, |number, file| {
        let (tensor, format) = (&tensors[number], plan[number].format);
        let numbers = weights.tensor(&tensor.stored, &tensor.shape);
        let numbers = numbers.expect("it was there a moment ago, of this shape");
        let kept: usize = plan[number].shape.iter().product();
        let length = format.bytes(kept).expect("its rows are whole blocks");
        let mut bytes = vec![0; length];
        let written = format.narrow(&numbers[..kept], &mut bytes);
        assert!(written, "these formats can be written");
        file.write_all(&bytes)
    })
}

struct Export {
    files: EncoderFiles,
    pooling: Pooling,
    format: GgufFormat,
    /// Tokens that a text may have.
    positions: usize,
}

/// A tensor of the file, and where its numbers come from.
struct Tensor {
    to_write: TensorToWrite,
    stored: String,
    /// As it is stored; of positions fewer rows may be written.
    shape: Vec<usize>,
}

impl Export {
    fn cannot(&self, file: &str, key: &'static str, expected: &str, found: String) -> ModelError {
        ModelError::Setting {
            path: self.files.folder.path().join(file),
            key,
            expected: format!("{expected}, which GGUF files can say"),
            found,
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        let config = &self.files.config;
        if std::ptr::eq(self.files.names, &GGUF) {
            let expected = "a Hugging Face folder";
            return Err(ModelError::Gguf {
                path: self.files.folder.path().to_path_buf(),
                what: "an encoder to be exported".into(),
                expected: expected.into(),
                found: "a GGUF file already".into(),
            });
        }
        if config.family != Family::Bert {
            let found = "RoBERTa's or one of its kin".into();
            return Err(self.cannot(config::FILE, "model_type", "`bert`", found));
        }
        if config.activation != Activation::Gelu {
            let found = format!("{:?}", config.activation);
            return Err(self.cannot(config::FILE, "hidden_act", "`gelu`", found));
        }
        Ok(())
    }

    fn metadata(&self) -> Result<Metadata, ModelError> {
        let config = &self.files.config;
        let mut metadata = Metadata::default();
        metadata.text("general.architecture", "bert");
        metadata.text("general.type", "model");
        metadata.text("general.name", &self.files.folder.name());
        metadata.size("general.file_type", self.format.file_type());
        metadata.size("general.quantization_version", 2);
        metadata.size("bert.context_length", self.positions);
        metadata.size("bert.embedding_length", config.width);
        metadata.size("bert.block_count", config.layers);
        metadata.size("bert.feed_forward_length", config.inner);
        metadata.size("bert.attention.head_count", config.heads);
        metadata.number("bert.attention.layer_norm_epsilon", config.epsilon);
        metadata.flag("bert.attention.causal", false);
        metadata.size("tokenizer.ggml.token_type_count", config.segments);
        let pooling = match self.pooling {
            Pooling::Mean => MEAN,
            Pooling::First => FIRST,
            other => {
                let (file, found) = ("modules.json", format!("{other:?}"));
                return Err(self.cannot(file, "pooling", "the mean or the first token", found));
            }
        };
        metadata.size("bert.pooling_type", pooling);
        self.vocabulary(&mut metadata)?;
        Ok(metadata)
    }

    /// Says what the tokens are. llama.cpp marks a piece that begins a word, where
    /// `tokenizer.json` marks one that does not.
    fn vocabulary(&self, metadata: &mut Metadata) -> Result<(), ModelError> {
        const FILE: &str = "tokenizer.json";
        let path = self.files.folder.path().join(FILE);
        let json: Value = serde_json::from_slice(&fs_err::read(&path)?)
            .map_err(|source| ModelError::Json { path, source })?;
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
        let flag = |pointer: &str| json.pointer(pointer).and_then(Value::as_bool);
        let found = |what: Option<&str>| what.map_or("missing".into(), |it| format!("`{it}`"));
        let pieces = json.pointer("/model/vocab").and_then(Value::as_object);
        let (Some(pieces), Some("WordPiece")) = (pieces, text("/model/type")) else {
            let found = found(text("/model/type"));
            return Err(self.cannot(FILE, "model.type", "`WordPiece`", found));
        };
        if text("/model/continuing_subword_prefix") != Some("##") {
            let found = found(text("/model/continuing_subword_prefix"));
            return Err(self.cannot(FILE, "model.continuing_subword_prefix", "`##`", found));
        }
        if text("/normalizer/type") != Some("BertNormalizer")
            || flag("/normalizer/handle_chinese_chars") == Some(false)
        {
            let found = found(text("/normalizer/type"));
            return Err(self.cannot(FILE, "normalizer.type", "`BertNormalizer` as usual", found));
        }
        let mut names: HashMap<usize, &str> = HashMap::new();
        for (piece, id) in pieces {
            let id = id.as_u64().map(|it| it as usize);
            let Some(id) = id.filter(|it| *it < self.files.config.vocabulary) else {
                let found = format!("another for `{piece}`");
                return Err(self.cannot(FILE, "model.vocab", "a row of the table each", found));
            };
            names.insert(id, piece);
        }
        let added = json.get("added_tokens").and_then(Value::as_array);
        let special: HashMap<usize, &str> = added
            .into_iter()
            .flatten()
            .filter(|it| it["special"] == true)
            .filter_map(|it| Some((it["id"].as_u64()? as usize, it["content"].as_str()?)))
            .collect();
        let (mut tokens, mut kinds) = (Vec::new(), Vec::new());
        for id in 0..self.files.config.vocabulary {
            let (token, kind) = match (special.get(&id), names.get(&id)) {
                (Some(name), _) => ((*name).to_owned(), CONTROL),
                (None, Some(piece)) => match piece.strip_prefix("##") {
                    Some(rest) => (rest.to_owned(), NORMAL),
                    None => (format!("\u{2581}{piece}"), NORMAL),
                },
                // A row of the table that no text has.
                (None, None) => (format!("[PAD{id}]"), UNUSED),
            };
            tokens.push(token);
            kinds.push(kind);
        }
        metadata.text("tokenizer.ggml.model", "bert");
        metadata.text("tokenizer.ggml.pre", "default");
        metadata.texts("tokenizer.ggml.tokens", tokens.iter().map(|it| &**it));
        metadata.integers("tokenizer.ggml.token_type", &kinds);
        let lower = flag("/normalizer/lowercase").unwrap_or(true);
        metadata.flag("tokenizer.ggml.normalizer.lowercase", lower);
        let strips = flag("/normalizer/strip_accents").unwrap_or(lower);
        metadata.flag("tokenizer.ggml.normalizer.strip_accents", strips);
        let unknown = text("/model/unk_token").unwrap_or("[UNK]");
        // The file format itself misspells the separator.
        for (key, name, needed) in [
            ("unknown", unknown, true),
            ("cls", "[CLS]", true),
            ("seperator", "[SEP]", true),
            ("padding", "[PAD]", false),
            ("mask", "[MASK]", false),
        ] {
            match pieces.get(name).and_then(Value::as_u64) {
                Some(id) => metadata.size(&format!("tokenizer.ggml.{key}_token_id"), id as usize),
                None if needed => {
                    let expected = format!("with `{name}`");
                    return Err(self.cannot(FILE, "model.vocab", &expected, "without".into()));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Plans the file's tensors.
    fn tensors(&self) -> Vec<Tensor> {
        let config = &self.files.config;
        let (from, weights) = (self.files.names, &self.files.weights);
        let prefix = from.prefix(weights);
        let (width, inner) = (config.width, config.inner);
        let mut tensors = Vec::new();
        let mut table = |to: &str, stored: &str, rows: usize, kept: usize, format: Format| {
            tensors.push(Tensor {
                to_write: TensorToWrite {
                    name: to.to_owned(),
                    format,
                    shape: vec![kept, width],
                },
                stored: format!("{prefix}{stored}"),
                shape: vec![rows, width],
            });
        };
        let words = config.vocabulary;
        table(GGUF.words, from.words, words, words, self.format(width));
        let (all, kept) = (config.positions, self.positions);
        table(GGUF.positions, from.positions, all, kept, Format::F32);
        let segments = config.segments;
        if segments > 0 {
            table(
                GGUF.segments,
                from.segments,
                segments,
                segments,
                Format::F32,
            );
        }
        self.norm(&mut tensors, GGUF.first_norm, from.first_norm);
        for layer in 0..config.layers {
            let named = |name: &str| name.replace("{}", &layer.to_string());
            let parts = [
                (
                    GGUF.query_key_value[0],
                    from.query_key_value[0],
                    width,
                    width,
                ),
                (
                    GGUF.query_key_value[1],
                    from.query_key_value[1],
                    width,
                    width,
                ),
                (
                    GGUF.query_key_value[2],
                    from.query_key_value[2],
                    width,
                    width,
                ),
                (GGUF.attention_out, from.attention_out, width, width),
                (GGUF.up, from.up, inner, width),
                (GGUF.down, from.down, width, inner),
            ];
            for (to, from, outputs, inputs) in parts {
                let from = format!("{prefix}{}", named(from));
                let format = self.format(inputs);
                self.linear(&mut tensors, &named(to), &from, [outputs, inputs], format);
            }
            let norms = [
                (GGUF.attention_norm, from.attention_norm),
                (GGUF.down_norm, from.down_norm),
            ];
            for (to, from) in norms {
                self.norm(&mut tensors, &named(to), &named(from));
            }
        }
        tensors
    }

    /// Plans a linear part, which is called `from`: its weight in `format`, and its bias.
    fn linear(
        &self,
        tensors: &mut Vec<Tensor>,
        to: &str,
        from: &str,
        shape: [usize; 2],
        format: Format,
    ) {
        for (end, shape, format) in [
            ("weight", shape.to_vec(), format),
            ("bias", vec![shape[0]], Format::F32),
        ] {
            tensors.push(Tensor {
                to_write: TensorToWrite {
                    name: format!("{to}.{end}"),
                    format,
                    shape: shape.clone(),
                },
                stored: format!("{from}.{end}"),
                shape,
            });
        }
    }

    /// Plans a norm, whose oldest files say `gamma` and `beta`.
    fn norm(&self, tensors: &mut Vec<Tensor>, to: &str, from: &str) {
        let (weights, shape) = (&self.files.weights, vec![self.files.config.width]);
        let from = format!("{}{from}", self.files.names.prefix(weights));
        let is_old = weights.contains(&format!("{from}.gamma"));
        let ends = match is_old {
            true => ["gamma", "beta"],
            false => ["weight", "bias"],
        };
        for (end, stored) in ["weight", "bias"].into_iter().zip(ends) {
            tensors.push(Tensor {
                to_write: TensorToWrite {
                    name: format!("{to}.{end}"),
                    format: Format::F32,
                    shape: shape.clone(),
                },
                stored: format!("{from}.{stored}"),
                shape: shape.clone(),
            });
        }
    }

    /// Returns in what a matrix is stored whose rows have `inputs` numbers.
    fn format(&self, inputs: usize) -> Format {
        let wanted = self.format.stored();
        match inputs.is_multiple_of(wanted.block_numbers()) {
            true => wanted,
            false => Format::F16,
        }
    }
}
