//! The measures against `trec_eval`'s own code; see `tests/data/make_ranking.py`.

mod compare;
mod metrics;
mod statistics;

use std::collections::BTreeSet;
use std::path::Path;

use contract::QuestionId;
use eval::{Measure, evaluate, trec};

#[test]
fn measures_equal_trec_eval() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let qrels = trec::read_qrels(&data.join("ranking.qrels")).unwrap();
    let run = trec::read_run(&data.join("ranking.run")).unwrap();
    let expected = include_str!("../data/ranking.expected.tsv")
        .lines()
        .map(|line| {
            let columns = line.split('\t').collect::<Vec<_>>();
            (
                QuestionId::new(columns[0]),
                columns[1].parse::<Measure>().unwrap(),
                columns[2].parse::<f64>().unwrap(),
            )
        })
        .collect::<Vec<_>>();
    let measures = expected
        .iter()
        .map(|(_, measure, _)| *measure)
        .collect::<BTreeSet<_>>();
    let measures = measures.into_iter().collect::<Vec<_>>();
    let report = evaluate(&qrels, &run, &measures);

    for (question, measure, expect) in &expected {
        let value = report.questions[question][measure];
        assert!(
            (value - expect).abs() < 1e-6,
            "{question} {measure}: {value}, not {expect}"
        );
    }
    let questions = expected
        .iter()
        .map(|(question, ..)| question)
        .collect::<BTreeSet<_>>();
    assert!(report.questions.keys().eq(questions));
    for measure in &measures {
        let values = expected.iter().filter(|(_, other, _)| other == measure);
        let sum = values.map(|(_, _, value)| value).sum::<f64>();
        let mean = sum / report.questions.len() as f64;
        assert!(
            (report.mean_of_found[measure] - mean).abs() < 1e-6,
            "{measure}"
        );
    }
}
