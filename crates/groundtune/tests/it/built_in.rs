//! The model that is built in: it answers from a text, says when the text does not, and learns.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use contract::{Evidence, Template, Tokens, render};
use groundtune::models::{Environment, ModelReference, open_generator};
use groundtune::train::{Start, Tuned, prepare};
use groundtune::{NOT_IN_THE_DOCUMENTS, generate::Writer};

fn answer(text: &str, question: &str) -> String {
    let opened = open_generator(
        &ModelReference::BuiltIn,
        Path::new(""),
        &Environment::default(),
    );
    let generator = opened.unwrap().expect("one is built in");
    let prompt = render(Template::Spaced, question, &[Evidence::of_text(text)]);
    let mut sink = |_: &str| ControlFlow::Continue(());
    let written = generator.generate(&prompt, Tokens(24), &mut sink).unwrap();
    written.text.trim().to_owned()
}

#[test]
fn it_reads_what_it_is_given() {
    let text = "Mira Tolvane repaired the lamp on Monday. Anna Brock sold the boat in Velmora.";
    assert_eq!(answer(text, "Who repaired the lamp?"), "Mira Tolvane");
    assert_eq!(
        answer(text, "Where did Anna Brock sell the boat?"),
        "Velmora"
    );
    // Again, and the same.
    assert_eq!(answer(text, "Who repaired the lamp?"), "Mira Tolvane");
}

#[test]
fn it_says_when_it_is_not_there() {
    let text = "Mira Tolvane repaired the lamp on Monday. Anna Brock sold the boat in Velmora.";
    for asked in [
        "Why did Mira Tolvane repair the lamp?",
        "Why did Paul leave the village?",
        "How much is the membership?",
    ] {
        assert_eq!(answer(text, asked), NOT_IN_THE_DOCUMENTS, "{asked}");
    }
}

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
