//! Where a text names tokens, and where it only quotes their names.
//!
//! What a chat template makes of a conversation is one text, in which the template's own
//! marks are tokens, and what somebody said is not, whatever it says. So places are
//! given: a name that goes across one of them is text.

use std::ops::Range;

/// A token that is found in a text by its name.
#[derive(Clone, Debug)]
pub(super) struct Name<'a> {
    pub(super) name: &'a str,
    pub(super) id: u32,
    /// Whether it takes the blanks before it with it.
    pub(super) takes_before: bool,
    /// And those behind it.
    pub(super) takes_behind: bool,
}

/// A stretch of a text: a token, or what is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) bytes: Range<usize>,
    pub(super) id: Option<u32>,
}

/// Returns the stretches of `text`, from its first byte to its last: the first name that
/// is found is a token, of several that begin at one place the longest, unless it goes
/// across one of `quotes`, places in bytes in rising order.
pub(super) fn stretches(text: &str, names: &[Name<'_>], quotes: &[usize]) -> Vec<Stretch> {
    let mut found: Vec<(usize, &Name<'_>)> = names
        .iter()
        .filter(|name| !name.name.is_empty())
        .flat_map(|name| places(text, name.name).map(move |at| (at, name)))
        .filter(|(at, name)| {
            let behind = quotes.partition_point(|quote| quote <= at);
            quotes
                .get(behind)
                .is_none_or(|quote| *quote >= at + name.name.len())
        })
        .collect();
    found.sort_by(|(a, one), (b, other)| a.cmp(b).then(other.name.len().cmp(&one.name.len())));
    let mut stretches = Vec::new();
    let mut end = 0;
    for (at, name) in found {
        if at < end {
            continue;
        }
        let blanks = |text: &str| text.len() - text.trim_start().len();
        let start = match name.takes_before {
            true => end + text[end..at].trim_end().len(),
            false => at,
        };
        if start > end {
            stretches.push(Stretch {
                bytes: end..start,
                id: None,
            });
        }
        end = at + name.name.len();
        if name.takes_behind {
            end += blanks(&text[end..]);
        }
        stretches.push(Stretch {
            bytes: start..end,
            id: Some(name.id),
        });
    }
    if end < text.len() {
        stretches.push(Stretch {
            bytes: end..text.len(),
            id: None,
        });
    }
    stretches
}

/// Returns where `name`, which is not empty, is in `text`, also where it overlaps itself.
pub(crate) fn places<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = memchr::memmem::find(&text.as_bytes()[from..], name.as_bytes())?;
        let at = from + found;
        from = at + 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [Name<'_>; 3] = [
        Name {
            name: "<a>",
            id: 1,
            takes_before: false,
            takes_behind: false,
        },
        Name {
            name: "<a><b>",
            id: 2,
            takes_before: false,
            takes_behind: false,
        },
        Name {
            name: "<c>",
            id: 3,
            takes_before: true,
            takes_behind: true,
        },
    ];

    fn check(text: &str, quotes: &[usize], expect: &[(&str, Option<u32>)]) {
        let found = stretches(text, &NAMES, quotes);
        let found: Vec<_> = found
            .iter()
            .map(|it| (&text[it.bytes.clone()], it.id))
            .collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn the_longest_name_at_the_first_place_is_a_token() {
        check("", &[], &[]);
        check("x<a>y", &[], &[("x", None), ("<a>", Some(1)), ("y", None)]);
        check("<a><b><a>", &[], &[("<a><b>", Some(2)), ("<a>", Some(1))]);
    }

    #[test]
    fn blanks_go_with_a_token_that_takes_them() {
        check(
            "x  <c>\n y",
            &[],
            &[("x", None), ("  <c>\n ", Some(3)), ("y", None)],
        );
    }

    #[test]
    fn what_is_quoted_is_text() {
        check("<a><a>", &[1], &[("<a>", None), ("<a>", Some(1))]);
        check("<a><a>", &[4], &[("<a>", Some(1)), ("<a>", None)]);
        check("<a><b>", &[4], &[("<a>", Some(1)), ("<b>", None)]);
        // At its edge a place is not in it.
        check("<a>", &[0, 3], &[("<a>", Some(1))]);
    }
}
