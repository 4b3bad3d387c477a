//! Candidates that say which words of a text are names, and of what, all made of one encoder.
//!
//! Each word has a vector of what it means where it stands, and its tag is found by that:
//!
//! | candidate | how it finds a word's tag |
//! |---|---|
//! | `prompt` | the kind whose name lies nearest, if it lies near enough |
//! | `few-shot` | the nearest mean of the words of a tag in a few examples (Fritzler et al. 2019, §3.2) |
//! | `rag` | the words of the nearest labelled examples vote, the nearer the more (Wang et al. 2022, eq. 4) |
//! | `fine-tuned` | the encoder taught with a head |
//! | `hybrid` | the taught encoder's probabilities mixed with the votes (there, eq. 5) |
//!
//! The last two are taught the same, so it is done once for both.

mod drill;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use contract::{Embed, Evidence, Lesson, Share};
use eval::{Gold, GoldSet, Metric, Prediction};
use model::{HeadOptions, ModelError, WordEncoder, tagged_spans};

use super::base::Answers;
use super::encoder::{Encoder, Examples, Head, TaughtEncoder};
use super::evidence::{Findings, Shown, Trial, given};
use super::labels::{largest, mixed as mixed_word};
use super::neighbours::{Neighbours, VOTERS, best_part, cosine, mean, softmax, surprise};
use super::{Arm, CompareError, Task};
use crate::Error;
use crate::ingest::sentence;

/// The tag of a word that is no name.
const OUTSIDE: &str = "O";
/// How near a word may have to lie to a kind's name.
const FLOORS: [f64; 8] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
/// On how many development questions that is chosen.
const CHOSEN_ON: usize = 100;

/// Tags, each with its share of what speaks for any.
type Shares = BTreeMap<String, f64>;

/// An encoder, and the tagged examples that may be learnt from.
pub(super) struct Names {
    neighbours: Neighbours,
    encoder: Arc<WordEncoder>,
    /// The tags of each example.
    tags: Vec<Vec<String>>,
    /// The words' vectors of each example, once they are needed.
    words: OnceLock<Vec<Vec<Vec<f32>>>>,
    /// The kinds of names, with the vectors of what they are called.
    kinds: Vec<(String, Vec<f32>)>,
    /// How near to one of them a word has to lie to be a name.
    floor: f64,
    /// The tags, with the means of a few words that have them.
    prototypes: Vec<(String, Vec<f32>)>,
}

impl Names {
    /// Takes the examples in `train`, of which the first `shots` with each kind of name are what
    /// few are. `model` is the encoder's folder.
    ///
    /// # Errors
    /// If the encoder cannot be opened or cannot read them.
    pub(super) fn new(
        embedder: Arc<dyn Embed>,
        model: &Path,
        train: &[Gold],
        dev: &[Gold],
        shots: usize,
    ) -> Result<Self, CompareError> {
        let train: Vec<&Gold> = train.iter().filter(|asked| is_tagged(asked)).collect();
        let encoder = WordEncoder::open(model, &HeadOptions::default()).map_err(Error::from)?;
        let mut names = Self {
            neighbours: Neighbours::new(embedder, model, &train)?,
            encoder: Arc::new(encoder),
            tags: train.iter().map(|asked| tags(asked)).collect(),
            words: OnceLock::new(),
            kinds: Vec::new(),
            floor: 0.0,
            prototypes: Vec::new(),
        };
        names.know_kinds()?;
        names.know_few(shots.max(1))?;
        names.choose_floor(dev)?;
        Ok(names)
    }

    fn know_kinds(&mut self) -> Result<(), CompareError> {
        let kinds: BTreeSet<String> = self.tags.iter().flat_map(|tags| kinds(tags)).collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        let words: Vec<String> = kinds.iter().map(|it| super::labels::in_words(it)).collect();
        let vectors = self.neighbours.embed(&words).map_err(Error::from)?;
        self.kinds = kinds.into_iter().zip(vectors).collect();
        Ok(())
    }

    /// Makes the mean of each tag's words in the first `shots` examples of each kind.
    fn know_few(&mut self, shots: usize) -> Result<(), CompareError> {
        let mut chosen: BTreeSet<usize> = BTreeSet::new();
        for (kind, _) in &self.kinds {
            let has = |tags: &[String]| spans(tags).any(|(other, _)| other == *kind);
            let of_kind = (0..self.tags.len()).filter(|it| has(&self.tags[*it]));
            chosen.extend(of_kind.take(shots));
        }
        let chosen: Vec<usize> = chosen.into_iter().collect();
        let texts: Vec<&str> = chosen.iter().map(|it| self.neighbours.text(*it)).collect();
        let vectors = self.vectors(&texts).map_err(Error::from)?;
        let mut of_tag: BTreeMap<&String, Vec<&Vec<f32>>> = BTreeMap::new();
        for (number, words) in chosen.iter().zip(&vectors) {
            for (tag, vector) in self.tags[*number].iter().zip(words) {
                of_tag.entry(tag).or_default().push(vector);
            }
        }
        self.prototypes = of_tag
            .into_iter()
            .map(|(tag, vectors)| (tag.clone(), mean(vectors)))
            .collect();
        Ok(())
    }

    /// Chooses how near a word has to lie to a kind's name: what finds most names of the first
    /// development questions.
    fn choose_floor(&mut self, dev: &[Gold]) -> Result<(), CompareError> {
        let gold = GoldSet::new(
            dev.iter()
                .filter(|it| is_tagged(it))
                .take(CHOSEN_ON)
                .cloned(),
        );
        let mut best = (0.0, FLOORS[FLOORS.len() / 2]);
        let asked = gold.questions().iter();
        let texts: Vec<&str> = asked.clone().map(|asked| &*asked.question).collect();
        let words = self.vectors(&texts).map_err(Error::from)?;
        for floor in FLOORS {
            self.floor = floor;
            let predictions: Vec<Prediction> = asked
                .clone()
                .zip(&words)
                .map(|(asked, words)| {
                    Prediction::new(asked.id.clone(), self.by_kind(words).join(" "))
                })
                .collect();
            let predictions: Vec<Option<&Prediction>> = predictions.iter().map(Some).collect();
            let found = Metric::EntityF1(Default::default()).score(&gold, &predictions);
            if let Some(f1) = found.value().filter(|f1| *f1 > best.0) {
                best = (f1, floor);
            }
        }
        self.floor = best.1;
        Ok(())
    }

    /// Returns the vectors of each text's words.
    fn vectors(&self, texts: &[&str]) -> Result<Vec<Vec<Vec<f32>>>, ModelError> {
        let words: Vec<Vec<&str>> = texts.iter().map(|text| words(text)).collect();
        let words: Vec<&[&str]> = words.iter().map(Vec::as_slice).collect();
        self.encoder.vectors(&words)
    }

    /// Returns the vectors of the examples' words.
    fn known(&self) -> Result<&[Vec<Vec<f32>>], ModelError> {
        if let Some(words) = self.words.get() {
            return Ok(words);
        }
        let texts: Vec<&str> = (0..self.tags.len())
            .map(|it| self.neighbours.text(it))
            .collect();
        let words = self.vectors(&texts)?;
        Ok(self.words.get_or_init(|| words))
    }

    /// Returns a text's tags by the kind whose name lies nearest to each word.
    fn by_kind(&self, words: &[Vec<f32>]) -> Vec<String> {
        let mut tags: Vec<String> = Vec::with_capacity(words.len());
        let mut before = None;
        for word in words {
            let likenesses = self
                .kinds
                .iter()
                .map(|(kind, vector)| (cosine(word, vector), kind));
            let nearest = likenesses
                .reduce(|best, other| if other.0 > best.0 { other } else { best })
                .filter(|(likeness, _)| *likeness >= self.floor)
                .map(|(_, kind)| kind);
            tags.push(match nearest {
                None => OUTSIDE.to_owned(),
                Some(kind) if before == Some(kind) => format!("I-{kind}"),
                Some(kind) => format!("B-{kind}"),
            });
            before = nearest;
        }
        tags
    }

    /// Returns of each word how near it lies to each tag's few words.
    fn by_few(&self, words: &[Vec<f32>]) -> Vec<Shares> {
        let shares = |word: &Vec<f32>| {
            let near = softmax(self.prototypes.iter().map(|(_, it)| cosine(word, it)));
            let tags = self.prototypes.iter().map(|(tag, _)| tag.clone());
            tags.zip(near).collect()
        };
        words.iter().map(shares).collect()
    }

    /// Returns of each word the tags' shares of the votes: each word of the neighbours has one,
    /// which weighs as the exponential of its likeness. Nothing, if there are no neighbours.
    fn votes(
        &self,
        words: &[Vec<f32>],
        neighbours: &[Evidence],
    ) -> Result<Option<Vec<Shares>>, ModelError> {
        let examples = self.known()?;
        let all: Vec<(Vec<String>, usize)> = neighbours
            .iter()
            .filter_map(|it| Some((self.tags_of(it)?, self.neighbours.example(it).0)))
            .collect();
        let voters: Vec<(&String, &Vec<f32>)> = all
            .iter()
            .flat_map(|(tags, number)| tags.iter().zip(&examples[*number]))
            .collect();
        if voters.is_empty() {
            return Ok(None);
        }
        let of_word = |word: &Vec<f32>| {
            let weights = softmax(voters.iter().map(|(_, vector)| cosine(word, vector)));
            let mut shares = Shares::new();
            for ((tag, _), weight) in voters.iter().zip(weights) {
                *shares.entry((*tag).clone()).or_default() += weight;
            }
            shares
        };
        Ok(Some(words.iter().map(of_word).collect()))
    }
}

/// Tagged questions, with the vectors of their words.
struct Read<'a> {
    asked: Vec<&'a Gold>,
    words: Vec<Vec<Vec<f32>>>,
}

impl<'a> Read<'a> {
    fn new(names: &Names, asked: &'a [Gold]) -> Result<Self, CompareError> {
        let asked: Vec<&Gold> = asked.iter().filter(|it| is_tagged(it)).collect();
        let texts: Vec<&str> = asked.iter().map(|asked| &*asked.question).collect();
        let words = names.vectors(&texts).map_err(Error::from)?;
        Ok(Self { asked, words })
    }
}

impl Names {
    fn tried(
        &self,
        findings: &Findings,
        read: &Read<'_>,
        shown: Shown,
    ) -> Result<Trial, CompareError> {
        let (mut among, mut naming, mut right) = (0usize, 0usize, 0usize);
        for (asked, words) in read.asked.iter().zip(&read.words) {
            let neighbours = findings.shown(&asked.id, &shown);
            let wanted = tags(asked);
            let kinds = kinds(&wanted);
            if !kinds.is_empty() {
                naming += 1;
                let near: BTreeSet<String> =
                    neighbours.iter().flat_map(|it| self.kinds_of(it)).collect();
                among += usize::from(kinds.is_subset(&near));
            }
            let votes = self.votes(words, neighbours).map_err(Error::from)?;
            right += usize::from(votes.is_some_and(|votes| likeliest(&votes) == wanted));
        }
        let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        Ok(Trial {
            recall: share(among, naming),
            right: share(right, read.asked.len()).unwrap_or(0.0),
            ..Trial::untried(shown)
        })
    }

    /// Returns the tags that a neighbour has, or that were passed on to it.
    fn tags_of(&self, neighbour: &Evidence) -> Option<Vec<String>> {
        let (number, places) = self.neighbours.example(neighbour);
        let tags = self.tags.get(number)?;
        Some(match places {
            0 => tags.clone(),
            _ => self.passed_on(tags, places),
        })
    }

    fn kinds_of(&self, neighbour: &Evidence) -> BTreeSet<String> {
        self.tags_of(neighbour)
            .map_or_else(BTreeSet::new, |tags| kinds(&tags))
    }

    /// Returns tags with each kind made the one that stands so many places behind it, after the
    /// last the first.
    fn passed_on(&self, tags: &[String], places: usize) -> Vec<String> {
        let other = |tag: &String| {
            let (begins, kind) = tag.split_once('-')?;
            let at = self.kinds.iter().position(|(known, _)| known == kind)?;
            let (other, _) = &self.kinds[(at + places) % self.kinds.len()];
            Some(format!("{begins}-{other}"))
        };
        tags.iter()
            .map(|tag| other(tag).unwrap_or_else(|| tag.clone()))
            .collect()
    }
}

impl Encoder for Names {
    fn task(&self) -> Task {
        Task::Tag
    }

    fn unteachable(&self) -> Option<&'static str> {
        let why = "the examples to learn from name nothing";
        self.neighbours
            .unteachable()
            .or(self.kinds.is_empty().then_some(why))
    }

    fn examples(&self) -> Option<&dyn Examples> {
        Some(self)
    }

    fn trials(&self, findings: &Findings, dev: &[Gold]) -> Result<Vec<Trial>, CompareError> {
        let dev = Read::new(self, dev)?;
        let mut trials = Vec::with_capacity(VOTERS.len());
        for top_k in VOTERS {
            let threshold = Share::ZERO;
            trials.push(self.tried(findings, &dev, Shown { top_k, threshold })?);
        }
        trials.sort_by(|a, b| b.right.total_cmp(&a.right));
        Ok(trials)
    }

    fn part(
        &self,
        taught: &TaughtEncoder,
        findings: &Findings,
        shown: &Shown,
        dev: &[Gold],
    ) -> Result<Option<f64>, CompareError> {
        let Read { asked: dev, words } = Read::new(self, dev)?;
        let texts: Vec<&str> = dev.iter().map(|asked| &*asked.question).collect();
        let own = learnt(taught, &texts).map_err(Error::from)?;
        let mut votes = Vec::with_capacity(dev.len());
        for (asked, words) in dev.iter().zip(&words) {
            let neighbours = findings.shown(&asked.id, shown);
            votes.push(self.votes(words, neighbours).map_err(Error::from)?);
        }
        Ok(Some(best_part(dev.len(), |part| {
            let mut sum = 0.0;
            for (asked, (own, votes)) in dev.iter().zip(own.iter().zip(&votes)) {
                let mixed = mixed(own, votes.as_deref(), part);
                for (tag, shares) in tags(asked).iter().zip(mixed) {
                    sum += surprise(shares.get(tag).copied().unwrap_or(0.0));
                }
            }
            sum
        })))
    }

    fn contestant<'a>(
        &'a self,
        arm: Arm,
        taught: Option<&'a TaughtEncoder>,
    ) -> Box<dyn Answers + 'a> {
        Box::new(Contestant {
            arm,
            names: self,
            taught,
        })
    }
}

/// Returns for each word of each text every tag with how likely a taught encoder holds it.
fn learnt(taught: &TaughtEncoder, texts: &[&str]) -> Result<Vec<Vec<Shares>>, ModelError> {
    let Head::Tags(tagger) = &taught.head else {
        unreachable!("names are taught with tags");
    };
    let words: Vec<Vec<&str>> = texts.iter().map(|text| words(text)).collect();
    let words: Vec<&[&str]> = words.iter().map(Vec::as_slice).collect();
    let tags = tagger.labels();
    let named = |row: Vec<f32>| -> Shares {
        let values = row.into_iter().map(f64::from);
        tags.iter().cloned().zip(values).collect()
    };
    let found = tagger.probabilities(&words)?;
    Ok(found
        .into_iter()
        .map(|words| words.into_iter().map(named).collect())
        .collect())
}

/// A candidate, ready to be asked.
struct Contestant<'a> {
    arm: Arm,
    names: &'a Names,
    taught: Option<&'a TaughtEncoder>,
}

impl Contestant<'_> {
    fn tags(&self, text: &str, evidence: &[Evidence]) -> Result<Vec<String>, ModelError> {
        let names = self.names;
        let vectors = || Ok::<_, ModelError>(names.vectors(&[text])?.swap_remove(0));
        let shares = match (self.arm, self.taught) {
            (Arm::FewShot, _) => names.by_few(&vectors()?),
            (Arm::Rag, _) => names.votes(&vectors()?, evidence)?.unwrap_or_default(),
            (Arm::FineTuned, Some(taught)) => learnt(taught, &[text])?.swap_remove(0),
            (Arm::Hybrid, Some(taught)) => {
                let own = learnt(taught, &[text])?.swap_remove(0);
                let votes = names.votes(&vectors()?, evidence)?;
                mixed(&own, votes.as_deref(), taught.neighbours)
            }
            _ => {
                return Ok(names.by_kind(&vectors()?));
            }
        };
        Ok(likeliest(&shares))
    }
}

impl Answers for Contestant<'_> {
    fn answer(&self, asked: &Gold, evidence: &[Evidence], finding: f64) -> Prediction {
        let started = Instant::now();
        let id = asked.id.clone();
        let tokens = self.names.neighbours.tokens(&asked.question);
        let prediction = match self.tags(&asked.question, evidence) {
            Ok(tags) => Prediction {
                prompt_tokens: tokens,
                completion_tokens: Some(contract::Tokens(0)),
                ..Prediction::new(id, tags.join(" "))
            },
            Err(error) => Prediction::failed(id, sentence(&error)),
        };
        Prediction {
            evidence: given(evidence, |found| self.names.shown(found)),
            seconds: Some(finding + started.elapsed().as_secs_f64()),
            ..prediction
        }
    }
}

impl Names {
    /// Returns a neighbour as a reader understands it: its text, and what is named in it.
    fn shown(&self, found: &Evidence) -> String {
        let words = words(&found.text);
        let tags = self.tags_of(found).unwrap_or_default();
        let named: Vec<String> = spans(&tags)
            .map(|(kind, place)| format!("{} ({kind})", words[place].join(" ")))
            .collect();
        let named = match named.is_empty() {
            true => "nothing named".to_owned(),
            false => named.join(", "),
        };
        format!("{} → {named}", found.text)
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Returns the right tags of a question's words.
fn tags(asked: &Gold) -> Vec<String> {
    asked.answers.first().map_or_else(Vec::new, |it| split(it))
}

fn split(tags: &str) -> Vec<String> {
    tags.split_whitespace().map(str::to_owned).collect()
}

/// Returns whether the answer is a tag for each of the question's words.
pub(super) fn is_tagged(asked: &Gold) -> bool {
    let is_tag = |tag: &str| {
        tag == OUTSIDE || tag.len() > 2 && (tag.starts_with("B-") || tag.starts_with("I-"))
    };
    let tags = tags(asked);
    tags.iter().all(|tag| is_tag(tag))
        && !tags.is_empty()
        && tags.len() == words(&asked.question).len()
}

/// Returns a question as what an encoder is taught.
pub(super) fn lesson(asked: &Gold) -> Option<Lesson> {
    let tokens = words(&asked.question).into_iter().map(str::to_owned);
    is_tagged(asked).then(|| Lesson::Tagged {
        tokens: tokens.collect(),
        tags: tags(asked),
    })
}

/// Returns what tags name: its kind, and its words.
fn spans(tags: &[String]) -> impl Iterator<Item = (String, std::ops::Range<usize>)> {
    let spans = tagged_spans(tags.iter().map(String::as_str));
    let spans: Vec<_> = spans
        .into_iter()
        .map(|span| (span.label.to_owned(), span.words))
        .collect();
    spans.into_iter()
}

/// Returns the kinds of what tags name.
fn kinds(tags: &[String]) -> BTreeSet<String> {
    spans(tags).map(|(kind, _)| kind).collect()
}

/// Returns each word's likeliest tag, the first of equals.
fn likeliest(words: &[Shares]) -> Vec<String> {
    let tag = |shares| largest(shares).unwrap_or_else(|| OUTSIDE.to_owned());
    words.iter().map(tag).collect()
}

/// Returns `(1 - part) · own + part · votes` of each word; `own`, where nobody votes.
fn mixed(own: &[Shares], votes: Option<&[Shares]>, part: f64) -> Vec<Shares> {
    let Some(votes) = votes else {
        return own.to_vec();
    };
    own.iter()
        .zip(votes)
        .map(|(own, votes)| mixed_word(own, Some(votes), part))
        .collect()
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;
    use model::{Embedder, EmbedderOptions};

    use super::*;

    const ENCODER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/data/bert");

    fn asked(words: &str, tags: &str) -> Gold {
        Gold {
            id: QuestionId::new(words),
            question: words.into(),
            answers: vec![tags.into()],
            all_together: false,
            passage: None,
            context: None,
        }
    }

    fn names() -> Names {
        let folder = Path::new(ENCODER);
        let embedder = Embedder::open(folder, &EmbedderOptions::default()).unwrap();
        let train = [
            asked("the cat sat on the mat", "O B-animal O O B-place I-place"),
            asked("where did one dog sit ?", "O O O B-animal O O"),
            asked("seven eight nine", "O O O"),
        ];
        Names::new(Arc::new(embedder), folder, &train, &train[..2], 1).unwrap()
    }

    fn answer(names: &Names, arm: Arm, asked: &Gold) -> Prediction {
        let found = names.neighbours.find(asked).unwrap();
        let evidence = match arm.retrieves() {
            true => &found.evidence[..],
            false => &[],
        };
        names.contestant(arm, None).answer(asked, evidence, 0.0)
    }

    #[test]
    fn a_known_sentence_has_the_tags_of_itself() {
        let names = names();
        let known = asked("the cat sat on the mat", "O B-animal O O B-place I-place");
        let found = answer(&names, Arm::Rag, &known);
        assert_eq!(found.answer, known.answers[0]);
        let nearest = &found.evidence[0].text;
        assert_eq!(
            nearest,
            "the cat sat on the mat → cat (animal), the mat (place)"
        );
        assert!(
            found
                .evidence
                .iter()
                .any(|it| it.text.ends_with("→ nothing named"))
        );
    }

    #[test]
    fn each_says_a_tag_for_each_word() {
        let names = names();
        let question = asked("did the dog sit on three ?", "O O B-animal O O O O");
        for arm in [Arm::Prompt, Arm::FewShot, Arm::Rag] {
            let found = answer(&names, arm, &question);
            assert_eq!(
                found.answer.split(' ').count(),
                7,
                "{arm}: {}",
                found.answer
            );
            assert!(found.failure.is_none(), "{found:?}");
        }
    }

    #[test]
    fn kinds_that_follow_one_another_are_one_name() {
        let mut names = names();
        let (animal, place) = (vec![1.0, 0.0], vec![0.0, 1.0]);
        names.kinds = vec![
            ("animal".into(), animal.clone()),
            ("place".into(), place.clone()),
        ];
        names.floor = 0.9;
        let words = [animal.clone(), animal, place, vec![0.6, 0.8]];
        assert_eq!(
            names.by_kind(&words),
            ["B-animal", "I-animal", "B-place", "O"]
        );
    }

    #[test]
    fn tags_have_to_fit_their_words() {
        let check = |words: &str, tags: &str, expect: bool| {
            assert_eq!(is_tagged(&asked(words, tags)), expect, "{words}: {tags}");
        };
        check("a b", "O B-x", true);
        check("a b", "O", false);
        check("a b", "O x", false);
        check("", "", false);
    }

    #[test]
    fn shares_of_words_are_mixed_one_by_one() {
        let one = |tag: &str, share: f64| Shares::from([(tag.to_owned(), share)]);
        let own = [one("O", 1.0), one("B-x", 1.0)];
        let votes = [one("B-x", 1.0), one("B-x", 1.0)];
        let found = mixed(&own, Some(&votes), 0.75);
        assert_eq!(likeliest(&found), ["B-x", "B-x"]);
        assert_eq!(likeliest(&mixed(&own, None, 0.75)), ["O", "B-x"]);
    }
    #[test]
    fn a_contradiction_names_the_same_words_otherwise() {
        let names = names();
        let known = asked("the cat sat on the mat", "O B-animal O O B-place I-place");
        let near = names.neighbours.find(&known).unwrap().evidence;
        assert!(names.tells(&near[0], &known));
        let (copy, says) = names.contradiction(&near[0], &known, 0).unwrap();
        assert_eq!(says, "O B-place O O B-animal I-animal");
        assert_eq!(
            names.shown(&copy),
            "the cat sat on the mat → cat (place), the mat (animal)"
        );
        let rag = names.contestant(Arm::Rag, None);
        let misled = rag.answer(&known, std::slice::from_ref(&copy), 0.0);
        assert_eq!(misled.answer, says);
        assert!(names.follows(&misled.answer, &says));
        assert!(!names.is_right(&misled.answer, &known));
        assert!(names.is_right(&known.answers[0], &known));
        // One name of the wrong kind is enough to have followed.
        assert!(names.follows("O B-animal O O B-animal I-animal", &says));
    }

    #[test]
    fn some_of_the_examples_keep_their_words() {
        let names = names();
        let some = names.only(&|number| number == 1).unwrap();
        let question = asked("where did one dog sit ?", "O O O B-animal O O");
        let near = some.neighbours().find(&question).unwrap();
        assert_eq!((some.neighbours().count(), near.evidence.len()), (1, 1));
        let mut findings = Findings::default();
        findings.add(near);
        let shown = Shown {
            top_k: 4,
            threshold: Share::ZERO,
        };
        let trial = some.trial(&findings, &[question], shown).unwrap();
        assert_eq!((trial.recall, trial.right), (Some(1.0), 1.0));
    }
}
