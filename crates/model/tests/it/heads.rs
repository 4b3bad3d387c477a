//! The tiny encoders with heads against the numbers of transformers; see `make_heads.py`.

use std::ops::Range;

use model::{
    Classifier, CrossEncoder, CrossEncoderOptions, EncoderTokenizer, HeadOptions, Reader,
    ReaderOptions, TokenClassifier, WordEncoder,
};
use serde::Deserialize;

use crate::{copy, tiny};

/// Largest difference of a logit.
const TOLERANCE: f32 = 1e-5;

fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = tiny("heads").join(name).join("golden.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

fn near(found: &[f32], expect: &[f32], what: &str) {
    assert_eq!(found.len(), expect.len(), "{what}");
    for (found, expect) in found.iter().zip(expect) {
        assert!(
            (found - expect).abs() <= TOLERANCE,
            "{what}: {found} is not {expect}"
        );
    }
}

#[derive(Deserialize)]
struct Texts {
    texts: Vec<String>,
    outputs: Vec<Vec<f32>>,
}

#[test]
fn logits_of_classes_are_those_of_transformers() {
    for (name, several) in [
        ("bert-classes", false),
        ("roberta-classes", false),
        ("bert-labels", true),
    ] {
        let golden: Texts = golden(name);
        let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
        let folder = tiny("heads").join(name);
        let classifier = Classifier::open(&folder, &HeadOptions::default()).unwrap();
        assert_eq!(classifier.several(), several);
        assert_eq!(classifier.labels()[1], "kind 1");
        let logits = classifier.logits(&texts).unwrap();
        let classes = classifier.classify(&texts).unwrap();
        let probabilities = classifier.probabilities(&texts).unwrap();
        for (text, expect) in golden.outputs.iter().enumerate() {
            near(&logits[text], expect, name);
            let likely = |label: &usize| {
                let most = probabilities[text].iter().copied().fold(0.0, f32::max);
                probabilities[text][*label] >= if several { 0.5 } else { most }
            };
            let expect: Vec<usize> = (0..expect.len()).filter(likely).collect();
            assert_eq!(classes[text], expect, "{name}");
            let sum: f32 = probabilities[text].iter().sum();
            assert!(several || (sum - 1.0).abs() < 1e-6, "{name}: {sum}");
        }
    }
}

#[test]
fn a_head_that_does_not_fit_its_labels_is_refused() {
    let folder = tiny("heads").join("bert-classes");
    let error = CrossEncoder::open(&folder, &CrossEncoderOptions::default());
    assert!(
        error
            .err()
            .unwrap()
            .to_string()
            .contains("`classifier.weight`")
    );
    let folder = copy("bert");
    assert!(Classifier::open(folder.path(), &HeadOptions::default()).is_err());
}

#[derive(Deserialize)]
struct Tags {
    words: Vec<Vec<String>>,
    outputs: Vec<Vec<f32>>,
    targets: Vec<i64>,
}

#[test]
fn a_word_has_the_tag_of_its_first_token() {
    for name in ["bert-tags", "roberta-tags"] {
        let golden: Tags = golden(name);
        let folder = tiny("heads").join(name);
        let tagger = TokenClassifier::open(&folder, &HeadOptions::default()).unwrap();
        let words: Vec<Vec<&str>> = golden
            .words
            .iter()
            .map(|words| words.iter().map(String::as_str).collect())
            .collect();
        let texts: Vec<&[&str]> = words.iter().map(Vec::as_slice).collect();
        let found = tagger.tags(&texts).unwrap();
        // What is labelled is the first token of each word.
        let mut targets = golden.targets.iter();
        for (outputs, found) in golden.outputs.iter().zip(&found) {
            let expect: Vec<usize> = outputs
                .chunks(tagger.labels().len())
                .filter(|_| *targets.next().unwrap() != -100)
                .map(|row| {
                    (0..row.len())
                        .max_by(|a, b| row[*a].total_cmp(&row[*b]))
                        .unwrap()
                })
                .collect();
            assert_eq!(*found, expect, "{name}");
        }
        let likely = tagger.probabilities(&texts).unwrap();
        for (tag, row) in found.iter().flatten().zip(likely.iter().flatten()) {
            let most = row.iter().copied().fold(0.0, f32::max);
            assert!(row[*tag] == most && (row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
        // The names of its labels are no tags, so each is an entity of one word.
        let entities = tagger.entities(&["the unknownword, sat"]).unwrap();
        let places: Vec<&Range<usize>> = entities[0].iter().map(|it| &it.bytes).collect();
        assert_eq!(places, [&(0..3), &(4..15), &(15..16), &(17..20)], "{name}");
    }
}

#[derive(Deserialize)]
struct Spans {
    questions: Vec<String>,
    passages: Vec<String>,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    bytes: [usize; 2],
    score: f32,
    none: f32,
}

#[test]
fn answers_are_the_best_spans_of_the_passage() {
    let golden: Spans = golden("bert-span");
    let reader = Reader::open(&tiny("heads").join("bert-span"), &ReaderOptions::default()).unwrap();
    let questions: Vec<(&str, &str)> = golden
        .questions
        .iter()
        .zip(&golden.passages)
        .map(|(question, passage)| (&**question, &**passage))
        .collect();
    let found = reader.read(&questions).unwrap();
    for (found, expect) in found.iter().zip(&golden.answers) {
        assert_eq!(found.bytes, Some(expect.bytes[0]..expect.bytes[1]));
        near(
            &[found.score, found.none],
            &[expect.score, expect.none],
            "scores",
        );
    }
    let empty = reader.read(&[("where", "")]).unwrap();
    assert_eq!(empty[0].answer(1e9), None);
}

#[test]
fn a_long_passage_is_read_whole() {
    let reader = Reader::open(&tiny("heads").join("bert-span"), &ReaderOptions::default()).unwrap();
    let passage = "the cat sat on ten mats. ".repeat(20);
    let whole = reader.read(&[("where", &passage)]).unwrap();
    let short = reader.read(&[("where", &passage[..50])]).unwrap();
    assert!(whole[0].score >= short[0].score && whole[0].none <= short[0].none);
}

#[derive(Deserialize)]
struct Windows {
    question: String,
    passage: String,
    ids: Vec<Vec<u32>>,
    segments: Vec<Vec<u32>>,
    places: Vec<Vec<Option<[usize; 2]>>>,
    words: Vec<String>,
    word_ids: Vec<Vec<u32>>,
    word_numbers: Vec<Vec<Option<usize>>>,
}

#[test]
fn windows_are_those_of_transformers() {
    let bytes = fs_err::read(tiny("heads").join("windows.json")).unwrap();
    let expect: Windows = serde_json::from_slice(&bytes).unwrap();
    let tokenizer = EncoderTokenizer::of_folder(&tiny("bert"), None).unwrap();
    assert_eq!(tokenizer.longest(), 24);
    let found = tokenizer
        .passage(&expect.question, &expect.passage, 4)
        .unwrap();
    assert_eq!(found.len(), expect.ids.len());
    for (number, window) in found.iter().enumerate() {
        assert_eq!(window.tokens.ids, expect.ids[number]);
        assert_eq!(window.tokens.segments, expect.segments[number]);
        let places: Vec<Option<[usize; 2]>> = window
            .places
            .iter()
            .map(|place| place.as_ref().map(|it| [it.start, it.end]))
            .collect();
        assert_eq!(places, expect.places[number]);
    }
    let words: Vec<&str> = expect.words.iter().map(String::as_str).collect();
    let found = tokenizer.words(&words).unwrap();
    let ids: Vec<&Vec<u32>> = found.iter().map(|it| &it.tokens.ids).collect();
    let numbers: Vec<&Vec<Option<usize>>> = found.iter().map(|it| &it.words).collect();
    assert_eq!(ids, expect.word_ids.iter().collect::<Vec<_>>());
    assert_eq!(numbers, expect.word_numbers.iter().collect::<Vec<_>>());
}

#[test]
fn words_of_a_text_are_where_they_stand() {
    let tokenizer = EncoderTokenizer::of_folder(&tiny("bert"), None).unwrap();
    let text = "caf\u{e9}, the unknownword".repeat(9);
    let words = tokenizer.text_words(&text).unwrap();
    assert_eq!(&text[words.places[0].clone()], "caf\u{e9}");
    assert_eq!(&text[words.places[3].clone()], "unknownwordcaf\u{e9}");
    let numbers = |window: usize| words.windows[window].words.iter().flatten();
    assert_eq!(numbers(0).next(), Some(&0));
    let last = numbers(words.windows.len() - 1).last().unwrap();
    assert_eq!(last + 1, words.places.len());
}

#[test]
fn a_words_vector_is_of_where_it_stands() {
    for name in ["bert", "roberta"] {
        let encoder = WordEncoder::open(&tiny(name), &HeadOptions::default()).unwrap();
        let long = ["the"; 50];
        let texts: [&[&str]; 3] = [&["the", "cat", "sat"], &["a", "cat"], &long];
        let found = encoder.vectors(&texts).unwrap();
        // Also of a text that is longer than the model reads, every word has one.
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2, 50]);
        let length = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>();
        assert!(
            found
                .iter()
                .flatten()
                .all(|it| (length(it) - 1.0).abs() < 1e-5)
        );
        let (one, other) = (&found[0][1], &found[1][1]);
        let near: f32 = one.iter().zip(other).map(|(a, b)| a * b).sum();
        assert!(near < 0.9999, "{name}: {near}");
    }
}
