//! AdaLoRA against peft: gradients, ten steps in which ranks are taken away, and what is saved.

use model::training::{AdaLora, DecoderTraining, Pass, Targets, Tuning};
use serde::Deserialize;
use tensor::training::AdamW;
use tensor::{Kernels, Team};

use crate::decoder::assert_near;
use crate::tiny;
use crate::training::{Case, GRADIENTS, LOSSES, by_decoder, open, options, team};

#[derive(Deserialize)]
struct Expected {
    regularised: Vec<f64>,
    ranks: Vec<Vec<Vec<bool>>>,
}

fn expected(name: &str) -> Expected {
    let path = tiny("training").join(format!("{name}.json"));
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

fn named(names: &[&str]) -> Targets {
    Targets::Named(names.iter().map(|it| (*it).into()).collect())
}

/// The settings of `make_training.py`.
fn cases() -> [(&'static str, &'static str, AdaLora); 2] {
    let llama = AdaLora {
        rank: 2,
        first_rank: 4,
        alpha: 6.0,
        first_steps: Some(2),
        last_steps: Some(3),
        every: 2,
        targets: named(&["q_proj", "v_proj", "down_proj"]),
        steps: 10,
        ..AdaLora::default()
    };
    let gpt2 = AdaLora {
        rank: 1,
        first_rank: 3,
        first_steps: Some(1),
        last_steps: Some(4),
        every: 1,
        beta1: 0.8,
        beta2: 0.7,
        orthogonality: 0.1,
        targets: named(&["c_attn", "c_fc"]),
        ..llama.clone()
    };
    [
        ("adalora-llama", "llama", llama),
        ("adalora-gpt2", "gpt2", gpt2),
    ]
}

/// Trains ten steps, and tells of each its loss, what is added to it, and the model.
fn train(
    case: &Case,
    training: &mut DecoderTraining,
    team: &Team,
    mut tell: impl FnMut(usize, f64, f64, &DecoderTraining),
) {
    let kernels = Kernels::best();
    let count = training.parameters().count();
    let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
    let mut budget = training.rank_budget().unwrap();
    for step in 0..10 {
        training.parameters_mut().gradients_mut().fill(0.0);
        let loss = case.step(training, team);
        let (values, gradients) = training.parameters_mut().update();
        let extra = budget.regularise(values, gradients);
        if step == 0 {
            case.check_gradients(training.parameters(), GRADIENTS, "adalora");
        }
        let adamw = AdamW {
            learning_rate: 3e-3,
            betas: (0.9, 0.95),
            epsilon: 1e-8,
            weight_decay: 0.05,
            step: step as u64 + 1,
        };
        let (values, gradients) = training.parameters_mut().update();
        kernels.adamw(
            team,
            &adamw,
            1.0,
            gradients,
            &mut first,
            &mut second,
            values,
        );
        budget.allocate(values, gradients, 1.0, step as u64);
        tell(step, loss, extra, training);
    }
}

fn start(name: &str, base: &str, adalora: &AdaLora) -> (Case, DecoderTraining) {
    let case = Case::open(name);
    let mut training = open(base, &Tuning::AdaLora(adalora.clone()), &options());
    case.start(training.parameters_mut());
    (case, training)
}

#[test]
fn ranks_are_divided_as_by_peft() {
    for (name, base, adalora) in cases() {
        let (expected, team) = (expected(name), team());
        let (case, mut training) = start(name, base, &adalora);
        train(
            &case,
            &mut training,
            &team,
            |step, loss, extra, training| {
                let expect = case.expected.losses[step];
                let what = format!("{name}, step {step}");
                assert!(
                    (loss - expect).abs() <= LOSSES * expect,
                    "{what}: {loss} is not {expect}"
                );
                // The reference is a difference of two losses in f32.
                let expect = expected.regularised[step];
                assert!(
                    (extra - expect).abs() < 2e-6,
                    "{what}: {extra} is not {expect}"
                );
                let parameters = training.parameters();
                let diagonals = parameters
                    .table()
                    .iter()
                    .filter(|it| it.name.ends_with("lora_E"));
                let ranks: Vec<Vec<bool>> = diagonals
                    .map(|it| {
                        let numbers = &parameters.values()[it.range.clone()];
                        numbers.iter().map(|x| *x != 0.0).collect()
                    })
                    .collect();
                assert_eq!(ranks, expected.ranks[step], "{what}");
            },
        );
        for parameter in training.parameters().table() {
            let end = format!("end.{}", parameter.name);
            let expect = case.tensors.tensor(&end, &parameter.shape).unwrap();
            let found = &training.parameters().values()[parameter.range.clone()];
            for (found, expect) in found.iter().zip(&expect) {
                assert!(
                    (found - expect).abs() < 2e-5,
                    "{end}: {found} is not {expect}"
                );
            }
        }
    }
}

/// Trains, and returns the case with the log-probabilities of its targets.
pub(crate) fn trained(
    (name, base, adalora): (&str, &str, &AdaLora),
) -> (Case, DecoderTraining, Vec<f32>) {
    let team = team();
    let (case, mut training) = start(name, base, adalora);
    train(&case, &mut training, &team, |_, _, _, _| {});
    training
        .forward(&team, case.batch(), Pass::Evaluate)
        .unwrap();
    let found = training.log_probabilities(&team, &case.targets).unwrap();
    (case, training, found)
}

#[test]
fn what_is_saved_is_what_remains() {
    for (name, base, adalora) in cases() {
        let (case, training, expect) = trained((name, base, &adalora));
        let folder = tempfile::tempdir().unwrap();
        training.save(folder.path()).unwrap();
        let model = tiny("decoders").join(base);
        let found = by_decoder(&model, Some(folder.path()), &case);
        assert_near(&found, &expect, GRADIENTS, name);
        assert_ne!(by_decoder(&model, None, &case), found, "{name}");
        let config = fs_err::read(folder.path().join("adapter_config.json")).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        let pattern = config["rank_pattern"].as_object().unwrap().values();
        let left = pattern.flat_map(|it| it.as_array().unwrap());
        let left = left.filter(|it| it.as_bool().unwrap()).count();
        let parts = config["rank_pattern"].as_object().unwrap().len();
        assert_eq!(left, adalora.rank * parts, "{name}");
    }
}

#[test]
#[ignore = "needs GROUNDTUNE_SAVED_MODELS, a folder to write to; then run check_training.py on it"]
fn saved_adapters_for_python() {
    let root = std::env::var("GROUNDTUNE_SAVED_MODELS").unwrap();
    for (name, base, adalora) in cases() {
        let (case, training, found) = trained((name, base, &adalora));
        let folder = std::path::Path::new(&root).join(name);
        training.save(&folder).unwrap();
        case.write_expected(&folder, base, &found);
    }
}

#[test]
fn a_run_too_short_to_divide_ranks_is_refused() {
    let (_, base, adalora) = &cases()[0];
    let short = AdaLora {
        steps: 5,
        ..adalora.clone()
    };
    let path = tiny("decoders").join(base);
    let error = DecoderTraining::open(&path, &Tuning::AdaLora(short), &options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ranks are divided after the first 2 steps and before the last 3, and the run has 5"
    );
}
