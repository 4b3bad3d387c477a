//! Gradients and ten steps of training of the tiny decoders against transformers and peft.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use model::decoder::{DecoderConfig, Shape, Step, Wanted, Workspace};
use model::lora::Adapter;
use model::training::{
    Checkpointing, DecoderTraining, DropoutShares, IGNORE, Lora, LoraScale, Parameters, Pass,
    Precision, Sequences, Targets, TrainingOptions, Tuning,
};
use model::weights::Weights;
use proptest::prelude::*;
use serde::Deserialize;
use tensor::training::{AdamW, Nf4Matrix};
use tensor::{Kernels, Team};

use crate::decoder::assert_near;
use crate::tiny;

/// Largest difference of a gradient, relative to the largest of its tensor.
pub(crate) const GRADIENTS: f32 = 1e-4;
/// Largest difference of a step's loss, relative to it.
pub(crate) const LOSSES: f64 = 1e-5;

#[derive(Deserialize)]
pub(crate) struct Expected {
    ids: Vec<u32>,
    targets: Vec<i64>,
    lengths: Vec<usize>,
    weights: Vec<f32>,
    pub(crate) losses: Vec<f64>,
}

/// A batch and what training on it should give.
pub(crate) struct Case {
    pub(crate) expected: Expected,
    pub(crate) targets: Vec<u32>,
    pub(crate) tensors: Weights,
}

impl Case {
    pub(crate) fn open(name: &str) -> Self {
        let path = |end: &str| tiny("training").join(format!("{name}.{end}"));
        let expected: Expected =
            serde_json::from_slice(&fs_err::read(path("json")).unwrap()).unwrap();
        let targets = expected
            .targets
            .iter()
            .map(|target| u32::try_from(*target).unwrap_or(IGNORE))
            .collect();
        Self {
            expected,
            targets,
            tensors: Weights::open_file(&path("safetensors")).unwrap(),
        }
    }

    pub(crate) fn batch(&self) -> Sequences<'_> {
        Sequences {
            ids: &self.expected.ids,
            lengths: &self.expected.lengths,
        }
    }

    /// Sets what is trained to what it begins with.
    pub(crate) fn start(&self, parameters: &mut Parameters) {
        for parameter in parameters.table().to_vec() {
            let name = format!("start.{}", parameter.name);
            let numbers = self.tensors.tensor(&name, &parameter.shape).unwrap();
            parameters.values_mut()[parameter.range].copy_from_slice(&numbers);
        }
    }

    pub(crate) fn step(&self, training: &mut DecoderTraining, team: &Team) -> f64 {
        let pass = Pass::Train { seed: 1 };
        training.forward(team, self.batch(), pass).unwrap();
        training
            .backward(team, &self.targets, &self.expected.weights)
            .unwrap()
    }

    /// Writes what `check_training.py` holds a saved model against.
    pub(crate) fn write_expected(&self, folder: &std::path::Path, base: &str, found: &[f32]) {
        let expected = serde_json::json!({
            "base": base,
            "ids": self.expected.ids,
            "targets": self.expected.targets,
            "lengths": self.expected.lengths,
            "log_probabilities": found,
        });
        fs_err::write(folder.join("expected.json"), expected.to_string()).unwrap();
    }

    pub(crate) fn check_gradients(&self, parameters: &Parameters, tolerance: f32, what: &str) {
        let names = self.tensors.shapes().map(|(name, _)| name);
        let others = ["start.", "end."];
        let count = names
            .filter(|name| !others.iter().any(|other| name.starts_with(other)))
            .count();
        assert_eq!(parameters.table().len(), count, "{what}");
        for parameter in parameters.table() {
            let name = &parameter.name;
            let expect = self.tensors.tensor(name, &parameter.shape).unwrap();
            let found = &parameters.gradients()[parameter.range.clone()];
            let size = expect.iter().fold(0f32, |most, x| most.max(x.abs()));
            for (at, (found, expect)) in found.iter().zip(&expect).enumerate() {
                let error = (found - expect).abs() / size;
                assert!(
                    error <= tolerance,
                    "{what}: {name}, {at}: {found} is not {expect}"
                );
            }
        }
    }
}

pub(crate) fn team() -> Team {
    Team::new(NonZeroUsize::new(2).unwrap()).unwrap()
}

pub(crate) fn options() -> TrainingOptions {
    TrainingOptions {
        tokens: 50,
        precision: Precision::F32,
        checkpointing: Checkpointing::None,
        dropout: DropoutShares::default(),
    }
}

pub(crate) fn open(base: &str, tuning: &Tuning, options: &TrainingOptions) -> DecoderTraining {
    DecoderTraining::open(&tiny("decoders").join(base), tuning, options).unwrap()
}

/// Trains ten steps as `torch.optim.AdamW` does, and holds each loss against `losses`.
fn check_steps(case: &Case, training: &mut DecoderTraining, team: &Team, what: &str) {
    let kernels = Kernels::best();
    let count = training.parameters().count();
    let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
    for (step, expect) in case.expected.losses.iter().enumerate() {
        training.parameters_mut().gradients_mut().fill(0.0);
        let loss = case.step(training, team);
        let error = (loss - expect).abs() / expect.abs();
        assert!(
            error <= LOSSES,
            "{what}, step {step}: {loss} is not {expect}"
        );
        let table = training.parameters().table().to_vec();
        let (values, gradients) = training.parameters_mut().update();
        for parameter in table {
            let range = parameter.range;
            let adamw = AdamW {
                learning_rate: 3e-3,
                betas: (0.9, 0.95),
                epsilon: 1e-8,
                weight_decay: if parameter.decays { 0.05 } else { 0.0 },
                step: step as u64 + 1,
            };
            kernels.adamw(
                team,
                &adamw,
                1.0,
                &gradients[range.clone()],
                &mut first[range.clone()],
                &mut second[range.clone()],
                &mut values[range],
            );
        }
    }
}

/// Holds the first gradients and ten steps against the reference's, in either of the
/// precisions that keep to its tolerances.
pub(crate) fn check(name: &str, base: &str, tuning: &Tuning) {
    for precision in [Precision::F32, Precision::High] {
        check_in(precision, name, base, tuning);
    }
}

fn check_in(precision: Precision, name: &str, base: &str, tuning: &Tuning) {
    let (case, team) = (Case::open(name), team());
    let options = TrainingOptions {
        precision,
        ..options()
    };
    let mut training = open(base, tuning, &options);
    let name = &format!("{name} in {precision:?}");
    if *tuning != Tuning::Full {
        case.start(training.parameters_mut());
    }
    let loss = case.step(&mut training, &team);
    let expect = case.expected.losses[0];
    assert!(
        (loss - expect).abs() <= LOSSES * expect,
        "{name}: {loss} is not {expect}"
    );
    case.check_gradients(training.parameters(), GRADIENTS, name);
    check_steps(&case, &mut training, &team, name);
}

#[test]
fn full_training_is_that_of_transformers() {
    for name in ["gpt2", "llama", "llama-yarn", "mistral", "qwen2", "qwen3"] {
        check(name, name, &Tuning::Full);
    }
}

#[test]
fn adapters_are_trained_as_by_peft() {
    let named = |names: &[&str]| Targets::Named(names.iter().map(|it| (*it).into()).collect());
    let lora = |rank, alpha, targets| Lora {
        rank,
        alpha,
        targets,
        ..Lora::default()
    };
    for (name, base, lora) in [
        (
            "lora-llama",
            "llama",
            lora(3, 7.0, named(&["q_proj", "v_proj", "down_proj"])),
        ),
        ("lora-gpt2", "gpt2", lora(4, 8.0, named(&["c_attn"]))),
        (
            "lora-last",
            "qwen3",
            lora(2, 4.0, named(&["layers.1.mlp.up_proj"])),
        ),
        (
            "lora-head",
            "qwen2",
            lora(2, 4.0, named(&["lm_head", "k_proj"])),
        ),
        (
            "rslora-gpt2",
            "gpt2",
            Lora {
                scale: LoraScale::Root,
                ..lora(5, 6.0, Targets::AllLinear)
            },
        ),
        (
            "dora-qwen2",
            "qwen2",
            Lora {
                dora: true,
                ..lora(3, 5.0, Targets::AllLinear)
            },
        ),
        (
            "dora-gpt2",
            "gpt2",
            Lora {
                dora: true,
                ..lora(3, 5.0, named(&["c_attn", "c_proj"]))
            },
        ),
    ] {
        check(name, base, &Tuning::Lora(lora));
    }
}

/// Returns the log-probabilities of the case's targets by an ordinary forward.
pub(crate) fn by_decoder(
    path: &std::path::Path,
    adapter: Option<&std::path::Path>,
    case: &Case,
) -> Vec<f32> {
    let decoder = crate::decoder::open(path);
    let adapter = adapter.map(|folder| Adapter::open(folder, &decoder).unwrap());
    let adapters: Vec<(&Adapter, f32)> = adapter.iter().map(|it| (it, 1.0)).collect();
    let mut found = Vec::new();
    let mut start = 0;
    for length in &case.expected.lengths {
        let rows = start..start + length;
        start = rows.end;
        let step = Step {
            tokens: &case.expected.ids[rows.clone()],
            cache: &mut decoder.cache(64),
            adapters: &adapters,
            wanted: Wanted::All,
        };
        let mut workspace = Workspace::default();
        let logits = decoder.forward(&mut workspace, &mut [step]).unwrap();
        let vocabulary = decoder.config().vocabulary;
        for (logits, target) in logits.chunks(vocabulary).zip(&case.targets[rows]) {
            if *target == IGNORE {
                found.push(0.0);
                continue;
            }
            let sum: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
            found.push((f64::from(logits[*target as usize]) - sum.ln()) as f32);
        }
    }
    found
}

/// Trains two steps, saves, and holds what was saved, opened as usual, against what
/// training itself says.
pub(crate) fn check_saved(name: &str, base: &str, tuning: &Tuning) {
    let (case, team) = (Case::open(name), team());
    let mut training = open(base, tuning, &options());
    for _ in 0..2 {
        case.step(&mut training, &team);
        let (values, gradients) = training.parameters_mut().update();
        for (value, gradient) in values.iter_mut().zip(gradients) {
            *value -= 0.05 * *gradient;
        }
    }
    training
        .forward(&team, case.batch(), Pass::Evaluate)
        .unwrap();
    let expect = training.log_probabilities(&team, &case.targets).unwrap();
    let folder = tempfile::tempdir().unwrap();
    training.save(folder.path()).unwrap();
    let model = tiny("decoders").join(base);
    let found = match tuning {
        Tuning::Full => by_decoder(folder.path(), None, &case),
        _ => by_decoder(&model, Some(folder.path()), &case),
    };
    assert_near(&found, &expect, GRADIENTS, name);
    let before = by_decoder(&model, None, &case);
    assert_ne!(before, found, "{name}: training changed something");

    training
        .forward(&team, case.batch(), Pass::WithoutAdapter)
        .unwrap();
    let without = training.log_probabilities(&team, &case.targets).unwrap();
    if *tuning != Tuning::Full {
        assert_near(&without, &before, GRADIENTS, name);
    }
}

#[test]
fn what_is_saved_is_what_was_trained() {
    for name in ["gpt2", "llama", "mistral", "qwen2", "qwen3"] {
        check_saved(name, name, &Tuning::Full);
    }
    let lora = Lora::default();
    let root = Lora {
        scale: LoraScale::Root,
        ..lora.clone()
    };
    let dora = Lora {
        dora: true,
        ..lora.clone()
    };
    check_saved("lora-llama", "llama", &Tuning::Lora(lora));
    check_saved("rslora-gpt2", "gpt2", &Tuning::Lora(root));
    check_saved("dora-qwen2", "qwen2", &Tuning::Lora(dora));
}

#[test]
fn what_is_packed_once_learns_to_the_same_bits() {
    let lora = Lora::default();
    let dora = Lora {
        dora: true,
        ..lora.clone()
    };
    for (name, base, tuning) in [
        ("gpt2", "gpt2", Tuning::Lora(lora.clone())),
        ("llama", "gguf/llama.gguf", Tuning::Lora(lora.clone())),
        ("qwen2", "qwen2", Tuning::Lora(dora)),
        ("qwen3", "qwen3", Tuning::QLora(lora)),
        ("llama", "llama", Tuning::Full),
    ] {
        for precision in [Precision::F32, Precision::High, Precision::Bf16] {
            let options = TrainingOptions {
                precision,
                ..options()
            };
            let path = tiny("decoders").join(base);
            let (case, team) = (Case::open(name), team());
            let planned = DecoderTraining::plan(&path, &tuning, &options).unwrap();
            let learnt = |mut training: DecoderTraining| {
                let loss = case.step(&mut training, &team);
                (loss.to_bits(), training.parameters().gradients().to_vec())
            };
            let lying = DecoderTraining::open(&path, &tuning, &options).unwrap();
            let packed = DecoderTraining::open_packed(&path, &tuning, &options, &team).unwrap();
            assert_eq!(lying.memory(), planned);
            let more = packed.memory().frozen - planned.frozen;
            assert_eq!(
                (more, packed.memory().packed),
                (planned.packed, 0),
                "{name}"
            );
            let packs = matches!(tuning, Tuning::Lora(_));
            assert_eq!(more > 0, packs, "{name}");
            assert!(learnt(packed) == learnt(lying), "{name} in {precision:?}");
        }
    }
}

#[test]
fn a_gguf_file_learns_and_is_saved() {
    for (name, base) in [
        ("gpt2", "gguf/gpt2.gguf"),
        ("llama", "gguf/llama.gguf"),
        ("qwen3", "gguf/qwen3.gguf"),
    ] {
        check_saved(name, base, &Tuning::Full);
        check_saved(name, base, &Tuning::Lora(Lora::default()));
        let dora = Lora {
            dora: true,
            ..Lora::default()
        };
        check_saved(name, base, &Tuning::Lora(dora));
    }
}

/// Takes two steps with an adapter, and returns it as it is saved.
pub(crate) fn learnt(case: &Case, base: &str, tuning: &Tuning) -> BTreeMap<String, Vec<f32>> {
    let (mut training, team) = (open(base, tuning, &options()), team());
    for _ in 0..2 {
        case.step(&mut training, &team);
        let (values, gradients) = training.parameters_mut().update();
        for (value, gradient) in values.iter_mut().zip(gradients) {
            *value -= 0.05 * *gradient;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    training.save(folder.path()).unwrap();
    let file = match tuning {
        Tuning::Bottleneck(_) => "adapter.safetensors",
        _ => "adapter_model.safetensors",
    };
    let file = folder.path().join(file);
    let weights = Weights::open_file(&file).unwrap();
    let shapes = weights.shapes();
    let tensors = shapes.map(|(name, shape)| (name.into(), weights.tensor(name, shape).unwrap()));
    tensors.collect()
}

#[test]
fn a_gguf_file_learns_what_its_folder_learns() {
    for (name, file) in [
        ("gpt2", "gguf/gpt2.gguf"),
        ("llama", "gguf/llama.gguf"),
        ("qwen3", "gguf/qwen3.gguf"),
    ] {
        let case = Case::open(name);
        let dora = Lora {
            dora: true,
            ..Lora::default()
        };
        for lora in [Lora::default(), dora] {
            let tuning = Tuning::Lora(lora);
            let folder = learnt(&case, name, &tuning);
            let file = learnt(&case, file, &tuning);
            assert!(folder.keys().eq(file.keys()), "{name}");
            for (tensor, expect) in &folder {
                assert_near(
                    &file[tensor],
                    expect,
                    GRADIENTS,
                    &format!("{name} {tensor}"),
                );
            }
        }
    }
}

#[test]
fn a_model_from_scratch_is_saved() {
    let shape = Shape {
        vocabulary: 300,
        context: 64,
        width: 24,
        layers: 2,
        heads: 4,
        key_heads: 2,
        inner: 40,
    };
    let gpt2 = Shape {
        key_heads: 4,
        ..shape
    };
    let (case, team) = (Case::open("qwen2"), team());
    for config in [DecoderConfig::llama(shape), DecoderConfig::gpt2(gpt2)] {
        let mut training = DecoderTraining::initialise(&config.unwrap(), 1, &options()).unwrap();
        let loss = case.step(&mut training, &team);
        let weights = case.expected.weights.iter().zip(&case.targets);
        let sum: f32 = weights.filter(|it| *it.1 != IGNORE).map(|it| it.0).sum();
        // It knows nothing yet: every token is as likely as any other.
        let even = f64::from(sum) * 300f64.ln();
        assert!((loss - even).abs() < 0.01 * even, "{loss} is not {even}");
        training
            .forward(&team, case.batch(), Pass::Evaluate)
            .unwrap();
        let expect = training.log_probabilities(&team, &case.targets).unwrap();
        let folder = tempfile::tempdir().unwrap();
        training.save(folder.path()).unwrap();
        assert_near(
            &by_decoder(folder.path(), None, &case),
            &expect,
            GRADIENTS,
            "saved",
        );
    }
}

#[test]
fn what_can_not_be_trained_is_refused() {
    let refused = |lora: Lora, options: TrainingOptions| {
        let path = tiny("decoders").join("llama");
        let error = DecoderTraining::open(&path, &Tuning::Lora(lora), &options).unwrap_err();
        error.to_string().replace(&path.display().to_string(), ".")
    };
    let named = Lora {
        targets: Targets::Named(vec!["c_attn".into()]),
        ..Lora::default()
    };
    assert_eq!(
        refused(named, options()),
        "`./config.json` has no linear part called `c_attn`; it has `q_proj`, `k_proj`, \
         `v_proj`, `o_proj`, `gate_proj`, `up_proj`, `down_proj`, `lm_head`"
    );
    let flat = Lora {
        rank: 0,
        ..Lora::default()
    };
    let expect = "`rank` is 0, expected a number from 1 to 65536";
    assert_eq!(refused(flat, options()), expect);
    let mut all = options();
    all.dropout.residual = 1.0;
    let expect = "`residual` is 1, expected a share from 0 to less than 1";
    assert_eq!(refused(Lora::default(), all), expect);

    let team = team();
    let mut training = open("gpt2", &Tuning::Full, &options());
    for (ids, lengths, expect) in [
        (&[1, 2][..], &[1][..], "make 1, expected its 2 tokens"),
        (&[1], &[1, 0], "no empty sequence"),
        (
            &[1; 51],
            &[51],
            "has 51 tokens, but memory is planned for 50",
        ),
        (&[1; 49], &[49], "a sequence has 49 tokens, but `"),
        (&[61], &[1], "token 61 is not one of the 61"),
    ] {
        let batch = Sequences { ids, lengths };
        let error = training.forward(&team, batch, Pass::Evaluate).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
    }
}

/// Trains one step on the batch of `qwen3` or another, by `options`, and returns the loss.
fn trained(base: &str, tuning: &Tuning, options: &TrainingOptions) -> (f64, DecoderTraining) {
    let case = Case::open(base);
    let mut training = open(base, tuning, options);
    let loss = case.step(&mut training, &team());
    (loss, training)
}

#[test]
fn a_base_in_4_bits_is_one_of_rounded_weights() {
    for (base, dora) in [("gpt2", false), ("llama", false), ("qwen2", true)] {
        let mut whole = open(base, &Tuning::Full, &options());
        for parameter in whole.parameters().table().to_vec() {
            let name = &parameter.name;
            let in_layer = name.contains(".h.") || name.contains(".layers.");
            if parameter.shape.len() < 2 || !in_layer {
                continue;
            }
            let numbers = &mut whole.parameters_mut().values_mut()[parameter.range];
            let (first, second) = (parameter.shape[0], parameter.shape[1]);
            // GPT-2's lie by columns, and are rounded along their rows all the same.
            let turned = |numbers: &[f32], [rows, columns]: [usize; 2]| -> Vec<f32> {
                let column = |at: usize| (0..rows).map(move |row| numbers[row * columns + at]);
                (0..columns).flat_map(column).collect()
            };
            if base == "gpt2" {
                let rows = turned(numbers, [first, second]);
                let rounded = Nf4Matrix::of_rows(&rows, first).numbers();
                numbers.copy_from_slice(&turned(&rounded, [second, first]));
            } else {
                numbers.copy_from_slice(&Nf4Matrix::of_rows(numbers, second).numbers());
            }
        }
        let folder = tempfile::tempdir().unwrap();
        whole.save(folder.path()).unwrap();
        let lora = Lora {
            dora,
            ..Lora::default()
        };
        let (case, team) = (Case::open(base), team());
        let rounded = Tuning::Lora(lora.clone());
        let mut expect = DecoderTraining::open(folder.path(), &rounded, &options()).unwrap();
        let mut found = open(base, &Tuning::QLora(lora.clone()), &options());
        let loss = case.step(&mut expect, &team);
        let found_loss = case.step(&mut found, &team);
        assert!(
            (loss - found_loss).abs() < LOSSES * loss,
            "{base}: {found_loss} is not {loss}"
        );
        for parameter in expect.parameters().table() {
            let range = parameter.range.clone();
            let expect = &expect.parameters().gradients()[range.clone()];
            if expect.iter().any(|x| *x != 0.0) {
                let found = &found.parameters().gradients()[range];
                assert_near(found, expect, GRADIENTS, &parameter.name);
            }
        }
        let path = tiny("decoders").join(base);
        let plan = DecoderTraining::plan(&path, &Tuning::QLora(lora), &options()).unwrap();
        assert_eq!(plan, found.memory());
    }
}

/// Something is left out everywhere.
const LEFT_OUT: DropoutShares = DropoutShares {
    embedding: 0.1,
    residual: 0.2,
    attention: 0.3,
};

#[test]
fn what_is_computed_again_is_the_same() {
    let lora = Lora {
        dropout: 0.3,
        ..Lora::default()
    };
    for base in ["gpt2", "llama", "qwen3"] {
        for tuning in [Tuning::Full, Tuning::Lora(lora.clone())] {
            let kept = TrainingOptions {
                dropout: LEFT_OUT,
                ..options()
            };
            let again = TrainingOptions {
                checkpointing: Checkpointing::EachLayer,
                ..kept
            };
            let (loss, expect) = trained(base, &tuning, &kept);
            let (found_loss, found) = trained(base, &tuning, &again);
            assert_eq!(loss, found_loss);
            assert_eq!(
                expect.parameters().gradients(),
                found.parameters().gradients(),
                "{base}"
            );
            assert!(found.memory().activations < expect.memory().activations);
        }
    }
}

#[test]
fn numbers_do_not_depend_on_threads_or_on_room() {
    let case = Case::open("qwen3");
    let mut gradients = Vec::new();
    for (threads, tokens) in [(1, 44), (2, 50), (3, 400)] {
        let team = Team::new(NonZeroUsize::new(threads).unwrap()).unwrap();
        let options = TrainingOptions {
            tokens,
            dropout: LEFT_OUT,
            ..options()
        };
        let mut training = open("qwen3", &Tuning::Full, &options);
        // A smaller batch before it leaves nothing behind.
        let small = Sequences {
            ids: &[1, 2, 3],
            lengths: &[3],
        };
        training.forward(&team, small, Pass::Evaluate).unwrap();
        case.step(&mut training, &team);
        gradients.push(training.parameters().gradients().to_vec());
    }
    assert_eq!(gradients[0], gradients[1]);
    assert_eq!(gradients[0], gradients[2]);
}

#[test]
fn gradients_are_added() {
    let case = Case::open("llama");
    let team = team();
    let mut together = open("llama", &Tuning::Full, &options());
    case.step(&mut together, &team);
    let mut apart = open("llama", &Tuning::Full, &options());
    let mut start = 0;
    for length in &case.expected.lengths {
        let rows = start..start + length;
        start = rows.end;
        let batch = Sequences {
            ids: &case.expected.ids[rows.clone()],
            lengths: &[*length],
        };
        apart
            .forward(&team, batch, Pass::Train { seed: 1 })
            .unwrap();
        apart
            .backward(
                &team,
                &case.targets[rows.clone()],
                &case.expected.weights[rows],
            )
            .unwrap();
    }
    for parameter in together.parameters().table() {
        let range = parameter.range.clone();
        let expect = &together.parameters().gradients()[range.clone()];
        let found = &apart.parameters().gradients()[range];
        assert_near(found, expect, GRADIENTS, &parameter.name);
    }
}

#[test]
fn bfloat16_is_near() {
    let narrow = TrainingOptions {
        precision: Precision::Bf16,
        ..options()
    };
    for base in ["gpt2", "llama", "qwen3"] {
        let (loss, expect) = trained(base, &Tuning::Full, &options());
        let (found_loss, found) = trained(base, &Tuning::Full, &narrow);
        assert!(
            (loss - found_loss).abs() < 0.01 * loss,
            "{found_loss} is not {loss}"
        );
        for parameter in expect.parameters().table() {
            let range = parameter.range.clone();
            let expect = &expect.parameters().gradients()[range.clone()];
            let found = &found.parameters().gradients()[range];
            let dot = |x: &[f32], y: &[f32]| -> f64 {
                x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum()
            };
            let alike = dot(expect, found) / (dot(expect, expect) * dot(found, found)).sqrt();
            assert!(alike > 0.995, "{base}, {}: {alike}", parameter.name);
        }
    }
}

/// Holds the gradient along a direction against the difference of losses, with what is
/// left out by chance left out alike.
fn check_difference(base: &str, tuning: &Tuning, seed: u64) {
    let (case, team) = (Case::open(base), team());
    let all = TrainingOptions {
        dropout: LEFT_OUT,
        ..options()
    };
    let mut training = open(base, tuning, &all);
    let mut random = seed;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    // Also away from where adapters begin, whose one half is zeros.
    let values = training.parameters_mut().values_mut();
    values.iter_mut().for_each(|value| *value += 0.02 * next());
    case.step(&mut training, &team);
    // Along each tensor's gradient, so that the difference is large, and across it.
    let mut direction = training.parameters().gradients().to_vec();
    for parameter in training.parameters().table() {
        let numbers = &mut direction[parameter.range.clone()];
        let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        let across = (numbers.len() as f32).sqrt().recip();
        numbers
            .iter_mut()
            .for_each(|it| *it = *it / length + across * next());
    }
    let gradients = training.parameters().gradients().iter().zip(&direction);
    let found: f64 = gradients.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
    let mut loss_at = |distance: f32| {
        let values = training.parameters_mut().values_mut().iter_mut();
        values
            .zip(&direction)
            .for_each(|(value, direction)| *value += distance * direction);
        case.step(&mut training, &team)
    };
    // Four points cancel the third derivative.
    let far = 2e-3f32;
    let [a, b] = [loss_at(far), loss_at(far)];
    let [c, d] = [loss_at(-3.0 * far), loss_at(-far)];
    let expect = (8.0 * (a - c) - (b - d)) / (12.0 * f64::from(far));
    assert!(
        (found - expect).abs() < 0.01 * expect.abs(),
        "{base}, {seed}: {found} is not {expect}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn gradients_are_differences(seed in 1u64..1_000_000) {
        let lora = Lora { dropout: 0.3, ..Lora::default() };
        let root = Lora { dropout: 0.3, scale: LoraScale::Root, ..Lora::default() };
        for base in ["gpt2", "llama", "mistral", "qwen2", "qwen3"] {
            for tuning in [Tuning::Full, Tuning::Lora(lora.clone()), Tuning::Lora(root.clone()), Tuning::QLora(root.clone())] {
                check_difference(base, &tuning, seed);
            }
        }
    }
}

#[test]
#[ignore = "needs GROUNDTUNE_SAVED_MODELS, a folder to write to; then run check_training.py on it"]
fn saved_models_for_python() {
    let root = std::env::var("GROUNDTUNE_SAVED_MODELS").unwrap();
    let lora = Tuning::Lora(Lora::default());
    let root_scaled = Tuning::Lora(Lora {
        scale: LoraScale::Root,
        ..Lora::default()
    });
    let dora = Tuning::Lora(Lora {
        dora: true,
        ..Lora::default()
    });
    for (base, tuning, kind) in [
        ("gpt2", Tuning::Full, "full"),
        ("llama", Tuning::Full, "full"),
        ("mistral", Tuning::Full, "full"),
        ("qwen2", Tuning::Full, "full"),
        ("qwen3", Tuning::Full, "full"),
        ("gpt2", lora.clone(), "lora"),
        ("llama", lora, "lora"),
        ("qwen3", root_scaled, "rslora"),
        ("gpt2", dora.clone(), "dora"),
        ("qwen2", dora, "dora"),
    ] {
        let (case, team) = (Case::open(base), team());
        let mut training = open(base, &tuning, &options());
        for _ in 0..3 {
            case.step(&mut training, &team);
            let (values, gradients) = training.parameters_mut().update();
            for (value, gradient) in values.iter_mut().zip(gradients) {
                *value -= 0.05 * *gradient;
            }
        }
        training
            .forward(&team, case.batch(), Pass::Evaluate)
            .unwrap();
        let found = training.log_probabilities(&team, &case.targets).unwrap();
        let folder = std::path::Path::new(&root).join(format!("{kind}-{base}"));
        training.save(&folder).unwrap();
        case.write_expected(&folder, base, &found);
    }
}
