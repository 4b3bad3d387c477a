//! The stemmer of `rouge-score`: Porter's (1980) with the changes that NLTK makes
//! (`PorterStemmer` in its mode `NLTK_EXTENSIONS`). Snowball's stemmer of the same name
//! differs in a few words in a thousand, and ROUGE would with it.
//!
//! Words are ASCII letters in lower case and digits.

/// Words that are irregular.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// A suffix, and what stands for it where what is before it is long enough.
type Rule = (&'static str, &'static str);

const STEP_2: [Rule; 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
];

const STEP_3: [Rule; 7] = [
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const STEP_4: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
];

/// Returns the stem of `word`.
pub(crate) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return (*stem).to_owned();
    }
    if word.len() <= 2 {
        return word.to_owned();
    }
    let word = step_1a(word.to_owned());
    let word = step_1b(word);
    let word = step_1c(word);
    let word = step_2(word);
    let word = apply(word, &STEP_3);
    let word = step_4(word);
    let word = step_5a(word);
    step_5b(word)
}

/// Returns for each letter whether it is a consonant: not `a e i o u`, nor a `y` behind a
/// consonant.
fn consonants(word: &str) -> impl Iterator<Item = bool> {
    let mut last = false;
    word.bytes().enumerate().map(move |(index, letter)| {
        last = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => index == 0 || !last,
            _ => true,
        };
        last
    })
}

/// Returns how often a vowel is followed by a consonant.
fn measure(stem: &str) -> usize {
    let mut count = 0;
    let mut vowel = false;
    for consonant in consonants(stem) {
        count += usize::from(vowel && consonant);
        vowel = !consonant;
    }
    count
}

fn has_vowel(stem: &str) -> bool {
    consonants(stem).any(|consonant| !consonant)
}

fn ends_in_consonant(stem: &str) -> bool {
    consonants(stem).last().unwrap_or(false)
}

fn ends_double(word: &str) -> bool {
    let letters = word.as_bytes();
    matches!(letters, [.., a, b] if a == b) && ends_in_consonant(word)
}

/// Returns whether it ends in consonant, vowel, consonant, the last not `w`, `x` or `y`; or
/// is a vowel and a consonant.
fn ends_cvc(word: &str) -> bool {
    let kinds: Vec<bool> = consonants(word).collect();
    match kinds.as_slice() {
        [.., true, false, true] => !word.ends_with(['w', 'x', 'y']),
        [false, true] => true,
        _ => false,
    }
}

/// Applies the first rule whose suffix the word has, if something with a vowel and a
/// consonant is before it.
fn apply(word: String, rules: &[Rule]) -> String {
    for (suffix, replacement) in rules {
        if let Some(stem) = word.strip_suffix(suffix) {
            return match measure(stem) > 0 {
                true => format!("{stem}{replacement}"),
                false => word,
            };
        }
    }
    word
}

fn step_1a(word: String) -> String {
    if word.len() == 4 && word.ends_with("ies") {
        return format!("{}ie", &word[..1]);
    }
    for (suffix, replacement) in [("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")] {
        if let Some(stem) = word.strip_suffix(suffix) {
            return format!("{stem}{replacement}");
        }
    }
    word
}

fn step_1b(word: String) -> String {
    if let Some(stem) = word.strip_suffix("ied") {
        return match word.len() {
            4 => format!("{stem}ie"),
            _ => format!("{stem}i"),
        };
    }
    if let Some(stem) = word.strip_suffix("eed") {
        return match measure(stem) > 0 {
            true => format!("{stem}ee"),
            false => word,
        };
    }
    let cut = ["ed", "ing"]
        .iter()
        .find_map(|suffix| word.strip_suffix(suffix).filter(|stem| has_vowel(stem)));
    let Some(stem) = cut else {
        return word;
    };
    for (suffix, replacement) in [("at", "ate"), ("bl", "ble"), ("iz", "ize")] {
        if let Some(stem) = stem.strip_suffix(suffix) {
            return format!("{stem}{replacement}");
        }
    }
    if ends_double(stem) {
        return match stem.ends_with(['l', 's', 'z']) {
            true => stem.to_owned(),
            false => stem[..stem.len() - 1].to_owned(),
        };
    }
    if measure(stem) == 1 && ends_cvc(stem) {
        return format!("{stem}e");
    }
    stem.to_owned()
}

fn step_1c(word: String) -> String {
    match word.strip_suffix('y') {
        Some(stem) if stem.len() > 1 && ends_in_consonant(stem) => format!("{stem}i"),
        _ => word,
    }
}

fn step_2(word: String) -> String {
    if let Some(stem) = word.strip_suffix("alli").filter(|stem| measure(stem) > 0) {
        return step_2(format!("{stem}al"));
    }
    if STEP_2.iter().any(|(suffix, _)| word.ends_with(suffix)) {
        return apply(word, &STEP_2);
    }
    // The `l` is left with the stem, so that `geology` is treated as `archaeology`.
    match word.strip_suffix("ogi").filter(|stem| stem.ends_with('l')) {
        Some(stem) if measure(stem) > 0 => format!("{stem}og"),
        _ => word,
    }
}

fn step_4(word: String) -> String {
    for suffix in STEP_4 {
        if let Some(stem) = word.strip_suffix(suffix) {
            let may = measure(stem) > 1 && (suffix != "ion" || stem.ends_with(['s', 't']));
            return if may { stem.to_owned() } else { word };
        }
    }
    word
}

fn step_5a(word: String) -> String {
    match word.strip_suffix('e') {
        Some(stem) if measure(stem) > 1 || (measure(stem) == 1 && !ends_cvc(stem)) => {
            stem.to_owned()
        }
        _ => word,
    }
}

fn step_5b(word: String) -> String {
    match word.strip_suffix("ll") {
        Some(_) if measure(&word[..word.len() - 1]) > 1 => word[..word.len() - 1].to_owned(),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    /// Words with their stems, as NLTK stems them; made by `tests/data/make_metrics.py`.
    const STEMS: &str = include_str!("../../tests/data/porter.tsv");

    #[test]
    fn stems_are_those_of_the_reference() {
        let mut checked = 0;
        for line in STEMS.lines() {
            let (word, stem) = line.split_once('\t').expect("two columns");
            assert_eq!(super::stem(word), stem, "{word}");
            checked += 1;
        }
        assert!(checked > 3000, "{checked}");
    }
}
