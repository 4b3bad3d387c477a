//! Near-duplicates, in time that grows with the text and not with its square.
//!
//! A text becomes the set of its five-letter pieces, and that set a signature of 128
//! numbers, such that the share of equal numbers in two signatures estimates the Jaccard
//! similarity of the two sets: one-permutation hashing (Li, Owen and Zhang 2012) with
//! empty bins filled as Shrivastava ("Optimal densification", 2017) does. Only texts
//! whose signatures agree in one of 32 bands of four are compared (Leskovec, Rajaraman
//! and Ullman, *Mining of Massive Datasets*, §3.4): at a similarity of 0.8 all but one in
//! ten million are.

use std::collections::HashMap;

use contract::Example;

/// Numbers of a signature.
const BINS: usize = 128;
/// Numbers of a band.
const ROWS: usize = 4;
/// Letters of a piece.
const PIECE: usize = 5;
/// The share of equal numbers from which two texts are near-duplicates.
const NEAR: f64 = 0.8;
/// Texts that are looked at to tell which pieces say nothing.
const SAMPLE: usize = 1000;
/// Fewer texts have no pieces in common that say nothing.
const FEWEST: usize = 50;
/// A piece of more than this share of the texts says nothing: a fixed instruction before
/// every question must not make all questions alike.
const COMMON: f64 = 0.2;

/// Collects texts, and says which are near-duplicates. Keeps 256 bytes of each.
#[derive(Debug, Default)]
pub struct Alike {
    signatures: Vec<[u16; BINS]>,
    /// The first texts, until it is known which pieces say nothing.
    waiting: Vec<String>,
    /// Pieces that say nothing.
    common: Option<std::collections::HashSet<u64>>,
}

impl Alike {
    /// Takes the next text.
    pub fn push(&mut self, text: &str) {
        if self.common.is_some() {
            self.sign(text);
            return;
        }
        self.waiting.push(text.to_owned());
        if self.waiting.len() == SAMPLE {
            self.settle();
        }
    }

    /// Decides which pieces say nothing, and signs what waits.
    fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let mut counts: HashMap<u64, usize> = HashMap::new();
        if waiting.len() >= FEWEST {
            for text in &waiting {
                let mut pieces = pieces(text);
                pieces.sort_unstable();
                pieces.dedup();
                for piece in pieces {
                    *counts.entry(piece).or_default() += 1;
                }
            }
        }
        let most = COMMON * waiting.len() as f64;
        let common = counts.into_iter().filter(|(_, count)| *count as f64 > most);
        self.common = Some(common.map(|(piece, _)| piece).collect());
        for text in waiting {
            self.sign(&text);
        }
    }

    fn sign(&mut self, text: &str) {
        let common = self
            .common
            .as_ref()
            .expect("it is settled which say nothing");
        let all = pieces(text);
        let telling: Vec<u64> = all
            .iter()
            .copied()
            .filter(|piece| !common.contains(piece))
            .collect();
        // What is made of such pieces alone is compared by them.
        let pieces = if telling.is_empty() { &all } else { &telling };
        self.signatures.push(signature(pieces));
    }

    /// Returns a number for each text, in the order in which they came: that of the
    /// first text that it is a near-duplicate of, directly or through others.
    pub fn groups(mut self) -> Vec<u32> {
        if self.common.is_none() {
            self.settle();
        }
        let count = u32::try_from(self.signatures.len()).expect("fewer than four thousand million");
        let mut above: Vec<u32> = (0..count).collect();
        let mut keys: Vec<(u64, u32)> = Vec::with_capacity(self.signatures.len());
        for band in 0..BINS / ROWS {
            keys.clear();
            keys.extend((0..count).map(|text| {
                let rows = &self.signatures[text as usize][band * ROWS..][..ROWS];
                let key = rows.iter().fold(0, |key, row| key << 16 | u64::from(*row));
                (key, text)
            }));
            keys.sort_unstable();
            for run in keys.chunk_by(|a, b| a.0 == b.0) {
                let (_, first) = run[0];
                for (_, text) in &run[1..] {
                    let (a, b) = (root(&mut above, first), root(&mut above, *text));
                    if a != b && self.near(first, *text) {
                        above[a.max(b) as usize] = a.min(b);
                    }
                }
            }
        }
        (0..count).map(|text| root(&mut above, text)).collect()
    }

    fn near(&self, a: u32, b: u32) -> bool {
        let (a, b) = (&self.signatures[a as usize], &self.signatures[b as usize]);
        let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
        equal as f64 >= NEAR * BINS as f64
    }
}

/// Returns which examples ask nearly the same, as [`contract::split`] takes it.
pub fn alike(examples: &[Example]) -> Vec<u32> {
    let mut alike = Alike::default();
    for example in examples {
        alike.push(&example.lesson.input());
    }
    alike.groups()
}

fn root(above: &mut [u32], mut of: u32) -> u32 {
    while above[of as usize] != of {
        above[of as usize] = above[above[of as usize] as usize];
        of = above[of as usize];
    }
    of
}

/// Returns the pieces of a text: of its letters and digits in lower case, with one space
/// between words.
fn pieces(text: &str) -> Vec<u64> {
    let mut letters: Vec<char> = Vec::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            letters.extend(letter.to_lowercase());
        } else if letters.last().is_some_and(|last| *last != ' ') {
            letters.push(' ');
        }
    }
    if letters.last() == Some(&' ') {
        letters.pop();
    }
    if letters.is_empty() {
        // Without a word in it, a text is its signs.
        letters.extend(text.trim().chars());
    }
    if letters.len() <= PIECE {
        return vec![hash(&letters)];
    }
    letters.windows(PIECE).map(hash).collect()
}

fn hash(letters: &[char]) -> u64 {
    let mixed = letters
        .iter()
        .fold(0x51_7c_c1_b7_27_22_0a_95, |hash: u64, letter| {
            (hash.rotate_left(5) ^ u64::from(*letter)).wrapping_mul(0x2545_f491_4f6c_dd1d)
        });
    scattered(mixed)
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014).
fn scattered(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Returns the signature of a set: in each bin the least of its pieces' hashes; an empty
/// bin takes another's, found by hashing its own number until one is not empty.
fn signature(pieces: &[u64]) -> [u16; BINS] {
    let mut least = [u64::MAX; BINS];
    for piece in pieces {
        let bin = &mut least[(*piece % BINS as u64) as usize];
        *bin = (*bin).min(*piece / BINS as u64);
    }
    let mut signature = [0; BINS];
    for (bin, number) in signature.iter_mut().enumerate() {
        let mut from = bin;
        let mut attempt = 0_u64;
        while least[from] == u64::MAX {
            if pieces.is_empty() {
                break;
            }
            attempt += 1;
            from = (scattered(bin as u64 ^ (attempt << 32)) % BINS as u64) as usize;
        }
        // The low bits of a least value are as random as those of any.
        *number = scattered(least[from]) as u16;
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(texts: &[&str]) -> Vec<u32> {
        let mut alike = Alike::default();
        for text in texts {
            alike.push(text);
        }
        alike.groups()
    }

    const LONG: &str = "The quick brown fox jumps over the lazy dog near the bank of the river, \
        while seven tired sailors wait for the ferry that will carry them across the water.";

    #[test]
    fn a_text_with_a_word_changed_is_near() {
        let changed = LONG.replace("tired", "sleepy");
        let other = "Which of the two accounts should be closed before the end of the year, and \
            who has to sign the form that the bank sends for it?";
        assert_eq!(groups(&[LONG, &changed, other]), [0, 0, 2]);
    }

    #[test]
    fn case_and_signs_are_of_no_account() {
        assert_eq!(
            groups(&["Is it here?", "is it HERE", "it is there"]),
            [0, 0, 2]
        );
        assert_eq!(groups(&["", "?!", "?!", "a"]), [0, 1, 1, 3]);
    }

    #[test]
    fn an_instruction_before_every_text_says_nothing() {
        let texts: Vec<String> = (0..60)
            .map(|number| {
                format!(
                    "{LONG} {:x} {:x}",
                    scattered(number),
                    scattered(number + 99)
                )
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let groups = groups(&texts);
        assert_eq!(groups, (0..60).collect::<Vec<u32>>());
    }

    proptest::proptest! {
        /// The estimate is near the similarity that it estimates.
        #[test]
        fn a_signature_estimates(shared in 0_u64..300, own in 1_u64..200) {
            let set = |from: u64| -> Vec<u64> {
                (0..shared).chain(from..from + own).map(|x| scattered(x + 7)).collect()
            };
            let (a, b) = (set(10_000), set(20_000));
            let jaccard = shared as f64 / (shared + 2 * own) as f64;
            let (a, b) = (signature(&a), signature(&b));
            let equal = a.iter().zip(&b).filter(|(a, b)| a == b).count() as f64 / BINS as f64;
            // Five standard deviations of 128 tosses, and more where few pieces fill the bins.
            let room = 0.25 + 0.5 / (shared as f64 + own as f64).sqrt();
            proptest::prop_assert!((equal - jaccard).abs() < room, "{equal} for {jaccard}");
        }
    }
}
