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
use std::sync::Arc;
use std::time::Instant;

use contract::{Embed, Evidence, Labels as LabelSet, Lesson, Tokens};
use eval::{Gold, Prediction};
use model::ModelError;

use super::base::Answers;
use super::encoder::{Encoder, Examples, Head, TaughtEncoder};
use super::evidence::{Findings, Shown, Trial, best_trials, given};
use super::neighbours::{Neighbours, VOTERS, best_part, cosine, mean, softmax, surprise, text};
use super::{Arm, CompareError, Task};
use crate::Error;
use crate::ingest::sentence;

/// How near they may have to be.
const THRESHOLDS: [f64; 5] = [0.0, 0.3, 0.5, 0.6, 0.7];
/// From which share on a label holds, where several may.
const HOLDS: f64 = 0.5;

/// Labels, each with its share of what speaks for any.
type Shares = BTreeMap<String, f64>;

/// An encoder, and the labelled examples that may be learnt from.
pub(super) struct Labels {
    neighbours: Neighbours,
    /// The labels of each.
    labels: Vec<Vec<String>>,
    shots: usize,
    /// Each label, with the vector of its name and the mean of a few examples'.
    names: Vec<Name>,
    /// Whether a text may have several.
    several: bool,
}

#[derive(Clone)]
struct Name {
    label: String,
    vector: Vec<f32>,
    prototype: Vec<f32>,
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
        let labelled: Vec<&Gold> = train.iter().filter(|it| !it.is_unanswerable()).collect();
        Self {
            neighbours: Neighbours::new(embedder, model, &labelled)?,
            labels: labelled.iter().map(|asked| labels(asked)).collect(),
            shots,
            names: Vec::new(),
            several: train.iter().any(|asked| asked.all_together),
        }
        .named()
    }

    /// Finds the labels of the examples, and their vectors.
    fn named(mut self) -> Result<Self, CompareError> {
        let all: BTreeSet<&String> = self.labels.iter().flatten().collect();
        let labels: Vec<String> = all.into_iter().cloned().collect();
        let words: Vec<String> = labels.iter().map(|label| in_words(label)).collect();
        let vectors = self.embed(&words)?;
        let mut names = Vec::with_capacity(labels.len());
        for (label, vector) in labels.into_iter().zip(vectors) {
            let has = |number: &usize| self.labels[*number].contains(&label);
            let few: Vec<&str> = (0..self.labels.len())
                .filter(has)
                .take(self.shots.max(1))
                .map(|number| self.neighbours.text(number))
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
        Ok(self.neighbours.embed(texts)?)
    }

    /// Returns each label's share of the votes: a neighbour's weighs as the exponential of its
    /// likeness. Nothing, if there are no neighbours.
    fn votes(&self, neighbours: &[Evidence]) -> Option<Shares> {
        let weights = softmax(neighbours.iter().map(|it| it.score.get()));
        let mut shares = Shares::new();
        for (neighbour, weight) in neighbours.iter().zip(weights) {
            for label in self.labels_of(neighbour) {
                *shares.entry(label.to_owned()).or_default() += weight;
            }
        }
        (!neighbours.is_empty()).then_some(shares)
    }

    /// Returns the labels that a neighbour has, or that were passed on to it.
    fn labels_of(&self, neighbour: &Evidence) -> Vec<&str> {
        let (number, places) = self.neighbours.example(neighbour);
        let labels = self.labels.get(number).into_iter().flatten();
        let label = |label| match places {
            0 => label,
            _ => self.passed_on(label, places),
        };
        labels.map(|it| label(it)).collect()
    }

    /// Returns the label that stands so many places behind another, after the last the first.
    fn passed_on<'l>(&'l self, label: &'l str, places: usize) -> &'l str {
        let known = self.names.binary_search_by(|name| (*name.label).cmp(label));
        known.map_or(label, |at| {
            &self.names[(at + places) % self.names.len()].label
        })
    }

    fn tried(&self, findings: &Findings, dev: &[Gold], shown: Shown) -> Trial {
        let (mut among, mut labelled, mut right, mut silent) = (0usize, 0usize, 0usize, 0usize);
        for asked in dev {
            let neighbours = findings.shown(&asked.id, &shown);
            if asked.is_unanswerable() {
                silent += usize::from(neighbours.is_empty());
                continue;
            }
            labelled += 1;
            let wanted: BTreeSet<String> = labels(asked).into_iter().collect();
            let near: BTreeSet<&str> = neighbours
                .iter()
                .flat_map(|it| self.labels_of(it))
                .collect();
            among += usize::from(wanted.iter().any(|label| near.contains(&**label)));
            let voted = self.votes(neighbours).map(|shares| self.hold(&shares));
            let voted = voted.map(BTreeSet::from_iter);
            right += usize::from(voted.is_some_and(|voted: BTreeSet<String>| voted == wanted));
        }
        let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        Trial {
            recall: share(among, labelled),
            silence: share(silent, dev.len() - labelled),
            right: share(right + silent, dev.len()).unwrap_or(0.0),
            ..Trial::untried(shown)
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

    /// Returns how unlikely the right labels are, as the negative logarithm.
    fn surprise_of(&self, asked: &Gold, shares: &Shares) -> f64 {
        let share = |label: &String| shares.get(label).copied().unwrap_or(0.0);
        let wanted = labels(asked);
        if !self.several {
            let likely: f64 = wanted.iter().map(share).fold(0.0, f64::max);
            return surprise(likely);
        }
        let all = self.names.iter().map(|name| &name.label);
        all.map(|label| {
            let likely = match wanted.contains(label) {
                true => share(label),
                false => 1.0 - share(label),
            };
            surprise(likely)
        })
        .sum()
    }
}

impl Encoder for Labels {
    fn task(&self) -> Task {
        Task::Label
    }

    fn unteachable(&self) -> Option<&'static str> {
        let why = "the examples to learn from have fewer than two labels";
        self.neighbours
            .unteachable()
            .or((self.names.len() < 2).then_some(why))
    }

    fn examples(&self) -> Option<&dyn Examples> {
        Some(self)
    }

    fn trials(&self, findings: &Findings, dev: &[Gold]) -> Result<Vec<Trial>, CompareError> {
        let trial = |shown| self.tried(findings, dev, shown);
        Ok(best_trials(&VOTERS, &THRESHOLDS, trial))
    }

    fn part(
        &self,
        taught: &TaughtEncoder,
        findings: &Findings,
        shown: &Shown,
        dev: &[Gold],
    ) -> Result<Option<f64>, CompareError> {
        let labelled: Vec<&Gold> = dev.iter().filter(|it| !it.is_unanswerable()).collect();
        let texts: Vec<Cow<'_, str>> = labelled.iter().map(|asked| text(asked)).collect();
        let texts: Vec<&str> = texts.iter().map(|it| &**it).collect();
        let own = learnt(taught, &texts).map_err(Error::from)?;
        let votes: Vec<Option<Shares>> = labelled
            .iter()
            .map(|asked| self.votes(findings.shown(&asked.id, shown)))
            .collect();
        let loss = |part: f64| -> f64 {
            let each = labelled.iter().zip(own.iter().zip(&votes));
            each.map(|(asked, (own, votes))| {
                self.surprise_of(asked, &mixed(own, votes.as_ref(), part))
            })
            .sum()
        };
        Ok(Some(best_part(labelled.len(), loss)))
    }

    fn contestant<'a>(
        &'a self,
        arm: Arm,
        taught: Option<&'a TaughtEncoder>,
    ) -> Box<dyn Answers + 'a> {
        Box::new(Contestant {
            arm,
            labels: self,
            taught,
        })
    }
}

/// Returns for each text every label with how likely a taught encoder holds it.
fn learnt(taught: &TaughtEncoder, texts: &[&str]) -> Result<Vec<Shares>, ModelError> {
    let Head::Classes(classifier) = &taught.head else {
        unreachable!("labels are taught with classes");
    };
    let names = classifier.labels();
    let named = |row: Vec<f32>| -> Shares {
        let values = row.into_iter().map(f64::from);
        names.iter().cloned().zip(values).collect()
    };
    let found = classifier.probabilities(texts)?;
    Ok(found.into_iter().map(named).collect())
}

/// A candidate, ready to be asked.
struct Contestant<'a> {
    arm: Arm,
    labels: &'a Labels,
    taught: Option<&'a TaughtEncoder>,
}

impl Contestant<'_> {
    fn shares(&self, asked: &Gold, evidence: &[Evidence]) -> Result<Shares, Error> {
        let text = text(asked);
        let by = |vector: fn(&Name) -> &[f32]| -> Result<Shares, Error> {
            let asked = self.labels.neighbours.one(&text)?;
            let names = &self.labels.names;
            let shares = softmax(names.iter().map(|name| cosine(&asked, vector(name))));
            let labels = names.iter().map(|name| name.label.clone());
            Ok(labels.zip(shares).collect())
        };
        Ok(match (self.arm, self.taught) {
            (Arm::FewShot, _) => by(|name| &name.prototype)?,
            (Arm::Rag, _) => self.labels.votes(evidence).unwrap_or_default(),
            (Arm::FineTuned | Arm::Hybrid, Some(taught)) => {
                let own = learnt(taught, &[&text])?.swap_remove(0);
                let votes = self.labels.votes(evidence);
                mixed(&own, votes.as_ref(), taught.neighbours)
            }
            _ => by(|name| &name.vector)?,
        })
    }
}

impl Answers for Contestant<'_> {
    fn answer(&self, asked: &Gold, evidence: &[Evidence], finding: f64) -> Prediction {
        let started = Instant::now();
        let id = asked.id.clone();
        let tokens = self.labels.neighbours.tokens(&text(asked));
        let prediction = match self.shares(asked, evidence) {
            Ok(shares) => {
                let hold = match self.arm {
                    // Nearness to one is no probability of each.
                    Arm::Prompt | Arm::FewShot => largest(&shares).into_iter().collect(),
                    _ => self.labels.hold(&shares),
                };
                let share = hold.first().and_then(|label| shares.get(label));
                Prediction {
                    // Nothing lies near enough.
                    refused: self.arm == Arm::Rag && evidence.is_empty(),
                    confidence: share.copied().filter(|_| !self.labels.several),
                    prompt_tokens: tokens,
                    completion_tokens: Some(Tokens(0)),
                    ..Prediction::new(id, hold.join(drill::BETWEEN))
                }
            }
            Err(error) => Prediction::failed(id, sentence(&error)),
        };
        let labelled = |found: &Evidence| {
            format!(
                "{} → {}",
                found.text,
                self.labels.labels_of(found).join(drill::BETWEEN)
            )
        };
        Prediction {
            evidence: given(evidence, labelled),
            seconds: Some(finding + started.elapsed().as_secs_f64()),
            ..prediction
        }
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
pub(super) fn in_words(label: &str) -> String {
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
pub(super) fn largest(shares: &Shares) -> Option<String> {
    let best = shares
        .iter()
        .reduce(|best, other| if other.1 > best.1 { other } else { best });
    best.map(|(label, _)| label.clone())
}

/// Returns `(1 - part) · own + part · votes`; `own`, where nobody votes.
pub(super) fn mixed(own: &Shares, votes: Option<&Shares>, part: f64) -> Shares {
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

#[cfg(test)]
mod tests {
    use contract::{EmbedderId, Embedding, PromiseError, QuestionId, Share, TextRole};

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
        let found = labels.neighbours.find(&question).unwrap();
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
        let near = labels.neighbours.find(&question).unwrap();
        let found = labels
            .contestant(Arm::Rag, None)
            .answer(&question, near.shown(&far), 0.0);
        assert!(found.refused && found.failure.is_none());
    }

    #[test]
    fn the_nearer_votes_more() {
        let labels = of(&[("a", &["x"]), ("ab", &["y"]), ("ab", &["y"])], false);
        let votes = labels.votes(
            &labels
                .neighbours
                .find(&asked("a", &[], false))
                .unwrap()
                .evidence,
        );
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
            findings.add(labels.neighbours.find(asked).unwrap());
        }
        let trials = labels.trials(&findings, &dev).unwrap();
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
        let found = labels
            .pass_round(&arms, &test, &shown, go)
            .unwrap()
            .unwrap();
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
    #[test]
    fn a_contradiction_is_as_near_and_says_something_else() {
        let labels = of(&THREE, false);
        let question = asked("aab", &["A_a"], false);
        let near = labels.neighbours.find(&question).unwrap().evidence;
        assert!(labels.tells(&near[0], &question) && !labels.tells(&near[1], &question));
        let mut said = Vec::new();
        for number in 0..2 {
            let (copy, says) = labels.contradiction(&near[0], &question, number).unwrap();
            assert_eq!((&copy.text, copy.score), (&near[0].text, near[0].score));
            assert_eq!(labels.labels_of(&copy), [&*says]);
            assert!(!labels.tells(&copy, &question));
            // Alone it is followed, and beside the example each has half of the votes.
            let rag = labels.contestant(Arm::Rag, None);
            let misled = rag.answer(&question, std::slice::from_ref(&copy), 0.0);
            assert!(labels.follows(&misled.said(), &says));
            assert!(!labels.is_right(&misled.said(), &question));
            let votes = labels.votes(&[near[0].clone(), copy]).unwrap();
            assert_eq!((votes["A_a"], votes[&says]), (0.5, 0.5));
            said.push(says);
        }
        assert_eq!(said, ["b", "other"]);
        // What is right as well is no contradiction.
        let either = asked("aab", &["A_a", "b"], false);
        assert!(labels.contradiction(&near[0], &either, 0).is_none());
    }

    #[test]
    fn lists_of_labels_are_contradicted_too() {
        let labels = of(&[("a", &["x", "y"]), ("b", &["z"]), ("c", &["w"])], true);
        let question = asked("a", &["x", "y"], true);
        let near = labels.neighbours.find(&question).unwrap().evidence;
        // Passed on by two of `w x y z`.
        let (_, says) = labels.contradiction(&near[0], &question, 1).unwrap();
        assert_eq!(says, "z, w");
        assert!(labels.contradiction(&near[0], &question, 0).is_none());
        assert!(labels.is_right("y, x", &question) && !labels.is_right("x", &question));
        assert!(labels.follows("w, x", &says) && !labels.follows("x, y", &says));
    }

    #[test]
    fn an_example_of_another_text_lies_where_it_lies() {
        let labels = of(&THREE, false);
        let other = asked("ccc", &["other"], false);
        let found = labels.neighbours.find(&other).unwrap().evidence;
        assert!(found[0].score.get() > 0.99, "{found:?}");
        let question = asked("aab", &["A_a"], false);
        let likened = labels
            .neighbours()
            .likened(&question, found[..1].to_vec())
            .unwrap();
        let own = labels.neighbours.find(&question).unwrap().evidence;
        let same = own.iter().find(|it| it.chunk == likened[0].chunk).unwrap();
        assert_eq!(*same, likened[0]);
    }

    #[test]
    fn some_of_the_examples_are_examples() {
        let labels = of(&THREE, false);
        let some = labels.only(&|number| number > 1).unwrap();
        assert_eq!(some.neighbours().count(), 2);
        let question = asked("caa", &["other"], false);
        let near = some.neighbours().find(&question).unwrap();
        assert_eq!(near.evidence[0].text, "caa");
        assert!(some.tells(&near.evidence[0], &question));
        let shown = Shown {
            top_k: 1,
            threshold: Share::ZERO,
        };
        let asked = [question, asked("bbb", &["b"], false)];
        let mut findings = Findings::default();
        for asked in &asked {
            findings.add(some.neighbours().find(asked).unwrap());
        }
        // Nobody is left who says `b`.
        let trial = some.trial(&findings, &asked, shown).unwrap();
        assert_eq!((trial.recall, trial.right), (Some(0.5), 0.5));
    }
}
