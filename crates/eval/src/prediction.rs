//! What is judged: a candidate's answer to a question, with all that it rested on and took.

use contract::{Answer, Bytes, QuestionId, Tokens};
use serde::{Deserialize, Serialize};

/// A candidate's answer to one question. One line of a `predictions.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The question.
    #[serde(alias = "id")]
    pub question: QuestionId,
    /// The answer's text: a sentence, a label, JSON, or tags with blanks between them.
    #[serde(default, alias = "text", alias = "prediction")]
    pub answer: String,
    /// Whether it declined to answer. Its text then does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// The evidence it was given, in the order of its numbers (`[1]` is the first).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<GivenEvidence>,
    /// How likely it held itself to be right, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// How likely the right answer was to the model, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelihood: Option<Likelihood>,
    /// How far the evidence says what it says, where that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounding: Option<crate::metric::Grounding>,
    /// What a language model says of it, where one was asked and its reply could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<crate::judge::Opinion>,
    /// From question to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Tokens read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<Tokens>,
    /// Tokens written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<Tokens>,
    /// The most memory while it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<Bytes>,
    /// Why there is no answer, if the candidate failed.
    #[serde(default, alias = "error", skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Evidence that a candidate was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenEvidence {
    /// The document's id.
    pub document: String,
    /// What it says.
    pub text: String,
    /// How well it bore on the question, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// How likely a text was to a model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// The natural logarithm of its probability; 0 or less.
    pub log_probability: f64,
    /// How many tokens it has.
    pub tokens: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

impl Prediction {
    /// Returns an answer of which nothing but its text is known.
    pub fn new(question: QuestionId, answer: impl Into<String>) -> Self {
        Self {
            question,
            answer: answer.into(),
            refused: false,
            evidence: Vec::new(),
            confidence: None,
            likelihood: None,
            grounding: None,
            opinion: None,
            seconds: None,
            prompt_tokens: None,
            completion_tokens: None,
            peak_memory: None,
            failure: None,
        }
    }

    /// Returns what stands where a candidate failed to answer: it counts as wrong, and is no
    /// refusal.
    pub fn failed(question: QuestionId, why: impl Into<String>) -> Self {
        Self {
            failure: Some(why.into()),
            ..Self::new(question, "")
        }
    }

    /// Returns a candidate's answer as it is judged.
    pub fn of_answer(question: QuestionId, answer: &Answer) -> Self {
        let given = answer.citations.iter().map(|citation| GivenEvidence {
            document: citation.evidence.document.to_string(),
            text: citation.evidence.text.clone(),
            score: Some(citation.evidence.score.get()),
        });
        Self {
            refused: answer.abstained,
            evidence: given.collect(),
            seconds: Some(answer.elapsed.as_secs_f64()),
            prompt_tokens: answer.prompt_tokens,
            completion_tokens: answer.completion_tokens,
            ..Self::new(question, answer.text.clone())
        }
    }

    /// Returns what it says: nothing if it refused, else its text without the numbers that
    /// cite evidence, where it was given any.
    pub fn said(&self) -> String {
        if self.refused {
            String::new()
        } else if self.evidence.is_empty() {
            self.answer.clone()
        } else {
            without_citations(&self.answer)
        }
    }
}

/// Returns `text` without `[1]`, `[2, 3]` and `[?]`, and the blanks before them.
fn without_citations(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let inside = rest[open + 1..].split_once(']').filter(|(inside, _)| {
            let is_mark = |c: char| c.is_ascii_digit() || ", ?".contains(c);
            !inside.is_empty() && inside.len() <= 40 && inside.chars().all(is_mark)
        });
        match inside {
            Some((_, after)) => {
                out.push_str(rest[..open].trim_end_matches(' '));
                rest = after;
            }
            None => {
                out.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(without_citations(text), expect, "{text:?}");
    }

    #[test]
    fn numbers_that_cite_are_not_said() {
        check("30 days [1]. Free [2, 3][4]! [?]", "30 days. Free!");
        check("a[0] = [x] [", "a = [x] [");
        check("[1] first", " first");
        check("[]", "[]");
    }

    #[test]
    fn a_refusal_says_nothing() {
        let mut prediction = Prediction::new(QuestionId::new("q"), "not in the documents");
        assert_eq!(prediction.said(), "not in the documents");
        prediction.refused = true;
        assert_eq!(prediction.said(), "");
    }

    #[test]
    fn a_line_needs_a_question_only() {
        let read: Prediction = serde_json::from_str("{\"id\":\"a\",\"more\":1}").unwrap();
        assert_eq!(read, Prediction::new(QuestionId::new("a"), ""));
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(written, "{\"question\":\"a\",\"answer\":\"\"}");
    }
}
