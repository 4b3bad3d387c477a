//! Languages: whose stemmer a text is read with, and how a text's language is known.

use rust_stemmers::{Algorithm, Stemmer};
use serde::{Deserialize, Serialize};

use super::function_words;
use super::words::{self, Word, WordKind, for_each_word};

/// A language with a Snowball stemmer, or none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants are the languages' names")]
pub enum Language {
    /// Words as they stand, in any language: nothing is stemmed.
    None = 0,
    Arabic,
    Danish,
    Dutch,
    #[default]
    English,
    Finnish,
    French,
    German,
    Greek,
    Hungarian,
    Italian,
    Norwegian,
    Portuguese,
    Romanian,
    Russian,
    Spanish,
    Swedish,
    Tamil,
    Turkish,
}

/// Which language texts are read in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LanguageChoice {
    /// Each document in its own, as [`Language::detect`] tells it; English where it
    /// cannot tell.
    #[default]
    Auto,
    /// All in this one.
    Fixed(Language),
}

impl Language {
    /// Every language, `None` first, in the order of their numbers.
    pub const ALL: [Self; 19] = [
        Self::None,
        Self::Arabic,
        Self::Danish,
        Self::Dutch,
        Self::English,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Hungarian,
        Self::Italian,
        Self::Norwegian,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Tamil,
        Self::Turkish,
    ];

    /// Returns the language of a text, or nothing if the text is too short or
    /// unlike any of them.
    ///
    /// Counts the function words of each language (the most frequent words of any
    /// text, and each language has its own) among the first thousand words, and the
    /// letters of the scripts that only one of the languages is written in. A
    /// language must have three such words, one word in twelve, and be ahead of all
    /// others. Text in a script without spaces is `None`.
    pub fn detect(text: &str) -> Option<Self> {
        let mut hits = [0u32; Self::ALL.len()];
        let (mut plain, mut pairs) = (0u32, 0u32);
        let head = &text[..text.floor_char_boundary(8_000)];
        for_each_word(head, &mut |word| match word.kind {
            WordKind::Plain => {
                plain += 1;
                for language in function_words::languages_of(word.text) {
                    hits[language as usize] += 1;
                }
                if let Some(language) = word.text.chars().next().and_then(by_script) {
                    hits[language as usize] += 1;
                }
            }
            WordKind::Joined => {}
            WordKind::Pair | WordKind::Last { .. } => pairs += 1,
        });
        if pairs > plain && pairs >= 3 {
            return Some(Self::None);
        }
        let (best, &most) = hits
            .iter()
            .enumerate()
            .max_by_key(|(index, count)| (**count, std::cmp::Reverse(*index)))?;
        let tied = hits.iter().filter(|count| **count == most).count() > 1;
        (most >= 3 && most * 12 >= plain && !tied).then_some(Self::ALL[best])
    }

    /// Returns whether `word` (lower-cased) is one of the language's function words:
    /// articles, pronouns, prepositions, question words, auxiliary verbs.
    pub fn is_function_word(self, word: &str) -> bool {
        function_words::is_in(self, word)
    }

    fn algorithm(self) -> Option<Algorithm> {
        Some(match self {
            Self::None => return None,
            Self::Arabic => Algorithm::Arabic,
            Self::Danish => Algorithm::Danish,
            Self::Dutch => Algorithm::Dutch,
            Self::English => Algorithm::English,
            Self::Finnish => Algorithm::Finnish,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Greek => Algorithm::Greek,
            Self::Hungarian => Algorithm::Hungarian,
            Self::Italian => Algorithm::Italian,
            Self::Norwegian => Algorithm::Norwegian,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Romanian => Algorithm::Romanian,
            Self::Russian => Algorithm::Russian,
            Self::Spanish => Algorithm::Spanish,
            Self::Swedish => Algorithm::Swedish,
            Self::Tamil => Algorithm::Tamil,
            Self::Turkish => Algorithm::Turkish,
        })
    }
}

fn by_script(c: char) -> Option<Language> {
    match c {
        '\u{370}'..='\u{3ff}' => Some(Language::Greek),
        '\u{400}'..='\u{4ff}' => Some(Language::Russian),
        '\u{620}'..='\u{6ff}' => Some(Language::Arabic),
        '\u{b80}'..='\u{bff}' => Some(Language::Tamil),
        _ => None,
    }
}

/// Returns the term under which `word` is indexed in `language`: its stem, folded.
///
/// Words with anything but letters in them (`3.12`, `--refresh`, `h2o`) are kept as
/// they are, and so are pairs.
pub fn term(word: &Word<'_>, language: Language) -> String {
    stem(word.text, word.kind, language)
}

/// Does as [`term`] for the word `text` of this `kind`.
pub(super) fn stem(text: &str, kind: WordKind, language: Language) -> String {
    let stemmed = match language.algorithm() {
        Some(algorithm)
            if matches!(kind, WordKind::Plain | WordKind::Joined)
                && text.chars().all(char::is_alphabetic) =>
        {
            Stemmer::create(algorithm).stem(text)
        }
        _ => text.into(),
    };
    let stemmed = if stemmed.is_empty() {
        text.into()
    } else {
        stemmed
    };
    words::fold(&stemmed).unwrap_or_else(|| stemmed.into_owned())
}

impl Serialize for LanguageChoice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Fixed(language) => language.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for LanguageChoice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == "auto" {
            return Ok(Self::Auto);
        }
        let plain = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&name);
        Language::deserialize(plain).map(Self::Fixed).map_err(|_| {
            serde::de::Error::custom(format_args!(
                "`{name}` is not a language: it must be `auto`, `none` or the English name \
                     of a language with a stemmer, such as `english` or `german`"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: Option<Language>) {
        assert_eq!(Language::detect(text), expect, "{text}");
    }

    #[test]
    fn languages_are_told_apart() {
        use Language as L;
        check(
            "The cache is kept in the home directory and can be cleared with one command.",
            Some(L::English),
        );
        check(
            "Der Zwischenspeicher liegt im Verzeichnis und wird mit einem Befehl geleert.",
            Some(L::German),
        );
        check(
            "Le cache est dans le répertoire et il peut être vidé avec une commande.",
            Some(L::French),
        );
        check(
            "La memoria está en el directorio y se puede vaciar con una orden.",
            Some(L::Spanish),
        );
        check(
            "La memoria si trova nella cartella e può essere svuotata con un comando che non è lungo.",
            Some(L::Italian),
        );
        check(
            "O cache fica na pasta e não pode ser limpo com um comando que é longo.",
            Some(L::Portuguese),
        );
        check(
            "De map staat in het geheugen en kan met een opdracht worden geleegd.",
            Some(L::Dutch),
        );
        check(
            "Katalogen ligger i minnet och kan tömmas med ett kommando som inte är långt.",
            Some(L::Swedish),
        );
        check(
            "Mappen ligger i hukommelsen, og den kan tømmes med en kommando, der ikke er lang, af jer.",
            Some(L::Danish),
        );
        check(
            "Кэш хранится в каталоге, и его можно очистить.",
            Some(L::Russian),
        );
        check(
            "Η μνήμη βρίσκεται στον κατάλογο και αδειάζει.",
            Some(L::Greek),
        );
        check("東京都の水道局は料金を改定した。", Some(L::None));
    }

    #[test]
    fn too_little_is_not_guessed() {
        check("", None);
        check("uv cache clean", None);
        check("x = f(y, z)", None);
    }

    #[test]
    fn a_choice_reads_as_it_is_written() {
        for (choice, text) in [
            (LanguageChoice::Auto, "\"auto\""),
            (LanguageChoice::Fixed(Language::German), "\"german\""),
            (LanguageChoice::Fixed(Language::None), "\"none\""),
        ] {
            assert_eq!(serde_json::to_string(&choice).unwrap(), text);
            assert_eq!(
                serde_json::from_str::<LanguageChoice>(text).unwrap(),
                choice
            );
        }
        let error = serde_json::from_str::<LanguageChoice>("\"klingon\"").unwrap_err();
        assert!(error.to_string().contains("`klingon` is not a language"));
    }

    #[test]
    fn numbers_name_the_languages() {
        for (index, language) in Language::ALL.iter().enumerate() {
            assert_eq!(*language as usize, index);
        }
    }

    proptest! {
        #[test]
        fn no_word_stops_a_stemmer(text in "\\PC{0,30}", index in 0usize..19) {
            for_each_word(&text, &mut |word| {
                assert!(!term(&word, Language::ALL[index]).is_empty());
            });
        }

        #[test]
        fn no_letters_of_its_own_script_stop_a_stemmer(
            text in "[a-zà-ÿα-ωа-яء-ي\u{b80}-\u{bcd}ğışçö]{1,14}",
            index in 0usize..19,
        ) {
            for_each_word(&text, &mut |word| {
                assert!(!term(&word, Language::ALL[index]).is_empty());
            });
        }
    }
}
