//! Translation edit rate (Snover et al. 2006), as sacreBLEU 2.6.0 computes it: how many words
//! must be put in, left out, changed or moved as a block to make the reference of a text, by
//! the reference's length. Lower is better.
//!
//! Which blocks are moved is found greedily, by the rules of Tercom as sacreBLEU follows
//! them; edits are counted only near the diagonal. Both change some scores, and are kept.

use super::text::words;

/// The longest block that is moved.
const LONGEST_SHIFT: usize = 10;
/// How far a block is moved at most.
const FARTHEST_SHIFT: usize = 50;
/// How far from the diagonal edits are looked for.
const BEAM: usize = 25;
/// How many moves are tried for one text.
const MOST_TRIED: usize = 1000;
/// More than any count of edits.
const NEVER: u64 = 10_000_000_000_000_000;

/// Returns the least edits to one of `references`, and the mean of their lengths in words;
/// without any, those to the empty text.
pub(crate) fn ter_statistics(text: &str, references: &[String]) -> [f64; 2] {
    let cut =
        |text: &str| -> Vec<String> { words(&text.to_lowercase()).map(str::to_owned).collect() };
    let text = cut(text);
    let (mut least, mut length) = (None, 0);
    for reference in references {
        let reference = cut(reference);
        let edits = edits(&text, &reference);
        least = Some(least.map_or(edits, |least: u64| least.min(edits)));
        length += reference.len();
    }
    match least {
        Some(least) => [least as f64, length as f64 / references.len() as f64],
        None => [text.len() as f64, 0.0],
    }
}

/// Returns TER of statistics that were added: 0 is best, and there is no worst.
pub(crate) fn ter(statistics: &[f64]) -> f64 {
    match statistics {
        [edits, length, ..] if *length > 0.0 => 100.0 * edits / length,
        [edits, ..] if *edits > 0.0 => 100.0,
        _ => 0.0,
    }
}

/// Returns sacreBLEU's signature for texts with so many references each; none if their
/// number varies.
pub(crate) fn signature(references: Option<usize>) -> String {
    let references = references.map_or("var".to_owned(), |many| many.to_string());
    format!("nrefs:{references}|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0")
}

fn edits(text: &[String], reference: &[String]) -> u64 {
    if reference.is_empty() {
        return text.len() as u64;
    }
    let mut words: Vec<&str> = text.iter().map(String::as_str).collect();
    let reference: Vec<&str> = reference.iter().map(String::as_str).collect();
    let (mut moves, mut tried) = (0, 0);
    loop {
        let table = Table::new(&words, &reference);
        let moved = best_move(&words, &reference, &table, &mut tried);
        match moved {
            Some((gain, moved)) if tried < MOST_TRIED && gain > 0 => {
                moves += 1;
                words = moved;
            }
            _ => return moves + table.distance(),
        }
    }
}

/// What was done to come to a place of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Keep,
    Change,
    LeaveOut,
    PutIn,
    Unknown,
}

/// Edits between all beginnings of the words and of the reference, near the diagonal.
struct Table {
    width: usize,
    cells: Vec<(u64, Step)>,
}

impl Table {
    fn new(words: &[&str], reference: &[&str]) -> Self {
        let width = reference.len() + 1;
        let mut table = Self {
            width,
            cells: (0..width as u64)
                .map(|edits| (edits, Step::PutIn))
                .collect(),
        };
        table.fill(words, reference, 0);
        table
    }

    /// Returns the distance of other words of the same number; rows of the words that are
    /// the same from the beginning are taken over.
    fn distance_of(&self, words: &[&str], same: usize, reference: &[&str]) -> u64 {
        let mut table = Self {
            width: self.width,
            cells: self.cells[..(same + 1) * self.width].to_vec(),
        };
        table.fill(words, reference, same);
        table.distance()
    }

    fn fill(&mut self, words: &[&str], reference: &[&str], from: usize) {
        let width = self.width;
        self.cells
            .resize((words.len() + 1) * width, (NEVER, Step::Unknown));
        let ratio = match words.len() {
            0 => 1.0,
            many => reference.len() as f64 / many as f64,
        };
        let beam = match (BEAM as f64) < ratio / 2.0 {
            true => (ratio / 2.0 + BEAM as f64).ceil() as usize,
            false => BEAM,
        };
        for row in from + 1..=words.len() {
            let diagonal = (row as f64 * ratio).floor() as usize;
            let start = diagonal.saturating_sub(beam);
            let end = match row == words.len() {
                true => width,
                false => width.min(diagonal + beam),
            };
            for column in start..end {
                let above = self.cells[(row - 1) * width + column].0;
                let best = if column == 0 {
                    (above + 1, Step::LeaveOut)
                } else {
                    let before = self.cells[(row - 1) * width + column - 1].0;
                    let left = self.cells[row * width + column - 1].0;
                    let straight = match words[row - 1] == reference[column - 1] {
                        true => (before, Step::Keep),
                        false => (before + 1, Step::Change),
                    };
                    let mut best = (NEVER, Step::Unknown);
                    for way in [
                        straight,
                        (above + 1, Step::LeaveOut),
                        (left + 1, Step::PutIn),
                    ] {
                        if best.0 > way.0 {
                            best = way;
                        }
                    }
                    best
                };
                self.cells[row * width + column] = best;
            }
        }
    }

    fn distance(&self) -> u64 {
        self.cells.last().map_or(0, |cell| cell.0)
    }

    /// Returns the way from the beginning to the end.
    fn way(&self) -> Vec<Step> {
        let mut row = self.cells.len() / self.width - 1;
        let mut column = self.width - 1;
        let mut way = Vec::new();
        while row > 0 || column > 0 {
            let step = self.cells[row * self.width + column].1;
            match step {
                Step::Keep | Step::Change => {
                    row -= 1;
                    column -= 1;
                }
                Step::PutIn => column -= 1,
                Step::LeaveOut => row -= 1,
                Step::Unknown => unreachable!("neighbouring rows of the beam overlap"),
            }
            way.push(step);
        }
        way.reverse();
        way
    }
}

/// Where words and reference lie on one another.
struct Alignment {
    /// For each word of the reference, the number of words up to and with its own.
    places: Vec<usize>,
    /// Whether a word of the reference is not met.
    reference_wrong: Vec<bool>,
    /// Whether a word is not as in the reference.
    word_wrong: Vec<bool>,
}

impl Alignment {
    fn new(way: &[Step]) -> Self {
        let mut found = Self {
            places: Vec::new(),
            reference_wrong: Vec::new(),
            word_wrong: Vec::new(),
        };
        for step in way {
            let wrong = *step != Step::Keep;
            if *step != Step::PutIn {
                found.word_wrong.push(wrong);
            }
            if *step != Step::LeaveOut {
                found.places.push(found.word_wrong.len());
                found.reference_wrong.push(wrong);
            }
        }
        found
    }
}

/// What a move saves, its length, and how early its block and its place are.
type Rank = (i64, usize, i64, i64);

/// Returns the move that saves most edits, and the words after it: of equal ones the longest
/// block, then the earliest, then the earliest place.
fn best_move<'a>(
    words: &[&'a str],
    reference: &[&str],
    table: &Table,
    tried: &mut usize,
) -> Option<(i64, Vec<&'a str>)> {
    let alignment = Alignment::new(&table.way());
    let before = table.distance() as i64;
    let mut best: Option<(Rank, Vec<&str>)> = None;
    for start in 0..words.len() {
        for target in 0..reference.len() {
            if start.abs_diff(target) > FARTHEST_SHIFT {
                continue;
            }
            let alike = words[start..].iter().zip(&reference[target..]);
            let longest = alike
                .take(LONGEST_SHIFT)
                .take_while(|(a, b)| a == b)
                .count();
            for length in 1..=longest {
                let block = start..start + length;
                let is_right = |wrong: &[bool]| !wrong.contains(&true);
                if is_right(&alignment.word_wrong[block.clone()])
                    || is_right(&alignment.reference_wrong[target..target + length])
                    // A move within itself: places count from 1.
                    || (start + 1..=start + length).contains(&alignment.places[target])
                {
                    continue;
                }
                let mut last = None;
                for before_target in 0..=length {
                    let place = match (target + before_target).checked_sub(1) {
                        None => 0,
                        Some(at) => match alignment.places.get(at) {
                            Some(place) => *place,
                            None => break,
                        },
                    };
                    if last == Some(place) {
                        continue;
                    }
                    last = Some(place);
                    let moved = shifted(words, start, length, place);
                    let same = moved.iter().zip(words).take_while(|(a, b)| a == b).count();
                    let after = table.distance_of(&moved, same, reference) as i64;
                    *tried += 1;
                    let rank = (before - after, length, -(start as i64), -(place as i64));
                    if best.as_ref().is_none_or(|(best, _)| rank > *best) {
                        best = Some((rank, moved));
                    }
                }
                if *tried >= MOST_TRIED {
                    return best.map(|(rank, moved)| (rank.0, moved));
                }
            }
        }
    }
    best.map(|(rank, moved)| (rank.0, moved))
}

/// Moves the block of `length` words at `start` to before the word `place`.
fn shifted<'a>(words: &[&'a str], start: usize, length: usize, place: usize) -> Vec<&'a str> {
    let end = start + length;
    let block = &words[start..end];
    let parts = if place < start {
        [&words[..place], block, &words[place..start], &words[end..]]
    } else if place > end {
        [&words[..start], &words[end..place], block, &words[place..]]
    } else {
        let until = (length + place).min(words.len());
        [&words[..start], &words[end..until], block, &words[until..]]
    };
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, reference: &str, expect: f64) {
        let found = ter(&ter_statistics(text, &[reference.to_owned()]));
        assert!(
            (found - expect).abs() < 1e-9,
            "{text:?} {reference:?} {found}"
        );
    }

    #[test]
    fn edits_are_counted() {
        check("a b c d", "a b c d", 0.0);
        check("a b c x", "a b c d", 25.0);
        check("a b c", "a b c d", 25.0);
        check("", "a b c d", 100.0);
        check("a", "", 100.0);
        check("", "", 0.0);
    }

    #[test]
    fn a_moved_block_is_one_edit() {
        check("c d e f a b", "a b c d e f", 100.0 / 6.0);
    }
}
