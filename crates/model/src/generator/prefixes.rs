//! Keys and values of texts that are written, kept for requests that begin as they do.

/// A sequence that nobody reads on: what a later one may begin with.
pub(super) struct Kept<C, A> {
    pub(super) tokens: Vec<u32>,
    pub(super) adapters: A,
    pub(super) cache: C,
}

/// The last few sequences, the latest at the end.
pub(super) struct Prefixes<C, A> {
    kept: Vec<Kept<C, A>>,
    most: usize,
}

impl<C, A: PartialEq> Prefixes<C, A> {
    /// Keeps at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            kept: Vec::new(),
            most,
        }
    }

    /// Returns which of the kept sequences shares the longest beginning with `tokens`, and
    /// how long it is.
    pub(super) fn longest(&self, tokens: &[u32], adapters: &A) -> Option<(usize, usize)> {
        let shared = self.kept.iter().enumerate().filter_map(|(at, kept)| {
            let length = shared(&kept.tokens, tokens);
            (length > 0 && kept.adapters == *adapters).then_some((length, at))
        });
        shared.max().map(|(length, at)| (at, length))
    }

    pub(super) fn get(&self, at: usize) -> &Kept<C, A> {
        &self.kept[at]
    }

    pub(super) fn take(&mut self, at: usize) -> Kept<C, A> {
        self.kept.remove(at)
    }

    /// Keeps one more; the oldest leaves if there is no room.
    pub(super) fn keep(&mut self, kept: Kept<C, A>) {
        if self.most == 0 || kept.tokens.is_empty() {
            return;
        }
        if self.kept.len() == self.most {
            self.kept.remove(0);
        }
        self.kept.push(kept);
    }
}

/// Returns how many tokens two sequences begin with in common.
pub(super) fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
