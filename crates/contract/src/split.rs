//! The three sets, made together.
//!
//! A model learns from the [`TrainSet`], is watched on the [`DevSet`], and is judged on
//! the [`TestSet`]. The three come out of one [`split`] (or of files that others have
//! divided, by [`held_out`]) and nothing turns one into another:
//!
//! ```compile_fail
//! fn learn(_: &contract::TrainSet) {}
//! fn cheat(sets: &contract::Sets) {
//!     learn(&sets.test); // the examination is not there to learn from
//! }
//! ```
//!
//! ```compile_fail
//! fn cheat(sets: contract::Sets) -> contract::TrainSet {
//!     contract::TrainSet { examples: sets.test.examples().to_vec() }
//! }
//! ```

use std::collections::{BTreeMap, HashMap};

use crate::{Example, Lesson, QuestionId, Share};

/// How examples are divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// Decides which examples come to which side; with the examples' own text, nothing
    /// else does, so that their order in the file is of no account.
    pub seed: u64,
    /// The part that training is watched on.
    pub dev: Share,
    /// The part that the result is judged on. Together with `dev` at most 1.
    pub test: Share,
}

/// The three sets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sets {
    /// What the model learns from.
    pub train: TrainSet,
    /// What it is watched on while it learns.
    pub dev: DevSet,
    /// What it is judged on in the end.
    pub test: TestSet,
}

macro_rules! set {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            examples: Vec<Example>,
        }

        impl $name {
            /// Returns the examples, in the order in which they were read.
            pub fn examples(&self) -> &[Example] {
                &self.examples
            }

            /// Returns how many there are.
            pub fn len(&self) -> usize {
                self.examples.len()
            }

            /// Returns whether there are none.
            pub fn is_empty(&self) -> bool {
                self.examples.is_empty()
            }
        }
    };
}

set! {
    /// The examples that a model learns from. Made only by [`split`] and [`held_out`].
    TrainSet
}

set! {
    /// The examples that training is watched on, and that choose between settings. Made
    /// only by [`split`] and [`held_out`].
    DevSet
}

set! {
    /// The examples that a result is judged on. Made only by [`split`] and [`held_out`].
    TestSet
}

/// Divides `examples` into the three sets.
///
/// Examples of one passage, with the same input, or with the same number in `alike`
/// (near-duplicates, found by whoever knows texts; empty if nobody looked) stand on one
/// side. Labels keep their proportions as far as that allows; a label that all hangs
/// together stays in training.
///
/// # Panics
/// If `alike` is neither empty nor as long as `examples`.
pub fn split(examples: Vec<Example>, alike: &[u32], recipe: &Split) -> Sets {
    assert!(
        alike.is_empty() || alike.len() == examples.len(),
        "every example is like some group, or nobody looked"
    );
    let groups = groups(&examples, alike);
    let mut strata: BTreeMap<&str, Vec<&Group>> = BTreeMap::new();
    for group in &groups {
        strata
            .entry(group.stratum(&examples))
            .or_default()
            .push(group);
    }
    let mut side = vec![Side::Train; examples.len()];
    // What rounding and whole groups left over in one stratum, the next makes good.
    let (mut owed_dev, mut owed_test) = (0.0, 0.0);
    for groups in strata.values_mut() {
        groups.sort_by_cached_key(|group| group.order(&examples, recipe.seed));
        let size: usize = groups.iter().map(|group| group.members.len()).sum();
        owed_test += recipe.test.get() * size as f64;
        owed_dev += recipe.dev.get() * size as f64;
        // The last of a stratum stays, so that every label can be learnt; unless
        // nothing is to be learnt at all.
        let all = recipe.test.get() + recipe.dev.get() >= 1.0;
        let may_go = if all { groups.len() } else { groups.len() - 1 };
        let mut gone = 0;
        for group in groups.iter() {
            if gone == may_go {
                break;
            }
            let half = group.members.len() as f64 / 2.0;
            let (to, owed) = if owed_test >= owed_dev && (owed_test >= half || all) {
                (Side::Test, &mut owed_test)
            } else if owed_dev >= half || all {
                (Side::Dev, &mut owed_dev)
            } else if owed_test >= half {
                (Side::Test, &mut owed_test)
            } else {
                continue;
            };
            *owed -= group.members.len() as f64;
            gone += 1;
            for member in &group.members {
                side[*member] = to;
            }
        }
        // But not at the cost of a small stratum.
        owed_dev = owed_dev.min(1.0);
        owed_test = owed_test.min(1.0);
    }
    let mut sets = Sets::default();
    for (example, side) in examples.into_iter().zip(side) {
        match side {
            Side::Train => sets.train.examples.push(example),
            Side::Dev => sets.dev.examples.push(example),
            Side::Test => sets.test.examples.push(example),
        }
    }
    sets
}

/// Takes sides that someone else has divided. What asks the same in training as on a
/// side held out, or in the development set as in the test, is left out of the former
/// and named, with whom it repeats.
pub fn held_out(train: Vec<Example>, dev: Vec<Example>, test: Vec<Example>) -> HeldOut {
    let mut asked: HashMap<u128, QuestionId> = HashMap::new();
    let mut repeated = Vec::new();
    let mut take = |examples: Vec<Example>| -> Vec<Example> {
        let mut own = Vec::new();
        let mut kept = Vec::new();
        for example in examples {
            let key = whole(&example.lesson);
            if let Some(of) = asked.get(&key) {
                repeated.push((example.id, of.clone()));
            } else {
                own.push((key, example.id.clone()));
                kept.push(example);
            }
        }
        asked.extend(own);
        kept
    };
    let test = take(test);
    let dev = take(dev);
    let train = take(train);
    HeldOut {
        sets: Sets {
            train: TrainSet { examples: train },
            dev: DevSet { examples: dev },
            test: TestSet { examples: test },
        },
        repeated,
    }
}

/// What [`held_out`] makes.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// The sets.
    pub sets: Sets,
    /// Each example that was left out, and the one held out that asks the same.
    pub repeated: Vec<(QuestionId, QuestionId)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Train,
    Dev,
    Test,
}

/// Examples that must stay together.
struct Group {
    /// Their places, ascending.
    members: Vec<usize>,
}

impl Group {
    /// Returns the stratum of most of its members; of as many, the first in the alphabet.
    fn stratum<'a>(&self, examples: &'a [Example]) -> &'a str {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for member in &self.members {
            *counts
                .entry(examples[*member].lesson.stratum())
                .or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or(0);
        counts
            .into_iter()
            .find(|(_, count)| *count == most)
            .map_or("", |(stratum, _)| stratum)
    }

    /// Returns its place in the order that `seed` gives: by what its members say.
    fn order(&self, examples: &[Example], seed: u64) -> u64 {
        self.members
            .iter()
            .map(|member| scattered(seed, asked(&examples[*member].lesson)))
            .min()
            .expect("a group has members")
    }
}

/// Returns what must stay together, each group once, by its first member.
fn groups(examples: &[Example], alike: &[u32]) -> Vec<Group> {
    let mut above: Vec<usize> = (0..examples.len()).collect();
    fn root(above: &mut [usize], mut of: usize) -> usize {
        while above[of] != of {
            above[of] = above[above[of]];
            of = above[of];
        }
        of
    }
    #[derive(PartialEq, Eq, Hash)]
    enum Shared<'a> {
        Passage(&'a str),
        Input(u128),
        Alike(u32),
    }
    let mut first: HashMap<Shared<'_>, usize> = HashMap::new();
    for (place, example) in examples.iter().enumerate() {
        let passage = example.passage.as_ref();
        let shared = passage
            .map(|passage| Shared::Passage(&passage.0))
            .into_iter()
            .chain([Shared::Input(asked(&example.lesson))])
            .chain(alike.get(place).map(|group| Shared::Alike(*group)));
        for key in shared {
            let other = *first.entry(key).or_insert(place);
            let (a, b) = (root(&mut above, other), root(&mut above, place));
            above[a.max(b)] = a.min(b);
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..examples.len() {
        let root = root(&mut above, place);
        members.entry(root).or_default().push(place);
    }
    members
        .into_values()
        .map(|members| Group { members })
        .collect()
}

/// Returns a number that two lessons share if they ask the same: by the words of their
/// input, whatever their case and what stands between them.
fn asked(lesson: &Lesson) -> u128 {
    fingerprint([lesson.input().as_str()])
}

/// As [`asked`], where a question asked of another passage is another question.
fn whole(lesson: &Lesson) -> u128 {
    match lesson {
        Lesson::Question {
            question,
            context: Some(context),
            ..
        } => fingerprint([question.as_str(), context]),
        other => asked(other),
    }
}

/// FNV-1a of 128 bits (Fowler, Noll and Vo; RFC 9923) over the words of `texts`: chance
/// puts two of ten million different texts together once in 10²⁴ times.
fn fingerprint<'a>(texts: impl IntoIterator<Item = &'a str>) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = OFFSET;
    let mut take = |byte: u8| hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    for text in texts {
        let mut any = false;
        for word in text
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            any = true;
            for letter in word.chars().flat_map(char::to_lowercase) {
                letter.encode_utf8(&mut [0; 4]).bytes().for_each(&mut take);
            }
            take(b' ');
        }
        if !any {
            // Without a word in it, it is its signs.
            text.bytes().for_each(&mut take);
        }
        take(0);
    }
    hash
}

/// Scatters what `seed` and `hash` say over all numbers (the finaliser of `SplitMix64`,
/// Steele, Lea and Flood 2014).
fn scattered(seed: u64, hash: u128) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (hash as u64) ^ (hash >> 64) as u64;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, PassageId};

    fn labelled(number: usize, label: &str) -> Example {
        Example {
            id: QuestionId::new(format!("a.jsonl:{number}")),
            passage: None,
            document: None,
            lesson: Lesson::Labelled {
                text: format!("text number {number}"),
                labels: Labels::One(label.into()),
            },
        }
    }

    fn recipe(seed: u64, dev: f64, test: f64) -> Split {
        Split {
            seed,
            dev: Share::clamped(dev),
            test: Share::clamped(test),
        }
    }

    fn many() -> Vec<Example> {
        (0..1000)
            .map(|number| labelled(number, if number % 10 == 0 { "rare" } else { "often" }))
            .collect()
    }

    #[test]
    fn labels_keep_their_proportions() {
        let sets = split(many(), &[], &recipe(1, 0.1, 0.2));
        assert_eq!(
            (sets.train.len(), sets.dev.len(), sets.test.len()),
            (700, 100, 200)
        );
        let rare = |examples: &[Example]| {
            examples
                .iter()
                .filter(|example| example.lesson.stratum() == "rare")
                .count()
        };
        assert_eq!(rare(sets.test.examples()), 20);
        assert_eq!(rare(sets.dev.examples()), 10);
    }

    #[test]
    fn the_seed_decides_and_the_order_does_not() {
        let set = |examples: Vec<Example>, seed| {
            let mut ids: Vec<String> = split(examples, &[], &recipe(seed, 0.1, 0.1))
                .test
                .examples()
                .iter()
                .map(|example| example.id.to_string())
                .collect();
            ids.sort();
            ids
        };
        let mut turned = many();
        turned.reverse();
        assert_eq!(set(many(), 3), set(turned, 3));
        assert_ne!(set(many(), 3), set(many(), 4));
    }

    #[test]
    fn what_belongs_together_stays_together() {
        let mut examples = many();
        for (number, example) in examples.iter_mut().enumerate() {
            // Passages of seven; the first two hundred are also alike in pairs.
            example.passage = Some(PassageId(format!("p{}", number / 7)));
        }
        let alike: Vec<u32> = (0..1000)
            .map(|number| if number < 200 { number % 100 } else { number })
            .collect();
        let sets = split(examples, &alike, &recipe(5, 0.2, 0.3));
        let passages = |examples: &[Example]| -> std::collections::BTreeSet<String> {
            examples
                .iter()
                .map(|example| example.passage.as_ref().unwrap().0.clone())
                .collect()
        };
        let (train, dev, test) = (
            passages(sets.train.examples()),
            passages(sets.dev.examples()),
            passages(sets.test.examples()),
        );
        assert!(train.is_disjoint(&dev) && train.is_disjoint(&test) && dev.is_disjoint(&test));
        assert!(sets.test.len().abs_diff(300) < 40, "{}", sets.test.len());
        let number =
            |example: &Example| -> u32 { example.id.as_str()["a.jsonl:".len()..].parse().unwrap() };
        let tested: Vec<u32> = sets.test.examples().iter().map(number).collect();
        for one in tested.iter().filter(|one| **one < 100) {
            assert!(tested.contains(&(one + 100)), "{one} without its like");
        }
    }

    #[test]
    fn the_same_words_are_the_same_question() {
        let mut examples: Vec<Example> = (0..50).map(|number| labelled(number, "a")).collect();
        for number in 0..50 {
            let mut again = labelled(number, "b");
            again.lesson = Lesson::Labelled {
                text: format!("Text  NUMBER: {number}!"),
                labels: Labels::One("b".into()),
            };
            examples.push(again);
        }
        let sets = split(examples, &[], &recipe(1, 0.0, 0.5));
        let numbers: Vec<&str> = sets.test.examples().iter().map(|e| e.id.as_str()).collect();
        assert_eq!(numbers.len(), 50);
        for id in &numbers {
            assert_eq!(
                numbers.iter().filter(|other| other == &id).count(),
                2,
                "{id}"
            );
        }
    }

    #[test]
    fn a_label_seen_once_is_learnt() {
        let examples = (0..40)
            .map(|number| labelled(number, &format!("label {number}")))
            .collect();
        assert_eq!(split(examples, &[], &recipe(1, 0.25, 0.25)).train.len(), 40);
    }

    #[test]
    fn all_may_be_held_out() {
        let sets = split(many(), &[], &recipe(1, 0.0, 1.0));
        assert_eq!(
            (sets.train.len(), sets.dev.len(), sets.test.len()),
            (0, 0, 1000)
        );
    }

    #[test]
    fn what_is_asked_in_the_test_is_not_learnt() {
        let train = vec![
            labelled(1, "a"),
            labelled(2, "a"),
            labelled(2, "a"),
            labelled(3, "a"),
        ];
        let dev = vec![labelled(1, "a"), labelled(4, "a")];
        let test = vec![labelled(4, "a"), labelled(5, "a"), labelled(5, "a")];
        let held = held_out(train, dev, test);
        let sets = &held.sets;
        assert_eq!(
            (sets.train.len(), sets.dev.len(), sets.test.len()),
            (3, 1, 3)
        );
        let id = |number: usize| QuestionId::new(format!("a.jsonl:{number}"));
        assert_eq!(held.repeated, [(id(4), id(4)), (id(1), id(1))]);
    }
}
