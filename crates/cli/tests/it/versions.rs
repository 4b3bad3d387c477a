//! Runs as versions of a tuned model: tagged, used, compared, taken back, exported.

use crate::support::{Folder, MODELS, assert_screen};

/// A folder with a base, and two runs that adapt it, with other learning rates.
fn tuned() -> Folder {
    let folder = Folder::project("[models]\ngenerator = \"support@prod\"\n", &[]);
    let lines =
        (0..60).map(|it| format!("{{\"text\": \"the sum of {it} and 1 is {}\"}}\n", it + 1));
    folder.write("train.jsonl", &lines.collect::<String>());
    let base = format!("{MODELS}/decoders/llama");
    folder.write(
        "recipe.toml",
        &format!(
            "seed = 1\n[model]\nkind = \"base\"\npath = {base:?}\n[data]\ntrain = [\"train.jsonl\"]\n\
             [tuning]\nkind = \"lora\"\nrank = 2\n[steps]\nlimit = 4\nbatch = 2\nlength = 32\n\
             [evaluation]\nevery = 2\n"
        ),
    );
    for rate in ["1e-3", "1e-2"] {
        let set = format!("optimiser.learning_rate={rate}");
        folder.json(&[
            "train",
            "recipe.toml",
            "--set",
            &set,
            "--json",
            "--threads",
            "1",
        ]);
    }
    folder
}

const FIRST: &str = ".groundtune/runs/0001";
const SECOND: &str = ".groundtune/runs/0002";

#[test]
fn a_tag_is_moved_used_and_taken_back() {
    let folder = tuned();
    assert_screen!(folder.screen(&["models", "tag", FIRST, "support@prod"]), @"support@prod is version 1: .groundtune/runs/0001");
    assert_screen!(folder.screen(&["models", "tag", SECOND, "support@prod"]), @"support@prod is version 2: .groundtune/runs/0002; it was version 1");
    let generate = |model: &[&str]| {
        let mut arguments = vec!["generate", "--json", "--max-tokens", "4", "the sum"];
        arguments.extend(model);
        folder.json_lines(&arguments)[0]["tokens"].clone()
    };
    let second = generate(&["--model", SECOND]);
    assert_eq!(generate(&["--model", "support@prod"]), second);
    assert_eq!(generate(&[]), second, "as `[models]` says");
    assert_screen!(folder.screen(&["models", "rollback", "support@prod"]), @"support@prod is back on version 1: .groundtune/runs/0001; it was version 2");
    assert_eq!(
        generate(&["--model", "support@1"]),
        generate(&["--model", FIRST])
    );
    assert_screen!(folder.screen(&["models", "rollback", "support@prod"]), @r#"
    -- stderr --
    error: `support@prod` was never on another version

    hint: `groundtune models tag` points it to any version
    -- exit 1 --
    "#);
    assert_screen!(folder.screen(&["generate", "--model", "support@next", "a"]), @r#"
    -- stderr --
    error: `support` has no version `next`; there are prod, 1 to 2

    hint: `groundtune models list` shows what there is; `groundtune models tag RUN NAME@TAG` names a run
    -- exit 1 --
    "#);

    let listed = folder.json(&["models", "list", "support", "--json"]);
    let model = &listed["tuned"][0];
    assert_eq!(model["versions"][0]["tags"][0], "prod");
    assert_eq!(model["versions"][1]["here"], true);
    assert_eq!(model["history"].as_array().unwrap().len(), 3);
    assert_eq!(model["history"][2]["how"], "rollback");
}

#[test]
fn versions_are_compared() {
    let folder = tuned();
    folder.run(&["models", "tag", FIRST, "support@prod"]);
    let arguments = [
        "models",
        "compare",
        "support@prod",
        SECOND,
        "--examples",
        "train.jsonl",
    ];
    let shown = folder.screen(&arguments);
    assert!(
        shown.contains("optimiser.learning_rate: 0.001 → 0.01"),
        "{shown}"
    );
    assert!(shown.contains("95 % interval"), "{shown}");
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    let found = folder.json(&arguments);
    assert_eq!(
        found["sides"][0]["run"]["data"],
        found["sides"][1]["run"]["data"]
    );
    assert_eq!(found["recipe"].as_array().unwrap().len(), 1);
    let loss = |side: usize| found["examples"]["sides"][side]["loss"].as_f64().unwrap();
    let mean = found["examples"]["difference"]["mean"].as_f64().unwrap();
    assert!((loss(1) - loss(0) - mean).abs() < 1e-9, "{found}");
    assert!(
        loss(1) < loss(0),
        "the higher rate has learnt more: {found}"
    );

    // What training itself measured on the examples that it kept back is what is found anew.
    let base = format!("{MODELS}/decoders/llama");
    let found = folder.json(&["models", "compare", &base, FIRST, "--json"]);
    assert_eq!(found["sides"][0]["run"], serde_json::Value::Null);
    assert_eq!(found["recipe"], serde_json::Value::Null);
}

#[test]
fn a_run_is_exported_and_writes_the_same() {
    let folder = tuned();
    let generate = |model: &str| {
        let arguments = [
            "generate",
            "--model",
            model,
            "--max-tokens",
            "6",
            "--json",
            "the sum of 3",
        ];
        folder.json_lines(&arguments)[0]["tokens"].clone()
    };
    let expect = generate(SECOND);
    let exported = folder.json(&[
        "models", "export", SECOND, "--to", "out.gguf", "--format", "f32", "--json",
    ]);
    assert_eq!(exported["adapters"].as_array().unwrap().len(), 1);
    assert_eq!(generate("out.gguf"), expect);
    folder.json(&["models", "export", SECOND, "--to", "out", "--json"]);
    assert_eq!(generate("out"), expect);
    assert_screen!(folder.screen(&["models", "export", SECOND, "--to", "out.gguf"]), @r#"
    -- stderr --
    error: `out.gguf` is there already; `--force` writes over it
    -- exit 1 --
    "#);
    assert_screen!(folder.screen(&["models", "export", SECOND, "--to", "folder", "--format", "f16"]), @r#"
    -- stderr --
    error: `--format` is for GGUF files: name one with `--to FILE.gguf`
    -- exit 2 --
    "#);
    let shown = folder.json(&["models", "show", "out.gguf", "--json"]);
    assert_eq!(shown["kind"], "decoder");
    assert_eq!(
        (&shown["vocabulary"], &shown["format"]),
        (&286.into(), &"F32".into())
    );
    assert_eq!(shown["chat_template"], true);
}

#[test]
fn a_gguf_file_is_trained_and_its_adapter_used() {
    let folder = tuned();
    folder.run(&[
        "models",
        "export",
        FIRST,
        "--to",
        "base.gguf",
        "--format",
        "q8_0",
    ]);
    for (kind, result) in [("lora", "adapter"), ("qlora", "adapter"), ("full", "model")] {
        let set = format!("tuning.kind=\"{kind}\"");
        let arguments = [
            "train",
            "recipe.toml",
            "--set",
            "model.path=\"base.gguf\"",
            "--set",
            &set,
            "--json",
            "--threads",
            "1",
        ];
        let report = folder.json(&arguments);
        assert!(
            report["model"].as_str().unwrap().ends_with(result),
            "{report}"
        );
        let run = report["run"].as_str().unwrap();
        let written = folder.json_lines(&[
            "generate",
            "--model",
            run,
            "--max-tokens",
            "3",
            "--json",
            "the",
        ]);
        assert_eq!(written[0]["completion_tokens"], 3, "{kind}");
    }
}

#[test]
fn a_vocabulary_is_learnt_shown_and_used() {
    let folder = Folder::empty();
    folder.write(
        "a.txt",
        &"the cat sat on the mat\nthe dog sat on the cat\n".repeat(20),
    );
    let train = [
        "tokenizer",
        "train",
        "a.txt",
        "--out",
        "words",
        "--size",
        "270",
        "--special",
        "<|tool|>",
    ];
    assert_screen!(folder.screen(&train), @r#"
    270 tokens learnt from [SIZE] of text, in words; a token is 2.71 bytes of it
    -- stderr --
    `a.txt` (document)
    "#);
    assert_screen!(folder.screen(&train), @r#"
    -- stderr --
    error: `words/tokenizer.json` is there already and is left as it is

    hint: name another place, or move it away
    -- exit 1 --
    "#);
    assert_screen!(folder.screen(&["tokenizer", "show", "words"]), @r#"
    vocabulary     words
    tokens         270
    begin          0 <|endoftext|>
    end            0 <|endoftext|>
    special        0 <|endoftext|>, 1 <|tool|>
    chat template  no
    where          [FOLDER]/words/tokenizer.json
    "#);
    let lines = folder.json_lines(&[
        "tokenizer",
        "encode",
        "--model",
        "words",
        "--json",
        "the cat",
        "ü",
    ]);
    assert_eq!(
        lines[0]["pieces"].as_array().unwrap().concat_text(),
        "the cat"
    );
    assert_eq!(lines[1]["ids"].as_array().unwrap().len(), 2);
    let shown = folder.screen(&[
        "tokenizer",
        "encode",
        "--model",
        "words",
        "--special",
        "the cat<|tool|>",
    ]);
    assert!(shown.contains("1:<|tool|>"), "{shown}");
}

/// Texts of a list, one behind the other.
trait ConcatText {
    fn concat_text(&self) -> String;
}

impl ConcatText for Vec<serde_json::Value> {
    fn concat_text(&self) -> String {
        self.iter().filter_map(|it| it.as_str()).collect()
    }
}
