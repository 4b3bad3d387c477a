//! Vocabularies: learnt from one's own texts, looked at, and used by themselves.

use std::path::{Path, PathBuf};

use contract::Bytes;
use model::tokenizer::{Special, TextTokenizer, Vocabulary, VocabularyRecipe};

use crate::Error;
use crate::data::{DataError, Dataset, FileSummary, ReadExamples};
use crate::models::{Environment, ModelReference};
use crate::train::TrainingError;

pub use model::tokenizer::VocabularyRecipe as Recipe;
pub use model::tokenizer::{Special as SpecialTokens, TextTokenizer as Tokenizer};

/// Text that is cut with the new vocabulary to see how well it does.
const MEASURED: usize = 1 << 20;

/// The file that says a vocabulary.
const FILE: &str = "tokenizer.json";

/// What came of learning a vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct LearntVocabulary {
    /// The folder that it was written to.
    pub folder: PathBuf,
    /// The files that it was learnt from.
    pub files: Vec<FileSummary>,
    /// The length of their text.
    pub text: Bytes,
    /// How many tokens it has.
    pub tokens: usize,
    /// Bytes that a token stands for, in the beginning of the texts it was learnt from.
    pub bytes_per_token: f64,
}

/// Learns a vocabulary from the texts in `files`, of any layout that examples come in, and
/// writes it to the folder `out` as transformers reads it.
///
/// # Errors
/// If there is a vocabulary in `out`, a file cannot be read, or there is no room for all
/// bytes and special tokens.
pub fn learn(
    files: &[PathBuf],
    reading: &ReadExamples,
    recipe: &VocabularyRecipe,
    out: &Path,
) -> Result<LearntVocabulary, Error> {
    let data = |error: DataError| Error::from(TrainingError::Data(error));
    let path = out.join(FILE);
    if path.exists() {
        return Err(Error::Exists { path });
    }
    let set = Dataset::read(files, reading).map_err(data)?;
    let texts = || {
        let examples = set.examples.iter();
        examples.flat_map(|it| [it.lesson.input(), it.lesson.target()])
    };
    let vocabulary = Vocabulary::learn(texts(), recipe)?;
    let tokenizer = vocabulary.tokenizer()?;
    let (mut bytes, mut tokens, mut length) = (0, 0, 0);
    for text in texts() {
        length += text.len();
        if bytes < MEASURED {
            let part = beginning(&text, MEASURED - bytes);
            bytes += part.len();
            tokens += tokenizer.encode(part, Special::Ignore)?.len();
        }
    }
    vocabulary.save(out)?;
    Ok(LearntVocabulary {
        folder: out.to_owned(),
        files: set.files,
        text: Bytes(length as u64),
        tokens: vocabulary.size(),
        bytes_per_token: bytes as f64 / tokens.max(1) as f64,
    })
}

/// Returns the first `most` bytes of a text, or up to three less: whole characters.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev();
    let end = end.into_iter().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// Opens the vocabulary of a model that is named, or the file of one. Paths are relative to
/// `base`.
///
/// # Errors
/// If it is not there, or of a kind that is not known.
pub fn open(
    reference: &ModelReference,
    base: &Path,
    environment: &Environment,
) -> Result<TextTokenizer, Error> {
    let tuned = environment.in_files(reference, base)?;
    let path = tuned.tokenizer.unwrap_or(tuned.model);
    Ok(TextTokenizer::open_beside(&path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_ends_between_characters() {
        for (most, expect) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (9, "aéz")] {
            assert_eq!(beginning("aéz", most), expect);
        }
    }

    #[test]
    fn what_is_learnt_is_read_again_and_not_written_over() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("a.txt");
        let text = "the cat sat on the mat\nthe dog sat on the cat\n".repeat(20);
        fs_err::write(&file, &text).unwrap();
        let recipe = VocabularyRecipe {
            size: 270,
            special: vec!["<|tool|>".into()],
            ..VocabularyRecipe::default()
        };
        let out = room.path().join("out");
        let learnt = learn(
            std::slice::from_ref(&file),
            &ReadExamples::default(),
            &recipe,
            &out,
        )
        .unwrap();
        assert_eq!(learnt.tokens, 270);
        assert!(learnt.bytes_per_token > 1.5, "{learnt:?}");
        let reference = ModelReference::Named(out.to_string_lossy().into_owned());
        let opened = open(&reference, Path::new(""), &Environment::default()).unwrap();
        let ids = opened.encode("the cat<|tool|>", Special::Read).unwrap();
        assert_eq!(ids.last(), opened.id("<|tool|>").as_ref());
        assert_eq!(opened.decode(&ids).unwrap(), "the cat");
        let again = learn(&[file], &ReadExamples::default(), &recipe, &out);
        assert!(matches!(again, Err(Error::Exists { .. })));
    }
}
