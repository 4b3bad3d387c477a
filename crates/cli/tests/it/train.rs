//! `train`, from recipes in the repository to a model that writes; killed and resumed.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::{Folder, assert_screen};

const RECIPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recipes");

fn recipe(name: &str) -> String {
    format!("{RECIPES}/{name}")
}

/// A text in which there is something to learn.
fn text() -> String {
    let lines = (0..400).map(|number| {
        let (first, second) = (number % 7, number % 5);
        format!("The sum of {first} and {second} is {}.\n", first + second)
    });
    lines.collect()
}

const SMALL: &str = "\
seed = 3
[model]
kind = \"new\"
architecture = \"gpt2\"
layers = 2
width = 32
heads = 2
context = 32
tokenizer = { kind = \"trained\", vocabulary = 300 }
[data]
train = [\"text.txt\"]
[steps]
limit = 30
batch = 2
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

#[test]
fn the_kept_recipes_teach_a_model_that_writes() {
    let folder = Folder::empty();
    let set = [
        "--set",
        "steps.limit=6",
        "--set",
        "evaluation.every=3",
        "--json",
        "--threads",
        "2",
    ];
    let mut arguments = vec!["train", "", "--set", "model.width=32"];
    arguments.extend(set);
    let pretrain = recipe("pretrain.toml");
    arguments[1] = &pretrain;
    let report = folder.json(&arguments);
    assert_eq!(report["steps"], 6);
    assert!(report["metrics"]["loss"].as_f64().unwrap() < 8.0);
    assert!(report["tokens_per_second"].as_f64().unwrap() > 0.0);
    let run = folder.path().join(".groundtune/runs/0001");
    assert_eq!(report["run"], run.to_str().unwrap());
    for file in [
        "recipe.toml",
        "run.json",
        "events.jsonl",
        "curve.svg",
        "model/config.json",
    ] {
        assert!(run.join(file).is_file(), "{file}");
    }

    let base = format!("model.path={:?}", run.to_str().unwrap());
    let answers = recipe("answers.toml");
    let mut arguments = vec!["train", &answers, "--set", &base];
    arguments.extend(set);
    let report = folder.json(&arguments);
    let adapter = folder.path().join(".groundtune/runs/0002/adapter");
    assert_eq!(report["model"], adapter.to_str().unwrap());

    for run in ["0001", "0002"] {
        let run = format!(".groundtune/runs/{run}");
        let arguments = [
            "generate",
            "--model",
            &run,
            "--max-tokens",
            "4",
            "--json",
            "What",
        ];
        let written = folder.json_lines(&arguments);
        assert_eq!(
            written[0]["prompt_tokens"].as_u64().map(|it| it > 0),
            Some(true)
        );
        assert!(
            written[0]["completion_tokens"].as_u64() <= Some(4),
            "{written:?}"
        );
    }
}

/// Begins the run of `SMALL` in `folder`, or goes on with it.
fn go(folder: &Folder) -> Child {
    let run = ".groundtune/runs/0001";
    let begun = folder.path().join(run).join("run.json").is_file();
    if !begun {
        // Killed before it was a run.
        let _ = std::fs::remove_dir_all(folder.path().join(".groundtune"));
    }
    let arguments = if begun {
        ["train", "--resume", run]
    } else {
        ["train", "recipe.toml", "--threads=2"]
    };
    folder
        .command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn small() -> Folder {
    let folder = Folder::empty();
    folder.write("recipe.toml", SMALL);
    folder.write("text.txt", &text());
    folder
}

fn weights(folder: &Folder) -> PathBuf {
    let run = folder.path().join(".groundtune/runs/0001");
    run.join("model/model.safetensors")
}

/// The loss of each step, by its bits.
fn losses(folder: &Path) -> Vec<String> {
    let events = folder.join(".groundtune/runs/0001/events.jsonl");
    let events = std::fs::read_to_string(events).unwrap();
    let events = events.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        (event["event"] == "step").then(|| format!("{} {}", event["step"], event["loss"]))
    });
    events.flatten().collect()
}

#[test]
fn a_run_that_is_killed_comes_to_the_same_numbers() {
    let unbroken = small();
    assert!(go(&unbroken).wait().unwrap().success());
    let expect = std::fs::read(weights(&unbroken)).unwrap();
    let killed = small();
    // Later and later, so that the kills fall into every part of a run.
    for kill in 0..8u64 {
        let mut child = go(&killed);
        std::thread::sleep(Duration::from_millis(30 + kill * 53 % 400));
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(go(&killed).wait().unwrap().success());
    assert_eq!(losses(killed.path()), losses(unbroken.path()));
    assert_eq!(losses(killed.path()).len(), 30);
    assert!(std::fs::read(weights(&killed)).unwrap() == expect);
}

#[test]
fn what_cannot_be_trained_is_said_with_what_to_do() {
    let folder = small();
    folder.write("recipe.toml", &SMALL.replace("batch = 2", "bach = 2"));
    assert_screen!(folder.screen(&["train", "recipe.toml"]), @r"
    -- stderr --
    error: `recipe.toml`, line 14: unknown key `bach` in `[steps]`

    hint: did you mean `batch`? Known here: `epochs`, `limit`, `batch`, `accumulation`, `length`
    -- exit 1 --
    ");
    assert_screen!(folder.screen(&["train", "--resume", "nothing"]), @r"
    -- stderr --
    error: `nothing` is no run: it has no `run.json` and `recipe.toml`

    hint: runs are in `.groundtune/runs`
    -- exit 1 --
    ");
}

#[test]
fn changed_data_is_not_learnt_on() {
    let folder = small();
    assert!(go(&folder).wait().unwrap().success());
    folder.write("text.txt", "Something else.\n");
    let screen = folder.screen(&["train", "--resume", ".groundtune/runs/0001"]);
    assert!(
        screen.contains("the data of `.groundtune/runs/0001` has changed"),
        "{screen}"
    );
}
