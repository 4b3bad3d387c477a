//! chrF and chrF++ (Popović 2015, 2017), as sacreBLEU 2.6.0 computes them: letters up to six
//! in a row without blanks, recall weighing twice as much as precision, no smoothing; with
//! words up to two in a row it is chrF++.

use super::text::{counted, shared, words};

/// The longest run of letters.
const LETTERS: usize = 6;
/// How much more recall weighs than precision, squared.
const BETA_SQUARED: f64 = 4.0;

/// How chrF is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChrfRecipe {
    /// Whether words count too, one and two in a row: chrF++.
    pub words: bool,
}

impl ChrfRecipe {
    /// Returns how many statistics of a text chrF is made from.
    pub(crate) fn statistics(self) -> usize {
        3 * (LETTERS + self.word_order())
    }

    fn word_order(self) -> usize {
        if self.words { 2 } else { 0 }
    }

    /// Returns sacreBLEU's signature for texts with so many references each; none if their
    /// number varies.
    pub fn signature(self, references: Option<usize>) -> String {
        let references = references.map_or("var".to_owned(), |many| many.to_string());
        format!(
            "nrefs:{references}|case:mixed|eff:yes|nc:{LETTERS}|nw:{}|space:no|version:2.6.0",
            self.word_order()
        )
    }
}

/// Returns the statistics of `text`: of each order how many runs it has, how many the
/// reference has, how many both have. Of several references the one with the best score;
/// without any, the empty text.
pub(crate) fn chrf_statistics(text: &str, references: &[String], recipe: ChrfRecipe) -> Vec<f64> {
    let mine = Runs::new(text, recipe);
    let empty = [String::new()];
    let references = if references.is_empty() {
        &empty
    } else {
        references
    };
    let mut best = (-1.0, Vec::new());
    for reference in references {
        let found = mine.against(&Runs::new(reference, recipe));
        let score = chrf(&found);
        if score > best.0 {
            best = (score, found);
        }
    }
    best.1
}

/// Returns chrF of statistics that were added, 0 to 100.
pub(crate) fn chrf(statistics: &[f64]) -> f64 {
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for order in statistics.chunks_exact(3) {
        let (mine, theirs, both) = (order[0], order[1], order[2]);
        if mine > 0.0 && theirs > 0.0 {
            precision += both / mine;
            recall += both / theirs;
            orders += 1.0;
        }
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / orders, recall / orders);
    100.0 * (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
}

/// The runs of a text: of letters by length, then of words.
struct Runs {
    letters: Vec<Vec<(u128, u32)>>,
    words: Vec<Vec<(String, u32)>>,
}

impl Runs {
    fn new(text: &str, recipe: ChrfRecipe) -> Self {
        let letters: Vec<u32> = words(text).flat_map(str::chars).map(u32::from).collect();
        // A letter takes 21 bits, so six of them fit.
        let packed = |run: &[u32]| {
            run.iter()
                .fold(0, |all, letter| all << 21 | u128::from(*letter))
        };
        let of = |order| counted(letters.windows(order).map(packed).collect());
        let letters = (1..=LETTERS).map(of).collect();
        let cut = if recipe.words {
            without_punctuation(text)
        } else {
            Vec::new()
        };
        let words = (1..=recipe.word_order())
            .map(|order| counted(cut.windows(order).map(|run| run.join(" ")).collect()))
            .collect();
        Self { letters, words }
    }

    fn against(&self, reference: &Self) -> Vec<f64> {
        let mut found = Vec::new();
        for (mine, theirs) in self.letters.iter().zip(&reference.letters) {
            found.extend(compare(mine, theirs));
        }
        for (mine, theirs) in self.words.iter().zip(&reference.words) {
            found.extend(compare(mine, theirs));
        }
        found
    }
}

fn compare<K: Ord>(mine: &[(K, u32)], theirs: &[(K, u32)]) -> [f64; 3] {
    let size = |runs: &[(K, u32)]| f64::from(runs.iter().map(|(_, count)| count).sum::<u32>());
    let mine_size = if theirs.is_empty() { 0.0 } else { size(mine) };
    [mine_size, size(theirs), f64::from(shared(mine, theirs))]
}

/// Returns the words, with one ASCII punctuation mark parted from the end of each, or else
/// from its beginning.
fn without_punctuation(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for word in words(text) {
        let mut letters = word.chars();
        let (first, last) = (letters.next(), letters.next_back());
        match (first, last) {
            (Some(_), Some(last)) if last.is_ascii_punctuation() => {
                out.push(word[..word.len() - 1].to_owned());
                out.push(last.to_string());
            }
            (Some(first), Some(_)) if first.is_ascii_punctuation() => {
                out.push(first.to_string());
                out.push(word[1..].to_owned());
            }
            _ => out.push(word.to_owned()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_score_100_and_strangers_0() {
        for words in [false, true] {
            let recipe = ChrfRecipe { words };
            let score = |text: &str, reference: &str| {
                chrf(&chrf_statistics(text, &[reference.to_owned()], recipe))
            };
            assert!((score("Alaska costs $8.95.", "Alaska costs $8.95.") - 100.0).abs() < 1e-9);
            assert_eq!(score("abc", "xyz"), 0.0);
            assert_eq!(score("", ""), 0.0);
            assert_eq!(score("abc", ""), 0.0);
        }
    }

    #[test]
    fn one_mark_is_parted_from_a_word() {
        assert_eq!(
            without_punctuation("(a) \"b ... c"),
            ["(a", ")", "\"", "b", "..", ".", "c"]
        );
    }
}
