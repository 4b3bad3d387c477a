//! Bottleneck adapters against PyTorch: gradients, ten steps, and what is saved and used.

use model::lora::{Adapter, merge};
use model::training::{
    Bottleneck, BottleneckActivation, BottleneckStyle, Checkpointing, Pass, Precision,
    TrainingOptions, Tuning,
};

use crate::decoder::assert_near;
use crate::tiny;
use crate::training::{
    Case, GRADIENTS, by_decoder, check, check_saved, learnt, open, options, team,
};

/// The settings of `make_training.py`.
fn cases() -> [(&'static str, &'static str, Bottleneck); 4] {
    use BottleneckActivation::{Gelu, Relu, Swish};
    use BottleneckStyle::{Houlsby, Pfeiffer};
    [
        ("pfeiffer-llama", "llama", Pfeiffer, 4, Relu),
        ("houlsby-llama", "llama", Houlsby, 8, Swish),
        ("pfeiffer-gpt2", "gpt2", Pfeiffer, 4, Gelu),
        ("houlsby-gpt2", "gpt2", Houlsby, 4, Swish),
    ]
    .map(|(name, base, style, reduction, activation)| {
        let activation = Some(activation);
        let bottleneck = Bottleneck {
            style,
            reduction,
            activation,
            seed: 1,
        };
        (name, base, bottleneck)
    })
}

#[test]
fn bottlenecks_are_trained_as_by_pytorch() {
    for (name, base, bottleneck) in cases() {
        check(name, base, &Tuning::Bottleneck(bottleneck));
    }
}

#[test]
fn they_begin_as_nothing() {
    for (name, base, bottleneck) in cases() {
        let (case, team) = (Case::open(name), team());
        let mut training = open(base, &Tuning::Bottleneck(bottleneck), &options());
        let mut found = Vec::new();
        for pass in [Pass::Evaluate, Pass::WithoutAdapter] {
            training.forward(&team, case.batch(), pass).unwrap();
            found.push(training.log_probabilities(&team, &case.targets).unwrap());
        }
        assert_near(&found[0], &found[1], 1e-6, name);
    }
}

#[test]
fn what_is_computed_again_is_the_same() {
    for (name, base, bottleneck) in cases() {
        let (case, team) = (Case::open(name), team());
        let tuning = Tuning::Bottleneck(bottleneck);
        let gradients = |options: &TrainingOptions| {
            let mut training = open(base, &tuning, options);
            case.start(training.parameters_mut());
            let loss = case.step(&mut training, &team);
            (loss, training.parameters().gradients().to_vec())
        };
        let mut options = options();
        options.dropout.residual = 0.2;
        let kept = gradients(&options);
        options.checkpointing = Checkpointing::EachLayer;
        assert_eq!(gradients(&options), kept, "{name}");
        options.checkpointing = Checkpointing::None;
        options.precision = Precision::Bf16;
        let (loss, _) = gradients(&options);
        assert!(
            (loss - kept.0).abs() < 0.02 * kept.0,
            "{name}: {loss} {}",
            kept.0
        );
    }
}

/// Saves what begins as the case does, and returns what training itself says of its targets.
fn saved(
    (name, base, bottleneck): (&str, &str, Bottleneck),
    folder: &std::path::Path,
) -> (Case, Vec<f32>) {
    let (case, team) = (Case::open(name), team());
    let mut training = open(base, &Tuning::Bottleneck(bottleneck), &options());
    case.start(training.parameters_mut());
    training
        .forward(&team, case.batch(), Pass::Evaluate)
        .unwrap();
    let expect = training.log_probabilities(&team, &case.targets).unwrap();
    training.save(folder).unwrap();
    (case, expect)
}

#[test]
fn what_is_saved_is_used_as_it_was_trained() {
    for (name, base, bottleneck) in cases() {
        let folder = tempfile::tempdir().unwrap();
        let (case, expect) = saved((name, base, bottleneck), folder.path());
        let model = tiny("decoders").join(base);
        let found = by_decoder(&model, Some(folder.path()), &case);
        assert_near(&found, &expect, GRADIENTS, name);
        assert_ne!(by_decoder(&model, None, &case), found, "{name}");

        let merged = tempfile::tempdir().unwrap();
        let to = merged.path().join("merged");
        let error = merge(&model, &[(folder.path(), 1.0)], &to).unwrap_err();
        assert!(
            error.to_string().contains("which no weight can hold"),
            "{error}"
        );
    }
}

#[test]
fn a_gguf_file_learns_what_its_folder_learns() {
    for (name, base, bottleneck) in cases() {
        let file = format!("gguf/{base}.gguf");
        let tuning = Tuning::Bottleneck(bottleneck);
        check_saved(name, &file, &tuning);
        let case = Case::open(name);
        let expect = learnt(&case, base, &tuning);
        let found = learnt(&case, &file, &tuning);
        assert!(found.keys().eq(expect.keys()), "{name}");
        for (tensor, expect) in &expect {
            let what = format!("{name} {tensor}");
            assert_near(&found[tensor], expect, GRADIENTS, &what);
        }
    }
}

#[test]
fn it_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [case, ..] = cases();
    saved(case, folder.path());
    let found = model::describe(folder.path()).unwrap();
    assert_eq!(found.kind, Some(model::ModelKind::Adapter));
    assert_eq!(found.architecture.as_deref(), Some("bottleneck"));
    let base = tiny("decoders").join("llama");
    assert_eq!(found.base.as_deref(), base.to_str());
    assert!(found.parameters.is_some_and(|count| count > 0));
}

#[test]
fn another_kind_of_bottleneck_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [case, ..] = cases();
    saved(case, folder.path());
    let path = folder.path().join("adapter_config.json");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(
        &path,
        text.replace("\"is_parallel\": false", "\"is_parallel\": true"),
    )
    .unwrap();
    let decoder = crate::decoder::open(&tiny("decoders").join("llama"));
    let error = Adapter::open(folder.path(), &decoder).unwrap_err();
    assert!(error.to_string().contains("`is_parallel`"), "{error}");
}

#[test]
#[ignore = "needs GROUNDTUNE_SAVED_MODELS, a folder to write to; then run check_bottlenecks.py on it"]
fn saved_bottlenecks() {
    let root = std::env::var("GROUNDTUNE_SAVED_MODELS").unwrap();
    for (name, base, bottleneck) in cases() {
        let folder = std::path::Path::new(&root).join(name);
        let (case, found) = saved((name, base, bottleneck), &folder);
        case.write_expected(&folder, base, &found);
    }
}
