//! GPT-2's own files: `encoder.json` and `vocab.bpe`, or as transformers calls them,
//! `vocab.json` and `merges.txt`.

use std::path::Path;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

use crate::ModelError;

use super::pipeline::{Pipeline, failed};
use super::{Engine, TextTokenizer, json, split};

/// The names of the two files.
pub(super) const FILES: [(&str, &str); 2] =
    [("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")];
const END: &str = "<|endoftext|>";

/// Opens the two files in `folder`.
pub(super) fn open(folder: &Path) -> Result<TextTokenizer, ModelError> {
    let (vocabulary, merges) = FILES
        .into_iter()
        .find(|(vocabulary, _)| folder.join(vocabulary).exists())
        .unwrap_or(FILES[0]);
    let path = folder.join(merges);
    let vocabulary_path = folder.join(vocabulary);
    let vocabulary: Vocab =
        serde_json::from_slice(&fs_err::read(&vocabulary_path)?).map_err(|source| {
            ModelError::Json {
                path: vocabulary_path,
                source,
            }
        })?;
    let merges = fs_err::read_to_string(&path)?
        .lines()
        .filter(|line| !line.starts_with("#version") && !line.is_empty())
        .map(|line| match line.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => Ok((left.to_owned(), right.to_owned())),
            _ => Err(ModelError::Vocabulary {
                path: path.clone(),
                what: "a merge".into(),
                expected: "two tokens with a space between them".into(),
                found: format!("`{line}`"),
            }),
        })
        .collect::<Result<_, _>>()?;
    let merges = json::checked(&path, &vocabulary, merges, "")?;
    let end = vocabulary.get(END).copied();
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .build()
        .map_err(|source| failed(&path, source))?;
    let mut tokenizer = byte_level(&path, model, &[split::GPT2])?;
    let special = end.map(|_| AddedToken::from(END, true).normalized(false));
    tokenizer
        .add_tokens(special)
        .map_err(|source| failed(&path, source))?;
    let pipeline = Pipeline::new(&path, tokenizer)?;
    let special = pipeline.special();
    let mut tokenizer = TextTokenizer::new(&path, Engine::Pipeline(Box::new(pipeline)), special);
    tokenizer.begin = end;
    tokenizer.end = end;
    tokenizer.ends.extend(end);
    Ok(tokenizer)
}

/// Makes a byte-level tokenizer that splits by each of `patterns` in turn.
pub(super) fn byte_level(
    path: &Path,
    model: BPE,
    patterns: &[&str],
) -> Result<Tokenizer, ModelError> {
    let mut steps = patterns
        .iter()
        .map(|pattern| {
            let pattern = SplitPattern::Regex((*pattern).to_owned());
            Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map(Into::into)
        })
        .collect::<tokenizers::Result<Vec<PreTokenizerWrapper>>>()
        .map_err(|source| failed(path, source))?;
    let bytes = ByteLevel::new(false, true, false);
    steps.push(bytes.into());
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(Sequence::new(steps)));
    tokenizer.with_decoder(Some(bytes));
    Ok(tokenizer)
}
