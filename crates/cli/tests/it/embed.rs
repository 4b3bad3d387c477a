//! `embed` and `rerank`, with tiny models and no project around.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::support::{Folder, assert_screen};

const EMBEDDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/data/bert");
const RERANKER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../model/tests/data/bert-cross"
);

/// Runs the program with `input` piped in and returns what it printed, and its code.
fn piped(arguments: &[&str], input: &str) -> (String, Option<i32>) {
    let folder = Folder::empty();
    let mut child = folder
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

fn lines(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn texts_become_vectors_however_they_come() {
    let folder = Folder::empty();
    folder.write("texts.txt", "the cat\n\n the dog \r\n");
    let run = |arguments: &[&str]| {
        let output = folder.run(&[&["embed", "--json", "--model", EMBEDDER], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let given = run(&["the cat", " the dog "]);
    assert_eq!(run(&["--file", "texts.txt"]), given);
    let arguments = ["embed", "--json", "--model", EMBEDDER];
    assert_eq!(
        piped(&arguments, "the cat\n the dog \n"),
        (given.clone(), Some(0))
    );
    let found = lines(&given);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["text"], "the cat");
    let vector: Vec<f64> = serde_json::from_value(found[0]["embedding"].clone()).unwrap();
    assert_eq!(vector.len(), 24);
    let length: f64 = vector.iter().map(|it| it * it).sum();
    assert!((length - 1.0).abs() < 1e-5);
    // This model puts words before questions.
    assert_ne!(run(&["--role", "question", "the cat"]), run(&["the cat"]));
}

#[test]
fn people_see_the_first_numbers() {
    let folder = Folder::empty();
    let output = folder.run(&["embed", "--model", EMBEDDER, "the cat"]);
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.ends_with(" …  the cat\n"), "{line}");
    assert_eq!(
        line.split_whitespace()
            .filter(|word| word.contains('.'))
            .count(),
        4
    );
}

#[test]
fn passages_are_ordered() {
    let (all, code) = piped(
        &["rerank", "where is the cat", "--json", "--model", RERANKER],
        "the dog sat\nthe cat sat on the mat\nthe mat\n",
    );
    assert_eq!(code, Some(0));
    let found = lines(&all);
    let scores: Vec<f64> = found
        .iter()
        .map(|it| it["score"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let mut places: Vec<u64> = found
        .iter()
        .map(|it| it["index"].as_u64().unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(places, [0, 1, 2]);
    let folder = Folder::empty();
    let best = folder.run(&[
        "rerank",
        "where is the cat",
        "--top",
        "1",
        "--json",
        "--model",
        RERANKER,
        "the dog sat",
        "the cat sat on the mat",
        "the mat",
    ]);
    assert_eq!(
        String::from_utf8(best.stdout).unwrap().trim_end(),
        all.lines().next().unwrap()
    );
}

#[test]
fn what_is_missing_is_said() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["rerank", "x", "y"]), @r"
    -- stderr --
    error: no reranker is named: give one with `--model`, or as `reranker` in `[models]`
    -- exit 2 --
    ");
    assert_screen!(folder.screen(&["embed", "x", "--model", "none"]), @r"
    -- stderr --
    error: `--model none` makes no vectors
    -- exit 2 --
    ");
    assert_screen!(folder.screen(&["embed", "--file", "nothing.txt", "--model", EMBEDDER]), @r"
    -- stderr --
    error: `nothing.txt` could not be read: No such file or directory (os error 2)
    -- exit 1 --
    ");
}

#[test]
fn models_of_servers_help_without_a_project() {
    let server = Server::start(|request, _| {
        let body = request.json();
        Some(match &*request.path {
            "/v1/embeddings" => {
                let count = body["input"].as_array()?.len();
                let data: Vec<Value> = (0..count)
                    .map(|index| json!({ "index": index, "embedding": [3.0, 0.0, 4.0] }))
                    .collect();
                Answer::json(&json!({ "data": data }))
            }
            "/v1/rerank" => {
                let last = body["documents"].as_array()?.len() - 1;
                let results: Vec<Value> = (0..=last)
                    .map(|index| {
                        let score = if index == last { 0.75 } else { 0.25 };
                        json!({ "index": index, "relevance_score": score })
                    })
                    .collect();
                Answer::json(&json!({ "results": results }))
            }
            _ => return None,
        })
    });
    let (folder, model) = (Folder::empty(), format!("{}/v1#tiny", server.url));
    let embedded = folder.json_lines(&["embed", "--json", "--model", &model, "a", "b"]);
    assert_eq!(embedded.len(), 2);
    let numbers: Vec<f64> = serde_json::from_value(embedded[1]["embedding"].clone()).unwrap();
    assert!((numbers[0] - 0.6).abs() < 1e-6 && (numbers[2] - 0.8).abs() < 1e-6);
    let ranked = folder.json_lines(&["rerank", "q", "--json", "--model", &model, "a", "b"]);
    assert_eq!(
        (&ranked[0]["index"], &ranked[0]["score"]),
        (&json!(1), &json!(0.75))
    );
    let nobody = "http://localhost:1/v1#tiny";
    let shown = folder.screen(&["embed", "x", "--model", nobody, "--int8"]);
    assert_screen!(shown, @r"
    -- stderr --
    error: `http://localhost:1/v1#tiny` cannot multiply in 8 bits: only a transformer on this machine can

    hint: leave out `--int8` or `embedder_precision`, or name a model's folder
    -- exit 1 --
    ");
}
