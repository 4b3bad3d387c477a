//! The nearest of the examples that may be learnt from: what is found for a text where an encoder
//! answers.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use contract::{
    ChunkId, DocumentId, Embed, Evidence, PromiseError, QuestionId, Share, TextRole, Tokens,
};
use eval::Gold;
use model::EncoderTokenizer;

use super::CompareError;
use super::evidence::FoundFor;
use crate::Error;

/// How many neighbours are looked for; those that vote are the nearest of them.
const DEPTH: usize = 16;
/// How many neighbours may vote.
pub(super) const VOTERS: [usize; 5] = [1, 2, 4, 8, DEPTH];
/// What likenesses are divided by before they are made shares: as contrastive training does.
const TEMPERATURE: f64 = 0.05;
/// The neighbours' part where no development questions say which is best: as Khandelwal et al.
/// have it.
const PART: f64 = 0.25;
/// The least probability that is told from none.
const LEAST: f64 = 1e-4;

/// Texts, each with its vector.
pub(super) struct Neighbours {
    embedder: Arc<dyn Embed>,
    /// Counts what is read; a static table has no such tokens.
    tokenizer: Option<Arc<EncoderTokenizer>>,
    texts: Vec<(DocumentId, String)>,
    /// Their vectors, once they are needed.
    vectors: OnceLock<Vec<Vec<f32>>>,
}

impl Neighbours {
    /// Takes `questions`. `model` is where the embedder lies.
    ///
    /// # Errors
    /// If the model's tokenizer cannot be opened.
    pub(super) fn new(
        embedder: Arc<dyn Embed>,
        model: &Path,
        questions: &[&Gold],
    ) -> Result<Self, CompareError> {
        let tokenizer = match model.is_dir() {
            true => Some(EncoderTokenizer::of_folder(model, None).map_err(Error::from)?),
            false => None,
        };
        let text = |asked: &&Gold| (DocumentId::new(asked.id.as_str()), text(asked).into_owned());
        Ok(Self {
            embedder,
            tokenizer: tokenizer.map(Arc::new),
            texts: questions.iter().map(text).collect(),
            vectors: OnceLock::new(),
        })
    }

    /// Returns those of the texts whose number `keep` keeps.
    ///
    /// # Errors
    /// If the encoder cannot read them.
    pub(super) fn only(&self, keep: impl Fn(usize) -> bool) -> Result<Self, Error> {
        let vectors = self.vectors()?;
        let kept = |number: &usize| keep(*number);
        let numbers: Vec<usize> = (0..self.texts.len()).filter(kept).collect();
        let vectors: Vec<Vec<f32>> = numbers.iter().map(|it| vectors[*it].clone()).collect();
        Ok(Self {
            embedder: self.embedder.clone(),
            tokenizer: self.tokenizer.clone(),
            texts: numbers.iter().map(|it| self.texts[*it].clone()).collect(),
            vectors: OnceLock::from(vectors),
        })
    }

    /// Returns those of the texts whose number `keep` keeps, their vectors made anew.
    ///
    /// # Errors
    /// If the encoder cannot read them.
    pub(super) fn anew(&self, keep: impl Fn(usize) -> bool) -> Result<Self, Error> {
        let kept = (0..self.texts.len()).filter(|number| keep(*number));
        let some = Self {
            embedder: self.embedder.clone(),
            tokenizer: self.tokenizer.clone(),
            texts: kept.map(|it| self.texts[it].clone()).collect(),
            vectors: OnceLock::new(),
        };
        some.vectors()?;
        Ok(some)
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.texts.len()
    }

    /// Returns the text of an example.
    pub(super) fn text(&self, number: usize) -> &str {
        &self.texts[number].1
    }

    /// Returns why the model cannot be taught, if so.
    pub(super) fn unteachable(&self) -> Option<&'static str> {
        let why = "a table of words' vectors, or a file, cannot be taught; a model's folder can";
        self.tokenizer.is_none().then_some(why)
    }

    /// Returns how many tokens of a text are read, if that is known.
    pub(super) fn tokens(&self, text: &str) -> Option<Tokens> {
        let tokens = self.tokenizer.as_ref()?.text(text).ok()?;
        Some(Tokens(tokens.ids.len() as u64))
    }

    /// Returns the vectors of texts.
    ///
    /// # Errors
    /// If the encoder cannot read them.
    pub(super) fn embed(&self, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<f32>>, PromiseError> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        // What is alike is looked for, not an answer: all texts have one role.
        let embeddings = self.embedder.embed(&texts, TextRole::Question)?;
        Ok(embeddings.iter().map(|it| it.values().to_vec()).collect())
    }

    /// Returns the vector of one text.
    ///
    /// # Errors
    /// If the encoder cannot read it.
    pub(super) fn one(&self, text: &str) -> Result<Vec<f32>, PromiseError> {
        Ok(self.embed(&[text])?.swap_remove(0))
    }

    fn vectors(&self) -> Result<&[Vec<f32>], PromiseError> {
        if let Some(vectors) = self.vectors.get() {
            return Ok(vectors);
        }
        let texts: Vec<&str> = self.texts.iter().map(|(_, text)| &**text).collect();
        let vectors = self.embed(&texts)?;
        Ok(self.vectors.get_or_init(|| vectors))
    }

    /// Finds the examples that lie nearest to a question; a piece of evidence has its example's
    /// number as its chunk.
    ///
    /// # Errors
    /// If the encoder cannot read it, or the examples.
    pub(super) fn find(&self, asked: &Gold) -> Result<FoundFor, Error> {
        let vectors = self.vectors()?;
        let started = Instant::now();
        let vector = self.one(&text(asked))?;
        let mut near: Vec<(f64, usize)> = vectors
            .iter()
            .enumerate()
            .map(|(number, other)| (cosine(&vector, other), number))
            .collect();
        let order = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if near.len() > DEPTH {
            near.select_nth_unstable_by(DEPTH - 1, order);
            near.truncate(DEPTH);
        }
        near.sort_by(order);
        let evidence = |(score, number): (f64, usize)| {
            let (id, text) = &self.texts[number];
            Evidence {
                chunk: ChunkId(number as u64),
                document: id.clone(),
                score: Share::clamped(score),
                ..Evidence::of_text(&**text)
            }
        };
        Ok(FoundFor {
            question: QuestionId::new(asked.id.as_str()),
            evidence: near.into_iter().map(evidence).collect(),
            elapsed: started.elapsed(),
        })
    }

    /// Returns examples that were found for others, with how near they lie to this question.
    ///
    /// # Errors
    /// If the encoder cannot read it, or the examples.
    pub(super) fn likened(
        &self,
        asked: &Gold,
        mut found: Vec<Evidence>,
    ) -> Result<Vec<Evidence>, Error> {
        let vectors = self.vectors()?;
        let vector = self.one(&text(asked))?;
        for it in &mut found {
            let (number, _) = self.example(it);
            it.score = Share::clamped(cosine(&vector, &vectors[number]));
        }
        Ok(found)
    }

    /// Returns an example as it was found, with its labels passed on by so many places. That
    /// such a copy is none of the examples is seen by its chunk, which is behind theirs.
    pub(super) fn passed_on(&self, found: &Evidence, places: usize) -> Evidence {
        let (number, _) = self.example(found);
        Evidence {
            chunk: ChunkId((number + places * self.texts.len()) as u64),
            ..found.clone()
        }
    }

    /// Returns which example was found, and by how many places its labels were passed on.
    pub(super) fn example(&self, found: &Evidence) -> (usize, usize) {
        let (chunk, count) = (found.chunk.0 as usize, self.texts.len().max(1));
        (chunk % count, chunk / count)
    }
}

/// Returns what is read: the question, and what it is asked of where that is given.
pub(super) fn text(asked: &Gold) -> Cow<'_, str> {
    match &asked.context {
        Some(context) => Cow::Owned(format!("{}\n{context}", asked.question)),
        None => Cow::Borrowed(&asked.question),
    }
}

/// Returns the part of the neighbours in a hybrid's probabilities with which `surprise` of the
/// development questions is least: none, a tenth, … nine tenths. Nothing is surprising where
/// there are no questions.
pub(super) fn best_part(questions: usize, surprise: impl Fn(f64) -> f64) -> f64 {
    if questions == 0 {
        return PART;
    }
    let parts = (0..10).map(|tenths| f64::from(tenths) / 10.0);
    parts
        .map(|part| (surprise(part), part))
        .reduce(|best, other| if other.0 < best.0 { other } else { best })
        .map_or(PART, |(_, part)| part)
}

/// Returns the negative logarithm of a probability.
pub(super) fn surprise(probability: f64) -> f64 {
    -probability.max(LEAST).ln()
}

/// Returns the exponentials of likenesses over [`TEMPERATURE`], as shares of their sum.
pub(super) fn softmax(likenesses: impl Iterator<Item = f64>) -> Vec<f64> {
    let likenesses: Vec<f64> = likenesses.collect();
    let most = likenesses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = likenesses
        .iter()
        .map(|it| ((it - most) / TEMPERATURE).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|it| it / sum).collect()
}

/// Returns of successive numbers shares that fall evenly between 0 and 1, and in no rhythm that
/// examples could have too: Weyl's sequence of the golden ratio.
pub(super) fn even(number: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    (number as f64 * GOLDEN).fract()
}

/// Returns which of `count` things is chosen, each as often as another for successive numbers;
/// nothing, where there are none.
pub(super) fn evenly(number: usize, count: usize) -> Option<usize> {
    (count > 0).then(|| ((even(number) * count as f64) as usize).min(count - 1))
}

/// Returns the mean of vectors, of unit length.
pub(super) fn mean<'a>(vectors: impl IntoIterator<Item = &'a Vec<f32>>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        sum.iter_mut().for_each(|x| *x /= length);
    }
    sum
}

/// Returns the product of two vectors of unit length.
pub(super) fn cosine(one: &[f32], other: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest = ones.remainder().iter().zip(others.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in ones.zip(others) {
        let products = a.iter().zip(b).map(|(a, b)| a * b);
        sums.iter_mut()
            .zip(products)
            .for_each(|(sum, it)| *sum += it);
    }
    f64::from(sums.iter().sum::<f32>() + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likenesses_become_shares_and_vectors_a_mean() {
        let shares = softmax([0.9, 0.85, 0.9].into_iter());
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        near(shares.iter().sum(), 1.0);
        near(shares[0] / shares[1], std::f64::consts::E);
        assert_eq!(mean(&[vec![2.0, 0.0], vec![1.0, 4.0]]), [0.6, 0.8]);
        let one: Vec<f32> = (0..19).map(|it| it as f32).collect();
        assert_eq!(cosine(&one, &one), 2109.0);
    }

    #[test]
    fn each_is_chosen_as_often_as_another() {
        let mut chosen = [0; 4];
        for number in 0..400 {
            chosen[evenly(number, 4).unwrap()] += 1;
        }
        assert!(
            chosen.iter().all(|it| (98..=102).contains(it)),
            "{chosen:?}"
        );
        assert_eq!(evenly(7, 0), None);
    }

    #[test]
    fn the_least_surprising_part_is_the_best() {
        assert_eq!(best_part(3, |part| (part - 0.4).abs()), 0.4);
        assert_eq!(best_part(3, |_| 1.0), 0.0);
        assert_eq!(best_part(0, |_| 1.0), PART);
    }
}
