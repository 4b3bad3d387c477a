//! Whole comparisons: what is planted is found, and what is odd is said.

use contract::{PassageId, QuestionId};
use eval::metric::Grounding;
use eval::report::{Report, html, markdown};
use eval::{
    CandidateAnswers, CompareError, Compared, Cost, Gold, GoldSet, Outcome, Plan, Prediction,
    Situation, Weights, compare, flips,
};

const METRIC: &str = "exact_match";

fn gold(count: usize) -> GoldSet {
    GoldSet::new((0..count).map(|number| Gold {
        id: QuestionId::new(format!("q{number}")),
        question: format!("What is <b>{number}</b>?"),
        answers: vec!["yes".into()],
        all_together: false,
        passage: None,
        context: None,
    }))
}

/// A candidate that is right where `right` says so.
fn candidate(name: &str, count: usize, right: impl Fn(usize) -> bool) -> CandidateAnswers {
    let answer = |number: usize| {
        let said = if right(number) { "yes" } else { "no" };
        Prediction {
            seconds: Some(0.1),
            ..Prediction::new(QuestionId::new(format!("q{number}")), said)
        }
    };
    CandidateAnswers {
        name: name.into(),
        runs: vec![(0..count).map(answer).collect()],
        ..CandidateAnswers::default()
    }
}

fn plan() -> Plan {
    Plan {
        metric: METRIC.parse().unwrap(),
        resamples: 2000,
        ..Plan::default()
    }
}

fn judge(count: usize, candidates: &[CandidateAnswers]) -> Compared {
    compare(&gold(count), candidates, &plan()).unwrap()
}

#[test]
fn the_better_one_wins() {
    let compared = judge(
        200,
        &[
            candidate("prompt", 200, |it| it % 5 == 0),
            candidate("rag", 200, |it| it % 5 != 0),
            candidate("tuned", 200, |it| it % 2 == 0),
        ],
    );
    let verdict = &compared.verdict;
    assert_eq!(verdict.winner.as_deref(), Some("rag"));
    assert_eq!(
        verdict.statement,
        "`rag` wins: +0.30 exact_match over `tuned` (95 % interval 0.21 to 0.39, p < 0.001, 200 \
         questions, paired)"
    );
    assert_eq!(compared.differences.len(), 3);
}

#[test]
fn who_refuses_everything_is_named() {
    // Three of ten questions have no answer.
    let gold = GoldSet::new((0..100).map(|number| Gold {
        id: QuestionId::new(format!("q{number}")),
        question: format!("What is {number}?"),
        answers: if number % 10 < 3 {
            vec![]
        } else {
            vec!["yes".into()]
        },
        all_together: false,
        passage: None,
        context: None,
    }));
    let refusing = |name: &str, refused: usize| {
        let mut made = candidate(name, 100, |_| true);
        for answer in &mut made.runs[0][..refused] {
            answer.refused = true;
        }
        made
    };
    let check = |candidates: &[CandidateAnswers], expect: Option<&str>| {
        let compared = compare(&gold, candidates, &plan()).unwrap();
        assert_eq!(compared.silent.as_deref(), expect);
    };
    check(&[refusing("rag", 94)], None);
    let one = "`prompt` refuses at least 95 in 100 questions: its score is from the 30 in 100 that \
               have no answer, and nobody is told anything";
    check(&[refusing("rag", 40), refusing("prompt", 95)], Some(one));
    let two = "`prompt` and `rag` refuse at least 95 in 100 questions: their scores are from the 30 in \
               100 that have no answer, and nobody is told anything";
    check(&[refusing("prompt", 100), refusing("rag", 99)], Some(two));
}

#[test]
fn what_is_the_same_does_not_differ() {
    let compared = judge(
        400,
        &[
            candidate("a", 400, |it| it % 2 == 0),
            candidate("b", 400, |it| it % 2 == 0),
        ],
    );
    assert_eq!(
        compared.verdict.outcome,
        Outcome::Equivalent,
        "{:?}",
        compared.verdict
    );
    assert_eq!(compared.differences[0].p_value, 1.0);
    // Ten are too few to say so.
    let compared = judge(
        10,
        &[candidate("a", 10, |_| true), candidate("b", 10, |_| true)],
    );
    assert_eq!(compared.verdict.outcome, Outcome::Unsettled);
    assert!(compared.differences[0].interval.high > 0.3);
    // A mean over three seeds is rounded, and means no less for that.
    let mut taught = candidate("b", 10, |it| it < 2);
    taught.runs = vec![taught.runs.remove(0); 3];
    let compared = judge(10, &[candidate("a", 10, |it| it < 2), taught]);
    assert!(compared.differences[0].interval.high > 0.3);
    assert_eq!(compared.verdict.outcome, Outcome::Unsettled);
}

#[test]
fn what_is_not_settled_says_what_would_settle_it() {
    let compared = judge(
        60,
        &[
            candidate("a", 60, |it| it % 2 == 0),
            candidate("b", 60, |it| it % 2 == 1 || it < 8),
        ],
    );
    let verdict = &compared.verdict;
    assert_eq!(
        (verdict.outcome, verdict.winner.as_ref()),
        (Outcome::Unsettled, None)
    );
    assert!(
        verdict
            .statement
            .starts_with("no difference seen between `b` and `a`: +0.07")
            && verdict
                .statement
                .contains(" more questions would settle whether there is one of 0.03"),
        "{}",
        verdict.statement
    );
}

#[test]
fn questions_of_one_passage_count_as_one() {
    let clustered = GoldSet::new(
        gold(200)
            .questions()
            .iter()
            .enumerate()
            .map(|(number, gold)| Gold {
                passage: Some(PassageId((number / 20).to_string())),
                ..gold.clone()
            }),
    );
    // Right on whole passages: ten observations, not two hundred.
    let candidates = [
        candidate("a", 200, |it| it / 20 % 2 == 0),
        candidate("b", 200, |it| it / 20 % 5 != 1),
    ];
    let apart = judge(200, &candidates);
    let together = compare(&clustered, &candidates, &plan()).unwrap();
    assert_eq!(apart.verdict.winner.as_deref(), Some("b"));
    assert_eq!(together.verdict.outcome, Outcome::Unsettled);
    assert_eq!(together.clusters, 10);
}

#[test]
fn seeds_that_differ_are_not_a_difference() {
    let runs = |rates: [usize; 3]| -> CandidateAnswers {
        let run = |rate: &usize| candidate("", 300, |it| it * 7 % 10 < *rate).runs.remove(0);
        CandidateAnswers {
            name: format!("{rates:?}"),
            runs: rates.iter().map(run).collect(),
            ..CandidateAnswers::default()
        }
    };
    let lucky = judge(300, &[runs([5, 5, 5]), runs([3, 6, 9])]);
    assert_eq!(
        lucky.verdict.outcome,
        Outcome::Unsettled,
        "{}",
        lucky.verdict.statement
    );
    assert!(
        lucky.verdict.statement.contains("seeds"),
        "{}",
        lucky.verdict.statement
    );
    // Seeds count in the p-value as they do in the interval.
    let found = &lucky.differences[0];
    assert!(found.p_value > 0.5, "{}", found.p_value);
    assert!(found.test.contains("seeds"), "{}", found.test);
    let steady = judge(300, &[runs([5, 5, 5]), runs([7, 7, 7])]);
    assert!(
        steady.verdict.winner.is_some(),
        "{}",
        steady.verdict.statement
    );
}

#[test]
fn what_seeds_vary_by_themselves_is_counted_once() {
    // Every answer is a toss of its own, so the variance of the difference of two candidates is
    // ½ / (questions × seeds), however it is divided. Drawn questions and drawn seeds, one inside
    // the other, would make it three times that, and the interval more than 1.7 times as wide. Some
    // of that is left, for five seeds cannot show that they do not differ.
    let (questions, seeds, worlds) = (120, 5, 12);
    let truth = 1.96 * (0.5 / f64::from(questions * seeds)).sqrt();
    let mut widths = 0.0;
    let mut state = 1_u64;
    let mut toss = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 63 == 1
    };
    for _ in 0..worlds {
        let mut tossed = |name: &str| {
            let runs = (0..seeds).map(|_| {
                let right: Vec<bool> = (0..questions).map(|_| toss()).collect();
                candidate(name, questions as usize, |it| right[it])
                    .runs
                    .remove(0)
            });
            CandidateAnswers {
                name: name.into(),
                runs: runs.collect(),
                ..CandidateAnswers::default()
            }
        };
        let candidates = [tossed("a"), tossed("b")];
        let plan = Plan {
            resamples: 200,
            ..plan()
        };
        let compared = compare(&gold(questions as usize), &candidates, &plan).unwrap();
        widths += compared.differences[0].interval.half_width() / f64::from(worlds);
    }
    assert!(
        (0.95..1.6).contains(&(widths / truth)),
        "{} times as wide as it is",
        widths / truth
    );
}

#[test]
fn a_verdict_does_not_depend_on_the_order_of_answers() {
    let mut candidates = [
        candidate("a", 50, |it| it % 3 == 0),
        candidate("b", 50, |it| it % 4 != 0),
    ];
    let first = judge(50, &candidates);
    candidates[0].runs[0].reverse();
    assert_eq!(judge(50, &candidates), first);
}

#[test]
fn what_fails_counts_as_wrong_and_is_said() {
    let mut dead = candidate("dead", 100, |_| true);
    dead.runs[0].truncate(40);
    dead.runs[0].push(Prediction::failed(QuestionId::new("q50"), "out of memory"));
    dead.runs[0].push(Prediction::new(QuestionId::new("elsewhere"), "yes"));
    let candidates = [dead, candidate("alive", 100, |_| true)];
    let compared = judge(100, &candidates);
    let dead = &compared.candidates[0];
    assert_eq!((dead.failed, dead.unknown), (60, 1));
    assert_eq!(dead.metrics[METRIC].value, 0.4);
    let report = Report::new("t", &gold(100), &candidates, compared, 5);
    assert!(
        report
            .warnings
            .iter()
            .any(|it| it.starts_with("`dead` gave no answer 60 times"))
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let good = candidate("a", 5, |_| true);
    let error = |count: usize, candidates: &[CandidateAnswers], plan: &Plan| {
        compare(&gold(count), candidates, plan).unwrap_err()
    };
    let good = std::slice::from_ref(&good);
    assert!(matches!(error(0, good, &plan()), CompareError::NoQuestions));
    assert!(matches!(error(5, &[], &plan()), CompareError::NoCandidates));
    let twice = [good[0].clone(), good[0].clone()];
    assert!(matches!(
        error(5, &twice, &plan()),
        CompareError::SameName { .. }
    ));
    let mut again = good[0].clone();
    again.runs[0].push(Prediction::new(QuestionId::new("q1"), "no"));
    assert!(matches!(
        error(5, &[again], &plan()),
        CompareError::Twice { .. }
    ));
    let odd = Plan {
        alpha: f64::NAN,
        ..plan()
    };
    assert!(matches!(
        error(5, good, &odd),
        CompareError::Plan { key: "alpha", .. }
    ));
    let unmeasured = Plan {
        metric: "perplexity".parse().unwrap(),
        ..plan()
    };
    assert!(matches!(
        error(5, good, &unmeasured),
        CompareError::NotMeasured { .. }
    ));
}

#[test]
fn less_is_better_where_the_metric_says_so() {
    let set = gold(120);
    let with = |name: &str, nats: f64| {
        let mut it = candidate(name, 120, |_| true);
        for (number, prediction) in it.runs[0].iter_mut().enumerate() {
            prediction.likelihood = Some(eval::Likelihood {
                log_probability: -nats - number as f64 % 3.0,
                tokens: 4,
                bytes: 20,
            });
        }
        it
    };
    let plan = Plan {
        metric: "perplexity".parse().unwrap(),
        smallest_difference: 0.1,
        ..plan()
    };
    let compared = compare(&set, &[with("worse", 9.0), with("better", 8.0)], &plan).unwrap();
    assert_eq!(compared.verdict.winner.as_deref(), Some("better"));
    assert!(compared.differences[0].difference > 0.0 && compared.differences[0].interval.low > 0.0);
    assert!(
        compared.verdict.statement.contains("−"),
        "{}",
        compared.verdict.statement
    );
}

#[test]
fn a_report_is_whole_and_harmless() {
    let mut candidates = [
        candidate("rag", 80, |it| it % 4 != 0),
        candidate("<script>alert(1)</script>", 80, |it| it % 4 == 0),
    ];
    candidates[0].runs[0][0].grounding = Some(Grounding::default());
    candidates[0].cost = Cost {
        upfront_usd: Some(0.0),
        thousand_questions_usd: Some(3.0),
        update_usd: Some(0.1),
        update_seconds: Some(2.0),
        ..Cost::default()
    };
    candidates[1].cost = Cost {
        upfront_usd: Some(120.0),
        thousand_questions_usd: Some(0.5),
        update_usd: Some(20.0),
        update_seconds: Some(4000.0),
        ..Cost::default()
    };
    let compared = judge(80, &candidates);
    let mut report = Report::new("A | B", &gold(80), &candidates, compared, 10);
    report.flips = Some(flips(
        &report.compared,
        Weights::default(),
        Situation::default(),
        0.1,
    ));
    let page = html(&report);
    assert!(!page.contains("<script") && !page.contains("http") && !page.contains("NaN"));
    assert!(
        page.contains("<svg") && page.contains("quality against cost"),
        "{page}"
    );
    assert_eq!(page.matches("<details>").count(), 10);
    let text = markdown(&report);
    assert!(text.contains("| rag | 0.75 (0.6"), "{text}");
    assert!(text.contains("costs less than"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["verdict"]["winner"], "rag");
    assert_eq!(json["causes"]["rag"]["right"], 60);
    assert!(json["verdict"]["interval"][0].as_f64() > Some(0.0));
}

#[test]
fn a_report_shows_what_each_seed_came_to() {
    let mut taught = candidate("fine-tuned", 40, |it| it % 2 == 0);
    taught
        .runs
        .push(candidate("", 40, |it| it % 4 != 0).runs.remove(0));
    let candidates = [candidate("rag", 40, |_| true), taught];
    let compared = judge(40, &candidates);
    let report = Report::new("", &gold(40), &candidates, compared, 0);
    let text = markdown(&report);
    assert!(
        text.contains("| candidate | exact_match | exact_match of each seed |"),
        "{text}"
    );
    assert!(text.contains("| 0.50, 0.75 |"), "{text}");
    assert!(text.contains("trained with two seeds only"), "{text}");
}
