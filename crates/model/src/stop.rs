//! Stop strings: texts at which writing ends, and which are never shown.
//!
//! A stop string may begin in one token and end in another, so whatever could still
//! become one is held back until it is known. Writing ends with the stop string that is
//! whole first, wherever the tokens' borders lie.

/// Lets text through up to the first stop string.
pub(crate) struct StopFilter {
    strings: Vec<String>,
    /// Text that was taken and not yet given on.
    held: String,
}

/// What became of a piece of text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Text that is sure not to belong to a stop string.
    pub(crate) text: String,
    /// The stop string at which writing ends. Nothing of what follows it is given on.
    pub(crate) stopped: Option<usize>,
}

impl StopFilter {
    /// Looks for `strings`, of which empty ones are never found.
    pub(crate) fn new(strings: &[String]) -> Self {
        Self {
            strings: strings.to_vec(),
            held: String::new(),
        }
    }

    /// Takes the next piece of text.
    pub(crate) fn take(&mut self, piece: &str) -> Passed {
        self.held.push_str(piece);
        if let Some((start, string)) = self.first() {
            self.held.truncate(start);
            return Passed {
                text: std::mem::take(&mut self.held),
                stopped: Some(string),
            };
        }
        let sure = self.held.len() - self.begun();
        let rest = self.held.split_off(sure);
        Passed {
            text: std::mem::replace(&mut self.held, rest),
            stopped: None,
        }
    }

    /// Returns what was held back, when no more text comes.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Returns where the stop string that ends first begins, of several the longest, and
    /// which it is.
    fn first(&self) -> Option<(usize, usize)> {
        let ends = self.strings.iter().enumerate().filter_map(|(at, string)| {
            let start = (!string.is_empty())
                .then(|| self.held.find(string.as_str()))
                .flatten()?;
            Some((start + string.len(), start, at))
        });
        ends.min().map(|(_, start, at)| (start, at))
    }

    /// Returns how many bytes at the end of what is held may be the beginning of a stop
    /// string.
    fn begun(&self) -> usize {
        let begun = |string: &String| {
            let bytes = string.as_bytes();
            let most = bytes.len().saturating_sub(1).min(self.held.len());
            (1..=most)
                .rev()
                .find(|length| self.held.as_bytes().ends_with(&bytes[..*length]))
                // A beginning of whole characters; the text has only such.
                .unwrap_or(0)
        };
        self.strings.iter().map(begun).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives `pieces` one after another and returns the text up to the stop string, and
    /// which it was.
    fn run(strings: &[&str], pieces: &[&str]) -> (String, Option<usize>) {
        let strings: Vec<String> = strings.iter().map(|it| (*it).to_owned()).collect();
        let mut filter = StopFilter::new(&strings);
        let mut text = String::new();
        for piece in pieces {
            let passed = filter.take(piece);
            text.push_str(&passed.text);
            if passed.stopped.is_some() {
                return (text, passed.stopped);
            }
        }
        text.push_str(&filter.finish());
        (text, None)
    }

    fn check(strings: &[&str], pieces: &[&str], text: &str, stopped: Option<usize>) {
        assert_eq!(run(strings, pieces), (text.to_owned(), stopped));
    }

    #[test]
    fn a_stop_string_is_never_shown() {
        check(
            &["\n\n"],
            &["one\n", "two", "\n\n", "three"],
            "one\ntwo",
            Some(0),
        );
        check(&["END"], &["the E", "N", "D of it"], "the ", Some(0));
        check(&["END"], &["the E", "N"], "the EN", None);
        check(&["aab"], &["aa", "a", "b"], "a", Some(0));
        check(&["", "x"], &["abc"], "abc", None);
        check(&["für", "é"], &["caf", "é"], "caf", Some(1));
    }

    #[test]
    fn the_one_that_is_whole_first_ends_it() {
        check(&["xabyz", "ab"], &["wxabyz"], "wx", Some(1));
        check(&["ab", "xab"], &["wxab"], "w", Some(1));
    }

    #[test]
    fn what_cannot_become_one_is_given_at_once() {
        let mut filter = StopFilter::new(&["END".to_owned()]);
        assert_eq!(filter.take("THE").text, "TH");
        assert_eq!(filter.take("M").text, "EM");
    }

    proptest! {
        /// Where the pieces' borders lie makes no difference.
        #[test]
        fn pieces_give_what_the_whole_text_gives(
            text in "[abé]{0,24}",
            strings in prop::collection::vec("[abé]{1,4}", 0..4),
            cuts in prop::collection::vec(0usize..24, 0..8),
        ) {
            let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
            let letters: Vec<char> = text.chars().collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(letters.len())).collect();
            cuts.extend([0, letters.len()]);
            cuts.sort_unstable();
            let pieces: Vec<String> = cuts
                .windows(2)
                .map(|cut| letters[cut[0]..cut[1]].iter().collect())
                .collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(run(&strings, &pieces), run(&strings, &[&text]));
        }
    }
}
