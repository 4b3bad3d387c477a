//! The shape of BERT-family encoders: from `config.json`, or the metadata of a GGUF file.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tensor::Activation;

use crate::ModelError;
use crate::folder::Folder;
use crate::gguf::Gguf;

pub(crate) const FILE: &str = "config.json";

/// `config.json`, as far as it is used here.
#[derive(Deserialize)]
struct Written {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "tiny")]
    layer_norm_eps: f32,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

fn gelu() -> String {
    "gelu".into()
}

fn two() -> usize {
    2
}

fn tiny() -> f32 {
    1e-12
}

/// Which of the family an encoder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// BERT (Devlin et al. 2018), and what only has other weights: MiniLM, BGE, E5, GTE.
    Bert,
    /// RoBERTa (Liu et al. 2019) and XLM-RoBERTa: positions start after the padding
    /// token's number, and there is one segment.
    Roberta,
}

/// The shape of an encoder.
#[derive(Clone, Debug)]
pub struct EncoderConfig {
    /// Where it is written.
    pub path: PathBuf,
    /// Which names and positions it has.
    pub family: Family,
    /// `V`, tokens known.
    pub vocabulary: usize,
    /// `D`
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// `H`
    pub heads: usize,
    /// `F`, width between the two products of the feed-forward part.
    pub inner: usize,
    /// Applied there.
    pub activation: Activation,
    /// Rows of the table of positions.
    pub positions: usize,
    /// The row of a text's first token.
    pub first_position: usize,
    /// Rows of the table of segments; 0 if there is none.
    pub segments: usize,
    /// Of all layer norms.
    pub epsilon: f32,
}

impl EncoderConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// If it is missing, not as expected, or of a model that is not in the family.
    pub(crate) fn read(folder: &mut Folder) -> Result<Self, ModelError> {
        let written: Value = folder.json(FILE)?.ok_or_else(|| ModelError::FileMissing {
            folder: folder.path().to_path_buf(),
            file: FILE,
            hint: None,
        })?;
        Self::of_json(written, &folder.path().join(FILE))
    }

    /// Looks first what kind of model it is: another one lacks what this one needs, which
    /// is no news.
    fn of_json(written: Value, path: &Path) -> Result<Self, ModelError> {
        let kind = written["model_type"].as_str();
        let family = match kind {
            Some("bert") => Family::Bert,
            Some("roberta" | "xlm-roberta" | "camembert") => Family::Roberta,
            other => {
                return Err(ModelError::Setting {
                    path: path.to_path_buf(),
                    key: "model_type",
                    expected: "`bert`, `roberta`, `xlm-roberta` or `camembert`".into(),
                    found: other.map_or("missing".into(), |it| format!("`{it}`")),
                });
            }
        };
        let written = serde_json::from_value(written).map_err(|source| ModelError::Json {
            path: path.to_path_buf(),
            source,
        })?;
        Self::of(family, written, path)
    }

    /// Reads the metadata of a GGUF file of the architecture `bert`: BERT, and RoBERTa and
    /// XLM-RoBERTa, whose first positions llama.cpp leaves out when it writes such a file.
    /// The file does not say with what activation it was trained: it is taken for GELU, as
    /// the models that are found in such files were.
    ///
    /// # Errors
    /// If it is of another architecture, or says of itself what no model has.
    pub(crate) fn of_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        let wrong = |what: &str, expected: &str, found: String| ModelError::Gguf {
            path: gguf.path().to_path_buf(),
            what: format!("`{what}`"),
            expected: expected.into(),
            found,
        };
        const KEY: &str = "general.architecture";
        let architecture = gguf.text(KEY)?.unwrap_or("nothing");
        if architecture != "bert" {
            let known = "`bert`, as BERT, RoBERTa and XLM-RoBERTa are called there";
            return Err(wrong(KEY, known, format!("`{architecture}`")));
        }
        let size = |key: &str, most: u64| {
            let found = gguf.integer(key)?;
            match found.and_then(|it| usize::try_from(it).ok()) {
                Some(number) if (1..=most as usize).contains(&number) => Ok(number),
                _ => {
                    let found = found.map_or("missing".into(), |it| it.to_string());
                    Err(wrong(key, &format!("a number from 1 to {most}"), found))
                }
            }
        };
        // A limit far beyond any model keeps the products of sizes within range.
        const MOST: u64 = 1 << 24;
        let width = size("bert.embedding_length", MOST)?;
        let heads = size("bert.attention.head_count", MOST)?;
        if !width.is_multiple_of(heads) {
            let expected = format!("a multiple of {heads} heads");
            return Err(wrong("bert.embedding_length", &expected, width.to_string()));
        }
        if gguf.flag("bert.attention.causal")? == Some(true) {
            return Err(wrong("bert.attention.causal", "`false`", "`true`".into()));
        }
        let rows = |tensor: &str| match gguf.tensor(tensor).map(|it| &it.shape[..]) {
            Some([rows, _]) => Some(*rows),
            Some(_) => Some(1),
            None => None,
        };
        let family = match gguf.text("tokenizer.ggml.model")? {
            Some("bert") | None => Family::Bert,
            Some(_) => Family::Roberta,
        };
        let epsilon = gguf.number("bert.attention.layer_norm_epsilon")?;
        Ok(Self {
            path: gguf.path().to_path_buf(),
            family,
            vocabulary: rows(crate::encoder_names::GGUF.words).unwrap_or(1),
            width,
            layers: size("bert.block_count", 4096)?,
            heads,
            inner: size("bert.feed_forward_length", MOST)?,
            activation: Activation::Gelu,
            positions: size("bert.context_length", MOST)?,
            first_position: 0,
            segments: rows(crate::encoder_names::GGUF.segments).unwrap_or(0),
            epsilon: epsilon.unwrap_or_else(|| tiny().into()) as f32,
        })
    }

    fn of(family: Family, written: Written, path: &Path) -> Result<Self, ModelError> {
        let wrong = |key, expected: &str, found: &dyn std::fmt::Display| ModelError::Setting {
            path: path.to_path_buf(),
            key,
            expected: expected.into(),
            found: format!("`{found}`"),
        };
        let activation = match &*written.hidden_act {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            "relu" => Activation::Relu,
            other => {
                let known = "`gelu`, `gelu_new`, `gelu_pytorch_tanh` or `relu`";
                return Err(wrong("hidden_act", known, &other));
            }
        };
        if let Some(other) = written.position_embedding_type
            && other != "absolute"
        {
            return Err(wrong("position_embedding_type", "`absolute`", &other));
        }
        if written.is_decoder {
            return Err(wrong("is_decoder", "`false`", &true));
        }
        for (key, number) in [
            ("vocab_size", written.vocab_size),
            ("hidden_size", written.hidden_size),
            ("num_attention_heads", written.num_attention_heads),
            ("intermediate_size", written.intermediate_size),
            ("max_position_embeddings", written.max_position_embeddings),
            ("type_vocab_size", written.type_vocab_size),
        ] {
            // A limit far beyond any model keeps the products of sizes within range.
            if !(1..=1 << 24).contains(&number) {
                return Err(wrong(key, "a number from 1 to 16777216", &number));
            }
        }
        if !written
            .hidden_size
            .is_multiple_of(written.num_attention_heads)
        {
            let expected = format!("a multiple of {} heads", written.num_attention_heads);
            return Err(wrong("hidden_size", &expected, &written.hidden_size));
        }
        let first_position = match family {
            Family::Bert => 0,
            Family::Roberta => written.pad_token_id.unwrap_or(1) + 1,
        };
        if first_position >= written.max_position_embeddings {
            let expected = format!("more than {first_position}");
            let found = written.max_position_embeddings;
            return Err(wrong("max_position_embeddings", &expected, &found));
        }
        Ok(Self {
            path: path.to_path_buf(),
            family,
            vocabulary: written.vocab_size,
            width: written.hidden_size,
            layers: written.num_hidden_layers,
            heads: written.num_attention_heads,
            inner: written.intermediate_size,
            activation,
            positions: written.max_position_embeddings,
            first_position,
            segments: written.type_vocab_size,
            epsilon: written.layer_norm_eps,
        })
    }

    /// Returns how many tokens a text may have.
    pub fn longest(&self) -> usize {
        self.positions - self.first_position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINILM: &str = r#"{"model_type":"bert","vocab_size":30522,"hidden_size":384,
        "num_hidden_layers":6,"num_attention_heads":12,"intermediate_size":1536,
        "hidden_act":"gelu","max_position_embeddings":512,"pad_token_id":0}"#;

    fn read(text: &str) -> Result<EncoderConfig, String> {
        let written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        EncoderConfig::of_json(written, Path::new("config.json")).map_err(|error| error.to_string())
    }

    #[test]
    fn positions_of_the_two_families() {
        let bert = read(MINILM).unwrap();
        assert_eq!((bert.longest(), bert.segments), (512, 2));
        let roberta = read(&MINILM.replace("\"bert\"", "\"roberta\"")).unwrap();
        assert_eq!((roberta.first_position, roberta.longest()), (1, 511));
    }

    #[test]
    fn another_kind_of_model_is_called_by_its_name() {
        for (text, expect) in [
            (r#"{"model_type":"t5","d_model":512}"#, "`t5`"),
            ("{}", "missing"),
            (r#"{"model_type":7}"#, "missing"),
        ] {
            let expect = format!(
                "`model_type` in `config.json` is {expect}, expected `bert`, `roberta`, `xlm-roberta` or `camembert`"
            );
            assert_eq!(read(text).unwrap_err(), expect);
        }
        let error = read(r#"{"model_type":"bert"}"#).unwrap_err();
        assert_eq!(error, "`config.json` is not as expected");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (from, to, expect) in [
            (
                "\"bert\"",
                "\"llama\"",
                "`model_type` in `config.json` is `llama`, expected `bert`, `roberta`, `xlm-roberta` or `camembert`",
            ),
            (
                "\"gelu\"",
                "\"silu\"",
                "`hidden_act` in `config.json` is `silu`, expected `gelu`, `gelu_new`, `gelu_pytorch_tanh` or `relu`",
            ),
            (
                ":12,",
                ":0,",
                "`num_attention_heads` in `config.json` is `0`, expected a number from 1 to 16777216",
            ),
            (
                ":12,",
                ":7,",
                "`hidden_size` in `config.json` is `384`, expected a multiple of 7 heads",
            ),
            (
                "}",
                r#","position_embedding_type":"relative_key"}"#,
                "`position_embedding_type` in `config.json` is `relative_key`, expected `absolute`",
            ),
        ] {
            assert_eq!(read(&MINILM.replace(from, to)).unwrap_err(), expect);
        }
    }
}
