//! `compare` from an encoder: labels, told by its candidates.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Folder, MODELS, names_of};

const CONFIG: &str = "\
[compare]
examples = [\"texts.jsonl\"]
seeds = 2
[compare.training]
steps = { epochs = 12, batch = 8 }
optimiser = { learning_rate = 1e-2 }
";

/// A project with texts about two animals, in words that the tiny encoder knows.
fn project(models: &str) -> Folder {
    let folder = Folder::project(&format!("{models}{CONFIG}"), &[]);
    let numbers = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    let mut lines = String::new();
    for number in 0..90 {
        let animal = ["cat", "dog"][number % 2];
        let word = |by: usize| numbers[(number / by + number) % 10];
        let text = format!("{} {} {animal} sat on {}", word(1), word(10), word(3));
        let line = serde_json::json!({"text": text, "label": format!("{animal}_text")});
        writeln!(lines, "{line}").unwrap();
    }
    folder.write("texts.jsonl", &lines);
    folder
}

fn candidate<'a>(found: &'a Value, name: &str) -> &'a Value {
    let all = found["candidates"].as_array().unwrap();
    all.iter().find(|it| it["name"] == name).unwrap()
}

#[test]
fn five_candidates_of_an_encoder_tell_labels() {
    let folder = project("");
    let encoder = format!("{MODELS}/bert");
    let found = folder.json(&["compare", "--model", &encoder, "--json"]);
    let names = names_of(&found);
    assert_eq!(names, ["prompt", "few-shot", "rag", "fine-tuned", "hybrid"]);
    for name in names {
        let it = candidate(&found, name);
        assert_eq!(it["failed"], 0, "{it}");
        let taught = ["fine-tuned", "hybrid"].contains(&name);
        assert_eq!(it["seeds"], if taught { 2 } else { 1 });
    }
    let accuracy = |name: &str| {
        candidate(&found, name)["metrics"]["accuracy"]["value"]
            .as_f64()
            .unwrap()
    };
    assert!(accuracy("fine-tuned") > 0.95, "{found}");
    assert!(accuracy("hybrid") > 0.95, "{found}");
    let freshness = &found["tried"]["freshness"]["candidates"];
    assert_eq!(freshness["rag"]["facts"], 2, "{freshness}");
    // Who was taught goes on as it was taught.
    assert_eq!(freshness["fine-tuned"]["changed_stale"], 1.0, "{freshness}");
    assert_eq!(freshness["fine-tuned"]["changed_right"], 0.0, "{freshness}");
    assert!(freshness["rag"]["update_seconds"].is_f64(), "{freshness}");
    assert!(
        found["taught"]["hybrid"][0]["neighbours"].is_f64(),
        "{found}"
    );
    let tried = &found["tried"];
    let before = &tried["general"]["before"];
    let halves = before["halves_found"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&halves), "{tried}");
    assert!(before.get("bits_per_byte").is_none(), "{tried}");
    let forgot = &tried["forgetting"]["candidates"];
    let of = &forgot["fine-tuned"];
    let after = of["after"][0]["halves_found"].as_f64().unwrap();
    let lost = of["halves_lost"].as_f64().unwrap();
    assert!((halves - after - lost).abs() < 1e-9, "{forgot}");
    assert!(of["halves_lost_interval"][0].is_f64(), "{forgot}");
    assert_eq!(of["after"].as_array().unwrap().len(), 2, "{forgot}");
    // It is the same model, whether neighbours vote beside it or not.
    assert_eq!(forgot["hybrid"], *of);
    let noise = &tried["noise"]["candidates"];
    for unmoved in ["prompt", "few-shot", "fine-tuned"] {
        let it = &noise[unmoved];
        assert_eq!(it["plain_right"], it["noisy_right"], "{unmoved}: {noise}");
        assert_eq!(it["unopposed_right"], it["opposed_right"], "{noise}");
    }
    assert!(noise["rag"]["conflicts"].as_u64().unwrap() > 0, "{noise}");
    let misled = noise["rag"]["opposed_misled"].as_f64().unwrap();
    assert!(misled > 0.0, "{noise}");
    let refusal = tried["refusal"]["not_measured"].as_str().unwrap();
    assert!(refusal.contains("has its label"), "{refusal}");
    let sizes = tried["growth"]["sizes"].as_array().unwrap();
    let count = |at: usize| sizes[at]["examples"].as_u64().unwrap();
    assert!(count(0) < count(1) && count(1) < count(2), "{sizes:?}");
    assert!(sizes[2]["voted_right"].is_f64(), "{sizes:?}");

    let root = folder.path().join(".groundtune/comparisons/0001");
    // The hybrid is the taught model with neighbours beside it: it is taught once.
    assert!(root.join("taught/fine-tuned.1/runs").is_dir());
    assert!(!root.join("taught/hybrid.1/runs").exists());
    let answers = std::fs::read_to_string(root.join("predictions/rag.0.jsonl")).unwrap();
    let first: Value = serde_json::from_str(answers.lines().next().unwrap()).unwrap();
    let neighbour = first["evidence"][0]["text"].as_str().unwrap();
    assert!(neighbour.ends_with("_text"), "{first}");
    assert!(first["prompt_tokens"].as_u64().unwrap() > 5, "{first}");
    let report = std::fs::read_to_string(root.join("report.md")).unwrap();
    assert!(report.contains("labels were passed round"), "{report}");

    let resume = [
        "compare",
        "--resume",
        ".groundtune/comparisons/0001",
        "--json",
    ];
    assert_eq!(folder.json(&resume)["verdict"], found["verdict"]);
}

#[test]
fn the_named_embedder_tells_labels_where_no_model_writes() {
    let folder = project(&format!(
        "[models]\nembedder = {:?}\n",
        format!("{MODELS}/bert")
    ));
    let shown = folder.screen(&["compare", "--candidates", "prompt,rag", "--quick"]);
    assert!(shown.contains("neighbour"), "{shown}");
    // What is no label, an encoder does not say.
    let mut lines = String::new();
    for (question, answer) in [
        ("Why is it quiet?", "Because of the cat."),
        ("What did the dog bury?", "Four bones and a shoe."),
        ("Whose mat lies there?", "It belongs to a neighbour."),
        ("How was dinner?", "Nobody liked the soup at all."),
        ("When does winter begin?", "In the last days of the year."),
        ("Which bird sang?", "The one in the old tree."),
        ("Where are my keys?", "Under the blue chair."),
        ("Who called?", "A man who sells windows."),
    ] {
        let line = serde_json::json!({"question": question, "answer": answer});
        writeln!(lines, "{line}").unwrap();
    }
    folder.write("other.jsonl", &lines);
    let encoder = format!("{MODELS}/bert");
    let shown = folder.screen(&["compare", "other.jsonl", "--model", &encoder]);
    assert!(shown.contains("is an encoder"), "{shown}");
}

#[test]
fn five_candidates_of_an_encoder_tell_names() {
    let folder = Folder::project(CONFIG, &[]);
    let numbers = ["one", "two", "three", "four", "five", "six", "seven"];
    let mut lines = String::new();
    for number in 0..80 {
        let word = |by: usize| numbers[(number / by + number) % 7];
        let animal = ["cat", "dog"][number % 2];
        let tokens = ["the", word(1), animal, "sat", "on", word(3), word(7)];
        let tags = ["O", "O", "B-animal", "O", "O", "B-place", "I-place"];
        let line = serde_json::json!({"tokens": tokens, "tags": tags});
        writeln!(lines, "{line}").unwrap();
    }
    folder.write("texts.jsonl", &lines);
    let encoder = format!("{MODELS}/bert");
    let arguments = ["compare", "--model", &encoder, "--seeds", "1", "--json"];
    let found = folder.json(&arguments);
    assert_eq!(found["plan"]["metric"], "entity_f1", "{}", found["plan"]);
    assert_eq!(found["candidates"].as_array().unwrap().len(), 5);
    let f1 = |name: &str| candidate(&found, name)["metrics"]["entity_f1"]["value"].as_f64();
    for name in ["fine-tuned", "hybrid"] {
        assert!(f1(name).unwrap() > 0.95, "{name}: {found}");
    }
    let warnings = found["warnings"].to_string();
    assert!(warnings.contains("was not measured"), "{warnings}");
    let tried = &found["tried"];
    let forgot = &tried["forgetting"]["candidates"]["fine-tuned"];
    assert!(forgot["halves_lost"].is_f64(), "{tried}");
    let noise = &tried["noise"]["candidates"];
    assert!(noise["rag"]["conflicts"].as_u64().unwrap() > 0, "{noise}");
    let of = &noise["fine-tuned"];
    assert_eq!(of["unopposed_right"], of["opposed_right"], "{noise}");
    assert_eq!(tried["growth"]["sizes"].as_array().unwrap().len(), 3);
}

#[test]
fn an_encoder_finds_answers_in_given_texts_and_in_documents() {
    let documents = "[documents]\npaths = [\"pages\"]\n";
    let config = format!("{documents}{CONFIG}objective = {{ overlap = 4, longest_answer = 5 }}\n");
    let folder = Folder::project(&config, &[]);
    let numbers = ["one", "two", "three", "four", "five", "six", "seven"];
    let mut lines = String::new();
    for number in 0..60 {
        let word = |by: usize| numbers[(number / by + number) % 7];
        let animal = ["cat", "dog"][number % 2];
        let name = format!("{} {} {animal}", word(1), word(7));
        let place = format!("mat {} {} {}", word(3), word(2), word(4));
        let text = format!("the {name} sat on {place}");
        folder.write(format!("pages/{number}.md"), &format!("{text}.\n"));
        let line = serde_json::json!({
            "question": format!("{} {name} did sit where?", word(5)),
            "context": text,
            "answers": [{"text": place, "answer_start": text.find("mat")}],
        });
        writeln!(lines, "{line}").unwrap();
    }
    folder.write("texts.jsonl", &lines);
    folder.run(&["ingest"]);
    let encoder = format!("{MODELS}/bert");
    let arguments = ["compare", "--model", &encoder, "--seeds", "1", "--json"];
    let found = folder.json(&arguments);
    let names = names_of(&found);
    assert_eq!(names, ["prompt", "rag", "fine-tuned", "hybrid"]);
    for name in names {
        let it = candidate(&found, name);
        assert_eq!(it["failed"], 0, "{it}");
        assert!(it["metrics"]["f1"]["value"].is_f64(), "{it}");
    }
    let warnings = found["warnings"].to_string();
    assert!(
        warnings.contains("`few-shot` was not compared"),
        "{warnings}"
    );
    let tried = &found["tried"];
    for drill in ["forgetting", "noise", "refusal"] {
        let of = &tried[drill]["candidates"]["hybrid"];
        assert!(of.is_object(), "{drill}: {tried}");
    }
    assert!(tried["growth"]["sizes"][0]["files"].is_u64(), "{tried}");
    let root = folder.path().join(".groundtune/comparisons/0001");
    assert!(!root.join("taught/hybrid.0/runs").exists());
    let answers = std::fs::read_to_string(root.join("predictions/hybrid.0.jsonl")).unwrap();
    let first: Value = serde_json::from_str(answers.lines().next().unwrap()).unwrap();
    assert!(
        first["evidence"][0]["document"]
            .as_str()
            .unwrap()
            .ends_with(".md"),
        "{first}"
    );
}
