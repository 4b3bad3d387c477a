//! Tokens into text, one by one, never half a character.

use crate::ModelError;

use super::{Engine, TextTokenizer};

/// Decodes tokens as they come.
///
/// What it has given out so far is a start of what [`TextTokenizer::decode`] makes of
/// all tokens; bytes that are the start of a character are kept until the rest comes.
#[derive(Clone, Debug)]
pub struct TokenStream<'a> {
    tokenizer: &'a TextTokenizer,
    /// Bytes that are not yet a character.
    pending: Vec<u8>,
    /// Whether a space that comes first is left out.
    strip: bool,
    /// All tokens so far, and how much of their text was given out, where tokens have
    /// no bytes of their own.
    ids: Vec<u32>,
    given: usize,
}

impl<'a> TokenStream<'a> {
    pub(super) fn new(tokenizer: &'a TextTokenizer, strip: bool) -> Self {
        Self {
            tokenizer,
            pending: Vec::new(),
            strip,
            ids: Vec::new(),
            given: 0,
        }
    }

    /// Takes the next token and returns what can be said of the text with it; often
    /// nothing. A special token says nothing.
    ///
    /// # Errors
    /// If the decoder fails.
    pub fn push(&mut self, id: u32) -> Result<String, ModelError> {
        if self.tokenizer.is_special(id) {
            return Ok(String::new());
        }
        if let Engine::Pipeline(pipeline) = &self.tokenizer.engine
            && !pipeline.spells()
        {
            self.ids.push(id);
            let text = pipeline.decode(&self.tokenizer.path, &self.ids)?;
            let new = text.get(self.given..).unwrap_or_default().to_owned();
            self.given = text.len();
            return Ok(new);
        }
        let bytes = self.tokenizer.bytes(id).unwrap_or_default();
        let mut bytes = &bytes[..];
        if self.tokenizer.is_unknown(id) {
            self.strip = false;
        }
        if self.strip && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            // Where spaces around a text are left out, so are those of further tokens.
            self.strip = bytes.is_empty() && self.tokenizer.strips_all();
        }
        self.pending.extend(bytes);
        let (text, used) = whole(&self.pending);
        self.pending.drain(..used);
        Ok(text)
    }

    /// Returns what is left: bytes whose character never came whole, as U+FFFD.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// Returns the characters at the start of `bytes`, with U+FFFD for what can be none,
/// and how many bytes they were; what is left is the start of a character.
fn whole(bytes: &[u8]) -> (String, usize) {
    let mut text = String::new();
    let mut used = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        used += chunk.valid().len();
        let wrong = chunk.invalid();
        let could_go_on = used + wrong.len() == bytes.len()
            && std::str::from_utf8(wrong).is_err_and(|error| error.error_len().is_none());
        if !wrong.is_empty() && !could_go_on {
            text.push(char::REPLACEMENT_CHARACTER);
            used += wrong.len();
        }
    }
    (text, used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_character_waits() {
        let rocket = "🚀".as_bytes();
        assert_eq!(whole(b"ab"), ("ab".into(), 2));
        assert_eq!(whole(&rocket[..3]), (String::new(), 0));
        assert_eq!(whole(rocket), ("🚀".into(), 4));
        let mut broken = rocket[..2].to_vec();
        broken.extend(b"x");
        assert_eq!(whole(&broken), ("\u{fffd}x".into(), 3));
        assert_eq!(whole(&[0xff, b'a', 0xe2]), ("\u{fffd}a".into(), 2));
    }
}
