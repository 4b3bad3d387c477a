//! How texts are cut into words before they are compared, as the references' own language
//! cuts them.

/// Returns whether Python's `str.split` cuts at `c`: white space, and the four separators
/// of ASCII, which Unicode does not call white.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Returns the words of `text`, as Python's `str.split` does.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_blank).filter(|word| !word.is_empty())
}

/// Returns how often each key comes, in the order of the keys.
pub(crate) fn counted<K: Ord>(mut keys: Vec<K>) -> Vec<(K, u32)> {
    keys.sort_unstable();
    let mut counts: Vec<(K, u32)> = Vec::new();
    for key in keys {
        match counts.last_mut() {
            Some((last, count)) if *last == key => *count += 1,
            _ => counts.push((key, 1)),
        }
    }
    counts
}

/// Returns how many keys two counts share; each as often as it is in both.
pub(crate) fn shared<K: Ord>(a: &[(K, u32)], b: &[(K, u32)]) -> u32 {
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    let mut shared = 0;
    while let (Some((key, count)), Some((other, others))) = (left.peek(), right.peek()) {
        match key.cmp(other) {
            std::cmp::Ordering::Less => left.next(),
            std::cmp::Ordering::Greater => right.next(),
            std::cmp::Ordering::Equal => {
                shared += count.min(others);
                left.next();
                right.next()
            }
        };
    }
    shared
}

/// Returns the harmonic mean of precision and recall, 0 where both are 0.
pub(crate) fn f1(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 {
        2.0 * precision * recall / (precision + recall)
    } else {
        0.0
    }
}

/// Returns `part` of `whole`, 0 where there is no whole.
pub(crate) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_counted_as_often_as_it_is_in_both() {
        let count = |text: &str| counted(text.chars().collect());
        assert_eq!(shared(&count("aabbc"), &count("abbbd")), 3);
        assert_eq!(shared(&count(""), &count("a")), 0);
    }

    #[test]
    fn words_are_cut_where_python_cuts_them() {
        let found: Vec<&str> = words(" a\u{1f}b\u{a0}c\u{3000}d ").collect();
        assert_eq!(found, ["a", "b", "c", "d"]);
    }
}
