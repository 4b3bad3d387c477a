//! The model that is built in learns, and what it learnt is found again.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use groundtune::generate::Writer;
use groundtune::models::{Environment, ModelReference};
use groundtune::train::{Start, Tuned, prepare};

#[test]
fn it_learns_an_adapter_that_finds_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let line = "{\"prompt\": \"What is the word?\", \"completion\": \"walnut\"}\n";
    std::fs::write(folder.path().join("word.jsonl"), line.repeat(8)).unwrap();
    let recipe = folder.path().join("recipe.toml");
    let text = "preset = \"adapter\"\n[model]\nkind = \"base\"\npath = \"built-in\"\n\
        [data]\ntrain = [\"word.jsonl\"]\ndev = false\n[steps]\nlimit = 12\nbatch = 4\n\
        [optimiser]\nlearning_rate = 1e-2\n";
    std::fs::write(&recipe, text).unwrap();
    let start = Start::New {
        recipe,
        set: Vec::new(),
        runs: folder.path().join("state/runs"),
    };
    let environment = Environment::default();
    let prepared = prepare(start, &environment, NonZeroUsize::new(2)).unwrap();
    let report = prepared.run(&mut |_, _| ControlFlow::Continue(())).unwrap();
    let tuned = Tuned::at(&report.run).expect("it is a run").unwrap();
    assert!(
        tuned.model.ends_with("state/models/built-in"),
        "{:?}",
        tuned.model
    );

    let base = ModelReference::Named(tuned.model.to_string_lossy().into_owned());
    let mut writer = Writer::open(&base, Path::new(""), &environment, &Default::default()).unwrap();
    writer
        .add_adapter("word", &tuned.adapter.expect("it is an adapter"))
        .unwrap();
    let request = groundtune::generate::Request {
        input: groundtune::generate::Input::Messages(vec![groundtune::generate::Message::user(
            "What is the word?",
        )]),
        max_tokens: Some(8),
        adapters: vec![("word".into(), 1.0)],
        ..Default::default()
    };
    let written = writer
        .write(&[request], &mut |_, _| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(written[0].as_ref().unwrap().text, "walnut");
}
