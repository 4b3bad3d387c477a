//! The prompt, and the only way to make one.
//!
//! Training and answering both call [`render`], so what a model is trained on and
//! what it is asked cannot drift apart.

use serde::{Deserialize, Serialize};

use crate::Evidence;

/// The text a model is given. Made only by [`render`].
///
/// ```compile_fail
/// let prompt = contract::Prompt { text: "made by hand".into() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    text: String,
    next_part: &'static [&'static str],
}

/// How a question and its evidence become a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// A blank line between the parts:
    /// `Context: {context}\n\nQuestion: {question}\n\nAnswer:`.
    #[default]
    Spaced,
    /// A single newline between the parts:
    /// `Context: {context}\nQuestion: {question}\nAnswer:`.
    Compact,
    /// The hybrid system's grounded prompt:
    /// `Context: {context}\nQuery: {question}\nResponse:`.
    Grounded,
    /// Numbered evidence, and the wish to cite it:
    /// `… Sources:\n\n[1] {title}\n{text}\n\n[2] …\n\nQuestion: {question}\n\nAnswer:`.
    Cited,
    /// The hybrid system's creative prompt, which takes no evidence:
    /// `Generate creative content for: {question}`.
    Creative,
}

impl Prompt {
    /// Returns the text to give to the model.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns what would begin another part of the prompt: where a model goes on with it
    /// as with any text, its answer ends before one of these.
    pub fn next_part(&self) -> &'static [&'static str] {
        self.next_part
    }
}

/// A question with its answer, shown before another is asked: one of the "shots" of
/// few-shot prompting (Brown et al. 2020, §2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shot<'a> {
    /// What was asked.
    pub question: &'a str,
    /// What was found for it.
    pub evidence: &'a [Evidence],
    /// What was right to say.
    pub answer: &'a str,
}

/// As [`render()`], after `shots` in their order: each as it would be asked, a space, its
/// answer, and a blank line.
pub fn render_after(
    template: Template,
    shots: &[Shot<'_>],
    question: &str,
    evidence: &[Evidence],
) -> Prompt {
    let mut text = String::new();
    for shot in shots {
        let asked = render(template, shot.question, shot.evidence);
        text.push_str(&format!("{} {}\n\n", asked.text, shot.answer.trim()));
    }
    let asked = render(template, question, evidence);
    Prompt {
        text: text + &asked.text,
        ..asked
    }
}

/// Makes the prompt of `question` from the `evidence` found for it, in its order.
///
/// The evidence's texts are trimmed and joined by a newline. Without evidence the
/// context is left out rather than left empty, so that a candidate without
/// retrieval takes the same road: `Question: {question}\n\nAnswer:`.
pub fn render(template: Template, question: &str, evidence: &[Evidence]) -> Prompt {
    let context = evidence
        .iter()
        .map(|found| found.text.trim())
        .collect::<Vec<_>>()
        .join("\n");
    const ANSWER: &[&str] = &["\nContext:", "\nQuestion:", "\nAnswer:"];
    const RESPONSE: &[&str] = &["\nContext:", "\nQuery:", "\nResponse:"];
    let (gap, ask, reply, next_part) = match template {
        Template::Cited if !evidence.is_empty() => {
            return Prompt {
                text: cited(question, evidence),
                next_part: &["\nSources:", "\nQuestion:", "\nAnswer:"],
            };
        }
        Template::Spaced | Template::Cited => ("\n\n", "Question", "Answer", ANSWER),
        Template::Compact => ("\n", "Question", "Answer", ANSWER),
        Template::Grounded => ("\n", "Query", "Response", RESPONSE),
        Template::Creative => {
            return Prompt {
                text: format!("Generate creative content for: {question}"),
                next_part: &["\nGenerate creative content for:"],
            };
        }
    };
    let context = if evidence.is_empty() {
        String::new()
    } else {
        format!("Context: {context}{gap}")
    };
    Prompt {
        text: format!("{context}{ask}: {question}{gap}{reply}:"),
        next_part,
    }
}

/// How the numbered evidence is introduced.
const CITED: &str = "Answer the question from these sources alone. After each sentence, \
    write the number of its source in brackets, like [1]. If the sources do not say, write \
    only: not in the documents.";

fn cited(question: &str, evidence: &[Evidence]) -> String {
    let mut text = format!("{CITED}\n\nSources:\n\n");
    for (number, found) in (1..).zip(evidence) {
        let above = match found.section() {
            section if section.is_empty() => found.title.clone().unwrap_or_default(),
            section => section,
        };
        let above = format!("[{number}] {above}");
        text.push_str(&format!("{}\n{}\n\n", above.trim_end(), found.text.trim()));
    }
    format!("{text}Question: {question}\n\nAnswer:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: Template, evidence: &[Evidence], expect: &str) {
        assert_eq!(render(template, "Why?", evidence).as_str(), expect);
    }

    #[test]
    fn templates_are_to_the_letter() {
        let two = [Evidence::of_text("One.\n"), Evidence::of_text("Two.")];
        check(
            Template::Spaced,
            &two,
            "Context: One.\nTwo.\n\nQuestion: Why?\n\nAnswer:",
        );
        check(
            Template::Compact,
            &two,
            "Context: One.\nTwo.\nQuestion: Why?\nAnswer:",
        );
        check(
            Template::Grounded,
            &two,
            "Context: One.\nTwo.\nQuery: Why?\nResponse:",
        );
        let mut headed = two.clone();
        headed[0].title = Some("Title".into());
        headed[1].headings = vec!["A".into(), "B".into()];
        check(
            Template::Cited,
            &headed,
            "Answer the question from these sources alone. After each sentence, write the \
             number of its source in brackets, like [1]. If the sources do not say, write only: \
             not in the documents.\n\nSources:\n\n[1] Title\nOne.\n\n[2] A › B\nTwo.\n\n\
             Question: Why?\n\nAnswer:",
        );
        check(
            Template::Creative,
            &two,
            "Generate creative content for: Why?",
        );
    }

    #[test]
    fn shots_stand_before_the_question() {
        let two = [Evidence::of_text("One."), Evidence::of_text("Two.")];
        let shot = Shot {
            question: "Who?",
            evidence: &two[..1],
            answer: " Wren ",
        };
        let prompt = render_after(Template::Compact, &[shot, shot], "Why?", &two[1..]);
        let first = "Context: One.\nQuestion: Who?\nAnswer: Wren\n\n";
        let last = "Context: Two.\nQuestion: Why?\nAnswer:";
        assert_eq!(prompt.as_str(), format!("{first}{first}{last}"));
        assert_eq!(
            prompt.next_part(),
            render(Template::Compact, "Why?", &two[1..]).next_part()
        );
    }

    #[test]
    fn the_next_part_begins_as_this_one_did() {
        for template in [
            Template::Spaced,
            Template::Compact,
            Template::Grounded,
            Template::Cited,
        ] {
            let prompt = render(template, "Why?", &[Evidence::of_text("One.")]);
            for begin in prompt.next_part() {
                let text = format!("\n{}", prompt.as_str());
                assert!(text.contains(begin), "{template:?}: {begin:?}");
            }
        }
    }

    #[test]
    fn without_evidence_there_is_no_context() {
        for template in [Template::Spaced, Template::Cited] {
            check(template, &[], "Question: Why?\n\nAnswer:");
        }
    }
}
