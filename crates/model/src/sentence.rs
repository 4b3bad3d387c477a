//! What a sentence-transformers folder says beyond the encoder: how long a text may
//! be, how its tokens are pooled, and what stands before a question or a passage.

use std::collections::BTreeMap;

use serde::Deserialize;
use tensor::Pooling;

use crate::ModelError;
use crate::folder::Folder;

const MODULES: &str = "modules.json";
const PROMPTS: &str = "config_sentence_transformers.json";
const LENGTH: &str = "sentence_bert_config.json";
const TOKENIZER: &str = "tokenizer_config.json";

/// The rest of an embedder's recipe.
#[derive(Debug)]
pub(crate) struct Sentence {
    pub(crate) pooling: Pooling,
    /// Tokens of a text that are read, special ones included; unless said, as many as
    /// the encoder has positions.
    pub(crate) longest: Option<usize>,
    /// Whether texts are put in lower case before they are cut into tokens.
    pub(crate) lower_case: bool,
    pub(crate) question_prefix: String,
    pub(crate) passage_prefix: String,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// `1_Pooling/config.json`: a flag for each mode, of which several may be set, or in
/// newer folders the name of one.
#[derive(Deserialize)]
struct WrittenPooling {
    pooling_mode: Option<String>,
    #[serde(flatten)]
    flags: BTreeMap<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct WrittenPrompts {
    #[serde(default)]
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

#[derive(Default, Deserialize)]
struct WrittenLength {
    max_seq_length: Option<usize>,
    #[serde(default)]
    do_lower_case: bool,
}

#[derive(Default, Deserialize)]
struct WrittenTokenizer {
    /// Some tokenizers say 10³⁰ for "no limit".
    model_max_length: Option<f64>,
}

impl Sentence {
    /// Reads what is there; an encoder without these files is pooled by the mean, as
    /// sentence-transformers does.
    ///
    /// # Errors
    /// If a file is not as expected, or asks for what is not known here.
    pub(crate) fn read(folder: &mut Folder) -> Result<Self, ModelError> {
        let mut pooling = Pooling::Mean;
        let modules: Vec<Module> = folder.json(MODULES)?.unwrap_or_default();
        for module in &modules {
            // `sentence_transformers.models.Pooling`, wherever it stands.
            match module.kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" if module.path.is_empty() => {}
                "Pooling" => pooling = read_pooling(folder, &module.path)?,
                // An embedding always has unit length.
                "Normalize" => {}
                _ => {
                    return Err(ModelError::Setting {
                        path: folder.path().join(MODULES),
                        key: "type",
                        expected: "Transformer, Pooling and Normalize".into(),
                        found: format!("`{}` in `{}`", module.kind, module.path),
                    });
                }
            }
        }
        let prompts: WrittenPrompts = folder.json(PROMPTS)?.unwrap_or_default();
        let length: WrittenLength = folder.json(LENGTH)?.unwrap_or_default();
        let longest = match length.max_seq_length {
            Some(longest) => Some(longest),
            None => longest_of_tokenizer(folder)?,
        };
        let (question_prefix, passage_prefix) = if prompts.prompts.is_empty() {
            let (question, passage) = of_family(&folder.name());
            (question.to_owned(), passage.to_owned())
        } else {
            let passage = ["document", "passage", "corpus"];
            (prompts.named(&["query"]), prompts.named(&passage))
        };
        Ok(Self {
            pooling,
            longest,
            lower_case: length.do_lower_case,
            question_prefix,
            passage_prefix,
        })
    }
}

impl Sentence {
    /// Returns the recipe of an embedder of which only pooling and name are known.
    pub(crate) fn of_name(pooling: Pooling, name: &str) -> Self {
        let (question, passage) = of_family(name);
        Self {
            pooling,
            longest: None,
            lower_case: false,
            question_prefix: question.to_owned(),
            passage_prefix: passage.to_owned(),
        }
    }
}

/// Returns what stands before questions and passages of a model of this name, where its
/// folder does not say: as the model cards of E5, BGE 1.5 and mxbai say.
fn of_family(name: &str) -> (&'static str, &'static str) {
    let name = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    let english = "Represent this sentence for searching relevant passages: ";
    if begins(&["e5-", "multilingual-e5-"]) && !name.contains("instruct") {
        ("query: ", "passage: ")
    } else if begins(&[
        "bge-small-en",
        "bge-base-en",
        "bge-large-en",
        "mxbai-embed-",
    ]) {
        (english, "")
    } else if begins(&["bge-small-zh", "bge-base-zh", "bge-large-zh"]) {
        ("为这个句子生成表示以用于检索相关文章：", "")
    } else {
        ("", "")
    }
}

/// Returns `model_max_length` of `tokenizer_config.json`, if it is a real limit.
pub(crate) fn longest_of_tokenizer(folder: &mut Folder) -> Result<Option<usize>, ModelError> {
    let written: WrittenTokenizer = folder.json(TOKENIZER)?.unwrap_or_default();
    Ok(written
        .model_max_length
        .filter(|longest| *longest < 1e9)
        .map(|longest| longest as usize))
}

impl WrittenPrompts {
    /// Returns the first prompt of these names, or the default one, or none.
    fn named(&self, names: &[&str]) -> String {
        names
            .iter()
            .copied()
            .chain(self.default_prompt_name.as_deref())
            .find_map(|name| self.prompts.get(name))
            .cloned()
            .unwrap_or_default()
    }
}

fn read_pooling(folder: &mut Folder, module: &str) -> Result<Pooling, ModelError> {
    let file = format!("{module}/config.json");
    let written: WrittenPooling = folder.json(&file)?.ok_or(ModelError::FileMissing {
        folder: folder.path().join(module),
        file: "config.json",
        hint: None,
    })?;
    // Instruction models pool without their instruction's tokens.
    if written.flags.get("include_prompt") == Some(&serde_json::Value::Bool(false)) {
        return Err(ModelError::Setting {
            path: folder.path().join(file),
            key: "include_prompt",
            expected: "`true`".into(),
            found: "`false`".into(),
        });
    }
    let modes: Vec<&str> = match &written.pooling_mode {
        Some(mode) => vec![mode],
        None => written
            .flags
            .iter()
            .filter(|(_, value)| **value == serde_json::Value::Bool(true))
            .filter_map(|(key, _)| key.strip_prefix("pooling_mode_"))
            .collect(),
    };
    match modes[..] {
        ["cls_token" | "cls"] => Ok(Pooling::First),
        ["mean_tokens" | "mean"] => Ok(Pooling::Mean),
        ["mean_sqrt_len_tokens"] => Ok(Pooling::MeanRoot),
        ["max_tokens" | "max"] => Ok(Pooling::Max),
        _ => Err(ModelError::Setting {
            path: folder.path().join(file),
            key: "pooling_mode",
            expected: "one of cls, mean, mean_sqrt_len_tokens and max".into(),
            found: format!("{modes:?}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Sentence, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("1_Pooling")).unwrap();
        for (name, text) in files {
            fs_err::write(folder.path().join(name), text).unwrap();
        }
        Sentence::read(&mut Folder::new(folder.path()))
    }

    const TWO: (&str, &str) = (
        MODULES,
        r#"[{"idx":0,"path":"","type":"sentence_transformers.models.Transformer"},
            {"idx":1,"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#,
    );

    #[test]
    fn a_bare_encoder_is_pooled_by_the_mean() {
        let sentence = read(&[(TOKENIZER, r#"{"model_max_length":512}"#)]).unwrap();
        assert_eq!(
            (sentence.pooling, sentence.longest),
            (Pooling::Mean, Some(512))
        );
        let endless = read(&[(TOKENIZER, r#"{"model_max_length":1e30}"#)]).unwrap();
        assert_eq!(endless.longest, None);
    }

    #[test]
    fn pooling_is_what_the_folder_says() {
        for (text, expect) in [
            (
                r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#,
                Some(Pooling::First),
            ),
            (
                r#"{"pooling_mode_mean_tokens":true,"word_embedding_dimension":8}"#,
                Some(Pooling::Mean),
            ),
            (r#"{"pooling_mode":"max"}"#, Some(Pooling::Max)),
            (r#"{"pooling_mode_lasttoken":true}"#, None),
            (
                r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true}"#,
                None,
            ),
            ("{}", None),
        ] {
            let found = read(&[TWO, ("1_Pooling/config.json", text)]);
            assert_eq!(found.ok().map(|it| it.pooling), expect, "{text}");
        }
        assert!(matches!(read(&[TWO]), Err(ModelError::FileMissing { .. })));
    }

    #[test]
    fn a_module_that_is_not_known_is_refused() {
        let dense = r#"[{"path":"2_Dense","type":"sentence_transformers.models.Dense"}]"#;
        let error = read(&[(MODULES, dense)]).unwrap_err().to_string();
        assert!(
            error.contains("`sentence_transformers.models.Dense` in `2_Dense`"),
            "{error}"
        );
    }

    #[test]
    fn known_families_have_their_prefixes() {
        for (name, question, passage) in [
            ("intfloat/e5-small-v2", "query: ", "passage: "),
            ("multilingual-e5-base", "query: ", "passage: "),
            ("multilingual-e5-large-instruct", "", ""),
            (
                "BAAI/bge-small-en-v1.5",
                "Represent this sentence for searching relevant passages: ",
                "",
            ),
            ("bge-m3", "", ""),
            ("all-MiniLM-L6-v2", "", ""),
            ("gte-small", "", ""),
        ] {
            assert_eq!(of_family(name), (question, passage), "{name}");
        }
    }

    #[test]
    fn prompts_stand_before_questions_and_passages() {
        let text = r#"{"prompts":{"query":"q: ","passage":"p: "},"default_prompt_name":null}"#;
        let sentence = read(&[(PROMPTS, text)]).unwrap();
        assert_eq!(sentence.question_prefix, "q: ");
        assert_eq!(sentence.passage_prefix, "p: ");
        let text = r#"{"prompts":{"query":"q: ","web":"w: "},"default_prompt_name":"web"}"#;
        assert_eq!(read(&[(PROMPTS, text)]).unwrap().passage_prefix, "w: ");
    }
}
