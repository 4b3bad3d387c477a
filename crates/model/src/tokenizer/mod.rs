//! Texts into tokens and back, for models that write.
//!
//! A vocabulary comes in many files: `tokenizer.json` of Hugging Face, the metadata of
//! a GGUF file, SentencePiece's `.model`, OpenAI's `.tiktoken`, GPT-2's `encoder.json`
//! and `vocab.bpe`, llama2.c's `.bin`. All of them become one [`TextTokenizer`] over two
//! engines: pipelines of the `tokenizers` crate for what has merges or word pieces, and
//! `scored` for what has scores alone. Their tokens are those of the program that a
//! format comes from.

mod charsmap;
mod folder;
mod gguf;
mod gpt2;
pub(crate) mod json;
mod llama2c;
mod pipeline;
mod quoted;
mod scored;
mod sentencepiece;
mod split;
mod stream;
mod tiktoken;
mod to_gguf;
mod train;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::ModelError;
use crate::chat_template::ChatTemplate;

use pipeline::Pipeline;
use quoted::Name;
use scored::{Kind, Scored};

pub(crate) use quoted::places;
pub use stream::TokenStream;
pub use train::{Vocabulary, VocabularyRecipe};

/// What is done about special tokens when a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// Their names in the text become them, and those that the model wants around a
    /// text are added: what transformers does unless told otherwise.
    Add,
    /// Their names in the text become them, nothing is added: for what a chat template
    /// has made.
    Read,
    /// Their names are text like any other: for what strangers wrote.
    Ignore,
    /// The same, but those that the model wants around a text are added: for what
    /// strangers wrote and the model goes on with.
    Surround,
}

/// A vocabulary with all that it takes to encode and decode.
#[derive(Debug)]
pub struct TextTokenizer {
    path: PathBuf,
    engine: Engine,
    /// Names of special tokens, longest first.
    special: Vec<(String, u32)>,
    begin: Option<u32>,
    end: Option<u32>,
    /// What [`Special::Add`] and [`Special::Surround`] put around a text, where the engine
    /// does not.
    adds: Adds,
    /// Tokens that end what a model writes.
    ends: Vec<u32>,
    template: Option<ChatTemplate>,
}

/// Which tokens a text is put between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Adds {
    begin: bool,
    end: bool,
}

#[derive(Debug)]
enum Engine {
    Pipeline(Box<Pipeline>),
    Scored { vocabulary: Scored, text: Text },
}

/// What is done to a text before a scored vocabulary cuts it.
#[derive(Debug)]
enum Text {
    /// SentencePiece.
    Spaced(sentencepiece::Spacing),
    /// tiktoken: each match by itself.
    Words(Box<fancy_regex::Regex>),
}

impl TextTokenizer {
    /// Opens the vocabulary at `path`: a Hugging Face folder, or a file of one of the
    /// known formats, told by its name.
    ///
    /// # Errors
    /// If there is none, or it is damaged or of a kind that is not known.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        if path.is_dir() {
            return folder::open(path);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".gguf") {
            Self::of_gguf(&crate::gguf::Gguf::open(path)?)
        } else if name.contains(".tiktoken") {
            tiktoken::open(path)
        } else if name.ends_with(".bpe") || name == "encoder.json" {
            gpt2::open(path.parent().unwrap_or(Path::new("")))
        } else if name.ends_with(".json") {
            Self::of_pipeline(path, &fs_err::read(path)?)
        } else if name.contains(".model") {
            sentencepiece::open(path)
        } else if name.ends_with(".bin") {
            llama2c::open(path)
        } else {
            Err(ModelError::Vocabulary {
                path: path.to_path_buf(),
                what: "the kind of vocabulary".into(),
                expected: "tokenizer.json, .gguf, .model, .tiktoken, vocab.bpe or .bin".into(),
                found: format!("`{name}`"),
            })
        }
    }

    /// Opens the vocabulary of the model at `path`, a Hugging Face folder, a GGUF file or a
    /// folder with one; or a vocabulary's own file.
    ///
    /// # Errors
    /// As [`TextTokenizer::open`].
    pub fn open_beside(path: &Path) -> Result<Self, ModelError> {
        match path.is_dir() {
            true => match crate::decoder::gguf_at(path)? {
                Some(file) => Self::open(&file),
                None => Self::open(path),
            },
            false => Self::open(path),
        }
    }

    /// Opens the vocabulary of the model that is built into the program.
    pub fn built_in() -> Self {
        folder::built_in().expect("a test opens the vocabulary that is built in")
    }

    /// Takes the vocabulary of an open GGUF file.
    ///
    /// # Errors
    /// If it has none, or one of a kind that is not known.
    pub fn of_gguf(file: &crate::gguf::Gguf) -> Result<Self, ModelError> {
        gguf::open(file)
    }

    /// Takes the vocabulary of an encoder's open GGUF file.
    pub(crate) fn of_encoder(
        file: &crate::gguf::Gguf,
    ) -> Result<tokenizers::Tokenizer, ModelError> {
        gguf::open_encoder(file)
    }

    /// Reads a `tokenizer.json`.
    fn of_pipeline(path: &Path, json: &[u8]) -> Result<Self, ModelError> {
        let pipeline = Pipeline::of_json(path, json)?;
        let special = pipeline.special();
        Ok(Self::new(
            path,
            Engine::Pipeline(Box::new(pipeline)),
            special,
        ))
    }

    fn new(path: &Path, engine: Engine, mut special: Vec<(String, u32)>) -> Self {
        special.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then(a.cmp(b)));
        Self {
            path: path.to_path_buf(),
            engine,
            special,
            begin: None,
            end: None,
            adds: Adds::default(),
            ends: Vec::new(),
            template: None,
        }
    }

    /// Makes a tokenizer of scored pieces; the special ones among them are `Control`.
    fn of_pieces(path: &Path, vocabulary: Scored, text: Text) -> Self {
        let special = (0u32..)
            .zip(&vocabulary.pieces)
            .filter(|(_, piece)| piece.kind == Kind::Control)
            .map(|(id, piece)| (String::from_utf8_lossy(&piece.bytes).into_owned(), id))
            .collect();
        Self::new(path, Engine::Scored { vocabulary, text }, special)
    }

    /// Takes `id` as a token that ends what a model writes.
    fn add_end(&mut self, id: u32) {
        if !self.ends.contains(&id) {
            self.ends.push(id);
        }
    }

    /// Returns the file or folder it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the tokens of a text that a chat template made, in which names of special
    /// tokens become them, but for those that go across one of `quotes`: places in bytes,
    /// in rising order, at which the template only says what somebody said.
    ///
    /// # Errors
    /// If the tokenizer refuses the text.
    pub fn encode_quoted(&self, text: &str, quotes: &[usize]) -> Result<Vec<u32>, ModelError> {
        if quotes.is_empty() {
            return self.encode(text, Special::Read);
        }
        let (vocabulary, shape) = match &self.engine {
            Engine::Pipeline(pipeline) => {
                return pipeline.encode_quoted(&self.path, text, quotes);
            }
            Engine::Scored { vocabulary, text } => (vocabulary, text),
        };
        let names: Vec<Name<'_>> = self
            .special
            .iter()
            .map(|(name, id)| Name {
                name,
                id: *id,
                takes_before: false,
                takes_behind: false,
            })
            .collect();
        let mut ids = Vec::new();
        for stretch in quoted::stretches(text, &names, quotes) {
            match stretch.id {
                Some(id) => ids.push(id),
                None => self.encode_part(vocabulary, shape, &text[stretch.bytes], &mut ids)?,
            }
        }
        Ok(ids)
    }

    /// Adds the tokens of a text without special ones.
    fn encode_part(
        &self,
        vocabulary: &Scored,
        shape: &Text,
        part: &str,
        ids: &mut Vec<u32>,
    ) -> Result<(), ModelError> {
        match shape {
            Text::Spaced(spacing) => vocabulary.encode(&spacing.apply(part), ids),
            Text::Words(pattern) => tiktoken::encode(&self.path, vocabulary, pattern, part, ids)?,
        }
        Ok(())
    }

    /// Returns the tokens of `text`.
    ///
    /// # Errors
    /// If the tokenizer refuses the text.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<u32>, ModelError> {
        let (vocabulary, shape) = match &self.engine {
            Engine::Pipeline(pipeline) => {
                let mut ids = pipeline.encode(&self.path, text, special)?;
                self.surround(&mut ids, special);
                return Ok(ids);
            }
            Engine::Scored { vocabulary, text } => (vocabulary, text),
        };
        let mut ids = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let found = match special {
                Special::Ignore | Special::Surround => None,
                Special::Add | Special::Read => self.first_special(rest),
            };
            let (before, name_length) = match found {
                Some((at, name, _)) => (&rest[..at], name.len()),
                None => (rest, 0),
            };
            self.encode_part(vocabulary, shape, before, &mut ids)?;
            ids.extend(found.map(|(.., id)| id));
            rest = &rest[before.len() + name_length..];
        }
        self.surround(&mut ids, special);
        Ok(ids)
    }

    fn surround(&self, ids: &mut Vec<u32>, special: Special) {
        if matches!(special, Special::Add | Special::Surround) {
            if let Some(begin) = self.begin.filter(|_| self.adds.begin) {
                ids.insert(0, begin);
            }
            ids.extend(self.end.filter(|_| self.adds.end));
        }
    }

    /// Returns where the first name of a special token is, the longest of those that
    /// start there, and its number.
    fn first_special(&self, text: &str) -> Option<(usize, &str, u32)> {
        let mut first: Option<(usize, &str, u32)> = None;
        for (name, id) in &self.special {
            // A later one is of no interest.
            let until = first.map_or(text.len(), |(at, ..)| (at + name.len() - 1).min(text.len()));
            let searched = &text.as_bytes()[..until];
            if let Some(at) = memchr::memmem::find(searched, name.as_bytes()) {
                first = Some((at, name, *id));
            }
        }
        first
    }

    /// Returns the text of `ids` without special tokens. Bytes that are no UTF-8 become
    /// U+FFFD.
    ///
    /// # Errors
    /// If the decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        if let Engine::Pipeline(pipeline) = &self.engine
            && !pipeline.spells()
        {
            return pipeline.decode(&self.path, ids);
        }
        let mut stream = self.stream();
        let mut text = String::new();
        for id in ids {
            text.push_str(&stream.push(*id)?);
        }
        text.push_str(&stream.finish());
        Ok(text)
    }

    /// Starts to decode tokens that come one by one, from the start of a text on.
    pub fn stream(&self) -> TokenStream<'_> {
        TokenStream::new(self, self.strips())
    }

    /// Starts to decode tokens that follow others: a space before the first word stays.
    pub fn continuation(&self) -> TokenStream<'_> {
        TokenStream::new(self, false)
    }

    /// Whether a space at the start of a text is not the text's own.
    fn strips(&self) -> bool {
        match &self.engine {
            Engine::Pipeline(pipeline) => pipeline.strips(),
            Engine::Scored { text, .. } => match text {
                Text::Spaced(spacing) => spacing.prefix,
                Text::Words(_) => false,
            },
        }
    }

    /// Whether all spaces at the start of a text are not the text's own.
    fn strips_all(&self) -> bool {
        match &self.engine {
            Engine::Scored {
                text: Text::Spaced(spacing),
                ..
            } => spacing.collapse,
            _ => false,
        }
    }

    /// Whether `id` stands for text that no piece covers; its spaces are its own.
    fn is_unknown(&self, id: u32) -> bool {
        match &self.engine {
            Engine::Pipeline(_) => false,
            Engine::Scored { vocabulary, .. } => vocabulary
                .pieces
                .get(id as usize)
                .is_some_and(|piece| piece.kind == Kind::Unknown),
        }
    }

    /// Returns the bytes that a token stands for in text; of a special token, its name.
    /// `None` where there is no such token, or where tokens have bytes only in a row
    /// (word pieces).
    pub fn bytes(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        match &self.engine {
            Engine::Pipeline(pipeline) => pipeline.bytes(id).map(Cow::Owned),
            Engine::Scored { vocabulary, .. } => {
                let piece = vocabulary.pieces.get(id as usize)?;
                Some(Cow::Borrowed(&piece.bytes))
            }
        }
    }

    /// Returns whether `id` is a special token: never part of a decoded text.
    pub fn is_special(&self, id: u32) -> bool {
        match &self.engine {
            Engine::Pipeline(pipeline) => pipeline.is_special(id),
            Engine::Scored { vocabulary, .. } => vocabulary
                .pieces
                .get(id as usize)
                .is_some_and(|piece| piece.kind == Kind::Control),
        }
    }

    /// Returns the number of the token that is called `name`, special or not.
    pub fn id(&self, name: &str) -> Option<u32> {
        if let Some((_, id)) = self.special.iter().find(|(special, _)| special == name) {
            return Some(*id);
        }
        match &self.engine {
            Engine::Pipeline(pipeline) => pipeline.id(name),
            Engine::Scored { vocabulary, .. } => vocabulary.id(name.as_bytes()),
        }
    }

    /// Returns the names and numbers of all special tokens.
    pub fn special(&self) -> impl Iterator<Item = (&str, u32)> {
        self.special.iter().map(|(name, id)| (&**name, *id))
    }

    /// Returns the token that begins a text, if the model has one.
    pub fn begin(&self) -> Option<u32> {
        self.begin
    }

    /// Returns the token that ends a text, if the model has one.
    pub fn end(&self) -> Option<u32> {
        self.end
    }

    /// Returns the tokens after which a model has said all it wanted to: the end of a
    /// text, and of a turn.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Returns how many tokens there are: one more than the largest number.
    pub fn vocabulary(&self) -> usize {
        match &self.engine {
            Engine::Pipeline(pipeline) => pipeline.vocabulary(),
            Engine::Scored { vocabulary, .. } => vocabulary.pieces.len(),
        }
    }

    /// Makes sure that a model with vectors for `known` tokens can read what this gives.
    ///
    /// # Errors
    /// If there are more tokens than that.
    pub fn fits(&self, known: usize) -> Result<(), ModelError> {
        let found = self.vocabulary();
        if found > known {
            return Err(ModelError::Vocabulary {
                path: self.path.clone(),
                what: "the vocabulary".into(),
                expected: format!("at most the {known} that the model knows"),
                found: format!("{found} tokens"),
            });
        }
        Ok(())
    }

    /// Returns how a conversation becomes a text, if the model says so.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    /// Returns the name of a token, special or not, as its vocabulary writes it.
    fn name(&self, id: u32) -> Option<String> {
        let special = self.special.iter().find(|(_, special)| *special == id);
        match (special, &self.engine) {
            (Some((name, _)), _) => Some(name.clone()),
            (None, Engine::Pipeline(pipeline)) => pipeline.name(id),
            (None, Engine::Scored { vocabulary, .. }) => vocabulary
                .pieces
                .get(id as usize)
                .map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()),
        }
    }

    /// Takes the text of a chat template, with the names that it may use.
    fn set_template(
        &mut self,
        source: &str,
        others: HashMap<String, String>,
    ) -> Result<(), ModelError> {
        let mut names = others;
        for (key, id) in [("bos_token", self.begin), ("eos_token", self.end)] {
            if let Some(name) = id.and_then(|id| self.name(id)) {
                names.entry(key.into()).or_insert(name);
            }
        }
        self.template = Some(ChatTemplate::new(&self.path, source, names)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
