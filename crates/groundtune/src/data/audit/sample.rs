//! What only an embedder can tell, of a sample: how alike the examples are, how their
//! sentences hang together, how near they are to documents.

use std::collections::BTreeMap;
use std::path::Path;

use contract::{Embed as _, TextRole};
use corpus::{Chunker, ReadOptions, WalkOptions};
use model::StaticEmbedder;

use super::Relevance;
use crate::config::Documents;
use crate::data::DataError;
use crate::{Project, ProjectError, config};

/// Texts of the sample.
const TEXTS: usize = 1000;
/// Bytes that are kept of each.
const BYTES: usize = 2000;
/// Chunks that a text is compared with at most.
const CHUNKS: usize = 20_000;
/// The cosine to the nearest chunk, by the built-in embedder, from which a text counts as
/// being about the documents. A choice, not yet measured on labelled data.
const BY_CHANCE: f32 = 0.45;

/// The texts with the least numbers: as good as drawn by lot, and the same each time.
#[derive(Default)]
pub(super) struct Sample {
    texts: BTreeMap<u64, String>,
}

impl Sample {
    /// Takes a text if its number is among the least.
    pub(super) fn take(&mut self, number: u64, text: impl FnOnce() -> String) {
        if self.texts.len() == TEXTS
            && self
                .texts
                .last_key_value()
                .is_some_and(|(most, _)| *most <= number)
        {
            return;
        }
        self.texts.entry(number).or_insert_with(|| {
            let mut text = text();
            text.truncate(text.floor_char_boundary(BYTES));
            text
        });
        if self.texts.len() > TEXTS {
            self.texts.pop_last();
        }
    }

    fn texts(&self) -> Vec<&str> {
        self.texts.values().map(String::as_str).collect()
    }
}

/// Means over a sample.
#[derive(Default)]
pub(super) struct Likeness {
    /// The mean cosine of two texts.
    pub(super) between: Option<f64>,
    /// The mean cosine of two sentences that follow each other.
    pub(super) neighbours: Option<f64>,
}

pub(super) fn likeness(sample: &Sample) -> Likeness {
    let embedder = StaticEmbedder::built_in();
    let texts = sample.texts();
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| embedder.vector(text)).collect();
    let count = vectors.len() as f64;
    // The cosines of all pairs at once: (|Σv|² − Σ|v|²) / (n (n − 1)).
    let mut sum = vec![0.0; vectors.first().map_or(0, Vec::len)];
    for vector in &vectors {
        for (sum, x) in sum.iter_mut().zip(vector) {
            *sum += f64::from(*x);
        }
    }
    let own: f64 = vectors.iter().map(|it| f64::from(dot(it, it))).sum();
    let all: f64 = sum.iter().map(|x| x * x).sum();
    let (mut neighbours, mut pairs) = (0.0, 0);
    for text in texts {
        let vectors: Vec<Vec<f32>> = sentences(text).map(|it| embedder.vector(it)).collect();
        for pair in vectors.windows(2) {
            neighbours += f64::from(dot(&pair[0], &pair[1]));
            pairs += 1;
        }
    }
    Likeness {
        between: (count > 1.0).then(|| (all - own) / (count * (count - 1.0))),
        neighbours: (pairs > 0).then(|| neighbours / f64::from(pairs)),
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Returns the sentences of a text that are long enough to be about something.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['.', '!', '?', '\n', '。'])
        .map(str::trim)
        .filter(|sentence| sentence.split_whitespace().count() >= 4)
}

/// Compares the sample with the documents in a folder or file.
pub(super) fn relevance(sample: &Sample, documents: &Path) -> Result<Relevance, DataError> {
    let embedder = StaticEmbedder::built_in();
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| DataError::Documents {
        path: documents.to_path_buf(),
        source,
    };
    // A project's documents are those that it takes.
    let (roots, taken) = match Project::open(documents) {
        Ok(project) => {
            let taken = project.config.documents;
            let roots = taken.paths.iter().map(|it| documents.join(it)).collect();
            (roots, taken)
        }
        Err(ProjectError::NotAProject { .. }) => {
            (vec![documents.to_path_buf()], Documents::default())
        }
        Err(error) => return Err(failed(error.into())),
    };
    let walk = corpus::walk(&roots, &WalkOptions::default());
    let walk = walk.map_err(|error| failed(error.into()))?;
    let mut chunks: Vec<Vec<f32>> = Vec::new();
    let mut unread = None;
    for found in &walk.files {
        if chunks.len() >= CHUNKS {
            break;
        }
        let id = found.relative.to_string_lossy();
        let from = found.path.strip_prefix(documents).unwrap_or(&found.path);
        let is_config = from == Path::new(config::FILE_NAME);
        if is_config || !taken.takes(&from.to_string_lossy().replace('\\', "/")) {
            continue;
        }
        let read = corpus::read_file(&found.path, &id, &ReadOptions::default());
        let documents = match read {
            Ok(reading) => reading.documents,
            // A folder of documents has pictures beside them.
            Err(error) => {
                unread.get_or_insert(error);
                continue;
            }
        };
        for document in &documents {
            let cut = corpus::chunk(document, &Chunker::default(), None)
                .expect("the default chunker needs nothing");
            let texts: Vec<&str> = cut
                .iter()
                .map(|chunk| &document.text[chunk.bytes.clone()])
                .collect();
            let vectors = embedder
                .embed(&texts, TextRole::Passage)
                .expect("a table of vectors cannot fail");
            chunks.extend(vectors.iter().map(|it| it.values().to_vec()));
        }
    }
    if chunks.is_empty() {
        return Err(match unread {
            Some(error) => failed(error.into()),
            None => DataError::NoDocuments {
                path: documents.to_path_buf(),
            },
        });
    }
    let mut nearest: Vec<f32> = sample
        .texts()
        .into_iter()
        .map(|text| {
            let vector = embedder.vector(text);
            chunks
                .iter()
                .map(|chunk| dot(&vector, chunk))
                .fold(-1.0, f32::max)
        })
        .collect();
    nearest.sort_by(f32::total_cmp);
    let about = nearest
        .iter()
        .filter(|cosine| **cosine >= BY_CHANCE)
        .count();
    Ok(Relevance {
        chunks: chunks.len(),
        examples: nearest.len(),
        median: nearest
            .get(nearest.len() / 2)
            .copied()
            .map_or(0.0, f64::from),
        about: about as f64 / nearest.len().max(1) as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_does_not_depend_on_the_order() {
        let number = |x: u64| x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let take = |order: &mut dyn Iterator<Item = u64>| {
            let mut sample = Sample::default();
            for x in order {
                sample.take(number(x), || x.to_string());
            }
            sample.texts
        };
        let forth = take(&mut (0..5000));
        assert_eq!(forth, take(&mut (0..5000).rev()));
        assert_eq!(forth.len(), TEXTS);
    }

    #[test]
    fn the_mean_of_all_pairs_is_theirs() {
        let mut sample = Sample::default();
        let texts = [
            "cats sleep on the warm mat",
            "dogs run in the park",
            "interest rates rise again",
        ];
        for (number, text) in (0..).zip(texts) {
            sample.take(number, || text.to_owned());
        }
        let embedder = StaticEmbedder::built_in();
        let vectors = texts.map(|text| embedder.vector(text));
        let pairs = [(0, 1), (0, 2), (1, 2)];
        let expect = pairs
            .iter()
            .map(|(a, b)| f64::from(dot(&vectors[*a], &vectors[*b])))
            .sum::<f64>()
            / 3.0;
        assert!((likeness(&sample).between.unwrap() - expect).abs() < 1e-5);
    }
}
