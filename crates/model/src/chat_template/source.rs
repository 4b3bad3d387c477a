//! Templates as they are written, in the words that minijinja understands.

/// What sums with texts marked as safe become calls of.
pub(super) const SUM: &str = "_sum_of_safe";

/// Returns the template in the words that are understood here.
///
/// `generation` blocks, which mark what the assistant wrote and change nothing, become
/// blocks that are always taken. A list is turned round by a filter, for minijinja
/// (3.0.5) panics at `[::-1]` of an empty one. Sums with texts that are marked as safe
/// become calls of [`SUM`], for which Python's rule is its own.
pub(super) fn understood(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['{']).filter(|at| rest.len() > at + 1) {
        let inside = &rest[at + 1..];
        let end = match inside.as_bytes()[0] {
            b'%' => "%}",
            b'{' => "}}",
            _ => {
                text.push_str(&rest[..=at]);
                rest = inside;
                continue;
            }
        };
        let Some(length) = inside[1..].find(end).map(|length| length + 1) else {
            break;
        };
        let (tag, after) = inside.split_at(length);
        text.push_str(&rest[..=at]);
        text.push_str(&tag[..1]);
        let tag = without_generation(&tag[1..]).replace("[::-1]", " | reverse");
        match sum_of_safe(&tag).filter(|_| end == "}}") {
            Some(sum) => text.push_str(&sum),
            None => text.push_str(&tag),
        }
        text.push_str(end);
        rest = &after[end.len()..];
    }
    text.push_str(rest);
    text
}

/// Returns what stands between `{%` and `%}`, its marks for spaces kept.
fn without_generation(tag: &str) -> String {
    let (left, word) = match tag.strip_prefix(['-', '+']) {
        Some(word) => (&tag[..1], word),
        None => ("", tag),
    };
    let (word, right) = match word.strip_suffix(['-', '+']) {
        Some(shorter) => (shorter, &word[word.len() - 1..]),
        None => (word, ""),
    };
    match word.trim() {
        "generation" => format!("{left} if true {right}"),
        "endgeneration" => format!("{left} endif {right}"),
        _ => tag.to_owned(),
    }
}

/// Returns a sum with a text that is marked as safe as a call of [`SUM`]. `None` where
/// there is none, or anything else binds as loosely as `+`.
fn sum_of_safe(tag: &str) -> Option<String> {
    if !tag.contains("safe") {
        return None;
    }
    let (left, expression) = match tag.strip_prefix('-') {
        Some(expression) => ("-", expression),
        None => ("", tag),
    };
    let (expression, right) = match expression.strip_suffix('-') {
        Some(expression) => (expression, "-"),
        None => (expression, ""),
    };
    let (mut terms, mut start, mut depth) = (Vec::new(), 0, 0usize);
    let (mut quote, mut is_escaped) = (None, false);
    for (at, letter) in expression.char_indices() {
        match (quote, letter) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, '+') if depth == 0 => {
                terms.push(expression[start..at].trim());
                start = at + 1;
            }
            (None, '~' | '-' | '*' | '/' | '%' | '<' | '>' | '=' | '!') if depth == 0 => {
                return None;
            }
            _ => {}
        }
    }
    terms.push(expression[start..].trim());
    let is_word = |word: &str| matches!(word, "if" | "else" | "and" | "or" | "not" | "in" | "is");
    let loose = |term: &&str| !term.contains(['"', '\'']) && term.split(' ').any(is_word);
    let safe = terms.iter().any(|term| {
        let filter = term.rsplit('|').next().unwrap_or_default().trim();
        filter == "safe"
    });
    (safe && terms.len() > 1 && !terms.iter().any(loose))
        .then(|| format!("{left} {SUM}({}) {right}", terms.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_with_safe_texts_are_calls() {
        for (source, expect) in [
            (
                "{{ \"a'\"|safe + b['c'] + 'd' | tojson() }}",
                "{{ _sum_of_safe(\"a'\"|safe, b['c'], 'd' | tojson()) }}",
            ),
            (
                "{{- a | safe + '+' -}}",
                "{{- _sum_of_safe(a | safe, '+') -}}",
            ),
            (
                r#"{{ "\"+\n"|safe + b }}"#,
                r#"{{ _sum_of_safe("\"+\n"|safe, b) }}"#,
            ),
            ("{{ a ~ b | safe + c }}", "{{ a ~ b | safe + c }}"),
            ("{{ a | safe }}", "{{ a | safe }}"),
            ("{%}{%%}{{}}{", "{%}{%%}{{}}{"),
            (
                "{{ a + b if safe else c | safe }}",
                "{{ a + b if safe else c | safe }}",
            ),
        ] {
            assert_eq!(understood(source), expect);
        }
    }
}
