//! The metrics against sacreBLEU, rouge-score, seqeval, scikit-learn and the official code of
//! `SQuAD` and ALCE; see `tests/data/make_metrics.py`.

use std::collections::BTreeMap;

use contract::QuestionId;
use eval::{Gold, GoldSet, Metric, Prediction, Scores};
use serde::Deserialize;

type Expected = BTreeMap<String, f64>;

fn gold(number: usize, answers: Vec<String>) -> Gold {
    Gold {
        id: QuestionId::new(number.to_string()),
        question: String::new(),
        answers,
        all_together: false,
        passage: None,
        context: None,
    }
}

/// Scores answers by the metric of that name.
fn score(name: &str, gold: &[Vec<String>], said: &[String]) -> Scores {
    let questions = gold.iter().enumerate();
    let set = GoldSet::new(questions.map(|(number, answers)| self::gold(number, answers.clone())));
    let predictions: Vec<Prediction> = said
        .iter()
        .enumerate()
        .map(|(number, said)| Prediction::new(QuestionId::new(number.to_string()), said.clone()))
        .collect();
    let answers: Vec<Option<&Prediction>> = predictions.iter().map(Some).collect();
    name.parse::<Metric>().unwrap().score(&set, &answers)
}

fn check(what: &str, found: Option<f64>, expect: f64) {
    let found = found.expect("it is defined");
    assert!(
        (found - expect).abs() < 1e-6,
        "{what}: {found}, not {expect}"
    );
}

#[test]
fn texts_are_scored_as_the_references_score_them() {
    #[derive(Deserialize)]
    struct All {
        corpus: Expected,
        signatures: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Item {
        prediction: String,
        references: Vec<String>,
        expect: Expected,
    }
    let mut lines = include_str!("../data/generation.jsonl").lines();
    let all: All = serde_json::from_str(lines.next().unwrap()).unwrap();
    let items: Vec<Item> = lines.map(|it| serde_json::from_str(it).unwrap()).collect();
    let said: Vec<String> = items.iter().map(|it| it.prediction.clone()).collect();
    let references: Vec<Vec<String>> = items.iter().map(|it| it.references.clone()).collect();
    for (name, expect) in &all.corpus {
        let scores = score(name, &references, &said);
        check(name, scores.value(), *expect);
        for (found, item) in scores.by_question.iter().zip(&items) {
            let what = format!(
                "{name} of {:?} against {:?}",
                item.prediction, item.references
            );
            check(&what, *found, item.expect[name]);
        }
    }
    let set = GoldSet::new(
        references
            .iter()
            .cloned()
            .enumerate()
            .map(|(n, a)| gold(n, a)),
    );
    for (name, signature) in &all.signatures {
        assert_eq!(name.parse::<Metric>().unwrap().signature(&set), *signature);
    }
}

#[derive(Deserialize)]
struct Case {
    gold: Vec<String>,
    said: Vec<String>,
    expect: Expected,
}

fn check_cases(lines: &str) {
    let mut checked = 0;
    for line in lines.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let gold: Vec<Vec<String>> = case.gold.iter().map(|it| vec![it.clone()]).collect();
        for (name, expect) in &case.expect {
            check(
                &format!("{name} {line}"),
                score(name, &gold, &case.said).value(),
                *expect,
            );
            checked += 1;
        }
    }
    assert!(checked >= 24, "{checked}");
}

#[test]
fn labels_are_scored_as_scikit_learn_scores_them() {
    check_cases(include_str!("../data/labels.jsonl"));
}

#[test]
fn entities_are_scored_as_seqeval_scores_them() {
    check_cases(include_str!("../data/entities.jsonl"));
}
