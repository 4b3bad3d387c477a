//! How rich a text is, and how much it repeats itself.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Words of a stretch in which different words are counted.
const SHORT: usize = 1000;
/// Words of a stretch in which different pairs and triples are counted.
const LONG: usize = 10_000;
/// Words of what must not be repeated.
const PHRASE: usize = 5;
/// Shorter texts repeat nothing worth speaking of.
const FEWEST: usize = 30;

/// Counts how many words, pairs and triples differ. A share of different words falls with
/// the length of a text, so it is taken over stretches of one length and averaged, which
/// makes data sets of different sizes comparable (Johnson's mean segmental type-token
/// ratio; distinct-n is Li et al. 2016).
#[derive(Debug, Default)]
pub struct Richness {
    words: Vec<u64>,
    sums: [Mean; 3],
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn get(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl Richness {
    /// Takes the next text.
    pub fn push(&mut self, text: &str) {
        for word in words(text) {
            self.words.push(hash(&word));
            if self.words.len() == LONG {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        for short in self.words.chunks(SHORT) {
            if short.len() == SHORT || self.words.len() < SHORT {
                self.sums[0].add(different(short, 1));
            }
        }
        for size in [2, 3] {
            if self.words.len() >= size {
                self.sums[size - 1].add(different(&self.words, size));
            }
        }
        self.words.clear();
    }

    /// Returns the shares of different words (of each 1,000), pairs and triples (of each
    /// 10,000 words), as far as there are any. A rest that is shorter counts only where
    /// there is nothing else.
    pub fn shares(mut self) -> [Option<f64>; 3] {
        if self.sums[1].count == 0 {
            self.close();
        }
        self.sums.map(Mean::get)
    }
}

/// Returns the share of stretches of `size` words that are different.
fn different(words: &[u64], size: usize) -> f64 {
    let all = words.windows(size);
    let count = all.len();
    all.collect::<HashSet<_>>().len() as f64 / count as f64
}

/// Returns the share of a text's words that stand in a phrase of five that the text has
/// more than once (Rae et al. 2021, "repetition removal"). 0 for a text of fewer than 30
/// words.
pub fn repetition(text: &str) -> f64 {
    let words: Vec<u64> = words(text).map(|word| hash(&word)).collect();
    if words.len() < FEWEST {
        return 0.0;
    }
    let mut counts: HashMap<&[u64], u32> = HashMap::new();
    for phrase in words.windows(PHRASE) {
        *counts.entry(phrase).or_default() += 1;
    }
    let mut repeated = vec![false; words.len()];
    for (place, phrase) in words.windows(PHRASE).enumerate() {
        if counts[phrase] > 1 {
            repeated[place..place + PHRASE].fill(true);
        }
    }
    repeated.iter().filter(|it| **it).count() as f64 / words.len() as f64
}

/// Returns the words of a text, in lower case; of a script without spaces each letter is
/// one.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .flat_map(|word| {
            let mut parts = vec![String::new()];
            for letter in word.chars() {
                if matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}') {
                    parts.push(letter.to_string());
                    parts.push(String::new());
                } else if let Some(last) = parts.last_mut() {
                    last.extend(letter.to_lowercase());
                }
            }
            parts.into_iter().filter(|part| !part.is_empty())
        })
}

fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_script() {
        let found: Vec<String> = words("It's 東京 Tower-3").collect();
        assert_eq!(found, ["it", "s", "東", "京", "tower", "3"]);
    }

    #[test]
    fn richness_does_not_depend_on_size() {
        let shares = |times: u32| {
            let mut richness = Richness::default();
            for round in 0..times {
                // Forty thousand words, never the same thousand twice.
                let text: Vec<String> = (0..10_000)
                    .map(|word| format!("w{}", (word + round * 7) % 500))
                    .collect();
                richness.push(&text.join(" "));
            }
            richness.shares().map(Option::unwrap)
        };
        let (one, four) = (shares(1), shares(4));
        assert_eq!(one[0], 0.5);
        for (a, b) in one.iter().zip(four) {
            assert!((a - b).abs() < 0.01, "{one:?} {four:?}");
        }
    }

    #[test]
    fn a_few_words_are_counted_too() {
        let mut richness = Richness::default();
        richness.push("a b a b");
        assert_eq!(richness.shares(), [Some(0.5), Some(2.0 / 3.0), Some(1.0)]);
        assert_eq!(Richness::default().shares(), [None; 3]);
    }

    #[test]
    fn repetition_is_the_share_of_repeated_phrases() {
        assert_eq!(repetition("a b c"), 0.0);
        let plain: Vec<String> = (0..40).map(|word| format!("w{word}")).collect();
        assert_eq!(repetition(&plain.join(" ")), 0.0);
        assert_eq!(repetition(&"the same five words again ".repeat(10)), 1.0);
        let half = format!(
            "{} {}",
            plain.join(" "),
            "one two three four five ".repeat(8)
        );
        assert_eq!(repetition(&half), 0.5);
    }
}
