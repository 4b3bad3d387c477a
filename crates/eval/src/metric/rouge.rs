//! ROUGE-N, ROUGE-L and ROUGE-Lsum, as Google's `rouge-score` 0.1.2 computes them (Lin
//! 2004): of summaries and other texts that may be said in many ways.
//!
//! Words are runs of `a`–`z` and digits, in lower case; all else is a gap. Texts in other
//! scripts therefore have no words and score 0, as in the reference. With
//! [`RougeRecipe::stem`] words of more than three letters are stemmed by [`super::porter`].

use std::collections::HashMap;

use super::porter;
use super::text::{counted, f1, share, shared};

/// How ROUGE is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RougeRecipe {
    /// Which ROUGE.
    pub kind: RougeKind,
    /// Whether words are stemmed first (`use_stemmer` of the reference, which is off).
    pub stem: bool,
}

/// Which ROUGE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RougeKind {
    /// Words that are shared: ROUGE-1.
    One,
    /// Pairs of neighbouring words that are shared: ROUGE-2.
    Two,
    /// The longest common subsequence of words: ROUGE-L.
    #[default]
    Lcs,
    /// The union of the longest common subsequences of each line of the reference with
    /// each line of the text: ROUGE-Lsum. Lines are divided by `\n`.
    LcsOfLines,
}

/// Precision, recall and F1, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rouge {
    /// The share of the text that the reference has.
    pub precision: f64,
    /// The share of the reference that the text has.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

impl Rouge {
    fn new(hits: f64, text: usize, reference: usize) -> Self {
        let precision = share(hits, text as f64);
        let recall = share(hits, reference as f64);
        let f1 = f1(precision, recall);
        Self {
            precision,
            recall,
            f1,
        }
    }
}

/// Compares `text` with the reference that it is most like, by F1 (`score_multi`); the first
/// of equals. Without reference all is 0, and so it is where a text has no word.
pub fn rouge(text: &str, references: &[String], recipe: RougeRecipe) -> Rouge {
    let mut best = Rouge::default();
    let mine = Words::new(text, recipe);
    for reference in references {
        let found = mine.against(&Words::new(reference, recipe), recipe.kind);
        if found.f1 > best.f1 {
            best = found;
        }
    }
    best
}

/// A text's words, line by line where lines count.
pub(crate) struct Words {
    lines: Vec<Vec<String>>,
}

impl Words {
    pub(crate) fn new(text: &str, recipe: RougeRecipe) -> Self {
        let lines = match recipe.kind {
            RougeKind::LcsOfLines => text
                .split('\n')
                .filter(|line| !line.is_empty())
                .map(|line| words(line, recipe.stem))
                .collect(),
            _ => vec![words(text, recipe.stem)],
        };
        Self { lines }
    }

    fn all(&self) -> &[String] {
        &self.lines[0]
    }

    pub(crate) fn against(&self, reference: &Self, kind: RougeKind) -> Rouge {
        match kind {
            RougeKind::One => ngrams::<1>(self.all(), reference.all()),
            RougeKind::Two => ngrams::<2>(self.all(), reference.all()),
            RougeKind::Lcs => {
                let (text, gold) = (self.all(), reference.all());
                let hits = *lcs_table(gold, text).last().unwrap_or(&0);
                Rouge::new(f64::from(hits), text.len(), gold.len())
            }
            RougeKind::LcsOfLines => of_lines(&self.lines, &reference.lines),
        }
    }
}

/// Returns the words of `text` as ROUGE counts them.
fn words(text: &str, stem: bool) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .map(|word| match word {
            long if stem && long.len() > 3 => porter::stem(long),
            word => word.to_owned(),
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn ngrams<const N: usize>(text: &[String], reference: &[String]) -> Rouge {
    let count = |words: &[String]| counted(words.windows(N).map(<[String]>::to_vec).collect());
    let many = |words: &[String]| (words.len() + 1).saturating_sub(N);
    let hits = shared(&count(text), &count(reference));
    Rouge::new(f64::from(hits), many(text), many(reference))
}

/// Returns the table of the lengths of longest common subsequences, row by row: one row more
/// than `reference`, one column more than `text`.
fn lcs_table(reference: &[String], text: &[String]) -> Vec<u32> {
    let width = text.len() + 1;
    let mut table = vec![0_u32; (reference.len() + 1) * width];
    for (row, word) in (1..).zip(reference) {
        for (column, other) in (1..).zip(text) {
            table[row * width + column] = if word == other {
                table[(row - 1) * width + column - 1] + 1
            } else {
                table[(row - 1) * width + column].max(table[row * width + column - 1])
            };
        }
    }
    table
}

/// Marks in `hit` the words of `reference` that are in one of the longest common
/// subsequences: that which the reference's way back finds.
fn mark_lcs(reference: &[String], text: &[String], hit: &mut [bool]) {
    let table = lcs_table(reference, text);
    let width = text.len() + 1;
    let (mut row, mut column) = (reference.len(), text.len());
    while row > 0 && column > 0 {
        if reference[row - 1] == text[column - 1] {
            hit[row - 1] = true;
            row -= 1;
            column -= 1;
        } else if table[row * width + column - 1] > table[(row - 1) * width + column] {
            column -= 1;
        } else {
            row -= 1;
        }
    }
}

/// Section 3.2 of Lin 2004, but no word is counted more often than it stands in either
/// text, as in ROUGE 1.5.5.
fn of_lines(text: &[Vec<String>], reference: &[Vec<String>]) -> Rouge {
    let tally = |lines: &[Vec<String>]| {
        let mut counts: HashMap<String, u32> = HashMap::new();
        for word in lines.iter().flatten() {
            *counts.entry(word.clone()).or_default() += 1;
        }
        counts
    };
    let (mut mine, mut theirs) = (tally(text), tally(reference));
    let mut hits = 0.0;
    for line in reference {
        let mut hit = vec![false; line.len()];
        for other in text {
            mark_lcs(line, other, &mut hit);
        }
        for (word, _) in line.iter().zip(&hit).filter(|(_, hit)| **hit) {
            if let (Some(left @ 1..), Some(right @ 1..)) =
                (mine.get_mut(word), theirs.get_mut(word))
            {
                *left -= 1;
                *right -= 1;
                hits += 1.0;
            }
        }
    }
    let size = |lines: &[Vec<String>]| lines.iter().map(Vec::len).sum();
    Rouge::new(hits, size(text), size(reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: RougeKind, text: &str, reference: &str, expect: f64) {
        let recipe = RougeRecipe { kind, stem: false };
        let found = rouge(text, &[reference.to_owned()], recipe).f1;
        assert!((found - expect).abs() < 1e-12, "{kind:?} {found}");
    }

    #[test]
    fn what_is_shared_is_counted() {
        check(RougeKind::One, "the cat sat", "The cat! sat.", 1.0);
        check(RougeKind::Two, "the cat sat", "the cat stood", 0.5);
        check(RougeKind::Lcs, "a b c d", "a c b d", 0.75);
        check(RougeKind::LcsOfLines, "c d\na b", "a b\nc d", 1.0);
        check(RougeKind::Lcs, "c d a b", "a b c d", 0.5);
    }

    #[test]
    fn a_text_without_words_shares_nothing() {
        for kind in [
            RougeKind::One,
            RougeKind::Two,
            RougeKind::Lcs,
            RougeKind::LcsOfLines,
        ] {
            check(kind, "", "", 0.0);
            check(kind, "日本", "日本", 0.0);
            check(kind, "a", "", 0.0);
        }
        assert_eq!(rouge("a", &[], RougeRecipe::default()), Rouge::default());
    }
}
