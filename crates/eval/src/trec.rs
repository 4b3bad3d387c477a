//! Files of judgements, runs, questions and documents: TREC's columns and BEIR's
//! folders.

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use contract::QuestionId;
use fs_err as fs;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::ranking::{Qrels, Run};

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum TrecError {
    /// The system could not read it.
    #[error("`{path}` cannot be read", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line has not the columns it should have.
    #[error(
        "{path}:{line}: expected {expected}, found {found} columns",
        path = path.display()
    )]
    Columns {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The columns there should be.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A column that should be a number is none.
    #[error("{path}:{line}: the {column} must be {expected}, found `{found}`", path = path.display())]
    Number {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the column is.
        column: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A document stands twice for one question.
    #[error("{path}:{line}: `{document}` stands twice for question `{question}`", path = path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The line of the second, from 1.
        line: usize,
        /// The question.
        question: QuestionId,
        /// The document.
        document: String,
    },
    /// A line is not the JSON object it should be.
    #[error("{path}:{line}: not {expected}", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What it should be.
        expected: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// A question of a BEIR set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BeirQuestion {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: QuestionId,
    /// What is asked.
    pub text: String,
}

/// A document of a BEIR set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BeirDocument {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// Its title; empty if it has none.
    #[serde(default)]
    pub title: String,
    /// Its text.
    #[serde(default)]
    pub text: String,
}

/// Reads TREC judgements: `question iteration document relevance`, the second
/// unused, parted by any white space.
pub fn read_qrels(path: &Path) -> Result<Qrels, TrecError> {
    let mut qrels = Qrels::new();
    for_each_line(path, |line| {
        let columns = line.text.split_ascii_whitespace().collect::<Vec<_>>();
        let [question, _, document, relevance] = columns[..] else {
            return Err(line.columns("`question iteration document relevance`", columns.len()));
        };
        judge(&mut qrels, &line, question, document, relevance)
    })?;
    Ok(qrels)
}

/// Reads BEIR judgements: a header, then question, document and relevance parted by
/// tabs.
pub fn read_beir_qrels(path: &Path) -> Result<Qrels, TrecError> {
    let mut qrels = Qrels::new();
    for_each_line(path, |line| {
        let columns = line.text.split('\t').collect::<Vec<_>>();
        let [question, document, relevance] = columns[..] else {
            return Err(line.columns("`query-id`, `corpus-id` and `score`", columns.len()));
        };
        if line.number == 1 && relevance.trim() == "score" {
            return Ok(());
        }
        judge(&mut qrels, &line, question, document, relevance.trim())
    })?;
    Ok(qrels)
}

fn judge(
    qrels: &mut Qrels,
    line: &Line<'_>,
    question: &str,
    document: &str,
    relevance: &str,
) -> Result<(), TrecError> {
    let level = relevance
        .parse()
        .map_err(|_| line.number_error("relevance", "a whole number", relevance))?;
    match qrels.insert(QuestionId::new(question), document, level) {
        None => Ok(()),
        Some(_) => Err(line.twice(question, document)),
    }
}

/// Reads a TREC run: `question Q0 document rank score tag`, parted by any white
/// space. The rank is not looked at: the scores say it, as `trec_eval` has it.
pub fn read_run(path: &Path) -> Result<Run, TrecError> {
    let mut run = Run::new();
    for_each_line(path, |line| {
        let columns = line.text.split_ascii_whitespace().collect::<Vec<_>>();
        let [question, _, document, _, score, _] = columns[..] else {
            return Err(line.columns("`question Q0 document rank score tag`", columns.len()));
        };
        let number = score
            .parse::<f64>()
            .ok()
            .filter(|score| !score.is_nan())
            .ok_or_else(|| line.number_error("score", "a number", score))?;
        match run.insert(QuestionId::new(question), document, number) {
            None => Ok(()),
            Some(_) => Err(line.twice(question, document)),
        }
    })?;
    Ok(run)
}

/// Reads the questions of a BEIR set, one JSON object a line.
pub fn read_beir_questions(path: &Path) -> Result<Vec<BeirQuestion>, TrecError> {
    read_json_lines(path, "a question `{\"_id\", \"text\"}`")
}

/// Reads the documents of a BEIR set, one JSON object a line.
pub fn read_beir_documents(path: &Path) -> Result<Vec<BeirDocument>, TrecError> {
    read_json_lines(path, "a document `{\"_id\", \"title\", \"text\"}`")
}

fn read_json_lines<T: DeserializeOwned>(
    path: &Path,
    expected: &'static str,
) -> Result<Vec<T>, TrecError> {
    let mut all = Vec::new();
    for_each_line(path, |line| {
        all.push(
            serde_json::from_str(line.text).map_err(|source| TrecError::Json {
                path: line.path.into(),
                line: line.number,
                expected,
                source,
            })?,
        );
        Ok(())
    })?;
    Ok(all)
}

struct Line<'a> {
    path: &'a Path,
    number: usize,
    text: &'a str,
}

/// Calls `each` with every line that is not blank.
fn for_each_line(
    path: &Path,
    mut each: impl FnMut(Line<'_>) -> Result<(), TrecError>,
) -> Result<(), TrecError> {
    let io = |source| TrecError::Io {
        path: path.into(),
        source,
    };
    let mut file = BufReader::new(fs::File::open(path).map_err(io)?);
    let (mut text, mut number) = (String::new(), 0);
    while file.read_line(&mut text).map_err(io)? > 0 {
        number += 1;
        let line = text
            .trim_end_matches(['\n', '\r'])
            .trim_start_matches('\u{feff}');
        if !line.trim().is_empty() {
            each(Line {
                path,
                number,
                text: line,
            })?;
        }
        text.clear();
    }
    Ok(())
}

impl Line<'_> {
    fn columns(&self, expected: &'static str, found: usize) -> TrecError {
        TrecError::Columns {
            path: self.path.into(),
            line: self.number,
            expected,
            found,
        }
    }

    fn number_error(&self, column: &'static str, expected: &'static str, found: &str) -> TrecError {
        TrecError::Number {
            path: self.path.into(),
            line: self.number,
            column,
            expected,
            found: found.into(),
        }
    }

    fn twice(&self, question: &str, document: &str) -> TrecError {
        TrecError::Twice {
            path: self.path.into(),
            line: self.number,
            question: QuestionId::new(question),
            document: document.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, content).unwrap();
        (dir, path)
    }

    fn check_error<T: std::fmt::Debug>(
        read: fn(&Path) -> Result<T, TrecError>,
        content: &str,
        expect: &str,
    ) {
        let (dir, path) = file(content);
        let error = read(&path).unwrap_err().to_string();
        let error = error.replace(dir.path().to_str().unwrap(), "");
        assert_eq!(error, expect);
    }

    #[test]
    fn reads_trec_columns() {
        let (_dir, path) = file("q1 0 a 2\n\nq1\t0\tb\t-1\r\nq2 0 a 0\n");
        let qrels = read_qrels(&path).unwrap();
        assert_eq!(qrels.len(), 2);
        let (question, judged) = qrels.iter().next().unwrap();
        assert_eq!(question.as_str(), "q1");
        assert_eq!((judged["a"], judged["b"]), (2, -1));

        let (_dir, path) = file("q1 Q0 a 1 1.5 me\nq1 Q0 b 2 2.5e0 me\n");
        let run = read_run(&path).unwrap();
        assert_eq!(run.ranked(&QuestionId::new("q1")), ["b", "a"]);
    }

    #[test]
    fn reads_beir_files() {
        let (_dir, path) = file("query-id\tcorpus-id\tscore\nq 1\td 1\t1\n");
        let qrels = read_beir_qrels(&path).unwrap();
        assert_eq!(qrels.iter().next().unwrap().1["d 1"], 1);
        let (_dir, path) = file("{\"_id\":\"q\",\"text\":\"why?\",\"metadata\":{}}\n");
        assert_eq!(read_beir_questions(&path).unwrap()[0].text, "why?");
        let (_dir, path) = file("{\"_id\":\"d\",\"text\":\"so\"}\n");
        assert_eq!(read_beir_documents(&path).unwrap()[0].title, "");
    }

    #[test]
    fn errors_name_the_line() {
        check_error(
            read_qrels,
            "q 0 a 1\nq 0 a\n",
            "/file:2: expected `question iteration document relevance`, found 3 columns",
        );
        check_error(
            read_qrels,
            "q 0 a 1\nq 0 a 1\n",
            "/file:2: `a` stands twice for question `q`",
        );
        check_error(
            read_beir_qrels,
            "query-id\tcorpus-id\tscore\nq\ta\thigh\n",
            "/file:2: the relevance must be a whole number, found `high`",
        );
        check_error(
            read_run,
            "q Q0 a 1 NaN me\n",
            "/file:1: the score must be a number, found `NaN`",
        );
        check_error(
            read_beir_questions,
            "{\"_id\":\"q\",\"text\":\"\"}\n{\"id\":1}\n",
            "/file:2: not a question `{\"_id\", \"text\"}`",
        );
        assert!(matches!(
            read_run(Path::new("/none/of/this")),
            Err(TrecError::Io { .. })
        ));
    }
}
