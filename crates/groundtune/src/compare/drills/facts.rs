//! Facts as they stand in documents: another answer of the same form, a text in which it stands
//! instead, and whether an answer says it.

use eval::metric::squad::normalised;

/// Returns an answer of the same form that says something else: other digits, or the answer to
/// another question with as many words.
pub(super) fn another(answer: &str, others: &[&str], place: usize) -> Option<String> {
    if answer.chars().any(|letter| letter.is_ascii_digit()) {
        let mut first = true;
        let turned = answer
            .chars()
            .map(|letter| match letter.to_digit(10) {
                None => letter,
                Some(digit) => {
                    // The first digit is never made a nought.
                    let other = if first {
                        digit % 9 + 1
                    } else {
                        (digit + 3) % 10
                    };
                    first = false;
                    char::from_digit(other, 10).expect("it is a digit")
                }
            })
            .collect();
        return Some(turned);
    }
    let words = answer.split_whitespace().count();
    let behind = others.iter().skip(place + 1);
    let found = behind.chain(others.iter().take(place)).find(|other| {
        other.split_whitespace().count() == words
            && !overlap(other, answer)
            && !other.chars().any(|letter| letter.is_ascii_digit())
    });
    found.map(|other| (*other).to_owned())
}

/// Replaces `before` where it stands as words of its own.
pub(super) fn replaced(text: &str, before: &str, after: &str) -> String {
    let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let (mut rest, mut out) = (text, String::with_capacity(text.len()));
    while let Some(at) = rest.find(before) {
        let end = at + before.len();
        let inside = is_word(rest[..at].chars().next_back()) || is_word(rest[end..].chars().next());
        out.push_str(&rest[..at]);
        out.push_str(if inside { before } else { after });
        rest = &rest[end..];
    }
    out + rest
}

/// Returns whether `answer` says one of `facts`, word for word.
pub(super) fn says_any(answer: &str, facts: &[String]) -> bool {
    let answer = format!(" {} ", normalised(answer));
    facts.iter().any(|fact| {
        let fact = normalised(fact);
        !fact.is_empty() && answer.contains(&format!(" {fact} "))
    })
}

/// Returns whether one of two texts stands in the other, whatever its case.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    one.contains(&other) || other.contains(&one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_answer_has_the_same_form() {
        let others = ["Ines Wren", "Burlington", "never", "Canada Post"];
        assert_eq!(another("$18.50", &others, 0).unwrap(), "$21.83");
        assert_eq!(another("90 days", &others, 0).unwrap(), "13 days");
        assert_eq!(another("Utrecht", &others, 0).unwrap(), "Burlington");
        assert_eq!(another("Canada Post", &others, 3).unwrap(), "Ines Wren");
        assert_eq!(another("one two three", &others, 0), None);
    }

    #[test]
    fn only_whole_words_are_replaced() {
        assert_eq!(
            replaced("30 days, 130 days and 30 days.", "30 days", "41 days"),
            "41 days, 130 days and 41 days."
        );
    }

    #[test]
    fn an_answer_says_a_fact_word_for_word() {
        let says = |answer: &str, fact: &str| says_any(answer, &[fact.to_owned()]);
        assert!(says("Within the 30 days.", "30 days"));
        assert!(!says("130 days", "30 days"));
        assert!(!says("", "the"));
    }
}
