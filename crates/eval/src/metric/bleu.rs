//! BLEU (Papineni et al. 2002), as sacreBLEU 2.6.0 computes it: smoothing `exp` (method 3 of
//! Chen and Cherry 2014), words up to four in a row, the closest reference's length.

mod tokenizer;

use std::collections::HashMap;

use super::text::{counted, shared, words};

pub use tokenizer::Tokenizer;

/// The longest run of words that is counted.
const ORDER: usize = 4;

/// How many statistics of a text BLEU is made from.
pub(crate) const BLEU_STATISTICS: usize = 2 + 2 * ORDER;

/// How BLEU is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BleuRecipe {
    /// How texts are cut into words.
    pub tokenizer: Tokenizer,
    /// Whether texts are made lower case first.
    pub lowercase: bool,
    /// Whether runs that are longer than the text are left out: for single sentences.
    pub effective_order: bool,
}

impl BleuRecipe {
    /// Returns the recipe for single sentences.
    pub fn sentence() -> Self {
        Self {
            effective_order: true,
            ..Self::default()
        }
    }

    /// Returns sacreBLEU's signature for texts with so many references each; none if their
    /// number varies.
    pub fn signature(&self, references: Option<usize>) -> String {
        let references = references.map_or("var".to_owned(), |many| many.to_string());
        format!(
            "nrefs:{references}|case:{}|eff:{}|tok:{}|smooth:exp|version:2.6.0",
            if self.lowercase { "lc" } else { "mixed" },
            if self.effective_order { "yes" } else { "no" },
            self.tokenizer.name(),
        )
    }
}

/// What BLEU is made from; the statistics of several texts are added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BleuStatistics([f64; BLEU_STATISTICS]);

impl BleuStatistics {
    /// Counts `text` against `references`; without any, against the empty text.
    pub fn new(text: &str, references: &[String], recipe: BleuRecipe) -> Self {
        let cut = |text: &str| match recipe.lowercase {
            true => recipe.tokenizer.cut(&text.to_lowercase()),
            false => recipe.tokenizer.cut(text),
        };
        let text = cut(text);
        let references: Vec<String> = references.iter().map(|it| cut(it)).collect();
        let mut numbers = HashMap::new();
        let mut number = |text| number_words(text, &mut numbers);
        let mine = number(&text);
        let theirs: Vec<Vec<u32>> = match references.is_empty() {
            true => vec![Vec::new()],
            false => references.iter().map(|it| number(it)).collect(),
        };
        let closest = theirs
            .iter()
            .map(Vec::len)
            .min_by_key(|length| (length.abs_diff(mine.len()), *length));
        let mut found = [0.0; BLEU_STATISTICS];
        found[0] = mine.len() as f64;
        found[1] = closest.unwrap_or(0) as f64;
        for order in 1..=ORDER {
            let mut gold: Vec<(u128, u32)> = Vec::new();
            for runs in theirs.iter().map(|it| counted(runs(it, order))) {
                gold = most(&gold, &runs);
            }
            let runs = runs(&mine, order);
            found[1 + ORDER + order] = runs.len() as f64;
            found[1 + order] = f64::from(shared(&counted(runs), &gold));
        }
        Self(found)
    }

    /// Takes statistics that were added elsewhere.
    pub(crate) fn from_sums(sums: &[f64]) -> Self {
        let mut own = [0.0; BLEU_STATISTICS];
        own.copy_from_slice(&sums[..BLEU_STATISTICS]);
        Self(own)
    }

    /// Returns the numbers that are added.
    pub(crate) fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// Adds another text's statistics.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }

    /// Returns BLEU, 0 to 100. Where nothing matches at all it is 0.
    pub fn score(&self, effective_order: bool) -> f64 {
        let [length, reference, counts @ ..] = &self.0;
        let (correct, total) = counts.split_at(ORDER);
        if correct.iter().all(|count| *count == 0.0) {
            return 0.0;
        }
        let brevity = match length < reference {
            true if *length > 0.0 => (1.0 - reference / length).exp(),
            true => 0.0,
            false => 1.0,
        };
        let mut order = ORDER;
        let mut smooth = 1.0;
        let mut logarithms = [NEVER; ORDER];
        for n in 0..ORDER {
            if total[n] == 0.0 {
                break;
            }
            if effective_order {
                order = n + 1;
            }
            logarithms[n] = if correct[n] == 0.0 {
                smooth *= 2.0;
                (100.0_f64 / (smooth * total[n])).ln()
            } else {
                (100.0 * correct[n] / total[n]).ln()
            };
        }
        let sum: f64 = logarithms[..order].iter().sum();
        brevity * (sum / order as f64).exp()
    }
}

/// What sacreBLEU takes for the logarithm of 0.
const NEVER: f64 = -9_999_999_999.0;

/// Returns the words of `cut` as numbers: the same word has the same number.
fn number_words<'a>(cut: &'a str, numbers: &mut HashMap<&'a str, u32>) -> Vec<u32> {
    words(cut)
        .map(|word| {
            let next = numbers.len() as u32;
            *numbers.entry(word).or_insert(next)
        })
        .collect()
}

/// Returns the runs of `order` words, each as one number.
fn runs(words: &[u32], order: usize) -> Vec<u128> {
    let packed = |run: &[u32]| {
        run.iter()
            .fold(0, |all, word| all << 32 | u128::from(*word))
    };
    words.windows(order).map(packed).collect()
}

/// Returns the larger count of each key.
fn most(a: &[(u128, u32)], b: &[(u128, u32)]) -> Vec<(u128, u32)> {
    let mut all: Vec<(u128, u32)> = a.iter().chain(b).copied().collect();
    all.sort_unstable();
    all.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            earlier.1 = later.1;
        }
        same
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(text: &str, references: &[&str], recipe: BleuRecipe) -> f64 {
        let references: Vec<String> = references.iter().map(|it| (*it).to_owned()).collect();
        BleuStatistics::new(text, &references, recipe).score(recipe.effective_order)
    }

    #[test]
    fn a_text_is_its_own_best_translation() {
        let text = "Anything may be returned within 30 days.";
        assert!((score(text, &[text], BleuRecipe::default()) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_empty_scores_nothing() {
        for (text, references) in [("", vec!["a b"]), ("a b", vec![""]), ("", vec![])] {
            assert_eq!(score(text, &references, BleuRecipe::sentence()), 0.0);
        }
    }

    #[test]
    fn short_texts_count_only_as_sentences() {
        assert_eq!(score("yes", &["yes"], BleuRecipe::default()), 0.0);
        assert!((score("yes", &["yes"], BleuRecipe::sentence()) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn the_signature_is_sacrebleus() {
        assert_eq!(
            BleuRecipe::default().signature(Some(1)),
            "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
        );
    }
}
