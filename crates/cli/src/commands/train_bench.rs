//! `train RECIPE --bench`: each technique, or each shape, measured in a process of its own.

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use groundtune::contract::Bytes;
use groundtune::train::{BenchRun, BenchShape, Measured, PreparedRun};
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::progress::Progress;
use crate::ui::{Style, Ui, columns, one_line, thousands};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Bench {
    /// What each technique saves and costs.
    Techniques,
    /// How memory and speed grow with layers, width, sequence and batch.
    Growth,
}

/// Why the last row of the table has no figures.
const SHARDING: &str = "not measured: it takes several GPUs, and this is one machine; 8-bit states, checkpointing \
     and QLoRA save here";

/// How a process that measures is begun again.
pub(super) struct Again<'a> {
    pub(super) recipe: &'a Path,
    pub(super) set: &'a [String],
    pub(super) threads: Option<usize>,
}

impl Again<'_> {
    /// Measures one run in a process of its own: `set` are its keys, before all others.
    fn measure(&self, set: &[String], shape: Option<BenchShape>) -> Result<Measured, String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("train").arg(self.recipe).arg("--measure");
        // What is set last holds.
        for set in self.set.iter().chain(set) {
            command.arg("--set").arg(set);
        }
        if let Some(shape) = shape {
            command.arg("--shape").arg(shape.to_string());
        }
        if let Some(threads) = self.threads {
            command.arg("--threads").arg(threads.to_string());
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let error = said.lines().find_map(|line| line.strip_prefix("error: "));
            return Err(error.unwrap_or("the process ended early").to_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
    }
}

/// Measures and prints the table.
pub(super) fn run(
    ui: &mut Ui,
    bench: Bench,
    prepared: &PreparedRun,
    again: &Again<'_>,
    as_json: bool,
) -> Result<(), CommandError> {
    match bench {
        Bench::Techniques => techniques(ui, prepared, again, as_json),
        Bench::Growth => growth(ui, prepared, again, as_json),
    }
}

/// A technique's run and what came of it, or why nothing did.
type Row = (BenchRun, Result<Measured, String>);

fn techniques(
    ui: &mut Ui,
    prepared: &PreparedRun,
    again: &Again<'_>,
    as_json: bool,
) -> Result<(), CommandError> {
    let runs = prepared.techniques();
    let count = runs.len();
    let mut progress = Progress::start();
    let mut rows: Vec<Row> = Vec::new();
    for (number, run) in runs.into_iter().enumerate() {
        progress.line(&format!("{} of {count} · {}", number + 1, run.name));
        let found = again.measure(&run.set, None);
        rows.push((run, found));
    }
    drop(progress);
    let plain = rows[0].1.clone().ok();
    let padding = rows.iter().filter_map(|(_, found)| found.as_ref().ok());
    let padding = padding.map(|it| it.padding).max().unwrap_or(0);
    if as_json {
        let all: Vec<Value> = rows
            .iter()
            .map(|row| row_json(row, plain.as_ref()))
            .collect();
        let sharding = json!({ "technique": "sharding", "error": SHARDING });
        let all: Vec<Value> = all.into_iter().chain([sharding]).collect();
        ui.json(&json!({ "techniques": all }))?;
        return Ok(());
    }
    let mut table = vec![
        [
            "technique",
            "peak",
            "",
            "activations",
            "",
            "learnt",
            "",
            "speed",
            "",
            "claimed",
        ]
        .map(str::to_owned),
    ];
    table.extend(rows.iter().map(|row| cells(row, plain.as_ref())));
    let mut sharding = [const { String::new() }; 10];
    sharding[0] = "sharding (ZeRO)".into();
    sharding[1] = SHARDING.into();
    sharding[9] = "linear, near-linear".into();
    print(ui, &table, Some(&sharding))?;
    // What is said of the table comes behind it.
    ui.finish()?;
    ui.note(format_args!(
        "\nPeak: the most memory while learning. Learnt: weights that are learnt, gradients and \
         optimiser.\nEach beside the plain run, of {} tokens a step. What is claimed beside bf16 is \
         said of FP16, whose place it takes.",
        plain.map_or_else(|| "?".into(), |it| thousands(it.tokens as u64)),
    ));
    if padding > 0 {
        ui.note(format_args!(
            "Without packing, rows are filled up with {} tokens a step, which are computed and not \
             counted.",
            thousands(padding as u64),
        ));
    }
    Ok(())
}

/// Returns a technique's row: each figure, and how it is beside the plain run.
fn cells((run, found): &Row, plain: Option<&Measured>) -> [String; 10] {
    let mut cells = [const { String::new() }; 10];
    cells[0].clone_from(&run.name);
    if let Some([memory, speed]) = run.claim {
        cells[9] = format!("{memory} less, {speed}");
    }
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            cells[1] = one_line(error);
            return cells;
        }
    };
    let beside = |number: Option<u64>, plain: Option<u64>| match (number, plain) {
        (Some(number), Some(plain)) if plain > 0 && run.name != "plain" => {
            share(number as f64 / plain as f64 - 1.0)
        }
        _ => String::new(),
    };
    let figures = |it: &Measured| {
        [
            it.peak_memory_bytes,
            Some(it.activation_bytes as u64),
            Some(it.state_bytes as u64),
        ]
    };
    let others = plain.map_or([None; 3], figures);
    for (at, (number, plain)) in figures(found).into_iter().zip(others).enumerate() {
        cells[1 + 2 * at] = number.map_or_else(|| "?".into(), |it| Bytes(it).to_string());
        cells[2 + 2 * at] = beside(number, plain);
    }
    cells[7] = format!(
        "{} tok/s",
        thousands(found.tokens_per_second().round() as u64)
    );
    if let Some(plain) = plain.filter(|_| run.name != "plain") {
        let times = found.tokens_per_second() / plain.tokens_per_second();
        cells[8] = format!("{times:.2} ×");
    }
    cells
}

/// Returns a change in per cent, with its sign.
fn share(change: f64) -> String {
    let percent = (100.0 * change).round();
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{} %", percent.abs())
}

fn row_json((run, found): &Row, plain: Option<&Measured>) -> Value {
    let mut value = match found {
        Ok(found) => {
            let mut value = json!(found);
            value["tokens_per_second"] = found.tokens_per_second().into();
            if let Some(plain) = plain {
                let ratio = |one: Option<u64>, other: Option<u64>| match (one, other) {
                    (Some(one), Some(other)) if other > 0 => json!(one as f64 / other as f64),
                    _ => Value::Null,
                };
                value["beside_plain"] = json!({
                    "speed": found.tokens_per_second() / plain.tokens_per_second(),
                    "peak_memory": ratio(found.peak_memory_bytes, plain.peak_memory_bytes),
                    "activations": ratio(
                        Some(found.activation_bytes as u64),
                        Some(plain.activation_bytes as u64),
                    ),
                    "state": ratio(Some(found.state_bytes as u64), Some(plain.state_bytes as u64)),
                });
            }
            value
        }
        Err(error) => json!({ "error": error }),
    };
    value["technique"] = run.name.clone().into();
    value["set"] = json!(run.set);
    value["claimed"] = match run.claim {
        Some([memory, speed]) => json!({ "memory": memory, "speed": speed }),
        None => Value::Null,
    };
    value
}

fn growth(
    ui: &mut Ui,
    prepared: &PreparedRun,
    again: &Again<'_>,
    as_json: bool,
) -> Result<(), CommandError> {
    let all = prepared.growth().map_err(CommandError::failed)?;
    let mut progress = Progress::start();
    let mut table = vec![
        [
            "what",
            "layers",
            "width",
            "sequence",
            "batch",
            "parts",
            "peak",
            "activations",
            "learnt",
            "a step",
            "speed",
        ]
        .map(str::to_owned),
    ];
    let mut found = Vec::new();
    for (what, shapes) in all {
        for shape in shapes {
            progress.line(&format!("{what} · {shape}"));
            let measured = again.measure(&[], Some(shape));
            let figures = match &measured {
                Ok(it) => [
                    it.peak_memory_bytes
                        .map_or_else(|| "?".into(), |it| Bytes(it).to_string()),
                    Bytes(it.activation_bytes as u64).to_string(),
                    Bytes(it.state_bytes as u64).to_string(),
                    format!("{:.0} ms", 1e3 * it.median()),
                    format!("{} tok/s", thousands(it.tokens_per_second().round() as u64)),
                ],
                Err(error) => {
                    let mut cells = [const { String::new() }; 5];
                    cells[0] = one_line(error);
                    cells
                }
            };
            let [peak, activations, learnt, step, speed] = figures;
            let numbers = [
                shape.layers,
                shape.width,
                shape.length,
                shape.batch,
                shape.accumulation,
            ];
            let [layers, width, length, batch, parts] = numbers.map(|it| it.to_string());
            let name = what.to_owned();
            table.push([
                name,
                layers,
                width,
                length,
                batch,
                parts,
                peak,
                activations,
                learnt,
                step,
                speed,
            ]);
            let mut value = match measured {
                Ok(it) => {
                    let mut value = json!(it);
                    value["tokens_per_second"] = it.tokens_per_second().into();
                    value
                }
                Err(error) => json!({ "error": error }),
            };
            value["what"] = what.into();
            for (key, number) in ["layers", "width", "length", "batch", "accumulation"]
                .iter()
                .zip(numbers)
            {
                value[*key] = number.into();
            }
            found.push(value);
        }
    }
    drop(progress);
    if as_json {
        ui.json(&json!({ "growth": found }))?;
        return Ok(());
    }
    print(ui, &table, None)
}

/// Prints rows of cells, the first of them the head, the last without columns.
fn print<const N: usize>(
    ui: &mut Ui,
    rows: &[[String; N]],
    last: Option<&[String; N]>,
) -> Result<(), CommandError> {
    // What went wrong is as long as it is.
    let fits = |row: &&[String; N]| row[N - 2..].iter().any(|it| !it.is_empty());
    let widths: [usize; N] = std::array::from_fn(|at| {
        let widths = rows.iter().filter(fits).map(|row| columns(&row[at]));
        widths.max().unwrap_or(0)
    });
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let space = " ".repeat(widths[at].saturating_sub(columns(cell)));
            let gap = if at == 0 || widths[at] == 0 { "" } else { "  " };
            // Words to the left, figures to the right.
            match at == 0 || at + 1 == N && N == 10 || number > 0 && !fits(&row) {
                true => line.push_str(&format!("{gap}{cell}{space}")),
                false => line.push_str(&format!("{gap}{space}{cell}")),
            }
        }
        writeln!(ui.out(), "{}", line.trim_end())?;
    }
    if let Some(last) = last {
        let name = &last[0];
        let space = " ".repeat(widths[0].saturating_sub(columns(name)));
        let rest: Vec<&str> = last[1..]
            .iter()
            .map(String::as_str)
            .filter(|it| !it.is_empty())
            .collect();
        let text = ui.paint(Style::Faint, &rest.join("; claimed: "));
        writeln!(ui.out(), "{name}{space}  {text}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(seconds: f64, peak: u64) -> Measured {
        Measured {
            tokens: 1000,
            padding: 0,
            step_seconds: vec![seconds, 9.0, seconds / 2.0],
            peak_memory_bytes: Some(peak),
            parameters: 10,
            state_bytes: 160,
            frozen_bytes: 0,
            activation_bytes: peak as usize / 2,
            losses: [2.0, 1.0],
        }
    }

    #[test]
    fn a_row_is_beside_the_plain_one() {
        let run = BenchRun {
            name: "LoRA".into(),
            set: Vec::new(),
            claim: Some(["90 %", "3 × faster"]),
        };
        let plain = measured(2.0, 1 << 20);
        let found = cells(&(run, Ok(measured(1.0, 1 << 19))), Some(&plain));
        assert_eq!(
            found,
            [
                "LoRA",
                "512 KiB",
                "−50 %",
                "256 KiB",
                "−50 %",
                "160 B",
                "+0 %",
                "1,000 tok/s",
                "2.00 ×",
                "90 % less, 3 × faster"
            ]
        );
    }

    #[test]
    fn what_failed_is_said() {
        let run = BenchRun {
            name: "bf16".into(),
            set: Vec::new(),
            claim: None,
        };
        let found = cells(&(run, Err("no\nmemory".into())), None);
        assert!(
            found[1].starts_with("no") && !found[1].contains('\n'),
            "{found:?}"
        );
    }
}
