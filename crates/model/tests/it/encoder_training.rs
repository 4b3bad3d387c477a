//! Training of tiny encoders against PyTorch; see `make_heads.py`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use contract::{Embed as _, TextRole};
use model::bert::Batch;
use model::training::{
    Checkpointing, DropoutShares, EncoderTraining, HeadTargets, IGNORE, Lora, Precision, Targets,
    Task, TrainingOptions, Tuning,
};
use model::weights::Weights;
use model::{
    Classifier, CrossEncoder, CrossEncoderOptions, Embedder, EmbedderOptions, HeadOptions, Reader,
    ReaderOptions, TokenClassifier,
};
use proptest::prelude::*;
use serde::Deserialize;
use tensor::training::AdamW;
use tensor::{Kernels, Team};

use crate::tiny;

/// Largest difference of a gradient, relative to the largest of its tensor.
const GRADIENT: f32 = 1e-4;
/// Largest relative difference of a loss of the ten steps.
const LOSS: f64 = 1e-5;
/// Largest difference of an output; in high precision that of a decoder's.
const OUTPUT: f32 = 1e-5;
const HIGH_OUTPUT: f32 = 5e-5;

const OPTIONS: TrainingOptions = TrainingOptions {
    tokens: 256,
    precision: Precision::F32,
    checkpointing: Checkpointing::None,
    dropout: DropoutShares {
        embedding: 0.0,
        residual: 0.0,
        attention: 0.0,
    },
};

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    segments: Vec<u32>,
    lengths: Vec<usize>,
    #[serde(default)]
    targets: serde_json::Value,
    #[serde(default)]
    anchors: usize,
    outputs: Vec<Vec<f32>>,
    losses: Vec<f64>,
    rate: f64,
    decay: f64,
}

/// The targets of a golden batch.
enum Wanted {
    Classes(Vec<u32>),
    Labels(Vec<f32>),
    Tags(Vec<u32>),
    Spans(Vec<[u32; 2]>),
    Scores(Vec<f32>),
    Anchors(usize, Vec<u32>),
}

impl Wanted {
    fn of(task: &Task, golden: &Golden) -> Self {
        let numbers = || -> Vec<u32> {
            let targets: Vec<i64> = serde_json::from_value(golden.targets.clone()).unwrap();
            let wanted = |it: i64| u32::try_from(it).unwrap_or(IGNORE);
            targets.into_iter().map(wanted).collect()
        };
        let value = || golden.targets.clone();
        match task {
            Task::Classes { .. } => Self::Classes(numbers()),
            Task::Tags { .. } => Self::Tags(numbers()),
            Task::Labels { .. } => {
                let rows: Vec<Vec<f32>> = serde_json::from_value(value()).unwrap();
                Self::Labels(rows.concat())
            }
            Task::Spans => Self::Spans(serde_json::from_value(value()).unwrap()),
            Task::Scores => Self::Scores(serde_json::from_value(value()).unwrap()),
            Task::Vectors { .. } => {
                let candidates = golden.lengths.len() - golden.anchors;
                Self::Anchors(golden.anchors, (0..candidates as u32).collect())
            }
        }
    }

    fn get(&self) -> HeadTargets<'_> {
        match self {
            Self::Classes(it) => HeadTargets::Classes(it),
            Self::Labels(it) => HeadTargets::Labels(it),
            Self::Tags(it) => HeadTargets::Tags(it),
            Self::Spans(it) => HeadTargets::Spans(it),
            Self::Scores(it) => HeadTargets::Scores(it),
            Self::Anchors(count, candidates) => HeadTargets::Anchors {
                count: *count,
                candidates,
            },
        }
    }
}

fn team(threads: usize) -> Team {
    Team::new(NonZeroUsize::new(threads).unwrap()).unwrap()
}

fn kinds(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("kind {number}")).collect()
}

fn classes() -> Task {
    Task::Classes { labels: kinds(5) }
}

fn golden(name: &str) -> Golden {
    let path = tiny("heads").join(name).join("golden.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

impl Golden {
    fn batch(&self) -> Batch {
        Batch {
            ids: self.ids.clone(),
            segments: self.segments.clone(),
            lengths: self.lengths.clone(),
        }
    }
}

fn update(
    training: &mut EncoderTraining,
    team: &Team,
    golden: &Golden,
    step: u64,
    moments: &mut [Vec<f32>; 2],
) {
    let table = training.parameters().table().to_vec();
    let (values, gradients) = training.parameters_mut().update();
    for parameter in &table {
        let range = parameter.range.clone();
        let adamw = AdamW {
            learning_rate: golden.rate,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: if parameter.decays { golden.decay } else { 0.0 },
            step,
        };
        let [first, second] = moments.each_mut().map(|it| &mut it[range.clone()]);
        let (values, gradients) = (&mut values[range.clone()], &gradients[range]);
        Kernels::best().adamw(team, &adamw, 1.0, gradients, first, second, values);
    }
    gradients.fill(0.0);
}

/// Trains as the script did. `renamed` is what a parameter is called there.
fn check(
    name: &str,
    training: EncoderTraining,
    renamed: impl Fn(&str) -> String,
) -> EncoderTraining {
    check_to(OUTPUT, name, training, renamed)
}

/// The same, outputs to within a tolerance.
fn check_to(
    tolerance: f32,
    name: &str,
    mut training: EncoderTraining,
    renamed: impl Fn(&str) -> String,
) -> EncoderTraining {
    let golden = golden(name);
    let team = team(2);
    let batch = golden.batch();
    let wanted = Wanted::of(training.task(), &golden);
    let weight = 1.0 / wanted.get().units() as f32;
    let found = training.predict(&team, &batch).unwrap();
    let expect = golden.outputs.concat();
    assert_eq!(found.len(), expect.len(), "{name}");
    for (found, expect) in found.iter().zip(&expect) {
        assert!(
            (found - expect).abs() <= tolerance,
            "{name}: {found} is not {expect}"
        );
    }
    let mut moments = [(); 2].map(|()| vec![0.0; training.parameters().count()]);
    for (step, expect) in golden.losses.iter().enumerate() {
        let quiet = training
            .evaluate(&team, &batch, wanted.get(), weight, &mut |_| ())
            .unwrap();
        let loss = training
            .step(&team, &batch, wanted.get(), weight, 1)
            .unwrap();
        assert_eq!(quiet, loss, "{name}");
        assert!(
            (loss - expect).abs() <= LOSS * expect.abs(),
            "{name}, step {step}: {loss} is not {expect}"
        );
        if step == 0 {
            gradients(name, &training, &renamed);
        }
        update(&mut training, &team, &golden, step as u64 + 1, &mut moments);
    }
    training
}

/// Compares all gradients.
fn gradients(name: &str, training: &EncoderTraining, renamed: &impl Fn(&str) -> String) {
    let path = tiny("heads").join(name).join("gradients.safetensors");
    let expect = Weights::open_file(&path).unwrap();
    let mut known: BTreeMap<&str, &[usize]> = expect.shapes().collect();
    // Keys' biases have no gradient but rounding: softmax does not see them.
    let all = training.parameters().gradients();
    let largest = all.iter().fold(0f32, |most, x| most.max(x.abs()));
    for parameter in training.parameters().table() {
        let theirs = renamed(&parameter.name);
        let found = &all[parameter.range.clone()];
        if known.remove(&*theirs).is_none() {
            assert!(found.iter().all(|it| *it == 0.0), "{name}: {theirs}");
            continue;
        }
        let expect = expect.tensor(&theirs, &parameter.shape).unwrap();
        let most = expect
            .iter()
            .fold(1e-3 * largest, |most, x| most.max(x.abs()));
        for (found, expect) in found.iter().zip(&expect) {
            assert!(
                (found - expect).abs() <= GRADIENT * most,
                "{name}, {theirs}: {found} is not {expect}"
            );
        }
    }
    assert!(known.is_empty(), "{name} also trains {known:?}");
}

fn open(name: &str, task: &Task, options: &TrainingOptions) -> EncoderTraining {
    let folder = tiny("heads").join(name);
    EncoderTraining::open(&folder, task, &Tuning::Full, options, 0).unwrap()
}

fn full(name: &str, task: &Task) -> EncoderTraining {
    check(name, open(name, task, &OPTIONS), str::to_owned)
}

#[test]
fn classifiers_train_as_in_pytorch() {
    full("bert-classes", &classes());
    full("roberta-classes", &classes());
    full("bert-labels", &Task::Labels { labels: kinds(3) });
}

/// Two planes of bfloat16 a number, where the processor has tiles: see [`Precision::High`].
#[test]
fn in_high_precision_they_do_so_too() {
    let high = TrainingOptions {
        precision: Precision::High,
        ..OPTIONS
    };
    for (name, task) in [("bert-classes", classes()), ("bert-span", Task::Spans)] {
        check_to(HIGH_OUTPUT, name, open(name, &task, &high), str::to_owned);
    }
}

#[test]
fn taggers_train_as_in_pytorch() {
    let tags = Task::Tags { labels: kinds(5) };
    full("bert-tags", &tags);
    full("roberta-tags", &tags);
}

#[test]
fn readers_train_as_in_pytorch() {
    full("bert-span", &Task::Spans);
}

#[test]
fn cross_encoders_train_as_in_pytorch() {
    full("bert-score", &Task::Scores);
}

#[test]
fn embedders_train_as_in_pytorch() {
    full("bert-contrast", &Task::Vectors { scale: 20.0 });
    let folder = crate::copy("heads/bert-contrast-first");
    fs_err::create_dir(folder.path().join("1_Pooling")).unwrap();
    let modules = r#"[{"path":"","type":"sentence_transformers.models.Transformer"},
        {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#;
    fs_err::write(folder.path().join("modules.json"), modules).unwrap();
    let pooling = r#"{"pooling_mode":"cls"}"#;
    fs_err::write(folder.path().join("1_Pooling/config.json"), pooling).unwrap();
    let task = Task::Vectors { scale: 20.0 };
    let training = EncoderTraining::open(folder.path(), &task, &Tuning::Full, &OPTIONS, 0).unwrap();
    check("bert-contrast-first", training, str::to_owned);
}

#[test]
fn a_text_is_not_told_from_itself() {
    let task = Task::Vectors { scale: 20.0 };
    let mut training = open("bert-contrast", &task, &OPTIONS);
    let golden = golden("bert-contrast");
    let batch = golden.batch();
    let count = golden.anchors;
    let mut candidates: Vec<u32> = (0..(golden.lengths.len() - count) as u32).collect();
    let mut loss = |candidates: &[u32]| {
        let targets = HeadTargets::Anchors { count, candidates };
        training.step(&team(2), &batch, targets, 1.0, 1).unwrap()
    };
    let apart = loss(&candidates);
    candidates[1] = candidates[0];
    let two = loss(&candidates);
    assert!(0.0 < two && two < apart, "{two} {apart}");
    candidates.fill(0);
    assert!(loss(&candidates).abs() < 1e-6);
}

fn lora() -> Tuning {
    let targets = ["query", "value", "output.dense"];
    Tuning::Lora(Lora {
        rank: 3,
        alpha: 6.0,
        targets: Targets::Named(targets.map(str::to_owned).to_vec()),
        ..Lora::default()
    })
}

/// What PEFT calls a parameter.
fn in_peft(name: &str) -> String {
    let name = match name.strip_prefix("classifier.") {
        Some(end) => format!("classifier.modules_to_save.default.{end}"),
        None => name.replace(".weight", ".default.weight"),
    };
    format!("base_model.model.{name}")
}

fn adapted(options: &TrainingOptions) -> EncoderTraining {
    let folder = tiny("heads").join("bert-classes");
    let mut training = EncoderTraining::open(&folder, &classes(), &lora(), options, 0).unwrap();
    let path = tiny("heads").join("bert-classes-lora/start.safetensors");
    let start = Weights::open_file(&path).unwrap();
    for parameter in training.parameters().table().to_vec() {
        let numbers = start.tensor(&in_peft(&parameter.name), &parameter.shape);
        training.parameters_mut().values_mut()[parameter.range].copy_from_slice(&numbers.unwrap());
    }
    training
}

#[test]
fn adapters_train_as_in_peft() {
    check("bert-classes-lora", adapted(&OPTIONS), in_peft);
}

/// Returns the gradients and the loss of one step.
fn step(mut training: EncoderTraining, threads: usize, seed: u64) -> (Vec<f32>, f64) {
    let golden = golden("bert-classes");
    let wanted = Wanted::of(training.task(), &golden);
    let loss = training
        .step(&team(threads), &golden.batch(), wanted.get(), 0.25, seed)
        .unwrap();
    (training.parameters().gradients().to_vec(), loss)
}

const DROPPING: TrainingOptions = TrainingOptions {
    dropout: DropoutShares {
        embedding: 0.1,
        residual: 0.2,
        attention: 0.1,
    },
    ..OPTIONS
};

#[test]
fn a_step_is_the_same_however_it_is_computed() {
    let one = step(open("bert-classes", &classes(), &DROPPING), 1, 7);
    assert_eq!(one, step(open("bert-classes", &classes(), &DROPPING), 3, 7));
    let again = TrainingOptions {
        checkpointing: Checkpointing::EachLayer,
        ..DROPPING
    };
    assert_eq!(one, step(open("bert-classes", &classes(), &again), 2, 7));
    assert_ne!(
        one.1,
        step(open("bert-classes", &classes(), &DROPPING), 1, 8).1
    );
    assert_eq!(step(adapted(&DROPPING), 2, 7), step(adapted(&again), 1, 7));
}

#[test]
fn a_batch_in_two_parts_is_the_whole() {
    let golden = golden("bert-classes");
    let Wanted::Classes(targets) = Wanted::of(&classes(), &golden) else {
        unreachable!()
    };
    let (whole, loss) = step(open("bert-classes", &classes(), &OPTIONS), 2, 1);
    let mut training = open("bert-classes", &classes(), &OPTIONS);
    let batch = golden.batch();
    let cut = batch.lengths[0];
    let parts = [(0..1, 0..cut), (1..4, cut..batch.ids.len())].map(|(texts, tokens)| {
        let part = Batch {
            ids: batch.ids[tokens.clone()].to_vec(),
            segments: batch.segments[tokens].to_vec(),
            lengths: batch.lengths[texts.clone()].to_vec(),
        };
        let targets = HeadTargets::Classes(&targets[texts]);
        training.step(&team(2), &part, targets, 0.25, 1).unwrap()
    });
    assert!((parts.iter().sum::<f64>() - loss).abs() < 1e-6);
    let most = whole.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (found, expect) in training.parameters().gradients().iter().zip(&whole) {
        assert!(
            (found - expect).abs() <= 1e-5 * most,
            "{found} is not {expect}"
        );
    }
}

#[test]
fn groups_are_told_from_their_first() {
    let golden = golden("bert-score");
    let mut training = open("bert-score", &Task::Scores, &OPTIONS);
    let logits = training
        .predict(&team(1), &golden.batch())
        .unwrap()
        .to_vec();
    let groups = HeadTargets::Groups(&[3, 1]);
    let loss = training
        .step(&team(1), &golden.batch(), groups, 0.5, 1)
        .unwrap();
    let sum: f64 = logits[..3].iter().map(|it| f64::from(*it).exp()).sum();
    let expect = 0.5 * (sum.ln() - f64::from(logits[0]));
    assert!((loss - expect).abs() < 1e-6, "{loss} is not {expect}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// With dropout too, for what is left out follows from the seed.
    #[test]
    fn gradients_are_slopes(seed in any::<u64>(), which in 0usize..3) {
        let name = ["bert-classes", "bert-tags", "bert-span"][which];
        let task = match which {
            0 => classes(),
            1 => Task::Tags { labels: kinds(5) },
            _ => Task::Spans,
        };
        let golden = golden(name);
        let wanted = Wanted::of(&task, &golden);
        let team = team(1);
        let mut training = open(name, &task, &DROPPING);
        let loss = |training: &mut EncoderTraining| {
            training.step(&team, &golden.batch(), wanted.get(), 0.25, seed).unwrap()
        };
        loss(&mut training);
        let gradient = training.parameters().gradients().to_vec();
        // Along the gradient the slope is its length.
        let length = gradient.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let reach = 4e-3 / length;
        let mut at = |sign: f64| {
            for (value, slope) in training.parameters_mut().values_mut().iter_mut().zip(&gradient) {
                *value += (sign * reach * f64::from(*slope) / length) as f32;
            }
            loss(&mut training)
        };
        let (above, below) = (at(1.0), at(-2.0));
        let slope = (above - below) / (2.0 * reach);
        prop_assert!((slope - length).abs() < 2e-2 * length, "{slope} is not {length}");
    }
}

/// Saves what `training` is after its steps and returns what it gives for `name`'s batch.
fn saved(training: &mut EncoderTraining, name: &str, to: &Path) -> Vec<f32> {
    training.save(to).unwrap();
    let batch = golden(name).batch();
    training.predict(&team(1), &batch).unwrap().to_vec()
}

#[derive(Deserialize)]
struct Texts {
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    questions: Vec<String>,
    #[serde(default)]
    passages: Vec<String>,
}

fn texts(name: &str) -> Texts {
    let path = tiny("heads").join(name).join("golden.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

fn near(found: &[f32], expect: &[f32]) {
    assert_eq!(found.len(), expect.len());
    for (found, expect) in found.iter().zip(expect) {
        assert!((found - expect).abs() <= OUTPUT, "{found} is not {expect}");
    }
}

#[test]
fn what_is_saved_is_opened_by_what_uses_it() {
    let to = tempfile::tempdir().unwrap();
    for name in ["bert-classes", "roberta-classes"] {
        let expect = saved(&mut full(name, &classes()), name, to.path());
        let texts = texts(name).texts;
        let classifier = Classifier::open(to.path(), &HeadOptions::default()).unwrap();
        assert_eq!(classifier.labels(), kinds(5));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        near(&classifier.logits(&texts).unwrap().concat(), &expect);
    }
    let mut adapted = check("bert-classes-lora", adapted(&OPTIONS), in_peft);
    let expect = saved(&mut adapted, "bert-classes", to.path());
    let names = texts("bert-classes").texts;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let classifier = Classifier::open(to.path(), &HeadOptions::default()).unwrap();
    near(&classifier.logits(&names).unwrap().concat(), &expect);

    let task = Task::Vectors { scale: 20.0 };
    let expect = saved(
        &mut full("bert-contrast", &task),
        "bert-contrast",
        to.path(),
    );
    let embedder = Embedder::open(to.path(), &EmbedderOptions::default()).unwrap();
    let names = texts("bert-contrast").texts;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = embedder.embed(&names, TextRole::Passage).unwrap();
    let found: Vec<f32> = found.iter().flat_map(|it| it.values().to_vec()).collect();
    near(&found, &expect);

    let to = tempfile::tempdir().unwrap();
    let expect = saved(
        &mut full("bert-score", &Task::Scores),
        "bert-score",
        to.path(),
    );
    let judge = CrossEncoder::open(to.path(), &CrossEncoderOptions::default()).unwrap();
    let pairs = texts("bert-score");
    for ((question, passage), expect) in pairs.questions.iter().zip(&pairs.passages).zip(&expect) {
        near(&judge.logits(question, &[passage]).unwrap(), &[*expect]);
    }

    let tags = Task::Tags { labels: kinds(5) };
    saved(&mut full("bert-tags", &tags), "bert-tags", to.path());
    TokenClassifier::open(to.path(), &HeadOptions::default()).unwrap();
    saved(&mut full("bert-span", &Task::Spans), "bert-span", to.path());
    Reader::open(to.path(), &ReaderOptions::default()).unwrap();
}

#[test]
fn a_head_that_is_not_there_is_drawn() {
    let labels = vec!["yes".to_owned(), "no".to_owned()];
    let task = Task::Classes {
        labels: labels.clone(),
    };
    let opened = |seed| EncoderTraining::open(&tiny("bert"), &task, &Tuning::Full, &OPTIONS, seed);
    let head = |training: &EncoderTraining| {
        let range = training
            .parameters()
            .find("classifier.weight")
            .unwrap()
            .range
            .clone();
        training.parameters().values()[range].to_vec()
    };
    let training = opened(1).unwrap();
    assert!(head(&training).iter().any(|it| *it != 0.0));
    assert_eq!(head(&training), head(&opened(1).unwrap()));
    assert_ne!(head(&training), head(&opened(2).unwrap()));
    let to = tempfile::tempdir().unwrap();
    training.save(to.path()).unwrap();
    let classifier = Classifier::open(to.path(), &HeadOptions::default()).unwrap();
    assert_eq!(classifier.labels(), labels);
    // Other labels are another head, the same ones go on.
    let again = EncoderTraining::open(to.path(), &task, &Tuning::Full, &OPTIONS, 3).unwrap();
    assert_eq!(head(&again), head(&training));
    let other = Task::Classes { labels: kinds(2) };
    let other = EncoderTraining::open(to.path(), &other, &Tuning::Full, &OPTIONS, 3).unwrap();
    assert_ne!(head(&other), head(&training));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut training = open(
        "bert-classes",
        &classes(),
        &TrainingOptions {
            tokens: 40,
            ..OPTIONS
        },
    );
    let mut check = |ids: Vec<u32>, lengths: Vec<usize>, expect: &str| {
        let segments = vec![0; ids.len()];
        let batch = Batch {
            ids,
            segments,
            lengths,
        };
        let error = training.predict(&team(1), &batch).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(vec![1; 4], vec![3], "lengths");
    check(vec![1; 4], vec![4, 0], "lengths");
    check(vec![1; 41], vec![20, 21], "41 tokens");
    check(vec![1; 33], vec![33], "at most 32");
    check(vec![900], vec![1], "token 900");
    let folder = tiny("heads").join("bert-classes");
    let tuning = Tuning::QLora(Lora::default());
    let error = EncoderTraining::open(&folder, &classes(), &tuning, &OPTIONS, 0);
    assert!(error.unwrap_err().to_string().contains("`qlora`"));
}

/// Writes what was trained for `check_heads.py`, which loads it in Python.
#[test]
#[ignore = "needs GROUNDTUNE_SAVED_MODELS, a folder to write to; then run check_heads.py on it"]
fn saved_for_python() {
    let to = std::env::var("GROUNDTUNE_SAVED_MODELS").expect("GROUNDTUNE_SAVED_MODELS is a folder");
    let to = Path::new(&to);
    let tags = Task::Tags { labels: kinds(5) };
    let labels = Task::Labels { labels: kinds(3) };
    let mut trained = vec![
        ("bert-classes", full("bert-classes", &classes())),
        ("roberta-classes", full("roberta-classes", &classes())),
        ("bert-labels", full("bert-labels", &labels)),
        ("bert-tags", full("bert-tags", &tags)),
        ("bert-span", full("bert-span", &Task::Spans)),
        ("bert-score", full("bert-score", &Task::Scores)),
        (
            "bert-contrast",
            full("bert-contrast", &Task::Vectors { scale: 20.0 }),
        ),
    ];
    let adapted = check("bert-classes-lora", adapted(&OPTIONS), in_peft);
    adapted
        .save_adapter(&to.join("bert-classes-lora/adapter"))
        .unwrap();
    trained.push(("bert-classes-lora", adapted));
    for (name, mut training) in trained {
        let outputs = saved(&mut training, name, &to.join(name));
        let outputs = serde_json::to_vec(&outputs).unwrap();
        fs_err::write(to.join(name).join("outputs.json"), outputs).unwrap();
    }
}
