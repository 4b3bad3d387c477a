//! Which of a repository's GGUF files is meant.

/// Returns those of `files` that `wanted` means: the file of that name, or all whose
/// name has it as a number format (`Q4_K_M` in `model-Q4_K_M.gguf`), without regard to
/// case.
pub fn files_meant<'a>(wanted: &str, files: &[&'a str]) -> Vec<&'a str> {
    if let Some(file) = files.iter().find(|file| **file == wanted) {
        return vec![file];
    }
    let wanted = wanted.to_ascii_lowercase();
    let mut meant: Vec<&str> = files
        .iter()
        .copied()
        .filter(|file| file.ends_with(".gguf") && has_word(&file.to_ascii_lowercase(), &wanted))
        .collect();
    meant.sort_unstable();
    meant
}

/// Returns whether `file` is the first of several that together are one model:
/// `model-00001-of-00003.gguf`.
pub fn is_first_part(file: &str) -> bool {
    file.contains("-00001-of-")
}

/// Returns whether `word` stands in `text` with no letter, digit or `_` beside it, so
/// that `q4_k` is not found in `q4_k_m`.
fn has_word(text: &str, word: &str) -> bool {
    let joins = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(joins) && !text[at + word.len()..].starts_with(joins))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_a_whole_word_of_the_name() {
        let files = [
            "m-Q4_K_M.gguf",
            "m-Q4_K.gguf",
            "m.q8_0.gguf",
            "m-iq4_nl.gguf",
            "big/m-BF16-00001-of-00002.gguf",
            "big/m-BF16-00002-of-00002.gguf",
            "config.json",
        ];
        for (wanted, expect) in [
            ("Q4_K_M", &["m-Q4_K_M.gguf"][..]),
            ("q4_k", &["m-Q4_K.gguf"]),
            ("Q8_0", &["m.q8_0.gguf"]),
            ("config.json", &["config.json"]),
            ("Q4", &[]),
            (
                "bf16",
                &[
                    "big/m-BF16-00001-of-00002.gguf",
                    "big/m-BF16-00002-of-00002.gguf",
                ],
            ),
        ] {
            assert_eq!(files_meant(wanted, &files), expect, "{wanted}");
        }
    }
}
