//! A vocabulary of one's own: byte-level BPE, learnt from texts.
//!
//! The algorithm is Sennrich, Haddow and Birch 2016 over the bytes of GPT-2's words, by
//! the `tokenizers` crate: the pair seen most often becomes a token, of equals the one
//! with the smaller numbers, until there are enough. The same texts give the same
//! vocabulary, whatever the number of threads. Every text can be written in it: all 256
//! bytes are tokens.

use std::path::Path;

use serde_json::{Value as Json, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use super::{Engine, Pipeline, TextTokenizer};
use crate::ModelError;

/// The token between texts, with the number 0.
const END_OF_TEXT: &str = "<|endoftext|>";
/// The tokens around a turn (`ChatML`).
const TURN: [&str; 2] = ["<|im_start|>", "<|im_end|>"];
/// A conversation as `ChatML` writes it.
const CHAT_TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + \
    message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
/// A text is learnt from in stretches of about so many bytes, by as many threads as
/// there are.
const STRETCH: usize = 1 << 14;

/// What a vocabulary is to be.
#[derive(Clone, Debug)]
pub struct VocabularyRecipe {
    /// How many tokens, special ones and the 256 bytes included. Fewer come of it if the
    /// texts have no more pairs to join.
    pub size: usize,
    /// How often a pair has to be seen to become a token. 2 if nothing else is said.
    pub least: u64,
    /// Whether it has the tokens of a conversation, and a chat template that uses them.
    pub conversations: bool,
    /// Further tokens that are no text.
    pub special: Vec<String>,
}

impl Default for VocabularyRecipe {
    fn default() -> Self {
        Self {
            size: 8192,
            least: 2,
            conversations: false,
            special: Vec::new(),
        }
    }
}

/// A vocabulary that was learnt.
#[derive(Debug)]
pub struct Vocabulary {
    tokenizer: Tokenizer,
    config: Json,
}

impl Vocabulary {
    /// Learns a vocabulary from `texts`.
    ///
    /// # Errors
    /// If there is no room in `recipe.size` for the bytes and the special tokens.
    pub fn learn(
        texts: impl Iterator<Item = String> + Send,
        recipe: &VocabularyRecipe,
    ) -> Result<Self, ModelError> {
        let mut special = vec![END_OF_TEXT.to_owned()];
        if recipe.conversations {
            special.extend(TURN.map(str::to_owned));
        }
        for name in &recipe.special {
            if !name.is_empty() && !special.contains(name) {
                special.push(name.clone());
            }
        }
        let least = 256 + special.len();
        if recipe.size < least {
            return Err(ModelError::Vocabulary {
                path: "tokenizer.json".into(),
                what: "the size of the vocabulary".into(),
                expected: format!(
                    "at least {least}: 256 bytes and {} special tokens",
                    special.len()
                ),
                found: recipe.size.to_string(),
            });
        }
        let failed = |source| ModelError::Tokenizer {
            path: "tokenizer.json".into(),
            source,
        };
        let mut tokenizer = Tokenizer::new(BPE::default());
        let bytes = ByteLevel::new(false, true, true);
        tokenizer
            .with_pre_tokenizer(Some(bytes))
            .with_decoder(Some(bytes))
            .with_post_processor(Some(ByteLevel::new(false, false, true)));
        let trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(recipe.size)
            .min_frequency(recipe.least)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(
                special
                    .iter()
                    .map(|name| AddedToken::from(name.as_str(), true))
                    .collect(),
            )
            .build();
        let stretches =
            texts.flat_map(|text| -> Vec<String> { stretches(&text).map(str::to_owned).collect() });
        tokenizer
            .train(&mut TrainerWrapper::BpeTrainer(trainer), stretches)
            .map_err(failed)?;
        let end = if recipe.conversations {
            TURN[1]
        } else {
            END_OF_TEXT
        };
        let mut config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": END_OF_TEXT,
            "eos_token": end,
            "pad_token": END_OF_TEXT,
            "unk_token": END_OF_TEXT,
            "clean_up_tokenization_spaces": false,
        });
        if recipe.conversations {
            config["chat_template"] = CHAT_TEMPLATE.into();
        }
        Ok(Self { tokenizer, config })
    }

    /// Returns how many tokens there are.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json` into a folder, which is made if
    /// it is not there.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        fs_err::create_dir_all(folder)?;
        let path = folder.join("tokenizer.json");
        fs_err::write(&path, self.json(&path)?)?;
        fs_err::write(
            folder.join("tokenizer_config.json"),
            format!("{:#}\n", self.config),
        )?;
        Ok(())
    }

    /// Returns the tokenizer, to be used at once. It adds nothing to a text.
    ///
    /// # Errors
    /// If the chat template is not understood.
    pub fn tokenizer(&self) -> Result<TextTokenizer, ModelError> {
        let path = Path::new("tokenizer.json");
        let pipeline = Pipeline::new(path, self.tokenizer.clone())?;
        let special = pipeline.special();
        let mut tokenizer = TextTokenizer::new(path, Engine::Pipeline(Box::new(pipeline)), special);
        tokenizer.begin = tokenizer.id(END_OF_TEXT);
        tokenizer.end = self.config["eos_token"]
            .as_str()
            .and_then(|name| tokenizer.id(name));
        if let Some(end) = tokenizer.end {
            tokenizer.add_end(end);
        }
        if let Some(template) = self.config["chat_template"].as_str() {
            tokenizer.set_template(template, std::collections::HashMap::new())?;
        }
        Ok(tokenizer)
    }

    fn json(&self, path: &Path) -> Result<String, ModelError> {
        self.tokenizer
            .to_string(true)
            .map_err(|source| ModelError::Tokenizer {
                path: path.to_path_buf(),
                source,
            })
    }
}

/// Parts a text where the words of the two sides are the same as those of the whole: at a
/// line's end between two letters. A text without such a place stays whole.
fn stretches(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let end = (STRETCH..bytes.len())
            .find(|at| {
                bytes[*at] == b'\n' && inside(bytes.get(at - 1)) && inside(bytes.get(at + 1))
            })
            .map_or(bytes.len(), |at| at + 1);
        let (stretch, after) = rest.split_at(end);
        rest = after;
        Some(stretch)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokenizer::Special;

    fn text() -> String {
        (0..400)
            .map(|number| {
                format!(
                    "The {number} cats sat on {} mats;\nthen the cats left.\n\n",
                    number % 7
                )
            })
            .collect()
    }

    fn learnt(size: usize) -> Vocabulary {
        let recipe = VocabularyRecipe {
            size,
            ..VocabularyRecipe::default()
        };
        Vocabulary::learn(std::iter::once(text()), &recipe).unwrap()
    }

    /// `tests/data/make_vocabulary.py` learns the same with Python's `tokenizers`.
    #[test]
    fn the_tokens_are_those_of_the_reference() {
        let vocabulary = learnt(300);
        assert_eq!(vocabulary.size(), 300);
        let tokenizer = vocabulary.tokenizer().unwrap();
        let text = "Then 17 cats\n\nsat, née<|endoftext|> on 365 mats;";
        assert_eq!(
            tokenizer.encode(text, Special::Read).unwrap(),
            [
                263, 78, 293, 262, 199, 199, 268, 12, 221, 78, 128, 103, 69, 0, 272, 278, 22, 21,
                271, 27
            ]
        );
    }

    #[test]
    fn the_same_texts_give_the_same_vocabulary() {
        let json = |vocabulary: &Vocabulary| vocabulary.json(Path::new("x")).unwrap();
        let first = json(&learnt(320));
        for _ in 0..5 {
            assert_eq!(json(&learnt(320)), first);
        }
    }

    #[test]
    fn saved_it_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let vocabulary = Vocabulary::learn(
            std::iter::once(text()),
            &VocabularyRecipe {
                size: 300,
                conversations: true,
                ..VocabularyRecipe::default()
            },
        )
        .unwrap();
        vocabulary.save(folder.path()).unwrap();
        let (saved, own) = (
            TextTokenizer::open(folder.path()).unwrap(),
            vocabulary.tokenizer().unwrap(),
        );
        assert_eq!((saved.begin(), saved.end()), (own.begin(), own.end()));
        assert_eq!(saved.ends(), own.ends());
        let messages = [json!({"role": "user", "content": "the cats"})];
        let rendered = |tokenizer: &TextTokenizer| {
            let template = tokenizer.chat_template().unwrap();
            template.render(&messages, None, true).unwrap()
        };
        assert_eq!(rendered(&saved), rendered(&own));
        assert_eq!(
            rendered(&own),
            "<|im_start|>user\nthe cats<|im_end|>\n<|im_start|>assistant\n"
        );
        let ids =
            |tokenizer: &TextTokenizer| tokenizer.encode(&rendered(&own), Special::Read).unwrap();
        assert_eq!(ids(&saved), ids(&own));
    }

    #[test]
    fn there_must_be_room_for_the_bytes() {
        let recipe = VocabularyRecipe {
            size: 256,
            ..VocabularyRecipe::default()
        };
        let error = Vocabulary::learn(std::iter::empty(), &recipe).unwrap_err();
        assert!(error.to_string().contains("at least 257"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_text_comes_back(text in "\\PC{0,40}") {
            static VOCABULARY: std::sync::OnceLock<TextTokenizer> = std::sync::OnceLock::new();
            let tokenizer = VOCABULARY.get_or_init(|| learnt(300).tokenizer().unwrap());
            let ids = tokenizer.encode(&text, Special::Ignore).unwrap();
            prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        }

        /// Parting a text changes none of its words.
        #[test]
        fn stretches_have_the_words_of_the_whole(lines in prop::collection::vec("[a-z '\n\t.]{0,30}[a-z]?", 500..900)) {
            let text = lines.join("\n");
            prop_assert_eq!(stretches(&text).collect::<String>(), &*text);
            let words = |text: &str| -> Vec<String> {
                use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _};
                let mut words = PreTokenizedString::from(text);
                ByteLevel::new(false, true, true).pre_tokenize(&mut words).unwrap();
                let splits = words.get_splits(OffsetReferential::Original, OffsetType::Byte);
                splits.into_iter().map(|(word, ..)| word.to_owned()).collect()
            };
            let parted: Vec<String> = stretches(&text).flat_map(words).collect();
            prop_assert_eq!(parted, words(&text));
        }
    }
}
