//! `train` of encoders: the kept recipes, killed and resumed, and what uses their models.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Folder, MODELS, assert_screen, handbook, learnt, train_on};

const ENCODER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/data/bert");

/// Runs a kept recipe with a tiny encoder and `more`; returns what it says at the end.
pub(crate) fn train(folder: &Folder, recipe: &str, more: &[&str]) -> Value {
    let recipes = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recipes");
    let recipe = format!("{recipes}/{recipe}.toml");
    let base = format!("model.path={ENCODER:?}");
    let mut arguments = vec!["train", &*recipe, "--json", "--threads=2", "--set", &base];
    for set in more
        .iter()
        .chain(&["steps.limit=6", "steps.length=32", "evaluation.every=3"])
    {
        arguments.extend(["--set", set]);
    }
    folder.json(&arguments)
}

fn check(recipe: &str, measures: &[&str]) {
    let folder = Folder::empty();
    let report = train(&folder, recipe, &[]);
    assert_eq!(report["steps"], 6);
    for measure in measures.iter().chain(&["loss", "training_loss"]) {
        assert!(report["metrics"][measure].is_f64(), "{report}");
    }
    let model = Path::new(report["model"].as_str().unwrap());
    assert!(model.join("model.safetensors").is_file());
}

#[test]
fn the_kept_recipes_of_encoders_run() {
    check("classify", &["accuracy", "macro_f1"]);
    check("labels", &["accuracy", "macro_f1", "micro_f1"]);
    check("tag", &["accuracy", "f1", "precision", "recall"]);
    let exact = ["exact", "f1", "best_exact", "best_f1", "threshold"];
    check("read", &exact);
    check("rerank", &["accuracy", "average_precision"]);
    check("embed", &["accuracy", "ndcg_at_10"]);
}

#[test]
fn what_was_learnt_embeds_and_reranks() {
    let folder = Folder::empty();
    let report = train(&folder, "embed", &[]);
    let arguments = [
        "embed",
        "--json",
        "--model",
        report["model"].as_str().unwrap(),
        "a lamp",
    ];
    let vectors = folder.json_lines(&arguments);
    assert_eq!(vectors[0]["embedding"].as_array().map(Vec::len), Some(24));

    let run = report["run"].as_str().unwrap();
    let export = [
        "models", "export", run, "--to", "out.gguf", "--format", "f32",
    ];
    assert!(folder.run(&export).status.success());
    let exported = folder.json_lines(&["embed", "--json", "--model", "out.gguf", "a lamp"]);
    let numbers = |it: &Value| serde_json::from_value::<Vec<f64>>(it["embedding"].clone()).unwrap();
    for (found, expect) in numbers(&exported[0]).iter().zip(numbers(&vectors[0])) {
        assert!((found - expect).abs() < 1e-6);
    }

    let report = train(&folder, "rerank", &[]);
    let model = report["model"].as_str().unwrap();
    let ranked = folder.json_lines(&[
        "rerank", "--json", "--model", model, "a lamp?", "one", "two",
    ]);
    assert!(!ranked.is_empty());
}

#[test]
fn what_llama_cpp_does_not_know_is_not_exported() {
    let folder = Folder::empty();
    let export = |name: &str, to: &str| {
        let model = format!("{MODELS}/{name}");
        folder.screen(&["models", "export", &model, "--to", to])
    };
    assert_screen!(export("heads/bert-tags", "out.gguf"), @r"
    -- stderr --
    error: `[MODELS]/heads/bert-tags` is a tagger: of encoders, llama.cpp reads only embedders as they were taught

    hint: copy the folder: transformers and sentence-transformers read it as it is
    -- exit 1 --
    ");
    assert_screen!(export("bert", "folder"), @r"
    -- stderr --
    error: `[MODELS]/bert` is a Hugging Face folder of an encoder already, whole: there is nothing to merge

    hint: copy the folder: transformers and sentence-transformers read it as it is
    -- exit 1 --
    ");
}

#[test]
fn a_reader_answers_with_the_words_of_a_source() {
    let folder = handbook();
    assert!(folder.run(&["ingest"]).status.success());
    let report = train(&folder, "read", &["objective.longest_answer=5"]);
    let model = report["model"].as_str().unwrap();
    // That it answers at all is for the threshold to say: here it always does.
    let config = Path::new(model).join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["no_answer_threshold"] = 1e9.into();
    std::fs::write(&config, value.to_string()).unwrap();
    let question = "Is return postage free from Alaska?";
    let ask = |model: &str| folder.json(&["ask", "--json", "--model", model, question]);
    // Its run is a name for it too.
    for model in [model, report["run"].as_str().unwrap()] {
        let reply = ask(model);
        assert_eq!(reply["abstained"], false, "{reply}");
        let answer = reply["answer"]
            .as_str()
            .unwrap()
            .strip_suffix(" [1]")
            .unwrap();
        let evidence = reply["citations"][0]["text"].as_str().unwrap();
        assert!(evidence.contains(answer), "{reply}");
    }
    value["no_answer_threshold"] = (-1e9).into();
    std::fs::write(&config, value.to_string()).unwrap();
    let reply = ask(model);
    assert_eq!(reply["abstained"], true, "{reply}");
    assert_eq!(reply["citations"].as_array().map(Vec::len), Some(0));
}

/// An encoder's run with all that chance decides, in batches that are added up.
const TAG: &str = "\
seed = 3
[model]
kind = \"base\"
path = \"ENCODER\"
[data]
train = [\"names.jsonl\"]
dev = 0.2
[objective]
kind = \"tag\"
[tuning]
TUNING
[steps]
limit = 30
batch = 4
accumulation = 2
length = 32
[optimiser]
learning_rate = 3e-3
[technique]
dropout = 0.1
[evaluation]
every = 7
[checkpoints]
every = 4
";

fn tagging(tuning: &str) -> Folder {
    let folder = Folder::empty();
    let recipe = TAG.replace("ENCODER", ENCODER).replace("TUNING", tuning);
    folder.write("recipe.toml", &recipe);
    let names = include_str!("../../../../docs/recipes/names.jsonl");
    folder.write("names.jsonl", names);
    folder
}

fn check_killed(tuning: &str) {
    let unbroken = tagging(tuning);
    assert!(train_on(&unbroken).wait().unwrap().success());
    let expect = std::fs::read(learnt(&unbroken)).unwrap();
    let killed = tagging(tuning);
    // Later and later, so that the kills fall into every part of a run.
    for kill in 0..6u64 {
        let mut child = train_on(&killed);
        std::thread::sleep(Duration::from_millis(60 + kill * 71 % 400));
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(train_on(&killed).wait().unwrap().success());
    assert!(std::fs::read(learnt(&killed)).unwrap() == expect);
}

#[test]
fn an_encoders_run_that_is_killed_comes_to_the_same_numbers() {
    check_killed("kind = \"full\"");
    check_killed("kind = \"lora\"\ndropout = 0.1");
}
