//! Questions that go through retrieval or to the model alone, and the patterns that combine
//! retrieval with fine-tuning.

use std::path::Path;

use crate::support::{Folder, names_of};

const PATTERNS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recipes/patterns");

/// A model that is small enough to be made in a test.
const MODEL: &str = "\
seed = 3
[model]
kind = \"new\"
layers = 1
width = 32
heads = 2
context = 512
tokenizer = { kind = \"trained\", vocabulary = 300 }
[data]
train = [\"examples.jsonl\"]
dev = false
[steps]
limit = 3
batch = 2
length = 256
";

fn copied(from: &Path, folder: &Folder, to: &str) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let to = if to.is_empty() {
            name
        } else {
            format!("{to}/{name}")
        };
        if path.is_dir() {
            copied(&path, folder, &to);
        } else {
            folder.write(&to, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// A pattern's project with a model of its own, ingested.
fn pattern(name: &str) -> Folder {
    let folder = Folder::empty();
    copied(&Path::new(PATTERNS).join(name), &folder, "");
    folder.write("model.toml", MODEL);
    assert!(folder.run(&["train", "model.toml"]).status.success());
    assert!(folder.run(&["ingest"]).status.success());
    let config = std::fs::read_to_string(folder.path().join("groundtune.toml")).unwrap();
    let quick = "\n[compare.drills]\nrun = [\"freshness\"]\n\n[compare.retrieval]\n\
                 tries = \"shown\"\n\n[compare.training]\nsteps = { limit = 2 }\n";
    folder.write("groundtune.toml", &(config + quick));
    folder
}

const TINY: &str = ".groundtune/runs/0001/model";

#[test]
fn the_three_patterns_run() {
    for (name, metric, candidates) in [
        ("knowledge-and-behaviour", "rougeL", 5),
        ("scale-and-structure", "field_f1", 4),
        ("recall-and-precision", "f1", 4),
    ] {
        let folder = pattern(name);
        let found = folder.json(&["compare", "--quick", "--model", TINY, "--json"]);
        assert_eq!(found["verdict"]["metric"], metric, "{name}");
        let all = found["candidates"].as_array().unwrap();
        assert_eq!(all.len(), candidates, "{name}: {all:?}");
        assert!(all.iter().all(|it| it["failed"] == 0), "{name}: {all:?}");
    }
}

#[test]
fn a_question_takes_the_way_that_is_said() {
    let folder = pattern("knowledge-and-behaviour");
    let ask = |question: &str, route: &[&str]| {
        let mut arguments = vec!["ask", "--json", "--model", TINY, question];
        arguments.extend(route);
        folder.json(&arguments)
    };
    let slogan = "Write a slogan for a hiking boot";
    // The project decides by rule.
    let found = ask(slogan, &[]);
    assert_eq!(found["route"]["route"], "alone");
    assert_eq!(found["route"]["by"], "rule");
    assert_eq!(found["route"]["form"], "creation");
    assert_eq!(
        (
            found["abstained"].as_bool(),
            found["evidence_given"].as_u64()
        ),
        (Some(false), Some(0))
    );
    let found = ask("From what amount is shipping free?", &[]);
    assert_eq!(found["route"]["route"], "retrieval");
    let found = ask(slogan, &["--route", "always"]);
    assert_eq!(
        (&found["route"]["route"], &found["route"]["by"]),
        (&"retrieval".into(), &"always".into())
    );
    let found = ask("From what amount is shipping free?", &["--route", "never"]);
    assert_eq!(found["route"]["route"], "alone");
    let shown = folder.screen(&["ask", "--model", TINY, "--explain", slogan]);
    assert!(
        shown.contains("route: the model alone, by rule: a wish for something made"),
        "{shown}"
    );
    // A model is needed where it answers alone.
    let shown = folder.screen(&["ask", slogan]);
    assert!(shown.contains("no generator is named"), "{shown}");
    let shown = folder.screen(&["ask", "--model", TINY, "--route", "trained", slogan]);
    assert!(shown.contains("there is no router"), "{shown}");
    assert!(shown.contains("--candidates prompt,rag,routed"), "{shown}");
}

#[test]
fn a_comparison_teaches_the_router_and_examines_it_like_others() {
    let folder = pattern("knowledge-and-behaviour");
    let compare = [
        "compare",
        "--quick",
        "--model",
        TINY,
        "--candidates",
        "prompt,rag,routed",
        "--json",
    ];
    let found = folder.json(&compare);
    let names = names_of(&found);
    assert_eq!(names, ["prompt", "rag", "routed"]);
    let drills = found["drills"].as_array().unwrap();
    let is_routing = |it: &&serde_json::Value| it["name"].as_str().unwrap().starts_with("Routing");
    assert!(drills.iter().any(|it| is_routing(&it)), "{drills:?}");
    // Each routed answer is one of the two.
    let answers = |name: &str| -> Vec<(String, String)> {
        let path = format!(".groundtune/comparisons/0001/predictions/{name}.0.jsonl");
        let text = std::fs::read_to_string(folder.path().join(path)).unwrap();
        let lines = text.lines().map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            (value["question"].to_string(), value["answer"].to_string())
        });
        lines.collect()
    };
    let (prompt, rag) = (answers("prompt"), answers("rag"));
    for answer in answers("routed") {
        assert!(
            prompt.contains(&answer) || rag.contains(&answer),
            "{answer:?}"
        );
    }
    // What was taught is kept, and the same when it goes on.
    let resume = [
        "compare",
        "--resume",
        ".groundtune/comparisons/0001",
        "--json",
    ];
    assert_eq!(folder.json(&resume)["verdict"], found["verdict"]);
    let asked = folder.json(&[
        "ask",
        "--json",
        "--model",
        TINY,
        "--route",
        "trained",
        "What does a new zip cost?",
    ]);
    assert!(asked["route"]["probability"].as_f64().is_some(), "{asked}");
    assert_eq!(asked["route"]["by"], "trained");
}
