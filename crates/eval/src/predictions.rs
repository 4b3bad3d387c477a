//! Files of predictions: one JSON object a line, in any order, of one candidate or several.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{CandidateAnswers, Prediction};

/// The longest line that is read.
const LONGEST_LINE: u64 = 64 << 20;

/// Why a file of predictions could not be read or written.
#[derive(Debug, Error)]
pub enum PredictionsError {
    /// The system could not read or write it.
    #[error("`{}` could not be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line is no prediction.
    #[error(
        "{}:{line}: this is no prediction: expected an object with `question` and `answer`",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A line is longer than any prediction.
    #[error("{}:{line}: this line is longer than 64 MiB", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// There is no line.
    #[error("`{}` has no predictions", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// A prediction with whose it is.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    candidate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(flatten)]
    prediction: Prediction,
}

/// Reads a file of predictions. Lines that name no `candidate` are those of `name`; each `seed`
/// is a run of its own. Candidates come in the order in which they first appear.
pub fn read_predictions(
    path: &Path,
    name: &str,
) -> Result<Vec<CandidateAnswers>, PredictionsError> {
    let failed = |source| PredictionsError::Io {
        path: path.to_owned(),
        source,
    };
    let file = fs::File::open(path).map_err(failed)?;
    let mut reader = BufReader::new(file);
    let mut found: Vec<(String, BTreeMap<u64, Vec<Prediction>>)> = Vec::new();
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let read = reader
            .by_ref()
            .take(LONGEST_LINE + 1)
            .read_until(b'\n', &mut text)
            .map_err(failed)?;
        if read == 0 {
            break;
        }
        if read as u64 > LONGEST_LINE {
            return Err(PredictionsError::TooLong {
                path: path.to_owned(),
                line,
            });
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let parsed: Line =
            serde_json::from_slice(&text).map_err(|source| PredictionsError::Line {
                path: path.to_owned(),
                line,
                source,
            })?;
        let candidate = parsed.candidate.unwrap_or_else(|| name.to_owned());
        let place = found.iter().position(|it| it.0 == candidate);
        let place = place.unwrap_or_else(|| {
            found.push((candidate, BTreeMap::new()));
            found.len() - 1
        });
        let runs = &mut found[place].1;
        runs.entry(parsed.seed.unwrap_or(0))
            .or_default()
            .push(parsed.prediction);
    }
    if found.is_empty() {
        return Err(PredictionsError::Empty {
            path: path.to_owned(),
        });
    }
    let candidates = found.into_iter().map(|(name, runs)| CandidateAnswers {
        name,
        runs: runs.into_values().collect(),
        ..CandidateAnswers::default()
    });
    Ok(candidates.collect())
}

/// Writes predictions of candidates; a candidate's runs are numbered as seeds from 0.
pub fn write_predictions(
    path: &Path,
    candidates: &[CandidateAnswers],
) -> Result<(), PredictionsError> {
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(fs::File::create(path)?);
        for candidate in candidates {
            for (seed, run) in (0..).zip(&candidate.runs) {
                for prediction in run {
                    let line = Line {
                        candidate: Some(candidate.name.clone()),
                        seed: Some(seed),
                        prediction: prediction.clone(),
                    };
                    serde_json::to_writer(&mut file, &line)?;
                    file.write_all(b"\n")?;
                }
            }
        }
        file.flush()
    };
    write().map_err(|source| PredictionsError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;

    use super::*;

    fn read(text: &str) -> Result<Vec<CandidateAnswers>, PredictionsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.jsonl");
        std::fs::write(&path, text).unwrap();
        read_predictions(&path, "mine")
    }

    #[test]
    fn candidates_and_seeds_are_told_apart() {
        let found = read(
            "{\"question\":\"a\",\"answer\":\"1\"}\n\n\
             {\"candidate\":\"rag\",\"seed\":7,\"question\":\"a\",\"answer\":\"2\"}\n\
             {\"candidate\":\"rag\",\"seed\":3,\"question\":\"a\",\"answer\":\"3\"}",
        )
        .unwrap();
        assert_eq!(
            (found[0].name.as_str(), found[1].name.as_str()),
            ("mine", "rag")
        );
        assert_eq!(found[1].runs[0][0].answer, "3");
        assert_eq!(found[1].runs[1][0].answer, "2");
    }

    #[test]
    fn what_is_written_is_read() {
        let prediction = Prediction {
            refused: true,
            seconds: Some(0.5),
            ..Prediction::new(QuestionId::new("a"), "x")
        };
        let candidate = CandidateAnswers {
            name: "rag".into(),
            runs: vec![vec![prediction.clone()], vec![prediction]],
            ..CandidateAnswers::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.jsonl");
        write_predictions(&path, std::slice::from_ref(&candidate)).unwrap();
        assert_eq!(read_predictions(&path, "mine").unwrap(), [candidate]);
    }

    #[test]
    fn a_line_that_is_no_prediction_is_named() {
        let error = read("{\"question\":\"a\"}\nnonsense\n").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("predictions.jsonl:2: this is no prediction")
        );
        assert!(matches!(read("\n"), Err(PredictionsError::Empty { .. })));
    }
}
