//! `train`, from recipes in the repository to a model that writes; killed and resumed.

use std::path::Path;
use std::time::Duration;

use crate::support::{Folder, assert_screen, learnt, train_on};

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
        "run.html",
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

    // The base knows texts alone; the adapter was taught prompts on lines of their own.
    let tokens = |more: &[&str]| {
        let run = ["generate", "--max-tokens=1", "--json"];
        let reply = folder.json(&[&run[..], more].concat());
        reply["prompt_tokens"].as_u64().unwrap()
    };
    let base = ".groundtune/runs/0001";
    let adapter = ".groundtune/runs/0002/adapter";
    let beside = ["--model", base, "--adapter", adapter];
    let on_a_line = tokens(&[&beside[..], &["What\n"]].concat());
    assert_eq!(tokens(&[&beside[..], &["What"]].concat()), on_a_line);
    assert!(tokens(&["--model", base, "What"]) < on_a_line);
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

#[test]
fn an_encoder_learns_labels_and_goes_on_with_them() {
    let folder = Folder::empty();
    let animals = ["cat", "dog"].iter().cycle().take(60).enumerate();
    let lines = animals.map(|(number, animal)| {
        let place = ["the mat", "a mat", "one", "two", "three"][number / 2 % 5];
        format!("{{\"text\": \"the {animal} sat on {place} {number}\", \"label\": \"{animal}\"}}\n")
    });
    folder.write("animals.jsonl", &lines.collect::<String>());
    folder.write(
        "recipe.toml",
        "[model]\nkind = \"base\"\npath = \"\"\n[data]\ntrain = [\"animals.jsonl\"]\ndev = 0.3\n\
         [objective]\nkind = \"classify\"\n[steps]\nlimit = 30\nbatch = 8\nlength = 32\n\
         [optimiser]\nlearning_rate = 1e-2\n[evaluation]\nevery = 10\n",
    );
    let encoder = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/data/bert");
    let train = |path: &str, more: &[&str]| {
        let model = format!("model.path={path:?}");
        let mut arguments = vec![
            "train",
            "recipe.toml",
            "--threads=2",
            "--json",
            "--set",
            &model,
        ];
        arguments.extend(more);
        folder.json(&arguments)
    };
    let report = train(encoder, &[]);
    assert_eq!(report["metrics"]["accuracy"], 1.0, "{report}");
    assert_eq!(report["metrics"]["macro_f1"], 1.0, "{report}");
    let run = folder.path().join(".groundtune/runs/0001");
    assert_eq!(report["model"], run.join("model").to_str().unwrap());
    let config = std::fs::read_to_string(run.join("model/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        config["id2label"],
        serde_json::json!({"0": "cat", "1": "dog"})
    );

    // What was learnt is the beginning of a second run.
    train(run.to_str().unwrap(), &["--set", "steps.limit=1"]);
    let events = folder.path().join(".groundtune/runs/0002/events.jsonl");
    let events = std::fs::read_to_string(events).unwrap();
    let first = events.lines().find(|it| it.contains("examined")).unwrap();
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    assert_eq!(first["step"], 0);
    assert_eq!(first["loss"], report["metrics"]["loss"]);
}

#[test]
fn an_encoder_is_not_begun_from_nothing() {
    let folder = Folder::empty();
    folder.write(
        "animals.jsonl",
        "{\"text\": \"a cat\", \"label\": \"cat\"}\n",
    );
    folder.write(
        "recipe.toml",
        "[model]\nkind = \"new\"\n[data]\ntrain = [\"animals.jsonl\"]\n[objective]\nkind = \"classify\"\n",
    );
    assert_screen!(folder.screen(&["train", "recipe.toml"]), @r#"
    -- stderr --
    error: `objective.kind = "classify"` teaches an encoder that is there, and the recipe has `model.kind = "new"`

    hint: name one in `[model]`: `kind = "base"` and `path`, the folder of a BERT or a RoBERTa
    -- exit 1 --
    "#);
}

fn small() -> Folder {
    let folder = Folder::empty();
    folder.write("recipe.toml", SMALL);
    folder.write("text.txt", &text());
    folder
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
    assert!(train_on(&unbroken).wait().unwrap().success());
    let expect = std::fs::read(learnt(&unbroken)).unwrap();
    let killed = small();
    // Later and later, so that the kills fall into every part of a run.
    for kill in 0..8u64 {
        let mut child = train_on(&killed);
        std::thread::sleep(Duration::from_millis(30 + kill * 53 % 400));
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(train_on(&killed).wait().unwrap().success());
    assert_eq!(losses(killed.path()), losses(unbroken.path()));
    assert_eq!(losses(killed.path()).len(), 30);
    assert!(std::fs::read(learnt(&killed)).unwrap() == expect);
}

#[test]
fn a_job_is_a_run_that_others_can_take() {
    let unbroken = small();
    assert!(train_on(&unbroken).wait().unwrap().success());
    let folder = small();
    let report = folder.json(&["train", "recipe.toml", "--job", "--json"]);
    let run = folder.path().join(".groundtune/runs/0001");
    assert_eq!(report["run"], run.to_str().unwrap());
    assert_eq!(
        report["program"],
        run.join("train.py").display().to_string()
    );
    let read = |name: &str| std::fs::read_to_string(run.join(name)).unwrap();
    let job: serde_json::Value = serde_json::from_str(&read("job.json")).unwrap();
    assert_eq!(
        (&job["steps"], &job["result"]),
        (&30.into(), &"model".into())
    );
    assert_eq!(job["recipe"]["schedule"]["kind"], "linear");
    let rows = read("train.jsonl");
    let row: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    let length = |key: &str| row[key].as_array().unwrap().len();
    assert_eq!((length("ids"), length("targets")), (32, 32));
    // A text's tokens are all learnt: each predicts the next.
    assert_eq!(row["targets"][0], row["ids"][1]);
    for file in [
        "dev.jsonl",
        "start/model.safetensors",
        "start/tokenizer.json",
    ] {
        assert!(run.join(file).is_file(), "{file}");
    }
    // Here it is learnt as if it had been begun here.
    let resumed = ["train", "--resume", ".groundtune/runs/0001", "--json"];
    assert_eq!(folder.json(&resumed)["steps"], 30);
    assert_eq!(losses(folder.path()), losses(unbroken.path()));
}

#[test]
fn there_is_not_a_job_of_everything() {
    let folder = small();
    let adalora = "[model]\nkind = \"base\"\npath = \"built-in\"\n[data]\ntrain = [\"text.txt\"]\n[tuning]\nkind = \"adalora\"\n";
    folder.write("adalora.toml", adalora);
    let screen = folder.screen(&["train", "adalora.toml", "--job"]);
    let expect = "error: there is no job of `tuning.kind = \"adalora\"`: jobs are of";
    assert!(screen.contains(expect), "{screen}");
    assert!(
        screen.contains("hint: learn it here, without `--job`"),
        "{screen}"
    );
    assert!(!folder.path().join(".groundtune/runs/0001").exists());
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
    assert_screen!(folder.screen(&["train", "nothing.toml"]), @r"
    -- stderr --
    error: the recipe cannot be read
      failed to open file `nothing.toml`: No such file or directory (os error 2)

    hint: a recipe is a TOML file; `docs/train.md` has its keys, `docs/recipes/` some that run
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
    assert!(train_on(&folder).wait().unwrap().success());
    folder.write("text.txt", "Something else.\n");
    let screen = folder.screen(&["train", "--resume", ".groundtune/runs/0001"]);
    assert!(
        screen.contains("the data of `.groundtune/runs/0001` has changed"),
        "{screen}"
    );
}

#[test]
fn questions_are_learnt_with_evidence() {
    let folder = Folder::empty();
    let evidence = recipe("evidence.toml");
    let set = ["--set", "steps.limit=2", "--threads", "2", "--json"];
    let mut arguments = vec!["train", &evidence];
    arguments.extend(set);
    let report = folder.json(&arguments);
    assert_eq!(report["steps"], 2);
    assert!(
        folder
            .path()
            .join(".groundtune/runs/0001/model/model.safetensors")
            .is_file()
    );

    arguments.extend(["--set", "objective.kind=\"classify\"", "--set"]);
    arguments.push("model={ kind=\"base\", path=\"nothing\" }");
    let screen = folder.screen(&arguments);
    assert!(screen.contains("error:"), "{screen}");
}

#[test]
fn techniques_and_growth_are_measured() {
    let folder = small();
    let bench = |what: &str| {
        let arguments = ["train", "recipe.toml", what, "--threads=2", "--json"];
        folder.json(&arguments)
    };
    let found = bench("--bench");
    let rows = found["techniques"].as_array().unwrap();
    let names: Vec<&str> = rows
        .iter()
        .map(|it| it["technique"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "plain",
            "accumulation of 4",
            "without packing",
            "bf16",
            "checkpointing",
            "8-bit states",
            "sharding"
        ]
    );
    let of = |row: usize, key: &str| rows[row][key].as_u64().unwrap();
    // Batches of one take a quarter of the memory of four, and the same step.
    assert!(of(1, "activation_bytes") < of(0, "activation_bytes") / 2);
    assert!(of(4, "activation_bytes") < of(0, "activation_bytes"));
    assert!(of(5, "state_bytes") < of(0, "state_bytes"));
    assert_eq!(of(0, "padding"), 0);
    // As much is learnt, however much is computed.
    assert_eq!(of(2, "tokens"), of(0, "tokens"));
    assert!(of(2, "activation_bytes") >= of(0, "activation_bytes"));
    for row in &rows[..6] {
        let loss = row["losses"][0].as_f64().unwrap();
        assert!((4.0..7.0).contains(&loss), "{row}");
        assert!(row["tokens_per_second"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(
        rows[6]["error"],
        "not measured: it takes several GPUs, and this is one machine; 8-bit states, \
         checkpointing and QLoRA save here"
    );

    let found = bench("--bench=growth");
    let rows = found["growth"].as_array().unwrap();
    assert_eq!(rows.len(), 15);
    let activations = |row: usize| rows[row]["activation_bytes"].as_u64().unwrap();
    assert!(
        activations(11) > activations(9),
        "a larger batch takes more"
    );
    assert_eq!(
        activations(12),
        activations(14),
        "accumulation takes no more"
    );
    assert!(
        !folder.path().join(".groundtune").exists(),
        "nothing is kept"
    );
}

#[test]
fn a_prompt_is_given_as_it_was_taught() {
    let taught = |examples: &str, name: &str| {
        let folder = Folder::empty();
        let data = format!("dev = false\ntrain = [\"{name}\"]");
        let recipe = SMALL.replace("train = [\"text.txt\"]", &data);
        folder.write("recipe.toml", &recipe);
        folder.write(name, examples);
        assert!(train_on(&folder).wait().unwrap().success());
        folder
    };
    let tokens = |folder: &Folder, more: &[&str]| {
        let run = [".groundtune/runs/0001", "--max-tokens=1", "--json"];
        let reply = folder.json(&[&["generate", "--model"], &run[..], more].concat());
        reply["prompt_tokens"].as_u64().unwrap()
    };
    let examples = (0..40).map(|number| {
        let example = serde_json::json!({"prompt": format!("{number}"), "completion": "yes"});
        format!("{example}\n")
    });
    let answers = taught(&examples.collect::<String>(), "answers.jsonl");
    answers.write("prompt.txt", "7\n");
    let on_a_line = tokens(&answers, &["7\n"]);
    assert_eq!(tokens(&answers, &["7"]), on_a_line);
    assert_eq!(tokens(&answers, &["--file", "prompt.txt"]), on_a_line);
    // What the run made is asked as the run is.
    let made = ".groundtune/runs/0001/model";
    let reply = answers.json(&["generate", "--max-tokens=1", "--json", "--model", made, "7"]);
    assert_eq!(reply["prompt_tokens"], on_a_line);
    let lines = ["--file", "prompt.txt", "--lines"];
    assert_eq!(tokens(&answers, &lines), on_a_line);
    assert!(tokens(&answers, &["7:"]) < tokens(&answers, &["7:\n"]));
    let texts = taught(&text(), "text.txt");
    assert!(tokens(&texts, &["7"]) < tokens(&texts, &["7\n"]));
}
