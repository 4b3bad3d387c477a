//! General text and tasks: what comes with the program, or the team's own.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::compare::{CompareError, DrillTerms};

const TEXTS: &str = include_str!("general/texts.txt");
const TASKS: &str = include_str!("general/tasks.jsonl");
/// The most bytes of a piece of text: longer ones are cut, so that pairs are many.
const PIECE: usize = 2_000;

/// A text with its possible endings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    pub(super) text: String,
    pub(super) endings: Vec<String>,
    pub(super) right: usize,
}

/// All that models are given.
pub(super) struct Material {
    pub(super) texts: Vec<String>,
    pub(super) tasks: Vec<Choice>,
}

impl Material {
    /// Reads what the recipe names, or what comes with the program.
    ///
    /// # Errors
    /// If a file cannot be read, or holds no tasks.
    pub(super) fn read(terms: &DrillTerms) -> Result<Self, CompareError> {
        let texts = match terms.texts.is_empty() {
            true => pieces(TEXTS),
            false => {
                let mut all = Vec::new();
                for path in &terms.texts {
                    all.extend(pieces(&fs_err::read_to_string(path)?));
                }
                all
            }
        };
        let tasks = match terms.tasks.is_empty() {
            true => tasks(TASKS, &PathBuf::from("general/tasks.jsonl"))?,
            false => {
                let mut all = Vec::new();
                for path in &terms.tasks {
                    all.extend(tasks(&fs_err::read_to_string(path)?, path)?);
                }
                all
            }
        };
        Ok(Self { texts, tasks })
    }

    /// Returns which share of the tasks would be right by chance.
    pub(super) fn chance(&self) -> f64 {
        let each = self.tasks.iter().map(|it| 1.0 / it.endings.len() as f64);
        each.sum::<f64>() / self.tasks.len().max(1) as f64
    }
}

/// Cuts a text into its pieces, between empty lines, each of at most [`PIECE`] bytes.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for part in text.split("\n\n") {
        let mut rest = part.trim();
        while !rest.is_empty() {
            let mut end = rest.len().min(PIECE);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            pieces.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
        }
    }
    pieces
}

fn tasks(text: &str, path: &Path) -> Result<Vec<Choice>, CompareError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut tasks = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let wrong = |what: String| CompareError::Task {
            path: path.to_owned(),
            number,
            what,
        };
        let task: Choice = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        if task.right >= task.endings.len() {
            let endings = task.endings.len();
            let right = task.right;
            return Err(wrong(format!(
                "`right` is {right}; expected the number of one of {endings} endings, from 0"
            )));
        }
        tasks.push(task);
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_program_is_whole() {
        assert_eq!(pieces(TEXTS).len(), 20);
        let tasks = tasks(TASKS, &PathBuf::new()).unwrap();
        assert_eq!(tasks.len(), 60);
        // No place among the endings is right more often than another.
        let mut places = [0; 4];
        tasks.iter().for_each(|task| places[task.right] += 1);
        assert_eq!(places, [15; 4]);
    }

    #[test]
    fn a_task_without_its_ending_is_said() {
        let check = |line: &str, expect: &str| {
            let error = tasks(line, &PathBuf::from("own.jsonl"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(
            r#"{"text": "a", "endings": ["b"], "right": 1}"#,
            "`right` is 1",
        );
        check(r#"{"text": "a", "ending": ["b"]}"#, "unknown field");
    }
}
