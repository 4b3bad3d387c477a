//! Entities: F1 of names that are found whole, as `seqeval` 1.2.2 counts them (micro average).
//!
//! The default is lenient, as in `conlleval`: an `I-` that begins a name begins it. The strict
//! mode is that of `seqeval` with `mode='strict', scheme=IOB2`: only `B-` begins a name.

use std::collections::BTreeSet;

/// How tags are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TagScheme {
    /// As `conlleval` does: what begins a name is guessed where it is not said. Knows the
    /// tags `B I E S O`.
    #[default]
    Lenient,
    /// Only `B-` begins a name, and only an `I-` of the same kind goes on with it.
    Iob2,
}

/// A name: its kind, its first word, and the word behind its last.
type Entity<'a> = (&'a str, usize, usize);

/// Returns how many entities both have, only the tags said, and only the right ones. Tags are
/// words between blanks; those that are missing are `O`, those too many are left out.
pub(crate) fn entity_statistics(said: &str, right: &str, scheme: TagScheme) -> [f64; 3] {
    let right: Vec<&str> = right.split_whitespace().collect();
    let mut mine: Vec<&str> = said.split_whitespace().take(right.len()).collect();
    mine.resize(right.len(), "O");
    let (mine, right) = (entities(&mine, scheme), entities(&right, scheme));
    let both = mine.intersection(&right).count() as f64;
    [both, mine.len() as f64 - both, right.len() as f64 - both]
}

/// Returns the entities of a sentence's tags.
pub fn entities<'a>(tags: &[&'a str], scheme: TagScheme) -> BTreeSet<Entity<'a>> {
    let mut found = BTreeSet::new();
    let mut open: Option<(&str, usize)> = None;
    let mut last = ('O', "");
    for (place, tag) in tags.iter().copied().chain(["O"]).enumerate() {
        let now = parts(tag);
        let (begins, ends) = match scheme {
            TagScheme::Lenient => (begins(last, now), ends(last, now)),
            // Whatever does not go on with a name ends it.
            TagScheme::Iob2 => (now.0 == 'B', !(now.0 == 'I' && now.1 == last.1)),
        };
        if ends && let Some((kind, start)) = open.take() {
            found.insert((kind, start, place));
        }
        if begins {
            open = Some((now.1, place));
        }
        last = now;
    }
    found
}

/// Parts `B-person` into its letter and its kind, which is `_` if there is none.
fn parts(tag: &str) -> (char, &str) {
    let mut letters = tag.chars();
    let letter = letters.next().unwrap_or('O');
    let rest = letters.as_str();
    let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
    (letter, if kind.is_empty() { "_" } else { kind })
}

/// `end_of_chunk` of the reference.
fn ends(last: (char, &str), now: (char, &str)) -> bool {
    matches!(last.0, 'E' | 'S')
        || matches!(last.0, 'B' | 'I') && matches!(now.0, 'B' | 'S' | 'O')
        || !matches!(last.0, 'O' | '.') && last.1 != now.1
}

/// `start_of_chunk` of the reference.
fn begins(last: (char, &str), now: (char, &str)) -> bool {
    matches!(now.0, 'B' | 'S')
        || matches!(last.0, 'E' | 'S' | 'O') && matches!(now.0, 'E' | 'I')
        || !matches!(now.0, 'O' | '.') && last.1 != now.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: &str, scheme: TagScheme, expect: &[Entity<'_>]) {
        let tags: Vec<&str> = tags.split_whitespace().collect();
        let found: Vec<Entity<'_>> = entities(&tags, scheme).into_iter().collect();
        assert_eq!(found, expect, "{tags:?} {scheme:?}");
    }

    #[test]
    fn lenient_tags_begin_a_name_without_saying_so() {
        check(
            "O I-PER I-PER B-PER",
            TagScheme::Lenient,
            &[("PER", 1, 3), ("PER", 3, 4)],
        );
        check("O I-PER I-PER B-PER", TagScheme::Iob2, &[("PER", 3, 4)]);
        check("B-A I-B", TagScheme::Lenient, &[("A", 0, 1), ("B", 1, 2)]);
        check("B-A I-B", TagScheme::Iob2, &[("A", 0, 1)]);
        check("S-A E-A", TagScheme::Lenient, &[("A", 0, 1), ("A", 1, 2)]);
        check("", TagScheme::Lenient, &[]);
    }

    #[test]
    fn tags_that_are_missing_are_outside() {
        assert_eq!(
            entity_statistics("B-A", "B-A O B-A", TagScheme::Lenient),
            [1.0, 0.0, 1.0]
        );
        assert_eq!(
            entity_statistics("B-A B-A", "O", TagScheme::Lenient),
            [0.0, 1.0, 0.0]
        );
    }
}
