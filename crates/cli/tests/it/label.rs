//! `label`: what heads said in the reference, and what was taught here.

use serde_json::{Value, json};

use crate::support::{Folder, MODELS, assert_screen};
use crate::train_encoder::train;

fn head(name: &str) -> (String, Value) {
    let folder = format!("{MODELS}/heads/{name}");
    let golden = std::fs::read_to_string(format!("{folder}/golden.json")).unwrap();
    (folder, serde_json::from_str(&golden).unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|it| it.as_f64().unwrap()).collect()
}

/// Returns each label with its probability, the likeliest first.
fn likely(outputs: &[f64], probability: impl Fn(f64) -> f64) -> Vec<(String, f64)> {
    let mut labels: Vec<(String, f64)> = (0..)
        .zip(outputs)
        .map(|(label, output)| (format!("kind {label}"), probability(*output)))
        .collect();
    labels.sort_by(|a, b| b.1.total_cmp(&a.1));
    labels
}

fn check_labels(line: &Value, text: &Value, expect: &[(String, f64)]) {
    assert_eq!(&line["text"], text);
    let found = line["labels"].as_array().unwrap();
    assert_eq!(found.len(), expect.len(), "{line}");
    for (found, (label, probability)) in found.iter().zip(expect) {
        assert_eq!(&found["label"], label, "{line}");
        let found = found["probability"].as_f64().unwrap();
        assert!((found - probability).abs() < 1e-5, "{line}: {probability}");
    }
}

#[test]
fn texts_have_the_labels_of_the_reference() {
    let folder = Folder::empty();
    for (name, several) in [("bert-classes", false), ("bert-labels", true)] {
        let (model, golden) = head(name);
        let texts = golden["texts"].as_array().unwrap();
        let words: Vec<&str> = texts.iter().map(|it| it.as_str().unwrap()).collect();
        let run = |more: &[&str]| {
            let arguments = [&["label", "--json", "--model", &model], more, &words].concat();
            folder.json_lines(&arguments)
        };
        let (held, all) = (run(&[]), run(&["--top", "9"]));
        for (at, text) in texts.iter().enumerate() {
            let outputs = numbers(&golden["outputs"][at]);
            let sum: f64 = outputs.iter().map(|it| it.exp()).sum();
            let expect = likely(&outputs, |it| match several {
                true => 1.0 / (1.0 + (-it).exp()),
                false => it.exp() / sum,
            });
            check_labels(&all[at], text, &expect);
            let holding = match several {
                true => expect.iter().filter(|it| it.1 >= 0.5).count(),
                false => 1,
            };
            check_labels(&held[at], text, &expect[..holding]);
        }
    }
}

#[test]
fn words_have_the_tags_of_the_reference() {
    let (model, golden) = head("bert-tags");
    let texts = golden["words"].as_array().unwrap();
    let folder = Folder::empty();
    let lines: Vec<String> = texts
        .iter()
        .map(|words| json!({ "tokens": words }).to_string())
        .collect();
    folder.write("words.jsonl", &lines.join("\n"));
    let found = folder.json_lines(&[
        "label",
        "--json",
        "--model",
        &model,
        "--file",
        "words.jsonl",
    ]);
    assert_eq!(found.len(), texts.len());
    let (mut targets, kinds) = (numbers(&golden["targets"]).into_iter(), 5);
    for (at, line) in found.iter().enumerate() {
        assert_eq!(line["tokens"], texts[at]);
        let outputs = numbers(&golden["outputs"][at]);
        // A word's tag is that of its first token, which alone has a target.
        let first = outputs.chunks_exact(kinds).filter(|_| {
            let target = targets.next().expect("each token has one");
            target >= 0.0
        });
        let mut tags = 0;
        for (word, row) in first.enumerate() {
            let sum: f64 = row.iter().map(|it| it.exp()).sum();
            let (tag, probability) = &likely(row, |it| it.exp() / sum)[0];
            assert_eq!(&line["tags"][word], tag, "{line}");
            let found = line["probabilities"][word].as_f64().unwrap();
            assert!((found - probability).abs() < 1e-5, "{line}");
            tags += 1;
        }
        assert_eq!(line["tags"].as_array().unwrap().len(), tags);
    }
}

#[test]
fn what_was_taught_labels() {
    let folder = Folder::empty();
    let report = train(&folder, "classify", &[]);
    let run = report["run"].as_str().unwrap();
    let lines = "{\"text\":\"Where is my lamp?\"}\n\n{\"text\":\"Can I pay?\",\"label\":\"x\"}\n";
    folder.write("texts.jsonl", lines);
    let found = folder.json_lines(&["label", "--json", "--model", run, "--file", "texts.jsonl"]);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["text"], "Where is my lamp?");
    let known = ["payment", "repair", "returns", "shipping"];
    let label = found[0]["labels"][0]["label"].as_str().unwrap();
    assert!(known.contains(&label), "{label}");

    let report = train(&folder, "tag", &[]);
    let run = report["run"].as_str().unwrap();
    let text = "Ada Berg from Bergen ordered the Kettle K2.";
    let found = folder.json_lines(&["label", "--json", "--model", run, text]);
    assert_eq!(found[0]["text"], text);
    for entity in found[0]["entities"].as_array().unwrap() {
        let place = |key: &str| entity[key].as_u64().unwrap() as usize;
        assert_eq!(
            entity["text"],
            text[place("start")..place("end")],
            "{entity}"
        );
    }
}

#[test]
fn people_see_a_line_for_each_text() {
    let folder = Folder::empty();
    let screen = |name: &str, more: &[&str]| {
        let (model, _) = head(name);
        folder.screen(&[&["label", "--model", &model], more].concat())
    };
    assert_screen!(screen("bert-classes", &["the cat", "a\ndog"]), @r#"
    kind 1 [SCORE]  the cat
    kind 1 [SCORE]  a dog
    -- stderr --
    2 texts by bert-classes@5151bc4e04966cb6, which knows 5 labels
    "#);
    assert_screen!(screen("bert-classes", &["--top", "2", "the cat"]), @r#"
    kind 1 [SCORE], kind 2 [SCORE]  the cat
    -- stderr --
    1 text by bert-classes@5151bc4e04966cb6, which knows 5 labels
    "#);
    assert_screen!(screen("bert-labels", &["the cat"]), @r#"
    kind 2 [SCORE]  the cat
    -- stderr --
    1 text by bert-labels@cff7798d5bb77ac8, which knows 3 labels
    "#);
    assert_screen!(screen("bert-tags", &["the cat"]), @r#"
    kind 3 "the" [SCORE], kind 3 "cat" [SCORE]  the cat
    -- stderr --
    1 text by bert-tags@f16c9938e7e34600, which knows 5 tags
    "#);
}

#[test]
fn what_labels_nothing_says_what_it_is_for() {
    let folder = Folder::empty();
    let screen = |name: &str, more: &[&str]| {
        let model = match name {
            "none" | "built-in" => name.to_owned(),
            _ => format!("{MODELS}/{name}"),
        };
        folder.screen(&[&["label", "--model", &model], more].concat())
    };
    assert_screen!(screen("bert", &["x"]), @r#"
    -- stderr --
    error: `[MODELS]/bert` labels nothing: it is an embedder

    hint: `groundtune embed --model` makes vectors with it
    -- exit 1 --
    "#);
    assert_screen!(screen("bert-cross", &["x"]), @r#"
    -- stderr --
    error: `[MODELS]/bert-cross` labels nothing: it is a reranker

    hint: `groundtune rerank --model` orders passages with it
    -- exit 1 --
    "#);
    assert_screen!(screen("heads/bert-span", &["x"]), @r#"
    -- stderr --
    error: `[MODELS]/heads/bert-span` labels nothing: it is a reader, which finds answers

    hint: `groundtune ask --model` answers questions with it
    -- exit 1 --
    "#);
    assert_screen!(screen("decoders/gpt2", &["x"]), @r#"
    -- stderr --
    error: `[MODELS]/decoders/gpt2` labels nothing: it is a model that writes

    hint: `groundtune generate --model` writes with it
    -- exit 1 --
    "#);
    assert_screen!(screen("built-in", &["x"]), @r#"
    -- stderr --
    error: no classifier or tagger is built in

    hint: name a folder, a run, or a model of the hub
    -- exit 1 --
    "#);
    assert_screen!(screen("none", &["x"]), @r#"
    -- stderr --
    error: no classifier or tagger is named

    hint: a model that labels is taught by `groundtune train` with `objective.kind = "classify"` or `"tag"`, or is a BERT or RoBERTa with such a head
    -- exit 1 --
    "#);
    assert_screen!(screen("heads/bert-tags", &["--top", "2", "x"]), @r#"
    -- stderr --
    error: `--top` is for a model that labels whole texts, and this one tags words
    -- exit 2 --
    "#);
    folder.write("texts.jsonl", "{\"text\":\"a\"}\n{\"txt\":\"b\"}\n");
    assert_screen!(screen("heads/bert-tags", &["--file", "texts.jsonl"]), @r#"
    -- stderr --
    error: line 2 of `texts.jsonl` has neither `text` nor `tokens`
    -- exit 1 --
    "#);
    folder.write("texts.txt", "a");
    assert_screen!(screen("heads/bert-tags", &["--jsonl", "--file", "texts.txt"]), @r#"
    -- stderr --
    error: line 1 of `texts.txt` is no JSON object with `text` or `tokens`: expected value at line 1 column 1
    -- exit 1 --
    "#);
}
