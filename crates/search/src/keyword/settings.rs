//! How texts are indexed and scored.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::language::LanguageChoice;

/// How texts are indexed and scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeywordSettings {
    /// The language the texts are stemmed in.
    pub language: LanguageChoice,
    /// How slowly further occurrences of a word stop counting; 0 or more.
    pub k1: f32,
    /// How much long chunks are held back, 0 to 1.
    pub b: f32,
    /// How many times a word of the title or of a heading counts; 0 leaves them out.
    pub heading_weight: u32,
}

impl Default for KeywordSettings {
    fn default() -> Self {
        Self {
            language: LanguageChoice::Auto,
            k1: 1.5,
            b: 0.75,
            heading_weight: 2,
        }
    }
}

impl KeywordSettings {
    /// Returns what of the settings is baked into a base. `k1` and `b` are not:
    /// they may change from one question to the next.
    pub(super) fn fingerprint(&self) -> u64 {
        let language = match self.language {
            LanguageChoice::Auto => u32::MAX,
            LanguageChoice::Fixed(language) => language as u32,
        };
        let mut bytes = language.to_le_bytes().to_vec();
        bytes.extend(self.heading_weight.to_le_bytes());
        xxh3_64(&bytes)
    }
}
