//! Vocabularies in the metadata of GGUF files.
//!
//! The tokens are those of llama.cpp, which the files are made for: its names of
//! models (`tokenizer.ggml.model`), of ways to split (`tokenizer.ggml.pre`) and its
//! defaults (`llama-vocab.cpp`, `llama_vocab::impl::load`).

use std::collections::HashMap;
use std::path::Path;

use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, Tokenizer};

use crate::ModelError;
use crate::gguf::Gguf;

use super::pipeline::{Pipeline, byte_token, failed};
use super::scored::{Kind, Piece, Scored, Symbols};
use super::sentencepiece::{self, Spacing};
use super::{Adds, Engine, Text, TextTokenizer, gpt2, json, split};

/// Names of tokens that end a turn, where a file does not say which does
/// (`llama_vocab::impl::load`, `special_eot_id` and `special_eog_ids`).
const ENDS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<EOT>",
    "[EOT]",
    "[EOS]",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
];

/// Says what kind of vocabulary a file has.
const MODEL: &str = "tokenizer.ggml.model";

/// The vocabulary as it is written.
struct Written<'a> {
    file: &'a Gguf,
    tokens: Vec<&'a str>,
    kinds: Vec<Kind>,
}

impl Written<'_> {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn wrong(&self, what: &str, expected: &str, found: String) -> ModelError {
        ModelError::Vocabulary {
            path: self.path().to_path_buf(),
            what: what.into(),
            expected: expected.into(),
            found,
        }
    }

    /// Returns a token's number from the metadata, if the file has it.
    fn id(&self, name: &str) -> Result<Option<u32>, ModelError> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let Some(id) = self.file.integer(&key)? else {
            return Ok(None);
        };
        match u32::try_from(id) {
            Ok(id) if (id as usize) < self.tokens.len() => Ok(Some(id)),
            // How files say that there is none.
            Ok(u32::MAX) => Ok(None),
            _ => {
                let expected = format!("less than {}, the number of tokens", self.tokens.len());
                Err(self.wrong(&format!("`{key}`"), &expected, id.to_string()))
            }
        }
    }

    fn scores(&self) -> Result<Vec<f32>, ModelError> {
        let scores = self.file.numbers("tokenizer.ggml.scores")?;
        let scores = scores.unwrap_or_else(|| vec![0.0; self.tokens.len()]);
        if scores.len() != self.tokens.len() {
            let expected = format!("{}, one for each token", self.tokens.len());
            return Err(self.wrong("the number of scores", &expected, scores.len().to_string()));
        }
        Ok(scores.into_iter().map(|score| score as f32).collect())
    }

    fn vocabulary(&self) -> Vocab {
        let mut vocabulary = Vocab::with_capacity(self.tokens.len());
        for (id, token) in (0u32..).zip(&self.tokens) {
            vocabulary.entry((*token).to_owned()).or_insert(id);
        }
        vocabulary
    }

    /// Returns the tokens that are found in text before anything else.
    fn added(&self) -> impl Iterator<Item = AddedToken> {
        self.tokens
            .iter()
            .zip(&self.kinds)
            .filter(|(token, kind)| {
                !token.is_empty() && matches!(kind, Kind::Control | Kind::Always | Kind::Unknown)
            })
            .map(|(token, kind)| AddedToken::from(*token, *kind != Kind::Always).normalized(false))
    }
}

/// Returns the error that `key` is not there.
fn missing(file: &Gguf, key: &str) -> ModelError {
    ModelError::Vocabulary {
        path: file.path().to_path_buf(),
        what: format!("`{key}`"),
        expected: "the model's vocabulary".into(),
        found: "missing".into(),
    }
}

/// Returns the vocabulary of `file` as it is written, and what kind it is.
fn written(file: &Gguf) -> Result<(Written<'_>, &str), ModelError> {
    let key = "tokenizer.ggml.tokens";
    let tokens = file.texts(key)?.ok_or_else(|| missing(file, key))?;
    let kinds = match file.integers("tokenizer.ggml.token_type")? {
        Some(kinds) => kinds.into_iter().map(Kind::of).collect(),
        None => vec![Kind::Normal; tokens.len()],
    };
    let written = Written {
        file,
        tokens,
        kinds,
    };
    if written.kinds.len() != written.tokens.len() {
        let expected = format!("{}, one for each token", written.tokens.len());
        let found = written.kinds.len().to_string();
        return Err(written.wrong("the number of token types", &expected, found));
    }
    let model = file.text(MODEL)?.ok_or_else(|| missing(file, MODEL))?;
    Ok((written, model))
}

/// Reads the vocabulary of an encoder's `file`: with what it puts around a text, and
/// between two.
pub(super) fn open_encoder(file: &Gguf) -> Result<Tokenizer, ModelError> {
    let (written, model) = written(file)?;
    let (mut tokenizer, kind) = match model {
        "bert" => return word_piece(&written),
        "gpt2" => (byte_level(&written)?.0, "`<s>` and `</s>`"),
        "t5" => (unigram(&written)?, "`<s>` and `</s>`"),
        other => {
            let found = format!("`{other}`");
            let expected = "bert, gpt2 or t5, the kinds that encoders have";
            return Err(written.wrong(&format!("`{MODEL}`"), expected, found));
        }
    };
    // RoBERTa's marks, whether the file calls them beginning and end or first and separator.
    let named = |keys: [&str; 2], usual: &str| {
        for key in keys {
            if let Some(id) = written.id(key)? {
                return Ok((written.tokens[id as usize].to_owned(), id));
            }
        }
        let id = tokenizer.token_to_id(usual);
        id.map(|id| (usual.to_owned(), id)).ok_or_else(|| {
            let expected = format!("a vocabulary with {kind}");
            written.wrong(&format!("`{usual}`"), &expected, "missing".into())
        })
    };
    let first = named(["cls", "bos"], "<s>")?;
    let last = named(["separator", "eos"], "</s>")?;
    tokenizer.with_post_processor(Some(RobertaProcessing::new(last, first)));
    Ok(tokenizer)
}

/// Reads the vocabulary of `file`.
pub(super) fn open(file: &Gguf) -> Result<TextTokenizer, ModelError> {
    let (written, model) = written(file)?;
    let (mut tokenizer, adds) = match model {
        "llama" => scored(&written)?,
        "gpt2" => {
            let (tokenizer, adds) = byte_level(&written)?;
            (of_tokenizer(&written, tokenizer)?, adds)
        }
        "bert" => (
            of_tokenizer(&written, word_piece(&written)?)?,
            Adds::default(),
        ),
        "t5" => {
            let adds = Adds {
                begin: false,
                end: true,
            };
            (of_tokenizer(&written, unigram(&written)?)?, adds)
        }
        other => {
            let found = format!("`{other}`");
            return Err(written.wrong(&format!("`{MODEL}`"), "llama, gpt2, bert or t5", found));
        }
    };
    tokenizer.begin = written.id("bos")?;
    tokenizer.end = written.id("eos")?;
    tokenizer.adds = Adds {
        begin: file
            .flag("tokenizer.ggml.add_bos_token")?
            .unwrap_or(adds.begin),
        end: file
            .flag("tokenizer.ggml.add_eos_token")?
            .unwrap_or(adds.end),
    };
    if model == "bert" {
        // `[CLS]` and `[SEP]` are the pipeline's.
        tokenizer.adds = Adds::default();
    }
    for name in ["eos", "eot", "eom"] {
        if let Some(id) = written.id(name)? {
            tokenizer.add_end(id);
        }
    }
    for name in ENDS {
        if let Some((_, id)) = tokenizer
            .special
            .iter()
            .find(|(special, _)| special == name)
        {
            let id = *id;
            tokenizer.add_end(id);
        }
    }
    if let Some(template) = file.text("tokenizer.chat_template")? {
        let mut names = HashMap::new();
        for (key, name) in [("unk_token", "unknown"), ("pad_token", "padding")] {
            if let Some(id) = written.id(name)? {
                names.insert(key.to_owned(), written.tokens[id as usize].to_owned());
            }
        }
        tokenizer.set_template(template, names)?;
    }
    Ok(tokenizer)
}

/// SentencePiece's byte-pair encoding.
fn scored(written: &Written<'_>) -> Result<(TextTokenizer, Adds), ModelError> {
    let scores = written.scores()?;
    let pieces = written
        .tokens
        .iter()
        .zip(&written.kinds)
        .zip(scores)
        .map(|((token, kind), score)| {
            // A special token's name is written as it stands in text.
            let bytes = match (kind, byte_token(token)) {
                (Kind::Byte, Some(byte)) => vec![byte],
                (Kind::Control | Kind::Unknown, _) => token.as_bytes().to_vec(),
                _ => token.replace('▁', " ").into_bytes(),
            };
            // llama.cpp uses them like any other.
            let kind = match kind {
                Kind::Unused => Kind::Normal,
                kind => *kind,
            };
            Piece { bytes, score, kind }
        })
        .collect();
    let prefix = written.file.flag("tokenizer.ggml.add_space_prefix")?;
    let spacing = Spacing {
        prefix: prefix.unwrap_or(true),
        collapse: false,
        charsmap: None,
    };
    let vocabulary = Scored::new(pieces, Symbols::Characters);
    let tokenizer = TextTokenizer::of_pieces(written.path(), vocabulary, Text::Spaced(spacing));
    let adds = Adds {
        begin: true,
        end: false,
    };
    Ok((tokenizer, adds))
}

/// GPT-2's byte-level encoding with merges.
fn byte_level(written: &Written<'_>) -> Result<(Tokenizer, Adds), ModelError> {
    let file = written.file;
    let name = match file.text("tokenizer.ggml.pre")? {
        Some(name) => name,
        // Older files do not say; these families have only one way.
        None => match file.text("general.architecture")? {
            Some("gpt2" | "gptneox") => "gpt-2",
            Some("falcon") => "falcon",
            Some("starcoder" | "starcoder2") => "starcoder",
            _ => "default",
        },
    };
    let split = split::named(name).ok_or_else(|| {
        let expected = "a way to split texts that is known here";
        written.wrong("`tokenizer.ggml.pre`", expected, format!("`{name}`"))
    })?;
    let vocabulary = written.vocabulary();
    let merges = file.texts("tokenizer.ggml.merges")?.unwrap_or_default();
    let merges = merges
        .into_iter()
        .map(|merge| {
            // A token may itself begin with a space.
            let at = merge.bytes().skip(1).position(|byte| byte == b' ');
            at.map(|at| (merge[..=at].to_owned(), merge[at + 2..].to_owned()))
                .ok_or_else(|| {
                    let found = format!("`{merge}`");
                    written.wrong("a merge", "two tokens with a space between them", found)
                })
        })
        .collect::<Result<_, _>>()?;
    let merges = json::checked(written.path(), &vocabulary, merges, "")?;
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .ignore_merges(split.whole_words)
        .build()
        .map_err(|source| failed(written.path(), source))?;
    let mut tokenizer = gpt2::byte_level(written.path(), model, split.patterns)?;
    tokenizer
        .add_tokens(written.added())
        .map_err(|source| failed(written.path(), source))?;
    let adds = Adds {
        begin: split.begins,
        end: false,
    };
    Ok((tokenizer, adds))
}

/// BERT's word pieces. The file writes `▁word` and `piece` for `word` and `##piece`.
fn word_piece(written: &Written<'_>) -> Result<Tokenizer, ModelError> {
    let mut vocabulary = Vocab::with_capacity(written.tokens.len());
    for (id, token) in (0u32..).zip(&written.tokens) {
        let bracketed = token.starts_with('[') && token.ends_with(']');
        let name = match token.strip_prefix('▁') {
            Some(word) => word.to_owned(),
            None if bracketed => (*token).to_owned(),
            None => format!("##{token}"),
        };
        vocabulary.entry(name).or_insert(id);
    }
    let named = |key: &str, usual: &str| {
        let id = written.id(key)?.or_else(|| vocabulary.get(usual).copied());
        id.map(|id| (written.tokens[id as usize].to_owned(), id))
            .ok_or_else(|| {
                let what = format!("`tokenizer.ggml.{key}_token_id`");
                written.wrong(&what, "the number of a token", "missing".into())
            })
    };
    let unknown = named("unknown", "[UNK]")?;
    // The file format itself misspells it.
    let separator = match written.id("separator")? {
        Some(id) => (written.tokens[id as usize].to_owned(), id),
        None => named("seperator", "[SEP]")?,
    };
    let first = match written.id("cls")? {
        Some(id) => (written.tokens[id as usize].to_owned(), id),
        None => named("bos", "[CLS]")?,
    };
    let lower = written.file.flag("tokenizer.ggml.normalizer.lowercase")?;
    let strip = written
        .file
        .flag("tokenizer.ggml.normalizer.strip_accents")?;
    let model = WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(unknown.0)
        .build()
        .map_err(|source| failed(written.path(), source))?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer
        .with_normalizer(Some(BertNormalizer::new(
            true,
            true,
            strip,
            lower.unwrap_or(true),
        )))
        .map_err(|source| failed(written.path(), source))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_post_processor(Some(BertProcessing::new(separator, first)));
    tokenizer.with_decoder(Some(WordPieceDecoder::default()));
    tokenizer
        .add_tokens(
            written
                .added()
                .filter(|token| token.content.starts_with('[')),
        )
        .map_err(|source| failed(written.path(), source))?;
    Ok(tokenizer)
}

/// SentencePiece's unigram model.
fn unigram(written: &Written<'_>) -> Result<Tokenizer, ModelError> {
    let file = written.file;
    let charsmap: Option<Vec<u8>> = file
        .integers("tokenizer.ggml.precompiled_charsmap")?
        .map(|bytes| bytes.into_iter().map(|byte| byte as u8).collect());
    let pieces = written
        .tokens
        .iter()
        .zip(written.scores()?)
        .map(|(token, score)| ((*token).to_owned(), f64::from(score)))
        .collect();
    let spacing = sentencepiece::UnigramText {
        charsmap: charsmap.unwrap_or_default(),
        prefix: file
            .flag("tokenizer.ggml.add_space_prefix")?
            .unwrap_or(true),
        collapse: file
            .flag("tokenizer.ggml.remove_extra_whitespaces")?
            .unwrap_or(true),
    };
    let unknown = written
        .kinds
        .iter()
        .position(|kind| *kind == Kind::Unknown)
        .or(written.id("unknown")?.map(|id| id as usize));
    let bytes = written.kinds.contains(&Kind::Byte);
    let mut tokenizer = sentencepiece::unigram(written.path(), pieces, unknown, bytes, &spacing)?;
    tokenizer
        .add_tokens(written.added())
        .map_err(|source| failed(written.path(), source))?;
    Ok(tokenizer)
}

fn of_tokenizer(written: &Written<'_>, tokenizer: Tokenizer) -> Result<TextTokenizer, ModelError> {
    let pipeline = Pipeline::new(written.path(), tokenizer)?;
    let special = pipeline.special();
    Ok(TextTokenizer::new(
        written.path(),
        Engine::Pipeline(Box::new(pipeline)),
        special,
    ))
}
