//! An encoder that has learnt labels, opened as what classifies.

use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use groundtune::models::Environment;
use groundtune::train::{Start, TrainReport, TrainingError, prepare};
use model::{Classifier, HeadOptions};

const ENCODER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/data/bert");

/// Learns from `lines` in `folder`, examined on `dev`; `more` are further keys of the recipe.
/// Returns also what was left out.
fn learn(
    folder: &Path,
    lines: &str,
    dev: &str,
    more: &str,
) -> Result<(Vec<String>, TrainReport), Box<dyn Error>> {
    std::fs::write(folder.join("examples.jsonl"), lines)?;
    let recipe = folder.join("recipe.toml");
    let text = format!(
        "[model]\nkind = \"base\"\npath = {ENCODER:?}\n\
         [data]\ntrain = [\"examples.jsonl\"]\ndev = {dev}\n[objective]\nkind = \"classify\"\n\
         [steps]\nlimit = 40\nbatch = 8\nlength = 32\n[optimiser]\nlearning_rate = 1e-2\n{more}"
    );
    std::fs::write(&recipe, text)?;
    let start = Start::New {
        recipe,
        set: Vec::new(),
        runs: folder.join("runs"),
    };
    let prepared = prepare(start, &Environment::default(), NonZeroUsize::new(2))?;
    let left_out = prepared.data().left_out.clone();
    let report = prepared.run(&mut |_, _| ControlFlow::Continue(()))?;
    Ok((left_out, report))
}

fn animals() -> String {
    let mut lines = String::new();
    for number in 0..60 {
        let animal = ["cat", "dog"][number % 2];
        let place = ["the mat", "a mat", "one", "two", "three"][number / 2 % 5];
        let text = format!("the {animal} sat on {place} {number}");
        let _ = writeln!(lines, "{{\"text\": \"{text}\", \"label\": \"{animal}\"}}");
    }
    lines
}

fn check_model(more: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (left_out, report) = learn(folder.path(), &animals(), "0.3", more).unwrap();
    assert!(left_out.is_empty(), "{left_out:?}");
    let model = report.outcome.model.unwrap();
    let classifier = Classifier::open(&model, &HeadOptions::default()).unwrap();
    assert_eq!(classifier.labels(), ["cat", "dog"]);
    let found = classifier.classify(&["where did the dog sit?", "one cat!"]);
    assert_eq!(found.unwrap(), [[1], [0]]);
}

#[test]
fn a_whole_encoder_learns_labels() {
    check_model("");
}

#[test]
fn an_adapter_that_learnt_labels_is_merged() {
    check_model("[tuning]\nkind = \"lora\"\n");
}

#[test]
fn a_label_that_is_only_examined_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("dev.jsonl"),
        "{\"text\": \"a mat\", \"label\": \"mat\"}\n{\"text\": \"a dog\", \"label\": \"dog\"}\n",
    )
    .unwrap();
    let dev = "[\"dev.jsonl\"]";
    let (left_out, report) = learn(folder.path(), &animals(), dev, "").unwrap();
    assert_eq!(
        left_out,
        ["`dev.jsonl:1` has the label `mat`, which no training example has"]
    );
    let found = report.outcome.examination.unwrap();
    assert_eq!(found.metrics["accuracy"], 1.0);
}

#[test]
fn several_labels_for_a_text_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"text\": \"a cat\", \"labels\": [\"cat\", \"a\"]}\n\
                 {\"text\": \"a dog\", \"labels\": [\"dog\"]}\n";
    let error = learn(folder.path(), lines, "false", "").unwrap_err();
    let error = error.downcast_ref();
    assert!(
        matches!(error, Some(TrainingError::SeveralLabels)),
        "{error:?}"
    );
}
