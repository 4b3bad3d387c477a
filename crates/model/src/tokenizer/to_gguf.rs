//! A vocabulary as the metadata of a GGUF file: what `gguf.rs` reads, written.
//!
//! Two kinds can be said there so that llama.cpp cuts texts alike: byte-level BPE, whose way
//! to split is one that has a name (`split.rs`), and SentencePiece's BPE. A `tokenizer.json`
//! that was made of the latter has merges instead of scores; the place of a merge is then
//! the score of what it makes, as SentencePiece numbers its pieces.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::ModelError;
use crate::gguf::Metadata;

use super::pipeline::byte_token;
use super::scored::{Kind, Symbols};
use super::{Engine, Special, Text, TextTokenizer, split};

/// Names of ways to split that may be written, the most usual first.
const SPLITS: &[&str] = &[
    "gpt-2",
    "llama-bpe",
    "smaug-bpe",
    "qwen2",
    "smollm",
    "tekken",
    "gpt-4o",
    "qwen35",
    "falcon",
    "deepseek-coder",
    "deepseek-v3",
    "minicpm5",
    "bailingmoe",
    "bloom",
    "viking",
    "seed-coder",
    "exaone-moe",
    "default",
];

/// A vocabulary as the file has it: names, types, and scores or merges.
struct Written {
    model: &'static str,
    names: Vec<String>,
    kinds: Vec<Kind>,
    scores: Option<Vec<f32>>,
    merges: Option<Vec<String>>,
    /// How texts are split, of byte-level BPE.
    split: Option<&'static str>,
    /// Whether a space is put before a text, of SentencePiece.
    prefix: Option<bool>,
    unknown: Option<u32>,
}

impl TextTokenizer {
    /// Adds the vocabulary to the metadata of a GGUF file, for a model of `known` tokens.
    ///
    /// # Errors
    /// If it is of a kind that these files cannot say, or has more tokens.
    pub(crate) fn to_gguf(&self, metadata: &mut Metadata, known: usize) -> Result<(), ModelError> {
        self.fits(known)?;
        let mut written = match &self.engine {
            Engine::Scored { vocabulary, text } => match text {
                Text::Spaced(spacing) if vocabulary.symbols() == Symbols::Characters => {
                    if spacing.collapse || spacing.charsmap.is_some() {
                        return Err(self.cannot("a vocabulary that changes texts first"));
                    }
                    self.of_scores(vocabulary, spacing.prefix)
                }
                _ => return Err(self.cannot("one of ranked bytes (tiktoken)")),
            },
            Engine::Pipeline(pipeline) => {
                let whole: Whole = serde_json::from_value(pipeline.to_json())
                    .map_err(|_| self.cannot("one without merges"))?;
                if whole.model.byte_fallback.unwrap_or(false) {
                    self.of_spaced_merges(&whole)?
                } else {
                    self.of_byte_merges(&whole)?
                }
            }
        };
        // A model may have vectors for more tokens than there are.
        for free in written.names.len()..known {
            written.names.push(format!("[PAD{free}]"));
            written.kinds.push(Kind::Unused);
            if let Some(scores) = &mut written.scores {
                scores.push(-1e9);
            }
        }
        metadata.text("tokenizer.ggml.model", written.model);
        metadata.texts(
            "tokenizer.ggml.tokens",
            written.names.iter().map(String::as_str),
        );
        let kinds: Vec<i32> = written.kinds.iter().map(|kind| kind.number()).collect();
        metadata.integers("tokenizer.ggml.token_type", &kinds);
        if let Some(scores) = &written.scores {
            metadata.numbers("tokenizer.ggml.scores", scores);
        }
        if let Some(merges) = &written.merges {
            metadata.texts("tokenizer.ggml.merges", merges.iter().map(String::as_str));
        }
        if let Some(split) = written.split {
            metadata.text("tokenizer.ggml.pre", split);
        }
        if let Some(prefix) = written.prefix {
            metadata.flag("tokenizer.ggml.add_space_prefix", prefix);
        }
        // What is put around a text is seen on one.
        let (alone, around) = (
            self.encode("a", Special::Read)?,
            self.encode("a", Special::Add)?,
        );
        let more = around.len().saturating_sub(alone.len());
        let at = (0..=more).find(|at| around[*at..].starts_with(&alone));
        let (before, after) = match at {
            Some(at) => (&around[..at], &around[at + alone.len()..]),
            None => (&[][..], &[][..]),
        };
        if before.len() > 1 || after.len() > 1 {
            return Err(self.cannot("one that puts several tokens around a text"));
        }
        metadata.flag("tokenizer.ggml.add_bos_token", !before.is_empty());
        metadata.flag("tokenizer.ggml.add_eos_token", !after.is_empty());
        let end = after.first().copied().or(self.end);
        let turn = self.ends.iter().copied().find(|id| Some(*id) != end);
        for (name, id) in [
            ("bos", before.first().copied().or(self.begin)),
            ("eos", end),
            ("eot", turn),
            ("unknown", written.unknown),
        ] {
            if let Some(id) = id {
                metadata.size(&format!("tokenizer.ggml.{name}_token_id"), id as usize);
            }
        }
        if let Some(template) = &self.template {
            metadata.text("tokenizer.chat_template", template.source());
        }
        Ok(())
    }

    fn cannot(&self, found: &str) -> ModelError {
        ModelError::Vocabulary {
            path: self.path.clone(),
            what: "the vocabulary".into(),
            expected: "byte-level BPE or SentencePiece's BPE, which GGUF files can say".into(),
            found: found.into(),
        }
    }

    fn of_scores(&self, vocabulary: &super::Scored, prefix: bool) -> Written {
        let pieces = &vocabulary.pieces;
        let name = |bytes: &[u8], kind: Kind| match kind {
            Kind::Byte => format!("<0x{:02X}>", bytes.first().copied().unwrap_or(0)),
            Kind::Unknown => "<unk>".into(),
            Kind::Control => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::from_utf8_lossy(bytes).replace(' ', "▁"),
        };
        let unknown = pieces.iter().position(|it| it.kind == Kind::Unknown);
        Written {
            model: "llama",
            names: pieces.iter().map(|it| name(&it.bytes, it.kind)).collect(),
            kinds: pieces.iter().map(|it| it.kind).collect(),
            scores: Some(pieces.iter().map(|it| it.score).collect()),
            merges: None,
            split: None,
            prefix: Some(prefix),
            unknown: unknown.map(|it| it as u32),
        }
    }

    /// SentencePiece's BPE, as a `tokenizer.json` says it.
    fn of_spaced_merges(&self, whole: &Whole) -> Result<Written, ModelError> {
        let prefix = spaced(whole).ok_or_else(|| self.cannot("one that changes texts first"))?;
        let merges = &whole.model.merges;
        let mut made: HashMap<String, f32> = HashMap::with_capacity(merges.len());
        for (rank, (left, right)) in merges.iter().enumerate() {
            made.entry(format!("{left}{right}"))
                .or_insert(-(rank as f32));
        }
        let unknown = whole.model.unk_token.clone();
        let (names, mut kinds) = whole.tokens(self.vocabulary());
        let is_unknown = |name: &String| Some(name) == unknown.as_ref();
        let mut scores = Vec::with_capacity(names.len());
        for (at, (name, kind)) in names.iter().zip(&mut kinds).enumerate() {
            if is_unknown(name) {
                *kind = Kind::Unknown;
            } else if *kind == Kind::Normal && byte_token(name).is_some() {
                *kind = Kind::Byte;
            }
            // What no merge makes comes after all that one does.
            let last = -((merges.len() + at) as f32);
            let of_text = matches!(kind, Kind::Normal);
            let score = made.get(name).copied().unwrap_or(last);
            scores.push(if of_text { score } else { 0.0 });
        }
        let unknown = names.iter().position(is_unknown);
        Ok(Written {
            model: "llama",
            names,
            kinds,
            scores: Some(scores),
            merges: None,
            split: None,
            prefix: Some(prefix),
            unknown: unknown.map(|it| it as u32),
        })
    }

    /// GPT-2's byte-level BPE.
    fn of_byte_merges(&self, whole: &Whole) -> Result<Written, ModelError> {
        let normalizer = kind_of(&whole.normalizer);
        // llama.cpp leaves texts as they are, and nearly all are in this form.
        if !matches!(normalizer, None | Some("NFC")) {
            return Err(self.cannot("one that changes texts first"));
        }
        let patterns = patterns(&whole.pre_tokenizer)
            .ok_or_else(|| self.cannot("one that splits texts in a way without a name"))?;
        let whole_words = whole.model.ignore_merges.unwrap_or(false);
        let split = SPLITS.iter().copied().find(|name| {
            split::named(name)
                .is_some_and(|known| known.patterns == patterns && known.whole_words == whole_words)
        });
        let split =
            split.ok_or_else(|| self.cannot("one that splits texts in a way without a name"))?;
        let merges = whole.model.merges.iter();
        let merges = merges
            .map(|(left, right)| format!("{left} {right}"))
            .collect();
        let (names, kinds) = whole.tokens(self.vocabulary());
        Ok(Written {
            model: "gpt2",
            names,
            kinds,
            scores: None,
            merges: Some(merges),
            split: Some(split),
            prefix: None,
            unknown: None,
        })
    }
}

/// A `tokenizer.json`, as far as it is used here.
#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    added_tokens: Vec<Added>,
    normalizer: Option<Json>,
    pre_tokenizer: Option<Json>,
    model: Bpe,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    special: bool,
}

#[derive(Deserialize)]
struct Bpe {
    vocab: HashMap<String, u32>,
    merges: Vec<(String, String)>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    unk_token: Option<String>,
}

impl Whole {
    /// Returns the names and kinds of all `count` tokens.
    fn tokens(&self, count: usize) -> (Vec<String>, Vec<Kind>) {
        let mut names: Vec<String> = (0..count).map(|free| format!("[PAD{free}]")).collect();
        let mut kinds = vec![Kind::Unused; count];
        for (name, id) in &self.model.vocab {
            names[*id as usize].clone_from(name);
            kinds[*id as usize] = Kind::Normal;
        }
        for added in &self.added_tokens {
            names[added.id as usize].clone_from(&added.content);
            kinds[added.id as usize] = match added.special {
                true => Kind::Control,
                false => Kind::Always,
            };
        }
        (names, kinds)
    }
}

fn kind_of(step: &Option<Json>) -> Option<&str> {
    step.as_ref()?.get("type")?.as_str()
}

/// Returns whether SentencePiece's spaces are made, and if so whether one is put before a
/// text; nothing, if more is done.
fn spaced(whole: &Whole) -> Option<bool> {
    let steps = |step: &Option<Json>, list: &str| -> Vec<Json> {
        match step {
            None => Vec::new(),
            Some(step) => match step.get(list).and_then(Json::as_array) {
                Some(steps) => steps.clone(),
                None => vec![step.clone()],
            },
        }
    };
    let mut prefix = false;
    let text = |step: &Json, key: &str| step.get(key).and_then(Json::as_str).map(str::to_owned);
    for step in steps(&whole.normalizer, "normalizers") {
        match text(&step, "type")?.as_str() {
            "Prepend" if text(&step, "prepend")? == "▁" => prefix = true,
            "Replace" if text(&step, "content")? == "▁" => {}
            _ => return None,
        }
    }
    for step in steps(&whole.pre_tokenizer, "pretokenizers") {
        match text(&step, "type")?.as_str() {
            "Metaspace" => prefix |= text(&step, "prepend_scheme")? != "never",
            _ => return None,
        }
    }
    Some(prefix)
}

/// Returns the patterns by which texts are split before byte-level BPE; nothing, if more is
/// done than to split.
fn patterns(pre_tokenizer: &Option<Json>) -> Option<Vec<String>> {
    let step = pre_tokenizer.as_ref()?;
    let steps = match step.get("pretokenizers").and_then(Json::as_array) {
        Some(steps) => steps.clone(),
        None => vec![step.clone()],
    };
    let mut patterns = Vec::new();
    let flag = |step: &Json, key: &str, usual: bool| {
        step.get(key).and_then(Json::as_bool).unwrap_or(usual)
    };
    for step in &steps {
        match step.get("type")?.as_str()? {
            "Split" if step.get("behavior")? == "Isolated" && !flag(step, "invert", false) => {
                patterns.push(step.pointer("/pattern/Regex")?.as_str()?.to_owned());
            }
            "Digits" => patterns.push(match flag(step, "individual_digits", false) {
                true => r"\p{N}".into(),
                false => r"\p{N}+".into(),
            }),
            "ByteLevel" if !flag(step, "add_prefix_space", true) => {
                if flag(step, "use_regex", true) {
                    patterns.push(split::GPT2.to_owned());
                }
            }
            _ => return None,
        }
    }
    Some(patterns)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::gguf;

    const TEXTS: &[&str] = &[
        "",
        "The cat sat on the mat.",
        " two  spaces\tand\nlines\n",
        "naïve café ☃ 漢字 12345",
        "<s> </s> <|endoftext|> [CITE]",
    ];

    /// Writes the vocabulary `name` as GGUF and reads it again: it cuts texts alike.
    fn check(name: &str, model: &str, split: Option<&str>) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/tokenizers")
            .join(name);
        let from = TextTokenizer::open(&path).unwrap();
        let mut metadata = Metadata::default();
        metadata.text("general.architecture", "llama");
        let known = from.vocabulary() + 3;
        from.to_gguf(&mut metadata, known).unwrap();
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("vocabulary.gguf");
        gguf::write(&file, &metadata, &[], |_, _| Ok(())).unwrap();
        let file = gguf::Gguf::open(&file).unwrap();
        assert_eq!(file.text("tokenizer.ggml.model").unwrap(), Some(model));
        assert_eq!(file.text("tokenizer.ggml.pre").unwrap(), split, "{name}");
        let to = TextTokenizer::of_gguf(&file).unwrap();
        assert_eq!(to.vocabulary(), known);
        for (to, from) in [(to.begin(), from.begin()), (to.end(), from.end())] {
            assert!(
                from.is_none() || to == from,
                "{name}: {to:?} is not {from:?}"
            );
        }
        for text in TEXTS {
            for special in [Special::Add, Special::Read, Special::Ignore] {
                let expect = from.encode(text, special).unwrap();
                let found = to.encode(text, special).unwrap();
                assert_eq!(found, expect, "{name}, {special:?}, {text:?}");
                assert_eq!(to.decode(&found).unwrap(), from.decode(&expect).unwrap());
            }
        }
    }

    #[test]
    fn vocabularies_come_back() {
        check("tokenizer.json", "gpt2", Some("gpt-2"));
        check("gpt2/vocab.bpe", "gpt2", Some("gpt-2"));
        check("bpe.model", "llama", None);
        check("llama2c.bin", "llama", None);
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for name in ["unigram.model", "bpe-rules.model"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers");
            let from = TextTokenizer::open(&path.join(name)).unwrap();
            let error = from.to_gguf(&mut Metadata::default(), 1 << 20).unwrap_err();
            assert!(
                error.to_string().contains("which GGUF files can say"),
                "{error}"
            );
        }
    }
}
