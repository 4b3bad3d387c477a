//! What a candidate answered, and what would have been right: all that a judge sees.

use contract::{Evidence, QuestionId};
use serde::{Deserialize, Serialize};

/// A question of the examination, with what is right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gold {
    /// Who it is.
    pub question: QuestionId,
    /// The question's text.
    pub text: String,
    /// What counts as right, the best first; none, if it cannot be answered and is to be
    /// refused.
    pub answers: Vec<String>,
    /// Questions with the same cluster (made from one passage, say) are not independent of
    /// each other and are resampled together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// What a candidate answered to one question: a line of a file of predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Who answered.
    pub candidate: String,
    /// The seed that it was trained with; 0, if it was not.
    #[serde(default)]
    pub seed: u64,
    /// What was asked.
    pub question: QuestionId,
    /// The answer.
    pub text: String,
    /// Whether it declined to answer.
    #[serde(default)]
    pub refused: bool,
    /// What it was given to answer from, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Tokens read, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// Tokens written, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u64>,
    /// From the question to the whole answer, in seconds; 0, if nobody measured.
    #[serde(default)]
    pub seconds: f64,
    /// Why there is no answer, if the candidate failed. It counts as wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_needs_only_who_what_and_the_answer() {
        let line = r#"{"candidate": "rag", "question": "q1", "text": "30 days"}"#;
        let read: Prediction = serde_json::from_str(line).unwrap();
        assert_eq!((read.seed, read.refused, read.error), (0, false, None));
    }
}
