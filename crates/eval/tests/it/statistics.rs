//! The statistics against sacreBLEU's paired tests and scipy's bootstrap; see
//! `tests/data/make_significance.py`.

use std::collections::BTreeMap;

use contract::QuestionId;
use eval::statistics::{bca_interval, percentile_interval};
use eval::{CandidateAnswers, Gold, GoldSet, Metric, Plan, Prediction, compare};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    significance: Significance,
    intervals: Intervals,
}

#[derive(Deserialize)]
struct Significance {
    references: Vec<String>,
    systems: BTreeMap<String, Vec<String>>,
    expect: BTreeMap<String, Figures>,
}

#[derive(Deserialize)]
struct Figures {
    score: f64,
    half_width: f64,
    ar_p: f64,
}

#[derive(Deserialize)]
struct Intervals {
    estimate: f64,
    distribution: Vec<f64>,
    left_out: Vec<f64>,
    #[serde(rename = "BCa")]
    bca: [f64; 2],
    percentile: [f64; 2],
}

fn expected() -> Expected {
    serde_json::from_str(include_str!("../data/significance.json")).unwrap()
}

#[test]
fn given_draws_make_scipys_intervals() {
    let expected = expected().intervals;
    let near = |found: [f64; 2], expect: [f64; 2]| {
        let off = (found[0] - expect[0])
            .abs()
            .max((found[1] - expect[1]).abs());
        assert!(off < 1e-9, "{found:?}, not {expect:?}");
    };
    let plain = percentile_interval(&expected.distribution, 0.95).unwrap();
    near(plain.into(), expected.percentile);
    let bca = bca_interval(
        &expected.distribution,
        expected.estimate,
        &expected.left_out,
        0.95,
    );
    near(bca.unwrap().into(), expected.bca);
}

#[test]
fn differences_are_as_sure_as_sacrebleu_says() {
    let expected = expected().significance;
    let id = |number: usize| QuestionId::new(number.to_string());
    let gold = GoldSet::new(
        expected
            .references
            .iter()
            .enumerate()
            .map(|(number, text)| Gold {
                id: id(number),
                question: String::new(),
                answers: vec![text.clone()],
                all_together: false,
                passage: None,
                context: None,
            }),
    );
    let candidate = |name: &String| {
        let said = expected.systems[name].iter().enumerate();
        CandidateAnswers {
            name: name.clone(),
            runs: vec![
                said.map(|(n, text)| Prediction::new(id(n), text.clone()))
                    .collect(),
            ],
            ..CandidateAnswers::default()
        }
    };
    let baseline = candidate(&"baseline".to_owned());
    let plan = Plan {
        metric: "bleu".parse::<Metric>().unwrap(),
        smallest_difference: 1.0,
        ..Plan::default()
    };
    for (name, expect) in &expected.expect {
        let compared = compare(&gold, &[baseline.clone(), candidate(name)], &plan).unwrap();
        let score = &compared.candidates[1].metrics["bleu"];
        assert!((score.value - expect.score).abs() < 1e-6, "{name}");
        // Ours is wider by t/z and √(n/(n−1)), about 2 % here, and both were drawn.
        let wider = score.interval.half_width() / expect.half_width;
        assert!(
            (0.97..1.08).contains(&wider),
            "{name}: {wider} times as wide"
        );
        let found = compared.differences[0].p_value;
        let drawn = (2.0 * expect.ar_p * (1.0 - expect.ar_p) / 1e4).sqrt();
        assert!(
            (found - expect.ar_p).abs() < 5.0 * drawn + 2e-4,
            "{name}: p {found}, not {}",
            expect.ar_p
        );
    }
}
