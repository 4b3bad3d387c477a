//! Byte-pair encoding by the score of what is made: SentencePiece's, llama2.c's and
//! tiktoken's.
//!
//! A text is cut into symbols, and of all neighbours that together are a piece of the
//! vocabulary the best scored are joined, the leftmost of equals first, until none are
//! left (Sennrich et al. 2016; Kudo and Richardson 2018; SentencePiece's
//! `bpe_model.cc`). tiktoken's ranks are scores below 0. There is no list of merges:
//! that is what tells these vocabularies from GPT-2's, which the `tokenizers` crate does.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// What a piece of the vocabulary is; numbered as in SentencePiece and GGUF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    /// A special token, never made of text that is only text.
    Control,
    /// A token that is always found in text, before all joining.
    Always,
    Unused,
    /// One byte, for what no piece covers.
    Byte,
}

impl Kind {
    /// Returns the kind of this number; ones that are not known are normal.
    pub(super) fn of(number: i64) -> Self {
        match number {
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::Always,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => Self::Normal,
        }
    }

    /// Returns its number.
    pub(super) fn number(self) -> i32 {
        match self {
            Self::Normal => 1,
            Self::Unknown => 2,
            Self::Control => 3,
            Self::Always => 4,
            Self::Unused => 5,
            Self::Byte => 6,
        }
    }
}

/// A piece of the vocabulary, with its bytes as text has them.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) score: f32,
    pub(super) kind: Kind,
}

/// What a text is cut into before anything is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbols {
    /// SentencePiece: characters.
    Characters,
    /// tiktoken: bytes.
    Bytes,
}

/// A vocabulary of scored pieces.
#[derive(Debug)]
pub(super) struct Scored {
    pub(super) pieces: Vec<Piece>,
    symbols: Symbols,
    ids: HashMap<Vec<u8>, u32>,
    /// The piece of each byte, if the vocabulary has them all.
    bytes: Option<Box<[u32; 256]>>,
    unknown: Option<u32>,
    /// Pieces that are always found in text, by their first byte, longest first.
    always: HashMap<u8, Vec<u32>>,
    has_unused: bool,
}

/// A stretch of the text, in a list with its neighbours.
#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    /// 0 once it has been joined to the one before.
    length: usize,
    before: usize,
    after: usize,
    /// Whether it may be joined to others.
    fixed: bool,
}

const NONE: usize = usize::MAX;

/// Two neighbours that could be joined.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// Of both together when they were found; another length is a pair no more.
    length: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

impl Scored {
    /// Returns what a text is cut into before anything is joined.
    pub(super) fn symbols(&self) -> Symbols {
        self.symbols
    }

    /// Returns the vocabulary; of pieces that are the same, the first counts.
    pub(super) fn new(pieces: Vec<Piece>, symbols: Symbols) -> Self {
        let mut ids = HashMap::with_capacity(pieces.len());
        let mut bytes = [None; 256];
        let mut always: HashMap<u8, Vec<u32>> = HashMap::new();
        let mut unknown = None;
        for (id, piece) in (0u32..).zip(&pieces) {
            match (piece.kind, &piece.bytes[..]) {
                (Kind::Byte, [byte]) => {
                    bytes[usize::from(*byte)].get_or_insert(id);
                }
                (Kind::Unknown, _) => {
                    unknown.get_or_insert(id);
                }
                (Kind::Always, [first, ..]) => always.entry(*first).or_default().push(id),
                (Kind::Normal | Kind::Unused, [_, ..]) => {
                    ids.entry(piece.bytes.clone()).or_insert(id);
                }
                _ => {}
            }
        }
        for list in always.values_mut() {
            list.sort_by_key(|id| std::cmp::Reverse(pieces[*id as usize].bytes.len()));
        }
        let bytes: Option<Vec<u32>> = bytes.into_iter().collect();
        Self {
            symbols,
            ids,
            bytes: bytes.map(|list| Box::new(list.try_into().expect("there are 256"))),
            unknown,
            always,
            has_unused: pieces.iter().any(|piece| piece.kind == Kind::Unused),
            pieces,
        }
    }

    /// Returns the piece that is `bytes`, unless it is one that text is never made into.
    pub(super) fn id(&self, bytes: &[u8]) -> Option<u32> {
        self.ids.get(bytes).copied()
    }

    /// Appends the pieces of `text`.
    pub(super) fn encode(&self, text: &str, into: &mut Vec<u32>) {
        let mut symbols = self.cut(text);
        let mut halves: HashMap<(usize, usize), usize> = HashMap::new();
        let text = text.as_bytes();
        let mut pairs = BinaryHeap::new();
        for right in 1..symbols.len() {
            self.consider(text, &symbols, right - 1, right, &mut pairs);
        }
        while let Some(pair) = pairs.pop() {
            let (left, right) = (symbols[pair.left], symbols[pair.right]);
            if left.length == 0 || right.length == 0 || left.length + right.length != pair.length {
                continue;
            }
            symbols[pair.left].length = pair.length;
            symbols[pair.left].after = right.after;
            symbols[pair.right].length = 0;
            if right.after != NONE {
                symbols[right.after].before = pair.left;
                self.consider(text, &symbols, pair.left, right.after, &mut pairs);
            }
            if left.before != NONE {
                self.consider(text, &symbols, left.before, pair.left, &mut pairs);
            }
            if self.has_unused {
                halves.insert((left.start, pair.length), left.length);
            }
        }
        let mut was_unknown = false;
        for symbol in symbols.iter().filter(|symbol| symbol.length > 0) {
            self.emit(
                text,
                symbol.start,
                symbol.length,
                &halves,
                &mut was_unknown,
                into,
            );
        }
    }

    fn cut(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        let mut start = 0;
        while start < text.len() {
            let found = self.always_at(&text.as_bytes()[start..]);
            let length = match (found, self.symbols) {
                (Some(id), _) => self.pieces[id as usize].bytes.len(),
                (None, Symbols::Bytes) => 1,
                (None, Symbols::Characters) => {
                    text[start..].chars().next().map_or(1, char::len_utf8)
                }
            };
            let index = symbols.len();
            symbols.push(Symbol {
                start,
                length,
                before: index.checked_sub(1).unwrap_or(NONE),
                after: index + 1,
                fixed: found.is_some(),
            });
            start += length;
        }
        if let Some(last) = symbols.last_mut() {
            last.after = NONE;
        }
        symbols
    }

    /// Returns the longest piece at the start of `text` that is always found.
    fn always_at(&self, text: &[u8]) -> Option<u32> {
        self.always
            .get(text.first()?)?
            .iter()
            .copied()
            .find(|id| text.starts_with(&self.pieces[*id as usize].bytes))
    }

    fn consider(
        &self,
        text: &[u8],
        symbols: &[Symbol],
        left: usize,
        right: usize,
        pairs: &mut BinaryHeap<Pair>,
    ) {
        let (first, second) = (symbols[left], symbols[right]);
        if first.fixed || second.fixed {
            return;
        }
        let length = first.length + second.length;
        if let Some(id) = self.id(&text[first.start..first.start + length]) {
            let score = self.pieces[id as usize].score;
            pairs.push(Pair {
                score,
                left,
                right,
                length,
            });
        }
    }

    /// Appends what a symbol became: its piece, the two halves of a piece that must not
    /// be used, its bytes, or the unknown piece, once for a run of them.
    fn emit(
        &self,
        text: &[u8],
        start: usize,
        length: usize,
        halves: &HashMap<(usize, usize), usize>,
        was_unknown: &mut bool,
        into: &mut Vec<u32>,
    ) {
        let bytes = &text[start..start + length];
        let id = self.id(bytes).or_else(|| {
            let id = self.always_at(bytes)?;
            (self.pieces[id as usize].bytes == bytes).then_some(id)
        });
        if let Some(id) = id {
            let unused = self.pieces[id as usize].kind == Kind::Unused;
            match halves.get(&(start, length)) {
                Some(half) if unused => {
                    self.emit(text, start, *half, halves, was_unknown, into);
                    self.emit(text, start + half, length - half, halves, was_unknown, into);
                }
                _ => {
                    *was_unknown = false;
                    into.push(id);
                }
            }
        } else if let Some(pieces) = &self.bytes {
            *was_unknown = false;
            into.extend(bytes.iter().map(|byte| pieces[usize::from(*byte)]));
        } else if let Some(unknown) = self.unknown {
            if !*was_unknown {
                into.push(unknown);
            }
            *was_unknown = true;
        }
    }
}
