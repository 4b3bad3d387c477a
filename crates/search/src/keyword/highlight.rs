//! Where the words of a question stand in a text.

use std::collections::HashSet;
use std::ops::Range;

use super::language;
use super::query::KeywordQuery;
use super::words::for_each_word;

impl KeywordQuery {
    /// Returns the places in `text`, any text, at which content words or phrases'
    /// words of the question stand, in order and apart from one another.
    pub fn highlight(&self, text: &str) -> Vec<Range<usize>> {
        let content = self.words.iter().filter(|word| word.content);
        let searched = content.map(|word| (&word.terms, word.prefix));
        let quoted = self
            .phrases
            .iter()
            .flatten()
            .map(|word| (&word.terms, word.prefix));
        let (mut whole, mut beginnings) = (HashSet::new(), Vec::new());
        for (terms, prefix) in searched.chain(quoted) {
            if prefix {
                beginnings.extend(terms.iter().map(String::as_str));
            } else {
                whole.extend(terms.iter().map(String::as_str));
            }
        }
        let mut places: Vec<Range<usize>> = Vec::new();
        for_each_word(text, &mut |word| {
            let hit = self.languages.iter().any(|language| {
                let term = language::term(&word, *language);
                whole.contains(term.as_str())
                    || beginnings
                        .iter()
                        .any(|beginning| term.starts_with(beginning))
            });
            if !hit {
                return;
            }
            let mut place = word.bytes;
            while let Some(last) = places.last()
                && place.start < last.end
            {
                place = place.start.min(last.start)..place.end.max(last.end);
                places.pop();
            }
            places.push(place);
        });
        places
    }
}
