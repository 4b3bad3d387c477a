//! Encoders that have learnt what their heads are for, opened as what uses them.

use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use contract::{Embed as _, TextRole};
use groundtune::models::Environment;
use groundtune::train::{Start, TrainReport, TrainingError, prepare};
use model::{
    Classifier, CrossEncoder, CrossEncoderOptions, Embedder, EmbedderOptions, HeadOptions, Reader,
    ReaderOptions, TokenClassifier,
};

const ENCODER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/data/bert");

/// What is learnt, and how.
struct Lesson<'a> {
    /// The objective's keys.
    objective: &'a str,
    lines: &'a str,
    dev: &'a str,
    /// Further keys of the recipe.
    more: &'a str,
}

/// Learns in `folder`. Returns also what was left out.
fn learn(folder: &Path, lesson: &Lesson<'_>) -> Result<(Vec<String>, TrainReport), Box<dyn Error>> {
    let Lesson {
        objective,
        lines,
        dev,
        more,
    } = lesson;
    std::fs::write(folder.join("examples.jsonl"), lines)?;
    let recipe = folder.join("recipe.toml");
    let text = format!(
        "[model]\nkind = \"base\"\npath = {ENCODER:?}\n\
         [data]\ntrain = [\"examples.jsonl\"]\ndev = {dev}\n[objective]\n{objective}\n\
         [steps]\nlimit = 120\nbatch = 8\nlength = 32\n[optimiser]\nlearning_rate = 1e-2\n{more}"
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

/// Learns an objective from lines, all of which are used, and returns the model's folder.
fn taught(folder: &Path, objective: &str, lines: &str, more: &str) -> (PathBuf, TrainReport) {
    let lesson = Lesson {
        objective,
        lines,
        dev: "0.3",
        more,
    };
    let (left_out, report) = learn(folder, &lesson).unwrap();
    assert!(left_out.is_empty(), "{left_out:?}");
    let model = report.outcome.model.clone().unwrap();
    (model, report)
}

fn measure(report: &TrainReport, name: &str) -> f64 {
    report.outcome.examination.as_ref().unwrap().metrics[name]
}

/// Sentences of an animal and where it sat, as `line` makes them records.
fn animals(line: impl Fn(&str, &str, usize) -> String) -> String {
    let mut lines = String::new();
    for number in 0..60 {
        let animal = ["cat", "dog"][number % 2];
        let place = ["the mat", "a mat", "one", "two", "three"][number / 2 % 5];
        let _ = writeln!(lines, "{}", line(animal, place, number));
    }
    lines
}

fn labelled() -> String {
    animals(|animal, place, number| {
        format!("{{\"text\": \"the {animal} sat on {place} {number}\", \"label\": \"{animal}\"}}")
    })
}

const CLASSIFY: &str = "kind = \"classify\"";

fn check_classifier(more: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (model, _) = taught(folder.path(), CLASSIFY, &labelled(), more);
    let classifier = Classifier::open(&model, &HeadOptions::default()).unwrap();
    assert_eq!(classifier.labels(), ["cat", "dog"]);
    let found = classifier.classify(&["where did the dog sit?", "one cat!"]);
    assert_eq!(found.unwrap(), [[1], [0]]);
}

#[test]
fn a_whole_encoder_learns_labels() {
    check_classifier("");
}

#[test]
fn an_adapter_that_learnt_labels_is_merged() {
    check_classifier("[tuning]\nkind = \"lora\"\n");
}

#[test]
fn a_label_that_is_only_examined_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("dev.jsonl"),
        "{\"text\": \"a mat\", \"label\": \"mat\"}\n{\"text\": \"a dog\", \"label\": \"dog\"}\n",
    )
    .unwrap();
    let lesson = Lesson {
        objective: CLASSIFY,
        lines: &labelled(),
        dev: "[\"dev.jsonl\"]",
        more: "",
    };
    let (left_out, report) = learn(folder.path(), &lesson).unwrap();
    assert_eq!(
        left_out,
        ["`dev.jsonl:1` has the label `mat`, which no training example has"]
    );
    assert_eq!(measure(&report, "accuracy"), 1.0);
}

#[test]
fn a_list_of_labels_holds_any_number_of_them() {
    let lines = animals(|animal, place, number| {
        let labels = match animal {
            "cat" => "\"cat\", \"small\"",
            _ => "\"dog\"",
        };
        format!("{{\"text\": \"the {animal} sat on {place} {number}\", \"labels\": [{labels}]}}")
    });
    let folder = tempfile::tempdir().unwrap();
    let (model, report) = taught(folder.path(), CLASSIFY, &lines, "");
    assert_eq!(measure(&report, "micro_f1"), 1.0, "{report:?}");
    let classifier = Classifier::open(&model, &HeadOptions::default()).unwrap();
    assert!(classifier.several());
    let texts = ["the dog sat on the mat 3", "the cat sat on two 4"];
    assert_eq!(classifier.classify(&texts).unwrap(), [vec![1], vec![0, 2]]);
}

fn check_tagger(more: &str) {
    let lines = animals(|animal, place, number| {
        let words: Vec<&str> = place.split(' ').collect();
        let tags = if words.len() > 1 {
            "\"B-place\", \"I-place\""
        } else {
            "\"B-place\""
        };
        format!(
            "{{\"tokens\": [\"the\", \"{animal}\", \"sat\", \"on\", \"{}\", \"{number}\"], \
             \"tags\": [\"O\", \"B-animal\", \"O\", \"O\", {tags}, \"O\"]}}",
            words.join("\", \"")
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let (model, report) = taught(folder.path(), "kind = \"tag\"", &lines, more);
    assert_eq!(measure(&report, "f1"), 1.0, "{report:?}");
    let tagger = TokenClassifier::open(&model, &HeadOptions::default()).unwrap();
    let text = "the dog sat on a mat 7";
    let found = &tagger.entities(&[text]).unwrap()[0];
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|it| (&*it.label, &text[it.bytes.clone()]))
        .collect();
    assert_eq!(found, [("animal", "dog"), ("place", "a mat")]);
}

#[test]
fn a_whole_encoder_learns_tags() {
    check_tagger("");
}

#[test]
fn an_adapter_that_learnt_tags_is_merged() {
    check_tagger("[tuning]\nkind = \"lora\"\n");
}

#[test]
fn a_cross_encoder_learns_which_pairs_go_together() {
    let lines = animals(|animal, place, number| {
        let asked = ["cat", "dog"][number / 2 % 2];
        let label = u8::from(asked == animal);
        format!(
            "{{\"text1\": \"{asked}\", \"text2\": \"{animal} {place} {number}\", \"label\": \"{label}\"}}"
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let (model, report) = taught(folder.path(), "kind = \"rerank\"", &lines, "");
    assert!(
        report
            .outcome
            .examination
            .unwrap()
            .metrics
            .contains_key("average_precision")
    );
    let reranker = CrossEncoder::open(&model, &CrossEncoderOptions::default()).unwrap();
    assert_eq!(
        reranker
            .logits("cat", &["cat two", "dog two"])
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_cross_encoder_learns_which_passage_is_the_best() {
    let lines = animals(|animal, place, number| {
        let other = if animal == "cat" { "dog" } else { "cat" };
        format!(
            "{{\"query\": \"{animal} {number}\", \"positive\": \"the mat on {place}\", \
             \"negatives\": [\"{other} {place}\", \"{other} sat\"]}}"
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let (model, report) = taught(folder.path(), "kind = \"rerank\"", &lines, "");
    assert_eq!(measure(&report, "mrr"), 1.0, "{report:?}");
    let reranker = CrossEncoder::open(&model, &CrossEncoderOptions::default()).unwrap();
    let logits = reranker
        .logits("cat 7", &["dog two", "the mat on one"])
        .unwrap();
    assert!(logits[1] > logits[0], "{logits:?}");
}

#[test]
fn a_score_outside_its_range_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let lesson = Lesson {
        objective: "kind = \"rerank\"",
        lines: "{\"text1\": \"a\", \"text2\": \"b\", \"score\": 4.5}\n",
        dev: "false",
        more: "",
    };
    let error = learn(folder.path(), &lesson).unwrap_err();
    let error = error.downcast_ref::<TrainingError>().unwrap().to_string();
    assert!(
        error.contains("`examples.jsonl:1` is judged `4.5`"),
        "{error}"
    );
}

#[test]
fn an_embedder_learns_what_belongs_together() {
    // Only training brings these together.
    let lines = animals(|animal, place, number| {
        let passage = if animal == "cat" {
            "one two three"
        } else {
            "the mat sat"
        };
        format!("{{\"query\": \"{animal} {place} {number}\", \"positive\": \"{passage}\"}}")
    });
    let folder = tempfile::tempdir().unwrap();
    let objective = "kind = \"embed\"\ntemperature = 0.1";
    let (model, report) = taught(folder.path(), objective, &lines, "");
    assert_eq!(measure(&report, "accuracy"), 1.0, "{report:?}");
    let embedder = Embedder::open(&model, &EmbedderOptions::default()).unwrap();
    let embed = |texts: &[&str]| embedder.embed(texts, TextRole::Passage).unwrap();
    let vectors = embed(&["cat on two", "one two three", "the mat sat"]);
    let near = |a: usize, b: usize| -> f32 {
        let both = vectors[a].values().iter().zip(vectors[b].values());
        both.map(|(a, b)| a * b).sum()
    };
    assert!(near(0, 1) > near(0, 2));
}

#[test]
fn a_reader_learns_to_find_answers_and_that_there_is_none() {
    let lines = animals(|animal, place, number| {
        let context = format!("the {animal} sat on {place} {number}");
        let (asked, answers) = match number % 4 {
            0 | 1 => (
                animal,
                format!("{{\"text\": \"{place}\", \"answer_start\": 15}}"),
            ),
            _ => (if animal == "cat" { "dog" } else { "cat" }, String::new()),
        };
        format!(
            "{{\"question\": \"where did the {asked} sit?\", \"context\": \"{context}\", \"answers\": [{answers}]}}"
        )
    });
    let folder = tempfile::tempdir().unwrap();
    let objective = "kind = \"read\"\noverlap = 4\nlongest_answer = 5";
    let (model, report) = taught(folder.path(), objective, &lines, "");
    let reader = Reader::open(&model, &ReaderOptions::default()).unwrap();
    assert_eq!(
        f64::from(reader.threshold()),
        measure(&report, "threshold") as f32 as f64
    );
    assert!(measure(&report, "best_f1") >= measure(&report, "f1"));
    let found = reader
        .read(&[("where did the cat sit?", "the cat sat on two 4")])
        .unwrap();
    assert!(found[0].bytes.is_some());
}
