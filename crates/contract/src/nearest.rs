//! The nearest known name to one that is not known, for hints.

/// Returns the name of `known` that `found` was most likely meant to be: the one with
/// the fewest letters to change, insert, leave out or swap with a neighbour, if they
/// are at most a third of the longer name's letters (at least one). Letters of
/// either case are the same, and so are `-` and `_`. Of equals, the first.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |name: &str| -> Vec<char> {
        name.chars()
            .flat_map(char::to_lowercase)
            .map(|c| if c == '-' { '_' } else { c })
            .collect()
    };
    let found = letters(found);
    known
        .into_iter()
        .filter_map(|name| {
            let name_letters = letters(name);
            let edits = edits(&found, &name_letters);
            (edits <= (found.len().max(name_letters.len()) / 3).max(1)).then_some((edits, name))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Returns the optimal string alignment distance (Damerau 1964, adjacent swaps once).
fn edits(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut least = (above[j] + usize::from(a != b))
                .min(above[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["jurisdiction", "date", "threshold", "top_k"];
        for (found, expect) in [
            ("jurisdicton", Some("jurisdiction")),
            ("dtae", Some("date")),
            ("Top-K", Some("top_k")),
            ("treshhold", Some("threshold")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, known), expect, "{found}");
        }
    }
}
