//! An embedder without a network: a text's vector is the sum of its pieces' vectors.
//!
//! Word order is lost, and so is what a word means only beside another; what is left is
//! fast enough to embed every document of a project in seconds on any processor. The
//! vectors were learned from a transformer's: see [`distill`](crate::distill). One such
//! table is built into the program ([`StaticEmbedder::built_in`]), which needs no file.
//! The idea is that of Model2Vec (Tulkens and van Dongen 2024).

pub(crate) mod file;
pub(crate) mod pieces;
pub(crate) mod words;

use std::borrow::Cow;
use std::path::Path;

use contract::{Embed, EmbedderId, Embedding, PromiseError, TextRole};
use rayon::prelude::*;

use crate::ModelError;
use file::Parts;

/// The table that is built in: how it was made, from what, and how good it is stands in
/// `docs/distill/model-card.md`.
static BUILT_IN: &[u8] = include_bytes!("built-in.gtstatic");

/// Below this many texts a call stays on its own thread.
const TEXTS_A_THREAD: usize = 64;

/// A table of pieces' vectors.
#[derive(Clone, Debug)]
pub struct StaticEmbedder {
    identity: EmbedderId,
    parts: Parts,
}

/// Memory of one text, used again for the next.
#[derive(Default)]
struct Workspace {
    word: String,
    pieces: Vec<u16>,
}

impl StaticEmbedder {
    /// Opens the table that is built into the program. Takes less than a millisecond.
    pub fn built_in() -> Self {
        let parts = Parts::read(&Cow::Borrowed(BUILT_IN), Path::new("built-in"))
            .expect("a test opens the table that is built in");
        Self::of(parts)
    }

    /// Opens a table that [`distill`](crate::distill) wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is another kind of file, or is damaged.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let bytes = fs_err::read(path)?;
        Self::from_bytes(bytes, path)
    }

    /// Takes the bytes of such a file; `path` is what errors name.
    ///
    /// # Errors
    /// If it is another kind of file, or damaged.
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self, ModelError> {
        let bytes = Cow::Owned(bytes);
        let parts = Parts::read(&bytes, path)?;
        if !Parts::is_whole(&bytes, parts.checksum) {
            return Err(ModelError::StaticFile {
                path: path.to_owned(),
                expected: "its checksum",
                found: "another".into(),
            });
        }
        Ok(Self::of(parts))
    }

    fn of(parts: Parts) -> Self {
        Self {
            identity: EmbedderId {
                name: format!("{}@{:016x}", parts.name, parts.checksum),
                dimensions: parts.dimensions,
            },
            parts,
        }
    }

    /// Returns the numbers of the pieces of `text`, in order; stretches that no piece is
    /// are left out.
    pub fn pieces(&self, text: &str) -> Vec<u16> {
        let mut workspace = Workspace::default();
        self.cut(text, &mut workspace);
        workspace.pieces
    }

    /// Returns the vector of `text`, of unit length.
    pub fn vector(&self, text: &str) -> Vec<f32> {
        self.embed_one(text, &mut Workspace::default())
    }

    /// Returns how many pieces the table has.
    pub fn vocabulary(&self) -> usize {
        self.parts.pieces.len()
    }

    fn cut(&self, text: &str, workspace: &mut Workspace) {
        let Workspace { word, pieces } = workspace;
        pieces.clear();
        words::words(text, word, |word| self.parts.pieces.cut(word, pieces));
    }

    fn embed_one(&self, text: &str, workspace: &mut Workspace) -> Vec<f32> {
        self.cut(text, workspace);
        let pieces = &mut workspace.pieces;
        pieces.sort_unstable();
        let mut sum = vec![0.0f32; self.parts.dimensions];
        for equal in pieces.chunk_by(|a, b| a == b) {
            let number = usize::from(equal[0]);
            let weight = equal.len() as f32 * self.parts.scale(number);
            for (total, x) in sum.iter_mut().zip(self.parts.row(number)) {
                *total += weight * f32::from(*x);
            }
        }
        let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 && length.is_finite() {
            sum.iter_mut().for_each(|x| *x /= length);
        } else {
            // A text without a known piece says nothing; its vector is as far from all
            // others as a direction can be that no text has on purpose.
            sum.fill(0.0);
            *sum.last_mut().expect("a vector has a number") = 1.0;
        }
        sum
    }
}

impl Embed for StaticEmbedder {
    fn identity(&self) -> &EmbedderId {
        &self.identity
    }

    fn embed(&self, texts: &[&str], _role: TextRole) -> Result<Vec<Embedding>, PromiseError> {
        let embed = |workspace: &mut Workspace, text: &&str| {
            Embedding::new(self.identity.clone(), self.embed_one(text, workspace))
        };
        let embeddings: Result<_, _> = if texts.len() < 2 * TEXTS_A_THREAD {
            let mut workspace = Workspace::default();
            texts
                .iter()
                .map(|text| embed(&mut workspace, text))
                .collect()
        } else {
            texts
                .par_iter()
                .with_min_len(TEXTS_A_THREAD)
                .map_init(Workspace::default, embed)
                .collect()
        };
        embeddings.map_err(|source| PromiseError {
            who: self.identity.name.clone(),
            source: Box::new(source),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn built_in() -> &'static StaticEmbedder {
        static OPENED: std::sync::OnceLock<StaticEmbedder> = std::sync::OnceLock::new();
        OPENED.get_or_init(StaticEmbedder::built_in)
    }

    #[test]
    fn the_built_in_table_is_whole_and_small() {
        let opened = StaticEmbedder::from_bytes(BUILT_IN.to_vec(), Path::new("built-in")).unwrap();
        assert_eq!(opened.identity(), built_in().identity());
        assert!(BUILT_IN.len() <= 8_000_000, "{} bytes", BUILT_IN.len());
    }

    fn cosine(a: &str, b: &str) -> f32 {
        let (a, b) = (built_in().vector(a), built_in().vector(b));
        a.iter().zip(&b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn what_means_the_same_is_near() {
        let near = cosine(
            "How do I get my money back?",
            "Refunds are paid within a week.",
        );
        let far = cosine(
            "How do I get my money back?",
            "The kettle holds two litres.",
        );
        assert!(near > far + 0.1, "{near} {far}");
    }

    #[test]
    fn a_text_without_a_known_piece_has_a_vector_of_its_own() {
        for text in ["", " \n", "\u{1F980}"] {
            assert!(built_in().pieces(text).is_empty(), "{text:?}");
            assert!(cosine(text, "a refund") < 0.5);
        }
        assert!((cosine("", " ") - 1.0).abs() < 1e-6);
    }

    #[test]
    fn many_texts_give_what_each_gives_alone() {
        let texts: Vec<String> = (0..300).map(|i| format!("text {i} of {}", i * i)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let all = built_in().embed(&texts, TextRole::Passage).unwrap();
        for (text, embedding) in texts.iter().zip(&all) {
            let alone = built_in().embed(&[text], TextRole::Question).unwrap();
            assert_eq!(alone[0].values(), embedding.values());
        }
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let path = Path::new("x.gtstatic");
        for (at, expect) in [
            (0, "groundtune distill"),
            (9, "version"),
            (5000, "checksum"),
        ] {
            let mut bytes = BUILT_IN.to_vec();
            bytes[at] ^= 0x41;
            let error = StaticEmbedder::from_bytes(bytes, path)
                .unwrap_err()
                .to_string();
            assert!(error.contains(expect), "{at}: {error}");
        }
        for length in [0, 39, 40, 1000, BUILT_IN.len() - 1] {
            let cut = BUILT_IN[..length].to_vec();
            assert!(StaticEmbedder::from_bytes(cut, path).is_err(), "{length}");
        }
        for at in [12, 16, 20, 24] {
            let mut bytes = BUILT_IN[..4096].to_vec();
            bytes[at..at + 4].fill(0xff);
            assert!(StaticEmbedder::from_bytes(bytes, path).is_err(), "{at}");
        }
    }

    const UNKNOWN: u32 = 60_000;

    /// The `tokenizers` crate with the same pieces.
    fn reference() -> tokenizers::Tokenizer {
        let mut vocabulary: serde_json::Map<String, serde_json::Value> = (0..built_in()
            .vocabulary())
            .map(|number| (built_in().parts.pieces.name(number), number.into()))
            .collect();
        vocabulary.insert("[UNK]".into(), UNKNOWN.into());
        let written = serde_json::json!({
            "version": "1.0",
            "normalizer": { "type": "BertNormalizer", "clean_text": true,
                "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "model": { "type": "WordPiece", "unk_token": "[UNK]", "vocab": vocabulary,
                "continuing_subword_prefix": "##", "max_input_chars_per_word": 100 },
        });
        tokenizers::Tokenizer::from_bytes(written.to_string()).unwrap()
    }

    proptest! {
        #[test]
        fn pieces_are_those_of_the_tokenizers_crate(
            texts in prop::collection::vec("([a-zA-Z]{1,12}|[ -~]{0,6}|\\PC{0,4}|.{0,3}|[àéîõüßøœ日本語한국עבריתΩλ \u{301}]{0,5})([ \\n\\t]|\u{a0})?", 0..12)
        ) {
            static REFERENCE: std::sync::OnceLock<tokenizers::Tokenizer> = std::sync::OnceLock::new();
            let text = texts.concat();
            let expected = REFERENCE.get_or_init(reference).encode_fast(text.as_str(), false).unwrap();
            let expected: Vec<u32> = expected
                .get_ids()
                .iter()
                .copied()
                .filter(|id| *id != UNKNOWN)
                .collect();
            let found: Vec<u32> = built_in().pieces(&text).into_iter().map(u32::from).collect();
            prop_assert_eq!(found, expected, "{:?}", text);
        }
    }
}
