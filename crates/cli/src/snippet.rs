//! Snippets: the few lines of a passage that show why it was found.

use std::collections::BTreeSet;

use crate::ui::{Style, Ui, columns, one_line};

/// The lines of a snippet at most.
const LINES: usize = 3;

/// Returns the stretch of `text` with most of the `terms`, painted and broken into
/// at most three lines of `width` columns; `…` stands where something was left out.
///
/// `terms` are words or their stems, in lower case.
pub(crate) fn snippet(ui: &Ui, text: &str, terms: &[&str], width: usize) -> Vec<String> {
    let words = words_of(text);
    let found: Vec<Option<usize>> = words.iter().map(|word| term_of(word, terms)).collect();
    // Room is kept for the two ellipses.
    let room = LINES * width - 4 - LINES * (width / 16);
    let window = best_window(&words, &found, room);
    let mut lines = vec![String::new()];
    let mut column = 0;
    let mut place = |word: &str, shown: String| {
        let wide = columns(word);
        if column > 0 && column + 1 + wide > width && lines.len() < LINES {
            lines.push(String::new());
            column = 0;
        }
        let line = lines.last_mut().expect("there is a first line");
        if column > 0 {
            line.push(' ');
            column += 1;
        }
        line.push_str(&shown);
        column += wide;
    };
    if window.start > 0 {
        place("…", "…".into());
    }
    for index in window.clone() {
        let word = &words[index];
        let shown = match found[index] {
            Some(_) => paint_core(ui, word),
            None => word.clone(),
        };
        place(word, shown);
    }
    if window.end < words.len() {
        place("…", "…".into());
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Splits `text` into words without control characters. The front matter and the
/// headings it begins with are left out: the headings stand above the snippet.
fn words_of(text: &str) -> Vec<String> {
    let body: String = without_front_matter(text)
        .lines()
        .skip_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
        .map(|line| line.trim_start_matches('#'))
        .collect::<Vec<_>>()
        .join("\n");
    let text = if body.trim().is_empty() { text } else { &body };
    one_line(text).split(' ').map(str::to_owned).collect()
}

/// Returns `text` from behind its front matter, if it begins with one.
fn without_front_matter(text: &str) -> &str {
    text.strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .map_or(text, |(_, body)| body)
}

/// Paints the letters and digits of `word`, not the signs around them.
fn paint_core(ui: &Ui, word: &str) -> String {
    let start = word.find(char::is_alphanumeric).unwrap_or(0);
    let end = word.rfind(char::is_alphanumeric).map_or(word.len(), |at| {
        at + word[at..].chars().next().map_or(1, char::len_utf8)
    });
    format!(
        "{}{}{}",
        &word[..start],
        ui.paint(Style::Match, &word[start..end]),
        &word[end..]
    )
}

/// Returns which of `terms` the word is a form of: it begins with the term, or with
/// all but its last letter, and is at most four letters longer. A word joined from
/// several is the form that one of its parts is.
fn term_of(word: &str, terms: &[&str]) -> Option<usize> {
    let lower = word.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .find_map(|part| terms.iter().position(|term| is_form(part, term)))
}

fn is_form(word: &str, term: &str) -> bool {
    let letters = term.chars().count();
    let shared = word
        .chars()
        .zip(term.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let enough = if letters >= 5 { letters - 1 } else { letters };
    shared >= enough && word.chars().count() <= letters + if letters >= 4 { 4 } else { 1 }
}

/// Returns the run of words within `room` columns that has the most different
/// terms, then the most terms, then is first; a whole text that fits is taken whole.
fn best_window(words: &[String], found: &[Option<usize>], room: usize) -> std::ops::Range<usize> {
    let end_from = |start: usize| {
        let mut used = 0;
        words[start..]
            .iter()
            .take_while(|word| {
                used += columns(word) + 1;
                used <= room
            })
            .count()
            .max(1)
            .min(words.len() - start)
            + start
    };
    if words.is_empty() || end_from(0) == words.len() {
        return 0..words.len();
    }
    let score = |start: usize| {
        let hits: Vec<usize> = found[start..end_from(start)]
            .iter()
            .flatten()
            .copied()
            .collect();
        let different = hits.iter().collect::<BTreeSet<_>>().len();
        (different, hits.len())
    };
    // A window begins a few words before a term, or at the start of the text.
    let lead = 4;
    let starts = std::iter::once(0).chain(
        found
            .iter()
            .enumerate()
            .filter(|(_, term)| term.is_some())
            .map(|(index, _)| index.saturating_sub(lead)),
    );
    let mut best = (0, score(0));
    for start in starts.skip(1) {
        let score = score(start);
        if score > best.1 {
            best = (start, score);
        }
    }
    let start = best.0;
    start..end_from(start)
}

#[cfg(test)]
mod tests {
    use clap::ColorChoice;

    use super::*;

    fn check(text: &str, terms: &[&str], width: usize, expect: &[&str]) {
        let ui = Ui::new(ColorChoice::Never, false);
        assert_eq!(snippet(&ui, text, terms, width), expect);
    }

    #[test]
    fn short_texts_are_whole_and_their_heading_is_left_out() {
        check(
            "## Condition\n\nIt must be\nwhole.\n",
            &["whole"],
            40,
            &["It must be whole."],
        );
        check("---\na: b\n---\n\n# Title\n\nBody.\n", &[], 40, &["Body."]);
        check("## Only a heading", &[], 40, &["## Only a heading"]);
        check("", &[], 40, &[]);
    }

    #[test]
    fn the_window_lies_where_the_terms_are() {
        let filler = "word ".repeat(60);
        let text = format!("{filler}the kettle is descaled with citric acid {filler}");
        let ui = Ui::new(ColorChoice::Never, false);
        let lines = snippet(&ui, &text, &["citric", "kettl"], 30);
        assert!(
            lines
                .join(" ")
                .contains("kettle is descaled with citric acid")
        );
        assert!(lines[0].starts_with("… "), "{lines:?}");
        assert!(lines.last().unwrap().ends_with(" …"), "{lines:?}");
        assert!(lines.iter().all(|line| columns(line) <= 30), "{lines:?}");
    }

    #[test]
    fn forms_of_a_stem_are_its_matches() {
        for (word, term, expect) in [
            ("returned", "return", true),
            ("policies", "polici", true),
            ("policy", "polici", true),
            ("returns,", "return", true),
            ("free-shipping", "ship", true),
            ("us", "use", false),
            ("used", "us", false),
            ("shop", "ship", false),
        ] {
            assert_eq!(term_of(word, &[term]).is_some(), expect, "{word} {term}");
        }
    }

    #[test]
    fn a_match_is_painted_without_its_signs() {
        let ui = Ui::new(ColorChoice::Always, false);
        assert_eq!(
            snippet(&ui, "(Refunds) go", &["refund"], 40),
            ["(\x1b[1;33mRefunds\x1b[0m) go"]
        );
    }
}
