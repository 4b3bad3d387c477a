//! A language model that judges answers, behind OpenAI's interface.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::server::{Answer, Request, Server};
use crate::support::Folder;

fn reply(text: &str) -> Option<Answer> {
    Some(Answer::json(&json!({
        "choices": [{ "message": { "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 10 },
    })))
}

/// What is to be judged.
fn shown(request: &Request) -> Value {
    let text = request.json()["messages"][1]["content"].clone();
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

/// Grades by whether the right answer stands in the answer. Of `case 3` it says nothing clear;
/// of `case 5` only when it is asked again; of two answers that are alike it prefers the first.
fn judge(request: &Request, asked: &Mutex<BTreeSet<String>>) -> Option<Answer> {
    let shown = shown(request);
    let right = shown["right_answers"][0].as_str().unwrap_or("no such");
    let is_right = |key: &str| shown[key].as_str().is_some_and(|it| it.contains(right));
    if shown.get("answer").is_none() {
        let better = match (is_right("first"), is_right("second")) {
            (false, true) => "second",
            _ => "first",
        };
        return reply(&json!({ "reason": "so", "better": better }).to_string());
    }
    let question = shown["question"].as_str().unwrap();
    let first = asked.lock().unwrap().insert(shown.to_string());
    if question.contains("case 3?") || question.contains("case 5?") && first {
        return reply("It depends on how one looks at it.");
    }
    let verdict = if is_right("answer") {
        "correct"
    } else {
        "wrong"
    };
    let grounded = shown.get("evidence").map_or("none", |_| "yes");
    let said = json!({ "reason": "so", "verdict": verdict, "grounded": grounded });
    reply(&format!("<think>Let me see.</think>\n```json\n{said}\n```"))
}

fn start() -> Server {
    let asked = Mutex::default();
    Server::start(move |request, before| match before {
        // Once it is busy; the client asks again.
        0 => Some(Answer::new(503, "text/plain", "busy")),
        _ => judge(request, &asked),
    })
}

/// Eight questions. `rag` answers all rightly, `prompt` every second.
fn folder() -> Folder {
    let folder = Folder::empty();
    let lines = |line: &dyn Fn(usize) -> Value| -> String {
        (0..8).map(|number| format!("{}\n", line(number))).collect()
    };
    folder.write(
        "gold.jsonl",
        &lines(&|number| {
            json!({
                "id": format!("q{number}"),
                "question": format!("How long is case {number}?"),
                "answers": [format!("{number} days")],
            })
        }),
    );
    let answers = |right: &dyn Fn(usize) -> bool| {
        lines(&|number| {
            let days = if right(number) { number } else { 99 };
            json!({ "question": format!("q{number}"), "answer": format!("It is {days} days.") })
        })
    };
    folder.write("rag.jsonl", &answers(&|_| true));
    folder.write("prompt.jsonl", &answers(&|number| number % 2 == 0));
    // A person who finds one of the wrong answers partly right.
    let grade = |candidate: &str, number: usize, grade: &str| json!({ "question": format!("q{number}"), "candidate": candidate, "grade": grade });
    let labels: Vec<String> = [
        grade("rag", 0, "correct"),
        grade("rag", 1, "correct"),
        grade("rag", 2, "correct"),
        grade("rag", 3, "correct"),
        grade("prompt", 1, "partly"),
        grade("prompt", 5, "wrong"),
    ]
    .map(|it| it.to_string())
    .into();
    folder.write("people.jsonl", &labels.join("\n"));
    folder
}

#[test]
fn grades_stand_beside_the_metrics_and_decide_nothing() {
    let (folder, server) = (folder(), start());
    let model = format!("{}/v1#judge", server.url);
    let arguments = [
        "eval",
        "answers",
        "prompt.jsonl",
        "rag.jsonl",
        "--judge",
        &model,
        "--labels",
        "people.jsonl",
        "--report",
        "out",
        "--json",
    ];
    let found = folder.json(&arguments);
    assert_eq!(found["plan"]["metric"], "f1");
    let graded = |place: usize| &found["candidates"][place]["metrics"]["judge_grade"]["value"];
    // Of eight answers, one is not readable: 4 of 7 and 7 of 7.
    assert!(
        (graded(0).as_f64().unwrap() - 4.0 / 7.0).abs() < 1e-12,
        "{found}"
    );
    assert_eq!(graded(1), 1.0);
    let judge = &found["judge"];
    assert_eq!(judge["candidates"]["prompt"]["unreadable"], 1);
    assert_eq!(
        judge["candidates"]["rag"]["grades"],
        json!({ "correct": 7 })
    );
    // Whom the judge agrees with: three `correct`, one `wrong`, and one it calls `wrong` that
    // is partly right. Kappa by hand: (0.8 − 0.44) / (1 − 0.44).
    let agreement = &judge["agreement"];
    assert_eq!(
        (&agreement["judged"], &judge["not_judged"]),
        (&json!(5), &json!(1))
    );
    let kappa = agreement["kappa"].as_f64().unwrap();
    assert!((kappa - 0.36 / 0.56).abs() < 1e-12, "{kappa}");
    assert_eq!(judge["again"], json!([14, 14]), "{judge}");
    let pair = &judge["pairs"][0];
    assert_eq!(
        (&pair["one"], &pair["other"]),
        (&json!("prompt"), &json!("rag"))
    );
    // Four answers differ, and the judge keeps its mind; of four that are alike it prefers
    // whichever stands first.
    assert_eq!(
        (&pair["one_better"], &pair["other_better"], &pair["ties"]),
        (&json!(0), &json!(4), &json!(4))
    );
    assert_eq!(
        pair["swapped"],
        json!({ "same": 4, "first": 4, "second": 0, "half": 0 })
    );
    let calls = judge["calls"].as_u64().unwrap();
    assert_eq!(judge["prompt_tokens"].as_u64().unwrap(), 100 * calls);
    let requests = server.requests();
    assert_eq!(requests.len() as u64, calls + 1);
    for request in &requests {
        let body = request.json();
        assert_eq!(body["temperature"], 0.0, "{body}");
        assert!(body["seed"].is_u64(), "{body}");
    }

    // What was paid for is not asked again.
    let again = folder.json(&arguments);
    assert_eq!(again["judge"]["agreement"], judge["agreement"]);
    assert_eq!(server.requests().len(), requests.len());
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(
        page.contains("What a language model says of the answers"),
        "{page}"
    );

    // It decides where the plan names it.
    let mut named = arguments.to_vec();
    named.extend(["--metric", "judge_grade"]);
    assert_eq!(folder.json(&named)["plan"]["metric"], "judge_grade");
    let plain = folder
        .screen(&arguments[..arguments.len() - 1])
        .replace('\n', " ");
    for expect in ["kappa 0.64", "keeps its mind 4 times", "could not be read"] {
        assert!(plain.contains(expect), "{expect}: {plain}");
    }
}

#[test]
fn a_judge_that_is_not_there_is_said() {
    let folder = folder();
    let check = |arguments: &[&str], expect: &str| {
        let mut all = vec!["eval", "answers", "rag.jsonl"];
        all.extend(arguments);
        let shown = folder.screen(&all);
        assert!(shown.contains(expect), "{arguments:?}: {shown}");
    };
    check(&["--judge", ""], "the judge's name names no model");
    check(&["--labels", "people.jsonl"], "--judge <MODEL>");
    folder.write("bad.jsonl", "{\"question\": \"q0\", \"grade\": \"good\"}\n");
    check(
        &["--judge", "x/y", "--labels", "bad.jsonl"],
        "bad.jsonl:1: this is no grade",
    );
    check(&["--metric", "judge_grade"], "judge_grade");
}

#[test]
fn a_comparison_is_judged_and_goes_on_where_its_judge_died() {
    let folder = crate::compare::project(24);
    let (dead, asked) = (Arc::new(AtomicBool::new(true)), Mutex::default());
    let is_dead = Arc::clone(&dead);
    let server = Server::start(move |request, before| {
        if is_dead.load(Ordering::SeqCst) && before >= 3 {
            return Some(Answer::new(400, "text/plain", "out of order"));
        }
        judge(request, &asked)
    });
    let model = format!("{}/v1#judge", server.url);
    let arguments = [
        "compare",
        "--json",
        "--candidates",
        "prompt,rag",
        "--judge",
        &model,
    ];
    let shown = folder.screen(&arguments);
    assert!(shown.contains("out of order"), "{shown}");
    let shown = folder.screen(&["report"]);
    assert!(shown.contains("the judge has graded 3 of"), "{shown}");
    let asked = server.requests().len();
    dead.store(false, Ordering::SeqCst);
    let root = ".groundtune/comparisons/0001";
    let found = folder.json(&["compare", "--json", "--resume", root]);
    assert_eq!(found["plan"]["metric"], "f1");
    let rag = &found["candidates"][1]["metrics"];
    assert!(rag["judge_grade"]["value"].as_f64().is_some(), "{rag}");
    let questions = found["questions"].as_u64().unwrap();
    // Graded, at most 20 again, and both orders; the three before the death once only.
    let calls = found["judge"]["calls"].as_u64().unwrap();
    let failed = asked as u64 - 3;
    assert_eq!(server.requests().len() as u64, calls + failed);
    assert!(calls >= 4 * questions, "{calls} {questions}");
    let told = folder.json(&["report", "--json"]);
    assert_eq!(told["judge"], found["judge"]);
}
