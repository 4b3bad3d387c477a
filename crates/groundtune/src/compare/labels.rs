//! Candidates that say which label a text has, all made of one encoder.
//!
//! | candidate | how it finds the label |
//! |---|---|
//! | `prompt` | the label whose name lies nearest to the text (Yin, Hay and Roth 2019, §4) |
//! | `few-shot` | the nearest mean of a few examples of each label (Snell et al. 2017, eq. 1) |
//! | `rag` | the nearest labelled examples vote, the nearer the more (Khandelwal et al. 2020, eq. 2) |
//! | `fine-tuned` | the encoder taught with a head |
//! | `hybrid` | the taught encoder's probabilities mixed with the votes (there, eq. 3) |
//!
//! The last two are taught the same, so it is done once for both.

mod drill;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use contract::{
    ChunkId, DocumentId, Embed, Evidence, Labels as LabelSet, Lesson, PromiseError, Share,
    TextRole, Tokens,
};
use eval::{GivenEvidence, Gold, Prediction};
use model::{Classifier, EncoderTokenizer, HeadOptions};

use super::base::Answers;
use super::evidence::{Findings, FoundFor, Shown, Trial};
use super::{Arm, CompareError};
use crate::Error;
use crate::ingest::sentence;

/// How many neighbours are looked for; those that vote are the nearest of them.
const DEPTH: usize = 16;
/// How many neighbours may vote.
const VOTERS: [usize; 5] = [1, 2, 4, 8, DEPTH];
/// How near they may have to be.
const THRESHOLDS: [f64; 5] = [0.0, 0.3, 0.5, 0.6, 0.7];
/// What likenesses are divided by before they are made shares: as contrastive training does.
const TEMPERATURE: f64 = 0.05;
/// The neighbours' part where no development questions say which is best: as Khandelwal et al.
/// have it.
const NEIGHBOURS: f64 = 0.25;
/// From which share on a label holds, where several may.
const HOLDS: f64 = 0.5;
/// The least probability that is told from none.
const LEAST: f64 = 1e-4;

/// Labels, each with its share of what speaks for any.
type Shares = BTreeMap<String, f64>;

/// An example with its labels.
#[derive(Clone, Debug)]
struct Labelled {
    id: DocumentId,
    text: String,
    labels: Vec<String>,
}

/// An encoder, and the labelled examples that may be learnt from.
pub(super) struct Labels {
    embedder: Arc<dyn Embed>,
    /// Counts what is read; a static table has no such tokens.
    tokenizer: Option<Arc<EncoderTokenizer>>,
    examples: Vec<Labelled>,
    /// The vectors of the examples, once they are needed.
    vectors: OnceLock<Vec<Vec<f32>>>,
    shots: usize,
    /// Each label, with the vector of its name and the mean of a few examples'.
    names: Vec<Name>,
    /// Whether a text may have several.
    several: bool,
}

struct Name {
    label: String,
    vector: Vec<f32>,
    prototype: Vec<f32>,
}

/// An encoder that was taught labels.
pub(super) struct TaughtLabels {
    classifier: Classifier,
    /// The part of the probabilities that comes from the nearest examples.
    neighbours: f64,
}

impl Labels {
    /// Takes the examples in `train` that have labels, of which `shots` for each label are what
    /// few are. `model` is where the embedder lies.
    ///
    /// # Errors
    /// If the encoder cannot read them.
    pub(super) fn new(
        embedder: Arc<dyn Embed>,
        model: &Path,
        train: &[Gold],
        shots: usize,
    ) -> Result<Self, CompareError> {
        let tokenizer = match model.is_dir() {
            true => Some(EncoderTokenizer::of_folder(model, None).map_err(Error::from)?),
            false => None,
        };
        let examples = train
            .iter()
            .filter(|asked| !asked.is_unanswerable())
            .map(|asked| Labelled {
                id: DocumentId::new(asked.id.as_str()),
                text: text(asked).into_owned(),
                labels: labels(asked),
            })
            .collect();
        Self {
            embedder,
            tokenizer: tokenizer.map(Arc::new),
            examples,
            vectors: OnceLock::new(),
            shots,
            names: Vec::new(),
            several: train.iter().any(|asked| asked.all_together),
        }
        .named()
    }

    /// Returns why it cannot be taught, if so.
    pub(super) fn unteachable(&self) -> Option<&'static str> {
        if self.tokenizer.is_none() {
            Some("a table of words' vectors, or a file, cannot be taught labels; a folder can")
        } else if self.names.len() < 2 {
            Some("the examples to learn from have fewer than two labels")
        } else {
            None
        }
    }

    /// Finds the labels of the examples, and their vectors.
    fn named(mut self) -> Result<Self, CompareError> {
        let all: BTreeSet<&String> = self.examples.iter().flat_map(|it| &it.labels).collect();
        let labels: Vec<String> = all.into_iter().cloned().collect();
        let words: Vec<String> = labels.iter().map(|label| in_words(label)).collect();
        let vectors = self.embed(&words)?;
        let mut names = Vec::with_capacity(labels.len());
        for (label, vector) in labels.into_iter().zip(vectors) {
            let of_label = self.examples.iter().filter(|it| it.labels.contains(&label));
            let few: Vec<&str> = of_label
                .take(self.shots.max(1))
                .map(|it| &*it.text)
                .collect();
            let prototype = mean(&self.embed(&few)?);
            names.push(Name {
                label,
                vector,
                prototype,
            });
        }
        self.names = names;
        Ok(self)
    }

    fn embed(&self, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<f32>>, Error> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let embeddings = self.embedder.embed(&texts, TextRole::Question)?;
        Ok(embeddings.iter().map(|it| it.values().to_vec()).collect())
    }

    fn one(&self, text: &str) -> Result<Vec<f32>, PromiseError> {
        let found = self.embedder.embed(&[text], TextRole::Question)?;
        Ok(found[0].values().to_vec())
    }

    fn vectors(&self) -> Result<&[Vec<f32>], Error> {
        if let Some(vectors) = self.vectors.get() {
            return Ok(vectors);
        }
        let texts: Vec<&str> = self.examples.iter().map(|it| &*it.text).collect();
        let vectors = self.embed(&texts)?;
        Ok(self.vectors.get_or_init(|| vectors))
    }

    /// Finds the nearest labelled examples of a question.
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
            let example = &self.examples[number];
            Evidence {
                // The example's number, by which its labels are found again.
                chunk: ChunkId(number as u64),
                document: example.id.clone(),
                score: Share::clamped(score),
                ..Evidence::of_text(&*example.text)
            }
        };
        Ok(FoundFor {
            question: asked.id.clone(),
            evidence: near.into_iter().map(evidence).collect(),
            elapsed: started.elapsed(),
        })
    }

    /// Returns each label's share of the votes: a neighbour's weighs as the exponential of its
    /// likeness. Nothing, if there are no neighbours.
    fn votes(&self, neighbours: &[Evidence]) -> Option<Shares> {
        let weights = softmax(neighbours.iter().map(|it| it.score.get()));
        let mut shares = Shares::new();
        for (neighbour, weight) in neighbours.iter().zip(weights) {
            for label in self.labels_of(neighbour) {
                *shares.entry(label.clone()).or_default() += weight;
            }
        }
        (!neighbours.is_empty()).then_some(shares)
    }

    fn labels_of(&self, neighbour: &Evidence) -> &[String] {
        let example = self.examples.get(neighbour.chunk.0 as usize);
        example.map_or(&[], |it| &it.labels)
    }

    /// Tries each number of voters on the development questions; for each, the threshold with
    /// which most are given their label. The best first; of equals, the one with fewer voters.
    pub(super) fn trials(&self, findings: &Findings, dev: &[Gold]) -> Vec<Trial> {
        let mut best: Vec<Trial> = VOTERS
            .iter()
            .map(|&top_k| {
                THRESHOLDS
                    .iter()
                    .map(|&threshold| {
                        let threshold = Share::clamped(threshold);
                        self.trial(findings, dev, Shown { top_k, threshold })
                    })
                    .reduce(|best, other| {
                        if other.right > best.right {
                            other
                        } else {
                            best
                        }
                    })
                    .expect("there are thresholds")
            })
            .collect();
        best.sort_by(|a, b| b.right.total_cmp(&a.right));
        best
    }

    fn trial(&self, findings: &Findings, dev: &[Gold], shown: Shown) -> Trial {
        let (mut among, mut labelled, mut right, mut silent) = (0usize, 0usize, 0usize, 0usize);
        for asked in dev {
            let neighbours = findings.shown(&asked.id, &shown);
            if asked.is_unanswerable() {
                silent += usize::from(neighbours.is_empty());
                continue;
            }
            labelled += 1;
            let wanted: BTreeSet<String> = labels(asked).into_iter().collect();
            let near: BTreeSet<&String> = neighbours
                .iter()
                .flat_map(|it| self.labels_of(it))
                .collect();
            among += usize::from(wanted.iter().any(|label| near.contains(label)));
            let voted = self.votes(neighbours).map(|shares| self.hold(&shares));
            let voted = voted.map(BTreeSet::from_iter);
            right += usize::from(voted.is_some_and(|voted: BTreeSet<String>| voted == wanted));
        }
        let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        Trial {
            shown,
            recall: share(among, labelled),
            silence: share(silent, dev.len() - labelled),
            right: share(right + silent, dev.len()).unwrap_or(0.0),
        }
    }

    /// Returns the labels that hold by their shares: the one with the largest, or all that are
    /// as likely as not where a text may have several.
    fn hold(&self, shares: &Shares) -> Vec<String> {
        if self.several {
            let hold = shares.iter().filter(|(_, share)| **share >= HOLDS);
            return hold.map(|(label, _)| label.clone()).collect();
        }
        let best = shares
            .iter()
            .reduce(|best, other| if other.1 > best.1 { other } else { best });
        best.map(|(label, _)| label.clone()).into_iter().collect()
    }

    /// Returns which part the neighbours have in a hybrid's probabilities: that which makes the
    /// labels of the development questions likeliest, from none to nine tenths.
    ///
    /// # Errors
    /// If the taught encoder cannot read the questions.
    pub(super) fn part(
        &self,
        taught: &TaughtLabels,
        findings: &Findings,
        shown: &Shown,
        dev: &[Gold],
    ) -> Result<f64, CompareError> {
        let labelled: Vec<&Gold> = dev.iter().filter(|it| !it.is_unanswerable()).collect();
        let texts: Vec<Cow<'_, str>> = labelled.iter().map(|asked| text(asked)).collect();
        let texts: Vec<&str> = texts.iter().map(|it| &**it).collect();
        let own = taught.shares(&texts).map_err(Error::from)?;
        let votes: Vec<Option<Shares>> = labelled
            .iter()
            .map(|asked| self.votes(findings.shown(&asked.id, shown)))
            .collect();
        let loss = |part: f64| -> f64 {
            let each = labelled.iter().zip(own.iter().zip(&votes));
            each.map(|(asked, (own, votes))| {
                self.surprise(asked, &mixed(own, votes.as_ref(), part))
            })
            .sum()
        };
        let parts = (0..10).map(|tenths| f64::from(tenths) / 10.0);
        let best = parts
            .map(|part| (loss(part), part))
            .reduce(|best, other| if other.0 < best.0 { other } else { best });
        Ok(match best {
            Some((_, part)) if !labelled.is_empty() => part,
            _ => NEIGHBOURS,
        })
    }

    /// Returns how unlikely the right labels are, as the negative logarithm.
    fn surprise(&self, asked: &Gold, shares: &Shares) -> f64 {
        let share = |label: &String| shares.get(label).copied().unwrap_or(0.0);
        let wanted = labels(asked);
        if !self.several {
            let likely: f64 = wanted.iter().map(share).fold(0.0, f64::max);
            return -likely.max(LEAST).ln();
        }
        let all = self.names.iter().map(|name| &name.label);
        all.map(|label| {
            let likely = match wanted.contains(label) {
                true => share(label),
                false => 1.0 - share(label),
            };
            -likely.max(LEAST).ln()
        })
        .sum()
    }

    /// Returns how a candidate answers.
    pub(super) fn contestant<'a>(
        &'a self,
        arm: Arm,
        taught: Option<&'a TaughtLabels>,
    ) -> Contestant<'a> {
        Contestant {
            arm,
            labels: self,
            taught,
        }
    }
}

impl TaughtLabels {
    /// Opens the model that teaching has left in a folder. `neighbours` is their part in its
    /// probabilities.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(super) fn open(model: &Path, neighbours: f64) -> Result<Self, CompareError> {
        let classifier = Classifier::open(model, &HeadOptions::default()).map_err(Error::from)?;
        Ok(Self {
            classifier,
            neighbours,
        })
    }

    /// Returns for each text every label with how likely it is.
    fn shares(&self, texts: &[&str]) -> Result<Vec<Shares>, model::ModelError> {
        let names = self.classifier.labels();
        let named = |row: Vec<f32>| -> Shares {
            let values = row.into_iter().map(f64::from);
            names.iter().cloned().zip(values).collect()
        };
        let found = self.classifier.probabilities(texts)?;
        Ok(found.into_iter().map(named).collect())
    }
}

/// A candidate, ready to be asked.
pub(super) struct Contestant<'a> {
    arm: Arm,
    labels: &'a Labels,
    taught: Option<&'a TaughtLabels>,
}

impl Contestant<'_> {
    fn shares(&self, asked: &Gold, evidence: &[Evidence]) -> Result<Shares, Error> {
        let text = text(asked);
        let by = |vector: fn(&Name) -> &[f32]| -> Result<Shares, Error> {
            let asked = self.labels.one(&text)?;
            let names = &self.labels.names;
            let shares = softmax(names.iter().map(|name| cosine(&asked, vector(name))));
            let labels = names.iter().map(|name| name.label.clone());
            Ok(labels.zip(shares).collect())
        };
        Ok(match (self.arm, self.taught) {
            (Arm::FewShot, _) => by(|name| &name.prototype)?,
            (Arm::Rag, _) => self.labels.votes(evidence).unwrap_or_default(),
            (Arm::FineTuned | Arm::Hybrid, Some(taught)) => {
                let own = taught.shares(&[&text])?.swap_remove(0);
                let votes = self.labels.votes(evidence);
                mixed(&own, votes.as_ref(), taught.neighbours)
            }
            (Arm::Prompt | Arm::FineTuned | Arm::Hybrid, _) => by(|name| &name.vector)?,
        })
    }
}

impl Answers for Contestant<'_> {
    fn answer(&self, asked: &Gold, evidence: &[Evidence], finding: f64) -> Prediction {
        let started = Instant::now();
        let id = asked.id.clone();
        let tokens = self
            .labels
            .tokenizer
            .as_ref()
            .and_then(|it| it.text(&text(asked)).ok());
        let prediction = match self.shares(asked, evidence) {
            Ok(shares) => {
                let hold = match self.arm {
                    // Nearness to one is no probability of each.
                    Arm::Prompt | Arm::FewShot => largest(&shares),
                    _ => self.labels.hold(&shares),
                };
                let share = hold.first().and_then(|label| shares.get(label));
                Prediction {
                    // Nothing lies near enough.
                    refused: self.arm == Arm::Rag && evidence.is_empty(),
                    confidence: share.copied().filter(|_| !self.labels.several),
                    prompt_tokens: tokens.map(|it| Tokens(it.ids.len() as u64)),
                    completion_tokens: Some(Tokens(0)),
                    ..Prediction::new(id, hold.join(", "))
                }
            }
            Err(error) => Prediction::failed(id, sentence(&error)),
        };
        let given = evidence.iter().map(|found| GivenEvidence {
            document: found.document.to_string(),
            text: format!(
                "{} → {}",
                found.text,
                self.labels.labels_of(found).join(", ")
            ),
            score: Some(found.score.get()),
        });
        Prediction {
            evidence: given.collect(),
            seconds: Some(finding + started.elapsed().as_secs_f64()),
            ..prediction
        }
    }
}

/// Returns what is labelled: the question, and what it is asked of where that is given.
fn text(asked: &Gold) -> Cow<'_, str> {
    match &asked.context {
        Some(context) => Cow::Owned(format!("{}\n{context}", asked.question)),
        None => Cow::Borrowed(&asked.question),
    }
}

/// Returns the labels that are right: all of a set, or the first of alternatives.
fn labels(asked: &Gold) -> Vec<String> {
    let most = if asked.all_together { usize::MAX } else { 1 };
    let labels = asked.answers.iter().take(most);
    labels.map(|label| label.trim().to_owned()).collect()
}

/// Returns a question as what an encoder is taught; nothing, where no label is right.
pub(super) fn lesson(asked: &Gold) -> Option<Lesson> {
    let mut all = labels(asked);
    let labels = match (asked.all_together, all.is_empty()) {
        (true, _) => LabelSet::Several(all),
        (false, true) => return None,
        (false, false) => LabelSet::One(all.swap_remove(0)),
    };
    let text = text(asked).into_owned();
    Some(Lesson::Labelled { text, labels })
}

/// Returns a label's name as words: `card_arrival` and `CardArrival` are `card arrival`.
fn in_words(label: &str) -> String {
    let mut words = String::with_capacity(label.len() + 4);
    let mut before = ' ';
    for letter in label.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase();
        if begins || !letter.is_alphanumeric() {
            words.push(' ');
        }
        if letter.is_alphanumeric() {
            words.extend(letter.to_lowercase());
        }
        before = letter;
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    // A label of signs alone is its own name.
    if words.is_empty() {
        label.to_owned()
    } else {
        words
    }
}

/// Returns the label with the largest share, the first of equals.
fn largest(shares: &Shares) -> Vec<String> {
    let best = shares
        .iter()
        .reduce(|best, other| if other.1 > best.1 { other } else { best });
    best.map(|(label, _)| label.clone()).into_iter().collect()
}

/// Returns `(1 - part) · own + part · votes`; `own`, where nobody votes.
fn mixed(own: &Shares, votes: Option<&Shares>, part: f64) -> Shares {
    let Some(votes) = votes else {
        return own.clone();
    };
    let mut mixed: Shares = own
        .iter()
        .map(|(label, it)| (label.clone(), (1.0 - part) * it))
        .collect();
    for (label, it) in votes {
        *mixed.entry(label.clone()).or_default() += part * it;
    }
    mixed
}

/// Returns the exponentials of likenesses over [`TEMPERATURE`], as shares of their sum.
fn softmax(likenesses: impl Iterator<Item = f64>) -> Vec<f64> {
    let likenesses: Vec<f64> = likenesses.collect();
    let most = likenesses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = likenesses
        .iter()
        .map(|it| ((it - most) / TEMPERATURE).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|it| it / sum).collect()
}

/// Returns the mean of vectors, of unit length.
fn mean(vectors: &[Vec<f32>]) -> Vec<f32> {
    let mut sum = vec![0.0f32; vectors.first().map_or(0, Vec::len)];
    for vector in vectors {
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        sum.iter_mut().for_each(|x| *x /= length);
    }
    sum
}

/// Returns the product of two vectors of unit length.
fn cosine(one: &[f32], other: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest = ones.remainder().iter().zip(others.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in ones.zip(others) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    f64::from(sums.iter().sum::<f32>() + rest)
}

#[cfg(test)]
mod tests {
    use contract::{EmbedderId, Embedding, QuestionId};

    use super::*;

    /// Makes vectors of how often a text has the letters `a`, `b` and `c`.
    struct Letters(EmbedderId);

    impl Letters {
        fn new() -> Arc<Self> {
            Arc::new(Self(EmbedderId {
                name: "letters".into(),
                dimensions: 4,
            }))
        }
    }

    impl Embed for Letters {
        fn identity(&self) -> &EmbedderId {
            &self.0
        }

        fn embed(&self, texts: &[&str], _: TextRole) -> Result<Vec<Embedding>, PromiseError> {
            let vector = |text: &&str| {
                let count = |letter| text.matches(letter).count() as f32;
                let values = vec![count('a'), count('b'), count('c'), 0.1];
                Ok(Embedding::new(self.0.clone(), values).unwrap())
            };
            texts.iter().map(vector).collect()
        }
    }

    fn asked(question: &str, answers: &[&str], all_together: bool) -> Gold {
        Gold {
            id: QuestionId::new(question),
            question: question.into(),
            answers: answers.iter().map(|it| (*it).to_owned()).collect(),
            all_together,
            passage: None,
            context: None,
        }
    }

    fn of(examples: &[(&str, &[&str])], all_together: bool) -> Labels {
        let train: Vec<Gold> = examples
            .iter()
            .map(|(text, labels)| asked(text, labels, all_together))
            .collect();
        Labels::new(Letters::new(), Path::new("nowhere"), &train, 2).unwrap()
    }

    const THREE: [(&str, &[&str]); 4] = [
        ("aab", &["A_a"]),
        ("bbb", &["b"]),
        ("ccc", &["other"]),
        ("caa", &["other"]),
    ];

    fn answer(labels: &Labels, arm: Arm, text: &str, top_k: usize) -> Prediction {
        let question = asked(text, &["?"], false);
        let found = labels.find(&question).unwrap();
        let threshold = Share::clamped(0.5);
        let evidence = match arm.retrieves() {
            true => found.shown(&Shown { top_k, threshold }),
            false => &[],
        };
        labels
            .contestant(arm, None)
            .answer(&question, evidence, 0.0)
    }

    #[test]
    fn each_finds_the_label_in_its_own_way() {
        let labels = of(&THREE, false);
        let check = |arm: Arm, text: &str, expect: &str| {
            assert_eq!(answer(&labels, arm, text, 2).answer, expect, "{arm} {text}");
        };
        // By the name in words: `a a`.
        check(Arm::Prompt, "aaa", "A_a");
        check(Arm::Prompt, "bba", "b");
        // By the mean of `ccc` and `caa`.
        check(Arm::FewShot, "cca", "other");
        check(Arm::FewShot, "aab", "A_a");
        // By the nearest two.
        check(Arm::Rag, "caa", "other");
        check(Arm::Rag, "b", "b");
    }

    #[test]
    fn the_neighbours_are_kept_with_their_labels() {
        let found = answer(&of(&THREE, false), Arm::Rag, "ccc", 1);
        assert_eq!(found.evidence[0].text, "ccc → other");
        assert_eq!(found.confidence, Some(1.0));
        // Where nobody is near enough, nobody votes.
        let far = Shown {
            top_k: 4,
            threshold: Share::ONE,
        };
        let labels = of(&THREE, false);
        let question = asked("abc", &["?"], false);
        let near = labels.find(&question).unwrap();
        let found = labels
            .contestant(Arm::Rag, None)
            .answer(&question, near.shown(&far), 0.0);
        assert!(found.refused && found.failure.is_none());
    }

    #[test]
    fn the_nearer_votes_more() {
        let labels = of(&[("a", &["x"]), ("ab", &["y"]), ("ab", &["y"])], false);
        let votes = labels.votes(&labels.find(&asked("a", &[], false)).unwrap().evidence);
        let votes = votes.unwrap();
        // exp((cos - 1) / 0.05) twice, of the pair at about 45°.
        assert!(votes["x"] > 0.98 && votes["y"] < 0.02, "{votes:?}");
        assert_eq!(labels.votes(&[]), None);
    }

    #[test]
    fn several_labels_hold_that_most_neighbours_have() {
        let labels = of(
            &[
                ("a", &["x", "y"]),
                ("aa", &["x"]),
                ("aaa", &["x", "y"]),
                ("c", &[]),
            ],
            true,
        );
        assert_eq!(answer(&labels, Arm::Rag, "aaa", 3).answer, "x, y");
        assert_eq!(answer(&labels, Arm::Rag, "c", 1).answer, "");
        assert!(!answer(&labels, Arm::Rag, "c", 1).refused);
    }

    #[test]
    fn the_number_of_voters_that_is_right_most_often_comes_first() {
        // The nearest is mislabelled; three together are right.
        let labels = of(
            &[
                ("aa", &["b"]),
                ("aaa", &["a"]),
                ("aaaa", &["a"]),
                ("bbb", &["b"]),
            ],
            false,
        );
        let dev = [asked("aac", &["a"], false), asked("bb", &["b"], false)];
        let mut findings = Findings::default();
        for asked in &dev {
            findings.add(labels.find(asked).unwrap());
        }
        let trials = labels.trials(&findings, &dev);
        assert_eq!(trials.len(), VOTERS.len());
        assert!(trials.windows(2).all(|two| two[0].right >= two[1].right));
        assert_eq!(trials[0].recall, Some(1.0), "{trials:?}");
    }

    #[test]
    fn shares_are_mixed_by_their_part() {
        let shares = |all: &[(&str, f64)]| -> Shares {
            all.iter()
                .map(|(label, it)| ((*label).to_owned(), *it))
                .collect()
        };
        let own = shares(&[("x", 0.75), ("y", 0.25)]);
        let votes = shares(&[("y", 0.5), ("new", 0.5)]);
        let found = mixed(&own, Some(&votes), 0.5);
        assert_eq!(found, shares(&[("new", 0.25), ("x", 0.375), ("y", 0.375)]));
        assert_eq!(mixed(&own, None, 0.5), own);
    }

    #[test]
    fn a_labels_name_is_read_as_words() {
        let check = |label: &str, expect: &str| assert_eq!(in_words(label), expect);
        check("card_arrival", "card arrival");
        check("PlayMusic", "play music");
        check("Refund_not_showing_up?", "refund not showing up");
        check("NYC", "nyc");
        check("+", "+");
    }

    #[test]
    fn passed_round_labels_are_followed_by_whoever_looks() {
        let labels = of(&THREE, false);
        let test = [asked("aab", &["A_a"], false), asked("bbb", &["b"], false)];
        let shown = Shown {
            top_k: 1,
            threshold: Share::ZERO,
        };
        let arms = [(Arm::Prompt, None), (Arm::FewShot, None), (Arm::Rag, None)];
        let go = &mut |_, _| std::ops::ControlFlow::Continue(());
        let found = labels.drill(&arms, &test, &shown, go).unwrap().unwrap();
        let (prompt, rag) = (&found[&Arm::Prompt], &found[&Arm::Rag]);
        assert_eq!((rag.facts, rag.before, rag.changed_right), (2, 1.0, 1.0));
        assert_eq!(
            (rag.changed_stale, rag.removed_stale, rag.added_right),
            (0.0, 0.0, 1.0)
        );
        assert!(rag.update_seconds.is_some() && prompt.update_seconds.is_none());
        // A name says what it always said.
        assert_eq!((prompt.before, prompt.changed_stale), (1.0, 1.0));
        assert_eq!(found[&Arm::FewShot].changed_right, 1.0);
    }
}
