//! How much of a question a chunk covers: the ground of "nothing was found".

use contract::ChunkId;

use super::query::KeywordQuery;
use super::{KeywordIndex, WordKind};

impl KeywordIndex {
    /// Returns which share of the question's content words `chunk` has, each word
    /// counting by its weight (`idf`), from 0 to 1. Function words do not count; a
    /// word that no chunk has counts the most. 0 if the chunk is not in the index or
    /// the question has no words.
    ///
    /// A joined word counts by its parts: they are all there if the joined word is.
    pub fn coverage(&self, query: &KeywordQuery, chunk: ChunkId) -> f32 {
        let content = query.words.iter().filter(|word| word.content);
        let Some(words) = self.found_words(content, chunk) else {
            return 0.0;
        };
        let joined = words
            .iter()
            .filter(|(word, found, _)| *found && word.kind == WordKind::Joined)
            .map(|(word, ..)| word.bytes.clone())
            .collect::<Vec<_>>();
        let (mut covered, mut all) = (0.0, 0.0);
        for (word, found, weight) in &words {
            if word.kind == WordKind::Joined {
                continue;
            }
            let within = |whole: &std::ops::Range<usize>| {
                whole.start <= word.bytes.start && word.bytes.end <= whole.end
            };
            if *found || joined.iter().any(within) {
                covered += weight;
            }
            all += weight;
        }
        if all > 0.0 { covered / all } else { 0.0 }
    }
}
