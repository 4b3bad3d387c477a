//! Measures how long it takes to score, compare and report: made-up answers of several
//! candidates to many questions.
//!
//! `cargo run --release -p groundtune-eval --example judging_speed -- [QUESTIONS] [CANDIDATES]`

#![expect(clippy::print_stdout, reason = "an example's answer is what it prints")]

use std::time::Instant;

use contract::QuestionId;
use eval::report::{Report, html, markdown};
use eval::{
    CandidateAnswers, GivenEvidence, Gold, GoldSet, Metric, Plan, Prediction, Situation, Weights,
    compare, flips,
};

const WORDS: [&str; 24] = [
    "anything", "bought", "from", "us", "may", "be", "returned", "within", "thirty", "days", "of",
    "delivery", "postage", "is", "free", "in", "every", "state", "but", "Alaska", "where", "it",
    "costs", "$8.95",
];

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|it| it.parse::<usize>().ok());
    let questions = arguments.next().unwrap_or(10_000);
    let count = arguments.next().unwrap_or(5);
    let mut state = 1_u64;
    let mut draw = move |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % bound
    };
    let mut text = |words: u64| -> String {
        let words: Vec<&str> = (0..words).map(|_| WORDS[draw(24) as usize]).collect();
        words.join(" ")
    };
    let gold = GoldSet::new((0..questions).map(|number| Gold {
        id: QuestionId::new(number.to_string()),
        question: text(12),
        answers: vec![text(12)],
        all_together: false,
        passage: None,
        context: None,
    }));
    let candidates: Vec<CandidateAnswers> = (0..count)
        .map(|candidate| {
            let run = gold.questions().iter().map(|gold| {
                let kept: Vec<&str> = gold.answers[0].split(' ').take(4 + candidate).collect();
                let given = (0..3).map(|_| GivenEvidence {
                    document: "returns.md".into(),
                    text: text(60),
                    score: Some(0.5),
                });
                Prediction {
                    evidence: given.collect(),
                    seconds: Some(0.2),
                    ..Prediction::new(gold.id.clone(), format!("{} {}", kept.join(" "), text(8)))
                }
            });
            CandidateAnswers {
                name: format!("candidate {candidate}"),
                runs: vec![run.collect()],
                ..CandidateAnswers::default()
            }
        })
        .collect();
    for names in [
        "f1",
        "f1 exact_match contained rougeL",
        "bleu",
        "rougeL",
        "chrf",
        "ter",
        "f1 exact_match contained rougeL bleu chrf",
    ] {
        let mut metrics = names
            .split(' ')
            .map(|it| it.parse::<Metric>().expect("it is known"));
        let plan = Plan {
            metric: metrics.next().expect("there is one"),
            also: metrics.collect(),
            ..Plan::default()
        };
        let begin = Instant::now();
        let compared = compare(&gold, &candidates, &plan).expect("the plan can be followed");
        let judged = begin.elapsed();
        let mut report = Report::new("speed", &gold, &candidates, compared, 200);
        report.flips = Some(flips(
            &report.compared,
            Weights::default(),
            Situation::default(),
            0.1,
        ));
        let bytes = markdown(&report).len() + html(&report).len() + report.json().len();
        println!(
            "{questions} questions × {count} candidates by {names}: judged in {judged:.2?}, \
             reported ({bytes} bytes) in {:.2?}",
            begin.elapsed() - judged,
        );
    }
}
