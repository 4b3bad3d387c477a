//! `eval answers` and `eval diff`: answers in files are measured, and two are compared.

use crate::support::Folder;

/// Forty questions; `right` says which of them are answered rightly.
fn predictions(right: impl Fn(usize) -> bool) -> String {
    let line = |number: usize| {
        let answer = if right(number) { number } else { 1000 };
        format!(
            "{}\n",
            serde_json::json!({
                "question": format!("q{number}"),
                "answer": format!("the {answer} days"),
                "seconds": 0.5,
            })
        )
    };
    (0..40).map(line).collect()
}

fn folder() -> Folder {
    let folder = Folder::empty();
    let gold = |number: usize| {
        format!(
            "{}\n",
            serde_json::json!({
                "id": format!("q{number}"),
                "question": format!("How long is case {number}?"),
                "answers": [format!("{number} days")],
            })
        )
    };
    folder.write("gold.jsonl", &(0..40).map(gold).collect::<String>());
    folder.write("prompt.jsonl", &predictions(|it| it % 4 == 0));
    folder.write("rag.jsonl", &predictions(|it| it % 4 != 0));
    folder
}

#[test]
fn answers_are_measured_and_compared() {
    let folder = folder();
    let arguments = [
        "eval",
        "answers",
        "prompt.jsonl",
        "rag.jsonl",
        "--metric",
        "exact_match",
        "--metric",
        "f1",
    ];
    let screen = folder.screen(&arguments);
    for line in [
        "prompt (40 questions)",
        "rag (40 questions)",
        "`rag` wins: +0.50 exact_match over `prompt` (95 % interval ",
        "40 questions, paired)",
    ] {
        assert!(screen.contains(line), "{screen}");
    }
    assert!(
        screen
            .lines()
            .any(|line| line.starts_with("  exact_match") && line.contains("0.7500"))
    );
    let report = folder.json(&[&arguments[..], &["--json"]].concat());
    assert_eq!(report["verdict"]["winner"], "rag", "{report}");
    assert_eq!(
        report["candidates"][1]["metrics"]["exact_match"]["value"],
        0.75
    );
    let interval = &report["verdict"]["interval"];
    assert!(
        interval[0].as_f64() < Some(0.5) && interval[1].as_f64() > Some(0.5),
        "{report}"
    );
    assert_eq!(report["differences"][0]["test"], "McNemar, exact");
}

#[test]
fn a_build_stops_where_answers_got_worse() {
    let folder = folder();
    let worse = folder.run(&[
        "eval",
        "diff",
        "rag.jsonl",
        "prompt.jsonl",
        "--metric",
        "f1",
        "--json",
    ]);
    assert_eq!(worse.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&worse.stdout).unwrap();
    assert_eq!(report["worse"], true);
    let better = folder.run(&[
        "eval",
        "diff",
        "prompt.jsonl",
        "rag.jsonl",
        "--metric",
        "f1",
    ]);
    assert_eq!(better.status.code(), Some(0));
    let same = folder.run(&["eval", "diff", "rag.jsonl", "rag.jsonl"]);
    assert_eq!(same.status.code(), Some(0));
}

#[test]
fn what_cannot_be_judged_is_said() {
    let folder = folder();
    folder.write(
        "other.jsonl",
        "{\"question\":\"x\",\"answer\":\"30 days\"}\n",
    );
    let check = |arguments: &[&str], code: i32, says: &str| {
        let output = folder.run(arguments);
        let screen = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{screen}");
        assert!(screen.contains(says), "{screen}");
    };
    check(
        &["eval", "answers", "other.jsonl"],
        1,
        "`other` answers none of the questions",
    );
    let unknown = ["eval", "answers", "rag.jsonl", "--metric", "blue"];
    check(
        &unknown,
        2,
        "`blue` is not a metric: it must be one of exact_match, f1",
    );
    folder.write(
        "few.jsonl",
        &predictions(|_| true)
            .lines()
            .take(30)
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let few = folder.run(&["eval", "answers", "few.jsonl", "--json"]);
    let warning = String::from_utf8_lossy(&few.stderr).into_owned();
    assert!(
        warning.contains("`few` does not answer 10 questions; each counts as wrong"),
        "{warning}"
    );
    folder.write("bad/predictions.jsonl", "nonsense\n");
    let bad = ["eval", "answers", "bad", "--gold", "gold.jsonl"];
    check(&bad, 1, "predictions.jsonl:1: this is no prediction");
    check(
        &["eval", "answers", "bad"],
        2,
        "the right answers are missing",
    );
}

#[test]
fn citations_are_held_against_the_evidence() {
    let folder = folder();
    let line = serde_json::json!({
        "question": "q30",
        "answer": "Within 30 days of delivery [1]. Alaska costs $9 [1].",
        "evidence": [
            {"document": "a.md", "text": "Anything may be returned within 30 days of delivery."},
            {"document": "b.md", "text": "Alaska costs $8.95."},
        ],
    });
    folder.write("cited.jsonl", &format!("{line}\n"));
    let report = folder.json(&[
        "eval",
        "answers",
        "cited.jsonl",
        "--metric",
        "citation_recall",
        "--json",
    ]);
    assert_eq!(
        report["candidates"][0]["metrics"]["citation_recall"]["value"],
        0.5
    );
}

#[test]
fn a_model_is_asked_every_example_and_judged() {
    let folder = Folder::empty();
    let line = |mr: &str, said: &str| format!("{}\n", serde_json::json!({"mr": mr, "ref": said}));
    folder.write(
        "meanings.jsonl",
        &[
            line("name[Alimentum], area[riverside]", "Alimentum is there."),
            line("name[Alimentum], area[riverside]", "Go to Alimentum."),
            line("name[Zizzi]", "Zizzi."),
        ]
        .concat(),
    );
    let ask = |more: &[&str]| {
        let arguments = ["eval", "model", "meanings.jsonl", "--model", "built-in"];
        let of_all = ["--max-tokens", "12", "--metric", "rougeL", "--json"];
        folder.json(&[&arguments[..], &of_all, more].concat())
    };
    let alone = ask(&["--out", "alone"]);
    assert_eq!(alone["questions"], 3, "{alone}");
    assert_eq!(alone["writing"]["asked"], 2, "{alone}");
    assert!(alone["writing"]["completion_tokens"].as_u64() > Some(0));
    let merged = ask(&["--merge", "--out", "merged"]);
    assert_eq!(merged["questions"], 2, "{merged}");
    assert_eq!(merged["writing"]["asked"], 2, "{merged}");
    // What was kept is judged the same.
    for (name, report) in [("alone", alone), ("merged", merged)] {
        let again = folder.json(&["eval", "answers", name, "--metric", "rougeL", "--json"]);
        assert_eq!(again["candidates"], report["candidates"], "{name}");
        assert_eq!(again["questions"], report["questions"], "{name}");
    }
    folder.write("tagged.jsonl", "{\"tokens\":[\"a\"],\"tags\":[\"O\"]}\n");
    let tagged = folder.run(&["eval", "model", "tagged.jsonl", "--model", "built-in"]);
    let screen = String::from_utf8_lossy(&tagged.stderr).into_owned();
    assert_eq!(tagged.status.code(), Some(1), "{screen}");
    assert!(
        screen.contains("is a tagged; expected a completion, a question"),
        "{screen}"
    );
}
