//! The journey of judging answers that lie in files: predictions and their gold → scores,
//! differences, a verdict.

use std::path::{Path, PathBuf};

use contract::Evidence;
use eval::metric::{Grounding as Counts, ground};
use search::keyword::{KeywordIndex, KeywordSettings};
use search::{Grounding, Unsupported};

use crate::Error;
use crate::data::{Dataset, ReadExamples};

pub use eval::compare::CandidateScores;
pub use eval::report::{Report, html, markdown};
pub use eval::{
    CandidateAnswers, CompareError, Compared, Gold, GoldSet, Metric, Plan, PredictionsError,
    compare,
};

/// Reads a test set with its answers, in any layout that examples have.
pub fn read_gold(path: &Path) -> Result<GoldSet, Error> {
    let set = Dataset::read(&[path.to_owned()], &ReadExamples::default())?;
    Ok(GoldSet::new(
        set.examples.iter().filter_map(Gold::of_example),
    ))
}

/// Reads predictions: a file of JSON lines, or a folder with `predictions.jsonl`. Lines that
/// name no candidate are those of `name`.
pub fn read_answers(path: &Path, name: &str) -> Result<Vec<CandidateAnswers>, Error> {
    let file = match path.is_dir() {
        true => path.join("predictions.jsonl"),
        false => path.to_owned(),
    };
    Ok(eval::read_predictions(&file, name)?)
}

/// Returns the metrics that say most of such answers: of labels, of JSON, of tags, of questions
/// in words.
pub fn usual_metrics(gold: &GoldSet) -> Vec<Metric> {
    let questions = gold.questions();
    let answers = || questions.iter().flat_map(|it| &it.answers);
    let is_json = answers().count() > 0
        && answers().all(|it| it.trim_start().starts_with('{') && it.trim_end().ends_with('}'));
    let is_tag = |word: &str| word == "O" || word.starts_with("B-") || word.starts_with("I-");
    let is_tags = answers().count() > 0 && answers().all(|it| it.split_whitespace().all(is_tag));
    let mut different: Vec<&String> = answers().collect();
    different.sort_unstable();
    different.dedup();
    let is_label = questions.iter().any(|it| it.all_together)
        || questions.len() >= 20 && different.len() * 5 <= questions.len();
    let names: &[&str] = if is_json {
        &["field_f1", "json_match", "json_valid"]
    } else if is_tags {
        &["entity_f1"]
    } else if is_label {
        &["accuracy", "macro_f1"]
    } else {
        &["f1", "exact_match", "contained", "rougeL"]
    };
    let known = |name: &&str| name.parse().expect("these metrics are known");
    let mut metrics: Vec<Metric> = names.iter().map(known).collect();
    if questions.iter().any(Gold::is_unanswerable) {
        metrics.push(Metric::RefusalF1);
    }
    metrics
}

/// Holds every answer that was given evidence against it, by words and numbers as `ask` does,
/// for the metrics of citations.
pub fn ground_answers(gold: &GoldSet, candidates: &mut [CandidateAnswers]) {
    let keyword = KeywordIndex::new(KeywordSettings::default());
    for prediction in candidates.iter_mut().flat_map(|it| &mut it.runs).flatten() {
        let Some(place) = gold.place(&prediction.question) else {
            continue;
        };
        if prediction.refused || prediction.evidence.is_empty() || prediction.grounding.is_some() {
            continue;
        }
        let question = &gold.questions()[place].question;
        let given: Vec<&str> = prediction
            .evidence
            .iter()
            .map(|it| it.text.as_str())
            .collect();
        let counts: Counts = ground(&prediction.answer, &given, &mut |sentence, evidence| {
            says(&keyword, question, sentence, evidence)
        });
        prediction.grounding = Some(counts);
    }
}

/// Returns whether pieces of evidence, taken together, say a sentence.
fn says(keyword: &KeywordIndex, question: &str, sentence: &str, evidence: &[&str]) -> bool {
    let together = Evidence::of_text(evidence.join("\n"));
    let evidence = [together];
    let mut grounding = Grounding::new(keyword, question, &evidence, "", Unsupported::Mark);
    grounding.take(sentence);
    let (_, grounded) = grounding.finish();
    grounded.sentences.iter().all(|it| it.supported)
}

/// Returns what a file of predictions is called where its lines do not say: its name without
/// the ending, or its folder's.
pub fn name_of(path: &Path) -> String {
    let named = |path: &Path| path.file_stem().map(|it| it.to_string_lossy().into_owned());
    let own = named(path).unwrap_or_else(|| path.display().to_string());
    match own.as_str() {
        "predictions" => path.parent().and_then(named).unwrap_or(own),
        _ => own,
    }
}

/// Returns the gold of a run's folder, where it is kept.
pub fn gold_beside(predictions: &Path) -> Option<PathBuf> {
    let folder = match predictions.is_dir() {
        true => predictions,
        false => predictions.parent()?,
    };
    Some(folder.join("gold.jsonl")).filter(|it| it.is_file())
}

#[cfg(test)]
mod tests {
    use contract::QuestionId;

    use super::*;

    fn set(answers: &[&str], times: usize) -> GoldSet {
        let questions = (0..answers.len() * times).map(|number| Gold {
            id: QuestionId::new(number.to_string()),
            question: "How long may I return it?".into(),
            answers: vec![answers[number % answers.len()].to_owned()],
            all_together: false,
            passage: None,
            context: None,
        });
        GoldSet::new(questions)
    }

    fn check(answers: &[&str], times: usize, expect: &str) {
        assert_eq!(usual_metrics(&set(answers, times))[0].name(), expect);
    }

    #[test]
    fn metrics_are_chosen_by_what_answers_look_like() {
        check(&["30 days", "60 days"], 1, "f1");
        check(&["card lost", "refund"], 20, "accuracy");
        check(&["{\"a\": 1}"], 1, "field_f1");
        check(&["O B-PER I-PER"], 1, "entity_f1");
    }

    #[test]
    fn answers_are_held_against_their_evidence() {
        let gold = set(&["30 days"], 1);
        let mut prediction = eval::Prediction::new(
            QuestionId::new("0"),
            "Within 30 days of delivery [1]. Alaska costs $9 [1].",
        );
        for text in [
            "Anything may be returned within 30 days of delivery.",
            "Alaska costs $8.95.",
        ] {
            prediction.evidence.push(eval::GivenEvidence {
                document: "returns.md".into(),
                text: text.into(),
                score: None,
            });
        }
        let mut candidates = [CandidateAnswers {
            name: "rag".into(),
            runs: vec![vec![prediction]],
            ..CandidateAnswers::default()
        }];
        ground_answers(&gold, &mut candidates);
        let found = candidates[0].runs[0][0].grounding.unwrap();
        assert_eq!(
            (found.sentences, found.supported, found.cited_rightly),
            (2, 1, 1)
        );
    }

    #[test]
    fn a_file_is_called_by_what_tells_it_from_others() {
        assert_eq!(name_of(Path::new("runs/0007/predictions.jsonl")), "0007");
        assert_eq!(name_of(Path::new("rag.jsonl")), "rag");
        assert_eq!(name_of(Path::new("runs/0007")), "0007");
    }
}
