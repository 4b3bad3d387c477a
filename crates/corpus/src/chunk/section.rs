//! One chunk a section: the default, and the way for source code.

use contract::Document;

use super::{Stretch, Texture, common, piece, words};

/// Sections that become one chunk, or several if they are long.
struct Group<'a> {
    headings: &'a [String],
    start: usize,
    end: usize,
    words: usize,
    /// The words of the section that gave the headings.
    named_by: usize,
}

/// Cuts `document` at its sections; those of fewer than `min_words` words are
/// joined to what follows, those of more than `max_words` are divided.
pub(crate) fn cut(
    document: &Document,
    texture: Texture,
    max_words: usize,
    min_words: usize,
) -> Vec<Stretch> {
    let text = &document.text;
    let mut stretches = Vec::new();
    let mut divide = |group: &Group<'_>| {
        if group.words <= max_words {
            stretches.push(Stretch {
                headings: group.headings.to_vec(),
                bytes: group.start..group.end,
            });
            return;
        }
        let pieces = piece::paragraphs(text, group.start..group.end, texture, max_words);
        for bytes in piece::pack(&pieces, max_words, min_words) {
            stretches.push(Stretch {
                headings: group.headings.to_vec(),
                bytes,
            });
        }
    };
    let mut open: Option<Group<'_>> = None;
    for section in &document.sections {
        let words = words::count(&text[section.bytes.clone()]);
        let next = Group {
            headings: &section.headings,
            start: section.bytes.start,
            end: section.bytes.end,
            words,
            named_by: words,
        };
        open = Some(match open {
            None => next,
            Some(before) => match join(&before, &next, texture, max_words, min_words) {
                Some(joined) => joined,
                None => {
                    divide(&before);
                    next
                }
            },
        });
    }
    if let Some(last) = &open {
        divide(last);
    }
    stretches
}

/// Joins two neighbours if they should be one chunk.
///
/// White space never stands alone. Otherwise the two must fit together, the first
/// be short (or the second next to nothing), and either the first introduce the
/// second or both stand under a common heading; in source code any two siblings
/// may be joined, under the name of the longer.
fn join<'a>(
    before: &Group<'a>,
    next: &Group<'a>,
    texture: Texture,
    max_words: usize,
    min_words: usize,
) -> Option<Group<'a>> {
    let joined = |headings, named_by| {
        Some(Group {
            headings,
            start: before.start,
            end: next.end,
            words: before.words + next.words,
            named_by,
        })
    };
    if next.words == 0 {
        return joined(before.headings, before.named_by);
    }
    if before.words == 0 {
        return joined(next.headings, next.named_by);
    }
    let shared = common(before.headings, next.headings);
    let introduces = shared.len() == before.headings.len();
    let next_to_nothing = |words: usize| words * 4 < min_words;
    // A bare heading goes with what it announces, however long that is.
    let bare_heading = introduces && next_to_nothing(before.words);
    let fits = before.words + next.words <= max_words;
    let short = before.words < min_words || next_to_nothing(next.words);
    if !(bare_heading || fits && short) {
        return None;
    }
    if texture == Texture::Code {
        if before.named_by >= next.words {
            joined(before.headings, before.named_by)
        } else {
            joined(next.headings, next.words)
        }
    } else if introduces && before.words < min_words {
        joined(next.headings, next.words)
    } else if !shared.is_empty() {
        joined(shared, before.named_by)
    } else {
        None
    }
}
