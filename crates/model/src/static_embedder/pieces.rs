//! A vocabulary in which a word's pieces are looked up where they lie.
//!
//! WordPiece (Wu et al. 2016, §4.1; BERT's greedy form): a word is its longest known
//! beginning, then the longest known continuation, and so on; a word with a stretch
//! that is unknown has no piece. All beginnings of a word are hashed in one pass, so a
//! lookup costs one probe a length. The table is part of the file: opening parses nothing.

use std::borrow::Cow;

/// Longer words have no pieces, as in BERT.
const LONGEST_WORD: usize = 100;
/// A place in the table that holds nothing.
const FREE: u16 = u16::MAX;
/// What marks a piece that continues a word.
const CONTINUES: &str = "##";

/// A vocabulary of at most 65,535 pieces.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    /// The pieces' texts one after another, without the mark of continuation.
    texts: Cow<'static, [u8]>,
    /// Where piece `i` starts in `texts`; one more at the end. The sign of
    /// continuation is the highest bit.
    starts: Vec<u32>,
    /// Open addressing: the numbers of pieces, two bytes each, [`FREE`] where none is.
    table: Cow<'static, [u8]>,
    longest: usize,
}

const CONTINUATION: u32 = 1 << 31;

/// One step of the hash of a word's beginnings (FNV-1a, 64 bits).
#[inline]
fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

#[inline]
fn seed(continues: bool) -> u64 {
    if continues {
        0x84222325_cbf29ce4
    } else {
        0xcbf29ce4_84222325
    }
}

/// Returns where the search for a hash begins in a table of `slots`, a power of two.
#[inline]
fn place(hash: u64, slots: usize) -> usize {
    ((hash ^ (hash >> 29)) as usize) & (slots - 1)
}

/// Returns how many places the table of a vocabulary has: the power of two of which at
/// least half stay free.
pub(crate) fn slots(vocabulary: usize) -> usize {
    (2 * vocabulary).next_power_of_two().max(2)
}

/// A vocabulary as it is written.
pub(crate) struct Written {
    /// Two bytes a piece: its length, and 1 if it continues a word.
    pub(crate) lengths: Vec<u8>,
    pub(crate) texts: Vec<u8>,
    pub(crate) table: Vec<u8>,
}

/// Returns how `vocabulary` is written, or the first piece that cannot be: empty,
/// longer than 255 bytes, there twice, or one too many.
pub(crate) fn write(vocabulary: &[&str]) -> Result<Written, String> {
    let slots = slots(vocabulary.len());
    let mut table = vec![FREE; slots];
    let (mut lengths, mut texts) = (Vec::new(), Vec::new());
    let mut seen = std::collections::HashSet::new();
    for (number, piece) in vocabulary.iter().enumerate() {
        let (text, continues) = parts(piece);
        let fits = u16::try_from(number).is_ok_and(|number| number != FREE);
        match u8::try_from(text.len()) {
            Ok(length) if length > 0 && fits && seen.insert(*piece) => {
                lengths.extend([length, u8::from(continues)]);
            }
            _ => return Err((*piece).to_owned()),
        }
        texts.extend(text.as_bytes());
        let hash = text.bytes().fold(seed(continues), step);
        let mut at = place(hash, slots);
        while table[at] != FREE {
            at = (at + 1) & (slots - 1);
        }
        table[at] = number as u16;
    }
    Ok(Written {
        lengths,
        texts,
        table: table.into_iter().flat_map(u16::to_le_bytes).collect(),
    })
}

/// Returns a piece's text without the mark of continuation.
pub(crate) fn text_of(piece: &str) -> &str {
    parts(piece).0
}

/// Returns a piece's text without the mark, and whether it continues a word.
fn parts(piece: &str) -> (&str, bool) {
    match piece.strip_prefix(CONTINUES) {
        Some(rest) if !rest.is_empty() => (rest, true),
        _ => (piece, false),
    }
}

impl Pieces {
    /// Takes what [`write()`] wrote. Nothing if the parts do not fit one another.
    pub(crate) fn read(
        lengths: &[u8],
        texts: Cow<'static, [u8]>,
        table: Cow<'static, [u8]>,
    ) -> Option<Self> {
        let vocabulary = lengths.len() / 2;
        if table.len() != 2 * slots(vocabulary) || vocabulary >= usize::from(FREE) {
            return None;
        }
        let mut starts = Vec::with_capacity(vocabulary + 1);
        let (mut at, mut longest) = (0u32, 0);
        for piece in lengths.chunks_exact(2) {
            let sign = if piece[1] == 0 { 0 } else { CONTINUATION };
            starts.push(at | sign);
            at += u32::from(piece[0]);
            longest = longest.max(usize::from(piece[0]));
        }
        starts.push(at);
        let mut free = false;
        for number in table.chunks_exact(2) {
            let number = u16::from_le_bytes([number[0], number[1]]);
            free |= number == FREE;
            if number != FREE && usize::from(number) >= vocabulary {
                return None;
            }
        }
        // Without a free place a search for what is not there would not end.
        (free && at as usize == texts.len()).then_some(Self {
            texts,
            starts,
            table,
            longest,
        })
    }

    /// Returns how many pieces there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns piece `number` as it is written in a vocabulary.
    #[cfg(test)]
    pub(crate) fn name(&self, number: usize) -> String {
        let (start, end) = (self.starts[number], self.starts[number + 1] & !CONTINUATION);
        let text = &self.texts[(start & !CONTINUATION) as usize..end as usize];
        let mark = if start & CONTINUATION != 0 {
            CONTINUES
        } else {
            ""
        };
        format!("{mark}{}", String::from_utf8_lossy(text))
    }

    /// Appends the numbers of the pieces of `word` to `numbers`; none if it has a stretch
    /// that no piece is.
    pub(crate) fn cut(&self, word: &str, numbers: &mut Vec<u16>) {
        if word.len() > LONGEST_WORD && word.chars().count() > LONGEST_WORD {
            return;
        }
        let before = numbers.len();
        let mut rest = word;
        while !rest.is_empty() {
            let Some((number, length)) = self.longest(rest, rest.len() < word.len()) else {
                numbers.truncate(before);
                return;
            };
            numbers.push(number);
            rest = &rest[length..];
        }
    }

    /// Returns the longest piece that `text` begins with, and its length.
    fn longest(&self, text: &str, continues: bool) -> Option<(u16, usize)> {
        let bytes = text.as_bytes();
        let most = bytes.len().min(self.longest);
        let mut hashes = [0u64; 256];
        let mut hash = seed(continues);
        for (slot, byte) in hashes.iter_mut().zip(&bytes[..most]) {
            hash = step(hash, *byte);
            *slot = hash;
        }
        (1..=most)
            .rev()
            .filter(|length| text.is_char_boundary(*length))
            .find_map(|length| {
                let found = self.find(hashes[length - 1], &bytes[..length], continues)?;
                Some((found, length))
            })
    }

    #[inline]
    fn find(&self, hash: u64, text: &[u8], continues: bool) -> Option<u16> {
        let slots = self.table.len() / 2;
        let mut at = place(hash, slots);
        loop {
            let number = u16::from_le_bytes([self.table[2 * at], self.table[2 * at + 1]]);
            if number == FREE {
                return None;
            }
            let (start, end) = (
                self.starts[usize::from(number)],
                self.starts[usize::from(number) + 1],
            );
            let own = &self.texts[(start & !CONTINUATION) as usize..(end & !CONTINUATION) as usize];
            if own == text && (start & CONTINUATION != 0) == continues {
                return Some(number);
            }
            at = (at + 1) & (slots - 1);
        }
    }
}
