//! The base of a keyword index: the part that lies in a derived file and is used
//! in place, and how it is laid out, checked and written.
//!
//! A chunk is a *slot*, its place in the file; slots are in the order of the chunks.
//! A term is its place in the sorted dictionary. Two views of the same words:
//!
//! - **postings**, term by term: the slots that have the term once, then those that
//!   have it twice, then pairs of slot and count for the rest. Most postings are of
//!   the first kind: four bytes, and no division to score them.
//! - **contents**, slot by slot: the terms as they follow one another, with the
//!   joined words and the heading words marked. They make a removal exact (which
//!   terms lose a chunk?), phrases findable and a merge a plain pass, and cost
//!   memory only when they are read, for the file is mapped.

#![expect(
    unsafe_code,
    reason = "the sections are found once, when the file is opened, and kept beside it"
)]

use std::fmt;
use std::path::Path;

use super::Language;
use crate::derived::{self, Derived, DerivedError, Kind};

pub(super) const KIND: Kind = Kind { id: 1, version: 1 };

/// In the contents: a word joined of others; it has no place of its own.
pub(super) const JOINED: u32 = 1 << 31;
/// In the contents: a word of the title or of a heading.
pub(super) const HEADING: u32 = 1 << 30;
/// In the contents: no word; what stands before and after is not one phrase.
pub(super) const GAP: u32 = u32::MAX;
/// The bits of the term itself.
pub(super) const TERM: u32 = HEADING - 1;
/// The most terms there may be: one less, so that no term looks like a gap.
pub(super) const MOST_TERMS: usize = TERM as usize;

/// A base that was opened and checked, or the empty one.
#[derive(Default)]
pub(super) struct Base {
    /// Points into `file`; given out only for as long as the base is borrowed.
    view: View<'static>,
    file: Option<Derived>,
    /// The first eight bytes of every `SAMPLE`th term.
    samples: Vec<u64>,
    lengths: Vec<u32>,
    total: u64,
}

/// Of so many terms one is sampled, so that a search in the dictionary, of which
/// every step would miss the cache, has only the last few steps left.
const SAMPLE: usize = 32;

/// The sections of a base.
#[derive(Clone, Copy, Default)]
pub(super) struct View<'a> {
    /// The chunk of each slot, ascending.
    pub(super) chunks: &'a [u64],
    /// The language each slot was read in, as its number.
    pub(super) languages: &'a [u8],
    /// Where each slot's contents start; one more at the end.
    pub(super) content_starts: &'a [u64],
    /// The contents of all slots.
    pub(super) contents: &'a [u32],
    /// Where each term's text starts; one more at the end.
    pub(super) term_starts: &'a [u32],
    /// The text of all terms, sorted by bytes.
    pub(super) term_text: &'a [u8],
    /// Three starts for each term, of its slots with one, two and more; one more
    /// at the end.
    pub(super) posting_starts: &'a [u64],
    /// The postings of all terms.
    pub(super) postings: &'a [u32],
}

/// The postings of one term.
#[derive(Clone, Copy, Default)]
pub(super) struct Postings<'a> {
    /// The slots that have it once.
    pub(super) once: &'a [u32],
    /// The slots that have it twice.
    pub(super) twice: &'a [u32],
    /// The slots that have it more often, each followed by how often.
    pub(super) more: &'a [u32],
}

impl<'a> Postings<'a> {
    /// Returns how many slots there are.
    pub(super) fn len(&self) -> usize {
        self.once.len() + self.twice.len() + self.more.len() / 2
    }

    /// Returns the slots, in no order.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> + use<'a> {
        let more = self.more.iter().step_by(2);
        self.once.iter().chain(self.twice).chain(more).copied()
    }
}

impl<'a> View<'a> {
    /// Returns how many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.chunks.len()
    }

    /// Returns how many terms there are.
    pub(super) fn terms(&self) -> usize {
        self.term_starts.len().saturating_sub(1)
    }

    /// Returns the text of a term.
    pub(super) fn term(&self, term: usize) -> &'a [u8] {
        &self.term_text[self.term_starts[term] as usize..self.term_starts[term + 1] as usize]
    }

    /// Returns the postings of a term.
    pub(super) fn postings(&self, term: usize) -> Postings<'a> {
        let starts = &self.posting_starts[3 * term..3 * term + 4];
        let part =
            |index: usize| &self.postings[starts[index] as usize..starts[index + 1] as usize];
        Postings {
            once: part(0),
            twice: part(1),
            more: part(2),
        }
    }

    /// Returns the contents of a slot.
    pub(super) fn content(&self, slot: usize) -> &'a [u32] {
        &self.contents[self.content_starts[slot] as usize..self.content_starts[slot + 1] as usize]
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Base {
    /// Opens the base at `path`, made with settings of this `fingerprint`.
    pub(super) fn open(path: &Path, fingerprint: u64, heading: u32) -> Result<Self, DerivedError> {
        let file = Derived::open(path, KIND)?;
        let view = view(&file)?;
        if file.section(0)? != fingerprint.to_le_bytes() {
            return Err(file.damaged("it was made with other settings"));
        }
        check(&view).map_err(|reason| file.damaged(reason))?;
        let lengths = (0..view.slots())
            .map(|slot| length(view.content(slot), heading))
            .collect::<Vec<_>>();
        let sampled = (0..view.terms()).step_by(SAMPLE);
        Ok(Self {
            total: lengths.iter().map(|length| u64::from(*length)).sum(),
            lengths,
            samples: sampled.map(|term| first_bytes(view.term(term))).collect(),
            // SAFETY: the view points into the map that `file` owns, which stays
            // where it is when `file` moves and lives as long as the base does; and
            // `view()` lends the view for no longer than the base is borrowed.
            view: unsafe { std::mem::transmute::<View<'_>, View<'static>>(view) },
            file: Some(file),
        })
    }

    /// Returns the sections.
    pub(super) fn view(&self) -> View<'_> {
        self.view
    }

    /// Returns the first term that is not before `text`.
    pub(super) fn first_term_from(&self, text: &[u8]) -> usize {
        let key = first_bytes(text);
        let before = self.samples.partition_point(|sample| *sample < key);
        let upto = before + self.samples[before..].partition_point(|sample| *sample == key);
        let mut low = before.saturating_sub(1) * SAMPLE;
        let mut high = (upto * SAMPLE).min(self.view.terms());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.view.term(middle) < text {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Returns the term that is written `text`.
    pub(super) fn find_term(&self, text: &[u8]) -> Option<u32> {
        let term = self.first_term_from(text);
        (term < self.view.terms() && self.view.term(term) == text).then_some(term as u32)
    }

    /// Returns the last commit the base has seen.
    pub(super) fn sequence(&self) -> u64 {
        self.file.as_ref().map_or(0, Derived::sequence)
    }

    /// Returns the length of each slot in words.
    pub(super) fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// Returns the length of all slots together.
    pub(super) fn total_length(&self) -> u64 {
        self.total
    }

    /// Returns the length of the file in bytes.
    pub(super) fn file_len(&self) -> usize {
        self.file.as_ref().map_or(0, Derived::len)
    }
}

/// Returns the first eight bytes of a term, in whose order the terms are.
fn first_bytes(term: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let some = term.len().min(8);
    bytes[..some].copy_from_slice(&term[..some]);
    u64::from_be_bytes(bytes)
}

/// Returns the length of a chunk in words; a heading word counts `heading` times.
pub(super) fn length(content: &[u32], heading: u32) -> u32 {
    content
        .iter()
        .filter(|word| **word != GAP)
        .fold(0, |length: u32, word| {
            length.saturating_add(weight(*word, heading))
        })
}

/// Returns how many times a word of the contents counts.
pub(super) fn weight(word: u32, heading: u32) -> u32 {
    if word & HEADING == 0 { 1 } else { heading }
}

fn view(file: &Derived) -> Result<View<'_>, DerivedError> {
    fn cast<T: bytemuck::AnyBitPattern>(
        file: &Derived,
        index: usize,
    ) -> Result<&[T], DerivedError> {
        bytemuck::try_cast_slice(file.section(index)?)
            .map_err(|_| file.damaged("a section is not a whole number of entries"))
    }
    Ok(View {
        chunks: cast(file, 1)?,
        languages: cast(file, 2)?,
        content_starts: cast(file, 3)?,
        contents: cast(file, 4)?,
        term_starts: cast(file, 5)?,
        term_text: cast(file, 6)?,
        posting_starts: cast(file, 7)?,
        postings: cast(file, 8)?,
    })
}

// The sections are read in place, as the machine reads numbers.
const _: () = assert!(
    cfg!(target_endian = "little"),
    "derived files are little-endian and used in place"
);

/// Checks that nothing in a base points outside it. Whoever wrote the file, no
/// question may stop the program.
fn check(view: &View<'_>) -> Result<(), &'static str> {
    let (slots, terms) = (view.slots(), view.terms());
    if !view.chunks.is_sorted_by(|a, b| a < b) {
        return Err("its chunks are not in order");
    }
    if slots > u32::MAX as usize / 2 || terms > MOST_TERMS {
        return Err("it has more chunks or terms than there may be");
    }
    if view.languages.len() != slots
        || view
            .languages
            .iter()
            .any(|l| usize::from(*l) >= Language::ALL.len())
    {
        return Err("the languages of its chunks are unknown");
    }
    starts(view.content_starts, slots, view.contents.len())
        .ok_or("the contents of its chunks do not follow one another")?;
    if view
        .contents
        .iter()
        .any(|word| *word != GAP && (*word & TERM) as usize >= terms)
    {
        return Err("a chunk has a term that does not exist");
    }
    if view.term_starts.is_empty()
        || view.term_starts[0] != 0
        || view.term_starts[terms] as usize != view.term_text.len()
        || !view.term_starts.is_sorted()
        || (1..terms).any(|term| view.term(term - 1) >= view.term(term))
        || (0..terms).any(|term| std::str::from_utf8(view.term(term)).is_err())
    {
        return Err("its terms are not in order");
    }
    starts(view.posting_starts, 3 * terms, view.postings.len())
        .ok_or("its postings do not follow one another")?;
    for term in 0..terms {
        let postings = view.postings(term);
        let ascending = |slots: &[u32]| slots.is_sorted_by(|a, b| a < b);
        let inside = |last: Option<&u32>| last.is_none_or(|slot| (*slot as usize) < slots);
        let more = postings.more.chunks_exact(2);
        if !postings.more.len().is_multiple_of(2)
            || !ascending(postings.once)
            || !ascending(postings.twice)
            || !more.clone().is_sorted_by(|a, b| a[0] < b[0])
            || !inside(postings.once.last())
            || !inside(postings.twice.last())
            || !inside(more.clone().next_back().map(|pair| &pair[0]))
            || more.clone().any(|pair| pair[1] < 3)
        {
            return Err("the postings of a term are not in order");
        }
    }
    Ok(())
}

fn starts(starts: &[u64], count: usize, end: usize) -> Option<()> {
    (starts.len() == count + 1
        && starts[0] == 0
        && starts[count] == end as u64
        && starts.is_sorted())
    .then_some(())
}

/// One chunk to be written.
pub(super) struct Entry<'a> {
    pub(super) chunk: u64,
    pub(super) language: u8,
    /// Its contents, in the terms of `Written::terms`.
    pub(super) content: &'a mut dyn Iterator<Item = u32>,
}

/// A base in the making: chunks come in ascending order, their terms are already
/// the places in the sorted dictionary.
pub(super) struct Writer {
    chunks: Vec<u64>,
    languages: Vec<u8>,
    content_starts: Vec<u64>,
    contents: Vec<u32>,
}

impl Writer {
    pub(super) fn new(chunks: usize) -> Self {
        Self {
            chunks: Vec::with_capacity(chunks),
            languages: Vec::with_capacity(chunks),
            content_starts: vec![0],
            contents: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, entry: Entry<'_>) {
        debug_assert!(self.chunks.last().is_none_or(|last| *last < entry.chunk));
        self.chunks.push(entry.chunk);
        self.languages.push(entry.language);
        self.contents.extend(entry.content);
        self.content_starts.push(self.contents.len() as u64);
    }

    /// Writes the base, with `terms` sorted by their bytes.
    pub(super) fn write(
        &self,
        path: &Path,
        sequence: u64,
        fingerprint: u64,
        heading: u32,
        terms: &[&[u8]],
    ) -> Result<(), DerivedError> {
        let mut term_starts = vec![0u32];
        let mut term_text = Vec::new();
        for term in terms {
            term_text.extend_from_slice(term);
            term_starts.push(u32::try_from(term_text.len()).map_err(|_| too_large(path))?);
        }
        let (posting_starts, postings) = self.invert(terms.len(), heading);
        derived::write(
            path,
            KIND,
            sequence,
            &[
                &fingerprint.to_le_bytes(),
                bytemuck::cast_slice(&self.chunks),
                &self.languages,
                bytemuck::cast_slice(&self.content_starts),
                bytemuck::cast_slice(&self.contents),
                bytemuck::cast_slice(&term_starts),
                &term_text,
                bytemuck::cast_slice(&posting_starts),
                bytemuck::cast_slice(&postings),
            ],
        )
    }

    /// Turns the contents into postings, in two passes: count, then place.
    fn invert(&self, terms: usize, heading: u32) -> (Vec<u64>, Vec<u32>) {
        let mut starts = vec![0u64; 3 * terms + 1];
        let mut count = Counter::new(terms);
        for slot in 0..self.chunks.len() {
            count.each(self.content(slot), heading, |term, tf| {
                let kind = tf.min(3) as usize - 1;
                starts[3 * term + kind + 1] += if kind == 2 { 2 } else { 1 };
            });
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let mut next = starts.clone();
        let mut postings = vec![0u32; starts[3 * terms] as usize];
        for slot in 0..self.chunks.len() {
            count.each(self.content(slot), heading, |term, tf| {
                let kind = tf.min(3) as usize - 1;
                let at = &mut next[3 * term + kind];
                postings[*at as usize] = slot as u32;
                *at += 1;
                if kind == 2 {
                    postings[*at as usize] = tf;
                    *at += 1;
                }
            });
        }
        (starts, postings)
    }

    fn content(&self, slot: usize) -> &[u32] {
        &self.contents[self.content_starts[slot] as usize..self.content_starts[slot + 1] as usize]
    }
}

/// Counts the terms of one chunk after another.
pub(super) struct Counter {
    counts: Vec<u32>,
    seen: Vec<u32>,
}

impl Counter {
    pub(super) fn new(terms: usize) -> Self {
        Self {
            counts: vec![0; terms],
            seen: Vec::new(),
        }
    }

    /// Calls `each` with every term of `content` and how often it is there.
    pub(super) fn each(&mut self, content: &[u32], heading: u32, mut each: impl FnMut(usize, u32)) {
        for word in content.iter().filter(|word| **word != GAP) {
            let count = &mut self.counts[(word & TERM) as usize];
            if *count == 0 {
                self.seen.push(word & TERM);
            }
            *count = count.saturating_add(weight(*word, heading));
        }
        for term in self.seen.drain(..) {
            each(
                term as usize,
                std::mem::take(&mut self.counts[term as usize]),
            );
        }
    }
}

fn too_large(path: &Path) -> DerivedError {
    DerivedError::Io {
        path: path.into(),
        source: std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            "the words of the index take more than 4 GiB",
        ),
    }
}
