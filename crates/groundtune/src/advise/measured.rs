//! A step of training as it was measured on this machine: from a run's folder, or from what
//! `groundtune train RECIPE --bench --json` printed into a file.

use std::path::Path;

use ::train::{Recipe, Run, Tuning};
use eval::advice::estimate::MeasuredStep;
use eval::advice::strategy::Method;
use serde_json::Value;

use super::{AdviseError, io};

/// Reads the speed of the run in the folder at `path`, or of a benchmark's plain run in the file
/// at `path`.
///
/// Of a run the median of the later half of its steps counts: the first ones also fill caches.
///
/// # Errors
/// If it is neither, or no step was done in it.
pub fn measured_step(path: &Path) -> Result<MeasuredStep, AdviseError> {
    let lacks = |lacks| AdviseError::NotMeasured {
        path: path.into(),
        lacks,
    };
    if path.is_file() {
        let text = fs_err::read_to_string(path).map_err(io(path))?;
        return of_bench(&text).ok_or_else(|| lacks("it is no benchmark of a whole model"));
    }
    if !Run::is_run(path) {
        return Err(lacks("it is no run's folder"));
    }
    let events = path.join("events.jsonl");
    let text = fs_err::read_to_string(&events).map_err(io(&events))?;
    let mut learnt = None;
    let mut speeds = Vec::new();
    // A line that was cut short by a kill says nothing.
    for event in text
        .lines()
        .filter_map(|it| serde_json::from_str::<Value>(it).ok())
    {
        match event["event"].as_str() {
            Some("started") => learnt = event["parameters"].as_f64(),
            Some("step") => speeds.extend(event["tokens_per_second"].as_f64()),
            _ => {}
        }
    }
    let mut late = speeds.split_off(speeds.len() / 2);
    late.retain(|it| it.is_finite() && *it > 0.0);
    late.sort_by(f64::total_cmp);
    let tokens_per_second = *late
        .get(late.len() / 2)
        .ok_or_else(|| lacks("no step was done"))?;
    let recipe = path.join("recipe.toml");
    let text = fs_err::read_to_string(&recipe).map_err(io(&recipe))?;
    let recipe: Recipe =
        toml::from_str(&text).map_err(|_| lacks("its recipe is not understood"))?;
    let (method, parameters) = match recipe.tuning {
        Tuning::Full => (Method::Full, learnt),
        // Of an adapter only its own numbers are learnt; the work is the whole model's.
        _ => (Method::Adapter, whole_model(path)),
    };
    Ok(MeasuredStep {
        parameters: parameters
            .filter(|it| *it > 0.0)
            .ok_or_else(|| lacks("how large its model is cannot be told"))?,
        tokens_per_second,
        method,
    })
}

/// Returns the speed of the first technique that trains all of a model, which is the plain run.
fn of_bench(text: &str) -> Option<MeasuredStep> {
    let bench: Value = serde_json::from_str(text).ok()?;
    let rows = bench["techniques"].as_array()?;
    rows.iter().find_map(|row| {
        let positive = |key: &str| row[key].as_f64().filter(|it| *it > 0.0);
        let frozen = row["frozen_bytes"].as_f64()?;
        (frozen == 0.0).then_some(())?;
        Some(MeasuredStep {
            parameters: positive("parameters")?,
            tokens_per_second: positive("tokens_per_second")?,
            method: Method::Full,
        })
    })
}

/// Returns the numbers of the model that the run's adapter is for.
fn whole_model(run: &Path) -> Option<f64> {
    let base = Run::describe(run).ok()?.base?;
    Some(model::describe(&base).ok()?.parameters? as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_tells_the_speed_of_its_plain_run() {
        let check = |text: &str, expect: Option<(f64, f64)>| {
            let found = of_bench(text).map(|it| (it.parameters, it.tokens_per_second));
            assert_eq!(found, expect, "{text}");
        };
        check(
            r#"{"techniques": [{"technique": "plain", "error": "too large"},
                {"technique": "LoRA", "parameters": 9, "frozen_bytes": 400, "tokens_per_second": 50},
                {"technique": "bf16", "parameters": 100, "frozen_bytes": 0, "tokens_per_second": 30.5}]}"#,
            Some((100.0, 30.5)),
        );
        check(
            r#"{"techniques": [{"parameters": 0, "frozen_bytes": 0}]}"#,
            None,
        );
        check(r#"{"techniques": 5}"#, None);
        check("no json", None);
    }
}
